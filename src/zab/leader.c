/* leader: discovery of the epoch, acknowledgements, commits, and who still follows (quorum specification 5.1). */
#include "base/museum.h"
#include "zab/internal.h"

static const struct wire_vec no_ids = { .count = -1 };

static int64_t ticks(const struct zab *z, int64_t n)
{
    return n * z->opt.tick_time_ms;
}

void leader_send(struct zab *z, struct learner *f, const struct peer_packet *p)
{
    packets_note(z, &f->sent, p->type, p->zxid);
    if (f->state != LEARNER_IMAGE) {
        link_send_packet(z, f->conn, p);
        return;
    }
    peer_packet_put(&f->held, p);
    if (f->held.err != 0)
        f->doomed = z->leading.any_doomed = true; /* callers walk the list of learners: dropped when the turn ends */
}

void leader_drop_doomed(struct zab *z)
{
    struct leading *ld = &z->leading;
    if (!ld->any_doomed)
        return;
    ld->any_doomed = false;
    LIST_FOR_SAFE(it, &ld->learners)
    {
        struct learner *f = CONTAINER_OF(it, struct learner, link);
        if (f->doomed)
            leader_drop(z, f, "it is too far behind the image that it loads");
    }
}

static void send_plain(struct zab *z, struct learner *f, int32_t type, int64_t zxid)
{
    leader_send(z, f, &(struct peer_packet){ .type = type, .zxid = zxid, .authinfo = no_ids });
}

/* ---- learners ---- */

struct learner *leader_find(const struct zab *z, uint32_t link)
{
    const struct link *l = link_find(z, link);
    return l == NULL ? NULL : l->learner;
}

static void learner_free(struct zab *z, struct learner *f)
{
    if (f->state == LEARNER_IMAGE || f->state == LEARNER_WAIT_IMAGE)
        zab_emit(z, ZAB_FX_IMAGE_DROPPED)->link = f->conn->id;
    if (f->state == LEARNER_LOG)
        zab_emit(z, ZAB_FX_LOG_DONE)->link = f->conn->id;
    leader_sync_ended(z, f);
    packets_tell(z, &f->sent, &f->got, f->sid);
    list_remove(&f->link);
    buf_fini(&f->held);
    mem_free(f);
}

void leader_accepted(struct zab *z, uint32_t id, enum zab_port port)
{
    struct link *l = link_add(z, id, LINK_LEARNER);
    l->connected = true;
    bool welcome = port == ZAB_PORT_OBSERVERS ? relay_is_open(z) : z->role == PEER_LEADING;
    if (!welcome || z->leaving) {
        link_close(z, l);
        return;
    }
    struct learner *f = mem_zalloc(sizeof *f);
    f->conn = l;
    f->opened_ms = f->heard_ms = z->now_ms;
    f->sid = -1;
    f->relayed = port == ZAB_PORT_OBSERVERS;
    buf_init_refusable(&f->held, z->opt.link_backlog_bytes_max);
    list_push_back(&z->leading.learners, &f->link);
    l->learner = f;
}

void leader_lost(struct zab *z, struct link *l)
{
    struct learner *f = l->learner;
    if (f == NULL)
        return;
    if (f->sid >= 0) /* else it has not said who it is */
        log_info("zab.learner.lost", "sid=%lld", (long long)f->sid);
    learner_free(z, f);
    l->learner = NULL;
    lone_begin(z);
}

void leader_drop(struct zab *z, struct learner *f, const char *why)
{
    log_warn("zab.learner.dropped", "sid=%lld why=\"%s\"", (long long)f->sid, why);
    struct link *l = f->conn;
    learner_free(z, f);
    link_close(z, l);
    lone_begin(z);
}

/* ---- coming and going ---- */

void leader_begin(struct zab *z)
{
    struct leading *ld = &z->leading;
    ASSERT(z->committed == z->appended && z->synced == z->appended);
    ld->phase = LEADING_COLLECT;
    ld->epoch = 0;
    ld->epoch_max = z->accepted_epoch;
    ld->start_epoch = z->current_epoch;
    ld->start_zxid = z->appended;
    ld->epoch_from = ld->acks_from = (struct member_set){ 0 };
    ld->begun_ms = z->now_ms;
    ld->deadline_ms = z->now_ms + ticks(z, z->opt.init_limit_ticks);
    ld->ping_ms = z->now_ms + z->opt.tick_time_ms / 2;
    ld->ping_round = ld->answered_round = 0;
    member_set_add(&ld->epoch_from, z->members, z->opt.sid);
    struct zab_fx *fx = zab_emit(z, ZAB_FX_LISTEN);
    fx->port = ZAB_PORT_LEARNER;
    fx->on = true;
    zab_role_changed(z, false);
    lone_begin(z);
    leader_tick(z);
}

