/* Watches: three tables. A thing is what is watched: a node, by number, or a path without a node,
 * by text. An entry is one watcher on one thing with its modes; entries hang in a ring at their
 * thing and in a ring at their watcher, and are found by (thing, watcher). A watcher is a
 * connection with at least one entry.
 *
 * Entries with WATCH_RECURSIVE stand at the front of their thing's ring, so that changes below a
 * node do not look at its other watches. */
#include "base/museum.h"
#include "base/hash.h"
#include "base/mem.h"
#include "tree/tree_internal.h"

#define WATCH_MODE_BITS 8
#define WATCH_MODES 0x0fu
#define WATCHER_MAX (1u << 24)
/* In the mode bits of an entry: it is in by_pair. All entries of a thing are, or none: a ring of a
 * few is faster walked than indexed, and most things have one watcher, which this keeps at 64
 * bytes. */
#define ENTRY_INDEXED 0x80u
#define RING_WALKED_MAX 8

struct watch_entry {
    uint32_t thing_next, thing_prev;
    uint32_t mine_next, mine_prev;
    uint32_t thing;
    uint32_t who; /* record of the watcher << 8 | modes; 0 when free */
};

/* A path's text: length, then bytes. */
struct watch_path {
    uint32_t n;
    uint8_t p[];
};

struct watch_thing {
    node_id node;            /* NODE_NONE: there is no node at path */
    uint32_t first;          /* of its entries; 0 when free */
    struct watch_path *path; /* NULL when there is a node */
};

struct watcher {
    uint32_t number;
    uint32_t first; /* of its entries; 0 when free */
    uint32_t told;  /* serial of the last trigger that counted it */
};

static struct watch_entry *entry_at(const struct tree *t, uint32_t e)
{
    return slab_at(&t->watch.entries, e);
}

static struct watch_thing *thing_at(const struct tree *t, uint32_t i)
{
    return slab_at(&t->watch.things, i);
}

static struct watcher *watcher_at(const struct tree *t, uint32_t w)
{
    return slab_at(&t->watch.watchers, w);
}

static unsigned entry_modes(const struct watch_entry *e)
{
    return e->who & WATCH_MODES;
}

static uint32_t entry_watcher(const struct watch_entry *e)
{
    return e->who >> WATCH_MODE_BITS;
}

void watch_init(struct tree *t)
{
    struct watch_table *w = &t->watch;
    slab_init(&w->entries, sizeof(struct watch_entry));
    slab_init(&w->things, sizeof(struct watch_thing));
    slab_init(&w->watchers, sizeof(struct watcher));
    buckets_init(&w->by_pair);
    buckets_init(&w->by_thing);
    buckets_init(&w->by_number);
}

static size_t path_room(const struct watch_path *p)
{
    return sizeof *p + p->n;
}

void watch_fini(struct tree *t)
{
    struct watch_table *w = &t->watch;
    for (uint32_t i = 1; i < w->things.end; i++) {
        struct watch_path *p = thing_at(t, i)->path;
        if (p != NULL)
            pool_free(&t->pool, p, path_room(p));
    }
    buckets_fini(&w->by_pair);
    buckets_fini(&w->by_thing);
    buckets_fini(&w->by_number);
    slab_fini(&w->entries);
    slab_fini(&w->things);
    slab_fini(&w->watchers);
}

/* ---- things ---- */

static uint32_t node_key(const struct tree *t, node_id id)
{
    return (uint32_t)hash_u64(t->options.hash_key, id);
}

static uint32_t path_key(const struct tree *t, struct slice path)
{
    return (uint32_t)hash_slice(~t->options.hash_key, path);
}

static uint32_t thing_of_node(const struct tree *t, node_id id)
{
    if (!(node_at(t, id)->flags & NODE_WATCHED))
        return 0;
    uint32_t hash = node_key(t, id), i;
    struct bucket_probe probe = buckets_probe(&t->watch.by_thing, hash);
    do
        i = buckets_match(&probe, hash);
    while (i != 0 && thing_at(t, i)->node != id);
    return i;
}

