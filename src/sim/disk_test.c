#include "base/err.h"
#include "base/mem.h"
#include "sim/disk.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

static struct fs_file *opened(struct disk *d, const char *name, int flags)
{
    struct fs_file *f = NULL;
    assert_int_equal(fs_open(disk_fs(d), name, flags, &f), 0);
    return f;
}

static void write_file(struct disk *d, const char *name, const char *text)
{
    struct fs *fs = disk_fs(d);
    struct fs_file *f = opened(d, name, FS_WRITE | FS_CREATE | FS_TRUNCATE);
    assert_int_equal(fs->ops->write_at(f, 0, text, strlen(text)), 0);
    fs->ops->close(f);
}

static void sync_file(struct disk *d, const char *name)
{
    struct fs_file *f = opened(d, name, FS_WRITE);
    assert_int_equal(disk_fs(d)->ops->sync(f), 0);
    disk_fs(d)->ops->close(f);
}

/* Contents as a string: "-" if the file is not there. */
static const char *contents(struct disk *d, const char *name)
{
    static char text[4][200];
    static int turn;
    struct buf b;
    char *to = text[turn++ % 4];
    buf_init(&b, sizeof text[0] - 1);
    if (disk_get(d, name, &b) == ERR_NOT_FOUND) {
        strcpy(to, "-");
    } else {
        for (size_t i = 0; i < b.n; i++)
            to[i] = b.p[i] == 0 ? '0' : (char)b.p[i];
        to[b.n] = '\0';
    }
    buf_fini(&b);
    return to;
}

static const char *after_crash(struct disk *d, enum disk_crash_kind kind, uint64_t number, const char *name)
{
    struct disk *after = disk_crash(d, (struct disk_crash_plan){ kind, number });
    const char *text = contents(after, name);
    assert_int_equal(disk_pending_count(after), 0);
    disk_free(after);
    return text;
}

static struct disk *disk_with_dir(void)
{
    struct disk *d = disk_new(1);
    assert_int_equal(disk_fs(d)->ops->make_dir(disk_fs(d), "/a/b"), 0);
    return d;
}

static void contents_need_a_sync_and_names_a_sync_of_the_directory(void **state)
{
    (void)state;
    struct disk *d = disk_with_dir();
    write_file(d, "/a/b/f", "one");
    assert_string_equal(contents(d, "/a/b/f"), "one");
    assert_string_equal(after_crash(d, DISK_CRASH_LOSE, 0, "/a/b/f"), "-");
    sync_file(d, "/a/b/f");
    assert_string_equal(after_crash(d, DISK_CRASH_LOSE, 0, "/a/b/f"), "-");
    assert_string_equal(after_crash(d, DISK_CRASH_KEEP, 0, "/a/b/f"), "one");
    assert_int_equal(disk_fs(d)->ops->sync_dir(disk_fs(d), "/a/b"), 0);
    assert_string_equal(after_crash(d, DISK_CRASH_LOSE, 0, "/a/b/f"), "one");
    assert_int_equal(disk_pending_count(d), 0);

    write_file(d, "/a/b/f", "second");
    assert_string_equal(after_crash(d, DISK_CRASH_LOSE, 0, "/a/b/f"), "one");
    assert_string_equal(after_crash(d, DISK_CRASH_PREFIX, 1, "/a/b/f"), "");    /* the truncation only */
    assert_string_equal(after_crash(d, DISK_CRASH_SET, 2, "/a/b/f"), "second"); /* the write only */
    assert_string_equal(after_crash(d, DISK_CRASH_KEEP, 0, "/a/b/f"), "second");
    disk_free(d);
}

