/* What the tests of this room share: a tree, and short ways to apply transactions to it. */
#ifndef ZOKOR_TREE_TEST_SUPPORT_H
#define ZOKOR_TREE_TEST_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tree/tree_internal.h"
#include "wire/txn.h"

struct bench {
    struct tree *t;
    struct arena arena;
    struct tree_applied out;
    struct buf acl_open, acl_other; /* encoded elements: what clients send, and a second list */
    int64_t zxid, time_ms, session;
};

static const struct tree_options test_options = { .hash_key = 0x1234567,
                                                  .extended_types = true,
                                                  .digest_enabled = true };

static inline struct wire_vec acl_of(const struct buf *b)
{
    return (struct wire_vec){ 1, buf_slice(b) };
}

static inline void acl_make_one(struct buf *b, int32_t perms, const char *scheme, const char *id)
{
    buf_init(b, 1024);
    wire_put_acl(b, (struct wire_acl){ perms, { slice_str(scheme), slice_str(id) } });
}

static inline void bench_open_on(struct bench *b, struct tree *t)
{
    *b = (struct bench){ .t = t, .time_ms = 1000, .session = 0x77 };
    arena_init(&b->arena, 65536);
    acl_make_one(&b->acl_open, WIRE_PERM_ALL, "world", "anyone");
    acl_make_one(&b->acl_other, WIRE_PERM_READ, "digest", "u:hash");
}

static inline void bench_open(struct bench *b)
{
    bench_open_on(b, tree_new(&test_options));
}

static inline void bench_close(struct bench *b)
{
    tree_free(b->t);
    arena_fini(&b->arena);
    buf_fini(&b->acl_open);
    buf_fini(&b->acl_other);
}

static inline struct txn_op op_create(const struct bench *b, const char *path, const char *data)
{
    return (struct txn_op){ .type = WIRE_OP_CREATE,
                            .path = slice_str(path),
                            .data = data == NULL ? (struct slice){ 0 } : slice_str(data),
                            .acl = acl_of(&b->acl_open),
                            .has_parent_cversion = true,
                            .parent_cversion = -1 };
}

static inline struct txn_op op_delete(const char *path)
{
    return (struct txn_op){ .type = WIRE_OP_DELETE, .path = slice_str(path) };
}

static inline struct txn_op op_set(const char *path, const char *data, int32_t version)
{
    return (struct txn_op){ .type = WIRE_OP_SET_DATA,
                            .path = slice_str(path),
                            .data = data == NULL ? (struct slice){ 0 } : slice_str(data),
                            .version = version };
}

/* Applies one operation with the next zxid, 10 ms later than the last; its first result. */
static inline struct tree_result *bench_apply(struct bench *b, struct txn_op op)
{
    b->time_ms += 10;
    struct txn txn = {
        .header = { .session_id = b->session, .cxid = 1, .zxid = ++b->zxid, .time_ms = b->time_ms, .type = op.type },
        .op = op
    };
    arena_reset(&b->arena);
    tree_apply(b->t, &txn, &b->arena, &b->out);
    assert_true(b->out.result_count > 0 || op.type == WIRE_OP_MULTI);
    return b->out.results;
}

/* A multi; ops are encoded and decoded as a log would. */
static inline struct tree_result *bench_multi(struct bench *b, const struct txn_op *ops, size_t count)
{
    struct buf raw;
    buf_init(&raw, SIZE_MAX);
    for (size_t i = 0; i < count; i++)
        txn_put_sub(&raw, &ops[i]);
    struct tree_result *r = bench_apply(
        b, (struct txn_op){ .type = WIRE_OP_MULTI, .sub_count = (int32_t)count, .sub_raw = buf_slice(&raw) });
    buf_fini(&raw);
    return r;
}

static inline void bench_create(struct bench *b, const char *path, const char *data)
{
    assert_int_equal(bench_apply(b, op_create(b, path, data))->err, 0);
}

static inline void bench_create_ephemeral(struct bench *b, const char *path)
{
    struct txn_op op = op_create(b, path, "");
    op.ephemeral = true;
    assert_int_equal(bench_apply(b, op)->err, 0);
}

static inline void bench_delete(struct bench *b, const char *path)
{
    assert_int_equal(bench_apply(b, op_delete(path))->err, 0);
}

static inline node_id at(const struct bench *b, const char *path)
{
    return tree_find(b->t, slice_str(path));
}

static inline struct wire_stat stat_of(const struct bench *b, const char *path)
{
    node_id n = at(b, path);
    assert_int_not_equal(n, NODE_NONE);
    return tree_stat(b->t, n);
}

static inline void assert_slice(struct slice s, const char *text)
{
    assert_int_equal(s.n, strlen(text));
    assert_memory_equal(s.n == 0 ? "" : (const char *)s.p, text, s.n);
}

static inline void assert_data(const struct bench *b, const char *path, const char *text)
{
    node_id n = at(b, path);
    assert_int_not_equal(n, NODE_NONE);
    assert_slice(tree_data(b->t, n), text);
}

#endif
