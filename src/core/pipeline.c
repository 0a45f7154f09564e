/* pipeline: writes from request to reply. Propose gives a zxid and an append; commit, once the log is durable through
 * it, applies, notifies, answers. With one server the quorum is the log alone. */
#include "base/museum.h"
#include "core/internal.h"

#define PIPELINE_FIRST 1024u

void pipeline_draw_roll(struct core *c)
{
    /* Disk specification 1: roll after n > snapCount/2 + r1 records, or bytes > S/2 + r2, drawn anew each time. */
    struct pipeline *q = &c->pipe;
    q->txns_since_roll = 0;
    q->bytes_since_roll = 0;
    int64_t half = c->opt.snap_count / 2;
    q->roll_at_txns = half + (int64_t)rng_below(&c->rng, (uint64_t)half);
    half = c->opt.snap_size_bytes / 2;
    q->roll_at_bytes = half <= 0 ? INT64_MAX : half + (int64_t)rng_below(&c->rng, (uint64_t)half);
}

void pipeline_init(struct core *c)
{
    struct pipeline *q = &c->pipe;
    q->cap = PIPELINE_FIRST;
    q->ring = mem_alloc(q->cap * sizeof *q->ring);
    q->last_proposed = tree_last_zxid(c->tree);
    pipeline_draw_roll(c);
}

void pipeline_fini(struct core *c)
{
    struct pipeline *q = &c->pipe;
    for (; q->count != 0; q->count--) {
        struct proposal *p = &q->ring[q->head];
        blob_unref(p->txn);
        blob_unref(p->failed_path);
        mem_free(p->multi_kinds);
        q->head = (q->head + 1) & (q->cap - 1);
    }
    mem_free(q->ring);
}

int64_t pipeline_in_flight(const struct core *c)
{
    return (int64_t)c->pipe.count + c->deferred_count + c->parked_count;
}

static struct proposal *ring_push(struct pipeline *q)
{
    if (q->count == q->cap) {
        struct proposal *fresh = mem_alloc(q->cap * 2 * sizeof *fresh);
        for (size_t i = 0; i < q->count; i++)
            fresh[i] = q->ring[(q->head + i) & (q->cap - 1)];
        mem_free(q->ring);
        q->ring = fresh;
        q->head = 0;
        q->cap *= 2;
    }
    return &q->ring[(q->head + q->count++) & (q->cap - 1)];
}

void pipeline_forget_conn(struct core *c, const struct conn *k)
{
    struct pipeline *q = &c->pipe;
    for (size_t i = 0; k->writes_in_flight != 0 && i < q->count; i++) {
        struct proposal *p = &q->ring[(q->head + i) & (q->cap - 1)];
        if (p->conn == k)
            p->conn = NULL;
    }
}

/* ---- propose ---- */

static struct blob *encode(struct core *c, const struct wire_txn_header *h, const struct txn_op *op)
{
    struct buf *b = &c->txn;
    buf_reset(b);
    wire_put_txn_header(b, h);
    if (op->type == WIRE_OP_MULTI) {
        wire_put_i32(b, op->sub_count);
        buf_append_slice(b, op->sub_raw);
    } else {
        txn_put_body(b, op);
    }
    if (c->opt.digest_enabled && op->type != WIRE_OP_ERROR) /* error records carry none (disk specification 2.4) */
        wire_put_txn_digest(b, &(struct wire_txn_digest){ WIRE_DIGEST_VERSION, (int64_t)c->overlay.digest });
    ASSERT(b->err == 0);
    return blob_dup(buf_slice(b));
}

static struct proposal *propose(struct core *c, const struct prep *p, int32_t xid, int32_t request_op,
                                const struct txn_op *op)
{
    struct pipeline *q = &c->pipe;
    struct wire_txn_header h = {
        .session_id = p->session_id, .cxid = xid, .zxid = p->zxid, .time_ms = p->time_ms, .type = op->type
    };
    struct blob *txn = encode(c, &h, op);
    struct proposal *x = ring_push(q);
    *x = (struct proposal){
        .zxid = p->zxid,
        .txn = txn,
        .session_id = p->session_id,
        .received_ms = c->now_ms,
        .multi_kinds = p->multi_kinds,
        .xid = xid,
        .op = (int16_t)request_op,
        .hint = p->hint,
        .create_flags = p->create_flags,
    };
    q->last_proposed = p->zxid;
    if (c->ens.zab != NULL)
        zab_propose(c->ens.zab, p->zxid, txn, &c->out->zab);
    else
        pipeline_log(c, p->zxid, blob_ref(txn));
    return x;
}

