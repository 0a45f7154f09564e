#include "server/logger.h"
#include "base/log.h"
#include "base/mem.h"
#include "os/clock.h"
#include "os/thread.h"
#include <stdatomic.h>

struct batch {
    struct core_append *items;
    size_t count, cap;
    int64_t since_ms; /* when the first of them came */
};

struct logger {
    struct logger_options opt;
    struct txnlog *log; /* the thread's alone */
    struct thread thread;
    struct mutex mutex; /* guards what follows up to the atomics */
    struct doorbell work;
    struct batch waiting;
    struct logger_job *jobs, **jobs_last; /* to be run */
    struct logger_job *done, **done_last;
    bool sleeping, stopping;
    struct store_error error;
    struct logger_figures figures;
    atomic_int err;
    _Atomic int64_t synced;
    atomic_bool tells_syncs;
    atomic_bool has_done; /* there are jobs to be given back */
    _Atomic int64_t slow_syncs;
};

static void batch_unref(struct batch *b)
{
    for (size_t i = 0; i < b->count; i++)
        blob_unref(b->items[i].txn);
    b->count = 0;
}

static void fail(struct logger *l, int rc, const struct store_error *err)
{
    mutex_lock(&l->mutex);
    l->error = *err;
    mutex_unlock(&l->mutex);
    atomic_store(&l->err, rc);
    l->opt.changed(l->opt.ctx);
}

static void tell_slow(struct logger *l, int64_t took_ms, const struct batch *b)
{
    atomic_fetch_add(&l->slow_syncs, 1);
    log_warn("log.slow",
             "took_ms=%lld threshold_ms=%lld transactions=%zu file_bytes=%llu next=\"writes wait for the "
             "disk; give the log a device of its own (dataLogDir)\"",
             (long long)took_ms, (long long)l->opt.slow_sync_ms, b->count,
             (unsigned long long)txnlog_file_bytes(l->log));
}

/* One batch to the disk. */
static int write_batch(struct logger *l, const struct batch *b)
{
    struct store_error err = { "" };
    for (size_t i = 0; i < b->count; i++) {
        const struct core_append *a = &b->items[i];
        txnlog_append(l->log, a->zxid, blob_slice(a->txn));
        if (a->roll_after)
            txnlog_roll(l->log);
    }
    int64_t began_ms = clock_mono_ms();
    int rc = txnlog_flush(l->log, &err);
    if (rc != 0) {
        fail(l, rc, &err);
        return rc;
    }
    int64_t ended_ms = clock_mono_ms(), took_ms = ended_ms - began_ms;
    mutex_lock(&l->mutex);
    summary_add(&l->figures.sync_ms, took_ms);
    summary_add(&l->figures.batch_size, (int64_t)b->count);
    summary_add(&l->figures.batch_wait_ms, began_ms - b->since_ms);
    summary_add(&l->figures.batch_total_ms, ended_ms - b->since_ms);
    mutex_unlock(&l->mutex);
    if (took_ms > l->opt.slow_sync_ms)
        tell_slow(l, took_ms, b);
    /* Stored first, then looked: logger_tell_syncs does it the other way round. */
    atomic_store(&l->synced, b->items[b->count - 1].zxid);
    if (atomic_load(&l->tells_syncs))
        l->opt.changed(l->opt.ctx);
    return 0;
}

static void run_jobs(struct logger *l, struct logger_job *job)
{
    while (job != NULL && atomic_load(&l->err) == 0) {
        struct logger_job *next = job->next;
        if (job->closes_log) {
            txnlog_free(l->log);
            l->log = txnlog_new(l->opt.fs, &l->opt.log);
        }
        job->fn(job);
        job->next = NULL;
        mutex_lock(&l->mutex);
        *l->done_last = job;
        l->done_last = &job->next;
        atomic_store(&l->has_done, true);
        mutex_unlock(&l->mutex);
        l->opt.changed(l->opt.ctx);
        job = next;
    }
}

