/* What is in a cache now. */
#include "recipe/cache.h"
#include <stdlib.h>
#include <string.h>

int zokor_cache_get(struct zokor_cache *c, const char *path, char **data, int *data_len, struct Stat *stat)
{
    pthread_mutex_lock(&c->lock);
    const struct cache_node *n = cache_tree_find(&c->tree, path);
    if (data != NULL) {
        *data = NULL;
        if (n != NULL && n->data_len >= 0) {
            *data = mem_alloc((size_t)n->data_len + 1);
            memcpy(*data, n->data, (size_t)n->data_len + 1);
        }
    }
    if (data_len != NULL)
        *data_len = n == NULL ? -1 : n->data_len;
    if (stat != NULL && n != NULL)
        *stat = n->stat;
    pthread_mutex_unlock(&c->lock);
    return n == NULL ? ZNONODE : ZOK;
}

static int by_name(const void *a, const void *b)
{
    const char *const *x = a, *const *y = b;
    return strcmp(*x, *y);
}

/* The node of a cache of children is not in it itself, yet has them. */
static const struct cache_node *first_child(const struct zokor_cache *c, const char *path, bool *is_there)
{
    const struct cache_node *n = cache_tree_find(&c->tree, path);
    if (n == NULL && c->options.kind == ZOKOR_CACHE_CHILDREN && strcmp(path, c->path) == 0)
        n = cache_tree_any(&c->tree, path);
    else if (n == NULL)
        *is_there = false;
    return n == NULL ? NULL : n->children;
}

int zokor_cache_children(struct zokor_cache *c, const char *path, struct String_vector *names)
{
    bool is_there = true;
    int32_t count = 0;
    *names = (struct String_vector){ .count = 0 };
    pthread_mutex_lock(&c->lock);
    const struct cache_node *first = first_child(c, path, &is_there);
    for (const struct cache_node *n = first; n != NULL; n = n->next)
        count += n->present;
    if (count > 0 && allocate_String_vector(names, count) == 0) {
        count = 0;
        for (const struct cache_node *n = first; n != NULL; n = n->next) {
            if (n->present)
                names->data[count++] = recipe_copy(strrchr(n->path, '/') + 1);
        }
    }
    pthread_mutex_unlock(&c->lock);
    if (names->count > 0)
        qsort(names->data, (size_t)names->count, sizeof(char *), by_name);
    return is_there ? ZOK : ZNONODE;
}

size_t zokor_cache_size(struct zokor_cache *c)
{
    pthread_mutex_lock(&c->lock);
    size_t n = c->tree.present_count;
    pthread_mutex_unlock(&c->lock);
    return n;
}
