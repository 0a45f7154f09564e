/* Which snapshot is taken, which records follow it, what is refused and with which words. The golden set `small`
 * serves as the directory that gets damaged. */
#include "store/test_support.h"

#define GOLDEN ZOKOR_SOURCE_DIR "/test/golden/disk/"
#define LOG1 DIR_NAME "/log.1"

struct fixture {
    struct disk *disk;
    struct fs *fs;
    struct history history;
    struct rng rng;
    struct store_recovered out;
    struct store_error err;
    struct told told;
    struct store_recover_options options;
};

static int setup(void **state)
{
    struct fixture *f = mem_zalloc(sizeof *f);
    f->disk = disk_new(1);
    f->fs = disk_fs(f->disk);
    history_init(&f->history);
    rng_init(&f->rng, 9);
    f->options = test_options;
    assert_int_equal(f->fs->ops->make_dir(f->fs, DIR_NAME), 0);
    log_set_sink(told_sink, &f->told, LOG_INFO);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    log_set_sink(NULL, NULL, LOG_INFO);
    tree_free(f->out.tree);
    disk_free(f->disk);
    history_fini(&f->history);
    mem_free(f);
    return 0;
}

static int recovered(struct fixture *f)
{
    tree_free(f->out.tree);
    f->told.text[0] = '\0';
    int rc = store_recover(f->fs, &test_dirs, &f->options, &f->out, &f->err);
    assert_int_equal(rc < 0, f->out.tree == NULL);
    return rc;
}

static void recovers_to(struct fixture *f, int64_t zxid)
{
    if (recovered(f) < 0)
        fail_msg("%s", f->err.text);
    assert_int_equal(f->out.last_zxid, zxid);
    assert_int_equal(tree_digest(f->out.tree), f->history.digest[zxid]);
}

static void refuses(struct fixture *f, int err, const char *says)
{
    assert_int_equal(recovered(f), err);
    assert_says(f->err.text, says);
}

/* Writes records [first, last] of the history, which grows as needed, to a log of their own. */
static void write_log(struct fixture *f, int64_t first, int64_t last)
{
    struct txnlog *l = txnlog_new(f->fs, &(struct txnlog_options){ .dir = DIR_NAME, .force_sync = true });
    for (int64_t z = first; z <= last; z++) {
        while (f->history.last < z)
            history_grow(&f->history, &f->rng);
        txnlog_append(l, z, f->history.payload[z]);
    }
    assert_int_equal(txnlog_flush(l, &f->err), 0);
    txnlog_free(l);
}

/* A snapshot of the history as it is now. */
static void snapshot_now(struct fixture *f)
{
    assert_int_equal(write_snapshot(f->fs, f->history.tree, SNAPSHOT_PLAIN, &f->err), 0);
}

static struct buf get(struct fixture *f, const char *name)
{
    struct buf b;
    buf_init(&b, SIZE_MAX);
    assert_int_equal(disk_get(f->disk, name, &b), 0);
    return b;
}

/* Replaces a file by its first n bytes. */
static void cut(struct fixture *f, const char *name, size_t n)
{
    struct buf b = get(f, name);
    assert_true(n < b.n);
    disk_put(f->disk, name, slice_of(b.p, n));
    buf_fini(&b);
}

static void nothing_there_is_a_fresh_tree(void **state)
{
    struct fixture *f = *state;
    recovers_to(f, 0);
    assert_int_equal(f->out.snapshot_zxid, -1);
    assert_int_equal(tree_digest(f->out.tree), 0x51c6d660);
    struct store_dirs none = { "/nowhere/a", "/nowhere/b" };
    tree_free(f->out.tree);
    assert_int_equal(store_recover(f->fs, &none, &f->options, &f->out, &f->err), 0);
    assert_int_equal(f->out.last_zxid, 0);
}

