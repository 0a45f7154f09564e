#include "base/hash.h"
#include "base/rng.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdio.h>

static void spreads_numbered_names(void **state)
{
    (void)state;
    static unsigned bucket[1024];
    memset(bucket, 0, sizeof bucket);
    for (int i = 0; i < 64 * 1024; i++) {
        char name[32];
        int n = snprintf(name, sizeof name, "n-%010d", i);
        bucket[hash_bytes(42, name, (size_t)n) & 1023]++;
    }
    for (int i = 0; i < 1024; i++) /* mean 64, standard deviation 8 */
        assert_in_range(bucket[i], 16, 128);
}

static void depends_on_key_and_every_byte(void **state)
{
    (void)state;
    char a[40], b[40];
    memset(a, 'a', sizeof a);
    for (size_t n = 1; n <= sizeof a; n++) {
        uint64_t h = hash_bytes(1, a, n);
        assert_true(h != hash_bytes(2, a, n));
        for (size_t i = 0; i < n; i++) {
            memcpy(b, a, sizeof a);
            b[i] ^= 1;
            assert_true(h != hash_bytes(1, b, n));
        }
    }
}

static void rng_stays_below(void **state)
{
    (void)state;
    struct rng r;
    rng_init(&r, 7);
    unsigned seen = 0;
    for (int i = 0; i < 1000; i++) {
        uint64_t v = rng_below(&r, 10);
        assert_in_range(v, 0, 9);
        seen |= 1u << v;
    }
    assert_int_equal(seen, 0x3ff);
    assert_int_equal(rng_below(&r, 0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spreads_numbered_names),
        cmocka_unit_test(depends_on_key_and_every_byte),
        cmocka_unit_test(rng_stays_below),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
