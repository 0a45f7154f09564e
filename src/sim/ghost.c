#include "sim/ghost.h"
#include "base/mem.h"
#include "sim/cluster.h"
#include "sim/member.h"
#include "core/view.h"

/* ---- what a member has handed to its log ---- */

void shadow_init(struct shadow *s)
{
    *s = (struct shadow){ 0 };
}

void shadow_fini(struct shadow *s)
{
    for (size_t i = 0; i < s->count; i++)
        blob_unref(s->records[s->head + i].txn);
    mem_free(s->records);
    *s = (struct shadow){ 0 };
}

void shadow_push(struct shadow *s, int64_t zxid, struct blob *txn)
{
    if (s->head + s->count == s->cap) {
        if (s->head > s->cap / 2) {
            memmove(s->records, s->records + s->head, s->count * sizeof *s->records);
            s->head = 0;
        } else {
            s->cap = s->cap == 0 ? 64 : s->cap * 2;
            s->records = mem_realloc(s->records, s->cap * sizeof *s->records);
        }
    }
    s->records[s->head + s->count++] = (struct shadow_record){ zxid, blob_ref(txn) };
}

void shadow_cut(struct shadow *s, int64_t zxid)
{
    while (s->count != 0 && s->records[s->head + s->count - 1].zxid > zxid)
        blob_unref(s->records[s->head + --s->count].txn);
}

void shadow_drop(struct shadow *s, int64_t zxid)
{
    while (s->count != 0 && s->records[s->head].zxid <= zxid) {
        blob_unref(s->records[s->head++].txn);
        s->count--;
    }
}

static struct shadow_record shadow_pop(struct shadow *s)
{
    s->count--;
    return s->records[s->head++];
}

/* ---- the one order ---- */

static struct ghost_session *find_session(const struct ghost *g, int64_t session_id)
{
    for (size_t i = g->session_count; i-- > 0;)
        if (g->sessions[i].session_id == session_id)
            return &g->sessions[i];
    return NULL;
}

static struct ghost_session *know_session(struct ghost *g, int64_t session_id)
{
    struct ghost_session *known = find_session(g, session_id);
    if (known != NULL)
        return known;
    if (g->session_count == g->session_cap) {
        g->session_cap = g->session_cap == 0 ? 64 : g->session_cap * 2;
        g->sessions = mem_realloc(g->sessions, g->session_cap * sizeof *g->sessions);
    }
    g->sessions[g->session_count] = (struct ghost_session){ .session_id = session_id };
    return &g->sessions[g->session_count++];
}

static void begin_session(struct ghost *g, int64_t session_id, int64_t now_us)
{
    struct ghost_session *s = know_session(g, session_id);
    s->begun_us = s->begun ? s->begun_us : now_us;
    s->begun = true;
}

static bool follows(int64_t a, int64_t b)
{
    return b == a + 1 || (b >> 32 > a >> 32 && (uint32_t)b == 1);
}

/* Its record is decided: the first member to apply it makes it so, every later one must agree. */
static void settle(struct cluster *c, struct sim_member *m, struct shadow_record r)
{
    struct ghost *g = &c->ghost;
    if (r.zxid <= g->committed) {
        const struct chronicle_txn *known = chronicle_find(&c->chronicle, r.zxid);
        if (known == NULL || !slice_eq(chronicle_txn_bytes(&c->chronicle, known), blob_slice(r.txn)))
            finding_set(&c->finding, c->now_us, "ghost.agreement", "member %u has another transaction 0x%llx",
                        m->index + 1, (unsigned long long)r.zxid);
        return;
    }
    if (!follows(g->committed, r.zxid))
        finding_set(&c->finding, c->now_us, "ghost.gap", "member %u applies 0x%llx, but 0x%llx was the last",
                    m->index + 1, (unsigned long long)r.zxid, (unsigned long long)g->committed);
    struct txn txn;
    int rc = txn_decode(blob_slice(r.txn), &txn);
    ASSERT(rc == 0);
    if (txn.has_digest)
        g->digest = (uint64_t)txn.digest.tree_digest;
    g->committed = r.zxid;
    if (txn.header.type == WIRE_OP_CLOSE_SESSION)
        know_session(g, txn.header.session_id)->decided = true;
    else if (txn.header.type == WIRE_OP_CREATE_SESSION)
        begin_session(g, txn.header.session_id, c->now_us);
    chronicle_commit(
        &c->chronicle,
        (struct chronicle_txn){ .zxid = r.zxid, .at_us = c->now_us, .member = m->index, .digest = g->digest },
        blob_slice(r.txn));
}

