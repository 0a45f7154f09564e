/* Requests: one engine for the foreground and the background. An operation sends one request after the other (`send`),
 * and every answer (`answered`) says what comes next. */
#include "recipe/internal.h"
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>

struct op_wait {
    sem_t done;           /* posted without the lock: the caller needs that at once */
    zhandle_t *zh;        /* in which the caller waits meanwhile; the lock */
    atomic_bool finished; /* `done` is, or will be, posted */
    struct zokor_result *result;
    int rc;
};

static char *copy_bytes(const void *data, int n)
{
    if (n < 0)
        return NULL;
    char *copy = mem_alloc((size_t)n + 1);
    if (n > 0)
        memcpy(copy, data, (size_t)n);
    copy[n] = 0;
    return copy;
}

void zokor_result_clear(struct zokor_result *r)
{
    mem_free(r->path);
    mem_free(r->data);
    deallocate_String_vector(&r->children);
    deallocate_ACL_vector(&r->acl);
    for (int i = 0; i < r->part_count; i++)
        mem_free(r->parts[i].path);
    mem_free(r->parts);
    *r = (struct zokor_result){ .data_len = -1 };
}

static void op_free(struct op *op)
{
    zokor_result_clear(&op->result);
    mem_free((void *)op->q.path);
    mem_free((void *)op->q.data);
    mem_free((void *)op->q.joining);
    mem_free((void *)op->q.leaving);
    mem_free((void *)op->q.members);
    deallocate_ACL_vector(&op->acl);
    for (size_t i = 0; i < op->stack_n; i++)
        mem_free(op->stack[i]);
    mem_free(op->stack);
    mem_free(op->found);
    mem_free(op->path);
    mem_free(op->sending);
    transaction_drop(op);
    mem_free(op);
}

static void run_callback(struct event *e)
{
    struct op *op = CONTAINER_OF(e, struct op, event);
    op->callback(op->view, &op->result, op->context);
    op_free(op);
}

bool op_sets_watch(enum zokor_operation operation, int rc)
{
    return rc == ZOK || (rc == ZNONODE && operation == ZOKOR_EXISTS);
}

void op_finish(struct op *op, int rc)
{
    struct client *c = op->client;
    if (op->watch != NULL && op_sets_watch(op->q.operation, rc)) {
        watch_settle(op->watch);
    } else if (op->watch != NULL) {
        watch_unset(op->watch);
        watch_free(op->watch);
    }
    op->result.rc = rc;
    op->result.operation = op->q.operation;
    if (op->result.path == NULL)
        op->result.path = recipe_copy(op->q.path);
    pthread_mutex_lock(&c->lock);
    list_remove(&op->link);
    if (c->closing)
        pthread_cond_broadcast(&c->changed);
    struct op_wait *w = op->wait;
    if (w != NULL) {
        w->rc = rc;
        if (w->result != NULL) {
            *w->result = op->result;
            op->result = (struct zokor_result){ .data_len = -1 };
        }
    }
    if (w == NULL && op->callback != NULL && !op->direct) {
        op->event.run = run_callback;
        list_push_back(&c->queue, &op->event.link);
        pthread_cond_signal(&c->event_wake);
        op = NULL;
    }
    if (w != NULL) {
        atomic_store(&w->finished, true);
        zokor_nudge(w->zh);
    }
    pthread_mutex_unlock(&c->lock);
    if (op == NULL)
        return;
    if (op->callback != NULL)
        op->callback(op->view, &op->result, op->context);
    op_free(op);
    if (w != NULL)
        sem_post(&w->done);
}

/* Answers that are not the server's. */
static int error_of(struct client *c, int rc)
{
    if (rc != ZINVALIDSTATE && rc != ZCLOSING && rc != ZSESSIONEXPIRED)
        return rc;
    pthread_mutex_lock(&c->lock);
    bool closing = c->closing;
    pthread_mutex_unlock(&c->lock);
    return closing ? ZCLOSING : ZSESSIONEXPIRED;
}

/* The next try gets a watch of its own; what becomes of this one is of no interest. */
static void renew_watch(struct op *op)
{
    struct watch *old = op->watch;
    op->watch = watch_new(op->view, old->path, op->q.watch, op->q.watch_context, old->direct);
    watch_abandon(old);
}

