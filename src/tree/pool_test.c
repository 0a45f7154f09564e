#include "base/mem.h"
#include "base/rng.h"
#include "tree/tree_test_support.h"

struct piece {
    uint8_t *p;
    size_t n;
    uint8_t fill;
};

static void fill(struct piece *x)
{
    memset(x->p, x->fill, x->n);
}

static void assert_filled(const struct piece *x)
{
    for (size_t i = 0; i < x->n; i++)
        assert_int_equal(x->p[i], x->fill);
}

/* Blocks never overlap, keep their bytes, are aligned, and are all given back. */
static void random_blocks(void **state)
{
    (void)state;
    struct pool pool;
    struct rng r;
    pool_init(&pool);
    rng_init(&r, 11);
    enum { COUNT = 3000 };
    struct piece *x = mem_zalloc(COUNT * sizeof *x);
    for (int step = 0; step < 60000; step++) {
        struct piece *one = &x[rng_below(&r, COUNT)];
        if (one->p != NULL) {
            assert_filled(one);
            pool_free(&pool, one->p, one->n);
            one->p = NULL;
            continue;
        }
        one->n = 1 + (size_t)rng_below(&r, rng_below(&r, 20) == 0 ? 3000 : 300);
        one->fill = (uint8_t)rng_u64(&r);
        one->p = pool_alloc(&pool, one->n);
        assert_int_equal((uintptr_t)one->p % 8, 0);
        fill(one);
    }
    for (int i = 0; i < COUNT; i++) {
        if (x[i].p != NULL) {
            assert_filled(&x[i]);
            pool_free(&pool, x[i].p, x[i].n);
        }
    }
    mem_free(x);
    pool_fini(&pool);
}

/* Room that one size gave back serves another. */
static void pages_change_their_size(void **state)
{
    (void)state;
    struct pool pool;
    pool_init(&pool);
    enum { COUNT = 20000 };
    void **p = mem_alloc(COUNT * sizeof *p);
    size_t most = 0;
    for (size_t size = 40; size <= 120; size += 16) {
        for (int i = 0; i < COUNT; i++)
            p[i] = pool_alloc(&pool, size);
        most = pool.bytes > most ? pool.bytes : most;
        assert_true(pool.bytes < COUNT * size * 102 / 100 + 40 * 32768);
        for (int i = 0; i < COUNT; i++)
            pool_free(&pool, p[i], size);
    }
    assert_int_equal(pool.bytes, most);
    mem_free(p);
    pool_fini(&pool);
}

static void resize_in_place(void **state)
{
    (void)state;
    struct pool pool;
    pool_init(&pool);
    assert_true(pool_same_class(9, 16));
    assert_false(pool_same_class(8, 9));
    assert_false(pool_same_class(0, 1));
    assert_false(pool_same_class(600, 601));
    uint8_t *p = pool_alloc(&pool, 9);
    memcpy(p, "123456789", 9);
    pool_resize(&pool, p, 9, 16);
    memcpy(p + 9, "ABCDEFG", 7);
    assert_memory_equal(p, "123456789ABCDEFG", 16);
    pool_free(&pool, p, 16);
    pool_fini(&pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_blocks),
        cmocka_unit_test(pages_change_their_size),
        cmocka_unit_test(resize_in_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
