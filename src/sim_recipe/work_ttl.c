/* ttl: programs have nodes that live as long as somebody touches them, two programs each; they stop and begin again,
 * and the nodes are deleted under their hands. At rest the nodes are there, with their data, and are touched; when all
 * programs have closed them the servers delete them in their time (Curator's PersistentTtlNode). */
#include "sim_recipe/holds.h"
#include "sim_recipe/program.h"
#include "sim_recipe/works.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zokor/node.h>

#define NODES "/ttl"
#define SHARERS 2u
#define TTL_MS_MIN 4000
#define TTL_MS_MAX 8000
#define HEAL_MS 120000
#define SLACK_MS 5000 /* what was under way when it was closed */

struct mine {
    struct app *app;
    struct zokor_framework *f;
    struct zokor_ttl_node *node;
    int64_t ttl_ms;
    char path[24], touch[32], data[16];
};

static void *begin(struct world *w)
{
    (void)w;
    return NULL;
}

static void end(void *state)
{
    (void)state;
}

/* Who shares a node gives it the same time to live: that of its first touch counts. */
static void name(struct mine *m, uint32_t number)
{
    struct dice d = dice_of(m->app->w->c->opt.seed, "time to live", number);
    m->ttl_ms = dice_between(&d, TTL_MS_MIN, TTL_MS_MAX);
    (void)snprintf(m->path, sizeof m->path, NODES "/%u", number);
    (void)snprintf(m->touch, sizeof m->touch, "%s/touch", m->path);
    (void)snprintf(m->data, sizeof m->data, "data %u", number);
}

static void open_node(struct mine *m)
{
    m->node = zokor_ttl_node_start(m->f, m->path, m->ttl_ms, m->data, (int)strlen(m->data));
}

static void close_node(struct mine *m)
{
    zokor_ttl_node_close(m->node);
    m->node = NULL;
}

static void remove_both(struct mine *m)
{
    (void)zokor_framework_delete(m->f, m->touch, ZOKOR_QUIETLY);
    (void)zokor_framework_delete(m->f, m->path, ZOKOR_QUIETLY);
}

static void do_something(struct mine *m)
{
    struct dice *d = &m->app->dice;
    int rc;
    switch (dice_between(d, 0, 6)) {
    case 0:
        (void)zokor_framework_delete(m->f, m->touch, ZOKOR_QUIETLY);
        return;
    case 1:
        remove_both(m);
        return;
    case 2:
        close_node(m);
        if (dice_one_in(d, 2)) /* long enough for the servers, now and then */
            (void)fiber_sleep(NULL, world_now_us() + dice_between(d, m->ttl_ms / 2, m->ttl_ms * 2) * 1000);
        open_node(m);
        return;
    case 3:
        rc = zokor_ttl_node_wait(m->node, (int)dice_between(d, 0, m->ttl_ms));
        if (rc != ZOK)
            judge_failure("zokor_ttl_node_wait", rc);
        return;
    default:
        return;
    }
}

/* The connection may fail now: that says nothing. */
static bool says_nothing(int rc)
{
    return rc != ZOK && rc != ZNONODE;
}

static bool look_touch(struct mine *m, struct Stat *stat)
{
    int rc = zokor_framework_exists(m->f, m->touch, stat);
    if (says_nothing(rc))
        return false;
    if (rc == ZNONODE)
        world_wrong("ttl.touch", "%s is not there at rest, program %u touches it", m->touch, m->app->index);
    return rc == ZOK;
}

static void look_container(struct mine *m)
{
    char *data = NULL;
    int n = 0, rc = zokor_framework_get(m->f, m->path, &data, &n, NULL);
    if (rc == ZNONODE)
        world_wrong("ttl.gone", "%s is not there at rest, program %u has it", m->path, m->app->index);
    else if (rc == ZOK && (n != (int)strlen(m->data) || memcmp(data, m->data, (size_t)n) != 0))
        world_wrong("ttl.data", "%s has data %s, program %u has given it %s", m->path, data == NULL ? "" : data,
                    m->app->index, m->data);
    free(data);
    world_count(COUNT_compared);
}

/* The same node is there one time to live later, and was touched. */
static void look(void *context)
{
    struct mine *m = context;
    const struct zokor_request sync = { .operation = ZOKOR_SYNC, .path = NODES };
    struct Stat before, after;
    if (m->app->is_hasty || zokor_framework_do(m->f, &sync, NULL) != ZOK)
        return;
    look_container(m);
    if (!look_touch(m, &before))
        return;
    (void)fiber_sleep(NULL, world_now_us() + m->ttl_ms * 1000);
    if (zokor_framework_do(m->f, &sync, NULL) != ZOK || !look_touch(m, &after))
        return;
    if (after.czxid != before.czxid)
        world_wrong("ttl.again", "%s was deleted at rest, program %u touches it", m->touch, m->app->index);
    else if (after.version <= before.version)
        world_wrong("ttl.untouched", "%s was not touched for %lld ms", m->touch, (long long)m->ttl_ms);
}

/* It is touched no more: the servers delete it, its container when they look again, and then the folder, so that
 * nothing is under way when the simulation ends. */
static void outlive(const struct mine *m)
{
    int64_t reap_ms = opt(m->app->w->c, OPT_reap_ms);
    (void)fiber_sleep(NULL, world_now_us() + (m->ttl_ms + 3 * reap_ms + SLACK_MS) * 1000);
}

static void run(struct app *a)
{
    struct mine m = { .app = a, .f = program_open(a) };
    name(&m, a->index / SHARERS);
    open_node(&m);
    while (app_goes_on()) {
        do_something(&m);
        app_rest(600000);
    }
    if (dice_one_in(&a->dice, 2))
        remove_both(&m);
    app_meet(look, &m);
    close_node(&m);
    bool stays = a->is_hasty || dice_one_in(&a->dice, 2);
    if (!stays)
        (void)zokor_framework_close(m.f);
    outlive(&m);
    if (stays)
        (void)zokor_framework_close(m.f);
}

static void judge_end(struct world *w, const struct model *m)
{
    (void)w;
    judge_empty(m, NODES);
}

const struct work work_ttl = { .name = "ttl",
                               .heal_ms = HEAL_MS,
                               .help = "two programs each touch a node, which lives as long as they do",
                               .begin = begin,
                               .end = end,
                               .run = run,
                               .judge_end = judge_end };
