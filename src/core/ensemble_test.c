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

/* Whoever leads: when it dies nobody is left to wait for, and the others do not wait. */
static void a_dead_leader_is_replaced_at_once(void **state)
{
    (void)state;
    for (int leader = 1; leader < 3; leader++) {
        struct cluster cl;
        cluster_init(&cl);
        for (int i = 0; i <= leader; i++)
            node_up(&cl, i);
        cluster_run(&cl, 1000);
        for (int i = leader + 1; i < 3; i++)
            node_up(&cl, i);
        cluster_run(&cl, 1000);
        assert_int_equal(cluster_leader(&cl), leader);
        assert_int_equal(cluster_serving(&cl), 3);
        node_down(&cl, leader);
        cluster_run(&cl, 100);
        assert_int_equal(cluster_serving(&cl), 2);
        cluster_fini(&cl);
    }
}

static void start(struct cluster *cl)
{
    cluster_init(cl);
    for (int i = 0; i < 3; i++)
        node_up(cl, i);
    cluster_run(cl, 500);
    assert_int_equal(cluster_leader(cl), 2);
}

/* ZOOKEEPER-1154: what a leader logged alone is not in the history that the others went on with. */
static void what_only_the_old_leader_logged_is_cut_off(void **state)
{
    (void)state;
    struct cluster cl;
    start(&cl);
    cluster_connect(&cl, 2, 1);
    assert_int_equal(cluster_create(&cl, 2, 1, "/all", 0), 0);
    cluster_cut(&cl, 2, 0, true);
    cluster_cut(&cl, 2, 1, true);
    struct buf b;
    buf_init(&b, 1000);
    put_create(&b, "/lost", "x", 0);
    cluster_send(&cl, 2, 1, WIRE_OP_CREATE, &b); /* logged by the leader at best, never committed */
    cluster_run(&cl, 30000);
    assert_int_equal(cluster_serving(&cl), 2);
    assert_false(has(&cl, 0, "/lost"));
    cluster_connect(&cl, 0, 1);
    assert_int_equal(cluster_create(&cl, 0, 1, "/new", 0), 0);
    cluster_cut(&cl, 2, 0, false);
    cluster_cut(&cl, 2, 1, false);
    cluster_run(&cl, 30000);
    assert_int_equal(cluster_serving(&cl), 3);
    assert_true(has(&cl, 2, "/new"));
    assert_false(has(&cl, 2, "/lost"));
    cluster_same(&cl);
    buf_fini(&b);
    cluster_fini(&cl);
}

/* The same with a disk that holds the dead transaction when its owner comes back. */
static void a_restarted_old_leader_cuts_its_log(void **state)
{
    (void)state;
    struct cluster cl;
    start(&cl);
    cluster_connect(&cl, 2, 1);
    assert_int_equal(cluster_create(&cl, 2, 1, "/all", 0), 0);
    node_down(&cl, 0);
    node_down(&cl, 1);
    struct buf b;
    buf_init(&b, 1000);
    put_create(&b, "/lost", "x", 0);
    cluster_send(&cl, 2, 1, WIRE_OP_CREATE, &b);
    cluster_run(&cl, 2); /* durable on its own disk */
    node_down(&cl, 2);
    node_up(&cl, 0);
    node_up(&cl, 1);
    cluster_run(&cl, 1000);
    assert_int_equal(cluster_serving(&cl), 2);
    cluster_connect(&cl, 0, 1);
    assert_int_equal(cluster_create(&cl, 0, 1, "/new", 0), 0);
    int truncs = cl.truncs;
    node_up(&cl, 2);
    assert_true(has(&cl, 2, "/lost"));
    cluster_run(&cl, 1000);
    assert_int_equal(cluster_serving(&cl), 3);
    assert_int_equal(cl.truncs, truncs + 1);
    assert_false(has(&cl, 2, "/lost"));
    assert_true(has(&cl, 2, "/new"));
    cluster_same(&cl);
    buf_fini(&b);
    cluster_fini(&cl);
}

static void a_lone_server_does_not_serve(void **state)
{
    (void)state;
    struct cluster cl;
    start(&cl);
    node_down(&cl, 1);
    node_down(&cl, 2);
    cluster_run(&cl, 30000);
    assert_int_equal(cluster_serving(&cl), 0);
    node_up(&cl, 1);
    cluster_run(&cl, 8000);
    assert_int_equal(cluster_serving(&cl), 2);
    cluster_same(&cl);
    cluster_fini(&cl);
}

static void five_servers_survive_two(void **state)
{
    (void)state;
    struct cluster cl;
    cluster_init_as(&cl, 5, "server.1=a:1:2\nserver.2=b:1:2\nserver.3=c:1:2\nserver.4=d:1:2\nserver.5=e:1:2\n");
    for (int i = 0; i < 5; i++)
        node_up(&cl, i);
    cluster_run(&cl, 500);
    assert_int_equal(cluster_serving(&cl), 5);
    node_down(&cl, cluster_leader(&cl));
    cluster_run(&cl, 500);
    node_down(&cl, cluster_leader(&cl));
    cluster_run(&cl, 500);
    assert_int_equal(cluster_serving(&cl), 3);
    cluster_connect(&cl, 0, 1);
    assert_int_equal(cluster_create(&cl, 0, 1, "/a", 0), 0);
    cluster_same(&cl);
    cluster_fini(&cl);
}

