/* sync_order: what learners' requests must wait for at the leader. A learner answers each of its clients in the order
 * of that client's requests, and gives each SYNC to the oldest sync it has sent. So what a session sent behind its
 * pending sync waits, and behind a sync that waits for that reason every later sync of the same learner. Each call
 * costs the same however many wait (links: a look at each learner that has syncs waiting). One thread. */
#ifndef ZOKOR_CORE_SYNC_ORDER_H
#define ZOKOR_CORE_SYNC_ORDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sync_waiter;
struct sync_lane;

/* A request that waits; part of what its owner keeps of it. The first three are for the owner to fill. */
struct sync_held {
    uint32_t link;
    int64_t session_id;
    bool is_sync;
    struct sync_waiter *of;
    struct sync_held *next, *next_sync;
};

struct sync_order {
    struct sync_waiter **buckets;
    size_t cap, count, held_count;
    struct sync_lane *lanes;
    struct sync_waiter *releasing, *then;
};

void sync_order_init(struct sync_order *o);
/* Nothing may be held. */
void sync_order_fini(struct sync_order *o);

/* Must a request of this session that comes from this learner now be held? */
bool sync_order_must_wait(const struct sync_order *o, uint32_t link, int64_t session_id, bool is_sync);
/* Holds it: it stays where it is until sync_order_next or sync_order_take_any gives it back. */
void sync_order_hold(struct sync_order *o, struct sync_held *h);
/* A sync of this session is pending from now on; several may be. */
void sync_order_began(struct sync_order *o, uint32_t link, int64_t session_id);
/* The oldest one is done, and what waited for it is given by sync_order_next. */
void sync_order_ended(struct sync_order *o, uint32_t link, int64_t session_id);
/* The next request that waits no longer, in the order in which they came; NULL: no more. A sync among them must have
 * been told to sync_order_began, or be given up, before the next call. */
struct sync_held *sync_order_next(struct sync_order *o);
/* Any request that is held, to end everything; NULL: none. With the last one every pending sync is forgotten, too. */
struct sync_held *sync_order_take_any(struct sync_order *o);

#endif
