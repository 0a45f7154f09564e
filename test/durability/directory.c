/* Writes a data directory with transactions of every type, or reads one; prints the tree as JSON in either case:
 *   durability_directory write DIR plain|gz|snappy     a snapshot in the middle, log files around it, a torn end
 *   durability_directory read DIR                      what recovery makes of it
 * DIR is a version-2 directory. */
#include "base/log.h"
#include "base/mem.h"
#include "os/fs.h"
#include "store/snapshot.h"
#include "store/store.h"
#include "store/txnlog.h"
#include "wire/jute.h"
#include "wire/proto.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define SESSION_KEPT INT64_C(0x100001005e70000)
#define SESSION_CLOSED INT64_C(0x100001005e70001)
#define SESSION_TIMEOUT_MS 40000

static const struct tree_options tree_options = { .hash_key = 1, .extended_types = true, .digest_enabled = true };

static _Noreturn void die(const char *text)
{
    fprintf(stderr, "%s\n", text);
    exit(1);
}

/* ---- printing ---- */

static void print_string(struct slice s)
{
    putchar('"');
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] < 0x20 || s.p[i] == '"' || s.p[i] == '\\')
            printf("\\u%04x", s.p[i]);
        else
            putchar(s.p[i]);
    }
    putchar('"');
}

static void print_acl(struct wire_vec acl)
{
    struct wire_reader r = wire_vec_reader(acl);
    printf("[");
    for (int32_t i = 0; i < acl.count; i++) {
        struct wire_acl a = wire_get_acl(&r);
        printf("%s[%d, ", i == 0 ? "" : ", ", a.perms);
        print_string(a.id.scheme);
        printf(", ");
        print_string(a.id.id);
        printf("]");
    }
    printf("]");
}

static void print_node(const struct tree *t, node_id n)
{
    struct wire_stat s = tree_stat(t, n);
    struct slice data = tree_data(t, n);
    printf("{\"data\": ");
    if (slice_is_null(data)) {
        printf("null");
    } else {
        printf("\"");
        for (size_t i = 0; i < data.n; i++)
            printf("%02x", data.p[i]);
        printf("\"");
    }
    printf(", \"acl\": ");
    print_acl(tree_acl(t, n));
    printf(", \"stat\": [%" PRId64 ", %" PRId64 ", %" PRId64 ", %" PRId64 ", %d, %d, %d, %" PRId64 ", %d, %d, %" PRId64
           "]}",
           s.czxid, s.mzxid, s.ctime, s.mtime, s.version, s.cversion, s.aversion, s.ephemeral_owner, s.data_length,
           s.num_children, s.pzxid);
}

/* All nodes below n, and n. Paths of a tree that this program wrote or read for a test are not deep. */
static void print_below(const struct tree *t, node_id n, bool *first)
{
    struct buf path, names;
    buf_init(&path, SIZE_MAX);
    buf_init(&names, SIZE_MAX);
    tree_put_path(t, n, &path);
    printf("%s\n", *first ? "" : ",");
    *first = false;
    print_string(path.n == 0 ? slice_str("/") : buf_slice(&path));
    printf(": ");
    print_node(t, n);
    tree_put_children(t, n, &names);
    struct wire_reader r = wire_reader_of(buf_slice(&names));
    for (int32_t count = wire_get_i32(&r); count > 0; count--)
        print_below(t, tree_child(t, n, wire_get_ustring(&r)), first);
    buf_fini(&path);
    buf_fini(&names);
}

static void print_tree(const struct tree *t, int64_t last_zxid)
{
    bool first = true;
    printf("{\"zxid\": %" PRId64 ", \"digest\": \"0x%" PRIx64 "\", \"nodes\": {", last_zxid, tree_digest(t));
    print_below(t, NODE_ROOT, &first);
    printf("}}\n");
}

/* ---- writing ---- */

struct writer {
    struct fs *fs;
    const char *dir;
    struct txnlog *log;
    struct tree *tree;
    struct arena arena;
    int64_t zxid, session, now_ms;
    struct store_error err;
};

