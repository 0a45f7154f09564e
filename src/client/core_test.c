#include "client/fake_server.h"

static int told; /* something to point at */
static const struct client_watcher on_session = { .fn = fake_somebody, .ctx = &told };

static void answers_come_in_the_order_of_requests(void **state)
{
    (void)state;
    struct fake f;
    struct fake_request r;
    for (size_t piece = 0; piece < 20; piece++) { /* however the bytes are cut */
        fake_init(&f, (struct client_config){ .seed = piece });
        f.slice_bytes = piece;
        for (uint32_t tag = 1; tag <= 3; tag++)
            assert_int_equal(fake_ask(&f, WIRE_OP_GET_DATA, "/a", tag, 0, NULL), 0);
        fake_up(&f);
        for (uint32_t tag = 4; tag <= 200; tag++)
            assert_int_equal(fake_ask(&f, WIRE_OP_EXISTS, "/b", tag, 0, NULL), 0);
        fake_turn(&f, true);
        for (int32_t xid = 1; xid <= 200; xid++) {
            assert_true(fake_request(&f, &r));
            assert_int_equal(r.xid, xid);
            assert_int_equal(r.op, xid <= 3 ? WIRE_OP_GET_DATA : WIRE_OP_EXISTS);
            wire_put_i32(&f.reply, xid);
            fake_answer(&f, xid, 100 + xid, xid == 7 ? ERR_NO_NODE : 0);
        }
        for (uint32_t tag = 1; tag <= 200; tag++) {
            struct client_done *d = fake_done(&f);
            assert_non_null(d);
            assert_int_equal(d->call.tag, tag);
            assert_int_equal(d->rc, tag == 7 ? ERR_NO_NODE : 0);
            assert_int_equal(d->zxid, 100 + tag);
            assert_int_equal(load_be32(d->body), tag);
        }
        assert_null(fake_done(&f));
        assert_int_equal(client_last_zxid(f.c), 300);
        fake_fini(&f);
    }
}

static void a_lost_connection_fails_what_is_pending_and_comes_back(void **state)
{
    (void)state;
    struct fake f;
    fake_init(&f, (struct client_config){ .seed = 1, .watcher = on_session });
    fake_up(&f);
    fake_expect_event(&f, CLIENT_EVENT_SESSION, CLIENT_STATE_CONNECTED);
    for (uint32_t tag = 1; tag <= 70; tag++)
        assert_int_equal(fake_ask(&f, WIRE_OP_GET_DATA, "/a", tag, 0, NULL), 0);
    fake_turn(&f, true);
    fake_answer(&f, 1, 5, 0);
    client_lost(f.c, ERR_CONNECTION_LOSS, f.now);
    fake_expect(&f, 1, 0);
    fake_expect_event(&f, CLIENT_EVENT_SESSION, CLIENT_STATE_CONNECTING);
    for (uint32_t tag = 2; tag <= 70; tag++)
        fake_expect(&f, tag, ERR_CONNECTION_LOSS);
    assert_null(fake_done(&f));
    assert_int_equal(fake_ask(&f, WIRE_OP_GET_DATA, "/later", 71, 0, NULL), 0);
    f.now = client_wake_ms(f.c);
    fake_turn(&f, true);
    struct wire_connect_request q = fake_connect_request(&f);
    assert_int_equal(q.session_id, 0x77);
    assert_int_equal(q.last_zxid_seen, 5);
    assert_memory_equal(q.passwd.p, "0123456789abcde", 16);
    fake_connect_answer(&f, 0x77, FAKE_TIMEOUT_MS, false);
    fake_expect_event(&f, CLIENT_EVENT_SESSION, CLIENT_STATE_CONNECTED);
    struct fake_request r;
    assert_true(fake_request(&f, &r));
    assert_int_equal(r.xid, 71); /* numbers go on over connections */
    fake_answer(&f, 71, 6, 0);
    fake_expect(&f, 71, 0);
    fake_fini(&f);
}

static void one_dead_server_of_several_is_nobodys_error(void **state)
{
    (void)state;
    struct fake f;
    fake_init(&f, (struct client_config){ .seed = 3 });
    f.addr_n = 3;
    f.addrs[1] = fake_addr(2);
    f.addrs[2] = fake_addr(3);
    assert_int_equal(fake_ask(&f, WIRE_OP_GET_DATA, "/a", 1, 0, NULL), 0);
    bool seen[4] = { false };
    for (int i = 0; i < 3; i++) {
        assert_null(fake_done(&f));
        fake_turn(&f, false);
        assert_int_equal(f.connects, i + 1);
        assert_false(seen[client_target(f.c)->bytes[0]]); /* each server once a round */
        seen[client_target(f.c)->bytes[0]] = true;
        client_lost(f.c, ERR_CONNECTION_LOSS, f.now);
    }
    fake_expect(&f, 1, ERR_CONNECTION_LOSS);
    fake_turn(&f, false);
    assert_int_equal(f.connects, 3); /* all were tried: a pause */
    int64_t pause = client_wake_ms(f.c) - f.now, longest = 0;
    assert_true(pause > 0);
    for (int i = 0; i < 60; i++) { /* pauses grow, but not for ever */
        f.now = client_wake_ms(f.c);
        fake_turn(&f, false);
        client_lost(f.c, ERR_CONNECTION_LOSS, f.now);
        longest = client_wake_ms(f.c) - f.now > longest ? client_wake_ms(f.c) - f.now : longest;
    }
    assert_true(longest > pause && longest <= 1000);
    fake_fini(&f);
}

