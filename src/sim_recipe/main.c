/* recipe_sim: campaigns of simulations in which programs use the recipes. */
#include "base/log.h"
#include "base/mem.h"
#include "base/museum.h"
#include "cmd/sim_run.h"
#include "sim/minimise.h"
#include "sim_recipe/works.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zookeeper/zookeeper_log.h>

static const struct work *const works[] = { &work_mutex, &work_rw,      &work_semaphore, &work_latch, &work_selector,
                                            &work_count, &work_barrier, &work_double,    &work_queue, &work_cache,
                                            &work_node,  &work_multi,   &work_consumer,  &work_ttl,   &work_shared };

static const char usage[] = "usage: recipe_sim [--recipe NAME] [--seed S] [--seeds N] [--members M]\n"
                            "                  [--set NAME=VALUE ...] [--jobs J] [--minimise] [--twice] [--figures]\n"
                            "                  [--floors] [--log]\n"
                            "       recipe_sim --museum [BUG]     plant known bugs and see that each is found\n\n";

struct arguments {
    struct sim_options options;
    uint64_t seed, seeds;
    unsigned jobs;
    bool minimise, twice, figures, floors, log, museum;
    const char *bug;         /* NULL: all */
    const struct work *work; /* NULL: all */
};

static int help(void)
{
    printf("%s\n"
           "Runs programs that use the recipes (locks, leaders, queues, caches, ...) over simulated servers, breaks\n"
           "both by chance, and judges what the programs were told. The recipes and the client library are the real\n"
           "ones: their threads are fibers of one thread, their sockets and their time are simulated. A seed decides\n"
           "everything, also which thread goes on when; the same seed is the same run to the last bit.\n\n"
           "  --recipe NAME         one of those below; default: each in turn\n"
           "  --seed S, --seeds N   the seeds S, S+1, ... S+N-1 of each; default 1 and 1\n"
           "  --members M           servers that vote; default 3\n"
           "  --set NAME=VALUE      what a seed would have drawn otherwise (zokor sim --options); clients: programs\n"
           "  --jobs J              processes side by side; default 1\n"
           "  --minimise            make what fails as small as it can be\n"
           "  --twice               run each seed twice: both runs must be the same\n"
           "  --figures             what the campaign has seen\n"
           "  --floors              fail also if something was never seen: of all recipes, with many seeds\n"
           "  --log                 one seed of one recipe, with its story\n\n"
           "recipes:\n",
           usage);
    for (size_t i = 0; i < ARRAY_COUNT(works); i++)
        printf("  %-14s %s\n", works[i]->name, works[i]->help);
    printf("\nexamples:\n"
           "  recipe_sim --seeds 100                       all recipes\n"
           "  recipe_sim --recipe mutex --seeds 1000       locks only\n"
           "  recipe_sim --recipe mutex --seed 7 --minimise\n\n"
           "Every finding comes with the command that repeats it. Exit status: 0 nothing found, 1 something was,\n"
           "2 wrong arguments.\n");
    return 0;
}

/* What the programs do not ask for is left out. */
static void begin_options(struct sim_options *o)
{
    static const char *const given[] = { "read_only=0",  "local_sessions=0", "quotas=0",
                                         "tick_ms=1000", "timeout_ms=3000",  "duration_ms=40000" };
    options_default(o);
    for (size_t i = 0; i < ARRAY_COUNT(given); i++)
        (void)options_set(o, given[i]);
    o->guests = &world_guests;
}

/* ---- one campaign ---- */

struct campaign {
    const struct arguments *args;
    uint64_t found, requests, txns;
    int64_t virtual_us;
    uint64_t counts[WORLD_COUNTS];
};

static void print_command(const struct sim_options *o)
{
    struct sim_options plain;
    begin_options(&plain);
    options_draw(&plain, o->seed);
    printf("recipe_sim --recipe %s --seed %llu", world_work->name, (unsigned long long)o->seed);
    sim_run_print_settings(o, &plain);
}

static void report(const struct arguments *a, uint64_t seed, const struct sim_result *r)
{
    struct sim_options o = a->options;
    struct finding f = r->finding;
    options_draw(&o, seed);
    printf("%s, seed %llu, at %.6f s: %s: %s\n  repeat with: ", world_work->name, (unsigned long long)seed,
           (double)f.at_us / 1e6, f.rule, f.text);
    print_command(&o);
    if (a->minimise) {
        int runs = minimise(&o, &f, sim_run_apart, NULL, 200);
        printf("  smaller, after %d runs: %s: %s\n  repeat with: ", runs, f.rule, f.text);
        print_command(&o);
    }
    fflush(stdout);
}

