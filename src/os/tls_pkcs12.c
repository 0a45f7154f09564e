/* tls_pkcs12: keys and certificates out of PKCS#12 files, those of keytool and those of openssl. */
#include "base/err.h"
#include "os/tls_internal.h"
#include <openssl/objects.h>
#include <openssl/pkcs12.h>
#include <openssl/provider.h>

/* keytool gives each certificate that it stores as trusted this attribute, and Java trusts no other one
 * (sun.security.pkcs12.PKCS12KeyStore). */
#define JAVA_TRUSTED_OID "2.16.840.1.113894.746875.1.1"

/* Bags may lie in bags; real files have none that do. */
#define DEPTH_MAX 4

/* What the bags of a file hold. */
struct contents {
    STACK_OF(X509) * certs;
    STACK_OF(X509) * marked;    /* those that have Java's attribute */
    STACK_OF(X509) * key_certs; /* those that are tied to a key of the file */
    STACK_OF(X509_CRL) * crls;
    const ASN1_OBJECT *mark;
    bool has_key;
};

/* ---- opening ---- */

/* An empty password is written in two ways; the check value tells which. */
static int check_password(PKCS12 *p12, const char **password, const char *file, struct tls_error *err)
{
    const char *p = *password;
    if (PKCS12_mac_present(p12) == 0)
        return 0;
    if (p == NULL || p[0] == '\0')
        *password = PKCS12_verify_mac(p12, NULL, 0) == 1 ? NULL : "";
    if (*password == NULL || PKCS12_verify_mac(p12, *password, (int)strlen(*password)) == 1)
        return 0;
    const char *reason = tls_library_reason();
    return tls_fail(err, ERR_INVALID, "%s: the password does not open it (%s); check the password key of this store",
                    file, reason);
}

static PKCS12 *open_file(struct slice bytes, const char **password, const char *file, struct tls_error *err, int *rc)
{
    const unsigned char *p = bytes.p;
    PKCS12 *p12 = d2i_PKCS12(NULL, &p, (long)bytes.n);
    if (p12 == NULL) {
        const char *reason = tls_library_reason();
        *rc = tls_fail(err, ERR_INVALID, "%s: neither PEM nor PKCS#12 (%s); show it with: keytool -list -keystore %s",
                       file, reason, file);
        return NULL;
    }
    *rc = check_password(p12, password, file, err);
    if (*rc != 0) {
        PKCS12_free(p12);
        return NULL;
    }
    return p12;
}

/* keytool before Java 8u301 and 11.0.12 encrypted certificates with 40 bits of RC2, which the library keeps apart. It
 * protects nothing secret here, so files that exist are read. */
static OSSL_PROVIDER *borrow_old_ciphers(void)
{
    OSSL_PROVIDER *old = OSSL_PROVIDER_try_load(NULL, "legacy", 1);
    tls_library_reason();
    return old;
}

static int fail_decrypt(const char *file, struct tls_error *err)
{
    const char *reason = tls_library_reason();
    return tls_fail(err, ERR_INVALID,
                    "%s: cannot be decrypted (%s); write it anew with: keytool -importkeystore -srckeystore %s "
                    "-destkeystore new.p12 -deststoretype PKCS12",
                    file, reason, file);
}

/* ---- the server's own key ---- */

int tls_pkcs12_identity(struct slice bytes, const char *password, const char *file, struct tls_identity *out,
                        struct tls_error *err)
{
    int rc;
    PKCS12 *p12 = open_file(bytes, &password, file, err, &rc);
    if (p12 == NULL)
        return rc;
    bool read = PKCS12_parse(p12, password, &out->key, &out->leaf, &out->chain) == 1;
    OSSL_PROVIDER *old = read ? NULL : borrow_old_ciphers();
    if (old != NULL) {
        read = PKCS12_parse(p12, password, &out->key, &out->leaf, &out->chain) == 1;
        OSSL_PROVIDER_unload(old);
    }
    PKCS12_free(p12);
    if (!read)
        return fail_decrypt(file, err);
    if (out->chain == NULL)
        out->chain = sk_X509_new_null();
    if (out->key == NULL)
        return tls_fail(err, ERR_INVALID, "%s: holds no private key; it may be a trust store", file);
    if (out->leaf == NULL)
        return tls_fail(err, ERR_INVALID, "%s: holds no certificate for its private key; import it", file);
    return out->chain == NULL ? tls_fail(err, ERR_NO_MEMORY, "no memory for TLS") : 0;
}

/* ---- certificates to trust ---- */

static bool has_mark(const PKCS12_SAFEBAG *bag, const ASN1_OBJECT *mark)
{
    const STACK_OF(X509_ATTRIBUTE) *attributes = PKCS12_SAFEBAG_get0_attrs(bag);
    for (int i = 0; i < sk_X509_ATTRIBUTE_num(attributes); i++)
        if (OBJ_cmp(X509_ATTRIBUTE_get0_object(sk_X509_ATTRIBUTE_value(attributes, i)), mark) == 0)
            return true;
    return false;
}

static bool push(STACK_OF(X509) * to, X509 *cert)
{
    if (X509_up_ref(cert) != 1)
        return false;
    if (sk_X509_push(to, cert) > 0)
        return true;
    X509_free(cert);
    return false;
}

