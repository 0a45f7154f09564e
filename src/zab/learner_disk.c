/* learner_disk: a learner whose disk is slower than its leader. What waits for the disk is in memory, so it is counted,
 * and the leader is not read while it is too much. */
#include "zab/internal.h"

void learner_appended(struct zab *z, size_t bytes)
{
    z->learning.unsynced_bytes += bytes;
}

/* The leader waits for a quorum and never for an observer, and answers to its pings would keep this server in the
 * ensemble while what its disk has not taken fills the memory. So the leader is not read: TCP holds it back, its pings
 * wait behind, and after syncLimit it lets go of this server, as Apache's does. */
void learner_pause_if_behind(struct zab *z, struct link *l)
{
    struct learning *ln = &z->learning;
    size_t max = z->opt.unsynced_bytes_max;
    if (max == 0 || ln->unsynced_bytes <= max || l->paused || l->closing || z->leaving)
        return;
    ln->disk_behind = l->paused = true;
    if (ln->told_behind_ms != 0 && z->now_ms - ln->told_behind_ms < TELL_BEHIND_MS)
        return;
    ln->told_behind_ms = z->now_ms;
    log_warn(
        "zab.disk_behind",
        "unsynced_bytes=%zu limit_bytes=%zu appended=0x%llx synced=0x%llx action=\"the leader is not read until the "
        "log is on disk\" next=\"see why dataLogDir is slow\"",
        ln->unsynced_bytes, max, (unsigned long long)z->appended, (unsigned long long)z->synced);
}

void learner_disk_caught_up(struct zab *z, int64_t before)
{
    struct learning *ln = &z->learning;
    if (z->role != PEER_FOLLOWING && z->role != PEER_OBSERVING)
        return;
    for (size_t i = history_after(&z->history, before); i < z->history.count; i++) {
        const struct past *p = history_at(&z->history, i);
        if (p->zxid > z->synced)
            break;
        ln->unsynced_bytes -= p->txn->n < ln->unsynced_bytes ? p->txn->n : ln->unsynced_bytes;
    }
    if (z->synced == z->appended)
        ln->unsynced_bytes = 0;
    if (!ln->disk_behind || ln->unsynced_bytes > z->opt.unsynced_bytes_max / 2)
        return;
    ln->disk_behind = false;
    if (ln->conn != NULL && !z->leaving)
        link_unpause(z, ln->conn);
}