/* Applies the body in b and logs it with the digest it leads to. */
static void log_body(struct writer *w, int32_t type, struct slice body)
{
    struct buf b;
    struct txn txn;
    struct tree_applied applied;
    w->zxid++;
    buf_init(&b, SIZE_MAX);
    wire_put_txn_header(&b, &(struct wire_txn_header){ .session_id = w->session,
                                                       .cxid = (int32_t)w->zxid,
                                                       .zxid = w->zxid,
                                                       .time_ms = w->now_ms + w->zxid,
                                                       .type = type });
    buf_append_slice(&b, body);
    if (txn_decode(buf_slice(&b), &txn) != 0)
        die("a transaction that cannot be read back");
    arena_reset(&w->arena);
    tree_apply(w->tree, &txn, &w->arena, &applied);
    if (type != WIRE_OP_ERROR)
        wire_put_txn_digest(&b, &(struct wire_txn_digest){ .version = WIRE_DIGEST_VERSION,
                                                           .tree_digest = (int64_t)tree_digest(w->tree) });
    txnlog_append(w->log, w->zxid, buf_slice(&b));
    buf_fini(&b);
}

static void log_op(struct writer *w, struct txn_op op)
{
    struct buf b;
    buf_init(&b, SIZE_MAX);
    txn_put_body(&b, &op);
    log_body(w, op.type, buf_slice(&b));
    buf_fini(&b);
}

static struct wire_vec acl_open(void)
{
    static uint8_t raw[64];
    struct buf b;
    buf_init(&b, sizeof raw);
    wire_put_acl(&b, (struct wire_acl){ 31, { slice_str("world"), slice_str("anyone") } });
    memcpy(raw, b.p, b.n);
    struct wire_vec v = { 1, slice_of(raw, b.n) };
    buf_fini(&b);
    return v;
}

static struct txn_op create_op(int32_t type, const char *path, const char *data, bool ephemeral,
                               int32_t parent_cversion)
{
    return (struct txn_op){ .type = type,
                            .path = slice_str(path),
                            .data = data == NULL ? slice_of(NULL, 0) : slice_str(data),
                            .acl = acl_open(),
                            .ephemeral = ephemeral,
                            .has_parent_cversion = true,
                            .parent_cversion = parent_cversion,
                            .ttl_ms = 3600000 };
}

static void create(struct writer *w, int32_t type, const char *path, const char *data, bool ephemeral)
{
    log_op(w, create_op(type, path, data, ephemeral, -1));
}

static void log_multi(struct writer *w, const struct txn_op *ops, int32_t count)
{
    struct buf b;
    buf_init(&b, SIZE_MAX);
    wire_put_i32(&b, count);
    for (int32_t i = 0; i < count; i++)
        txn_put_sub(&b, &ops[i]);
    log_body(w, WIRE_OP_MULTI, buf_slice(&b));
    buf_fini(&b);
}

