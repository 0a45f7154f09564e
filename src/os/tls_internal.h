/* tls_internal: what the files of the TLS filter share. */
#ifndef ZOKOR_OS_TLS_INTERNAL_H
#define ZOKOR_OS_TLS_INTERNAL_H

#include "os/tls.h"
#include <openssl/ssl.h>

/* A file larger than this is no key store. */
#define TLS_FILE_BYTES_MAX (16u * 1024 * 1024)

/* ---- tls_store.c: files of keys and certificates ---- */

struct tls_identity {
    EVP_PKEY *key;
    X509 *leaf;             /* the certificate of the key */
    STACK_OF(X509) * chain; /* the others, in the order of the file; never NULL after a success */
};

struct tls_anchors {
    STACK_OF(X509) * certs;
    STACK_OF(X509_CRL) * crls;
};

/* what: the configuration's name of the store ("ssl.keyStore"), for messages. 0 or an error with err filled. */
int tls_store_load_identity(const struct tls_store *s, const char *what, struct tls_identity *out,
                            struct tls_error *err);
int tls_store_load_anchors(const struct tls_store *s, const char *what, struct tls_anchors *out, struct tls_error *err);
void tls_identity_fini(struct tls_identity *i);
void tls_anchors_fini(struct tls_anchors *a);

/* Fills err. Returns rc. */
int tls_fail(struct tls_error *err, int rc, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* The reason of the oldest error that the library has queued, and empties the queue; "" if there is none. */
const char *tls_library_reason(void);

static inline bool tls_is_set(const char *text)
{
    return text != NULL && text[0] != '\0';
}

/* ---- tls_pkcs12.c ---- */

int tls_pkcs12_identity(struct slice bytes, const char *password, const char *file, struct tls_identity *out,
                        struct tls_error *err);
int tls_pkcs12_anchors(struct slice bytes, const char *password, const char *file, struct tls_anchors *out,
                       struct tls_error *err);

/* ---- tls_rules.c: versions and cipher suites ---- */

int tls_rules_set_versions(SSL_CTX *ssl, const struct tls_options *o, struct tls_error *err);
int tls_rules_set_ciphers(SSL_CTX *ssl, const struct tls_options *o, struct tls_error *err);

/* ---- tls_name.c ---- */

/* Appends the name as Java's X500Principal.getName() writes it. */
void tls_name_append(const X509_NAME *name, struct buf *out);

/* ---- tls_context.c ---- */

struct tls_rules {
    enum tls_role role;
    bool verify_name;
};

/* A new library connection under the context's present certificates; NULL: no memory. */
SSL *tls_context_new_ssl(struct tls_context *t, struct tls_rules *rules);

/* ---- tls.c ---- */

/* The library asks after each certificate of the peer's chain. */
int tls_conn_on_certificate(int ok, X509_STORE_CTX *store);

#endif
