/* The C half of contests about what both programs have at once: numbers, values, queues, groups, services, caches. */
#include "contender.h"
#include <time.h>
#include <zokor/atomic.h>
#include <zokor/cache.h>
#include <zokor/discovery.h>
#include <zokor/node.h>
#include <zokor/queue.h>
#include <zokor/shared.h>

#define DELAY_MS 100
#define KEYS 5

/* What one side got nobody else may get. */
static void got(const char *what)
{
    char tail[96];
    snprintf(tail, sizeof(tail), "/got/%s", what);
    EQ(ZOK, zokor_framework_create(f, at(tail), ME, 1, 0, ZOKOR_PARENTS, NULL));
}

static void got_number(int64_t n)
{
    char text[32];
    snprintf(text, sizeof(text), "%lld", (long long)n);
    got(text);
}

void atomic_number(void)
{
    char *lock = strdup(at("/promoted"));
    const struct zokor_atomic_options o = { .retry = zokor_retry_n_times(1, 1),
                                            .lock_path = lock,
                                            .lock_timeout_ms = CONTEST_WAIT_MS,
                                            .lock_retry = zokor_retry_n_times(1000, 1) };
    int64_t before, now;
    for (int i = 0; i < rounds; i++) {
        EQ(ZOK, zokor_atomic_long_add(f, at("/n"), &o, 1, &before, NULL));
        got_number(before + 1);
    }
    meet("added");
    EQ(ZOK, zokor_atomic_long_get(f, at("/n"), &now));
    EQ(2 * rounds, now);
    EQ(2 * rounds, count_children(f, at("/got")));
    free(lock);
}

void shared_count(void)
{
    int rc, version;
    struct zokor_shared_count *c = zokor_shared_count_new(f, at("/lock"), 0, NULL, NULL, &rc);
    EQ(ZOK, rc);
    for (int i = 0; i < rounds; i++) {
        int32_t now = zokor_shared_count_get(c, &version);
        while ((rc = zokor_shared_count_try_set(c, version, now + 1)) == ZBADVERSION)
            now = zokor_shared_count_get(c, &version);
        EQ(ZOK, rc);
        got_number(now + 1);
    }
    EVENTUALLY(zokor_shared_count_get(c, NULL) == 2 * rounds);
    zokor_shared_count_free(c);
}

static bool value_is(struct zokor_shared_value *v, const char *want, int *version)
{
    char *data;
    int n;
    *version = zokor_shared_value_get(v, &data, &n);
    bool same = n == (int)strlen(want) && memcmp(data, want, (size_t)n) == 0;
    free(data);
    return same;
}

/* Each answers what the other has set. */
void shared_value(void)
{
    int rc, version;
    char want[32] = "seed", mine[32];
    struct zokor_shared_value *v = zokor_shared_value_new(f, at("/value"), "seed", 4, NULL, NULL, &rc);
    EQ(ZOK, rc);
    for (int i = 0; i < rounds; i++) {
        EVENTUALLY(value_is(v, want, &version));
        int n = snprintf(mine, sizeof(mine), ME " %d", i);
        EQ(ZOK, zokor_shared_value_try_set(v, version, mine, n));
        snprintf(want, sizeof(want), OTHER " %d", i);
    }
    EVENTUALLY(value_is(v, want, &version));
    zokor_shared_value_free(v);
}

static int64_t wall_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* An item is its key, who put it, and which one it was: "0000000000007-c-007". */
static void put_items(struct zokor_queue *q, enum zokor_queue_kind kind)
{
    for (int i = 0; i < rounds; i++) {
        char id[32], text[64];
        int64_t key = i;
        if (kind == ZOKOR_QUEUE_PRIORITY)
            key = i * 7 % rounds;
        else if (kind == ZOKOR_QUEUE_DELAY)
            key = wall_ms() + DELAY_MS;
        snprintf(id, sizeof(id), ME "-%d", i);
        const struct zokor_put put = { .id = id, .priority = (int)(key % rounds), .not_before = key };
        int n = snprintf(text, sizeof(text), "%013lld-" ME "-%03d", (long long)key, i);
        EQ(ZOK, zokor_queue_put(q, text, n, &put));
    }
}

