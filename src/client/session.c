/* The life of a connection and of the session over it: what is needed next, handshake, pings, loss, end. */
#include "client/internal.h"

static int64_t backoff_ms(struct client_core *c)
{
    int64_t half = c->retry_ms / 2;
    int64_t wait = half + (int64_t)rng_below(&c->rng, (uint64_t)half + 1);
    c->retry_ms = c->retry_ms * 2 > CLIENT_RETRY_MS_MAX ? CLIENT_RETRY_MS_MAX : c->retry_ms * 2;
    return wait;
}

static void fail_auths(struct client_core *c, int32_t rc)
{
    for (size_t i = 0; i < c->auth_n; i++) {
        if (!c->auths[i].told)
            client_tell(c, &c->auths[i].call, rc);
        c->auths[i].told = true;
    }
}

void client_end(struct client_core *c, enum client_state state, int32_t rc)
{
    if (client_is_over(c))
        return;
    c->state = state;
    c->login = CLIENT_LOGIN_NONE;
    c->drop = c->link != CLIENT_LINK_NONE;
    buf_reset(&c->out);
    if (state != CLIENT_STATE_CLOSED)
        client_push_session_event(c, state);
    client_fail_all(c, rc);
    fail_auths(c, rc);
}

/* Requests on the broken connection fail at once. Those that wait for a session fail when every server was tried in
 * vain, so that one dead server of several is nobody's error. */
void client_drop_link(struct client_core *c, int32_t rc, int64_t now_ms)
{
    bool was_up = client_is_up(c);
    if (c->link == CLIENT_LINK_NONE || c->drop || client_is_over(c))
        return;
    c->drop = true;
    buf_reset(&c->out);
    c->auth_answered = 0;
    c->ping_n = 0;
    c->login = CLIENT_LOGIN_NONE;
    if (c->closing) {
        client_end(c, CLIENT_STATE_CLOSED, CLIENT_ERR_CLOSING);
        return;
    }
    c->state = CLIENT_STATE_NOT_CONNECTED;
    c->retry_at_ms = now_ms;
    bool round_over = client_hosts_round_over(&c->hosts);
    if (was_up) {
        bool brief = now_ms - c->up_at_ms < CLIENT_BRIEF_MS;
        client_push_session_event(c, CLIENT_STATE_CONNECTING);
        if (!brief)
            c->retry_ms = CLIENT_RETRY_MS_MIN;
        /* A server that closes what it has just accepted, or another holder of this session, gets time. */
        if (brief || c->hosts.n < 2)
            c->retry_at_ms = now_ms + CLIENT_PAUSE_MS + backoff_ms(c);
    } else if (round_over) {
        c->retry_at_ms = now_ms + backoff_ms(c);
    }
    if (was_up || round_over || SIM_BUG(library_gives_up_early)) {
        client_fail_all(c, rc);
        if (c->resolve_delay_ms >= 0 && now_ms - c->resolved_at_ms >= c->resolve_delay_ms)
            c->resolved = false;
    }
}

void client_lost(struct client_core *c, int32_t rc, int64_t now_ms)
{
    client_drop_link(c, rc, now_ms);
    c->drop = false;
    c->link = CLIENT_LINK_NONE;
    client_input_reset(c);
}

static void put_frame_header(struct buf *b, size_t n, int32_t xid, int32_t op)
{
    wire_put_i32(b, (int32_t)(8 + n));
    wire_put_i32(b, xid);
    wire_put_i32(b, op);
}

