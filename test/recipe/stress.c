/* Everything at once, on connections that break: locks, elections, leases, requests and watches by many threads.
 * Whoever holds something has the highest token there is; nothing is left at the end. */
#include "check.h"
#include "proxy.h"
#include <time.h>
#include <zokor/leader.h>
#include <zokor/lock.h>

#define CLIENTS 3
#define THREADS 4
#define SECONDS 8
#define LEASES 2

char base[64];
const char *hosts;
int port;

static struct proxy *proxies[CLIENTS];
static struct zokor_framework *clients[CLIENTS];
static atomic_int ended, had, refused, events;

struct worker {
    pthread_t thread;
    struct zokor_framework *f;
    struct zokor_mutex *mutex;
    struct zokor_rw_lock *rw;
    struct zokor_semaphore *semaphore;
    unsigned seed;
};

static unsigned dice(struct worker *w, unsigned sides)
{
    w->seed = w->seed * 1103515245 + 12345;
    return (w->seed >> 16) % sides;
}

/* The highest token of each thing that was held. */
static _Atomic int64_t highest[2];

/* Holders come one after the other: what was recorded before is lower, unless this one has lost. */
static void check_alone(int which, struct zokor_mutex *m)
{
    int64_t token = zokor_mutex_token(m), before = atomic_load(&highest[which]);
    while (before < token && !atomic_compare_exchange_weak(&highest[which], &before, token))
        ;
    CHECK(before <= token || zokor_mutex_hold(m) != ZOKOR_HELD);
    atomic_fetch_add(&had, 1);
}

static void on_hold(const char *path, int64_t token, void *context)
{
    (void)path;
    (void)token;
    (void)context;
    atomic_fetch_add(&events, 1);
}

static void on_event(struct zokor_framework *f, const struct zokor_event *e, void *context)
{
    (void)f;
    (void)e;
    (void)context;
    atomic_fetch_add(&events, 1);
}

static void on_result(struct zokor_framework *f, const struct zokor_result *r, void *context)
{
    (void)f;
    (void)context;
    atomic_fetch_add(r->rc == ZOK ? &had : &refused, 1);
}

static void use_mutex(struct worker *w)
{
    if (zokor_mutex_acquire(w->mutex, 300) != ZOK) {
        atomic_fetch_add(&refused, 1);
        return;
    }
    check_alone(0, w->mutex);
    if (dice(w, 3) == 0 && zokor_mutex_acquire(w->mutex, 0) == ZOK)
        (void)zokor_mutex_release(w->mutex);
    (void)zokor_mutex_release(w->mutex);
}

static void use_rw(struct worker *w)
{
    struct zokor_mutex *write = zokor_rw_lock_write(w->rw), *read = zokor_rw_lock_read(w->rw);
    if (dice(w, 2) == 0) {
        int rc = zokor_mutex_acquire(read, 300);
        atomic_fetch_add(rc == ZOK ? &had : &refused, 1);
        if (rc == ZOK)
            (void)zokor_mutex_release(read);
        return;
    }
    if (zokor_mutex_acquire(write, 300) != ZOK) {
        atomic_fetch_add(&refused, 1);
        return;
    }
    check_alone(1, write);
    int too = dice(w, 2) == 0 && zokor_mutex_acquire(read, 300) == ZOK;
    (void)zokor_mutex_release(write);
    if (too)
        (void)zokor_mutex_release(read);
}

static void use_semaphore(struct worker *w)
{
    struct zokor_lease *leases[LEASES];
    int n = 1 + (int)dice(w, LEASES);
    int rc = zokor_semaphore_acquire(w->semaphore, n, leases, 300);
    atomic_fetch_add(rc == ZOK ? &had : &refused, 1);
    for (int i = 0; rc == ZOK && i < n; i++)
        (void)zokor_lease_return(leases[i]);
}

static void use_latch(struct worker *w)
{
    struct zokor_leader_latch *l = zokor_leader_latch_new(w->f, at("/latch"), "x", NULL, NULL);
    EQ(ZOK, zokor_leader_latch_start(l));
    int rc = zokor_leader_latch_await(l, (int)dice(w, 200));
    atomic_fetch_add(rc == ZOK ? &had : &refused, 1);
    zokor_leader_latch_free(l, 0);
}

