/* prep: judges each write against the tree plus everything in flight, in the order of checks of the client
 * specification (4.3 to 4.9): the first failure wins. As Apache's PrepRequestProcessor.pRequest2Txn. */
#include "base/museum.h"
#include "core/internal.h"
#include <stdio.h>

/* False also when the whole transaction would outgrow what a reader of the log accepts. */
static bool fits(const struct core *c, size_t path_n, size_t data_n, size_t acl_n)
{
    return path_n + data_n + acl_n + 128 <= c->opt.txn_bytes_max;
}

static int check_quota(struct prep *p, struct slice path, int64_t count, int64_t bytes)
{
    bool soft = false;
    int rc = tree_quota_check(p->core->tree, path, count, bytes, &soft);
    if (soft || rc != 0)
        log_warn("quota.exceeded", "path=%.*s count=%lld bytes=%lld kind=%s", SLICE_ARG(path), (long long)count,
                 (long long)bytes, rc != 0 ? "hard" : "soft");
    if (rc != 0 && p->core->opt.enforce_quota)
        namespaces_quota_exceeded(p->core, path);
    return p->core->opt.enforce_quota && !SIM_BUG(quota_ignored) ? rc : 0;
}

/* ---- create ---- */

struct create {
    int32_t code, flags;
    struct slice path, data;
    struct wire_vec acl;
    int64_t ttl_ms;
    bool sequential, ephemeral;
};

static int create_read(struct prep *p, struct wire_reader *r, int32_t code, struct create *q)
{
    (void)p;
    struct wire_create_request base;
    q->code = code;
    q->ttl_ms = -1;
    if (code == WIRE_OP_CREATE_TTL) {
        struct wire_create_ttl_request t = wire_get_create_ttl_request(r);
        base = (struct wire_create_request){ t.path, t.data, t.acl, t.flags };
        q->ttl_ms = t.ttl_ms;
    } else {
        base = wire_get_create_request(r);
    }
    if (r->err != 0 || slice_is_null(base.path))
        return ERR_MARSHALLING;
    q->flags = base.flags;
    q->path = base.path;
    q->data = base.data;
    q->acl = base.acl;
    return 0;
}

/* Which kind of node: flags, TTL range, extended types. op 21 needs TTL flags (with others Apache lets a negative ttl
 * through and dies of it); flags 4 make a container whatever the opcode (appendix A 1 and 10). */
static int create_kind(struct prep *p, struct create *q)
{
    if (q->flags < WIRE_CREATE_PERSISTENT || q->flags > WIRE_CREATE_TTL_SEQUENTIAL)
        return ERR_BAD_ARGUMENTS;
    bool ttl_flags = q->flags == WIRE_CREATE_TTL || q->flags == WIRE_CREATE_TTL_SEQUENTIAL;
    if (ttl_flags && !p->core->opt.extended_types)
        return ERR_UNIMPLEMENTED;
    bool ttl_valid = q->code == WIRE_OP_CREATE_TTL && q->ttl_ms > 0 && q->ttl_ms <= WIRE_TTL_MS_MAX;
    if (ttl_flags != ttl_valid || (q->code == WIRE_OP_CREATE_TTL && !ttl_flags))
        return ERR_BAD_ARGUMENTS;
    q->sequential = q->flags == WIRE_CREATE_SEQUENTIAL || q->flags == WIRE_CREATE_EPHEMERAL_SEQUENTIAL ||
                    q->flags == WIRE_CREATE_TTL_SEQUENTIAL;
    bool plain = q->code == WIRE_OP_CREATE || q->code == WIRE_OP_CREATE2;
    q->ephemeral = plain && (q->flags == WIRE_CREATE_EPHEMERAL || q->flags == WIRE_CREATE_EPHEMERAL_SEQUENTIAL);
    if (plain && q->flags == WIRE_CREATE_CONTAINER)
        q->code = WIRE_OP_CREATE_CONTAINER;
    if (q->ephemeral) {
        struct session *s = session_lookup(p->core, p->session_id);
        if (s == NULL || s->closing || s->local)
            return ERR_SESSION_EXPIRED;
    }
    return path_is_malformed(q->path) ? ERR_BAD_ARGUMENTS : 0;
}