void client_opened(struct client_core *c, int64_t now_ms)
{
    if (c->link != CLIENT_LINK_OPENING || c->drop)
        return;
    const struct wire_connect_request r = {
        .last_zxid_seen = SIM_BUG(library_events_unseen) ? c->settled_zxid : c->last_zxid,
        .timeout_ms = c->config.timeout_ms,
        /* The session of a read-only server is local to it; only one that a writing server has seen can move. */
        .session_id = c->seen_writable ? c->session_id : 0,
        .passwd = slice_of(c->passwd, sizeof(c->passwd)),
        .read_only = c->config.read_only_ok,
        .has_read_only = true,
    };
    c->link = CLIENT_LINK_OPEN;
    c->state = CLIENT_STATE_ASSOCIATING;
    c->received_at_ms = c->sent_at_ms = now_ms;
    client_input_reset(c);
    buf_reset(&c->out);
    wire_put_i32(&c->out, (int32_t)wire_size_connect_request(&r));
    wire_put_connect_request(&c->out, &r);
}

void client_write_auth(struct client_core *c, const struct client_auth *a)
{
    const struct wire_auth_request r = { .scheme = a->scheme, .auth = a->cert };
    put_frame_header(&c->out, wire_size_auth_request(&r), WIRE_XID_AUTH, WIRE_OP_AUTH);
    wire_put_auth_request(&c->out, &r);
}

/* The order of Apache's clients: identities, watches, then what waited. */
static void prime(struct client_core *c)
{
    for (size_t i = 0; i < c->auth_n && !(SIM_BUG(library_proves_once) && c->auths[i].told); i++)
        client_write_auth(c, &c->auths[i]);
    int64_t since = SIM_BUG(library_rearms_since_event) ? c->last_zxid : c->settled_zxid;
    client_watches_rearm(&c->watches, &c->out, since, c->config.rearm_bytes);
    buf_append_slice(&c->out, buf_slice(&c->queue));
    buf_fini(&c->queue);
}

/* The session is there, and the server knows all that it has to know first. */
static void establish(struct client_core *c, int64_t now_ms)
{
    c->state = c->is_read_only ? CLIENT_STATE_READ_ONLY : CLIENT_STATE_CONNECTED;
    c->up_at_ms = now_ms;
    c->probing = false;
    c->probe_ms = CLIENT_PROBE_MS_MIN;
    c->probe_at_ms = now_ms + c->probe_ms;
    client_hosts_succeeded(&c->hosts);
    prime(c);
    client_push_session_event(c, c->state);
    if (c->out.err != 0) /* more was waiting than may be sent */
        client_drop_link(c, ERR_MARSHALLING, now_ms);
}

void client_on_connect_response(struct client_core *c, struct slice frame, int64_t now_ms)
{
    struct wire_reader in = wire_reader_of(frame);
    struct wire_connect_response r = wire_get_connect_response(&in);
    int64_t asked = c->seen_writable ? c->session_id : 0;
    if (in.err != 0) {
        client_drop_link(c, ERR_RUNTIME_INCONSISTENCY, now_ms);
        return;
    }
    if (r.session_id == 0 || r.timeout_ms <= 0 || (asked != 0 && asked != r.session_id)) {
        client_end(c, CLIENT_STATE_EXPIRED, ERR_SESSION_EXPIRED);
        return;
    }
    c->is_read_only = r.has_read_only && r.read_only;
    c->session_id = r.session_id;
    c->timeout_ms = r.timeout_ms;
    memset(c->passwd, 0, sizeof(c->passwd));
    if (r.passwd.n > 0)
        memcpy(c->passwd, r.passwd.p, r.passwd.n < sizeof(c->passwd) ? r.passwd.n : sizeof(c->passwd));
    c->seen_writable |= !c->is_read_only;
    if (!c->config.logs_in) {
        establish(c, now_ms);
        return;
    }
    c->login = CLIENT_LOGIN_STEP;
    c->login_begins = true;
}

bool client_login_token(const struct client_core *c, struct slice *token)
{
    *token = c->login_begins ? (struct slice){ 0 } : c->login_token;
    return c->login_begins;
}

/* As Apache's C client: watches, identities of other schemes and requests wait until the server knows who asks, and
 * the program hears of the connection then. Requests of SASL are numbered as others are. */
