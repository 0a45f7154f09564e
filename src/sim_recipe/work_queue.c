/* queue: all programs put and take. With a lock path each item that was certainly put is done, and nobody has what
 * another one holds; without one, each item is handed out once at most, and only those are lost that died with their
 * taker. What has an id can be removed by it while nobody holds it. What is drained in the end comes in the order of
 * its kind. */
#include "base/mem.h"
#include "sim_recipe/holds.h"
#include "sim_recipe/program.h"
#include "sim_recipe/works.h"
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <zokor/queue.h>

#define QUEUES 6
#define THREADS 2
#define ID "no." /* and the number */

static const struct {
    const char *path;
    struct zokor_queue_options options;
} kinds[QUEUES] = {
    { "/queues/fifo", { .kind = ZOKOR_QUEUE_FIFO } },
    { "/queues/safe", { .kind = ZOKOR_QUEUE_FIFO, .lock_path = "/queues/safe-locks" } },
    { "/queues/priority", { .kind = ZOKOR_QUEUE_PRIORITY, .lock_path = "/queues/priority-locks" } },
    { "/queues/delay", { .kind = ZOKOR_QUEUE_DELAY } },
    { "/queues/simple", { .kind = ZOKOR_QUEUE_SIMPLE } },
    { "/queues/id", { .kind = ZOKOR_QUEUE_ID, .lock_path = "/queues/id-locks" } },
};

/* Something that was put; its number is its data. */
struct thing {
    int queue;
    bool put;     /* certainly; perhaps twice, in two nodes */
    bool removed; /* by its id; or perhaps */
    uint32_t taken, done;
    int priority;
    int64_t not_before_ms;
};

/* A node that somebody has taken: what its kind tells apart. */
struct node {
    int queue;
    int64_t key; /* with a lock path the number in its name, without one its czxid */
    bool held;
    const struct app *app;
    uint64_t life;
    int64_t session_id;
};

struct state {
    struct thing *things;
    size_t count, cap;
    struct node *nodes;
    size_t node_count, node_cap;
    uint64_t lost;   /* items that may have gone with whoever took them */
    uint64_t unsure; /* items that may have been done without anybody having been told */
};

struct one {
    struct app *app;
    struct zokor_framework *f;
    struct zokor_queue *queues[QUEUES];
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
    mem_free(s->nodes);
    mem_free(s);
}

static size_t new_thing(struct state *s, const struct thing *t)
{
    struct fiber *f = fiber_leave();
    if (s->count == s->cap) {
        s->cap = s->cap == 0 ? 256 : s->cap * 2;
        s->things = mem_realloc(s->things, s->cap * sizeof *s->things);
    }
    s->things[s->count] = *t;
    fiber_enter(f);
    return s->count++;
}

static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void put(struct one *o, int queue)
{
    struct state *s = o->app->w->state;
    struct dice *d = &o->app->dice;
    struct thing t = { .queue = queue, .priority = (int)dice_between(d, -3, 3) };
    t.not_before_ms = now_ms() + dice_between(d, 0, 3000);
    size_t number = new_thing(s, &t);
    char data[20], id[24];
    int n = snprintf(data, sizeof data, "%zu", number);
    (void)snprintf(id, sizeof id, ID "%zu", number);
    int rc = zokor_queue_put(o->queues[queue], data, n,
                             &(struct zokor_put){ .id = id, .priority = t.priority, .not_before = t.not_before_ms });
    if (rc == ZOK) {
        s->things[number].put = true;
        world_tell("item %zu is put into %s", number, kinds[queue].path);
        world_count(COUNT_put);
    } else {
        judge_failure("zokor_queue_put", rc);
    }
}

/* Of an ID queue: one that was put by anybody, also if somebody has it or had it. */
static void remove_one(struct one *o, int queue)
{
    struct state *s = o->app->w->state;
    if (s->count == 0)
        return;
    int64_t newest = (int64_t)s->count - 1, oldest = newest < 30 ? 0 : newest - 30;
    size_t number = (size_t)dice_between(&o->app->dice, oldest, newest);
    char id[24];
    int removed = 0;
    if (s->things[number].queue != queue)
        return;
    (void)snprintf(id, sizeof id, ID "%zu", number);
    int rc = zokor_queue_remove(o->queues[queue], id, &removed);
    world_tell("item %zu is removed: %d, %d", number, rc, removed);
    if (removed > 0 || rc != ZOK)
        s->things[number].removed = true;
    if (removed > 0)
        world_count(COUNT_removed);
    if (rc != ZOK)
        judge_failure("zokor_queue_remove", rc);
}

