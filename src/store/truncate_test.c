/* Cutting the end off the history: to each record, with a power cut and with a failure at each operation on the disk.
 * Whatever happens, recovery finds a history that was there and ends somewhere from the target to the old end; and what
 * is written afterwards is found again. */
#include "store/test_support.h"

#define SEEDS_EACH 6

/* What a disk is made with: records [1, last] in logs that begin at `logs`, snapshots after the records `snapshots`;
 * zero-terminated. The log that begins at `missing` is removed again, and so is the first snapshot if `headless`. */
struct layout {
    int64_t logs[8], snapshots[6], last, missing;
    bool headless;
    uint64_t prealloc_bytes;
};

static const struct layout plain = { .logs = { 1, 5, 12, 18 }, .snapshots = { 8, 14 }, .last = 22 };
static const struct layout padded = {
    .logs = { 1, 5, 12, 18, 22 }, .snapshots = { 8, 14, 21 }, .last = 23, .prealloc_bytes = 9000
};
/* Records 9 to 12 came with the snapshot that a leader sent. */
static const struct layout joined = {
    .logs = { 1, 5, 9, 13, 17 }, .snapshots = { 12, 16 }, .last = 20, .missing = 9, .prealloc_bytes = 5000
};
static const struct layout headless = { .logs = { 6, 9, 13 }, .snapshots = { 10, 14 }, .last = 18, .headless = true };

struct fixture {
    struct disk *disk;
    struct history history;
    struct rng rng;
    struct store_dirs dirs;
    struct store_error err;
};

static bool is_in(const int64_t *list, size_t n, int64_t zxid)
{
    for (size_t i = 0; i < n; i++)
        if (list[i] == zxid)
            return true;
    return false;
}

static int snapshot_of(struct fixture *f, struct tree *t, struct store_error *err)
{
    struct tree_walk *walk = tree_walk_begin(t);
    struct snapshot_writer *w;
    struct buf b;
    struct snapshot_write_options o = { .dir = f->dirs.snap_dir,
                                        .zxid = tree_walk_zxid(walk),
                                        .digest = true,
                                        .tree_digest = tree_walk_digest(walk),
                                        .digest_zxid = tree_walk_zxid(walk),
                                        .last_zxid_block = true };
    buf_init(&b, SIZE_MAX);
    while (tree_walk_next(walk, 100000, &b))
        ;
    int rc = snapshot_write_begin(disk_fs(f->disk), &o, &w, err);
    if (rc == 0 && (rc = snapshot_write_body(w, buf_slice(&b), err)) < 0)
        snapshot_write_abort(w);
    else if (rc == 0)
        rc = snapshot_write_end(w, err);
    tree_walk_end(walk);
    buf_fini(&b);
    return rc;
}

static struct txnlog *log_of(struct fixture *f, uint64_t prealloc_bytes)
{
    return txnlog_new(
        disk_fs(f->disk),
        &(struct txnlog_options){ .dir = f->dirs.log_dir, .prealloc_bytes = prealloc_bytes, .force_sync = true });
}

static void append(struct fixture *f, struct txnlog *l)
{
    history_grow(&f->history, &f->rng);
    txnlog_append(l, f->history.last, f->history.payload[f->history.last]);
    assert_int_equal(txnlog_flush(l, &f->err), 0);
}

static void remove_log(struct fixture *f, int64_t zxid)
{
    char name[100];
    snprintf(name, sizeof name, "%s/log.%" PRIx64, f->dirs.log_dir, (uint64_t)zxid);
    assert_int_equal(disk_fs(f->disk)->ops->remove(disk_fs(f->disk), name), 0);
}

