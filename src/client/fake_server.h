/* fake_server: drives a client core by hand, without sockets or time. For the unit tests of this room. */
#ifndef ZOKOR_CLIENT_FAKE_SERVER_H
#define ZOKOR_CLIENT_FAKE_SERVER_H

#include "base/err.h"
#include "base/mem.h"
#include "client/core.h"
#include "wire/proto.h"
#include "wire/records.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#define FAKE_TIMEOUT_MS 9000

struct fake {
    struct client_core *c;
    int64_t now;
    struct buf sent;  /* what the client sent on this connection and nobody has read */
    size_t sent_at;   /* how far it was read */
    struct buf reply; /* a frame being made */
    struct client_dones dones;
    size_t done_at;
    int connects, resolves, disconnects, probes;
    bool ended;
    struct client_addr addrs[8];
    size_t addr_n;
    size_t slice_bytes; /* at most so many bytes a read; 0: all */
};

/* A frame the client sent. */
struct fake_request {
    int32_t xid, op;
    struct wire_reader body;
};

static inline struct client_addr fake_addr(uint8_t number)
{
    return (struct client_addr){ .n = 1, .bytes = { number } };
}

static inline void fake_init(struct fake *f, struct client_config config)
{
    *f = (struct fake){ .now = 1000, .addr_n = 1, .addrs = { fake_addr(1) } };
    if (config.timeout_ms == 0)
        config.timeout_ms = FAKE_TIMEOUT_MS;
    f->c = client_new(&config, f->now);
    buf_init(&f->sent, SIZE_MAX);
    buf_init(&f->reply, SIZE_MAX);
}

static inline void fake_drop_dones(struct fake *f)
{
    for (f->done_at = 0; f->done_at < f->dones.n; f->done_at++)
        client_done_fini(&f->dones.p[f->done_at]);
    f->dones.n = f->done_at = 0;
}

static inline void fake_fini(struct fake *f)
{
    client_free(f->c);
    fake_drop_dones(f);
    mem_free(f->dones.p);
    buf_fini(&f->sent);
    buf_fini(&f->reply);
}

/* What a shell's turn does; connections are opened at once if `accepts`, otherwise they stay on their way. */
static inline void fake_turn(struct fake *f, bool accepts)
{
    enum client_need need;
    while ((need = client_need(f->c, f->now)) != CLIENT_NEED_NOTHING && need != CLIENT_NEED_END) {
        if (need == CLIENT_NEED_RESOLVE) {
            f->resolves++;
            client_resolved(f->c, f->addrs, f->addr_n, f->now);
        } else if (need == CLIENT_NEED_CONNECT) {
            f->connects++;
            buf_reset(&f->sent);
            f->sent_at = 0;
            if (accepts)
                client_opened(f->c, f->now);
        } else if (need == CLIENT_NEED_DISCONNECT) {
            f->disconnects++;
            buf_reset(&f->sent);
            f->sent_at = 0;
        } else {
            f->probes++;
        }
    }
    f->ended = need == CLIENT_NEED_END;
    struct buf out;
    buf_init(&out, SIZE_MAX);
    if (client_take_output(f->c, &out, f->now))
        buf_append_slice(&f->sent, buf_slice(&out));
    buf_fini(&out);
}

/* Bytes from the server, in pieces if the test asked for it. */
static inline void fake_feed(struct fake *f, struct slice s)
{
    while (s.n > 0) {
        uint8_t *p;
        size_t n;
        client_room(f->c, &p, &n);
        assert_true(n > 0);
        n = n > s.n ? s.n : n;
        if (f->slice_bytes != 0 && n > f->slice_bytes)
            n = f->slice_bytes;
        memcpy(p, s.p, n);
        client_received(f->c, n, f->now);
        s = slice_of(s.p + n, s.n - n);
    }
}

static inline void fake_feed_frame(struct fake *f, struct slice payload)
{
    struct buf b;
    buf_init(&b, SIZE_MAX);
    wire_put_i32(&b, (int32_t)payload.n);
    buf_append_slice(&b, payload);
    fake_feed(f, buf_slice(&b));
    buf_fini(&b);
}

/* An answer: header, and the body in f->reply if there is one (it is emptied). */
static inline void fake_answer(struct fake *f, int32_t xid, int64_t zxid, int32_t err)
{
    struct buf b;
    const struct wire_reply_header h = { .xid = xid, .zxid = zxid, .err = err };
    buf_init(&b, SIZE_MAX);
    wire_put_reply_header(&b, &h);
    buf_append_slice(&b, buf_slice(&f->reply));
    fake_feed_frame(f, buf_slice(&b));
    buf_fini(&b);
    buf_reset(&f->reply);
}

