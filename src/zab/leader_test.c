/* A leader whose learners say everything in every order, as Apache's do and as nobody should. Server 3 of 3 leads. */
#include "zab/rig_for_tests.h"

static const char three[] = "server.1=h1:1:2\nserver.2=h2:1:2\nserver.3=h3:1:2\nserver.4=h4:1:2:observer\n";

/* Server 3 is elected by 1, in epoch 2, with a log that ends at 0x200000005 of which nothing is in memory. */
static uint32_t elect_with(struct rig *r, const struct rig_options *o)
{
    rig_init(r, o);
    uint32_t link = rig_dial(r, ZAB_PORT_ELECTION, 1);
    rig_step(r, (struct zab_event){ .type = ZAB_EV_CONNECTED, .link = link });
    struct peer_notification n = { .state = PEER_LOOKING,
                                   .leader = 3,
                                   .zxid = Z(2, 5),
                                   .peer_epoch = 2,
                                   .round = zab_view(r->zab).round,
                                   .version = 2 };
    rig_notify(r, link, &n);
    rig_tick(r, 201);
    assert_int_equal(r->role, PEER_LEADING);
    assert_true(r->listening);
    return link;
}

static void elect(struct rig *r, bool log_sync)
{
    (void)elect_with(
        r, &(struct rig_options){
               .config = three, .sid = 3, .last_zxid = Z(2, 5), .accepted = 2, .current = 2, .log_sync = log_sync });
}

static uint32_t join(struct rig *r, int32_t type, int64_t sid, int64_t accepted)
{
    uint32_t link = rig_accept(r, ZAB_PORT_LEARNER);
    struct buf b;
    buf_init(&b, 100);
    peer_learner_info_put(&b, &(struct peer_learner_info){ .sid = sid, .protocol_version = 0x10000 });
    rig_packet(r, link, type, ZXID_FIRST(accepted), buf_slice(&b));
    buf_fini(&b);
    return link;
}

static void ack_epoch(struct rig *r, uint32_t link, int32_t current, int64_t last_zxid)
{
    uint8_t epoch[4];
    store_be32(epoch, (uint32_t)current);
    rig_packet(r, link, PEER_ACKEPOCH, last_zxid, slice_of(epoch, 4));
}

/* Up to NEWLEADER with an empty DIFF. */
static uint32_t sync_one(struct rig *r, int32_t type, int64_t sid)
{
    uint32_t link = join(r, type, sid, 2);
    rig_disk(r);
    rig_expect(r, link, PEER_LEADERINFO, Z(3, 0));
    ack_epoch(r, link, 2, Z(2, 5));
    rig_disk(r);
    rig_expect(r, link, PEER_DIFF, Z(2, 5));
    rig_expect(r, link, PEER_NEWLEADER, Z(3, 0));
    return link;
}

static uint32_t establish(struct rig *r)
{
    elect(r, false);
    uint32_t link = sync_one(r, PEER_FOLLOWERINFO, 1);
    assert_false(r->serving);
    rig_plain(r, link, PEER_ACK, Z(3, 0));
    assert_true(r->serving);
    rig_expect(r, link, PEER_UPTODATE, -1);
    rig_plain(r, link, PEER_ACK, Z(3, 0)); /* the second one means nothing */
    rig_expect_nothing(r, link);
    return link;
}

static void propose(struct rig *r)
{
    int64_t zxid = zab_next_zxid(r->zab, &r->out);
    rig_drain(r);
    if (zxid < 0)
        return;
    struct blob *txn = rig_txn(zxid);
    zab_propose(r->zab, zxid, txn, &r->out);
    blob_unref(txn);
    rig_drain(r);
}

/* A stranger may have claimed the last but one. */
static void behind_the_last_epoch_nobody_leads(void **state)
{
    (void)state;
    struct rig r;
    (void)elect_with(&r, &(struct rig_options){
                             .config = three, .sid = 3, .last_zxid = Z(2, 5), .accepted = EPOCH_MAX, .current = 2 });
    (void)join(&r, PEER_FOLLOWERINFO, 1, 2);
    assert_int_equal(r.role, PEER_LOOKING);
    assert_false(r.saving);
    rig_disk(&r);
    assert_int_equal(r.saved_accepted, EPOCH_MAX);
    rig_fini(&r);
}

