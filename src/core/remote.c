/* remote: a leader's side of its learners: their clients' requests, which sessions they serve, and syncs (quorum
 * specification 4.10, 6). */
#include "base/museum.h"
#include "core/internal.h"

/* ---- who asks ---- */

static bool parse_ipv4(struct slice text, uint8_t to[16])
{
    unsigned part = 0, value = 0, digits = 0;
    for (size_t i = 0; i <= text.n; i++) {
        if (i < text.n && text.p[i] >= '0' && text.p[i] <= '9') {
            value = value * 10 + (text.p[i] - (unsigned)'0');
            if (++digits > 3 || value > 255)
                return false;
            continue;
        }
        if (digits == 0 || part > 3 || (i < text.n && text.p[i] != '.'))
            return false;
        to[part++] = (uint8_t)value;
        value = digits = 0;
    }
    return part == 4;
}

/* Eight groups in hexadecimal, as servers write them; one "::" is read too. */
static bool parse_ipv6(struct slice text, uint8_t to[16])
{
    unsigned groups[8], count = 0, gap = 9;
    size_t i = 0;
    while (i < text.n && count < 8) {
        if (text.p[i] == ':') {
            if (i + 1 < text.n && text.p[i + 1] == ':')
                gap = count;
            i += gap == count ? 2 : 1;
            continue;
        }
        unsigned v = 0;
        for (; i < text.n && text.p[i] != ':' && text.p[i] != '%'; i++) {
            uint8_t ch = text.p[i] | 0x20;
            bool digit = ch >= '0' && ch <= '9';
            if (!digit && (ch < 'a' || ch > 'f'))
                return false;
            v = v << 4 | (unsigned)(digit ? ch - '0' : ch - 'a' + 10);
        }
        groups[count++] = v;
        if (i < text.n && text.p[i] == '%')
            break;
    }
    if (count == 0 || (count != 8 && gap == 9))
        return false;
    memset(to, 0, 16);
    for (unsigned g = 0; g < count; g++) {
        unsigned at = g < gap ? g : 8 - count + g;
        to[at * 2] = (uint8_t)(groups[g] >> 8);
        to[at * 2 + 1] = (uint8_t)groups[g];
    }
    return true;
}

/* A connection that stands for the client of another server: its address and what it has proved there. It is in no
 * table; client_fini frees what it holds. */
static void client_init(struct core *c, struct conn *k, struct wire_vec ids)
{
    *k = (struct conn){ .id = CORE_CONN_MAX, .state = CONN_ACTIVE };
    struct wire_reader r = wire_vec_reader(ids);
    for (int32_t i = 0; i < ids.count; i++) {
        struct slice scheme = wire_get_ustring(&r), id = wire_get_ustring(&r);
        if (r.err != 0)
            break;
        if (!slice_eq_str(scheme, "ip")) {
            auth_add_proved(k, scheme, id);
            continue;
        }
        k->peer.ipv6 = !parse_ipv4(id, k->peer.address) && parse_ipv6(id, k->peer.address);
    }
    k->auth_count_now = k->auth == NULL ? 0 : k->auth->count;
    (void)c;
}

static void client_fini(struct conn *k)
{
    auth_free(k->auth);
}

/* ---- whose session ---- */

/* As SessionTrackerImpl.checkSession: the learner that a session speaks through is its owner until it is revalidated
 * through another one. */
static int check_owner(struct core *c, int64_t session_id, uint32_t link)
{
    struct session *s = session_lookup(c, session_id);
    /* A session that only its own server knows (quorum specification 6.7); but not one that was everybody's and has
     * ended: its last writes may arrive behind its end. The reference server carries those out. */
    bool elsewhere = (uint8_t)((uint64_t)session_id >> 56) != c->opt.server_id;
    if (s == NULL && c->opt.local_sessions && elsewhere && !local_has_ended(c, session_id))
        return 0;
    if (s == NULL || s->closing)
        return ERR_SESSION_EXPIRED;
    if (s->owner == OWNER_NONE)
        session_own(s, link);
    return s->owner == link || SIM_BUG(moved_session_writes) ? 0 : ERR_SESSION_MOVED;
}

void remote_touch(struct core *c, int64_t session_id, int32_t timeout_ms)
{
    struct session *s = session_lookup(c, session_id);
    (void)timeout_ms; /* the session's own counts: a learner tells it for servers that know no table */
    if (s != NULL && zab_learns(c->ens.zab))
        s->touched = true; /* told to the leader with ours */
    else if (s != NULL && !s->closing)
        session_touch(c, s);
}

/* ---- requests ---- */

