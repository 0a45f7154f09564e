/* count: threads of all programs add to the same numbers, one kept by zokor_atomic, one by zokor_shared_count, and draw
 * numbers that nobody else gets. */
#include "base/mem.h"
#include "sim_recipe/holds.h"
#include "sim_recipe/program.h"
#include "sim_recipe/works.h"
#include <zokor/atomic.h>
#include <zokor/shared.h>

#define THREADS 3
#define ATOMIC "/counts/atomic"
#define LOCKED "/counts/locked"
#define LOCK "/counts/lock"
#define SHARED "/counts/shared"
#define CACHED "/counts/cached"
#define CACHED_INT "/counts/cached-int"
#define NUMBERS_MAX 60000 /* that are drawn; those of a chunk may be left */

/* One number: what was certainly added, what may have been, and who has seen which value before its own. */
struct number {
    const char *path;
    int64_t added, perhaps;
    bool *taken; /* by value */
    size_t taken_cap;
};

struct state {
    struct number atomic, locked, shared;
    bool drawn[2][NUMBERS_MAX]; /* cached_long and cached_int */
};

struct one {
    struct app *app;
    struct zokor_framework *f;
    struct zokor_shared_count *count;
    struct zokor_cached_long *cached[2];
    int64_t last[2]; /* that this thread has drawn */
};

static void *begin(struct world *w)
{
    struct state *s = mem_zalloc(sizeof *s);
    (void)w;
    s->atomic.path = ATOMIC;
    s->locked.path = LOCKED;
    s->shared.path = SHARED;
    return s;
}

static void end(void *state)
{
    struct state *s = state;
    mem_free(s->atomic.taken);
    mem_free(s->locked.taken);
    mem_free(s->shared.taken);
    mem_free(s);
}

/* Somebody has added one to `before`: nobody else may have done so. */
static void added(struct number *n, int64_t before)
{
    struct fiber *f = fiber_leave();
    world_count(COUNT_changes);
    n->added++;
    if (before < 0 || before > 1000000) {
        world_wrong("count.value", "%s: it is said to have been %lld", n->path, (long long)before);
        fiber_enter(f);
        return;
    }
    while ((size_t)before >= n->taken_cap) {
        size_t cap = n->taken_cap == 0 ? 256 : n->taken_cap * 2;
        n->taken = mem_realloc(n->taken, cap * sizeof *n->taken);
        memset(n->taken + n->taken_cap, 0, (cap - n->taken_cap) * sizeof *n->taken);
        n->taken_cap = cap;
    }
    if (n->taken[before])
        world_wrong("count.lost", "%s: two have added to %lld: one of them was lost", n->path, (long long)before);
    n->taken[before] = true;
    fiber_enter(f);
}

static void failed(struct number *n, const char *what, int rc)
{
    if (rc == ZBADVERSION) { /* nothing was changed */
        world_count(COUNT_refused);
        return;
    }
    n->perhaps++;
    judge_failure(what, rc);
}

static void add_atomic(struct one *o, struct number *n, bool locks)
{
    const struct zokor_atomic_options options = { .retry = zokor_retry_n_times(2, 5), .lock_path = LOCK };
    int64_t before = -1;
    int rc = zokor_atomic_long_add(o->f, n->path, locks ? &options : NULL, 1, &before, NULL);
    if (rc == ZOK)
        added(n, before);
    else
        failed(n, "zokor_atomic_long_add", rc);
}

static void add_shared(struct one *o, struct number *n)
{
    int version;
    int32_t before = zokor_shared_count_get(o->count, &version);
    int rc = zokor_shared_count_try_set(o->count, version, before + 1);
    if (rc == ZOK)
        added(n, before);
    else
        failed(n, "zokor_shared_count_try_set", rc);
}

