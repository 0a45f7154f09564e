/* Elections by hand-made notifications, and what strangers may do on the election port. We are server 2 of 3. */
#include "zab/rig_for_tests.h"

static const char three[] = "server.1=h1:1:2\nserver.2=h2:1:2\nserver.3=h3:1:2\n";

static void start(struct rig *r, const char *config)
{
    rig_init(r, &(struct rig_options){ .config = config, .sid = 2, .last_zxid = Z(2, 5), .accepted = 2, .current = 2 });
}

static struct peer_notification looking(int64_t leader, int64_t epoch, int64_t zxid, int64_t round)
{
    return (struct peer_notification){
        .state = PEER_LOOKING, .leader = leader, .peer_epoch = epoch, .zxid = zxid, .round = round, .version = 2
    };
}

/* The link of the pair with server 1, which we dial. */
static uint32_t dial_one(struct rig *r)
{
    uint32_t link = rig_dial(r, ZAB_PORT_ELECTION, 1);
    assert_int_not_equal(link, UINT32_MAX);
    rig_step(r, (struct zab_event){ .type = ZAB_EV_CONNECTED, .link = link });
    struct rig_link *l = rig_link(r, link);
    struct peer_hello h;
    int64_t n = peer_hello_get(buf_slice(&l->sent), &h);
    assert_true(n > 0);
    assert_int_equal(h.sid, 2);
    buf_drop_front(&l->sent, (size_t)n);
    return link;
}

static void the_better_vote_wins(void **state)
{
    (void)state;
    const struct {
        int64_t epoch, zxid;
        int64_t wins;
    } rows[] = {
        { 2, Z(2, 5), 3 }, /* the larger sid */
        { 2, Z(2, 4), 2 }, /* less history */
        { 2, Z(2, 6), 3 }, /* more */
        { 1, Z(9, 9), 2 }, /* the epoch counts first */
        { 3, Z(1, 1), 3 }, /* the same */
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct rig r;
        start(&r, three);
        uint32_t link = rig_peer(&r, 3);
        struct peer_notification n = looking(3, rows[i].epoch, rows[i].zxid, 1);
        rig_notify(&r, link, &n);
        assert_true(rig_told(&r, link, &n));
        assert_int_equal(n.leader, rows[i].wins);
        if (rows[i].wins == 2) {
            assert_int_equal(r.role, PEER_LOOKING); /* 3 has not agreed yet */
            n = looking(2, 2, Z(2, 5), 1);
            rig_notify(&r, link, &n);
        }
        assert_int_equal(r.role, PEER_LOOKING); /* server 1 may know better */
        rig_tick(&r, 199);
        assert_int_equal(r.role, PEER_LOOKING);
        rig_tick(&r, 2);
        assert_int_equal(r.role, rows[i].wins == 2 ? PEER_LEADING : PEER_FOLLOWING);
        rig_fini(&r);
    }
}

/* Voters answer an observer whatever it says, so it says nothing back; and it calls one anew that does not answer. */
static void an_observer_asks_and_does_not_answer(void **state)
{
    (void)state;
    struct rig r;
    start(&r, "server.1=h1:1:2\nserver.2=h2:1:2:observer\nserver.3=h3:1:2\n");
    struct peer_notification n;
    uint32_t one = dial_one(&r), three_link = rig_peer(&r, 3);
    while (rig_told(&r, one, &n) || rig_told(&r, three_link, &n))
        continue;
    const struct peer_notification votes[] = { looking(3, 2, Z(2, 5), 1), looking(1, 2, Z(2, 4), 1) };
    for (size_t i = 0; i < ARRAY_COUNT(votes); i++)
        rig_notify(&r, three_link, &votes[i]);
    while (rig_told(&r, three_link, &n)) /* the first was better than none */
        continue;
    n = looking(3, 2, Z(2, 5), 0);
    rig_notify(&r, three_link, &n); /* of an older round */
    rig_notify(&r, three_link, &votes[1]);
    assert_false(rig_told(&r, three_link, &n));
    for (int i = 0; i < 12; i++) {
        rig_tick(&r, 1000);
        if (!rig_link(&r, three_link)->closed)
            rig_notify(&r, three_link, &votes[0]);
    }
    assert_true(rig_link(&r, one)->closed);
    assert_false(rig_link(&r, three_link)->closed);
    assert_int_not_equal(rig_dial(&r, ZAB_PORT_ELECTION, 1), UINT32_MAX);
    rig_fini(&r);
}

