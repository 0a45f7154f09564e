#include "core/cluster_for_tests.h"

static void start(struct cluster *cl, bool upgrade)
{
    cluster_init(cl);
    cl->options.local_sessions = true;
    cl->options.local_sessions_upgrade = upgrade;
    cl->options.read_only = true;
    for (int i = 0; i < 3; i++)
        node_up(cl, i);
    cluster_run(cl, 500);
    assert_int_equal(cluster_leader(cl), 2);
}

static int32_t timeout_of(struct cluster *cl, int n, int64_t id)
{
    return tree_session_timeout_ms(core_tree(cl->nodes[n].core), id);
}

static void a_local_session_writes_nothing_until_it_owns_a_node(void **state)
{
    (void)state;
    struct cluster cl;
    start(&cl, true);
    for (int n = 0; n < 3; n++) { /* two followers and the leader */
        char path[20];
        int64_t before = tree_last_zxid(core_tree(cl.nodes[n].core));
        int64_t id = cluster_connect(&cl, n, 1);
        assert_int_equal(tree_last_zxid(core_tree(cl.nodes[n].core)), before);
        assert_int_equal(timeout_of(&cl, n, id), 0);
        snprintf(path, sizeof path, "/p%d", n);
        assert_int_equal(cluster_create(&cl, n, 1, path, 0), 0);
        assert_int_equal(timeout_of(&cl, n, id), 0);
        snprintf(path, sizeof path, "/e%d", n);
        assert_int_equal(cluster_create(&cl, n, 1, path, WIRE_CREATE_EPHEMERAL), 0);
        for (int other = 0; other < 3; other++)
            assert_int_equal(timeout_of(&cl, other, id), 10000);
    }
    cluster_same(&cl);
    cluster_fini(&cl);
}

static void without_upgrade_an_ephemeral_node_is_refused(void **state)
{
    (void)state;
    struct cluster cl;
    start(&cl, false);
    cluster_connect(&cl, 0, 1);
    assert_int_equal(cluster_create(&cl, 0, 1, "/e", WIRE_CREATE_EPHEMERAL), ERR_EPHEMERAL_ON_LOCAL_SESSION);
    assert_int_equal(cluster_create(&cl, 0, 1, "/p", 0), 0);
    cluster_fini(&cl);
}

static void a_local_session_ends_where_it_began(void **state)
{
    (void)state;
    struct cluster cl;
    start(&cl, true);
    uint8_t passwd[16];
    int64_t id = cluster_connect(&cl, 0, 1);
    session_password(id, passwd);
    assert_int_equal(cluster_connect_as(&cl, 0, 2, id, passwd, 10000), id);
    assert_int_equal(cluster_connect_as(&cl, 1, 3, id, passwd, 10000), 0); /* unknown elsewhere */
    int32_t close = cluster_send(&cl, 0, 2, WIRE_OP_CLOSE_SESSION, NULL);
    assert_int_equal(cluster_reply(&cl, 0, 2, close, NULL), 0);
    assert_true(cl.nodes[0].closed[2]);
    cluster_connect(&cl, 0, 4);
    cluster_run(&cl, 20000); /* silent: expires here, without a word to the others */
    assert_true(cl.nodes[0].closed[4]);
    cluster_same(&cl);
    cluster_fini(&cl);
}

/* Also one that the leader knows: through another server it would own nodes that nobody removes. */
static void a_local_session_is_unknown_elsewhere(void **state)
{
    (void)state;
    struct cluster cl;
    start(&cl, true);
    for (int n = 0; n < 3; n++) {
        uint8_t passwd[16];
        int64_t id = cluster_connect(&cl, n, 1);
        session_password(id, passwd);
        for (int other = 0; other < 3; other++)
            if (other != n)
                assert_int_equal(cluster_connect_as(&cl, other, 2, id, passwd, 10000), 0);
    }
    cluster_fini(&cl);
}

/* The answer to a close comes behind those to what was asked before. */
static void a_close_waits_for_its_turn(void **state)
{
    (void)state;
    for (int n = 0; n < 3; n++) {
        struct cluster cl;
        struct buf b;
        buf_init(&b, 1000);
        start(&cl, true);
        cluster_connect(&cl, n, 1);
        put_create(&b, "/p", "x", 0);
        int32_t create = cluster_send(&cl, n, 1, WIRE_OP_CREATE, &b);
        int32_t close = cluster_send(&cl, n, 1, WIRE_OP_CLOSE_SESSION, NULL);
        cluster_run(&cl, 20);
        assert_int_equal(cluster_reply(&cl, n, 1, create, NULL), 0);
        assert_int_equal(cluster_reply(&cl, n, 1, close, NULL), 0);
        assert_true(cl.nodes[n].closed[1]);
        cluster_same(&cl);
        cluster_fini(&cl);
        buf_fini(&b);
    }
}

