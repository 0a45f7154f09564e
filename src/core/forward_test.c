#include "core/cluster_for_tests.h"

/* Clients of followers: node 2 leads. */
static void start(struct cluster *cl)
{
    cluster_init(cl);
    for (int i = 0; i < 3; i++)
        node_up(cl, i);
    cluster_run(cl, 500);
    assert_int_equal(cluster_leader(cl), 2);
}

static int32_t send_path(struct cluster *cl, int n, uint32_t conn, int32_t op, const char *path, int watch)
{
    struct buf b;
    buf_init(&b, 100000);
    wire_put_ustring(&b, slice_str(path));
    if (watch >= 0)
        wire_put_bool(&b, watch != 0);
    int32_t xid = cluster_send(cl, n, conn, op, &b);
    buf_fini(&b);
    return xid;
}

static int32_t send_create(struct cluster *cl, int n, uint32_t conn, const char *path, int32_t flags)
{
    struct buf b;
    buf_init(&b, 100000);
    put_create(&b, path, "data", flags);
    int32_t xid = cluster_send(cl, n, conn, WIRE_OP_CREATE, &b);
    buf_fini(&b);
    return xid;
}

static void replies_come_in_the_order_of_requests(void **state)
{
    (void)state;
    struct cluster cl;
    start(&cl);
    cluster_connect(&cl, 0, 1);
    int32_t a = send_create(&cl, 0, 1, "/a", 0);
    int32_t get = send_path(&cl, 0, 1, WIRE_OP_GET_DATA, "/a", 0);
    int32_t again = send_create(&cl, 0, 1, "/a", 0);
    int32_t sync = send_path(&cl, 0, 1, WIRE_OP_SYNC, "/a", -1);
    int32_t b = send_create(&cl, 0, 1, "/b", 0);
    int32_t get_b = send_path(&cl, 0, 1, WIRE_OP_GET_DATA, "/b", 0);
    assert_int_equal(cl.nodes[0].got[1].n, 0);
    cluster_run(&cl, 100);
    assert_int_equal(cluster_reply(&cl, 0, 1, a, NULL), 0);
    struct wire_reader r;
    assert_int_equal(cluster_reply(&cl, 0, 1, get, &r), 0);
    assert_true(slice_eq_str(wire_get_buffer(&r), "data"));
    assert_int_equal(cluster_reply(&cl, 0, 1, again, NULL), ERR_NODE_EXISTS);
    assert_int_equal(cluster_reply(&cl, 0, 1, sync, NULL), 0);
    assert_int_equal(cluster_reply(&cl, 0, 1, b, NULL), 0);
    assert_int_equal(cluster_reply(&cl, 0, 1, get_b, NULL), 0);
    cluster_fini(&cl);
}

/* A follower that is cut off from the leader but does not know it answers reads of old state; sync must not. */
static void a_sync_shows_what_others_have_written(void **state)
{
    (void)state;
    struct cluster cl;
    start(&cl);
    cluster_connect(&cl, 0, 1);
    cluster_connect(&cl, 1, 1);
    for (int i = 0; i < 20; i++) {
        char path[20];
        snprintf(path, sizeof path, "/n%d", i);
        assert_int_equal(cluster_create(&cl, 1, 1, path, 0), 0);
        int32_t sync = send_path(&cl, 0, 1, WIRE_OP_SYNC, path, -1);
        int32_t get = send_path(&cl, 0, 1, WIRE_OP_GET_DATA, path, 0);
        cluster_run(&cl, 20);
        assert_int_equal(cluster_reply(&cl, 0, 1, sync, NULL), 0);
        assert_int_equal(cluster_reply(&cl, 0, 1, get, NULL), 0);
    }
    cluster_fini(&cl);
}

/* Of all clients of a server: one of Apache's would take an outcome that comes before its turn for another server's,
 * and never answer again. The sync of a third client lets the one that is looked at wait for longer than a write takes.
 */
static void outcomes_come_in_the_order_of_the_requests_of_a_server(void **state)
{
    (void)state;
    for (int offset = 0; offset < 8; offset++) {
        struct cluster cl;
        start(&cl);
        for (uint32_t conn = 1; conn < 4; conn++)
            cluster_connect(&cl, 0, conn);
        (void)send_path(&cl, 0, 3, WIRE_OP_SYNC, "/", -1);
        cluster_run(&cl, offset);
        int32_t sync = send_path(&cl, 0, 1, WIRE_OP_SYNC, "/", -1);
        int32_t create = send_create(&cl, 0, 2, "/a", 0);
        int32_t behind = send_path(&cl, 0, 1, WIRE_OP_SYNC, "/", -1);
        for (int i = 0; i < 100 && cl.nodes[0].got[2].n == 0; i++)
            cluster_run(&cl, 1);
        assert_int_equal(cluster_reply(&cl, 0, 1, sync, NULL), 0);
        assert_int_equal(cluster_reply(&cl, 0, 2, create, NULL), 0);
        cluster_run(&cl, 50);
        assert_int_equal(cluster_reply(&cl, 0, 1, behind, NULL), 0);
        cluster_fini(&cl);
    }
}

