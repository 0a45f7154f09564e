/* Every invariant of the tree, from scratch. */
#include "base/mem.h"
#include "tree/tree_internal.h"

struct totals {
    int64_t nodes, data_size;
    uint64_t digest;
    uint32_t children;
    uint32_t *acl_refs; /* by number */
};

static void check_node(const struct tree *t, node_id id, struct totals *sum)
{
    const struct node *n = node_at(t, id);
    struct buf path;
    buf_init(&path, SIZE_MAX);
    tree_put_path(t, id, &path);
    ASSERT(path.err == 0);
    struct slice p = buf_slice(&path), data = tree_data(t, id);
    ASSERT(tree_find(t, p) == id);
    ASSERT((id == NODE_ROOT) == (n->parent == NODE_NONE));
    ASSERT(n->acl < t->acls.end && acl_at(t, n->acl)->refs != 0);
    sum->acl_refs[n->acl]++;
    sum->nodes++;
    sum->data_size += (int64_t)(data.n + (id == NODE_ROOT ? 1 : p.n));
    bool counts = tree_digest_counts(p);
    ASSERT(counts == !(n->flags & NODE_HIDDEN));
    if (t->options.digest_enabled && counts) {
        struct wire_stat_persisted s = tree_stat_persisted(t, id);
        uint32_t digest = tree_digest_finish(tree_digest_prefix(p, data), &s);
        ASSERT(digest == node_digest(t, id));
        sum->digest += digest;
    }
    if (n->extra != NULL) {
        uint32_t count = 0;
        const struct buckets *b = &n->extra->children;
        struct bucket_cursor at;
        for (node_id c = buckets_first(b, &at); c != NODE_NONE; c = buckets_next(b, &at), count++)
            ASSERT(node_at(t, c)->parent == id);
        ASSERT(count == b->entries);
        sum->children += count;
    }
    buf_fini(&path);
}

static uint32_t check_list(const struct tree *t, const struct node_list *l, bool session, int64_t owner)
{
    uint32_t count = 0;
    node_id prev = NODE_NONE;
    for (node_id id = l->head; id != NODE_NONE; id = node_at(t, id)->extra->link_next, count++) {
        const struct node_extra *x = node_at(t, id)->extra;
        enum owner_kind kind = owner_kind(&t->options, x->owner);
        ASSERT(x->link_prev == prev);
        ASSERT(session ? kind == OWNER_SESSION && x->owner == owner : kind == OWNER_CONTAINER || kind == OWNER_TTL);
        prev = id;
    }
    ASSERT(l->tail == prev && l->count == count);
    return count;
}

static void check_owners(const struct tree *t)
{
    int64_t ephemerals = 0, special = 0, owned = 0;
    size_t in_table = 0, used = 0;
    for (uint32_t s = 1; s < t->sessions.end; s++) {
        const struct session *r = session_at(t, s);
        if (!r->used)
            continue;
        used++;
        in_table += r->in_table;
        ASSERT(session_find(t, r->id) == s && (r->in_table || r->ephemerals.count != 0));
        ephemerals += check_list(t, &r->ephemerals, true, r->id);
    }
    special = check_list(t, &t->special, false, 0);
    for (node_id id = 1; id < t->nodes.end; id++)
        owned +=
            (node_at(t, id)->flags & NODE_USED) && owner_kind(&t->options, node_owner(node_at(t, id))) != OWNER_NONE;
    ASSERT(used == t->sessions.live && in_table == t->session_count);
    ASSERT(ephemerals == t->ephemeral_count && owned == ephemerals + special);
}

void tree_check(const struct tree *t)
{
    struct totals sum = { .acl_refs = mem_zalloc(t->acls.end * sizeof(uint32_t)) };
    for (node_id id = 1; id < t->nodes.end; id++)
        if (node_at(t, id)->flags & NODE_USED)
            check_node(t, id, &sum);
    ASSERT(sum.nodes == t->node_count && sum.nodes == t->nodes.live);
    ASSERT(sum.nodes == 0 || sum.children == sum.nodes - 1);
    ASSERT(sum.data_size == t->data_size && sum.digest == t->digest);
    sum.acl_refs[ACL_OPEN]++;
    uint32_t lists = 0;
    for (uint32_t a = 1; a < t->acls.end && t->loading == NULL; a++) {
        ASSERT(acl_at(t, a)->refs == sum.acl_refs[a]);
        lists += acl_at(t, a)->refs != 0;
    }
    ASSERT(t->loading != NULL || lists == t->acls.live);
    mem_free(sum.acl_refs);
    ASSERT(t->zookeeper == tree_find(t, slice_str("/zookeeper")));
    ASSERT(t->quota == tree_find(t, slice_str("/zookeeper/quota")));
    check_owners(t);
    watch_check(t);
}

size_t tree_memory_bytes(const struct tree *t)
{
    const struct watch_table *w = &t->watch;
    size_t bytes = sizeof *t + slab_bytes(&t->nodes) + slab_bytes(&t->acls) + slab_bytes(&t->sessions) +
                   slab_bytes(&w->entries) + slab_bytes(&w->things) + slab_bytes(&w->watchers) + t->pool.bytes;
    bytes += buckets_bytes(&t->acls_by_content) + buckets_bytes(&t->sessions_by_id) + buckets_bytes(&w->by_pair) +
             buckets_bytes(&w->by_thing) + buckets_bytes(&w->by_number);
    for (node_id id = 1; id < t->nodes.end; id++)
        if ((node_at(t, id)->flags & NODE_USED) && node_at(t, id)->extra != NULL)
            bytes += buckets_bytes(&node_at(t, id)->extra->children);
    return bytes;
}