static uint32_t thing_of_path(const struct tree *t, struct slice path)
{
    if (t->watch.missing == 0)
        return 0;
    uint32_t hash = path_key(t, path);
    struct bucket_probe probe = buckets_probe(&t->watch.by_thing, hash);
    for (uint32_t i = buckets_match(&probe, hash); i != 0; i = buckets_match(&probe, hash)) {
        const struct watch_path *p = thing_at(t, i)->path;
        if (p != NULL && slice_eq(slice_of(p->p, p->n), path))
            return i;
    }
    return 0;
}

static uint32_t thing_find(const struct tree *t, struct slice path)
{
    node_id id = tree_find(t, path);
    return id != NODE_NONE ? thing_of_node(t, id) : thing_of_path(t, path);
}

static uint32_t thing_key(const struct tree *t, const struct watch_thing *h)
{
    return h->path != NULL ? path_key(t, slice_of(h->path->p, h->path->n)) : node_key(t, h->node);
}

/* Files a thing under a node or, when that is NODE_NONE, under a path. */
static void thing_file(struct tree *t, uint32_t i, node_id id, struct slice path)
{
    struct watch_thing *h = thing_at(t, i);
    h->node = id;
    h->path = NULL;
    if (id != NODE_NONE) {
        node_at(t, id)->flags |= NODE_WATCHED;
        if (h->first != 0 && (entry_modes(entry_at(t, h->first)) & WATCH_RECURSIVE))
            node_at(t, id)->flags |= NODE_WATCHED_BELOW;
    } else {
        ASSERT(path.n <= UINT32_MAX);
        h->path = pool_alloc(&t->pool, sizeof *h->path + path.n);
        h->path->n = (uint32_t)path.n;
        if (path.n != 0)
            memcpy(h->path->p, path.p, path.n);
        t->watch.missing++;
    }
    buckets_insert(&t->watch.by_thing, i, thing_key(t, h));
}

static void thing_unfile(struct tree *t, uint32_t i)
{
    struct watch_thing *h = thing_at(t, i);
    buckets_remove(&t->watch.by_thing, i, thing_key(t, h));
    if (h->path != NULL) {
        pool_free(&t->pool, h->path, path_room(h->path));
        h->path = NULL;
        t->watch.missing--;
    } else {
        node_at(t, h->node)->flags &= ~(unsigned)(NODE_WATCHED | NODE_WATCHED_BELOW) & 0xff;
    }
    h->node = NODE_NONE;
}

void watch_node_created(struct tree *t, node_id id, struct slice path)
{
    uint32_t i = thing_of_path(t, path);
    if (LIKELY(i == 0))
        return;
    thing_unfile(t, i);
    thing_file(t, i, id, path);
}

void watch_node_deleted(struct tree *t, node_id id, struct slice path)
{
    uint32_t i = thing_of_node(t, id);
    if (LIKELY(i == 0))
        return;
    thing_unfile(t, i);
    thing_file(t, i, NODE_NONE, path);
}

/* ---- watchers ---- */

static uint32_t number_key(uint32_t number)
{
    return (uint32_t)hash_u64(0, number);
}

static uint32_t watcher_find(const struct tree *t, uint32_t number)
{
    uint32_t hash = number_key(number), w;
    struct bucket_probe probe = buckets_probe(&t->watch.by_number, hash);
    do
        w = buckets_match(&probe, hash);
    while (w != 0 && watcher_at(t, w)->number != number);
    return w;
}

static uint32_t watcher_need(struct tree *t, uint32_t number)
{
    uint32_t w = watcher_find(t, number);
    if (w != 0)
        return w;
    ASSERT(number < WATCHER_MAX);
    w = slab_take(&t->watch.watchers);
    ASSERT(w < WATCHER_MAX);
    *watcher_at(t, w) = (struct watcher){ .number = number };
    buckets_insert(&t->watch.by_number, w, number_key(number));
    return w;
}

/* ---- entries ---- */

static uint32_t pair_key(const struct tree *t, uint32_t thing, uint32_t w)
{
    return (uint32_t)hash_u64(t->options.hash_key, (uint64_t)thing << 32 | w);
}

static uint32_t entry_in_index(const struct tree *t, uint32_t thing, uint32_t w)
{
    uint32_t hash = pair_key(t, thing, w), e;
    struct bucket_probe probe = buckets_probe(&t->watch.by_pair, hash);
    do
        e = buckets_match(&probe, hash);
    while (e != 0 && (entry_at(t, e)->thing != thing || entry_watcher(entry_at(t, e)) != w));
    return e;
}

