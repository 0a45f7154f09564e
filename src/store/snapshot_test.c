/* Snapshots come back as they were, in every compression; damaged ones are refused; an unfinished one is never seen. */
#include "store/test_support.h"

static const char *const names[] = { "snapshot.12c", "snapshot.12c.gz", "snapshot.12c.snappy" };
#define RECORDS 0x12c

struct fixture {
    struct disk *disk;
    struct fs *fs;
    struct history history;
    struct store_error err;
};

static int setup(void **state)
{
    struct fixture *f = mem_zalloc(sizeof *f);
    struct rng rng;
    f->disk = disk_new(1);
    f->fs = disk_fs(f->disk);
    assert_int_equal(f->fs->ops->make_dir(f->fs, DIR_NAME), 0);
    history_init(&f->history);
    rng_init(&rng, 3);
    for (int i = 0; i < RECORDS; i++)
        history_grow(&f->history, &rng);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    disk_free(f->disk);
    history_fini(&f->history);
    mem_free(f);
    return 0;
}

static int read_back(struct fixture *f, const char *name, struct snapshot_info *info)
{
    struct tree *t;
    int rc = snapshot_read(f->fs, DIR_NAME, name, &test_options, &t, info, &f->err);
    assert_int_equal(t == NULL, rc < 0);
    if (rc == 0) {
        assert_int_equal(tree_digest(t), f->history.digest[RECORDS]);
        assert_int_equal(tree_last_zxid(t), RECORDS);
        assert_int_equal(tree_node_count(t), tree_node_count(f->history.tree));
        tree_check(t);
    }
    tree_free(t);
    return rc;
}

static void put(struct fixture *f, const char *name, struct slice bytes)
{
    struct store_path path;
    store_path_join(&path, DIR_NAME, name);
    disk_put(f->disk, path.text, bytes);
}

static struct buf get(struct fixture *f, const char *name)
{
    struct buf b;
    struct store_path path;
    store_path_join(&path, DIR_NAME, name);
    buf_init(&b, SIZE_MAX);
    assert_int_equal(disk_get(f->disk, path.text, &b), 0);
    return b;
}

static void comes_back_in_every_compression(void **state)
{
    struct fixture *f = *state;
    for (int codec = 0; codec < 3; codec++) {
        struct snapshot_info info;
        assert_int_equal(write_snapshot(f->fs, f->history.tree, (enum snapshot_codec)codec, &f->err), 0);
        assert_true(snapshot_looks_valid(f->fs, DIR_NAME, names[codec]));
        assert_int_equal(snapshot_verify(f->fs, DIR_NAME, names[codec], 0, &info, &f->err), 0);
        assert_int_equal(read_back(f, names[codec], &info), 0);
        assert_int_equal(info.zxid, RECORDS);
        assert_int_equal(info.digest_version, 2);
        assert_int_equal(info.digest_zxid, RECORDS);
        assert_int_equal(info.digest, f->history.digest[RECORDS]);
        assert_true(info.has_last_zxid);
        assert_int_equal(info.last_zxid, RECORDS);
    }
    assert_int_equal(disk_pending_count(f->disk), 0);
    struct buf plain = get(f, names[0]), gz = get(f, names[1]), snappy = get(f, names[2]);
    assert_true(gz.n < plain.n && snappy.n < plain.n);
    buf_fini(&plain);
    buf_fini(&gz);
    buf_fini(&snappy);
}

