/* learner: a follower or observer, from the dial to the leader through discovery and synchronisation to the steady
 * state (quorum specification 4.5, 4.8, 5.2). What the disk must hold before each acknowledgement is waited for as a
 * phase of its own, during which the link is not read. */
#include "base/museum.h"
#include "wire/txn.h"
#include "zab/internal.h"

static const struct wire_vec no_ids = { .count = -1 };

static bool is_observer(const struct zab *z)
{
    return z->role == PEER_OBSERVING;
}

void learner_send(struct zab *z, int32_t type, int64_t zxid, struct slice data)
{
    packets_note(z, &z->learning.sent, type, zxid);
    link_send_packet(z, z->learning.conn,
                     &(struct peer_packet){ .type = type, .zxid = zxid, .data = data, .authinfo = no_ids });
}

static void dial(struct zab *z)
{
    struct learning *ln = &z->learning;
    ln->phase = LEARNING_DIAL;
    bool relays = is_observer(z) && z->opt.observer_masters;
    int64_t to = relays ? relay_of(z, ln->leader, ln->relay_begin, ln->tries++) : ln->leader;
    ln->via = to;
    enum zab_port port = to == ln->leader ? ZAB_PORT_LEARNER : ZAB_PORT_OBSERVERS;
    ln->conn = link_dial(z, LINK_LEADER, port, to, (struct slice){ 0 });
}

void learner_begin(struct zab *z, int64_t leader)
{
    ASSERT(z->committed == z->appended && z->synced == z->appended && !z->dirty);
    z->learning = (struct learning){ .leader = leader, .begun_ms = z->now_ms, .heard_ms = z->now_ms };
    if (is_observer(z) && z->opt.observer_masters)
        z->learning.relay_begin = rng_u64(&z->rng) % MEMBERS_MAX;
    zab_role_changed(z, false);
    dial(z);
}

void learner_end(struct zab *z)
{
    struct learning *ln = &z->learning;
    if (z->role != PEER_FOLLOWING && z->role != PEER_OBSERVING)
        return;
    relay_end(z);
    packets_tell(z, &ln->sent, &ln->got, ln->via);
    if (ln->conn != NULL)
        link_close(z, ln->conn);
    ln->conn = NULL;
}

void learner_connected(struct zab *z, struct link *l)
{
    struct learning *ln = &z->learning;
    ASSERT(ln->conn == l);
    struct buf info;
    buf_init(&info, 64);
    peer_learner_info_put(&info, &(struct peer_learner_info){ .sid = z->opt.sid,
                                                              .protocol_version = PEER_PROTOCOL_VERSION,
                                                              .config_version = z->members->version });
    ln->phase = LEARNING_INFO;
    ln->heard_ms = z->now_ms;
    learner_send(z, is_observer(z) ? PEER_OBSERVERINFO : PEER_FOLLOWERINFO, ZXID_FIRST(z->accepted_epoch),
                 buf_slice(&info));
    buf_fini(&info);
}

/* A leader that has just been elected may not listen yet: it is tried again for a while. So is one that took the
 * connection and ended it without a word: that was the door of its last term, which closed with connections waiting in
 * it, or something in between that listens for it. To give up at once would leave the leader without a quorum until
 * initLimit. But one that hangs up may do so for good (TLS, logins), and each try costs both sides. */
void learner_lost(struct zab *z, bool refused)
{
    struct learning *ln = &z->learning;
    bool soon = refused || ln->retry_after_ms == 0;
    ln->conn = NULL;
    if (ln->phase == LEARNING_INFO) {
        refused = true;
    } else if (ln->phase != LEARNING_DIAL) {
        zab_leave_role(z, "the leader is gone");
        return;
    }
    int64_t limit_ms = refused ? RETRY_LEADER_FOR_MS
                               : z->opt.tick_time_ms * (z->opt.connect_limit_ticks > 0 ? z->opt.connect_limit_ticks
                                                                                       : z->opt.init_limit_ticks);
    if (z->now_ms - ln->begun_ms >= limit_ms) {
        election_avoid(z, ln->leader);
        zab_leave_role(z, "the leader cannot be reached");
        return;
    }
    ln->phase = LEARNING_WAIT_RETRY;
    ln->retry_after_ms = soon ? RETRY_LEADER_MS : ln->retry_after_ms * 2;
    if (ln->retry_after_ms > RETRY_LEADER_MS_MAX)
        ln->retry_after_ms = RETRY_LEADER_MS_MAX;
    ln->retry_ms = z->now_ms + ln->retry_after_ms;
}

