/* history: the newest transactions of the log, in order and without a gap: what was appended since `base`. From it
 * learners are brought up to date; its uncommitted end is what is proposed and not yet decided. */
#ifndef ZOKOR_ZAB_HISTORY_H
#define ZOKOR_ZAB_HISTORY_H

#include "base/blob.h"

struct past {
    int64_t zxid;
    int64_t at_ms; /* when it was appended: the age of what a learner has not acknowledged */
    struct blob *txn;
};

struct history {
    struct past *ring;
    size_t cap, head, count; /* cap is a power of two */
    size_t bytes;
    int64_t base; /* zxid right before the first entry; -1: not known */
};

#define ZXID_EPOCH(z) ((int64_t)((uint64_t)(z) >> 32))
#define ZXID_COUNTER(z) ((uint32_t)(z))
#define ZXID_FIRST(epoch) ((int64_t)((uint64_t)(epoch) << 32))
#define ZXID_COUNTER_LAST 0xfffffffeu /* the next one would look like a new epoch (quorum specification 5.3) */

/* True if b may stand right behind a in a log. Numbers are compared with their sign, so none may be negative. */
static inline bool zxid_follows(int64_t a, int64_t b)
{
    return b > a && (b - 1 == a || (ZXID_EPOCH(b) > ZXID_EPOCH(a) && ZXID_COUNTER(b) == 1));
}

static inline struct past *history_at(const struct history *h, size_t i)
{
    return &h->ring[(h->head + i) & (h->cap - 1)];
}

void history_init(struct history *h, int64_t base);
void history_fini(struct history *h);
/* Forgets everything: the log's end is `base` now. */
void history_restart(struct history *h, int64_t base);
/* Takes its own reference. */
void history_push(struct history *h, int64_t zxid, struct blob *txn, int64_t now_ms);
/* The position of the first entry above zxid; count if there is none. */
size_t history_after(const struct history *h, int64_t zxid);
/* Drops what is above zxid. */
void history_drop_above(struct history *h, int64_t zxid);
/* Drops oldest entries, but none above zxid, until at most count_max entries and bytes_max bytes are left. */
void history_trim(struct history *h, int64_t zxid, size_t count_max, size_t bytes_max);
/* zxid of the last entry, or base. */
int64_t history_end(const struct history *h);

#endif
