/* core: a client's side of one session as a state machine. It knows no socket, thread or clock: a shell (threads of its
 * own, a program's event loop, the simulator) tells what happened and what time it is, asks what is needed, moves
 * bytes, and delivers what was answered.
 *
 * The shell's turn:
 *     while ((need = client_need(c, now)) != CLIENT_NEED_NOTHING) do it;
 *     client_take_output -> socket; client_room <- socket, client_received; client_take_done -> callbacks
 * and it sleeps until client_wake_ms, until bytes can move, or until another call made output.
 *
 * Threads: none of this is locked. A shell with several threads calls everything under one lock, except client_room,
 * which belongs, as client_need and client_received do, to the one thread that reads the socket.
 *
 * Every request that client_commit accepted ends in exactly one record of client_take_done, in the order of the
 * requests unless its deadline passed. Pending requests end with the reason when the connection is lost. */
#ifndef ZOKOR_CLIENT_CORE_H
#define ZOKOR_CLIENT_CORE_H

#include "base/blob.h"
#include "base/buf.h"
#include "client/hosts.h"
#include "client/login_state.h"
#include "client/watches.h"
#include "wire/proto.h"

/* Numbers of the C interface. */
enum client_state {
    CLIENT_STATE_CLOSED = 0,
    CLIENT_STATE_CONNECTING = 1,
    CLIENT_STATE_ASSOCIATING = 2,
    CLIENT_STATE_CONNECTED = 3,
    CLIENT_STATE_READ_ONLY = 5,
    CLIENT_STATE_NOT_CONNECTED = 999,
    CLIENT_STATE_EXPIRED = -112,
    CLIENT_STATE_AUTH_FAILED = -113,
};

/* Errors that only clients make, beside those of base/err.h. */
enum { CLIENT_ERR_INVALID_STATE = -9, CLIENT_ERR_CLOSING = -116 };

#define CLIENT_EVENT_SESSION (-1)

enum client_need {
    CLIENT_NEED_NOTHING,
    CLIENT_NEED_RESOLVE,    /* look the names up; answer with client_resolved */
    CLIENT_NEED_CONNECT,    /* connect to client_target; answer with client_opened or client_lost */
    CLIENT_NEED_DISCONNECT, /* close the socket; no answer */
    CLIENT_NEED_LOGIN,      /* take the next step of a login by SASL; answer with client_login_answer */
    CLIENT_NEED_PROBE,      /* ask client_probe_target "isro"; answer with client_probed */
    CLIENT_NEED_END,        /* the session is over and nothing will happen any more */
};

struct client_config {
    int32_t timeout_ms; /* wanted */
    bool read_only_ok;
    bool ordered_hosts;
    bool logs_in;       /* by SASL, on every connection before anything else of the session is sent */
    int64_t session_id; /* 0: a new session */
    uint8_t passwd[WIRE_PASSWD_BYTES];
    struct slice chroot; /* null: none; copied */
    uint64_t seed;
    size_t rearm_bytes;            /* of paths in one setWatches; 0: 128 KiB, the batches of Apache's Java client */
    struct client_watcher watcher; /* hears session events; may be nobody */
};

/* What a caller gets back with the answer. The core reads none of it; fn and extra both NULL: nobody waits. */
struct client_call {
    void (*fn)(void);
    const void *data;
    void *extra;
    uint32_t tag;
};

/* Something to deliver: the answer to a request, or an event with its watchers. */
struct client_done {
    bool is_event;
    int32_t rc;
    int64_t zxid;       /* of the header; -1 if the server names none */
    struct blob *bytes; /* one reference, which keeps `body` alive; NULL if there is no body */
    uint8_t *body;      /* what follows the reply header; of an event the path below the chroot. May be written to. */
    size_t body_n;
    struct client_call call;
    struct client_watchers *watchers; /* of an event; mem_free */
    int32_t type, state;              /* of an event */
};

struct client_dones {
    struct client_done *p;
    size_t n, cap;
};

struct client_core;

struct client_core *client_new(const struct client_config *config, int64_t now_ms);
/* What is still pending is forgotten without a record; call client_close first and deliver. */
void client_free(struct client_core *c);
/* Frees what a record owns. */
void client_done_fini(struct client_done *d);

enum client_need client_need(struct client_core *c, int64_t now_ms) WARN_UNUSED;
/* When client_need wants to be called again; INT64_MAX: only when something happens. */
int64_t client_wake_ms(const struct client_core *c);
const struct client_addr *client_target(const struct client_core *c);
/* Whom the connection leads to, also after client_cycle_server. */
struct client_addr client_linked(const struct client_core *c);
const struct client_addr *client_probe_target(const struct client_core *c);

