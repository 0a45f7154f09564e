/* Power cuts, failing operations and exhausted memory under a whole replica: core, log and snapshots. A workload that
 * rolls logs and takes snapshots is cut at every disk operation, with every way of losing what was not synced; what
 * was acknowledged must be there, and what is there must be what was asked for. */
#include "sim/replica.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rng.h"
#include "sim/disk.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define STEPS 220
#define ZXIDS_MAX 1000
#define CONNS 3

static const struct store_dirs dirs = { .snap_dir = "/data/version-2", .log_dir = "/log/version-2" };

/* What was asked for: the digest of the tree after each zxid, as the core announced it to the log. */
struct history {
    uint64_t digest[ZXIDS_MAX];
    int64_t proposed; /* the last one handed to the log */
    int64_t acked;    /* every reply up to here may have left */
};

static struct replica_options options(const char *log_dir)
{
    struct replica_options o = {
        .core = { .seed = 5,
                  .start_wall_ms = 1700000000000,
                  .server_id = 1,
                  .tick_time_ms = 2000,
                  .session_timeout_ms_min = 4000,
                  .session_timeout_ms_max = 40000,
                  .handshake_timeout_ms = 10000,
                  .frame_bytes_max = 1048575,
                  .txn_bytes_max = 2097150,
                  .digest_enabled = true,
                  .digest_algorithm = "SHA1",
                  .outstanding_limit = 1000,
                  .snap_count = 24 },
        .log = { .dir = log_dir, .prealloc_bytes = 4096, .force_sync = true },
        .recover = { .tree = { .hash_key = 9, .digest_enabled = true }, .record_bytes_max = 2097150 },
    };
    return o;
}

static void note_append(void *ctx, int64_t zxid, struct slice payload)
{
    struct history *h = ctx;
    struct txn txn;
    if (txn_decode(payload, &txn) != 0 || zxid >= ZXIDS_MAX)
        abort();
    h->digest[zxid] = txn.has_digest ? (uint64_t)txn.digest.tree_digest : h->digest[zxid - 1];
    h->proposed = zxid;
}

static void send_frame(struct replica *r, uint32_t conn, int32_t op, struct buf *body)
{
    struct buf b;
    buf_init(&b, 1 << 20);
    wire_put_i32(&b, 1);
    wire_put_i32(&b, op);
    buf_append_slice(&b, buf_slice(body));
    (void)replica_step(r, (struct core_event){ .type = CORE_EV_FRAME, .conn = conn, .frame = buf_slice(&b) });
    buf_fini(&b);
    buf_reset(body);
}

static void connect_client(struct replica *r, uint32_t conn)
{
    struct buf b;
    buf_init(&b, 1000);
    wire_put_connect_request(&b, &(struct wire_connect_request){ .timeout_ms = 30000, .passwd = slice_str("") });
    r->closed[conn] = false;
    (void)replica_step(r, (struct core_event){ .type = CORE_EV_ACCEPT, .conn = conn });
    (void)replica_step(r, (struct core_event){ .type = CORE_EV_FRAME, .conn = conn, .frame = buf_slice(&b) });
    buf_fini(&b);
}

