/* The writer of the transaction log. Records wait in one buffer; a flush is one write and one sync, however many
 * there are. Files are born under a name that no reader knows and get theirs when header and preallocation are
 * durable, so that a crash at any moment leaves no log without a header (Apache refuses to start on one). */
#include "base/museum.h"
#include "store/txnlog.h"
#include "base/digest.h"
#include "base/mem.h"
#include "store/internal.h"
#include "wire/jute.h"
#include <inttypes.h>
#include <stdio.h>

#define TXNLOG_UNBORN_NAME "tmp-log"
#define TXNLOG_PREALLOC_SLACK_BYTES 4096 /* disk specification 2.6 */
#define TXNLOG_BATCH_BYTES_KEPT (4u << 20)
#define TXNLOG_STEP_BYTES_MIN (64u << 10) /* of preallocation on a disk that is nearly full */

/* Where in the batch a new file begins. */
struct txnlog_cut {
    int64_t zxid;
    size_t at;
};

struct txnlog {
    struct fs *fs;
    struct txnlog_options options;
    char *dir;
    struct buf batch;
    struct txnlog_cut *cuts;
    size_t cut_count, cut_cap;
    bool cut_wanted;        /* the next record begins a file */
    struct fs_file *file;   /* NULL: none yet */
    struct store_path path; /* of file */
    uint64_t pos;           /* bytes written */
    uint64_t size;          /* of the file, preallocation included */
    uint64_t file_number;   /* of files so far */
    uint64_t zeroed;        /* up to here zeros were offered */
    uint64_t step_bytes;    /* it grows by: preAllocSize, or less where the disk has not so much left */
    bool dirty;             /* written and not synced */
    uint8_t *memory;        /* of block */
    uint8_t *block;         /* the block that the end of the file lies in, up to there; the rest is for an offer */
    int failed;             /* sticky */
    struct store_error failure;
};

struct txnlog *txnlog_new(struct fs *fs, const struct txnlog_options *options)
{
    struct txnlog *l = mem_zalloc(sizeof *l);
    size_t n = strlen(options->dir) + 1;
    l->fs = fs;
    l->options = *options;
    if (l->options.ahead_bytes == 0)
        l->options.ahead_bytes = TXNLOG_AHEAD_BYTES;
    ASSERT(l->options.ahead_bytes <= TXNLOG_AHEAD_BYTES && l->options.ahead_bytes % TXNLOG_BLOCK_BYTES == 0);
    l->dir = mem_alloc(n);
    memcpy(l->dir, options->dir, n);
    l->options.dir = l->dir;
    l->cut_wanted = true;
    l->memory = mem_alloc(TXNLOG_PIECE_BYTES_MAX + 3 * TXNLOG_BLOCK_BYTES);
    l->block = l->memory + (TXNLOG_BLOCK_BYTES - (uintptr_t)l->memory % TXNLOG_BLOCK_BYTES);
    buf_init(&l->batch, SIZE_MAX);
    return l;
}

void txnlog_free(struct txnlog *l)
{
    if (l == NULL)
        return;
    l->fs->ops->close(l->file);
    buf_fini(&l->batch);
    mem_free(l->cuts);
    mem_free(l->memory);
    mem_free(l->dir);
    mem_free(l);
}

static void txnlog_cut_here(struct txnlog *l, int64_t zxid)
{
    if (l->cut_count == l->cut_cap) {
        l->cut_cap = l->cut_cap == 0 ? 4 : l->cut_cap * 2;
        l->cuts = mem_realloc(l->cuts, l->cut_cap * sizeof *l->cuts);
    }
    l->cuts[l->cut_count++] = (struct txnlog_cut){ .zxid = zxid, .at = l->batch.n };
    l->cut_wanted = false;
}

void txnlog_append(struct txnlog *l, int64_t zxid, struct slice payload)
{
    ASSERT(payload.n > 0 && payload.n <= INT32_MAX);
    if (l->failed != 0)
        return;
    if (l->cut_wanted)
        txnlog_cut_here(l, zxid);
    uint8_t *p = buf_add(&l->batch, TXNLOG_OVERHEAD_BYTES + payload.n);
    if (UNLIKELY(p == NULL)) {
        l->failed = store_fail(&l->failure, ERR_NO_MEMORY, "no memory for a batch of log records of %zu bytes",
                               l->batch.n + payload.n);
        return;
    }
    store_be64(p, digest_adler32(1, payload.p, payload.n));
    store_be32(p + 8, (uint32_t)payload.n);
    memcpy(p + 12, payload.p, payload.n);
    p[12 + payload.n] = 'B';
}

void txnlog_roll(struct txnlog *l)
{
    l->cut_wanted = true;
}

uint64_t txnlog_file_bytes(const struct txnlog *l)
{
    return l->file == NULL ? 0 : l->size > l->pos ? l->size : l->pos;
}

static int txnlog_fail(struct txnlog *l, int rc, const char *what)
{
    l->failed = store_fail(&l->failure, rc,
                           "%s: cannot %s: %s; nothing of this batch is acknowledged. Make room or repair the disk, "
                           "then start again: what was acknowledged is in the log",
                           l->path.text, what, err_text(rc));
    return rc;
}

