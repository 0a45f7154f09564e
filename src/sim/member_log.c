/* member_log: how a member's log gets to its disk: through the page cache, past it as the server's log thread does, or
 * past it as the core's thread does, which begins a write and hears of its end later. The kernel may give such a write
 * back; then the log thread writes the same records and what has come since. */
#include "base/err.h"
#include "base/museum.h"
#include "sim/cluster.h"
#include "sim/member.h"
#include "sim/member_internal.h"

/* What the core's thread takes upon itself, as in the server. */
#define OWN_COUNT_MAX 16
#define OWN_BYTES_MAX (16u * 1024)
/* How often the kernel says no: at once, or when it has begun. */
#define REFUSED_ONE_IN 12
#define GIVEN_BACK_ONE_IN 8

struct txnlog *member_new_log(const struct sim_member *m)
{
    const struct cluster *c = m->cluster;
    uint64_t blocks = (uint64_t)opt(c, OPT_ahead_bytes) / TXNLOG_BLOCK_BYTES;
    return txnlog_new(disk_fs(m->disk),
                      &(struct txnlog_options){ .dir = member_dirs.log_dir,
                                                .prealloc_bytes = (uint64_t)opt(c, OPT_prealloc_bytes),
                                                .ahead_bytes = blocks * TXNLOG_BLOCK_BYTES,
                                                .force_sync = true });
}

static void append_batch(struct sim_member *m)
{
    for (size_t i = 0; i < m->flush_count; i++) {
        struct core_append *a = &m->waiting[i];
        txnlog_append(m->log, a->zxid, blob_slice(a->txn));
        if (a->roll_after)
            txnlog_roll(m->log);
    }
}

/* ---- past the cache ---- */

static int begin_piece(struct sim_member *m, const struct txnlog_piece *piece)
{
    cover(&m->cluster->coverage, COVER_log_offers);
    if (piece->zeros != 0)
        cover(&m->cluster->coverage, COVER_log_offers_ahead);
    return disk_direct_begin(m->disk, piece->path, piece->offset, piece->p, piece->n, piece->zeros);
}

/* For the log thread: writes and waits. A part of it may have been written when it does not go this way. */
static int take(void *ctx, const struct txnlog_piece *piece)
{
    struct sim_member *m = ctx;
    if (dice_one_in(&m->log_dice, REFUSED_ONE_IN))
        return ERR_INVALID;
    int rc = begin_piece(m, piece);
    if (rc == 0)
        rc = disk_direct_end(m->disk, dice_one_in(&m->log_dice, REFUSED_ONE_IN));
    return rc == ERR_BUSY ? ERR_INVALID : rc;
}

/* Few bytes, and all for one file: none but the last may end it. */
static bool owner_takes(const struct sim_member *m)
{
    size_t bytes = 0;
    if (m->flush_count > OWN_COUNT_MAX)
        return false;
    for (size_t i = 0; i < m->flush_count; i++) {
        if (m->waiting[i].roll_after && i + 1 < m->flush_count)
            return false;
        bytes += blob_slice(m->waiting[i].txn).n;
    }
    return bytes <= OWN_BYTES_MAX && txnlog_would_offer(m->log, m->flush_count, bytes);
}

static bool begin_own(struct sim_member *m)
{
    struct txnlog_piece piece;
    append_batch(m);
    if (txnlog_offer(m->log, false, &piece) && !dice_one_in(&m->log_dice, REFUSED_ONE_IN) &&
        begin_piece(m, &piece) == 0)
        return true;
    txnlog_withdraw(m->log);
    return false;
}

static int end_own(struct sim_member *m, struct store_error *err)
{
    int rc = disk_direct_end(m->disk, dice_one_in(&m->log_dice, GIVEN_BACK_ONE_IN));
    if (rc == ERR_BUSY && !SIM_BUG(log_given_back_taken)) {
        txnlog_withdraw(m->log);
        return rc;
    }
    if (rc == 0 || rc == ERR_BUSY) {
        txnlog_took(m->log);
        return 0;
    }
    txnlog_refused(m->log, rc, err);
    return rc;
}

/* ---- batches ---- */

static enum member_way choose_way(struct sim_member *m, bool own)
{
    struct dice *d = &m->log_dice;
    int64_t pct = opt(m->cluster, OPT_direct_pct);
    if (pct == 0 || dice_between(d, 0, 99) >= pct)
        return MEMBER_FLUSHES;
    if (!own || dice_one_in(d, 2) || !owner_takes(m) || !begin_own(m))
        return MEMBER_WRITES_PAST;
    cover(&m->cluster->coverage, COVER_log_offers_own);
    return MEMBER_HAS_BEGUN;
}

/* All that waits is the next batch. own: the core's thread may write it. */
static void begin_batch(struct sim_member *m, bool own)
{
    struct cluster *c = m->cluster;
    m->flushing = true;
    m->flush_count = m->waiting_count;
    m->way = choose_way(m, own);
    int64_t at_us = c->now_us + dice_wait(&m->dice, opt(c, OPT_sync_us));
    if (at_us < m->stalled_until_us)
        at_us = m->stalled_until_us;
    cluster_at(c, at_us, HAPPEN_LOG_DONE, m->index, m->life, NULL);
}

void member_start_flush(struct sim_member *m)
{
    if (!m->flushing && m->waiting_count != 0 && !m->truncating)
        begin_batch(m, true);
}

int member_flush(struct sim_member *m, struct store_error *err)
{
    struct txnlog_taker taker = { .write = take, .ctx = m };
    if (m->way == MEMBER_HAS_BEGUN)
        return end_own(m, err);
    append_batch(m);
    return m->way == MEMBER_WRITES_PAST ? txnlog_flush_by(m->log, &taker, err) : txnlog_flush(m->log, err);
}

void member_drop_waiting(struct sim_member *m, size_t n)
{
    for (size_t i = 0; i < n; i++)
        blob_unref(m->waiting[i].txn);
    m->waiting_count -= n;
    if (m->waiting_count != 0)
        memmove(m->waiting, m->waiting + n, m->waiting_count * sizeof *m->waiting);
}

void member_log_done(struct sim_member *m)
{
    if (!m->flushing)
        return;
    struct store_error err;
    int rc = member_flush(m, &err);
    if (rc == ERR_BUSY) {
        cover(&m->cluster->coverage, COVER_log_offers_given_back);
        begin_batch(m, false);
        return;
    }
    int64_t zxid = m->waiting[m->flush_count - 1].zxid;
    member_drop_waiting(m, m->flush_count);
    m->flushing = false;
    if (rc != 0) {
        member_disk_failed(m);
        return;
    }
    if (zxid > m->durable_zxid)
        m->durable_zxid = zxid;
    if (core_awaits_log(m->core))
        member_step(m, (struct core_event){ .type = CORE_EV_LOG_SYNCED, .zxid = zxid });
    else
        m->untold_zxid = zxid;
    member_start_flush(m);
}