static void epochs_are_durable_before_they_are_told(void **state)
{
    (void)state;
    struct rig r;
    elect(&r, false);
    uint32_t link = join(&r, PEER_FOLLOWERINFO, 1, 7);
    assert_true(r.saving && r.want_accepted == 8 && r.want_current == 2);
    rig_expect_nothing(&r, link);
    rig_epochs_saved(&r);
    rig_expect(&r, link, PEER_LEADERINFO, Z(8, 0));
    ack_epoch(&r, link, 2, Z(2, 5));
    assert_true(r.saving && r.want_current == 8);
    rig_expect_nothing(&r, link);
    rig_epochs_saved(&r);
    rig_expect(&r, link, PEER_DIFF, Z(2, 5));
    rig_fini(&r);
}

/* maxTimeToWaitForEpoch: a voter that looks ends a wait that has been long enough, and nothing else does. */
static void a_voter_that_looks_ends_a_long_wait(void **state)
{
    (void)state;
    for (int64_t max_ms = 0; max_ms <= 3000; max_ms += 3000) {
        struct rig r;
        uint32_t link = elect_with(&r, &(struct rig_options){ .config = three,
                                                              .sid = 3,
                                                              .last_zxid = Z(2, 5),
                                                              .accepted = 2,
                                                              .current = 2,
                                                              .epoch_wait_ms_max = max_ms });
        struct peer_notification n = {
            .state = PEER_LOOKING, .leader = 1, .zxid = 0, .round = zab_view(r.zab).round + 1, .version = 2
        };
        rig_tick(&r, 2900);
        rig_notify(&r, link, &n);
        assert_int_equal(r.role, PEER_LEADING);
        rig_tick(&r, 200);
        assert_int_equal(r.role, PEER_LEADING);
        rig_notify(&r, link, &n);
        assert_int_equal(r.role, max_ms == 0 ? PEER_LEADING : PEER_LOOKING);
        rig_fini(&r);
    }
}

static void who_counts_for_the_epoch(void **state)
{
    (void)state;
    struct rig r;
    elect(&r, false);
    (void)join(&r, PEER_OBSERVERINFO, 4, 9);
    (void)join(&r, PEER_FOLLOWERINFO, 77, 9); /* not a member */
    (void)join(&r, PEER_FOLLOWERINFO, 3, 9);  /* ourselves */
    (void)join(&r, PEER_FOLLOWERINFO, -5, 9);
    assert_false(r.saving);
    uint32_t link = join(&r, PEER_FOLLOWERINFO, 1, 2);
    assert_true(r.saving);
    rig_disk(&r);
    rig_expect(&r, link, PEER_LEADERINFO, Z(10, 0));
    ack_epoch(&r, link, -1, Z(2, 5)); /* has acknowledged this epoch before */
    assert_false(r.saving);
    uint32_t two = join(&r, PEER_FOLLOWERINFO, 2, 2);
    rig_expect(&r, two, PEER_LEADERINFO, Z(10, 0));
    ack_epoch(&r, two, 2, Z(2, 6)); /* has more than we */
    assert_true(rig_link(&r, two)->closed);
    assert_false(r.saving);
    two = join(&r, PEER_FOLLOWERINFO, 2, 2);
    rig_expect(&r, two, PEER_LEADERINFO, Z(10, 0));
    ack_epoch(&r, two, 1, Z(1, 9));
    assert_true(r.saving);
    rig_fini(&r);
}

