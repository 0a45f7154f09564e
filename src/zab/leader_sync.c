/* leader_sync: how a learner gets what it lacks: the stream of its missing transactions, or an image of the tree
 * (quorum specification 4.6). The stream is cut and the learner registered for what follows in one turn, so that
 * nothing falls between them. */
#include "base/museum.h"
#include "zab/internal.h"
#include "zab/sync_plan.h"

static const struct wire_vec no_ids = { .count = -1 };

static void put(struct zab *z, struct learner *f, int32_t type, int64_t zxid, struct slice data)
{
    leader_send(z, f, &(struct peer_packet){ .type = type, .zxid = zxid, .data = data, .authinfo = no_ids });
}

/* Everything behind position `from`: decided transactions with their COMMIT; for followers also what is proposed. */
static void put_history(struct zab *z, struct learner *f, size_t from)
{
    for (size_t i = from + (SIM_BUG(diff_with_hole) && from + 1 < z->history.count); i < z->history.count; i++) {
        struct past p = *history_at(&z->history, i);
        bool decided = p.zxid <= z->committed;
        if (!decided && f->observer)
            break;
        put(z, f, PEER_PROPOSAL, p.zxid, blob_slice(p.txn));
        if (decided)
            put(z, f, PEER_COMMIT, p.zxid, (struct slice){ 0 });
    }
}

static void put_newleader(struct zab *z, struct learner *f)
{
    put(z, f, PEER_NEWLEADER, ZXID_FIRST(z->leading.epoch), buf_slice(&z->config_text));
}

static void register_learner(struct zab *z, struct learner *f)
{
    f->registered = true;
    f->registered_ms = z->now_ms;
    f->sent_zxid = z->committed;
    f->acked_zxid = 0;
}

/* ---- how many at once ---- */

static int64_t count_load(const struct zab *z, enum sync_load load)
{
    int64_t n = 0;
    LIST_FOR(it, &z->leading.learners)
    n += CONTAINER_OF(it, struct learner, link)->load == load;
    return n;
}

void leader_sync_ended(struct zab *z, struct learner *f)
{
    enum sync_load load = f->load;
    f->load = SYNC_LOAD_NONE;
    if (load != SYNC_LOAD_NONE)
        summary_add(&z->inflight[load], count_load(z, load));
}

/* As Apache's LearnerSyncThrottler: one too many is sent away and tries again. Followers are let through, because the
 * quorum needs them, and count. False: this one has been dropped. */
static bool may_sync(struct zab *z, struct learner *f, enum sync_load load)
{
    int64_t max = load == SYNC_LOAD_SNAP ? z->opt.snap_syncs_max : z->opt.diff_syncs_max;
    f->load = SYNC_LOAD_NONE;
    int64_t now = count_load(z, load);
    if (f->observer && max > 0 && now >= max) {
        leader_drop(z, f,
                    load == SYNC_LOAD_SNAP ? "too many get an image now (leader.maxConcurrentSnapSyncs)"
                                           : "too many get transactions now (leader.maxConcurrentDiffSyncs)");
        return false;
    }
    f->load = load;
    summary_add(&z->inflight[load], now + 1);
    return true;
}

static void want_image(struct zab *z, struct learner *f)
{
    if (!may_sync(z, f, SYNC_LOAD_SNAP))
        return;
    f->state = LEARNER_WAIT_IMAGE;
    zab_emit(z, ZAB_FX_IMAGE_WANTED)->link = f->conn->id;
}

/* The rest of the stream: from here on the learner gets what is decided as it is decided. */
static void put_rest(struct zab *z, struct learner *f, size_t from)
{
    f->state = LEARNER_SYNCING;
    register_learner(z, f);
    put_history(z, f, from);
    put_newleader(z, f);
}

/* ---- the log on disk, for who is behind the window ---- */

static void want_log(struct zab *z, struct learner *f)
{
    f->state = LEARNER_LOG;
    f->log_to = z->history.base;
    struct zab_fx *fx = zab_emit(z, ZAB_FX_LOG_READ);
    fx->link = f->conn->id;
    fx->zxid = f->last_zxid;
    fx->to = f->log_to;
}

/* Only a transaction that both have can be gone on from, and the window must begin where the log's piece ends. */
static bool log_may_help(const struct zab *z, const struct learner *f)
{
    return z->opt.log_sync && !z->opt.force_snapshot_sync && f->last_zxid > 0 && ZXID_COUNTER(f->last_zxid) != 0 &&
           f->last_zxid < z->history.base;
}

/* Returns false for bytes that are no records; they come from our own shell. */
static bool put_records(struct zab *z, struct learner *f, struct slice bytes)
{
    while (bytes.n >= 12) {
        int64_t zxid = (int64_t)load_be64(bytes.p);
        size_t n = load_be32(bytes.p + 8);
        if (n > bytes.n - 12 || !zxid_follows(f->last_zxid, zxid))
            return false;
        put(z, f, PEER_PROPOSAL, zxid, slice_of(bytes.p + 12, n));
        put(z, f, PEER_COMMIT, zxid, (struct slice){ 0 });
        f->last_zxid = zxid;
        bytes = slice_of(bytes.p + 12 + n, bytes.n - 12 - n);
    }
    return bytes.n == 0;
}

