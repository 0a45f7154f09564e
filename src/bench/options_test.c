#include "bench/options.h"
#include "base/err.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

static char error[512];

static int parse(struct bench_options *o, const char *words)
{
    static char text[512];
    char *argv[32] = { text };
    int argc = 1;
    snprintf(text, sizeof text, "bench %s", words);
    for (char *p = text; (p = strchr(p, ' ')) != NULL;) {
        *p++ = '\0';
        if (*p != '\0')
            argv[argc++] = p;
    }
    error[0] = '\0';
    bench_options_init(o, 8);
    return bench_options_parse(o, argc, argv, error, sizeof error);
}

static void defaults(void **state)
{
    (void)state;
    struct bench_options o;
    assert_int_equal(parse(&o, ""), 0);
    assert_int_equal(o.workload_count, BENCH_WORKLOAD_COUNT);
    assert_int_equal(o.threads, 4);
    assert_string_equal(o.servers, "127.0.0.1:2181");
    bench_options_init(&o, 1);
    assert_int_equal(o.threads, 1);
}

static void values_in_both_spellings(void **state)
{
    (void)state;
    struct bench_options o;
    assert_int_equal(parse(&o, "set get -c 3 --depth=7 --rate=2.5 --size 0 --json --servers a:1,[::1]:2 --root /x/y"),
                     0);
    assert_int_equal(o.workload_count, 2);
    assert_int_equal(o.workloads[0], BENCH_SET);
    assert_int_equal(o.workloads[1], BENCH_GET);
    assert_int_equal(o.connections, 3);
    assert_int_equal(o.threads, 3); /* no more than connections */
    assert_int_equal(o.depth, 7);
    assert_true(o.rate > 2.4 && o.rate < 2.6);
    assert_int_equal(o.size_bytes, 0);
    assert_true(o.json && !o.quiet);
    assert_string_equal(o.root, "/x/y");
}

static void what_is_wrong_is_named(void **state)
{
    (void)state;
    static const struct {
        const char *words, *says;
    } rows[] = {
        { "--size 1x", "--size: '1x' is no number from 0 to 1000000 (bytes)" },
        { "--size -1", "'-1'" },
        { "--connections 0", "from 1 to 100000" },
        { "--seconds nan", "'nan'" },
        { "--rate 1e99", "'1e99'" },
        { "--depth", "--depth needs a value" },
        { "--deep 3", "unknown option '--deep'" },
        { "--deep=3", "unknown option '--deep'" },
        { "got", "no workload 'got'" },
        { "get get", "named twice" },
        { "--servers a:0x", "'a:0x' is no list of servers" },
        { "--servers a:1/x", "give it with --root" },
        { "--root x", "'x' is no path" },
        { "--root /x/../y", "is no path" },
        { "--auth digest", "not SCHEME:TEXT" },
        { "multi --ops 100 --size 100000", "which servers refuse" },
        { "--reads 101", "from 0 to 100" },
    };
    struct bench_options o;
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        assert_int_equal(parse(&o, rows[i].words), ERR_BAD_ARGUMENTS);
        if (strstr(error, rows[i].says) == NULL)
            fail_msg("'%s' gave '%s', expected '%s'", rows[i].words, error, rows[i].says);
    }
}

static void a_root_of_any_length(void **state)
{
    (void)state;
    struct bench_options o;
    static char root[BENCH_ROOT_BYTES_MAX + 2];
    char *argv[] = { (char[]){ "bench" }, (char[]){ "--root" }, root };
    memset(root, 'r', sizeof root - 1);
    root[0] = '/';
    bench_options_init(&o, 8);
    assert_int_equal(bench_options_parse(&o, 3, argv, error, sizeof error), ERR_BAD_ARGUMENTS);
    assert_non_null(strstr(error, "at most 900"));
    root[BENCH_ROOT_BYTES_MAX] = '\0';
    assert_int_equal(bench_options_parse(&o, 3, argv, error, sizeof error), 0);
}

static void help_needs_nothing_else(void **state)
{
    (void)state;
    struct bench_options o;
    assert_int_equal(parse(&o, "--help"), 0);
    assert_true(o.help);
    assert_int_equal(parse(&o, "get -h"), 0);
    assert_true(o.help);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults),
        cmocka_unit_test(values_in_both_spellings),
        cmocka_unit_test(what_is_wrong_is_named),
        cmocka_unit_test(a_root_of_any_length),
        cmocka_unit_test(help_needs_nothing_else),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