static void silence_is_death_and_pings_prevent_it(void **state)
{
    (void)state;
    struct fake f;
    struct fake_request r;
    fake_init(&f, (struct client_config){ .seed = 1 });
    fake_up(&f);
    int64_t start = f.now;
    f.now = client_wake_ms(f.c);
    assert_in_range(f.now - start, FAKE_TIMEOUT_MS / 3, FAKE_TIMEOUT_MS / 3 + 2);
    fake_turn(&f, true);
    assert_true(fake_request(&f, &r));
    assert_int_equal(r.xid, WIRE_XID_PING);
    fake_answer(&f, WIRE_XID_PING, 9, 0);
    int64_t heard = f.now;
    assert_int_equal(fake_ask(&f, WIRE_OP_GET_DATA, "/a", 1, 0, NULL), 0);
    for (int i = 0; i < 10 && f.disconnects == 0; i++) {
        f.now = client_wake_ms(f.c);
        fake_turn(&f, false);
    }
    assert_in_range(f.now - heard, FAKE_TIMEOUT_MS * 2 / 3, FAKE_TIMEOUT_MS * 2 / 3 + 2);
    fake_expect(&f, 1, ERR_OPERATION_TIMEOUT);
    fake_fini(&f);
}

static void an_expired_session_ends_everything(void **state)
{
    (void)state;
    struct fake f;
    fake_init(&f, (struct client_config){ .seed = 1, .watcher = on_session, .session_id = 0x99, .passwd = "secret" });
    assert_int_equal(fake_ask(&f, WIRE_OP_GET_DATA, "/a", 1, 0, NULL), 0);
    fake_turn(&f, true);
    struct wire_connect_request q = fake_connect_request(&f);
    assert_int_equal(q.session_id, 0x99);
    assert_memory_equal(q.passwd.p, "secret", 7);
    fake_connect_answer(&f, 0, 0, false);
    fake_expect_event(&f, CLIENT_EVENT_SESSION, CLIENT_STATE_EXPIRED);
    fake_expect(&f, 1, ERR_SESSION_EXPIRED);
    assert_int_equal(client_state_of(f.c), CLIENT_STATE_EXPIRED);
    assert_true(f.ended);
    assert_int_equal(f.disconnects, 1);
    assert_int_equal(fake_ask(&f, WIRE_OP_GET_DATA, "/a", 1, 0, NULL), CLIENT_ERR_INVALID_STATE);
    assert_int_equal(client_wake_ms(f.c), INT64_MAX);
    fake_fini(&f);
}

static void deadlines_answer_for_the_server(void **state)
{
    (void)state;
    struct fake f;
    int watcher;
    const struct client_watch_wish wish = { CLIENT_WATCH_DATA,
                                            slice_str("/a"),
                                            { .fn = fake_somebody, .ctx = &watcher } };
    fake_init(&f, (struct client_config){ .seed = 1 });
    fake_up(&f);
    assert_int_equal(fake_ask(&f, WIRE_OP_GET_DATA, "/a", 1, 0, NULL), 0);
    assert_int_equal(fake_ask(&f, WIRE_OP_GET_DATA, "/a", 2, f.now + 50, &wish), 0);
    assert_int_equal(fake_ask(&f, WIRE_OP_GET_DATA, "/a", 3, f.now + 70, NULL), 0);
    fake_turn(&f, true);
    assert_int_equal(client_wake_ms(f.c), f.now + 50);
    f.now += 50;
    fake_turn(&f, true);
    fake_expect(&f, 2, ERR_REQUEST_TIMEOUT);
    assert_null(fake_done(&f));
    assert_int_equal(client_wake_ms(f.c), f.now + 20);
    for (int32_t xid = 1; xid <= 3; xid++)
        fake_answer(&f, xid, 9, ERR_QUOTA_EXCEEDED);
    fake_expect(&f, 1, ERR_QUOTA_EXCEEDED);
    fake_expect(&f, 3, ERR_QUOTA_EXCEEDED); /* 2 was told once and for all */
    assert_null(fake_done(&f));
    assert_false(client_watches_have(client_watch_tables(f.c), slice_str("/a"), CLIENT_WATCH_ANY, NULL));
    assert_int_equal(fake_ask(&f, WIRE_OP_GET_DATA, "/a", 4, f.now + 10, NULL), 0);
    f.now += 10;
    fake_turn(&f, true);
    fake_expect(&f, 4, ERR_REQUEST_TIMEOUT);
    client_lost(f.c, ERR_CONNECTION_LOSS, f.now);
    assert_null(fake_done(&f)); /* nor is it told again when the connection goes */
    fake_fini(&f);
}

