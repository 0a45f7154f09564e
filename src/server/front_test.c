/* The front over socket pairs, with a sink that remembers what it got and answers as the test says. */
#include "base/err.h"
#include "base/mem.h"
#include "server/cnxn.h"
#include "server/limits.h"
#include "wire/jute.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define FRAME_MAX 200000

struct bench {
    struct loop *loop;
    struct loop_timer alive; /* a loop without anything to wait for does not turn */
    struct front front;
    struct buf got; /* payloads of frames, each with conn and length in front */
    size_t frames, accepts, losses, words, more, sent;
    uint32_t last_conn, last_word;
    enum front_went answer;
    size_t answer_after; /* frames that still get FRONT_GO_ON first */
    int peers[8];
    size_t peer_count;
};

static enum front_went sink_accept(void *ctx, uint32_t conn, const struct net_address *peer)
{
    struct bench *b = ctx;
    (void)peer;
    b->accepts++;
    b->last_conn = conn;
    return FRONT_GO_ON;
}

static enum front_went sink_frame(void *ctx, uint32_t conn, struct slice frame)
{
    struct bench *b = ctx;
    enum front_went went = FRONT_GO_ON;
    if (b->answer_after == 0)
        went = b->answer;
    else
        b->answer_after--;
    if (went == FRONT_REFUSED)
        return went;
    b->frames++;
    b->last_conn = conn;
    buf_append_slice(&b->got, frame);
    return went;
}

static void sink_lost(void *ctx, uint32_t conn)
{
    struct bench *b = ctx;
    b->losses++;
    b->last_conn = conn;
}

static void sink_word(void *ctx, uint32_t conn, uint32_t word, struct slice argument)
{
    struct bench *b = ctx;
    b->words++;
    b->last_conn = conn;
    b->last_word = word;
    buf_append_slice(&b->got, argument);
}

static void sink_word_more(void *ctx, uint32_t conn)
{
    struct bench *b = ctx;
    (void)conn;
    b->more++;
}

static void sink_sent(void *ctx, uint32_t conn)
{
    struct bench *b = ctx;
    (void)conn;
    b->sent++;
}

static void bench_turn(void *ctx)
{
    struct bench *b = ctx;
    while (front_has_ready(&b->front))
        front_run_ready(&b->front);
}

static void never(struct loop_timer *timer)
{
    (void)timer;
}

static void bench_open(struct bench *b, bool confirmed)
{
    *b = (struct bench){ .answer = FRONT_GO_ON };
    buf_init(&b->got, 64u << 20);
    b->loop = loop_new();
    loop_timer_open(b->loop, &b->alive, never);
    loop_timer_set(&b->alive, 1000000);
    front_init(&b->front, &(struct front_options){ .loop = b->loop,
                                                   .sink = { .ctx = b,
                                                             .accept = sink_accept,
                                                             .frame = sink_frame,
                                                             .lost = sink_lost,
                                                             .word = sink_word,
                                                             .word_more = sink_word_more,
                                                             .sent = sink_sent },
                                                   .index = 1,
                                                   .count = 3,
                                                   .frame_bytes_max = FRAME_MAX,
                                                   .conns_max = 1000,
                                                   .numbers_are_confirmed = confirmed });
    loop_set_turn(b->loop, bench_turn, b);
}

static void turns(struct bench *b, int n)
{
    while (n-- > 0)
        loop_run_once(b->loop);
}

static int bench_connect(struct bench *b)
{
    int fds[2];
    assert_int_equal(net_pair(fds), 0);
    front_add(&b->front, fds[0], &(struct net_address){ .port = 1 }, FRONT_PLAIN);
    b->peers[b->peer_count++] = fds[1];
    turns(b, 1);
    return fds[1];
}

static void bench_close(struct bench *b)
{
    front_close_all(&b->front);
    loop_timer_close(&b->alive);
    loop_free(b->loop);
    front_fini(&b->front);
    for (size_t i = 0; i < b->peer_count; i++)
        net_close(b->peers[i]);
    buf_fini(&b->got);
}

