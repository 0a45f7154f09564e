/* The conductor: plans the stages, starts the workers, shows how far they are, and prints what came of it. */
#include "bench/internal.h"
#include "base/err.h"
#include "base/mem.h"
#include <errno.h>
#include <netdb.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define PROGRESS_NS 500000000ull
#define INTERRUPTED 130

void tally_error(struct tally *t, int code, uint64_t count)
{
    size_t i = 0;
    t->errors += count;
    while (i + 1 < BENCH_ERROR_KINDS && t->codes[i].count != 0 && t->codes[i].code != code)
        i++;
    t->codes[i].code = code; /* should there be more kinds than places, the last one stands for them */
    t->codes[i].count += count;
}

void tally_merge(struct tally *to, const struct tally *from)
{
    to->ops += from->ops;
    to->reconnects += from->reconnects;
    for (size_t i = 0; i < BENCH_ERROR_KINDS && from->codes[i].count != 0; i++)
        tally_error(to, from->codes[i].code, from->codes[i].count);
    hist_merge(&to->hist, &from->hist);
}

void run_fail(struct run *r, bool unreachable, const char *fmt, ...)
{
    va_list args;
    pthread_mutex_lock(&r->failure_lock);
    if (r->failure[0] == '\0') {
        va_start(args, fmt);
        vsnprintf(r->failure, sizeof r->failure, fmt, args);
        va_end(args);
    }
    pthread_mutex_unlock(&r->failure_lock);
    __atomic_store_n(&r->failed, true, __ATOMIC_RELEASE);
    if (unreachable)
        __atomic_store_n(&r->unreachable, true, __ATOMIC_RELEASE);
}

/* ---- SIGINT: once ends the load and deletes the nodes, twice ends the process ---- */

static struct run *interruptible;

static void on_interrupt(int signal_number)
{
    (void)signal_number;
    __atomic_store_n(&interruptible->interrupted, true, __ATOMIC_RELEASE);
}

/* ---- the plan ---- */

static void add_stage(struct run *r, struct stage s)
{
    ASSERT(r->stage_count < STAGES_MAX);
    r->stages[r->stage_count++] = s;
}

static void make_and_note(struct run *r, enum bench_place place, bool *made)
{
    if (!*made)
        add_stage(r, (struct stage){ .kind = STAGE_MAKE, .place = place });
    *made = true;
}

static void plan(struct run *r)
{
    const struct bench_options *o = r->o;
    bool made[BENCH_AT_NEW + 1] = { false };
    add_stage(r, (struct stage){ .kind = STAGE_CONNECT });
    make_and_note(r, BENCH_AT_ROOT, &made[BENCH_AT_ROOT]);
    for (size_t i = 0; i < o->workload_count; i++) {
        enum bench_workload w = o->workloads[i];
        switch (bench_workload_needs(w)) {
        case BENCH_NEEDS_NOTHING:
            break;
        case BENCH_NEEDS_NODES:
            make_and_note(r, BENCH_AT_NODE, &made[BENCH_AT_NODE]);
            break;
        case BENCH_NEEDS_CHILDREN:
            make_and_note(r, BENCH_AT_LIST, &made[BENCH_AT_LIST]);
            make_and_note(r, BENCH_AT_CHILD, &made[BENCH_AT_CHILD]);
            break;
        case BENCH_NEEDS_FOLDERS:
            make_and_note(r, BENCH_AT_FOLDER, &made[BENCH_AT_FOLDER]);
            break;
        }
        add_stage(r, (struct stage){ .kind = STAGE_LOAD, .workload = w });
        if (bench_workload_needs(w) == BENCH_NEEDS_FOLDERS)
            add_stage(r, (struct stage){ .kind = STAGE_CLEAR, .place = BENCH_AT_NEW });
    }
    static const enum bench_place order[] = { BENCH_AT_FOLDER, BENCH_AT_NODE, BENCH_AT_CHILD, BENCH_AT_LIST,
                                              BENCH_AT_ROOT };
    for (size_t i = 0; i < ARRAY_COUNT(order); i++)
        if (made[order[i]])
            add_stage(r, (struct stage){ .kind = STAGE_CLEAR, .place = order[i] });
    add_stage(r, (struct stage){ .kind = STAGE_CLOSE });
}

