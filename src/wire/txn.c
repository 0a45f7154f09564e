#include "wire/txn.h"

static void get_create(struct wire_reader *r, struct txn_op *op)
{
    struct wire_create_txn t = wire_get_create_txn(r);
    op->path = t.path;
    op->data = t.data;
    op->acl = t.acl;
    op->ephemeral = t.ephemeral;
    op->has_parent_cversion = t.has_parent_cversion;
    op->parent_cversion = t.has_parent_cversion ? t.parent_cversion : -1;
}

static void get_container_or_ttl(struct wire_reader *r, struct txn_op *op)
{
    struct wire_create_container_txn t = wire_get_create_container_txn(r);
    op->path = t.path;
    op->data = t.data;
    op->acl = t.acl;
    op->has_parent_cversion = true;
    op->parent_cversion = t.parent_cversion;
    if (op->type == WIRE_OP_CREATE_TTL)
        op->ttl_ms = wire_get_i64(r);
}

/* Written with the setting off or before 3.6 the body is missing, and 12 digest bytes may follow the header at once;
 * a vector of two non-empty paths needs at least 16 bytes, so the two cannot be confused (disk specification 2.5). */
static void get_close_session(struct wire_reader *r, struct txn_op *op)
{
    size_t left = wire_left(r);
    op->paths.count = -1;
    if (left == 0 || (left == 12 && load_be32(r->p) == WIRE_DIGEST_VERSION))
        return;
    op->has_paths = true;
    op->paths = wire_get_strings(r);
}

static void get_set_data(struct wire_reader *r, struct txn_op *op)
{
    struct wire_set_data_txn t = wire_get_set_data_txn(r);
    op->path = t.path;
    op->data = t.data;
    op->version = t.version;
}

static void get_set_acl(struct wire_reader *r, struct txn_op *op)
{
    struct wire_set_acl_txn t = wire_get_set_acl_txn(r);
    op->path = t.path;
    op->acl = t.acl;
    op->version = t.version;
}

static int get_multi(struct wire_reader *r, struct txn_op *op);

static int get_body(struct wire_reader *r, struct txn_op *op, bool inside_multi)
{
    switch (op->type) {
    case WIRE_OP_CREATE:
    case WIRE_OP_CREATE2:
        get_create(r, op);
        return r->err;
    case WIRE_OP_CREATE_CONTAINER:
    case WIRE_OP_CREATE_TTL:
        get_container_or_ttl(r, op);
        return r->err;
    case WIRE_OP_DELETE:
    case WIRE_OP_DELETE_CONTAINER:
        op->path = wire_get_ustring(r);
        return r->err;
    case WIRE_OP_SET_DATA:
    case WIRE_OP_RECONFIG:
        get_set_data(r, op);
        return r->err;
    case WIRE_OP_SET_ACL:
        get_set_acl(r, op);
        return r->err;
    case WIRE_OP_CHECK: /* at top level only a 3.8 server wrote it, by mistake: it changes nothing */
        op->path = wire_get_ustring(r);
        op->version = wire_get_i32(r);
        return r->err;
    case WIRE_OP_ERROR:
        op->err = wire_get_i32(r);
        return r->err;
    case WIRE_OP_MULTI:
        return inside_multi ? ERR_UNSUPPORTED : get_multi(r, op);
    case WIRE_OP_CREATE_SESSION:
        op->timeout_ms = wire_get_i32(r);
        return inside_multi ? ERR_UNSUPPORTED : r->err;
    case WIRE_OP_CLOSE_SESSION:
        get_close_session(r, op);
        return inside_multi ? ERR_UNSUPPORTED : r->err;
    default:
        return ERR_UNSUPPORTED;
    }
}

static int get_sub(struct wire_reader *r, struct txn_op *sub)
{
    *sub = (struct txn_op){ .type = wire_get_i32(r) };
    struct slice body = wire_get_buffer(r);
    if (r->err != 0)
        return r->err;
    struct wire_reader in = wire_reader_of(body);
    in.field_bytes_max = r->field_bytes_max;
    return get_body(&in, sub, true);
}

static int get_multi(struct wire_reader *r, struct txn_op *op)
{
    op->sub_count = wire_get_i32(r);
    op->sub_raw = slice_of(r->p, 0);
    for (int32_t i = 0; i < op->sub_count && r->err == 0; i++) {
        struct txn_op sub;
        int rc = get_sub(r, &sub);
        if (rc != 0)
            return rc;
    }
    if (op->sub_count < 0)
        op->sub_count = 0;
    op->sub_raw.n = (size_t)(r->p - op->sub_raw.p);
    return r->err;
}

