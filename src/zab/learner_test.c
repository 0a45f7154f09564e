/* A learner whose leader says everything in every order, and whose disk takes its time. Server 1 learns from 3. */
#include "zab/rig_for_tests.h"

static const char three[] = "server.1=h1:1:2\nserver.2=h2:1:2\nserver.3=h3:1:2\n";

/* The members 2 and 3 say that 3 leads; returns the dial to it. */
static uint32_t elect(struct rig *r)
{
    uint32_t two = rig_peer(r, 2), three_link = rig_peer(r, 3);
    int64_t round = zab_view(r->zab).round;
    struct peer_notification n = { .state = PEER_LEADING, .leader = 3, .round = round, .version = 2 };
    rig_notify(r, three_link, &n);
    n.state = PEER_FOLLOWING;
    rig_notify(r, two, &n);
    assert_true(r->role == PEER_FOLLOWING || r->role == PEER_OBSERVING);
    return rig_dial(r, ZAB_PORT_LEARNER, 3);
}

static uint32_t connect(struct rig *r)
{
    uint32_t link = elect(r);
    rig_step(r, (struct zab_event){ .type = ZAB_EV_CONNECTED, .link = link });
    return link;
}

static void leaderinfo(struct rig *r, uint32_t link, int64_t epoch)
{
    rig_packet(r, link, PEER_LEADERINFO, ZXID_FIRST(epoch), slice_of("\0\1\0\0", 4));
}

/* Up to ACKEPOCH, in epoch 3, with a log that ends at 0x200000005 in epoch 2. */
static uint32_t start_as(struct rig *r, const char *config)
{
    rig_init(r, &(struct rig_options){ .config = config, .sid = 1, .last_zxid = Z(2, 5), .accepted = 2, .current = 2 });
    uint32_t link = connect(r);
    rig_expect(r, link, r->role == PEER_OBSERVING ? PEER_OBSERVERINFO : PEER_FOLLOWERINFO, Z(2, 0));
    leaderinfo(r, link, 3);
    rig_expect_nothing(r, link);
    rig_disk(r);
    assert_int_equal(r->saved_accepted, 3);
    rig_expect(r, link, PEER_ACKEPOCH, Z(2, 5));
    return link;
}

static uint32_t start(struct rig *r)
{
    return start_as(r, three);
}

/* The order of ZOOKEEPER-4394, and that nothing is acknowledged before it is durable (3911, 4643, 4646, 4685, 4785). */
static void proposals_and_commits_around_newleader(void **state)
{
    (void)state;
    struct rig r;
    uint32_t link = start(&r);
    rig_plain(&r, link, PEER_DIFF, Z(2, 7));
    rig_proposal(&r, link, PEER_PROPOSAL, Z(2, 6));
    rig_plain(&r, link, PEER_COMMIT, Z(2, 6));
    rig_proposal(&r, link, PEER_PROPOSAL, Z(2, 7));
    rig_plain(&r, link, PEER_NEWLEADER, Z(3, 0));
    assert_true(rig_link(&r, link)->paused);
    rig_expect_nothing(&r, link);
    assert_false(r.saving); /* the log first */
    rig_log_synced(&r);
    assert_true(r.saving);
    rig_expect_nothing(&r, link);
    rig_epochs_saved(&r);
    assert_int_equal(r.saved_current, 3);
    assert_false(rig_link(&r, link)->paused);
    rig_expect(&r, link, PEER_ACK, Z(3, 0));
    rig_expect(&r, link, PEER_ACK, Z(2, 7));
    rig_plain(&r, link, PEER_COMMIT, Z(2, 7));
    assert_false(r.serving);
    rig_plain(&r, link, PEER_PING, Z(3, 0));
    assert_int_equal(r.pings, 0);
    rig_plain(&r, link, PEER_UPTODATE, -1);
    assert_true(r.serving);
    rig_expect(&r, link, PEER_ACK, Z(3, 0));
    rig_expect_nothing(&r, link);
    assert_int_equal(r.committed, Z(2, 7));
    rig_proposal(&r, link, PEER_PROPOSAL, Z(3, 1));
    rig_expect_nothing(&r, link);
    rig_log_synced(&r);
    rig_expect(&r, link, PEER_ACK, Z(3, 1));
    rig_fini(&r);
}

