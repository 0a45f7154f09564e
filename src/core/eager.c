/* eager: enableEagerACLCheck: a member judges the permission of a write by the tree that it has, before the ensemble is
 * asked. What fails costs no transaction, and a crowd without permissions costs the leader nothing. */
#include "core/internal.h"

struct look {
    struct slice path; /* whose ACL counts */
    int32_t perm;
    bool has_acl;
    struct wire_vec acl; /* that the request wants to set */
};

/* The same requests as Apache's ZooKeeperServer.effectiveACLPath: others are the leader's to judge. */
static bool read_request(int32_t op, struct slice body, struct look *l)
{
    struct wire_reader r = wire_reader_of(body);
    if (op == WIRE_OP_CREATE || op == WIRE_OP_CREATE2) {
        struct wire_create_request q = wire_get_create_request(&r);
        *l = (struct look){ .path = q.path, .perm = WIRE_PERM_CREATE, .has_acl = true, .acl = q.acl };
    } else if (op == WIRE_OP_DELETE) {
        *l = (struct look){ .path = wire_get_path_version_request(&r).path, .perm = WIRE_PERM_DELETE };
    } else if (op == WIRE_OP_SET_DATA) {
        *l = (struct look){ .path = wire_get_set_data_request(&r).path, .perm = WIRE_PERM_WRITE };
    } else if (op == WIRE_OP_SET_ACL) {
        struct wire_set_acl_request q = wire_get_set_acl_request(&r);
        *l = (struct look){ .path = q.path, .perm = WIRE_PERM_ADMIN, .has_acl = true, .acl = q.acl };
    } else {
        return false;
    }
    if (r.err != 0 || slice_is_null(l->path) || path_check(l->path) != 0)
        return false;
    if (l->perm == WIRE_PERM_CREATE || l->perm == WIRE_PERM_DELETE)
        l->path = path_parent(l->path);
    return true;
}

/* 0: the ensemble may be asked. What this session has under way may change the answer: then the leader judges. */
int eager_judge(struct core *c, const struct conn *k, int32_t op, struct slice frame)
{
    struct look l;
    struct wire_vec fixed;
    if (c->ens.zab == NULL || k->writes_in_flight != 0 || !read_request(op, slice_of(frame.p + 8, frame.n - 8), &l))
        return 0;
    int rc = l.has_acl ? acl_fix(c, k, l.acl, &fixed) : 0;
    if (rc != 0)
        return rc;
    node_id n = tree_find(c->tree, l.path);
    return n == NODE_NONE || acl_allows(c, k, tree_acl(c->tree, n), l.perm) ? 0 : ERR_NO_AUTH;
}
