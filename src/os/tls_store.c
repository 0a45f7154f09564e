/* tls_store: files of keys and certificates, as Apache's ssl.keyStore.* and ssl.trustStore.* name them. */
#include "os/tls_internal.h"
#include "base/err.h"
#include "base/mem.h"
#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdarg.h>
#include <stdio.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#define JKS_MAGIC 0xfeedfeedu
#define JCEKS_MAGIC 0xcecececeu

/* A file's bytes: keys among them, so they are wiped. */
struct content {
    uint8_t *p;
    size_t n;
};

int tls_fail(struct tls_error *err, int rc, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    vsnprintf(err->text, sizeof err->text, fmt, args);
    va_end(args);
    return rc;
}

const char *tls_library_reason(void)
{
    unsigned long code = ERR_peek_error();
    const char *reason = code == 0 ? "" : ERR_reason_error_string(code);
    ERR_clear_error();
    return reason == NULL ? "" : reason;
}

/* ---- files ---- */

static int fail_open(const char *path, const char *key, struct tls_error *err)
{
    switch (errno) {
    case ENOENT:
    case ENOTDIR:
        return tls_fail(err, ERR_NOT_FOUND, "%s: there is no such file; check %s", path, key);
    case EACCES:
        return tls_fail(err, ERR_ACCESS,
                        "%s: this user may not read it; give the user that runs the server the right "
                        "to read it, or change %s",
                        path, key);
    default:
        return tls_fail(err, ERR_IO, "%s: %s; check %s", path, strerror(errno), key);
    }
}

static void content_fini(struct content *c)
{
    if (c->p != NULL)
        OPENSSL_cleanse(c->p, c->n);
    mem_free(c->p);
    *c = (struct content){ 0 };
}

/* key: of the configuration, for messages. The bytes are followed by a zero. */
static int read_content(const char *path, const char *key, struct content *out, struct tls_error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat st;
    int rc = 0;
    *out = (struct content){ 0 };
    if (fd < 0)
        return fail_open(path, key, err);
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || st.st_size > (off_t)TLS_FILE_BYTES_MAX) {
        rc = tls_fail(err, ERR_INVALID, "%s: no file of keys or certificates; check %s", path, key);
        goto out;
    }
    size_t size = (size_t)st.st_size;
    out->p = mem_zalloc(size + 1);
    while (out->n < size) {
        ssize_t got = read(fd, out->p + out->n, size - out->n);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            rc = fail_open(path, key, err);
        if (got <= 0)
            break;
        out->n += (size_t)got;
    }
out:
    close(fd);
    if (rc != 0)
        content_fini(out);
    return rc;
}

/* The password of a store. content_fini wipes it. */
static int read_password(const struct tls_store *s, const char *what, struct content *out, struct tls_error *err)
{
    if (!tls_is_set(s->password_path)) {
        const char *password = s->password == NULL ? "" : s->password;
        out->n = strlen(password);
        out->p = mem_zalloc(out->n + 1);
        memcpy(out->p, password, out->n);
        return 0;
    }
    char key[64];
    snprintf(key, sizeof key, "%s.passwordPath", what);
    int rc = read_content(s->password_path, key, out, err);
    if (rc != 0)
        return rc;
    if (out->n != 0 && out->p[out->n - 1] == '\n')
        out->p[--out->n] = '\0';
    if (out->n != 0 && out->p[out->n - 1] == '\r')
        out->p[--out->n] = '\0';
    return 0;
}

/* ---- what a file is ---- */

enum format { FORMAT_PEM, FORMAT_PKCS12 };

