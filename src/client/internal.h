/* What the files of the client core share. */
#ifndef ZOKOR_CLIENT_INTERNAL_H
#define ZOKOR_CLIENT_INTERNAL_H

#include "base/err.h"
#include "base/mem.h"
#include "base/museum.h"
#include "client/core.h"
#include "wire/records.h"

#define CLIENT_IN_BYTES 65536 /* first size of a receive buffer; longer frames get one of their own */
#define CLIENT_IN_ROOM_MIN 4096
#define CLIENT_IN_GROW_MAX (4u << 20) /* a frame up to this gets its buffer at once; above, as its bytes come */
#define CLIENT_FRAME_BYTES_MAX (1u << 30)
#define CLIENT_OUT_BYTES_MAX (1u << 30)
#define CLIENT_REARM_BYTES (128 * 1024)
#define CLIENT_RETRY_MS_MIN 20
#define CLIENT_RETRY_MS_MAX 1000
#define CLIENT_PAUSE_MS 75   /* before the only server is asked again */
#define CLIENT_BRIEF_MS 1000 /* a connection that broke sooner is no success */
#define CLIENT_PROBE_MS_MIN 100
#define CLIENT_PROBE_MS_MAX 60000
#define CLIENT_CONNECT_MS_MIN 250

struct client_forget {
    unsigned kinds;
    bool has_watcher;
    struct client_watcher watcher;
};

/* A watch to keep, or watchers to forget, once the request is answered. */
struct client_on_answer {
    bool forgets;
    enum client_watch_kind kind;
    struct client_watcher watcher;
    struct client_forget forget;
    size_t n;
    uint8_t path[];
};

struct client_pending {
    struct client_call call;
    struct client_on_answer *on_answer; /* owned; NULL mostly */
    int64_t deadline_ms;                /* 0: none */
    int32_t xid, op;
    bool answered; /* its deadline passed: the caller has been told, the reply is dropped */
};

struct client_auth {
    struct slice scheme, cert; /* owned bytes */
    struct client_call call;
    bool told;
};

/* Of a connection that has a session and no identity yet. */
enum client_login {
    CLIENT_LOGIN_NONE,
    CLIENT_LOGIN_STEP,  /* the shell is to be asked */
    CLIENT_LOGIN_ASKED, /* it was */
    CLIENT_LOGIN_REPLY, /* a token of the server is awaited */
    CLIENT_LOGIN_LAST,  /* its consent is awaited */
};

enum client_link { CLIENT_LINK_NONE, CLIENT_LINK_OPENING, CLIENT_LINK_OPEN };

struct client_core {
    struct client_config config;
    enum client_state state;
    enum client_link link;
    bool drop;      /* the shell must close the socket before anything else */
    bool resolving; /* an answer to CLIENT_NEED_RESOLVE is awaited */
    bool resolved;  /* names were looked up at least once */
    bool closing;   /* closeSession was sent */
    bool seen_writable;
    bool is_read_only; /* the server of this connection */
    int32_t timeout_ms;
    int64_t session_id;
    uint8_t passwd[WIRE_PASSWD_BYTES];
    int64_t last_zxid; /* the newest in any frame: a server that is behind it would show the past */
    /* The newest in an answer: no event up to it is missing. That of an event says less: others of its transaction may
     * still be on the way when the connection breaks, and setWatches must ask for them. */
    int64_t settled_zxid;
    int32_t next_xid;
    struct rng rng;

    struct client_hosts hosts;
    struct client_addr linked; /* whom the link leads to */
    int64_t resolve_delay_ms, resolved_at_ms;
    int64_t retry_at_ms, retry_ms, connect_by_ms, close_by_ms;
    int64_t received_at_ms, sent_at_ms, up_at_ms;
    struct client_addr probe;
    bool probing;
    int64_t probe_at_ms, probe_ms;
    size_t probe_next;

    struct buf out;    /* to send on this connection */
    struct buf queue;  /* requests made while there is no session */
    struct buf *into;  /* where the request being made is */
    size_t into_start; /* its first byte */
    int32_t into_op;

    struct client_pending *ring; /* oldest at head */
    size_t ring_cap, ring_head, ring_n;
    int64_t deadline_next; /* no pending deadline is earlier; INT64_MAX: there is none */

    struct blob *in;
    size_t in_at, in_n;

    struct client_auth *auths;
    size_t auth_n, auth_cap, auth_answered;

    enum client_login login;
    bool login_begins;
    int32_t login_xid;
    struct slice login_token; /* in login_bytes */
    struct blob *login_bytes; /* one reference, until the shell has answered */

    struct client_watches watches;
    struct client_dones done;
    size_t ping_n; /* pings sent without an answer */
};

static inline bool client_is_up(const struct client_core *c)
{
    return c->link == CLIENT_LINK_OPEN && !c->drop &&
           (c->state == CLIENT_STATE_CONNECTED || c->state == CLIENT_STATE_READ_ONLY);
}

static inline bool client_is_over(const struct client_core *c)
{
    return c->state == CLIENT_STATE_EXPIRED || c->state == CLIENT_STATE_AUTH_FAILED || c->state == CLIENT_STATE_CLOSED;
}

/* core.c */
struct client_pending *client_pending_first(struct client_core *c);
void client_pending_pop(struct client_core *c);
void client_fail_all(struct client_core *c, int32_t rc);
struct client_done *client_push_done(struct client_core *c);
int32_t client_take_xid(struct client_core *c);
void client_push_session_event(struct client_core *c, int32_t state);

/* session.c */
void client_drop_link(struct client_core *c, int32_t rc, int64_t now_ms);
void client_end(struct client_core *c, enum client_state state, int32_t rc);
void client_write_auth(struct client_core *c, const struct client_auth *a);
void client_on_connect_response(struct client_core *c, struct slice frame, int64_t now_ms);
void client_on_login_reply(struct client_core *c, struct slice frame, int64_t now_ms);

/* receive.c */
void client_input_reset(struct client_core *c);

#endif
