/* Queues: order, bytes, locks that survive nobody. */
#include "check.h"
#include <time.h>
#include "proxy.h"
#include <zokor/queue.h>

char base[64];
const char *hosts;
int port;

static void put(struct zokor_queue *q, const char *text, const struct zokor_put *how)
{
    EQ(ZOK, zokor_queue_put(q, text, (int)strlen(text), how));
}

static void takes(struct zokor_queue *q, const char *want)
{
    struct zokor_item item;
    EQ(ZOK, zokor_queue_take(q, &item, WAIT_MS));
    EQ(1, item.count);
    SAME(want, item.parts[0].data);
    EQ(ZOK, zokor_queue_done(q, &item));
}

static void empty(struct zokor_queue *q)
{
    struct zokor_item item;
    EQ(ZOPERATIONTIMEOUT, zokor_queue_take(q, &item, 0));
    EQ(ZNONODE, zokor_queue_peek(q, &item));
}

static int names(struct zokor_framework *f, const char *tail, char *out, size_t room)
{
    struct String_vector v;
    EQ(ZOK, zokor_framework_children(f, at(tail), &v));
    int n = v.count;
    snprintf(out, room, "%s", n > 0 ? v.data[0] : "");
    deallocate_String_vector(&v);
    return n;
}

static void test_fifo(void)
{
    struct zokor_framework *f = open_direct();
    struct zokor_queue *q = zokor_queue_new(f, at("/q"), NULL);
    struct zokor_item item;
    char name[64], *data;
    int n;
    empty(q);
    put(q, "one", NULL);
    EQ(1, names(f, "/q", name, sizeof(name)));
    SAME("queue-0000000000", name);
    EQ(ZOK, zokor_framework_get(f, at("/q/queue-0000000000"), &data, &n, NULL));
    EQ(13, n); /* Curator's bytes */
    EQ(0, memcmp(data, "\0\1\0\1\1\0\0\0\3one\2", 13));
    free(data);
    put(q, "two", NULL);
    const struct zokor_bytes both[2] = { { .data = "a", .len = 1 }, { .data = "", .len = 0 } };
    EQ(ZOK, zokor_queue_put_all(q, both, 2, NULL));
    EQ(ZOK, zokor_queue_size(q, &n));
    EQ(3, n);
    EQ(ZOK, zokor_queue_peek(q, &item));
    SAME("one", item.parts[0].data);
    zokor_item_free(&item);
    takes(q, "one");
    EQ(ZOK, zokor_queue_take(q, &item, 0));
    EQ(ZOK, zokor_queue_again(q, &item));
    EQ(ZOK, zokor_queue_take(q, &item, 0));
    EQ(2, item.count);
    SAME("a", item.parts[0].data);
    SAME("", item.parts[1].data);
    zokor_item_free(&item);
    takes(q, "two");
    empty(q);
    EQ(ZOK, zokor_framework_create(f, at("/q/foreign"), "x", 1, 0, 0, NULL));
    EQ(ZOK, zokor_framework_create(f, at("/q/queue-raw"), "raw", 3, 0, 0, NULL));
    takes(q, "raw");
    empty(q);
    zokor_queue_free(q);
    EQ(ZOK, zokor_framework_close(f));
}

static void test_simple(void)
{
    struct zokor_framework *f = open_direct();
    CHECK(zokor_queue_new(f, base, &(struct zokor_queue_options){ .kind = ZOKOR_QUEUE_SIMPLE, .lock_path = "/l" }) ==
          NULL);
    struct zokor_queue *q = zokor_queue_new(f, base, &(struct zokor_queue_options){ .kind = ZOKOR_QUEUE_SIMPLE });
    char name[64];
    put(q, "one", NULL);
    EQ(1, names(f, "", name, sizeof(name)));
    SAME("qn-0000000000", name);
    put(q, "two", NULL);
    takes(q, "one");
    takes(q, "two");
    empty(q);
    zokor_queue_free(q);
    EQ(ZOK, zokor_framework_close(f));
}

