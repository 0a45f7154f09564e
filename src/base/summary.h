/* summary: how a measured figure (milliseconds, bytes) is spread: count, sum, extremes and quantiles from a fixed table
 * of buckets, exact below 16 and within an eighth above. No memory, no clock; one owner thread, copies are plain. */
#ifndef ZOKOR_BASE_SUMMARY_H
#define ZOKOR_BASE_SUMMARY_H

#include <stddef.h>
#include <stdint.h>

#define SUMMARY_BUCKETS 232
#define SUMMARY_VALUE_MAX INT32_MAX /* larger values count as this one in the buckets */

struct summary {
    int64_t count, sum, min, max; /* min and max are 0 before the first value */
    uint64_t buckets[SUMMARY_BUCKETS];
};

/* Negative values (a clock that stepped) are left out. */
void summary_add(struct summary *s, int64_t value);

/* The smallest value such that at least `share` (0 to 1) of all values are not above it, rounded down to its bucket;
 * 0 when there are none. */
int64_t summary_quantile(const struct summary *s, double share);

#endif
