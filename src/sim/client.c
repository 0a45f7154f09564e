#include "sim/client.h"
#include "base/log.h"
#include "base/mem.h"
#include "sim/cluster.h"
#include "sim/library.h"
#include "sim/member.h"
#include "wire/records.h"
#include <stdio.h>

enum simclient_state { CLIENT_IDLE, CLIENT_DIALLING, CLIENT_CONNECTED };

struct armed {
    enum sim_watch kind;
    char path[40];
};

struct outcome {
    enum client_outcome is;
    int32_t err;
};

struct simclient {
    struct cluster *cluster;
    uint32_t index;
    struct library *library; /* it is one; NULL: it speaks for itself */
    bool guest;              /* a number of opt.guests and nothing more */
    struct dice dice;        /* delays and what it does */
    struct dice works;       /* its requests */
    enum simclient_state state;
    uint32_t cable, member;
    uint32_t user;  /* CLIENT_USERS: proves nothing */
    bool forgetful; /* sets no watches again */
    bool modest;    /* takes a server without a quorum, for reads */
    bool read_only; /* it has one */
    bool fleeting;  /* its session is of such a server: nobody else knows it */
    bool closing;   /* closeSession is sent */
    bool had_session;
    int64_t session_id;
    uint8_t passwd[WIRE_PASSWD_BYTES];
    int32_t timeout_ms;
    int64_t last_zxid;
    int32_t next_xid;
    struct client_request *sent;
    size_t sent_head, sent_count, sent_cap;
    struct armed *armed;
    size_t armed_count, armed_cap;
    int64_t dialled_us, heard_us, spoke_us, next_op_us, dial_us, alarm_us;
    uint64_t alarm_mark;
    struct buf frame;
    uint32_t wanted; /* member, of a script */
    bool left;
    struct outcome *outcomes; /* by ticket, from 1 */
    uint32_t tickets;
};

struct dice *simclient_dice(struct simclient *k)
{
    return &k->dice;
}

uint32_t simclient_user(const struct simclient *k)
{
    return k->user;
}

struct cluster *simclient_cluster(const struct simclient *k)
{
    return k->cluster;
}

uint32_t simclient_index(const struct simclient *k)
{
    return k->index;
}

/* ---- its alarm ---- */

static void wake_at(struct simclient *k, int64_t at_us)
{
    if (at_us <= k->cluster->now_us)
        at_us = k->cluster->now_us + 1;
    if (k->alarm_us > k->cluster->now_us && k->alarm_us <= at_us)
        return;
    k->alarm_us = at_us;
    cluster_at(k->cluster, at_us, HAPPEN_CLIENT, k->index, ++k->alarm_mark, NULL);
}

static void note(struct simclient *k, enum chronicle_kind kind, struct slice frame)
{
    chronicle_add(&k->cluster->chronicle,
                  (struct chronicle_entry){ .at_us = k->cluster->now_us,
                                            .kind = kind,
                                            .client = k->index,
                                            .cable = k->cable,
                                            .session_id = k->session_id },
                  frame);
}

void sim_client_new(struct cluster *c, uint32_t index)
{
    struct simclient *k = mem_zalloc(sizeof *k);
    k->cluster = c;
    k->index = index;
    k->dice = dice_of(c->opt.seed, "client", index);
    k->works = dice_of(c->opt.seed, "requests", index);
    k->user = (uint32_t)dice_between(&k->works, 0, CLIENT_USERS);
    k->forgetful = dice_one_in(&k->works, 6);
    k->modest = opt(c, OPT_read_only) != 0 && dice_one_in(&k->works, 2);
    k->next_xid = 1;
    buf_init(&k->frame, 1 << 20);
    c->clients[index] = k;
    if (c->opt.guests != NULL) {
        k->guest = true;
        k->user = CLIENT_USERS;
        return;
    }
    if (c->directed != NULL) {
        k->user = CLIENT_USERS;
        k->left = true;
        return;
    }
    struct dice is_library = dice_of(c->opt.seed, "is library", index);
    if (dice_between(&is_library, 0, 99) < opt(c, OPT_library_pct)) {
        k->library = library_new(k, k->modest);
        return;
    }
    k->dial_us = dice_between(&k->dice, 1, 500000);
    wake_at(k, k->dial_us);
}

