/* Numbers from a chunk that was taken at once. */
#include "recipe/internal.h"
#include <zokor/atomic.h>

struct zokor_cached_long {
    struct zokor_framework *f;
    char *path, *lock_path;
    struct zokor_atomic_options options;
    int64_t chunk;
    bool is_int;
    pthread_mutex_t lock; /* held while a chunk is fetched: the others want it, too */
    int64_t next, left;
};

static struct zokor_cached_long *make(struct zokor_framework *f, const char *path,
                                      const struct zokor_atomic_options *options, int64_t chunk, bool is_int)
{
    if (path == NULL || path[0] != '/' || chunk < 1)
        return NULL;
    struct zokor_cached_long *c = mem_zalloc(sizeof(*c));
    c->f = f;
    c->path = recipe_copy(path);
    if (options != NULL)
        c->options = *options;
    c->options.lock_path = c->lock_path = recipe_copy(c->options.lock_path);
    c->chunk = chunk;
    c->is_int = is_int;
    pthread_mutex_init(&c->lock, NULL);
    return c;
}

struct zokor_cached_long *zokor_cached_long_new(struct zokor_framework *f, const char *path,
                                                const struct zokor_atomic_options *options, int64_t chunk)
{
    return make(f, path, options, chunk, false);
}

struct zokor_cached_long *zokor_cached_int_new(struct zokor_framework *f, const char *path,
                                               const struct zokor_atomic_options *options, int32_t chunk)
{
    return make(f, path, options, chunk, true);
}

void zokor_cached_long_free(struct zokor_cached_long *c)
{
    if (c == NULL)
        return;
    pthread_mutex_destroy(&c->lock);
    mem_free(c->path);
    mem_free(c->lock_path);
    mem_free(c);
}

static int fetch(struct zokor_cached_long *c)
{
    int32_t small = 0;
    int rc = c->is_int ? zokor_atomic_int_add(c->f, c->path, &c->options, (int32_t)c->chunk, &small, NULL)
                       : zokor_atomic_long_add(c->f, c->path, &c->options, c->chunk, &c->next, NULL);
    if (c->is_int)
        c->next = small;
    c->left = rc == ZOK ? c->chunk : 0;
    return rc;
}

int zokor_cached_long_next(struct zokor_cached_long *c, int64_t *value)
{
    pthread_mutex_lock(&c->lock);
    int rc = c->left > 0 ? ZOK : fetch(c);
    if (rc == ZOK) {
        *value = c->next++;
        c->left--;
    }
    pthread_mutex_unlock(&c->lock);
    return rc;
}
