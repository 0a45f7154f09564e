/* model_read: is this the answer that the model would give? */
#include "sim/model.h"

struct reading {
    struct model *m;
    const struct model_caller *who;
    struct wire_reader answer;
    struct buf *why;
};

static bool wrong(struct reading *q, const char *what)
{
    buf_printf(q->why, "%s", what);
    return false;
}

static bool stat_is(struct reading *q, const struct model_node *n)
{
    uint8_t want[WIRE_STAT_BYTES];
    struct wire_stat s = model_stat(n);
    wire_store_stat(want, &s);
    const uint8_t *got = wire_take(&q->answer, WIRE_STAT_BYTES);
    if (got != NULL && memcmp(got, want, sizeof want) == 0)
        return true;
    if (got == NULL)
        return wrong(q, "no stat");
    struct wire_reader r = wire_reader_of(slice_of(got, WIRE_STAT_BYTES));
    struct wire_stat g = wire_get_stat(&r);
    buf_printf(q->why,
               "stat of %s: mzxid 0x%llx version %d cversion %d children %d length %d pzxid 0x%llx; the model has "
               "0x%llx %d %d %d %d 0x%llx",
               n->path, (unsigned long long)g.mzxid, g.version, g.cversion, g.num_children, g.data_length,
               (unsigned long long)g.pzxid, (unsigned long long)s.mzxid, s.version, s.cversion, s.num_children,
               s.data_length, (unsigned long long)s.pzxid);
    return false;
}

static bool data_is(struct reading *q, const struct model_node *n)
{
    struct slice got = wire_get_buffer(&q->answer);
    if (q->answer.err == 0 && slice_is_null(got) == (n->data == NULL) && slice_eq(got, slice_of(n->data, n->data_n)))
        return true;
    buf_printf(q->why, "data of %s: %.*s; the model has %.*s", n->path, SLICE_ARG(got),
               SLICE_ARG(slice_of(n->data, n->data_n)));
    return false;
}

/* Names in any order, each once. */
static bool children_are(struct reading *q, const struct model_node *n)
{
    int32_t count = wire_get_i32(&q->answer);
    q->m->stamp++;
    for (int32_t i = 0; i < count && q->answer.err == 0; i++) {
        struct slice name = wire_get_ustring(&q->answer);
        struct buf path;
        buf_init(&path, 4096);
        buf_printf(&path, "%s/%.*s", n->parent == NULL ? "" : n->path, SLICE_ARG(name));
        struct model_node *child = model_find(q->m, buf_slice(&path));
        buf_fini(&path);
        if (child == NULL || child->parent != n || child->stamp == q->m->stamp) {
            buf_printf(q->why, "children of %s: %.*s is none, or twice", n->path, SLICE_ARG(name));
            return false;
        }
        child->stamp = q->m->stamp;
    }
    if (q->answer.err == 0 && count == n->children)
        return true;
    buf_printf(q->why, "children of %s: %d; the model has %d", n->path, count, n->children);
    return false;
}

static bool ephemerals_are(struct reading *q, struct slice prefix)
{
    int32_t count = wire_get_i32(&q->answer), have = 0;
    bool all = prefix.n == 0 || slice_eq_str(prefix, "/");
    q->m->stamp++;
    for (int32_t i = 0; i < count && q->answer.err == 0; i++) {
        struct model_node *n = model_find(q->m, wire_get_ustring(&q->answer));
        if (n == NULL || n->stat.ephemeral_owner != q->who->session_id || n->stamp == q->m->stamp)
            return wrong(q, "an ephemeral node that is not there");
        n->stamp = q->m->stamp;
    }
    for (size_t i = 0; i < q->m->bucket_count; i++)
        for (const struct model_node *n = q->m->buckets[i]; n != NULL; n = n->hash_next)
            have += n->stat.ephemeral_owner == q->who->session_id && (all || slice_starts(slice_str(n->path), prefix));
    return have == count ? true : wrong(q, "ephemeral nodes are missing");
}

static int32_t count_below(const struct model *m, const struct model_node *top)
{
    size_t n = strlen(top->path);
    int32_t count = 0;
    for (size_t i = 0; i < m->bucket_count; i++)
        for (const struct model_node *x = m->buckets[i]; x != NULL; x = x->hash_next)
            count += x != top && (top->parent == NULL || (strncmp(x->path, top->path, n) == 0 && x->path[n] == '/'));
    return count;
}