static bool thing_indexed(const struct tree *t, uint32_t thing)
{
    return (entry_at(t, thing_at(t, thing)->first)->who & ENTRY_INDEXED) != 0;
}

/* The thing has at least one entry. */
static uint32_t entry_find(const struct tree *t, uint32_t thing, uint32_t w)
{
    if (thing_indexed(t, thing))
        return entry_in_index(t, thing, w);
    uint32_t first = thing_at(t, thing)->first, e = first;
    do {
        if (entry_watcher(entry_at(t, e)) == w)
            return e;
        e = entry_at(t, e)->thing_next;
    } while (e != first);
    return 0;
}

static void entry_index(struct tree *t, uint32_t e)
{
    struct watch_entry *r = entry_at(t, e);
    r->who |= ENTRY_INDEXED;
    buckets_insert(&t->watch.by_pair, e, pair_key(t, r->thing, entry_watcher(r)));
}

/* A thing whose ring grows long is indexed from now on. */
static void thing_consider_index(struct tree *t, uint32_t thing)
{
    uint32_t first = thing_at(t, thing)->first, e = first;
    int count = 0;
    do {
        e = entry_at(t, e)->thing_next;
        count++;
    } while (e != first && count <= RING_WALKED_MAX);
    if (count <= RING_WALKED_MAX)
        return;
    do {
        entry_index(t, e);
        e = entry_at(t, e)->thing_next;
    } while (!(entry_at(t, e)->who & ENTRY_INDEXED));
}

static void thing_ring_add(struct tree *t, uint32_t e)
{
    struct watch_entry *r = entry_at(t, e);
    struct watch_thing *h = thing_at(t, r->thing);
    if (h->first == 0) {
        r->thing_next = r->thing_prev = e;
        h->first = e;
    } else {
        struct watch_entry *first = entry_at(t, h->first);
        r->thing_next = h->first;
        r->thing_prev = first->thing_prev;
        entry_at(t, first->thing_prev)->thing_next = e;
        first->thing_prev = e;
    }
    if (entry_modes(r) & WATCH_RECURSIVE) {
        h->first = e;
        if (h->node != NODE_NONE)
            node_at(t, h->node)->flags |= NODE_WATCHED_BELOW;
    }
}

static void thing_ring_remove(struct tree *t, uint32_t e)
{
    struct watch_entry *r = entry_at(t, e);
    struct watch_thing *h = thing_at(t, r->thing);
    if (h->first == e)
        h->first = r->thing_next == e ? 0 : r->thing_next;
    entry_at(t, r->thing_prev)->thing_next = r->thing_next;
    entry_at(t, r->thing_next)->thing_prev = r->thing_prev;
}

static void watcher_ring_add(struct tree *t, uint32_t e)
{
    struct watch_entry *r = entry_at(t, e);
    struct watcher *w = watcher_at(t, entry_watcher(r));
    if (w->first == 0) {
        r->mine_next = r->mine_prev = e;
        w->first = e;
        return;
    }
    struct watch_entry *first = entry_at(t, w->first);
    r->mine_next = w->first;
    r->mine_prev = first->mine_prev;
    entry_at(t, first->mine_prev)->mine_next = e;
    first->mine_prev = e;
}

static void watcher_ring_remove(struct tree *t, uint32_t e)
{
    struct watch_entry *r = entry_at(t, e);
    struct watcher *w = watcher_at(t, entry_watcher(r));
    if (w->first == e)
        w->first = r->mine_next == e ? 0 : r->mine_next;
    entry_at(t, r->mine_prev)->mine_next = r->mine_next;
    entry_at(t, r->mine_next)->mine_prev = r->mine_prev;
}

