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

/* Without the control characters and spaces at both ends (what Java's String.trim() takes away). */
static inline struct slice slice_trim(struct slice s)
{
    while (s.n > 0 && s.p[0] <= ' ')
        s = slice_of(s.p + 1, s.n - 1);
    while (s.n > 0 && s.p[s.n - 1] <= ' ')
        s.n--;
    return s;
}

/* Cuts `rest` at the first `mark` outside of brackets, as addresses need it: the part before it; *rest is what follows,
 * null where no mark was left. */
static inline struct slice slice_cut(struct slice *rest, uint8_t mark)
{
    struct slice part = *rest;
    bool bracket = false;
    for (size_t i = 0; i < part.n; i++) {
        uint8_t c = part.p[i];
        if (c == '[' || c == ']')
            bracket = c == '[';
        if (c == mark && !bracket) {
            *rest = slice_of(part.p + i + 1, part.n - i - 1);
            return slice_of(part.p, i);
        }
    }
    *rest = (struct slice){ 0 };
    return part;
}

/* For printf("%.*s", SLICE_ARG(s)). */
#define SLICE_ARG(s) (int)((s).n > 1024 ? 1024 : (s).n), (const char *)((s).p ? (s).p : (const uint8_t *)"")

#endif
