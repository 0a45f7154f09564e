/* Connections on two threads, with a sink on this thread that echoes frames back, pauses, and closes. */
#include "base/err.h"
#include "base/mem.h"
#include "os/clock.h"
#include "server/fronts.h"
#include "wire/jute.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define CONNS 16
#define FRAMES 500
#define NUMBERS 4096
#define PATIENCE_MS 60000 /* only a test that fails waits so long */

struct bench {
    struct loop *loop;
    struct fronts *fronts;
    bool open[NUMBERS], paused[NUMBERS];
    uint32_t to_resume[NUMBERS];
    size_t resume_count;
    uint64_t frames, losses, accepts, given_while_paused;
    unsigned pause_every; /* 0: never */
    bool close_on_frame;
    struct buf answer; /* what a frame is answered with instead of itself */
};

static enum front_went sink_accept(void *ctx, uint32_t conn, const struct net_address *peer)
{
    struct bench *b = ctx;
    (void)peer;
    ASSERT(conn < NUMBERS && !b->open[conn]); /* a number that is in use is never given again */
    b->open[conn] = true;
    b->paused[conn] = false;
    b->accepts++;
    return FRONT_GO_ON;
}

static void answer(struct bench *b, uint32_t conn, struct slice s)
{
    fronts_apply(b->fronts, &(struct core_fx){ CORE_FX_SEND, conn, (uint32_t)s.n, s.p }, 1);
}

static enum front_went sink_frame(void *ctx, uint32_t conn, struct slice frame)
{
    struct bench *b = ctx;
    ASSERT(b->open[conn]);
    b->given_while_paused += b->paused[conn];
    b->frames++;
    if (b->close_on_frame) {
        b->open[conn] = false;
        fronts_apply(b->fronts, &(struct core_fx){ .type = CORE_FX_CLOSE, .conn = conn }, 1);
        return FRONT_PAUSED;
    }
    if (b->answer.n != 0) {
        answer(b, conn, buf_slice(&b->answer));
    } else {
        uint8_t head[4];
        store_be32(head, (uint32_t)frame.n);
        answer(b, conn, slice_of(head, 4));
        answer(b, conn, frame);
    }
    if (b->pause_every == 0 || b->frames % b->pause_every != 0)
        return FRONT_GO_ON;
    b->paused[conn] = true;
    b->to_resume[b->resume_count++] = conn;
    return FRONT_PAUSED;
}

static void sink_lost(void *ctx, uint32_t conn)
{
    struct bench *b = ctx;
    ASSERT(b->open[conn]);
    b->open[conn] = false;
    b->losses++;
}

static void bench_turn(void *ctx)
{
    struct bench *b = ctx;
    for (size_t i = 0; i < b->resume_count; i++) {
        uint32_t conn = b->to_resume[i];
        b->paused[conn] = false;
        fronts_apply(b->fronts, &(struct core_fx){ .type = CORE_FX_RESUME, .conn = conn }, 1);
    }
    b->resume_count = 0;
    while (fronts_has_ready(b->fronts) && b->resume_count == 0)
        fronts_run_ready(b->fronts);
}

static void bench_open(struct bench *b)
{
    *b = (struct bench){ 0 };
    buf_init(&b->answer, 64u << 20);
    b->loop = loop_new();
    b->fronts = fronts_new(&(struct fronts_options){
        .threads = 2,
        .core_loop = b->loop,
        .frame_bytes_max = 1u << 20,
        .conns_max = 200,
        .sink = { .ctx = b, .accept = sink_accept, .frame = sink_frame, .lost = sink_lost } });
    loop_set_turn(b->loop, bench_turn, b);
}

static void bench_close(struct bench *b)
{
    loop_set_turn(b->loop, NULL, NULL);
    fronts_stop(b->fronts);
    loop_free(b->loop);
    fronts_free(b->fronts);
    buf_fini(&b->answer);
}

static int bench_connect(struct bench *b)
{
    int fds[2];
    assert_int_equal(net_pair(fds), 0);
    fronts_add(b->fronts, fds[0], &(struct net_address){ .port = 1 }, FRONT_PLAIN);
    return fds[1];
}

/* A peer: writes `frames` frames that count up, and checks that their echoes come back in order. */
struct peer {
    int fd;
    uint32_t sent, received;
    uint8_t in[64];
    size_t in_n;
};

#define ECHO_BYTES 12

static void peer_step(struct peer *p, uint32_t frames)
{
    while (p->sent < frames) {
        uint8_t f[ECHO_BYTES] = { 0, 0, 0, ECHO_BYTES - 4, 0, 0, 0, 0, 'e', 'c', 'h', 'o' };
        store_be32(f + 4, p->sent);
        if (net_send(p->fd, &(struct slice){ f, sizeof f }, 1) != sizeof f)
            break;
        p->sent++;
    }
    int64_t n;
    while ((n = net_recv(p->fd, p->in + p->in_n, ECHO_BYTES - p->in_n)) > 0) {
        p->in_n += (size_t)n;
        if (p->in_n < ECHO_BYTES)
            continue;
        p->in_n = 0;
        assert_int_equal(load_be32(p->in), ECHO_BYTES - 4);
        assert_int_equal(load_be32(p->in + 4), p->received);
        p->received++;
    }
}

