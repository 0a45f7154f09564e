/* Two voters and an oracle: server 2 of 2 with its real state machine; server 1 and the oracle are played. */
#include "zab/rig_for_tests.h"

static const char two[] = "server.1=h1:1:2\nserver.2=h2:1:2\n";

static void start(struct rig *r, const char *config, bool oracle)
{
    rig_init(r, &(struct rig_options){
                    .config = config, .sid = 2, .last_zxid = Z(2, 5), .accepted = 2, .current = 2, .oracle = oracle });
}

static void answer(struct rig *r, bool yes)
{
    rig_step(r, (struct zab_event){ .type = ZAB_EV_ORACLE, .end = yes });
}

/* It leads alone: elected, its epoch on disk, serving. */
static void lead_alone(struct rig *r)
{
    start(r, two, true);
    assert_int_equal(r->oracle_asked, 1);
    answer(r, true);
    rig_tick(r, 201);
    assert_int_equal(r->role, PEER_LEADING);
    assert_false(r->serving);
    answer(r, true);
    rig_disk(r);
    rig_disk(r);
    assert_true(r->serving);
    assert_int_equal(r->saved_current, 3);
}

static int64_t propose(struct rig *r)
{
    int64_t zxid = zab_next_zxid(r->zab, &r->out);
    rig_drain(r);
    struct blob *txn = rig_txn(zxid);
    zab_propose(r->zab, zxid, txn, &r->out);
    blob_unref(txn);
    rig_drain(r);
    return zxid;
}

static uint32_t follow(struct rig *r, int64_t last)
{
    uint32_t link = rig_accept(r, ZAB_PORT_LEARNER);
    struct buf b;
    buf_init(&b, 100);
    peer_learner_info_put(&b, &(struct peer_learner_info){ .sid = 1, .protocol_version = 0x10000 });
    rig_packet(r, link, PEER_FOLLOWERINFO, ZXID_FIRST(2), buf_slice(&b));
    buf_fini(&b);
    uint8_t epoch[4];
    store_be32(epoch, 2);
    rig_packet(r, link, PEER_ACKEPOCH, last, slice_of(epoch, 4));
    rig_plain(r, link, PEER_ACK, Z(3, 0));
    return link;
}

static void alone_only_if_the_oracle_says_so(void **state)
{
    (void)state;
    struct rig r;
    start(&r, two, true);
    answer(&r, false);
    for (int i = 0; i < 20; i++) {
        rig_tick(&r, 1000);
        answer(&r, false);
    }
    assert_int_equal(r.role, PEER_LOOKING);
    assert_true(r.oracle_asked > 3); /* it may change its mind */
    answer(&r, true);
    rig_tick(&r, 201);
    assert_int_equal(r.role, PEER_LEADING);
    rig_fini(&r);
    lead_alone(&r);
    int64_t zxid = propose(&r);
    assert_true(r.committed < zxid);
    rig_log_synced(&r); /* its own disk is still waited for */
    assert_int_equal(r.committed, zxid);
    zab_sync(r.zab, 1, &r.out);
    rig_drain(&r);
    assert_int_equal(r.syncs, 1);
    /* The next answer is another one. */
    rig_tick(&r, 1001);
    answer(&r, false);
    rig_tick(&r, 1001);
    assert_int_equal(r.role, PEER_LOOKING);
    rig_fini(&r);
}

/* With a follower in sync both must have it, whatever the oracle says; without it the oracle is asked anew. */
static void two_are_two(void **state)
{
    (void)state;
    struct rig r;
    lead_alone(&r);
    uint32_t one = follow(&r, Z(2, 5));
    int64_t zxid = propose(&r);
    rig_log_synced(&r);
    answer(&r, true);
    assert_true(r.committed < zxid);
    rig_plain(&r, one, PEER_ACK, zxid);
    assert_int_equal(r.committed, zxid);
    int asked = r.oracle_asked;
    rig_tick(&r, 1001);
    rig_plain(&r, one, PEER_PING, 0);
    assert_int_equal(r.oracle_asked, asked);
    zxid = propose(&r);
    rig_log_synced(&r);
    rig_lose(&r, one);
    assert_int_equal(r.oracle_asked, asked + 1);
    assert_true(r.committed < zxid);
    answer(&r, true);
    assert_int_equal(r.committed, zxid);
    assert_int_equal(r.role, PEER_LEADING);
    /* An answer that never comes is no. */
    one = follow(&r, zxid);
    rig_lose(&r, one);
    for (int i = 0; i < 5; i++)
        rig_tick(&r, 1001);
    assert_int_equal(r.role, PEER_LEADING);
    for (int i = 0; i < 8; i++)
        rig_tick(&r, 1001);
    assert_int_equal(r.role, PEER_LOOKING);
    rig_fini(&r);
}

/* Server 1 leads: with 0 in its own file this one follows without a quorum's word, as in Apache's election. */
static void who_may_not_go_alone_follows(void **state)
{
    (void)state;
    for (int variant = 0; variant < 3; variant++) {
        struct rig r;
        start(&r, two, variant != 2);
        uint32_t link = rig_dial(&r, ZAB_PORT_ELECTION, 1);
        rig_step(&r, (struct zab_event){ .type = ZAB_EV_CONNECTED, .link = link });
        struct peer_notification n = {
            .state = PEER_LEADING, .leader = 1, .zxid = Z(2, 9), .peer_epoch = 3, .round = 70, .version = 2
        };
        if (variant == 0)
            answer(&r, false);
        rig_notify(&r, link, &n);
        if (variant == 1) {
            assert_int_equal(r.role, PEER_LOOKING);
            answer(&r, false);
        }
        assert_int_equal(r.role, variant == 2 ? PEER_LOOKING : PEER_FOLLOWING);
        rig_fini(&r);
    }
}

/* Other ensembles than those of two equal voters have no use for an oracle. */
static void others_do_not_ask(void **state)
{
    (void)state;
    static const char *const configs[] = {
        "server.1=h1:1:2\nserver.2=h2:1:2\nserver.3=h3:1:2\n",
        "server.1=h1:1:2\nserver.2=h2:1:2\ngroup.1=1:2\nweight.1=1\nweight.2=1\n",
    };
    for (size_t i = 0; i < 2; i++) {
        struct rig r;
        start(&r, configs[i], true);
        answer(&r, true);
        rig_tick(&r, 1001);
        assert_int_equal(r.oracle_asked, 0);
        assert_int_equal(r.role, PEER_LOOKING);
        rig_fini(&r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(alone_only_if_the_oracle_says_so),
        cmocka_unit_test(two_are_two),
        cmocka_unit_test(who_may_not_go_alone_follows),
        cmocka_unit_test(others_do_not_ask),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
