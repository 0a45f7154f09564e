#include "tree/buckets.h"
#include "base/assert.h"
#include "base/mem.h"
#include <string.h>

/* Pairs a bucket on average: what fills a line well without many overflow buckets. Merging starts
 * far below, so that a table near an edge does not split and merge in turns. */
#define SPLIT_ABOVE(n) ((uint64_t)(n)*9 / 2)
#define MERGE_BELOW(n) ((uint64_t)(n)*2)
/* Merged a removal at most, so that a table that empties keeps up. */
#define MERGES_MAX 2
#define SMALL_ROOM_MIDDLE 3u

void buckets_init(struct buckets *b)
{
    *b = (struct buckets){ .n = BUCKETS_SMALL | 1 };
}

static void chain_free(struct bucket *more)
{
    while (more != NULL) {
        struct bucket *next = more->more;
        mem_free(more);
        more = next;
    }
}

void buckets_fini(struct buckets *b)
{
    if (b->n & BUCKETS_SMALL) {
        if (b->n != (BUCKETS_SMALL | 1))
            mem_free(b->u.small);
        buckets_init(b);
        return;
    }
    for (uint32_t i = 0; i < b->n; i++)
        chain_free(bucket_at(b, i)->more);
    if (b->n > BUCKETS_SEGMENT) {
        for (uint32_t i = 0; i * BUCKETS_SEGMENT < b->n; i++)
            mem_free(b->u.dir[i]);
        mem_free(b->u.dir);
    } else {
        mem_free(b->u.flat);
    }
    buckets_init(b);
}

/* ---- one bucket ---- */

static void bucket_add(struct bucket *k, struct bucket_pair pair)
{
    for (;;) {
        for (uint32_t i = 0; i < BUCKET_PAIRS; i++) {
            if (k->pairs[i].id == 0) {
                k->pairs[i] = pair;
                return;
            }
        }
        if (k->more == NULL) {
            k->more = mem_alloc(sizeof *k);
            *k->more = (struct bucket){ .pairs = { pair } };
            return;
        }
        k = k->more;
    }
}

/* Takes a pair out; the last one of the chain fills its place. */
static void bucket_take(struct bucket *k, uint32_t id)
{
    struct bucket_pair *hole = NULL;
    for (struct bucket *at = k;; at = at->more) {
        ASSERT(at != NULL);
        for (uint32_t i = 0; i < BUCKET_PAIRS && hole == NULL; i++)
            hole = at->pairs[i].id == id ? &at->pairs[i] : NULL;
        if (hole != NULL)
            break;
    }
    struct bucket **link = NULL;
    while (k->more != NULL) {
        link = &k->more;
        k = k->more;
    }
    uint32_t last = BUCKET_PAIRS - 1;
    while (k->pairs[last].id == 0)
        last--; /* a chain never ends with an empty bucket */
    *hole = k->pairs[last];
    k->pairs[last] = (struct bucket_pair){ 0 };
    if (last == 0 && link != NULL) {
        *link = NULL;
        mem_free(k);
    }
}

/* ---- the array of buckets ---- */

static uint8_t *segment_alloc(uint32_t buckets)
{
    return mem_alloc((buckets + 1) * sizeof(struct bucket));
}

/* Room for one bucket more, empty. Capacities follow from n, so none is stored. */
static struct bucket *bucket_append(struct buckets *b)
{
    uint32_t n = b->n;
    if (n < BUCKETS_SEGMENT) {
        if ((n & (n - 1)) == 0) {
            struct buckets old = *b;
            b->u.flat = segment_alloc(2 * n);
            memcpy(bucket_at(b, 0), bucket_at(&old, 0), n * sizeof(struct bucket));
            mem_free(old.u.flat);
        }
    } else if (n % BUCKETS_SEGMENT == 0) {
        uint32_t segments = n / BUCKETS_SEGMENT;
        if (segments == 1) {
            uint8_t *flat = b->u.flat;
            b->u.dir = mem_alloc(2 * sizeof(uint8_t *));
            b->u.dir[0] = flat;
        } else if ((segments & (segments - 1)) == 0) {
            b->u.dir = mem_realloc(b->u.dir, 2 * segments * sizeof(uint8_t *));
        }
        b->u.dir[segments] = segment_alloc(BUCKETS_SEGMENT);
    }
    b->n = n + 1;
    struct bucket *k = bucket_at(b, n);
    *k = (struct bucket){ 0 };
    return k;
}

