/* forward: a learner's side of its clients' writes: they go to the leader and come back as transactions; the one with a
 * request's session and number answers it (quorum specification 4.10, 5.4). */
#include "core/internal.h"

/* ---- what a client's connection has proved, as the leader wants it ---- */

static void make_ids(struct conn *k)
{
    char peer[64];
    size_t n = conn_peer_text(&k->peer, false, peer, sizeof peer);
    buf_init(&k->ids, SIZE_MAX / 2);
    wire_put_ustring(&k->ids, slice_str("ip"));
    wire_put_ustring(&k->ids, slice_of(peer, n));
    for (uint32_t i = 0; k->auth != NULL && i < k->auth->count; i++) {
        wire_put_ustring(&k->ids, k->auth->ids[i].scheme);
        wire_put_ustring(&k->ids, k->auth->ids[i].id);
    }
}

static struct wire_vec client_ids(struct conn *k)
{
    if (k->ids.n == 0)
        make_ids(k);
    return (struct wire_vec){ .count = 1 + (k->auth == NULL ? 0 : (int32_t)k->auth->count), .raw = buf_slice(&k->ids) };
}

/* ---- parking ---- */

static struct parked *park(struct core *c, struct conn *k, int32_t xid, int32_t op)
{
    struct parked *p = mem_alloc(sizeof *p);
    *p = (struct parked){ .received_ms = c->now_ms, .xid = xid, .op = (int16_t)op, .create_flags = -1 };
    c->parked_count++;
    *k->parked_last = p;
    k->parked_last = &p->next;
    k->writes_begun++;
    k->writes_in_flight++;
    return p;
}

static struct parked unpark(struct core *c, struct conn *k)
{
    c->parked_count--;
    struct parked *first = k->parked_first, p = *first;
    k->parked_first = first->next;
    if (k->parked_first == NULL)
        k->parked_last = &k->parked_first;
    mem_free(first);
    return p;
}

/* The log has create2 as create inside a multi; the reply tells them apart (prep_multi). As far as it can be read. */
static uint8_t *multi_kinds(struct slice body, uint32_t *count)
{
    struct buf kinds;
    buf_init(&kinds, SIZE_MAX / 2);
    struct wire_reader r = wire_reader_of(body);
    for (;;) {
        struct wire_multi_header h = wire_get_multi_header(&r);
        if (r.err != 0 || h.done)
            break;
        const struct op_row *row = op_find(h.type);
        if (row == NULL || !row->in_multi || !row->skip(&r))
            break;
        wire_put_i8(&kinds, h.type == WIRE_OP_CREATE2 ? WIRE_OP_CREATE2 : 0);
    }
    *count = (uint32_t)kinds.n;
    wire_put_i8(&kinds, 0);
    return kinds.p;
}

/* A question to the leader: syncs and sessions, each in the order in which they were asked. Every answer is that of the
 * oldest one, also if its client is gone: the number tells, since connections' numbers are used again. */
struct asked {
    struct asked *next;
    uint32_t link; /* of the observer that asks through us; OWNER_SELF: conn does */
    uint32_t conn;
    int64_t session_id, number;
};

static int64_t ask(struct core *c, struct asked_list *list, uint32_t link, uint32_t conn, int64_t session_id)
{
    struct asked *a = mem_alloc(sizeof *a);
    *a = (struct asked){ .link = link, .conn = conn, .session_id = session_id, .number = ++c->ens.next_asked };
    if (list->first == NULL)
        list->last = &list->first;
    *list->last = a;
    list->last = &a->next;
    return a->number;
}

static struct asked take_asked(struct asked_list *list, struct asked **at)
{
    struct asked *first = *at, a = *first;
    *at = a.next;
    if (a.next == NULL)
        list->last = at;
    mem_free(first);
    return a;
}

void forward_write(struct core *c, struct conn *k, int32_t xid, int32_t op, struct slice frame)
{
    if (!zab_learns(c->ens.zab)) /* its role ends in this turn, and the connection with it */
        return;
    struct slice body = slice_of(frame.p + 8, frame.n - 8);
    struct parked *p = park(c, k, xid, op);
    if (op == WIRE_OP_MULTI)
        p->multi_kinds = multi_kinds(body, &p->multi_count);
    if (op == WIRE_OP_SYNC) {
        p->frame = blob_dup(frame);
        p->number = ask(c, &c->ens.asked_syncs, OWNER_SELF, k->id, k->session->id);
    }
    zab_forward(c->ens.zab, &(struct peer_request){ .session_id = k->session->id, .cxid = xid, .op = op, .body = body },
                client_ids(k), &c->out->zab);
}