/* ---- discovery ---- */

static void ack_epoch(struct zab *z, bool counts)
{
    uint8_t epoch[4];
    store_be32(epoch, counts ? (uint32_t)z->current_epoch : UINT32_MAX);
    z->learning.phase = LEARNING_PLAN;
    learner_send(z, PEER_ACKEPOCH, z->wants_image ? -1 : z->appended, slice_of(epoch, sizeof epoch));
}

static void on_leaderinfo(struct zab *z, struct link *l, const struct peer_packet *p)
{
    struct learning *ln = &z->learning;
    int64_t epoch = ZXID_EPOCH(p->zxid);
    if (p->type != PEER_LEADERINFO || epoch > EPOCH_MAX) {
        zab_leave_role(z, "the leader's epoch cannot be");
        return;
    }
    if (epoch < z->accepted_epoch) {
        /* A leader of ours steps down for us; one of the reference server goes on with the others, and would be found
         * and left again some hundred times a second. */
        ln->phase = LEARNING_BEHIND;
        ln->retry_ms = z->now_ms + BEHIND_MS;
        return;
    }
    ln->epoch = epoch;
    if (epoch == z->accepted_epoch) { /* acknowledged before: it must not be counted twice */
        ack_epoch(z, false);
        return;
    }
    ln->phase = LEARNING_SAVE_ACCEPTED;
    l->paused = true;
    zab_save_epochs(z, epoch, z->current_epoch);
}

void learner_epochs_saved(struct zab *z)
{
    struct learning *ln = &z->learning;
    if ((z->role != PEER_FOLLOWING && z->role != PEER_OBSERVING) || z->leaving)
        return;
    if (ln->phase == LEARNING_SAVE_ACCEPTED) {
        ack_epoch(z, true);
        link_unpause(z, ln->conn);
    } else if (ln->phase == LEARNING_SAVE_CURRENT) {
        ln->phase = LEARNING_ACKED;
        ln->acked_zxid = z->committed;
        learner_send(z, PEER_ACK, ZXID_FIRST(ln->epoch), (struct slice){ 0 });
        learner_log_synced(z);
        link_unpause(z, ln->conn);
    }
}

/* ---- synchronisation ---- */

static void truncate(struct zab *z, int64_t zxid, bool reload)
{
    ASSERT(z->appended == z->synced && !z->truncating);
    z->truncating = true;
    z->reloading = reload;
    z->dirty = true;
    struct zab_fx *fx = zab_emit(z, ZAB_FX_TRUNCATE);
    fx->zxid = zxid;
    fx->reload = reload;
}

/* Nothing of an epoch that this leader has not begun is its to give. */
static bool is_plausible(const struct zab *z, int64_t zxid)
{
    return zxid >= 0 && ZXID_EPOCH(zxid) <= z->learning.epoch;
}

static void on_plan(struct zab *z, struct link *l, const struct peer_packet *p)
{
    struct learning *ln = &z->learning;
    ln->plan_zxid = p->zxid;
    bool cuts = p->type == PEER_TRUNC || p->type == PEER_SNAP; /* the zxid of DIFF is only a hint */
    if (cuts && (!is_plausible(z, p->zxid) || (p->type == PEER_TRUNC && p->zxid > z->appended))) {
        zab_leave_role(z, "TRUNC or SNAP to a transaction that cannot be");
        return;
    }
    switch (p->type) {
    case PEER_DIFF:
        ln->phase = LEARNING_SYNC;
        break;
    case PEER_TRUNC:
        log_info("zab.truncate", "from=0x%llx to=0x%llx", (unsigned long long)z->appended, (unsigned long long)p->zxid);
        if (p->zxid == z->appended) {
            ln->phase = LEARNING_SYNC;
            break;
        }
        ln->phase = LEARNING_TRUNCATE;
        l->paused = true;
        truncate(z, p->zxid, true);
        break;
    case PEER_SNAP:
        ln->phase = LEARNING_IMAGE;
        break;
    default:
        zab_leave_role(z, "the leader sends neither DIFF nor TRUNC nor SNAP");
    }
}

