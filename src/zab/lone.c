/* lone: two voters of which one alone may go on if a file on its machine, the oracle, says so (oraclePath; Apache's
 * QuorumOracleMaj). Something outside, which knows whether the other one is down, writes 1 into the file of the server
 * that may be a quorum by itself. The oracle is asked only while no follower is in sync: with one, both must agree, so
 * that what is acknowledged is on two disks whenever there are two. (Apache asks from its start on until a follower has
 * been lost once, and with a 1 in the file commits alone meanwhile.) */
#include "zab/internal.h"

static bool applies(const struct zab *z)
{
    return z->opt.oracle && !z->members->hierarchical && z->members->voter_count == 2;
}

static bool has_follower(const struct zab *z)
{
    if (z->role != PEER_LEADING)
        return false;
    LIST_FOR(it, &z->leading.learners)
    {
        const struct learner *f = CONTAINER_OF(it, struct learner, link);
        if (f->state >= LEARNER_SYNCED && !f->observer && members_is_voter(z->members, f->sid))
            return true;
    }
    return false;
}

bool zab_is_quorum(const struct zab *z, const struct member_set *set)
{
    if (members_is_quorum(z->members, set))
        return true;
    return applies(z) && z->lone.answer == LONE_YES && member_set_count(set) != 0 && !has_follower(z);
}

bool lone_follows(const struct zab *z)
{
    return applies(z) && z->lone.answer == LONE_NO;
}

bool lone_waits(const struct zab *z)
{
    return applies(z) && z->lone.asked && z->lone.answer == LONE_UNKNOWN &&
           z->now_ms - z->lone.asked_ms < z->opt.tick_time_ms * z->opt.sync_limit_ticks;
}

void lone_ask(struct zab *z)
{
    if (!applies(z) || z->lone.asked || has_follower(z))
        return;
    z->lone.asked = true;
    z->lone.asked_ms = z->now_ms;
    (void)zab_emit(z, ZAB_FX_ASK_ORACLE);
}

void lone_begin(struct zab *z)
{
    z->lone.answer = LONE_UNKNOWN;
    lone_ask(z);
}

void lone_answered(struct zab *z, bool yes)
{
    enum lone_answer before = z->lone.answer;
    z->lone.asked = false;
    z->lone.answer = yes ? LONE_YES : LONE_NO;
    if (before != z->lone.answer)
        log_info("zab.oracle", "says=%d role=%d", yes, (int)z->role);
    if (z->leaving || z->settling)
        return;
    if (z->role == PEER_LOOKING)
        election_oracle(z);
    else if (z->role == PEER_LEADING)
        leader_recheck(z);
}