static void entry_remove(struct tree *t, uint32_t e)
{
    struct watch_table *w = &t->watch;
    struct watch_entry *r = entry_at(t, e);
    uint32_t thing = r->thing, watcher = entry_watcher(r);
    w->watches -= __builtin_popcount(entry_modes(r));
    w->recursive -= (entry_modes(r) & WATCH_RECURSIVE) != 0;
    if (r->who & ENTRY_INDEXED)
        buckets_remove(&w->by_pair, e, pair_key(t, thing, watcher));
    thing_ring_remove(t, e);
    watcher_ring_remove(t, e);
    r->who = 0;
    slab_give(&w->entries, e);
    if (thing_at(t, thing)->first == 0) {
        thing_unfile(t, thing);
        slab_give(&w->things, thing);
    }
    if (watcher_at(t, watcher)->first == 0) {
        buckets_remove(&w->by_number, watcher, number_key(watcher_at(t, watcher)->number));
        slab_give(&w->watchers, watcher);
    }
}

/* Changes the modes of an entry; without any it goes. */
static void entry_modes_set(struct tree *t, uint32_t e, unsigned modes)
{
    struct watch_entry *r = entry_at(t, e);
    unsigned before = entry_modes(r);
    if (modes == before)
        return;
    if (modes == 0) {
        entry_remove(t, e);
        return;
    }
    bool moves = ((before ^ modes) & WATCH_RECURSIVE) != 0;
    if (moves)
        thing_ring_remove(t, e);
    t->watch.watches += __builtin_popcount(modes) - __builtin_popcount(before);
    t->watch.recursive += ((modes & WATCH_RECURSIVE) != 0);
    t->watch.recursive -= ((before & WATCH_RECURSIVE) != 0);
    r->who = (r->who & ~WATCH_MODES) | modes;
    if (moves)
        thing_ring_add(t, e);
}

/* ---- what requests do ---- */

void watch_add(struct tree *t, uint32_t watcher, struct slice path, unsigned modes)
{
    ASSERT(modes != 0 && modes <= WATCH_MODES);
    struct watch_table *tab = &t->watch;
    node_id id = tree_find(t, path);
    uint32_t thing = id != NODE_NONE ? thing_of_node(t, id) : thing_of_path(t, path);
    uint32_t w = watcher_need(t, watcher);
    if (thing == 0) {
        thing = slab_take(&tab->things);
        *thing_at(t, thing) = (struct watch_thing){ 0 };
        thing_file(t, thing, id, path);
    } else {
        uint32_t e = entry_find(t, thing, w);
        if (e != 0) {
            entry_modes_set(t, e, entry_modes(entry_at(t, e)) | modes);
            return;
        }
    }
    uint32_t e = slab_take(&tab->entries);
    *entry_at(t, e) = (struct watch_entry){ .thing = thing, .who = w << WATCH_MODE_BITS | modes };
    bool indexed = thing_at(t, thing)->first != 0 && thing_indexed(t, thing);
    thing_ring_add(t, e);
    watcher_ring_add(t, e);
    if (indexed)
        entry_index(t, e);
    else
        thing_consider_index(t, thing);
    tab->watches += __builtin_popcount(modes);
    tab->recursive += (modes & WATCH_RECURSIVE) != 0;
}

static uint32_t entry_of(const struct tree *t, uint32_t watcher, struct slice path)
{
    uint32_t w = watcher_find(t, watcher);
    uint32_t thing = w == 0 ? 0 : thing_find(t, path);
    return thing == 0 ? 0 : entry_find(t, thing, w);
}

unsigned watch_modes(const struct tree *t, uint32_t watcher, struct slice path)
{
    uint32_t e = entry_of(t, watcher, path);
    return e == 0 ? 0 : entry_modes(entry_at(t, e));
}

unsigned watch_remove(struct tree *t, uint32_t watcher, struct slice path, unsigned modes)
{
    uint32_t e = entry_of(t, watcher, path);
    if (e == 0)
        return 0;
    unsigned had = entry_modes(entry_at(t, e));
    entry_modes_set(t, e, had & ~modes);
    return had & modes;
}

void watch_drop_watcher(struct tree *t, uint32_t watcher)
{
    for (uint32_t w = watcher_find(t, watcher); w != 0;) {
        uint32_t e = watcher_at(t, w)->first;
        bool last = entry_at(t, e)->mine_next == e;
        entry_remove(t, e);
        if (last)
            return;
    }
}

struct watch_counts watch_counts(const struct tree *t)
{
    return (struct watch_counts){ t->watch.watches, t->watch.things.live, t->watch.watchers.live };
}

/* ---- listing ---- */