static void identities_are_proved_on_every_connection(void **state)
{
    (void)state;
    struct fake f;
    struct fake_request r;
    const struct client_call one = { .fn = fake_somebody, .tag = 1 }, two = { .fn = fake_somebody, .tag = 2 };
    fake_init(&f, (struct client_config){ .seed = 1, .watcher = on_session });
    assert_int_equal(client_add_auth(f.c, slice_str("digest"), slice_str("a:b"), &one), 0);
    fake_up(&f);
    assert_int_equal(client_add_auth(f.c, slice_str("digest"), slice_str("c:d"), &two), 0);
    fake_turn(&f, true);
    for (int i = 0; i < 2; i++) {
        assert_true(fake_request(&f, &r));
        assert_int_equal(r.xid, WIRE_XID_AUTH);
        struct wire_auth_request a = wire_get_auth_request(&r.body);
        assert_true(slice_eq_str(a.auth, i == 0 ? "a:b" : "c:d"));
    }
    fake_answer(&f, WIRE_XID_AUTH, 0, 0);
    fake_expect_event(&f, CLIENT_EVENT_SESSION, CLIENT_STATE_CONNECTED);
    fake_expect(&f, 1, 0);
    client_lost(f.c, ERR_CONNECTION_LOSS, f.now);
    fake_expect_event(&f, CLIENT_EVENT_SESSION, CLIENT_STATE_CONNECTING);
    f.now = client_wake_ms(f.c);
    fake_up(&f);
    fake_expect_event(&f, CLIENT_EVENT_SESSION, CLIENT_STATE_CONNECTED);
    assert_true(fake_request(&f, &r) && r.xid == WIRE_XID_AUTH);
    assert_true(fake_request(&f, &r) && r.xid == WIRE_XID_AUTH);
    fake_answer(&f, WIRE_XID_AUTH, 0, 0);
    assert_null(fake_done(&f)); /* the first one was told before */
    assert_int_equal(fake_ask(&f, WIRE_OP_GET_DATA, "/a", 9, 0, NULL), 0);
    fake_answer(&f, WIRE_XID_AUTH, 0, ERR_AUTH_FAILED);
    fake_expect_event(&f, CLIENT_EVENT_SESSION, CLIENT_STATE_AUTH_FAILED);
    fake_expect(&f, 9, ERR_AUTH_FAILED);
    fake_expect(&f, 2, ERR_AUTH_FAILED);
    assert_int_equal(client_state_of(f.c), CLIENT_STATE_AUTH_FAILED);
    fake_fini(&f);
}

static struct slice login_request(struct fake *f, int32_t *xid)
{
    struct fake_request r;
    assert_true(fake_request(f, &r));
    assert_int_equal(r.op, WIRE_OP_SASL);
    *xid = r.xid;
    return wire_get_sasl_token(&r.body).token;
}

static void login_reply(struct fake *f, int32_t xid, const char *token)
{
    const struct wire_sasl_token t = { .token = token == NULL ? (struct slice){ 0 } : slice_str(token) };
    wire_put_sasl_token(&f->reply, &t);
    fake_answer(f, xid, 0, 0);
}

/* What the shell is asked for must be the next step of the login, with this token of the server (NULL: the first). */
static void login_asked(struct fake *f, const char *token)
{
    struct slice got;
    assert_int_equal(client_wake_ms(f->c), 0);
    assert_int_equal(client_need(f->c, f->now), CLIENT_NEED_LOGIN);
    assert_int_equal(client_login_token(f->c, &got), token == NULL);
    if (token != NULL)
        assert_true(slice_eq_str(got, token));
    assert_int_equal(client_need(f->c, f->now), CLIENT_NEED_NOTHING);
}

/* Up to the login of a new connection. */
static void greet(struct fake *f)
{
    fake_turn(f, true);
    (void)fake_connect_request(f);
    const struct wire_connect_response r = { .timeout_ms = FAKE_TIMEOUT_MS,
                                             .session_id = 0x77,
                                             .passwd = slice_of("0123456789abcdef", WIRE_PASSWD_BYTES),
                                             .has_read_only = true };
    wire_put_connect_response(&f->reply, &r);
    fake_feed_frame(f, buf_slice(&f->reply));
    buf_reset(&f->reply);
    assert_int_equal(client_state_of(f->c), CLIENT_STATE_ASSOCIATING);
}

