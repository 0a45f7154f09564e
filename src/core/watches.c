/* watches: the requests that set, ask for and take away watches, and the delivery of events (client specification 6).
 * A watcher's number is its connection's. */
#include "base/museum.h"
#include "core/internal.h"

/* Modes that a watcher type of checkWatches and removeWatches speaks of; 0 for an unknown type. */
static unsigned modes_of_type(int32_t type)
{
    switch (type) {
    case WIRE_WATCHER_CHILDREN:
        return WATCH_CHILD;
    case WIRE_WATCHER_DATA:
        return WATCH_DATA;
    case WIRE_WATCHER_ANY:
        return WATCH_CHILD | WATCH_DATA | WATCH_PERSISTENT | WATCH_RECURSIVE;
    case WIRE_WATCHER_PERSISTENT:
        return WATCH_PERSISTENT;
    case WIRE_WATCHER_PERSISTENT_RECURSIVE:
        return WATCH_RECURSIVE;
    default:
        return 0;
    }
}

static int read_kind(struct wire_reader *r, struct wire_path_kind_request *q)
{
    *q = wire_get_path_kind_request(r);
    return r->err != 0 || slice_is_null(q->path) ? ERR_MARSHALLING : 0;
}

int read_check_watches(struct core *c, struct conn *k, struct wire_reader *r, struct buf *body)
{
    (void)body;
    struct wire_path_kind_request q;
    int rc = read_kind(r, &q);
    unsigned modes = modes_of_type(q.kind);
    if (rc != 0 || modes == 0)
        return ERR_MARSHALLING;
    return (watch_modes(c->tree, k->id, q.path) & modes) != 0 ? 0 : ERR_NO_WATCHER;
}

int read_remove_watches(struct core *c, struct conn *k, struct wire_reader *r, struct buf *body)
{
    (void)body;
    struct wire_path_kind_request q;
    int rc = read_kind(r, &q);
    unsigned modes = modes_of_type(q.kind);
    if (rc != 0 || modes == 0)
        return ERR_MARSHALLING;
    return watch_remove(c->tree, k->id, q.path, modes) != 0 ? 0 : ERR_NO_WATCHER;
}

/* No existence and no permission is asked: what may not be seen is filtered when an event is delivered. */
int read_add_watch(struct core *c, struct conn *k, struct wire_reader *r, struct buf *body)
{
    struct wire_path_kind_request q;
    int rc = read_kind(r, &q);
    if (rc != 0 || q.kind < 0 || q.kind > 1)
        return ERR_MARSHALLING;
    watch_add(c->tree, k->id, q.path, q.kind == 0 ? WATCH_PERSISTENT : WATCH_RECURSIVE);
    wire_put_i32(body, 0);
    return 0;
}

/* ---- events ---- */

/* One event frame, encoded once for all its receivers. */
static uint8_t *encode_event(struct core *c, int32_t type, struct slice path, int64_t zxid, size_t *frame_n)
{
    size_t n = 16 + 8 + 4 + path.n;
    uint8_t *p = out_bytes(c, 4 + n);
    store_be32(p, (uint32_t)n);
    store_be32(p + 4, (uint32_t)WIRE_XID_NOTIFICATION);
    store_be64(p + 8, (uint64_t)zxid);
    store_be32(p + 16, 0);
    store_be32(p + 20, (uint32_t)type);
    store_be32(p + 24, WIRE_STATE_SYNC_CONNECTED);
    store_be32(p + 28, (uint32_t)path.n);
    if (path.n != 0)
        memcpy(p + 32, path.p, path.n);
    *frame_n = 4 + n;
    return p;
}

static void send_event(struct core *c, struct conn *k, const uint8_t *frame, size_t n)
{
    out_send_shared(c, k->id, frame, n);
    k->packets_sent++;
    c->stats.packets_sent++;
    c->stats.bytes_sent += (int64_t)n - 4;
    c->stats.event_bytes_sent += (int64_t)n - 4;
}

static void count_event(struct core *c, const struct tree_event *e)
{
    struct core_stats *s = &c->stats;
    struct summary *counts = e->type == WIRE_EVENT_CREATED        ? &s->created_watches
                             : e->type == WIRE_EVENT_DELETED      ? &s->deleted_watches
                             : e->type == WIRE_EVENT_DATA_CHANGED ? &s->changed_watches
                                                                  : &s->children_watches;
    summary_add(counts, e->watcher_count);
}

