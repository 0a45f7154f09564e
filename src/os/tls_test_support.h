/* tls_test_support: certificates made while a test runs, and two filters that talk through memory. For tests alone. */
#ifndef ZOKOR_OS_TLS_TEST_SUPPORT_H
#define ZOKOR_OS_TLS_TEST_SUPPORT_H

#include "os/tls.h"
#include <dirent.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/x509v3.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#define DAY_S 86400L

struct pki {
    EVP_PKEY *key;
    X509 *cert;
};

struct pki_wish {
    const char *cn, *o; /* o may be NULL */
    const char *san;    /* "DNS:a,IP:1.2.3.4", or NULL */
    const char *usage;  /* extended key usage, or NULL */
    bool authority;
    long from_s, to_s; /* from now; both 0: a day around now */
};

static inline void pki_extension(X509 *cert, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    assert_non_null(e);
    assert_int_equal(X509_add_ext(cert, e, -1), 1);
    X509_EXTENSION_free(e);
}

static inline void pki_entry(X509_NAME *name, const char *type, const char *text)
{
    if (text != NULL)
        assert_int_equal(X509_NAME_add_entry_by_txt(name, type, MBSTRING_UTF8, (const unsigned char *)text, -1, -1, 0),
                         1);
}

/* issuer NULL: it signs itself. */
static inline struct pki pki_make(const struct pki_wish *w, const struct pki *issuer)
{
    static long serial = 100;
    struct pki p = { .key = EVP_EC_gen("P-256"), .cert = X509_new() };
    assert_non_null(p.key);
    X509 *by = issuer == NULL ? p.cert : issuer->cert;
    bool dated = w->from_s != 0 || w->to_s != 0;
    X509_set_version(p.cert, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(p.cert), serial++);
    X509_gmtime_adj(X509_getm_notBefore(p.cert), dated ? w->from_s : -DAY_S);
    X509_gmtime_adj(X509_getm_notAfter(p.cert), dated ? w->to_s : 30 * DAY_S);
    pki_entry(X509_get_subject_name(p.cert), "O", w->o);
    pki_entry(X509_get_subject_name(p.cert), "CN", w->cn);
    X509_set_issuer_name(p.cert, X509_get_subject_name(by));
    X509_set_pubkey(p.cert, p.key);
    pki_extension(p.cert, by, NID_basic_constraints, w->authority ? "critical,CA:TRUE" : "CA:FALSE");
    if (w->san != NULL)
        pki_extension(p.cert, by, NID_subject_alt_name, w->san);
    if (w->usage != NULL)
        pki_extension(p.cert, by, NID_ext_key_usage, w->usage);
    assert_true(X509_sign(p.cert, issuer == NULL ? p.key : issuer->key, EVP_sha256()) > 0);
    return p;
}

static inline void pki_free(struct pki *p)
{
    EVP_PKEY_free(p->key);
    X509_free(p->cert);
}

/* ---- files ---- */

struct folder {
    char path[64];
};

static inline void folder_make(struct folder *f)
{
    snprintf(f->path, sizeof f->path, "/tmp/zokor_tls_test_XXXXXX");
    assert_non_null(mkdtemp(f->path));
}

/* The path of a file in it, in one of eight places that are taken in turn. */
static inline const char *folder_file(const struct folder *f, const char *name)
{
    static char texts[8][400];
    static unsigned next;
    char *text = texts[next++ % 8];
    snprintf(text, sizeof texts[0], "%s/%s", f->path, name);
    return text;
}

static inline void folder_remove(const struct folder *f)
{
    DIR *dir = opendir(f->path);
    assert_non_null(dir);
    for (const struct dirent *e; (e = readdir(dir)) != NULL;)
        if (e->d_name[0] != '.')
            unlink(folder_file(f, e->d_name));
    closedir(dir);
    assert_int_equal(rmdir(f->path), 0);
}

static inline FILE *folder_open(const struct folder *f, const char *name)
{
    FILE *to = fopen(folder_file(f, name), "we");
    assert_non_null(to);
    return to;
}

