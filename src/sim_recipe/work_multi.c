/* multi: threads of all programs take several locks as one, now and then one of them alone, and give up, also because
 * somebody of their own program cancels a lock. Who gets them has all of them, in one session; who does not has none,
 * and leaves no node behind: at rest, while the sessions still live, nobody stands in any row. */
#include "base/mem.h"
#include "recipe/lock.h"
#include "sim_recipe/holds.h"
#include "sim_recipe/program.h"
#include "sim_recipe/works.h"

#define LOCKS 3
#define THREADS 3

static const char *const paths[LOCKS] = { "/multi/a", "/multi/b", "/multi/c" };

struct state {
    struct holds holds[LOCKS];
};

/* The locks of a program, until one of them is cancelled. */
struct round {
    struct zokor_mutex *mutexes[LOCKS];
    bool is_cancelled[LOCKS]; /* it has begun */
    bool deaf[LOCKS];         /* it was cancelled: nobody gets it any more */
};

struct one {
    struct app *app;
    struct zokor_framework *f;
    struct round *round;
    bool cancels; /* that is what this thread is for */
};

/* What a thread wants: in the order that all of them use. */
struct wish {
    int count;
    int which[LOCKS];
    struct zokor_mutex *mutexes[LOCKS];
};

static void *begin(struct world *w)
{
    struct state *s = mem_zalloc(sizeof *s);
    (void)w;
    for (int i = 0; i < LOCKS; i++)
        holds_init(&s->holds[i], paths[i], 1);
    return s;
}

static void end(void *state)
{
    struct state *s = state;
    for (int i = 0; i < LOCKS; i++)
        holds_fini(&s->holds[i]);
    mem_free(s);
}

static struct wish draw_wish(struct one *o)
{
    struct wish w = { .count = 0 };
    int64_t bits = dice_between(&o->app->dice, 1, (1 << LOCKS) - 1);
    for (int i = 0; i < LOCKS; i++)
        if ((bits >> i & 1) != 0) {
            w.which[w.count] = i;
            w.mutexes[w.count++] = o->round->mutexes[i];
        }
    return w;
}

static bool any(const struct wish *w, const bool *flags)
{
    for (int i = 0; i < w->count; i++)
        if (flags[w->which[i]])
            return true;
    return false;
}

static void judge_none(const struct wish *w, const char *when)
{
    for (int i = 0; i < w->count; i++)
        if (zokor_mutex_hold(w->mutexes[i]) != ZOKOR_NOT_HELD)
            world_wrong("multi.left", "%s is still held after %s", paths[w->which[i]], when);
}

/* A lock that is of an earlier session than another one was lost before that was granted. */
static void judge_all(const struct wish *w)
{
    int64_t owner = 0;
    for (int i = 0; i < w->count; i++) {
        const struct claim *c = mutex_claim(w->mutexes[i]);
        if (c == NULL)
            world_wrong("multi.partly", "%s is not held, though all were granted", paths[w->which[i]]);
        else if (owner != 0 && c->owner != owner)
            world_wrong("multi.apart", "%s is held in session 0x%llx, a lock before it in 0x%llx", paths[w->which[i]],
                        (unsigned long long)c->owner, (unsigned long long)owner);
        owner = c == NULL ? owner : c->owner;
    }
}

static bool acquire(struct one *o, const struct wish *w)
{
    static const int timeouts_ms[] = { -1, -1, 0, 100, 1000, 5000, 20000 };
    int timeout_ms = timeouts_ms[dice_between(&o->app->dice, 0, ARRAY_COUNT(timeouts_ms) - 1)];
    bool was_deaf = any(w, o->round->deaf);
    int rc = zokor_multi_lock_acquire(w->mutexes, w->count, timeout_ms);
    if (rc == ZOK && was_deaf)
        world_wrong("multi.cancelled", "locks are granted of which one was cancelled before");
    if (rc == ZOK)
        return true;
    world_tell("%d locks are not granted: %d", w->count, rc);
    judge_none(w, "a refusal");
    if (rc == ZCLOSING && any(w, o->round->is_cancelled))
        world_count(COUNT_cancelled);
    else
        judge_failure("zokor_multi_lock_acquire", rc);
    return false;
}

