#include "admin/command.h"
#include "admin/words.h"
#include "base/mem.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

struct bench {
    struct command_host host;
    struct core_out out;
};

static void figures(void *ctx, struct command_figures *out)
{
    (void)ctx;
    *out = (struct command_figures){ .now_ms = 2000, .wall_ms = 1795233872000, .started_ms = 1000 };
}

static void conf(void *ctx, struct buf *out)
{
    (void)ctx;
    buf_printf(out, "clientPort=1\n");
}

static void dir_bytes(void *ctx, int64_t *snap, int64_t *log)
{
    (void)ctx;
    *snap = 11;
    *log = 22;
}

static unsigned interest(void *ctx, uint32_t conn)
{
    (void)ctx;
    (void)conn;
    return 1;
}

static void bench_open(struct bench *b, const char *allowed)
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
                              .snap_count = 100 };
    struct tree *t = tree_new(&(struct tree_options){ .hash_key = 1 });
    *b = (struct bench){ .host = { .core = core_new(&o, t, 1000),
                                   .words_allowed = allowed,
                                   .figures = figures,
                                   .conf = conf,
                                   .dir_bytes = dir_bytes,
                                   .interest = interest,
                                   .trace_mask = 306 } };
    core_out_init(&b->out);
    for (uint32_t k = 0; k < 3; k++)
        core_step(b->host.core,
                  &(struct core_event){ .type = CORE_EV_ACCEPT,
                                        .conn = k,
                                        .now_ms = 1000,
                                        .peer = { .address = { 127, 0, 0, 1 }, .port = (uint16_t)(100 + k) } },
                  &b->out);
}

static void bench_close(struct bench *b)
{
    core_free(b->host.core);
    core_out_fini(&b->out);
}

/* The whole answer, taken in pieces of `bytes`. */
static void ask(struct bench *b, const char *word, struct slice argument, size_t bytes, struct buf *out)
{
    buf_init(out, 1 << 20);
    uint32_t w = load_be32((const uint8_t *)word);
    assert_true(command_known(w));
    assert_int_equal(command_argument_bytes(w), argument.n);
    struct command_answer *a = command_begin(&b->host, 0, w, argument);
    while (command_next(a, bytes, out))
        ;
    command_end(a);
    buf_append(out, "", 1);
}

static void expect(struct bench *b, const char *word, const char *text)
{
    struct buf out;
    ask(b, word, slice_str(""), 7, &out);
    assert_string_equal((const char *)out.p, text);
    buf_fini(&out);
}

static void short_answers(void **state)
{
    (void)state;
    struct bench b;
    bench_open(&b, "*");
    expect(&b, "ruok", "imok");
    expect(&b, "isro", "rw");
    expect(&b, "gtmk", "306");
    expect(&b, "conf", "clientPort=1\n");
    expect(&b, "dirs", "datadir_size: 11\nlogdir_size: 22\n");
    expect(&b, "srst", "Server stats reset.\n");
    expect(&b, "crst", "Connection stats reset.\n");
    expect(&b, "wchs", "0 connections watching 0 paths\nTotal watches:0\n");
    expect(&b, "wchc", "\n");
    expect(&b, "\xff\xf4\xff\xfd", "");
    struct buf out;
    ask(&b, "stmk", slice_of("\0\0\0\0\0\0\0\5", 8), 100, &out);
    assert_string_equal((const char *)out.p, "5");
    buf_fini(&out);
    expect(&b, "gtmk", "5");
    bench_close(&b);
}

static void listings_come_whole_in_any_pieces(void **state)
{
    (void)state;
    struct bench b;
    bench_open(&b, "*");
    expect(&b, "cons",
           " /127.0.0.1:100[1](queued=0,recved=1,sent=0)\n /127.0.0.1:101[1](queued=0,recved=0,sent=0)\n"
           " /127.0.0.1:102[1](queued=0,recved=0,sent=0)\n\n");
    watch_add((struct tree *)(uintptr_t)core_tree(b.host.core), 1, slice_str("/b"), WATCH_DATA);
    watch_add((struct tree *)(uintptr_t)core_tree(b.host.core), 1, slice_str("/a"), WATCH_RECURSIVE);
    watch_add((struct tree *)(uintptr_t)core_tree(b.host.core), 2, slice_str("/a"), WATCH_CHILD);
    expect(&b, "wchs", "1 connections watching 2 paths\nTotal watches:2\n");
    expect(&b, "wchc", "0x0\n\t/b\n\t/a\n\n");
    expect(&b, "wchp", "/b\n\t0x0\n/a\n\t0x0\n\n");
    expect(&b, "dump",
           "SessionTracker dump:\nSession Sets (0)/(0):\nephemeral nodes dump:\nSessions with Ephemerals (0):\n"
           "Connections dump:\nConnections Sets (1)/(3):\n3 expire at Sat Nov 21 04:04:50 UTC 2026:\n"
           "\tip: /127.0.0.1:100 sessionId: 0x0\n\tip: /127.0.0.1:101 sessionId: 0x0\n\tip: /127.0.0.1:102 sessionId: "
           "0x0\n");
    bench_close(&b);
}

static void only_listed_words_answer(void **state)
{
    (void)state;
    struct bench b;
    bench_open(&b, " ruok ,mntr");
    expect(&b, "ruok", "imok");
    expect(&b, "cons", "cons is not executed because it is not in the whitelist.\n");
    expect(&b, "isro", "isro is not executed because it is not in the whitelist.\n");
    expect(&b, "\xff\xf4\xff\xfd", "telnet close is not executed because it is not in the whitelist.\n");
    b.host.read_only_mode = true;
    expect(&b, "isro", "rw");
    struct buf out;
    ask(&b, "srvr", slice_str(""), 100, &out);
    assert_non_null(strstr((const char *)out.p, "Zxid: 0x0\nMode: standalone\nNode count: 5\n"));
    assert_non_null(strstr((const char *)out.p, "Latency min/avg/max: 0/0.0/0\n"));
    buf_fini(&out);
    assert_false(command_known(load_be32((const uint8_t *)"RUOK")));
    bench_close(&b);
}

static void decimals_are_javas(void **state)
{
    (void)state;
    const struct {
        double value;
        const char *text;
    } rows[] = { { 0, "0.0" }, { 1, "1.0" }, { 0.41051, "0.4105" }, { 12.5, "12.5" }, { 0.1, "0.1" } };
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        struct buf out;
        buf_init(&out, 100);
        put_decimal(&out, rows[i].value);
        assert_true(slice_eq_str(buf_slice(&out), rows[i].text));
        buf_fini(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(short_answers),
        cmocka_unit_test(listings_come_whole_in_any_pieces),
        cmocka_unit_test(only_listed_words_answer),
        cmocka_unit_test(decimals_are_javas),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
