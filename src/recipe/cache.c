/* Caches: one persistent watch, and passes that read everything again (or watches that are called once: cache_shots.c).
 * A pass begins whenever the watch has been set; nodes are read with several reads in one request. All changes are made
 * by the event thread, in the order in which the server told them; the lock is for those who look. */
#include "recipe/cache.h"
#include "base/museum.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define READS_MAX 64     /* in one request */
#define REQUESTS_MAX 8   /* under way */
#define TRY_AGAIN_MS 500 /* after a pass that failed though the connection stayed */
#define PASS_NUMBERS 0x3fffffffu

struct cache_listener {
    struct list link;
    zokor_cache_fn fn;
    void *context;
    bool removed;
};

/* A node whose data (or whose list of children) is to be read. */
struct ask {
    struct list link;
    bool children;
    char path[];
};

struct batch {
    struct event event;
    struct zokor_cache *cache;
    uint32_t pass;
    int rc;
    int count;
    struct ask *asks[READS_MAX];
    char *paths[READS_MAX]; /* as the server has them */
    struct zokor_read_result results[READS_MAX];
};

void cache_hold(struct zokor_cache *c)
{
    pthread_mutex_lock(&c->lock);
    c->holders++;
    pthread_mutex_unlock(&c->lock);
}

void cache_drop(struct zokor_cache *c)
{
    pthread_mutex_lock(&c->lock);
    bool last = --c->holders == 0;
    pthread_mutex_unlock(&c->lock);
    if (!last)
        return;
    cache_tree_fini(&c->tree);
    cache_tree_fini(&c->tracked);
    LIST_FOR_SAFE(it, &c->asks)
    mem_free(CONTAINER_OF(it, struct ask, link));
    LIST_FOR_SAFE(it, &c->listeners)
    mem_free(CONTAINER_OF(it, struct cache_listener, link));
    pthread_cond_destroy(&c->changed);
    pthread_mutex_destroy(&c->lock);
    mem_free(c->path);
    mem_free(c);
}

/* Calls all listeners; on the event thread, without the lock. */
static void tell(struct zokor_cache *c, enum zokor_cache_event_type type, const struct zokor_cache_node *old,
                 const struct zokor_cache_node *now)
{
    const struct zokor_cache_event event = { .type = type, .old = old, .now = now };
    pthread_mutex_lock(&c->lock);
    for (struct list *it = c->listeners.next, *next; it != &c->listeners; it = next) {
        struct cache_listener *l = CONTAINER_OF(it, struct cache_listener, link);
        if (!l->removed && !c->closed) {
            c->calling = l;
            pthread_mutex_unlock(&c->lock);
            l->fn(c, &event, l->context);
            pthread_mutex_lock(&c->lock);
            c->calling = NULL;
            pthread_cond_broadcast(&c->changed);
        }
        next = it->next;
        if (l->removed) { /* during its own call: nobody else frees it then */
            list_remove(it);
            mem_free(l);
        }
    }
    pthread_mutex_unlock(&c->lock);
}

static struct zokor_cache_node shown(const struct cache_node *n)
{
    return (struct zokor_cache_node){ .path = n->path, .data = n->data, .data_len = n->data_len, .stat = n->stat };
}

void cache_gone(struct zokor_cache *c, const char *path)
{
    pthread_mutex_lock(&c->lock);
    struct cache_node *n = cache_tree_find(&c->tree, path);
    if (n == NULL) {
        pthread_mutex_unlock(&c->lock);
        return;
    }
    struct zokor_cache_node old = shown(n);
    char *data = n->data;
    n->data = NULL;
    cache_tree_vanish(&c->tree, n);
    pthread_mutex_unlock(&c->lock);
    old.path = path;
    tell(c, ZOKOR_CACHE_DELETED, &old, NULL);
    mem_free(data);
}