static void replays_behind_the_newest_snapshot(void **state)
{
    struct fixture *f = *state;
    snapshot_now(f);
    write_log(f, 1, 10);
    snapshot_now(f);
    write_log(f, 11, 30);
    recovers_to(f, 30);
    assert_int_equal(f->out.snapshot_zxid, 10);
    assert_int_equal(f->out.txn_count, 20);
    assert_true(f->out.digest_matches > 10);
    assert_int_equal(disk_pending_count(f->disk), 0);
    assert_string_equal(f->told.text, "");
}

/* The newest id that this server has given, though its session may have ended. */
static void tells_the_newest_session_of_the_server(void **state)
{
    struct fixture *f = *state;
    static const uint8_t servers[] = { 1, 2, 7 };
    snapshot_now(f);
    write_log(f, 1, 300);
    for (size_t i = 0; i < ARRAY_COUNT(servers); i++) {
        int64_t newest = 0;
        for (int64_t z = 1; z <= 300; z++) {
            int64_t id = (int64_t)load_be64(f->history.payload[z].p);
            if ((uint64_t)id >> 56 == servers[i] && id > newest)
                newest = id;
        }
        f->options.server_id = servers[i];
        recovers_to(f, 300);
        assert_int_equal(f->out.past_session_id, newest);
    }
}

static void falls_back_to_an_older_snapshot(void **state)
{
    struct fixture *f = *state;
    snapshot_now(f);
    write_log(f, 1, 10);
    snapshot_now(f);
    write_log(f, 11, 20);
    snapshot_now(f);
    assert_true(disk_flip(f->disk, DIR_NAME "/snapshot.14", 100, 1)); /* ends well, does not load */
    cut(f, DIR_NAME "/snapshot.a", 200);                              /* does not end well */
    disk_put(f->disk, DIR_NAME "/snapshot.15", slice_of("", 0));
    recovers_to(f, 20);
    assert_int_equal(f->out.snapshot_zxid, 0);
    assert_int_equal(f->out.snapshots_skipped, 3);
    assert_says(f->told.text, "/data/version-2/snapshot.14: damaged at offset");
    assert_says(f->told.text, "/data/version-2/snapshot.a: does not end like a snapshot");
}

static void copy(struct fixture *f, const char *from, const char *to)
{
    struct buf b = get(f, from);
    disk_put(f->disk, to, buf_slice(&b));
    buf_fini(&b);
}

/* A leader's snapshot stands in for records that this member never had: without it nothing older will do. */
static void does_not_fall_back_behind_a_leaders_snapshot(void **state)
{
    struct fixture *f = *state;
    snapshot_now(f);
    write_log(f, 1, 10);
    snapshot_now(f);
    copy(f, DIR_NAME "/snapshot.a", DIR_NAME "/snapshot.100000000");
    assert_int_equal(recovered(f), 0);
    assert_int_equal(f->out.last_zxid, INT64_C(1) << 32);
    assert_true(disk_flip(f->disk, DIR_NAME "/snapshot.100000000", 100, 1));
    refuses(f, ERR_CORRUPT,
            "/data/version-2/snapshot.100000000: cannot be loaded, and older snapshots and the logs end");
    /* With a log behind it. */
    struct buf b;
    struct txnlog *l = txnlog_new(f->fs, &(struct txnlog_options){ .dir = DIR_NAME, .force_sync = true });
    buf_init(&b, SIZE_MAX);
    buf_append_slice(&b, f->history.payload[10]);
    store_be64(b.p + 12, (UINT64_C(1) << 32) + 1);
    txnlog_append(l, (INT64_C(1) << 32) + 1, buf_slice(&b));
    assert_int_equal(txnlog_flush(l, &f->err), 0);
    txnlog_free(l);
    buf_fini(&b);
    refuses(f, ERR_GAP, "zxid 0x100000001 belongs behind a newer snapshot than 0xa, which is damaged");
    /* What a crash left of an unfinished one is none. */
    cut(f, DIR_NAME "/snapshot.100000000", 200);
    assert_int_equal(recovered(f), 0);
    assert_int_equal(f->out.last_zxid, (INT64_C(1) << 32) + 1);
}

