#include "sim/client.h"
#include "sim/oracle_internal.h"

static const char *op_text(int32_t op)
{
    switch (op) {
    case WIRE_OP_CREATE:
        return "create";
    case WIRE_OP_DELETE:
        return "delete";
    case WIRE_OP_EXISTS:
        return "exists";
    case WIRE_OP_GET_DATA:
        return "getData";
    case WIRE_OP_SET_DATA:
        return "setData";
    case WIRE_OP_GET_CHILDREN:
    case WIRE_OP_GET_CHILDREN2:
        return "getChildren";
    case WIRE_OP_MULTI:
        return "multi";
    case WIRE_OP_SYNC:
        return "sync";
    default:
        return "request";
    }
}

/* ---- events ---- */

/* Marks the item as accounted for. */
static void use(struct oracle *o, struct oracle_item *it)
{
    it->used = true;
    o->cables[it->cable].first = it->next;
}

static struct wire_watcher_event event_of(const struct oracle *o, const struct oracle_item *it)
{
    struct wire_reader r = wire_reader_of(chronicle_frame(o->h, &o->h->entries[it->entry]));
    (void)wire_get_reply_header(&r);
    return wire_get_watcher_event(&r);
}

static bool still_connected(const struct oracle *o, uint32_t cable)
{
    const struct cable *k = &o->c->cables[cable];
    return k->client_open && k->member_open && !k->muted;
}

static void count_event(struct oracle *o, const struct model_event *e, unsigned modes)
{
    struct coverage *c = &o->c->coverage;
    cover(c, e->type == WIRE_EVENT_CREATED        ? COVER_watch_created
             : e->type == WIRE_EVENT_DELETED      ? COVER_watch_deleted
             : e->type == WIRE_EVENT_DATA_CHANGED ? COVER_watch_data
                                                  : COVER_watch_children);
    if ((modes & MODEL_WATCH_ALL) != 0)
        cover(c, COVER_watch_persistent);
    if ((modes & MODEL_WATCH_BELOW) != 0)
        cover(c, COVER_watch_recursive);
    if (e->by_multi)
        cover(c, COVER_watch_by_multi);
    if (e->by_close)
        cover(c, COVER_watch_by_expiry);
}

/* This connection must hear of it next: before anything that shows the state after it. */
static void expect(void *ctx, uint32_t cable, unsigned modes)
{
    struct oracle *o = ctx;
    struct oracle_cable *k = &o->cables[cable];
    const struct model_event *e = o->event;
    if (k->fired == o->event_number)
        return;
    if (!model_allows(e->node, &k->who, WIRE_PERM_READ)) {
        simclient_denied(o->c->clients[k->client], slice_str(e->node->path));
        return;
    }
    k->fired = o->event_number;
    if (k->first == ORACLE_NONE) {
        if (still_connected(o, cable))
            oracle_wrong(o, "oracle.watch_lost", "client %u never heard of event %d at %s, 0x%llx", k->client, e->type,
                         e->node->path, (unsigned long long)o->txn->zxid);
        return;
    }
    struct oracle_item *it = &o->items[k->first];
    if (it->xid != WIRE_XID_NOTIFICATION || it->catch_up || it->zxid != o->txn->zxid) {
        oracle_wrong(o, "oracle.watch_missing",
                     "client %u must hear of event %d at %s, 0x%llx, but what comes next has 0x%llx and answers %d",
                     k->client, e->type, e->node->path, (unsigned long long)o->txn->zxid, (unsigned long long)it->zxid,
                     it->xid);
        return;
    }
    struct wire_watcher_event got = event_of(o, it);
    if (got.type != e->type || !slice_eq_str(got.path, e->node->path)) {
        oracle_wrong(o, "oracle.watch_wrong", "client %u hears of event %d at %.*s instead of %d at %s, 0x%llx",
                     k->client, got.type, SLICE_ARG(got.path), e->type, e->node->path,
                     (unsigned long long)o->txn->zxid);
        return;
    }
    count_event(o, e, modes);
    use(o, it);
}

