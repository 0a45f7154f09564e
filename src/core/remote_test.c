#include "core/cluster_for_tests.h"

/* Sessions over servers: node 2 leads. */
static void start(struct cluster *cl)
{
    cluster_init(cl);
    for (int i = 0; i < 3; i++)
        node_up(cl, i);
    cluster_run(cl, 500);
    assert_int_equal(cluster_leader(cl), 2);
}

static bool everywhere(struct cluster *cl, const char *path)
{
    int n = 0, up = 0;
    for (int i = 0; i < cl->count; i++) {
        if (cl->nodes[i].core == NULL)
            continue;
        up++;
        n += tree_find(core_tree(cl->nodes[i].core), slice_str(path)) != NODE_NONE;
    }
    assert_true(n == 0 || n == up);
    return n != 0;
}

static void a_session_moves_with_its_password(void **state)
{
    (void)state;
    struct cluster cl;
    start(&cl);
    uint8_t passwd[16];
    int64_t id = cluster_connect(&cl, 0, 1);
    session_password(id, passwd);
    assert_int_equal(cluster_create(&cl, 0, 1, "/e", WIRE_CREATE_EPHEMERAL), 0);
    for (int n = 1; n < 4; n++) { /* to the other follower, to the leader, and back */
        int to = n % 3;
        assert_int_equal(cluster_connect_as(&cl, to, 2, id, passwd, 10000), id);
        assert_int_equal(cluster_create(&cl, to, 2, to == 1 ? "/one" : to == 2 ? "/two" : "/zero", 0), 0);
    }
    assert_true(everywhere(&cl, "/e"));
    passwd[3] ^= 1;
    assert_int_equal(cluster_connect_as(&cl, 1, 3, id, passwd, 10000), 0);
    assert_true(cl.nodes[1].closed[3]);
    cluster_fini(&cl);
}

static void the_old_server_of_a_moved_session_is_told(void **state)
{
    (void)state;
    struct cluster cl;
    start(&cl);
    uint8_t passwd[16];
    int64_t id = cluster_connect(&cl, 0, 1);
    session_password(id, passwd);
    assert_int_equal(cluster_connect_as(&cl, 1, 2, id, passwd, 10000), id);
    struct buf b;
    buf_init(&b, 1000);
    put_create(&b, "/late", "x", 0);
    cluster_send(&cl, 0, 1, WIRE_OP_CREATE, &b);
    cluster_run(&cl, 50);
    assert_true(cl.nodes[0].closed[1]); /* no reply, the connection ends */
    assert_int_equal(cl.nodes[0].got[1].n, 0);
    assert_false(everywhere(&cl, "/late"));
    buf_fini(&b);
    cluster_fini(&cl);
}

/* A client that comes back to its server has given its older connection up, and may go elsewhere before the leader has
 * answered. What is still read of the older connection then would go to the leader behind the question, as if it came
 * from the new one. */
static void the_older_connection_ends_with_the_question(void **state)
{
    (void)state;
    struct cluster cl;
    start(&cl);
    uint8_t passwd[16];
    int64_t id = cluster_connect(&cl, 0, 1);
    session_password(id, passwd);
    struct buf b;
    buf_init(&b, 1000);
    wire_put_connect_request(
        &b, &(struct wire_connect_request){ .timeout_ms = 10000, .session_id = id, .passwd = slice_of(passwd, 16) });
    cluster_step(&cl, 0, (struct core_event){ .type = CORE_EV_ACCEPT, .conn = 2 });
    assert_false(cl.nodes[0].closed[1]);
    cluster_step(&cl, 0, (struct core_event){ .type = CORE_EV_FRAME, .conn = 2, .frame = buf_slice(&b) });
    assert_true(cl.nodes[0].closed[1]);
    cluster_run(&cl, 100);
    assert_false(cl.nodes[0].closed[2]);
    assert_true(cl.nodes[0].got[2].n != 0); /* it is the session's now */
    buf_fini(&b);
    cluster_fini(&cl);
}

