#include "base/digest.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <zlib.h>

static void known_values(void **state)
{
    (void)state;
    assert_int_equal(digest_crc32(0, "123456789", 9), 0xcbf43926u);
    assert_int_equal(digest_crc32(digest_crc32(0, "1234", 4), "56789", 5), 0xcbf43926u);
    assert_int_equal(digest_adler32(1, "Wikipedia", 9), 0x11e60398u);
    uint8_t md[64];
    char text[100];
    /* The digest scheme's id of user u with password p (client specification 4.8). */
    size_t n = digest_message("SHA1", slice_str("u:p"), md);
    assert_int_equal(n, 20);
    assert_int_equal(digest_base64(slice_of(md, n), text), 28);
    assert_string_equal(text, "Jq7wMyA/w2Vd5WIDAKdu4OIIFEQ=");
    assert_int_equal(digest_message("no-such", slice_str("x"), md), 0);
    assert_true(digest_equal_secret(slice_str("ab"), slice_str("ab")));
    assert_false(digest_equal_secret(slice_str("ab"), slice_str("ac")));
    assert_false(digest_equal_secret(slice_str("ab"), slice_str("abc")));
}

/* Ours against zlib's, for every length and alignment that takes a different way through the code. */
static void crc32_agrees_with_zlib(void **state)
{
    (void)state;
    static uint8_t bytes[2000];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * 131 + (i >> 3));
    for (size_t from = 0; from < 17; from++)
        for (size_t n = 0; n + from <= 700; n++)
            assert_int_equal(digest_crc32((uint32_t)n * 77u, bytes + from, n),
                             crc32((uint32_t)n * 77u, bytes + from, (unsigned)n));
    assert_int_equal(digest_crc32(5, bytes, sizeof bytes), crc32(5, bytes, sizeof bytes));
}

/* Small bytes, the largest ones (which reach the sums' limits first), and sums that are at their limit already. */
static void adler32_agrees_with_zlib(void **state)
{
    (void)state;
    static uint8_t bytes[40000];
    static const uint32_t begin[] = { 1, 0xfff0fff0u, 0x12345678u };
    for (int largest = 0; largest < 2; largest++) {
        for (size_t i = 0; i < sizeof bytes; i++)
            bytes[i] = largest != 0 ? 0xff : (uint8_t)(i * 131 + (i >> 3));
        for (size_t k = 0; k < sizeof begin / sizeof begin[0]; k++) {
            for (size_t from = 0; from < 17; from++)
                for (size_t n = 0; n + from <= 300; n++)
                    assert_int_equal(digest_adler32(begin[k], bytes + from, n), adler32_z(begin[k], bytes + from, n));
            for (size_t n = 5530; n < 5600; n++)
                assert_int_equal(digest_adler32(begin[k], bytes + n % 16, n), adler32_z(begin[k], bytes + n % 16, n));
            for (size_t n = sizeof bytes - 100; n < sizeof bytes; n++)
                assert_int_equal(digest_adler32(begin[k], bytes, n), adler32_z(begin[k], bytes, n));
        }
    }
    assert_int_equal(digest_adler32(7, NULL, 0), 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(known_values), cmocka_unit_test(crc32_agrees_with_zlib),
                                        cmocka_unit_test(adler32_agrees_with_zlib) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
