/* jute: ZooKeeper's encoding. Everything is big-endian; strings, buffers and vectors carry an int32 length or count,
 * -1 for null. A reader's error sticks: read all fields, look at `err` once. Nothing is copied: slices and vectors
 * point into the bytes that are read. */
#ifndef ZOKOR_WIRE_JUTE_H
#define ZOKOR_WIRE_JUTE_H

#include "base/buf.h"
#include "base/err.h"
#include "base/slice.h"

/* Longest string or buffer inside a record: jute.maxbuffer + extrasize with their defaults. */
#define WIRE_FIELD_BYTES_MAX 2097150

struct wire_reader {
    const uint8_t *p, *end;
    size_t field_bytes_max; /* a longer string or buffer is an error even if the bytes are there */
    int err;                /* 0 or ERR_MARSHALLING; sticky */
};

static inline struct wire_reader wire_reader_of(struct slice s)
{
    return (
        struct wire_reader){ .p = s.p, .end = s.p == NULL ? NULL : s.p + s.n, .field_bytes_max = WIRE_FIELD_BYTES_MAX };
}

static inline size_t wire_left(const struct wire_reader *r)
{
    return (size_t)(r->end - r->p);
}

static inline uint32_t load_be32(const uint8_t *p)
{
    uint32_t v;
    memcpy(&v, p, 4);
    return __builtin_bswap32(v);
}

static inline uint64_t load_be64(const uint8_t *p)
{
    uint64_t v;
    memcpy(&v, p, 8);
    return __builtin_bswap64(v);
}

static inline void store_be32(uint8_t *p, uint32_t v)
{
    v = __builtin_bswap32(v);
    memcpy(p, &v, 4);
}

static inline void store_be64(uint8_t *p, uint64_t v)
{
    v = __builtin_bswap64(v);
    memcpy(p, &v, 8);
}

/* The next n bytes, or NULL (and the sticky error) if fewer are left. */
static inline const uint8_t *wire_take(struct wire_reader *r, size_t n)
{
    if (UNLIKELY(r->err != 0 || wire_left(r) < n)) {
        r->err = ERR_MARSHALLING;
        return NULL;
    }
    const uint8_t *p = r->p;
    r->p += n;
    return p;
}

static inline int8_t wire_get_i8(struct wire_reader *r)
{
    const uint8_t *p = wire_take(r, 1);
    return p == NULL ? 0 : (int8_t)*p;
}

/* Any byte but 0 reads as true. */
static inline bool wire_get_bool(struct wire_reader *r)
{
    const uint8_t *p = wire_take(r, 1);
    return p != NULL && *p != 0;
}

static inline int32_t wire_get_i32(struct wire_reader *r)
{
    const uint8_t *p = wire_take(r, 4);
    return p == NULL ? 0 : (int32_t)load_be32(p);
}

static inline int64_t wire_get_i64(struct wire_reader *r)
{
    const uint8_t *p = wire_take(r, 8);
    return p == NULL ? 0 : (int64_t)load_be64(p);
}

/* A buffer or string: null for length -1; an error for any other negative length, one over field_bytes_max, or one
 * past the end. */
struct slice wire_get_buffer(struct wire_reader *r);
static inline struct slice wire_get_ustring(struct wire_reader *r)
{
    return wire_get_buffer(r);
}

static inline void wire_put_i8(struct buf *b, int8_t v)
{
    uint8_t *p = buf_add(b, 1);
    if (p != NULL)
        *p = (uint8_t)v;
}

static inline void wire_put_bool(struct buf *b, bool v)
{
    wire_put_i8(b, v);
}

static inline void wire_put_i32(struct buf *b, int32_t v)
{
    uint8_t *p = buf_add(b, 4);
    if (p != NULL)
        store_be32(p, (uint32_t)v);
}

static inline void wire_put_i64(struct buf *b, int64_t v)
{
    uint8_t *p = buf_add(b, 8);
    if (p != NULL)
        store_be64(p, (uint64_t)v);
}

/* Null (s.p == NULL) becomes length -1. */
static inline void wire_put_buffer(struct buf *b, struct slice s)
{
    uint8_t *p = buf_add(b, 4 + s.n);
    if (p == NULL)
        return;
    store_be32(p, s.p == NULL ? UINT32_MAX : (uint32_t)s.n);
    if (s.n != 0)
        memcpy(p + 4, s.p, s.n);
}

static inline void wire_put_ustring(struct buf *b, struct slice s)
{
    wire_put_buffer(b, s);
}

/* A vector as it stands in the bytes: count elements, encoded one after the other in `raw`. null when count is -1.
 * The elements were walked once when the vector was read, so iterating cannot fail. */
struct wire_vec {
    int32_t count; /* -1 null */
    struct slice raw;
};

struct wire_id {
    struct slice scheme, id;
};

struct wire_acl {
    int32_t perms;
    struct wire_id id;
};

/* Vectors of ustring, of ACL. Counts below -1 read as empty, as the reference server does. */
struct wire_vec wire_get_strings(struct wire_reader *r);
struct wire_vec wire_get_acls(struct wire_reader *r);
/* Writes count and elements; null as -1. */
void wire_put_vec(struct buf *b, struct wire_vec v);
static inline void wire_put_strings(struct buf *b, struct wire_vec v)
{
    wire_put_vec(b, v);
}
static inline void wire_put_acls(struct buf *b, struct wire_vec v)
{
    wire_put_vec(b, v);
}
static inline size_t wire_vec_size(struct wire_vec v)
{
    return 4 + v.raw.n;
}

/* A reader over the elements; call wire_get_ustring / wire_get_acl exactly v.count times. */
static inline struct wire_reader wire_vec_reader(struct wire_vec v)
{
    return (struct wire_reader){ .p = v.raw.p,
                                 .end = v.raw.p == NULL ? NULL : v.raw.p + v.raw.n,
                                 .field_bytes_max = SIZE_MAX };
}
struct wire_acl wire_get_acl(struct wire_reader *r);
void wire_put_acl(struct buf *b, struct wire_acl a);

/* What clients see of a znode (68 bytes on the wire). */
struct wire_stat {
    int64_t czxid, mzxid, ctime, mtime;
    int32_t version, cversion, aversion;
    int64_t ephemeral_owner;
    int32_t data_length, num_children;
    int64_t pzxid;
};
#define WIRE_STAT_BYTES 68
struct wire_stat wire_get_stat(struct wire_reader *r);
void wire_put_stat(struct buf *b, struct wire_stat s);
/* Encodes into exactly WIRE_STAT_BYTES bytes. */
void wire_store_stat(uint8_t *to, const struct wire_stat *s);

/* A frame at the start of `in`: 1 and *frame = its payload and *used = bytes consumed; 0 if more bytes are needed;
 * ERR_TOO_LONG if its length is negative or above frame_bytes_max (judged before the payload is there). */
static inline int wire_frame_next(struct slice in, size_t frame_bytes_max, struct slice *frame, size_t *used)
{
    if (in.n < 4)
        return 0;
    uint32_t n = load_be32(in.p);
    if (n > frame_bytes_max)
        return ERR_TOO_LONG;
    if (in.n - 4 < n)
        return 0;
    *frame = slice_of(in.p + 4, n);
    *used = 4 + (size_t)n;
    return 1;
}

#endif