void oracle_events(struct oracle *o)
{
    for (size_t i = 0; i < o->model.event_count && !o->c->finding.is; i++) {
        o->event = &o->model.events[i];
        o->event_number++;
        model_watch_fire(&o->watches, o->event->type, slice_str(o->event->node->path), expect, o);
    }
}

/* ---- setWatches ---- */

/* The event that a path must give at once; 0: none, *skip: and no watch either. */
static int32_t missed(struct oracle *o, const struct oracle_cable *k, struct slice path, int list, int64_t since,
                      bool *skip)
{
    const struct model_node *n = model_find(&o->model, path);
    *skip = false;
    if (n == NULL)
        return list == 1 ? 0 : WIRE_EVENT_DELETED;
    if (!model_allows(n, &k->who, WIRE_PERM_READ)) {
        *skip = true;
        simclient_denied(o->c->clients[k->client], path);
        return 0;
    }
    if (list == 0)
        return n->stat.mzxid > since ? WIRE_EVENT_DATA_CHANGED : 0;
    if (list == 1)
        return WIRE_EVENT_CREATED;
    return n->stat.pzxid > since ? WIRE_EVENT_CHILDREN_CHANGED : 0;
}

static void catch_up_one(struct oracle *o, struct oracle_cable *k, struct slice path, int list, int64_t since)
{
    static const unsigned modes[] = { MODEL_WATCH_DATA, MODEL_WATCH_DATA, MODEL_WATCH_CHILD, MODEL_WATCH_ALL,
                                      MODEL_WATCH_BELOW };
    bool skip = false;
    int32_t want = list > 2 ? 0 : missed(o, k, path, list, since, &skip);
    if (want == 0) {
        if (!skip)
            model_watch_add(&o->watches, (uint32_t)(k - o->cables), path, modes[list]);
        return;
    }
    struct oracle_item *it = k->first == ORACLE_NONE ? NULL : &o->items[k->first];
    struct wire_watcher_event got = { 0 };
    if (it != NULL && it->catch_up)
        got = event_of(o, it);
    if (got.type != want || !slice_eq(got.path, path)) {
        oracle_wrong(o, "oracle.set_watches", "client %u set watches again: event %d at %.*s is missing", k->client,
                     want, SLICE_ARG(path));
        return;
    }
    cover(&o->c->coverage, COVER_watch_caught_up);
    use(o, it);
}

static void judge_set_watches(struct oracle *o, const struct oracle_item *it, const struct oracle_request *q)
{
    struct oracle_cable *k = &o->cables[it->cable];
    struct wire_reader r = wire_reader_of(oracle_record(o, q));
    int64_t since = wire_get_i64(&r);
    int lists = q->op == WIRE_OP_SET_WATCHES ? 3 : 5;
    for (int list = 0; list < lists; list++) {
        struct wire_vec paths = wire_get_strings(&r);
        struct wire_reader p = wire_vec_reader(paths);
        for (int32_t i = 0; i < paths.count && !o->c->finding.is; i++)
            catch_up_one(o, k, wire_get_ustring(&p), list, since);
    }
    if (k->first != ORACLE_NONE && o->items[k->first].catch_up && o->items[k->first].zxid == it->zxid &&
        o->items[k->first].entry < it->entry)
        oracle_wrong(o, "oracle.set_watches", "client %u set watches again: an event too many", k->client);
}

/* ---- reads ---- */

static unsigned modes_of(int32_t type)
{
    switch (type) {
    case WIRE_WATCHER_CHILDREN:
        return MODEL_WATCH_CHILD;
    case WIRE_WATCHER_DATA:
        return MODEL_WATCH_DATA;
    case WIRE_WATCHER_ANY:
        return MODEL_WATCH_CHILD | MODEL_WATCH_DATA | MODEL_WATCH_ALL | MODEL_WATCH_BELOW;
    case WIRE_WATCHER_PERSISTENT:
        return MODEL_WATCH_ALL;
    default:
        return MODEL_WATCH_BELOW;
    }
}

