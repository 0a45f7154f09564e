/* Requests: how each is put on the wire, whoever waits for it. */
#include "client/shell.h"
#include "base/err.h"
#include "wire/proto.h"
#include "wire/records.h"
#include <string.h>

/* The initial-exec model needs nothing of the dynamic linker, and one word fits wherever the library is loaded. */
static _Thread_local int thread_deadline_ms __attribute__((tls_model("initial-exec")));

static _Thread_local unsigned thread_tags __attribute__((tls_model("initial-exec")));

int zokor_thread_prompt(int on)
{
    unsigned before = thread_tags;
    thread_tags = on != 0 ? TAG_PROMPT : 0;
    thread_tags |= (on & ZOKOR_PROMPT_MORE) != 0 ? TAG_MORE : 0;
    thread_tags |= (on & ZOKOR_PROMPT_WATCHES) != 0 ? TAG_WATCHES : 0;
    if (before == 0)
        return 0;
    return ((before & TAG_MORE) == 0 ? ZOKOR_PROMPT : ZOKOR_PROMPT_MORE) |
           ((before & TAG_WATCHES) == 0 ? 0 : ZOKOR_PROMPT_WATCHES);
}

int zokor_thread_deadline(int timeout_ms)
{
    int before = thread_deadline_ms;
    thread_deadline_ms = timeout_ms < 0 ? 0 : timeout_ms;
    return before;
}

void zokor_set_request_timeout(zhandle_t *zh, int timeout_ms)
{
    if (zh == NULL)
        return;
    pthread_mutex_lock(&zh->lock);
    zh->request_timeout_ms = timeout_ms < 0 ? 0 : timeout_ms;
    pthread_mutex_unlock(&zh->lock);
}

struct client_call call_of(void (*fn)(void), const void *data, enum shape shape)
{
    return (struct client_call){ .fn = fn, .data = data, .tag = shape | thread_tags };
}

int request_begin(struct request *q, zhandle_t *zh, int32_t op, const struct client_call *call)
{
    if (zh == NULL)
        return ZBADARGUMENTS;
    if ((call->tag & TAG_SYNC) != 0 && !zh->threaded) /* nobody would read the answer while this thread waits */
        return ZINVALIDSTATE;
    *q = (struct request){ .zh = zh };
    pthread_mutex_lock(&zh->lock);
    int rc = client_begin(zh->core, op, &q->b);
    if (rc != 0)
        pthread_mutex_unlock(&zh->lock);
    return rc;
}

static void append_path(struct request *q, struct slice chroot, const char *path)
{
    size_t n = strlen(path);
    if (chroot.n > 0 && n == 1)
        n = 0; /* "/" is the chroot itself */
    uint8_t *p = buf_add(q->b, 4 + chroot.n + n);
    if (p == NULL)
        return;
    store_be32(p, (uint32_t)(chroot.n + n));
    if (chroot.n > 0)
        memcpy(p + 4, chroot.p, chroot.n);
    memcpy(p + 4 + chroot.n, path, n);
    q->path_n = chroot.n + n;
    q->path_at = q->b->n - q->path_n;
}

void request_path(struct request *q, const char *path)
{
    append_path(q, client_chroot(q->zh->core), path);
}

static int64_t deadline_of(const zhandle_t *zh)
{
    int ms = thread_deadline_ms > 0 ? thread_deadline_ms : zh->request_timeout_ms;
    return ms == 0 ? 0 : clock_ms() + ms;
}

/* The request is pending: a caller that waits is counted and, if it will do nothing but wait, sends it; otherwise the
 * io thread does, together with what is made meanwhile. Gives the lock back. */
static void sent(zhandle_t *zh, const struct client_call *call, bool has_deadline)
{
    bool waits = (call->tag & TAG_SYNC) != 0;
    bool sends = (call->tag & (TAG_SYNC | TAG_PROMPT)) != 0 && zh->threaded && client_has_output(zh->core);
    bool later = deliver_is_here(zh); /* whoever receives sends all that is asked for meanwhile together */
    sends = sends && !later;
    zh->callers += waits;
    if (waits)
        (void)share_take(zh); /* zokor_await follows */
    if ((!sends && !later) || has_deadline)
        io_wake_if_asleep(zh);
    pthread_mutex_unlock(&zh->lock);
    if (sends)
        io_send_now(zh, (call->tag & TAG_MORE) != 0);
}

