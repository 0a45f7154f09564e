/* leader_ping: signs of life, and the proof that this server still leads which a sync needs. */
#include "base/museum.h"
#include "zab/internal.h"

static void ping(struct zab *z, struct learner *f)
{
    leader_send(z, f,
                &(struct peer_packet){ .type = PEER_PING, .zxid = z->leading.proposed, .authinfo = { .count = -1 } });
    if (f->state == LEARNER_UP)
        f->pings_sent++;
}

void leader_ping_all(struct zab *z)
{
    LIST_FOR_SAFE(it, &z->leading.learners)
    {
        struct learner *f = CONTAINER_OF(it, struct learner, link);
        if (f->state < LEARNER_SYNCING)
            continue;
        ping(z, f);
        /* Who joined after a round began may stand in for one that was lost. */
        bool waits = z->leading.answered_round != z->leading.ping_round;
        if (waits && f->state == LEARNER_UP && f->round_mark == 0)
            f->round_mark = f->pings_sent;
    }
}

/* One round of pings is under way at a time; who asks meanwhile waits for the next one. */
static void begin_round(struct zab *z)
{
    struct leading *ld = &z->leading;
    ld->ping_round++;
    LIST_FOR_SAFE(it, &ld->learners)
    {
        struct learner *f = CONTAINER_OF(it, struct learner, link);
        if (f->state != LEARNER_UP || f->observer || !members_is_voter(z->members, f->sid))
            continue;
        ping(z, f);
        f->round_mark = f->pings_sent;
    }
}

static bool quorum_answered(const struct zab *z)
{
    struct member_set set = { 0 };
    member_set_add(&set, z->members, z->opt.sid);
    LIST_FOR(it, &z->leading.learners)
    {
        const struct learner *f = CONTAINER_OF(it, struct learner, link);
        if (f->state == LEARNER_UP && !f->observer && f->round_mark > 0 && f->pings_answered >= f->round_mark)
            member_set_add(&set, z->members, f->sid);
    }
    return zab_is_quorum(z, &set);
}

/* In order of arrival: a learner releases its oldest waiting sync at each SYNC. */
void leader_release_syncs(struct zab *z)
{
    struct leading *ld = &z->leading;
    while (ld->syncs != NULL && ld->syncs->zxid <= z->committed && ld->syncs->round <= ld->answered_round) {
        struct waiting_sync *s = ld->syncs;
        ld->syncs = s->next;
        if (s->next == NULL)
            ld->syncs_last = &ld->syncs;
        zab_emit(z, ZAB_FX_SYNCED)->token = s->token;
        mem_free(s);
    }
}

static void check_round(struct zab *z)
{
    struct leading *ld = &z->leading;
    if (ld->answered_round == ld->ping_round || !quorum_answered(z))
        return;
    ld->answered_round = ld->ping_round;
    leader_release_syncs(z);
    if (ld->syncs != NULL && ld->wanted_round > ld->ping_round)
        begin_round(z);
}

void leader_recheck_round(struct zab *z)
{
    check_round(z);
}

void leader_ping_answered(struct zab *z, struct learner *f)
{
    if (f->pings_answered < f->pings_sent) /* what was not asked answers nothing */
        f->pings_answered++;
    check_round(z);
}

void zab_sync(struct zab *z, int64_t token, struct zab_out *out)
{
    struct leading *ld = &z->leading;
    ASSERT(z->role == PEER_LEADING && ld->phase == LEADING_SERVING);
    zab_call_begin(z, out);
    struct waiting_sync *s = mem_alloc(sizeof *s);
    *s = (struct waiting_sync){ .token = token, .zxid = z->appended };
    if (SIM_BUG(sync_alone))
        s->zxid = z->committed;
    bool idle = ld->answered_round == ld->ping_round;
    s->round = SIM_BUG(sync_alone) ? 0 : ld->ping_round + 1;
    ld->wanted_round = s->round;
    *ld->syncs_last = s;
    ld->syncs_last = &s->next;
    if (idle) {
        begin_round(z);
        check_round(z); /* alone, we are the quorum */
    }
    zab_call_end(z);
}

void zab_sync_answer(struct zab *z, uint32_t link, struct zab_out *out)
{
    zab_call_begin(z, out);
    struct learner *f = leader_find(z, link);
    if (f != NULL)
        leader_send(z, f, &(struct peer_packet){ .type = PEER_SYNC, .zxid = 0, .authinfo = { .count = -1 } });
    zab_call_end(z);
}

void leader_free_syncs(struct zab *z)
{
    struct leading *ld = &z->leading;
    while (ld->syncs != NULL) {
        struct waiting_sync *s = ld->syncs;
        ld->syncs = s->next;
        mem_free(s);
    }
    ld->syncs_last = &ld->syncs;
    ld->wanted_round = 0;
}
