#include "cli/options.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static struct buf error, warnings;

static int parse(struct cli_options *o, int argc, const char *const *argv)
{
    buf_reset(&error);
    buf_reset(&warnings);
    return cli_options_parse(o, argc, (char **)argv, &error, &warnings);
}

#define PARSE(o, ...) \
    parse(o, (int)(sizeof((const char *[]){ __VA_ARGS__ }) / sizeof(char *)), (const char *[]){ __VA_ARGS__ })

static const char *text_of(struct buf *b)
{
    buf_append(b, "", 1);
    return (const char *)b->p;
}

static void what_zkcli_knows(void **state)
{
    struct cli_options o;
    (void)state;
    assert_int_equal(PARSE(&o, "cli"), 0);
    assert_string_equal(o.server, "localhost:2181");
    assert_int_equal(o.timeout_ms, 30000);
    assert_int_equal(o.command_at, 1);
    assert_int_equal(PARSE(&o, "cli", "-server", "a:1,b:2/x", "-timeout", "500", "-r", "-waitforconnection",
                           "-client-configuration", "f", "get", "-s", "/x"),
                     0);
    assert_string_equal(o.server, "a:1,b:2/x");
    assert_string_equal(o.connect.configuration, "f");
    assert_true(o.timeout_ms == 500 && o.read_only && o.wait_for_connection && !o.json);
    assert_int_equal(o.command_at, 9);
    cli_options_fini(&o);
    assert_int_equal(PARSE(&o, "cli", "get", "-server", "x"), 0); /* behind the command all is the command's */
    assert_string_equal(o.server, "localhost:2181");
    cli_options_fini(&o);
}

static void what_is_ours(void **state)
{
    struct cli_options o;
    (void)state;
    assert_int_equal(PARSE(&o, "cli", "--json", "-q", "--color", "never", "--log", "debug", "--auth", "digest:a:b",
                           "--auth", "digest:@f", "ls"),
                     0);
    assert_true(o.json && o.quiet && o.color == CLI_COLOR_NEVER && o.log == CLI_LOG_DEBUG && o.auths_n == 2);
    assert_string_equal(o.auths[1], "digest:@f");
    assert_int_equal(PARSE(&o, "cli", "--what", "ls"), 0);
    assert_string_equal(text_of(&warnings), "unknown option '--what' is ignored; zokor cli --help lists them\n");
    assert_int_equal(o.command_at, 2);
}

static void wrong_values(void **state)
{
    struct cli_options o;
    (void)state;
    assert_int_equal(PARSE(&o, "cli", "-server"), -1);
    assert_string_equal(text_of(&error), "Error: no argument found for option -server");
    assert_int_equal(PARSE(&o, "cli", "-timeout", "0"), -1);
    assert_string_equal(text_of(&error), "-timeout: '0' is not a number of milliseconds (1..2147483647)");
    assert_int_equal(PARSE(&o, "cli", "--color", "blue"), -1);
    assert_string_equal(text_of(&error), "--color: 'blue' is not known; there are: auto never always");
    assert_int_equal(PARSE(&o, "cli", "--auth", "digest"), -1);
}

static int set_up(void **state)
{
    (void)state;
    buf_init(&error, 4096);
    buf_init(&warnings, 4096);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    buf_fini(&error);
    buf_fini(&warnings);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_zkcli_knows),
        cmocka_unit_test(what_is_ours),
        cmocka_unit_test(wrong_values),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
