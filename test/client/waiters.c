/* Threads that wait, each for its own requests, and receive for all: one handle, a connection that breaks, and at the
 * end a handle that is closed under those who sleep.
 *
 *     waiters HOSTS THREADS ROUNDS SEED
 *
 * Every request must end, with a result or the loss of its connection, and every sleeper must come back. Prints how
 * they ended; the exit status is 0 if nothing else happened. */
#define THREADED
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zokor/client.h>

struct answer {
    sem_t told;
    atomic_int is_there, rc;
};

struct waiter {
    pthread_t thread;
    unsigned seed;
};

static zhandle_t *zh;
static int rounds;
static atomic_int ok, lost, other, received, changes, inside;

static void note(int rc)
{
    if (rc == ZOK || rc == ZNONODE || rc == ZNODEEXISTS)
        atomic_fetch_add(&ok, 1);
    else if (rc == ZCONNECTIONLOSS || rc == ZOPERATIONTIMEOUT)
        atomic_fetch_add(&lost, 1);
    else {
        atomic_fetch_add(&other, 1);
        fprintf(stderr, "unexpected: %s\n", zerror(rc));
    }
}

static void watcher(zhandle_t *z, int type, int state, const char *path, void *context)
{
    (void)z;
    (void)state;
    (void)path;
    (void)context;
    if (type != ZOO_SESSION_EVENT)
        atomic_fetch_add(&changes, 1);
}

static void tell(int rc, const struct Stat *stat, const void *data)
{
    struct answer *a = (struct answer *)data;
    (void)stat;
    atomic_store(&a->rc, rc);
    atomic_store(&a->is_there, 1);
    zokor_nudge(zh);
    sem_post(&a->told); /* the last: it may be gone then */
}

static int is_there(void *context)
{
    return atomic_load(&((struct answer *)context)->is_there);
}

static int never(void *context)
{
    (void)context;
    return 0;
}

/* An asynchronous request, prompt or not, that this thread waits for as the recipes do. */
static void ask(unsigned draw)
{
    struct answer a = { 0 };
    sem_init(&a.told, 0, 0);
    int on = (draw & 1) != 0 ? ZOKOR_PROMPT | ZOKOR_PROMPT_WATCHES : 0;
    (void)zokor_thread_prompt(on);
    bool soon = (draw & 2) != 0 && zokor_await_soon(zh) == ZOK;
    int rc = zoo_awexists(zh, "/waiters", watcher, NULL, tell, &a);
    if (rc != ZOK)
        atomic_store(&a.is_there, 1);
    if (soon || (draw & 4) != 0)
        atomic_fetch_add(&received, zokor_await(zh, is_there, &a, (draw & 8) != 0 ? 2 : -1) == ZOK);
    while (rc == ZOK && sem_wait(&a.told) != 0) {
        /* interrupted by a signal */
    }
    (void)zokor_thread_prompt(0);
    note(rc != ZOK ? rc : atomic_load(&a.rc));
    sem_destroy(&a.told);
}

static void *wait_often(void *context)
{
    struct waiter *w = context;
    struct Stat stat;
    char text[64];
    for (int i = 0; i < rounds; i++) {
        int n = sizeof(text);
        unsigned draw = (unsigned)rand_r(&w->seed);
        if (draw % 8 == 0)
            note(zoo_set(zh, "/waiters", "x", 1, -1));
        else if (draw % 8 == 1)
            note(zoo_wget(zh, "/waiters", watcher, NULL, text, &n, &stat));
        else if (draw % 8 == 2)
            (void)zokor_await(zh, never, NULL, (int)(draw >> 8) % 3);
        else if (draw % 8 == 3)
            zokor_nudge(zh);
        else
            ask(draw >> 8);
    }
    return NULL;
}

/* One that the end of the handle finds asleep, or just before. */
static void *sleep_in_it(void *context)
{
    (void)context;
    while (zokor_await_soon(zh) != ZOK)
        usleep(1000);
    atomic_fetch_add(&inside, 1);
    (void)zokor_await(zh, never, NULL, -1);
    return NULL;
}

static int run(struct waiter *waiters, int n, void *(*main)(void *), unsigned seed)
{
    for (int i = 0; i < n; i++) {
        waiters[i].seed = seed * 1000 + (unsigned)i;
        if (pthread_create(&waiters[i].thread, NULL, main, &waiters[i]) != 0)
            return -1;
    }
    return 0;
}

int main(int argc, char **argv)
{
    if (argc != 5)
        return 2;
    int n = atoi(argv[2]);
    unsigned seed = (unsigned)atoi(argv[4]);
    rounds = atoi(argv[3]);
    struct waiter *waiters = calloc((size_t)n, sizeof(*waiters));
    zoo_set_debug_level(ZOO_LOG_LEVEL_ERROR);
    zh = zookeeper_init2(argv[1], NULL, 30000, NULL, NULL, ZOO_NO_LOG_CLIENTENV, NULL);
    if (waiters == NULL || zh == NULL)
        return 2;
    for (int rc = ZCONNECTIONLOSS; rc == ZCONNECTIONLOSS;)
        rc = zoo_create(zh, "/waiters", "", 0, &ZOO_OPEN_ACL_UNSAFE, 0, NULL, 0);
    if (run(waiters, n, wait_often, seed) != 0)
        return 2;
    for (int i = 0; i < n; i++)
        pthread_join(waiters[i].thread, NULL);
    if (run(waiters, 1, sleep_in_it, seed) != 0)
        return 2;
    while (atomic_load(&inside) < 1)
        usleep(1000);
    int before = atomic_load(&other);
    int rc = zookeeper_close(zh);
    pthread_join(waiters[0].thread, NULL);
    printf("ok %d, lost %d, other %d, received %d, changes %d\n", atomic_load(&ok), atomic_load(&lost), before,
           atomic_load(&received), atomic_load(&changes));
    free(waiters);
    return rc != ZOK || before != 0 || atomic_load(&received) == 0;
}