static void test_priority(void)
{
    struct zokor_framework *f = open_direct();
    struct zokor_queue *q = zokor_queue_new(f, base, &(struct zokor_queue_options){ .kind = ZOKOR_QUEUE_PRIORITY });
    char name[64];
    put(q, "later", &(struct zokor_put){ .priority = 100 });
    EQ(1, names(f, "", name, sizeof(name)));
    SAME("queue-1000000640000000000", name);
    put(q, "soon", &(struct zokor_put){ .priority = -1 });
    put(q, "sooner", &(struct zokor_put){ .priority = -2 });
    put(q, "mid", &(struct zokor_put){ .priority = 5 });
    put(q, "mid two", &(struct zokor_put){ .priority = 5 });
    takes(q, "sooner");
    takes(q, "soon");
    takes(q, "mid");
    takes(q, "mid two");
    takes(q, "later");
    zokor_queue_free(q);
    EQ(ZOK, zokor_framework_close(f));
}

static void test_id(void)
{
    struct zokor_framework *f = open_direct();
    struct zokor_queue *q = zokor_queue_new(f, base, &(struct zokor_queue_options){ .kind = ZOKOR_QUEUE_ID });
    struct zokor_item item;
    char name[64];
    int n;
    put(q, "first", &(struct zokor_put){ .id = "z/1" });
    EQ(1, names(f, "", name, sizeof(name)));
    SAME("queue-|z_1|0000000000", name);
    put(q, "second", &(struct zokor_put){ .id = "a" });
    put(q, "third", &(struct zokor_put){ .id = "z/1" });
    EQ(ZOK, zokor_queue_take(q, &item, 0));
    SAME("z_1", item.id);
    SAME("first", item.parts[0].data);
    zokor_item_free(&item);
    put(q, "fourth", &(struct zokor_put){ .id = "z/1" });
    EQ(ZOK, zokor_queue_remove(q, "z/1", &n));
    EQ(2, n);
    takes(q, "second");
    empty(q);
    zokor_queue_free(q);
    EQ(ZOK, zokor_framework_close(f));
}

static int64_t wall_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void test_delay(void)
{
    struct zokor_framework *f = open_direct();
    struct zokor_queue *q = zokor_queue_new(f, base, &(struct zokor_queue_options){ .kind = ZOKOR_QUEUE_DELAY });
    int64_t soon = wall_ms() + 300;
    put(q, "far", &(struct zokor_put){ .not_before = soon + 100000000 });
    put(q, "soon", &(struct zokor_put){ .not_before = soon });
    takes(q, "soon");
    CHECK(wall_ms() >= soon);
    empty(q);
    put(q, "past", NULL);
    takes(q, "past");
    zokor_queue_free(q);
    EQ(ZOK, zokor_framework_close(f));
}

/* Who dies with an item gives it back; who was told that it is gone cannot end it. */
static void test_lock(void)
{
    struct zokor_framework *f = open_direct(), *other = open_direct();
    const struct zokor_queue_options o = { .lock_path = at("/locks") };
    struct zokor_queue *mine = zokor_queue_new(f, at("/q"), &o), *theirs = zokor_queue_new(other, at("/q"), &o);
    struct zokor_item item, again;
    put(mine, "work", NULL);
    EQ(ZOK, zokor_queue_take(theirs, &item, WAIT_MS));
    CHECK(item.token > 0);
    int64_t token = item.token;
    empty(theirs);
    EQ(ZOPERATIONTIMEOUT, zokor_queue_take(mine, &again, 0));
    EQ(ZOK, zokor_framework_close(other)); /* a queue holds the item until its session ends */
    zokor_item_free(&item);
    zokor_queue_free(theirs); /* after its framework */
    EQ(ZOK, zokor_queue_take(mine, &again, WAIT_MS));
    CHECK(again.token > token);
    EQ(ZOK, zokor_queue_again(mine, &again));
    EQ(ZOK, zokor_queue_take(mine, &again, WAIT_MS));
    SAME("work", again.parts[0].data);
    char *lock = zokor_path_join(at("/locks"), again.name);
    EQ(ZOK, zokor_framework_delete(f, lock, 0));
    free(lock);
    EQ(ZNONODE, zokor_queue_done(mine, &again)); /* the hold is lost, the item is there */
    takes(mine, "work");
    EQ(ZOPERATIONTIMEOUT, zokor_queue_take(mine, &again, 0));
    zokor_queue_free(mine);
    EQ(ZOK, zokor_framework_close(f));
}