void forward_create_session(struct core *c, struct conn *k, struct session *s)
{
    if (!zab_learns(c->ens.zab))
        return;
    uint8_t timeout[4];
    store_be32(timeout, (uint32_t)s->timeout_ms);
    (void)park(c, k, 0, WIRE_OP_CREATE_SESSION);
    zab_forward(c->ens.zab,
                &(struct peer_request){
                    .session_id = s->id, .op = WIRE_OP_CREATE_SESSION, .body = slice_of(timeout, sizeof timeout) },
                (struct wire_vec){ .count = -1 }, &c->out->zab);
}

/* The session has come to another server since. The leader could not tell, for all that we serve is ours to it; and
 * without an answer an observer of Apache's would wait with everything behind. So what is asked for is what fails. */
static void forward_too_late(struct core *c, const struct peer_request *q)
{
    static const uint8_t root[] = { 0, 0, 0, 1, '/', 0xff, 0xff, 0xff, 0xff };
    struct peer_request nothing = *q;
    nothing.op = WIRE_OP_DELETE;
    nothing.body = slice_of(root, sizeof root);
    zab_forward(c->ens.zab, &nothing, (struct wire_vec){ .count = -1 }, &c->out->zab);
}

/* What an observer's client asks goes on as it came; what comes of it reaches the observer with what is committed. */
void forward_relayed(struct core *c, uint32_t link, const struct peer_request *q, struct wire_vec authinfo)
{
    struct session *s = session_lookup(c, q->session_id);
    bool writes = q->op != WIRE_OP_SYNC && q->op != WIRE_OP_CLOSE_SESSION && q->op != WIRE_OP_CREATE_SESSION;
    if (s != NULL && s->owner == OWNER_NONE)
        session_own(s, link);
    if (writes && s != NULL && s->owner != link) {
        forward_too_late(c, q);
        return;
    }
    if (q->op == WIRE_OP_SYNC)
        (void)ask(c, &c->ens.asked_syncs, link, CORE_CONN_MAX, q->session_id);
    zab_forward(c->ens.zab, q, authinfo, &c->out->zab);
}

/* From now on the session is served there, as far as we know. For the leader all that we serve is ours: what another
 * of our observers, or another connection of ours, has kept back would be taken for what comes from there, behind our
 * question, even if the session has been elsewhere meanwhile and has written there. (Apache's closes the other
 * connection at this moment, too.) */
static void comes_to(struct core *c, int64_t session_id, uint32_t owner)
{
    struct session *s = session_lookup(c, session_id);
    if (s == NULL || s->local)
        return;
    session_own(s, owner);
    if (s->conn != NULL)
        conn_close(c, s->conn);
}

void forward_relayed_revalidate(struct core *c, uint32_t link, int64_t session_id, int32_t timeout_ms)
{
    comes_to(c, session_id, link);
    (void)ask(c, &c->ens.asked_sessions, link, CORE_CONN_MAX, session_id);
    zab_revalidate(c->ens.zab, session_id, timeout_ms, &c->out->zab);
}

static bool creates(int32_t op)
{
    return op == WIRE_OP_CREATE || op == WIRE_OP_CREATE2 || op == WIRE_OP_CREATE_CONTAINER || op == WIRE_OP_CREATE_TTL;
}

/* Can this be what became of that request? A session's number alone does not tell: clients that share a session over
 * several servers count each for itself, and an expiry bears the number 0. The reference server does not ask, and gives
 * the one the answer of the other. */
static bool may_answer(const struct parked *p, int32_t type)
{
    if (type == WIRE_OP_ERROR)
        return p->op != WIRE_OP_CREATE_SESSION && p->op != WIRE_OP_SYNC;
    return p->op == type || (creates(p->op) && creates(type));
}

/* A leader may read more of a multi than we could. */
static void fill_kinds(struct parked *p, int32_t count)
{
    if (p->multi_kinds == NULL || (uint32_t)count <= p->multi_count)
        return;
    p->multi_kinds = mem_realloc(p->multi_kinds, (size_t)count);
    memset(p->multi_kinds + p->multi_count, 0, (size_t)count - p->multi_count);
}

