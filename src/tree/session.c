/* The table of global sessions, what they own, and the nodes that time removes: containers and TTL
 * nodes. */
#include "base/hash.h"
#include "base/mem.h"
#include "tree/tree_internal.h"
#include <stdlib.h>

enum owner_kind owner_kind(const struct tree_options *options, int64_t owner)
{
    if (owner == 0)
        return OWNER_NONE;
    if (owner == WIRE_OWNER_CONTAINER)
        return OWNER_CONTAINER;
    if (options->extended_types && options->ttl_353 && owner < 0)
        return OWNER_TTL;
    if (!options->extended_types || (owner & WIRE_OWNER_TTL_MASK) != WIRE_OWNER_TTL_MASK)
        return OWNER_SESSION;
    /* The next 16 bits select a feature; only 0, TTL, exists. A node with another one stays as it
     * is. */
    bool ttl = ((uint64_t)owner >> 40) == 0xff0000;
    return ttl ? OWNER_TTL : OWNER_NONE;
}

bool tree_owner_is_session(const struct tree *t, int64_t owner)
{
    return owner_kind(&t->options, owner) == OWNER_SESSION;
}

bool tree_owner_is_ttl(const struct tree *t, int64_t owner)
{
    return owner_kind(&t->options, owner) == OWNER_TTL;
}

static uint32_t session_hash(const struct tree *t, int64_t id)
{
    return (uint32_t)hash_u64(t->options.hash_key, (uint64_t)id);
}

uint32_t session_find(const struct tree *t, int64_t id)
{
    uint32_t hash = session_hash(t, id), s;
    struct bucket_probe probe = buckets_probe(&t->sessions_by_id, hash);
    do
        s = buckets_match(&probe, hash);
    while (s != 0 && session_at(t, s)->id != id);
    return s;
}

static uint32_t session_need(struct tree *t, int64_t id)
{
    uint32_t s = session_find(t, id);
    if (s != 0)
        return s;
    s = slab_take(&t->sessions);
    struct session *r = session_at(t, s);
    *r = (struct session){ .id = id, .used = true };
    buckets_insert(&t->sessions_by_id, s, session_hash(t, id));
    return s;
}

static void session_forget_if_idle(struct tree *t, uint32_t s)
{
    struct session *r = session_at(t, s);
    if (r->in_table || r->ephemerals.count != 0)
        return;
    buckets_remove(&t->sessions_by_id, s, session_hash(t, r->id));
    *r = (struct session){ 0 };
    slab_give(&t->sessions, s);
}

void session_put(struct tree *t, int64_t id, int32_t timeout_ms)
{
    uint32_t s = session_need(t, id);
    struct session *r = session_at(t, s);
    if (r->in_table) {
        walk_save_session(t, s);
    } else {
        walk_skip_session(t, s);
        t->session_count++;
    }
    r->in_table = true;
    r->timeout_ms = timeout_ms;
}

void session_drop(struct tree *t, int64_t id)
{
    uint32_t s = session_find(t, id);
    if (s == 0 || !session_at(t, s)->in_table)
        return;
    walk_save_session(t, s);
    session_at(t, s)->in_table = false;
    t->session_count--;
    session_forget_if_idle(t, s);
}

int32_t tree_session_timeout_ms(const struct tree *t, int64_t session_id)
{
    uint32_t s = session_find(t, session_id);
    return s != 0 && session_at(t, s)->in_table ? session_at(t, s)->timeout_ms : 0;
}

size_t tree_session_count(const struct tree *t)
{
    return t->session_count;
}

