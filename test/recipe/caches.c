/* Caches: what they tell, and that they are right again after connections and sessions were lost. */
#include "check.h"
#include "proxy.h"
#include <malloc.h>
#include <time.h>
#include <zokor/cache.h>
#include <zokor/shared.h>

char base[64];
const char *hosts;
int port;

/* What a listener heard, as text: "+/path=data", "~/path=old>new", "-/path=data", "!". */
struct heard {
    pthread_mutex_t lock;
    char lines[64][192];
    int count, total;
};
static struct heard heard;

static void on_change(struct zokor_cache *c, const struct zokor_cache_event *e, void *context)
{
    (void)c;
    (void)context;
    pthread_mutex_lock(&heard.lock);
    char *line = heard.lines[heard.count++ % 64];
    heard.total++;
    if (e->type == ZOKOR_CACHE_CREATED)
        snprintf(line, 192, "+%s=%s", e->now->path, e->now->data);
    else if (e->type == ZOKOR_CACHE_CHANGED)
        snprintf(line, 192, "~%s=%s>%s", e->now->path, e->old->data, e->now->data);
    else if (e->type == ZOKOR_CACHE_DELETED)
        snprintf(line, 192, "-%s=%s", e->old->path, e->old->data);
    else
        snprintf(line, 192, "!");
    pthread_mutex_unlock(&heard.lock);
}

/* How often the line with this path below the base was heard. */
static int times(char kind, const char *tail, const char *rest)
{
    char want[192];
    snprintf(want, sizeof(want), "%c%s%s%s", kind, base, tail, rest);
    int n = 0;
    pthread_mutex_lock(&heard.lock);
    for (int i = 0; i < heard.count && i < 64; i++)
        n += strcmp(heard.lines[i], want) == 0;
    pthread_mutex_unlock(&heard.lock);
    return n;
}

static void forget(void)
{
    pthread_mutex_lock(&heard.lock);
    memset(heard.lines, 0, sizeof(heard.lines));
    heard.count = heard.total = 0;
    pthread_mutex_unlock(&heard.lock);
}

static void put(struct zokor_framework *f, const char *tail, const char *data)
{
    EQ(ZOK, zokor_framework_create(f, at(tail), data, (int)strlen(data), 0, ZOKOR_PARENTS | ZOKOR_OR_SET, NULL));
}

/* The tests whose names end with it are those above over watches that are called once. */
static int one_shot;

static struct zokor_cache *make(struct zokor_framework *f, const char *path, const struct zokor_cache_options *o)
{
    struct zokor_cache_options options = { .one_shot = one_shot };
    if (o != NULL)
        options = *o;
    options.one_shot = one_shot;
    return zokor_cache_new(f, path, &options);
}

static struct zokor_cache *start(struct zokor_framework *f, const char *tail, const struct zokor_cache_options *o)
{
    struct zokor_cache *c = make(f, at(tail), o);
    CHECK(c != NULL);
    zokor_cache_listen(c, on_change, NULL);
    EQ(ZOK, zokor_cache_start(c));
    EQ(ZINVALIDSTATE, zokor_cache_start(c));
    EQ(ZOK, zokor_cache_wait(c, WAIT_MS));
    return c;
}

static void test_tree(void)
{
    struct zokor_framework *f = open_direct();
    struct String_vector names;
    char *data;
    int n;
    put(f, "/a/b", "1");
    put(f, "/c", "2");
    struct zokor_cache *c = start(f, "", NULL);
    EQ(4, zokor_cache_size(c));
    EQ(1, times('+', "/a/b", "=1"));
    EQ(1, times('+', "", "="));
    put(f, "/a/b", "3");
    EVENTUALLY(times('~', "/a/b", "=1>3") == 1);
    put(f, "/a/d/e/f", "4");
    EVENTUALLY(times('+', "/a/d/e/f", "=4") == 1);
    EQ(ZOK, zokor_cache_get(c, at("/a/d/e/f"), &data, &n, NULL));
    SAME("4", data);
    free(data);
    EQ(ZOK, zokor_cache_children(c, at("/a"), &names));
    EQ(2, names.count);
    SAME("b", names.data[0]);
    SAME("d", names.data[1]);
    deallocate_String_vector(&names);
    EQ(ZOK, zokor_framework_delete(f, at("/a"), ZOKOR_RECURSIVE));
    EVENTUALLY(times('-', "/a", "=") == 1 && times('-', "/a/d/e/f", "=4") == 1);
    EVENTUALLY(zokor_cache_size(c) == 2);
    EQ(ZNONODE, zokor_cache_get(c, at("/a"), NULL, NULL, NULL));
    EQ(ZNONODE, zokor_cache_children(c, at("/a"), &names));
    zokor_cache_close(c);
    EQ(ZOK, zokor_framework_close(f));
}

