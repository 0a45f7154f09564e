#include "server/kerberos.h"
#include "base/err.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

static void principals_become_ids(void **state)
{
    (void)state;
    static const struct {
        const char *name, *plain, *no_host, *no_realm, *neither;
    } rows[] = {
        { "bob", "bob@R", "bob@R", "bob", "bob" },
        { "bob@R", "bob@R", "bob@R", "bob", "bob" },
        { "zk/h.x", "zk/h.x@R", "zk@R", "zk/h.x", "zk" },
        { "zk/h.x@R", "zk/h.x@R", "zk@R", "zk/h.x", "zk" },
        { "bob@S", "bob@S", "bob@S", "bob@S", "bob@S" }, /* nobody of another realm is our bob */
        { "zk/h@S", "zk/h@S", "zk/h@S", "zk/h@S", "zk/h@S" },
        { "bob@RR", "bob@RR", "bob@RR", "bob@RR", "bob@RR" },
        { "a@R@S", "a@R@S", "a@R@S", "a@R@S", "a@R@S" },
        { "", "@R", "@R", "", "" },
    };
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        const char *const wanted[] = { rows[i].plain, rows[i].no_host, rows[i].no_realm, rows[i].neither };
        for (unsigned k = 0; k < 4; k++) {
            char id[40];
            kerberos_id(rows[i].name, "R", (k & 1) != 0, (k & 2) != 0, id, strlen(rows[i].name) + 3);
            assert_string_equal(id, wanted[k]);
        }
    }
}

/* The library reads the file that KRB5_CONFIG names; what it may take from there is copied as it is. */
static void the_default_realm_is_that_of_the_configuration(void **state)
{
    (void)state;
    static const struct {
        const char *text, *realm;
    } rows[] = {
        { "[libdefaults]\ndefault_realm = ZOKOR.TEST\n", "ZOKOR.TEST" },
        { "[libdefaults]\ndefault_realm = another\n", "another" },
    };
    char path[] = "/tmp/zokor-kerberos-XXXXXX", realm[16], reason[300] = "";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(setenv("KRB5_CONFIG", path, 1), 0);
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        assert_int_equal(ftruncate(fd, 0), 0);
        size_t n = strlen(rows[i].text);
        assert_int_equal(pwrite(fd, rows[i].text, n, 0), n);
        int rc = kerberos_default_realm(realm, sizeof realm, reason, sizeof reason);
        if (rc == ERR_UNSUPPORTED) { /* no libkrb5 here */
            assert_string_not_equal(reason, "");
            break;
        }
        assert_int_equal(rc, 0);
        assert_string_equal(realm, rows[i].realm);
        assert_int_equal(kerberos_default_realm(realm, 3, reason, sizeof reason), ERR_TOO_LONG);
    }
    close(fd);
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(principals_become_ids),
        cmocka_unit_test(the_default_realm_is_that_of_the_configuration),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