static void a_login_goes_before_everything_else_on_every_connection(void **state)
{
    (void)state;
    struct fake f;
    struct fake_request r = { 0 };
    int32_t xid;
    fake_init(&f, (struct client_config){ .seed = 1, .watcher = on_session, .logs_in = true });
    assert_int_equal(fake_ask(&f, WIRE_OP_GET_DATA, "/a", 1, 0, NULL), 0);
    greet(&f);
    for (int round = 0; round < 2; round++) {
        login_asked(&f, NULL);
        client_login_answer(f.c, LOGIN_MORE, slice_str(""), f.now);
        fake_turn(&f, true);
        struct slice first = login_request(&f, &xid);
        assert_true(first.n == 0 && !slice_is_null(first));
        assert_false(fake_request(&f, &r)); /* nothing else */
        login_reply(&f, xid, "challenge");
        login_asked(&f, "challenge");
        client_login_answer(f.c, round == 0 ? LOGIN_MORE : LOGIN_LAST, slice_str("answer"), f.now);
        fake_turn(&f, true);
        assert_true(slice_eq_str(login_request(&f, &xid), "answer"));
        assert_int_equal(client_state_of(f.c), CLIENT_STATE_ASSOCIATING);
        assert_null(fake_done(&f));
        login_reply(&f, xid, round == 0 ? "proof" : NULL);
        if (round == 0) {
            login_asked(&f, "proof");
            client_login_answer(f.c, LOGIN_DONE, (struct slice){ 0 }, f.now);
        }
        fake_expect_event(&f, CLIENT_EVENT_SESSION, CLIENT_STATE_CONNECTED);
        fake_turn(&f, true);
        if (round == 0) {
            assert_true(fake_request(&f, &r) && r.op == WIRE_OP_GET_DATA);
            fake_answer(&f, r.xid, 5, 0);
            fake_expect(&f, 1, 0);
            client_lost(f.c, ERR_CONNECTION_LOSS, f.now);
            fake_expect_event(&f, CLIENT_EVENT_SESSION, CLIENT_STATE_CONNECTING);
            f.now = client_wake_ms(f.c);
            greet(&f);
        }
    }
    fake_fini(&f);
}

static void a_login_that_fails_ends_everything(void **state)
{
    (void)state;
    for (int who = 0; who < 2; who++) { /* the server refuses, or we do */
        struct fake f;
        int32_t xid;
        fake_init(&f, (struct client_config){ .seed = 1, .watcher = on_session, .logs_in = true });
        assert_int_equal(fake_ask(&f, WIRE_OP_GET_DATA, "/a", 1, 0, NULL), 0);
        greet(&f);
        login_asked(&f, NULL);
        client_login_answer(f.c, who == 0 ? LOGIN_MORE : LOGIN_FAILED, slice_str("x"), f.now);
        if (who == 0) {
            fake_turn(&f, true);
            (void)login_request(&f, &xid);
            fake_answer(&f, xid, 0, ERR_AUTH_FAILED);
        }
        fake_expect_event(&f, CLIENT_EVENT_SESSION, CLIENT_STATE_AUTH_FAILED);
        fake_expect(&f, 1, ERR_AUTH_FAILED);
        fake_turn(&f, true);
        assert_true(f.ended && f.disconnects == 1);
        client_login_answer(f.c, LOGIN_DONE, slice_str(""), f.now); /* nobody asked */
        assert_int_equal(client_state_of(f.c), CLIENT_STATE_AUTH_FAILED);
        fake_fini(&f);
    }
}

/* Answers of a login that nobody waits for; and a server that goes in the middle of one is no failure of it. */
static void a_login_out_of_turn_drops_the_connection(void **state)
{
    (void)state;
    struct fake f;
    int32_t xid = 0;
    fake_init(&f, (struct client_config){ .seed = 1, .watcher = on_session, .logs_in = true });
    for (int how = 0; how < 4; how++) {
        greet(&f);
        if (how > 0) {
            login_asked(&f, NULL);
            client_login_answer(f.c, LOGIN_MORE, slice_str(""), f.now);
            fake_turn(&f, true);
            (void)login_request(&f, &xid);
        }
        if (how == 1)
            fake_feed_frame(&f, slice_str("short"));
        else if (how == 2)
            login_reply(&f, xid + 1, "token");
        else if (how == 3)
            client_lost(f.c, ERR_CONNECTION_LOSS, f.now);
        else
            login_reply(&f, 1, "token"); /* before the first step was made */
        assert_int_equal(client_state_of(f.c), CLIENT_STATE_NOT_CONNECTED);
        int before = f.connects;
        while (f.connects == before) {
            f.now += 50;
            enum client_need need = client_need(f.c, f.now);
            assert_int_not_equal(need, CLIENT_NEED_LOGIN);
            if (need == CLIENT_NEED_RESOLVE)
                client_resolved(f.c, f.addrs, f.addr_n, f.now);
            else if (need == CLIENT_NEED_CONNECT)
                f.connects++;
        }
        buf_reset(&f.sent);
        f.sent_at = 0;
        client_opened(f.c, f.now);
    }
    assert_null(fake_done(&f));
    fake_fini(&f);
}