static inline void fake_event(struct fake *f, int32_t type, const char *path, int64_t zxid)
{
    const struct wire_watcher_event e = { .type = type, .state = 3, .path = slice_str(path) };
    wire_put_watcher_event(&f->reply, &e);
    fake_answer(f, WIRE_XID_NOTIFICATION, zxid, 0);
}

/* The next frame that the client sent; false if there is none. */
static inline bool fake_next(struct fake *f, struct slice *frame)
{
    size_t used;
    if (f->sent.p == NULL ||
        wire_frame_next(slice_of(f->sent.p + f->sent_at, f->sent.n - f->sent_at), INT32_MAX, frame, &used) != 1)
        return false;
    f->sent_at += used;
    return true;
}

static inline bool fake_request(struct fake *f, struct fake_request *r)
{
    struct slice frame = { 0 };
    if (!fake_next(f, &frame))
        return false;
    r->body = wire_reader_of(frame);
    r->xid = wire_get_i32(&r->body);
    r->op = wire_get_i32(&r->body);
    return true;
}

static inline struct wire_connect_request fake_connect_request(struct fake *f)
{
    struct slice frame = { 0 };
    assert_true(fake_next(f, &frame));
    struct wire_reader r = wire_reader_of(frame);
    struct wire_connect_request q = wire_get_connect_request(&r);
    assert_int_equal(r.err, 0);
    return q;
}

static inline void fake_connect_answer(struct fake *f, int64_t session, int32_t timeout_ms, bool read_only)
{
    static const uint8_t passwd[WIRE_PASSWD_BYTES] = "0123456789abcde";
    const struct wire_connect_response r = { .timeout_ms = timeout_ms,
                                             .session_id = session,
                                             .passwd = slice_of(passwd, sizeof(passwd)),
                                             .read_only = read_only,
                                             .has_read_only = true };
    struct buf b;
    buf_init(&b, SIZE_MAX);
    wire_put_connect_response(&b, &r);
    fake_feed_frame(f, buf_slice(&b));
    buf_fini(&b);
    fake_turn(f, true);
}

/* From nothing to a session. */
static inline void fake_up(struct fake *f)
{
    fake_turn(f, true);
    (void)fake_connect_request(f);
    fake_connect_answer(f, 0x77, FAKE_TIMEOUT_MS, false);
    assert_int_equal(client_state_of(f->c), CLIENT_STATE_CONNECTED);
}

/* The next record to deliver; NULL if there is none. */
static inline struct client_done *fake_done(struct fake *f)
{
    if (f->done_at < f->dones.n)
        return &f->dones.p[f->done_at++];
    for (size_t i = 0; i < f->dones.n; i++)
        client_done_fini(&f->dones.p[i]);
    f->dones.n = f->done_at = 0;
    return client_take_done(f->c, &f->dones) ? &f->dones.p[f->done_at++] : NULL;
}

/* The next record is the answer with this tag and error. */
static inline void fake_expect(struct fake *f, uint32_t tag, int32_t rc)
{
    struct client_done *d = fake_done(f);
    assert_non_null(d);
    assert_false(d->is_event);
    assert_int_equal(d->call.tag, tag);
    assert_int_equal(d->rc, rc);
}

/* The next record is an event of this type and state. */
static inline void fake_expect_event(struct fake *f, int32_t type, int32_t state)
{
    struct client_done *d = fake_done(f);
    assert_non_null(d);
    assert_true(d->is_event);
    assert_int_equal(d->type, type);
    assert_int_equal(d->state, state);
}

static inline void fake_somebody(void)
{
}

/* A request for a path with a version or a watch flag; its answer carries `tag`. Returns client_begin's error. */
static inline int fake_ask(struct fake *f, int32_t op, const char *path, uint32_t tag, int64_t deadline_ms,
                           const struct client_watch_wish *wish)
{
    struct buf *b;
    const struct client_call call = { .fn = fake_somebody, .tag = tag };
    int rc = client_begin(f->c, op, &b);
    if (rc != 0)
        return rc;
    wire_put_ustring(b, slice_str(path));
    wire_put_bool(b, wish != NULL);
    return client_commit(f->c, &call, deadline_ms, wish);
}

#endif
