/* election: fast leader election (quorum specification 3): everybody tells everybody the best vote known, until a
 * quorum says the same. */
#include "base/museum.h"
#include "zab/internal.h"

static struct vote initial_vote(const struct zab *z)
{
    struct vote v = { .given = true, .state = PEER_LOOKING, .version = 2 };
    if (zab_is_participant(z)) {
        v.leader = z->opt.sid;
        v.zxid = z->untrusted ? -1 : z->appended; /* others pass over such a vote (3.1) */
        v.peer_epoch = z->current_epoch;
    } else {
        v.leader = v.zxid = v.peer_epoch = SID_NONE;
    }
    return v;
}

/* One that speaks and is not heard, or has a wall before its learner port, would be elected again and again. Votes for
 * it are worth nothing at first, so that another is found whom a quorum reaches; the reference server has no such rule,
 * and where its servers insist on it they have their way. */
static bool is_avoided(const struct zab *z, int64_t leader)
{
    if (z->now_ms - z->election.begun_ms >= AVOID_FIRST_MS)
        return false;
    for (const struct peer *p = z->peers; p != NULL; p = p->next)
        if (p->sid == leader)
            return z->now_ms < p->avoid_until_ms;
    return false;
}

void election_avoid(struct zab *z, int64_t sid)
{
    if (!members_is_voter(z->members, sid))
        return;
    election_peer(z, sid)->avoid_until_ms = z->now_ms + AVOID_MS;
    log_info("zab.avoid", "sid=%lld for_ms=%d", (long long)sid, AVOID_MS);
}

/* Signed comparison, as Java's (3.3). */
static bool beats(const struct zab *z, const struct vote *a, const struct vote *b)
{
    if (members_weight(z->members, a->leader) == 0 || is_avoided(z, a->leader))
        return false;
    if (a->peer_epoch != b->peer_epoch)
        return a->peer_epoch > b->peer_epoch;
    if (a->zxid != b->zxid && !SIM_BUG(vote_ignores_log))
        return a->zxid > b->zxid;
    return a->leader > b->leader;
}

/* Those who look must agree in everything. Among the others zxid and round may differ: they joined at different times,
 * and a sender of format 0 does not know the epoch (ZOOKEEPER-1732, 1805). */
static bool same_vote(const struct vote *a, const struct vote *b)
{
    if (a->leader != b->leader)
        return false;
    if (a->state == PEER_LOOKING || b->state == PEER_LOOKING)
        return a->zxid == b->zxid && a->round == b->round && a->peer_epoch == b->peer_epoch;
    if ((a->version == 0) != (b->version == 0))
        return true;
    return a->peer_epoch == b->peer_epoch;
}

static void tell_all(struct zab *z)
{
    const struct election *e = &z->election;
    struct peer_notification n = {
        .state = PEER_LOOKING,
        .leader = e->proposal.leader,
        .zxid = e->proposal.zxid,
        .round = e->round,
        .peer_epoch = e->proposal.peer_epoch,
        .version = 2,
        .config = buf_slice(&z->config_text),
    };
    for (size_t i = 0; i < z->members->count; i++) {
        const struct member *m = &z->members->at[i];
        if (!zab_is_participant(z) && !m->observer)
            election_drop_dead(z, election_peer(z, m->sid));
        if (!m->observer && m->sid != z->opt.sid)
            election_tell(z, election_peer(z, m->sid), &n);
    }
}

/* What we have become, for those who still look. round: our own of the election for voters, the clock for others. */
static void tell_current(struct zab *z, struct peer *p, int64_t round)
{
    const struct election *e = &z->election;
    const struct vote *v = z->role == PEER_LOOKING ? &e->proposal : &e->current;
    election_tell(z, p,
                  &(struct peer_notification){ .state = z->role,
                                               .leader = v->leader,
                                               .zxid = v->zxid,
                                               .round = round,
                                               .peer_epoch = v->peer_epoch,
                                               .version = 2,
                                               .config = buf_slice(&z->config_text) });
}