static void use_requests(struct worker *w)
{
    const struct zokor_request create = { .operation = ZOKOR_CREATE,
                                          .path = at("/requests/a/b-"),
                                          .mode = ZOO_EPHEMERAL_SEQUENTIAL,
                                          .flags = ZOKOR_PARENTS | ZOKOR_PROTECTED };
    const struct zokor_request get = { .operation = ZOKOR_GET_CHILDREN, .path = at("/requests/a"), .watch = on_event };
    struct zokor_watch *watch = zokor_watch_start(w->f, at("/requests"), ZOKOR_WATCH_RECURSIVE, on_event, NULL);
    for (int i = 0; i < 5; i++) {
        EQ(ZOK, zokor_framework_do_background(w->f, &create, on_result, NULL));
        EQ(ZOK, zokor_framework_do_background(w->f, &get, on_result, NULL));
    }
    (void)zokor_framework_delete(w->f, at("/requests/a"), ZOKOR_RECURSIVE | ZOKOR_QUIETLY);
    zokor_watch_stop(watch);
}

static void *work(void *arg)
{
    static void (*const uses[])(struct worker *) = { use_mutex, use_rw, use_semaphore, use_latch, use_requests };
    struct worker *w = arg;
    while (!atomic_load(&ended))
        uses[dice(w, 5)](w);
    return NULL;
}

static void harm(unsigned *seed)
{
    static const int types[] = { 15, 2, 12, 4 }; /* create, delete, children, data */
    *seed = *seed * 1103515245 + 12345;
    unsigned r = *seed >> 16;
    struct proxy *x = proxies[r % CLIENTS];
    switch (r / CLIENTS % 8) {
    case 0:
    case 1:
        proxy_cut(x);
        break;
    case 2:
        proxy_freeze(x, 1);
        poll(NULL, 0, 700);
        proxy_freeze(x, 0);
        break;
    default:
        proxy_lose_reply(x, types[r / 64 % 4]);
    }
    poll(NULL, 0, 30);
}

static void begin(struct worker *w, int i)
{
    w->f = clients[i % CLIENTS];
    w->seed = (unsigned)i + 1;
    w->mutex = zokor_mutex_new(w->f, at("/mutex"));
    zokor_mutex_on_lost(w->mutex, on_hold, NULL);
    zokor_mutex_make_revocable(w->mutex, on_hold, NULL);
    w->rw = zokor_rw_lock_new(w->f, at("/rw"));
    w->semaphore = zokor_semaphore_new(w->f, at("/semaphore"), LEASES);
    EQ(0, pthread_create(&w->thread, NULL, work, w));
}

static void test_everything_at_once(void)
{
    static struct worker workers[CLIENTS * THREADS];
    struct zokor_framework *direct = open_direct();
    unsigned seed = 7;
    for (int i = 0; i < CLIENTS; i++) {
        proxies[i] = proxy_start(port);
        clients[i] = open_through(proxies[i]->port, SHORT_SESSION_MS);
    }
    for (int i = 0; i < CLIENTS * THREADS; i++)
        begin(&workers[i], i);
    time_t end = time(NULL) + SECONDS, at_last = end + WAIT_MS / 1000;
    while (time(NULL) < end || (atomic_load(&had) <= 100 && time(NULL) < at_last))
        harm(&seed);
    atomic_store(&ended, 1);
    for (int i = 0; i < CLIENTS; i++)
        proxy_lose_reply(proxies[i], 0);
    for (int i = 0; i < CLIENTS * THREADS; i++) {
        pthread_join(workers[i].thread, NULL);
        zokor_mutex_free(workers[i].mutex);
        zokor_rw_lock_free(workers[i].rw);
        zokor_semaphore_free(workers[i].semaphore);
    }
    for (int i = 0; i < CLIENTS; i++) {
        EVENTUALLY(zokor_framework_is_connected(clients[i]));
        EQ(ZOK, zokor_framework_close(clients[i]));
        proxy_end(proxies[i]);
    }
    printf("%d had, %d refused, %d events\n", atomic_load(&had), atomic_load(&refused), atomic_load(&events));
    CHECK(atomic_load(&had) > 100);
    EVENTUALLY(count_children(direct, at("/mutex")) + count_children(direct, at("/rw")) +
                   count_children(direct, at("/semaphore/leases")) + count_children(direct, at("/semaphore/locks")) +
                   count_children(direct, at("/latch")) ==
               0);
    EQ(ZOK, zokor_framework_close(direct));
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        { "everything_at_once", test_everything_at_once },
    };
    return run_tests(argc, argv, tests, sizeof(tests) / sizeof(tests[0]));
}
