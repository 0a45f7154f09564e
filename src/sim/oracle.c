#include "sim/oracle.h"
#include "base/mem.h"
#include "sim/client.h"
#include "sim/oracle_internal.h"
#include "wire/txn.h"
#include <stdarg.h>
#include <stdio.h>

void oracle_wrong(struct oracle *o, const char *rule, const char *fmt, ...)
{
    char text[500];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    finding_set(&o->c->finding, o->c->now_us, rule, "%s", text);
}

/* ---- one transaction ---- */

static void count_write(struct oracle *o, const struct oracle_request *q, const struct txn *t)
{
    struct coverage *c = &o->c->coverage;
    if (q->op == WIRE_OP_MULTI) {
        cover(c, COVER_multis);
        struct slice rest = t->op.sub_raw;
        struct txn_op sub;
        bool failed = false;
        while (txn_next_sub(&rest, &sub))
            failed = failed || sub.type == WIRE_OP_ERROR;
        if (failed)
            cover(c, COVER_multis_failed);
    }
    if (t->op.type == WIRE_OP_CREATE && t->op.ephemeral)
        cover(c, COVER_ephemerals);
    if (t->op.path.n > 10 && t->op.path.p[t->op.path.n - 10] == '0' && t->op.type != WIRE_OP_ERROR)
        cover(c, COVER_sequential);
    if (!q->answered)
        cover(c, COVER_lost_replies_committed);
}

/* Which operation of it was refused for a quota; -1 none. */
static int32_t refused_at(const struct txn *t)
{
    if (t->op.type == WIRE_OP_ERROR)
        return t->op.err == ERR_QUOTA_EXCEEDED ? 0 : -1;
    if (t->op.type != WIRE_OP_MULTI)
        return -1;
    struct slice rest = t->op.sub_raw;
    struct txn_op sub;
    for (int32_t i = 0; txn_next_sub(&rest, &sub); i++)
        if (sub.type == WIRE_OP_ERROR && sub.err == ERR_QUOTA_EXCEEDED)
            return i;
    return -1;
}

/* Of a client: what it asked for, in its turn, once, and after what it could know. */
static void replay_request(struct oracle *o, const struct txn *t, struct oracle_request *q)
{
    const struct wire_txn_header *h = &t->header;
    uint32_t client = o->cables[q->cable].client;
    if (q->zxid != 0)
        oracle_wrong(o, "oracle.twice", "request %d of client %u is 0x%llx and 0x%llx", q->xid, client,
                     (unsigned long long)q->zxid, (unsigned long long)h->zxid);
    q->zxid = h->zxid;
    o->txn_request = q;
    if (h->zxid <= q->seen)
        oracle_wrong(o, "oracle.realtime", "request %d of client %u is 0x%llx, but 0x%llx was seen before it was sent",
                     q->xid, client, (unsigned long long)h->zxid, (unsigned long long)q->seen);
    if (t->op.type == WIRE_OP_ERROR && t->op.err == ERR_SESSION_MOVED && o->c->member_count > 1)
        return; /* changes nothing, and is never answered */
    if (t->op.type == WIRE_OP_ERROR && t->op.err == ERR_BAD_ARGUMENTS && opt(o->c, OPT_observer_masters) != 0 &&
        !q->answered)
        return; /* the same, where a follower has said so: see forward_too_late of the core */
    bool too_late = t->op.type == WIRE_OP_ERROR && t->op.err == ERR_SESSION_EXPIRED; /* of no effect, whenever */
    if (!too_late && o->writes_of[client] == q->session_id && q->xid <= o->last_xid[client])
        oracle_wrong(o, "oracle.session_order", "request %d of client %u is 0x%llx, behind its request %d", q->xid,
                     client, (unsigned long long)h->zxid, o->last_xid[client]);
    o->writes_of[client] = q->session_id;
    o->last_xid[client] = q->xid;
    count_write(o, q, t);
    int32_t logged = t->op.type == WIRE_OP_ERROR ? t->op.err : 0;
    o->model.quota_seen = q->seen;
    o->model.quota_refused_at = refused_at(t);
    if (o->model.quota_refused_at >= 0)
        cover(&o->c->coverage, COVER_err_quota_exceeded);
    o->model.said_expired = logged == ERR_SESSION_EXPIRED;
    if (q->op == WIRE_OP_CLOSE_SESSION) {
        bool open = model_session(&o->model, h->session_id) != NULL;
        o->txn_err = open ? 0 : ERR_SESSION_EXPIRED;
        if (open && !model_close_session(&o->model, h->session_id, t->op.paths, h->zxid))
            oracle_wrong(o, "oracle.close", "0x%llx does not end session 0x%llx with exactly its nodes",
                         (unsigned long long)h->zxid, (unsigned long long)h->session_id);
    } else {
        o->txn_err = model_write(&o->model, &o->cables[q->cable].who, q->op, oracle_record(o, q), h->zxid, h->time_ms);
    }
    if (o->txn_err != logged)
        oracle_wrong(o, "oracle.result", "request %d (op %d) of client %u, 0x%llx, ends with %d; the model has %d",
                     q->xid, q->op, client, (unsigned long long)h->zxid, logged, o->txn_err);
}

