/* Numbers that many change, nodes that come back, groups. */
#include "check.h"
#include "proxy.h"
#include <zokor/atomic.h>
#include <zokor/node.h>

char base[64];
const char *hosts;
int port;

#define THREADS 4
#define ADDS 50

static _Atomic int locked;

static void *add_many(void *arg)
{
    /* Who has the lock still meets the first tries of all others: on a slow disk many in a row are faster. */
    const struct zokor_atomic_options o = { .retry = zokor_retry_n_times(1, 0),
                                            .lock_path = at("/lock"),
                                            .lock_timeout_ms = WAIT_MS,
                                            .lock_retry = zokor_retry_forever(2) };
    struct zokor_framework *f = open_direct();
    for (int i = 0; i < ADDS; i++) {
        struct zokor_atomic_stats stats;
        EQ(ZOK, zokor_atomic_long_add(f, at("/n"), &o, 1, NULL, &stats));
        atomic_fetch_add(&locked, stats.locked_tries);
    }
    EQ(ZOK, zokor_framework_close(f));
    return arg;
}

static void test_atomic(void)
{
    struct zokor_framework *f = open_direct();
    pthread_t threads[THREADS];
    int64_t v, before;
    int swapped, n;
    int32_t small;
    char *data;
    EQ(ZOK, zokor_atomic_long_get(f, at("/n"), &v));
    EQ(0, v);
    for (int i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, add_many, NULL);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    EQ(ZOK, zokor_atomic_long_get(f, at("/n"), &v));
    EQ(THREADS * ADDS, v);
    printf("%d tries under the lock\n", atomic_load(&locked));
    EQ(ZOK, zokor_atomic_long_compare_and_set(f, at("/n"), NULL, 1, 2, &swapped));
    EQ(0, swapped);
    EQ(ZOK, zokor_atomic_long_compare_and_set(f, at("/n"), NULL, v, -2, &swapped));
    EQ(1, swapped);
    EQ(ZOK, zokor_framework_get(f, at("/n"), &data, &n, NULL));
    EQ(8, n);
    EQ(0, memcmp(data, "\xff\xff\xff\xff\xff\xff\xff\xfe", 8));
    free(data);
    EQ(ZDATAINCONSISTENCY, zokor_atomic_int_add(f, at("/n"), NULL, 1, NULL, NULL));
    EQ(ZOK, zokor_atomic_long_set(f, at("/n"), NULL, 7, &before));
    EQ(-2, before);
    EQ(ZOK, zokor_atomic_int_add(f, at("/small"), NULL, -5, NULL, NULL));
    EQ(ZOK, zokor_atomic_int_get(f, at("/small"), &small));
    EQ(-5, small);
    EQ(ZOK, zokor_framework_close(f));
}

static int is_at(struct zokor_framework *f, const char *tail, const char *data)
{
    char *got;
    int n;
    if (zokor_framework_get(f, at(tail), &got, &n, NULL) != ZOK)
        return 0;
    int same = got != NULL && strcmp(got, data) == 0;
    free(got);
    return same;
}

static void test_comes_back(void)
{
    struct proxy *x = proxy_start(port);
    char where[64];
    snprintf(where, sizeof(where), "127.0.0.1:%d", x->port);
    struct zokor_framework *f = open_at(where, SHORT_SESSION_MS), *other = open_direct();
    struct zokor_persistent_node *n = zokor_persistent_node_start(f, at("/a/b"), ZOO_EPHEMERAL, 0, "one", 3);
    EQ(ZOK, zokor_persistent_node_wait(n, WAIT_MS));
    CHECK(is_at(other, "/a/b", "one"));
    EQ(ZOK, zokor_framework_delete(other, at("/a/b"), 0));
    EVENTUALLY(is_at(other, "/a/b", "one"));
    zokor_persistent_node_set_data(n, "two", 3);
    EVENTUALLY(is_at(other, "/a/b", "two"));
    EQ(ZOK, zokor_framework_set(other, at("/a/b"), "foreign", 7, -1));
    int64_t session = zokor_framework_session_id(f);
    proxy_shut(x, 1); /* until the session is lost and its node with it */
    EVENTUALLY(zokor_framework_exists(other, at("/a/b"), NULL) == ZNONODE);
    EVENTUALLY(zokor_framework_state(f) == ZOKOR_LOST);
    proxy_shut(x, 0);
    EVENTUALLY(is_at(other, "/a/b", "two"));
    CHECK(zokor_framework_session_id(f) != session);
    proxy_cut(x);
    EQ(ZOK, zokor_framework_delete(other, at("/a/b"), 0));
    EVENTUALLY(is_at(other, "/a/b", "two"));
    zokor_persistent_node_close(n);
    EQ(ZNONODE, zokor_framework_exists(other, at("/a/b"), NULL));
    EQ(ZOK, zokor_framework_close(f));
    EQ(ZOK, zokor_framework_close(other));
    proxy_end(x);
}

