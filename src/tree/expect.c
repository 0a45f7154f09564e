/* Finding a node in a tree larger than the processor's caches waits for memory three times, one after the other: for
 * the bucket, the record, the name and data. Who knows several paths that come next says so, and all their buckets are
 * fetched at the same time, then all records, then all names. */
#include "tree/tree_internal.h"
#include "wire/path.h"

struct expected_node {
    const struct buckets *among; /* its parent's children; NULL: nothing to fetch */
    uint32_t hash;               /* of its name */
    const struct node *likely;   /* the first child with that hash: nearly always the one */
};

static void fetch_bucket(const struct tree *t, struct slice path, struct expected_node *e)
{
    *e = (struct expected_node){ 0 };
    node_id parent = path_is_malformed(path) ? NODE_NONE : node_find_parent(t, path_parent(path));
    const struct node_extra *x = parent == NODE_NONE ? NULL : node_at(t, parent)->extra;
    if (x == NULL)
        return;
    e->among = &x->children;
    e->hash = node_hash(t, path_name(path));
    if ((x->children.n & BUCKETS_SMALL) == 0)
        __builtin_prefetch(bucket_at(&x->children, buckets_index(x->children.n, e->hash)));
}

static const struct node *fetch_node(const struct tree *t, node_id id)
{
    const struct node *n = node_at(t, id);
    __builtin_prefetch(n, 1);
    __builtin_prefetch((const uint8_t *)(n + 1) - 1, 1); /* it lies across two lines */
    return n;
}

static void fetch_record(const struct tree *t, struct expected_node *e)
{
    if (e->among == NULL)
        return;
    struct bucket_probe probe = buckets_probe(e->among, e->hash);
    node_id id = buckets_match(&probe, e->hash);
    if (id == NODE_NONE)
        return;
    e->likely = fetch_node(t, id);
}

void tree_expect(const struct tree *t, const struct slice *paths, size_t count)
{
    struct expected_node e[TREE_EXPECT_MAX];
    ASSERT(count <= TREE_EXPECT_MAX);
    for (size_t i = 0; i < count; i++)
        fetch_bucket(t, paths[i], &e[i]);
    for (size_t i = 0; i < count; i++)
        fetch_record(t, &e[i]);
    for (size_t i = 0; i < count; i++)
        if (e[i].likely != NULL)
            __builtin_prefetch(e[i].likely->payload, 1);
}

void tree_expect_nodes(const struct tree *t, const node_id *nodes, size_t count)
{
    for (size_t i = 0; i < count; i++)
        (void)fetch_node(t, nodes[i]);
    for (size_t i = 0; i < count; i++)
        __builtin_prefetch(node_at(t, nodes[i])->payload, 1);
}
