/* The text of a configuration as Apache ZooKeeper writes it, as people write it, and as nobody should; quorums. */
#include "zab/members.h"
#include "base/err.h"
#include "base/rng.h"
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static struct members *parse(const char *text)
{
    struct members *m = NULL;
    struct buf why;
    buf_init(&why, 1000);
    int err = members_parse(slice_str(text), &why, &m);
    if (err != 0)
        print_error("%s: %.*s\n", text, SLICE_ARG(buf_slice(&why)));
    assert_int_equal(err, 0);
    assert_int_equal(why.n, 0);
    assert_int_equal(m->refs, 1);
    buf_fini(&why);
    return m;
}

static void assert_prints(const struct members *m, const char *expected)
{
    struct buf b;
    buf_init(&b, 1 << 20);
    members_put(m, &b);
    assert_int_equal(b.err, 0);
    buf_append(&b, "", 1);
    assert_string_equal((const char *)b.p, expected);
    buf_fini(&b);
}

/* `text` is read, and written as `canonical`, which is read and written as itself. */
static void canonical(const char *text, const char *expected)
{
    struct members *m = parse(text);
    assert_prints(m, expected);
    members_unref(m);
    m = parse(expected);
    assert_prints(m, expected);
    members_unref(m);
}

static void refused(const char *text, const char *reason)
{
    struct members *m = (struct members *)1;
    struct buf why;
    buf_init(&why, 1000);
    assert_int_equal(members_parse(slice_str(text), &why, &m), ERR_INVALID);
    assert_null(m);
    buf_append(&why, "", 1);
    assert_string_equal((const char *)why.p, reason);
    assert_int_equal(members_parse(slice_str(text), NULL, &m), ERR_INVALID);
    buf_fini(&why);
}

#define THREE                                      \
    "server.1=127.0.0.1:24101:24201:participant\n" \
    "server.2=127.0.0.1:24102:24202:participant\n" \
    "server.3=127.0.0.1:24103:24203:participant\n"

static void text_of_apache(void **state)
{
    (void)state;
    static const char text[] = THREE "server.4=127.0.0.1:24104:24204:observer;127.0.0.1:24004\nversion=10000000e";
    struct members *m = parse(text);
    assert_prints(m, text);
    assert_int_equal(m->version, 0x10000000e);
    assert_int_equal(m->count, 4);
    assert_int_equal(m->voter_count, 3);
    assert_false(m->hierarchical);
    const struct member *four = members_find(m, 4);
    assert_non_null(four);
    assert_true(four->observer);
    assert_int_equal(four->address_count, 1);
    assert_string_equal(four->addresses[0].host, "127.0.0.1");
    assert_int_equal(four->addresses[0].quorum_port, 24104);
    assert_int_equal(four->addresses[0].election_port, 24204);
    assert_string_equal(four->client_host, "127.0.0.1");
    assert_int_equal(four->client_port, 24004);
    const struct member *one = members_find(m, 1);
    assert_string_equal(one->client_host, "");
    assert_int_equal(one->client_port, 0);
    assert_int_equal(one->weight, 1);
    assert_int_equal(one->group, -1);
    assert_true(members_is_voter(m, 1));
    assert_false(members_is_voter(m, 4));
    assert_false(members_is_voter(m, 5));
    assert_int_equal(members_weight(m, 1), 1);
    assert_int_equal(members_weight(m, 4), 0);
    assert_int_equal(members_weight(m, 5), 0);
    assert_int_equal(members_index(m, 1), 0);
    assert_int_equal(members_index(m, 4), 3);
    assert_int_equal(members_index(m, 0), -1);
    assert_int_equal(members_index(m, 5), -1);
    assert_null(members_find(m, 5));
    members_unref(m);
    members_unref(NULL);
}

