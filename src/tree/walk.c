/* A point-in-time image of the tree, written in slices while the tree goes on changing.
 *
 * Sessions, ACL lists and nodes live in slabs; the walk moves a cursor over each. What lies ahead
 * of the cursor and is about to change or go is written to a list of saved pieces first and marked,
 * and what is made ahead of it is marked at once; the cursor passes over marks. So a thing belongs
 * to what is still to be written exactly if it is ahead and not marked. A mark belongs to the place
 * in the slab: it stays when the place is freed and taken again. Marks are a bit a place, made when
 * the first is set, and each walk has its own: several go on at their own paces.
 *
 * Readers of snapshots want parents before children, so a node is never written before its
 * ancestors: those that are still to be written go first. Therefore the ancestors of a written node
 * are always written. */
#include "base/mem.h"
#include "tree/tree_internal.h"

#define WALK_SLOTS_MAX 4096    /* looked at in one call */
#define WALK_PIECE_BYTES 65536 /* ordinary size of a saved piece */

/* Saved bytes, in blocks, so that a long list never has to move. */
struct piece {
    struct piece *next;
    size_t n, cap;
    uint8_t p[];
};

struct saved {
    struct piece *first, *last;
    size_t bytes;
};

enum walk_phase { WALK_SESSIONS, WALK_ACLS, WALK_NODES, WALK_DONE };

struct walk_range {
    uint32_t at, end; /* still to be looked at: [at, end) */
    uint8_t *marks;   /* a bit for each place below end; NULL: none is set */
    struct saved saved;
};

struct tree_walk {
    struct tree_walk *next; /* another walk of this tree */
    struct tree *t;
    int64_t zxid;
    uint64_t digest;
    enum walk_phase phase;
    bool counted; /* the count that begins the phase has been written */
    uint32_t session_count, acl_count;
    struct walk_range sessions, acls, nodes;
    node_id *ancestors; /* scratch: a node and those above it that must be written */
    size_t ancestor_cap;
    uint8_t *path; /* scratch */
    size_t path_cap;
};

/* ---- saved pieces ---- */

static uint8_t *saved_add(struct saved *s, size_t n)
{
    struct piece *last = s->last;
    if (last == NULL || last->cap - last->n < n) {
        size_t cap = n > WALK_PIECE_BYTES ? n : WALK_PIECE_BYTES;
        struct piece *fresh = mem_alloc(sizeof *fresh + cap);
        fresh->next = NULL;
        fresh->n = 0;
        fresh->cap = cap;
        if (last != NULL)
            last->next = fresh;
        else
            s->first = fresh;
        s->last = last = fresh;
        s->bytes += cap;
    }
    uint8_t *p = last->p + last->n;
    last->n += n;
    return p;
}

/* Moves the oldest piece to out; false if there is none. */
static bool saved_pop(struct saved *s, struct buf *out)
{
    struct piece *piece = s->first;
    if (piece == NULL)
        return false;
    buf_append(out, piece->p, piece->n);
    s->first = piece->next;
    if (s->first == NULL)
        s->last = NULL;
    s->bytes -= piece->cap;
    mem_free(piece);
    return true;
}

static void saved_free(struct saved *s)
{
    while (s->first != NULL) {
        struct piece *piece = s->first;
        s->first = piece->next;
        mem_free(piece);
    }
    s->last = NULL;
}

/* ---- encoding ---- */

#define SESSION_BYTES 12
#define NODE_FIXED_BYTES (4 + 4 + 8 + 60)

static void session_store(uint8_t *to, const struct session *s)
{
    store_be64(to, (uint64_t)s->id);
    store_be32(to + 8, (uint32_t)s->timeout_ms);
}

static size_t acl_bytes(const struct acl_list *a)
{
    return 8 + 4 + a->raw_bytes;
}

static void acl_store(uint8_t *to, const struct acl_list *a, uint32_t id)
{
    store_be64(to, (uint64_t)acl_snapshot_id(id));
    store_be32(to + 8, (uint32_t)a->count);
    if (a->raw_bytes != 0)
        memcpy(to + 12, a->raw, a->raw_bytes);
}

static size_t node_bytes(const struct node *n, size_t path_bytes)
{
    return NODE_FIXED_BYTES + path_bytes + n->data_bytes;
}

