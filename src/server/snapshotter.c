#include "server/snapshotter.h"
#include "base/blob.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "os/clock.h"
#include "os/thread.h"
#include "server/limits.h"

struct snapshotter {
    struct snapshotter_options opt;
    struct thread thread;
    struct mutex mutex; /* guards everything below */
    struct cond work;
    struct blob *chunks[LIMIT_SNAPSHOT_CHUNKS]; /* ring */
    unsigned head, count;
    struct core_snapshot_fx begin;
    bool begun;     /* begin waits to be taken */
    bool end_given; /* the last chunk is in the ring, or was */
    bool writing;   /* the thread has taken begin */
    bool has_result;
    bool was_full; /* somebody found no room */
    bool purge, purging, stopping, sleeping;
    bool aborting; /* what is written is not wanted any more */
    int result;
};

/* ---- the thread; the mutex is held on entry and exit, and given back for the disk ---- */

static void wake_owner(struct snapshotter *s)
{
    s->opt.changed(s->opt.ctx);
}

static void drop_chunks(struct snapshotter *s)
{
    while (s->count != 0) {
        blob_unref(s->chunks[s->head]);
        s->head = (s->head + 1) % LIMIT_SNAPSHOT_CHUNKS;
        s->count--;
    }
}

static void sleep_for_work(struct snapshotter *s)
{
    s->sleeping = true;
    cond_wait(&s->work, &s->mutex);
    s->sleeping = false;
}

/* The next chunk; NULL at the end, or when stopping. */
static struct blob *take_chunk(struct snapshotter *s)
{
    while (s->count == 0 && !s->end_given && !s->stopping && !s->aborting)
        sleep_for_work(s);
    if (s->count == 0 || s->stopping || s->aborting)
        return NULL;
    struct blob *b = s->chunks[s->head];
    s->head = (s->head + 1) % LIMIT_SNAPSHOT_CHUNKS;
    s->count--;
    if (s->was_full) {
        s->was_full = false;
        wake_owner(s);
    }
    return b;
}

static int write_body(struct snapshotter *s, struct snapshot_writer *w, struct store_error *err)
{
    struct blob *b;
    while ((b = take_chunk(s)) != NULL) {
        mutex_unlock(&s->mutex);
        int rc = snapshot_write_body(w, blob_slice(b), err);
        blob_unref(b);
        mutex_lock(&s->mutex);
        if (rc != 0)
            return rc;
    }
    return s->stopping || s->aborting ? ERR_CLOSED : 0;
}

static int write_snapshot(struct snapshotter *s, const struct core_snapshot_fx *fx, uint64_t *bytes)
{
    struct snapshot_writer *w = NULL;
    struct store_error err = { "" };
    struct snapshot_write_options o = {
        .dir = s->opt.dirs.snap_dir,
        .zxid = fx->zxid,
        .codec = s->opt.codec,
        .digest = s->opt.digest,
        .tree_digest = fx->digest,
        .digest_zxid = fx->digest_zxid,
        .last_zxid_block = s->opt.last_zxid_block,
    };
    mutex_unlock(&s->mutex);
    int rc = snapshot_write_begin(s->opt.fs, &o, &w, &err);
    mutex_lock(&s->mutex);
    if (rc == 0)
        rc = write_body(s, w, &err);
    mutex_unlock(&s->mutex);
    if (rc == 0) {
        *bytes = snapshot_write_bytes(w);
        rc = snapshot_write_end(w, &err);
    } else {
        snapshot_write_abort(w);
    }
    if (rc != 0 && rc != ERR_CLOSED)
        log_error("snapshot.write", "zxid=0x%llx reason=\"%s\"", (unsigned long long)fx->zxid, err.text);
    mutex_lock(&s->mutex);
    return rc;
}

static void take_snapshot(struct snapshotter *s)
{
    struct core_snapshot_fx fx = s->begin;
    uint64_t bytes = 0;
    int64_t began_ms = clock_mono_ms();
    s->begun = false;
    s->writing = true;
    int rc = write_snapshot(s, &fx, &bytes);
    s->writing = s->aborting = false;
    drop_chunks(s);
    if (rc == 0)
        log_info("snapshot.saved", "zxid=0x%llx bytes=%llu took_ms=%lld", (unsigned long long)fx.zxid,
                 (unsigned long long)bytes, (long long)(clock_mono_ms() - began_ms));
    s->has_result = true;
    s->result = rc;
    wake_owner(s);
}