static void reaped_wrongly(struct oracle *o, const struct txn *t)
{
    const struct model_node *n = model_find(&o->model, t->op.path);
    oracle_wrong(o, "oracle.reaped", "0x%llx removes %.*s, which was not due: owner 0x%llx, cversion %d, children %d",
                 (unsigned long long)t->header.zxid, SLICE_ARG(t->op.path),
                 n == NULL ? 0 : (unsigned long long)n->stat.ephemeral_owner, n == NULL ? -1 : n->stat.cversion,
                 n == NULL ? -1 : n->children);
}

/* What a server did by itself. */
static void replay_own(struct oracle *o, const struct txn *t)
{
    const struct wire_txn_header *h = &t->header;
    switch (t->op.type) {
    case WIRE_OP_CREATE_SESSION:
        model_open_session(&o->model, h->session_id, t->op.timeout_ms, h->zxid);
        break;
    case WIRE_OP_CLOSE_SESSION:
        if (h->cxid != 0 || model_session(&o->model, h->session_id) == NULL ||
            !model_close_session(&o->model, h->session_id, t->op.paths, h->zxid))
            oracle_wrong(o, "oracle.close", "0x%llx does not end session 0x%llx with exactly its nodes",
                         (unsigned long long)h->zxid, (unsigned long long)h->session_id);
        break;
    case WIRE_OP_DELETE_CONTAINER:
        if (model_reap(&o->model, t->op.path, h->zxid, h->time_ms))
            cover(&o->c->coverage, COVER_containers_reaped);
        else
            reaped_wrongly(o, t);
        break;
    case WIRE_OP_ERROR:
        break;
    default:
        oracle_wrong(o, "oracle.invented", "nobody asked for 0x%llx, type %d, session 0x%llx, number %d",
                     (unsigned long long)h->zxid, h->type, (unsigned long long)h->session_id, h->cxid);
    }
}

static void replay(struct oracle *o, const struct chronicle_txn *ct)
{
    struct txn t;
    int rc = txn_decode(chronicle_txn_bytes(o->h, ct), &t);
    ASSERT(rc == 0);
    model_settle(&o->model);
    o->txn = ct;
    o->txn_request = NULL;
    struct oracle_request *q = t.header.cxid == 0 ? NULL : oracle_find(o, t.header.session_id, t.header.cxid);
    if (q != NULL)
        replay_request(o, &t, q);
    else
        replay_own(o, &t);
    if (ct->digest != o->model.digest && !o->c->finding.is)
        oracle_wrong(o, "oracle.digest", "after 0x%llx (type %d) the model's digest is %llx, the servers' %llx",
                     (unsigned long long)ct->zxid, t.header.type, (unsigned long long)o->model.digest,
                     (unsigned long long)ct->digest);
    oracle_events(o);
    if (opt(o->c, OPT_quotas) != 0)
        model_quota_note(&o->model, ct->zxid);
}

/* ---- sessions ---- */

static void judge_unanswered(struct oracle *o)
{
    for (uint32_t i = 0; i < o->request_count; i++)
        if (!o->requests[i].answered && o->requests[i].zxid == 0 && o->requests[i].xid > 0)
            cover(&o->c->coverage, COVER_lost_replies_void);
}

static void begin(struct oracle *o, struct cluster *c)
{
    *o = (struct oracle){ .c = c, .h = &c->chronicle };
    model_init(&o->model);
    o->model.local_sessions = c->ensemble != NULL && opt(c, OPT_local_sessions) != 0;
    model_watches_init(&o->watches);
}

static void end(struct oracle *o)
{
    model_fini(&o->model);
    model_watches_fini(&o->watches);
    mem_free(o->requests);
    mem_free(o->items);
    mem_free(o->order);
    mem_free(o->cables);
    mem_free(o->highest);
    mem_free(o->session_of);
    mem_free(o->last_xid);
    mem_free(o->writes_of);
    mem_free(o->by_xid);
}

void oracle_judge(struct cluster *c)
{
    struct oracle o;
    begin(&o, c);
    oracle_index(&o);
    size_t at = 0;
    for (size_t i = 0; i < o.h->txn_count && !c->finding.is; i++) {
        for (; at < o.item_count && o.items[o.order[at]].zxid < o.h->txns[i].zxid && !c->finding.is; at++)
            oracle_item(&o, &o.items[o.order[at]]);
        if (!c->finding.is)
            replay(&o, &o.h->txns[i]);
    }
    for (; at < o.item_count && !c->finding.is; at++)
        oracle_item(&o, &o.items[o.order[at]]);
    if (!c->finding.is) {
        judge_unanswered(&o);
        oracle_end(&o);
    }
    end(&o);
}