void sim_client_free(struct simclient *k)
{
    if (k->library != NULL)
        library_free(k->library);
    mem_free(k->sent);
    mem_free(k->armed);
    mem_free(k->outcomes);
    buf_fini(&k->frame);
    mem_free(k);
}

/* ---- requests under way ---- */

static void sent_push(struct simclient *k, const struct client_request *q)
{
    if (k->sent_head + k->sent_count == k->sent_cap) {
        if (k->sent_head != 0) {
            memmove(k->sent, k->sent + k->sent_head, k->sent_count * sizeof *k->sent);
            k->sent_head = 0;
        } else {
            k->sent_cap = k->sent_cap == 0 ? 32 : k->sent_cap * 2;
            k->sent = mem_realloc(k->sent, k->sent_cap * sizeof *k->sent);
        }
    }
    k->sent[k->sent_head + k->sent_count] = *q;
    k->sent[k->sent_head + k->sent_count++].sent_us = k->cluster->now_us;
}

static void speak(struct simclient *k)
{
    note(k, CHRONICLE_SENT, buf_slice(&k->frame));
    cable_send_up(k->cluster, k->cable, buf_slice(&k->frame));
    k->spoke_us = k->cluster->now_us;
}

static void send_ping(struct simclient *k)
{
    buf_reset(&k->frame);
    wire_put_request_header(&k->frame, &(struct wire_request_header){ WIRE_XID_PING, WIRE_OP_PING });
    speak(k);
}

static void send_next(struct simclient *k)
{
    struct client_request q = { 0 };
    buf_reset(&k->frame);
    simclient_next_request(k, &k->works, k->next_xid++, &k->frame, &q);
    sent_push(k, &q);
    log_debug("sim.send", "client=%u xid=%d op=%d member=%u connection=%u session=0x%llx", k->index, q.xid, q.op,
              k->member + 1, k->cable, (unsigned long long)k->session_id);
    speak(k);
    k->cluster->ops_sent++;
}

/* ---- watches ---- */

static void arm(struct simclient *k, enum sim_watch kind, const char *path)
{
    for (size_t i = 0; i < k->armed_count; i++)
        if (k->armed[i].kind == kind && strcmp(k->armed[i].path, path) == 0)
            return;
    if (k->armed_count == k->armed_cap) {
        k->armed_cap = k->armed_cap == 0 ? 16 : k->armed_cap * 2;
        k->armed = mem_realloc(k->armed, k->armed_cap * sizeof *k->armed);
    }
    struct armed *a = &k->armed[k->armed_count++];
    a->kind = kind;
    snprintf(a->path, sizeof a->path, "%s", path);
}

static void disarm(struct simclient *k, bool (*gone)(const struct armed *a, int32_t type), int32_t type,
                   struct slice path)
{
    size_t left = 0;
    for (size_t i = 0; i < k->armed_count; i++)
        if (!slice_eq_str(path, k->armed[i].path) || !gone(&k->armed[i], type))
            k->armed[left++] = k->armed[i];
    k->armed_count = left;
}

/* Which of its lists an event empties. */
static bool ends_watch(const struct armed *a, int32_t type)
{
    if (a->kind == SIM_WATCH_CHILD)
        return type == WIRE_EVENT_CHILDREN_CHANGED || type == WIRE_EVENT_DELETED;
    return a->kind <= SIM_WATCH_EXIST && type != WIRE_EVENT_CHILDREN_CHANGED;
}

static bool any_watch(const struct armed *a, int32_t type)
{
    (void)a;
    (void)type;
    return true;
}

static void put_paths(struct simclient *k, enum sim_watch kind)
{
    int32_t count = 0;
    for (size_t i = 0; i < k->armed_count; i++)
        count += k->armed[i].kind == kind;
    wire_put_i32(&k->frame, count);
    for (size_t i = 0; i < k->armed_count; i++)
        if (k->armed[i].kind == kind)
            wire_put_ustring(&k->frame, slice_str(k->armed[i].path));
}

