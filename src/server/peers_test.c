/* Two ends of peers on loopback: dialling, accepting, refusals, bytes both ways, back-pressure, ends. */
#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "os/clock.h"
#include "server/limits.h"
#include "server/peers.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdio.h>

#define PATIENCE_MS 60000 /* only a test that fails waits so long */
#define DIALLED(n) (ZAB_LINK_DIALLED | (n))

struct end {
    struct peers *peers;
    struct member_address address;
    struct member self;
    struct buf got;
    uint32_t accepted[64], lost[64];
    int accepts, connects, losses, refusals, drains, failures;
    uint32_t last_lost;
    size_t got_max; /* says "no more" when it has so many bytes */
    enum zab_port last_port;
};

struct bench {
    struct loop *loop;
    struct end a, b;
    struct member_address addresses[3];
    struct member target; /* whom both dial */
};

static bool on_event(void *ctx, const struct zab_event *ev)
{
    struct end *e = ctx;
    switch (ev->type) {
    case ZAB_EV_ACCEPTED:
        e->accepted[e->accepts++ % 64] = ev->link;
        e->last_port = ev->port;
        break;
    case ZAB_EV_CONNECTED:
        e->connects++;
        break;
    case ZAB_EV_BYTES:
        buf_append_slice(&e->got, ev->bytes);
        return e->got.n < e->got_max;
    case ZAB_EV_LOST:
        e->lost[e->losses++ % 64] = ev->link;
        e->refusals += ev->refused;
        e->last_lost = ev->link;
        break;
    case ZAB_EV_DRAINED:
        e->drains++;
        break;
    default:
        fail_msg("event %d", (int)ev->type);
    }
    return true;
}

static struct bench *the_bench;

static const struct member *on_member(void *ctx, int64_t sid)
{
    (void)ctx;
    return sid == 7 ? &the_bench->target : NULL;
}

static void on_failed(void *ctx, const char *why)
{
    struct end *e = ctx;
    (void)why;
    e->failures++;
}

static void end_open(struct bench *t, struct end *e, const char *host, size_t links_max)
{
    e->address = (struct member_address){ .host = host };
    e->self = (struct member){ .sid = 1, .addresses = &e->address, .address_count = 1 };
    e->got_max = SIZE_MAX;
    buf_init(&e->got, SIZE_MAX / 2);
    e->peers = peers_new(&(struct peers_options){ .loop = t->loop,
                                                  .self = &e->self,
                                                  .bind_tries = 1,
                                                  .dial_ms = { 30000, 30000 },
                                                  .links_max = links_max,
                                                  .ctx = e,
                                                  .event = on_event,
                                                  .member = on_member,
                                                  .failed = on_failed });
}

static void bench_open(struct bench *t)
{
    *t = (struct bench){ .loop = loop_new() };
    the_bench = t;
    end_open(t, &t->a, "127.0.0.1", 8);
    end_open(t, &t->b, "127.0.0.1", 8);
    t->addresses[0] =
        (struct member_address){ .host = "127.0.0.1", .election_port = peers_port(t->b.peers, ZAB_PORT_ELECTION) };
    t->target = (struct member){ .sid = 7, .addresses = t->addresses, .address_count = 1 };
}

static void bench_close(struct bench *t)
{
    peers_close(t->a.peers);
    peers_close(t->b.peers);
    loop_free(t->loop);
    peers_free(t->a.peers);
    peers_free(t->b.peers);
    buf_fini(&t->a.got);
    buf_fini(&t->b.got);
}

/* Lets the loop turn until cond holds. */
#define AWAIT(t, cond)                                                   \
    for (int64_t give_up_ms = clock_mono_ms() + PATIENCE_MS; !(cond);) { \
        loop_run_once((t)->loop);                                        \
        (void)peers_run_ready((t)->a.peers);                             \
        (void)peers_run_ready((t)->b.peers);                             \
        assert_true(clock_mono_ms() < give_up_ms);                       \
    }

static void apply(struct end *e, struct zab_fx fx)
{
    peers_apply(e->peers, &fx, 1);
}

static void send_text(struct end *e, uint32_t link, const char *text)
{
    apply(e, (struct zab_fx){ .type = ZAB_FX_SEND, .link = link, .bytes = slice_str(text) });
}

/* a dials b: the number of the link at b. */
static uint32_t connect_them(struct bench *t, uint32_t number)
{
    int accepts = t->b.accepts, connects = t->a.connects;
    apply(&t->a, (struct zab_fx){ .type = ZAB_FX_DIAL, .link = DIALLED(number), .sid = 7 });
    AWAIT(t, t->b.accepts > accepts && t->a.connects > connects);
    return t->b.accepted[accepts % 64];
}

