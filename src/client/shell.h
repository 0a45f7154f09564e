/* shell: the C interface over the core: sockets, threads, callbacks.
 *
 * Threads of a handle: the io thread owns the socket and is the only one to call client_need, client_room and
 * client_received; the callback thread runs the program's functions. Both, and every caller, use the core under `lock`,
 * which is never held while anything can block or a callback runs. A polled handle has neither thread; the program's
 * own plays both parts. */
#ifndef ZOKOR_CLIENT_SHELL_H
#define ZOKOR_CLIENT_SHELL_H

#ifndef THREADED
#define THREADED
#endif

#include "base/arena.h"
#include "client/core.h"
#include "client/login.h"
#include "client/secure.h"
#include "zokor/client.h"
#include <pthread.h>
#include <semaphore.h>

#define SHELL_CLOSE_MS 3000 /* how long zookeeper_close waits for the server */
#define SHELL_PROBE_MS 1000

/* How an answer is read; TAG_SYNC: `extra` is a struct sync_wait, otherwise fn is the completion;
 * TAG_PROMPT: called by the io thread. */
enum shape {
    SHAPE_VOID,
    SHAPE_STAT,
    SHAPE_DATA,
    SHAPE_STRING,
    SHAPE_STRING_STAT,
    SHAPE_STRINGS,
    SHAPE_PATHS,
    SHAPE_STRINGS_STAT,
    SHAPE_ACL,
    SHAPE_MULTI,
    SHAPE_READS,
    SHAPE_IDS,
    SHAPE_NUMBER,
};
#define TAG_SHAPE 0xffu
#define TAG_SYNC 0x100u
#define TAG_PROMPT 0x200u
#define TAG_MORE 0x400u    /* another request follows at once */
#define TAG_WATCHES 0x800u /* the io thread may call the watcher, too */

/* Where the answer to a multi goes. Owned by the request. */
struct multi_wait {
    int count;
    const zoo_op_t *ops;
    zoo_op_result_t *results;
    struct Stat *stats; /* may be NULL */
    bool is_sync;
};

/* A caller that waits, and where it wants the answer; members may be NULL. */
struct sync_wait {
    sem_t done;
    int rc;
    char *text;
    int text_n;
    char *data;
    int *data_n;
    struct Stat *stat;
    struct String_vector *strings;
    struct ACL_vector *acl;
    struct multi_wait *multi;
    struct zokor_read_result *reads;
    int read_n;
    struct ClientInfo_vector *ids;
    int32_t *number;
};

struct _zhandle {
    pthread_mutex_t lock;
    struct client_core *core; /* lock */
    bool asleep, woken;       /* lock: the io thread waits for events; it was told to look */
    bool closing;             /* lock: zookeeper_close was called */
    bool self_close;          /* lock: from a callback; the handle's own thread frees it */
    int callers;              /* lock: threads inside a call that waits */
    pthread_cond_t callers_gone;
    char *hosts_text; /* lock: names to look up */
    watcher_fn watcher;
    void *context;
    int request_timeout_ms; /* lock */
    log_callback_fn log_callback;
    bool threaded;
    pid_t pid;
    clientid_t id; /* a copy for zoo_client_id */
    char server_text[80];
    pthread_mutex_t auth_lock; /* zoo_lock_auth: the program's */

    /* Whoever sends has send_lock, which is taken before lock: the io thread, or a caller that waits and sends its own
     * request rather than wake another thread for it. The io thread alone changes the socket. */
    pthread_mutex_t send_lock;
    int sock;
    bool connecting;
    struct buf sending;
    size_t sent_n;
    struct secure *secure; /* NULL: no TLS */
    struct host_names names;
    struct login *login; /* NULL: no SASL */

    /* Whoever receives has read_lock, which is taken before all others: the io thread in its turns, or a caller that
     * waits and takes what comes (share.c). */
    pthread_mutex_t read_lock;
    int share_fd, nudge_fd;         /* the io thread's epoll set with the socket in it; an eventfd. -1: not yet made */
    bool caller_reads;              /* read_lock: not the io thread */
    bool share_asked, share_wanted; /* lock: a caller has waited so; and the system can do it */
    bool shared;                    /* lock: the socket is in the set */
    bool reading;                   /* lock: a caller receives, or is about to */
    pthread_t reader;               /* lock: who */
    bool nudged;                    /* lock: nudge_fd is readable */
    bool look;                      /* lock: the io thread shall receive, whatever the system says */

