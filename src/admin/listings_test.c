/* Answers that grow with what the server holds: whole in pieces of any size, and no piece larger than it should be. */
#include "admin/command.h"
#include "admin/words.h"
#include "wire/proto.h"
#include "wire/records.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#define CONNS 5u
#define WATCHES 200u
#define EXTRA 20u /* a connection without a session: the one that asks */
#define LINE_MAX_BYTES 200u

struct bench {
    struct command_host host;
    struct core *core;
    struct core_out out;
    int64_t now_ms, appended;
};

static void figures(void *ctx, struct command_figures *out)
{
    struct bench *b = ctx;
    *out = (struct command_figures){ .now_ms = b->now_ms, .wall_ms = 1795233872000 };
    summary_add(&out->sync_ms, 3);
}

static unsigned interest(void *ctx, uint32_t conn)
{
    (void)ctx;
    (void)conn;
    return 1;
}

static void step(struct bench *b, struct core_event ev)
{
    ev.now_ms = b->now_ms;
    ev.wall_ms = 1700000000000;
    core_step(b->core, &ev, &b->out);
    for (size_t i = 0; i < b->out.append_count; i++) {
        b->appended = b->out.appends[i].zxid;
        blob_unref(b->out.appends[i].txn);
    }
    core_out_reset(&b->out);
}

static void send(struct bench *b, uint32_t conn, struct buf *frame)
{
    step(b, (struct core_event){ .type = CORE_EV_FRAME, .conn = conn, .frame = buf_slice(frame) });
    step(b, (struct core_event){ .type = CORE_EV_LOG_SYNCED, .zxid = b->appended });
    buf_reset(frame);
}

static void create_ephemeral(struct bench *b, uint32_t conn, const char *path)
{
    struct buf frame, acl;
    buf_init(&frame, 1000);
    buf_init(&acl, 1000);
    wire_put_acl(&acl, (struct wire_acl){ 31, { slice_str("world"), slice_str("anyone") } });
    wire_put_request_header(&frame, &(struct wire_request_header){ 1, WIRE_OP_CREATE });
    wire_put_create_request(
        &frame, &(struct wire_create_request){
                    .path = slice_str(path), .data = slice_str("x"), .acl = { 1, buf_slice(&acl) }, .flags = 1 });
    send(b, conn, &frame);
    buf_fini(&frame);
    buf_fini(&acl);
}

static void accept_conn(struct bench *b, uint32_t conn)
{
    step(b, (struct core_event){ .type = CORE_EV_ACCEPT,
                                 .conn = conn,
                                 .peer = { .address = { 127, 0, 0, 1 }, .port = (uint16_t)(100 + conn) } });
}

static void open_session(struct bench *b, uint32_t conn)
{
    struct buf frame;
    static const uint8_t passwd[16];
    buf_init(&frame, 1000);
    accept_conn(b, conn);
    wire_put_connect_request(&frame,
                             &(struct wire_connect_request){ .timeout_ms = 10000, .passwd = slice_of(passwd, 16) });
    send(b, conn, &frame);
    buf_fini(&frame);
}

static void bench_open(struct bench *b)
{
    struct core_options o = { .seed = 1,
                              .start_wall_ms = 1,
                              .server_id = 1,
                              .tick_time_ms = 2000,
                              .session_timeout_ms_min = 4000,
                              .session_timeout_ms_max = 40000,
                              .handshake_timeout_ms = 10000,
                              .frame_bytes_max = 100000,
                              .txn_bytes_max = 200000,
                              .digest_algorithm = "SHA1",
                              .outstanding_limit = 10,
                              .snap_count = 100000 };
    *b = (struct bench){ .now_ms = 1000 };
    b->core = core_new(&o, tree_new(&(struct tree_options){ .hash_key = 1 }), b->now_ms);
    b->host = (struct command_host){
        .ctx = b, .core = b->core, .words_allowed = "*", .figures = figures, .interest = interest, .with_metrics = true
    };
    core_out_init(&b->out);
    for (uint32_t k = 0; k < CONNS; k++)
        open_session(b, k);
    accept_conn(b, EXTRA);
}

static void bench_close(struct bench *b)
{
    core_free(b->core);
    core_out_fini(&b->out);
}

static void ask(struct bench *b, const char *word, size_t bytes, struct buf *out)
{
    buf_init(out, 1 << 24);
    struct command_answer *a = command_begin(&b->host, EXTRA, load_be32((const uint8_t *)word), slice_str(""));
    for (bool more = true; more;) {
        size_t before = out->n;
        more = command_next(a, bytes, out);
        assert_true(out->n - before <= bytes + LINE_MAX_BYTES);
        assert_true(!more || out->n != before); /* who waits for the next piece must have been sent one */
    }
    command_end(a);
    buf_append(out, "", 1);
}

static size_t lines_with(const struct buf *b, const char *part)
{
    size_t n = 0;
    for (const char *p = (const char *)b->p; (p = strstr(p, part)) != NULL; p++)
        n++;
    return n;
}

/* The answer, the same in pieces of every size. */
static void ask_in_all_sizes(struct bench *b, const char *word, struct buf *whole)
{
    static const size_t sizes[] = { 1, 17, 100, 1000, 65536 };
    ask(b, word, 1 << 20, whole);
    for (size_t i = 0; i < ARRAY_COUNT(sizes); i++) {
        struct buf out;
        ask(b, word, sizes[i], &out);
        assert_string_equal((const char *)out.p, (const char *)whole->p);
        buf_fini(&out);
    }
}

