#include "os/library.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

static void functions_are_found_by_name(void **state)
{
    (void)state;
    char reason[200] = "";
    struct library *l = library_open("libz.so.1", reason, sizeof reason);
    assert_string_equal(reason, "");
    assert_non_null(l);
    const char *(*version)(void);
    void *p = library_symbol(l, "zlibVersion");
    assert_non_null(p);
    memcpy(&version, &p, sizeof version);
    assert_int_equal(version()[0], '1');
    assert_null(library_symbol(l, "zlibVersionOfTheMoon"));
    library_close(l);
    library_close(NULL);
}

static void a_missing_library_has_a_reason(void **state)
{
    (void)state;
    char reason[200] = "";
    assert_null(library_open("libnowhere.so.77", reason, sizeof reason));
    assert_non_null(strstr(reason, "libnowhere.so.77"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(functions_are_found_by_name),
        cmocka_unit_test(a_missing_library_has_a_reason),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
