/* Locks and semaphores: who gets them, in which order, and what is known when connections and sessions end. */
#include "check.h"
#include "proxy.h"
#include <zokor/lock.h>
#include <zokor/shared.h>

#define OP_CREATE2 15
#define OP_DELETE 2

char base[64];
const char *hosts;
int port;

static atomic_int told, inside, most, turns;
static _Atomic int64_t told_token;

static void on_hold(const char *path, int64_t token, void *context)
{
    CHECK(strstr(path, "/_c_") != NULL);
    (void)context;
    atomic_store(&told_token, token);
    atomic_fetch_add(&told, 1);
}

/* Another thread of the program's, with a lock of its own choice. */
struct helper {
    pthread_t thread;
    struct zokor_mutex *mutex;
    int timeout_ms, rc;
    int64_t token;
    atomic_int got, let_go;
};

static void *helper_main(void *arg)
{
    struct helper *h = arg;
    h->rc = zokor_mutex_acquire(h->mutex, h->timeout_ms);
    h->token = zokor_mutex_token(h->mutex);
    atomic_store(&h->got, h->rc == ZOK ? 1 : -1);
    while (h->rc == ZOK && !atomic_load(&h->let_go))
        poll(NULL, 0, 2);
    if (h->rc == ZOK)
        EQ(ZOK, zokor_mutex_release(h->mutex));
    return NULL;
}

static struct helper *start(struct zokor_mutex *m, int timeout_ms)
{
    struct helper *h = calloc(1, sizeof(*h));
    h->mutex = m;
    h->timeout_ms = timeout_ms;
    EQ(0, pthread_create(&h->thread, NULL, helper_main, h));
    return h;
}

static int finish(struct helper *h)
{
    atomic_store(&h->let_go, 1);
    pthread_join(h->thread, NULL);
    int rc = h->rc;
    free(h);
    return rc;
}

static int waiters(struct zokor_framework *f)
{
    return count_children(f, base);
}

struct contender {
    pthread_t thread;
    struct zokor_mutex *mutex;
    int rounds;
};

static void *contend(void *arg)
{
    struct contender *c = arg;
    for (int i = 0; i < c->rounds; i++) {
        EQ(ZOK, zokor_mutex_acquire(c->mutex, WAIT_MS));
        int n = atomic_fetch_add(&inside, 1) + 1;
        if (n > atomic_load(&most))
            atomic_store(&most, n);
        int64_t token = zokor_mutex_token(c->mutex);
        poll(NULL, 0, 1);                                   /* time for others to come in, if they can */
        CHECK(token > atomic_exchange(&told_token, token)); /* each holder's is higher than the last one's */
        atomic_fetch_add(&turns, 1);
        atomic_fetch_sub(&inside, 1);
        EQ(ZOK, zokor_mutex_release(c->mutex));
    }
    return NULL;
}

static void test_contention(void)
{
    struct zokor_framework *f[3];
    struct zokor_mutex *m[3];
    struct contender c[9];
    for (int i = 0; i < 3; i++) {
        f[i] = open_direct();
        m[i] = zokor_mutex_new(f[i], base);
    }
    for (int i = 0; i < 9; i++) {
        c[i] = (struct contender){ .mutex = m[i % 3], .rounds = 20 };
        EQ(0, pthread_create(&c[i].thread, NULL, contend, &c[i]));
    }
    for (int i = 0; i < 9; i++)
        pthread_join(c[i].thread, NULL);
    EQ(180, atomic_load(&turns));
    EQ(1, atomic_load(&most));
    EQ(0, waiters(f[0]));
    for (int i = 0; i < 3; i++) {
        zokor_mutex_free(m[i]);
        EQ(ZOK, zokor_framework_close(f[i]));
    }
}