static void random_request(struct replica *r, struct rng *rng, uint32_t conn)
{
    struct buf b;
    buf_init(&b, 1 << 20);
    static const uint8_t open_acl[] = "\0\0\0\x1f\0\0\0\5world\0\0\0\6anyone";
    struct wire_vec acl = { 1, slice_of(open_acl, sizeof open_acl - 1) };
    char path[32], data[600];
    snprintf(path, sizeof path, "/n%d", (int)rng_below(rng, 12));
    memset(data, 'a' + (int)rng_below(rng, 26), sizeof data);
    struct slice value = slice_of(data, rng_below(rng, sizeof data));
    switch (rng_below(rng, 6)) {
    case 0:
    case 1:
        wire_put_create_request(
            &b, &(struct wire_create_request){ slice_str(path), value, acl, (int32_t)rng_below(rng, 4) });
        send_frame(r, conn, WIRE_OP_CREATE, &b);
        break;
    case 2:
        wire_put_path_version_request(&b, &(struct wire_path_version_request){ slice_str(path), -1 });
        send_frame(r, conn, WIRE_OP_DELETE, &b);
        break;
    case 3:
        for (int i = 0; i < 2; i++) {
            wire_put_multi_header(&b, &(struct wire_multi_header){ WIRE_OP_SET_DATA, false, -1 });
            wire_put_set_data_request(&b, &(struct wire_set_data_request){ slice_str(path), value, -1 });
        }
        wire_put_multi_header(&b, &(struct wire_multi_header){ -1, true, -1 });
        send_frame(r, conn, WIRE_OP_MULTI, &b);
        break;
    default:
        wire_put_set_data_request(&b, &(struct wire_set_data_request){ slice_str(path), value, -1 });
        send_frame(r, conn, WIRE_OP_SET_DATA, &b);
        break;
    }
    if (rng_below(rng, 40) == 0)
        send_frame(r, conn, WIRE_OP_CLOSE_SESSION, &b);
    buf_fini(&b);
}

/* Runs the workload until it ends or the disk fails; h->acked tells what clients may have been told. */
static int workload(struct replica *r, uint64_t seed, struct history *h)
{
    struct rng rng;
    struct store_error err = { "" };
    rng_init(&rng, seed);
    int rc = 0;
    for (uint32_t k = 0; k < CONNS; k++)
        connect_client(r, k);
    for (int step = 0; step < STEPS && rc == 0; step++) {
        uint32_t conn = (uint32_t)rng_below(&rng, CONNS);
        if (r->closed[conn])
            connect_client(r, conn);
        random_request(r, &rng, conn);
        if (rng_below(&rng, 3) == 0) {
            rc = replica_flush(r, &err);
            if (rc == 0)
                h->acked = r->durable_zxid;
        }
        if (rng_below(&rng, 2) == 0)
            replica_image(r);
    }
    return rc;
}

static void check_recovered(struct fs *fs, const struct history *h, int64_t acked, const char *what)
{
    struct replica_options o = options(dirs.log_dir);
    struct store_recovered got = { 0 };
    struct store_error err = { "" };
    int rc = store_recover(fs, &dirs, &o.recover, &got, &err);
    if (rc != 0)
        fail_msg("%s: recovery says %s: %s", what, err_name(rc), err.text);
    if (got.last_zxid < acked || got.last_zxid > h->proposed)
        fail_msg("%s: recovered to 0x%llx, acknowledged 0x%llx, proposed 0x%llx", what, (long long)got.last_zxid,
                 (long long)acked, (long long)h->proposed);
    if (got.digest_mismatches != 0 || got.snapshot_ahead ||
        (got.last_zxid > 0 && tree_digest(got.tree) != h->digest[got.last_zxid]))
        fail_msg("%s: the tree at 0x%llx is not what was asked for", what, (long long)got.last_zxid);
    tree_check(got.tree);
    tree_free(got.tree);
}

/* One run, cut at operation `cut` (0: never). Gives the disk as the cut left it and the number of operations. */
static struct disk *run_cut(uint64_t seed, uint64_t cut, struct history *h)
{
    struct disk *d = disk_new(seed);
    disk_cut_power_at(d, cut);
    struct replica_options o = options(dirs.log_dir);
    struct replica r = { 0 };
    struct store_error err = { "" };
    *h = (struct history){ 0 };
    h->digest[0] = 0x51c6d660; /* of every empty tree */
    if (replica_start(&r, disk_fs(d), &dirs, &o, &err) == 0) {
        r.on_append = note_append;
        r.ctx = h;
        (void)workload(&r, seed, h);
        replica_stop(&r);
    }
    return d;
}