static void a_sync_on_the_leader_takes_a_quorum(void **state)
{
    (void)state;
    struct cluster cl;
    start(&cl);
    cluster_connect(&cl, 2, 1);
    int32_t sync = send_path(&cl, 2, 1, WIRE_OP_SYNC, "/", -1);
    cluster_run(&cl, 20);
    assert_int_equal(cluster_reply(&cl, 2, 1, sync, NULL), 0);
    cluster_cut(&cl, 2, 0, true);
    cluster_cut(&cl, 2, 1, true);
    send_path(&cl, 2, 1, WIRE_OP_SYNC, "/", -1);
    cluster_run(&cl, 60000);
    assert_int_equal(cl.nodes[2].got[1].n, 0); /* it leads no more: never answered */
    assert_true(cl.nodes[2].closed[1]);
    cluster_fini(&cl);
}

static void a_multi_answers_as_on_the_leader(void **state)
{
    (void)state;
    struct cluster cl;
    start(&cl);
    struct buf b;
    buf_init(&b, 100000);
    size_t sizes[2];
    for (int n = 0; n < 3; n += 2) {
        cluster_connect(&cl, n, 1);
        static const char *const paths[] = { "/x0", "/y0", "/x2", "/y2" };
        wire_put_multi_header(&b, &(struct wire_multi_header){ WIRE_OP_CREATE2, false, -1 });
        put_create(&b, paths[n], "1", 0);
        wire_put_multi_header(&b, &(struct wire_multi_header){ WIRE_OP_CREATE, false, -1 });
        put_create(&b, paths[n + 1], "1", 0);
        wire_put_multi_header(&b, &(struct wire_multi_header){ WIRE_OP_ERROR, true, -1 });
        int32_t xid = cluster_send(&cl, n, 1, WIRE_OP_MULTI, &b);
        cluster_run(&cl, 20);
        sizes[n / 2] = cl.nodes[n].got[1].n;
        struct wire_reader r;
        assert_int_equal(cluster_reply(&cl, n, 1, xid, &r), 0);
        assert_int_equal(wire_get_multi_header(&r).type, WIRE_OP_CREATE2);
    }
    assert_int_equal(sizes[0], sizes[1]);
    buf_fini(&b);
    cluster_fini(&cl);
}

static void a_watch_on_a_follower_fires_before_the_reply_that_shows_the_change(void **state)
{
    (void)state;
    struct cluster cl;
    start(&cl);
    cluster_connect(&cl, 0, 1);
    cluster_connect(&cl, 1, 1);
    int32_t exists = send_path(&cl, 0, 1, WIRE_OP_EXISTS, "/w", 1);
    assert_int_equal(cluster_reply(&cl, 0, 1, exists, NULL), ERR_NO_NODE);
    assert_int_equal(cluster_create(&cl, 1, 1, "/w", 0), 0);
    int32_t get = send_path(&cl, 0, 1, WIRE_OP_GET_DATA, "/w", 0);
    struct wire_reader r = wire_reader_of(cluster_next(&cl, 0, 1));
    assert_int_equal(wire_get_reply_header(&r).xid, WIRE_XID_NOTIFICATION);
    assert_int_equal(wire_get_watcher_event(&r).type, WIRE_EVENT_CREATED);
    assert_int_equal(cluster_reply(&cl, 0, 1, get, NULL), 0);
    cluster_fini(&cl);
}

static void a_request_that_cannot_be_read_gets_an_answer(void **state)
{
    (void)state;
    struct cluster cl;
    start(&cl);
    cluster_connect(&cl, 0, 1);
    struct buf b;
    buf_init(&b, 100);
    buf_append(&b, "\0\0\0\x7f", 4);
    int32_t xid = cluster_send(&cl, 0, 1, WIRE_OP_CREATE, &b);
    cluster_run(&cl, 20);
    assert_int_equal(cluster_reply(&cl, 0, 1, xid, NULL), ERR_MARSHALLING);
    cluster_same(&cl);
    buf_fini(&b);
    cluster_fini(&cl);
}

