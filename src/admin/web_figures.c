/* web_figures: server_stats, monitor, the page for Prometheus, and what surrounds the server. */
#include "admin/metrics.h"
#include "admin/web_rows.h"
#include "os/system.h"

static void put_sizes(struct json *j, const char *key, int64_t last, int64_t min, int64_t max)
{
    json_key(j, key);
    json_object(j);
    json_member_number(j, "last_buffer_size", last);
    json_member_number(j, "min_buffer_size", min);
    json_member_number(j, "max_buffer_size", max);
    json_object_end(j);
}

static void put_server_stats(struct web_answer *a, const struct core_stats *s, const struct command_figures *f)
{
    struct json *j = &a->json;
    json_key(j, "server_stats");
    json_object(j);
    json_member_number(j, "packets_sent", s->packets_sent);
    json_member_number(j, "packets_received", s->packets_received);
    json_member_number(j, "fsync_threshold_exceed_count", f->fsync_slow_count);
    put_sizes(j, "client_response_stats", s->response_bytes_last, s->response_bytes_min, s->response_bytes_max);
    json_member_number(j, "data_dir_size", a->ask->snap_bytes);
    json_member_number(j, "log_dir_size", a->ask->log_bytes);
    json_member_bool(j, "provider_null", false);
    json_member_string(j, "server_state", core_mode_name(core_mode(a->core)));
    json_member_number(j, "last_processed_zxid", s->last_zxid);
    json_member_number(j, "outstanding_requests", s->outstanding);
    json_key(j, "avg_latency");
    json_real(j, s->latency_count == 0 ? 0 : (double)s->latency_sum_ms / (double)s->latency_count);
    json_member_number(j, "max_latency", s->latency_max_ms);
    json_member_number(j, "min_latency", s->latency_min_ms);
    json_member_number(j, "num_alive_client_connections", s->connections);
    json_member_number(j, "uptime", f->now_ms - f->started_ms);
    json_member_number(j, "auth_failed_count", s->auth_failed);
    json_member_number(j, "non_mtlsremote_conn_count", f->plain_remote);
    json_member_number(j, "non_mtlslocal_conn_count", f->plain_local);
    json_object_end(j);
}

bool web_server_stats(struct web_answer *a)
{
    struct core_stats s;
    struct command_figures f = { 0 };
    core_stats(a->core, &s);
    a->host->words->figures(a->host->words->ctx, &f);
    json_member_string(&a->json, "version", words_version);
    json_member_bool(&a->json, "read_only", core_mode(a->core) == CORE_READ_ONLY);
    put_server_stats(a, &s, &f);
    put_sizes(&a->json, "client_response", s.response_bytes_last, s.response_bytes_min, s.response_bytes_max);
    if (core_mode(a->core) == CORE_LEADING) {
        struct zab_view v = zab_view(core_zab(a->core));
        put_sizes(&a->json, "proposal_stats", v.proposal_bytes_last, v.proposal_bytes_min, v.proposal_bytes_max);
    }
    json_member_number(&a->json, "node_count", s.node_count + 1); /* Apache counts the root twice */
    return false;
}

/* ---- monitor, metrics ---- */

static void put_key(struct json *j, const char *prefix, const struct metric *m)
{
    struct buf key;
    buf_init(&key, SIZE_MAX / 2);
    buf_append(&key, prefix, strlen(prefix));
    metric_put_name(&key, m);
    json_key_slice(j, buf_slice(&key));
    buf_fini(&key);
}

static void put_number(struct json *j, const char *prefix, const struct metric *m, int64_t value)
{
    put_key(j, prefix, m);
    json_number(j, value);
}

static void put_summary(struct json *j, const struct metric *m)
{
    const struct summary *s = m->summary;
    put_key(j, "avg_", m);
    json_real(j, s->count == 0 ? 0 : (double)s->sum / (double)s->count);
    put_number(j, "min_", m, s->min);
    put_number(j, "max_", m, s->max);
    put_number(j, "cnt_", m, s->count);
    put_number(j, "sum_", m, s->sum);
    for (size_t i = 0; m->kind == METRIC_ADVANCED && i < ARRAY_COUNT(quantile_names); i++)
        put_number(j, quantile_names[i].prefix, m, summary_quantile(s, quantile_names[i].share));
}

static void put_metric(void *ctx, const struct metric *m)
{
    struct json *j = ctx;
    if (m->summary != NULL) {
        put_summary(j, m);
    } else if (m->is_real) {
        put_key(j, "", m);
        json_real(j, m->real);
    } else {
        put_number(j, "", m, m->number);
    }
}

bool web_monitor(struct web_answer *a)
{
    enum core_mode mode = core_mode(a->core);
    json_member_string(&a->json, "version", words_version);
    json_member_string(&a->json, "server_state", core_mode_name(mode));
    if (peer_state_name(mode) != NULL)
        json_member_string(&a->json, "peer_state", peer_state_name(mode));
    if (mode == CORE_OBSERVING)
        json_member_number(&a->json, "observer_master_id", zab_view(core_zab(a->core)).leader);
    if (a->host->words->with_metrics)
        metrics_visit(a->host->words, &a->ask->files, put_metric, &a->json);
    return false;
}

bool web_metrics(struct web_answer *a)
{
    metrics_put_prometheus(a->host->words, &a->ask->files, &a->ask->usage, &a->ask->piece);
    return false;
}

/* ---- what surrounds the server ---- */

/* The word envi has the same lines; they are taken apart here so that there is one list. */
bool web_environment(struct web_answer *a)
{
    struct buf text;
    struct command_answer word = { .host = a->host->words };
    buf_init(&text, SIZE_MAX / 2);
    (void)word_envi(&word, SIZE_MAX, &text);
    struct slice rest = buf_slice(&text);
    while (rest.n != 0) {
        const uint8_t *end = memchr(rest.p, '\n', rest.n);
        size_t n = end == NULL ? rest.n : (size_t)(end - rest.p);
        const uint8_t *equals = memchr(rest.p, '=', n);
        if (equals != NULL) {
            size_t key_n = (size_t)(equals - rest.p);
            json_key_slice(&a->json, slice_of(rest.p, key_n));
            json_slice(&a->json, slice_of(equals + 1, n - key_n - 1));
        }
        size_t used = end == NULL ? n : n + 1;
        rest = slice_of(rest.p + used, rest.n - used);
    }
    buf_fini(&text);
    return false;
}

bool web_initial_configuration(struct web_answer *a)
{
    json_member_string(&a->json, "initial_configuration", a->host->config_text);
    return false;
}

static void put_property(void *ctx, const char *name, const char *value)
{
    json_member_string(ctx, name, value);
}

bool web_system_properties(struct web_answer *a)
{
    struct system_names n;
    system_names(&n);
    json_member_string(&a->json, "os.arch", java_arch(n.os_arch));
    json_member_string(&a->json, "os.name", n.os_name);
    json_member_string(&a->json, "os.version", n.os_version);
    json_member_string(&a->json, "user.dir", n.user_dir);
    json_member_string(&a->json, "user.home", n.user_home);
    json_member_string(&a->json, "user.name", n.user_name);
    a->host->properties(a->host->ctx, put_property, &a->json);
    return false;
}
