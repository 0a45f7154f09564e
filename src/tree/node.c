/* The nodes themselves: finding, reading, adding, removing. */
#include "base/hash.h"
#include "base/mem.h"
#include "tree/tree_internal.h"
#include "wire/path.h"

uint32_t node_hash(const struct tree *t, struct slice name)
{
    return (uint32_t)hash_bytes(t->options.hash_key, name.p, name.n);
}

node_id node_child(const struct tree *t, node_id parent, struct slice name, uint32_t hash)
{
    const struct node_extra *x = node_at(t, parent)->extra;
    if (x == NULL)
        return NODE_NONE;
    struct bucket_probe probe = buckets_probe(&x->children, hash);
    node_id id;
    do
        id = buckets_match(&probe, hash);
    while (id != NODE_NONE && !slice_eq(node_name(node_at(t, id)), name));
    return id;
}

node_id tree_child(const struct tree *t, node_id parent, struct slice name)
{
    return node_child(t, parent, name, node_hash(t, name));
}

/* From the root, name by name. */
static node_id walk_down(const struct tree *t, struct slice path)
{
    node_id id = NODE_ROOT;
    const uint8_t *p = path.p + 1, *end = path.p + path.n;
    for (;;) {
        const uint8_t *slash = memchr(p, '/', (size_t)(end - p));
        struct slice name = slice_of(p, (size_t)((slash != NULL ? slash : end) - p));
        id = tree_child(t, id, name); /* no name is empty, so an empty component finds nothing */
        if (id == NODE_NONE || slash == NULL)
            return id;
        p = slash + 1;
        if (p == end)
            return NODE_NONE;
    }
}

node_id node_find_parent(const struct tree *t, struct slice path)
{
    if (path.n == 0)
        return t->nodes.live == 0 ? NODE_NONE : NODE_ROOT;
    struct last_parent *last = t->last_parent;
    if (last->id != NODE_NONE && path.n == last->n && memcmp(path.p, last->path, path.n) == 0)
        return last->id;
    node_id id = path.p[0] == '/' ? walk_down(t, path) : NODE_NONE;
    if (id != NODE_NONE && path.n <= sizeof last->path) {
        last->id = id;
        last->n = (uint32_t)path.n;
        memcpy(last->path, path.p, path.n);
    }
    return id;
}

node_id tree_find(const struct tree *t, struct slice path)
{
    if (t->nodes.live == 0)
        return NODE_NONE;
    if (path.n <= 1)
        return path.n == 0 || path.p[0] == '/' ? NODE_ROOT : NODE_NONE;
    if (path.p[0] != '/')
        return NODE_NONE;
    node_id id = node_find_parent(t, path_parent(path));
    return id == NODE_NONE ? NODE_NONE : tree_child(t, id, path_name(path));
}

node_id tree_parent(const struct tree *t, node_id n)
{
    return node_at(t, n)->parent;
}

struct wire_stat_persisted tree_stat_persisted(const struct tree *t, node_id id)
{
    const struct node *n = node_at(t, id);
    return (struct wire_stat_persisted){
        .czxid = n->czxid,
        .mzxid = n->mzxid,
        .ctime = n->ctime,
        .mtime = n->mtime,
        .version = n->version,
        .cversion = node_cversion(n),
        .aversion = n->extra != NULL ? n->extra->aversion : 0,
        .ephemeral_owner = node_owner(n),
        .pzxid = node_pzxid(n),
    };
}

struct wire_stat tree_client_stat(const struct wire_stat_persisted *s, int32_t children, int32_t data_length,
                                  const struct tree_options *options)
{
    bool session = owner_kind(options, s->ephemeral_owner) == OWNER_SESSION;
    return (struct wire_stat){
        .czxid = s->czxid,
        .mzxid = s->mzxid,
        .ctime = s->ctime,
        .mtime = s->mtime,
        .version = s->version,
        .cversion = (int32_t)(2u * (uint32_t)s->cversion - (uint32_t)children),
        .aversion = s->aversion,
        .ephemeral_owner = session ? s->ephemeral_owner : 0,
        .data_length = data_length,
        .num_children = children,
        .pzxid = s->pzxid,
    };
}

struct wire_stat tree_stat(const struct tree *t, node_id id)
{
    struct wire_stat_persisted s = tree_stat_persisted(t, id);
    const struct node *n = node_at(t, id);
    return tree_client_stat(&s, (int32_t)node_children(n), (int32_t)n->data_bytes, &t->options);
}

struct slice tree_data(const struct tree *t, node_id id)
{
    const struct node *n = node_at(t, id);
    if (n->flags & NODE_DATA_NULL)
        return (struct slice){ 0 };
    if (n->payload == NULL)
        return slice_str("");
    return slice_of(n->payload + node_name_bytes(n), n->data_bytes);
}

