/* model_quota: limits below some paths (client specification 4.12). A server judges by what it has applied when a
 * request is prepared, which may be older than the transaction before; so there are moments in which either answer is
 * right, and the model remembers what was used after each transaction. */
#include "base/mem.h"
#include "sim/model.h"
#include <stdio.h>

const char *const model_quota_paths[MODEL_QUOTAS] = { "/a", "/b" };
const int64_t model_quota_nodes[MODEL_QUOTAS] = { 4, -1 };
const int64_t model_quota_bytes[MODEL_QUOTAS] = { -1, 90 };

void model_quotas_fini(struct model *m)
{
    for (size_t i = 0; i < MODEL_QUOTAS; i++)
        mem_free(m->quotas[i].used);
}

static bool is_at_or_below(struct slice path, const char *top)
{
    size_t n = strlen(top);
    return path.n >= n && memcmp(path.p, top, n) == 0 && (path.n == n || path.p[n] == '/');
}

static void add_below(const struct model_node *n, int64_t *count, int64_t *bytes)
{
    for (const struct model_node *k = n->child_first; k != NULL; k = k->next)
        add_below(k, count, bytes);
    ++*count;
    *bytes += (int64_t)n->data_n;
}

void model_quota_note(struct model *m, int64_t zxid)
{
    for (size_t i = 0; i < MODEL_QUOTAS; i++) {
        struct model_quota *q = &m->quotas[i];
        char stats[60];
        int n = snprintf(stats, sizeof stats, "/zookeeper/quota%s/zookeeper_stats", model_quota_paths[i]);
        if (q->count == 0 && model_find(m, slice_of(stats, (size_t)n)) == NULL)
            continue;
        struct model_quota_used u = { .zxid = zxid };
        const struct model_node *top = model_find(m, slice_str(model_quota_paths[i]));
        if (top != NULL)
            add_below(top, &u.nodes, &u.bytes);
        if (q->count != 0 && q->used[q->count - 1].nodes == u.nodes && q->used[q->count - 1].bytes == u.bytes)
            continue;
        if (q->count == q->cap) {
            q->cap = q->cap == 0 ? 64 : q->cap * 2;
            q->used = mem_realloc(q->used, q->cap * sizeof *q->used);
        }
        q->used[q->count++] = u;
    }
}

static bool exceeds(size_t quota, const struct model_quota_used *u, int64_t nodes, int64_t bytes)
{
    int64_t nodes_max = model_quota_nodes[quota], bytes_max = model_quota_bytes[quota];
    return (nodes != 0 && nodes_max > -1 && u->nodes + nodes > nodes_max) ||
           (bytes != 0 && bytes_max > -1 && u->bytes + bytes > bytes_max);
}

/* Every state from the one that somebody had seen when the request was sent up to the newest may have been the one
 * that it was judged by. */
bool model_quota_refuses(const struct model *m, struct slice path, int64_t nodes, int64_t bytes)
{
    for (size_t i = 0; i < MODEL_QUOTAS; i++) {
        const struct model_quota *q = &m->quotas[i];
        if (!is_at_or_below(path, model_quota_paths[i]) || q->count == 0)
            continue;
        bool some = false, all = true;
        for (size_t at = q->count; at-- > 0;) {
            bool over = exceeds(i, &q->used[at], nodes, bytes);
            some = some || over;
            all = all && over;
            if (q->used[at].zxid <= m->quota_seen)
                break;
            if (at == 0)
                all = false; /* there was no limit yet */
        }
        return all || (some && m->quota_refused_at == m->op_at);
    }
    return false;
}
