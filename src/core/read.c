/* read: requests that change nothing, answered from the local tree (client specification 4.7, 4.10). Missing is tested
 * before permission. */
#include "core/internal.h"

/* Reads path and watch flag and finds the node: 0, or the error. */
static int find_for_read(struct core *c, struct wire_reader *r, struct wire_path_watch_request *q, node_id *n)
{
    *q = wire_get_path_watch_request(r);
    if (r->err != 0 || slice_is_null(q->path))
        return ERR_MARSHALLING;
    *n = tree_find(c->tree, q->path);
    return *n == NODE_NONE ? ERR_NO_NODE : 0;
}

static int may_read(struct core *c, struct conn *k, node_id n)
{
    return acl_allows(c, k, tree_acl(c->tree, n), WIRE_PERM_READ) ? 0 : ERR_NO_AUTH;
}

int read_exists(struct core *c, struct conn *k, struct wire_reader *r, struct buf *body)
{
    struct wire_path_watch_request q;
    node_id n;
    int rc = find_for_read(c, r, &q, &n);
    if (rc == ERR_MARSHALLING)
        return rc;
    if (q.path.n != 0 && memchr(q.path.p, 0, q.path.n) != NULL)
        return ERR_BAD_ARGUMENTS;
    if (rc == 0)
        rc = may_read(c, k, n); /* as 3.9.2 and later */
    if (q.watch && (rc == 0 || rc == ERR_NO_NODE))
        watch_add(c->tree, k->id, q.path, WATCH_DATA);
    if (rc == 0) {
        namespaces_read(c, q.path, 0);
        wire_put_stat(body, tree_stat(c->tree, n));
    }
    return rc;
}

int read_get_data(struct core *c, struct conn *k, struct wire_reader *r, struct buf *body)
{
    struct wire_path_watch_request q;
    node_id n;
    int rc = find_for_read(c, r, &q, &n);
    if (rc != 0 || (rc = may_read(c, k, n)) != 0)
        return rc;
    if (q.watch)
        watch_add(c->tree, k->id, q.path, WATCH_DATA);
    namespaces_read(c, q.path, tree_data(c->tree, n).n);
    wire_put_buffer(body, tree_data(c->tree, n));
    wire_put_stat(body, tree_stat(c->tree, n));
    return 0;
}

int read_get_acl(struct core *c, struct conn *k, struct wire_reader *r, struct buf *body)
{
    struct slice path = wire_get_ustring(r);
    if (r->err != 0 || slice_is_null(path))
        return ERR_MARSHALLING;
    node_id n = tree_find(c->tree, path);
    if (n == NODE_NONE)
        return ERR_NO_NODE;
    struct wire_vec acl = tree_acl(c->tree, n);
    if (!acl_allows(c, k, acl, WIRE_PERM_READ | WIRE_PERM_ADMIN))
        return ERR_NO_AUTH;
    wire_put_vec(body, acl_allows(c, k, acl, WIRE_PERM_ADMIN) ? acl : acl_redact(c, acl));
    wire_put_stat(body, tree_stat(c->tree, n));
    return 0;
}

static int get_children(struct core *c, struct conn *k, struct wire_reader *r, struct buf *body, bool with_stat)
{
    struct wire_path_watch_request q;
    node_id n;
    int rc = find_for_read(c, r, &q, &n);
    if (rc != 0 || (rc = may_read(c, k, n)) != 0)
        return rc;
    if (q.watch)
        watch_add(c->tree, k->id, q.path, WATCH_CHILD);
    size_t before = body->n;
    tree_put_children(c->tree, n, body);
    size_t lengths = 4 + 4 * (size_t)tree_child_count(c->tree, n); /* what is in body beside the names */
    namespaces_read(c, q.path, body->err != 0 ? 0 : body->n - before - lengths);
    if (with_stat)
        wire_put_stat(body, tree_stat(c->tree, n));
    return 0;
}

int read_get_children(struct core *c, struct conn *k, struct wire_reader *r, struct buf *body)
{
    return get_children(c, k, r, body, false);
}

int read_get_children2(struct core *c, struct conn *k, struct wire_reader *r, struct buf *body)
{
    return get_children(c, k, r, body, true);
}

