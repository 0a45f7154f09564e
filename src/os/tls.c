/* tls: one connection's filter. The library reads from a slice and writes to a buffer, both lent for the time of a
 * call; it never sees a socket. */
#include "os/tls.h"
#include "base/err.h"
#include "base/mem.h"
#include "os/tls_internal.h"
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>

struct tls_conn {
    SSL *ssl;
    struct slice in; /* of the call that runs: not read by the library yet */
    struct buf *out; /* of the call that runs */
    char *name, *address;
    char *others; /* each with its NUL, then an empty one; NULL: none */
    char *why;    /* once failed */
    struct buf subject;
    enum tls_role role;
    enum tls_state state;
    enum tls_fault fault;
    bool verify_name, name_later, ended;
    bool name_wanted; /* the certificate has another name, and there may be more to know */
    struct buf kept;  /* bytes of the socket that came after that certificate */
    uint8_t first_n, first[2];
    int cert_error; /* of the certificate that was refused */
    char cert_subject[128];
};

/* What may come before the name is known, by a caller that reads on. */
#define KEPT_BYTES_MAX (1u << 20)

/* ---- bytes ---- */

static int bio_read(BIO *bio, char *to, int n)
{
    struct tls_conn *c = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    if (c->in.n == 0) {
        BIO_set_retry_read(bio);
        return -1;
    }
    size_t take = c->in.n < (size_t)n ? c->in.n : (size_t)n;
    memcpy(to, c->in.p, take);
    c->in.p += take;
    c->in.n -= take;
    return (int)take;
}

static int bio_write(BIO *bio, const char *p, int n)
{
    struct tls_conn *c = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    if (c->out == NULL)
        return -1;
    buf_append(c->out, p, (size_t)n);
    return c->out->err == 0 ? n : -1;
}

static long bio_ctrl(BIO *bio, int what, long number, void *p)
{
    (void)bio;
    (void)number;
    (void)p;
    return what == BIO_CTRL_FLUSH ? 1 : 0;
}

static BIO_METHOD *method;
static CRYPTO_ONCE method_once = CRYPTO_ONCE_STATIC_INIT;

static void make_method(void)
{
    method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "zokor");
    if (method == NULL)
        return;
    BIO_meth_set_read(method, bio_read);
    BIO_meth_set_write(method, bio_write);
    BIO_meth_set_ctrl(method, bio_ctrl);
}

/* ---- life ---- */

static char *copy_text(const char *from)
{
    if (!tls_is_set(from))
        return NULL;
    size_t n = strlen(from) + 1;
    char *to = mem_try_alloc(n);
    if (to != NULL)
        memcpy(to, from, n);
    return to;
}

static char *copy_list(const char *const *from)
{
    size_t n = 1;
    for (size_t i = 0; from != NULL && from[i] != NULL; i++)
        n += strlen(from[i]) + 1;
    char *to = n == 1 ? NULL : mem_try_alloc(n);
    if (to == NULL)
        return NULL;
    char *at = to;
    for (size_t i = 0; from[i] != NULL; i++) {
        size_t one = from[i][0] == '\0' ? 0 : strlen(from[i]) + 1;
        memcpy(at, from[i], one);
        at += one;
    }
    *at = '\0';
    return to;
}

struct tls_conn *tls_conn_new(struct tls_context *t, const struct tls_peer *peer)
{
    struct tls_rules rules;
    struct tls_conn *c = mem_try_alloc(sizeof *c);
    if (c == NULL)
        return NULL;
    *c = (struct tls_conn){ .ssl = tls_context_new_ssl(t, &rules) };
    c->role = rules.role;
    c->verify_name = rules.verify_name;
    c->name_later = peer != NULL && peer->name_later;
    buf_init_refusable(&c->subject, 64u * 1024);
    buf_init_refusable(&c->kept, KEPT_BYTES_MAX);
    BIO *bio = CRYPTO_THREAD_run_once(&method_once, make_method) == 1 && method != NULL ? BIO_new(method) : NULL;
    if (c->ssl == NULL || bio == NULL) {
        BIO_free(bio);
        tls_conn_free(c);
        ERR_clear_error();
        return NULL;
    }
    BIO_set_data(bio, c);
    BIO_set_init(bio, 1);
    SSL_set_bio(c->ssl, bio, bio);
    SSL_set_app_data(c->ssl, c);
    if (peer != NULL && rules.verify_name)
        c->address = copy_text(peer->address);
    if (peer != NULL && (rules.verify_name || rules.role == TLS_CLIENT))
        c->name = copy_text(peer->name);
    if (peer != NULL && rules.verify_name)
        c->others = copy_list(peer->others);
    if (rules.role == TLS_CLIENT) {
        SSL_set_connect_state(c->ssl);
        if (c->name != NULL)
            (void)SSL_set_tlsext_host_name(c->ssl, c->name);
    } else {
        SSL_set_accept_state(c->ssl);
    }
    return c;
}

