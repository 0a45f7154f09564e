/* The log and snapshot threads over the real file system with faults put in between: what fails is told, and nothing
 * that is not durable is called so. */
#include "base/err.h"
#include "base/mem.h"
#include "os/clock.h"
#include "os/thread.h"
#include "server/logger.h"
#include "server/snapshotter.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define PATIENCE_MS 60000 /* only a test that fails waits so long */

/* ---- a file system that passes everything on until it is told to fail or to wait ---- */

static atomic_int sync_fails, write_fails, syncs;
static atomic_bool sync_waits;

static int faulty_sync(struct fs_file *f)
{
    atomic_fetch_add(&syncs, 1);
    while (atomic_load(&sync_waits))
        usleep(1000);
    int err = atomic_load(&sync_fails);
    return err != 0 ? err : fs_real()->ops->sync(f);
}

static int faulty_write(struct fs_file *f, uint64_t offset, const void *p, size_t n)
{
    int err = atomic_load(&write_fails);
    return err != 0 ? err : fs_real()->ops->write_at(f, offset, p, n);
}

static struct fs_ops faulty_ops;
static struct fs faulty = { .ops = &faulty_ops };

static char dir[64];
static atomic_int changes;

static void on_change(void *ctx)
{
    (void)ctx;
    atomic_fetch_add(&changes, 1);
}

static int setup(void **state)
{
    (void)state;
    faulty_ops = *fs_real()->ops;
    faulty_ops.sync = faulty_sync;
    faulty_ops.write_at = faulty_write;
    atomic_store(&sync_fails, 0);
    atomic_store(&write_fails, 0);
    atomic_store(&sync_waits, false);
    atomic_store(&changes, 0);
    atomic_store(&syncs, 0);
    snprintf(dir, sizeof dir, "/tmp/zokor-threads-XXXXXX");
    return mkdtemp(dir) == NULL;
}

static void remove_entry(void *ctx, const char *name)
{
    char path[512];
    (void)ctx;
    snprintf(path, sizeof path, "%s/%s", dir, name);
    remove(path);
}

static int teardown(void **state)
{
    (void)state;
    fs_real()->ops->list(fs_real(), dir, remove_entry, NULL);
    return rmdir(dir);
}

static size_t file_count;

static void count_entry(void *ctx, const char *name)
{
    const char *kind = ctx;
    file_count += strncmp(name, kind, strlen(kind)) == 0;
}

static size_t files(const char *kind)
{
    file_count = 0;
    fs_real()->ops->list(fs_real(), dir, count_entry, (void *)(uintptr_t)kind);
    return file_count;
}

/* ---- the log ---- */

static struct logger *logger_open(void)
{
    return logger_new(&(struct logger_options){
        .fs = &faulty,
        .log = { .dir = dir, .prealloc_bytes = 65536, .force_sync = true },
        .slow_sync_ms = 1000000,
        .changed = on_change,
    });
}

/* Over the machine's own file system, past the page cache where that can be. */
static struct logger *logger_open_direct(void)
{
    return logger_new(&(struct logger_options){
        .fs = fs_real(),
        .log = { .dir = dir, .prealloc_bytes = 65536, .force_sync = true },
        .slow_sync_ms = 1000000,
        .direct = true,
        .changed = on_change,
    });
}

static void submit(struct logger *l, int64_t zxid, bool roll_after)
{
    struct core_append a = { .zxid = zxid,
                             .txn = blob_dup(slice_str("a transaction's bytes")),
                             .roll_after = roll_after };
    logger_submit(l, &a, 1);
}

static void wait_synced(struct logger *l, int64_t zxid)
{
    int64_t give_up_ms = clock_mono_ms() + PATIENCE_MS;
    while (logger_synced(l) < zxid) {
        assert_true(clock_mono_ms() < give_up_ms);
        logger_collect(l);
        usleep(50);
    }
}