void leader_forget_learners(struct zab *z)
{
    struct leading *ld = &z->leading;
    while (!list_empty(&ld->learners)) {
        struct learner *f = CONTAINER_OF(ld->learners.next, struct learner, link);
        struct link *l = f->conn;
        learner_free(z, f);
        link_close(z, l);
    }
    ld->any_doomed = false;
}

void leader_end(struct zab *z)
{
    if (z->role != PEER_LEADING)
        return;
    leader_forget_learners(z);
    leader_free_syncs(z);
    struct zab_fx *fx = zab_emit(z, ZAB_FX_LISTEN);
    fx->port = ZAB_PORT_LEARNER;
    fx->on = false;
}

/* ---- discovery (4.5) ---- */

static void tell_epoch(struct zab *z, struct learner *f)
{
    uint8_t version[4];
    store_be32(version, PEER_PROTOCOL_VERSION);
    f->state = LEARNER_TOLD_EPOCH;
    leader_send(z, f,
                &(struct peer_packet){ .type = PEER_LEADERINFO,
                                       .zxid = ZXID_FIRST(z->leading.epoch),
                                       .data = slice_of(version, sizeof version),
                                       .authinfo = no_ids });
}

static void check_epoch_quorum(struct zab *z)
{
    struct leading *ld = &z->leading;
    if (ld->phase != LEADING_COLLECT || z->saving_epochs || !zab_is_quorum(z, &ld->epoch_from))
        return;
    if (ld->epoch_max >= EPOCH_MAX) { /* not by living on, but by somebody who claims it on an open port */
        log_error("zab.epochs",
                  "accepted=%lld reason=\"no epoch is left\" next=\"restore acceptedEpoch and currentEpoch "
                  "of every member from before; close the ports between servers to strangers\"",
                  (long long)ld->epoch_max);
        zab_leave_role(z, "no epoch is left");
        return;
    }
    ld->epoch = ld->epoch_max + (SIM_BUG(epoch_taken_twice) && ld->epoch_max > 1 ? 0 : 1);
    ld->phase = LEADING_SAVE_ACCEPTED;
    log_info("zab.epoch", "epoch=%lld", (long long)ld->epoch);
    zab_save_epochs(z, ld->epoch, z->current_epoch);
}

static void check_ack_quorum(struct zab *z)
{
    struct leading *ld = &z->leading;
    if (ld->phase != LEADING_ACKEPOCH || !zab_is_quorum(z, &ld->acks_from))
        return;
    ld->phase = LEADING_SAVE_CURRENT;
    zab_save_epochs(z, z->accepted_epoch, ld->epoch);
}

void leader_epochs_saved(struct zab *z)
{
    struct leading *ld = &z->leading;
    if (z->role != PEER_LEADING || z->leaving)
        return;
    if (ld->phase == LEADING_SAVE_ACCEPTED) {
        ld->phase = LEADING_ACKEPOCH;
        member_set_add(&ld->acks_from, z->members, z->opt.sid);
        LIST_FOR_SAFE(it, &ld->learners)
        {
            struct learner *f = CONTAINER_OF(it, struct learner, link);
            if (f->state == LEARNER_WAIT_EPOCH)
                tell_epoch(z, f);
        }
        check_ack_quorum(z);
    } else if (ld->phase == LEADING_SAVE_CURRENT) {
        ld->phase = LEADING_NEWLEADER;
        ld->proposed = ZXID_FIRST(ld->epoch);
        LIST_FOR_SAFE(it, &ld->learners)
        {
            struct learner *f = CONTAINER_OF(it, struct learner, link);
            if (f->state == LEARNER_WAIT_SYNC)
                leader_sync_learner(z, f);
        }
        if (leader_quorum_synced(z))
            leader_established(z);
    }
}

