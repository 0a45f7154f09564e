#include "base/digest.h"
#include <openssl/crypto.h>
#include <openssl/evp.h>

size_t digest_message(const char *algorithm, struct slice in, uint8_t out[64])
{
    const EVP_MD *md = EVP_get_digestbyname(algorithm);
    unsigned n = 0;
    if (md == NULL || EVP_MD_get_size(md) > 64)
        return 0;
    if (EVP_Digest(in.p == NULL ? (const void *)"" : in.p, in.n, out, &n, md, NULL) != 1)
        return 0;
    return n;
}

size_t digest_base64(struct slice in, char *out)
{
    return (size_t)EVP_EncodeBlock((unsigned char *)out, in.p == NULL ? (const uint8_t *)"" : in.p, (int)in.n);
}

bool digest_equal_secret(struct slice a, struct slice b)
{
    return a.n == b.n && (a.n == 0 || CRYPTO_memcmp(a.p, b.p, a.n) == 0);
}
