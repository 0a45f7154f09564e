/* A piece of the history from disk: which records are given, and what is said about where it begins. */
#include "store/logread.h"
#include "store/test_support.h"

#define PREALLOC_BYTES 9000

struct fixture {
    struct disk *disk;
    struct fs *fs;
    struct history history;
    struct rng rng;
    struct store_error err;
    struct txnlog *log;
};

/* Records 1 to 20 in logs that begin at 1, 6, 11 and 16. */
static int setup(void **state)
{
    struct fixture *f = *state = mem_zalloc(sizeof *f);
    f->disk = disk_new(1);
    f->fs = disk_fs(f->disk);
    history_init(&f->history);
    rng_init(&f->rng, 4);
    assert_int_equal(f->fs->ops->make_dir(f->fs, DIR_NAME), 0);
    f->log = txnlog_new(
        f->fs, &(struct txnlog_options){ .dir = DIR_NAME, .prealloc_bytes = PREALLOC_BYTES, .force_sync = true });
    while (f->history.last < 20) {
        history_grow(&f->history, &f->rng);
        if (f->history.last % 5 == 1)
            txnlog_roll(f->log);
        txnlog_append(f->log, f->history.last, f->history.payload[f->history.last]);
        assert_int_equal(txnlog_flush(f->log, &f->err), 0);
    }
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    txnlog_free(f->log);
    disk_free(f->disk);
    history_fini(&f->history);
    mem_free(f);
    return 0;
}

static uint64_t bytes_of(struct fixture *f, const char *name)
{
    struct buf b;
    buf_init(&b, SIZE_MAX);
    assert_int_equal(disk_get(f->disk, name, &b), 0);
    uint64_t n = b.n;
    buf_fini(&b);
    return n;
}

static struct store_log_read *open_at(struct fixture *f, int64_t from, int64_t to, struct store_log_cover *cover)
{
    struct store_log_read *r;
    if (store_log_read_open(f->fs, &test_dirs, test_options.record_bytes_max, from, to, cover, &r, &f->err) < 0)
        fail_msg("%s", f->err.text);
    assert_int_equal(r != NULL, cover->covered);
    return r;
}

/* Reads to the end; the records must be (from, last]. */
static void gives(struct fixture *f, struct store_log_read *r, int64_t from, int64_t last, int end)
{
    int64_t zxid;
    struct slice payload;
    for (int64_t want = from + 1; want <= last; want++) {
        assert_int_equal(store_log_read_next(r, &zxid, &payload, &f->err), 1);
        assert_int_equal(zxid, want);
        assert_true(slice_eq(payload, f->history.payload[want]));
    }
    assert_int_equal(store_log_read_next(r, &zxid, &payload, &f->err), end);
    store_log_read_close(r);
}

static void gives_every_piece(void **state)
{
    struct fixture *f = *state;
    struct store_log_cover cover;
    for (int64_t from = 1; from <= 20; from++) {
        for (int64_t to = from; to <= 20; to++) {
            struct store_log_read *r = open_at(f, from, to, &cover);
            assert_true(cover.exact);
            assert_int_equal(cover.before, from);
            gives(f, r, from, to, 0);
        }
    }
    store_log_read_close(NULL);
}

static void what_is_not_covered(void **state)
{
    struct fixture *f = *state;
    struct store_log_cover cover;
    /* Before the first record nothing tells whether something is missing. */
    assert_null(open_at(f, 0, 20, &cover));
    assert_false(cover.exact);
    assert_int_equal(cover.before, -1);
    /* After a purge. */
    assert_int_equal(f->fs->ops->remove(f->fs, DIR_NAME "/log.1"), 0);
    assert_null(open_at(f, 5, 20, &cover));
    gives(f, open_at(f, 6, 20, &cover), 6, 20, 0);
    /* Nothing at all. */
    struct store_dirs none = { "/nowhere/a", "/nowhere/b" };
    struct store_log_read *r;
    assert_int_equal(store_log_read_open(f->fs, &none, 0, 3, 9, &cover, &r, &f->err), 0);
    assert_null(r);
    assert_false(cover.covered);
}

