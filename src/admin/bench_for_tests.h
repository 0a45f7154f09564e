/* bench_for_tests: a core with five sessions and a connection without, and what the commands of this room want of a
 * server. Header-only, for the tests of this room. */
#ifndef ZOKOR_ADMIN_BENCH_FOR_TESTS_H
#define ZOKOR_ADMIN_BENCH_FOR_TESTS_H

#include "admin/command.h"
#include "core/core.h"
#include "wire/proto.h"
#include "wire/records.h"

#define CONNS 5u
#define EXTRA 20u /* a connection without a session: the one that asks */

struct bench {
    struct command_host host;
    struct core *core;
    struct core_out out;
    int64_t now_ms, appended;
};

static inline void bench_figures(void *ctx, struct command_figures *out)
{
    struct bench *b = ctx;
    *out = (struct command_figures){ .now_ms = b->now_ms, .wall_ms = 1795233872000 };
    summary_add(&out->sync_ms, 3);
}

static inline unsigned bench_interest(void *ctx, uint32_t conn)
{
    (void)ctx;
    (void)conn;
    return 1;
}

static inline void bench_step(struct bench *b, struct core_event ev)
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

static inline void bench_send(struct bench *b, uint32_t conn, struct buf *frame)
{
    bench_step(b, (struct core_event){ .type = CORE_EV_FRAME, .conn = conn, .frame = buf_slice(frame) });
    bench_step(b, (struct core_event){ .type = CORE_EV_LOG_SYNCED, .zxid = b->appended });
    buf_reset(frame);
}

static inline void bench_create_ephemeral(struct bench *b, uint32_t conn, const char *path)
{
    struct buf frame, acl;
    buf_init(&frame, 1000);
    buf_init(&acl, 1000);
    wire_put_acl(&acl, (struct wire_acl){ 31, { slice_str("world"), slice_str("anyone") } });
    wire_put_request_header(&frame, &(struct wire_request_header){ 1, WIRE_OP_CREATE });
    wire_put_create_request(
        &frame, &(struct wire_create_request){
                    .path = slice_str(path), .data = slice_str("x"), .acl = { 1, buf_slice(&acl) }, .flags = 1 });
    bench_send(b, conn, &frame);
    buf_fini(&frame);
    buf_fini(&acl);
}

static inline void bench_accept_conn(struct bench *b, uint32_t conn)
{
    bench_step(b, (struct core_event){ .type = CORE_EV_ACCEPT,
                                       .conn = conn,
                                       .peer = { .address = { 127, 0, 0, 1 }, .port = (uint16_t)(100 + conn) } });
}

static inline void bench_open_session(struct bench *b, uint32_t conn)
{
    struct buf frame;
    static const uint8_t passwd[16];
    buf_init(&frame, 1000);
    bench_accept_conn(b, conn);
    wire_put_connect_request(&frame,
                             &(struct wire_connect_request){ .timeout_ms = 10000, .passwd = slice_of(passwd, 16) });
    bench_send(b, conn, &frame);
    buf_fini(&frame);
}

static inline void bench_open(struct bench *b)
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
    b->host = (struct command_host){ .ctx = b,
                                     .core = b->core,
                                     .words_allowed = "*",
                                     .figures = bench_figures,
                                     .interest = bench_interest,
                                     .with_metrics = true };
    core_out_init(&b->out);
    for (uint32_t k = 0; k < CONNS; k++)
        bench_open_session(b, k);
    bench_accept_conn(b, EXTRA);
}

static inline void bench_close(struct bench *b)
{
    core_free(b->core);
    core_out_fini(&b->out);
}

#endif
