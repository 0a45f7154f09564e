#include "base/arena.h"
#include "base/mem.h"

struct arena_block {
    struct arena_block *next;
    size_t size;
    _Alignas(16) uint8_t bytes[];
};

void arena_init(struct arena *a, size_t block_bytes)
{
    ASSERT(block_bytes >= 64);
    *a = (struct arena){ .block_bytes = block_bytes };
}

void arena_fini(struct arena *a)
{
    while (a->blocks != NULL) {
        struct arena_block *b = a->blocks;
        a->blocks = b->next;
        mem_free(b);
    }
    a->at = a->end = NULL;
}

void arena_reset(struct arena *a)
{
    struct arena_block *keep = NULL;
    while (a->blocks != NULL) {
        struct arena_block *b = a->blocks;
        a->blocks = b->next;
        if (keep == NULL && b->size == a->block_bytes)
            keep = b;
        else
            mem_free(b);
    }
    a->at = a->end = NULL;
    if (keep != NULL) {
        keep->next = NULL;
        a->blocks = keep;
        a->at = keep->bytes;
        a->end = keep->bytes + keep->size;
    }
}

void *arena_alloc_slow(struct arena *a, size_t size)
{
    size_t room = size > a->block_bytes ? size : a->block_bytes;
    struct arena_block *b = mem_alloc(sizeof *b + room);
    b->size = room;
    if (room > a->block_bytes && a->blocks != NULL) {
        /* A giant gets a block behind the current one, whose rest stays usable. */
        b->next = a->blocks->next;
        a->blocks->next = b;
        return b->bytes;
    }
    b->next = a->blocks;
    a->blocks = b;
    a->at = b->bytes + size;
    a->end = b->bytes + room;
    return b->bytes;
}
