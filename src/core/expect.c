/* expect: what the next requests and transactions of a run will look for in memory is fetched ahead of their turn, for
 * many at the same time. Hints only: nothing that can be seen depends on them (docs/decisions/027). */
#include "core/internal.h"

#define FRAME_HEAD_BYTES 8u /* xid, operation */

/* ---- what clients ask ---- */

static bool begins_with_path(int32_t op)
{
    switch (op) {
    case WIRE_OP_CREATE:
    case WIRE_OP_CREATE2:
    case WIRE_OP_DELETE:
    case WIRE_OP_EXISTS:
    case WIRE_OP_GET_DATA:
    case WIRE_OP_SET_DATA:
    case WIRE_OP_GET_CHILDREN:
    case WIRE_OP_GET_CHILDREN2:
        return true;
    default:
        return false;
    }
}

static bool body_peek_path(int32_t op, struct slice body, struct slice *path)
{
    if (!begins_with_path(op))
        return false;
    struct wire_reader r = wire_reader_of(body);
    *path = wire_get_ustring(&r);
    return r.err == 0;
}

void core_expect(const struct core *c, const struct slice *frames, size_t count)
{
    struct slice paths[TREE_EXPECT_MAX];
    size_t n = 0;
    for (size_t i = 0; i < count && n < TREE_EXPECT_MAX; i++)
        if (frames[i].n > FRAME_HEAD_BYTES)
            n += body_peek_path((int32_t)load_be32(frames[i].p + 4),
                                slice_of(frames[i].p + FRAME_HEAD_BYTES, frames[i].n - FRAME_HEAD_BYTES), &paths[n]);
    if (n > 1)
        tree_expect(c->tree, paths, n);
}

/* ---- what servers say ---- */

void expect_txns(const struct zab_out *z, size_t from)
{
    for (size_t i = from; i < from + TREE_EXPECT_MAX && i < z->count; i++)
        if (z->fx[i].type == ZAB_FX_COMMIT)
            blob_fetch(z->fx[i].txn);
}

size_t expect_effects(const struct core *c, const struct zab_out *z, size_t from)
{
    struct slice paths[TREE_EXPECT_MAX];
    size_t n = 0, i = from;
    for (; i < z->count && n < TREE_EXPECT_MAX; i++) {
        const struct zab_fx *fx = &z->fx[i];
        if (fx->type == ZAB_FX_COMMIT)
            n += txn_peek_path(blob_slice(fx->txn), &paths[n]);
        else if (fx->type == ZAB_FX_REQUEST)
            n += body_peek_path(fx->request.op, fx->request.body, &paths[n]);
    }
    if (n > 1)
        tree_expect(c->tree, paths, n);
    expect_txns(z, i);
    return i;
}

/* ---- what the log has taken ---- */

size_t expect_commits(const struct core *c)
{
    const struct pipeline *q = &c->pipe;
    node_id nodes[TREE_EXPECT_MAX];
    size_t n = 0, count = q->count < TREE_EXPECT_MAX ? q->count : TREE_EXPECT_MAX;
    for (size_t i = 0; i < count; i++) {
        const struct proposal *x = &q->ring[(q->head + i) & (q->cap - 1)];
        blob_fetch(x->txn);
        if (x->hint.node != NODE_NONE && x->hint.removals == tree_removals(c->tree))
            nodes[n++] = x->hint.node;
    }
    if (n > 1)
        tree_expect_nodes(c->tree, nodes, n);
    return count;
}