static void create_session(struct core *c, uint32_t link, const struct peer_request *q)
{
    struct wire_reader r = wire_reader_of(q->body);
    int32_t timeout_ms = wire_get_i32(&r);
    struct conn client;
    client_init(c, &client, (struct wire_vec){ .count = -1 });
    if (r.err == 0) {
        struct session *s = session_lookup(c, q->session_id);
        if (s == NULL)
            s = session_add(c, q->session_id, timeout_ms);
        session_own(s, link);
    }
    pipeline_remote(c, &client, q, r.err == 0 ? 0 : ERR_MARSHALLING);
}

static void judge(struct core *c, uint32_t link, const struct peer_request *q, struct wire_vec authinfo)
{
    c->stats.writes++;
    if (q->op == WIRE_OP_CREATE_SESSION) {
        create_session(c, link, q);
        return;
    }
    struct conn client;
    client_init(c, &client, authinfo);
    /* A close may come from anywhere; the expiry of a session comes from this server itself. */
    int err = q->op == WIRE_OP_CLOSE_SESSION ? 0 : check_owner(c, q->session_id, link);
    const struct op_row *row = op_find(q->op);
    if (err == 0 && (row == NULL || !row->writes))
        err = ERR_UNIMPLEMENTED;
    pipeline_remote(c, &client, q, err);
    client_fini(&client);
}

/* ---- sync: linearizable, so it takes a round trip of the quorum ---- */

/* A sync of a learner's client: what that learner sends next must not overtake it. */
static bool orders_others(const struct sync_wait *w)
{
    return w->link != OWNER_SELF && w->doubted == 0;
}

static void sync_add(struct core *c, struct sync_wait s)
{
    struct ensemble *e = &c->ens;
    struct sync_wait *w = mem_alloc(sizeof *w);
    *w = s;
    w->next = NULL;
    w->token = e->next_token++;
    if (e->syncs == NULL)
        e->syncs_last = &e->syncs;
    *e->syncs_last = w;
    e->syncs_last = &w->next;
    e->sync_count++;
    if (orders_others(w))
        sync_order_began(&e->sync_order, w->link);
    zab_sync(e->zab, w->token, &c->out->zab);
}

void remote_sync_own(struct core *c, struct conn *k, int32_t xid, struct slice frame)
{
    (void)xid;
    if (!zab_leads(c->ens.zab))
        return;
    k->sync_waits = true;
    k->sync_token = c->ens.next_token;
    sync_add(c, (struct sync_wait){ .link = OWNER_SELF,
                                    .conn = k->id,
                                    .session_id = k->session->id,
                                    .frame = blob_dup(frame),
                                    .received_ms = c->now_ms });
}

/* ---- sessions that seem not to live ---- */

/* A leader that others have left, and does not know it yet, knows nothing of sessions that began since, and may have
 * ended some by itself. Who is refused gives its session up for good, so no session is refused before a quorum has
 * said that this server leads: that is what a sync waits for. */
static bool lives(const struct core *c, const struct session *s)
{
    return s != NULL && !s->closing && !s->local && ensemble_leads(c); /* a local one is not for other servers */
}

static void tell_validity(struct core *c, uint32_t link, int64_t session_id, int32_t timeout_ms)
{
    struct session *s = session_lookup(c, session_id);
    bool valid = lives(c, s);
    if (valid) {
        session_own(s, link);
        if (s->conn != NULL) /* it was our own client */
            conn_close(c, s->conn);
        session_set_timeout(c, s, timeout_ms);
    }
    zab_revalidate_answer(c->ens.zab, link, session_id, valid || SIM_BUG(dead_session_revived), &c->out->zab);
}

void remote_revalidate(struct core *c, uint32_t link, int64_t session_id, int32_t timeout_ms)
{
    if (zab_learns(c->ens.zab)) {
        forward_relayed_revalidate(c, link, session_id, timeout_ms);
        return;
    }
    if (!zab_leads(c->ens.zab) || lives(c, session_lookup(c, session_id)))
        tell_validity(c, link, session_id, timeout_ms);
    else
        sync_add(c, (struct sync_wait){ .link = link, .doubted = session_id, .timeout_ms = timeout_ms });
}

void remote_doubt_own(struct core *c, struct conn *k, int64_t session_id, int32_t timeout_ms)
{
    k->state = CONN_REVALIDATING;
    k->asked_number = c->ens.next_token;
    conn_pause(c, k);
    sync_add(c,
             (struct sync_wait){ .link = OWNER_SELF, .conn = k->id, .doubted = session_id, .timeout_ms = timeout_ms });
}

static void end_doubt(struct core *c, const struct sync_wait *w)
{
    if (w->link != OWNER_SELF) {
        tell_validity(c, w->link, w->doubted, w->timeout_ms);
        return;
    }
    struct conn *k = conn_get(c, w->conn);
    if (k == NULL || k->state != CONN_REVALIDATING || k->asked_number != w->token)
        return;
    struct session *s = session_lookup(c, w->doubted);
    if (lives(c, s) && tree_session_timeout_ms(c->tree, s->id) != 0)
        conn_bind(c, k, s, w->timeout_ms);
    else
        conn_refuse(c, k);
}

