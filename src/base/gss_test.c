/* A library that is none: what is asked of it, and what becomes of its words. */
#include "base/gss.h"
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

static const char *words; /* that the library has; NULL: it fails */
static uint32_t asked_of; /* the status */
static int asked_kind, given, taken;

static uint32_t display_status(uint32_t *minor, uint32_t value, int kind, const struct gss_oid *mechanism,
                               uint32_t *more, struct gss_bytes *out)
{
    *minor = *more = 0;
    asked_of = value;
    asked_kind = kind;
    assert_int_equal(mechanism != NULL, kind == GSS_MECHANISM_STATUS);
    if (words == NULL)
        return 0x10000;
    *out = (struct gss_bytes){ strlen(words), (void *)(uintptr_t)words };
    given++;
    return 0;
}

static uint32_t release_buffer(uint32_t *minor, struct gss_bytes *b)
{
    *minor = 0;
    taken += b->p != NULL;
    return 0;
}

static void *find(void *library, const char *name)
{
    static char anything;
    const char *lacks = library;
    union {
        void *p;
        uint32_t (*display)(uint32_t *, uint32_t, int, const struct gss_oid *, uint32_t *, struct gss_bytes *);
        uint32_t (*release)(uint32_t *, struct gss_bytes *);
    } u = { .p = &anything };
    if (lacks != NULL && strcmp(name, lacks) == 0)
        return NULL;
    if (strcmp(name, "gss_display_status") == 0)
        u.display = display_status;
    if (strcmp(name, "gss_release_buffer") == 0)
        u.release = release_buffer;
    return u.p;
}

static void a_missing_function_is_named(void **state)
{
    (void)state;
    static char first[] = "gss_acquire_cred_from", last[] = "gss_display_status";
    struct gss g;
    assert_string_equal(gss_bind(&g, find, first), first);
    assert_string_equal(gss_bind(&g, find, last), last);
    assert_null(gss_bind(&g, find, NULL));
    assert_true(g.display_status == display_status && g.release_buffer == release_buffer);
    assert_non_null(g.wrap);
}

static void the_reason_is_the_librarys(void **state)
{
    (void)state;
    struct gss g;
    char reason[GSS_REASON_BYTES], long_words[400];
    assert_null(gss_bind(&g, find, NULL));
    words = "No credentials cache found";
    gss_reason(&g, 0x70000, 5, reason);
    assert_string_equal(reason, words);
    assert_int_equal(asked_of, 5);
    assert_int_equal(asked_kind, GSS_MECHANISM_STATUS);
    gss_reason(&g, 0x70000, 0, reason);
    assert_int_equal(asked_of, 0x70000);
    assert_int_equal(asked_kind, GSS_STATUS);
    memset(long_words, 'x', sizeof long_words - 1);
    long_words[sizeof long_words - 1] = 0;
    words = long_words;
    gss_reason(&g, 0x70000, 5, reason);
    assert_true(strlen(reason) < GSS_REASON_BYTES && strlen(reason) > 100 && reason[0] == 'x');
    words = NULL;
    gss_reason(&g, 0x70000, 5, reason);
    assert_string_equal(reason, "?");
    assert_int_equal(given, taken);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_missing_function_is_named),
        cmocka_unit_test(the_reason_is_the_librarys),
    };
    return cmocka_run_group_tests_name("gss", tests, NULL, NULL);
}