static void weighs_files(void **state)
{
    struct fixture *f = *state;
    struct store_log_cover cover;
    struct store_error err;
    store_log_read_close(open_at(f, 16, 20, &cover));
    assert_int_equal(cover.bytes, 0);
    assert_int_equal(cover.image_bytes, 0);
    assert_int_equal(write_snapshot(f->fs, f->history.tree, SNAPSHOT_PLAIN, &err), 0);
    store_log_read_close(open_at(f, 7, 12, &cover));
    assert_int_equal(cover.bytes, bytes_of(f, DIR_NAME "/log.b") + bytes_of(f, DIR_NAME "/log.10"));
    assert_true(cover.bytes >= 2 * PREALLOC_BYTES);
    assert_int_equal(cover.image_bytes, bytes_of(f, DIR_NAME "/snapshot.14"));
    /* The last record of a file: the next one is behind it. */
    store_log_read_close(open_at(f, 15, 20, &cover));
    assert_int_equal(cover.bytes, bytes_of(f, DIR_NAME "/log.10"));
}

static void append_as(struct fixture *f, int64_t from, int64_t zxid, int32_t type)
{
    struct buf b;
    buf_init(&b, SIZE_MAX);
    buf_append_slice(&b, f->history.payload[from]);
    store_be64(b.p + 12, (uint64_t)zxid);
    if (type != 0)
        store_be32(b.p + 28, (uint32_t)type);
    txnlog_append(f->log, zxid, buf_slice(&b));
    assert_int_equal(txnlog_flush(f->log, &f->err), 0);
    buf_fini(&b);
}

/* The place asked for need not be a transaction: a new epoch's, or one of another history. */
static void a_place_between_records(void **state)
{
    struct fixture *f = *state;
    struct store_log_cover cover;
    struct slice payload;
    int64_t epoch = INT64_C(1) << 32, zxid;
    append_as(f, 3, epoch + 1, 0);
    append_as(f, 4, epoch + 2, 0);
    static const int64_t places[] = { 21, 1000, 0xffffffff, INT64_C(1) << 32 };
    for (size_t i = 0; i < ARRAY_COUNT(places); i++) {
        struct store_log_read *r = open_at(f, places[i], epoch + 1, &cover);
        assert_false(cover.exact);
        assert_int_equal(cover.before, 20);
        assert_int_equal(store_log_read_next(r, &zxid, &payload, &f->err), 1);
        assert_int_equal(zxid, epoch + 1);
        assert_int_equal(store_log_read_next(r, &zxid, &payload, &f->err), 0);
        store_log_read_close(r);
    }
    /* The end must be one. */
    assert_null(open_at(f, 20, epoch, &cover));
    assert_null(open_at(f, epoch + 1, epoch + 9, &cover));
    assert_int_equal(cover.before, epoch + 1);
}

/* A new epoch may begin behind any record, but not behind one that a leader's snapshot has left behind. */
static void a_snapshot_from_a_leader_is_a_seam(void **state)
{
    struct fixture *f = *state;
    struct store_log_cover cover;
    struct store_error err;
    int64_t epoch = INT64_C(1) << 32;
    append_as(f, 3, epoch + 1, 0);
    append_as(f, 4, epoch + 2, 0);
    assert_int_equal(write_snapshot(f->fs, f->history.tree, SNAPSHOT_PLAIN, &err), 0);
    store_log_read_close(open_at(f, 20, epoch + 1, &cover)); /* our own, of record 20 */
    assert_true(cover.covered);
    disk_put(f->disk, DIR_NAME "/snapshot.63", slice_of("", 0));
    assert_null(open_at(f, 20, epoch + 1, &cover));
    assert_true(cover.exact);
    gives(f, open_at(f, 5, 20, &cover), 5, 20, 0);
    store_log_read_close(open_at(f, epoch + 1, epoch + 2, &cover));
    assert_true(cover.covered);
}

