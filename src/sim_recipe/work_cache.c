/* cache: all programs change a small tree and keep copies of it, whole and in part. At rest a copy is what the servers
 * hold, and the events that were told lead to it. */
#include "base/mem.h"
#include "sim_recipe/holds.h"
#include "sim_recipe/program.h"
#include "sim_recipe/works.h"
#include <stdio.h>
#include <stdlib.h>
#include <zokor/cache.h>

#define ROOT "/tree"
#define WIDTH 4
#define PLACES (1 + WIDTH + WIDTH * WIDTH) /* the root, its children and theirs */
#define COPIES 3

/* What the events of one copy have told. */
struct copy {
    struct app *app;
    struct zokor_framework *f;
    enum zokor_cache_kind kind;
    const char *path;
    struct zokor_cache *cache;
    int64_t mzxid[PLACES]; /* 0: is not there */
    bool initialized;
};

static void put_place(char to[20], int place)
{
    if (place == 0)
        (void)snprintf(to, 20, ROOT);
    else if (place <= WIDTH)
        (void)snprintf(to, 20, ROOT "/%d", place - 1);
    else
        (void)snprintf(to, 20, ROOT "/%d/%d", (place - 1 - WIDTH) / WIDTH, (place - 1 - WIDTH) % WIDTH);
}

static int place_of(const char *path)
{
    char text[20];
    for (int i = 0; i < PLACES; i++) {
        put_place(text, i);
        if (strcmp(text, path) == 0)
            return i;
    }
    world_wrong("cache.path", "a cache tells of %s", path);
    return 0;
}

static bool covers(const struct copy *c, const char *path)
{
    size_t n = strlen(c->path);
    bool is = strcmp(path, c->path) == 0, below = strncmp(path, c->path, n) == 0 && path[n] == '/';
    switch (c->kind) {
    case ZOKOR_CACHE_NODE:
        return is;
    case ZOKOR_CACHE_CHILDREN:
        return below && strchr(path + n + 1, '/') == NULL;
    case ZOKOR_CACHE_TREE:
        break;
    }
    return is || below;
}

static void told(struct zokor_cache *cache, const struct zokor_cache_event *e, void *context)
{
    struct copy *c = context;
    (void)cache;
    world_count(COUNT_events);
    if (e->type == ZOKOR_CACHE_INITIALIZED) {
        if (c->initialized)
            world_wrong("cache.initialized", "a cache says twice that it has begun");
        c->initialized = true;
        return;
    }
    const struct zokor_cache_node *n = e->now != NULL ? e->now : e->old;
    int64_t *mzxid = &c->mzxid[place_of(n->path)];
    if (!covers(c, n->path))
        world_wrong("cache.path", "a cache of %s tells of %s", c->path, n->path);
    if ((e->type == ZOKOR_CACHE_CREATED) != (*mzxid == 0))
        world_wrong("cache.event", "%s: event %d, and it %s there before", n->path, (int)e->type,
                    *mzxid == 0 ? "was not" : "was");
    if (e->old != NULL && e->old->stat.mzxid != *mzxid)
        world_wrong("cache.event", "%s: event %d tells that it was of 0x%llx, before it was of 0x%llx", n->path,
                    (int)e->type, (unsigned long long)e->old->stat.mzxid, (unsigned long long)*mzxid);
    if (e->now != NULL && e->now->stat.mzxid <= *mzxid)
        world_wrong("cache.event", "%s: event %d goes back from 0x%llx to 0x%llx", n->path, (int)e->type,
                    (unsigned long long)*mzxid, (unsigned long long)e->now->stat.mzxid);
    *mzxid = e->now == NULL ? 0 : e->now->stat.mzxid;
}

static void *begin(struct world *w)
{
    (void)w;
    return NULL;
}

static void end(void *state)
{
    (void)state;
}

/* One change of one node. */
static void change(struct app *a, struct zokor_framework *f)
{
    struct dice *d = &a->dice;
    char path[20], data[20];
    put_place(path, (int)dice_between(d, 1, PLACES - 1));
    int n = snprintf(data, sizeof data, "%d", (int)dice_between(d, 0, 1000000)), rc;
    switch (dice_between(d, 0, 2)) {
    case 0:
        rc = zokor_framework_create(f, path, data, n, ZOO_PERSISTENT, 0, NULL);
        break;
    case 1:
        rc = zokor_framework_set(f, path, data, n, -1);
        break;
    default:
        rc = zokor_framework_delete(f, path, dice_one_in(d, 4) ? ZOKOR_RECURSIVE : 0);
    }
    if (rc == ZOK)
        world_count(COUNT_changes);
    else if (rc != ZNONODE && rc != ZNODEEXISTS && rc != ZNOTEMPTY)
        judge_failure("a change", rc);
}