static void other_spellings(void **state)
{
    (void)state;
    canonical("", "version=0");
    canonical("server.1=a:1:2", "server.1=a:1:2:participant\nversion=0");
    canonical("version=FF\nserver.10=b:1:2\n\nserver.9=a:1:2\n",
              "server.9=a:1:2:participant\nserver.10=b:1:2:participant\nversion=ff");
    canonical("# who\n! and\n server.1 : a:1:2 : OBSERVER ; 3 \r\n", "server.1=a:1:2:observer;0.0.0.0:3\nversion=0");
    canonical("server.1=a\\:1\\:2\\:Participant;\\\n   c:3\n", "server.1=a:1:2:participant;c:3\nversion=0");
    canonical("server.1=a:1:2:participant;0.0.0.0:2181", "server.1=a:1:2:participant;0.0.0.0:2181\nversion=0");
    canonical("server.1=[::1]:1:2;[fe80::2%eth0]:3", "server.1=[::1]:1:2:participant;[fe80::2%eth0]:3\nversion=0");
    canonical("server.1=[10.0.0.1]:1:2", "server.1=10.0.0.1:1:2:participant\nversion=0");
    canonical("server.1=a:1:2\nserver.1=b:1:2:observer\n", "server.1=b:1:2:observer\nversion=0");
    canonical("server.0=a:1:65535\nserver.9223372036854775806=b:1:2\nversion=7fffffffffffffff",
              "server.0=a:1:65535:participant\nserver.9223372036854775806=b:1:2:participant\n"
              "version=7fffffffffffffff");
}

static void several_addresses(void **state)
{
    (void)state;
    canonical("server.2=127.0.0.2:24402:24502|127.0.0.12:24402:24502;2181",
              "server.2=127.0.0.12:24402:24502|127.0.0.2:24402:24502:participant;0.0.0.0:2181\nversion=0");
    canonical("server.2=b:1:2:observer|a:3:4", "server.2=a:3:4|b:1:2:observer\nversion=0");
    canonical("server.2=b:1:2:observer | a:3:4:Observer", "server.2=a:3:4|b:1:2:observer\nversion=0");
    canonical("server.2=a:9:2|a:3:4|[::2]:1:2", "server.2=[::2]:1:2|a:3:4|a:9:2:participant\nversion=0");
    refused("server.2=b:1:2:observer|a:3:4:participant", "server.2: its addresses have different roles");
    refused("server.2=b:1:2|", "server.2: '' does not have the form "
                               "host:quorumPort:electionPort[:role][;[address:]clientPort]");
}

