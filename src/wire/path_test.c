#include "wire/path.h"
#include "base/err.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void good_paths(void **state)
{
    (void)state;
    const char *good[] = { "/",     "/a",        "/a/b",      "/...",          "/.a", "/a..",
                           "/a b ", "/\xc3\xa9", "/\xc2\xa0", "/\xef\xa4\x80", "/~" };
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        assert_int_equal(path_check(slice_str(good[i])), 0);
}

static void bad_paths(void **state)
{
    (void)state;
    const char *bad[] = { "",
                          "a",
                          "//",
                          "/a/",
                          "/a//b",
                          "/.",
                          "/..",
                          "/a/./b",
                          "/a/..",
                          "/a\x01",
                          "/\x1f",
                          "/\x7f",
                          "/\xc2\x80",
                          "/\xc2\x9f",
                          "/\xee\x80\x80",
                          "/\xef\xa3\xbf",
                          "/\xef\xbf\xb0",
                          "/\xef\xbf\xbd",
                          "/\xf0\x9f\x98\x80",
                          "/\xff\xfe",
                          "/\xed\xa0\x80",
                          "/\xc0\x80",
                          "/\xe2\x82",
                          "/\xc3" };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(path_check(slice_str(bad[i])), ERR_BAD_ARGUMENTS);
    assert_int_equal(path_check(slice_of("/a\0b", 4)), ERR_BAD_ARGUMENTS);
    assert_int_equal(path_check((struct slice){ 0 }), ERR_BAD_ARGUMENTS);
}

static void parts(void **state)
{
    (void)state;
    assert_int_equal(path_parent(slice_str("/a")).n, 0);
    assert_true(slice_eq_str(path_parent(slice_str("/a/b")), "/a"));
    assert_true(slice_eq_str(path_name(slice_str("/a/bc")), "bc"));
    assert_true(path_is_malformed(slice_str("abc")));
    assert_true(path_is_malformed(slice_of("/a\0", 3)));
    assert_false(path_is_malformed(slice_str("/a")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_paths),
        cmocka_unit_test(bad_paths),
        cmocka_unit_test(parts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