/* Requests about watches; true if it was one. */
static bool judge_watch_request(struct oracle *o, const struct oracle_item *it, const struct oracle_request *q)
{
    struct wire_reader r = wire_reader_of(oracle_record(o, q));
    if (q->op != WIRE_OP_ADD_WATCH && q->op != WIRE_OP_CHECK_WATCHES && q->op != WIRE_OP_REMOVE_WATCHES)
        return false;
    struct wire_path_kind_request w = wire_get_path_kind_request(&r);
    int32_t want = 0;
    if (q->op == WIRE_OP_ADD_WATCH) {
        want = w.kind > 1 ? ERR_MARSHALLING : 0;
        if (want == 0)
            model_watch_add(&o->watches, it->cable, w.path, w.kind == 0 ? MODEL_WATCH_ALL : MODEL_WATCH_BELOW);
    } else {
        unsigned modes = modes_of(w.kind);
        unsigned has = q->op == WIRE_OP_REMOVE_WATCHES ? model_watch_remove(&o->watches, it->cable, w.path, modes)
                                                       : model_watch_modes(&o->watches, it->cable, w.path) & modes;
        want = has != 0 ? 0 : ERR_NO_WATCHER;
    }
    if (it->err != want)
        oracle_wrong(o, "oracle.watch_request", "client %u: request %d about a watch at %.*s: error %d instead of %d",
                     o->cables[it->cable].client, q->op, SLICE_ARG(w.path), it->err, want);
    return true;
}

static void arm(struct oracle *o, const struct oracle_item *it, const struct oracle_request *q)
{
    struct wire_reader r = wire_reader_of(oracle_record(o, q));
    if (q->op != WIRE_OP_GET_DATA && q->op != WIRE_OP_EXISTS && q->op != WIRE_OP_GET_CHILDREN &&
        q->op != WIRE_OP_GET_CHILDREN2)
        return;
    struct wire_path_watch_request p = wire_get_path_watch_request(&r);
    bool child = q->op == WIRE_OP_GET_CHILDREN || q->op == WIRE_OP_GET_CHILDREN2;
    if (p.watch && (it->err == 0 || (q->op == WIRE_OP_EXISTS && it->err == ERR_NO_NODE)))
        model_watch_add(&o->watches, it->cable, p.path, child ? MODEL_WATCH_CHILD : MODEL_WATCH_DATA);
}

static void judge_read(struct oracle *o, const struct oracle_item *it, const struct oracle_request *q)
{
    const struct oracle_cable *k = &o->cables[it->cable];
    struct slice frame = chronicle_frame(o->h, &o->h->entries[it->entry]);
    struct buf why;
    buf_init(&why, 4096);
    cover(&o->c->coverage, q->op == WIRE_OP_SYNC ? COVER_syncs : COVER_reads);
    if (!model_read_is(&o->model, &k->who, q->op, oracle_record(o, q), it->err, slice_of(frame.p + 16, frame.n - 16),
                       &why))
        oracle_wrong(o, "oracle.read", "client %u, %s %d at 0x%llx: %.*s", k->client, op_text(q->op), q->xid,
                     (unsigned long long)it->zxid, SLICE_ARG(buf_slice(&why)));
    buf_fini(&why);
    if (q->op == WIRE_OP_SYNC && it->zxid < q->seen)
        oracle_wrong(o, "oracle.sync", "client %u: sync ends at 0x%llx, but 0x%llx had been seen when it was sent",
                     k->client, (unsigned long long)it->zxid, (unsigned long long)q->seen);
    arm(o, it, q);
}

/* ---- writes ---- */

