/* fiber: threads of simulated programs, all in the one thread of the simulator. A fiber runs until it waits; which of
 * those that could go on does so next, and whether one loses the processor where it need not wait, is drawn from the
 * seed. Time is the simulator's. */
#ifndef ZOKOR_SIM_RECIPE_FIBER_H
#define ZOKOR_SIM_RECIPE_FIBER_H

#include "sim/dice.h"
#include <ucontext.h>

#define FIBER_NEVER INT64_MAX

struct app;
struct fibers;

enum fiber_state { FIBER_READY, FIBER_ASLEEP, FIBER_DONE };

struct fiber {
    struct fibers *all;
    struct app *app;
    uint32_t number;
    enum fiber_state state;
    ucontext_t context;
    uint8_t *stack;
    void *(*main)(void *arg);
    void *arg, *result;
    const void *on; /* what it sleeps for */
    int64_t due_us;
    bool woken, detached;
    int slot; /* the number it dials with, among its program's; -1: none yet */
    /* What the system and the library keep for each thread. */
    int error, prompt, deadline_ms;
    const void *delivery;
    void *fake_stack;
};

struct fibers {
    struct fiber **p; /* in the order of their making */
    size_t count, cap;
    uint32_t next_number;
    struct dice dice;
    uint64_t yields_in, naps_in; /* one point in so many: the processor is lost, and for a while */
    int64_t nap_us;
    uint64_t switches; /* at this moment */
    int64_t switches_at_us;
    ucontext_t outside;
    void *outside_fake_stack;
    const int64_t *now_us;
    bool (*may_run)(const struct app *a);
};

/* The one that runs; NULL: the simulator itself. */
extern struct fiber *fiber_current;

void fibers_init(struct fibers *s, struct dice dice, const int64_t *now_us, bool (*may_run)(const struct app *a));
void fibers_fini(struct fibers *s);
struct fiber *fiber_new(struct fibers *s, struct app *app, void *(*main)(void *), void *arg);
/* The fibers of a program are no more, wherever they were. Not by one of them. */
void fibers_kill(struct fibers *s, const struct app *app);
/* Runs what can run at this moment. False: it would never end. */
bool fibers_run(struct fibers *s);
/* When the next one is due; FIBER_NEVER. */
int64_t fibers_due_us(const struct fibers *s);
size_t fibers_of(const struct fibers *s, const struct app *app);

/* For the running fiber. */
/* Sleeps until woken, or due. False: due. */
bool fiber_sleep(const void *on, int64_t due_us);
/* Wakes all, or one, that sleep for it. */
void fibers_wake(struct fibers *s, const void *on, bool all);
/* A point at which a thread can lose the processor. */
void fiber_pause(void);
/* Frees one that is done. */
void fiber_reap(struct fiber *f);
/* Around calls into the simulator: nothing there is the fiber's. */
struct fiber *fiber_leave(void);
void fiber_enter(struct fiber *f);

#endif