static void node_store(const struct tree *t, uint8_t *to, node_id id, struct slice path)
{
    const struct node *n = node_at(t, id);
    struct slice data = tree_data(t, id);
    struct wire_stat_persisted s = tree_stat_persisted(t, id);
    store_be32(to, (uint32_t)path.n);
    if (path.n != 0)
        memcpy(to + 4, path.p, path.n);
    to += 4 + path.n;
    store_be32(to, data.p == NULL ? UINT32_MAX : (uint32_t)data.n);
    if (data.n != 0)
        memcpy(to + 4, data.p, data.n);
    to += 4 + data.n;
    store_be64(to, (uint64_t)acl_snapshot_id(n->acl));
    store_be64(to + 8, (uint64_t)s.czxid);
    store_be64(to + 16, (uint64_t)s.mzxid);
    store_be64(to + 24, (uint64_t)s.ctime);
    store_be64(to + 32, (uint64_t)s.mtime);
    store_be32(to + 40, (uint32_t)s.version);
    store_be32(to + 44, (uint32_t)s.cversion);
    store_be32(to + 48, (uint32_t)s.aversion);
    store_be64(to + 52, (uint64_t)s.ephemeral_owner);
    store_be64(to + 60, (uint64_t)s.pzxid);
}

/* ---- what is still to be written ---- */

static bool ahead(const struct walk_range *r, uint32_t id)
{
    return id >= r->at && id < r->end;
}

static bool marked(const struct walk_range *r, uint32_t id)
{
    return r->marks != NULL && (r->marks[id / 8] >> (id % 8) & 1) != 0;
}

static bool wanted(const struct walk_range *r, uint32_t id)
{
    return ahead(r, id) && !marked(r, id);
}

static void mark(struct walk_range *r, uint32_t id)
{
    if (r->marks == NULL)
        r->marks = mem_zalloc(r->end / 8 + 1);
    r->marks[id / 8] |= (uint8_t)(1u << (id % 8));
}

static void skip(struct walk_range *r, uint32_t id)
{
    if (ahead(r, id))
        mark(r, id);
}

/* Writes a node and those of its ancestors that were not written, top first, to out or, if that is
 * NULL, to the saved pieces. */
static void node_write(struct tree_walk *w, node_id id, struct buf *out)
{
    const struct tree *t = w->t;
    size_t count = 0;
    for (node_id n = id; n != NODE_NONE && wanted(&w->nodes, n); n = node_at(t, n)->parent) {
        if (count == w->ancestor_cap) {
            w->ancestor_cap = w->ancestor_cap == 0 ? 64 : w->ancestor_cap * 2;
            w->ancestors = mem_realloc(w->ancestors, w->ancestor_cap * sizeof *w->ancestors);
        }
        w->ancestors[count++] = n;
    }
    size_t path_bytes = node_path_bytes(t, id);
    if (path_bytes >= w->path_cap) {
        w->path_cap = 2 * path_bytes + 256;
        w->path = mem_realloc(w->path, w->path_cap);
    }
    node_path_store(t, id, w->path, path_bytes);
    for (size_t i = 0; i < count; i++) /* from the node up, to find where its ancestors' paths end */
        path_bytes -= i == 0 ? 0 : 1 + node_name_bytes(node_at(t, w->ancestors[i - 1]));
    while (count-- > 0) {
        node_id n = w->ancestors[count];
        size_t bytes = node_bytes(node_at(t, n), path_bytes);
        uint8_t *to = out != NULL ? buf_add(out, bytes) : saved_add(&w->nodes.saved, bytes);
        if (to != NULL) /* else the error sticks to out */
            node_store(t, to, n, slice_of(w->path, path_bytes));
        if (out == NULL || n != id)
            mark(&w->nodes, n); /* else the cursor is just passing over it */
        if (count > 0)
            path_bytes += 1 + node_name_bytes(node_at(t, w->ancestors[count - 1]));
    }
}

void walk_save_node(struct tree *t, node_id id)
{
    for (struct tree_walk *w = t->walks; w != NULL; w = w->next)
        if (wanted(&w->nodes, id))
            node_write(w, id, NULL);
}

void walk_skip_node(struct tree *t, node_id id)
{
    for (struct tree_walk *w = t->walks; w != NULL; w = w->next)
        skip(&w->nodes, id);
}

void walk_save_acl(struct tree *t, uint32_t acl)
{
    const struct acl_list *a = acl_at(t, acl);
    for (struct tree_walk *w = t->walks; w != NULL; w = w->next) {
        if (!wanted(&w->acls, acl))
            continue;
        acl_store(saved_add(&w->acls.saved, acl_bytes(a)), a, acl);
        mark(&w->acls, acl);
    }
}

void walk_skip_acl(struct tree *t, uint32_t acl)
{
    for (struct tree_walk *w = t->walks; w != NULL; w = w->next)
        skip(&w->acls, acl);
}

