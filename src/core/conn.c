/* conn: connections from accept to close: handshake, dispatch of frames, pausing, replies. */
#include "base/museum.h"
#include "base/hash.h"
#include "base/digest.h"
#include "core/internal.h"
#include <stdio.h>

/* ---- connections per address (maxClientCnxns) ---- */

struct ip_count {
    struct ip_count *next;
    uint8_t address[16];
    bool ipv6;
    int32_t count;
};

static struct ip_count **ip_slot(struct core *c, const struct core_peer *peer)
{
    if (c->ip_bucket_count == 0) {
        c->ip_bucket_count = 256;
        c->ip_buckets = mem_zalloc(c->ip_bucket_count * sizeof *c->ip_buckets);
    }
    uint64_t h = hash_bytes(c->hash_key, peer->address, sizeof peer->address);
    struct ip_count **at = &c->ip_buckets[h & (c->ip_bucket_count - 1)];
    while (*at != NULL && ((*at)->ipv6 != peer->ipv6 || memcmp((*at)->address, peer->address, 16) != 0))
        at = &(*at)->next;
    return at;
}

static int32_t ip_add(struct core *c, const struct core_peer *peer)
{
    struct ip_count **at = ip_slot(c, peer);
    if (*at == NULL) {
        *at = mem_zalloc(sizeof **at);
        memcpy((*at)->address, peer->address, sizeof peer->address);
        (*at)->ipv6 = peer->ipv6;
    }
    return ++(*at)->count;
}

static void ip_remove(struct core *c, const struct core_peer *peer)
{
    struct ip_count **at = ip_slot(c, peer);
    ASSERT(*at != NULL && (*at)->count > 0);
    if (--(*at)->count == 0) {
        struct ip_count *gone = *at;
        *at = gone->next;
        mem_free(gone);
    }
}

/* ---- the table ---- */

struct conn *conn_get(const struct core *c, uint32_t id)
{
    return id < c->conn_cap ? c->conns[id] : NULL;
}

static void conn_drop_deferred(struct core *c, struct conn *k)
{
    while (k->deferred_first != NULL) {
        struct deferred *d = k->deferred_first;
        k->deferred_first = d->next;
        k->deferred_count--;
        c->deferred_count--;
        mem_free(d);
    }
    k->deferred_last = &k->deferred_first;
}

static void conn_drop_parked(struct core *c, struct conn *k)
{
    while (k->parked_first != NULL) {
        struct parked *p = k->parked_first;
        k->parked_first = p->next;
        c->parked_count--;
        k->writes_in_flight--;
        mem_free(p->multi_kinds);
        blob_unref(p->frame);
        mem_free(p);
    }
    k->parked_last = &k->parked_first;
}

static void conn_free(struct core *c, struct conn *k)
{
    if (k->session != NULL && k->session->conn == k)
        k->session->conn = NULL;
    watch_drop_watcher(c->tree, k->id);
    pipeline_forget_conn(c, k);
    conn_drop_deferred(c, k);
    conn_drop_parked(c, k);
    list_remove(&k->link);
    ip_remove(c, &k->peer);
    auth_free(k->auth);
    buf_fini(&k->ids);
    c->conns[k->id] = NULL;
    c->conn_count--;
    mem_free(k);
}

void conn_table_fini(struct core *c)
{
    for (uint32_t i = 0; i < c->conn_cap; i++)
        if (c->conns[i] != NULL)
            conn_free(c, c->conns[i]);
    mem_free(c->conns);
    mem_free(c->ip_buckets);
}

static struct conn *conn_add(struct core *c, const struct core_event *ev)
{
    ASSERT(ev->conn < CORE_CONN_MAX);
    if (ev->conn >= c->conn_cap) {
        uint32_t cap = c->conn_cap == 0 ? 64 : c->conn_cap;
        while (cap <= ev->conn)
            cap *= 2;
        c->conns = mem_realloc(c->conns, cap * sizeof(struct conn *));
        memset(c->conns + c->conn_cap, 0, (cap - c->conn_cap) * sizeof(struct conn *));
        c->conn_cap = cap;
    }
    ASSERT(c->conns[ev->conn] == NULL);
    struct conn *k = mem_zalloc(sizeof *k);
    k->id = ev->conn;
    k->peer = ev->peer;
    k->last_op = INT32_MIN;
    k->last_cxid = -1;
    k->last_zxid = -1;
    k->accepted_ms = c->now_ms;
    k->accepted_wall_ms = c->wall_ms;
    k->deferred_last = &k->deferred_first;
    k->parked_last = &k->parked_first;
    list_init(&k->link);
    list_push_back(&c->handshakes, &k->link);
    c->conns[ev->conn] = k;
    c->conn_count++;
    return k;
}