static struct slice sequential_path(struct core *c, struct slice path, int32_t cversion)
{
    char *text = arena_alloc(&c->turn, path.n + 12);
    memcpy(text, path.p, path.n);
    int n = snprintf(text + path.n, 12, "%010d", cversion);
    return slice_of(text, path.n + (size_t)n);
}

static int64_t create_owner(const struct prep *p, const struct create *q)
{
    if (q->code == WIRE_OP_CREATE_CONTAINER)
        return WIRE_OWNER_CONTAINER;
    if (q->code == WIRE_OP_CREATE_TTL)
        return WIRE_OWNER_TTL_MASK | q->ttl_ms;
    return q->ephemeral ? p->session_id : 0;
}

/* The parent as it will be: one more creation, unless the counter is at its end (errata on 4.4). */
static int32_t create_touch_parent(struct prep *p, struct slice path, const struct view *parent)
{
    struct core *c = p->core;
    struct change *ch = overlay_touch(c, path, parent, p->zxid);
    overlay_digest_before(c, ch);
    int32_t next = (int32_t)((uint32_t)ch->stat.cversion + 1u);
    if (next == -1 || next > ch->stat.cversion) { /* -1 in a log means "one more" */
        ch->stat.cversion = next;
        ch->stat.pzxid = p->zxid;
    }
    ch->children++;
    overlay_digest_after(c, ch);
    return next;
}

static void create_touch_node(struct prep *p, const struct create *q, const struct txn_op *op, const struct view *v)
{
    struct core *c = p->core;
    struct change *ch = overlay_touch(c, op->path, v, p->zxid);
    ch->exists = true;
    ch->children = 0;
    ch->data_length = (int32_t)op->data.n;
    ch->digest_prefix = c->opt.digest_enabled ? tree_digest_prefix(op->path, op->data) : 0;
    ch->stat = (struct wire_stat_persisted){
        .czxid = p->zxid,
        .mzxid = p->zxid,
        .pzxid = p->zxid,
        .ctime = p->time_ms,
        .mtime = p->time_ms,
        .ephemeral_owner = create_owner(p, q),
    };
    p->hint.has_prefix = c->opt.digest_enabled;
    p->hint.digest_prefix = ch->digest_prefix;
    change_set_acl(ch, op->acl);
    if (q->ephemeral) {
        struct session *s = session_lookup(c, p->session_id);
        list_remove(&ch->ephemeral_link);
        list_push_back(&s->pending_ephemerals, &ch->ephemeral_link);
    }
    overlay_digest_after(c, ch);
}

int prep_create(struct prep *p, struct wire_reader *r, struct txn_op *op)
{
    struct core *c = p->core;
    struct create q = { 0 };
    int rc = create_read(p, r, op->type, &q);
    if (rc != 0 || (rc = create_kind(p, &q)) != 0)
        return rc;
    struct wire_vec acl;
    if ((rc = acl_fix(c, p->conn, q.acl, &acl)) != 0)
        return rc;
    struct slice parent_path = path_parent(q.path);
    struct view parent = overlay_view(c, parent_path);
    if (!parent.exists)
        return ERR_NO_NODE;
    if (!acl_allows(c, p->conn, parent.acl, WIRE_PERM_CREATE))
        return ERR_NO_AUTH;
    struct slice path =
        q.sequential
            ? sequential_path(c, q.path, SIM_BUG(sequence_by_children) ? parent.children : parent.stat.cversion)
            : q.path;
    if ((rc = path_check(path)) != 0)
        return rc;
    struct view node = overlay_view(c, path);
    if (node.exists)
        return ERR_NODE_EXISTS;
    if (tree_owner_is_session(c->tree, parent.stat.ephemeral_owner))
        return ERR_NO_CHILDREN_FOR_EPHEMERALS;
    if ((rc = check_quota(p, path, 1, (int64_t)q.data.n)) != 0)
        return rc;
    if (!fits(c, path.n, q.data.n, acl.raw.n))
        return ERR_MARSHALLING;
    *op = (struct txn_op){
        /* 3.8 cannot apply a create2 inside a multi: the body is the same as create's (disk specification 2.3). */
        .type = q.code == WIRE_OP_CREATE2 && p->inside_multi ? WIRE_OP_CREATE : q.code,
        .path = path,
        .data = q.data,
        .acl = acl,
        .ephemeral = q.ephemeral,
        .has_parent_cversion = true,
        .ttl_ms = q.ttl_ms,
    };
    p->create_flags = (int8_t)q.flags;
    op->parent_cversion = create_touch_parent(p, parent_path, &parent);
    p->hint = (struct tree_hint){ .node = parent.node, .removals = tree_removals(c->tree) };
    create_touch_node(p, &q, op, &node);
    return 0;
}

