#include "server/sasl_clients.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void nothing_is_made_unless_configured(void **state)
{
    (void)state;
    struct config config;
    struct sasl_clients *c;
    config_init(&config);
    assert_int_equal(sasl_clients_new(&config, fs_real(), &c), 0);
    assert_null(c);
    assert_null(sasl_schemes(&config));
    config_fini(&config);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(nothing_is_made_unless_configured) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