static void repeated_and_lower_records_are_passed_over(void **state)
{
    struct fixture *f = *state;
    struct store_log_cover cover;
    append_as(f, 3, 20, WIRE_OP_ERROR);
    append_as(f, 3, 17, 0);
    history_grow(&f->history, &f->rng);
    append_as(f, 21, 21, 0);
    gives(f, open_at(f, 12, 21, &cover), 12, 21, 0);
    gives(f, open_at(f, 20, 21, &cover), 20, 21, 0);
}

static void a_gap_is_no_cover(void **state)
{
    struct fixture *f = *state;
    struct store_log_cover cover;
    assert_int_equal(f->fs->ops->remove(f->fs, DIR_NAME "/log.b"), 0);
    gives(f, open_at(f, 7, 9, &cover), 7, 9, 0);
    gives(f, open_at(f, 17, 20, &cover), 17, 20, 0);
    assert_null(open_at(f, 7, 20, &cover));
    assert_null(open_at(f, 10, 20, &cover));
    assert_true(cover.exact);
    assert_null(open_at(f, 7, 13, &cover));
}

/* What is behind `to` is the writer's: it may be half there, and is not looked at. */
static void the_unfinished_end_is_not_looked_at(void **state)
{
    struct fixture *f = *state;
    struct store_log_cover cover;
    struct store_log_read *r;
    uint64_t end = 16;
    for (int64_t z = 16; z <= 20; z++)
        end += f->history.payload[z].n + 13;
    assert_true(disk_flip(f->disk, DIR_NAME "/log.10", end - 5, 1)); /* damages record 20 */
    gives(f, open_at(f, 3, 19, &cover), 3, 19, 0);
    gives(f, open_at(f, 19, 19, &cover), 19, 19, 0);
    assert_int_equal(store_log_read_open(f->fs, &test_dirs, 0, 3, 20, &cover, &r, &f->err), ERR_CORRUPT);
    assert_null(r);
    assert_says(f->err.text, "/data/version-2/log.10: damaged at offset");
}

static void every_failing_operation_is_told(void **state)
{
    struct fixture *f = *state;
    struct store_error err;
    assert_int_equal(write_snapshot(f->fs, f->history.tree, SNAPSHOT_PLAIN, &err), 0);
    bool hit = true;
    uint64_t n = 1;
    for (; hit; n++) {
        struct store_log_cover cover;
        struct store_log_read *r;
        struct slice payload;
        int64_t zxid;
        disk_set_fault(f->disk, (struct disk_fault){ DISK_OP_ANY, n, ERR_IO, false });
        int rc = store_log_read_open(f->fs, &test_dirs, test_options.record_bytes_max, 3, 18, &cover, &r, &err);
        assert_int_equal(r != NULL, rc == 0);
        while (rc >= 0 && (rc = store_log_read_next(r, &zxid, &payload, &err)) == 1)
            ;
        store_log_read_close(r);
        hit = disk_fault_hit(f->disk);
        assert_int_equal(rc, hit ? ERR_IO : 0);
        if (hit)
            assert_says(err.text, "/data/version-2");
    }
    assert_true(n > 10);
}

/* ---- what start-up tells of the end of the history ---- */

struct collected {
    struct history *history;
    int64_t first, last;
};

static void collect(void *ctx, int64_t zxid, struct slice payload)
{
    struct collected *c = ctx;
    assert_true(slice_eq(payload, c->history->payload[zxid]));
    if (c->last != 0)
        assert_int_equal(zxid, c->last + 1);
    else
        c->first = zxid;
    c->last = zxid;
}