static void fixture_make(struct fixture *f, const struct layout *l, bool two_dirs)
{
    memset(f, 0, sizeof *f);
    f->disk = disk_new(5);
    f->dirs = (struct store_dirs){ DIR_NAME, two_dirs ? "/logs/version-2" : DIR_NAME };
    history_init(&f->history);
    rng_init(&f->rng, 77);
    struct fs *fs = disk_fs(f->disk);
    assert_int_equal(fs->ops->make_dir(fs, f->dirs.snap_dir), 0);
    assert_int_equal(fs->ops->make_dir(fs, f->dirs.log_dir), 0);
    if (!l->headless)
        assert_int_equal(snapshot_of(f, f->history.tree, &f->err), 0);
    struct txnlog *log = log_of(f, l->prealloc_bytes);
    while (f->history.last < l->last) {
        if (is_in(l->logs, ARRAY_COUNT(l->logs), f->history.last + 1))
            txnlog_roll(log);
        append(f, log);
        if (is_in(l->snapshots, ARRAY_COUNT(l->snapshots), f->history.last))
            assert_int_equal(snapshot_of(f, f->history.tree, &f->err), 0);
    }
    txnlog_free(log);
    if (l->missing != 0)
        remove_log(f, l->missing);
    if (l->headless)
        remove_log(f, 1);
    assert_int_equal(fs->ops->sync_dir(fs, f->dirs.log_dir), 0);
    assert_int_equal(disk_pending_count(f->disk), 0);
}

static void fixture_free(struct fixture *f)
{
    disk_free(f->disk);
    history_fini(&f->history);
}

static int truncate_to(struct fixture *f, int64_t zxid)
{
    return store_truncate(disk_fs(f->disk), &f->dirs, test_options.record_bytes_max, zxid, &f->err);
}

/* Recovers; the tree must be that of the history at its last zxid, which must lie in [low, high]. */
static struct store_recovered recovers_within(struct fixture *f, int64_t low, int64_t high)
{
    struct store_recovered out;
    struct store_error err;
    if (store_recover(disk_fs(f->disk), &f->dirs, &test_options, &out, &err) < 0)
        fail_msg("target %" PRId64 ", %s: %s", low, disk_last_op(f->disk), err.text);
    if (out.last_zxid < low || out.last_zxid > high)
        fail_msg("target %" PRId64 ", %s: recovered to %" PRId64, low, disk_last_op(f->disk), out.last_zxid);
    assert_int_equal(tree_digest(out.tree), f->history.digest[out.last_zxid]);
    assert_int_equal(out.digest_mismatches, 0);
    return out;
}

static void recovers_to(struct fixture *f, int64_t zxid)
{
    struct store_recovered out = recovers_within(f, zxid, zxid);
    tree_free(out.tree);
}

/* What the power cut leaves must open; and doing it again leads to the target. */
static void check_outcome(struct fixture *f, struct disk_crash_plan plan, int64_t low, int64_t high, int again)
{
    struct fixture after = *f;
    after.disk = disk_crash(f->disk, plan);
    struct store_recovered out = recovers_within(&after, low, high);
    tree_free(out.tree);
    assert_int_equal(truncate_to(&after, low), again);
    if (again == 0)
        recovers_to(&after, low);
    disk_free(after.disk);
}

static void check_outcomes(struct fixture *f, int64_t low, int64_t high, int again, uint64_t seed)
{
    size_t pending = disk_pending_count(f->disk);
    check_outcome(f, (struct disk_crash_plan){ DISK_CRASH_LOSE, 0 }, low, high, again);
    check_outcome(f, (struct disk_crash_plan){ DISK_CRASH_KEEP, 0 }, low, high, again);
    for (uint64_t set = 0; pending <= 5 && set < 1u << pending; set++)
        check_outcome(f, (struct disk_crash_plan){ DISK_CRASH_SET, set }, low, high, again);
    for (uint64_t i = 0; pending > 0 && i < SEEDS_EACH; i++)
        check_outcome(f, (struct disk_crash_plan){ DISK_CRASH_SEED, seed * 1009 + i }, low, high, again);
}

/* ---- to each record ---- */

