/* crc32: the IEEE CRC-32 by carry-less multiplication where the processor has it, by tables of eight elsewhere.
 * Every write hashes a few 60-byte stats (the tree digest); zlib 1.2.13 needs about 90 ns for one, this about 15
 * (docs/decisions/008-own-crc32.md). Method: Gopal et al., "Fast CRC Computation for Generic Polynomials Using
 * PCLMULQDQ Instruction"; the constants are powers of x modulo the polynomial, bit-reflected. */
#include "base/digest.h"

static uint32_t table[8][256];

__attribute__((constructor)) static void make_tables(void)
{
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t c = i;
        for (int bit = 0; bit < 8; bit++)
            c = (c >> 1) ^ (0xedb88320u & (0u - (c & 1)));
        table[0][i] = c;
    }
    for (uint32_t i = 0; i < 256; i++)
        for (int t = 1; t < 8; t++)
            table[t][i] = (table[t - 1][i] >> 8) ^ table[0][table[t - 1][i] & 0xff];
}

/* Both take and give the inverted register. */
static uint32_t by_tables(uint32_t c, const uint8_t *p, size_t n)
{
    for (; n >= 8; p += 8, n -= 8) {
        uint32_t lo = c ^ ((uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24);
        c = table[7][lo & 0xff] ^ table[6][(lo >> 8) & 0xff] ^ table[5][(lo >> 16) & 0xff] ^ table[4][lo >> 24] ^
            table[3][p[4]] ^ table[2][p[5]] ^ table[1][p[6]] ^ table[0][p[7]];
    }
    if (n >= 4) {
        uint32_t lo = c ^ ((uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24);
        c = table[3][lo & 0xff] ^ table[2][(lo >> 8) & 0xff] ^ table[1][(lo >> 16) & 0xff] ^ table[0][lo >> 24];
        p += 4;
        n -= 4;
    }
    for (; n > 0; p++, n--)
        c = (c >> 8) ^ table[0][(c ^ *p) & 0xff];
    return c;
}

#if defined(__x86_64__)
#include "base/slide.h"

#define CLMUL __attribute__((target("pclmul,sse4.1")))

CLMUL static inline __m128i load16(const uint8_t *p)
{
    return _mm_loadu_si128((const __m128i *)(const void *)p);
}

/* x moved ahead by the distance that k stands for, then the next bytes added. */
CLMUL static inline __m128i fold(__m128i x, __m128i k, __m128i next)
{
    __m128i lo = _mm_clmulepi64_si128(x, k, 0x00);
    __m128i hi = _mm_clmulepi64_si128(x, k, 0x11);
    return _mm_xor_si128(_mm_xor_si128(lo, hi), next);
}

/* 128 bits to the 32-bit remainder: fold to 96, to 64, then Barrett's reduction. */
CLMUL static inline uint32_t reduce(__m128i x)
{
    const __m128i k34 = _mm_set_epi64x(0x00ccaa009e, 0x01751997d0);
    const __m128i k5 = _mm_set_epi64x(0, 0x0163cd6124);
    const __m128i poly = _mm_set_epi64x(0x01f7011641, 0x01db710641);
    const __m128i low32 = _mm_setr_epi32(-1, 0, -1, 0);
    x = _mm_xor_si128(_mm_srli_si128(x, 8), _mm_clmulepi64_si128(x, k34, 0x10));
    x = _mm_xor_si128(_mm_srli_si128(x, 4), _mm_clmulepi64_si128(_mm_and_si128(x, low32), k5, 0x00));
    __m128i q = _mm_clmulepi64_si128(_mm_and_si128(x, low32), poly, 0x10);
    q = _mm_clmulepi64_si128(_mm_and_si128(q, low32), poly, 0x00);
    return (uint32_t)_mm_extract_epi32(_mm_xor_si128(x, q), 1);
}

/* n >= 16. What is over a multiple of 16 is the first block: zeros in front of a message do not change its remainder,
 * as long as the register is added to the message and not to them. */
CLMUL static uint32_t by_clmul(uint32_t c, const uint8_t *p, size_t n)
{
    const __m128i k12 = _mm_set_epi64x(0x01c6e41596, 0x0154442bd4); /* four lanes: 64 bytes ahead */
    const __m128i k34 = _mm_set_epi64x(0x00ccaa009e, 0x01751997d0); /* 16 bytes ahead */
    __m128i x = _mm_xor_si128(load16(p), _mm_cvtsi32_si128((int)c));
    size_t over = n % 16, first = over != 0 ? over : 16;
    if (over != 0)
        x = slide(x, over);
    p += first;
    n -= first;
    if (over != 0 && over < 4) {
        x = fold(x, k34, _mm_xor_si128(load16(p), _mm_cvtsi32_si128((int)(c >> 8 * over))));
        p += 16;
        n -= 16;
    }
    if (n >= 112) {
        __m128i y = load16(p), z = load16(p + 16), w = load16(p + 32);
        for (p += 48, n -= 48; n >= 64; p += 64, n -= 64) {
            x = fold(x, k12, load16(p));
            y = fold(y, k12, load16(p + 16));
            z = fold(z, k12, load16(p + 32));
            w = fold(w, k12, load16(p + 48));
        }
        x = fold(fold(fold(x, k34, y), k34, z), k34, w);
    }
    for (; n >= 16; p += 16, n -= 16)
        x = fold(x, k34, load16(p));
    return reduce(x);
}

static bool has_clmul;

__attribute__((constructor)) static void look_at_processor(void)
{
    __builtin_cpu_init();
    has_clmul = __builtin_cpu_supports("pclmul") && __builtin_cpu_supports("sse4.1");
}

uint32_t digest_crc32(uint32_t crc, const void *p, size_t n)
{
    return ~(n >= 16 && has_clmul ? by_clmul(~crc, p, n) : by_tables(~crc, p, n));
}
#else
uint32_t digest_crc32(uint32_t crc, const void *p, size_t n)
{
    return ~by_tables(~crc, p, n);
}
#endif