/* Closed at once, without a byte, as NIOServerCnxnFactory does (client specification 8.1). */
bool conn_accept(struct core *c, const struct core_event *ev)
{
    struct conn *k = conn_add(c, ev);
    int32_t from_ip = ip_add(c, &k->peer);
    bool too_many_ip = c->opt.conns_per_ip_max > 0 && from_ip > c->opt.conns_per_ip_max;
    bool too_many = c->opt.conns_max > 0 && c->conn_count > (uint32_t)c->opt.conns_max;
    if (!too_many_ip && !too_many)
        return true;
    char peer[64];
    conn_peer_text(&k->peer, false, peer, sizeof peer);
    log_warn("conn.refused", "peer=%s limit=%s value=%d", peer, too_many_ip ? "maxClientCnxns" : "maxCnxns",
             too_many_ip ? c->opt.conns_per_ip_max : c->opt.conns_max);
    c->stats.connections_rejected++;
    conn_close(c, k);
    return false;
}

void conn_lost(struct core *c, uint32_t id)
{
    struct conn *k = conn_get(c, id);
    if (k == NULL)
        return;
    if (!k->asks_word)
        c->stats.connections_dropped++;
    conn_free(c, k);
}

/* This server serves no more: whoever has, or waits for, a session goes to look for another one. */
void conn_close_served(struct core *c)
{
    for (uint32_t i = 0; i < c->conn_cap; i++)
        if (c->conns[i] != NULL && c->conns[i]->state != CONN_HANDSHAKE)
            conn_close(c, c->conns[i]);
}

void conn_close(struct core *c, struct conn *k)
{
    out_fx(c, CORE_FX_CLOSE, k->id);
    conn_free(c, k);
}

/* A peer that connects and says nothing, or says it a byte at a time, has handshake_timeout_ms in all. */
void conn_expire_handshakes(struct core *c)
{
    while (!list_empty(&c->handshakes)) {
        struct conn *k = CONTAINER_OF(c->handshakes.next, struct conn, link);
        if (k->accepted_ms + c->opt.handshake_timeout_ms > c->now_ms)
            return;
        c->stats.handshakes_expired++;
        conn_close(c, k);
    }
}

/* ---- pausing ---- */

void conn_pause(struct core *c, struct conn *k)
{
    if (k->paused)
        return;
    k->paused = true;
    k->paused_since_ms = c->now_ms;
    list_remove(&k->link);
    list_push_back(&c->paused, &k->link);
}

static void conn_resume(struct core *c, struct conn *k)
{
    k->paused = false;
    list_remove(&k->link);
    out_fx(c, CORE_FX_RESUME, k->id);
}

/* As RequestThrottler and NIOServerCnxn: over the server's limit a connection with something outstanding is not read
 * until its answers have gone out (client specification 8.2). */
static bool over_limit(const struct core *c)
{
    int64_t n = pipeline_in_flight(c);
    return n > c->opt.outstanding_limit || (c->opt.request_throttle_max > 0 && n >= c->opt.request_throttle_max);
}

void conn_update_paused(struct core *c)
{
    if (list_empty(&c->paused))
        return;
    bool full = over_limit(c);
    LIST_FOR_SAFE(it, &c->paused)
    {
        struct conn *k = CONTAINER_OF(it, struct conn, link);
        if (k->state != CONN_ACTIVE || k->sync_waits)
            continue;
        if (!full || (k->writes_in_flight == 0 && k->deferred_count == 0))
            conn_resume(c, k);
    }
}

/* ---- replies ---- */

