/* zokor sim: campaigns of simulations, each in a child process so that a failed assertion is a finding like any other.
 */
#include "base/err.h"
#include "base/log.h"
#include "cmd/cmd.h"
#include "cmd/sim_run.h"
#include "sim/minimise.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

static const char usage[] = "usage: zokor sim [--seed S] [--seeds N] [--members M] [--set NAME=VALUE ...] [--jobs J]\n"
                            "                 [--minimise] [--log] [--twice] [--floors]\n"
                            "       zokor sim --museum [BUG]      plant known bugs and see that each is found\n"
                            "       zokor sim --scenario FILE [--variant \"N=3\"] [--log]\n"
                            "       zokor sim --options           every name of --set with its default and meaning\n";

struct arguments {
    struct sim_options options;
    uint64_t seed, seeds;
    unsigned jobs;
    bool minimise, log, twice, floors, museum;
    const char *bug, *scenario, *variant;
};

static int help(void)
{
    printf("%s\n"
           "Simulates servers with their disks, clocks, network and clients in virtual time, breaks all of them by\n"
           "chance, and judges what clients saw against an exact model. A seed decides everything: which faults there\n"
           "are, when, and what clients do.\n\n"
           "  --seed S, --seeds N   the seeds S, S+1, ... S+N-1; default 1 and 1\n"
           "  --members M           servers that vote; 1 is a standalone server; default 3\n"
           "  --set NAME=VALUE      what a seed would have drawn otherwise; 0 leaves a fault out\n"
           "  --jobs J              processes side by side; default 1\n"
           "  --minimise            make what fails as small as it can be\n"
           "  --log                 print what the servers log, with virtual time and the server's number\n"
           "  --twice               run each seed twice: both runs must be the same to the last bit\n"
           "  --scenario FILE       do what a script says, in all its variants or one (docs/scenarios.md)\n"
           "  --floors              fail also if the campaign has seen too little to prove anything\n\n"
           "examples:\n"
           "  zokor sim --seeds 1000                      a campaign over ensembles of three\n"
           "  zokor sim --seeds 1000 --members 1          over a standalone server\n"
           "  zokor sim --seed 4711 --log                 one seed again, with its story\n"
           "  zokor sim --seed 4711 --minimise            the least that still fails\n"
           "  zokor sim --seed 4711 --set kill_ms=0       without killed processes\n\n"
           "Every finding comes with the command that repeats it. Exit status: 0 nothing found, 1 something was,\n"
           "2 wrong arguments.\n",
           usage);
    return cmd_finish_output(CMD_OK);
}

static int list_options(void)
{
    for (int i = 0; i < OPTION_COUNT; i++)
        printf("  %-22s %8lld  %s\n", options_name((enum sim_option)i),
               (long long)options_default_of((enum sim_option)i), options_help((enum sim_option)i));
    return cmd_finish_output(CMD_OK);
}

/* The command that runs these options again: what differs from what the seed draws by itself. */
static void print_command(const struct sim_options *o)
{
    struct sim_options plain;
    options_default(&plain);
    options_draw(&plain, o->seed);
    printf("zokor sim --seed %llu", (unsigned long long)o->seed);
    sim_run_print_settings(o, &plain);
}

static void report(const struct arguments *a, uint64_t seed, const struct sim_result *r)
{
    struct sim_options o = a->options;
    struct finding f = r->finding;
    options_draw(&o, seed);
    printf("seed %llu, at %.6f s: %s: %s\n  repeat with: ", (unsigned long long)seed, (double)f.at_us / 1e6, f.rule,
           f.text);
    print_command(&o);
    if (a->minimise) {
        int runs = minimise(&o, &f, sim_run_apart, NULL, 400);
        printf("  smaller, after %d runs: %s: %s\n  repeat with: ", runs, f.rule, f.text);
        print_command(&o);
    }
    fflush(stdout);
}

/* ---- a campaign ---- */

struct campaign {
    const struct arguments *args;
    struct coverage coverage;
    uint64_t found, steps, requests, txns;
    int64_t virtual_us;
};

static void one_done(void *ctx, uint64_t seed, const struct sim_result *r)
{
    struct campaign *c = ctx;
    coverage_add(&c->coverage, &r->coverage);
    c->steps += r->steps;
    c->requests += r->requests;
    c->txns += r->txns;
    c->virtual_us += r->virtual_us;
    if (!r->finding.is)
        return;
    c->found++;
    report(c->args, seed, r);
}