static void refusals(void **state)
{
    (void)state;
#define FORM "does not have the form host:quorumPort:electionPort[:role][;[address:]clientPort]"
    refused("server.1=", "server.1: '' " FORM);
    refused("server.1=a", "server.1: 'a' " FORM);
    refused("server.1=a:1", "server.1: 'a:1' " FORM);
    refused("server.1=a:1:", "server.1: 'a:1:' " FORM);
    refused("server.1=:1:2", "server.1: ':1:2' " FORM);
    refused("server.1=a:0:2", "server.1: 'a:0:2' " FORM);
    refused("server.1=a:1:65536", "server.1: 'a:1:65536' " FORM);
    refused("server.1=a:-1:2", "server.1: 'a:-1:2' " FORM);
    refused("server.1=a:x:2", "server.1: 'a:x:2' " FORM);
    refused("server.1=[::1:1:2", "server.1: '[::1:1:2' " FORM);
    refused("server.1=::1:1:2", "server.1: '::1:1:2' " FORM);
    refused("server.1=a b:1:2", "server.1: 'a b:1:2' " FORM);
    refused("server.1=a\\nb:1:2", "server.1: 'a?b:1:2' " FORM);
    refused("server.1=a\\u0000b:1:2", "server.1: 'a" /* the message ends at the zero byte of the value */
                                      "' " FORM);
#undef FORM
    refused("server.1=a:1:1", "server.1: 'a:1:1' has the same port twice");
    refused("server.1=a:1:2:leader", "server.1: 'leader' is not a role (participant, observer)");
    refused("server.1=a:1:2:", "server.1: '' is not a role (participant, observer)");
    refused("server.1=a:1:2:observer:x", "server.1: 'observer:x' is not a role (participant, observer)");
    refused("server.1=a:1:2;", "server.1: '' is not a client's address ([address:]port)");
    refused("server.1=a:1:2;b", "server.1: 'b' is not a client's address ([address:]port)");
    refused("server.1=a:1:2;b:", "server.1: 'b:' is not a client's address ([address:]port)");
    refused("server.1=a:1:2;:3", "server.1: ':3' is not a client's address ([address:]port)");
    refused("server.1=a:1:2;3;4", "server.1: '3;4' is not a client's address ([address:]port)");
    refused("server.1=a:1:2;b:3:4", "server.1: 'b:3:4' is not a client's address ([address:]port)");
    refused("server.x=a:1:2", "server.x: 'x' is not the number of a server");
    refused("server.=a:1:2", "server.: '' is not the number of a server");
    refused("server.-1=a:1:2", "server.-1: '-1' is not the number of a server");
    refused("server.9223372036854775807=a:1:2",
            "server.9223372036854775807: '9223372036854775807' is not the number of a server");
    refused("server.99999999999999999999=a:1:2",
            "server.99999999999999999999: '99999999999999999999' is not the number of a server");
    refused("server=a:1:2", "server: unknown key");
    refused("tickTime=2000", "tickTime: unknown key");
    refused("version=", "version: '' is not a hexadecimal number");
    refused("version=0x1", "version: '0x1' is not a hexadecimal number");
    refused("version=-1", "version: '-1' is not a hexadecimal number");
    refused("version=8000000000000000", "version: '8000000000000000' is not a hexadecimal number");
    refused("server.1=\\u00", "line 1: a \\u needs four hexadecimal digits");
}

static void groups_and_weights(void **state)
{
    (void)state;
    canonical("weight.3=2\ngroup.2=3\ngroup.1=1:2\n" THREE "version=5",
              THREE "group.1=1:2\ngroup.2=3\nweight.1=1\nweight.2=1\nweight.3=2\nversion=5");
    canonical("server.1=a:1:2\ngroup.0=1", "server.1=a:1:2:participant\ngroup.0=1\nweight.1=1\nversion=0");
    canonical("server.1=a:1:2\nserver.2=b:1:2:observer\ngroup.7=1\n",
              "server.1=a:1:2:participant\nserver.2=b:1:2:observer\ngroup.7=1\nweight.1=1\nversion=0");
    canonical("server.1=a:1:2\nserver.2=b:1:2:observer\ngroup.7=2:1\nweight.2=0\n",
              "server.1=a:1:2:participant\nserver.2=b:1:2:observer\ngroup.7=1:2\nweight.1=1\nweight.2=0\nversion=0");
    canonical("server.1=a:1:2\ngroup.1=1: 1 :8\nweight.8=5", "server.1=a:1:2:participant\ngroup.1=1\nweight.1=1\n"
                                                             "version=0");
    refused(THREE "group.1=1:2", "server.3: is in no group");
    refused(THREE "weight.1=1", "server.1: is in no group");
    refused(THREE "group.1=1:2:3\ngroup.2=3", "group.2: the server 3 is in several groups");
    refused(THREE "group.1=1:x", "group.1: 'x' is not the number of a server");
    refused(THREE "group.1=", "group.1: '' is not the number of a server");
    refused(THREE "group.x=1", "group.x: 'x' is not the number of a group");
    refused(THREE "group.1=1:2:3\nweight.1=-1", "weight.1: '-1' is not a weight (0..9223372036854775807)");
    refused(THREE "group.1=1:2:3\nweight.1=", "weight.1: '' is not a weight (0..9223372036854775807)");
    refused(THREE "group.1=1:2:3\nweight.y=1", "weight.y: 'y' is not the number of a weight");
}

/* ---- quorums ---- */

