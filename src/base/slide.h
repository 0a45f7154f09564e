/* slide: how the checksums treat what is over a multiple of sixteen bytes: as a first block with zeros in front. x86-64
 * alone. */
#ifndef ZOKOR_BASE_SLIDE_H
#define ZOKOR_BASE_SLIDE_H

#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>

#define SSSE3 __attribute__((target("ssse3")))

/* The first n < 16 of 16 bytes, moved to the end, behind zeros. */
SSSE3 static inline __m128i slide(__m128i x, size_t n)
{
    static const uint8_t from[32] = { 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80,
                                      0x80, 0x80, 0x80, 0x80, 0x80, 0,    1,    2,    3,    4,    5,
                                      6,    7,    8,    9,    10,   11,   12,   13,   14,   15 };
    return _mm_shuffle_epi8(x, _mm_loadu_si128((const __m128i *)(const void *)(from + n)));
}

#endif
