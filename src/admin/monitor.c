/* monitor: mntr, one "zk_key<TAB>value" a line (client specification 9.2, feature map 3.4). */
#include "admin/metrics.h"
#include "admin/words.h"
#include "os/process.h"

static void put_summary(struct buf *out, const char *name, const struct summary *s)
{
    buf_printf(out, "zk_avg_%s\t", name);
    put_decimal(out, s->count == 0 ? 0 : (double)s->sum / (double)s->count);
    buf_printf(out, "\nzk_min_%s\t%lld\nzk_max_%s\t%lld\nzk_cnt_%s\t%lld\nzk_sum_%s\t%lld\n", name, (long long)s->min,
               name, (long long)s->max, name, (long long)s->count, name, (long long)s->sum);
}

const struct quantile_name quantile_names[4] = { { "p50", 0.5 }, { "p95", 0.95 }, { "p99", 0.99 }, { "p999", 0.999 } };

static void put_metric(void *ctx, const struct metric *m)
{
    struct buf *out = ctx;
    if (m->summary != NULL) {
        put_summary(out, m->name, m->summary);
        for (size_t i = 0; m->kind == METRIC_ADVANCED && i < ARRAY_COUNT(quantile_names); i++)
            buf_printf(out, "zk_%s_%s\t%lld\n", quantile_names[i].prefix, m->name,
                       (long long)summary_quantile(m->summary, quantile_names[i].share));
        return;
    }
    buf_printf(out, "zk_%s\t", m->name);
    if (m->is_real)
        put_decimal(out, m->real);
    else
        buf_printf(out, "%lld", (long long)m->number);
    buf_append(out, "\n", 1);
}

bool word_mntr(struct command_answer *a, size_t bytes, struct buf *out)
{
    (void)bytes;
    struct command_files files = { .open = process_files_open(), .max = process_file_limit() };
    enum core_mode mode = core_mode(a->host->core);
    buf_printf(out, "zk_version\t%s\nzk_server_state\t%s\n", words_version, core_mode_name(mode));
    if (mode == CORE_LEADING || mode == CORE_FOLLOWING || mode == CORE_OBSERVING) {
        static const char *const doing[] = {
            [CORE_LEADING] = "leading", [CORE_FOLLOWING] = "following", [CORE_OBSERVING] = "observing"
        };
        buf_printf(out, "zk_peer_state\t%s - broadcast\n", doing[mode]);
    }
    if (mode == CORE_OBSERVING)
        buf_printf(out, "zk_observer_master_id\t%lld\n", (long long)zab_view(core_zab(a->host->core)).leader);
    if (a->host->with_metrics)
        metrics_visit(a->host, &files, put_metric, out);
    return false;
}
