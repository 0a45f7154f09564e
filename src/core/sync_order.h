/* sync_order: what learners' requests must wait for at the leader. A learner of the reference server's knows the
 * outcome of a request by its place: its CommitProcessor compares what is decided with the oldest of the writes and
 * syncs that it has sent, of all its clients. An outcome that comes before its turn is taken for another server's, the
 * client is never answered, and neither is any client of that learner from then on. So outcomes leave in the order of
 * the requests: a write that comes behind a pending sync waits for it, and everything that comes behind what waits.
 * Each call costs the same however many wait (but looks at each learner that has syncs pending). One thread. */
#ifndef ZOKOR_CORE_SYNC_ORDER_H
#define ZOKOR_CORE_SYNC_ORDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sync_lane;

/* A request that waits; part of what its owner keeps of it. The first two are for the owner to fill. */
struct sync_held {
    uint32_t link;
    bool is_sync;
    struct sync_held *next;
};

struct sync_order {
    struct sync_lane *lanes, *releasing;
    size_t held_count;
};

void sync_order_init(struct sync_order *o);
/* Nothing may be held. */
void sync_order_fini(struct sync_order *o);

/* Must a request that comes from this learner now be held? */
bool sync_order_must_wait(const struct sync_order *o, uint32_t link, bool is_sync);
/* Holds it: it stays where it is until sync_order_next or sync_order_take_any gives it back. */
void sync_order_hold(struct sync_order *o, struct sync_held *h);
/* A sync of this learner is pending from now on; several may be. */
void sync_order_began(struct sync_order *o, uint32_t link);
/* The oldest one is done, and what waited for it is given by sync_order_next. */
void sync_order_ended(struct sync_order *o, uint32_t link);
/* The next request that waits no longer, in the order in which they came; NULL: no more. A sync among them must have
 * been told to sync_order_began, or be given up, before the next call. */
struct sync_held *sync_order_next(struct sync_order *o);
/* Any request that is held, to end everything; NULL: none. With the last one every pending sync is forgotten, too. */
struct sync_held *sync_order_take_any(struct sync_order *o);

#endif
