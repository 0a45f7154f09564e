#include "tools/txn_print.h"
#include "tools/text.h"
#include <inttypes.h>

#define TXN_HEADER_BYTES 32

/* ---- text, as Apache's TxnLogToolkit ---- */

static void text_bool(struct buf *b, bool v)
{
    buf_printf(b, "%s", v ? "true" : "false");
}

static void text_acl_csv(struct buf *b, const struct wire_acl *a)
{
    buf_printf(b, "%" PRId32 ",s{", a->perms);
    text_put_csv(b, a->id.scheme);
    buf_printf(b, ",");
    text_put_csv(b, a->id.id);
    buf_printf(b, "}");
}

/* "[31,s{'world,'anyone}\n, 1,...]": a Java list of ACLs, each of which ends with a line end. */
static void text_acl_list(struct buf *b, struct wire_vec acl)
{
    if (acl.count < 0) {
        buf_printf(b, "null");
        return;
    }
    struct wire_reader r = wire_vec_reader(acl);
    buf_printf(b, "[");
    for (int32_t i = 0; i < acl.count; i++) {
        struct wire_acl a = wire_get_acl(&r);
        buf_printf(b, i == 0 ? "" : ", ");
        text_acl_csv(b, &a);
        buf_printf(b, "\n");
    }
    buf_printf(b, "]");
}

static void text_acl_vector(struct buf *b, struct wire_vec acl)
{
    struct wire_reader r = wire_vec_reader(acl);
    buf_printf(b, "v{");
    for (int32_t i = 0; i < acl.count; i++) {
        struct wire_acl a = wire_get_acl(&r);
        buf_printf(b, i == 0 ? "s{" : ",s{");
        text_acl_csv(b, &a);
        buf_printf(b, "}");
    }
    buf_printf(b, "}");
}

static void text_create(struct buf *b, const struct txn_op *op)
{
    text_put_utf8(b, op->path);
    buf_printf(b, ",");
    text_put_utf8(b, op->data);
    buf_printf(b, ",");
    text_acl_list(b, op->acl);
    if (op->type == WIRE_OP_CREATE || op->type == WIRE_OP_CREATE2) {
        buf_printf(b, ",");
        text_bool(b, op->ephemeral);
    }
    buf_printf(b, ",%" PRId32, op->parent_cversion); /* -1 in the old form of create */
    if (op->type == WIRE_OP_CREATE_TTL)
        buf_printf(b, ",%" PRId64, op->ttl_ms);
}

static void text_paths(struct buf *b, const struct txn_op *op)
{
    if (!op->has_paths)
        return;
    struct wire_reader r = wire_vec_reader(op->paths);
    buf_printf(b, "v{");
    for (int32_t i = 0; i < op->paths.count; i++) {
        buf_printf(b, i == 0 ? "" : ",");
        text_put_csv(b, wire_get_ustring(&r));
    }
    buf_printf(b, "}");
}

/* The bodies of a multi's operations as the bytes that they are: that is all Apache's tool shows of them. */
static void text_multi(struct buf *b, const struct txn_op *op)
{
    struct wire_reader r = wire_reader_of(op->sub_raw);
    r.field_bytes_max = SIZE_MAX;
    for (int32_t i = 0; i < op->sub_count && r.err == 0; i++) {
        int32_t type = wire_get_i32(&r);
        struct slice body = wire_get_buffer(&r);
        buf_printf(b, i == 0 ? "" : ";");
        text_put_op(b, type);
        buf_printf(b, ":");
        text_put_utf8(b, body);
    }
}

