#include "core/shell_for_tests.h"
#include <stdio.h>

static int32_t send_path(struct shell *s, uint32_t conn, int32_t op, const char *path, int watch)
{
    struct buf b;
    buf_init(&b, 100000);
    wire_put_ustring(&b, slice_str(path));
    if (watch >= 0)
        wire_put_bool(&b, watch != 0);
    int32_t xid = shell_send(s, conn, op, &b);
    buf_fini(&b);
    return xid;
}

static int32_t send_set(struct shell *s, uint32_t conn, const char *path, const char *data, int32_t version)
{
    struct buf b;
    buf_init(&b, 100000);
    wire_put_set_data_request(&b, &(struct wire_set_data_request){ slice_str(path), slice_str(data), version });
    int32_t xid = shell_send(s, conn, WIRE_OP_SET_DATA, &b);
    buf_fini(&b);
    return xid;
}

static void expect_event(struct shell *s, uint32_t conn, int32_t type, const char *path)
{
    struct wire_reader r = wire_reader_of(shell_next(s, conn));
    struct wire_reply_header h = wire_get_reply_header(&r);
    struct wire_watcher_event e = wire_get_watcher_event(&r);
    assert_int_equal(r.err, 0);
    assert_int_equal(h.xid, WIRE_XID_NOTIFICATION);
    assert_int_equal(e.type, type);
    assert_true(slice_eq_str(e.path, path));
}

static void no_reply_before_the_log_is_durable(void **state)
{
    (void)state;
    struct core_options o = shell_options();
    struct shell s;
    shell_init(&s, &o);
    assert_int_equal(shell_connect(&s, 1) >> 56, 1);
    struct buf b;
    buf_init(&b, 1000);
    put_create(&b, "/a", "x", 0);
    int32_t create = shell_send(&s, 1, WIRE_OP_CREATE, &b);
    int32_t get = send_path(&s, 1, WIRE_OP_GET_DATA, "/a", 0); /* waits behind the write */
    int32_t ping = shell_send(&s, 1, WIRE_OP_PING, NULL);
    assert_int_equal(s.got[1].n, 0);
    core_check(s.core);
    (void)ping;
    shell_sync(&s);
    assert_int_equal(shell_reply(&s, 1, create, NULL), 0);
    struct wire_reader r;
    assert_int_equal(shell_reply(&s, 1, get, &r), 0);
    assert_true(slice_eq_str(wire_get_buffer(&r), "x"));
    assert_int_equal(shell_reply(&s, 1, WIRE_XID_PING, NULL), 0);
    buf_fini(&b);
    shell_fini(&s);
}

static void reads_of_others_do_not_see_what_is_in_flight(void **state)
{
    (void)state;
    struct core_options o = shell_options();
    struct shell s;
    shell_init(&s, &o);
    shell_connect(&s, 1);
    shell_connect(&s, 2);
    assert_int_equal(shell_create(&s, 1, "/a", 0), 0);
    int32_t set1 = send_set(&s, 1, "/a", "one", 0);
    int32_t set2 = send_set(&s, 1, "/a", "two", 1); /* judged against the first, still in flight */
    int32_t get = send_path(&s, 2, WIRE_OP_GET_DATA, "/a", 0);
    struct wire_reader r;
    assert_int_equal(shell_reply(&s, 2, get, &r), 0);
    assert_true(slice_eq_str(wire_get_buffer(&r), "data"));
    shell_sync(&s);
    assert_int_equal(shell_reply(&s, 1, set1, NULL), 0);
    assert_int_equal(shell_reply(&s, 1, set2, NULL), 0);
    shell_fini(&s);
}

static void events_come_before_the_reply(void **state)
{
    (void)state;
    struct core_options o = shell_options();
    struct shell s;
    shell_init(&s, &o);
    shell_connect(&s, 1);
    assert_int_equal(shell_create(&s, 1, "/a", 0), 0);
    int32_t get = send_path(&s, 1, WIRE_OP_GET_DATA, "/a", 1);
    assert_int_equal(shell_reply(&s, 1, get, NULL), 0);
    int32_t set = send_set(&s, 1, "/a", "new", -1);
    shell_sync(&s);
    expect_event(&s, 1, WIRE_EVENT_DATA_CHANGED, "/a");
    assert_int_equal(shell_reply(&s, 1, set, NULL), 0);
    set = send_set(&s, 1, "/a", "newer", -1); /* one-shot */
    shell_sync(&s);
    assert_int_equal(shell_reply(&s, 1, set, NULL), 0);
    shell_fini(&s);
}

