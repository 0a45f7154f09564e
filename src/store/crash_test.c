/* The store on a disk that forgets: power cut at every operation of a workload that rolls logs, takes snapshots and
 * purges, with many outcomes each; and every n-th operation failing. Whatever happens, what a flush acknowledged is
 * there again, and the tree is one that the history really had. */
#include "store/test_support.h"

#define RECORDS 40
#define SEEDS_EACH 10
#define SECOND_LIVES_EACH 3

/* A life of the server: from recovery until it is done or a call fails. */
struct life {
    struct disk *disk;
    struct history *history;
    struct rng *rng;
    struct store_dirs dirs;
    int64_t acked; /* what was promised so far, in this life or before */
    enum snapshot_codec codec;
    bool start_snapshot; /* as the server does when it starts */
    bool long_files;     /* with room for zeros ahead */
    struct store_error err;
};

static int64_t recovered_zxid(struct life *l, struct store_recovered *out)
{
    int rc = store_recover(disk_fs(l->disk), &l->dirs, &test_options, out, &l->err);
    if (rc < 0)
        return rc;
    if (out->last_zxid < l->acked || out->last_zxid > l->history->last)
        fail_msg("recovered 0x%" PRIx64 ", acknowledged 0x%" PRIx64 ", ever made 0x%" PRIx64, (uint64_t)out->last_zxid,
                 (uint64_t)l->acked, (uint64_t)l->history->last);
    if (tree_digest(out->tree) != l->history->digest[out->last_zxid])
        fail_msg("the tree at 0x%" PRIx64 " is not the one that was written", (uint64_t)out->last_zxid);
    assert_int_equal(out->digest_mismatches, 0);
    assert_false(out->snapshot_ahead);
    return out->last_zxid;
}

/* Records [first, the last one], with the end of a file behind one of them. */
static void append_all(struct life *l, struct txnlog *log, int64_t first, int64_t roll_after)
{
    for (int64_t zxid = first; zxid <= l->history->last; zxid++) {
        txnlog_append(log, zxid, l->history->payload[zxid]);
        if (zxid == roll_after)
            txnlog_roll(log);
    }
}

static int begin_piece(struct life *l, const struct txnlog_piece *piece)
{
    return disk_direct_begin(l->disk, piece->path, piece->offset, piece->p, piece->n, piece->zeros);
}

static int take_piece(void *ctx, const struct txnlog_piece *piece)
{
    struct life *l = ctx;
    int rc = begin_piece(l, piece);
    if (rc == 0)
        rc = disk_direct_end(l->disk, rng_below(l->rng, 6) == 0);
    return rc == ERR_BUSY ? ERR_INVALID : rc;
}

/* As somebody who begins a write and hears of its end. ERR_BUSY: nothing of the batch is in the log's hands any more.
 */
static int write_own(struct life *l, struct txnlog *log)
{
    struct txnlog_piece piece;
    assert_true(txnlog_offer(log, false, &piece));
    assert_int_equal(piece.zeros, 0);
    int rc = begin_piece(l, &piece);
    if (rc == 0)
        rc = disk_direct_end(l->disk, rng_below(l->rng, 2) == 0);
    if (rc == 0)
        txnlog_took(log);
    else if (rc == ERR_BUSY)
        txnlog_withdraw(log);
    else
        txnlog_refused(log, rc, &l->err);
    return rc;
}

/* A batch goes to the disk in any of the ways there are; what was given back goes again, with one more. */
static int write_batch(struct life *l, struct txnlog *log, int64_t first, int64_t roll_after)
{
    struct txnlog_taker taker = { .write = take_piece, .ctx = l };
    size_t bytes = 0, count = (size_t)(l->history->last - first + 1);
    for (int64_t zxid = first; zxid <= l->history->last; zxid++)
        bytes += l->history->payload[zxid].n;
    bool own = txnlog_would_offer(log, count, bytes) && rng_below(l->rng, 2) == 0 &&
               (roll_after < first || roll_after >= l->history->last);
    append_all(l, log, first, roll_after);
    if (own) {
        int rc = write_own(l, log);
        if (rc != ERR_BUSY)
            return rc;
        history_grow(l->history, l->rng);
        append_all(l, log, first, roll_after);
    }
    return rng_below(l->rng, 2) == 0 ? txnlog_flush(log, &l->err) : txnlog_flush_by(log, &taker, &l->err);
}