static bool quorum_of(const struct members *m, const int64_t *sids, size_t n)
{
    struct member_set s = { 0 };
    for (size_t i = 0; i < n; i++)
        member_set_add(&s, m, sids[i]);
    return members_is_quorum(m, &s);
}
#define QUORUM(m, ...) quorum_of(m, (const int64_t[]){ __VA_ARGS__ }, sizeof((int64_t[]){ __VA_ARGS__ }) / 8)

static void majorities(void **state)
{
    (void)state;
    struct members *m = parse(THREE "server.4=a:1:2:observer\nserver.5=a:1:2:observer\n");
    assert_false(QUORUM(m, 1));
    assert_true(QUORUM(m, 1, 3));
    assert_true(QUORUM(m, 1, 2, 3));
    assert_false(QUORUM(m, 1, 1, 1));
    assert_false(QUORUM(m, 1, 4, 5));  /* observers never count */
    assert_false(QUORUM(m, 1, 9, 10)); /* nor do strangers */
    members_unref(m);
    m = parse("server.1=a:1:2\nserver.2=a:1:2\nserver.3=a:1:2\nserver.4=a:1:2\n");
    assert_false(QUORUM(m, 1, 2));
    assert_true(QUORUM(m, 1, 2, 4));
    members_unref(m);
    m = parse("server.7=a:1:2\n");
    assert_false(QUORUM(m, 1));
    assert_true(QUORUM(m, 7));
    members_unref(m);
    m = parse("");
    assert_false(QUORUM(m, 1));
    members_unref(m);
}

static void hierarchies(void **state)
{
    (void)state;
    static const char nine[] = "server.1=a:1:2\nserver.2=a:1:2\nserver.3=a:1:2\nserver.4=a:1:2\nserver.5=a:1:2\n"
                               "server.6=a:1:2\nserver.7=a:1:2\nserver.8=a:1:2\nserver.9=a:1:2\nserver.10=a:1:2:"
                               "observer\n"
                               "group.1=1:2:3:10\ngroup.2=4:5:6\ngroup.3=7:8:9\n";
    struct members *m = parse(nine);
    assert_true(QUORUM(m, 1, 2, 4, 5)); /* two of three in two groups of three, though four of nine */
    assert_false(QUORUM(m, 1, 2, 3, 4, 7));
    assert_false(QUORUM(m, 1, 4, 7));
    assert_false(QUORUM(m, 1, 10, 4, 5)); /* an observer adds nothing */
    assert_true(QUORUM(m, 3, 2, 8, 9));
    members_unref(m);

    m = parse("server.1=a:1:2\nserver.2=a:1:2\nserver.3=a:1:2\ngroup.1=1:2:3\nweight.1=3\n");
    assert_true(QUORUM(m, 1));
    assert_false(QUORUM(m, 2, 3));
    assert_int_equal(members_weight(m, 1), 3);
    members_unref(m);

    m = parse("server.1=a:1:2\nserver.2=a:1:2\nserver.3=a:1:2\ngroup.1=1\ngroup.2=2\ngroup.3=3\nweight.3=0\n");
    assert_false(QUORUM(m, 1)); /* a group without weight is none: both of two are needed */
    assert_false(QUORUM(m, 1, 3));
    assert_true(QUORUM(m, 1, 2));
    members_unref(m);

    m = parse("server.1=a:1:2\ngroup.1=1\nweight.1=0\n");
    assert_false(QUORUM(m, 1));
    members_unref(m);

    m = parse("server.1=a:1:2\nserver.2=a:1:2\nserver.3=a:1:2\ngroup.1=1:2:3\nweight.1=9223372036854775807\n"
              "weight.2=9223372036854775807\nweight.3=9223372036854775807");
    assert_false(QUORUM(m, 2));
    assert_true(QUORUM(m, 2, 3));
    members_unref(m);
}

