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
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