static void count_error(struct oracle *o, int32_t err)
{
    static const struct {
        int32_t err;
        enum coverage_mark mark;
    } marks[] = {
        { ERR_NO_NODE, COVER_err_no_node },
        { ERR_NODE_EXISTS, COVER_err_node_exists },
        { ERR_BAD_VERSION, COVER_err_bad_version },
        { ERR_NOT_EMPTY, COVER_err_not_empty },
        { ERR_NO_AUTH, COVER_err_no_auth },
        { ERR_INVALID_ACL, COVER_err_invalid_acl },
        { ERR_NO_CHILDREN_FOR_EPHEMERALS, COVER_err_no_children_for_ephemerals },
        { ERR_BAD_ARGUMENTS, COVER_err_bad_arguments },
        { ERR_NO_WATCHER, COVER_err_no_watcher },
        { ERR_SESSION_EXPIRED, COVER_err_session_expired },
    };
    for (size_t i = 0; i < ARRAY_COUNT(marks); i++)
        if (marks[i].err == err)
            cover(&o->c->coverage, marks[i].mark);
}

static void judge_write(struct oracle *o, const struct oracle_item *it, struct oracle_request *q)
{
    uint32_t client = o->cables[it->cable].client;
    struct slice frame = chronicle_frame(o->h, &o->h->entries[it->entry]);
    struct slice body = slice_of(frame.p + 16, frame.n - 16);
    cover(&o->c->coverage, COVER_writes);
    if (it->err == ERR_MARSHALLING && q->zxid == 0) {
        if (model_is_readable(q->op, oracle_record(o, q)))
            oracle_wrong(o, "oracle.write", "client %u: %s %d was called unreadable", client, op_text(q->op), q->xid);
        return;
    }
    bool local = o->model.local_sessions && model_session(&o->model, q->session_id) == NULL && q->zxid == 0;
    if (local && ((it->err == 0 && q->op == WIRE_OP_CLOSE_SESSION) ||
                  (it->err == ERR_EPHEMERAL_ON_LOCAL_SESSION && opt(o->c, OPT_local_sessions) == 2)))
        return; /* its own server's business */
    if (o->txn == NULL || o->txn_request != q || o->txn->zxid != it->zxid) {
        oracle_wrong(o, "oracle.lost", "client %u was told that %s %d is 0x%llx; it is %s0x%llx", client,
                     op_text(q->op), q->xid, (unsigned long long)it->zxid, q->zxid == 0 ? "nowhere, " : "",
                     (unsigned long long)q->zxid);
        return;
    }
    if (it->err != o->txn_err || !slice_eq(body, buf_slice(&o->model.reply)))
        oracle_wrong(o, "oracle.write",
                     "client %u: %s %d, 0x%llx, was answered with error %d and %zu bytes; the model has %d and %zu",
                     client, op_text(q->op), q->xid, (unsigned long long)it->zxid, it->err, body.n, o->txn_err,
                     o->model.reply.n);
}

void oracle_item(struct oracle *o, struct oracle_item *it)
{
    struct oracle_cable *k = &o->cables[it->cable];
    if (it->used || it->catch_up)
        return; /* events of setWatches are judged with its answer */
    if (it->request == ORACLE_NONE) {
        struct wire_watcher_event e = event_of(o, it);
        oracle_wrong(o, "oracle.watch_unexpected", "client %u hears of event %d at %.*s, 0x%llx, and should not",
                     k->client, e.type, SLICE_ARG(e.path), (unsigned long long)it->zxid);
        return;
    }
    struct oracle_request *q = &o->requests[it->request];
    if (!model_session_lives(&o->model, k->session_id) && q->op != WIRE_OP_CLOSE_SESSION)
        oracle_wrong(o, "oracle.dead_session",
                     "client %u gets a reply to %d at 0x%llx, and its session 0x%llx has ended", k->client, it->xid,
                     (unsigned long long)it->zxid, (unsigned long long)k->session_id);
    count_error(o, it->err);
    if (q->op == WIRE_OP_SET_WATCHES || q->op == WIRE_OP_SET_WATCHES2)
        judge_set_watches(o, it, q);
    else if (simclient_is_write(q->op))
        judge_write(o, it, q);
    else if (q->op != WIRE_OP_PING && !judge_watch_request(o, it, q))
        judge_read(o, it, q);
    k->first = it->next;
    it->used = true;
}
