/* tls_context: keys, certificates and rules, made into what connections are made from; and made again when a file has
 * changed. */
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "os/tls_internal.h"
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <sys/stat.h>

/* Which state of a file was loaded. */
struct stamp {
    const char *path; /* one of the options' */
    struct timespec changed;
    off_t size;
    ino_t inode;
    dev_t device;
};

enum { STAMP_KEY, STAMP_KEY_APART, STAMP_KEY_PASSWORD, STAMP_TRUST, STAMP_TRUST_PASSWORD, STAMP_COUNT };

struct tls_context {
    struct tls_options opt; /* its texts are copies, and its stores' */
    struct stamp stamps[STAMP_COUNT];
    CRYPTO_RWLOCK *lock; /* guards what follows */
    SSL_CTX *ssl;
    int64_t expires_s;
};

/* ---- options ---- */

static const char *copy_text(const char *from)
{
    if (from == NULL)
        from = "";
    size_t n = strlen(from) + 1;
    char *to = mem_alloc(n);
    memcpy(to, from, n);
    return to;
}

static void free_text(const char *text)
{
    mem_free((void *)(uintptr_t)text);
}

static struct tls_store copy_store(const struct tls_store *from)
{
    return (struct tls_store){ .location = copy_text(from->location),
                               .password = copy_text(from->password),
                               .password_path = copy_text(from->password_path),
                               .type = copy_text(from->type),
                               .key_location = copy_text(from->key_location) };
}

static void free_store(struct tls_store *s)
{
    free_text(s->location);
    OPENSSL_cleanse((void *)(uintptr_t)s->password, strlen(s->password));
    free_text(s->password);
    free_text(s->password_path);
    free_text(s->type);
    free_text(s->key_location);
}

static void copy_options(struct tls_options *to, const struct tls_options *from)
{
    *to = *from;
    to->key = copy_store(&from->key);
    to->trust = copy_store(&from->trust);
    to->protocol = copy_text(from->protocol);
    to->protocols = copy_text(from->protocols);
    to->ciphers = copy_text(from->ciphers);
    to->prefix = copy_text(from->prefix == NULL ? "ssl." : from->prefix);
}

static void free_options(struct tls_options *o)
{
    free_store(&o->key);
    free_store(&o->trust);
    free_text(o->protocol);
    free_text(o->protocols);
    free_text(o->ciphers);
    free_text(o->prefix);
}

/* ---- what changes ---- */

/* A file that cannot be looked at has a state, too: all zeros. */
static struct stamp stamp_of(const char *path)
{
    struct stat st;
    struct stamp s = { .path = path };
    if (path[0] == '\0' || stat(path, &st) != 0)
        return s;
    s.changed = st.st_mtim;
    s.size = st.st_size;
    s.inode = st.st_ino;
    s.device = st.st_dev;
    return s;
}

static bool same_stamp(const struct stamp *a, const struct stamp *b)
{
    return a->changed.tv_sec == b->changed.tv_sec && a->changed.tv_nsec == b->changed.tv_nsec && a->size == b->size &&
           a->inode == b->inode && a->device == b->device;
}

/* True if a file has changed since the last call. */
static bool take_stamps(struct tls_context *t)
{
    const char *const paths[STAMP_COUNT] = { [STAMP_KEY] = t->opt.key.location,
                                             [STAMP_KEY_APART] = t->opt.key.key_location,
                                             [STAMP_KEY_PASSWORD] = t->opt.key.password_path,
                                             [STAMP_TRUST] = t->opt.trust.location,
                                             [STAMP_TRUST_PASSWORD] = t->opt.trust.password_path };
    bool changed = false;
    for (int i = 0; i < STAMP_COUNT; i++) {
        struct stamp now = stamp_of(paths[i]);
        changed |= !same_stamp(&now, &t->stamps[i]);
        t->stamps[i] = now;
    }
    return changed;
}

/* ---- making ---- */

static int64_t expiry_of(const X509 *cert)
{
    struct tm tm;
    if (ASN1_TIME_to_tm(X509_get0_notAfter(cert), &tm) != 1)
        return INT64_MAX;
    return (int64_t)timegm(&tm);
}

