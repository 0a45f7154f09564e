#include "sim/library.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "client/core.h"
#include "sim/client.h"
#include "sim/cluster.h"
#include "sim/member.h"
#include "wire/records.h"

#define NO_CABLE UINT32_MAX
#define BEGIN_MS 5000 /* a clock does not begin at 0 */

struct library {
    struct cluster *c;
    struct simclient *client;
    uint32_t index, user;
    struct dice *works;
    struct client_core *core;
    uint64_t cores; /* made so far */
    uint32_t cable, member;
    bool dialling; /* the first frame of a connection goes out next */
    bool closing;
    bool fleeting;      /* its session is of a server without a quorum, and nobody else knows it */
    bool greeted;       /* the answer to the handshake has come */
    bool end_unheard;   /* its connection was lost while it stood still */
    int64_t session_id; /* of this connection */
    int64_t dialled_us, still_until_us, next_op_us;
    uint32_t asked, told; /* requests, and records of them: told in order, so that these two are all */
    bool had_session;
    struct buf out, frame;
    struct client_dones dones;
};

static int64_t now_ms(const struct library *l)
{
    return BEGIN_MS + l->c->now_us / 1000;
}

static void wrong(struct library *l, const char *rule, const char *what)
{
    finding_set(&l->c->finding, l->c->now_us, rule, "client %u, a library's: %s", l->index, what);
}

static void note(struct library *l, enum chronicle_kind kind, struct slice frame)
{
    chronicle_add(
        &l->c->chronicle,
        (struct chronicle_entry){
            .at_us = l->c->now_us, .kind = kind, .client = l->index, .cable = l->cable, .session_id = l->session_id },
        frame);
}

/* What a program would have been called with: it only has to be there. */
static void answer_fn(void)
{
}

static void watcher_fn(void)
{
}

static void begin_core(struct library *l)
{
    static const char *const secrets[CLIENT_USERS] = { "alice:a", "bob:b", "carol:c" };
    struct client_config config = { .timeout_ms = (int32_t)opt(l->c, OPT_timeout_ms),
                                    .read_only_ok = opt(l->c, OPT_read_only) != 0 && l->index % 2 == 0,
                                    .seed = l->c->opt.seed * 977 + l->index * 31 + l->cores++,
                                    .watcher = { watcher_fn, l } };
    l->core = client_new(&config, now_ms(l));
    l->closing = l->fleeting = false;
    if (l->user < CLIENT_USERS && client_add_auth(l->core, slice_str("digest"), slice_str(secrets[l->user]),
                                                  &(struct client_call){ .fn = NULL }) != 0)
        wrong(l, "library.auth", "cannot name its id");
}

struct library *library_new(struct cluster *c, struct simclient *client, uint32_t index, uint32_t user,
                            struct dice *works)
{
    struct library *l = mem_zalloc(sizeof *l);
    *l = (struct library){ .c = c, .client = client, .index = index, .user = user, .works = works, .cable = NO_CABLE };
    buf_init(&l->out, SIZE_MAX / 2);
    buf_init(&l->frame, 1 << 20);
    begin_core(l);
    return l;
}

static void drop_dones(struct library *l)
{
    for (size_t i = 0; i < l->dones.n; i++)
        client_done_fini(&l->dones.p[i]);
    l->dones.n = 0;
}

void library_free(struct library *l)
{
    if (l == NULL)
        return;
    client_free(l->core);
    drop_dones(l);
    mem_free(l->dones.p);
    buf_fini(&l->out);
    buf_fini(&l->frame);
    mem_free(l);
}

/* ---- records ---- */

/* Takes the records that are there: requests end in the order in which they were made. The one that is an answer, or
 * NULL, and how many events; valid until the next call. */
static const struct client_done *take_dones(struct library *l, size_t *answers, size_t *events)
{
    const struct client_done *answer = NULL;
    *answers = *events = 0;
    drop_dones(l);
    (void)client_take_done(l->core, &l->dones);
    for (size_t i = 0; i < l->dones.n; i++) {
        const struct client_done *d = &l->dones.p[i];
        if (d->is_event) {
            *events += d->type != CLIENT_EVENT_SESSION;
            continue;
        }
        if (d->call.tag != l->told || l->told == l->asked)
            wrong(l, "library.records", "a request is answered twice, or not in its turn");
        l->told++;
        ++*answers;
        answer = d;
    }
    return answer;
}

