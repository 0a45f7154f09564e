/* selector: a candidate in each program that leads while a function runs. */
#include "base/mem.h"
#include "sim_recipe/holds.h"
#include "sim_recipe/program.h"
#include "sim_recipe/works.h"
#include <zokor/leader.h>

#define PATH "/selector"

struct state {
    struct holds holds;
    uint64_t terms; /* that began after the faults */
};

struct candidate {
    struct app *app;
    struct zokor_framework *f;
};

static void *begin(struct world *w)
{
    struct state *s = mem_zalloc(sizeof *s);
    (void)w;
    holds_init(&s->holds, PATH, 1);
    return s;
}

static void end(void *state)
{
    struct state *s = state;
    holds_fini(&s->holds);
    mem_free(s);
}

static enum zokor_hold ask(const void *thing)
{
    return zokor_leader_selector_leads((struct zokor_leader_selector *)(uintptr_t)thing) ? ZOKOR_HELD : ZOKOR_IN_DOUBT;
}

static void lead(struct zokor_leader_selector *selector, int64_t token, void *context)
{
    struct candidate *c = context;
    struct state *s = c->app->w->state;
    struct dice *d = &c->app->dice;
    holds_granted(
        &s->holds,
        &(struct hold){
            .what = c, .ask = ask, .thing = selector, .session_id = zokor_framework_session_id(c->f), .token = token });
    s->terms += c->app->w->c->healing;
    int rc = zokor_leader_selector_sleep(selector, (int)(dice_one_in(d, 6) ? 6000 : dice_between(d, 1, 500)));
    if (rc == ZINVALIDSTATE && zokor_leader_selector_leads(selector))
        world_wrong("selector.interrupt", "program %u was interrupted and leads", c->app->index);
    if (rc != ZOK && rc != ZINVALIDSTATE)
        world_wrong("selector.sleep", "zokor_leader_selector_sleep ended with %d", rc);
    if (rc == ZINVALIDSTATE && dice_one_in(d, 2))
        app_rest(300000); /* a slow one */
    holds_released(&s->holds, c);
}

/* Not before somebody has led since the faults: the ensemble, and the nodes of those who are gone, may take their
 * time. */
static bool goes_on(const struct app *a)
{
    const struct state *s = a->w->state;
    const struct cluster *c = a->w->c;
    int64_t patience_us = (opt(c, OPT_duration_ms) + opt(c, OPT_heal_ms) * 3 / 4) * 1000;
    return app_goes_on() || (s->terms == 0 && !c->finding.is && world_now_us() < patience_us);
}

static void run(struct app *a)
{
    struct candidate c = { .app = a, .f = program_open(a) };
    struct dice *d = &a->dice;
    while (goes_on(a)) {
        bool again = !dice_one_in(d, 3);
        struct zokor_leader_selector *s = zokor_leader_selector_new(c.f, PATH, "candidate", lead, &c);
        if (again)
            zokor_leader_selector_auto_requeue(s);
        int rc = zokor_leader_selector_start(s);
        if (rc != ZOK)
            world_wrong("selector.start", "zokor_leader_selector_start ended with %d", rc);
        int64_t end_us = world_now_us() + dice_between(d, 0, 20000) * 1000;
        while (goes_on(a) && world_now_us() < end_us) {
            app_rest(300000);
            if (!again && dice_one_in(d, 4))
                (void)zokor_leader_selector_requeue(s);
            if (dice_one_in(d, 50))
                zokor_leader_selector_interrupt(s);
        }
        zokor_leader_selector_free(s);
    }
    (void)zokor_framework_close(c.f);
}

static const struct app *target(struct world *w)
{
    const struct state *s = w->state;
    return holds_target(&s->holds);
}

static void crashed(struct app *a)
{
    struct state *s = a->w->state;
    holds_crashed(&s->holds, a);
}

static void judge_end(struct world *w, const struct model *m)
{
    const struct state *s = w->state;
    judge_empty(m, PATH);
    if (s->terms == 0)
        world_wrong("selector.nobody", "nobody has led since the faults were over");
}

const struct work work_selector = { .name = "selector",
                                    .help = "a candidate in each program that leads while a function runs",
                                    .begin = begin,
                                    .end = end,
                                    .run = run,
                                    .target = target,
                                    .crashed = crashed,
                                    .judge_end = judge_end };
