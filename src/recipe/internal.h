/* recipe/internal.h: what the files of the framework share, and what the recipes need of it beyond its public header.
 *
 * Threads. The callback thread of a handle runs answers and events; it runs our code only, which never blocks. The
 * worker sleeps until something is due: retries, the end of a silent session, handles to be closed. The event thread
 * runs the program's functions. `client.lock` guards everything here that is not said to be otherwise; no function of
 * others, and no request, is called while it is held. */
#ifndef ZOKOR_RECIPE_INTERNAL_H
#define ZOKOR_RECIPE_INTERNAL_H

#include "base/list.h"
#include "base/mem.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <zokor/framework.h>

struct client;
struct session;

/* A view of a client: with a namespace, or without. */
struct zokor_framework {
    struct client *client;
    struct list link;     /* in client.views */
    char *name_space;     /* "/name", or "" */
    atomic_bool has_root; /* the namespace's node has been made */
};

/* A handle and what belongs to it. Freed when it is replaced and nobody holds it. */
struct session {
    struct client *client;
    zhandle_t *zh;
    struct list link;    /* in client.ended when it has been replaced */
    struct list watches; /* struct watch, all that have not fired */
    int holders;
    int64_t number; /* 1, 2, 3 in a client */
    int64_t id;     /* the server's; 0: not yet */
};

/* A function of the program's that waits for the event thread. */
struct event {
    struct list link;
    void (*run)(struct event *e); /* frees it */
};

struct listener {
    struct list link;
    struct zokor_framework *view;
    zokor_state_fn fn;
    void *context;
    bool direct; /* called at once, by the thread that learns of the change; must not block */
    bool removed, awaited;
    int64_t since; /* hears of states after this one */
    int calls;     /* under way */
    pthread_t caller;
};

/* Something of the worker's that is due at a time; in client.timers while it waits. */
struct timer {
    struct list link;
    int64_t due_ms;
    void (*run)(struct timer *t); /* on the worker, without the lock; also when the client closes */
};

struct client {
    struct zokor_framework root;
    struct list views;
    pthread_mutex_t lock;
    pthread_cond_t worker_wake, event_wake, changed;
    pthread_t worker, events;

    char *hosts;
    int64_t config_version; /* that hosts are from; 0: the program's */
    int session_timeout_ms, request_timeout_ms;
    struct zokor_retry retry;
    enum zokor_error_policy error_policy;
    bool can_be_read_only, plain_parents, compress;
    struct ACL_vector acl;
    struct auth *auths;
    int auth_count;

    struct session *session;
    struct list ended;
    enum zokor_connection_state state;
    int64_t state_number; /* how many changes there were */
    int64_t suspended_at_ms, reopen_at_ms;
    zokor_make_handle_fn make_handle;
    void *make_context;
    int64_t last_session_id, session_count;
    bool was_connected, is_open /* a connection is there now */;
    struct list states; /* struct state_note: changes to be told to direct listeners */
    bool telling;
    struct list listeners;
    struct list timers;
    struct list queue;      /* struct event */
    struct list operations; /* struct op, all that are not done */
    struct list held;       /* queue_hold.c: items that queues of this client hold */
    int waiting;            /* calls in the foreground */
    int working;            /* timers and events being run */
    bool closing, worker_end, events_end;
};

struct auth {
    char *scheme;
    char *auth;
    int auth_len;
};

int64_t recipe_now_ms(void);
uint64_t recipe_random(void);
void recipe_randoms(uint64_t *r, size_t n);
/* What snprintf would write, allocated. */
char *recipe_text(const char *format, ...) PRINTF_LIKE(1, 2);
char *recipe_copy(const char *s); /* NULL stays NULL */
void recipe_copy_acl(const struct ACL_vector *from, struct ACL_vector *to);
void recipe_cond_init(pthread_cond_t *c); /* on the monotonic clock */
/* Waits until `due_ms` of recipe_now_ms at most (-1: for ever). False: it has passed. */
bool recipe_cond_wait(pthread_cond_t *c, pthread_mutex_t *lock, int64_t due_ms);