/* Records in one log file; each must be what submit wrote. */
static int records(const char *file)
{
    char name[128];
    struct txnlog_reader *r;
    struct store_error err;
    struct slice payload;
    uint64_t offset;
    int count = 0;
    snprintf(name, sizeof name, "%s/%s", dir, file);
    assert_int_equal(txnlog_reader_open(fs_real(), name, 0, &r, &err), 0);
    while (txnlog_reader_next(r, &payload, &offset, &err) == 1) {
        assert_true(slice_eq_str(payload, "a transaction's bytes"));
        count++;
    }
    txnlog_reader_close(r);
    return count;
}

static void test_log_takes_everything_in_order(void **state)
{
    (void)state;
    struct logger *l = logger_open();
    struct store_error err;
    assert_int_equal(logger_synced(l), 0);
    for (int64_t z = 1; z <= 100; z++)
        submit(l, z, z % 40 == 0);
    wait_synced(l, 100);
    assert_int_equal(logger_error(l, &err), 0);
    logger_free(l);
    assert_int_equal(files("log."), 3); /* rolled behind 40 and 80 */
    assert_int_equal(records("log.1"), 40);
    assert_int_equal(records("log.29"), 40);
    assert_int_equal(records("log.51"), 20);
}

static void test_log_batches_what_waits(void **state)
{
    (void)state;
    struct logger *l = logger_open();
    submit(l, 1, false);
    wait_synced(l, 1);
    atomic_store(&sync_waits, true);
    int before = atomic_load(&syncs);
    submit(l, 2, false);
    int64_t give_up_ms = clock_mono_ms() + PATIENCE_MS;
    while (atomic_load(&syncs) == before && clock_mono_ms() < give_up_ms)
        usleep(200);
    for (int64_t z = 3; z <= 1000; z++)
        submit(l, z, false);
    assert_int_equal(logger_synced(l), 1); /* nothing counts before its sync has returned */
    before = atomic_load(&syncs);
    atomic_store(&sync_waits, false);
    wait_synced(l, 1000);
    assert_true(atomic_load(&syncs) - before <= 2);
    logger_free(l);
}

static void test_log_free_waits_for_the_disk(void **state)
{
    (void)state;
    struct logger *l = logger_open();
    for (int64_t z = 1; z <= 50; z++)
        submit(l, z, false);
    logger_free(l);
    assert_int_equal(records("log.1"), 50);
}

static void fail_log(atomic_int *what, int with)
{
    struct logger *l = logger_open();
    struct store_error err = { "" };
    submit(l, 1, false);
    wait_synced(l, 1);
    atomic_store(what, with);
    submit(l, 2, false);
    int64_t give_up_ms = clock_mono_ms() + PATIENCE_MS;
    while (logger_error(l, &err) == 0) {
        assert_true(clock_mono_ms() < give_up_ms);
        usleep(200);
    }
    assert_int_equal(logger_error(l, &err), with);
    assert_true(err.text[0] != '\0');
    /* The disk is well again, but what failed is never tried again, and nothing later counts. */
    atomic_store(what, 0);
    submit(l, 3, false);
    usleep(20000);
    assert_int_equal(logger_synced(l), 1);
    while (atomic_load(&changes) < 2) { /* the thread tells it after the error is there to be seen */
        assert_true(clock_mono_ms() < give_up_ms);
        usleep(200);
    }
    logger_free(l);
}

static void test_log_sync_fails(void **state)
{
    (void)state;
    fail_log(&sync_fails, ERR_IO);
}

static void test_log_write_fails(void **state)
{
    (void)state;
    fail_log(&write_fails, ERR_NO_SPACE);
}

/* Small batches, which the owner writes itself, between others that are the thread's; blocks and files are filled. */
static void test_own_writes_come_in_order(void **state)
{
    (void)state;
    struct logger *l = logger_open_direct();
    struct store_error err;
    int64_t z = 0, rolled = 0;
    for (int i = 0; i < 200; i++) {
        int count = i % 10 == 9 ? 150 : 1 + i % 5;
        for (int k = 0; k < count; k++) {
            z++;
            submit(l, z, i == 100 && k == 0);
            rolled = i == 100 && k == 0 ? z : rolled;
        }
        if (i % 3 != 0)
            wait_synced(l, z);
        else
            logger_collect(l);
    }
    wait_synced(l, z);
    assert_int_equal(logger_error(l, &err), 0);
    logger_free(l);
    char second[32];
    snprintf(second, sizeof second, "log.%llx", (unsigned long long)rolled + 1);
    assert_int_equal(files("log."), 2);
    assert_int_equal(records("log.1"), rolled);
    assert_int_equal(records(second), z - rolled);
}