    /* The io thread's. */
    struct login_exchange *exchange;
    uint8_t *raw; /* SECURE_RAW_BYTES, with TLS */
    int wake_fd;
    struct client_dones batch; /* read_lock */
    int probe_sock;
    bool probe_asked;
    int64_t probe_by_ms;
    pthread_t io_thread;

    /* From the io thread to the callback thread. */
    pthread_mutex_t done_lock;
    pthread_cond_t done_cond;
    struct client_dones incoming; /* done_lock */
    bool done_waiting, done_end;  /* done_lock */
    int session_events;           /* done_lock: those that the callback thread has still to tell */

    /* The callback thread's. */
    struct client_dones delivering;
    struct arena arena;
    int64_t zxid; /* of what is being delivered */
    bool in_callback;
    pthread_t callback_thread;
};

#define zlog(zh, level, ...)                                                                                     \
    do {                                                                                                         \
        if (log_wanted(level))                                                                                   \
            log_message((zh) == NULL ? NULL : zoo_get_log_callback(zh), level, __LINE__, __func__, __VA_ARGS__); \
    } while (0)

/* log.c */
bool log_wanted(ZooLogLevel level);
FILE *zoo_get_log_stream(void);
void log_message(log_callback_fn callback, ZooLogLevel level, int line, const char *function, const char *format, ...)
    PRINTF_LIKE(5, 6);

/* resolve.c */
/* Looks up the names of a connect string; returns how many addresses were found (at most max). */
size_t resolve_hosts(zhandle_t *zh, const char *text, struct client_addr *addrs, size_t max);
/* "address:port" into out. */
void addr_print(const struct client_addr *a, char *out, size_t size);
/* "address" alone. */
void addr_print_host(const struct client_addr *a, char *out, size_t size);
void addr_print_sockaddr(const struct sockaddr *sa, char *out, size_t size);

/* io.c */
int64_t clock_ms(void);
void *io_thread_main(void *zh);
/* Does what the core needs now; waits for nothing but names. False when the session is over. */
bool io_advance(zhandle_t *zh);
/* False if the socket takes no more for now. */
bool io_flush(zhandle_t *zh);
/* Sends what a caller has just made, if nobody else sends and the socket takes it; otherwise the io thread is woken. */
void io_send_now(zhandle_t *zh, bool more_follows);
bool io_readable(zhandle_t *zh);
void io_writable(zhandle_t *zh);
void io_probe(zhandle_t *zh);
/* Tells the io thread to look. Under lock. */
void io_wake(zhandle_t *zh);
void io_wake_if_asleep(zhandle_t *zh);
/* What changed with a connection: a copy of the session's id for those who ask, a line for people. Under lock. */
void io_note_session(zhandle_t *zh, enum client_state before);

/* login_handle.c: one step of a login. The io thread, which may wait for a KDC in it. */
void io_log_in(zhandle_t *zh);

/* Takes what has come, in the place of the io thread, and sends what was asked for meanwhile. False: it is that
 * thread's turn. */
bool io_read_for_callers(zhandle_t *zh);

/* share.c. begin, end: by the io thread. */
void share_begin(zhandle_t *zh);
void share_end(zhandle_t *zh);
void share_fini(zhandle_t *zh);
/* This thread is the one that receives, until it leaves zokor_await. Under lock; false: not now. */
bool share_take(zhandle_t *zh);
/* The caller that sleeps there asks again. Under lock. */
void share_nudge(zhandle_t *zh);

/* deliver.c */
void *callback_thread_main(void *zh);
/* Completes callers that wait, and queues what goes to callbacks; *batch is empty afterwards. */
void deliver_batch(zhandle_t *zh, struct client_dones *batch);
/* Runs the callbacks that are queued, in this thread. The number run. */
size_t deliver_queued(zhandle_t *zh);
/* The zxid of what this thread delivers of the handle, -1: nothing. */
int64_t deliver_zxid(const zhandle_t *zh);
/* What this thread is delivering, for who runs several threads of the library in one (sim_recipe): sets it, and returns
 * what it was. */