static void compare_digest(struct cluster *c, struct sim_member *m, int64_t last)
{
    const struct chronicle_txn *t = chronicle_find(&c->chronicle, last);
    uint64_t have = tree_digest(core_tree(m->core));
    if (t != NULL && t->digest != have)
        finding_set(&c->finding, c->now_us, "ghost.digest", "member %u at 0x%llx: digest %llx, announced %llx",
                    m->index + 1, (unsigned long long)last, (unsigned long long)have, (unsigned long long)t->digest);
}

/* Nobody else may ever have led in this epoch. */
static void note_reign(struct cluster *c, uint32_t leader, int64_t epoch)
{
    struct ghost *g = &c->ghost;
    for (size_t i = g->reign_count; i-- > 0;)
        if (g->reigns[i].epoch == epoch && g->reigns[i].leader != leader)
            finding_set(&c->finding, c->now_us, "ghost.epoch", "member %u leads epoch %lld, as member %u has",
                        leader + 1, (long long)epoch, g->reigns[i].leader + 1);
    if (g->reign_count == g->reign_cap) {
        g->reign_cap = g->reign_cap == 0 ? 16 : 2 * g->reign_cap;
        g->reigns = mem_realloc(g->reigns, g->reign_cap * sizeof *g->reigns);
    }
    g->reigns[g->reign_count++] = (struct ghost_reign){ .epoch = epoch, .leader = leader };
}

/* Everything that was ever decided is in a new leader's log. One that was paused while its epoch was agreed upon may
 * find the agreement in its sockets long after others have gone on: it leads without any followers, and can decide
 * nothing (that is what judge_quorum and settle are for). */
static void judge_leader(struct cluster *c, struct sim_member *m)
{
    struct ghost *g = &c->ghost;
    struct zab_view v = zab_view(core_zab(m->core));
    cover(&c->coverage, COVER_elections);
    note_reign(c, m->index, v.epoch);
    if (v.epoch < g->led_epoch)
        return;
    g->led_epoch = v.epoch;
    g->led_us = c->now_us;
    if (tree_last_zxid(core_tree(m->core)) < g->committed)
        finding_set(&c->finding, c->now_us, "ghost.complete",
                    "member %u leads epoch %lld with 0x%llx, but 0x%llx was committed", m->index + 1,
                    (long long)v.epoch, (unsigned long long)tree_last_zxid(core_tree(m->core)),
                    (unsigned long long)g->committed);
}

/* Told anew, without the protocol's own words for it: most groups, each by most of its weight. One group if there are
 * none; who weighs nothing makes no group (quorum specification 1.3). */
static bool is_quorum(const struct members *m, const bool *has)
{
    size_t groups = 0, won = 0;
    for (size_t i = 0; i < m->count; i++) {
        int64_t all = 0, with = 0;
        bool first = !m->at[i].observer;
        for (size_t j = 0; j < m->count; j++) {
            if (m->at[j].observer || m->at[j].group != m->at[i].group)
                continue;
            first = first && j >= i;
            all += m->at[j].weight;
            with += has[m->at[j].sid - 1] ? m->at[j].weight : 0;
        }
        groups += first && all > 0;
        won += first && with * 2 > all;
    }
    return won * 2 > groups;
}

