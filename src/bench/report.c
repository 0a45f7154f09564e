/* What people and programs get to see. */
#include "bench/internal.h"
#include "base/err.h"
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#define BAR_COLUMNS 50

static bool live(const struct run *r)
{
    return !r->o->quiet && isatty(STDERR_FILENO);
}

static double us(uint64_t ns)
{
    return (double)ns / 1e3;
}

/* A time with three digits that count and its unit. */
static const char *text_of(uint64_t ns, char *out, size_t size)
{
    double v = (double)ns / 1e3;
    const char *unit = "us";
    if (v >= 999.5 * 1000) {
        v /= 1e6;
        unit = "s";
    } else if (v >= 999.5) {
        v /= 1e3;
        unit = "ms";
    }
    snprintf(out, size, v >= 99.95 ? "%.0f %s" : v >= 9.995 ? "%.1f %s" : "%.2f %s", v, unit);
    return out;
}

void report_plan(const struct run *r)
{
    const struct bench_options *o = r->o;
    if (o->json)
        return;
    printf("%s: %u connection%s x %u in flight, %u thread%s, values of %u bytes", o->servers, o->connections,
           o->connections == 1 ? "" : "s", o->depth, o->threads, o->threads == 1 ? "" : "s", o->size_bytes);
    if (o->rate > 0)
        printf(", %.6g operations a second", o->rate);
    printf("%s%s", r->access.tls == NULL ? "" : ", tls: yes", r->access.login == NULL ? "" : ", sasl: yes");
    printf("; %.3g s each after %.3g s of warming up\n", o->seconds, o->warmup_seconds);
    if (o->workload_count > 1)
        printf("\n%-8s %12s %10s %10s %10s %10s %10s %10s  %s\n", "", "ops/s", "mean", "p50", "p90", "p99", "p99.9",
               "max", "errors");
    fflush(stdout);
}

static const char *stage_words(const struct stage *s)
{
    switch (s->kind) {
    case STAGE_CONNECT:
        return "connecting";
    case STAGE_MAKE:
        return "making nodes";
    case STAGE_LOAD:
        return bench_workload_word(s->workload);
    case STAGE_CLEAR:
        return "deleting nodes";
    case STAGE_CLOSE:
        return "closing";
    }
    return "";
}

void report_progress(const struct run *r, const struct stage *stage, const struct tally *interval, double seconds,
                     double interval_seconds)
{
    char p50[24], p99[24];
    if (!live(r))
        return;
    fprintf(stderr, "\r\033[K%5.1f s  %s", seconds, stage_words(stage));
    if (stage->kind == STAGE_LOAD) {
        bool warming = seconds < r->o->warmup_seconds;
        fprintf(stderr, "  %.0f/s  p50 %s  p99 %s", (double)interval->ops / interval_seconds,
                text_of(hist_quantile_ns(&interval->hist, 0.5), p50, sizeof p50),
                text_of(hist_quantile_ns(&interval->hist, 0.99), p99, sizeof p99));
        if (interval->errors > 0)
            fprintf(stderr, "  \033[31m%" PRIu64 " errors\033[0m", interval->errors);
        if (warming)
            fprintf(stderr, "  (warming up)");
    }
    fflush(stderr);
}

void report_progress_end(const struct run *r)
{
    if (live(r))
        fprintf(stderr, "\r\033[K");
}

static void print_bars(const struct hist *h)
{
    struct hist_row rows[HIST_ROWS_MAX];
    uint64_t most = 1;
    size_t n = hist_rows(h, rows, ARRAY_COUNT(rows));
    for (size_t i = 0; i < n; i++)
        if (rows[i].count > most)
            most = rows[i].count;
    printf("\n");
    for (size_t i = 0; i < n; i++) {
        char from[24], to[24];
        int bar = (int)((rows[i].count * BAR_COLUMNS + most - 1) / most);
        printf("  %8s - %-8s %7.3f %% ", text_of(rows[i].from_ns, from, sizeof from),
               text_of(rows[i].to_ns, to, sizeof to), 100.0 * (double)rows[i].count / (double)h->count);
        for (int k = 0; k < bar; k++)
            putchar('#');
        putchar('\n');
    }
}

static void print_errors(const struct tally *t)
{
    for (size_t i = 0; i < BENCH_ERROR_KINDS && t->codes[i].count != 0; i++)
        printf("  %" PRIu64 " x %s\n", t->codes[i].count, err_text(t->codes[i].code));
    if (t->reconnects > 0)
        printf("  %" PRIu64 " connections broken or refused\n", t->reconnects);
}

