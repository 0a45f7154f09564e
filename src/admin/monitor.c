/* monitor: mntr, one "zk_key<TAB>value" a line (client specification 9.2, feature map 3.4). */
#include "admin/metrics.h"
#include "admin/words.h"
#include "os/process.h"

const struct quantile_name quantile_names[4] = {
    { "p50_", 0.5 }, { "p95_", 0.95 }, { "p99_", 0.99 }, { "p999_", 0.999 }
};

static void put_name(struct buf *out, const char *prefix, const struct metric *m)
{
    buf_printf(out, "zk_%s", prefix);
    metric_put_name(out, m);
    buf_append(out, "\t", 1);
}

static void put_line(struct buf *out, const char *prefix, const struct metric *m, int64_t value)
{
    put_name(out, prefix, m);
    buf_printf(out, "%lld\n", (long long)value);
}

static void put_real_line(struct buf *out, const char *prefix, const struct metric *m, double value)
{
    put_name(out, prefix, m);
    put_decimal(out, value);
    buf_append(out, "\n", 1);
}

static void put_summary(struct buf *out, const struct metric *m)
{
    const struct summary *s = m->summary;
    put_real_line(out, "avg_", m, s->count == 0 ? 0 : (double)s->sum / (double)s->count);
    put_line(out, "min_", m, s->min);
    put_line(out, "max_", m, s->max);
    put_line(out, "cnt_", m, s->count);
    put_line(out, "sum_", m, s->sum);
    for (size_t i = 0; m->kind == METRIC_ADVANCED && i < ARRAY_COUNT(quantile_names); i++)
        put_line(out, quantile_names[i].prefix, m, summary_quantile(s, quantile_names[i].share));
}

static void put_metric(void *ctx, const struct metric *m)
{
    if (m->summary != NULL)
        put_summary(ctx, m);
    else if (m->is_real)
        put_real_line(ctx, "", m, m->real);
    else
        put_line(ctx, "", m, m->number);
}

const char *peer_state_name(enum core_mode mode)
{
    static const char *const names[] = { [CORE_LEADING] = "leading - broadcast",
                                         [CORE_FOLLOWING] = "following - broadcast",
                                         [CORE_OBSERVING] = "observing - broadcast",
                                         [CORE_READ_ONLY] = NULL };
    return names[mode];
}

bool word_mntr(struct command_answer *a, size_t bytes, struct buf *out)
{
    (void)bytes;
    struct command_files files = { .open = process_files_open(), .max = process_file_limit() };
    enum core_mode mode = core_mode(a->host->core);
    buf_printf(out, "zk_version\t%s\nzk_server_state\t%s\n", words_version, core_mode_name(mode));
    if (peer_state_name(mode) != NULL)
        buf_printf(out, "zk_peer_state\t%s\n", peer_state_name(mode));
    if (mode == CORE_OBSERVING)
        buf_printf(out, "zk_observer_master_id\t%lld\n", (long long)zab_view(core_zab(a->host->core)).leader);
    if (a->host->with_metrics)
        metrics_visit(a->host, &files, put_metric, out);
    return false;
}
