/* arena: memory of one turn. Allocations are bumps; arena_reset gives everything back at once and keeps the first
 * block for the next turn. */
#ifndef ZOKOR_BASE_ARENA_H
#define ZOKOR_BASE_ARENA_H

#include "base/assert.h"
#include "base/slice.h"

struct arena_block;

struct arena {
    uint8_t *at, *end;          /* free room in the newest block */
    struct arena_block *blocks; /* newest first */
    size_t block_bytes;         /* size of an ordinary block */
};

/* block_bytes: size of ordinary blocks; a larger request gets a block of its own. */
void arena_init(struct arena *a, size_t block_bytes);
/* Frees everything. Safe on zeroed memory. */
void arena_fini(struct arena *a);
/* Forgets all allocations; keeps one ordinary block. */
void arena_reset(struct arena *a);
void *arena_alloc_slow(struct arena *a, size_t size);

/* Aligned to 8 bytes, contents undefined, never NULL. Lives until the next reset. */
static inline void *arena_alloc(struct arena *a, size_t size)
{
    size = (size + 7) & ~(size_t)7;
    if ((size_t)(a->end - a->at) < size || a->at == NULL)
        return arena_alloc_slow(a, size);
    void *p = a->at;
    a->at += size;
    return p;
}

/* As arena_alloc, but neither aligned nor followed by a gap: for arenas that hold nothing but bytes. */
static inline uint8_t *arena_pack(struct arena *a, size_t size)
{
    if (UNLIKELY(a->at == NULL || (size_t)(a->end - a->at) < size))
        return arena_alloc_slow(a, size);
    uint8_t *p = a->at;
    a->at += size;
    return p;
}

static inline struct slice arena_pack_dup(struct arena *a, struct slice s)
{
    if (s.p == NULL)
        return s;
    uint8_t *p = arena_pack(a, s.n);
    memcpy(p, s.p, s.n);
    return slice_of(p, s.n);
}

/* A copy of s in the arena; null stays null. */
static inline struct slice arena_dup(struct arena *a, struct slice s)
{
    if (s.p == NULL)
        return s;
    uint8_t *p = arena_alloc(a, s.n + 1);
    memcpy(p, s.p, s.n);
    p[s.n] = 0;
    return slice_of(p, s.n);
}

#endif
