/* docs/configuration.md is made from the table; this fails when somebody changes one without the other. */
#include "base/mem.h"
#include "server/config_table.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdio.h>

static void page_is_current(void **state)
{
    (void)state;
    struct buf made, page;
    buf_init(&made, 1u << 20);
    buf_init(&page, 1u << 20);
    config_help_markdown(&made);
    FILE *f = fopen(ZOKOR_SOURCE_DIR "/docs/configuration.md", "rb");
    assert_non_null(f);
    size_t n;
    char chunk[4096];
    while ((n = fread(chunk, 1, sizeof chunk, f)) > 0)
        buf_append(&page, chunk, n);
    fclose(f);
    if (!slice_eq(buf_slice(&made), buf_slice(&page)))
        fail_msg("docs/configuration.md is old: zokor server --help-config=markdown > docs/configuration.md");
    buf_fini(&made);
    buf_fini(&page);
}

static void every_key_is_in_both_helps(void **state)
{
    (void)state;
    struct buf text, page;
    buf_init(&text, 1u << 20);
    buf_init(&page, 1u << 20);
    config_help_text(&text);
    config_help_markdown(&page);
    buf_append(&text, "", 1);
    buf_append(&page, "", 1);
    assert_int_equal(text.err | page.err, 0);
    for (size_t i = 0; i < CONFIG_KEY_COUNT; i++) {
        assert_non_null(strstr((const char *)text.p, config_key_name((enum config_key)i)));
        assert_non_null(strstr((const char *)page.p, config_key_name((enum config_key)i)));
    }
    buf_fini(&text);
    buf_fini(&page);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(page_is_current),
        cmocka_unit_test(every_key_is_in_both_helps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
