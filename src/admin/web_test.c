/* HTTP commands without HTTP: answers whole in pieces of any size, what comes and goes between two pieces, who may do
 * what how often, and the page for Prometheus. test/admin compares the rest with Apache. */
#include "admin/bench_for_tests.h"
#include "admin/metrics.h"
#include "admin/web.h"
#include "tree/watch.h"
#include <stdio.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define WATCHES 100u
#define ENTRY_MAX_BYTES 1600u /* server_stats is one */
#define END_BYTES 60u

struct web_bench {
    struct bench b;
    struct web_host host;
    struct web_ask *pending;
};

static void no_conf(void *ctx, struct json *j)
{
    (void)ctx;
    (void)j;
}

static void take_snapshot(void *ctx, struct web_ask *ask)
{
    struct web_bench *w = ctx;
    w->pending = ask;
}

static void open_bench(struct web_bench *w)
{
    *w = (struct web_bench){ .pending = NULL };
    bench_open(&w->b);
    w->host = (struct web_host){ .ctx = w,
                                 .words = &w->b.host,
                                 .conf = no_conf,
                                 .snapshot_enabled = true,
                                 .restore_enabled = true,
                                 .last_zxid_block = true,
                                 .snapshot = take_snapshot,
                                 .restore = take_snapshot };
}

static void begin(struct web_ask *ask, const char *name)
{
    web_ask_init(ask);
    ask->row = web_find(name, &ask->known_as);
    assert_non_null(ask->row);
}

static void end(struct web_ask *ask, struct buf *out)
{
    *out = ask->piece;
    ask->piece = (struct buf){ 0 };
    web_ask_fini(ask);
    buf_append(out, "", 1);
}

static void ask_for(struct web_bench *w, const char *name, size_t bytes, struct buf *out)
{
    struct web_ask ask;
    begin(&ask, name);
    do {
        size_t before = ask.piece.n;
        web_serve(&w->host, &ask, bytes);
        assert_true(ask.piece.n - before <= bytes + ENTRY_MAX_BYTES + END_BYTES);
        assert_true(!ask.more || ask.piece.n != before);
    } while (ask.more);
    assert_int_equal(ask.status, WEB_OK);
    end(&ask, out);
}

static void ask_in_all_sizes(struct web_bench *w, const char *name, struct buf *whole)
{
    static const size_t sizes[] = { 1, 17, 100, 1000, 65536 };
    ask_for(w, name, 1 << 20, whole);
    for (size_t i = 0; i < ARRAY_COUNT(sizes); i++) {
        struct buf out;
        ask_for(w, name, sizes[i], &out);
        assert_string_equal((const char *)out.p, (const char *)whole->p);
        buf_fini(&out);
    }
}

static size_t count_of(const struct buf *b, const char *part)
{
    size_t n = 0;
    for (const char *p = (const char *)b->p; (p = strstr(p, part)) != NULL; p++)
        n++;
    return n;
}

static void add_watches(struct web_bench *w)
{
    struct tree *t = (struct tree *)(uintptr_t)core_tree(w->b.core);
    for (uint32_t i = 0; i < WATCHES; i++) {
        char path[20];
        snprintf(path, sizeof path, "/w%u", (unsigned)i);
        for (uint32_t k = 0; k < CONNS; k++)
            watch_add(t, k, slice_str(path), k == 0 ? WATCH_CHILD : WATCH_DATA | WATCH_CHILD);
    }
}

static void lists_in_pieces(void **state)
{
    (void)state;
    struct web_bench w;
    struct buf out;
    open_bench(&w);
    add_watches(&w);
    for (unsigned i = 0; i < 30; i++) {
        char path[20];
        snprintf(path, sizeof path, "/e%u", i);
        bench_create_ephemeral(&w.b, i % 2, path);
    }
    ask_in_all_sizes(&w, "watches", &out);
    assert_int_equal(count_of(&out, "\"/w"), (CONNS - 1) * WATCHES); /* watches of children are none, as in Apache */
    assert_int_equal(count_of(&out, "[ "), CONNS - 1);
    buf_fini(&out);
    ask_in_all_sizes(&w, "watches_by_path", &out);
    assert_int_equal(count_of(&out, "\" : [ "), WATCHES);
    assert_int_equal(count_of(&out, ", "), WATCHES * (CONNS - 2));
    buf_fini(&out);
    ask_in_all_sizes(&w, "dump", &out);
    assert_int_equal(count_of(&out, "\"/e"), 30);
    assert_int_equal(count_of(&out, "[ "), 2 + 1); /* two owners; all sessions expire in one moment */
    buf_fini(&out);
    ask_in_all_sizes(&w, "connections", &out);
    assert_int_equal(count_of(&out, "\"remote_socket_address\""), CONNS + 1);
    buf_fini(&out);
    ask_for(&w, "stats", 1, &out);
    assert_int_equal(count_of(&out, "\"remote_socket_address\""), CONNS + 1);
    assert_int_equal(count_of(&out, "\"session_id\""), 0);
    buf_fini(&out);
    bench_close(&w.b);
}

