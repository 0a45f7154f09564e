/* cluster_for_tests: several cores as one ensemble in one thread and virtual time: links as byte streams with a delay,
 * disks that remember what was synced, and the shell's duties. No faults but those a test makes: down, up, cut.
 * Header-only, for the tests of this room. */
#ifndef ZOKOR_CORE_CLUSTER_FOR_TESTS_H
#define ZOKOR_CORE_CLUSTER_FOR_TESTS_H

#include "core/shell_for_tests.h"
#include "tree/image.h"

#define NODES_MAX 5
#define LINK_ENDS 4096
#define DELAY_MS 1

struct kept { /* a transaction on a disk */
    int64_t zxid;
    struct blob *txn;
};

struct node {
    struct core *core; /* NULL: down */
    struct core_out out;
    int64_t sid;
    uint32_t next_link;
    /* the disk */
    struct kept *log;
    size_t log_n, log_cap;
    int64_t accepted, current;
    struct buf image; /* the snapshot below the log; empty: none */
    int64_t image_zxid;
    struct buf saving;
    int64_t saving_zxid;
    bool listens;
    uint32_t reading_link; /* one learner at a time reads the log */
    int64_t reading_from, reading_to;
    struct buf got[SHELL_CONNS];
    bool closed[SHELL_CONNS], resumed[SHELL_CONNS];
    int64_t life; /* counts starts: what was under way for an earlier one is dropped */
    int64_t synced;
};

struct end { /* one end of a link */
    bool used, open, connected;
    int node;
    uint32_t id;
    int peer; /* the other end */
    int to;   /* while dialling: the node called */
    enum zab_port port;
};

enum happening {
    GO_BYTES,
    GO_LOST,
    GO_DIALLED,
    GO_SYNCED,
    GO_EPOCHS,
    GO_TRUNCATED,
    GO_PULL,
    GO_DRAINED,
    GO_DONE,
    GO_LOG_READ
};

struct queued {
    int64_t at_ms, seq;
    enum happening what;
    int node, end;
    int64_t life, zxid, a, b;
    bool reload;
    struct buf bytes;
};

struct cluster {
    struct node nodes[NODES_MAX];
    int count;
    struct end ends[LINK_ENDS];
    struct queued *queue;
    size_t queue_n, queue_cap;
    int64_t now_ms, seq;
    bool cut[NODES_MAX][NODES_MAX];
    struct core_options options;
    struct members *members;
    int32_t xid;
    bool log_sync;
    bool observer_unlogged;
    bool slow[NODES_MAX];      /* what is sent to this node is not taken while it is set */
    bool slow_disk[NODES_MAX]; /* nor are pieces of a snapshot */
    uint32_t counter_last;     /* see zab_options */
    int logs_read;
    int diffs, truncs, images;
};

static inline struct queued *cluster_add(struct cluster *cl, int64_t in_ms, enum happening what, int node)
{
    if (cl->queue_n == cl->queue_cap) {
        cl->queue_cap = cl->queue_cap == 0 ? 256 : cl->queue_cap * 2;
        cl->queue = mem_realloc(cl->queue, cl->queue_cap * sizeof *cl->queue);
    }
    struct queued *q = &cl->queue[cl->queue_n++];
    *q = (struct queued){
        .at_ms = cl->now_ms + in_ms, .seq = cl->seq++, .what = what, .node = node, .life = cl->nodes[node].life
    };
    return q;
}

static inline int end_find(struct cluster *cl, int node, uint32_t id)
{
    for (int i = 0; i < LINK_ENDS; i++)
        if (cl->ends[i].used && cl->ends[i].open && cl->ends[i].node == node && cl->ends[i].id == id)
            return i;
    return -1;
}

