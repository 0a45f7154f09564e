/* The writer: how many calls a batch costs, what the files look like. The reader: where a log ends, and what is
 * damage. */
#include "store/test_support.h"

#define LOG1 DIR_NAME "/log.1"

struct fixture {
    struct disk *disk;
    struct fs *fs;
    struct history history;
    struct rng rng;
    struct store_error err;
    int zeros_written;
};

static int setup(void **state)
{
    struct fixture *f = mem_zalloc(sizeof *f);
    f->disk = disk_new(1);
    f->fs = disk_fs(f->disk);
    history_init(&f->history);
    rng_init(&f->rng, 5);
    assert_int_equal(f->fs->ops->make_dir(f->fs, DIR_NAME), 0);
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

static struct txnlog *log_of(struct fixture *f, uint64_t prealloc_bytes, uint64_t size_limit_bytes)
{
    return txnlog_new(f->fs, &(struct txnlog_options){ .dir = DIR_NAME,
                                                       .prealloc_bytes = prealloc_bytes,
                                                       .size_limit_bytes = size_limit_bytes,
                                                       .force_sync = true });
}

static void append(struct fixture *f, struct txnlog *l)
{
    history_grow(&f->history, &f->rng);
    txnlog_append(l, f->history.last, f->history.payload[f->history.last]);
}

static void append_flush(struct fixture *f, struct txnlog *l, int n)
{
    for (int i = 0; i < n; i++)
        append(f, l);
    assert_int_equal(txnlog_flush(l, &f->err), 0);
}

static struct buf file(const struct fixture *f, const char *name)
{
    struct buf b;
    buf_init(&b, SIZE_MAX);
    assert_int_equal(disk_get(f->disk, name, &b), 0);
    return b;
}

static size_t file_bytes(const struct fixture *f, const char *name)
{
    struct buf b = file(f, name);
    size_t n = b.n;
    buf_fini(&b);
    return n;
}

static size_t record_bytes(const struct fixture *f, int64_t first, int64_t last)
{
    size_t n = 0;
    for (int64_t z = first; z <= last; z++)
        n += f->history.payload[z].n + TXNLOG_OVERHEAD_BYTES;
    return n;
}

/* ---- writing ---- */

static void a_batch_is_one_write_and_one_sync(void **state)
{
    struct fixture *f = *state;
    struct txnlog *l = log_of(f, 1 << 20, 0);
    assert_int_equal(txnlog_flush(l, &f->err), 0);
    assert_int_equal(disk_op_count(f->disk), 0);
    append_flush(f, l, 1);
    /* A new file: what was left removed, open, header, allocate, sync, rename, sync of the directory; then the batch.
     */
    assert_int_equal(disk_op_count(f->disk), 7 + 2);
    append_flush(f, l, 1);
    assert_int_equal(disk_op_count(f->disk), 7 + 4);
    append_flush(f, l, 100);
    assert_int_equal(disk_op_count(f->disk), 7 + 6);
    assert_int_equal(txnlog_flush(l, &f->err), 0);
    assert_int_equal(disk_op_count(f->disk), 7 + 6);
    assert_int_equal(disk_pending_count(f->disk), 0);
    txnlog_free(l);
}

static void records_are_framed(void **state)
{
    struct fixture *f = *state;
    struct txnlog *l = log_of(f, 0, 0);
    append_flush(f, l, 2);
    txnlog_free(l);
    struct buf b = file(f, LOG1);
    assert_int_equal(b.n, 16 + record_bytes(f, 1, 2));
    assert_memory_equal(b.p, "ZKLG\0\0\0\2\0\0\0\0\0\0\0\0", 16);
    struct slice first = f->history.payload[1];
    assert_int_equal(load_be32(b.p + 16), 0);
    assert_int_equal(load_be32(b.p + 24), first.n);
    assert_memory_equal(b.p + 28, first.p, first.n);
    assert_int_equal(b.p[28 + first.n], 'B');
    buf_fini(&b);
}

/* Sizes as Apache's (disk specification 2.6): 16, then steps; a step is due 4096 bytes before the end. */
static void preallocates_in_steps(void **state)
{
    struct fixture *f = *state;
    struct txnlog *l = log_of(f, 65536, 100 * 1024);
    append_flush(f, l, 1);
    assert_int_equal(txnlog_file_bytes(l), 65552);
    while (record_bytes(f, 1, f->history.last) + 16 + 4096 < 65552) {
        assert_int_equal(file_bytes(f, LOG1), 65552);
        append_flush(f, l, 1);
    }
    append_flush(f, l, 1);
    assert_int_equal(file_bytes(f, LOG1), 131088);
    /* 131088 is over the limit of txnLogSizeLimitInKb: the next record begins a file. */
    char name[64];
    snprintf(name, sizeof name, DIR_NAME "/log.%" PRIx64, (uint64_t)f->history.last + 1);
    append_flush(f, l, 1);
    assert_int_equal(file_bytes(f, name), 65552);
    txnlog_free(l);
}

/* The default of preAllocSize is larger than a small volume. */
static void a_disk_without_room_for_a_step_is_used_up(void **state)
{
    struct fixture *f = *state;
    struct txnlog *l = log_of(f, 64u << 20, 0);
    disk_set_capacity(f->disk, 400 * 1000);
    append_flush(f, l, 1);
    assert_in_range(txnlog_file_bytes(l), 65536, 400 * 1000);
    static const uint8_t payload[4000] = { 1 };
    int64_t zxid = 1;
    while (txnlog_flush(l, &f->err) == 0)
        txnlog_append(l, ++zxid, slice_of(payload, sizeof payload));
    assert_says(f->err.text, LOG1 ": cannot preallocate (preAllocSize): no space left on device");
    assert_in_range(zxid * 4000, 300 * 1000, 400 * 1000);
    txnlog_free(l);
}

static void rolls_inside_a_batch(void **state)
{
    struct fixture *f = *state;
    struct txnlog *l = log_of(f, 0, 0);
    append(f, l);
    append(f, l);
    txnlog_roll(l);
    txnlog_roll(l);
    append(f, l);
    append_flush(f, l, 1);
    txnlog_roll(l);
    assert_int_equal(txnlog_flush(l, &f->err), 0);
    append_flush(f, l, 1);
    assert_int_equal(disk_pending_count(f->disk), 0);
    txnlog_free(l);
    assert_int_equal(file_bytes(f, LOG1), 16 + record_bytes(f, 1, 2));
    assert_int_equal(file_bytes(f, DIR_NAME "/log.3"), 16 + record_bytes(f, 3, 4));
    assert_int_equal(file_bytes(f, DIR_NAME "/log.5"), 16 + record_bytes(f, 5, 5));
}

static void a_file_of_the_same_name_is_replaced(void **state)
{
    struct fixture *f = *state;
    disk_put(f->disk, LOG1, slice_str("ZKLG and what an earlier process left"));
    struct txnlog *l = log_of(f, 0, 0);
    append_flush(f, l, 1);
    txnlog_free(l);
    assert_int_equal(file_bytes(f, LOG1), 16 + record_bytes(f, 1, 1));
}

static void without_force_sync_nothing_is_synced(void **state)
{
    struct fixture *f = *state;
    struct txnlog *l = txnlog_new(f->fs, &(struct txnlog_options){ .dir = DIR_NAME });
    disk_set_fault(f->disk, (struct disk_fault){ DISK_OP_SYNC | DISK_OP_SYNC_DIR, 1, ERR_IO, true });
    append_flush(f, l, 3);
    txnlog_roll(l);
    append_flush(f, l, 3);
    assert_false(disk_fault_hit(f->disk));
    txnlog_free(l);
}

static void an_error_sticks(void **state)
{
    struct fixture *f = *state;
    struct txnlog *l = log_of(f, 0, 0);
    append_flush(f, l, 1);
    disk_set_fault(f->disk, (struct disk_fault){ DISK_OP_SYNC, 1, ERR_IO, false });
    append(f, l);
    assert_int_equal(txnlog_flush(l, &f->err), ERR_IO);
    assert_says(f->err.text, LOG1 ": cannot sync: input/output error");
    append(f, l);
    uint64_t ops = disk_op_count(f->disk);
    assert_int_equal(txnlog_flush(l, &f->err), ERR_IO);
    assert_int_equal(disk_op_count(f->disk), ops);
    txnlog_free(l);
}

/* Between two syncs no more is written than the reader takes for torn. */
static void a_huge_batch_is_synced_in_pieces(void **state)
{
    struct fixture *f = *state;
    struct txnlog *l = log_of(f, 0, 0);
    append_flush(f, l, 1);
    uint64_t ops = disk_op_count(f->disk);
    size_t n = 0;
    uint8_t *payload = mem_zalloc(100000);
    for (int64_t z = 2; n < 3 * TXNLOG_WRITE_BYTES_MAX; z++, n += 100000)
        txnlog_append(l, z, slice_of(payload, 100000));
    assert_int_equal(txnlog_flush(l, &f->err), 0);
    assert_int_equal(disk_op_count(f->disk) - ops, 2 * 3);
    mem_free(payload);
    txnlog_free(l);
}

/* ---- reading ---- */

struct read_result {
    int rc;
    int64_t count, zxid;
    enum txnlog_end end;
    uint64_t offset;
};

static struct read_result read_log(struct fixture *f, const char *name)
{
    struct txnlog_reader *r;
    struct read_result out = { 0 };
    struct slice payload;
    uint64_t offset;
    out.rc = txnlog_reader_open(f->fs, name, 100000, &r, &f->err);
    if (out.rc < 0)
        return out;
    while ((out.rc = txnlog_reader_next(r, &payload, &offset, &f->err)) == 1) {
        out.count++;
        assert_int_equal(load_be64(payload.p + 12), txnlog_reader_zxid(r));
    }
    struct store_error again;
    assert_int_equal(txnlog_reader_next(r, &payload, &offset, &again), out.rc);
    if (out.rc == 0 && txnlog_reader_end(r) == TXNLOG_END_TORN)
        snprintf(f->err.text, sizeof f->err.text, "%s", txnlog_reader_torn_text(r));
    out.zxid = txnlog_reader_zxid(r);
    out.end = txnlog_reader_end(r);
    out.offset = txnlog_reader_offset(r);
    txnlog_reader_close(r);
    return out;
}

/* A log of `count` records on the disk, followed by `zeros`. */
static struct buf make_log(struct fixture *f, int count, size_t zeros)
{
    struct txnlog *l = log_of(f, 0, 0);
    append_flush(f, l, count);
    txnlog_free(l);
    struct buf b = file(f, LOG1);
    if (zeros > 0)
        memset(buf_add(&b, zeros), 0, zeros);
    return b;
}

static struct read_result read_bytes(struct fixture *f, struct slice bytes)
{
    disk_put(f->disk, DIR_NAME "/log.x", bytes);
    return read_log(f, DIR_NAME "/log.x");
}

static uint64_t offset_of(const struct fixture *f, int64_t zxid)
{
    return 16 + record_bytes(f, 1, zxid - 1);
}

static void a_log_cut_anywhere_is_torn(void **state)
{
    struct fixture *f = *state;
    struct buf b = make_log(f, 5, 0);
    for (int padded = 0; padded < 2; padded++) {
        for (size_t n = 16; n <= b.n; n++) {
            struct buf cut;
            buf_init(&cut, SIZE_MAX);
            buf_append(&cut, b.p, n);
            if (padded)
                memset(buf_add(&cut, 5000), 0, 5000);
            struct read_result got = read_bytes(f, buf_slice(&cut));
            int64_t whole = 0;
            while (whole < 5 && offset_of(f, whole + 2) <= n)
                whole++;
            bool clean =
                offset_of(f, whole + 1) == n || (n - offset_of(f, whole + 1) <= 4); /* the zeros a record begins with */
            assert_int_equal(got.rc, 0);
            assert_int_equal(got.count, whole);
            assert_int_equal(got.offset, offset_of(f, whole + 1));
            assert_int_equal(got.end, clean ? TXNLOG_END_CLEAN : TXNLOG_END_TORN);
            if (!clean)
                assert_says(f->err.text, DIR_NAME "/log.x: torn at offset ");
            buf_fini(&cut);
        }
    }
    buf_fini(&b);
}

/* One flipped bit anywhere in a record with a successor is damage, never the end of the log; in the last one it is
 * damage or, where a crash could have left it so, a torn end without that record. */
static void a_flipped_bit_is_never_swallowed(void **state)
{
    struct fixture *f = *state;
    struct buf b = make_log(f, 6, 3000);
    char expected[200];
    for (int64_t zxid = 1; zxid <= 6; zxid++) {
        for (uint64_t at = offset_of(f, zxid); at < offset_of(f, zxid + 1); at++) {
            uint8_t bit = (uint8_t)(1 << at % 8);
            b.p[at] ^= bit;
            struct read_result got = read_bytes(f, buf_slice(&b));
            b.p[at] ^= bit;
            assert_int_equal(got.count, zxid - 1);
            assert_int_equal(got.offset, offset_of(f, zxid));
            if (zxid == 6 && got.rc == 0) {
                assert_int_equal(got.end, TXNLOG_END_TORN);
                continue;
            }
            if (got.rc != ERR_CORRUPT)
                fail_msg("a flipped bit at %" PRIu64 " (record 0x%" PRIx64 " begins at %" PRIu64 ") went unseen: %s",
                         at, (uint64_t)zxid, offset_of(f, zxid), f->err.text);
            snprintf(expected, sizeof expected, DIR_NAME "/log.x: damaged at offset %" PRIu64 ": ", got.offset);
            assert_says(f->err.text, expected);
            assert_says(f->err.text, "run `zokor log repair " DIR_NAME "/log.x`, or restore from a backup");
            if (zxid > 1) {
                snprintf(expected, sizeof expected, "the record before it has zxid 0x%" PRIx64, (uint64_t)zxid - 1);
                assert_says(f->err.text, expected);
            }
            if (zxid < 6) {
                snprintf(expected, sizeof expected,
                         "a valid record with zxid 0x%" PRIx64 " stands behind it at offset %" PRIu64,
                         (uint64_t)zxid + 1, offset_of(f, zxid + 1));
                assert_says(f->err.text, expected);
            }
        }
    }
    buf_fini(&b);
}

/* A wrong checksum is damage even at the end: with its end byte there, the record was written whole. */
static void a_wrong_checksum_at_the_end_is_damage(void **state)
{
    struct fixture *f = *state;
    struct buf b = make_log(f, 3, 100);
    b.p[offset_of(f, 3) + 30] ^= 1;
    struct read_result got = read_bytes(f, buf_slice(&b));
    assert_int_equal(got.rc, ERR_CORRUPT);
    assert_says(f->err.text,
                "a record with a wrong checksum; the record before it has zxid 0x2; no valid record stands "
                "behind it");
    buf_fini(&b);
}

static void impossible_lengths_are_damage(void **state)
{
    struct fixture *f = *state;
    static const uint32_t lengths[] = { UINT32_MAX, 0x80000000, 100001, 0x7fffffff };
    struct buf b = make_log(f, 3, 0);
    for (size_t i = 0; i < ARRAY_COUNT(lengths); i++) {
        store_be32(b.p + offset_of(f, 3) + 8, lengths[i]);
        assert_int_equal(read_bytes(f, buf_slice(&b)).rc, ERR_CORRUPT);
        assert_says(f->err.text, "a record of impossible length ");
        assert_says(f->err.text, "(the limit is 100000)");
    }
    buf_fini(&b);
}

/* Zeros in the middle, as a lost sector leaves them. Near the end a crash may have done it; further away from it than
 * one write reaches it is damage. */
static void a_hole_is_torn_only_near_the_end(void **state)
{
    struct fixture *f = *state;
    struct buf b = make_log(f, 200, 0);
    assert_true(b.n > 4 * 512);
    memset(b.p + 1024, 0, 512);
    struct read_result got = read_bytes(f, buf_slice(&b));
    assert_int_equal(got.rc, 0);
    assert_int_equal(got.end, TXNLOG_END_TORN);
    assert_true(got.offset < 1536);
    assert_says(f->err.text, "sectors of an unfinished write are missing");

    struct buf far;
    buf_init(&far, SIZE_MAX);
    buf_append(&far, b.p, b.n);
    memset(buf_add(&far, 3 << 20), 0, 3 << 20); /* more zeros than are read densely, then a record */
    struct slice last = f->history.payload[200];
    buf_append(&far, b.p + offset_of(f, 200), last.n + TXNLOG_OVERHEAD_BYTES);
    memset(buf_add(&far, 1 << 20), 0, 1 << 20);
    got = read_bytes(f, buf_slice(&far));
    assert_int_equal(got.rc, ERR_CORRUPT);
    buf_fini(&far);

    /* The same hole, one byte off the sectors: no crash does that. */
    struct buf shifted = file(f, LOG1);
    memset(shifted.p + 1025, 0, 300);
    assert_int_equal(read_bytes(f, buf_slice(&shifted)).rc, ERR_CORRUPT);
    buf_fini(&shifted);
    buf_fini(&b);
}

/* What looks like a record inside the torn one's own data, but has a zxid that cannot follow, is no successor. */
static void old_records_behind_the_end_do_not_count(void **state)
{
    struct fixture *f = *state;
    struct buf b = make_log(f, 5, 0);
    struct buf stale;
    buf_init(&stale, SIZE_MAX);
    buf_append(&stale, b.p, offset_of(f, 5) + 20);
    memset(buf_add(&stale, 50), 0, 50);
    buf_append(&stale, b.p + offset_of(f, 2), f->history.payload[2].n + TXNLOG_OVERHEAD_BYTES);
    struct read_result got = read_bytes(f, buf_slice(&stale));
    assert_int_equal(got.rc, 0);
    assert_int_equal(got.count, 4);
    assert_int_equal(got.end, TXNLOG_END_TORN);
    buf_fini(&stale);
    buf_fini(&b);
}

static void headers_are_checked(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(read_bytes(f, slice_of("", 0)).rc, ERR_END);
    for (size_t n = 1; n < 16; n++) {
        assert_int_equal(read_bytes(f, slice_of("ZKLG\0\0\0\2\0\0\0\0\0\0\0", n)).rc, ERR_CORRUPT);
        assert_says(f->err.text, "less than a log's header");
    }
    assert_int_equal(read_bytes(f, slice_of("ZKSN\0\0\0\2\0\0\0\0\0\0\0\0", 16)).rc, ERR_CORRUPT);
    assert_says(f->err.text, "begins with 5a4b534e");
    struct read_result got = read_bytes(f, slice_of("ZKLG\0\0\0\3\0\0\0\0\0\0\0\1", 16));
    assert_int_equal(got.rc, 0); /* neither version nor dbid is looked at */
    assert_int_equal(got.zxid, -1);
    assert_int_equal(read_log(f, DIR_NAME "/log.none").rc, ERR_NOT_FOUND);
}

static void a_read_error_is_told(void **state)
{
    struct fixture *f = *state;
    struct buf b = make_log(f, 3, 0);
    disk_set_fault(f->disk, (struct disk_fault){ DISK_OP_READ, 1, ERR_IO, true });
    assert_int_equal(read_log(f, LOG1).rc, ERR_IO);
    assert_says(f->err.text, LOG1 ": cannot read at offset 0: input/output error");
    buf_fini(&b);
}

static void names(void **state)
{
    (void)state;
    static const struct {
        const char *name, *kind;
        int64_t zxid;
    } rows[] = {
        { "log.1f", "log", 0x1f },
        { "log.1F", "log", 0x1f },
        { "log.100000001", "log", 0x100000001 },
        { "snapshot.0", "snapshot", 0 },
        { "snapshot.3.tmp", "snapshot", 3 },
        { "snapshot.12.gz", "snapshot", 0x12 },
        { "log.2.fixed", "log", 2 },
        { "log.", "log", -1 },
        { "log", "log", -1 },
        { "logs.1", "log", -1 },
        { "tmp-log.1", "log", -1 },
        { "log.1x", "log", -1 },
        { "log.0x1", "log", -1 },
        { "log.7fffffffffffffff", "log", INT64_MAX },
        { "log.8000000000000000", "log", -1 },
        { "log.10000000000000000", "log", -1 },
        { "snapshot.1", "log", -1 },
    };
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        if (store_name_zxid(rows[i].name, rows[i].kind) != rows[i].zxid)
            fail_msg("%s", rows[i].name);
    }
}

