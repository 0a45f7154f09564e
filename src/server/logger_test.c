/* The hand-over of the log between its thread and its owner, over writes past the page cache that are refused, given
 * back with a part of them written, come to their end late, or fail: os/direct.h by chance, from a seed. Whatever
 * happens, what counts as durable is in the files, and in the end they have everything once and in order. */
#include "server/logger.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/rng.h"
#include "os/clock.h"
#include "os/direct.h"
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define PATIENCE_MS 60000 /* only a test that fails waits so long */
#define SECTOR_BYTES 512
#define PAYLOAD_BYTES_MAX 3000
#define STARTS_MAX 2000
#define AHEAD_BYTES (2 * TXNLOG_BLOCK_BYTES)

/* ---- os/direct.h by chance; one owner at a time, as its users promise ---- */

struct direct {
    struct rng rng;
    int fd;
    uint64_t fails_at, count; /* of writes; 0: never */
    /* What is under way. */
    bool begun;
    uint64_t offset;
    const uint8_t *p;
    uint8_t *copy; /* the bytes must not change until the end */
    size_t n;
    uint64_t turns; /* until it has ended */
    uint64_t own, given_back, taken, refused;
};

static struct direct disk;

struct direct *__wrap_direct_new(void);
void __wrap_direct_free(struct direct *d);
int __wrap_direct_open(struct direct *d, const char *path);
void __wrap_direct_close(struct direct *d);
int __wrap_direct_write(struct direct *d, uint64_t offset, const void *p, size_t n, size_t zeros);
int __wrap_direct_begin(struct direct *d, uint64_t offset, const void *p, size_t n);
bool __wrap_direct_ended(struct direct *d, bool wait, int *rc);
int __wrap_direct_bell(const struct direct *d);

struct direct *__wrap_direct_new(void)
{
    return &disk;
}

void __wrap_direct_close(struct direct *d)
{
    ASSERT(!d->begun);
    if (d->fd >= 0)
        close(d->fd);
    d->fd = -1;
}

void __wrap_direct_free(struct direct *d)
{
    __wrap_direct_close(d);
}

int __wrap_direct_open(struct direct *d, const char *path)
{
    __wrap_direct_close(d);
    if (rng_below(&d->rng, 8) == 0)
        return ERR_UNSUPPORTED;
    d->fd = open(path, O_WRONLY | O_CLOEXEC);
    return d->fd >= 0 ? 0 : ERR_IO;
}

static void write_whole(const struct direct *d, uint64_t offset, const uint8_t *p, size_t n)
{
    ASSERT(pwrite(d->fd, p, n, (off_t)offset) == (ssize_t)n);
}

static void write_some_sectors(struct direct *d, uint64_t offset, const uint8_t *p, size_t n)
{
    for (size_t at = 0; at < n; at += SECTOR_BYTES)
        if (rng_below(&d->rng, 2) == 0)
            write_whole(d, offset + at, p + at, SECTOR_BYTES);
}

static void check_blocks(const struct direct *d, uint64_t offset, const void *p, size_t n)
{
    off_t end = lseek(d->fd, 0, SEEK_END);
    ASSERT(!d->begun && offset % DIRECT_BLOCK_BYTES == 0 && n % DIRECT_BLOCK_BYTES == 0 &&
           (uintptr_t)p % DIRECT_BLOCK_BYTES == 0 && offset + n <= (uint64_t)end);
}

int __wrap_direct_write(struct direct *d, uint64_t offset, const void *p, size_t n, size_t zeros)
{
    static const uint8_t nothing[AHEAD_BYTES];
    ASSERT(zeros <= sizeof nothing);
    check_blocks(d, offset, p, n + zeros);
    if (++d->count == d->fails_at || rng_below(&d->rng, 10) == 0) {
        write_some_sectors(d, offset, p, n);
        d->refused += d->count != d->fails_at;
        return d->count == d->fails_at ? ERR_IO : ERR_INVALID;
    }
    write_whole(d, offset, p, n);
    write_whole(d, offset + n, nothing, zeros);
    d->taken++;
    return 0;
}