static void failed_multi_gives_everything_back(void **state)
{
    (void)state;
    struct core_options o = shell_options();
    struct shell s;
    shell_init(&s, &o);
    shell_connect(&s, 1);
    assert_int_equal(shell_create(&s, 1, "/p", 0), 0);
    struct buf b;
    buf_init(&b, 10000);
    for (int i = 0; i < 3; i++) {
        wire_put_multi_header(&b, &(struct wire_multi_header){ WIRE_OP_CREATE, false, -1 });
        put_create(&b, "/p/s-", "x", i == 1 ? WIRE_CREATE_EPHEMERAL_SEQUENTIAL : WIRE_CREATE_SEQUENTIAL);
    }
    wire_put_multi_header(&b, &(struct wire_multi_header){ WIRE_OP_DELETE, false, -1 });
    wire_put_path_version_request(&b, &(struct wire_path_version_request){ slice_str("/none"), -1 });
    wire_put_multi_header(&b, &(struct wire_multi_header){ -1, true, -1 });
    int32_t multi = shell_send(&s, 1, WIRE_OP_MULTI, &b);
    put_create(&b, "/p/s-", "x", WIRE_CREATE_SEQUENTIAL);
    int32_t create = shell_send(&s, 1, WIRE_OP_CREATE, &b);
    core_check(s.core);
    shell_sync(&s);
    struct wire_reader r;
    assert_int_equal(shell_reply(&s, 1, multi, &r), 0);
    const int32_t want[] = { 0, 0, 0, ERR_NO_NODE };
    for (int i = 0; i < 4; i++) {
        struct wire_multi_header h = wire_get_multi_header(&r);
        assert_int_equal(h.type, WIRE_OP_ERROR);
        assert_int_equal(h.err, want[i]);
        assert_int_equal(wire_get_i32(&r), want[i]);
    }
    assert_int_equal(shell_reply(&s, 1, create, &r), 0);
    assert_true(slice_eq_str(wire_get_ustring(&r), "/p/s-0000000000"));
    buf_fini(&b);
    shell_fini(&s);
}

static void unreadable_writes_take_no_zxid(void **state)
{
    (void)state;
    struct core_options o = shell_options();
    struct shell s;
    shell_init(&s, &o);
    shell_connect(&s, 1);
    int64_t before = s.appended_zxid;
    struct buf b;
    buf_init(&b, 1000);
    wire_put_i32(&b, 5);
    int32_t xid = shell_send(&s, 1, WIRE_OP_CREATE, &b);
    assert_int_equal(shell_reply(&s, 1, xid, NULL), ERR_MARSHALLING);
    assert_int_equal(s.appended_zxid, before);
    buf_fini(&b);
    shell_fini(&s);
}

static void unknown_operations_close(void **state)
{
    (void)state;
    const int32_t codes[] = { 0, 10, 23, 99, 111, -1, -10, WIRE_OP_CHECK, WIRE_OP_DELETE_CONTAINER };
    for (size_t i = 0; i < ARRAY_COUNT(codes); i++) {
        struct core_options o = shell_options();
        struct shell s;
        shell_init(&s, &o);
        shell_connect(&s, 1);
        int32_t xid = shell_send(&s, 1, codes[i], NULL);
        assert_int_equal(shell_reply(&s, 1, xid, NULL), ERR_UNIMPLEMENTED);
        assert_true(s.closed[1]);
        shell_fini(&s);
    }
}

static void pauses_over_the_limit_and_resumes(void **state)
{
    (void)state;
    struct core_options o = shell_options();
    o.outstanding_limit = 10;
    struct shell s;
    shell_init(&s, &o);
    shell_connect(&s, 1);
    assert_int_equal(shell_create(&s, 1, "/a", 0), 0);
    int sent = 0;
    for (s.go_on[1] = true; s.go_on[1]; sent++)
        send_set(&s, 1, "/a", "x", -1);
    assert_int_equal(sent, 11);
    shell_sync(&s);
    assert_true(s.go_on[1]);
    shell_fini(&s);
}

static void the_limit_holds_whatever_number_requests_have(void **state)
{
    (void)state;
    static const int32_t xids[] = { 0, -1, WIRE_XID_PING, WIRE_XID_SET_WATCHES, INT32_MIN };
    struct core_options o = shell_options();
    o.outstanding_limit = 10;
    for (size_t i = 0; i < ARRAY_COUNT(xids); i++) {
        struct shell s;
        struct buf b;
        shell_init(&s, &o);
        buf_init(&b, 1000);
        shell_connect(&s, 1);
        wire_put_request_header(&b, &(struct wire_request_header){ xids[i], WIRE_OP_CREATE });
        put_create(&b, "/n", "x", WIRE_CREATE_SEQUENTIAL);
        int sent = 0;
        for (s.go_on[1] = true; s.go_on[1] && sent < 1000; sent++)
            shell_frame(&s, 1, buf_slice(&b));
        assert_int_equal(sent, 11);
        shell_sync(&s);
        assert_true(s.go_on[1]);
        buf_fini(&b);
        shell_fini(&s);
    }
}