struct wire_vec tree_acl(const struct tree *t, node_id id)
{
    return acl_vec(t, node_at(t, id)->acl);
}

int32_t tree_child_count(const struct tree *t, node_id id)
{
    return (int32_t)node_children(node_at(t, id));
}

void tree_put_children(const struct tree *t, node_id id, struct buf *b)
{
    const struct node_extra *x = node_at(t, id)->extra;
    wire_put_i32(b, tree_child_count(t, id));
    if (x == NULL)
        return;
    struct bucket_cursor at;
    for (node_id c = buckets_first(&x->children, &at); c != NODE_NONE && b->err == 0;
         c = buckets_next(&x->children, &at))
        wire_put_ustring(b, node_name(node_at(t, c)));
}

node_id node_next_below(const struct tree *t, node_id top, node_id id)
{
    struct bucket_cursor at;
    const struct node *n = node_at(t, id);
    if (node_children(n) != 0)
        return buckets_first(&n->extra->children, &at);
    while (id != top) {
        const struct buckets *siblings = &node_at(t, n->parent)->extra->children;
        buckets_seek(siblings, &at, id, node_hash(t, node_name(n)));
        node_id next = buckets_next(siblings, &at);
        if (next != NODE_NONE)
            return next;
        id = n->parent;
        n = node_at(t, id);
    }
    return NODE_NONE;
}

int32_t tree_descendant_count(const struct tree *t, node_id id)
{
    if (id == NODE_ROOT)
        return (int32_t)(t->node_count - 1);
    int32_t count = 0;
    for (node_id n = node_next_below(t, id, id); n != NODE_NONE; n = node_next_below(t, id, n))
        count++;
    return count;
}

size_t node_path_bytes(const struct tree *t, node_id id)
{
    size_t bytes = 0;
    while (id != NODE_ROOT) {
        const struct node *n = node_at(t, id);
        bytes += 1 + node_name_bytes(n);
        id = n->parent;
    }
    return bytes;
}

void node_path_store(const struct tree *t, node_id id, uint8_t *to, size_t bytes)
{
    uint8_t *at = to + bytes;
    while (id != NODE_ROOT) {
        const struct node *n = node_at(t, id);
        struct slice name = node_name(n);
        at -= name.n;
        memcpy(at, name.p, name.n);
        *--at = '/';
        id = n->parent;
    }
    ASSERT(at == to);
}

void tree_put_path(const struct tree *t, node_id id, struct buf *b)
{
    size_t bytes = node_path_bytes(t, id);
    uint8_t *to = bytes == 0 ? NULL : buf_add(b, bytes);
    if (to != NULL)
        node_path_store(t, id, to, bytes);
}

int64_t tree_node_count(const struct tree *t)
{
    return t->node_count;
}

int64_t tree_ephemeral_count(const struct tree *t)
{
    return t->ephemeral_count;
}

int64_t tree_data_size(const struct tree *t)
{
    return t->data_size;
}

int64_t tree_last_zxid(const struct tree *t)
{
    return t->last_zxid;
}

/* ---- changing ---- */

struct node_extra *node_extra_need(struct tree *t, node_id id)
{
    struct node *n = node_at(t, id);
    if (n->extra != NULL)
        return n->extra;
    struct node_extra *x = pool_alloc(&t->pool, sizeof *x);
    *x = (struct node_extra){ .pzxid = n->czxid };
    buckets_init(&x->children);
    n->extra = x;
    x->digest = node_digest_compute(t, id);
    return x;
}

static void payload_store(struct tree *t, struct node *n, struct slice name, struct slice data)
{
    ASSERT(data.n <= INT32_MAX && name.n <= INT32_MAX);
    size_t bytes = name.n + data.n;
    n->payload = bytes == 0 ? NULL : pool_alloc(&t->pool, bytes);
    if (name.n != 0)
        memcpy(n->payload, name.p, name.n);
    if (data.n != 0)
        memcpy(n->payload + name.n, data.p, data.n);
    n->data_bytes = (uint32_t)data.n;
    n->flags = (data.p == NULL ? n->flags | NODE_DATA_NULL : n->flags & ~NODE_DATA_NULL) & 0xff;
}

static bool extra_wanted(const struct wire_stat_persisted *s, size_t name_bytes)
{
    return s->pzxid != s->czxid || s->cversion != 0 || s->aversion != 0 || s->ephemeral_owner != 0 ||
           name_bytes >= NODE_NAME_LONG;
}