static void a_name_may_survive_without_its_contents(void **state)
{
    (void)state;
    struct disk *d = disk_with_dir();
    struct fs *fs = disk_fs(d);
    write_file(d, "/a/b/t", "new");
    assert_int_equal(fs->ops->rename(fs, "/a/b/t", "/a/b/f"), 0);
    assert_int_equal(fs->ops->sync_dir(fs, "/a/b"), 0);
    assert_string_equal(after_crash(d, DISK_CRASH_LOSE, 0, "/a/b/f"), "");
    assert_string_equal(after_crash(d, DISK_CRASH_LOSE, 0, "/a/b/t"), "-");
    assert_int_equal(fs->ops->remove(fs, "/a/b/f"), 0);
    assert_string_equal(after_crash(d, DISK_CRASH_LOSE, 0, "/a/b/f"), "");
    assert_string_equal(after_crash(d, DISK_CRASH_SET, 2, "/a/b/f"), "-");
    disk_free(d);
}

static void a_torn_write_loses_sectors_and_nothing_else(void **state)
{
    (void)state;
    struct disk *d = disk_with_dir();
    struct fs *fs = disk_fs(d);
    uint8_t block[3 * DISK_SECTOR_BYTES];
    memset(block, 'x', sizeof block);
    disk_put(d, "/a/b/f", slice_of("old", 3));
    struct fs_file *f = opened(d, "/a/b/f", FS_WRITE);
    assert_int_equal(fs->ops->write_at(f, 3, block, sizeof block), 0);
    fs->ops->close(f);
    bool whole = false, lost = false, middle_lost = false, cut = false, empty = false;
    for (uint64_t seed = 0; seed < 300; seed++) {
        struct disk *after = disk_crash(d, (struct disk_crash_plan){ DISK_CRASH_SEED, seed });
        struct buf b;
        buf_init(&b, SIZE_MAX);
        assert_int_equal(disk_get(after, "/a/b/f", &b), 0);
        assert_memory_equal(b.p, "old", 3);
        for (size_t i = 3; i < b.n; i++)
            assert_true(b.p[i] == 'x' || b.p[i] == 0);
        whole |= b.n == 3 + sizeof block && memchr(b.p, 0, b.n) == NULL;
        lost |= b.n == 3;
        cut |= b.n > 3 && b.n % DISK_SECTOR_BYTES > 3;
        empty |= b.n == 3 + sizeof block && memchr(b.p, 'x', b.n) == NULL;
        middle_lost |= b.n > 2 * DISK_SECTOR_BYTES && b.p[3] == 'x' && b.p[DISK_SECTOR_BYTES] == 0 &&
                       b.p[2 * DISK_SECTOR_BYTES] == 'x';
        buf_fini(&b);
        disk_free(after);
    }
    assert_true(whole && lost && cut && middle_lost && empty);
    disk_free(d);
}

static void a_failed_sync_is_never_made_good(void **state)
{
    (void)state;
    struct disk *d = disk_with_dir();
    struct fs *fs = disk_fs(d);
    disk_put(d, "/a/b/f", slice_of("old", 3));
    write_file(d, "/a/b/f", "new");
    struct fs_file *f = opened(d, "/a/b/f", FS_WRITE);
    disk_set_fault(d, (struct disk_fault){ .kinds = DISK_OP_SYNC, .nth = 1, .err = ERR_IO });
    assert_int_equal(fs->ops->sync(f), ERR_IO);
    assert_true(disk_fault_hit(d));
    assert_int_equal(fs->ops->sync(f), 0);
    fs->ops->close(f);
    assert_string_equal(contents(d, "/a/b/f"), "new");
    assert_string_equal(after_crash(d, DISK_CRASH_LOSE, 0, "/a/b/f"), "old");
    disk_free(d);
}

