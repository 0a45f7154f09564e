#include "server/config_words.h"
#include "base/assert.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void words(void **state)
{
    (void)state;
    struct arena arena;
    struct slice text = slice_str("  -Xmx1g -Da=b '-Dc=d e' -D\"f=g\"h \\-i '' "), word;
    const char *expected[] = { "-Xmx1g", "-Da=b", "-Dc=d e", "-Df=gh", "-i", "" };
    arena_init(&arena, 4096);
    for (size_t i = 0; i < ARRAY_COUNT(expected); i++) {
        assert_true(config_words_next(&text, &arena, &word));
        assert_string_equal((const char *)word.p, expected[i]);
    }
    assert_false(config_words_next(&text, &arena, &word));
    arena_fini(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
