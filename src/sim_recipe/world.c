#include "sim_recipe/world.h"
#include "base/mem.h"
#include "sim/member.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define APPS_MAX 6
#define EPOCH_TXNS_MIN 200
#define DOWN_US 1500000
#define MEETING_US 12000000 /* sessions end in less */

struct world *world;
const struct work *world_work;

/* ---- for programs and their judges ---- */

void world_count(enum world_count what)
{
    world->c->result->guest_counts[what]++;
}

void world_wrong(const char *rule, const char *fmt, ...)
{
    char text[500];
    va_list args;
    struct fiber *f = fiber_leave();
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    finding_set(&world->c->finding, world->c->now_us, rule, "%s", text);
    world_tell("%s: %s", rule, text);
    fiber_enter(f);
}

bool world_tells;

void world_tell(const char *fmt, ...)
{
    va_list args;
    if (!world_tells)
        return;
    struct fiber *f = fiber_leave();
    printf("%12.6f ", (double)world->c->now_us / 1e6);
    if (f != NULL)
        printf("program %u, thread %u: ", f->app->index, f->number);
    va_start(args, fmt);
    vprintf(fmt, args);
    va_end(args);
    printf("\n");
    fiber_enter(f);
}

bool world_session_lives(int64_t session_id)
{
    const struct ghost *g = &world->c->ghost;
    for (size_t i = g->session_count; i-- > 0;)
        if (g->sessions[i].session_id == session_id)
            return !g->sessions[i].decided;
    return false;
}

bool app_goes_on(void)
{
    const struct cluster *c = world->c;
    return !c->finding.is && c->now_us < (opt(c, OPT_duration_ms) + opt(c, OPT_heal_ms) / 4) * 1000;
}

void app_meet(void (*look)(void *context), void *context)
{
    struct world *w = world;
    int64_t end_us = (opt(w->c, OPT_duration_ms) + opt(w->c, OPT_heal_ms) * 2 / 5) * 1000;
    w->met++;
    while (w->met < w->app_count)
        (void)fiber_sleep(NULL, world_now_us() + 50000);
    end_us = end_us < world_now_us() + MEETING_US ? world_now_us() + MEETING_US : end_us;
    (void)fiber_sleep(NULL, end_us);
    if (look != NULL)
        look(context);
    w->parted++;
    while (w->parted < w->app_count)
        (void)fiber_sleep(NULL, world_now_us() + 50000);
}

void app_rest(int64_t mean_us)
{
    (void)fiber_sleep(NULL, world_now_us() + dice_wait(&app_here()->dice, mean_us));
}

/* ---- the life of a program ---- */

static void *app_main(void *arg)
{
    struct app *a = arg;
    a->w->work->run(a);
    if (a->block_count != 0)
        world_wrong("leak.memory", "program %u has come to its end and left %zu blocks of memory", a->index,
                    a->block_count);
    a->done = true;
    return NULL;
}

static void start(struct app *a)
{
    world_tell("program %u begins", a->index);
    a->start_us = FIBER_NEVER;
    a->life++;
    a->dice = dice_of(a->w->c->opt.seed, "program", a->index * 1000 + a->life);
    fiber_new(&a->w->fibers, a, app_main, a)->detached = true;
}

static bool may_run(const struct app *a)
{
    return a->w->c->now_us >= a->frozen_us && !a->w->c->finding.is;
}

void world_wake_at(struct world *w, int64_t at_us)
{
    struct cluster *c = w->c;
    if (at_us == FIBER_NEVER)
        return;
    if (at_us < c->now_us)
        at_us = c->now_us;
    if (w->alarm_us >= c->now_us && w->alarm_us <= at_us)
        return;
    w->alarm_us = at_us;
    cluster_at(c, at_us, HAPPEN_CLIENT, 0, ++w->alarm_mark, NULL);
}