int request_send(struct request *q, const struct client_call *call, enum client_watch_kind kind, watcher_fn watcher,
                 void *context)
{
    zhandle_t *zh = q->zh;
    struct client_watch_wish wish = { .kind = kind,
                                      .watcher = { (void (*)(void))watcher, context, call->tag & TAG_WATCHES } };
    if (watcher != NULL && q->b->err == 0)
        wish.path = slice_of(q->b->p + q->path_at, q->path_n);
    int64_t deadline = deadline_of(zh);
    int rc = client_commit(zh->core, call, deadline, watcher == NULL ? NULL : &wish);
    if (rc != 0) {
        pthread_mutex_unlock(&zh->lock);
        return rc;
    }
    sent(zh, call, deadline != 0);
    return ZOK;
}

struct client_call wait_call(struct sync_wait *w, enum shape shape)
{
    sem_init(&w->done, 0, 0);
    w->rc = ZSYSTEMERROR;
    return (struct client_call){ .extra = w, .tag = shape | TAG_SYNC };
}

static int is_done(void *context)
{
    struct sync_wait *w = context;
    return sem_trywait(&w->done) == 0;
}

int wait_for(zhandle_t *zh, struct sync_wait *w, int rc)
{
    if (rc == 0) {
        if (zokor_await(zh, is_done, w, -1) != ZOK) {
            while (sem_wait(&w->done) != 0) {
                /* interrupted by a signal */
            }
        }
        rc = w->rc;
        pthread_mutex_lock(&zh->lock);
        if (--zh->callers == 0 && zh->closing)
            pthread_cond_signal(&zh->callers_gone);
        pthread_mutex_unlock(&zh->lock);
    }
    sem_destroy(&w->done);
    return rc;
}

void request_acls(struct buf *b, const struct ACL_vector *acl)
{
    int32_t n = acl == NULL ? 0 : acl->count;
    wire_put_i32(b, n);
    for (int32_t i = 0; i < n; i++) {
        const struct ACL *a = &acl->data[i];
        wire_put_acl(b, (struct wire_acl){ .perms = a->perms,
                                           .id = { a->id.scheme == NULL ? (struct slice){ 0 } : slice_str(a->id.scheme),
                                                   a->id.id == NULL ? (struct slice){ 0 } : slice_str(a->id.id) } });
    }
}

/* A negative length says that the value is null. */
struct slice request_value(const char *value, int n)
{
    return n < 0 ? (struct slice){ 0 } : slice_of(value == NULL ? "" : value, value == NULL ? 0 : (size_t)n);
}

bool mode_is_sequential(int mode)
{
    return mode == ZOO_PERSISTENT_SEQUENTIAL || mode == ZOO_EPHEMERAL_SEQUENTIAL ||
           mode == ZOO_PERSISTENT_SEQUENTIAL_WITH_TTL;
}

static bool mode_has_ttl(int mode)
{
    return mode == ZOO_PERSISTENT_WITH_TTL || mode == ZOO_PERSISTENT_SEQUENTIAL_WITH_TTL;
}

int32_t create_opcode(int mode, bool with_stat)
{
    if (mode_has_ttl(mode))
        return WIRE_OP_CREATE_TTL;
    if (mode == ZOO_CONTAINER)
        return WIRE_OP_CREATE_CONTAINER;
    return with_stat ? WIRE_OP_CREATE2 : WIRE_OP_CREATE;
}