int txn_decode(struct slice payload, struct txn *txn)
{
    struct wire_reader r = wire_reader_of(payload);
    r.field_bytes_max = payload.n; /* the limit was judged on the whole record */
    *txn = (struct txn){ .header = wire_get_txn_header(&r) };
    if (r.err != 0)
        return r.err;
    txn->op.type = txn->header.type;
    int rc = get_body(&r, &txn->op, false);
    if (rc != 0)
        return rc;
    if (wire_left(&r) >= 12) {
        txn->digest = wire_get_txn_digest(&r);
        txn->has_digest = true;
    }
    return 0;
}

bool txn_peek_path(struct slice payload, struct slice *path)
{
    struct wire_reader r = wire_reader_of(payload);
    r.field_bytes_max = payload.n;
    switch (wire_get_txn_header(&r).type) {
    case WIRE_OP_CREATE:
    case WIRE_OP_CREATE2:
    case WIRE_OP_CREATE_CONTAINER:
    case WIRE_OP_CREATE_TTL:
    case WIRE_OP_DELETE:
    case WIRE_OP_DELETE_CONTAINER:
    case WIRE_OP_SET_DATA:
    case WIRE_OP_SET_ACL:
        break;
    default:
        return false;
    }
    *path = wire_get_ustring(&r);
    return r.err == 0 && !slice_is_null(*path);
}

bool txn_next_sub(struct slice *rest, struct txn_op *sub)
{
    if (rest->n == 0)
        return false;
    struct wire_reader r = wire_vec_reader((struct wire_vec){ .raw = *rest });
    int rc = get_sub(&r, sub);
    ASSERT(rc == 0); /* txn_decode has walked these bytes */
    *rest = slice_of(r.p, wire_left(&r));
    return true;
}

static void put_create(struct buf *b, const struct txn_op *op)
{
    wire_put_create_txn(b, &(struct wire_create_txn){ .path = op->path,
                                                      .data = op->data,
                                                      .acl = op->acl,
                                                      .ephemeral = op->ephemeral,
                                                      .parent_cversion = op->parent_cversion,
                                                      .has_parent_cversion = op->has_parent_cversion });
}

static void put_container_or_ttl(struct buf *b, const struct txn_op *op)
{
    wire_put_create_container_txn(
        b, &(struct wire_create_container_txn){
               .path = op->path, .data = op->data, .acl = op->acl, .parent_cversion = op->parent_cversion });
    if (op->type == WIRE_OP_CREATE_TTL)
        wire_put_i64(b, op->ttl_ms);
}

void txn_put_body(struct buf *b, const struct txn_op *op)
{
    switch (op->type) {
    case WIRE_OP_CREATE:
    case WIRE_OP_CREATE2:
        put_create(b, op);
        return;
    case WIRE_OP_CREATE_CONTAINER:
    case WIRE_OP_CREATE_TTL:
        put_container_or_ttl(b, op);
        return;
    case WIRE_OP_DELETE:
    case WIRE_OP_DELETE_CONTAINER:
        wire_put_ustring(b, op->path);
        return;
    case WIRE_OP_SET_DATA:
    case WIRE_OP_RECONFIG:
        wire_put_set_data_txn(
            b, &(struct wire_set_data_txn){ .path = op->path, .data = op->data, .version = op->version });
        return;
    case WIRE_OP_SET_ACL:
        wire_put_set_acl_txn(b, &(struct wire_set_acl_txn){ .path = op->path, .acl = op->acl, .version = op->version });
        return;
    case WIRE_OP_CHECK:
        wire_put_check_txn(b, &(struct wire_check_txn){ .path = op->path, .version = op->version });
        return;
    case WIRE_OP_ERROR:
        wire_put_i32(b, op->err);
        return;
    case WIRE_OP_CREATE_SESSION:
        wire_put_i32(b, op->timeout_ms);
        return;
    case WIRE_OP_CLOSE_SESSION:
        if (op->has_paths)
            wire_put_vec(b, op->paths);
        return;
    default:
        ASSERT(false && "a type that prep never makes");
    }
}

void txn_put_sub(struct buf *b, const struct txn_op *op)
{
    wire_put_i32(b, op->type);
    size_t at = b->n;
    wire_put_i32(b, 0);
    txn_put_body(b, op);
    if (b->err == 0)
        store_be32(b->p + at, (uint32_t)(b->n - at - 4));
}