static void put(int fd, const void *p, size_t n)
{
    assert_int_equal(net_send(fd, &(struct slice){ p, n }, 1), n);
}

static void put_frame(int fd, const char *text)
{
    uint8_t bytes[256];
    size_t n = strlen(text);
    store_be32(bytes, (uint32_t)n);
    memcpy(bytes + 4, text, n);
    put(fd, bytes, 4 + n);
}

static const struct cnxn *cnxn_at(const struct bench *b, size_t slot)
{
    return b->front.conns[slot];
}

static void expect(struct bench *b, const char *text)
{
    assert_int_equal(b->got.n, strlen(text));
    assert_memory_equal(b->got.p, text, b->got.n);
}

/* ---- input ---- */

static void test_numbers_follow_index_and_count(void **state)
{
    (void)state;
    struct bench b;
    bench_open(&b, false);
    bench_connect(&b);
    assert_int_equal(b.last_conn, 1);
    bench_connect(&b);
    assert_int_equal(b.last_conn, 4);
    bench_close(&b);
}

static void test_frames_in_any_pieces(void **state)
{
    (void)state;
    struct bench b;
    bench_open(&b, false);
    int fd = bench_connect(&b);
    static const uint8_t stream[] = "\0\0\0\3abc\0\0\0\0\0\0\0\2de";
    for (size_t i = 0; i < sizeof stream - 1; i++) {
        put(fd, stream + i, 1);
        turns(&b, 2);
    }
    assert_int_equal(b.frames, 3);
    put(fd, stream, sizeof stream - 1);
    put(fd, stream, 5);
    turns(&b, 2);
    assert_int_equal(b.frames, 6);
    assert_non_null(cnxn_at(&b, 0)->in);
    put(fd, stream + 5, sizeof stream - 1 - 5);
    turns(&b, 2);
    assert_int_equal(b.frames, 9);
    expect(&b, "abcdeabcdeabcde");
    assert_null(cnxn_at(&b, 0)->in); /* idle: no buffer */
    assert_int_equal(b.losses, 0);
    bench_close(&b);
}

static void test_buffer_grows_with_what_comes(void **state)
{
    (void)state;
    struct bench b;
    bench_open(&b, false);
    int fd = bench_connect(&b);
    uint8_t head[4];
    store_be32(head, FRAME_MAX);
    put(fd, head, 4);
    turns(&b, 2);
    assert_true(cnxn_at(&b, 0)->in_cap <= 64);
    uint8_t chunk[1000];
    memset(chunk, 'x', sizeof chunk);
    for (size_t sent = 0; sent < FRAME_MAX; sent += sizeof chunk) {
        put(fd, chunk, sizeof chunk);
        turns(&b, 1);
        if (b.frames == 0)
            assert_true(cnxn_at(&b, 0)->in_cap <= 2 * (sent + sizeof chunk) + 64);
    }
    turns(&b, 200);
    assert_int_equal(b.frames, 1);
    assert_int_equal(b.got.n, FRAME_MAX);
    assert_null(cnxn_at(&b, 0)->in);
    bench_close(&b);
}

static void test_length_above_the_limit_ends_the_connection(void **state)
{
    (void)state;
    static const uint32_t lengths[] = { FRAME_MAX + 1, 0x7fffffff, 0x80000000, 0xffffffff };
    for (size_t i = 0; i < ARRAY_COUNT(lengths); i++) {
        struct bench b;
        bench_open(&b, false);
        int fd = bench_connect(&b);
        uint8_t head[4];
        put_frame(fd, "first");
        store_be32(head, lengths[i]);
        put(fd, head, 4);
        turns(&b, 3);
        expect(&b, "first");
        assert_int_equal(b.losses, 1);
        assert_int_equal(net_recv(fd, head, sizeof head), 0);
        bench_close(&b);
    }
}