/* ---- making and ending a run ---- */

static int resolve(struct run *r, const struct client_host *hosts, int count)
{
    const struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM };
    for (int i = 0; i < count; i++) {
        struct addrinfo *list = NULL;
        char name[256], port[8];
        snprintf(name, sizeof name, "%.*s", SLICE_ARG(hosts[i].host));
        snprintf(port, sizeof port, "%u", hosts[i].port);
        int rc = getaddrinfo(name, port, &hints, &list);
        if (rc != 0) {
            fprintf(stderr, "zokor: bench: %s: %s\n", name, gai_strerror(rc));
            return ERR_NOT_FOUND;
        }
        for (const struct addrinfo *ai = list; ai != NULL && r->server_count < CLIENT_HOSTS_MAX; ai = ai->ai_next) {
            struct bench_server *s = &r->servers[r->server_count];
            if (ai->ai_addrlen > sizeof s->addr.bytes ||
                getnameinfo(ai->ai_addr, ai->ai_addrlen, s->address, sizeof s->address, NULL, 0, NI_NUMERICHOST) != 0)
                continue;
            s->addr.n = (uint8_t)ai->ai_addrlen;
            memcpy(s->addr.bytes, ai->ai_addr, ai->ai_addrlen);
            snprintf(s->name, sizeof s->name, "%s", name);
            r->server_count++;
        }
        freeaddrinfo(list);
    }
    return r->server_count == 0 ? ERR_NOT_FOUND : 0;
}

static int find_servers(struct run *r)
{
    struct client_host *hosts = mem_alloc(CLIENT_HOSTS_MAX * sizeof *hosts);
    struct slice chroot;
    r->servers = mem_zalloc(CLIENT_HOSTS_MAX * sizeof *r->servers);
    int count = client_hosts_parse(r->o->servers, hosts, &chroot);
    int rc = count < 0 ? count : resolve(r, hosts, count);
    mem_free(hosts);
    return rc;
}

/* Printable bytes with no pattern that compression would live on. */
static void make_value(struct run *r, struct rng *rng)
{
    uint8_t *p = mem_alloc(r->o->size_bytes + 1);
    for (uint32_t i = 0; i < r->o->size_bytes; i++)
        p[i] = (uint8_t)(' ' + 1 + rng_below(rng, 94));
    r->value = slice_of(p, r->o->size_bytes);
}

static int init_worker(struct run *r, uint32_t id, uint32_t first, uint32_t count, struct rng *rng)
{
    struct worker *w = &r->workers[id];
    *w = (struct worker){ .run = r, .id = id, .conn_count = count };
    w->epoll = epoll_create1(EPOLL_CLOEXEC);
    w->conns = mem_zalloc(count * sizeof *w->conns);
    w->dirty = mem_zalloc(count * sizeof(struct bench_conn *));
    rng_init(&w->rng, rng_u64(rng));
    pthread_mutex_init(&w->lock, NULL);
    for (uint32_t i = 0; i < count; i++) {
        bench_conn_init(&w->conns[i], first + i, w->epoll, &w->hooks, r->o->timeout_ms, &r->access);
        w->conns[i].server = first + i; /* spread over the servers */
    }
    return w->epoll < 0 ? ERR_TOO_MANY_FILES : 0;
}

static void fini_workers(struct run *r)
{
    for (uint32_t i = 0; i < r->o->threads; i++) {
        struct worker *w = &r->workers[i];
        for (uint32_t c = 0; c < w->conn_count; c++)
            bench_conn_fini(&w->conns[c]);
        if (w->epoll >= 0)
            close(w->epoll);
        mem_free(w->conns);
        mem_free(w->dirty);
        mem_free(w->sweep.again);
        pthread_mutex_destroy(&w->lock);
    }
    mem_free(r->workers);
}