static int64_t connect_read_only(struct cluster *cl, int n, uint32_t conn, bool knows)
{
    struct buf b;
    buf_init(&b, 1000);
    wire_put_connect_request(&b, &(struct wire_connect_request){ .timeout_ms = 10000,
                                                                 .passwd = slice_str("0123456789abcdef"),
                                                                 .read_only = knows,
                                                                 .has_read_only = true });
    cl->nodes[n].closed[conn] = false;
    buf_reset(&cl->nodes[n].got[conn]);
    cluster_step(cl, n,
                 (struct core_event){
                     .type = CORE_EV_ACCEPT, .conn = conn, .peer = { .address = { 127, 0, 0, 1 }, .port = 1 } });
    cluster_step(cl, n, (struct core_event){ .type = CORE_EV_FRAME, .conn = conn, .frame = buf_slice(&b) });
    buf_fini(&b);
    if (cl->nodes[n].got[conn].n == 0)
        return 0;
    struct wire_reader r = wire_reader_of(cluster_next(cl, n, conn));
    struct wire_connect_response q = wire_get_connect_response(&r);
    assert_true(q.read_only);
    return q.session_id;
}

static void a_server_without_a_quorum_serves_reads_to_those_who_know(void **state)
{
    (void)state;
    struct cluster cl;
    start(&cl, true);
    cluster_connect(&cl, 0, 1);
    assert_int_equal(cluster_create(&cl, 0, 1, "/a", 0), 0);
    node_down(&cl, 1);
    node_down(&cl, 2);
    cluster_run(&cl, 30000);
    assert_int_equal(connect_read_only(&cl, 0, 2, false), 0);
    assert_true(cl.nodes[0].closed[2]);
    assert_int_not_equal(connect_read_only(&cl, 0, 3, true), 0);
    struct buf b;
    buf_init(&b, 100);
    wire_put_ustring(&b, slice_str("/a"));
    wire_put_bool(&b, false);
    int32_t get = cluster_send(&cl, 0, 3, WIRE_OP_GET_DATA, &b);
    assert_int_equal(cluster_reply(&cl, 0, 3, get, NULL), 0);
    assert_int_equal(cluster_create(&cl, 0, 3, "/b", 0), ERR_NOT_READ_ONLY);
    node_up(&cl, 1);
    cluster_run(&cl, 10000);
    assert_true(cl.nodes[0].closed[3]); /* there is a quorum again: look for it */
    assert_int_equal(cluster_serving(&cl), 2);
    buf_fini(&b);
    cluster_fini(&cl);
}

/* While a role is put away the tree may be read anew from disk: nobody reads from it before it is there. */
static void nobody_reads_while_a_role_is_put_away(void **state)
{
    (void)state;
    struct cluster cl;
    start(&cl, true);
    cluster_cut(&cl, 0, 1, true);
    cluster_cut(&cl, 0, 2, true);
    cluster_connect(&cl, 2, 1);
    for (int i = 0; i < 30; i++) { /* so many that it needs an image */
        char path[20];
        snprintf(path, sizeof path, "/n%d", i);
        assert_int_equal(cluster_create(&cl, 2, 1, path, 0), 0);
    }
    cluster_run(&cl, 3000);
    cluster_cut(&cl, 0, 1, false);
    cluster_cut(&cl, 0, 2, false);
    int truncs = cl.truncs;
    for (int i = 0; i < 10000 && cl.truncs == truncs; i++)
        cluster_run(&cl, 1);
    assert_int_equal(cl.truncs, truncs + 1); /* it has the image in memory and saves it */
    node_down(&cl, 2);
    node_down(&cl, 1);
    for (int i = 0; i < 20; i++) {
        cluster_run(&cl, 1);
        cluster_step(&cl, 0, (struct core_event){ .type = CORE_EV_TICK });
        assert_int_equal(connect_read_only(&cl, 0, 2, true), 0);
        assert_true(cl.nodes[0].closed[2]);
    }
    cluster_run(&cl, 5000);
    assert_int_not_equal(connect_read_only(&cl, 0, 2, true), 0);
    cluster_fini(&cl);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_local_session_writes_nothing_until_it_owns_a_node),
        cmocka_unit_test(without_upgrade_an_ephemeral_node_is_refused),
        cmocka_unit_test(a_local_session_ends_where_it_began),
        cmocka_unit_test(a_close_waits_for_its_turn),
        cmocka_unit_test(a_local_session_is_unknown_elsewhere),
        cmocka_unit_test(a_server_without_a_quorum_serves_reads_to_those_who_know),
        cmocka_unit_test(nobody_reads_while_a_role_is_put_away),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