/* Wherever in a batch a file ends. */
static void test_small_batches_roll(void **state)
{
    (void)state;
    struct logger *l = logger_open_direct();
    int64_t z = 0;
    char name[32], path[128];
    for (int i = 0; i < 12; i++) {
        struct core_append a[4];
        for (int k = 0; k < 4; k++)
            a[k] = (struct core_append){ .zxid = ++z,
                                         .txn = blob_dup(slice_str("a transaction's bytes")),
                                         .roll_after = i % 4 == k && i >= 4 };
        logger_submit(l, a, 4);
        wait_synced(l, z);
    }
    logger_free(l);
    assert_int_equal(files("log."), 8); /* the last roll comes to nothing */
    int count = 0;
    for (int64_t first = 1; first <= z; first++) {
        snprintf(name, sizeof name, "log.%llx", (unsigned long long)first);
        snprintf(path, sizeof path, "%s/%s", dir, name);
        count += access(path, F_OK) == 0 ? records(name) : 0;
    }
    assert_int_equal(count, z);
}

/* Whoever reads the log brings it into the page cache, past which nothing can be begun: the thread writes. */
static void test_the_log_is_read_meanwhile(void **state)
{
    (void)state;
    struct logger *l = logger_open_direct();
    for (int64_t z = 1; z <= 40; z++) {
        submit(l, z, false);
        wait_synced(l, z);
        assert_int_equal(records("log.1"), z);
    }
    logger_free(l);
    assert_int_equal(records("log.1"), 40);
}

static void test_own_write_is_waited_for_at_the_end(void **state)
{
    (void)state;
    struct logger *l = logger_open_direct();
    submit(l, 1, false);
    wait_synced(l, 1);
    submit(l, 2, false);
    submit(l, 3, false);
    logger_free(l);
    assert_int_equal(records("log.1"), 3);
}

/* ---- snapshots ---- */

static struct snapshotter *snapshotter_open(void)
{
    return snapshotter_new(&(struct snapshotter_options){
        .fs = &faulty,
        .dirs = { .snap_dir = dir, .log_dir = dir },
        .digest = true,
        .last_zxid_block = true,
        .purge_keep = 3,
        .changed = on_change,
    });
}

static int wait_result(struct snapshotter *s)
{
    int64_t give_up_ms = clock_mono_ms() + PATIENCE_MS;
    int err;
    while (!snapshotter_take_result(s, &err)) {
        assert_true(clock_mono_ms() < give_up_ms);
        usleep(200);
    }
    int again;
    assert_false(snapshotter_take_result(s, &again));
    return err;
}

static void wait_room(struct snapshotter *s)
{
    int64_t give_up_ms = clock_mono_ms() + PATIENCE_MS;
    while (!snapshotter_has_room(s)) {
        assert_true(clock_mono_ms() < give_up_ms);
        usleep(200);
    }
}

/* Gives a whole tree in small pieces. */
static void give_tree(struct snapshotter *s, int64_t zxid, bool to_the_end)
{
    struct tree *t = tree_new(&(struct tree_options){ .digest_enabled = true });
    struct tree_walk *w = tree_walk_begin(t);
    struct buf b;
    buf_init(&b, 1u << 20);
    snapshotter_begin(s, &(struct core_snapshot_fx){
                             .begin = true, .zxid = zxid, .digest = tree_walk_digest(w), .digest_zxid = zxid });
    while (tree_walk_next(w, 1 << 20, &b))
        ;
    for (size_t at = 0; at < b.n; at += 10) {
        bool last = at + 10 >= b.n;
        if (last && !to_the_end)
            break;
        wait_room(s);
        snapshotter_body(s, slice_of(b.p + at, last ? b.n - at : 10), last);
    }
    buf_fini(&b);
    tree_walk_end(w);
    tree_free(t);
}