/* Those of requests that nobody has answered: with an error. */
static void take_failed(struct library *l)
{
    size_t answers, events;
    const struct client_done *d = take_dones(l, &answers, &events);
    l->c->coverage.n[COVER_library_losses] += answers;
    for (size_t i = 0; i < l->dones.n; i++)
        if (!l->dones.p[i].is_event && l->dones.p[i].rc == 0)
            wrong(l, "library.invented", "a request ends well, and no server has said so");
    if (events != 0 || (d != NULL && d->body_n != 0))
        wrong(l, "library.invented", "it tells what no server has said");
}

/* ---- its turn ---- */

static bool is_wanted(const struct library *l, uint32_t member)
{
    return !l->c->outside[member];
}

static size_t servers(const struct library *l, struct client_addr *to)
{
    size_t n = 0;
    for (uint32_t i = 0; i < l->c->member_count; i++)
        if (is_wanted(l, i))
            to[n++] = (struct client_addr){ .n = 1, .bytes = { (uint8_t)i } };
    return n;
}

static void hang_up(struct library *l)
{
    if (l->cable == NO_CABLE)
        return;
    note(l, CHRONICLE_GONE, slice_str(""));
    cable_drop(l->c, l->cable);
    l->cable = NO_CABLE;
}

static void dial(struct library *l)
{
    uint32_t member = client_target(l->core)->bytes[0];
    if (l->had_session && member != l->member)
        cover(&l->c->coverage, COVER_sessions_moved);
    l->member = member;
    l->cable = cable_dial(l->c, l->index, member);
    l->greeted = false;
    l->dialling = true;
    l->session_id = client_session_id(l->core);
    l->dialled_us = l->c->now_us;
    client_opened(l->core, now_ms(l));
}

static void send_out(struct library *l)
{
    struct slice rest, frame;
    size_t used;
    buf_reset(&l->out);
    if (!client_take_output(l->core, &l->out, now_ms(l)))
        return;
    rest = buf_slice(&l->out);
    while (wire_frame_next(rest, SIZE_MAX, &frame, &used) == 1) {
        bool first = l->dialling;
        l->dialling = false;
        note(l, first ? CHRONICLE_DIALLED : CHRONICLE_SENT, frame);
        cable_send_up(l->c, l->cable, frame);
        bool sets = !first && frame.n >= 8 && (int32_t)load_be32(frame.p) == WIRE_XID_SET_WATCHES;
        if (sets)
            cover(&l->c->coverage, COVER_reconnects_with_watches);
        rest = slice_of(rest.p + used, rest.n - used);
    }
}

static void turn(struct library *l)
{
    struct client_addr addrs[NET_MEMBERS_MAX];
    enum client_need need;
    while ((need = client_need(l->core, now_ms(l))) != CLIENT_NEED_NOTHING) {
        take_failed(l);
        if (need == CLIENT_NEED_RESOLVE) {
            client_resolved(l->core, addrs, servers(l, addrs), now_ms(l));
        } else if (need == CLIENT_NEED_CONNECT) {
            dial(l);
        } else if (need == CLIENT_NEED_DISCONNECT) {
            hang_up(l);
        } else if (need == CLIENT_NEED_PROBE) {
            const struct sim_member *m = l->c->members[client_probe_target(l->core)->bytes[0]];
            client_probed(l->core, member_is_up(m) && member_serves(m), now_ms(l));
        } else { /* the session is over: its program begins another */
            if (l->told != l->asked)
                wrong(l, "library.lost", "its session is over, and a request was never answered");
            hang_up(l);
            client_free(l->core);
            begin_core(l);
        }
        send_out(l);
    }
    take_failed(l);
    send_out(l);
}

/* ---- requests ---- */

static void wish_for(const struct client_request *q, struct client_watch_wish *wish)
{
    static const enum client_watch_kind kinds[] = { CLIENT_WATCH_DATA, CLIENT_WATCH_EXIST, CLIENT_WATCH_CHILD,
                                                    CLIENT_WATCH_PERSISTENT, CLIENT_WATCH_RECURSIVE };
    wish->kind = q->op == WIRE_OP_EXISTS ? CLIENT_WATCH_EXIST : kinds[q->kind];
    wish->path = slice_str(q->path);
    wish->watcher = (struct client_watcher){ watcher_fn, NULL };
}

