/* double: all programs enter a barrier together and leave it together, one barrier after the other. */
#include "base/mem.h"
#include "sim_recipe/holds.h"
#include "sim_recipe/program.h"
#include "sim_recipe/works.h"
#include <stdio.h>
#include <zokor/barrier.h>

#define ROUND_US 6000000 /* who begins in the same round meets at the same barrier */
#define ROUNDS_MAX 100

/* Of one barrier: how many have begun to enter it, have passed it, and want to leave it. Who was killed counts among
 * those that began and those that want to leave. */
struct meeting {
    uint32_t began, entered, leaving, left;
};

struct state {
    struct meeting meetings[ROUNDS_MAX];
    uint32_t round_of[32]; /* by program: the one it is in; 0 none */
    bool inside[32], leaves[32];
    uint64_t passed_late; /* since the faults are over */
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

static void leave(struct app *a, struct zokor_double_barrier *b, struct meeting *m, bool entered)
{
    struct state *s = a->w->state;
    m->leaving += entered;
    s->leaves[a->index] = entered;
    int rc = zokor_double_barrier_leave(b, entered ? 20000 : 3000);
    if (rc != ZOK)
        judge_failure("zokor_double_barrier_leave", rc);
    /* Others may have entered by then that had not begun when this one did. */
    if (rc == ZOK && entered && m->leaving < m->entered)
        world_wrong("double.left_early", "program %u has left, %u have entered and only %u want to leave", a->index,
                    m->entered, m->leaving);
    m->left++;
    s->leaves[a->index] = false;
}

static void round_of(struct app *a, struct zokor_framework *f, uint32_t round)
{
    struct state *s = a->w->state;
    struct meeting *m = &s->meetings[round];
    char path[40];
    (void)snprintf(path, sizeof path, "/double/%u", round);
    struct zokor_double_barrier *b = zokor_double_barrier_new(f, path, (int)a->w->app_count);
    s->round_of[a->index] = round;
    m->began++;
    int rc = zokor_double_barrier_enter(b, 9000);
    bool entered = rc == ZOK;
    if (entered) {
        m->entered++;
        s->inside[a->index] = true;
        world_count(COUNT_passed);
        s->passed_late += a->w->c->healing;
        if (m->began < a->w->app_count)
            world_wrong("double.early", "program %u has entered %s, and only %u of %u have come", a->index, path,
                        m->began, a->w->app_count);
        app_rest(dice_between(&a->dice, 1, 200) * 1000);
    } else {
        judge_failure("zokor_double_barrier_enter", rc);
    }
    leave(a, b, m, entered);
    zokor_double_barrier_free(b);
    s->inside[a->index] = false;
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
    struct meeting *m = &s->meetings[s->round_of[a->index]];
    if (s->inside[a->index] && !s->leaves[a->index])
        m->leaving++;
    s->inside[a->index] = s->leaves[a->index] = false;
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