static void refuses_when_no_snapshot_loads(void **state)
{
    struct fixture *f = *state;
    snapshot_now(f);
    write_log(f, 1, 5);
    snapshot_now(f);
    assert_true(disk_flip(f->disk, DIR_NAME "/snapshot.0", 60, 1));
    assert_true(disk_flip(f->disk, DIR_NAME "/snapshot.5", 60, 1));
    refuses(f, ERR_CORRUPT, "none of the 2 newest snapshots can be loaded");
    assert_says(f->err.text, "/data/version-2/snapshot.0: damaged at offset");
}

static void refuses_logs_without_a_snapshot(void **state)
{
    struct fixture *f = *state;
    write_log(f, 1, 5);
    refuses(f, ERR_CORRUPT, "no usable snapshot, but /data/version-2 holds transactions");
    disk_put(f->disk, DIR_NAME "/snapshot.3", slice_of("short", 5));
    refuses(f, ERR_CORRUPT, "snapshot.trust.empty=true");
    f->options.trust_empty_snapshot = true;
    recovers_to(f, 5);
    assert_int_equal(f->out.snapshot_zxid, -1);
    assert_int_equal(f->out.txn_count, 5);
}

static void an_unusable_snapshot_alone_is_not_an_empty_start(void **state)
{
    struct fixture *f = *state;
    disk_put(f->disk, DIR_NAME "/snapshot.5", slice_of("short", 5));
    refuses(f, ERR_CORRUPT, "starting empty would lose the tree");
    /* But that is all that a crash at the very first start of Apache leaves behind. */
    assert_int_equal(f->fs->ops->remove(f->fs, DIR_NAME "/snapshot.5"), 0);
    disk_put(f->disk, DIR_NAME "/snapshot.0", slice_of("short", 5));
    recovers_to(f, 0);
}

/* ---- the end of the logs ---- */

static void torn_ends_are_told_and_passed(void **state)
{
    struct fixture *f = *state;
    snapshot_now(f);
    write_log(f, 1, 10);
    struct buf b = get(f, LOG1);
    cut(f, LOG1, b.n - 3);
    recovers_to(f, 9);
    assert_int_equal(f->out.torn_files, 1);
    assert_says(f->told.text, "store.log_torn what=\"/data/version-2/log.1: torn at offset");
    assert_says(f->told.text, "the record before it has zxid 0x9");
    /* The next file goes on where the torn one ends. */
    write_log(f, 10, 15);
    recovers_to(f, 15);
    assert_int_equal(f->out.torn_files, 1);
    /* If it skips one, what is missing was acknowledged. */
    cut(f, LOG1, b.n - 3 - f->history.payload[10].n - 13);
    refuses(f, ERR_GAP,
            "/data/version-2/log.a: offset 16: zxid 0xa follows 0x8: transactions between them are missing");
    assert_says(f->err.text, "/data/version-2/log.1: torn at offset");
    buf_fini(&b);
}

/* The process ended when its sync had failed. The kernel still has the records and says that they are durable. */
static void what_was_not_synced_is_not_there(void **state)
{
    struct fixture *f = *state;
    snapshot_now(f);
    write_log(f, 1, 10);
    while (f->history.last < 12)
        history_grow(&f->history, &f->rng);
    struct txnlog *l = txnlog_new(f->fs, &(struct txnlog_options){ .dir = DIR_NAME, .force_sync = true });
    txnlog_append(l, 11, f->history.payload[11]);
    assert_int_equal(txnlog_flush(l, &f->err), 0);
    disk_set_fault(f->disk, (struct disk_fault){ .kinds = DISK_OP_SYNC, .nth = 1, .err = ERR_IO });
    txnlog_append(l, 12, f->history.payload[12]);
    assert_int_equal(txnlog_flush(l, &f->err), ERR_IO);
    txnlog_free(l);
    disk_set_fault(f->disk, (struct disk_fault){ 0 });
    recovers_to(f, 11);

    struct disk *after = disk_crash(f->disk, (struct disk_crash_plan){ .kind = DISK_CRASH_LOSE });
    disk_free(f->disk);
    f->disk = after;
    f->fs = disk_fs(after);
    recovers_to(f, 11);
}