void conn_reply(struct core *c, struct conn *k, int32_t xid, int64_t zxid, int32_t err, struct slice body,
                int64_t received_ms)
{
    size_t n = 16 + body.n;
    uint8_t *p = out_send(c, k->id, 4 + n);
    store_be32(p, (uint32_t)n);
    store_be32(p + 4, (uint32_t)xid);
    store_be64(p + 8, (uint64_t)zxid);
    store_be32(p + 16, (uint32_t)err);
    if (body.n != 0)
        memcpy(p + 20, body.p, body.n);

    int64_t latency_ms = c->now_ms - received_ms;
    k->packets_sent++;
    k->last_zxid = zxid;
    k->last_response_ms = c->now_ms;
    k->latency_last_ms = latency_ms;
    k->latency_sum_ms += latency_ms;
    if (k->latency_count++ == 0 || latency_ms < k->latency_min_ms)
        k->latency_min_ms = latency_ms;
    if (latency_ms > k->latency_max_ms)
        k->latency_max_ms = latency_ms;
    struct core_stats *s = &c->stats;
    s->packets_sent++;
    s->latency_sum_ms += latency_ms;
    if (s->latency_count++ == 0 || latency_ms < s->latency_min_ms)
        s->latency_min_ms = latency_ms;
    if (latency_ms > s->latency_max_ms)
        s->latency_max_ms = latency_ms;
    int64_t bytes = (int64_t)n;
    s->bytes_sent += bytes;
    s->response_bytes_last = bytes;
    if (s->response_bytes_min < 0 || bytes < s->response_bytes_min)
        s->response_bytes_min = bytes;
    if (bytes > s->response_bytes_max)
        s->response_bytes_max = bytes;
}

static void put_connect_response(struct core *c, struct conn *k, int64_t session_id, int32_t timeout_ms)
{
    uint8_t passwd[WIRE_PASSWD_BYTES] = { 0 };
    if (session_id != 0)
        session_password(session_id, passwd);
    buf_reset(&c->body);
    wire_put_connect_response(&c->body, &(struct wire_connect_response){
                                            .timeout_ms = timeout_ms,
                                            .session_id = session_id,
                                            .passwd = slice_of(passwd, sizeof passwd),
                                            .has_read_only = !k->old_client,
                                            .read_only = c->ens.read_only,
                                        });
    uint8_t *p = out_send(c, k->id, 4 + c->body.n);
    store_be32(p, (uint32_t)c->body.n);
    memcpy(p + 4, c->body.p, c->body.n);
    c->stats.bytes_sent += (int64_t)c->body.n;
    c->stats.packets_sent++;
    k->packets_sent++;
}

/* ---- handshake (client specification 2.3) ---- */

void conn_session_ready(struct core *c, struct conn *k)
{
    ASSERT(k->session != NULL);
    bool was_creating = k->state == CONN_CREATING;
    bool was_waiting = was_creating || k->state == CONN_REVALIDATING;
    k->state = CONN_ACTIVE;
    k->last_op = WIRE_OP_CREATE_SESSION;
    k->last_zxid = tree_last_zxid(c->tree);
    if (was_creating)
        k->last_cxid = 0; /* createSession is a request with number 0 */
    k->last_response_ms = c->now_ms;
    put_connect_response(c, k, k->session->id, k->session->timeout_ms);
    if (was_waiting && k->paused)
        conn_resume(c, k);
    else
        list_remove(&k->link);
}

void conn_refuse(struct core *c, struct conn *k)
{
    c->stats.unsuccessful_handshakes++;
    put_connect_response(c, k, 0, 0);
    conn_close(c, k);
}

/* The session is this connection's now; an older one loses it. */
void conn_bind(struct core *c, struct conn *k, struct session *s, int32_t timeout_ms)
{
    if (s->conn != NULL)
        conn_close(c, s->conn);
    s->conn = k;
    session_own(s, OWNER_SELF);
    session_set_timeout(c, s, timeout_ms);
    k->session = s;
    conn_session_ready(c, k);
}

/* The password is judged before the old connection is touched: a stranger who knows only an id cannot cut anybody
 * off (the reference server does it the other way round; client specification, appendix A 7). */
static bool handshake_reattach(struct core *c, struct conn *k, const struct wire_connect_request *q, int32_t timeout_ms)
{
    uint8_t passwd[WIRE_PASSWD_BYTES];
    session_password(q->session_id, passwd);
    bool knows = digest_equal_secret(q->passwd, slice_of(passwd, sizeof passwd));
    struct session *own = session_lookup(c, q->session_id);
    if (knows && (c->ens.read_only || (own != NULL && own->local))) {
        /* Without a quorum nobody can say that it does not live. */
        conn_bind(c, k, own != NULL ? own : session_add(c, q->session_id, timeout_ms), timeout_ms);
        return true;
    }
    if (knows && !ensemble_leads(c)) { /* only the leader knows which sessions live */
        forward_revalidate(c, k, q->session_id, timeout_ms);
        return false;
    }
    struct session *s = session_lookup(c, q->session_id);
    bool lives = s != NULL && !s->closing && tree_session_timeout_ms(c->tree, s->id) != 0;
    if (knows && !lives && c->ens.zab != NULL) {
        remote_doubt_own(c, k, q->session_id, timeout_ms);
        return false;
    }
    if (!knows || (SIM_BUG(refused_alive) && c->now_ms % 8 == 0) || !lives) {
        conn_refuse(c, k);
        return false;
    }
    conn_bind(c, k, s, timeout_ms);
    return true;
}

