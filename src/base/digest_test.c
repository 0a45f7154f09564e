#include "base/digest.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

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

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(known_values) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