void client_resolved(struct client_core *c, const struct client_addr *addrs, size_t n, int64_t now_ms);
void client_opened(struct client_core *c, int64_t now_ms);
/* The connection failed or ended; rc is what pending requests end with. */
void client_lost(struct client_core *c, int32_t rc, int64_t now_ms);
void client_probed(struct client_core *c, bool writable, int64_t now_ms);

/* Logins: the core carries the tokens, and what they mean is the shell's business. client_login_token: true if this is
 * the first step on a connection; otherwise *token is what the server sent, which may be null, until the answer.
 * With LOGIN_FAILED the handle ends with CLIENT_STATE_AUTH_FAILED. */
bool client_login_token(const struct client_core *c, struct slice *token);
void client_login_answer(struct client_core *c, enum login_state how, struct slice token, int64_t now_ms);

/* Room for bytes from the socket, at least one. */
void client_room(struct client_core *c, uint8_t **p, size_t *n);
/* n bytes were put there. */
void client_received(struct client_core *c, size_t n, int64_t now_ms);
/* Exchanges the bytes to send for *b, which must be empty. True if there are any. */
bool client_take_output(struct client_core *c, struct buf *b, int64_t now_ms);
bool client_has_output(const struct client_core *c);
/* Exchanges the records to deliver for *d, which must be empty. True if there are any. */
bool client_take_done(struct client_core *c, struct client_dones *d);
bool client_has_done(const struct client_core *c);
/* Answers a call without asking a server. */
void client_tell(struct client_core *c, const struct client_call *call, int32_t rc);

/* A request: begin, append its record to *b, commit. begin gives 0, or the error to hand to the caller. commit gives 0,
 * or ERR_MARSHALLING if the record did not fit; then nothing is sent. deadline_ms: 0 for none. `watch`: a watcher to
 * keep if the answer allows it; its path is the one on the wire. */
struct client_watch_wish {
    enum client_watch_kind kind;
    struct slice path; /* copied */
    struct client_watcher watcher;
};
int client_begin(struct client_core *c, int32_t op, struct buf **b) WARN_UNUSED;
int client_commit(struct client_core *c, const struct client_call *call, int64_t deadline_ms,
                  const struct client_watch_wish *watch) WARN_UNUSED;
/* Takes back what begin and the record appended. */
void client_abandon(struct client_core *c);
/* Watchers to forget when the request just committed is answered with 0 (path is copied). */
void client_forget_after(struct client_core *c, struct slice path, unsigned kinds,
                         const struct client_watcher *watcher);

/* True if other watchers than this one (NULL: none) are kept for the path under these kinds, or will be with the answer
 * to a request: then the server must not be told to remove the watch. */
bool client_watch_shared(const struct client_core *c, struct slice path, unsigned kinds,
                         const struct client_watcher *watcher);
/* Forgets this watcher (NULL: all) at once, also where a request still waits for the answer that would keep it. */
void client_forget_now(struct client_core *c, struct slice path, unsigned kinds, const struct client_watcher *watcher);

/* Proves an id now and on every later connection. 0, or the error; call is answered once. */
int client_add_auth(struct client_core *c, struct slice scheme, struct slice cert, const struct client_call *call);

/* Ends the session. Requests made before are answered if the server does so by deadline_ms; the others end with
 * CLIENT_ERR_CLOSING. */
void client_close(struct client_core *c, int64_t deadline_ms);
/* Ends the handle here and leaves the session to the server. Pending requests end with CLIENT_ERR_CLOSING. */
void client_abort(struct client_core *c);

/* A new list of servers from the program: the connection may be given up to spread clients. */
void client_set_servers(struct client_core *c, const struct client_addr *addrs, size_t n, int64_t now_ms);
void client_cycle_server(struct client_core *c);
/* delay_ms: see zoo_set_servers_resolution_delay. */
void client_set_resolve_delay(struct client_core *c, int64_t delay_ms);

enum client_state client_state_of(const struct client_core *c);
int32_t client_timeout_ms(const struct client_core *c); /* negotiated, or the wanted one */
int64_t client_session_id(const struct client_core *c);
const uint8_t *client_passwd(const struct client_core *c);
int64_t client_last_zxid(const struct client_core *c);
struct slice client_chroot(const struct client_core *c); /* null if none */
struct client_watches *client_watch_tables(struct client_core *c);
void client_set_watcher(struct client_core *c, struct client_watcher watcher);
size_t client_pending_count(const struct client_core *c);
/* The number of the next request, for tests of what happens when numbers run out. */
void client_set_next_xid(struct client_core *c, int32_t xid);

#endif
