#include "bench/requests.h"
#include "wire/records.h"
#include <stdio.h>

struct slice bench_path(char *path, struct slice root, enum bench_place place, uint32_t folder, uint64_t number)
{
    unsigned long long n = number;
    int used = 0;
    switch (place) {
    case BENCH_AT_ROOT:
        used = snprintf(path, BENCH_PATH_MAX, "%.*s", SLICE_ARG(root));
        break;
    case BENCH_AT_NODE:
        used = snprintf(path, BENCH_PATH_MAX, "%.*s/k%llu", SLICE_ARG(root), n);
        break;
    case BENCH_AT_LIST:
        used = snprintf(path, BENCH_PATH_MAX, "%.*s/l", SLICE_ARG(root));
        break;
    case BENCH_AT_CHILD:
        used = snprintf(path, BENCH_PATH_MAX, "%.*s/l/c%llu", SLICE_ARG(root), n);
        break;
    case BENCH_AT_FOLDER:
        used = snprintf(path, BENCH_PATH_MAX, "%.*s/f%u", SLICE_ARG(root), folder);
        break;
    case BENCH_AT_NEW:
        used = snprintf(path, BENCH_PATH_MAX, "%.*s/f%u/n%llu", SLICE_ARG(root), folder, n);
        break;
    }
    ASSERT(used > 0 && used < BENCH_PATH_MAX);
    return slice_of(path, (size_t)used);
}

static size_t frame_begin(struct buf *b, int32_t xid, int32_t op)
{
    size_t at = b->n;
    wire_put_i32(b, 0);
    wire_put_i32(b, xid);
    wire_put_i32(b, op);
    return at;
}

static void frame_end(struct buf *b, size_t at)
{
    if (b->err == 0)
        store_be32(b->p + at, (uint32_t)(b->n - at - 4));
}

void bench_put_connect(struct buf *b, int64_t zxid, uint32_t timeout_ms, int64_t session, const uint8_t *passwd)
{
    const struct wire_connect_request r = {
        .last_zxid_seen = zxid,
        .timeout_ms = (int32_t)timeout_ms,
        .session_id = session,
        .passwd = slice_of(passwd, WIRE_PASSWD_BYTES),
        .has_read_only = true,
    };
    wire_put_i32(b, (int32_t)wire_size_connect_request(&r));
    wire_put_connect_request(b, &r);
}

void bench_put_login(struct buf *b, int32_t xid, struct slice token)
{
    size_t at = frame_begin(b, xid, WIRE_OP_SASL);
    wire_put_buffer(b, token);
    frame_end(b, at);
}

void bench_put_auth(struct buf *b, struct slice scheme, struct slice text)
{
    size_t at = frame_begin(b, WIRE_XID_AUTH, WIRE_OP_AUTH);
    wire_put_auth_request(b, &(struct wire_auth_request){ .scheme = scheme, .auth = text });
    frame_end(b, at);
}

void bench_put_create(struct buf *b, int32_t xid, struct slice path, struct slice value)
{
    size_t at = frame_begin(b, xid, WIRE_OP_CREATE);
    wire_put_ustring(b, path);
    wire_put_buffer(b, value);
    wire_put_i32(b, 1);
    wire_put_acl(b, (struct wire_acl){ WIRE_PERM_ALL, { slice_str("world"), slice_str("anyone") } });
    wire_put_i32(b, WIRE_CREATE_PERSISTENT);
    frame_end(b, at);
}

void bench_put_delete(struct buf *b, int32_t xid, struct slice path)
{
    size_t at = frame_begin(b, xid, WIRE_OP_DELETE);
    wire_put_ustring(b, path);
    wire_put_i32(b, -1);
    frame_end(b, at);
}

static void put_set_fields(struct buf *b, struct slice path, struct slice value)
{
    wire_put_ustring(b, path);
    wire_put_buffer(b, value);
    wire_put_i32(b, -1);
}

void bench_put_set(struct buf *b, int32_t xid, struct slice path, struct slice value)
{
    size_t at = frame_begin(b, xid, WIRE_OP_SET_DATA);
    put_set_fields(b, path, value);
    frame_end(b, at);
}

void bench_put_read(struct buf *b, int32_t xid, enum wire_opcode op, struct slice path, bool watch)
{
    size_t at = frame_begin(b, xid, op);
    wire_put_ustring(b, path);
    wire_put_bool(b, watch);
    frame_end(b, at);
}

void bench_put_sync(struct buf *b, int32_t xid, struct slice path)
{
    size_t at = frame_begin(b, xid, WIRE_OP_SYNC);
    wire_put_ustring(b, path);
    frame_end(b, at);
}

void bench_put_plain(struct buf *b, int32_t xid, enum wire_opcode op)
{
    frame_end(b, frame_begin(b, xid, op));
}

static void put_multi_header(struct buf *b, int32_t type, bool done)
{
    wire_put_multi_header(b, &(struct wire_multi_header){ .type = type, .done = done, .err = -1 });
}

size_t bench_multi_begin(struct buf *b, int32_t xid)
{
    return frame_begin(b, xid, WIRE_OP_MULTI);
}

void bench_multi_set(struct buf *b, struct slice path, struct slice value)
{
    put_multi_header(b, WIRE_OP_SET_DATA, false);
    put_set_fields(b, path, value);
}

void bench_multi_end(struct buf *b, size_t begun)
{
    put_multi_header(b, -1, true);
    frame_end(b, begun);
}

/* A failed transaction has a result of type error for every part: the parts before the failed one have 0, those after
 * it "runtime inconsistency". */
int bench_multi_error(struct slice body)
{
    struct wire_reader r = wire_reader_of(body);
    for (;;) {
        struct wire_multi_header h = wire_get_multi_header(&r);
        if (r.err != 0)
            return ERR_MARSHALLING;
        if (h.done)
            return 0;
        if (h.type != WIRE_OP_ERROR) {
            (void)wire_get_stat(&r);
            continue;
        }
        int err = wire_get_i32(&r);
        if (r.err == 0 && err != 0)
            return err;
    }
}
