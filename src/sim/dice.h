/* dice: named streams of chance. Every choice of a simulation is drawn from the stream of (seed, name, entity), so that
 * leaving out one kind of fault, or one client, does not reshuffle the others. Integers only: the same on every
 * machine. */
#ifndef ZOKOR_SIM_DICE_H
#define ZOKOR_SIM_DICE_H

#include "base/rng.h"
#include <stdbool.h>

struct dice {
    struct rng rng;
};

struct dice dice_of(uint64_t seed, const char *stream, uint64_t entity);
/* True once in n throws; n 0: never. */
bool dice_one_in(struct dice *d, uint64_t n);
/* Uniform in [lo, hi]; lo when hi is below it. */
int64_t dice_between(struct dice *d, int64_t lo, int64_t hi);
/* A waiting time with about this mean and a long tail; at least 1. */
int64_t dice_wait(struct dice *d, int64_t mean);

#endif