/* A new history behind the target, in the server's next life and once more. */
static void lives_on(struct fixture *f, int64_t zxid)
{
    for (int life = 0; life < 2; life++) {
        struct store_recovered out = recovers_within(f, zxid, zxid);
        history_continue(&f->history, out.tree, out.last_zxid);
        struct txnlog *log = log_of(f, 4000);
        for (int i = 0; i < 3; i++)
            append(f, log);
        txnlog_free(log);
        zxid += 3;
    }
    recovers_to(f, zxid);
}

static bool newer_snapshot_left(struct fixture *f, int64_t zxid)
{
    struct store_files files;
    assert_int_equal(store_files_list(disk_fs(f->disk), f->dirs.snap_dir, "snapshot", &files, &f->err), 0);
    bool left = files.count > 0 && files.at[files.count - 1].zxid > zxid;
    store_files_fini(&files);
    return left;
}

static void truncates_to_each_record(void **state)
{
    (void)state;
    static const struct layout *const layouts[] = { &plain, &padded };
    for (size_t i = 0; i < ARRAY_COUNT(layouts) * 2; i++) {
        const struct layout *l = layouts[i / 2];
        for (int64_t zxid = 0; zxid <= l->last + 2; zxid++) {
            struct fixture f;
            fixture_make(&f, l, i % 2 == 1);
            int64_t end = zxid < l->last ? zxid : l->last;
            assert_int_equal(truncate_to(&f, zxid), 0);
            assert_int_equal(disk_pending_count(f.disk), 0);
            assert_false(newer_snapshot_left(&f, zxid));
            recovers_to(&f, end);
            /* Again: nothing to do. */
            struct buf before, after;
            char name[64];
            buf_init(&before, SIZE_MAX);
            buf_init(&after, SIZE_MAX);
            snprintf(name, sizeof name, "%s/log.1", f.dirs.log_dir);
            assert_int_equal(disk_get(f.disk, name, &before) == 0, end > 0);
            assert_int_equal(truncate_to(&f, zxid), 0);
            assert_int_equal(disk_pending_count(f.disk), 0);
            assert_int_equal(disk_get(f.disk, name, &after) == 0, end > 0);
            assert_true(slice_eq(buf_slice(&before), buf_slice(&after)));
            buf_fini(&before);
            buf_fini(&after);
            lives_on(&f, end);
            fixture_free(&f);
        }
    }
}

/* The file that holds the target ends right behind it: zeros behind a cut would be the end of the file for a reader,
 * and records of a writer that goes on at the old place would be lost behind them. */
static void the_padding_is_cut_too(void **state)
{
    (void)state;
    struct fixture f;
    struct buf b;
    fixture_make(&f, &padded, false);
    assert_int_equal(truncate_to(&f, 13), 0);
    buf_init(&b, SIZE_MAX);
    assert_int_equal(disk_get(f.disk, DIR_NAME "/log.c", &b), 0);
    assert_int_equal(b.n, 16 + 2 * 13 + f.history.payload[12].n + f.history.payload[13].n);
    assert_int_equal(disk_get(f.disk, DIR_NAME "/log.12", &b), ERR_NOT_FOUND);
    assert_int_equal(disk_get(f.disk, DIR_NAME "/log.16", &b), ERR_NOT_FOUND);
    assert_int_equal(disk_get(f.disk, DIR_NAME "/snapshot.e", &b), ERR_NOT_FOUND);
    assert_int_equal(disk_get(f.disk, DIR_NAME "/snapshot.8", &b), 0);
    buf_fini(&b);
    fixture_free(&f);
}