static int use_identity(const struct tls_options *o, SSL_CTX *ssl, int64_t *expires_s, struct tls_error *err)
{
    struct tls_identity id;
    char what[64];
    snprintf(what, sizeof what, "%skeyStore", o->prefix);
    *expires_s = INT64_MAX;
    if (!tls_is_set(o->key.location)) {
        if (o->role == TLS_CLIENT)
            return 0;
        return tls_fail(err, ERR_INVALID,
                        "%s.location is not set: a TLS port needs a key and a certificate (a PEM file with both, or "
                        "PKCS#12)",
                        what);
    }
    int rc = tls_store_load_identity(&o->key, what, &id, err);
    if (rc != 0)
        return rc;
    if (SSL_CTX_use_cert_and_key(ssl, id.leaf, id.key, id.chain, 1) != 1)
        rc = tls_fail(err, ERR_INVALID,
                      "%s: its key and certificate cannot be used (%s); make a key that OpenSSL's security level "
                      "allows, such as RSA of 2048 bits or EC P-256",
                      o->key.location, tls_library_reason());
    *expires_s = expiry_of(id.leaf);
    tls_identity_fini(&id);
    return rc;
}

static int add_anchors(const struct tls_options *o, SSL_CTX *ssl, const struct tls_anchors *a, struct tls_error *err)
{
    X509_STORE *store = SSL_CTX_get_cert_store(ssl);
    int rc = 0;
    for (int i = 0; rc == 0 && i < sk_X509_num(a->certs); i++) {
        X509 *cert = sk_X509_value(a->certs, i);
        if (X509_STORE_add_cert(store, cert) != 1 ||
            (o->role == TLS_SERVER && o->client_auth != TLS_AUTH_NONE && SSL_CTX_add_client_CA(ssl, cert) != 1))
            rc = tls_fail(err, ERR_INVALID, "%s: certificate %d cannot be used (%s)", o->trust.location, i + 1,
                          tls_library_reason());
    }
    for (int i = 0; rc == 0 && i < sk_X509_CRL_num(a->crls); i++)
        if (X509_STORE_add_crl(store, sk_X509_CRL_value(a->crls, i)) != 1)
            rc = tls_fail(err, ERR_INVALID, "%s: revocation list %d cannot be used (%s)", o->trust.location, i + 1,
                          tls_library_reason());
    if (rc == 0 && o->crl && sk_X509_CRL_num(a->crls) == 0)
        rc = tls_fail(err, ERR_INVALID,
                      "%scrl=true, but %s holds no revocation list: every certificate would be refused. Append the "
                      "lists of all its authorities as PEM (-----BEGIN X509 CRL-----)",
                      o->prefix, o->trust.location);
    return rc;
}

/* Any certificate of the trust store is trusted, whether an authority signed it itself or not, as in Java. */
static int use_anchors(const struct tls_options *o, SSL_CTX *ssl, struct tls_error *err)
{
    struct tls_anchors a;
    char what[64];
    unsigned long flags =
        X509_V_FLAG_PARTIAL_CHAIN | (o->crl ? X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL : 0ul);
    X509_STORE_set_flags(SSL_CTX_get_cert_store(ssl), flags);
    snprintf(what, sizeof what, "%strustStore", o->prefix);
    if (!tls_is_set(o->trust.location)) {
        if (o->crl)
            return tls_fail(err, ERR_INVALID, "%scrl=true needs %s.location, a PEM file with the revocation lists",
                            o->prefix, what);
        if (o->role == TLS_SERVER && o->client_auth == TLS_AUTH_NONE)
            return 0;
        log_warn("tls.trust",
                 "%s.location=\"\" action=\"whoever the system's authorities have signed is trusted\" next=\"set it "
                 "to the authority of your clients\"",
                 what);
        if (SSL_CTX_set_default_verify_paths(ssl) != 1)
            return tls_fail(err, ERR_IO, "the system's certificates cannot be read; set %s.location", what);
        return 0;
    }
    int rc = tls_store_load_anchors(&o->trust, what, &a, err);
    if (rc == 0) {
        rc = add_anchors(o, ssl, &a, err);
        tls_anchors_fini(&a);
    }
    return rc;
}

/* No session is resumed: a connection lasts, and a certificate that is no longer trusted must not live on in a ticket.
 * Renegotiation is refused; it serves nothing here and costs much. */
