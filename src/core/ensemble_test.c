#include "core/cluster_for_tests.h"

static bool has(struct cluster *cl, int n, const char *path)
{
    return tree_find(core_tree(cl->nodes[n].core), slice_str(path)) != NODE_NONE;
}

static void three_servers_elect_and_replicate(void **state)
{
    (void)state;
    struct cluster cl;
    cluster_init(&cl);
    for (int i = 0; i < 3; i++)
        node_up(&cl, i);
    cluster_run(&cl, 500);
    assert_int_equal(cluster_leader(&cl), 2); /* equal histories: the largest id */
    assert_int_equal(cluster_serving(&cl), 3);
    for (int n = 0; n < 3; n++) {
        char path[20];
        int64_t session = cluster_connect(&cl, n, 1);
        assert_int_equal(session >> 56, n + 1);
        snprintf(path, sizeof path, "/n%d", n);
        assert_int_equal(cluster_create(&cl, n, 1, path, 0), 0);
        assert_int_equal(cluster_create(&cl, n, 1, path, 0), ERR_NODE_EXISTS);
        assert_int_equal(cluster_create(&cl, n, 1, "/nowhere/x", 0), ERR_NO_NODE);
    }
    for (int n = 0; n < 3; n++)
        assert_true(has(&cl, n, "/n0") && has(&cl, n, "/n1") && has(&cl, n, "/n2"));
    cluster_same(&cl);
    cluster_fini(&cl);
}

static void the_rest_goes_on_without_the_leader(void **state)
{
    (void)state;
    struct cluster cl;
    cluster_init(&cl);
    for (int i = 0; i < 3; i++)
        node_up(&cl, i);
    cluster_run(&cl, 500);
    int old = cluster_leader(&cl);
    cluster_connect(&cl, 0, 1);
    assert_int_equal(cluster_create(&cl, 0, 1, "/before", 0), 0);
    node_down(&cl, old);
    cluster_run(&cl, 100); /* two agree, the third is dead: nobody is waited for */
    assert_int_equal(cluster_serving(&cl), 2);
    assert_true(cl.nodes[0].closed[1]);
    cluster_connect(&cl, 0, 2);
    assert_int_equal(cluster_create(&cl, 0, 2, "/between", 0), 0);
    node_up(&cl, old);
    cluster_run(&cl, 1000);
    assert_int_equal(cluster_serving(&cl), 3);
    assert_true(has(&cl, old, "/between"));
    cluster_same(&cl);
    cluster_fini(&cl);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(three_servers_elect_and_replicate),
        cmocka_unit_test(the_rest_goes_on_without_the_leader),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
