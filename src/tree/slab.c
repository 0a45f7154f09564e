#include "tree/slab.h"
#include "base/mem.h"
#include <string.h>

void slab_init(struct slab *s, size_t record_bytes)
{
    ASSERT(record_bytes >= sizeof(uint32_t));
    *s = (struct slab){ .record_bytes = (uint32_t)record_bytes, .end = 1 };
}

void slab_fini(struct slab *s)
{
    for (uint32_t i = 0; i < s->chunk_count; i++)
        mem_free(s->chunks[i]);
    mem_free(s->chunks);
    *s = (struct slab){ .record_bytes = s->record_bytes, .end = 1 };
}

static void add_chunk(struct slab *s)
{
    if (s->chunk_count == s->chunk_cap) {
        s->chunk_cap = s->chunk_cap == 0 ? 8 : s->chunk_cap * 2;
        s->chunks = mem_realloc(s->chunks, s->chunk_cap * sizeof *s->chunks);
    }
    s->chunks[s->chunk_count++] = mem_alloc((size_t)SLAB_CHUNK_RECORDS * s->record_bytes);
}

uint32_t slab_take(struct slab *s)
{
    s->live++;
    uint32_t id = s->free;
    if (id != 0) {
        memcpy(&s->free, slab_at(s, id), sizeof s->free);
        return id;
    }
    id = s->end;
    ASSERT(id != UINT32_MAX);
    if ((id >> SLAB_SHIFT) >= s->chunk_count)
        add_chunk(s);
    s->end = id + 1;
    memset(slab_at(s, id), 0, s->record_bytes);
    return id;
}

void slab_give(struct slab *s, uint32_t id)
{
    ASSERT(id != 0 && id < s->end && s->live != 0);
    memcpy(slab_at(s, id), &s->free, sizeof s->free);
    s->free = id;
    s->live--;
}

size_t slab_bytes(const struct slab *s)
{
    return s->chunk_count * ((size_t)SLAB_CHUNK_RECORDS * s->record_bytes) + s->chunk_cap * sizeof *s->chunks;
}