void tls_conn_free(struct tls_conn *c)
{
    if (c == NULL)
        return;
    SSL_free(c->ssl);
    buf_fini(&c->subject);
    buf_fini(&c->kept);
    mem_free(c->name);
    mem_free(c->address);
    mem_free(c->others);
    mem_free(c->why);
    mem_free(c);
}

/* ---- the peer's certificate ---- */

static bool holds_name(X509 *cert, const char *name)
{
    return X509_check_host(cert, name, 0, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS, NULL) == 1;
}

static bool name_matches(const struct tls_conn *c, X509 *cert)
{
    if (c->address != NULL && X509_check_ip_asc(cert, c->address, 0) == 1)
        return true;
    if (c->name != NULL && holds_name(cert, c->name))
        return true;
    for (const char *other = c->others; other != NULL && *other != '\0'; other += strlen(other) + 1)
        if (X509_check_ip_asc(cert, other, 0) == 1 || holds_name(cert, other))
            return true;
    return false;
}

int tls_conn_on_certificate(int ok, X509_STORE_CTX *store)
{
    SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
    struct tls_conn *c = SSL_get_app_data(ssl);
    X509 *cert = X509_STORE_CTX_get_current_cert(store);
    if (ok == 1 && c->verify_name && X509_STORE_CTX_get_error_depth(store) == 0 && !name_matches(c, cert)) {
        c->name_wanted = c->name_later;
        if (!c->name_wanted)
            X509_STORE_CTX_set_error(store, X509_V_ERR_HOSTNAME_MISMATCH);
        ok = c->name_wanted ? 1 : 0;
    }
    if (ok != 1 || c->name_wanted) {
        c->cert_error = X509_STORE_CTX_get_error(store);
        c->cert_subject[0] = '\0';
        if (cert != NULL)
            X509_NAME_oneline(X509_get_subject_name(cert), c->cert_subject, (int)sizeof c->cert_subject);
    }
    return ok;
}

static void take_subject(struct tls_conn *c)
{
    X509 *cert = SSL_get0_peer_certificate(c->ssl);
    if (cert == NULL || SSL_get_verify_result(c->ssl) != X509_V_OK)
        return;
    tls_name_append(X509_get_subject_name(cert), &c->subject);
}

bool tls_peer_verified(const struct tls_conn *c)
{
    return (c->state == TLS_ESTABLISHED || c->state == TLS_CLOSED) && SSL_get0_peer_certificate(c->ssl) != NULL &&
           SSL_get_verify_result(c->ssl) == X509_V_OK;
}

struct slice tls_peer_subject(const struct tls_conn *c)
{
    return tls_peer_verified(c) ? buf_slice(&c->subject) : (struct slice){ 0 };
}

/* ---- failures ---- */

static enum tls_fault fault_of_certificate(int error)
{
    switch (error) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
    case X509_V_ERR_CERT_NOT_YET_VALID:
        return TLS_FAULT_EXPIRED;
    case X509_V_ERR_CERT_REVOKED:
    case X509_V_ERR_UNABLE_TO_GET_CRL:
    case X509_V_ERR_UNABLE_TO_GET_CRL_ISSUER:
    case X509_V_ERR_CRL_HAS_EXPIRED:
    case X509_V_ERR_CRL_NOT_YET_VALID:
    case X509_V_ERR_CRL_SIGNATURE_FAILURE:
        return TLS_FAULT_REVOKED;
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
        return TLS_FAULT_NAME;
    default:
        return TLS_FAULT_UNTRUSTED;
    }
}