/* Gives the room of the last bucket back; its pairs have left. */
static void bucket_drop(struct buckets *b)
{
    uint32_t n = b->n - 1;
    if (n >= BUCKETS_SEGMENT && n % BUCKETS_SEGMENT == 0) {
        uint32_t segments = n / BUCKETS_SEGMENT;
        mem_free(b->u.dir[segments]);
        if (segments == 1) {
            uint8_t **dir = b->u.dir;
            b->u.flat = dir[0];
            mem_free(dir);
        }
    }
    b->n = n;
}

/* The bucket that shares the pairs of bucket i, i > 0. */
static uint32_t buddy(uint32_t i)
{
    return i ^ (0x80000000u >> __builtin_clz(i));
}

static void split(struct buckets *b)
{
    uint32_t fresh = b->n;
    struct bucket *to = bucket_append(b);
    struct bucket *from = bucket_at(b, buddy(fresh));
    struct bucket old = *from;
    *from = (struct bucket){ 0 };
    for (struct bucket *k = &old; k != NULL; k = k->more)
        for (uint32_t i = 0; i < BUCKET_PAIRS && k->pairs[i].id != 0; i++)
            bucket_add(buckets_index(b->n, k->pairs[i].hash) == fresh ? to : from, k->pairs[i]);
    chain_free(old.more);
}

static void merge(struct buckets *b)
{
    uint32_t last = b->n - 1;
    struct bucket *from = bucket_at(b, last), *to = bucket_at(b, buddy(last));
    for (struct bucket *k = from; k != NULL; k = k->more)
        for (uint32_t i = 0; i < BUCKET_PAIRS && k->pairs[i].id != 0; i++)
            bucket_add(to, k->pairs[i]);
    chain_free(from->more);
    bucket_drop(b);
}

/* ---- small ---- */

static void small_room(struct buckets *b, uint32_t room)
{
    struct bucket_pair *pairs = mem_alloc(room * sizeof *pairs);
    memcpy(pairs, buckets_small(b), b->entries * sizeof *pairs);
    if (b->n != (BUCKETS_SMALL | 1))
        mem_free(b->u.small);
    b->u.small = pairs;
    b->n = BUCKETS_SMALL | room;
}

static void small_to_buckets(struct buckets *b)
{
    struct bucket_pair *pairs = b->u.small;
    b->u.flat = segment_alloc(2);
    b->n = 2;
    *bucket_at(b, 0) = *bucket_at(b, 1) = (struct bucket){ 0 };
    for (uint32_t i = 0; i < b->entries; i++)
        bucket_add(bucket_at(b, buckets_index(2, pairs[i].hash)), pairs[i]);
    mem_free(pairs);
}

static void buckets_to_small(struct buckets *b)
{
    struct bucket_pair *pairs = mem_alloc(BUCKET_PAIRS * sizeof *pairs);
    uint32_t n = 0;
    for (uint32_t k = 0; k < 2; k++) {
        struct bucket *bucket = bucket_at(b, k);
        for (uint32_t i = 0; i < BUCKET_PAIRS && bucket->pairs[i].id != 0; i++)
            pairs[n++] = bucket->pairs[i];
        ASSERT(bucket->more == NULL);
    }
    ASSERT(n == b->entries);
    mem_free(b->u.flat);
    b->u.small = pairs;
    b->n = BUCKETS_SMALL | BUCKET_PAIRS;
}

