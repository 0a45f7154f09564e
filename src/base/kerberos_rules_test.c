#include "base/kerberos_rules.h"
#include "base/err.h"
#include "base/rng.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

static struct kerberos_rules *rules_of(const char *text)
{
    struct kerberos_rules *rules = NULL;
    struct kerberos_rules_error err = { "" };
    if (kerberos_rules_new(slice_str(text), &rules, &err) != 0)
        fail_msg("%s: %s", text, err.text);
    return rules;
}

/* What KerberosName.getShortName() of Apache ZooKeeper 3.8 says, with the default realm R; NULL: NoMatchingRule. */
static void short_names_are_those_of_apache(void **state)
{
    (void)state;
    static const struct {
        const char *rules, *name, *short_name;
    } rows[] = {
        { "DEFAULT", "bob@R", "bob" },
        { "DEFAULT", "zk/h@R", "zk" },
        { "DEFAULT", "bob@S", NULL },
        { "", "bob@R", NULL },
        { "RULE:[1:$1]", "bob@S", "bob" },
        { "RULE:[1:$1]", "bob/h@S", NULL },
        { "RULE:[2:$1]", "bob/h@S", "bob" },
        { "RULE:[2:$2-$1]DEFAULT", "bob/h@S", "h-bob" },
        { "RULE:[1:$1@$0](.*@S)s/@.*//", "bob@S", "bob" },
        { "RULE:[1:$1@$0](.*@S)s/@.*//", "bob@R", NULL },
        { "RULE:[1:$1@$0](.*@S)s/@.*// DEFAULT", "bob@R", "bob" },
        { "RULE:[1:$1@$0]", "bob@S", NULL },
        { "RULE:[1:$1@$0]DEFAULT", "bob@R", NULL },
        { "RULE:[1:$1](b)DEFAULT", "bob@R", "bob" },
        { "RULE:[1:$1](b.b)s/b/x/", "bob@S", "xob" },
        { "RULE:[1:$1](b.b)s/b/x/g", "bob@S", "xox" },
        { "RULE:[2:$1@$0]([nd]n@.*S)s/.*/hdfs/", "dn/h@S", "hdfs" },
        { "RULE:[1:$1]s/(.)(.)/$2$1/", "bob@S", "obb" },
        { "RULE:[1:$1]s/(.)(.)/$2$1/g", "anna@S", "naan" },
        { "RULE:[1:$1]s/(x)?b/<$1>/g", "bob@S", "<>o<>" },
        { "RULE:[1:$1]s/x*/-/g", "abc@S", "-a-b-c-" },
        { "RULE:[1:$1]s/b*/-/g", "bob@S", "--o--" },
        { "RULE:[1:$1]s/b*/-/", "bob@S", "-ob" },
        { "RULE:[1:$1]s/$/_s/", "bob@S", "bob_s" },
        { "RULE:[1:$1]s/^/u_/g", "bob@S", "u_bob" },
        { "RULE:[1:$1]s/b/\\$1\\\\/", "bob@S", "$1\\ob" },
        { "RULE:[1:$1]s/(b)/$10/", "bob@S", "b0ob" },
        { "RULE:[1:u$1$1]", "bob@S", "ubobbob" },
        { "RULE:[1:root]", "bob@S", "root" },
        { "RULE:[1:]", "bob@S", "" },
        { "RULE:[3:$3] RULE:[1:$1]", "bob@S", "bob" },
        { "RULE:[0:$0] RULE:[1:$1]", "bob@S", "bob" },
        { "\t RULE:[1:x]()\n\tRULE:[1:$1]()  DEFAULT\n", "bob@R", "bob" },
        { "RULE:[01:$01]", "bob@S", "bob" },
        { "RULE:[1:$1]s/.*//", "bob@S", "" },
        { "RULE:[1:$1]s//x/", "bob@S", "xbob" },
        { "RULE:[1:$1]s//x/g", "bob@S", "xbxoxbx" },
        { "RULE:[2:$1$2]", "bob/@S", "bob" },
        { "RULE:[1:$1$0]", "bob@", "bob" },
        { "RULE:[1:$0]", "@S", "S" },
        { "RULE:[1:$1@$0](.*@[A-Z]+\\.ORG)s/@.*/_o/", "bob@X.ORG", "bob_o" },
        { "RULE:[1:$1@$0](.*@[A-Z]+\\.ORG)s/@.*/_o/", "bob@XYORG", NULL },
        { "RULE:[1:$1]s/b/@/DEFAULT", "bob@R", NULL },
        { "RULE:[1:a]RULE:[1:b]", "bob@S", "a" },
        { "RULE:[2:$1;$2](zk;.*)s/;.*//", "zk/h.x@S", "zk" },
        { "RULE:[1:$1](BOB)", "bob@S", NULL },
    };
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        struct kerberos_rules *rules = rules_of(rows[i].rules);
        struct kerberos_name name;
        struct buf out;
        buf_init(&out, 1000);
        buf_append(&out, "x", 1);
        assert_true(kerberos_name_parse(slice_str(rows[i].name), &name));
        int rc = kerberos_rules_apply(rules, &name, slice_str("R"), &out);
        buf_append(&out, "", 1);
        const char *wanted = rows[i].short_name == NULL ? "" : rows[i].short_name;
        if (rc != (rows[i].short_name == NULL ? ERR_NOT_FOUND : 0) || strcmp((char *)out.p + 1, wanted) != 0)
            fail_msg("%s of %s: %d, %s, not %s", rows[i].name, rows[i].rules, rc, (char *)out.p + 1, wanted);
        buf_fini(&out);
        kerberos_rules_free(rules);
    }
}

