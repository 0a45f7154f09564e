/* rig_for_tests: one zab and a test that plays everybody else: other servers by hand-made bytes, the disk by
 * completions that come when the test says so. What must be durable before what is looked at with every effect.
 * Header-only. */
#ifndef ZOKOR_ZAB_RIG_FOR_TESTS_H
#define ZOKOR_ZAB_RIG_FOR_TESTS_H

#include "base/err.h"
#include "wire/txn.h"
#include "zab/internal.h"
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define RIG_LINKS 64u
#define RIG_UNSYNCED_BYTES 2000u
#define Z(epoch, counter) ((int64_t)(epoch) << 32 | (counter))

struct rig_link {
    uint32_t id;
    enum zab_port port;
    int64_t sid; /* of a dial */
    bool dialled, closed, paused;
    struct buf sent;
};

struct rig {
    struct zab *zab;
    struct zab_out out;
    struct members *members;
    int64_t now_ms;
    uint32_t next_link;
    struct rig_link links[RIG_LINKS];
    uint32_t link_count;
    /* the disk */
    int64_t appended, synced, committed, saved_current, saved_accepted, want_accepted, want_current;
    int64_t truncate_to;
    bool saving, truncating, reload, saving_image;
    bool image_bytes; /* of the leader's image, to be used */
    /* what has been seen */
    enum peer_state role;
    bool serving, listening;
    bool listening_to_observers;
    int64_t leader;
    int appends, commits, pings, requests, touches, revalidations, syncs, images_wanted, log_reads, oracle_asked;
    uint32_t image_link, log_link;
    int64_t log_from, log_to;
};

static inline struct rig_link *rig_link(struct rig *r, uint32_t id)
{
    for (uint32_t i = 0; i < r->link_count; i++)
        if (r->links[i].id == id)
            return &r->links[i];
    return NULL;
}

static inline struct rig_link *rig_link_add(struct rig *r, uint32_t id, enum zab_port port)
{
    if (r->link_count == RIG_LINKS) { /* the oldest that is closed */
        uint32_t i = 0;
        while (i < RIG_LINKS && !r->links[i].closed)
            i++;
        assert_true(i < RIG_LINKS);
        buf_fini(&r->links[i].sent);
        memmove(&r->links[i], &r->links[i + 1], (RIG_LINKS - 1 - i) * sizeof r->links[0]);
        r->link_count--;
    }
    struct rig_link *l = &r->links[r->link_count++];
    *l = (struct rig_link){ .id = id, .port = port };
    buf_init(&l->sent, SIZE_MAX / 2);
    return l;
}

/* Effects may come of it: the one at hand may have moved. */
static inline void rig_inform(struct rig *r, int64_t zxid, struct blob *txn)
{
    zab_inform(r->zab, zxid, txn, &r->out);
    blob_unref(txn);
}

/* What is for the core. */
static inline void rig_take_core(struct rig *r, const struct zab_fx *fx)
{
    switch (fx->type) {
    case ZAB_FX_ROLE:
        r->role = fx->role;
        r->serving = fx->serving;
        r->leader = fx->leader;
        break;
    case ZAB_FX_APPEND:
        assert_false(r->truncating);
        assert_true(zxid_follows(r->appended, fx->zxid));
        r->appended = fx->zxid;
        r->appends++;
        blob_unref(fx->txn);
        break;
    case ZAB_FX_COMMIT:
        assert_true(fx->zxid > r->committed && fx->zxid <= r->appended);
        r->committed = fx->zxid;
        r->commits++;
        rig_inform(r, fx->zxid, fx->txn);
        break;
    case ZAB_FX_REQUEST:
        r->requests++;
        break;
    case ZAB_FX_REVALIDATE:
        r->revalidations++;
        break;
    case ZAB_FX_TOUCH:
        r->touches++;
        break;
    case ZAB_FX_VALIDITY:
        break;
    case ZAB_FX_SYNCED:
        r->syncs++;
        break;
    case ZAB_FX_PING:
        r->pings++;
        break;
    case ZAB_FX_IMAGE_WANTED:
        r->images_wanted++;
        r->image_link = fx->link;
        break;
    case ZAB_FX_IMAGE_PULL:
    case ZAB_FX_IMAGE_DROPPED:
        break;
    case ZAB_FX_IMAGE_BYTES:
        r->image_bytes = true;
        break;
    case ZAB_FX_SAVE_IMAGE:
        r->saving_image = true;
        break;
    default:
        fail_msg("effect %d has no taker", (int)fx->type);
    }
}

