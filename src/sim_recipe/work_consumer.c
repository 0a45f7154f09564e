/* consumer: all programs put, and have consumers, which they stop and start again. With a lock path each item that was
 * certainly put is consumed to its end, at the latest when all is at rest, while the consumers still run: nobody
 * holds then what nobody works on. No consumer is called twice at once, nor after it was stopped, and an item is with
 * one of them at a time. Without a lock path each node is consumed once at most. */
#include "base/mem.h"
#include "sim_recipe/holds.h"
#include "sim_recipe/program.h"
#include "sim_recipe/works.h"
#include <stdio.h>
#include <stdlib.h>
#include <zokor/queue.h>

#define QUEUES 3

static const struct {
    const char *path;
    struct zokor_queue_options options;
} kinds[QUEUES] = {
    { "/consumed/safe", { .kind = ZOKOR_QUEUE_FIFO, .lock_path = "/consumed/safe-locks" } },
    { "/consumed/priority", { .kind = ZOKOR_QUEUE_PRIORITY, .lock_path = "/consumed/priority-locks" } },
    { "/consumed/simple", { .kind = ZOKOR_QUEUE_SIMPLE } },
};

/* What was put. */
struct thing {
    int queue;
    bool put;      /* certainly; perhaps in two nodes */
    uint32_t done; /* so often a consumer said that it is */
    int64_t node;  /* SIMPLE: in which it was consumed; 0: not yet */
    /* With whom it is. */
    bool held;
    char name[40];
    const struct app *app;
    uint64_t life;
    int64_t session_id;
};

struct state {
    struct thing *things;
    size_t count, cap;
};

struct one {
    struct app *app;
    struct zokor_framework *f;
    int kind;
    struct zokor_queue *queue;
    struct zokor_consumer *consumer;
    bool stopped, busy;
};

static void *begin(struct world *w)
{
    (void)w;
    return mem_zalloc(sizeof(struct state));
}

static void end(void *state)
{
    struct state *s = state;
    mem_free(s->things);
    mem_free(s);
}

static bool has_lock(int kind)
{
    return kinds[kind].options.lock_path != NULL;
}

static size_t new_thing(struct state *s, int queue)
{
    struct fiber *f = fiber_leave();
    if (s->count == s->cap) {
        s->cap = s->cap == 0 ? 256 : s->cap * 2;
        s->things = mem_realloc(s->things, s->cap * sizeof *s->things);
    }
    s->things[s->count] = (struct thing){ .queue = queue };
    fiber_enter(f);
    return s->count++;
}

static void put(struct one *o)
{
    struct state *s = o->app->w->state;
    size_t number = new_thing(s, o->kind);
    char data[20];
    int n = snprintf(data, sizeof data, "%zu", number);
    const struct zokor_put how = { .priority = (int)dice_between(&o->app->dice, -3, 3) };
    int rc = zokor_queue_put(o->queue, data, n, &how);
    world_tell("item %zu is put into %s: %d", number, kinds[o->kind].path, rc);
    if (rc != ZOK) {
        judge_failure("zokor_queue_put", rc);
        return;
    }
    s->things[number].put = true;
    world_count(COUNT_put);
}

/* An item that was put twice has two nodes. */
static void judge_given(const struct one *o, size_t number, const struct zokor_item *item)
{
    const struct thing *t = &((struct state *)o->app->w->state)->things[number];
    int64_t session_id = zokor_framework_session_id(o->f);
    if (has_lock(o->kind) && t->held && strcmp(t->name, item->name) == 0 && world_session_lives(t->session_id) &&
        world_session_lives(session_id))
        world_wrong("consumer.together", "program %u is given %s of %s, which program %u works on", o->app->index,
                    item->name, kinds[o->kind].path, t->app->index);
    if (!has_lock(o->kind) && t->node == item->token)
        world_wrong("consumer.twice", "program %u is given %s of %s, which was given before", o->app->index, item->name,
                    kinds[o->kind].path);
}