static void test_reentrant(void)
{
    struct zokor_framework *f = open_direct();
    struct zokor_mutex *m = zokor_mutex_new(f, base);
    EQ(ZINVALIDSTATE, zokor_mutex_release(m));
    EQ(-1, zokor_mutex_token(m));
    EQ(ZOK, zokor_mutex_acquire(m, -1));
    int64_t token = zokor_mutex_token(m);
    EQ(ZOK, zokor_mutex_acquire(m, 0));
    CHECK(token > 0 && zokor_mutex_token(m) == token);
    EQ(1, waiters(f));
    struct helper *h = start(m, 50); /* another thread, by the same object, waits */
    EVENTUALLY(atomic_load(&h->got) != 0);
    EQ(ZOPERATIONTIMEOUT, finish(h));
    EQ(1, waiters(f)); /* and leaves nothing */
    EQ(ZOK, zokor_mutex_release(m));
    EQ(ZOKOR_HELD, zokor_mutex_hold(m));
    EQ(1, zokor_mutex_is_acquired(m));
    EQ(ZOK, zokor_mutex_release(m));
    EQ(ZOKOR_NOT_HELD, zokor_mutex_hold(m));
    EQ(0, waiters(f));
    EQ(0, zokor_mutex_is_acquired(m));
    zokor_mutex_free(m);
    EQ(ZOK, zokor_framework_close(f));
}

static void test_order(void)
{
    struct zokor_framework *f = open_direct();
    struct zokor_mutex *m = zokor_mutex_new(f, base);
    struct helper *h[5];
    zokor_mutex_set_data(m, "who", 3);
    EQ(ZOK, zokor_mutex_acquire(m, -1));
    for (int i = 0; i < 5; i++) {
        h[i] = start(m, -1);
        EVENTUALLY(waiters(f) == i + 2);
    }
    struct String_vector paths;
    EQ(ZOK, zokor_mutex_participants(m, &paths));
    EQ(6, paths.count);
    EQ(0, zokor_path_sequence(paths.data[0]));
    EQ(5, zokor_path_sequence(paths.data[5]));
    char *data;
    int n;
    EQ(ZOK, zokor_framework_get(f, paths.data[3], &data, &n, NULL));
    SAME("who", data);
    free(data);
    deallocate_String_vector(&paths);
    EQ(ZOK, zokor_mutex_release(m));
    for (int i = 0; i < 5; i++) {
        EVENTUALLY(atomic_load(&h[i]->got) == 1);
        for (int k = i + 1; k < 5; k++)
            EQ(0, atomic_load(&h[k]->got));
        EQ(ZOK, finish(h[i]));
    }
    zokor_mutex_free(m);
    EQ(ZOK, zokor_framework_close(f));
}

static void test_cancel(void)
{
    struct zokor_framework *f = open_direct();
    struct zokor_mutex *m = zokor_mutex_new(f, base), *other = zokor_mutex_new(f, base);
    EQ(ZOK, zokor_mutex_acquire(m, -1));
    struct helper *h = start(other, -1);
    EVENTUALLY(waiters(f) == 2);
    zokor_mutex_cancel(other);
    EVENTUALLY(atomic_load(&h->got) != 0);
    EQ(ZCLOSING, finish(h));
    EQ(1, waiters(f));
    EQ(ZCLOSING, zokor_mutex_acquire(other, -1));
    zokor_mutex_free(m); /* gives it back */
    zokor_mutex_free(other);
    EQ(0, waiters(f));
    EQ(ZOK, zokor_framework_close(f));
}

/* The framework is closed while a thread waits for a lock: it is told, and has returned before the close does. */
static void test_close_ends_waiting(void)
{
    struct zokor_framework *f = open_direct(), *g = open_direct();
    struct zokor_mutex *m = zokor_mutex_new(f, base), *n = zokor_mutex_new(g, base);
    EQ(ZOK, zokor_mutex_acquire(n, -1));
    struct helper *h = start(m, -1);
    EVENTUALLY(waiters(g) == 2);
    EQ(ZOK, zokor_framework_close(f));
    EQ(ZCLOSING, finish(h));
    EVENTUALLY(waiters(g) == 1);
    zokor_mutex_free(m);
    zokor_mutex_free(n);
    EQ(ZOK, zokor_framework_close(g));
}

