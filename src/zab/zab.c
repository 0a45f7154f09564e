/* zab: the state machine's door: events in, effects out, and the passage from one role to the next. */
#include "zab/internal.h"

struct zab_fx *zab_emit(struct zab *z, enum zab_fx_type type)
{
    struct zab_out *out = z->out;
    if (out->count == out->cap) {
        out->cap = out->cap == 0 ? 64 : out->cap * 2;
        out->fx = mem_realloc(out->fx, out->cap * sizeof *out->fx);
    }
    struct zab_fx *fx = &out->fx[out->count++];
    *fx = (struct zab_fx){ .type = type };
    return fx;
}

static void put_config_text(struct zab *z)
{
    buf_reset(&z->config_text);
    members_put(z->members, &z->config_text);
}

struct zab *zab_new(const struct zab_options *options, int64_t now_ms)
{
    ASSERT(options->tick_time_ms > 0 && options->init_limit_ticks > 0 && options->sync_limit_ticks > 0);
    struct zab *z = mem_zalloc(sizeof *z);
    z->opt = *options;
    if (z->opt.hello_ms <= 0)
        z->opt.hello_ms = HELLO_MS;
    z->members = members_ref(options->members);
    z->now_ms = now_ms;
    z->next_nameless = -1;
    z->accepted_epoch = options->accepted_epoch;
    z->current_epoch = options->current_epoch;
    z->appended = z->synced = z->committed = z->disk_zxid = options->last_zxid;
    z->disk_epoch = options->current_epoch;
    z->role = PEER_LOOKING;
    z->settling = true;
    z->last_election_ms = -1;
    z->untrusted = z->wants_image = options->untrusted;
    rng_init(&z->rng, options->seed);
    buf_init(&z->config_text, PEER_NOTIFICATION_BYTES_MAX);
    buf_init(&z->scratch, SIZE_MAX / 2);
    buf_init(&z->request, SIZE_MAX / 2);
    history_init(&z->history, options->last_zxid);
    list_init(&z->leading.learners);
    z->leading.syncs_last = &z->leading.syncs;
    z->leading.bytes_last = z->leading.bytes_min = z->leading.bytes_max = -1;
    put_config_text(z);
    return z;
}

void zab_free(struct zab *z)
{
    if (z == NULL)
        return;
    struct zab_out out;
    zab_out_init(&out);
    z->out = &out;
    leader_end(z);
    learner_end(z);
    election_links_free(z);
    for (struct link *l = z->links; l != NULL; l = l->next)
        l->closing = true;
    link_sweep(z);
    zab_out_fini(&out);
    history_fini(&z->history);
    members_unref(z->members);
    buf_fini(&z->config_text);
    buf_fini(&z->scratch);
    buf_fini(&z->request);
    mem_free(z);
}

void zab_remember(struct zab *z, int64_t zxid, struct blob *txn)
{
    ASSERT(zxid <= z->appended);
    struct history *h = &z->history;
    if (h->count == 0 || !zxid_follows(history_end(h), zxid))
        history_restart(h, -1);
    history_push(h, zxid, txn, z->now_ms);
    history_trim(h, z->committed, (size_t)z->opt.history_count, z->opt.history_bytes);
}

bool zab_is_participant(const struct zab *z)
{
    return members_is_voter(z->members, z->opt.sid);
}

const struct members *zab_members(const struct zab *z)
{
    return z->members;
}

/* ---- the log ---- */

/* With syncEnabled=false Apache's observer has no SyncRequestProcessor: what is committed goes into the tree alone. */
static bool is_unlogged(const struct zab *z)
{
    return z->opt.observer_unlogged && z->role == PEER_OBSERVING;
}

void zab_append(struct zab *z, int64_t zxid, struct blob *txn)
{
    ASSERT(!z->truncating && !z->dirty);
    ASSERT(zxid > z->appended);
    history_push(&z->history, zxid, txn, z->now_ms);
    z->appended = zxid;
    if (is_unlogged(z)) {
        z->synced = zxid;
        return;
    }
    z->disk_zxid = zxid;
    if (z->role != PEER_LEADING)
        learner_appended(z, txn->n);
    struct zab_fx *fx = zab_emit(z, ZAB_FX_APPEND);
    fx->zxid = zxid;
    fx->txn = blob_ref(txn);
}

