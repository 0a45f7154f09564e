#include "base/arena.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void allocations_do_not_overlap(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, 256);
    uint8_t *all[100];
    for (int turn = 0; turn < 3; turn++) {
        for (int i = 0; i < 100; i++) {
            size_t size = (size_t)(i % 7 == 0 ? 1000 : 1 + i);
            all[i] = arena_alloc(&a, size);
            assert_int_equal((uintptr_t)all[i] % 8, 0);
            memset(all[i], i, size);
        }
        for (int i = 0; i < 100; i++)
            assert_int_equal(all[i][i % 7 == 0 ? 999 : i], i);
        arena_reset(&a);
    }
    arena_fini(&a);
}

static void null_stays_null(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, 64);
    assert_null(arena_dup(&a, (struct slice){ 0 }).p);
    struct slice s = arena_dup(&a, slice_str(""));
    assert_non_null(s.p);
    assert_int_equal(s.n, 0);
    arena_fini(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(allocations_do_not_overlap),
        cmocka_unit_test(null_stays_null),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