/* Processor time of the children that have ended: what a core gives, however many processes share it. */
static double core_seconds(void)
{
    struct rusage u;
    getrusage(RUSAGE_CHILDREN, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) + (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static int campaign(const struct arguments *a)
{
    struct campaign c = { .args = a };
    double begin = core_seconds();
    sim_run_many(&a->options, a->seed, a->seeds, a->jobs, a->twice, one_done, &c);
    double took = core_seconds() - begin + 1e-9;
    printf("%llu seeds, %llu findings: %llu requests, %llu transactions, %.0f virtual s; a core does %.0f events/s, "
           "%.0f virtual s/s\n",
           (unsigned long long)a->seeds, (unsigned long long)c.found, (unsigned long long)c.requests,
           (unsigned long long)c.txns, (double)c.virtual_us / 1e6, (double)c.steps / took,
           (double)c.virtual_us / 1e6 / took);
    struct buf b;
    buf_init(&b, 1 << 20);
    int low = 0;
    if (a->floors && (low = coverage_judge(&c.coverage, a->seeds, a->options.v[OPT_members] > 1, &b)) != 0)
        printf("too little was seen:\n%.*s", (int)b.n, (const char *)b.p);
    else if (a->log || a->floors) {
        coverage_print(&c.coverage, &b);
        printf("%.*s", (int)b.n, (const char *)b.p);
    }
    buf_fini(&b);
    return cmd_finish_output(c.found != 0 || low != 0 ? CMD_FAILED : CMD_OK);
}

/* ---- one seed with its story ---- */

static void say(void *ctx, enum log_level level, const char *event, const char *text)
{
    const struct sim_result *r = ctx;
    (void)level;
    printf("%12.6f %u %s %s\n", (double)r->virtual_us / 1e6, r->member, event, text);
    fflush(stdout);
}

static int story(const struct arguments *a)
{
    struct sim_options o = a->options;
    struct sim_result r = { 0 };
    options_draw(&o, a->seed);
    struct buf b;
    buf_init(&b, 10000);
    options_put(&o, &b);
    printf("seed %llu%.*s\n", (unsigned long long)a->seed, (int)b.n, b.n == 0 ? "" : (const char *)b.p);
    buf_fini(&b);
    log_set_sink(say, &r, LOG_DEBUG);
    cluster_run(&o, &r);
    log_set_sink(NULL, NULL, LOG_ERROR);
    if (r.finding.is)
        report(a, a->seed, &r);
    printf("%llu events, %llu requests, %llu transactions, trace %016llx\n", (unsigned long long)r.steps,
           (unsigned long long)r.requests, (unsigned long long)r.txns, (unsigned long long)r.trace);
    return cmd_finish_output(r.finding.is ? CMD_FAILED : CMD_OK);
}

/* ---- arguments ---- */

static bool number(const char *text, uint64_t *to)
{
    char *end;
    *to = strtoull(text, &end, 10);
    return *text >= '0' && *text <= '9' && *end == '\0';
}

/* 1 taken (*i moves on if a value belongs to it), 0 unknown, negative: a bad value. */
static int take_valued(struct arguments *a, const char *name, const char *value)
{
    uint64_t n = 0;
    char text[64];
    if (strcmp(name, "--set") == 0)
        return options_set(&a->options, value) == 0 ? 1 : -1;
    if (strcmp(name, "--seed") == 0)
        return number(value, &a->seed) ? 1 : -1;
    if (strcmp(name, "--seeds") == 0)
        return number(value, &a->seeds) && a->seeds != 0 ? 1 : -1;
    if (strcmp(name, "--members") == 0) {
        snprintf(text, sizeof text, "members=%s", value);
        return number(value, &n) && n >= 1 && n <= 9 && options_set(&a->options, text) == 0 ? 1 : -1;
    }
    if (strcmp(name, "--scenario") == 0)
        return (a->scenario = value) != NULL;
    if (strcmp(name, "--variant") == 0)
        return (a->variant = value) != NULL;
    if (strcmp(name, "--jobs") == 0) {
        bool fine = number(value, &n) && n >= 1 && n <= 256;
        a->jobs = (unsigned)n;
        return fine ? 1 : -1;
    }
    return 0;
}

static bool take_flag(struct arguments *a, const char *name)
{
    struct {
        const char *name;
        bool *flag;
    } flags[] = { { "--minimise", &a->minimise },
                  { "--log", &a->log },
                  { "--twice", &a->twice },
                  { "--floors", &a->floors },
                  { "--museum", &a->museum } };
    for (size_t i = 0; i < ARRAY_COUNT(flags); i++) {
        if (strcmp(name, flags[i].name) != 0)
            continue;
        *flags[i].flag = true;
        return true;
    }
    return false;
}

int cmd_sim(int argc, char **argv)
{
    struct arguments a = { .seed = 1, .seeds = 1, .jobs = 1 };
    options_default(&a.options);
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            return help();
        if (strcmp(argv[i], "--options") == 0)
            return list_options();
        if (take_flag(&a, argv[i])) {
            if (a.museum && i + 1 < argc && argv[i + 1][0] != '-')
                a.bug = argv[++i];
            continue;
        }
        int rc = i + 1 < argc ? take_valued(&a, argv[i], argv[i + 1]) : 0;
        if (rc == 0)
            return cmd_usage_error("sim: '%s' is unknown or lacks its value; zokor sim --help", argv[i]);
        if (rc < 0)
            return cmd_usage_error("sim: '%s' is no value of %s; zokor sim --options", argv[i + 1], argv[i]);
        i++;
    }
    if (a.museum && a.scenario != NULL && !sim_museum_wake(a.bug))
        return cmd_usage_error("sim: there is no such bug in this program's museum");
    if (a.museum && a.scenario == NULL)
        return sim_museum(a.bug, a.jobs);
    if (a.scenario != NULL)
        return sim_scenario(a.scenario, a.variant, a.log);
    return a.log ? story(&a) : campaign(&a);
}