static void empty_and_short_files(void **state)
{
    struct fixture *f = *state;
    snapshot_now(f);
    write_log(f, 1, 10);
    disk_put(f->disk, DIR_NAME "/log.b", slice_of("", 0));
    recovers_to(f, 10);
    assert_says(f->told.text, "store.log_empty file=\"/data/version-2/log.b\"");
    disk_put(f->disk, DIR_NAME "/log.b", slice_of("ZKLG\0\0\0\2\0\0\0\0\0\0\0\0", 16));
    recovers_to(f, 10);
    static const uint8_t zeros[4096];
    struct buf b;
    buf_init(&b, SIZE_MAX);
    buf_append(&b, "ZKLG\0\0\0\2\0\0\0\0\0\0\0\0", 16);
    buf_append(&b, zeros, sizeof zeros);
    disk_put(f->disk, DIR_NAME "/log.b", buf_slice(&b));
    buf_fini(&b);
    recovers_to(f, 10);
    assert_int_equal(f->out.torn_files, 0);
    disk_put(f->disk, DIR_NAME "/log.b", slice_of("ZKLG\0\0", 6));
    refuses(f, ERR_CORRUPT, "/data/version-2/log.b: has only 6 bytes");
    disk_put(f->disk, DIR_NAME "/log.b", slice_of(zeros, sizeof zeros));
    refuses(f, ERR_CORRUPT, "/data/version-2/log.b: offset 0: begins with 00000000");
    disk_put(f->disk, DIR_NAME "/log.b", slice_of("", 0));
    write_log(f, 12, 12);
    refuses(f, ERR_CORRUPT, "/data/version-2/log.b: is empty, and newer logs exist");
}

static void damage_in_the_middle_is_refused(void **state)
{
    struct fixture *f = *state;
    snapshot_now(f);
    write_log(f, 1, 10);
    size_t fifth = 16;
    for (int64_t z = 1; z < 5; z++)
        fifth += f->history.payload[z].n + 13;
    assert_true(disk_flip(f->disk, LOG1, fifth + 40, 4));
    char says[200];
    snprintf(says, sizeof says,
             "/data/version-2/log.1: damaged at offset %zu: a record with a wrong checksum; the record "
             "before it has zxid 0x4; a valid record with zxid 0x6 stands behind it",
             fifth);
    refuses(f, ERR_CORRUPT, says);
    assert_says(f->err.text, "zokor log repair /data/version-2/log.1");
    assert_true(disk_flip(f->disk, LOG1, fifth + 40, 4));
    assert_true(
        disk_flip(f->disk, LOG1, fifth + 12 + f->history.payload[5].n, 'B')); /* its end byte: Apache stops here */
    snprintf(says, sizeof says, "/data/version-2/log.1: damaged at offset %zu: a record without its end byte", fifth);
    refuses(f, ERR_CORRUPT, says);
}

/* ---- order ---- */

static struct slice with_zxid(struct slice payload, int64_t zxid, struct buf *to)
{
    buf_init(to, SIZE_MAX);
    buf_append_slice(to, payload);
    store_be64(to->p + 12, (uint64_t)zxid);
    return buf_slice(to);
}

static void gaps_within_an_epoch_are_refused(void **state)
{
    struct fixture *f = *state;
    snapshot_now(f);
    write_log(f, 1, 5);
    write_log(f, 7, 9);
    refuses(f, ERR_GAP,
            "/data/version-2/log.7: offset 16: zxid 0x7 follows 0x5: transactions between them are missing");
}