static void closing_a_session_is_answered_then_the_connection_ends(void **state)
{
    (void)state;
    struct cluster cl;
    start(&cl);
    int64_t id = cluster_connect(&cl, 0, 1);
    assert_int_equal(cluster_create(&cl, 0, 1, "/e", WIRE_CREATE_EPHEMERAL), 0);
    int32_t close = cluster_send(&cl, 0, 1, WIRE_OP_CLOSE_SESSION, NULL);
    cluster_run(&cl, 20);
    assert_int_equal(cluster_reply(&cl, 0, 1, close, NULL), 0);
    assert_true(cl.nodes[0].closed[1]);
    for (int n = 0; n < 3; n++) {
        assert_int_equal(tree_find(core_tree(cl.nodes[n].core), slice_str("/e")), NODE_NONE);
        assert_int_equal(tree_session_timeout_ms(core_tree(cl.nodes[n].core), id), 0);
    }
    cluster_fini(&cl);
}

/* A client that floods a follower is stopped there, as it is on a leader: what waits for the leader counts. */
static void requests_with_the_leader_are_outstanding(void **state)
{
    (void)state;
    struct cluster cl;
    cluster_init(&cl);
    cl.options.outstanding_limit = 10; /* shared by two */
    for (int i = 0; i < 3; i++)
        node_up(&cl, i);
    cluster_run(&cl, 500);
    cluster_connect(&cl, 0, 1);
    cl.nodes[0].resumed[1] = false;
    struct buf b;
    buf_init(&b, 100000);
    int taken = 0;
    for (bool go_on = true; go_on && taken < 100; taken++) {
        wire_put_request_header(&b, &(struct wire_request_header){ taken + 1, WIRE_OP_CREATE });
        char path[20];
        snprintf(path, sizeof path, "/n%d", taken);
        put_create(&b, path, "data", 0);
        go_on =
            cluster_step_went(&cl, 0, (struct core_event){ .type = CORE_EV_FRAME, .conn = 1, .frame = buf_slice(&b) });
        buf_reset(&b);
    }
    buf_fini(&b);
    assert_int_equal(taken, 6);
    assert_false(cl.nodes[0].resumed[1]);
    cluster_run(&cl, 100);
    assert_true(cl.nodes[0].resumed[1]);
    for (int i = 0; i < taken; i++)
        assert_int_equal(cluster_reply(&cl, 0, 1, i + 1, NULL), 0);
    cluster_fini(&cl);
}

/* Numbers of connections are used again: an answer that comes for a client that has gone is not its successor's. */
static void answers_for_those_who_have_gone(void **state)
{
    (void)state;
    struct cluster cl;
    start(&cl);
    int64_t session_id = cluster_connect(&cl, 0, 1);
    uint8_t passwd[16];
    session_password(session_id, passwd);
    int32_t sync = send_path(&cl, 0, 1, WIRE_OP_SYNC, "/", -1);
    cluster_step(&cl, 0, (struct core_event){ .type = CORE_EV_CONN_LOST, .conn = 1 });
    /* The same session on a connection of the same number, twice, while SYNC and REVALIDATE are on their way. */
    struct buf b;
    buf_init(&b, 1000);
    wire_put_connect_request(
        &b, &(struct wire_connect_request){
                .timeout_ms = 10000, .session_id = session_id, .passwd = slice_of(passwd, 16), .has_read_only = true });
    for (int i = 0; i < 2; i++) {
        if (i == 1)
            cluster_step(&cl, 0, (struct core_event){ .type = CORE_EV_CONN_LOST, .conn = 1 });
        cluster_step(&cl, 0, (struct core_event){ .type = CORE_EV_ACCEPT, .conn = 1 });
        cluster_step(&cl, 0, (struct core_event){ .type = CORE_EV_FRAME, .conn = 1, .frame = buf_slice(&b) });
    }
    buf_fini(&b);
    cluster_run(&cl, 50);
    struct wire_reader r = wire_reader_of(cluster_next(&cl, 0, 1));
    assert_int_equal(wire_get_connect_response(&r).session_id, session_id);
    assert_int_equal(cl.nodes[0].got[1].n, 0); /* neither a second answer nor that of the old sync */
    int32_t again = send_path(&cl, 0, 1, WIRE_OP_SYNC, "/", -1);
    assert_int_not_equal(again, sync);
    cluster_run(&cl, 50);
    assert_int_equal(cluster_reply(&cl, 0, 1, again, NULL), 0);
    cluster_fini(&cl);
}