static void an_observer_follows_and_does_not_count(void **state)
{
    (void)state;
    struct cluster cl;
    cluster_init_as(&cl, 4, "server.1=a:1:2\nserver.2=b:1:2\nserver.3=c:1:2\nserver.4=d:1:2:observer\n");
    for (int i = 0; i < 4; i++)
        node_up(&cl, i);
    cluster_run(&cl, 1000);
    assert_int_equal(cluster_serving(&cl), 4);
    assert_int_equal(zab_view(core_zab(cl.nodes[3].core)).role, PEER_OBSERVING);
    cluster_connect(&cl, 3, 1);
    assert_int_equal(cluster_create(&cl, 3, 1, "/a", 0), 0);
    assert_int_equal(cluster_create(&cl, 3, 1, "/a", 0), ERR_NODE_EXISTS);
    cluster_same(&cl);
    node_down(&cl, 0);
    node_down(&cl, 1);
    cluster_run(&cl, 30000);
    assert_int_equal(cluster_serving(&cl), 0); /* leader and observer are no quorum */
    node_up(&cl, 0);
    cluster_run(&cl, 8000);
    assert_int_equal(cluster_serving(&cl), 3);
    cluster_fini(&cl);
}

/* syncEnabled=false: what an observer hears is on no disk of its own, only the image that a leader sent. */
static void an_observer_without_a_log(void **state)
{
    (void)state;
    struct cluster cl;
    cluster_init_as(&cl, 4, "server.1=a:1:2\nserver.2=b:1:2\nserver.3=c:1:2\nserver.4=d:1:2:observer\n");
    cl.observer_unlogged = true;
    for (int i = 0; i < 4; i++)
        node_up(&cl, i);
    cluster_run(&cl, 1000);
    cluster_connect(&cl, 3, 1);
    assert_int_equal(cluster_create(&cl, 3, 1, "/a", 0), 0);
    cluster_same(&cl);
    assert_int_equal(cl.nodes[3].log_n, 0);
    assert_true(cl.nodes[0].log_n != 0); /* voters are not meant */
    /* With nothing on its disk it claims no epoch, should it be made a voter. */
    assert_int_equal(cl.nodes[3].current, 0);
    assert_int_equal(cl.nodes[3].accepted, cl.nodes[0].accepted);
    /* Another leader: it is brought up to date from memory, not from its disk. */
    node_down(&cl, cluster_leader(&cl));
    cluster_run(&cl, 5000);
    assert_int_equal(cluster_serving(&cl), 3);
    assert_true(has(&cl, 3, "/a"));
    node_up(&cl, 2);
    cluster_run(&cl, 5000);
    /* Too far behind: the image is kept, what comes behind it is not. */
    node_down(&cl, 3);
    int leader = cluster_leader(&cl);
    cluster_connect(&cl, leader, 2);
    for (int i = 0; i < 40; i++) {
        char path[20];
        snprintf(path, sizeof path, "/b%d", i);
        assert_int_equal(cluster_create(&cl, leader, 2, path, 0), 0);
    }
    node_up(&cl, 3);
    cluster_run(&cl, 5000);
    assert_int_equal(cluster_serving(&cl), 4);
    assert_int_equal(cluster_create(&cl, leader, 2, "/c", 0), 0);
    cluster_run(&cl, 100);
    assert_true(has(&cl, 3, "/c"));
    node_down(&cl, 3);
    assert_int_equal(cl.nodes[3].log_n, 0);
    node_up(&cl, 3);
    assert_true(has(&cl, 3, "/b39") && !has(&cl, 3, "/c"));
    cluster_run(&cl, 5000);
    assert_true(has(&cl, 3, "/c"));
    assert_int_equal(cl.nodes[3].current, cl.nodes[0].current);
    cluster_same(&cl);
    cluster_fini(&cl);
}

static void one_voter_alone_is_an_ensemble(void **state)
{
    (void)state;
    struct cluster cl;
    cluster_init_as(&cl, 1, "server.1=a:1:2\n");
    node_up(&cl, 0);
    cluster_run(&cl, 100);
    assert_int_equal(cluster_serving(&cl), 1);
    cluster_connect(&cl, 0, 1);
    assert_int_equal(cluster_create(&cl, 0, 1, "/a", 0), 0);
    node_down(&cl, 0);
    node_up(&cl, 0);
    cluster_run(&cl, 100);
    assert_true(has(&cl, 0, "/a"));
    assert_int_equal(zab_view(core_zab(cl.nodes[0].core)).epoch, 2);
    cluster_fini(&cl);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(three_servers_elect_and_replicate),
        cmocka_unit_test(the_rest_goes_on_without_the_leader),
        cmocka_unit_test(a_dead_leader_is_replaced_at_once),
        cmocka_unit_test(what_only_the_old_leader_logged_is_cut_off),
        cmocka_unit_test(a_restarted_old_leader_cuts_its_log),
        cmocka_unit_test(a_lone_server_does_not_serve),
        cmocka_unit_test(five_servers_survive_two),
        cmocka_unit_test(an_observer_follows_and_does_not_count),
        cmocka_unit_test(an_observer_without_a_log),
        cmocka_unit_test(one_voter_alone_is_an_ensemble),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
