#include "tree/pool.h"
#include "base/assert.h"
#include "base/mem.h"

/* Under AddressSanitizer free blocks are poisoned, so that it sees into pages. */
#if defined(__SANITIZE_ADDRESS__)
#define POOL_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define POOL_ASAN 1
#endif
#endif
#ifdef POOL_ASAN
#include <sanitizer/asan_interface.h>
#define POISON(p, n) __asan_poison_memory_region(p, n)
#define UNPOISON(p, n) __asan_unpoison_memory_region(p, n)
#else
#define POISON(p, n) ((void)(p), (void)(n))
#define UNPOISON(p, n) ((void)(p), (void)(n))
#endif

#define POOL_PAGE_BYTES ((size_t)32 * 1024)
#define POOL_REGION_BYTES_FIRST ((size_t)256 * 1024)
#define POOL_REGION_BYTES_MAX ((size_t)4 * 1024 * 1024)

struct pool_block {
    struct pool_block *next;
};

struct pool_page {
    struct pool_page *next, *prev; /* among partial pages, or next among empty ones */
    struct pool_block *free;
    uint32_t bump; /* bytes of the page behind which no block was made yet */
    uint32_t used; /* blocks in use */
    uint32_t block_bytes;
    uint32_t listed; /* on the list of partial pages */
};

struct pool_region {
    struct pool_region *next;
    size_t bytes;
};

void pool_init(struct pool *p)
{
    *p = (struct pool){ .region_bytes_next = POOL_REGION_BYTES_FIRST };
}

void pool_fini(struct pool *p)
{
    while (p->regions != NULL) {
        struct pool_region *r = p->regions;
        p->regions = r->next;
        UNPOISON(r, r->bytes);
        mem_free(r);
    }
    pool_init(p);
}

static void add_region(struct pool *p)
{
    size_t bytes = p->region_bytes_next;
    struct pool_region *r = mem_alloc(bytes);
    *r = (struct pool_region){ .next = p->regions, .bytes = bytes };
    p->regions = r;
    uintptr_t at = ((uintptr_t)(r + 1) + POOL_PAGE_BYTES - 1) & ~(uintptr_t)(POOL_PAGE_BYTES - 1);
    p->at = (uint8_t *)r + (at - (uintptr_t)r);
    p->end = (uint8_t *)r + bytes;
    if (bytes < POOL_REGION_BYTES_MAX)
        p->region_bytes_next = bytes * 2;
}

static struct pool_page *page_take(struct pool *p, size_t class)
{
    struct pool_page *page = p->empty;
    if (page != NULL) {
        p->empty = page->next;
    } else {
        if (p->at == NULL || (size_t)(p->end - p->at) < POOL_PAGE_BYTES)
            add_region(p);
        page = (struct pool_page *)(void *)p->at;
        p->at += POOL_PAGE_BYTES;
        p->bytes += POOL_PAGE_BYTES;
        POISON(page + 1, POOL_PAGE_BYTES - sizeof *page);
    }
    *page = (struct pool_page){ .bump = sizeof *page, .block_bytes = (uint32_t) class * 8 };
    return page;
}

static void list_page(struct pool *p, struct pool_page *page)
{
    struct pool_page **head = &p->partial[page->block_bytes / 8];
    page->next = *head;
    page->prev = NULL;
    page->listed = 1;
    if (*head != NULL)
        (*head)->prev = page;
    *head = page;
}

static void unlist_page(struct pool *p, struct pool_page *page)
{
    if (page->prev != NULL)
        page->prev->next = page->next;
    else
        p->partial[page->block_bytes / 8] = page->next;
    if (page->next != NULL)
        page->next->prev = page->prev;
    page->listed = 0;
}

void *pool_alloc(struct pool *p, size_t size)
{
    ASSERT(size != 0);
    if (UNLIKELY(size > POOL_BLOCK_MAX)) {
        p->bytes += size;
        return mem_alloc(size);
    }
    size_t class = (size + 7) / 8;
    struct pool_page *page = p->partial[class];
    if (UNLIKELY(page == NULL)) {
        page = page_take(p, class);
        list_page(p, page);
    }
    struct pool_block *block = page->free;
    if (block != NULL) {
        UNPOISON(block, size < sizeof *block ? sizeof *block : size);
        page->free = block->next;
    } else {
        block = (struct pool_block *)(void *)((uint8_t *)page + page->bump);
        page->bump += page->block_bytes;
        UNPOISON(block, size);
    }
    page->used++;
    if (UNLIKELY(page->free == NULL && POOL_PAGE_BYTES - page->bump < page->block_bytes))
        unlist_page(p, page);
    return block;
}

void pool_free(struct pool *p, void *ptr, size_t size)
{
    if (UNLIKELY(size > POOL_BLOCK_MAX)) {
        p->bytes -= size;
        mem_free(ptr);
        return;
    }
    struct pool_block *block = ptr;
    struct pool_page *page = (struct pool_page *)(void *)((uint8_t *)ptr - ((uintptr_t)ptr & (POOL_PAGE_BYTES - 1)));
    ASSERT(page->used != 0 && page->block_bytes == ((size + 7) & ~(size_t)7));
    UNPOISON(block, page->block_bytes);
    block->next = page->free;
    page->free = block;
    POISON(block, page->block_bytes);
    page->used--;
    if (!page->listed)
        list_page(p, page);
    /* The last page of a size stays, so that one block that comes and goes does not make and unmake
     * a page. */
    if (page->used == 0 && (page->next != NULL || page->prev != NULL)) {
        unlist_page(p, page);
        page->next = p->empty;
        p->empty = page;
    }
}

void pool_resize(struct pool *p, void *block, size_t from, size_t to)
{
    (void)p;
    ASSERT(pool_same_class(from, to));
    UNPOISON(block, (from + 7) & ~(size_t)7);
    POISON((uint8_t *)block + to, ((to + 7) & ~(size_t)7) - to);
}
