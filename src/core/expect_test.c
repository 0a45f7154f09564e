/* What is looked at ahead: how far, and that whatever stands there is passed over. That nothing which can be seen
 * depends on it is what the simulator's oracle and the fuzz target of frames say. */
#include "core/shell_for_tests.h"
#include <stdio.h>

struct requests {
    struct shell shell;
    struct buf bytes;
};

static void open_requests(struct requests *q)
{
    struct core_options o = shell_options();
    shell_init(&q->shell, &o);
    shell_connect(&q->shell, 1);
    buf_init(&q->bytes, 100000);
}

static void close_requests(struct requests *q)
{
    buf_fini(&q->bytes);
    shell_fini(&q->shell);
}

/* A frame with its length word; returns its bytes. */
static size_t put_request(struct requests *q, int32_t op, const char *path)
{
    size_t before = q->bytes.n;
    wire_put_i32(&q->bytes, (int32_t)(8 + 4 + strlen(path)));
    wire_put_i32(&q->bytes, 7);
    wire_put_i32(&q->bytes, op);
    wire_put_ustring(&q->bytes, slice_str(path));
    return q->bytes.n - before;
}

static size_t expected(struct requests *q)
{
    return core_expect(q->shell.core, buf_slice(&q->bytes));
}

static void a_single_frame_needs_no_look(void **state)
{
    (void)state;
    struct requests q;
    open_requests(&q);
    assert_int_equal(expected(&q), 0); /* nothing at all */
    size_t n = put_request(&q, WIRE_OP_GET_DATA, "/a");
    assert_int_equal(expected(&q), n);
    wire_put_i32(&q.bytes, 1000); /* and the begin of another */
    assert_int_equal(expected(&q), n + 4);
    close_requests(&q);
}

static void whole_frames_are_looked_at_until_there_are_enough(void **state)
{
    (void)state;
    static const int32_t ops[] = { WIRE_OP_GET_DATA, WIRE_OP_SET_DATA, WIRE_OP_CREATE, WIRE_OP_EXISTS };
    struct requests q;
    open_requests(&q);
    size_t n = 0;
    char path[32];
    for (unsigned i = 0; i < TREE_EXPECT_MAX; i++) {
        snprintf(path, sizeof path, "/node-%u", i);
        n += put_request(&q, ops[i % 4], path);
        n += put_request(&q, i % 2 == 0 ? WIRE_OP_PING : WIRE_OP_MULTI, "/x"); /* not of a path */
        if (i == 4)
            assert_int_equal(expected(&q), n);
    }
    put_request(&q, WIRE_OP_GET_DATA, "/one/more");
    size_t looked = expected(&q);
    assert_true(looked <= n && looked >= n - 30); /* up to the path that was the last to fit */
    close_requests(&q);
}

static void what_is_no_frame_ends_the_look(void **state)
{
    (void)state;
    static const int32_t lengths[] = { 0, 7, -1, INT32_MIN, INT32_MAX, 100000 };
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        struct requests q;
        open_requests(&q);
        size_t n = put_request(&q, WIRE_OP_GET_DATA, "/a") + put_request(&q, WIRE_OP_DELETE, "/b");
        wire_put_i32(&q.bytes, lengths[i]);
        for (int k = 0; k < 20; k++)
            wire_put_i32(&q.bytes, -1);
        assert_int_equal(expected(&q), n);
        close_requests(&q);
    }
}

static void odd_paths_are_passed_over(void **state)
{
    (void)state;
    static const char *const paths[] = { "", "/", "a", "//", "/a//b", "/zookeeper/quota", "/none/at/all" };
    struct requests q;
    open_requests(&q);
    size_t n = 0;
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++)
        n += put_request(&q, WIRE_OP_EXISTS, paths[i]);
    wire_put_i32(&q.bytes, 12); /* a frame that ends inside of its path's length */
    wire_put_i64(&q.bytes, WIRE_OP_EXISTS);
    wire_put_i32(&q.bytes, 500);
    assert_int_equal(expected(&q), n + 16);
    core_check(q.shell.core);
    close_requests(&q);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_single_frame_needs_no_look),
        cmocka_unit_test(whole_frames_are_looked_at_until_there_are_enough),
        cmocka_unit_test(what_is_no_frame_ends_the_look),
        cmocka_unit_test(odd_paths_are_passed_over),
    };
    return cmocka_run_group_tests_name("expect", tests, NULL, NULL);
}