static void test_snapshot_is_saved_and_readable(void **state)
{
    (void)state;
    struct snapshotter *s = snapshotter_open();
    for (int64_t zxid = 5; zxid < 8; zxid++) {
        give_tree(s, zxid, true);
        assert_int_equal(wait_result(s), 0);
    }
    snapshotter_free(s);
    assert_int_equal(files("snapshot."), 3);
    struct tree *t = NULL;
    struct snapshot_info info;
    struct store_error err;
    struct store_recover_options o = { .tree = { .digest_enabled = true } };
    assert_int_equal(snapshot_read(fs_real(), dir, "snapshot.7", &o, &t, &info, &err), 0);
    assert_int_equal(info.zxid, 7);
    tree_free(t);
}

static void test_failed_snapshot_leaves_nothing_and_the_next_succeeds(void **state)
{
    (void)state;
    struct snapshotter *s = snapshotter_open();
    atomic_store(&write_fails, ERR_NO_SPACE);
    give_tree(s, 5, true);
    assert_int_equal(wait_result(s), ERR_NO_SPACE);
    atomic_store(&write_fails, 0);
    atomic_store(&sync_fails, ERR_IO);
    give_tree(s, 6, true);
    assert_int_equal(wait_result(s), ERR_IO);
    assert_int_equal(files(""), 0);
    atomic_store(&sync_fails, 0);
    give_tree(s, 7, true);
    assert_int_equal(wait_result(s), 0);
    assert_int_equal(files("snapshot."), 1);
    snapshotter_free(s);
}

static void test_unfinished_snapshot_is_given_up_at_the_end(void **state)
{
    (void)state;
    struct snapshotter *s = snapshotter_open();
    give_tree(s, 5, false);
    snapshotter_free(s);
    assert_int_equal(files(""), 0);
}

static void test_purge_keeps_the_newest(void **state)
{
    (void)state;
    struct snapshotter *s = snapshotter_open();
    for (int64_t zxid = 1; zxid <= 6; zxid++) {
        give_tree(s, zxid, true);
        assert_int_equal(wait_result(s), 0);
    }
    snapshotter_purge(s);
    int64_t give_up_ms = clock_mono_ms() + PATIENCE_MS;
    while (files("snapshot.") > 3) {
        assert_true(clock_mono_ms() < give_up_ms);
        usleep(1000);
    }
    snapshotter_free(s);
    assert_int_equal(files("snapshot."), 3);
}

/* ---- work for the log's thread ---- */

struct probe {
    struct logger_job job;
    struct logger *logger;
    int64_t synced_then;
    size_t files_then;
    atomic_bool ran;
};

static void run_probe(struct logger_job *job)
{
    struct probe *p = CONTAINER_OF(job, struct probe, job);
    p->synced_then = logger_synced(p->logger);
    p->files_then = files("log.");
    atomic_store(&p->ran, true);
}

static struct logger_job *wait_job(struct logger *l)
{
    int64_t give_up_ms = clock_mono_ms() + PATIENCE_MS;
    for (;;) {
        struct logger_job *job = logger_take_done(l);
        if (job != NULL)
            return job;
        assert_true(clock_mono_ms() < give_up_ms);
        usleep(200);
    }
}

static void test_jobs_come_behind_what_was_submitted(void **state)
{
    (void)state;
    struct logger *l = logger_open();
    struct probe first = { .job.fn = run_probe, .logger = l }, second = { .job.fn = run_probe, .logger = l };
    assert_null(logger_take_done(l));
    atomic_store(&sync_waits, true);
    for (int64_t z = 1; z <= 10; z++)
        submit(l, z, false);
    logger_run(l, &first.job);
    logger_run(l, &second.job);
    usleep(20000);
    assert_false(atomic_load(&first.ran));
    atomic_store(&sync_waits, false);
    assert_ptr_equal(wait_job(l), &first.job);
    assert_ptr_equal(wait_job(l), &second.job);
    assert_null(logger_take_done(l));
    assert_int_equal(first.synced_then, 10);
    logger_free(l);
}

