/* pool: memory for names, data and other small pieces of the tree without a header a block. Sizes
 * are rounded up to 8 bytes; blocks of one size share 32 KiB pages that are aligned to their size,
 * so a block's page is found from its address. A page that empties can serve another size. Blocks
 * over POOL_BLOCK_MAX come from mem_alloc. */
#ifndef ZOKOR_TREE_POOL_H
#define ZOKOR_TREE_POOL_H

#include <stddef.h>
#include <stdint.h>

#define POOL_BLOCK_MAX 512u
#define POOL_CLASSES (POOL_BLOCK_MAX / 8 + 1)

struct pool_page;
struct pool_region;

struct pool {
    struct pool_page *partial[POOL_CLASSES]; /* pages with room, by size / 8 */
    struct pool_page *empty;                 /* pages without blocks */
    struct pool_region *regions;
    uint8_t *at, *end; /* pages of the newest region that were never used */
    size_t region_bytes_next;
    size_t bytes; /* in pages that were ever used, and in large blocks */
};

void pool_init(struct pool *p);
/* Frees everything but large blocks, which their owners give back one by one. */
void pool_fini(struct pool *p);
/* Aligned to 8 bytes, contents undefined, never NULL; size must not be 0. */
void *pool_alloc(struct pool *p, size_t size);
/* `size` is what was asked for. */
void pool_free(struct pool *p, void *block, size_t size);

/* True if blocks of both sizes have the same room; then pool_resize makes the one the other in
 * place. */
void pool_resize(struct pool *p, void *block, size_t from, size_t to);
static inline int pool_same_class(size_t a, size_t b)
{
    return a != 0 && b != 0 && a <= POOL_BLOCK_MAX && b <= POOL_BLOCK_MAX && (a + 7) / 8 == (b + 7) / 8;
}

#endif
