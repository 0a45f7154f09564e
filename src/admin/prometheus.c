/* prometheus: the page of figures in Prometheus' text format 0.0.4. A figure has the bare name that Apache 3.9 gives
 * it; counters appear under the name with "_total", too, as Apache names them from 3.10 on, so that either kind of
 * dashboard finds them. */
#include "admin/metrics.h"
#include "admin/words.h"
#include "os/process.h"

struct page {
    struct buf *out;
    const char *family; /* whose head was written last */
    struct buf totals;  /* of counters in sets, to come at the end: a family must be in one piece */
};

static void put_head(struct buf *out, const char *name, const char *suffix, const char *type)
{
    buf_printf(out, "# HELP %s%s %s%s\n# TYPE %s%s %s\n", name, suffix, name, suffix, name, suffix, type);
}

static void put_label_value(struct buf *out, struct slice s)
{
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '\\' || s.p[i] == '"')
            buf_append(out, "\\", 1);
        buf_append(out, s.p[i] == '\n' ? (const uint8_t *)"\\n" : s.p + i, s.p[i] == '\n' ? 2 : 1);
    }
}

/* {key="...",quantile="..."}, or as much of it as there is. */
static void put_labels(struct buf *out, struct slice key, const char *quantile)
{
    if (slice_is_null(key) && quantile == NULL)
        return;
    buf_append(out, "{", 1);
    if (!slice_is_null(key)) {
        buf_printf(out, "key=\"");
        put_label_value(out, key);
        buf_printf(out, quantile != NULL ? "\"," : "\"");
    }
    if (quantile != NULL)
        buf_printf(out, "quantile=\"%s\"", quantile);
    buf_append(out, "}", 1);
}

static void put_number(struct buf *out, const struct metric *m, const char *suffix)
{
    buf_printf(out, "%s%s", m->name, suffix);
    put_labels(out, m->key, NULL);
    buf_append(out, " ", 1);
    if (m->is_real)
        put_decimal(out, m->real);
    else
        buf_printf(out, "%lld.0", (long long)m->number);
    buf_append(out, "\n", 1);
}

/* Sets come without the buckets from which quantiles are read. */
static void put_quantile(struct buf *out, const struct metric *m, const char *share_text, double share)
{
    buf_append(out, m->name, strlen(m->name));
    put_labels(out, m->key, share_text);
    if (m->summary->count == 0 || !slice_is_null(m->key))
        buf_printf(out, " NaN\n");
    else
        buf_printf(out, " %lld.0\n", (long long)summary_quantile(m->summary, share));
}

static void put_summary(struct buf *out, const struct metric *m)
{
    put_quantile(out, m, "0.5", 0.5);
    if (m->kind == METRIC_ADVANCED) {
        put_quantile(out, m, "0.9", 0.9);
        put_quantile(out, m, "0.99", 0.99);
    }
    buf_printf(out, "%s_count", m->name);
    put_labels(out, m->key, NULL);
    buf_printf(out, " %lld.0\n%s_sum", (long long)m->summary->count, m->name);
    put_labels(out, m->key, NULL);
    buf_printf(out, " %lld.0\n", (long long)m->summary->sum);
}

static void put_metric(void *ctx, const struct metric *m)
{
    struct page *p = ctx;
    bool begins = p->family != m->name, counts = m->kind == METRIC_COUNTER;
    p->family = m->name;
    if (begins)
        put_head(p->out, m->name, "", m->summary != NULL ? "summary" : counts ? "counter" : "gauge");
    if (m->summary != NULL) {
        put_summary(p->out, m);
        return;
    }
    put_number(p->out, m, "");
    if (!counts)
        return;
    struct buf *totals = slice_is_null(m->key) ? p->out : &p->totals;
    if (begins)
        put_head(totals, m->name, "_total", "counter");
    put_number(totals, m, "_total");
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
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        put_head(out, rows[i].name, "", "gauge");
        put_number(out, &rows[i], "");
    }
    put_head(out, "process_cpu_seconds_total", "", "counter");
    buf_printf(out, "process_cpu_seconds_total %.2f\n", u->cpu_seconds);
}

void metrics_put_prometheus(const struct command_host *host, const struct command_files *files,
                            const struct process_usage *usage, struct buf *out)
{
    struct page page = { .out = out };
    buf_init(&page.totals, SIZE_MAX / 2);
    metrics_visit(host, files, put_metric, &page);
    buf_append_slice(out, buf_slice(&page.totals));
    buf_fini(&page.totals);
    if (usage->known)
        put_process(host, files, usage, out);
}
