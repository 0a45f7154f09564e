#include "bench/hist.h"

void hist_reset(struct hist *h)
{
    memset(h, 0, sizeof *h);
}

static size_t bucket_of(uint64_t v)
{
    if (v < (1u << HIST_BITS))
        return (size_t)v;
    if (v > HIST_VALUE_MAX_NS)
        v = HIST_VALUE_MAX_NS;
    unsigned power = 63u - (unsigned)__builtin_clzll(v);
    size_t step = (size_t)(v >> (power - HIST_BITS)) & ((1u << HIST_BITS) - 1);
    return ((size_t)(power - HIST_BITS + 1) << HIST_BITS) + step;
}

/* The smallest value of a bucket. */
static uint64_t floor_of(size_t bucket)
{
    if (bucket < (1u << HIST_BITS))
        return bucket;
    unsigned shift = (unsigned)(bucket >> HIST_BITS) - 1;
    return ((1ull << HIST_BITS) + (bucket & ((1u << HIST_BITS) - 1))) << shift;
}

void hist_add(struct hist *h, uint64_t value_ns)
{
    h->buckets[bucket_of(value_ns)]++;
    if (h->count == 0 || value_ns < h->min_ns)
        h->min_ns = value_ns;
    if (value_ns > h->max_ns)
        h->max_ns = value_ns;
    h->count++;
    h->sum_ns += value_ns;
}

void hist_merge(struct hist *to, const struct hist *from)
{
    if (from->count == 0)
        return;
    for (size_t i = 0; i < HIST_BUCKETS; i++)
        to->buckets[i] += from->buckets[i];
    if (to->count == 0 || from->min_ns < to->min_ns)
        to->min_ns = from->min_ns;
    if (from->max_ns > to->max_ns)
        to->max_ns = from->max_ns;
    to->count += from->count;
    to->sum_ns += from->sum_ns;
}

uint64_t hist_quantile_ns(const struct hist *h, double share)
{
    if (h->count == 0)
        return 0;
    uint64_t wanted = (uint64_t)(share * (double)h->count + 0.999999), seen = 0;
    if (wanted < 1)
        wanted = 1;
    for (size_t i = 0; i < HIST_BUCKETS; i++) {
        seen += h->buckets[i];
        if (seen >= wanted) {
            uint64_t v = floor_of(i);
            return v < h->min_ns ? h->min_ns : v;
        }
    }
    return h->max_ns;
}

uint64_t hist_below(const struct hist *h, uint64_t value_ns)
{
    uint64_t n = 0;
    for (size_t i = 0; i < HIST_BUCKETS && floor_of(i) < value_ns; i++)
        n += h->buckets[i];
    return n;
}

size_t hist_rows(const struct hist *h, struct hist_row *rows, size_t max)
{
    static const uint64_t steps[] = { 1, 2, 5 };
    size_t n = 0, kept = 0;
    uint64_t from = 0, below = 0;
    for (uint64_t decade = 1000; decade <= HIST_VALUE_MAX_NS && n < max; decade *= 10) {
        for (size_t i = 0; i < ARRAY_COUNT(steps) && n < max; i++) {
            uint64_t to = decade * steps[i];
            uint64_t upto = hist_below(h, to);
            if (upto != below || n != 0)
                rows[n++] = (struct hist_row){ from, to, upto - below };
            if (upto != below)
                kept = n;
            from = to;
            below = upto;
        }
    }
    return kept;
}