static void power_cut_at_every_operation(void **state)
{
    (void)state;
    static const struct layout *const layouts[] = { &plain, &padded, &joined };
    uint64_t cuts = 0;
    for (size_t i = 0; i < ARRAY_COUNT(layouts); i++) {
        const struct layout *l = layouts[i];
        for (int64_t zxid = 0; zxid < (l->missing != 0 ? l->missing : l->last); zxid++) {
            for (uint64_t op = 1;; op++) {
                struct fixture f;
                fixture_make(&f, l, zxid % 2 == 0);
                disk_cut_power_at(f.disk, disk_op_count(f.disk) + op);
                int rc = truncate_to(&f, zxid);
                assert_true(rc == 0 || rc == ERR_IO);
                check_outcomes(&f, zxid, rc == 0 ? zxid : l->last, 0, op);
                fixture_free(&f);
                if (rc == 0)
                    break;
                cuts++;
            }
        }
    }
    assert_true(cuts > 200);
}

/* An error is told, never passed over (ZOOKEEPER-3701); what is there opens, now and after a power cut; and when the
 * disk is well again the same call succeeds. */
static void every_failing_operation_is_told(void **state)
{
    (void)state;
    static const unsigned kinds[] = { DISK_OP_OPEN,     DISK_OP_TRUNCATE, DISK_OP_SYNC, DISK_OP_REMOVE,
                                      DISK_OP_SYNC_DIR, DISK_OP_READ,     DISK_OP_LIST, DISK_OP_ANY };
    static const struct layout *const layouts[] = { &padded, &joined };
    static const int64_t targets[] = { 0, 3, 6 };
    uint64_t hits = 0;
    for (size_t k = 0; k < ARRAY_COUNT(kinds) * ARRAY_COUNT(layouts) * ARRAY_COUNT(targets); k++) {
        const struct layout *l = layouts[k / ARRAY_COUNT(kinds) % ARRAY_COUNT(layouts)];
        int64_t zxid = targets[k / ARRAY_COUNT(kinds) / ARRAY_COUNT(layouts)];
        bool hit = true;
        for (uint64_t n = 1; hit; n++) {
            struct fixture f;
            int want = n % 2 == 0 ? ERR_IO : ERR_NO_SPACE;
            fixture_make(&f, l, false);
            disk_set_fault(f.disk, (struct disk_fault){ kinds[k % ARRAY_COUNT(kinds)], n, want, .lasting = n % 4 < 2 });
            int rc = truncate_to(&f, zxid);
            hit = disk_fault_hit(f.disk);
            assert_int_equal(rc, hit ? want : 0);
            if (hit) {
                assert_says(f.err.text, err_text(want));
                assert_says(f.err.text, "/version-2");
            }
            hits += hit;
            disk_set_fault(f.disk, (struct disk_fault){ 0 });
            check_outcomes(&f, zxid, rc == 0 ? zxid : l->last, 0, n);
            fixture_free(&f);
        }
    }
    assert_true(hits > 100);
}

/* ---- snapshots ---- */

/* No snapshot at or below the target is left that leads to it: the ones above stay until there is one. */
static void without_a_snapshot_below(void **state)
{
    (void)state;
    for (int64_t zxid = 5; zxid <= 10; zxid++) {
        for (uint64_t op = 1, step = 0;; op++) {
            struct fixture f;
            struct store_error err;
            fixture_make(&f, &headless, zxid % 2 == 0);
            struct tree *image = tree_new(&test_options.tree);
            struct history h = f.history;
            f.history.tree = image;
            for (int64_t z = 1; z <= zxid; z++)
                history_apply(&f.history, f.history.payload[z]);
            f.history.tree = h.tree;

            disk_cut_power_at(f.disk, disk_op_count(f.disk) + op);
            int rc = truncate_to(&f, zxid);
            int64_t high = 18, low = zxid;
            if (rc == ERR_NOT_FOUND) {
                assert_says(f.err.text, "no usable snapshot at or below");
                step |= 1;
                high = 14;
                if ((rc = snapshot_of(&f, image, &err)) == 0) {
                    step |= 2;
                    rc = truncate_to(&f, zxid);
                    high = rc == 0 ? zxid : high;
                }
            }
            assert_true(rc == 0 || rc == ERR_IO);
            for (uint64_t i = 0; i < 40; i++) {
                struct fixture after = f;
                struct disk_crash_plan plan = { i == 0 ? DISK_CRASH_LOSE : DISK_CRASH_SEED, op * 100 + i };
                after.disk = disk_crash(f.disk, plan);
                struct store_recovered out = recovers_within(&after, low, high);
                tree_free(out.tree);
                disk_free(after.disk);
            }
            tree_free(image);
            fixture_free(&f);
            if (rc == 0) {
                assert_int_equal(step, zxid == 10 ? 0 : 3);
                break;
            }
        }
    }
}