static void answer(struct op *op, int rc)
{
    if (rc == ZREQUESTTIMEOUT && op->watch != NULL)
        renew_watch(op); /* the answer may come after all, and sets it */
    op->answered(op, error_of(op->client, rc));
}

static void refused(struct timer *t)
{
    struct op *op = CONTAINER_OF(t, struct op, timer);
    answer(op, op->refusal);
}

static bool is_of_session(const struct op *op, const struct session *s)
{
    pthread_mutex_lock(&op->client->lock);
    bool is = op->only_session == 0 || op->only_session == s->id;
    pthread_mutex_unlock(&op->client->lock);
    return is;
}

void op_send(struct op *op, int (*send)(struct op *, zhandle_t *), void (*answered)(struct op *, int))
{
    struct session *s = session_hold(op->client);
    int rc = ZCONNECTIONLOSS;
    op->answered = answered;
    if (s != NULL && !is_of_session(op, s)) {
        op->retry = zokor_retry_never();
        rc = ZSESSIONEXPIRED;
        session_release(s);
    } else if (s != NULL) {
        if (op->watch != NULL) {
            watch_unset(op->watch);
            watch_set(op->watch, s);
        }
        rc = send(op, s->zh);
        session_release(s);
    } else if (error_of(op->client, ZCLOSING) == ZCLOSING) {
        rc = ZCLOSING;
    }
    if (rc == ZOK)
        return; /* it may be finished already */
    if (op->watch != NULL)
        watch_unset(op->watch);
    op->refusal = rc;
    op->timer.run = refused;
    client_arm(op->client, &op->timer, 0);
}

static void begin(struct op *op);

static void again(struct timer *t)
{
    begin(CONTAINER_OF(t, struct op, timer));
}

void op_retry(struct op *op, int rc)
{
    int64_t elapsed = recipe_now_ms() - op->started_ms;
    if (op->watch != NULL) /* or the end of the session in which it was tried would free it */
        watch_unset(op->watch);
    int sleep_ms = rc == ZCLOSING ? -1 : zokor_retry_sleep_ms(&op->retry, op->retries, elapsed);
    if (sleep_ms >= 0) {
        op->retries++;
        op->timer.run = again;
        client_arm(op->client, &op->timer, sleep_ms);
        return;
    }
    if (op->q.operation == ZOKOR_CREATE && rc != ZCLOSING)
        create_given_up(op);
    if (op->q.operation == ZOKOR_DELETE && rc != ZCLOSING)
        delete_given_up(op);
    op_finish(op, rc);
}

void op_end(struct op *op, int rc)
{
    if (zokor_is_retryable(rc) || rc == ZCLOSING)
        op_retry(op, rc);
    else
        op_finish(op, rc);
}

void op_void_done(int rc, const void *data)
{
    answer((struct op *)data, rc);
}

void op_stat_done(int rc, const struct Stat *stat, const void *data)
{
    struct op *op = (struct op *)data;
    if (rc == ZOK)
        op->result.stat = *stat;
    answer(op, rc);
}

void op_string_stat_done(int rc, const char *path, const struct Stat *stat, const void *data)
{
    struct op *op = (struct op *)data;
    if (rc == ZOK) {
        mem_free(op->found);
        op->found = recipe_copy(path);
        op->result.stat = *stat;
    }
    answer(op, rc);
}

void op_string_done(int rc, const char *path, const void *data)
{
    (void)path;
    answer((struct op *)data, rc);
}

void op_strings_stat_done(int rc, const struct String_vector *strings, const struct Stat *stat, const void *data)
{
    struct op *op = (struct op *)data;
    deallocate_String_vector(&op->result.children);
    op->result.children = (struct String_vector){ .count = 0 };
    if (rc == ZOK && allocate_String_vector(&op->result.children, strings->count) == 0) {
        for (int32_t i = 0; i < strings->count; i++)
            op->result.children.data[i] = recipe_copy(strings->data[i]);
        op->result.stat = *stat;
    }
    answer(op, rc);
}

