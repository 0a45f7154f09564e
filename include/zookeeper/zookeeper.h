/* zookeeper.h: ZooKeeper for C and C++ programs, the interface of Apache's C client 3.8. What that interface lacks is
 * in <zokor/client.h>.
 *
 * A handle (zhandle_t) is one session. Define THREADED before including for the calls that wait for their answer; they
 * are in every build of the library.
 *
 * Threads. Every function may be called from any thread, callbacks included; a handle may be shared. A handle made by
 * zookeeper_init has two threads of its own: one talks to the servers, the other calls back, one call at a time, never
 * while the library holds a lock. Answers come in the order of the requests; an event comes before the answer to the
 * asynchronous read that shows its change. A call that waits may be made inside a callback.
 *
 * Errors. Functions return ZOK or a negative ZOO_ERRORS. A non-zero return of an asynchronous call means that its
 * completion will not be called; zero means that it will be called exactly once, at the latest by zookeeper_close, with
 * ZCLOSING. When the connection breaks, every request without an answer completes with ZCONNECTIONLOSS
 * (ZOPERATIONTIMEOUT if the server fell silent): it may or may not have been carried out.
 *
 * Paths start with '/', are UTF-8, and are taken below the chroot of the connect string if it has one. Watchers are
 * kept across connections. Pointers handed to a callback are valid until it returns.
 *
 * fork: a child may not use its parent's handles; zookeeper_close in the child frees such a handle's memory and sockets
 * and leaves the session to the parent. */
#ifndef ZOOKEEPER_H_
#define ZOOKEEPER_H_

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#ifdef HAVE_CYRUS_SASL_H
#include <sasl/sasl.h>
#endif

#include "proto.h"
#include "recordio.h"
#include "zookeeper.jute.h"
#include "zookeeper_version.h"

#define ZOOAPI

enum ZOO_ERRORS {
    ZOK = 0,
    /* System errors, -1 to -99. */
    ZSYSTEMERROR = -1,
    ZRUNTIMEINCONSISTENCY = -2, /* the server said what it must not say; in a multi: not tried, another part failed */
    ZDATAINCONSISTENCY = -3,
    ZCONNECTIONLOSS = -4, /* the connection broke before the answer came */
    ZMARSHALLINGERROR = -5,
    ZUNIMPLEMENTED = -6,    /* the server does not know this request */
    ZOPERATIONTIMEOUT = -7, /* the server fell silent */
    ZBADARGUMENTS = -8,
    ZINVALIDSTATE = -9, /* the session has expired, could not authenticate, or is closed */
    ZNEWCONFIGNOQUORUM = -13,
    ZRECONFIGINPROGRESS = -14,
    ZSSLCONNECTIONERROR = -15,
    /* Answers of the server, -100 and below. */
    ZAPIERROR = -100,
    ZNONODE = -101,
    ZNOAUTH = -102,
    ZBADVERSION = -103,
    ZNOCHILDRENFOREPHEMERALS = -108,
    ZNODEEXISTS = -110,
    ZNOTEMPTY = -111, /* the node has children */
    ZSESSIONEXPIRED = -112,
    ZINVALIDCALLBACK = -113,
    ZINVALIDACL = -114,
    ZAUTHFAILED = -115,
    ZCLOSING = -116, /* the handle was closed before the answer came */
    ZNOTHING = -117, /* zookeeper_process had nothing to do */
    ZSESSIONMOVED = -118,
    ZNOTREADONLY = -119, /* a write was sent to a read-only server */
    ZEPHEMERALONLOCALSESSION = -120,
    ZNOWATCHER = -121,
    ZREQUESTTIMEOUT = -122, /* the deadline of the call passed (zokor/client.h) */
    ZRECONFIGDISABLED = -123,
    ZSESSIONCLOSEDREQUIRESASLAUTH = -124,
    ZQUOTAEXCEEDED = -125,
    ZTHROTTLEDOP = -127 /* not carried out, the server is busy: try again */
};

