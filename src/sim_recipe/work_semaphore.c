/* semaphore: threads of all programs take leases, of which there are few, and the mutex that is made of one. */
#include "base/mem.h"
#include "recipe/lock.h"
#include "sim_recipe/holds.h"
#include "sim_recipe/program.h"
#include "sim_recipe/works.h"

#define THREADS 3
#define LEASES 3
#define PATH "/leases"
#define PATH_ONE "/lease"

struct state {
    struct holds leases, one;
};

struct one {
    struct app *app;
    struct zokor_framework *f;
    struct zokor_semaphore *semaphore;
    struct zokor_semaphore_mutex *mutex;
};

static void *begin(struct world *w)
{
    struct state *s = mem_zalloc(sizeof *s);
    (void)w;
    holds_init(&s->leases, PATH, LEASES);
    holds_init(&s->one, PATH_ONE, 1);
    return s;
}

static void end(void *state)
{
    struct state *s = state;
    holds_fini(&s->leases);
    holds_fini(&s->one);
    mem_free(s);
}

static int timeout_ms(struct one *o)
{
    static const int timeouts_ms[] = { -1, -1, 0, 1000, 20000 };
    return timeouts_ms[dice_between(&o->app->dice, 0, ARRAY_COUNT(timeouts_ms) - 1)];
}

static void hold(struct one *o)
{
    app_rest(dice_one_in(&o->app->dice, 30) ? 3000000 : dice_between(&o->app->dice, 1, 150) * 1000);
}

static enum zokor_hold ask_lease(const void *thing)
{
    return zokor_lease_hold((struct zokor_lease *)(uintptr_t)thing);
}

/* One lease or two. */
static void turn_semaphore(struct one *o)
{
    struct state *s = o->app->w->state;
    struct zokor_lease *leases[2];
    int n = dice_one_in(&o->app->dice, 4) ? 2 : 1;
    int rc = zokor_semaphore_acquire(o->semaphore, n, leases, n == 2 ? 5000 : timeout_ms(o));
    if (rc != ZOK) {
        judge_failure("zokor_semaphore_acquire", rc);
        return;
    }
    int64_t session_id = zokor_framework_session_id(o->f);
    for (int i = 0; i < n; i++)
        holds_granted(&s->leases, &(struct hold){ .what = leases[i],
                                                  .ask = ask_lease,
                                                  .thing = leases[i],
                                                  .session_id = session_id,
                                                  .token = zokor_lease_token(leases[i]) });
    hold(o);
    for (int i = 0; i < n; i++) {
        holds_released(&s->leases, leases[i]);
        rc = zokor_lease_return(leases[i]);
        if (rc != ZOK)
            judge_failure("zokor_lease_return", rc);
    }
}

static enum zokor_hold ask_mutex(const void *thing)
{
    return zokor_semaphore_mutex_hold((struct zokor_semaphore_mutex *)(uintptr_t)thing);
}

/* held_in: the session in which the thread has it already; 0: it has not. */
static bool acquire_mutex(struct one *o, int64_t held_in, int ms)
{
    struct state *s = o->app->w->state;
    int rc = zokor_semaphore_mutex_acquire(o->mutex, ms);
    if (rc != ZOK) {
        judge_failure("zokor_semaphore_mutex_acquire", rc);
        return false;
    }
    if (world_session_lives(held_in))
        world_wrong("semaphore.again", "program %u holds %s and is granted it again, and session 0x%llx lives",
                    o->app->index, PATH_ONE, (unsigned long long)held_in);
    holds_released(&s->one, o);
    holds_granted(&s->one, &(struct hold){ .what = o,
                                           .ask = ask_mutex,
                                           .thing = o->mutex,
                                           .session_id = zokor_framework_session_id(o->f),
                                           .token = zokor_semaphore_mutex_token(o->mutex) });
    return true;
}

static void *give_back(void *arg)
{
    struct one *o = arg;
    int rc = zokor_semaphore_mutex_release(o->mutex);
    if (rc != ZOK)
        judge_failure("zokor_semaphore_mutex_release", rc);
    return NULL;
}

/* Who has it does not get it again, unless it was lost. Another thread may give it back. */
static void turn_mutex(struct one *o)
{
    struct state *s = o->app->w->state;
    if (!acquire_mutex(o, 0, timeout_ms(o)))
        return;
    int64_t session_id = zokor_framework_session_id(o->f);
    hold(o);
    if (dice_one_in(&o->app->dice, 4))
        (void)acquire_mutex(o, session_id, (int)dice_between(&o->app->dice, 0, 300));
    holds_released(&s->one, o);
    if (dice_one_in(&o->app->dice, 3))
        program_threads(1, give_back, o, sizeof *o);
    else
        (void)give_back(o);
}

static void *thread(void *arg)
{
    struct one *o = arg;
    while (app_goes_on()) {
        if (o->mutex != NULL && dice_one_in(&o->app->dice, 3))
            turn_mutex(o);
        else
            turn_semaphore(o);
        app_rest(40000);
    }
    return NULL;
}

static void look(void *context)
{
    static const char *const rows[] = { PATH "/leases", PATH "/locks", PATH_ONE "/leases", PATH_ONE "/locks" };
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++)
        judge_row(context, rows[i]);
}

static void run(struct app *a)
{
    struct one ones[THREADS];
    struct zokor_framework *f = program_open(a);
    struct zokor_semaphore *s = zokor_semaphore_new(f, PATH, LEASES);
    struct zokor_semaphore_mutex *m = zokor_semaphore_mutex_new(f, PATH_ONE);
    size_t threads = (size_t)dice_between(&a->dice, 1, THREADS);
    for (size_t i = 0; i < threads; i++) /* a second thread could give back what the first has */
        ones[i] = (struct one){ .app = a, .f = f, .semaphore = s, .mutex = i == 0 ? m : NULL };
    program_threads(threads, thread, ones, sizeof ones[0]);
    zokor_semaphore_mutex_free(m);
    zokor_semaphore_free(s);
    program_close(a, f, look);
}

static const struct app *target(struct world *w)
{
    const struct state *s = w->state;
    const struct app *a = holds_target(&s->one);
    return a != NULL ? a : holds_target(&s->leases);
}

static void crashed(struct app *a)
{
    struct state *s = a->w->state;
    holds_crashed(&s->leases, a);
    holds_crashed(&s->one, a);
}

static void judge_end(struct world *w, const struct model *m)
{
    (void)w;
    judge_empty(m, PATH "/leases");
    judge_empty(m, PATH "/locks");
    judge_empty(m, PATH_ONE "/leases");
    judge_empty(m, PATH_ONE "/locks");
}

const struct work work_semaphore = { .name = "semaphore",
                                     .help = "threads take leases, of which there are few",
                                     .begin = begin,
                                     .end = end,
                                     .run = run,
                                     .target = target,
                                     .crashed = crashed,
                                     .judge_end = judge_end };
