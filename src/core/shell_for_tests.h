/* shell_for_tests: the smallest shell: keeps what the core sends to each connection, holds appends back until the test
 * says they are durable. Header-only, for the tests of this room. */
#ifndef ZOKOR_CORE_SHELL_FOR_TESTS_H
#define ZOKOR_CORE_SHELL_FOR_TESTS_H

#include "core/internal.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdio.h>

#define SHELL_CONNS 16

struct shell {
    struct core *core;
    struct core_out out;
    int64_t now_ms, wall_ms, appended_zxid, synced_zxid;
    struct buf got[SHELL_CONNS]; /* bytes sent to each connection, not yet looked at */
    bool closed[SHELL_CONNS];
    bool go_on[SHELL_CONNS];
    int32_t xid;
    struct buf snapshot;
    bool snapshot_begun, snapshot_ended;
};

static inline struct core_options shell_options(void)
{
    return (struct core_options){
        .seed = 1,
        .start_wall_ms = 1700000000000,
        .server_id = 1,
        .tick_time_ms = 2000,
        .session_timeout_ms_min = 4000,
        .session_timeout_ms_max = 40000,
        .handshake_timeout_ms = 10000,
        .frame_bytes_max = 1048575,
        .txn_bytes_max = 2097150,
        .extended_types = true,
        .digest_enabled = true,
        .reconfig_enabled = true,
        .digest_auth_enabled = true,
        .digest_algorithm = "SHA1",
        .super_digest = "super:D/InIHSb7yEEbrWz8b9l71RjZJU=",
        .container_check_interval_ms = 60000,
        .container_max_per_minute = 10000,
        .outstanding_limit = 1000,
        .snap_count = 100000,
    };
}

static inline void shell_init(struct shell *s, const struct core_options *o)
{
    *s = (struct shell){ .now_ms = 1000000, .wall_ms = 1700000000000 };
    core_out_init(&s->out);
    for (int i = 0; i < SHELL_CONNS; i++)
        buf_init(&s->got[i], 64u << 20);
    buf_init(&s->snapshot, 64u << 20);
    struct tree *t = tree_new(&(struct tree_options){
        .hash_key = 1, .extended_types = o->extended_types, .digest_enabled = o->digest_enabled });
    s->core = core_new(o, t, s->now_ms);
}

static inline void shell_fini(struct shell *s)
{
    core_check(s->core);
    struct core_stats stats;
    core_stats(s->core, &stats);
    assert_int_equal(stats.digest_mismatches, 0);
    core_free(s->core);
    core_out_fini(&s->out);
    for (int i = 0; i < SHELL_CONNS; i++)
        buf_fini(&s->got[i]);
    buf_fini(&s->snapshot);
}

static inline bool shell_step(struct shell *s, struct core_event ev)
{
    ev.now_ms = s->now_ms;
    ev.wall_ms = s->wall_ms;
    bool go_on = core_step(s->core, &ev, &s->out);
    for (size_t i = 0; i < s->out.fx_count; i++) {
        struct core_fx *fx = &s->out.fx[i];
        assert_in_range(fx->conn, 0, SHELL_CONNS - 1);
        if (fx->type == CORE_FX_SEND)
            buf_append(&s->got[fx->conn], fx->p, fx->n);
        else if (fx->type == CORE_FX_CLOSE)
            s->closed[fx->conn] = true;
        else
            s->go_on[fx->conn] = true;
    }
    for (size_t i = 0; i < s->out.append_count; i++) {
        assert_int_equal(s->out.appends[i].zxid, s->appended_zxid + 1);
        s->appended_zxid = s->out.appends[i].zxid;
        blob_unref(s->out.appends[i].txn);
    }
    if (s->out.snapshot.begin)
        s->snapshot_begun = true;
    buf_append_slice(&s->snapshot, s->out.snapshot.body);
    s->snapshot_ended = s->snapshot_ended || s->out.snapshot.end;
    core_out_reset(&s->out);
    return go_on;
}

static inline void shell_sync(struct shell *s)
{
    s->synced_zxid = s->appended_zxid;
    shell_step(s, (struct core_event){ .type = CORE_EV_LOG_SYNCED, .zxid = s->synced_zxid });
}