static void woken(void *state, uint64_t mark)
{
    struct world *w = state;
    if (mark != w->alarm_mark)
        return;
    w->alarm_us = -1;
    for (uint32_t i = 0; i < w->app_count; i++)
        if (w->c->now_us >= w->apps[i].start_us)
            start(&w->apps[i]);
    if (!fibers_run(&w->fibers))
        finding_set(&w->c->finding, w->c->now_us, "program.spins", "the programs turn without end");
    int64_t next_us = fibers_due_us(&w->fibers);
    for (uint32_t i = 0; i < w->app_count; i++) {
        const struct app *a = &w->apps[i];
        next_us = a->start_us < next_us ? a->start_us : next_us;
        if (w->c->now_us < a->frozen_us && a->frozen_us < next_us)
            next_us = a->frozen_us;
    }
    world_wake_at(w, next_us);
}

/* ---- faults ---- */

/* Often one to whom it matters: most of the time nothing depends on most of them. */
static struct app *app_of(struct world *w, uint32_t client)
{
    const struct app *target = w->work->target == NULL ? NULL : w->work->target(w);
    return target != NULL && dice_one_in(&w->dice, 2) ? &w->apps[target->index] : &w->apps[client / APP_SLOTS];
}

static void cut(void *state, uint32_t client)
{
    sockets_cut(app_of(state, client), false);
}

static void mute(void *state, uint32_t client)
{
    sockets_cut(app_of(state, client), true);
}

static void away(void *state, uint32_t client)
{
    struct world *w = state;
    struct app *a = app_of(w, client);
    int64_t timeout_ms = opt(w->c, OPT_timeout_ms);
    int64_t until_us = w->c->now_us + dice_between(&a->chance, timeout_ms / 2, timeout_ms * 3) * 1000;
    if (w->clumsy && dice_one_in(&a->chance, 2)) {
        a->frozen_us = a->clumsy_us = until_us;
        a->clumsy_us += 1000000;
        world_tell("program %u stands still for %lld ms", a->index, (long long)(until_us - w->c->now_us) / 1000);
        world_count(COUNT_frozen);
        world_wake_at(w, until_us);
        return;
    }
    a->away_us = until_us;
    world_tell("program %u is cut off for %lld ms", a->index, (long long)(until_us - w->c->now_us) / 1000);
    sockets_cut(a, true);
}

static void crash(void *state, uint32_t client)
{
    struct world *w = state;
    struct app *a = app_of(w, client);
    if (a->done || a->life == 0 || a->start_us != FIBER_NEVER || dice_one_in(&w->dice, 2))
        return;
    if (!w->clumsy || dice_one_in(&w->dice, 2)) { /* its session may end without it */
        away(state, client);
        return;
    }
    world_tell("program %u is killed", a->index);
    world_count(COUNT_crashes);
    fibers_kill(&w->fibers, a);
    sockets_orphan(a);
    memory_free_all(a);
    if (w->work->crashed != NULL)
        w->work->crashed(a);
    a->own = NULL;
    a->frozen_us = 0;
    a->start_us = w->c->now_us + dice_wait(&a->chance, DOWN_US);
    world_wake_at(w, a->start_us);
}

static void heal(void *state)
{
    struct world *w = state;
    world_tell("the faults are over");
    for (uint32_t i = 0; i < w->app_count; i++) {
        struct app *a = &w->apps[i];
        if (w->c->now_us < a->frozen_us) {
            a->frozen_us = w->c->now_us;
            a->clumsy_us = w->c->now_us + 1000000;
        }
        a->away_us = 0;
    }
    world_wake_at(w, w->c->now_us);
}

static void received(void *state, uint32_t cable, struct slice bytes)
{
    sockets_received(state, cable, bytes);
}

static void gone(void *state, uint32_t cable)
{
    sockets_gone(state, cable);
}

/* ---- beginning and end ---- */