static void run_echo(struct bench *b)
{
    struct peer peers[CONNS] = { 0 };
    for (size_t i = 0; i < CONNS; i++)
        peers[i].fd = bench_connect(b);
    int64_t give_up_ms = clock_mono_ms() + PATIENCE_MS;
    for (size_t done = 0; done < CONNS;) {
        assert_true(clock_mono_ms() < give_up_ms);
        loop_run_once(b->loop);
        done = 0;
        for (size_t i = 0; i < CONNS; i++) {
            peer_step(&peers[i], FRAMES);
            done += peers[i].received == FRAMES;
        }
    }
    assert_int_equal(b->frames, CONNS * FRAMES);
    assert_int_equal(fronts_open_count(b->fronts), CONNS);
    for (size_t i = 0; i < CONNS; i++)
        net_close(peers[i].fd);
    while (b->losses < CONNS) {
        assert_true(clock_mono_ms() < give_up_ms);
        loop_run_once(b->loop);
    }
}

static void test_echo(void **state)
{
    (void)state;
    struct bench b;
    bench_open(&b);
    for (int i = 0; i < 3; i++) {
        b.frames = b.losses = 0;
        run_echo(&b);
    }
    assert_int_equal(b.accepts, 3 * CONNS);
    bench_close(&b);
}

static void test_no_frame_is_given_while_paused(void **state)
{
    (void)state;
    struct bench b;
    bench_open(&b);
    b.pause_every = 7;
    run_echo(&b);
    assert_int_equal(b.given_while_paused, 0);
    bench_close(&b);
}

/* Numbers come back while orders and items for their old owners are still under way. */
static void test_connections_that_come_and_go(void **state)
{
    (void)state;
    struct bench b;
    bench_open(&b);
    int64_t give_up_ms = clock_mono_ms() + PATIENCE_MS;
    for (int round = 0; round < 300; round++) {
        int fds[4];
        b.close_on_frame = round % 2 == 0;
        for (size_t i = 0; i < ARRAY_COUNT(fds); i++) {
            static const uint8_t two[] = { 0, 0, 0, 1, 'x', 0, 0, 0, 1, 'y' };
            fds[i] = bench_connect(&b);
            (void)net_send(fds[i], &(struct slice){ two, sizeof two }, 1);
        }
        if (round % 3 == 0)
            loop_run_once(b.loop);
        for (size_t i = 0; i < ARRAY_COUNT(fds); i++)
            net_close(fds[i]);
    }
    while (b.accepts < 1200 || fronts_open_count(b.fronts) != 0) {
        assert_true(clock_mono_ms() < give_up_ms);
        loop_run_once(b.loop);
    }
    bench_close(&b);
}

/* 2,000 small requests for 100 kB each from a peer that reads slowly: what is under way stays bounded, nothing is lost.
 */
static void test_large_answers_are_bounded(void **state)
{
    (void)state;
    struct bench b;
    bench_open(&b);
    uint8_t *p = buf_add(&b.answer, 100000);
    memset(p, 'z', 100000);
    int fd = bench_connect(&b);
    static const uint8_t one[] = { 0, 0, 0, 1, 'x' };
    uint32_t asked = 0;
    uint64_t got = 0;
    static uint8_t part[65536];
    int64_t give_up_ms = clock_mono_ms() + PATIENCE_MS;
    while (got < 2000ull * 100000) {
        assert_true(clock_mono_ms() < give_up_ms);
        while (asked < 2000 && net_send(fd, &(struct slice){ one, sizeof one }, 1) == sizeof one)
            asked++;
        loop_run_once(b.loop);
        assert_true(fronts_unsent_bytes(b.fronts) < 8 << 20);
        int64_t n = net_recv(fd, part, sizeof part);
        got += n > 0 ? (uint64_t)n : 0;
    }
    assert_int_equal(b.losses, 0);
    net_close(fd);
    bench_close(&b);
}

static void test_stop_gives_and_sends_everything(void **state)
{
    (void)state;
    struct bench b;
    bench_open(&b);
    struct peer peer = { .fd = bench_connect(&b) };
    int64_t give_up_ms = clock_mono_ms() + PATIENCE_MS;
    peer_step(&peer, 300);
    while (b.frames == 0)
        loop_run_once(b.loop);
    fronts_stop_reading(b.fronts);
    while (!fronts_all_sent(b.fronts)) {
        assert_true(clock_mono_ms() < give_up_ms);
        loop_run_once(b.loop);
        peer_step(&peer, 0); /* reads only */
    }
    peer_step(&peer, 0);
    assert_int_equal(peer.received, b.frames);
    net_close(peer.fd);
    bench_close(&b);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_echo),
        cmocka_unit_test(test_no_frame_is_given_while_paused),
        cmocka_unit_test(test_connections_that_come_and_go),
        cmocka_unit_test(test_large_answers_are_bounded),
        cmocka_unit_test(test_stop_gives_and_sends_everything),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