static void what_is_settled_is_what_the_disk_has(void **state)
{
    (void)state;
    struct disk *d = disk_with_dir();
    struct fs *fs = disk_fs(d);
    disk_put(d, "/a/b/f", slice_of("old", 3));
    write_file(d, "/a/b/f", "new");
    struct fs_file *f = opened(d, "/a/b/f", FS_WRITE);
    disk_set_fault(d, (struct disk_fault){ .kinds = DISK_OP_SYNC, .nth = 1, .err = ERR_IO });
    assert_int_equal(fs->ops->sync(f), ERR_IO);
    assert_string_equal(contents(d, "/a/b/f"), "new");
    assert_int_equal(fs->ops->settle(f), 0);
    assert_string_equal(contents(d, "/a/b/f"), "old");
    assert_int_equal(fs->ops->write_at(f, 0, "NEW", 3), 0);
    assert_int_equal(fs->ops->settle(f), 0); /* nothing has failed since */
    fs->ops->close(f);
    assert_string_equal(after_crash(d, DISK_CRASH_LOSE, 0, "/a/b/f"), "NEW");
    disk_free(d);
}

static void the_nth_operation_fails(void **state)
{
    (void)state;
    struct disk *d = disk_with_dir();
    struct fs *fs = disk_fs(d);
    struct fs_file *f = opened(d, "/a/b/f", FS_WRITE | FS_READ | FS_CREATE);
    char two[2];
    disk_set_fault(d, (struct disk_fault){
                          .kinds = DISK_OP_WRITE | DISK_OP_READ, .nth = 3, .err = ERR_NO_SPACE, .lasting = true });
    assert_int_equal(fs->ops->write_at(f, 0, "ab", 2), 0);
    assert_int_equal(fs->ops->read_at(f, 0, two, 2), 2);
    assert_int_equal(fs->ops->write_at(f, 2, "cd", 2), ERR_NO_SPACE);
    assert_int_equal(fs->ops->read_at(f, 0, two, 2), ERR_NO_SPACE);
    assert_string_equal(contents(d, "/a/b/f"), "abc");
    disk_set_fault(d, (struct disk_fault){ .nth = 0 });
    assert_int_equal(fs->ops->read_at(f, 0, two, 2), 2);
    fs->ops->close(f);
    disk_free(d);
}

static void a_power_cut_leaves_the_operation_in_flight(void **state)
{
    (void)state;
    struct disk *d = disk_with_dir();
    struct fs *fs = disk_fs(d);
    disk_put(d, "/a/b/f", slice_of("old", 3));
    struct fs_file *f = opened(d, "/a/b/f", FS_WRITE | FS_READ);
    char b[3];
    disk_cut_power_at(d, disk_op_count(d) + 1);
    assert_int_equal(fs->ops->write_at(f, 0, "new", 3), ERR_IO);
    assert_int_equal(fs->ops->read_at(f, 0, b, 3), ERR_IO);
    assert_int_equal(fs->ops->sync(f), ERR_IO);
    assert_int_equal(fs->ops->size(f), ERR_IO);
    assert_int_equal(fs->ops->remove(fs, "/a/b/f"), ERR_IO);
    fs->ops->close(f);
    assert_string_equal(disk_last_op(d), "write /a/b/f at 0, 3 bytes");
    assert_int_equal(disk_pending_count(d), 1);
    assert_string_equal(after_crash(d, DISK_CRASH_LOSE, 0, "/a/b/f"), "old");
    assert_string_equal(after_crash(d, DISK_CRASH_KEEP, 0, "/a/b/f"), "new");
    disk_revive(d);
    f = opened(d, "/a/b/f", FS_READ);
    assert_int_equal(fs->ops->read_at(f, 0, b, 3), 3);
    fs->ops->close(f);
    assert_memory_equal(b, "new", 3);
    assert_int_equal(disk_pending_count(d), 1);
    disk_free(d);
}

