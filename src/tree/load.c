/* Making trees: the one a server starts with, and one filled from a snapshot. */
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "tree/tree_internal.h"
#include "wire/path.h"
#include <stdlib.h>

struct loaded_acl {
    int64_t id;   /* in the snapshot */
    uint32_t acl; /* our list; the table holds one reference */
};

struct loading {
    struct slab acls;
    struct buckets acls_by_id;
    struct buf parent_path; /* of the last node loaded; siblings come together */
    node_id parent;
    uint64_t acls_missing;
};

static struct tree *tree_make(const struct tree_options *options)
{
    struct tree *t = mem_zalloc(sizeof *t);
    t->options = *options;
    t->last_parent = mem_zalloc(sizeof *t->last_parent);
    slab_init(&t->nodes, sizeof(struct node));
    pool_init(&t->pool);
    slab_init(&t->sessions, sizeof(struct session));
    buckets_init(&t->sessions_by_id);
    acl_init(t);
    watch_init(t);
    return t;
}

struct tree *tree_new(const struct tree_options *options)
{
    struct tree *t = tree_make(options);
    static const struct wire_stat_persisted zero;
    acl_ref(t, ACL_OPEN);
    node_insert(t, NODE_NONE, slice_str(""), 0, slice_str(""), slice_str(""), ACL_OPEN, &zero, NULL);
    builtin_nodes_add(t);
    return t;
}

void tree_free(struct tree *t)
{
    if (t == NULL)
        return;
    ASSERT(t->walks == NULL);
    loading_free(t);
    watch_fini(t);
    for (node_id id = 1; id < t->nodes.end; id++) {
        struct node *n = node_at(t, id);
        if (!(n->flags & NODE_USED))
            continue;
        if (n->payload != NULL)
            pool_free(&t->pool, n->payload, node_name_bytes(n) + n->data_bytes);
        if (n->extra != NULL)
            buckets_fini(&n->extra->children);
    }
    acl_fini(t);
    slab_fini(&t->nodes);
    slab_fini(&t->sessions);
    buckets_fini(&t->sessions_by_id);
    pool_fini(&t->pool);
    mem_free(t->last_parent);
    mem_free(t);
}

static node_id builtin_add(struct tree *t, node_id parent, const char *path, uint32_t acl, int32_t aversion)
{
    struct slice p = slice_str(path), name = path_name(p);
    uint32_t hash = node_hash(t, name);
    node_id id = node_child(t, parent, name, hash);
    if (id != NODE_NONE)
        return id;
    acl_ref(t, acl);
    return node_insert(t, parent, name, hash, p, slice_str(""), acl,
                       &(struct wire_stat_persisted){ .aversion = aversion }, NULL);
}

void builtin_nodes_add(struct tree *t)
{
    struct buf b;
    buf_init(&b, 64);
    wire_put_acl(&b, (struct wire_acl){ WIRE_PERM_READ, { slice_str("world"), slice_str("anyone") } });
    uint32_t readable = acl_intern(t, (struct wire_vec){ 1, buf_slice(&b) });
    buf_fini(&b);
    node_id zookeeper = builtin_add(t, NODE_ROOT, "/zookeeper", ACL_OPEN, 0);
    builtin_add(t, zookeeper, "/zookeeper/config", readable, -1);
    builtin_add(t, zookeeper, "/zookeeper/quota", ACL_OPEN, 0);
    acl_unref(t, readable);
}

/* ---- loading ---- */

struct tree *tree_new_for_load(const struct tree_options *options)
{
    struct tree *t = tree_make(options);
    struct loading *l = t->loading = mem_zalloc(sizeof *l);
    slab_init(&l->acls, sizeof(struct loaded_acl));
    buckets_init(&l->acls_by_id);
    buf_init(&l->parent_path, SIZE_MAX);
    return t;
}

void loading_free(struct tree *t)
{
    struct loading *l = t->loading;
    if (l == NULL)
        return;
    for (uint32_t i = 1; i < l->acls.end; i++)
        acl_unref(t, ((struct loaded_acl *)slab_at(&l->acls, i))->acl);
    slab_fini(&l->acls);
    buckets_fini(&l->acls_by_id);
    buf_fini(&l->parent_path);
    mem_free(l);
    t->loading = NULL;
}

void tree_load_session(struct tree *t, int64_t session_id, int32_t timeout_ms)
{
    session_put(t, session_id, timeout_ms);
}

static struct loaded_acl *loaded_find(const struct tree *t, int64_t id)
{
    const struct loading *l = t->loading;
    uint32_t hash = (uint32_t)hash_u64(t->options.hash_key, (uint64_t)id);
    struct bucket_probe probe = buckets_probe(&l->acls_by_id, hash);
    for (uint32_t i = buckets_match(&probe, hash); i != 0; i = buckets_match(&probe, hash)) {
        struct loaded_acl *a = slab_at(&l->acls, i);
        if (a->id == id)
            return a;
    }
    return NULL;
}

