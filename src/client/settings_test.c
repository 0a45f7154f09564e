#include "client/settings.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

static struct buf error, warnings;
static struct settings s;

static const char *text_of(struct buf *b)
{
    buf_append(b, "", 1);
    return (const char *)b->p;
}

static int parse(const char *text)
{
    buf_reset(&error);
    buf_reset(&warnings);
    settings_fini(&s);
    settings_init(&s);
    return settings_parse(&s, "f", text, strlen(text), &error, &warnings);
}

static void configurations(void **state)
{
    (void)state;
    assert_int_equal(parse("# none\nzookeeper.request.timeout = 700\nzookeeper.client.secure=false\n"), 0);
    assert_int_equal(s.request_timeout_ms, 700);
    assert_false(s.secure);
    assert_int_equal(warnings.n, 0);
    assert_int_equal(parse("zookeeper.ssl.crl=x"), 0);
    assert_string_equal(text_of(&warnings),
                        "f: line 1: zookeeper.ssl.crl has no meaning for this client and is ignored\n");
    assert_int_equal(parse("a=1\nzookeeper.request.timeout=-1"), -1);
    assert_string_equal(text_of(&error),
                        "f: line 2: zookeeper.request.timeout: '-1' is not a number (0..2147483647 ms)");
    assert_int_equal(parse("a=\\u00zz"), -1);
    assert_string_equal(text_of(&error), "f: line 1: a damaged \\u escape");
}

static void tls_is_configured_as_for_java(void **state)
{
    (void)state;
    assert_int_equal(parse("zookeeper.client.secure=true\nzookeeper.ssl.trustStore.location=/t.pem\n"
                           "zookeeper.ssl.keyStore.location=/k.p12\nzookeeper.ssl.keyStore.password=pw\n"
                           "zookeeper.ssl.enabledProtocols=TLSv1.3\nzookeeper.ssl.protocol=TLSv1.2\n"
                           "zookeeper.ssl.hostnameVerification=false\n"
                           "zookeeper.clientCnxnSocket=org.apache.zookeeper.ClientCnxnSocketNetty\n"),
                     0);
    assert_int_equal(warnings.n, 0);
    assert_true(s.secure && s.tls.any_name && s.tls.size == sizeof(s.tls));
    assert_string_equal(s.tls.trust, "/t.pem");
    assert_string_equal(s.tls.key, "/k.p12");
    assert_string_equal(s.tls.key_password, "pw");
    assert_string_equal(s.tls.protocols, "TLSv1.3");
}

static void sasl_is_configured_as_for_java(void **state)
{
    (void)state;
    assert_int_equal(parse("java.security.auth.login.config=/j.conf\nzookeeper.sasl.client.username=zoo\n"), 0);
    assert_string_equal(s.sasl.jaas, "/j.conf");
    assert_null(s.sasl.jaas_section);
    assert_string_equal(s.sasl.service, "zoo");
    assert_false(s.must_log_in);
    assert_int_equal(parse("zookeeper.sasl.clientconfig=Other\nzookeeper.server.realm=R\n"
                           "zookeeper.server.principal=zk/host.example@REALM\n"),
                     0);
    assert_true(s.must_log_in);
    assert_string_equal(s.sasl.jaas_section, "Other");
    assert_string_equal(s.sasl.service, "zk");
    assert_string_equal(s.sasl.host, "host.example");
    assert_int_equal(parse("zookeeper.server.principal=zk@REALM/odd\n"), 0);
    assert_string_equal(s.sasl.service, "zk");
    assert_null(s.sasl.host);
    assert_int_equal(warnings.n, 0);
}

static void words_for_java(void **state)
{
    (void)state;
    (void)parse("");
    assert_int_equal(settings_parse_flags(&s, "JVMFLAGS",
                                          "-Xmx1g  -Dzookeeper.client.secure=true -Dother=1 -D -Dx "
                                          "-Dzookeeper.ssl.trustStore.location=/a=b "
                                          "-Djava.security.auth.login.config=/j",
                                          &error),
                     0);
    assert_true(s.secure);
    assert_string_equal(s.tls.trust, "/a=b");
    assert_string_equal(s.sasl.jaas, "/j");
    assert_int_equal(settings_parse_flags(&s, "JVMFLAGS", "-Dzookeeper.request.timeout=soon", &error), -1);
    assert_string_equal(text_of(&error),
                        "JVMFLAGS: zookeeper.request.timeout: 'soon' is not a number (0..2147483647 ms)");
}

/* The variables, and over them what stands on the command line. */
static void all_of_it(void **state)
{
    (void)state;
    const struct settings_words none = { 0 }, words = { .jaas = "/mine", .section = "Me" };
    (void)unsetenv("KRB5_CONFIG");
    (void)setenv("CLIENT_JVMFLAGS", "-Djava.security.auth.login.config=/theirs -Djava.security.krb5.conf=/k", 1);
    (void)setenv("JVMFLAGS", "-Dzookeeper.sasl.client=false", 1);
    (void)parse("");
    assert_int_equal(settings_read(&s, &none, &error, &warnings), 0);
    assert_false(s.logs_in);
    assert_string_equal(getenv("KRB5_CONFIG"), "/k");
    assert_int_equal(settings_read(&s, &words, &error, &warnings), 0);
    assert_true(s.logs_in && s.must_log_in);
    assert_string_equal(s.sasl.jaas, "/mine");
    assert_string_equal(s.sasl.jaas_section, "Me");
    (void)unsetenv("CLIENT_JVMFLAGS");
    (void)unsetenv("JVMFLAGS");
    (void)parse("");
    assert_int_equal(settings_read(&s, &(struct settings_words){ .section = "Me" }, &error, &warnings), -1);
    assert_string_equal(text_of(&error), "section Me of which file? --jaas FILE says it");
    buf_reset(&error);
    assert_int_equal(settings_read(&s, &(struct settings_words){ .configuration = "/none" }, &error, &warnings), -1);
    assert_string_equal(text_of(&error), "Error processing /none: No such file or directory");
}

static int set_up(void **state)
{
    (void)state;
    buf_init(&error, 4096);
    buf_init(&warnings, 4096);
    settings_init(&s);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    settings_fini(&s);
    buf_fini(&error);
    buf_fini(&warnings);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(configurations),
        cmocka_unit_test(tls_is_configured_as_for_java),
        cmocka_unit_test(sasl_is_configured_as_for_java),
        cmocka_unit_test(words_for_java),
        cmocka_unit_test(all_of_it),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