/* Brackets must match whatever the core does between two pieces. */
static void expect_balanced(const struct buf *b)
{
    int depth = 0;
    for (size_t i = 0; i + 1 < b->n; i++) {
        depth += b->p[i] == '{' || b->p[i] == '[';
        depth -= b->p[i] == '}' || b->p[i] == ']';
        assert_true(depth > 0 || i + 2 >= b->n);
    }
    assert_int_equal(depth, 0);
    assert_int_equal(count_of(b, ",\n}"), 0);
    assert_int_equal(count_of(b, "[ ,"), 0);
}

static void things_go_between_pieces(void **state)
{
    (void)state;
    static const char *const names[] = { "watches", "watches_by_path", "dump", "connections" };
    for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
        struct web_bench w;
        struct web_ask ask;
        struct buf out;
        open_bench(&w);
        add_watches(&w);
        begin(&ask, names[i]);
        web_serve(&w.host, &ask, 300);
        struct tree *t = (struct tree *)(uintptr_t)core_tree(w.b.core);
        for (uint32_t k = 0; k < CONNS; k++) {
            watch_drop_watcher(t, k);
            bench_step(&w.b, (struct core_event){ .type = CORE_EV_CONN_LOST, .conn = k });
        }
        watch_add(t, EXTRA, slice_str("/new"), WATCH_DATA);
        while (ask.more)
            web_serve(&w.host, &ask, 300);
        end(&ask, &out);
        expect_balanced(&out);
        buf_fini(&out);
        bench_close(&w.b);
    }
}

/* Gone before the end: nothing leaks (the address sanitizer watches). */
static void nobody_reads_on(void **state)
{
    (void)state;
    struct web_bench w;
    struct web_ask ask;
    open_bench(&w);
    begin(&ask, "dump");
    web_serve(&w.host, &ask, 1);
    assert_true(ask.more);
    web_ask_fini(&ask);
    begin(&ask, "dump");
    web_serve(&w.host, &ask, 1);
    web_serve_closed(&ask);
    assert_true(ask.failed && !ask.more);
    web_ask_fini(&ask);
    begin(&ask, "mntr");
    web_serve_closed(&ask);
    assert_non_null(
        strstr((const char *)ask.piece.p, "\"command\" : \"mntr\",\n  \"error\" : \"This ZooKeeper instance"));
    web_ask_fini(&ask);
    bench_close(&w.b);
}

static int status_of(struct web_bench *w, const char *name, const char *header)
{
    struct web_ask ask;
    begin(&ask, name);
    ask.authorization = header == NULL ? (struct slice){ 0 } : slice_str(header);
    ask.address = slice_str("127.0.0.1");
    w->pending = NULL;
    web_serve(&w->host, &ask, 1000);
    if (w->pending != NULL) {
        assert_true(ask.pending);
        web_finish(w->pending, WEB_OK, 7);
        assert_non_null(strstr((const char *)ask.piece.p, "\"last_zxid\" : 7"));
    }
    int status = ask.status;
    web_ask_fini(&ask);
    return status;
}

static void guarded(void **state)
{
    (void)state;
    struct web_bench w;
    open_bench(&w);
    assert_int_equal(status_of(&w, "snapshot", NULL), WEB_NO_AUTH);
    assert_int_equal(status_of(&w, "snapshot", ""), WEB_NO_AUTH);
    assert_int_equal(status_of(&w, "snapshot", " ip"), WEB_NO_AUTH);
    assert_int_equal(status_of(&w, "snapshot", "ip"), WEB_OK);
    assert_int_equal(status_of(&w, "snap", "ip  "), WEB_OK);
    assert_int_equal(status_of(&w, "restore", "ip"), WEB_CONTINUE);
    w.host.restore_enabled = false;
    assert_int_equal(status_of(&w, "rest", "ip"), WEB_DISABLED);
    w.host.last_zxid_block = false;
    assert_int_equal(status_of(&w, "snapshot", "ip"), WEB_FAILED);
    bench_close(&w.b);
}

/* As Apache counts: an interval begins at the first request after the one before has ended. */
static void limits(void **state)
{
    (void)state;
    struct web_bench w;
    open_bench(&w);
    w.host.snapshot_limiter = (struct web_limiter){ .interval_ms = 1000, .since_ms = w.b.now_ms };
    assert_int_equal(status_of(&w, "snapshot", "ip"), WEB_OK);
    assert_int_equal(status_of(&w, "snapshot", "nobody"), WEB_NO_AUTH); /* does not count */
    assert_int_equal(status_of(&w, "snapshot", "ip"), WEB_LIMITED);
    w.b.now_ms += 1000;
    assert_int_equal(status_of(&w, "snapshot", "ip"), WEB_LIMITED);
    w.b.now_ms += 1;
    assert_int_equal(status_of(&w, "snapshot", "ip"), WEB_OK);
    assert_int_equal(status_of(&w, "snapshot", "ip"), WEB_LIMITED);
    assert_int_equal(w.host.snapshots_limited, 3);
    bench_close(&w.b);
}

