/* client_cpu: processor time that a client library takes per asynchronous request, in one program for every library
 * with this interface: run it twice, with and without LD_LIBRARY_PATH.
 *
 *     client_cpu HOSTS get|set|sync BYTES IN_FLIGHT REQUESTS
 *
 * Prints one line: requests a second, microseconds of processor time (user and system, all threads) per request,
 * requests that failed. `sync` makes gets that wait, one at a time. */
#define THREADED
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <zookeeper/zookeeper.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static long in_flight, window, failed;
static int connected, waiting;

static void watcher(zhandle_t *zh, int type, int state, const char *path, void *ctx)
{
    (void)zh;
    (void)path;
    (void)ctx;
    if (type == ZOO_SESSION_EVENT && state == ZOO_CONNECTED_STATE) {
        pthread_mutex_lock(&lock);
        connected = 1;
        pthread_cond_broadcast(&changed);
        pthread_mutex_unlock(&lock);
    }
}

static void answered(int rc)
{
    pthread_mutex_lock(&lock);
    in_flight--;
    failed += rc != ZOK;
    if (waiting && in_flight <= window / 2) {
        waiting = 0;
        pthread_cond_signal(&changed);
    }
    pthread_mutex_unlock(&lock);
}

static void on_data(int rc, const char *value, int n, const struct Stat *stat, const void *data)
{
    (void)value;
    (void)stat;
    answered(rc == ZOK && n != *(const int *)data ? ZSYSTEMERROR : rc);
}

static void on_stat(int rc, const struct Stat *stat, const void *data)
{
    (void)stat;
    (void)data;
    answered(rc);
}

static double cpu_seconds(void)
{
    struct rusage r;
    getrusage(RUSAGE_SELF, &r);
    return (double)(r.ru_utime.tv_sec + r.ru_stime.tv_sec) + (double)(r.ru_utime.tv_usec + r.ru_stime.tv_usec) / 1e6;
}

static double wall_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void one(zhandle_t *zh, const char *op, const char *value, const int *bytes)
{
    pthread_mutex_lock(&lock);
    while (in_flight >= window) {
        waiting = 1;
        pthread_cond_wait(&changed, &lock);
    }
    in_flight++;
    pthread_mutex_unlock(&lock);
    int rc = op[0] == 'g' ? zoo_aget(zh, "/client_cpu", 0, on_data, bytes)
                          : zoo_aset(zh, "/client_cpu", value, *bytes, -1, on_stat, NULL);
    if (rc != ZOK)
        answered(rc);
}

static void drain(void)
{
    pthread_mutex_lock(&lock);
    for (window = 0; in_flight > 0;) {
        waiting = 1;
        pthread_cond_wait(&changed, &lock);
    }
    pthread_mutex_unlock(&lock);
}

int main(int argc, char **argv)
{
    if (argc != 6) {
        fprintf(stderr, "usage: client_cpu HOSTS get|set|sync BYTES IN_FLIGHT REQUESTS\n");
        return 2;
    }
    int bytes = (int)strtol(argv[3], NULL, 10);
    long requests = strtol(argv[5], NULL, 10);
    char *value = calloc(1, (size_t)bytes + 1);
    window = strtol(argv[4], NULL, 10);
    zoo_set_debug_level(ZOO_LOG_LEVEL_ERROR);
    zhandle_t *zh = zookeeper_init(argv[1], watcher, 30000, NULL, NULL, 0);
    if (zh == NULL || value == NULL)
        return 1;
    pthread_mutex_lock(&lock);
    while (!connected)
        pthread_cond_wait(&changed, &lock);
    pthread_mutex_unlock(&lock);
    int rc = zoo_create(zh, "/client_cpu", value, bytes, &ZOO_OPEN_ACL_UNSAFE, 0, NULL, 0);
    if (rc == ZNODEEXISTS)
        rc = zoo_set(zh, "/client_cpu", value, bytes, -1);
    if (rc != ZOK)
        return 1;
    double cpu = cpu_seconds(), wall = wall_seconds();
    for (long i = 0; i < requests; i++) {
        int n = bytes;
        struct Stat stat;
        if (argv[2][1] == 'y')
            failed += zoo_get(zh, "/client_cpu", 0, value, &n, &stat) != ZOK;
        else
            one(zh, argv[2], value, &bytes);
    }
    drain();
    cpu = cpu_seconds() - cpu;
    wall = wall_seconds() - wall;
    printf("%.0f %.4f %ld\n", (double)requests / wall, cpu * 1e6 / (double)requests, failed);
    zookeeper_close(zh);
    free(value);
    return failed != 0;
}
