#include "base/summary.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static void empty(void **state)
{
    (void)state;
    struct summary s = { 0 };
    assert_int_equal(summary_quantile(&s, 0.5), 0);
    assert_int_equal(summary_quantile(&s, 1), 0);
    summary_add(&s, -1);
    assert_int_equal(s.count, 0);
}

static void small_values_are_exact(void **state)
{
    (void)state;
    struct summary s = { 0 };
    for (int i = 1; i <= 10; i++)
        summary_add(&s, i);
    assert_int_equal(s.count, 10);
    assert_int_equal(s.sum, 55);
    assert_int_equal(s.min, 1);
    assert_int_equal(s.max, 10);
    assert_int_equal(summary_quantile(&s, 0), 1);
    assert_int_equal(summary_quantile(&s, 0.5), 5);
    assert_int_equal(summary_quantile(&s, 0.51), 6);
    assert_int_equal(summary_quantile(&s, 1), 10);
}

/* A value alone comes back from its bucket as itself, or up to an eighth below, and buckets do not overlap. */
static void every_size_is_within_an_eighth(void **state)
{
    (void)state;
    int64_t before = -1;
    for (int64_t v = 0; v <= SUMMARY_VALUE_MAX; v += 1 + v / 100) {
        struct summary s = { 0 };
        summary_add(&s, v);
        s.min = 0; /* what the bucket says, not the extreme */
        int64_t got = summary_quantile(&s, 1);
        assert_true(got <= v && got >= v - v / 8);
        assert_true(got >= before);
        before = got;
    }
    struct summary s = { 0 };
    summary_add(&s, INT64_MAX);
    s.min = 0;
    assert_true(summary_quantile(&s, 1) > SUMMARY_VALUE_MAX / 8 * 7);
    assert_int_equal(s.max, INT64_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(empty),
        cmocka_unit_test(small_values_are_exact),
        cmocka_unit_test(every_size_is_within_an_eighth),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