static void logger_main(void *ctx)
{
    struct logger *l = ctx;
    struct batch mine = { 0 };
    mutex_lock(&l->mutex);
    for (;;) {
        while (l->waiting.count == 0 && l->jobs == NULL && !l->stopping) {
            l->sleeping = true;
            mutex_unlock(&l->mutex);
            doorbell_wait(&l->work);
            mutex_lock(&l->mutex);
        }
        l->sleeping = false;
        if (l->waiting.count == 0 && l->jobs == NULL)
            break;
        struct batch b = l->waiting;
        struct logger_job *jobs = l->jobs;
        l->waiting = mine;
        l->jobs = NULL;
        l->jobs_last = &l->jobs;
        mutex_unlock(&l->mutex);
        if (b.count != 0 && atomic_load(&l->err) == 0)
            (void)write_batch(l, &b);
        batch_unref(&b);
        mine = b;
        run_jobs(l, jobs);
        mutex_lock(&l->mutex);
    }
    mutex_unlock(&l->mutex);
    mem_free(mine.items);
}

struct logger *logger_new(const struct logger_options *options)
{
    struct logger *l = mem_zalloc(sizeof *l);
    l->opt = *options;
    l->log = txnlog_new(options->fs, &options->log);
    l->jobs_last = &l->jobs;
    l->done_last = &l->done;
    mutex_init(&l->mutex);
    doorbell_init(&l->work);
    atomic_init(&l->tells_syncs, true);
    thread_start(&l->thread, "zokor-log", logger_main, l);
    return l;
}

void logger_free(struct logger *l)
{
    if (l == NULL)
        return;
    mutex_lock(&l->mutex);
    l->stopping = true;
    mutex_unlock(&l->mutex);
    doorbell_ring(&l->work);
    thread_join(&l->thread);
    batch_unref(&l->waiting);
    mem_free(l->waiting.items);
    txnlog_free(l->log);
    doorbell_fini(&l->work);
    mutex_fini(&l->mutex);
    mem_free(l);
}

void logger_submit(struct logger *l, const struct core_append *appends, size_t count)
{
    if (count == 0)
        return;
    mutex_lock(&l->mutex);
    struct batch *w = &l->waiting;
    if (w->count == 0)
        w->since_ms = clock_mono_ms();
    if (w->cap - w->count < count) {
        w->cap = w->count + count < 256 ? 256 : (w->count + count) * 2;
        w->items = mem_realloc(w->items, w->cap * sizeof *w->items);
    }
    memcpy(w->items + w->count, appends, count * sizeof *appends);
    w->count += count;
    bool ring = l->sleeping;
    l->sleeping = false;
    mutex_unlock(&l->mutex);
    if (ring)
        doorbell_ring(&l->work);
}

void logger_run(struct logger *l, struct logger_job *job)
{
    job->next = NULL;
    mutex_lock(&l->mutex);
    *l->jobs_last = job;
    l->jobs_last = &job->next;
    bool ring = l->sleeping;
    l->sleeping = false;
    mutex_unlock(&l->mutex);
    if (ring)
        doorbell_ring(&l->work);
}

struct logger_job *logger_take_done(struct logger *l)
{
    /* Asked for in every turn that follows a sync, when the thread takes the lock itself. */
    if (!atomic_load(&l->has_done))
        return NULL;
    mutex_lock(&l->mutex);
    struct logger_job *job = l->done;
    if (job == NULL)
        atomic_store(&l->has_done, false);
    if (job != NULL) {
        l->done = job->next;
        if (l->done == NULL)
            l->done_last = &l->done;
    }
    mutex_unlock(&l->mutex);
    return job;
}

void logger_restart_at(struct logger *l, int64_t zxid)
{
    atomic_store_explicit(&l->synced, zxid, memory_order_release);
}

void logger_tell_syncs(struct logger *l, bool tell)
{
    atomic_store(&l->tells_syncs, tell);
}

int64_t logger_synced(const struct logger *l)
{
    return atomic_load(&l->synced);
}

int logger_error(struct logger *l, struct store_error *err)
{
    int rc = atomic_load(&l->err);
    if (rc == 0)
        return 0;
    mutex_lock(&l->mutex);
    *err = l->error;
    mutex_unlock(&l->mutex);
    return rc;
}

void logger_figures(struct logger *l, struct logger_figures *out)
{
    mutex_lock(&l->mutex);
    *out = l->figures;
    mutex_unlock(&l->mutex);
}

int64_t logger_slow_syncs(const struct logger *l)
{
    return atomic_load_explicit(&l->slow_syncs, memory_order_relaxed);
}