static int refuses_x(const char *path, void *context)
{
    (void)context;
    return strstr(path, "/x") == NULL;
}

static void test_kinds(void)
{
    struct zokor_framework *f = open_direct();
    put(f, "/n/k/deep", "d");
    put(f, "/n/k", "1");
    put(f, "/n/x/y", "2");
    struct zokor_cache *node = start(f, "/n", &(struct zokor_cache_options){ .kind = ZOKOR_CACHE_NODE });
    EQ(1, zokor_cache_size(node));
    struct zokor_cache *children = start(f, "/n", &(struct zokor_cache_options){ .kind = ZOKOR_CACHE_CHILDREN });
    EQ(2, zokor_cache_size(children));
    EQ(ZNONODE, zokor_cache_get(children, at("/n"), NULL, NULL, NULL));
    struct zokor_cache *shallow = start(f, "", &(struct zokor_cache_options){ .depth_max = 1 });
    EQ(2, zokor_cache_size(shallow));
    struct zokor_cache *chosen =
        start(f, "", &(struct zokor_cache_options){ .accept = refuses_x, .descend = refuses_x });
    EQ(4, zokor_cache_size(chosen));
    forget();
    put(f, "/n/k/deep/er", "");
    put(f, "/n/z", "3");
    put(f, "/n", "top");
    EVENTUALLY(times('~', "/n", "=>top") == 3); /* each cache reads for itself, so in an order of its own */
    EVENTUALLY(times('+', "/n/z", "=3") == 2 && times('+', "/n/k/deep/er", "=") == 1);
    struct String_vector names;
    EQ(ZOK, zokor_cache_children(children, at("/n"), &names));
    EQ(3, names.count);
    deallocate_String_vector(&names);
    zokor_cache_close(node);
    zokor_cache_close(children);
    zokor_cache_close(shallow);
    zokor_cache_close(chosen);
    EQ(ZOK, zokor_framework_close(f));
}

static void test_absent(void)
{
    struct zokor_framework *f = open_direct();
    struct zokor_framework *inside = zokor_framework_using_namespace(f, base + 1);
    struct zokor_cache *c = make(inside, "/later", NULL);
    zokor_cache_listen(c, on_change, NULL);
    EQ(ZOK, zokor_cache_start(c));
    EQ(ZOK, zokor_cache_wait(c, WAIT_MS));
    EQ(0, zokor_cache_size(c));
    put(f, "/later/on", "1");
    EVENTUALLY(zokor_cache_size(c) == 2);
    EQ(ZOK, zokor_cache_get(c, "/later/on", NULL, NULL, NULL));
    zokor_cache_unlisten(c, on_change, NULL);
    zokor_cache_close(c);
    CHECK(zokor_cache_new(f, "no", NULL) == NULL);
    EQ(ZOK, zokor_framework_close(f));
}

static void test_compressed(void)
{
    struct zokor_framework *f = open_direct();
    char *data;
    EQ(ZOK, zokor_framework_create(f, base, "squeeze", 7, 0, ZOKOR_COMPRESSED, NULL));
    struct zokor_cache *c = start(f, "", &(struct zokor_cache_options){ .compressed = 1 });
    EQ(ZOK, zokor_cache_get(c, base, &data, NULL, NULL));
    SAME("squeeze", data);
    free(data);
    zokor_cache_close(c);
    EQ(ZOK, zokor_framework_close(f));
}