/* The last key from each side; an item's place is judged by the kind of its queue. */
static void judge_item(enum zokor_queue_kind kind, const char *text, int64_t last[2])
{
    int64_t key = strtoll(text, NULL, 10);
    int from = kind != ZOKOR_QUEUE_PRIORITY && strstr(text, "-" OTHER "-") != NULL;
    if (kind == ZOKOR_QUEUE_DELAY)
        CHECK(key <= wall_ms());
    else
        CHECK(key >= last[from]);
    last[from] = key;
}

/* Nobody goes on to its second item before the other one has had its first. */
static void share_queue(enum zokor_queue_kind kind, const char *locks)
{
    const struct zokor_queue_options o = { .kind = kind, .lock_path = locks == NULL ? NULL : at(locks) };
    struct zokor_queue *q = zokor_queue_new(f, at("/q"), &o);
    struct zokor_item item;
    int64_t last[2] = { -1, -1 };
    int taken = 0;
    CHECK(q != NULL);
    put_items(q, kind);
    meet("put");
    while (count_children(f, at("/got")) < 2 * rounds) {
        int rc = zokor_queue_take(q, &item, REFUSED_MS);
        if (rc == ZOPERATIONTIMEOUT)
            continue;
        EQ(ZOK, rc);
        EQ(1, item.count);
        judge_item(kind, item.parts[0].data, last);
        got(item.parts[0].data);
        if (taken++ == 0) {
            put_mark("/took-" ME);
            EVENTUALLY(is_there("/took-" OTHER));
        }
        if (locks != NULL)
            EQ(ZOK, zokor_queue_done(q, &item));
        else
            zokor_item_free(&item);
    }
    CHECK(taken > 0);
    EVENTUALLY(count_children(f, at("/q")) == 0);
    zokor_queue_free(q);
}

void queue_fifo(void)
{
    share_queue(ZOKOR_QUEUE_FIFO, NULL);
}

void queue_held(void)
{
    share_queue(ZOKOR_QUEUE_FIFO, "/locks");
}

void queue_simple(void)
{
    share_queue(ZOKOR_QUEUE_SIMPLE, NULL);
}

void queue_id(void)
{
    share_queue(ZOKOR_QUEUE_ID, NULL);
}

void queue_priority(void)
{
    share_queue(ZOKOR_QUEUE_PRIORITY, NULL);
}

void queue_delay(void)
{
    share_queue(ZOKOR_QUEUE_DELAY, NULL);
}

/* "c=of c,java=of java" */
static bool members_are(struct zokor_group *g, const char *want)
{
    struct zokor_member *members;
    char text[128] = "";
    int n, len = 0;
    EQ(ZOK, zokor_group_members(g, &members, &n));
    for (int i = 0; i < n && len < (int)sizeof(text); i++) {
        const char *data = members[i].data == NULL ? "" : members[i].data;
        len += snprintf(text + len, sizeof(text) - (size_t)len, "%s%s=%s", i > 0 ? "," : "", members[i].id, data);
    }
    zokor_members_free(members, n);
    return strcmp(text, want) == 0;
}

void group(void)
{
    struct zokor_group *g = zokor_group_join(f, at("/group"), ME, "of c", 4);
    EQ(ZOK, zokor_group_wait(g, CONTEST_WAIT_MS));
    EVENTUALLY(members_are(g, "c=of c,java=of java"));
    meet("both");
    zokor_group_set_data(g, "changed", 7);
    EVENTUALLY(members_are(g, "c=changed,java=changed"));
    meet("changed");
    zokor_group_leave(g);
    meet("alone-" OTHER);
    g = zokor_group_join(f, at("/group"), ME, "again", 5);
    EVENTUALLY(members_are(g, "c=again,java=changed"));
    meet("again");
    EVENTUALLY(members_are(g, "c=again"));
    zokor_group_leave(g);
}

static bool node_is(const char *tail, const char *want, int64_t not_czxid)
{
    struct Stat stat;
    char *data;
    int n;
    int rc = zokor_framework_get(f, at(tail), &data, &n, &stat);
    if (rc == ZNONODE)
        return false;
    EQ(ZOK, rc);
    bool same = n == (int)strlen(want) && memcmp(data, want, (size_t)n) == 0 && stat.czxid != not_czxid;
    free(data);
    return same;
}

