/* ensemble: this server as a member: what zab asks for is carried out here or handed to the shell, and roles begin and
 * end. A standalone server has none of this. */
#include "core/internal.h"
#include "tree/image.h"

static void put_config(struct core *c)
{
    struct buf text;
    buf_init(&text, SIZE_MAX / 2);
    members_put(zab_members(c->ens.zab), &text);
    tree_put_config(c->tree, buf_slice(&text), zab_members(c->ens.zab)->version, c->wall_ms);
    buf_fini(&text);
}

/* globalOutstandingLimit is for all: the servers that vote share it, since their requests meet at the leader. */
static void share_outstanding_limit(struct core *c)
{
    const struct members *m = zab_members(c->ens.zab);
    int64_t others = (int64_t)m->voter_count - 1;
    if (others < 2 || !members_is_voter(m, c->opt.zab->sid))
        return;
    c->opt.outstanding_limit /= others;
    if (c->opt.outstanding_limit < 1)
        c->opt.outstanding_limit = 1;
}

void ensemble_init(struct core *c)
{
    struct ensemble *e = &c->ens;
    e->leader = -1;
    e->role = PEER_LOOKING;
    sync_order_init(&e->sync_order);
    if (c->opt.zab == NULL)
        return;
    e->zab = zab_new(c->opt.zab, c->now_ms);
    share_outstanding_limit(c);
    c->opt.zab = NULL; /* read once: it need not live on */
    put_config(c);
}

void ensemble_fini(struct core *c)
{
    remote_forget_syncs(c);
    sync_order_fini(&c->ens.sync_order);
    forward_forget(c);
    images_fini(c);
    zab_free(c->ens.zab);
    c->ens.zab = NULL;
}

void core_remember(struct core *c, int64_t zxid, struct blob *txn)
{
    if (c->ens.zab != NULL)
        zab_remember(c->ens.zab, zxid, txn);
}

bool core_awaits_log(const struct core *c)
{
    return c->ens.zab == NULL || zab_awaits_log(c->ens.zab);
}

const struct zab *core_zab(const struct core *c)
{
    return c->ens.zab;
}

bool ensemble_serves(const struct core *c)
{
    const struct ensemble *e = &c->ens;
    if (e->zab == NULL)
        return true;
    return e->serving && (e->role == PEER_LEADING ? c->opt.leader_serves && zab_leads(e->zab) : zab_learns(e->zab));
}

bool ensemble_leads(const struct core *c)
{
    return LIKELY(c->ens.zab == NULL) || (c->ens.serving && c->ens.role == PEER_LEADING);
}

/* A leader shows the beginning of its epoch to clients before it has a transaction in it, and a client must be able to
 * come from there to any server of the same epoch. */
int64_t ensemble_seen_zxid(const struct core *c)
{
    int64_t last = tree_last_zxid(c->tree);
    if (c->ens.zab == NULL || !c->ens.serving)
        return last;
    int64_t begin = (int64_t)((uint64_t)c->ens.epoch << 32);
    return begin > last ? begin : last;
}

/* ---- roles ---- */

static void stop_serving(struct core *c)
{
    c->ens.serving = c->ens.read_only = false;
    conn_close_served(c);
    remote_forget_syncs(c);
    forward_forget(c);
    pipeline_restart(c);
    session_table_rebuild(c);
}

static void start_serving(struct core *c)
{
    pipeline_restart(c);
    if (c->ens.role == PEER_LEADING)
        c->pipe.last_proposed = (int64_t)((uint64_t)c->ens.epoch << 32);
    session_table_rebuild(c);
    put_config(c);
    c->ens.serving = true;
    c->ens.serving_since_ms = c->now_ms;
}

static void role_changed(struct core *c, const struct zab_fx *fx)
{
    struct ensemble *e = &c->ens;
    if (e->serving || e->read_only)
        stop_serving(c);
    e->role = fx->role;
    e->leader = fx->leader;
    e->epoch = fx->epoch;
    if (fx->serving)
        start_serving(c);
}

/* ---- the tree ---- */

/* Whatever was taken from the old tree ends: the walk, and the snapshot that it fed. */
void ensemble_replace_tree(struct core *c, struct tree *t)
{
    struct ensemble *e = &c->ens;
    if (c->walk != NULL) {
        tree_walk_end(c->walk);
        c->walk = NULL;
        e->image_abort = true;
    }
    images_drop_all(c);
    tree_free(c->tree);
    c->tree = t;
    c->mark_count = 0;
    put_config(c);
    pipeline_restart(c);
    session_table_rebuild(c);
}

void ensemble_truncated(struct core *c, const struct core_event *ev)
{
    struct ensemble *e = &c->ens;
    if (e->zab == NULL)
        return;
    if (ev->tree != NULL)
        ensemble_replace_tree(c, ev->tree);
    struct zab_event z = { .type = ZAB_EV_TRUNCATED, .now_ms = c->now_ms, .zxid = ev->zxid, .err = ev->err };
    zab_step(e->zab, &z, &c->out->zab);
}