int __wrap_direct_begin(struct direct *d, uint64_t offset, const void *p, size_t n)
{
    check_blocks(d, offset, p, n);
    if (rng_below(&d->rng, 8) == 0)
        return ERR_BUSY;
    d->begun = true;
    d->offset = offset;
    d->p = p;
    d->n = n;
    d->copy = memcpy(mem_alloc(n), p, n);
    d->turns = rng_below(&d->rng, 6);
    write_some_sectors(d, offset, p, n);
    return 0;
}

bool __wrap_direct_ended(struct direct *d, bool wait, int *rc)
{
    if (!d->begun || (!wait && d->turns-- > 0))
        return false;
    ASSERT(memcmp(d->p, d->copy, d->n) == 0);
    mem_free(d->copy);
    d->begun = false;
    if (++d->count == d->fails_at || rng_below(&d->rng, 4) == 0) {
        write_some_sectors(d, d->offset, d->p, d->n);
        d->given_back += d->count != d->fails_at;
        *rc = d->count == d->fails_at ? ERR_IO : ERR_BUSY;
        return true;
    }
    write_whole(d, d->offset, d->p, d->n);
    d->own++;
    *rc = 0;
    return true;
}

int __wrap_direct_bell(const struct direct *d)
{
    (void)d;
    return -1;
}

/* ---- a log with its story ---- */

struct story {
    struct logger *logger;
    struct rng rng;
    char dir[64];
    int64_t last;               /* submitted */
    int64_t starts[STARTS_MAX]; /* with which zxid files begin */
    size_t start_count;
};

static void nobody_listens(void *ctx)
{
    (void)ctx;
}

static struct story *story_begin(uint64_t seed, uint64_t fails_at)
{
    struct story *s = mem_zalloc(sizeof *s);
    disk = (struct direct){ .fd = -1, .fails_at = fails_at };
    rng_init(&disk.rng, seed * 31);
    rng_init(&s->rng, seed);
    snprintf(s->dir, sizeof s->dir, "/tmp/zokor-logger-XXXXXX");
    assert_non_null(mkdtemp(s->dir));
    s->starts[s->start_count++] = 1;
    s->logger = logger_new(&(struct logger_options){
        .fs = fs_real(),
        .log = { .dir = s->dir, .prealloc_bytes = 65536, .force_sync = true, .ahead_bytes = AHEAD_BYTES },
        .slow_sync_ms = 1000000,
        .direct = true,
        .changed = nobody_listens,
    });
    return s;
}

static void remove_entry(void *ctx, const char *name)
{
    const struct story *s = ctx;
    char path[512];
    snprintf(path, sizeof path, "%s/%s", s->dir, name);
    remove(path);
}

static void story_end(struct story *s)
{
    fs_real()->ops->list(fs_real(), s->dir, remove_entry, s);
    assert_int_equal(rmdir(s->dir), 0);
    mem_free(s);
}

static void next_file(struct story *s)
{
    assert_true(s->start_count < STARTS_MAX);
    if (s->starts[s->start_count - 1] != s->last + 1)
        s->starts[s->start_count++] = s->last + 1;
}

static size_t payload_of(int64_t zxid, uint8_t bytes[PAYLOAD_BYTES_MAX])
{
    struct rng rng;
    rng_init(&rng, (uint64_t)zxid);
    size_t n = rng_below(&rng, 12) == 0 ? 40 + rng_below(&rng, PAYLOAD_BYTES_MAX - 40) : 40 + rng_below(&rng, 150);
    for (size_t i = 0; i < n; i++)
        bytes[i] = (uint8_t)(1 + rng_below(&rng, 255));
    return n;
}

static void submit_some(struct story *s)
{
    struct core_append a[64];
    uint8_t bytes[PAYLOAD_BYTES_MAX];
    size_t count = 1 + rng_below(&s->rng, rng_below(&s->rng, 12) == 0 ? ARRAY_COUNT(a) : 4);
    for (size_t i = 0; i < count; i++) {
        size_t n = payload_of(++s->last, bytes);
        bool roll = rng_below(&s->rng, 80) == 0;
        a[i] = (struct core_append){ .zxid = s->last, .txn = blob_dup(slice_of(bytes, n)), .roll_after = roll };
        if (roll)
            next_file(s);
    }
    logger_submit(s->logger, a, count);
}

