/* A follower that serves observers, and an observer that looks for one. Server 3 leads, 4 and 5 observe. */
#include "zab/rig_for_tests.h"

static const char five[] = "server.1=h1:1:2\nserver.2=h2:1:2\nserver.3=h3:1:2\n"
                           "server.4=h4:1:2:observer\nserver.5=h5:1:2:observer\n";

/* The members 2 and 3 say that 3 leads. */
static void elect(struct rig *r, int64_t sid)
{
    rig_init(
        r,
        &(struct rig_options){
            .config = five, .sid = sid, .last_zxid = Z(2, 5), .accepted = 2, .current = 2, .observer_masters = true });
    rig_tick(r, 300); /* an observer waits a little */
    struct peer_notification n = { .state = PEER_LEADING, .leader = 3, .round = zab_view(r->zab).round, .version = 2 };
    uint32_t two, three;
    if (sid < 3) {
        two = rig_peer(r, 2);
        three = rig_peer(r, 3);
    } else {
        two = rig_dial(r, ZAB_PORT_ELECTION, 2);
        three = rig_dial(r, ZAB_PORT_ELECTION, 3);
        rig_step(r, (struct zab_event){ .type = ZAB_EV_CONNECTED, .link = two });
        rig_step(r, (struct zab_event){ .type = ZAB_EV_CONNECTED, .link = three });
    }
    rig_notify(r, three, &n);
    n.state = PEER_FOLLOWING;
    rig_notify(r, two, &n);
    assert_int_equal(r->role, sid > 3 ? PEER_OBSERVING : PEER_FOLLOWING);
}

/* Server 1 follows 3 in epoch 3, and is up to date at 0x200000005. Returns its connection. */
static uint32_t follow(struct rig *r)
{
    elect(r, 1);
    uint32_t link = rig_dial(r, ZAB_PORT_LEARNER, 3);
    rig_step(r, (struct zab_event){ .type = ZAB_EV_CONNECTED, .link = link });
    rig_expect(r, link, PEER_FOLLOWERINFO, Z(2, 0));
    rig_packet(r, link, PEER_LEADERINFO, Z(3, 0), slice_of("\0\1\0\0", 4));
    rig_disk(r);
    rig_expect(r, link, PEER_ACKEPOCH, Z(2, 5));
    rig_plain(r, link, PEER_DIFF, Z(2, 5));
    rig_plain(r, link, PEER_NEWLEADER, Z(3, 0));
    rig_disk(r);
    rig_expect(r, link, PEER_ACK, Z(3, 0));
    assert_false(r->listening_to_observers);
    rig_plain(r, link, PEER_UPTODATE, -1);
    rig_expect(r, link, PEER_ACK, Z(3, 0));
    assert_true(r->serving && r->listening_to_observers && !r->listening);
    return link;
}

static uint32_t come(struct rig *r, int32_t type, int64_t sid)
{
    uint32_t link = rig_accept(r, ZAB_PORT_OBSERVERS);
    struct buf b;
    buf_init(&b, 100);
    peer_learner_info_put(&b, &(struct peer_learner_info){ .sid = sid, .protocol_version = 0x10000 });
    rig_packet(r, link, type, Z(2, 0), buf_slice(&b));
    buf_fini(&b);
    return link;
}

static void ack_epoch(struct rig *r, uint32_t link, int64_t last_zxid)
{
    rig_expect(r, link, PEER_LEADERINFO, Z(3, 0));
    rig_packet(r, link, PEER_ACKEPOCH, last_zxid, slice_of("\0\0\0\2", 4));
}

/* An observer that lacks nothing. */
static uint32_t serve_one(struct rig *r, int64_t sid)
{
    uint32_t link = come(r, PEER_OBSERVERINFO, sid);
    ack_epoch(r, link, Z(2, 5));
    rig_expect(r, link, PEER_DIFF, Z(2, 5));
    rig_expect(r, link, PEER_NEWLEADER, Z(3, 0));
    rig_plain(r, link, PEER_ACK, Z(3, 0));
    rig_expect(r, link, PEER_UPTODATE, -1);
    return link;
}

static void what_is_committed_goes_on(void **state)
{
    (void)state;
    struct rig r;
    uint32_t leader = follow(&r), first = serve_one(&r, 4);
    rig_proposal(&r, leader, PEER_PROPOSAL, Z(3, 1));
    rig_proposal(&r, leader, PEER_PROPOSAL, Z(3, 2));
    rig_expect_nothing(&r, first);
    rig_plain(&r, leader, PEER_COMMIT, Z(3, 1));
    rig_expect(&r, first, PEER_INFORM, Z(3, 1));
    /* One that comes now gets what is decided, and hears the rest when it is. */
    uint32_t second = come(&r, PEER_OBSERVERINFO, 5);
    ack_epoch(&r, second, Z(2, 5));
    rig_expect(&r, second, PEER_DIFF, Z(3, 1));
    rig_expect(&r, second, PEER_PROPOSAL, Z(3, 1));
    rig_expect(&r, second, PEER_COMMIT, Z(3, 1));
    rig_expect(&r, second, PEER_NEWLEADER, Z(3, 0));
    rig_plain(&r, leader, PEER_COMMIT, Z(3, 2));
    rig_expect(&r, first, PEER_INFORM, Z(3, 2));
    rig_expect(&r, second, PEER_INFORM, Z(3, 2));
    rig_plain(&r, second, PEER_ACK, Z(3, 0));
    rig_expect(&r, second, PEER_UPTODATE, -1);
    rig_tick(&r, 1000);
    rig_expect(&r, first, PEER_PING, Z(3, 2));
    rig_expect(&r, second, PEER_PING, Z(3, 2));
    assert_int_equal(zab_view(r.zab).synced_observers, 2);
    rig_fini(&r);
}