/* Each deletes the other's node; then both want one path, and have it one after the other. */
void persistent_node(void)
{
    struct Stat stat;
    struct zokor_persistent_node *n = zokor_persistent_node_start(f, at("/node-" ME), ZOO_EPHEMERAL, 0, "of c", 4);
    EQ(ZOK, zokor_persistent_node_wait(n, CONTEST_WAIT_MS));
    meet("made");
    EQ(ZOK, zokor_framework_exists(f, at("/node-" OTHER), &stat));
    EQ(ZOK, zokor_framework_delete(f, at("/node-" OTHER), 0));
    EVENTUALLY(node_is("/node-" OTHER, "of java", stat.czxid));
    meet("remade");
    zokor_persistent_node_close(n);
    n = zokor_persistent_node_start(f, at("/node"), ZOO_EPHEMERAL, 0, "of c", 4);
    EQ(ZOK, zokor_persistent_node_wait(n, CONTEST_WAIT_MS));
    meet(ME "-has-it");
    meet(OTHER "-wants-it");
    zokor_persistent_node_close(n);
    EVENTUALLY(node_is("/node", "of java", 0));
    n = zokor_persistent_node_start(f, at("/node"), ZOO_EPHEMERAL, 0, "of c", 4);
    meet(ME "-wants-it");
    EVENTUALLY(node_is("/node", "of c", 0));
    meet(ME "-has-it-again"); /* it has to be seen before it goes */
    zokor_persistent_node_close(n);
}

/* "c:1000,java:2000" */
static bool services_are(struct zokor_service_cache *c, const char *want)
{
    struct zokor_instance **instances;
    char text[128] = "";
    int n, len = 0;
    EQ(ZOK, zokor_service_cache_instances(c, &instances, &n));
    for (int i = 0; i < n && len < (int)sizeof(text); i++)
        len += snprintf(text + len, sizeof(text) - (size_t)len, "%s%s:%d", i > 0 ? "," : "", instances[i]->id,
                        instances[i]->port);
    zokor_instances_free(instances, n);
    return strcmp(text, want) == 0;
}

/* In turn: both of them within three. */
static bool provider_has_both(struct zokor_discovery *d)
{
    struct zokor_provider *p = zokor_provider_start(d, "web", NULL);
    bool ours = false, theirs = false;
    EQ(ZOK, zokor_provider_wait(p, CONTEST_WAIT_MS));
    for (int i = 0; i < 3; i++) {
        struct zokor_instance *one;
        EQ(ZOK, zokor_provider_get(p, &one));
        ours |= strcmp(one->id, ME) == 0;
        theirs |= strcmp(one->id, OTHER) == 0;
        zokor_instance_free(one);
    }
    zokor_provider_close(p);
    return ours && theirs;
}

void registry(void)
{
    struct zokor_discovery *d = zokor_discovery_new(f, at("/services"));
    struct zokor_instance mine = { .name = "web", .id = ME, .address = "c-host", .port = 1000, .payload = "\"c\"" };
    struct zokor_service_cache *c = zokor_service_cache_start(d, "web", NULL, NULL);
    EQ(ZOK, zokor_discovery_register(d, &mine));
    EVENTUALLY(services_are(c, "c:1000,java:2000"));
    CHECK(provider_has_both(d));
    meet("both");
    mine.port = 1001;
    EQ(ZOK, zokor_discovery_update(d, &mine));
    EVENTUALLY(services_are(c, "c:1001,java:2001"));
    meet("changed");
    EQ(ZOK, zokor_discovery_unregister(d, "web", ME));
    EVENTUALLY(services_are(c, "java:2001"));
    meet("one-gone");
    EVENTUALLY(services_are(c, ""));
    zokor_service_cache_close(c);
    zokor_discovery_free(d);
}

static void do_something(int i)
{
    char node[32], below[40];
    snprintf(node, sizeof(node), "/data/k%d", i % KEYS);
    snprintf(below, sizeof(below), "%s/s", node);
    int rc = ZOK;
    switch (i % 4) {
    case 0:
        rc = zokor_framework_create(f, at(below), ME, 1, 0, ZOKOR_PARENTS, NULL);
        break;
    case 1:
        rc = zokor_framework_delete(f, at(below), 0);
        break;
    case 2:
        rc = zokor_framework_delete(f, at(node), ZOKOR_RECURSIVE);
        break;
    default:
        rc = zokor_framework_set(f, at(node), below, (int)strlen(below), -1);
    }
    CHECK(rc == ZOK || rc == ZNONODE || rc == ZNODEEXISTS || rc == ZNOTEMPTY);
}