static void a_missing_log_behind_the_snapshot_is_found_by_digest(void **state)
{
    struct fixture *f = *state;
    snapshot_now(f);
    write_log(f, 1, 20);
    assert_int_equal(f->fs->ops->remove(f->fs, LOG1), 0);
    write_log(f, 21, 40);
    refuses(f, ERR_GAP, "and the digests do not fit: a log file between them is missing");
    assert_says(f->err.text, "the first record behind snapshot 0x0");
    /* Without digests nobody can tell; Apache goes on, and so is it told. */
    f->options.tree.digest_enabled = false;
    assert_int_equal(recovered(f), 0);
    assert_says(f->told.text, "store.zxid_gap file=\"/data/version-2/log.15\" first=0x15 snapshot=0x0");
}

/* The snapshot's own digest says nothing of what is behind it, and neither does a record without one. */
static void a_gap_is_found_behind_a_record_without_digest(void **state)
{
    struct fixture *f = *state;
    snapshot_now(f);
    write_log(f, 1, 10);
    snapshot_now(f);
    while (f->history.last < 15 || load_be32(f->history.payload[f->history.last].p + 28) != (uint32_t)WIRE_OP_ERROR)
        history_grow(&f->history, &f->rng);
    int64_t error = f->history.last;
    assert_int_equal(f->fs->ops->remove(f->fs, LOG1), 0);
    write_log(f, error, error + 5);
    refuses(f, ERR_GAP, "and the digests do not fit: a log file between them is missing");
}

static void a_new_epoch_may_begin_anywhere(void **state)
{
    struct fixture *f = *state;
    struct buf b;
    struct tree *t;
    snapshot_now(f);
    write_log(f, 1, 5);
    history_grow(&f->history, &f->rng);
    struct txnlog *l = txnlog_new(f->fs, &(struct txnlog_options){ .dir = DIR_NAME });
    static const struct txn_op error = { .type = WIRE_OP_ERROR, .err = ERR_NO_NODE };
    buf_init(&b, 100);
    wire_put_txn_header(&b, &(struct wire_txn_header){ .zxid = 0x200000003, .type = WIRE_OP_ERROR });
    txn_put_body(&b, &error);
    txnlog_append(l, 0x200000003, buf_slice(&b));
    assert_int_equal(txnlog_flush(l, &f->err), 0);
    txnlog_free(l);
    buf_fini(&b);
    assert_int_equal(recovered(f), 0);
    t = f->out.tree;
    assert_int_equal(f->out.last_zxid, 0x200000003);
    assert_int_equal(tree_digest(t), f->history.digest[5]);
    assert_int_equal(tree_last_zxid(t), 0x200000003);
}

/* Apache logs the error of a request that it cannot decode under the zxid before; lower ones are passed over. */
static void repeated_and_lower_zxids(void **state)
{
    struct fixture *f = *state;
    struct buf lower, error;
    snapshot_now(f);
    write_log(f, 1, 5);
    history_grow(&f->history, &f->rng);
    struct txnlog *l = txnlog_new(f->fs, &(struct txnlog_options){ .dir = DIR_NAME });
    buf_init(&error, 100);
    wire_put_txn_header(&error, &(struct wire_txn_header){ .zxid = 6, .type = WIRE_OP_ERROR });
    wire_put_i32(&error, ERR_MARSHALLING);
    txnlog_append(l, 6, f->history.payload[6]);
    txnlog_append(l, 6, buf_slice(&error));
    assert_int_equal(txnlog_flush(l, &f->err), 0);
    recovers_to(f, 6);
    assert_string_equal(f->told.text, "");

    txnlog_append(l, 4, with_zxid(f->history.payload[1], 4, &lower));
    assert_int_equal(txnlog_flush(l, &f->err), 0);
    recovers_to(f, 6);
    assert_says(f->told.text, "store.zxid_lower file=\"/data/version-2/log.6\"");
    txnlog_free(l);
    buf_fini(&lower);
    buf_fini(&error);
}

