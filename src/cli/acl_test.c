#include "cli/acl.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

/* "scheme id perms;..." and the complaints. */
static const char *parse(const char *text, const char **complaints)
{
    static char out[512], said[512];
    struct ACL_vector acl;
    struct buf b;
    size_t n = 0;
    buf_init(&b, 4096);
    cli_acl_parse(text, &acl, &b);
    out[0] = '\0';
    for (int32_t i = 0; i < acl.count; i++)
        n += (size_t)snprintf(out + n, sizeof(out) - n, "%s %s %d;", acl.data[i].id.scheme, acl.data[i].id.id,
                              acl.data[i].perms);
    snprintf(said, sizeof(said), "%.*s", (int)b.n, b.n == 0 ? "" : (const char *)b.p);
    *complaints = said;
    deallocate_ACL_vector(&acl);
    buf_fini(&b);
    return out;
}

static void good_lists(void **state)
{
    const char *said;
    (void)state;
    assert_string_equal(parse("world:anyone:cdrwa", &said), "world anyone 31;");
    assert_string_equal(said, "");
    assert_string_equal(parse("digest:bob:abc=:rw,ip:10.0.0.0/8:r", &said), "digest bob:abc= 3;ip 10.0.0.0/8 1;");
    assert_string_equal(parse("auth::a", &said), "auth  16;");
    assert_string_equal(parse("world:anyone:", &said), "world anyone 0;");
    assert_string_equal(parse("ip:2001:db8::1:r,", &said), "ip 2001:db8::1 1;");
    assert_string_equal(said, "");
}

static void what_is_wrong_is_said(void **state)
{
    const char *said;
    (void)state;
    assert_string_equal(parse("foo", &said), "");
    assert_string_equal(said, "foo does not have the form scheme:id:perm\n");
    assert_string_equal(parse("world:anyone", &said), "");
    assert_string_equal(said, "world:anyone does not have the form scheme:id:perm\n");
    assert_string_equal(parse("world:anyone:rzq", &said), "world anyone 1;");
    assert_string_equal(said, "Unknown perm type: z\nUnknown perm type: q\n");
    assert_string_equal(parse("a:b:r,,c:d:w", &said), "a b 1;c d 2;");
    assert_string_equal(said, " does not have the form scheme:id:perm\n");
    assert_string_equal(parse("", &said), "");
    assert_string_equal(said, " does not have the form scheme:id:perm\n");
    assert_string_equal(parse(",", &said), "");
    assert_string_equal(said, "");
}

static void letters_and_bits(void **state)
{
    char text[6];
    (void)state;
    for (int perms = 0; perms < 32; perms++) {
        cli_perms_text(perms, text);
        assert_int_equal(cli_perms_of(text), perms);
    }
    cli_perms_text(31, text);
    assert_string_equal(text, "cdrwa");
    assert_int_equal(cli_perms_of("rx"), -1);
}

static void hidden_digests_are_known(void **state)
{
    struct ACL_vector acl = { 0 };
    (void)state;
    cli_acl_append(&acl, "digest", "bob:x", 31);
    cli_acl_append(&acl, "digest", "bob:ikIaKsbtGweaHnb/jKn7OHqbunM=", 31);
    cli_acl_append(&acl, "ip", "bob:x", 31);
    assert_true(cli_acl_is_hidden(&acl.data[0]));
    assert_false(cli_acl_is_hidden(&acl.data[1]));
    assert_false(cli_acl_is_hidden(&acl.data[2]));
    deallocate_ACL_vector(&acl);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_lists),
        cmocka_unit_test(what_is_wrong_is_said),
        cmocka_unit_test(letters_and_bits),
        cmocka_unit_test(hidden_digests_are_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