void client_login_answer(struct client_core *c, enum login_state how, struct slice token, int64_t now_ms)
{
    blob_unref(c->login_bytes);
    c->login_bytes = NULL;
    if (c->login != CLIENT_LOGIN_ASKED) /* the handle was closed meanwhile */
        return;
    c->login_begins = false;
    c->received_at_ms = now_ms; /* the server is not to blame for the time that this took */
    if (how == LOGIN_FAILED) {
        client_end(c, CLIENT_STATE_AUTH_FAILED, ERR_AUTH_FAILED);
        return;
    }
    if (how == LOGIN_DONE) {
        c->login = CLIENT_LOGIN_NONE;
        establish(c, now_ms);
        return;
    }
    const struct wire_sasl_token r = { .token = slice_is_null(token) ? slice_of("", 0) : token };
    c->login = how == LOGIN_LAST ? CLIENT_LOGIN_LAST : CLIENT_LOGIN_REPLY;
    c->login_xid = client_take_xid(c);
    put_frame_header(&c->out, wire_size_sasl_token(&r), c->login_xid, WIRE_OP_SASL);
    wire_put_sasl_token(&c->out, &r);
}

/* A server's refusal ends the handle: the next server would refuse the same. */
void client_on_login_reply(struct client_core *c, struct slice frame, int64_t now_ms)
{
    struct wire_reader in = wire_reader_of(frame);
    struct wire_reply_header h = wire_get_reply_header(&in);
    bool awaited = c->login == CLIENT_LOGIN_REPLY || c->login == CLIENT_LOGIN_LAST;
    if (in.err != 0 || !awaited || h.xid != c->login_xid) {
        client_drop_link(c, ERR_RUNTIME_INCONSISTENCY, now_ms);
        return;
    }
    if (h.err != 0) {
        client_end(c, CLIENT_STATE_AUTH_FAILED, ERR_AUTH_FAILED);
        return;
    }
    if (c->login == CLIENT_LOGIN_LAST) {
        c->login = CLIENT_LOGIN_NONE;
        establish(c, now_ms);
        return;
    }
    struct wire_sasl_token r = wire_get_sasl_token(&in);
    if (in.err != 0) {
        client_drop_link(c, ERR_RUNTIME_INCONSISTENCY, now_ms);
        return;
    }
    c->login = CLIENT_LOGIN_STEP;
    c->login_token = r.token;
    blob_unref(c->login_bytes);
    c->login_bytes = blob_ref(c->in);
}

static void pass_deadlines(struct client_core *c, int64_t now_ms)
{
    if (now_ms < c->deadline_next)
        return;
    c->deadline_next = INT64_MAX;
    for (size_t i = 0; i < c->ring_n; i++) {
        struct client_pending *p = &c->ring[(c->ring_head + i) & (c->ring_cap - 1)];
        if (p->deadline_ms == 0 || p->answered)
            continue;
        if (p->deadline_ms > now_ms) {
            c->deadline_next = p->deadline_ms < c->deadline_next ? p->deadline_ms : c->deadline_next;
            continue;
        }
        p->answered = !SIM_BUG(library_answers_twice);
        client_tell(c, &p->call, ERR_REQUEST_TIMEOUT);
        if (p->on_answer != NULL && !p->on_answer->forgets) { /* who was told of a failure expects no events */
            mem_free(p->on_answer);
            p->on_answer = NULL;
        }
    }
}

static enum client_need start_connection(struct client_core *c, int64_t now_ms)
{
    if (c->resolving || now_ms < c->retry_at_ms)
        return CLIENT_NEED_NOTHING;
    if (!c->resolved) {
        c->resolving = true;
        return CLIENT_NEED_RESOLVE;
    }
    if (client_hosts_next(&c->hosts) == NULL) {
        c->resolved = false;
        client_fail_all(c, ERR_CONNECTION_LOSS);
        c->retry_at_ms = now_ms + backoff_ms(c);
        return CLIENT_NEED_NOTHING;
    }
    int64_t patience = c->timeout_ms / (int64_t)c->hosts.n;
    c->linked = c->hosts.current;
    c->link = CLIENT_LINK_OPENING;
    c->state = CLIENT_STATE_CONNECTING;
    c->connect_by_ms = now_ms + (patience < CLIENT_CONNECT_MS_MIN ? CLIENT_CONNECT_MS_MIN : patience);
    return CLIENT_NEED_CONNECT;
}

