#include "bench/hist.h"
#include "base/rng.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static void nothing_in_it(void **state)
{
    (void)state;
    static struct hist h;
    struct hist_row rows[HIST_ROWS_MAX];
    hist_reset(&h);
    assert_int_equal(hist_quantile_ns(&h, 0.5), 0);
    assert_int_equal(hist_rows(&h, rows, HIST_ROWS_MAX), 0);
    assert_int_equal(h.min_ns, 0);
}

/* Against the sorted values themselves: within 1/128. */
static void quantiles_are_close(void **state)
{
    (void)state;
    enum { N = 20000 };
    static uint64_t v[N];
    static struct hist all, halves[2];
    static const double shares[] = { 0.01, 0.5, 0.9, 0.99, 0.999, 1 };
    struct rng rng;
    rng_init(&rng, 7);
    for (size_t i = 0; i < N; i++) {
        v[i] = rng_below(&rng, 1ull << (1 + rng_below(&rng, 40)));
        hist_add(&halves[i % 2], v[i]);
    }
    hist_merge(&all, &halves[0]);
    hist_merge(&all, &halves[1]);
    qsort(v, N, sizeof v[0], compare);
    assert_int_equal(all.count, N);
    assert_int_equal(all.min_ns, v[0]);
    assert_int_equal(all.max_ns, v[N - 1]);
    for (size_t i = 0; i < ARRAY_COUNT(shares); i++) {
        size_t at = (size_t)(shares[i] * N + 0.999999) - 1;
        uint64_t got = hist_quantile_ns(&all, shares[i]);
        assert_true(got <= v[at]);
        assert_true(v[at] - got <= v[at] / 128);
    }
}

static void too_long_counts_as_the_longest(void **state)
{
    (void)state;
    static struct hist h;
    hist_add(&h, UINT64_MAX / 2);
    assert_int_equal(h.max_ns, UINT64_MAX / 2);
    hist_add(&h, 5);
    assert_true(hist_quantile_ns(&h, 1) <= HIST_VALUE_MAX_NS);
    assert_true(hist_quantile_ns(&h, 1) > HIST_VALUE_MAX_NS / 2);
}

static void rows_hold_every_value_once(void **state)
{
    (void)state;
    static struct hist h;
    struct hist_row rows[HIST_ROWS_MAX];
    hist_add(&h, 999);     /* 0 - 1 us */
    hist_add(&h, 1000);    /* 1 - 2 us */
    hist_add(&h, 7000);    /* 5 - 10 us */
    hist_add(&h, 1500000); /* 1 - 2 ms */
    size_t n = hist_rows(&h, rows, HIST_ROWS_MAX);
    uint64_t sum = 0;
    assert_int_equal(n, 11);
    for (size_t i = 0; i < n; i++) {
        sum += rows[i].count;
        assert_true(rows[i].from_ns < rows[i].to_ns);
        if (i > 0)
            assert_int_equal(rows[i].from_ns, rows[i - 1].to_ns);
    }
    assert_int_equal(sum, 4);
    assert_int_equal(rows[n - 1].to_ns, 2000000);
    assert_int_equal(rows[n - 1].count, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_in_it),
        cmocka_unit_test(quantiles_are_close),
        cmocka_unit_test(too_long_counts_as_the_longest),
        cmocka_unit_test(rows_hold_every_value_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
