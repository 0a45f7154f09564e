/* Purge: which snapshots and logs may go (disk specification 1, "Purge"). */
#include "base/log.h"
#include "store/internal.h"
#include <inttypes.h>
#include <stdio.h>

struct purge {
    struct fs *fs;
    const struct store_dirs *dirs;
    struct store_error *err;
    int64_t oldest_kept; /* zxid of the oldest snapshot that is kept */
    int removed;
};

static int purge_remove(struct purge *p, const char *dir, const char *name)
{
    struct store_path path;
    store_path_join(&path, dir, name);
    int rc = p->fs->ops->remove(p->fs, path.text);
    if (rc < 0 && rc != ERR_NOT_FOUND)
        return store_fail(p->err, rc, "%s: cannot remove: %s", path.text, err_text(rc));
    log_info("store.purged", "file=\"%s\"", path.text);
    p->removed += rc == 0;
    return 0;
}

/* Finds the oldest snapshot to keep: the newest `retain` that look valid, and more until one of them is known to be
 * whole. Apache looks only at how a file ends, so that `retain` damaged files can cost it the last good one.
 * 1 found; 0 there is none: then nothing may go; or an error. */
static int purge_find_oldest(struct purge *p, const struct store_files *snapshots, int retain)
{
    int kept = 0;
    bool whole = false;
    for (size_t i = snapshots->count; i-- > 0 && (kept < retain || !whole);) {
        const struct store_file *f = &snapshots->at[i];
        struct store_error why;
        int looks = snapshot_check(p->fs, p->dirs->snap_dir, f->name);
        if (looks < 0)
            return store_fail(p->err, looks, "%s/%s: cannot read: %s", p->dirs->snap_dir, f->name, err_text(looks));
        if (looks == 0)
            continue;
        if (!whole) {
            struct snapshot_info info;
            int rc = snapshot_verify(p->fs, p->dirs->snap_dir, f->name, 0, &info, &why);
            whole = rc == 0;
            if (rc < 0)
                log_warn("store.snapshot_damaged", "why=\"%s\" done=\"kept an older one\"", why.text);
        }
        kept++;
        p->oldest_kept = f->zxid;
    }
    return whole;
}

/* A snapshot counts only if its name is known to be durable: the sync after its rename may have failed, in this process
 * or in the one before it. */
static int purge_sync_names(struct purge *p)
{
    int rc = p->fs->ops->sync_dir(p->fs, p->dirs->snap_dir);
    return rc < 0 ? store_fail(p->err, rc, "%s: cannot sync the directory: %s; nothing is removed", p->dirs->snap_dir,
                               err_text(rc))
                  : 0;
}

static int purge_snapshots(struct purge *p, const struct store_files *snapshots)
{
    int rc = 0;
    for (size_t i = 0; i < snapshots->count && rc == 0 && snapshots->at[i].zxid < p->oldest_kept; i++)
        rc = purge_remove(p, p->dirs->snap_dir, snapshots->at[i].name);
    return rc;
}

/* Logs below the oldest snapshot go, but for the newest that begins at or below it: it may go on beyond. */
static int purge_logs(struct purge *p, const struct store_files *logs)
{
    int64_t needed = -1;
    int rc = 0;
    for (size_t i = 0; i < logs->count && logs->at[i].zxid <= p->oldest_kept; i++)
        needed = logs->at[i].zxid;
    for (size_t i = 0; i < logs->count && rc == 0 && logs->at[i].zxid < p->oldest_kept; i++) {
        if (logs->at[i].zxid != needed)
            rc = purge_remove(p, p->dirs->log_dir, logs->at[i].name);
    }
    return rc;
}

/* Unfinished snapshots that a crash left behind: older than the oldest that is kept, so nobody is writing them. */
static int purge_unfinished(struct purge *p)
{
    struct store_files files;
    int rc = store_files_list(p->fs, p->dirs->snap_dir, "tmp-snapshot", &files, p->err);
    for (size_t i = 0; i < files.count && rc == 0 && files.at[i].zxid < p->oldest_kept; i++)
        rc = purge_remove(p, p->dirs->snap_dir, files.at[i].name);
    store_files_fini(&files);
    return rc;
}

int store_purge(struct fs *fs, const struct store_dirs *dirs, int retain, struct store_error *err)
{
    struct purge p = { .fs = fs, .dirs = dirs, .err = err };
    struct store_files snapshots = { 0 }, logs = { 0 };
    int rc;
    ASSERT(retain > 0);
    if ((rc = store_files_list(fs, dirs->snap_dir, "snapshot", &snapshots, err)) < 0 ||
        (rc = store_files_list(fs, dirs->log_dir, "log", &logs, err)) < 0)
        goto out;
    if ((rc = purge_find_oldest(&p, &snapshots, retain)) <= 0 || (rc = purge_sync_names(&p)) < 0)
        goto out;
    if ((rc = purge_snapshots(&p, &snapshots)) < 0 || (rc = purge_logs(&p, &logs)) < 0)
        goto out;
    rc = purge_unfinished(&p);
out:
    store_files_fini(&snapshots);
    store_files_fini(&logs);
    return rc < 0 ? rc : p.removed;
}