static inline const char *folder_write(const struct folder *f, const char *name, const void *p, size_t n)
{
    FILE *to = folder_open(f, name);
    assert_int_equal(fwrite(p, 1, n, to), n);
    fclose(to);
    return folder_file(f, name);
}

/* The key (encrypted with a password that is not NULL), the certificate, and another certificate that is not NULL. */
static inline const char *folder_write_pem(const struct folder *f, const char *name, const struct pki *p,
                                           const char *password, X509 *above)
{
    FILE *to = folder_open(f, name);
    assert_int_equal(PEM_write_PKCS8PrivateKey(to, p->key, password == NULL ? NULL : EVP_aes_128_cbc(), NULL, 0, NULL,
                                               (void *)(uintptr_t)password),
                     1);
    assert_int_equal(PEM_write_X509(to, p->cert), 1);
    if (above != NULL)
        assert_int_equal(PEM_write_X509(to, above), 1);
    fclose(to);
    return folder_file(f, name);
}

static inline const char *folder_write_certs(const struct folder *f, const char *name, X509 *first, X509 *second)
{
    FILE *to = folder_open(f, name);
    assert_int_equal(PEM_write_X509(to, first), 1);
    if (second != NULL)
        assert_int_equal(PEM_write_X509(to, second), 1);
    fclose(to);
    return folder_file(f, name);
}

static inline const char *folder_write_pkcs12(const struct folder *f, const char *name, const struct pki *p,
                                              const char *password, X509 *above)
{
    STACK_OF(X509) *chain = sk_X509_new_null();
    if (above != NULL)
        sk_X509_push(chain, above);
    PKCS12 *p12 = PKCS12_create(password, "zokor", p->key, p->cert, chain, 0, 0, 0, 0, 0);
    assert_non_null(p12);
    FILE *to = folder_open(f, name);
    assert_int_equal(i2d_PKCS12_fp(to, p12), 1);
    fclose(to);
    PKCS12_free(p12);
    sk_X509_free(chain);
    return folder_file(f, name);
}

/* ---- two filters ---- */

struct wire_end {
    struct tls_conn *conn;
    struct buf out;   /* on its way to the other end */
    struct buf plain; /* what it was told */
    int rc;
};

struct talk {
    struct wire_end client, server;
};

static inline void talk_end_init(struct wire_end *e, struct tls_context *t, const struct tls_peer *peer)
{
    *e = (struct wire_end){ .conn = tls_conn_new(t, peer) };
    assert_non_null(e->conn);
    buf_init(&e->out, 64u << 20);
    buf_init(&e->plain, 64u << 20);
}

static inline void talk_init(struct talk *k, struct tls_context *client, const struct tls_peer *client_peer,
                             struct tls_context *server, const struct tls_peer *server_peer)
{
    talk_end_init(&k->client, client, client_peer);
    talk_end_init(&k->server, server, server_peer);
}

static inline void talk_fini(struct talk *k)
{
    struct wire_end *ends[] = { &k->client, &k->server };
    for (int i = 0; i < 2; i++) {
        tls_conn_free(ends[i]->conn);
        buf_fini(&ends[i]->out);
        buf_fini(&ends[i]->plain);
    }
}

/* Carries what one end has to say to the other, `piece` bytes at a time. True if there was something. */
static inline bool talk_carry(struct wire_end *from, struct wire_end *to, size_t piece)
{
    struct buf bytes = from->out;
    buf_init(&from->out, 64u << 20);
    for (size_t at = 0; at < bytes.n; at += piece) {
        size_t n = bytes.n - at < piece ? bytes.n - at : piece;
        int rc = tls_feed(to->conn, slice_of(bytes.p + at, n), &to->plain, &to->out);
        if (rc != 0)
            to->rc = rc;
    }
    bool any = bytes.n != 0;
    buf_fini(&bytes);
    return any;
}

static inline void talk_run(struct talk *k, size_t piece)
{
    bool any = true;
    while (any) {
        any = talk_carry(&k->client, &k->server, piece);
        any = talk_carry(&k->server, &k->client, piece) || any;
    }
}

static inline void talk_begin(struct talk *k)
{
    k->client.rc = tls_begin(k->client.conn, &k->client.out);
    talk_run(k, 1u << 20);
}

#endif