void learner_truncated(struct zab *z)
{
    struct learning *ln = &z->learning;
    if ((z->role != PEER_FOLLOWING && z->role != PEER_OBSERVING) || z->leaving)
        return;
    if (ln->phase == LEARNING_TRUNCATE) {
        if (z->appended != ln->plan_zxid) { /* the log never held that transaction: join again with what it holds */
            z->wants_image = z->appended > ln->plan_zxid;
            zab_leave_role(z, "the log does not hold the transaction to keep");
            return;
        }
        ln->phase = LEARNING_SYNC;
        link_unpause(z, ln->conn);
    } else if (ln->phase == LEARNING_IMAGE_TRUNCATE) {
        ln->phase = LEARNING_IMAGE_SAVE;
        z->saving_image = true;
        zab_emit(z, ZAB_FX_SAVE_IMAGE)->zxid = ln->plan_zxid;
    }
}

void zab_image_consumed(struct zab *z, size_t n, bool done, int err, struct zab_out *out)
{
    struct learning *ln = &z->learning;
    struct link *l = ln->conn;
    if (l == NULL || ln->phase != LEARNING_IMAGE)
        return;
    zab_call_begin(z, out);
    buf_drop_front(&l->in, n);
    if (err != 0)
        zab_leave_role(z, "the leader's image cannot be read");
    if (done)
        z->dirty = true;
    if (done && err == 0) {
        /* What this server's log holds above the image was never decided; it goes before the image counts. */
        ln->phase = LEARNING_IMAGE_TRUNCATE;
        l->paused = true;
        truncate(z, ln->plan_zxid, false);
    }
    zab_call_end(z);
}

void learner_image_saved(struct zab *z, int err)
{
    struct learning *ln = &z->learning;
    if (ln->phase != LEARNING_IMAGE_SAVE || z->leaving || (z->role != PEER_FOLLOWING && z->role != PEER_OBSERVING))
        return;
    if (err != 0) {
        zab_leave_role(z, "the leader's image cannot be saved");
        return;
    }
    history_restart(&z->history, ln->plan_zxid);
    zab_log_resync(z, ln->plan_zxid);
    z->wants_image = z->untrusted = false;
    ln->image_floor = ln->plan_zxid;
    ln->phase = LEARNING_IMAGE_END;
    link_unpause(z, ln->conn);
}

static void on_newleader(struct zab *z, struct link *l, const struct peer_packet *p)
{
    struct learning *ln = &z->learning;
    if (ZXID_EPOCH(p->zxid) != ln->epoch) {
        zab_leave_role(z, "NEWLEADER names another epoch");
        return;
    }
    ln->phase = LEARNING_FLUSH;
    l->paused = true;
    learner_log_synced(z);
}

/* currentEpoch names a history: it is written when that history is durable, and only then acknowledged
 * (ZOOKEEPER-3911, 4643, 4646). */
void learner_log_synced(struct zab *z)
{
    struct learning *ln = &z->learning;
    if ((z->role != PEER_FOLLOWING && z->role != PEER_OBSERVING) || z->leaving || ln->conn == NULL)
        return;
    if (ln->phase == LEARNING_FLUSH) {
        if (z->appended != z->synced && !SIM_BUG(newleader_before_sync))
            return;
        ln->phase = LEARNING_SAVE_CURRENT;
        zab_save_epochs(z, z->accepted_epoch, ln->epoch);
        return;
    }
    if ((ln->phase != LEARNING_ACKED && ln->phase != LEARNING_SERVING) || is_observer(z))
        return;
    buf_reset(&z->scratch);
    for (size_t i = history_after(&z->history, ln->acked_zxid); i < z->history.count; i++) {
        int64_t zxid = history_at(&z->history, i)->zxid;
        if (zxid > z->synced && !SIM_BUG(ack_before_sync))
            break;
        packets_note(z, &ln->sent, PEER_ACK, zxid);
        peer_packet_put(&z->scratch, &(struct peer_packet){ .type = PEER_ACK, .zxid = zxid, .authinfo = no_ids });
        ln->acked_zxid = zxid;
    }
    if (z->scratch.n != 0)
        link_send_buf(z, ln->conn, &z->scratch);
}