static void set_habits(const struct tls_options *o, SSL_CTX *ssl)
{
    int verify = SSL_VERIFY_PEER;
    if (o->role == TLS_SERVER && o->client_auth == TLS_AUTH_NONE)
        verify = SSL_VERIFY_NONE;
    if (o->role == TLS_SERVER && o->client_auth == TLS_AUTH_NEED)
        verify |= SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
    SSL_CTX_set_options(ssl, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_TICKET | SSL_OP_NO_COMPRESSION);
    SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_num_tickets(ssl, 0);
    SSL_CTX_set_mode(ssl, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_NO_AUTO_CHAIN);
    SSL_CTX_set_verify(ssl, verify, tls_conn_on_certificate);
}

static int make(const struct tls_options *o, SSL_CTX **out, int64_t *expires_s, struct tls_error *err)
{
    SSL_CTX *ssl = SSL_CTX_new(TLS_method());
    int rc = ssl == NULL ? tls_fail(err, ERR_NO_MEMORY, "OpenSSL cannot be started: %s", tls_library_reason()) : 0;
    if (rc == 0)
        set_habits(o, ssl);
    if (rc == 0)
        rc = tls_rules_set_versions(ssl, o, err);
    if (rc == 0)
        rc = tls_rules_set_ciphers(ssl, o, err);
    if (rc == 0)
        rc = use_identity(o, ssl, expires_s, err);
    if (rc == 0)
        rc = use_anchors(o, ssl, err);
    ERR_clear_error();
    if (rc != 0) {
        SSL_CTX_free(ssl);
        ssl = NULL;
    }
    *out = ssl;
    return rc;
}

int tls_context_new(const struct tls_options *options, struct tls_context **out, struct tls_error *err)
{
    *out = NULL;
    if (options->ocsp)
        return tls_fail(err, ERR_UNSUPPORTED,
                        "%socsp=true: certificates are not looked up over the network; use %scrl with revocation "
                        "lists in the trust store, or set %socsp=false",
                        options->prefix == NULL ? "ssl." : options->prefix,
                        options->prefix == NULL ? "ssl." : options->prefix,
                        options->prefix == NULL ? "ssl." : options->prefix);
    struct tls_context *t = mem_zalloc(sizeof *t);
    copy_options(&t->opt, options);
    (void)take_stamps(t);
    int rc = make(&t->opt, &t->ssl, &t->expires_s, err);
    t->lock = CRYPTO_THREAD_lock_new();
    if (rc == 0 && t->lock == NULL)
        rc = tls_fail(err, ERR_NO_MEMORY, "no memory for TLS");
    if (rc != 0)
        tls_context_free(t);
    else
        *out = t;
    return rc;
}

void tls_context_free(struct tls_context *t)
{
    if (t == NULL)
        return;
    SSL_CTX_free(t->ssl);
    CRYPTO_THREAD_lock_free(t->lock);
    free_options(&t->opt);
    mem_free(t);
}

int tls_context_reload(struct tls_context *t, struct tls_error *err)
{
    SSL_CTX *ssl;
    int64_t expires_s;
    if (!take_stamps(t))
        return 0;
    int rc = make(&t->opt, &ssl, &expires_s, err);
    if (rc != 0)
        return rc;
    ASSERT(CRYPTO_THREAD_write_lock(t->lock) == 1);
    SSL_CTX *before = t->ssl;
    t->ssl = ssl;
    t->expires_s = expires_s;
    CRYPTO_THREAD_unlock(t->lock);
    SSL_CTX_free(before);
    return 1;
}

int64_t tls_context_expires_s(struct tls_context *t)
{
    ASSERT(CRYPTO_THREAD_read_lock(t->lock) == 1);
    int64_t s = t->expires_s;
    CRYPTO_THREAD_unlock(t->lock);
    return s;
}

SSL *tls_context_new_ssl(struct tls_context *t, struct tls_rules *rules)
{
    *rules = (struct tls_rules){ .role = t->opt.role, .verify_name = t->opt.verify_name };
    ASSERT(CRYPTO_THREAD_read_lock(t->lock) == 1);
    SSL *ssl = SSL_new(t->ssl);
    CRYPTO_THREAD_unlock(t->lock);
    return ssl;
}
