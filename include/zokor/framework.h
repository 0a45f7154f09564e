/* zokor/framework.h: a client that keeps itself connected, and on which the recipes (zokor/lock.h and its neighbours)
 * stand. It does what Apache Curator's framework does, with the same nodes.
 *
 * A framework owns a handle and replaces it when its session is lost. Every operation is a request: run it in the
 * foreground (zokor_framework_do waits for the result) or in the background (a callback gets it). Requests that fail
 * for the connection's sake are made again as the retry policy says.
 *
 * Threads. Every function may be called from any thread. Callbacks, watchers and state listeners of a framework are
 * called by one thread of its own, one at a time, in order, and never while the library holds a lock; they may make
 * requests and wait for them, but a slow one delays the others. Pointers handed to them are valid until they return.
 * A framework is closed after everything that was built on it, and not by one of its callbacks.
 *
 * Errors are those of zookeeper.h: ZOK or a negative ZOO_ERRORS. */
#ifndef ZOKOR_FRAMEWORK_PUBLIC_H
#define ZOKOR_FRAMEWORK_PUBLIC_H

#include <stddef.h>
#include <zokor/client.h>

#ifdef __cplusplus
extern "C" {
#endif

struct zokor_framework;

/* When, and how often, a request that met a broken connection is made again. All zeros: the default of a framework,
 * exponential from a second, 3 times. */
enum zokor_retry_kind {
    ZOKOR_RETRY_DEFAULT = 0,
    ZOKOR_RETRY_NEVER,
    ZOKOR_RETRY_EXPONENTIAL, /* base_ms * random(1 .. 2^(n+1)), at most max_sleep_ms; retries_max times (29 at most) */
    ZOKOR_RETRY_N_TIMES,     /* every base_ms, retries_max times */
    ZOKOR_RETRY_UNTIL_ELAPSED, /* every base_ms, until elapsed_max_ms have passed */
    ZOKOR_RETRY_FOREVER        /* every base_ms */
};
struct zokor_retry {
    enum zokor_retry_kind kind;
    int base_ms;
    int retries_max;
    int max_sleep_ms;
    int elapsed_max_ms;
};
struct zokor_retry zokor_retry_never(void);
struct zokor_retry zokor_retry_exponential(int base_ms, int retries_max);
struct zokor_retry zokor_retry_bounded_exponential(int base_ms, int max_sleep_ms, int retries_max);
struct zokor_retry zokor_retry_n_times(int retries_max, int sleep_ms);
struct zokor_retry zokor_retry_until_elapsed(int elapsed_max_ms, int sleep_ms);
struct zokor_retry zokor_retry_forever(int sleep_ms);
/* How long to sleep, ms, before the next try, when `retries` were made in elapsed_ms; -1: give up. */
int zokor_retry_sleep_ms(const struct zokor_retry *policy, int retries, int64_t elapsed_ms);
/* Is rc one that another try may cure? */
int zokor_is_retryable(int rc);

/* What is known of the connection. */
enum zokor_connection_state {
    ZOKOR_STATE_NONE = 0, /* never connected */
    ZOKOR_CONNECTED,      /* for the first time */
    ZOKOR_SUSPENDED,      /* the connection broke: locks and leaderships are in doubt */
    ZOKOR_RECONNECTED,    /* in the same session, or after LOST in a new one */
    ZOKOR_LOST,           /* the session is over: said by the server, or as long unreachable as it lasts */
    ZOKOR_READ_ONLY       /* connected to a server without a quorum */
};
typedef void (*zokor_state_fn)(struct zokor_framework *f, enum zokor_connection_state state, void *context);

/* Which states count as errors, that is, end leaderships: SUSPENDED and LOST, or only LOST. */
enum zokor_error_policy { ZOKOR_ERRORS_STANDARD = 0, ZOKOR_ERRORS_SESSION = 1 };

struct zokor_auth {
    const char *scheme;
    const char *auth;
    int auth_len;
};

/* Makes a handle in another way than zookeeper_init does, by zokor_init_tls for one: with just this watcher, timeout,
 * context and these flags, and without an id. Called by threads of the framework, too, whenever a session was lost. */
typedef zhandle_t *(*zokor_make_handle_fn)(const char *hosts, watcher_fn watcher, int session_timeout_ms,
                                           void *watcher_context, int flags, void *make_context);

/* All zeros but hosts is fine. Everything is copied. */
struct zokor_framework_options {
    const char *hosts;                    /* as for zookeeper_init */
    const char *name_space;               /* all paths are below /name_space; NULL: none */
    int session_timeout_ms;               /* 0: 60,000 */
    int request_timeout_ms;               /* deadline of one try, ZREQUESTTIMEOUT; 0: none */
    struct zokor_retry retry;             /* of all requests */
    enum zokor_error_policy error_policy; /* of all recipes */
    int can_be_read_only;                 /* take a server without a quorum if there is no other */
    int plain_parents;                    /* parents are never containers */
    int compress;                         /* data is compressed and decompressed unless a request says otherwise */
    const struct ACL_vector *acl;         /* of nodes created; NULL: open to all */
    int follow_ensemble;                  /* hosts become those of the ensemble's configuration, whenever it changes */
    const struct zokor_auth *auths;
    int auth_count;
    zokor_make_handle_fn make_handle; /* NULL: zookeeper_init */
    void *make_context;
};

/* Starts; returns at once. NULL and errno as zookeeper_init. */
struct zokor_framework *zokor_framework_open(const struct zokor_framework_options *options);
/* Ends the session. Requests under way end with ZCLOSING. Inside a callback of its own: ZINVALIDSTATE, nothing done. */
int zokor_framework_close(struct zokor_framework *f);

/* The same client with another namespace (NULL or "": none). Valid until the client is closed; never closed itself. */
struct zokor_framework *zokor_framework_using_namespace(struct zokor_framework *f, const char *name_space);
const char *zokor_framework_namespace(const struct zokor_framework *f);

/* Waits until connected; timeout_ms -1: for ever. ZOK or ZOPERATIONTIMEOUT. */
int zokor_framework_wait_connected(struct zokor_framework *f, int timeout_ms);
enum zokor_connection_state zokor_framework_state(struct zokor_framework *f);
int zokor_framework_is_connected(struct zokor_framework *f);
/* By the policy of the framework. */
int zokor_framework_is_error_state(struct zokor_framework *f, enum zokor_connection_state state);
const char *zokor_connection_state_text(enum zokor_connection_state state);
/* The session that is, or was last, there. 0: none yet. */
int64_t zokor_framework_session_id(struct zokor_framework *f);
/* The handle of the present session, for what requests lack; only valid until that session is lost. */
zhandle_t *zokor_framework_handle(struct zokor_framework *f);
/* Where it looks for servers: as it was told, or as the ensemble's configuration says (follow_ensemble). To be freed
 * with free. */
char *zokor_framework_hosts(struct zokor_framework *f);
/* "host:port,host:port": the client addresses in the data of a GET_CONFIG or RECONFIG request, and its version. To be
 * freed with free; NULL: there are none (the servers' client ports are not in their server lines). */
char *zokor_config_hosts(const char *config, int config_len, int64_t *version);
void zokor_framework_set_acl(struct zokor_framework *f, const struct ACL_vector *acl);

/* A listener hears of changes from now on. After zokor_framework_unlisten returns it is not called any more (unless it
 * is the caller). */
void zokor_framework_listen(struct zokor_framework *f, zokor_state_fn fn, void *context);
void zokor_framework_unlisten(struct zokor_framework *f, zokor_state_fn fn, void *context);

/* Requests. */
enum zokor_operation {
    ZOKOR_CREATE = 1,
    ZOKOR_DELETE,
    ZOKOR_EXISTS,
    ZOKOR_GET,
    ZOKOR_SET,
    ZOKOR_GET_CHILDREN,
    ZOKOR_GET_ACL,
    ZOKOR_SET_ACL,
    ZOKOR_SYNC,
    ZOKOR_TRANSACTION,
    ZOKOR_GET_CONFIG,
    ZOKOR_RECONFIG
};

enum zokor_request_flags {
    /* CREATE, EXISTS */
    ZOKOR_PARENTS = 1 << 0,           /* missing parents are created, as plain nodes */
    ZOKOR_CONTAINER_PARENTS = 1 << 1, /* as containers, if the server knows these */
    ZOKOR_PARENTS_WITH_ACL = 1 << 2,  /* with the ACL of the request */
    /* CREATE */
    ZOKOR_PROTECTED = 1 << 3,  /* name is _c_<uuid>-name, so that the node is found if the reply was lost */
    ZOKOR_OR_SET = 1 << 4,     /* if the node is there: set its data, if it has the version */
    ZOKOR_IDEMPOTENT = 1 << 5, /* also SET with a version, DELETE: success if a retry finds its own work done */
    /* DELETE */
    ZOKOR_GUARANTEED = 1 << 6, /* if the connection fails, go on in the background until it is done */
    ZOKOR_RECURSIVE = 1 << 7,  /* with everything below */
    ZOKOR_QUIETLY = 1 << 8,    /* success if there is no such node */
    /* CREATE, SET: compress. GET: decompress. With gzip, by libz.so.1: ZUNIMPLEMENTED where there is none. */
    ZOKOR_COMPRESSED = 1 << 9,
    ZOKOR_UNCOMPRESSED = 1 << 10 /* although the framework's option says compressed */
};

/* Something happened to a node. type and state as a watcher_fn gets them. A watch set by a request is called exactly
 * once: for the node, or with ZOO_SESSION_EVENT when the session is lost or the framework closed, which ends it. */
struct zokor_event {
    int type;
    int state;
    const char *path;
    int64_t zxid; /* of the change; -1: unknown */
};
typedef void (*zokor_event_fn)(struct zokor_framework *f, const struct zokor_event *event, void *context);

struct zokor_transaction;

/* Zero means default everywhere; a version of 0 is told from none by has_version. */
struct zokor_request {
    enum zokor_operation operation;
    unsigned flags; /* enum zokor_request_flags */
    const char *path;
    const void *data; /* CREATE, SET; NULL: empty */
    int data_len;     /* -1: null data */
    int mode;         /* CREATE: ZOO_PERSISTENT (0) and its neighbours */
    int64_t ttl_ms;   /* CREATE with a mode with TTL in its name */
    int has_version;
    int version; /* DELETE, SET, SET_ACL, CREATE with ZOKOR_OR_SET */
    const struct ACL_vector *acl;
    zokor_event_fn watch; /* EXISTS, GET, GET_CHILDREN, GET_CONFIG */
    void *watch_context;
    struct zokor_transaction *transaction;   /* stays the caller's; not changed while the request is under way */
    const char *joining, *leaving, *members; /* RECONFIG */
    int64_t config_version;                  /* RECONFIG: 0 or -1: any */
    const struct zokor_retry *retry;         /* NULL: the framework's */
};

struct zokor_part_result {
    enum zokor_operation operation; /* 0: a check */
    int rc;
    char *path;
    struct Stat stat; /* zeros where the server sends none */
};
struct zokor_result {
    enum zokor_operation operation;
    int rc;
    char *path;   /* as asked; of a CREATE: as created */
    char *data;   /* ended by a zero byte that is not counted */
    int data_len; /* -1: null */
    struct Stat stat;
    struct String_vector children;
    struct ACL_vector acl;
    struct zokor_part_result *parts; /* of a TRANSACTION */
    int part_count;
};
/* Frees what it holds and zeroes it. */
void zokor_result_clear(struct zokor_result *result);

/* Waits for the result; returns its rc. result may be NULL; otherwise it is the caller's, to be cleared, whatever rc.
 */
int zokor_framework_do(struct zokor_framework *f, const struct zokor_request *request, struct zokor_result *result);
/* Returns at once. Non-zero: refused (ZBADARGUMENTS, ZCLOSING), callback (may be NULL) will not be called; otherwise it
 * will, once. Requests are sent in the order of the calls. */
typedef void (*zokor_result_fn)(struct zokor_framework *f, const struct zokor_result *result, void *context);
int zokor_framework_do_background(struct zokor_framework *f, const struct zokor_request *request,
                                  zokor_result_fn callback, void *context);

/* The common ones, in the foreground. */
/* created (may be NULL) gets the path as created, to be freed with free. */
int zokor_framework_create(struct zokor_framework *f, const char *path, const void *data, int data_len, int mode,
                           unsigned flags, char **created);
int zokor_framework_delete(struct zokor_framework *f, const char *path, unsigned flags);
/* ZOK or ZNONODE; stat may be NULL. */
int zokor_framework_exists(struct zokor_framework *f, const char *path, struct Stat *stat);
/* *data is to be freed with free; NULL for null data. stat may be NULL. */
int zokor_framework_get(struct zokor_framework *f, const char *path, char **data, int *data_len, struct Stat *stat);
/* version -1: any. */
int zokor_framework_set(struct zokor_framework *f, const char *path, const void *data, int data_len, int version);
/* To be freed with deallocate_String_vector. */
int zokor_framework_children(struct zokor_framework *f, const char *path, struct String_vector *children);

/* Transactions: all parts or none. Parts are copied; version -1: any. data_len -1: null data. zokor_transaction_commit
 * is a ZOKOR_TRANSACTION request in the foreground. A lost reply is not resolved: the request is made again. */
struct zokor_transaction *zokor_transaction_new(void);
void zokor_transaction_free(struct zokor_transaction *t);
void zokor_transaction_create(struct zokor_transaction *t, const char *path, const void *data, int data_len, int mode,
                              int64_t ttl_ms, const struct ACL_vector *acl);
void zokor_transaction_delete(struct zokor_transaction *t, const char *path, int version);
void zokor_transaction_set(struct zokor_transaction *t, const char *path, const void *data, int data_len, int version);
void zokor_transaction_check(struct zokor_transaction *t, const char *path, int version);
int zokor_transaction_commit(struct zokor_framework *f, struct zokor_transaction *t, struct zokor_result *result);

/* A persistent watch that outlives sessions. `fn` hears every event; and, with type ZOO_SESSION_EVENT and state
 * ZOO_CONNECTED_STATE, whenever the watch has been set (at first, and again in a new session or connection): what came
 * before may have been missed, so look again. The path need not exist. Stopping it inside fn is fine; after that fn is
 * not called any more (a call under way in another thread is waited for). NULL: bad path. */
struct zokor_watch;
struct zokor_watch *zokor_watch_start(struct zokor_framework *f, const char *path, enum zokor_watch_mode mode,
                                      zokor_event_fn fn, void *context);
void zokor_watch_stop(struct zokor_watch *w);

/* Paths. Each result is to be freed with free. */
char *zokor_path_join(const char *parent, const char *child);
/* The digits of a sequential name as a number; -1: none. */
int64_t zokor_path_sequence(const char *path);
/* Gzip as Curator's, ZOK or ZUNIMPLEMENTED (no libz.so.1), ZDATAINCONSISTENCY (not gzip, or more than 256 MiB). */
int zokor_gzip(const void *data, int len, char **out, int *out_len);
int zokor_gunzip(const void *data, int len, char **out, int *out_len);

#ifdef __cplusplus
}
#endif

#endif