static void test_bytes_both_ways(void **state)
{
    struct bench t;
    (void)state;
    bench_open(&t);
    uint32_t there = connect_them(&t, 1);
    assert_int_equal(there & ZAB_LINK_DIALLED, 0);
    struct zab_fx two[] = {
        { .type = ZAB_FX_SEND, .link = DIALLED(1), .bytes = slice_str("hel") },
        { .type = ZAB_FX_SEND, .link = DIALLED(1), .bytes = slice_str("lo") },
    };
    peers_apply(t.a.peers, two, 2);
    send_text(&t.b, there, "who is there?");
    AWAIT(&t, t.b.got.n == 5 && t.a.got.n == 13);
    assert_memory_equal(t.b.got.p, "hello", 5);
    assert_memory_equal(t.a.got.p, "who is there?", 13);
    assert_int_equal(peers_unsent_bytes(t.a.peers), 0);
    bench_close(&t);
}

static void test_lost(void **state)
{
    struct bench t;
    (void)state;
    bench_open(&t);
    uint32_t there = connect_them(&t, 1);
    apply(&t.b, (struct zab_fx){ .type = ZAB_FX_CLOSE, .link = there });
    AWAIT(&t, t.a.losses == 1);
    assert_int_equal(t.a.last_lost, DIALLED(1));
    assert_int_equal(t.a.refusals, 0);
    assert_int_equal(t.b.losses, 0); /* who closes is told nothing */
    assert_int_equal(peers_link_count(t.a.peers) + peers_link_count(t.b.peers), 0);
    send_text(&t.a, DIALLED(1), "too late"); /* effects for a link that is gone mean nothing */
    apply(&t.a, (struct zab_fx){ .type = ZAB_FX_CLOSE, .link = DIALLED(1) });
    apply(&t.a, (struct zab_fx){ .type = ZAB_FX_RESUME, .link = DIALLED(1) });
    bench_close(&t);
}

static void test_refused(void **state)
{
    struct bench t;
    (void)state;
    bench_open(&t);
    /* The learner port is not listened on. */
    t.addresses[0].quorum_port = t.addresses[0].election_port;
    apply(&t.b, (struct zab_fx){ .type = ZAB_FX_LISTEN, .port = ZAB_PORT_LEARNER, .on = true });
    t.addresses[0].quorum_port = peers_port(t.b.peers, ZAB_PORT_LEARNER);
    assert_int_not_equal(t.addresses[0].quorum_port, 0);
    apply(&t.a, (struct zab_fx){ .type = ZAB_FX_DIAL, .link = DIALLED(2), .sid = 7, .port = ZAB_PORT_LEARNER });
    AWAIT(&t, t.a.connects == 1 && t.b.accepts == 1);
    assert_int_equal(t.b.last_port, ZAB_PORT_LEARNER);
    apply(&t.b, (struct zab_fx){ .type = ZAB_FX_LISTEN, .port = ZAB_PORT_LEARNER, .on = false });
    assert_int_equal(peers_port(t.b.peers, ZAB_PORT_LEARNER), 0);
    apply(&t.a, (struct zab_fx){ .type = ZAB_FX_DIAL, .link = DIALLED(3), .sid = 7, .port = ZAB_PORT_LEARNER });
    AWAIT(&t, t.a.losses == 1);
    assert_int_equal(t.a.last_lost, DIALLED(3));
    assert_int_equal(t.a.refusals, 1);
    assert_int_equal(peers_link_count(t.b.peers), 1); /* closing the port leaves those that came through it */
    bench_close(&t);
}

static void test_nobody_knows_where(void **state)
{
    struct bench t;
    (void)state;
    bench_open(&t);
    apply(&t.a, (struct zab_fx){ .type = ZAB_FX_DIAL, .link = DIALLED(1), .sid = 8 });
    AWAIT(&t, t.a.losses == 1);
    assert_int_equal(t.a.refusals, 0);
    t.addresses[0].host = "no such name";
    apply(&t.a, (struct zab_fx){ .type = ZAB_FX_DIAL, .link = DIALLED(2), .sid = 7 });
    AWAIT(&t, t.a.losses == 2);
    assert_int_equal(t.a.refusals, 0);
    static char longer[4096];
    memset(longer, 'x', sizeof longer - 1);
    t.addresses[0].host = longer;
    apply(&t.a, (struct zab_fx){ .type = ZAB_FX_DIAL, .link = DIALLED(3), .sid = 7 });
    AWAIT(&t, t.a.losses == 3);
    bench_close(&t);
}

