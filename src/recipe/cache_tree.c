/* The nodes of a cache. Each is one allocation with its path, and its data is another: some 200 bytes a node. */
#include "recipe/cache_tree.h"
#include "base/hash.h"
#include "base/mem.h"
#include "recipe/internal.h"
#include <stdlib.h>
#include <string.h>

#define BUCKETS_MIN 16

void cache_tree_init(struct cache_tree *t, const char *root)
{
    *t = (struct cache_tree){ .bucket_count = BUCKETS_MIN, .root_len = strlen(root), .key = recipe_random() };
    t->buckets = mem_zalloc(BUCKETS_MIN * sizeof(struct cache_node *));
}

void cache_tree_fini(struct cache_tree *t)
{
    for (size_t i = 0; i < t->bucket_count; i++) {
        for (struct cache_node *n = t->buckets[i], *next; n != NULL; n = next) {
            next = n->same_bucket;
            mem_free(n->data);
            mem_free(n);
        }
    }
    mem_free(t->buckets);
}

static struct cache_node **place(const struct cache_tree *t, const char *path, size_t len)
{
    struct cache_node **at = &t->buckets[hash_bytes(t->key, path, len) & (t->bucket_count - 1)];
    while (*at != NULL && (strncmp((*at)->path, path, len) != 0 || (*at)->path[len] != 0))
        at = &(*at)->same_bucket;
    return at;
}

struct cache_node *cache_tree_find(const struct cache_tree *t, const char *path)
{
    struct cache_node *n = *place(t, path, strlen(path));
    return n != NULL && n->present ? n : NULL;
}

struct cache_node *cache_tree_any(const struct cache_tree *t, const char *path)
{
    return *place(t, path, strlen(path));
}

static void grow(struct cache_tree *t)
{
    struct cache_node **old = t->buckets;
    size_t count = t->bucket_count;
    t->bucket_count = count * 2;
    t->buckets = mem_zalloc(t->bucket_count * sizeof(struct cache_node *));
    for (size_t i = 0; i < count; i++) {
        for (struct cache_node *n = old[i], *next; n != NULL; n = next) {
            next = n->same_bucket;
            struct cache_node **at = &t->buckets[hash_bytes(t->key, n->path, strlen(n->path)) & (t->bucket_count - 1)];
            n->same_bucket = *at;
            *at = n;
        }
    }
    mem_free(old);
}

static struct cache_node *add(struct cache_tree *t, const char *path, size_t len, struct cache_node *parent)
{
    if (t->node_count >= t->bucket_count)
        grow(t);
    struct cache_node **at = place(t, path, len);
    struct cache_node *n = mem_zalloc(offsetof(struct cache_node, path) + len + 1);
    memcpy(n->path, path, len);
    n->data_len = -1;
    n->same_bucket = *at;
    *at = n;
    t->node_count++;
    n->parent = parent;
    if (parent != NULL) {
        n->next = parent->children;
        if (n->next != NULL)
            n->next->prev = n;
        parent->children = n;
    }
    return n;
}

struct cache_node *cache_tree_make(struct cache_tree *t, const char *path)
{
    size_t len = strlen(path);
    struct cache_node *n = *place(t, path, len), *parent = NULL;
    if (n != NULL)
        return n;
    size_t from = t->root_len; /* makes what is missing, from the top */
    for (;;) {
        n = *place(t, path, from);
        if (n == NULL)
            n = add(t, path, from, parent);
        if (from == len)
            return n;
        parent = n;
        do
            from++;
        while (from < len && path[from] != '/');
    }
}

void cache_tree_appear(struct cache_tree *t, struct cache_node *n)
{
    t->present_count += n->present ? 0 : 1;
    n->present = 1;
}

static void unlink_node(struct cache_tree *t, struct cache_node *n)
{
    struct cache_node **at = place(t, n->path, strlen(n->path));
    ASSERT(*at == n);
    *at = n->same_bucket;
    t->node_count--;
    if (n->prev != NULL)
        n->prev->next = n->next;
    else if (n->parent != NULL)
        n->parent->children = n->next;
    if (n->next != NULL)
        n->next->prev = n->prev;
    mem_free(n);
}

void cache_tree_vanish(struct cache_tree *t, struct cache_node *n)
{
    t->present_count -= n->present ? 1 : 0;
    n->present = 0;
    mem_free(n->data);
    n->data = NULL;
    n->data_len = -1;
    while (n != NULL && !n->present && n->children == NULL) {
        struct cache_node *parent = n->parent;
        unlink_node(t, n);
        n = parent;
    }
}

static int deepest_first(const void *a, const void *b)
{
    const struct cache_node *const *x = a, *const *y = b;
    return strcmp((*y)->path, (*x)->path);
}

struct cache_node **cache_tree_unseen(const struct cache_tree *t, uint32_t pass, size_t *count)
{
    struct cache_node **out = mem_alloc((t->present_count + 1) * sizeof(struct cache_node *));
    *count = 0;
    for (size_t i = 0; i < t->bucket_count; i++) {
        for (struct cache_node *n = t->buckets[i]; n != NULL; n = n->same_bucket) {
            if (n->present && n->seen != pass)
                out[(*count)++] = n;
        }
    }
    qsort(out, *count, sizeof(struct cache_node *), deepest_first);
    return out;
}
