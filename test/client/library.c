/* What Apache's C client cannot do, and what it leaves to chance: zokor/client.h, handles without threads, ends of
 * handles.
 *
 *     library HOSTS [GROUP]
 *
 * Prints "PASS group" or "FAIL group: why" for every group; the exit status is the number that failed. */
#define THREADED
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <zokor/client.h>

#define WAIT_S 60

static const char *hosts;
static char base[64], why[512];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;

#define CHECK(cond)                                                     \
    do {                                                                \
        if (!(cond)) {                                                  \
            snprintf(why, sizeof(why), "line %d: %s", __LINE__, #cond); \
            return -1;                                                  \
        }                                                               \
    } while (0)
#define CHECK_RC(want, call)                                                                           \
    do {                                                                                               \
        int rc_ = (call);                                                                              \
        if (rc_ != (want)) {                                                                           \
            snprintf(why, sizeof(why), "line %d: %s gave %d (%s)", __LINE__, #call, rc_, zerror(rc_)); \
            return -1;                                                                                 \
        }                                                                                              \
    } while (0)

/* Events of a watcher, in order. */
struct inbox {
    int n, types[64], states[64];
    char paths[64][128];
    int64_t zxids[64];
    int connected;
};

static void on_event(zhandle_t *zh, int type, int state, const char *path, void *ctx)
{
    struct inbox *in = ctx;
    pthread_mutex_lock(&lock);
    if (type == ZOO_SESSION_EVENT) {
        in->connected = state == ZOO_CONNECTED_STATE;
    } else if (in->n < 64) {
        in->types[in->n] = type;
        in->states[in->n] = state;
        in->zxids[in->n] = zokor_zxid(zh);
        snprintf(in->paths[in->n++], 128, "%s", path);
    }
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
}

static struct timespec until(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    t.tv_sec += WAIT_S;
    return t;
}

/* Waits for *value to reach `want`. */
static int reached(const int *value, int want)
{
    struct timespec end = until();
    int rc = 0;
    pthread_mutex_lock(&lock);
    while (*value < want && rc == 0)
        rc = pthread_cond_timedwait(&changed, &lock, &end);
    int ok = *value >= want;
    pthread_mutex_unlock(&lock);
    return ok;
}

static void count(int *value)
{
    pthread_mutex_lock(&lock);
    ++*value;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
}

static zhandle_t *connect_to(struct inbox *in, const char *where)
{
    memset(in, 0, sizeof(*in));
    zhandle_t *zh = zookeeper_init2(where, on_event, 30000, NULL, in, ZOO_NO_LOG_CLIENTENV, NULL);
    if (zh != NULL && !reached(&in->connected, 1)) {
        zookeeper_close(zh);
        return NULL;
    }
    return zh;
}

static const char *at(const char *tail)
{
    static _Thread_local char paths[8][128];
    static _Thread_local int next;
    next = (next + 1) % 8;
    snprintf(paths[next], 128, "%s%s", base, tail);
    return paths[next];
}

static int make(zhandle_t *zh, const char *path, int mode)
{
    return zoo_create(zh, path, "v", 1, &ZOO_OPEN_ACL_UNSAFE, mode, NULL, 0);
}

static int is_event(const struct inbox *in, int i, int type, const char *path)
{
    return in->types[i] == type && strcmp(in->paths[i], path) == 0 && in->states[i] == ZOO_CONNECTED_STATE;
}

static int test_persistent_watches(zhandle_t *zh)
{
    struct inbox p = { 0 }, r = { 0 };
    CHECK_RC(ZOK, zokor_add_watch(zh, base, ZOKOR_WATCH_PERSISTENT, on_event, &p));
    CHECK_RC(ZOK, zokor_add_watch(zh, base, ZOKOR_WATCH_RECURSIVE, on_event, &r));
    for (int i = 0; i < 3; i++) {
        CHECK_RC(ZOK, make(zh, at("/k"), 0));
        CHECK_RC(ZOK, zoo_set(zh, at("/k"), "w", 1, -1));
        CHECK_RC(ZOK, zoo_delete(zh, at("/k"), -1));
    }
    CHECK(reached(&r.n, 9) && reached(&p.n, 6));
    for (int i = 0; i < 3; i++) {
        CHECK(is_event(&r, i * 3, ZOO_CREATED_EVENT, at("/k")));
        CHECK(is_event(&r, i * 3 + 1, ZOO_CHANGED_EVENT, at("/k")));
        CHECK(is_event(&r, i * 3 + 2, ZOO_DELETED_EVENT, at("/k")));
        CHECK(is_event(&p, i * 2, ZOO_CHILD_EVENT, base) && is_event(&p, i * 2 + 1, ZOO_CHILD_EVENT, base));
    }
    CHECK(r.zxids[0] == -1 || r.zxids[0] < r.zxids[1]);
    CHECK(zokor_last_zxid(zh) >= r.zxids[8]);
    CHECK_RC(ZNOWATCHER, zokor_remove_watches(zh, at("/k"), ZOKOR_WATCHES_ANY, on_event, &r, 0));
    CHECK_RC(ZNOWATCHER, zokor_remove_watches(zh, base, ZOKOR_WATCHES_DATA, on_event, &r, 0));
    CHECK_RC(ZOK, zokor_remove_watches(zh, base, ZOKOR_WATCHES_ANY, on_event, &r, 0));
    CHECK_RC(ZOK, zokor_remove_watches(zh, base, ZOKOR_WATCHES_ANY, NULL, NULL, 0));
    CHECK_RC(ZOK, make(zh, at("/k"), 0));
    CHECK_RC(ZOK, zokor_sync(zh, base));
    CHECK(r.n == 9 && p.n == 6);
    CHECK_RC(ZBADARGUMENTS, zokor_add_watch(zh, base, (enum zokor_watch_mode)2, on_event, &p));
    CHECK_RC(ZBADARGUMENTS, zokor_add_watch(zh, base, ZOKOR_WATCH_PERSISTENT, NULL, NULL));
    return 0;
}

static int reads_rc, reads_n, reads_done;

static void on_reads(int rc, int n, const struct zokor_read_result *r, const void *data)
{
    reads_rc = rc == ZOK && n == 3 && r[0].data_len == 1 && r[1].children.count == 1 && r[2].err == ZNONODE &&
                       strcmp(r[1].children.data[0], "a") == 0 && data == &reads_n
                   ? ZOK
                   : ZSYSTEMERROR;
    count(&reads_done);
}

static int test_reads(zhandle_t *zh)
{
    const struct zokor_read reads[] = { { 0, at("/a") }, { 1, base }, { 0, at("/none") } };
    struct zokor_read_result results[3];
    CHECK_RC(ZOK, zoo_create(zh, at("/a"), "x", 1, &ZOO_OPEN_ACL_UNSAFE, 0, NULL, 0));
    CHECK_RC(ZOK, zokor_multi_read(zh, 3, reads, results));
    CHECK(results[0].err == ZOK && results[0].data_len == 1 && results[0].data[0] == 'x');
    CHECK(results[0].stat.dataLength == 1 && results[0].stat.czxid > 0);
    CHECK(results[1].err == ZOK && results[1].children.count == 1);
    CHECK(results[2].err == ZNONODE);
    zokor_read_results_free(3, results);
    CHECK_RC(ZOK, zokor_amulti_read(zh, 3, reads, on_reads, &reads_n));
    CHECK(reached(&reads_done, 1) && reads_rc == ZOK);
    CHECK_RC(ZOK, zokor_multi_read(zh, 0, NULL, NULL));
    int32_t number = -1;
    CHECK_RC(ZOK, zokor_get_all_children_number(zh, base, &number));
    CHECK(number == 1);
    CHECK_RC(ZNONODE, zokor_get_all_children_number(zh, at("/none"), &number));
    return 0;
}

static int test_who_and_ephemerals(zhandle_t *zh)
{
    struct inbox in;
    char where[256];
    (void)zh;
    snprintf(where, sizeof(where), "%s%s", hosts, base);
    zhandle_t *own = connect_to(&in, where);
    CHECK(own != NULL);
    struct ClientInfo_vector ids;
    CHECK_RC(ZOK, zoo_add_auth(own, "digest", "bob:pw", 6, NULL, NULL));
    CHECK_RC(ZOK, zokor_who_am_i(own, &ids));
    int bob = 0;
    for (int i = 0; i < ids.count; i++)
        bob += strcmp(ids.data[i].authScheme, "digest") == 0 && strcmp(ids.data[i].user, "bob") == 0;
    deallocate_ClientInfo_vector(&ids);
    CHECK(bob == 1);
    CHECK_RC(ZOK, make(own, "/e1", ZOO_EPHEMERAL));
    CHECK_RC(ZOK, make(own, "/e2", ZOO_EPHEMERAL));
    CHECK_RC(ZOK, make(own, "/f", ZOO_EPHEMERAL));
    struct String_vector paths;
    CHECK_RC(ZOK, zokor_get_ephemerals(own, "/", &paths));
    CHECK(paths.count == 3 && paths.data[0][0] == '/' && strlen(paths.data[0]) <= 3);
    deallocate_String_vector(&paths);
    CHECK_RC(ZOK, zokor_get_ephemerals(own, "/e", &paths));
    CHECK(paths.count == 2);
    deallocate_String_vector(&paths);
    CHECK_RC(ZOK, zookeeper_close(own));
    return 0;
}

static int test_multi_with_stats(zhandle_t *zh)
{
    zoo_op_t ops[5];
    zoo_op_result_t results[5];
    struct Stat stats[5], set;
    char path[128], cut[8];
    zoo_create_op_init(&ops[0], at("/m"), "1", 1, &ZOO_OPEN_ACL_UNSAFE, 0, path, sizeof(path));
    zoo_set_op_init(&ops[1], at("/m"), "22", 2, 0, &set);
    zoo_create_op_init(&ops[2], at("/c"), "", 0, &ZOO_OPEN_ACL_UNSAFE, ZOO_CONTAINER, cut, sizeof(cut));
    zokor_create_ttl_op_init(&ops[3], at("/t"), "", 0, &ZOO_OPEN_ACL_UNSAFE, ZOO_PERSISTENT_WITH_TTL, 100000, NULL, 0);
    zoo_check_op_init(&ops[4], at("/m"), 1);
    CHECK_RC(ZOK, zokor_multi(zh, 5, ops, results, stats));
    CHECK(strcmp(path, at("/m")) == 0 && strncmp(cut, base, 7) == 0 && cut[7] == 0);
    CHECK(stats[0].czxid == 0 && stats[1].version == 1 && set.version == 1 && stats[1].dataLength == 2);
    CHECK(stats[2].czxid == stats[1].mzxid && stats[3].czxid == stats[2].czxid && stats[4].czxid == 0);
    zoo_delete_op_init(&ops[0], at("/m"), -1);
    zoo_delete_op_init(&ops[1], at("/none"), -1);
    CHECK_RC(ZNONODE, zokor_multi(zh, 3, ops, results, stats));
    CHECK(results[0].err == 0 && results[1].err == ZNONODE && results[2].err == ZRUNTIMEINCONSISTENCY);
    CHECK_RC(ZOK, zokor_multi(zh, 0, NULL, NULL, NULL));
    ops[0].type = 99;
    CHECK_RC(ZBADARGUMENTS, zokor_multi(zh, 1, ops, results, stats));
    return 0;
}

/* A multi of many parts comes back whole and in order. */
static int test_large_multi(zhandle_t *zh)
{
    enum { N = 4000 };
    zoo_op_t *ops = calloc(N, sizeof(*ops));
    zoo_op_result_t *results = calloc(N, sizeof(*results));
    char(*in)[96] = calloc(N, 96), (*out)[96] = calloc(N, 96);
    for (int i = 0; i < N; i++) {
        snprintf(in[i], 96, "%s/n%d", base, i);
        zoo_create_op_init(&ops[i], in[i], "0123456789", 10, &ZOO_OPEN_ACL_UNSAFE, 0, out[i], 96);
    }
    CHECK_RC(ZOK, zoo_multi(zh, N, ops, results));
    for (int i = 0; i < N; i++)
        CHECK(results[i].err == ZOK && strcmp(in[i], out[i]) == 0);
    struct String_vector children;
    CHECK_RC(ZOK, zoo_get_children(zh, base, 0, &children));
    CHECK(children.count == N);
    deallocate_String_vector(&children);
    for (int i = 0; i < N; i++)
        zoo_delete_op_init(&ops[i], in[i], 0);
    CHECK_RC(ZOK, zoo_multi(zh, N, ops, results));
    free(ops);
    free(results);
    free(in);
    free(out);
    return 0;
}

static int closed_inside, end_rc[3], ended;

static void close_it(int rc, const struct Stat *stat, const void *data)
{
    (void)rc;
    (void)stat;
    zookeeper_close((zhandle_t *)(uintptr_t)data);
    count(&closed_inside);
}

static void note_end(int rc, const struct Stat *stat, const void *data)
{
    (void)stat;
    *(int *)(uintptr_t)data = rc;
    count(&ended);
}

static int test_ends(zhandle_t *zh)
{
    struct inbox in;
    (void)zh;
    zhandle_t *own = connect_to(&in, hosts);
    CHECK(own != NULL);
    CHECK_RC(ZOK, zoo_aexists(own, "/", 0, close_it, own)); /* closed by its own callback */
    CHECK(reached(&closed_inside, 1));
    own = connect_to(&in, hosts);
    CHECK(own != NULL);
    for (int i = 0; i < 3; i++)
        CHECK_RC(ZOK, zoo_aexists(own, "/", 0, note_end, &end_rc[i]));
    CHECK_RC(ZOK, zookeeper_close(own));
    CHECK(ended == 3); /* all were told before close returned */
    /* Nobody listens at port 1: whatever waits is told when the handle goes. */
    own = zookeeper_init2("127.0.0.1:1", NULL, 15000, NULL, NULL, ZOO_NO_LOG_CLIENTENV, NULL);
    CHECK(own != NULL);
    CHECK_RC(ZOK, zoo_aexists(own, "/", 0, note_end, &end_rc[0]));
    CHECK_RC(ZOK, zookeeper_close(own));
    CHECK(ended == 4 && (end_rc[0] == ZCLOSING || end_rc[0] == ZCONNECTIONLOSS));
    CHECK_RC(ZBADARGUMENTS, zookeeper_close(NULL));
    CHECK(zookeeper_init(NULL, NULL, 1000, NULL, NULL, 0) == NULL && errno == EINVAL);
    CHECK(zookeeper_init("a:1/x/", NULL, 1000, NULL, NULL, 0) == NULL && errno == EINVAL);
    return 0;
}

/* A child of fork leaves the parent's session alone. */
static int test_fork(zhandle_t *zh)
{
    struct Stat stat;
    CHECK_RC(ZOK, make(zh, at("/f"), ZOO_EPHEMERAL));
    pid_t child = fork();
    if (child == 0) {
        zookeeper_close(zh);
        _exit(0);
    }
    int status;
    CHECK(child > 0 && waitpid(child, &status, 0) == child && status == 0);
    CHECK_RC(ZOK, zoo_exists(zh, at("/f"), 0, &stat));
    return 0;
}

static int test_deadlines(zhandle_t *zh)
{
    struct Stat stat;
    zhandle_t *own = zookeeper_init2("127.0.0.1:1", NULL, 60000, NULL, NULL, ZOO_NO_LOG_CLIENTENV, NULL);
    CHECK(own != NULL);
    zokor_set_request_timeout(own, 1); /* sooner than the connection is refused often enough, or the same */
    int rc = zoo_exists(own, "/", 0, &stat);
    CHECK(rc == ZREQUESTTIMEOUT || rc == ZCONNECTIONLOSS);
    CHECK_RC(ZOK, zookeeper_close(own));
    CHECK(zokor_thread_deadline(60000) == 0);
    CHECK_RC(ZOK, zoo_exists(zh, "/", 0, &stat));
    CHECK(zokor_thread_deadline(0) == 60000);
    return 0;
}

static void blocks(int rc, const struct Stat *stat, const void *data)
{
    (void)rc;
    (void)stat;
    sem_wait((sem_t *)data);
}

static void posts(int rc, const struct Stat *stat, const void *data)
{
    (void)stat;
    if (rc == ZOK)
        sem_post((sem_t *)data);
}

/* Completions of prompt requests come though the callback thread is busy, both of a pair. */
static int test_prompt(zhandle_t *zh)
{
    static sem_t busy, done; /* the callback may leave it late */
    struct timespec end;
    sem_init(&busy, 0, 0);
    sem_init(&done, 0, 0);
    CHECK_RC(ZOK, zoo_aexists(zh, "/", 0, blocks, &busy));
    CHECK(zokor_thread_prompt(2) == 0);
    CHECK_RC(ZOK, zoo_aexists(zh, "/", 0, posts, &done));
    CHECK(zokor_thread_prompt(1) == 2);
    CHECK_RC(ZOK, zoo_aexists(zh, "/", 0, posts, &done));
    CHECK(zokor_thread_prompt(0) == 1);
    clock_gettime(CLOCK_REALTIME, &end);
    end.tv_sec += WAIT_S; /* only for what never happens */
    int rc = sem_timedwait(&done, &end) == 0 ? sem_timedwait(&done, &end) : -1;
    sem_post(&busy);
    CHECK(rc == 0);
    return 0;
}

/* What a test of zokor_await is told, and by whom. */
struct flag {
    atomic_int set;
    pthread_t by;
};

static void flag_set(struct flag *f)
{
    f->by = pthread_self();
    atomic_store(&f->set, 1);
}

static int flag_is_set(void *context)
{
    struct flag *f = context;
    return atomic_load(&f->set);
}

static void flags(int rc, const struct Stat *stat, const void *data)
{
    (void)stat;
    if (rc == ZOK)
        flag_set((struct flag *)data);
}

static int64_t flagged_zxid;

static void flags_event(zhandle_t *zh, int type, int state, const char *path, void *context)
{
    (void)state;
    (void)path;
    flagged_zxid = zokor_zxid(zh);
    if (type == ZOO_CHANGED_EVENT)
        flag_set(context);
}

struct nudger {
    zhandle_t *zh;
    struct flag *flag;
};

static void *nudges(void *context)
{
    struct nudger *n = context;
    usleep(20000); /* mostly the other sleeps by then; it is right, too, if not */
    flag_set(n->flag);
    zokor_nudge(n->zh);
    return NULL;
}

/* Has the handle's callers receive, which the first one cannot yet. */
static int becomes_shared(zhandle_t *zh)
{
    static struct flag never;
    int rc = ZINVALIDSTATE;
    for (int i = 0; i < 30000 && rc == ZINVALIDSTATE; i++) {
        rc = zokor_await(zh, flag_is_set, &never, 1);
        usleep(1000);
    }
    return rc == ZOPERATIONTIMEOUT;
}

/* Who waits receives for itself: completions and watchers of prompt requests, though the callback thread is busy. */
static int test_await(zhandle_t *zh)
{
    static sem_t busy;
    static struct flag answered, watched, changed, nudged;
    const int prompt = ZOKOR_PROMPT | ZOKOR_PROMPT_WATCHES;
    pthread_t thread;
    CHECK_RC(ZOK, make(zh, at("/await"), 0));
    CHECK(becomes_shared(zh));
    sem_init(&busy, 0, 0);
    CHECK_RC(ZOK, zoo_aexists(zh, "/", 0, blocks, &busy));
    CHECK(zokor_thread_prompt(prompt) == 0);
    CHECK_RC(ZOK, zokor_await_soon(zh));
    CHECK_RC(ZOK, zoo_awexists(zh, at("/await"), flags_event, &changed, flags, &answered));
    CHECK_RC(ZOK, zokor_await(zh, flag_is_set, &answered, WAIT_S * 1000));
    CHECK(pthread_equal(answered.by, pthread_self()));
    CHECK_RC(ZOK, zoo_aset(zh, at("/await"), "2", 1, -1, flags, &watched));
    CHECK_RC(ZOK, zokor_await(zh, flag_is_set, &watched, WAIT_S * 1000));
    CHECK_RC(ZOK, zokor_await(zh, flag_is_set, &changed, WAIT_S * 1000));
    CHECK(flagged_zxid == -1 || flagged_zxid == zokor_last_zxid(zh));
    CHECK(zokor_thread_prompt(0) == prompt);
    sem_post(&busy);
    struct nudger nudger = { zh, &nudged };
    CHECK(pthread_create(&thread, NULL, nudges, &nudger) == 0);
    int rc = zokor_await(zh, flag_is_set, &nudged, -1);
    CHECK(pthread_join(thread, NULL) == 0);
    CHECK_RC(ZOK, rc);
    CHECK_RC(ZOK, zoo_delete(zh, at("/await"), -1));
    return 0;
}

/* What a function does that is called by the thread which receives. */
struct inside {
    zhandle_t *zh;
    struct flag done;
    int exists_rc, await_rc, close_rc;
    int closes;
};

static void acts_inside(int rc, const struct Stat *stat, const void *data)
{
    struct inside *in = (struct inside *)data;
    struct Stat other;
    (void)rc;
    (void)stat;
    in->exists_rc = zoo_exists(in->zh, "/", 0, &other);
    in->await_rc = zokor_await(in->zh, flag_is_set, &in->done, 0);
    in->close_rc = in->closes ? zookeeper_close(in->zh) : ZOK;
    flag_set(&in->done);
}

/* Waiting would be for ever there, and is refused; closing is not. */
static int test_inside_a_prompt_function(zhandle_t *zh)
{
    static struct inside by_caller, by_io, closing[2]; /* whose handles end later */
    static struct inbox in[2];
    CHECK(becomes_shared(zh));
    CHECK(zokor_thread_prompt(ZOKOR_PROMPT) == 0);
    by_caller.zh = by_io.zh = zh;
    CHECK_RC(ZOK, zokor_await_soon(zh));
    CHECK_RC(ZOK, zoo_aexists(zh, "/", 0, acts_inside, &by_caller));
    CHECK_RC(ZOK, zokor_await(zh, flag_is_set, &by_caller.done, WAIT_S * 1000));
    CHECK(pthread_equal(by_caller.done.by, pthread_self()));
    CHECK(by_caller.exists_rc == ZINVALIDSTATE && by_caller.await_rc == ZINVALIDSTATE);
    CHECK_RC(ZOK, zoo_aexists(zh, "/", 0, acts_inside, &by_io));
    for (int i = 0; i < 30000 && !flag_is_set(&by_io.done); i++)
        usleep(1000);
    CHECK(flag_is_set(&by_io.done) && !pthread_equal(by_io.done.by, pthread_self()));
    CHECK(by_io.exists_rc == ZINVALIDSTATE && by_io.await_rc == ZINVALIDSTATE);
    for (int i = 0; i < 2; i++) { /* called by the io thread, and by this one */
        closing[i].zh = connect_to(&in[i], hosts);
        closing[i].closes = 1;
        CHECK(closing[i].zh != NULL && becomes_shared(closing[i].zh));
        CHECK(i == 0 || zokor_await_soon(closing[i].zh) == ZOK);
        CHECK_RC(ZOK, zoo_aexists(closing[i].zh, "/", 0, acts_inside, &closing[i]));
        CHECK(i == 0 || zokor_await(closing[i].zh, flag_is_set, &closing[i].done, WAIT_S * 1000) == ZOK);
        for (int n = 0; n < 30000 && !flag_is_set(&closing[i].done); n++)
            usleep(1000);
        CHECK(flag_is_set(&closing[i].done) && closing[i].close_rc == ZOK);
        CHECK(i == (pthread_equal(closing[i].done.by, pthread_self()) != 0));
    }
    CHECK(zokor_thread_prompt(0) == ZOKOR_PROMPT);
    return 0;
}

static void *closes(void *context)
{
    usleep(20000); /* mostly the other sleeps by then; it is right, too, if not */
    return zookeeper_close(context) == ZOK ? context : NULL;
}

/* Who sleeps there comes back when another thread closes the handle. */
static int test_closed_while_awaiting(zhandle_t *other)
{
    static struct flag never;
    struct inbox in;
    pthread_t thread;
    void *closed;
    (void)other;
    zhandle_t *zh = connect_to(&in, hosts);
    CHECK(zh != NULL && becomes_shared(zh));
    CHECK_RC(ZOK, zokor_await_soon(zh)); /* this thread is in the handle before the other one ends it */
    CHECK(pthread_create(&thread, NULL, closes, zh) == 0);
    CHECK_RC(ZINVALIDSTATE, zokor_await(zh, flag_is_set, &never, -1));
    CHECK(pthread_join(thread, &closed) == 0 && closed == zh);
    return 0;
}

/* A watcher that asks, as programs do: waiting inside a callback. */
static int asked_rc = 1, asked;

static void asks(zhandle_t *zh, int type, int state, const char *path, void *ctx)
{
    struct Stat stat;
    (void)state;
    if (type == ZOO_SESSION_EVENT)
        return;
    asked_rc = zoo_wexists(zh, path, asks, ctx, &stat);
    count(&asked);
}

static int test_asking_inside_a_watcher(zhandle_t *zh)
{
    struct Stat stat;
    CHECK_RC(ZNONODE, zoo_wexists(zh, at("/w"), asks, NULL, &stat));
    CHECK_RC(ZOK, make(zh, at("/w"), 0));
    CHECK(reached(&asked, 1) && asked_rc == ZOK);
    CHECK_RC(ZOK, zoo_set(zh, at("/w"), "2", 1, -1));
    CHECK(reached(&asked, 2));
    CHECK_RC(ZOK, zoo_delete(zh, at("/w"), -1));
    CHECK(reached(&asked, 3) && asked_rc == ZNONODE);
    return 0;
}

static int polled_data, polled_connected;

static void polled_watcher(zhandle_t *zh, int type, int state, const char *path, void *ctx)
{
    (void)zh;
    (void)path;
    (void)ctx;
    polled_connected |= type == ZOO_SESSION_EVENT && state == ZOO_CONNECTED_STATE;
}

static void polled_got(int rc, const char *value, int n, const struct Stat *stat, const void *data)
{
    (void)value;
    (void)stat;
    (void)data;
    polled_data += rc == ZOK && n >= 0;
}

static void polled_close(int rc, const char *value, int n, const struct Stat *stat, const void *data)
{
    (void)rc;
    (void)value;
    (void)n;
    (void)stat;
    zookeeper_close((zhandle_t *)(uintptr_t)data);
}

static int pump(zhandle_t *zh, const int *value, int want)
{
    for (time_t end = time(NULL) + WAIT_S; *value < want && time(NULL) < end;) {
        struct timeval tv;
        int interest, fd;
        if (zookeeper_interest(zh, &fd, &interest, &tv) != ZOK)
            return 0;
        struct pollfd p = { .fd = fd,
                            .events = (short)((interest & ZOOKEEPER_READ ? POLLIN : 0) |
                                              (interest & ZOOKEEPER_WRITE ? POLLOUT : 0)) };
        int n = poll(&p, 1, (int)(tv.tv_sec * 1000 + tv.tv_usec / 1000));
        int events =
            n <= 0 ? 0 : (p.revents & ~POLLOUT ? ZOOKEEPER_READ : 0) | (p.revents & POLLOUT ? ZOOKEEPER_WRITE : 0);
        int rc = zookeeper_process(zh, events);
        if (rc != ZOK && rc != ZNOTHING)
            return 0;
    }
    return *value >= want;
}

static int test_polled(zhandle_t *other)
{
    struct Stat stat;
    (void)other;
#ifdef WITHOUT_THREADS /* the library whose ordinary handles have none */
    zhandle_t *zh = zookeeper_init(hosts, polled_watcher, 30000, NULL, NULL, ZOO_NO_LOG_CLIENTENV);
#else
    zhandle_t *zh = zokor_init_polled(hosts, polled_watcher, 30000, NULL, NULL, ZOO_NO_LOG_CLIENTENV, NULL);
#endif
    CHECK(zh != NULL);
    CHECK(pump(zh, &polled_connected, 1));
    for (int i = 0; i < 1000; i++)
        CHECK_RC(ZOK, zoo_aget(zh, "/", 0, polled_got, NULL));
    CHECK(pump(zh, &polled_data, 1000));
    CHECK_RC(ZINVALIDSTATE, zoo_exists(zh, "/", 0, &stat));
    CHECK_RC(ZOK, zoo_aget(zh, "/", 0, polled_got, NULL));
    CHECK_RC(ZOK, zookeeper_close(zh));
    CHECK(polled_data == 1001);
    zh = zokor_init_polled(hosts, polled_watcher, 30000, NULL, NULL, ZOO_NO_LOG_CLIENTENV, NULL);
    CHECK(zh != NULL);
    polled_connected = 0;
    CHECK(pump(zh, &polled_connected, 1));
    CHECK_RC(ZOK, zoo_aget(zh, "/", 0, polled_close, zh)); /* its own callback ends it */
    CHECK(!pump(zh, &polled_data, 9999));
    return 0;
}

static int test_arguments(zhandle_t *zh)
{
    struct Stat stat;
    int32_t number;
    CHECK_RC(ZBADARGUMENTS, zoo_exists(NULL, "/", 0, &stat));
    static const char *const bad[] = { NULL, "", "a", "//", "/a/", "/a/../b" };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        CHECK_RC(ZBADARGUMENTS, zoo_exists(zh, bad[i], 0, &stat));
        CHECK_RC(ZBADARGUMENTS, zoo_set(zh, bad[i], "", 0, -1));
        CHECK_RC(ZBADARGUMENTS, zoo_delete(zh, bad[i], -1));
        CHECK_RC(ZBADARGUMENTS, make(zh, bad[i], 0));
        CHECK_RC(ZBADARGUMENTS, zokor_sync(zh, bad[i]));
        CHECK_RC(ZBADARGUMENTS, zokor_get_all_children_number(zh, bad[i], &number));
    }
    CHECK_RC(ZBADARGUMENTS, make(zh, at("/x"), 7));
    CHECK_RC(ZBADARGUMENTS, zoo_add_auth(zh, NULL, "", 0, NULL, NULL));
    CHECK_RC(ZBADARGUMENTS, zoo_set_servers(zh, ""));
    CHECK(zoo_state(NULL) == 0 && zoo_recv_timeout(NULL) == 0 && zoo_client_id(NULL) == NULL);
    CHECK(strcmp(zerror(ZQUOTAEXCEEDED), "quota exceeded") == 0 && strcmp(zerror(-99), "unknown error") == 0);
    return 0;
}

static const struct {
    const char *name;
    int (*run)(zhandle_t *zh);
} groups[] = {
    { "persistent_watches", test_persistent_watches },
    { "reads", test_reads },
    { "who_and_ephemerals", test_who_and_ephemerals },
    { "multi_with_stats", test_multi_with_stats },
    { "large_multi", test_large_multi },
    { "ends", test_ends },
    { "fork", test_fork },
    { "deadlines", test_deadlines },
    { "prompt", test_prompt },
    { "await", test_await },
    { "inside_a_prompt_function", test_inside_a_prompt_function },
    { "closed_while_awaiting", test_closed_while_awaiting },
    { "asking_inside_a_watcher", test_asking_inside_a_watcher },
    { "polled", test_polled },
    { "arguments", test_arguments },
};

int main(int argc, char **argv)
{
    int failed = 0;
    if (argc < 2)
        return 2;
    hosts = argv[1];
    zoo_set_debug_level(ZOO_LOG_LEVEL_ERROR);
#ifdef WITHOUT_THREADS
    failed = test_polled(NULL) != 0;
    printf(failed ? "FAIL polled: %s\n" : "PASS polled\n", why);
    return failed;
#endif
    for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++) {
        struct inbox in;
        if (argc > 2 && strcmp(argv[2], groups[i].name) != 0)
            continue;
        zhandle_t *zh = connect_to(&in, hosts);
        snprintf(base, sizeof(base), "/library-%d-%zu", (int)getpid(), i);
        int rc = -1;
        if (zh == NULL || make(zh, base, 0) != ZOK)
            snprintf(why, sizeof(why), "no session");
        else
            rc = groups[i].run(zh);
        printf(rc == 0 ? "PASS %s\n" : "FAIL %s: %s\n", groups[i].name, why);
        fflush(stdout);
        failed += rc != 0;
        if (zh != NULL)
            zookeeper_close(zh);
    }
    return failed;
}