static void watches_come_back_in_batches(void **state)
{
    (void)state;
    struct fake f;
    struct fake_request r;
    char path[64];
    size_t seen = 0, frames = 0;
    int ctx;
    fake_init(&f, (struct client_config){ .seed = 1 });
    fake_up(&f);
    for (int i = 0; i < 10000; i++) {
        (void)snprintf(path, sizeof(path), "/a/rather/long/path/for/a/watch/%05d", i);
        const struct client_watch_wish wish = { CLIENT_WATCH_DATA,
                                                slice_str(path),
                                                { .fn = fake_somebody, .ctx = &ctx } };
        assert_int_equal(fake_ask(&f, WIRE_OP_GET_DATA, path, 1, 0, &wish), 0);
        fake_answer(&f, i + 1, 42, 0);
    }
    client_watches_add(client_watch_tables(f.c), CLIENT_WATCH_RECURSIVE, slice_str("/r"),
                       (struct client_watcher){ .fn = fake_somebody, .ctx = &ctx });
    client_lost(f.c, ERR_CONNECTION_LOSS, f.now);
    f.now = client_wake_ms(f.c);
    fake_up(&f);
    while (fake_request(&f, &r)) {
        assert_int_equal(r.xid, WIRE_XID_SET_WATCHES);
        struct wire_set_watches2_request w = { 0 };
        size_t before = wire_left(&r.body);
        assert_true(before < 300 * 1024);
        if (r.op == WIRE_OP_SET_WATCHES) {
            struct wire_set_watches_request one = wire_get_set_watches_request(&r.body);
            w.data = one.data;
            w.relative_zxid = one.relative_zxid;
        } else {
            w = wire_get_set_watches2_request(&r.body);
        }
        assert_int_equal(r.body.err, 0);
        assert_int_equal(w.relative_zxid, 42);
        seen += (size_t)w.data.count + (size_t)(w.recursive.count > 0 ? w.recursive.count : 0);
        frames++;
    }
    assert_int_equal(seen, 10001);
    assert_in_range(frames, 3, 5);
    fake_fini(&f);
}

static void events_go_below_the_chroot(void **state)
{
    (void)state;
    struct fake f;
    int ctx;
    const struct client_watcher w = { .fn = fake_somebody, .ctx = &ctx };
    fake_init(&f, (struct client_config){ .seed = 1, .chroot = slice_str("/root") });
    fake_up(&f);
    client_watches_add(client_watch_tables(f.c), CLIENT_WATCH_DATA, slice_str("/root/a"), w);
    client_watches_add(client_watch_tables(f.c), CLIENT_WATCH_CHILD, slice_str("/root"), w);
    client_watches_add(client_watch_tables(f.c), CLIENT_WATCH_DATA, slice_str("/rooted"), w);
    fake_event(&f, WIRE_EVENT_DATA_CHANGED, "/root/a", 77);
    fake_event(&f, WIRE_EVENT_CHILDREN_CHANGED, "/root", -1);
    fake_event(&f, WIRE_EVENT_DELETED, "/rooted", -1);
    fake_event(&f, WIRE_EVENT_DATA_CHANGED, "/root/a", 78); /* nobody listens any more */
    struct client_done *d = fake_done(&f);
    assert_true(slice_eq_str(slice_of(d->body, d->body_n), "/a"));
    assert_int_equal(d->zxid, 77);
    assert_int_equal(d->watchers->n, 1);
    d = fake_done(&f);
    assert_int_equal(d->body_n, 0);
    d = fake_done(&f);
    assert_true(slice_eq_str(slice_of(d->body, d->body_n), "/rooted"));
    assert_null(fake_done(&f));
    assert_int_equal(client_last_zxid(f.c), 78); /* an event shows what a server that is behind does not know */
    fake_fini(&f);
}

/* Two nodes change in one transaction, and the connection breaks between the two events: the next server must not be
 * behind what was told, and must still tell the other. */
static void an_event_is_seen_but_others_of_its_transaction_are_asked_for(void **state)
{
    (void)state;
    struct fake f;
    struct fake_request r;
    int ctx;
    const struct client_watcher w = { .fn = fake_somebody, .ctx = &ctx };
    fake_init(&f, (struct client_config){ .seed = 1 });
    fake_up(&f);
    assert_int_equal(fake_ask(&f, WIRE_OP_GET_DATA, "/a", 1, 0, NULL), 0);
    fake_answer(&f, 1, 42, 0);
    client_watches_add(client_watch_tables(f.c), CLIENT_WATCH_DATA, slice_str("/a"), w);
    client_watches_add(client_watch_tables(f.c), CLIENT_WATCH_DATA, slice_str("/b"), w);
    fake_event(&f, WIRE_EVENT_DATA_CHANGED, "/a", 43);
    for (int i = 0; i < 2; i++) { /* nor is it known when only the answer to setWatches has come */
        client_lost(f.c, ERR_CONNECTION_LOSS, f.now);
        f.now = client_wake_ms(f.c);
        fake_turn(&f, true);
        struct wire_connect_request q = fake_connect_request(&f);
        assert_int_equal(q.last_zxid_seen, 43 + i);
        fake_connect_answer(&f, 0x77, FAKE_TIMEOUT_MS, false);
        assert_true(fake_request(&f, &r));
        assert_int_equal(r.op, WIRE_OP_SET_WATCHES);
        struct wire_set_watches_request s = wire_get_set_watches_request(&r.body);
        assert_int_equal(s.relative_zxid, 42);
        assert_int_equal(s.data.count, 1);
        fake_answer(&f, WIRE_XID_SET_WATCHES, 44, 0);
    }
    fake_fini(&f);
}