/* What comes behind NEWLEADER in one piece of bytes waits until the disk has answered, and is not lost. */
static void bytes_behind_newleader_wait(void **state)
{
    (void)state;
    struct rig r;
    uint32_t link = start(&r);
    struct buf b;
    buf_init(&b, 100000);
    struct blob *txn = rig_txn(Z(2, 6)), *next = rig_txn(Z(3, 1));
    const struct peer_packet stream[] = {
        { .type = PEER_DIFF, .zxid = Z(2, 6) },   { .type = PEER_PROPOSAL, .zxid = Z(2, 6), .data = blob_slice(txn) },
        { .type = PEER_COMMIT, .zxid = Z(2, 6) }, { .type = PEER_NEWLEADER, .zxid = Z(3, 0) },
        { .type = PEER_UPTODATE, .zxid = -1 },    { .type = PEER_PROPOSAL, .zxid = Z(3, 1), .data = blob_slice(next) },
        { .type = PEER_COMMIT, .zxid = Z(3, 1) }
    };
    for (size_t i = 0; i < sizeof stream / sizeof stream[0]; i++) {
        struct peer_packet p = stream[i];
        p.authinfo.count = -1;
        peer_packet_put(&b, &p);
    }
    size_t half = b.n - 30; /* and the end of it comes while the link is paused */
    rig_bytes(&r, link, slice_of(b.p, half));
    rig_bytes(&r, link, slice_of(b.p + half, b.n - half));
    assert_int_equal(r.appended, Z(2, 6));
    rig_log_synced(&r);
    rig_epochs_saved(&r);
    assert_true(r.serving);
    assert_int_equal(r.committed, Z(3, 1));
    blob_unref(txn);
    blob_unref(next);
    buf_fini(&b);
    rig_fini(&r);
}

/* A link that ends in any phase, with the disk still busy: the next role begins when the disk has come to rest, and the
 * vote then tells the end of the log (ZOOKEEPER-2845, 4712). */
static void the_leader_goes_in_every_phase(void **state)
{
    (void)state;
    for (int phase = 0; phase < 9; phase++) {
        struct rig r;
        uint32_t link = start(&r);
        if (phase >= 1)
            rig_plain(&r, link, PEER_DIFF, Z(2, 9));
        if (phase >= 2)
            rig_proposal(&r, link, PEER_PROPOSAL, Z(2, 6));
        if (phase >= 3)
            rig_plain(&r, link, PEER_COMMIT, Z(2, 6));
        if (phase >= 4)
            rig_proposal(&r, link, PEER_PROPOSAL, Z(2, 7));
        if (phase >= 5)
            rig_plain(&r, link, PEER_NEWLEADER, Z(3, 0));
        if (phase >= 6)
            rig_log_synced(&r);
        if (phase >= 7)
            rig_epochs_saved(&r);
        if (phase >= 8) {
            rig_plain(&r, link, PEER_UPTODATE, -1);
            rig_proposal(&r, link, PEER_PROPOSAL, Z(3, 1));
        }
        rig_lose(&r, link);
        assert_int_equal(r.role, PEER_LOOKING);
        int64_t elections = zab_view(r.zab).elections;
        bool busy = r.saving || r.synced != r.appended;
        assert_int_equal(elections, busy ? 1 : 2);
        rig_disk(&r);
        assert_int_equal(zab_view(r.zab).elections, 2);
        assert_int_equal(r.committed, r.appended); /* the tree is the log replayed to its end */
        assert_int_equal(r.zab->election.proposal.zxid, r.appended);
        assert_int_equal(r.zab->election.proposal.peer_epoch, phase >= 6 ? 3 : 2);
        rig_fini(&r);
    }
}

static void expect_left(struct rig *r)
{
    assert_int_equal(r->role, PEER_LOOKING);
    rig_disk(r);
    assert_true(zab_view(r->zab).elections == 2);
    assert_int_equal(r->committed, r->appended);
    rig_fini(r);
}