/* The oldest transaction that is in the log and not yet in the tree. */
void zab_commit_next(struct zab *z)
{
    const struct past *p = history_at(&z->history, history_after(&z->history, z->committed));
    z->committed = p->zxid;
    struct zab_fx *fx = zab_emit(z, ZAB_FX_COMMIT);
    fx->zxid = p->zxid;
    fx->txn = blob_ref(p->txn);
}

/* The log ends here now, the tree is exactly there, and both are on disk. */
void zab_log_resync(struct zab *z, int64_t end)
{
    history_drop_above(&z->history, end);
    if (history_end(&z->history) != end)
        history_restart(&z->history, end);
    z->appended = z->synced = z->committed = z->disk_zxid = end;
    z->dirty = false;
}

void zab_save_epochs(struct zab *z, int64_t accepted, int64_t current)
{
    ASSERT(!z->saving_epochs);
    ASSERT(accepted >= z->accepted_epoch && current >= z->current_epoch && accepted >= current);
    z->accepted_epoch = accepted;
    z->current_epoch = current;
    z->saving_epochs = true;
    /* currentEpoch names a history that is on disk: this server may be made a voter one day, and would else win an
     * election with a log that ends before that epoch. */
    if (!is_unlogged(z))
        z->disk_epoch = current;
    else if (ZXID_EPOCH(z->disk_zxid) > z->disk_epoch)
        z->disk_epoch = ZXID_EPOCH(z->disk_zxid);
    struct zab_fx *fx = zab_emit(z, ZAB_FX_SAVE_EPOCHS);
    fx->accepted_epoch = accepted;
    fx->current_epoch = z->disk_epoch;
}

/* ---- roles ---- */

void zab_role_changed(struct zab *z, bool serving)
{
    struct zab_fx *fx = zab_emit(z, ZAB_FX_ROLE);
    fx->role = z->role;
    fx->serving = serving;
    fx->leader = z->role == PEER_LEADING ? z->opt.sid : z->role == PEER_LOOKING ? -1 : z->learning.leader;
    fx->epoch = z->current_epoch;
}

void zab_leave_role(struct zab *z, const char *why)
{
    if (z->leaving || z->role == PEER_LOOKING)
        return;
    log_info("zab.leave", "role=%s why=\"%s\"", z->role == PEER_LEADING ? "leading" : "learning", why);
    z->leaving = true;
}

static void leave_now(struct zab *z)
{
    z->leaving = false;
    leader_end(z);
    learner_end(z);
    z->role = PEER_LOOKING;
    z->settling = true;
    zab_role_changed(z, false);
}

/* A role has ended. What it gave to the disk must have come to rest, and the tree must be the log replayed to its end,
 * before this server says in a vote where its log ends (ZOOKEEPER-2845, 4712, 3642, 5094). */
static void settle(struct zab *z)
{
    if (!z->settling || z->saving_epochs || z->truncating || z->saving_image || z->appended != z->synced)
        return;
    /* An observer without a log that has been made a voter votes with what is on its disk. */
    if (z->disk_zxid != z->appended && zab_is_participant(z))
        z->dirty = true;
    if (z->dirty) {
        struct zab_fx *fx = zab_emit(z, ZAB_FX_TRUNCATE);
        fx->zxid = INT64_MAX;
        fx->reload = true;
        z->truncating = z->reloading = true;
        return;
    }
    if (history_end(&z->history) != z->appended) /* at start: the snapshot is newer than the log that was remembered */
        history_restart(&z->history, z->appended);
    while (z->committed < z->appended)
        zab_commit_next(z);
    z->settling = false;
    election_begin(z);
}

void zab_call_end(struct zab *z)
{
    leader_drop_doomed(z);
    /* Ending one role may find the next at once, and that one may fail at once. */
    for (int i = 0; i < 8 && (z->leaving || z->settling); i++) {
        if (z->leaving)
            leave_now(z);
        settle(z);
        if (!z->leaving)
            break;
    }
    link_sweep(z);
    z->out = NULL;
}

void zab_call_begin(struct zab *z, struct zab_out *out)
{
    ASSERT(z->out == NULL);
    z->out = out;
}

/* ---- events ---- */

static int64_t read_link(struct zab *z, struct link *l, struct slice bytes)
{
    switch (l->kind) {
    case LINK_ELECTION_DIALLED:
        return 0; /* whoever we dialled and then drop has nothing to say */
    case LINK_ELECTION_HELLO:
    case LINK_ELECTION:
        return election_bytes(z, l, bytes);
    case LINK_LEARNER:
        return leader_bytes(z, l, bytes);
    case LINK_LEADER:
        return learner_bytes(z, l, bytes);
    }
    return 0;
}

