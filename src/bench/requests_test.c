#include "bench/requests.h"
#include "wire/records.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static struct buf b;

static struct wire_reader only_frame(int32_t xid, int32_t op)
{
    struct slice frame = { 0 };
    size_t used = 0;
    assert_int_equal(wire_frame_next(buf_slice(&b), 1 << 20, &frame, &used), 1);
    assert_int_equal(used, b.n);
    struct wire_reader r = wire_reader_of(frame);
    struct wire_request_header h = wire_get_request_header(&r);
    assert_int_equal(h.xid, xid);
    assert_int_equal(h.type, op);
    return r;
}

static void paths(void **state)
{
    (void)state;
    char path[BENCH_PATH_MAX];
    struct slice root = slice_str("/r");
    assert_true(slice_eq_str(bench_path(path, root, BENCH_AT_ROOT, 0, 0), "/r"));
    assert_true(slice_eq_str(bench_path(path, root, BENCH_AT_NODE, 0, 7), "/r/k7"));
    assert_true(slice_eq_str(bench_path(path, root, BENCH_AT_LIST, 0, 0), "/r/l"));
    assert_true(slice_eq_str(bench_path(path, root, BENCH_AT_CHILD, 0, 7), "/r/l/c7"));
    assert_true(slice_eq_str(bench_path(path, root, BENCH_AT_FOLDER, 3, 0), "/r/f3"));
    assert_true(slice_eq_str(bench_path(path, root, BENCH_AT_NEW, 3, 7), "/r/f3/n7"));
}

static void a_create(void **state)
{
    (void)state;
    buf_reset(&b);
    bench_put_create(&b, 5, slice_str("/a"), slice_str("v"));
    struct wire_reader r = only_frame(5, WIRE_OP_CREATE);
    struct wire_create_request q = wire_get_create_request(&r);
    assert_int_equal(r.err, 0);
    assert_int_equal(wire_left(&r), 0);
    assert_true(slice_eq_str(q.path, "/a"));
    assert_true(slice_eq_str(q.data, "v"));
    assert_int_equal(q.acl.count, 1);
    assert_int_equal(q.flags, WIRE_CREATE_PERSISTENT);
}

static void a_set_and_a_read(void **state)
{
    (void)state;
    buf_reset(&b);
    bench_put_set(&b, 6, slice_str("/a"), slice_str("w"));
    struct wire_reader r = only_frame(6, WIRE_OP_SET_DATA);
    struct wire_set_data_request q = wire_get_set_data_request(&r);
    assert_true(r.err == 0 && wire_left(&r) == 0 && q.version == -1);
    buf_reset(&b);
    bench_put_read(&b, 7, WIRE_OP_GET_DATA, slice_str("/a"), true);
    r = only_frame(7, WIRE_OP_GET_DATA);
    struct wire_path_watch_request p = wire_get_path_watch_request(&r);
    assert_true(r.err == 0 && wire_left(&r) == 0 && p.watch);
}

static void a_transaction(void **state)
{
    (void)state;
    buf_reset(&b);
    size_t begun = bench_multi_begin(&b, 8);
    bench_multi_set(&b, slice_str("/a"), slice_str("1"));
    bench_multi_set(&b, slice_str("/b"), slice_str("2"));
    bench_multi_end(&b, begun);
    struct wire_reader r = only_frame(8, WIRE_OP_MULTI);
    for (int i = 0; i < 2; i++) {
        struct wire_multi_header h = wire_get_multi_header(&r);
        assert_true(h.type == WIRE_OP_SET_DATA && !h.done);
        (void)wire_get_set_data_request(&r);
    }
    assert_true(wire_get_multi_header(&r).done);
    assert_true(r.err == 0 && wire_left(&r) == 0);
}

static void put_result(int32_t type, bool done, int32_t err)
{
    wire_put_multi_header(&b, &(struct wire_multi_header){ .type = type, .done = done, .err = err });
}

static void errors_of_transactions(void **state)
{
    (void)state;
    buf_reset(&b);
    put_result(WIRE_OP_SET_DATA, false, 0);
    wire_put_stat(&b, (struct wire_stat){ .version = 1 });
    size_t whole = b.n;
    put_result(-1, true, -1);
    assert_int_equal(bench_multi_error(buf_slice(&b)), 0);
    assert_int_equal(bench_multi_error(slice_of(b.p, whole - 1)), ERR_MARSHALLING);
    buf_reset(&b);
    static const int32_t parts[] = { 0, ERR_NO_NODE, ERR_RUNTIME_INCONSISTENCY };
    for (size_t i = 0; i < ARRAY_COUNT(parts); i++) {
        put_result(WIRE_OP_ERROR, false, parts[i]);
        wire_put_i32(&b, parts[i]);
    }
    put_result(-1, true, -1);
    assert_int_equal(bench_multi_error(buf_slice(&b)), ERR_NO_NODE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(paths),
        cmocka_unit_test(a_create),
        cmocka_unit_test(a_set_and_a_read),
        cmocka_unit_test(a_transaction),
        cmocka_unit_test(errors_of_transactions),
    };
    buf_init(&b, 1 << 20);
    int rc = cmocka_run_group_tests(tests, NULL, NULL);
    buf_fini(&b);
    return rc;
}
