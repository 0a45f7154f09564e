/* Repair and following over a disk in memory: whatever single byte of a log is wrong, it is restored, and the damaged
 * file is as it was. */
#include "base/err.h"
#include "sim/disk.h"
#include "store/txnlog.h"
#include "tools/log_tools.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define GOLDEN ZOKOR_SOURCE_DIR "/test/golden/disk/small/version-2/log.1"
#define NAME "/d/log.1"
#define RECORDS 60

static uint8_t golden[8192];
static size_t golden_n;
static FILE *quiet;

static void put_file(struct fs *fs, const char *name, const uint8_t *p, size_t n)
{
    struct fs_file *f = NULL;
    assert_int_equal(fs_open(fs, name, FS_WRITE | FS_CREATE | FS_TRUNCATE, &f), 0);
    assert_int_equal(fs->ops->write_at(f, 0, p, n), 0);
    fs->ops->close(f);
}

static size_t get_file(struct fs *fs, const char *name, uint8_t *p, size_t n)
{
    struct fs_file *f = NULL;
    assert_int_equal(fs_open(fs, name, FS_READ, &f), 0);
    int64_t got = fs->ops->read_at(f, 0, p, n);
    fs->ops->close(f);
    assert_true(got >= 0);
    return (size_t)got;
}

/* Reads a log as a server does; the zxids must be first, first + 1, ... Returns how many there are, or an error. */
static int count_records(struct fs *fs, const char *name)
{
    struct txnlog_reader *r = NULL;
    struct store_error err;
    struct slice payload;
    uint64_t offset;
    int rc = txnlog_reader_open(fs, name, 0, &r, &err), count = 0;
    while (rc == 0 && (rc = txnlog_reader_next(r, &payload, &offset, &err)) == 1) {
        count++;
        assert_int_equal(txnlog_reader_zxid(r), count);
        rc = 0;
    }
    txnlog_reader_close(r);
    return rc < 0 ? rc : count;
}

static void any_single_byte_can_be_wrong(void **state)
{
    static uint8_t damaged[sizeof golden], after[sizeof golden];
    (void)state;
    for (size_t at = 0; at < golden_n; at++) {
        struct disk *disk = disk_new(1);
        struct fs *fs = disk_fs(disk);
        assert_int_equal(fs->ops->make_dir(fs, "/d"), 0);
        memcpy(damaged, golden, golden_n);
        damaged[at] ^= (uint8_t)(at % 3 == 0 ? 1u << (at % 8) : 1 + at % 255);
        put_file(fs, NAME, damaged, golden_n);
        struct log_context c = { .fs = fs, .in = quiet, .out = quiet, .err = quiet };
        struct log_repair how = { .yes = true, .lost = LOG_LOST_FILL };
        assert_int_equal(log_repair(&c, NAME, &how), 0);
        assert_int_equal(get_file(fs, NAME, after, sizeof after), golden_n);
        assert_memory_equal(after, damaged, golden_n);
        struct fs_file *fixed = NULL;
        if (fs_open(fs, NAME ".fixed", FS_READ, &fixed) == 0) {
            fs->ops->close(fixed);
            assert_int_equal(get_file(fs, NAME ".fixed", after, sizeof after), golden_n);
            assert_memory_equal(after, golden, golden_n);
        } else { /* the file's version and dbid, which nobody reads */
            assert_true(at >= 4 && at < TXNLOG_HEADER_BYTES);
        }
        disk_free(disk);
    }
}

/* A stretch of garbage anywhere: filled and cut files both are sound. */
static void any_stretch_can_be_lost(void **state)
{
    static uint8_t damaged[sizeof golden];
    (void)state;
    for (size_t at = 0; at + 300 < golden_n; at += 37) {
        for (int lost = LOG_LOST_FILL; lost <= LOG_LOST_CUT; lost++) {
            struct disk *disk = disk_new(1);
            struct fs *fs = disk_fs(disk);
            assert_int_equal(fs->ops->make_dir(fs, "/d"), 0);
            memcpy(damaged, golden, golden_n);
            for (size_t i = 0; i < 300; i++)
                damaged[at + i] = (uint8_t)(i * 31 + at + 1);
            put_file(fs, NAME, damaged, golden_n);
            struct log_context c = { .fs = fs, .in = quiet, .out = quiet, .err = quiet };
            struct log_repair how = { .yes = true, .lost = (enum log_lost)lost, .replace = true };
            assert_int_equal(log_repair(&c, NAME, &how), 0);
            int count = count_records(fs, NAME);
            assert_true(lost == LOG_LOST_FILL ? count >= RECORDS - 6 : count >= 0 && count < RECORDS);
            disk_free(disk);
        }
    }
}

static bool same_file(struct disk *d, const char *name, const uint8_t *p, size_t n)
{
    struct buf b;
    buf_init(&b, 1u << 20);
    bool same = disk_get(d, name, &b) == 0 && b.n == n && memcmp(b.p, p, n) == 0;
    buf_fini(&b);
    return same;
}