/* Every block behind the first seal may be missing. */
static void trailing_blocks_are_optional(void **state)
{
    struct fixture *f = *state;
    for (int blocks = 0; blocks < 4; blocks++) {
        struct snapshot_writer *w;
        struct snapshot_info info;
        struct tree_walk *walk = tree_walk_begin(f->history.tree);
        struct buf body;
        buf_init(&body, SIZE_MAX);
        while (tree_walk_next(walk, 100000, &body))
            ;
        tree_walk_end(walk);
        struct snapshot_write_options o = { .dir = DIR_NAME,
                                            .zxid = RECORDS,
                                            .digest = blocks & 1,
                                            .digest_zxid = RECORDS,
                                            .tree_digest = f->history.digest[RECORDS],
                                            .last_zxid_block = blocks & 2 };
        assert_int_equal(snapshot_write_begin(f->fs, &o, &w, &f->err), 0);
        assert_int_equal(snapshot_write_body(w, buf_slice(&body), &f->err), 0);
        assert_int_equal(snapshot_write_bytes(w), body.n);
        assert_int_equal(snapshot_write_end(w, &f->err), 0);
        buf_fini(&body);
        assert_int_equal(read_back(f, names[0], &info), 0);
        assert_int_equal(info.digest_version, blocks & 1 ? 2 : 0);
        assert_int_equal(info.has_last_zxid, (blocks & 2) != 0);
    }
}

static void a_changed_byte_is_found(void **state)
{
    struct fixture *f = *state;
    struct snapshot_info info;
    for (int codec = 0; codec < 3; codec++) {
        assert_int_equal(write_snapshot(f->fs, f->history.tree, (enum snapshot_codec)codec, &f->err), 0);
        struct buf b = get(f, names[codec]);
        size_t step = 1 + b.n / 1500, found = 0, tried = 0;
        for (size_t at = 0; at < b.n; at += at < 100 || at + 100 > b.n ? 1 : step) {
            b.p[at] ^= (uint8_t)(1 << at % 8);
            put(f, names[codec], buf_slice(&b));
            int rc = read_back(f, names[codec], &info); /* where it loads, it loads what was written */
            assert_true(rc == 0 || rc == ERR_CORRUPT);
            found += rc == ERR_CORRUPT;
            tried++;
            if (rc == ERR_CORRUPT)
                assert_says(f->err.text, "/data/version-2/snapshot.12c");
            b.p[at] ^= (uint8_t)(1 << at % 8);
        }
        /* What nobody looks at: version and dbid of the header, and of the compression's. */
        assert_true(found + 40 >= tried);
        buf_fini(&b);
    }
}

static void a_cut_file_is_refused(void **state)
{
    struct fixture *f = *state;
    struct snapshot_info info;
    for (int codec = 0; codec < 3; codec++) {
        assert_int_equal(write_snapshot(f->fs, f->history.tree, (enum snapshot_codec)codec, &f->err), 0);
        struct buf b = get(f, names[codec]);
        size_t step = 1 + b.n / 1000;
        for (size_t n = 0; n < b.n; n += n < 100 || n + 200 > b.n ? 1 : step) {
            put(f, names[codec], slice_of(b.p, n));
            int rc = read_back(f, names[codec], &info);
            /* A plain file may end behind its first seal; what follows the second is left alone unless it is whole. */
            bool seal = codec == SNAPSHOT_PLAIN && (n >= b.n - 21 || n == b.n - 54);
            if (seal ? rc != 0 : rc != ERR_CORRUPT)
                fail_msg("%s cut at %zu of %zu: %d", names[codec], n, b.n, rc);
        }
        buf_fini(&b);
    }
}

static void unknown_blocks_at_the_end_are_left_alone(void **state)
{
    struct fixture *f = *state;
    struct snapshot_info info;
    assert_int_equal(write_snapshot(f->fs, f->history.tree, SNAPSHOT_PLAIN, &f->err), 0);
    struct buf b = get(f, names[0]);
    for (int blocks = 0; blocks < 20; blocks++) { /* short of, and beyond, what is read at once */
        buf_append(&b, "a block of a later version", 26);
        put(f, names[0], buf_slice(&b));
        assert_int_equal(read_back(f, names[0], &info), 0);
        assert_true(info.has_last_zxid);
    }
    buf_fini(&b);
}