void leader_log_read(struct zab *z, struct link *l, const struct zab_event *ev)
{
    struct learner *f = l->learner;
    if (f->state != LEARNER_LOG)
        return;
    f->heard_ms = z->now_ms;
    if (ev->err != 0 && !f->log_begun) {
        log_info("zab.sync", "sid=%lld kind=SNAP learner_zxid=0x%llx leader_zxid=0x%llx", (long long)f->sid,
                 (unsigned long long)f->last_zxid, (unsigned long long)z->committed);
        want_image(z, f);
        return;
    }
    if (!f->log_begun) {
        f->log_begun = true;
        z->diffs_sent++;
        put(z, f, PEER_DIFF, z->committed, (struct slice){ 0 });
    }
    bool whole = ev->err == 0 && put_records(z, f, ev->bytes);
    if (!whole || (ev->end && f->last_zxid != f->log_to)) {
        leader_drop(z, f, "the log on disk does not hold what it lacks");
        return;
    }
    if (!ev->end) {
        struct zab_fx *fx = zab_emit(z, ZAB_FX_SEND); /* nothing: a mark behind what was sent */
        fx->link = l->id;
        fx->bytes = slice_of("", 0);
        fx->tell_drained = true;
        return;
    }
    /* The window may have moved on meanwhile: then there is another piece. */
    if (f->last_zxid < z->history.base)
        want_log(z, f);
    else
        put_rest(z, f, history_after(&z->history, f->last_zxid));
}

void leader_sync_learner(struct zab *z, struct learner *f)
{
    struct sync_plan plan = sync_plan(&z->history, z->committed, f->last_zxid);
    if (z->opt.force_snapshot_sync)
        plan.kind = SYNC_SNAP;
    bool log = plan.kind == SYNC_SNAP && log_may_help(z, f);
    static const char *const names[] = { "DIFF", "TRUNC", "SNAP" };
    log_info("zab.sync", "sid=%lld kind=%s learner_zxid=0x%llx leader_zxid=0x%llx", (long long)f->sid,
             log ? "log" : names[plan.kind], (unsigned long long)f->last_zxid, (unsigned long long)z->committed);
    f->heard_ms = z->now_ms;
    if ((log || plan.kind != SYNC_SNAP) && !may_sync(z, f, SYNC_LOAD_DIFF))
        return;
    if (log) {
        want_log(z, f);
        return;
    }
    if (plan.kind == SYNC_SNAP) {
        want_image(z, f);
        return;
    }
    *(plan.kind == SYNC_DIFF ? &z->diffs_sent : &z->truncs_sent) += 1;
    put(z, f, plan.kind == SYNC_DIFF ? PEER_DIFF : PEER_TRUNC, plan.zxid, (struct slice){ 0 });
    put_rest(z, f, plan.from);
}

bool zab_image_begin(struct zab *z, uint32_t link, struct zab_out *out)
{
    struct learner *f = leader_find(z, link);
    if (f == NULL || f->state != LEARNER_WAIT_IMAGE)
        return false;
    zab_call_begin(z, out);
    z->snaps_sent++;
    put(z, f, PEER_SNAP, z->committed, (struct slice){ 0 });
    f->state = LEARNER_IMAGE; /* from here on everything else is held back */
    f->heard_ms = z->now_ms;
    register_learner(z, f);
    put_history(z, f, history_after(&z->history, z->committed));
    zab_emit(z, ZAB_FX_IMAGE_PULL)->link = link;
    zab_call_end(z);
    return true;
}

void zab_image_bytes(struct zab *z, uint32_t link, struct slice bytes, bool end, struct zab_out *out)
{
    struct learner *f = leader_find(z, link);
    if (f == NULL || f->state != LEARNER_IMAGE)
        return;
    zab_call_begin(z, out);
    struct zab_fx *fx = zab_emit(z, ZAB_FX_SEND);
    fx->link = link;
    fx->bytes = arena_pack_dup(&out->arena, bytes);
    fx->tell_drained = !end;
    f->heard_ms = z->now_ms;
    if (end) {
        static const uint8_t signature[] = "\0\0\0\nBenWasHere";
        link_send(z, f->conn, slice_of(signature, sizeof signature - 1));
        f->state = LEARNER_SYNCING;
        if (f->held.n != 0)
            link_send_buf(z, f->conn, &f->held);
        buf_fini(&f->held);
        put_newleader(z, f);
    }
    zab_call_end(z);
}

void zab_image_failed(struct zab *z, uint32_t link, struct zab_out *out)
{
    struct learner *f = leader_find(z, link);
    if (f == NULL)
        return;
    zab_call_begin(z, out);
    leader_drop(z, f, "too much has changed while its image was on its way");
    zab_call_end(z);
}

void leader_drained(struct zab *z, struct link *l)
{
    struct learner *f = l->learner;
    f->heard_ms = z->now_ms;
    if (f->state == LEARNER_IMAGE)
        zab_emit(z, ZAB_FX_IMAGE_PULL)->link = l->id;
    else if (f->state == LEARNER_LOG)
        zab_emit(z, ZAB_FX_LOG_MORE)->link = l->id;
}

void leader_newleader_acked(struct zab *z, struct learner *f)
{
    struct leading *ld = &z->leading;
    f->state = LEARNER_SYNCED;
    leader_sync_ended(z, f);
    if (ld->phase == LEADING_SERVING) {
        f->state = LEARNER_UP;
        put(z, f, PEER_UPTODATE, -1, (struct slice){ 0 });
        log_info("zab.learner.synced", "sid=%lld", (long long)f->sid);
        leader_try_commit(z);
        return;
    }
    if (ld->phase == LEADING_NEWLEADER && leader_quorum_synced(z))
        leader_established(z);
}
