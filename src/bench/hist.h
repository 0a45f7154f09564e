/* hist: how latencies are spread. Buckets are exact below 128 ns and within 1/128 above, up to 36 minutes; what is
 * longer counts as that. No memory, no clock; one owner at a time. */
#ifndef ZOKOR_BENCH_HIST_H
#define ZOKOR_BENCH_HIST_H

#include "base/buf.h"
#include <stdint.h>

#define HIST_BITS 7
#define HIST_POWERS 41
#define HIST_BUCKETS ((HIST_POWERS - HIST_BITS + 1) << HIST_BITS)
#define HIST_VALUE_MAX_NS ((1ull << HIST_POWERS) - 1)

struct hist {
    uint64_t count, sum_ns, min_ns, max_ns; /* min and max are 0 before the first value */
    uint64_t buckets[HIST_BUCKETS];
};

void hist_reset(struct hist *h);
void hist_add(struct hist *h, uint64_t value_ns);
void hist_merge(struct hist *to, const struct hist *from);

/* The smallest value such that at least `share` (0 to 1) of all are not above it, to the accuracy of a bucket; 0 when
 * there are none. */
uint64_t hist_quantile_ns(const struct hist *h, double share);

/* How many values are below, to the accuracy of a bucket. */
uint64_t hist_below(const struct hist *h, uint64_t value_ns);

/* Rows for people: ranges with the bounds 1, 2, 5, 10 ... us, from the first with a value to the last. Returns the
 * number of rows, at most `max`. */
struct hist_row {
    uint64_t from_ns, to_ns, count;
};
#define HIST_ROWS_MAX 32
size_t hist_rows(const struct hist *h, struct hist_row *rows, size_t max);

#endif