/* The same on a leader, where the sync of the old connection is still under way when the new one begins its own. */
static void a_leader_tells_two_syncs_of_one_session_apart(void **state)
{
    (void)state;
    struct cluster cl;
    start(&cl);
    int64_t session_id = cluster_connect(&cl, 2, 1);
    uint8_t passwd[16];
    session_password(session_id, passwd);
    (void)send_path(&cl, 2, 1, WIRE_OP_SYNC, "/", -1);
    cluster_step(&cl, 2, (struct core_event){ .type = CORE_EV_CONN_LOST, .conn = 1 });
    struct buf b;
    buf_init(&b, 1000);
    wire_put_connect_request(
        &b, &(struct wire_connect_request){
                .timeout_ms = 10000, .session_id = session_id, .passwd = slice_of(passwd, 16), .has_read_only = true });
    cluster_step(&cl, 2, (struct core_event){ .type = CORE_EV_ACCEPT, .conn = 1 });
    cluster_step(&cl, 2, (struct core_event){ .type = CORE_EV_FRAME, .conn = 1, .frame = buf_slice(&b) });
    buf_fini(&b);
    struct wire_reader r = wire_reader_of(cluster_next(&cl, 2, 1));
    assert_int_equal(wire_get_connect_response(&r).session_id, session_id);
    int32_t second = send_path(&cl, 2, 1, WIRE_OP_SYNC, "/", -1);
    cluster_run(&cl, 50);
    assert_int_equal(cluster_reply(&cl, 2, 1, second, NULL), 0);
    assert_int_equal(cl.nodes[2].got[1].n, 0);
    cluster_fini(&cl);
}

/* Two clients share a session over two servers and count their requests alike: what became of the one's close is not
 * the answer to the other's create, which was never carried out. */
static void an_answer_is_of_the_kind_that_was_asked_for(void **state)
{
    (void)state;
    struct cluster cl;
    start(&cl);
    uint8_t passwd[16];
    int64_t id = cluster_connect(&cl, 0, 1);
    session_password(id, passwd);
    assert_int_equal(cluster_connect_as(&cl, 1, 2, id, passwd, 10000), id);
    cluster_send(&cl, 0, 1, WIRE_OP_CLOSE_SESSION, NULL);
    cl.xid--;
    send_create(&cl, 1, 2, "/never", 0);
    cluster_run(&cl, 50);
    assert_int_equal(cl.nodes[1].got[2].n, 0);
    assert_true(cl.nodes[1].closed[2]);
    assert_int_equal(tree_find(core_tree(cl.nodes[1].core), slice_str("/never")), NODE_NONE);
    cluster_fini(&cl);
}

static void send_multi(struct cluster *cl, int n, uint32_t conn, const char *prefix, int count)
{
    struct buf b;
    buf_init(&b, 1u << 20);
    for (int i = 0; i < count; i++) {
        char path[32];
        snprintf(path, sizeof path, "%s%d", prefix, i);
        wire_put_multi_header(&b, &(struct wire_multi_header){ WIRE_OP_CREATE2, false, -1 });
        put_create(&b, path, "x", 0);
    }
    wire_put_multi_header(&b, &(struct wire_multi_header){ WIRE_OP_ERROR, true, -1 });
    cluster_send(cl, n, conn, WIRE_OP_MULTI, &b);
    buf_fini(&b);
}

/* The same with two multis: one has more parts than what was noted of the other. (A sanitizer sees the difference.) */
static void a_multi_may_have_more_parts_than_were_asked_for(void **state)
{
    (void)state;
    struct cluster cl;
    start(&cl);
    uint8_t passwd[16];
    int64_t id = cluster_connect(&cl, 1, 1);
    session_password(id, passwd);
    assert_int_equal(cluster_connect_as(&cl, 2, 2, id, passwd, 10000), id);
    send_multi(&cl, 2, 2, "/many", 200);
    cl.xid--;
    send_multi(&cl, 1, 1, "/one", 1);
    cluster_run(&cl, 50);
    assert_int_not_equal(tree_find(core_tree(cl.nodes[1].core), slice_str("/many199")), NODE_NONE);
    assert_int_equal(tree_find(core_tree(cl.nodes[1].core), slice_str("/one0")), NODE_NONE);
    cluster_same(&cl);
    cluster_fini(&cl);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(replies_come_in_the_order_of_requests),
        cmocka_unit_test(a_sync_shows_what_others_have_written),
        cmocka_unit_test(outcomes_come_in_the_order_of_the_requests_of_a_server),
        cmocka_unit_test(a_sync_on_the_leader_takes_a_quorum),
        cmocka_unit_test(a_multi_answers_as_on_the_leader),
        cmocka_unit_test(a_watch_on_a_follower_fires_before_the_reply_that_shows_the_change),
        cmocka_unit_test(a_request_that_cannot_be_read_gets_an_answer),
        cmocka_unit_test(closing_a_session_is_answered_then_the_connection_ends),
        cmocka_unit_test(requests_with_the_leader_are_outstanding),
        cmocka_unit_test(answers_for_those_who_have_gone),
        cmocka_unit_test(a_leader_tells_two_syncs_of_one_session_apart),
        cmocka_unit_test(an_answer_is_of_the_kind_that_was_asked_for),
        cmocka_unit_test(a_multi_may_have_more_parts_than_were_asked_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
