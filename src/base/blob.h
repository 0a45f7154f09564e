/* blob: immutable bytes shared by count, across threads. One transaction's bytes serve the log, every peer and the
 * tree without a copy. */
#ifndef ZOKOR_BASE_BLOB_H
#define ZOKOR_BASE_BLOB_H

#include "base/slice.h"
#include <stdatomic.h>

struct blob {
    atomic_uint refs;
    uint32_t n;
    uint8_t p[];
};

/* One reference, contents for the maker to fill before it shares the blob. */
struct blob *blob_new(size_t n);
struct blob *blob_dup(struct slice s);

static inline struct blob *blob_ref(struct blob *b)
{
    atomic_fetch_add_explicit(&b->refs, 1, memory_order_relaxed);
    return b;
}

/* Gives one reference back; the last one frees. NULL is fine. Any thread. */
void blob_unref(struct blob *b);

/* A hint: its first bytes are looked at soon. */
static inline void blob_fetch(const struct blob *b)
{
    __builtin_prefetch(b, 1);
    __builtin_prefetch(b->p + 64);
    __builtin_prefetch(b->p + 128);
}

static inline struct slice blob_slice(const struct blob *b)
{
    return slice_of(b->p, b->n);
}

#endif