static void what_cannot_be_decoded_is_refused(void **state)
{
    struct fixture *f = *state;
    snapshot_now(f);
    struct txnlog *l = txnlog_new(f->fs, &(struct txnlog_options){ .dir = DIR_NAME });
    struct buf b;
    buf_init(&b, 100);
    wire_put_txn_header(&b, &(struct wire_txn_header){ .zxid = 1, .type = 99 });
    txnlog_append(l, 1, buf_slice(&b));
    assert_int_equal(txnlog_flush(l, &f->err), 0);
    txnlog_free(l);
    buf_fini(&b);
    refuses(f, ERR_CORRUPT, "/data/version-2/log.1: offset 16: a record with a right checksum cannot be decoded");
}

/* ---- digests, sessions, places ---- */

static void a_digest_mismatch_is_counted_and_told_once(void **state)
{
    struct fixture *f = *state;
    snapshot_now(f);
    write_log(f, 1, 5);
    while (load_be32(f->history.payload[5].p + 28) == (uint32_t)WIRE_OP_ERROR)
        write_log(f, f->history.last + 1, f->history.last + 1);
    struct slice p = f->history.payload[f->history.last];
    ((uint8_t *)(uintptr_t)p.p)[p.n - 1] ^= 1;
    write_log(f, 1, f->history.last);
    recovers_to(f, f->history.last);
    assert_int_equal(f->out.digest_mismatches, 1);
    assert_says(f->told.text, "store.digest_mismatch zxid=0x");
}

/* A history whose last record is a setData, at zxid `last`, behind a snapshot that holds the change already but
 * says it is of the zxid before: what Apache's server writes when a transaction comes in at the wrong moment. */
static int64_t snapshot_ahead_of_its_digest(struct fixture *f)
{
    snapshot_now(f);
    while (f->history.last < 5 || load_be32(f->history.payload[f->history.last].p + 28) != (uint32_t)WIRE_OP_SET_DATA)
        history_grow(&f->history, &f->rng);
    int64_t last = f->history.last;
    write_log(f, 1, last);
    assert_int_equal(
        write_snapshot_as(f->fs, f->history.tree, SNAPSHOT_PLAIN, last - 1, f->history.digest[last - 1], &f->err), 0);
    return last;
}

static void a_snapshot_ahead_of_its_digest_is_whole_at_the_next(void **state)
{
    struct fixture *f = *state;
    int64_t last = snapshot_ahead_of_its_digest(f);
    recovers_to(f, last);
    assert_int_equal(f->out.snapshot_zxid, last - 1);
    assert_int_equal(f->out.digest_mismatches, 0);
    assert_true(f->out.snapshot_ahead);
    assert_says(f->told.text, "store.snapshot_ahead snapshot=0x");
}

static void a_snapshot_with_another_digest_is_told_unless_the_next_fits(void **state)
{
    struct fixture *f = *state;
    int64_t last = snapshot_ahead_of_its_digest(f);
    assert_int_equal(f->fs->ops->remove(f->fs, LOG1), 0);
    write_log(f, 1, last - 1); /* nothing behind it */
    assert_int_equal(recovered(f), 0);
    assert_int_equal(f->out.digest_mismatches, 1);
    assert_false(f->out.snapshot_ahead);
    assert_says(f->told.text, "store.digest_mismatch zxid=0x");
    struct slice p = f->history.payload[last];
    ((uint8_t *)(uintptr_t)p.p)[p.n - 1] ^= 1;
    assert_int_equal(f->fs->ops->remove(f->fs, LOG1), 0);
    write_log(f, 1, last); /* or one that does not fit either */
    assert_int_equal(recovered(f), 0);
    assert_int_equal(f->out.digest_mismatches, 2);
    assert_false(f->out.snapshot_ahead);
}

