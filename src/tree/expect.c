/* Finding a node in a tree larger than the processor's caches waits for memory three times, one after the other: for
 * the bucket, the record, the name and data. Who knows what comes next says so, and each of the three is on its way
 * while others are worked on. */
#include "tree/tree_internal.h"
#include "wire/path.h"

static const struct buckets *children_of(const struct tree *t, const struct expected_node *e)
{
    const struct node_extra *x = e->parent == NODE_NONE ? NULL : node_at(t, e->parent)->extra;
    return x == NULL ? NULL : &x->children;
}

/* The first of its bucket with that hash: nearly always the one. */
static const struct node *likely_node(const struct tree *t, const struct expected_node *e)
{
    const struct buckets *b = children_of(t, e);
    if (b == NULL)
        return NULL;
    struct bucket_probe probe = buckets_probe(b, e->hash);
    node_id id = buckets_match(&probe, e->hash);
    return id == NODE_NONE ? NULL : node_at(t, id);
}

static void fetch_bucket(const struct tree *t, const struct expected_node *e)
{
    const struct buckets *b = children_of(t, e);
    if (b != NULL && (b->n & BUCKETS_SMALL) == 0)
        __builtin_prefetch(bucket_at(b, buckets_index(b->n, e->hash)));
}

static void fetch_record(const struct tree *t, const struct expected_node *e)
{
    const struct node *n = likely_node(t, e);
    if (n == NULL)
        return;
    __builtin_prefetch(n, 1);
    __builtin_prefetch((const uint8_t *)(n + 1) - 1, 1); /* it lies across two lines */
}

static void fetch_payload(const struct tree *t, const struct expected_node *e)
{
    const struct node *n = likely_node(t, e);
    if (n != NULL)
        __builtin_prefetch(n->payload, 1);
}

void tree_expect(struct tree *t, struct slice path)
{
    struct expectations *x = &t->expected;
    if (x->removals != t->removals)
        *x = (struct expectations){ .removals = t->removals };
    struct expected_node *e = &x->ring[x->next % EXPECTED_RING];
    *e = (struct expected_node){ .parent = NODE_NONE };
    if (!path_is_malformed(path)) {
        struct slice name = path_name(path);
        *e = (struct expected_node){ tree_find(t, path_parent(path)), node_hash(t, name) };
    }
    fetch_bucket(t, e);
    fetch_record(t, &x->ring[(x->next + EXPECTED_RING - 3) % EXPECTED_RING]);
    fetch_payload(t, &x->ring[(x->next + EXPECTED_RING - 6) % EXPECTED_RING]);
    x->next++;
}
