/* check: what must hold between two events, whatever came before. */
#include "zab/internal.h"

static void check_history(const struct zab *z)
{
    const struct history *h = &z->history;
    int64_t last = h->base;
    size_t bytes = 0;
    for (size_t i = 0; i < h->count; i++) {
        const struct past *p = history_at(h, i);
        ASSERT(last < 0 || zxid_follows(last, p->zxid)); /* the window has no holes (ZOOKEEPER-4925) */
        last = p->zxid;
        bytes += p->txn->n;
    }
    ASSERT(bytes == h->bytes);
    ASSERT(history_end(h) == z->appended);
}

static void check_leader(const struct zab *z)
{
    const struct leading *ld = &z->leading;
    LIST_FOR(it, &ld->learners)
    {
        const struct learner *f = CONTAINER_OF(it, struct learner, link);
        ASSERT(f->conn->learner == f && !f->conn->closing);
        ASSERT(!f->registered || f->state >= LEARNER_IMAGE);
        ASSERT(f->state < LEARNER_UP || ld->phase == LEADING_SERVING);
        ASSERT(f->state == LEARNER_IMAGE || f->held.n == 0);
        ASSERT(f->acked_zxid <= z->appended);
    }
    if (ld->phase < LEADING_SERVING)
        ASSERT(z->committed == z->appended);
    else
        ASSERT(z->appended <= ld->proposed && ZXID_EPOCH(ld->proposed) == ld->epoch);
    if (ld->phase >= LEADING_NEWLEADER)
        ASSERT(z->current_epoch == ld->epoch);
}

static void check_relay(const struct zab *z)
{
    ASSERT(z->leading.phase == LEADING_SERVING && z->leading.epoch == z->current_epoch);
    ASSERT(z->learning.phase == LEARNING_SERVING);
    LIST_FOR(it, &z->leading.learners)
    {
        const struct learner *f = CONTAINER_OF(it, struct learner, link);
        ASSERT(f->conn->learner == f && !f->conn->closing);
        ASSERT(f->relayed && (f->state == LEARNER_NEW || f->observer));
        ASSERT(!f->registered || f->state >= LEARNER_IMAGE);
    }
}

static void check_learner(const struct zab *z)
{
    const struct learning *ln = &z->learning;
    if (ln->phase > LEARNING_SAVE_ACCEPTED)
        ASSERT(z->accepted_epoch == ln->epoch);
    if (ln->phase >= LEARNING_ACKED) {
        ASSERT(z->current_epoch == ln->epoch);
        ASSERT(ln->acked_zxid <= z->synced || ln->acked_zxid <= z->committed);
    }
    if (ln->phase >= LEARNING_SYNC)
        ASSERT(!z->dirty && !z->truncating);
}

void zab_check(const struct zab *z)
{
    ASSERT(z->out == NULL);
    ASSERT(z->current_epoch <= z->accepted_epoch);
    ASSERT(z->committed <= z->appended && z->synced <= z->appended);
    if (z->stopped)
        return;
    if (!z->dirty)
        check_history(z);
    if (z->role == PEER_LEADING)
        check_leader(z);
    else if (relay_is_open(z))
        check_relay(z);
    else
        ASSERT(list_empty(&z->leading.learners) && !z->leading.relays);
    if (z->role == PEER_FOLLOWING || z->role == PEER_OBSERVING)
        check_learner(z);
    for (const struct peer *p = z->peers; p != NULL; p = p->next)
        ASSERT(p->link == NULL || (p->link->kind == LINK_ELECTION && p->link->peer == p));
    for (const struct link *l = z->links; l != NULL; l = l->next)
        ASSERT(!l->closing);
}
