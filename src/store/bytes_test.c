/* Byte-exactness: what Apache wrote, decoded and written again by us, is the same file. Its snapshots list nodes in the
 * order of a hash table that nobody else has, so for those the body is taken over and everything around it is ours. */
#include "store/test_support.h"

#define GOLDEN ZOKOR_SOURCE_DIR "/test/golden/disk/"

static struct buf load(const char *name)
{
    char path[512];
    struct fs *fs = fs_real();
    struct fs_file *f;
    struct buf b;
    snprintf(path, sizeof path, GOLDEN "%s", name);
    if (fs_open(fs, path, FS_READ, &f) < 0)
        fail_msg("%s", path);
    int64_t n = fs->ops->size(f);
    buf_init(&b, SIZE_MAX);
    assert_int_equal(fs->ops->read_at(f, 0, buf_add(&b, (size_t)n), (size_t)n), n);
    fs->ops->close(f);
    return b;
}

static struct buf written(struct disk *d, const char *name)
{
    struct buf b;
    buf_init(&b, SIZE_MAX);
    assert_int_equal(disk_get(d, name, &b), 0);
    return b;
}

static void same_bytes(const char *name, struct slice a, struct slice b)
{
    for (size_t i = 0; i < a.n && i < b.n; i++) {
        if (a.p[i] != b.p[i])
            fail_msg("%s: byte %zu is %02x, written again %02x", name, i, a.p[i], b.p[i]);
    }
    if (a.n != b.n)
        fail_msg("%s: %zu bytes, written again %zu", name, a.n, b.n);
}

/* From what was decoded, not from the bytes. */
static void encode(struct buf *b, const struct txn *txn)
{
    wire_put_txn_header(b, &txn->header);
    if (txn->op.type == WIRE_OP_MULTI) {
        struct slice rest = txn->op.sub_raw;
        struct txn_op sub;
        wire_put_i32(b, txn->op.sub_count);
        while (txn_next_sub(&rest, &sub))
            txn_put_sub(b, &sub);
    } else {
        txn_put_body(b, &txn->op);
    }
    if (txn->has_digest)
        wire_put_txn_digest(b, &txn->digest);
}

static void logs_are_written_again_byte_for_byte(void **state)
{
    (void)state;
    static const char *const logs[] = {
        "small/version-2/log.1",   "small-395/version-2/log.1", "fuzzy/version-2/log.1",
        "fuzzy/version-2/log.3f",  "fuzzy/version-2/log.97",    "fuzzy/version-2/log.c8",
        "fuzzy/version-2/log.118", "fuzzy/version-2/log.170",   "quorum/version-2/log.100000001",
    };
    for (size_t i = 0; i < ARRAY_COUNT(logs); i++) {
        struct disk *d = disk_new(1);
        struct store_error err;
        struct txnlog_reader *r;
        struct txnlog *l = txnlog_new(disk_fs(d), &(struct txnlog_options){ .dir = DIR_NAME });
        struct slice payload;
        struct txn txn;
        uint64_t offset;
        char path[512];
        snprintf(path, sizeof path, GOLDEN "%s", logs[i]);
        if (txnlog_reader_open(fs_real(), path, 0, &r, &err) < 0)
            fail_msg("%s", err.text);
        int rc;
        while ((rc = txnlog_reader_next(r, &payload, &offset, &err)) == 1) {
            struct buf b;
            buf_init(&b, SIZE_MAX);
            assert_int_equal(txn_decode(payload, &txn), 0);
            encode(&b, &txn);
            txnlog_append(l, txn.header.zxid, buf_slice(&b));
            buf_fini(&b);
        }
        assert_int_equal(rc, 0);
        assert_int_equal(txnlog_flush(l, &err), 0);
        txnlog_reader_close(r);
        txnlog_free(l);
        snprintf(path, sizeof path, DIR_NAME "/%s", strrchr(logs[i], '/') + 1);
        struct buf theirs = load(logs[i]), ours = written(d, path);
        same_bytes(logs[i], buf_slice(&theirs), buf_slice(&ours));
        buf_fini(&theirs);
        buf_fini(&ours);
        disk_free(d);
    }
}

static void snapshots_are_written_again_byte_for_byte(void **state)
{
    (void)state;
    static const char *const files[] = {
        "small/version-2/snapshot.0",  "small-395/version-2/snapshot.0",      "fuzzy/version-2/snapshot.3d",
        "quorum/version-2/snapshot.0", "quorum/version-2/snapshot.100000008", "snapshots/3.8.0/snapshot.3c",
        "snapshots/3.9.5/snapshot.3c",
    };
    for (size_t i = 0; i < ARRAY_COUNT(files); i++) {
        struct disk *d = disk_new(1);
        struct store_error err;
        struct snapshot_info info;
        struct snapshot_writer *w;
        struct tree *t;
        struct buf theirs = load(files[i]);
        char dir[512], path[512];
        const char *name = strrchr(files[i], '/') + 1;
        snprintf(dir, sizeof dir, GOLDEN "%.*s", (int)(name - files[i] - 1), files[i]);
        if (snapshot_read(fs_real(), dir, name, &test_options, &t, &info, &err) < 0)
            fail_msg("%s", err.text);
        tree_free(t);
        size_t behind = 13 + (info.digest_version != 0 ? 33u : 0u) + (info.has_last_zxid ? 21u : 0u);
        struct snapshot_write_options o = { .dir = DIR_NAME,
                                            .zxid = info.zxid,
                                            .digest = info.digest_version != 0,
                                            .tree_digest = info.digest,
                                            .digest_zxid = info.digest_zxid,
                                            .last_zxid_block = info.has_last_zxid };
        assert_int_equal(snapshot_write_begin(disk_fs(d), &o, &w, &err), 0);
        assert_int_equal(snapshot_write_body(w, slice_of(theirs.p + 16, theirs.n - 16 - behind), &err), 0);
        assert_int_equal(snapshot_write_end(w, &err), 0);
        snprintf(path, sizeof path, DIR_NAME "/%s", name);
        struct buf ours = written(d, path);
        same_bytes(files[i], buf_slice(&theirs), buf_slice(&ours));
        buf_fini(&theirs);
        buf_fini(&ours);
        disk_free(d);
    }
}

/* The tree of a first start holds the same nodes, so its snapshot is as long, whatever their order. */
static void a_fresh_snapshot_has_the_size_of_apaches(void **state)
{
    (void)state;
    struct disk *d = disk_new(1);
    struct store_error err;
    struct snapshot_writer *w;
    struct tree *t = tree_new(&test_options.tree);
    struct tree_walk *walk = tree_walk_begin(t);
    struct buf body, theirs = load("small/version-2/snapshot.0");
    buf_init(&body, SIZE_MAX);
    while (tree_walk_next(walk, 1000, &body))
        ;
    tree_walk_end(walk);
    tree_free(t);
    assert_int_equal(
        snapshot_write_begin(disk_fs(d), &(struct snapshot_write_options){ .dir = DIR_NAME, .digest = true }, &w, &err),
        0);
    assert_int_equal(snapshot_write_body(w, buf_slice(&body), &err), 0);
    assert_int_equal(snapshot_write_end(w, &err), 0);
    struct buf ours = written(d, DIR_NAME "/snapshot.0");
    assert_int_equal(ours.n, theirs.n);
    buf_fini(&ours);
    buf_fini(&theirs);
    buf_fini(&body);
    disk_free(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(logs_are_written_again_byte_for_byte),
        cmocka_unit_test(snapshots_are_written_again_byte_for_byte),
        cmocka_unit_test(a_fresh_snapshot_has_the_size_of_apaches),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
