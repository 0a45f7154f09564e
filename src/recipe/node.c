/* Nodes that come back. One round at a time: create it, or look at what is there; then watch it. A round begins at
 * the start, after every connection, when the watch fires, and a while after one that failed. All of it is done by the
 * event thread. */
#include "recipe/internal.h"
#include "base/museum.h"
#include <stdlib.h>
#include <string.h>
#include <zokor/node.h>

#define TRY_AGAIN_MS 1000

struct zokor_persistent_node {
    struct zokor_framework *f;
    char *path; /* as asked */
    int mode;
    bool is_protected;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    /* Under the lock. */
    char *made; /* as created; NULL: never */
    char *data;
    int data_len;
    int holders;
    int error;
    bool is_there, closed, has_new_data;
    /* Of the event thread. */
    bool busy, again;
    bool watching, look_again, sets_watch;
    int64_t session; /* in which it was made last */
    struct timer timer;
    bool armed;
    struct event event;
    struct listener *listener;
};

static void begin(struct zokor_persistent_node *n);
static void look(struct zokor_persistent_node *n);

static void hold(struct zokor_persistent_node *n)
{
    pthread_mutex_lock(&n->lock);
    n->holders++;
    pthread_mutex_unlock(&n->lock);
}

static void drop(struct zokor_persistent_node *n)
{
    pthread_mutex_lock(&n->lock);
    bool last = --n->holders == 0;
    pthread_mutex_unlock(&n->lock);
    if (!last)
        return;
    pthread_cond_destroy(&n->changed);
    pthread_mutex_destroy(&n->lock);
    mem_free(n->path);
    mem_free(n->made);
    mem_free(n->data);
    mem_free(n);
}

static bool is_closed(struct zokor_persistent_node *n)
{
    pthread_mutex_lock(&n->lock);
    bool closed = n->closed;
    pthread_mutex_unlock(&n->lock);
    return closed;
}

static bool is_ephemeral(const struct zokor_persistent_node *n)
{
    return n->mode == ZOO_EPHEMERAL || n->mode == ZOO_EPHEMERAL_SEQUENTIAL;
}

static void run_begin(struct event *e)
{
    struct zokor_persistent_node *n = CONTAINER_OF(e, struct zokor_persistent_node, event);
    n->armed = false;
    begin(n);
    drop(n);
}

static void due(struct timer *t)
{
    struct zokor_persistent_node *n = CONTAINER_OF(t, struct zokor_persistent_node, timer);
    n->event.run = run_begin;
    client_post(n->f->client, &n->event);
}

static void later(struct zokor_persistent_node *n)
{
    if (n->armed || is_closed(n))
        return;
    n->armed = true;
    hold(n);
    n->timer.run = due;
    client_arm(n->f->client, &n->timer, TRY_AGAIN_MS);
}

/* Starts a step of the round; it is over when the step cannot be started. */
static void step(struct zokor_persistent_node *n, const struct zokor_request *q, zokor_result_fn then)
{
    hold(n);
    if (q->watch != NULL)
        hold(n);
    if (zokor_framework_do_background(n->f, q, then, n) == ZOK)
        return;
    n->busy = false;
    if (q->watch != NULL)
        drop(n);
    drop(n);
}

static void round_over(struct zokor_persistent_node *n, int rc)
{
    bool again = n->again;
    n->busy = n->again = false;
    pthread_mutex_lock(&n->lock);
    n->error = zokor_is_retryable(rc) ? ZOK : rc;
    pthread_cond_broadcast(&n->changed);
    pthread_mutex_unlock(&n->lock);
    if (again) {
        begin(n);
    } else if (rc != ZOK) {
        later(n);
    } else if (n->look_again) {
        n->busy = true;
        look(n);
    }
}

/* Watches are called exactly once, so that each holds the node until then. The end of a session's watch may come after
 * the node was made in the next one, which then has none yet: so it is looked at again. What others make of the data
 * stays until the node is made again. */
static void on_watch(struct zokor_framework *f, const struct zokor_event *e, void *context)
{
    struct zokor_persistent_node *n = context;
    (void)f;
    n->watching = false;
    if (e->type == ZOO_DELETED_EVENT) {
        begin(n);
    } else if (SIM_BUG(recipe_node_stays_away) && e->type == ZOO_SESSION_EVENT) {
        n->look_again = false;
    } else if (n->busy) {
        n->look_again = true;
    } else if (!is_closed(n)) {
        n->busy = true;
        look(n);
    }
    drop(n);
}