/* Takes the data of the answer. */
void cache_there(struct zokor_cache *c, const char *path, struct zokor_read_result *r)
{
    pthread_mutex_lock(&c->lock);
    struct cache_node *n = cache_tree_make(&c->tree, path);
    bool was = n->present;
    struct zokor_cache_node old = shown(n);
    cache_tree_appear(&c->tree, n);
    n->seen = c->pass & PASS_NUMBERS;
    n->stat = r->stat;
    n->data = r->data;
    n->data_len = r->data_len;
    r->data = NULL;
    pthread_mutex_unlock(&c->lock);
    const struct zokor_cache_node now = shown(n);
    if (!was)
        tell(c, ZOKOR_CACHE_CREATED, NULL, &now);
    else if (old.stat.mzxid != now.stat.mzxid)
        tell(c, ZOKOR_CACHE_CHANGED, &old, &now);
    mem_free((void *)old.data);
}

/* How many levels below the node a path is. */
static int depth_of(const struct zokor_cache *c, const char *path)
{
    int depth = 0;
    size_t root_len = strcmp(c->path, "/") == 0 ? 0 : strlen(c->path);
    for (const char *p = path + root_len; *p != 0; p++)
        depth += *p == '/' && p[1] != 0;
    return depth;
}

bool cache_wants(const struct zokor_cache *c, const char *path)
{
    size_t n = strlen(c->path);
    if (strncmp(path, c->path, n) != 0 || (n > 1 && path[n] != 0 && path[n] != '/'))
        return false;
    int depth = depth_of(c, path);
    if (depth > c->depth_max || (depth == 0 && c->options.kind == ZOKOR_CACHE_CHILDREN))
        return false;
    return c->options.accept == NULL || c->options.accept(path, c->options.context) != 0;
}

bool cache_descends(const struct zokor_cache *c, const char *path)
{
    return depth_of(c, path) < c->depth_max &&
           (c->options.descend == NULL || c->options.descend(path, c->options.context) != 0);
}

static void ask(struct zokor_cache *c, const char *path, bool children)
{
    size_t n = strlen(path);
    struct ask *a = mem_alloc(offsetof(struct ask, path) + n + 1);
    a->children = children;
    memcpy(a->path, path, n + 1);
    list_push_back(&c->asks, &a->link);
}

static void batch_free(struct batch *b)
{
    for (int i = 0; i < b->count; i++) {
        mem_free(b->asks[i]);
        mem_free(b->paths[i]);
    }
    zokor_read_results_free(b->count, b->results);
    mem_free(b);
}

static void begin_pass(struct zokor_cache *c);

/* zokor_cache_close waits until the work is left: what the program's functions use may be freed after it. False: it is
 * closed already. */
bool cache_enter(struct zokor_cache *c)
{
    pthread_mutex_lock(&c->lock);
    bool enters = c->working = !c->closed;
    pthread_mutex_unlock(&c->lock);
    return enters;
}

void cache_leave(struct zokor_cache *c)
{
    pthread_mutex_lock(&c->lock);
    c->working = false;
    pthread_cond_broadcast(&c->changed);
    pthread_mutex_unlock(&c->lock);
}

static void run_again(struct event *e)
{
    struct zokor_cache *c = CONTAINER_OF(e, struct zokor_cache, again_event);
    c->again_armed = false;
    if (cache_enter(c)) {
        if (c->one_shot)
            shots_again(c);
        else if (c->failed)
            begin_pass(c);
        cache_leave(c);
    }
    cache_drop(c);
}

static void again_due(struct timer *t)
{
    struct zokor_cache *c = CONTAINER_OF(t, struct zokor_cache, again);
    c->again_event.run = run_again;
    client_post(c->f->client, &c->again_event);
}

/* If it was for the connection's sake, the next one begins a pass before this; a timer covers the rest. */
void cache_pass_failed(struct zokor_cache *c)
{
    c->failed = true;
    if (c->again_armed)
        return;
    c->again_armed = true;
    cache_hold(c);
    c->again.run = again_due;
    client_arm(c->f->client, &c->again, TRY_AGAIN_MS);
}

