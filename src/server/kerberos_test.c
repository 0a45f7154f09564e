#include "server/kerberos.h"
#include "base/err.h"
#include "base/mem.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

static struct kerberos_rules *rules_of(const char *text)
{
    struct kerberos_rules *rules = NULL;
    struct kerberos_rules_error err;
    if (kerberos_rules_new(slice_str(text), &rules, &err) != 0)
        fail_msg("%s", err.text);
    return rules;
}

static void assert_id(const char *name, const struct kerberos_rules *rules, unsigned drops, const char *wanted)
{
    const struct kerberos_ids how = {
        .rules = rules, .default_realm = "R", .drop_host = (drops & 1) != 0, .drop_realm = (drops & 2) != 0
    };
    char *id = kerberos_id(&how, name);
    assert_string_equal(id, wanted);
    mem_free(id);
}

static void principals_become_ids(void **state)
{
    (void)state;
    struct kerberos_rules *rules = rules_of("DEFAULT");
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
        { "a/b/c", "a/b/c@R", "a/b/c@R", "a/b/c@R", "a/b/c@R" }, /* malformed to Apache, and not our a */
        { "a\\@R", "a\\@R@R", "a\\@R@R", "a\\@R@R", "a\\@R@R" },
        { "", "@R", "@R", "", "" },
    };
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        const char *const wanted[] = { rows[i].plain, rows[i].no_host, rows[i].no_realm, rows[i].neither };
        for (unsigned k = 0; k < 4; k++) {
            assert_id(rows[i].name, rules, k, wanted[k]);
        }
    }
    kerberos_rules_free(rules);
}

/* SaslServerCallbackHandler puts host and realm behind the short name, also if that had them out of the principal. */
static void rules_make_short_names(void **state)
{
    (void)state;
    struct kerberos_rules *rules = rules_of("RULE:[2:$1@$0](nn@S)s/.*/hdfs/ RULE:[1:$1@$0](.*@S)s/@.*/_s/ DEFAULT");
    assert_id("nn/h@S", rules, 0, "hdfs/h@S");
    assert_id("nn/h@S", rules, 1, "hdfs@S");
    assert_id("nn/h@S", rules, 2, "hdfs/h");
    assert_id("nn/h@S", rules, 3, "hdfs");
    assert_id("bob@S", rules, 3, "bob_s");
    assert_id("bob@R", rules, 3, "bob");
    assert_id("bob", rules, 3, "bob");
    assert_id("bob@T", rules, 3, "bob@T"); /* no rule fits */
    assert_id("dn/h@S", rules, 3, "dn/h@S");
    kerberos_rules_free(rules);
    rules = rules_of("RULE:[1:$1@$0]"); /* it fits, but what it makes is no short name */
    assert_id("bob@R", rules, 3, "bob@R");
    kerberos_rules_free(rules);
    rules = rules_of("");
    assert_id("bob", rules, 3, "bob@R");
    kerberos_rules_free(rules);
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
        cmocka_unit_test(rules_make_short_names),
        cmocka_unit_test(the_default_realm_is_that_of_the_configuration),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
