/* Cutting the end off the history. Every removal is made durable before the next: a power cut keeps any subset of what
 * is pending, and a log file that is gone in front of one that is not would be a gap. */
#include "base/log.h"
#include "base/mem.h"
#include "store/internal.h"
#include <inttypes.h>

struct truncation {
    struct fs *fs;
    const struct store_dirs *dirs;
    size_t record_bytes_max;
    int64_t zxid;
    struct store_error *err;
    struct store_files snapshots, logs;
    bool *tainted;     /* for each snapshot: must go */
    uint64_t *cuts;    /* for each log: where its first record above zxid stands; 0 there is none */
    bool above;        /* is there a record above zxid? */
    bool gap_below;    /* records at or below zxid are missing behind the snapshot looked at */
    bool gap_above;    /* the ones behind zxid do not follow without a gap */
    int64_t last_zxid; /* of the log before the cut */
    uint32_t files_removed, files_cut;
};

/* ---- looking ---- */

/* Reads the logs from the one that a recovery from a snapshot of `base` would begin with (-1: all). */
static int look_at_logs(struct truncation *t, int64_t base)
{
    struct log_walk w = { .fs = t->fs,
                          .dir = t->dirs->log_dir,
                          .files = &t->logs,
                          .record_bytes_max = t->record_bytes_max,
                          .quiet = true,
                          .next = store_logs_first(&t->logs, base) };
    struct log_record r;
    int64_t last = base;
    int rc;
    memset(t->cuts, 0, t->logs.count * sizeof *t->cuts);
    t->above = t->gap_below = t->gap_above = false;
    while ((rc = log_walk_next(&w, &r, t->err)) == 1) {
        if (r.zxid < 0) {
            rc = store_fail(t->err, ERR_CORRUPT,
                            "%s: offset %" PRIu64 ": a record is too short for a transaction; " STORE_LOG_REPAIR_HINT,
                            w.path.text, r.offset, w.path.text);
            break;
        }
        if (r.zxid > t->zxid) {
            t->above = true;
            if (t->cuts[r.file] == 0)
                t->cuts[r.file] = r.offset;
        }
        enum store_order order = store_order_of(last, &r, &t->snapshots);
        if (order == STORE_GAP || order == STORE_SEAM)
            *(r.zxid <= t->zxid ? &t->gap_below : &t->gap_above) = true;
        if (r.zxid > last)
            last = r.zxid;
    }
    log_walk_end(&w);
    t->last_zxid = last;
    return rc;
}

/* Is the content of this snapshot known to be whole and at or below zxid? One that another server wrote while it went
 * on holds effects up to its digest's zxid (disk specification 3.3). 1, 0 or an error. */
static int look_at_snapshot(struct truncation *t, size_t i)
{
    const char *name = t->snapshots.at[i].name;
    struct snapshot_info info;
    struct store_error why;
    int rc = snapshot_check(t->fs, t->dirs->snap_dir, name);
    if (rc == 0)
        return 0;
    if (rc < 0)
        (void)store_fail(&why, rc, "%s/%s: cannot read: %s", t->dirs->snap_dir, name, err_text(rc));
    else
        rc = snapshot_verify(t->fs, t->dirs->snap_dir, name, t->record_bytes_max, &info, &why);
    if (rc == ERR_CORRUPT) {
        log_warn("store.snapshot_skipped", "why=\"%s\"", why.text);
        return 0;
    }
    if (rc < 0) {
        *t->err = why;
        return rc;
    }
    t->tainted[i] = info.digest_zxid > t->zxid || (info.has_last_zxid && info.last_zxid > t->zxid);
    return !t->tainted[i];
}

/* Looks for a snapshot to build on; leaves t as look_at_logs saw it from there. 1 found; 0 there is none; ERR_END if
 * nothing is above zxid at all; or an error. */
static int look(struct truncation *t)
{
    size_t i = t->snapshots.count;
    for (; i > 0 && t->snapshots.at[i - 1].zxid > t->zxid; i--)
        t->tainted[i - 1] = true;
    bool files_above = i < t->snapshots.count || (t->logs.count > 0 && t->logs.at[t->logs.count - 1].zxid > t->zxid);
    int rc = look_at_logs(t, i > 0 ? t->snapshots.at[i - 1].zxid : -1);
    if (rc < 0 || (!t->above && !files_above))
        return rc < 0 ? rc : ERR_END;
    while (i-- > 0) {
        if ((rc = look_at_snapshot(t, i)) == 0)
            continue;
        if (rc < 0 || (rc = look_at_logs(t, t->snapshots.at[i].zxid)) < 0)
            return rc;
        if (!t->gap_below)
            return 1;
    }
    return look_at_logs(t, -1);
}

/* ---- cutting ---- */