/* Writes an offer as its taker does. */
static void take_offer(struct fixture *f, struct txnlog *l, bool ahead)
{
    struct txnlog_piece piece;
    struct fs_file *to;
    assert_true(txnlog_offer(l, ahead, &piece));
    assert_int_equal(piece.offset % TXNLOG_BLOCK_BYTES, 0);
    assert_int_equal(piece.n % TXNLOG_BLOCK_BYTES, 0);
    assert_int_equal((uintptr_t)piece.p % TXNLOG_BLOCK_BYTES, 0);
    assert_int_equal(fs_open(f->fs, piece.path, FS_WRITE, &to), 0);
    assert_true(piece.offset + piece.n + piece.zeros <= (uint64_t)f->fs->ops->size(to));
    assert_true(piece.zeros == 0 || (ahead && piece.zeros == TXNLOG_AHEAD_BYTES));
    assert_int_equal(f->fs->ops->write_at(to, piece.offset, piece.p, piece.n), 0);
    if (piece.zeros != 0) {
        uint8_t *zeros = mem_zalloc(piece.zeros);
        assert_int_equal(f->fs->ops->write_at(to, piece.offset + piece.n, zeros, piece.zeros), 0);
        mem_free(zeros);
        f->zeros_written++;
    }
    assert_int_equal(f->fs->ops->sync(to), 0);
    f->fs->ops->close(to);
    txnlog_took(l);
}