/* Power may fail at any moment of a replacement: the log is the damaged one or the repaired one, never missing. */
static void replacing_survives_a_power_cut(void **state)
{
    static uint8_t damaged[sizeof golden];
    bool done = false;
    (void)state;
    memcpy(damaged, golden, golden_n);
    damaged[1000] ^= 0x40;
    for (uint64_t op = 1; !done; op++) {
        struct disk *disk = disk_new(op);
        struct fs *fs = disk_fs(disk);
        assert_int_equal(fs->ops->make_dir(fs, "/d"), 0);
        disk_put(disk, NAME, slice_of(damaged, golden_n));
        disk_cut_power_at(disk, disk_op_count(disk) + op);
        struct log_context c = { .fs = fs, .in = quiet, .out = quiet, .err = quiet };
        struct log_repair how = { .yes = true, .replace = true };
        done = log_repair(&c, NAME, &how) == 0;
        for (uint64_t i = 0; i < 30; i++) {
            struct disk_crash_plan plan = { i == 0 ? DISK_CRASH_LOSE : DISK_CRASH_SEED, i };
            struct disk *after = disk_crash(disk, plan);
            bool old = same_file(after, NAME, damaged, golden_n), new = same_file(after, NAME, golden, golden_n);
            assert_true(old || new);
            if (new)
                assert_true(same_file(after, "/d/damaged-log.1", damaged, golden_n));
            assert_true(!done || new);
            disk_free(after);
        }
        disk_free(disk);
    }
}

/* ---- following ---- */

struct growing {
    struct fs *fs;
    size_t n; /* bytes of the log that are there */
    FILE *out;
    int turns;
};

static bool grow(void *ctx)
{
    struct growing *g = ctx;
    if (++g->turns > 400)
        return false;
    g->n = g->n + 23 < golden_n ? g->n + 23 : golden_n;
    put_file(g->fs, NAME, golden, g->n);
    return true;
}

static void assert_each_once(const char *text)
{
    const char *p = text;
    for (int zxid = 1; zxid <= RECORDS; zxid++) {
        char wanted[64];
        snprintf(wanted, sizeof wanted, "\"zxid\":\"0x%x\"", (unsigned)zxid);
        p = strstr(p, wanted);
        assert_non_null(p);
        assert_null(strstr(p + 1, wanted));
    }
}

/* Follows the golden log from its first 500 bytes on; what was shown, and in *said what was said of it. */
static char *followed(bool (*wait)(void *ctx), char **said)
{
    struct disk *disk = disk_new(1);
    struct fs *fs = disk_fs(disk);
    char *text = NULL;
    size_t text_n = 0, said_n = 0;
    assert_int_equal(fs->ops->make_dir(fs, "/d"), 0);
    put_file(fs, NAME, golden, 500);
    FILE *out = open_memstream(&text, &text_n), *err = open_memstream(said, &said_n);
    struct growing g = { .fs = fs, .n = 500 };
    struct log_context c = { .fs = fs, .in = quiet, .out = out, .err = err, .json = true };
    struct log_select all = { 0 };
    assert_int_equal(log_follow(&c, "/d", &all, wait, &g), 0);
    fclose(out);
    fclose(err);
    disk_free(disk);
    return text;
}

static void following_sees_each_record_once(void **state)
{
    (void)state;
    char *said, *text = followed(grow, &said);
    assert_each_once(text);
    assert_string_equal(said, "");
    free(text);
    free(said);
}

/* A server that stands still in the middle of a record, for far longer than one takes to write. */
static bool stand_still(void *ctx)
{
    struct growing *g = ctx;
    if (g->n != 500 && g->n != 523)
        return grow(ctx);
    return ++g->turns % 50 != 0 || grow(ctx);
}

static void a_record_that_is_long_unfinished_is_told_and_waited_for(void **state)
{
    (void)state;
    char *said, *text = followed(stand_still, &said);
    assert_each_once(text);
    const char *told = strstr(said, "stands no record: the file ends inside a record; waiting for it");
    assert_non_null(told);
    free(text);
    free(said);
}

/* The file that a crash has left unfinished gets no more: the next one goes on. */
static bool next_file(void *ctx)
{
    struct growing *g = ctx;
    if (g->turns == 0)
        put_file(g->fs, "/d/log.ff", golden, 16);
    return ++g->turns < 20;
}

static void an_unfinished_file_is_left_for_the_next_and_told(void **state)
{
    (void)state;
    char *said, *text = followed(next_file, &said);
    assert_non_null(strstr(said, "/d/log."));
    assert_non_null(strstr(said, "going on with the next file"));
    assert_null(strstr(said, "waiting for it"));
    free(text);
    free(said);
}

static int setup(void **state)
{
    (void)state;
    FILE *f = fopen(GOLDEN, "rb");
    if (f == NULL)
        return -1;
    golden_n = fread(golden, 1, sizeof golden, f);
    fclose(f);
    quiet = fopen("/dev/null", "r+");
    return golden_n > 5000 && quiet != NULL ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_single_byte_can_be_wrong),
        cmocka_unit_test(any_stretch_can_be_lost),
        cmocka_unit_test(replacing_survives_a_power_cut),
        cmocka_unit_test(following_sees_each_record_once),
        cmocka_unit_test(a_record_that_is_long_unfinished_is_told_and_waited_for),
        cmocka_unit_test(an_unfinished_file_is_left_for_the_next_and_told),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