/* In 3.9 a multi with a create flag outside 0..6 cannot be read at all (client specification 4.9), nor can one with a
 * null path in it. */
bool skip_create(struct wire_reader *r)
{
    struct wire_create_request q = wire_get_create_request(r);
    return r->err == 0 && !slice_is_null(q.path) && q.flags >= WIRE_CREATE_PERSISTENT &&
           q.flags <= WIRE_CREATE_TTL_SEQUENTIAL;
}

bool skip_create_ttl(struct wire_reader *r)
{
    struct wire_create_ttl_request q = wire_get_create_ttl_request(r);
    return r->err == 0 && !slice_is_null(q.path) && q.flags >= WIRE_CREATE_PERSISTENT &&
           q.flags <= WIRE_CREATE_TTL_SEQUENTIAL;
}

bool skip_path_version(struct wire_reader *r)
{
    struct wire_path_version_request q = wire_get_path_version_request(r);
    return r->err == 0 && !slice_is_null(q.path);
}

bool skip_set_data(struct wire_reader *r)
{
    struct wire_set_data_request q = wire_get_set_data_request(r);
    return r->err == 0 && !slice_is_null(q.path);
}

/* ---- delete ---- */

static bool is_reserved(struct slice path)
{
    return slice_eq_str(path, "/") || slice_eq_str(path, "/zookeeper") || slice_eq_str(path, "/zookeeper/quota") ||
           slice_eq_str(path, "/zookeeper/config");
}

static void touch_deleted(struct prep *p, struct slice path, const struct view *node)
{
    struct core *c = p->core;
    struct change *ch = overlay_touch(c, path, node, p->zxid);
    overlay_digest_before(c, ch);
    ch->exists = false;
    list_remove(&ch->ephemeral_link);
    struct slice parent_path = path_parent(path);
    struct view parent = overlay_view(c, parent_path);
    ASSERT(parent.exists);
    ch = overlay_touch(c, parent_path, &parent, p->zxid);
    overlay_digest_before(c, ch);
    ch->children--;
    if (p->zxid > ch->stat.pzxid)
        ch->stat.pzxid = p->zxid;
    overlay_digest_after(c, ch);
}

int prep_delete(struct prep *p, struct wire_reader *r, struct txn_op *op)
{
    struct core *c = p->core;
    struct wire_path_version_request q = wire_get_path_version_request(r);
    if (r->err != 0 || slice_is_null(q.path))
        return ERR_MARSHALLING;
    if (path_is_malformed(q.path) || is_reserved(q.path))
        return ERR_BAD_ARGUMENTS;
    struct view parent = overlay_view(c, path_parent(q.path));
    if (!parent.exists)
        return ERR_NO_NODE;
    if (!acl_allows(c, p->conn, parent.acl, WIRE_PERM_DELETE))
        return ERR_NO_AUTH;
    struct view node = overlay_view(c, q.path);
    if (!node.exists)
        return ERR_NO_NODE;
    if (q.version != -1 && q.version != node.stat.version)
        return ERR_BAD_VERSION;
    if (node.children > 0)
        return ERR_NOT_EMPTY;
    *op = (struct txn_op){ .type = WIRE_OP_DELETE, .path = q.path };
    touch_deleted(p, q.path, &node);
    return 0;
}

/* Is it still what was due? What is in flight may have made another node of that name, and that one is not ours to take
 * away (Apache would; client specification 7.5). */