static void ask(struct library *l)
{
    struct client_request q = { 0 };
    struct client_watch_wish wish;
    struct buf *b;
    buf_reset(&l->frame);
    simclient_next_request(l->client, l->works, (int32_t)l->asked + 1, &l->frame, &q);
    if (client_begin(l->core, q.op, &b) != 0)
        return; /* it closes */
    buf_append(b, l->frame.p + 8, l->frame.n - 8);
    wish_for(&q, &wish);
    if (client_commit(l->core, &(struct client_call){ .fn = answer_fn, .tag = l->asked }, 0,
                      q.watches ? &wish : NULL) != 0) {
        wrong(l, "library.commit", "it does not take a request");
        return;
    }
    l->asked++;
    l->c->ops_sent++;
    if (q.op == WIRE_OP_REMOVE_WATCHES)
        client_forget_after(l->core, slice_str(q.path), CLIENT_WATCH_ANY, NULL);
}

static bool ends(const struct library *l)
{
    const struct cluster *c = l->c;
    return c->resting || (opt(c, OPT_ops_max) != 0 && c->ops_sent >= opt(c, OPT_ops_max));
}

static int64_t wake_us(const struct library *l)
{
    int64_t ms = client_wake_ms(l->core), at_us = INT64_MAX;
    if (ms != INT64_MAX)
        at_us = (ms - BEGIN_MS) * 1000;
    bool full = client_pending_count(l->core) >= (size_t)opt(l->c, OPT_window);
    if (!ends(l) && !full && l->next_op_us < at_us)
        at_us = l->next_op_us;
    return at_us <= l->c->now_us ? l->c->now_us + 1000 : at_us;
}

int64_t library_woken(struct library *l)
{
    struct cluster *c = l->c;
    if (c->now_us < l->still_until_us)
        return l->still_until_us;
    if (l->end_unheard) {
        l->end_unheard = false;
        client_lost(l->core, ERR_CONNECTION_LOSS, now_ms(l));
    }
    turn(l);
    while (c->now_us >= l->next_op_us && !ends(l)) {
        l->next_op_us = c->now_us + dice_wait(l->works, opt(c, OPT_op_ms) * 1000);
        do
            ask(l);
        while (dice_one_in(l->works, 2) && client_pending_count(l->core) < (size_t)opt(c, OPT_window));
    }
    turn(l);
    return wake_us(l);
}

/* ---- frames ---- */

static void feed(struct library *l, struct slice frame)
{
    uint8_t head[4];
    store_be32(head, (uint32_t)frame.n);
    struct slice parts[] = { slice_of(head, 4), frame };
    for (size_t i = 0; i < 2; i++) {
        while (parts[i].n != 0) {
            uint8_t *p;
            size_t n;
            client_room(l->core, &p, &n);
            n = n < parts[i].n ? n : parts[i].n;
            memcpy(p, parts[i].p, n);
            client_received(l->core, n, now_ms(l));
            parts[i] = slice_of(parts[i].p + n, parts[i].n - n);
        }
    }
}

static void greeted(struct library *l, struct slice frame)
{
    struct cluster *c = l->c;
    struct wire_reader r = wire_reader_of(frame);
    struct wire_connect_response q = wire_get_connect_response(&r);
    bool fresh = l->session_id == 0;
    if (q.session_id == 0) {
        note(l, CHRONICLE_REFUSED, frame);
        if (!l->fleeting && !ghost_ended(c, l->session_id, l->dialled_us))
            wrong(l, "client.refused", "it is told that its session has ended");
        cover(&c->coverage, COVER_sessions_refused);
    } else {
        l->session_id = q.session_id;
        l->had_session = true;
        l->fleeting = q.read_only && (fresh || l->fleeting);
        if (q.read_only)
            cover(&c->coverage, COVER_read_only);
        note(l, CHRONICLE_CONNECTED, frame);
        if (fresh)
            cover(&c->coverage, COVER_sessions_opened);
    }
    l->greeted = true;
    feed(l, frame);
    take_failed(l);
    if (q.session_id != 0 && client_session_id(l->core) != q.session_id)
        wrong(l, "library.session", "it has another session than the server said");
}