static void link_failed(struct zab *z, struct link *l, bool refused)
{
    l->connected = false;
    switch (l->kind) {
    case LINK_ELECTION_DIALLED:
    case LINK_ELECTION_HELLO:
    case LINK_ELECTION:
        election_lost(z, l, refused);
        break;
    case LINK_LEARNER:
        leader_lost(z, l);
        break;
    case LINK_LEADER:
        learner_lost(z, refused);
        break;
    }
    link_forget(z, l);
}

static void bad_bytes(struct zab *z, struct link *l, int err)
{
    log_warn("zab.link", "kind=%d err=%s action=close", (int)l->kind, err_name(err));
    struct link *gone = l;
    zab_emit(z, ZAB_FX_CLOSE)->link = gone->id;
    link_failed(z, gone, false);
}

/* Reads what is whole of in + fresh and keeps the rest. */
static void read_bytes(struct zab *z, struct link *l, struct slice fresh)
{
    bool kept = l->in.n != 0;
    if (kept)
        buf_append_slice(&l->in, fresh);
    int64_t used = l->in.err != 0 ? l->in.err : read_link(z, l, kept ? buf_slice(&l->in) : fresh);
    if (l->closing)
        return;
    if (used >= 0 && kept)
        buf_drop_front(&l->in, (size_t)used);
    else if (used >= 0)
        buf_append(&l->in, fresh.p + used, fresh.n - (size_t)used);
    if (used < 0 || l->in.err != 0)
        bad_bytes(z, l, used < 0 ? (int)used : l->in.err);
}

/* Reading goes on where it was stopped. */
void link_unpause(struct zab *z, struct link *l)
{
    if (l->closing || !l->paused)
        return;
    l->paused = false;
    if (l->in.n != 0)
        read_bytes(z, l, slice_of("", 0));
    if (!l->closing && !l->paused)
        zab_emit(z, ZAB_FX_RESUME)->link = l->id;
}

static void accepted(struct zab *z, const struct zab_event *ev)
{
    ASSERT((ev->link & ZAB_LINK_DIALLED) == 0);
    if (ev->port == ZAB_PORT_ELECTION)
        election_accepted(z, ev->link);
    else
        leader_accepted(z, ev->link, ev->port);
}

static void connected(struct zab *z, uint32_t id)
{
    struct link *l = link_find(z, id);
    if (l == NULL)
        return;
    l->connected = true;
    if (l->kind == LINK_LEADER)
        learner_connected(z, l);
    else
        election_connected(z, l);
}

static void log_synced(struct zab *z, int64_t zxid)
{
    ASSERT(zxid <= z->appended);
    int64_t before = z->synced;
    if (zxid <= before)
        return;
    z->synced = zxid;
    leader_log_synced(z);
    learner_log_synced(z);
    learner_disk_caught_up(z, before);
}

static void truncated(struct zab *z, const struct zab_event *ev)
{
    z->truncating = false;
    if (ev->err != 0) {
        z->stopped = true;
        return;
    }
    zab_log_resync(z, ev->zxid);
    z->dirty = !z->reloading;
    learner_truncated(z);
}

static void tick(struct zab *z)
{
    election_links_tick(z);
    election_tick(z);
    leader_tick(z);
    learner_tick(z);
}

static void dispatch(struct zab *z, const struct zab_event *ev)
{
    struct link *l;
    switch (ev->type) {
    case ZAB_EV_TICK:
        tick(z);
        break;
    case ZAB_EV_ACCEPTED:
        accepted(z, ev);
        break;
    case ZAB_EV_CONNECTED:
        connected(z, ev->link);
        break;
    case ZAB_EV_BYTES:
        if ((l = link_find(z, ev->link)) != NULL)
            read_bytes(z, l, ev->bytes);
        break;
    case ZAB_EV_LOST:
        if ((l = link_find(z, ev->link)) != NULL)
            link_failed(z, l, ev->refused);
        break;
    case ZAB_EV_DRAINED:
        if ((l = link_find(z, ev->link)) != NULL && l->learner != NULL)
            leader_drained(z, l);
        break;
    case ZAB_EV_LOG_SYNCED:
        log_synced(z, ev->zxid);
        break;
    case ZAB_EV_EPOCHS_SAVED:
        z->saving_epochs = false;
        leader_epochs_saved(z);
        learner_epochs_saved(z);
        break;
    case ZAB_EV_LOG_READ:
        if ((l = link_find(z, ev->link)) != NULL && l->learner != NULL)
            leader_log_read(z, l, ev);
        break;
    case ZAB_EV_ORACLE:
        lone_answered(z, ev->end);
        break;
    case ZAB_EV_TRUNCATED:
        truncated(z, ev);
        break;
    case ZAB_EV_IMAGE_SAVED:
        z->saving_image = false;
        learner_image_saved(z, ev->err);
        break;
    }
}