static void the_cheap_check(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *name;
        struct slice bytes;
        bool valid;
    } rows[] = {
        { "snapshot.1", { (const uint8_t *)"12345\0\0\0\1/", 10 }, true },
        { "snapshot.1", { (const uint8_t *)"1234\0\0\0\1/", 9 }, false },
        { "snapshot.1", { (const uint8_t *)"12345\0\0\0\1x", 10 }, false },
        { "snapshot.1", { (const uint8_t *)"", 0 }, false },
        { "snapshot.1.gz",
          { (const uint8_t *)"\x1f\x8b"
                             "34567890",
            10 },
          true },
        { "snapshot.1.GZ",
          { (const uint8_t *)"\x1f\x8b"
                             "34567890",
            10 },
          true },
        { "snapshot.1.gz",
          { (const uint8_t *)"\x1f\x8c"
                             "34567890",
            10 },
          false },
        { "snapshot.1.snappy",
          { (const uint8_t *)"\x82SNAPPY\0"
                             "890",
            11 },
          true },
        { "snapshot.1.snappy",
          { (const uint8_t *)"\x82SNAPPy\0"
                             "890",
            11 },
          false },
    };
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        put(f, rows[i].name, rows[i].bytes);
        if (snapshot_looks_valid(f->fs, DIR_NAME, rows[i].name) != rows[i].valid)
            fail_msg("row %zu", i);
    }
    assert_false(snapshot_looks_valid(f->fs, DIR_NAME, "snapshot.none"));
}

static void count_names(void *ctx, const char *name)
{
    (void)name;
    ++*(int *)ctx;
}

static void an_aborted_one_leaves_nothing(void **state)
{
    struct fixture *f = *state;
    struct snapshot_writer *w;
    struct snapshot_write_options o = { .dir = DIR_NAME, .zxid = 3, .codec = SNAPSHOT_GZIP };
    int count = 0;
    assert_int_equal(snapshot_write_begin(f->fs, &o, &w, &f->err), 0);
    snapshot_write_abort(w);
    snapshot_write_abort(NULL);
    assert_int_equal(f->fs->ops->list(f->fs, DIR_NAME, count_names, &count), 0);
    assert_int_equal(count, 0);

    /* Failing at the very end: every sync and rename. */
    static const unsigned kinds[] = { DISK_OP_SYNC, DISK_OP_RENAME, DISK_OP_WRITE, DISK_OP_OPEN };
    for (size_t i = 0; i < ARRAY_COUNT(kinds); i++) {
        disk_set_fault(f->disk, (struct disk_fault){ kinds[i], 1, ERR_NO_SPACE, false });
        assert_int_equal(write_snapshot(f->fs, f->history.tree, SNAPSHOT_PLAIN, &f->err), ERR_NO_SPACE);
        assert_says(f->err.text, "/data/version-2/snapshot.12c: cannot ");
        assert_int_equal(f->fs->ops->list(f->fs, DIR_NAME, count_names, &count), 0);
        assert_int_equal(count, 0);
    }
}

static bool is_there(struct fixture *f, const char *name)
{
    struct store_path path;
    struct buf b;
    store_path_join(&path, DIR_NAME, name);
    buf_init(&b, SIZE_MAX);
    int rc = disk_get(f->disk, path.text, &b);
    buf_fini(&b);
    return rc == 0;
}

