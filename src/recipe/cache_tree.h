/* recipe/cache_tree.h: the nodes of a cache, by path and by parent. No threads: the cache's lock is around it. */
#ifndef ZOKOR_RECIPE_CACHE_TREE_H
#define ZOKOR_RECIPE_CACHE_TREE_H

#include "base/assert.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <zokor/client.h>

struct cache_node {
    struct cache_node *same_bucket, *parent, *children, *next, *prev;
    char *data;
    struct Stat stat;
    int32_t data_len;
    uint32_t seen : 31;   /* the pass in which it was last found */
    uint32_t present : 1; /* 0: only there because something below it is */
    char path[];
};

struct cache_tree {
    struct cache_node **buckets;
    size_t bucket_count, node_count; /* with those not present */
    size_t present_count;
    size_t root_len; /* bytes of the path of the topmost node */
    uint64_t key;
};

void cache_tree_init(struct cache_tree *t, const char *root);
void cache_tree_fini(struct cache_tree *t);
/* NULL if it is not there, or only as the parent of another. */
struct cache_node *cache_tree_find(const struct cache_tree *t, const char *path);
/* As found, present or not. */
struct cache_node *cache_tree_any(const struct cache_tree *t, const char *path);
/* Finds or makes it; `path` is the root or below it. */
struct cache_node *cache_tree_make(struct cache_tree *t, const char *path);
void cache_tree_appear(struct cache_tree *t, struct cache_node *n);
/* It is not present any more; the node is freed if nothing is below it. */
void cache_tree_vanish(struct cache_tree *t, struct cache_node *n);
/* All present nodes that were not seen in this pass, deepest first; to be freed. */
struct cache_node **cache_tree_unseen(const struct cache_tree *t, uint32_t pass, size_t *count);

#endif