static void set_done(struct zokor_framework *f, const struct zokor_result *r, void *context)
{
    struct zokor_persistent_node *n = context;
    (void)f;
    round_over(n, r->rc == ZNONODE ? ZOK : r->rc);
    drop(n);
}

static void delete_done(struct zokor_framework *f, const struct zokor_result *r, void *context)
{
    struct zokor_persistent_node *n = context;
    (void)f;
    n->again = true;
    round_over(n, r->rc);
    drop(n);
}

/* It is there, and is ours: is its data? */
static void settle(struct zokor_persistent_node *n)
{
    pthread_mutex_lock(&n->lock);
    n->is_there = true;
    bool sets = n->has_new_data;
    n->has_new_data = false;
    char *data = mem_alloc((size_t)(n->data_len > 0 ? n->data_len : 0) + 1);
    if (n->data_len > 0)
        memcpy(data, n->data, (size_t)n->data_len);
    const struct zokor_request q = { .operation = ZOKOR_SET, .path = n->made, .data = data, .data_len = n->data_len };
    pthread_cond_broadcast(&n->changed);
    pthread_mutex_unlock(&n->lock);
    if (sets)
        step(n, &q, set_done);
    else
        round_over(n, ZOK);
    mem_free(data);
}

static void exists_done(struct zokor_framework *f, const struct zokor_result *r, void *context)
{
    struct zokor_persistent_node *n = context;
    if (r->rc != ZOK && r->rc != ZNONODE && n->sets_watch) { /* it was not set */
        n->watching = false;
        drop(n);
    }
    if (r->rc == ZNONODE)
        n->again = true;
    if (r->rc != ZOK) {
        round_over(n, r->rc == ZNONODE ? ZOK : r->rc);
    } else if (is_ephemeral(n) && r->stat.ephemeralOwner != zokor_framework_session_id(f)) {
        if (n->session != 0 && r->stat.ephemeralOwner == n->session)
            step(n, &(struct zokor_request){ .operation = ZOKOR_DELETE, .path = n->made, .flags = ZOKOR_QUIETLY },
                 delete_done);
        else
            round_over(n, ZOK); /* the watch tells when the other one is gone */
    } else {
        n->session = r->stat.ephemeralOwner;
        settle(n);
    }
    drop(n);
}

static void look(struct zokor_persistent_node *n)
{
    struct zokor_request q = { .operation = ZOKOR_EXISTS, .path = n->made };
    n->look_again = false;
    n->sets_watch = !n->watching;
    if (n->sets_watch) {
        n->watching = true;
        q.watch = on_watch;
        q.watch_context = n;
    }
    step(n, &q, exists_done);
}

static void create_done(struct zokor_framework *f, const struct zokor_result *r, void *context)
{
    struct zokor_persistent_node *n = context;
    if (r->rc == ZOK || r->rc == ZNODEEXISTS) {
        pthread_mutex_lock(&n->lock);
        if (n->made == NULL)
            n->made = recipe_copy(r->path);
        bool closed = n->closed;
        if (r->rc == ZNODEEXISTS)
            n->has_new_data = true;
        pthread_mutex_unlock(&n->lock);
        if (closed && r->rc == ZOK)
            (void)zokor_framework_do_background(f,
                                                &(struct zokor_request){ .operation = ZOKOR_DELETE,
                                                                         .path = n->made,
                                                                         .flags = ZOKOR_GUARANTEED | ZOKOR_QUIETLY },
                                                NULL, NULL);
        if (closed)
            n->busy = false;
        else
            look(n);
    } else {
        round_over(n, r->rc);
    }
    drop(n);
}

/* Once it has its name, sequential or protected, it is made by this name: Curator's getCreateMode. */
static int mode_now(const struct zokor_persistent_node *n)
{
    if (n->made == NULL)
        return n->mode;
    return n->mode == ZOO_EPHEMERAL_SEQUENTIAL    ? ZOO_EPHEMERAL
           : n->mode == ZOO_PERSISTENT_SEQUENTIAL ? ZOO_PERSISTENT
                                                  : n->mode;
}

static void begin(struct zokor_persistent_node *n)
{
    if (n->busy) {
        n->again = true;
        return;
    }
    pthread_mutex_lock(&n->lock);
    bool closed = n->closed;
    n->is_there = false;
    n->has_new_data = false;
    char *data = mem_alloc((size_t)(n->data_len > 0 ? n->data_len : 0) + 1);
    if (n->data_len > 0)
        memcpy(data, n->data, (size_t)n->data_len);
    const struct zokor_request q = {
        .operation = ZOKOR_CREATE,
        .path = n->made != NULL ? n->made : n->path,
        .data = data,
        .data_len = n->data_len,
        .mode = mode_now(n),
        .flags = ZOKOR_CONTAINER_PARENTS | (n->is_protected && n->made == NULL ? ZOKOR_PROTECTED : 0),
    };
    pthread_mutex_unlock(&n->lock);
    if (!closed) {
        n->busy = true;
        step(n, &q, create_done);
    }
    mem_free(data);
}

