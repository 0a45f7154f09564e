#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include <stdarg.h>
#include <stdio.h>

#define BUF_BYTES_FIRST 64

void buf_init(struct buf *b, size_t limit)
{
    *b = (struct buf){ .limit = limit };
}

void buf_init_refusable(struct buf *b, size_t limit)
{
    *b = (struct buf){ .limit = limit, .refusable = true };
}

void buf_fini(struct buf *b)
{
    mem_free(b->p);
    *b = (struct buf){ .limit = b->limit, .refusable = b->refusable };
}

int buf_grow(struct buf *b, size_t extra)
{
    if (b->err != 0)
        return b->err;
    size_t want;
    if (__builtin_add_overflow(b->n, extra, &want) || want > b->limit)
        return b->err = ERR_TOO_LONG;
    if (want <= b->cap && b->p != NULL)
        return 0;
    size_t cap = b->cap < BUF_BYTES_FIRST ? BUF_BYTES_FIRST : b->cap;
    while (cap < want)
        cap += cap / 2;
    if (cap > b->limit)
        cap = b->limit;
    uint8_t *p = b->refusable ? mem_try_realloc(b->p, cap) : mem_realloc(b->p, cap);
    if (p == NULL)
        return b->err = ERR_NO_MEMORY;
    b->p = p;
    b->cap = cap;
    return 0;
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
    char small[512];
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(small, sizeof small, fmt, args);
    va_end(args);
    if (n < 0)
        return;
    if ((size_t)n < sizeof small) {
        buf_append(b, small, (size_t)n);
        return;
    }
    if (buf_grow(b, (size_t)n + 1) != 0)
        return;
    va_start(args, fmt);
    (void)vsnprintf((char *)b->p + b->n, (size_t)n + 1, fmt, args);
    va_end(args);
    b->n += (size_t)n;
}

void buf_drop_front(struct buf *b, size_t n)
{
    ASSERT(n <= b->n);
    if (n == 0)
        return;
    memmove(b->p, b->p + n, b->n - n);
    b->n -= n;
}