/* FOLLOWERINFO or OBSERVERINFO. */
static void on_info(struct zab *z, struct learner *f, const struct peer_packet *p)
{
    struct leading *ld = &z->leading;
    struct peer_learner_info info;
    bool named = peer_learner_info_get(p->data, &info) == 0;
    if ((p->type != PEER_FOLLOWERINFO && p->type != PEER_OBSERVERINFO) || !named) {
        leader_drop(z, f, "its first packet does not say who it is");
        return;
    }
    if (f->relayed && p->type != PEER_OBSERVERINFO) {
        leader_drop(z, f, "only observers are served on this port");
        return;
    }
    int64_t epoch = ZXID_EPOCH(p->zxid);
    if (epoch == EPOCH_NONE)
        epoch = 0;
    if (epoch >= EPOCH_MAX) {
        leader_drop(z, f, "its epoch is out of range");
        return;
    }
    if (info.config_version > z->members->version) {
        leader_drop(z, f, "its configuration is newer");
        return;
    }
    /* A server that was cut off and comes again: its old connection may look alive for a while. */
    LIST_FOR_SAFE(it, &ld->learners)
    {
        struct learner *old = CONTAINER_OF(it, struct learner, link);
        if (old != f && old->state != LEARNER_NEW && old->sid == info.sid && info.sid >= 0)
            leader_drop(z, old, "the same server has connected again");
    }
    f->sid = info.sid;
    f->observer = p->type == PEER_OBSERVERINFO;
    f->accepted_epoch = epoch;
    f->state = LEARNER_WAIT_EPOCH;
    log_info("zab.learner", "sid=%lld kind=%s accepted_epoch=%lld", (long long)f->sid,
             f->observer ? "observer" : "follower", (long long)f->accepted_epoch);
    bool votes = !f->observer && members_is_voter(z->members, f->sid);
    if (ld->phase != LEADING_COLLECT && votes && f->accepted_epoch > ld->epoch) {
        /* It has promised a leader that came to nothing a later epoch than ours and may never follow us: it would try
         * for ever. The next election finds an epoch for all. */
        zab_leave_role(z, "a voter has promised a later epoch");
        return;
    }
    if (ld->phase > LEADING_SAVE_ACCEPTED) {
        tell_epoch(z, f);
        return;
    }
    if (ld->phase != LEADING_COLLECT || !votes)
        return;
    if (f->accepted_epoch > ld->epoch_max)
        ld->epoch_max = f->accepted_epoch;
    member_set_add(&ld->epoch_from, z->members, f->sid);
    check_epoch_quorum(z);
}

static void on_ackepoch(struct zab *z, struct learner *f, const struct peer_packet *p)
{
    struct leading *ld = &z->leading;
    if (p->type != PEER_ACKEPOCH || p->data.n != 4) {
        leader_drop(z, f, "it does not acknowledge the epoch");
        return;
    }
    int32_t current = (int32_t)load_be32(p->data.p);
    f->last_zxid = p->zxid;
    f->state = LEARNER_WAIT_SYNC;
    if (ld->phase == LEADING_ACKEPOCH && current != -1) {
        bool ahead = current > ld->start_epoch || (current == ld->start_epoch && f->last_zxid > ld->start_zxid);
        if (ahead && !f->observer) {
            leader_drop(z, f, "it is ahead of this leader");
            return;
        }
        if (!f->observer)
            member_set_add(&ld->acks_from, z->members, f->sid);
        check_ack_quorum(z);
    }
    if (relay_is_behind(z, f))
        leader_drop(z, f, "it is ahead of this follower");
    else if (ld->phase >= LEADING_NEWLEADER)
        leader_sync_learner(z, f);
}

/* ---- broadcast ---- */

bool leader_quorum_synced(const struct zab *z)
{
    struct member_set set = { 0 };
    member_set_add(&set, z->members, z->opt.sid);
    LIST_FOR(it, &z->leading.learners)
    {
        const struct learner *f = CONTAINER_OF(it, struct learner, link);
        if (f->state >= LEARNER_SYNCED && !f->observer)
            member_set_add(&set, z->members, f->sid);
    }
    return zab_is_quorum(z, &set);
}