/* Nobody is waited for who has said the same, or who cannot be reached. */
static void nobody_is_waited_for_in_vain(void **state)
{
    (void)state;
    struct rig r;
    start(&r, three);
    uint32_t link = rig_peer(&r, 3);
    uint32_t one = rig_dial(&r, ZAB_PORT_ELECTION, 1);
    rig_link(&r, one)->closed = true;
    rig_step(&r, (struct zab_event){ .type = ZAB_EV_LOST, .link = one, .refused = true });
    struct peer_notification n = looking(3, 2, Z(2, 6), 1);
    rig_notify(&r, link, &n);
    assert_int_equal(r.role, PEER_FOLLOWING);
    rig_fini(&r);
    start(&r, three);
    one = dial_one(&r);
    link = rig_peer(&r, 3);
    rig_notify(&r, one, &n);
    rig_notify(&r, link, &n);
    assert_int_equal(r.role, PEER_FOLLOWING);
    rig_fini(&r);
}

/* Rounds: a later one makes us begin again with our own vote; who is behind is told. */
static void rounds(void **state)
{
    (void)state;
    struct rig r;
    start(&r, three);
    uint32_t link = rig_peer(&r, 3);
    struct peer_notification n = looking(3, 2, Z(2, 6), 1);
    rig_notify(&r, link, &n);
    n = looking(3, 1, Z(1, 1), 7); /* a new round in which it has less than we */
    rig_notify(&r, link, &n);
    assert_true(rig_told(&r, link, &n));
    assert_int_equal(n.round, 7);
    assert_int_equal(n.leader, 2);
    n = looking(3, 9, Z(9, 9), 6);
    rig_notify(&r, link, &n);
    assert_true(rig_told(&r, link, &n));
    assert_int_equal(n.round, 7);
    assert_int_equal(n.leader, 2);
    rig_fini(&r);
}

/* A round that no server can have counted would leave no number for the next one. */
static void rounds_that_cannot_be(void **state)
{
    (void)state;
    struct rig r;
    start(&r, three);
    uint32_t link = rig_peer(&r, 3);
    const int64_t wild[] = { INT64_MAX, INT64_MAX - 1, INT64_MIN, -1 };
    for (size_t i = 0; i < sizeof wild / sizeof wild[0]; i++) {
        for (int s = PEER_LOOKING; s <= PEER_OBSERVING; s++) {
            struct peer_notification n = looking(3, 9, Z(9, 9), wild[i]);
            n.state = (enum peer_state)s;
            rig_notify(&r, link, &n);
            assert_int_equal(zab_view(r.zab).round, 1);
            assert_int_equal(r.role, PEER_LOOKING);
        }
    }
    rig_fini(&r);
}

/* Refuses every try to reach the learner port of 3, until the role is given up. */
static void nobody_listens(struct rig *r)
{
    for (int i = 0; i < 1000 && r->role == PEER_FOLLOWING; i++) {
        uint32_t dialled = rig_dial(r, ZAB_PORT_LEARNER, 3);
        if (dialled != UINT32_MAX) {
            rig_link(r, dialled)->closed = true;
            rig_step(r, (struct zab_event){ .type = ZAB_EV_LOST, .link = dialled, .refused = true });
        }
        rig_tick(r, 11);
    }
    assert_int_equal(r->role, PEER_LOOKING);
}

/* Votes for one that was elected in vain are worth nothing, for some seconds of an election, for a minute. */
static void who_cannot_be_reached_is_avoided(void **state)
{
    (void)state;
    struct rig r;
    start(&r, three);
    uint32_t one = dial_one(&r), link = rig_peer(&r, 3);
    struct peer_notification n, best = looking(3, 2, Z(2, 6), 1);
    rig_notify(&r, one, &best);
    rig_notify(&r, link, &best);
    assert_int_equal(r.role, PEER_FOLLOWING);
    nobody_listens(&r);
    while (rig_told(&r, link, &n))
        continue;
    best.round = zab_view(r.zab).round;
    rig_notify(&r, link, &best); /* and is not answered: neither would give in */
    assert_false(rig_told(&r, link, &n));
    n = looking(1, 2, Z(2, 5), best.round); /* another vote is taken as ever */
    rig_notify(&r, one, &n);
    assert_true(rig_told(&r, one, &n));
    assert_int_equal(n.leader, 2);
    rig_tick(&r, 3000); /* nobody else was found */
    rig_notify(&r, link, &best);
    rig_notify(&r, one, &best);
    assert_int_equal(r.role, PEER_FOLLOWING);
    assert_int_equal(r.leader, 3);
    rig_fini(&r);
}