/* Any two quorums share a server, however groups and weights are. */
static void quorums_intersect(void **state)
{
    (void)state;
    struct rng rng;
    unsigned pairs = 0;
    rng_init(&rng, 7);
    for (int turn = 0; turn < 300; turn++) {
        struct buf text;
        buf_init(&text, 10000);
        uint64_t n = 1 + rng_below(&rng, 9);
        for (uint64_t i = 0; i < n; i++)
            buf_printf(&text,
                       "server.%" PRIu64 "=h:1:2%s\ngroup.%" PRIu64 "0=%" PRIu64 "\nweight.%" PRIu64 "=%" PRIu64 "\n",
                       i, rng_below(&rng, 4) == 0 ? ":observer" : "", i, i, i, rng_below(&rng, 4));
        buf_append(&text, "", 1);
        struct members *m = parse((const char *)text.p);
        for (uint64_t i = 0; i < n; i++)
            m->at[i].group = (int64_t)rng_below(&rng, 3);
        if (turn % 3 == 0)
            m->hierarchical = false;
        for (unsigned a = 0; a < 1u << n; a += 1 + (unsigned)rng_below(&rng, 3)) {
            struct member_set one = { 0 }, rest = { 0 };
            for (unsigned i = 0; i < n; i++)
                member_set_add((a >> i & 1) != 0 ? &one : &rest, m, i);
            if (members_is_quorum(m, &one)) {
                assert_false(members_is_quorum(m, &rest));
                pairs++;
            }
        }
        members_unref(m);
        buf_fini(&text);
    }
    assert_true(pairs > 1000);
}

static void more_than_a_word_of_members(void **state)
{
    (void)state;
    struct buf text;
    buf_init(&text, 100000);
    for (unsigned i = 1; i <= MEMBERS_MAX; i++)
        buf_printf(&text, "server.%u=h%u:1:2\n", i, i);
    buf_append(&text, "", 1);
    struct members *m = parse((const char *)text.p);
    assert_int_equal(m->count, MEMBERS_MAX);
    struct member_set s = { 0 };
    for (unsigned i = 0; i < 127; i++)
        member_set_add(&s, m, MEMBERS_MAX - i);
    assert_int_equal(member_set_count(&s), 127);
    assert_false(members_is_quorum(m, &s));
    member_set_add(&s, m, 255);
    assert_int_equal(member_set_count(&s), 127);
    member_set_add(&s, m, 64);
    assert_true(members_is_quorum(m, &s));
    assert_true(member_set_has(&s, m, 64));
    assert_false(member_set_has(&s, m, 65));
    assert_true(member_set_has(&s, m, 255));
    assert_false(member_set_has(&s, m, 256));
    member_set_remove(&s, m, 255);
    assert_false(member_set_has(&s, m, 255));
    assert_false(members_is_quorum(m, &s));
    member_set_remove(&s, m, 255);
    member_set_remove(&s, m, 1000);
    assert_int_equal(member_set_count(&s), 127);
    for (int64_t sid = 1; sid <= MEMBERS_MAX; sid++)
        assert_int_equal(members_index(m, sid), sid - 1);
    members_unref(m);
    text.n--;
    buf_printf(&text, "server.0=h:1:2\n");
    buf_append(&text, "", 1);
    refused((const char *)text.p, "server.0: more than 255 servers");
    buf_fini(&text);
}

/* ---- one and another ---- */

static bool equal(const char *a, const char *b)
{
    struct members *x = parse(a), *y = parse(b);
    bool same = members_equal(x, y);
    assert_int_equal(members_equal(y, x), same);
    assert_true(members_equal(x, x));
    members_unref(x);
    members_unref(y);
    return same;
}