static void set_watches(struct simclient *k)
{
    if (k->armed_count == 0)
        return;
    if (k->forgetful) {
        k->armed_count = 0;
        return;
    }
    bool kept = false;
    for (size_t i = 0; i < k->armed_count; i++)
        kept = kept || k->armed[i].kind > SIM_WATCH_CHILD;
    cover(&k->cluster->coverage, COVER_reconnects_with_watches);
    struct client_request q = { .xid = WIRE_XID_SET_WATCHES, .op = kept ? WIRE_OP_SET_WATCHES2 : WIRE_OP_SET_WATCHES };
    buf_reset(&k->frame);
    wire_put_request_header(&k->frame, &(struct wire_request_header){ q.xid, q.op });
    wire_put_i64(&k->frame, k->last_zxid);
    for (int kind = SIM_WATCH_DATA; kind <= (kept ? SIM_WATCH_BELOW : SIM_WATCH_CHILD); kind++)
        put_paths(k, (enum sim_watch)kind);
    sent_push(k, &q);
    speak(k);
}

/* ---- connections ---- */

static void forget_session(struct simclient *k)
{
    k->session_id = 0;
    k->last_zxid = 0;
    k->next_xid = 1;
    k->armed_count = 0;
    k->closing = k->fleeting = false;
    memset(k->passwd, 0, sizeof k->passwd);
}

static void dial(struct simclient *k)
{
    struct cluster *c = k->cluster;
    k->state = CLIENT_DIALLING;
    k->sent_head = k->sent_count = 0;
    uint32_t member = (uint32_t)dice_between(&k->dice, 0, c->member_count - 1);
    if (c->directed != NULL)
        member = k->wanted;
    while (c->outside[member])
        member = (member + 1) % c->member_count;
    if (k->had_session && member != k->member)
        cover(&c->coverage, COVER_sessions_moved);
    k->member = member;
    k->cable = cable_dial(c, k->index, member);
    k->heard_us = k->spoke_us = k->dialled_us = c->now_us;
    buf_reset(&k->frame);
    wire_put_connect_request(&k->frame, &(struct wire_connect_request){ .last_zxid_seen = k->last_zxid,
                                                                        .timeout_ms = (int32_t)opt(c, OPT_timeout_ms),
                                                                        .session_id = k->session_id,
                                                                        .passwd = slice_of(k->passwd, sizeof k->passwd),
                                                                        .has_read_only = true,
                                                                        .read_only = k->modest });
    note(k, CHRONICLE_DIALLED, buf_slice(&k->frame));
    cable_send_up(c, k->cable, buf_slice(&k->frame));
    wake_at(k, c->now_us + opt(c, OPT_timeout_ms) * 1000 / 3);
}

static void idle(struct simclient *k, int64_t wait_us)
{
    note(k, CHRONICLE_GONE, slice_str(""));
    k->state = CLIENT_IDLE;
    for (size_t i = 0; i < k->sent_count; i++)
        if (k->sent[k->sent_head + i].ticket != 0)
            k->outcomes[k->sent[k->sent_head + i].ticket].is = CLIENT_LOST;
    k->sent_head = k->sent_count = 0;
    if (k->closing || k->fleeting)
        forget_session(k);
    k->read_only = false;
    if (k->left)
        return;
    k->dial_us = k->cluster->now_us + wait_us;
    wake_at(k, k->dial_us);
}

static void let_go(struct simclient *k, int64_t wait_us)
{
    if (k->state == CLIENT_IDLE)
        return;
    cable_drop(k->cluster, k->cable);
    idle(k, wait_us);
}

void simclient_gone(struct simclient *k, uint32_t cable)
{
    if (k->guest) {
        k->cluster->opt.guests->gone(k->cluster->guest_state, cable);
        return;
    }
    if (k->library != NULL) {
        library_gone(k->library, cable);
        return;
    }
    if (k->state != CLIENT_IDLE && cable == k->cable)
        idle(k, dice_wait(&k->dice, 100000));
}

