#include "core/cluster_for_tests.h"

/* Learners that are too far behind the window of 20 transactions: node 2 leads. */
static void start(struct cluster *cl)
{
    cluster_init(cl);
    for (int i = 0; i < 3; i++)
        node_up(cl, i);
    cluster_run(cl, 500);
    assert_int_equal(cluster_leader(cl), 2);
    cluster_connect(cl, 2, 1);
}

static void write_many(struct cluster *cl, int n, const char *prefix, int count)
{
    for (int i = 0; i < count; i++) {
        char path[40];
        snprintf(path, sizeof path, "/%s%d", prefix, i);
        assert_int_equal(cluster_create(cl, n, 1, path, 0), 0);
    }
}

static bool has(struct cluster *cl, int n, const char *path)
{
    return tree_find(core_tree(cl->nodes[n].core), slice_str(path)) != NODE_NONE;
}

static void wipe(struct cluster *cl, int n)
{
    node_truncate(&cl->nodes[n], -1);
    buf_reset(&cl->nodes[n].image);
    cl->nodes[n].accepted = cl->nodes[n].current = 0;
}

static void an_empty_server_gets_the_tree(void **state)
{
    (void)state;
    struct cluster cl;
    start(&cl);
    write_many(&cl, 2, "a", 30);
    node_down(&cl, 0);
    wipe(&cl, 0);
    node_up(&cl, 0);
    cluster_run(&cl, 1000);
    assert_int_equal(cluster_serving(&cl), 3);
    assert_int_equal(zab_view(core_zab(cl.nodes[2].core)).snaps_sent, 1);
    assert_true(has(&cl, 0, "/a29"));
    cluster_same(&cl);
    write_many(&cl, 2, "b", 3);
    /* What it has on its disk is enough to begin again. */
    node_down(&cl, 0);
    node_up(&cl, 0);
    assert_true(has(&cl, 0, "/a0") && has(&cl, 0, "/b2"));
    cluster_run(&cl, 1000);
    assert_int_equal(zab_view(core_zab(cl.nodes[2].core)).snaps_sent, 1);
    cluster_same(&cl);
    cluster_fini(&cl);
}

static void a_server_inside_the_window_gets_the_difference(void **state)
{
    (void)state;
    struct cluster cl;
    start(&cl);
    write_many(&cl, 2, "a", 30);
    node_down(&cl, 0);
    write_many(&cl, 2, "b", 10);
    node_up(&cl, 0);
    cluster_run(&cl, 1000);
    assert_int_equal(zab_view(core_zab(cl.nodes[2].core)).snaps_sent, 0);
    assert_true(has(&cl, 0, "/b9"));
    cluster_same(&cl);
    cluster_fini(&cl);
}

/* Behind the window, but the leader's log holds what is missing; writes go on meanwhile. */
static void the_log_on_disk_serves_who_is_behind_the_window(void **state)
{
    (void)state;
    struct cluster cl;
    cluster_init(&cl);
    cl.log_sync = true;
    for (int i = 0; i < 3; i++)
        node_up(&cl, i);
    cluster_run(&cl, 500);
    cluster_connect(&cl, 2, 1);
    write_many(&cl, 2, "a", 5);
    node_down(&cl, 0);
    write_many(&cl, 2, "b", 100);
    node_up(&cl, 0);
    struct buf b;
    buf_init(&b, 1000);
    for (int i = 0; i < 60; i++) {
        char path[20];
        snprintf(path, sizeof path, "/c%d", i);
        put_create(&b, path, "x", 0);
        cluster_send(&cl, 2, 1, WIRE_OP_CREATE, &b);
        cluster_run(&cl, 1);
    }
    cluster_run(&cl, 1000);
    assert_true(cl.logs_read > 0);
    assert_int_equal(zab_view(core_zab(cl.nodes[2].core)).snaps_sent, 0);
    assert_int_equal(cluster_serving(&cl), 3);
    assert_true(has(&cl, 0, "/c59"));
    cluster_same(&cl);
    /* An empty server is not helped by a log. */
    node_down(&cl, 0);
    wipe(&cl, 0);
    node_up(&cl, 0);
    cluster_run(&cl, 1000);
    assert_int_equal(zab_view(core_zab(cl.nodes[2].core)).snaps_sent, 1);
    cluster_same(&cl);
    buf_fini(&b);
    cluster_fini(&cl);
}

