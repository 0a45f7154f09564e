#include "cli/numbers.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>

static void numbers(void **state)
{
    int64_t v = 77;
    (void)state;
    assert_int_equal(cli_number("-12", 10, -100, 100, &v), 0);
    assert_int_equal(v, -12);
    assert_int_equal(cli_number("ff", 16, 0, 1000, &v), 0);
    assert_int_equal(v, 255);
    assert_int_equal(cli_number("9223372036854775807", 10, INT64_MIN, INT64_MAX, &v), 0);
    v = 77;
    static const char *const bad[] = { "", " 1", "1 ", "x", "1x", "101", "-101", "99999999999999999999", "-" };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(cli_number(bad[i], 10, -100, 100, &v), -1);
    assert_int_equal(v, 77);
}

static void base64_there_and_back(void **state)
{
    uint8_t bytes[64];
    (void)state;
    for (size_t n = 0; n < sizeof(bytes); n++) {
        struct buf text, back;
        buf_init(&text, 4096);
        buf_init(&back, 4096);
        for (size_t i = 0; i < n; i++)
            bytes[i] = (uint8_t)(i * 37 + n);
        cli_base64_encode(bytes, n, &text);
        buf_append(&text, "", 1);
        assert_int_equal(strlen((const char *)text.p), (n + 2) / 3 * 4);
        assert_int_equal(cli_base64_decode((const char *)text.p, &back), 0);
        assert_true(slice_eq(buf_slice(&back), slice_of(bytes, n)));
        buf_fini(&text);
        buf_fini(&back);
    }
}

static void what_is_no_base64(void **state)
{
    static const char *const bad[] = { "A", "A*==", "AB=C", "====", "A===", "AAAA=" };
    struct buf out;
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        buf_init(&out, 4096);
        assert_int_equal(cli_base64_decode(bad[i], &out), -1);
        buf_fini(&out);
    }
    buf_init(&out, 4096);
    assert_int_equal(cli_base64_decode("AAE", &out), 0);
    assert_int_equal(out.n, 2);
    buf_fini(&out);
}

static const char *escape(const void *p, size_t n, bool lines)
{
    static char text[256];
    struct buf out;
    buf_init(&out, 4096);
    cli_escape(p, n, lines, &out);
    snprintf(text, sizeof(text), "%.*s", (int)out.n, (const char *)out.p);
    buf_fini(&out);
    return text;
}

static void nothing_reaches_the_terminal(void **state)
{
    (void)state;
    assert_string_equal(escape("plain é 日本 😀", strlen("plain é 日本 😀"), false), "plain é 日本 😀");
    assert_string_equal(escape("a\x1b[2J", 5, true), "a\\x1b[2J");
    assert_string_equal(escape("a\tb\nc\r", 6, true), "a\tb\nc\\x0d");
    assert_string_equal(escape("a\tb\nc", 5, false), "a\\x09b\\x0ac");
    assert_string_equal(escape("\0\x7f", 2, true), "\\x00\\x7f");
    assert_string_equal(escape("\xc2\x9b", 2, true), "\\xc2\\x9b");                   /* CSI of eight bits */
    assert_string_equal(escape("\xe2\x80\xae", 3, true), "\\xe2\\x80\\xae");          /* turns the writing */
    assert_string_equal(escape("\xc0\xaf", 2, true), "\\xc0\\xaf");                   /* overlong */
    assert_string_equal(escape("\xed\xa0\x80", 3, true), "\\xed\\xa0\\x80");          /* a surrogate */
    assert_string_equal(escape("\xf4\x90\x80\x80", 4, true), "\\xf4\\x90\\x80\\x80"); /* above the last one */
    assert_string_equal(escape("\xe2\x82", 2, true), "\\xe2\\x82");                   /* cut off */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers),
        cmocka_unit_test(base64_there_and_back),
        cmocka_unit_test(what_is_no_base64),
        cmocka_unit_test(nothing_reaches_the_terminal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