/* A decision needs a quorum of logs in which it is durable, or the log of one whom the oracle lets go on alone. */
static void judge_quorum(struct cluster *c, struct sim_member *m, int64_t zxid)
{
    bool durable[NET_MEMBERS_MAX] = { false };
    for (uint32_t i = 0; i < c->member_count; i++)
        durable[i] = c->members[i]->durable_zxid >= zxid;
    if (c->has_oracle && m->oracle_says && durable[m->index])
        return;
    if (c->ensemble == NULL ? !durable[0] : !is_quorum(c->ensemble, durable))
        finding_set(&c->finding, c->now_us, "ghost.quorum", "member %u applies 0x%llx, which is durable on too few",
                    m->index + 1, (unsigned long long)zxid);
}

static void compare(struct cluster *c, struct sim_member *m, int64_t last)
{
    int64_t before = c->ghost.committed;
    while (m->shadow.count != 0 && m->shadow.records[m->shadow.head].zxid <= last) {
        struct shadow_record r = shadow_pop(&m->shadow);
        settle(c, m, r);
        blob_unref(r.txn);
    }
    if (c->ghost.committed > before)
        judge_quorum(c, m, c->ghost.committed);
    compare_digest(c, m, last);
    m->seen_zxid = last;
}

/* A role may end in the very step in which something was decided; then the tree goes on to the end of the log, decided
 * or not, and what clients were told is what tells. */
static void compare_shown(struct cluster *c, struct sim_member *m)
{
    int64_t before = c->ghost.committed;
    while (m->shadow.count != 0 && m->shadow.records[m->shadow.head].zxid <= m->shown_zxid) {
        struct shadow_record r = shadow_pop(&m->shadow);
        settle(c, m, r);
        blob_unref(r.txn);
    }
    if (c->ghost.committed > before)
        judge_quorum(c, m, c->ghost.committed);
}

void ghost_stepped(struct cluster *c, struct sim_member *m)
{
    const struct zab *z = core_zab(m->core);
    int64_t last = tree_last_zxid(core_tree(m->core));
    bool leads = z != NULL && zab_leads(z);
    if (z != NULL)
        zab_check(z);
    if (leads && !m->leads)
        judge_leader(c, m);
    m->leads = leads;
    bool serves = member_serves(m);
    if (last != m->seen_zxid && serves)
        compare(c, m, last);
    else if (m->served && !serves)
        compare_shown(c, m);
    m->served = serves;
    if (opt(c, OPT_check_every) != 0 && ++m->steps_to_check >= (uint64_t)opt(c, OPT_check_every)) {
        m->steps_to_check = 0;
        ghost_check(c, m);
    }
}

void ghost_check(struct cluster *c, struct sim_member *m)
{
    core_check(m->core);
    struct core_stats stats;
    core_stats(m->core, &stats);
    if (stats.digest_mismatches != 0)
        finding_set(&c->finding, c->now_us, "core.digest", "member %u counts %lld digests that differ", m->index + 1,
                    (long long)stats.digest_mismatches);
}

static bool shadow_has(const struct shadow *s, int64_t zxid)
{
    for (size_t i = 0; i < s->count; i++)
        if (s->records[s->head + i].zxid == zxid)
            return true;
    return false;
}

/* Whose log ends or goes on behind that transaction had what came before it, too. */
void ghost_image(struct cluster *c, struct sim_member *m, int64_t zxid)
{
    shadow_drop(&m->shadow, zxid);
    for (uint32_t i = 0; i < c->member_count && m->shadow.count == 0; i++) {
        const struct shadow *from = &c->members[i]->shadow;
        if (i == m->index || !shadow_has(from, zxid))
            continue;
        for (size_t j = 0; j < from->count && from->records[from->head + j].zxid <= zxid; j++)
            shadow_push(&m->shadow, from->records[from->head + j].zxid, from->records[from->head + j].txn);
    }
}