static int fail_java_format(const char *format, const struct tls_store *s, const char *what, struct tls_error *err)
{
    const char *dot = strrchr(s->location, '.');
    int stem = dot != NULL && strchr(dot, '/') == NULL ? (int)(dot - s->location) : (int)strlen(s->location);
    bool bouncy = strcmp(format, "BCFKS") == 0;
    return tls_fail(err, ERR_UNSUPPORTED,
                    "%s: a %s file, which only Java reads. Convert it with: keytool -importkeystore -srckeystore %s "
                    "-srcstoretype %s %s-destkeystore %.*s.p12 -deststoretype PKCS12   and set "
                    "%s.location=%.*s.p12 (and %s.type=PKCS12 if a type is set)",
                    s->location, format, s->location, format,
                    bouncy ? "-providerclass org.bouncycastle.jcajce.provider.BouncyCastleFipsProvider "
                             "-providerpath bc-fips.jar "
                           : "",
                    stem, s->location, what, stem, s->location, what);
}

/* The bytes decide: a store that is called JKS is PKCS#12 if a keytool of Java 9 or later wrote it. */
static int find_format(const struct tls_store *s, const char *what, const struct content *c, enum format *format,
                       struct tls_error *err)
{
    bool bcfks = tls_is_set(s->type) && strcasecmp(s->type, "BCFKS") == 0;
    size_t length = strlen(s->location);
    if (tls_is_set(s->type) && !bcfks && strcasecmp(s->type, "JKS") != 0 && strcasecmp(s->type, "PEM") != 0 &&
        strcasecmp(s->type, "PKCS12") != 0)
        return tls_fail(err, ERR_INVALID, "%s.type=%s: PEM and PKCS12 are known; leave it out to have the file decide",
                        what, s->type);
    if (!tls_is_set(s->type) && length > 6 && strcasecmp(s->location + length - 6, ".bcfks") == 0)
        bcfks = true;
    uint32_t magic =
        c->n < 4 ? 0 : (uint32_t)c->p[0] << 24 | (uint32_t)c->p[1] << 16 | (uint32_t)c->p[2] << 8 | c->p[3];
    if (magic == JKS_MAGIC)
        return fail_java_format("JKS", s, what, err);
    if (magic == JCEKS_MAGIC)
        return fail_java_format("JCEKS", s, what, err);
    if (memmem(c->p, c->n, "-----BEGIN ", 11) != NULL) {
        *format = FORMAT_PEM;
        return 0;
    }
    if (bcfks)
        return fail_java_format("BCFKS", s, what, err);
    *format = FORMAT_PKCS12;
    return 0;
}

/* ---- PEM ---- */

struct pem_password {
    const char *text;
    bool asked;
};

/* Never asks a terminal. */
static int give_password(char *to, int size, int writing, void *ctx)
{
    struct pem_password *p = ctx;
    (void)writing;
    p->asked = true;
    int n = (int)strlen(p->text);
    if (n == 0 || n > size)
        return -1;
    memcpy(to, p->text, (size_t)n);
    return n;
}

/* After the last object of a kind the library reports that no further one begins: no error. */
static bool pem_ended(void)
{
    unsigned long code = ERR_peek_last_error();
    bool ended = ERR_GET_LIB(code) == ERR_LIB_PEM && ERR_GET_REASON(code) == PEM_R_NO_START_LINE;
    if (ended)
        ERR_clear_error();
    return ended;
}

static int pem_certs(const struct content *c, const char *file, STACK_OF(X509) * *out, struct tls_error *err)
{
    BIO *bio = BIO_new_mem_buf(c->p, (int)c->n);
    STACK_OF(X509) *certs = sk_X509_new_null();
    int rc = bio == NULL || certs == NULL ? tls_fail(err, ERR_NO_MEMORY, "no memory for TLS") : 0;
    while (rc == 0) {
        X509 *cert = PEM_read_bio_X509(bio, NULL, NULL, NULL);
        if (cert == NULL)
            break;
        if (sk_X509_push(certs, cert) <= 0) {
            X509_free(cert);
            rc = tls_fail(err, ERR_NO_MEMORY, "no memory for TLS");
        }
    }
    if (rc == 0 && !pem_ended()) {
        int count = sk_X509_num(certs);
        const char *reason = tls_library_reason();
        rc = tls_fail(err, ERR_CORRUPT, "%s: certificate %d of the file cannot be read (%s); write the file anew", file,
                      count + 1, reason);
    }
    BIO_free(bio);
    if (rc != 0)
        sk_X509_pop_free(certs, X509_free);
    else
        *out = certs;
    return rc;
}

