/* The layout of Jackson's pretty printer, byte for byte. */
#include "admin/json.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void expect(struct buf *out, const char *text)
{
    buf_append(out, "", 1);
    assert_string_equal((const char *)out->p, text);
    buf_fini(out);
}

static void layout(void **state)
{
    (void)state;
    struct buf out;
    struct json j;
    buf_init(&out, 1 << 20);
    json_begin(&j, &out);
    json_object(&j);
    json_member_number(&j, "n", -5);
    json_key(&j, "empty");
    json_object(&j);
    json_object_end(&j);
    json_key(&j, "none");
    json_array(&j);
    json_array_end(&j);
    json_key_number(&j, INT64_MIN);
    json_array(&j);
    json_number(&j, 1);
    json_string(&j, NULL);
    json_unsigned(&j, UINT64_MAX);
    json_array_end(&j);
    json_key(&j, "list");
    json_array(&j);
    json_object(&j);
    json_member_bool(&j, "yes", true);
    json_object_end(&j);
    json_object(&j);
    json_key(&j, "r");
    json_real(&j, 0.5);
    json_member_string(&j, "t", "x");
    json_object_end(&j);
    json_array_end(&j);
    json_object_end(&j);
    expect(&out, "{\n  \"n\" : -5,\n  \"empty\" : { },\n  \"none\" : [ ],\n"
                 "  \"-9223372036854775808\" : [ 1, null, 18446744073709551615 ],\n"
                 "  \"list\" : [ {\n    \"yes\" : true\n  }, {\n    \"r\" : 0.5,\n    \"t\" : \"x\"\n  } ]\n}");
}

static void escapes(void **state)
{
    (void)state;
    static const char text[] = "\"\\\b\t\n\v\f\r\x1f\x7f/\xc3\xa9\xe2\x82\xac\xf0\x9f\x90\xbe";
    struct buf out;
    struct json j;
    buf_init(&out, 1 << 20);
    json_begin(&j, &out);
    json_string(&j, text);
    expect(&out, "\"\\\"\\\\\\b\\t\\n\\u000B\\f\\r\\u001F\x7f/\xc3\xa9\xe2\x82\xac\xf0\x9f\x90\xbe\"");
    buf_init(&out, 1 << 20);
    json_begin(&j, &out);
    json_slice(&j, slice_of((const uint8_t *)"a\0b", 3));
    expect(&out, "\"a\\u0000b\"");
}

/* No byte of a stranger makes the answer something else than UTF-8. */
static void not_utf8(void **state)
{
    (void)state;
    static const char *const bad[] = { "\x80",     "\xc0\x80", "\xc3",         "\xe0\x80\x80",     "\xed\xa0\x80",
                                       "\xe2\x82", "\xff",     "\xf4\x90\x80", "\xf0\x80\x80\x80", "\xf5\x80\x80\x80" };
    for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
        struct buf out;
        struct json j;
        buf_init(&out, 1 << 20);
        json_begin(&j, &out);
        json_string(&j, bad[i]);
        assert_int_equal(out.n, 2 + 3 * strlen(bad[i])); /* each byte became one U+FFFD */
        for (size_t at = 1; at + 1 < out.n; at += 3)
            assert_memory_equal(out.p + at, "\xef\xbf\xbd", 3);
        buf_fini(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(layout),
        cmocka_unit_test(escapes),
        cmocka_unit_test(not_utf8),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