/* Whoever writes which batch, the file is the same, byte by byte. */
static void an_offer_taken_is_a_flush(void **state)
{
    struct fixture *f = *state;
    struct txnlog *l = log_of(f, 1 << 20, 0), *plain;
    int taken = 0, flushed = 0;
    append_flush(f, l, 1);
    for (int i = 0; i < 800; i++) {
        size_t n = 0, count = 1 + (size_t)i % 3;
        int64_t first = f->history.last + 1;
        for (size_t k = 0; k < count; k++)
            history_grow(&f->history, &f->rng);
        for (int64_t z = first; z <= f->history.last; z++)
            n += f->history.payload[z].n;
        bool would = txnlog_would_offer(l, count, n);
        for (int64_t z = first; z <= f->history.last; z++)
            txnlog_append(l, z, f->history.payload[z]);
        struct txnlog_piece piece;
        assert_int_equal(txnlog_offer(l, false, &piece), would);
        if (would && i % 4 == 1) { /* could not be done: the same comes again */
            txnlog_withdraw(l);
            for (int64_t z = first; z <= f->history.last; z++)
                txnlog_append(l, z, f->history.payload[z]);
        }
        if (would && i % 4 != 3) {
            take_offer(f, l, i % 4 == 2);
            taken++;
        } else {
            assert_int_equal(txnlog_flush(l, &f->err), 0);
            flushed++;
        }
    }
    assert_true(taken > 100 && flushed > 100 && f->zeros_written > 0);
    struct buf made = file(f, LOG1);
    txnlog_free(l);
    plain = log_of(f, 1 << 20, 0);
    for (int64_t z = 1; z <= f->history.last; z++) {
        txnlog_append(plain, z, f->history.payload[z]);
        assert_int_equal(txnlog_flush(plain, &f->err), 0);
    }
    struct buf wanted = file(f, LOG1);
    assert_true(slice_eq(buf_slice(&made), buf_slice(&wanted)));
    txnlog_free(plain);
    buf_fini(&made);
    buf_fini(&wanted);
}