/* A vote of ours that a voter may lack. An observer has none to give: voters answer whatever it says, so that it would
 * be told, and answer, for as long as they look. */
static void tell_back(struct zab *z, struct peer *p)
{
    if (zab_is_participant(z))
        tell_current(z, p, z->election.round);
}

static void propose(struct zab *z, struct vote v)
{
    struct election *e = &z->election;
    e->proposal = v;
    e->proposal.state = PEER_LOOKING;
    e->proposal.round = e->round;
    e->proposal.given = true;
    e->proposal.version = 2;
    e->final_ms = 0;
    tell_all(z);
}

static void forget_votes(struct zab *z, bool outside)
{
    for (struct peer *p = z->peers; p != NULL; p = p->next) {
        p->recv.given = false;
        if (outside)
            p->outside.given = false;
    }
}

static void from_looking(struct zab *z, struct peer *p, const struct vote *v);

/* What came while the last role was being put away. */
static void take_early_votes(struct zab *z)
{
    for (struct peer *p = z->peers; p != NULL && z->role == PEER_LOOKING; p = p->next) {
        struct vote v = p->early;
        p->early.given = false;
        if (v.given)
            from_looking(z, p, &v);
    }
}

static void look(struct zab *z)
{
    struct election *e = &z->election;
    e->start_ms = 0;
    e->round++;
    e->final_ms = 0;
    e->repeat_after_ms = z->opt.notification_ms_min;
    e->repeat_ms = z->now_ms + e->repeat_after_ms;
    forget_votes(z, true);
    propose(z, initial_vote(z));
}

/* Who alone is a quorum decides at the next tick: nobody will answer. */
static void decide_if_alone(struct zab *z)
{
    struct member_set self = { 0 };
    member_set_add(&self, z->members, z->opt.sid);
    if (!z->untrusted && members_is_quorum(z->members, &self))
        z->election.final_ms = z->now_ms;
}

void election_begin(struct zab *z)
{
    struct election *e = &z->election;
    z->elections++;
    e->begun_ms = z->now_ms;
    e->start_ms = 0;
    int64_t delay_ms = z->opt.observer_delay_ms, more_ms = z->opt.observer_reconnect_ms;
    if (!zab_is_participant(z) && z->elections > 1 && (delay_ms > 0 || more_ms > 0)) {
        e->start_ms = z->now_ms + 1;
        e->start_ms += delay_ms > 0 ? (int64_t)rng_below(&z->rng, (uint64_t)delay_ms) : 0;
        e->start_ms += more_ms > 0 ? (int64_t)rng_below(&z->rng, (uint64_t)more_ms) : 0;
        e->final_ms = 0;
        return;
    }
    look(z);
    lone_begin(z);
    decide_if_alone(z);
    take_early_votes(z);
}

/* The members' word counts; a server that they do not name is what its own peerType says. */
static bool observes(const struct zab *z)
{
    const struct member *me = members_find(z->members, z->opt.sid);
    return me != NULL ? me->observer : z->opt.observer;
}

static void decided(struct zab *z, const struct vote *v)
{
    struct election *e = &z->election;
    e->current = *v;
    e->current.round = e->round;
    e->final_ms = 0;
    z->last_election_ms = z->now_ms - e->begun_ms;
    if (v->leader == z->opt.sid)
        z->role = PEER_LEADING;
    else
        z->role = observes(z) ? PEER_OBSERVING : PEER_FOLLOWING;
    log_info("zab.elected", "leader=%lld zxid=0x%llx round=%lld epoch=%lld took_ms=%lld", (long long)v->leader,
             (unsigned long long)v->zxid, (long long)e->round, (long long)v->peer_epoch,
             (long long)z->last_election_ms);
    if (z->role == PEER_LEADING)
        leader_begin(z);
    else
        learner_begin(z, v->leader);
}

