/* secure: TLS of a handle. The code of TLS is not in this library: a program that never asks for it should not load
 * OpenSSL. It is in libzokor_tls.so beside this library, which is opened when the first handle wants it; a program that
 * has that code anyway (zokor itself) is asked first. */
#ifndef ZOKOR_CLIENT_SECURE_H
#define ZOKOR_CLIENT_SECURE_H

#include "client/names.h"
#include "os/tls.h"

#define SECURE_LIBRARY_VERSION 1u /* grows when the table or a type in it changes */
#define SECURE_RAW_BYTES (TLS_RECORD_BYTES + TLS_RECORD_OVERHEAD_BYTES)

/* os/tls.h as a table. */
struct secure_library {
    unsigned version;
    int (*context_new)(const struct tls_options *options, struct tls_context **out, struct tls_error *err);
    void (*context_free)(struct tls_context *t);
    int (*context_reload)(struct tls_context *t, struct tls_error *err);
    struct tls_conn *(*conn_new)(struct tls_context *t, const struct tls_peer *peer);
    void (*conn_free)(struct tls_conn *c);
    int (*begin)(struct tls_conn *c, struct buf *out);
    int (*feed)(struct tls_conn *c, struct slice in, struct buf *plain, struct buf *out);
    int (*send)(struct tls_conn *c, const struct slice *parts, size_t count, struct buf *out);
    void (*end)(struct tls_conn *c, struct buf *out);
    enum tls_state (*state)(const struct tls_conn *c);
    void (*describe)(const struct tls_conn *c, char *text, size_t size);
};

/* What the companion exports, and what a program may have linked. */
const struct secure_library *zokor_tls_library(void);

/* Of one handle. The io thread's, except where it says otherwise. */
struct secure {
    const struct secure_library *lib;
    struct tls_context *context;
    bool verify_name;
    struct tls_conn *conn;   /* send_lock */
    bool shaking;            /* send_lock to change it: bytes of the protocol have to wait */
    struct buf clear, plain; /* clear: send_lock */
};

/* NULL: err says why, and errno is EINVAL (options or files) or ENOSYS (no libzokor_tls.so). */
struct secure *secure_new(const struct tls_options *options, struct tls_error *err);
void secure_free(struct secure *s);

/* Under send_lock. A connection to a is there, which has these names: its first words go to out. 0, or an error with
 * text filled. */
int secure_begin(struct secure *s, const struct client_addr *a, struct host_names *names, struct buf *out, char *text,
                 size_t size);
/* Under send_lock. Ends and forgets the connection; what is still to be said goes to out, unless it is NULL. */
void secure_end(struct secure *s, struct buf *out);
/* Under send_lock. Takes bytes from the socket; s->plain holds what was meant, out what is to be sent also after a
 * failure. 0, ERR_CLOSED, or ERR_INVALID with text filled. *established: the handshake is over just now. */
int secure_feed(struct secure *s, struct slice in, struct buf *out, bool *established, char *text, size_t size);
/* Under send_lock. Seals s->clear, and empties it. 0 or an error. */
int secure_seal(struct secure *s, struct buf *out);

#endif