#define ITEMS 200

static atomic_int seen[ITEMS], total, refused;

static int consume(struct zokor_queue *q, const struct zokor_item *item, void *context)
{
    (void)q;
    (void)context;
    int i = atoi(item->parts[0].data);
    if (i % 50 == 7 && atomic_fetch_add(&refused, 1) < 3)
        return 1;
    atomic_fetch_add(&seen[i], 1);
    atomic_fetch_add(&total, 1);
    return 0;
}

static void test_consumers(void)
{
    struct zokor_framework *f = open_direct();
    const struct zokor_queue_options o = { .lock_path = at("/locks"), .items_max = 50 };
    struct zokor_queue *q[4], *from = zokor_queue_new(f, at("/q"), &o);
    struct zokor_consumer *c[4];
    for (int i = 0; i < 4; i++) {
        q[i] = zokor_queue_new(f, at("/q"), &o);
        c[i] = zokor_consumer_start(q[i], consume, NULL);
    }
    for (int i = 0; i < ITEMS; i++) {
        char text[16];
        snprintf(text, sizeof(text), "%d", i);
        put(from, text, NULL);
    }
    EVENTUALLY(atomic_load(&total) == ITEMS);
    for (int i = 0; i < 4; i++) {
        zokor_consumer_stop(c[i]);
        zokor_queue_free(q[i]);
    }
    for (int i = 0; i < ITEMS; i++)
        EQ(1, seen[i]);
    EQ(ZOK, zokor_queue_put(from, "x", 1, NULL));
    zokor_queue_free(from);
    struct zokor_queue *full = zokor_queue_new(f, at("/q"), &(struct zokor_queue_options){ .items_max = 1 });
    EQ(ZOPERATIONTIMEOUT, zokor_queue_put(full, "x", 1, &(struct zokor_put){ .timeout_ms = 50 }));
    zokor_queue_cancel(full);
    EQ(ZCLOSING, zokor_queue_put(full, "x", 1, NULL));
    zokor_queue_free(full);
    EQ(ZOK, zokor_framework_close(f));
}

/* Connections break all the time and a session is lost: every item is done at least once, and none stays. */
static void test_cuts(void)
{
    struct proxy *x = proxy_start(port);
    char where[64], text[16];
    snprintf(where, sizeof(where), "127.0.0.1:%d", x->port);
    struct zokor_framework *f = open_direct(), *through = open_at(where, SHORT_SESSION_MS);
    const struct zokor_queue_options o = { .lock_path = at("/locks") };
    struct zokor_queue *q[3], *from = zokor_queue_new(f, at("/q"), &o);
    struct zokor_consumer *c[3];
    for (int i = 0; i < 3; i++) {
        q[i] = zokor_queue_new(through, at("/q"), &o);
        c[i] = zokor_consumer_start(q[i], consume, NULL);
    }
    for (int i = 0; i < ITEMS; i++) {
        snprintf(text, sizeof(text), "%d", i);
        put(from, text, NULL);
        if (i % 20 == 10)
            proxy_cut(x);
        if (i == 150) {
            proxy_shut(x, 1);
            EVENTUALLY(zokor_framework_state(through) == ZOKOR_LOST);
            proxy_shut(x, 0);
        }
    }
    int left = 1;
    EVENTUALLY(zokor_queue_size(from, &left) == ZOK && left == 0);
    for (int i = 0; i < 3; i++) {
        zokor_consumer_stop(c[i]);
        zokor_queue_free(q[i]);
    }
    for (int i = 0; i < ITEMS; i++)
        CHECK(seen[i] >= 1);
    zokor_queue_free(from);
    EQ(ZOK, zokor_framework_close(through));
    EQ(ZOK, zokor_framework_close(f));
    proxy_end(x);
}

