/* core: the step function and the turning of time. */
#include "core/core.h"
#include "base/hash.h"
#include "core/internal.h"

#define TURN_ARENA_BYTES (64 * 1024)
#define BODY_BYTES_KEPT (256 * 1024) /* scratch of an unusually large reply is given back */

struct core *core_new(const struct core_options *options, struct tree *tree, int64_t now_ms)
{
    ASSERT(options->tick_time_ms > 0);
    ASSERT(options->frame_bytes_max >= 1024);
    struct core *c = mem_zalloc(sizeof *c);
    c->opt = *options;
    c->tree = tree;
    c->now_ms = now_ms;
    c->wall_ms = options->start_wall_ms;
    rng_init(&c->rng, options->seed);
    c->hash_key = rng_u64(&c->rng);
    list_init(&c->handshakes);
    list_init(&c->paused);
    arena_init(&c->turn, TURN_ARENA_BYTES);
    buf_init(&c->body, INT32_MAX - 64); /* a reply's length is an int32 */
    buf_init(&c->txn, options->txn_bytes_max * 2 + 4096);
    c->marks = mem_zalloc(DIGEST_MARKS_MAX * sizeof *c->marks);
    c->stats.response_bytes_last = c->stats.response_bytes_min = c->stats.response_bytes_max = -1;
    c->next_reap_ms = now_ms + options->container_check_interval_ms;
    ensemble_init(c);
    session_table_init(c);
    overlay_init(c);
    pipeline_init(c);
    return c;
}

void core_free(struct core *c)
{
    if (c == NULL)
        return;
    tree_walk_end(c->walk);
    conn_table_fini(c);
    ensemble_fini(c);
    pipeline_fini(c);
    overlay_fini(c);
    session_table_fini(c);
    local_fini(c);
    namespaces_reset(c);
    tree_free(c->tree);
    arena_fini(&c->turn);
    buf_fini(&c->body);
    buf_fini(&c->txn);
    mem_free(c->marks);
    mem_free(c);
}

/* ContainerManager: at most the minute's share of maxPerMinute each time it looks. */
static void reap(struct core *c)
{
    int64_t interval_ms = c->opt.container_check_interval_ms;
    if (!ensemble_leads(c) || interval_ms <= 0 || c->now_ms < c->next_reap_ms)
        return;
    c->next_reap_ms = c->now_ms + interval_ms;
    int64_t max = c->opt.container_max_per_minute * interval_ms / 60000;
    struct buf paths;
    buf_init(&paths, SIZE_MAX / 2);
    size_t n = tree_put_expired(c->tree, c->wall_ms, c->opt.container_never_used_ms, max < 1 ? 1 : (size_t)max, &paths);
    struct wire_reader r = wire_vec_reader((struct wire_vec){ .raw = buf_slice(&paths) });
    for (size_t i = 0; i < n; i++) {
        const uint8_t *from = r.p;
        (void)wire_get_ustring(&r);
        pipeline_own(c, 0, op_find(WIRE_OP_DELETE_CONTAINER), slice_of(from, (size_t)(r.p - from)));
    }
    buf_fini(&paths);
}

static void tick(struct core *c)
{
    session_expire_due(c);
    conn_expire_handshakes(c);
    reap(c);
    ensemble_tick(c);
}