static struct slice thing_path(const struct tree *t, uint32_t i, struct buf *scratch)
{
    const struct watch_thing *h = thing_at(t, i);
    if (h->path != NULL)
        return slice_of(h->path->p, h->path->n);
    if (h->node == NODE_ROOT)
        return slice_str("/");
    buf_reset(scratch);
    tree_put_path(t, h->node, scratch);
    return buf_slice(scratch);
}

bool watch_list(const struct tree *t, uint64_t *cursor, size_t max,
                void (*fn)(void *ctx, uint32_t watcher, struct slice path, unsigned modes), void *ctx)
{
    const struct slab *s = &t->watch.entries;
    struct buf path;
    buf_init(&path, SIZE_MAX);
    uint64_t e = *cursor == 0 ? 1 : *cursor;
    uint64_t stop = e + max + SLAB_CHUNK_RECORDS; /* free records cost time too */
    for (size_t shown = 0; e < s->end && e < stop && shown < max; e++) {
        const struct watch_entry *r = entry_at(t, (uint32_t)e);
        if (r->who == 0)
            continue;
        fn(ctx, watcher_at(t, entry_watcher(r))->number, thing_path(t, r->thing, &path), entry_modes(r));
        shown++;
    }
    *cursor = e;
    buf_fini(&path);
    return e < s->end;
}

struct watch_counts watch_counts_of(const struct tree *t, unsigned modes)
{
    struct watch_counts n = { 0 };
    for (uint32_t i = 1; i < t->watch.things.end; i++) {
        uint32_t first = thing_at(t, i)->first, e = first;
        int64_t before = n.watches;
        if (first == 0)
            continue;
        do {
            n.watches += (entry_modes(entry_at(t, e)) & modes) != 0;
            e = entry_at(t, e)->thing_next;
        } while (e != first);
        n.paths += n.watches != before;
    }
    for (uint32_t w = 1; w < t->watch.watchers.end; w++) {
        uint32_t first = watcher_at(t, w)->first, e = first;
        if (first == 0)
            continue;
        while (!(entry_modes(entry_at(t, e)) & modes) && entry_at(t, e)->mine_next != first)
            e = entry_at(t, e)->mine_next;
        n.watchers += (entry_modes(entry_at(t, e)) & modes) != 0;
    }
    return n;
}

void watch_cursor_empty(struct watch_cursor *c)
{
    c->count = c->at = 0;
}

void watch_cursor_fini(struct watch_cursor *c)
{
    mem_free(c->entries);
    buf_fini(&c->text);
    *c = (struct watch_cursor){ 0 };
}

static void cursor_begin(struct watch_cursor *c, bool by_path)
{
    if (c->text.limit == 0)
        buf_init(&c->text, SIZE_MAX);
    c->by_path = by_path;
    watch_cursor_empty(c);
}

/* The ring of a watcher or a thing. */
static void cursor_gather(const struct tree *t, struct watch_cursor *c, uint32_t first, unsigned modes)
{
    uint32_t e = first;
    do {
        const struct watch_entry *r = entry_at(t, e);
        if (c->count == c->cap) {
            c->cap = c->cap == 0 ? 64 : c->cap * 2;
            c->entries = mem_realloc(c->entries, c->cap * sizeof *c->entries);
        }
        if (entry_modes(r) & modes)
            c->entries[c->count++] = e;
        e = c->by_path ? r->thing_next : r->mine_next;
    } while (e != first);
}

void watch_cursor_of(const struct tree *t, struct watch_cursor *c, uint32_t watcher, unsigned modes)
{
    uint32_t w = watcher_find(t, watcher);
    cursor_begin(c, false);
    c->watcher = watcher;
    if (w != 0)
        cursor_gather(t, c, watcher_at(t, w)->first, modes);
}