static void names_have_parts(void **state)
{
    (void)state;
    static const struct {
        const char *name, *service, *host, *realm; /* service NULL: malformed */
    } rows[] = {
        { "bob@R", "bob", NULL, "R" },
        { "zk/h.x@R", "zk", "h.x", "R" },
        { "@", "", NULL, "" },
        { "a/@R", "a", "", "R" },
        { "/@", "", "", "" },
        { "bob", NULL, NULL, NULL },
        { "a/b/c@R", NULL, NULL, NULL },
        { "a@b@R", NULL, NULL, NULL },
        { "a@R/b", NULL, NULL, NULL },
        { "a/b@R/c", NULL, NULL, NULL },
        { "", NULL, NULL, NULL },
    };
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        struct kerberos_name name;
        bool good = kerberos_name_parse(slice_str(rows[i].name), &name);
        assert_int_equal(good, rows[i].service != NULL);
        if (!good)
            continue;
        assert_true(slice_eq_str(name.service, rows[i].service));
        assert_true(slice_eq_str(name.realm, rows[i].realm));
        assert_int_equal(slice_is_null(name.host), rows[i].host == NULL);
        assert_true(rows[i].host == NULL || slice_eq_str(name.host, rows[i].host));
    }
}

#define GRAMMAR \
    "a rule is DEFAULT or RULE:[n:format](pattern)s/pattern/replacement/g, whose last two parts may be missing"
#define COUNT "the number of components is missing: it is 1 for user@REALM, 2 for user/host@REALM"

