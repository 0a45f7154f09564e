#include "cmd/sim_run.h"
#include "base/log.h"
#include "base/mem.h"
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* What a child says of one seed. */
struct told {
    uint64_t seed;
    struct sim_result result;
};

struct worker {
    pid_t pid;
    int results, words; /* ends of pipes; -1: closed */
    uint64_t next;      /* the seed it is at */
    struct told told;
    size_t have;
};

struct work {
    const struct sim_options *options;
    uint64_t first, count;
    unsigned jobs;
    bool twice;
};

static void judge_twice(const struct sim_options *o, struct sim_result *r)
{
    struct sim_result again;
    cluster_run(o, &again);
    if (again.trace != r->trace || again.finding.is != r->finding.is)
        finding_set(&r->finding, r->virtual_us, "sim.twice", "the second run of the same seed is another one");
}

static bool write_whole(int fd, const void *p, size_t n)
{
    const uint8_t *at = p;
    while (n != 0) {
        ssize_t done = write(fd, at, n);
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return false;
        at += done;
        n -= (size_t)done;
    }
    return true;
}

/* Only a failed assertion is of interest: what servers complain of under faults is not. */
static void say_assertion(void *ctx, enum log_level level, const char *event, const char *text)
{
    (void)ctx;
    (void)level;
    if (strcmp(event, "base.assert") == 0)
        fprintf(stderr, "%s\n", text);
}

_Noreturn static void child(const struct work *w, uint64_t seed, int results)
{
    log_set_sink(say_assertion, NULL, LOG_ERROR);
    for (; seed < w->first + w->count; seed += w->jobs) {
        struct told t = { .seed = seed };
        struct sim_options o = *w->options;
        options_draw(&o, seed);
        cluster_run(&o, &t.result);
        if (w->twice)
            judge_twice(&o, &t.result);
        if (!write_whole(results, &t, sizeof t))
            _exit(1);
    }
    _exit(0);
}

/* False: there is no process or pipe to be had. */
static bool start(struct worker *k, const struct work *w)
{
    int results[2], words[2];
    if (pipe(results) != 0)
        return false;
    if (pipe(words) != 0) {
        close(results[0]);
        close(results[1]);
        return false;
    }
    fflush(NULL);
    k->pid = fork();
    if (k->pid == 0) {
        close(results[0]);
        close(words[0]);
        dup2(words[1], STDERR_FILENO);
        close(words[1]);
        child(w, k->next, results[1]);
    }
    close(results[1]);
    close(words[1]);
    k->results = results[0];
    k->words = words[0];
    k->have = 0;
    return k->pid > 0;
}

/* What a dead child said on its standard error, in one line. */
static void last_words(int fd, char *to, size_t size)
{
    size_t n = 0;
    ssize_t got;
    while (n + 1 < size && (got = read(fd, to + n, size - 1 - n)) > 0)
        n += (size_t)got;
    to[n] = '\0';
    for (size_t i = 0; i < n; i++)
        if (to[i] == '\n')
            to[i] = ' ';
}

/* Ends a worker whose pipe has ended: r is filled if it died in the middle of a seed. */
static bool died(struct worker *k, struct sim_result *r)
{
    int status = 0;
    char words[400];
    last_words(k->words, words, sizeof words);
    close(k->results);
    close(k->words);
    k->results = -1;
    while (waitpid(k->pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return false;
    *r = (struct sim_result){ 0 };
    finding_set(&r->finding, 0, "crash", "status %x: %s", (unsigned)status, words);
    return true;
}

/* Reads what a worker has; a whole result goes to done. False at the end of its pipe. */
static bool listen_to(struct worker *k, const struct work *w,
                      void (*done)(void *ctx, uint64_t seed, const struct sim_result *r), void *ctx)
{
    ssize_t got = read(k->results, (uint8_t *)&k->told + k->have, sizeof k->told - k->have);
    if (got < 0 && errno == EINTR)
        return true;
    if (got <= 0)
        return false;
    k->have += (size_t)got;
    if (k->have < sizeof k->told)
        return true;
    k->have = 0;
    k->next = k->told.seed + w->jobs;
    done(ctx, k->told.seed, &k->told.result);
    return true;
}

/* One round over all workers; false when none is left. */
static bool attend(struct worker *workers, struct pollfd *fds, const struct work *w,
                   void (*done)(void *ctx, uint64_t seed, const struct sim_result *r), void *ctx)
{
    bool any = false;
    for (unsigned i = 0; i < w->jobs; i++) {
        fds[i] = (struct pollfd){ .fd = workers[i].results, .events = POLLIN };
        any = any || workers[i].results >= 0;
    }
    if (!any || (poll(fds, w->jobs, -1) < 0 && errno != EINTR))
        return false;
    for (unsigned i = 0; i < w->jobs; i++) {
        struct worker *k = &workers[i];
        if (fds[i].fd < 0 || fds[i].revents == 0 || listen_to(k, w, done, ctx))
            continue;
        struct sim_result r;
        if (!died(k, &r))
            continue;
        uint64_t seed = k->next;
        k->next += w->jobs;
        done(ctx, seed, &r);
        if (k->next < w->first + w->count && !start(k, w))
            k->results = -1;
    }
    return true;
}

void sim_run_many(const struct sim_options *options, uint64_t first, uint64_t count, unsigned jobs, bool twice,
                  void (*done)(void *ctx, uint64_t seed, const struct sim_result *r), void *ctx)
{
    struct work w = { options, first, count, jobs < count ? jobs : (unsigned)count, twice };
    struct worker *workers = mem_zalloc(w.jobs * sizeof *workers);
    struct pollfd *fds = mem_zalloc(w.jobs * sizeof *fds);
    for (unsigned i = 0; i < w.jobs; i++) {
        workers[i].next = first + i;
        if (!start(&workers[i], &w)) {
            perror("zokor: sim");
            exit(1);
        }
    }
    while (attend(workers, fds, &w, done, ctx))
        ;
    mem_free(workers);
    mem_free(fds);
}

static void keep(void *ctx, uint64_t seed, const struct sim_result *r)
{
    (void)seed;
    *(struct sim_result *)ctx = *r;
}

/* Everything is given, so that nothing is drawn anew. */
void sim_run(const struct sim_options *o, struct sim_result *r)
{
    struct sim_options all = *o;
    all.given = ~0ull;
    *r = (struct sim_result){ 0 };
    sim_run_many(&all, o->seed, 1, 1, false, keep, r);
}

bool sim_run_apart(void *ctx, const struct sim_options *o, struct finding *found)
{
    (void)ctx;
    struct sim_result r;
    sim_run(o, &r);
    *found = r.finding;
    return r.finding.is;
}

void sim_run_print_settings(const struct sim_options *o, const struct sim_options *plain)
{
    for (int i = 0; i < OPTION_COUNT; i++)
        if (o->v[i] != plain->v[i])
            printf(" --set %s=%lld", options_name((enum sim_option)i), (long long)o->v[i]);
    printf("\n");
}