static void one_done(void *ctx, uint64_t seed, const struct sim_result *r)
{
    struct campaign *c = ctx;
    c->requests += r->requests;
    c->txns += r->txns;
    c->virtual_us += r->virtual_us;
    for (int i = 0; i < WORLD_COUNTS; i++)
        c->counts[i] += r->guest_counts[i];
    if (!r->finding.is)
        return;
    c->found++;
    report(c->args, seed, r);
}

static const char *const texts[] = {
#define COUNT(name, text) [COUNT_##name] = text,
#include "sim_recipe/counts.def"
#undef COUNT
};

static void print_figures(const struct campaign *c)
{
    for (int i = 0; i < WORLD_COUNTS; i++)
        if (c->counts[i] != 0)
            printf("  %10llu  %s\n", (unsigned long long)c->counts[i], texts[i]);
}

/* A campaign in which something never happened proves nothing of it. */
static bool reaches_floors(const uint64_t *counts)
{
    bool all = true;
    for (int i = 0; i < WORLD_COUNTS; i++)
        if (counts[i] == 0) {
            printf("never seen: %s\n", texts[i]);
            all = false;
        }
    return all;
}

/* True if nothing was found. What was seen is added to counts. */
static bool campaign(const struct arguments *a, const struct work *work, uint64_t *counts)
{
    struct campaign c = { .args = a };
    world_work = work;
    sim_run_many(&a->options, a->seed, a->seeds, a->jobs, a->twice, one_done, &c);
    printf("%-14s %llu seeds, %llu findings: %llu requests, %llu transactions, %.0f virtual s\n", work->name,
           (unsigned long long)a->seeds, (unsigned long long)c.found, (unsigned long long)c.requests,
           (unsigned long long)c.txns, (double)c.virtual_us / 1e6);
    if (a->figures)
        print_figures(&c);
    for (int i = 0; i < WORLD_COUNTS; i++)
        counts[i] += c.counts[i];
    fflush(stdout);
    return c.found == 0;
}

static void say(void *ctx, enum log_level level, const char *event, const char *text)
{
    const struct sim_result *r = ctx;
    (void)level;
    printf("%12.6f server %u: %s %s\n", (double)r->virtual_us / 1e6, r->member, event, text);
}

/* One seed in this process, with what the servers say. */
static int story(const struct arguments *a)
{
    struct sim_options o = a->options;
    struct sim_result r = { 0 };
    world_work = a->work;
    world_tells = true;
    options_draw(&o, a->seed);
    log_set_sink(say, &r, LOG_INFO);
    cluster_run(&o, &r);
    log_set_sink(NULL, NULL, LOG_ERROR);
    world_tells = false;
    if (r.finding.is)
        report(a, a->seed, &r);
    return r.finding.is ? 1 : 0;
}

static int wrong(const char *what, const char *why)
{
    fprintf(stderr, "recipe_sim: '%s' %s; recipe_sim --help\n", what, why);
    return 2;
}

static bool find_work(const char *name, const struct work **work)
{
    for (size_t i = 0; i < ARRAY_COUNT(works); i++)
        if (strcmp(works[i]->name, name) == 0)
            *work = works[i];
    return *work != NULL;
}

/* ---- planted bugs ---- */

#ifdef ZOKOR_MUSEUM

#define SEEDS_MAX 200
#define SEEDS_AT_ONCE 8

static const struct {
    enum museum_bug bug;
    const char *name, *work, *text;
} bugs[] = {
#define RECIPE_BUG(name, work, text) { MUSEUM_##name, #name, work, text },
#include "base/museum_recipe.def"
#undef RECIPE_BUG
};

struct hunt {
    uint64_t seed; /* the lowest that found it; 0 none */
    struct finding finding;
};

static void note_hunt(void *ctx, uint64_t seed, const struct sim_result *r)
{
    static const char *const servers[] = { "store.", "oracle.", "zab.", "core.", "ghost." };
    struct hunt *h = ctx;
    for (size_t i = 0; i < ARRAY_COUNT(servers); i++)
        if (strncmp(r->finding.rule, servers[i], strlen(servers[i])) == 0)
            return; /* not the doing of a recipe */
    if (!r->finding.is || (h->seed != 0 && h->seed < seed))
        return;
    h->seed = seed;
    h->finding = r->finding;
}

/* For the story of one. False: there is none of this name. */
static bool wake(const char *bug)
{
    for (size_t i = 0; bug != NULL && i < ARRAY_COUNT(bugs); i++)
        if (strcmp(bug, bugs[i].name) == 0)
            museum_alive = bugs[i].bug;
    return museum_alive != MUSEUM_NONE;
}

