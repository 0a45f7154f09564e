#include "cli/paths.h"
#include "base/mem.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>

/* "" for a good path, or the complaint. */
static const char *check(const char *path, bool sequential)
{
    static char out[256];
    struct buf error;
    buf_init(&error, 4096);
    out[0] = '\0';
    if (cli_path_check(path, sequential, &error) != 0)
        snprintf(out, sizeof(out), "%.*s", (int)error.n, (const char *)error.p);
    buf_fini(&error);
    return out;
}

#define INVALID(path, reason) "Invalid path string \"" path "\" caused by " reason

static void complaints_are_javas(void **state)
{
    (void)state;
    assert_string_equal(check("/", false), "");
    assert_string_equal(check("/a/b.c/..d/e..", false), "");
    assert_string_equal(check("/é/日本", false), "");
    assert_string_equal(check("", false), "Path length must be > 0");
    assert_string_equal(check("a", false), "Path must start with / character");
    assert_string_equal(check("/a/", false), "Path must not end with / character");
    assert_string_equal(check("/a//b", false), INVALID("/a//b", "empty node name specified @3"));
    assert_string_equal(check("/a/./b", false), INVALID("/a/./b", "relative paths not allowed @3"));
    assert_string_equal(check("/a/..", false), INVALID("/a/..", "relative paths not allowed @4"));
    assert_string_equal(check("/.", false), INVALID("/.", "relative paths not allowed @1"));
    assert_string_equal(check("/a\x01", false), INVALID("/a\x01", "invalid character @2"));
    assert_string_equal(check("/é\x7f", false), INVALID("/é\x7f", "invalid character @2"));
    assert_string_equal(check("/\xc2\x85", false), INVALID("/\xc2\x85", "invalid character @1"));
    assert_string_equal(check("/\xf0\x9f\x98\x80", false), INVALID("/\xf0\x9f\x98\x80", "invalid character @1"));
}

static void sequential_paths_get_digits(void **state)
{
    (void)state;
    assert_string_equal(check("/a/", true), "");
    assert_string_equal(check("/", true), "");
    assert_string_equal(check("/a/.", true), "");
    assert_string_equal(check("", true), "Path must start with / character");
    assert_string_equal(check("/a/./", true), INVALID("/a/./", "relative paths not allowed @3"));
    assert_string_equal(check("/a//", true), INVALID("/a//", "empty node name specified @3"));
}

static void names_and_paths(void **state)
{
    (void)state;
    char *a = cli_path_join("/", "a"), *b = cli_path_join(a, "b");
    assert_string_equal(a, "/a");
    assert_string_equal(b, "/a/b");
    assert_string_equal(cli_path_name(b), "b");
    assert_string_equal(cli_path_name("/"), "/");
    mem_free(a);
    mem_free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(complaints_are_javas),
        cmocka_unit_test(sequential_paths_get_digits),
        cmocka_unit_test(names_and_paths),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