static void a_silent_session_expires_and_a_talking_one_does_not(void **state)
{
    (void)state;
    struct cluster cl;
    start(&cl);
    int64_t silent = cluster_connect(&cl, 0, 1);
    cluster_connect(&cl, 1, 1);
    assert_int_equal(cluster_create(&cl, 0, 1, "/silent", WIRE_CREATE_EPHEMERAL), 0);
    assert_int_equal(cluster_create(&cl, 1, 1, "/talking", WIRE_CREATE_EPHEMERAL), 0);
    for (int i = 0; i < 10; i++) {
        cluster_run(&cl, 3000);
        cluster_send(&cl, 1, 1, WIRE_OP_PING, NULL);
        assert_int_equal(cluster_reply(&cl, 1, 1, WIRE_XID_PING, NULL), 0);
        if (i == 1) /* 6 s of 10 */
            assert_true(everywhere(&cl, "/silent"));
    }
    assert_false(everywhere(&cl, "/silent"));
    assert_true(everywhere(&cl, "/talking"));
    assert_true(cl.nodes[0].closed[1]);
    uint8_t passwd[16];
    session_password(silent, passwd);
    assert_int_equal(cluster_connect_as(&cl, 1, 2, silent, passwd, 10000), 0);
    cluster_same(&cl);
    cluster_fini(&cl);
}

static void a_session_outlives_its_leader(void **state)
{
    (void)state;
    struct cluster cl;
    start(&cl);
    uint8_t passwd[16];
    int64_t id = cluster_connect(&cl, 2, 1);
    session_password(id, passwd);
    assert_int_equal(cluster_create(&cl, 2, 1, "/e", WIRE_CREATE_EPHEMERAL), 0);
    node_down(&cl, 2);
    cluster_run(&cl, 1000);
    assert_int_equal(cluster_connect_as(&cl, 0, 1, id, passwd, 10000), id);
    assert_true(everywhere(&cl, "/e"));
    cluster_run(&cl, 30000); /* silent now: the new leader expires it */
    assert_false(everywhere(&cl, "/e"));
    cluster_fini(&cl);
}

static int64_t expired_at(struct cluster *cl)
{
    int64_t all = 0;
    for (int n = 0; n < cl->count; n++) {
        struct core_stats stats;
        core_stats(cl->nodes[n].core, &stats);
        all += stats.sessions_expired;
    }
    return all;
}

/* The last transaction of an epoch may be one of many expiries; the next leader gives the rest their whole time again,
 * and none of them is counted twice. */
static void a_mass_expiry_goes_on_in_the_next_epoch(void **state)
{
    (void)state;
    struct cluster cl;
    cluster_init(&cl);
    cl.counter_last = 9;
    for (int n = 0; n < 3; n++)
        node_up(&cl, n);
    cluster_run(&cl, 1000);
    for (uint32_t conn = 1; conn <= 6; conn++)
        cluster_connect(&cl, (int)conn % 3, conn);
    int old = cluster_leader(&cl);
    int64_t epoch = zab_view(core_zab(cl.nodes[old].core)).epoch;
    cluster_run(&cl, 16000);
    int now = cluster_leader(&cl);
    assert_int_equal(zab_view(core_zab(cl.nodes[now].core)).epoch, epoch + 1);
    size_t left = tree_session_count(core_tree(cl.nodes[now].core));
    assert_in_range(left, 1, 5);
    assert_int_equal(expired_at(&cl), 6 - left);
    cluster_run(&cl, 30000);
    assert_int_equal(tree_session_count(core_tree(cl.nodes[now].core)), 0);
    assert_int_equal(expired_at(&cl), 6);
    cluster_same(&cl);
    cluster_fini(&cl);
}

static void a_session_of_nobody_expires_under_a_new_leader(void **state)
{
    (void)state;
    struct cluster cl;
    start(&cl);
    cluster_connect(&cl, 2, 1);
    assert_int_equal(cluster_create(&cl, 2, 1, "/e", WIRE_CREATE_EPHEMERAL), 0);
    node_down(&cl, 2);
    cluster_run(&cl, 5000);
    assert_true(everywhere(&cl, "/e"));
    cluster_run(&cl, 20000);
    assert_false(everywhere(&cl, "/e"));
    cluster_fini(&cl);
}

