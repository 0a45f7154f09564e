/* snap_walk: every node of a tree in order of depth, children by name, whatever the depth. */
#ifndef ZOKOR_TOOLS_SNAP_WALK_H
#define ZOKOR_TOOLS_SNAP_WALK_H

#include "tree/tree.h"

struct snap_visitor {
    /* A node, before its descendants. path is "/" for the root; it lives for the call. */
    void (*enter)(void *ctx, node_id n, struct slice path, unsigned depth, int32_t children);
    /* And behind them; or NULL. The sums are over the node and all below it. */
    void (*leave)(void *ctx, node_id n, unsigned depth, int32_t children, uint64_t nodes, uint64_t bytes);
    void *ctx;
};

/* Visits `top` and what is below it. */
void snap_walk(const struct tree *t, node_id top, const struct snap_visitor *v);

#endif