static void a_full_disk_refuses(void **state)
{
    (void)state;
    struct disk *d = disk_with_dir();
    struct fs *fs = disk_fs(d);
    struct fs_file *f = opened(d, "/a/b/f", FS_WRITE | FS_CREATE);
    disk_set_capacity(d, 10);
    assert_int_equal(fs->ops->allocate(f, 11), ERR_NO_SPACE);
    assert_int_equal(fs->ops->allocate(f, 6), 0);
    assert_int_equal(fs->ops->free_bytes(fs, "/a/b"), 4);
    assert_int_equal(fs->ops->write_at(f, 0, "0123456789A", 11), ERR_NO_SPACE);
    assert_int_equal(fs->ops->write_at(f, 0, "0123456789", 10), 0);
    assert_int_equal(fs->ops->truncate(f, 2), 0);
    assert_int_equal(fs->ops->free_bytes(fs, "/a/b"), 8);
    assert_int_equal(fs->ops->allocate(f, 4), 0);
    fs->ops->close(f);
    assert_string_equal(contents(d, "/a/b/f"), "0100");
    disk_free(d);
}

static void collect(void *ctx, const char *name)
{
    buf_printf(ctx, "%s ", name);
}

static void lists_names_and_flips_bits(void **state)
{
    (void)state;
    struct disk *d = disk_with_dir();
    struct fs *fs = disk_fs(d);
    struct buf b;
    buf_init(&b, 100);
    disk_put(d, "/a/b/x", slice_of("1", 1));
    disk_put(d, "/a/b/y", slice_of("2", 1));
    disk_put(d, "/a/other", slice_of("3", 1));
    assert_int_equal(fs->ops->list(fs, "/nowhere", collect, &b), ERR_NOT_FOUND);
    assert_int_equal(fs->ops->list(fs, "/a/b", collect, &b), 0);
    assert_int_equal(b.n, 4);
    buf_append(&b, "", 1);
    assert_non_null(strstr((char *)b.p, "x "));
    assert_non_null(strstr((char *)b.p, "y "));
    assert_true(disk_flip(d, "/a/b/x", 0, 2));
    assert_false(disk_flip(d, "/a/b/x", 1, 2));
    assert_string_equal(contents(d, "/a/b/x"), "3");
    assert_string_equal(after_crash(d, DISK_CRASH_LOSE, 0, "/a/b/x"), "3");
    buf_fini(&b);
    disk_free(d);
}

static void an_open_file_outlives_its_name(void **state)
{
    (void)state;
    struct disk *d = disk_with_dir();
    struct fs *fs = disk_fs(d);
    disk_put(d, "/a/b/f", slice_of("old", 3));
    struct fs_file *f = opened(d, "/a/b/f", FS_READ);
    assert_int_equal(fs->ops->remove(fs, "/a/b/f"), 0);
    assert_int_equal(fs->ops->sync_dir(fs, "/a/b"), 0);
    char b[3];
    assert_int_equal(fs->ops->read_at(f, 0, b, 3), 3);
    assert_int_equal(fs->ops->rename(fs, "/a/b/f", "/a/b/g"), ERR_NOT_FOUND);
    fs->ops->close(f);
    assert_int_equal(fs_open(fs, "/a/b/f", FS_READ, &f), ERR_NOT_FOUND);
    disk_free(d);
}

/* ---- past the cache ---- */

#define BLOCK DISK_BLOCK_BYTES
#define FILE_BLOCKS 3u
#define FILE_BYTES (FILE_BLOCKS * BLOCK)
#define SECTORS (BLOCK / DISK_SECTOR_BYTES)

/* A file of FILE_BLOCKS blocks of '.', durable. */
static struct disk *disk_with_blocks(void)
{
    struct disk *d = disk_with_dir();
    uint8_t *bytes = mem_alloc(FILE_BYTES);
    memset(bytes, '.', FILE_BYTES);
    disk_put(d, "/a/b/f", slice_of(bytes, FILE_BYTES));
    mem_free(bytes);
    return d;
}

static int begin_block(struct disk *d, uint64_t offset, char c, size_t zeros)
{
    uint8_t block[BLOCK];
    memset(block, c, sizeof block);
    return disk_direct_begin(d, "/a/b/f", offset, block, sizeof block, zeros);
}

