/* barrier: the first program sets a barrier and removes it, the others wait there. Nobody passes while it is set, and
 * everybody passes in the end. */
#include "base/mem.h"
#include "sim_recipe/holds.h"
#include "sim_recipe/program.h"
#include "sim_recipe/works.h"
#include <zokor/barrier.h>

#define PATH "/barriers/one"
#define THREADS 2

struct state {
    bool set;         /* for certain */
    int64_t since_us; /* since when, if it is */
};

struct one {
    struct app *app;
    struct zokor_framework *f;
};

static void *begin(struct world *w)
{
    (void)w;
    return mem_zalloc(sizeof(struct state));
}

static void end(void *state)
{
    mem_free(state);
}

static void *keep_gate(void *arg)
{
    struct one *o = arg;
    struct state *s = o->app->w->state;
    struct dice *d = &o->app->dice;
    while (app_goes_on()) {
        int rc = zokor_barrier_set(o->f, PATH);
        if (rc == ZOK) {
            s->set = true;
            s->since_us = world_now_us();
            app_rest(dice_between(d, 1, 1500) * 1000);
        } else {
            judge_failure("zokor_barrier_set", rc);
        }
        s->set = false; /* from now on it may go */
        while ((rc = zokor_barrier_remove(o->f, PATH)) != ZOK)
            judge_failure("zokor_barrier_remove", rc);
        app_rest(dice_between(d, 1, 300) * 1000);
    }
    return NULL;
}

static void *pass(void *arg)
{
    struct one *o = arg;
    const struct state *s = o->app->w->state;
    while (app_goes_on()) {
        int64_t begun_us = world_now_us();
        bool seen = zokor_framework_exists(o->f, PATH, NULL) == ZOK; /* its server could be behind otherwise */
        int rc = zokor_barrier_wait(o->f, PATH, dice_one_in(&o->app->dice, 3) ? 1000 : -1);
        if (rc == ZOK) {
            world_count(COUNT_passed);
            if (seen && s->set && s->since_us < begun_us)
                world_wrong("barrier.early", "program %u passes a barrier that has been set for %lld ms", o->app->index,
                            (long long)(world_now_us() - s->since_us) / 1000);
        } else {
            judge_failure("zokor_barrier_wait", rc);
        }
        app_rest(50000);
    }
    return NULL;
}

static void run(struct app *a)
{
    struct one ones[THREADS];
    struct zokor_framework *f = program_open(a);
    for (size_t i = 0; i < THREADS; i++)
        ones[i] = (struct one){ .app = a, .f = f };
    if (a->index == 0)
        (void)keep_gate(&ones[0]);
    else
        program_threads(THREADS, pass, ones, sizeof ones[0]);
    (void)zokor_framework_close(f);
}

static void crashed(struct app *a)
{
    struct state *s = a->w->state;
    if (a->index == 0)
        s->set = false; /* a removal may be on its way */
}

static void judge_end(struct world *w, const struct model *m)
{
    (void)w;
    judge_empty(m, "/barriers");
}

const struct work work_barrier = { .name = "barrier",
                                   .help = "one program sets a barrier, the others wait there",
                                   .begin = begin,
                                   .end = end,
                                   .run = run,
                                   .crashed = crashed,
                                   .judge_end = judge_end };
