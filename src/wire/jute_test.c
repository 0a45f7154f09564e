#include "wire/jute.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static struct wire_reader over(const char *bytes, size_t n)
{
    return wire_reader_of(slice_of(bytes, n));
}

static void lengths(void **state)
{
    (void)state;
    struct wire_reader r = over("\xff\xff\xff\xff", 4);
    assert_null(wire_get_buffer(&r).p);
    assert_int_equal(r.err, 0);
    r = over("\0\0\0\0", 4);
    struct slice s = wire_get_buffer(&r);
    assert_non_null(s.p);
    assert_int_equal(s.n, 0);
    r = over("\xff\xff\xff\xfe", 4);
    wire_get_buffer(&r);
    assert_int_equal(r.err, ERR_MARSHALLING);
    r = over("\0\0\0\5abcd", 8);
    wire_get_buffer(&r);
    assert_int_equal(r.err, ERR_MARSHALLING);
    assert_int_equal(wire_get_i32(&r), 0); /* the error sticks */
}

static void vectors(void **state)
{
    (void)state;
    struct wire_reader r = over("\xff\xff\xff\xf9", 4); /* -7 reads as empty */
    struct wire_vec v = wire_get_strings(&r);
    assert_int_equal(v.count, 0);
    assert_int_equal(r.err, 0);
    r = over("\xff\xff\xff\xff", 4);
    assert_int_equal(wire_get_strings(&r).count, -1);
    r = over("\x7f\xff\xff\xff\0\0\0\1a", 9); /* a false count ends with the bytes */
    wire_get_strings(&r);
    assert_int_equal(r.err, ERR_MARSHALLING);
    r = over("\0\0\0\2\0\0\0\1a\xff\xff\xff\xff", 13);
    v = wire_get_strings(&r);
    assert_int_equal(v.count, 2);
    struct wire_reader in = wire_vec_reader(v);
    assert_true(slice_eq_str(wire_get_ustring(&in), "a"));
    assert_null(wire_get_ustring(&in).p);
}

static void frames(void **state)
{
    (void)state;
    struct slice f;
    size_t used;
    assert_int_equal(wire_frame_next(slice_of("\0\0\0", 3), 100, &f, &used), 0);
    assert_int_equal(wire_frame_next(slice_of("\0\0\0\2a", 5), 100, &f, &used), 0);
    assert_int_equal(wire_frame_next(slice_of("\0\0\0\2abc", 7), 100, &f, &used), 1);
    assert_int_equal(used, 6);
    assert_true(slice_eq_str(f, "ab"));
    assert_int_equal(wire_frame_next(slice_of("\0\0\0\x64", 4), 100, &f, &used), 0);
    assert_int_equal(wire_frame_next(slice_of("\0\0\0\x65", 4), 100, &f, &used), ERR_TOO_LONG);
    assert_int_equal(wire_frame_next(slice_of("\xff\xff\xff\xff", 4), 100, &f, &used), ERR_TOO_LONG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lengths),
        cmocka_unit_test(vectors),
        cmocka_unit_test(frames),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