static struct zokor_item taken; /* whose hold will be lost */
static atomic_int done_rc = 1;

static void *says_done(void *q)
{
    atomic_store(&done_rc, zokor_queue_done(q, &taken));
    return NULL;
}

/* Whose session is over says done, before it knows (`early`) or after: the item is somebody else's by now, and so is
 * the node that holds it. */
static void done_without_hold(int early)
{
    struct proxy *x = proxy_start(port);
    struct zokor_framework *f = open_through(x->port, SHORT_SESSION_MS), *g = open_direct();
    const struct zokor_queue_options o = { .lock_path = at(early ? "/locks-early" : "/locks") };
    const char *path = at(early ? "/early" : "/late");
    struct zokor_queue *q = zokor_queue_new(f, path, &o), *other = zokor_queue_new(g, path, &o);
    struct zokor_item item;
    pthread_t t;
    int size = 0;
    atomic_store(&done_rc, 1);
    put(other, "mine", NULL);
    EQ(ZOK, zokor_queue_take(q, &taken, WAIT_MS));
    proxy_shut(x, 1);
    if (early) {
        EVENTUALLY(zokor_framework_state(f) == ZOKOR_SUSPENDED);
        EQ(0, pthread_create(&t, NULL, says_done, q));
    }
    EQ(ZOK, zokor_queue_take(other, &item, WAIT_MS));
    proxy_shut(x, 0);
    EVENTUALLY(zokor_framework_is_connected(f));
    if (!early)
        EQ(0, pthread_create(&t, NULL, says_done, q));
    EQ(0, pthread_join(t, NULL));
    EQ(ZNONODE, atomic_load(&done_rc));
    EQ(ZOK, zokor_queue_size(other, &size));
    EQ(1, size);
    EQ(1, count_children(g, o.lock_path));
    EQ(ZOK, zokor_queue_done(other, &item));
    EQ(ZOK, zokor_queue_size(other, &size));
    EQ(0, size);
    EQ(0, count_children(g, o.lock_path));
    zokor_queue_free(q);
    zokor_queue_free(other);
    EQ(ZOK, zokor_framework_close(f));
    EQ(ZOK, zokor_framework_close(g));
    proxy_end(x);
}

static void test_lost_hold(void)
{
    done_without_hold(0);
    done_without_hold(1);
}

/* The item of a hold that was lost is there for the same process, too, though no change says so. */
static void test_take_again(void)
{
    struct zokor_framework *f = open_direct();
    const struct zokor_queue_options o = { .lock_path = at("/locks") };
    struct zokor_queue *q = zokor_queue_new(f, at("/q"), &o);
    struct zokor_item item;
    put(q, "work", NULL);
    for (int i = 0; i < 300; i++) {
        EQ(ZOK, zokor_queue_take(q, &item, WAIT_MS));
        char *lock = zokor_path_join(at("/locks"), item.name);
        EQ(ZOK, zokor_framework_delete(f, lock, 0));
        free(lock);
        EQ(ZNONODE, zokor_queue_done(q, &item));
    }
    takes(q, "work");
    zokor_queue_free(q);
    EQ(ZOK, zokor_framework_close(f));
}

static const struct test tests[] = {
    { "fifo", test_fifo },           { "simple", test_simple },
    { "priority", test_priority },   { "id", test_id },
    { "delay", test_delay },         { "lock", test_lock },
    { "consumers", test_consumers }, { "cuts", test_cuts },
    { "lost_hold", test_lost_hold }, { "take_again", test_take_again },
};

int main(int argc, char **argv)
{
    return run_tests(argc, argv, tests, sizeof(tests) / sizeof(tests[0]));
}
