/* sync_plan: how a learner is brought up to date (quorum specification 4.6), as one pure function of what the leader
 * has and where the learner's log ends. */
#ifndef ZOKOR_ZAB_SYNC_PLAN_H
#define ZOKOR_ZAB_SYNC_PLAN_H

#include "zab/history.h"

enum sync_kind {
    SYNC_DIFF,  /* the learner's log is a beginning of ours: send what follows */
    SYNC_TRUNC, /* it must first cut its log behind `zxid`, which both have */
    SYNC_SNAP,  /* it needs an image of the tree */
};

struct sync_plan {
    enum sync_kind kind;
    int64_t zxid; /* of the first packet; 0 for SNAP: the image's */
    size_t from;  /* DIFF, TRUNC: position in the history of the first transaction to send */
};

/* committed: the last committed zxid of the leader, all of h up to it is. last: the end of the learner's log. */
struct sync_plan sync_plan(const struct history *h, int64_t committed, int64_t last);

#endif
