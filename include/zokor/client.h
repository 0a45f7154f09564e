/* zokor/client.h: what zookeeper.h lacks. Everything there about threads, errors and callbacks holds here.
 *
 * Calls that wait have the name of the request; those that call back have an `a` before it and return at once. */
#ifndef ZOKOR_CLIENT_PUBLIC_H
#define ZOKOR_CLIENT_PUBLIC_H

#include <zookeeper/zookeeper.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A handle without threads, for a program with a loop of its own: zookeeper_interest says what to wait for,
 * zookeeper_process does it and calls back, in the thread that calls. Calls that wait return ZINVALIDSTATE. */
zhandle_t *zokor_init_polled(const char *host, watcher_fn fn, int recv_timeout, const clientid_t *clientid,
                             void *context, int flags, log_callback_fn log_callback);
#ifdef THREADED
int zookeeper_interest(zhandle_t *zh, int *fd, int *interest, struct timeval *tv);
int zookeeper_process(zhandle_t *zh, int events);
#endif

/* TLS: whom a handle trusts and who it is. Texts may be NULL; they are copied. Files are PEM, PKCS#12, or JKS where the
 * servers take that, and are read again when they have changed and a connection is made. */
struct zokor_tls {
    size_t size;       /* sizeof (struct zokor_tls): later versions may have more at the end */
    const char *trust; /* certificates to trust; NULL: those that the system trusts */
    const char *trust_password, *trust_password_file, *trust_type;
    const char *key;       /* the program's own key with its certificates; NULL: none */
    const char *key_apart; /* in PEM: the key's file, if `key` holds the certificates only */
    const char *key_password, *key_password_file, *key_type;
    const char *protocols; /* of TLSv1.2 and TLSv1.3, comma separated; NULL: TLSv1.3 and TLSv1.2 */
    const char *ciphers;   /* comma separated, Java's names or OpenSSL's; NULL: OpenSSL's choice */
    int any_name;          /* 1: a certificate need not hold the server's name or address */
    int polled;            /* 1: a handle without threads, see zokor_init_polled */
};
/* As zookeeper_init2. Errors as zookeeper_init_ssl. */
zhandle_t *zokor_init_tls(const char *host, const struct zokor_tls *tls, watcher_fn fn, int recv_timeout,
                          const clientid_t *clientid, void *context, int flags, log_callback_fn log_callback);

/* SASL: how a handle logs in, on every connection before any request goes out. Texts may be NULL; they are copied. By
 * DIGEST-MD5: `user` with `password` or `password_file`. By GSSAPI (Kerberos): the tickets there are, or those of a
 * cache or a key tab. Or all of it by a section of a JAAS file, as Java's clients have it. */
struct zokor_sasl {
    size_t size;           /* sizeof (struct zokor_sasl): later versions may have more at the end */
    const char *mechanism; /* NULL: DIGEST-MD5 with a user, otherwise GSSAPI */
    const char *user, *password;
    const char *password_file; /* its first line is the password; read in every login */
    const char *realm;         /* of DIGEST-MD5, if a server has several; NULL: its first */
    const char *principal;     /* of GSSAPI: who the program is; NULL: the one whose tickets or key there are */
    const char *keytab;        /* a key of the principal's: tickets are asked for with it, and kept in memory */
    const char *ticket_cache;  /* NULL: KRB5CCNAME or the system's */
    const char *service;       /* the servers' service; NULL: zookeeper */
    const char *host;          /* of that service; NULL: as the connect string calls the server (GSSAPI) */
    const char *jaas;          /* a JAAS file; what it says takes the place of the above but service and host */
    const char *jaas_section;  /* NULL: Client */
    int polled;                /* 1: a handle without threads, see zokor_init_polled */
};
/* As zookeeper_init2, and over TLS if `tls` is not NULL. Needs libsasl2 with its plug-ins, which nothing else loads. A
 * login that fails, whoever refuses it, ends the handle with ZOO_AUTH_FAILED_STATE, and its requests with ZAUTHFAILED;
 * a line in the log says why. NULL and errno: also EINVAL for options or a JAAS file that are of no use, ENOENT if the
 * file has no such section, ENOSYS without the library, and those of zokor_init_tls. */
zhandle_t *zokor_init_sasl(const char *host, const struct zokor_sasl *sasl, const struct zokor_tls *tls, watcher_fn fn,
                           int recv_timeout, const clientid_t *clientid, void *context, int flags,
                           log_callback_fn log_callback);

/* Deadlines. A request without an answer after its time ends with ZREQUESTTIMEOUT, whatever the connection does; it may
 * still be carried out. 0: none (the default). For all requests of a handle, or for those that this thread makes from
 * now on (it wins; returns what was set before). */
void zokor_set_request_timeout(zhandle_t *zh, int timeout_ms);
int zokor_thread_deadline(int timeout_ms);

/* ZOKOR_PROMPT: this thread makes asynchronous requests only to wait for them. From now on it sends them itself, and
 * the thread that reads the socket calls their completions at once: not in the order of events and of other answers,
 * and, as everything waits for them, they must not block. A completion may make requests, and may set this for them.
 * The others include it and may be added up. ZOKOR_PROMPT_MORE: another request follows at once, the system may send
 * both together (it waits for 200 ms at most). ZOKOR_PROMPT_WATCHES: the same thread may call the watchers that are set
 * by these requests, for their nodes; of sessions they hear as usual. 0: as usual. Returns what was set before. Of no
 * effect on handles without threads. */
enum zokor_prompt { ZOKOR_PROMPT = 1, ZOKOR_PROMPT_MORE = 2, ZOKOR_PROMPT_WATCHES = 4 };
int zokor_thread_prompt(int on);