static void what_is_not_offered(void **state)
{
    struct fixture *f = *state;
    struct txnlog *l = log_of(f, 8192, 0);
    struct txnlog_piece piece;
    assert_false(txnlog_offer(l, false, &piece)); /* nothing */
    append(f, l);
    assert_false(txnlog_offer(l, false, &piece)); /* begins a file */
    assert_int_equal(txnlog_flush(l, &f->err), 0);
    uint64_t bytes = txnlog_file_bytes(l);
    assert_false(txnlog_would_offer(l, 1, 0x7fffffff));
    assert_false(txnlog_would_offer(l, 1, bytes)); /* lengthens it */
    assert_true(txnlog_would_offer(l, 1, 100));
    txnlog_roll(l);
    assert_false(txnlog_would_offer(l, 1, 100));
    append(f, l);
    assert_false(txnlog_offer(l, false, &piece)); /* begins another one */
    assert_int_equal(txnlog_flush(l, &f->err), 0);
    append(f, l);
    assert_true(txnlog_offer(l, false, &piece));
    txnlog_refused(l, ERR_IO, &f->err);
    assert_true(f->err.text[0] != '\0');
    assert_int_equal(txnlog_flush(l, &f->err), ERR_IO); /* sticks */
    assert_false(txnlog_would_offer(l, 1, 100));
    txnlog_free(l);
}