void cache_end_pass(struct zokor_cache *c)
{
    size_t count;
    pthread_mutex_lock(&c->lock);
    struct cache_node **unseen = cache_tree_unseen(&c->tree, c->pass, &count);
    pthread_mutex_unlock(&c->lock);
    c->in_pass = false;
    for (size_t i = 0; i < count && !c->closed; i++) {
        char *path = recipe_copy(unseen[i]->path);
        cache_gone(c, path);
        mem_free(path);
    }
    mem_free(unseen);
    if (c->initialized)
        return;
    tell(c, ZOKOR_CACHE_INITIALIZED, NULL, NULL);
    pthread_mutex_lock(&c->lock);
    c->initialized = true;
    pthread_cond_broadcast(&c->changed);
    pthread_mutex_unlock(&c->lock);
}

static void send_more(struct zokor_cache *c);

static void take_children(struct zokor_cache *c, const char *path, const struct String_vector *names)
{
    for (int32_t i = 0; i < names->count; i++) {
        char *child = zokor_path_join(path, names->data[i]);
        if (cache_wants(c, child) || cache_descends(c, child))
            ask(c, child, false);
        mem_free(child);
    }
}

void cache_decompress(struct zokor_read_result *r)
{
    char *plain = NULL;
    int len = -1;
    if (r->data != NULL)
        (void)zokor_gunzip(r->data, r->data_len, &plain, &len);
    mem_free(r->data);
    r->data = plain;
    r->data_len = plain == NULL ? -1 : len;
}

static void take_result(struct zokor_cache *c, const struct ask *a, struct zokor_read_result *r)
{
    if (r->err != ZOK) {
        cache_gone(c, a->path); /* or we may not read it any more */
        return;
    }
    if (a->children) {
        take_children(c, a->path, &r->children);
        return;
    }
    bool lists = c->in_pass && r->stat.numChildren > 0 && cache_descends(c, a->path);
    if (c->options.compressed)
        cache_decompress(r);
    if (cache_wants(c, a->path))
        cache_there(c, a->path, r);
    if (lists && !c->closed)
        ask(c, a->path, true);
}

static void run_batch(struct event *e)
{
    struct batch *b = CONTAINER_OF(e, struct batch, event);
    struct zokor_cache *c = b->cache;
    if (b->pass == c->pass && cache_enter(c)) {
        c->requests--;
        for (int i = 0; i < b->count && b->rc == ZOK && !c->closed; i++)
            take_result(c, b->asks[i], &b->results[i]);
        if (b->rc != ZOK)
            cache_pass_failed(c);
        else if (!c->closed)
            send_more(c);
        cache_leave(c);
    }
    batch_free(b);
    cache_drop(c);
}

static void copy_strings(const struct String_vector *from, struct String_vector *to)
{
    *to = (struct String_vector){ .count = 0 };
    if (from->count == 0 || allocate_String_vector(to, from->count) != 0)
        return;
    for (int32_t i = 0; i < from->count; i++)
        to->data[i] = recipe_copy(from->data[i]);
}

/* On the callback thread, as the watch's events are: so both come to the event thread in the server's order. */
static void on_batch(int rc, int count, const struct zokor_read_result *results, const void *data)
{
    struct batch *b = (struct batch *)data;
    b->rc = rc;
    for (int i = 0; rc == ZOK && i < b->count && i < count; i++) {
        const struct zokor_read_result *from = &results[i];
        struct zokor_read_result *to = &b->results[i];
        *to = (struct zokor_read_result){ .err = from->err, .data_len = from->data_len, .stat = from->stat };
        if (from->err == ZOK && from->data_len >= 0) {
            to->data = mem_alloc((size_t)from->data_len + 1);
            memcpy(to->data, from->data == NULL ? "" : from->data, (size_t)from->data_len);
            to->data[from->data_len] = 0;
        }
        copy_strings(&from->children, &to->children);
    }
    client_post(b->cache->f->client, &b->event);
}