static void text_body(struct buf *b, const struct txn_op *op)
{
    switch (op->type) {
    case WIRE_OP_CREATE:
    case WIRE_OP_CREATE2:
    case WIRE_OP_CREATE_CONTAINER:
    case WIRE_OP_CREATE_TTL:
        text_create(b, op);
        break;
    case WIRE_OP_SET_DATA:
    case WIRE_OP_RECONFIG:
        text_put_utf8(b, op->path);
        buf_printf(b, ",");
        text_put_utf8(b, op->data);
        buf_printf(b, ",%" PRId32, op->version);
        break;
    case WIRE_OP_SET_ACL:
        text_put_csv(b, op->path);
        buf_printf(b, ",");
        text_acl_vector(b, op->acl);
        buf_printf(b, ",%" PRId32, op->version);
        break;
    case WIRE_OP_DELETE:
    case WIRE_OP_DELETE_CONTAINER:
        text_put_csv(b, op->path);
        break;
    case WIRE_OP_CHECK:
        text_put_csv(b, op->path);
        buf_printf(b, ",%" PRId32, op->version);
        break;
    case WIRE_OP_ERROR:
        buf_printf(b, "%" PRId32, op->err);
        break;
    case WIRE_OP_CREATE_SESSION:
        buf_printf(b, "%" PRId32, op->timeout_ms);
        break;
    case WIRE_OP_CLOSE_SESSION:
        text_paths(b, op);
        break;
    case WIRE_OP_MULTI:
        text_multi(b, op);
        break;
    default:
        break;
    }
}

static bool header_of(struct slice payload, struct wire_txn_header *h)
{
    if (payload.n < TXN_HEADER_BYTES)
        return false;
    struct wire_reader r = wire_reader_of(payload);
    *h = wire_get_txn_header(&r);
    return r.err == 0;
}

bool txn_print_text(struct buf *b, struct slice payload)
{
    struct txn txn;
    bool readable = txn_decode(payload, &txn) == 0;
    if (!readable && !header_of(payload, &txn.header)) {
        buf_printf(b, "UNREADABLE: %zu bytes, less than the header of a transaction", payload.n);
        return false;
    }
    text_put_time_short(b, txn.header.time_ms);
    buf_printf(b, " session 0x%" PRIx64 " cxid 0x%" PRIx64 " zxid 0x%" PRIx64 " ", (uint64_t)txn.header.session_id,
               (uint64_t)(int64_t)txn.header.cxid, (uint64_t)txn.header.zxid);
    text_put_op(b, txn.header.type);
    buf_printf(b, " ");
    if (readable)
        text_body(b, &txn.op);
    else
        buf_printf(b, "UNREADABLE: %zu bytes that are no transaction of this type", payload.n - TXN_HEADER_BYTES);
    return readable;
}

/* ---- JSON ---- */

static void json_path_data(struct buf *b, const struct txn_op *op, bool data)
{
    buf_printf(b, ",\"path\":");
    text_put_json(b, op->path);
    if (data) {
        buf_printf(b, ",\"data\":");
        text_put_json_base64(b, op->data);
    }
}

static void json_create(struct buf *b, const struct txn_op *op)
{
    json_path_data(b, op, true);
    text_put_json_acl(b, op->acl);
    if (op->type == WIRE_OP_CREATE || op->type == WIRE_OP_CREATE2) {
        buf_printf(b, ",\"ephemeral\":");
        text_bool(b, op->ephemeral);
    }
    if (op->has_parent_cversion)
        buf_printf(b, ",\"parent_cversion\":%" PRId32, op->parent_cversion);
    if (op->type == WIRE_OP_CREATE_TTL)
        buf_printf(b, ",\"ttl_ms\":%" PRId64, op->ttl_ms);
}

static void json_paths(struct buf *b, const struct txn_op *op)
{
    if (!op->has_paths)
        return;
    struct wire_reader r = wire_vec_reader(op->paths);
    buf_printf(b, ",\"paths\":[");
    for (int32_t i = 0; i < op->paths.count; i++) {
        buf_printf(b, i == 0 ? "" : ",");
        text_put_json(b, wire_get_ustring(&r));
    }
    buf_printf(b, "]");
}

static void json_type(struct buf *b, int32_t type)
{
    buf_printf(b, "\"type\":\"");
    text_put_op(b, type);
    buf_printf(b, "\"");
}