/* One batch and what follows it. 0 or the store's error. */
static int live_a_while(struct life *l, struct txnlog *log)
{
    struct fs *fs = disk_fs(l->disk);
    uint64_t batch = 1 + rng_below(l->rng, 5);
    int64_t first = l->history->last + 1, roll_after = first + (int64_t)rng_below(l->rng, 8);
    for (uint64_t i = 0; i < batch; i++)
        history_grow(l->history, l->rng);
    int rc = write_batch(l, log, first, roll_after);
    int64_t last = l->history->last;
    if (rc < 0) {
        struct store_error again;
        assert_int_equal(txnlog_flush(log, &again), rc);
        assert_string_equal(again.text, l->err.text);
        return rc;
    }
    l->acked = last;
    if (rng_below(l->rng, 4) == 0) {
        txnlog_roll(log);
        rc = write_snapshot(fs, l->history->tree, l->codec, &l->err);
        l->codec = (enum snapshot_codec)((l->codec + 1) % 3);
    }
    if (rc == 0 && rng_below(l->rng, 6) == 0)
        rc = store_purge(fs, &l->dirs, 2, &l->err);
    return rc < 0 ? rc : 0;
}

/* Returns 0 when all records are written, or the error that ended this life. */
static int live(struct life *l)
{
    struct fs *fs = disk_fs(l->disk);
    struct store_recovered out;
    int rc;
    if ((rc = fs->ops->make_dir(fs, l->dirs.snap_dir)) < 0 || (rc = fs->ops->make_dir(fs, l->dirs.log_dir)) < 0)
        return rc;
    int64_t last = recovered_zxid(l, &out);
    if (last < 0)
        return (int)last;
    history_continue(l->history, out.tree, last);
    l->acked = last; /* it is served from now on */
    if (l->start_snapshot || out.snapshot_zxid < 0)
        rc = write_snapshot(fs, out.tree, SNAPSHOT_PLAIN, &l->err);
    struct txnlog *log = txnlog_new(fs, &(struct txnlog_options){ .dir = l->dirs.log_dir,
                                                                  .prealloc_bytes = l->long_files ? 40000 : 5000,
                                                                  .size_limit_bytes = l->long_files ? 90000 : 20000,
                                                                  .ahead_bytes = 2 * TXNLOG_BLOCK_BYTES,
                                                                  .force_sync = true });
    int64_t until = last + RECORDS;
    while (rc == 0 && l->history->last < until)
        rc = live_a_while(l, log);
    txnlog_free(log);
    return rc;
}

struct fixture {
    struct history history;
    struct rng rng;
    struct life life;
};

static struct fixture *fixture_new(uint64_t seed)
{
    struct fixture *f = mem_zalloc(sizeof *f);
    history_init(&f->history);
    rng_init(&f->rng, seed);
    f->life =
        (struct life){ .disk = disk_new(seed), .history = &f->history, .rng = &f->rng, .long_files = seed % 2 == 1 };
    f->life.dirs = (struct store_dirs){ DIR_NAME, seed % 2 == 0 ? DIR_NAME : "/logs/version-2" };
    return f;
}

static void fixture_free(struct fixture *f)
{
    disk_free(f->life.disk);
    history_fini(&f->history);
    mem_free(f);
}

/* Recovery after a power cut must succeed by itself, and change nothing. */
static void check_outcome(const struct fixture *f, struct disk_crash_plan plan, uint64_t seed, uint64_t op)
{
    struct life after = f->life;
    struct store_recovered out;
    after.disk = disk_crash(f->life.disk, plan);
    int64_t rc = recovered_zxid(&after, &out);
    if (rc < 0)
        fail_msg("seed %" PRIu64 ", power cut at operation %" PRIu64 " (%s), plan %d number %" PRIu64 ": %s", seed, op,
                 disk_last_op(f->life.disk), (int)plan.kind, plan.number, after.err.text);
    assert_int_equal(disk_pending_count(after.disk), 0);
    tree_check(out.tree);
    tree_free(out.tree);
    disk_free(after.disk);
}

static void check_outcomes(const struct fixture *f, uint64_t seed, uint64_t op)
{
    size_t pending = disk_pending_count(f->life.disk);
    check_outcome(f, (struct disk_crash_plan){ DISK_CRASH_LOSE, 0 }, seed, op);
    check_outcome(f, (struct disk_crash_plan){ DISK_CRASH_KEEP, 0 }, seed, op);
    for (uint64_t i = 1; i < pending; i++)
        check_outcome(f, (struct disk_crash_plan){ DISK_CRASH_PREFIX, i }, seed, op);
    for (uint64_t set = 0; pending <= 5 && set < 1u << pending; set++)
        check_outcome(f, (struct disk_crash_plan){ DISK_CRASH_SET, set }, seed, op);
    for (uint64_t i = 0; i < SEEDS_EACH; i++)
        check_outcome(f, (struct disk_crash_plan){ DISK_CRASH_SEED, seed * 1000003 + op * 1009 + i }, seed, op);
}

/* Runs the workload until the power cut; true if it came. */
static bool run_until(struct fixture *f, uint64_t op)
{
    disk_cut_power_at(f->life.disk, op);
    int rc = live(&f->life);
    if (rc < 0 && rc != ERR_IO)
        fail_msg("%s", f->life.err.text);
    return rc < 0;
}

