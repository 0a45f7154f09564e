/* zokor snap show, info and export. */
#include "base/err.h"
#include "store/txnlog.h"
#include "tools/snap_internal.h"
#include "tools/watchfs.h"
#include <inttypes.h>
#include <time.h>

#define HELD_BYTES (1u << 16)
#define RECORD_BYTES_MAX ((size_t)1 << 30) /* jute.maxbuffer may have been anything */
#define NCDU_INODE_FIRST 1001

int snap_load(const struct snap_context *c, const char *name, struct tree **tree, struct snapshot_info *info)
{
    char dir[4096];
    const char *base = file_base(name), *dot = strrchr(base, '.');
    struct store_error err;
    struct store_recover_options options = { .tree = { .extended_types = true, .digest_enabled = true },
                                             .record_bytes_max = RECORD_BYTES_MAX };
    bool named = store_name_zxid(base, "snapshot") >= 0;
    file_dir(name, dir, sizeof dir);
    *tree = NULL;
    if (file_is_dir(&c->fs->fs, name)) {
        fprintf(c->err, "zokor: %s is a directory: name a snapshot in it\n", name);
        return ERR_INVALID;
    }
    if (!file_exists(&c->fs->fs, name)) {
        fprintf(c->err, "File '%s' does not exist.\n", name);
        return ERR_NOT_FOUND;
    }
    char alias[64];
    tool_path(alias, sizeof alias, "snapshot.0%s", dot != NULL && strlen(dot) < 16 ? dot : "");
    c->fs->instead = named ? NULL : name;
    int rc = snapshot_read(&c->fs->fs, dir, named ? base : alias, &options, tree, info, &err);
    c->fs->instead = NULL;
    if (!named)
        info->zxid = -1;
    if (rc < 0)
        fprintf(c->err, "zokor: %s\n", err.text);
    return rc;
}

void snap_flush(const struct snap_context *c, struct buf *b)
{
    fwrite(buf_slice(b).p, 1, b->n, c->out);
    buf_reset(b);
}

struct show {
    const struct snap_context *c;
    const struct tree *t;
    struct buf out;
    bool data;
    int64_t last_zxid;
    uint64_t inode;
};

static void show_begin(struct show *s, const struct snap_context *c, const struct tree *t)
{
    *s = (struct show){ .c = c, .t = t, .inode = NCDU_INODE_FIRST };
    buf_init(&s->out, (size_t)1 << 32);
}

static void show_end(struct show *s)
{
    snap_flush(s->c, &s->out);
    buf_fini(&s->out);
}

static void put_zxid(struct buf *b, const char *name, int64_t zxid)
{
    buf_printf(b, "  %s = 0x%014" PRIx64 "\n", name, (uint64_t)zxid);
}

static void put_time(struct buf *b, const char *name, int64_t ms)
{
    buf_printf(b, "  %s = ", name);
    text_put_time_long(b, ms);
    buf_printf(b, "\n");
}

static void show_node(void *ctx, node_id n, struct slice path, unsigned depth, int32_t children)
{
    struct show *s = ctx;
    struct buf *b = &s->out;
    struct wire_stat_persisted stat = tree_stat_persisted(s->t, n);
    struct slice data = tree_data(s->t, n);
    (void)depth;
    (void)children;
    buf_printf(b, "----\n");
    buf_append_slice(b, path);
    buf_printf(b, "\n");
    put_zxid(b, "cZxid", stat.czxid);
    put_time(b, "ctime", stat.ctime);
    put_zxid(b, "mZxid", stat.mzxid);
    put_time(b, "mtime", stat.mtime);
    put_zxid(b, "pZxid", stat.pzxid);
    buf_printf(b, "  cversion = %" PRId32 "\n  dataVersion = %" PRId32 "\n  aclVersion = %" PRId32 "\n", stat.cversion,
               stat.version, stat.aversion);
    put_zxid(b, "ephemeralOwner", stat.ephemeral_owner);
    if (s->data) {
        buf_printf(b, "  data = ");
        text_put_base64(b, data);
        buf_printf(b, "\n");
    } else {
        buf_printf(b, "  dataLength = %zu\n", data.n);
    }
    s->last_zxid = stat.mzxid > s->last_zxid ? stat.mzxid : s->last_zxid;
    s->last_zxid = stat.pzxid > s->last_zxid ? stat.pzxid : s->last_zxid;
    if (b->n > HELD_BYTES)
        snap_flush(s->c, b);
}

