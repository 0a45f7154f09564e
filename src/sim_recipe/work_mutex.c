/* mutex: threads of all programs take the same locks. */
#include "base/mem.h"
#include "recipe/lock.h"
#include "sim_recipe/holds.h"
#include "sim_recipe/program.h"
#include "sim_recipe/works.h"

#define LOCKS 2
#define THREADS 3

static const char *const paths[LOCKS] = { "/locks/a", "/locks/b" };

struct state {
    struct holds holds[LOCKS];
};

struct one {
    struct app *app;
    struct zokor_framework *f;
    struct zokor_mutex *const *mutexes;
};

/* What a program was told of its holds. */
struct heard {
    struct app *app;
    int64_t lost[8]; /* the tokens of the last ones it has lost */
    unsigned count;
    uint64_t revoked;
};

static void on_lost(const char *path, int64_t token, void *context)
{
    struct heard *h = context;
    for (size_t i = 0; i < ARRAY_COUNT(h->lost); i++)
        if (h->lost[i] == token)
            world_wrong("mutex.lost_twice", "program %u is told twice that %s is lost", h->app->index, path);
    h->lost[h->count++ % ARRAY_COUNT(h->lost)] = token;
}

static void on_revoked(const char *path, int64_t token, void *context)
{
    struct heard *h = context;
    (void)path;
    (void)token;
    h->revoked++;
}

/* The first in the row is asked to give it back. */
static void revoke(struct one *o, struct zokor_mutex *m)
{
    struct String_vector nodes;
    int rc = zokor_mutex_participants(m, &nodes);
    if (rc == ZNONODE)
        return;
    if (rc != ZOK) {
        judge_failure("zokor_mutex_participants", rc);
        return;
    }
    rc = nodes.count == 0 ? ZOK : zokor_revoke(o->f, nodes.data[0]);
    if (rc != ZOK && rc != ZNONODE)
        judge_failure("zokor_revoke", rc);
    deallocate_String_vector(&nodes);
}

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

/* While it is held: sometimes it is taken again, and given back. */
static void hold(struct one *o, struct zokor_mutex *m)
{
    struct dice *d = &o->app->dice;
    app_rest(dice_one_in(d, 30) ? 2000000 : dice_between(d, 1, 100) * 1000);
    while (zokor_mutex_hold(m) == ZOKOR_IN_DOUBT && !dice_one_in(d, 40)) /* it will be known some day */
        app_rest(200000);
    if (!dice_one_in(d, 4))
        return;
    int rc = zokor_mutex_acquire(m, -1);
    if (rc == ZINVALIDSTATE && zokor_mutex_hold(m) == ZOKOR_HOLD_LOST)
        return;
    if (rc != ZOK) {
        world_wrong("mutex.again", "the thread that holds it cannot take it again: %d", rc);
        return;
    }
    app_rest(10000);
    if (zokor_mutex_release(m) != ZOK)
        world_wrong("mutex.again", "the inner hold cannot be given back");
}

static void turn(struct one *o, int which)
{
    static const int timeouts_ms[] = { -1, -1, -1, 0, 500, 3000, 20000 };
    struct state *s = o->app->w->state;
    struct zokor_mutex *m = o->mutexes[which];
    int timeout_ms = timeouts_ms[dice_between(&o->app->dice, 0, ARRAY_COUNT(timeouts_ms) - 1)];
    int rc = zokor_mutex_acquire(m, timeout_ms);
    if (rc != ZOK) {
        judge_failure("zokor_mutex_acquire", rc);
        return;
    }
    holds_claimed(&s->holds[which], o, mutex_claim(m), false);
    hold(o, m);
    holds_released(&s->holds[which], o);
    rc = zokor_mutex_release(m);
    if (rc != ZOK)
        judge_failure("zokor_mutex_release", rc);
}

static void *thread(void *arg)
{
    struct one *o = arg;
    while (app_goes_on()) {
        turn(o, (int)dice_between(&o->app->dice, 0, LOCKS - 1));
        if (dice_one_in(&o->app->dice, 30))
            revoke(o, o->mutexes[0]);
        app_rest(50000);
    }
    return NULL;
}

static void look(void *context)
{
    for (int i = 0; i < LOCKS; i++)
        judge_row(context, paths[i]);
}

static void run(struct app *a)
{
    struct one ones[THREADS];
    struct zokor_mutex *mutexes[LOCKS];
    struct zokor_framework *f = program_open(a);
    size_t threads = (size_t)dice_between(&a->dice, 1, THREADS);
    struct heard heard = { .app = a };
    for (int i = 0; i < LOCKS; i++) {
        mutexes[i] = zokor_mutex_new(f, paths[i]);
        if (dice_one_in(&a->dice, 2))
            zokor_mutex_on_lost(mutexes[i], on_lost, &heard);
        if (dice_one_in(&a->dice, 3))
            zokor_mutex_make_revocable(mutexes[i], on_revoked, &heard);
    }
    for (size_t i = 0; i < threads; i++)
        ones[i] = (struct one){ .app = a, .f = f, .mutexes = mutexes };
    program_threads(threads, thread, ones, sizeof ones[0]);
    for (int i = 0; i < LOCKS; i++)
        zokor_mutex_free(mutexes[i]);
    program_close(a, f, look);
}

static const struct app *target(struct world *w)
{
    const struct state *s = w->state;
    const struct app *a = holds_target(&s->holds[0]);
    return a != NULL ? a : holds_target(&s->holds[1]);
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

const struct work work_mutex = { .name = "mutex",
                                 .help = "threads of all programs take the same locks",
                                 .begin = begin,
                                 .end = end,
                                 .run = run,
                                 .target = target,
                                 .crashed = crashed,
                                 .judge_end = judge_end };