static int txnlog_sync(struct txnlog *l)
{
    if (!l->dirty)
        return 0;
    l->dirty = false;
    if (!l->options.force_sync || SIM_BUG(log_without_sync))
        return 0;
    int rc = l->fs->ops->sync(l->file);
    return rc < 0 && !SIM_BUG(log_failed_sync_forgiven) ? txnlog_fail(l, rc, "sync") : 0;
}

static int txnlog_finish_file(struct txnlog *l)
{
    int rc = l->file == NULL ? 0 : txnlog_sync(l);
    if (rc < 0)
        return rc;
    l->fs->ops->close(l->file);
    l->file = NULL;
    l->pos = l->size = 0;
    return 0;
}

static uint64_t txnlog_size_for(const struct txnlog *l, uint64_t end)
{
    uint64_t size = l->size;
    while (l->pos + TXNLOG_PREALLOC_SLACK_BYTES >= size || end > size)
        size += l->step_bytes;
    return size;
}

/* Preallocation is for speed: where there is no room for a whole step, as on a small volume or at the end of a large
 * one, what fits is as good. (Apache's leaves a hole and goes on, too.) */
static int txnlog_grow(struct txnlog *l, uint64_t end)
{
    if (l->step_bytes == 0)
        return 0;
    for (;;) {
        uint64_t size = txnlog_size_for(l, end);
        int rc = size == l->size ? 0 : l->fs->ops->allocate(l->file, size);
        if (rc == 0) {
            l->size = size;
            return 0;
        }
        if (rc != ERR_NO_SPACE || l->step_bytes <= TXNLOG_STEP_BYTES_MIN)
            return txnlog_fail(l, rc, "preallocate (preAllocSize)");
        l->step_bytes = l->step_bytes / 8 < TXNLOG_STEP_BYTES_MIN ? TXNLOG_STEP_BYTES_MIN : l->step_bytes / 8;
    }
}

static int txnlog_new_file(struct txnlog *l, int64_t zxid)
{
    static const uint8_t header[TXNLOG_HEADER_BYTES] = { 'Z', 'K', 'L', 'G', 0, 0, 0, 2 };
    char name[32];
    struct store_path unborn;
    const struct fs_ops *ops = l->fs->ops;
    (void)snprintf(name, sizeof name, "log.%" PRIx64, (uint64_t)zxid);
    store_path_join(&l->path, l->dir, name);
    store_path_join(&unborn, l->dir, TXNLOG_UNBORN_NAME);

    int rc = store_create(l->fs, unborn.text, &l->file);
    if (rc < 0)
        return txnlog_fail(l, rc, "create");
    l->pos = l->size = TXNLOG_HEADER_BYTES;
    l->file_number++;
    l->zeroed = 0;
    memcpy(l->block, header, sizeof header);
    l->step_bytes = l->options.prealloc_bytes;
    if ((rc = ops->write_at(l->file, 0, header, sizeof header)) < 0)
        return txnlog_fail(l, rc, "write the header");
    if ((rc = txnlog_grow(l, l->pos)) < 0)
        return rc;
    l->dirty = true;
    if ((rc = txnlog_sync(l)) < 0)
        return rc;
    if ((rc = ops->rename(l->fs, unborn.text, l->path.text)) < 0)
        return txnlog_fail(l, rc, "name");
    if (l->options.force_sync && !SIM_BUG(log_without_directory_sync) && (rc = ops->sync_dir(l->fs, l->dir)) < 0)
        return txnlog_fail(l, rc, "sync the directory of");
    return 0;
}

/* How much of the batch from `at` goes out in one write: whole records, all of them or just over the limit. */
static size_t txnlog_write_bytes(const struct txnlog *l, size_t at, size_t end)
{
    if (end - at <= TXNLOG_WRITE_BYTES_MAX)
        return end - at;
    size_t n = 0;
    while (at + n < end && n < TXNLOG_WRITE_BYTES_MAX)
        n += TXNLOG_OVERHEAD_BYTES + load_be32(l->batch.p + at + n + 8);
    return n;
}

/* n bytes were written at l->pos: the last block's are kept. */
static void txnlog_keep_end(struct txnlog *l, const uint8_t *p, size_t n)
{
    size_t had = l->pos % TXNLOG_BLOCK_BYTES, has = (l->pos + n) % TXNLOG_BLOCK_BYTES;
    if (had + n < TXNLOG_BLOCK_BYTES)
        memcpy(l->block + had, p, n);
    else
        memcpy(l->block, p + n - has, has);
}

/* Records of the batch from `at` to `end` go to the current file. */
static int txnlog_write(struct txnlog *l, size_t at, size_t end)
{
    while (at < end) {
        size_t n = txnlog_write_bytes(l, at, end);
        int rc = txnlog_sync(l);
        if (rc < 0 || (rc = txnlog_grow(l, l->pos + n)) < 0)
            return rc;
        if ((rc = l->fs->ops->write_at(l->file, l->pos, l->batch.p + at, n)) < 0)
            return txnlog_fail(l, rc, "write");
        if (!SIM_BUG(log_block_stale))
            txnlog_keep_end(l, l->batch.p + at, n);
        l->pos += n;
        l->dirty = true;
        at += n;
    }
    return 0;
}