/* The members whose vote is v; which: of this round, or of those who follow or lead. */
static bool quorum_says(const struct zab *z, const struct vote *v, bool outside)
{
    struct member_set set = { 0 };
    for (const struct peer *p = z->peers; p != NULL; p = p->next) {
        const struct vote *theirs = outside ? &p->outside : &p->recv;
        if (theirs->given && same_vote(theirs, v))
            member_set_add(&set, z->members, p->sid);
    }
    if (!outside && same_vote(&z->election.proposal, v))
        member_set_add(&set, z->members, z->opt.sid);
    return zab_is_quorum(z, &set);
}

/* Never follow a leader before it has said itself that it leads: reports about a dead one are not enough. */
static bool leader_confirms(struct zab *z, int64_t leader, int64_t round, bool outside)
{
    if (leader == z->opt.sid)
        return z->election.round == round;
    for (const struct peer *p = z->peers; p != NULL; p = p->next) {
        const struct vote *v = outside ? &p->outside : &p->recv;
        if (p->sid == leader)
            return v->given && v->state == PEER_LEADING;
    }
    return false;
}

/* Nobody is left who could know a better vote: all others have given the same one or cannot be reached. Then nothing
 * is gained by waiting. */
static bool nobody_left(const struct zab *z)
{
    for (size_t i = 0; i < z->members->count; i++) {
        const struct member *m = &z->members->at[i];
        if (m->observer || m->sid == z->opt.sid)
            continue;
        const struct peer *p = z->peers;
        while (p != NULL && p->sid != m->sid)
            p = p->next;
        if (p == NULL)
            return false;
        bool same = p->recv.given && same_vote(&p->recv, &z->election.proposal);
        if (!same && !p->dead)
            return false;
    }
    return true;
}

static void check_quorum(struct zab *z)
{
    struct election *e = &z->election;
    if (e->proposal.zxid == -1 || !quorum_says(z, &e->proposal, false)) {
        e->final_ms = 0;
        return;
    }
    if (nobody_left(z)) {
        struct vote v = e->proposal;
        decided(z, &v);
    } else if (e->final_ms == 0) {
        e->final_ms = z->now_ms + z->opt.notification_ms_min;
    }
}

void election_recheck(struct zab *z)
{
    if (z->role == PEER_LOOKING && !z->settling && !z->leaving && z->election.start_ms == 0 && zab_is_participant(z))
        check_quorum(z);
}

static void from_looking(struct zab *z, struct peer *p, const struct vote *v)
{
    struct election *e = &z->election;
    /* -1: a server with an empty database that is not trusted (3.1). */
    if (v->zxid == -1 || e->proposal.zxid == -1 || v->round < e->round)
        return;
    if (v->round > e->round) {
        struct vote own = initial_vote(z);
        e->round = v->round;
        forget_votes(z, false);
        propose(z, beats(z, v, &own) ? *v : own);
    } else if (beats(z, v, &e->proposal)) {
        propose(z, *v);
    } else if (!same_vote(v, &e->proposal) && !is_avoided(z, v->leader)) { /* which would not agree, and answer */
        /* It may have begun to look after our better vote had come, and dropped it as one who follows drops votes:
         * without this word it would learn of it only when votes are repeated. */
        tell_back(z, p);
    }
    p->recv = *v;
    check_quorum(z);
}

static void from_settled(struct zab *z, struct peer *p, const struct vote *v)
{
    struct election *e = &z->election;
    p->outside = *v;
    if (v->round == e->round) {
        p->recv = *v;
        if (quorum_says(z, v, false) && leader_confirms(z, v->leader, v->round, false)) {
            decided(z, v);
            return;
        }
    }
    bool leads = v->state == PEER_LEADING && v->leader == p->sid;
    if ((quorum_says(z, v, true) && leader_confirms(z, v->leader, v->round, true)) || (leads && lone_follows(z))) {
        e->round = v->round;
        decided(z, v);
    }
}

