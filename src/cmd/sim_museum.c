/* sim_museum: each planted bug must be found within its budget of seeds; and none where nothing is planted. */
#include "base/museum.h"
#include "cmd/cmd.h"
#include "cmd/sim_run.h"
#include <stdio.h>
#include <string.h>

#ifdef ZOKOR_MUSEUM

#define SEEDS_MAX 400
#define SEEDS_AT_ONCE 8

static const struct {
    const char *name;
    int members;
    const char *text;
} bugs[] = {
#define BUG(name, members, text) { #name, members, text },
#include "base/museum.def"
#undef BUG
};

struct hunt {
    uint64_t seed; /* the lowest that found it; 0 none */
    struct finding finding;
};

static void look(void *ctx, uint64_t seed, const struct sim_result *r)
{
    struct hunt *h = ctx;
    if (!r->finding.is || (h->seed != 0 && h->seed < seed))
        return;
    h->seed = seed;
    h->finding = r->finding;
}

static struct hunt hunt(int members, unsigned jobs, uint64_t seeds)
{
    struct hunt h = { 0 };
    struct sim_options o;
    char text[32];
    options_default(&o);
    snprintf(text, sizeof text, "members=%d", members);
    (void)options_set(&o, text);
    (void)options_set(&o, "heal_ms=40000");
    for (uint64_t first = 1; first <= seeds && h.seed == 0; first += SEEDS_AT_ONCE)
        sim_run_many(&o, first, SEEDS_AT_ONCE, jobs, false, look, &h);
    return h;
}

bool sim_museum_wake(const char *bug)
{
    for (size_t i = 0; bug != NULL && i < ARRAY_COUNT(bugs); i++)
        if (strcmp(bug, bugs[i].name) == 0)
            museum_alive = (enum museum_bug)(i + 1);
    return museum_alive != MUSEUM_NONE;
}

int sim_museum(const char *bug, unsigned jobs)
{
    int missed = 0, shown = 0;
    for (size_t i = 0; i < ARRAY_COUNT(bugs); i++) {
        if (bug != NULL && strcmp(bug, bugs[i].name) != 0)
            continue;
        museum_alive = (enum museum_bug)(i + 1);
        struct hunt h = hunt(bugs[i].members, jobs, SEEDS_MAX);
        shown++;
        missed += h.seed == 0;
        if (h.seed == 0)
            printf("%-28s NOT FOUND in %d seeds: %s\n", bugs[i].name, SEEDS_MAX, bugs[i].text);
        else
            printf("%-28s found by seed %llu: %s: %.90s\n", bugs[i].name, (unsigned long long)h.seed, h.finding.rule,
                   h.finding.text);
        fflush(stdout);
    }
    museum_alive = MUSEUM_NONE;
    struct hunt clean = hunt(3, jobs, SEEDS_AT_ONCE);
    if (clean.seed != 0)
        printf("nothing planted, but seed %llu found %s: %s\n", (unsigned long long)clean.seed, clean.finding.rule,
               clean.finding.text);
    printf("%d bugs, %d not found\n", shown, missed);
    if (shown == 0)
        return cmd_usage_error("sim: there is no such bug in the museum");
    return cmd_finish_output(missed != 0 || clean.seed != 0 ? CMD_FAILED : CMD_OK);
}

#else

bool sim_museum_wake(const char *bug)
{
    (void)bug;
    return false;
}

int sim_museum(const char *bug, unsigned jobs)
{
    (void)bug;
    (void)jobs;
    return cmd_usage_error("sim: this program has no museum; configure one with -DZOKOR_MUSEUM=ON");
}

#endif