static void a_watch_on_its_way_is_not_removed_with_another(void **state)
{
    (void)state;
    struct fake f;
    int ctx[2];
    const unsigned data = CLIENT_WATCH_BIT(CLIENT_WATCH_DATA) | CLIENT_WATCH_BIT(CLIENT_WATCH_EXIST);
    const struct slice a = slice_str("/a");
    const struct client_watcher one = { .fn = fake_somebody, .ctx = &ctx[0] },
                                other = { .fn = fake_somebody, .ctx = &ctx[1] };
    const struct client_watch_wish wish = { CLIENT_WATCH_DATA, a, other };
    fake_init(&f, (struct client_config){ .seed = 1 });
    fake_up(&f);
    client_watches_add(client_watch_tables(f.c), CLIENT_WATCH_DATA, a, one);
    assert_false(client_watch_shared(f.c, a, data, &one));
    assert_int_equal(fake_ask(&f, WIRE_OP_GET_DATA, "/a", 1, 0, &wish), 0);
    assert_true(client_watch_shared(f.c, a, data, &one));
    assert_false(client_watch_shared(f.c, a, CLIENT_WATCH_BIT(CLIENT_WATCH_CHILD), &one));
    assert_false(client_watch_shared(f.c, slice_str("/b"), data, &one));
    assert_false(client_watch_shared(f.c, a, data, NULL));
    client_forget_now(f.c, a, data, &other); /* it must not come with the answer either */
    assert_false(client_watch_shared(f.c, a, data, &one));
    fake_turn(&f, true);
    fake_answer(&f, 1, 5, 0);
    assert_false(client_watches_have(client_watch_tables(f.c), a, data, &other));
    assert_true(client_watches_have(client_watch_tables(f.c), a, data, &one));
    fake_fini(&f);
}

static void a_cycled_handle_knows_where_it_is(void **state)
{
    (void)state;
    struct fake f;
    for (int cycles = 0; cycles < 4; cycles++) {
        fake_init(&f, (struct client_config){ .seed = 1, .ordered_hosts = true });
        f.addr_n = 3;
        for (uint8_t i = 0; i < 3; i++)
            f.addrs[i] = fake_addr(i);
        fake_up(&f);
        for (int i = 0; i < cycles; i++)
            client_cycle_server(f.c);
        assert_int_equal(client_state_of(f.c), CLIENT_STATE_CONNECTED);
        client_set_servers(f.c, &f.addrs[1], 2, f.now); /* without the one it is at */
        fake_turn(&f, false);
        assert_int_equal(f.disconnects, 1);
        fake_fini(&f);
    }
}

static void cycling_is_no_attempt(void **state)
{
    (void)state;
    struct fake f;
    fake_init(&f, (struct client_config){ .seed = 1, .ordered_hosts = true });
    f.addr_n = 3;
    for (uint8_t i = 0; i < 3; i++)
        f.addrs[i] = fake_addr(i);
    assert_int_equal(fake_ask(&f, WIRE_OP_GET_DATA, "/a", 1, 0, NULL), 0);
    for (int i = 0; i < 3; i++) {
        assert_null(fake_done(&f));
        f.now = client_wake_ms(f.c) > f.now ? client_wake_ms(f.c) : f.now;
        fake_turn(&f, false);
        client_cycle_server(f.c);
        client_lost(f.c, ERR_CONNECTION_LOSS, f.now);
    }
    fake_expect(&f, 1, ERR_CONNECTION_LOSS);
    fake_fini(&f);
}

static void close_waits_for_answers_but_not_for_ever(void **state)
{
    (void)state;
    struct fake f;
    struct fake_request r;
    for (int answered = 0; answered < 2; answered++) {
        fake_init(&f, (struct client_config){ .seed = 1 });
        fake_up(&f);
        assert_int_equal(fake_ask(&f, WIRE_OP_GET_DATA, "/a", 1, 0, NULL), 0);
        client_close(f.c, f.now + 3000);
        assert_int_equal(fake_ask(&f, WIRE_OP_GET_DATA, "/a", 2, 0, NULL), CLIENT_ERR_CLOSING);
        fake_turn(&f, true);
        assert_true(fake_request(&f, &r) && r.op == WIRE_OP_GET_DATA);
        assert_true(fake_request(&f, &r) && r.op == WIRE_OP_CLOSE_SESSION);
        if (answered != 0) {
            fake_answer(&f, 1, 3, 0);
            fake_answer(&f, 2, 4, 0);
        } else {
            f.now = client_wake_ms(f.c);
        }
        fake_turn(&f, true);
        assert_true(f.ended);
        fake_expect(&f, 1, answered != 0 ? 0 : CLIENT_ERR_CLOSING);
        assert_null(fake_done(&f));
        assert_int_equal(client_state_of(f.c), CLIENT_STATE_CLOSED);
        fake_fini(&f);
    }
}

static void nonsense_drops_the_connection(void **state)
{
    (void)state;
    struct fake f;
    const struct slice bad[] = {
        slice_of("\0\0\0\7", 4),                          /* an answer without a header */
        slice_of("\0\0\0\5\0\0\0\0\0\0\0\1\0\0\0\0", 16), /* an answer to nothing that was asked */
        slice_of("\xff\xff\xff\xff\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\1\0\0\0\3\0\0\0\x9", 28), /* an event cut off */
    };
    for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
        fake_init(&f, (struct client_config){ .seed = 1 });
        fake_up(&f);
        assert_int_equal(fake_ask(&f, WIRE_OP_GET_DATA, "/a", 1, 0, NULL), 0);
        fake_feed_frame(&f, bad[i]);
        fake_expect(&f, 1, ERR_RUNTIME_INCONSISTENCY);
        fake_turn(&f, true);
        assert_int_equal(f.disconnects, 1);
        fake_fini(&f);
    }
    fake_init(&f, (struct client_config){ .seed = 1 });
    fake_up(&f);
    fake_feed(&f, slice_of("\xff\xff\xff\xf0", 4)); /* a length no frame has */
    fake_turn(&f, true);
    assert_int_equal(f.disconnects, 1);
    fake_fini(&f);
}