/* As Apache's receivedLeadingNotification, and the look that it takes whenever its votes are not answered. */
void election_oracle(struct zab *z)
{
    if (z->election.start_ms != 0)
        return;
    election_recheck(z);
    for (struct peer *p = z->peers; p != NULL && z->role == PEER_LOOKING; p = p->next) {
        struct vote v = p->outside;
        if (v.given && v.state == PEER_LEADING)
            from_settled(z, p, &v);
    }
}

void election_notified(struct zab *z, struct peer *p, const struct peer_notification *n)
{
    struct election *e = &z->election;
    p->unanswered_ms = 0;
    if (!members_is_voter(z->members, p->sid)) {
        tell_current(z, p, e->round);
        return;
    }
    if (n->round > ROUND_MAX)
        return;
    struct vote v = { .given = true,
                      .state = n->state,
                      .leader = n->leader,
                      .zxid = n->zxid,
                      .round = n->round,
                      .peer_epoch = n->peer_epoch,
                      .version = n->version };
    if (z->leaving || z->settling) {
        if (n->state == PEER_LOOKING && members_is_voter(z->members, v.leader))
            p->early = v;
        return;
    }
    if (z->role != PEER_LOOKING) {
        if (n->state == PEER_LOOKING) {
            tell_current(z, p, e->current.round);
            leader_voter_looks(z);
        }
        return;
    }
    if (e->start_ms != 0)
        return;
    if (n->state == PEER_LOOKING && n->round < e->round)
        tell_back(z, p);
    if (!members_is_voter(z->members, v.leader))
        return;
    if (n->state == PEER_LOOKING)
        from_looking(z, p, &v);
    else if (n->state != PEER_OBSERVING)
        from_settled(z, p, &v);
}

void election_tick(struct zab *z)
{
    struct election *e = &z->election;
    if (z->role != PEER_LOOKING || z->settling)
        return;
    if (e->start_ms != 0) {
        if (z->now_ms >= e->start_ms) {
            look(z);
            lone_begin(z);
        }
        return;
    }
    if (e->final_ms != 0 && z->now_ms >= e->final_ms) {
        struct vote v = e->proposal;
        decided(z, &v);
        return;
    }
    if (z->now_ms < e->repeat_ms)
        return;
    tell_all(z);
    lone_ask(z);
    int64_t max_ms =
        z->opt.notification_ms_max < NOTIFICATION_MS_CAP ? z->opt.notification_ms_max : NOTIFICATION_MS_CAP;
    e->repeat_after_ms = e->repeat_after_ms * 2 < max_ms ? e->repeat_after_ms * 2 : max_ms;
    e->repeat_ms = z->now_ms + e->repeat_after_ms;
}

int64_t election_next_tick_ms(const struct zab *z)
{
    const struct election *e = &z->election;
    int64_t next = INT64_MAX;
    for (const struct peer *p = z->peers; p != NULL; p = p->next)
        if (p->pending && p->link == NULL && p->dial == NULL && p->redial_ms < next)
            next = p->redial_ms;
    for (const struct link *l = z->links; l != NULL; l = l->next)
        if (l->kind == LINK_ELECTION_HELLO && l->opened_ms + z->opt.hello_ms < next)
            next = l->opened_ms + z->opt.hello_ms;
    if (z->role != PEER_LOOKING)
        return next;
    if (z->settling)
        return next;
    if (e->start_ms != 0)
        return e->start_ms < next ? e->start_ms : next;
    if (e->final_ms != 0 && e->final_ms < next)
        next = e->final_ms;
    return e->repeat_ms < next ? e->repeat_ms : next;
}

/* Every member reports the epoch it lives in, so that one who joins later finds a quorum that says the same (3.4). */
void election_peer_epoch(struct zab *z, int64_t epoch)
{
    z->election.current.peer_epoch = epoch;
}