static inline void rig_take(struct rig *r, const struct zab_fx *fx)
{
    struct rig_link *l = rig_link(r, fx->link);
    switch (fx->type) {
    case ZAB_FX_DIAL:
        l = rig_link_add(r, fx->link, fx->port);
        l->dialled = true;
        l->sid = fx->sid;
        break;
    case ZAB_FX_SEND:
        assert_non_null(l);
        assert_false(l->closed);
        buf_append_slice(&l->sent, fx->bytes);
        break;
    case ZAB_FX_CLOSE:
        assert_non_null(l);
        assert_false(l->closed);
        l->closed = true;
        break;
    case ZAB_FX_RESUME:
        l->paused = false;
        break;
    case ZAB_FX_LISTEN:
        assert_int_not_equal(fx->port, ZAB_PORT_ELECTION);
        *(fx->port == ZAB_PORT_LEARNER ? &r->listening : &r->listening_to_observers) = fx->on;
        break;
    case ZAB_FX_SAVE_EPOCHS:
        assert_false(r->saving);
        assert_true(fx->current_epoch >= r->saved_current && fx->accepted_epoch >= r->saved_accepted);
        assert_true(fx->current_epoch == r->saved_current || r->synced == r->appended); /* 4643 */
        r->saving = true;
        r->want_accepted = fx->accepted_epoch;
        r->want_current = fx->current_epoch;
        break;
    case ZAB_FX_TRUNCATE:
        assert_false(r->truncating || r->saving_image);
        assert_int_equal(r->synced, r->appended);
        r->truncating = true;
        r->reload = fx->reload;
        r->truncate_to = fx->zxid;
        break;
    case ZAB_FX_LOG_READ:
        r->log_reads++;
        r->log_link = fx->link;
        r->log_from = fx->zxid;
        r->log_to = fx->to;
        break;
    case ZAB_FX_LOG_MORE:
    case ZAB_FX_LOG_DONE:
        break;
    case ZAB_FX_ASK_ORACLE:
        r->oracle_asked++;
        break;
    default:
        rig_take_core(r, fx);
    }
}

static inline void rig_drain(struct rig *r)
{
    for (size_t i = 0; i < r->out.count; i++)
        rig_take(r, &r->out.fx[i]);
    zab_out_reset(&r->out);
    zab_check(r->zab);
}

static inline bool rig_step(struct rig *r, struct zab_event ev)
{
    ev.now_ms = r->now_ms;
    bool awaited = ev.type != ZAB_EV_LOG_SYNCED || zab_awaits_log(r->zab);
    bool go_on = zab_step(r->zab, &ev, &r->out);
    assert_true(awaited || r->out.count == 0); /* what may come late must not matter */
    rig_drain(r);
    return go_on;
}

/* ---- the disk ---- */

static inline void rig_log_synced(struct rig *r)
{
    if (r->synced == r->appended)
        return;
    r->synced = r->appended;
    rig_step(r, (struct zab_event){ .type = ZAB_EV_LOG_SYNCED, .zxid = r->synced });
}

static inline void rig_epochs_saved(struct rig *r)
{
    if (!r->saving)
        return;
    r->saving = false;
    r->saved_accepted = r->want_accepted;
    r->saved_current = r->want_current;
    rig_step(r, (struct zab_event){ .type = ZAB_EV_EPOCHS_SAVED });
}

static inline void rig_truncated(struct rig *r)
{
    if (!r->truncating)
        return;
    r->truncating = false;
    int64_t end = r->truncate_to == INT64_MAX ? r->appended : r->truncate_to;
    r->appended = r->synced = r->committed = end;
    rig_step(r, (struct zab_event){ .type = ZAB_EV_TRUNCATED, .zxid = end });
}