/* Each ends the role and changes nothing on disk. */
static void what_makes_no_sense_ends_the_role(void **state)
{
    (void)state;
    const struct {
        int32_t first;
        int64_t first_zxid;
        int32_t second;
        int64_t second_zxid;
    } wrong[] = {
        { PEER_PROPOSAL, Z(2, 6), 0, 0 },                                   /* before the plan */
        { PEER_NEWLEADER, Z(3, 0), 0, 0 },                                  /* the same */
        { PEER_UPTODATE, -1, 0, 0 },                                        /* the same */
        { PEER_TRUNC, -1, 0, 0 },                                           /* no such transaction */
        { PEER_TRUNC, Z(2, 6), 0, 0 },                                      /* more than there is */
        { PEER_TRUNC, INT64_MAX, 0, 0 },                                    /* the same */
        { PEER_SNAP, -1, 0, 0 },                                            /* no such transaction */
        { PEER_SNAP, INT64_MIN, 0, 0 },                                     /* the same */
        { PEER_SNAP, Z(4, 1), 0, 0 },                                       /* of an epoch to come */
        { PEER_DIFF, Z(2, 9), PEER_PROPOSAL, Z(2, 7) },                     /* a hole */
        { PEER_DIFF, Z(2, 9), PEER_PROPOSAL, Z(2, 5) },                     /* again */
        { PEER_DIFF, Z(2, 9), PEER_PROPOSAL, Z(3, 2) },                     /* an epoch does not begin so */
        { PEER_DIFF, Z(2, 9), PEER_PROPOSAL, Z(4, 1) },                     /* an epoch to come */
        { PEER_DIFF, Z(2, 9), PEER_PROPOSAL, (int64_t)0xffffffff00000001 }, /* negative */
        { PEER_DIFF, Z(2, 9), PEER_INFORM, (int64_t)0x8000000000000001 },   /* negative */
        { PEER_DIFF, Z(2, 9), PEER_COMMIT, Z(2, 6) },                       /* of nothing */
        { PEER_DIFF, Z(2, 9), PEER_UPTODATE, -1 },                          /* before NEWLEADER */
        { PEER_DIFF, Z(2, 9), PEER_NEWLEADER, Z(4, 0) },                    /* of another epoch */
        { PEER_DIFF, Z(2, 9), PEER_INFORM_AND_ACTIVATE, Z(2, 6) }, /* bytes of a transaction in the wrong place */
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct rig r;
        uint32_t link = start(&r);
        rig_proposal(&r, link, wrong[i].first, wrong[i].first_zxid);
        if (wrong[i].second != 0)
            rig_proposal(&r, link, wrong[i].second, wrong[i].second_zxid);
        if (r.role != PEER_LOOKING)
            fail_msg("row %zu", i);
        assert_int_equal(r.appended, Z(2, 5));
        assert_false(r.truncating);
        expect_left(&r);
    }
}

static void bytes_that_are_no_packets_end_the_role(void **state)
{
    (void)state;
    struct rig r;
    uint32_t link = start(&r);
    rig_bytes(&r, link, slice_of("\0\0\0\x0d\0\0\0\2\0\0\0\5\x7f\xff\xff\xff", 16)); /* data of two thousand million */
    expect_left(&r);
    link = start(&r);
    rig_plain(&r, link, PEER_DIFF, Z(2, 6));
    rig_packet(&r, link, PEER_PROPOSAL, Z(2, 6), slice_str("this is no transaction"));
    expect_left(&r);
    link = start(&r);
    rig_plain(&r, link, PEER_DIFF, Z(2, 6));
    struct blob *other = rig_txn(Z(2, 7)); /* its header says another number than its packet */
    rig_packet(&r, link, PEER_PROPOSAL, Z(2, 6), blob_slice(other));
    blob_unref(other);
    expect_left(&r);
    link = start(&r);
    rig_plain(&r, link, PEER_DIFF, Z(2, 6));
    rig_packet(&r, link, PEER_INFORM_AND_ACTIVATE, Z(2, 6), slice_str("1234567"));
    expect_left(&r);
}