static void hold(struct core *c, uint32_t link, const struct peer_request *q, struct wire_vec authinfo)
{
    struct held_request *h = mem_alloc(sizeof *h + q->body.n + authinfo.raw.n);
    uint8_t *bytes = (uint8_t *)(h + 1);
    const struct session *s = session_lookup(c, q->session_id);
    *h = (struct held_request){
        .held = { .link = link, .is_sync = q->op == WIRE_OP_SYNC },
        .moves = s == NULL ? 0 : s->moves,
        .request = *q,
        .authinfo = authinfo,
    };
    if (q->body.n != 0)
        memcpy(bytes, q->body.p, q->body.n);
    if (authinfo.raw.n != 0)
        memcpy(bytes + q->body.n, authinfo.raw.p, authinfo.raw.n);
    h->request.body = slice_of(bytes, q->body.n);
    h->authinfo.raw = slice_of(bytes + q->body.n, authinfo.raw.n);
    sync_order_hold(&c->ens.sync_order, &h->held);
}

static void carry_on(struct core *c, uint32_t link, const struct peer_request *q, struct wire_vec authinfo)
{
    if (q->op == WIRE_OP_SYNC)
        sync_add(c, (struct sync_wait){ .link = link, .session_id = q->session_id });
    else
        judge(c, link, q, authinfo);
}

void remote_request(struct core *c, uint32_t link, const struct peer_request *q, struct wire_vec authinfo)
{
    if (zab_learns(c->ens.zab)) {
        forward_relayed(c, link, q, authinfo);
        return;
    }
    if (!zab_leads(c->ens.zab))
        return;
    if (sync_order_must_wait(&c->ens.sync_order, link, q->op == WIRE_OP_SYNC))
        hold(c, link, q, authinfo);
    else
        carry_on(c, link, q, authinfo);
}

/* Its session has been served by another server since it came, perhaps by several, and is ahead of it: as a request
 * that arrives then it is of no effect. A sync must be answered all the same, or the learner's next one would be taken
 * for it. */
static bool too_late(const struct core *c, const struct held_request *h)
{
    const struct session *s = session_lookup(c, h->request.session_id);
    return s != NULL && s->moves != h->moves && h->request.op != WIRE_OP_SYNC;
}

/* Its learner must hear of it: a client that still waits there would wait for ever. */
static void refuse_moved(struct core *c, const struct peer_request *q)
{
    struct conn client;
    client_init(c, &client, (struct wire_vec){ .count = -1 });
    pipeline_remote(c, &client, q, ERR_SESSION_MOVED);
    client_fini(&client);
}

static void release_held(struct core *c, const struct sync_wait *w)
{
    struct sync_order *o = &c->ens.sync_order;
    sync_order_ended(o, w->link);
    for (struct sync_held *it; (it = sync_order_next(o)) != NULL;) {
        struct held_request *h = CONTAINER_OF(it, struct held_request, held);
        if (zab_leads(c->ens.zab) && too_late(c, h))
            refuse_moved(c, &h->request);
        else if (zab_leads(c->ens.zab))
            carry_on(c, h->held.link, &h->request, h->authinfo);
        mem_free(h);
    }
}

static void answer_own(struct core *c, const struct sync_wait *w)
{
    struct conn *k = conn_get(c, w->conn);
    if (k == NULL || !k->sync_waits || k->sync_token != w->token) /* its number may be another client's now */
        return;
    k->sync_waits = false;
    (void)pipeline_run_now(c, k, blob_slice(w->frame), w->received_ms);
}

void remote_synced(struct core *c, int64_t token)
{
    struct sync_wait *w = c->ens.syncs;
    if (w == NULL || w->token != token)
        return;
    c->ens.syncs = w->next;
    c->ens.sync_count--;
    if (w->doubted != 0)
        end_doubt(c, w);
    else if (w->link == OWNER_SELF)
        answer_own(c, w);
    else
        zab_sync_answer(c->ens.zab, w->link, &c->out->zab);
    if (orders_others(w))
        release_held(c, w);
    blob_unref(w->frame);
    mem_free(w);
}

void remote_forget_syncs(struct core *c)
{
    while (c->ens.syncs != NULL) {
        struct sync_wait *w = c->ens.syncs;
        c->ens.syncs = w->next;
        blob_unref(w->frame);
        mem_free(w);
    }
    c->ens.sync_count = 0;
    for (struct sync_held *h; (h = sync_order_take_any(&c->ens.sync_order)) != NULL;)
        mem_free(CONTAINER_OF(h, struct held_request, held));
}
