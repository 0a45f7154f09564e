#include "base/museum.h"
#include "zab/sync_plan.h"

static struct sync_plan snap(void)
{
    return (struct sync_plan){ .kind = SYNC_SNAP };
}

/* Within one epoch there was one leader, so the logs of two servers agree up to the smaller of their ends in that
 * epoch: only there may a log be cut (ZOOKEEPER-1154). */
static struct sync_plan trunc_or_snap(int64_t common, int64_t last, size_t from)
{
    if (SIM_BUG(trunc_left_out))
        return (struct sync_plan){ .kind = SYNC_DIFF, .zxid = common, .from = from };
    if (common < 0 || ZXID_EPOCH(common) != ZXID_EPOCH(last))
        return snap();
    return (struct sync_plan){ .kind = SYNC_TRUNC, .zxid = common, .from = from };
}

struct sync_plan sync_plan(const struct history *h, int64_t committed, int64_t last)
{
    size_t end = history_after(h, committed);
    size_t after = history_after(h, last);
    struct sync_plan diff = { .kind = SYNC_DIFF, .zxid = committed, .from = after };
    bool new_epoch = ZXID_COUNTER(last) == 0;
    if (last < 0) /* whoever reports that wants an image */
        return snap();
    if (last == committed)
        return diff;
    if (last > committed)
        return new_epoch ? snap() : trunc_or_snap(committed, last, end);
    if (after == 0) /* at or below the window's beginning, or the start of the epoch that the window begins with */
        return last == h->base || (new_epoch && h->base >= 0 && last > h->base) ? diff : snap();
    const struct past *before = history_at(h, after - 1);
    if (before->zxid == last)
        return diff;
    /* The start of an epoch is no transaction: a learner that reports it has all that came before. */
    if (new_epoch)
        return diff;
    return trunc_or_snap(before->zxid, last, after);
}