/* A 3.8 follower acknowledges proposals before NEWLEADER, and all that it was sent (ZOOKEEPER-4685). */
static void acknowledgements_in_any_order(void **state)
{
    (void)state;
    struct rig r;
    uint32_t one = establish(&r);
    propose(&r);
    rig_expect(&r, one, PEER_PROPOSAL, Z(3, 1));
    assert_int_equal(r.committed, Z(2, 5));
    uint32_t two = join(&r, PEER_FOLLOWERINFO, 2, 2);
    rig_expect(&r, two, PEER_LEADERINFO, Z(3, 0));
    ack_epoch(&r, two, 2, Z(2, 5));
    rig_expect(&r, two, PEER_DIFF, Z(2, 5));
    rig_expect(&r, two, PEER_PROPOSAL, Z(3, 1));
    rig_expect(&r, two, PEER_NEWLEADER, Z(3, 0));
    rig_plain(&r, two, PEER_ACK, Z(2, 5));
    rig_plain(&r, two, PEER_ACK, Z(3, 1));
    rig_log_synced(&r);
    assert_int_equal(r.committed, Z(2, 5)); /* its epoch is not on its disk: it does not count */
    rig_plain(&r, two, PEER_ACK, Z(3, 0));
    assert_int_equal(r.committed, Z(3, 1));
    rig_expect(&r, two, PEER_UPTODATE, -1);
    rig_expect(&r, two, PEER_COMMIT, Z(3, 1));
    rig_expect(&r, one, PEER_COMMIT, Z(3, 1));
    propose(&r);
    propose(&r);
    rig_plain(&r, one, PEER_ACK, Z(3, 9)); /* of what was never proposed */
    rig_plain(&r, one, PEER_ACK, -1);
    rig_plain(&r, one, PEER_ACK, INT64_MAX);
    rig_log_synced(&r);
    assert_int_equal(r.committed, Z(3, 1));
    rig_plain(&r, one, PEER_ACK, Z(3, 2));
    assert_int_equal(r.committed, Z(3, 2));
    rig_plain(&r, two, PEER_ACK, Z(3, 3));
    assert_int_equal(r.committed, Z(3, 3));
    rig_fini(&r);
}

static void a_leaders_log_matters_when_a_follower_has_acknowledged(void **state)
{
    (void)state;
    struct rig r;
    uint32_t one = establish(&r);
    assert_false(zab_awaits_log(r.zab));
    propose(&r);
    propose(&r);
    assert_false(zab_awaits_log(r.zab)); /* alone it is no quorum */
    rig_log_synced(&r);
    assert_int_equal(r.committed, Z(2, 5));
    rig_plain(&r, one, PEER_ACK, Z(3, 1));
    assert_int_equal(r.committed, Z(3, 1));
    rig_plain(&r, one, PEER_ACK, Z(3, 2));
    propose(&r);
    rig_plain(&r, one, PEER_ACK, Z(3, 3));
    assert_int_equal(r.committed, Z(3, 2));
    assert_true(zab_awaits_log(r.zab)); /* the follower's acknowledgement waits for it */
    rig_log_synced(&r);
    assert_int_equal(r.committed, Z(3, 3));
    assert_false(zab_awaits_log(r.zab));
    rig_fini(&r);
}

static void an_observer_gets_what_is_decided(void **state)
{
    (void)state;
    struct rig r;
    uint32_t one = establish(&r);
    propose(&r);
    uint32_t four = join(&r, PEER_OBSERVERINFO, 4, 2);
    rig_expect(&r, four, PEER_LEADERINFO, Z(3, 0));
    ack_epoch(&r, four, 2, Z(2, 5));
    rig_expect(&r, four, PEER_DIFF, Z(2, 5));
    rig_expect(&r, four, PEER_NEWLEADER, Z(3, 0)); /* not what is only proposed */
    rig_plain(&r, four, PEER_ACK, Z(3, 0));
    rig_expect(&r, four, PEER_UPTODATE, -1);
    rig_log_synced(&r);
    rig_plain(&r, four, PEER_ACK, Z(3, 1));
    assert_int_equal(r.committed, Z(2, 5)); /* it has no voice */
    rig_plain(&r, one, PEER_ACK, Z(3, 1));
    rig_expect(&r, four, PEER_INFORM, Z(3, 1));
    rig_fini(&r);
}

/* Everything that comes too early, or means nothing, ends the link it came on; the leader goes on. */
static void what_makes_no_sense_ends_the_link(void **state)
{
    (void)state;
    static const int32_t types[] = { PEER_REQUEST, PEER_PROPOSAL,     PEER_COMMIT,     PEER_PING,     PEER_REVALIDATE,
                                     PEER_SYNC,    PEER_FOLLOWERINFO, PEER_LEADERINFO, PEER_UPTODATE, 0,
                                     -1,           INT32_MAX };
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        struct rig r;
        uint32_t one = establish(&r);
        uint32_t link = rig_accept(&r, ZAB_PORT_LEARNER);
        rig_plain(&r, link, types[i], 0);
        assert_true(rig_link(&r, link)->closed);
        link = join(&r, PEER_FOLLOWERINFO, 2, 2);
        rig_plain(&r, link, types[i], 0); /* instead of ACKEPOCH */
        assert_true(rig_link(&r, link)->closed);
        link = join(&r, PEER_FOLLOWERINFO, 2, 2);
        ack_epoch(&r, link, 2, Z(2, 5));
        rig_plain(&r, link, types[i], 0); /* instead of the acknowledgement of NEWLEADER */
        assert_true(rig_link(&r, link)->closed);
        assert_true(r.serving && !rig_link(&r, one)->closed);
        rig_fini(&r);
    }
}