static void test_lost_replies(void)
{
    struct proxy *x = proxy_start(port);
    struct zokor_framework *f = open_through(x->port, SESSION_MS);
    struct zokor_mutex *m = zokor_mutex_new(f, base);
    for (int i = 0; i < 4; i++) {
        proxy_lose_reply(x, OP_CREATE2);
        EQ(ZOK, zokor_mutex_acquire(m, WAIT_MS));
        EQ(1, waiters(f));
        EVENTUALLY(zokor_mutex_hold(m) == ZOKOR_HELD);
        proxy_lose_reply(x, OP_DELETE);
        EQ(ZOK, zokor_mutex_release(m));
        EQ(0, waiters(f));
    }
    EQ(8, proxy_lost(x));
    zokor_mutex_free(m);
    EQ(ZOK, zokor_framework_close(f));
    proxy_end(x);
}

static void test_holder_reconnects(void)
{
    struct proxy *x = proxy_start(port);
    struct zokor_framework *f = open_through(x->port, SESSION_MS), *other = open_direct();
    struct zokor_mutex *m = zokor_mutex_new(f, base);
    zokor_mutex_on_lost(m, on_hold, NULL);
    EQ(ZOK, zokor_mutex_acquire(m, -1));
    int64_t token = zokor_mutex_token(m);
    proxy_shut(x, 1);
    EVENTUALLY(zokor_mutex_hold(m) == ZOKOR_IN_DOUBT);
    proxy_shut(x, 0);
    EVENTUALLY(zokor_mutex_hold(m) == ZOKOR_HELD); /* found again */
    EQ(0, atomic_load(&told));
    proxy_shut(x, 1);
    EVENTUALLY(zokor_mutex_hold(m) == ZOKOR_IN_DOUBT);
    EQ(ZOK, zokor_framework_delete(other, base, ZOKOR_RECURSIVE)); /* somebody takes it away meanwhile */
    proxy_shut(x, 0);
    EVENTUALLY(zokor_mutex_hold(m) == ZOKOR_HOLD_LOST);
    EVENTUALLY(atomic_load(&told) == 1);
    CHECK(atomic_load(&told_token) == token);
    EQ(ZINVALIDSTATE, zokor_mutex_acquire(m, 0));
    EQ(ZOK, zokor_mutex_release(m));
    EQ(ZOK, zokor_mutex_acquire(m, WAIT_MS));
    CHECK(zokor_mutex_token(m) > token);
    zokor_mutex_free(m);
    EQ(ZOK, zokor_framework_close(f));
    EQ(ZOK, zokor_framework_close(other));
    proxy_end(x);
}

/* A holder that cannot be reached: its session ends, another gets the lock, with a higher token; both never believe
 * that they have it. */
static void test_session_expires(void)
{
    struct proxy *x = proxy_start(port);
    struct zokor_framework *f = open_through(x->port, SHORT_SESSION_MS), *g = open_direct();
    struct zokor_mutex *m = zokor_mutex_new(f, base), *n = zokor_mutex_new(g, base);
    zokor_mutex_on_lost(m, on_hold, NULL);
    EQ(ZOK, zokor_mutex_acquire(m, -1));
    struct helper *h = start(n, -1);
    EVENTUALLY(waiters(g) == 2);
    proxy_freeze(x, 1);
    EVENTUALLY(atomic_load(&h->got) == 1);
    CHECK(zokor_mutex_hold(m) != ZOKOR_HELD);
    CHECK(h->token > zokor_mutex_token(m));
    EVENTUALLY(zokor_mutex_hold(m) == ZOKOR_HOLD_LOST);
    EVENTUALLY(atomic_load(&told) == 1);
    proxy_freeze(x, 0);
    proxy_cut(x);
    EVENTUALLY(zokor_framework_is_connected(f));
    EQ(ZOKOR_HOLD_LOST, zokor_mutex_hold(m)); /* and stays so */
    EQ(ZOK, zokor_mutex_release(m));
    EQ(1, waiters(g));
    EQ(ZOK, finish(h));
    zokor_mutex_free(m);
    zokor_mutex_free(n);
    EQ(ZOK, zokor_framework_close(f));
    EQ(ZOK, zokor_framework_close(g));
    proxy_end(x);
}