/* How many records there are from the first on, each as it was submitted. */
static int64_t in_files(const struct story *s)
{
    int64_t zxid = 0;
    for (size_t i = 0; i < s->start_count && s->starts[i] == zxid + 1; i++) {
        char name[128];
        uint8_t bytes[PAYLOAD_BYTES_MAX];
        struct txnlog_reader *r;
        struct store_error err;
        struct slice payload;
        uint64_t offset;
        snprintf(name, sizeof name, "%s/log.%llx", s->dir, (unsigned long long)s->starts[i]);
        if (txnlog_reader_open(fs_real(), name, 0, &r, &err) != 0)
            break;
        while (txnlog_reader_next(r, &payload, &offset, &err) == 1) {
            size_t n = payload_of(++zxid, bytes);
            assert_true(slice_eq(payload, slice_of(bytes, n)));
        }
        txnlog_reader_close(r);
    }
    return zxid;
}

static void wait_synced(struct story *s)
{
    struct store_error err;
    int64_t give_up_ms = clock_mono_ms() + PATIENCE_MS;
    while (logger_synced(s->logger) < s->last && logger_error(s->logger, &err) == 0) {
        assert_true(clock_mono_ms() < give_up_ms);
        logger_collect(s->logger);
        usleep(20);
    }
}

static void nothing_more(struct logger_job *job)
{
    (void)job;
}

/* Somebody changes the files: a new one begins. */
static void close_log(struct story *s)
{
    struct logger_job job = { .fn = nothing_more, .closes_log = true };
    int64_t give_up_ms = clock_mono_ms() + PATIENCE_MS;
    logger_run(s->logger, &job);
    while (logger_take_done(s->logger) == NULL) {
        assert_true(clock_mono_ms() < give_up_ms);
        logger_collect(s->logger);
        usleep(20);
    }
    next_file(s);
}

static void go_on(struct story *s)
{
    submit_some(s);
    switch (rng_below(&s->rng, 5)) {
    case 0:
    case 1:
        wait_synced(s);
        break;
    case 2:
        for (uint64_t i = rng_below(&s->rng, 8); i > 0; i--)
            logger_collect(s->logger);
        break;
    case 3:
        usleep((useconds_t)rng_below(&s->rng, 200));
        logger_collect(s->logger);
        break;
    default:
        break;
    }
}

static void everything_comes_once_and_in_order(void **state)
{
    (void)state;
    uint64_t own = 0, given_back = 0, taken = 0, refused = 0;
    for (uint64_t seed = 1; seed <= 6; seed++) {
        struct story *s = story_begin(seed, 0);
        struct store_error err;
        for (int i = 0; i < 250; i++) {
            go_on(s);
            if (rng_below(&s->rng, 40) == 0)
                close_log(s);
            if (rng_below(&s->rng, 20) == 0) {
                int64_t synced = logger_synced(s->logger);
                assert_true(in_files(s) >= synced);
            }
        }
        assert_int_equal(logger_error(s->logger, &err), 0);
        logger_free(s->logger);
        assert_int_equal(in_files(s), s->last);
        own += disk.own;
        given_back += disk.given_back;
        taken += disk.taken;
        refused += disk.refused;
        story_end(s);
    }
    assert_true(own > 0 && given_back > 0 && taken > 0 && refused > 0);
}

static void a_failed_write_ends_the_log(void **state)
{
    (void)state;
    for (uint64_t nth = 1; nth <= 25; nth++) {
        struct story *s = story_begin(nth, nth);
        struct store_error err = { "" };
        for (int i = 0; i < 1000 && logger_error(s->logger, &err) == 0; i++)
            go_on(s);
        wait_synced(s);
        assert_int_equal(logger_error(s->logger, &err), ERR_IO);
        assert_true(err.text[0] != '\0');
        int64_t synced = logger_synced(s->logger);
        assert_true(synced < s->last);
        assert_true(in_files(s) >= synced);
        go_on(s);
        logger_free(s->logger);
        assert_true(in_files(s) >= synced);
        assert_int_equal(disk.count, nth); /* nothing was tried after it */
        story_end(s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_comes_once_and_in_order),
        cmocka_unit_test(a_failed_write_ends_the_log),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
