/* Many threads, one handle, and a connection that breaks: every accepted request must complete exactly once.
 *
 *     stress HOSTS THREADS REQUESTS SEED
 *
 * Each thread makes REQUESTS requests of every kind and pauses when 200 are without an answer. Prints how they ended;
 * the exit status is 0 if all were told once and, of the requests of one thread that were answered in turn, none
 * overtook another. */
#define THREADED
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zokor/client.h>

enum { IN_FLIGHT = 200, NODES = 20 };

struct ticket {
    struct worker *worker;
    atomic_int told;
};

struct worker {
    pthread_t thread;
    struct ticket *tickets;
    long n;
    int made; /* requests accepted */
    unsigned seed;
    atomic_int pending;
    int last; /* callbacks only: index of the ticket told last */
};

static zhandle_t *zh;
static long requests;
static atomic_int ok, lost, other, events, overtaken, refused;

static void watcher(zhandle_t *z, int type, int state, const char *path, void *ctx)
{
    (void)z;
    (void)state;
    (void)ctx;
    if (type != ZOO_SESSION_EVENT && path[0] != '/')
        abort();
    atomic_fetch_add(&events, 1);
}

static void tell(int rc, const void *data)
{
    struct ticket *t = (struct ticket *)(uintptr_t)data;
    struct worker *w = t->worker;
    int index = (int)(t - w->tickets);
    if (rc == ZCONNECTIONLOSS || rc == ZOPERATIONTIMEOUT || rc == ZCLOSING)
        atomic_fetch_add(&lost, 1);
    else if (rc == ZOK || rc == ZNONODE || rc == ZNODEEXISTS || rc == ZNOTEMPTY)
        atomic_fetch_add(&ok, 1);
    else {
        atomic_fetch_add(&other, 1);
        fprintf(stderr, "unexpected: %s\n", zerror(rc));
    }
    if (index < w->last)
        atomic_fetch_add(&overtaken, 1);
    w->last = index;
    atomic_fetch_add(&t->told, 1);
    atomic_fetch_sub(&w->pending, 1);
}

static void on_void(int rc, const void *data)
{
    tell(rc, data);
}

static void on_stat(int rc, const struct Stat *stat, const void *data)
{
    if (rc == ZOK && stat->mzxid <= 0)
        abort();
    tell(rc, data);
}

static void on_data(int rc, const char *value, int n, const struct Stat *stat, const void *data)
{
    for (int i = 1; rc == ZOK && i < n; i++) {
        if (value[i] != value[0])
            abort(); /* bytes of two answers in one */
    }
    if (rc == ZOK && stat->dataLength != n)
        abort();
    tell(rc, data);
}

static void on_string(int rc, const char *value, const void *data)
{
    if (rc == ZOK && strncmp(value, "/stress/", 8) != 0)
        abort();
    tell(rc, data);
}

static void on_strings(int rc, const struct String_vector *strings, const void *data)
{
    for (int i = 0; rc == ZOK && i < strings->count; i++) {
        if (strings->data[i][0] != 'n')
            abort();
    }
    tell(rc, data);
}

static unsigned chance(struct worker *w)
{
    return w->seed = w->seed * 1103515245u + 12345u;
}

/* One asynchronous request; ZOK if it was accepted. */
static int ask(struct worker *w, struct ticket *t, const char *path)
{
    char value[300];
    memset(value, 'a' + (int)(chance(w) >> 16) % 26, sizeof(value));
    switch ((chance(w) >> 16) % 8) {
    case 0:
        return zoo_acreate(zh, path, value, 20, &ZOO_OPEN_ACL_UNSAFE, 0, on_string, t);
    case 1:
        return zoo_adelete(zh, path, -1, on_void, t);
    case 2:
        return zoo_aset(zh, path, value, (int)(chance(w) >> 16) % 300, -1, on_stat, t);
    case 3:
        return zoo_awexists(zh, path, watcher, w, on_stat, t);
    case 4:
        return zoo_awget(zh, path, watcher, t, on_data, t);
    case 5:
        return zoo_awget_children(zh, "/stress", watcher, w, on_strings, t);
    default:
        return zoo_aget(zh, path, 1, on_data, t);
    }
}

