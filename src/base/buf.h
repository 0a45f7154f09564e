/* buf: growable bytes, born with a limit. Appending past the limit sets `err` (sticky) and changes nothing, so a
 * writer of many fields checks once at the end. */
#ifndef ZOKOR_BASE_BUF_H
#define ZOKOR_BASE_BUF_H

#include "base/assert.h"
#include "base/slice.h"

struct buf {
    uint8_t *p;
    size_t n;       /* bytes in use */
    size_t cap;     /* bytes allocated */
    size_t limit;   /* n never exceeds this */
    int err;        /* 0, ERR_TOO_LONG or ERR_NO_MEMORY; sticky */
    bool refusable; /* no memory is an error of this buffer, not the end of the process */
};

/* For our own work: no memory ends the process, as mem_alloc does. */
void buf_init(struct buf *b, size_t limit);
/* For what a stranger makes grow: no memory sets ERR_NO_MEMORY, and the stranger is turned away. */
void buf_init_refusable(struct buf *b, size_t limit);
/* Frees the bytes. Safe on zeroed memory. */
void buf_fini(struct buf *b);
/* Empties, keeps the memory, clears the error. */
static inline void buf_reset(struct buf *b)
{
    b->n = 0;
    b->err = 0;
}
/* Makes room for `extra` more bytes; 0 or the error, which sticks. */
int buf_grow(struct buf *b, size_t extra);

/* Room for n more bytes at the end, counted as used; NULL after an error. */
static inline uint8_t *buf_add(struct buf *b, size_t n)
{
    if (UNLIKELY(b->cap - b->n < n || b->p == NULL || b->err != 0) && buf_grow(b, n) != 0)
        return NULL;
    uint8_t *p = b->p + b->n;
    b->n += n;
    return p;
}

static inline void buf_append(struct buf *b, const void *p, size_t n)
{
    if (n == 0)
        return;
    uint8_t *to = buf_add(b, n);
    if (to != NULL)
        memcpy(to, p, n);
}

static inline void buf_append_slice(struct buf *b, struct slice s)
{
    buf_append(b, s.p, s.n);
}

/* printf at the end. */
void buf_printf(struct buf *b, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Drops the first n bytes. */
void buf_drop_front(struct buf *b, size_t n);

static inline struct slice buf_slice(const struct buf *b)
{
    return slice_of(b->p != NULL ? b->p : (const uint8_t *)"", b->n);
}

#endif