static void every_power_cut(uint64_t seed)
{
    struct history h;
    struct disk *whole = run_cut(seed, 0, &h);
    uint64_t ops = disk_op_count(whole);
    check_recovered(disk_fs(whole), &h, h.acked, "no cut");
    disk_free(whole);
    assert_true(h.acked > 100);
    for (uint64_t cut = 1; cut <= ops; cut++) {
        struct disk *d = run_cut(seed, cut, &h);
        struct disk_crash_plan plans[] = {
            { DISK_CRASH_LOSE, 0 },           { DISK_CRASH_KEEP, 0 },       { DISK_CRASH_PREFIX, 1 },
            { DISK_CRASH_PREFIX, 2 },         { DISK_CRASH_SEED, cut * 3 }, { DISK_CRASH_SEED, cut * 3 + 1 },
            { DISK_CRASH_SEED, cut * 3 + 2 },
        };
        for (size_t p = 0; p < ARRAY_COUNT(plans); p++) {
            char what[200];
            snprintf(what, sizeof what, "seed %llu cut %llu (%s) plan %zu", (unsigned long long)seed,
                     (unsigned long long)cut, disk_last_op(d), p);
            struct disk *after = disk_crash(d, plans[p]);
            check_recovered(disk_fs(after), &h, h.acked, what);
            disk_free(after);
        }
        disk_free(d);
    }
}

static void power_cut_at_every_operation(void **state)
{
    (void)state;
    every_power_cut(11);
    every_power_cut(12);
}

/* A second life on the survivor of the first: its log begins behind the torn end, and a second cut must not lose the
 * first life's acknowledgements either. */
static void second_life_after_a_cut(void **state)
{
    (void)state;
    for (uint64_t cut = 20; cut < 200; cut += 7) {
        struct history first, second;
        struct disk *d = run_cut(21, cut, &first);
        struct disk *after = disk_crash(d, (struct disk_crash_plan){ DISK_CRASH_SEED, cut });
        disk_free(d);
        struct replica_options o = options(dirs.log_dir);
        struct replica r = { 0 };
        struct store_error err = { "" };
        assert_int_equal(replica_start(&r, disk_fs(after), &dirs, &o, &err), 0);
        assert_true(r.recovered.last_zxid >= first.acked);
        second = first;
        second.proposed = second.acked = r.recovered.last_zxid;
        r.on_append = note_append;
        r.ctx = &second;
        disk_cut_power_at(after, disk_op_count(after) + 60);
        (void)workload(&r, cut, &second);
        replica_stop(&r);
        for (uint64_t n = 0; n < 4; n++) {
            struct disk *last = disk_crash(after, (struct disk_crash_plan){ DISK_CRASH_SEED, n });
            check_recovered(disk_fs(last), &second, second.acked, "second life");
            disk_free(last);
        }
        disk_free(after);
    }
}

/* Each kind of operation failing at its n-th time: the run ends with an error or goes on (a snapshot), never with an
 * acknowledgement of what is not durable. */
static void every_operation_failing(void **state)
{
    (void)state;
    static const unsigned kinds[] = { DISK_OP_OPEN, DISK_OP_WRITE,  DISK_OP_ALLOCATE,
                                      DISK_OP_SYNC, DISK_OP_RENAME, DISK_OP_SYNC_DIR };
    for (size_t k = 0; k < ARRAY_COUNT(kinds); k++) {
        for (uint64_t nth = 1; nth < 400; nth++) {
            struct history h = { 0 };
            h.digest[0] = 0x51c6d660;
            struct disk *d = disk_new(nth);
            int err_wanted = nth % 2 == 0 ? ERR_IO : ERR_NO_SPACE;
            disk_set_fault(d, (struct disk_fault){ .kinds = kinds[k], .nth = nth, .err = err_wanted });
            struct replica_options o = options(dirs.log_dir);
            struct replica r = { 0 };
            struct store_error err = { "" };
            if (replica_start(&r, disk_fs(d), &dirs, &o, &err) == 0) {
                r.on_append = note_append;
                r.ctx = &h;
                if (workload(&r, 31, &h) != 0) { /* the log is dead: it says so again */
                    int64_t durable = r.durable_zxid;
                    assert_int_not_equal(replica_flush(&r, &err), 0);
                    assert_int_equal(r.durable_zxid, durable);
                    assert_true(err.text[0] != '\0');
                }
                replica_stop(&r);
            } else {
                assert_true(err.text[0] != '\0');
            }
            bool hit = disk_fault_hit(d);
            struct disk *after = disk_crash(d, (struct disk_crash_plan){ DISK_CRASH_LOSE, 0 });
            check_recovered(disk_fs(after), &h, h.acked, "failing operation");
            disk_free(after);
            disk_free(d);
            if (!hit)
                break;
            assert_true(nth < 399);
        }
    }
}

