/* Applying committed transactions (disk specification 5). The same code serves live traffic and
 * replay; the tolerance that a fuzzy snapshot needs (3.4) is in the rules themselves: nothing here
 * compares zxids to decide if a record was seen before. */
#include "base/museum.h"
#include "base/mem.h"
#include "tree/tree_internal.h"
#include "wire/path.h"

/* ---- create ---- */

/* create only ever raises the parent's cversion, and only then touches its pzxid. -1 means one more
 * than now. */
static void parent_cversion_raise(struct applying *a, node_id parent, const struct txn_op *op)
{
    int32_t now = node_cversion(node_at(a->t, parent));
    int32_t next = op->has_parent_cversion ? op->parent_cversion : -1;
    if (next == -1)
        next = (int32_t)((uint32_t)now + 1);
    if (next <= now)
        return;
    node_change_begin(a->t, parent);
    struct node_extra *x = node_extra_need(a->t, parent);
    x->cversion = next;
    x->pzxid = a->header->zxid;
    node_change_end(a->t, parent);
}

static void acl_set(struct applying *a, node_id id, struct wire_vec acl)
{
    uint32_t fresh = acl_intern(a->t, acl);
    if (a->t->walks != NULL)
        walk_save_node(a->t, id);
    struct node *n = node_at(a->t, id);
    acl_unref(a->t, n->acl);
    n->acl = fresh;
}

static node_id known_node(const struct applying *a, struct slice path)
{
    const struct tree_hint *h = a->hint;
    if (h != NULL && h->node != NODE_NONE && h->removals == a->t->removals)
        return h->node;
    return tree_find(a->t, path);
}

static const uint32_t *known_prefix(const struct applying *a)
{
    return a->hint != NULL && a->hint->has_prefix ? &a->hint->digest_prefix : NULL;
}

static int64_t owner_of_op(const struct applying *a, const struct txn_op *op)
{
    switch (op->type) {
    case WIRE_OP_CREATE_CONTAINER:
        return WIRE_OWNER_CONTAINER;
    case WIRE_OP_CREATE_TTL:
        return (int64_t)((uint64_t)WIRE_OWNER_TTL_MASK | ((uint64_t)op->ttl_ms & (uint64_t)WIRE_TTL_MS_MAX));
    default:
        return op->ephemeral ? a->header->session_id : 0;
    }
}

static int apply_create(struct applying *a, const struct txn_op *op, node_id *id)
{
    struct tree *t = a->t;
    struct slice path = op->path;
    if (path_is_malformed(path) || path.p[path.n - 1] == '/')
        return ERR_NO_NODE; /* no server logs such a path */
    struct slice parent_path = path_parent(path), name = path_name(path);
    node_id parent = known_node(a, parent_path);
    if (parent == NODE_NONE)
        return ERR_NO_NODE;
    uint32_t hash = node_hash(t, name);
    *id = node_child(t, parent, name, hash);
    if (*id != NODE_NONE) {
        /* Only replay comes here. The list of the transaction repairs an ACL id that the snapshot's
         * table lacked. */
        acl_set(a, *id, op->acl);
        if (op->type == WIRE_OP_CREATE)
            parent_cversion_raise(a, parent, op);
        return ERR_NODE_EXISTS;
    }
    const struct wire_stat_persisted stat = {
        .czxid = a->header->zxid,
        .mzxid = a->header->zxid,
        .pzxid = a->header->zxid,
        .ctime = a->header->time_ms,
        .mtime = a->header->time_ms,
        .ephemeral_owner = owner_of_op(a, op),
    };
    *id = node_insert(t, parent, name, hash, path, op->data, acl_intern(t, op->acl), &stat, known_prefix(a));
    parent_cversion_raise(a, parent, op);
    quota_created(t, *id);
    quota_changed(t, path, 1, (int64_t)op->data.n);
    watch_node_created(t, *id, path);
    watch_fire(a, WIRE_EVENT_CREATED, *id, path);
    watch_fire(a, WIRE_EVENT_CHILDREN_CHANGED, parent, parent_path);
    return 0;
}

/* ---- delete ---- */

/* A node goes, with what its disappearance means to its watches and its quota. It has no children.
 */
static void remove_leaf(struct applying *a, node_id id, struct slice path)
{
    struct tree *t = a->t;
    int64_t bytes = node_at(t, id)->data_bytes;
    watch_fire(a, WIRE_EVENT_DELETED, id, path);
    watch_node_deleted(t, id, path);
    node_remove(t, id, path.n);
    quota_changed(t, path, -1, -bytes);
}

/* Deleting a node that has children happens only on replay over a fuzzy snapshot: the node was made
 * again later, with these children, and the log makes them again too. Walks down and up instead of
 * recursing: depth is user data. */