void op_data_done(int rc, const char *value, int n, const struct Stat *stat, const void *data)
{
    struct op *op = (struct op *)data;
    mem_free(op->result.data);
    op->result.data = NULL;
    op->result.data_len = -1;
    if (rc == ZOK) {
        op->result.stat = *stat;
        if (value != NULL && op->decompress) {
            rc = zokor_gunzip(value, n, &op->result.data, &op->result.data_len);
        } else if (value != NULL) {
            op->result.data = copy_bytes(value, n);
            op->result.data_len = n;
        }
    }
    answer(op, rc);
}

static void on_acl(int rc, struct ACL_vector *acl, struct Stat *stat, const void *data)
{
    struct op *op = (struct op *)data;
    if (rc == ZOK) {
        recipe_copy_acl(acl, &op->result.acl);
        op->result.stat = *stat;
    }
    answer(op, rc);
}

/* The simple ones: one request. */
static int send_simple(struct op *op, zhandle_t *zh)
{
    const struct zokor_request *q = &op->q;
    watcher_fn fn = op->watch == NULL ? NULL : watch_fired;
    switch (q->operation) {
    case ZOKOR_EXISTS:
        return zoo_awexists(zh, op->path, fn, op->watch, op_stat_done, op);
    case ZOKOR_GET:
        return zoo_awget(zh, op->path, fn, op->watch, op_data_done, op);
    case ZOKOR_SET:
        return zoo_aset(zh, op->path, op->sending, op->sending_len, q->version, op_stat_done, op);
    case ZOKOR_GET_CHILDREN:
        return zoo_awget_children2(zh, op->path, fn, op->watch, op_strings_stat_done, op);
    case ZOKOR_GET_ACL:
        return zoo_aget_acl(zh, op->path, on_acl, op);
    case ZOKOR_SET_ACL:
        return zoo_aset_acl(zh, op->path, q->version, &op->acl, op_void_done, op);
    case ZOKOR_SYNC:
        return zoo_async(zh, op->path, op_string_done, op);
    case ZOKOR_GET_CONFIG:
        return zoo_awgetconfig(zh, fn, op->watch, op_data_done, op);
    case ZOKOR_RECONFIG:
        return zoo_areconfig(zh, q->joining, q->leaving, q->members, q->config_version == 0 ? -1 : q->config_version,
                             op_data_done, op);
    default:
        return ZBADARGUMENTS;
    }
}

static void exists_answered(struct op *op, int rc)
{
    unsigned parents = op->q.flags & (ZOKOR_PARENTS | ZOKOR_CONTAINER_PARENTS);
    if (rc == ZNONODE && parents != 0 && op->parents_rounds == 0) {
        if (op->watch != NULL)
            renew_watch(op); /* it is set: it would fire for what comes between */
        parents_begin(op, (size_t)(strrchr(op->path, '/') - op->path), begin);
    } else {
        op_end(op, rc);
    }
}

static int send_get(struct op *op, zhandle_t *zh)
{
    return zoo_aget(zh, op->path, 0, op_data_done, op);
}

/* An earlier try, whose reply was lost, did it: the data is ours, and the version the one after. */
static void set_compared(struct op *op, int rc)
{
    bool same = rc == ZOK && op->result.stat.version == op->q.version + 1 && op_data_is_own(op);
    mem_free(op->result.data);
    op->result.data = NULL;
    op->result.data_len = -1;
    op_end(op, rc != ZOK ? rc : same ? ZOK : ZBADVERSION);
}

static void set_answered(struct op *op, int rc)
{
    if (rc == ZBADVERSION && op->lost && (op->q.flags & ZOKOR_IDEMPOTENT) != 0) {
        op_send(op, send_get, set_compared);
        return;
    }
    op->lost = op->lost || zokor_is_retryable(rc);
    op_end(op, rc);
}

bool op_data_is_own(const struct op *op)
{
    return op->result.data_len == op->sending_len &&
           (op->sending_len <= 0 || memcmp(op->result.data, op->sending, (size_t)op->sending_len) == 0);
}

static void begin(struct op *op)
{
    switch (op->q.operation) {
    case ZOKOR_CREATE:
        create_begin(op);
        break;
    case ZOKOR_DELETE:
        delete_begin(op);
        break;
    case ZOKOR_TRANSACTION:
        transaction_begin(op);
        break;
    case ZOKOR_EXISTS:
        op_send(op, send_simple, exists_answered);
        break;
    case ZOKOR_SET:
        op_send(op, send_simple, set_answered);
        break;
    default:
        op_send(op, send_simple, op_end);
    }
}