/* own: this leader's log counts. */
static bool quorum_has(const struct zab *z, int64_t zxid, bool own)
{
    struct member_set set = { 0 };
    if (own)
        member_set_add(&set, z->members, z->opt.sid);
    LIST_FOR(it, &z->leading.learners)
    {
        const struct learner *f = CONTAINER_OF(it, struct learner, link);
        /* Only who has this epoch on disk counts: with an older one it would lose the next election to a server that
         * lacks what it has acknowledged. */
        if (f->acked_zxid >= zxid && !f->observer && f->state >= LEARNER_SYNCED)
            member_set_add(&set, z->members, f->sid);
    }
    return zab_is_quorum(z, &set) || (SIM_BUG(commit_without_quorum) && z->synced >= zxid);
}

static void tell_commit(struct zab *z, struct learner *f, const struct past *p)
{
    struct peer_packet packet = { .type = PEER_COMMIT, .zxid = p->zxid, .authinfo = no_ids };
    if (f->observer) {
        packet.type = PEER_INFORM;
        packet.data = blob_slice(p->txn);
    }
    if (f->registered && p->zxid > f->sent_zxid)
        leader_send(z, f, &packet);
}

void leader_tell_commit(struct zab *z, const struct past *p)
{
    LIST_FOR_SAFE(it, &z->leading.learners)
    {
        tell_commit(z, CONTAINER_OF(it, struct learner, link), p);
    }
}

/* The last transaction that a quorum has on disk: the end of this leader's log, or what a learner has acknowledged. */
static int64_t quorum_zxid(const struct zab *z)
{
    int64_t last = z->committed;
    if (z->synced > last && quorum_has(z, z->synced, true))
        last = z->synced;
    LIST_FOR(it, &z->leading.learners)
    {
        int64_t zxid = CONTAINER_OF(it, struct learner, link)->acked_zxid;
        if (zxid > last && quorum_has(z, zxid, z->synced >= zxid))
            last = zxid;
    }
    return last;
}

/* One learner is told of the transactions [from, to) of the history. */
static void tell_commits(struct zab *z, struct learner *f, size_t from, size_t to)
{
    if (f->observer || f->state == LEARNER_IMAGE) {
        for (size_t i = from; i < to; i++)
            tell_commit(z, f, history_at(&z->history, i));
        return;
    }
    buf_reset(&z->scratch);
    for (size_t i = from; f->registered && i < to; i++) {
        const struct past *p = history_at(&z->history, i);
        if (p->zxid <= f->sent_zxid)
            continue;
        packets_note(z, &f->sent, PEER_COMMIT, p->zxid);
        peer_packet_put(&z->scratch, &(struct peer_packet){ .type = PEER_COMMIT, .zxid = p->zxid, .authinfo = no_ids });
    }
    if (z->scratch.n != 0)
        link_send_buf(z, f->conn, &z->scratch);
}

/* In order, and only by acknowledgements of this epoch's quorum: what came before is committed with it (5.1). */
void leader_try_commit(struct zab *z)
{
    struct leading *ld = &z->leading;
    ld->any_acked = false;
    if (z->role != PEER_LEADING || ld->phase != LEADING_SERVING)
        return;
    size_t from = history_after(&z->history, z->committed), to = history_after(&z->history, quorum_zxid(z));
    if (to <= from)
        return;
    for (size_t i = from; i < to; i++)
        zab_commit_next(z);
    LIST_FOR_SAFE(it, &ld->learners)
    {
        tell_commits(z, CONTAINER_OF(it, struct learner, link), from, to);
    }
    history_trim(&z->history, z->committed, (size_t)z->opt.history_count, z->opt.history_bytes);
    leader_release_syncs(z);
}

void leader_log_synced(struct zab *z)
{
    leader_try_commit(z);
}

void leader_recheck(struct zab *z)
{
    const struct leading *ld = &z->leading;
    check_epoch_quorum(z);
    check_ack_quorum(z);
    if (ld->phase == LEADING_NEWLEADER && leader_quorum_synced(z))
        leader_established(z);
    leader_try_commit(z);
    leader_recheck_round(z);
}

bool leader_awaits_log(const struct zab *z)
{
    if (z->leading.phase != LEADING_SERVING)
        return true;
    size_t i = history_after(&z->history, z->committed);
    return z->synced < z->appended && i < z->history.count && quorum_has(z, history_at(&z->history, i)->zxid, true);
}