/* Every connection is a descriptor. */
static int allow_files(const struct bench_options *o)
{
    struct rlimit limit;
    rlim_t wanted = o->connections + o->threads + 64;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= wanted)
        return 0;
    rlim_t before = limit.rlim_cur;
    limit.rlim_cur = wanted < limit.rlim_max ? wanted : limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur >= wanted)
        return 0;
    fprintf(stderr, "zokor: bench: %u connections need %llu open files, the limit is %llu; raise it with ulimit -n\n",
            o->connections, (unsigned long long)wanted, (unsigned long long)before);
    return ERR_TOO_MANY_FILES;
}

static int init_run(struct run *r, const struct bench_options *o)
{
    struct rng rng;
    uint64_t seed;
    if (getrandom(&seed, sizeof seed, GRND_NONBLOCK) != (ssize_t)sizeof seed)
        seed = bench_now_ns() ^ (uint64_t)getpid() << 32;
    rng_init(&rng, seed);
    r->o = o;
    snprintf(r->root_text, sizeof r->root_text, "%s%szokor-bench-%08x", o->root, strcmp(o->root, "/") == 0 ? "" : "/",
             (unsigned)rng_below(&rng, UINT32_MAX));
    r->root = slice_str(r->root_text);
    pthread_mutex_init(&r->failure_lock, NULL);
    pthread_barrier_init(&r->barrier, NULL, o->threads + 1);
    sem_init(&r->done, 0, 0);
    make_value(r, &rng);
    plan(r);
    r->workers = mem_zalloc(o->threads * sizeof *r->workers);
    int rc = 0;
    uint32_t first = 0;
    for (uint32_t i = 0; i < o->threads; i++) {
        uint32_t count = (o->connections - first) / (o->threads - i);
        if (init_worker(r, i, first, count, &rng) != 0)
            rc = ERR_TOO_MANY_FILES;
        first += count;
    }
    return rc;
}

static void fini_run(struct run *r)
{
    fini_workers(r);
    pthread_barrier_destroy(&r->barrier);
    pthread_mutex_destroy(&r->failure_lock);
    sem_destroy(&r->done);
    mem_free((void *)r->value.p);
}

/* ---- conducting ---- */

static void gather(struct run *r, struct tally *total, struct tally *interval)
{
    memset(interval, 0, sizeof *interval);
    for (uint32_t i = 0; i < r->o->threads; i++) {
        struct worker *w = &r->workers[i];
        pthread_mutex_lock(&w->lock);
        tally_merge(interval, &w->interval);
        interval->errors += w->interval.errors;
        memset(&w->interval, 0, sizeof w->interval);
        if (total != NULL)
            tally_merge(total, &w->total);
        pthread_mutex_unlock(&w->lock);
    }
}

static bool wait_done(struct run *r, uint64_t wait_ns)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    uint64_t ns = (uint64_t)t.tv_nsec + wait_ns;
    t.tv_sec += (time_t)(ns / 1000000000);
    t.tv_nsec = (long)(ns % 1000000000);
    return sem_timedwait(&r->done, &t) == 0;
}

/* Waits until every worker has ended the stage, and shows how it goes. */
static void watch_stage(struct run *r, const struct stage *stage, struct tally *interval)
{
    uint64_t began = bench_now_ns(), shown = began;
    for (uint32_t done = 0; done < r->o->threads;) {
        if (wait_done(r, PROGRESS_NS)) {
            done++;
            continue;
        }
        uint64_t now = bench_now_ns();
        gather(r, NULL, interval);
        report_progress(r, stage, interval, (double)(now - began) / 1e9, (double)(now - shown) / 1e9);
        shown = now;
    }
    report_progress_end(r);
}