static enum tls_fault fault_of_reason(const struct tls_conn *c, unsigned long code)
{
    int reason = ERR_GET_REASON(code);
    if (reason == ERR_R_MALLOC_FAILURE)
        return TLS_FAULT_MEMORY;
    if (ERR_GET_LIB(code) != ERR_LIB_SSL)
        return TLS_FAULT_PROTOCOL;
    if (reason > SSL_AD_REASON_OFFSET && reason <= SSL_AD_REASON_OFFSET + 255)
        return TLS_FAULT_ALERT;
    switch (reason) {
    case SSL_R_UNSUPPORTED_PROTOCOL:
    case SSL_R_WRONG_SSL_VERSION:
    case SSL_R_VERSION_TOO_LOW:
    case SSL_R_UNKNOWN_PROTOCOL:
    case SSL_R_NO_PROTOCOLS_AVAILABLE:
    case SSL_R_INAPPROPRIATE_FALLBACK:
        return TLS_FAULT_VERSION;
    case SSL_R_NO_SHARED_CIPHER:
    case SSL_R_NO_SHARED_GROUPS:
    case SSL_R_NO_SUITABLE_GROUPS:
    case SSL_R_NO_SUITABLE_KEY_SHARE:
    case SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM:
    case SSL_R_NO_SHARED_SIGNATURE_ALGORITHMS:
        return TLS_FAULT_CIPHER;
    case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE:
        return TLS_FAULT_NO_CERTIFICATE;
    case SSL_R_CERTIFICATE_VERIFY_FAILED:
        return fault_of_certificate(c->cert_error);
    default:
        return TLS_FAULT_PROTOCOL;
    }
}

static const char *advice(enum tls_fault fault)
{
    switch (fault) {
    case TLS_FAULT_NOT_TLS:
        return "it may want the plain port";
    case TLS_FAULT_VERSION:
        return "TLSv1.2 or TLSv1.3 is needed; see enabledProtocols on both sides";
    case TLS_FAULT_CIPHER:
        return "see ciphersuites on both sides";
    case TLS_FAULT_NO_CERTIFICATE:
        return "give the peer a key store, or set clientAuth";
    case TLS_FAULT_UNTRUSTED:
        return "put the authority that signed it into the trust store";
    case TLS_FAULT_EXPIRED:
        return "renew the certificate, or set the clock right";
    case TLS_FAULT_REVOKED:
        return "renew the revocation lists in the trust store, or the certificate";
    case TLS_FAULT_NAME:
        return "the certificate must hold the peer's name or address as a subjectAltName";
    case TLS_FAULT_ALERT:
        return "the peer gave up; its log says why";
    default:
        return "";
    }
}

static void set_failed(struct tls_conn *c, enum tls_fault fault, const char *what, const char *about)
{
    char text[512];
    const char *next = advice(fault);
    int n = snprintf(text, sizeof text, "%s%s%s%s%s", what, about[0] == '\0' ? "" : ": ", about,
                     next[0] == '\0' ? "" : "; ", next);
    c->state = TLS_FAILED;
    c->fault = fault;
    if (c->why != NULL || n < 0)
        return;
    c->why = copy_text(text);
}

/* After the library has refused to go on. */
static int fail(struct tls_conn *c, const struct buf *plain)
{
    unsigned long code = ERR_peek_error();
    if ((c->out != NULL && c->out->err != 0) || (plain != NULL && plain->err != 0)) {
        set_failed(c, TLS_FAULT_MEMORY, "no memory for the connection", "");
    } else {
        enum tls_fault fault = fault_of_reason(c, code);
        const char *reason = code == 0 ? NULL : ERR_reason_error_string(code);
        bool about_cert = ERR_GET_REASON(code) == SSL_R_CERTIFICATE_VERIFY_FAILED && c->cert_error != X509_V_OK;
        if (about_cert)
            set_failed(c, fault, X509_verify_cert_error_string(c->cert_error), c->cert_subject);
        else
            set_failed(c, fault, reason == NULL ? "broken bytes" : reason, "");
    }
    ERR_clear_error();
    return ERR_INVALID;
}

/* ---- the filter ---- */

static void lend(struct tls_conn *c, struct slice in, struct buf *out)
{
    ERR_clear_error();
    c->in = in;
    c->out = out;
}

