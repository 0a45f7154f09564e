#include "base/buf.h"
#include "base/err.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void grows_to_its_limit_and_no_further(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 100);
    for (int i = 0; i < 100; i++)
        buf_append(&b, "x", 1);
    assert_int_equal(b.n, 100);
    assert_int_equal(b.err, 0);
    buf_append(&b, "y", 1);
    assert_int_equal(b.n, 100);
    assert_int_equal(b.err, ERR_TOO_LONG);
    assert_null(buf_add(&b, 0)); /* the error sticks, even for nothing */
    buf_reset(&b);
    buf_printf(&b, "%0600d", 1);
    assert_int_equal(b.err, ERR_TOO_LONG);
    buf_fini(&b);
}

static void prints_and_drops(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 10000);
    buf_printf(&b, "%s-%0600d", "ab", 7);
    assert_int_equal(b.n, 603);
    assert_int_equal(b.p[602], '7');
    buf_drop_front(&b, 3);
    assert_int_equal(b.n, 600);
    assert_int_equal(b.p[0], '0');
    buf_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(grows_to_its_limit_and_no_further),
        cmocka_unit_test(prints_and_drops),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
