/* The epoch files: written beside their names, synced, renamed, and the directory synced, so that a name never leads to
 * half a number. */
#include "store/epochs.h"
#include "base/log.h"
#include "store/internal.h"
#include <inttypes.h>
#include <stdio.h>

#define ACCEPTED_NAME "acceptedEpoch"
#define CURRENT_NAME "currentEpoch"
#define EPOCH_TEXT_BYTES_MAX 40 /* more than any number and its newline */

static int64_t epoch_of(int64_t zxid)
{
    return zxid >> 32;
}

/* ---- reading ---- */

/* The number in the text of a file, or -1. One newline is fine: an editor leaves it, and Apache reads one line. Zxids
 * carry the epoch in 31 bits. */
static int64_t epoch_parse(const char *p, size_t n)
{
    int64_t epoch = 0;
    if (n > 0 && p[n - 1] == '\n')
        n--;
    if (n > 0 && p[n - 1] == '\r')
        n--;
    if (n == 0 || n > 10)
        return -1;
    for (size_t i = 0; i < n; i++) {
        if (p[i] < '0' || p[i] > '9')
            return -1;
        epoch = epoch * 10 + (p[i] - '0');
    }
    return epoch <= INT32_MAX ? epoch : -1;
}

static int epoch_damaged(const char *path, const char *p, size_t n, struct store_error *err)
{
    char shown[4 * EPOCH_TEXT_BYTES_MAX + 1];
    size_t at = 0;
    for (size_t i = 0; i < n; i++) {
        bool plain = p[i] >= ' ' && p[i] <= '~' && p[i] != '"' && p[i] != '\\';
        at += (size_t)snprintf(shown + at, sizeof shown - at, plain ? "%c" : "\\x%02x", (unsigned char)p[i]);
    }
    shown[at] = 0;
    return store_fail(err, ERR_CORRUPT,
                      "%s: does not hold an epoch (a decimal number) but %s%zu bytes: \"%s\". Restore it from a backup "
                      "of this member, or empty the data directories of this member so that it joins anew",
                      path, n == EPOCH_TEXT_BYTES_MAX ? "at least " : "", n, shown);
}

/* *epoch -1: there is no such file. */
static int epoch_read(struct fs *fs, const char *dir, const char *name, int64_t *epoch, struct store_error *err)
{
    struct store_path path;
    struct fs_file *f = NULL;
    char text[EPOCH_TEXT_BYTES_MAX];
    *epoch = -1;
    store_path_join(&path, dir, name);
    int rc = fs_open(fs, path.text, FS_READ, &f);
    if (rc == ERR_NOT_FOUND)
        return 0;
    if (rc < 0)
        return store_fail(err, rc, "%s: cannot open: %s", path.text, err_text(rc));
    int64_t n = fs->ops->read_at(f, 0, text, sizeof text);
    fs->ops->close(f);
    if (n < 0)
        return store_fail(err, (int)n, "%s: cannot read: %s", path.text, err_text((int)n));
    *epoch = epoch_parse(text, (size_t)n);
    return *epoch < 0 ? epoch_damaged(path.text, text, (size_t)n, err) : 0;
}

int store_epochs_read(struct fs *fs, const char *dir, int64_t last_zxid, struct store_epochs *out,
                      struct store_error *err)
{
    int64_t accepted, current, last = epoch_of(last_zxid);
    int rc = epoch_read(fs, dir, ACCEPTED_NAME, &accepted, err);
    if (rc < 0 || (rc = epoch_read(fs, dir, CURRENT_NAME, &current, err)) < 0)
        return rc;
    const char *const missing = " (no such file; taken from the last transaction)";
    *out = (struct store_epochs){ .accepted = accepted < 0 ? last : accepted, .current = current < 0 ? last : current };
    if (out->current > out->accepted)
        return store_fail(err, ERR_INVALID,
                          "%s: " CURRENT_NAME " %" PRId64 "%s is above " ACCEPTED_NAME " %" PRId64
                          "%s, which no crash leaves. Restore both files, snapshots and logs from one backup, or empty "
                          "the data directories of this member so that it joins anew",
                          dir, out->current, current < 0 ? missing : "", out->accepted, accepted < 0 ? missing : "");
    if (last > out->accepted)
        return store_fail(err, ERR_INVALID,
                          "%s: the last transaction is 0x%" PRIx64 ", of epoch %" PRId64 ", above " ACCEPTED_NAME
                          " %" PRId64 ": files of another member or of another time. Restore both epoch files, "
                          "snapshots and logs from one backup, or empty the data directories of this member so that "
                          "it joins anew",
                          dir, (uint64_t)last_zxid, last, out->accepted);
    if (last > out->current)
        log_warn("store.epoch_behind",
                 "dir=\"%s\" current=%" PRId64 " last=0x%" PRIx64
                 " why=\"stopped before the epoch of this history was acknowledged\" done=\"votes with the lower one\"",
                 dir, out->current, (uint64_t)last_zxid);
    return 0;
}

/* ---- writing ---- */

static int epoch_write_tmp(struct fs *fs, const char *tmp, int64_t epoch)
{
    struct fs_file *f = NULL;
    char text[24];
    int n = snprintf(text, sizeof text, "%" PRId64, epoch);
    int rc = store_create(fs, tmp, &f);
    if (rc < 0)
        return rc;
    if ((rc = fs->ops->write_at(f, 0, text, (size_t)n)) == 0)
        rc = fs->ops->sync(f);
    fs->ops->close(f);
    return rc;
}

static int epoch_write(struct fs *fs, const char *dir, const char *name, int64_t epoch, struct store_error *err)
{
    struct store_path path, tmp;
    char tmp_name[32];
    (void)snprintf(tmp_name, sizeof tmp_name, "%s.tmp", name);
    store_path_join(&path, dir, name);
    store_path_join(&tmp, dir, tmp_name);
    int rc = epoch_write_tmp(fs, tmp.text, epoch);
    if (rc == 0)
        rc = fs->ops->rename(fs, tmp.text, path.text);
    if (rc == 0)
        rc = fs->ops->sync_dir(fs, dir);
    return rc < 0 ? store_fail(err, rc, "%s: cannot write epoch %" PRId64 ": %s", path.text, epoch, err_text(rc)) : 0;
}

int store_epochs_save(struct fs *fs, const char *dir, const struct store_epochs *old, const struct store_epochs *now,
                      struct store_error *err)
{
    ASSERT(now->current <= now->accepted && now->current >= 0 && now->accepted <= INT32_MAX);
    int rc = 0;
    if (old == NULL || old->accepted != now->accepted)
        rc = epoch_write(fs, dir, ACCEPTED_NAME, now->accepted, err);
    if (rc == 0 && (old == NULL || old->current != now->current))
        rc = epoch_write(fs, dir, CURRENT_NAME, now->current, err);
    return rc;
}