static bool take_cert(struct contents *c, const PKCS12_SAFEBAG *bag)
{
    X509 *cert = PKCS12_SAFEBAG_get1_cert(bag);
    if (cert == NULL)
        return true; /* of another kind (SDSI): nothing that TLS could use */
    bool taken = push(c->certs, cert);
    if (taken && has_mark(bag, c->mark))
        taken = push(c->marked, cert);
    if (taken && PKCS12_SAFEBAG_get0_attr(bag, NID_localKeyID) != NULL)
        taken = push(c->key_certs, cert);
    X509_free(cert);
    return taken;
}

static bool take_bags(struct contents *c, const STACK_OF(PKCS12_SAFEBAG) * bags, int depth)
{
    bool taken = true;
    for (int i = 0; taken && i < sk_PKCS12_SAFEBAG_num(bags); i++) {
        const PKCS12_SAFEBAG *bag = sk_PKCS12_SAFEBAG_value(bags, i);
        X509_CRL *crl;
        switch (PKCS12_SAFEBAG_get_nid(bag)) {
        case NID_keyBag:
        case NID_pkcs8ShroudedKeyBag:
            c->has_key = true;
            break;
        case NID_certBag:
            taken = take_cert(c, bag);
            break;
        case NID_crlBag:
            crl = PKCS12_SAFEBAG_get1_crl(bag);
            taken = crl == NULL || sk_X509_CRL_push(c->crls, crl) > 0;
            break;
        case NID_safeContentsBag:
            taken = depth == DEPTH_MAX || take_bags(c, PKCS12_SAFEBAG_get0_safes(bag), depth + 1);
            break;
        default:
            break;
        }
    }
    return taken;
}

static bool take_safes(struct contents *c, PKCS12 *p12, const char *password)
{
    STACK_OF(PKCS7) *safes = PKCS12_unpack_authsafes(p12);
    bool taken = safes != NULL;
    for (int i = 0; taken && i < sk_PKCS7_num(safes); i++) {
        PKCS7 *safe = sk_PKCS7_value(safes, i);
        STACK_OF(PKCS12_SAFEBAG) *bags = NULL;
        if (OBJ_obj2nid(safe->type) == NID_pkcs7_data)
            bags = PKCS12_unpack_p7data(safe);
        else if (OBJ_obj2nid(safe->type) == NID_pkcs7_encrypted)
            bags = PKCS12_unpack_p7encdata(safe, password, password == NULL ? 0 : (int)strlen(password));
        else
            continue;
        taken = bags != NULL && take_bags(c, bags, 0);
        sk_PKCS12_SAFEBAG_pop_free(bags, PKCS12_SAFEBAG_free);
    }
    sk_PKCS7_pop_free(safes, PKCS7_free);
    return taken;
}

static void contents_fini(struct contents *c)
{
    sk_X509_pop_free(c->certs, X509_free);
    sk_X509_pop_free(c->marked, X509_free);
    sk_X509_pop_free(c->key_certs, X509_free);
    sk_X509_CRL_pop_free(c->crls, X509_CRL_free);
    ASN1_OBJECT_free((ASN1_OBJECT *)(uintptr_t)c->mark);
}

static bool contents_init(struct contents *c)
{
    *c = (struct contents){
        .certs = sk_X509_new_null(),
        .marked = sk_X509_new_null(),
        .key_certs = sk_X509_new_null(),
        .crls = sk_X509_CRL_new_null(),
        .mark = OBJ_txt2obj(JAVA_TRUSTED_OID, 1),
    };
    return c->certs != NULL && c->marked != NULL && c->key_certs != NULL && c->crls != NULL && c->mark != NULL;
}

/* What Java would trust of it: entries that are marked, and the certificate of a key, but not those above it. Without
 * marks and keys it is a file of openssl's, made to be trusted as a whole. */
static STACK_OF(X509) * choose(struct contents *c)
{
    if (!c->has_key && sk_X509_num(c->marked) == 0) {
        STACK_OF(X509) *all = c->certs;
        c->certs = NULL;
        return all;
    }
    for (int i = 0; i < sk_X509_num(c->key_certs); i++)
        if (!push(c->marked, sk_X509_value(c->key_certs, i)))
            return NULL;
    STACK_OF(X509) *chosen = c->marked;
    c->marked = NULL;
    return chosen;
}

int tls_pkcs12_anchors(struct slice bytes, const char *password, const char *file, struct tls_anchors *out,
                       struct tls_error *err)
{
    struct contents c;
    int rc;
    PKCS12 *p12 = open_file(bytes, &password, file, err, &rc);
    if (p12 == NULL)
        return rc;
    bool read = contents_init(&c) && take_safes(&c, p12, password);
    OSSL_PROVIDER *old = read ? NULL : borrow_old_ciphers();
    if (old != NULL) {
        contents_fini(&c);
        read = contents_init(&c) && take_safes(&c, p12, password);
        OSSL_PROVIDER_unload(old);
    }
    rc = read ? 0 : fail_decrypt(file, err);
    if (rc == 0 && (out->certs = choose(&c)) == NULL)
        rc = tls_fail(err, ERR_NO_MEMORY, "no memory for TLS");
    out->crls = c.crls;
    c.crls = NULL;
    contents_fini(&c);
    PKCS12_free(p12);
    return rc;
}
