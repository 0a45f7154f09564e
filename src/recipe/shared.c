#include "recipe/shared.h"
#include <stdlib.h>
#include <string.h>
#include <zokor/cache.h>

struct zokor_shared_value {
    struct zokor_framework *f;
    char *path;
    zokor_shared_value_fn fn;
    void *context;
    struct zokor_watch *watch;
    struct zokor_cache *cache; /* instead of it, where the server has no such watches; tells of changes only */
    pthread_mutex_t lock;
    char *data;
    int data_len;
    int version;
    int64_t mzxid; /* of what was seen last: older answers are ignored */
    int64_t told;  /* mzxid of what fn knows: a call of ours may have seen it first */
};

struct zokor_shared_count {
    struct zokor_shared_value *value;
    zokor_shared_count_fn fn;
    void *context;
    pthread_mutex_t lock; /* held while the listeners are called: they only wake somebody */
    struct list listeners;
};

/* Unless it is older than what is known. */
static void take(struct zokor_shared_value *v, const char *data, int n, const struct Stat *stat)
{
    pthread_mutex_lock(&v->lock);
    if (stat->mzxid > v->mzxid) {
        mem_free(v->data);
        v->data = mem_alloc((size_t)(n < 0 ? 0 : n) + 1);
        if (n > 0)
            memcpy(v->data, data, (size_t)n);
        v->data[n < 0 ? 0 : n] = 0;
        v->data_len = n < 0 ? 0 : n;
        v->version = stat->version;
        v->mzxid = stat->mzxid;
    }
    pthread_mutex_unlock(&v->lock);
}

static int read_value(struct zokor_shared_value *v)
{
    struct Stat stat;
    char *data;
    int n;
    int rc = zokor_framework_get(v->f, v->path, &data, &n, &stat);
    if (rc == ZOK)
        take(v, data, n, &stat);
    mem_free(data);
    return rc;
}

static void on_event(struct zokor_framework *f, const struct zokor_event *e, void *context);

static void on_cache(struct zokor_cache *c, const struct zokor_cache_event *event, void *context)
{
    struct zokor_shared_value *v = context;
    const struct zokor_event changed = { .type = ZOO_CHANGED_EVENT };
    (void)c;
    if (event->now != NULL)
        on_event(v->f, &changed, v);
}

/* The server is older than persistent watches. It may be asked again in the next session. */
static void use_cache(struct zokor_shared_value *v)
{
    if (v->cache != NULL)
        return;
    const struct zokor_cache_options o = { .kind = ZOKOR_CACHE_NODE, .one_shot = 1 };
    v->cache = zokor_cache_new(v->f, v->path, &o);
    zokor_cache_listen(v->cache, on_cache, v);
    (void)zokor_cache_start(v->cache);
}

/* Its caller has the lock. */
static char *copy_data(const struct zokor_shared_value *v)
{
    char *data = mem_alloc((size_t)v->data_len + 1);
    memcpy(data, v->data, (size_t)v->data_len + 1);
    return data;
}

/* What was written or read by a call of ours, too: Curator's listeners are told of every change. */
static void tell_value(struct zokor_shared_value *v)
{
    pthread_mutex_lock(&v->lock);
    bool tells = v->fn != NULL && v->mzxid > v->told;
    char *data = tells ? copy_data(v) : NULL;
    int n = v->data_len, version = v->version;
    v->told = v->mzxid;
    pthread_mutex_unlock(&v->lock);
    if (tells)
        v->fn(v, data, n, version, v->context);
    mem_free(data);
}

static void on_event(struct zokor_framework *f, const struct zokor_event *e, void *context)
{
    struct zokor_shared_value *v = context;
    (void)f;
    if (e->type == ZOO_NOTWATCHING_EVENT && e->state == ZUNIMPLEMENTED)
        use_cache(v);
    if (e->type != ZOO_CHILD_EVENT && read_value(v) == ZOK)
        tell_value(v);
}

struct zokor_shared_value *zokor_shared_value_new(struct zokor_framework *f, const char *path, const void *seed,
                                                  int seed_len, zokor_shared_value_fn fn, void *context, int *rc)
{
    struct zokor_shared_value *v = mem_zalloc(sizeof(*v));
    *v = (struct zokor_shared_value){ .f = f, .fn = fn, .context = context, .mzxid = -1 };
    v->path = recipe_copy(path);
    pthread_mutex_init(&v->lock, NULL);
    *rc = zokor_framework_create(f, path, seed, seed_len, 0, ZOKOR_CONTAINER_PARENTS, NULL);
    if (*rc == ZOK || *rc == ZNODEEXISTS)
        *rc = read_value(v);
    if (*rc == ZOK) {
        v->told = v->mzxid;
        v->watch = zokor_watch_start(f, path, ZOKOR_WATCH_PERSISTENT, on_event, v);
        return v;
    }
    zokor_shared_value_free(v);
    return NULL;
}

