#include "cmd/cmd.h"
#include "sim/cluster.h"
#include "base/mem.h"
#include "base/log.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static void say(void *ctx, enum log_level level, const char *event, const char *text)
{
    const struct sim_result *r = ctx;
    (void)level;
    printf("%11.6f %u %s %s\n", (double)r->virtual_us / 1e6, r->member, event, text);
}

int cmd_sim(int argc, char **argv)
{
    struct sim_options base;
    options_default(&base);
    uint64_t seed = 1, seeds = 1; int verbose = 0;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--seed") == 0 && i + 1 < argc) seed = strtoull(argv[++i], NULL, 10);
        else if (strcmp(argv[i], "--seeds") == 0 && i + 1 < argc) seeds = strtoull(argv[++i], NULL, 10);
        else if (strcmp(argv[i], "--log") == 0) verbose = 1;
        else if (strcmp(argv[i], "--set") == 0 && i + 1 < argc) { if (options_set(&base, argv[++i]) != 0) return cmd_usage_error("bad %s", argv[i]); }
    }
    int bad = 0;
    struct coverage sum = {0};
    uint64_t steps = 0; int64_t us = 0;
    struct timespec a, b;
    clock_gettime(CLOCK_MONOTONIC, &a);
    for (uint64_t s = seed; s < seed + seeds; s++) {
        struct sim_options o = base;
        options_draw(&o, s);
        struct sim_result r;
        log_set_sink(verbose ? say : NULL, &r, verbose ? LOG_INFO : LOG_ERROR);
        cluster_run(&o, &r);
        coverage_add(&sum, &r.coverage);
        steps += r.steps; us += r.virtual_us;
        if (seeds == 1) printf("steps %llu requests %llu txns %llu trace %llx\n", (unsigned long long)r.steps, (unsigned long long)r.requests, (unsigned long long)r.txns, (unsigned long long)r.trace);
        if (r.finding.is) { bad++; printf("seed %llu at %.3f s: %s: %s\n", (unsigned long long)s, (double)r.finding.at_us / 1e6, r.finding.rule, r.finding.text); fflush(stdout); }
    }
    clock_gettime(CLOCK_MONOTONIC, &b);
    double t = (double)(b.tv_sec - a.tv_sec) + (double)(b.tv_nsec - a.tv_nsec) / 1e9;
    printf("%llu seeds, %d bad, %.0f steps/s, %.0f virtual s/s\n", (unsigned long long)seeds, bad, (double)steps / t, (double)us / 1e6 / t);
    struct buf o; buf_init(&o, 1 << 20);
    coverage_print(&sum, &o);
    fwrite(o.p, 1, o.n, stdout);
    return bad != 0;
}