static void equality(void **state)
{
    (void)state;
    assert_true(equal(THREE "version=7", "server.1=other:1:2\nversion=7"));
    assert_false(equal(THREE "version=7", THREE "version=8"));
    assert_false(equal(THREE "version=7", THREE));
    assert_true(equal(THREE, THREE "version=0"));
    assert_true(equal("server.1=a:1:2|b:1:2;3\nserver.2=c:1:2", "server.2=c:1:2\nserver.1=b:1:2|a:1:2;0.0.0.0:3"));
    assert_false(equal("server.1=a:1:2", "server.2=a:1:2"));
    assert_false(equal("server.1=a:1:2", "server.1=a:1:2\nserver.2=a:1:2"));
    assert_false(equal("server.1=a:1:2", "server.1=a:1:2:observer"));
    assert_false(equal("server.1=a:1:2", "server.1=b:1:2"));
    assert_false(equal("server.1=a:1:2", "server.1=a:3:2"));
    assert_false(equal("server.1=a:1:2", "server.1=a:1:3"));
    assert_false(equal("server.1=a:1:2", "server.1=a:1:2|b:1:2"));
    assert_false(equal("server.1=a:1:2", "server.1=a:1:2;3"));
    assert_false(equal("server.1=a:1:2;4", "server.1=a:1:2;3"));
    assert_false(equal("server.1=a:1:2;b:3", "server.1=a:1:2;3"));
}

static void another_version_and_references(void **state)
{
    (void)state;
    struct members *m = parse("server.1=a:1:2|b:3:4;5\nserver.2=c:1:2\nserver.3=d:1:2:observer\ngroup.4=1:2\n"
                              "weight.2=3\nversion=1");
    assert_ptr_equal(members_ref(m), m);
    assert_int_equal(m->refs, 2);
    members_unref(m);
    struct members *other = members_with_version(m, 0x200000000);
    members_unref(m);
    assert_int_equal(other->refs, 1);
    assert_prints(other, "server.1=a:1:2|b:3:4:participant;0.0.0.0:5\nserver.2=c:1:2:participant\n"
                         "server.3=d:1:2:observer\ngroup.4=1:2\nweight.1=1\nweight.2=3\nversion=200000000");
    assert_int_equal(other->voter_count, 2);
    assert_true(QUORUM(other, 2));
    members_unref(other);
}

/* A null slice is the empty text; bytes that are no text at worst are refused. */
static void strange_bytes(void **state)
{
    (void)state;
    static const char alphabet[] = "server.12=group.weight.version=:;|[]\n\\u0 a\r#!\xff";
    struct rng rng;
    struct members *m;
    unsigned read = 0;
    rng_init(&rng, 3);
    assert_int_equal(members_parse((struct slice){ 0 }, NULL, &m), 0);
    assert_int_equal(m->count, 0);
    members_unref(m);
    for (int turn = 0; turn < 20000; turn++) {
        char text[40] = "server.1=a:1:2\n";
        size_t n = rng_below(&rng, sizeof text);
        for (size_t i = turn % 2 == 0 ? 0 : 15; i < n; i++)
            text[i] = alphabet[rng_below(&rng, sizeof alphabet)];
        if (members_parse(slice_of(text, n), NULL, &m) != 0)
            continue;
        struct buf once, twice;
        struct members *again;
        buf_init(&once, 10000);
        buf_init(&twice, 10000);
        members_put(m, &once);
        assert_int_equal(members_parse(buf_slice(&once), NULL, &again), 0);
        members_put(again, &twice);
        assert_true(slice_eq(buf_slice(&once), buf_slice(&twice)));
        assert_true(members_equal(m, again));
        members_unref(again);
        members_unref(m);
        buf_fini(&once);
        buf_fini(&twice);
        read++;
    }
    assert_true(read > 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_of_apache),
        cmocka_unit_test(other_spellings),
        cmocka_unit_test(several_addresses),
        cmocka_unit_test(refusals),
        cmocka_unit_test(groups_and_weights),
        cmocka_unit_test(majorities),
        cmocka_unit_test(hierarchies),
        cmocka_unit_test(quorums_intersect),
        cmocka_unit_test(more_than_a_word_of_members),
        cmocka_unit_test(equality),
        cmocka_unit_test(another_version_and_references),
        cmocka_unit_test(strange_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
