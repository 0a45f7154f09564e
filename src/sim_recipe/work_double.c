/* double: all programs enter a barrier together and leave it together, one barrier after the other. */
#include "base/mem.h"
#include "sim_recipe/holds.h"
#include "sim_recipe/program.h"
#include "sim_recipe/works.h"
#include <stdio.h>
#include <zokor/barrier.h>

#define ROUND_US 6000000 /* who begins in the same round meets at the same barrier */
#define ROUNDS_MAX 100

/* Of one barrier. */
struct meeting {
    uint32_t began; /* to enter it, also who was killed then */
};

struct state {
    struct meeting meetings[ROUNDS_MAX];
    uint32_t round_of[32];  /* by program: the one it is in; 0 none */
    bool inside[32];        /* it has entered, in the session in which it began */
    int64_t session_id[32]; /* that */
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

/* Who is inside with a session that lives has its node there: nobody leaves before it does. */
static void judge_left(const struct app *a)
{
    const struct state *s = a->w->state;
    for (uint32_t i = 0; i < a->w->app_count; i++)
        if (s->inside[i] && s->round_of[i] == s->round_of[a->index] && world_session_lives(s->session_id[i]))
            world_wrong("double.left_early", "program %u has left, and program %u is still inside", a->index, i);
}

static void leave(struct app *a, struct zokor_double_barrier *b, bool entered)
{
    struct state *s = a->w->state;
    s->inside[a->index] = false;
    int rc = zokor_double_barrier_leave(b, entered ? 20000 : 3000);
    if (rc != ZOK)
        judge_failure("zokor_double_barrier_leave", rc);
    else if (entered)
        judge_left(a);
}

static void round_of(struct app *a, struct zokor_framework *f, uint32_t round)
{
    struct state *s = a->w->state;
    struct meeting *m = &s->meetings[round];
    char path[40];
    (void)snprintf(path, sizeof path, "/double/%u", round);
    struct zokor_double_barrier *b = zokor_double_barrier_new(f, path, (int)a->w->app_count);
    int64_t session_id = zokor_framework_session_id(f);
    s->round_of[a->index] = round;
    m->began++;
    int rc = zokor_double_barrier_enter(b, 9000);
    bool entered = rc == ZOK;
    if (entered) {
        s->session_id[a->index] = zokor_framework_session_id(f);
        s->inside[a->index] = session_id != 0 && session_id == s->session_id[a->index];
        world_count(COUNT_passed);
        if (m->began < a->w->app_count)
            world_wrong("double.early", "program %u has entered %s, and only %u of %u have come", a->index, path,
                        m->began, a->w->app_count);
        app_rest(dice_between(&a->dice, 1, 200) * 1000);
    } else {
        judge_failure("zokor_double_barrier_enter", rc);
    }
    leave(a, b, entered);
    zokor_double_barrier_free(b);
    s->round_of[a->index] = 0;
}

static void run(struct app *a)
{
    struct zokor_framework *f = program_open(a);
    while (app_goes_on()) {
        int64_t next_us = (world_now_us() / ROUND_US + 1) * ROUND_US;
        (void)fiber_sleep(NULL, next_us + dice_between(&a->dice, 0, 500000));
        uint32_t round = (uint32_t)(next_us / ROUND_US);
        if (app_goes_on() && round < ROUNDS_MAX)
            round_of(a, f, round);
    }
    (void)zokor_framework_close(f);
}

static void crashed(struct app *a)
{
    struct state *s = a->w->state;
    s->inside[a->index] = false;
    s->round_of[a->index] = 0;
}

static void judge_end(struct world *w, const struct model *m)
{
    (void)w;
    const struct model_node *top = model_find(m, slice_str("/double"));
    for (const struct model_node *n = top == NULL ? NULL : top->child_first; n != NULL; n = n->next)
        judge_empty(m, n->path);
}

const struct work work_double = { .name = "double",
                                  .help = "all programs enter a barrier together and leave it together",
                                  .begin = begin,
                                  .end = end,
                                  .run = run,
                                  .crashed = crashed,
                                  .judge_end = judge_end };
