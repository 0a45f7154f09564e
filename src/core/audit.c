/* audit: one line for each change, who asked for it and how it ended (audit.enable; feature map 3.3). Fields and names
 * are Apache's: session, user, ip, operation, znode, znode_type, acl, result, separated by tabs. */
#include "core/internal.h"

static const char *const znode_types[] = {
    "persistent", "ephemeral",           "persistent_sequential",          "ephemeral_sequential",
    "container",  "persistent_with_ttl", "persistent_sequential_with_ttl",
};

static const char *operation_of(int32_t op)
{
    switch (op) {
    case WIRE_OP_CREATE:
    case WIRE_OP_CREATE2:
    case WIRE_OP_CREATE_CONTAINER:
    case WIRE_OP_CREATE_TTL:
        return "create";
    case WIRE_OP_DELETE:
    case WIRE_OP_DELETE_CONTAINER:
        return "delete";
    case WIRE_OP_SET_DATA:
        return "setData";
    case WIRE_OP_SET_ACL:
        return "setAcl";
    case WIRE_OP_RECONFIG:
        return "reconfig";
    case WIRE_OP_MULTI:
        return "multiOperation";
    default:
        return NULL;
    }
}

/* A user's name may hold any byte: a tab in it must not look like the next field. */
static void put_text(struct buf *b, struct slice s)
{
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] < 0x20 || s.p[i] == 0x7f)
            buf_printf(b, "\\x%02x", s.p[i]);
        else
            buf_append(b, s.p + i, 1);
    }
}

static void put_who(struct buf *b, int64_t session_id, const struct conn *k)
{
    buf_printf(b, "session=0x%llx", (unsigned long long)session_id);
    if (k == NULL)
        return;
    buf_printf(b, "\tuser=");
    for (uint32_t i = 0; k->auth != NULL && i < k->auth->count; i++) {
        struct slice id = k->auth->ids[i].id;
        const uint8_t *colon = id.n == 0 ? NULL : memchr(id.p, ':', id.n);
        if (i != 0)
            buf_printf(b, ",");
        put_text(b, slice_of(id.p, colon == NULL ? id.n : (size_t)(colon - id.p)));
    }
    char peer[64];
    size_t n = conn_peer_text(&k->peer, false, peer, sizeof peer);
    buf_printf(b, "%s\tip=%.*s", k->auth == NULL ? peer : "", (int)n, peer);
}

static void put_acl(struct buf *b, struct wire_vec acl)
{
    struct wire_reader r = wire_vec_reader(acl);
    buf_printf(b, "\tacl=");
    for (int32_t i = 0; i < acl.count && i < 20; i++) {
        struct wire_acl a = wire_get_acl(&r);
        buf_printf(b, "%s%.*s:", i == 0 ? "" : ",", SLICE_ARG(a.id.scheme));
        put_text(b, a.id.id);
        buf_printf(b, ":%s%s%s%s%s", a.perms & WIRE_PERM_CREATE ? "c" : "", a.perms & WIRE_PERM_DELETE ? "d" : "",
                   a.perms & WIRE_PERM_READ ? "r" : "", a.perms & WIRE_PERM_WRITE ? "w" : "",
                   a.perms & WIRE_PERM_ADMIN ? "a" : "");
    }
}

static void line(const struct proposal *x, int32_t op, struct slice path, const struct txn_op *txn, bool ok)
{
    const char *operation = operation_of(op);
    if (operation == NULL)
        return;
    struct buf b;
    buf_init(&b, 1 << 16);
    put_who(&b, x->session_id, x->conn);
    buf_printf(&b, "\toperation=%s", operation);
    if (path.n != 0) {
        buf_printf(&b, "\tznode=");
        put_text(&b, path);
    }
    if (operation[0] == 'c' && x->create_flags >= 0 && (size_t)x->create_flags < ARRAY_COUNT(znode_types))
        buf_printf(&b, "\tznode_type=%s", znode_types[x->create_flags]);
    if (op == WIRE_OP_SET_ACL && txn != NULL)
        put_acl(&b, txn->acl);
    buf_printf(&b, "\tresult=%s", ok ? "success" : "failure");
    log_info("audit", "%.*s", (int)b.n, (const char *)b.p);
    buf_fini(&b);
}

/* An ephemeral node that went with its session. */
static void closed_paths(const struct proposal *x, struct wire_vec paths)
{
    struct wire_reader r = wire_vec_reader(paths);
    for (int32_t i = 0; i < paths.count; i++)
        log_info("audit",
                 "session=0x%llx\toperation=ephemeralZNodeDeletionOnSessionCloseOrExpire\tznode=%.*s\tresult=success",
                 (unsigned long long)x->session_id, SLICE_ARG(wire_get_ustring(&r)));
}

void audit_commit(struct core *c, const struct proposal *x, const struct txn *txn)
{
    if (!c->opt.audit)
        return;
    if (txn->op.type == WIRE_OP_CLOSE_SESSION) {
        closed_paths(x, txn->op.paths);
        return;
    }
    if (txn->op.type == WIRE_OP_ERROR) {
        line(x, x->op, x->failed_path == NULL ? (struct slice){ 0 } : blob_slice(x->failed_path), NULL, false);
        return;
    }
    if (txn->op.type != WIRE_OP_MULTI) {
        line(x, x->op, txn->op.path, &txn->op, true);
        return;
    }
    struct slice rest = txn->op.sub_raw;
    struct txn_op sub;
    bool failed = false;
    while (txn_next_sub(&rest, &sub))
        failed = failed || sub.type == WIRE_OP_ERROR;
    if (failed) {
        line(x, WIRE_OP_MULTI, (struct slice){ 0 }, NULL, false);
        return;
    }
    for (rest = txn->op.sub_raw; txn_next_sub(&rest, &sub);)
        line(x, sub.type, sub.path, &sub, true);
}
