/* metrics: what figure stands behind which name (feature map 3.4 and appendix A3). Names whose thing this server does
 * not have (queues between stages, a garbage collector, caches of packets) stay: who reads a dashboard must find 0 and
 * not a gap. */
#include "admin/metrics.h"
#include "base/assert.h"
#include "core/core.h"
#include "tree/tree.h"
#include <stddef.h>

struct values {
    struct core_stats core;
    struct zab_view zab;
    int64_t learners, followers, observers, non_voting;
    struct summary inflight_snaps, inflight_diffs;
    struct command_figures figures;
};

struct row {
    const char *name;
    size_t offset; /* of an int64_t or a struct summary in struct values; NOTHING: always 0 */
};

#define NOTHING SIZE_MAX
#define CORE(field) (offsetof(struct values, core) + offsetof(struct core_stats, field))
#define ZAB(field) (offsetof(struct values, zab) + offsetof(struct zab_view, field))
#define VALUE(field) offsetof(struct values, field)
#define FIGURE(field) (offsetof(struct values, figures) + offsetof(struct command_figures, field))

static const struct row gauges[] = {
    { "max_latency", CORE(latency_max_ms) },
    { "min_latency", CORE(latency_min_ms) },
    { "packets_received", CORE(packets_received) },
    { "packets_sent", CORE(packets_sent) },
    { "num_alive_connections", CORE(connections) },
    { "outstanding_requests", CORE(outstanding) },
    { "watch_count", CORE(watch_count) },
    { "ephemerals_count", CORE(ephemeral_count) },
    { "approximate_data_size", CORE(data_size) },
    { "global_sessions", CORE(sessions) },
    { "local_sessions", NOTHING },
    { "last_client_response_size", CORE(response_bytes_last) },
    { "min_client_response_size", CORE(response_bytes_min) },
    { "max_client_response_size", CORE(response_bytes_max) },
    { "outstanding_tls_handshake", FIGURE(tls_handshakes) },
    { "auth_failed_count", CORE(auth_failed) },
    { "non_mtls_remote_conn_count", FIGURE(plain_remote) },
    { "non_mtls_local_conn_count", FIGURE(plain_local) },
};

/* Of a server that leads. */
static const struct row leader_gauges[] = {
    { "learners", VALUE(learners) },
    { "synced_followers", VALUE(followers) },
    { "synced_non_voting_followers", VALUE(non_voting) },
    { "synced_observers", VALUE(observers) },
    { "pending_syncs", CORE(pending_syncs) },
    { "leader_uptime", CORE(leading_ms) },
    { "last_proposal_size", ZAB(proposal_bytes_last) },
    { "max_proposal_size", ZAB(proposal_bytes_max) },
    { "min_proposal_size", ZAB(proposal_bytes_min) },
};