static struct batch *batch_new(struct zokor_cache *c)
{
    struct batch *b = mem_zalloc(sizeof(*b));
    b->event.run = run_batch;
    list_init(&b->event.link);
    b->cache = c;
    b->pass = c->pass;
    for (struct list *it; b->count < READS_MAX && (it = list_first(&c->asks)) != NULL;) {
        list_remove(it);
        struct ask *a = CONTAINER_OF(it, struct ask, link);
        b->paths[b->count] = view_path(c->f, a->path);
        b->asks[b->count++] = a;
        if (a->children) /* lists are long: each comes alone */
            break;
    }
    return b;
}

static int send_batch(struct zokor_cache *c)
{
    struct zokor_read reads[READS_MAX];
    struct session *s = session_hold(c->f->client);
    if (s == NULL)
        return ZCLOSING;
    struct batch *b = batch_new(c);
    for (int i = 0; i < b->count; i++)
        reads[i] = (struct zokor_read){ .children = b->asks[i]->children, .path = b->paths[i] };
    cache_hold(c);
    int rc = zokor_amulti_read(s->zh, b->count, reads, on_batch, b);
    session_release(s);
    if (rc != ZOK) {
        batch_free(b);
        cache_drop(c);
    }
    return rc;
}

static void send_more(struct zokor_cache *c)
{
    while (c->requests < REQUESTS_MAX && !list_empty(&c->asks)) {
        int rc = send_batch(c);
        if (rc != ZOK) {
            if (rc != ZCLOSING)
                cache_pass_failed(c);
            return;
        }
        c->requests++;
    }
    if (c->requests == 0 && c->in_pass && !c->failed)
        cache_end_pass(c);
}

static void begin_pass(struct zokor_cache *c)
{
    LIST_FOR_SAFE(it, &c->asks)
    mem_free(CONTAINER_OF(it, struct ask, link));
    list_init(&c->asks);
    pthread_mutex_lock(&c->lock);
    c->pass = (c->pass + 1) & PASS_NUMBERS;
    pthread_mutex_unlock(&c->lock);
    c->requests = 0;
    c->failed = false;
    c->in_pass = true;
    ask(c, c->path, false);
    send_more(c);
}

static void refuse(struct zokor_cache *c)
{
    pthread_mutex_lock(&c->lock);
    c->refused = true;
    pthread_cond_broadcast(&c->changed);
    pthread_mutex_unlock(&c->lock);
}

/* Nobody but us changes the watch after the start, so a stop by the program finds it or does not. */
static struct zokor_watch *take_watch(struct zokor_cache *c)
{
    pthread_mutex_lock(&c->lock);
    struct zokor_watch *w = c->watch;
    c->watch = NULL;
    pthread_mutex_unlock(&c->lock);
    return w;
}

/* The server is older than persistent watches. */
static void watch_once(struct zokor_cache *c)
{
    zokor_watch_stop(take_watch(c));
    if (!cache_enter(c))
        return;
    c->one_shot = true;
    shots_again(c);
    cache_leave(c);
}

static void on_event(struct zokor_framework *f, const struct zokor_event *e, void *context)
{
    struct zokor_cache *c = context;
    (void)f;
    cache_hold(c); /* a listener may close it */
    if (e->type == ZOO_SESSION_EVENT) {
        if (!SIM_BUG(recipe_cache_trusts) || !c->initialized)
            begin_pass(c);
    } else if (e->type == ZOO_NOTWATCHING_EVENT && e->state == ZUNIMPLEMENTED) {
        watch_once(c);
    } else if (e->type == ZOO_NOTWATCHING_EVENT) {
        refuse(c);
    } else if (e->type == ZOO_DELETED_EVENT) {
        if (cache_wants(c, e->path))
            cache_gone(c, e->path);
    } else if (e->type != ZOO_CHILD_EVENT && cache_wants(c, e->path)) {
        ask(c, e->path, false);
        send_more(c);
    }
    cache_drop(c);
}