/* As QuorumPeer's read-only server: after a while without a leader, for clients that have said that they know. */
static void maybe_read_only(struct core *c)
{
    struct ensemble *e = &c->ens;
    if (!c->opt.read_only || e->read_only || e->role != PEER_LOOKING)
        return;
    struct zab_view v = zab_view(e->zab);
    int64_t after_ms = c->opt.tick_time_ms > 2000 ? c->opt.tick_time_ms : 2000;
    if (v.role != PEER_LOOKING || v.looking_since_ms == 0 || c->now_ms - v.looking_since_ms < after_ms)
        return;
    log_info("ensemble.read-only", "zxid=0x%llx", (unsigned long long)tree_last_zxid(c->tree));
    e->read_only = true;
}

/* ---- events ---- */

void ensemble_peer(struct core *c, const struct core_event *ev, bool *go_on)
{
    if (c->ens.zab == NULL)
        return;
    struct zab_event z = *ev->peer_event;
    z.now_ms = c->now_ms;
    *go_on = zab_step(c->ens.zab, &z, &c->out->zab);
}

void ensemble_tick(struct core *c)
{
    if (c->ens.zab == NULL)
        return;
    struct zab_event z = { .type = ZAB_EV_TICK, .now_ms = c->now_ms };
    zab_step(c->ens.zab, &z, &c->out->zab);
    images_limit(c);
    maybe_read_only(c);
}

void ensemble_synced(struct core *c, int64_t zxid)
{
    struct zab_event z = { .type = ZAB_EV_LOG_SYNCED, .now_ms = c->now_ms, .zxid = zxid };
    zab_step(c->ens.zab, &z, &c->out->zab);
}

/* ---- effects ---- */

static void carry_out(struct core *c, const struct zab_fx *fx)
{
    switch (fx->type) {
    case ZAB_FX_DIAL:
    case ZAB_FX_SEND:
    case ZAB_FX_CLOSE:
    case ZAB_FX_RESUME:
    case ZAB_FX_LISTEN:
    case ZAB_FX_SAVE_EPOCHS:
    case ZAB_FX_TRUNCATE:
    case ZAB_FX_LOG_READ:
    case ZAB_FX_LOG_MORE:
    case ZAB_FX_LOG_DONE:
    case ZAB_FX_ASK_ORACLE:
        out_peer(c, fx);
        break;
    case ZAB_FX_ROLE:
        role_changed(c, fx);
        break;
    case ZAB_FX_APPEND:
        pipeline_log(c, fx->zxid, fx->txn);
        break;
    case ZAB_FX_COMMIT:
        zab_inform(c->ens.zab, fx->zxid, fx->txn, &c->out->zab);
        pipeline_committed(c, fx->zxid, fx->txn);
        break;
    case ZAB_FX_REQUEST:
        remote_request(c, fx->link, &fx->request, fx->authinfo);
        break;
    case ZAB_FX_REVALIDATE:
        remote_revalidate(c, fx->link, fx->session_id, fx->timeout_ms);
        break;
    case ZAB_FX_TOUCH:
        remote_touch(c, fx->session_id, fx->timeout_ms);
        break;
    case ZAB_FX_VALIDITY:
        forward_validity(c, fx->session_id, fx->valid);
        break;
    case ZAB_FX_SYNCED:
        if (c->ens.role == PEER_LEADING)
            remote_synced(c, fx->token);
        else
            forward_synced(c);
        break;
    case ZAB_FX_PING:
        forward_pong(c);
        break;
    case ZAB_FX_IMAGE_WANTED:
        images_wanted(c, fx->link);
        break;
    case ZAB_FX_IMAGE_PULL:
        images_pull(c, fx->link);
        break;
    case ZAB_FX_IMAGE_DROPPED:
        images_dropped(c, fx->link);
        break;
    case ZAB_FX_IMAGE_BYTES:
        images_read(c, fx->on, fx->zxid);
        break;
    case ZAB_FX_SAVE_IMAGE:
        c->ens.image_wanted = true;
        break;
    }
}

/* Effects of effects come behind: the list may grow while it is walked. */
void ensemble_drain(struct core *c)
{
    struct zab_out *z = &c->out->zab;
    do {
        size_t expected = 0;
        expect_txns(z, 0);
        for (size_t i = 0; i < z->count; i++) {
            if (i == expected)
                expected = expect_effects(c, z, i);
            struct zab_fx fx = z->fx[i];
            carry_out(c, &fx);
        }
        z->count = 0;
        /* Only now is the tree where zab thinks it is. */
        images_maybe_begin(c);
    } while (z->count != 0);
    conn_update_paused(c);
}