bool core_step(struct core *c, const struct core_event *ev, struct core_out *out)
{
    bool go_on = true;
    c->out = out;
    if (ev->now_ms > c->now_ms)
        c->now_ms = ev->now_ms;
    c->wall_ms = ev->wall_ms;
    switch (ev->type) {
    case CORE_EV_TICK:
        tick(c);
        break;
    case CORE_EV_ACCEPT:
        go_on = conn_accept(c, ev);
        break;
    case CORE_EV_FRAME:
        go_on = conn_frame(c, ev);
        break;
    case CORE_EV_CONN_LOST:
        conn_lost(c, ev->conn);
        break;
    case CORE_EV_AUTHENTICATED:
        auth_proved(c, ev);
        break;
    case CORE_EV_LOG_SYNCED:
        if (c->ens.zab == NULL)
            pipeline_synced(c, ev->zxid);
        else
            ensemble_synced(c, ev->zxid);
        conn_update_paused(c);
        break;
    case CORE_EV_SNAPSHOT_WANT:
        c->snapshot_wanted = true;
        break;
    case CORE_EV_SNAPSHOT_PULL:
        imaging_pull(c);
        break;
    case CORE_EV_SNAPSHOT_DONE:
        imaging_done(c, ev->err);
        break;
    case CORE_EV_PEER:
        ensemble_peer(c, ev, &go_on);
        break;
    case CORE_EV_TRUNCATED:
        ensemble_truncated(c, ev);
        break;
    }
    if (c->ens.zab != NULL)
        ensemble_drain(c);
    imaging_maybe_begin(c);
    arena_reset(&c->turn);
    if (c->body.cap > BODY_BYTES_KEPT)
        buf_fini(&c->body);
    c->out = NULL;
    return go_on;
}

int64_t core_next_tick_ms(const struct core *c)
{
    if (!list_empty(&c->expiring))
        return c->now_ms;
    int64_t next = (c->wheel_tick + 1) * c->opt.tick_time_ms;
    if (c->opt.container_check_interval_ms > 0 && c->next_reap_ms < next && ensemble_leads(c))
        next = c->next_reap_ms;
    if (c->ens.zab != NULL && zab_next_tick_ms(c->ens.zab) < next)
        next = zab_next_tick_ms(c->ens.zab);
    if (!list_empty(&c->handshakes)) {
        const struct conn *k = CONTAINER_OF(c->handshakes.next, struct conn, link);
        int64_t due = k->accepted_ms + c->opt.handshake_timeout_ms;
        if (due < next)
            next = due;
    }
    return next;
}

bool core_has_writes_in_flight(const struct core *c)
{
    return c->pipe.count != 0;
}

static void check_conns(const struct core *c)
{
    uint32_t count = 0;
    int64_t deferred = 0, writes = 0, parked = 0;
    for (uint32_t i = 0; i < c->conn_cap; i++) {
        const struct conn *k = c->conns[i];
        if (k == NULL)
            continue;
        count++;
        deferred += k->deferred_count;
        writes += k->writes_in_flight;
        for (const struct parked *p = k->parked_first; p != NULL; p = p->next)
            parked++;
        ASSERT(k->id == i);
        ASSERT(k->session == NULL || k->session->conn == k);
        ASSERT(k->state == CONN_HANDSHAKE || k->state == CONN_REVALIDATING || k->session != NULL ||
               k->state == CONN_CLOSING);
        ASSERT(k->deferred_count == 0 || k->writes_in_flight != 0);
    }
    ASSERT(count == c->conn_count);
    ASSERT(deferred == c->deferred_count);
    ASSERT(parked == c->parked_count);
    ASSERT(c->ens.zab != NULL || writes <= (int64_t)c->pipe.count);
}

static void check_pipeline(const struct core *c)
{
    const struct pipeline *q = &c->pipe;
    int64_t zxid = tree_last_zxid(c->tree);
    if (c->ens.zab != NULL) {
        zab_check(c->ens.zab);
        if (q->count != 0)
            zxid = q->ring[q->head].zxid - 1;
    }
    for (size_t i = 0; i < q->count; i++) {
        const struct proposal *p = &q->ring[(q->head + i) & (q->cap - 1)];
        ASSERT(p->zxid == zxid + 1); /* gapless: 3.9 refuses a log with holes (disk specification 2.3) */
        zxid = p->zxid;
    }
    if (!ensemble_leads(c))
        return;
    ASSERT(zxid == q->last_proposed || q->count == 0);
    ASSERT(q->count != 0 || c->overlay.count == 0);
    ASSERT(q->count != 0 || c->overlay.queue_count == 0);
    ASSERT(q->count != 0 || !c->opt.digest_enabled || c->overlay.digest == tree_digest(c->tree));
}

void core_check(const struct core *c)
{
    check_conns(c);
    check_pipeline(c);
    tree_check(c->tree);
}