static void remove_descendants(struct applying *a, node_id top)
{
    struct tree *t = a->t;
    node_id id = top;
    for (;;) {
        const struct node *n = node_at(t, id);
        if (node_children(n) != 0) {
            struct bucket_cursor first;
            id = buckets_first(&n->extra->children, &first);
            continue;
        }
        if (id == top)
            return;
        node_id parent = n->parent;
        size_t bytes = node_path_bytes(t, id);
        uint8_t *path = mem_alloc(bytes);
        node_path_store(t, id, path, bytes);
        remove_leaf(a, id, slice_of(path, bytes));
        mem_free(path);
        id = parent;
    }
}

int apply_delete_path(struct applying *a, struct slice path)
{
    struct tree *t = a->t;
    if (path_is_malformed(path) || path.p[path.n - 1] == '/')
        return ERR_NO_NODE;
    struct slice parent_path = path_parent(path);
    node_id parent = tree_find(t, parent_path);
    if (parent == NODE_NONE)
        return ERR_NO_NODE;
    node_id id = tree_child(t, parent, path_name(path));
    if (a->header->zxid > node_pzxid(node_at(t, parent))) {
        node_change_begin(t, parent);
        node_extra_need(t, parent)->pzxid = a->header->zxid;
        node_change_end(t, parent);
    }
    if (id == NODE_NONE)
        return ERR_NO_NODE; /* the parent's change stays */
    if (UNLIKELY(node_children(node_at(t, id)) != 0)) {
        struct applying quiet = *a;
        quiet.arena = NULL;
        remove_descendants(&quiet, id);
    }
    remove_leaf(a, id, path);
    watch_fire(a, WIRE_EVENT_CHILDREN_CHANGED, parent, parent_path);
    return 0;
}

/* ---- the rest ---- */

static int apply_set_data(struct applying *a, const struct txn_op *op, node_id *out)
{
    struct tree *t = a->t;
    node_id id = *out = known_node(a, op->path);
    if (id == NODE_NONE)
        return ERR_NO_NODE;
    int64_t before = node_at(t, id)->data_bytes;
    node_change_begin(t, id);
    node_data_set(t, id, op->path, op->data, known_prefix(a));
    struct node *n = node_at(t, id);
    n->mtime = a->header->time_ms;
    n->mzxid = a->header->zxid;
    n->version = op->version;
    node_change_end(t, id);
    quota_changed(t, op->path, 0, (int64_t)op->data.n - before);
    watch_fire(a, WIRE_EVENT_DATA_CHANGED, id, op->path);
    return 0;
}

static int apply_set_acl(struct applying *a, const struct txn_op *op, node_id *out)
{
    struct tree *t = a->t;
    node_id id = *out = tree_find(t, op->path);
    if (id == NODE_NONE)
        return ERR_NO_NODE;
    acl_set(a, id, op->acl);
    node_change_begin(t, id);
    node_extra_need(t, id)->aversion = op->version;
    node_change_end(t, id);
    return 0;
}

static void apply_close_session(struct applying *a, const struct txn_op *op)
{
    struct tree *t = a->t;
    session_drop(t, a->header->session_id);
    if (op->has_paths) {
        struct wire_reader r = wire_vec_reader(op->paths);
        for (int32_t i = 0; i < op->paths.count; i++) {
            struct slice path = arena_dup(a->arena, wire_get_ustring(&r));
            if (!SIM_BUG(ephemeral_survives) || i != 0)
                (void)apply_delete_path(a, path);
        }
    }
    /* What the list did not name: none when this server or Apache's wrote it, all of them in the
     * old form. */
    for (;;) {
        uint32_t s = session_find(t, a->header->session_id);
        if (s == 0 || session_at(t, s)->ephemerals.count == 0 || SIM_BUG(ephemeral_survives))
            return;
        node_id id = session_at(t, s)->ephemerals.head;
        size_t bytes = node_path_bytes(t, id);
        uint8_t *path = arena_alloc(a->arena, bytes);
        node_path_store(t, id, path, bytes);
        int rc = apply_delete_path(a, slice_of(path, bytes));
        ASSERT(rc == 0);
    }
}

/* One operation, alone or inside a multi. The path in op already lives in the arena. */
static void apply_op(struct applying *a, const struct txn_op *op, struct tree_result *r)
{
    node_id id = NODE_NONE;
    *r = (struct tree_result){ .type = op->type, .path = op->path };
    switch (op->type) {
    case WIRE_OP_CREATE:
    case WIRE_OP_CREATE2:
    case WIRE_OP_CREATE_CONTAINER:
    case WIRE_OP_CREATE_TTL:
        r->err = apply_create(a, op, &id);
        break;
    case WIRE_OP_DELETE:
    case WIRE_OP_DELETE_CONTAINER:
        r->err = apply_delete_path(a, op->path);
        return;
    case WIRE_OP_SET_DATA:
    case WIRE_OP_RECONFIG:
        r->err = apply_set_data(a, op, &id);
        break;
    case WIRE_OP_SET_ACL:
        r->err = apply_set_acl(a, op, &id);
        break;
    case WIRE_OP_ERROR:
        r->err = op->err;
        return;
    default: /* check: judged before it was logged, and harmless where a 3.8 server logged it alone
              */
        return;
    }
    if (id != NODE_NONE)
        r->stat = tree_stat(a->t, id);
}