bool zab_step(struct zab *z, const struct zab_event *ev, struct zab_out *out)
{
    zab_call_begin(z, out);
    if (ev->now_ms > z->now_ms)
        z->now_ms = ev->now_ms;
    if (!z->stopped)
        dispatch(z, ev);
    const struct link *l = ev->type == ZAB_EV_BYTES ? link_find(z, ev->link) : NULL;
    bool go_on = l == NULL || !l->paused;
    if (z->stopped)
        z->out = NULL;
    else
        zab_call_end(z);
    return go_on;
}

int64_t zab_next_tick_ms(const struct zab *z)
{
    int64_t next = election_next_tick_ms(z);
    int64_t other = z->role == PEER_LEADING   ? leader_next_tick_ms(z)
                    : z->role == PEER_LOOKING ? INT64_MAX
                                              : learner_next_tick_ms(z);
    return other < next ? other : next;
}

/* ---- calls of the core ---- */

int64_t zab_next_zxid(struct zab *z, struct zab_out *out)
{
    struct leading *ld = &z->leading;
    ASSERT(z->role == PEER_LEADING && ld->phase == LEADING_SERVING);
    uint32_t last = z->opt.counter_last == 0 ? ZXID_COUNTER_LAST : z->opt.counter_last;
    if (ZXID_COUNTER(ld->proposed) < last)
        return ld->proposed + 1;
    zab_call_begin(z, out);
    zab_leave_role(z, "the counter of this epoch is used up");
    zab_call_end(z);
    return -1;
}

void zab_propose(struct zab *z, int64_t zxid, struct blob *txn, struct zab_out *out)
{
    struct leading *ld = &z->leading;
    ASSERT(z->role == PEER_LEADING && ld->phase == LEADING_SERVING);
    ASSERT(zxid == ld->proposed + 1);
    zab_call_begin(z, out);
    ld->proposed = zxid;
    ld->proposals++;
    ld->bytes_last = txn->n;
    if (ld->bytes_min < 0 || ld->bytes_last < ld->bytes_min)
        ld->bytes_min = ld->bytes_last;
    if (ld->bytes_last > ld->bytes_max)
        ld->bytes_max = ld->bytes_last;
    zab_append(z, zxid, txn);
    struct peer_packet p = {
        .type = PEER_PROPOSAL, .zxid = zxid, .data = blob_slice(txn), .authinfo = { .count = -1 }
    };
    struct slice bytes = { 0 };
    LIST_FOR_SAFE(it, &ld->learners)
    {
        struct learner *f = CONTAINER_OF(it, struct learner, link);
        if (!f->registered || f->observer)
            continue;
        if (f->state == LEARNER_IMAGE) {
            leader_send(z, f, &p);
            continue;
        }
        if (slice_is_null(bytes)) { /* one encoding serves all */
            buf_reset(&z->scratch);
            peer_packet_put(&z->scratch, &p);
            bytes = arena_pack_dup(&z->out->arena, buf_slice(&z->scratch));
        }
        packets_note(z, &f->sent, p.type, p.zxid);
        link_send(z, f->conn, bytes);
    }
    zab_call_end(z);
}

void zab_revalidate_answer(struct zab *z, uint32_t link, int64_t session_id, bool valid, struct zab_out *out)
{
    zab_call_begin(z, out);
    struct learner *f = leader_find(z, link);
    if (f != NULL) {
        struct buf b;
        buf_init(&b, 64);
        peer_validity_put(&b, (struct peer_validity){ session_id, valid });
        leader_send(z, f,
                    &(struct peer_packet){
                        .type = PEER_REVALIDATE, .zxid = -1, .data = buf_slice(&b), .authinfo = { .count = -1 } });
        buf_fini(&b);
    }
    zab_call_end(z);
}

bool zab_awaits_log(const struct zab *z)
{
    return z->role != PEER_LEADING || z->leaving || z->settling || leader_awaits_log(z);
}

bool zab_leads(const struct zab *z)
{
    return z->role == PEER_LEADING && z->leading.phase == LEADING_SERVING;
}

