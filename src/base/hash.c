#include "base/hash.h"

static uint64_t load64(const uint8_t *p)
{
    uint64_t v;
    memcpy(&v, p, 8);
    return v;
}

static uint64_t mix(uint64_t a, uint64_t b)
{
    unsigned __int128 m = (unsigned __int128)a * b;
    return (uint64_t)m ^ (uint64_t)(m >> 64);
}

uint64_t hash_bytes(uint64_t key, const void *bytes, size_t n)
{
    const uint8_t *p = bytes;
    uint64_t h = key ^ 0xa0761d6478bd642fu ^ n;
    while (n >= 16) {
        h = mix(load64(p) ^ h, load64(p + 8) ^ 0xe7037ed1a0b428dbu);
        p += 16;
        n -= 16;
    }
    uint8_t tail[16] = { 0 };
    if (n != 0)
        memcpy(tail, p, n);
    h = mix(load64(tail) ^ h, load64(tail + 8) ^ 0x8ebc6af09c88c6e3u);
    return mix(h ^ key, 0x589965cc75374cc3u);
}
