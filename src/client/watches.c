#include "client/watches.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/museum.h"
#include "wire/path.h"
#include "wire/proto.h"
#include "wire/records.h"
#include <stdlib.h>

struct client_watch_list {
    struct client_watcher *p;
    uint32_t n, cap;
};

struct client_watch_node {
    struct client_watch_node *next;
    uint64_t hash;
    struct client_watch_list lists[CLIENT_WATCH_KINDS];
    size_t n;
    uint8_t path[];
};

void client_watches_init(struct client_watches *w, uint64_t key)
{
    *w = (struct client_watches){ .key = key };
}

void client_watches_fini(struct client_watches *w)
{
    for (size_t i = 0; i < w->bucket_count; i++) {
        for (struct client_watch_node *n = w->buckets[i], *next; n != NULL; n = next) {
            next = n->next;
            for (int k = 0; k < CLIENT_WATCH_KINDS; k++)
                mem_free(n->lists[k].p);
            mem_free(n);
        }
    }
    mem_free(w->buckets);
    *w = (struct client_watches){ .key = w->key };
}

static struct client_watch_node **find(const struct client_watches *w, struct slice path)
{
    if (w->bucket_count == 0)
        return NULL;
    uint64_t hash = hash_slice(w->key, path);
    struct client_watch_node **at = &w->buckets[hash & (w->bucket_count - 1)];
    for (; *at != NULL; at = &(*at)->next) {
        if ((*at)->hash == hash && slice_eq(slice_of((*at)->path, (*at)->n), path))
            return at;
    }
    return NULL;
}

static void grow(struct client_watches *w)
{
    size_t count = w->bucket_count == 0 ? 16 : w->bucket_count * 2;
    struct client_watch_node **buckets = mem_zalloc(count * sizeof(struct client_watch_node *));
    for (size_t i = 0; i < w->bucket_count; i++) {
        for (struct client_watch_node *n = w->buckets[i], *next; n != NULL; n = next) {
            next = n->next;
            n->next = buckets[n->hash & (count - 1)];
            buckets[n->hash & (count - 1)] = n;
        }
    }
    mem_free(w->buckets);
    w->buckets = buckets;
    w->bucket_count = count;
}

static bool same(const struct client_watcher *a, const struct client_watcher *b)
{
    return a->fn == b->fn && a->ctx == b->ctx;
}

void client_watches_add(struct client_watches *w, enum client_watch_kind kind, struct slice path,
                        struct client_watcher watcher)
{
    struct client_watch_node **at = find(w, path), *n;
    if (at != NULL) {
        n = *at;
    } else {
        if (w->node_count >= w->bucket_count)
            grow(w);
        n = mem_zalloc(sizeof(*n) + path.n);
        n->hash = hash_slice(w->key, path);
        n->n = path.n;
        memcpy(n->path, path.p, path.n);
        n->next = w->buckets[n->hash & (w->bucket_count - 1)];
        w->buckets[n->hash & (w->bucket_count - 1)] = n;
        w->node_count++;
    }
    struct client_watch_list *l = &n->lists[kind];
    for (uint32_t i = 0; i < l->n; i++) {
        if (same(&l->p[i], &watcher))
            return;
    }
    if (l->n == l->cap) {
        l->cap = l->cap == 0 ? 1 : l->cap * 2;
        l->p = mem_realloc(l->p, l->cap * sizeof(*l->p));
    }
    if (l->n == 0)
        w->counts[kind]++;
    l->p[l->n++] = watcher;
}

static void empty_list(struct client_watches *w, struct client_watch_node *n, int kind)
{
    if (n->lists[kind].n > 0)
        w->counts[kind]--;
    n->lists[kind].n = 0;
}

static void drop_if_unused(struct client_watches *w, struct client_watch_node **at)
{
    struct client_watch_node *n = *at;
    for (int k = 0; k < CLIENT_WATCH_KINDS; k++) {
        if (n->lists[k].n > 0)
            return;
    }
    *at = n->next;
    w->node_count--;
    for (int k = 0; k < CLIENT_WATCH_KINDS; k++)
        mem_free(n->lists[k].p);
    mem_free(n);
}

/* A list that is made: room for cap, doubles not yet removed. */
struct gathered {
    struct client_watchers *list;
    size_t cap;
};

static void gather(struct gathered *g, const struct client_watch_list *l)
{
    size_t n = g->list == NULL ? 0 : g->list->n;
    if (l->n == 0)
        return;
    if (n + l->n > g->cap) {
        g->cap = (n + l->n) * 2;
        g->list = mem_realloc(g->list, sizeof(*g->list) + g->cap * sizeof(struct client_watcher));
    }
    memcpy(&g->list->p[n], l->p, l->n * sizeof(struct client_watcher));
    g->list->n = n + l->n;
}