/* One address answers, one refuses, one is nonsense: the first that answers is it, whichever way it was learnt. */
static void test_many_addresses(void **state)
{
    struct bench t;
    (void)state;
    bench_open(&t);
    uint16_t port = t.addresses[0].election_port;
    t.addresses[2] = t.addresses[0];
    t.addresses[0] = (struct member_address){ .host = "127.0.0.1", .election_port = 1 };
    t.addresses[1] = (struct member_address){ .host = "no such name", .election_port = 1 };
    t.target.address_count = 3;
    (void)connect_them(&t, 1);
    t.target.address_count = 1;
    char said[256];
    snprintf(said, sizeof said, "x|:1|127.0.0.1:99999|[::1|127.0.0.1:%u|", port);
    apply(&t.a, (struct zab_fx){ .type = ZAB_FX_DIAL, .link = DIALLED(2), .sid = 8, .addresses = slice_str(said) });
    AWAIT(&t, t.a.connects == 2);
    t.target.address_count = 1;
    t.addresses[0] = (struct member_address){ .host = "localhost", .election_port = port };
    (void)connect_them(&t, 3);
    bench_close(&t);
}

static void test_dial_given_up(void **state)
{
    struct bench t;
    (void)state;
    bench_open(&t);
    t.addresses[0].host = "localhost";
    struct zab_fx fx[] = {
        { .type = ZAB_FX_DIAL, .link = DIALLED(1), .sid = 7 },
        { .type = ZAB_FX_CLOSE, .link = DIALLED(1) },
        { .type = ZAB_FX_DIAL, .link = DIALLED(2), .sid = 7 },
    };
    peers_apply(t.a.peers, fx, 3);
    AWAIT(&t, t.a.connects == 1);
    assert_int_equal(t.a.losses, 0);
    assert_int_equal(peers_link_count(t.a.peers), 1);
    apply(&t.a, fx[0]); /* and one that is under way when everything ends */
    bench_close(&t);
}

static void test_back_pressure(void **state)
{
    struct bench t;
    (void)state;
    bench_open(&t);
    uint32_t there = connect_them(&t, 1);
    t.b.got_max = 1;
    send_text(&t.a, DIALLED(1), "x");
    AWAIT(&t, t.b.got.n == 1);
    send_text(&t.a, DIALLED(1), "yz");
    for (int i = 0; i < 50; i++)
        loop_run_once(t.loop);
    assert_int_equal(t.b.got.n, 1); /* not read while it is not welcome */
    t.b.got_max = SIZE_MAX;
    apply(&t.b, (struct zab_fx){ .type = ZAB_FX_RESUME, .link = there });
    AWAIT(&t, t.b.got.n == 3);
    assert_memory_equal(t.b.got.p, "xyz", 3);
    bench_close(&t);
}

static uint8_t *pattern(size_t n)
{
    uint8_t *p = mem_alloc(n);
    for (size_t i = 0; i < n; i++)
        p[i] = (uint8_t)(i * 131 >> 7);
    return p;
}

/* More than the sockets take: DRAINED comes when little is left, and a close in between loses nothing. */
static void test_drained_and_flushed(void **state)
{
    const size_t n = 24u << 20;
    struct bench t;
    (void)state;
    bench_open(&t);
    uint32_t there = connect_them(&t, 1);
    uint8_t *p = pattern(n);
    t.b.got_max = 1;
    send_text(&t.a, DIALLED(1), "!");
    AWAIT(&t, t.b.got.n == 1);
    for (size_t i = 0; i < 4; i++)
        apply(&t.a, (struct zab_fx){ .type = ZAB_FX_SEND,
                                     .link = DIALLED(1),
                                     .bytes = slice_of(p + i * (n / 4), n / 4),
                                     .tell_drained = i == 3 });
    for (int i = 0; i < 50; i++)
        loop_run_once(t.loop);
    assert_int_equal(t.a.drains, 0);
    assert_true(peers_unsent_bytes(t.a.peers) > LIMIT_PEER_DRAINED_BYTES);
    t.b.got_max = SIZE_MAX;
    apply(&t.b, (struct zab_fx){ .type = ZAB_FX_RESUME, .link = there });
    AWAIT(&t, t.a.drains == 1);
    assert_true(peers_unsent_bytes(t.a.peers) <= LIMIT_PEER_DRAINED_BYTES);
    AWAIT(&t, t.b.got.n == n + 1);
    assert_memory_equal(t.b.got.p + 1, p, n);
    assert_int_equal(t.a.drains, 1);
    /* A little is below the mark at once. */
    apply(&t.a,
          (struct zab_fx){ .type = ZAB_FX_SEND, .link = DIALLED(1), .bytes = slice_str("."), .tell_drained = true });
    assert_int_equal(t.a.drains, 1); /* but it is told by the loop */
    AWAIT(&t, t.a.drains == 2);
    buf_reset(&t.b.got);
    apply(&t.a, (struct zab_fx){ .type = ZAB_FX_SEND, .link = DIALLED(1), .bytes = slice_of(p, n) });
    apply(&t.a, (struct zab_fx){ .type = ZAB_FX_CLOSE, .link = DIALLED(1) });
    assert_int_equal(peers_link_count(t.a.peers), 0);
    AWAIT(&t, t.b.losses == 1);
    assert_true(t.b.got.n >= n);
    assert_memory_equal(t.b.got.p + (t.b.got.n - n), p, n);
    mem_free(p);
    bench_close(&t);
}