static int txnlog_flush_batch(struct txnlog *l)
{
    size_t at = 0;
    int rc;
    for (size_t i = 0; i < l->cut_count; i++) {
        const struct txnlog_cut *cut = &l->cuts[i];
        if ((rc = txnlog_write(l, at, cut->at)) < 0 || (rc = txnlog_finish_file(l)) < 0 ||
            (rc = txnlog_new_file(l, cut->zxid)) < 0)
            return rc;
        at = cut->at;
    }
    if (l->file == NULL) { /* nothing was ever appended */
        ASSERT(l->batch.n == 0);
        return 0;
    }
    if ((rc = txnlog_write(l, at, l->batch.n)) < 0)
        return rc;
    return txnlog_sync(l);
}

/* The batch is durable. */
static void txnlog_flushed(struct txnlog *l)
{
    l->cut_count = 0;
    if (l->batch.cap > TXNLOG_BATCH_BYTES_KEPT)
        buf_fini(&l->batch);
    buf_reset(&l->batch);
    /* Preallocation counts, as in Apache: the limit is looked at right after a sync (disk specification 1). */
    if (l->options.size_limit_bytes > 0 && txnlog_file_bytes(l) > l->options.size_limit_bytes)
        l->cut_wanted = true;
}

int txnlog_flush(struct txnlog *l, struct store_error *err)
{
    int rc = l->failed != 0 ? l->failed : txnlog_flush_batch(l);
    if (rc < 0) {
        *err = l->failure;
        return rc;
    }
    txnlog_flushed(l);
    return 0;
}

/* ---- for who writes otherwise ---- */

static uint64_t txnlog_block_end(uint64_t at)
{
    return (at + TXNLOG_BLOCK_BYTES - 1) / TXNLOG_BLOCK_BYTES * TXNLOG_BLOCK_BYTES;
}

/* n bytes fit behind the end without a new file, a longer one, or much copying. */
static bool txnlog_fits(const struct txnlog *l, size_t n)
{
    return l->failed == 0 && l->file != NULL && l->cut_count == 0 && !l->dirty && l->options.force_sync && n > 0 &&
           n <= TXNLOG_PIECE_BYTES_MAX && l->pos + TXNLOG_PREALLOC_SLACK_BYTES < l->size &&
           txnlog_block_end(l->pos + n) <= l->size;
}

bool txnlog_would_offer(const struct txnlog *l, size_t count, size_t n)
{
    return l->batch.n == 0 && !l->cut_wanted && txnlog_fits(l, n + count * TXNLOG_OVERHEAD_BYTES);
}

bool txnlog_offer(struct txnlog *l, bool ahead, struct txnlog_piece *piece)
{
    size_t had = l->pos % TXNLOG_BLOCK_BYTES, n = l->batch.n;
    if (!txnlog_fits(l, n))
        return false;
    uint64_t end = txnlog_block_end(l->pos + n);
    size_t zeros = 0;
    if (ahead && end > l->zeroed) {
        zeros = end + l->options.ahead_bytes <= l->size ? l->options.ahead_bytes : 0;
        l->zeroed = end + zeros;
    }
    *piece = (struct txnlog_piece){ .path = l->path.text,
                                    .file = l->file_number,
                                    .offset = l->pos - had,
                                    .p = l->block,
                                    .n = (size_t)(end - (l->pos - had)),
                                    .zeros = zeros };
    if (SIM_BUG(log_block_without_past))
        memset(l->block, 0, had);
    memcpy(l->block + had, l->batch.p, n);
    memset(l->block + had + n, 0, piece->n - had - n);
    return true;
}

void txnlog_took(struct txnlog *l)
{
    size_t n = l->batch.n;
    txnlog_keep_end(l, l->batch.p, n);
    l->pos += n;
    txnlog_flushed(l);
}

void txnlog_refused(struct txnlog *l, int rc, struct store_error *err)
{
    (void)txnlog_fail(l, rc, "write");
    *err = l->failure;
}

void txnlog_withdraw(struct txnlog *l)
{
    ASSERT(l->failed == 0 && l->cut_count == 0);
    if (SIM_BUG(log_end_forgotten))
        l->pos -= l->pos % TXNLOG_BLOCK_BYTES;
    buf_reset(&l->batch);
    l->cut_wanted = false; /* before the first of it was appended it was not */
}

int txnlog_flush_by(struct txnlog *l, const struct txnlog_taker *taker, struct store_error *err)
{
    struct txnlog_piece piece;
    int rc = txnlog_offer(l, true, &piece) ? taker->write(taker->ctx, &piece) : ERR_INVALID;
    if (rc == ERR_INVALID)
        return txnlog_flush(l, err);
    if (rc == 0 || SIM_BUG(log_failed_piece_forgiven))
        txnlog_took(l);
    else
        txnlog_refused(l, rc, err);
    return l->failed;
}
