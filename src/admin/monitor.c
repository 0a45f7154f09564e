/* monitor: mntr, one "zk_key<TAB>value" a line (client specification 9.2, feature map 3.4). What exporters read comes
 * from the core; counters of things that this server does not have are not shown as if they were measured. */
#include "admin/words.h"

static void put_int(struct buf *out, const char *key, int64_t value)
{
    buf_printf(out, "zk_%s\t%lld\n", key, (long long)value);
}

/* As Apache shows its summaries. */
static void put_summary(struct buf *out, const char *name, const struct summary *s)
{
    buf_printf(out, "zk_avg_%s\t", name);
    put_decimal(out, s->count == 0 ? 0 : (double)s->sum / (double)s->count);
    buf_printf(out, "\nzk_min_%s\t%lld\nzk_max_%s\t%lld\nzk_cnt_%s\t%lld\nzk_sum_%s\t%lld\n", name, (long long)s->min,
               name, (long long)s->max, name, (long long)s->count, name, (long long)s->sum);
}

static void put_quantiles(struct buf *out, const char *name, const struct summary *s)
{
    static const struct {
        const char *prefix;
        double share;
    } rows[] = { { "p50", 0.5 }, { "p95", 0.95 }, { "p99", 0.99 }, { "p999", 0.999 } };
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++)
        buf_printf(out, "zk_%s_%s\t%lld\n", rows[i].prefix, name, (long long)summary_quantile(s, rows[i].share));
}

static void put_latency(struct buf *out, const struct core_stats *s)
{
    buf_printf(out, "zk_avg_latency\t");
    put_decimal(out, s->latency_count == 0 ? 0 : (double)s->latency_sum_ms / (double)s->latency_count);
    buf_printf(out, "\n");
    put_int(out, "min_latency", s->latency_min_ms);
    put_int(out, "max_latency", s->latency_max_ms);
}

/* These rows concern ensembles, TLS, caches and queues that a standalone server without them never fills: Apache shows
 * 0. */
static const char *const always_zero[] = {
    "local_sessions",
    "non_mtls_remote_conn_count",
    "non_mtls_local_conn_count",
    "outstanding_tls_handshake",
    "tls_handshake_exceeded",
    "ensemble_auth_success",
    "ensemble_auth_fail",
    "ensemble_auth_skip",
    "diff_count",
    "snap_count",
    "looking_count",
    "learner_proposal_received_count",
    "learner_commit_received_count",
    "quit_leading_due_to_disloyal_voter",
    "connection_revalidate_count",
    "revalidate_count",
    "unrecoverable_error_count",
    "insecure_admin_count",
    "proposal_count",
    "commit_count",
    "request_commit_queued",
    "requests_not_forwarded_to_commit_processor",
    "skip_learner_request_to_next_processor_count",
    "cnxn_closed_without_zk_server_running",
    "add_dead_watcher_stall_time",
    "dead_watchers_queued",
    "dead_watchers_cleared",
    "response_packet_cache_hits",
    "response_packet_cache_misses",
    "response_packet_get_children_cache_hits",
    "response_packet_get_children_cache_misses",
    "request_throttle_wait_count",
    "stale_requests",
    "stale_requests_dropped",
    "stale_replies",
};

static void put_counters(struct buf *out, const struct core_stats *s, const struct command_figures *f)
{
    put_int(out, "packets_received", s->packets_received);
    put_int(out, "packets_sent", s->packets_sent);
    put_int(out, "bytes_received_count", s->bytes_received);
    put_int(out, "response_bytes", s->bytes_sent - s->event_bytes_sent);
    put_int(out, "watch_bytes", s->event_bytes_sent);
    put_int(out, "num_alive_connections", s->connections);
    put_int(out, "outstanding_requests", s->outstanding);
    put_int(out, "znode_count", s->node_count + 1); /* Apache counts the root twice */
    put_int(out, "watch_count", s->watch_count);
    put_int(out, "ephemerals_count", s->ephemeral_count);
    put_int(out, "approximate_data_size", s->data_size);
    put_int(out, "global_sessions", s->sessions);
    put_int(out, "open_file_descriptor_count", f->files_open);
    put_int(out, "max_file_descriptor_count", f->files_max);
    put_int(out, "uptime", f->now_ms - f->started_ms);
    put_int(out, "last_client_response_size", s->response_bytes_last);
    put_int(out, "min_client_response_size", s->response_bytes_min);
    put_int(out, "max_client_response_size", s->response_bytes_max);
    put_int(out, "auth_failed_count", s->auth_failed);
    put_int(out, "connection_request_count", s->connection_requests);
    put_int(out, "connection_rejected", s->connections_rejected);
    put_int(out, "connection_drop_count", s->connections_dropped);
    put_int(out, "sessionless_connections_expired", s->handshakes_expired);
    put_int(out, "unsuccessful_handshake", s->unsuccessful_handshakes);
    put_int(out, "stale_sessions_expired", s->sessions_expired);
    put_int(out, "digest_mismatches_count", s->digest_mismatches);
    put_int(out, "large_requests_rejected", s->large_requests_rejected);
    put_int(out, "throttled_ops", s->throttled_ops);
    put_int(out, "prep_processor_request_queued", s->reads + s->writes);
    put_int(out, "sync_processor_request_queued", s->reads + s->writes);
    put_int(out, "outstanding_changes_queued", s->changes_queued);
    put_int(out, "outstanding_changes_removed", s->changes_applied);
    put_int(out, "txns_committed", s->txns_committed);
    put_int(out, "snapshots_taken", s->snapshots_taken);
    put_int(out, "fsync_threshold_exceed_count", f->fsync_slow_count);
    put_int(out, "queued_response_bytes", f->net_queued_bytes);
}

bool word_mntr(struct command_answer *a, size_t bytes, struct buf *out)
{
    (void)bytes;
    struct core_stats s;
    struct command_figures f = { 0 };
    core_stats(a->host->core, &s);
    a->host->figures(a->host->ctx, &f);
    buf_printf(out, "zk_version\t%s\nzk_server_state\tstandalone\n", words_version);
    put_latency(out, &s);
    put_counters(out, &s, &f);
    put_summary(out, "readlatency", &s.read_latency_ms);
    put_quantiles(out, "readlatency", &s.read_latency_ms);
    put_summary(out, "updatelatency", &s.update_latency_ms);
    put_quantiles(out, "updatelatency", &s.update_latency_ms);
    put_summary(out, "fsynctime", &f.sync_ms);
    buf_printf(out, "zk_connection_drop_probability\t0.0\n");
    for (size_t i = 0; i < ARRAY_COUNT(always_zero); i++)
        put_int(out, always_zero[i], 0);
    return false;
}