/* What followers say about a leader that is dead is not enough. */
static void a_leader_must_say_so_itself(void **state)
{
    (void)state;
    struct rig r;
    start(&r, "server.1=h:1:2\nserver.2=h:1:2\nserver.3=h:1:2\nserver.4=h:1:2\nserver.5=h:1:2\n");
    struct peer_notification n = { .state = PEER_FOLLOWING, .leader = 5, .round = 40, .peer_epoch = 6, .version = 2 };
    uint32_t one = dial_one(&r), four = rig_peer(&r, 4), three_link = rig_peer(&r, 3);
    rig_notify(&r, one, &n);
    rig_notify(&r, four, &n);
    n.round = 39; /* rounds and zxids of those who follow may differ (1732) */
    n.zxid = 17;
    rig_notify(&r, three_link, &n);
    assert_int_equal(r.role, PEER_LOOKING);
    uint32_t five = rig_peer(&r, 5);
    n.state = PEER_LEADING;
    rig_notify(&r, five, &n);
    assert_int_equal(r.role, PEER_FOLLOWING);
    assert_int_equal(r.leader, 5);
    rig_fini(&r);
}

static void votes_of_and_for_strangers_count_nothing(void **state)
{
    (void)state;
    struct rig r;
    start(&r, three);
    for (int64_t sid = 10; sid < 20; sid++) {
        uint32_t link = rig_peer(&r, sid);
        struct peer_notification n = looking(sid, 9, Z(9, 9), 1);
        rig_notify(&r, link, &n);
        assert_true(rig_told(&r, link, &n)); /* it is answered, so that it finds the leader */
        assert_int_equal(n.leader, 2);
    }
    uint32_t link = rig_peer(&r, 3);
    struct peer_notification n = looking(10, 9, Z(9, 9), 1);
    rig_notify(&r, link, &n);
    rig_tick(&r, 500);
    assert_int_equal(r.role, PEER_LOOKING);
    rig_fini(&r);
}

/* However many come: members have their places, and memory has an end. */
static void strangers_leave_room(void **state)
{
    (void)state;
    struct rig r;
    start(&r, three);
    uint32_t kept = 0;
    for (int64_t sid = 100; sid < 140; sid++) {
        uint32_t link = rig_accept(&r, ZAB_PORT_ELECTION);
        rig_hello(&r, link, sid % 2 == 0 ? sid : INT64_MAX);
        kept += !rig_link(&r, link)->closed;
    }
    assert_true(kept >= 16 && kept < 32);
    (void)rig_peer(&r, 3);
    rig_fini(&r);
}

static void garbage_closes_the_link_and_nothing_else(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t n;
    } rows[] = {
        { "\xff\xff\xff\xff\xff\xff\x00\x01\0\0\0\0\0\0\0\3\0\0\0\0", 20 },         /* an empty address */
        { "\xff\xff\xff\xff\xff\xff\x00\x00\0\0\0\0\0\0\0\3\x7f\xff\xff\xff", 20 }, /* one of two thousand million */
        { "\xff\xff\xff\xff\xff\xff\xff\xfe", 8 },                                  /* no version */
        { "GET / HTTP/1.1\r\n\r\n", 18 },                                           /* a sid, and then no frame */
        { "\0\0\0\0\0\0\0\3\0\0\0\0", 12 },                                         /* a frame of nothing */
        { "\0\0\0\0\0\0\0\3\x7f\xff\xff\xff", 12 },                                 /* one that is too long */
        { "\0\0\0\0\0\0\0\2", 8 },                                                  /* ourselves */
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        for (size_t split = 0; split < rows[i].n; split++) {
            struct rig r;
            start(&r, three);
            uint32_t link = rig_accept(&r, ZAB_PORT_ELECTION);
            if (split != 0)
                rig_bytes(&r, link, slice_of(rows[i].bytes, split));
            rig_bytes(&r, link, slice_of(rows[i].bytes + split, rows[i].n - split));
            assert_true(rig_link(&r, link)->closed);
            assert_int_equal(r.role, PEER_LOOKING);
            rig_fini(&r);
        }
    }
}