void pipeline_log(struct core *c, int64_t zxid, struct blob *txn)
{
    struct pipeline *q = &c->pipe;
    bool roll_after = false;
    q->bytes_since_roll += txn->n + 13;
    if (++q->txns_since_roll > q->roll_at_txns || q->bytes_since_roll > q->roll_at_bytes) {
        roll_after = true;
        c->snapshot_wanted = true;
        pipeline_draw_roll(c);
    }
    out_append(c, zxid, txn, roll_after);
}

/* False: the numbers of this epoch are used up, and this server leads no more. */
static bool prep_begin(struct core *c, const struct conn *k, int64_t session_id, struct prep *p)
{
    *p = (struct prep){ .core = c,
                        .conn = k,
                        .session_id = session_id,
                        .zxid = c->pipe.last_proposed + 1,
                        .time_ms = c->wall_ms,
                        .create_flags = -1 };
    if (c->ens.zab == NULL)
        return true;
    if (!zab_leads(c->ens.zab))
        return false;
    p->zxid = zab_next_zxid(c->ens.zab, &c->out->zab);
    return p->zxid >= 0;
}

static void begun_write(struct conn *k)
{
    k->writes_begun++;
    k->writes_in_flight++;
}

void pipeline_write(struct core *c, struct conn *k, int32_t xid, const struct op_row *row, struct slice frame)
{
    struct prep p;
    if (!prep_begin(c, k, k->session->id, &p))
        return;
    struct txn_op op = { .type = row->code };
    struct wire_reader r = wire_reader_of(slice_of(frame.p + 8, frame.n - 8));
    k->auth_count_now = k->auth == NULL ? 0 : k->auth->count;
    int rc = k->session->closing ? ERR_SESSION_EXPIRED : row->prep(&p, &r, &op);
    if (rc == ERR_MARSHALLING) { /* not logged, no zxid (client specification 3.2) */
        pipeline_defer(c, k, frame, rc);
        return;
    }
    if (rc != 0)
        op = (struct txn_op){ .type = WIRE_OP_ERROR, .err = rc };
    struct proposal *x = propose(c, &p, xid, row->code, &op);
    x->conn = k;
    begun_write(k);
    if (c->opt.audit && rc != 0 && row->code != WIRE_OP_MULTI && row->code != WIRE_OP_CLOSE_SESSION) {
        r = wire_reader_of(slice_of(frame.p + 8, frame.n - 8));
        x->failed_path = blob_dup(wire_get_ustring(&r)); /* every other write begins with its path */
    }
    if (c->opt.large_request_threshold > 0 && (int64_t)frame.n > c->opt.large_request_threshold) {
        x->large = true;
        c->pipe.large_bytes += x->txn->n;
    }
}

bool pipeline_own(struct core *c, int64_t session_id, const struct op_row *row, struct slice body)
{
    struct prep p;
    if (!prep_begin(c, NULL, session_id, &p))
        return false;
    struct txn_op op = { .type = row->code };
    struct wire_reader r = wire_reader_of(body);
    int rc = row->prep(&p, &r, &op);
    if (rc != 0)
        op = (struct txn_op){ .type = WIRE_OP_ERROR, .err = rc };
    propose(c, &p, 0, row->code, &op);
    return true;
}

void pipeline_create_session(struct core *c, struct conn *k, struct session *s)
{
    struct prep p;
    if (!prep_begin(c, k, s->id, &p))
        return;
    struct txn_op op = { .type = WIRE_OP_CREATE_SESSION, .timeout_ms = s->timeout_ms };
    struct proposal *x = propose(c, &p, 0, WIRE_OP_CREATE_SESSION, &op);
    x->conn = k;
    begun_write(k);
}

void pipeline_remote(struct core *c, const struct conn *k, const struct peer_request *q, int err)
{
    struct prep p;
    if (!prep_begin(c, k, q->session_id, &p))
        return;
    const struct op_row *row = op_find(q->op);
    struct txn_op op = { .type = q->op };
    struct wire_reader r = wire_reader_of(q->body);
    int rc = err;
    if (rc == 0)
        rc = row == NULL || row->prep == NULL ? ERR_UNIMPLEMENTED : row->prep(&p, &r, &op);
    if (rc != 0)
        op = (struct txn_op){ .type = WIRE_OP_ERROR, .err = rc };
    mem_free(p.multi_kinds);
    p.multi_kinds = NULL;
    propose(c, &p, q->cxid, q->op, &op);
}

/* ---- requests that wait behind their connection's writes ---- */

static int64_t error_zxid(const struct core *c, int32_t err)
{
    if (err == ERR_UNIMPLEMENTED)
        return -1;
    return err == ERR_SESSION_CLOSED_REQUIRE_SASL ? 0 : tree_last_zxid(c->tree);
}