static void epochs_that_cannot_be_are_refused(void **state)
{
    (void)state;
    const int64_t epochs[] = { 0, 1, 0x7fffffff, 0x80000000, 0xffffffff };
    for (size_t i = 0; i < sizeof epochs / sizeof epochs[0]; i++) {
        struct rig r;
        rig_init(&r,
                 &(struct rig_options){ .config = three, .sid = 1, .last_zxid = Z(2, 5), .accepted = 2, .current = 2 });
        uint32_t link = connect(&r);
        leaderinfo(&r, link, (int64_t)((uint64_t)epochs[i]));
        assert_int_equal(r.saved_accepted, 2);
        assert_false(r.saving);
        if (epochs[i] < 2) { /* not at once: it will be the leader again */
            rig_tick(&r, 199);
            assert_int_equal(r.role, PEER_FOLLOWING);
            rig_tick(&r, 1);
        }
        expect_left(&r);
    }
}

/* An epoch that was acknowledged before is not counted twice. */
static void the_same_epoch_again(void **state)
{
    (void)state;
    struct rig r;
    rig_init(&r, &(struct rig_options){ .config = three, .sid = 1, .last_zxid = Z(2, 5), .accepted = 3, .current = 2 });
    uint32_t link = connect(&r);
    rig_expect(&r, link, PEER_FOLLOWERINFO, Z(3, 0));
    leaderinfo(&r, link, 3);
    struct peer_packet p;
    assert_true(rig_sent(&r, link, &p));
    assert_int_equal(p.type, PEER_ACKEPOCH);
    assert_true(slice_eq(p.data, slice_of("\xff\xff\xff\xff", 4)));
    rig_fini(&r);
}

static void trunc_waits_for_the_disk(void **state)
{
    (void)state;
    struct rig r;
    uint32_t link = start(&r);
    rig_plain(&r, link, PEER_TRUNC, Z(2, 3));
    assert_true(r.truncating && r.reload && rig_link(&r, link)->paused);
    rig_proposal(&r, link, PEER_PROPOSAL, Z(3, 1)); /* of a shell that had these bytes already */
    assert_int_equal(r.appended, Z(2, 5));
    rig_truncated(&r);
    assert_int_equal(r.appended, Z(3, 1));
    /* The link ends before NEWLEADER: what is on disk counts, and it is the same as what is in memory (5094). */
    rig_lose(&r, link);
    expect_left(&r);
}

/* The log never held what is to be kept: nothing but an image helps, and that is said. */
static void trunc_to_a_transaction_it_never_had(void **state)
{
    (void)state;
    struct rig r;
    uint32_t link = start(&r);
    rig_plain(&r, link, PEER_TRUNC, Z(2, 3));
    r.truncating = false;
    r.appended = r.synced = r.committed = Z(2, 4); /* a snapshot above it is all that there is */
    rig_step(&r, (struct zab_event){ .type = ZAB_EV_TRUNCATED, .zxid = Z(2, 4) });
    assert_int_equal(r.role, PEER_LOOKING);
    link = connect(&r);
    leaderinfo(&r, link, 4);
    rig_disk(&r);
    rig_expect(&r, link, PEER_FOLLOWERINFO, Z(3, 0));
    rig_expect(&r, link, PEER_ACKEPOCH, -1);
    rig_fini(&r);
}

static const char image[] = "image";

static void put_image(struct rig *r, uint32_t link, bool good)
{
    rig_bytes(r, link, slice_str(image));
    assert_true(r->image_bytes);
    r->image_bytes = false;
    assert_int_equal(zab_image_buffered(r->zab).n, strlen(image));
    zab_image_consumed(r->zab, strlen(image), good, good ? 0 : ERR_CORRUPT, &r->out);
    rig_drain(r);
}