/* A quorum has this leader's history on disk: it is decided, and new proposals may follow. */
void leader_established(struct zab *z)
{
    struct leading *ld = &z->leading;
    ASSERT(ld->phase == LEADING_NEWLEADER);
    ld->phase = LEADING_SERVING;
    election_peer_epoch(z, ld->epoch);
    log_info("zab.leading", "epoch=%lld zxid=0x%llx", (long long)ld->epoch, (unsigned long long)z->committed);
    LIST_FOR_SAFE(it, &ld->learners)
    {
        struct learner *f = CONTAINER_OF(it, struct learner, link);
        if (f->state != LEARNER_SYNCED)
            continue;
        f->state = LEARNER_UP;
        f->heard_ms = z->now_ms;
        send_plain(z, f, PEER_UPTODATE, -1);
    }
    zab_role_changed(z, true);
}

static void on_ack(struct zab *z, struct learner *f, int64_t zxid)
{
    struct leading *ld = &z->leading;
    /* Recognised by its number wherever it comes: a follower's log may have acknowledged proposals before
     * (ZOOKEEPER-4685). */
    if (ZXID_COUNTER(zxid) == 0) {
        if (zxid == ZXID_FIRST(ld->epoch) && f->state == LEARNER_SYNCING)
            leader_newleader_acked(z, f);
        return;
    }
    if (f->observer || zxid <= f->acked_zxid || zxid > z->appended)
        return;
    f->acked_zxid = zxid;
    ld->any_acked = true;
}

static void on_touches(struct zab *z, struct learner *f, struct slice data)
{
    struct wire_reader r = wire_reader_of(data);
    struct peer_touch t;
    while (peer_touch_get(&r, &t) == 1) {
        struct zab_fx *fx = zab_emit(z, ZAB_FX_TOUCH);
        fx->link = f->conn->id;
        fx->session_id = t.session_id;
        fx->timeout_ms = t.timeout_ms;
    }
}

static struct wire_vec keep_ids(struct zab *z, struct wire_vec ids)
{
    ids.raw = arena_pack_dup(&z->out->arena, ids.raw);
    return ids;
}

static void on_request(struct zab *z, struct learner *f, const struct peer_packet *p)
{
    struct peer_request q;
    if (peer_request_get(p->data, &q) != 0) {
        leader_drop(z, f, "a request of it cannot be read");
        return;
    }
    q.body = arena_pack_dup(&z->out->arena, q.body);
    struct zab_fx *fx = zab_emit(z, ZAB_FX_REQUEST);
    fx->link = f->conn->id;
    fx->request = q;
    fx->authinfo = keep_ids(z, p->authinfo);
}

static void on_revalidate(struct zab *z, struct learner *f, struct slice data)
{
    struct wire_reader r = wire_reader_of(data);
    struct peer_touch t;
    if (peer_touch_get(&r, &t) != 1) {
        leader_drop(z, f, "a question about a session cannot be read");
        return;
    }
    struct zab_fx *fx = zab_emit(z, ZAB_FX_REVALIDATE);
    fx->link = f->conn->id;
    fx->session_id = t.session_id;
    fx->timeout_ms = t.timeout_ms;
}

static void on_packet(struct zab *z, struct learner *f, const struct peer_packet *p)
{
    f->heard_ms = z->now_ms;
    packets_note(z, &f->got, p->type, p->zxid);
    if (f->state == LEARNER_NEW) {
        on_info(z, f, p);
        return;
    }
    if (f->state == LEARNER_TOLD_EPOCH) {
        on_ackepoch(z, f, p);
        return;
    }
    if (p->type == PEER_ACK) {
        on_ack(z, f, p->zxid);
        return;
    }
    if (f->state != LEARNER_UP) {
        leader_drop(z, f, "it speaks before it is up to date");
        return;
    }
    if (p->type == PEER_PING) {
        leader_ping_answered(z, f);
        on_touches(z, f, p->data);
    } else if (p->type == PEER_REVALIDATE) {
        on_revalidate(z, f, p->data);
    } else if (p->type == PEER_REQUEST) {
        on_request(z, f, p);
    } else {
        log_warn("zab.packet", "sid=%lld type=%d action=ignored", (long long)f->sid, p->type);
    }
}