static struct node *find_node(struct state *s, int queue, int64_t key)
{
    for (size_t i = s->node_count; i-- > 0;)
        if (s->nodes[i].queue == queue && s->nodes[i].key == key)
            return &s->nodes[i];
    struct fiber *f = fiber_leave();
    if (s->node_count == s->node_cap) {
        s->node_cap = s->node_cap == 0 ? 256 : s->node_cap * 2;
        s->nodes = mem_realloc(s->nodes, s->node_cap * sizeof *s->nodes);
    }
    fiber_enter(f);
    s->nodes[s->node_count] = (struct node){ .queue = queue, .key = key };
    return &s->nodes[s->node_count++];
}

static bool has_lock(int queue)
{
    return kinds[queue].options.lock_path != NULL;
}

static int64_t key_of(int queue, const struct zokor_item *item)
{
    return has_lock(queue) ? zokor_path_sequence(item->name) : item->token;
}

/* With locks nobody gets what another one holds while both sessions live; without them, nobody what another one got. */
static void judge_taken(struct one *o, const struct thing *t, const struct zokor_item *item)
{
    struct node *n = find_node(o->app->w->state, t->queue, key_of(t->queue, item));
    int64_t session_id = zokor_framework_session_id(o->f);
    const char *path = kinds[t->queue].path;
    if (kinds[t->queue].options.kind == ZOKOR_QUEUE_DELAY && now_ms() < t->not_before_ms)
        world_wrong("queue.early", "%s of %s is taken %lld ms before its time", item->name, path,
                    (long long)(t->not_before_ms - now_ms()));
    if (!has_lock(t->queue) && n->held)
        world_wrong("queue.twice", "%s of %s is taken by program %u and then by %u", item->name, path, n->app->index,
                    o->app->index);
    if (has_lock(t->queue) && n->held && world_session_lives(n->session_id) && world_session_lives(session_id))
        world_wrong("queue.together", "program %u takes %s of %s, which program %u holds", o->app->index, item->name,
                    path, n->app->index);
    *n = (struct node){
        .queue = t->queue, .key = n->key, .held = true, .app = o->app, .life = o->app->life, .session_id = session_id
    };
}

/* It will be given back: from now on others may have it. */
static void not_held(struct one *o, int queue, const struct zokor_item *item)
{
    struct node *n = find_node(o->app->w->state, queue, key_of(queue, item));
    if (has_lock(queue) && n->app == o->app && n->life == o->app->life)
        n->held = false;
}

/* The number of what was taken; the item is still to be ended. */
static bool take(struct one *o, int queue, int timeout_ms, struct zokor_item *item, size_t *number)
{
    struct state *s = o->app->w->state;
    int rc = zokor_queue_take(o->queues[queue], item, timeout_ms);
    if (rc != ZOK) {
        if (rc != ZOPERATIONTIMEOUT && rc != ZCLOSING)
            s->lost++;
        judge_failure("zokor_queue_take", rc);
        return false;
    }
    *number = item->count == 1 ? strtoul(item->parts[0].data, NULL, 10) : SIZE_MAX;
    if (*number >= s->count) {
        world_wrong("queue.item", "%s of %s is nothing that was put", item->name, kinds[queue].path);
        zokor_item_free(item);
        return false;
    }
    if (kinds[queue].options.kind == ZOKOR_QUEUE_ID && (item->id == NULL || strncmp(item->id, ID, strlen(ID)) != 0 ||
                                                        strtoul(item->id + strlen(ID), NULL, 10) != *number))
        world_wrong("queue.id", "item %zu has the id %s", *number, item->id == NULL ? "(none)" : item->id);
    world_count(COUNT_taken);
    world_tell("item %zu is taken, %s of %s", *number, item->name, kinds[queue].path);
    s->things[*number].taken++;
    judge_taken(o, &s->things[*number], item);
    return true;
}

static void finish(struct one *o, int queue, struct zokor_item *item, size_t number)
{
    struct state *s = o->app->w->state;
    int64_t key = key_of(queue, item);
    not_held(o, queue, item);
    if (has_lock(queue) && dice_one_in(&o->app->dice, 8)) {
        int rc = zokor_queue_again(o->queues[queue], item);
        if (rc != ZOK && rc != ZNONODE)
            judge_failure("zokor_queue_again", rc);
        return;
    }
    int rc = zokor_queue_done(o->queues[queue], item);
    world_tell("item %zu is done: %d", number, rc);
    const struct node *n = find_node(s, queue, key);
    if (rc == ZOK && has_lock(queue) && n->held && n->app != o->app && world_session_lives(n->session_id))
        world_wrong("queue.ended", "program %u has done item %zu of %s, which program %u holds", o->app->index, number,
                    kinds[queue].path, n->app->index);
    if (rc == ZOK) {
        s->things[number].done++;
        world_count(COUNT_done);
    } else if (rc != ZNONODE) {
        s->unsure++;
        judge_failure("zokor_queue_done", rc);
    }
}