/* Cut, take over, save, and only then read on; then as ever. */
static void an_image_is_on_disk_before_anything_follows(void **state)
{
    (void)state;
    struct rig r;
    uint32_t link = start(&r);
    rig_plain(&r, link, PEER_SNAP, Z(2, 3)); /* below the end of our log */
    put_image(&r, link, true);
    assert_true(r.truncating && !r.reload);
    rig_bytes(&r, link, slice_of("\0\0\0\nBenWasHere", 14));
    rig_proposal(&r, link, PEER_PROPOSAL, Z(2, 3)); /* in the image already */
    rig_plain(&r, link, PEER_COMMIT, Z(2, 3));
    rig_proposal(&r, link, PEER_PROPOSAL, Z(2, 4));
    rig_plain(&r, link, PEER_COMMIT, Z(2, 4));
    rig_plain(&r, link, PEER_NEWLEADER, Z(3, 0));
    assert_int_equal(r.appends, 0);
    rig_truncated(&r);
    assert_true(r.saving_image);
    assert_int_equal(r.appends, 0);
    rig_image_saved(&r, 0);
    assert_int_equal(r.appended, Z(2, 4));
    assert_false(r.saving);
    rig_disk(&r);
    rig_expect(&r, link, PEER_ACK, Z(3, 0));
    rig_plain(&r, link, PEER_UPTODATE, -1);
    assert_true(r.serving);
    rig_fini(&r);
}

/* Whatever ends an image: the tree is read from disk again before this server votes (3642, 5094). */
static void an_image_that_comes_to_nothing(void **state)
{
    (void)state;
    for (int where = 0; where < 6; where++) {
        struct rig r;
        uint32_t link = start(&r);
        rig_plain(&r, link, PEER_SNAP, Z(3, 0));
        bool good = where >= 1;
        if (where != 1)
            put_image(&r, link, good);
        if (where == 5)
            rig_bytes(&r, link, slice_of("\0\0\0\nBenWasHere", 14));
        if (where >= 3)
            rig_truncated(&r);
        if (where == 4)
            rig_image_saved(&r, ERR_IO);
        else if (where == 5)
            rig_image_saved(&r, 0);
        if (good && where != 4)
            rig_lose(&r, link);
        assert_int_equal(r.role, PEER_LOOKING);
        if (where == 3) { /* a snapshot that is being written cannot be stopped */
            assert_int_equal(zab_view(r.zab).elections, 1);
            rig_image_saved(&r, 0);
        }
        if (where == 2)
            rig_truncated(&r);
        if (where >= 2 && where <= 4)
            assert_true(r.truncating && r.reload && r.truncate_to == INT64_MAX);
        expect_left(&r);
    }
}

static void an_image_without_its_signature(void **state)
{
    (void)state;
    struct rig r;
    uint32_t link = start(&r);
    rig_plain(&r, link, PEER_SNAP, Z(3, 0));
    put_image(&r, link, true);
    rig_disk(&r);
    rig_bytes(&r, link, slice_str("BenWasNotHere."));
    expect_left(&r);
}

static void an_observer_takes_informs(void **state)
{
    (void)state;
    struct rig r;
    uint32_t link = start_as(&r, "server.1=h1:1:2:observer\nserver.2=h2:1:2\nserver.3=h3:1:2\n");
    assert_int_equal(r.role, PEER_OBSERVING);
    rig_plain(&r, link, PEER_DIFF, Z(2, 6));
    rig_proposal(&r, link, PEER_PROPOSAL, Z(2, 6));
    rig_plain(&r, link, PEER_COMMIT, Z(2, 6));
    rig_proposal(&r, link, PEER_INFORM, Z(3, 1));
    rig_plain(&r, link, PEER_NEWLEADER, Z(3, 0));
    rig_disk(&r);
    rig_expect(&r, link, PEER_ACK, Z(3, 0));
    rig_plain(&r, link, PEER_UPTODATE, -1);
    rig_expect(&r, link, PEER_ACK, Z(3, 0));
    rig_proposal(&r, link, PEER_INFORM, Z(3, 2));
    assert_int_equal(r.committed, Z(3, 2));
    rig_disk(&r);
    rig_expect_nothing(&r, link);
    rig_fini(&r);
}

/* An observer that serves, at Z(3, 1). */
static uint32_t start_observing(struct rig *r)
{
    uint32_t link = start_as(r, "server.1=h1:1:2:observer\nserver.2=h2:1:2\nserver.3=h3:1:2\n");
    rig_plain(r, link, PEER_DIFF, Z(2, 5));
    rig_proposal(r, link, PEER_INFORM, Z(3, 1));
    rig_plain(r, link, PEER_NEWLEADER, Z(3, 0));
    rig_disk(r);
    rig_plain(r, link, PEER_UPTODATE, -1);
    assert_true(r->serving);
    return link;
}

