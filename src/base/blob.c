#include "base/blob.h"
#include "base/mem.h"

struct blob *blob_new(size_t n)
{
    ASSERT(n <= UINT32_MAX);
    struct blob *b = mem_alloc(sizeof *b + n);
    atomic_init(&b->refs, 1);
    b->n = (uint32_t)n;
    return b;
}

struct blob *blob_dup(struct slice s)
{
    struct blob *b = blob_new(s.n);
    if (s.n != 0)
        memcpy(b->p, s.p, s.n);
    return b;
}

void blob_unref(struct blob *b)
{
    if (b == NULL)
        return;
    unsigned before = atomic_fetch_sub_explicit(&b->refs, 1, memory_order_acq_rel);
    ASSERT(before != 0);
    if (before == 1)
        mem_free(b);
}