static void connected(struct simclient *k, struct slice frame)
{
    struct cluster *c = k->cluster;
    struct wire_reader r = wire_reader_of(frame);
    struct wire_connect_response q = wire_get_connect_response(&r);
    if (r.err != 0 || q.passwd.n != sizeof k->passwd) {
        finding_set(&c->finding, c->now_us, "client.handshake", "client %u: a ConnectResponse of %zu bytes", k->index,
                    frame.n);
        return;
    }
    if (q.session_id == 0) {
        note(k, CHRONICLE_REFUSED, frame);
        if (!ghost_ended(c, k->session_id, k->dialled_us))
            finding_set(&c->finding, c->now_us, "client.refused", "client %u: member %u says session 0x%llx has ended",
                        k->index, k->member + 1, (unsigned long long)k->session_id);
        cover(&c->coverage, COVER_sessions_refused);
        forget_session(k);
        let_go(k, dice_wait(&k->dice, 50000));
        return;
    }
    bool fresh = k->session_id == 0;
    k->read_only = q.read_only;
    k->fleeting = fresh && q.read_only;
    if (q.read_only)
        cover(&c->coverage, COVER_read_only);
    if (q.read_only && !k->modest)
        finding_set(&c->finding, c->now_us, "client.read_only", "client %u did not ask for a server without a quorum",
                    k->index);
    k->session_id = q.session_id;
    k->timeout_ms = q.timeout_ms;
    memcpy(k->passwd, q.passwd.p, sizeof k->passwd);
    k->state = CLIENT_CONNECTED;
    k->had_session = true;
    note(k, CHRONICLE_CONNECTED, frame);
    log_debug("sim.connected", "client=%u member=%u connection=%u session=0x%llx", k->index, k->member + 1, k->cable,
              (unsigned long long)k->session_id);
    if (fresh)
        cover(&c->coverage, COVER_sessions_opened);
    if (k->user < CLIENT_USERS) {
        buf_reset(&k->frame);
        simclient_put_auth(k->user, &k->frame);
        speak(k);
    }
    if (!fresh)
        set_watches(k);
    k->next_op_us = c->now_us + dice_wait(&k->works, opt(c, OPT_op_ms) * 1000);
    wake_at(k, k->next_op_us);
}

/* ---- frames from the server ---- */

static void event(struct simclient *k, struct wire_reader *r)
{
    struct wire_watcher_event e = wire_get_watcher_event(r);
    disarm(k, ends_watch, e.type, e.path);
}

static void answered(struct simclient *k, const struct wire_reply_header *h)
{
    struct cluster *c = k->cluster;
    if (k->sent_count == 0 || k->sent[k->sent_head].xid != h->xid) {
        finding_set(&c->finding, c->now_us, "client.order", "client %u: a reply to %d, but %d is the oldest request",
                    k->index, h->xid, k->sent_count == 0 ? 0 : k->sent[k->sent_head].xid);
        return;
    }
    struct client_request q = k->sent[k->sent_head++];
    k->sent_count--;
    if (q.ticket != 0)
        k->outcomes[q.ticket] = (struct outcome){ CLIENT_ANSWERED, h->err };
    if (c->now_us - q.sent_us > 3000000)
        log_info("sim.slow", "client=%u xid=%d op=%d connection=%u waited_ms=%d", k->index, q.xid, q.op, k->cable,
                 (int)((c->now_us - q.sent_us) / 1000));
    bool may_write = !k->read_only || !simclient_is_write(q.op) || q.op == WIRE_OP_CLOSE_SESSION;
    if (!may_write && h->err != ERR_NOT_READ_ONLY)
        finding_set(&c->finding, c->now_us, "client.read_only", "client %u: op %d ends with %d without a quorum",
                    k->index, q.op, h->err);
    bool missing = q.op == WIRE_OP_EXISTS && h->err == ERR_NO_NODE;
    if (q.watches && (h->err == 0 || missing))
        arm(k, missing ? SIM_WATCH_EXIST : q.kind, q.path);
    if (q.op == WIRE_OP_REMOVE_WATCHES && h->err == 0)
        disarm(k, any_watch, 0, slice_str(q.path));
}

static void heard(struct simclient *k, struct slice frame)
{
    struct cluster *c = k->cluster;
    k->heard_us = c->now_us;
    if (k->state == CLIENT_DIALLING) {
        connected(k, frame);
        return;
    }
    struct wire_reader r = wire_reader_of(frame);
    struct wire_reply_header h = wire_get_reply_header(&r);
    if (r.err != 0) {
        finding_set(&c->finding, c->now_us, "client.frame", "client %u: a frame of %zu bytes", k->index, frame.n);
        return;
    }
    note(k, CHRONICLE_RECEIVED, frame);
    if (h.zxid > k->last_zxid)
        k->last_zxid = h.zxid;
    if (h.xid == WIRE_XID_NOTIFICATION)
        event(k, &r);
    else if (h.xid != WIRE_XID_PING && h.xid != WIRE_XID_AUTH)
        answered(k, &h);
}