/* Answers a request that changes nothing. False if that ended the connection. */
static bool run(struct core *c, struct conn *k, struct slice frame, int32_t err, int64_t received_ms)
{
    int32_t xid = (int32_t)load_be32(frame.p);
    int32_t code = (int32_t)load_be32(frame.p + 4);
    struct wire_reader r = wire_reader_of(slice_of(frame.p + 8, frame.n - 8));
    if (UNLIKELY(code == WIRE_OP_CLOSE_SESSION)) { /* all others are writes */
        local_close(c, k, xid);
        return false;
    }
    int64_t zxid = SIM_BUG(header_ahead) ? c->pipe.last_proposed
                   : err == 0            ? tree_last_zxid(c->tree)
                                         : error_zxid(c, err);
    buf_reset(&c->body);
    if (err == 0)
        err = op_find(code)->read(c, k, &r, &c->body);
    if (c->body.err != 0) {
        log_error("core.reply", "op=%d bytes=%zu err=%s", code, c->body.n, err_name(c->body.err));
        err = ERR_SYSTEM;
    }
    if (err != 0 && code != WIRE_OP_MULTI_READ)
        buf_reset(&c->body);
    conn_reply(c, k, code == WIRE_OP_PING ? WIRE_XID_PING : xid, zxid, err, buf_slice(&c->body), received_ms);
    summary_add(&c->stats.read_latency_ms, c->now_ms - received_ms);
    if (!k->close_after_deferred || k->deferred_count != 0)
        return true;
    conn_close(c, k);
    return false;
}

bool pipeline_run_now(struct core *c, struct conn *k, struct slice frame, int64_t received_ms)
{
    k->auth_count_now = k->auth == NULL ? 0 : k->auth->count;
    return run(c, k, frame, 0, received_ms);
}

void pipeline_defer(struct core *c, struct conn *k, struct slice frame, int32_t err)
{
    uint32_t auth_count = k->auth == NULL ? 0 : k->auth->count;
    if (LIKELY(k->writes_in_flight == 0) || SIM_BUG(read_overtakes_write)) {
        k->auth_count_now = auth_count;
        (void)run(c, k, frame, err, c->now_ms);
        return;
    }
    struct deferred *d = mem_alloc(sizeof *d + frame.n);
    *d = (struct deferred){ .after_write = k->writes_begun,
                            .received_ms = c->now_ms,
                            .auth_count = auth_count,
                            .err = err,
                            .n = (uint32_t)frame.n };
    memcpy(d->frame, frame.p, frame.n);
    *k->deferred_last = d;
    k->deferred_last = &d->next;
    k->deferred_count++;
    c->deferred_count++;
}

void pipeline_run_deferred(struct core *c, struct conn *k)
{
    bool alive = true;
    while (alive && k->deferred_first != NULL && k->deferred_first->after_write <= k->writes_answered) {
        struct deferred *d = k->deferred_first;
        k->deferred_first = d->next;
        if (d->next == NULL)
            k->deferred_last = &k->deferred_first;
        k->deferred_count--;
        c->deferred_count--;
        k->auth_count_now = d->auth_count;
        alive = run(c, k, slice_of(d->frame, d->n), d->err, d->received_ms);
        mem_free(d);
    }
}

/* ---- commit ---- */

static void remember_digest(struct core *c, const struct txn *txn)
{
    if (!c->opt.digest_enabled)
        return;
    uint64_t have = tree_digest(c->tree);
    /* The image of a leader of Apache's may be ahead of its zxid in places, until the stream behind it has come. */
    bool exact = c->ens.zab == NULL || c->ens.serving;
    if (exact && txn->has_digest && (uint64_t)txn->digest.tree_digest != have) {
        c->stats.digest_mismatches++;
        log_error("core.digest", "zxid=0x%llx logged=0x%llx tree=0x%llx type=%d", (unsigned long long)txn->header.zxid,
                  (unsigned long long)txn->digest.tree_digest, (unsigned long long)have, txn->header.type);
    }
    if (txn->header.zxid % DIGEST_MARK_EVERY != 0)
        return;
    uint32_t at = (c->mark_head + c->mark_count) % DIGEST_MARKS_MAX;
    c->marks[at] = (struct digest_mark){ txn->header.zxid, have };
    if (c->mark_count < DIGEST_MARKS_MAX)
        c->mark_count++;
    else
        c->mark_head = (c->mark_head + 1) % DIGEST_MARKS_MAX;
}

/* type: of the transaction. A multi of which one part failed is a multi; one that could not be judged at all (its
 * session had ended, or it could not be read) is an error. */
static void answer(struct core *c, const struct proposal *x, int32_t type, const struct tree_applied *applied)
{
    struct conn *k = x->conn;
    int32_t err = type == WIRE_OP_ERROR ? applied->results[0].err : 0;
    const struct op_row *row = op_find(x->op);
    buf_reset(&c->body);
    if (err == 0 && row->reply != NULL)
        row->reply(c, x, applied, &c->body);
    ASSERT(c->body.err == 0);
    conn_reply(c, k, x->xid, x->zxid, err, buf_slice(&c->body), x->received_ms);
    summary_add(&c->stats.update_latency_ms, c->now_ms - x->received_ms);
}

