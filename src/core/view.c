/* view: the numbers and lists that operators may see. */
#include "core/internal.h"
#include <stdlib.h>

enum core_mode core_mode(const struct core *c)
{
    const struct ensemble *e = &c->ens;
    if (e->zab == NULL)
        return CORE_STANDALONE;
    if (e->read_only)
        return CORE_READ_ONLY;
    if (!e->serving)
        return CORE_LOOKING;
    return e->role == PEER_LEADING ? CORE_LEADING : e->role == PEER_OBSERVING ? CORE_OBSERVING : CORE_FOLLOWING;
}

const char *core_mode_name(enum core_mode mode)
{
    static const char *const names[] = {
        [CORE_STANDALONE] = "standalone", [CORE_LOOKING] = "leaderelection", [CORE_LEADING] = "leader",
        [CORE_FOLLOWING] = "follower",    [CORE_OBSERVING] = "observer",     [CORE_READ_ONLY] = "read-only",
    };
    return names[mode];
}

void core_stats(const struct core *c, struct core_stats *out)
{
    *out = c->stats;
    struct watch_counts w = watch_counts(c->tree);
    out->last_zxid = ensemble_leads(c) ? ensemble_seen_zxid(c) : tree_last_zxid(c->tree);
    out->pending_syncs = c->ens.sync_count;
    if (core_mode(c) == CORE_LEADING)
        out->leading_ms = c->now_ms - c->ens.serving_since_ms;
    out->outstanding = pipeline_in_flight(c);
    out->connections = c->conn_count;
    out->sessions = (int64_t)c->session_count;
    out->node_count = tree_node_count(c->tree);
    out->ephemeral_count = tree_ephemeral_count(c->tree);
    out->data_size = tree_data_size(c->tree);
    out->watch_count = w.watches;
    out->watch_path_count = w.paths;
    out->watcher_count = w.watchers;
    out->changes_queued = out->changes_applied + (int64_t)c->overlay.queue_count;
    out->drop_probability = c->throttle.drop_probability;
    out->tree_digest = tree_digest(c->tree);
}

void core_stats_reset(struct core *c)
{
    namespaces_reset(c);
    c->stats = (struct core_stats){ .response_bytes_last = -1, .response_bytes_min = -1, .response_bytes_max = -1 };
}

static void conn_info(const struct conn *k, void (*fn)(void *ctx, const struct core_conn_info *info), void *ctx)
{
    char peer[80];
    size_t n = conn_peer_text(&k->peer, true, peer, sizeof peer);
    struct core_conn_info info = {
        .conn = k->id,
        .peer = slice_of(peer, n),
        .session_id = k->session == NULL || k->state == CONN_CREATING ? 0 : k->session->id,
        .timeout_ms = k->session == NULL ? 0 : k->session->timeout_ms,
        .established_wall_ms = k->accepted_wall_ms,
        .last_op = k->last_op,
        .last_cxid = k->last_cxid,
        .last_zxid = k->last_zxid,
        .last_response_ms = k->last_response_ms,
        .latency_last_ms = k->latency_last_ms,
        .latency_min_ms = k->latency_min_ms,
        .latency_avg_ms = k->latency_count == 0 ? 0 : k->latency_sum_ms / k->latency_count,
        .latency_max_ms = k->latency_max_ms,
        .packets_received = k->packets_received,
        .packets_sent = k->packets_sent,
        .outstanding = k->writes_in_flight + k->deferred_count,
    };
    fn(ctx, &info);
}

bool core_conn_list(const struct core *c, uint32_t *cursor, size_t max,
                    void (*fn)(void *ctx, const struct core_conn_info *info), void *ctx)
{
    for (size_t n = 0; *cursor < c->conn_cap && n < max; (*cursor)++) {
        if (c->conns[*cursor] == NULL)
            continue;
        conn_info(c->conns[*cursor], fn, ctx);
        n++;
    }
    return *cursor < c->conn_cap;
}

bool core_conn_find(const struct core *c, uint32_t conn, void (*fn)(void *ctx, const struct core_conn_info *info),
                    void *ctx)
{
    const struct conn *k = conn_get(c, conn);
    if (k != NULL)
        conn_info(k, fn, ctx);
    return k != NULL;
}

void core_conn_stats_reset(struct core *c)
{
    for (uint32_t i = 0; i < c->conn_cap; i++) {
        struct conn *k = c->conns[i];
        if (k == NULL)
            continue;
        k->packets_received = k->packets_sent = 0;
        k->latency_last_ms = k->latency_min_ms = k->latency_max_ms = k->latency_sum_ms = k->latency_count = 0;
        k->last_cxid = -1;
        k->last_zxid = -1;
        k->last_response_ms = 0;
        k->last_op = INT32_MIN;
    }
}

void core_conn_word(struct core *c, uint32_t conn)
{
    struct conn *k = conn_get(c, conn);
    if (k == NULL)
        return;
    k->asks_word = true;
    k->packets_received++;
    c->stats.packets_received++;
    c->stats.bytes_received += 4;
}

static int by_deadline(const void *a, const void *b)
{
    const struct session *x = *(struct session *const *)a, *y = *(struct session *const *)b;
    if (x->expires_ms != y->expires_ms)
        return x->expires_ms < y->expires_ms ? -1 : 1;
    return (x->id > y->id) - (x->id < y->id);
}

void core_session_list(const struct core *c,
                       void (*fn)(void *ctx, int64_t session_id, int32_t timeout_ms, int64_t expires_ms), void *ctx)
{
    struct session **all = mem_alloc((c->session_count + 1) * sizeof(struct session *));
    size_t n = 0;
    for (size_t i = 0; i < c->session_bucket_count; i++)
        for (struct session *s = c->session_buckets[i]; s != NULL; s = s->hash_next)
            all[n++] = s;
    qsort(all, n, sizeof(struct session *), by_deadline);
    for (size_t i = 0; i < n; i++)
        fn(ctx, all[i]->id, all[i]->timeout_ms, all[i]->expires_ms);
    mem_free(all);
}

int64_t core_conn_session(const struct core *c, uint32_t conn)
{
    const struct conn *k = conn_get(c, conn);
    return k == NULL || k->session == NULL ? 0 : k->session->id;
}

void core_digest_list(const struct core *c, void (*fn)(void *ctx, int64_t zxid, uint64_t digest), void *ctx)
{
    for (uint32_t i = 0; i < c->mark_count; i++) {
        const struct digest_mark *m = &c->marks[(c->mark_head + i) % DIGEST_MARKS_MAX];
        fn(ctx, m->zxid, m->digest);
    }
}

const struct tree *core_tree(const struct core *c)
{
    return c->tree;
}
