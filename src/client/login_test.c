#include "base/err.h"
#include "client/login_internal.h"
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#define DIGEST "org.apache.zookeeper.server.auth.DigestLoginModule required\n"
#define KERBEROS "com.sun.security.auth.module.Krb5LoginModule required\n"

static char path[] = "/tmp/zokor-login-XXXXXX";
static struct arena strings;
static struct login_error error;

static void write_file(const char *text, size_t n)
{
    FILE *f = fopen(path, "we");
    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
}

static int read_jaas(struct login_options *o, const char *section, const char *text)
{
    write_file(text, strlen(text));
    arena_reset(&strings);
    *o = (struct login_options){ .jaas = path, .section = section };
    return login_jaas_read(o, &strings, &error);
}

static void users_of_a_jaas_file(void **state)
{
    struct login_options o;
    const char *text = "Client { " DIGEST "username=\"bob\" password=\"a b\"; };\n"
                       "Other { " DIGEST "username=\"eve\" password=\"\"; };\n";
    (void)state;
    assert_int_equal(read_jaas(&o, NULL, text), 0);
    assert_string_equal(o.mechanisms, "DIGEST-MD5");
    assert_string_equal(o.user, "bob");
    assert_string_equal(o.password, "a b");
    assert_int_equal(read_jaas(&o, "Other", text), 0);
    assert_string_equal(o.user, "eve");
    assert_string_equal(o.password, "");
}

static void principals_of_a_jaas_file(void **state)
{
    struct login_options o;
    (void)state;
    assert_int_equal(read_jaas(&o, NULL,
                               "Client { " KERBEROS
                               "useKeyTab=true keyTab=\"/k\" principal=\"a/b@C\" ticketCache=\"/t\"; };"),
                     0);
    assert_string_equal(o.mechanisms, "GSSAPI");
    assert_string_equal(o.principal, "a/b@C");
    assert_string_equal(o.keytab, "/k");
    assert_null(o.ticket_cache);
    assert_int_equal(read_jaas(&o, NULL,
                               "Client { " KERBEROS
                               "useKeyTab=false keyTab=\"/k\" useTicketCache=true ticketCache=\"/t\"; };"),
                     0);
    assert_null(o.keytab);
    assert_string_equal(o.ticket_cache, "/t");
}

static void jaas_files_of_no_use(void **state)
{
    static const struct {
        const char *text;
        int rc;
        const char *says;
    } rows[] = {
        { "Server { };", ERR_NOT_FOUND, "has no section Client" },
        { "Client { };", ERR_INVALID, "another login module" },
        { "Client { " DIGEST "user_bob=\"x\"; };", ERR_INVALID, "needs username=\"...\" password=\"...\"" },
        { "Client { " DIGEST "username=\"\" password=\"x\"; };", ERR_INVALID, "needs username" },
        { "Client {\n" KERBEROS "useKeyTab=true; };", ERR_INVALID, "line 2: section Client needs keyTab" },
        { "Client {\n\n!", ERR_INVALID, "line 3: expected" },
    };
    struct login_options o;
    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        assert_int_equal(read_jaas(&o, NULL, rows[i].text), rows[i].rc);
        assert_non_null(strstr(error.text, rows[i].says));
        assert_non_null(strstr(error.text, path));
    }
    o = (struct login_options){ .jaas = "/nowhere/jaas" };
    assert_int_equal(login_jaas_read(&o, &strings, &error), ERR_INVALID);
    assert_non_null(strstr(error.text, "/nowhere/jaas: No such file or directory"));
}

static void first_lines(void **state)
{
    char line[8];
    (void)state;
    write_file("secret\nmore than fits here\n", 26);
    assert_int_equal(login_first_line(path, line, sizeof line), 0);
    assert_string_equal(line, "secret");
    write_file("1234567", 7);
    assert_int_equal(login_first_line(path, line, sizeof line), 0);
    assert_string_equal(line, "1234567");
    write_file("12345678", 8);
    assert_int_equal(login_first_line(path, line, sizeof line), EFBIG);
    assert_int_equal(line[0], 0);
    write_file("", 0);
    assert_int_equal(login_first_line(path, line, sizeof line), 0);
    assert_string_equal(line, "");
    assert_int_equal(login_first_line("/nowhere/x", line, sizeof line), ENOENT);
}

/* Without libsasl2, whose absence is no mistake of the options, these are found first. */
static void options_of_no_use(void **state)
{
    static const struct {
        struct login_options o;
        const char *says;
    } rows[] = {
        { { .mechanisms = "DIGEST-MD5" }, "needs the name of a user" },
        { { .user = "bob" }, "the user bob needs a password" },
        { { .jaas = "/nowhere/jaas", .user = "bob", .password = "x" }, "/nowhere/jaas: " },
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        errno = 0;
        assert_null(login_new(&rows[i].o, &error));
        assert_int_equal(errno, EINVAL);
        assert_non_null(strstr(error.text, rows[i].says));
    }
}

static int set_up(void **state)
{
    (void)state;
    arena_init(&strings, 4096);
    int fd = mkstemp(path);
    return fd < 0 ? -1 : close(fd);
}

static int tear_down(void **state)
{
    (void)state;
    arena_fini(&strings);
    return unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(users_of_a_jaas_file), cmocka_unit_test(principals_of_a_jaas_file),
        cmocka_unit_test(jaas_files_of_no_use), cmocka_unit_test(first_lines),
        cmocka_unit_test(options_of_no_use),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