static void large_frames_arrive_whole(void **state)
{
    (void)state;
    struct fake f;
    fake_init(&f, (struct client_config){ .seed = 1 });
    fake_up(&f);
    for (uint32_t tag = 1; tag <= 40; tag++)
        assert_int_equal(fake_ask(&f, WIRE_OP_GET_DATA, "/a", tag, 0, NULL), 0);
    for (uint32_t tag = 1; tag <= 40; tag++) {
        size_t n = (size_t)1 << (tag % 24);
        memset(buf_add(&f.reply, n), (int)tag, n);
        f.slice_bytes = tag % 3 == 0 ? 5000 : 0;
        fake_answer(&f, (int32_t)tag, 1, 0);
    }
    for (uint32_t tag = 1; tag <= 40; tag++) {
        struct client_done *d = fake_done(&f);
        assert_int_equal(d->body_n, (size_t)1 << (tag % 24));
        assert_int_equal(d->body[0], tag);
        assert_int_equal(d->body[d->body_n - 1], tag);
    }
    fake_fini(&f);
}

static void a_read_only_server_is_left_for_one_that_writes(void **state)
{
    (void)state;
    struct fake f;
    fake_init(&f, (struct client_config){ .seed = 1, .read_only_ok = true, .watcher = on_session });
    f.addr_n = 2;
    f.addrs[1] = fake_addr(2);
    fake_turn(&f, true);
    assert_true(fake_connect_request(&f).read_only);
    uint8_t first = client_target(f.c)->bytes[0];
    fake_connect_answer(&f, 0x55, FAKE_TIMEOUT_MS, true);
    fake_expect_event(&f, CLIENT_EVENT_SESSION, CLIENT_STATE_READ_ONLY);
    for (int i = 1; i <= 3; i++) {
        while (f.probes < i) {
            f.now = client_wake_ms(f.c);
            fake_turn(&f, true);
            fake_answer(&f, WIRE_XID_PING, 1, 0);
        }
        assert_int_not_equal(client_probe_target(f.c)->bytes[0], first);
        client_probed(f.c, i == 3, f.now);
    }
    fake_expect_event(&f, CLIENT_EVENT_SESSION, CLIENT_STATE_CONNECTING);
    while (f.connects < 2) {
        f.now = client_wake_ms(f.c);
        fake_turn(&f, true);
    }
    assert_int_not_equal(client_target(f.c)->bytes[0], first);
    assert_int_equal(fake_connect_request(&f).session_id, 0); /* the read-only server's session was its own */
    fake_connect_answer(&f, 0x66, FAKE_TIMEOUT_MS, false);
    fake_expect_event(&f, CLIENT_EVENT_SESSION, CLIENT_STATE_CONNECTED);
    assert_int_equal(client_session_id(f.c), 0x66);
    fake_fini(&f);
}

static void numbers_of_requests_wrap(void **state)
{
    (void)state;
    struct fake f;
    fake_init(&f, (struct client_config){ .seed = 1 });
    fake_up(&f);
    client_set_next_xid(f.c, INT32_MAX - 2);
    for (uint32_t tag = 1; tag <= 3; tag++)
        assert_int_equal(fake_ask(&f, WIRE_OP_GET_DATA, "/a", tag, 0, NULL), 0);
    fake_answer(&f, INT32_MAX - 2, 1, 0);
    fake_answer(&f, INT32_MAX - 1, 1, 0);
    fake_answer(&f, 1, 1, 0);
    for (uint32_t tag = 1; tag <= 3; tag++)
        fake_expect(&f, tag, 0);
    fake_fini(&f);
}

/* Whatever happens, whenever: every request that was accepted is told once, and those that the server answered are told
 * in order. */
struct torment {
    struct fake f;
    struct rng rng;
    uint8_t told[4000];
    uint32_t made;
    int32_t unanswered[4000]; /* on this connection, oldest first */
    size_t unanswered_at, unanswered_n;
    int watcher;
};

static void take_dones(struct torment *t)
{
    for (struct client_done *d; (d = fake_done(&t->f)) != NULL;) {
        if (d->is_event)
            continue;
        assert_in_range(d->call.tag, 1, t->made);
        assert_int_equal(t->told[d->call.tag], 0);
        t->told[d->call.tag] = 1;
        if (d->rc == 0) /* an answer of the server: all made before have theirs */
            for (uint32_t i = 1; i < d->call.tag; i++)
                assert_int_equal(t->told[i], 1);
    }
}

static void read_requests(struct torment *t)
{
    struct fake_request r;
    while (fake_request(&t->f, &r)) {
        if (r.xid > 0)
            t->unanswered[t->unanswered_n++] = r.xid;
    }
}

