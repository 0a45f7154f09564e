#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "sim/library_internal.h"
#include "sim/member.h"
#include "wire/records.h"

#define NEVER INT64_MAX
#define PUMPED_MAX 2000 /* at one moment: it turns without end */

static int64_t now_ms(const struct library *l)
{
    return l->c->now_us / 1000;
}

static void wake_at(struct library *l, int64_t at_us)
{
    if (at_us == NEVER)
        return;
    if (at_us <= l->c->now_us)
        at_us = l->c->now_us + 1;
    if (l->alarm_us > l->c->now_us && l->alarm_us <= at_us)
        return;
    l->alarm_us = at_us;
    cluster_at(l->c, at_us, HAPPEN_CLIENT, l->index, ++l->alarm_mark, NULL);
}

static void note(struct library *l, enum chronicle_kind kind, struct slice frame)
{
    chronicle_add(&l->c->chronicle,
                  (struct chronicle_entry){ .at_us = l->c->now_us,
                                            .kind = kind,
                                            .client = l->index,
                                            .cable = l->cable == LIBRARY_NOWHERE ? 0 : l->cable,
                                            .session_id = l->session_id },
                  frame);
}

/* ---- handles ---- */

static void session_watcher(void)
{
}

static void new_handle(struct library *l)
{
    struct client_config config = { .timeout_ms = (int32_t)opt(l->c, OPT_timeout_ms),
                                    .read_only_ok = l->modest,
                                    .ordered_hosts = dice_one_in(&l->dice, 4),
                                    .seed = (uint64_t)dice_between(&l->dice, 0, INT32_MAX),
                                    .watcher = { session_watcher, (void *)(uintptr_t)(LIBRARY_WATCHER_SESSION + 1) } };
    judge_init(&l->judge, l->c, l->index);
    l->session_id = 0;
    if (l->takes_over) {
        l->session_id = config.session_id = l->judge.session_id = l->old_session_id;
        memcpy(config.passwd, l->old_passwd, sizeof config.passwd);
        memcpy(l->judge.passwd, l->old_passwd, sizeof config.passwd);
        l->judge.seen_writable = true;
        l->judge.last_xid = l->old_xid;
        note(l, CHRONICLE_TAKEN_OVER, slice_str(""));
    }
    l->core = client_new(&config, now_ms(l));
    if (l->takes_over) /* numbers name requests to the oracle; those of a session must differ */
        client_set_next_xid(l->core, l->old_xid + 1);
    l->takes_over = false;
    client_set_resolve_delay(l->core, dice_between(&l->dice, -1, 2) * 1000);
    library_prove(l);
}

static void end_handle(struct library *l)
{
    if (client_has_output(l->core) || client_has_done(l->core))
        judge_wrong(&l->judge, "library.after_end", "a handle that has ended has something to %s",
                    client_has_done(l->core) ? "deliver" : "send");
    client_free(l->core);
    judge_fini(&l->judge);
    l->core = NULL;
    l->resolved_us = l->probed_us = NEVER;
    l->next_handle_us = l->c->now_us + dice_wait(&l->dice, 50000);
}

/* ---- connections ---- */

static void unlink_cable(struct library *l)
{
    if (l->link == LIBRARY_OPEN)
        note(l, CHRONICLE_GONE, slice_str(""));
    l->link = LIBRARY_UNLINKED;
    l->cable = LIBRARY_NOWHERE;
    l->opened_us = l->refused_us = NEVER;
    l->greeted = l->deaf = false;
    buf_reset(&l->kept);
    l->kept_gone = false;
}