/* ---- memory ---- */

struct scarce {
    uint64_t left;
};

static int allow(void *ctx, size_t size)
{
    (void)size;
    struct scarce *s = ctx;
    return s->left != 0 && --s->left != 0;
}

static void leave(void *ctx, size_t size)
{
    (void)ctx;
    (void)size;
    _exit(70);
}

static void remove_tree(const char *dir)
{
    char command[300];
    snprintf(command, sizeof command, "rm -rf '%s'", dir);
    if (system(command) != 0)
        fail_msg("cannot remove %s", dir);
}

/* The n-th allocation fails in a process of its own, on real files: it leaves with 70, and whatever it had
 * acknowledged (a page shared with us tells) is there. */
static void every_allocation_failing(void **state)
{
    (void)state;
    char base[] = "/tmp/zokor-memory-XXXXXX", snap[64], log[64];
    assert_non_null(mkdtemp(base));
    struct history *h = mmap(NULL, sizeof *h, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(h != MAP_FAILED);
    bool done = false;
    for (uint64_t n = 2; !done && n < 1000000; n += n < 400 ? 3 : n / 40) {
        char dir[48];
        snprintf(dir, sizeof dir, "%s/%llu", base, (unsigned long long)n);
        snprintf(snap, sizeof snap, "%s/data", dir);
        snprintf(log, sizeof log, "%s/log", dir);
        struct store_dirs real = { snap, log };
        *h = (struct history){ .digest = { 0x51c6d660 } };
        fflush(NULL);
        pid_t pid = fork();
        if (pid == 0) {
            static struct scarce scarce;
            scarce.left = n;
            mem_set_hooks(&(struct mem_hooks){ .allow = allow, .exhausted = leave, .ctx = &scarce });
            struct replica_options o = options(log);
            struct replica r = { 0 };
            struct store_error err;
            int rc = replica_start(&r, fs_real(), &real, &o, &err);
            r.on_append = note_append;
            r.ctx = h;
            if (rc == 0)
                rc = workload(&r, 41, h);
            _exit(rc == 0 ? 0 : 71);
        }
        int status;
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFEXITED(status));
        assert_true(WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == 70 || WEXITSTATUS(status) == 71);
        done = WEXITSTATUS(status) == 0;
        struct replica_options o = options(log);
        struct store_recovered got = { 0 };
        struct store_error err = { "" };
        if (store_recover(fs_real(), &real, &o.recover, &got, &err) != 0)
            fail_msg("allocation %llu: %s", (unsigned long long)n, err.text);
        assert_true(got.last_zxid >= h->acked);
        if (got.last_zxid > 0)
            assert_true(tree_digest(got.tree) == h->digest[got.last_zxid]);
        tree_free(got.tree);
        remove_tree(dir);
    }
    assert_true(done);
    munmap(h, sizeof *h);
    remove_tree(base);
}

int main(void)
{
    log_set_sink(NULL, NULL, LOG_ERROR);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(power_cut_at_every_operation),
        cmocka_unit_test(second_life_after_a_cut),
        cmocka_unit_test(every_operation_failing),
        cmocka_unit_test(every_allocation_failing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
