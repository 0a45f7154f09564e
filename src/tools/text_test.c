#include "tools/text.h"
#include "wire/proto.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <cmocka.h>

static struct buf b;

static const char *said(void)
{
    return text_cstr(&b);
}

static struct slice bytes(const char *s, size_t n)
{
    return slice_of(s, n);
}
#define BYTES(s) bytes(s, sizeof(s) - 1)

static void utf8_is_replaced_as_java_does(void **state)
{
    static const struct {
        struct slice in;
        const char *out;
    } cases[] = {
        { { (const uint8_t *)"plain", 5 }, "plain" },
        { { (const uint8_t *)"\xc3\xa9", 2 }, "\xc3\xa9" },
        { { (const uint8_t *)"\xff\x80", 2 }, "\xef\xbf\xbd\xef\xbf\xbd" },
        { { (const uint8_t *)"\xe2\x82x", 3 }, "\xef\xbf\xbdx" },           /* two bytes of a sequence: one */
        { { (const uint8_t *)"\xed\xa0\x80", 3 }, "\xef\xbf\xbd" },         /* a surrogate: one */
        { { (const uint8_t *)"\xc0\x80", 2 }, "\xef\xbf\xbd\xef\xbf\xbd" }, /* overlong */
        { { (const uint8_t *)"\xf0\x9f\x98\x80", 4 }, "\xf0\x9f\x98\x80" },
        { { (const uint8_t *)"\xf0\x9f\x98", 3 }, "\xef\xbf\xbd" }, /* cut off */
        { { (const uint8_t *)"\xf4\x90\x80\x80", 4 }, "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd" },
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        buf_reset(&b);
        text_put_utf8(&b, cases[i].in);
        assert_string_equal(said(), cases[i].out);
    }
}

static void csv_and_json_escape(void **state)
{
    (void)state;
    buf_reset(&b);
    text_put_csv(&b, BYTES("/a,b%}c\n\0d"));
    assert_string_equal(said(), "'/a%2Cb%25%7Dc%0A%00d");
    buf_reset(&b);
    text_put_csv(&b, (struct slice){ 0 });
    assert_string_equal(said(), "");
    buf_reset(&b);
    text_put_json(&b, BYTES("\"\\\n\t\x01\x7f/\xc3\xa9\xff"));
    assert_string_equal(said(), "\"\\\"\\\\\\n\\t\\u0001\\u007f/\xc3\xa9\xef\xbf\xbd\"");
    buf_reset(&b);
    text_put_json(&b, (struct slice){ 0 });
    text_put_json_base64(&b, (struct slice){ 0 });
    text_put_json_base64(&b, BYTES(""));
    text_put_json_base64(&b, BYTES("\0\1\2"));
    assert_string_equal(said(), "nullnull\"\"\"AAEC\"");
}

static void times(void **state)
{
    static const struct {
        int64_t ms;
        const char *brief, *full, *medium, *iso;
    } cases[] = {
        { 1795233516384, "11/21/26, 3:58:36 AM UTC", "Sat Nov 21 03:58:36 UTC 2026", "Nov 21, 2026, 3:58:36 AM",
          "2026-11-21T03:58:36.384Z" },
        { 0, "1/1/70, 12:00:00 AM UTC", "Thu Jan 01 00:00:00 UTC 1970", "Jan 1, 1970, 12:00:00 AM",
          "1970-01-01T00:00:00.000Z" },
        { -1, "12/31/69, 11:59:59 PM UTC", "Wed Dec 31 23:59:59 UTC 1969", "Dec 31, 1969, 11:59:59 PM",
          "1969-12-31T23:59:59.999Z" },
        { 951825600000, "2/29/00, 12:00:00 PM UTC", "Tue Feb 29 12:00:00 UTC 2000", "Feb 29, 2000, 12:00:00 PM",
          "2000-02-29T12:00:00.000Z" },
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        buf_reset(&b);
        text_put_time_short(&b, cases[i].ms);
        assert_string_equal(said(), cases[i].brief);
        buf_reset(&b);
        text_put_time_long(&b, cases[i].ms);
        assert_string_equal(said(), cases[i].full);
        buf_reset(&b);
        text_put_time_medium(&b, cases[i].ms);
        assert_string_equal(said(), cases[i].medium);
        buf_reset(&b);
        text_put_time_iso(&b, cases[i].ms);
        assert_string_equal(said(), cases[i].iso);
    }
    buf_reset(&b);
    text_put_time_iso(&b, INT64_MIN); /* as far as a damaged record can name */
    assert_string_equal(said(), "-292275055-05-16T16:47:04.192Z");
}

static void numbers_and_names(void **state)
{
    int64_t v;
    int32_t type;
    (void)state;
    assert_true(text_parse_hex("0x1f", &v) && v == 0x1f);
    assert_true(text_parse_hex("FFFFFFFFFFFFFFFF", &v) && v == -1);
    assert_false(text_parse_hex("", &v));
    assert_false(text_parse_hex("0x", &v));
    assert_false(text_parse_hex("1g", &v));
    assert_false(text_parse_hex("-1", &v));
    assert_false(text_parse_hex("11112222333344445", &v));
    assert_true(text_op_number("createttl", &type) && type == WIRE_OP_CREATE_TTL);
    assert_false(text_op_number("creat", &type));
    buf_reset(&b);
    text_put_op(&b, WIRE_OP_MULTI);
    text_put_op(&b, 99);
    text_put_bytes(&b, 1023);
    text_put_bytes(&b, 1536);
    text_put_bytes(&b, 5ull << 30);
    assert_string_equal(said(), "multiunknown 991023 bytes1.5 KiB5.0 GiB");
}

static int setup(void **state)
{
    (void)state;
    (void)setenv("TZ", "UTC", 1);
    tzset();
    buf_init(&b, 1u << 20);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    buf_fini(&b);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(utf8_is_replaced_as_java_does),
        cmocka_unit_test(csv_and_json_escape),
        cmocka_unit_test(times),
        cmocka_unit_test(numbers_and_names),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