/* The leader never waits for an observer: what its disk does not take must not fill the memory. */
static void a_disk_that_is_behind_holds_the_leader_back(void **state)
{
    (void)state;
    struct rig r;
    uint32_t link = start_observing(&r), n = 1;
    struct rig_link *l = rig_link(&r, link);
    struct blob *txn = rig_txn(1);
    const size_t each = txn->n;
    blob_unref(txn);
    while (!l->paused && n < 1000)
        rig_proposal(&r, link, PEER_INFORM, Z(3, ++n));
    assert_int_equal(n - 1, RIG_UNSYNCED_BYTES / each + 1); /* the first that is too many */
    assert_int_equal(r.appended, Z(3, n));
    rig_proposal(&r, link, PEER_INFORM, Z(3, n + 1)); /* was on its way */
    assert_int_equal(r.appended, Z(3, n));

    /* More than half of it is still to be written: not yet. */
    r.synced = Z(3, n / 4);
    rig_step(&r, (struct zab_event){ .type = ZAB_EV_LOG_SYNCED, .zxid = r.synced });
    assert_true(l->paused);
    assert_int_equal(r.appended, Z(3, n));
    r.synced = Z(3, 2 + n / 2);
    rig_step(&r, (struct zab_event){ .type = ZAB_EV_LOG_SYNCED, .zxid = r.synced });
    assert_false(l->paused);
    assert_int_equal(r.appended, Z(3, n + 1));
    assert_true(r.serving);

    /* And what is left counts for the next time. */
    for (uint32_t i = n + 2; !l->paused; i++, n++)
        rig_proposal(&r, link, PEER_INFORM, Z(3, i));
    rig_disk(&r);
    assert_false(l->paused);
    assert_int_equal(r.committed, r.appended);
    rig_fini(&r);
}

static void a_disk_that_stands_still_ends_the_role(void **state)
{
    (void)state;
    struct rig r;
    uint32_t link = start_observing(&r);
    for (uint32_t n = 2; !rig_link(&r, link)->paused; n++)
        rig_proposal(&r, link, PEER_INFORM, Z(3, n));
    rig_tick(&r, 9999);
    assert_int_equal(r.role, PEER_OBSERVING);
    rig_tick(&r, 2);
    assert_int_equal(r.role, PEER_LOOKING);
    assert_true(rig_link(&r, link)->closed);
    rig_disk(&r);
    assert_int_equal(r.committed, r.appended);
    rig_fini(&r);
}

/* A follower's acknowledgements go on meanwhile, and so does it. */
static void a_follower_behind_acknowledges_and_goes_on(void **state)
{
    (void)state;
    struct rig r;
    uint32_t link = start(&r), n = 0;
    rig_plain(&r, link, PEER_DIFF, Z(2, 5));
    while (!rig_link(&r, link)->paused)
        rig_proposal(&r, link, PEER_PROPOSAL, Z(3, ++n));
    rig_plain(&r, link, PEER_NEWLEADER, Z(3, 0));
    rig_expect_nothing(&r, link);
    rig_disk(&r);
    rig_expect(&r, link, PEER_ACK, Z(3, 0));
    for (uint32_t i = 1; i <= n; i++)
        rig_expect(&r, link, PEER_ACK, Z(3, i));
    rig_plain(&r, link, PEER_UPTODATE, -1);
    rig_expect(&r, link, PEER_ACK, Z(3, 0));
    for (uint32_t i = n + 1; !rig_link(&r, link)->paused; i++)
        rig_proposal(&r, link, PEER_PROPOSAL, Z(3, i));
    rig_log_synced(&r);
    for (; n < ZXID_COUNTER(r.appended); n++)
        rig_expect(&r, link, PEER_ACK, Z(3, n + 1));
    assert_false(rig_link(&r, link)->paused);
    rig_fini(&r);
}

