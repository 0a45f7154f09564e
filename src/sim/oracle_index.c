#include "base/hash.h"
#include "base/mem.h"
#include "sim/client.h"
#include "sim/oracle_internal.h"
#include <stdlib.h>

struct slice oracle_record(const struct oracle *o, const struct oracle_request *q)
{
    struct slice frame = chronicle_frame(o->h, &o->h->entries[q->entry]);
    return slice_of(frame.p + 8, frame.n - 8);
}

/* ---- requests by session and xid ---- */

static size_t slot_of(const struct oracle *o, int64_t session_id, int32_t xid)
{
    return hash_u64((uint64_t)session_id, (uint64_t)xid) & (o->by_xid_count - 1);
}

static void remember_xid(struct oracle *o, uint32_t request)
{
    const struct oracle_request *q = &o->requests[request];
    size_t at = slot_of(o, q->session_id, q->xid);
    while (o->by_xid[at] != ORACLE_NONE)
        at = (at + 1) & (o->by_xid_count - 1);
    o->by_xid[at] = request;
}

struct oracle_request *oracle_find(struct oracle *o, int64_t session_id, int32_t xid)
{
    size_t at = slot_of(o, session_id, xid);
    for (; o->by_xid[at] != ORACLE_NONE; at = (at + 1) & (o->by_xid_count - 1)) {
        struct oracle_request *q = &o->requests[o->by_xid[at]];
        if (q->session_id == session_id && q->xid == xid)
            return q;
    }
    return NULL;
}

/* ---- entry by entry ---- */

static void add_request(struct oracle *o, uint32_t entry)
{
    const struct chronicle_entry *e = &o->h->entries[entry];
    struct slice frame = chronicle_frame(o->h, e);
    struct wire_reader r = wire_reader_of(frame);
    struct wire_request_header h = wire_get_request_header(&r);
    if (h.xid == WIRE_XID_AUTH)
        return;
    struct oracle_cable *k = &o->cables[e->cable];
    uint32_t id = o->request_count++;
    o->requests[id] = (struct oracle_request){ .entry = entry,
                                               .cable = e->cable,
                                               .next = ORACLE_NONE,
                                               .session_id = e->session_id,
                                               .xid = h.xid,
                                               .op = h.type,
                                               .seen = o->seen };
    if (k->asked == ORACLE_NONE)
        k->asked = id;
    else
        o->requests[k->asked_last].next = id;
    k->asked_last = id;
    if (h.xid > 0)
        remember_xid(o, id);
}

static void check_orders(struct oracle *o, const struct chronicle_entry *e, const struct wire_reply_header *h)
{
    if (o->session_of[e->client] != e->session_id) {
        o->session_of[e->client] = e->session_id;
        o->highest[e->client] = 0;
    }
    if (h->zxid < o->highest[e->client])
        oracle_wrong(o, "oracle.backwards", "client %u saw 0x%llx and then, in a reply to %d, 0x%llx", e->client,
                     (unsigned long long)o->highest[e->client], h->xid, (unsigned long long)h->zxid);
    o->highest[e->client] = h->zxid;
    const struct chronicle_txn *t = chronicle_find(o->h, h->zxid);
    bool begins_epoch = (uint32_t)h->zxid == 0;
    if (!begins_epoch && (t == NULL || t->at_us > e->at_us))
        oracle_wrong(o, "oracle.future", "client %u saw 0x%llx, which was not committed%s", e->client,
                     (unsigned long long)h->zxid, t == NULL ? " ever" : " yet");
    if (h->zxid < o->seen)
        cover(&o->c->coverage, COVER_stale_reads);
    if (h->zxid > o->seen)
        o->seen = h->zxid;
}

static uint32_t answered_request(struct oracle *o, const struct chronicle_entry *e, int32_t xid)
{
    struct oracle_cable *k = &o->cables[e->cable];
    uint32_t id = k->asked;
    if (id == ORACLE_NONE || o->requests[id].xid != xid) {
        oracle_wrong(o, "oracle.fifo", "client %u got a reply to %d before that to %d", e->client, xid,
                     id == ORACLE_NONE ? 0 : o->requests[id].xid);
        return ORACLE_NONE;
    }
    o->requests[id].answered = true;
    k->asked = o->requests[id].next;
    return id;
}

