#include "server/log_feed.h"
#include "base/err.h"
#include "os/fs.h"
#include "os/thread.h"
#include "store/txnlog.h"
#include "wire/txn.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#define COUNT 3000

struct bench {
    char dir[64];
    struct store_dirs dirs;
    struct log_feed *feed;
    struct mutex mutex;
    struct cond cond;
    int changes;
};

static void changed(void *ctx)
{
    struct bench *b = ctx;
    mutex_lock(&b->mutex);
    b->changes++;
    cond_signal(&b->cond);
    mutex_unlock(&b->mutex);
}

static struct log_feed_piece take(struct bench *b)
{
    struct log_feed_piece piece;
    mutex_lock(&b->mutex);
    while (b->changes == 0)
        cond_wait(&b->cond, &b->mutex);
    b->changes--;
    mutex_unlock(&b->mutex);
    assert_true(log_feed_take(b->feed, &piece));
    return piece;
}

static void put_record(struct txnlog *log, int64_t zxid)
{
    struct buf r;
    buf_init(&r, 10000);
    static const uint8_t data[300];
    struct txn_op op = { .type = WIRE_OP_SET_DATA, .path = slice_str("/a"), .data = slice_of(data, sizeof data) };
    wire_put_txn_header(&r, &(struct wire_txn_header){ .zxid = zxid, .type = op.type });
    txn_put_body(&r, &op);
    txnlog_append(log, zxid, buf_slice(&r));
    buf_fini(&r);
}

static int begin(void **state)
{
    struct bench *b = calloc(1, sizeof *b);
    struct store_error err;
    strcpy(b->dir, "/tmp/zokor-feed-XXXXXX");
    assert_non_null(mkdtemp(b->dir));
    b->dirs = (struct store_dirs){ b->dir, b->dir };
    struct txnlog *log = txnlog_new(fs_real(), &(struct txnlog_options){ .dir = b->dir });
    for (int64_t z = 1; z <= COUNT; z++) {
        put_record(log, z);
        if (z % 1000 == 0)
            txnlog_roll(log);
    }
    assert_int_equal(txnlog_flush(log, &err), 0);
    txnlog_free(log);
    mutex_init(&b->mutex);
    cond_init(&b->cond);
    b->feed = log_feed_new(&(struct log_feed_options){
        .fs = fs_real(), .dirs = &b->dirs, .record_bytes_max = 100000, .changed = changed, .ctx = b });
    *state = b;
    return 0;
}

static int end(void **state)
{
    struct bench *b = *state;
    log_feed_free(b->feed);
    mutex_fini(&b->mutex);
    cond_fini(&b->cond);
    static const char *const names[] = { "log.1", "log.3e9", "log.7d1" };
    for (int i = 0; i < 3; i++) {
        char path[100];
        snprintf(path, sizeof path, "%s/%s", b->dir, names[i]);
        assert_int_equal(unlink(path), 0);
    }
    assert_int_equal(rmdir(b->dir), 0);
    free(b);
    return 0;
}

/* Pieces come when they are asked for; together they are the history above `from` up to `to`. */
static void pieces_make_the_history(void **state)
{
    struct bench *b = *state;
    log_feed_open(b->feed, 7, 500, 2500);
    int64_t next = 501;
    for (int pieces = 0;; pieces++) {
        struct log_feed_piece p = take(b);
        assert_int_equal(p.link, 7);
        assert_int_equal(p.err, 0);
        struct wire_reader r = wire_reader_of(blob_slice(p.bytes));
        while (wire_left(&r) != 0) {
            struct txn txn;
            int64_t zxid = wire_get_i64(&r);
            int32_t n = wire_get_i32(&r);
            const uint8_t *at = wire_take(&r, (size_t)n);
            assert_non_null(at);
            assert_int_equal(zxid, next++);
            assert_int_equal(txn_decode(slice_of(at, (size_t)n), &txn), 0);
            assert_int_equal(txn.header.zxid, zxid);
        }
        blob_unref(p.bytes);
        if (p.end) {
            assert_true(pieces > 1);
            break;
        }
        log_feed_more(b->feed, 7);
    }
    assert_int_equal(next, 2501);
}

static void a_place_that_the_log_does_not_hold_is_refused(void **state)
{
    struct bench *b = *state;
    log_feed_open(b->feed, 1, 0x100000001, 0x100000009);
    struct log_feed_piece p = take(b);
    assert_int_not_equal(p.err, 0);
    assert_null(p.bytes);
}

/* Two learners at once, one of which goes away in the middle. */
static void learners_do_not_disturb_each_other(void **state)
{
    struct bench *b = *state;
    log_feed_open(b->feed, 1, 1, COUNT);
    log_feed_open(b->feed, 2, 2900, COUNT);
    struct log_feed_piece one = take(b), two = take(b);
    assert_int_equal(one.link, 1);
    assert_false(one.end);
    assert_int_equal(two.link, 2);
    assert_true(two.end);
    blob_unref(one.bytes);
    blob_unref(two.bytes);
    log_feed_close(b->feed, 1);
    log_feed_more(b->feed, 1); /* nobody is there any more: no answer */
    log_feed_open(b->feed, 3, 2999, COUNT);
    struct log_feed_piece three = take(b);
    assert_int_equal(three.link, 3);
    blob_unref(three.bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(pieces_make_the_history, begin, end),
        cmocka_unit_test_setup_teardown(a_place_that_the_log_does_not_hold_is_refused, begin, end),
        cmocka_unit_test_setup_teardown(learners_do_not_disturb_each_other, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