void sim_client_received(struct simclient *k, uint32_t cable, struct slice bytes)
{
    if (k->guest) {
        k->cluster->opt.guests->received(k->cluster->guest_state, cable, bytes);
        return;
    }
    if (k->library != NULL) {
        library_received(k->library, cable, bytes);
        return;
    }
    while (bytes.n != 0 && k->state != CLIENT_IDLE && cable == k->cable) {
        struct slice frame = { 0 };
        size_t used = 0;
        int rc = wire_frame_next(bytes, 64u << 20, &frame, &used);
        if (rc != 1) {
            finding_set(&k->cluster->finding, k->cluster->now_us, "client.frame", "client %u: a broken frame",
                        k->index);
            return;
        }
        heard(k, frame);
        bytes = slice_of(bytes.p + used, bytes.n - used);
    }
    if (k->state == CLIENT_CONNECTED && k->sent_count < (size_t)opt(k->cluster, OPT_window))
        wake_at(k, k->next_op_us);
}

/* ---- its day ---- */

static void work(struct simclient *k)
{
    struct cluster *c = k->cluster;
    int64_t third_us = (int64_t)k->timeout_ms * 1000 / 3;
    bool full = k->sent_count >= (size_t)opt(c, OPT_window);
    bool ended = c->resting || c->directed != NULL || k->closing ||
                 (opt(c, OPT_ops_max) != 0 && c->ops_sent >= opt(c, OPT_ops_max));
    if (c->now_us >= k->next_op_us && !full && !ended) {
        do
            send_next(k);
        while (dice_one_in(&k->works, 2) && k->sent_count < (size_t)opt(c, OPT_window));
        k->next_op_us = c->now_us + dice_wait(&k->works, opt(c, OPT_op_ms) * 1000);
    }
    if (c->now_us - k->spoke_us >= third_us)
        send_ping(k);
    int64_t next_us = k->spoke_us + third_us;
    if (!full && !ended && k->next_op_us < next_us)
        next_us = k->next_op_us;
    wake_at(k, next_us);
}

void simclient_woken(struct simclient *k, uint64_t mark)
{
    if (k->guest) {
        k->cluster->opt.guests->woken(k->cluster->guest_state, mark);
        return;
    }
    if (k->library != NULL) {
        library_woken(k->library, mark);
        return;
    }
    struct cluster *c = k->cluster;
    if (mark != k->alarm_mark || c->finding.is)
        return;
    if (k->state == CLIENT_IDLE) {
        if (c->now_us >= k->dial_us)
            dial(k);
        else
            wake_at(k, k->dial_us);
        return;
    }
    int64_t patience_us = (k->session_id != 0 ? (int64_t)k->timeout_ms : opt(c, OPT_timeout_ms)) * 1000 * 2 / 3;
    if (c->now_us - k->heard_us > patience_us) {
        if (c->directed == NULL &&
            c->now_us - patience_us > (opt(c, OPT_duration_ms) + opt(c, OPT_heal_ms) / 2) * 1000) {
            struct buf why;
            buf_init(&why, 1000);
            simclient_describe(k, &why);
            finding_set(&c->finding, c->now_us, "liveness.silent", "%.*s", SLICE_ARG(buf_slice(&why)));
            buf_fini(&why);
        }
        let_go(k, dice_wait(&k->dice, 20000));
        return;
    }
    if (k->state == CLIENT_CONNECTED)
        work(k);
    else
        wake_at(k, k->heard_us + patience_us + 1000);
}

/* ---- faults ---- */

void simclient_cut(struct simclient *k)
{
    if (k->guest) {
        k->cluster->opt.guests->cut(k->cluster->guest_state, k->index);
        return;
    }
    if (k->library != NULL) {
        library_cut(k->library);
        return;
    }
    if (k->state != CLIENT_IDLE)
        cable_cut(k->cluster, k->cable);
}

void simclient_mute(struct simclient *k)
{
    if (k->guest) {
        k->cluster->opt.guests->mute(k->cluster->guest_state, k->index);
        return;
    }
    if (k->library != NULL) {
        library_mute(k->library);
        return;
    }
    if (k->state != CLIENT_IDLE)
        cable_mute(k->cluster, k->cable);
}