static int pem_crls(const struct content *c, const char *file, STACK_OF(X509_CRL) * *out, struct tls_error *err)
{
    BIO *bio = BIO_new_mem_buf(c->p, (int)c->n);
    X509_CRL *crl = NULL;
    *out = sk_X509_CRL_new_null();
    int rc = bio == NULL || *out == NULL ? tls_fail(err, ERR_NO_MEMORY, "no memory for TLS") : 0;
    while (rc == 0 && (crl = PEM_read_bio_X509_CRL(bio, NULL, NULL, NULL)) != NULL) {
        if (sk_X509_CRL_push(*out, crl) <= 0) {
            X509_CRL_free(crl);
            rc = tls_fail(err, ERR_NO_MEMORY, "no memory for TLS");
        }
    }
    if (rc == 0 && !pem_ended()) {
        const char *reason = tls_library_reason();
        rc = tls_fail(err, ERR_CORRUPT, "%s: a revocation list in it cannot be read (%s); write the file anew", file,
                      reason);
    }
    BIO_free(bio);
    return rc;
}

static int pem_key(const struct content *c, const struct tls_store *s, const char *what, const char *password,
                   EVP_PKEY **out, struct tls_error *err)
{
    BIO *bio = BIO_new_mem_buf(c->p, (int)c->n);
    const char *file = tls_is_set(s->key_location) ? s->key_location : s->location;
    struct pem_password p = { .text = password };
    if (bio == NULL)
        return tls_fail(err, ERR_NO_MEMORY, "no memory for TLS");
    *out = PEM_read_bio_PrivateKey(bio, NULL, give_password, &p);
    BIO_free(bio);
    if (*out != NULL)
        return 0;
    if (memmem(c->p, c->n, "PRIVATE KEY-----", 16) == NULL)
        return tls_fail(err, ERR_INVALID,
                        "%s: holds no private key; %s.location is one file with the key and its certificates", file,
                        what);
    const char *reason = tls_library_reason();
    if (p.asked && password[0] == '\0')
        return tls_fail(err, ERR_INVALID, "%s: its key is encrypted; set %s.password or %s.passwordPath", file, what,
                        what);
    if (p.asked)
        return tls_fail(err, ERR_INVALID, "%s: the password does not open its key (%s); check %s.%s", file, reason,
                        what, tls_is_set(s->password_path) ? "passwordPath" : "password");
    return tls_fail(err, ERR_CORRUPT, "%s: its private key cannot be read (%s); write the file anew", file, reason);
}

/* The certificate of the key becomes the leaf, whichever place it has. */
static int pem_identity(const struct content *c, const struct content *key, const struct tls_store *s, const char *what,
                        const char *password, struct tls_identity *out, struct tls_error *err)
{
    int rc = pem_key(key, s, what, password, &out->key, err);
    if (rc == 0)
        rc = pem_certs(c, s->location, &out->chain, err);
    if (rc != 0)
        return rc;
    for (int i = 0; i < sk_X509_num(out->chain); i++) {
        if (X509_check_private_key(sk_X509_value(out->chain, i), out->key) != 1)
            continue;
        out->leaf = sk_X509_delete(out->chain, i);
        break;
    }
    ERR_clear_error();
    if (out->leaf == NULL)
        return tls_fail(err, ERR_INVALID, "%s: no certificate in it belongs to its private key; add it", s->location);
    return 0;
}

/* ---- stores ---- */

void tls_identity_fini(struct tls_identity *i)
{
    EVP_PKEY_free(i->key);
    X509_free(i->leaf);
    sk_X509_pop_free(i->chain, X509_free);
    *i = (struct tls_identity){ 0 };
}