static void write_some(struct disk *d, uint64_t offset, char c, size_t n)
{
    uint8_t *bytes = mem_alloc(n);
    struct fs_file *f = opened(d, "/a/b/f", FS_WRITE);
    memset(bytes, c, n);
    assert_int_equal(disk_fs(d)->ops->write_at(f, offset, bytes, n), 0);
    disk_fs(d)->ops->close(f);
    mem_free(bytes);
}

/* What each sector holds: its byte, '0' for zeros, '?' if it is of several; after a power cut, or without. */
static void sectors(const struct disk *d, char to[FILE_BYTES / DISK_SECTOR_BYTES + 1])
{
    struct buf b;
    size_t k = 0;
    buf_init(&b, SIZE_MAX);
    assert_int_equal(disk_get(d, "/a/b/f", &b), 0);
    assert_int_equal(b.n, FILE_BYTES);
    for (size_t i = 0; i < b.n; i += DISK_SECTOR_BYTES, k++) {
        to[k] = b.p[i] == 0 ? '0' : (char)b.p[i];
        for (size_t j = 1; j < DISK_SECTOR_BYTES; j++)
            if (b.p[i + j] != b.p[i])
                to[k] = '?';
    }
    to[k] = '\0';
    buf_fini(&b);
}

static void sectors_after(const struct disk *d, struct disk_crash_plan plan, char *to)
{
    struct disk *after = disk_crash(d, plan);
    sectors(after, to);
    disk_free(after);
}

static const struct disk_crash_plan lose = { DISK_CRASH_LOSE, 0 }, keep = { DISK_CRASH_KEEP, 0 };

static void a_write_past_the_cache_is_durable_by_itself(void **state)
{
    (void)state;
    struct disk *d = disk_with_blocks();
    char s[FILE_BYTES / DISK_SECTOR_BYTES + 1];
    write_some(d, 0, 'a', BLOCK + DISK_SECTOR_BYTES); /* the first block, and a bit of the second */
    write_some(d, 2 * BLOCK, 'b', DISK_SECTOR_BYTES);
    assert_int_equal(begin_block(d, BLOCK, 'N', 0), 0);
    assert_true(disk_direct_is_under_way(d));
    assert_int_equal(disk_direct_end(d, false), 0);
    assert_false(disk_direct_is_under_way(d));
    sectors(d, s);
    assert_string_equal(s, "aaaaaaaaNNNNNNNNb.......");
    sectors_after(d, lose, s);
    assert_string_equal(s, "........NNNNNNNN........"); /* the others' pages are as dirty as they were */
    sectors_after(d, keep, s);
    assert_string_equal(s, "aaaaaaaaNNNNNNNNb......."); /* and nothing old comes over it */
    sync_file(d, "/a/b/f");
    sectors_after(d, lose, s);
    assert_string_equal(s, "aaaaaaaaNNNNNNNNb.......");

    assert_int_equal(begin_block(d, 0, 'Z', BLOCK), 0);
    assert_int_equal(disk_direct_end(d, false), 0);
    sectors_after(d, lose, s);
    assert_string_equal(s, "ZZZZZZZZ00000000b.......");
    disk_free(d);
}

/* What is dirty around the range, on both sides, stays so. */
static void dirty_bytes_around_the_range_stay(void **state)
{
    (void)state;
    struct disk *d = disk_with_blocks();
    char s[FILE_BYTES / DISK_SECTOR_BYTES + 1];
    write_some(d, 0, 'a', FILE_BYTES);
    assert_int_equal(begin_block(d, BLOCK, 'N', 0), 0);
    assert_int_equal(disk_pending_count(d), 3); /* two pieces of it, and what is under way */
    assert_int_equal(disk_direct_end(d, false), 0);
    sectors_after(d, lose, s);
    assert_string_equal(s, "........NNNNNNNN........");
    write_some(d, 0, 'c', DISK_SECTOR_BYTES); /* goes behind all that pends */
    sectors_after(d, keep, s);
    assert_string_equal(s, "caaaaaaaNNNNNNNNaaaaaaaa");
    disk_free(d);
}

