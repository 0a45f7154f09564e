/* conn: one session with a server over a socket that never blocks, many requests in flight. The protocol is spoken here
 * rather than by the client library, so that a request costs the load generator as little as can be.
 *
 * Everything happens in the thread that calls; what comes of it is told through the hooks, from inside
 * bench_conn_events and bench_conn_open only. After `broken` the owner opens the connection again when it likes: the
 * session is taken along if it is still alive. */
#ifndef ZOKOR_BENCH_CONN_H
#define ZOKOR_BENCH_CONN_H

#include "base/buf.h"
#include "client/hosts.h"
#include "client/login.h"
#include "os/tls.h"
#include "wire/jute.h"
#include "wire/proto.h"

/* A request in flight. `number` and `kind` are the owner's. */
struct bench_op {
    uint64_t sent_ns, number;
    int32_t xid;
    uint8_t kind;
};

enum bench_link {
    BENCH_LINK_NONE,
    BENCH_LINK_OPENING,
    BENCH_LINK_SECURING,  /* TLS greets */
    BENCH_LINK_HANDSHAKE, /* a session is asked for */
    BENCH_LINK_LOGIN,     /* SASL */
    BENCH_LINK_READY,
};

/* What all connections share; nothing of it changes. */
struct bench_access {
    const char *auth;        /* NULL or "scheme:text" */
    struct tls_context *tls; /* NULL: none */
    struct login *login;     /* NULL: none */
};

struct bench_conn;
struct bench_hooks {
    void *ctx;
    void (*ready)(void *ctx, struct bench_conn *c);
    void (*reply)(void *ctx, struct bench_conn *c, const struct bench_op *op, int err, struct slice body);
    void (*event)(void *ctx, struct bench_conn *c, int32_t type);
    /* A request that was in flight when the connection broke: nobody knows whether it was carried out. */
    void (*lost)(void *ctx, struct bench_conn *c, const struct bench_op *op);
    void (*broken)(void *ctx, struct bench_conn *c, const char *why);
};

struct bench_conn {
    uint32_t index;
    int fd, epoll;
    enum bench_link link, broke_from; /* broke_from: what it was when it broke last */
    bool wants_out;                   /* epoll was told to say when the socket takes bytes */
    bool dirty;                       /* the owner's: in its list of connections with something to send */
    bool armed;                       /* the owner's, for watches */
    const struct bench_hooks *hooks;
    struct tls_conn *tls;
    struct login_exchange *exchange;
    int32_t login_xid;
    bool refused; /* it broke because nobody believes who we are, which the next attempt will not change */
    const char *name, *address; /* of the server it is opened to */
    struct buf out, sealed;     /* with TLS bytes go from one to the other; out_at is of the last one */
    size_t out_at;
    uint8_t *in;
    size_t in_n, in_cap;
    struct bench_op *ring;
    uint32_t ring_cap, ring_head, in_flight;
    int32_t next_xid;
    int64_t session, zxid;
    uint8_t passwd[WIRE_PASSWD_BYTES];
    uint32_t timeout_ms; /* wanted, then what the server gave */
    const struct bench_access *access;
    uint64_t opened_ns, heard_ns, spoke_ns, retry_ns;
    uint32_t failures; /* since it was ready last */
    size_t server;     /* which of the servers is next */
    uint64_t sequence; /* the owner's: nodes created in this connection's folder */
    uint64_t swept;    /* the owner's: those before this one are deleted, or in its list */
};

void bench_conn_init(struct bench_conn *c, uint32_t index, int epoll, const struct bench_hooks *hooks,
                     uint32_t timeout_ms, const struct bench_access *access);
/* Closes the socket; requests in flight are forgotten without a word. */
void bench_conn_fini(struct bench_conn *c);
/* name: what the user calls the server's host, address: the text of its address. Both are kept. */
struct bench_server {
    struct client_addr addr;
    char name[256], address[64];
};
void bench_conn_open(struct bench_conn *c, const struct bench_server *to, uint64_t now_ns);
/* What epoll said about it. */
void bench_conn_events(struct bench_conn *c, uint32_t events, uint64_t now_ns);
/* Sends what is in `out`, as far as the socket takes it. */
void bench_conn_flush(struct bench_conn *c, uint64_t now_ns);
/* Gives the connection up: `lost` for what is in flight, then `broken`. */
void bench_conn_break(struct bench_conn *c, const char *why);
/* Books a request; the caller appends a frame with this xid to `out`. */
int32_t bench_conn_book(struct bench_conn *c, uint8_t kind, uint64_t number, uint64_t sent_ns);
/* Books and appends a ping, which all have the same xid. */
void bench_conn_ping(struct bench_conn *c, uint8_t kind, uint64_t sent_ns);

#endif