int request_create(zhandle_t *zh, const struct create_args *a, const struct client_call *call)
{
    struct request q;
    if (zh == NULL || !client_path_valid(a->path, mode_is_sequential(a->mode)) || a->mode < 0 || a->mode > 6)
        return ZBADARGUMENTS;
    if (mode_has_ttl(a->mode) ? a->ttl_ms <= 0 || a->ttl_ms > WIRE_TTL_MS_MAX : a->ttl_ms > 0)
        return ZBADARGUMENTS;
    int rc = request_begin(&q, zh, create_opcode(a->mode, a->with_stat), call);
    if (rc != 0)
        return rc;
    request_path(&q, a->path);
    wire_put_buffer(q.b, request_value(a->value, a->valuelen));
    request_acls(q.b, a->acl);
    wire_put_i32(q.b, a->mode);
    if (mode_has_ttl(a->mode))
        wire_put_i64(q.b, a->ttl_ms);
    return request_send(&q, call, 0, NULL, NULL);
}

int request_path_version(zhandle_t *zh, int32_t op, const char *path, int version, const struct client_call *call)
{
    struct request q;
    if (!client_path_valid(path, false))
        return ZBADARGUMENTS;
    int rc = request_begin(&q, zh, op, call);
    if (rc != 0)
        return rc;
    request_path(&q, path);
    wire_put_i32(q.b, version);
    return request_send(&q, call, 0, NULL, NULL);
}

int request_read(zhandle_t *zh, int32_t op, const char *path, watcher_fn watcher, void *context,
                 const struct client_call *call)
{
    struct request q;
    enum client_watch_kind kind = op == WIRE_OP_EXISTS     ? CLIENT_WATCH_EXIST
                                  : op == WIRE_OP_GET_DATA ? CLIENT_WATCH_DATA
                                                           : CLIENT_WATCH_CHILD;
    if (!client_path_valid(path, false))
        return ZBADARGUMENTS;
    int rc = request_begin(&q, zh, op, call);
    if (rc != 0)
        return rc;
    request_path(&q, path);
    wire_put_bool(q.b, watcher != NULL);
    return request_send(&q, call, kind, watcher, context);
}

int request_set(zhandle_t *zh, const char *path, const char *value, int n, int version, const struct client_call *call)
{
    struct request q;
    if (!client_path_valid(path, false))
        return ZBADARGUMENTS;
    int rc = request_begin(&q, zh, WIRE_OP_SET_DATA, call);
    if (rc != 0)
        return rc;
    request_path(&q, path);
    wire_put_buffer(q.b, request_value(value, n));
    wire_put_i32(q.b, version);
    return request_send(&q, call, 0, NULL, NULL);
}

/* Requests that are a path, or nothing if it is NULL. */
int request_plain(zhandle_t *zh, int32_t op, const char *path, const struct client_call *call)
{
    struct request q;
    if (path != NULL && !client_path_valid(path, false))
        return ZBADARGUMENTS;
    int rc = request_begin(&q, zh, op, call);
    if (rc != 0)
        return rc;
    if (path != NULL)
        request_path(&q, path);
    return request_send(&q, call, 0, NULL, NULL);
}

int request_set_acl(zhandle_t *zh, const char *path, int version, const struct ACL_vector *acl,
                    const struct client_call *call)
{
    struct request q;
    if (!client_path_valid(path, false))
        return ZBADARGUMENTS;
    int rc = request_begin(&q, zh, WIRE_OP_SET_ACL, call);
    if (rc != 0)
        return rc;
    request_path(&q, path);
    request_acls(q.b, acl);
    wire_put_i32(q.b, version);
    return request_send(&q, call, 0, NULL, NULL);
}

/* The configuration is the ensemble's: it is never below the chroot. */
int request_config(zhandle_t *zh, watcher_fn watcher, void *context, const struct client_call *call)
{
    struct request q;
    int rc = request_begin(&q, zh, WIRE_OP_GET_DATA, call);
    if (rc != 0)
        return rc;
    append_path(&q, (struct slice){ 0 }, ZOO_CONFIG_NODE);
    wire_put_bool(q.b, watcher != NULL);
    return request_send(&q, call, CLIENT_WATCH_DATA, watcher, context);
}

static struct slice text_or_null(const char *s)
{
    return s == NULL ? (struct slice){ 0 } : slice_str(s);
}

