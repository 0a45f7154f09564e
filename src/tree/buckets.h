/* buckets: a hash index from 32-bit hashes to numbers, by linear hashing. It grows and shrinks by
 * single buckets, so no operation ever rehashes the whole: a directory with a million children
 * costs the same a child as a small one, and no insert stalls. A bucket is one cache line of (hash,
 * number) pairs: looking something up that is not there, and moving pairs when a bucket is split,
 * touches none of the things the numbers stand for.
 *
 * Up to seven pairs live in a plain array, one pair in no memory at all. */
#ifndef ZOKOR_TREE_BUCKETS_H
#define ZOKOR_TREE_BUCKETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BUCKET_PAIRS 7u
#define BUCKETS_SEGMENT 64u       /* buckets allocated together */
#define BUCKETS_SMALL 0x80000000u /* mark in n: a plain array; the rest of n is its room */

struct bucket_pair {
    uint32_t hash;
    uint32_t id; /* 0: this pair and those behind it are free */
};

struct bucket {
    struct bucket_pair pairs[BUCKET_PAIRS];
    struct bucket *more; /* overflow */
};
_Static_assert(sizeof(struct bucket) == 64, "a bucket is a cache line");

struct buckets {
    union {
        struct bucket_pair one;    /* small, room for 1 */
        struct bucket_pair *small; /* small, room for more */
        uint8_t *flat;             /* n <= BUCKETS_SEGMENT: room for the next power of two, at least 2 */
        uint8_t **dir;             /* above: segments */
    } u;
    uint32_t n; /* buckets, or BUCKETS_SMALL | room */
    uint32_t entries;
};

void buckets_init(struct buckets *b);
void buckets_fini(struct buckets *b);
/* The number must not be in the index yet; id 0 is not a number. */
void buckets_insert(struct buckets *b, uint32_t id, uint32_t hash);
/* The number must be in the index under this hash. */
void buckets_remove(struct buckets *b, uint32_t id, uint32_t hash);
/* Bytes allocated, but for overflow buckets. */
size_t buckets_bytes(const struct buckets *b);

/* ---- looking up: buckets_probe, then buckets_match until it gives the wanted number or 0 ---- */

struct bucket_probe {
    const struct bucket_pair *at, *end;
    const struct bucket *more;
};

static inline uint32_t buckets_index(uint32_t n, uint32_t hash)
{
    uint32_t i = hash & (UINT32_MAX >> __builtin_clz(n - 1));
    return i >= n ? i & (UINT32_MAX >> __builtin_clz(n - 1) >> 1) : i;
}

/* Memory of buckets is aligned by hand to cache lines. */
static inline struct bucket *bucket_at(const struct buckets *b, uint32_t i)
{
    uint8_t *raw = b->n > BUCKETS_SEGMENT ? b->u.dir[i / BUCKETS_SEGMENT] : b->u.flat;
    raw += -(uintptr_t)raw & (sizeof(struct bucket) - 1);
    return (struct bucket *)(void *)raw + i % BUCKETS_SEGMENT;
}

static inline const struct bucket_pair *buckets_small(const struct buckets *b)
{
    return b->n == (BUCKETS_SMALL | 1) ? &b->u.one : b->u.small;
}

static inline struct bucket_probe buckets_probe(const struct buckets *b, uint32_t hash)
{
    if (b->n & BUCKETS_SMALL)
        return (struct bucket_probe){ buckets_small(b), buckets_small(b) + b->entries, NULL };
    const struct bucket *k = bucket_at(b, buckets_index(b->n, hash));
    return (struct bucket_probe){ k->pairs, k->pairs + BUCKET_PAIRS, k->more };
}

static inline uint32_t buckets_match(struct bucket_probe *p, uint32_t hash)
{
    for (;;) {
        while (p->at < p->end && p->at->id != 0) {
            const struct bucket_pair *pair = p->at++;
            if (pair->hash == hash)
                return pair->id;
        }
        if (p->more == NULL)
            return 0;
        p->at = p->more->pairs;
        p->end = p->at + BUCKET_PAIRS;
        p->more = p->more->more;
    }
}

/* ---- all numbers, in an order that only changes with the index; 0 at the end ---- */

struct bucket_cursor {
    uint32_t bucket;          /* index of the next bucket */
    struct bucket_probe rest; /* of the current one */
};

uint32_t buckets_first(const struct buckets *b, struct bucket_cursor *c);
uint32_t buckets_next(const struct buckets *b, struct bucket_cursor *c);
/* Sets the cursor so that buckets_next gives what follows this number. */
void buckets_seek(const struct buckets *b, struct bucket_cursor *c, uint32_t id, uint32_t hash);

#endif
