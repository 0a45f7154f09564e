#include "tree/buckets.h"
#include "base/mem.h"

/* One bucket a record, with these free of charge: small tables stay a single chain. */
#define BUCKETS_SLACK 3u
/* Merged a removal at most: two, so that a table that empties keeps up. */
#define BUCKETS_MERGES_MAX 2

void buckets_init(struct buckets *b)
{
    *b = (struct buckets){ .n = 1 };
}

void buckets_fini(struct buckets *b)
{
    if (b->n > BUCKETS_SEGMENT) {
        for (uint32_t i = 0; i * BUCKETS_SEGMENT < b->n; i++)
            mem_free(b->u.dir[i]);
        mem_free(b->u.dir);
    } else if (b->n > 1) {
        mem_free(b->u.flat);
    }
    buckets_init(b);
}

/* Room for one bucket more, empty. Capacities follow from n, so none is stored. */
static void add_bucket(struct buckets *b)
{
    uint32_t n = b->n;
    if (n == 1) {
        uint32_t one = b->u.one;
        b->u.flat = mem_alloc(4 * sizeof(uint32_t));
        b->u.flat[0] = one;
    } else if (n < BUCKETS_SEGMENT) {
        if (n >= 4 && (n & (n - 1)) == 0)
            b->u.flat = mem_realloc(b->u.flat, 2 * n * sizeof(uint32_t));
    } else if (n % BUCKETS_SEGMENT == 0) {
        uint32_t segments = n / BUCKETS_SEGMENT;
        if (segments == 1) {
            uint32_t *flat = b->u.flat;
            b->u.dir = mem_alloc(2 * sizeof(uint32_t *));
            b->u.dir[0] = flat;
        } else if ((segments & (segments - 1)) == 0) {
            b->u.dir = mem_realloc(b->u.dir, 2 * segments * sizeof(uint32_t *));
        }
        b->u.dir[segments] = mem_alloc(BUCKETS_SEGMENT * sizeof(uint32_t));
    }
    b->n = n + 1;
    *buckets_slot(b, n) = 0;
}

/* Gives the room of the last bucket back; its records have left. */
static void drop_bucket(struct buckets *b)
{
    uint32_t n = b->n - 1;
    if (n == 1) {
        uint32_t *flat = b->u.flat;
        b->u.one = flat[0];
        mem_free(flat);
    } else if (n >= BUCKETS_SEGMENT && n % BUCKETS_SEGMENT == 0) {
        uint32_t segments = n / BUCKETS_SEGMENT;
        mem_free(b->u.dir[segments]);
        if (segments == 1) {
            uint32_t **dir = b->u.dir;
            b->u.flat = dir[0];
            mem_free(dir);
        }
    }
    b->n = n;
}

/* The bucket that shares the records of bucket i, i > 0. */
static uint32_t buddy(uint32_t i)
{
    return i ^ (0x80000000u >> __builtin_clz(i));
}

static void split(struct buckets *b, const struct slab *s)
{
    uint32_t fresh = b->n;
    add_bucket(b);
    uint32_t *from = buckets_slot(b, buddy(fresh));
    uint32_t *to = buckets_slot(b, fresh);
    while (*from != 0) {
        uint32_t id = *from;
        struct chain *c = slab_chain(s, id);
        if (buckets_index(b->n, c->hash) == fresh) {
            *from = c->next;
            c->next = *to;
            *to = id;
        } else {
            from = &c->next;
        }
    }
}

static void merge(struct buckets *b, const struct slab *s)
{
    uint32_t last = b->n - 1;
    uint32_t moving = *buckets_slot(b, last);
    uint32_t *at = buckets_slot(b, buddy(last));
    while (*at != 0)
        at = &slab_chain(s, *at)->next;
    *at = moving;
    drop_bucket(b);
}

void buckets_insert(struct buckets *b, const struct slab *s, uint32_t id)
{
    struct chain *c = slab_chain(s, id);
    uint32_t *head = buckets_slot(b, buckets_index(b->n, c->hash));
    c->next = *head;
    *head = id;
    b->entries++;
    if (b->entries > b->n + BUCKETS_SLACK)
        split(b, s);
}

void buckets_remove(struct buckets *b, const struct slab *s, uint32_t id)
{
    struct chain *c = slab_chain(s, id);
    uint32_t *at = buckets_slot(b, buckets_index(b->n, c->hash));
    while (*at != id) {
        ASSERT(*at != 0);
        at = &slab_chain(s, *at)->next;
    }
    *at = c->next;
    c->next = 0;
    b->entries--;
    for (int i = 0; i < BUCKETS_MERGES_MAX && b->n > 1 && b->entries < b->n / 2; i++)
        merge(b, s);
}

static uint32_t first_from(const struct buckets *b, uint32_t i)
{
    for (; i < b->n; i++) {
        uint32_t id = *buckets_slot((struct buckets *)(uintptr_t)b, i);
        if (id != 0)
            return id;
    }
    return 0;
}

uint32_t buckets_first(const struct buckets *b)
{
    return first_from(b, 0);
}

uint32_t buckets_next(const struct buckets *b, const struct slab *s, uint32_t id)
{
    const struct chain *c = slab_chain(s, id);
    return c->next != 0 ? c->next : first_from(b, buckets_index(b->n, c->hash) + 1);
}

size_t buckets_bytes(const struct buckets *b)
{
    if (b->n == 1)
        return 0;
    if (b->n > BUCKETS_SEGMENT) {
        size_t segments = (b->n + BUCKETS_SEGMENT - 1) / BUCKETS_SEGMENT;
        return segments * (BUCKETS_SEGMENT * sizeof(uint32_t) + sizeof(uint32_t *));
    }
    return (b->n <= 4 ? 4 : (size_t)2 << (31 - __builtin_clz(b->n - 1))) * sizeof(uint32_t);
}