/* The paths by which parts of the server find the nodes under /zookeeper. */
static void place_note(struct tree *t, node_id id, node_id parent, struct slice name)
{
    if (parent == NODE_ROOT && slice_eq_str(name, "zookeeper"))
        t->zookeeper = id;
    else if (parent != NODE_NONE && parent == t->zookeeper && slice_eq_str(name, "quota"))
        t->quota = id;
}

node_id node_insert(struct tree *t, node_id parent, struct slice name, uint32_t hash, struct slice path,
                    struct slice data, uint32_t acl, const struct wire_stat_persisted *stat, const uint32_t *prefix)
{
    struct node_extra *px = parent == NODE_NONE ? NULL : node_extra_need(t, parent);
    node_id id = slab_take(&t->nodes);
    struct node *n = node_at(t, id);
    *n = (struct node){
        .parent = parent,
        .acl = acl,
        .czxid = stat->czxid,
        .mzxid = stat->mzxid,
        .ctime = stat->ctime,
        .mtime = stat->mtime,
        .version = stat->version,
        .name_bytes = (name.n < NODE_NAME_LONG ? (uint32_t)name.n : NODE_NAME_LONG) & 0xffffff,
        .flags = NODE_USED,
    };
    if (parent != NODE_NONE && (parent == t->zookeeper || (node_at(t, parent)->flags & NODE_HIDDEN)))
        n->flags |= NODE_HIDDEN;
    payload_store(t, n, name, data);
    if (t->options.digest_enabled && !(n->flags & NODE_HIDDEN))
        n->crc_prefix = prefix != NULL ? *prefix : tree_digest_prefix(path, data);
    if (px != NULL)
        buckets_insert(&px->children, id, hash);
    place_note(t, id, parent, name);
    if (extra_wanted(stat, name.n)) {
        struct node_extra *x = pool_alloc(&t->pool, sizeof *x);
        *x = (struct node_extra){ .pzxid = stat->pzxid,
                                  .owner = stat->ephemeral_owner,
                                  .cversion = stat->cversion,
                                  .aversion = stat->aversion,
                                  .name_bytes = (uint32_t)name.n };
        buckets_init(&x->children);
        n->extra = x;
        owner_link(t, id);
    }
    t->node_count++;
    t->data_size += (int64_t)(data.n + (parent == NODE_NONE ? 1 : path.n));
    walk_skip_node(t, id);
    node_change_end(t, id);
    return id;
}

uint64_t tree_removals(const struct tree *t)
{
    return t->removals;
}

void node_remove(struct tree *t, node_id id, size_t path_bytes)
{
    struct node *n = node_at(t, id);
    ASSERT(node_children(n) == 0 && id != NODE_ROOT);
    node_change_begin(t, id);
    buckets_remove(&node_at(t, n->parent)->extra->children, id, node_hash(t, node_name(n)));
    size_t name_bytes = node_name_bytes(n);
    if (n->extra != NULL) {
        owner_unlink(t, id);
        buckets_fini(&n->extra->children);
        pool_free(&t->pool, n->extra, sizeof *n->extra);
    }
    if (n->payload != NULL)
        pool_free(&t->pool, n->payload, name_bytes + n->data_bytes);
    acl_unref(t, n->acl);
    t->data_size -= (int64_t)(path_bytes + n->data_bytes);
    t->node_count--;
    if (id == t->quota)
        t->quota = NODE_NONE;
    if (id == t->zookeeper)
        t->zookeeper = NODE_NONE;
    if (id == t->last_parent->id)
        t->last_parent->id = NODE_NONE;
    *n = (struct node){ 0 };
    slab_give(&t->nodes, id);
    t->removals++;
}

void node_data_set(struct tree *t, node_id id, struct slice path, struct slice data, const uint32_t *prefix)
{
    struct node *n = node_at(t, id);
    size_t name_bytes = node_name_bytes(n);
    uint8_t *old = n->payload;
    size_t old_bytes = name_bytes + n->data_bytes;
    t->data_size += (int64_t)data.n - (int64_t)n->data_bytes;
    if (pool_same_class(old_bytes, name_bytes + data.n)) {
        pool_resize(&t->pool, old, old_bytes, name_bytes + data.n);
        if (data.n != 0)
            memcpy(old + name_bytes, data.p, data.n);
        n->data_bytes = (uint32_t)data.n;
        n->flags = (data.p == NULL ? n->flags | NODE_DATA_NULL : n->flags & ~NODE_DATA_NULL) & 0xff;
    } else {
        payload_store(t, n, slice_of(old, name_bytes), data);
        if (old != NULL)
            pool_free(&t->pool, old, old_bytes);
    }
    if (t->options.digest_enabled && !(n->flags & NODE_HIDDEN))
        n->crc_prefix = prefix != NULL ? *prefix : tree_digest_prefix(path, data);
}