void tls_anchors_fini(struct tls_anchors *a)
{
    sk_X509_pop_free(a->certs, X509_free);
    sk_X509_CRL_pop_free(a->crls, X509_CRL_free);
    *a = (struct tls_anchors){ 0 };
}

static int load(const struct tls_store *s, const char *what, struct content *bytes, struct content *password,
                enum format *format, struct tls_error *err)
{
    char key[64];
    snprintf(key, sizeof key, "%s.location", what);
    int rc = read_content(s->location, key, bytes, err);
    if (rc == 0)
        rc = find_format(s, what, bytes, format, err);
    if (rc == 0)
        rc = read_password(s, what, password, err);
    ERR_clear_error();
    return rc;
}

/* The certificates above the leaf, each followed by its issuer: the order TLS 1.2 asks for, whatever the file's. The
 * root is left out, since whoever trusts it has it; so is what does not belong. */
static int order_chain(struct tls_identity *i)
{
    STACK_OF(X509) *ordered = sk_X509_new_null();
    X509 *below = i->leaf;
    if (ordered == NULL)
        return ERR_NO_MEMORY;
    for (int at = 0; at < sk_X509_num(i->chain);) {
        X509 *cert = sk_X509_value(i->chain, at);
        if (X509_check_issued(cert, below) != X509_V_OK || X509_check_issued(cert, cert) == X509_V_OK) {
            at++;
            continue;
        }
        if (sk_X509_push(ordered, cert) <= 0) {
            sk_X509_free(ordered);
            return ERR_NO_MEMORY;
        }
        sk_X509_delete(i->chain, at);
        below = cert;
        at = 0;
    }
    sk_X509_pop_free(i->chain, X509_free);
    i->chain = ordered;
    return 0;
}

int tls_store_load_identity(const struct tls_store *s, const char *what, struct tls_identity *out,
                            struct tls_error *err)
{
    struct content bytes = { 0 }, key = { 0 }, password = { 0 };
    enum format format;
    *out = (struct tls_identity){ 0 };
    int rc = load(s, what, &bytes, &password, &format, err);
    if (rc == 0 && format == FORMAT_PEM && tls_is_set(s->key_location))
        rc = read_content(s->key_location, "the file of the key", &key, err);
    if (rc == 0 && format == FORMAT_PEM)
        rc = pem_identity(&bytes, key.p == NULL ? &bytes : &key, s, what, (const char *)password.p, out, err);
    else if (rc == 0)
        rc = tls_pkcs12_identity(slice_of(bytes.p, bytes.n), (const char *)password.p, s->location, out, err);
    if (rc == 0 && order_chain(out) != 0)
        rc = tls_fail(err, ERR_NO_MEMORY, "no memory for TLS");
    content_fini(&bytes);
    content_fini(&key);
    content_fini(&password);
    if (rc != 0)
        tls_identity_fini(out);
    return rc;
}

int tls_store_load_anchors(const struct tls_store *s, const char *what, struct tls_anchors *out, struct tls_error *err)
{
    struct content bytes = { 0 }, password = { 0 };
    enum format format;
    *out = (struct tls_anchors){ 0 };
    int rc = load(s, what, &bytes, &password, &format, err);
    if (rc == 0 && format == FORMAT_PEM) {
        rc = pem_certs(&bytes, s->location, &out->certs, err);
        if (rc == 0)
            rc = pem_crls(&bytes, s->location, &out->crls, err);
    } else if (rc == 0) {
        rc = tls_pkcs12_anchors(slice_of(bytes.p, bytes.n), (const char *)password.p, s->location, out, err);
    }
    if (rc == 0 && sk_X509_num(out->certs) == 0)
        rc = tls_fail(err, ERR_INVALID, "%s: holds no certificate to trust; nobody could connect. Check %s.location",
                      s->location, what);
    content_fini(&bytes);
    content_fini(&password);
    if (rc != 0)
        tls_anchors_fini(out);
    return rc;
}