static double measured_seconds(const struct run *r)
{
    uint64_t now = bench_now_ns(), end = 0;
    for (uint32_t i = 0; i < r->o->threads; i++)
        if (r->workers[i].last_reply_ns > end)
            end = r->workers[i].last_reply_ns;
    uint64_t planned = r->until_ns < now ? r->until_ns : now;
    if (end < planned)
        end = planned;
    return end > r->from_ns ? (double)(end - r->from_ns) / 1e9 : 0;
}

static bool conduct_stage(struct run *r, const struct stage *stage, struct tally *total, struct tally *interval)
{
    bool load = stage->kind == STAGE_LOAD;
    if (load) {
        for (uint32_t i = 0; i < r->o->threads; i++) {
            memset(&r->workers[i].total, 0, sizeof r->workers[i].total);
            memset(&r->workers[i].interval, 0, sizeof r->workers[i].interval);
        }
        r->from_ns = bench_now_ns() + (uint64_t)(r->o->warmup_seconds * 1e9);
        r->until_ns = r->from_ns + (uint64_t)(r->o->seconds * 1e9);
    }
    bool runs = !run_flag(&r->failed) && !run_flag(&r->interrupted);
    pthread_barrier_wait(&r->barrier);
    watch_stage(r, stage, interval);
    if (load && runs) {
        memset(total, 0, sizeof *total);
        gather(r, total, interval);
        if (total->ops + total->errors > 0)
            report_result(r, stage->workload, total, measured_seconds(r));
    }
    pthread_barrier_wait(&r->barrier);
    return !load || total->errors == 0;
}

static int conduct(struct run *r)
{
    struct tally *total = mem_zalloc(sizeof *total), *interval = mem_zalloc(sizeof *interval);
    bool clean = true;
    for (size_t i = 0; i < r->stage_count; i++)
        clean = conduct_stage(r, &r->stages[i], total, interval) && clean;
    mem_free(total);
    mem_free(interval);
    if (r->failure[0] != '\0')
        fprintf(stderr, "zokor: bench: %s\n", r->failure);
    if (r->made_root && (r->unreachable || strstr(r->failure, "deleted") != NULL))
        fprintf(stderr,
                "zokor: bench: nodes are left under %s; delete them when the server is back: "
                "zokor cli deleteall %s\n",
                r->root_text, r->root_text);
    if (r->interrupted)
        return INTERRUPTED;
    return r->failed || !clean ? 1 : 0;
}

static int start_workers(struct run *r)
{
    sigset_t all, before;
    int rc = 0;
    sigfillset(&all); /* signals are for the conductor */
    pthread_sigmask(SIG_SETMASK, &all, &before);
    for (uint32_t i = 0; i < r->o->threads && rc == 0; i++)
        rc = pthread_create(&r->workers[i].thread, NULL, worker_main, &r->workers[i]);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return rc;
}

int bench_run(const struct bench_options *o)
{
    struct run *r = mem_zalloc(sizeof *r);
    r->o = o;
    int rc = allow_files(o) != 0 || find_servers(r) != 0 || access_init(&r->access, o) != 0 ? 1 : 0;
    if (rc == 0) {
        rc = init_run(r, o) != 0;
        interruptible = r;
        const struct sigaction action = { .sa_handler = on_interrupt, .sa_flags = (int)SA_RESETHAND };
        sigaction(SIGINT, &action, NULL);
        sigaction(SIGTERM, &action, NULL);
        signal(SIGPIPE, SIG_IGN); /* nobody reads any more: the nodes are deleted all the same */
        report_plan(r);
        int error = rc == 0 ? start_workers(r) : 0;
        if (error != 0) { /* those that have started wait for the others for ever: the process ends */
            fprintf(stderr, "zokor: bench: %u threads cannot be started: %s\n", o->threads, strerror(error));
            _exit(1);
        }
        if (rc == 0) {
            rc = conduct(r);
            for (uint32_t i = 0; i < o->threads; i++)
                pthread_join(r->workers[i].thread, NULL);
        }
        fini_run(r);
    }
    access_fini(&r->access);
    mem_free(r->servers);
    mem_free(r);
    return rc;
}
