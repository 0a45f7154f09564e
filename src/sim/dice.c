#include "sim/dice.h"
#include "base/hash.h"

struct dice dice_of(uint64_t seed, const char *stream, uint64_t entity)
{
    struct dice d;
    rng_init(&d.rng, hash_u64(hash_slice(seed, slice_str(stream)), entity));
    (void)rng_u64(&d.rng);
    return d;
}

bool dice_one_in(struct dice *d, uint64_t n)
{
    return n != 0 && rng_below(&d->rng, n) == 0;
}

int64_t dice_between(struct dice *d, int64_t lo, int64_t hi)
{
    return hi <= lo ? lo : lo + (int64_t)rng_below(&d->rng, (uint64_t)(hi - lo) + 1);
}

/* -ln(u) * mean, by the leading zeros of u and a straight line between powers of two. */
int64_t dice_wait(struct dice *d, int64_t mean)
{
    uint64_t u = rng_u64(&d->rng) | 1;
    int64_t zeros = __builtin_clzll(u);
    int64_t fraction = (int64_t)((u << zeros) >> 47 & 0xffff);
    int64_t log2_16 = (zeros << 16) + 65536 - fraction;
    int64_t wait = mean * 693 / 1000 * log2_16 / 65536;
    return wait < 1 ? 1 : wait;
}