static void connect_to(struct library *l)
{
    struct cluster *c = l->c;
    uint32_t member = client_target(l->core)->bytes[0];
    if (l->had_member && member != l->member)
        cover(&c->coverage, COVER_sessions_moved);
    l->had_member = true;
    l->member = member;
    l->link = LIBRARY_OPENING;
    bool away = c->now_us < l->away_until_us;
    if (away || (!c->healing && dice_one_in(&l->dice, 40))) { /* refused, or never heard of again */
        l->cable = LIBRARY_NOWHERE;
        if (dice_one_in(&l->dice, 2))
            l->refused_us = c->now_us + dice_wait(&l->dice, 1000);
        return;
    }
    l->cable = cable_dial(c, l->index, member);
    l->opened_us = c->now_us + dice_wait(&l->dice, opt(c, OPT_client_delay_us) * 2);
}

static void disconnect(struct library *l)
{
    judge_disconnected(&l->judge, true);
    if (l->cable != LIBRARY_NOWHERE)
        cable_drop(l->c, l->cable);
    unlink_cable(l);
}

static void lost(struct library *l)
{
    if (l->link == LIBRARY_UNLINKED)
        return;
    judge_disconnected(&l->judge, false);
    unlink_cable(l);
    client_lost(l->core, ERR_CONNECTION_LOSS, now_ms(l));
}

/* ---- what it asks its surroundings for ---- */

static void resolve(struct library *l)
{
    bool fails = !l->c->healing && dice_one_in(&l->dice, 10);
    l->resolved_us = NEVER;
    if (!fails && l->judge.servers == 0)
        judge_servers(&l->judge, l->server_n);
    client_resolved(l->core, l->servers, fails ? 0 : l->server_n, now_ms(l));
}

static void probe(struct library *l)
{
    struct sim_member *m = l->c->members[client_probe_target(l->core)->bytes[0]];
    l->probed_us = NEVER;
    bool writable = l->c->now_us >= l->away_until_us && m->up && !m->paused && member_serves(m);
    l->judge.may_leave = writable;
    cover(&l->c->coverage, COVER_library_probes);
    client_probed(l->core, writable, now_ms(l));
}

static void happen(struct library *l)
{
    int64_t now_us = l->c->now_us;
    if (now_us >= l->resolved_us)
        resolve(l);
    if (now_us >= l->probed_us)
        probe(l);
    if (now_us >= l->refused_us)
        lost(l);
    if (now_us >= l->opened_us) {
        l->opened_us = NEVER;
        l->link = LIBRARY_OPEN;
        client_opened(l->core, now_ms(l));
    }
}

/* ---- its turn ---- */

static void send_frame(struct library *l, struct slice frame)
{
    if (l->judge.cable != l->cable) { /* the first on this connection */
        judge_dialled(&l->judge, l->cable);
        judge_connect_request(&l->judge, frame);
        l->dialled_us = l->c->now_us;
        note(l, CHRONICLE_DIALLED, frame);
    } else {
        judge_sent(&l->judge, frame);
        note(l, CHRONICLE_SENT, frame);
    }
    cable_send_up(l->c, l->cable, frame);
}

static void send_all(struct library *l)
{
    if (!client_take_output(l->core, &l->out, now_ms(l)))
        return;
    struct slice bytes = buf_slice(&l->out);
    if (l->link != LIBRARY_OPEN) {
        judge_wrong(&l->judge, "library.sent", "%zu bytes are to be sent, and there is no connection", bytes.n);
        bytes.n = 0;
    }
    while (bytes.n != 0 && !l->c->finding.is) {
        struct slice frame = { 0 };
        size_t used = 0;
        if (wire_frame_next(bytes, 64u << 20, &frame, &used) != 1) {
            judge_wrong(&l->judge, "library.sent", "%zu bytes at the end are no frame", bytes.n);
            break;
        }
        send_frame(l, frame);
        bytes = slice_of(bytes.p + used, bytes.n - used);
    }
    judge_flushed(&l->judge);
    buf_reset(&l->out);
}

static void deliver(struct library *l)
{
    l->dones.n = 0;
    while (client_take_done(l->core, &l->dones)) {
        for (size_t i = 0; i < l->dones.n; i++) {
            judge_done(&l->judge, &l->dones.p[i]);
            client_done_fini(&l->dones.p[i]);
        }
        l->dones.n = 0;
    }
}

