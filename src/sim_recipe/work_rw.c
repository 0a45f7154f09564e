/* rw: threads of all programs read and write under one pair of locks, and go from writing to reading. */
#include "base/mem.h"
#include "recipe/lock.h"
#include "sim_recipe/holds.h"
#include "sim_recipe/program.h"
#include "sim_recipe/works.h"

#define THREADS 3

static const char path[] = "/rw";

struct one {
    struct app *app;
    struct zokor_rw_lock *lock;
    char reads, writes; /* their addresses name the holds */
};

static void *begin(struct world *w)
{
    struct holds *h = mem_zalloc(sizeof *h);
    (void)w;
    holds_init(h, path, 1);
    return h;
}

static void end(void *state)
{
    holds_fini(state);
    mem_free(state);
}

static bool take(struct one *o, bool reads)
{
    static const int timeouts_ms[] = { -1, -1, 0, 1000, 20000 };
    struct zokor_mutex *m = reads ? zokor_rw_lock_read(o->lock) : zokor_rw_lock_write(o->lock);
    int rc = zokor_mutex_acquire(m, timeouts_ms[dice_between(&o->app->dice, 0, ARRAY_COUNT(timeouts_ms) - 1)]);
    if (rc != ZOK)
        judge_failure("zokor_mutex_acquire", rc);
    else
        holds_claimed(o->app->w->state, reads ? &o->reads : &o->writes, mutex_claim(m), reads);
    return rc == ZOK;
}

static void give(struct one *o, bool reads)
{
    struct zokor_mutex *m = reads ? zokor_rw_lock_read(o->lock) : zokor_rw_lock_write(o->lock);
    holds_released(o->app->w->state, reads ? &o->reads : &o->writes);
    int rc = zokor_mutex_release(m);
    if (rc != ZOK)
        judge_failure("zokor_mutex_release", rc);
}

static void hold(struct one *o)
{
    app_rest(dice_one_in(&o->app->dice, 30) ? 3000000 : dice_between(&o->app->dice, 1, 80) * 1000);
}

/* The reader of a thread that writes is granted at once: the judge knows both holds for one. */
static void downgrade(struct one *o)
{
    struct zokor_mutex *read = zokor_rw_lock_read(o->lock);
    int rc = zokor_mutex_acquire(read, -1);
    if (rc != ZOK) {
        judge_failure("zokor_mutex_acquire", rc);
        give(o, false);
        return;
    }
    const struct claim *claim = mutex_claim(read);
    bool together = claim->owner == mutex_claim(zokor_rw_lock_write(o->lock))->owner;
    give(o, false);
    if (together) { /* otherwise the session of the writer is over, and who stood between them may have come in */
        holds_claimed(o->app->w->state, &o->reads, claim, true);
        hold(o);
    }
    give(o, true);
}

static void turn(struct one *o)
{
    struct dice *d = &o->app->dice;
    bool reads = dice_one_in(d, 2);
    if (!take(o, reads))
        return;
    hold(o);
    if (!reads && dice_one_in(d, 3))
        downgrade(o);
    else
        give(o, reads);
}

static void *thread(void *arg)
{
    struct one *o = arg;
    while (app_goes_on()) {
        turn(o);
        app_rest(40000);
    }
    return NULL;
}

static void run(struct app *a)
{
    struct one ones[THREADS];
    struct zokor_framework *f = program_open(a);
    struct zokor_rw_lock *l = zokor_rw_lock_new(f, path);
    size_t threads = (size_t)dice_between(&a->dice, 1, THREADS);
    for (size_t i = 0; i < threads; i++)
        ones[i] = (struct one){ .app = a, .lock = l };
    program_threads(threads, thread, ones, sizeof ones[0]);
    zokor_rw_lock_free(l);
    (void)zokor_framework_close(f);
}

static const struct app *target(struct world *w)
{
    return holds_target(w->state);
}

static void crashed(struct app *a)
{
    holds_crashed(a->w->state, a);
}

static void judge_end(struct world *w, const struct model *m)
{
    (void)w;
    judge_empty(m, path);
}

const struct work work_rw = { .name = "rw",
                              .help = "threads read and write under one pair of locks",
                              .begin = begin,
                              .end = end,
                              .run = run,
                              .target = target,
                              .crashed = crashed,
                              .judge_end = judge_end };
