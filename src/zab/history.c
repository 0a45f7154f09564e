#include "zab/history.h"
#include "base/assert.h"
#include "base/mem.h"

#define FIRST 64u

void history_init(struct history *h, int64_t base)
{
    *h = (struct history){ .cap = FIRST, .base = base };
    h->ring = mem_alloc(h->cap * sizeof *h->ring);
}

static void drop_front(struct history *h)
{
    struct past *p = history_at(h, 0);
    h->base = p->zxid;
    h->bytes -= p->txn->n;
    blob_unref(p->txn);
    h->head = (h->head + 1) & (h->cap - 1);
    h->count--;
}

void history_restart(struct history *h, int64_t base)
{
    while (h->count != 0)
        drop_front(h);
    h->base = base;
}

void history_fini(struct history *h)
{
    history_restart(h, -1);
    mem_free(h->ring);
    h->ring = NULL;
}

int64_t history_end(const struct history *h)
{
    return h->count == 0 ? h->base : history_at(h, h->count - 1)->zxid;
}

void history_push(struct history *h, int64_t zxid, struct blob *txn, int64_t now_ms)
{
    ASSERT(zxid > history_end(h));
    if (h->count == h->cap) {
        struct past *fresh = mem_alloc(h->cap * 2 * sizeof *fresh);
        for (size_t i = 0; i < h->count; i++)
            fresh[i] = *history_at(h, i);
        mem_free(h->ring);
        h->ring = fresh;
        h->head = 0;
        h->cap *= 2;
    }
    *history_at(h, h->count++) = (struct past){ .zxid = zxid, .at_ms = now_ms, .txn = blob_ref(txn) };
    h->bytes += txn->n;
}

size_t history_after(const struct history *h, int64_t zxid)
{
    /* An epoch's numbers have no gaps: nearly always the place follows from the number. */
    uint64_t guess = h->count == 0 ? 0 : (uint64_t)zxid - (uint64_t)history_at(h, 0)->zxid;
    if (guess < h->count && history_at(h, guess)->zxid == zxid)
        return guess + 1;
    size_t low = 0, high = h->count;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (history_at(h, mid)->zxid > zxid)
            high = mid;
        else
            low = mid + 1;
    }
    return low;
}

void history_drop_above(struct history *h, int64_t zxid)
{
    while (h->count != 0 && history_at(h, h->count - 1)->zxid > zxid) {
        struct past *p = history_at(h, --h->count);
        h->bytes -= p->txn->n;
        blob_unref(p->txn);
    }
}

void history_trim(struct history *h, int64_t zxid, size_t count_max, size_t bytes_max)
{
    while (h->count != 0 && history_at(h, 0)->zxid <= zxid && (h->count > count_max || h->bytes > bytes_max))
        drop_front(h);
}