static void a_power_cut_tears_it_by_sectors(void **state)
{
    (void)state;
    struct disk *d = disk_with_blocks();
    char s[FILE_BYTES / DISK_SECTOR_BYTES + 1];
    bool whole = false, lost = false, hole = false;
    assert_int_equal(begin_block(d, BLOCK, 'N', BLOCK), 0);
    sectors(d, s); /* a reader, too */
    assert_int_equal(strspn(s, ".N0"), FILE_BYTES / DISK_SECTOR_BYTES);
    for (uint64_t seed = 0; seed < 300; seed++) {
        sectors_after(d, (struct disk_crash_plan){ DISK_CRASH_SEED, seed }, s);
        for (size_t k = 0; k < FILE_BYTES / DISK_SECTOR_BYTES; k++)
            assert_true(s[k] == '.' || (k >= SECTORS && s[k] == (k < 2 * SECTORS ? 'N' : '0')));
        whole |= strcmp(s + SECTORS, "NNNNNNNN00000000") == 0;
        lost |= strcmp(s + SECTORS, "................") == 0;
        hole |= strstr(s, "N.N") != NULL && strstr(s, "0.0") != NULL;
    }
    assert_true(whole && lost && hole);
    disk_revive(d); /* only the process is gone: the kernel ends what was begun */
    assert_false(disk_direct_is_under_way(d));
    sectors_after(d, lose, s);
    assert_string_equal(s, "........NNNNNNNN00000000");

    disk_cut_power_at(d, disk_op_count(d) + 1);
    assert_int_equal(begin_block(d, 0, 'M', 0), 0);
    assert_string_equal(disk_last_op(d), "write past the cache /a/b/f at 0, 4096 bytes");
    assert_int_equal(disk_direct_end(d, false), ERR_IO);
    sectors_after(d, lose, s);
    assert_string_equal(s, "........NNNNNNNN00000000");
    sectors_after(d, keep, s);
    assert_string_equal(s, "MMMMMMMMNNNNNNNN00000000");
    disk_free(d);
}

/* rc tells how it went wrong; afterwards any sector may be any of both, for good or until power fails. */
static void goes_wrong(bool given_back, int err)
{
    bool was_old = false, was_new = false, was_durable = false, was_passing = false;
    struct disk *d = disk_with_blocks();
    for (int i = 0; i < 20; i++) {
        char s[FILE_BYTES / DISK_SECTOR_BYTES + 1], after[sizeof s];
        if (err != 0)
            disk_set_fault(d, (struct disk_fault){ .kinds = DISK_OP_DIRECT, .nth = 1, .err = err });
        assert_int_equal(begin_block(d, BLOCK, 'N', 0), 0);
        assert_int_equal(disk_direct_end(d, given_back), err != 0 ? err : ERR_BUSY);
        sectors(d, s);
        sectors_after(d, lose, after);
        for (size_t k = 0; k < sizeof s - 1; k++) {
            bool in = k >= SECTORS && k < 2 * SECTORS;
            assert_true(s[k] == '.' || (in && s[k] == 'N'));
            assert_true(after[k] == '.' || after[k] == s[k]);
            was_old |= in && s[k] == '.';
            was_new |= s[k] == 'N';
            was_durable |= after[k] == 'N';
            was_passing |= s[k] == 'N' && after[k] == '.';
        }
        sync_file(d, "/a/b/f");
        sectors_after(d, lose, after);
        assert_string_equal(after, s);
        write_some(d, BLOCK, '.', BLOCK);
        sync_file(d, "/a/b/f");
    }
    disk_free(d);
    assert_true(was_old && was_new && was_durable && was_passing);
}

static void what_goes_wrong_leaves_any_sectors(void **state)
{
    (void)state;
    goes_wrong(true, 0);
    goes_wrong(false, ERR_IO);
    goes_wrong(true, ERR_NO_SPACE);
}