static const struct row counters[] = {
    { "bytes_received_count", CORE(bytes_received) },
    { "watch_bytes", CORE(event_bytes_sent) },
    { "connection_request_count", CORE(connection_requests) },
    { "connection_rejected", CORE(connections_rejected) },
    { "connection_drop_count", CORE(connections_dropped) },
    { "sessionless_connections_expired", CORE(handshakes_expired) },
    { "unsuccessful_handshake", CORE(unsuccessful_handshakes) },
    { "stale_sessions_expired", CORE(sessions_expired) },
    { "digest_mismatches_count", CORE(digest_mismatches) },
    { "large_requests_rejected", CORE(large_requests_rejected) },
    { "throttled_ops", CORE(throttled_ops) },
    { "outstanding_changes_queued", CORE(changes_queued) },
    { "outstanding_changes_removed", CORE(changes_applied) },
    { "snapshot_error_count", FIGURE(snapshot_errors) },
    { "snapshot_rate_limited_count", FIGURE(snapshots_limited) },
    { "restore_error_count", FIGURE(restore_errors) },
    { "restore_rate_limited_count", FIGURE(restores_limited) },
    { "txns_committed", CORE(txns_committed) }, /* ours, as the next three */
    { "snapshots_taken", CORE(snapshots_taken) },
    { "fsync_threshold_exceed_count", FIGURE(fsync_slow_count) },
    { "queued_response_bytes", FIGURE(net_queued_bytes) },
    { "add_dead_watcher_stall_time", NOTHING },
    { "cnxn_closed_without_zk_server_running", NOTHING },
    { "commit_count", NOTHING },
    { "connection_revalidate_count", NOTHING },
    { "dead_watchers_cleared", NOTHING },
    { "dead_watchers_queued", NOTHING },
    { "diff_count", ZAB(diffs_sent) },
    { "ensemble_auth_fail", CORE(ensemble_auth_failed) },
    { "ensemble_auth_skip", CORE(ensemble_auth_skipped) },
    { "ensemble_auth_success", CORE(ensemble_auth_well) },
    { "insecure_admin_count", FIGURE(plain_admin) },
    { "learner_commit_received_count", NOTHING },
    { "learner_proposal_received_count", NOTHING },
    { "looking_count", ZAB(elections) },
    { "proposal_count", ZAB(proposals) },
    { "quit_leading_due_to_disloyal_voter", NOTHING },
    { "request_commit_queued", NOTHING },
    { "request_throttle_wait_count", NOTHING },
    { "requests_not_forwarded_to_commit_processor", NOTHING },
    { "response_packet_cache_hits", NOTHING },
    { "response_packet_cache_misses", NOTHING },
    { "response_packet_get_children_cache_hits", NOTHING },
    { "response_packet_get_children_cache_misses", NOTHING },
    { "revalidate_count", NOTHING },
    { "skip_learner_request_to_next_processor_count", NOTHING },
    { "snap_count", ZAB(snaps_sent) },
    { "stale_replies", NOTHING },
    { "stale_requests", NOTHING },
    { "stale_requests_dropped", NOTHING },
    { "tls_handshake_exceeded", FIGURE(tls_handshakes_refused) },
    { "unrecoverable_error_count", NOTHING },
};

static const struct row basic[] = {
    { "fsynctime", FIGURE(sync_ms) },
    { "snapshottime", FIGURE(snapshot_ms) },
    { "restore_time", FIGURE(restore_ms) },
    { "dbinittime", FIGURE(boot_ms) },
    { "startup_snap_load_time", FIGURE(boot_snapshot_ms) },
    { "startup_txns_load_time", FIGURE(boot_txns_ms) },
    { "startup_txns_loaded", FIGURE(boot_txns) },
    { "sync_processor_batch_size", FIGURE(batch_size) },
    { "sync_process_time", FIGURE(sync_ms) },
    { "node_created_watch_count", CORE(created_watches) },
    { "node_deleted_watch_count", CORE(deleted_watches) },
    { "node_changed_watch_count", CORE(changed_watches) },
    { "node_children_watch_count", CORE(children_watches) },
    { "connection_token_deficit", CORE(token_deficit) },
    { "commit_commit_proc_req_queued", NOTHING },
    { "commit_process_time", NOTHING },
    { "concurrent_request_processing_in_commit_processor", NOTHING },
    { "election_time", NOTHING },
    { "follower_sync_time", NOTHING },
    { "inflight_diff_count", VALUE(inflight_diffs) },
    { "inflight_snap_count", VALUE(inflight_snaps) },
    { "leader_unavailable_time", NOTHING },
    { "learner_request_processor_queue_size", NOTHING },
    { "netty_queued_buffer_capacity", NOTHING },
    { "observer_sync_time", NOTHING },
    { "pending_session_queue_size", NOTHING },
    { "prep_process_time", NOTHING },
    { "prep_processor_queue_size", NOTHING },
    { "proposal_process_time", NOTHING },
    { "read_commit_proc_issued", NOTHING },
    { "read_commit_proc_req_queued", NOTHING },
    { "reads_after_write_in_session_queue", NOTHING },
    { "reads_issued_from_session_queue", NOTHING },
    { "requests_in_session_queue", NOTHING },
    { "session_queues_drained", NOTHING },
    { "socket_closing_time", NOTHING },
    { "sync_processor_queue_size", NOTHING },
    { "time_waiting_empty_pool_in_commit_processor_read_ms", NOTHING },
    { "unavailable_time", NOTHING },
    { "write_batch_time_in_commit_processor", NOTHING },
    { "write_commit_proc_issued", NOTHING },
    { "write_commit_proc_req_queued", NOTHING },
};

/* A transaction is prepared in the turn in which its request came in, so how long it takes from there to where it is
 * applied is the latency of the update. */
