/* leader_sync: how a learner gets what it lacks: the stream of its missing transactions, or an image of the tree
 * (quorum specification 4.6). The stream is cut and the learner registered for what follows in one turn, so that
 * nothing falls between them. */
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
    for (size_t i = from; i < z->history.count; i++) {
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
    f->acked_zxid = 0;
}

void leader_sync_learner(struct zab *z, struct learner *f)
{
    struct sync_plan plan = sync_plan(&z->history, z->committed, f->last_zxid);
    if (z->opt.force_snapshot_sync)
        plan.kind = SYNC_SNAP;
    static const char *const names[] = { "DIFF", "TRUNC", "SNAP" };
    log_info("zab.sync", "sid=%lld kind=%s learner_zxid=0x%llx leader_zxid=0x%llx", (long long)f->sid, names[plan.kind],
             (unsigned long long)f->last_zxid, (unsigned long long)z->committed);
    f->heard_ms = z->now_ms;
    if (plan.kind == SYNC_SNAP) {
        f->state = LEARNER_WAIT_IMAGE;
        zab_emit(z, ZAB_FX_IMAGE_WANTED)->link = f->conn->id;
        return;
    }
    *(plan.kind == SYNC_DIFF ? &z->diffs_sent : &z->truncs_sent) += 1;
    f->state = LEARNER_SYNCING;
    put(z, f, plan.kind == SYNC_DIFF ? PEER_DIFF : PEER_TRUNC, plan.zxid, (struct slice){ 0 });
    register_learner(z, f);
    put_history(z, f, plan.from);
    put_newleader(z, f);
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
    fx->bytes = arena_dup(&out->arena, bytes);
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

void leader_drained(struct zab *z, struct link *l)
{
    struct learner *f = l->learner;
    f->heard_ms = z->now_ms;
    if (f->state == LEARNER_IMAGE)
        zab_emit(z, ZAB_FX_IMAGE_PULL)->link = l->id;
}

void leader_newleader_acked(struct zab *z, struct learner *f)
{
    struct leading *ld = &z->leading;
    f->state = LEARNER_SYNCED;
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