void simclient_away(struct simclient *k)
{
    if (k->guest) {
        k->cluster->opt.guests->away(k->cluster->guest_state, k->index);
        return;
    }
    if (k->library != NULL) {
        library_away(k->library);
        return;
    }
    int64_t timeout_ms = k->timeout_ms != 0 ? k->timeout_ms : opt(k->cluster, OPT_timeout_ms);
    let_go(k, dice_between(&k->dice, timeout_ms / 2, timeout_ms * 3) * 1000);
}

void simclient_back(struct simclient *k)
{
    if (k->guest)
        return;
    if (k->library != NULL) {
        library_back(k->library);
        return;
    }
    if (k->state != CLIENT_IDLE) {
        if (k->cluster->outside[k->member])
            let_go(k, 1);
        return;
    }
    k->dial_us = k->cluster->now_us;
    wake_at(k, k->dial_us);
}

void simclient_close_session(struct simclient *k)
{
    if (k->guest) {
        k->cluster->opt.guests->crash(k->cluster->guest_state, k->index);
        return;
    }
    if (k->library != NULL) {
        library_close_session(k->library);
        return;
    }
    if (k->state != CLIENT_CONNECTED || k->closing)
        return;
    struct client_request q = { .xid = k->next_xid++, .op = WIRE_OP_CLOSE_SESSION };
    buf_reset(&k->frame);
    wire_put_request_header(&k->frame, &(struct wire_request_header){ q.xid, q.op });
    sent_push(k, &q);
    speak(k);
    k->closing = true;
    cover(&k->cluster->coverage, COVER_sessions_closed);
}

void simclient_denied(struct simclient *k, struct slice path)
{
    if (k->library != NULL)
        library_denied(k->library, path);
}

void simclient_judge_end(struct simclient *k, const struct model *m)
{
    if (k->library != NULL)
        library_judge_end(k->library, m);
}

/* ---- of a script ---- */

void simclient_go(struct simclient *k, uint32_t member)
{
    k->wanted = member;
    k->left = false;
    let_go(k, 1);
    k->dial_us = k->cluster->now_us;
    wake_at(k, k->dial_us);
}

void simclient_leave(struct simclient *k)
{
    k->left = true;
    let_go(k, 1);
}

bool simclient_is_connected(const struct simclient *k)
{
    return k->state == CLIENT_CONNECTED;
}

uint32_t simclient_ask(struct simclient *k, const char *const *words, size_t count)
{
    struct client_request q = { .ticket = k->tickets + 1 };
    buf_reset(&k->frame);
    if (k->state != CLIENT_CONNECTED || !simclient_put_words(words, count, k->next_xid, &k->frame, &q))
        return 0;
    k->next_xid++;
    k->outcomes = mem_realloc(k->outcomes, (++k->tickets + 1) * sizeof *k->outcomes);
    k->outcomes[q.ticket] = (struct outcome){ CLIENT_WAITS, 0 };
    k->closing = k->closing || q.op == WIRE_OP_CLOSE_SESSION;
    sent_push(k, &q);
    speak(k);
    return q.ticket;
}

enum client_outcome simclient_outcome(const struct simclient *k, uint32_t ticket, int32_t *err)
{
    *err = k->outcomes[ticket].err;
    return k->outcomes[ticket].is;
}

bool simclient_is_at_rest(const struct simclient *k)
{
    if (k->guest)
        return true;
    if (k->library != NULL)
        return library_is_at_rest(k->library);
    return k->left || (k->state == CLIENT_CONNECTED && k->sent_count == 0);
}

void simclient_describe(const struct simclient *k, struct buf *b)
{
    if (k->library != NULL) {
        library_describe(k->library, b);
        return;
    }
    static const char *const names[] = { "idle", "dialling", "connected" };
    buf_printf(b, "client %u is %s at member %u, session 0x%llx", k->index, names[k->state], k->member + 1,
               (unsigned long long)k->session_id);
    if (k->sent_count != 0)
        buf_printf(b, ", waits for %zu replies, first that to %d (op %d), sent at %.3f s on connection %u",
                   k->sent_count, k->sent[k->sent_head].xid, k->sent[k->sent_head].op,
                   (double)k->sent[k->sent_head].sent_us / 1e6, k->cable);
}
