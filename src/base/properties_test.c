/* The syntax of properties files, by the rules of java.util.Properties.load. */
#include "base/properties.h"
#include "base/assert.h"
#include "base/err.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdio.h>

/* Parses text and shows it as "line:key=value;" for each key, or "!line" for an error. */
static const char *parse(struct arena *arena, const char *text)
{
    static char shown[2048];
    size_t n = 0;
    struct properties lines;
    struct property line;
    int got;
    shown[0] = '\0';
    properties_init(&lines, slice_str(text), arena);
    while ((got = properties_next(&lines, &line)) == 1)
        n += (size_t)snprintf(shown + n, sizeof shown - n, "%d:%.*s=%.*s;", line.line, SLICE_ARG(line.key),
                              SLICE_ARG(line.value));
    if (got < 0) {
        assert_int_equal(got, ERR_INVALID);
        snprintf(shown + n, sizeof shown - n, "!%d", line.line);
    }
    return shown;
}

static void check(const char *text, const char *expected)
{
    struct arena arena;
    arena_init(&arena, 4096);
    assert_string_equal(parse(&arena, text), expected);
    arena_fini(&arena);
}

static void separators(void **state)
{
    (void)state;
    check("a=1\nb:2\nc 3\nd\t4\n", "1:a=1;2:b=2;3:c=3;4:d=4;");
    check("a = 1\nb : 2\nc  =  3", "1:a=1;2:b=2;3:c=3;");
    check("a==1\nb=:2\nc := 3", "1:a==1;2:b=:2;3:c== 3;");
    check("alone\nempty=\n=value\n", "1:alone=;2:empty=;3:=value;");
    check("server.1=a:1:2;3", "1:server.1=a:1:2;3;");
    check("a=x y z", "1:a=x y z;");
}

static void blank_lines_and_comments(void **state)
{
    (void)state;
    check("", "");
    check("\n\n  \n\t\n", "");
    check("# one\n  ! two\na=1 # stays\n", "3:a=1 # stays;");
    check("# no \\\na=1\n", "2:a=1;");
    check("   a=1   \n", "1:a=1;");
    check("\xef\xbb\xbf"
          "a=1\n",
          "1:a=1;");
}

static void line_ends(void **state)
{
    (void)state;
    check("a=1\r\nb=2\rc=3\n\rd=4", "1:a=1;2:b=2;3:c=3;5:d=4;");
}

static void continuations(void **state)
{
    (void)state;
    check("a=1,\\\n   2,\\\r\n\t3\nb=4\n", "1:a=1,2,3;4:b=4;");
    check("ke\\\n  y=v", "1:key=v;");
    check("a=b\\\\\nc=d", "1:a=b\\;2:c=d;");
    check("a=b\\\\\\\nc=d", "1:a=b\\c=d;");
    check("a=1\\", "1:a=1;");
    check("a=1\\\n", "1:a=1;");
    check("a=1\\\n# 2\n", "1:a=1# 2;");
}

static void escapes(void **state)
{
    (void)state;
    check("a\\=b=c\\:d\ne\\ f=g", "1:a=b=c:d;2:e f=g;");
    check("a=x\\ty\\qz", "1:a=x\ty"
                         "qz;");
    check("a=\\u0041\\u00e4\\u20ac!", "1:a=A\xc3\xa4\xe2\x82\xac!;");
    check("a=1\nb=\\u00g1\n", "1:a=1;!2");
    check("b=\\u12", "!1");
    check("a=C\\:\\\\data", "1:a=C:\\data;");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(separators), cmocka_unit_test(blank_lines_and_comments),
        cmocka_unit_test(line_ends),  cmocka_unit_test(continuations),
        cmocka_unit_test(escapes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