static void test_paused_until_resume(void **state)
{
    (void)state;
    struct bench b;
    bench_open(&b, false);
    int fd = bench_connect(&b);
    b.answer = FRONT_PAUSED;
    b.answer_after = 1;
    put_frame(fd, "a");
    put_frame(fd, "b");
    put_frame(fd, "c");
    put_frame(fd, "d");
    turns(&b, 3);
    expect(&b, "ab"); /* b was taken and pauses */
    put_frame(fd, "e");
    turns(&b, 3);
    expect(&b, "ab");
    assert_int_equal(front_interest(&b.front, 1), 0);
    b.answer = FRONT_GO_ON;
    front_apply(&b.front, &(struct core_fx){ .type = CORE_FX_RESUME, .conn = 1 }, 1);
    turns(&b, 3);
    expect(&b, "abcde");
    assert_int_equal(front_interest(&b.front, 1), LOOP_READABLE);
    bench_close(&b);
}

static void test_refused_frame_is_offered_again(void **state)
{
    (void)state;
    struct bench b;
    bench_open(&b, false);
    int fd = bench_connect(&b);
    b.answer = FRONT_REFUSED;
    b.answer_after = 1;
    put_frame(fd, "a");
    put_frame(fd, "b");
    turns(&b, 3);
    expect(&b, "a");
    b.answer = FRONT_GO_ON;
    front_resume_all(&b.front);
    turns(&b, 1);
    expect(&b, "ab");
    bench_close(&b);
}

static void test_words(void **state)
{
    (void)state;
    struct bench b;
    bench_open(&b, false);
    int fd = bench_connect(&b);
    put(fd, "ru", 2);
    turns(&b, 2);
    assert_int_equal(b.words, 0);
    put(fd, "ok\n", 3);
    turns(&b, 1);
    assert_int_equal(b.words, 1);
    assert_int_equal(b.last_word, 0x72756f6b);
    front_apply(&b.front, &(struct core_fx){ CORE_FX_SEND, 1, 4, (const uint8_t *)"imok" }, 1);
    turns(&b, 2);
    assert_true(b.more >= 1);
    front_apply(&b.front, &(struct core_fx){ .type = CORE_FX_CLOSE, .conn = 1 }, 1);
    char answer[8];
    assert_int_equal(net_recv(fd, answer, sizeof answer), 4);
    assert_memory_equal(answer, "imok", 4);
    assert_int_equal(net_recv(fd, answer, sizeof answer), 0);
    assert_int_equal(b.losses, 0);

    fd = bench_connect(&b); /* stmk waits for its eight bytes */
    put(fd, "stmk1234", 8);
    turns(&b, 2);
    assert_int_equal(b.words, 1);
    put(fd, "5678", 4);
    turns(&b, 2);
    assert_int_equal(b.words, 2);
    expect(&b, "12345678");

    fd = bench_connect(&b); /* behind a frame a word is a length */
    put_frame(fd, "x");
    put(fd, "ruok", 4);
    turns(&b, 3);
    assert_int_equal(b.words, 2);
    assert_int_equal(b.losses, 1);
    bench_close(&b);
}

/* ---- output ---- */

static void test_effects_of_a_turn_go_out_in_order(void **state)
{
    (void)state;
    struct bench b;
    bench_open(&b, false);
    int fd = bench_connect(&b), other = bench_connect(&b);
    struct core_fx fx[200];
    static uint8_t letters[200];
    for (size_t i = 0; i < ARRAY_COUNT(fx); i++) {
        letters[i] = (uint8_t)('a' + i % 26);
        fx[i] = (struct core_fx){ CORE_FX_SEND, i % 2 == 0 ? 1 : 4, 1, &letters[i] };
    }
    front_apply(&b.front, fx, ARRAY_COUNT(fx));
    uint8_t got[300];
    assert_int_equal(net_recv(fd, got, sizeof got), 100);
    for (size_t i = 0; i < 100; i++)
        assert_int_equal(got[i], letters[2 * i]);
    assert_int_equal(net_recv(other, got, sizeof got), 100);
    assert_null(cnxn_at(&b, 0)->out);
    bench_close(&b);
}