static bool acl_is(struct reading *q, const struct model_node *n)
{
    struct buf want;
    buf_init(&want, 1 << 20);
    model_put_acl(n, q->who, &want);
    const uint8_t *got = wire_take(&q->answer, want.n);
    bool is = got != NULL && memcmp(got, want.p, want.n) == 0;
    buf_fini(&want);
    return is && stat_is(q, n) ? true : wrong(q, " (ACL or stat)");
}

static bool who_am_i_is(struct reading *q)
{
    int32_t want = slice_is_null(q->who->user) ? 1 : 2;
    int32_t count = wire_get_i32(&q->answer);
    for (int32_t i = 0; i < count && q->answer.err == 0; i++)
        (void)wire_get_client_info(&q->answer);
    return count == want ? true : wrong(q, "whoAmI counts differently");
}

static bool multi_read_is(struct reading *q, struct wire_reader asked)
{
    for (;;) {
        struct wire_multi_header h = wire_get_multi_header(&asked), got = wire_get_multi_header(&q->answer);
        if (h.done)
            return got.done && q->answer.err == 0 ? true : wrong(q, "multiRead does not end");
        struct wire_path_watch_request p = wire_get_path_watch_request(&asked);
        const struct model_node *n = model_find(q->m, p.path);
        int32_t err = n == NULL ? ERR_NO_NODE : !model_allows(n, q->who, WIRE_PERM_READ) ? ERR_NO_AUTH : 0;
        if (got.done || got.err != err || got.type != (err == 0 ? h.type : WIRE_OP_ERROR))
            return wrong(q, "a result of multiRead is of another kind");
        if (err != 0) {
            if (wire_get_i32(&q->answer) != err)
                return wrong(q, "a result of multiRead has another error");
        } else if (h.type == WIRE_OP_GET_CHILDREN ? !children_are(q, n) : !data_is(q, n) || !stat_is(q, n)) {
            return false;
        }
    }
}

/* The error a read of this node must end with. */
static int32_t error_of(const struct model_caller *who, int32_t op, const struct model_node *n)
{
    if (n == NULL)
        return ERR_NO_NODE;
    int32_t perms = op == WIRE_OP_GET_ACL ? WIRE_PERM_READ | WIRE_PERM_ADMIN : WIRE_PERM_READ;
    return model_allows(n, who, perms) ? 0 : ERR_NO_AUTH;
}

static bool body_is(struct reading *q, int32_t op, const struct model_node *n)
{
    switch (op) {
    case WIRE_OP_EXISTS:
        return stat_is(q, n);
    case WIRE_OP_GET_DATA:
        return data_is(q, n) && stat_is(q, n);
    case WIRE_OP_GET_CHILDREN:
        return children_are(q, n);
    case WIRE_OP_GET_CHILDREN2:
        return children_are(q, n) && stat_is(q, n);
    case WIRE_OP_GET_ACL:
        return acl_is(q, n);
    default:
        return wire_get_i32(&q->answer) == count_below(q->m, n) ? true : wrong(q, "another number of descendants");
    }
}

bool model_read_is(struct model *m, const struct model_caller *who, int32_t op, struct slice record, int32_t err,
                   struct slice body, struct buf *why)
{
    struct reading q = { .m = m, .who = who, .answer = wire_reader_of(body), .why = why };
    struct wire_reader r = wire_reader_of(record);
    bool is = true;
    int32_t want = 0;
    switch (op) {
    case WIRE_OP_SYNC:
        is = err != 0 || slice_eq(wire_get_ustring(&r), wire_get_ustring(&q.answer));
        break;
    case WIRE_OP_WHO_AM_I:
        is = err != 0 || who_am_i_is(&q);
        break;
    case WIRE_OP_GET_EPHEMERALS:
        is = err != 0 || ephemerals_are(&q, wire_get_ustring(&r));
        break;
    case WIRE_OP_MULTI_READ:
        is = err != 0 || multi_read_is(&q, r);
        break;
    default: {
        const struct model_node *n = model_find(m, wire_get_ustring(&r));
        want = error_of(who, op, n);
        is = err != 0 || want != 0 || body_is(&q, op, n);
    }
    }
    if (err != want) {
        buf_printf(why, "error %d; the model has %d", err, want);
        return false;
    }
    if (is && err == 0 && (q.answer.err != 0 || wire_left(&q.answer) != 0))
        return wrong(&q, "the answer has another length");
    return is;
}
