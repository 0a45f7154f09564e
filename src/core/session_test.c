#include "core/shell_for_tests.h"

static void passwords_are_javas(void **state)
{
    (void)state;
    static const struct {
        int64_t id;
        uint8_t want[16];
    } known[] = {
        /* client specification 2.5, seen live */
        { 0x0100000a65870000,
          { 0x2b, 0x40, 0xec, 0xc0, 0xdc, 0x25, 0x77, 0xa4, 0x81, 0x92, 0x8f, 0x69, 0x85, 0x8f, 0x4f, 0x72 } },
        { 0x01000018e32f0000,
          { 0xa3, 0x83, 0xee, 0xfc, 0xf4, 0xaf, 0xab, 0x7c, 0xb9, 0xee, 0x1f, 0xca, 0x5d, 0x23, 0x41, 0xd6 } },
    };
    for (size_t i = 0; i < ARRAY_COUNT(known); i++) {
        uint8_t got[16];
        session_password(known[i].id, got);
        assert_memory_equal(got, known[i].want, 16);
    }
}

/* A server that is started again in the same millisecond, or earlier, by its clock. */
static void ids_rise_though_the_clock_is_set_back(void **state)
{
    (void)state;
    struct core_options o = shell_options();
    struct shell s;
    shell_init(&s, &o);
    int64_t first = shell_connect_as(&s, 1, 0, NULL, 5000), before = 0;
    shell_fini(&s);
    for (int64_t back_ms = 0; back_ms < 2; back_ms++) {
        o.past_session_id = first;
        o.start_wall_ms -= back_ms * 3600000;
        o.seed = (uint64_t)back_ms + 5;
        shell_init(&s, &o);
        int64_t next = shell_connect_as(&s, 1, 0, NULL, 5000);
        assert_in_range(next - first, 0x10000, 0xfffffffff);
        assert_int_not_equal(next, before); /* one that left no trace in the log */
        before = next;
        shell_fini(&s);
    }
    o.past_session_id = first | (int64_t)1 << 57; /* of another server */
    shell_init(&s, &o);
    assert_true(shell_connect_as(&s, 1, 0, NULL, 5000) < first);
    shell_fini(&s);
}

static void expires_between_timeout_and_one_tick_more(void **state)
{
    (void)state;
    struct core_options o = shell_options();
    struct shell s;
    shell_init(&s, &o);
    shell_connect_as(&s, 1, 0, NULL, 5000);
    assert_int_equal(shell_create(&s, 1, "/e", WIRE_CREATE_EPHEMERAL), 0);
    int64_t silent_ms = 0;
    while (!s.closed[1]) {
        shell_pass(&s, 100);
        shell_sync(&s);
        silent_ms += 100;
        assert_true(silent_ms < 20000);
    }
    assert_in_range(silent_ms, 5000, 5000 + 2000 + 100);
    assert_int_equal(tree_find(core_tree(s.core), slice_str("/e")), NODE_NONE);
    shell_fini(&s);
}

static void pings_keep_it_alive_and_auth_does_not(void **state)
{
    (void)state;
    struct core_options o = shell_options();
    struct shell s;
    shell_init(&s, &o);
    shell_connect_as(&s, 1, 0, NULL, 4000);
    shell_connect_as(&s, 2, 0, NULL, 4000);
    struct buf b;
    buf_init(&b, 1000);
    for (int i = 0; i < 10; i++) {
        shell_pass(&s, 1000);
        shell_sync(&s);
        shell_send(&s, 1, WIRE_OP_PING, NULL);
        if (s.closed[2])
            continue;
        wire_put_auth_request(&b, &(struct wire_auth_request){ 0, slice_str("digest"), slice_str("a:b") });
        shell_send(&s, 2, WIRE_OP_AUTH, &b);
    }
    assert_false(s.closed[1]);
    assert_true(s.closed[2]);
    buf_fini(&b);
    shell_fini(&s);
}

static void moves_to_a_new_connection_with_the_password_only(void **state)
{
    (void)state;
    struct core_options o = shell_options();
    struct shell s;
    shell_init(&s, &o);
    int64_t id = shell_connect(&s, 1);
    uint8_t passwd[16], wrong[16] = { 0 };
    session_password(id, passwd);
    assert_int_equal(shell_connect_as(&s, 2, id, wrong, 10000), 0);
    assert_true(s.closed[2]);
    assert_false(s.closed[1]); /* a wrong password disturbs nobody */
    assert_int_equal(shell_connect_as(&s, 3, id, passwd, 10000), id);
    assert_true(s.closed[1]);
    assert_false(s.closed[3]);
    int32_t xid = shell_send(&s, 3, WIRE_OP_CLOSE_SESSION, NULL);
    shell_sync(&s);
    assert_int_equal(shell_reply(&s, 3, xid, NULL), 0);
    assert_true(s.closed[3]);
    assert_int_equal(shell_connect_as(&s, 4, id, passwd, 10000), 0);
    shell_fini(&s);
}