/* null, blank and "/" mean all of the session's ephemerals; anything else is a plain prefix of the text. */
int read_get_ephemerals(struct core *c, struct conn *k, struct wire_reader *r, struct buf *body)
{
    struct slice prefix = wire_get_ustring(r);
    if (r->err != 0)
        return ERR_MARSHALLING;
    struct slice trimmed = prefix;
    while (trimmed.n != 0 && trimmed.p[0] <= ' ')
        trimmed = slice_of(trimmed.p + 1, trimmed.n - 1);
    while (trimmed.n != 0 && trimmed.p[trimmed.n - 1] <= ' ')
        trimmed.n--;
    bool all = trimmed.n == 0 || slice_eq_str(trimmed, "/");
    size_t at = body->n;
    wire_put_i32(body, 0);
    int32_t count = tree_put_ephemerals(c->tree, k->session->id, all ? (struct slice){ 0 } : prefix, body);
    if (body->err == 0)
        store_be32(body->p + at, (uint32_t)count);
    return 0;
}

int read_get_all_children_number(struct core *c, struct conn *k, struct wire_reader *r, struct buf *body)
{
    struct slice path = wire_get_ustring(r);
    if (r->err != 0 || slice_is_null(path))
        return ERR_MARSHALLING;
    node_id n = tree_find(c->tree, path);
    if (n == NODE_NONE)
        return ERR_NO_NODE;
    int rc = may_read(c, k, n);
    if (rc == 0)
        wire_put_i32(body, tree_descendant_count(c->tree, n));
    return rc;
}

/* With one server every write that was answered anywhere has been applied here: the echo is enough. */
int read_sync(struct core *c, struct conn *k, struct wire_reader *r, struct buf *body)
{
    (void)c;
    (void)k;
    struct slice path = wire_get_ustring(r);
    if (r->err != 0)
        return ERR_MARSHALLING;
    wire_put_ustring(body, path);
    return 0;
}

int read_ping(struct core *c, struct conn *k, struct wire_reader *r, struct buf *body)
{
    (void)c;
    (void)k;
    (void)r;
    (void)body;
    return 0;
}

int read_who_am_i(struct core *c, struct conn *k, struct wire_reader *r, struct buf *body)
{
    (void)c;
    (void)r;
    size_t at = body->n;
    wire_put_i32(body, 0);
    int32_t count = auth_put_client_infos(k, body);
    if (body->err == 0)
        store_be32(body->p + at, (uint32_t)count);
    return 0;
}

/* ---- multiRead (client specification 3.5): getData and getChildren, each for itself, watches ignored ---- */

static bool multi_read_walk(struct wire_reader r)
{
    for (;;) {
        struct wire_multi_header h = wire_get_multi_header(&r);
        if (r.err != 0)
            return false;
        if (h.done)
            return true;
        if (h.type != WIRE_OP_GET_DATA && h.type != WIRE_OP_GET_CHILDREN)
            return false;
        (void)wire_get_path_watch_request(&r);
    }
}

static void put_multi_header(struct buf *b, int32_t type, bool done, int32_t err)
{
    wire_put_multi_header(b, &(struct wire_multi_header){ type, done, err });
}

static void multi_read_one(struct core *c, struct conn *k, int32_t type, struct wire_reader *r, struct buf *body)
{
    struct wire_path_watch_request q;
    node_id n;
    int rc = find_for_read(c, r, &q, &n);
    if (rc == 0)
        rc = may_read(c, k, n);
    if (rc != 0) {
        put_multi_header(body, WIRE_OP_ERROR, false, rc);
        wire_put_i32(body, rc);
        return;
    }
    put_multi_header(body, type, false, 0);
    if (type == WIRE_OP_GET_CHILDREN) {
        tree_put_children(c->tree, n, body);
        return;
    }
    wire_put_buffer(body, tree_data(c->tree, n));
    wire_put_stat(body, tree_stat(c->tree, n));
}

int read_multi(struct core *c, struct conn *k, struct wire_reader *r, struct buf *body)
{
    bool valid = multi_read_walk(*r);
    while (valid) {
        struct wire_multi_header h = wire_get_multi_header(r);
        if (h.done)
            break;
        multi_read_one(c, k, h.type, r, body);
        if (body->n > c->opt.frame_bytes_max * 16) { /* one request of a few bytes an op must not ask for gigabytes */
            buf_reset(body);
            return ERR_MARSHALLING;
        }
    }
    put_multi_header(body, WIRE_OP_ERROR, true, -1);
    return valid ? 0 : ERR_MARSHALLING;
}
