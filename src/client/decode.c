#include "client/decode.h"
#include "wire/proto.h"
#include "wire/records.h"

struct client_body client_body_of(uint8_t *p, size_t n, struct slice chroot)
{
    struct client_body b = { .r = wire_reader_of(slice_of(p, n)), .chroot = chroot };
    b.r.field_bytes_max = SIZE_MAX; /* the frame was bounded when it came */
    return b;
}

static char *end_with_zero(struct slice s)
{
    if (slice_is_null(s))
        return NULL;
    char *p = (char *)(uintptr_t)s.p - 1; /* the last byte of the length, which has been read */
    memmove(p, s.p, s.n);
    p[s.n] = 0;
    return p;
}

char *client_body_text(struct client_body *b)
{
    return end_with_zero(wire_get_ustring(&b->r));
}

char *client_body_path(struct client_body *b)
{
    static char root[] = "/";
    struct slice s = wire_get_ustring(&b->r);
    size_t n = b->chroot.n;
    if (n == 0 || !slice_starts(s, b->chroot) || (s.n > n && s.p[n] != '/'))
        return end_with_zero(s);
    return s.n == n ? root : end_with_zero(slice_of(s.p + n, s.n - n));
}

void client_body_data(struct client_body *b, const char **p, int *n)
{
    struct slice s = wire_get_buffer(&b->r);
    *p = (const char *)s.p;
    *n = slice_is_null(s) ? -1 : (int)s.n;
}

void client_body_stat(struct client_body *b, struct Stat *to)
{
    struct wire_stat s = wire_get_stat(&b->r);
    *to = (struct Stat){ .czxid = s.czxid,
                         .mzxid = s.mzxid,
                         .ctime = s.ctime,
                         .mtime = s.mtime,
                         .version = s.version,
                         .cversion = s.cversion,
                         .aversion = s.aversion,
                         .ephemeralOwner = s.ephemeral_owner,
                         .dataLength = s.data_length,
                         .numChildren = s.num_children,
                         .pzxid = s.pzxid };
}

/* A count that the bytes can hold: every element has at least 4 of them. */
static int32_t count_of(struct client_body *b)
{
    int32_t n = wire_get_i32(&b->r);
    if (n > 0 && (size_t)n > wire_left(&b->r) / 4)
        b->r.err = ERR_MARSHALLING;
    return n < 0 || b->r.err != 0 ? 0 : n;
}

static void strings(struct client_body *b, struct arena *a, struct String_vector *v,
                    char *(*text)(struct client_body *))
{
    v->count = count_of(b);
    v->data = arena_alloc(a, (size_t)v->count * sizeof(char *));
    for (int32_t i = 0; i < v->count; i++)
        v->data[i] = text(b);
}

void client_body_strings(struct client_body *b, struct arena *a, struct String_vector *v)
{
    strings(b, a, v, client_body_text);
}

void client_body_paths(struct client_body *b, struct arena *a, struct String_vector *v)
{
    strings(b, a, v, client_body_path);
}

void client_body_acls(struct client_body *b, struct arena *a, struct ACL_vector *v)
{
    v->count = count_of(b);
    v->data = arena_alloc(a, (size_t)v->count * sizeof(struct ACL));
    for (int32_t i = 0; i < v->count; i++) {
        v->data[i].perms = wire_get_i32(&b->r);
        v->data[i].id.scheme = client_body_text(b);
        v->data[i].id.id = client_body_text(b);
    }
}

void client_body_ids(struct client_body *b, struct arena *a, struct ClientInfo_vector *v)
{
    v->count = count_of(b);
    v->data = arena_alloc(a, (size_t)v->count * sizeof(struct ClientInfo));
    for (int32_t i = 0; i < v->count; i++) {
        v->data[i].authScheme = client_body_text(b);
        v->data[i].user = client_body_text(b);
    }
}

int client_body_part(struct client_body *b, int32_t *type, int32_t *err)
{
    struct wire_multi_header h = wire_get_multi_header(&b->r);
    if (b->r.err != 0 || h.done)
        return 0;
    *type = h.type;
    *err = h.err;
    if (h.type == WIRE_OP_ERROR)
        *err = wire_get_i32(&b->r);
    return b->r.err == 0;
}