static void ephemerals_of_dead_sessions_go(void **state)
{
    struct fixture *f = *state;
    struct txn_op op = { .type = WIRE_OP_CREATE,
                         .path = slice_str("/e"),
                         .ephemeral = true,
                         .has_parent_cversion = true,
                         .parent_cversion = -1 };
    struct buf b;
    snapshot_now(f);
    buf_init(&b, 200);
    wire_put_txn_header(&b, &(struct wire_txn_header){ .session_id = 77, .zxid = 1, .type = WIRE_OP_CREATE });
    txn_put_body(&b, &op);
    struct txnlog *l = txnlog_new(f->fs, &(struct txnlog_options){ .dir = DIR_NAME });
    txnlog_append(l, 1, buf_slice(&b));
    assert_int_equal(txnlog_flush(l, &f->err), 0);
    txnlog_free(l);
    buf_fini(&b);
    assert_int_equal(recovered(f), 0);
    assert_int_equal(f->out.dead_ephemerals, 1);
    assert_int_equal(tree_find(f->out.tree, slice_str("/e")), NODE_NONE);
}

static void misplaced_files_are_refused(void **state)
{
    struct fixture *f = *state;
    struct store_dirs dirs = { DIR_NAME, "/logs" };
    snapshot_now(f);
    assert_int_equal(store_recover(f->fs, &dirs, &f->options, &f->out, &f->err), 0);
    tree_free(f->out.tree);
    write_log(f, 1, 1);
    assert_int_equal(store_recover(f->fs, &dirs, &f->options, &f->out, &f->err), ERR_INVALID);
    assert_says(f->err.text, "/data/version-2/log.1: a log in the directory of the snapshots");
    assert_int_equal(f->fs->ops->remove(f->fs, LOG1), 0);
    disk_put(f->disk, "/logs/snapshot.0", slice_of("", 0));
    assert_int_equal(store_recover(f->fs, &dirs, &f->options, &f->out, &f->err), ERR_INVALID);
    assert_says(f->err.text, "/logs/snapshot.0: a snapshot in the directory of the logs");
}

/* ---- purge ---- */

static void list_names(void *ctx, const char *name)
{
    struct told *t = ctx;
    size_t n = strlen(t->text);
    snprintf(t->text + n, sizeof t->text - n, " %s ", name);
}

static const char *names_left(struct fixture *f)
{
    f->told.text[0] = '\0';
    assert_int_equal(f->fs->ops->list(f->fs, DIR_NAME, list_names, &f->told), 0);
    return f->told.text;
}

/* The example of disk specification 1, as run with Apache. */
static void purges_as_apache(void **state)
{
    struct fixture *f = *state;
    static const char *const valid[] = { "0", "5", "10", "20", "30", "40" };
    static const char *const logs[] = { "1", "6", "11", "18", "1f", "21", "31", "41", "2.fixed" };
    char name[100];
    snapshot_now(f);
    struct buf b = get(f, DIR_NAME "/snapshot.0");
    for (size_t i = 0; i < ARRAY_COUNT(valid); i++) {
        snprintf(name, sizeof name, DIR_NAME "/snapshot.%s", valid[i]);
        disk_put(f->disk, name, buf_slice(&b));
    }
    buf_fini(&b);
    disk_put(f->disk, DIR_NAME "/snapshot.38", slice_of("bad", 3));
    disk_put(f->disk, DIR_NAME "/snapshot.22.tmp", slice_of("bad", 3));
    disk_put(f->disk, DIR_NAME "/snapshot.12.gz", slice_of("\x1f\x8b and no more", 14));
    disk_put(f->disk, DIR_NAME "/tmp-snapshot.5", slice_of("unfinished", 10));
    disk_put(f->disk, DIR_NAME "/tmp-snapshot.41", slice_of("being written", 13));
    disk_put(f->disk, DIR_NAME "/acceptedEpoch", slice_of("1", 1));
    for (size_t i = 0; i < ARRAY_COUNT(logs); i++) {
        snprintf(name, sizeof name, DIR_NAME "/log.%s", logs[i]);
        disk_put(f->disk, name, slice_of("ZKLG", 4));
    }
    assert_int_equal(store_purge(f->fs, &test_dirs, 3, &f->err), 4 + 1 + 5);
    const char *left = names_left(f);
    static const char *const stay[] = { " snapshot.20 ",   " snapshot.22.tmp ", " snapshot.30 ", " snapshot.38 ",
                                        " snapshot.40 ",   " log.21 ",          " log.31 ",      " log.41 ",
                                        " acceptedEpoch ", " tmp-snapshot.41 ", " log.1f " };
    for (size_t i = 0; i < ARRAY_COUNT(stay); i++)
        assert_says(left, stay[i]);
    assert_null(strstr(left, " snapshot.10 "));
    assert_null(strstr(left, " snapshot.12.gz "));
    assert_null(strstr(left, " log.18 "));
    assert_null(strstr(left, " log.2.fixed "));
    assert_null(strstr(left, " tmp-snapshot.5 "));
}