static void only_whole_blocks_of_the_file(void **state)
{
    (void)state;
    struct disk *d = disk_with_blocks();
    uint8_t block[BLOCK] = { 0 };
    assert_int_equal(disk_direct_begin(d, "/a/b/none", 0, block, BLOCK, 0), ERR_NOT_FOUND);
    assert_int_equal(disk_direct_begin(d, "/a/b/f", 1, block, BLOCK, 0), ERR_INVALID);
    assert_int_equal(disk_direct_begin(d, "/a/b/f", 0, block, BLOCK - 1, 0), ERR_INVALID);
    assert_int_equal(disk_direct_begin(d, "/a/b/f", (uint64_t)2 * BLOCK, block, BLOCK, BLOCK), ERR_INVALID);
    assert_false(disk_direct_is_under_way(d));
    disk_free(d);
}

/* The pages of a failed sync are clean: they are dropped, not written. */
static void it_does_not_save_what_a_failed_sync_has_lost(void **state)
{
    (void)state;
    struct disk *d = disk_with_blocks();
    char s[FILE_BYTES / DISK_SECTOR_BYTES + 1];
    write_some(d, BLOCK, 'a', BLOCK);
    disk_set_fault(d, (struct disk_fault){ .kinds = DISK_OP_SYNC, .nth = 1, .err = ERR_IO });
    struct fs_file *f = opened(d, "/a/b/f", FS_WRITE);
    assert_int_equal(disk_fs(d)->ops->sync(f), ERR_IO);
    disk_fs(d)->ops->close(f);
    assert_int_equal(begin_block(d, BLOCK, 'N', 0), 0);
    assert_int_equal(disk_direct_end(d, true), ERR_BUSY);
    sectors(d, s);
    assert_null(strchr(s, 'a'));
    disk_free(d);
}

/* A size that pends is noted by the same sync. */
static void a_size_goes_with_it(void **state)
{
    (void)state;
    struct disk *d = disk_with_dir();
    struct fs *fs = disk_fs(d);
    disk_put(d, "/a/b/f", slice_of("x", 1));
    struct fs_file *f = opened(d, "/a/b/f", FS_WRITE);
    char s[FILE_BYTES / DISK_SECTOR_BYTES + 1];
    assert_int_equal(fs->ops->allocate(f, FILE_BYTES), 0);
    fs->ops->close(f);
    assert_int_equal(begin_block(d, 0, 'N', 0), 0);
    assert_int_equal(disk_direct_end(d, false), 0);
    sectors_after(d, lose, s);
    assert_string_equal(s, "NNNNNNNN0000000000000000");
    disk_free(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(contents_need_a_sync_and_names_a_sync_of_the_directory),
        cmocka_unit_test(a_name_may_survive_without_its_contents),
        cmocka_unit_test(a_torn_write_loses_sectors_and_nothing_else),
        cmocka_unit_test(a_failed_sync_is_never_made_good),
        cmocka_unit_test(what_is_settled_is_what_the_disk_has),
        cmocka_unit_test(the_nth_operation_fails),
        cmocka_unit_test(a_power_cut_leaves_the_operation_in_flight),
        cmocka_unit_test(a_full_disk_refuses),
        cmocka_unit_test(lists_names_and_flips_bits),
        cmocka_unit_test(an_open_file_outlives_its_name),
        cmocka_unit_test(a_write_past_the_cache_is_durable_by_itself),
        cmocka_unit_test(dirty_bytes_around_the_range_stay),
        cmocka_unit_test(a_power_cut_tears_it_by_sectors),
        cmocka_unit_test(what_goes_wrong_leaves_any_sectors),
        cmocka_unit_test(only_whole_blocks_of_the_file),
        cmocka_unit_test(it_does_not_save_what_a_failed_sync_has_lost),
        cmocka_unit_test(a_size_goes_with_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