static void names(void **state)
{
    (void)state;
    const char *known_as;
    assert_null(web_find("", &known_as));
    assert_null(web_find("RUOK", &known_as));
    assert_ptr_equal(web_find("envi", &known_as), web_find("environment", &known_as));
    assert_ptr_equal(web_find("env", &known_as), web_find("environment", &known_as));
    for (size_t i = 1; web_name(i) != NULL; i++)
        assert_true(strcmp(web_name(i - 1), web_name(i)) < 0);
}

static void create(struct web_bench *w, const char *path, const char *data)
{
    struct buf frame, acl;
    buf_init(&frame, 1000);
    buf_init(&acl, 1000);
    wire_put_acl(&acl, (struct wire_acl){ 31, { slice_str("world"), slice_str("anyone") } });
    wire_put_request_header(&frame, &(struct wire_request_header){ 1, WIRE_OP_CREATE });
    wire_put_create_request(&frame, &(struct wire_create_request){ .path = slice_str(path),
                                                                   .data = slice_str(data),
                                                                   .acl = { 1, buf_slice(&acl) } });
    bench_send(&w->b, 1, &frame);
    buf_fini(&frame);
    buf_fini(&acl);
}

static void sets(void **state)
{
    (void)state;
    struct web_bench w;
    struct buf out;
    open_bench(&w);
    create(&w, "/a\"b", "12345");
    create(&w, "/a\"b/c", "");
    create(&w, "/zookeeper/quota/q", "");
    create(&w, "/zookeeper/quota/q/zookeeper_limits", "count=5,bytes=-1=;byteHardLimit=100;countHardLimit=-1");
    create(&w, "/zookeeper/quota/q/zookeeper_stats", "count=2,bytes=7");
    ask_for(&w, "/metrics", 1 << 20, &out);
    const char *text = (const char *)out.p;
    assert_int_equal(count_of(&out, "# TYPE write_per_namespace summary\n"), 1);
    assert_non_null(strstr(text, "\nwrite_per_namespace{key=\"a\\\"b\",quantile=\"0.5\"} NaN\n"
                                 "write_per_namespace_count{key=\"a\\\"b\"} 2.0\n"
                                 "write_per_namespace_sum{key=\"a\\\"b\"} 15.0\n"));
    assert_non_null(strstr(text, "\nquota_count_limit_per_namespace{key=\"q\"} 5.0\n"));
    assert_non_null(strstr(text, "\nquota_bytes_limit_per_namespace{key=\"q\"} 100.0\n"));
    buf_fini(&out);
    ask_for(&w, "monitor", 1 << 20, &out);
    text = (const char *)out.p;
    assert_non_null(strstr(text, "  \"cnt_a\\\"b_write_per_namespace\" : 2,\n"));
    assert_non_null(strstr(text, "  \"max_a\\\"b_write_per_namespace\" : 9,\n"));
    assert_non_null(strstr(text, "  \"q_quota_bytes_limit_per_namespace\" : 100,\n"));
    buf_fini(&out);
    bench_close(&w.b);
}

/* Names are the clients' choice: the table stays small. */
static void sets_are_bounded(void **state)
{
    (void)state;
    struct web_bench w;
    struct buf out;
    open_bench(&w);
    for (unsigned i = 0; i < 1000; i++) {
        char path[20];
        snprintf(path, sizeof path, "/n%u", i);
        create(&w, path, "");
    }
    ask_for(&w, "monitor", 1 << 20, &out);
    assert_int_equal(count_of(&out, "\"cnt_n"), 256 + 5); /* and the figures about nodes and netty */
    buf_fini(&out);
    core_stats_reset(w.b.core);
    ask_for(&w, "monitor", 1 << 20, &out);
    assert_int_equal(count_of(&out, "per_namespace"), 0);
    buf_fini(&out);
    bench_close(&w.b);
}

static void page(void **state)
{
    (void)state;
    struct web_bench w;
    struct buf out;
    open_bench(&w);
    ask_for(&w, "/metrics", 1 << 20, &out);
    const char *text = (const char *)out.p;
    assert_non_null(strstr(text, "# HELP znode_count znode_count\n# TYPE znode_count gauge\nznode_count 5.0\n"));
    assert_non_null(strstr(text, "# TYPE connection_request_count counter\nconnection_request_count 5.0\n"));
    assert_non_null(
        strstr(text, "# TYPE connection_request_count_total counter\nconnection_request_count_total 5.0\n"));
    assert_non_null(strstr(text, "# TYPE fsynctime summary\nfsynctime{quantile=\"0.5\"} 3.0\nfsynctime_count 1.0\n"
                                 "fsynctime_sum 3.0\n"));
    assert_non_null(strstr(text, "\nreadlatency{quantile=\"0.99\"} NaN\n"));
    assert_null(strstr(text, "\nprocess_"));
    buf_fini(&out);
    bench_close(&w.b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lists_in_pieces),
        cmocka_unit_test(things_go_between_pieces),
        cmocka_unit_test(nobody_reads_on),
        cmocka_unit_test(guarded),
        cmocka_unit_test(limits),
        cmocka_unit_test(names),
        cmocka_unit_test(page),
        cmocka_unit_test(sets),
        cmocka_unit_test(sets_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
