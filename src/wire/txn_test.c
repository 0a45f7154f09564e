#include "wire/txn.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void put_header(struct buf *b, int32_t type)
{
    wire_put_txn_header(b, &(struct wire_txn_header){ 7, 1, 2, 3, type });
}

static void create_with_and_without_parent_cversion(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 1000);
    struct txn txn;
    for (int form = 0; form < 3; form++) {
        buf_reset(&b);
        put_header(&b, WIRE_OP_CREATE);
        struct txn_op op = { .type = WIRE_OP_CREATE,
                             .path = slice_str("/a"),
                             .acl.count = -1,
                             .has_parent_cversion = form != 0,
                             .parent_cversion = 9 };
        txn_put_body(&b, &op);
        if (form == 2)
            wire_put_txn_digest(&b, &(struct wire_txn_digest){ 2, 0x55 });
        assert_int_equal(txn_decode(buf_slice(&b), &txn), 0);
        assert_int_equal(txn.op.parent_cversion, form == 0 ? -1 : 9);
        assert_int_equal(txn.has_digest, form == 2);
        assert_null(txn.op.data.p);
    }
    buf_fini(&b);
}

static void close_session_forms(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 1000);
    struct txn txn;
    put_header(&b, WIRE_OP_CLOSE_SESSION);
    assert_int_equal(txn_decode(buf_slice(&b), &txn), 0);
    assert_false(txn.op.has_paths);
    wire_put_txn_digest(&b, &(struct wire_txn_digest){ 2, 0x100000002 });
    assert_int_equal(txn_decode(buf_slice(&b), &txn), 0);
    assert_false(txn.op.has_paths);
    assert_true(txn.has_digest);
    buf_reset(&b);
    put_header(&b, WIRE_OP_CLOSE_SESSION);
    wire_put_i32(&b, 1);
    wire_put_ustring(&b, slice_str("/e"));
    wire_put_txn_digest(&b, &(struct wire_txn_digest){ 2, 1 });
    assert_int_equal(txn_decode(buf_slice(&b), &txn), 0);
    assert_int_equal(txn.op.paths.count, 1);
    assert_true(txn.has_digest);
    buf_fini(&b);
}

static void multi_walks_its_subs(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 1000);
    put_header(&b, WIRE_OP_MULTI);
    wire_put_i32(&b, 2);
    txn_put_sub(&b, &(struct txn_op){ .type = WIRE_OP_DELETE, .path = slice_str("/x") });
    txn_put_sub(&b, &(struct txn_op){ .type = WIRE_OP_ERROR, .err = ERR_NO_NODE });
    struct txn txn;
    assert_int_equal(txn_decode(buf_slice(&b), &txn), 0);
    struct slice rest = txn.op.sub_raw;
    struct txn_op sub;
    assert_true(txn_next_sub(&rest, &sub));
    assert_true(slice_eq_str(sub.path, "/x"));
    assert_true(txn_next_sub(&rest, &sub));
    assert_int_equal(sub.err, ERR_NO_NODE);
    assert_false(txn_next_sub(&rest, &sub));
    for (size_t n = 0; n < b.n; n++)
        assert_int_not_equal(txn_decode(slice_of(b.p, n), &txn), 0);
    buf_fini(&b);
}

static void foreign_types_are_refused(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 1000);
    struct txn txn;
    put_header(&b, 99);
    assert_int_equal(txn_decode(buf_slice(&b), &txn), ERR_UNSUPPORTED);
    buf_fini(&b);
}

static void the_path_is_peeked_at(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 1000);
    static const int32_t with[] = { WIRE_OP_CREATE,     WIRE_OP_CREATE2, WIRE_OP_CREATE_CONTAINER,
                                    WIRE_OP_CREATE_TTL, WIRE_OP_DELETE,  WIRE_OP_DELETE_CONTAINER,
                                    WIRE_OP_SET_DATA,   WIRE_OP_SET_ACL };
    static const int32_t without[] = { WIRE_OP_CREATE_SESSION, WIRE_OP_CLOSE_SESSION, WIRE_OP_MULTI, WIRE_OP_ERROR };
    struct slice path;
    for (size_t i = 0; i < ARRAY_COUNT(with); i++) {
        struct txn_op op = { .type = with[i], .path = slice_str("/some/where"), .acl.count = -1 };
        buf_reset(&b);
        put_header(&b, op.type);
        txn_put_body(&b, &op);
        assert_true(txn_peek_path(buf_slice(&b), &path));
        assert_true(slice_eq_str(path, "/some/where"));
        for (size_t n = 0; n < 32 + 4 + path.n; n++) /* cut short */
            assert_false(txn_peek_path(slice_of(b.p, n), &path));
        store_be32(b.p + 32, UINT32_MAX); /* null */
        assert_false(txn_peek_path(buf_slice(&b), &path));
    }
    for (size_t i = 0; i < ARRAY_COUNT(without); i++) {
        buf_reset(&b);
        put_header(&b, without[i]);
        buf_append_slice(&b, slice_str("0123456789"));
        assert_false(txn_peek_path(buf_slice(&b), &path));
    }
    buf_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(create_with_and_without_parent_cversion),
        cmocka_unit_test(close_session_forms),
        cmocka_unit_test(multi_walks_its_subs),
        cmocka_unit_test(foreign_types_are_refused),
        cmocka_unit_test(the_path_is_peeked_at),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
