/* rng: seeded pseudo-random numbers (splitmix64). Not for secrets. The seed always comes from outside: entropy in the
 * server, the scenario's seed in the simulator. */
#ifndef ZOKOR_BASE_RNG_H
#define ZOKOR_BASE_RNG_H

#include <stdint.h>

struct rng {
    uint64_t state;
};

void rng_init(struct rng *r, uint64_t seed);
uint64_t rng_u64(struct rng *r);
/* Uniform in [0, below); 0 if below is 0. */
uint64_t rng_below(struct rng *r, uint64_t below);

#endif