static uint32_t app_count(const struct sim_options *o)
{
    int64_t n = o->v[OPT_clients];
    return n < 2 ? 2 : n > APPS_MAX ? APPS_MAX : (uint32_t)n;
}

static uint32_t clients(const struct sim_options *o)
{
    return app_count(o) * APP_SLOTS;
}

/* After a change of leaders programs do anew some of what they had done, and a request that fails has a number, too:
 * with epochs shorter than that there would be one change after the other. */
static void adjust(struct sim_options *o)
{
    int64_t *txns = &o->v[OPT_epoch_txns];
    if ((o->given >> OPT_epoch_txns & 1) == 0 && *txns != 0 && *txns < EPOCH_TXNS_MIN)
        *txns = EPOCH_TXNS_MIN;
    if ((o->given >> OPT_heal_ms & 1) == 0 && o->v[OPT_heal_ms] < world_work->heal_ms)
        o->v[OPT_heal_ms] = world_work->heal_ms;
}

static void *begin(struct cluster *c)
{
    struct world *w = mem_zalloc(sizeof *w);
    size_t n = 0;
    world = w;
    w->c = c;
    w->work = world_work;
    w->alarm_us = -1;
    w->dice = dice_of(c->opt.seed, "world", 0);
    w->clumsy = !dice_one_in(&w->dice, 4);
    w->losses_in = dice_one_in(&w->dice, 2) ? 0 : 1ull << dice_between(&w->dice, 5, 11);
    w->app_count = app_count(&c->opt);
    w->apps = mem_zalloc(w->app_count * sizeof *w->apps);
    fibers_init(&w->fibers, dice_of(c->opt.seed, "fibers", 0), &c->now_us, may_run);
    for (uint32_t i = 0; i < c->member_count && n < sizeof w->hosts; i++)
        n += (size_t)snprintf(w->hosts + n, sizeof w->hosts - n, "%s10.0.0.%u:2181", i == 0 ? "" : ",", i + 1);
    w->state = w->work->begin(w);
    for (uint32_t i = 0; i < w->app_count; i++) {
        struct app *a = &w->apps[i];
        *a = (struct app){ .w = w, .index = i, .chance = dice_of(c->opt.seed, "program's system", i) };
        a->start_us = dice_between(&a->chance, 1, 1000000);
        world_wake_at(w, a->start_us);
    }
    return w;
}

static void end(void *state)
{
    struct world *w = state;
    for (uint32_t i = 0; i < w->app_count; i++) {
        fibers_kill(&w->fibers, &w->apps[i]);
        memory_free_all(&w->apps[i]);
    }
    fibers_fini(&w->fibers);
    sockets_fini(w);
    w->work->end(w->state);
    mem_free(w->apps);
    mem_free(w);
    world = NULL;
}

static bool is_at_rest(const void *state)
{
    const struct world *w = state;
    for (uint32_t i = 0; i < w->app_count; i++)
        if (!w->apps[i].done || fibers_of(&w->fibers, &w->apps[i]) != 0)
            return false;
    return true;
}

static void describe(const void *state, struct buf *b)
{
    const struct world *w = state;
    for (uint32_t i = 0; i < w->app_count; i++) {
        const struct app *a = &w->apps[i];
        size_t threads = fibers_of(&w->fibers, a);
        if (!a->done || threads != 0) {
            buf_printf(b, "program %u of %s has not come to its end: %zu threads", i, w->work->name, threads);
            return;
        }
    }
}

static void judge_end(void *state, const struct model *m)
{
    struct world *w = state;
    w->work->judge_end(w, m);
}

const struct guests world_guests = {
    .adjust = adjust,
    .clients = clients,
    .begin = begin,
    .end = end,
    .woken = woken,
    .received = received,
    .gone = gone,
    .cut = cut,
    .mute = mute,
    .away = away,
    .crash = crash,
    .heal = heal,
    .is_at_rest = is_at_rest,
    .describe = describe,
    .judge_end = judge_end,
};
