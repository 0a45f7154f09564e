/* zokor/queue.h: queues between processes, with the nodes and bytes of Apache Curator's queues: programs of both kinds
 * put and take on one path. Items of a node are taken in the order of its kind.
 *
 * Without a lock path an item is removed before it is handed out: it is lost with the process that took it (or if the
 * reply to its removal is lost). With one, who takes an item holds it, by an ephemeral node below the lock path, until
 * it says done; if its session ends before, others get it again: every item at least once.
 *
 * All functions may be called by any thread at once, also on one object, but those that wait not from callbacks.
 * timeout_ms is -1 for ever, 0 to try once. Errors are those of zookeeper.h. */
#ifndef ZOKOR_QUEUE_PUBLIC_H
#define ZOKOR_QUEUE_PUBLIC_H

#include <zokor/framework.h>

#ifdef __cplusplus
extern "C" {
#endif

enum zokor_queue_kind {
    ZOKOR_QUEUE_FIFO = 0, /* DistributedQueue: queue-0000000000 */
    ZOKOR_QUEUE_SIMPLE,   /* SimpleDistributedQueue, ZooKeeper's own recipe: qn-0000000000; no lock */
    ZOKOR_QUEUE_ID,       /* DistributedIdQueue: items can be removed by their ids */
    ZOKOR_QUEUE_PRIORITY, /* DistributedPriorityQueue: the lowest number first */
    ZOKOR_QUEUE_DELAY     /* DistributedDelayQueue: an item is there when its time has come */
};

/* All zeros is fine. */
struct zokor_queue_options {
    enum zokor_queue_kind kind;
    const char *lock_path; /* NULL: items are removed when they are taken */
    int items_max;         /* nodes in the queue: put waits while there are as many; 0: no limit. Approximate */
};

struct zokor_bytes {
    char *data; /* ended by a zero byte that is not counted */
    int len;
};

/* What was taken: a node, which has one item, or several that were put together. */
struct zokor_item {
    struct zokor_bytes *parts;
    int count;
    char *name;    /* of the node */
    char *id;      /* of an ID queue; else NULL */
    int64_t token; /* of the hold (zokor/hold.h), with a lock path; else the node's czxid */
};

struct zokor_queue;
/* NULL: bad path, or a lock path with a SIMPLE queue. */
struct zokor_queue *zokor_queue_new(struct zokor_framework *f, const char *path,
                                    const struct zokor_queue_options *options);
/* No thread may be in one of its functions; zokor_queue_cancel sees to it. What is held stays so until the session
 * ends. */
void zokor_queue_free(struct zokor_queue *q);
/* Whoever waits gets ZCLOSING, now and later. */
void zokor_queue_cancel(struct zokor_queue *q);

/* How an item is put. Zeros: an ordinary one, without a time limit. */
struct zokor_put {
    const char *id;     /* of an ID queue; slashes and bars become underscores */
    int priority;       /* of a PRIORITY queue */
    int64_t not_before; /* of a DELAY queue: ms since 1970 */
    int timeout_ms;     /* 0: as long as it takes; of queues with items_max: ZOPERATIONTIMEOUT */
};
/* put may be NULL. */
int zokor_queue_put(struct zokor_queue *q, const void *data, int len, const struct zokor_put *put);
/* Several items in one node: they are taken together. Not for SIMPLE. */
int zokor_queue_put_all(struct zokor_queue *q, const struct zokor_bytes *items, int count, const struct zokor_put *put);

/* ZOK: *item is the caller's, to be ended by zokor_queue_done, _again or (without lock path) zokor_item_free.
 * ZOPERATIONTIMEOUT: there was none. */
int zokor_queue_take(struct zokor_queue *q, struct zokor_item *item, int timeout_ms);
/* What could be taken next is looked at, and stays there. ZNONODE: none. */
int zokor_queue_peek(struct zokor_queue *q, struct zokor_item *item);
/* It is done: it is deleted. ZNONODE: the hold was lost, somebody else has it or will. Frees the item. */
int zokor_queue_done(struct zokor_queue *q, struct zokor_item *item);
/* It could not be done: it is put back, at the end of its like. Frees the item. */
int zokor_queue_again(struct zokor_queue *q, struct zokor_item *item);
void zokor_item_free(struct zokor_item *item);

/* Removes the items with this id that nobody holds; *removed (may be NULL) says how many. */
int zokor_queue_remove(struct zokor_queue *q, const char *id, int *removed);
/* How many nodes are in it. */
int zokor_queue_size(struct zokor_queue *q, int *size);

/* A thread that takes items and calls fn with each: 0: done; else: again. Until stopped, which waits for fn. */
struct zokor_consumer;
typedef int (*zokor_consume_fn)(struct zokor_queue *q, const struct zokor_item *item, void *context);
struct zokor_consumer *zokor_consumer_start(struct zokor_queue *q, zokor_consume_fn fn, void *context);
/* Cancels the queue. Not inside fn. */
void zokor_consumer_stop(struct zokor_consumer *c);

#ifdef __cplusplus
}
#endif

#endif
