/* recipes: what our recipes cost their program. The twin of java/CuratorBench.java, which does the same with Apache
 * Curator's.
 *
 *     recipes HOSTS
 *
 * reads commands, one a line, and answers each with a line of numbers:
 *
 *     fill PATH FOLDERS NODES BYTES    nodes PATH/n/m, FOLDERS with NODES each           -> nodes made
 *     mutex PATH N                     N times acquire and release, nobody else there    -> pairs/s, us CPU per pair
 *     handover PATH WAITERS N          WAITERS + 1 sessions take one mutex in turns      -> turns/s, us CPU per turn
 *     cache PATH BYTES                 a cache of all that is below PATH                 -> nodes, s, us CPU per node,
 *                                                                      bytes of memory per node without BYTES of data
 *
 * Processor time is user's and system's of all threads of this process. A turn counts if the holder before was another
 * session. Ends with status 1 and the reason when something fails. */
#define THREADED
#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <zokor/cache.h>
#include <zokor/lock.h>

#define SESSIONS_MAX 64
#define WAIT_MS 60000
#define CREATES_MAX 500 /* in one transaction */

static const char *hosts;
static struct zokor_framework *sessions[SESSIONS_MAX];
static int last_holder; /* guarded by the mutex under measurement */
static long changes;

static void die(const char *what, int rc)
{
    fprintf(stderr, "recipes: %s: %s\n", what, zerror(rc));
    exit(1);
}

static void must(const char *what, int rc)
{
    if (rc != ZOK)
        die(what, rc);
}

static struct zokor_framework *session(int i)
{
    if (sessions[i] == NULL) {
        sessions[i] = zokor_framework_open(&(struct zokor_framework_options){
            .hosts = hosts, .session_timeout_ms = 30000, .retry = zokor_retry_n_times(3, 100) });
        if (sessions[i] == NULL)
            die("zokor_framework_open", ZSYSTEMERROR);
        must("connect", zokor_framework_wait_connected(sessions[i], WAIT_MS));
    }
    return sessions[i];
}

struct clocks {
    double cpu_s, wall_s;
};

static struct clocks now(void)
{
    struct rusage r;
    struct timespec t;
    getrusage(RUSAGE_SELF, &r);
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (struct clocks){
        .cpu_s =
            (double)(r.ru_utime.tv_sec + r.ru_stime.tv_sec) + (double)(r.ru_utime.tv_usec + r.ru_stime.tv_usec) / 1e6,
        .wall_s = (double)t.tv_sec + (double)t.tv_nsec / 1e9,
    };
}

static void answer_rate(struct clocks from, long turns)
{
    struct clocks to = now();
    printf("%.1f %.3f\n", (double)turns / (to.wall_s - from.wall_s), (to.cpu_s - from.cpu_s) * 1e6 / (double)turns);
}

static void fill(const char *path, int folders, int nodes, int bytes)
{
    char *value = calloc(1, (size_t)bytes + 1);
    long made = 0;
    if (value == NULL)
        die("fill", ZSYSTEMERROR);
    memset(value, 'x', (size_t)bytes);
    for (int i = 0; i < folders; i++) {
        char name[512];
        snprintf(name, sizeof(name), "%s/folder-%03d", path, i);
        must(name, zokor_framework_create(session(0), name, value, bytes, 0, ZOKOR_PARENTS, NULL));
        made++;
        for (int k = 0; k < nodes;) {
            struct zokor_transaction *t = zokor_transaction_new();
            for (int end = k + CREATES_MAX; k < nodes && k < end; k++, made++) {
                snprintf(name, sizeof(name), "%s/folder-%03d/node-%05d", path, i, k);
                zokor_transaction_create(t, name, value, bytes, 0, 0, NULL);
            }
            must(name, zokor_transaction_commit(session(0), t, NULL));
            zokor_transaction_free(t);
        }
    }
    free(value);
    printf("%ld\n", made);
}

static void mutex(const char *path, long n)
{
    struct zokor_mutex *m = zokor_mutex_new(session(0), path);
    struct clocks from = now();
    for (long i = 0; i < n; i++) {
        must("acquire", zokor_mutex_acquire(m, WAIT_MS));
        must("release", zokor_mutex_release(m));
    }
    answer_rate(from, n);
    zokor_mutex_free(m);
}

struct taker {
    pthread_t thread;
    const char *path;
    int number;
    long turns;
};

static void *take_turns(void *arg)
{
    struct taker *t = arg;
    struct zokor_mutex *m = zokor_mutex_new(session(t->number), t->path);
    for (long i = 0; i < t->turns; i++) {
        must("acquire", zokor_mutex_acquire(m, WAIT_MS));
        changes += last_holder != t->number;
        last_holder = t->number;
        must("release", zokor_mutex_release(m));
    }
    zokor_mutex_free(m);
    return NULL;
}

static void handover(const char *path, int waiters, long n)
{
    struct taker takers[SESSIONS_MAX];
    if (waiters < 1 || waiters >= SESSIONS_MAX)
        die("handover: number of waiters", ZBADARGUMENTS);
    for (int i = 0; i <= waiters; i++)
        (void)session(i);
    last_holder = -1;
    changes = 0;
    struct clocks from = now();
    for (int i = 0; i <= waiters; i++) {
        takers[i] = (struct taker){ .path = path, .number = i, .turns = n / (waiters + 1) };
        if (pthread_create(&takers[i].thread, NULL, take_turns, &takers[i]) != 0)
            die("pthread_create", ZSYSTEMERROR);
    }
    for (int i = 0; i <= waiters; i++)
        pthread_join(takers[i].thread, NULL);
    answer_rate(from, changes);
}

static double memory(void)
{
    struct mallinfo2 m = mallinfo2();
    return (double)(m.uordblks + m.hblkhd);
}

static void cache(const char *path, int bytes)
{
    (void)session(0);
    double before = memory();
    struct clocks from = now();
    struct zokor_cache *c = zokor_cache_new(session(0), path, NULL);
    must("zokor_cache_start", c == NULL ? ZBADARGUMENTS : zokor_cache_start(c));
    must("zokor_cache_wait", zokor_cache_wait(c, WAIT_MS));
    struct clocks to = now();
    double n = (double)zokor_cache_size(c);
    printf("%.0f %.4f %.4f %.1f\n", n, to.wall_s - from.wall_s, (to.cpu_s - from.cpu_s) * 1e6 / n,
           (memory() - before) / n - bytes);
    zokor_cache_close(c);
}

int main(int argc, char **argv)
{
    char line[1024], path[512];
    int a, b;
    long n;
    if (argc != 2) {
        fprintf(stderr, "usage: recipes HOSTS\n");
        return 2;
    }
    hosts = argv[1];
    zoo_set_debug_level(ZOO_LOG_LEVEL_ERROR);
    setvbuf(stdout, NULL, _IOLBF, 0);
    while (fgets(line, sizeof(line), stdin) != NULL) {
        if (sscanf(line, "fill %511s %d %ld %d", path, &a, &n, &b) == 4)
            fill(path, a, (int)n, b);
        else if (sscanf(line, "mutex %511s %ld", path, &n) == 2)
            mutex(path, n);
        else if (sscanf(line, "handover %511s %d %ld", path, &a, &n) == 3)
            handover(path, a, n);
        else if (sscanf(line, "cache %511s %d", path, &a) == 2)
            cache(path, a);
        else
            die(line, ZBADARGUMENTS);
    }
    for (int i = 0; i < SESSIONS_MAX && sessions[i] != NULL; i++)
        (void)zokor_framework_close(sessions[i]);
    return 0;
}
