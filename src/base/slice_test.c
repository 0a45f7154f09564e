#include "base/slice.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void is(struct slice s, const char *text)
{
    assert_int_equal(s.n, strlen(text));
    assert_memory_equal(s.p, text, s.n);
}

static void trims_both_ends_only(void **state)
{
    (void)state;
    is(slice_trim(slice_str(" \t a b\r\n")), "a b");
    is(slice_trim(slice_str("ab")), "ab");
    is(slice_trim(slice_str(" \n ")), "");
    assert_int_equal(slice_trim((struct slice){ 0 }).n, 0);
}

static void cuts_outside_of_brackets(void **state)
{
    (void)state;
    struct slice rest = slice_str("[fe80::1]:2888:3888");
    is(slice_cut(&rest, ':'), "[fe80::1]");
    is(slice_cut(&rest, ':'), "2888");
    assert_false(slice_is_null(rest));
    is(slice_cut(&rest, ':'), "3888");
    assert_true(slice_is_null(rest));

    rest = slice_str("a|");
    is(slice_cut(&rest, '|'), "a");
    assert_false(slice_is_null(rest)); /* an empty part follows */
    is(slice_cut(&rest, '|'), "");
    assert_true(slice_is_null(rest));

    rest = slice_str("[never:closed");
    is(slice_cut(&rest, ':'), "[never:closed");
    assert_true(slice_is_null(rest));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(trims_both_ends_only),
        cmocka_unit_test(cuts_outside_of_brackets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
