/* overlay: the tree as it will be when every proposal in flight has been applied, kept as the difference: one change a
 * node that a proposal touched. As Apache's outstandingChanges, but with one owner and an exact life: a change goes
 * when the last proposal that touched it is applied. */
#include "base/hash.h"
#include "core/internal.h"

void overlay_init(struct core *c)
{
    struct overlay *o = &c->overlay;
    o->bucket_count = 256;
    o->buckets = mem_zalloc(o->bucket_count * sizeof(struct change *));
    o->queue_cap = 256;
    o->queue = mem_alloc(o->queue_cap * sizeof *o->queue);
    o->digest = tree_digest(c->tree);
}

static void change_free(struct change *ch)
{
    list_remove(&ch->ephemeral_link);
    blob_unref(ch->acl_blob);
    mem_free(ch);
}

void overlay_fini(struct core *c)
{
    struct overlay *o = &c->overlay;
    for (size_t i = 0; i < o->bucket_count; i++) {
        while (o->buckets[i] != NULL) {
            struct change *ch = o->buckets[i];
            o->buckets[i] = ch->hash_next;
            change_free(ch);
        }
    }
    mem_free(o->buckets);
    mem_free(o->queue);
    mem_free(o->undo);
}

/* "/" is another name of the root. */
static struct slice canonical(struct slice path)
{
    return path.n == 1 && path.p[0] == '/' ? slice_of(path.p, 0) : path;
}

static struct change *find(const struct core *c, struct slice path, uint64_t *hash)
{
    const struct overlay *o = &c->overlay;
    *hash = hash_slice(c->hash_key, path);
    struct change *ch = o->buckets[*hash & (o->bucket_count - 1)];
    while (ch != NULL && (ch->hash != *hash || !slice_eq(slice_of(ch->path, ch->path_n), path)))
        ch = ch->hash_next;
    return ch;
}

bool overlay_knows(const struct core *c, struct slice path, bool *exists)
{
    uint64_t hash;
    if (c->overlay.count == 0)
        return false;
    const struct change *ch = find(c, canonical(path), &hash);
    if (ch != NULL)
        *exists = ch->exists;
    return ch != NULL;
}

struct view overlay_view(struct core *c, struct slice path)
{
    uint64_t hash;
    path = canonical(path);
    struct change *ch = c->overlay.count == 0 ? NULL : find(c, path, &hash);
    struct view v = { .change = ch };
    if (ch != NULL && ch->node != NODE_NONE && ch->removals == tree_removals(c->tree))
        v.node = ch->node;
    else if (ch == NULL || (ch->exists && !ch->own_acl))
        v.node = tree_find(c->tree, path);
    if (ch != NULL) {
        v.exists = ch->exists;
        v.stat = ch->stat;
        v.children = ch->children;
        v.data_length = ch->data_length;
        v.digest_prefix = ch->digest_prefix;
        v.acl = ch->own_acl ? ch->acl : v.node != NODE_NONE ? tree_acl(c->tree, v.node) : (struct wire_vec){ 0 };
        return v;
    }
    v.exists = v.node != NODE_NONE;
    if (!v.exists)
        return v;
    v.stat = tree_stat_persisted(c->tree, v.node);
    v.children = tree_child_count(c->tree, v.node);
    v.data_length = (int32_t)tree_data(c->tree, v.node).n;
    v.digest_prefix = tree_node_digest_prefix(c->tree, v.node);
    v.acl = tree_acl(c->tree, v.node);
    return v;
}

static void grow_buckets(struct overlay *o)
{
    size_t count = o->bucket_count * 2;
    struct change **fresh = mem_zalloc(count * sizeof(struct change *));
    for (size_t i = 0; i < o->bucket_count; i++) {
        for (struct change *ch = o->buckets[i], *next; ch != NULL; ch = next) {
            next = ch->hash_next;
            ch->hash_next = fresh[ch->hash & (count - 1)];
            fresh[ch->hash & (count - 1)] = ch;
        }
    }
    mem_free(o->buckets);
    o->buckets = fresh;
    o->bucket_count = count;
}

static struct change *add(struct core *c, struct slice path, const struct view *v)
{
    struct overlay *o = &c->overlay;
    if (o->count >= o->bucket_count)
        grow_buckets(o);
    struct change *ch = mem_alloc(sizeof *ch + path.n);
    *ch = (struct change){
        .hash = hash_slice(c->hash_key, path),
        .exists = v->exists,
        .children = v->children,
        .data_length = v->data_length,
        .digest_prefix = v->digest_prefix,
        .node = v->node,
        .removals = tree_removals(c->tree),
        .stat = v->stat,
        .path_n = (uint32_t)path.n,
    };
    list_init(&ch->ephemeral_link);
    if (path.n != 0)
        memcpy(ch->path, path.p, path.n);
    struct change **bucket = &o->buckets[ch->hash & (o->bucket_count - 1)];
    ch->hash_next = *bucket;
    *bucket = ch;
    o->count++;
    return ch;
}