static void recovery_tells_the_end_of_the_history(void **state)
{
    struct fixture *f = *state;
    struct store_recover_options options = test_options;
    struct collected c;
    struct store_recovered out;
    options.on_txn = collect;
    options.on_txn_ctx = &c;
    options.trust_empty_snapshot = true;
    append_as(f, 20, 20, WIRE_OP_ERROR); /* passed over here too */
    for (int64_t snapshot = 0; snapshot <= 20; snapshot++) {
        struct tree *t = tree_new(&options.tree);
        struct history h = f->history;
        h.tree = t;
        for (int64_t z = 1; z <= snapshot; z++)
            history_apply(&h, h.payload[z]);
        if (snapshot > 0)
            assert_int_equal(write_snapshot(f->fs, t, SNAPSHOT_PLAIN, &f->err), 0);
        tree_free(t);
        c = (struct collected){ .history = &f->history };
        if (store_recover(f->fs, &test_dirs, &options, &out, &f->err) < 0)
            fail_msg("%s", f->err.text);
        assert_int_equal(out.snapshot_zxid, snapshot == 0 ? -1 : snapshot);
        assert_int_equal(c.first, snapshot == 0 ? 1 : (snapshot - 1) / 5 * 5 + 1); /* the whole file */
        assert_int_equal(c.last, 20);
        tree_free(out.tree);
    }
}

static void keep_last(void *ctx, int64_t zxid, struct slice payload)
{
    struct collected *c = ctx;
    (void)payload;
    if (c->first == 0)
        c->first = zxid;
    c->last = zxid;
}

/* What stands in front of a gap that a snapshot has filled is not told. */
static void recovery_tells_nothing_in_front_of_a_gap(void **state)
{
    struct fixture *f = *state;
    struct store_recover_options options = test_options;
    struct collected c = { 0 };
    struct store_recovered out;
    int64_t epoch = INT64_C(1) << 32;
    options.on_txn = keep_last;
    options.on_txn_ctx = &c;
    /* As after a SNAP at 0x63 within the epoch, and a log behind it. */
    struct buf b;
    assert_int_equal(write_snapshot(f->fs, f->history.tree, SNAPSHOT_PLAIN, &f->err), 0);
    buf_init(&b, SIZE_MAX);
    assert_int_equal(disk_get(f->disk, DIR_NAME "/snapshot.14", &b), 0);
    disk_put(f->disk, DIR_NAME "/snapshot.63", buf_slice(&b));
    assert_int_equal(store_recover(f->fs, &test_dirs, &options, &out, &f->err), 0);
    assert_int_equal(out.last_zxid, 0x63);
    assert_int_equal(c.last, 0); /* no record leads to it */
    tree_free(out.tree);
    txnlog_roll(f->log);
    append_as(f, 20, 0x64, 0);
    append_as(f, 20, 0x65, 0);
    assert_int_equal(store_recover(f->fs, &test_dirs, &options, &out, &f->err), 0);
    assert_int_equal(c.first, 0x64);
    assert_int_equal(c.last, 0x65);
    tree_free(out.tree);
    /* The same with a new epoch behind it, in the same file. */
    c = (struct collected){ 0 };
    disk_put(f->disk, DIR_NAME "/snapshot.100000000", buf_slice(&b));
    append_as(f, 20, epoch + 1, 0);
    append_as(f, 20, epoch + 2, 0);
    assert_int_equal(store_recover(f->fs, &test_dirs, &options, &out, &f->err), 0);
    assert_int_equal(out.last_zxid, epoch + 2);
    assert_int_equal(c.first, epoch + 1);
    assert_int_equal(c.last, epoch + 2);
    tree_free(out.tree);
    /* A new epoch alone is no gap. */
    c = (struct collected){ 0 };
    assert_int_equal(f->fs->ops->remove(f->fs, DIR_NAME "/snapshot.100000000"), 0);
    assert_int_equal(store_recover(f->fs, &test_dirs, &options, &out, &f->err), 0);
    assert_int_equal(c.first, 0x64);
    assert_int_equal(c.last, epoch + 2);
    tree_free(out.tree);
    buf_fini(&b);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(gives_every_piece),
        TEST(what_is_not_covered),
        TEST(weighs_files),
        TEST(a_place_between_records),
        TEST(repeated_and_lower_records_are_passed_over),
        TEST(a_snapshot_from_a_leader_is_a_seam),
        TEST(a_gap_is_no_cover),
        TEST(the_unfinished_end_is_not_looked_at),
        TEST(every_failing_operation_is_told),
        TEST(recovery_tells_the_end_of_the_history),
        TEST(recovery_tells_nothing_in_front_of_a_gap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