static bool handshake(struct core *c, struct conn *k, struct slice frame)
{
    struct wire_reader r = wire_reader_of(frame);
    struct wire_connect_request q = wire_get_connect_request(&r);
    c->stats.connection_requests++;
    if (r.err == 0 && !throttle_admits(c, q.session_id != 0)) {
        c->stats.connections_rejected++;
        conn_close(c, k);
        return false;
    }
    if (r.err == 0 && !ensemble_serves(c) &&
        !(c->ens.read_only && q.read_only)) { /* as without a running server: closed without a word */
        c->stats.connections_rejected++;
        conn_close(c, k);
        return false;
    }
    if (r.err != 0 || q.last_zxid_seen > ensemble_seen_zxid(c)) {
        if (r.err == 0)
            log_info("conn.ahead", "client_zxid=0x%llx server_zxid=0x%llx action=close",
                     (unsigned long long)q.last_zxid_seen, (unsigned long long)tree_last_zxid(c->tree));
        c->stats.unsuccessful_handshakes++;
        conn_close(c, k);
        return false;
    }
    k->old_client = !q.has_read_only;
    int32_t timeout_ms = q.timeout_ms;
    if (timeout_ms < c->opt.session_timeout_ms_min)
        timeout_ms = c->opt.session_timeout_ms_min;
    if (timeout_ms > c->opt.session_timeout_ms_max)
        timeout_ms = c->opt.session_timeout_ms_max;
    if (q.session_id != 0)
        return handshake_reattach(c, k, &q, timeout_ms);
    struct session *s = session_add(c, session_new_id(c), timeout_ms);
    s->conn = k;
    k->session = s;
    if (c->ens.zab != NULL && (c->opt.local_sessions || c->ens.read_only)) {
        local_begin(c, k, s);
        return true;
    }
    k->state = CONN_CREATING;
    conn_pause(c, k); /* nothing more is read until the session exists */
    session_own(s, OWNER_SELF);
    if (ensemble_leads(c))
        pipeline_create_session(c, k, s);
    else
        forward_create_session(c, k, s);
    return false;
}

/* ---- requests ---- */

/* The error goes out behind the answers to earlier requests, then the connection ends; the session lives on. */
static bool close_behind(struct core *c, struct conn *k, struct slice frame, int32_t err)
{
    k->state = CONN_CLOSING;
    k->close_after_deferred = true;
    pipeline_defer(c, k, frame, err);
    return false;
}

static bool throttled(struct core *c, struct conn *k, int32_t op)
{
    if (c->opt.throttled_op_wait_ms <= 0 || k->paused_since_ms == 0 || op == WIRE_OP_PING ||
        op == WIRE_OP_CLOSE_SESSION)
        return false;
    int64_t waited_ms = c->now_ms - k->paused_since_ms;
    k->paused_since_ms = 0;
    return waited_ms > c->opt.throttled_op_wait_ms;
}

static bool large_refused(struct core *c, struct slice frame)
{
    return c->opt.large_request_threshold > 0 && (int64_t)frame.n > c->opt.large_request_threshold &&
           c->pipe.large_bytes + (int64_t)frame.n > c->opt.large_request_bytes_max;
}

static void dispatch(struct core *c, struct conn *k, const struct op_row *row, int32_t xid, struct slice frame)
{
    if (UNLIKELY(c->ens.read_only || k->session->local) && !local_may_write(c, k, row->code, frame))
        return;
    if (row->writes) {
        c->stats.writes++;
        int refused = UNLIKELY(c->opt.eager_acl_check) ? eager_judge(c, k, row->code, frame) : 0;
        if (refused != 0)
            pipeline_defer(c, k, frame, refused);
        else if (LIKELY(ensemble_leads(c)))
            pipeline_write(c, k, xid, row, frame);
        else
            forward_write(c, k, xid, row->code, frame);
        return;
    }
    c->stats.reads++;
    if (UNLIKELY(row->code == WIRE_OP_SYNC) && c->ens.zab != NULL) {
        if (ensemble_leads(c))
            remote_sync_own(c, k, xid, frame);
        else
            forward_write(c, k, xid, row->code, frame);
        return;
    }
    pipeline_defer(c, k, frame, 0);
}

