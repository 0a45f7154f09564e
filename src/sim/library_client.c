#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "sim/library_internal.h"
#include "sim/member.h"
#include "wire/records.h"

#define IDLE_US_MAX 1200000 /* a pause of a second at most, and what a brief connection costs */
#define PUMPED_MAX 2000     /* at one moment: it turns without end */

static int64_t now_ms(const struct library *l)
{
    return l->c->now_us / 1000;
}

void library_wake_at(struct library *l, int64_t at_us)
{
    if (at_us == LIBRARY_NEVER)
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

void library_begin_handle(struct library *l)
{
    struct client_config config = { .timeout_ms = (int32_t)opt(l->c, OPT_timeout_ms),
                                    .read_only_ok = l->modest,
                                    .ordered_hosts = dice_one_in(&l->dice, 4),
                                    .chroot = dice_one_in(&l->dice, 4) ? slice_str("/a") : (struct slice){ 0 },
                                    .rearm_bytes = dice_one_in(&l->dice, 2) ? 1 : 0, /* a frame a path */
                                    .seed = (uint64_t)dice_between(&l->dice, 0, INT32_MAX),
                                    .watcher = { .fn = session_watcher,
                                                 .ctx = (void *)(uintptr_t)(LIBRARY_WATCHER_SESSION + 1) } };
    judge_init(&l->judge, l->c, l->index);
    if (!slice_is_null(config.chroot))
        l->judge.chroot = config.chroot;
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
    l->idle_us = l->c->now_us;
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
    l->resolved_us = l->probed_us = LIBRARY_NEVER;
    l->next_handle_us = l->c->now_us + dice_wait(&l->dice, 50000);
}

/* ---- connections ---- */

static void unlink_cable(struct library *l)
{
    if (l->link == LIBRARY_OPEN)
        note(l, CHRONICLE_GONE, slice_str(""));
    l->idle_us = l->c->now_us;
    l->link = LIBRARY_UNLINKED;
    l->cable = LIBRARY_NOWHERE;
    l->opened_us = l->refused_us = LIBRARY_NEVER;
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
    if (c->now_us - l->idle_us > IDLE_US_MAX)
        judge_wrong(&l->judge, "library.idle", "has done nothing for %lld ms to come back",
                    (long long)(c->now_us - l->idle_us) / 1000);
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

void library_lost(struct library *l)
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
    l->idle_us = l->c->now_us;
    bool fails = !l->c->healing && dice_one_in(&l->dice, 10);
    l->resolved_us = LIBRARY_NEVER;
    if (!fails && l->judge.servers == 0)
        judge_servers(&l->judge, l->server_n);
    client_resolved(l->core, l->servers, fails ? 0 : l->server_n, now_ms(l));
}

static void probe(struct library *l)
{
    struct sim_member *m = l->c->members[client_probe_target(l->core)->bytes[0]];
    l->probed_us = LIBRARY_NEVER;
    bool writable = l->c->now_us >= l->away_until_us && m->up && !m->paused && member_serves(m);
    l->judge.may_leave = writable;
    cover(&l->c->coverage, COVER_library_probes);
    client_probed(l->core, writable, now_ms(l));
}

void library_happen(struct library *l)
{
    int64_t now_us = l->c->now_us;
    if (now_us >= l->resolved_us)
        resolve(l);
    if (now_us >= l->probed_us)
        probe(l);
    if (now_us >= l->refused_us)
        library_lost(l);
    if (now_us >= l->opened_us) {
        l->opened_us = LIBRARY_NEVER;
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
    library_wake_at(l, wake_ms == INT64_MAX ? LIBRARY_NEVER : wake_ms * 1000);
    library_wake_at(l, l->opened_us);
    library_wake_at(l, l->refused_us);
    library_wake_at(l, l->resolved_us);
    library_wake_at(l, l->probed_us);
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
        case CLIENT_NEED_LOGIN: /* no handle of the simulation logs in by SASL */
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
    judge_handle(&l->judge, l->core);
    if (over) {
        end_handle(l);
        library_wake_at(l, l->next_handle_us);
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
        if (q.read_only) {
            cover(&c->coverage, COVER_read_only);
            cover(&c->coverage, COVER_library_read_only);
        }
        if (q.read_only && !l->modest)
            judge_wrong(&l->judge, "client.read_only", "it did not ask for a server without a quorum");
        l->session_id = q.session_id;
        note(l, CHRONICLE_CONNECTED, frame);
        l->next_op_us = c->now_us + dice_wait(&l->works, opt(c, OPT_op_ms) * 1000);
        library_wake_at(l, l->next_op_us);
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

void library_take_frames(struct library *l, struct slice bytes)
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
    library_take_frames(l, bytes);
    library_pump(l);
    if (l->core != NULL)
        library_wake_at(l, l->next_op_us);
}

void library_gone(struct library *l, uint32_t cable)
{
    if (l->core == NULL || l->link == LIBRARY_UNLINKED || cable != l->cable)
        return;
    if (l->c->now_us < l->frozen_until_us) {
        l->kept_gone = true;
        return;
    }
    library_lost(l);
    library_pump(l);
}
