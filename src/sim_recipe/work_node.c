/* node: each program has a node that stays, is in a group and has registered a service; nodes are deleted under their
 * hands. At rest everything is there and everybody knows everybody, and a provider chooses among all that have not
 * failed; in the end nothing is left. */
#include "base/mem.h"
#include "sim_recipe/holds.h"
#include "sim_recipe/program.h"
#include "sim_recipe/works.h"
#include <stdio.h>
#include <stdlib.h>
#include <zokor/discovery.h>
#include <zokor/node.h>

#define NODES "/nodes"
#define GROUP "/group"
#define SERVICES "/services"
#define SERVICE "web"
#define CHOICES_MAX 16 /* more than there are programs */
#define ROUNDS 2

struct mine {
    struct app *app;
    struct zokor_framework *f;
    char id[8], path[20], data[24];
    struct zokor_persistent_node *node;
    struct zokor_group *group;
    struct zokor_discovery *discovery;
    struct zokor_service_cache *services;
    struct zokor_provider *provider;
    enum zokor_strategy strategy;
    bool registered;
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

static void draw_data(struct mine *m)
{
    (void)snprintf(m->data, sizeof m->data, "%llx-%d", (unsigned long long)m->app->life,
                   (int)dice_between(&m->app->dice, 0, 1000000));
}

/* Which one is chosen; -1: none. */
static int choose(struct mine *m)
{
    struct zokor_instance *i;
    int rc = zokor_provider_get(m->provider, &i);
    if (rc == ZNONODE)
        return -1;
    int which = rc == ZOK ? (int)strtoul(i->id, NULL, 10) : INT32_MAX;
    if (which >= (int)m->app->w->app_count)
        world_wrong("provider.unknown", "program %u is given instance %s (%d)", m->app->index, rc == ZOK ? i->id : "",
                    rc);
    zokor_instance_free(i);
    world_count(COUNT_chosen);
    return which;
}

static void do_something(struct mine *m)
{
    struct dice *d = &m->app->dice;
    char path[40];
    unsigned other = (unsigned)dice_between(d, 0, m->app->w->app_count - 1);
    switch (dice_between(d, 0, 5)) {
    case 0:
        draw_data(m);
        zokor_persistent_node_set_data(m->node, m->data, (int)strlen(m->data));
        zokor_group_set_data(m->group, m->data, (int)strlen(m->data));
        return;
    case 1:
        (void)snprintf(path, sizeof path, NODES "/%u", other);
        break;
    case 2:
        (void)snprintf(path, sizeof path, GROUP "/%u", other);
        break;
    case 3:
        (void)snprintf(path, sizeof path, SERVICES "/" SERVICE "/%u", other);
        break;
    case 4:
        (void)choose(m);
        return;
    default:
        return;
    }
    (void)zokor_framework_delete(m->f, path, ZOKOR_QUIETLY);
}

/* Whatever is not watched any more comes to light. */
static void delete_all(struct mine *m)
{
    static const char *const folders[] = { NODES, GROUP, SERVICES "/" SERVICE };
    for (size_t i = 0; i < ARRAY_COUNT(folders); i++)
        for (uint32_t other = 0; other < m->app->w->app_count; other++) {
            char path[40];
            (void)snprintf(path, sizeof path, "%s/%u", folders[i], other);
            (void)zokor_framework_delete(m->f, path, ZOKOR_QUIETLY);
        }
}

static void look_node(struct mine *m)
{
    struct Stat stat;
    char *data;
    int n;
    int rc = zokor_framework_get(m->f, m->path, &data, &n, &stat);
    if (rc != ZOK)
        world_wrong("node.gone", "%s of program %u is not there at rest: %d", m->path, m->app->index, rc);
    else if (stat.ephemeralOwner != zokor_framework_session_id(m->f))
        world_wrong("node.owner", "%s is of session 0x%llx, program %u has 0x%llx", m->path,
                    (unsigned long long)stat.ephemeralOwner, m->app->index,
                    (unsigned long long)zokor_framework_session_id(m->f));
    else if (n != (int)strlen(m->data) || memcmp(data, m->data, (size_t)n) != 0)
        world_wrong("node.data", "%s has data %s, program %u has given it %s", m->path, data == NULL ? "" : data,
                    m->app->index, m->data);
    free(data);
    world_count(COUNT_compared);
}

static void look_group(struct mine *m)
{
    struct zokor_member *members;
    int count = 0;
    (void)zokor_group_members(m->group, &members, &count);
    if (count != (int)m->app->w->app_count)
        world_wrong("group.members", "program %u knows %d members of %u at rest", m->app->index, count,
                    m->app->w->app_count);
    for (int i = 0; i < count; i++) {
        const struct mine *other = m->app->w->apps[strtoul(members[i].id, NULL, 10)].own;
        if (strcmp(members[i].data == NULL ? "" : members[i].data, other->data) != 0)
            world_wrong("group.data", "program %u knows member %s with %s, it is %s", m->app->index, members[i].id,
                        members[i].data, other->data);
    }
    zokor_members_free(members, count);
}

static void look_services(struct mine *m)
{
    struct zokor_instance **instances = NULL;
    int count = 0, rc = zokor_discovery_instances(m->discovery, SERVICE, &instances, &count);
    if (rc != ZOK || count != (int)m->app->w->app_count)
        world_wrong("discovery.instances", "program %u finds %d instances of %u at rest (%d)", m->app->index, count,
                    m->app->w->app_count, rc);
    zokor_instances_free(instances, count);
    instances = NULL;
    count = 0;
    rc = zokor_service_cache_instances(m->services, &instances, &count);
    if (rc != ZOK || count != (int)m->app->w->app_count)
        world_wrong("discovery.cache", "program %u knows %d instances of %u at rest (%d)", m->app->index, count,
                    m->app->w->app_count, rc);
    zokor_instances_free(instances, count);
}

/* All instances are there, and `down`, if it is one, has failed: how often each is chosen. */
static void look_choice(struct mine *m, int down)
{
    int n = (int)m->app->w->app_count, up = n - (down >= 0), chosen[CHOICES_MAX] = { 0 }, different = 0;
    for (int i = 0; i < up * ROUNDS; i++) {
        int which = choose(m);
        if (which < 0 || which == down)
            world_wrong("provider.choice", "program %u is given instance %d of %d, and %d is down", m->app->index,
                        which, n, down);
        else if (which < CHOICES_MAX)
            chosen[which]++;
    }
    for (int i = 0; i < n && i < CHOICES_MAX; i++) {
        different += chosen[i] != 0;
        if (m->strategy == ZOKOR_ROUND_ROBIN && i != down && chosen[i] != ROUNDS)
            world_wrong("provider.round", "program %u is given instance %d %d times in %d rounds", m->app->index, i,
                        chosen[i], ROUNDS);
    }
    if (m->strategy == ZOKOR_STICKY && different != 1)
        world_wrong("provider.sticky", "program %u is given %d instances, and sticks to one", m->app->index, different);
}

static void look_provider(struct mine *m)
{
    int down = (int)dice_between(&m->app->dice, 0, m->app->w->app_count - 1);
    char id[8];
    look_choice(m, -1);
    (void)snprintf(id, sizeof id, "%d", down);
    zokor_provider_note_error(m->provider, id);
    look_choice(m, -1);
    zokor_provider_note_error(m->provider, id);
    look_choice(m, down);
}

static void look(void *context)
{
    struct mine *m = context;
    const struct zokor_request sync = { .operation = ZOKOR_SYNC, .path = NODES };
    if (zokor_framework_do(m->f, &sync, NULL) != ZOK)
        return;
    look_node(m);
    look_group(m);
    look_services(m);
    look_provider(m);
}

static void enlist(struct mine *m)
{
    m->discovery = zokor_discovery_new(m->f, SERVICES);
    struct zokor_instance i = { .name = (char *)(uintptr_t)SERVICE, .id = m->id, .port = 80 };
    int rc = zokor_discovery_register(m->discovery, &i);
    if (rc != ZOK)
        judge_failure("zokor_discovery_register", rc);
    m->services = zokor_service_cache_start(m->discovery, SERVICE, NULL, NULL);
    m->strategy = (enum zokor_strategy)dice_between(&m->app->dice, ZOKOR_ROUND_ROBIN, ZOKOR_STICKY);
    m->provider =
        zokor_provider_start(m->discovery, SERVICE, &(struct zokor_provider_options){ .strategy = m->strategy });
}

static void run(struct app *a)
{
    struct mine m = { .app = a, .f = program_open(a) };
    (void)snprintf(m.id, sizeof m.id, "%u", a->index);
    (void)snprintf(m.path, sizeof m.path, NODES "/%u", a->index);
    a->own = &m;
    draw_data(&m);
    m.node = zokor_persistent_node_start(m.f, m.path, ZOO_EPHEMERAL, 0, m.data, (int)strlen(m.data));
    m.group = zokor_group_join(m.f, GROUP, m.id, m.data, (int)strlen(m.data));
    enlist(&m);
    while (app_goes_on()) {
        do_something(&m);
        app_rest(300000);
    }
    delete_all(&m);
    app_meet(look, &m);
    zokor_provider_close(m.provider);
    zokor_service_cache_close(m.services);
    zokor_discovery_free(m.discovery);
    zokor_group_leave(m.group);
    zokor_persistent_node_close(m.node);
    (void)zokor_framework_close(m.f);
}

static void judge_end(struct world *w, const struct model *m)
{
    (void)w;
    judge_empty(m, NODES);
    judge_empty(m, GROUP);
    judge_empty(m, SERVICES "/" SERVICE);
}

const struct work work_node = { .name = "node",
                                .help = "each program has a node that stays, is in a group and has a service",
                                .begin = begin,
                                .end = end,
                                .run = run,
                                .judge_end = judge_end };
