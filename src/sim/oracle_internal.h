/* oracle_internal: what the files of the oracle share. */
#ifndef ZOKOR_SIM_ORACLE_INTERNAL_H
#define ZOKOR_SIM_ORACLE_INTERNAL_H

#include "sim/cluster.h"
#include "sim/model_watch.h"
#include "sim/oracle.h"

#define ORACLE_NONE UINT32_MAX

/* A request that a client sent. */
struct oracle_request {
    uint32_t entry, cable;
    uint32_t next; /* on its cable, in order of sending */
    int64_t session_id;
    int32_t xid, op;
    int64_t seen; /* the newest zxid that any client had seen when it was sent */
    int64_t zxid; /* of its transaction; 0: it has none */
    bool answered;
};

/* A frame that a client received. */
struct oracle_item {
    int64_t zxid; /* where it belongs: its header's, or for an event of setWatches that of the answer */
    uint32_t entry, cable;
    uint32_t next;    /* on its cable */
    uint32_t request; /* that it answers; ORACLE_NONE: an event */
    int32_t xid, err;
    bool catch_up; /* an event that setWatches made */
    bool used;
};

struct oracle_cable {
    uint32_t client;
    int64_t session_id;
    struct model_caller who;
    uint32_t first, last;       /* items; first: the next one that is not accounted for */
    uint32_t asked, asked_last; /* requests without an answer */
    uint32_t catch_up;          /* the first event of the setWatches to come */
    bool read_only;             /* served without a quorum: what it shows may never be decided */
    uint64_t fired;             /* the event that it was last told */
};

struct oracle {
    struct cluster *c;
    const struct chronicle *h;
    struct model model;
    struct model_watches watches;
    struct oracle_request *requests;
    uint32_t request_count, request_cap;
    uint32_t *by_xid; /* open addressing, by session and xid */
    size_t by_xid_count;
    struct oracle_item *items;
    uint32_t item_count, item_cap;
    uint32_t *order; /* items by zxid, then time */
    struct oracle_cable *cables;
    int64_t *highest;    /* by client: the newest zxid of its session */
    int64_t *session_of; /* by client */
    int32_t *last_xid;   /* by client: of its session's newest write */
    int64_t *writes_of;  /* by client: the session of that */
    int64_t seen;
    /* The transaction being replayed. */
    const struct chronicle_txn *txn;
    struct oracle_request *txn_request;
    int32_t txn_err;
    const struct model_event *event;
    uint64_t event_number;
};

void oracle_wrong(struct oracle *o, const char *rule, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* oracle_index.c: what belongs to what; checks orders that need no model. */
void oracle_index(struct oracle *o);
struct oracle_request *oracle_find(struct oracle *o, int64_t session_id, int32_t xid);
/* Header and record of a request's frame. */
struct slice oracle_record(const struct oracle *o, const struct oracle_request *q);

/* oracle_reply.c: one answer or stray event at the state of its zxid. */
void oracle_item(struct oracle *o, struct oracle_item *it);
/* Everybody who must hear of the events of the transaction, and has. */
void oracle_events(struct oracle *o);

/* oracle_end.c: the members as they stand at the end, and sessions that should be gone. */
void oracle_end(struct oracle *o);

#endif
