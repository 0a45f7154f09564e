/* The front with TLS over socket pairs: a client's filter at one end, a sink that remembers at the other. */
#include "server/cnxn_tls.h"
#include "base/err.h"
#include "base/mem.h"
#include "os/tls_test_support.h"
#include "server/limits.h"
#include <unistd.h>

#define FRAME_MAX 400000
#define CONN 0

struct bench {
    struct loop *loop;
    struct loop_timer alive;
    struct front front;
    struct buf got; /* frames, without lengths */
    size_t frames, accepts, losses, words, proofs, frames_at_proof;
    char subject[64];
    enum front_went answer;
    int fd; /* the client's end */
    struct wire_end client;
};

static struct {
    struct folder dir;
    struct pki ca, server, alice;
    struct tls_context *at_server, *at_client;
    struct net_address peer; /* of connections to come */
    bool names;              /* of fronts to come */
} world;

static enum front_went sink_accept(void *ctx, uint32_t conn, const struct net_address *peer)
{
    struct bench *b = ctx;
    (void)conn;
    (void)peer;
    b->accepts++;
    return FRONT_GO_ON;
}

static void sink_proved(void *ctx, uint32_t conn, struct slice subject)
{
    struct bench *b = ctx;
    assert_int_equal(conn, CONN);
    b->proofs++;
    b->frames_at_proof = b->frames;
    snprintf(b->subject, sizeof b->subject, "%.*s", SLICE_ARG(subject));
}

static enum front_went sink_frame(void *ctx, uint32_t conn, struct slice frame)
{
    struct bench *b = ctx;
    assert_int_equal(conn, CONN);
    if (b->answer == FRONT_REFUSED)
        return FRONT_REFUSED;
    b->frames++;
    buf_append_slice(&b->got, frame);
    return b->answer;
}

static void sink_lost(void *ctx, uint32_t conn)
{
    struct bench *b = ctx;
    (void)conn;
    b->losses++;
}

static void sink_word(void *ctx, uint32_t conn, uint32_t word, struct slice argument)
{
    struct bench *b = ctx;
    (void)argument;
    assert_int_equal(word, 0x72756f6b);
    b->words++;
    const struct core_fx fx[] = { { .type = CORE_FX_SEND, .conn = conn, .p = (const uint8_t *)"imok", .n = 4 },
                                  { .type = CORE_FX_CLOSE, .conn = conn } };
    front_apply(&b->front, fx, 2);
}