static void show_session(void *ctx, int64_t session_id, int32_t timeout_ms)
{
    struct show *s = ctx;
    struct buf paths;
    buf_init(&paths, (size_t)1 << 32);
    int32_t count = tree_put_ephemerals(s->t, session_id, (struct slice){ 0 }, &paths);
    buf_fini(&paths);
    buf_printf(&s->out, "0x%014" PRIx64 ", %" PRId32 ", %" PRId32 "\n", (uint64_t)session_id, timeout_ms, count);
}

static void ncdu_enter(void *ctx, node_id n, struct slice path, unsigned depth, int32_t children)
{
    struct show *s = ctx;
    struct slice data = tree_data(s->t, n), name = path;
    for (size_t i = path.n; depth > 0 && i > 0 && name.n == path.n; i--) {
        if (path.p[i - 1] == '/')
            name = slice_of(path.p + i, path.n - i);
    }
    buf_printf(&s->out, children > 0 ? ",[{\"name\":" : ",{\"name\":");
    text_put_json(&s->out, name);
    buf_printf(&s->out, ",\"asize\":%zu,\"dsize\":%zu,\"dev\":0,\"ino\":%" PRIu64 "}", data.n, data.n, s->inode++);
    if (s->out.n > HELD_BYTES)
        snap_flush(s->c, &s->out);
}

static void ncdu_leave(void *ctx, node_id n, unsigned depth, int32_t children, uint64_t nodes, uint64_t bytes)
{
    struct show *s = ctx;
    (void)n;
    (void)depth;
    (void)nodes;
    (void)bytes;
    if (children > 0)
        buf_printf(&s->out, "]");
}

static void show_ncdu(struct show *s)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    buf_printf(&s->out, "[1,0,{\"progname\":\"SnapshotFormatter.java\",\"progver\":\"0.01\",\"timestamp\":%" PRId64 "}",
               (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000);
    snap_walk(s->t, NODE_ROOT, &(struct snap_visitor){ .enter = ncdu_enter, .leave = ncdu_leave, .ctx = s });
    buf_printf(&s->out, "]");
}

int snap_show(const struct snap_context *c, const char *name, enum snap_show how)
{
    struct tree *tree;
    struct snapshot_info info;
    struct show s;
    if (snap_load(c, name, &tree, &info) < 0)
        return 1;
    show_begin(&s, c, tree);
    s.data = how == SNAP_SHOW_DATA;
    if (how == SNAP_SHOW_JSON) {
        show_ncdu(&s);
    } else {
        s.last_zxid = info.zxid;
        /* Apache counts the root twice. */
        buf_printf(&s.out, "ZNode Details (count=%" PRId64 "):\n", tree_node_count(tree) + 1);
        snap_walk(tree, NODE_ROOT, &(struct snap_visitor){ .enter = show_node, .ctx = &s });
        buf_printf(&s.out, "----\nSession Details (sid, timeout, ephemeralCount):\n");
        tree_sessions(tree, show_session, &s);
        buf_printf(&s.out, "----\nLast zxid: 0x%" PRIx64 "\n", (uint64_t)s.last_zxid);
    }
    show_end(&s);
    tree_free(tree);
    return 0;
}

int snap_info(const struct snap_context *c, const char *name)
{
    struct tree *tree;
    struct snapshot_info info;
    if (snap_load(c, name, &tree, &info) < 0)
        return 1;
    uint64_t digest = tree_digest(tree);
    fprintf(c->out, "file        %s\n", name);
    if (info.zxid >= 0)
        fprintf(c->out, "zxid        0x%" PRIx64 "\n", (uint64_t)info.zxid);
    fprintf(c->out, "nodes       %" PRId64 "\nephemerals  %" PRId64 "\nsessions    %zu\nbytes       %" PRId64 "\n",
            tree_node_count(tree), tree_ephemeral_count(tree), tree_session_count(tree), tree_data_size(tree));
    fprintf(c->out, "checksum    right\ndigest      0x%" PRIx64 "\n", digest);
    if (info.digest_version == WIRE_DIGEST_VERSION && info.digest_zxid != 0) {
        bool exact = info.digest_zxid == info.zxid;
        fprintf(
            c->out, "stored      0x%" PRIx64 " at zxid 0x%" PRIx64 ": %s\n", info.digest, (uint64_t)info.digest_zxid,
            digest == info.digest ? "the same"
            : exact ? "ANOTHER: damage, or a transaction came in meanwhile; 'zokor log verify' on the directory tells"
                    : "changes went on while it was written; the log behind it makes it whole");
    }
    if (info.has_last_zxid)
        fprintf(c->out, "last zxid   0x%" PRIx64 " (stored)\n", (uint64_t)info.last_zxid);
    tree_free(tree);
    return 0;
}