static void test_names(void)
{
    struct zokor_framework *f = open_direct();
    struct zokor_persistent_node *n = zokor_persistent_node_start(f, at("/s/x-"), ZOO_EPHEMERAL_SEQUENTIAL, 1, "d", 1);
    EQ(ZOK, zokor_persistent_node_wait(n, WAIT_MS));
    char *path = zokor_persistent_node_path(n);
    CHECK(strstr(path, "/s/_c_") != NULL && zokor_path_sequence(path) == 0);
    EQ(ZOK, zokor_framework_delete(f, path, 0));
    EVENTUALLY(zokor_framework_exists(f, path, NULL) == ZOK);
    zokor_persistent_node_close(n);
    EQ(ZNONODE, zokor_framework_exists(f, path, NULL));
    free(path);
    CHECK(zokor_persistent_node_start(f, "x", 0, 0, NULL, 0) == NULL);
    EQ(ZOK, zokor_framework_create(f, at("/e"), NULL, 0, ZOO_EPHEMERAL, ZOKOR_PARENTS, NULL));
    n = zokor_persistent_node_start(f, at("/e/child"), ZOO_PERSISTENT, 0, NULL, 0);
    EQ(ZNOCHILDRENFOREPHEMERALS, zokor_persistent_node_wait(n, WAIT_MS));
    zokor_persistent_node_close(n);
    for (int i = 0; i < 20; i++) { /* an end at any moment */
        n = zokor_persistent_node_start(f, at("/q/n"), ZOO_EPHEMERAL, 0, "d", 1);
        poll(NULL, 0, i / 5);
        zokor_persistent_node_close(n);
    }
    EVENTUALLY(zokor_framework_exists(f, at("/q/n"), NULL) == ZNONODE);
    EQ(ZOK, zokor_framework_close(f));
}

/* The one that another session left behind is waited for. */
static void test_left_behind(void)
{
    struct zokor_framework *old = open_direct(), *f = open_direct();
    EQ(ZOK, zokor_framework_create(old, at("/n"), "old", 3, ZOO_EPHEMERAL, ZOKOR_PARENTS, NULL));
    struct zokor_persistent_node *n = zokor_persistent_node_start(f, at("/n"), ZOO_EPHEMERAL, 0, "new", 3);
    EQ(ZOPERATIONTIMEOUT, zokor_persistent_node_wait(n, 200));
    CHECK(is_at(f, "/n", "old"));
    EQ(ZOK, zokor_framework_close(old));
    EQ(ZOK, zokor_persistent_node_wait(n, WAIT_MS));
    CHECK(is_at(f, "/n", "new"));
    zokor_persistent_node_close(n);
    EQ(ZOK, zokor_framework_close(f));
}

static void test_ttl(void)
{
    struct zokor_framework *f = open_direct();
    struct zokor_ttl_node *n = zokor_ttl_node_start(f, at("/t/x"), 200, "d", 1);
    int rc = zokor_ttl_node_wait(n, WAIT_MS);
    if (rc == ZUNIMPLEMENTED) { /* extendedTypesEnabled is off */
        printf("the server has no nodes with a time to live\n");
    } else {
        struct Stat first = { .version = 0 }, now = { .version = 0 };
        EQ(ZOK, rc);
        EQ(ZOK, zokor_framework_exists(f, at("/t/x/touch"), &first));
        EVENTUALLY(zokor_framework_exists(f, at("/t/x/touch"), &now) == ZOK && now.version > first.version + 2);
    }
    zokor_ttl_node_close(n);
    EQ(ZOK, zokor_framework_close(f));
}

static atomic_int changes;

static void on_group(struct zokor_group *g, void *context)
{
    struct zokor_member *m;
    int n;
    (void)context;
    EQ(ZOK, zokor_group_members(g, &m, &n));
    zokor_members_free(m, n);
    atomic_fetch_add(&changes, 1);
}

