/* buckets: a hash table over the records of a slab by linear hashing. It grows and shrinks by single buckets, so no
 * operation ever rehashes the whole: a directory with a million children costs the same a child as a small one, and
 * no insert stalls. A table with up to four records is one number and owns no memory. */
#ifndef ZOKOR_TREE_BUCKETS_H
#define ZOKOR_TREE_BUCKETS_H

#include "tree/slab.h"

#define BUCKETS_SEGMENT 1024u

struct buckets {
    union {
        uint32_t one;   /* n == 1 */
        uint32_t *flat; /* n <= BUCKETS_SEGMENT: room for the next power of two, at least 4 */
        uint32_t **dir; /* above: segments of BUCKETS_SEGMENT heads */
    } u;
    uint32_t n;         /* buckets */
    uint32_t entries;
};

void buckets_init(struct buckets *b);
void buckets_fini(struct buckets *b);
/* The record must not be in a table. Uses `hash` of its chain. */
void buckets_insert(struct buckets *b, const struct slab *s, uint32_t id);
void buckets_remove(struct buckets *b, const struct slab *s, uint32_t id);
/* All records, in the order of buckets; 0 at the end. */
uint32_t buckets_first(const struct buckets *b);
uint32_t buckets_next(const struct buckets *b, const struct slab *s, uint32_t id);
size_t buckets_bytes(const struct buckets *b);

static inline uint32_t buckets_index(uint32_t n, uint32_t hash)
{
    uint32_t mask = n == 1 ? 0 : UINT32_MAX >> __builtin_clz(n - 1);
    uint32_t i = hash & mask;
    return i >= n ? i & (mask >> 1) : i;
}

/* The head of bucket i. */
static inline uint32_t *buckets_slot(struct buckets *b, uint32_t i)
{
    if (b->n > BUCKETS_SEGMENT)
        return &b->u.dir[i / BUCKETS_SEGMENT][i % BUCKETS_SEGMENT];
    return b->n == 1 ? &b->u.one : &b->u.flat[i];
}

/* The first record of the chain in which a hash is found. */
static inline uint32_t buckets_head(const struct buckets *b, uint32_t hash)
{
    return *buckets_slot((struct buckets *)(uintptr_t)b, buckets_index(b->n, hash));
}

#endif