/* What happens while the connection is away is told when it is back. */
static void missed(int new_session)
{
    struct proxy *x = proxy_start(port);
    char where[64];
    snprintf(where, sizeof(where), "127.0.0.1:%d", x->port);
    struct zokor_framework *f = open_direct(), *through = open_at(where, new_session ? SHORT_SESSION_MS : SESSION_MS);
    put(f, "/keep", "1");
    put(f, "/change", "1");
    put(f, "/go/deeper", "1");
    struct zokor_cache *c = start(through, "", NULL);
    int64_t session = zokor_framework_session_id(through);
    forget();
    proxy_shut(x, 1);
    if (new_session)
        EVENTUALLY(zokor_framework_state(through) == ZOKOR_LOST);
    put(f, "/change", "2");
    put(f, "/new", "1");
    EQ(ZOK, zokor_framework_delete(f, at("/go"), ZOKOR_RECURSIVE));
    proxy_shut(x, 0);
    EVENTUALLY(times('-', "/go", "=") == 1 && times('-', "/go/deeper", "=1") == 1);
    EVENTUALLY(times('~', "/change", "=1>2") == 1 && times('+', "/new", "=1") == 1);
    EVENTUALLY(zokor_cache_size(c) == 4);
    EQ(0, times('+', "/keep", "=1"));
    CHECK((zokor_framework_session_id(through) != session) == new_session);
    put(f, "/change", "3");
    EVENTUALLY(times('~', "/change", "=2>3") == 1);
    zokor_cache_close(c);
    EQ(ZOK, zokor_framework_close(through));
    EQ(ZOK, zokor_framework_close(f));
    proxy_end(x);
}

static void test_reconnected(void)
{
    missed(0);
}

static void test_new_session(void)
{
    missed(1);
}

static atomic_int closed_inside;

static void close_it(struct zokor_cache *c, const struct zokor_cache_event *e, void *context)
{
    (void)e;
    (void)context;
    EQ(0, atomic_fetch_add(&closed_inside, 1));
    zokor_cache_close(c);
}

static void test_close_inside(void)
{
    struct zokor_framework *f = open_direct();
    for (int i = 0; i < 200; i++) {
        char tail[32];
        snprintf(tail, sizeof(tail), "/%d", i);
        put(f, tail, "x");
    }
    struct zokor_cache *c = make(f, base, NULL);
    zokor_cache_listen(c, close_it, NULL);
    EQ(ZOK, zokor_cache_start(c));
    EVENTUALLY(atomic_load(&closed_inside) == 1);
    for (int i = 0; i < 20; i++) { /* and at any moment from outside */
        c = make(f, base, NULL);
        EQ(ZOK, zokor_cache_start(c));
        poll(NULL, 0, i / 4);
        zokor_cache_close(c);
    }
    EQ(ZOK, zokor_framework_close(f));
}

static void *start_it(void *cache)
{
    EQ(ZOK, zokor_cache_start(cache));
    return NULL;
}

/* The listener closes the cache, and frees it, while another thread may still be about to leave zokor_cache_start. */
static void test_close_while_starting(void)
{
    struct zokor_framework *f = open_direct();
    put(f, "", "x");
    for (int i = 0; i < 100; i++) {
        pthread_t starter;
        atomic_store(&closed_inside, 0);
        struct zokor_cache *c = zokor_cache_new(f, base, NULL);
        zokor_cache_listen(c, close_it, NULL);
        EQ(0, pthread_create(&starter, NULL, start_it, c));
        EVENTUALLY(atomic_load(&closed_inside) == 1);
        EQ(0, pthread_join(starter, NULL));
    }
    EQ(ZOK, zokor_framework_close(f));
}

/* Is everything below the path in the cache as the server has it? *count counts it. */
static int is_same(struct zokor_framework *f, struct zokor_cache *c, const char *path, size_t *count)
{
    char *want = NULL, *got = NULL;
    int n, same = 0;
    struct String_vector children = { .count = 0 };
    if (zokor_framework_get(f, path, &want, &n, NULL) == ZOK && zokor_cache_get(c, path, &got, NULL, NULL) == ZOK)
        same = want != NULL && got != NULL && strcmp(want, got) == 0;
    if (same)
        EQ(ZOK, zokor_framework_children(f, path, &children));
    ++*count;
    for (int32_t i = 0; i < children.count && same; i++) {
        char *child = zokor_path_join(path, children.data[i]);
        same = is_same(f, c, child, count);
        free(child);
    }
    deallocate_String_vector(&children);
    free(want);
    free(got);
    return same;
}