/* ---- the stream ---- */

static bool take(struct zab *z, int64_t zxid, struct slice txn)
{
    struct learning *ln = &z->learning;
    if (zxid >= 0 && zxid <= ln->image_floor)
        return true; /* in the image already */
    struct txn decoded;
    bool readable = txn_decode(txn, &decoded) == 0 && decoded.header.zxid == zxid;
    if (!zxid_follows(z->appended, zxid) || !is_plausible(z, zxid) || !readable) {
        log_warn("zab.proposal", "zxid=0x%llx last=0x%llx bytes=%zu", (unsigned long long)zxid,
                 (unsigned long long)z->appended, txn.n);
        zab_leave_role(z, "a proposal cannot be read or does not follow the last one");
        return false;
    }
    struct blob *b = blob_dup(txn);
    zab_append(z, zxid, b);
    blob_unref(b);
    return true;
}

static void commit(struct zab *z, int64_t zxid)
{
    if (zxid >= 0 && zxid <= z->learning.image_floor)
        return;
    size_t i = history_after(&z->history, z->committed);
    if (i == z->history.count || history_at(&z->history, i)->zxid != zxid) {
        log_warn("zab.commit", "zxid=0x%llx committed=0x%llx", (unsigned long long)zxid,
                 (unsigned long long)z->committed);
        zab_leave_role(z, "a commit is not that of the next proposal");
        return;
    }
    zab_commit_next(z);
    /* What is not durable stays, so that it can be counted; the log's queue holds it in memory anyway. */
    int64_t to = z->committed < z->synced ? z->committed : z->synced;
    history_trim(&z->history, to, (size_t)z->opt.history_count, z->opt.history_bytes);
}

static void on_inform(struct zab *z, const struct peer_packet *p, size_t skip)
{
    if (p->data.n < skip) {
        zab_leave_role(z, "an INFORM is too short");
        return;
    }
    if (take(z, p->zxid, slice_of(p->data.p + skip, p->data.n - skip)))
        commit(z, p->zxid);
}

static void on_uptodate(struct zab *z)
{
    struct learning *ln = &z->learning;
    if (ln->phase != LEARNING_ACKED) {
        zab_leave_role(z, "UPTODATE before NEWLEADER");
        return;
    }
    ln->phase = LEARNING_SERVING;
    election_peer_epoch(z, ln->epoch);
    learner_send(z, PEER_ACK, ZXID_FIRST(ln->epoch), (struct slice){ 0 });
    log_info("zab.learning", "leader=%lld via=%lld epoch=%lld zxid=0x%llx", (long long)ln->leader, (long long)ln->via,
             (long long)ln->epoch, (unsigned long long)z->committed);
    zab_role_changed(z, true);
    relay_begin(z);
}

static void on_validity(struct zab *z, const struct peer_packet *p)
{
    struct peer_validity v;
    if (peer_validity_get(p->data, &v) != 0)
        return;
    struct zab_fx *fx = zab_emit(z, ZAB_FX_VALIDITY);
    fx->session_id = v.session_id;
    fx->valid = v.valid;
}

/* Packets of the stream, before and after UPTODATE. */
static void on_stream(struct zab *z, struct link *l, const struct peer_packet *p)
{
    struct learning *ln = &z->learning;
    bool serving = ln->phase == LEARNING_SERVING;
    switch (p->type) {
    case PEER_PROPOSAL:
        (void)take(z, p->zxid, p->data);
        break;
    case PEER_COMMIT:
    case PEER_COMMIT_AND_ACTIVATE:
        commit(z, p->zxid);
        break;
    case PEER_INFORM:
        on_inform(z, p, 0);
        break;
    case PEER_INFORM_AND_ACTIVATE:
        on_inform(z, p, 8);
        break;
    case PEER_NEWLEADER:
        if (ln->phase == LEARNING_SYNC)
            on_newleader(z, l, p);
        break;
    case PEER_UPTODATE:
        if (!serving)
            on_uptodate(z);
        break;
    case PEER_PING:
        if (serving) {
            ln->ping_zxid = p->zxid;
            zab_emit(z, ZAB_FX_PING);
        }
        break;
    case PEER_REVALIDATE:
        on_validity(z, p);
        break;
    case PEER_SYNC:
        zab_emit(z, ZAB_FX_SYNCED);
        break;
    default:
        log_warn("zab.packet", "type=%d action=ignored", p->type);
    }
}

