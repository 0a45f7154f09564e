/* zokor log verify: what the server would say of these files when it starts. */
#include "base/err.h"
#include "store/snapshot.h"
#include "store/txnlog.h"
#include "tools/log_internal.h"
#include <inttypes.h>

struct verify {
    const struct log_context *c;
    struct store_error err;
    bool damaged;
};

static void say_bad(struct verify *v, const char *text)
{
    v->damaged = true;
    fprintf(v->c->out, "BAD   %s\n", text);
}

static void judge_log(struct verify *v, const char *name)
{
    struct txnlog_reader *r = NULL;
    struct slice payload;
    struct txn txn;
    uint64_t offset, count = 0, unreadable = 0, gaps = 0;
    int64_t first = -1, last = -1;
    int rc = txnlog_reader_open(v->c->fs, name, (size_t)1 << 30, &r, &v->err);
    while (rc == 0 && (rc = txnlog_reader_next(r, &payload, &offset, &v->err)) == 1) {
        int64_t zxid = txnlog_reader_zxid(r);
        unreadable += txn_decode(payload, &txn) != 0;
        gaps += last >= 0 && zxid >> 32 == last >> 32 && zxid > last + 1;
        first = first < 0 ? zxid : first;
        last = zxid;
        count++;
        rc = 0;
    }
    bool torn = r != NULL && txnlog_reader_end(r) == TXNLOG_END_TORN;
    txnlog_reader_close(r); /* takes the line of progress away */
    if (rc < 0) {
        say_bad(v, v->err.text);
    } else if (unreadable > 0 || gaps > 0) {
        v->damaged = true;
        fprintf(v->c->out, "BAD   %s: %" PRIu64 " records are no transactions, %" PRIu64 " times zxids are missing\n",
                name, unreadable, gaps);
    } else if (count == 0) {
        fprintf(v->c->out, "ok    %s: no transaction\n", name);
    } else {
        fprintf(v->c->out, "ok    %s: %" PRIu64 " transactions, zxid 0x%" PRIx64 " to 0x%" PRIx64 "%s\n", name, count,
                (uint64_t)first, (uint64_t)last, torn ? ", with the torn end of a crash behind them" : "");
    }
}

static void judge_snapshot(struct verify *v, const char *path)
{
    char dir[4096];
    const char *base = file_base(path);
    struct store_recover_options options = { .tree = { .extended_types = true, .digest_enabled = true },
                                             .record_bytes_max = (size_t)1 << 30 };
    struct snapshot_info info;
    struct tree *tree = NULL;
    file_dir(path, dir, sizeof dir);
    if (snapshot_read(v->c->fs, dir, base, &options, &tree, &info, &v->err) < 0) {
        say_bad(v, v->err.text);
        return;
    }
    bool exact = info.digest_version == WIRE_DIGEST_VERSION && info.digest_zxid == info.zxid &&
                 info.digest_zxid != 0; /* 0: of a server that has applied nothing */
    fprintf(v->c->out, "ok    %s: %" PRId64 " nodes, %zu sessions, checksum right%s\n", path, tree_node_count(tree),
            tree_session_count(tree),
            !exact                             ? ""
            : tree_digest(tree) == info.digest ? ", digest right"
                                               : ", a digest other than the one it names: see the last line");
    tree_free(tree);
}

static int judge_files(struct verify *v, const char *named, const char *kind)
{
    struct file_list files = { 0 };
    int rc = file_list_expand(&files, v->c->fs, named, kind, &v->err);
    for (size_t i = 0; i < files.count && rc == 0; i++) {
        if (store_name_zxid(file_base(files.at[i]), "snapshot") >= 0)
            judge_snapshot(v, files.at[i]);
        else
            judge_log(v, files.at[i]);
    }
    file_list_fini(&files);
    return rc;
}

static int judge_history(struct verify *v, const char *log_named, const char *snap_named)
{
    char log_dir[4096], snap_dir[4096];
    struct store_recovered got;
    struct store_recover_options options = { .tree = { .extended_types = true, .digest_enabled = true },
                                             .record_bytes_max = (size_t)1 << 30 };
    file_version_dir(v->c->fs, log_named, log_dir, sizeof log_dir);
    file_version_dir(v->c->fs, snap_named, snap_dir, sizeof snap_dir);
    struct store_dirs dirs = { .log_dir = log_dir, .snap_dir = snap_dir };
    int rc = store_recover(v->c->fs, &dirs, &options, &got, &v->err);
    if (rc < 0) {
        fprintf(v->c->out, "A server cannot start with these files: %s\n", v->err.text);
        return rc;
    }
    fprintf(v->c->out,
            "A server starts with these files: last zxid 0x%" PRIx64 ", %" PRId64 " nodes, digest 0x%" PRIx64 "; ",
            (uint64_t)got.last_zxid, tree_node_count(got.tree), tree_digest(got.tree));
    if (got.snapshot_zxid >= 0)
        fprintf(v->c->out, "snapshot 0x%" PRIx64 ", ", (uint64_t)got.snapshot_zxid);
    fprintf(v->c->out, "%" PRIu64 " transactions behind it, %" PRIu64 " digests right, %" PRIu64 " wrong.%s\n",
            got.txn_count, got.digest_matches, got.digest_mismatches,
            got.snapshot_ahead ? " The snapshot was written while a transaction came in, and is whole with it." : "");
    tree_free(got.tree);
    return 0;
}

int log_verify(const struct log_context *c, char *const *names, size_t count, const char *snap_dir)
{
    struct verify v = { .c = c };
    int rc = 0;
    for (size_t i = 0; i < count && rc == 0; i++) {
        bool dir = file_is_dir(c->fs, names[i]);
        rc = judge_files(&v, names[i], "log");
        if (rc == ERR_NOT_FOUND && dir)
            rc = 0;
        const char *snap = snap_dir != NULL ? snap_dir : names[i];
        if (rc == 0 && dir && (rc = judge_files(&v, snap, "snapshot")) == ERR_NOT_FOUND)
            rc = 0;
        if (rc == 0 && dir && judge_history(&v, names[i], snap) < 0)
            v.damaged = true;
    }
    if (rc < 0)
        fprintf(c->err, "zokor: %s\n", v.err.text);
    return rc < 0 || v.damaged ? 1 : 0;
}
