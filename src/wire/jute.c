#include "wire/jute.h"

struct slice wire_get_buffer(struct wire_reader *r)
{
    int32_t n = wire_get_i32(r);
    if (r->err != 0 || n == -1)
        return (struct slice){ 0 };
    if (n < 0 || (size_t)n > r->field_bytes_max) {
        r->err = ERR_MARSHALLING;
        return (struct slice){ 0 };
    }
    const uint8_t *p = wire_take(r, (size_t)n);
    return p == NULL ? (struct slice){ 0 } : slice_of(p, (size_t)n);
}

struct wire_acl wire_get_acl(struct wire_reader *r)
{
    struct wire_acl a;
    a.perms = wire_get_i32(r);
    a.id.scheme = wire_get_ustring(r);
    a.id.id = wire_get_ustring(r);
    return a;
}

void wire_put_acl(struct buf *b, struct wire_acl a)
{
    wire_put_i32(b, a.perms);
    wire_put_ustring(b, a.id.scheme);
    wire_put_ustring(b, a.id.id);
}

static struct wire_vec get_vec(struct wire_reader *r, void (*skip)(struct wire_reader *))
{
    struct wire_vec v = { .count = wire_get_i32(r) };
    if (r->err != 0 || v.count == -1)
        return (struct wire_vec){ .count = -1 };
    if (v.count < 0)
        v.count = 0;
    v.raw.p = r->p;
    for (int32_t i = 0; i < v.count && r->err == 0; i++)
        skip(r); /* each element takes at least 4 bytes, so a false count ends with the bytes */
    if (r->err != 0)
        return (struct wire_vec){ .count = -1 };
    v.raw.n = (size_t)(r->p - v.raw.p);
    return v;
}

static void skip_ustring(struct wire_reader *r)
{
    (void)wire_get_ustring(r);
}

static void skip_acl(struct wire_reader *r)
{
    (void)wire_get_acl(r);
}

struct wire_vec wire_get_strings(struct wire_reader *r)
{
    return get_vec(r, skip_ustring);
}

struct wire_vec wire_get_acls(struct wire_reader *r)
{
    return get_vec(r, skip_acl);
}

void wire_put_vec(struct buf *b, struct wire_vec v)
{
    wire_put_i32(b, v.count);
    if (v.count > 0)
        buf_append_slice(b, v.raw);
}

struct wire_stat wire_get_stat(struct wire_reader *r)
{
    struct wire_stat s = { 0 };
    s.czxid = wire_get_i64(r);
    s.mzxid = wire_get_i64(r);
    s.ctime = wire_get_i64(r);
    s.mtime = wire_get_i64(r);
    s.version = wire_get_i32(r);
    s.cversion = wire_get_i32(r);
    s.aversion = wire_get_i32(r);
    s.ephemeral_owner = wire_get_i64(r);
    s.data_length = wire_get_i32(r);
    s.num_children = wire_get_i32(r);
    s.pzxid = wire_get_i64(r);
    return s;
}

void wire_store_stat(uint8_t *to, const struct wire_stat *s)
{
    store_be64(to, (uint64_t)s->czxid);
    store_be64(to + 8, (uint64_t)s->mzxid);
    store_be64(to + 16, (uint64_t)s->ctime);
    store_be64(to + 24, (uint64_t)s->mtime);
    store_be32(to + 32, (uint32_t)s->version);
    store_be32(to + 36, (uint32_t)s->cversion);
    store_be32(to + 40, (uint32_t)s->aversion);
    store_be64(to + 44, (uint64_t)s->ephemeral_owner);
    store_be32(to + 52, (uint32_t)s->data_length);
    store_be32(to + 56, (uint32_t)s->num_children);
    store_be64(to + 60, (uint64_t)s->pzxid);
}

void wire_put_stat(struct buf *b, struct wire_stat s)
{
    uint8_t *p = buf_add(b, WIRE_STAT_BYTES);
    if (p != NULL)
        wire_store_stat(p, &s);
}