/* Somebody deletes the holder's node by hand, and the next one's: the holder hears of it while the connection stays, a
 * waiter queues up again. */
static void test_node_deleted(void)
{
    struct zokor_framework *f = open_direct(), *g = open_direct();
    struct zokor_mutex *m = zokor_mutex_new(f, base), *n = zokor_mutex_new(g, base);
    zokor_mutex_on_lost(m, on_hold, NULL);
    EQ(ZOK, zokor_mutex_acquire(m, -1));
    int64_t token = zokor_mutex_token(m);
    char *node = zokor_mutex_node(m);
    struct helper *h = start(n, -1);
    EVENTUALLY(waiters(g) == 2);
    struct String_vector all;
    EQ(ZOK, zokor_mutex_participants(m, &all));
    EQ(2, all.count);
    SAME(node, all.data[0]);
    EQ(ZOK, zokor_framework_delete(g, all.data[1], 0));
    deallocate_String_vector(&all);
    EQ(0, atomic_load(&told));
    EQ(ZOK, zokor_framework_delete(g, node, 0));
    EVENTUALLY(atomic_load(&told) == 1);
    CHECK(atomic_load(&told_token) == token);
    EQ(ZOKOR_HOLD_LOST, zokor_mutex_hold(m));
    EVENTUALLY(atomic_load(&h->got) == 1);
    EQ(1, waiters(g)); /* with a node, not on the strength of the one that is gone */
    CHECK(h->token > token);
    EQ(ZOK, zokor_mutex_release(m));
    EQ(ZOK, finish(h));
    free(node);
    zokor_mutex_free(m);
    zokor_mutex_free(n);
    EQ(ZOK, zokor_framework_close(f));
    EQ(ZOK, zokor_framework_close(g));
}

static void count_reconnections(struct zokor_framework *f, enum zokor_connection_state state, void *context)
{
    (void)f;
    if (state == ZOKOR_RECONNECTED)
        atomic_fetch_add((atomic_int *)context, 1);
}

/* A transaction that checks the holder's node cannot come too late. */
static void test_guarded_transaction(void)
{
    struct zokor_framework *f = open_direct(), *g = open_direct();
    struct zokor_mutex *m = zokor_mutex_new(f, at("/lock"));
    CHECK(zokor_mutex_node(m) == NULL);
    EQ(ZOK, zokor_mutex_acquire(m, -1));
    char *node = zokor_mutex_node(m);
    for (int i = 0; i < 2; i++) {
        struct zokor_transaction *t = zokor_transaction_new();
        zokor_transaction_check(t, node, -1);
        zokor_transaction_create(t, i == 0 ? at("/first") : at("/second"), NULL, 0, 0, 0, NULL);
        EQ(i == 0 ? ZOK : ZNONODE, zokor_transaction_commit(f, t, NULL));
        zokor_transaction_free(t);
        EQ(i == 0 ? ZOK : ZNONODE, zokor_framework_delete(g, node, 0)); /* it does not know that it has lost */
        EQ(ZOKOR_HELD, zokor_mutex_hold(m));
    }
    EQ(ZNONODE, zokor_framework_exists(f, at("/second"), NULL));
    free(node);
    zokor_mutex_free(m);
    EQ(ZOK, zokor_framework_close(f));
    EQ(ZOK, zokor_framework_close(g));
}

