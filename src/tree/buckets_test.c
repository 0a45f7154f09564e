#include "base/mem.h"
#include "base/rng.h"
#include "tree/tree_test_support.h"

/* What the index should hold: hashes by number, 0 for numbers that are out. Hashes are never 0
 * here. */
struct expected {
    uint32_t *hash;
    uint32_t end, count;
};

static bool found(const struct buckets *b, uint32_t id, uint32_t hash)
{
    struct bucket_probe probe = buckets_probe(b, hash);
    for (uint32_t i = buckets_match(&probe, hash); i != 0; i = buckets_match(&probe, hash))
        if (i == id)
            return true;
    return false;
}

static void every_number_is_found_and_listed_once(const struct buckets *b, const struct expected *x)
{
    uint32_t count = 0;
    struct bucket_cursor c, again;
    for (uint32_t id = buckets_first(b, &c); id != 0; id = buckets_next(b, &c), count++) {
        assert_true(id < x->end && x->hash[id] != 0);
        struct bucket_cursor copy = c;
        buckets_seek(b, &again, id, x->hash[id]);
        assert_int_equal(buckets_next(b, &again), buckets_next(b, &copy));
    }
    assert_int_equal(count, x->count);
    assert_int_equal(b->entries, x->count);
    for (uint32_t id = 1; id < x->end; id++)
        if (x->hash[id] != 0)
            assert_true(found(b, id, x->hash[id]));
}

static void put(struct buckets *b, struct expected *x, uint32_t id, uint32_t hash)
{
    assert_false(found(b, id, hash));
    buckets_insert(b, id, hash);
    x->hash[id] = hash;
    x->count++;
}

static void take(struct buckets *b, struct expected *x, uint32_t id)
{
    buckets_remove(b, id, x->hash[id]);
    assert_false(found(b, id, x->hash[id]));
    x->hash[id] = 0;
    x->count--;
}

static void grows_and_shrinks(void **state)
{
    (void)state;
    enum { COUNT = 30000 };
    struct expected x = { .hash = mem_zalloc((COUNT + 1) * sizeof(uint32_t)), .end = COUNT + 1 };
    struct buckets b;
    struct rng r;
    rng_init(&r, 5);
    buckets_init(&b);
    for (int round = 0; round < 3; round++) {
        for (uint32_t id = 1; id <= COUNT; id++)
            if (x.hash[id] == 0) /* some hashes are equal */
                put(&b, &x, id, 1 + (uint32_t)rng_u64(&r) % (round == 2 ? 5000 : UINT32_MAX - 1));
        every_number_is_found_and_listed_once(&b, &x);
        assert_true(b.n > 50 * BUCKETS_SEGMENT);
        assert_true(buckets_bytes(&b) < COUNT * 16);
        uint32_t keep = round == 1 ? 700 : 0;
        while (x.count > keep) {
            uint32_t id = 1 + (uint32_t)rng_below(&r, COUNT);
            while (x.hash[id] == 0)
                id = id < COUNT ? id + 1 : 1;
            take(&b, &x, id);
            if (x.count % 997 == 0)
                every_number_is_found_and_listed_once(&b, &x);
        }
        every_number_is_found_and_listed_once(&b, &x);
    }
    assert_int_equal(buckets_bytes(&b), 0);
    buckets_fini(&b);
    mem_free(x.hash);
}

/* Every count around the edges of arrays, segments and powers of two; removal in the order of
 * insertion. */
static void edges(void **state)
{
    (void)state;
    enum { MOST = 1300 };
    struct expected x = { .hash = mem_zalloc((MOST + 1) * sizeof(uint32_t)), .end = MOST + 1 };
    for (uint32_t count = 1; count <= MOST; count += count < 40 ? 1 : 83) {
        struct buckets b;
        buckets_init(&b);
        for (uint32_t id = 1; id <= count; id++)
            put(&b, &x, id, id * 2654435761u);
        every_number_is_found_and_listed_once(&b, &x);
        for (uint32_t id = 1; id <= count; id++) {
            take(&b, &x, id);
            if (count < 40)
                every_number_is_found_and_listed_once(&b, &x);
        }
        assert_int_equal(buckets_bytes(&b), 0);
        put(&b, &x, 1, 7);
        take(&b, &x, 1);
        buckets_fini(&b);
    }
    mem_free(x.hash);
}

/* All under one hash: no order of growth can part them, and nothing breaks. */
static void one_hash(void **state)
{
    (void)state;
    enum { COUNT = 400 };
    struct expected x = { .hash = mem_zalloc((COUNT + 1) * sizeof(uint32_t)), .end = COUNT + 1 };
    struct buckets b;
    buckets_init(&b);
    for (uint32_t id = 1; id <= COUNT; id++)
        put(&b, &x, id, 77);
    every_number_is_found_and_listed_once(&b, &x);
    for (uint32_t id = 1; id <= COUNT / 2; id++)
        take(&b, &x, id);
    every_number_is_found_and_listed_once(&b, &x);
    buckets_fini(&b);
    mem_free(x.hash);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(grows_and_shrinks),
        cmocka_unit_test(edges),
        cmocka_unit_test(one_hash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