/* What waits for its answer, and what changes the handle. */
static void wait_for_one(struct worker *w, const char *path, const char *hosts)
{
    struct Stat stat;
    char value[300];
    int n = sizeof(value);
    switch ((chance(w) >> 16) % 10) {
    case 0:
        zoo_set_servers(zh, hosts);
        break;
    case 1:
        zoo_add_auth(zh, "digest", "a:b", 3, NULL, NULL);
        break;
    case 2:
        zoo_remove_all_watches(zh, path, ZWATCHTYPE_ANY, 1);
        break;
    case 3:
        zokor_thread_deadline(1);
        zoo_exists(zh, path, 0, &stat);
        zokor_thread_deadline(0);
        break;
    case 4:
        zoo_get_current_server(zh);
        zoo_set_watcher(zh, watcher);
        zokor_last_zxid(zh);
        break;
    default:
        if (zoo_get(zh, path, 0, value, &n, &stat) == ZOK && n != stat.dataLength)
            abort();
    }
}

static const char *hosts;

static void *work(void *arg)
{
    struct worker *w = arg;
    for (long i = 0; i < w->n; i++) {
        char path[64];
        struct ticket *t = &w->tickets[w->made];
        snprintf(path, sizeof(path), "/stress/n%u", (chance(w) >> 16) % NODES);
        t->worker = w;
        atomic_fetch_add(&w->pending, 1);
        if (ask(w, t, path) == ZOK) {
            w->made++;
        } else {
            atomic_fetch_sub(&w->pending, 1);
            atomic_fetch_add(&refused, 1);
        }
        if (i % 500 == 499)
            wait_for_one(w, path, hosts);
        while (atomic_load(&w->pending) >= IN_FLIGHT)
            (void)usleep(100);
    }
    return NULL;
}

int main(int argc, char **argv)
{
    if (argc != 5)
        return 2;
    hosts = argv[1];
    int threads = (int)strtol(argv[2], NULL, 10), bad = 0, made = 0;
    requests = strtol(argv[3], NULL, 10);
    zoo_set_debug_level(ZOO_LOG_LEVEL_ERROR);
    zh = zookeeper_init(hosts, watcher, 30000, NULL, NULL, ZOO_NO_LOG_CLIENTENV);
    struct worker *workers = calloc((size_t)threads, sizeof(*workers));
    if (zh == NULL || workers == NULL)
        return 2;
    for (int i = 0; i < 50; i++) {
        int rc = zoo_create(zh, "/stress", "", 0, &ZOO_OPEN_ACL_UNSAFE, 0, NULL, 0);
        if (rc == ZOK || rc == ZNODEEXISTS)
            break;
    }
    for (int i = 0; i < threads; i++) {
        workers[i] = (struct worker){ .n = requests, .seed = (unsigned)strtol(argv[4], NULL, 10) * 31u + (unsigned)i };
        workers[i].tickets = calloc((size_t)requests + 1, sizeof(struct ticket));
        pthread_create(&workers[i].thread, NULL, work, &workers[i]);
    }
    for (int i = 0; i < threads; i++)
        pthread_join(workers[i].thread, NULL);
    zookeeper_close(zh);
    for (int i = 0; i < threads; i++) {
        for (int k = 0; k < workers[i].made; k++)
            bad += atomic_load(&workers[i].tickets[k].told) != 1;
        made += workers[i].made;
        free(workers[i].tickets);
    }
    free(workers);
    printf("made %d, answered %d, lost %d, other %d, refused %d, events %d; not told once: %d, overtaken: %d\n", made,
           ok, lost, other, refused, events, bad, overtaken);
    return bad != 0 || overtaken != 0 || other != 0 || made != ok + lost + other;
}