static void test_waiter_reconnects(void)
{
    static atomic_int reconnections;
    struct proxy *x = proxy_start(port);
    struct zokor_framework *f = open_through(x->port, SHORT_SESSION_MS), *g = open_direct();
    struct zokor_mutex *m = zokor_mutex_new(f, base), *n = zokor_mutex_new(g, base);
    EQ(ZOK, zokor_mutex_acquire(n, -1));
    struct helper *h = start(m, -1);
    EVENTUALLY(waiters(g) == 2);
    zokor_framework_listen(f, count_reconnections, &reconnections);
    for (int i = 1; i <= 3; i++) {
        proxy_cut(x);
        EVENTUALLY(atomic_load(&reconnections) >= i);
    }
    EVENTUALLY(waiters(g) == 2);
    int64_t session = zokor_framework_session_id(f);
    proxy_freeze(x, 1); /* its session ends while it waits: it queues up again */
    EVENTUALLY(waiters(g) == 1);
    proxy_freeze(x, 0);
    EVENTUALLY(waiters(g) == 2);
    CHECK(zokor_framework_session_id(f) != session);
    EQ(0, atomic_load(&h->got));
    EQ(ZOK, zokor_mutex_release(n));
    EVENTUALLY(atomic_load(&h->got) == 1);
    EQ(ZOK, finish(h));
    EQ(0, waiters(g));
    zokor_mutex_free(m);
    zokor_mutex_free(n);
    EQ(ZOK, zokor_framework_close(f));
    EQ(ZOK, zokor_framework_close(g));
    proxy_end(x);
}

static void test_revocation(void)
{
    struct zokor_framework *f = open_direct(), *g = open_direct();
    struct zokor_mutex *m = zokor_mutex_new(f, base);
    struct String_vector paths;
    zokor_mutex_make_revocable(m, on_hold, NULL);
    for (int i = 1; i <= 2; i++) {
        EQ(ZOK, zokor_mutex_acquire(m, -1));
        EQ(ZOK, zokor_mutex_participants(m, &paths));
        EQ(ZOK, zokor_framework_set(g, paths.data[0], "something else", 14, -1));
        EQ(ZOK, zokor_revoke(g, paths.data[0]));
        EVENTUALLY(atomic_load(&told) == i);
        CHECK(atomic_load(&told_token) == zokor_mutex_token(m));
        deallocate_String_vector(&paths);
        EQ(ZOK, zokor_mutex_release(m));
    }
    /* Whoever is asked while it waits hears of it when there is something to give back. */
    struct zokor_mutex *n = zokor_mutex_new(g, base);
    EQ(ZOK, zokor_mutex_acquire(n, -1));
    struct helper *h = start(m, -1);
    EVENTUALLY(waiters(g) == 2);
    EQ(ZOK, zokor_mutex_participants(n, &paths));
    EQ(ZOK, zokor_revoke(g, paths.data[1]));
    deallocate_String_vector(&paths);
    for (int i = 0; i < 3; i++) /* the waiter's connection tells it, and it looks, before this is answered */
        EQ(ZOK, zokor_framework_exists(f, base, NULL));
    EQ(ZOK, zokor_mutex_release(n));
    EVENTUALLY(atomic_load(&h->got) == 1);
    EVENTUALLY(atomic_load(&told) == 3);
    CHECK(atomic_load(&told_token) == h->token);
    EQ(ZOK, finish(h));
    zokor_mutex_free(n);
    zokor_mutex_free(m);
    EQ(ZOK, zokor_framework_close(f));
    EQ(ZOK, zokor_framework_close(g));
}

static void test_read_write(void)
{
    struct zokor_framework *f = open_direct(), *g = open_direct();
    struct zokor_rw_lock *a = zokor_rw_lock_new(f, base), *b = zokor_rw_lock_new(g, base);
    EQ(ZOK, zokor_mutex_acquire(zokor_rw_lock_read(a), -1));
    EQ(ZOK, zokor_mutex_acquire(zokor_rw_lock_read(b), 0)); /* readers share */
    struct helper *writer = start(zokor_rw_lock_write(b), -1);
    EVENTUALLY(waiters(f) == 3);
    struct helper *reader = start(zokor_rw_lock_read(a), -1); /* behind the writer */
    EVENTUALLY(waiters(f) == 4);
    EQ(ZOK, zokor_mutex_release(zokor_rw_lock_read(a)));
    EQ(0, atomic_load(&writer->got));
    EQ(ZOK, zokor_mutex_release(zokor_rw_lock_read(b)));
    EVENTUALLY(atomic_load(&writer->got) == 1);
    EQ(0, atomic_load(&reader->got));
    struct String_vector paths;
    EQ(ZOK, zokor_mutex_participants(zokor_rw_lock_write(a), &paths));
    EQ(1, paths.count);
    CHECK(strstr(paths.data[0], "-__WRIT__00") != NULL);
    deallocate_String_vector(&paths);
    EQ(ZOK, finish(writer));
    EVENTUALLY(atomic_load(&reader->got) == 1);
    EQ(ZOK, finish(reader));
    EQ(0, waiters(f));
    zokor_rw_lock_free(a);
    zokor_rw_lock_free(b);
    EQ(ZOK, zokor_framework_close(f));
    EQ(ZOK, zokor_framework_close(g));
}