static void what_cannot_be_read_ends_the_link(void **state)
{
    (void)state;
    struct rig r;
    uint32_t one = establish(&r);
    uint32_t link = rig_accept(&r, ZAB_PORT_LEARNER);
    rig_bytes(&r, link, slice_of("\0\0\0\x0b\0\0\0\2\0\0\0\0\0\1\0\0", 16)); /* who says who it is needs no 64 KiB */
    assert_true(rig_link(&r, link)->closed);
    link = join(&r, PEER_FOLLOWERINFO, 2, 0x7fffffff); /* behind this epoch there is no other */
    assert_true(rig_link(&r, link)->closed);
    link = join(&r, PEER_FOLLOWERINFO, 2, 0x80000001);
    assert_true(rig_link(&r, link)->closed);
    link = join(&r, PEER_FOLLOWERINFO, 2, 2);
    rig_packet(&r, link, PEER_ACKEPOCH, 0, slice_str("abc"));
    assert_true(rig_link(&r, link)->closed);
    link = sync_one(&r, PEER_FOLLOWERINFO, 2);
    rig_plain(&r, link, PEER_ACK, Z(3, 0));
    rig_packet(&r, link, PEER_REQUEST, -1, slice_str("fifteen bytes!!"));
    assert_true(rig_link(&r, link)->closed);
    link = sync_one(&r, PEER_FOLLOWERINFO, 2);
    rig_plain(&r, link, PEER_ACK, Z(3, 0));
    rig_packet(&r, link, PEER_REVALIDATE, -1, slice_str("eleven byte"));
    assert_true(rig_link(&r, link)->closed);
    link = sync_one(&r, PEER_FOLLOWERINFO, 2);
    rig_plain(&r, link, PEER_ACK, Z(3, 0));
    rig_packet(&r, link, PEER_PING, -1, slice_str("twelve bytes and some")); /* what is whole is taken */
    assert_int_equal(r.touches, 1);
    assert_false(rig_link(&r, link)->closed);
    assert_true(r.serving && !rig_link(&r, one)->closed);
    rig_fini(&r);
}

/* A server that comes again replaces itself; a quorum that is gone is noticed. */
static void the_same_server_twice(void **state)
{
    (void)state;
    struct rig r;
    uint32_t one = establish(&r);
    uint32_t again = sync_one(&r, PEER_FOLLOWERINFO, 1);
    assert_true(rig_link(&r, one)->closed);
    rig_plain(&r, again, PEER_ACK, Z(3, 0));
    rig_tick(&r, 1001);
    assert_int_equal(r.role, PEER_LEADING);
    rig_lose(&r, again);
    rig_tick(&r, 1001);
    assert_int_equal(r.role, PEER_LOOKING);
    assert_false(r.listening);
    rig_fini(&r);
}

