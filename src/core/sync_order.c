#include "core/sync_order.h"
#include "base/assert.h"
#include "base/mem.h"

/* A learner with pending syncs or held requests or both. */
struct sync_lane {
    struct sync_lane *next;
    uint32_t link;
    uint32_t pending;
    struct sync_held *first, *last;
};

void sync_order_init(struct sync_order *o)
{
    *o = (struct sync_order){ 0 };
}

void sync_order_fini(struct sync_order *o)
{
    struct sync_held *left = sync_order_take_any(o);
    ASSERT(left == NULL);
}

static struct sync_lane *lane_find(const struct sync_order *o, uint32_t link)
{
    struct sync_lane *lane = o->lanes;
    while (lane != NULL && lane->link != link)
        lane = lane->next;
    return lane;
}

static struct sync_lane *lane_need(struct sync_order *o, uint32_t link)
{
    struct sync_lane *lane = lane_find(o, link);
    if (lane != NULL)
        return lane;
    lane = mem_zalloc(sizeof *lane);
    lane->link = link;
    lane->next = o->lanes;
    return o->lanes = lane;
}

static void lane_drop(struct sync_order *o, struct sync_lane *lane)
{
    struct sync_lane **at = &o->lanes;
    while (*at != lane)
        at = &(*at)->next;
    *at = lane->next;
    mem_free(lane);
}

static struct sync_held *take_first(struct sync_order *o, struct sync_lane *lane)
{
    struct sync_held *h = lane->first;
    lane->first = h->next;
    o->held_count--;
    return h;
}

bool sync_order_must_wait(const struct sync_order *o, uint32_t link, bool is_sync)
{
    const struct sync_lane *lane = lane_find(o, link);
    return lane != NULL && (lane->first != NULL || (lane->pending != 0 && !is_sync));
}

void sync_order_hold(struct sync_order *o, struct sync_held *h)
{
    struct sync_lane *lane = lane_need(o, h->link);
    h->next = NULL;
    if (lane->first == NULL)
        lane->first = h;
    else
        lane->last->next = h;
    lane->last = h;
    o->held_count++;
}

void sync_order_began(struct sync_order *o, uint32_t link)
{
    lane_need(o, link)->pending++;
}

void sync_order_ended(struct sync_order *o, uint32_t link)
{
    struct sync_lane *lane = lane_find(o, link);
    ASSERT(lane != NULL && lane->pending != 0 && o->releasing == NULL);
    lane->pending--;
    o->releasing = lane;
}

/* Syncs one behind the other are under way together. */
struct sync_held *sync_order_next(struct sync_order *o)
{
    struct sync_lane *lane = o->releasing;
    if (lane == NULL)
        return NULL;
    if (lane->first != NULL && (lane->first->is_sync || lane->pending == 0))
        return take_first(o, lane);
    o->releasing = NULL;
    if (lane->first == NULL && lane->pending == 0)
        lane_drop(o, lane);
    return NULL;
}

struct sync_held *sync_order_take_any(struct sync_order *o)
{
    o->releasing = NULL;
    while (o->lanes != NULL) {
        if (o->lanes->first != NULL)
            return take_first(o, o->lanes);
        lane_drop(o, o->lanes);
    }
    return NULL;
}