void walk_save_session(struct tree *t, uint32_t s)
{
    for (struct tree_walk *w = t->walks; w != NULL; w = w->next) {
        if (!wanted(&w->sessions, s))
            continue;
        session_store(saved_add(&w->sessions.saved, SESSION_BYTES), session_at(t, s));
        mark(&w->sessions, s);
    }
}

void walk_skip_session(struct tree *t, uint32_t s)
{
    for (struct tree_walk *w = t->walks; w != NULL; w = w->next)
        skip(&w->sessions, s);
}

/* ---- the walk ---- */

struct tree_walk *tree_walk_begin(struct tree *t)
{
    ASSERT(t->loading == NULL);
    struct tree_walk *w = mem_alloc(sizeof *w);
    *w = (struct tree_walk){
        .next = t->walks,
        .t = t,
        .zxid = t->last_zxid,
        .digest = t->digest,
        .session_count = (uint32_t)t->session_count,
        .acl_count = t->acls.live - 1, /* without the open list, which has no entry */
        .sessions = { .at = 1, .end = t->sessions.end },
        .acls = { .at = ACL_OPEN + 1, .end = t->acls.end },
        .nodes = { .at = 1, .end = t->nodes.end },
    };
    t->walks = w;
    return w;
}

int64_t tree_walk_zxid(const struct tree_walk *w)
{
    return w->zxid;
}

uint64_t tree_walk_digest(const struct tree_walk *w)
{
    return w->digest;
}

size_t tree_walk_saved_bytes(const struct tree_walk *w)
{
    return w->sessions.saved.bytes + w->acls.saved.bytes + w->nodes.saved.bytes;
}

static void sessions_step(struct tree_walk *w, struct buf *out)
{
    uint32_t id = w->sessions.at++;
    const struct session *s = session_at(w->t, id);
    uint8_t *to = s->in_table && !marked(&w->sessions, id) ? buf_add(out, SESSION_BYTES) : NULL;
    if (to != NULL)
        session_store(to, s);
}

static void acls_step(struct tree_walk *w, struct buf *out)
{
    uint32_t id = w->acls.at++;
    const struct acl_list *a = acl_at(w->t, id);
    uint8_t *to = a->refs != 0 && !marked(&w->acls, id) ? buf_add(out, acl_bytes(a)) : NULL;
    if (to != NULL)
        acl_store(to, a, id);
}

static void nodes_step(struct tree_walk *w, struct buf *out)
{
    node_id id = w->nodes.at;
    if ((node_at(w->t, id)->flags & NODE_USED) && !marked(&w->nodes, id))
        node_write(w, id, out);
    w->nodes.at++;
}

static struct walk_range *phase_range(struct tree_walk *w)
{
    return w->phase == WALK_SESSIONS ? &w->sessions : w->phase == WALK_ACLS ? &w->acls : &w->nodes;
}

static void phase_step(struct tree_walk *w, struct buf *out)
{
    if (w->phase == WALK_SESSIONS)
        sessions_step(w, out);
    else if (w->phase == WALK_ACLS)
        acls_step(w, out);
    else
        nodes_step(w, out);
}

/* Writes the count that begins a phase, once. */
static void phase_begin(struct tree_walk *w, struct buf *out)
{
    if (w->counted)
        return;
    w->counted = true;
    if (w->phase == WALK_SESSIONS)
        wire_put_i32(out, (int32_t)w->session_count);
    else if (w->phase == WALK_ACLS)
        wire_put_i32(out, (int32_t)w->acl_count);
}

bool tree_walk_next(struct tree_walk *w, size_t bytes, struct buf *out)
{
    size_t stop = out->n + bytes;
    unsigned looked = 0;
    while (w->phase != WALK_DONE && out->n < stop && looked < WALK_SLOTS_MAX && out->err == 0) {
        phase_begin(w, out);
        struct walk_range *r = phase_range(w);
        /* Saved nodes come before others: what is written next may be their child. */
        if (saved_pop(&r->saved, out))
            continue;
        if (r->at < r->end) {
            phase_step(w, out);
            looked++;
            continue;
        }
        w->phase++;
        w->counted = false;
        if (w->phase == WALK_DONE)
            wire_put_ustring(out, slice_str("/"));
    }
    return w->phase != WALK_DONE;
}

static void range_free(struct walk_range *r)
{
    saved_free(&r->saved);
    mem_free(r->marks);
}

void tree_walk_end(struct tree_walk *w)
{
    if (w == NULL)
        return;
    struct tree_walk **at = &w->t->walks;
    while (*at != w)
        at = &(*at)->next;
    *at = w->next;
    range_free(&w->sessions);
    range_free(&w->acls);
    range_free(&w->nodes);
    mem_free(w->ancestors);
    mem_free(w->path);
    mem_free(w);
}