/* Whom a learner is sent what (4.6), and that an epoch's first zxid stands for all before it. */
static void plans(void **state)
{
    (void)state;
    const struct {
        int64_t last;
        int32_t type;
        int64_t zxid;
    } rows[] = {
        { Z(3, 4), PEER_DIFF, Z(3, 4) },
        { Z(3, 2), PEER_DIFF, Z(3, 4) },
        { Z(2, 5), PEER_DIFF, Z(3, 4) },
        { Z(3, 0), PEER_DIFF, Z(3, 4) },
        { Z(3, 9), PEER_TRUNC, Z(3, 4) },
        { Z(2, 4), 0, 0 },
        { Z(2, 6), 0, 0 },
        { Z(4, 1), 0, 0 },
        { Z(4, 0), 0, 0 },
        { 0, 0, 0 },
        { -1, 0, 0 },
        { INT64_MIN, 0, 0 },
        { INT64_MAX, 0, 0 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct rig r;
        uint32_t one = establish(&r);
        for (int k = 1; k <= 4; k++)
            propose(&r);
        rig_log_synced(&r);
        rig_plain(&r, one, PEER_ACK, Z(3, 4));
        propose(&r);
        uint32_t two = join(&r, PEER_FOLLOWERINFO, 2, 2);
        rig_expect(&r, two, PEER_LEADERINFO, Z(3, 0));
        ack_epoch(&r, two, 2, rows[i].last);
        if (rows[i].type == 0) {
            assert_int_equal(r.images_wanted, 1);
            rig_expect_nothing(&r, two);
            rig_fini(&r);
            continue;
        }
        rig_expect(&r, two, rows[i].type, rows[i].zxid);
        struct peer_packet p = { 0 };
        int64_t next = rows[i].last < Z(3, 0) ? Z(3, 1) : rows[i].last + 1;
        for (next = next > Z(3, 5) ? Z(3, 5) : next; next <= Z(3, 5); next++) {
            rig_expect(&r, two, PEER_PROPOSAL, next);
            if (next <= Z(3, 4))
                rig_expect(&r, two, PEER_COMMIT, next);
        }
        assert_true(rig_sent(&r, two, &p));
        assert_int_equal(p.type, PEER_NEWLEADER);
        rig_fini(&r);
    }
}

static void image_slice(struct rig *r, uint32_t link, bool end)
{
    zab_image_bytes(r->zab, link, slice_str("image"), end, &r->out);
    rig_drain(r);
}

/* Apache's server with an empty database that nobody has said to be new (db.autocreate=false): epoch -1, zxid -1. */
static void who_is_not_trusted_gets_an_image(void **state)
{
    (void)state;
    struct rig r;
    (void)establish(&r);
    uint32_t two = join(&r, PEER_FOLLOWERINFO, 2, -1);
    rig_expect(&r, two, PEER_LEADERINFO, Z(3, 0));
    ack_epoch(&r, two, -1, -1);
    assert_int_equal(r.image_link, two);
    assert_false(rig_link(&r, two)->closed);
    rig_fini(&r);
}

/* What is proposed and decided while an image goes out stands behind it, and NEWLEADER behind that (3104). */
static void an_image_while_writes_go_on(void **state)
{
    (void)state;
    struct rig r;
    uint32_t one = establish(&r);
    propose(&r);
    uint32_t two = join(&r, PEER_FOLLOWERINFO, 2, 0);
    rig_expect(&r, two, PEER_LEADERINFO, Z(3, 0));
    ack_epoch(&r, two, 0, 0);
    assert_int_equal(r.image_link, two);
    propose(&r); /* before it has begun */
    assert_true(zab_image_begin(r.zab, two, &r.out));
    rig_drain(&r);
    propose(&r);
    image_slice(&r, two, false);
    rig_log_synced(&r);
    rig_plain(&r, one, PEER_ACK, Z(3, 3));
    image_slice(&r, two, true);
    propose(&r);
    rig_expect(&r, two, PEER_SNAP, Z(2, 5));
    struct rig_link *l = rig_link(&r, two);
    assert_true(slice_starts(buf_slice(&l->sent), slice_of("imageimage\0\0\0\nBenWasHere", 24)));
    buf_drop_front(&l->sent, 24);
    for (int i = 1; i <= 3; i++)
        rig_expect(&r, two, PEER_PROPOSAL, Z(3, i));
    for (int i = 1; i <= 3; i++)
        rig_expect(&r, two, PEER_COMMIT, Z(3, i));
    rig_expect(&r, two, PEER_NEWLEADER, Z(3, 0));
    rig_expect(&r, two, PEER_PROPOSAL, Z(3, 4));
    rig_fini(&r);
}

/* What is held back for it has a limit; its link ends in any phase; nothing that comes later for it does harm. */
static void an_image_that_comes_to_nothing(void **state)
{
    (void)state;
    for (int where = 0; where < 4; where++) {
        struct rig r;
        (void)establish(&r);
        uint32_t two = join(&r, PEER_FOLLOWERINFO, 2, 0);
        ack_epoch(&r, two, 0, 0);
        if (where >= 1) {
            assert_true(zab_image_begin(r.zab, two, &r.out));
            rig_drain(&r);
        }
        if (where == 2)
            image_slice(&r, two, false);
        for (int i = 0; where == 3 && i < 400; i++)
            propose(&r);
        if (where == 3)
            assert_true(rig_link(&r, two)->closed);
        rig_lose(&r, two);
        assert_false(zab_image_begin(r.zab, two, &r.out));
        zab_image_bytes(r.zab, two, slice_str("image"), true, &r.out);
        rig_drain(&r);
        rig_step(&r, (struct zab_event){ .type = ZAB_EV_DRAINED, .link = two });
        rig_step(&r, (struct zab_event){ .type = ZAB_EV_LOG_READ, .link = two, .end = true });
        rig_fini(&r);
    }
}

/* A quorum that needs a voter with a large tree to load is not given up while it loads (1465, 1697). */
static void an_image_may_take_longer_than_init_limit(void **state)
{
    (void)state;
    struct rig r;
    elect(&r, false);
    uint32_t link = join(&r, PEER_FOLLOWERINFO, 1, 2);
    rig_disk(&r);
    ack_epoch(&r, link, 2, 0);
    rig_disk(&r);
    assert_int_equal(r.image_link, link);
    assert_true(zab_image_begin(r.zab, link, &r.out));
    rig_drain(&r);
    for (int i = 0; i < 60; i++) {
        rig_tick(&r, 1001);
        image_slice(&r, link, false);
    }
    assert_int_equal(r.role, PEER_LEADING);
    image_slice(&r, link, true);
    rig_tick(&r, 19000);
    assert_int_equal(r.role, PEER_LEADING);
    rig_plain(&r, link, PEER_ACK, Z(3, 0));
    assert_true(r.serving);
    rig_fini(&r);
    elect(&r, false); /* and one that does not move is */
    link = join(&r, PEER_FOLLOWERINFO, 1, 2);
    rig_disk(&r);
    ack_epoch(&r, link, 2, 0);
    rig_disk(&r);
    assert_true(zab_image_begin(r.zab, link, &r.out));
    rig_drain(&r);
    for (int i = 0; i < 25 && r.role == PEER_LEADING; i++)
        rig_tick(&r, 1001);
    assert_int_equal(r.role, PEER_LOOKING);
    rig_fini(&r);
}

/* As Apache's LearnerSyncThrottler: one observer at a time here; followers pass and count; each kind for itself. */
static void one_observer_too_many(void **state)
{
    (void)state;
    struct rig r;
    (void)elect_with(
        &r, &(struct rig_options){
                .config = three, .sid = 3, .last_zxid = Z(2, 5), .accepted = 2, .current = 2, .syncs_max = 1 });
    uint32_t follower = sync_one(&r, PEER_FOLLOWERINFO, 1);
    uint32_t late = join(&r, PEER_OBSERVERINFO, 4, 2);
    ack_epoch(&r, late, 2, Z(2, 5));
    assert_true(rig_link(&r, late)->closed);
    rig_plain(&r, follower, PEER_ACK, Z(3, 0));
    assert_true(r.serving);
    uint32_t one = sync_one(&r, PEER_OBSERVERINFO, 4);
    uint32_t two = join(&r, PEER_OBSERVERINFO, 5, 2);
    ack_epoch(&r, two, 2, Z(2, 5));
    assert_true(rig_link(&r, two)->closed);
    uint32_t voter = sync_one(&r, PEER_FOLLOWERINFO, 2);
    assert_int_equal(zab_inflight_diffs(r.zab)->max, 2);
    /* An image is another thing. */
    uint32_t image = join(&r, PEER_OBSERVERINFO, 6, 0);
    ack_epoch(&r, image, 0, 0);
    assert_int_equal(r.image_link, image);
    uint32_t second = join(&r, PEER_OBSERVERINFO, 7, 0);
    ack_epoch(&r, second, 0, 0);
    assert_true(rig_link(&r, second)->closed);
    rig_lose(&r, image);
    assert_int_equal(zab_inflight_snaps(r.zab)->max, 1);
    second = join(&r, PEER_OBSERVERINFO, 7, 0);
    ack_epoch(&r, second, 0, 0);
    assert_int_equal(r.image_link, second);
    assert_true(zab_image_begin(r.zab, second, &r.out));
    rig_drain(&r);
    zab_image_failed(r.zab, second, &r.out);
    rig_drain(&r);
    assert_true(rig_link(&r, second)->closed);
    /* Who has all is counted no more. */
    rig_plain(&r, one, PEER_ACK, Z(3, 0));
    rig_plain(&r, voter, PEER_ACK, Z(3, 0));
    assert_int_equal(zab_inflight_diffs(r.zab)->min, 0);
    (void)sync_one(&r, PEER_OBSERVERINFO, 5);
    rig_fini(&r);
}

static void records(struct rig *r, uint32_t link, int64_t first, int64_t last, bool end, int err)
{
    struct buf b;
    buf_init(&b, 100000);
    for (int64_t zxid = first; zxid <= last; zxid++) {
        struct blob *txn = rig_txn(zxid);
        wire_put_i64(&b, zxid);
        wire_put_i32(&b, (int32_t)txn->n);
        buf_append_slice(&b, blob_slice(txn));
        blob_unref(txn);
    }
    rig_step(
        r, (struct zab_event){ .type = ZAB_EV_LOG_READ, .link = link, .bytes = buf_slice(&b), .end = end, .err = err });
    buf_fini(&b);
}

/* What memory does not hold comes from the log, if the log can be gone on from; a hole ends it (2846). */
static void the_log_on_disk(void **state)
{
    (void)state;
    for (int where = 0; where < 4; where++) {
        struct rig r;
        elect(&r, true);
        uint32_t link = join(&r, PEER_FOLLOWERINFO, 1, 2);
        rig_disk(&r);
        rig_expect(&r, link, PEER_LEADERINFO, Z(3, 0));
        ack_epoch(&r, link, 2, Z(2, 2));
        rig_disk(&r);
        assert_int_equal(r.log_link, link);
        assert_int_equal(r.log_from, Z(2, 2));
        assert_int_equal(r.log_to, Z(2, 5));
        if (where == 0) {
            records(&r, link, 1, 0, false, ERR_NOT_FOUND);
            assert_int_equal(r.images_wanted, 1);
        } else if (where == 1) {
            records(&r, link, Z(2, 4), Z(2, 5), true, 0);
            assert_true(rig_link(&r, link)->closed);
        } else if (where == 2) {
            records(&r, link, Z(2, 3), Z(2, 4), true, 0);
            assert_true(rig_link(&r, link)->closed);
        } else {
            records(&r, link, Z(2, 3), Z(2, 4), false, 0);
            records(&r, link, Z(2, 5), Z(2, 5), true, 0);
            rig_expect(&r, link, PEER_DIFF, Z(2, 5));
            for (int i = 3; i <= 5; i++) {
                rig_expect(&r, link, PEER_PROPOSAL, Z(2, i));
                rig_expect(&r, link, PEER_COMMIT, Z(2, i));
            }
            rig_expect(&r, link, PEER_NEWLEADER, Z(3, 0));
        }
        rig_fini(&r);
    }
}

/* The numbers of an epoch end: the leader goes, and does not give the last one twice. */
static void the_last_zxid_of_an_epoch(void **state)
{
    (void)state;
    struct rig r;
    uint32_t one = establish(&r);
    struct zab *z = r.zab;
    int64_t near = Z(3, 0xfffffffd);
    history_restart(&z->history, near);
    z->appended = z->synced = z->committed = z->leading.proposed = near;
    r.appended = r.synced = r.committed = near;
    propose(&r);
    assert_int_equal(r.appended, Z(3, 0xfffffffe));
    assert_int_equal(r.role, PEER_LEADING);
    propose(&r);
    assert_int_equal(r.role, PEER_LOOKING);
    assert_int_equal(r.appended, Z(3, 0xfffffffe));
    assert_true(rig_link(&r, one)->closed);
    rig_disk(&r);
    assert_int_equal(r.committed, Z(3, 0xfffffffe));
    rig_fini(&r);
}

/* A sync is done when a quorum has answered a ping that was sent after it, and not by words that nobody asked for. */
static void syncs(void **state)
{
    (void)state;
    struct rig r;
    uint32_t one = establish(&r);
    for (int i = 0; i < 3; i++)
        rig_packet(&r, one, PEER_PING, Z(3, 0), slice_str(""));
    zab_sync(r.zab, 1, &r.out);
    rig_drain(&r);
    assert_int_equal(r.syncs, 0);
    rig_expect(&r, one, PEER_PING, Z(3, 0));
    propose(&r);
    rig_log_synced(&r);
    zab_sync(r.zab, 2, &r.out); /* of the next round, and behind a write */
    rig_drain(&r);
    rig_packet(&r, one, PEER_PING, Z(3, 0), slice_str(""));
    assert_int_equal(r.syncs, 1);
    rig_packet(&r, one, PEER_PING, Z(3, 0), slice_str(""));
    assert_int_equal(r.syncs, 1);
    rig_plain(&r, one, PEER_ACK, Z(3, 1));
    assert_int_equal(r.syncs, 2);
    zab_sync(r.zab, 3, &r.out);
    rig_drain(&r);
    rig_lose(&r, one); /* another one may stand in */
    uint32_t two = join(&r, PEER_FOLLOWERINFO, 2, 2);
    ack_epoch(&r, two, 2, Z(2, 5));
    rig_plain(&r, two, PEER_ACK, Z(3, 0));
    assert_int_equal(r.syncs, 2);
    rig_tick(&r, 1001);
    rig_packet(&r, two, PEER_PING, Z(3, 1), slice_str(""));
    assert_int_equal(r.syncs, 3);
    rig_fini(&r);
}

static void everything_in_any_order(void **state)
{
    (void)state;
    int served = 0;
    for (uint64_t seed = 0; seed < 1500; seed++) {
        struct rng g;
        rng_init(&g, seed);
        struct rig r;
        uint32_t links[8] = { 0 };
        if (seed % 2 == 0)
            elect(&r, rng_below(&g, 2) == 0);
        else
            links[0] = establish(&r);
        for (int i = 0; i < 60 && r.role == PEER_LEADING; i++) {
            uint64_t what = rng_below(&g, 14);
            uint32_t *link = &links[rng_below(&g, 8)];
            int64_t zxid =
                (int64_t[]){ r.appended, r.appended - 1, Z(3, 0), Z(2, 5), 0, (int64_t)rng_u64(&g) }[rng_below(&g, 6)];
            if (what == 0 || rig_link(&r, *link) == NULL)
                *link = join(&r, rng_below(&g, 4) == 0 ? PEER_OBSERVERINFO : PEER_FOLLOWERINFO,
                             (int64_t)rng_below(&g, 6), 2);
            else if (what == 1)
                rig_disk(&r);
            else if (what == 2)
                rig_log_synced(&r);
            else if (what == 3)
                rig_tick(&r, (int64_t)rng_below(&g, 2000));
            else if (what <= 5)
                ack_epoch(&r, *link, (int32_t)rng_below(&g, 3), zxid);
            else if (what == 6)
                rig_plain(&r, *link, (int32_t)rng_below(&g, 21), zxid);
            else if (what == 7)
                rig_plain(&r, *link, PEER_ACK, zxid);
            else if (what == 8 && zab_leads(r.zab))
                propose(&r);
            else if (what == 9 && zab_leads(r.zab))
                zab_sync(r.zab, i, &r.out);
            else if (what == 10 && zab_image_begin(r.zab, r.image_link, &r.out))
                rig_drain(&r);
            else if (what == 11)
                zab_image_bytes(r.zab, r.image_link, slice_str("image"), rng_below(&g, 2) == 0, &r.out);
            else if (what == 12)
                records(&r, r.log_link, r.log_from + 1, r.log_from + (int64_t)rng_below(&g, 4), rng_below(&g, 2) == 0,
                        0);
            else if (what == 13 && rng_below(&g, 4) == 0)
                rig_lose(&r, *link);
            rig_drain(&r);
            if (rig_link(&r, *link) != NULL)
                buf_reset(&rig_link(&r, *link)->sent);
            served += r.serving;
        }
        rig_fini(&r);
    }
    assert_true(served > 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(epochs_are_durable_before_they_are_told),
        cmocka_unit_test(behind_the_last_epoch_nobody_leads),
        cmocka_unit_test(a_voter_that_looks_ends_a_long_wait),
        cmocka_unit_test(who_counts_for_the_epoch),
        cmocka_unit_test(acknowledgements_in_any_order),
        cmocka_unit_test(a_leaders_log_matters_when_a_follower_has_acknowledged),
        cmocka_unit_test(an_observer_gets_what_is_decided),
        cmocka_unit_test(what_makes_no_sense_ends_the_link),
        cmocka_unit_test(what_cannot_be_read_ends_the_link),
        cmocka_unit_test(the_same_server_twice),
        cmocka_unit_test(plans),
        cmocka_unit_test(who_is_not_trusted_gets_an_image),
        cmocka_unit_test(an_image_while_writes_go_on),
        cmocka_unit_test(an_image_that_comes_to_nothing),
        cmocka_unit_test(an_image_may_take_longer_than_init_limit),
        cmocka_unit_test(one_observer_too_many),
        cmocka_unit_test(the_log_on_disk),
        cmocka_unit_test(the_last_zxid_of_an_epoch),
        cmocka_unit_test(syncs),
        cmocka_unit_test(everything_in_any_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