bool watch_cursor_of_path(const struct tree *t, struct watch_cursor *c, uint64_t *position, unsigned modes)
{
    const struct slab *s = &t->watch.things;
    uint64_t i = *position == 0 ? 1 : *position;
    uint64_t stop = i + SLAB_CHUNK_RECORDS; /* free records cost time too */
    cursor_begin(c, true);
    for (; i < s->end && i < stop && c->count == 0; i++) {
        const struct watch_thing *h = thing_at(t, (uint32_t)i);
        if (h->first == 0)
            continue;
        c->thing = (uint32_t)i;
        c->node = h->node;
        c->path = h->path;
        cursor_gather(t, c, h->first, modes);
    }
    *position = i;
    if (c->count != 0) {
        struct slice path = thing_path(t, c->thing, &c->text);
        if (path.p != c->text.p) {
            buf_reset(&c->text);
            buf_append_slice(&c->text, path);
        }
    }
    return i < s->end;
}

/* Records are used again: an entry counts if it belongs to what was gathered, whichever watch it is now. */
bool watch_cursor_next(const struct tree *t, struct watch_cursor *c, unsigned modes, struct watch_seen *out)
{
    while (c->at < c->count) {
        uint32_t e = c->entries[c->at++];
        const struct watch_entry *r = e < t->watch.entries.end ? entry_at(t, e) : NULL;
        if (r == NULL || r->who == 0 || !(entry_modes(r) & modes))
            continue;
        const struct watch_thing *h = thing_at(t, r->thing);
        uint32_t number = watcher_at(t, entry_watcher(r))->number;
        bool mine =
            c->by_path ? r->thing == c->thing && h->node == c->node && h->path == c->path : number == c->watcher;
        if (!mine)
            continue;
        out->watcher = number;
        out->path = c->by_path ? buf_slice(&c->text) : thing_path(t, r->thing, &c->text);
        out->modes = entry_modes(r);
        return true;
    }
    return false;
}

/* ---- triggers ---- */

struct hits {
    struct arena *arena;
    uint32_t *p;
    uint32_t n, cap;
};

static void hits_add(struct hits *h, uint32_t number)
{
    if (h->n == h->cap) {
        uint32_t cap = h->cap == 0 ? 8 : h->cap * 2;
        uint32_t *p = arena_alloc(h->arena, cap * sizeof *p);
        if (h->n != 0)
            memcpy(p, h->p, h->n * sizeof *p);
        h->p = p;
        h->cap = cap;
    }
    h->p[h->n++] = number;
}

static void serial_next(struct tree *t)
{
    if (++t->watch.serial != 0)
        return;
    for (uint32_t w = 1; w < t->watch.watchers.end; w++)
        watcher_at(t, w)->told = 0;
    t->watch.serial = 1;
}

static void tell(struct tree *t, struct hits *h, uint32_t e)
{
    struct watcher *w = watcher_at(t, entry_watcher(entry_at(t, e)));
    if (w->told == t->watch.serial)
        return;
    w->told = t->watch.serial;
    hits_add(h, w->number);
}

/* Tells the watchers of a node that have one of the modes, and takes away those of the modes that
 * fire once. */
static void fire_exact(struct tree *t, struct hits *h, node_id id, unsigned modes)
{
    uint32_t thing = thing_of_node(t, id);
    if (thing == 0)
        return;
    uint32_t e = thing_at(t, thing)->first;
    uint32_t tail = entry_at(t, e)->thing_prev;
    for (;;) {
        uint32_t next = entry_at(t, e)->thing_next;
        bool last = e == tail;
        unsigned have = entry_modes(entry_at(t, e));
        if (have & modes) {
            tell(t, h, e);
            entry_modes_set(t, e, have & ~(modes & (WATCH_DATA | WATCH_CHILD)));
        }
        if (last) /* the thing may be gone with its last entry */
            return;
        e = next;
    }
}

/* Tells the recursive watchers of the nodes above. */
static void fire_above(struct tree *t, struct hits *h, node_id id)
{
    if (t->watch.recursive == 0)
        return;
    for (node_id n = node_at(t, id)->parent; n != NODE_NONE; n = node_at(t, n)->parent) {
        if (LIKELY(!(node_at(t, n)->flags & NODE_WATCHED_BELOW)))
            continue;
        if (SIM_BUG(watch_on_parent_lost) && n != node_at(t, id)->parent)
            return;
        uint32_t first = thing_at(t, thing_of_node(t, n))->first, e = first;
        if (!(entry_modes(entry_at(t, e)) & WATCH_RECURSIVE))
            node_at(t, n)->flags &= ~(unsigned)NODE_WATCHED_BELOW & 0xff; /* the last one has left */
        while (entry_modes(entry_at(t, e)) & WATCH_RECURSIVE) {
            tell(t, h, e);
            e = entry_at(t, e)->thing_next;
            if (e == first)
                break;
        }
    }
}