static void test_a_job_closes_the_log(void **state)
{
    (void)state;
    struct logger *l = logger_open();
    struct probe p = { .job = { .fn = run_probe, .closes_log = true }, .logger = l };
    submit(l, 1, false);
    submit(l, 2, false);
    logger_run(l, &p.job);
    assert_ptr_equal(wait_job(l), &p.job);
    assert_int_equal(p.files_then, 1);
    logger_restart_at(l, 1);
    assert_int_equal(logger_synced(l), 1);
    submit(l, 5, false);
    wait_synced(l, 5);
    logger_free(l);
    assert_int_equal(records("log.1"), 2);
    assert_int_equal(records("log.5"), 1);
}

static void test_a_job_comes_behind_an_own_write(void **state)
{
    (void)state;
    struct logger *l = logger_open_direct();
    struct probe p = { .job = { .fn = run_probe, .closes_log = true }, .logger = l };
    submit(l, 1, false);
    wait_synced(l, 1);
    submit(l, 2, false);
    logger_run(l, &p.job);
    wait_synced(l, 2);
    assert_ptr_equal(wait_job(l), &p.job);
    assert_int_equal(p.synced_then, 2);
    submit(l, 3, false);
    wait_synced(l, 3);
    submit(l, 4, false);
    wait_synced(l, 4);
    logger_free(l);
    assert_int_equal(records("log.1"), 2);
    assert_int_equal(records("log.3"), 2);
}

static void test_no_job_behind_a_failure(void **state)
{
    (void)state;
    struct logger *l = logger_open();
    struct probe p = { .job.fn = run_probe, .logger = l };
    struct store_error err;
    atomic_store(&sync_fails, ERR_IO);
    submit(l, 1, false);
    logger_run(l, &p.job);
    int64_t give_up_ms = clock_mono_ms() + PATIENCE_MS;
    while (logger_error(l, &err) == 0)
        assert_true(clock_mono_ms() < give_up_ms);
    logger_free(l);
    assert_false(atomic_load(&p.ran));
}

/* ---- a snapshot that is not wanted any more ---- */

static void test_a_snapshot_is_given_up(void **state)
{
    (void)state;
    struct snapshotter *s = snapshotter_open();
    assert_true(snapshotter_is_idle(s));
    snapshotter_abort(s); /* nothing to give up */
    give_tree(s, 5, false);
    assert_false(snapshotter_is_idle(s));
    snapshotter_abort(s);
    assert_int_equal(wait_result(s), ERR_CLOSED);
    assert_true(snapshotter_is_idle(s));
    assert_int_equal(files(""), 0);
    give_tree(s, 6, true);
    assert_int_equal(wait_result(s), 0);
    snapshotter_abort(s); /* too late: it is saved */
    snapshotter_free(s);
    assert_int_equal(files("snapshot.6"), 1);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(test_log_takes_everything_in_order),
        TEST(test_log_batches_what_waits),
        TEST(test_log_free_waits_for_the_disk),
        TEST(test_log_sync_fails),
        TEST(test_log_write_fails),
        TEST(test_own_writes_come_in_order),
        TEST(test_small_batches_roll),
        TEST(test_the_log_is_read_meanwhile),
        TEST(test_own_write_is_waited_for_at_the_end),
        TEST(test_snapshot_is_saved_and_readable),
        TEST(test_failed_snapshot_leaves_nothing_and_the_next_succeeds),
        TEST(test_unfinished_snapshot_is_given_up_at_the_end),
        TEST(test_purge_keeps_the_newest),
        TEST(test_jobs_come_behind_what_was_submitted),
        TEST(test_a_job_closes_the_log),
        TEST(test_a_job_comes_behind_an_own_write),
        TEST(test_no_job_behind_a_failure),
        TEST(test_a_snapshot_is_given_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