static int is_same_tree(struct zokor_framework *f, struct zokor_cache *c)
{
    size_t count = 0;
    return is_same(f, c, base, &count) && count == zokor_cache_size(c);
}

/* What a listener knows must be what the cache holds: created and deleted in turn for every node. */
static atomic_int balance;

static void on_balance(struct zokor_cache *c, const struct zokor_cache_event *e, void *context)
{
    (void)c;
    (void)context;
    atomic_fetch_add(&balance, e->type == ZOKOR_CACHE_CREATED ? 1 : e->type == ZOKOR_CACHE_DELETED ? -1 : 0);
}

static void test_churn(void)
{
    struct proxy *x = proxy_start(port);
    char where[64], tail[64], text[16];
    snprintf(where, sizeof(where), "127.0.0.1:%d", x->port);
    struct zokor_framework *f = open_direct(), *through = open_at(where, SHORT_SESSION_MS);
    unsigned seed = 12345;
    put(f, "", "top");
    struct zokor_cache *c = make(through, base, NULL);
    zokor_cache_listen(c, on_balance, NULL);
    EQ(ZOK, zokor_cache_start(c));
    for (int i = 0; i < 3000; i++) {
        int a = rand_r(&seed) % 4, b = rand_r(&seed) % 4, what = rand_r(&seed) % 10;
        snprintf(tail, sizeof(tail), what < 5 ? "/%d/%d" : "/%d", a, b);
        snprintf(text, sizeof(text), "%d", i);
        if (what < 8)
            put(f, tail, text);
        else
            (void)zokor_framework_delete(f, at(tail), ZOKOR_RECURSIVE | ZOKOR_QUIETLY);
        if (i % 500 == 250)
            proxy_cut(x);
        if (i == 1600) {
            proxy_shut(x, 1);
            EVENTUALLY(zokor_framework_state(through) == ZOKOR_LOST);
            proxy_shut(x, 0);
        }
    }
    EVENTUALLY(is_same_tree(f, c));
    EVENTUALLY(atomic_load(&balance) == (int)zokor_cache_size(c));
    zokor_cache_close(c);
    EQ(ZOK, zokor_framework_close(through));
    EQ(ZOK, zokor_framework_close(f));
    proxy_end(x);
}

#ifndef MANY
#define MANY 100000
#endif

/* Creates or deletes them all, a thousand in a transaction. */
static void all_of_them(struct zokor_framework *f, int create)
{
    for (int i = 0; i < MANY;) {
        struct zokor_transaction *t = zokor_transaction_new();
        for (int end = i + 1000; i < MANY && i < end; i++) {
            char tail[32];
            snprintf(tail, sizeof(tail), "/many/node-%06d", i);
            if (create)
                zokor_transaction_create(t, at(tail), "data", 4, 0, 0, NULL);
            else
                zokor_transaction_delete(t, at(tail), -1);
        }
        EQ(ZOK, zokor_transaction_commit(f, t, NULL));
        zokor_transaction_free(t);
    }
}

static void test_many(void)
{
    struct zokor_framework *f = open_at(hosts, SESSION_MS);
    put(f, "/many", "");
    all_of_them(f, 1);
    struct timespec from, to;
    size_t before = mallinfo2().uordblks + mallinfo2().hblkhd;
    clock_gettime(CLOCK_MONOTONIC, &from);
    struct zokor_cache *c = zokor_cache_new(f, at("/many"), NULL);
    EQ(ZOK, zokor_cache_start(c));
    EQ(ZOK, zokor_cache_wait(c, WAIT_MS));
    clock_gettime(CLOCK_MONOTONIC, &to);
    size_t used = mallinfo2().uordblks + mallinfo2().hblkhd - before;
    EQ(MANY + 1, zokor_cache_size(c));
    printf("%d nodes: %ld ms, %zu bytes a node with data and path\n", MANY,
           (to.tv_sec - from.tv_sec) * 1000 + (to.tv_nsec - from.tv_nsec) / 1000000, used / MANY);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    CHECK(used / MANY < 300);
#endif
    zokor_cache_close(c);
    all_of_them(f, 0);
    EQ(ZOK, zokor_framework_close(f));
}