static void first_part(struct writer *w)
{
    struct txn_op op;
    w->session = SESSION_KEPT;
    log_op(w, (struct txn_op){ .type = WIRE_OP_CREATE_SESSION, .timeout_ms = SESSION_TIMEOUT_MS });
    create(w, WIRE_OP_CREATE, "/a", "alpha", false);
    create(w, WIRE_OP_CREATE2, "/a/null", NULL, false);
    create(w, WIRE_OP_CREATE, "/a/empty", "", false);
    create(w, WIRE_OP_CREATE, "/a/été", "non-ASCII", false);
    create(w, WIRE_OP_CREATE, "/a/kept", "ephemeral", true);
    create(w, WIRE_OP_CREATE_CONTAINER, "/box", "", false);
    create(w, WIRE_OP_CREATE, "/box/child", "", false);
    create(w, WIRE_OP_CREATE_TTL, "/ttl", "an hour", false);
    log_op(w,
           (struct txn_op){ .type = WIRE_OP_SET_DATA, .path = slice_str("/a"), .data = slice_str("a2"), .version = 1 });
    log_op(w, (struct txn_op){
                  .type = WIRE_OP_SET_DATA, .path = slice_str("/"), .data = slice_str("root"), .version = 1 });
    log_op(w, (struct txn_op){ .type = WIRE_OP_ERROR, .err = ERR_NO_NODE });
    struct buf b;
    buf_init(&b, SIZE_MAX);
    wire_put_acl(&b, (struct wire_acl){ 31, { slice_str("world"), slice_str("anyone") } });
    wire_put_acl(&b, (struct wire_acl){ 1, { slice_str("ip"), slice_str("127.0.0.1") } });
    op = (struct txn_op){ .type = WIRE_OP_SET_ACL, .path = slice_str("/a"), .acl = { 2, buf_slice(&b) }, .version = 1 };
    log_op(w, op);
    buf_fini(&b);
    char path[32];
    for (int i = 0; i < 300; i++) {
        snprintf(path, sizeof path, "/a/n%010d", i);
        create(w, WIRE_OP_CREATE, path, path, false);
    }
    log_op(w, (struct txn_op){ .type = WIRE_OP_DELETE, .path = slice_str("/a/n0000000007") });
}

static void second_part(struct writer *w)
{
    w->session = SESSION_CLOSED;
    log_op(w, (struct txn_op){ .type = WIRE_OP_CREATE_SESSION, .timeout_ms = SESSION_TIMEOUT_MS });
    create(w, WIRE_OP_CREATE, "/gone", "", true);
    create(w, WIRE_OP_CREATE, "/m", "", false);
    const struct txn_op done[] = {
        { .type = WIRE_OP_CHECK, .path = slice_str("/m"), .version = 1 },
        create_op(WIRE_OP_CREATE, "/m/x", "1", false, 1),
        { .type = WIRE_OP_SET_DATA, .path = slice_str("/m/x"), .data = slice_str("2"), .version = 1 },
        create_op(WIRE_OP_CREATE, "/m/y", NULL, true, 2),
        { .type = WIRE_OP_DELETE, .path = slice_str("/a/n0000000008") },
    };
    log_multi(w, done, 5);
    const struct txn_op failed[] = {
        create_op(WIRE_OP_CREATE, "/m/never", "", false, 3),
        { .type = WIRE_OP_ERROR, .err = ERR_BAD_VERSION },
        { .type = WIRE_OP_ERROR, .err = ERR_RUNTIME_INCONSISTENCY },
    };
    log_multi(w, failed, 3);
    struct buf b;
    buf_init(&b, SIZE_MAX);
    wire_put_ustring(&b, slice_str("/gone"));
    wire_put_ustring(&b, slice_str("/m/y"));
    log_op(w, (struct txn_op){ .type = WIRE_OP_CLOSE_SESSION, .has_paths = true, .paths = { 2, buf_slice(&b) } });
    buf_fini(&b);
    create(w, WIRE_OP_CREATE_CONTAINER, "/box/inner", "", false);
    w->session = 0;
    log_op(w, (struct txn_op){ .type = WIRE_OP_DELETE_CONTAINER, .path = slice_str("/box/inner") });
}

static void flush(struct writer *w)
{
    if (txnlog_flush(w->log, &w->err) < 0)
        die(w->err.text);
}

static void snapshot(struct writer *w, enum snapshot_codec codec)
{
    struct snapshot_writer *s;
    struct buf b;
    struct tree_walk *walk = tree_walk_begin(w->tree);
    struct snapshot_write_options o = { .dir = w->dir,
                                        .zxid = tree_walk_zxid(walk),
                                        .codec = codec,
                                        .digest = true,
                                        .tree_digest = w->zxid == 0 ? 0 : tree_walk_digest(walk),
                                        .digest_zxid = tree_walk_zxid(walk),
                                        .last_zxid_block = true };
    if (snapshot_write_begin(w->fs, &o, &s, &w->err) < 0)
        die(w->err.text);
    buf_init(&b, SIZE_MAX);
    for (bool more = true; more; buf_reset(&b)) {
        more = tree_walk_next(walk, 4096, &b);
        if (snapshot_write_body(s, buf_slice(&b), &w->err) < 0)
            die(w->err.text);
    }
    if (snapshot_write_end(s, &w->err) < 0)
        die(w->err.text);
    tree_walk_end(walk);
    buf_fini(&b);
}