static const struct row advanced[] = {
    { "readlatency", CORE(read_latency_ms) },
    { "updatelatency", CORE(update_latency_ms) },
    { "propagation_latency", CORE(update_latency_ms) },
    { "sync_processor_queue_time_ms", FIGURE(batch_wait_ms) },
    { "sync_processor_queue_flush_time_ms", FIGURE(sync_ms) },
    { "sync_processor_queue_and_flush_time_ms", FIGURE(batch_total_ms) },
    { "close_session_prep_time", NOTHING },
    { "commit_propagation_latency", NOTHING },
    { "dead_watchers_cleaner_latency", NOTHING },
    { "jvm_pause_time_ms", FIGURE(stall_ms) },
    { "local_write_committed_time_ms", NOTHING },
    { "om_commit_process_time_ms", NOTHING },
    { "om_proposal_process_time_ms", NOTHING },
    { "prep_processor_queue_time_ms", NOTHING },
    { "proposal_ack_creation_latency", NOTHING },
    { "proposal_latency", NOTHING },
    { "quorum_ack_latency", NOTHING },
    { "read_commitproc_time_ms", NOTHING },
    { "read_final_proc_time_ms", NOTHING },
    { "request_throttle_queue_time_ms", NOTHING },
    { "server_write_committed_time_ms", NOTHING },
    { "write_commitproc_time_ms", NOTHING },
    { "write_final_proc_time_ms", NOTHING },
};

struct visit {
    const struct values *values;
    void (*fn)(void *ctx, const struct metric *m);
    void *ctx;
};

static void give_number(const struct visit *v, const char *name, enum metric_kind kind, int64_t number)
{
    v->fn(v->ctx, &(struct metric){ .name = name, .kind = kind, .number = number });
}

static void give_real(const struct visit *v, const char *name, double real)
{
    v->fn(v->ctx, &(struct metric){ .name = name, .kind = METRIC_GAUGE, .is_real = true, .real = real });
}

static void give_numbers(const struct visit *v, enum metric_kind kind, const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const void *at = (const uint8_t *)v->values + (rows[i].offset == NOTHING ? 0 : rows[i].offset);
        give_number(v, rows[i].name, kind, rows[i].offset == NOTHING ? 0 : *(const int64_t *)at);
    }
}

static void give_summaries(const struct visit *v, enum metric_kind kind, const struct row *rows, size_t count)
{
    static const struct summary empty;
    for (size_t i = 0; i < count; i++) {
        const void *at = (const uint8_t *)v->values + (rows[i].offset == NOTHING ? 0 : rows[i].offset);
        v->fn(v->ctx, &(struct metric){ .name = rows[i].name,
                                        .kind = kind,
                                        .summary = rows[i].offset == NOTHING ? &empty : (const struct summary *)at });
    }
}

static void look_at_ensemble(const struct core *core, struct values *v)
{
    const struct zab *zab = core_zab(core);
    if (zab == NULL)
        return;
    v->zab = zab_view(zab);
    v->inflight_snaps = *zab_inflight_snaps(zab);
    v->inflight_diffs = *zab_inflight_diffs(zab);
    v->learners = (int64_t)(v->zab.followers + v->zab.observers + v->zab.non_voting_followers);
    v->followers = (int64_t)v->zab.synced_followers;
    v->observers = (int64_t)v->zab.synced_observers;
    v->non_voting = (int64_t)v->zab.synced_non_voting_followers;
}

/* ---- sets: one figure for each top node ---- */

enum set { SET_READ, SET_WRITTEN, SET_EXCEEDED, SET_COUNT_LIMIT, SET_BYTES_LIMIT, SET_COUNT_USED, SET_BYTES_USED };

static const char *const set_names[] = {
    [SET_READ] = "read_per_namespace",
    [SET_WRITTEN] = "write_per_namespace",
    [SET_EXCEEDED] = "quota_exceeded_error_per_namespace",
    [SET_COUNT_LIMIT] = "quota_count_limit_per_namespace",
    [SET_BYTES_LIMIT] = "quota_bytes_limit_per_namespace",
    [SET_COUNT_USED] = "quota_count_usage_per_namespace",
    [SET_BYTES_USED] = "quota_bytes_usage_per_namespace",
};

struct set_visit {
    const struct visit *visit;
    enum set set;
};