/* Through a proxy that is as old as Apache's 3.5: chosen by its answer. */
static void test_old_server(void)
{
    struct proxy *x = proxy_start(port);
    struct zokor_framework *f = open_direct();
    proxy_make_old(x);
    struct zokor_framework *old = open_through(x->port, SESSION_MS);
    put(f, "/a/b", "1");
    struct zokor_cache *c = start(old, "", NULL);
    EQ(3, zokor_cache_size(c));
    EQ(1, proxy_refusals(x));
    put(f, "/a/b", "2");
    put(f, "/a/d/e", "3");
    EVENTUALLY(times('~', "/a/b", "=1>2") == 1 && times('+', "/a/d/e", "=3") == 1);
    proxy_cut(x);
    EQ(ZOK, zokor_framework_delete(f, at("/a"), ZOKOR_RECURSIVE));
    EVENTUALLY(times('-', "/a", "=") == 1 && times('-', "/a/d/e", "=3") == 1);
    EVENTUALLY(zokor_cache_size(c) == 1);
    put(f, "/a", "again");
    EVENTUALLY(times('+', "/a", "=again") == 1);
    zokor_cache_close(c);
    one_shot = 1; /* who says so does not even ask */
    c = start(old, "", NULL);
    EQ(2, zokor_cache_size(c));
    zokor_cache_close(c);
    EQ(1, proxy_refusals(x));
    EQ(ZOK, zokor_framework_close(old));
    EQ(ZOK, zokor_framework_close(f));
    proxy_end(x);
}

static void test_old_server_shared_value(void)
{
    struct proxy *x = proxy_start(port);
    struct zokor_framework *f = open_direct();
    int rc;
    proxy_make_old(x);
    struct zokor_framework *old = open_through(x->port, SESSION_MS);
    struct zokor_shared_count *c = zokor_shared_count_new(old, base, 1, NULL, NULL, &rc);
    EQ(ZOK, rc);
    for (int i = 2; i < 5; i++) {
        const char value[4] = { 0, 0, 0, (char)i };
        EQ(ZOK, zokor_framework_set(f, base, value, 4, -1));
        EVENTUALLY(zokor_shared_count_get(c, NULL) == i);
        proxy_cut(x);
    }
    EQ(1, proxy_refusals(x));
    zokor_shared_count_free(c);
    EQ(ZOK, zokor_framework_close(old));
    EQ(ZOK, zokor_framework_close(f));
    proxy_end(x);
}

#define ONE_SHOT(name)                       \
    static void test_##name##_one_shot(void) \
    {                                        \
        one_shot = 1;                        \
        test_##name();                       \
    }
ONE_SHOT(tree)
ONE_SHOT(kinds)
ONE_SHOT(absent)
ONE_SHOT(compressed)
ONE_SHOT(reconnected)
ONE_SHOT(new_session)
ONE_SHOT(close_inside)
ONE_SHOT(churn)

static const struct test tests[] = {
    { "tree", test_tree },
    { "kinds", test_kinds },
    { "absent", test_absent },
    { "compressed", test_compressed },
    { "reconnected", test_reconnected },
    { "new_session", test_new_session },
    { "close_inside", test_close_inside },
    { "close_while_starting", test_close_while_starting },
    { "churn", test_churn },
    { "many", test_many },
    { "old_server", test_old_server },
    { "old_server_shared_value", test_old_server_shared_value },
    { "tree_one_shot", test_tree_one_shot },
    { "kinds_one_shot", test_kinds_one_shot },
    { "absent_one_shot", test_absent_one_shot },
    { "compressed_one_shot", test_compressed_one_shot },
    { "reconnected_one_shot", test_reconnected_one_shot },
    { "new_session_one_shot", test_new_session_one_shot },
    { "close_inside_one_shot", test_close_inside_one_shot },
    { "churn_one_shot", test_churn_one_shot },
};

int main(int argc, char **argv)
{
    pthread_mutex_init(&heard.lock, NULL);
    return run_tests(argc, argv, tests, sizeof(tests) / sizeof(tests[0]));
}
