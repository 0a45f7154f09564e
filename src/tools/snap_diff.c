/* zokor snap diff: what differs between two snapshots, node by node. */
#include "base/mem.h"
#include "tools/snap_internal.h"
#include <inttypes.h>
#include <stdlib.h>

struct difference {
    char *path;
    size_t at; /* of its line in struct diff's text, which ends in a zero byte */
};

struct diff {
    const struct tree *left, *right;
    bool second; /* the walk over the right tree, for what only it has */
    struct difference *found;
    size_t count, cap;
    struct buf text;
};

static void add(struct diff *d, struct slice path, size_t text_at)
{
    if (d->count == d->cap) {
        d->cap = d->cap == 0 ? 64 : d->cap * 2;
        d->found = mem_realloc(d->found, d->cap * sizeof *d->found);
    }
    char *copy = mem_alloc(path.n + 1);
    memcpy(copy, path.p, path.n);
    copy[path.n] = '\0';
    d->found[d->count++] = (struct difference){ .path = copy, .at = text_at };
    buf_append(&d->text, "", 1);
}

static bool same_bytes(struct slice a, struct slice b)
{
    return slice_is_null(a) == slice_is_null(b) && slice_eq(a, b);
}

static void put_i32(struct buf *b, const char *what, int32_t left, int32_t right)
{
    if (left != right)
        buf_printf(b, " %s %" PRId32 " -> %" PRId32, what, left, right);
}

static void put_hex(struct buf *b, const char *what, int64_t left, int64_t right)
{
    if (left != right)
        buf_printf(b, " %s 0x%" PRIx64 " -> 0x%" PRIx64, what, (uint64_t)left, (uint64_t)right);
}

static void put_time(struct buf *b, const char *what, int64_t left, int64_t right)
{
    if (left == right)
        return;
    buf_printf(b, " %s ", what);
    text_put_time_iso(b, left);
    buf_printf(b, " -> ");
    text_put_time_iso(b, right);
}

static void compare_node(struct diff *d, struct slice path, node_id l, node_id r)
{
    struct wire_stat_persisted a = tree_stat_persisted(d->left, l), z = tree_stat_persisted(d->right, r);
    struct slice x = tree_data(d->left, l), y = tree_data(d->right, r);
    struct wire_vec p = tree_acl(d->left, l), q = tree_acl(d->right, r);
    size_t start = d->text.n;
    /* Each server writes its configuration by itself, at its own time. */
    bool own_time = slice_eq_str(path, "/zookeeper/config");
    buf_printf(&d->text, "~ ");
    buf_append_slice(&d->text, path);
    buf_printf(&d->text, ":");
    size_t head = d->text.n;
    if (!same_bytes(x, y))
        buf_printf(&d->text, " data (%zu -> %zu bytes)", x.n, y.n);
    if (p.count != q.count || !slice_eq(p.raw, q.raw))
        buf_printf(&d->text, " acl (%" PRId32 " -> %" PRId32 " entries)", p.count, q.count);
    put_i32(&d->text, "version", a.version, z.version);
    put_i32(&d->text, "cversion", a.cversion, z.cversion);
    put_i32(&d->text, "aversion", a.aversion, z.aversion);
    put_hex(&d->text, "owner", a.ephemeral_owner, z.ephemeral_owner);
    put_hex(&d->text, "czxid", a.czxid, z.czxid);
    put_hex(&d->text, "mzxid", a.mzxid, z.mzxid);
    put_hex(&d->text, "pzxid", a.pzxid, z.pzxid);
    put_time(&d->text, "ctime", a.ctime, z.ctime);
    if (!own_time)
        put_time(&d->text, "mtime", a.mtime, z.mtime);
    if (d->text.n == head)
        d->text.n = start;
    else
        add(d, path, start);
}

