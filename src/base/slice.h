/* slice: borrowed bytes. p == NULL is the protocol's null (length -1); p != NULL with n == 0 is empty. */
#ifndef ZOKOR_BASE_SLICE_H
#define ZOKOR_BASE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct slice {
    const uint8_t *p;
    size_t n;
};

/* The bytes of a C string, without its end mark. */
static inline struct slice slice_str(const char *s)
{
    return (struct slice){ (const uint8_t *)s, strlen(s) };
}

static inline struct slice slice_of(const void *p, size_t n)
{
    return (struct slice){ p, n };
}

static inline bool slice_is_null(struct slice s)
{
    return s.p == NULL;
}

/* Equal bytes. Null and empty are equal here. */
static inline bool slice_eq(struct slice a, struct slice b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

static inline bool slice_eq_str(struct slice a, const char *s)
{
    return slice_eq(a, slice_str(s));
}

static inline bool slice_starts(struct slice s, struct slice prefix)
{
    return s.n >= prefix.n && (prefix.n == 0 || memcmp(s.p, prefix.p, prefix.n) == 0);
}

/* Order of bytes, shorter first on a tie: <0, 0, >0. */
static inline int slice_cmp(struct slice a, struct slice b)
{
    size_t n = a.n < b.n ? a.n : b.n;
    int c = n == 0 ? 0 : memcmp(a.p, b.p, n);
    return c != 0 ? c : (a.n > b.n) - (a.n < b.n);
}

/* For printf("%.*s", SLICE_ARG(s)). */
#define SLICE_ARG(s) (int)((s).n > 1024 ? 1024 : (s).n), (const char *)((s).p ? (s).p : (const uint8_t *)"")

#endif
