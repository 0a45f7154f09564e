/* Groups, and nodes with a time to live: both stand on a persistent node. */
#include "recipe/internal.h"
#include <stdlib.h>
#include <string.h>
#include <zokor/cache.h>
#include <zokor/node.h>

#define TOUCHES 2 /* in the time to live: Curator's DEFAULT_TOUCH_SCHEDULE_FACTOR */
#define CHILD "touch"

struct zokor_group {
    struct zokor_framework *f;
    struct zokor_persistent_node *node;
    struct zokor_cache *cache;
    char *path, *id;
    pthread_mutex_t lock;
    char *data;
    int data_len;
    zokor_group_fn fn;
    void *context;
};

static void keep_data(struct zokor_group *g, const void *data, int data_len)
{
    int n = data_len > 0 ? data_len : 0;
    char *copy = mem_alloc((size_t)n + 1);
    if (n > 0)
        memcpy(copy, data, (size_t)n);
    copy[n] = 0;
    pthread_mutex_lock(&g->lock);
    mem_free(g->data);
    g->data = copy;
    g->data_len = data_len;
    pthread_mutex_unlock(&g->lock);
}

static void on_change(struct zokor_cache *c, const struct zokor_cache_event *e, void *context)
{
    struct zokor_group *g = context;
    (void)c;
    (void)e;
    pthread_mutex_lock(&g->lock);
    zokor_group_fn fn = g->fn;
    void *its = g->context;
    pthread_mutex_unlock(&g->lock);
    if (fn != NULL)
        fn(g, its);
}

struct zokor_group *zokor_group_join(struct zokor_framework *f, const char *path, const char *id, const void *data,
                                     int data_len)
{
    struct zokor_group *g = mem_zalloc(sizeof(*g));
    char *mine = zokor_path_join(path, id);
    g->f = f;
    g->id = recipe_copy(id);
    pthread_mutex_init(&g->lock, NULL);
    keep_data(g, data, data_len);
    g->path = recipe_copy(path);
    g->cache = zokor_cache_new(f, path, &(struct zokor_cache_options){ .kind = ZOKOR_CACHE_CHILDREN });
    g->node = g->cache == NULL ? NULL : zokor_persistent_node_start(f, mine, ZOO_EPHEMERAL, 0, data, data_len);
    mem_free(mine);
    if (g->node == NULL) {
        zokor_group_leave(g);
        return NULL;
    }
    zokor_cache_listen(g->cache, on_change, g);
    (void)zokor_cache_start(g->cache);
    return g;
}

int zokor_group_wait(struct zokor_group *g, int timeout_ms)
{
    int64_t end = recipe_now_ms() + timeout_ms;
    int rc = zokor_persistent_node_wait(g->node, timeout_ms);
    int64_t left = end - recipe_now_ms();
    return rc != ZOK ? rc : zokor_cache_wait(g->cache, timeout_ms < 0 ? -1 : left > 0 ? (int)left : 0);
}

void zokor_group_set_data(struct zokor_group *g, const void *data, int data_len)
{
    keep_data(g, data, data_len);
    zokor_persistent_node_set_data(g->node, data, data_len);
}

void zokor_group_on_change(struct zokor_group *g, zokor_group_fn fn, void *context)
{
    pthread_mutex_lock(&g->lock);
    g->fn = fn;
    g->context = context;
    pthread_mutex_unlock(&g->lock);
}

static int by_id(const void *a, const void *b)
{
    return strcmp(((const struct zokor_member *)a)->id, ((const struct zokor_member *)b)->id);
}

int zokor_group_members(struct zokor_group *g, struct zokor_member **members, int *count)
{
    struct String_vector names;
    (void)zokor_cache_children(g->cache, g->path, &names);
    struct zokor_member *out = mem_zalloc(((size_t)names.count + 1) * sizeof(*out));
    int n = 1;
    out[0].id = recipe_copy(g->id);
    pthread_mutex_lock(&g->lock);
    out[0].data = mem_alloc((size_t)(g->data_len > 0 ? g->data_len : 0) + 1);
    memcpy(out[0].data, g->data, (size_t)(g->data_len > 0 ? g->data_len : 0) + 1);
    out[0].data_len = g->data_len;
    pthread_mutex_unlock(&g->lock);
    for (int32_t i = 0; i < names.count; i++) {
        struct zokor_member *m = &out[n];
        char *path = zokor_path_join(g->path, names.data[i]);
        if (strcmp(names.data[i], g->id) != 0 && zokor_cache_get(g->cache, path, &m->data, &m->data_len, NULL) == ZOK) {
            m->id = recipe_copy(names.data[i]);
            n++;
        }
        mem_free(path);
    }
    deallocate_String_vector(&names);
    qsort(out, (size_t)n, sizeof(*out), by_id);
    *members = out;
    *count = n;
    return ZOK;
}

