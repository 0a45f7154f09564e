#include "tree/tree_test_support.h"

static void quota_set(struct bench *b, const char *limits)
{
    bench_create(b, "/zookeeper/quota/q", NULL);
    bench_create(b, "/zookeeper/quota/q/zookeeper_limits", limits);
    bench_create(b, "/zookeeper/quota/q/zookeeper_stats", "count=0,bytes=0");
}

#define STATS "/zookeeper/quota/q/zookeeper_stats"

static void follows_changes(void **state)
{
    (void)state;
    struct bench b;
    bench_open(&b);
    bench_create(&b, "/q", "12345");
    bench_create(&b, "/q/a", "123");
    bench_create(&b, "/qx", "not below");
    uint64_t digest = tree_digest(b.t);
    quota_set(&b, "count=3,bytes=100");
    assert_true(tree_digest(b.t) == digest);   /* nothing below /zookeeper/ counts */
    assert_data(&b, STATS, "count=2,bytes=8"); /* counted when the stats node was made */
    bench_create(&b, "/q/b", NULL);
    assert_data(&b, STATS, "count=3,bytes=8");
    bench_apply(&b, op_set("/q/b", "xy", 1));
    assert_data(&b, STATS, "count=3,bytes=10");
    bench_apply(&b, op_set("/q", "1", 1));
    assert_data(&b, STATS, "count=3,bytes=6");
    bench_delete(&b, "/q/a");
    assert_data(&b, STATS, "count=2,bytes=3");
    bench_create(&b, "/qx/y", "z");
    bench_apply(&b, op_create(&b, "/q/b", "again")); /* tolerated, changes nothing */
    bench_apply(&b, op_delete("/q/none"));
    assert_data(&b, STATS, "count=2,bytes=3");
    assert_int_equal(stat_of(&b, STATS).version, 0);
    assert_int_equal(stat_of(&b, STATS).mzxid, stat_of(&b, STATS).czxid);
    /* Other keys of the text stay. */
    bench_apply(&b, op_set(STATS, "bytes=3;zz=4,,count=2;aa=", 1));
    bench_create(&b, "/q/c", "4444");
    assert_data(&b, STATS, "count=3,bytes=7=;aa=-1;zz=4");
    bench_apply(&b, op_set(STATS, "nonsense;count=x,bytes;=;;", 1));
    bench_create(&b, "/q/d", "1");
    assert_data(&b, STATS, "count=0,bytes=0=;=-1");
    bench_delete(&b, "/zookeeper/quota/q/zookeeper_limits"); /* frozen */
    bench_create(&b, "/q/e", "1");
    assert_data(&b, STATS, "count=0,bytes=0=;=-1");
    tree_check(b.t);
    bench_close(&b);
}

static void deepest_wins(void **state)
{
    (void)state;
    struct bench b;
    bench_open(&b);
    bench_create(&b, "/q", "");
    bench_create(&b, "/q/in", "");
    quota_set(&b, "count=5,bytes=-1");
    bench_create(&b, "/zookeeper/quota/q/in", NULL);
    bench_create(&b, "/zookeeper/quota/q/in/zookeeper_limits", "count=1,bytes=-1=;countHardLimit=1");
    bench_create(&b, "/zookeeper/quota/q/in/zookeeper_stats", "");
    bench_create(&b, "/q/in/x", "1");
    bench_create(&b, "/q/y", "1");
    assert_data(&b, STATS, "count=3,bytes=1"); /* its own count saw both, later only its own part moves it */
    assert_data(&b, "/zookeeper/quota/q/in/zookeeper_stats", "count=2,bytes=1");
    bool soft;
    assert_int_equal(tree_quota_check(b.t, slice_str("/q/in/z"), 1, 0, &soft), ERR_QUOTA_EXCEEDED);
    assert_int_equal(tree_quota_check(b.t, slice_str("/q/in/x"), 0, 50, &soft), 0);
    assert_int_equal(tree_quota_check(b.t, slice_str("/q/z"), 1, 0, &soft), 0);
    assert_false(soft);
    bench_close(&b);
}