static int end_loan(struct tls_conn *c, int rc)
{
    c->in = (struct slice){ 0 };
    c->out = NULL;
    return rc;
}

/* What was not read yet is kept. */
static int keep(struct tls_conn *c, struct slice in)
{
    buf_append_slice(&c->kept, in);
    if (c->kept.err == 0)
        return 0;
    set_failed(c, TLS_FAULT_MEMORY, "too much was sent before the peer's name is known", "");
    return ERR_INVALID;
}

static int establish(struct tls_conn *c)
{
    c->state = TLS_ESTABLISHED;
    take_subject(c);
    return c->subject.err == 0 ? 0 : fail(c, &c->subject);
}

static int handshake(struct tls_conn *c)
{
    int rc = SSL_do_handshake(c->ssl);
    if (rc == 1)
        return c->name_wanted ? keep(c, c->in) : establish(c);
    return SSL_get_error(c->ssl, rc) == SSL_ERROR_WANT_READ && c->out->err == 0 ? 0 : fail(c, NULL);
}

static int take_plain(struct tls_conn *c, struct buf *plain)
{
    for (;;) {
        size_t got;
        if (plain->cap - plain->n < TLS_RECORD_BYTES && buf_grow(plain, TLS_RECORD_BYTES) != 0)
            return fail(c, plain);
        int rc = SSL_read_ex(c->ssl, plain->p + plain->n, plain->cap - plain->n, &got);
        if (rc == 1) {
            plain->n += got;
            continue;
        }
        switch (SSL_get_error(c->ssl, rc)) {
        case SSL_ERROR_WANT_READ:
            return c->out->err == 0 ? 0 : fail(c, NULL);
        case SSL_ERROR_ZERO_RETURN:
            c->state = TLS_CLOSED;
            return ERR_CLOSED;
        default:
            return fail(c, NULL);
        }
    }
}

/* The library would wait for more bytes, and then call it a wrong version. */
static bool begins_well(struct tls_conn *c, struct slice in)
{
    for (; c->first_n < sizeof c->first && in.n != 0; in = slice_of(in.p + 1, in.n - 1))
        c->first[c->first_n++] = in.p[0];
    return c->role == TLS_CLIENT || tls_looks_like_client_hello(slice_of(c->first, c->first_n)) != TLS_HELLO_NO;
}

int tls_begin(struct tls_conn *c, struct buf *out)
{
    if (c->state != TLS_HANDSHAKE)
        return c->state == TLS_FAILED ? ERR_INVALID : 0;
    lend(c, (struct slice){ 0 }, out);
    return end_loan(c, handshake(c));
}

bool tls_wants_name(const struct tls_conn *c)
{
    return c->name_wanted && c->state == TLS_HANDSHAKE && SSL_is_init_finished(c->ssl) == 1;
}

int tls_tell_name(struct tls_conn *c, const char *name, const char *why, struct buf *plain, struct buf *out)
{
    ASSERT(tls_wants_name(c));
    c->name_wanted = false;
    if (name == NULL || !holds_name(SSL_get0_peer_certificate(c->ssl), name)) {
        char what[400];
        snprintf(what, sizeof what, "%s, and the address has %s %s",
                 X509_verify_cert_error_string(X509_V_ERR_HOSTNAME_MISMATCH), name == NULL ? "no name:" : "the name",
                 name == NULL ? why : name);
        set_failed(c, TLS_FAULT_NAME, what, c->cert_subject);
        return ERR_INVALID;
    }
    lend(c, buf_slice(&c->kept), out);
    int rc = establish(c);
    if (rc == 0)
        rc = take_plain(c, plain);
    buf_fini(&c->kept);
    return end_loan(c, rc);
}

int tls_feed(struct tls_conn *c, struct slice in, struct buf *plain, struct buf *out)
{
    if (c->state == TLS_FAILED || c->state == TLS_CLOSED)
        return c->state == TLS_FAILED ? ERR_INVALID : ERR_CLOSED;
    if (tls_wants_name(c))
        return keep(c, in);
    if (c->first_n < sizeof c->first && !begins_well(c, in)) {
        set_failed(c, TLS_FAULT_NOT_TLS, "the first bytes are no TLS", "");
        return ERR_INVALID;
    }
    lend(c, in, out);
    int rc = c->state == TLS_HANDSHAKE ? handshake(c) : 0;
    if (rc == 0 && c->state == TLS_ESTABLISHED)
        rc = take_plain(c, plain);
    return end_loan(c, rc);
}

