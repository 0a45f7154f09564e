/* model_acl: who may do what, by the model. All clients of a simulation come from 127.0.0.1. */
#include "sim/model.h"

static bool is_caller(const struct wire_id *id, const struct model_caller *who)
{
    if (slice_eq_str(id->scheme, "world"))
        return slice_eq_str(id->id, "anyone");
    if (slice_eq_str(id->scheme, "ip"))
        return slice_eq_str(id->id, "127.0.0.1");
    return slice_eq_str(id->scheme, "digest") && !slice_is_null(who->user) && slice_eq(id->id, who->user);
}

bool model_allows(const struct model_node *n, const struct model_caller *who, int32_t perms)
{
    struct wire_reader r = wire_vec_reader((struct wire_vec){ n->acl_count, slice_of(n->acl, n->acl_n) });
    bool allowed = n->acl_count == 0;
    for (int32_t i = 0; i < n->acl_count; i++) {
        struct wire_acl a = wire_get_acl(&r);
        allowed = allowed || ((a.perms & perms) != 0 && is_caller(&a.id, who));
    }
    return allowed;
}

static bool has_entry(const struct buf *b, int32_t count, struct wire_acl a)
{
    struct wire_reader r = wire_reader_of(buf_slice(b));
    for (int32_t i = 0; i < count; i++) {
        struct wire_acl other = wire_get_acl(&r);
        if (other.perms == a.perms && slice_eq(other.id.scheme, a.id.scheme) && slice_eq(other.id.id, a.id.id))
            return true;
    }
    return false;
}

int32_t model_fix_acl(const struct model_caller *who, struct wire_vec in, struct buf *out, int32_t *count)
{
    *count = 0;
    if (in.count <= 0)
        return ERR_INVALID_ACL;
    struct wire_reader r = wire_vec_reader(in);
    for (int32_t i = 0; i < in.count; i++) {
        struct wire_acl a = wire_get_acl(&r);
        bool world = slice_eq_str(a.id.scheme, "world"), ip = slice_eq_str(a.id.scheme, "ip");
        if (slice_eq_str(a.id.scheme, "auth")) {
            if (slice_is_null(who->user))
                return ERR_INVALID_ACL;
            a.id = (struct wire_id){ slice_str("digest"), who->user };
        } else if ((world && !slice_eq_str(a.id.id, "anyone")) ||
                   (!world && !ip && !slice_eq_str(a.id.scheme, "digest"))) {
            return ERR_INVALID_ACL;
        }
        if (has_entry(out, *count, a))
            continue;
        wire_put_acl(out, a);
        (*count)++;
    }
    return 0;
}

void model_put_acl(const struct model_node *n, const struct model_caller *who, struct buf *b)
{
    struct wire_vec all = { n->acl_count, slice_of(n->acl, n->acl_n) };
    if (model_allows(n, who, WIRE_PERM_ADMIN)) {
        wire_put_vec(b, all);
        return;
    }
    struct wire_reader r = wire_vec_reader(all);
    wire_put_i32(b, n->acl_count);
    for (int32_t i = 0; i < n->acl_count; i++) {
        struct wire_acl a = wire_get_acl(&r);
        uint8_t hidden[64];
        if (slice_eq_str(a.id.scheme, "digest")) {
            size_t user_n = 0;
            while (user_n < a.id.id.n && user_n < sizeof hidden - 2 && a.id.id.p[user_n] != ':')
                user_n++;
            memcpy(hidden, a.id.id.p, user_n);
            memcpy(hidden + user_n, ":x", 2);
            a.id.id = slice_of(hidden, user_n + 2);
        }
        wire_put_acl(b, a);
    }
}