/* Behind the nodes stands a signature. */
static int64_t image_end(struct zab *z, struct slice bytes)
{
    static const uint8_t signature[] = "\0\0\0\nBenWasHere";
    const size_t n = sizeof signature - 1;
    if (bytes.n < n)
        return 0;
    if (memcmp(bytes.p, signature, n) != 0) {
        zab_leave_role(z, "the image has no signature");
        return 0;
    }
    z->learning.phase = LEARNING_SYNC;
    return (int64_t)n;
}

int64_t learner_bytes(struct zab *z, struct link *l, struct slice bytes)
{
    struct learning *ln = &z->learning;
    size_t used = 0;
    ln->heard_ms = z->now_ms;
    while (!l->closing && !z->leaving && !l->paused) {
        struct slice rest = slice_of(bytes.p + used, bytes.n - used);
        struct peer_packet p;
        int64_t n;
        if (ln->phase == LEARNING_IMAGE) {
            if (rest.n != 0) {
                struct zab_fx *fx = zab_emit(z, ZAB_FX_IMAGE_BYTES);
                fx->on = !ln->image_begun;
                fx->zxid = ln->plan_zxid;
                ln->image_begun = true;
            }
            break;
        }
        if (ln->phase == LEARNING_IMAGE_END) {
            if ((n = image_end(z, rest)) == 0)
                break;
            used += (size_t)n;
            continue;
        }
        n = peer_packet_get(rest, z->opt.packet_field_bytes_max, &p);
        if (n <= 0)
            return n < 0 ? n : (int64_t)used;
        used += (size_t)n;
        packets_note(z, &ln->got, p.type, p.zxid);
        if (ln->phase == LEARNING_INFO)
            on_leaderinfo(z, l, &p);
        else if (ln->phase == LEARNING_BEHIND)
            zab_leave_role(z, "the leader's epoch is behind the one promised");
        else if (ln->phase == LEARNING_PLAN)
            on_plan(z, l, &p);
        else
            on_stream(z, l, &p);
        learner_pause_if_behind(z, l);
    }
    return (int64_t)used;
}

/* ---- time ---- */

static int64_t silence_limit_ms(const struct zab *z)
{
    const struct learning *ln = &z->learning;
    bool synced = ln->phase == LEARNING_ACKED || ln->phase == LEARNING_SERVING;
    return z->opt.tick_time_ms * (synced ? z->opt.sync_limit_ticks : z->opt.init_limit_ticks);
}

void learner_tick(struct zab *z)
{
    struct learning *ln = &z->learning;
    if ((z->role != PEER_FOLLOWING && z->role != PEER_OBSERVING) || z->leaving)
        return;
    if (ln->phase == LEARNING_WAIT_RETRY) {
        if (z->now_ms >= ln->retry_ms)
            dial(z);
        return;
    }
    relay_tick(z);
    if (ln->phase == LEARNING_BEHIND) {
        if (z->now_ms >= ln->retry_ms)
            zab_leave_role(z, "the leader's epoch is behind the one promised");
        return;
    }
    bool waits_for_disk = ln->conn != NULL && ln->conn->paused && !ln->disk_behind;
    if (waits_for_disk || z->now_ms - ln->heard_ms <= silence_limit_ms(z))
        return;
    if (ln->disk_behind) {
        zab_leave_role(z, "the disk has not kept up with the leader for too long");
        return;
    }
    if (ln->phase == LEARNING_DIAL)
        election_avoid(z, ln->leader);
    zab_leave_role(z, "the leader is silent");
}

int64_t learner_next_tick_ms(const struct zab *z)
{
    const struct learning *ln = &z->learning;
    if (ln->phase == LEARNING_WAIT_RETRY || ln->phase == LEARNING_BEHIND)
        return ln->retry_ms;
    int64_t next =
        ln->conn != NULL && ln->conn->paused ? z->now_ms + z->opt.tick_time_ms : ln->heard_ms + silence_limit_ms(z) + 1;
    return relay_is_open(z) && z->leading.ping_ms < next ? z->leading.ping_ms : next;
}
