#include "cli/member.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static void check(const char *text, const char *expected)
{
    struct buf out;
    buf_init(&out, 4096);
    cli_client_string(text, strlen(text), &out);
    buf_append(&out, "", 1);
    assert_string_equal((const char *)out.p, expected);
    buf_fini(&out);
}

static void where_clients_connect(void **state)
{
    (void)state;
    check("", " ");
    check("server.1=a:1:2:participant;2181\nserver.2=b:1:2;host:2182\nversion=100000000",
          "100000000 0.0.0.0:2181,host:2182");
    check("server.1=[::1]:1:2:participant;[::1]:2181\nversion=0", "0 [::1]:2181");
    check("server.1=a:1:2\nserver.2=b:1:2;1\n", " ,0.0.0.0:1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(where_clients_connect),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