/* A path of the program as the server has it, and the other way round (no copy: a part of path). */
char *view_path(const struct zokor_framework *f, const char *path);
const char *view_strip(const struct zokor_framework *f, const char *path);

/* client.c */
void client_post(struct client *c, struct event *e);
void client_arm(struct client *c, struct timer *t, int delay_ms);
/* Takes a timer out before it runs; false: it runs, has run, or was never armed. */
bool client_disarm(struct client *c, struct timer *t);
/* Around what waits: the end of the client waits for it. False: it is ending. */
bool client_enter(struct client *c);
void client_leave(struct client *c);
void hold_forget_all(struct client *c); /* queue_hold.c: at the client's end */
bool client_on_event_thread(const struct client *c);
/* session.c */
bool session_open(struct client *c);            /* not under the lock; false and errno */
struct session *session_hold(struct client *c); /* the present one, NULL while closing */
void session_release(struct session *s);
/* zokor_await_soon for the present session, NULL: not now. session_await must follow. */
struct session *session_await_soon(struct client *c);
/* Waits until is_over says 1, in zokor_await of the session's handle (NULL: of the present one); *zh is that meanwhile,
 * to be nudged under `lock`, which guards it. False: is_over has not said so; wait in another way. */
bool session_await(struct client *c, struct session *s, zhandle_t **zh, pthread_mutex_t *lock,
                   int (*is_over)(void *context), void *context, int64_t due_ms);
void session_give_up(struct client *c); /* lock held: the session is over, a new one begins */
void session_free(struct session *s);   /* not under the lock */
/* Ends a session that was silent for its whole time; when to look again, or -1. If there is no session then: when to
 * open one. Lock held. */
int64_t session_check(struct client *c, int64_t now_ms);
void state_move(struct client *c, enum zokor_connection_state state); /* lock held */
void state_tell(struct client *c);                                    /* without the lock, after state_move */
struct listener *listener_add(struct zokor_framework *f, zokor_state_fn fn, void *context, bool direct);
void listener_remove(struct client *c, struct listener *l);

/* ensemble.c: reads where the servers are now, and again whenever that changes. */
void ensemble_follow(struct client *c);

/* watch.c: watches that are called once. */
struct watch {
    struct list link; /* in session.watches */
    struct zokor_framework *view;
    struct session *session;
    zokor_event_fn fn;
    void *context;
    bool direct;
    char *path;                  /* as the server has it */
    bool pending;                /* its request is under way: whoever ends or fires it leaves it to that */
    bool cancelling;             /* the same: whoever cancels it sees to it */
    int fired_type, fired_state; /* meanwhile; 0: it did not */
    int64_t fired_zxid;
    void (*ended)(struct watch *w); /* of a persistent one: instead of all this, at the session's end */
};
struct watch *watch_new(struct zokor_framework *f, const char *path, zokor_event_fn fn, void *context, bool direct);
void watch_free(struct watch *w);
void watch_set(struct watch *w, struct session *s); /* before the request is sent */
void watch_settle(struct watch *w);                 /* the request has set it, and is done */
void watch_abandon(struct watch *w);                /* it may be set, but nobody wants it any more */
void watch_unset(struct watch *w);                  /* the request failed */
void watch_fired(zhandle_t *zh, int type, int state, const char *path, void *context); /* the watcher_fn */
void watch_end_all(struct session *s);
/* True: the watch with this function and context, of a request that is done, will not be called. False: it was, is
 * being, or will be at the end of its session. */
bool watch_cancel(struct zokor_framework *f, zokor_event_fn fn, void *context);