static void event_add(struct applying *a, int32_t type, node_id id, struct slice path, const struct hits *h)
{
    struct tree_applied *out = a->out;
    if (out->event_count == a->event_cap) {
        uint32_t cap = a->event_cap == 0 ? 4 : a->event_cap * 2;
        struct tree_event *events = arena_alloc(a->arena, cap * sizeof *events);
        if (out->event_count != 0)
            memcpy(events, out->events, out->event_count * sizeof *events);
        out->events = events;
        a->event_cap = cap;
    }
    struct wire_vec acl = tree_acl(a->t, id);
    acl.raw = arena_dup(a->arena, acl.raw); /* a later part of a multi may drop the list */
    out->events[out->event_count++] = (struct tree_event){
        .type = type,
        .path = path.n == 0 ? slice_str("/") : path,
        .acl = acl,
        .watchers = h->p,
        .watcher_count = h->n,
    };
}

void watch_fire(struct applying *a, int32_t type, node_id id, struct slice path)
{
    struct tree *t = a->t;
    if (LIKELY(t->watch.entries.live == 0) || a->arena == NULL)
        return;
    struct hits h = { .arena = a->arena };
    serial_next(t);
    if (type == WIRE_EVENT_CHILDREN_CHANGED) {
        fire_exact(t, &h, id, WATCH_CHILD | WATCH_PERSISTENT);
    } else {
        fire_exact(t, &h, id, WATCH_DATA | WATCH_PERSISTENT | WATCH_RECURSIVE);
        fire_above(t, &h, id);
        /* The child table hears of a delete after the data table, and only who was not told yet. */
        if (type == WIRE_EVENT_DELETED)
            fire_exact(t, &h, id, WATCH_CHILD);
    }
    if (h.n != 0)
        event_add(a, type, id, path, &h);
}

void watch_check(const struct tree *t)
{
    const struct watch_table *w = &t->watch;
    int64_t watches = 0;
    uint32_t entries = 0, things = 0, missing = 0, recursive = 0, mine = 0, watchers = 0;
    for (uint32_t i = 1; i < w->things.end; i++) {
        const struct watch_thing *h = thing_at(t, i);
        if (h->first == 0)
            continue;
        things++;
        missing += h->path != NULL;
        ASSERT((h->node == NODE_NONE) == (h->path != NULL));
        if (h->node != NODE_NONE)
            ASSERT(thing_of_node(t, h->node) == i);
        else
            ASSERT(thing_find(t, slice_of(h->path->p, h->path->n)) == i);
        uint32_t e = h->first;
        bool plain_seen = false;
        do {
            const struct watch_entry *r = entry_at(t, e);
            bool rec = (entry_modes(r) & WATCH_RECURSIVE) != 0;
            ASSERT(r->thing == i && entry_modes(r) != 0 && entry_find(t, i, entry_watcher(r)) == e);
            ASSERT(!(rec && plain_seen));
            ASSERT(!rec || h->node == NODE_NONE || (node_at(t, h->node)->flags & NODE_WATCHED_BELOW));
            plain_seen |= !rec;
            recursive += rec;
            watches += __builtin_popcount(entry_modes(r));
            entries++;
            ASSERT(entry_at(t, r->thing_next)->thing_prev == e);
            e = r->thing_next;
        } while (e != h->first);
    }
    for (uint32_t i = 1; i < w->watchers.end; i++) {
        uint32_t e = watcher_at(t, i)->first;
        if (e == 0)
            continue;
        watchers++;
        ASSERT(watcher_find(t, watcher_at(t, i)->number) == i);
        do {
            ASSERT(entry_watcher(entry_at(t, e)) == i);
            mine++;
            e = entry_at(t, e)->mine_next;
        } while (e != watcher_at(t, i)->first);
    }
    ASSERT(entries == w->entries.live && mine == entries && things == w->things.live);
    ASSERT(watchers == w->watchers.live && missing == w->missing && recursive == w->recursive);
    ASSERT(watches == w->watches);
}