static void a_silent_leader_is_left(void **state)
{
    (void)state;
    struct rig r;
    uint32_t link = start(&r);
    rig_tick(&r, 19999);
    assert_int_equal(r.role, PEER_FOLLOWING);
    rig_plain(&r, link, PEER_DIFF, Z(2, 5));
    rig_plain(&r, link, PEER_NEWLEADER, Z(3, 0));
    rig_tick(&r, 100000); /* our own disk is no fault of the leader's */
    assert_int_equal(r.role, PEER_FOLLOWING);
    rig_disk(&r);
    rig_plain(&r, link, PEER_UPTODATE, -1);
    assert_true(r.serving);
    rig_tick(&r, 10001);
    assert_int_equal(r.role, PEER_LOOKING);
    rig_fini(&r);
}

static void a_leader_that_does_not_listen_yet_is_tried_again(void **state)
{
    (void)state;
    struct rig r;
    rig_init(&r, &(struct rig_options){ .config = three, .sid = 1 });
    (void)elect(&r);
    int tries = 0;
    while (r.role == PEER_FOLLOWING && tries < 1000) {
        uint32_t link = rig_dial(&r, ZAB_PORT_LEARNER, 3);
        if (link != UINT32_MAX) {
            tries++;
            rig_link(&r, link)->closed = true;
            rig_step(&r, (struct zab_event){ .type = ZAB_EV_LOST, .link = link, .refused = true });
        }
        rig_tick(&r, 10);
    }
    assert_true(tries > 20 && tries < 1000);
    rig_fini(&r);
}

/* The door of the leader's last term took the connection and closed: the leader has said nothing, so it is tried again;
 * and once it has spoken, its end is the end. */
static void a_leader_that_closes_without_a_word_is_tried_again(void **state)
{
    (void)state;
    struct rig r;
    rig_init(&r, &(struct rig_options){ .config = three, .sid = 1, .accepted = 2, .current = 2 });
    uint32_t link = connect(&r);
    for (int i = 0; i < 3; i++) {
        rig_expect(&r, link, PEER_FOLLOWERINFO, Z(2, 0));
        rig_lose(&r, link);
        assert_int_equal(r.role, PEER_FOLLOWING);
        rig_tick(&r, (10 << i) - 1); /* each pause is twice as long: it may not want us at all */
        assert_int_equal(rig_dial(&r, ZAB_PORT_LEARNER, 3), UINT32_MAX);
        rig_tick(&r, 1);
        link = rig_dial(&r, ZAB_PORT_LEARNER, 3);
        assert_int_not_equal(link, UINT32_MAX);
        rig_step(&r, (struct zab_event){ .type = ZAB_EV_CONNECTED, .link = link });
    }
    leaderinfo(&r, link, 3);
    rig_disk(&r);
    assert_int_equal(r.saved_accepted, 3);
    rig_lose(&r, link);
    assert_int_equal(r.role, PEER_LOOKING);
    rig_fini(&r);

    rig_init(&r, &(struct rig_options){ .config = three, .sid = 1 });
    link = connect(&r);
    rig_tick(&r, 1000); /* not for ever */
    rig_lose(&r, link);
    assert_int_equal(r.role, PEER_LOOKING);
    rig_fini(&r);
}

/* Everything in any order, the disk at any time. The rig looks at what is promised with every effect; here at what is
 * said: nothing that is not durable, and NEWLEADER's acknowledgement first. */
static void check_said(struct rig *r, uint32_t link, bool *newleader)
{
    struct peer_packet p;
    while (rig_link(r, link) != NULL && rig_sent(r, link, &p)) {
        if (p.type != PEER_ACK)
            continue;
        if (ZXID_COUNTER(p.zxid) == 0) {
            assert_int_equal(ZXID_EPOCH(p.zxid), r->saved_current);
            *newleader = true;
        } else {
            assert_true(*newleader && p.zxid <= r->synced);
        }
    }
}

static int64_t some_zxid(struct rng *g, const struct rig *r)
{
    const int64_t zxids[] = { r->appended + 1,
                              r->appended + 1,
                              r->appended + 1,
                              r->committed + 1,
                              r->committed,
                              Z(3, 0),
                              Z(3, 1),
                              Z(2, 3),
                              r->appended,
                              -1,
                              0,
                              (int64_t)rng_u64(g) };
    return zxids[rng_below(g, sizeof zxids / sizeof zxids[0])];
}

