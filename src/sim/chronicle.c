#include "sim/chronicle.h"
#include "base/mem.h"

void chronicle_init(struct chronicle *h)
{
    *h = (struct chronicle){ .cap = 1024, .txn_cap = 256 };
    h->entries = mem_alloc(h->cap * sizeof *h->entries);
    h->txns = mem_alloc(h->txn_cap * sizeof *h->txns);
    buf_init(&h->bytes, SIZE_MAX / 2);
}

void chronicle_fini(struct chronicle *h)
{
    mem_free(h->entries);
    mem_free(h->txns);
    buf_fini(&h->bytes);
}

void chronicle_add(struct chronicle *h, struct chronicle_entry entry, struct slice frame)
{
    if (h->count == h->cap) {
        h->cap *= 2;
        h->entries = mem_realloc(h->entries, h->cap * sizeof *h->entries);
    }
    entry.at = h->bytes.n;
    entry.n = (uint32_t)frame.n;
    buf_append_slice(&h->bytes, frame);
    h->entries[h->count++] = entry;
}

void chronicle_commit(struct chronicle *h, struct chronicle_txn txn, struct slice bytes)
{
    if (h->txn_count == h->txn_cap) {
        h->txn_cap *= 2;
        h->txns = mem_realloc(h->txns, h->txn_cap * sizeof *h->txns);
    }
    txn.at = h->bytes.n;
    txn.n = (uint32_t)bytes.n;
    buf_append_slice(&h->bytes, bytes);
    h->txns[h->txn_count++] = txn;
}

struct slice chronicle_frame(const struct chronicle *h, const struct chronicle_entry *e)
{
    return slice_of(buf_slice(&h->bytes).p + e->at, e->n);
}

struct slice chronicle_txn_bytes(const struct chronicle *h, const struct chronicle_txn *t)
{
    return slice_of(buf_slice(&h->bytes).p + t->at, t->n);
}

const struct chronicle_txn *chronicle_find(const struct chronicle *h, int64_t zxid)
{
    size_t lo = 0, hi = h->txn_count;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (h->txns[mid].zxid < zxid)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo < h->txn_count && h->txns[lo].zxid == zxid ? &h->txns[lo] : NULL;
}