/* On a read-only server: ask the others, one at a time and less and less often, for one that can write. */
static enum client_need look_for_writable(struct client_core *c, int64_t now_ms)
{
    if (c->state != CLIENT_STATE_READ_ONLY || c->probing || now_ms < c->probe_at_ms || c->hosts.n == 0)
        return CLIENT_NEED_NOTHING;
    c->probe = c->hosts.all[c->probe_next++ % c->hosts.n];
    if (c->hosts.n > 1 && client_addr_eq(&c->probe, &c->linked))
        c->probe = c->hosts.all[c->probe_next++ % c->hosts.n];
    c->probing = true;
    return CLIENT_NEED_PROBE;
}

void client_probed(struct client_core *c, bool writable, int64_t now_ms)
{
    if (!c->probing || c->state != CLIENT_STATE_READ_ONLY)
        return;
    c->probing = false;
    if (writable) {
        client_hosts_prefer(&c->hosts, &c->probe);
        client_drop_link(c, ERR_CONNECTION_LOSS, now_ms);
        return;
    }
    c->probe_ms = c->probe_ms * 2 > CLIENT_PROBE_MS_MAX ? CLIENT_PROBE_MS_MAX : c->probe_ms * 2;
    c->probe_at_ms = now_ms + c->probe_ms;
}

/* Apache's rules: silent for two thirds of the timeout is dead; nothing sent for a third asks for a sign of life. */
static int64_t dead_at_ms(const struct client_core *c)
{
    return c->received_at_ms + (int64_t)c->timeout_ms * 2 / 3 + 1;
}

static int64_t ping_at_ms(const struct client_core *c)
{
    return c->sent_at_ms + c->timeout_ms / 3 + 1;
}