static void purge(struct snapshotter *s)
{
    struct store_error err = { "" };
    s->purge = false;
    s->purging = true;
    mutex_unlock(&s->mutex);
    int n = store_purge(s->opt.fs, &s->opt.dirs, s->opt.purge_keep, &err);
    if (n < 0)
        log_error("purge.failed", "reason=\"%s\" next=\"files stay; the next purge tries again\"", err.text);
    else
        log_info("purge.done", "removed=%d keep=%d", n, s->opt.purge_keep);
    mutex_lock(&s->mutex);
    s->purging = false;
    wake_owner(s);
}

static void snapshotter_main(void *ctx)
{
    struct snapshotter *s = ctx;
    thread_be_nice();
    mutex_lock(&s->mutex);
    while (!s->stopping) {
        if (s->begun)
            take_snapshot(s);
        else if (s->purge)
            purge(s);
        else
            sleep_for_work(s);
    }
    drop_chunks(s);
    mutex_unlock(&s->mutex);
}

/* ---- the owner ---- */

struct snapshotter *snapshotter_new(const struct snapshotter_options *options)
{
    struct snapshotter *s = mem_zalloc(sizeof *s);
    s->opt = *options;
    mutex_init(&s->mutex);
    cond_init(&s->work);
    thread_start(&s->thread, "zokor-snap", snapshotter_main, s);
    return s;
}

static void wake_thread(struct snapshotter *s)
{
    if (s->sleeping)
        cond_signal(&s->work);
}

void snapshotter_free(struct snapshotter *s)
{
    if (s == NULL)
        return;
    mutex_lock(&s->mutex);
    s->stopping = true;
    wake_thread(s);
    mutex_unlock(&s->mutex);
    thread_join(&s->thread);
    cond_fini(&s->work);
    mutex_fini(&s->mutex);
    mem_free(s);
}

void snapshotter_begin(struct snapshotter *s, const struct core_snapshot_fx *fx)
{
    mutex_lock(&s->mutex);
    ASSERT(!s->begun && !s->writing && !s->has_result);
    s->begin = *fx;
    s->begun = true;
    s->end_given = false;
    wake_thread(s);
    mutex_unlock(&s->mutex);
}

bool snapshotter_has_room(struct snapshotter *s)
{
    mutex_lock(&s->mutex);
    bool room = s->count < LIMIT_SNAPSHOT_CHUNKS;
    if (!room)
        s->was_full = true;
    mutex_unlock(&s->mutex);
    return room;
}

void snapshotter_body(struct snapshotter *s, struct slice body, bool end)
{
    struct blob *b = body.n == 0 ? NULL : blob_dup(body);
    mutex_lock(&s->mutex);
    if (!s->begun && !s->writing) { /* it has failed meanwhile */
        mutex_unlock(&s->mutex);
        blob_unref(b);
        return;
    }
    if (b != NULL) {
        ASSERT(s->count < LIMIT_SNAPSHOT_CHUNKS);
        s->chunks[(s->head + s->count++) % LIMIT_SNAPSHOT_CHUNKS] = b;
    }
    s->end_given = end;
    wake_thread(s);
    mutex_unlock(&s->mutex);
}

bool snapshotter_take_result(struct snapshotter *s, int *err)
{
    mutex_lock(&s->mutex);
    bool has = s->has_result;
    s->has_result = false;
    *err = s->result;
    mutex_unlock(&s->mutex);
    return has;
}

void snapshotter_abort(struct snapshotter *s)
{
    mutex_lock(&s->mutex);
    if (s->begun || s->writing) {
        s->aborting = true;
        wake_thread(s);
    }
    mutex_unlock(&s->mutex);
}

bool snapshotter_is_idle(struct snapshotter *s)
{
    mutex_lock(&s->mutex);
    bool idle = !s->begun && !s->writing && !s->has_result && !s->purge && !s->purging;
    mutex_unlock(&s->mutex);
    return idle;
}

void snapshotter_purge(struct snapshotter *s)
{
    mutex_lock(&s->mutex);
    s->purge = true;
    wake_thread(s);
    mutex_unlock(&s->mutex);
}