int64_t leader_bytes(struct zab *z, struct link *l, struct slice bytes)
{
    size_t used = 0;
    int64_t n = 0;
    while (!l->closing && !z->leaving) {
        struct peer_packet p;
        bool named = l->learner->state != LEARNER_NEW;
        n = peer_packet_get(slice_of(bytes.p + used, bytes.n - used),
                            named ? z->opt.packet_field_bytes_max : INFO_BYTES_MAX, &p);
        if (n <= 0)
            break;
        used += (size_t)n;
        on_packet(z, l->learner, &p);
    }
    if (z->leading.any_acked && !z->leaving) /* once for all that came together */
        leader_try_commit(z);
    return n < 0 ? n : (int64_t)used;
}

/* ---- time ---- */

/* While an image is on its way progress is what counts, not the clock (ZOOKEEPER-1465): every slice sent is heard. */
static bool is_late(const struct zab *z, const struct learner *f)
{
    int64_t limit_ms =
        ticks(z, f->state == LEARNER_UP ? z->opt.sync_limit_ticks : z->opt.init_limit_ticks + z->opt.sync_limit_ticks);
    if (z->now_ms - f->heard_ms > limit_ms)
        return true;
    if (f->state != LEARNER_UP || f->observer)
        return false;
    size_t i = history_after(&z->history, f->acked_zxid > z->committed ? f->acked_zxid : z->committed);
    if (i == z->history.count)
        return false;
    int64_t since_ms = history_at(&z->history, i)->at_ms;
    if (since_ms < f->registered_ms)
        since_ms = f->registered_ms;
    return z->now_ms - since_ms > limit_ms;
}

void leader_drop_late(struct zab *z)
{
    LIST_FOR_SAFE(it, &z->leading.learners)
    {
        struct learner *f = CONTAINER_OF(it, struct learner, link);
        if (is_late(z, f))
            leader_drop(z, f, "it has not answered in time");
    }
}

static void check_followers(struct zab *z)
{
    leader_drop_late(z);
    if (z->leading.phase == LEADING_SERVING && !leader_quorum_synced(z) && !lone_waits(z))
        zab_leave_role(z, "too few followers are in sync");
}

/* A quorum may need a voter that loads a large tree: while that goes on, the clock starts again (ZOOKEEPER-1465). */
static void extend_deadline(struct zab *z)
{
    struct leading *ld = &z->leading;
    LIST_FOR(it, &ld->learners)
    {
        const struct learner *f = CONTAINER_OF(it, struct learner, link);
        bool loads = f->state == LEARNER_LOG || f->state == LEARNER_IMAGE || f->state == LEARNER_SYNCING;
        int64_t until_ms = f->heard_ms + ticks(z, z->opt.init_limit_ticks);
        if (loads && members_is_voter(z->members, f->sid) && until_ms > ld->deadline_ms)
            ld->deadline_ms = until_ms;
    }
}

/* As Leader.reportLookingSid: voters that still look have perhaps not heard of this leader, or do not reach it. */
void leader_voter_looks(struct zab *z)
{
    const struct leading *ld = &z->leading;
    if (z->role != PEER_LEADING || z->leaving || ld->phase != LEADING_COLLECT || z->opt.epoch_wait_ms_max <= 0)
        return;
    if (z->now_ms - ld->begun_ms > z->opt.epoch_wait_ms_max)
        zab_leave_role(z, "a voter looks for a leader, and too few gave their epochs within "
                          "leader.maxTimeToWaitForEpoch");
}

void leader_tick(struct zab *z)
{
    struct leading *ld = &z->leading;
    if (z->role != PEER_LEADING || z->leaving)
        return;
    check_epoch_quorum(z);
    if (ld->phase != LEADING_SERVING && z->now_ms >= ld->deadline_ms)
        extend_deadline(z);
    if (ld->phase != LEADING_SERVING && z->now_ms >= ld->deadline_ms) {
        zab_leave_role(z, "no quorum of followers within initLimit");
        return;
    }
    if (z->now_ms < ld->ping_ms)
        return;
    ld->ping_ms = z->now_ms + z->opt.tick_time_ms / 2;
    check_followers(z);
    if (z->leaving)
        return;
    lone_ask(z);
    leader_ping_all(z);
}

int64_t leader_next_tick_ms(const struct zab *z)
{
    const struct leading *ld = &z->leading;
    if (ld->phase != LEADING_SERVING && ld->deadline_ms < ld->ping_ms)
        return ld->deadline_ms;
    return ld->ping_ms;
}