static inline int end_new(struct cluster *cl, int node, uint32_t id, enum zab_port port)
{
    for (int i = 0; i < LINK_ENDS; i++) {
        if (cl->ends[i].used)
            continue;
        cl->ends[i] = (struct end){ .used = true, .open = true, .node = node, .id = id, .peer = -1, .port = port };
        return i;
    }
    fail_msg("too many links");
    return -1;
}

static inline void cluster_step(struct cluster *cl, int n, struct core_event ev);

static inline void peer_step(struct cluster *cl, int n, struct zab_event z)
{
    cluster_step(cl, n, (struct core_event){ .type = CORE_EV_PEER, .peer_event = &z });
}

/* The other end hears of it after the delay. */
static inline void end_close(struct cluster *cl, int e)
{
    struct end *x = &cl->ends[e];
    x->open = false;
    if (x->peer >= 0 && cl->ends[x->peer].open)
        cluster_add(cl, DELAY_MS, GO_LOST, cl->ends[x->peer].node)->end = x->peer;
}

static inline struct tree *node_tree(struct cluster *cl, struct node *n, int64_t *last)
{
    struct tree_options o = { .hash_key = 7,
                              .extended_types = cl->options.extended_types,
                              .digest_enabled = cl->options.digest_enabled };
    struct tree *t;
    *last = 0;
    if (n->image.n != 0) {
        struct tree_image *im = tree_image_new(&o, 2097150);
        bool done = false;
        assert_true(tree_image_feed(im, buf_slice(&n->image), &done) > 0 && done);
        t = tree_image_finish(im, n->image_zxid);
        assert_non_null(t);
        *last = n->image_zxid;
    } else {
        t = tree_new(&o);
    }
    struct arena a;
    arena_init(&a, 65536);
    for (size_t i = 0; i < n->log_n; i++) {
        struct txn txn;
        struct tree_applied applied;
        if (n->log[i].zxid <= *last)
            continue;
        assert_true(n->log[i].zxid > *last);
        assert_int_equal(txn_decode(blob_slice(n->log[i].txn), &txn), 0);
        tree_apply(t, &txn, &a, &applied);
        *last = n->log[i].zxid;
        arena_reset(&a);
    }
    arena_fini(&a);
    return t;
}

static inline void node_truncate(struct node *n, int64_t zxid)
{
    while (n->log_n != 0 && n->log[n->log_n - 1].zxid > zxid)
        blob_unref(n->log[--n->log_n].txn);
    if (n->image.n != 0 && n->image_zxid > zxid)
        buf_reset(&n->image);
}

static inline void take_peer_fx(struct cluster *cl, int n, const struct zab_fx *fx)
{
    struct node *me = &cl->nodes[n];
    int e;
    switch (fx->type) {
    case ZAB_FX_DIAL: {
        e = end_new(cl, n, fx->link, fx->port);
        cl->ends[e].to = (int)fx->sid - 1;
        cluster_add(cl, DELAY_MS, GO_DIALLED, n)->end = e;
        break;
    }
    case ZAB_FX_SEND: {
        if ((e = end_find(cl, n, fx->link)) < 0)
            break;
        if (cl->ends[e].peer >= 0) {
            struct queued *q = cluster_add(cl, DELAY_MS, GO_BYTES, cl->ends[cl->ends[e].peer].node);
            q->end = cl->ends[e].peer;
            buf_init(&q->bytes, SIZE_MAX / 2);
            buf_append_slice(&q->bytes, fx->bytes);
        }
        if (fx->tell_drained && !(cl->ends[e].peer >= 0 && cl->slow[cl->ends[cl->ends[e].peer].node]))
            cluster_add(cl, DELAY_MS, GO_DRAINED, n)->end = e;
        break;
    }
    case ZAB_FX_CLOSE:
        if ((e = end_find(cl, n, fx->link)) >= 0)
            end_close(cl, e);
        break;
    case ZAB_FX_RESUME:
        break;
    case ZAB_FX_LISTEN:
        me->listens = fx->on;
        break;
    case ZAB_FX_SAVE_EPOCHS: {
        struct queued *q = cluster_add(cl, DELAY_MS, GO_EPOCHS, n);
        q->a = fx->accepted_epoch;
        q->b = fx->current_epoch;
        break;
    }
    case ZAB_FX_TRUNCATE: {
        struct queued *q = cluster_add(cl, DELAY_MS, GO_TRUNCATED, n);
        q->zxid = fx->zxid;
        q->reload = fx->reload;
        break;
    }
    case ZAB_FX_LOG_READ:
        me->reading_link = fx->link;
        me->reading_from = fx->zxid;
        me->reading_to = fx->to;
        cluster_add(cl, DELAY_MS, GO_LOG_READ, n);
        break;
    case ZAB_FX_LOG_MORE:
        cluster_add(cl, DELAY_MS, GO_LOG_READ, n);
        break;
    case ZAB_FX_LOG_DONE:
    case ZAB_FX_ASK_ORACLE:
        break;
    default:
        fail_msg("not for the shell: %d", (int)fx->type);
    }
}