static void what_they_ask_reaches_the_core(void **state)
{
    (void)state;
    struct rig r;
    (void)follow(&r);
    uint32_t link = serve_one(&r, 4);
    struct buf b;
    buf_init(&b, 1000);
    peer_request_put(&b, &(struct peer_request){ .session_id = 7, .cxid = 1, .op = 1, .body = slice_str("x") });
    rig_packet(&r, link, PEER_REQUEST, -1, buf_slice(&b));
    assert_int_equal(r.requests, 1);
    buf_reset(&b);
    peer_touch_put(&b, (struct peer_touch){ 7, 4000 });
    rig_packet(&r, link, PEER_PING, Z(3, 0), buf_slice(&b));
    assert_int_equal(r.touches, 1);
    rig_packet(&r, link, PEER_REVALIDATE, -1, buf_slice(&b));
    assert_int_equal(r.revalidations, 1);
    buf_fini(&b);
    zab_revalidate_answer(r.zab, link, 7, true, &r.out);
    zab_sync_answer(r.zab, link, &r.out);
    rig_drain(&r);
    rig_expect(&r, link, PEER_REVALIDATE, -1);
    rig_expect(&r, link, PEER_SYNC, 0);
    rig_fini(&r);
}

static void who_is_not_served(void **state)
{
    (void)state;
    struct rig r;
    uint32_t leader = follow(&r);
    uint32_t link = come(&r, PEER_FOLLOWERINFO, 2);
    assert_true(rig_link(&r, link)->closed);
    /* Ahead of this follower: cut off nothing of it, and let it come again. */
    link = come(&r, PEER_OBSERVERINFO, 4);
    ack_epoch(&r, link, Z(3, 1));
    assert_true(rig_link(&r, link)->closed);
    /* What no leader of this epoch has decided is cut off. */
    link = come(&r, PEER_OBSERVERINFO, 4);
    ack_epoch(&r, link, Z(2, 6));
    rig_expect(&r, link, PEER_TRUNC, Z(2, 5));
    /* Silence. */
    link = serve_one(&r, 5);
    for (int i = 0; i < 12; i++) {
        rig_plain(&r, leader, PEER_PING, Z(3, 0));
        rig_tick(&r, 1000);
    }
    assert_true(rig_link(&r, link)->closed);
    /* A link of a port that this server does not serve now. */
    assert_true(rig_link(&r, rig_accept(&r, ZAB_PORT_LEARNER))->closed);
    rig_fini(&r);
}

static void it_ends_with_the_role(void **state)
{
    (void)state;
    struct rig r;
    uint32_t leader = follow(&r), link = serve_one(&r, 4);
    rig_lose(&r, leader);
    assert_int_equal(r.role, PEER_LOOKING);
    assert_true(rig_link(&r, link)->closed);
    assert_false(r.listening_to_observers);
    assert_true(rig_link(&r, rig_accept(&r, ZAB_PORT_OBSERVERS))->closed);
    rig_fini(&r);
}

/* Both followers in turn, and the leader when that has come to nothing for a while. */
static void an_observer_asks_followers_first(void **state)
{
    (void)state;
    struct rig r;
    int tries[4] = { 0 };
    elect(&r, 4);
    for (int i = 0; i < 70 && tries[3] == 0; i++) {
        for (int64_t sid = 1; sid <= 3; sid++) {
            uint32_t link = rig_dial(&r, sid == 3 ? ZAB_PORT_LEARNER : ZAB_PORT_OBSERVERS, sid);
            if (link == UINT32_MAX)
                continue;
            tries[sid]++;
            rig_link(&r, link)->closed = true;
            rig_step(&r, (struct zab_event){ .type = ZAB_EV_LOST, .link = link, .refused = true });
            break;
        }
        rig_tick(&r, 10);
    }
    assert_true(tries[1] > 20 && tries[2] > 20);
    assert_int_equal(tries[3], 1);
    rig_fini(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_committed_goes_on),
        cmocka_unit_test(what_they_ask_reaches_the_core),
        cmocka_unit_test(who_is_not_served),
        cmocka_unit_test(it_ends_with_the_role),
        cmocka_unit_test(an_observer_asks_followers_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