static void small_add(struct buckets *b, struct bucket_pair pair)
{
    uint32_t room = b->n & ~BUCKETS_SMALL;
    if (b->entries == room)
        small_room(b, room == 1 ? SMALL_ROOM_MIDDLE : BUCKET_PAIRS);
    if (b->n == (BUCKETS_SMALL | 1))
        b->u.one = pair;
    else
        b->u.small[b->entries] = pair;
}

static void small_take(struct buckets *b, uint32_t id)
{
    if (b->n == (BUCKETS_SMALL | 1)) {
        ASSERT(b->entries == 1 && b->u.one.id == id);
        return;
    }
    uint32_t i = 0;
    while (b->u.small[i].id != id) {
        i++;
        ASSERT(i < b->entries);
    }
    struct bucket_pair *pairs = b->u.small;
    pairs[i] = pairs[b->entries - 1];
    if (b->entries == 2) { /* one is left, and needs no memory */
        b->u.one = pairs[0];
        b->n = BUCKETS_SMALL | 1;
        mem_free(pairs);
    }
}

/* ---- the whole ---- */

void buckets_insert(struct buckets *b, uint32_t id, uint32_t hash)
{
    const struct bucket_pair pair = { hash, id };
    if (b->n & BUCKETS_SMALL) {
        if (b->entries < BUCKET_PAIRS) {
            small_add(b, pair);
            b->entries++;
            return;
        }
        small_to_buckets(b);
    }
    bucket_add(bucket_at(b, buckets_index(b->n, hash)), pair);
    b->entries++;
    if (b->entries > SPLIT_ABOVE(b->n))
        split(b);
}

void buckets_remove(struct buckets *b, uint32_t id, uint32_t hash)
{
    if (b->n & BUCKETS_SMALL) {
        small_take(b, id);
        b->entries--;
        return;
    }
    bucket_take(bucket_at(b, buckets_index(b->n, hash)), id);
    b->entries--;
    for (int i = 0; i < MERGES_MAX && b->n > 2 && b->entries < MERGE_BELOW(b->n); i++)
        merge(b);
    if (b->n == 2 && b->entries < MERGE_BELOW(2))
        buckets_to_small(b);
}

uint32_t buckets_next(const struct buckets *b, struct bucket_cursor *c)
{
    for (;;) {
        if (c->rest.at < c->rest.end && c->rest.at->id != 0)
            return (c->rest.at++)->id;
        const struct bucket *k = c->rest.more;
        if (k == NULL) {
            if ((b->n & BUCKETS_SMALL) || c->bucket == b->n)
                return 0;
            k = bucket_at(b, c->bucket++);
        }
        c->rest = (struct bucket_probe){ k->pairs, k->pairs + BUCKET_PAIRS, k->more };
    }
}

uint32_t buckets_first(const struct buckets *b, struct bucket_cursor *c)
{
    *c = (struct bucket_cursor){ 0 };
    if (b->n & BUCKETS_SMALL)
        c->rest = buckets_probe(b, 0);
    return buckets_next(b, c);
}

void buckets_seek(const struct buckets *b, struct bucket_cursor *c, uint32_t id, uint32_t hash)
{
    c->bucket = b->n & BUCKETS_SMALL ? 0 : buckets_index(b->n, hash) + 1;
    c->rest = buckets_probe(b, hash);
    uint32_t found;
    do {
        found = buckets_match(&c->rest, hash);
        ASSERT(found != 0);
    } while (found != id);
}

size_t buckets_bytes(const struct buckets *b)
{
    uint32_t n = b->n;
    if (n & BUCKETS_SMALL)
        return n == (BUCKETS_SMALL | 1) ? 0 : (n & ~BUCKETS_SMALL) * sizeof(struct bucket_pair);
    if (n <= BUCKETS_SEGMENT)
        return (((size_t)2 << (31 - __builtin_clz(n - 1 > 0 ? n - 1 : 1))) + 1) * sizeof(struct bucket);
    size_t segments = (n + BUCKETS_SEGMENT - 1) / BUCKETS_SEGMENT;
    return segments * ((BUCKETS_SEGMENT + 1) * sizeof(struct bucket) + sizeof(uint8_t *));
}