/* All of these fail in Apache's, too, when the first client logs in. */
static void what_is_no_rule_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *rules;
        int rc;
        const char *error;
    } rows[] = {
        { "RULE", ERR_INVALID, "rule 1, RULE: " GRAMMAR },
        { "default", ERR_INVALID, "rule 1, default: " GRAMMAR },
        { "DEFAULT, DEFAULT", ERR_INVALID, "rule 2, , DEFAULT: " GRAMMAR },
        { "RULE:[1:$1]/L", ERR_INVALID, "rule 2, /L: " GRAMMAR },
        { "DEFAULT RULE:[1:$1]s/a/b", ERR_INVALID, "rule 3, s/a/b: " GRAMMAR },
        { "RULE:[1:$1", ERR_INVALID, "rule 1, RULE:[1:$1: behind RULE: comes [n:format], as in [2:$1@$0]" },
        { "RULE:[1]", ERR_INVALID, "rule 1, RULE:[1]: behind RULE: comes [n:format], as in [2:$1@$0]" },
        { "RULE:[1:$1](a", ERR_INVALID, "rule 1, RULE:[1:$1](a: the pattern in () has no end" },
        { "RULE:[:$1]DEFAULT", ERR_INVALID, "rule 1, RULE:[:$1]: " COUNT },
        { "RULE:[x:$1]", ERR_INVALID, "rule 1, RULE:[x:$1]: " COUNT },
        { "RULE:[99999999999:$1]", ERR_INVALID, "rule 1, RULE:[99999999999:$1]: " COUNT },
        { "RULE:[1:$]", ERR_INVALID, "rule 1, RULE:[1:$]: a number must follow $ in the format" },
        { "RULE:[1:$2]", ERR_INVALID,
          "rule 1, RULE:[1:$2]: a number behind $ in the format is above that of the components; $0 is the realm" },
        { "DEFAULT RULE:[1:$1](a(b) DEFAULT", ERR_INVALID,
          "rule 2, RULE:[1:$1](a(b): the pattern in (), character 4: a group has no end: ) is missing" },
        { "RULE:[1:$1](\\bx)", ERR_UNSUPPORTED,
          "rule 1, RULE:[1:$1](\\bx): the pattern in (), character 2: this server does not know what this letter or "
          "digit means behind a backslash" },
        { "RULE:[1:$1]s/*/b/", ERR_INVALID,
          "rule 1, RULE:[1:$1]s/*/b/: the pattern behind s/, character 1: there is nothing to repeat; a backslash "
          "makes it a plain character" },
        { "RULE:[1:$1]s/b/$1/g", ERR_INVALID,
          "rule 1, RULE:[1:$1]s/b/$1/g: a number behind $ in the replacement is above that of the groups of the "
          "pattern" },
        { "RULE:[1:$1]s/b/$x/", ERR_INVALID,
          "rule 1, RULE:[1:$1]s/b/$x/: a number must follow $ in the replacement; \\$ is the sign itself" },
        { "RULE:[1:$1]s/b/x\\/", ERR_INVALID,
          "rule 1, RULE:[1:$1]s/b/x\\/: nothing follows the backslash in the replacement" },
    };
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        struct kerberos_rules *rules = NULL;
        struct kerberos_rules_error err = { "" };
        int rc = kerberos_rules_new(slice_str(rows[i].rules), &rules, &err);
        if (rc != rows[i].rc || strcmp(err.text, rows[i].error) != 0)
            fail_msg("%s: %d \"%s\", not \"%s\"", rows[i].rules, rc, err.text, rows[i].error);
    }
}

/* Whatever is given, it is read or refused, and what is read can be used. */
static void random_rules(void **state)
{
    (void)state;
    static const char *const parts[] = { "DEFAULT", "RULE:[1:", "RULE:[2:", "$1", "$0", "$2", "@", "]", "(", ")", "s/",
                                         "/",       "g",        ".*",       "b",  "\\", "[",  "*", "|", " ", "$", "" };
    struct rng rng;
    rng_init(&rng, 4711);
    for (int i = 0; i < 20000; i++) {
        char text[200] = "RULE:[1:$1]";
        size_t n = rng_below(&rng, 2) * strlen(text), count = rng_below(&rng, 12);
        for (size_t k = 0; k < count; k++)
            n += (size_t)snprintf(text + n, sizeof text - n, "%s", parts[rng_below(&rng, ARRAY_COUNT(parts))]);
        struct kerberos_rules *rules = NULL;
        struct kerberos_rules_error err;
        struct kerberos_name name;
        struct buf out;
        if (kerberos_rules_new(slice_of(text, n), &rules, &err) != 0)
            continue;
        buf_init(&out, 1000);
        assert_true(kerberos_name_parse(slice_str(i % 2 == 0 ? "bob@R" : "b/b@S"), &name));
        if (kerberos_rules_apply(rules, &name, slice_str("R"), &out) != 0)
            assert_int_equal(out.n, 0);
        buf_fini(&out);
        kerberos_rules_free(rules);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(short_names_are_those_of_apache),
        cmocka_unit_test(names_have_parts),
        cmocka_unit_test(what_is_no_rule_is_refused),
        cmocka_unit_test(random_rules),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