static inline void rig_image_saved(struct rig *r, int err)
{
    if (!r->saving_image)
        return;
    r->saving_image = false;
    rig_step(r, (struct zab_event){ .type = ZAB_EV_IMAGE_SAVED, .err = err });
}

/* Everything that is under way, until nothing is. */
static inline void rig_disk(struct rig *r)
{
    while (r->saving || r->truncating || r->saving_image || r->synced != r->appended) {
        rig_log_synced(r);
        rig_epochs_saved(r);
        rig_truncated(r);
        rig_image_saved(r, 0);
    }
}

/* ---- links ---- */

static inline void rig_bytes(struct rig *r, uint32_t link, struct slice bytes)
{
    struct rig_link *l = rig_link(r, link);
    if (l == NULL || l->closed)
        return;
    bool go_on = rig_step(r, (struct zab_event){ .type = ZAB_EV_BYTES, .link = link, .bytes = bytes });
    if ((l = rig_link(r, link)) != NULL && !go_on)
        l->paused = true;
}

static inline uint32_t rig_accept(struct rig *r, enum zab_port port)
{
    uint32_t id = r->next_link++;
    rig_link_add(r, id, port);
    rig_step(r, (struct zab_event){ .type = ZAB_EV_ACCEPTED, .link = id, .port = port });
    return id;
}

static inline void rig_lose(struct rig *r, uint32_t link)
{
    struct rig_link *l = rig_link(r, link);
    if (l == NULL || l->closed)
        return;
    l->closed = true;
    rig_step(r, (struct zab_event){ .type = ZAB_EV_LOST, .link = link });
}

static inline void rig_packet(struct rig *r, uint32_t link, int32_t type, int64_t zxid, struct slice data)
{
    struct buf b;
    buf_init(&b, SIZE_MAX / 2);
    peer_packet_put(&b, &(struct peer_packet){ .type = type, .zxid = zxid, .data = data, .authinfo = { .count = -1 } });
    rig_bytes(r, link, buf_slice(&b));
    buf_fini(&b);
}

static inline void rig_plain(struct rig *r, uint32_t link, int32_t type, int64_t zxid)
{
    rig_packet(r, link, type, zxid, (struct slice){ 0 });
}

/* A transaction that anybody can read: the creation of a session. */
static inline struct blob *rig_txn(int64_t zxid)
{
    struct buf b;
    buf_init(&b, 1000);
    wire_put_txn_header(
        &b, &(struct wire_txn_header){ .session_id = 7, .zxid = zxid, .time_ms = 1, .type = WIRE_OP_CREATE_SESSION });
    wire_put_i32(&b, 10000);
    struct blob *txn = blob_dup(buf_slice(&b));
    buf_fini(&b);
    return txn;
}

static inline void rig_proposal(struct rig *r, uint32_t link, int32_t type, int64_t zxid)
{
    struct blob *txn = rig_txn(zxid);
    rig_packet(r, link, type, zxid, blob_slice(txn));
    blob_unref(txn);
}

/* The next packet that was sent on a link; false if there is none. Its data lives until the next call of anything. */
static inline bool rig_sent(struct rig *r, uint32_t link, struct peer_packet *p)
{
    static uint8_t keep[4096];
    struct rig_link *l = rig_link(r, link);
    int64_t n = peer_packet_get(buf_slice(&l->sent), 1 << 20, p);
    assert_true(n >= 0);
    if (n == 0) {
        assert_int_equal(l->sent.n, 0);
        return false;
    }
    if (p->data.n != 0 && p->data.n <= sizeof keep) {
        memcpy(keep, p->data.p, p->data.n);
        p->data.p = keep;
    }
    buf_drop_front(&l->sent, (size_t)n);
    return true;
}

static inline void rig_expect(struct rig *r, uint32_t link, int32_t type, int64_t zxid)
{
    struct peer_packet p;
    assert_true(rig_sent(r, link, &p));
    assert_int_equal(p.type, type);
    assert_int_equal(p.zxid, zxid);
}

static inline void rig_expect_nothing(struct rig *r, uint32_t link)
{
    assert_int_equal(rig_link(r, link)->sent.n, 0);
}

/* ---- the election port ---- */