static void forget_connection(struct torment *t)
{
    t->unanswered_at = t->unanswered_n = 0;
}

static void one_step(struct torment *t)
{
    struct fake *f = &t->f;
    const struct client_watch_wish wish = { CLIENT_WATCH_DATA,
                                            slice_str("/a"),
                                            { .fn = fake_somebody, .ctx = &t->watcher } };
    int disconnects = f->disconnects;
    switch (rng_below(&t->rng, 12)) {
    case 0:
        client_lost(f->c, ERR_CONNECTION_LOSS, f->now);
        forget_connection(t);
        break;
    case 1:
        f->now += (int64_t)rng_below(&t->rng, 3000);
        break;
    case 2:
        client_set_servers(f->c, &f->addrs[rng_below(&t->rng, 3)], 1 + rng_below(&t->rng, 3), f->now);
        break;
    case 3:
        if (client_state_of(f->c) == CLIENT_STATE_CONNECTED)
            fake_event(f, (int32_t)rng_below(&t->rng, 6), "/a", 5);
        break;
    case 4:
        if (client_state_of(f->c) == CLIENT_STATE_ASSOCIATING)
            fake_connect_answer(f, 0x77, FAKE_TIMEOUT_MS, rng_below(&t->rng, 8) == 0);
        break;
    case 5:
        f->now = client_wake_ms(f->c) == INT64_MAX ? f->now : client_wake_ms(f->c);
        break;
    case 6:
    case 7:
    case 8:
        if (t->unanswered_at < t->unanswered_n)
            fake_answer(f, t->unanswered[t->unanswered_at++], 1, rng_below(&t->rng, 4) == 0 ? ERR_NO_NODE : 0);
        break;
    default:
        if (fake_ask(f, WIRE_OP_GET_DATA, "/a", t->made + 1,
                     rng_below(&t->rng, 5) == 0 ? f->now + (int64_t)rng_below(&t->rng, 500) + 1 : 0,
                     rng_below(&t->rng, 2) == 0 ? &wish : NULL) == 0)
            t->made++;
    }
    fake_turn(f, rng_below(&t->rng, 5) != 0);
    if (f->disconnects != disconnects)
        forget_connection(t);
    read_requests(t);
    take_dones(t);
}

static void every_request_is_told_once_whatever_happens(void **state)
{
    (void)state;
    struct torment *t = mem_alloc(sizeof(*t));
    for (uint64_t seed = 0; seed < 300; seed++) {
        *t = (struct torment){ 0 };
        rng_init(&t->rng, seed);
        fake_init(&t->f, (struct client_config){ .seed = seed, .read_only_ok = true, .watcher = on_session });
        t->f.slice_bytes = seed % 7;
        t->f.addr_n = 3;
        t->f.addrs[1] = fake_addr(2);
        t->f.addrs[2] = fake_addr(3);
        t->f.addrs[3] = fake_addr(4);
        t->f.addrs[4] = fake_addr(5);
        for (int i = 0; i < 1000; i++)
            one_step(t);
        if (seed % 2 == 0)
            client_close(t->f.c, t->f.now + 10);
        else
            client_abort(t->f.c);
        t->f.now += 10;
        fake_turn(&t->f, true);
        take_dones(t);
        assert_true(t->f.ended);
        assert_int_equal(client_pending_count(t->f.c), 0);
        assert_true(t->made > 100);
        for (uint32_t i = 1; i <= t->made; i++)
            assert_int_equal(t->told[i], 1);
        fake_fini(&t->f);
    }
    mem_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_come_in_the_order_of_requests),
        cmocka_unit_test(a_lost_connection_fails_what_is_pending_and_comes_back),
        cmocka_unit_test(one_dead_server_of_several_is_nobodys_error),
        cmocka_unit_test(silence_is_death_and_pings_prevent_it),
        cmocka_unit_test(an_expired_session_ends_everything),
        cmocka_unit_test(deadlines_answer_for_the_server),
        cmocka_unit_test(identities_are_proved_on_every_connection),
        cmocka_unit_test(a_login_goes_before_everything_else_on_every_connection),
        cmocka_unit_test(a_login_that_fails_ends_everything),
        cmocka_unit_test(a_login_out_of_turn_drops_the_connection),
        cmocka_unit_test(watches_come_back_in_batches),
        cmocka_unit_test(events_go_below_the_chroot),
        cmocka_unit_test(an_event_is_seen_but_others_of_its_transaction_are_asked_for),
        cmocka_unit_test(a_watch_on_its_way_is_not_removed_with_another),
        cmocka_unit_test(a_cycled_handle_knows_where_it_is),
        cmocka_unit_test(cycling_is_no_attempt),
        cmocka_unit_test(close_waits_for_answers_but_not_for_ever),
        cmocka_unit_test(nonsense_drops_the_connection),
        cmocka_unit_test(large_frames_arrive_whole),
        cmocka_unit_test(a_read_only_server_is_left_for_one_that_writes),
        cmocka_unit_test(numbers_of_requests_wrap),
        cmocka_unit_test(every_request_is_told_once_whatever_happens),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