/* One random request of a client; its path is one of a few, so that requests meet. */
static void random_request(struct shell *s, struct rng *rng, uint32_t conn, struct buf *b)
{
    char path[64];
    int n = snprintf(path, sizeof path, "/n%d", (int)rng_below(rng, 6));
    if (rng_below(rng, 2) == 0)
        snprintf(path + n, sizeof path - (size_t)n, "/c%d", (int)rng_below(rng, 4));
    switch (rng_below(rng, 8)) {
    case 0:
    case 1:
        put_create(b, path, "d", (int32_t)rng_below(rng, 5));
        shell_send(s, conn, WIRE_OP_CREATE, b);
        break;
    case 2:
        wire_put_path_version_request(b, &(struct wire_path_version_request){ slice_str(path), -1 });
        shell_send(s, conn, WIRE_OP_DELETE, b);
        break;
    case 3:
        send_set(s, conn, path, "other", (int32_t)rng_below(rng, 3) - 1);
        break;
    case 4:
        wire_put_set_acl_request(b, &(struct wire_set_acl_request){ slice_str(path), acl_open(), -1 });
        shell_send(s, conn, WIRE_OP_SET_ACL, b);
        break;
    case 5:
        for (int i = 0; i < 3; i++) {
            wire_put_multi_header(b, &(struct wire_multi_header){ WIRE_OP_CREATE2, false, -1 });
            put_create(b, path, "m", (int32_t)rng_below(rng, 4));
            wire_put_multi_header(b, &(struct wire_multi_header){ WIRE_OP_DELETE, false, -1 });
            wire_put_path_version_request(b, &(struct wire_path_version_request){ slice_str(path), -1 });
        }
        wire_put_multi_header(b, &(struct wire_multi_header){ -1, true, -1 });
        shell_send(s, conn, WIRE_OP_MULTI, b);
        break;
    case 6:
        send_path(s, conn, WIRE_OP_GET_CHILDREN, path, 1);
        break;
    default:
        if (rng_below(rng, 20) == 0)
            shell_send(s, conn, WIRE_OP_CLOSE_SESSION, NULL);
        break;
    }
}

static void pull_snapshot(struct shell *s)
{
    shell_step(s, (struct core_event){ .type = CORE_EV_SNAPSHOT_PULL });
    if (!s->snapshot_ended)
        return;
    shell_step(s, (struct core_event){ .type = CORE_EV_SNAPSHOT_DONE });
    s->snapshot_begun = s->snapshot_ended = false;
    buf_reset(&s->snapshot);
}

/* Random operations from several clients, random moments of durability; every invariant after every step, and at each
 * quiet moment the digest prepared in flight equals the tree's. */
static void random_operations_keep_every_invariant(void **state)
{
    (void)state;
    struct core_options o = shell_options();
    o.snap_count = 500;
    struct shell s;
    shell_init(&s, &o);
    struct rng rng;
    rng_init(&rng, 3);
    for (uint32_t k = 0; k < 4; k++)
        shell_connect(&s, k);
    struct buf b;
    buf_init(&b, 100000);
    for (int turn = 0; turn < 6000; turn++) {
        uint32_t conn = (uint32_t)rng_below(&rng, 4);
        if (s.closed[conn])
            shell_connect(&s, conn);
        random_request(&s, &rng, conn, &b);
        if (rng_below(&rng, 4) == 0)
            shell_sync(&s);
        if (s.snapshot_begun && rng_below(&rng, 3) == 0)
            pull_snapshot(&s);
        for (uint32_t k = 0; k < 4; k++)
            buf_reset(&s.got[k]);
        core_check(s.core);
    }
    shell_sync(&s);
    core_check(s.core);
    struct core_stats stats;
    core_stats(s.core, &stats);
    assert_true(stats.snapshots_taken > 0);
    assert_true(stats.txns_committed > 3000);
    buf_fini(&b);
    shell_fini(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_reply_before_the_log_is_durable),
        cmocka_unit_test(reads_of_others_do_not_see_what_is_in_flight),
        cmocka_unit_test(events_come_before_the_reply),
        cmocka_unit_test(failed_multi_gives_everything_back),
        cmocka_unit_test(unreadable_writes_take_no_zxid),
        cmocka_unit_test(unknown_operations_close),
        cmocka_unit_test(pauses_over_the_limit_and_resumes),
        cmocka_unit_test(the_limit_holds_whatever_number_requests_have),
        cmocka_unit_test(random_operations_keep_every_invariant),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
