/* slab: records of one size, named by small numbers. Chunks never move and are never given back
 * before the end, so growth costs one allocation and no copy. The first four bytes of a free record
 * link it to the next. Number 0 means none. */
#ifndef ZOKOR_TREE_SLAB_H
#define ZOKOR_TREE_SLAB_H

#include "base/assert.h"
#include <stddef.h>
#include <stdint.h>

#define SLAB_SHIFT 12
#define SLAB_CHUNK_RECORDS (1u << SLAB_SHIFT)

struct slab {
    uint8_t **chunks;
    uint32_t chunk_count, chunk_cap;
    uint32_t record_bytes;
    uint32_t end;  /* numbers in [1, end) have been given out at least once */
    uint32_t free; /* first free record below end */
    uint32_t live; /* records in use */
};

void slab_init(struct slab *s, size_t record_bytes);
void slab_fini(struct slab *s);
/* A zeroed record, except for a record that was used before: its bytes behind the first four are as
 * the last user left them, so that marks can outlive a record (walk.c needs that). Never 0. */
uint32_t slab_take(struct slab *s);
void slab_give(struct slab *s, uint32_t id);
/* Bytes allocated. */
size_t slab_bytes(const struct slab *s);

static inline void *slab_at(const struct slab *s, uint32_t id)
{
    return s->chunks[id >> SLAB_SHIFT] + (size_t)(id & (SLAB_CHUNK_RECORDS - 1)) * s->record_bytes;
}

#endif