#ifdef __cplusplus
extern "C" {
#endif

typedef enum {
    ZOO_LOG_LEVEL_ERROR = 1,
    ZOO_LOG_LEVEL_WARN = 2,
    ZOO_LOG_LEVEL_INFO = 3,
    ZOO_LOG_LEVEL_DEBUG = 4
} ZooLogLevel;

/* Permissions of an ACL entry. */
extern ZOOAPI const int ZOO_PERM_READ;
extern ZOOAPI const int ZOO_PERM_WRITE;
extern ZOOAPI const int ZOO_PERM_CREATE;
extern ZOOAPI const int ZOO_PERM_DELETE;
extern ZOOAPI const int ZOO_PERM_ADMIN;
extern ZOOAPI const int ZOO_PERM_ALL;

#define ZOO_CONFIG_NODE "/zookeeper/config"

/* Flags of zookeeper_init: go to a read-only server if there is no other; do not log the environment. */
#define ZOO_READONLY 1
#define ZOO_NO_LOG_CLIENTENV 2

/* world:anyone; and the ids that the connection has proved, for use in an ACL only. */
extern ZOOAPI struct Id ZOO_ANYONE_ID_UNSAFE;
extern ZOOAPI struct Id ZOO_AUTH_IDS;
/* All to anyone; reading to anyone; all to the creator's ids. */
extern ZOOAPI struct ACL_vector ZOO_OPEN_ACL_UNSAFE;
extern ZOOAPI struct ACL_vector ZOO_READ_ACL_UNSAFE;
extern ZOOAPI struct ACL_vector ZOO_CREATOR_ALL_ACL;

/* Bits for zookeeper_interest and zookeeper_process. */
extern ZOOAPI const int ZOOKEEPER_WRITE;
extern ZOOAPI const int ZOOKEEPER_READ;

/* Modes of a create. */
extern ZOOAPI const int ZOO_PERSISTENT;
extern ZOOAPI const int ZOO_EPHEMERAL;
extern ZOOAPI const int ZOO_PERSISTENT_SEQUENTIAL;
extern ZOOAPI const int ZOO_EPHEMERAL_SEQUENTIAL;
extern ZOOAPI const int ZOO_CONTAINER;
extern ZOOAPI const int ZOO_PERSISTENT_WITH_TTL;
extern ZOOAPI const int ZOO_PERSISTENT_SEQUENTIAL_WITH_TTL;
/* The bit that makes a name sequential; the modes above say it by name. */
extern ZOOAPI const int ZOO_SEQUENCE;

/* States of a handle, given to watchers and by zoo_state. */
extern ZOOAPI const int ZOO_EXPIRED_SESSION_STATE;
extern ZOOAPI const int ZOO_AUTH_FAILED_STATE;
extern ZOOAPI const int ZOO_CONNECTING_STATE;
extern ZOOAPI const int ZOO_ASSOCIATING_STATE;
extern ZOOAPI const int ZOO_CONNECTED_STATE;
extern ZOOAPI const int ZOO_READONLY_STATE;
extern ZOOAPI const int ZOO_SSL_CONNECTING_STATE;
extern ZOOAPI const int ZOO_NOTCONNECTED_STATE;

/* Types of events: a node came, went, changed, got or lost a child; the session's state changed (the path is then "");
 * a watch is no longer kept. */
extern ZOOAPI const int ZOO_CREATED_EVENT;
extern ZOOAPI const int ZOO_DELETED_EVENT;
extern ZOOAPI const int ZOO_CHANGED_EVENT;
extern ZOOAPI const int ZOO_CHILD_EVENT;
extern ZOOAPI const int ZOO_SESSION_EVENT;
extern ZOOAPI const int ZOO_NOTWATCHING_EVENT;

typedef struct _zhandle zhandle_t;

typedef struct _zcert {
    char *certstr;
    char *ca;
    char *cert;
    char *key;
    char *passwd;
} zcert_t;

typedef struct _zsock {
    int sock;
    zcert_t *cert;
} zsock_t;

/* What another handle needs to go on with a session. */
typedef struct {
    int64_t client_id;
    char passwd[16];
} clientid_t;

/* One part of a multi; filled by the zoo_*_op_init functions. What the pointers name must stay until the completion. */
typedef struct zoo_op {
    int type;
    union {
        struct {
            const char *path;
            const char *data;
            int datalen;
            char *buf;
            int buflen;
            const struct ACL_vector *acl;
            int flags;
            int64_t ttl;
        } create_op;
        struct {
            const char *path;
            int version;
        } delete_op;
        struct {
            const char *path;
            const char *data;
            int datalen;
            int version;
            struct Stat *stat;
        } set_op;
        struct {
            const char *path;
            int version;
        } check_op;
    };
} zoo_op_t;

/* Parts of a multi. path_buffer gets the created path, cut to its size, always ended by a zero byte; stat may be NULL.
 * version -1 matches any. valuelen or buflen -1: the data is null. */
void zoo_create_op_init(zoo_op_t *op, const char *path, const char *value, int valuelen, const struct ACL_vector *acl,
                        int mode, char *path_buffer, int path_buffer_len);
void zoo_create2_op_init(zoo_op_t *op, const char *path, const char *value, int valuelen, const struct ACL_vector *acl,
                         int mode, char *path_buffer, int path_buffer_len);
void zoo_delete_op_init(zoo_op_t *op, const char *path, int version);
void zoo_set_op_init(zoo_op_t *op, const char *path, const char *buffer, int buflen, int version, struct Stat *stat);
void zoo_check_op_init(zoo_op_t *op, const char *path, int version);

/* How a part of a multi ended: err, and for a create the path (value, valuelen), for a set the stat. */
typedef struct zoo_op_result {
    int err;
    char *value;
    int valuelen;
    struct Stat *stat;
} zoo_op_result_t;

/* An event. For a session event type is ZOO_SESSION_EVENT and state tells; path is below the chroot. */
typedef void (*watcher_fn)(zhandle_t *zh, int type, int state, const char *path, void *watcherCtx);

/* A line for the log, without a newline. Called by whichever thread logs. */
typedef void (*log_callback_fn)(const char *message);

/* Starts a session and returns at once; the watcher hears ZOO_CONNECTED_STATE when there is one.
 * host: "host:port,[::1]:port/chroot", names or addresses. Names are looked up whenever a connection is made, so a name
 * that is unknown today may be known tomorrow. recv_timeout: session timeout wanted, ms. clientid: a session to go on
 * with, or NULL. NULL and errno: EINVAL (host or chroot), ENOMEM, or what pthread_create says. */
ZOOAPI zhandle_t *zookeeper_init(const char *host, watcher_fn fn, int recv_timeout, const clientid_t *clientid,
                                 void *context, int flags);
/* The same; log lines about this handle go to log_callback if it is not NULL. */
ZOOAPI zhandle_t *zookeeper_init2(const char *host, watcher_fn fn, int recv_timeout, const clientid_t *clientid,
                                  void *context, int flags, log_callback_fn log_callback);

/* The same over TLS, to the servers' secureClientPort. cert: "ca.pem,cert.pem,key.pem,password": whom to trust, and the
 * program's own certificate, its key and the key's password (the last may be missing, or the last three). As in
 * Apache's client the servers' names are not looked for in their certificates: zokor_init_tls does. Needs
 * libzokor_tls.so. NULL and errno: also EINVAL for files that cannot be used (a line in the log says which and why),
 * ENOSYS without the library. */
ZOOAPI zhandle_t *zookeeper_init_ssl(const char *host, const char *cert, watcher_fn fn, int recv_timeout,
                                     const clientid_t *clientid, void *context, int flags);

#ifdef HAVE_CYRUS_SASL_H
/* Logins by SASL, for programs that define HAVE_CYRUS_SASL_H and have the headers of Cyrus SASL; zokor_init_sasl needs
 * neither. service: usually "zookeeper". host: for GSSAPI the server's host, NULL: as the connect string calls it; for
 * DIGEST-MD5 what the servers call themselves, NULL: "zk-sasl-md5". mechlist: mechanisms to take, blanks between.
 * Texts are copied, callbacks are not: they must live as long as the handle. */
typedef struct zoo_sasl_params {
    const char *service;
    const char *host;
    const char *mechlist;
    const sasl_callback_t *callbacks;
} zoo_sasl_params_t;

/* As zookeeper_init2; the handle logs in on every connection before requests go out (sasl_params NULL: it does not). A
 * login that fails ends it: ZOO_AUTH_FAILED_STATE, ZAUTHFAILED. libsasl2 is loaded here, and started if the program has
 * not done so (sasl_client_init); callbacks run in the handle's own thread, or in the program's if it has none, one at
 * a time in the process, and must not use this library. NULL and errno: also ENOSYS without libsasl2. */
ZOOAPI zhandle_t *zookeeper_init_sasl(const char *host, watcher_fn fn, int recv_timeout, const clientid_t *clientid,
                                      void *context, int flags, log_callback_fn log_callback,
                                      zoo_sasl_params_t *sasl_params);

/* Callbacks that answer with these texts, each of which may be NULL: user for SASL_CB_USER and SASL_CB_AUTHNAME, realm
 * for SASL_CB_GETREALM, the first line of password_file for SASL_CB_PASS (NULL: it is asked for at the terminal). To be
 * freed with free() after the handle was closed, and for one handle each. NULL: no memory. */
ZOOAPI sasl_callback_t *zoo_sasl_make_basic_callbacks(const char *user, const char *realm, const char *password_file);

/* The same, as of 3.9, with a function that makes the password of what the file holds, of its first 1023 bytes: into
 * buf, and its length into *passwd_len. SASL_OK or another of libsasl2's codes. */
typedef int (*zoo_sasl_password_callback_t)(const char *content, size_t content_len, void *context, char *buf,
                                            size_t buf_len, size_t *passwd_len);
typedef struct zoo_sasl_password {
    const char *password_file;
    void *context;
    zoo_sasl_password_callback_t callback;
} zoo_sasl_password_t;
ZOOAPI sasl_callback_t *zoo_sasl_make_password_callbacks(const char *user, const char *realm,
                                                         zoo_sasl_password_t *password);
#endif

/* New list of servers. The handle moves to another server only if that spreads clients evenly or its server is not in
 * the list any more. */
ZOOAPI int zoo_set_servers(zhandle_t *zh, const char *hosts);
/* Names are looked up again before a connection is made, if the last look-up is older; -1: never again; 0 (default):
 * every time. */
ZOOAPI int zoo_set_servers_resolution_delay(zhandle_t *zh, int delay_ms);
/* The next connection goes to the server after the current one. */
ZOOAPI void zoo_cycle_next_server(zhandle_t *zh);
/* "address:port" of the current server, valid until the next call; NULL without one. */
ZOOAPI const char *zoo_get_current_server(zhandle_t *zh);

/* Ends the session, lets every waiting completion run, and frees the handle. Inside a callback of this handle it
 * returns at once and the handle ends after the callback. Returns ZOK, or ZBADARGUMENTS for NULL. */
ZOOAPI int zookeeper_close(zhandle_t *zh);

/* Valid as long as the handle; the contents change with the session. */
ZOOAPI const clientid_t *zoo_client_id(zhandle_t *zh);
/* The negotiated timeout in ms, or the wanted one before there is a session. */
ZOOAPI int zoo_recv_timeout(zhandle_t *zh);
ZOOAPI const void *zoo_get_context(zhandle_t *zh);
ZOOAPI void zoo_set_context(zhandle_t *zh, void *context);
/* The watcher of session events and of calls with watch != 0; returns the one before. */
ZOOAPI watcher_fn zoo_set_watcher(zhandle_t *zh, watcher_fn newFn);
/* The address of the server at the other end; NULL without a connection. */
ZOOAPI struct sockaddr *zookeeper_get_connected_host(zhandle_t *zh, struct sockaddr *addr, socklen_t *addr_len);
ZOOAPI int zoo_state(zhandle_t *zh);

#ifndef THREADED
/* For handles without threads (zokor_init_polled, or libzookeeper_st): which descriptor to wait for, what for, and how
 * long. *fd is -1 when there is only time to wait. */
ZOOAPI int zookeeper_interest(zhandle_t *zh, int *fd, int *interest, struct timeval *tv);
/* Does what is possible, then calls back. events: what the descriptor is ready for. */
ZOOAPI int zookeeper_process(zhandle_t *zh, int events);
#endif

/* Completions. rc is the error; if it is not ZOK, the arguments between it and `data` are NULL and 0. */
typedef void (*void_completion_t)(int rc, const void *data);
typedef void (*stat_completion_t)(int rc, const struct Stat *stat, const void *data);
/* value is not ended by a zero byte; NULL and -1 for null data. */
typedef void (*data_completion_t)(int rc, const char *value, int value_len, const struct Stat *stat, const void *data);
typedef void (*strings_completion_t)(int rc, const struct String_vector *strings, const void *data);
typedef void (*strings_stat_completion_t)(int rc, const struct String_vector *strings, const struct Stat *stat,
                                          const void *data);
typedef void (*string_completion_t)(int rc, const char *value, const void *data);
typedef void (*string_stat_completion_t)(int rc, const char *string, const struct Stat *stat, const void *data);
typedef void (*acl_completion_t)(int rc, struct ACL_vector *acl, struct Stat *stat, const void *data);

/* Asynchronous calls. `data` goes back to the completion. Calls with `watch` use the handle's watcher, calls with `w`
 * in their name the one given (NULL: none). completion may be NULL. ttl is in ms. */
ZOOAPI int zoo_acreate(zhandle_t *zh, const char *path, const char *value, int valuelen, const struct ACL_vector *acl,
                       int mode, string_completion_t completion, const void *data);
ZOOAPI int zoo_acreate_ttl(zhandle_t *zh, const char *path, const char *value, int valuelen,
                           const struct ACL_vector *acl, int mode, int64_t ttl, string_completion_t completion,
                           const void *data);
ZOOAPI int zoo_acreate2(zhandle_t *zh, const char *path, const char *value, int valuelen, const struct ACL_vector *acl,
                        int mode, string_stat_completion_t completion, const void *data);
ZOOAPI int zoo_acreate2_ttl(zhandle_t *zh, const char *path, const char *value, int valuelen,
                            const struct ACL_vector *acl, int mode, int64_t ttl, string_stat_completion_t completion,
                            const void *data);
ZOOAPI int zoo_adelete(zhandle_t *zh, const char *path, int version, void_completion_t completion, const void *data);
ZOOAPI int zoo_aexists(zhandle_t *zh, const char *path, int watch, stat_completion_t completion, const void *data);
ZOOAPI int zoo_awexists(zhandle_t *zh, const char *path, watcher_fn watcher, void *watcherCtx,
                        stat_completion_t completion, const void *data);
ZOOAPI int zoo_aget(zhandle_t *zh, const char *path, int watch, data_completion_t completion, const void *data);
ZOOAPI int zoo_awget(zhandle_t *zh, const char *path, watcher_fn watcher, void *watcherCtx,
                     data_completion_t completion, const void *data);
ZOOAPI int zoo_aset(zhandle_t *zh, const char *path, const char *buffer, int buflen, int version,
                    stat_completion_t completion, const void *data);
ZOOAPI int zoo_aget_children(zhandle_t *zh, const char *path, int watch, strings_completion_t completion,
                             const void *data);
ZOOAPI int zoo_awget_children(zhandle_t *zh, const char *path, watcher_fn watcher, void *watcherCtx,
                              strings_completion_t completion, const void *data);
ZOOAPI int zoo_aget_children2(zhandle_t *zh, const char *path, int watch, strings_stat_completion_t completion,
                              const void *data);
ZOOAPI int zoo_awget_children2(zhandle_t *zh, const char *path, watcher_fn watcher, void *watcherCtx,
                               strings_stat_completion_t completion, const void *data);
/* The server catches up with its leader before it answers what follows. */
ZOOAPI int zoo_async(zhandle_t *zh, const char *path, string_completion_t completion, const void *data);
ZOOAPI int zoo_aget_acl(zhandle_t *zh, const char *path, acl_completion_t completion, const void *data);
ZOOAPI int zoo_aset_acl(zhandle_t *zh, const char *path, int version, struct ACL_vector *acl,
                        void_completion_t completion, const void *data);
/* All parts or none. rc is the error of the part that failed; results gets one entry a part. */
ZOOAPI int zoo_amulti(zhandle_t *zh, int count, const zoo_op_t *ops, zoo_op_result_t *results,
                      void_completion_t completion, const void *data);
/* The ensemble's configuration (never below the chroot), and changing it. version -1 matches any. */
ZOOAPI int zoo_agetconfig(zhandle_t *zh, int watch, data_completion_t completion, const void *data);
ZOOAPI int zoo_awgetconfig(zhandle_t *zh, watcher_fn watcher, void *watcherCtx, data_completion_t completion,
                           const void *data);
ZOOAPI int zoo_areconfig(zhandle_t *zh, const char *joining, const char *leaving, const char *members, int64_t version,
                         data_completion_t dc, const void *data);
/* Proves an id to this server and to every later one. The completion tells how the first proof ended. */
ZOOAPI int zoo_add_auth(zhandle_t *zh, const char *scheme, const char *cert, int certLen, void_completion_t completion,
                        const void *data);

typedef enum { ZWATCHTYPE_CHILD = 1, ZWATCHTYPE_DATA = 2, ZWATCHTYPE_ANY = 3 } ZooWatcherType;

/* Forgets a watcher (NULL: all) of a path. local: here even if the server cannot be told. ZNOWATCHER: there is none
 * (of the calls with `all` in their name, the server says so).
 * The completion is passed as a pointer to its pointer type for the sake of old programs; it is the function itself. */
ZOOAPI int zoo_aremove_watches(zhandle_t *zh, const char *path, ZooWatcherType wtype, watcher_fn watcher,
                               void *watcherCtx, int local, void_completion_t *completion, const void *data);
ZOOAPI int zoo_remove_all_watches(zhandle_t *zh, const char *path, ZooWatcherType wtype, int local);
ZOOAPI int zoo_aremove_all_watches(zhandle_t *zh, const char *path, ZooWatcherType wtype, int local,
                                   void_completion_t *completion, const void *data);

/* The text of an error; of errno's if it is positive. */
ZOOAPI const char *zerror(int c);
/* ZINVALIDSTATE if the session is over, otherwise 0. */
ZOOAPI int is_unrecoverable(zhandle_t *zh);

/* Logging, for all handles: highest level (0: nothing is logged), and the stream (NULL: stderr). */
ZOOAPI void zoo_set_debug_level(ZooLogLevel level);
ZOOAPI void zoo_set_log_stream(FILE *logStream);
ZOOAPI log_callback_fn zoo_get_log_callback(const zhandle_t *zh);
ZOOAPI void zoo_set_log_callback(zhandle_t *zh, log_callback_fn callback);

/* Non-zero: handles made from now on try the servers in the order given. Otherwise a random one. */
ZOOAPI void zoo_deterministic_conn_order(int yesOrNo);

#ifdef THREADED
/* Calls that wait. path_buffer gets the created path, cut to its size. *buffer_len: room in, bytes out (-1 for null); a
 * longer value is cut. stat may be NULL. strings and acl are given to the caller, who frees them with deallocate_*. */
ZOOAPI int zoo_create(zhandle_t *zh, const char *path, const char *value, int valuelen, const struct ACL_vector *acl,
                      int mode, char *path_buffer, int path_buffer_len);
ZOOAPI int zoo_create_ttl(zhandle_t *zh, const char *path, const char *value, int valuelen,
                          const struct ACL_vector *acl, int mode, int64_t ttl, char *path_buffer, int path_buffer_len);
ZOOAPI int zoo_create2(zhandle_t *zh, const char *path, const char *value, int valuelen, const struct ACL_vector *acl,
                       int mode, char *path_buffer, int path_buffer_len, struct Stat *stat);
ZOOAPI int zoo_create2_ttl(zhandle_t *zh, const char *path, const char *value, int valuelen,
                           const struct ACL_vector *acl, int mode, int64_t ttl, char *path_buffer, int path_buffer_len,
                           struct Stat *stat);
ZOOAPI int zoo_delete(zhandle_t *zh, const char *path, int version);
ZOOAPI int zoo_exists(zhandle_t *zh, const char *path, int watch, struct Stat *stat);
ZOOAPI int zoo_wexists(zhandle_t *zh, const char *path, watcher_fn watcher, void *watcherCtx, struct Stat *stat);
ZOOAPI int zoo_get(zhandle_t *zh, const char *path, int watch, char *buffer, int *buffer_len, struct Stat *stat);
ZOOAPI int zoo_wget(zhandle_t *zh, const char *path, watcher_fn watcher, void *watcherCtx, char *buffer,
                    int *buffer_len, struct Stat *stat);
ZOOAPI int zoo_getconfig(zhandle_t *zh, int watch, char *buffer, int *buffer_len, struct Stat *stat);
ZOOAPI int zoo_wgetconfig(zhandle_t *zh, watcher_fn watcher, void *watcherCtx, char *buffer, int *buffer_len,
                          struct Stat *stat);
ZOOAPI int zoo_reconfig(zhandle_t *zh, const char *joining, const char *leaving, const char *members, int64_t version,
                        char *buffer, int *buffer_len, struct Stat *stat);
ZOOAPI int zoo_set(zhandle_t *zh, const char *path, const char *buffer, int buflen, int version);
ZOOAPI int zoo_set2(zhandle_t *zh, const char *path, const char *buffer, int buflen, int version, struct Stat *stat);
ZOOAPI int zoo_get_children(zhandle_t *zh, const char *path, int watch, struct String_vector *strings);
ZOOAPI int zoo_wget_children(zhandle_t *zh, const char *path, watcher_fn watcher, void *watcherCtx,
                             struct String_vector *strings);
ZOOAPI int zoo_get_children2(zhandle_t *zh, const char *path, int watch, struct String_vector *strings,
                             struct Stat *stat);
ZOOAPI int zoo_wget_children2(zhandle_t *zh, const char *path, watcher_fn watcher, void *watcherCtx,
                              struct String_vector *strings, struct Stat *stat);
ZOOAPI int zoo_get_acl(zhandle_t *zh, const char *path, struct ACL_vector *acl, struct Stat *stat);
ZOOAPI int zoo_set_acl(zhandle_t *zh, const char *path, int version, const struct ACL_vector *acl);
ZOOAPI int zoo_multi(zhandle_t *zh, int count, const zoo_op_t *ops, zoo_op_result_t *results);
ZOOAPI int zoo_remove_watches(zhandle_t *zh, const char *path, ZooWatcherType wtype, watcher_fn watcher,
                              void *watcherCtx, int local);
#endif

#ifdef __cplusplus
}
#endif

#endif