/* Who says nothing makes room; who connects again replaces the old connection. */
static void connections_come_and_go(void **state)
{
    (void)state;
    struct rig r;
    start(&r, three);
    uint32_t silent = rig_accept(&r, ZAB_PORT_ELECTION);
    uint32_t first = rig_peer(&r, 3), second = rig_peer(&r, 3);
    assert_true(rig_link(&r, first)->closed);
    struct peer_notification n;
    assert_true(rig_told(&r, second, &n)); /* the last word again: the old connection may have lost it */
    uint32_t one = dial_one(&r);
    uint32_t from_one = rig_accept(&r, ZAB_PORT_ELECTION);
    rig_hello(&r, from_one, 1); /* it has the smaller sid: we dial */
    assert_true(rig_link(&r, from_one)->closed && rig_link(&r, one)->closed);
    assert_int_not_equal(rig_dial(&r, ZAB_PORT_ELECTION, 1), UINT32_MAX);
    rig_lose(&r, second);
    rig_tick(&r, 5001);
    assert_true(rig_link(&r, silent)->closed);
    rig_fini(&r);
}

/* Any bytes in any pieces on any link. */
static void noise(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 500; seed++) {
        struct rng g;
        rng_init(&g, seed);
        struct rig r;
        start(&r, three);
        for (int i = 0; i < 40; i++) {
            uint64_t what = rng_below(&g, 8);
            if (what < 3) {
                uint32_t link = rig_accept(&r, rng_below(&g, 4) == 0 ? ZAB_PORT_LEARNER : ZAB_PORT_ELECTION);
                if (rig_link(&r, link)->port == ZAB_PORT_ELECTION)
                    rig_hello(&r, link, (int64_t)rng_below(&g, 6));
            } else if (what == 3) {
                rig_tick(&r, (int64_t)rng_below(&g, 1000));
            } else if (what == 4) {
                rig_disk(&r);
            } else if (r.link_count != 0) {
                uint32_t link = r.links[rng_below(&g, r.link_count)].id;
                struct rig_link *l = rig_link(&r, link);
                bool dials = l->dialled && !l->closed;
                if (dials && what == 5)
                    rig_step(&r, (struct zab_event){ .type = ZAB_EV_LOST, .link = link, .refused = seed % 2 == 0 });
                if (dials)
                    l->closed = l->closed || what == 5;
                else if (what == 6)
                    rig_lose(&r, link);
                struct peer_notification n = looking((int64_t)rng_below(&g, 5), (int64_t)rng_below(&g, 4),
                                                     Z(rng_below(&g, 4), rng_below(&g, 9)), (int64_t)rng_below(&g, 4));
                n.state = (enum peer_state)rng_below(&g, 4);
                if (!dials && what == 7)
                    rig_notify(&r, link, &n);
            }
        }
        rig_fini(&r);
    }
}

/* db.autocreate=false and an empty directory: its vote says so, it agrees with nobody, and follows who leads. */
static void an_empty_directory_has_no_vote(void **state)
{
    (void)state;
    struct rig r;
    struct rig_options o = { .config = "server.2=h2:1:2\n", .sid = 2, .untrusted = true };
    rig_init(&r, &o);
    rig_tick(&r, 1000);
    assert_int_equal(r.role, PEER_LOOKING); /* not even alone */
    rig_fini(&r);
    o.config = three;
    rig_init(&r, &o);
    uint32_t link = rig_peer(&r, 3);
    struct peer_notification n = looking(2, 0, 0, 1);
    rig_notify(&r, link, &n);
    assert_true(rig_told(&r, link, &n));
    assert_int_equal(n.zxid, -1);
    rig_tick(&r, 1000);
    assert_int_equal(r.role, PEER_LOOKING);
    uint32_t one = dial_one(&r);
    n = looking(3, 2, Z(2, 5), 9);
    n.state = PEER_LEADING;
    rig_notify(&r, link, &n);
    n.state = PEER_FOLLOWING;
    rig_notify(&r, one, &n);
    assert_int_equal(r.role, PEER_FOLLOWING);
    rig_fini(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_better_vote_wins),           cmocka_unit_test(an_observer_asks_and_does_not_answer),
        cmocka_unit_test(nobody_is_waited_for_in_vain),   cmocka_unit_test(rounds),
        cmocka_unit_test(rounds_that_cannot_be),          cmocka_unit_test(who_cannot_be_reached_is_avoided),
        cmocka_unit_test(a_leader_must_say_so_itself),    cmocka_unit_test(votes_of_and_for_strangers_count_nothing),
        cmocka_unit_test(strangers_leave_room),           cmocka_unit_test(garbage_closes_the_link_and_nothing_else),
        cmocka_unit_test(connections_come_and_go),        cmocka_unit_test(noise),
        cmocka_unit_test(an_empty_directory_has_no_vote),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
