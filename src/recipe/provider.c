/* The instances of one service, and the choice of one. */
#include "recipe/discovery.h"
#include <stdlib.h>
#include <string.h>

#define ERRORS_MAX 2 /* Curator's DownInstancePolicy */
#define DOWN_MS 30000

struct zokor_service_cache {
    struct zokor_cache *cache;
    zokor_service_fn fn;
    void *context;
    pthread_mutex_t lock;
    struct zokor_instance **instances; /* by the name of their nodes */
    char **nodes;
    int count;
};

static int place_of(const struct zokor_service_cache *c, const char *node)
{
    int low = 0, high = c->count;
    while (low < high) {
        int middle = low + (high - low) / 2;
        if (strcmp(c->nodes[middle], node) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void forget(struct zokor_service_cache *c, const char *node)
{
    int at = place_of(c, node);
    if (at == c->count || strcmp(c->nodes[at], node) != 0)
        return;
    zokor_instance_free(c->instances[at]);
    mem_free(c->nodes[at]);
    c->count--;
    memmove(c->instances + at, c->instances + at + 1, (size_t)(c->count - at) * sizeof(*c->instances));
    memmove(c->nodes + at, c->nodes + at + 1, (size_t)(c->count - at) * sizeof(*c->nodes));
}

static void keep(struct zokor_service_cache *c, const char *node, struct zokor_instance *i)
{
    forget(c, node);
    int at = place_of(c, node);
    c->instances = mem_realloc(c->instances, (size_t)(c->count + 1) * sizeof(*c->instances));
    c->nodes = mem_realloc(c->nodes, (size_t)(c->count + 1) * sizeof(*c->nodes));
    memmove(c->instances + at + 1, c->instances + at, (size_t)(c->count - at) * sizeof(*c->instances));
    memmove(c->nodes + at + 1, c->nodes + at, (size_t)(c->count - at) * sizeof(*c->nodes));
    c->instances[at] = i;
    c->nodes[at] = recipe_copy(node);
    c->count++;
}

static void on_change(struct zokor_cache *cache, const struct zokor_cache_event *e, void *context)
{
    struct zokor_service_cache *c = context;
    const struct zokor_cache_node *n = e->now != NULL ? e->now : e->old;
    (void)cache;
    if (n == NULL)
        return;
    const char *node = strrchr(n->path, '/') + 1;
    struct zokor_instance *i = e->now == NULL ? NULL : zokor_instance_decode(n->data, n->data_len);
    pthread_mutex_lock(&c->lock);
    if (i != NULL)
        keep(c, node, i);
    else
        forget(c, node);
    pthread_mutex_unlock(&c->lock);
    if (c->fn != NULL)
        c->fn(c, c->context);
}

struct zokor_service_cache *zokor_service_cache_start(struct zokor_discovery *d, const char *name, zokor_service_fn fn,
                                                      void *context)
{
    struct zokor_service_cache *c = mem_zalloc(sizeof(*c));
    char *path = discovery_path(d, name, NULL);
    *c = (struct zokor_service_cache){ .fn = fn, .context = context };
    pthread_mutex_init(&c->lock, NULL);
    c->cache = zokor_cache_new(d->f, path, &(struct zokor_cache_options){ .kind = ZOKOR_CACHE_CHILDREN });
    mem_free(path);
    zokor_cache_listen(c->cache, on_change, c);
    (void)zokor_cache_start(c->cache);
    return c;
}

int zokor_service_cache_wait(struct zokor_service_cache *c, int timeout_ms)
{
    return zokor_cache_wait(c->cache, timeout_ms);
}

int zokor_service_cache_instances(struct zokor_service_cache *c, struct zokor_instance ***instances, int *count)
{
    pthread_mutex_lock(&c->lock);
    *count = c->count;
    *instances = mem_zalloc(((size_t)c->count + 1) * sizeof(struct zokor_instance *));
    for (int i = 0; i < c->count; i++)
        (*instances)[i] = zokor_instance_copy(c->instances[i]);
    pthread_mutex_unlock(&c->lock);
    return ZOK;
}

void zokor_service_cache_close(struct zokor_service_cache *c)
{
    if (c == NULL)
        return;
    zokor_cache_close(c->cache);
    zokor_instances_free(c->instances, c->count);
    for (int i = 0; i < c->count; i++)
        mem_free(c->nodes[i]);
    mem_free(c->nodes);
    pthread_mutex_destroy(&c->lock);
    mem_free(c);
}

/* Errors of one instance since the first of them. */
struct fault {
    struct list link;
    char *id;
    int errors;
    int64_t first_ms;
};

struct zokor_provider {
    struct zokor_service_cache *cache;
    struct zokor_provider_options options;
    pthread_mutex_t lock;
    struct list faults;
    uint64_t next;
    char *stuck_to;
};

struct zokor_provider *zokor_provider_start(struct zokor_discovery *d, const char *name,
                                            const struct zokor_provider_options *options)
{
    struct zokor_provider *p = mem_zalloc(sizeof(*p));
    if (options != NULL)
        p->options = *options;
    if (p->options.errors_max <= 0)
        p->options.errors_max = ERRORS_MAX;
    if (p->options.down_ms <= 0)
        p->options.down_ms = DOWN_MS;
    pthread_mutex_init(&p->lock, NULL);
    list_init(&p->faults);
    p->cache = zokor_service_cache_start(d, name, NULL, NULL);
    return p;
}

int zokor_provider_wait(struct zokor_provider *p, int timeout_ms)
{
    return zokor_service_cache_wait(p->cache, timeout_ms);
}

static void purge(struct zokor_provider *p)
{
    LIST_FOR_SAFE(it, &p->faults)
    {
        struct fault *f = CONTAINER_OF(it, struct fault, link);
        if (recipe_now_ms() - f->first_ms < p->options.down_ms)
            continue;
        list_remove(it);
        mem_free(f->id);
        mem_free(f);
    }
}

static struct fault *fault_of(struct zokor_provider *p, const char *id)
{
    LIST_FOR(it, &p->faults)
    {
        if (strcmp(CONTAINER_OF(it, struct fault, link)->id, id) == 0)
            return CONTAINER_OF(it, struct fault, link);
    }
    return NULL;
}

void zokor_provider_note_error(struct zokor_provider *p, const char *id)
{
    pthread_mutex_lock(&p->lock);
    purge(p);
    struct fault *f = fault_of(p, id);
    if (f == NULL) {
        f = mem_zalloc(sizeof(*f));
        *f = (struct fault){ .id = recipe_copy(id), .first_ms = recipe_now_ms() };
        list_push_back(&p->faults, &f->link);
    }
    f->errors++;
    pthread_mutex_unlock(&p->lock);
}

static bool is_up(struct zokor_provider *p, const char *id)
{
    const struct fault *f = fault_of(p, id);
    return f == NULL || f->errors < p->options.errors_max;
}

/* Which of those that may be taken; the lock is held. */
static int choose(struct zokor_provider *p, struct zokor_instance *const *may, int count)
{
    int at = -1;
    for (int i = 0; p->options.strategy == ZOKOR_STICKY && p->stuck_to != NULL && i < count; i++) {
        if (strcmp(may[i]->id, p->stuck_to) == 0)
            at = i;
    }
    if (at < 0)
        at = (int)((p->options.strategy == ZOKOR_ROUND_ROBIN ? p->next++ : recipe_random()) % (uint64_t)count);
    if (p->options.strategy == ZOKOR_STICKY) {
        char *id = recipe_copy(may[at]->id);
        mem_free(p->stuck_to);
        p->stuck_to = id;
    }
    return at;
}

int zokor_provider_get(struct zokor_provider *p, struct zokor_instance **instance)
{
    struct zokor_instance **all;
    int count, may = 0;
    *instance = NULL;
    (void)zokor_service_cache_instances(p->cache, &all, &count);
    for (int i = 0; i < count; i++) { /* the program's filter is called without the lock */
        bool yes = !all[i]->disabled && (p->options.filter == NULL || p->options.filter(all[i], p->options.context));
        pthread_mutex_lock(&p->lock);
        purge(p);
        yes = yes && is_up(p, all[i]->id);
        pthread_mutex_unlock(&p->lock);
        if (yes) {
            struct zokor_instance *it = all[i];
            all[i] = all[may];
            all[may++] = it;
        }
    }
    if (may > 0) {
        pthread_mutex_lock(&p->lock);
        int at = choose(p, all, may);
        pthread_mutex_unlock(&p->lock);
        *instance = zokor_instance_copy(all[at]);
    }
    zokor_instances_free(all, count);
    return may > 0 ? ZOK : ZNONODE;
}

void zokor_provider_close(struct zokor_provider *p)
{
    if (p == NULL)
        return;
    zokor_service_cache_close(p->cache);
    p->options.down_ms = 0;
    purge(p);
    pthread_mutex_destroy(&p->lock);
    mem_free(p->stuck_to);
    mem_free(p);
}