/* One frame makes one record, and the record says what the frame says. */
static void heard(struct library *l, struct slice frame)
{
    struct wire_reader r = wire_reader_of(frame);
    struct wire_reply_header h = wire_get_reply_header(&r);
    size_t answers, events;
    note(l, CHRONICLE_RECEIVED, frame);
    feed(l, frame);
    const struct client_done *d = take_dones(l, &answers, &events);
    bool event = h.xid == WIRE_XID_NOTIFICATION;
    if (event || h.xid > 0)
        cover(&l->c->coverage, event ? COVER_library_events : COVER_library_answers);
    if (event && events != 1)
        wrong(l, "library.event", "nobody hears of an event, or more than once");
    bool close_ends = l->closing && answers == 0 && l->told == l->asked;
    if (!event && h.xid > 0 && !close_ends &&
        (answers != 1 || d->rc != h.err || d->zxid != h.zxid ||
         !slice_eq(slice_of(d->body, d->body_n), slice_of(r.p, wire_left(&r)))))
        wrong(l, "library.answer", "an answer is not what the server said");
    if (!event && h.xid <= 0 && (answers != 0 || events != 0))
        wrong(l, "library.invented", "it tells what no server has said");
}

int64_t library_received(struct library *l, uint32_t cable, struct slice bytes)
{
    if (l->c->now_us < l->still_until_us)
        return l->still_until_us; /* and is lost with the connection */
    struct slice frame;
    size_t used;
    while (bytes.n != 0 && l->cable == cable && wire_frame_next(bytes, 64u << 20, &frame, &used) == 1) {
        if (l->greeted)
            heard(l, frame);
        else
            greeted(l, frame);
        bytes = slice_of(bytes.p + used, bytes.n - used);
        turn(l);
    }
    return wake_us(l);
}

int64_t library_gone(struct library *l, uint32_t cable)
{
    if (cable != l->cable)
        return wake_us(l);
    note(l, CHRONICLE_GONE, slice_str(""));
    l->cable = NO_CABLE;
    if (l->c->now_us < l->still_until_us) {
        l->end_unheard = true;
        return l->still_until_us;
    }
    client_lost(l->core, ERR_CONNECTION_LOSS, now_ms(l));
    turn(l);
    return wake_us(l);
}

/* ---- faults ---- */

void library_cut(struct library *l, bool silently)
{
    if (l->cable != NO_CABLE && silently)
        cable_mute(l->c, l->cable);
    else if (l->cable != NO_CABLE)
        cable_cut(l->c, l->cable);
}

void library_away(struct library *l, int64_t us)
{
    l->still_until_us = l->c->now_us + us;
    library_cut(l, false);
}

int64_t library_close_session(struct library *l)
{
    if (client_state_of(l->core) == CLIENT_STATE_CONNECTED && l->c->now_us >= l->still_until_us) {
        cover(&l->c->coverage, COVER_sessions_closed);
        l->closing = true;
        client_close(l->core, now_ms(l) + 2000);
        turn(l);
    }
    return wake_us(l);
}

int64_t library_back(struct library *l)
{
    struct client_addr addrs[NET_MEMBERS_MAX];
    l->still_until_us = 0;
    size_t n = servers(l, addrs);
    if (n != l->c->member_count)
        client_set_servers(l->core, addrs, n, now_ms(l));
    if (l->cable != NO_CABLE && !is_wanted(l, l->member)) {
        hang_up(l);
        client_lost(l->core, ERR_CONNECTION_LOSS, now_ms(l));
    }
    return library_woken(l);
}

bool library_is_at_rest(const struct library *l)
{
    return (client_state_of(l->core) == CLIENT_STATE_CONNECTED || client_state_of(l->core) == CLIENT_STATE_READ_ONLY) &&
           client_pending_count(l->core) == 0 && l->told == l->asked;
}

void library_describe(const struct library *l, struct buf *b)
{
    buf_printf(b, "client %u, a library's, is in state %d at member %u, session 0x%llx, waits for %zu replies",
               l->index, (int)client_state_of(l->core), l->member + 1, (unsigned long long)client_session_id(l->core),
               client_pending_count(l->core));
}