static void print_row(enum bench_workload workload, const struct tally *t, double seconds)
{
    static const double shares[] = { 0.5, 0.9, 0.99, 0.999 };
    char text[24];
    printf("%-8s %12.0f %10s", bench_workload_word(workload), seconds > 0 ? (double)t->ops / seconds : 0,
           text_of(t->hist.count == 0 ? 0 : t->hist.sum_ns / t->hist.count, text, sizeof text));
    for (size_t i = 0; i < ARRAY_COUNT(shares); i++)
        printf(" %10s", text_of(hist_quantile_ns(&t->hist, shares[i]), text, sizeof text));
    printf(" %10s  %" PRIu64 "\n", text_of(t->hist.max_ns, text, sizeof text), t->errors);
}

static void print_block(enum bench_workload workload, const struct tally *t, double seconds)
{
    static const struct {
        const char *name;
        double share;
    } shares[] = { { "p50", 0.5 }, { "p90", 0.9 }, { "p99", 0.99 }, { "p99.9", 0.999 }, { "p99.99", 0.9999 } };
    char text[24];
    printf("\n%s: %" PRIu64 " operations in %.3g s, %.0f a second, %" PRIu64 " errors\n", bench_workload_word(workload),
           t->ops, seconds, seconds > 0 ? (double)t->ops / seconds : 0, t->errors);
    printf("  latency: min %s", text_of(t->hist.min_ns, text, sizeof text));
    printf(", mean %s", text_of(t->hist.count == 0 ? 0 : t->hist.sum_ns / t->hist.count, text, sizeof text));
    for (size_t i = 0; i < ARRAY_COUNT(shares); i++)
        printf(", %s %s", shares[i].name, text_of(hist_quantile_ns(&t->hist, shares[i].share), text, sizeof text));
    printf(", max %s\n", text_of(t->hist.max_ns, text, sizeof text));
}

static void json_text(const char *s)
{
    putchar('"');
    for (; *s != '\0'; s++) {
        if (*s == '"' || *s == '\\')
            putchar('\\');
        if ((unsigned char)*s >= 0x20)
            putchar(*s);
    }
    putchar('"');
}

static void print_json(const struct run *r, enum bench_workload workload, const struct tally *t, double seconds)
{
    const struct bench_options *o = r->o;
    struct hist_row rows[HIST_ROWS_MAX];
    size_t n = hist_rows(&t->hist, rows, ARRAY_COUNT(rows));
    printf("{\"workload\":\"%s\",\"servers\":", bench_workload_word(workload));
    json_text(o->servers);
    printf(",\"connections\":%u,\"depth\":%u,\"threads\":%u,\"size_bytes\":%u,\"nodes\":%u,\"children\":%u,\"ops\":%u,"
           "\"reads_percent\":%u,\"rate\":%.6g,\"tls\":%s,\"sasl\":%s",
           o->connections, o->depth, o->threads, o->size_bytes, o->nodes, o->children, o->ops, o->reads_percent,
           o->rate, r->access.tls == NULL ? "false" : "true", r->access.login == NULL ? "false" : "true");
    printf(",\"seconds\":%.3f,\"operations\":%" PRIu64 ",\"operations_per_s\":%.1f,\"errors\":%" PRIu64
           ",\"reconnects\":%" PRIu64 ",\"error_counts\":{",
           seconds, t->ops, seconds > 0 ? (double)t->ops / seconds : 0, t->errors, t->reconnects);
    for (size_t i = 0; i < BENCH_ERROR_KINDS && t->codes[i].count != 0; i++)
        printf("%s\"%s\":%" PRIu64, i == 0 ? "" : ",", err_name(t->codes[i].code), t->codes[i].count);
    printf("},\"latency_us\":{\"min\":%.1f,\"mean\":%.1f,\"p50\":%.1f,\"p90\":%.1f,\"p99\":%.1f,\"p99_9\":%.1f,"
           "\"p99_99\":%.1f,\"max\":%.1f},\"histogram_us\":[",
           us(t->hist.min_ns), t->hist.count == 0 ? 0 : us(t->hist.sum_ns) / (double)t->hist.count,
           us(hist_quantile_ns(&t->hist, 0.5)), us(hist_quantile_ns(&t->hist, 0.9)),
           us(hist_quantile_ns(&t->hist, 0.99)), us(hist_quantile_ns(&t->hist, 0.999)),
           us(hist_quantile_ns(&t->hist, 0.9999)), us(t->hist.max_ns));
    for (size_t i = 0; i < n; i++)
        printf("%s[%.0f,%.0f,%" PRIu64 "]", i == 0 ? "" : ",", us(rows[i].from_ns), us(rows[i].to_ns), rows[i].count);
    printf("]}\n");
}

void report_result(const struct run *r, enum bench_workload workload, const struct tally *t, double seconds)
{
    if (r->o->json) {
        print_json(r, workload, t, seconds);
    } else if (r->o->workload_count > 1) {
        print_row(workload, t, seconds);
        print_errors(t);
        if (r->o->histogram && t->hist.count > 0)
            print_bars(&t->hist);
    } else {
        print_block(workload, t, seconds);
        print_errors(t);
        if (t->hist.count > 0)
            print_bars(&t->hist);
    }
    fflush(stdout);
}
