#include "wire/records.h"

void wire_print_bytes(struct buf *b, struct slice s)
{
    if (slice_is_null(s)) {
        buf_printf(b, "null");
        return;
    }
    buf_append(b, "\"", 1);
    for (size_t i = 0; i < s.n && i < 200; i++) {
        uint8_t c = s.p[i];
        if (c >= 0x20 && c < 0x7f && c != '"' && c != '\\')
            buf_append(b, &c, 1);
        else
            buf_printf(b, "\\x%02x", c);
    }
    buf_append(b, "\"", 1);
    if (s.n > 200)
        buf_printf(b, "+%zu", s.n - 200);
}

static void print_bool(struct buf *b, bool v)
{
    buf_printf(b, "%s", v ? "true" : "false");
}
static void print_i32(struct buf *b, int32_t v)
{
    buf_printf(b, "%d", v);
}
static void print_i64(struct buf *b, int64_t v)
{
    buf_printf(b, "0x%llx", (unsigned long long)v);
}
static void print_buffer(struct buf *b, struct slice v)
{
    wire_print_bytes(b, v);
}
#define print_ustring print_buffer

static void print_strings(struct buf *b, struct wire_vec v)
{
    struct wire_reader r = wire_vec_reader(v);
    buf_printf(b, "[%d", v.count);
    for (int32_t i = 0; i < v.count && i < 20; i++) {
        buf_append(b, " ", 1);
        wire_print_bytes(b, wire_get_ustring(&r));
    }
    buf_printf(b, "]");
}

static void print_acls(struct buf *b, struct wire_vec v)
{
    struct wire_reader r = wire_vec_reader(v);
    buf_printf(b, "[%d", v.count);
    for (int32_t i = 0; i < v.count && i < 20; i++) {
        struct wire_acl a = wire_get_acl(&r);
        buf_printf(b, " %d:", a.perms);
        wire_print_bytes(b, a.id.scheme);
        buf_append(b, ":", 1);
        wire_print_bytes(b, a.id.id);
    }
    buf_printf(b, "]");
}

static void print_stat(struct buf *b, struct wire_stat s)
{
    buf_printf(b,
               "{czxid=0x%llx mzxid=0x%llx pzxid=0x%llx version=%d cversion=%d aversion=%d owner=0x%llx "
               "dataLength=%d numChildren=%d}",
               (unsigned long long)s.czxid, (unsigned long long)s.mzxid, (unsigned long long)s.pzxid, s.version,
               s.cversion, s.aversion, (unsigned long long)s.ephemeral_owner, s.data_length, s.num_children);
}

#define size_bool(v) ((void)(v), (size_t)1)
#define size_i32(v) ((void)(v), (size_t)4)
#define size_i64(v) ((void)(v), (size_t)8)
#define size_buffer(v) (4 + (v).n)
#define size_ustring(v) (4 + (v).n)
#define size_strings(v) wire_vec_size(v)
#define size_acls(v) wire_vec_size(v)
#define size_stat(v) ((void)(v), (size_t)WIRE_STAT_BYTES)

#define RECORD(name)                                          \
    struct wire_##name wire_get_##name(struct wire_reader *r) \
    {                                                         \
        struct wire_##name v = { 0 };
#define FIELD(type, name) v.name = wire_get_##type(r);
#define TAIL(type, name)                   \
    if (r->err == 0 && wire_left(r) > 0) { \
        v.name = wire_get_##type(r);       \
        v.has_##name = true;               \
    }
#define END(name) \
    return v;     \
    }
#include "wire/records.def"

#define RECORD(name)                                                 \
    void wire_put_##name(struct buf *b, const struct wire_##name *v) \
    {
#define FIELD(type, name) wire_put_##type(b, v->name);
#define TAIL(type, name) \
    if (v->has_##name)   \
        wire_put_##type(b, v->name);
#define END(name) }
#include "wire/records.def"

#define RECORD(name)                                     \
    size_t wire_size_##name(const struct wire_##name *v) \
    {                                                    \
        size_t n = 0;
#define FIELD(type, name) n += size_##type(v->name);
#define TAIL(type, name) \
    if (v->has_##name)   \
        n += size_##type(v->name);
#define END(name) \
    return n;     \
    }
#include "wire/records.def"

#define RECORD(name)                                                   \
    void wire_print_##name(struct buf *b, const struct wire_##name *v) \
    {                                                                  \
        buf_printf(b, #name);
#define FIELD(type, name)         \
    buf_printf(b, " " #name "="); \
    print_##type(b, v->name);
#define TAIL(type, name)              \
    if (v->has_##name) {              \
        buf_printf(b, " " #name "="); \
        print_##type(b, v->name);     \
    }
#define END(name) }
#include "wire/records.def"

#define RECORD(name)                                           \
    static void row_get_##name(struct wire_reader *r, void *v) \
    {                                                          \
        *(struct wire_##name *)v = wire_get_##name(r);         \
    }                                                          \
    static void row_put_##name(struct buf *b, const void *v)   \
    {                                                          \
        wire_put_##name(b, v);                                 \
    }                                                          \
    static size_t row_size_##name(const void *v)               \
    {                                                          \
        return wire_size_##name(v);                            \
    }                                                          \
    static void row_print_##name(struct buf *b, const void *v) \
    {                                                          \
        wire_print_##name(b, v);                               \
    }
#define FIELD(type, name)
#define TAIL(type, name)
#define END(name)
#include "wire/records.def"

const struct wire_record_row wire_record_rows[] = {
#define RECORD(name) \
    { #name, sizeof(struct wire_##name), row_get_##name, row_put_##name, row_size_##name, row_print_##name },
#define FIELD(type, name)
#define TAIL(type, name)
#define END(name)
#include "wire/records.def"
};
const size_t wire_record_row_count = ARRAY_COUNT(wire_record_rows);