static void test_downgrade(void)
{
    struct zokor_framework *f = open_direct(), *g = open_direct();
    struct zokor_rw_lock *a = zokor_rw_lock_new(f, base), *b = zokor_rw_lock_new(g, base);
    EQ(ZOK, zokor_mutex_acquire(zokor_rw_lock_write(a), -1));
    EQ(ZOK, zokor_mutex_acquire(zokor_rw_lock_read(a), 0)); /* by the same thread: at once */
    EQ(ZOK, zokor_mutex_release(zokor_rw_lock_write(a)));
    EQ(1, waiters(f)); /* nobody in between: the writer's node has gone */
    EQ(ZOK, zokor_mutex_acquire(zokor_rw_lock_read(b), 0));
    EQ(ZOK, zokor_mutex_release(zokor_rw_lock_read(b)));
    EQ(ZOK, zokor_mutex_release(zokor_rw_lock_read(a)));

    EQ(ZOK, zokor_mutex_acquire(zokor_rw_lock_write(a), -1));
    struct helper *writer = start(zokor_rw_lock_write(b), -1);
    EVENTUALLY(waiters(f) == 2);
    EQ(ZOK, zokor_mutex_acquire(zokor_rw_lock_read(a), 0));
    EQ(ZOK, zokor_mutex_release(zokor_rw_lock_write(a)));
    EQ(ZOKOR_NOT_HELD, zokor_mutex_hold(zokor_rw_lock_write(a)));
    EQ(3, waiters(f)); /* the writer in between must not find itself first */
    EQ(0, atomic_load(&writer->got));
    EQ(ZOK, zokor_mutex_release(zokor_rw_lock_read(a)));
    EVENTUALLY(atomic_load(&writer->got) == 1);
    EQ(ZOK, finish(writer));
    EQ(0, waiters(f));
    zokor_rw_lock_free(a);
    zokor_rw_lock_free(b);
    EQ(ZOK, zokor_framework_close(f));
    EQ(ZOK, zokor_framework_close(g));
}

static void test_multi_lock(void)
{
    struct zokor_framework *f = open_direct();
    char paths[3][192];
    struct zokor_mutex *m[3], *other;
    for (int i = 0; i < 3; i++) {
        snprintf(paths[i], sizeof(paths[i]), "%s/%d", base, i);
        m[i] = zokor_mutex_new(f, paths[i]);
    }
    other = zokor_mutex_new(f, paths[2]);
    struct helper *h = start(other, -1);
    EVENTUALLY(atomic_load(&h->got) == 1);
    EQ(ZOPERATIONTIMEOUT, zokor_multi_lock_acquire(m, 3, 50));
    EQ(0, count_children(f, paths[0]));
    EQ(0, count_children(f, paths[1]));
    EQ(1, count_children(f, paths[2]));
    EQ(ZOK, finish(h));
    EQ(ZOK, zokor_multi_lock_acquire(m, 3, -1));
    EQ(1, count_children(f, paths[0]));
    EQ(ZOK, zokor_multi_lock_release(m, 3));
    EQ(0, count_children(f, paths[0]));
    for (int i = 0; i < 3; i++)
        zokor_mutex_free(m[i]);
    zokor_mutex_free(other);
    EQ(ZOK, zokor_framework_close(f));
}

static void *take_lease(void *arg)
{
    struct zokor_lease *lease;
    EQ(ZOK, zokor_semaphore_acquire(arg, 1, &lease, -1));
    atomic_fetch_add(&turns, 1);
    EQ(ZOK, zokor_lease_return(lease));
    return NULL;
}