struct zokor_cache *zokor_cache_new(struct zokor_framework *f, const char *path,
                                    const struct zokor_cache_options *options)
{
    if (path == NULL || path[0] != '/')
        return NULL;
    struct zokor_cache *c = mem_zalloc(sizeof(*c));
    c->f = f;
    c->path = zokor_path_join(path, "");
    if (options != NULL)
        c->options = *options;
    c->depth_max = c->options.kind == ZOKOR_CACHE_NODE       ? 0
                   : c->options.kind == ZOKOR_CACHE_CHILDREN ? 1
                   : c->options.depth_max > 0                ? c->options.depth_max
                                                             : INT32_MAX;
    c->holders = 1;
    pthread_mutex_init(&c->lock, NULL);
    recipe_cond_init(&c->changed);
    list_init(&c->asks);
    list_init(&c->listeners);
    list_init(&c->again.link);
    list_init(&c->again_event.link);
    list_init(&c->shots);
    list_init(&c->unsent);
    cache_tree_init(&c->tree, c->path);
    cache_tree_init(&c->tracked, c->path);
    return c;
}

void zokor_cache_listen(struct zokor_cache *c, zokor_cache_fn fn, void *context)
{
    struct cache_listener *l = mem_zalloc(sizeof(*l));
    *l = (struct cache_listener){ .fn = fn, .context = context };
    pthread_mutex_lock(&c->lock);
    list_push_back(&c->listeners, &l->link);
    pthread_mutex_unlock(&c->lock);
}

void zokor_cache_unlisten(struct zokor_cache *c, zokor_cache_fn fn, void *context)
{
    struct cache_listener *found = NULL;
    pthread_mutex_lock(&c->lock);
    LIST_FOR(it, &c->listeners)
    {
        struct cache_listener *l = CONTAINER_OF(it, struct cache_listener, link);
        if (found == NULL && !l->removed && l->fn == fn && l->context == context)
            found = l;
    }
    if (found != NULL && c->calling == found && client_on_event_thread(c->f->client)) {
        found->removed = true; /* its caller frees it */
    } else if (found != NULL) {
        while (c->calling == found)
            pthread_cond_wait(&c->changed, &c->lock);
        list_remove(&found->link);
        mem_free(found);
    }
    pthread_mutex_unlock(&c->lock);
}

int zokor_cache_start(struct zokor_cache *c)
{
    enum zokor_watch_mode mode = c->depth_max == 0 ? ZOKOR_WATCH_PERSISTENT : ZOKOR_WATCH_RECURSIVE;
    pthread_mutex_lock(&c->lock); /* its events wait until we know it */
    c->holders++;                 /* a listener may close it already */
    bool first = !c->started && !c->closed;
    c->started = true;
    if (first && c->options.one_shot)
        c->one_shot = c->again_armed = true;
    else if (first)
        c->watch = zokor_watch_start(c->f, c->path, mode, on_event, c);
    pthread_mutex_unlock(&c->lock);
    if (first && c->options.one_shot) {
        cache_hold(c);
        again_due(&c->again);
    }
    cache_drop(c);
    return first ? ZOK : ZINVALIDSTATE;
}

int zokor_cache_wait(struct zokor_cache *c, int timeout_ms)
{
    int64_t end = timeout_ms < 0 ? -1 : recipe_now_ms() + timeout_ms;
    bool in_time = true;
    pthread_mutex_lock(&c->lock);
    while (!c->initialized && !c->refused && in_time)
        in_time = recipe_cond_wait(&c->changed, &c->lock, end);
    int rc = c->refused ? ZUNIMPLEMENTED : c->initialized ? ZOK : ZOPERATIONTIMEOUT;
    pthread_mutex_unlock(&c->lock);
    return rc;
}

void zokor_cache_close(struct zokor_cache *c)
{
    if (c == NULL)
        return;
    pthread_mutex_lock(&c->lock);
    c->closed = true;
    while ((c->calling != NULL || c->working) && !client_on_event_thread(c->f->client))
        pthread_cond_wait(&c->changed, &c->lock);
    struct zokor_watch *watch = c->watch; /* it may be a listener that closes, while the thread that started is busy */
    c->watch = NULL;
    pthread_mutex_unlock(&c->lock);
    zokor_watch_stop(watch);
    shots_cancel(c);
    if (client_disarm(c->f->client, &c->again))
        cache_drop(c);
    cache_drop(c);
}
