/* The tree digest, version 2 (disk specification 4): a sum over nodes, kept up to date change by
 * change. */
#include "base/digest.h"
#include "tree/tree_internal.h"

#define DIGEST_STAT_BYTES 60

uint64_t tree_digest(const struct tree *t)
{
    return t->digest;
}

uint32_t tree_digest_prefix(struct slice path, struct slice data)
{
    size_t path_bytes = path.n == 1 ? 0 : path.n; /* "/" is hashed as "" */
    uint32_t crc = digest_crc32(0, path.p, path_bytes);
    return data.n == 0 ? crc : digest_crc32(crc, data.p, data.n);
}

uint32_t tree_node_digest_prefix(const struct tree *t, node_id id)
{
    return node_at(t, id)->crc_prefix;
}

uint32_t tree_digest_finish(uint32_t prefix, const struct wire_stat_persisted *s)
{
    uint8_t b[DIGEST_STAT_BYTES];
    store_be64(b, (uint64_t)s->czxid);
    store_be64(b + 8, (uint64_t)s->mzxid);
    store_be64(b + 16, (uint64_t)s->pzxid); /* third here, last in StatPersisted */
    store_be64(b + 24, (uint64_t)s->ctime);
    store_be64(b + 32, (uint64_t)s->mtime);
    store_be32(b + 40, (uint32_t)s->version);
    store_be32(b + 44, (uint32_t)s->cversion);
    store_be32(b + 48, (uint32_t)s->aversion);
    store_be64(b + 52, (uint64_t)s->ephemeral_owner);
    return digest_crc32(prefix, b, sizeof b);
}

bool tree_digest_counts(struct slice path)
{
    return !slice_starts(path, slice_str("/zookeeper/"));
}

uint32_t node_digest_compute(const struct tree *t, node_id id)
{
    const struct node *n = node_at(t, id);
    if (!t->options.digest_enabled || (n->flags & NODE_HIDDEN))
        return 0;
    struct wire_stat_persisted s = tree_stat_persisted(t, id);
    return tree_digest_finish(n->crc_prefix, &s);
}

uint32_t node_digest(const struct tree *t, node_id id)
{
    const struct node *n = node_at(t, id);
    return n->extra != NULL ? n->extra->digest : node_digest_compute(t, id);
}

void node_change_begin(struct tree *t, node_id id)
{
    if (UNLIKELY(t->walks != NULL))
        walk_save_node(t, id);
    t->digest -= node_digest(t, id);
}

void node_change_end(struct tree *t, node_id id)
{
    struct node *n = node_at(t, id);
    uint32_t digest = node_digest_compute(t, id);
    if (n->extra != NULL)
        n->extra->digest = digest;
    t->digest += digest;
}