/* operation.c */
struct op_wait;
struct taken;
struct op {
    struct list link; /* in client.operations */
    struct timer timer;
    struct event event;
    struct client *client;
    struct zokor_framework *view;
    struct zokor_request q; /* a copy: its strings are its own; its data, ACL and transaction are below */
    struct zokor_retry retry;
    char *path;    /* as the server has it */
    char *sending; /* the data, compressed if it shall be */
    int sending_len;
    bool decompress;
    struct ACL_vector acl;
    bool direct;
    zokor_result_fn callback;
    void *context;
    struct op_wait *wait; /* of a foreground call */
    int64_t started_ms;
    int retries;
    int refusal;          /* why the last request was not even sent */
    int64_t only_session; /* not 0: sent in this one or not at all, which gives ZSESSIONEXPIRED */
    struct watch *watch;
    struct zokor_result result;
    void (*answered)(struct op *op, int rc);
    /* Parents: the first parent_at bytes of the path are looked for or made, up to parents_end; then `then`. */
    size_t parent_at, parents_end;
    bool parents_down, parents_plain;
    int parents_rounds;
    void (*then)(struct op *op);
    /* Creates: the path that the server gave, or a node with our name that is to be judged. */
    char *found;
    char protection[44]; /* "_c_<uuid>-" */
    bool lost;           /* it may have been carried out: look for it first */
    bool cleaning;       /* a delete of what a protected create may have left */
    /* Recursive deletes: what is still to be deleted, the last one first. */
    char **stack;
    size_t stack_n, stack_cap;
    /* Transactions. */
    int part_count;
    struct taken *taken;
    zoo_op_t *parts;
    zoo_op_result_t *part_results;
    struct Stat *part_stats;
};
/* direct: callback and watch run on the callback thread of a handle or on the worker, and must not block. */
int op_start(struct zokor_framework *f, const struct zokor_request *q, zokor_result_fn callback, void *context,
             bool direct);
/* As op_start with direct callbacks; where the connection is open, these, and the watch's, run on the thread that reads
 * the socket. more: another follows at once, and they shall travel together. */
int op_start_prompt(struct zokor_framework *f, const struct zokor_request *q, zokor_result_fn callback, void *context,
                    bool more);
/* As zokor_framework_do; direct is about the watch. Never on a thread that `direct` callbacks run on. */
int op_do(struct zokor_framework *f, const struct zokor_request *q, struct zokor_result *result, bool direct);
/* The same in one session only; ZSESSIONEXPIRED: it is over, and if it was carried out at all, then in that one. */
int op_do_in(struct zokor_framework *f, const struct zokor_request *q, struct zokor_result *result, int64_t session_id);
/* Deletes what the protected create `of` may have left behind. */
void op_start_cleaning(const struct op *of, const struct zokor_request *q);
/* Whether a watch is set by a request that ended so. */
bool op_sets_watch(enum zokor_operation operation, int rc);
/* For the steps of an operation: sends one request; its completion is one of op_*_done. */
void op_send(struct op *op, int (*send)(struct op *, zhandle_t *), void (*answered)(struct op *, int));
void op_finish(struct op *op, int rc);
void op_retry(struct op *op, int rc);     /* from its beginning, as far as the policy lets it */
void op_end(struct op *op, int rc);       /* one of the two, as rc asks for */
bool op_data_is_own(const struct op *op); /* what was read is what was sent */
void op_void_done(int rc, const void *data);
void op_stat_done(int rc, const struct Stat *stat, const void *data);
void op_string_done(int rc, const char *path, const void *data);
void op_string_stat_done(int rc, const char *path, const struct Stat *stat, const void *data); /* path: op.found */
void op_strings_stat_done(int rc, const struct String_vector *strings, const struct Stat *stat, const void *data);
void op_data_done(int rc, const char *value, int n, const struct Stat *stat, const void *data);

/* create.c, delete.c, transaction.c: the first step of an operation, and again at every retry. */
void create_begin(struct op *op);
void create_given_up(const struct op *op); /* it may have been carried out all the same */
/* Makes the nodes up to `end` bytes of the path, then goes on; or ends the operation. */
void parents_begin(struct op *op, size_t end, void (*then)(struct op *));
/* Makes the namespace's node if it was never made; false: nothing to do. */
bool parents_of_namespace(struct op *op, void (*then)(struct op *));
/* Looks below the parent for the node with the protection; found or not, then goes on. */
void protected_find(struct op *op, void (*then)(struct op *));
void delete_begin(struct op *op);
void delete_given_up(const struct op *op);
void transaction_begin(struct op *op);
void transaction_take(struct op *op);
void transaction_drop(struct op *op);

#endif
