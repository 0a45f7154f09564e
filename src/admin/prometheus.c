/* prometheus: the page of figures in Prometheus' text format 0.0.4. A figure has the bare name that Apache 3.9 gives
 * it; counters appear under the name with "_total", too, as Apache names them from 3.10 on, so that either kind of
 * dashboard finds them. */
#include "admin/metrics.h"
#include "admin/words.h"
#include "os/process.h"

static void put_head(struct buf *out, const char *name, const char *suffix, const char *type)
{
    buf_printf(out, "# HELP %s%s %s%s\n# TYPE %s%s %s\n", name, suffix, name, suffix, name, suffix, type);
}

static void put_number(struct buf *out, const struct metric *m, const char *suffix, const char *type)
{
    put_head(out, m->name, suffix, type);
    buf_printf(out, "%s%s ", m->name, suffix);
    if (m->is_real)
        put_decimal(out, m->real);
    else
        buf_printf(out, "%lld.0", (long long)m->number);
    buf_append(out, "\n", 1);
}

static void put_quantile(struct buf *out, const struct metric *m, const char *share_text, double share)
{
    buf_printf(out, "%s{quantile=\"%s\"} ", m->name, share_text);
    if (m->summary->count == 0)
        buf_printf(out, "NaN\n");
    else
        buf_printf(out, "%lld.0\n", (long long)summary_quantile(m->summary, share));
}

static void put_summary(struct buf *out, const struct metric *m)
{
    put_head(out, m->name, "", "summary");
    put_quantile(out, m, "0.5", 0.5);
    if (m->kind == METRIC_ADVANCED) {
        put_quantile(out, m, "0.9", 0.9);
        put_quantile(out, m, "0.99", 0.99);
    }
    buf_printf(out, "%s_count %lld.0\n%s_sum %lld.0\n", m->name, (long long)m->summary->count, m->name,
               (long long)m->summary->sum);
}

static void put_metric(void *ctx, const struct metric *m)
{
    if (m->summary != NULL) {
        put_summary(ctx, m);
    } else if (m->kind == METRIC_GAUGE) {
        put_number(ctx, m, "", "gauge");
    } else {
        put_number(ctx, m, "", "counter");
        put_number(ctx, m, "_total", "counter");
    }
}

/* The names that every client library of Prometheus gives these. */
static void put_process(const struct command_host *host, const struct command_files *files,
                        const struct process_usage *u, struct buf *out)
{
    struct command_figures f = { 0 };
    host->figures(host->ctx, &f);
    const struct metric rows[] = {
        { .name = "process_open_fds", .number = files->open },
        { .name = "process_max_fds", .number = files->max },
        { .name = "process_start_time_seconds", .number = (f.wall_ms - (f.now_ms - f.started_ms)) / 1000 },
        { .name = "process_resident_memory_bytes", .number = u->resident_bytes },
        { .name = "process_virtual_memory_bytes", .number = u->virtual_bytes },
    };
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++)
        put_number(out, &rows[i], "", "gauge");
    put_head(out, "process_cpu_seconds_total", "", "counter");
    buf_printf(out, "process_cpu_seconds_total %.2f\n", u->cpu_seconds);
}

void metrics_put_prometheus(const struct command_host *host, const struct command_files *files,
                            const struct process_usage *usage, struct buf *out)
{
    metrics_visit(host, files, put_metric, out);
    if (usage->known)
        put_process(host, files, usage, out);
}