/* Whether data of this request is compressed. */
static bool is_compressed(const struct client *c, const struct zokor_request *q)
{
    if ((q->flags & ZOKOR_UNCOMPRESSED) != 0)
        return false;
    return c->compress || (q->flags & ZOKOR_COMPRESSED) != 0;
}

static int take_data(struct op *op, const struct zokor_request *q)
{
    int n = q->data == NULL && q->data_len > 0 ? 0 : q->data_len;
    if (q->operation == ZOKOR_GET)
        op->decompress = is_compressed(op->client, q);
    if (q->operation != ZOKOR_CREATE && q->operation != ZOKOR_SET)
        return ZOK;
    if (n >= 0 && is_compressed(op->client, q))
        return zokor_gzip(q->data, n, &op->sending, &op->sending_len);
    op->sending = copy_bytes(q->data, n);
    op->sending_len = n;
    return ZOK;
}

static int op_new(struct zokor_framework *f, const struct zokor_request *q, struct op **out)
{
    static const bool has_no_path[ZOKOR_RECONFIG + 1] = {
        [ZOKOR_TRANSACTION] = true, [ZOKOR_GET_CONFIG] = true, [ZOKOR_RECONFIG] = true
    };
    struct client *c = f->client;
    if (q->operation < ZOKOR_CREATE || q->operation > ZOKOR_RECONFIG)
        return ZBADARGUMENTS;
    if (!has_no_path[q->operation] && (q->path == NULL || q->path[0] != '/'))
        return ZBADARGUMENTS;
    if (q->operation == ZOKOR_TRANSACTION && q->transaction == NULL)
        return ZBADARGUMENTS;
    struct op *op = mem_zalloc(sizeof(*op));
    list_init(&op->link);
    list_init(&op->timer.link);
    op->client = c;
    op->view = f;
    op->q = *q;
    op->q.data = NULL;
    op->q.path = recipe_copy(q->path);
    op->q.joining = recipe_copy(q->joining);
    op->q.leaving = recipe_copy(q->leaving);
    op->q.members = recipe_copy(q->members);
    op->q.version = q->has_version ? q->version : -1;
    op->retry = q->retry != NULL ? *q->retry : c->retry;
    op->result.data_len = -1;
    op->path = view_path(f, q->path == NULL ? "/" : q->path);
    if (q->operation == ZOKOR_CREATE || q->operation == ZOKOR_SET_ACL || q->operation == ZOKOR_TRANSACTION) {
        pthread_mutex_lock(&c->lock);
        recipe_copy_acl(q->acl != NULL ? q->acl : &c->acl, &op->acl);
        pthread_mutex_unlock(&c->lock);
    }
    int rc = take_data(op, q);
    if (rc == ZOK && q->operation == ZOKOR_TRANSACTION)
        transaction_take(op);
    if (rc == ZOK && q->watch != NULL)
        op->watch = watch_new(f, q->path != NULL ? op->path : ZOO_CONFIG_NODE, q->watch, q->watch_context, false);
    if (rc != ZOK) {
        op_free(op);
        return rc;
    }
    *out = op;
    return ZOK;
}

static int enter(struct op *op)
{
    struct client *c = op->client;
    pthread_mutex_lock(&c->lock);
    bool closing = c->closing;
    if (!closing)
        list_push_back(&c->operations, &op->link);
    pthread_mutex_unlock(&c->lock);
    if (closing) {
        watch_free(op->watch);
        op_free(op);
        return ZCLOSING;
    }
    op->started_ms = recipe_now_ms();
    begin(op);
    return ZOK;
}

static int op_new_for(struct zokor_framework *f, const struct zokor_request *q, zokor_result_fn callback, void *context,
                      bool direct, struct op **out)
{
    int rc = op_new(f, q, out);
    if (rc != ZOK)
        return rc;
    struct op *op = *out;
    op->callback = callback;
    op->context = context;
    op->direct = direct;
    if (op->watch != NULL)
        op->watch->direct = direct;
    return ZOK;
}

int op_start(struct zokor_framework *f, const struct zokor_request *q, zokor_result_fn callback, void *context,
             bool direct)
{
    struct op *op;
    int rc = op_new_for(f, q, callback, context, direct, &op);
    return rc != ZOK ? rc : enter(op);
}