static inline void shell_pass(struct shell *s, int64_t ms)
{
    s->now_ms += ms;
    s->wall_ms += ms;
    shell_step(s, (struct core_event){ .type = CORE_EV_TICK });
}

static inline bool shell_accept(struct shell *s, uint32_t conn)
{
    s->closed[conn] = false;
    buf_reset(&s->got[conn]);
    return shell_step(s, (struct core_event){ .type = CORE_EV_ACCEPT,
                                              .conn = conn,
                                              .peer = { .address = { 127, 0, 0, 1 }, .port = 1 } });
}

static inline bool shell_frame(struct shell *s, uint32_t conn, struct slice frame)
{
    return s->go_on[conn] = shell_step(s, (struct core_event){ .type = CORE_EV_FRAME, .conn = conn, .frame = frame });
}

/* The next frame sent to a connection; fails the test if there is none. The bytes live until the next call. */
static inline struct slice shell_next(struct shell *s, uint32_t conn)
{
    static uint8_t keep[1 << 20];
    struct slice frame = { 0 };
    size_t used = 0;
    assert_int_equal(wire_frame_next(buf_slice(&s->got[conn]), sizeof keep, &frame, &used), 1);
    memcpy(keep, frame.p, frame.n);
    frame.p = keep;
    buf_drop_front(&s->got[conn], used);
    return frame;
}

static inline int64_t shell_connect_as(struct shell *s, uint32_t conn, int64_t session_id, const uint8_t *passwd,
                                       int32_t timeout_ms)
{
    struct buf b;
    buf_init(&b, 1000);
    wire_put_connect_request(&b,
                             &(struct wire_connect_request){
                                 .timeout_ms = timeout_ms,
                                 .session_id = session_id,
                                 .passwd = slice_of(passwd != NULL ? passwd : (const uint8_t *)"0123456789abcdef", 16),
                                 .has_read_only = true });
    assert_true(shell_accept(s, conn));
    shell_frame(s, conn, buf_slice(&b));
    shell_sync(s);
    buf_fini(&b);
    struct slice frame = shell_next(s, conn);
    struct wire_reader r = wire_reader_of(frame);
    struct wire_connect_response q = wire_get_connect_response(&r);
    assert_int_equal(r.err, 0);
    return q.session_id;
}

static inline int64_t shell_connect(struct shell *s, uint32_t conn)
{
    return shell_connect_as(s, conn, 0, NULL, 10000);
}

/* Sends a request; the body is what `put` functions left in b, which is emptied. Returns its xid. */
static inline int32_t shell_send(struct shell *s, uint32_t conn, int32_t op, struct buf *body)
{
    struct buf b;
    buf_init(&b, 4u << 20);
    int32_t xid = ++s->xid;
    wire_put_request_header(&b, &(struct wire_request_header){ xid, op });
    if (body != NULL) {
        buf_append_slice(&b, buf_slice(body));
        buf_reset(body);
    }
    shell_frame(s, conn, buf_slice(&b));
    buf_fini(&b);
    return xid;
}

/* Takes the next frame as the reply to xid; returns its error and leaves the body in *body (may be NULL). */
static inline int32_t shell_reply(struct shell *s, uint32_t conn, int32_t xid, struct wire_reader *body)
{
    struct wire_reader r = wire_reader_of(shell_next(s, conn));
    struct wire_reply_header h = wire_get_reply_header(&r);
    assert_int_equal(r.err, 0);
    assert_int_equal(h.xid, xid);
    if (body != NULL)
        *body = r;
    return h.err;
}

static inline void put_create(struct buf *b, const char *path, const char *data, int32_t flags)
{
    wire_put_create_request(b,
                            &(struct wire_create_request){
                                .path = slice_str(path), .data = slice_str(data), .acl = acl_open(), .flags = flags });
}

static inline int32_t shell_create(struct shell *s, uint32_t conn, const char *path, int32_t flags)
{
    struct buf b;
    buf_init(&b, 1 << 20);
    put_create(&b, path, "data", flags);
    int32_t xid = shell_send(s, conn, WIRE_OP_CREATE, &b);
    buf_fini(&b);
    shell_sync(s);
    return shell_reply(s, conn, xid, NULL);
}

#endif