static void survives_a_power_cut_at_every_operation(void **state)
{
    (void)state;
    uint64_t cuts = 0;
    for (uint64_t seed = 1; seed <= 3; seed++) {
        for (uint64_t op = 1;; op++) {
            struct fixture *f = fixture_new(seed);
            bool cut = run_until(f, op);
            check_outcomes(f, seed, op);
            cuts += cut;
            fixture_free(f);
            if (!cut)
                break;
        }
    }
    assert_true(cuts > 100);
}

/* After the first cut the server lives on with other transactions under the zxids that were never acknowledged; a
 * second cut must not bring the first ones back. */
static void survives_a_second_life(void **state)
{
    (void)state;
    for (uint64_t seed = 11; seed <= 12; seed++) {
        bool cut = true;
        for (uint64_t op = 1; cut; op++) {
            for (uint64_t i = 0; i < SECOND_LIVES_EACH; i++) {
                struct fixture *f = fixture_new(seed);
                cut = run_until(f, op);
                for (uint64_t second = 0; cut && second < 2; second++) {
                    uint64_t number = seed * 7919 + op * 31 + i * 7 + second;
                    struct disk *after = disk_crash(f->life.disk, (struct disk_crash_plan){ DISK_CRASH_SEED, number });
                    disk_free(f->life.disk);
                    f->life.disk = after;
                    f->life.start_snapshot = rng_below(&f->rng, 2) == 0;
                    (void)run_until(f, 1 + rng_below(&f->rng, 60));
                    check_outcomes(f, number, op);
                }
                fixture_free(f);
            }
        }
    }
}

/* Without a power cut nothing is lost; then the power goes. */
static void survives_a_kill_and_then_a_power_cut(void **state)
{
    (void)state;
    bool cut = true;
    for (uint64_t op = 1; cut; op++) {
        struct fixture *f = fixture_new(21);
        cut = run_until(f, op);
        disk_revive(f->life.disk);
        (void)run_until(f, disk_op_count(f->life.disk) + 1 + rng_below(&f->rng, 40));
        check_outcomes(f, 21, op);
        fixture_free(f);
    }
}

/* Every n-th operation of a kind fails, once or from then on. Nothing is acknowledged behind it (live_a_while asks the
 * log again), a restart finds all that was, and so does one after a power cut. */
static void every_failing_operation_is_clean(void **state)
{
    (void)state;
    static const unsigned kinds[] = { DISK_OP_OPEN,   DISK_OP_WRITE,  DISK_OP_ALLOCATE, DISK_OP_SYNC,
                                      DISK_OP_RENAME, DISK_OP_REMOVE, DISK_OP_SYNC_DIR, DISK_OP_READ,
                                      DISK_OP_LIST,   DISK_OP_DIRECT, DISK_OP_ANY };
    for (size_t k = 0; k < ARRAY_COUNT(kinds); k++) {
        bool hit = true;
        for (uint64_t n = 1; hit; n++) {
            struct fixture *f = fixture_new(31 + n % 2);
            int err = n % 2 == 0 ? ERR_IO : ERR_NO_SPACE;
            disk_set_fault(f->life.disk, (struct disk_fault){ kinds[k], n, err, .lasting = n % 4 < 2 });
            int rc = live(&f->life);
            hit = disk_fault_hit(f->life.disk);
            if (rc < 0) {
                assert_int_equal(rc, err);
                assert_says(f->life.err.text, err_text(err));
                assert_says(f->life.err.text, "/version-2");
            }
            disk_set_fault(f->life.disk, (struct disk_fault){ .nth = 0 });
            check_outcomes(f, n, k);
            f->life.start_snapshot = true;
            if (live(&f->life) < 0)
                fail_msg("start after a fault: %s", f->life.err.text);
            check_outcomes(f, n, k);
            fixture_free(f);
        }
    }
}

static void a_full_disk_stops_the_log_and_is_survived(void **state)
{
    (void)state;
    for (uint64_t capacity = 1000; capacity < 60000; capacity += 977) {
        struct fixture *f = fixture_new(41);
        disk_set_capacity(f->life.disk, capacity);
        int rc = live(&f->life);
        assert_true(rc == 0 || rc == ERR_NO_SPACE);
        if (rc < 0)
            assert_says(f->life.err.text, "no space left on device");
        disk_set_capacity(f->life.disk, 0);
        check_outcomes(f, capacity, 0);
        f->life.start_snapshot = true;
        assert_int_equal(live(&f->life), 0);
        check_outcomes(f, capacity, 1);
        fixture_free(f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(survives_a_power_cut_at_every_operation),   cmocka_unit_test(survives_a_second_life),
        cmocka_unit_test(survives_a_kill_and_then_a_power_cut),      cmocka_unit_test(every_failing_operation_is_clean),
        cmocka_unit_test(a_full_disk_stops_the_log_and_is_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
