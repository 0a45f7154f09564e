/* ACL lists: each distinct list is kept once, counted by the nodes that have it. */
#include "base/hash.h"
#include "base/mem.h"
#include "tree/tree_internal.h"

/* { 31, "world", "anyone" } */
static const uint8_t open_acl[] = "\0\0\0\x1f\0\0\0\x05world\0\0\0\x06"
                                  "anyone";

static uint32_t acl_hash(const struct tree *t, struct wire_vec acl)
{
    return (uint32_t)hash_bytes(t->options.hash_key ^ (uint32_t)acl.count, acl.raw.p, acl.raw.n);
}

static uint32_t acl_make(struct tree *t, struct wire_vec acl)
{
    uint32_t id = slab_take(&t->acls);
    struct acl_list *a = acl_at(t, id);
    *a = (struct acl_list){ .refs = 1, .count = acl.count, .raw_bytes = (uint32_t)acl.raw.n };
    if (acl.raw.n != 0) {
        a->raw = pool_alloc(&t->pool, acl.raw.n);
        memcpy(a->raw, acl.raw.p, acl.raw.n);
    }
    walk_skip_acl(t, id);
    return id;
}

void acl_init(struct tree *t)
{
    slab_init(&t->acls, sizeof(struct acl_list));
    buckets_init(&t->acls_by_content);
    /* Never found by content: a client's open list is an ordinary one (disk specification 3.1). Its
     * first reference is the table's own. */
    uint32_t id = acl_make(t, (struct wire_vec){ 1, slice_of(open_acl, sizeof open_acl - 1) });
    ASSERT(id == ACL_OPEN);
}

void acl_fini(struct tree *t)
{
    for (uint32_t id = 1; id < t->acls.end; id++) {
        struct acl_list *a = acl_at(t, id);
        if (a->refs != 0 && a->raw != NULL)
            pool_free(&t->pool, a->raw, a->raw_bytes);
    }
    buckets_fini(&t->acls_by_content);
    slab_fini(&t->acls);
}

struct wire_vec acl_vec(const struct tree *t, uint32_t acl)
{
    const struct acl_list *a = acl_at(t, acl);
    return (struct wire_vec){ a->count, slice_of(a->raw != NULL ? a->raw : (const uint8_t *)"", a->raw_bytes) };
}

uint32_t acl_intern(struct tree *t, struct wire_vec acl)
{
    if (acl.count < 0) {
        acl_ref(t, ACL_OPEN);
        return ACL_OPEN;
    }
    uint32_t hash = acl_hash(t, acl);
    struct bucket_probe probe = buckets_probe(&t->acls_by_content, hash);
    for (uint32_t id = buckets_match(&probe, hash); id != 0; id = buckets_match(&probe, hash)) {
        struct acl_list *a = acl_at(t, id);
        if (a->count == acl.count && slice_eq(slice_of(a->raw, a->raw_bytes), acl.raw)) {
            a->refs++;
            return id;
        }
    }
    uint32_t id = acl_make(t, acl);
    buckets_insert(&t->acls_by_content, id, hash);
    return id;
}

void acl_ref(struct tree *t, uint32_t acl)
{
    acl_at(t, acl)->refs++;
}

void acl_unref(struct tree *t, uint32_t acl)
{
    struct acl_list *a = acl_at(t, acl);
    ASSERT(a->refs != 0);
    if (a->refs > 1) {
        a->refs--;
        return;
    }
    ASSERT(acl != ACL_OPEN);
    walk_save_acl(t, acl);
    a->refs = 0;
    buckets_remove(&t->acls_by_content, acl, acl_hash(t, acl_vec(t, acl)));
    if (a->raw != NULL)
        pool_free(&t->pool, a->raw, a->raw_bytes);
    a->raw = NULL;
    slab_give(&t->acls, acl);
}
