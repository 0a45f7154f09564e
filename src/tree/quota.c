/* Quotas (client specification 4.12, disk specification 5.10). The nodes below /zookeeper/quota are
 * themselves the index of limited paths: a path has a quota if its shadow there has a child
 * zookeeper_limits. So there is nothing beside the tree to keep in step, and a tree without quotas
 * pays one look at /zookeeper/quota a change. */
#include "base/museum.h"
#include "tree/tree_internal.h"

#define QUOTA_TEXT_BYTES_MAX 1024 /* of a text; what follows is ignored. Real ones have some 80 bytes */
#define QUOTA_KEYS_MAX 16         /* kept beside count and bytes */

struct quota_pair {
    struct slice key;
    int64_t value;
};

/* A parsed text; -1 is no limit. */
struct quota_text {
    int64_t count, bytes, count_hard, bytes_hard;
    struct quota_pair others[QUOTA_KEYS_MAX]; /* all keys but count and bytes, sorted */
    size_t other_count;
};

static bool number_parse(struct slice s, int64_t *value)
{
    if (s.n == 0) {
        *value = -1;
        return true;
    }
    bool minus = s.p[0] == '-';
    size_t i = minus || s.p[0] == '+';
    if (i == s.n)
        return false;
    int64_t v = 0;
    for (; i < s.n; i++) {
        if (s.p[i] < '0' || s.p[i] > '9' || __builtin_mul_overflow(v, 10, &v) ||
            (minus ? __builtin_sub_overflow(v, s.p[i] - '0', &v) : __builtin_add_overflow(v, s.p[i] - '0', &v)))
            return false;
    }
    *value = v;
    return true;
}

static void pair_note(struct quota_text *q, struct slice key, int64_t value)
{
    if (slice_eq_str(key, "count")) {
        q->count = value;
        return;
    }
    if (slice_eq_str(key, "bytes")) {
        q->bytes = value;
        return;
    }
    if (slice_eq_str(key, "countHardLimit"))
        q->count_hard = value;
    if (slice_eq_str(key, "byteHardLimit"))
        q->bytes_hard = value;
    size_t at = 0;
    while (at < q->other_count && slice_cmp(q->others[at].key, key) < 0)
        at++;
    if (at == q->other_count || slice_cmp(q->others[at].key, key) != 0) {
        if (q->other_count == QUOTA_KEYS_MAX)
            return;
        memmove(q->others + at + 1, q->others + at, (q->other_count - at) * sizeof q->others[0]);
        q->other_count++;
    }
    q->others[at] = (struct quota_pair){ key, value };
}

/* Text of strangers: a pair that does not parse is as if it were missing. */
static struct quota_text text_parse(struct slice s)
{
    struct quota_text q = { .count = -1, .bytes = -1, .count_hard = -1, .bytes_hard = -1 };
    size_t end = s.n < QUOTA_TEXT_BYTES_MAX ? s.n : QUOTA_TEXT_BYTES_MAX;
    for (size_t i = 0; i < end;) {
        size_t key = i;
        while (i < end && s.p[i] != '=' && s.p[i] != ',' && s.p[i] != ';')
            i++;
        size_t key_end = i;
        bool has_value = i < end && s.p[i] == '=';
        size_t value = has_value ? ++i : i;
        while (i < end && s.p[i] != '=' && s.p[i] != ',' && s.p[i] != ';')
            i++;
        size_t value_end = i;
        while (i < end && s.p[i] != ',' && s.p[i] != ';')
            i++; /* what stands behind a second '=' */
        while (i < end && (s.p[i] == ',' || s.p[i] == ';'))
            i++;
        int64_t v;
        if (has_value && number_parse(slice_of(s.p + value, value_end - value), &v))
            pair_note(&q, slice_of(s.p + key, key_end - key), v);
    }
    return q;
}

static void text_put(struct buf *b, const struct quota_text *q)
{
    buf_printf(b, "count=%lld,bytes=%lld%s", (long long)q->count, (long long)q->bytes, q->other_count != 0 ? "=" : "");
    for (size_t i = 0; i < q->other_count; i++) {
        buf_append(b, ";", 1);
        buf_append_slice(b, q->others[i].key);
        buf_printf(b, "=%lld", (long long)q->others[i].value);
    }
}

static node_id child_named(const struct tree *t, node_id n, const char *name)
{
    return tree_child(t, n, slice_str(name));
}

/* The shadow, below /zookeeper/quota, of the deepest quota on the path or above it. A quota on "/"
 * never counts. */
static node_id quota_of(const struct tree *t, struct slice path)
{
    node_id best = NODE_NONE, n = t->quota;
    if (n == NODE_NONE || node_children(node_at(t, n)) == 0 || path.n < 2)
        return NODE_NONE;
    const uint8_t *p = path.p + 1, *end = path.p + path.n;
    while (p < end) {
        const uint8_t *slash = memchr(p, '/', (size_t)(end - p));
        const uint8_t *stop = slash != NULL ? slash : end;
        n = tree_child(t, n, slice_of(p, (size_t)(stop - p)));
        if (n == NODE_NONE)
            break;
        if (child_named(t, n, "zookeeper_limits") != NODE_NONE)
            best = n;
        p = stop + 1;
    }
    return best;
}