/* Three snapshots that are durable, the log's file of the oldest, and a fourth whose name is not. */
static void a_name_that_is_not_durable_counts_for_nothing(void **state)
{
    struct fixture *f = *state;
    static const char *const older[] = { "snapshot.1", "snapshot.2", "snapshot.3" };
    assert_int_equal(write_snapshot(f->fs, f->history.tree, SNAPSHOT_PLAIN, &f->err), 0);
    struct buf b = get(f, names[0]);
    for (size_t i = 0; i < ARRAY_COUNT(older); i++)
        put(f, older[i], buf_slice(&b));
    put(f, "log.1", slice_of("x", 1));
    assert_int_equal(f->fs->ops->remove(f->fs, DIR_NAME "/snapshot.12c"), 0);
    assert_int_equal(f->fs->ops->sync_dir(f->fs, DIR_NAME), 0);

    disk_set_fault(f->disk, (struct disk_fault){ DISK_OP_SYNC_DIR, 1, ERR_IO, false });
    assert_int_equal(write_snapshot(f->fs, f->history.tree, SNAPSHOT_PLAIN, &f->err), ERR_IO);
    assert_says(f->err.text, "cannot sync the directory of the snapshot");
    assert_false(is_there(f, names[0]));
    assert_int_equal(store_purge(f->fs, &test_dirs, 3, &f->err), 0);
    assert_true(is_there(f, "snapshot.1") && is_there(f, "log.1"));

    /* It cannot be taken away either: the purge asks the disk itself, and removes nothing while that fails. */
    put(f, names[0], buf_slice(&b));
    disk_set_fault(f->disk, (struct disk_fault){ DISK_OP_SYNC_DIR, 1, ERR_IO, false });
    assert_int_equal(store_purge(f->fs, &test_dirs, 3, &f->err), ERR_IO);
    assert_says(f->err.text, "nothing is removed");
    assert_true(is_there(f, "snapshot.1") && is_there(f, "log.1"));

    /* The name was there before: a snapshot is under it whichever a crash leaves. */
    disk_set_fault(f->disk, (struct disk_fault){ DISK_OP_SYNC_DIR, 1, ERR_IO, false });
    assert_int_equal(write_snapshot(f->fs, f->history.tree, SNAPSHOT_PLAIN, &f->err), ERR_IO);
    assert_true(is_there(f, names[0]));

    /* A later one that is durable counts. */
    assert_int_equal(write_snapshot(f->fs, f->history.tree, SNAPSHOT_PLAIN, &f->err), 0);
    assert_int_equal(store_purge(f->fs, &test_dirs, 3, &f->err), 1);
    assert_false(is_there(f, "snapshot.1"));
    buf_fini(&b);
}

/* A body that claims more than is there, or an impossible length, asks for no memory. */
static void lying_lengths_are_refused(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *bytes;
        size_t n;
        const char *says;
    } rows[] = {
        { "ZKSN\0\0\0\2\377\377\377\377\377\377\377\377\177\377\377\377", 20, "ends too early" },
        { "ZKSN\0\0\0\2\377\377\377\377\377\377\377\377\0\0\0\0\177\377\377\377", 24, "ends too early" },
        { "ZKSN\0\0\0\2\377\377\377\377\377\377\377\377\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\1\177\377\377\377", 36,
          "an ACL list cannot be read" },
        { "ZKSN\0\0\0\2\377\377\377\377\377\377\377\377\0\0\0\0\0\0\0\0\177\377\377\377/", 29, "impossible length" },
        { "ZKSN\0\0\0\2\377\377\377\377\377\377\377\377\0\0\0\0\0\0\0\0\0\0\0\0\177\377\377\377", 32,
          "impossible length" },
    };
    struct snapshot_info info;
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        put(f, "snapshot.12c", slice_of(rows[i].bytes, rows[i].n));
        assert_int_equal(read_back(f, "snapshot.12c", &info), ERR_CORRUPT);
        assert_says(f->err.text, rows[i].says);
    }
    static const uint8_t snappy[] = "\x82SNAPPY\0\0\0\0\1\0\0\0\1\177\377\377\377";
    put(f, "snapshot.12c.snappy", slice_of(snappy, sizeof snappy - 1));
    assert_int_equal(read_back(f, "snapshot.12c.snappy", &info), ERR_CORRUPT);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(comes_back_in_every_compression),
        TEST(trailing_blocks_are_optional),
        TEST(a_changed_byte_is_found),
        TEST(a_cut_file_is_refused),
        TEST(unknown_blocks_at_the_end_are_left_alone),
        TEST(the_cheap_check),
        TEST(an_aborted_one_leaves_nothing),
        TEST(a_name_that_is_not_durable_counts_for_nothing),
        TEST(lying_lengths_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