struct conn *forward_match(struct core *c, const struct txn *txn, struct proposal *x)
{
    struct session *s = session_lookup(c, txn->header.session_id);
    struct conn *k = s == NULL ? NULL : s->conn;
    if (k == NULL || k->parked_first == NULL || k->parked_first->xid != txn->header.cxid)
        return NULL;
    if (!may_answer(k->parked_first, txn->header.type))
        return NULL;
    struct parked p = unpark(c, k);
    if (txn->header.type == WIRE_OP_MULTI)
        fill_kinds(&p, txn->op.sub_count);
    x->xid = p.xid;
    x->op = p.op;
    x->create_flags = p.create_flags;
    x->multi_kinds = p.multi_kinds;
    x->received_ms = p.received_ms;
    x->session_id = s->id;
    return k;
}

/* ---- sync ---- */

void forward_synced(struct core *c)
{
    struct asked_list *list = &c->ens.asked_syncs;
    if (list->first == NULL)
        return;
    struct asked a = take_asked(list, &list->first);
    if (a.link != OWNER_SELF) {
        zab_sync_answer(c->ens.zab, a.link, &c->out->zab);
        return;
    }
    struct conn *k = conn_get(c, a.conn);
    if (k == NULL || k->parked_first == NULL || k->parked_first->number != a.number)
        return;
    struct parked p = unpark(c, k);
    k->writes_in_flight--;
    k->writes_answered++;
    if (pipeline_run_now(c, k, blob_slice(p.frame), p.received_ms))
        pipeline_run_deferred(c, k);
    blob_unref(p.frame);
}

void forward_forget(struct core *c)
{
    struct asked_list *lists[] = { &c->ens.asked_syncs, &c->ens.asked_sessions };
    for (size_t i = 0; i < 2; i++)
        while (lists[i]->first != NULL)
            (void)take_asked(lists[i], &lists[i]->first);
}

/* ---- sessions ---- */

void forward_revalidate(struct core *c, struct conn *k, int64_t session_id, int32_t timeout_ms)
{
    k->state = CONN_REVALIDATING;
    k->asked_timeout_ms = timeout_ms;
    conn_pause(c, k);
    if (!zab_learns(c->ens.zab))
        return;
    comes_to(c, session_id, OWNER_SELF);
    k->asked_number = ask(c, &c->ens.asked_sessions, OWNER_SELF, k->id, session_id);
    zab_revalidate(c->ens.zab, session_id, timeout_ms, &c->out->zab);
}

/* An observer's client has come with a session: the leader has judged, and thinks that it is ours. */
static void relay_validity(struct core *c, const struct asked *a, bool valid)
{
    struct session *s = session_lookup(c, a->session_id);
    if (valid && s != NULL) {
        s->touched = true;
        session_own(s, a->link);
        if (s->conn != NULL) /* it was a client of our own */
            conn_close(c, s->conn);
    }
    zab_revalidate_answer(c->ens.zab, a->link, a->session_id, valid, &c->out->zab);
}

/* Of several connections that asked for one session the last one wins. */
void forward_validity(struct core *c, int64_t session_id, bool valid)
{
    struct asked_list *list = &c->ens.asked_sessions;
    struct asked **at = &list->first;
    while (*at != NULL && (*at)->session_id != session_id)
        at = &(*at)->next;
    if (*at == NULL)
        return;
    struct asked a = take_asked(list, at);
    if (a.link != OWNER_SELF) {
        relay_validity(c, &a, valid);
        return;
    }
    struct conn *k = conn_get(c, a.conn);
    if (k == NULL || k->state != CONN_REVALIDATING || k->asked_number != a.number)
        return;
    if (!valid) {
        conn_refuse(c, k);
        return;
    }
    struct session *s = session_lookup(c, session_id);
    if (s == NULL) /* its creation is on the way to this server */
        s = session_add(c, session_id, k->asked_timeout_ms);
    conn_bind(c, k, s, k->asked_timeout_ms);
}

/* Every session that was heard of since the last PING, with its timeout. */
void forward_pong(struct core *c)
{
    struct buf b;
    buf_init(&b, SIZE_MAX / 2);
    for (size_t i = 0; i < c->session_bucket_count; i++) {
        for (struct session *s = c->session_buckets[i]; s != NULL; s = s->hash_next) {
            if (!s->touched || s->local)
                continue;
            s->touched = false;
            peer_touch_put(&b, (struct peer_touch){ s->id, s->timeout_ms });
        }
    }
    zab_pong(c->ens.zab, buf_slice(&b), &c->out->zab);
    buf_fini(&b);
}