static int remove_file(struct truncation *t, const char *dir, const char *name)
{
    struct store_path path;
    store_path_join(&path, dir, name);
    int rc = t->fs->ops->remove(t->fs, path.text);
    if (rc < 0 && rc != ERR_NOT_FOUND)
        return store_fail(t->err, rc, "%s: cannot remove: %s", path.text, err_text(rc));
    t->files_removed++;
    return 0;
}

static int sync_names(struct truncation *t, const char *dir)
{
    int rc = t->fs->ops->sync_dir(t->fs, dir);
    return rc < 0 ? store_fail(t->err, rc, "%s: cannot sync the directory: %s", dir, err_text(rc)) : 0;
}

/* Any subset of them may be gone: the logs lead to their end from the older one, or what is left is a shorter history.
 */
static int remove_snapshots(struct truncation *t)
{
    int rc = 0;
    bool any = false;
    for (size_t i = t->snapshots.count; i-- > 0 && rc == 0;) {
        if (!t->tainted[i])
            continue;
        rc = remove_file(t, t->dirs->snap_dir, t->snapshots.at[i].name);
        any = true;
    }
    return rc == 0 && any ? sync_names(t, t->dirs->snap_dir) : rc;
}

static int cut_log(struct truncation *t, size_t i)
{
    struct store_path path;
    struct fs_file *f = NULL;
    store_path_join(&path, t->dirs->log_dir, t->logs.at[i].name);
    int rc = fs_open(t->fs, path.text, FS_WRITE, &f);
    if (rc == 0)
        rc = t->fs->ops->truncate(f, t->cuts[i]);
    if (rc == 0)
        rc = t->fs->ops->sync(f);
    t->fs->ops->close(f);
    if (rc < 0)
        return store_fail(t->err, rc, "%s: cannot cut at offset %" PRIu64 ": %s", path.text, t->cuts[i], err_text(rc));
    t->files_cut++;
    return 0;
}

static int cut_logs(struct truncation *t)
{
    int rc = 0;
    for (size_t i = t->logs.count; i-- > 0 && rc == 0;) {
        if (t->logs.at[i].zxid > t->zxid) {
            if ((rc = remove_file(t, t->dirs->log_dir, t->logs.at[i].name)) == 0)
                rc = sync_names(t, t->dirs->log_dir);
        } else if (t->cuts[i] != 0) {
            rc = cut_log(t, i);
        }
    }
    return rc;
}

/* A snapshot whose name could not be made durable was removed again: that removal may be pending, and a crash would
 * bring back a history that this one no longer is. */
static int settle_names(struct truncation *t)
{
    int rc = sync_names(t, t->dirs->snap_dir);
    return rc == ERR_NOT_FOUND ? 0 : rc;
}

static int truncate_history(struct truncation *t)
{
    int rc = settle_names(t);
    if (rc < 0)
        return rc;
    rc = look(t);
    if (rc == ERR_END)
        return 0;
    if (rc < 0)
        return rc;
    bool found = rc == 1, snapshots_first = found && !t->gap_above;
    if (snapshots_first)
        rc = remove_snapshots(t);
    else
        rc = 0;
    if (rc == 0)
        rc = cut_logs(t);
    if (rc == 0 && found && !snapshots_first)
        rc = remove_snapshots(t);
    if (rc < 0)
        return rc;
    log_info("store.truncated", "zxid=0x%" PRIx64 " last=0x%" PRIx64 " removed=%" PRIu32 " cut=%" PRIu32,
             (uint64_t)t->zxid, (uint64_t)t->last_zxid, t->files_removed, t->files_cut);
    if (found)
        return 0;
    return store_fail(t->err, ERR_NOT_FOUND,
                      "%s: no usable snapshot at or below 0x%" PRIx64
                      " that the logs continue: the state of that moment "
                      "cannot be made from what is on disk. Let this member take a snapshot from the leader: empty its "
                      "data directories so that it joins anew",
                      t->dirs->snap_dir, (uint64_t)t->zxid);
}

int store_truncate(struct fs *fs, const struct store_dirs *dirs, size_t record_bytes_max, int64_t zxid,
                   struct store_error *err)
{
    struct truncation t = { .fs = fs, .dirs = dirs, .record_bytes_max = record_bytes_max, .zxid = zxid, .err = err };
    int rc;
    if (zxid == INT64_MAX)
        return 0;
    if ((rc = store_files_list(fs, dirs->snap_dir, "snapshot", &t.snapshots, err)) == 0 &&
        (rc = store_files_list(fs, dirs->log_dir, "log", &t.logs, err)) == 0) {
        t.tainted = mem_zalloc(t.snapshots.count * sizeof *t.tainted);
        t.cuts = mem_zalloc(t.logs.count * sizeof *t.cuts);
        rc = truncate_history(&t);
        mem_free(t.tainted);
        mem_free(t.cuts);
    }
    store_files_fini(&t.snapshots);
    store_files_fini(&t.logs);
    return rc;
}