static void limits(void **state)
{
    (void)state;
    struct bench b;
    bench_open(&b);
    bench_create(&b, "/q", "");
    quota_set(&b, "count=2,bytes=10=;byteHardLimit=20;countHardLimit=3");
    bool soft;
    bench_create(&b, "/q/a", "12345678"); /* count 2, bytes 8 */
    assert_int_equal(tree_quota_check(b.t, slice_str("/q/b"), 1, 0, &soft), 0);
    assert_false(soft); /* where there is a hard limit the soft one is not looked at */
    assert_int_equal(tree_quota_check(b.t, slice_str("/q/b"), 1, 12, &soft), 0);
    assert_int_equal(tree_quota_check(b.t, slice_str("/q/b"), 1, 13, &soft), ERR_QUOTA_EXCEEDED);
    assert_int_equal(tree_quota_check(b.t, slice_str("/q/a"), 0, -5, &soft), 0);
    bench_create(&b, "/q/b", "");
    assert_int_equal(tree_quota_check(b.t, slice_str("/q/c"), 1, 0, &soft), ERR_QUOTA_EXCEEDED);
    bench_apply(&b, op_set("/zookeeper/quota/q/zookeeper_limits", "count=2,bytes=10", 1));
    assert_int_equal(tree_quota_check(b.t, slice_str("/q/c"), 1, 0, &soft), 0);
    assert_true(soft);
    assert_int_equal(tree_quota_check(b.t, slice_str("/q/a"), 0, 2, &soft), 0);
    assert_false(soft);
    assert_int_equal(tree_quota_check(b.t, slice_str("/q/a"), 0, 3, &soft), 0);
    assert_true(soft);
    assert_int_equal(tree_quota_check(b.t, slice_str("/elsewhere"), 1, INT64_MAX, &soft), 0);
    static const char *garbage[] = { "",
                                     "=",
                                     ";;;",
                                     "count",
                                     "count=99999999999999999999",
                                     "count=-9223372036854775808",
                                     "byteHardLimit=9223372036854775807",
                                     "count=1=2=3;bytes==4",
                                     "count=--1" };
    for (size_t i = 0; i < ARRAY_COUNT(garbage); i++) {
        bench_apply(&b, op_set("/zookeeper/quota/q/zookeeper_limits", garbage[i], 2));
        bench_apply(&b, op_set(STATS, garbage[i], 2));
        (void)tree_quota_check(b.t, slice_str("/q/a"), 1, INT64_MAX, &soft);
        bench_apply(&b, op_set("/q/a", garbage[i], 2));
    }
    tree_check(b.t);
    bench_close(&b);
}

/* A quota on "/" is ignored; stats and limits in odd places do no harm. */
static void odd_places(void **state)
{
    (void)state;
    struct bench b;
    bench_open(&b);
    bench_create(&b, "/zookeeper/quota/zookeeper_limits", "count=1,bytes=1=;countHardLimit=1");
    bench_create(&b, "/zookeeper/quota/zookeeper_stats", "count=7,bytes=7");
    bench_create(&b, "/a", "");
    assert_data(&b, "/zookeeper/quota/zookeeper_stats", "count=7,bytes=7");
    bool soft;
    assert_int_equal(tree_quota_check(b.t, slice_str("/a"), 1, 1, &soft), 0);
    bench_create(&b, "/zookeeper/quota/gone", NULL);
    bench_create(&b, "/zookeeper/quota/gone/zookeeper_limits", "count=1");
    bench_create(&b, "/zookeeper/quota/gone/zookeeper_stats", "count=9");
    assert_data(&b, "/zookeeper/quota/gone/zookeeper_stats", "count=0,bytes=0");
    bench_create(&b, "/gone", "22");
    assert_data(&b, "/zookeeper/quota/gone/zookeeper_stats", "count=1,bytes=2");
    bench_create(&b, "/zookeeper/zookeeper_stats", "text");
    assert_data(&b, "/zookeeper/zookeeper_stats", "text");
    bench_create(&b, "/zookeeper/quota/zookeeper", NULL); /* a quota on the quotas */
    bench_create(&b, "/zookeeper/quota/zookeeper/zookeeper_limits", "");
    bench_create(&b, "/zookeeper/quota/zookeeper/zookeeper_stats", "");
    bench_create(&b, "/zookeeper/y", "1");
    bench_delete(&b, "/zookeeper/quota/zookeeper/zookeeper_stats");
    bench_delete(&b, "/zookeeper/quota");
    bench_create(&b, "/b", "");
    tree_check(b.t);
    bench_close(&b);
}

/* Text with as many keys as fit is cut, not overrun. */
static void many_keys(void **state)
{
    (void)state;
    struct bench b;
    bench_open(&b);
    bench_create(&b, "/q", "");
    quota_set(&b, "count=5,bytes=-1");
    struct buf text;
    buf_init(&text, SIZE_MAX);
    buf_printf(&text, "count=1,bytes=0");
    for (int i = 0; i < 5000; i++)
        buf_printf(&text, ";key%d=%d", i, i);
    buf_append(&text, "", 1);
    bench_apply(&b, op_set(STATS, (const char *)text.p, 1));
    bench_create(&b, "/q/a", "1");
    struct slice s = tree_data(b.t, at(&b, STATS));
    assert_true(s.n < 400 && slice_starts(s, slice_str("count=2,bytes=1=;key0=0;key1=1;key10=10;")));
    buf_fini(&text);
    bench_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(follows_changes), cmocka_unit_test(deepest_wins), cmocka_unit_test(limits),
        cmocka_unit_test(odd_places),      cmocka_unit_test(many_keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