static inline void take_appends(struct cluster *cl, int n)
{
    struct node *me = &cl->nodes[n];
    for (size_t i = 0; i < me->out.append_count; i++) {
        struct core_append *a = &me->out.appends[i];
        struct queued *q = cluster_add(cl, DELAY_MS, GO_SYNCED, n);
        q->zxid = a->zxid;
        buf_init(&q->bytes, SIZE_MAX / 2);
        buf_append_slice(&q->bytes, blob_slice(a->txn));
        blob_unref(a->txn);
    }
}

static inline bool cluster_step_went(struct cluster *cl, int n, struct core_event ev)
{
    struct node *me = &cl->nodes[n];
    if (me->core == NULL)
        return true;
    ev.now_ms = cl->now_ms;
    ev.wall_ms = 1700000000000 + cl->now_ms;
    bool go_on = core_step(me->core, &ev, &me->out);
    core_check(me->core);
    for (size_t i = 0; i < me->out.fx_count; i++) {
        struct core_fx *fx = &me->out.fx[i];
        if (fx->type == CORE_FX_SEND)
            buf_append(&me->got[fx->conn], fx->p, fx->n);
        else if (fx->type == CORE_FX_CLOSE)
            me->closed[fx->conn] = true;
        else if (fx->type == CORE_FX_RESUME)
            me->resumed[fx->conn] = true;
    }
    take_appends(cl, n);
    if (me->out.snapshot.begin) {
        buf_reset(&me->saving);
        me->saving_zxid = me->out.snapshot.zxid;
        if (!cl->slow_disk[n])
            cluster_add(cl, DELAY_MS, GO_PULL, n);
    } else if (me->out.snapshot.abort) {
        cluster_add(cl, DELAY_MS, GO_DONE, n)->zxid = ERR_IO;
    } else if (me->out.snapshot.body.p != NULL) {
        buf_append_slice(&me->saving, me->out.snapshot.body);
        cluster_add(cl, DELAY_MS, me->out.snapshot.end ? GO_DONE : GO_PULL, n);
    }
    for (size_t i = 0; i < me->out.peer_count; i++)
        take_peer_fx(cl, n, &me->out.peer_fx[i]);
    core_out_reset(&me->out);
    return go_on;
}

static inline void cluster_step(struct cluster *cl, int n, struct core_event ev)
{
    (void)cluster_step_went(cl, n, ev);
}