/* A multi with a failed part changes nothing; every part is then an error: 0 for those before the
 * failed one. */
static void multi_results_failed(const struct txn_op *multi, struct tree_result *results)
{
    struct slice rest = multi->sub_raw;
    struct txn_op sub;
    bool after = false;
    for (int32_t i = 0; i < multi->sub_count && txn_next_sub(&rest, &sub); i++) {
        bool failed = sub.type == WIRE_OP_ERROR;
        int32_t err = failed ? sub.err : after ? ERR_RUNTIME_INCONSISTENCY : 0;
        results[i] = (struct tree_result){ .type = WIRE_OP_ERROR, .err = err };
        after |= failed;
    }
}

static void apply_multi(struct applying *a, const struct txn_op *multi)
{
    uint32_t count = (uint32_t)multi->sub_count;
    struct tree_result *results = arena_alloc(a->arena, count * sizeof *results);
    memset(results, 0, count * sizeof *results);
    a->out->results = results;
    a->out->result_count = count;
    struct slice rest = multi->sub_raw;
    struct txn_op sub;
    while (txn_next_sub(&rest, &sub)) {
        if (sub.type == WIRE_OP_ERROR) {
            multi_results_failed(multi, results);
            return;
        }
    }
    rest = multi->sub_raw;
    for (uint32_t i = 0; i < count && txn_next_sub(&rest, &sub); i++) {
        sub.path = arena_dup(a->arena, sub.path);
        apply_op(a, &sub, &results[i]);
    }
}

void tree_apply(struct tree *t, const struct txn *txn, struct arena *arena, struct tree_applied *out)
{
    tree_apply_hinted(t, txn, NULL, arena, out);
}

void tree_apply_hinted(struct tree *t, const struct txn *txn, const struct tree_hint *hint, struct arena *arena,
                       struct tree_applied *out)
{
    *out = (struct tree_applied){ 0 };
    struct applying a = { .t = t, .arena = arena, .out = out, .header = &txn->header };
    if (txn->op.type == WIRE_OP_MULTI) {
        apply_multi(&a, &txn->op);
    } else {
        struct txn_op op = txn->op;
        a.hint = hint;
        op.path = arena_dup(arena, op.path);
        out->results = arena_alloc(arena, sizeof *out->results);
        out->result_count = 1;
        apply_op(&a, &op, out->results);
        if (op.type == WIRE_OP_CREATE_SESSION)
            session_put(t, txn->header.session_id, op.timeout_ms);
        else if (op.type == WIRE_OP_CLOSE_SESSION)
            apply_close_session(&a, &op);
    }
    if (txn->header.zxid > t->last_zxid)
        t->last_zxid = txn->header.zxid;
}

size_t tree_remove_dead_ephemerals(struct tree *t)
{
    struct tree_applied out = { 0 };
    const struct wire_txn_header header = { .zxid = t->last_zxid };
    struct applying a = { .t = t, .out = &out, .header = &header };
    size_t removed = 0;
    for (uint32_t s = 1; s < t->sessions.end; s++) {
        const struct session *r = session_at(t, s);
        /* With extended types off a TTL node looks like an ephemeral of an unknown session. Apache
         * deletes those; but no session id looks like one within decades, so it is data of somebody
         * who forgot a setting. */
        while (r->used && !r->in_table && r->ephemerals.count != 0 && (uint64_t)r->id >> 40 != 0xff0000) {
            node_id id = r->ephemerals.head;
            size_t bytes = node_path_bytes(t, id);
            uint8_t *path = mem_alloc(bytes);
            node_path_store(t, id, path, bytes);
            (void)apply_delete_path(&a, slice_of(path, bytes));
            mem_free(path);
            removed++;
        }
    }
    return removed;
}

void tree_put_config(struct tree *t, struct slice text, int64_t version, int64_t wall_ms)
{
    struct slice path = slice_str("/zookeeper/config");
    node_id id = tree_find(t, path);
    if (id == NODE_NONE)
        return;
    node_change_begin(t, id);
    node_data_set(t, id, path, text, NULL);
    struct node *n = node_at(t, id);
    n->mtime = wall_ms;
    n->mzxid = version;
    n->version = -1;
    node_change_end(t, id);
}