/* What a client has proved to a follower counts at the leader. */
static void prove_and_create(bool eager)
{
    struct cluster cl;
    cluster_init(&cl);
    cl.options.eager_acl_check = eager;
    for (int i = 0; i < 3; i++)
        node_up(&cl, i);
    cluster_run(&cl, 500);
    assert_int_equal(cluster_leader(&cl), 2);
    cluster_connect(&cl, 0, 1);
    cluster_connect(&cl, 1, 1);
    struct buf b, acl;
    buf_init(&b, 1000);
    buf_init(&acl, 1000);
    wire_put_i32(&b, 0);
    wire_put_ustring(&b, slice_str("digest"));
    wire_put_ustring(&b, slice_str("me:secret"));
    cluster_send(&cl, 0, 1, WIRE_OP_AUTH, &b);
    cluster_next(&cl, 0, 1);
    wire_put_acl(&acl, (struct wire_acl){ WIRE_PERM_ALL, { slice_str("auth"), slice_str("") } });
    wire_put_create_request(&b, &(struct wire_create_request){
                                    .path = slice_str("/mine"), .data = slice_str(""), .acl = { 1, buf_slice(&acl) } });
    int32_t xid = cluster_send(&cl, 0, 1, WIRE_OP_CREATE, &b);
    cluster_run(&cl, 20);
    assert_int_equal(cluster_reply(&cl, 0, 1, xid, NULL), 0);
    assert_int_equal(cluster_create(&cl, 0, 1, "/mine/a", 0), 0);
    assert_int_equal(cluster_create(&cl, 1, 1, "/mine/b", 0), ERR_NO_AUTH);
    buf_fini(&b);
    buf_fini(&acl);
    cluster_fini(&cl);
}

static void permissions_travel(void **state)
{
    (void)state;
    prove_and_create(false);
}

/* enableEagerACLCheck: what was proved since the last request counts in the judgement, too. */
static void permissions_count_before_they_travel(void **state)
{
    (void)state;
    prove_and_create(true);
}

/* What a server, or whoever looks like one, sends on its link to the leader. */
static void say(struct cluster *cl, uint32_t link, const struct peer_request *q)
{
    struct buf data, packet;
    buf_init(&data, 1000);
    buf_init(&packet, 1000);
    peer_request_put(&data, q);
    peer_packet_put(&packet,
                    &(struct peer_packet){
                        .type = PEER_REQUEST, .zxid = -1, .data = buf_slice(&data), .authinfo = { .count = -1 } });
    peer_step(cl, 2, (struct zab_event){ .type = ZAB_EV_BYTES, .link = link, .bytes = buf_slice(&packet) });
    buf_fini(&data);
    buf_fini(&packet);
}

/* Requests that no server of ours sends, on a port that asks nobody for a password by default. */
static void a_leader_outlives_what_its_learners_ask(void **state)
{
    (void)state;
    struct cluster cl;
    start(&cl);
    int64_t id = cluster_connect(&cl, 0, 1);
    struct zab_learner_view learners[4];
    assert_int_equal(zab_learners(core_zab(cl.nodes[2].core), learners, 4), 2);
    uint32_t link = learners[learners[0].sid == cl.nodes[0].sid ? 0 : 1].link;
    static const struct slice bodies[] = { { (const uint8_t *)"\0\0\0\7/a", 6 },
                                           { (const uint8_t *)"\0\0\0\2/a", 6 },
                                           { (const uint8_t *)"\xff\xff\xff\xff", 4 },
                                           { (const uint8_t *)"\0\0\0\1/", 5 },
                                           { (const uint8_t *)"", 0 } };
    for (int32_t op = -12; op <= 110; op++)
        for (size_t i = 0; i < ARRAY_COUNT(bodies); i++)
            if (op != WIRE_OP_CLOSE_SESSION)
                say(&cl, link, &(struct peer_request){ .session_id = id, .cxid = 77, .op = op, .body = bodies[i] });
    cluster_run(&cl, 200);
    assert_int_equal(cluster_leader(&cl), 2);
    cluster_same(&cl);
    cluster_fini(&cl);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_session_moves_with_its_password),
        cmocka_unit_test(the_old_server_of_a_moved_session_is_told),
        cmocka_unit_test(the_older_connection_ends_with_the_question),
        cmocka_unit_test(a_silent_session_expires_and_a_talking_one_does_not),
        cmocka_unit_test(a_session_outlives_its_leader),
        cmocka_unit_test(a_mass_expiry_goes_on_in_the_next_epoch),
        cmocka_unit_test(a_session_of_nobody_expires_under_a_new_leader),
        cmocka_unit_test(permissions_travel),
        cmocka_unit_test(permissions_count_before_they_travel),
        cmocka_unit_test(a_leader_outlives_what_its_learners_ask),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