enum client_need client_need(struct client_core *c, int64_t now_ms)
{
    if (!c->drop)
        pass_deadlines(c, now_ms);
    if (c->closing && now_ms >= c->close_by_ms)
        client_end(c, CLIENT_STATE_CLOSED, CLIENT_ERR_CLOSING);
    if (c->link == CLIENT_LINK_OPENING && now_ms >= c->connect_by_ms)
        client_drop_link(c, ERR_OPERATION_TIMEOUT, now_ms);
    if (c->link == CLIENT_LINK_OPEN && now_ms >= dead_at_ms(c))
        client_drop_link(c, ERR_OPERATION_TIMEOUT, now_ms);
    if (c->drop) {
        c->drop = false;
        c->link = CLIENT_LINK_NONE;
        client_input_reset(c);
        return CLIENT_NEED_DISCONNECT;
    }
    if (client_is_over(c))
        return CLIENT_NEED_END;
    if (c->link == CLIENT_LINK_NONE)
        return start_connection(c, now_ms);
    if (c->login == CLIENT_LOGIN_STEP) {
        c->login = CLIENT_LOGIN_ASKED;
        return CLIENT_NEED_LOGIN;
    }
    if (!client_is_up(c))
        return CLIENT_NEED_NOTHING;
    if (c->out.n == 0 && now_ms >= ping_at_ms(c) && !SIM_BUG(library_never_pings)) {
        put_frame_header(&c->out, 0, WIRE_XID_PING, WIRE_OP_PING);
        c->sent_at_ms = now_ms;
        c->ping_n++;
    }
    return look_for_writable(c, now_ms);
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

int64_t client_wake_ms(const struct client_core *c)
{
    int64_t at = SIM_BUG(library_oversleeps) ? INT64_MAX : c->deadline_next;
    if (c->drop || c->login == CLIENT_LOGIN_STEP)
        return 0;
    if (client_is_over(c))
        return INT64_MAX;
    if (c->closing)
        at = earlier(at, c->close_by_ms);
    if (c->link == CLIENT_LINK_NONE)
        return c->resolving ? at : earlier(at, c->retry_at_ms);
    if (c->link == CLIENT_LINK_OPENING)
        return earlier(at, c->connect_by_ms);
    at = earlier(at, dead_at_ms(c));
    if (client_is_up(c) && c->out.n == 0 && !SIM_BUG(library_never_pings))
        at = earlier(at, ping_at_ms(c));
    if (c->state == CLIENT_STATE_READ_ONLY && !c->probing)
        at = earlier(at, c->probe_at_ms);
    return at;
}

void client_resolved(struct client_core *c, const struct client_addr *addrs, size_t n, int64_t now_ms)
{
    c->resolving = false;
    c->resolved = true;
    c->resolved_at_ms = now_ms;
    if (n > 0 && !client_hosts_same(&c->hosts, addrs, n))
        (void)client_hosts_set(&c->hosts, addrs, n, false);
}

void client_set_servers(struct client_core *c, const struct client_addr *addrs, size_t n, int64_t now_ms)
{
    c->resolved = true;
    c->resolved_at_ms = now_ms;
    if (c->link != CLIENT_LINK_NONE)
        c->hosts.current = c->linked; /* the program may have cycled since */
    bool leave = client_hosts_set(&c->hosts, addrs, n, client_is_up(c));
    /* Nobody waits for the word of a server that is not in the list any more: it may never come. */
    if (!client_is_up(c) && !client_hosts_has(&c->hosts, &c->linked))
        leave = c->link != CLIENT_LINK_NONE;
    if (leave && !SIM_BUG(library_stays))
        client_drop_link(c, ERR_CONNECTION_LOSS, now_ms);
}

void client_cycle_server(struct client_core *c)
{
    client_hosts_cycle(&c->hosts);
}

void client_set_resolve_delay(struct client_core *c, int64_t delay_ms)
{
    c->resolve_delay_ms = delay_ms;
}

static struct slice dup_bytes(struct slice s)
{
    uint8_t *p = slice_is_null(s) ? NULL : mem_alloc(s.n);
    if (s.n > 0)
        memcpy(p, s.p, s.n);
    return slice_of(p, s.n);
}

int client_add_auth(struct client_core *c, struct slice scheme, struct slice cert, const struct client_call *call)
{
    if (client_is_over(c) || c->closing)
        return CLIENT_ERR_INVALID_STATE;
    if (c->auth_n == c->auth_cap) {
        c->auth_cap = c->auth_cap == 0 ? 4 : c->auth_cap * 2;
        c->auths = mem_realloc(c->auths, c->auth_cap * sizeof(*c->auths));
    }
    struct client_auth *a = &c->auths[c->auth_n++];
    *a = (struct client_auth){ .scheme = dup_bytes(scheme), .cert = dup_bytes(cert), .call = *call };
    if (client_is_up(c))
        client_write_auth(c, a);
    return 0;
}

void client_close(struct client_core *c, int64_t deadline_ms)
{
    static const struct client_call nobody = { 0 };
    struct buf *b;
    if (client_is_over(c) || c->closing)
        return;
    if (!client_is_up(c) || client_begin(c, WIRE_OP_CLOSE_SESSION, &b) != 0 ||
        client_commit(c, &nobody, 0, NULL) != 0) {
        client_end(c, CLIENT_STATE_CLOSED, CLIENT_ERR_CLOSING);
        return;
    }
    c->closing = true;
    c->close_by_ms = deadline_ms;
}

void client_abort(struct client_core *c)
{
    client_end(c, CLIENT_STATE_CLOSED, CLIENT_ERR_CLOSING);
}
