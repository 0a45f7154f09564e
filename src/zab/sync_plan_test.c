#include "zab/sync_plan.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define Z(epoch, counter) ((int64_t)(epoch) << 32 | (counter))

static struct history made(int64_t base, const int64_t *zxids, size_t count)
{
    struct history h;
    history_init(&h, base);
    struct blob *b = blob_dup(slice_str("txn"));
    for (size_t i = 0; i < count; i++)
        history_push(&h, zxids[i], b, 0);
    blob_unref(b);
    return h;
}

static const int64_t two_epochs[] = { Z(1, 5), Z(1, 6), Z(1, 7), Z(2, 1), Z(2, 2), Z(2, 3) };

struct row {
    int64_t last;
    enum sync_kind kind;
    int64_t zxid;
    size_t from;
};

static void check_rows(const struct history *h, int64_t committed, const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct sync_plan p = sync_plan(h, committed, rows[i].last);
        if (p.kind != rows[i].kind || (p.kind != SYNC_SNAP && (p.zxid != rows[i].zxid || p.from != rows[i].from)))
            fail_msg("row %zu: kind %d zxid %#llx from %zu", i, (int)p.kind, (unsigned long long)p.zxid, p.from);
    }
}

static void every_place_of_a_learner(void **state)
{
    (void)state;
    struct history h = made(Z(1, 4), two_epochs, 6);
    const int64_t end = Z(2, 3);
    const struct row rows[] = {
        { Z(2, 3), SYNC_DIFF, end, 6 },      /* nothing is missing */
        { Z(2, 1), SYNC_DIFF, end, 4 },      /* inside the window */
        { Z(1, 5), SYNC_DIFF, end, 1 },      /* its first entry */
        { Z(1, 4), SYNC_DIFF, end, 0 },      /* right before it */
        { Z(1, 3), SYNC_SNAP, 0, 0 },        /* further back */
        { 0, SYNC_SNAP, 0, 0 },              /* empty */
        { Z(1, 8), SYNC_TRUNC, Z(1, 7), 3 }, /* a dead end of epoch 1: cut to the last common transaction */
        { Z(1, 9), SYNC_TRUNC, Z(1, 7), 3 },
        { Z(2, 4), SYNC_TRUNC, end, 6 }, /* a dead end of the newest epoch */
        { Z(3, 1), SYNC_SNAP, 0, 0 },    /* of an epoch of which nothing is known: no common place for sure */
        { Z(2, 0), SYNC_DIFF, end, 3 },  /* the start of an epoch is no transaction */
        { Z(3, 0), SYNC_SNAP, 0, 0 },
    };
    check_rows(&h, end, rows, 12);
    history_fini(&h);
}

/* Proposals that are not decided yet are beyond the plan: what a learner has of them is cut and sent again. */
static void what_is_not_committed_is_no_common_past(void **state)
{
    (void)state;
    struct history h = made(Z(1, 4), two_epochs, 6);
    const struct row rows[] = {
        { Z(2, 1), SYNC_DIFF, Z(2, 1), 4 },
        { Z(2, 2), SYNC_TRUNC, Z(2, 1), 4 },
        { Z(1, 7), SYNC_DIFF, Z(2, 1), 3 },
    };
    check_rows(&h, Z(2, 1), rows, 3);
    history_fini(&h);
}

/* ZOOKEEPER-4352, 3526: an empty window knows one place only. */
static void an_empty_window(void **state)
{
    (void)state;
    struct history h = made(Z(1, 9), NULL, 0);
    const struct row rows[] = {
        { Z(1, 9), SYNC_DIFF, Z(1, 9), 0 }, { Z(1, 8), SYNC_SNAP, 0, 0 },         { 0, SYNC_SNAP, 0, 0 },
        { Z(2, 1), SYNC_SNAP, 0, 0 },       { Z(1, 10), SYNC_TRUNC, Z(1, 9), 0 },
    };
    check_rows(&h, Z(1, 9), rows, 5);
    history_fini(&h);
}

/* Two servers with a common past: whatever the learner has, what the plan keeps is a beginning of the leader's log,
 * and what it sends is the rest. */
static void kept_and_sent_make_the_leaders_log(void **state)
{
    (void)state;
    struct history h = made(0, two_epochs, 6);
    for (int64_t epoch = 1; epoch <= 2; epoch++) {
        for (int64_t counter = 1; counter < 12; counter++) {
            struct sync_plan p = sync_plan(&h, Z(2, 3), Z(epoch, counter));
            if (p.kind == SYNC_SNAP)
                continue;
            int64_t kept = p.kind == SYNC_TRUNC ? p.zxid : Z(epoch, counter);
            assert_true(kept <= Z(epoch, counter));
            assert_true(p.from == 0 || history_at(&h, p.from - 1)->zxid == kept);
            assert_true(p.from == h.count || history_at(&h, p.from)->zxid > kept);
        }
    }
    history_fini(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_place_of_a_learner),
        cmocka_unit_test(what_is_not_committed_is_no_common_past),
        cmocka_unit_test(an_empty_window),
        cmocka_unit_test(kept_and_sent_make_the_leaders_log),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
