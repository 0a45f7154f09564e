/* adler32: sixteen bytes at a time where the processor can, by zlib elsewhere. Every record of the log has one, and so
 * does every byte of a snapshot; zlib 1.2.13 goes byte by byte (docs/decisions/008-own-crc32.md). */
#include "base/digest.h"
#include <zlib.h>

static uint32_t by_zlib(uint32_t adler, const void *p, size_t n)
{
    return (uint32_t)adler32_z(adler, p == NULL ? (const void *)"" : p, n);
}

#if defined(__x86_64__)
#include "base/slide.h"

#define BASE 65521u
/* After so many bytes the second sum may not fit 32 bits: as zlib's NMAX, a multiple of 16. */
#define RUN_BYTES 5552u

static bool has_ssse3;

__attribute__((constructor)) static void look_at_processor(void)
{
    __builtin_cpu_init();
    has_ssse3 = __builtin_cpu_supports("ssse3");
}

SSSE3 static inline uint32_t sum_lanes(__m128i x)
{
    x = _mm_add_epi32(x, _mm_shuffle_epi32(x, _MM_SHUFFLE(1, 0, 3, 2)));
    x = _mm_add_epi32(x, _mm_shuffle_epi32(x, _MM_SHUFFLE(2, 3, 0, 1)));
    return (uint32_t)_mm_cvtsi128_si32(x);
}

/* What a block adds to the second sum by itself: its first byte counts 16 times, its last once. */
SSSE3 static inline __m128i weighed(__m128i x)
{
    const __m128i weights = _mm_setr_epi8(16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1);
    return _mm_madd_epi16(_mm_maddubs_epi16(x, weights), _mm_set1_epi16(1));
}

/* n >= 16. What is over a multiple of 16 is the first block: zeros in front add nothing to the bytes' own share, and
 * what the sums so far add is counted by its true length. */
SSSE3 static uint32_t by_blocks(uint32_t adler, const uint8_t *p, size_t n)
{
    const __m128i zero = _mm_setzero_si128();
    uint32_t a = adler & 0xffff, b = adler >> 16;
    size_t over = n % 16;
    if (over != 0) {
        __m128i x = slide(_mm_loadu_si128((const __m128i *)(const void *)p), over);
        b = (b + (uint32_t)over * a + sum_lanes(weighed(x))) % BASE;
        a = (a + sum_lanes(_mm_sad_epu8(x, zero))) % BASE;
        p += over;
        n -= over;
    }
    while (n != 0) {
        size_t run = n < RUN_BYTES ? n : RUN_BYTES;
        __m128i own = zero, sums = zero, before = zero; /* before: of each block, the sum of the bytes in front of it */
        for (const uint8_t *end = p + run; p < end; p += 16) {
            __m128i x = _mm_loadu_si128((const __m128i *)(const void *)p);
            before = _mm_add_epi32(before, sums);
            sums = _mm_add_epi32(sums, _mm_sad_epu8(x, zero));
            own = _mm_add_epi32(own, weighed(x));
        }
        b = (b + (uint32_t)run * a + 16 * sum_lanes(before) + sum_lanes(own)) % BASE;
        a = (a + sum_lanes(sums)) % BASE;
        n -= run;
    }
    return b << 16 | a;
}

uint32_t digest_adler32(uint32_t adler, const void *p, size_t n)
{
    return n >= 16 && has_ssse3 ? by_blocks(adler, p, n) : by_zlib(adler, p, n);
}
#else
uint32_t digest_adler32(uint32_t adler, const void *p, size_t n)
{
    return by_zlib(adler, p, n);
}
#endif
