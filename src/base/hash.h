/* hash: a keyed hash of bytes for our tables, fast on short names. The key is chosen at start, so that strangers
 * cannot aim names at one bucket. Not for secrets, and never stored. */
#ifndef ZOKOR_BASE_HASH_H
#define ZOKOR_BASE_HASH_H

#include "base/slice.h"

uint64_t hash_bytes(uint64_t key, const void *p, size_t n);

static inline uint64_t hash_slice(uint64_t key, struct slice s)
{
    return hash_bytes(key, s.p, s.n);
}

/* Mixes one number. */
static inline uint64_t hash_u64(uint64_t key, uint64_t v)
{
    v = (v ^ key) * 0x9e3779b97f4a7c15u;
    v ^= v >> 32;
    v *= 0xd6e8feb86659fd93u;
    return v ^ (v >> 32);
}

#endif