static bool request(struct core *c, struct conn *k, struct slice frame)
{
    if (frame.n < 8) {
        conn_close(c, k);
        return false;
    }
    int32_t xid = (int32_t)load_be32(frame.p);
    int32_t code = (int32_t)load_be32(frame.p + 4);
    if (code == WIRE_OP_AUTH || code == WIRE_OP_SASL) { /* answered at once and no sign of life (7.1) */
        struct wire_reader r = wire_reader_of(slice_of(frame.p + 8, frame.n - 8));
        int rc = code == WIRE_OP_AUTH ? auth_request(c, k, &r) : 0;
        static const uint8_t null_token[4] = { 0xff, 0xff, 0xff, 0xff };
        if (rc == ERR_CLOSED) {
            conn_close(c, k);
            return false;
        }
        conn_reply(c, k, xid, 0, rc, slice_of(null_token, code == WIRE_OP_AUTH ? 0 : 4), c->now_ms);
        if (rc == 0)
            return true;
        c->stats.auth_failed++;
        conn_close(c, k);
        return false;
    }
    session_touch(c, k->session);
    k->session->touched = true;
    k->last_op = code;
    if (xid >= 0)
        k->last_cxid = xid;
    if (UNLIKELY(c->opt.enforce_auth) && !auth_satisfies_policy(c, k))
        return close_behind(c, k, frame, ERR_SESSION_CLOSED_REQUIRE_SASL);
    const struct op_row *row = op_find(code);
    if (row == NULL || !row->client)
        return close_behind(c, k, frame, ERR_UNIMPLEMENTED);
    if (UNLIKELY(throttled(c, k, code))) {
        c->stats.throttled_ops++;
        pipeline_defer(c, k, frame, ERR_THROTTLED_OP);
        return true;
    }
    if (UNLIKELY(large_refused(c, frame))) {
        c->stats.large_requests_rejected++;
        conn_close(c, k);
        return false;
    }
    uint32_t id = k->id;
    dispatch(c, k, row, xid, frame);
    if (UNLIKELY(conn_get(c, id) == NULL))
        return false;
    if (UNLIKELY(k->sync_waits)) {
        conn_pause(c, k);
        return false;
    }
    if (code == WIRE_OP_CLOSE_SESSION) {
        k->state = CONN_CLOSING;
        return false;
    }
    /* Whatever its number: the reference server counts only those above 0, so that a flood of others has no bound. */
    if ((k->writes_in_flight != 0 || k->deferred_count != 0) && over_limit(c)) {
        conn_pause(c, k);
        return false;
    }
    return true;
}

bool conn_frame(struct core *c, const struct core_event *ev)
{
    struct conn *k = conn_get(c, ev->conn);
    if (k == NULL)
        return false; /* closed by an earlier frame of this turn */
    c->stats.packets_received++;
    c->stats.bytes_received += 4 + (int64_t)ev->frame.n;
    k->packets_received++;
    switch (k->state) {
    case CONN_ACTIVE:
        return request(c, k, ev->frame);
    case CONN_HANDSHAKE:
        return handshake(c, k, ev->frame);
    case CONN_REVALIDATING:
    case CONN_CREATING: /* a shell that ignores the pause: nothing can be said yet */
    case CONN_CLOSING:
        return false;
    }
    return false;
}

size_t conn_peer_text(const struct core_peer *peer, bool with_port, char *to, size_t size)
{
    int n;
    const uint8_t *a = peer->address;
    if (!peer->ipv6) {
        n = snprintf(to, size, "%u.%u.%u.%u", a[0], a[1], a[2], a[3]);
    } else { /* as Java's Inet6Address.getHostAddress: eight groups, nothing left out */
        unsigned g[8];
        for (int i = 0; i < 8; i++)
            g[i] = (unsigned)a[i * 2] << 8 | a[i * 2 + 1];
        n = snprintf(to, size, "%x:%x:%x:%x:%x:%x:%x:%x", g[0], g[1], g[2], g[3], g[4], g[5], g[6], g[7]);
    }
    if (n > 0 && with_port && (size_t)n < size)
        n += snprintf(to + n, size - (size_t)n, ":%u", peer->port);
    return n < 0 ? 0 : (size_t)n;
}