/* Waits until is_over(context) says 1, and receives what the server sends meanwhile: completions and watchers of prompt
 * requests, whosever, are called by this thread, the others as usual. That spares the wake-up of the thread that
 * receives else. is_over is asked at the beginning, whenever something was received, and after zokor_nudge; it must not
 * block. timeout_ms -1: for ever. ZOK; ZOPERATIONTIMEOUT; ZINVALIDSTATE: not now (another thread does it, there is no
 * connection or it is being closed), or never (handles without threads, TLS): wait in another way. The first call for a
 * handle says so, too, and makes it possible for later ones. */
int zokor_await(zhandle_t *zh, int (*is_over)(void *context), void *context, int timeout_ms);
/* ZOK: from now on nobody but this thread receives for the handle, so that the answers to the requests that it makes
 * next wake nobody else; zokor_await of the handle must follow at once. ZINVALIDSTATE as there. */
int zokor_await_soon(zhandle_t *zh);
/* Who waits in zokor_await for this handle, if anybody does, asks is_over again. */
void zokor_nudge(zhandle_t *zh);

/* Inside a watcher: the zxid of the change it hears of; inside a completion: of the answer. -1 if the server did not
 * say (servers before 3.9 do not for events; session events have none). */
int64_t zokor_zxid(zhandle_t *zh);
/* The last zxid that the server has shown to this session. */
int64_t zokor_last_zxid(zhandle_t *zh);

/* Watches that stay after they fired: on a node and its list of children, or on a node and everything below it (a
 * recursive one hears of nodes, never of lists of children). Kept across connections. */
enum zokor_watch_mode { ZOKOR_WATCH_PERSISTENT = 0, ZOKOR_WATCH_RECURSIVE = 1 };
int zokor_add_watch(zhandle_t *zh, const char *path, enum zokor_watch_mode mode, watcher_fn watcher, void *watcherCtx);
int zokor_aadd_watch(zhandle_t *zh, const char *path, enum zokor_watch_mode mode, watcher_fn watcher, void *watcherCtx,
                     void_completion_t completion, const void *data);

/* As zoo_remove_watches, for every type. Servers before 3.9 know 1 to 3 only (ANY covers all). */
enum zokor_watch_type {
    ZOKOR_WATCHES_CHILD = 1,
    ZOKOR_WATCHES_DATA = 2,
    ZOKOR_WATCHES_ANY = 3,
    ZOKOR_WATCHES_PERSISTENT = 4,
    ZOKOR_WATCHES_RECURSIVE = 5
};
int zokor_remove_watches(zhandle_t *zh, const char *path, enum zokor_watch_type type, watcher_fn watcher,
                         void *watcherCtx, int local);
int zokor_aremove_watches(zhandle_t *zh, const char *path, enum zokor_watch_type type, watcher_fn watcher,
                          void *watcherCtx, int local, void_completion_t completion, const void *data);

/* Several reads with one answer. Each ends for itself: results[i].err. Strings and vectors are the caller's until
 * zokor_read_results_free; in a completion they are the library's. */
struct zokor_read {
    int children; /* 0: the data; else the names of the children */
    const char *path;
};
struct zokor_read_result {
    int err;
    int data_len; /* -1: null */
    char *data;
    struct Stat stat; /* of data only */
    struct String_vector children;
};
typedef void (*zokor_reads_completion_t)(int rc, int count, const struct zokor_read_result *results, const void *data);
int zokor_multi_read(zhandle_t *zh, int count, const struct zokor_read *reads, struct zokor_read_result *results);
int zokor_amulti_read(zhandle_t *zh, int count, const struct zokor_read *reads, zokor_reads_completion_t completion,
                      const void *data);
void zokor_read_results_free(int count, struct zokor_read_result *results);

/* zoo_multi that also gives the stat of every node created or set: stats[i]. All zeros where the server sent none:
 * plain creates, and in servers before 3.9 those of zoo_create2_op_init, too. */
int zokor_multi(zhandle_t *zh, int count, const zoo_op_t *ops, zoo_op_result_t *results, struct Stat *stats);
int zokor_amulti(zhandle_t *zh, int count, const zoo_op_t *ops, zoo_op_result_t *results, struct Stat *stats,
                 void_completion_t completion, const void *data);
/* A part that creates a node with a time to live; mode is one of the two with TTL in their names. */
void zokor_create_ttl_op_init(zoo_op_t *op, const char *path, const char *value, int valuelen,
                              const struct ACL_vector *acl, int mode, int64_t ttl_ms, char *path_buffer,
                              int path_buffer_len);

/* The ids that the server holds this connection for. Freed with deallocate_ClientInfo_vector. */
typedef void (*zokor_ids_completion_t)(int rc, const struct ClientInfo_vector *ids, const void *data);
int zokor_who_am_i(zhandle_t *zh, struct ClientInfo_vector *ids);
int zokor_awho_am_i(zhandle_t *zh, zokor_ids_completion_t completion, const void *data);

/* The ephemeral nodes of this session whose paths start with `prefix`. Freed with deallocate_String_vector. */
int zokor_get_ephemerals(zhandle_t *zh, const char *prefix, struct String_vector *paths);
int zokor_aget_ephemerals(zhandle_t *zh, const char *prefix, strings_completion_t completion, const void *data);

/* How many nodes are below a node, at any depth. */
typedef void (*zokor_number_completion_t)(int rc, int32_t number, const void *data);
int zokor_get_all_children_number(zhandle_t *zh, const char *path, int32_t *number);
int zokor_aget_all_children_number(zhandle_t *zh, const char *path, zokor_number_completion_t completion,
                                   const void *data);

/* zoo_async that waits: what follows sees everything that was committed before. */
int zokor_sync(zhandle_t *zh, const char *path);

#ifdef __cplusplus
}
#endif

#endif