static void json_body(struct buf *b, const struct txn_op *op)
{
    switch (op->type) {
    case WIRE_OP_CREATE:
    case WIRE_OP_CREATE2:
    case WIRE_OP_CREATE_CONTAINER:
    case WIRE_OP_CREATE_TTL:
        json_create(b, op);
        break;
    case WIRE_OP_SET_DATA:
    case WIRE_OP_RECONFIG:
        json_path_data(b, op, true);
        buf_printf(b, ",\"version\":%" PRId32, op->version);
        break;
    case WIRE_OP_SET_ACL:
        json_path_data(b, op, false);
        text_put_json_acl(b, op->acl);
        buf_printf(b, ",\"version\":%" PRId32, op->version);
        break;
    case WIRE_OP_CHECK:
        json_path_data(b, op, false);
        buf_printf(b, ",\"version\":%" PRId32, op->version);
        break;
    case WIRE_OP_DELETE:
    case WIRE_OP_DELETE_CONTAINER:
        json_path_data(b, op, false);
        break;
    case WIRE_OP_ERROR:
        buf_printf(b, ",\"err\":%" PRId32, op->err);
        break;
    case WIRE_OP_CREATE_SESSION:
        buf_printf(b, ",\"timeout_ms\":%" PRId32, op->timeout_ms);
        break;
    case WIRE_OP_CLOSE_SESSION:
        json_paths(b, op);
        break;
    default:
        break;
    }
}

static void json_multi(struct buf *b, const struct txn_op *op)
{
    struct slice rest = op->sub_raw;
    struct txn_op sub;
    const char *comma = "";
    buf_printf(b, ",\"ops\":[");
    for (; txn_next_sub(&rest, &sub); comma = ",") {
        buf_printf(b, "%s{", comma);
        json_type(b, sub.type);
        json_body(b, &sub);
        buf_printf(b, "}");
    }
    buf_printf(b, "]");
}

void txn_print_json(struct buf *b, struct slice payload)
{
    struct txn txn;
    bool readable = txn_decode(payload, &txn) == 0;
    if (readable || header_of(payload, &txn.header)) {
        buf_printf(b, "\"zxid\":\"0x%" PRIx64 "\",\"session\":\"0x%" PRIx64 "\",\"cxid\":%" PRId32 ",\"time\":\"",
                   (uint64_t)txn.header.zxid, (uint64_t)txn.header.session_id, txn.header.cxid);
        text_put_time_iso(b, txn.header.time_ms);
        buf_printf(b, "\",");
        json_type(b, txn.header.type);
        if (!readable)
            buf_printf(b, ",");
    }
    if (!readable) {
        buf_printf(b, "\"unreadable\":");
        text_put_json_base64(b, payload);
        return;
    }
    if (txn.op.type == WIRE_OP_MULTI)
        json_multi(b, &txn.op);
    else
        json_body(b, &txn.op);
    if (txn.has_digest)
        buf_printf(b, ",\"digest\":\"0x%" PRIx64 "\"", (uint64_t)txn.digest.tree_digest);
}

/* ---- filters ---- */

static bool below(struct slice path, struct slice top)
{
    if (slice_eq_str(top, "/"))
        return path.n > 0;
    return slice_starts(path, top) && (path.n == top.n || path.p[top.n] == '/');
}

bool txn_touches(const struct txn *txn, struct slice path)
{
    const struct txn_op *op = &txn->op;
    if (op->type == WIRE_OP_MULTI) {
        struct slice rest = op->sub_raw;
        struct txn_op sub;
        while (txn_next_sub(&rest, &sub)) {
            if (below(sub.path, path))
                return true;
        }
        return false;
    }
    if (op->type == WIRE_OP_CLOSE_SESSION && op->has_paths) {
        struct wire_reader r = wire_vec_reader(op->paths);
        for (int32_t i = 0; i < op->paths.count; i++) {
            if (below(wire_get_ustring(&r), path))
                return true;
        }
        return false;
    }
    return op->path.n > 0 && below(op->path, path);
}