/* ---- export ---- */

static void export_owner(struct buf *b, int64_t owner)
{
    if (owner == WIRE_OWNER_CONTAINER)
        buf_printf(b, ",\"kind\":\"container\"");
    else if ((owner & WIRE_OWNER_TTL_MASK) == WIRE_OWNER_TTL_MASK)
        buf_printf(b, ",\"kind\":\"ttl\",\"ttl_ms\":%" PRId64, (int64_t)(owner & WIRE_TTL_MS_MAX));
    else if (owner != 0)
        buf_printf(b, ",\"kind\":\"ephemeral\",\"owner\":\"0x%" PRIx64 "\"", (uint64_t)owner);
    else
        buf_printf(b, ",\"kind\":\"persistent\"");
}

static void export_node(void *ctx, node_id n, struct slice path, unsigned depth, int32_t children)
{
    struct show *s = ctx;
    struct buf *b = &s->out;
    struct wire_stat_persisted stat = tree_stat_persisted(s->t, n);
    (void)depth;
    buf_printf(b, "{\"path\":");
    text_put_json(b, path);
    buf_printf(b, ",\"data\":");
    text_put_json_base64(b, tree_data(s->t, n));
    export_owner(b, stat.ephemeral_owner);
    text_put_json_acl(b, tree_acl(s->t, n));
    buf_printf(b, ",\"czxid\":\"0x%" PRIx64 "\",\"mzxid\":\"0x%" PRIx64 "\",\"pzxid\":\"0x%" PRIx64 "\",\"ctime\":\"",
               (uint64_t)stat.czxid, (uint64_t)stat.mzxid, (uint64_t)stat.pzxid);
    text_put_time_iso(b, stat.ctime);
    buf_printf(b, "\",\"mtime\":\"");
    text_put_time_iso(b, stat.mtime);
    buf_printf(
        b, "\",\"version\":%" PRId32 ",\"cversion\":%" PRId32 ",\"aversion\":%" PRId32 ",\"children\":%" PRId32 "}\n",
        stat.version, stat.cversion, stat.aversion, children);
    if (b->n > HELD_BYTES)
        snap_flush(s->c, b);
}

static void export_session(void *ctx, int64_t session_id, int32_t timeout_ms)
{
    struct show *s = ctx;
    buf_printf(&s->out, "{\"session\":\"0x%" PRIx64 "\",\"timeout_ms\":%" PRId32 "}\n", (uint64_t)session_id,
               timeout_ms);
}

int snap_export(const struct snap_context *c, const char *name, const char *path)
{
    struct tree *tree;
    struct snapshot_info info;
    struct show s;
    if (snap_load(c, name, &tree, &info) < 0)
        return 1;
    node_id top = path == NULL ? NODE_ROOT : tree_find(tree, slice_str(path));
    if (top == NODE_NONE) {
        fprintf(c->err, "zokor: %s: there is no node %s in it\n", name, path);
        tree_free(tree);
        return 1;
    }
    show_begin(&s, c, tree);
    buf_printf(&s.out, "{\"snapshot\":");
    text_put_json(&s.out, slice_str(file_base(name)));
    if (info.zxid >= 0)
        buf_printf(&s.out, ",\"zxid\":\"0x%" PRIx64 "\"", (uint64_t)info.zxid);
    buf_printf(&s.out, ",\"nodes\":%" PRId64 ",\"digest\":\"0x%" PRIx64 "\"}\n", tree_node_count(tree),
               tree_digest(tree));
    if (path == NULL)
        tree_sessions(tree, export_session, &s);
    snap_walk(tree, top, &(struct snap_visitor){ .enter = export_node, .ctx = &s });
    show_end(&s);
    tree_free(tree);
    return 0;
}