static void turn(struct one *o)
{
    struct state *s = o->app->w->state;
    struct wish w = draw_wish(o);
    if (!acquire(o, &w))
        return;
    judge_all(&w);
    for (int i = 0; i < w.count; i++)
        holds_claimed(&s->holds[w.which[i]], o, mutex_claim(w.mutexes[i]), false);
    app_rest(dice_one_in(&o->app->dice, 30) ? 2000000 : dice_between(&o->app->dice, 1, 80) * 1000);
    for (int i = 0; i < w.count; i++)
        holds_released(&s->holds[w.which[i]], o);
    int rc = zokor_multi_lock_release(w.mutexes, w.count);
    if (rc != ZOK)
        judge_failure("zokor_multi_lock_release", rc);
    judge_none(&w, "they were given back");
}

static bool is_over(const struct one *o)
{
    for (int i = 0; i < LOCKS; i++)
        if (o->round->deaf[i])
            return true;
    return !app_goes_on();
}

static void cancel(struct one *o)
{
    int which = (int)dice_between(&o->app->dice, 0, LOCKS - 1);
    do
        app_rest(500000);
    while (app_goes_on() && !dice_one_in(&o->app->dice, 16));
    world_tell("%s is cancelled", paths[which]);
    o->round->is_cancelled[which] = true;
    zokor_mutex_cancel(o->round->mutexes[which]);
    o->round->deaf[which] = true;
}

static void *thread(void *arg)
{
    struct one *o = arg;
    if (o->cancels) {
        cancel(o);
        return NULL;
    }
    while (!is_over(o)) {
        turn(o);
        app_rest(50000);
    }
    turn(o); /* once more, with what was cancelled */
    return NULL;
}

static void run_round(struct app *a, struct zokor_framework *f)
{
    struct round r = { .deaf = { false } };
    struct one ones[THREADS + 1];
    size_t threads = (size_t)dice_between(&a->dice, 1, THREADS);
    for (int i = 0; i < LOCKS; i++)
        r.mutexes[i] = zokor_mutex_new(f, paths[i]);
    for (size_t i = 0; i <= threads; i++)
        ones[i] = (struct one){ .app = a, .f = f, .round = &r, .cancels = i == threads };
    program_threads(threads + 1, thread, ones, sizeof ones[0]);
    for (int i = 0; i < LOCKS; i++)
        zokor_mutex_free(r.mutexes[i]);
}

static void look(void *context)
{
    for (int i = 0; i < LOCKS; i++)
        judge_row(context, paths[i]);
}

static void run(struct app *a)
{
    struct zokor_framework *f = program_open(a);
    while (app_goes_on())
        run_round(a, f);
    program_close(a, f, look);
}

static const struct app *target(struct world *w)
{
    const struct state *s = w->state;
    const struct app *a = NULL;
    for (int i = 0; i < LOCKS && a == NULL; i++)
        a = holds_target(&s->holds[i]);
    return a;
}

static void crashed(struct app *a)
{
    struct state *s = a->w->state;
    for (int i = 0; i < LOCKS; i++)
        holds_crashed(&s->holds[i], a);
}

static void judge_end(struct world *w, const struct model *m)
{
    (void)w;
    for (int i = 0; i < LOCKS; i++)
        judge_empty(m, paths[i]);
}

const struct work work_multi = { .name = "multi",
                                 .help = "threads take several locks as one, and are cancelled",
                                 .begin = begin,
                                 .end = end,
                                 .run = run,
                                 .target = target,
                                 .crashed = crashed,
                                 .judge_end = judge_end };