int tls_feed_end(struct tls_conn *c)
{
    if (c->state == TLS_CLOSED)
        return 0;
    if (c->state != TLS_FAILED)
        set_failed(c, TLS_FAULT_TRUNCATED,
                   c->state == TLS_HANDSHAKE ? "the peer closed within the handshake"
                                             : "the peer closed without saying so",
                   "");
    return ERR_TRUNCATED;
}

static int write_record(struct tls_conn *c, const void *p, size_t n)
{
    size_t done;
    if (n == 0)
        return 0;
    return SSL_write_ex(c->ssl, p, n, &done) == 1 && c->out->err == 0 ? 0 : fail(c, NULL);
}

/* Replies are mostly short: those of one call share records, whose cost is then spread. */
static int write_parts(struct tls_conn *c, const struct slice *parts, size_t count)
{
    uint8_t gathered[TLS_RECORD_BYTES];
    size_t n = 0;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < count; i++) {
        struct slice part = parts[i];
        while (rc == 0 && part.n != 0) {
            if (n == 0 && part.n >= sizeof gathered) {
                rc = write_record(c, part.p, part.n);
                break;
            }
            size_t take = part.n < sizeof gathered - n ? part.n : sizeof gathered - n;
            memcpy(gathered + n, part.p, take);
            n += take;
            part.p += take;
            part.n -= take;
            if (n == sizeof gathered) {
                rc = write_record(c, gathered, n);
                n = 0;
            }
        }
    }
    return rc == 0 ? write_record(c, gathered, n) : rc;
}

int tls_send(struct tls_conn *c, const struct slice *parts, size_t count, struct buf *out)
{
    if (c->state == TLS_HANDSHAKE)
        return ERR_BUSY;
    if (c->state == TLS_FAILED || c->ended)
        return ERR_INVALID;
    lend(c, (struct slice){ 0 }, out);
    return end_loan(c, write_parts(c, parts, count));
}

void tls_end(struct tls_conn *c, struct buf *out)
{
    if (c->ended || (c->state != TLS_ESTABLISHED && c->state != TLS_CLOSED))
        return;
    c->ended = true;
    lend(c, (struct slice){ 0 }, out);
    (void)SSL_shutdown(c->ssl);
    ERR_clear_error();
    (void)end_loan(c, 0);
}

/* ---- questions ---- */

enum tls_state tls_state(const struct tls_conn *c)
{
    return c->state;
}

enum tls_fault tls_fault(const struct tls_conn *c)
{
    return c->fault;
}

void tls_describe(const struct tls_conn *c, char *text, size_t size)
{
    if (c->state == TLS_HANDSHAKE)
        snprintf(text, size, "handshake");
    else if (c->state == TLS_FAILED)
        snprintf(text, size, "%s", c->why == NULL ? "failed" : c->why);
    else
        snprintf(text, size, "%s %s", SSL_get_version(c->ssl), SSL_get_cipher_name(c->ssl));
}

enum tls_hello tls_looks_like_client_hello(struct slice first)
{
    static const uint8_t begin[] = { 0x16, 0x03 };
    size_t n = first.n < sizeof begin ? first.n : sizeof begin;
    if (n != 0 && memcmp(first.p, begin, n) != 0)
        return TLS_HELLO_NO;
    return n == sizeof begin ? TLS_HELLO_YES : TLS_HELLO_MORE;
}

enum tls_hello tls_sniff(struct tls_sniff *s, struct slice in)
{
    uint8_t begins[2];
    size_t n = 0;
    if (s->n != 0)
        begins[n++] = s->first;
    for (size_t i = 0; n < sizeof begins && i < in.n; i++)
        begins[n++] = in.p[i];
    enum tls_hello hello = tls_looks_like_client_hello(slice_of(begins, n));
    if (hello == TLS_HELLO_MORE && n != 0) {
        s->n = 1;
        s->first = begins[0];
    }
    return hello;
}
