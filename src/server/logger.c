#include "server/logger.h"
#include "base/log.h"
#include "base/mem.h"
#include "os/clock.h"
#include "os/direct.h"
#include "os/thread.h"
#include <stdatomic.h>

/* A batch up to this goes past the thread. More is work that the owner is better spared. */
#define SMALL_COUNT_MAX 16
#define SMALL_BYTES_MAX (16u * 1024)
/* After so many refusals in a row (a file system that journals data, somebody who reads the log all the time) the next
 * batches are not tried. */
#define OWN_REFUSALS_MAX 8
#define OWN_REST_BATCHES 1000

_Static_assert(TXNLOG_AHEAD_BYTES <= DIRECT_ZEROS_MAX && TXNLOG_BLOCK_BYTES == DIRECT_BLOCK_BYTES,
               "what the log offers can be written");

struct batch {
    struct core_append *items;
    size_t count, cap;
    int64_t since_ms; /* when the first of them came */
};

struct logger {
    struct logger_options opt;
    /* Of the thread while it does not sleep; of the owner while `lent`. */
    struct txnlog *log;
    struct direct *direct;   /* NULL: not here */
    uint64_t direct_file;    /* which one is open; 0: none */
    uint64_t direct_refused; /* this one does not qualify */
    struct batch own;        /* what the owner has begun to write */
    int64_t own_began_ms;
    int own_refusals, own_rest;
    struct thread thread;
    struct mutex mutex; /* guards what follows up to the atomics */
    struct doorbell work;
    struct batch waiting;
    struct logger_job *jobs, **jobs_last; /* to be run */
    struct logger_job *done, **done_last;
    bool sleeping, stopping;
    bool lent; /* the thread sleeps on, whatever comes */
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

static void append_batch(struct logger *l, const struct batch *b)
{
    for (size_t i = 0; i < b->count; i++) {
        const struct core_append *a = &b->items[i];
        txnlog_append(l->log, a->zxid, blob_slice(a->txn));
        if (a->roll_after)
            txnlog_roll(l->log);
    }
}

/* The file that the log writes is open for writing past the page cache. */
static bool direct_ready(struct logger *l, const struct txnlog_piece *piece)
{
    if (l->direct_file == piece->file)
        return true;
    if (l->direct_refused == piece->file)
        return false;
    int rc = direct_open(l->direct, piece->path);
    l->direct_file = rc == 0 ? piece->file : 0;
    l->direct_refused = rc == 0 ? 0 : piece->file;
    return rc == 0;
}

static void direct_forget(struct logger *l)
{
    if (l->direct != NULL)
        direct_close(l->direct);
    l->direct_file = l->direct_refused = 0;
}

/* Few bytes, and all for one file: none but the last may end it. */
static bool is_small(const struct batch *b, size_t *bytes)
{
    *bytes = 0;
    if (b->count > SMALL_COUNT_MAX)
        return false;
    for (size_t i = 0; i < b->count; i++) {
        if (b->items[i].roll_after && i + 1 < b->count)
            return false;
        *bytes += blob_slice(b->items[i].txn).n;
    }
    return *bytes <= SMALL_BYTES_MAX;
}

/* What the log offers goes past the page cache: onto blocks that are there already, with zeros in them, the file
 * system has nothing to note with the sync. And a page in the cache would make the owner's writes wait. */
static int write_direct(void *ctx, const struct txnlog_piece *piece)
{
    struct logger *l = ctx;
    if (!direct_ready(l, piece))
        return ERR_INVALID;
    int rc = direct_write(l->direct, piece->offset, piece->p, piece->n, piece->zeros);
    if (rc == ERR_INVALID) {
        l->direct_refused = piece->file;
        l->direct_file = 0;
    }
    return rc;
}

/* A batch is durable. */
static void written(struct logger *l, const struct batch *b, int64_t began_ms)
{
    int64_t ended_ms = clock_mono_ms(), took_ms = ended_ms - began_ms;
    mutex_lock(&l->mutex);
    summary_add(&l->figures.sync_ms, took_ms);
    summary_add(&l->figures.batch_size, (int64_t)b->count);
    summary_add(&l->figures.batch_wait_ms, began_ms - b->since_ms);
    summary_add(&l->figures.batch_total_ms, ended_ms - b->since_ms);
    mutex_unlock(&l->mutex);
    if (took_ms > l->opt.slow_sync_ms)
        tell_slow(l, took_ms, b);
    atomic_store(&l->synced, b->items[b->count - 1].zxid);
}

/* One batch to the disk. */
static void write_batch(struct logger *l, const struct batch *b)
{
    struct store_error err = { "" };
    append_batch(l, b);
    int64_t began_ms = clock_mono_ms();
    struct txnlog_taker taker = { .write = write_direct, .ctx = l };
    int rc = l->direct != NULL ? txnlog_flush_by(l->log, &taker, &err) : txnlog_flush(l->log, &err);
    if (rc != 0) {
        fail(l, rc, &err);
        return;
    }
    /* What is durable is stored first, then it is looked who wants to know: logger_tell_syncs does it the other way
     * round. */
    written(l, b, began_ms);
    if (atomic_load(&l->tells_syncs))
        l->opt.changed(l->opt.ctx);
}

static void run_jobs(struct logger *l, struct logger_job *job)
{
    while (job != NULL && atomic_load(&l->err) == 0) {
        struct logger_job *next = job->next;
        if (job->closes_log) {
            direct_forget(l);
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
        while (l->lent || (l->waiting.count == 0 && l->jobs == NULL && !l->stopping)) {
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
            write_batch(l, &b);
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
    if (options->direct)
        l->direct = direct_new();
    l->jobs_last = &l->jobs;
    l->done_last = &l->done;
    mutex_init(&l->mutex);
    doorbell_init(&l->work);
    atomic_init(&l->tells_syncs, true);
    thread_start(&l->thread, "zokor-log", logger_main, l);
    return l;
}

/* With the mutex: the thread is to be woken, and it counts as awake from now on. */
static bool must_ring(struct logger *l)
{
    bool ring = l->sleeping && !l->lent && (l->waiting.count != 0 || l->jobs != NULL || l->stopping);
    if (ring)
        l->sleeping = false;
    return ring;
}

/* ---- writes of the owner ---- */

/* With the mutex: what waits becomes the owner's, and the log with it. */
static bool borrow(struct logger *l)
{
    size_t bytes;
    if (l->direct == NULL || !l->sleeping || l->lent || l->jobs != NULL || l->stopping || l->waiting.count == 0 ||
        atomic_load(&l->err) != 0 || !is_small(&l->waiting, &bytes) ||
        !txnlog_would_offer(l->log, l->waiting.count, bytes))
        return false;
    if (l->own_rest > 0) {
        l->own_rest--;
        return false;
    }
    struct batch empty = l->own;
    l->own = l->waiting;
    l->waiting = empty;
    l->lent = true;
    return true;
}

/* What was borrowed goes back to the front of what waits. */
static void give_back(struct logger *l)
{
    txnlog_withdraw(l->log);
    if (++l->own_refusals >= OWN_REFUSALS_MAX)
        l->own_rest = OWN_REST_BATCHES;
    mutex_lock(&l->mutex);
    struct batch *w = &l->waiting, *o = &l->own;
    if (o->cap - o->count < w->count) {
        o->cap = (o->count + w->count) * 2;
        o->items = mem_realloc(o->items, o->cap * sizeof *o->items);
    }
    if (w->count != 0)
        memcpy(o->items + o->count, w->items, w->count * sizeof *w->items);
    struct batch all = *o, empty = *w;
    all.count += empty.count;
    empty.count = 0;
    l->waiting = all;
    l->own = empty;
    l->lent = false;
    bool ring = must_ring(l);
    mutex_unlock(&l->mutex);
    if (ring)
        doorbell_ring(&l->work);
}

static void begin_own(struct logger *l)
{
    struct txnlog_piece piece;
    append_batch(l, &l->own);
    l->own_began_ms = clock_mono_ms();
    if (!txnlog_offer(l->log, false, &piece) || !direct_ready(l, &piece) ||
        direct_begin(l->direct, piece.offset, piece.p, piece.n) != 0)
        give_back(l);
}

/* Something waits, or the owner has given back the log: whoever can goes on. */
static void go_on(struct logger *l)
{
    mutex_lock(&l->mutex);
    bool own = borrow(l);
    bool ring = !own && must_ring(l);
    mutex_unlock(&l->mutex);
    if (own)
        begin_own(l);
    if (ring)
        doorbell_ring(&l->work);
}

static void own_ended(struct logger *l, int rc)
{
    struct store_error err = { "" };
    if (rc == ERR_BUSY) {
        give_back(l);
        return;
    }
    if (rc == 0) {
        l->own_refusals = 0;
        txnlog_took(l->log);
        written(l, &l->own, l->own_began_ms);
    } else {
        txnlog_refused(l->log, rc, &err);
        mutex_lock(&l->mutex);
        l->error = err;
        mutex_unlock(&l->mutex);
        atomic_store(&l->err, rc);
    }
    batch_unref(&l->own);
    mutex_lock(&l->mutex);
    l->lent = false;
    mutex_unlock(&l->mutex);
    go_on(l);
}

int logger_bell(const struct logger *l)
{
    return l->direct != NULL ? direct_bell(l->direct) : -1;
}

void logger_answer(struct logger *l)
{
    direct_take_bell(l->direct);
}

void logger_collect(struct logger *l)
{
    int rc;
    if (l->direct != NULL && direct_ended(l->direct, false, &rc))
        own_ended(l, rc);
}

/* ---- the owner's side ---- */

void logger_free(struct logger *l)
{
    int rc;
    if (l == NULL)
        return;
    mutex_lock(&l->mutex);
    l->stopping = true;
    bool lent = l->lent;
    mutex_unlock(&l->mutex);
    if (lent && direct_ended(l->direct, true, &rc))
        own_ended(l, rc);
    doorbell_ring(&l->work);
    thread_join(&l->thread);
    batch_unref(&l->waiting);
    mem_free(l->waiting.items);
    mem_free(l->own.items);
    direct_free(l->direct);
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
    mutex_unlock(&l->mutex);
    go_on(l);
}

void logger_run(struct logger *l, struct logger_job *job)
{
    job->next = NULL;
    mutex_lock(&l->mutex);
    *l->jobs_last = job;
    l->jobs_last = &job->next;
    mutex_unlock(&l->mutex);
    go_on(l);
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
