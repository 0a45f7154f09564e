#include "cli/words.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

/* The words of a line, in brackets. */
static const char *split(const char *line)
{
    static char out[512];
    struct cli_words words = cli_words_split(line);
    size_t n = 0;
    out[0] = '\0';
    for (size_t i = 0; i < words.n; i++)
        n += (size_t)snprintf(out + n, sizeof(out) - n, "[%s]", words.at[i]);
    cli_words_free(&words);
    return out;
}

static void lines_become_words(void **state)
{
    (void)state;
    assert_string_equal(split(""), "");
    assert_string_equal(split(" \t "), "");
    assert_string_equal(split("ls /"), "[ls][/]");
    assert_string_equal(split("  ls \t /a  "), "[ls][/a]");
    assert_string_equal(split("set /a \"two words\" x"), "[set][/a][two words][x]");
    assert_string_equal(split("set /a 'it is \"so\"'"), "[set][/a][it is \"so\"]");
    assert_string_equal(split("set /a \"it's\""), "[set][/a][it's]");
    assert_string_equal(split("create /a \"\""), "[create][/a][]");
    assert_string_equal(split("ü 日本"), "[ü][日本]");
}

static void quotes_that_stand_elsewhere(void **state)
{
    (void)state;
    assert_string_equal(split("a\"b c\""), "[a\"b][c\"]"); /* inside of words they are characters */
    assert_string_equal(split("\"a\"\"b\""), "[a][b]");
    assert_string_equal(split("\"a\"b"), "[a][b]");
    assert_string_equal(split("get \"never closed"), "[get][never][closed]");
    assert_string_equal(split("get '"), "[get]");
    assert_string_equal(split("'\" '"), "[\" ]");
    assert_string_equal(split("a\\ b"), "[a\\][b]"); /* no escapes */
}

static void words_that_a_shell_has_cut(void **state)
{
    char *argv[] = { (char *)"get", (char *)"/a b", NULL };
    (void)state;
    struct cli_words words = cli_words_of(2, argv);
    assert_int_equal(words.n, 2);
    assert_string_equal(words.at[1], "/a b");
    cli_words_free(&words);
    assert_null(words.at);
}

static void where_a_word_begins(void **state)
{
    static const struct {
        const char *line;
        size_t cursor, begin;
    } rows[] = {
        { "", 0, 0 },      { "get", 3, 0 },        { "get ", 4, 4 },         { "get /a/b", 8, 4 },   { "get /a", 5, 4 },
        { "  get", 5, 2 }, { "get \"/a b", 9, 5 }, { "get '/a' /c", 11, 9 }, { "get \"/a\"", 8, 8 }, { "a\"b", 3, 0 },
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_int_equal(cli_words_begin_at(rows[i].line, rows[i].cursor), rows[i].begin);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_become_words),
        cmocka_unit_test(quotes_that_stand_elsewhere),
        cmocka_unit_test(words_that_a_shell_has_cut),
        cmocka_unit_test(where_a_word_begins),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
