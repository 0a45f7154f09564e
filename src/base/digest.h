/* digest: checksums and digests over zlib and libcrypto. A target of its own beside base, so that what does not need
 * them does not link those libraries. */
#ifndef ZOKOR_BASE_DIGEST_H
#define ZOKOR_BASE_DIGEST_H

#include "base/slice.h"

/* CRC-32 (IEEE, as zlib): start with 0, continue with the last result. */
uint32_t digest_crc32(uint32_t crc, const void *p, size_t n);

/* Adler-32 (as zlib): start with 1, continue with the last result. */
uint32_t digest_adler32(uint32_t adler, const void *p, size_t n);

/* Message digest by OpenSSL name ("SHA1", "SHA-256", ...). out holds at least 64 bytes; returns its length, or 0 if
 * the name is unknown. */
size_t digest_message(const char *algorithm, struct slice in, uint8_t out[64]);

/* Base64 with padding, no line breaks. out holds at least 4 * ((n + 2) / 3) + 1 bytes; returns the length without the
 * final zero byte. */
size_t digest_base64(struct slice in, char *out);

/* Equal bytes, in time that depends on the lengths only. */
bool digest_equal_secret(struct slice a, struct slice b);

#endif
