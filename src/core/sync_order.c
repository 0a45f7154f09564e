#include "core/sync_order.h"
#include "base/assert.h"
#include "base/hash.h"
#include "base/mem.h"

#define BUCKETS_MIN 16u

/* A session at a learner, with pending syncs or held requests or both. */
struct sync_waiter {
    struct sync_waiter *next;
    uint32_t link;
    int64_t session_id;
    uint32_t pending;
    struct sync_held *first, *last;
};

/* The held syncs of a learner, oldest first. */
struct sync_lane {
    struct sync_lane *next;
    uint32_t link;
    struct sync_held *first, *last;
};

void sync_order_init(struct sync_order *o)
{
    *o = (struct sync_order){ .cap = BUCKETS_MIN };
    o->buckets = mem_zalloc(o->cap * sizeof *o->buckets);
}

void sync_order_fini(struct sync_order *o)
{
    struct sync_held *left = sync_order_take_any(o);
    ASSERT(left == NULL);
    mem_free(o->buckets);
    *o = (struct sync_order){ 0 };
}

/* ---- sessions ---- */

static struct sync_waiter **bucket_of(const struct sync_order *o, uint32_t link, int64_t session_id)
{
    return &o->buckets[hash_u64(link, (uint64_t)session_id) & (o->cap - 1)];
}

static struct sync_waiter *waiter_find(const struct sync_order *o, uint32_t link, int64_t session_id)
{
    struct sync_waiter *w = *bucket_of(o, link, session_id);
    while (w != NULL && (w->link != link || w->session_id != session_id))
        w = w->next;
    return w;
}

static void waiter_put(struct sync_order *o, struct sync_waiter *w)
{
    struct sync_waiter **at = bucket_of(o, w->link, w->session_id);
    w->next = *at;
    *at = w;
}

static void grow(struct sync_order *o)
{
    struct sync_waiter **old = o->buckets;
    size_t cap = o->cap;
    o->cap *= 2;
    o->buckets = mem_zalloc(o->cap * sizeof *o->buckets);
    for (size_t i = 0; i < cap; i++)
        for (struct sync_waiter *w = old[i], *next; w != NULL; w = next) {
            next = w->next;
            waiter_put(o, w);
        }
    mem_free(old);
}

static struct sync_waiter *waiter_need(struct sync_order *o, uint32_t link, int64_t session_id)
{
    struct sync_waiter *w = waiter_find(o, link, session_id);
    if (w != NULL)
        return w;
    if (o->count++ == o->cap)
        grow(o);
    w = mem_zalloc(sizeof *w);
    w->link = link;
    w->session_id = session_id;
    waiter_put(o, w);
    return w;
}

static void waiter_drop(struct sync_order *o, struct sync_waiter *w)
{
    struct sync_waiter **at = bucket_of(o, w->link, w->session_id);
    while (*at != w)
        at = &(*at)->next;
    *at = w->next;
    o->count--;
    mem_free(w);
}

/* ---- learners ---- */

static struct sync_lane **lane_find(struct sync_order *o, uint32_t link)
{
    struct sync_lane **at = &o->lanes;
    while (*at != NULL && (*at)->link != link)
        at = &(*at)->next;
    return at;
}

static void lane_push(struct sync_order *o, struct sync_held *h)
{
    struct sync_lane **at = lane_find(o, h->link), *lane = *at;
    if (lane == NULL) {
        *at = lane = mem_zalloc(sizeof *lane);
        lane->link = h->link;
    }
    if (lane->first == NULL)
        lane->first = h;
    else
        lane->last->next_sync = h;
    lane->last = h;
}

/* Takes the oldest one and gives the session of the next one, or NULL. */
static struct sync_waiter *lane_pop(struct sync_order *o, uint32_t link)
{
    struct sync_lane **at = lane_find(o, link), *lane = *at;
    lane->first = lane->first->next_sync;
    if (lane->first != NULL)
        return lane->first->of;
    *at = lane->next;
    mem_free(lane);
    return NULL;
}

/* ---- requests ---- */

bool sync_order_must_wait(const struct sync_order *o, uint32_t link, int64_t session_id, bool is_sync)
{
    if (waiter_find(o, link, session_id) != NULL)
        return true;
    const struct sync_lane *lane = is_sync ? o->lanes : NULL;
    while (lane != NULL && lane->link != link)
        lane = lane->next;
    return lane != NULL;
}

void sync_order_hold(struct sync_order *o, struct sync_held *h)
{
    struct sync_waiter *w = waiter_need(o, h->link, h->session_id);
    h->of = w;
    h->next = h->next_sync = NULL;
    if (w->first == NULL)
        w->first = h;
    else
        w->last->next = h;
    w->last = h;
    o->held_count++;
    if (h->is_sync)
        lane_push(o, h);
}

void sync_order_began(struct sync_order *o, uint32_t link, int64_t session_id)
{
    waiter_need(o, link, session_id)->pending++;
}

void sync_order_ended(struct sync_order *o, uint32_t link, int64_t session_id)
{
    struct sync_waiter *w = waiter_find(o, link, session_id);
    ASSERT(w != NULL && w->pending != 0 && o->releasing == NULL);
    w->pending--;
    o->releasing = w;
}

static bool may_go(struct sync_order *o, const struct sync_waiter *w)
{
    return w->pending == 0 && w->first != NULL && (!w->first->is_sync || (*lane_find(o, w->link))->first == w->first);
}

static struct sync_held *take_first(struct sync_order *o, struct sync_waiter *w)
{
    struct sync_held *h = w->first;
    w->first = h->next;
    o->held_count--;
    return h;
}

/* Of other sessions only syncs are freed, one behind the other, each by the one before it: what one session may do
 * again stands in front of its next sync, and that in front of those. */
struct sync_held *sync_order_next(struct sync_order *o)
{
    while (o->releasing != NULL) {
        struct sync_waiter *w = o->releasing;
        if (may_go(o, w)) {
            struct sync_held *h = take_first(o, w);
            if (h->is_sync)
                o->then = lane_pop(o, h->link);
            return h;
        }
        o->releasing = o->then;
        o->then = NULL;
        if (w->pending == 0 && w->first == NULL)
            waiter_drop(o, w);
    }
    return NULL;
}

struct sync_held *sync_order_take_any(struct sync_order *o)
{
    o->releasing = o->then = NULL;
    for (size_t i = 0; i < o->cap && o->count != 0; i++)
        for (struct sync_waiter *w; (w = o->buckets[i]) != NULL;) {
            if (w->first != NULL)
                return take_first(o, w);
            waiter_drop(o, w);
        }
    for (struct sync_lane *lane; (lane = o->lanes) != NULL;) {
        o->lanes = lane->next;
        mem_free(lane);
    }
    return NULL;
}