static int by_value(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(struct client_watcher));
}

/* Removes doubles from the watchers behind the first `from`; few are compared in order, many are sorted. */
static void unique(struct client_watchers *l, size_t from)
{
    size_t n = from;
    if (l->n - from > 16)
        qsort(&l->p[from], l->n - from, sizeof(l->p[0]), by_value);
    bool sorted = l->n - from > 16;
    for (size_t i = from; i < l->n; i++) {
        bool seen = from > 0 && same(&l->p[0], &l->p[i]);
        for (size_t k = sorted && n > from ? n - 1 : from; !seen && k < n; k++)
            seen = same(&l->p[k], &l->p[i]);
        if (!seen)
            l->p[n++] = l->p[i];
    }
    l->n = n;
}

/* Kinds that hear of a type at the path itself, and those of them that are used up by it. */
static unsigned kinds_of(int32_t type)
{
    const unsigned lasting = CLIENT_WATCH_BIT(CLIENT_WATCH_PERSISTENT) | CLIENT_WATCH_BIT(CLIENT_WATCH_RECURSIVE);
    switch (type) {
    case WIRE_EVENT_CREATED:
    case WIRE_EVENT_DATA_CHANGED:
        return CLIENT_WATCH_BIT(CLIENT_WATCH_DATA) | CLIENT_WATCH_BIT(CLIENT_WATCH_EXIST) | lasting;
    case WIRE_EVENT_DELETED:
        return CLIENT_WATCH_ANY;
    case WIRE_EVENT_CHILDREN_CHANGED:
        return CLIENT_WATCH_BIT(CLIENT_WATCH_CHILD) | CLIENT_WATCH_BIT(CLIENT_WATCH_PERSISTENT);
    default:
        return 0;
    }
}

struct client_watchers *client_watches_fire(struct client_watches *w, int32_t type, struct slice path)
{
    struct gathered g = { 0 };
    unsigned kinds = kinds_of(type);
    struct client_watch_node **at = find(w, path);
    if (at != NULL) {
        for (int k = 0; k < CLIENT_WATCH_KINDS; k++) {
            if ((kinds & CLIENT_WATCH_BIT(k)) == 0)
                continue;
            gather(&g, &(*at)->lists[k]);
            if (k < (SIM_BUG(library_watch_stays) ? CLIENT_WATCH_CHILD : CLIENT_WATCH_PERSISTENT))
                empty_list(w, *at, k);
        }
        drop_if_unused(w, at);
    }
    bool climb = w->counts[CLIENT_WATCH_RECURSIVE] > 0 && (kinds & CLIENT_WATCH_BIT(CLIENT_WATCH_RECURSIVE)) != 0;
    while (climb && path.n > 1 && path.p[0] == '/') {
        path = path_parent(path);
        if (path.n == 0)
            path = slice_str("/");
        at = find(w, path);
        if (at != NULL)
            gather(&g, &(*at)->lists[CLIENT_WATCH_RECURSIVE]);
    }
    if (g.list != NULL)
        unique(g.list, 0);
    return g.list;
}

struct client_watchers *client_watches_all(const struct client_watches *w, struct client_watcher first)
{
    struct gathered g = { 0 };
    struct client_watch_list one = { .p = &first, .n = 1 };
    size_t from = first.fn != NULL;
    if (from > 0)
        gather(&g, &one);
    for (size_t i = 0; i < w->bucket_count; i++) {
        for (const struct client_watch_node *n = w->buckets[i]; n != NULL; n = n->next) {
            for (int k = 0; k < CLIENT_WATCH_KINDS; k++)
                gather(&g, &n->lists[k]);
        }
    }
    if (g.list != NULL)
        unique(g.list, from);
    return g.list;
}

bool client_watches_have(const struct client_watches *w, struct slice path, unsigned kinds,
                         const struct client_watcher *watcher)
{
    struct client_watch_node **at = find(w, path);
    for (int k = 0; at != NULL && k < CLIENT_WATCH_KINDS; k++) {
        const struct client_watch_list *l = &(*at)->lists[k];
        if ((kinds & CLIENT_WATCH_BIT(k)) == 0)
            continue;
        for (uint32_t i = 0; i < l->n; i++) {
            if (watcher == NULL || same(&l->p[i], watcher))
                return true;
        }
    }
    return false;
}

