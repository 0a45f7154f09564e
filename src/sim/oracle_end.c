#include "core/view.h"
#include "sim/client.h"
#include "sim/member.h"
#include "sim/oracle_internal.h"
#include <stdio.h>

static bool node_is(const struct tree *t, const struct model_node *n)
{
    node_id id = tree_find(t, slice_str(n->path));
    if (id == NODE_NONE)
        return false;
    struct wire_stat have = tree_stat(t, id), want = model_stat(n);
    uint8_t a[WIRE_STAT_BYTES], b[WIRE_STAT_BYTES];
    wire_store_stat(a, &have);
    wire_store_stat(b, &want);
    struct wire_vec acl = tree_acl(t, id);
    struct slice data = tree_data(t, id);
    return memcmp(a, b, sizeof a) == 0 && slice_eq(data, slice_of(n->data, n->data_n)) &&
           slice_is_null(data) == (n->data == NULL) && acl.count == n->acl_count &&
           slice_eq(acl.raw, slice_of(n->acl, n->acl_n));
}

/* What a member has counted itself. */
static void compare_quotas(struct oracle *o, const struct sim_member *m)
{
    for (size_t i = 0; i < MODEL_QUOTAS; i++) {
        const struct model_quota *q = &o->model.quotas[i];
        char path[60], want[60];
        if (q->count == 0)
            continue;
        (void)snprintf(path, sizeof path, "/zookeeper/quota%s/zookeeper_stats", model_quota_paths[i]);
        (void)snprintf(want, sizeof want, "count=%lld,bytes=%lld", (long long)q->used[q->count - 1].nodes,
                       (long long)q->used[q->count - 1].bytes);
        node_id stats = tree_find(core_tree(m->core), slice_str(path));
        struct slice have = stats == NODE_NONE ? slice_str("nothing") : tree_data(core_tree(m->core), stats);
        if (!slice_eq_str(have, want))
            oracle_wrong(o, "oracle.quota", "member %u counts %.*s below %s, the model %s", m->index + 1,
                         SLICE_ARG(have), model_quota_paths[i], want);
    }
}

static void compare_member(struct oracle *o, struct sim_member *m)
{
    const struct tree *t = core_tree(m->core);
    const struct model *model = &o->model;
    if (tree_last_zxid(t) != o->c->ghost.committed) {
        oracle_wrong(o, "oracle.behind", "member %u ends at 0x%llx, 0x%llx was committed", m->index + 1,
                     (unsigned long long)tree_last_zxid(t), (unsigned long long)o->c->ghost.committed);
        return;
    }
    for (size_t i = 0; i < model->bucket_count; i++)
        for (const struct model_node *n = model->buckets[i]; n != NULL; n = n->hash_next)
            if (strncmp(n->path, "/zookeeper/", 11) != 0 && !node_is(t, n))
                oracle_wrong(o, "oracle.tree", "member %u has another %s in the end", m->index + 1, n->path);
    if (tree_node_count(t) != (int64_t)model->node_count)
        oracle_wrong(o, "oracle.tree", "member %u has %lld nodes in the end, the model %zu", m->index + 1,
                     (long long)tree_node_count(t), model->node_count);
    for (size_t i = 0; i < model->session_count; i++)
        if (tree_session_timeout_ms(t, model->sessions[i].id) != model->sessions[i].timeout_ms)
            oracle_wrong(o, "oracle.session", "member %u has another session 0x%llx in the end", m->index + 1,
                         (unsigned long long)model->sessions[i].id);
    if (tree_session_count(t) != model->session_count)
        oracle_wrong(o, "oracle.session", "member %u has %zu sessions in the end, the model %zu", m->index + 1,
                     tree_session_count(t), model->session_count);
    compare_quotas(o, m);
}

/* A session without a sign of life must have ended by now: every one began anew when the faults ended, or soon after,
 * and again under each leader since; even a mass of expiries may use up an epoch's counter. */
static void judge_expiry(struct oracle *o)
{
    int64_t begin_us = (opt(o->c, OPT_duration_ms) + opt(o->c, OPT_heal_ms) / 2) * 1000;
    if (o->c->ghost.led_us > begin_us)
        begin_us = o->c->ghost.led_us;
    for (size_t i = 0; i < o->model.session_count; i++) {
        const struct model_session *s = &o->model.sessions[i];
        int64_t last_us = begin_us;
        for (size_t j = o->h->count; j-- > 0 && o->h->entries[j].at_us > begin_us;)
            if (o->h->entries[j].session_id == s->id) {
                last_us = o->h->entries[j].at_us;
                break;
            }
        int64_t limit_us = ((int64_t)s->timeout_ms * 21 / 20 + 3 * opt(o->c, OPT_tick_ms)) * 1000;
        if (o->c->now_us - last_us > limit_us)
            oracle_wrong(o, "oracle.expired_late", "session 0x%llx lives on, %lld ms after its last sign of life",
                         (unsigned long long)s->id, (long long)(o->c->now_us - last_us) / 1000);
    }
}

void oracle_end(struct oracle *o)
{
    for (uint32_t i = 0; i < o->c->member_count; i++)
        if (o->c->members[i]->up && !o->c->outside[i])
            compare_member(o, o->c->members[i]);
    judge_expiry(o);
    for (uint32_t i = 0; i < o->c->client_count; i++)
        simclient_judge_end(o->c->clients[i], &o->model);
    if (o->c->opt.guests != NULL)
        o->c->opt.guests->judge_end(o->c->guest_state, &o->model);
}