const void *deliver_exchange(const void *delivery);
/* This thread has received something of the handle's and is inside a function of the program's for it. */
bool deliver_is_here(const zhandle_t *zh);
/* So, and it is a caller in zokor_await. */
bool deliver_is_by_caller(const zhandle_t *zh);
void deliver_end(zhandle_t *zh);

/* multi.c */
int multi_answer(const struct client_done *d, struct slice chroot, struct multi_wait *m);
int reads_answer(const struct client_done *d, struct zokor_read_result *results, int count, struct arena *arena);

/* handle.c: the first two are symbols that Apache's library has, though no header names them. */
int zoo_lock_auth(zhandle_t *zh);
int zoo_unlock_auth(zhandle_t *zh);
/* What a connection is made of beside a socket; NULL: nothing of it. */
struct handle_options {
    bool polled; /* no threads */
    const struct tls_options *tls;
    const struct login_options *login;
};
/* NULL and errno as zookeeper_init, and those of secure_new and login_new. */
zhandle_t *handle_make(const char *host, watcher_fn fn, int timeout_ms, const clientid_t *id, void *context, int flags,
                       log_callback_fn log_callback, const struct handle_options *options);
void handle_free(zhandle_t *zh);
/* Ends a polled handle: waits for the server, calls back, frees. ZCLOSING. */
int handle_close_polled(zhandle_t *zh);

/* request.c: every request is begun, filled and sent here. */
struct request {
    zhandle_t *zh;
    struct buf *b;
    size_t path_at, path_n; /* the path on the wire, in b */
};
/* Takes the lock; 0, or an error without the lock. */
int request_begin(struct request *q, zhandle_t *zh, int32_t op, const struct client_call *call) WARN_UNUSED;
/* Appends a path with the chroot in front. */
void request_path(struct request *q, const char *path);
/* Sends and gives the lock back. watcher may be NULL. */
int request_send(struct request *q, const struct client_call *call, enum client_watch_kind kind, watcher_fn watcher,
                 void *context) WARN_UNUSED;
void request_acls(struct buf *b, const struct ACL_vector *acl);
struct slice request_value(const char *value, int n);
struct client_call call_of(void (*fn)(void), const void *data, enum shape shape);

/* Waiting calls: prepare, make the request with the call, and wait for it if that gave 0. */
struct client_call wait_call(struct sync_wait *w, enum shape shape);
int wait_for(zhandle_t *zh, struct sync_wait *w, int rc);

struct create_args {
    const char *path, *value;
    int valuelen;
    const struct ACL_vector *acl;
    int mode;
    int64_t ttl_ms;
    bool with_stat;
};
int request_create(zhandle_t *zh, const struct create_args *a, const struct client_call *call);
/* What a create of this mode is on the wire. */
int32_t create_opcode(int mode, bool with_stat);
bool mode_is_sequential(int mode);
int request_path_version(zhandle_t *zh, int32_t op, const char *path, int version, const struct client_call *call);
int request_read(zhandle_t *zh, int32_t op, const char *path, watcher_fn watcher, void *context,
                 const struct client_call *call);
int request_set(zhandle_t *zh, const char *path, const char *value, int n, int version, const struct client_call *call);
int request_plain(zhandle_t *zh, int32_t op, const char *path, const struct client_call *call);
int request_set_acl(zhandle_t *zh, const char *path, int version, const struct ACL_vector *acl,
                    const struct client_call *call);
int request_config(zhandle_t *zh, watcher_fn watcher, void *context, const struct client_call *call);
int request_reconfig(zhandle_t *zh, const char *joining, const char *leaving, const char *members, int64_t version,
                     const struct client_call *call);
/* The calls with `all` in their name do not ask this library first whether there is a watcher: the server says. */
enum unwatch { UNWATCH, UNWATCH_LOCAL, UNWATCH_ALL, UNWATCH_ALL_LOCAL };
int request_unwatch(zhandle_t *zh, const char *path, int type, watcher_fn watcher, void *context, enum unwatch how,
                    const struct client_call *call);
int request_multi(zhandle_t *zh, struct multi_wait *m, const struct client_call *call);
watcher_fn default_watcher(zhandle_t *zh, int watch, void **context);

#endif