static void a_shorter_timeout_counts_at_once(void **state)
{
    (void)state;
    struct core_options o = shell_options();
    struct shell s;
    shell_init(&s, &o);
    int64_t id = shell_connect_as(&s, 1, 0, NULL, 40000);
    uint8_t passwd[16];
    session_password(id, passwd);
    assert_int_equal(shell_connect_as(&s, 2, id, passwd, 4000), id);
    shell_pass(&s, 6100);
    shell_sync(&s);
    assert_true(s.closed[2]);
    shell_fini(&s);
}

static void silent_connections_are_closed(void **state)
{
    (void)state;
    struct core_options o = shell_options();
    struct shell s;
    shell_init(&s, &o);
    assert_true(shell_accept(&s, 5));
    shell_pass(&s, 9999);
    assert_false(s.closed[5]);
    shell_pass(&s, 1);
    assert_true(s.closed[5]);
    shell_fini(&s);
}

static void addresses_have_their_limit(void **state)
{
    (void)state;
    struct core_options o = shell_options();
    o.conns_per_ip_max = 2;
    struct shell s;
    shell_init(&s, &o);
    assert_true(shell_accept(&s, 1));
    assert_true(shell_accept(&s, 2));
    assert_false(shell_accept(&s, 3));
    assert_true(s.closed[3]);
    shell_step(&s, (struct core_event){ .type = CORE_EV_CONN_LOST, .conn = 1 });
    assert_true(shell_accept(&s, 3));
    shell_fini(&s);
}

static void mass_expiry_is_spread_and_complete(void **state)
{
    (void)state;
    struct core_options o = shell_options();
    struct shell s;
    shell_init(&s, &o);
    for (int i = 0; i < 2000; i++) {
        shell_connect_as(&s, 1, 0, NULL, 4000);
        shell_step(&s, (struct core_event){ .type = CORE_EV_CONN_LOST, .conn = 1 });
    }
    struct core_stats stats;
    core_stats(s.core, &stats);
    assert_int_equal(stats.sessions, 2000);
    shell_pass(&s, 8000);
    core_stats(s.core, &stats);
    assert_in_range(stats.sessions_expired, 1, 1000);
    assert_true(core_next_tick_ms(s.core) <= s.now_ms); /* it wants to go on at once */
    for (int i = 0; i < 10; i++)
        shell_pass(&s, 0);
    shell_sync(&s);
    core_stats(s.core, &stats);
    assert_int_equal(stats.sessions, 0);
    shell_fini(&s);
}

static void tokens_limit_how_fast_clients_connect(void **state)
{
    (void)state;
    struct core_options o = shell_options();
    o.connection_throttle =
        (struct core_throttle){ .tokens = 3, .fill_time_ms = 1000, .fill_count = 1, .freeze_time_ms = -1 };
    struct shell s;
    shell_init(&s, &o);
    for (uint32_t k = 0; k < 3; k++)
        assert_int_not_equal(shell_connect(&s, k), 0);
    assert_true(shell_accept(&s, 4));
    uint8_t request[45] = { [27] = 16 };
    shell_frame(&s, 4, slice_of(request, sizeof request));
    assert_true(s.closed[4]);
    shell_pass(&s, 1001);
    assert_int_not_equal(shell_connect(&s, 4), 0);
    shell_fini(&s);
}

static void local_sessions_have_their_own_weight(void **state)
{
    (void)state;
    for (int local = 0; local < 2; local++) {
        struct core_options o = shell_options();
        o.local_sessions = local == 1;
        o.connection_throttle = (struct core_throttle){ .tokens = 4,
                                                        .fill_time_ms = 1000000,
                                                        .fill_count = 1,
                                                        .freeze_time_ms = -1,
                                                        .weighted = true,
                                                        .global_session_weight = 3,
                                                        .local_session_weight = 2,
                                                        .renew_weight = 1 };
        struct shell s;
        shell_init(&s, &o);
        assert_int_not_equal(shell_connect(&s, 1), 0);
        assert_true(shell_accept(&s, 2));
        uint8_t request[45] = { [27] = 16 };
        shell_frame(&s, 2, slice_of(request, sizeof request));
        assert_int_equal(s.closed[2], local == 0);
        shell_fini(&s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(passwords_are_javas),
        cmocka_unit_test(ids_rise_though_the_clock_is_set_back),
        cmocka_unit_test(expires_between_timeout_and_one_tick_more),
        cmocka_unit_test(pings_keep_it_alive_and_auth_does_not),
        cmocka_unit_test(moves_to_a_new_connection_with_the_password_only),
        cmocka_unit_test(a_shorter_timeout_counts_at_once),
        cmocka_unit_test(silent_connections_are_closed),
        cmocka_unit_test(addresses_have_their_limit),
        cmocka_unit_test(local_sessions_have_their_own_weight),
        cmocka_unit_test(tokens_limit_how_fast_clients_connect),
        cmocka_unit_test(mass_expiry_is_spread_and_complete),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
