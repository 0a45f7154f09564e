/* namespaces: how much is read and written below each top node (Apache's read_per_namespace and its kin). The table has
 * a bound: names are the clients' choice. What comes after it is full is not counted. */
#include "base/hash.h"
#include "core/internal.h"

#define SLOTS 512u /* of the table, at most half of them used */
#define NAME_BYTES_MAX 255u
#define STAT_BYTES 68 /* what Apache adds to each read */

struct namespace_row {
    uint64_t hash;
    struct core_namespace n; /* name: owned */
};

struct namespaces {
    struct namespace_row *last; /* most requests are about the same one as the request before */
    size_t count;
    struct namespace_row rows[SLOTS];
};

void namespaces_reset(struct core *c)
{
    if (c->namespaces == NULL)
        return;
    for (size_t i = 0; i < SLOTS; i++)
        mem_free((void *)(uintptr_t)c->namespaces->rows[i].n.name.p);
    mem_free(c->namespaces);
    c->namespaces = NULL;
}

static struct core_namespace *row_of(struct core *c, struct slice path)
{
    if (path.n < 2)
        return NULL;
    const uint8_t *slash = memchr(path.p + 1, '/', path.n - 1);
    struct slice name = slice_of(path.p + 1, slash == NULL ? path.n - 1 : (size_t)(slash - path.p) - 1);
    if (name.n > NAME_BYTES_MAX)
        return NULL;
    if (c->namespaces == NULL)
        c->namespaces = mem_zalloc(sizeof *c->namespaces);
    struct namespaces *all = c->namespaces;
    if (all->last != NULL && slice_eq(all->last->n.name, name))
        return &all->last->n;
    uint64_t hash = hash_slice(c->hash_key, name);
    for (size_t at = hash % SLOTS;; at = (at + 1) % SLOTS) {
        struct namespace_row *r = &all->rows[at];
        if (r->n.name.p != NULL && r->hash == hash && slice_eq(r->n.name, name)) {
            all->last = r;
            return &r->n;
        }
        if (r->n.name.p != NULL)
            continue;
        if (all->count >= SLOTS / 2)
            return NULL;
        uint8_t *copy = mem_alloc(name.n + 1);
        memcpy(copy, name.p, name.n);
        all->count++;
        *r = (struct namespace_row){ .hash = hash, .n = { .name = slice_of(copy, name.n) } };
        return &r->n;
    }
}

static void spread_add(struct core_spread *s, int64_t value)
{
    if (s->count++ == 0 || value < s->min)
        s->min = value;
    if (value > s->max)
        s->max = value;
    s->sum += value;
}

void namespaces_read(struct core *c, struct slice path, size_t bytes)
{
    struct core_namespace *n = row_of(c, path);
    if (n != NULL)
        spread_add(&n->read, (int64_t)(path.n + bytes) + STAT_BYTES);
}

void namespaces_written(struct core *c, const struct tree_applied *applied)
{
    for (uint32_t i = 0; i < applied->result_count; i++) {
        const struct tree_result *r = &applied->results[i];
        bool creates = r->type == WIRE_OP_CREATE || r->type == WIRE_OP_CREATE2 || r->type == WIRE_OP_CREATE_TTL ||
                       r->type == WIRE_OP_CREATE_CONTAINER;
        bool deletes = r->type == WIRE_OP_DELETE || r->type == WIRE_OP_DELETE_CONTAINER;
        if (r->err != 0 || !(creates || deletes || r->type == WIRE_OP_SET_DATA))
            continue;
        struct core_namespace *n = row_of(c, r->path);
        if (n != NULL)
            spread_add(&n->written, (int64_t)r->path.n + (deletes ? 0 : r->stat.data_length));
    }
}

void namespaces_quota_exceeded(struct core *c, struct slice path)
{
    struct core_namespace *n = row_of(c, path);
    if (n != NULL)
        n->quota_exceeded++;
}

void core_namespace_list(const struct core *c, void (*fn)(void *ctx, const struct core_namespace *n), void *ctx)
{
    for (size_t i = 0; c->namespaces != NULL && i < SLOTS; i++)
        if (c->namespaces->rows[i].n.name.p != NULL)
            fn(ctx, &c->namespaces->rows[i].n);
}