/* How a cache or a server shows one level, and data. */
static int names_of(struct zokor_cache *c, const char *path, struct String_vector *names)
{
    return c != NULL ? zokor_cache_children(c, path, names) : zokor_framework_children(f, path, names);
}

static int data_of(struct zokor_cache *c, const char *path, char **data)
{
    int n;
    return c != NULL ? zokor_cache_get(c, path, data, &n, NULL) : zokor_framework_get(f, path, data, &n, NULL);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* "k1=data k1/s=" and so on, of what is below /data, `levels` deep. */
static void show(struct zokor_cache *c, const char *path, int levels, char *text, size_t size)
{
    struct String_vector names;
    if (levels == 0 || names_of(c, path, &names) != ZOK)
        return;
    qsort(names.data, (size_t)names.count, sizeof(char *), by_name);
    for (int i = 0; i < names.count; i++) {
        char child[320], *data = NULL;
        snprintf(child, sizeof(child), "%s/%s", path, names.data[i]);
        if (data_of(c, child, &data) == ZOK) {
            size_t len = strlen(text);
            snprintf(text + len, size - len, "%s=%s ", child, data == NULL ? "" : data);
        }
        free(data);
        show(c, child, levels - 1, text, size);
    }
    deallocate_String_vector(&names);
}

static bool is_same(struct zokor_cache *c, int levels)
{
    char cached[4096] = "", real[4096] = "";
    show(c, at("/data"), levels, cached, sizeof(cached));
    show(NULL, at("/data"), levels, real, sizeof(real));
    return strcmp(cached, real) == 0;
}

/* Both change the same nodes, and the caches of both end as what is there. Each cache has a path of its own: Apache's
 * servers before 3.9 keep one kind of watch for a path and a session (ZOOKEEPER-4466). */
static struct zokor_cache *change_with_cache(enum zokor_cache_kind kind)
{
    struct zokor_cache *c = zokor_cache_new(f, at("/data"), &(struct zokor_cache_options){ .kind = kind });
    EQ(ZOK, zokor_cache_start(c));
    prepare("/data", "");
    meet("made");
    for (int i = 0; i < 4 * rounds; i++)
        do_something(i * 3);
    put_mark("/data/last-" ME);
    meet("written");
    EQ(ZOK, zokor_framework_set(f, at("/data/last-" ME), "end", 3, -1));
    EQ(ZOK, zokor_framework_set(f, at("/data"), ME, 1, -1));
    meet("set");
    return c;
}

void cache_tree(void)
{
    struct zokor_cache *c = change_with_cache(ZOKOR_CACHE_TREE);
    EVENTUALLY(is_same(c, 3));
    zokor_cache_close(c);
}

void cache_children(void)
{
    struct zokor_cache *c = change_with_cache(ZOKOR_CACHE_CHILDREN);
    EVENTUALLY(is_same(c, 1));
    zokor_cache_close(c);
}

void cache_node(void)
{
    struct zokor_cache *c = change_with_cache(ZOKOR_CACHE_NODE);
    char *data, *cached = NULL;
    EQ(ZOK, data_of(NULL, at("/data"), &data));
    EVENTUALLY((free(cached), data_of(c, at("/data"), &cached) == ZOK) && strcmp(cached, data) == 0);
    free(cached);
    free(data);
    zokor_cache_close(c);
}

void compressed(void)
{
    static char text[6001];
    struct zokor_result r;
    for (int i = 0; i < 1000; i++)
        memcpy(text + i * 6, "zokor ", 6);
    const struct zokor_request put = {
        .operation = ZOKOR_CREATE, .path = at("/c-data"), .data = text, .data_len = 6000, .flags = ZOKOR_COMPRESSED
    };
    EQ(ZOK, zokor_framework_do(f, &put, NULL));
    meet("compressed");
    const struct zokor_request get = { .operation = ZOKOR_GET, .path = at("/java-data"), .flags = ZOKOR_COMPRESSED };
    EQ(ZOK, zokor_framework_do(f, &get, &r));
    EQ(6000, r.data_len);
    CHECK(memcmp(text, r.data, 6000) == 0);
    zokor_result_clear(&r);
}
