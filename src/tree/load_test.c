#include "base/mem.h"
#include "tree/tree_test_support.h"
#include <stdio.h>

static int load(struct tree *t, const char *path, const char *data, int64_t acl, struct wire_stat_persisted s)
{
    return tree_load_node(t, slice_str(path), slice_str(data), acl, &s);
}

static const struct wire_stat_persisted zero;

static struct tree *begun(const struct bench *b)
{
    struct tree *t = tree_new_for_load(&test_options);
    assert_int_equal(tree_load_acl(t, 2007, acl_of(&b->acl_other)), 0);
    assert_int_equal(tree_load_acl(t, 2007, acl_of(&b->acl_open)), ERR_CORRUPT);
    assert_int_equal(tree_load_acl(t, 5, acl_of(&b->acl_open)), 0);
    assert_int_equal(tree_load_acl(t, 6, acl_of(&b->acl_open)), 0); /* the same list twice */
    return t;
}

static void whole(void **state)
{
    (void)state;
    struct bench b;
    bench_open(&b);
    struct tree *t = begun(&b);
    tree_load_session(t, 0x55, 30000);
    assert_int_equal(load(t, "", "r", -1, zero), 0);
    assert_int_equal(load(t, "/b", "", 6, (struct wire_stat_persisted){ .czxid = 3, .pzxid = 9, .cversion = 4 }), 0);
    assert_int_equal(
        load(t, "/b/late", "", 2007, (struct wire_stat_persisted){ .czxid = 8, .pzxid = 8, .ephemeral_owner = 0x55 }),
        0);
    assert_int_equal(
        load(t, "/b/early", "", 5, (struct wire_stat_persisted){ .czxid = 7, .pzxid = 7, .ephemeral_owner = 0x55 }), 0);
    assert_int_equal(
        load(t, "/b/orphan", "", 404, (struct wire_stat_persisted){ .czxid = 7, .pzxid = 7, .ephemeral_owner = 0x66 }),
        0);
    assert_int_equal(tree_load_finish(t, 0x33), 0);
    tree_check(t);
    assert_int_equal(tree_last_zxid(t), 0x33);
    assert_int_equal(tree_node_count(t), 8); /* an old snapshot without /zookeeper gets it */
    assert_int_equal(tree_find(t, slice_str("/zookeeper/config")) == NODE_NONE, 0);
    assert_int_equal(tree_stat(t, tree_find(t, slice_str("/b"))).cversion, 5);
    assert_true(slice_eq(tree_acl(t, tree_find(t, slice_str("/b/late"))).raw, buf_slice(&b.acl_other)));
    /* A list that the snapshot lacks grants nothing; an empty one would grant everything. */
    struct wire_vec closed = tree_acl(t, tree_find(t, slice_str("/b/orphan")));
    assert_int_equal(closed.count, 1);
    assert_int_equal(load_be32(closed.raw.p), 0);
    struct buf list;
    buf_init(&list, SIZE_MAX);
    assert_int_equal(tree_put_ephemerals(t, 0x55, (struct slice){ 0 }, &list), 2);
    assert_memory_equal(list.p, "\0\0\0\x08/b/early\0\0\0\x07/b/late", list.n);
    assert_int_equal(tree_remove_dead_ephemerals(t), 1);
    tree_check(t);
    assert_int_equal(t->acls.live, 4); /* open, the two of the table, config's; what stood in for 404 went */
    buf_fini(&list);
    tree_free(t);
    bench_close(&b);
}

static void refuses(void **state)
{
    (void)state;
    struct bench b;
    bench_open(&b);
    struct tree *t = begun(&b);
    assert_int_equal(tree_load_finish(t, 1), ERR_CORRUPT);
    assert_int_equal(load(t, "/a", "", 5, zero), ERR_CORRUPT); /* the root comes first */
    assert_int_equal(load(t, "", "", 5, zero), 0);
    assert_int_equal(load(t, "", "", 5, zero), ERR_CORRUPT);
    assert_int_equal(load(t, "/a", "", 5, zero), 0);
    static const char *bad[] = { "/a", "/x/y", "a", "/a/", "//", "/", "/a//b" };
    for (size_t i = 0; i < ARRAY_COUNT(bad); i++)
        assert_int_equal(load(t, bad[i], "", 5, zero), ERR_CORRUPT);
    assert_int_equal(load(t, "/a/b", "", 5, zero), 0);
    tree_free(t); /* unfinished */
    bench_close(&b);
}

static void recounts_quotas(void **state)
{
    (void)state;
    struct tree *t = tree_new_for_load(&test_options);
    static const char *nodes[][2] = { { "", "" },
                                      { "/q", "123" },
                                      { "/q/r", "4567" },
                                      { "/zookeeper", "" },
                                      { "/zookeeper/quota", "" },
                                      { "/zookeeper/quota/q", "" },
                                      { "/zookeeper/quota/q/zookeeper_limits", "count=9" },
                                      { "/zookeeper/quota/q/zookeeper_stats", "count=77,bytes=77=;x=1" },
                                      { "/zookeeper/quota/zookeeper_limits", "" },
                                      { "/zookeeper/quota/zookeeper_stats", "left alone" } };
    for (size_t i = 0; i < ARRAY_COUNT(nodes); i++)
        assert_int_equal(load(t, nodes[i][0], nodes[i][1], -1, zero), 0);
    assert_int_equal(tree_load_finish(t, 1), 0);
    assert_slice(tree_data(t, tree_find(t, slice_str("/zookeeper/quota/q/zookeeper_stats"))), "count=2,bytes=7");
    assert_slice(tree_data(t, tree_find(t, slice_str("/zookeeper/quota/zookeeper_stats"))), "left alone");
    tree_check(t);
    tree_free(t);
}

/* What the design promises: 100 bytes of data and names of about 11 bytes. */
static void memory_of_nodes(void **state)
{
    (void)state;
    enum { COUNT = 200000 };
    static char data[101];
    memset(data, 'd', 100);
    struct tree *t = tree_new_for_load(&test_options);
    assert_int_equal(load(t, "", "", -1, zero), 0);
    assert_int_equal(load(t, "/bench", "", -1, zero), 0);
    char path[32];
    for (int i = 0; i < COUNT; i++) {
        snprintf(path, sizeof path, "/bench/n%010d", i);
        assert_int_equal(load(t, path, data, -1, (struct wire_stat_persisted){ .czxid = i, .pzxid = i }), 0);
    }
    assert_int_equal(tree_load_finish(t, COUNT), 0);
    double each = (double)tree_memory_bytes(t) / COUNT;
    print_message("%.1f bytes a node\n", each);
    assert_true(each < 205);
    tree_check(t);
    tree_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole),
        cmocka_unit_test(refuses),
        cmocka_unit_test(recounts_quotas),
        cmocka_unit_test(memory_of_nodes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