static inline void node_up(struct cluster *cl, int n)
{
    struct node *me = &cl->nodes[n];
    int64_t last;
    struct tree *t = node_tree(cl, me, &last);
    struct zab_options z = {
        .sid = me->sid,
        .seed = (uint64_t)me->sid * 77 + (uint64_t)me->life,
        .members = cl->members,
        .tick_time_ms = 2000,
        .init_limit_ticks = 10,
        .sync_limit_ticks = 5,
        .notification_ms_min = 200,
        .notification_ms_max = 60000,
        .observer_delay_ms = 200,
        .log_sync = cl->log_sync,
        .observer_unlogged = cl->observer_unlogged,
        .counter_last = cl->counter_last,
        .history_count = 20, /* small, so that images are needed soon */
        .history_bytes = 1 << 20,
        .packet_field_bytes_max = 2097150,
        .link_backlog_bytes_max = 64 << 20,
        .last_zxid = last,
        .accepted_epoch = me->accepted,
        .current_epoch = me->current,
    };
    struct core_options o = cl->options;
    o.server_id = (uint8_t)me->sid;
    o.zab = &z;
    o.leader_serves = true;
    o.start_wall_ms = 1700000000000 + cl->now_ms;
    core_out_init(&me->out);
    me->life++;
    me->core = core_new(&o, t, cl->now_ms);
    for (size_t i = me->log_n > 20 ? me->log_n - 20 : 0; i < me->log_n; i++)
        core_remember(me->core, me->log[i].zxid, me->log[i].txn);
    cluster_step(cl, n, (struct core_event){ .type = CORE_EV_TICK });
}

static inline void node_down(struct cluster *cl, int n)
{
    struct node *me = &cl->nodes[n];
    core_free(me->core);
    core_out_fini(&me->out);
    me->core = NULL;
    me->life++;
    me->listens = false;
    for (int i = 0; i < LINK_ENDS; i++)
        if (cl->ends[i].used && cl->ends[i].open && cl->ends[i].node == n)
            end_close(cl, i);
    for (int i = 0; i < SHELL_CONNS; i++)
        buf_reset(&me->got[i]);
}

static inline void go_dialled(struct cluster *cl, struct queued *q)
{
    struct end *x = &cl->ends[q->end];
    if (!x->open)
        return;
    struct node *to = &cl->nodes[x->to];
    bool cut = cl->cut[x->node][x->to];
    if (cut || to->core == NULL || (x->port == ZAB_PORT_LEARNER && !to->listens)) {
        x->open = false;
        peer_step(cl, x->node, (struct zab_event){ .type = ZAB_EV_LOST, .link = x->id, .refused = !cut });
        return;
    }
    int other = end_new(cl, x->to, to->next_link++, x->port);
    cl->ends[other].peer = q->end;
    cl->ends[other].connected = true;
    x->peer = other;
    x->connected = true;
    int me = x->node, they = x->to;
    uint32_t id = x->id, their_id = cl->ends[other].id;
    enum zab_port port = x->port;
    peer_step(cl, they, (struct zab_event){ .type = ZAB_EV_ACCEPTED, .link = their_id, .port = port });
    peer_step(cl, me, (struct zab_event){ .type = ZAB_EV_CONNECTED, .link = id });
}

static inline void go_truncated(struct cluster *cl, struct queued *q)
{
    struct node *me = &cl->nodes[q->node];
    struct core_event ev = { .type = CORE_EV_TRUNCATED };
    node_truncate(me, q->zxid);
    int64_t last;
    struct tree *t = node_tree(cl, me, &last);
    if (q->reload)
        ev.tree = t;
    else
        tree_free(t);
    ev.zxid = last;
    cl->truncs++;
    cluster_step(cl, q->node, ev);
}