bool zab_learns(const struct zab *z)
{
    return (z->role == PEER_FOLLOWING || z->role == PEER_OBSERVING) && z->learning.phase == LEARNING_SERVING;
}

void zab_forward(struct zab *z, const struct peer_request *q, struct wire_vec authinfo, struct zab_out *out)
{
    ASSERT(zab_learns(z));
    zab_call_begin(z, out);
    buf_reset(&z->request);
    peer_request_put(&z->request, q);
    link_send_packet(z, z->learning.conn,
                     &(struct peer_packet){
                         .type = PEER_REQUEST, .zxid = -1, .data = buf_slice(&z->request), .authinfo = authinfo });
    zab_call_end(z);
}

void zab_revalidate(struct zab *z, int64_t session_id, int32_t timeout_ms, struct zab_out *out)
{
    ASSERT(zab_learns(z));
    zab_call_begin(z, out);
    struct buf data;
    buf_init(&data, 64);
    peer_touch_put(&data, (struct peer_touch){ session_id, timeout_ms });
    learner_send(z, PEER_REVALIDATE, -1, buf_slice(&data));
    buf_fini(&data);
    zab_call_end(z);
}

void zab_pong(struct zab *z, struct slice touches, struct zab_out *out)
{
    zab_call_begin(z, out);
    if (zab_learns(z))
        learner_send(z, PEER_PING, z->learning.ping_zxid, slice_is_null(touches) ? slice_of("", 0) : touches);
    zab_call_end(z);
}

struct slice zab_image_buffered(const struct zab *z)
{
    const struct link *l = z->learning.conn;
    return l == NULL ? (struct slice){ 0 } : buf_slice(&l->in);
}

/* ---- looking ---- */

static void view_learners(const struct zab *z, struct zab_view *v)
{
    LIST_FOR(it, &z->leading.learners)
    {
        const struct learner *f = CONTAINER_OF(it, struct learner, link);
        bool synced = f->state >= LEARNER_SYNCED;
        if (f->state == LEARNER_NEW)
            continue;
        if (f->observer) {
            v->observers++;
            v->synced_observers += synced;
        } else if (members_is_voter(z->members, f->sid)) {
            v->followers++;
            v->synced_followers += synced;
        } else {
            v->non_voting_followers++;
            v->synced_non_voting_followers += synced;
        }
    }
}

struct zab_view zab_view(const struct zab *z)
{
    struct zab_view v = {
        .role = z->role,
        .leader = z->role == PEER_LEADING   ? z->opt.sid
                  : z->role == PEER_LOOKING ? -1
                                            : z->learning.leader,
        .epoch = z->role == PEER_LEADING ? z->leading.epoch : z->current_epoch,
        .round = z->election.round,
        .last_zxid = z->appended,
        .committed_zxid = z->committed,
        .outstanding = (int64_t)(z->history.count - history_after(&z->history, z->committed)),
        .elections = z->elections,
        .last_election_ms = z->last_election_ms,
        .quorum_size = (int64_t)z->members->voter_count,
        .proposals = z->leading.proposals,
        .proposal_bytes_last = z->leading.bytes_last,
        .proposal_bytes_min = z->leading.bytes_min,
        .proposal_bytes_max = z->leading.bytes_max,
        .diffs_sent = z->diffs_sent,
        .truncs_sent = z->truncs_sent,
        .snaps_sent = z->snaps_sent,
        .looking_since_ms = z->role == PEER_LOOKING && !z->settling ? z->election.begun_ms : 0,
    };
    v.serving = zab_leads(z) || zab_learns(z);
    view_learners(z, &v);
    return v;
}

const struct summary *zab_inflight_snaps(const struct zab *z)
{
    return &z->inflight[SYNC_LOAD_SNAP];
}

const struct summary *zab_inflight_diffs(const struct zab *z)
{
    return &z->inflight[SYNC_LOAD_DIFF];
}

size_t zab_learners(const struct zab *z, struct zab_learner_view *to, size_t max)
{
    size_t n = 0;
    LIST_FOR(it, &z->leading.learners)
    {
        const struct learner *f = CONTAINER_OF(it, struct learner, link);
        if (n < max)
            to[n] = (struct zab_learner_view){ .link = f->conn->id,
                                               .sid = f->sid,
                                               .observer = f->observer,
                                               .synced = f->state >= LEARNER_SYNCED,
                                               .acked_zxid = f->acked_zxid,
                                               .queued_bytes = f->held.n };
        n++;
    }
    return n;
}