static void sink_word_more(void *ctx, uint32_t conn)
{
    (void)ctx;
    (void)conn;
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

static void connect_to(struct bench *b, enum front_port port)
{
    int fds[2];
    assert_int_equal(net_pair(fds), 0);
    front_add(&b->front, fds[0], &world.peer, port);
    b->fd = fds[1];
    loop_run_once(b->loop);
}

static void bench_open(struct bench *b, enum front_port port)
{
    *b = (struct bench){ .answer = FRONT_GO_ON };
    buf_init(&b->got, 64u << 20);
    b->loop = loop_new();
    loop_timer_open(b->loop, &b->alive, never);
    loop_timer_set(&b->alive, 1000000);
    front_init(&b->front, &(struct front_options){ .loop = b->loop,
                                                   .sink = { .ctx = b,
                                                             .accept = sink_accept,
                                                             .proved = sink_proved,
                                                             .frame = sink_frame,
                                                             .lost = sink_lost,
                                                             .word = sink_word,
                                                             .word_more = sink_word_more },
                                                   .count = 1,
                                                   .frame_bytes_max = FRAME_MAX,
                                                   .conns_max = 1000,
                                                   .tls = world.at_server,
                                                   .tls_handshake_ms = 60000,
                                                   .tls_names = world.names,
                                                   .tls_handshakes_max = 1 });
    loop_set_turn(b->loop, bench_turn, b);
    connect_to(b, port);
    talk_end_init(&b->client, world.at_client, NULL);
}

static void bench_close(struct bench *b)
{
    front_close_all(&b->front);
    assert_int_equal(b->front.tls_figures[FRONT_TLS_HANDSHAKES], 0);
    loop_timer_close(&b->alive);
    loop_free(b->loop);
    front_fini(&b->front);
    net_close(b->fd);
    tls_conn_free(b->client.conn);
    buf_fini(&b->client.out);
    buf_fini(&b->client.plain);
    buf_fini(&b->got);
}

/* Carries bytes both ways until nothing moves. What the client says goes in pieces. */
static void carry(struct bench *b, size_t piece)
{
    uint8_t bytes[16384];
    for (int idle = 0; idle < 4; idle++) {
        while (b->client.out.n != 0) {
            size_t n = b->client.out.n < piece ? b->client.out.n : piece;
            int64_t sent = net_send(b->fd, &(struct slice){ b->client.out.p, n }, 1);
            if (sent > 0)
                buf_drop_front(&b->client.out, (size_t)sent);
            if (sent == ERR_CLOSED)
                buf_reset(&b->client.out);
            loop_run_once(b->loop);
        }
        loop_run_once(b->loop);
        for (int64_t got; (got = net_recv(b->fd, bytes, sizeof bytes)) > 0; idle = 0) {
            int rc = tls_feed(b->client.conn, slice_of(bytes, (size_t)got), &b->client.plain, &b->client.out);
            if (rc != 0)
                b->client.rc = rc;
        }
    }
}

static void shake_hands(struct bench *b, size_t piece)
{
    assert_int_equal(tls_begin(b->client.conn, &b->client.out), 0);
    carry(b, piece);
    assert_int_equal(tls_state(b->client.conn), TLS_ESTABLISHED);
    assert_int_equal(b->proofs, 1);
    assert_int_equal(b->frames_at_proof, 0);
    assert_string_equal(b->subject, "CN=alice,O=Zokor");
    assert_int_equal(b->front.tls_figures[FRONT_TLS_HANDSHAKES], 0);
}

static void add_frame(struct buf *to, const void *p, size_t n)
{
    uint8_t head[4] = { (uint8_t)(n >> 24), (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n };
    buf_append(to, head, 4);
    buf_append(to, p, n);
}

static void say(struct bench *b, const struct buf *plain)
{
    struct slice part = buf_slice(plain);
    assert_int_equal(tls_send(b->client.conn, &part, 1, &b->client.out), 0);
}

static void answer(struct bench *b, const void *p, size_t n)
{
    front_apply(&b->front, &(struct core_fx){ .type = CORE_FX_SEND, .conn = CONN, .p = p, .n = (uint32_t)n }, 1);
}

static const struct cnxn *cnxn_of(const struct bench *b)
{
    return b->front.conns[CONN];
}

/* ---- tests ---- */

static void frames_and_answers(void **state)
{
    (void)state;
    struct bench b;
    struct buf plain;
    static uint8_t large[FRAME_MAX];
    memset(large, 'L', sizeof large);
    buf_init(&plain, 64u << 20);
    bench_open(&b, FRONT_TLS);
    shake_hands(&b, 100);
    add_frame(&plain, "abc", 3);
    add_frame(&plain, "", 0);
    add_frame(&plain, large, sizeof large);
    add_frame(&plain, "de", 2);
    say(&b, &plain);
    carry(&b, 5000);
    assert_int_equal(b.frames, 4);
    assert_int_equal(b.got.n, 3 + sizeof large + 2);
    assert_memory_equal(b.got.p, "abcLLL", 6);
    assert_memory_equal(b.got.p + b.got.n - 3, "Lde", 3);
    assert_null(cnxn_of(&b)->in); /* idle: no buffer */
    answer(&b, large, sizeof large);
    answer(&b, "end", 3);
    carry(&b, 5000);
    assert_int_equal(b.client.plain.n, sizeof large + 3);
    assert_memory_equal(b.client.plain.p, large, sizeof large);
    assert_null(cnxn_of(&b)->out);
    assert_int_equal(b.losses, 0);
    buf_fini(&plain);
    bench_close(&b);
}

/* Frames of one record that the sink does not want yet come later, in order. */
static void pauses(void **state)
{
    (void)state;
    struct bench b;
    struct buf plain;
    buf_init(&plain, 1000);
    bench_open(&b, FRONT_TLS);
    shake_hands(&b, 1000);
    b.answer = FRONT_PAUSED;
    add_frame(&plain, "1", 1);
    add_frame(&plain, "2", 1);
    add_frame(&plain, "3", 1);
    say(&b, &plain);
    for (unsigned i = 1; i <= 3; i++) {
        carry(&b, 1000);
        assert_int_equal(b.frames, i);
        front_apply(&b.front, &(struct core_fx){ .type = CORE_FX_RESUME, .conn = CONN }, 1);
    }
    carry(&b, 1000);
    b.answer = FRONT_REFUSED;
    say(&b, &plain);
    carry(&b, 1000);
    assert_int_equal(b.frames, 3);
    b.answer = FRONT_GO_ON;
    front_resume_all(&b.front);
    carry(&b, 1000);
    assert_int_equal(b.frames, 6);
    assert_memory_equal(b.got.p, "123123", 6);
    buf_fini(&plain);
    bench_close(&b);
}

static void word_and_its_end(void **state)
{
    (void)state;
    struct bench b;
    struct buf plain;
    buf_init(&plain, 100);
    bench_open(&b, FRONT_TLS);
    shake_hands(&b, 1000);
    buf_append(&plain, "ruok\n", 5);
    say(&b, &plain);
    tls_end(b.client.conn, &b.client.out); /* in the same packet, as s_client does at the end of its input */
    carry(&b, 100000);
    assert_int_equal(b.words, 1);
    assert_int_equal(b.client.plain.n, 4);
    assert_memory_equal(b.client.plain.p, "imok", 4);
    assert_int_equal(tls_state(b.client.conn), TLS_CLOSED); /* it was told that nothing more comes */
    assert_int_equal(b.front.open_count, 0);
    buf_fini(&plain);
    bench_close(&b);
}

static void the_end_is_answered(void **state)
{
    (void)state;
    struct bench b;
    bench_open(&b, FRONT_TLS);
    shake_hands(&b, 1000);
    tls_end(b.client.conn, &b.client.out);
    carry(&b, 1000);
    assert_int_equal(b.losses, 1);
    assert_int_equal(b.client.rc, ERR_CLOSED);
    bench_close(&b);
}

static void either_port(void **state)
{
    (void)state;
    struct bench b;
    static const uint8_t plain[] = "\0\0\0\3abc\0\0\0\2de";
    bench_open(&b, FRONT_EITHER);
    for (size_t i = 0; i < sizeof plain - 1; i++) {
        assert_int_equal(net_send(b.fd, &(struct slice){ plain + i, 1 }, 1), 1);
        loop_run_once(b.loop);
        loop_run_once(b.loop);
    }
    assert_int_equal(b.frames, 2);
    assert_memory_equal(b.got.p, "abcde", 5);
    assert_null(cnxn_of(&b)->tls);
    assert_int_equal(b.proofs, 0);
    assert_int_equal(b.front.tls_figures[FRONT_TLS_PLAIN_REMOTE], 1);
    assert_int_equal(b.front.tls_figures[FRONT_TLS_PLAIN_LOCAL], 0);
    bench_close(&b);

    bench_open(&b, FRONT_EITHER);
    shake_hands(&b, 1);
    bench_close(&b);

    /* the first byte of TLS, but not the second: a plain length, far above the limit */
    bench_open(&b, FRONT_EITHER);
    assert_int_equal(net_send(b.fd, &(struct slice){ (const uint8_t *)"\x16", 1 }, 1), 1);
    carry(&b, 1);
    assert_int_equal(b.losses, 0);
    assert_int_equal(net_send(b.fd, &(struct slice){ (const uint8_t *)"\x01\x01\x01", 3 }, 1), 3);
    carry(&b, 1);
    assert_int_equal(b.losses, 1);
    assert_null(b.front.conns[CONN]);
    bench_close(&b);
}

static void garbage_ends_it(void **state)
{
    (void)state;
    static const char *const SAYS[] = { "ruok", "\x16\x03\x01\xff\xff\x01\x01\x01", "GET / HTTP/1.0\r\n\r\n" };
    for (size_t i = 0; i < ARRAY_COUNT(SAYS); i++) {
        struct bench b;
        bench_open(&b, FRONT_TLS);
        buf_append(&b.client.out, SAYS[i], strlen(SAYS[i]));
        carry(&b, 1000);
        assert_int_equal(b.losses, 1);
        assert_int_equal(b.words + b.frames + b.proofs, 0);
        assert_int_equal(b.front.open_count, 0);
        assert_int_equal(b.front.tls_figures[FRONT_TLS_FAILED], 1);
        bench_close(&b);
    }
    struct bench b;
    bench_open(&b, FRONT_TLS); /* and after the handshake */
    shake_hands(&b, 1000);
    static const char record[] = "\x17\x03\x03\x00\x18 is no record of this key";
    buf_append(&b.client.out, record, sizeof record - 1);
    carry(&b, 1000);
    assert_int_equal(b.losses, 1);
    assert_int_equal(b.frames, 0);
    bench_close(&b);
}

/* Half a handshake, then silence; and a port for both on which nothing is said. */
static void silence_is_bounded(void **state)
{
    (void)state;
    for (int either = 0; either < 2; either++) {
        struct bench b;
        bench_open(&b, either ? FRONT_EITHER : FRONT_TLS);
        if (!either) {
            assert_int_equal(tls_begin(b.client.conn, &b.client.out), 0);
            b.client.out.n /= 2;
            carry(&b, 1000);
            assert_int_equal(b.front.tls_figures[FRONT_TLS_HANDSHAKES], 1);
        }
        front_sweep(&b.front);
        carry(&b, 1000);
        assert_int_equal(b.losses, 0);
        b.front.opt.tls_handshake_ms = 0;
        front_sweep(&b.front);
        carry(&b, 1000);
        assert_int_equal(b.losses, 1);
        assert_int_equal(b.front.tls_figures[FRONT_TLS_HANDSHAKES], 0);
        bench_close(&b);
    }
    struct bench b;
    bench_open(&b, FRONT_TLS); /* one that has shaken hands is not hurried by this */
    shake_hands(&b, 1000);
    b.front.opt.tls_handshake_ms = 0;
    front_sweep(&b.front);
    carry(&b, 1000);
    assert_int_equal(b.losses, 0);
    bench_close(&b);
}

static void handshakes_are_counted(void **state)
{
    (void)state;
    struct bench b;
    bench_open(&b, FRONT_TLS);
    int first = b.fd;
    connect_to(&b, FRONT_TLS); /* one is under way, and one is allowed */
    uint8_t byte;
    assert_int_equal(net_recv(b.fd, &byte, 1), 0);
    assert_int_equal(b.accepts, 1);
    assert_int_equal(b.front.tls_figures[FRONT_TLS_REFUSED], 1);
    net_close(b.fd);
    b.fd = first;
    shake_hands(&b, 1000);
    connect_to(&b, FRONT_TLS);
    assert_int_equal(b.accepts, 2);
    assert_int_equal(b.front.tls_figures[FRONT_TLS_HANDSHAKES], 1);
    net_close(first);
    bench_close(&b);
}

/* A client that reads nothing: what it asked for waits as records, within the limits of a plain connection. */
static void unread_answers_wait(void **state)
{
    (void)state;
    struct bench b;
    static uint8_t reply[1u << 20];
    bench_open(&b, FRONT_TLS);
    shake_hands(&b, 1000);
    for (int i = 0; i < 6; i++)
        answer(&b, reply, sizeof reply);
    assert_true(b.front.unsent_bytes > (int64_t)LIMIT_OUT_SOFT_BYTES);
    assert_int_equal(cnxn_of(&b)->flags & CNXN_FULL, CNXN_FULL);
    carry(&b, 1000);
    assert_int_equal(b.client.plain.n, 6 * sizeof reply);
    assert_int_equal(b.front.unsent_bytes, 0);
    assert_int_equal(cnxn_of(&b)->flags & CNXN_FULL, 0);
    for (int i = 0; i < 40; i++)
        answer(&b, reply, sizeof reply);
    carry(&b, 1000);
    assert_int_equal(b.losses, 1);
    bench_close(&b);
}

/* The certificate does not hold 127.0.0.1, but the name that the address has in /etc/hosts. What the client says before
 * the answer is there waits for it. */
static void the_name_of_the_address_counts(void **state)
{
    (void)state;
    struct bench b;
    struct buf plain;
    const struct net_address before = world.peer;
    world.peer = (struct net_address){ .bytes = { 127, 0, 0, 1 }, .port = 1 };
    world.names = true;
    buf_init(&plain, 100);
    bench_open(&b, FRONT_TLS);
    assert_int_equal(tls_begin(b.client.conn, &b.client.out), 0);
    carry(&b, 1000);
    assert_int_equal(tls_state(b.client.conn), TLS_ESTABLISHED);
    add_frame(&plain, "abc", 3);
    say(&b, &plain);
    carry(&b, 1000);
    for (int turns = 0; b.frames == 0 && b.losses == 0 && turns < 60000; turns++) {
        usleep(1000);
        loop_run_once(b.loop);
    }
    assert_int_equal(b.losses, 0);
    assert_int_equal(b.frames, 1);
    assert_int_equal(b.proofs, 1);
    assert_int_equal(b.frames_at_proof, 0);
    assert_string_equal(b.subject, "CN=alice,O=Zokor");
    assert_memory_equal(b.got.p, "abc", 3);
    bench_close(&b);
    for (size_t i = 1; i < 40; i++) { /* closed before, or after, the answer is there */
        bench_open(&b, FRONT_TLS);
        assert_int_equal(tls_begin(b.client.conn, &b.client.out), 0);
        carry(&b, i * 100);
        if (i % 2 == 0)
            cnxn_break(b.front.conns[CONN]);
        if (i % 4 == 0)
            loop_run_once(b.loop);
        bench_close(&b);
    }
    world.names = false; /* and without the key the certificate is not enough */
    bench_open(&b, FRONT_TLS);
    assert_int_equal(tls_begin(b.client.conn, &b.client.out), 0);
    carry(&b, 1000);
    assert_int_equal(b.losses, 1);
    assert_int_equal(b.proofs, 0);
    bench_close(&b);
    buf_fini(&plain);
    world.peer = before;
}

static int make_world(void **state)
{
    (void)state;
    struct tls_error err;
    folder_make(&world.dir);
    world.peer = (struct net_address){ .bytes = { 10, 0, 0, 2 }, .port = 1 };
    world.ca = pki_make(&(struct pki_wish){ .cn = "Authority", .authority = true }, NULL);
    world.server = pki_make(&(struct pki_wish){ .cn = "server" }, &world.ca);
    world.alice =
        pki_make(&(struct pki_wish){ .cn = "alice", .o = "Zokor", .san = "IP:10.0.0.2,DNS:localhost" }, &world.ca);
    struct tls_options o = { .role = TLS_SERVER, .client_auth = TLS_AUTH_NEED, .verify_name = true };
    o.trust.location = folder_write_certs(&world.dir, "ca.pem", world.ca.cert, NULL);
    o.key.location = folder_write_pem(&world.dir, "server.pem", &world.server, NULL, NULL);
    assert_int_equal(tls_context_new(&o, &world.at_server, &err), 0);
    o.role = TLS_CLIENT;
    o.verify_name = false;
    o.key.location = folder_write_pem(&world.dir, "alice.pem", &world.alice, NULL, NULL);
    assert_int_equal(tls_context_new(&o, &world.at_client, &err), 0);
    return 0;
}

static int remove_world(void **state)
{
    (void)state;
    tls_context_free(world.at_server);
    tls_context_free(world.at_client);
    pki_free(&world.ca);
    pki_free(&world.server);
    pki_free(&world.alice);
    folder_remove(&world.dir);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_and_answers),  cmocka_unit_test(pauses),
        cmocka_unit_test(word_and_its_end),    cmocka_unit_test(the_end_is_answered),
        cmocka_unit_test(either_port),         cmocka_unit_test(garbage_ends_it),
        cmocka_unit_test(silence_is_bounded),  cmocka_unit_test(handshakes_are_counted),
        cmocka_unit_test(unread_answers_wait), cmocka_unit_test(the_name_of_the_address_counts),
    };
    return cmocka_run_group_tests(tests, make_world, remove_world);
}