struct answer {
    int rc;
    size_t asked, zeros;
};

static int answers(void *ctx, const struct txnlog_piece *piece)
{
    struct answer *a = ctx;
    a->asked++;
    a->zeros = piece->zeros;
    return a->rc;
}

static void a_taker_is_asked_first(void **state)
{
    struct fixture *f = *state;
    struct txnlog *l = txnlog_new(f->fs, &(struct txnlog_options){ .dir = DIR_NAME,
                                                                   .prealloc_bytes = 1 << 16,
                                                                   .force_sync = true,
                                                                   .ahead_bytes = 2 * TXNLOG_BLOCK_BYTES });
    struct answer answer = { .rc = ERR_IO };
    struct txnlog_taker taker = { .write = answers, .ctx = &answer };
    append(f, l);
    assert_int_equal(txnlog_flush_by(l, &taker, &f->err), 0); /* begins a file: it is not offered */
    assert_int_equal(answer.asked, 0);
    append(f, l);
    answer.rc = ERR_INVALID;
    assert_int_equal(txnlog_flush_by(l, &taker, &f->err), 0); /* went the other way */
    assert_int_equal(answer.asked, 1);
    assert_int_equal(answer.zeros, 2 * TXNLOG_BLOCK_BYTES);
    struct read_result got = read_log(f, LOG1);
    assert_int_equal(got.rc, 0);
    assert_int_equal(got.zxid, 2);
    append(f, l);
    answer.rc = 0;
    assert_int_equal(txnlog_flush_by(l, &taker, &f->err), 0); /* says that it has written it, and has not */
    assert_int_equal(answer.zeros, 0);
    assert_int_equal(read_log(f, LOG1).zxid, 2);
    append(f, l);
    answer.rc = ERR_NO_SPACE;
    assert_int_equal(txnlog_flush_by(l, &taker, &f->err), ERR_NO_SPACE);
    assert_says(f->err.text, "no space left on device");
    answer.rc = 0;
    assert_int_equal(txnlog_flush_by(l, &taker, &f->err), ERR_NO_SPACE); /* sticks */
    assert_int_equal(answer.asked, 3);
    txnlog_free(l);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_batch_is_one_write_and_one_sync),
        TEST(records_are_framed),
        TEST(preallocates_in_steps),
        TEST(a_disk_without_room_for_a_step_is_used_up),
        TEST(rolls_inside_a_batch),
        TEST(a_file_of_the_same_name_is_replaced),
        TEST(without_force_sync_nothing_is_synced),
        TEST(an_error_sticks),
        TEST(a_huge_batch_is_synced_in_pieces),
        TEST(an_offer_taken_is_a_flush),
        TEST(what_is_not_offered),
        TEST(a_taker_is_asked_first),
        TEST(a_log_cut_anywhere_is_torn),
        TEST(a_flipped_bit_is_never_swallowed),
        TEST(a_wrong_checksum_at_the_end_is_damage),
        TEST(impossible_lengths_are_damage),
        TEST(a_hole_is_torn_only_near_the_end),
        TEST(old_records_behind_the_end_do_not_count),
        TEST(headers_are_checked),
        TEST(a_read_error_is_told),
        cmocka_unit_test(names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