static void test_close_comes_behind_everything(void **state)
{
    (void)state;
    struct bench b;
    bench_open(&b, false);
    int fd = bench_connect(&b);
    size_t n = 1000000;
    uint8_t *big = mem_zalloc(n);
    struct core_fx fx[] = {
        { CORE_FX_SEND, 1, (uint32_t)n, big },
        { CORE_FX_CLOSE, 1, 0, NULL },
        { CORE_FX_SEND, 1, 4, (const uint8_t *)"late" }, /* nothing follows a close */
    };
    front_apply(&b.front, fx, ARRAY_COUNT(fx));
    assert_true(b.front.unsent_bytes > 0);
    assert_false(front_all_sent(&b.front));
    put_frame(fd, "ignored");
    size_t got = 0;
    for (int i = 0; i < 10000; i++) {
        uint8_t part[65536];
        int64_t k = net_recv(fd, part, sizeof part);
        if (k == 0)
            break;
        got += k > 0 ? (size_t)k : 0;
        turns(&b, 1);
    }
    assert_int_equal(got, n);
    turns(&b, 1);
    assert_int_equal(b.front.open_count, 0);
    assert_int_equal(b.front.unsent_bytes, 0);
    assert_int_equal(b.frames, 0);
    assert_int_equal(b.losses, 0);
    mem_free(big);
    bench_close(&b);
}

static void test_limits_of_unsent_bytes(void **state)
{
    (void)state;
    struct bench b;
    bench_open(&b, false);
    int fd = bench_connect(&b);
    size_t n = LIMIT_OUT_SOFT_BYTES + 1000000;
    uint8_t *big = mem_zalloc(n);
    struct core_fx fx = { CORE_FX_SEND, 1, (uint32_t)n, big };
    front_apply(&b.front, &fx, 1);
    put_frame(fd, "a");
    turns(&b, 3);
    assert_int_equal(b.frames, 0); /* above the soft limit nothing is read */
    front_mark(&b.front, 1);
    assert_int_equal(b.sent, 0);
    for (int i = 0; i < 100000 && b.frames == 0; i++) {
        uint8_t part[65536];
        (void)net_recv(fd, part, sizeof part);
        turns(&b, 1);
    }
    assert_int_equal(b.frames, 1);
    assert_int_equal(b.sent, 1);
    for (size_t sum = 0; sum <= LIMIT_OUT_HARD_BYTES + 2 * n; sum += n)
        front_apply(&b.front, &fx, 1);
    turns(&b, 1);
    assert_int_equal(b.losses, 1);
    mem_free(big);
    bench_close(&b);
}

/* ---- numbers ---- */

static void test_a_number_is_not_reused_within_the_turn(void **state)
{
    (void)state;
    struct bench b;
    bench_open(&b, false);
    int fd = bench_connect(&b);
    net_end(fd);
    turns(&b, 2);
    assert_int_equal(b.losses, 1);
    /* Late effects for it reach nobody. */
    front_apply(&b.front, &(struct core_fx){ CORE_FX_SEND, 1, 4, (const uint8_t *)"late" }, 1);
    front_apply(&b.front, &(struct core_fx){ .type = CORE_FX_RESUME, .conn = 1 }, 1);
    bench_connect(&b);
    assert_int_equal(b.last_conn, 1);
    bench_close(&b);
}