/* Half of a record at the end, as a crash leaves it, behind everything that counts. */
static void tear(struct writer *w, int64_t file_zxid)
{
    static const uint8_t torn[] = { 0, 0, 0, 0, 0x12, 0x34, 0x56, 0x78, 0, 0, 0, 100, 1, 2, 3 };
    char path[4096];
    uint64_t offset;
    struct slice payload;
    struct txnlog_reader *r;
    struct fs_file *f;
    snprintf(path, sizeof path, "%s/log.%" PRIx64, w->dir, (uint64_t)file_zxid);
    if (txnlog_reader_open(w->fs, path, 0, &r, &w->err) < 0)
        die(w->err.text);
    while (txnlog_reader_next(r, &payload, &offset, &w->err) == 1)
        ;
    if (fs_open(w->fs, path, FS_WRITE, &f) < 0 ||
        w->fs->ops->write_at(f, txnlog_reader_offset(r), torn, sizeof torn) < 0)
        die("cannot tear the log");
    w->fs->ops->close(f);
    txnlog_reader_close(r);
}

static void write_directory(const char *dir, enum snapshot_codec codec)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    struct writer w = { .fs = fs_real(), .dir = dir, .tree = tree_new(&tree_options), .now_ms = now.tv_sec * 1000 };
    arena_init(&w.arena, 65536);
    if (w.fs->ops->make_dir(w.fs, dir) < 0)
        die("cannot make the directory");
    w.log = txnlog_new(w.fs, &(struct txnlog_options){ .dir = dir, .prealloc_bytes = 65536, .force_sync = true });
    snapshot(&w, SNAPSHOT_PLAIN);
    first_part(&w);
    flush(&w);
    snapshot(&w, codec);
    txnlog_roll(w.log);
    int64_t file_zxid = w.zxid + 1;
    second_part(&w);
    flush(&w);
    tear(&w, file_zxid);
    print_tree(w.tree, w.zxid);
    txnlog_free(w.log);
    tree_free(w.tree);
    arena_fini(&w.arena);
}

static void read_directory(const char *dir)
{
    const struct store_recover_options options = { .tree = tree_options };
    struct store_recovered out;
    struct store_error err;
    if (store_recover(fs_real(), &(struct store_dirs){ dir, dir }, &options, &out, &err) < 0)
        die(err.text);
    if (out.digest_mismatches > 0)
        die("digest mismatch");
    print_tree(out.tree, out.last_zxid);
    tree_free(out.tree);
}

static void print_log(void *ctx, enum log_level level, const char *event, const char *text)
{
    (void)ctx;
    (void)level;
    fprintf(stderr, "%s %s\n", event, text);
}

int main(int argc, char **argv)
{
    log_set_sink(print_log, NULL, LOG_INFO);
    if (argc == 4 && strcmp(argv[1], "write") == 0) {
        enum snapshot_codec codec = strcmp(argv[3], "gz") == 0       ? SNAPSHOT_GZIP
                                    : strcmp(argv[3], "snappy") == 0 ? SNAPSHOT_SNAPPY
                                                                     : SNAPSHOT_PLAIN;
        write_directory(argv[2], codec);
        return 0;
    }
    if (argc == 3 && strcmp(argv[1], "read") == 0) {
        read_directory(argv[2]);
        return 0;
    }
    fprintf(stderr, "usage: durability_directory write DIR plain|gz|snappy | read DIR\n");
    return 2;
}
