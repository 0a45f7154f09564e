/* latch: a candidate in each program; some step back and stand again. */
#include "base/mem.h"
#include "sim_recipe/holds.h"
#include "sim_recipe/program.h"
#include "sim_recipe/works.h"
#include <zokor/leader.h>

#define PATH "/latch"

struct state {
    struct holds holds;
    size_t leaders; /* of those who have said at the meeting whether they lead */
    size_t asked;
};

struct candidate {
    struct app *app;
    struct zokor_framework *f;
    bool led; /* it was told so last */
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
    return zokor_leader_latch_leads((struct zokor_leader_latch *)(uintptr_t)thing) ? ZOKOR_HELD : ZOKOR_IN_DOUBT;
}

static bool leads_now(const struct zokor_leader_latch *l)
{
    struct fiber *f = fiber_leave();
    world->peeks = true;
    bool leads = ask(l) == ZOKOR_HELD;
    world->peeks = false;
    fiber_enter(f);
    return leads;
}

/* When everything has come to rest: one leads, and only one. */
static void look(void *context)
{
    struct state *s = world->state;
    s->leaders += leads_now(context);
    if (++s->asked == world->app_count && s->leaders != 1)
        world_wrong("latch.leaders", "%zu of %u candidates lead in the end", s->leaders, world->app_count);
}

/* It is told late: what counts is whether it leads, with that token, when it hears so. */
static void told(struct zokor_leader_latch *l, int leads, int64_t token, void *context)
{
    struct candidate *c = context;
    struct state *s = c->app->w->state;
    if ((leads != 0) == c->led)
        world_wrong("latch.told", "program %u is told twice that it %s", c->app->index,
                    leads ? "leads" : "does not lead");
    c->led = leads != 0;
    if (!leads) {
        holds_released(&s->holds, l);
        return;
    }
    int64_t session_id = zokor_framework_session_id(c->f);
    if (zokor_leader_latch_token(l) == token && leads_now(l))
        holds_granted(&s->holds,
                      &(struct hold){ .what = l, .ask = ask, .thing = l, .session_id = session_id, .token = token });
}

/* A candidate for a while, or until the end. */
static void stand(struct candidate *c, bool last)
{
    struct state *s = c->app->w->state;
    struct dice *d = &c->app->dice;
    bool notify = dice_one_in(d, 2);
    c->led = false;
    struct zokor_leader_latch *l = zokor_leader_latch_new(c->f, PATH, "candidate", told, c);
    int rc = zokor_leader_latch_start(l);
    if (rc != ZOK)
        world_wrong("latch.start", "zokor_leader_latch_start ended with %d", rc);
    int64_t end_us = world_now_us() + dice_between(d, 0, 12000) * 1000;
    while (app_goes_on() && (last || world_now_us() < end_us)) {
        rc = zokor_leader_latch_await(l, (int)dice_between(d, 10, 2000));
        if (rc != ZOK && rc != ZOPERATIONTIMEOUT)
            world_wrong("latch.await", "zokor_leader_latch_await ended with %d", rc);
        app_rest(100000);
    }
    if (last)
        app_meet(look, l);
    holds_released(&s->holds, l);
    zokor_leader_latch_free(l, notify);
    if (c->led && notify)
        world_wrong("latch.told", "program %u is not told that it steps back", c->app->index);
}

static void run(struct app *a)
{
    struct candidate c = { .app = a, .f = program_open(a) };
    int64_t last_us = opt(a->w->c, OPT_duration_ms) * 1000;
    while (world_now_us() < last_us && !dice_one_in(&a->dice, 8))
        stand(&c, false);
    stand(&c, true);
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
    (void)w;
    judge_empty(m, PATH);
}

const struct work work_latch = { .name = "latch",
                                 .help = "a candidate in each program; some step back and stand again",
                                 .begin = begin,
                                 .end = end,
                                 .run = run,
                                 .target = target,
                                 .crashed = crashed,
                                 .judge_end = judge_end };