static void add_item(struct oracle *o, uint32_t entry)
{
    const struct chronicle_entry *e = &o->h->entries[entry];
    struct wire_reader r = wire_reader_of(chronicle_frame(o->h, e));
    struct wire_reply_header h = wire_get_reply_header(&r);
    struct oracle_cable *k = &o->cables[e->cable];
    if (h.xid == WIRE_XID_AUTH) {
        if (h.err != 0)
            oracle_wrong(o, "oracle.auth", "client %u was refused its identity", e->client);
        return;
    }
    bool event = h.xid == WIRE_XID_NOTIFICATION, catch_up = event && h.zxid == -1;
    uint32_t request = event ? ORACLE_NONE : answered_request(o, e, h.xid);
    if (!catch_up)
        check_orders(o, e, &h);
    uint32_t id = o->item_count++;
    o->items[id] = (struct oracle_item){ .zxid = h.zxid,
                                         .entry = entry,
                                         .cable = e->cable,
                                         .next = ORACLE_NONE,
                                         .request = request,
                                         .xid = h.xid,
                                         .err = h.err,
                                         .catch_up = catch_up };
    if (k->first == ORACLE_NONE)
        k->first = id;
    else
        o->items[k->last].next = id;
    k->last = id;
    if (catch_up && k->catch_up == ORACLE_NONE)
        k->catch_up = id;
    if (h.xid != WIRE_XID_SET_WATCHES)
        return;
    for (uint32_t i = k->catch_up; i != ORACLE_NONE; i = o->items[i].next)
        if (o->items[i].catch_up)
            o->items[i].zxid = h.zxid;
    k->catch_up = ORACLE_NONE;
}

static void add_cable(struct oracle *o, const struct chronicle_entry *e)
{
    o->cables[e->cable] = (struct oracle_cable){
        .client = e->client, .first = ORACLE_NONE, .last = ORACLE_NONE, .asked = ORACLE_NONE, .catch_up = ORACLE_NONE
    };
}

static void connected(struct oracle *o, const struct chronicle_entry *e)
{
    struct oracle_cable *k = &o->cables[e->cable];
    uint32_t user = simclient_user(o->c->clients[e->client]);
    struct wire_reader r = wire_reader_of(chronicle_frame(o->h, e));
    k->read_only = wire_get_connect_response(&r).read_only;
    k->session_id = e->session_id;
    k->who.session_id = e->session_id;
    k->who.user = user < CLIENT_USERS ? slice_str(simclient_user_ids[user]) : (struct slice){ 0 };
}

static int by_zxid(const void *a, const void *b, void *ctx)
{
    const struct oracle_item *items = ctx;
    uint32_t i = *(const uint32_t *)a, j = *(const uint32_t *)b;
    if (items[i].zxid != items[j].zxid)
        return items[i].zxid < items[j].zxid ? -1 : 1;
    return (i > j) - (i < j);
}

static void reserve(struct oracle *o)
{
    const struct cluster *c = o->c;
    o->requests = mem_alloc((o->h->count + 1) * sizeof *o->requests);
    o->items = mem_alloc((o->h->count + 1) * sizeof *o->items);
    o->cables = mem_zalloc((o->h->cables + 1) * sizeof *o->cables);
    o->highest = mem_zalloc((c->client_count + 1) * sizeof *o->highest);
    o->last_xid = mem_zalloc((c->client_count + 1) * sizeof *o->last_xid);
    o->writes_of = mem_zalloc((c->client_count + 1) * sizeof *o->writes_of);
    o->session_of = mem_zalloc((c->client_count + 1) * sizeof *o->session_of);
    o->by_xid_count = 1024;
    while (o->by_xid_count < o->h->count * 2)
        o->by_xid_count *= 2;
    o->by_xid = mem_alloc(o->by_xid_count * sizeof *o->by_xid);
    memset(o->by_xid, 0xff, o->by_xid_count * sizeof *o->by_xid);
}

void oracle_index(struct oracle *o)
{
    reserve(o);
    for (uint32_t i = 0; i < o->h->count; i++) {
        const struct chronicle_entry *e = &o->h->entries[i];
        switch (e->kind) {
        case CHRONICLE_DIALLED:
            add_cable(o, e);
            break;
        case CHRONICLE_CONNECTED:
            connected(o, e);
            break;
        case CHRONICLE_SENT:
            if (!o->cables[e->cable].read_only)
                add_request(o, i);
            break;
        case CHRONICLE_RECEIVED:
            if (!o->cables[e->cable].read_only)
                add_item(o, i);
            break;
        case CHRONICLE_TAKEN_OVER:
            o->highest[e->client] = 0;
            break;
        case CHRONICLE_REFUSED:
        case CHRONICLE_GONE:
            break;
        }
    }
    o->order = mem_alloc((o->item_count + 1) * sizeof *o->order);
    uint32_t count = 0;
    for (uint32_t i = 0; i < o->item_count; i++)
        if (o->items[i].zxid >= 0) /* the answer to that setWatches never came */
            o->order[count++] = i;
    o->item_count = count;
    qsort_r(o->order, count, sizeof *o->order, by_zxid, o->items);
}
