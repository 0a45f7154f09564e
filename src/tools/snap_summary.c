/* zokor snap summary. */
#include "base/mem.h"
#include "tools/snap_internal.h"
#include <inttypes.h>

#define HELD_BYTES (1u << 16)

struct sums {
    uint64_t nodes, bytes;
};

struct summary {
    const struct snap_context *c;
    struct sums *at; /* by node */
    size_t cap;
    struct buf out;
    long depth_max;
};

static void count_node(void *ctx, node_id n, struct slice path, unsigned depth, int32_t children)
{
    (void)ctx;
    (void)n;
    (void)path;
    (void)depth;
    (void)children;
}

static void sum_node(void *ctx, node_id n, unsigned depth, int32_t children, uint64_t nodes, uint64_t bytes)
{
    struct summary *s = ctx;
    (void)depth;
    if (children == 0)
        return;
    if (n >= s->cap) {
        size_t cap = n + n / 2 + 1024;
        s->at = mem_realloc(s->at, cap * sizeof *s->at);
        s->cap = cap;
    }
    s->at[n] = (struct sums){ nodes, bytes };
}

static void print_node(void *ctx, node_id n, struct slice path, unsigned depth, int32_t children)
{
    struct summary *s = ctx;
    if (children == 0 || (s->depth_max != 0 && (long)depth > s->depth_max))
        return;
    for (int line = 0; line < 3; line++) {
        for (unsigned i = 0; i < depth; i++)
            buf_append(&s->out, "--", 2);
        if (line == 0) {
            buf_append(&s->out, " ", 1);
            buf_append_slice(&s->out, path);
            buf_append(&s->out, "\n", 1);
        } else if (line == 1) {
            buf_printf(&s->out, "   children: %" PRIu64 "\n", s->at[n].nodes - 1);
        } else {
            buf_printf(&s->out, "   data: %" PRIu64 "\n", s->at[n].bytes);
        }
    }
    if (s->out.n > HELD_BYTES)
        snap_flush(s->c, &s->out);
}

int snap_summary(const struct snap_context *c, const char *name, const char *path, long depth_max)
{
    struct tree *tree;
    struct snapshot_info info;
    struct summary s = { .c = c, .depth_max = depth_max };
    if (snap_load(c, name, &tree, &info) < 0)
        return 1;
    node_id top = tree_find(tree, slice_str(path));
    if (top == NODE_NONE) {
        fprintf(c->err, "zokor: %s: there is no node %s in it\n", name, path);
        tree_free(tree);
        return 1;
    }
    buf_init(&s.out, (size_t)1 << 32);
    snap_walk(tree, top, &(struct snap_visitor){ .enter = count_node, .leave = sum_node, .ctx = &s });
    snap_walk(tree, top, &(struct snap_visitor){ .enter = print_node, .ctx = &s });
    buf_append(&s.out, "\n", 1);
    snap_flush(c, &s.out);
    buf_fini(&s.out);
    mem_free(s.at);
    tree_free(tree);
    return 0;
}