static void test_semaphore(void)
{
    struct zokor_framework *f = open_direct(), *g = open_direct();
    struct zokor_semaphore *a = zokor_semaphore_new(f, base, 3), *b = zokor_semaphore_new(g, base, 3);
    struct zokor_lease *two[2], *one, *more[2];
    pthread_t t;
    EQ(ZOK, zokor_semaphore_acquire(a, 2, two, -1));
    EQ(ZOPERATIONTIMEOUT, zokor_semaphore_acquire(b, 2, more, 50)); /* all or none */
    EQ(2, count_children(f, at("/leases")));
    EQ(ZOK, zokor_semaphore_acquire(b, 1, &one, -1));
    CHECK(zokor_lease_token(one) > zokor_lease_token(two[1]) && zokor_lease_hold(one) == ZOKOR_HELD);
    struct String_vector names;
    EQ(ZOK, zokor_semaphore_participants(a, &names));
    EQ(3, names.count);
    CHECK(strstr(names.data[0], "-lease-") != NULL);
    deallocate_String_vector(&names);
    EQ(0, count_children(f, at("/locks")));
    EQ(0, pthread_create(&t, NULL, take_lease, a));
    EVENTUALLY(count_children(f, at("/leases")) == 4);
    EQ(0, atomic_load(&turns));
    EQ(ZOK, zokor_lease_return(one));
    pthread_join(t, NULL);
    EQ(ZOK, zokor_lease_return(two[0]));
    EQ(ZOK, zokor_lease_return(two[1]));
    EQ(0, count_children(f, at("/leases")));
    zokor_semaphore_free(a);
    zokor_semaphore_free(b);
    EQ(ZOK, zokor_framework_close(f));
    EQ(ZOK, zokor_framework_close(g));
}

static void test_semaphore_with_count(void)
{
    struct zokor_framework *f = open_direct(), *g = open_direct();
    struct zokor_lease *one;
    pthread_t t;
    int rc;
    struct zokor_shared_count *here = zokor_shared_count_new(f, at("/count"), 1, NULL, NULL, &rc);
    struct zokor_shared_count *there = zokor_shared_count_new(g, at("/count"), 9, NULL, NULL, &rc);
    EQ(1, zokor_shared_count_get(there, NULL));
    struct zokor_semaphore *s = zokor_semaphore_new_with_count(f, at("/s"), here);
    EQ(ZOK, zokor_semaphore_acquire(s, 1, &one, -1));
    EQ(0, pthread_create(&t, NULL, take_lease, s));
    EVENTUALLY(count_children(f, at("/s/leases")) == 2);
    EQ(0, atomic_load(&turns));
    EQ(ZOK, zokor_shared_count_set(there, 2)); /* more leases: who waits gets one */
    pthread_join(t, NULL);
    EQ(ZOK, zokor_lease_return(one));
    zokor_semaphore_free(s);
    zokor_shared_count_free(here);
    zokor_shared_count_free(there);
    EQ(ZOK, zokor_framework_close(f));
    EQ(ZOK, zokor_framework_close(g));
}

static void test_semaphore_mutex(void)
{
    struct zokor_framework *f = open_direct();
    struct zokor_semaphore_mutex *m = zokor_semaphore_mutex_new(f, base);
    EQ(ZOK, zokor_semaphore_mutex_acquire(m, -1));
    EQ(ZOPERATIONTIMEOUT, zokor_semaphore_mutex_acquire(m, 50)); /* not twice, not even by this thread */
    EQ(ZOKOR_HELD, zokor_semaphore_mutex_hold(m));
    CHECK(zokor_semaphore_mutex_token(m) > 0);
    EQ(ZOK, zokor_semaphore_mutex_release(m));
    EQ(ZINVALIDSTATE, zokor_semaphore_mutex_release(m));
    EQ(ZOK, zokor_semaphore_mutex_acquire(m, 0));
    zokor_semaphore_mutex_free(m);
    EQ(0, count_children(f, at("/leases")));
    EQ(ZOK, zokor_framework_close(f));
}

