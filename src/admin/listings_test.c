/* Answers that grow with what the server holds: whole in pieces of any size, and no piece larger than it should be. */
#include "admin/bench_for_tests.h"
#include "admin/command.h"
#include "admin/words.h"
#include "wire/proto.h"
#include "wire/records.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#define WATCHES 200u
#define LINE_MAX_BYTES 200u
#define MANY 100000u
#define STAY 60u

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

/* The same for a tab and one character, of answers so long that strstr under a sanitizer would not come to an end. */
static size_t tabs_before(const struct buf *b, uint8_t next)
{
    size_t n = 0;
    for (size_t i = 1; i < b->n; i++)
        n += b->p[i - 1] == '\t' && b->p[i] == next;
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
        bench_create_ephemeral(&b, i % 2, path);
    }
    b.now_ms += 2000;
    bench_open_session(&b, 7);
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

/* A walk over all of it for each piece would not come to an end. */
static void very_many_in_small_pieces(void **state)
{
    (void)state;
    struct bench b;
    struct buf out;
    bench_open(&b);
    struct tree *t = (struct tree *)(uintptr_t)core_tree(b.core);
    char path[20];
    for (uint32_t i = 0; i < MANY; i++) {
        snprintf(path, sizeof path, "/w%u", (unsigned)i);
        watch_add(t, 1, slice_str(path), WATCH_DATA);
        watch_add(t, 100 + i, slice_str("/shared"), WATCH_DATA);
    }
    ask(&b, "wchc", 60, &out);
    assert_int_equal(tabs_before(&out, '/'), MANY);
    buf_fini(&out);
    ask(&b, "wchp", 60, &out);
    assert_int_equal(tabs_before(&out, '0'), 2 * MANY);
    buf_fini(&out);
    for (uint32_t i = 0; i < MANY / 4; i++) {
        snprintf(path, sizeof path, "/e%u", (unsigned)i);
        bench_create_ephemeral(&b, 1, path);
    }
    ask(&b, "dump", 20, &out);
    assert_int_equal(tabs_before(&out, '/'), MANY / 4);
    buf_fini(&out);
    bench_close(&b);
}

static void delete_node(struct bench *b, const char *path)
{
    struct buf frame;
    buf_init(&frame, 1000);
    wire_put_request_header(&frame, &(struct wire_request_header){ 1, WIRE_OP_DELETE });
    wire_put_ustring(&frame, slice_str(path));
    wire_put_i32(&frame, -1);
    bench_send(b, 0, &frame);
    buf_fini(&frame);
}

/* What stays is shown once, whatever happens to the records around it. */
static void what_stays_is_shown_once(void **state)
{
    (void)state;
    static const char *const words[] = { "wchc", "wchp", "dump" };
    struct bench b;
    bench_open(&b);
    struct tree *t = (struct tree *)(uintptr_t)core_tree(b.core);
    char path[20], line[24];
    for (unsigned i = 0; i < 3 * STAY; i++) { /* one that stays between two that come and go */
        snprintf(path, sizeof path, i % 3 == 1 ? "/stays%03u" : "/goes%03u", i);
        bench_create_ephemeral(&b, i % 2, path);
        watch_add(t, 1 + i % 2, slice_str(path), WATCH_DATA);
    }
    for (size_t k = 0; k < ARRAY_COUNT(words); k++) {
        struct buf out;
        buf_init(&out, 1 << 20);
        struct command_answer *a = command_begin(&b.host, EXTRA, load_be32((const uint8_t *)words[k]), slice_str(""));
        for (unsigned n = 0; command_next(a, 15, &out); n++) {
            for (unsigned i = n * 7; i < n * 7 + 40; i++) {
                unsigned at = i % (3 * STAY);
                if (at % 3 == 1)
                    continue;
                snprintf(path, sizeof path, "/goes%03u", at);
                if (i % 2 == 0 && watch_remove(t, 1 + at % 2, slice_str(path), WATCH_DATA) == 0)
                    watch_add(t, 1 + at % 2, slice_str(path), WATCH_DATA);
                if (i % 4 == 1)
                    delete_node(&b, path);
                else if (i % 4 == 3)
                    bench_create_ephemeral(&b, at % 2, path);
            }
        }
        command_end(a);
        buf_append(&out, "", 1);
        for (unsigned i = 1; i < 3 * STAY; i += 3) {
            snprintf(line, sizeof line, "/stays%03u\n", i);
            if (lines_with(&out, line) != 1)
                fail_msg("%s: %zu times %s", words[k], lines_with(&out, line), line);
        }
        buf_fini(&out);
    }
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
    bench_create_ephemeral(&b, 1, "/e");
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
    bench_step(&b, (struct core_event){ .type = CORE_EV_CONN_LOST, .conn = EXTRA });
    struct core_stats s;
    core_stats(b.core, &s);
    assert_int_equal(s.connections_dropped, 0);
    bench_step(&b, (struct core_event){ .type = CORE_EV_CONN_LOST, .conn = 1 });
    core_stats(b.core, &s);
    assert_int_equal(s.connections_dropped, 1);
    bench_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(watches),
        cmocka_unit_test(dump),
        cmocka_unit_test(very_many_in_small_pieces),
        cmocka_unit_test(what_stays_is_shown_once),
        cmocka_unit_test(connections),
        cmocka_unit_test(monitor),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
