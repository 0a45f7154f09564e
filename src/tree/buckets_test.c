#include "base/rng.h"
#include "tree/tree_test_support.h"

struct record {
    struct chain chain;
    uint32_t in; /* the table holds it */
};

static struct record *record_at(struct slab *s, uint32_t id)
{
    return slab_at(s, id);
}

static bool found(const struct buckets *b, struct slab *s, uint32_t id)
{
    for (uint32_t i = buckets_head(b, record_at(s, id)->chain.hash); i != 0; i = slab_chain(s, i)->next)
        if (i == id)
            return true;
    return false;
}

static void every_record_is_found_and_listed_once(const struct buckets *b, struct slab *s, uint32_t expected)
{
    uint32_t count = 0;
    for (uint32_t i = buckets_first(b); i != 0; i = buckets_next(b, s, i), count++)
        assert_true(record_at(s, i)->in);
    assert_int_equal(count, expected);
    assert_int_equal(b->entries, expected);
    for (uint32_t id = 1; id < s->end; id++)
        assert_int_equal(found(b, s, id), record_at(s, id)->in);
}

static void grows_and_shrinks(void **state)
{
    (void)state;
    struct slab s;
    struct buckets b;
    struct rng r;
    rng_init(&r, 5);
    slab_init(&s, sizeof(struct record));
    buckets_init(&b);
    enum { COUNT = 9000 };
    for (int round = 0; round < 3; round++) {
        while (b.entries < COUNT) {
            uint32_t id = slab_take(&s);
            *record_at(&s, id) = (struct record){ .chain = { .hash = (uint32_t)rng_u64(&r) }, .in = 1 };
            buckets_insert(&b, &s, id);
            if ((b.entries & (b.entries - 1)) == 0 || b.entries % 1024 < 2)
                assert_true(found(&b, &s, id));
        }
        every_record_is_found_and_listed_once(&b, &s, COUNT);
        assert_true(b.n > 8 * BUCKETS_SEGMENT);
        uint32_t keep = round == 1 ? 700 : 0;
        while (b.entries > keep) {
            uint32_t id = 1 + (uint32_t)rng_below(&r, s.end - 1);
            while (!record_at(&s, id)->in)
                id = id + 1 < s.end ? id + 1 : 1;
            buckets_remove(&b, &s, id);
            record_at(&s, id)->in = 0;
            slab_give(&s, id);
        }
        /* Free records keep their bytes but for the chain; give them a hash again to look for them. */
        every_record_is_found_and_listed_once(&b, &s, keep);
    }
    assert_int_equal(b.n, 1);
    assert_int_equal(buckets_bytes(&b), 0);
    assert_int_equal(s.live, 0);
    buckets_fini(&b);
    slab_fini(&s);
}

/* Removing in the order of insertion over each power of two and segment edge. */
static void edges(void **state)
{
    (void)state;
    const uint32_t counts[] = { 1, 2, 4, 5, 6, 8, 9, 1023, 1024, 1026, 1027, 1028, 1030, 2050, 2052, 3076, 4100 };
    for (size_t c = 0; c < ARRAY_COUNT(counts); c++) {
        struct slab s;
        struct buckets b;
        slab_init(&s, sizeof(struct record));
        buckets_init(&b);
        for (uint32_t i = 0; i < counts[c]; i++) {
            uint32_t id = slab_take(&s);
            *record_at(&s, id) = (struct record){ .chain = { .hash = id * 2654435761u }, .in = 1 };
            buckets_insert(&b, &s, id);
        }
        every_record_is_found_and_listed_once(&b, &s, counts[c]);
        for (uint32_t id = 1; id <= counts[c]; id++) {
            buckets_remove(&b, &s, id);
            record_at(&s, id)->in = 0;
        }
        assert_int_equal(b.n, 1);
        buckets_fini(&b);
        slab_fini(&s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(grows_and_shrinks), cmocka_unit_test(edges) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