/* Writes go on while the image is on its way. */
static void writes_during_the_image_arrive_behind_it(void **state)
{
    (void)state;
    struct cluster cl;
    start(&cl);
    write_many(&cl, 2, "a", 30);
    node_down(&cl, 0);
    wipe(&cl, 0);
    node_up(&cl, 0);
    struct buf b;
    buf_init(&b, 1000);
    for (int i = 0; i < 60; i++) {
        char path[20];
        snprintf(path, sizeof path, "/c%d", i);
        put_create(&b, path, "x", 0);
        cluster_send(&cl, 2, 1, WIRE_OP_CREATE, &b);
        cluster_run(&cl, 1);
    }
    cluster_run(&cl, 1000);
    assert_int_equal(cluster_serving(&cl), 3);
    assert_true(has(&cl, 0, "/c59"));
    cluster_same(&cl);
    buf_fini(&b);
    cluster_fini(&cl);
}

/* Whatever moment the leader dies at, no half image counts (ZOOKEEPER-3642, 5094). */
static void an_image_that_breaks_off_leaves_no_trace(void **state)
{
    (void)state;
    for (int ms = 1; ms < 40; ms++) {
        struct cluster cl;
        start(&cl);
        write_many(&cl, 2, "a", 30);
        node_down(&cl, 0);
        wipe(&cl, 0);
        node_up(&cl, 0);
        cluster_run(&cl, ms);
        node_down(&cl, 2);
        cluster_run(&cl, 20000);
        assert_int_equal(cluster_serving(&cl), 2);
        assert_true(has(&cl, 0, "/a29"));
        cluster_same(&cl);
        node_up(&cl, 2);
        cluster_run(&cl, 2000);
        assert_int_equal(cluster_serving(&cl), 3);
        cluster_same(&cl);
        cluster_fini(&cl);
    }
}

/* The learner dies at every moment of its synchronisation and comes back with what its disk had. */
static void a_learner_that_dies_in_between_comes_back(void **state)
{
    (void)state;
    for (int ms = 1; ms < 40; ms++) {
        struct cluster cl;
        start(&cl);
        write_many(&cl, 2, "a", 5);
        node_down(&cl, 0);
        write_many(&cl, 2, "b", 30);
        node_up(&cl, 0);
        cluster_run(&cl, ms);
        node_down(&cl, 0);
        node_up(&cl, 0);
        cluster_run(&cl, 2000);
        assert_int_equal(cluster_serving(&cl), 3);
        assert_true(has(&cl, 0, "/b29"));
        cluster_same(&cl);
        cluster_fini(&cl);
    }
}

/* A dead end of its own log above the image does not come back after a restart. */
static void a_dead_log_does_not_survive_an_image(void **state)
{
    (void)state;
    struct cluster cl;
    start(&cl);
    assert_int_equal(cluster_create(&cl, 2, 1, "/all", 0), 0);
    node_down(&cl, 0);
    node_down(&cl, 1);
    struct buf b;
    buf_init(&b, 1000);
    put_create(&b, "/lost", "x", 0);
    cluster_send(&cl, 2, 1, WIRE_OP_CREATE, &b);
    cluster_run(&cl, 2);
    node_down(&cl, 2);
    node_up(&cl, 0);
    node_up(&cl, 1);
    cluster_run(&cl, 1000);
    cluster_connect(&cl, 0, 1);
    write_many(&cl, 0, "n", 30); /* the common past has left the window */
    node_up(&cl, 2);
    cluster_run(&cl, 2000);
    assert_int_equal(cluster_serving(&cl), 3);
    node_down(&cl, 2);
    node_up(&cl, 2);
    assert_false(has(&cl, 2, "/lost"));
    assert_true(has(&cl, 2, "/n29"));
    cluster_run(&cl, 1000);
    cluster_same(&cl);
    buf_fini(&b);
    cluster_fini(&cl);
}

/* Enough for several slices of an image. */
static void write_pages(struct cluster *cl, int n)
{
    char data[4001];
    memset(data, 'x', sizeof data - 1);
    data[sizeof data - 1] = 0;
    struct buf b;
    buf_init(&b, 10000);
    for (int i = 0; i < 120; i++) {
        char path[20];
        snprintf(path, sizeof path, "/page%d", i);
        buf_reset(&b);
        put_create(&b, path, data, 0);
        int32_t xid = cluster_send(cl, n, 1, WIRE_OP_CREATE, &b);
        cluster_run(cl, 20);
        assert_int_equal(cluster_reply(cl, n, 1, xid, NULL), 0);
    }
    buf_fini(&b);
}

