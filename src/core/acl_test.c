#include "core/shell_for_tests.h"

static int fix(struct shell *s, struct conn *k, int32_t perms, const char *scheme, const char *id)
{
    struct buf b;
    buf_init(&b, 10000);
    wire_put_acl(&b, (struct wire_acl){ perms,
                                        { scheme == NULL ? (struct slice){ 0 } : slice_str(scheme),
                                          id == NULL ? (struct slice){ 0 } : slice_str(id) } });
    struct wire_vec out;
    int rc = acl_fix(s->core, k, (struct wire_vec){ 1, buf_slice(&b) }, &out);
    buf_fini(&b);
    return rc;
}

static void lists_are_judged(void **state)
{
    (void)state;
    struct core_options o = shell_options();
    struct shell s;
    shell_init(&s, &o);
    struct conn k = { 0 };
    static const struct {
        const char *scheme, *id;
        int want;
    } rows[] = {
        { "world", "anyone", 0 },
        { "world", "nobody", ERR_INVALID_ACL },
        { "world", NULL, ERR_MARSHALLING },
        { NULL, "x", ERR_INVALID_ACL },
        { "auth", "", ERR_INVALID_ACL },
        { "super", "", ERR_INVALID_ACL },
        { "sasl", "x", ERR_INVALID_ACL },
        { "digest", "a:b", 0 },
        { "digest", "x", ERR_INVALID_ACL },
        { "digest", "a:b:c", ERR_INVALID_ACL },
        { "digest", "a:", ERR_INVALID_ACL },
        { "digest", "", ERR_INVALID_ACL },
        { "digest", ":b", 0 },
        { "digest", NULL, ERR_INVALID_ACL },
        { "ip", "10.0.0.0", 0 },
        { "ip", "10.0.0.0/8", 0 },
        { "ip", "10.0.0.0/33", ERR_INVALID_ACL },
        { "ip", "1.2.3", ERR_INVALID_ACL },
        { "ip", "1.2.3.256", ERR_INVALID_ACL },
        { "ip", "1.2.3.4.5", ERR_INVALID_ACL },
        { "ip", "::1", 0 },
        { "ip", "fe80::/10", 0 },
        { "ip", "1:2:3:4:5:6:7:8", 0 },
        { "ip", "::ffff:1.2.3.4/128", 0 },
        { "ip", "1::2::3", ERR_INVALID_ACL },
        { "ip", "::/129", ERR_INVALID_ACL },
        { "ip", "1:2:3", ERR_INVALID_ACL },
        { "ip", "1:", ERR_INVALID_ACL },
        { "ip", "", ERR_INVALID_ACL },
        { "ip", "10.0.0.1/", ERR_INVALID_ACL },
        { "ip", "g::1", ERR_INVALID_ACL },
    };
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++)
        assert_int_equal(fix(&s, &k, 31, rows[i].scheme, rows[i].id), rows[i].want);
    struct wire_vec out;
    assert_int_equal(acl_fix(s.core, &k, (struct wire_vec){ .count = -1 }, &out), ERR_INVALID_ACL);
    assert_int_equal(acl_fix(s.core, &k, (struct wire_vec){ .count = 0 }, &out), ERR_INVALID_ACL);
    shell_fini(&s);
}

static bool allowed(struct shell *s, struct conn *k, int32_t perms, const char *scheme, const char *id, int32_t need)
{
    struct buf b;
    buf_init(&b, 10000);
    wire_put_acl(&b, (struct wire_acl){ perms, { slice_str(scheme), slice_str(id) } });
    bool yes = acl_allows(s->core, k, (struct wire_vec){ 1, buf_slice(&b) }, need);
    buf_fini(&b);
    return yes;
}

static void addresses_match_by_prefix(void **state)
{
    (void)state;
    struct core_options o = shell_options();
    struct shell s;
    shell_init(&s, &o);
    struct conn four = { .peer = { .address = { 10, 1, 2, 3 } } };
    struct conn six = { .peer = { .address = { 0xfe, 0x80, [15] = 1 }, .ipv6 = true } };
    assert_true(allowed(&s, &four, 1, "ip", "10.1.2.3", 1));
    assert_true(allowed(&s, &four, 1, "ip", "10.0.0.0/8", 1));
    assert_true(allowed(&s, &four, 1, "ip", "10.1.0.0/15", 1));
    assert_false(allowed(&s, &four, 1, "ip", "10.2.0.0/15", 1));
    assert_true(allowed(&s, &four, 1, "ip", "0.0.0.0/0", 1));
    assert_false(allowed(&s, &four, 1, "ip", "::/0", 1));
    assert_true(allowed(&s, &six, 1, "ip", "fe80::1", 1));
    assert_true(allowed(&s, &six, 1, "ip", "fe80::/10", 1));
    assert_false(allowed(&s, &six, 1, "ip", "fec0::/10", 1));
    assert_false(allowed(&s, &four, 2, "world", "anyone", 1)); /* the bit is not there */
    shell_fini(&s);
}

static void duplicates_go_and_order_stays(void **state)
{
    (void)state;
    struct core_options o = shell_options();
    struct shell s;
    shell_init(&s, &o);
    struct conn k = { 0 };
    struct buf b;
    buf_init(&b, 1 << 22);
    for (int i = 0; i < 30000; i++) { /* quadratic time would show here */
        char id[32];
        snprintf(id, sizeof id, "u%d:x", i % 3 == 0 ? 0 : i);
        wire_put_acl(&b, (struct wire_acl){ 1, { slice_str("digest"), slice_str(id) } });
    }
    struct wire_vec out;
    assert_int_equal(acl_fix(s.core, &k, (struct wire_vec){ 30000, buf_slice(&b) }, &out), 0);
    assert_int_equal(out.count, 20001);
    struct wire_reader r = wire_vec_reader(out);
    assert_true(slice_eq_str(wire_get_acl(&r).id.id, "u0:x"));
    assert_true(slice_eq_str(wire_get_acl(&r).id.id, "u1:x"));
    buf_fini(&b);
    shell_fini(&s);
}

static void digests_are_hidden_from_readers(void **state)
{
    (void)state;
    struct core_options o = shell_options();
    struct shell s;
    shell_init(&s, &o);
    struct buf b;
    buf_init(&b, 1000);
    wire_put_acl(&b, (struct wire_acl){ 31, { slice_str("digest"), slice_str("u:hash") } });
    wire_put_acl(&b, (struct wire_acl){ 1, { slice_str("world"), slice_str("anyone") } });
    struct wire_vec out = acl_redact(s.core, (struct wire_vec){ 2, buf_slice(&b) });
    struct wire_reader r = wire_vec_reader(out);
    assert_true(slice_eq_str(wire_get_acl(&r).id.id, "u:x"));
    assert_true(slice_eq_str(wire_get_acl(&r).id.id, "anyone"));
    buf_fini(&b);
    shell_fini(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lists_are_judged),
        cmocka_unit_test(addresses_match_by_prefix),
        cmocka_unit_test(duplicates_go_and_order_stays),
        cmocka_unit_test(digests_are_hidden_from_readers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