static void test_never_taken(void **state)
{
    struct bench t;
    (void)state;
    bench_open(&t);
    (void)connect_them(&t, 1);
    t.b.got_max = 1;
    uint8_t *p = pattern(64u << 20);
    for (int i = 0; i < 6 && t.a.losses == 0; i++) {
        apply(&t.a, (struct zab_fx){ .type = ZAB_FX_SEND, .link = DIALLED(1), .bytes = slice_of(p, 64u << 20) });
        loop_run_once(t.loop);
        (void)peers_run_ready(t.a.peers);
    }
    assert_int_equal(t.a.losses, 1);
    assert_int_equal(peers_unsent_bytes(t.a.peers), 0);
    mem_free(p);
    bench_close(&t);
}

/* Those that say nothing make room, oldest first; those that speak stay. */
static void test_crowd(void **state)
{
    struct bench t;
    (void)state;
    bench_open(&t);
    uint32_t first = connect_them(&t, 1);
    send_text(&t.a, DIALLED(1), "I am here");
    AWAIT(&t, t.b.got.n == 9);
    for (uint32_t i = 2; i <= 20; i++)
        (void)connect_them(&t, i);
    AWAIT(&t, t.a.losses == 12);
    assert_int_equal(t.b.losses, 12);
    assert_int_equal(peers_link_count(t.b.peers), 8);
    for (int i = 0; i < 12; i++) {
        assert_int_equal(t.b.lost[i], t.b.accepted[i + 1]);
        assert_int_not_equal(t.b.lost[i], first);
    }
    bench_close(&t);
}

static void test_port_in_use(void **state)
{
    struct bench t;
    (void)state;
    bench_open(&t);
    struct end c = { 0 };
    buf_init(&c.got, 1);
    c.address =
        (struct member_address){ .host = "127.0.0.1", .election_port = peers_port(t.b.peers, ZAB_PORT_ELECTION) };
    c.self = (struct member){ .addresses = &c.address, .address_count = 1 };
    struct peers *p = peers_new(&(struct peers_options){ .loop = t.loop,
                                                         .self = &c.self,
                                                         .bind_tries = 1,
                                                         .ctx = &c,
                                                         .event = on_event,
                                                         .member = on_member,
                                                         .failed = on_failed });
    assert_int_equal(c.failures, 1);
    assert_int_equal(peers_port(p, ZAB_PORT_ELECTION), 0);
    peers_close(p);
    loop_run_once(t.loop);
    bench_close(&t);
    peers_free(p);
}

static void test_listen_by_name(void **state)
{
    struct bench t;
    (void)state;
    bench_open(&t);
    struct end c = { 0 };
    end_open(&t, &c, "localhost", 8);
    AWAIT(&t, peers_port(c.peers, ZAB_PORT_ELECTION) != 0);
    t.addresses[0].election_port = peers_port(c.peers, ZAB_PORT_ELECTION);
    apply(&t.a, (struct zab_fx){ .type = ZAB_FX_DIAL, .link = DIALLED(1), .sid = 7 });
    AWAIT(&t, t.a.connects == 1 && c.accepts == 1);
    peers_close(c.peers);
    AWAIT(&t, t.a.losses == 1);
    bench_close(&t);
    peers_free(c.peers);
    buf_fini(&c.got);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bytes_both_ways), cmocka_unit_test(test_lost),
        cmocka_unit_test(test_refused),         cmocka_unit_test(test_nobody_knows_where),
        cmocka_unit_test(test_many_addresses),  cmocka_unit_test(test_dial_given_up),
        cmocka_unit_test(test_back_pressure),   cmocka_unit_test(test_drained_and_flushed),
        cmocka_unit_test(test_never_taken),     cmocka_unit_test(test_crowd),
        cmocka_unit_test(test_port_in_use),     cmocka_unit_test(test_listen_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