static inline void rig_hello(struct rig *r, uint32_t link, int64_t sid)
{
    struct buf b;
    buf_init(&b, 1000);
    peer_hello_put(&b, &(struct peer_hello){ .sid = sid, .addresses = slice_str("0.0.0.0:3888") });
    rig_bytes(r, link, buf_slice(&b));
    buf_fini(&b);
}

static inline void rig_notify(struct rig *r, uint32_t link, const struct peer_notification *n)
{
    struct buf b;
    buf_init(&b, 100000);
    peer_notification_put(&b, n);
    rig_bytes(r, link, buf_slice(&b));
    buf_fini(&b);
}

/* The newest message to a peer: false if nothing was sent since the last look. */
static inline bool rig_told(struct rig *r, uint32_t link, struct peer_notification *n)
{
    struct rig_link *l = rig_link(r, link);
    bool any = false;
    for (;;) {
        struct slice body;
        int64_t used = peer_notification_frame(buf_slice(&l->sent), &body);
        if (used <= 0)
            return any;
        assert_int_equal(peer_notification_get(body, n), 0);
        n->config = (struct slice){ 0 };
        buf_drop_front(&l->sent, (size_t)used);
        any = true;
    }
}

/* The dial that is open to a member's port; UINT32_MAX if there is none. */
static inline uint32_t rig_dial(struct rig *r, enum zab_port port, int64_t sid)
{
    for (uint32_t i = r->link_count; i-- > 0;)
        if (r->links[i].dialled && !r->links[i].closed && r->links[i].port == port && r->links[i].sid == sid)
            return r->links[i].id;
    return UINT32_MAX;
}

/* A link of the pair with a larger sid: it has dialled us. */
static inline uint32_t rig_peer(struct rig *r, int64_t sid)
{
    uint32_t link = rig_accept(r, ZAB_PORT_ELECTION);
    rig_hello(r, link, sid);
    assert_false(rig_link(r, link)->closed);
    return link;
}

static inline void rig_tick(struct rig *r, int64_t ms)
{
    r->now_ms += ms;
    rig_step(r, (struct zab_event){ .type = ZAB_EV_TICK });
}

/* ---- begin and end ---- */

struct rig_options {
    const char *config;
    int64_t sid;
    int64_t last_zxid, accepted, current;
    bool log_sync, observer_masters, oracle, untrusted;
    int64_t epoch_wait_ms_max, syncs_max;
};

static inline void rig_init(struct rig *r, const struct rig_options *o)
{
    *r = (struct rig){ .now_ms = 1000000, .next_link = 1 };
    r->appended = r->synced = r->committed = o->last_zxid;
    r->saved_accepted = o->accepted;
    r->saved_current = o->current;
    assert_int_equal(members_parse(slice_str(o->config), NULL, &r->members), 0);
    zab_out_init(&r->out);
    r->zab = zab_new(&(struct zab_options){ .sid = o->sid,
                                            .seed = 1,
                                            .members = r->members,
                                            .tick_time_ms = 2000,
                                            .init_limit_ticks = 10,
                                            .epoch_wait_ms_max = o->epoch_wait_ms_max,
                                            .sync_limit_ticks = 5,
                                            .notification_ms_min = 200,
                                            .notification_ms_max = 60000,
                                            .observer_delay_ms = 200,
                                            .history_count = 500,
                                            .history_bytes = 1 << 20,
                                            .packet_field_bytes_max = 100000,
                                            .link_backlog_bytes_max = 10000,
                                            .unsynced_bytes_max = RIG_UNSYNCED_BYTES,
                                            .log_sync = o->log_sync,
                                            .snap_syncs_max = o->syncs_max,
                                            .diff_syncs_max = o->syncs_max,
                                            .observer_masters = o->observer_masters,
                                            .oracle = o->oracle,
                                            .untrusted = o->untrusted,
                                            .last_zxid = o->last_zxid,
                                            .accepted_epoch = o->accepted,
                                            .current_epoch = o->current },
                     r->now_ms);
    rig_tick(r, 0);
}

static inline void rig_fini(struct rig *r)
{
    zab_free(r->zab);
    zab_out_fini(&r->out);
    members_unref(r->members);
    for (uint32_t i = 0; i < r->link_count; i++)
        buf_fini(&r->links[i].sent);
}

#endif
