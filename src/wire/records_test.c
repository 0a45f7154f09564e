#include "wire/records.h"
#include "base/mem.h"
#include "base/rng.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

/* What decodes must encode to the bytes that were read, for every record of the list, and size must agree. Bytes are
 * random but small, so that lengths often fit. */
static void decode_encode_is_identity(void **state)
{
    (void)state;
    struct rng rng;
    rng_init(&rng, 1);
    struct buf b, text;
    buf_init(&b, 100000);
    buf_init(&text, 1000000);
    unsigned decoded = 0;
    for (size_t row = 0; row < wire_record_row_count; row++) {
        const struct wire_record_row *w = &wire_record_rows[row];
        void *v = mem_zalloc(w->struct_bytes);
        for (int turn = 0; turn < 2000; turn++) {
            uint8_t bytes[200];
            size_t n = rng_below(&rng, sizeof bytes);
            for (size_t i = 0; i < n; i++)
                bytes[i] = rng_below(&rng, 3) == 0 ? (uint8_t)rng_below(&rng, 5) : 0;
            struct wire_reader r = wire_reader_of(slice_of(bytes, n));
            w->get(&r, v);
            if (r.err != 0)
                continue;
            size_t used = (size_t)(r.p - bytes);
            buf_reset(&b);
            w->put(&b, v);
            assert_int_equal(b.err, 0);
            assert_int_equal(w->size(v), b.n);
            assert_int_equal(b.n, used);
            buf_reset(&text);
            w->print(&text, v);
            assert_int_equal(text.err, 0);
            assert_true(text.n > 0);
            decoded++;
        }
        mem_free(v);
    }
    assert_true(decoded > 10000);
    buf_fini(&b);
    buf_fini(&text);
}

static void truncation_at_every_byte_is_an_error(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 1000);
    wire_put_create_ttl_request(
        &b, &(struct wire_create_ttl_request){ .path = slice_str("/a"), .data = slice_str("x"), .ttl_ms = 5 });
    for (size_t n = 0; n < b.n; n++) {
        struct wire_reader r = wire_reader_of(slice_of(b.p, n));
        (void)wire_get_create_ttl_request(&r);
        assert_int_equal(r.err, ERR_MARSHALLING);
    }
    buf_fini(&b);
}

static void old_clients_have_no_read_only_byte(void **state)
{
    (void)state;
    uint8_t bytes[45] = { [27] = 0, [31] = 0 };
    bytes[27] = 16; /* length of passwd at 24..27 */
    struct wire_reader r = wire_reader_of(slice_of(bytes, 44));
    struct wire_connect_request c = wire_get_connect_request(&r);
    assert_int_equal(r.err, 0);
    assert_false(c.has_read_only);
    bytes[44] = 7;
    r = wire_reader_of(slice_of(bytes, 45));
    c = wire_get_connect_request(&r);
    assert_true(c.has_read_only);
    assert_true(c.read_only);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(decode_encode_is_identity),
        cmocka_unit_test(truncation_at_every_byte_is_an_error),
        cmocka_unit_test(old_clients_have_no_read_only_byte),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