static int museum(const struct arguments *a)
{
    int shown = 0, missed = 0;
    for (size_t i = 0; i < ARRAY_COUNT(bugs); i++) {
        struct hunt h = { 0 };
        if (a->bug != NULL && strcmp(a->bug, bugs[i].name) != 0)
            continue;
        museum_alive = bugs[i].bug;
        (void)find_work(bugs[i].work, &world_work);
        for (uint64_t first = 1; first <= SEEDS_MAX && h.seed == 0; first += SEEDS_AT_ONCE)
            sim_run_many(&a->options, first, SEEDS_AT_ONCE, a->jobs, false, note_hunt, &h);
        shown++;
        missed += h.seed == 0;
        if (h.seed == 0)
            printf("%-28s NOT FOUND in %d seeds of %s: %s\n", bugs[i].name, SEEDS_MAX, bugs[i].work, bugs[i].text);
        else
            printf("%-28s found by seed %llu of %s: %s: %.90s\n", bugs[i].name, (unsigned long long)h.seed,
                   bugs[i].work, h.finding.rule, h.finding.text);
        fflush(stdout);
    }
    museum_alive = MUSEUM_NONE;
    printf("%d bugs, %d not found\n", shown, missed);
    return shown == 0 ? wrong(a->bug, "is no bug of the museum") : missed != 0;
}

#else

static bool wake(const char *bug)
{
    (void)bug;
    return false;
}

static int museum(const struct arguments *a)
{
    (void)a;
    return wrong("--museum", "needs a build with -DZOKOR_MUSEUM=ON");
}

#endif

/* ---- arguments ---- */

static bool number(const char *text, uint64_t *to)
{
    char *end;
    *to = strtoull(text, &end, 10);
    return *text >= '0' && *text <= '9' && *end == '\0';
}

/* 1 taken, 0 unknown, negative: a bad value. */
static int take_valued(struct arguments *a, const char *name, const char *value)
{
    uint64_t n = 0;
    char text[64];
    if (strcmp(name, "--recipe") == 0)
        return find_work(value, &a->work) ? 1 : -1;
    if (strcmp(name, "--set") == 0)
        return options_set(&a->options, value) == 0 ? 1 : -1;
    if (strcmp(name, "--seed") == 0)
        return number(value, &a->seed) ? 1 : -1;
    if (strcmp(name, "--seeds") == 0)
        return number(value, &a->seeds) && a->seeds != 0 ? 1 : -1;
    if (strcmp(name, "--members") == 0) {
        (void)snprintf(text, sizeof text, "members=%s", value);
        return number(value, &n) && n >= 1 && n <= 9 && options_set(&a->options, text) == 0 ? 1 : -1;
    }
    if (strcmp(name, "--jobs") == 0) {
        bool fine = number(value, &n) && n >= 1 && n <= 256;
        a->jobs = (unsigned)n;
        return fine ? 1 : -1;
    }
    return 0;
}

static bool take_flag(struct arguments *a, const char *name)
{
    if (strcmp(name, "--minimise") == 0)
        return a->minimise = true;
    if (strcmp(name, "--twice") == 0)
        return a->twice = true;
    if (strcmp(name, "--figures") == 0)
        return a->figures = true;
    if (strcmp(name, "--floors") == 0)
        return a->floors = true;
    if (strcmp(name, "--log") == 0)
        return a->log = true;
    return false;
}

int main(int argc, char **argv)
{
    struct arguments a = { .seed = 1, .seeds = 1, .jobs = 1 };
    begin_options(&a.options);
    logLevel = (ZooLogLevel)0; /* what the library complains of under faults is not of interest */
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            return help();
        if (strcmp(argv[i], "--museum") == 0) {
            a.museum = true;
            if (i + 1 < argc && argv[i + 1][0] != '-')
                a.bug = argv[++i];
            continue;
        }
        if (take_flag(&a, argv[i]))
            continue;
        int rc = i + 1 < argc ? take_valued(&a, argv[i], argv[i + 1]) : 0;
        if (rc == 0)
            return wrong(argv[i], "is unknown or lacks its value");
        if (rc < 0)
            return wrong(argv[i + 1], "is no value for that");
        i++;
    }
    if (a.museum && (!a.log || !wake(a.bug)))
        return museum(&a);
    if (a.log && a.work == NULL)
        return wrong("--log", "tells of one recipe: --recipe NAME");
    if (a.log)
        return story(&a);
    bool fine = true;
    uint64_t counts[WORLD_COUNTS] = { 0 };
    for (size_t i = 0; i < ARRAY_COUNT(works); i++)
        if (a.work == NULL || a.work == works[i])
            fine = campaign(&a, works[i], counts) && fine;
    if (a.floors)
        fine = reaches_floors(counts) && fine;
    return fine ? 0 : 1;
}