static void queue_push(struct overlay *o, int64_t zxid, struct change *ch)
{
    if (o->queue_count == o->queue_cap) {
        struct touched *fresh = mem_alloc(o->queue_cap * 2 * sizeof *fresh);
        for (size_t i = 0; i < o->queue_count; i++)
            fresh[i] = o->queue[(o->queue_head + i) & (o->queue_cap - 1)];
        mem_free(o->queue);
        o->queue = fresh;
        o->queue_head = 0;
        o->queue_cap *= 2;
    }
    o->queue[(o->queue_head + o->queue_count++) & (o->queue_cap - 1)] = (struct touched){ zxid, ch };
    ch->refs++;
}

static void undo_save(struct overlay *o, struct change *ch)
{
    if (o->undo_count == o->undo_cap) {
        o->undo_cap = o->undo_cap == 0 ? 16 : o->undo_cap * 2;
        o->undo = mem_realloc(o->undo, o->undo_cap * sizeof *o->undo);
    }
    struct undo *u = &o->undo[o->undo_count++];
    u->change = ch;
    u->saved = *ch;
    if (ch->acl_blob != NULL)
        blob_ref(ch->acl_blob);
}

/* The change for a node about to be altered by the proposal with this zxid. */
struct change *overlay_touch(struct core *c, struct slice path, const struct view *v, int64_t zxid)
{
    struct change *ch = v->change;
    if (ch == NULL)
        ch = add(c, canonical(path), v);
    if (c->overlay.undoing)
        undo_save(&c->overlay, ch);
    queue_push(&c->overlay, zxid, ch);
    return ch;
}

static uint64_t digest_of(const struct change *ch)
{
    if (!ch->exists || !tree_digest_counts(slice_of(ch->path, ch->path_n)))
        return 0;
    return tree_digest_finish(ch->digest_prefix, &ch->stat);
}

/* Around every alteration of a change: the digest of the whole moves by the difference of one node. */
void overlay_digest_before(struct core *c, const struct change *ch)
{
    if (c->opt.digest_enabled)
        c->overlay.digest -= digest_of(ch);
}

void overlay_digest_after(struct core *c, const struct change *ch)
{
    if (c->opt.digest_enabled)
        c->overlay.digest += digest_of(ch);
}

void change_set_acl(struct change *ch, struct wire_vec acl)
{
    blob_unref(ch->acl_blob);
    ch->acl_blob = NULL;
    ch->own_acl = true;
    ch->acl = acl;
    if (acl.raw.p != acl_open().raw.p) {
        ch->acl_blob = blob_dup(acl.raw);
        ch->acl.raw = blob_slice(ch->acl_blob);
    }
}

static void release(struct core *c, struct change *ch)
{
    ASSERT(ch->refs > 0);
    if (--ch->refs != 0)
        return;
    struct overlay *o = &c->overlay;
    struct change **at = &o->buckets[ch->hash & (o->bucket_count - 1)];
    while (*at != ch)
        at = &(*at)->hash_next;
    *at = ch->hash_next;
    o->count--;
    change_free(ch);
}

void overlay_committed(struct core *c, int64_t zxid)
{
    struct overlay *o = &c->overlay;
    while (o->queue_count != 0 && o->queue[o->queue_head].zxid <= zxid) {
        struct change *ch = o->queue[o->queue_head].change;
        o->queue_head = (o->queue_head + 1) & (o->queue_cap - 1);
        o->queue_count--;
        c->stats.changes_applied++;
        release(c, ch);
    }
}

void overlay_begin_undo(struct core *c)
{
    struct overlay *o = &c->overlay;
    ASSERT(!o->undoing);
    o->undoing = true;
    o->undo_count = 0;
    o->undo_queue_count = o->queue_count;
    o->undo_digest = o->digest;
}

/* Puts one change back as it was before the multi touched it. Its place in lists of pending ephemerals is restored by
 * what it was: an ephemeral that exists and is not applied yet belongs to its session's list. */
static void undo_one(struct core *c, struct undo *u)
{
    struct change *ch = u->change;
    struct change keep = *ch;
    blob_unref(ch->acl_blob);
    *ch = u->saved;
    u->saved.acl_blob = NULL; /* the reference has moved back */
    ch->hash_next = keep.hash_next;
    ch->refs = keep.refs;
    ch->ephemeral_link = keep.ephemeral_link; /* its neighbours point here as before */
    list_remove(&ch->ephemeral_link);
    struct session *s = ch->exists && ch->own_acl ? session_lookup(c, ch->stat.ephemeral_owner) : NULL;
    if (s != NULL)
        list_push_back(&s->pending_ephemerals, &ch->ephemeral_link);
}

void overlay_end_undo(struct core *c, bool roll_back)
{
    struct overlay *o = &c->overlay;
    ASSERT(o->undoing);
    o->undoing = false;
    for (size_t i = o->undo_count; i-- > 0;) {
        struct undo *u = &o->undo[i];
        if (roll_back)
            undo_one(c, u);
        blob_unref(u->saved.acl_blob);
    }
    o->undo_count = 0;
    if (!roll_back)
        return;
    o->digest = o->undo_digest;
    while (o->queue_count > o->undo_queue_count) {
        o->queue_count--;
        release(c, o->queue[(o->queue_head + o->queue_count) & (o->queue_cap - 1)].change);
    }
}