static void plan(struct library *l)
{
    int64_t wake_ms = client_wake_ms(l->core);
    wake_at(l, wake_ms == INT64_MAX ? NEVER : wake_ms * 1000);
    wake_at(l, l->opened_us);
    wake_at(l, l->refused_us);
    wake_at(l, l->resolved_us);
    wake_at(l, l->probed_us);
}

/* True when the handle has ended. */
static bool serve_needs(struct library *l)
{
    for (;;) {
        switch (client_need(l->core, now_ms(l))) {
        case CLIENT_NEED_NOTHING:
            return false;
        case CLIENT_NEED_RESOLVE:
            l->resolved_us = l->c->now_us + dice_wait(&l->dice, 2000);
            break;
        case CLIENT_NEED_CONNECT:
            connect_to(l);
            break;
        case CLIENT_NEED_DISCONNECT:
            disconnect(l);
            break;
        case CLIENT_NEED_PROBE:
            l->probed_us = l->c->now_us + dice_wait(&l->dice, 20000);
            break;
        case CLIENT_NEED_END:
            return true;
        }
    }
}

void library_pump(struct library *l)
{
    if (l->core == NULL || l->c->finding.is)
        return;
    l->pumped = l->pumped_us == l->c->now_us ? l->pumped + 1 : 0;
    l->pumped_us = l->c->now_us;
    if (l->pumped > PUMPED_MAX)
        judge_wrong(&l->judge, "library.spins", "wants to be woken again and again");
    bool over = serve_needs(l);
    if (!over)
        send_all(l);
    deliver(l);
    judge_settled(&l->judge, over);
    if (over) {
        end_handle(l);
        wake_at(l, l->next_handle_us);
    } else {
        plan(l);
    }
}

/* ---- frames from the server ---- */

static void greeted(struct library *l, struct slice frame)
{
    struct cluster *c = l->c;
    struct wire_reader r = wire_reader_of(frame);
    struct wire_connect_response q = wire_get_connect_response(&r);
    if (r.err != 0 || q.passwd.n != WIRE_PASSWD_BYTES) {
        judge_wrong(&l->judge, "client.handshake", "a ConnectResponse of %zu bytes", frame.n);
        return;
    }
    l->greeted = true;
    if (q.session_id == 0) {
        l->deaf = true;
        note(l, CHRONICLE_REFUSED, frame);
        if (!ghost_ended(c, l->session_id, l->dialled_us))
            judge_wrong(&l->judge, "client.refused", "member %u says session 0x%llx has ended", l->member + 1,
                        (unsigned long long)l->session_id);
        cover(&c->coverage, COVER_sessions_refused);
    } else {
        if (l->session_id != q.session_id)
            cover(&c->coverage, COVER_sessions_opened);
        if (q.read_only)
            cover(&c->coverage, COVER_library_read_only);
        if (q.read_only && !l->modest)
            judge_wrong(&l->judge, "client.read_only", "it did not ask for a server without a quorum");
        l->session_id = q.session_id;
        note(l, CHRONICLE_CONNECTED, frame);
        l->next_op_us = c->now_us + dice_wait(&l->works, opt(c, OPT_op_ms) * 1000);
        wake_at(l, l->next_op_us);
    }
    (void)judge_connected(&l->judge, frame);
}

/* As sockets give them: sometimes in small pieces. */
static void feed(struct library *l, struct slice bytes)
{
    bool crumbs = dice_one_in(&l->dice, 8);
    while (bytes.n != 0) {
        uint8_t *p;
        size_t n, most = crumbs ? (size_t)dice_between(&l->dice, 1, 7) : bytes.n;
        client_room(l->core, &p, &n);
        if (n > most)
            n = most;
        if (n > bytes.n)
            n = bytes.n;
        memcpy(p, bytes.p, n);
        client_received(l->core, n, now_ms(l));
        bytes = slice_of(bytes.p + n, bytes.n - n);
    }
}