static void on_state(struct zokor_framework *f, enum zokor_connection_state state, void *context)
{
    (void)f;
    if (state == ZOKOR_CONNECTED || (state == ZOKOR_RECONNECTED && !SIM_BUG(recipe_node_stays_away)))
        begin(context);
}

struct zokor_persistent_node *zokor_persistent_node_start(struct zokor_framework *f, const char *path, int mode,
                                                          int is_protected, const void *data, int data_len)
{
    if (path == NULL || path[0] != '/')
        return NULL;
    struct zokor_persistent_node *n = mem_zalloc(sizeof(*n));
    *n = (struct zokor_persistent_node){ .f = f, .mode = mode, .is_protected = is_protected != 0, .holders = 2 };
    n->path = recipe_copy(path);
    pthread_mutex_init(&n->lock, NULL);
    recipe_cond_init(&n->changed);
    list_init(&n->timer.link);
    list_init(&n->event.link);
    zokor_persistent_node_set_data(n, data, data_len);
    n->has_new_data = false;
    n->armed = true; /* the event is in use until it has run */
    n->event.run = run_begin;
    n->listener = listener_add(f, on_state, n, false);
    client_post(f->client, &n->event);
    return n;
}

int zokor_persistent_node_wait(struct zokor_persistent_node *n, int timeout_ms)
{
    int64_t end = timeout_ms < 0 ? -1 : recipe_now_ms() + timeout_ms;
    bool in_time = true;
    pthread_mutex_lock(&n->lock);
    while (!n->is_there && n->error == ZOK && in_time)
        in_time = recipe_cond_wait(&n->changed, &n->lock, end);
    int rc = n->is_there ? ZOK : n->error != ZOK ? n->error : ZOPERATIONTIMEOUT;
    pthread_mutex_unlock(&n->lock);
    return rc;
}

char *zokor_persistent_node_path(struct zokor_persistent_node *n)
{
    pthread_mutex_lock(&n->lock);
    char *path = recipe_copy(n->made);
    pthread_mutex_unlock(&n->lock);
    return path;
}

struct new_data {
    struct event event;
    struct zokor_persistent_node *node;
};

static void run_new_data(struct event *e)
{
    struct new_data *d = CONTAINER_OF(e, struct new_data, event);
    struct zokor_persistent_node *n = d->node;
    if (n->busy) {
        n->again = true; /* the create finds the node, and its data is set */
    } else if (!is_closed(n) && n->made != NULL) {
        n->busy = true;
        settle(n);
    }
    drop(n);
    mem_free(d);
}

void zokor_persistent_node_set_data(struct zokor_persistent_node *n, const void *data, int data_len)
{
    pthread_mutex_lock(&n->lock);
    mem_free(n->data);
    n->data = mem_alloc((size_t)(data_len > 0 ? data_len : 0) + 1);
    n->data_len = data_len;
    if (data_len > 0)
        memcpy(n->data, data, (size_t)data_len);
    n->has_new_data = true;
    bool tells = n->listener != NULL;
    n->holders += tells;
    pthread_mutex_unlock(&n->lock);
    if (!tells)
        return;
    struct new_data *d = mem_zalloc(sizeof(*d));
    *d = (struct new_data){ .event.run = run_new_data, .node = n };
    list_init(&d->event.link);
    client_post(n->f->client, &d->event);
}

void zokor_persistent_node_close(struct zokor_persistent_node *n)
{
    if (n == NULL)
        return;
    listener_remove(n->f->client, n->listener);
    pthread_mutex_lock(&n->lock);
    n->closed = true;
    char *made = recipe_copy(n->made);
    pthread_mutex_unlock(&n->lock);
    if (client_disarm(n->f->client, &n->timer))
        drop(n);
    if (made != NULL)
        (void)zokor_framework_do(n->f,
                                 &(struct zokor_request){ .operation = ZOKOR_DELETE,
                                                          .path = made,
                                                          .flags = ZOKOR_GUARANTEED | ZOKOR_QUIETLY },
                                 NULL);
    if (watch_cancel(n->f, on_watch, n))
        drop(n);
    mem_free(made);
    drop(n);
}