/* Nobody has had it, and for one caller they grow. */
static void draw(struct one *o, int which)
{
    struct state *s = o->app->w->state;
    int64_t value = -1;
    int rc = zokor_cached_long_next(o->cached[which], &value);
    if (rc != ZOK) {
        if (rc != ZBADVERSION)
            judge_failure("zokor_cached_long_next", rc);
        return;
    }
    world_count(COUNT_drawn);
    if (value < 0 || value >= NUMBERS_MAX) {
        world_wrong("count.drawn", "%lld is drawn", (long long)value);
        return;
    }
    if (value <= o->last[which])
        world_wrong("count.grows", "%lld is drawn after %lld", (long long)value, (long long)o->last[which]);
    if (s->drawn[which][value])
        world_wrong("count.twice", "%lld is drawn twice", (long long)value);
    s->drawn[which][value] = true;
    o->last[which] = value;
}

static void *thread(void *arg)
{
    struct one *o = arg;
    struct state *s = o->app->w->state;
    while (app_goes_on()) {
        switch (dice_between(&o->app->dice, 0, 2)) {
        case 0:
            add_atomic(o, &s->atomic, false);
            break;
        case 1:
            add_atomic(o, &s->locked, true);
            break;
        default:
            add_shared(o, &s->shared);
        }
        for (int64_t n = dice_between(&o->app->dice, 0, 6); n > 0; n--)
            draw(o, (int)dice_between(&o->app->dice, 0, 1));
        app_rest(250000);
    }
    return NULL;
}

static void judge_sum(const struct number *n, int64_t value)
{
    if (value < n->added || value > n->added + n->perhaps)
        world_wrong("count.sum", "%s is %lld, but %lld were added, and perhaps %lld more", n->path, (long long)value,
                    (long long)n->added, (long long)n->perhaps);
}

/* At rest everybody sees the same. */
static void look(void *context)
{
    struct one *o = context;
    struct state *s = o->app->w->state;
    judge_sum(&s->shared, zokor_shared_count_get(o->count, NULL));
}

static void run(struct app *a)
{
    struct one ones[THREADS];
    struct zokor_framework *f = program_open(a);
    size_t threads = (size_t)dice_between(&a->dice, 1, THREADS);
    struct zokor_shared_count *c = NULL;
    for (int rc = ZOK; c == NULL;) {
        c = zokor_shared_count_new(f, SHARED, 0, NULL, NULL, &rc);
        if (c == NULL)
            judge_failure("zokor_shared_count_new", rc);
    }
    struct zokor_cached_long *cached[2] = {
        zokor_cached_long_new(f, CACHED, &(struct zokor_atomic_options){ .lock_path = LOCK },
                              dice_between(&a->dice, 1, 12)),
        zokor_cached_int_new(f, CACHED_INT, NULL, (int32_t)dice_between(&a->dice, 1, 12)),
    };
    for (size_t i = 0; i < threads; i++)
        ones[i] = (struct one){ .app = a, .f = f, .count = c, .cached = { cached[0], cached[1] }, .last = { -1, -1 } };
    program_threads(threads, thread, ones, sizeof ones[0]);
    app_meet(look, &ones[0]);
    zokor_shared_count_free(c);
    zokor_cached_long_free(cached[0]);
    zokor_cached_long_free(cached[1]);
    (void)zokor_framework_close(f);
}

/* What it was about to add may have been added. */
static void crashed(struct app *a)
{
    struct state *s = a->w->state;
    s->atomic.perhaps += THREADS;
    s->locked.perhaps += THREADS;
    s->shared.perhaps += THREADS;
}

static void judge_node(const struct model *m, const struct number *n)
{
    const struct model_node *node = model_find(m, slice_str(n->path));
    uint64_t v = 0;
    for (size_t i = 0; node != NULL && i < node->data_n; i++)
        v = v << 8 | node->data[i];
    judge_sum(n, (int64_t)v);
}

static void judge_end(struct world *w, const struct model *m)
{
    const struct state *s = w->state;
    judge_node(m, &s->atomic);
    judge_node(m, &s->locked);
    judge_node(m, &s->shared);
    judge_empty(m, LOCK);
}

const struct work work_count = { .name = "count",
                                 .help = "threads add to the same numbers, atomic and shared, and draw others",
                                 .begin = begin,
                                 .end = end,
                                 .run = run,
                                 .crashed = crashed,
                                 .judge_end = judge_end };