static void visit(void *ctx, node_id n, struct slice path, unsigned depth, int32_t children)
{
    struct diff *d = ctx;
    const struct tree *own = d->second ? d->right : d->left, *other = d->second ? d->left : d->right;
    node_id there = tree_find(other, path);
    (void)depth;
    (void)children;
    if (there == NODE_NONE) {
        size_t start = d->text.n;
        buf_printf(&d->text, d->second ? "+ " : "- ");
        buf_append_slice(&d->text, path);
        buf_printf(&d->text, " (%zu bytes, czxid 0x%" PRIx64 ")", tree_data(own, n).n,
                   (uint64_t)tree_stat_persisted(own, n).czxid);
        add(d, path, start);
    } else if (!d->second) {
        compare_node(d, path, n, there);
    }
}

static int by_path(const void *a, const void *b)
{
    return strcmp(((const struct difference *)a)->path, ((const struct difference *)b)->path);
}

/* ---- sessions ---- */

struct sessions {
    const struct snap_context *c;
    const struct tree *other;
    const char *only;
    bool tell_timeouts;
    size_t differences;
};

static void compare_session(void *ctx, int64_t session_id, int32_t timeout_ms)
{
    struct sessions *s = ctx;
    int32_t other = tree_session_timeout_ms(s->other, session_id);
    if (other == timeout_ms || (other != 0 && !s->tell_timeouts))
        return;
    s->differences++;
    if (other == 0)
        fprintf(s->c->out, "%s session 0x%" PRIx64 "\n", s->only, (uint64_t)session_id);
    else
        fprintf(s->c->out, "~ session 0x%" PRIx64 ": timeout %" PRId32 " -> %" PRId32 " ms\n", (uint64_t)session_id,
                timeout_ms, other);
}

static size_t compare_sessions(const struct snap_context *c, const struct tree *left, const struct tree *right)
{
    struct sessions s = { .c = c, .other = right, .only = "-", .tell_timeouts = true };
    tree_sessions(left, compare_session, &s);
    s.other = left;
    s.only = "+";
    s.tell_timeouts = false;
    tree_sessions(right, compare_session, &s);
    return s.differences;
}

static bool walk_both(struct diff *d, const char *path)
{
    node_id l = path == NULL ? NODE_ROOT : tree_find(d->left, slice_str(path));
    node_id r = path == NULL ? NODE_ROOT : tree_find(d->right, slice_str(path));
    struct snap_visitor v = { .enter = visit, .ctx = d };
    if (l != NODE_NONE)
        snap_walk(d->left, l, &v);
    d->second = true;
    if (r != NODE_NONE)
        snap_walk(d->right, r, &v);
    return l != NODE_NONE || r != NODE_NONE;
}

int snap_diff(const struct snap_context *c, const char *left, const char *right, const char *path)
{
    struct tree *l = NULL, *r = NULL;
    struct snapshot_info info;
    struct diff d = { 0 };
    int status = SNAP_DIFF_FAILED;
    buf_init(&d.text, (size_t)1 << 34);
    if (snap_load(c, left, &l, &info) < 0 || snap_load(c, right, &r, &info) < 0)
        goto out;
    d.left = l;
    d.right = r;
    if (!walk_both(&d, path)) {
        fprintf(c->err, "zokor: there is no node %s in either\n", path);
        goto out;
    }
    qsort(d.found, d.count, sizeof *d.found, by_path);
    for (size_t i = 0; i < d.count; i++)
        fprintf(c->out, "%s\n", (const char *)d.text.p + d.found[i].at);
    size_t sessions = path == NULL ? compare_sessions(c, l, r) : 0;
    status = d.count + sessions == 0 ? SNAP_DIFF_SAME : SNAP_DIFF_DIFFERENT;
out:
    for (size_t i = 0; i < d.count; i++)
        mem_free(d.found[i].path);
    mem_free(d.found);
    buf_fini(&d.text);
    tree_free(l);
    tree_free(r);
    return status;
}