static void take_frames(struct library *l, struct slice bytes)
{
    uint32_t cable = l->cable;
    while (bytes.n != 0 && l->core != NULL && l->link == LIBRARY_OPEN && l->cable == cable && !l->deaf &&
           !l->c->finding.is) {
        struct slice frame = { 0 };
        size_t used = 0;
        if (wire_frame_next(bytes, 64u << 20, &frame, &used) != 1) {
            judge_wrong(&l->judge, "client.frame", "a broken frame");
            return;
        }
        if (!l->greeted) {
            greeted(l, frame);
        } else {
            note(l, CHRONICLE_RECEIVED, frame);
            l->deaf = !judge_received(&l->judge, frame);
        }
        feed(l, slice_of(bytes.p, used));
        bytes = slice_of(bytes.p + used, bytes.n - used);
        if (dice_one_in(&l->dice, 4))
            library_pump(l);
    }
}

void library_received(struct library *l, uint32_t cable, struct slice bytes)
{
    if (l->core == NULL || l->link == LIBRARY_UNLINKED || cable != l->cable)
        return;
    if (l->c->now_us < l->frozen_until_us) {
        buf_append_slice(&l->kept, bytes);
        return;
    }
    take_frames(l, bytes);
    library_pump(l);
    if (l->core != NULL)
        wake_at(l, l->next_op_us);
}

void library_gone(struct library *l, uint32_t cable)
{
    if (l->core == NULL || l->link == LIBRARY_UNLINKED || cable != l->cable)
        return;
    if (l->c->now_us < l->frozen_until_us) {
        l->kept_gone = true;
        return;
    }
    lost(l);
    library_pump(l);
}

/* ---- its day ---- */

static bool may_ask(const struct library *l)
{
    const struct cluster *c = l->c;
    return !l->judge.closing && !l->judge.refused && !c->resting &&
           judge_waiting(&l->judge) < (size_t)opt(c, OPT_window) &&
           (opt(c, OPT_ops_max) == 0 || c->ops_sent < opt(c, OPT_ops_max));
}

/* Programs ask while there is no connection, too, but less. */
static void work(struct library *l)
{
    struct cluster *c = l->c;
    if (c->now_us < l->next_op_us || !may_ask(l))
        return;
    l->next_op_us = c->now_us + dice_wait(&l->works, opt(c, OPT_op_ms) * 1000);
    if (!l->judge.up && !dice_one_in(&l->works, 4))
        return;
    do
        library_ask(l);
    while (dice_one_in(&l->works, 2) && may_ask(l));
    if (!c->healing && dice_one_in(&l->dice, 60))
        library_relist(l, dice_one_in(&l->dice, 2));
    library_pump(l);
    if (l->core != NULL && !c->healing && dice_one_in(&l->dice, 150))
        library_hand_over(l);
}

/* What came while it stood still comes now. */
static void thaw(struct library *l)
{
    struct buf kept = l->kept;
    bool gone = l->kept_gone;
    buf_init(&l->kept, SIZE_MAX);
    l->kept_gone = false;
    l->frozen_until_us = 0;
    if (l->link == LIBRARY_OPEN && !dice_one_in(&l->dice, 2)) /* which thread is the first to go on? */
        library_pump(l);
    if (l->core != NULL && l->link == LIBRARY_OPEN)
        take_frames(l, buf_slice(&kept));
    if (l->core != NULL && gone)
        lost(l);
    buf_fini(&kept);
}

void library_woken(struct library *l, uint64_t mark)
{
    struct cluster *c = l->c;
    if (mark != l->alarm_mark || c->finding.is)
        return;
    if (c->now_us < l->frozen_until_us) {
        wake_at(l, l->frozen_until_us);
        return;
    }
    if (l->core == NULL) {
        if (c->now_us < l->next_handle_us) {
            wake_at(l, l->next_handle_us);
            return;
        }
        new_handle(l);
    } else if (l->frozen_until_us != 0) {
        thaw(l);
    }
    if (l->core != NULL)
        happen(l);
    library_pump(l);
    if (l->core != NULL)
        work(l);
    if (l->core != NULL)
        wake_at(l, may_ask(l) ? l->next_op_us : NEVER);
}