void op_start_cleaning(const struct op *of, const struct zokor_request *q)
{
    struct op *op;
    if (op_new(of->view, q, &op) != ZOK)
        return;
    mem_free(op->path);
    op->path = recipe_copy(of->path);
    memcpy(op->protection, of->protection, sizeof(op->protection));
    op->cleaning = true;
    (void)enter(op);
}

int zokor_framework_do_background(struct zokor_framework *f, const struct zokor_request *request,
                                  zokor_result_fn callback, void *context)
{
    return op_start(f, request, callback, context, false);
}

/* Begins an operation. Where the connection is known to be open, its answer need not come by way of the callback
 * thread; elsewhere it comes after what that thread says of the connection. */
static int enter_prompt(struct op *op, bool is_open, int how)
{
    int before = zokor_thread_prompt(is_open ? how : 0);
    int rc = enter(op);
    (void)zokor_thread_prompt(before);
    return rc;
}

/* Begins one for which this thread will wait. */
static int enter_waiting(struct op *op, struct op_wait *w)
{
    struct client *c = op->client;
    sem_init(&w->done, 0, 0);
    op->wait = w;
    pthread_mutex_lock(&c->lock);
    c->waiting++;
    bool is_open = c->is_open;
    pthread_mutex_unlock(&c->lock);
    bool direct_watch = op->watch != NULL && op->watch->direct;
    return enter_prompt(op, is_open, direct_watch ? ZOKOR_PROMPT | ZOKOR_PROMPT_WATCHES : ZOKOR_PROMPT);
}

int op_start_prompt(struct zokor_framework *f, const struct zokor_request *q, zokor_result_fn callback, void *context,
                    bool more)
{
    struct op *op;
    int rc = op_new_for(f, q, callback, context, true, &op);
    if (rc != ZOK)
        return rc;
    pthread_mutex_lock(&f->client->lock);
    bool is_open = f->client->is_open;
    pthread_mutex_unlock(&f->client->lock);
    return enter_prompt(op, is_open, ZOKOR_PROMPT_WATCHES | (more ? ZOKOR_PROMPT_MORE : ZOKOR_PROMPT));
}

static int is_done(void *context)
{
    struct op_wait *w = context;
    return atomic_load(&w->finished);
}

/* s: of session_await_soon, or NULL. */
static int wait_for(struct client *c, struct session *s, struct op_wait *w, int rc)
{
    if (rc != ZOK)
        atomic_store(&w->finished, true);
    if (rc == ZOK || s != NULL)
        (void)session_await(c, s, &w->zh, &c->lock, is_done, w, -1);
    while (rc == ZOK && sem_wait(&w->done) != 0) {
        /* interrupted by a signal */
    }
    pthread_mutex_lock(&c->lock);
    c->waiting--;
    if (c->closing)
        pthread_cond_broadcast(&c->changed);
    pthread_mutex_unlock(&c->lock);
    sem_destroy(&w->done);
    return rc != ZOK ? rc : w->rc;
}

static int do_waiting(struct zokor_framework *f, const struct zokor_request *q, struct zokor_result *result,
                      bool direct, int64_t only_session)
{
    struct op *op;
    struct op_wait w = { .result = result };
    if (result != NULL)
        *result = (struct zokor_result){ .data_len = -1 };
    int rc = op_new(f, q, &op);
    if (rc == ZOK) {
        if (op->watch != NULL)
            op->watch->direct = direct;
        op->only_session = only_session;
        struct session *s = session_await_soon(f->client);
        rc = wait_for(f->client, s, &w, enter_waiting(op, &w));
    }
    if (result != NULL)
        result->rc = rc;
    return rc;
}

int op_do(struct zokor_framework *f, const struct zokor_request *q, struct zokor_result *result, bool direct)
{
    return do_waiting(f, q, result, direct, 0);
}

int op_do_in(struct zokor_framework *f, const struct zokor_request *q, struct zokor_result *result, int64_t session_id)
{
    return do_waiting(f, q, result, false, session_id);
}

int zokor_framework_do(struct zokor_framework *f, const struct zokor_request *request, struct zokor_result *result)
{
    return op_do(f, request, result, false);
}