int tree_quota_check(const struct tree *t, struct slice path, int64_t count, int64_t bytes, bool *soft)
{
    *soft = false;
    node_id shadow = quota_of(t, path);
    if (shadow == NODE_NONE)
        return 0;
    node_id stats = child_named(t, shadow, "zookeeper_stats");
    if (stats == NODE_NONE)
        return 0;
    struct quota_text limit = text_parse(tree_data(t, child_named(t, shadow, "zookeeper_limits")));
    struct quota_text now = text_parse(tree_data(t, stats));
    const struct {
        int64_t more, now, soft, hard;
    } rows[] = { { count, now.count, limit.count, limit.count_hard },
                 { bytes, now.bytes, limit.bytes, limit.bytes_hard } };
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        int64_t after;
        if (rows[i].more == 0 || __builtin_add_overflow(rows[i].now, rows[i].more, &after))
            continue;
        if (rows[i].hard > -1) { /* a hard limit takes the place of the soft one */
            if (after > rows[i].hard)
                return ERR_QUOTA_EXCEEDED;
        } else if (rows[i].soft > -1 && after > rows[i].soft) {
            *soft = true;
        }
    }
    return 0;
}

/* These writes touch only the data: no stat, no watch, no digest (the node is hidden from it). */
static void stats_store(struct tree *t, node_id stats, const struct quota_text *q)
{
    struct buf b;
    buf_init(&b, 4 * QUOTA_TEXT_BYTES_MAX);
    text_put(&b, q);
    ASSERT(b.err == 0);
    node_change_begin(t, stats);
    node_data_set(t, stats, (struct slice){ 0 }, buf_slice(&b), NULL);
    node_change_end(t, stats);
    buf_fini(&b);
}

void quota_changed(struct tree *t, struct slice path, int64_t count, int64_t bytes)
{
    node_id shadow = quota_of(t, path);
    if (LIKELY(shadow == NODE_NONE) || (SIM_BUG(quota_counts_the_dead) && count < 0))
        return;
    node_id stats = child_named(t, shadow, "zookeeper_stats");
    if (stats == NODE_NONE)
        return;
    struct quota_text q = text_parse(tree_data(t, stats));
    q.count = (int64_t)((uint64_t)q.count + (uint64_t)count);
    q.bytes = (int64_t)((uint64_t)q.bytes + (uint64_t)bytes);
    stats_store(t, stats, &q);
}

/* Counts the subtree that a shadow limits and writes its stats node. */
static void recount(struct tree *t, node_id shadow, node_id stats)
{
    struct quota_text q = { .count = 0 };
    size_t prefix = node_path_bytes(t, t->quota);
    size_t path_bytes = node_path_bytes(t, shadow);
    uint8_t *path = pool_alloc(&t->pool, path_bytes);
    node_path_store(t, shadow, path, path_bytes);
    node_id top = tree_find(t, slice_of(path + prefix, path_bytes - prefix));
    pool_free(&t->pool, path, path_bytes);
    for (node_id n = top; n != NODE_NONE; n = node_next_below(t, top, n)) {
        q.count++;
        q.bytes += node_at(t, n)->data_bytes;
    }
    stats_store(t, stats, &q);
}

static bool is_below_quota(const struct tree *t, node_id n)
{
    while (n != NODE_NONE && n != t->quota)
        n = node_at(t, n)->parent;
    return n != NODE_NONE;
}

void quota_created(struct tree *t, node_id id)
{
    const struct node *n = node_at(t, id);
    if (LIKELY(!(n->flags & NODE_HIDDEN)) || t->quota == NODE_NONE || n->parent == t->quota ||
        !slice_eq_str(node_name(n), "zookeeper_stats") || !is_below_quota(t, n->parent))
        return;
    recount(t, n->parent, id);
}

void quota_recount_all(struct tree *t)
{
    if (t->quota == NODE_NONE)
        return;
    for (node_id n = node_next_below(t, t->quota, t->quota); n != NODE_NONE; n = node_next_below(t, t->quota, n)) {
        node_id parent = node_at(t, n)->parent;
        if (parent == t->quota || node_children(node_at(t, n)) != 0 ||
            !slice_eq_str(node_name(node_at(t, n)), "zookeeper_limits"))
            continue;
        node_id stats = child_named(t, parent, "zookeeper_stats");
        if (stats != NODE_NONE)
            recount(t, parent, stats);
    }
}

static void sums_add(struct tree_quota_sums *s, const struct quota_text *q, bool limits)
{
    if (limits) {
        s->count_limit += q->count_hard > -1 ? q->count_hard : q->count;
        s->bytes_limit += q->bytes_hard > -1 ? q->bytes_hard : q->bytes;
    } else {
        s->count_used += q->count;
        s->bytes_used += q->bytes;
    }
}

void tree_quotas(const struct tree *t, void (*fn)(void *ctx, struct slice name, const struct tree_quota_sums *sums),
                 void *ctx)
{
    struct tree_quota_sums sums = { 0 };
    node_id top = NODE_NONE; /* the child of /zookeeper/quota that is being walked */
    bool any = false;
    if (t->quota == NODE_NONE)
        return;
    for (node_id n = node_next_below(t, t->quota, t->quota); n != NODE_NONE; n = node_next_below(t, t->quota, n)) {
        const struct node *at = node_at(t, n);
        if (at->parent == t->quota) {
            if (any)
                fn(ctx, node_name(node_at(t, top)), &sums);
            sums = (struct tree_quota_sums){ 0 };
            any = false;
            top = n;
            continue; /* a quota on "/" counts for nobody */
        }
        bool limits = slice_eq_str(node_name(at), "zookeeper_limits");
        if (node_children(at) != 0 || (!limits && !slice_eq_str(node_name(at), "zookeeper_stats")))
            continue;
        struct quota_text q = text_parse(tree_data(t, n));
        sums_add(&sums, &q, limits);
        any = true;
    }
    if (any)
        fn(ctx, node_name(node_at(t, top)), &sums);
}