static inline void go_log_read(struct cluster *cl, struct queued *q)
{
    struct node *me = &cl->nodes[q->node];
    struct zab_event ev = { .type = ZAB_EV_LOG_READ, .link = me->reading_link };
    struct buf b;
    buf_init(&b, SIZE_MAX / 2);
    size_t i = 0;
    while (i < me->log_n && me->log[i].zxid < me->reading_from)
        i++;
    if (i == me->log_n || me->log[i].zxid != me->reading_from)
        ev.err = ERR_NOT_FOUND;
    for (size_t k = i + 1; ev.err == 0 && k < me->log_n && k < i + 8 && me->log[k].zxid <= me->reading_to; k++) {
        wire_put_i64(&b, me->log[k].zxid);
        wire_put_i32(&b, (int32_t)me->log[k].txn->n);
        buf_append_slice(&b, blob_slice(me->log[k].txn));
        me->reading_from = me->log[k].zxid;
    }
    ev.bytes = buf_slice(&b);
    ev.end = me->reading_from == me->reading_to;
    cl->logs_read += ev.end;
    peer_step(cl, q->node, ev);
    buf_fini(&b);
}

static inline void go(struct cluster *cl, struct queued *q)
{
    struct node *me = &cl->nodes[q->node];
    bool link = q->what == GO_BYTES || q->what == GO_LOST || q->what == GO_DIALLED || q->what == GO_DRAINED;
    if (me->core == NULL || (!link && q->life != me->life))
        return;
    struct end *x = &cl->ends[q->end];
    if (link && !x->open)
        return;
    switch (q->what) {
    case GO_BYTES:
        peer_step(cl, q->node,
                  (struct zab_event){ .type = ZAB_EV_BYTES, .link = x->id, .bytes = buf_slice(&q->bytes) });
        break;
    case GO_LOST:
        x->open = false;
        peer_step(cl, q->node, (struct zab_event){ .type = ZAB_EV_LOST, .link = x->id });
        break;
    case GO_DIALLED:
        go_dialled(cl, q);
        break;
    case GO_DRAINED:
        peer_step(cl, q->node, (struct zab_event){ .type = ZAB_EV_DRAINED, .link = x->id });
        break;
    case GO_SYNCED:
        if (me->log_n == me->log_cap) {
            me->log_cap = me->log_cap == 0 ? 64 : me->log_cap * 2;
            me->log = mem_realloc(me->log, me->log_cap * sizeof *me->log);
        }
        me->log[me->log_n++] = (struct kept){ q->zxid, blob_dup(buf_slice(&q->bytes)) };
        cluster_step(cl, q->node, (struct core_event){ .type = CORE_EV_LOG_SYNCED, .zxid = q->zxid });
        break;
    case GO_EPOCHS:
        me->accepted = q->a;
        me->current = q->b;
        peer_step(cl, q->node, (struct zab_event){ .type = ZAB_EV_EPOCHS_SAVED });
        break;
    case GO_TRUNCATED:
        go_truncated(cl, q);
        break;
    case GO_PULL:
        cluster_step(cl, q->node, (struct core_event){ .type = CORE_EV_SNAPSHOT_PULL });
        break;
    case GO_LOG_READ:
        go_log_read(cl, q);
        break;
    case GO_DONE:
        if (q->zxid == 0) {
            buf_reset(&me->image);
            buf_append_slice(&me->image, buf_slice(&me->saving));
            me->image_zxid = me->saving_zxid;
            cl->images++;
        }
        cluster_step(cl, q->node, (struct core_event){ .type = CORE_EV_SNAPSHOT_DONE, .err = (int)q->zxid });
        break;
    }
}

/* Lets virtual time pass, event by event. */
static inline void cluster_run(struct cluster *cl, int64_t ms)
{
    int64_t until = cl->now_ms + ms;
    for (;;) {
        size_t best = SIZE_MAX;
        for (size_t i = 0; i < cl->queue_n; i++)
            if (best == SIZE_MAX || cl->queue[i].at_ms < cl->queue[best].at_ms ||
                (cl->queue[i].at_ms == cl->queue[best].at_ms && cl->queue[i].seq < cl->queue[best].seq))
                best = i;
        int64_t tick_ms = INT64_MAX;
        int who = -1;
        for (int i = 0; i < cl->count; i++) {
            if (cl->nodes[i].core == NULL)
                continue;
            int64_t t = core_next_tick_ms(cl->nodes[i].core);
            if (t <= cl->now_ms)
                t = cl->now_ms + 1;
            if (t < tick_ms) {
                tick_ms = t;
                who = i;
            }
        }
        int64_t at = best == SIZE_MAX ? INT64_MAX : cl->queue[best].at_ms;
        int64_t next = at < tick_ms ? at : tick_ms;
        if (next > until)
            break;
        if (next > cl->now_ms)
            cl->now_ms = next;
        if (at <= tick_ms) {
            struct queued q = cl->queue[best];
            cl->queue[best] = cl->queue[--cl->queue_n];
            go(cl, &q);
            buf_fini(&q.bytes);
        } else {
            cluster_step(cl, who, (struct core_event){ .type = CORE_EV_TICK });
        }
    }
    cl->now_ms = until;
}