/* The copy, what its events have told, and the servers. */
static void compare(struct copy *c, int place)
{
    char path[20], *data = NULL, *copied = NULL;
    int n = 0, copied_n = 0;
    struct Stat stat = { 0 }, copied_stat = { 0 };
    put_place(path, place);
    int rc = zokor_framework_get(c->f, path, &data, &n, &stat);
    int copied_rc = zokor_cache_get(c->cache, path, &copied, &copied_n, &copied_stat);
    bool there = rc == ZOK && covers(c, path);
    int64_t mzxid = there ? stat.mzxid : 0;
    world_count(COUNT_compared);
    if (rc != ZOK && rc != ZNONODE)
        judge_failure("zokor_framework_get", rc);
    else if (there != (copied_rc == ZOK) || (there && (stat.mzxid != copied_stat.mzxid || n != copied_n ||
                                                       (n > 0 && memcmp(data, copied, (size_t)n) != 0))))
        world_wrong("cache.differs",
                    "program %u's copy of %s has %s at 0x%llx (%d), the servers have it at 0x%llx (%d)", c->app->index,
                    c->path, path, (unsigned long long)copied_stat.mzxid, copied_rc, (unsigned long long)mzxid, rc);
    else if (c->mzxid[place] != mzxid)
        world_wrong("cache.untold", "program %u's copy of %s was told of %s at 0x%llx last, it is at 0x%llx",
                    c->app->index, c->path, path, (unsigned long long)c->mzxid[place], (unsigned long long)mzxid);
    free(data);
    free(copied);
}

static void look(void *context)
{
    struct copy *copies = context;
    const struct zokor_request sync = { .operation = ZOKOR_SYNC, .path = ROOT };
    if (zokor_framework_do(copies[0].f, &sync, NULL) != ZOK)
        return;
    for (int i = 0; i < COPIES; i++)
        for (int place = 0; place < PLACES && copies[i].cache != NULL; place++)
            compare(&copies[i], place);
}

static void start(struct copy *c)
{
    c->cache = zokor_cache_new(c->f, c->path, &(struct zokor_cache_options){ .kind = c->kind });
    zokor_cache_listen(c->cache, told, c);
    (void)zokor_cache_start(c->cache);
}

static void run(struct app *a)
{
    struct zokor_framework *f = program_open(a);
    struct copy copies[COPIES] = { { .app = a, .f = f, .kind = ZOKOR_CACHE_TREE, .path = ROOT },
                                   { .app = a, .f = f, .kind = ZOKOR_CACHE_NODE, .path = ROOT "/0" },
                                   { .app = a, .f = f, .kind = ZOKOR_CACHE_CHILDREN, .path = ROOT "/1" } };
    (void)zokor_framework_create(f, ROOT, NULL, 0, ZOO_PERSISTENT, 0, NULL);
    for (int i = 0; i < COPIES; i++)
        start(&copies[i]);
    while (app_goes_on()) {
        change(a, f);
        app_rest(150000);
        struct copy *c = &copies[dice_between(&a->dice, 0, COPIES - 1)];
        if (dice_one_in(&a->dice, 60)) { /* another one in its place */
            zokor_cache_close(c->cache);
            memset(c->mzxid, 0, sizeof c->mzxid);
            c->initialized = false;
            start(c);
        }
    }
    (void)zokor_framework_create(f, ROOT, NULL, 0, ZOO_PERSISTENT, 0, NULL);
    app_meet(look, copies);
    for (int i = 0; i < COPIES; i++)
        zokor_cache_close(copies[i].cache);
    (void)zokor_framework_close(f);
}

static void judge_end(struct world *w, const struct model *m)
{
    (void)w;
    (void)m;
}

const struct work work_cache = { .name = "cache",
                                 .help = "programs change a tree and keep copies of it",
                                 .begin = begin,
                                 .end = end,
                                 .run = run,
                                 .judge_end = judge_end };