int request_reconfig(zhandle_t *zh, const char *joining, const char *leaving, const char *members, int64_t version,
                     const struct client_call *call)
{
    struct request q;
    const struct wire_reconfig_request r = { .joining_servers = text_or_null(joining),
                                             .leaving_servers = text_or_null(leaving),
                                             .new_members = text_or_null(members),
                                             .config_id = version };
    int rc = request_begin(&q, zh, WIRE_OP_RECONFIG, call);
    if (rc != 0)
        return rc;
    wire_put_reconfig_request(q.b, &r);
    return request_send(&q, call, 0, NULL, NULL);
}

static unsigned kinds_of(int type)
{
    static const unsigned kinds[] = {
        [ZOKOR_WATCHES_CHILD] = CLIENT_WATCH_BIT(CLIENT_WATCH_CHILD),
        [ZOKOR_WATCHES_DATA] = CLIENT_WATCH_BIT(CLIENT_WATCH_DATA) | CLIENT_WATCH_BIT(CLIENT_WATCH_EXIST),
        [ZOKOR_WATCHES_ANY] = CLIENT_WATCH_ANY,
        [ZOKOR_WATCHES_PERSISTENT] = CLIENT_WATCH_BIT(CLIENT_WATCH_PERSISTENT),
        [ZOKOR_WATCHES_RECURSIVE] = CLIENT_WATCH_BIT(CLIENT_WATCH_RECURSIVE),
    };
    return type >= ZOKOR_WATCHES_CHILD && type <= ZOKOR_WATCHES_RECURSIVE ? kinds[type] : 0;
}

/* Answered here, without a server. Gives the lock back. */
static int answer_now(zhandle_t *zh, const struct client_call *call)
{
    client_abandon(zh->core);
    client_tell(zh->core, call, 0);
    sent(zh, call, true);
    return ZOK;
}

/* The server is told to remove when nobody else here wants the watch, and only asked when somebody does. */
int request_unwatch(zhandle_t *zh, const char *path, int type, watcher_fn watcher, void *context, enum unwatch how,
                    const struct client_call *call)
{
    const bool local = how == UNWATCH_LOCAL || how == UNWATCH_ALL_LOCAL;
    struct request q;
    const struct client_watcher one = { (void (*)(void))watcher, context, 0 };
    const struct client_watcher *which = watcher == NULL ? NULL : &one;
    unsigned kinds = kinds_of(type);
    if (kinds == 0 || !client_path_valid(path, false))
        return ZBADARGUMENTS;
    int rc = request_begin(&q, zh, WIRE_OP_REMOVE_WATCHES, call);
    if (rc != 0)
        return rc;
    request_path(&q, path);
    wire_put_i32(q.b, type);
    if (q.b->err != 0)
        return request_send(&q, call, 0, NULL, NULL); /* gives the error */
    struct client_watches *tables = client_watch_tables(zh->core);
    struct slice full = slice_of(q.b->p + q.path_at, q.path_n);
    int state = (int)client_state_of(zh->core);
    bool up = state == CLIENT_STATE_CONNECTED || state == CLIENT_STATE_READ_ONLY;
    bool known = client_watches_have(tables, full, kinds, which);
    if (!known && how == UNWATCH_ALL_LOCAL)
        return answer_now(zh, call);
    if (!known && how != UNWATCH_ALL) {
        client_abandon(zh->core);
        pthread_mutex_unlock(&zh->lock);
        return ZNOWATCHER;
    }
    if (client_watch_shared(zh->core, full, kinds, which))
        store_be32(q.b->p + q.path_at - 8, WIRE_OP_CHECK_WATCHES); /* the header's type, before the path's length */
    if (local)
        client_forget_now(zh->core, full, kinds, which);
    if (local && !up)
        return answer_now(zh, call);
    rc = client_commit(zh->core, call, deadline_of(zh), NULL);
    if (rc != 0) {
        pthread_mutex_unlock(&zh->lock);
        return rc;
    }
    if (!local)
        client_forget_after(zh->core, full, kinds, which);
    sent(zh, call, true);
    return ZOK;
}