void zokor_shared_value_free(struct zokor_shared_value *v)
{
    if (v == NULL)
        return;
    zokor_watch_stop(v->watch);
    zokor_cache_close(v->cache);
    pthread_mutex_destroy(&v->lock);
    mem_free(v->path);
    mem_free(v->data);
    mem_free(v);
}

int zokor_shared_value_get(struct zokor_shared_value *v, char **data, int *data_len)
{
    pthread_mutex_lock(&v->lock);
    *data = copy_data(v);
    *data_len = v->data_len;
    int version = v->version;
    pthread_mutex_unlock(&v->lock);
    return version;
}

/* With a version it is never made again: if the reply was lost, the second one would be refused for the first one's
 * work, as if nothing had been changed. */
static int set_value(struct zokor_shared_value *v, const void *data, int n, int version)
{
    const struct zokor_retry never = zokor_retry_never();
    struct zokor_result r;
    const struct zokor_request q = { .operation = ZOKOR_SET,
                                     .path = v->path,
                                     .data = data,
                                     .data_len = n,
                                     .has_version = 1,
                                     .version = version,
                                     .retry = version == -1 ? NULL : &never };
    int rc = zokor_framework_do(v->f, &q, &r);
    if (rc == ZOK)
        take(v, data, n, &r.stat);
    else if (rc == ZBADVERSION)
        (void)read_value(v);
    zokor_result_clear(&r);
    return rc;
}

int zokor_shared_value_set(struct zokor_shared_value *v, const void *data, int data_len)
{
    return set_value(v, data, data_len, -1);
}

int zokor_shared_value_try_set(struct zokor_shared_value *v, int version, const void *data, int data_len)
{
    return set_value(v, data, data_len, version);
}

static void store(int32_t count, unsigned char bytes[4])
{
    for (int i = 0; i < 4; i++)
        bytes[i] = (unsigned char)((uint32_t)count >> (24 - 8 * i));
}

static int32_t load(const char *data, int n)
{
    uint32_t count = 0;
    for (int i = 0; i < 4 && n >= 4; i++)
        count = count << 8 | (unsigned char)data[i];
    return (int32_t)count;
}

static void tell(struct zokor_shared_count *c)
{
    pthread_mutex_lock(&c->lock);
    LIST_FOR(it, &c->listeners)
    {
        struct count_listener *l = CONTAINER_OF(it, struct count_listener, link);
        l->changed(l);
    }
    pthread_mutex_unlock(&c->lock);
}

static void on_value(struct zokor_shared_value *v, const void *data, int data_len, int version, void *context)
{
    struct zokor_shared_count *c = context;
    (void)v;
    (void)version;
    tell(c);
    if (c->fn != NULL)
        c->fn(c, load(data, data_len), c->context);
}

struct zokor_shared_count *zokor_shared_count_new(struct zokor_framework *f, const char *path, int32_t seed,
                                                  zokor_shared_count_fn fn, void *context, int *rc)
{
    struct zokor_shared_count *c = mem_zalloc(sizeof(*c));
    unsigned char bytes[4];
    store(seed, bytes);
    c->fn = fn;
    c->context = context;
    pthread_mutex_init(&c->lock, NULL);
    list_init(&c->listeners);
    c->value = zokor_shared_value_new(f, path, bytes, 4, on_value, c, rc);
    if (c->value != NULL)
        return c;
    zokor_shared_count_free(c);
    return NULL;
}

void zokor_shared_count_free(struct zokor_shared_count *c)
{
    if (c == NULL)
        return;
    zokor_shared_value_free(c->value);
    pthread_mutex_destroy(&c->lock);
    mem_free(c);
}

int32_t zokor_shared_count_get(struct zokor_shared_count *c, int *version)
{
    pthread_mutex_lock(&c->value->lock);
    int32_t count = load(c->value->data, c->value->data_len);
    if (version != NULL)
        *version = c->value->version;
    pthread_mutex_unlock(&c->value->lock);
    return count;
}

int zokor_shared_count_set(struct zokor_shared_count *c, int32_t count)
{
    return zokor_shared_count_try_set(c, -1, count);
}

int zokor_shared_count_try_set(struct zokor_shared_count *c, int version, int32_t count)
{
    unsigned char bytes[4];
    store(count, bytes);
    int rc = set_value(c->value, bytes, 4, version);
    if (rc == ZOK)
        tell(c);
    return rc;
}

void count_listen(struct zokor_shared_count *c, struct count_listener *l)
{
    pthread_mutex_lock(&c->lock);
    list_push_back(&c->listeners, &l->link);
    pthread_mutex_unlock(&c->lock);
}

void count_unlisten(struct zokor_shared_count *c, struct count_listener *l)
{
    pthread_mutex_lock(&c->lock);
    list_remove(&l->link);
    pthread_mutex_unlock(&c->lock);
}