static bool may_be_reaped(const struct prep *p, const struct wire_stat_persisted *s)
{
    if (s->ephemeral_owner == WIRE_OWNER_CONTAINER)
        return s->cversion > 0 || p->core->opt.container_never_used_ms > 0;
    return tree_owner_is_ttl(p->core->tree, s->ephemeral_owner) &&
           p->time_ms - s->mtime > (s->ephemeral_owner & WIRE_TTL_MS_MAX);
}

/* Our own request, for a container or TTL node that was due when we looked; looks again (disk specification 5.11). What
 * comes by the learner port may say the same. */
int prep_delete_container(struct prep *p, struct wire_reader *r, struct txn_op *op)
{
    struct slice path = wire_get_ustring(r);
    if (r->err != 0)
        return ERR_MARSHALLING;
    if (path_is_malformed(path) || is_reserved(path))
        return ERR_BAD_ARGUMENTS;
    struct view node = overlay_view(p->core, path);
    if (!node.exists)
        return ERR_NO_NODE;
    if (node.children > 0)
        return ERR_NOT_EMPTY;
    if (!may_be_reaped(p, &node.stat))
        return ERR_BAD_VERSION;
    *op = (struct txn_op){ .type = WIRE_OP_DELETE_CONTAINER, .path = path };
    touch_deleted(p, path, &node);
    return 0;
}

/* ---- setData, setACL, check ---- */

int prep_set_data(struct prep *p, struct wire_reader *r, struct txn_op *op)
{
    struct core *c = p->core;
    struct wire_set_data_request q = wire_get_set_data_request(r);
    if (r->err != 0)
        return ERR_MARSHALLING;
    int rc = path_check(q.path);
    if (rc != 0)
        return rc;
    struct view node = overlay_view(c, q.path);
    if (!node.exists)
        return ERR_NO_NODE;
    if (!acl_allows(c, p->conn, node.acl, WIRE_PERM_WRITE))
        return ERR_NO_AUTH;
    int64_t more = (int64_t)q.data.n - node.data_length;
    if (more != 0 && (rc = check_quota(p, q.path, 0, more)) != 0)
        return rc;
    if (q.version != -1 && q.version != node.stat.version && !SIM_BUG(version_ignored))
        return ERR_BAD_VERSION;
    if (!fits(c, q.path.n, q.data.n, 0))
        return ERR_MARSHALLING;
    struct change *ch = overlay_touch(c, q.path, &node, p->zxid);
    overlay_digest_before(c, ch);
    ch->stat.version = (int32_t)((uint32_t)ch->stat.version + 1u);
    ch->stat.mzxid = p->zxid;
    ch->stat.mtime = p->time_ms;
    ch->data_length = (int32_t)q.data.n;
    if (c->opt.digest_enabled)
        ch->digest_prefix = tree_digest_prefix(slice_of(ch->path, ch->path_n), q.data);
    overlay_digest_after(c, ch);
    p->hint = (struct tree_hint){ .node = node.node,
                                  .removals = tree_removals(c->tree),
                                  .has_prefix = c->opt.digest_enabled,
                                  .digest_prefix = ch->digest_prefix };
    *op = (struct txn_op){ .type = WIRE_OP_SET_DATA, .path = q.path, .data = q.data, .version = ch->stat.version };
    return 0;
}

int prep_set_acl(struct prep *p, struct wire_reader *r, struct txn_op *op)
{
    struct core *c = p->core;
    struct wire_set_acl_request q = wire_get_set_acl_request(r);
    if (r->err != 0)
        return ERR_MARSHALLING;
    struct wire_vec acl;
    int rc = path_check(q.path);
    if (rc != 0 || (rc = acl_fix(c, p->conn, q.acl, &acl)) != 0)
        return rc;
    struct view node = overlay_view(c, q.path);
    if (!node.exists)
        return ERR_NO_NODE;
    if (!acl_allows(c, p->conn, node.acl, WIRE_PERM_ADMIN))
        return ERR_NO_AUTH;
    if (q.version != -1 && q.version != node.stat.aversion)
        return ERR_BAD_VERSION;
    if (!fits(c, q.path.n, 0, acl.raw.n))
        return ERR_MARSHALLING;
    struct change *ch = overlay_touch(c, q.path, &node, p->zxid);
    overlay_digest_before(c, ch);
    ch->stat.aversion = (int32_t)((uint32_t)ch->stat.aversion + 1u);
    change_set_acl(ch, acl);
    overlay_digest_after(c, ch);
    *op = (struct txn_op){ .type = WIRE_OP_SET_ACL, .path = q.path, .acl = acl, .version = ch->stat.aversion };
    return 0;
}

