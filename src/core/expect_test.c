/* What is looked at ahead: whatever stands there is passed over. That nothing which can be seen depends on it is what
 * the simulator's oracle and the fuzz target of frames say. */
#include "core/shell_for_tests.h"
#include <stdio.h>

#define FRAMES (2 * CORE_EXPECT_MAX)

struct requests {
    struct shell shell;
    struct buf bytes[FRAMES];
    size_t count;
};

static void open_requests(struct requests *q)
{
    struct core_options o = shell_options();
    *q = (struct requests){ 0 };
    shell_init(&q->shell, &o);
    shell_connect(&q->shell, 1);
    assert_int_equal(shell_create(&q->shell, 1, "/a", 0), 0);
}

/* Told of all of them, and of any part of them. */
static void expect_and_close(struct requests *q)
{
    struct slice frames[FRAMES];
    for (size_t i = 0; i < q->count; i++)
        frames[i] = buf_slice(&q->bytes[i]);
    uint64_t digest = tree_digest(core_tree(q->shell.core));
    core_expect(q->shell.core, frames, q->count);
    for (size_t n = 0; n <= q->count; n++)
        core_expect(q->shell.core, frames + n, q->count - n);
    assert_true(tree_digest(core_tree(q->shell.core)) == digest);
    core_check(q->shell.core);
    for (size_t i = 0; i < q->count; i++)
        buf_fini(&q->bytes[i]);
    shell_fini(&q->shell);
}

static struct buf *put_head(struct requests *q, int32_t op)
{
    struct buf *b = &q->bytes[q->count++];
    buf_init(b, 1000);
    wire_put_i32(b, 7);
    wire_put_i32(b, op);
    return b;
}

static void more_frames_than_fit(void **state)
{
    (void)state;
    static const int32_t ops[] = {
        WIRE_OP_GET_DATA, WIRE_OP_SET_DATA, WIRE_OP_CREATE, WIRE_OP_MULTI, WIRE_OP_PING, -11
    };
    struct requests q;
    char path[32];
    open_requests(&q);
    while (q.count < FRAMES) {
        snprintf(path, sizeof path, q.count % 3 == 0 ? "/a" : "/a/node-%zu", q.count);
        wire_put_ustring(put_head(&q, ops[q.count % 6]), slice_str(path));
    }
    expect_and_close(&q);
}

static void odd_paths_and_cut_frames(void **state)
{
    (void)state;
    static const char *const paths[] = { "", "/", "a", "//", "/a//b", "/a/", "/zookeeper/quota", "/none/at/all" };
    static const int32_t lengths[] = { -1, INT32_MIN, INT32_MAX, 100 };
    struct requests q;
    open_requests(&q);
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++)
        wire_put_ustring(put_head(&q, WIRE_OP_EXISTS), slice_str(paths[i]));
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++)
        wire_put_i32(put_head(&q, WIRE_OP_DELETE), lengths[i]); /* of a path that is not there */
    (void)put_head(&q, WIRE_OP_GET_DATA);
    wire_put_i8(put_head(&q, WIRE_OP_GET_DATA), 0);
    buf_init(&q.bytes[q.count++], 10); /* nothing at all */
    buf_init(&q.bytes[q.count], 10);
    wire_put_i32(&q.bytes[q.count++], WIRE_OP_GET_DATA);
    expect_and_close(&q);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(more_frames_than_fit),
        cmocka_unit_test(odd_paths_and_cut_frames),
    };
    return cmocka_run_group_tests_name("expect", tests, NULL, NULL);
}