static void everything_in_any_order(void **state)
{
    (void)state;
    static const int32_t types[] = { PEER_PROPOSAL, PEER_PROPOSAL, PEER_COMMIT,     PEER_COMMIT, PEER_INFORM,
                                     PEER_DIFF,     PEER_TRUNC,    PEER_SNAP,       PEER_PING,   PEER_NEWLEADER,
                                     PEER_UPTODATE, PEER_SYNC,     PEER_REVALIDATE, 99,          PEER_LEADERINFO };
    int served = 0, images = 0;
    for (uint64_t seed = 0; seed < 3000; seed++) {
        struct rng g;
        rng_init(&g, seed);
        struct rig r;
        uint32_t link = start(&r);
        bool newleader = false;
        if (rng_below(&g, 2) == 0)
            rig_plain(&r, link, PEER_DIFF, Z(2, 9));
        for (int i = 0; i < 40 && (r.role != PEER_LOOKING || r.saving || r.truncating); i++) {
            uint64_t what = rng_below(&g, 12);
            if (what == 0)
                rig_log_synced(&r);
            else if (what == 1)
                rig_epochs_saved(&r);
            else if (what == 2)
                rig_truncated(&r);
            else if (what == 3)
                rig_image_saved(&r, rng_below(&g, 4) == 0 ? ERR_IO : 0);
            else if (what == 4)
                rig_tick(&r, (int64_t)rng_below(&g, 3000));
            else if (what == 5 && rng_below(&g, 8) == 0)
                rig_lose(&r, link);
            else if (what == 6)
                rig_disk(&r);
            else if (what == 7 && r.zab->learning.phase == LEARNING_SYNC)
                rig_plain(&r, link, PEER_NEWLEADER, Z(3, 0));
            else if (what == 8 && r.zab->learning.phase == LEARNING_ACKED)
                rig_plain(&r, link, PEER_UPTODATE, -1);
            else if (rig_link(&r, link) != NULL && !rig_link(&r, link)->closed)
                rig_proposal(&r, link, types[rng_below(&g, sizeof types / sizeof types[0])], some_zxid(&g, &r));
            if (r.image_bytes) {
                bool done = rng_below(&g, 2) == 0;
                r.image_bytes = false;
                images += done;
                zab_image_consumed(r.zab, zab_image_buffered(r.zab).n, done, 0, &r.out);
                rig_drain(&r);
                if (done)
                    rig_bytes(&r, link, slice_of("\0\0\0\nBenWasHere", 14));
            }
            check_said(&r, link, &newleader);
            served += r.serving;
        }
        rig_fini(&r);
    }
    assert_true(served > 100);
    assert_true(images > 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(proposals_and_commits_around_newleader),
        cmocka_unit_test(bytes_behind_newleader_wait),
        cmocka_unit_test(the_leader_goes_in_every_phase),
        cmocka_unit_test(what_makes_no_sense_ends_the_role),
        cmocka_unit_test(bytes_that_are_no_packets_end_the_role),
        cmocka_unit_test(epochs_that_cannot_be_are_refused),
        cmocka_unit_test(the_same_epoch_again),
        cmocka_unit_test(trunc_waits_for_the_disk),
        cmocka_unit_test(trunc_to_a_transaction_it_never_had),
        cmocka_unit_test(an_image_is_on_disk_before_anything_follows),
        cmocka_unit_test(an_image_that_comes_to_nothing),
        cmocka_unit_test(an_image_without_its_signature),
        cmocka_unit_test(an_observer_takes_informs),
        cmocka_unit_test(a_disk_that_is_behind_holds_the_leader_back),
        cmocka_unit_test(a_disk_that_stands_still_ends_the_role),
        cmocka_unit_test(a_follower_behind_acknowledges_and_goes_on),
        cmocka_unit_test(a_silent_leader_is_left),
        cmocka_unit_test(a_leader_that_does_not_listen_yet_is_tried_again),
        cmocka_unit_test(a_leader_that_closes_without_a_word_is_tried_again),
        cmocka_unit_test(everything_in_any_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