int tree_load_acl(struct tree *t, int64_t acl_id, struct wire_vec acl)
{
    struct loading *l = t->loading;
    if (loaded_find(t, acl_id) != NULL)
        return ERR_CORRUPT;
    uint32_t i = slab_take(&l->acls);
    struct loaded_acl *a = slab_at(&l->acls, i);
    *a = (struct loaded_acl){ .id = acl_id, .acl = acl_intern(t, acl) };
    buckets_insert(&l->acls_by_id, i, (uint32_t)hash_u64(t->options.hash_key, (uint64_t)acl_id));
    return 0;
}

/* A list that grants nothing to anybody stands in for one that the snapshot lacks: a transaction
 * that follows will repair it (disk specification 3.4 rule 9), and until then, or without it, the
 * node stays closed. */
static uint32_t acl_closed(struct tree *t)
{
    struct buf b;
    buf_init(&b, 64);
    wire_put_acl(&b, (struct wire_acl){ 0, { slice_str("world"), slice_str("anyone") } });
    uint32_t acl = acl_intern(t, (struct wire_vec){ 1, buf_slice(&b) });
    buf_fini(&b);
    return acl;
}

static uint32_t loaded_acl_take(struct tree *t, int64_t acl_id)
{
    if (acl_id == -1) {
        acl_ref(t, ACL_OPEN);
        return ACL_OPEN;
    }
    const struct loaded_acl *a = loaded_find(t, acl_id);
    if (a == NULL) {
        t->loading->acls_missing++;
        return acl_closed(t);
    }
    acl_ref(t, a->acl);
    return a->acl;
}

static node_id loaded_parent(struct tree *t, struct slice path)
{
    struct loading *l = t->loading;
    if (l->parent != NODE_NONE && slice_eq(buf_slice(&l->parent_path), path))
        return l->parent;
    node_id parent = tree_find(t, path);
    if (parent == NODE_NONE)
        return NODE_NONE;
    buf_reset(&l->parent_path);
    buf_append_slice(&l->parent_path, path);
    l->parent = l->parent_path.err == 0 ? parent : NODE_NONE;
    return parent;
}

int tree_load_node(struct tree *t, struct slice path, struct slice data, int64_t acl_id,
                   const struct wire_stat_persisted *stat)
{
    ASSERT(t->loading != NULL);
    if (t->nodes.live == 0 || path.n == 0) {
        if (t->nodes.live != 0 || path.n != 0)
            return ERR_CORRUPT;
        node_insert(t, NODE_NONE, path, 0, path, data, loaded_acl_take(t, acl_id), stat, NULL);
        return 0;
    }
    if (path.p[0] != '/' || path_is_malformed(path))
        return ERR_CORRUPT;
    struct slice name = path_name(path);
    node_id parent = name.n == 0 ? NODE_NONE : loaded_parent(t, path_parent(path));
    if (parent == NODE_NONE)
        return ERR_CORRUPT;
    uint32_t hash = node_hash(t, name);
    if (node_child(t, parent, name, hash) != NODE_NONE)
        return ERR_CORRUPT;
    node_insert(t, parent, name, hash, path, data, loaded_acl_take(t, acl_id), stat, NULL);
    return 0;
}

static int by_creation(const void *a, const void *b)
{
    const int64_t *x = a, *y = b;
    return x[0] != y[0] ? (x[0] > y[0]) - (x[0] < y[0]) : (x[1] > y[1]) - (x[1] < y[1]);
}

/* A snapshot holds nodes in any order; the lists of sessions promise the order of creation. */
static void sort_ephemerals(struct tree *t, struct node_list *l)
{
    int64_t(*order)[2] = mem_alloc(l->count * sizeof *order);
    uint32_t n = 0;
    for (node_id id = l->head; id != NODE_NONE; id = node_at(t, id)->extra->link_next, n++) {
        order[n][0] = node_at(t, id)->czxid;
        order[n][1] = id;
    }
    qsort(order, n, sizeof *order, by_creation);
    node_id prev = NODE_NONE;
    for (uint32_t i = 0; i < n; i++) {
        node_id id = (node_id)order[i][1];
        struct node_extra *x = node_at(t, id)->extra;
        x->link_prev = prev;
        x->link_next = i + 1 < n ? (node_id)order[i + 1][1] : NODE_NONE;
        prev = id;
    }
    l->head = (node_id)order[0][1];
    l->tail = prev;
    mem_free(order);
}

int tree_load_finish(struct tree *t, int64_t last_zxid)
{
    if (t->nodes.live == 0)
        return ERR_CORRUPT;
    if (t->loading->acls_missing != 0)
        log_warn("tree.acl_missing",
                 "nodes=%llu note=\"their ACL lists are not in the snapshot; closed until the log "
                 "repairs them\"",
                 (unsigned long long)t->loading->acls_missing);
    loading_free(t);
    builtin_nodes_add(t);
    for (uint32_t s = 1; s < t->sessions.end; s++)
        if (session_at(t, s)->used && session_at(t, s)->ephemerals.count > 1)
            sort_ephemerals(t, &session_at(t, s)->ephemerals);
    quota_recount_all(t);
    t->last_zxid = last_zxid;
    return 0;
}