/* Logged with the version that follows the one checked, as PrepRequestProcessor.checkAndIncVersion leaves it. */
int prep_check(struct prep *p, struct wire_reader *r, struct txn_op *op)
{
    struct wire_path_version_request q = wire_get_path_version_request(r);
    if (r->err != 0)
        return ERR_MARSHALLING;
    int rc = path_check(q.path);
    if (rc != 0)
        return rc;
    struct view node = overlay_view(p->core, q.path);
    if (!node.exists)
        return ERR_NO_NODE;
    if (!acl_allows(p->core, p->conn, node.acl, WIRE_PERM_READ))
        return ERR_NO_AUTH;
    if (q.version != -1 && q.version != node.stat.version)
        return ERR_BAD_VERSION;
    *op = (struct txn_op){ .type = WIRE_OP_CHECK,
                           .path = q.path,
                           .version = (int32_t)((uint32_t)node.stat.version + 1u) };
    return 0;
}

/* A standalone server has no membership to change (client specification 4.13). */
int prep_reconfig(struct prep *p, struct wire_reader *r, struct txn_op *op)
{
    (void)op;
    (void)wire_get_reconfig_request(r);
    if (r->err != 0)
        return ERR_MARSHALLING;
    return p->core->opt.reconfig_enabled ? ERR_UNIMPLEMENTED : ERR_RECONFIG_DISABLED;
}

/* ---- sessions ---- */

int prep_create_session(struct prep *p, struct wire_reader *r, struct txn_op *op)
{
    (void)p;
    *op = (struct txn_op){ .type = WIRE_OP_CREATE_SESSION, .timeout_ms = wire_get_i32(r) };
    return r->err == 0 ? 0 : ERR_MARSHALLING;
}

/* Takes one ephemeral out of the overlay and notes its path, if the session still owns it when everything in flight is
 * counted. What does not fit into the record is left out: applying removes the rest anyway. */
static void close_one(struct prep *p, struct slice path, struct buf *paths, int32_t *count)
{
    struct view node = overlay_view(p->core, path);
    if (!node.exists || node.stat.ephemeral_owner != p->session_id)
        return;
    touch_deleted(p, path, &node);
    if (paths->n + path.n + 128 > p->core->opt.txn_bytes_max)
        return;
    wire_put_ustring(paths, path);
    (*count)++;
}

int prep_close_session(struct prep *p, struct wire_reader *r, struct txn_op *op)
{
    (void)r;
    struct core *c = p->core;
    struct session *s = session_lookup(c, p->session_id);
    if (s == NULL || s->closing)
        return ERR_SESSION_EXPIRED;
    s->closing = true;
    struct buf owned, paths;
    buf_init(&owned, SIZE_MAX / 2);
    buf_init(&paths, SIZE_MAX / 2);
    int32_t count = 0;
    int32_t applied = tree_put_ephemerals(c->tree, s->id, (struct slice){ 0 }, &owned);
    struct wire_reader in = wire_vec_reader((struct wire_vec){ .raw = buf_slice(&owned) });
    for (int32_t i = 0; i < applied; i++)
        close_one(p, wire_get_ustring(&in), &paths, &count);
    while (!list_empty(&s->pending_ephemerals)) {
        struct change *ch = CONTAINER_OF(s->pending_ephemerals.next, struct change, ephemeral_link);
        list_remove(&ch->ephemeral_link);
        close_one(p, arena_dup(&c->turn, slice_of(ch->path, ch->path_n)), &paths, &count);
    }
    *op = (struct txn_op){ .type = WIRE_OP_CLOSE_SESSION,
                           .has_paths = true,
                           .paths = { .count = count, .raw = arena_dup(&c->turn, buf_slice(&paths)) } };
    buf_fini(&owned);
    buf_fini(&paths);
    return 0;
}