static void *thread(void *arg)
{
    struct one *o = arg;
    struct dice *d = &o->app->dice;
    while (app_goes_on()) {
        int queue = (int)dice_between(d, 0, QUEUES - 1);
        struct zokor_item item;
        size_t number;
        if (kinds[queue].options.kind == ZOKOR_QUEUE_ID && dice_one_in(d, 4)) {
            remove_one(o, queue);
        } else if (dice_one_in(d, 3)) {
            put(o, queue);
        } else if (take(o, queue, (int)dice_between(d, 0, 2000), &item, &number)) {
            app_rest(dice_one_in(d, 20) ? 3000000 : 50000);
            finish(o, queue, &item, number);
        }
        app_rest(200000);
    }
    return NULL;
}

/* The last one takes what there still is. */
static void drain(struct one *o, int queue)
{
    struct state *s = o->app->w->state;
    int last = INT32_MIN;
    for (;;) {
        struct zokor_item item;
        size_t number;
        int timeout_ms = kinds[queue].options.kind == ZOKOR_QUEUE_DELAY ? 4000 : 500; /* nothing is put any more */
        if (!take(o, queue, timeout_ms, &item, &number))
            return;
        const struct thing *t = &s->things[number];
        if (kinds[queue].options.kind == ZOKOR_QUEUE_PRIORITY && t->priority < last)
            world_wrong("queue.order", "item %zu with priority %d comes after one with %d", number, t->priority, last);
        last = t->priority;
        not_held(o, queue, &item);
        int rc = zokor_queue_done(o->queues[queue], &item);
        world_tell("item %zu is done: %d", number, rc);
        if (rc == ZOK)
            s->things[number].done++;
        else
            s->unsure++;
    }
}

static void look(void *context)
{
    struct one *o = context;
    if (o->app->index != 0)
        return;
    for (int i = 0; i < QUEUES; i++)
        drain(o, i);
}

static void run(struct app *a)
{
    struct one ones[THREADS];
    struct zokor_framework *f = program_open(a);
    ones[0] = (struct one){ .app = a, .f = f };
    for (int i = 0; i < QUEUES; i++)
        ones[0].queues[i] = zokor_queue_new(f, kinds[i].path, &kinds[i].options);
    ones[1] = ones[0];
    program_threads(THREADS, thread, ones, sizeof ones[0]);
    app_meet(look, &ones[0]);
    for (int i = 0; i < QUEUES; i++)
        zokor_queue_free(ones[0].queues[i]);
    (void)zokor_framework_close(f);
}

static void crashed(struct app *a)
{
    struct state *s = a->w->state;
    s->lost += THREADS;
    s->unsure += THREADS;
}

/* Without locks an item goes, too, when the reply to its removal is lost. */
static void judge_end(struct world *w, const struct model *m)
{
    const struct state *s = w->state;
    uint64_t gone = 0, undone = 0, may_go = s->lost + w->breaks * THREADS;
    for (size_t i = 0; i < s->count; i++) {
        const struct thing *t = &s->things[i];
        if (has_lock(t->queue) && t->put && t->taken == 0 && !t->removed)
            world_wrong("queue.lost", "item %zu of %s was put and nobody has got it", i, kinds[t->queue].path);
        gone += !has_lock(t->queue) && t->put && t->taken == 0;
        undone += has_lock(t->queue) && t->taken != 0 && t->done == 0 && !t->removed;
    }
    if (gone > may_go)
        world_wrong("queue.lost", "%llu items were put and nobody has got them, %llu at most may be lost",
                    (unsigned long long)gone, (unsigned long long)may_go);
    if (undone > s->unsure)
        world_wrong("queue.undone", "%llu items were taken and never done, %llu at most may be so",
                    (unsigned long long)undone, (unsigned long long)s->unsure);
    for (int i = 0; i < QUEUES; i++) {
        judge_empty(m, kinds[i].path);
        if (kinds[i].options.lock_path != NULL)
            judge_empty(m, kinds[i].options.lock_path);
    }
}

const struct work work_queue = { .name = "queue",
                                 .help = "programs put and take, with locks and without, by priority and by time",
                                 .begin = begin,
                                 .end = end,
                                 .run = run,
                                 .crashed = crashed,
                                 .judge_end = judge_end };