/* The session is gone: its connection learns by the close, the one that asked for it by a reply first. */
static void session_closed(struct core *c, int64_t session_id)
{
    struct session *s = session_lookup(c, session_id);
    if (s == NULL)
        return;
    struct conn *k = s->conn;
    session_remove(c, s);
    if (k != NULL)
        conn_close(c, k);
}

/* The session is served by another server now: no reply, the connection ends (quorum specification 5.5). */
static bool moved(const struct tree_applied *applied)
{
    return applied->result_count == 1 && applied->results[0].type == WIRE_OP_ERROR &&
           applied->results[0].err == ERR_SESSION_MOVED;
}

/* What the tree's table has learned, the live table must know: a session may come to any server. */
static void session_committed(struct core *c, const struct txn *txn)
{
    if (txn->header.type != WIRE_OP_CREATE_SESSION || c->ens.zab == NULL)
        return;
    int64_t id = txn->header.session_id;
    struct session *s = session_lookup(c, id);
    if (s == NULL)
        s = session_add(c, id, tree_session_timeout_ms(c->tree, id));
    s->touched = true;
}

static void commit(struct core *c, struct proposal x)
{
    struct txn txn;
    struct tree_applied applied = { 0 };
    int rc = txn_decode(blob_slice(x.txn), &txn);
    ASSERT(rc == 0);
    tree_apply_hinted(c->tree, &txn, &x.hint, &c->turn, &applied);
    overlay_committed(c, x.zxid);
    remember_digest(c, &txn);
    c->stats.txns_committed++;
    session_committed(c, &txn);
    if (x.from_elsewhere) {
        x.conn = forward_match(c, &txn, &x);
        x.conn_id = x.conn == NULL ? 0 : x.conn->id;
    }
    if (!x.from_elsewhere || x.conn != NULL)
        audit_commit(c, &x, &txn);
    if (!SIM_BUG(watch_late) || x.conn == NULL)
        watches_notify(c, &applied, x.zxid);
    namespaces_written(c, &applied);
    bool closed = txn.header.type == WIRE_OP_CLOSE_SESSION;
    struct conn *k = x.conn;
    if (k != NULL) {
        k->writes_in_flight--;
        k->writes_answered++;
        if (x.op == WIRE_OP_CREATE_SESSION)
            conn_session_ready(c, k);
        else if (moved(&applied))
            conn_close(c, k);
        else
            answer(c, &x, txn.header.type, &applied);
        if (!closed && conn_get(c, x.conn_id) == k)
            pipeline_run_deferred(c, k);
    }
    if (closed) {
        session_closed(c, txn.header.session_id);
        local_note_end(c, txn.header.session_id);
    }
    blob_unref(x.txn);
    blob_unref(x.failed_path);
    mem_free(x.multi_kinds);
    arena_reset(&c->turn);
}

static struct proposal ring_pop(struct pipeline *q)
{
    struct proposal x = q->ring[q->head];
    q->head = (q->head + 1) & (q->cap - 1);
    q->count--;
    if (x.large)
        q->large_bytes -= x.txn->n;
    x.conn_id = x.conn == NULL ? 0 : x.conn->id;
    return x;
}

void pipeline_synced(struct core *c, int64_t zxid)
{
    struct pipeline *q = &c->pipe;
    if (SIM_BUG(reply_before_sync))
        zxid = q->last_proposed;
    for (size_t expected = 0; q->count != 0 && q->ring[q->head].zxid <= zxid; expected--) {
        if (expected == 0)
            expected = expect_commits(c);
        commit(c, ring_pop(q));
    }
}

void pipeline_committed(struct core *c, int64_t zxid, struct blob *txn)
{
    struct pipeline *q = &c->pipe;
    if (q->count == 0) {
        commit(c, (struct proposal){ .zxid = zxid, .txn = txn, .from_elsewhere = true, .create_flags = -1 });
        return;
    }
    ASSERT(q->ring[q->head].zxid == zxid);
    blob_unref(txn); /* the ring has its own */
    commit(c, ring_pop(q));
}

void pipeline_restart(struct core *c)
{
    struct pipeline *q = &c->pipe;
    while (q->count != 0) {
        struct proposal x = ring_pop(q);
        blob_unref(x.txn);
        blob_unref(x.failed_path);
        mem_free(x.multi_kinds);
    }
    q->last_proposed = tree_last_zxid(c->tree);
    overlay_fini(c);
    c->overlay = (struct overlay){ 0 };
    overlay_init(c);
}
