/* What the files of the bench share. */
#ifndef ZOKOR_BENCH_INTERNAL_H
#define ZOKOR_BENCH_INTERNAL_H

#include "base/rng.h"
#include "bench/bench.h"
#include "bench/conn.h"
#include "bench/hist.h"
#include "bench/requests.h"
#include <pthread.h>
#include <semaphore.h>

#define BENCH_ERROR_KINDS 12

/* What is counted. */
struct tally {
    uint64_t ops, errors, reconnects;
    struct {
        int code;
        uint64_t count;
    } codes[BENCH_ERROR_KINDS];
    struct hist hist;
};

void tally_error(struct tally *t, int code, uint64_t count);
void tally_merge(struct tally *to, const struct tally *from);

enum stage_kind { STAGE_CONNECT, STAGE_MAKE, STAGE_LOAD, STAGE_CLEAR, STAGE_CLOSE };

struct stage {
    enum stage_kind kind;
    enum bench_place place;       /* MAKE, CLEAR */
    enum bench_workload workload; /* LOAD */
};
#define STAGES_MAX (3 * BENCH_WORKLOAD_COUNT + 16)

/* What a request in flight is for. */
enum op_kind { OP_IDLE, OP_SWEEP, OP_LOAD, OP_PREPARE, OP_ARM, OP_WATCHED_SET, OP_CLOSE };

/* Nodes to make or delete, one after the other; what was lost with a connection is done again. */
struct sweep {
    enum bench_place place;
    bool creates;
    uint64_t next, end, step; /* numbers; for BENCH_AT_NEW `next` counts within the folder of connection `conn` */
    uint32_t conn;
    uint64_t *again;
    size_t again_count, again_cap;
};

struct run;

struct worker {
    struct run *run;
    pthread_t thread;
    uint32_t id, conn_count, ready_count, opening_count, next_conn;
    int epoll;
    struct bench_conn *conns;
    struct bench_conn **dirty;
    size_t dirty_count;
    struct bench_hooks hooks;
    struct rng rng;
    uint64_t now_ns, progress_ns, ticked_ns; /* progress: when a connection was ready last, or became so */
    uint64_t in_flight;
    const struct stage *stage;
    struct sweep sweep;
    uint64_t due_ns;      /* with --rate: when the next request is */
    double due_step_ns;   /* 0: as fast as it goes */
    double due_fraction;  /* of a nanosecond */
    bool leaving;         /* the load is over, answers are awaited */
    bool set_in_flight;   /* watch */
    uint32_t armed_count; /* watch */
    uint64_t set_ns;      /* watch: when the write was sent */
    uint64_t last_reply_ns, leaving_ns;

    pthread_mutex_t lock; /* held while a turn counts */
    struct tally total, interval;
};

struct run {
    const struct bench_options *o;
    struct bench_server *servers;
    size_t server_count;
    struct bench_access access;
    char root_text[BENCH_PATH_MAX];
    struct slice root, value;
    struct stage stages[STAGES_MAX];
    size_t stage_count;
    struct worker *workers;
    pthread_barrier_t barrier;
    sem_t done;                 /* a worker has ended its stage */
    uint64_t from_ns, until_ns; /* of the load; written before the barrier */
    bool interrupted;           /* atomic; by a signal */
    bool failed;                /* atomic: nothing more is made or measured */
    bool unreachable;           /* atomic: no server answers, nodes cannot be deleted either */
    bool made_root;             /* atomic */
    pthread_mutex_t failure_lock;
    char failure[512]; /* the first */
};

uint64_t bench_now_ns(void);
static inline bool run_flag(const bool *flag)
{
    return __atomic_load_n(flag, __ATOMIC_ACQUIRE);
}
/* The first reason is kept. */
void run_fail(struct run *r, bool unreachable, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* access.c: TLS and SASL of all connections. 0, or an error after a message. */
int access_init(struct bench_access *a, const struct bench_options *o);
/* After every connection. */
void access_fini(struct bench_access *a);

/* worker.c */
void *worker_main(void *worker);
void worker_count(struct worker *w, uint64_t sent_ns);
void worker_count_error(struct worker *w, int err);
void worker_mark_dirty(struct worker *w, struct bench_conn *c);
int32_t worker_book(struct worker *w, struct bench_conn *c, enum op_kind kind, uint64_t number, uint64_t sent_ns);

/* watching.c: the workload `watch`. A worker's first connection writes a node that all its connections watch; when all
 * have heard of it, all watch again and the next write follows. */
void watching_begin(struct worker *w);
/* Whatever can be asked now. */
void watching_go_on(struct worker *w);
void watching_reply(struct worker *w, struct bench_conn *c, const struct bench_op *op, int err);
void watching_event(struct worker *w, struct bench_conn *c);
void watching_broken(struct worker *w, struct bench_conn *c);

/* report.c */
void report_plan(const struct run *r);
void report_progress(const struct run *r, const struct stage *stage, const struct tally *interval, double seconds,
                     double interval_seconds);
void report_progress_end(const struct run *r);
void report_result(const struct run *r, enum bench_workload workload, const struct tally *t, double seconds);

#endif