static void damaged_snapshots_are_passed_over(void **state)
{
    (void)state;
    struct fixture f;
    fixture_make(&f, &plain, false);
    assert_true(disk_flip(f.disk, DIR_NAME "/snapshot.8", 90, 1));
    assert_int_equal(truncate_to(&f, 10), 0);
    recovers_to(&f, 10);
    fixture_free(&f);

    fixture_make(&f, &plain, false);
    assert_true(disk_flip(f.disk, DIR_NAME "/snapshot.8", 90, 1));
    assert_true(disk_flip(f.disk, DIR_NAME "/snapshot.0", 90, 1));
    assert_int_equal(truncate_to(&f, 10), ERR_NOT_FOUND);
    recovers_to(&f, 14); /* still there */
    fixture_free(&f);
}

/* Apache's snapshots hold effects beyond the zxid of their name; how far tells the digest's zxid. */
static void a_snapshot_whose_content_is_above_goes(void **state)
{
    (void)state;
    struct fixture f;
    struct buf b;
    fixture_make(&f, &plain, false);
    buf_init(&b, SIZE_MAX);
    assert_int_equal(disk_get(f.disk, DIR_NAME "/snapshot.e", &b), 0);
    disk_put(f.disk, DIR_NAME "/snapshot.b", buf_slice(&b)); /* named 11, holds 14 */
    assert_int_equal(truncate_to(&f, 12), 0);
    assert_int_equal(disk_get(f.disk, DIR_NAME "/snapshot.b", &b), ERR_NOT_FOUND);
    recovers_to(&f, 12);
    buf_fini(&b);
    fixture_free(&f);
}

static void append_in_next_epoch(struct fixture *f, int count)
{
    struct txnlog *log = log_of(f, 0);
    for (int64_t i = 1; i <= count; i++) {
        struct buf b;
        int64_t zxid = (INT64_C(1) << 32) + i;
        buf_init(&b, SIZE_MAX);
        buf_append_slice(&b, f->history.payload[i]);
        store_be64(b.p + 12, (uint64_t)zxid);
        txnlog_append(log, zxid, buf_slice(&b));
        assert_int_equal(txnlog_flush(log, &f->err), 0);
        buf_fini(&b);
    }
    txnlog_free(log);
}

/* Records are missing between the old log and the one behind a leader's snapshot, which zxids of two epochs do not
 * tell. No power cut may leave the two without the snapshot between them. */
static void a_leaders_snapshot_goes_last(void **state)
{
    (void)state;
    for (uint64_t op = 1;; op++) {
        struct fixture f;
        struct buf b;
        fixture_make(&f, &plain, false);
        buf_init(&b, SIZE_MAX);
        assert_int_equal(snapshot_of(&f, f.history.tree, &f.err), 0);
        assert_int_equal(disk_get(f.disk, DIR_NAME "/snapshot.16", &b), 0);
        disk_put(f.disk, DIR_NAME "/snapshot.100000000", buf_slice(&b));
        buf_fini(&b);
        append_in_next_epoch(&f, 3);
        disk_cut_power_at(f.disk, disk_op_count(f.disk) + op);
        int rc = truncate_to(&f, 20);
        assert_true(rc == 0 || rc == ERR_IO);
        for (uint64_t i = 0; i < 40; i++) {
            struct fixture after = f;
            struct store_recovered out;
            after.disk = disk_crash(f.disk, (struct disk_crash_plan){ i == 0 ? DISK_CRASH_KEEP : DISK_CRASH_SEED, i });
            if (store_recover(disk_fs(after.disk), &f.dirs, &test_options, &out, &f.err) < 0)
                fail_msg("%s: %s", disk_last_op(f.disk), f.err.text);
            if (out.last_zxid >> 32 == 1)
                assert_int_equal(out.snapshot_zxid, INT64_C(1) << 32);
            else
                assert_int_equal(tree_digest(out.tree), f.history.digest[out.last_zxid]);
            assert_true(out.last_zxid >= 20);
            tree_free(out.tree);
            assert_int_equal(truncate_to(&after, 20), 0);
            recovers_to(&after, 20);
            disk_free(after.disk);
        }
        fixture_free(&f);
        if (rc == 0)
            break;
    }
}