void zokor_members_free(struct zokor_member *members, int count)
{
    for (int i = 0; i < count; i++) {
        mem_free(members[i].id);
        mem_free(members[i].data);
    }
    mem_free(members);
}

void zokor_group_leave(struct zokor_group *g)
{
    if (g == NULL)
        return;
    zokor_cache_close(g->cache);
    zokor_persistent_node_close(g->node);
    pthread_mutex_destroy(&g->lock);
    mem_free(g->path);
    mem_free(g->id);
    mem_free(g->data);
    mem_free(g);
}

struct zokor_ttl_node {
    struct zokor_framework *f;
    struct zokor_persistent_node *node;
    char *touch; /* the path of the child */
    int64_t ttl_ms;
    struct timer timer;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int holders, error;
    bool closed, touched;
};

static void ttl_drop(struct zokor_ttl_node *n)
{
    pthread_mutex_lock(&n->lock);
    bool last = --n->holders == 0;
    pthread_mutex_unlock(&n->lock);
    if (!last)
        return;
    pthread_cond_destroy(&n->changed);
    pthread_mutex_destroy(&n->lock);
    mem_free(n->touch);
    mem_free(n);
}

static void touch_due(struct timer *t);

static void touched(struct zokor_framework *f, const struct zokor_result *r, void *context)
{
    struct zokor_ttl_node *n = context;
    pthread_mutex_lock(&n->lock);
    n->touched = n->touched || r->rc == ZOK;
    n->error = zokor_is_retryable(r->rc) ? ZOK : r->rc;
    bool again = !n->closed && r->rc != ZCLOSING;
    pthread_cond_broadcast(&n->changed);
    pthread_mutex_unlock(&n->lock);
    if (again) {
        n->timer.run = touch_due;
        client_arm(f->client, &n->timer, (int)(n->ttl_ms / TOUCHES));
    } else {
        ttl_drop(n);
    }
}

static void touch(struct zokor_ttl_node *n)
{
    const struct zokor_request q = {
        .operation = ZOKOR_CREATE,
        .path = n->touch,
        .mode = ZOO_PERSISTENT_WITH_TTL,
        .ttl_ms = n->ttl_ms,
        .flags = ZOKOR_OR_SET | ZOKOR_CONTAINER_PARENTS,
    };
    if (zokor_framework_do_background(n->f, &q, touched, n) != ZOK)
        ttl_drop(n);
}

static void touch_due(struct timer *t)
{
    struct zokor_ttl_node *n = CONTAINER_OF(t, struct zokor_ttl_node, timer);
    pthread_mutex_lock(&n->lock);
    bool closed = n->closed;
    pthread_mutex_unlock(&n->lock);
    if (closed)
        ttl_drop(n);
    else
        touch(n);
}

struct zokor_ttl_node *zokor_ttl_node_start(struct zokor_framework *f, const char *path, int64_t ttl_ms,
                                            const void *data, int data_len)
{
    if (ttl_ms < 1 || ttl_ms / TOUCHES > INT32_MAX)
        return NULL;
    struct zokor_persistent_node *node = zokor_persistent_node_start(f, path, ZOO_CONTAINER, 0, data, data_len);
    if (node == NULL)
        return NULL;
    struct zokor_ttl_node *n = mem_zalloc(sizeof(*n));
    *n = (struct zokor_ttl_node){ .f = f, .node = node, .ttl_ms = ttl_ms, .holders = 2 };
    n->touch = zokor_path_join(path, CHILD);
    pthread_mutex_init(&n->lock, NULL);
    recipe_cond_init(&n->changed);
    list_init(&n->timer.link);
    touch(n);
    return n;
}

int zokor_ttl_node_wait(struct zokor_ttl_node *n, int timeout_ms)
{
    int64_t end = timeout_ms < 0 ? -1 : recipe_now_ms() + timeout_ms;
    int rc = zokor_persistent_node_wait(n->node, timeout_ms);
    bool in_time = true;
    if (rc != ZOK)
        return rc;
    pthread_mutex_lock(&n->lock);
    while (!n->touched && n->error == ZOK && in_time)
        in_time = recipe_cond_wait(&n->changed, &n->lock, end);
    rc = n->touched ? ZOK : n->error != ZOK ? n->error : ZOPERATIONTIMEOUT;
    pthread_mutex_unlock(&n->lock);
    return rc;
}

void zokor_ttl_node_close(struct zokor_ttl_node *n)
{
    if (n == NULL)
        return;
    pthread_mutex_lock(&n->lock);
    n->closed = true;
    pthread_mutex_unlock(&n->lock);
    if (client_disarm(n->f->client, &n->timer))
        ttl_drop(n);
    zokor_persistent_node_close(n->node);
    ttl_drop(n);
}