/* A damaged record at the very end of a log cannot be told from one that a crash has torn. */
static bool rot_explains(const struct cluster *c, const struct sim_member *m, int64_t zxid)
{
    const struct chronicle *h = &c->chronicle;
    size_t lost = 0;
    for (size_t i = h->txn_count; i-- > 0 && h->txns[i].zxid > zxid;)
        lost += h->txns[i].zxid <= m->durable_zxid;
    return m->rotten && lost <= 1;
}

void ghost_recovered(struct cluster *c, struct sim_member *m, int64_t zxid)
{
    if (zxid < m->durable_zxid && rot_explains(c, m, zxid))
        cover(&c->coverage, COVER_rots_cost_the_last_record);
    else if (zxid < m->durable_zxid)
        finding_set(&c->finding, c->now_us, "store.durable",
                    "member %u recovers 0x%llx, but its log was synced through 0x%llx", m->index + 1,
                    (unsigned long long)zxid, (unsigned long long)m->durable_zxid);
    if (m->durable_zxid != 0 && zxid > m->durable_zxid)
        cover(&c->coverage, COVER_recovered_unacknowledged);
    shadow_cut(&m->shadow, zxid);
    m->seen_zxid = -1;
}

/* A session may be ended by a server only after the whole timeout without a sign of life (client specification 7.1).
 * Learners tell the leader of such signs every half tick; while something is wrong they may not come through. */
static void judge_expiry(struct cluster *c, struct sim_member *m, const struct txn *txn)
{
    int64_t id = txn->header.session_id, timeout_ms = tree_session_timeout_ms(core_tree(m->core), id);
    cover(&c->coverage, COVER_sessions_expired);
    for (uint32_t i = 0; i < c->member_count; i++) {
        const struct sim_member *at = c->members[i];
        int64_t touched_ms = at->up ? member_touched_ms(at, id) : -1;
        if (touched_ms < 0)
            continue;
        int64_t silent_ms = member_now_ms(at) - touched_ms, slack_ms = 0;
        if (i != m->index) {
            if (c->now_us - silent_ms * 1000 < c->disturbed_us + 5000000)
                continue;
            slack_ms = opt(c, OPT_tick_ms) + opt(c, OPT_peer_delay_us) / 20;
        }
        if (silent_ms < timeout_ms - timeout_ms / 10 && silent_ms >= slack_ms)
            finding_set(&c->finding, c->now_us, "ghost.expired_early",
                        "member %u ends session 0x%llx %lld ms after member %u has heard of it, timeout %lld",
                        m->index + 1, (unsigned long long)id, (long long)silent_ms, i + 1, (long long)timeout_ms);
    }
}

bool ghost_ended(const struct cluster *c, int64_t session_id, int64_t asked_us)
{
    const struct ghost_session *e = find_session(&c->ghost, session_id);
    if (opt(c, OPT_local_sessions) != 0 && c->ensemble != NULL && (e == NULL || !e->begun || e->begun_us >= asked_us))
        return true;
    return e != NULL && (e->decided || (e->ended && c->ensemble == NULL));
}

void ghost_appends(struct cluster *c, struct sim_member *m, int64_t zxid, struct blob *txn)
{
    struct txn t;
    if (txn_decode(blob_slice(txn), &t) != 0 || t.header.zxid != zxid) {
        finding_set(&c->finding, c->now_us, "ghost.append", "member %u logs what is no transaction 0x%llx",
                    m->index + 1, (unsigned long long)zxid);
        return;
    }
    shadow_push(&m->shadow, zxid, txn);
    if (t.header.type == WIRE_OP_CLOSE_SESSION)
        know_session(&c->ghost, t.header.session_id)->ended = true;
    bool own = core_zab(m->core) == NULL || zab_leads(core_zab(m->core));
    if (t.header.type == WIRE_OP_CLOSE_SESSION && t.header.cxid == 0 && own)
        judge_expiry(c, m, &t);
}
