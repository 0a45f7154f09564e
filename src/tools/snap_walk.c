#include "tools/snap_walk.h"
#include "base/mem.h"
#include <stdlib.h>

struct child {
    struct slice name;
    node_id n;
};

struct level {
    node_id n;
    struct buf names; /* what `at` points into */
    struct child *at;
    int32_t count, next;
    size_t path_n; /* of this node's path */
    uint64_t nodes, bytes;
};

struct walk {
    const struct tree *t;
    const struct snap_visitor *v;
    struct level *levels;
    size_t depth, cap; /* levels in use */
    struct buf path;
};

static int by_name(const void *a, const void *b)
{
    return slice_cmp(((const struct child *)a)->name, ((const struct child *)b)->name);
}

static void list_children(struct walk *w, struct level *l)
{
    l->count = tree_child_count(w->t, l->n);
    if (l->count == 0)
        return;
    buf_init(&l->names, SIZE_MAX / 2);
    tree_put_children(w->t, l->n, &l->names);
    l->at = mem_alloc((size_t)l->count * sizeof *l->at);
    struct wire_reader r = wire_reader_of(buf_slice(&l->names));
    (void)wire_get_i32(&r);
    for (int32_t i = 0; i < l->count; i++) {
        l->at[i].name = wire_get_ustring(&r);
        l->at[i].n = tree_child(w->t, l->n, l->at[i].name);
    }
    qsort(l->at, (size_t)l->count, sizeof *l->at, by_name);
}

static void enter(struct walk *w, node_id n)
{
    if (w->depth == w->cap) {
        w->cap = w->cap == 0 ? 16 : w->cap * 2;
        w->levels = mem_realloc(w->levels, w->cap * sizeof *w->levels);
    }
    struct level *l = &w->levels[w->depth++];
    struct slice data = tree_data(w->t, n);
    *l = (struct level){ .n = n, .path_n = w->path.n, .nodes = 1, .bytes = data.n };
    list_children(w, l);
    struct slice path = w->path.n == 0 ? slice_str("/") : buf_slice(&w->path);
    w->v->enter(w->v->ctx, n, path, (unsigned)(w->depth - 1), l->count);
}

static void leave(struct walk *w)
{
    struct level *l = &w->levels[--w->depth];
    if (w->v->leave != NULL)
        w->v->leave(w->v->ctx, l->n, (unsigned)w->depth, l->count, l->nodes, l->bytes);
    if (w->depth > 0) {
        struct level *up = &w->levels[w->depth - 1];
        up->nodes += l->nodes;
        up->bytes += l->bytes;
        w->path.n = up->path_n;
    }
    buf_fini(&l->names);
    mem_free(l->at);
}

void snap_walk(const struct tree *t, node_id top, const struct snap_visitor *v)
{
    struct walk w = { .t = t, .v = v };
    buf_init(&w.path, SIZE_MAX / 2);
    tree_put_path(t, top, &w.path);
    enter(&w, top);
    while (w.depth > 0) {
        struct level *l = &w.levels[w.depth - 1];
        if (l->next == l->count) {
            leave(&w);
            continue;
        }
        struct child *c = &l->at[l->next++];
        buf_append(&w.path, "/", 1);
        buf_append_slice(&w.path, c->name);
        enter(&w, c->n);
    }
    mem_free(w.levels);
    buf_fini(&w.path);
}