static void watches(void **state)
{
    (void)state;
    struct bench b;
    bench_open(&b);
    struct tree *t = (struct tree *)(uintptr_t)core_tree(b.core);
    for (uint32_t i = 0; i < WATCHES; i++) {
        char path[20];
        snprintf(path, sizeof path, "/w%u", (unsigned)i);
        for (uint32_t k = 0; k < CONNS; k++)
            watch_add(t, k, slice_str(path),
                      k == 0   ? WATCH_CHILD
                      : k == 1 ? WATCH_RECURSIVE
                               : WATCH_DATA | WATCH_CHILD);
    }
    for (uint32_t k = 1; k < CONNS; k++)
        watch_add(t, k, slice_str("/shared"), WATCH_DATA);
    struct buf out;
    ask_in_all_sizes(&b, "wchc", &out);
    assert_int_equal(lines_with(&out, "\t/"), (CONNS - 1) * (WATCHES + 1));
    assert_int_equal(lines_with(&out, "0x"), CONNS - 1);
    assert_string_equal((const char *)out.p + out.n - 3, "\n\n");
    buf_fini(&out);
    ask_in_all_sizes(&b, "wchp", &out);
    assert_int_equal(lines_with(&out, "\t0x"), (CONNS - 1) * (WATCHES + 1));
    assert_int_equal(lines_with(&out, "/w"), WATCHES);
    assert_int_equal(lines_with(&out, "/shared"), 1);
    buf_fini(&out);
    ask(&b, "wchs", 1, &out);
    assert_string_equal((const char *)out.p, "4 connections watching 201 paths\nTotal watches:804\n");
    buf_fini(&out);
    bench_close(&b);
}

static void dump(void **state)
{
    (void)state;
    struct bench b;
    bench_open(&b);
    for (unsigned i = 0; i < 60; i++) {
        char path[20];
        snprintf(path, sizeof path, "/e%u", i);
        create_ephemeral(&b, i % 2, path);
    }
    b.now_ms += 2000;
    open_session(&b, 7);
    struct buf out;
    ask_in_all_sizes(&b, "dump", &out);
    const char *text = (const char *)out.p;
    assert_int_equal(strncmp(text, "SessionTracker dump:\nSession Sets (2)/(6):\n5 expire at ", 55), 0);
    assert_non_null(strstr(text, "\n1 expire at Sat Nov 21 "));
    assert_non_null(strstr(text, "\nephemeral nodes dump:\nSessions with Ephemerals (2):\n0x"));
    assert_int_equal(lines_with(&out, "\t/e"), 60);
    assert_int_equal(lines_with(&out, "0x"), 6 + 2 + 7);
    assert_non_null(strstr(text, "\nConnections dump:\nConnections Sets ("));
    assert_int_equal(lines_with(&out, "\tip: /127.0.0.1:"), 7);
    assert_int_equal(lines_with(&out, "sessionId: 0x0\n"), 1);
    buf_fini(&out);
    bench_close(&b);
}

static void connections(void **state)
{
    (void)state;
    struct bench b;
    bench_open(&b);
    struct buf out;
    ask(&b, "cons", 1 << 20, &out);
    assert_int_equal(lines_with(&out, " /127.0.0.1:"), CONNS + 1);
    assert_int_equal(lines_with(&out, ",lop=SESS,"), CONNS);
    assert_non_null(strstr((const char *)out.p, " /127.0.0.1:120[1](queued=0,recved=1,sent=0)\n\n"));
    buf_fini(&out);
    bench_close(&b);
}

static void monitor(void **state)
{
    (void)state;
    struct bench b;
    bench_open(&b);
    create_ephemeral(&b, 1, "/e");
    struct buf out;
    ask(&b, "mntr", 1 << 20, &out);
    const char *text = (const char *)out.p;
    assert_non_null(strstr(text, "\nzk_server_state\tstandalone\nzk_avg_latency\t0.0\n"));
    assert_non_null(strstr(text, "\nzk_cnt_updatelatency\t1\n"));
    assert_non_null(strstr(text, "\nzk_p999_readlatency\t0\n"));
    assert_non_null(strstr(text, "\nzk_avg_fsynctime\t3.0\n"));
    assert_non_null(strstr(text, "\nzk_connection_request_count\t5\n"));
    assert_non_null(strstr(text, "\nzk_packets_received\t7\n")); /* five handshakes, a create, this word */
    assert_non_null(strstr(text, "\nzk_max_file_descriptor_count\t"));
    buf_fini(&out);
    step(&b, (struct core_event){ .type = CORE_EV_CONN_LOST, .conn = EXTRA });
    struct core_stats s;
    core_stats(b.core, &s);
    assert_int_equal(s.connections_dropped, 0);
    step(&b, (struct core_event){ .type = CORE_EV_CONN_LOST, .conn = 1 });
    core_stats(b.core, &s);
    assert_int_equal(s.connections_dropped, 1);
    bench_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(watches),
        cmocka_unit_test(dump),
        cmocka_unit_test(connections),
        cmocka_unit_test(monitor),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