struct library *library_new(struct simclient *client, bool modest)
{
    struct library *l = mem_zalloc(sizeof *l);
    l->client = client;
    l->c = simclient_cluster(client);
    l->index = simclient_index(client);
    l->dice = dice_of(l->c->opt.seed, "library", l->index);
    l->works = dice_of(l->c->opt.seed, "library requests", l->index);
    l->modest = modest;
    l->cable = LIBRARY_NOWHERE;
    l->opened_us = l->refused_us = l->resolved_us = l->probed_us = NEVER;
    buf_init(&l->kept, SIZE_MAX);
    buf_init(&l->out, SIZE_MAX);
    buf_init(&l->scratch, 1 << 20);
    library_relist(l, true);
    l->next_handle_us = dice_between(&l->dice, 1, 500000);
    wake_at(l, l->next_handle_us);
    return l;
}

void library_free(struct library *l)
{
    if (l->core != NULL) {
        client_free(l->core);
        judge_fini(&l->judge);
    }
    mem_free(l->dones.p);
    buf_fini(&l->kept);
    buf_fini(&l->out);
    buf_fini(&l->scratch);
    mem_free(l);
}

/* ---- faults ---- */

void library_cut(struct library *l)
{
    if (l->cable != LIBRARY_NOWHERE)
        cable_cut(l->c, l->cable);
}

void library_mute(struct library *l)
{
    if (l->cable != LIBRARY_NOWHERE)
        cable_mute(l->c, l->cable);
}

void library_away(struct library *l)
{
    int64_t timeout_ms = opt(l->c, OPT_timeout_ms);
    int64_t until_us = l->c->now_us + dice_between(&l->dice, timeout_ms / 2, timeout_ms * 3) * 1000;
    if (dice_one_in(&l->dice, 2)) {
        l->frozen_until_us = until_us;
        wake_at(l, until_us);
        return;
    }
    l->away_until_us = until_us;
    library_mute(l);
}

void library_back(struct library *l)
{
    l->away_until_us = 0;
    if (l->frozen_until_us > l->c->now_us)
        l->frozen_until_us = l->c->now_us + 1;
    if (l->core != NULL) {
        library_relist(l, true);
        library_pump(l);
    } else {
        library_relist(l, true);
    }
    l->alarm_us = 0;
    wake_at(l, l->c->now_us + 1);
}

void library_close_session(struct library *l)
{
    if (l->core == NULL || l->judge.closing || l->judge.refused || l->c->now_us < l->frozen_until_us)
        return;
    enum client_state s = client_state_of(l->core);
    bool sends = s == CLIENT_STATE_CONNECTED || s == CLIENT_STATE_READ_ONLY;
    struct buf *b;
    judge_closes(&l->judge, sends);
    client_close(l->core, now_ms(l) + dice_between(&l->dice, 0, 3000));
    cover(&l->c->coverage, COVER_library_closed);
    if (client_begin(l->core, WIRE_OP_SYNC, &b) != CLIENT_ERR_CLOSING)
        judge_wrong(&l->judge, "library.after_end", "a handle that is being closed takes a request");
    library_pump(l);
}

bool library_is_at_rest(const struct library *l)
{
    return l->core != NULL && l->judge.up && judge_waiting(&l->judge) == 0;
}

void library_describe(const struct library *l, struct buf *b)
{
    static const char *const names[] = { "unlinked", "opening", "open" };
    buf_printf(b, "the library of client %u is %s at member %u, session 0x%llx, state %d, %zu requests wait", l->index,
               l->core == NULL ? "between two handles" : names[l->link], l->member + 1,
               (unsigned long long)l->session_id, l->core == NULL ? 0 : (int)client_state_of(l->core),
               l->core == NULL ? 0 : judge_waiting(&l->judge));
}
