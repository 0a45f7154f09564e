#include "cli/flags.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>

#define COMMONS "org.apache.commons.cli."

static const struct cli_flag plain[] = {
    { "s", false, "stat", CLI_FREE },
    { "w", false, "watch", CLI_FREE },
    { "v", true, "version", CLI_FREE },
    { "file", true, "a file", CLI_FREE },
    { 0 },
};
static const struct cli_flag quota[] = {
    { "n", true, "nodes", CLI_NEEDED },
    { "b", true, "bytes", CLI_NEEDED },
    { 0 },
};

/* What the line means: "words|given options", or "!error". */
static const char *parse(const struct cli_flag *flags, const char *line)
{
    static char out[512];
    struct cli_words words = cli_words_split(line);
    struct cli_args args;
    struct buf error;
    size_t n = 0;
    buf_init(&error, 4096);
    if (cli_args_parse(&args, flags, &words, &error) != 0) {
        snprintf(out, sizeof(out), "!%.*s", (int)error.n, (const char *)error.p);
    } else {
        out[0] = '\0';
        for (size_t i = 0; i < args.n; i++)
            n += (size_t)snprintf(out + n, sizeof(out) - n, "%s%s", i == 0 ? "" : " ", args.words[i]);
        for (; flags != NULL && flags->name != NULL; flags++) {
            const char *value = cli_args_value(&args, flags->name);
            if (cli_args_has(&args, flags->name))
                n += (size_t)snprintf(out + n, sizeof(out) - n, "|%s%s%s", flags->name, value == NULL ? "" : "=",
                                      value == NULL ? "" : value);
        }
    }
    cli_args_free(&args);
    cli_words_free(&words);
    buf_fini(&error);
    return out;
}

static void options_stand_anywhere(void **state)
{
    (void)state;
    assert_string_equal(parse(plain, "get /a"), "get /a");
    assert_string_equal(parse(plain, "get -s /a -w"), "get /a|s|w");
    assert_string_equal(parse(plain, "get -sw /a"), "get /a|s|w");
    assert_string_equal(parse(plain, "set -v 5 /a"), "set /a|v=5");
    assert_string_equal(parse(plain, "set -v5 /a"), "set /a|v=5");
    assert_string_equal(parse(plain, "set -v=5 /a"), "set /a|v=5");
    assert_string_equal(parse(plain, "set -sv5 /a"), "set /a|s|v=5");
    assert_string_equal(parse(plain, "set -v -1 /a"), "set /a|v=-1");
    assert_string_equal(parse(plain, "set -v -x /a"), "set /a|v=-x");
    assert_string_equal(parse(plain, "set -v 1 -v 2"), "set|v=1");
    assert_string_equal(parse(plain, "reconfig -file x"), "reconfig|file=x");
    assert_string_equal(parse(plain, "get -- -s"), "get -s");
    assert_string_equal(parse(plain, "get - /a"), "get - /a");
    assert_string_equal(parse(NULL, "sync /a"), "sync /a");
}

static void errors_are_those_of_zkcli(void **state)
{
    (void)state;
    assert_string_equal(parse(plain, "ls -x /"), "!" COMMONS "UnrecognizedOptionException: Unrecognized option: -x");
    assert_string_equal(parse(plain, "ls -sx /"), "!" COMMONS "UnrecognizedOptionException: Unrecognized option: -sx");
    assert_string_equal(parse(plain, "ls --stat"),
                        "!" COMMONS "UnrecognizedOptionException: Unrecognized option: --stat");
    assert_string_equal(parse(plain, "ls -s=1"), "!" COMMONS "UnrecognizedOptionException: Unrecognized option: -s=1");
    assert_string_equal(parse(plain, "set /a -5"), "!" COMMONS "UnrecognizedOptionException: Unrecognized option: -5");
    assert_string_equal(parse(NULL, "sync -x"), "!" COMMONS "UnrecognizedOptionException: Unrecognized option: -x");
    assert_string_equal(parse(plain, "set /a -v"),
                        "!" COMMONS "MissingArgumentException: Missing argument for option: v");
    assert_string_equal(parse(plain, "set /a -v -s"),
                        "!" COMMONS "MissingArgumentException: Missing argument for option: v");
}

static void of_a_group_there_is_one(void **state)
{
    (void)state;
    assert_string_equal(parse(quota, "setquota -n 5 /a"), "setquota /a|n=5");
    assert_string_equal(parse(quota, "setquota /a"),
                        "!" COMMONS "MissingOptionException: Missing required option: [-n nodes, -b bytes]");
    assert_string_equal(parse(quota, "setquota -n 5 -b 6 /a"),
                        "!" COMMONS "AlreadySelectedException: The option 'b' was specified but an option from this "
                        "group has already been selected: 'n'");
}

static void options_are_described(void **state)
{
    struct buf out;
    (void)state;
    buf_init(&out, 4096);
    cli_flags_describe(plain, &out);
    buf_append(&out, "", 1);
    assert_string_equal((const char *)out.p, " -file <arg>   a file\n"
                                             " -s            stat\n"
                                             " -v <arg>      version\n"
                                             " -w            watch\n");
    buf_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_stand_anywhere),
        cmocka_unit_test(errors_are_those_of_zkcli),
        cmocka_unit_test(of_a_group_there_is_one),
        cmocka_unit_test(options_are_described),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
