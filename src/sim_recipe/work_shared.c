/* shared: programs change a value that all of them see (Curator's SharedValue). Each is told of values that somebody
 * has written, in the order of their versions, all of them the same one for a version; at rest each has been told what
 * the servers hold, whoever wrote it. */
#include "base/mem.h"
#include "sim_recipe/holds.h"
#include "sim_recipe/program.h"
#include "sim_recipe/works.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zokor/shared.h>

#define VALUE "/shared/value"
#define SEED "seed"
#define VALUES_MAX 4096
#define VALUE_BYTES 24

struct state {
    char written[VALUES_MAX][VALUE_BYTES]; /* or perhaps: before each attempt */
    size_t written_count;
    char seen[VALUES_MAX][VALUE_BYTES]; /* by version; empty: not yet */
};

struct mine {
    struct app *app;
    struct zokor_framework *f;
    struct zokor_shared_value *value;
    int number, got; /* the version that it has seen last */
    int first, told; /* versions: what it began with at most, what it was told last; -1: nothing yet */
};

static void *begin(struct world *w)
{
    struct state *s = mem_zalloc(sizeof *s);
    (void)w;
    (void)snprintf(s->written[s->written_count++], VALUE_BYTES, "%s", SEED);
    return s;
}

static void end(void *state)
{
    mem_free(state);
}

static void see(const struct app *a, int version, const char *data)
{
    struct state *s = a->w->state;
    bool known = false;
    if (version < 0 || version >= VALUES_MAX) {
        world_wrong("shared.version", "program %u sees version %d", a->index, version);
        return;
    }
    for (size_t i = 0; i < s->written_count && !known; i++)
        known = strcmp(s->written[i], data) == 0;
    if (!known)
        world_wrong("shared.unwritten", "program %u sees value %s, and nobody wrote it", a->index, data);
    else if (s->seen[version][0] == 0)
        (void)snprintf(s->seen[version], VALUE_BYTES, "%s", data);
    else if (strcmp(s->seen[version], data) != 0)
        world_wrong("shared.differs", "program %u sees version %d as %s, it was seen as %s", a->index, version, data,
                    s->seen[version]);
}

static void told(struct zokor_shared_value *v, const void *data, int data_len, int version, void *context)
{
    struct mine *m = context;
    (void)v;
    (void)data_len;
    world_tell("told version %d, %s", version, (const char *)data);
    if (version <= m->told)
        world_wrong("shared.order", "program %u is told version %d after %d", m->app->index, version, m->told);
    m->told = version;
    see(m->app, version, data);
    world_count(COUNT_told);
}

static int seen_now(struct mine *m)
{
    char *data;
    int n, version = zokor_shared_value_get(m->value, &data, &n);
    if (version < m->got)
        world_wrong("shared.back", "program %u gets version %d after %d", m->app->index, version, m->got);
    m->got = version;
    see(m->app, version, data);
    free(data);
    return version;
}

static void change(struct mine *m, bool any)
{
    struct state *s = m->app->w->state;
    char data[VALUE_BYTES];
    int version = seen_now(m);
    if (s->written_count == VALUES_MAX)
        return;
    (void)snprintf(data, sizeof data, "%u-%llu-%d", m->app->index, (unsigned long long)m->app->life, m->number++);
    memcpy(s->written[s->written_count++], data, sizeof data);
    int rc = any ? zokor_shared_value_set(m->value, data, (int)strlen(data))
                 : zokor_shared_value_try_set(m->value, version, data, (int)strlen(data));
    if (rc == ZBADVERSION && !any)
        world_count(COUNT_refused);
    else if (rc != ZOK)
        judge_failure("zokor_shared_value_set", rc);
    else
        world_count(COUNT_changes);
}

static void look(void *context)
{
    struct mine *m = context;
    const struct zokor_request sync = { .operation = ZOKOR_SYNC, .path = VALUE };
    struct Stat stat;
    if (m->app->is_hasty || zokor_framework_do(m->f, &sync, NULL) != ZOK ||
        zokor_framework_exists(m->f, VALUE, &stat) != ZOK)
        return;
    int version = seen_now(m);
    if (version != stat.version)
        world_wrong("shared.stale", "program %u sees version %d at rest, the servers hold %d", m->app->index, version,
                    stat.version);
    else if ((m->told < 0 ? m->first : m->told) != version)
        world_wrong("shared.untold", "program %u was told version %d at last, the servers hold %d", m->app->index,
                    m->told, version);
    world_count(COUNT_compared);
}

static bool open_value(struct mine *m)
{
    int rc;
    m->told = m->got = -1;
    m->value = zokor_shared_value_new(m->f, VALUE, SEED, (int)strlen(SEED), told, m, &rc);
    if (m->value == NULL)
        judge_failure("zokor_shared_value_new", rc);
    else
        m->first = seen_now(m);
    return m->value != NULL;
}

static void run(struct app *a)
{
    struct mine m = { .app = a, .f = program_open(a), .told = -1 };
    while (app_goes_on()) {
        if (m.value == NULL && !open_value(&m))
            app_rest(500000);
        else if (!dice_one_in(&a->dice, 20))
            change(&m, dice_one_in(&a->dice, 3));
        else {
            zokor_shared_value_free(m.value);
            m.value = NULL;
        }
        app_rest(300000);
    }
    app_meet(m.value == NULL ? NULL : look, &m);
    zokor_shared_value_free(m.value);
    (void)zokor_framework_close(m.f);
}

static void judge_end(struct world *w, const struct model *m)
{
    (void)w;
    (void)m;
}

const struct work work_shared = { .name = "shared",
                                  .help = "programs change a value, and all are told",
                                  .begin = begin,
                                  .end = end,
                                  .run = run,
                                  .judge_end = judge_end };
