/* relay: a follower that serves observers on a port of its own (observerMasterPort, quorum specification 4.11). To an
 * observer it is a leader whose history is what the follower has been told to commit; what its clients ask goes on to
 * the leader as the follower's own. Learners are those of struct leading, of which only observers and only the phase
 * SERVING occur here. */
#include "zab/internal.h"

bool relay_is_open(const struct zab *z)
{
    return z->role == PEER_FOLLOWING && z->leading.relays;
}

/* This follower is up to date. */
void relay_begin(struct zab *z)
{
    struct leading *ld = &z->leading;
    if (z->role != PEER_FOLLOWING || !z->opt.observer_masters)
        return;
    ld->relays = true;
    ld->phase = LEADING_SERVING;
    ld->epoch = z->learning.epoch;
    ld->proposed = ZXID_FIRST(ld->epoch);
    ld->ping_ms = z->now_ms + z->opt.tick_time_ms / 2;
    ld->ping_round = ld->answered_round = 0;
    if (z->committed > ld->proposed)
        ld->proposed = z->committed;
    struct zab_fx *fx = zab_emit(z, ZAB_FX_LISTEN);
    fx->port = ZAB_PORT_OBSERVERS;
    fx->on = true;
}

void relay_end(struct zab *z)
{
    if (!relay_is_open(z))
        return;
    leader_forget_learners(z);
    z->leading.relays = false;
    struct zab_fx *fx = zab_emit(z, ZAB_FX_LISTEN);
    fx->port = ZAB_PORT_OBSERVERS;
    fx->on = false;
}

void zab_inform(struct zab *z, int64_t zxid, struct blob *txn, struct zab_out *out)
{
    struct leading *ld = &z->leading;
    if (!relay_is_open(z))
        return;
    zab_call_begin(z, out);
    if (zxid > ld->proposed)
        ld->proposed = zxid; /* pings name the last INFORM */
    leader_tell_commit(z, &(struct past){ .zxid = zxid, .txn = txn });
    zab_call_end(z);
}

/* It has heard of transactions that this follower has yet to hear of: cutting them off would be wrong, and it finds
 * them here in a moment, or elsewhere at once. */
bool relay_is_behind(const struct zab *z, const struct learner *f)
{
    return relay_is_open(z) && f->last_zxid > z->committed && ZXID_EPOCH(f->last_zxid) == z->leading.epoch;
}

void relay_tick(struct zab *z)
{
    struct leading *ld = &z->leading;
    if (!relay_is_open(z) || z->leaving || z->now_ms < ld->ping_ms)
        return;
    ld->ping_ms = z->now_ms + z->opt.tick_time_ms / 2;
    leader_drop_late(z);
    leader_ping_all(z);
}

/* ---- the observer's side: whom it dials ---- */

/* Every voter but the leader in turn, beginning anywhere. After a while, when none of them serves observers, the
 * leader: an observer that serves is worth more than a leader that is spared. */
int64_t relay_of(const struct zab *z, int64_t leader, uint64_t begin, int tries)
{
    int64_t voters[MEMBERS_MAX];
    size_t n = 0;
    for (size_t i = 0; i < z->members->count && n < MEMBERS_MAX; i++)
        if (!z->members->at[i].observer && z->members->at[i].sid != leader)
            voters[n++] = z->members->at[i].sid;
    bool long_enough = z->now_ms - z->learning.begun_ms >= RETRY_LEADER_FOR_MS / 2;
    return n == 0 || long_enough ? leader : voters[(begin + (size_t)tries) % n];
}
