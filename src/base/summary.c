#include "base/summary.h"

#define EXACT 16u /* values below have a bucket each */
#define EXACT_LOG2 4u
#define SPLIT_LOG2 3u /* buckets for each doubling, as a power of two */

static size_t bucket_of(int64_t value)
{
    uint32_t v = (uint32_t)(value > SUMMARY_VALUE_MAX ? SUMMARY_VALUE_MAX : value);
    if (v < EXACT)
        return v;
    unsigned log2 = 31u - (unsigned)__builtin_clz(v);
    unsigned part = v >> (log2 - SPLIT_LOG2) & ((1u << SPLIT_LOG2) - 1);
    return EXACT + ((log2 - EXACT_LOG2) << SPLIT_LOG2) + part;
}

static int64_t bucket_floor(size_t bucket)
{
    if (bucket < EXACT)
        return (int64_t)bucket;
    unsigned log2 = EXACT_LOG2 + (unsigned)((bucket - EXACT) >> SPLIT_LOG2);
    int64_t part = (int64_t)((bucket - EXACT) & ((1u << SPLIT_LOG2) - 1));
    return (((int64_t)1 << SPLIT_LOG2) + part) << (log2 - SPLIT_LOG2);
}

void summary_add(struct summary *s, int64_t value)
{
    if (value < 0)
        return;
    if (s->count++ == 0 || value < s->min)
        s->min = value;
    if (value > s->max)
        s->max = value;
    s->sum += value;
    s->buckets[bucket_of(value)]++;
}

int64_t summary_quantile(const struct summary *s, double share)
{
    double wanted = share * (double)s->count;
    uint64_t seen = 0;
    for (size_t i = 0; i < SUMMARY_BUCKETS; i++) {
        seen += s->buckets[i];
        if (seen != 0 && (double)seen >= wanted)
            return bucket_floor(i) < s->min ? s->min : bucket_floor(i);
    }
    return 0;
}