bool client_watches_others(const struct client_watches *w, struct slice path, unsigned kinds,
                           const struct client_watcher *watcher)
{
    struct client_watch_node **at = find(w, path);
    for (int k = 0; at != NULL && watcher != NULL && k < CLIENT_WATCH_KINDS; k++) {
        const struct client_watch_list *l = &(*at)->lists[k];
        if ((kinds & CLIENT_WATCH_BIT(k)) == 0)
            continue;
        for (uint32_t i = 0; i < l->n; i++) {
            if (!same(&l->p[i], watcher))
                return true;
        }
    }
    return false;
}

unsigned client_watches_remove(struct client_watches *w, struct slice path, unsigned kinds,
                               const struct client_watcher *watcher)
{
    struct client_watch_node **at = find(w, path);
    unsigned emptied = 0;
    if (at == NULL)
        return 0;
    for (int k = 0; k < CLIENT_WATCH_KINDS; k++) {
        struct client_watch_list *l = &(*at)->lists[k];
        uint32_t kept = 0;
        if ((kinds & CLIENT_WATCH_BIT(k)) == 0 || l->n == 0)
            continue;
        for (uint32_t i = 0; i < l->n && watcher != NULL; i++) {
            if (!same(&l->p[i], watcher))
                l->p[kept++] = l->p[i];
        }
        if (kept == 0) {
            empty_list(w, *at, k);
            emptied |= CLIENT_WATCH_BIT(k);
        }
        l->n = kept;
    }
    drop_if_unused(w, at);
    return emptied;
}

/* The paths of one frame that is being filled. */
struct batch {
    struct buf lists[CLIENT_WATCH_KINDS];
    int32_t counts[CLIENT_WATCH_KINDS];
    size_t bytes;
};

static void batch_put(struct batch *b, struct buf *out, int64_t last_zxid)
{
    bool lasting = b->counts[CLIENT_WATCH_PERSISTENT] > 0 || b->counts[CLIENT_WATCH_RECURSIVE] > 0;
    struct wire_vec v[CLIENT_WATCH_KINDS];
    for (int k = 0; k < CLIENT_WATCH_KINDS; k++)
        v[k] = (struct wire_vec){ .count = b->counts[k], .raw = buf_slice(&b->lists[k]) };
    const struct wire_request_header h = { .xid = WIRE_XID_SET_WATCHES,
                                           .type = lasting ? WIRE_OP_SET_WATCHES2 : WIRE_OP_SET_WATCHES };
    const struct wire_set_watches_request one = { .relative_zxid = last_zxid,
                                                  .data = v[CLIENT_WATCH_DATA],
                                                  .exist = v[CLIENT_WATCH_EXIST],
                                                  .child = v[CLIENT_WATCH_CHILD] };
    const struct wire_set_watches2_request two = { .relative_zxid = last_zxid,
                                                   .data = one.data,
                                                   .exist = one.exist,
                                                   .child = one.child,
                                                   .persistent = v[CLIENT_WATCH_PERSISTENT],
                                                   .recursive = v[CLIENT_WATCH_RECURSIVE] };
    size_t n = wire_size_request_header(&h);
    n += lasting ? wire_size_set_watches2_request(&two) : wire_size_set_watches_request(&one);
    wire_put_i32(out, (int32_t)n);
    wire_put_request_header(out, &h);
    if (lasting)
        wire_put_set_watches2_request(out, &two);
    else
        wire_put_set_watches_request(out, &one);
    for (int k = 0; k < CLIENT_WATCH_KINDS; k++) {
        buf_reset(&b->lists[k]);
        b->counts[k] = 0;
    }
    b->bytes = 0;
}

size_t client_watches_rearm(const struct client_watches *w, struct buf *out, int64_t last_zxid, size_t batch_bytes)
{
    struct batch b = { 0 };
    size_t frames = 0;
    for (int k = 0; k < CLIENT_WATCH_KINDS; k++)
        buf_init(&b.lists[k], SIZE_MAX);
    for (size_t i = 0; i < w->bucket_count; i++) {
        for (const struct client_watch_node *n = w->buckets[i]; n != NULL; n = n->next) {
            for (int k = 0; k < CLIENT_WATCH_KINDS; k++) {
                if (n->lists[k].n == 0 || (SIM_BUG(library_forgets_exists) && k == CLIENT_WATCH_EXIST))
                    continue;
                if (b.bytes > 0 && b.bytes + n->n > batch_bytes) {
                    batch_put(&b, out, last_zxid);
                    frames++;
                }
                wire_put_ustring(&b.lists[k], slice_of(n->path, n->n));
                b.counts[k]++;
                b.bytes += n->n;
            }
        }
    }
    if (b.bytes > 0) {
        batch_put(&b, out, last_zxid);
        frames++;
    }
    for (int k = 0; k < CLIENT_WATCH_KINDS; k++)
        buf_fini(&b.lists[k]);
    return frames;
}