static int consume(struct zokor_queue *q, const struct zokor_item *item, void *context)
{
    struct one *o = context;
    struct state *s = o->app->w->state;
    size_t number = item->count == 1 ? strtoul(item->parts[0].data, NULL, 10) : SIZE_MAX;
    if (o->busy || o->stopped || q != o->queue)
        world_wrong("consumer.call", "the consumer of %s is called %s", kinds[o->kind].path,
                    o->busy ? "twice at once" : "after it was stopped");
    if (number >= s->count || s->things[number].queue != o->kind) {
        world_wrong("consumer.item", "%s of %s is nothing that was put", item->name, kinds[o->kind].path);
        return 0;
    }
    o->busy = true;
    world_count(COUNT_consumed);
    world_tell("item %zu is given to the consumer, %s of %s", number, item->name, kinds[o->kind].path);
    judge_given(o, number, item);
    struct thing *t = &s->things[number];
    t->held = true;
    t->node = item->token;
    t->app = o->app;
    t->life = o->app->life;
    t->session_id = zokor_framework_session_id(o->f);
    (void)snprintf(t->name, sizeof t->name, "%s", item->name);
    if (dice_one_in(&o->app->dice, 20)) /* longer than a session lives without its client, but not for ever */
        (void)fiber_sleep(NULL, world_now_us() + dice_between(&o->app->dice, 100, 6000) * 1000);
    else
        app_rest(30000);
    bool again = has_lock(o->kind) && dice_one_in(&o->app->dice, 8);
    t = &s->things[number]; /* there may be more now */
    if (t->app == o->app && t->life == o->app->life)
        t->held = false;
    t->done += !again;
    world_tell("item %zu is %s", number, again ? "to be done again" : "done");
    o->busy = false;
    return again;
}

static void start(struct one *o)
{
    o->stopped = false;
    o->queue = zokor_queue_new(o->f, kinds[o->kind].path, &kinds[o->kind].options);
    o->consumer = zokor_consumer_start(o->queue, consume, o);
}

static void stop(struct one *o)
{
    zokor_consumer_stop(o->consumer);
    if (o->busy)
        world_wrong("consumer.stop", "the consumer of %s is at work after it was stopped", kinds[o->kind].path);
    o->stopped = true;
    zokor_queue_free(o->queue);
}

static void *thread(void *arg)
{
    struct one *o = arg;
    while (app_goes_on()) {
        put(o);
        if (dice_one_in(&o->app->dice, 6)) {
            stop(o);
            app_rest(1000000);
            start(o);
        }
        app_rest(3000000); /* few: what is put must be consumed when all is at rest */
    }
    return NULL;
}

/* All consumers run, and nothing is put any more. */
static void look(void *framework)
{
    for (int i = 0; i < QUEUES; i++) {
        judge_row(framework, kinds[i].path);
        if (has_lock(i))
            judge_row(framework, kinds[i].options.lock_path);
    }
}

static void run(struct app *a)
{
    struct one ones[QUEUES];
    struct zokor_framework *f = program_open(a);
    for (int i = 0; i < QUEUES; i++) {
        ones[i] = (struct one){ .app = a, .f = f, .kind = i };
        start(&ones[i]);
    }
    program_threads(QUEUES, thread, ones, sizeof ones[0]);
    app_meet(a->is_hasty ? NULL : look, f);
    for (int i = 0; i < QUEUES; i++)
        stop(&ones[i]);
    (void)zokor_framework_close(f);
}

/* Without locks an item may go with who took it, or with the reply to its removal. */
static void judge_end(struct world *w, const struct model *m)
{
    const struct state *s = w->state;
    for (size_t i = 0; i < s->count; i++) {
        const struct thing *t = &s->things[i];
        if (has_lock(t->queue) && t->put && t->done == 0)
            world_wrong("consumer.undone", "item %zu of %s was put and no consumer has done it", i,
                        kinds[t->queue].path);
    }
    for (int i = 0; i < QUEUES; i++) {
        judge_empty(m, kinds[i].path);
        if (has_lock(i))
            judge_empty(m, kinds[i].options.lock_path);
    }
}

const struct work work_consumer = { .name = "consumer",
                                    .help = "programs put, and their consumers take, stop and begin anew",
                                    .begin = begin,
                                    .end = end,
                                    .run = run,
                                    .judge_end = judge_end };