static void test_confirmed_numbers_wait_for_the_sink(void **state)
{
    (void)state;
    struct bench b;
    bench_open(&b, true);
    int fd = bench_connect(&b);
    net_end(fd);
    turns(&b, 2);
    assert_int_equal(b.losses, 1);
    bench_connect(&b);
    assert_int_equal(b.last_conn, 4);
    front_free_number(&b.front, 1);
    bench_connect(&b);
    assert_int_equal(b.last_conn, 1);
    /* One that the sink closed itself needs no word from it. */
    front_apply(&b.front, &(struct core_fx){ .type = CORE_FX_CLOSE, .conn = 4 }, 1);
    turns(&b, 1);
    bench_connect(&b);
    assert_int_equal(b.last_conn, 4);
    bench_close(&b);
}

static void test_broken_sockets_are_told_once(void **state)
{
    (void)state;
    struct bench b;
    bench_open(&b, false);
    int fd = bench_connect(&b);
    put_frame(fd, "last");
    net_close(fd);
    b.peer_count = 0;
    static uint8_t bytes[100000];
    for (int i = 0; i < 20; i++)
        front_apply(&b.front, &(struct core_fx){ CORE_FX_SEND, 1, sizeof bytes, bytes }, 1);
    turns(&b, 3);
    assert_int_equal(b.losses, 1);
    assert_int_equal(b.front.open_count, 0);
    bench_close(&b);
}

static void test_room_is_made_only_by_old_silent_ones(void **state)
{
    (void)state;
    struct bench b;
    bench_open(&b, false);
    b.front.opt.conns_max = 2;
    assert_true(front_make_room(&b.front));
    int fd = bench_connect(&b);
    bench_connect(&b);
    for (size_t i = 0; i < 2; i++) /* however long the machine takes for what follows */
        ((struct cnxn *)(uintptr_t)cnxn_at(&b, i))->since_ms += LIMIT_STALL_MS;
    assert_false(front_make_room(&b.front)); /* both are young */
    put_frame(fd, "x");
    turns(&b, 2);
    ((struct cnxn *)(uintptr_t)cnxn_at(&b, 0))->since_ms -= LIMIT_STALL_MS + 2 * LIMIT_FRESH_MS;
    assert_false(front_make_room(&b.front)); /* it has spoken */
    ((struct cnxn *)(uintptr_t)cnxn_at(&b, 1))->since_ms -= LIMIT_STALL_MS + 2 * LIMIT_FRESH_MS;
    assert_true(front_make_room(&b.front));
    assert_int_equal(b.losses, 1);
    assert_int_equal(b.last_conn, 4);
    bench_close(&b);
}

static void test_stalled_ones_are_given_up(void **state)
{
    (void)state;
    struct bench b;
    bench_open(&b, false);
    bench_connect(&b);
    static uint8_t bytes[1000000];
    front_apply(&b.front, &(struct core_fx){ CORE_FX_SEND, 1, sizeof bytes, bytes }, 1);
    front_sweep(&b.front);
    turns(&b, 1);
    assert_int_equal(b.losses, 0);
    ((struct cnxn *)(uintptr_t)cnxn_at(&b, 0))->since_ms -= LIMIT_STALL_MS + 1;
    front_sweep(&b.front);
    turns(&b, 1);
    assert_int_equal(b.losses, 1);
    bench_close(&b);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers_follow_index_and_count),
        cmocka_unit_test(test_frames_in_any_pieces),
        cmocka_unit_test(test_buffer_grows_with_what_comes),
        cmocka_unit_test(test_length_above_the_limit_ends_the_connection),
        cmocka_unit_test(test_paused_until_resume),
        cmocka_unit_test(test_refused_frame_is_offered_again),
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_effects_of_a_turn_go_out_in_order),
        cmocka_unit_test(test_close_comes_behind_everything),
        cmocka_unit_test(test_limits_of_unsent_bytes),
        cmocka_unit_test(test_a_number_is_not_reused_within_the_turn),
        cmocka_unit_test(test_confirmed_numbers_wait_for_the_sink),
        cmocka_unit_test(test_broken_sockets_are_told_once),
        cmocka_unit_test(test_room_is_made_only_by_old_silent_ones),
        cmocka_unit_test(test_stalled_ones_are_given_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