static int members(struct zokor_group *g, const char *want)
{
    struct zokor_member *m;
    char text[256] = "";
    int n;
    EQ(ZOK, zokor_group_members(g, &m, &n));
    for (int i = 0; i < n; i++)
        snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s=%s ", m[i].id, m[i].data);
    zokor_members_free(m, n);
    return strcmp(text, want) == 0;
}

static void test_group(void)
{
    struct zokor_framework *f = open_direct(), *other = open_direct();
    struct zokor_group *a = zokor_group_join(f, at("/g"), "a", "1", 1);
    zokor_group_on_change(a, on_group, NULL);
    EQ(ZOK, zokor_group_wait(a, WAIT_MS));
    CHECK(members(a, "a=1 "));
    struct zokor_group *b = zokor_group_join(other, at("/g"), "b", "2", 1);
    EQ(ZOK, zokor_group_wait(b, WAIT_MS));
    EVENTUALLY(members(a, "a=1 b=2 ") && members(b, "a=1 b=2 "));
    zokor_group_set_data(b, "3", 1);
    EVENTUALLY(members(a, "a=1 b=3 "));
    EQ(ZOK, zokor_framework_delete(f, at("/g/b"), 0));
    EVENTUALLY(zokor_framework_exists(f, at("/g/b"), NULL) == ZOK);
    zokor_group_leave(b);
    EVENTUALLY(members(a, "a=1 "));
    CHECK(atomic_load(&changes) > 3);
    zokor_group_leave(a);
    EQ(ZOK, zokor_framework_close(f));
    EQ(ZOK, zokor_framework_close(other));
}

#define CHUNK 10

/* Two that share a node, and a thread for each: no number twice, and one change for ten of them. */
static struct zokor_framework *numbers;

static void *take_numbers(void *arg)
{
    struct zokor_cached_long *c = arg;
    char tail[48];
    int64_t last = -1, value;
    for (int i = 0; i < 5 * CHUNK; i++) {
        EQ(ZOK, zokor_cached_long_next(c, &value));
        CHECK(value > last);
        last = value;
        snprintf(tail, sizeof(tail), "/got/%lld", (long long)value);
        EQ(ZOK, zokor_framework_create(numbers, at(tail), NULL, 0, 0, ZOKOR_PARENTS, NULL));
    }
    return NULL;
}

static void test_cached_numbers(void)
{
    struct zokor_framework *f = numbers = open_direct();
    pthread_t t[2];
    struct zokor_cached_long *c[2];
    struct Stat stat;
    int64_t v;
    for (int i = 0; i < 2; i++)
        CHECK((c[i] = zokor_cached_long_new(f, at("/ids"), NULL, CHUNK)) != NULL);
    for (int i = 0; i < 2; i++)
        pthread_create(&t[i], NULL, take_numbers, c[i]);
    for (int i = 0; i < 2; i++)
        pthread_join(t[i], NULL);
    EQ(2 * 5 * CHUNK, count_children(f, at("/got")));
    EQ(ZOK, zokor_atomic_long_get(f, at("/ids"), &v));
    EQ(2 * 5 * CHUNK, v);
    EQ(ZOK, zokor_framework_exists(f, at("/ids"), &stat));
    EQ(9, stat.version); /* a create and nine changes */
    zokor_cached_long_free(c[0]);
    zokor_cached_long_free(c[1]);
    c[0] = zokor_cached_int_new(f, at("/small"), NULL, 3);
    for (int i = 0; i < 4; i++) {
        EQ(ZOK, zokor_cached_long_next(c[0], &v));
        EQ(i, v);
    }
    EQ(ZDATAINCONSISTENCY, zokor_atomic_long_add(f, at("/small"), NULL, 1, NULL, NULL)); /* it has four bytes */
    zokor_cached_long_free(c[0]);
    CHECK(zokor_cached_long_new(f, "no", NULL, 1) == NULL && zokor_cached_long_new(f, "/no", NULL, 0) == NULL);
    EQ(ZOK, zokor_framework_close(f));
}

static const struct test tests[] = {
    { "cached_numbers", test_cached_numbers },
    { "atomic", test_atomic },
    { "comes_back", test_comes_back },
    { "names", test_names },
    { "left_behind", test_left_behind },
    { "ttl", test_ttl },
    { "group", test_group },
};

int main(int argc, char **argv)
{
    return run_tests(argc, argv, tests, sizeof(tests) / sizeof(tests[0]));
}