/* ---- odd logs ---- */

/* The target is not in the log: it ends with the last record below. */
static void a_target_that_is_not_there(void **state)
{
    (void)state;
    struct fixture f;
    fixture_make(&f, &plain, false);
    append_in_next_epoch(&f, 3);
    assert_int_equal(truncate_to(&f, INT64_C(1) << 32), 0);
    recovers_to(&f, 22);
    assert_int_equal(truncate_to(&f, 1000), 0);
    recovers_to(&f, 22);
    assert_int_equal(truncate_to(&f, INT64_MAX), 0);
    recovers_to(&f, 22);
    fixture_free(&f);
}

/* Files above the target that hold nothing, or not even a header, go too: they would stand in the way of later ones. */
static void empty_files_above_go(void **state)
{
    (void)state;
    struct fixture f;
    fixture_make(&f, &plain, false);
    disk_put(f.disk, DIR_NAME "/log.17", slice_of("", 0));
    assert_int_equal(truncate_to(&f, 22), 0);
    struct buf b;
    buf_init(&b, SIZE_MAX);
    assert_int_equal(disk_get(f.disk, DIR_NAME "/log.17", &b), ERR_NOT_FOUND);
    recovers_to(&f, 22);
    disk_put(f.disk, DIR_NAME "/log.17", slice_of("ZKLG\0\0\0\2\0\0\0\0\0\0\0\0", 16));
    assert_int_equal(truncate_to(&f, 20), 0);
    assert_int_equal(disk_get(f.disk, DIR_NAME "/log.17", &b), ERR_NOT_FOUND);
    recovers_to(&f, 20);
    buf_fini(&b);
    fixture_free(&f);
}

static void nothing_there_and_damage(void **state)
{
    (void)state;
    struct fixture f;
    fixture_make(&f, &plain, false);
    struct store_dirs none = { "/nowhere/a", "/nowhere/b" };
    assert_int_equal(store_truncate(disk_fs(f.disk), &none, 0, 0, &f.err), 0);
    assert_true(disk_flip(f.disk, DIR_NAME "/log.c", 60, 1));
    assert_int_equal(truncate_to(&f, 20), ERR_CORRUPT);
    assert_says(f.err.text, "/data/version-2/log.c: damaged at offset 16");
    assert_true(disk_flip(f.disk, DIR_NAME "/log.c", 60, 1));
    recovers_to(&f, 22); /* untouched */
    fixture_free(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(truncates_to_each_record),
        cmocka_unit_test(the_padding_is_cut_too),
        cmocka_unit_test(power_cut_at_every_operation),
        cmocka_unit_test(every_failing_operation_is_told),
        cmocka_unit_test(without_a_snapshot_below),
        cmocka_unit_test(damaged_snapshots_are_passed_over),
        cmocka_unit_test(a_snapshot_whose_content_is_above_goes),
        cmocka_unit_test(a_leaders_snapshot_goes_last),
        cmocka_unit_test(a_target_that_is_not_there),
        cmocka_unit_test(empty_files_above_go),
        cmocka_unit_test(nothing_there_and_damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