static inline void cluster_init_as(struct cluster *cl, int count, const char *config)
{
    memset(cl, 0, sizeof *cl);
    cl->count = count;
    cl->now_ms = 1000000;
    cl->options = shell_options();
    assert_int_equal(members_parse(slice_str(config), NULL, &cl->members), 0);
    for (int i = 0; i < count; i++) {
        struct node *n = &cl->nodes[i];
        n->sid = i + 1;
        buf_init(&n->image, SIZE_MAX / 2);
        buf_init(&n->saving, SIZE_MAX / 2);
        for (int k = 0; k < SHELL_CONNS; k++)
            buf_init(&n->got[k], SIZE_MAX / 2);
    }
}

static inline void cluster_init(struct cluster *cl)
{
    cluster_init_as(cl, 3, "server.1=h1:1:2\nserver.2=h2:1:2\nserver.3=h3:1:2\n");
}

static inline void cluster_fini(struct cluster *cl)
{
    for (int i = 0; i < cl->count; i++) {
        struct node *n = &cl->nodes[i];
        if (n->core != NULL)
            node_down(cl, i);
        node_truncate(n, -1);
        mem_free(n->log);
        buf_fini(&n->image);
        buf_fini(&n->saving);
        for (int k = 0; k < SHELL_CONNS; k++)
            buf_fini(&n->got[k]);
    }
    for (size_t i = 0; i < cl->queue_n; i++)
        buf_fini(&cl->queue[i].bytes);
    mem_free(cl->queue);
    members_unref(cl->members);
}

static inline void cluster_cut(struct cluster *cl, int a, int b, bool cut)
{
    cl->cut[a][b] = cl->cut[b][a] = cut;
    for (int i = 0; cut && i < LINK_ENDS; i++) {
        struct end *x = &cl->ends[i];
        if (!x->used || !x->open || x->peer < 0 || x->node != a || cl->ends[x->peer].node != b)
            continue;
        cluster_add(cl, DELAY_MS, GO_LOST, a)->end = i;
        cluster_add(cl, DELAY_MS, GO_LOST, b)->end = x->peer;
    }
}

/* The node that leads and serves; -1 if none does. */
static inline int cluster_leader(struct cluster *cl)
{
    int leader = -1;
    for (int i = 0; i < cl->count; i++)
        if (cl->nodes[i].core != NULL && zab_leads(core_zab(cl->nodes[i].core)))
            leader = i;
    return leader;
}

static inline int cluster_serving(struct cluster *cl)
{
    int n = 0;
    for (int i = 0; i < cl->count; i++)
        n += cl->nodes[i].core != NULL && zab_view(core_zab(cl->nodes[i].core)).serving;
    return n;
}

/* ---- clients ---- */

static inline struct slice cluster_next(struct cluster *cl, int n, uint32_t conn)
{
    static uint8_t keep[1 << 20];
    struct slice frame = { 0 };
    size_t used = 0;
    assert_int_equal(wire_frame_next(buf_slice(&cl->nodes[n].got[conn]), sizeof keep, &frame, &used), 1);
    memcpy(keep, frame.p, frame.n);
    frame.p = keep;
    buf_drop_front(&cl->nodes[n].got[conn], used);
    return frame;
}