/* Apache would keep the three damaged ones, which end well, and lose the last good one. */
static void purge_keeps_a_whole_snapshot(void **state)
{
    struct fixture *f = *state;
    char name[100];
    snapshot_now(f);
    write_log(f, 1, 10);
    for (int i = 0; i < 5; i++) {
        snapshot_now(f);
        if (i >= 2) {
            snprintf(name, sizeof name, DIR_NAME "/snapshot.%" PRIx64, (uint64_t)f->history.last);
            assert_true(disk_flip(f->disk, name, 50, 1));
        }
        write_log(f, f->history.last + 1, f->history.last + 10);
    }
    assert_int_equal(store_purge(f->fs, &test_dirs, 3, &f->err), 2 + 1);
    recovers_to(f, 60);
    assert_int_equal(f->out.snapshot_zxid, 20);
    assert_true(disk_flip(f->disk, DIR_NAME "/snapshot.14", 50, 1));
    assert_int_equal(store_purge(f->fs, &test_dirs, 3, &f->err), 0);
}

static void purge_without_snapshots_removes_nothing(void **state)
{
    struct fixture *f = *state;
    write_log(f, 1, 10);
    write_log(f, 11, 20);
    assert_int_equal(store_purge(f->fs, &test_dirs, 3, &f->err), 0);
    snapshot_now(f);
    disk_set_fault(f->disk, (struct disk_fault){ DISK_OP_REMOVE, 1, ERR_IO, false });
    assert_int_equal(store_purge(f->fs, &test_dirs, 3, &f->err), ERR_IO);
    assert_says(f->err.text, "/data/version-2/log.1: cannot remove: input/output error");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(nothing_there_is_a_fresh_tree),
        TEST(replays_behind_the_newest_snapshot),
        TEST(tells_the_newest_session_of_the_server),
        TEST(falls_back_to_an_older_snapshot),
        TEST(does_not_fall_back_behind_a_leaders_snapshot),
        TEST(refuses_when_no_snapshot_loads),
        TEST(refuses_logs_without_a_snapshot),
        TEST(an_unusable_snapshot_alone_is_not_an_empty_start),
        TEST(torn_ends_are_told_and_passed),
        TEST(empty_and_short_files),
        TEST(damage_in_the_middle_is_refused),
        TEST(gaps_within_an_epoch_are_refused),
        TEST(a_missing_log_behind_the_snapshot_is_found_by_digest),
        TEST(a_gap_is_found_behind_a_record_without_digest),
        TEST(what_was_not_synced_is_not_there),
        TEST(a_new_epoch_may_begin_anywhere),
        TEST(repeated_and_lower_zxids),
        TEST(what_cannot_be_decoded_is_refused),
        TEST(a_digest_mismatch_is_counted_and_told_once),
        TEST(a_snapshot_ahead_of_its_digest_is_whole_at_the_next),
        TEST(a_snapshot_with_another_digest_is_told_unless_the_next_fits),
        TEST(ephemerals_of_dead_sessions_go),
        TEST(misplaced_files_are_refused),
        TEST(purges_as_apache),
        TEST(purge_keeps_a_whole_snapshot),
        TEST(purge_without_snapshots_removes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