/* CVE-2024-23944: who lacks READ on the node as it was in the transaction is not told of it. */
void watches_notify(struct core *c, const struct tree_applied *a, int64_t zxid)
{
    for (uint32_t i = 0; i < a->event_count; i++) {
        const struct tree_event *e = &a->events[i];
        size_t n = 0;
        count_event(c, e);
        const uint8_t *frame = encode_event(c, e->type, e->path, zxid, &n);
        bool world = c->opt.skip_acl || acl_world_can_read(e->acl);
        for (uint32_t w = 0; w < e->watcher_count; w++) {
            if (SIM_BUG(watch_lost) && (zxid + w) % 16 == 0)
                continue;
            struct conn *k = conn_get(c, e->watchers[w]);
            if (k == NULL)
                continue;
            k->auth_count_now = k->auth == NULL ? 0 : k->auth->count;
            if (world || acl_allows(c, k, e->acl, WIRE_PERM_READ))
                send_event(c, k, frame, n);
            if (SIM_BUG(watch_twice) && zxid % 16 == 0)
                send_event(c, k, frame, n);
        }
    }
}

/* ---- setWatches, setWatches2 (client specification 6.6) ---- */

/* Events that were missed go out at once, with zxid -1; what is up to date is watched again. Unlike the reference
 * server a node that the client may not read tells it nothing (appendix A 8). */
static void catch_up(struct core *c, struct conn *k, struct slice path, unsigned mode, bool want_missing,
                     int64_t relative_zxid)
{
    node_id n = tree_find(c->tree, path);
    int32_t event = 0;
    if (n == NODE_NONE) {
        event = want_missing ? 0 : WIRE_EVENT_DELETED;
    } else if (!acl_allows(c, k, tree_acl(c->tree, n), WIRE_PERM_READ)) {
        return;
    } else {
        struct wire_stat_persisted s = tree_stat_persisted(c->tree, n);
        if (want_missing)
            event = WIRE_EVENT_CREATED;
        else if (mode == WATCH_DATA && (s.mzxid > relative_zxid || SIM_BUG(set_watches_invents)))
            event = WIRE_EVENT_DATA_CHANGED;
        else if (mode == WATCH_CHILD && s.pzxid > relative_zxid && !SIM_BUG(set_watches_misses))
            event = WIRE_EVENT_CHILDREN_CHANGED;
    }
    if (event == 0) {
        watch_add(c->tree, k->id, path, mode);
        return;
    }
    size_t frame_n;
    const uint8_t *frame = encode_event(c, event, path, -1, &frame_n);
    send_event(c, k, frame, frame_n);
}

static void catch_up_all(struct core *c, struct conn *k, struct wire_vec paths, unsigned mode, bool want_missing,
                         int64_t relative_zxid)
{
    struct wire_reader r = wire_vec_reader(paths);
    for (int32_t i = 0; i < paths.count; i++) {
        struct slice path = wire_get_ustring(&r);
        if (slice_is_null(path))
            continue;
        if ((mode & (WATCH_PERSISTENT | WATCH_RECURSIVE)) != 0)
            watch_add(c->tree, k->id, path, mode);
        else
            catch_up(c, k, path, mode, want_missing, relative_zxid);
    }
}

static int set_watches(struct core *c, struct conn *k, const struct wire_set_watches2_request *q)
{
    if (q->data.count < 0 || q->exist.count < 0 || q->child.count < 0 || q->persistent.count < 0 ||
        q->recursive.count < 0)
        return ERR_MARSHALLING;
    catch_up_all(c, k, q->data, WATCH_DATA, false, q->relative_zxid);
    catch_up_all(c, k, q->exist, WATCH_DATA, true, q->relative_zxid);
    catch_up_all(c, k, q->child, WATCH_CHILD, false, q->relative_zxid);
    catch_up_all(c, k, q->persistent, WATCH_PERSISTENT, false, q->relative_zxid);
    catch_up_all(c, k, q->recursive, WATCH_RECURSIVE, false, q->relative_zxid);
    return 0;
}

int read_set_watches(struct core *c, struct conn *k, struct wire_reader *r, struct buf *body)
{
    (void)body;
    struct wire_set_watches_request q = wire_get_set_watches_request(r);
    if (r->err != 0)
        return ERR_MARSHALLING;
    return set_watches(c, k,
                       &(struct wire_set_watches2_request){
                           .relative_zxid = q.relative_zxid, .data = q.data, .exist = q.exist, .child = q.child });
}

int read_set_watches2(struct core *c, struct conn *k, struct wire_reader *r, struct buf *body)
{
    (void)body;
    struct wire_set_watches2_request q = wire_get_set_watches2_request(r);
    return r->err != 0 ? ERR_MARSHALLING : set_watches(c, k, &q);
}