static int by_number(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* Ids of all session records, ascending. To be freed. */
static int64_t *sorted_ids(const struct tree *t, size_t *count)
{
    int64_t *ids = mem_alloc(t->sessions.live * sizeof *ids);
    size_t n = 0;
    for (uint32_t s = 1; s < t->sessions.end; s++)
        if (session_at(t, s)->used)
            ids[n++] = session_at(t, s)->id;
    ASSERT(n == t->sessions.live);
    if (n != 0)
        qsort(ids, n, sizeof *ids, by_number);
    *count = n;
    return ids;
}

void tree_sessions(const struct tree *t, void (*fn)(void *ctx, int64_t session_id, int32_t timeout_ms), void *ctx)
{
    size_t count;
    int64_t *ids = sorted_ids(t, &count);
    for (size_t i = 0; i < count; i++) {
        const struct session *r = session_at(t, session_find(t, ids[i]));
        if (r->in_table)
            fn(ctx, r->id, r->timeout_ms);
    }
    mem_free(ids);
}

/* ---- lists of nodes ---- */

static struct node_list *list_of(struct tree *t, const struct node *n, uint32_t *session)
{
    *session = 0;
    switch (owner_kind(&t->options, n->extra->owner)) {
    case OWNER_NONE:
        return NULL;
    case OWNER_CONTAINER:
    case OWNER_TTL:
        return &t->special;
    case OWNER_SESSION:
        break;
    }
    *session = session_need(t, n->extra->owner);
    return &session_at(t, *session)->ephemerals;
}

void owner_link(struct tree *t, node_id id)
{
    uint32_t s;
    struct node_extra *x = node_at(t, id)->extra;
    struct node_list *l = list_of(t, node_at(t, id), &s);
    if (l == NULL)
        return;
    x->link_prev = l->tail;
    x->link_next = NODE_NONE;
    if (l->tail != NODE_NONE)
        node_at(t, l->tail)->extra->link_next = id;
    else
        l->head = id;
    l->tail = id;
    l->count++;
    if (s != 0)
        t->ephemeral_count++;
}

void owner_unlink(struct tree *t, node_id id)
{
    uint32_t s;
    struct node_extra *x = node_at(t, id)->extra;
    struct node_list *l = list_of(t, node_at(t, id), &s);
    if (l == NULL)
        return;
    if (id == t->expire_next)
        t->expire_next = x->link_next;
    if (x->link_prev != NODE_NONE)
        node_at(t, x->link_prev)->extra->link_next = x->link_next;
    else
        l->head = x->link_next;
    if (x->link_next != NODE_NONE)
        node_at(t, x->link_next)->extra->link_prev = x->link_prev;
    else
        l->tail = x->link_prev;
    l->count--;
    if (s != 0) {
        t->ephemeral_count--;
        session_forget_if_idle(t, s);
    }
}

int32_t tree_put_ephemerals(const struct tree *t, int64_t session_id, struct slice prefix, struct buf *b)
{
    int32_t count = 0;
    uint32_t s = session_find(t, session_id);
    node_id n = s == 0 ? NODE_NONE : session_at(t, s)->ephemerals.head;
    for (; n != NODE_NONE && b->err == 0; n = node_at(t, n)->extra->link_next) {
        size_t start = b->n;
        size_t bytes = node_path_bytes(t, n);
        wire_put_i32(b, (int32_t)bytes);
        tree_put_path(t, n, b);
        if (b->err != 0)
            break;
        if (slice_starts(slice_of(b->p + start + 4, bytes), prefix))
            count++;
        else
            b->n = start;
    }
    return count;
}

void tree_ephemerals(const struct tree *t, void (*fn)(void *ctx, int64_t session_id, node_id n), void *ctx)
{
    size_t count;
    int64_t *ids = sorted_ids(t, &count);
    for (size_t i = 0; i < count; i++) {
        node_id n = session_at(t, session_find(t, ids[i]))->ephemerals.head;
        for (; n != NODE_NONE; n = node_at(t, n)->extra->link_next)
            fn(ctx, ids[i], n);
    }
    mem_free(ids);
}

/* ---- containers and TTL nodes ---- */

static bool expired(const struct tree *t, const struct node *n, int64_t wall_ms, int64_t never_used_ms)
{
    int64_t age_ms;
    if (node_children(n) != 0)
        return false;
    if (__builtin_sub_overflow(wall_ms, n->mtime, &age_ms))
        return false;
    if (owner_kind(&t->options, n->extra->owner) == OWNER_TTL)
        return age_ms > (n->extra->owner & WIRE_TTL_MS_MAX);
    return n->extra->cversion > 0 || (never_used_ms != 0 && age_ms > never_used_ms);
}

size_t tree_put_expired(struct tree *t, int64_t wall_ms, int64_t never_used_ms, size_t max, struct buf *b)
{
    size_t found = 0;
    node_id n = t->expire_next;
    for (uint32_t left = t->special.count; left != 0 && found < max && b->err == 0; left--) {
        if (n == NODE_NONE)
            n = t->special.head;
        const struct node *r = node_at(t, n);
        if (expired(t, r, wall_ms, never_used_ms)) {
            size_t start = b->n;
            wire_put_i32(b, (int32_t)node_path_bytes(t, n));
            tree_put_path(t, n, b);
            if (b->err != 0) {
                b->n = start;
                break;
            }
            found++;
        }
        n = r->extra->link_next;
    }
    t->expire_next = n;
    return found;
}
