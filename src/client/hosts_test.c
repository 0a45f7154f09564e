#include "client/hosts.h"
#include "base/err.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static struct client_addr addr(uint8_t n)
{
    return (struct client_addr){ .n = 1, .bytes = { n } };
}

static void connect_strings(void **state)
{
    (void)state;
    static struct client_host h[CLIENT_HOSTS_MAX];
    struct slice chroot;
    assert_int_equal(client_hosts_parse("a", h, &chroot), 1);
    assert_true(slice_eq_str(h[0].host, "a") && h[0].port == 2181 && slice_is_null(chroot));
    assert_int_equal(client_hosts_parse("a:1, b.c:65535 ,[::1]:7,[fe80::2],10.0.0.1:3/x/y", h, &chroot), 5);
    assert_true(slice_eq_str(h[1].host, "b.c") && h[1].port == 65535);
    assert_true(slice_eq_str(h[2].host, "::1") && h[2].port == 7);
    assert_true(slice_eq_str(h[3].host, "fe80::2") && h[3].port == 2181);
    assert_true(slice_eq_str(h[4].host, "10.0.0.1") && h[4].port == 3);
    assert_true(slice_eq_str(chroot, "/x/y"));
    assert_int_equal(client_hosts_parse("a:1/", h, &chroot), 1);
    assert_true(slice_is_null(chroot));
    static const char *const bad[] = { "",        ",",      "/x",    ":1",       "a:",      "a:0",
                                       "a:65536", "a:1x",   "[::1",  "[]:1",     "[::1]x",  "a:-1",
                                       "a:1/x/",  "a:1//x", "a:1/.", "a:1/x/..", "a:1/\x1f" };
    for (size_t i = 0; i < ARRAY_COUNT(bad); i++)
        assert_int_equal(client_hosts_parse(bad[i], h, &chroot), ERR_BAD_ARGUMENTS);
}

static void paths(void **state)
{
    (void)state;
    static const char *const good[] = { "/", "/a", "/a/b", "/...", "/.a", "/a..", "/a.b/c", "/\xc3\xa9" };
    static const char *const bad[] = { "", "a", "//", "/a//b", "/a/", "/.", "/..", "/a/./b", "/a/../b", "/a\n" };
    for (size_t i = 0; i < ARRAY_COUNT(good); i++)
        assert_true(client_path_valid(good[i], false));
    for (size_t i = 0; i < ARRAY_COUNT(bad); i++)
        assert_false(client_path_valid(bad[i], false));
    assert_true(client_path_valid("/a/", true));
    assert_true(client_path_valid("/a/.", true));
    assert_true(client_path_valid("/a/..", true));
    assert_false(client_path_valid("/a/./", true));
    assert_false(client_path_valid("/a/../", true));
    assert_false(client_path_valid("/a//", true));
    assert_false(client_path_valid(NULL, true));
}

static void given_order_or_every_order(void **state)
{
    (void)state;
    struct client_addr list[5];
    for (uint8_t i = 0; i < 5; i++)
        list[i] = addr((uint8_t)(i + 1));
    int first[6] = { 0 };
    for (uint64_t seed = 0; seed < 500; seed++) {
        struct client_hosts h;
        client_hosts_init(&h, seed, false);
        assert_false(client_hosts_set(&h, list, 5, false));
        unsigned seen = 0;
        for (int i = 0; i < 5; i++) {
            assert_false(i > 0 && client_hosts_round_over(&h));
            uint8_t n = client_hosts_next(&h)->bytes[0];
            if (i == 0)
                first[n]++;
            assert_false(seen & 1u << n);
            seen |= 1u << n;
        }
        assert_true(client_hosts_round_over(&h));
        client_hosts_fini(&h);
    }
    for (int n = 1; n <= 5; n++)
        assert_in_range(first[n], 60, 140);
    struct client_hosts h;
    client_hosts_init(&h, 1, true);
    assert_null(client_hosts_next(&h));
    (void)client_hosts_set(&h, list, 5, false);
    for (int i = 0; i < 12; i++)
        assert_int_equal(client_hosts_next(&h)->bytes[0], i % 5 + 1);
    client_hosts_prefer(&h, &list[3]);
    assert_int_equal(client_hosts_next(&h)->bytes[0], 4);
    assert_true(client_hosts_same(&h, list, 5));
    assert_false(client_hosts_same(&h, list, 4));
    client_hosts_fini(&h);
}

/* Many clients on servers 1..before; the list becomes first..last. How many are on each afterwards. */
static void spread(uint8_t before, uint8_t first, uint8_t last, double *share, double *moved)
{
    enum { CLIENTS = 6000 };
    struct client_addr was[10], is[10];
    int count[11] = { 0 }, left = 0;
    for (uint8_t i = 1; i <= before; i++)
        was[i - 1] = addr(i);
    for (uint8_t i = first; i <= last; i++)
        is[i - first] = addr(i);
    for (uint64_t seed = 1; seed <= CLIENTS; seed++) {
        struct client_hosts h;
        client_hosts_init(&h, seed * 7919, false);
        (void)client_hosts_set(&h, was, before, false);
        (void)client_hosts_next(&h);
        client_hosts_succeeded(&h);
        if (client_hosts_set(&h, is, (size_t)(last - first) + 1, true)) {
            left++;
            (void)client_hosts_next(&h);
            client_hosts_succeeded(&h);
        }
        count[h.current.bytes[0]]++;
        client_hosts_fini(&h);
    }
    for (int n = 0; n <= 10; n++)
        share[n] = (double)count[n] / CLIENTS;
    *moved = (double)left / CLIENTS;
}

static void a_changed_list_is_levelled_out(void **state)
{
    (void)state;
    static const struct {
        uint8_t before, first, last;
        double moved;
    } cases[] = {
        { 3, 1, 5, 0.4 },     /* two more: as many move as the two take over */
        { 3, 1, 3, 0 },       /* nothing changed */
        { 5, 1, 3, 0.4 },     /* two fewer: only theirs move */
        { 4, 2, 5, 0.25 },    /* one replaced */
        { 3, 4, 6, 1 },       /* all replaced */
        { 2, 3, 6, 1 },       /* all replaced by more */
        { 4, 3, 8, 2.0 / 3 }, /* half gone, four came: those of the old that stay keep a third */
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        double share[11], moved;
        spread(cases[i].before, cases[i].first, cases[i].last, share, &moved);
        assert_true(fabs(moved - cases[i].moved) < 0.03);
        for (int n = 1; n <= 10; n++) {
            bool in = n >= cases[i].first && n <= cases[i].last;
            double even = in ? 1.0 / (cases[i].last - cases[i].first + 1) : 0;
            assert_true(fabs(share[n] - even) < 0.03);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(connect_strings),
        cmocka_unit_test(paths),
        cmocka_unit_test(given_order_or_every_order),
        cmocka_unit_test(a_changed_list_is_levelled_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