static void on_count(struct zokor_shared_count *c, int32_t count, void *context)
{
    (void)c;
    (void)context;
    atomic_store(&told, count);
}

static void test_shared_count(void)
{
    struct zokor_framework *f = open_direct(), *g = open_direct();
    int rc, version;
    struct zokor_shared_count *a = zokor_shared_count_new(f, base, 5, on_count, NULL, &rc);
    struct zokor_shared_count *b = zokor_shared_count_new(g, base, 6, NULL, NULL, &rc);
    char *data;
    int n;
    EQ(5, zokor_shared_count_get(b, &version));
    EQ(ZOK, zokor_shared_count_try_set(b, version, 0x01020304));
    EVENTUALLY(atomic_load(&told) == 0x01020304);
    EQ(0x01020304, zokor_shared_count_get(a, NULL));
    EQ(ZBADVERSION, zokor_shared_count_try_set(a, version, 7));
    EQ(ZOK, zokor_framework_get(f, base, &data, &n, NULL));
    EQ(4, n);
    CHECK(memcmp(data, "\1\2\3\4", 4) == 0); /* the highest first, as Java writes it */
    free(data);
    EQ(ZOK, zokor_shared_count_set(b, -1));
    EVENTUALLY(atomic_load(&told) == -1);
    zokor_shared_count_free(a);
    zokor_shared_count_free(b);
    EQ(ZOK, zokor_framework_close(f));
    EQ(ZOK, zokor_framework_close(g));
}

#define CROWD 1000

static void *pass_through(void *arg)
{
    EQ(ZOK, zokor_mutex_acquire(arg, -1));
    atomic_fetch_add(&turns, 1);
    EQ(ZOK, zokor_mutex_release(arg));
    return NULL;
}

/* Nobody is woken in vain: as many events as there are waiters, not their square. */
static void test_thousand_waiters(void)
{
    static pthread_t threads[CROWD];
    struct proxy *x = proxy_start(port);
    struct zokor_framework *f = open_through(x->port, SESSION_MS), *direct = open_direct();
    struct zokor_mutex *m = zokor_mutex_new(f, base);
    pthread_attr_t small;
    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, 256 << 10);
    EQ(ZOK, zokor_mutex_acquire(m, -1));
    for (int i = 0; i < CROWD; i++)
        EQ(0, pthread_create(&threads[i], &small, pass_through, m));
    EVENTUALLY(waiters(direct) == CROWD + 1);
    EQ(ZOK, zokor_mutex_release(m));
    for (int i = 0; i < CROWD; i++)
        pthread_join(threads[i], NULL);
    EQ(CROWD, atomic_load(&turns));
    printf("%d events for %d waiters\n", proxy_notifications(x), CROWD);
    CHECK(proxy_notifications(x) <= CROWD);
    CHECK(proxy_notifications(x) >= CROWD / 2);
    EQ(0, waiters(direct));
    pthread_attr_destroy(&small);
    zokor_mutex_free(m);
    EQ(ZOK, zokor_framework_close(f));
    EQ(ZOK, zokor_framework_close(direct));
    proxy_end(x);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        { "contention", test_contention },
        { "reentrant", test_reentrant },
        { "order", test_order },
        { "cancel", test_cancel },
        { "close_ends_waiting", test_close_ends_waiting },
        { "lost_replies", test_lost_replies },
        { "holder_reconnects", test_holder_reconnects },
        { "session_expires", test_session_expires },
        { "node_deleted", test_node_deleted },
        { "guarded_transaction", test_guarded_transaction },
        { "waiter_reconnects", test_waiter_reconnects },
        { "revocation", test_revocation },
        { "read_write", test_read_write },
        { "downgrade", test_downgrade },
        { "multi_lock", test_multi_lock },
        { "semaphore", test_semaphore },
        { "semaphore_with_count", test_semaphore_with_count },
        { "semaphore_mutex", test_semaphore_mutex },
        { "shared_count", test_shared_count },
        { "thousand_waiters", test_thousand_waiters },
    };
    return run_tests(argc, argv, tests, sizeof(tests) / sizeof(tests[0]));
}