static inline int64_t cluster_connect_as(struct cluster *cl, int n, uint32_t conn, int64_t session_id,
                                         const uint8_t *passwd, int32_t timeout_ms)
{
    struct buf b;
    buf_init(&b, 1000);
    wire_put_connect_request(&b, &(struct wire_connect_request){ .timeout_ms = timeout_ms,
                                                                 .session_id = session_id,
                                                                 .passwd = slice_of(passwd, 16),
                                                                 .has_read_only = true });
    cl->nodes[n].closed[conn] = false;
    cl->nodes[n].resumed[conn] = false;
    buf_reset(&cl->nodes[n].got[conn]);
    cluster_step(cl, n,
                 (struct core_event){
                     .type = CORE_EV_ACCEPT, .conn = conn, .peer = { .address = { 127, 0, 0, 1 }, .port = 1 } });
    cluster_step(cl, n, (struct core_event){ .type = CORE_EV_FRAME, .conn = conn, .frame = buf_slice(&b) });
    cluster_run(cl, 50);
    buf_fini(&b);
    struct wire_reader r = wire_reader_of(cluster_next(cl, n, conn));
    struct wire_connect_response q = wire_get_connect_response(&r);
    assert_int_equal(r.err, 0);
    return q.session_id;
}

static inline int64_t cluster_connect(struct cluster *cl, int n, uint32_t conn)
{
    return cluster_connect_as(cl, n, conn, 0, (const uint8_t *)"0123456789abcdef", 10000);
}

static inline int32_t cluster_send(struct cluster *cl, int n, uint32_t conn, int32_t op, struct buf *body)
{
    struct buf b;
    buf_init(&b, 4u << 20);
    int32_t xid = op == WIRE_OP_PING ? WIRE_XID_PING : ++cl->xid;
    wire_put_request_header(&b, &(struct wire_request_header){ xid, op });
    if (body != NULL) {
        buf_append_slice(&b, buf_slice(body));
        buf_reset(body);
    }
    cluster_step(cl, n, (struct core_event){ .type = CORE_EV_FRAME, .conn = conn, .frame = buf_slice(&b) });
    buf_fini(&b);
    return xid;
}

static inline int32_t cluster_reply(struct cluster *cl, int n, uint32_t conn, int32_t xid, struct wire_reader *body)
{
    struct wire_reader r = wire_reader_of(cluster_next(cl, n, conn));
    struct wire_reply_header h = wire_get_reply_header(&r);
    assert_int_equal(r.err, 0);
    assert_int_equal(h.xid, xid);
    if (body != NULL)
        *body = r;
    return h.err;
}

static inline int32_t cluster_create(struct cluster *cl, int n, uint32_t conn, const char *path, int32_t flags)
{
    struct buf b;
    buf_init(&b, 1 << 20);
    put_create(&b, path, "data", flags);
    int32_t xid = cluster_send(cl, n, conn, WIRE_OP_CREATE, &b);
    buf_fini(&b);
    cluster_run(cl, 20);
    return cluster_reply(cl, n, conn, xid, NULL);
}

/* All nodes that are up have the same tree at the same zxid. */
static inline void cluster_same(struct cluster *cl)
{
    const struct tree *first = NULL;
    for (int i = 0; i < cl->count; i++) {
        if (cl->nodes[i].core == NULL)
            continue;
        const struct tree *t = core_tree(cl->nodes[i].core);
        if (first == NULL)
            first = t;
        assert_int_equal(tree_last_zxid(t), tree_last_zxid(first));
        assert_int_equal(tree_digest(t), tree_digest(first));
        struct core_stats stats;
        core_stats(cl->nodes[i].core, &stats);
        assert_int_equal(stats.digest_mismatches, 0);
    }
}

#endif
