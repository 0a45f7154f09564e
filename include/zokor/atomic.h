/* zokor/atomic.h: a value in a node that many change at once (Apache Curator's DistributedAtomicValue, -Long and
 * -Integer: 8 or 4 bytes, the highest first). A change is tried with the version that was read; when others were faster
 * it is tried again as the retry policy says, and in the end, if a path for it is given, under a lock.
 *
 * All functions may be called from any thread, also at once, but not from callbacks when a lock is given. They
 * return ZOK; ZBADVERSION: others were faster every time, nothing was changed; or another error of zookeeper.h:
 * then the change may have been made or not. A write that the connection breaks is therefore not made again. */
#ifndef ZOKOR_ATOMIC_PUBLIC_H
#define ZOKOR_ATOMIC_PUBLIC_H

#include <zokor/framework.h>

#ifdef __cplusplus
extern "C" {
#endif

/* All zeros, and NULL for it, is fine. */
struct zokor_atomic_options {
    struct zokor_retry retry;      /* of tries without the lock. Zeros: 10 times, with some ms between them */
    const char *lock_path;         /* NULL: no lock */
    int lock_timeout_ms;           /* 0: 10,000 */
    struct zokor_retry lock_retry; /* of tries under the lock. Zeros: as above */
};

/* What it cost. May be NULL wherever it is asked for. */
struct zokor_atomic_stats {
    int tries;        /* without the lock */
    int locked_tries; /* under it */
};

/* Says what a value shall become: *post is allocated with malloc, and freed by the caller; NULL: leave it as it is. pre
 * is NULL if there is no node. May be called several times. */
typedef void (*zokor_atomic_fn)(const char *pre, int pre_len, char **post, int *post_len, void *context);
/* Replaces what is there by what fn makes of it. */
int zokor_atomic_update(struct zokor_framework *f, const char *path, const struct zokor_atomic_options *options,
                        zokor_atomic_fn fn, void *context, struct zokor_atomic_stats *stats);

/* Numbers; a node that is not there is 0, one of another size ZDATAINCONSISTENCY. before may be NULL. */
int zokor_atomic_long_get(struct zokor_framework *f, const char *path, int64_t *value);
/* Adds (wrapping around), without a lock by default. */
int zokor_atomic_long_add(struct zokor_framework *f, const char *path, const struct zokor_atomic_options *options,
                          int64_t delta, int64_t *before, struct zokor_atomic_stats *stats);
/* Whatever was there before. */
int zokor_atomic_long_set(struct zokor_framework *f, const char *path, const struct zokor_atomic_options *options,
                          int64_t value, int64_t *before);
/* *swapped: it was `expected`. */
int zokor_atomic_long_compare_and_set(struct zokor_framework *f, const char *path,
                                      const struct zokor_atomic_options *options, int64_t expected, int64_t value,
                                      int *swapped);
int zokor_atomic_int_get(struct zokor_framework *f, const char *path, int32_t *value);
int zokor_atomic_int_add(struct zokor_framework *f, const char *path, const struct zokor_atomic_options *options,
                         int32_t delta, int32_t *before, struct zokor_atomic_stats *stats);

/* Numbers that nobody else gets, `chunk` of them for one change of the node (CachedAtomicLong, CachedAtomicInteger).
 * For one caller they grow; of several callers none gets another's. What is left of a chunk at the end is never used.
 */
struct zokor_cached_long;
/* NULL: bad path, or a chunk below 1. options are copied. */
struct zokor_cached_long *zokor_cached_long_new(struct zokor_framework *f, const char *path,
                                                const struct zokor_atomic_options *options, int64_t chunk);
struct zokor_cached_long *zokor_cached_int_new(struct zokor_framework *f, const char *path,
                                               const struct zokor_atomic_options *options, int32_t chunk);
void zokor_cached_long_free(struct zokor_cached_long *c);
/* The next one, 0 at the very first (Curator's preValue). Waits where a chunk is fetched. */
int zokor_cached_long_next(struct zokor_cached_long *c, int64_t *value);

#ifdef __cplusplus
}
#endif

#endif