/* One that takes nothing holds up neither another learner nor a snapshot on the disk; and is held up by none. */
static void each_image_at_its_own_pace(void **state)
{
    (void)state;
    struct cluster cl;
    cluster_init_as(&cl, 5, "server.1=a:1:2\nserver.2=b:1:2\nserver.3=c:1:2\nserver.4=d:1:2\nserver.5=e:1:2\n");
    for (int i = 0; i < 5; i++)
        node_up(&cl, i);
    cluster_run(&cl, 1000);
    assert_int_equal(cluster_leader(&cl), 4);
    cluster_connect(&cl, 4, 1);
    write_pages(&cl, 4);
    for (int i = 0; i < 2; i++) {
        node_down(&cl, i);
        wipe(&cl, i);
    }
    cl.slow[0] = true;
    node_up(&cl, 0);
    cluster_run(&cl, 1000);
    cl.slow_disk[4] = true;
    cluster_step(&cl, 4, (struct core_event){ .type = CORE_EV_SNAPSHOT_WANT });
    node_up(&cl, 1);
    cluster_run(&cl, 1000);
    assert_int_equal(zab_view(core_zab(cl.nodes[4].core)).snaps_sent, 2);
    assert_int_equal(cluster_serving(&cl), 4);
    assert_true(has(&cl, 1, "/page119"));
    write_many(&cl, 4, "later", 10);
    int images = cl.images;
    cluster_step(&cl, 4, (struct core_event){ .type = CORE_EV_SNAPSHOT_PULL });
    cluster_run(&cl, 1000);
    assert_int_equal(cl.images, images + 1);
    cl.slow[0] = false;
    cluster_run(&cl, 60000); /* it gives up and comes again */
    assert_int_equal(cluster_serving(&cl), 5);
    cluster_same(&cl);
    cluster_fini(&cl);
}

/* What changes ahead of images is kept only up to a limit: who makes it necessary goes. */
static void too_many_changes_end_an_image(void **state)
{
    (void)state;
    struct cluster cl;
    cluster_init(&cl);
    cl.options.image_saved_bytes_max = 100 * 1024;
    for (int i = 0; i < 3; i++)
        node_up(&cl, i);
    cluster_run(&cl, 500);
    cluster_connect(&cl, 2, 1);
    write_pages(&cl, 2);
    node_down(&cl, 0);
    wipe(&cl, 0);
    cl.slow[0] = true;
    node_up(&cl, 0);
    cluster_run(&cl, 500);
    assert_int_equal(zab_view(core_zab(cl.nodes[2].core)).snaps_sent, 1);
    struct buf b;
    buf_init(&b, 1000);
    for (int i = 70; i < 120; i++) {
        char path[20];
        snprintf(path, sizeof path, "/page%d", i);
        buf_reset(&b);
        wire_put_ustring(&b, slice_str(path));
        wire_put_i32(&b, -1);
        cluster_send(&cl, 2, 1, WIRE_OP_DELETE, &b);
        cluster_run(&cl, 1);
    }
    buf_fini(&b);
    cluster_run(&cl, 2000);
    assert_int_equal(zab_view(core_zab(cl.nodes[2].core)).snaps_sent, 2); /* it has come again */
    cl.slow[0] = false;
    cluster_run(&cl, 60000);
    assert_int_equal(cluster_serving(&cl), 3);
    cluster_same(&cl);
    cluster_fini(&cl);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_server_gets_the_tree),
        cmocka_unit_test(a_server_inside_the_window_gets_the_difference),
        cmocka_unit_test(the_log_on_disk_serves_who_is_behind_the_window),
        cmocka_unit_test(writes_during_the_image_arrive_behind_it),
        cmocka_unit_test(an_image_that_breaks_off_leaves_no_trace),
        cmocka_unit_test(a_learner_that_dies_in_between_comes_back),
        cmocka_unit_test(each_image_at_its_own_pace),
        cmocka_unit_test(too_many_changes_end_an_image),
        cmocka_unit_test(a_dead_log_does_not_survive_an_image),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