static void give_spread(const struct set_visit *v, struct slice key, const struct core_spread *s)
{
    const struct summary summary = { .count = s->count, .sum = s->sum, .min = s->min, .max = s->max };
    if (s->count != 0)
        v->visit->fn(
            v->visit->ctx,
            &(struct metric){ .name = set_names[v->set], .key = key, .kind = METRIC_BASIC, .summary = &summary });
}

static void give_namespace(void *ctx, const struct core_namespace *n)
{
    const struct set_visit *v = ctx;
    if (v->set == SET_READ)
        give_spread(v, n->name, &n->read);
    else if (v->set == SET_WRITTEN)
        give_spread(v, n->name, &n->written);
    else if (n->quota_exceeded != 0)
        v->visit->fn(v->visit->ctx, &(struct metric){ .name = set_names[v->set],
                                                      .key = n->name,
                                                      .kind = METRIC_COUNTER,
                                                      .number = n->quota_exceeded });
}

static void give_quota(void *ctx, struct slice name, const struct tree_quota_sums *s)
{
    const struct set_visit *v = ctx;
    int64_t number = v->set == SET_COUNT_LIMIT   ? s->count_limit
                     : v->set == SET_BYTES_LIMIT ? s->bytes_limit
                     : v->set == SET_COUNT_USED  ? s->count_used
                                                 : s->bytes_used;
    v->visit->fn(v->visit->ctx,
                 &(struct metric){ .name = set_names[v->set], .key = name, .kind = METRIC_GAUGE, .number = number });
}

static void give_sets(const struct visit *visit, const struct core *core)
{
    for (int set = SET_READ; set <= SET_EXCEEDED; set++)
        core_namespace_list(core, give_namespace, &(struct set_visit){ visit, (enum set)set });
    for (int set = SET_COUNT_LIMIT; set <= SET_BYTES_USED; set++)
        tree_quotas(core_tree(core), give_quota, &(struct set_visit){ visit, (enum set)set });
}

void metric_put_name(struct buf *out, const struct metric *m)
{
    if (!slice_is_null(m->key)) {
        buf_append_slice(out, m->key);
        buf_append(out, "_", 1);
    }
    buf_append(out, m->name, strlen(m->name));
}

/* ---- all of them ---- */

void metrics_visit(const struct command_host *host, const struct command_files *files,
                   void (*fn)(void *ctx, const struct metric *m), void *ctx)
{
    struct values values = { 0 };
    struct visit v = { &values, fn, ctx };
    const struct core_stats *s = &values.core;
    const struct command_figures *f = &values.figures;
    core_stats(host->core, &values.core);
    look_at_ensemble(host->core, &values);
    host->figures(host->ctx, &values.figures);
    give_real(&v, "avg_latency", s->latency_count == 0 ? 0 : (double)s->latency_sum_ms / (double)s->latency_count);
    give_numbers(&v, METRIC_GAUGE, gauges, ARRAY_COUNT(gauges));
    if (core_mode(host->core) == CORE_LEADING)
        give_numbers(&v, METRIC_GAUGE, leader_gauges, ARRAY_COUNT(leader_gauges));
    if (core_zab(host->core) != NULL)
        give_number(&v, "quorum_size", METRIC_GAUGE, values.zab.quorum_size);
    give_number(&v, "znode_count", METRIC_GAUGE, s->node_count + 1); /* Apache counts the root twice */
    give_number(&v, "uptime", METRIC_GAUGE, f->now_ms - f->started_ms);
    give_number(&v, "open_file_descriptor_count", METRIC_GAUGE, files->open);
    give_number(&v, "max_file_descriptor_count", METRIC_GAUGE, files->max);
    give_real(&v, "connection_drop_probability", s->drop_probability);
    give_numbers(&v, METRIC_COUNTER, counters, ARRAY_COUNT(counters));
    give_number(&v, "response_bytes", METRIC_COUNTER, s->bytes_sent - s->event_bytes_sent);
    give_number(&v, "prep_processor_request_queued", METRIC_COUNTER, s->reads + s->writes);
    give_number(&v, "sync_processor_request_queued", METRIC_COUNTER, s->reads + s->writes);
    give_summaries(&v, METRIC_BASIC, basic, ARRAY_COUNT(basic));
    give_summaries(&v, METRIC_ADVANCED, advanced, ARRAY_COUNT(advanced));
    give_sets(&v, host->core);
}
