/* Reading the history on disk: the records of all logs, one after the other. What start-up, truncation and a leader
 * that serves a learner from disk share. */
#include "store/logread.h"
#include "base/log.h"
#include "base/mem.h"
#include "store/internal.h"
#include "wire/proto.h"
#include <inttypes.h>

#define TXN_HEADER_BYTES 32u /* session, cxid, zxid, time, type */

/* ---- every record ---- */

size_t store_logs_first(const struct store_files *files, int64_t zxid)
{
    size_t first = 0;
    while (first + 1 < files->count && files->at[first + 1].zxid <= zxid)
        first++;
    return first;
}

/* 1 opened; 0 passed over; or an error. */
static int walk_open(struct log_walk *w, struct store_error *err)
{
    bool newest = w->next + 1 == w->files->count;
    store_path_join(&w->path, w->dir, w->files->at[w->next++].name);
    int rc = txnlog_reader_open(w->fs, w->path.text, w->record_bytes_max, &w->reader, err);
    if (rc != ERR_END)
        return rc < 0 ? rc : 1;
    if (!newest)
        return store_fail(err, ERR_CORRUPT, "%s: is empty, and newer logs exist; " STORE_LOG_REPAIR_HINT, w->path.text,
                          w->path.text);
    if (!w->quiet) /* created and not written: as 3.9.5, which deletes it */
        log_warn("store.log_empty", "file=\"%s\" done=\"passed over\"", w->path.text);
    return 0;
}

static void walk_close(struct log_walk *w)
{
    w->torn = txnlog_reader_end(w->reader) == TXNLOG_END_TORN;
    if (w->torn) {
        (void)store_fail(&w->torn_text, 0, "%s", txnlog_reader_torn_text(w->reader));
        w->torn_files++;
    }
    if (w->torn && !w->quiet)
        log_warn("store.log_torn", "what=\"%s\" done=\"%s\"", w->torn_text.text,
                 "went on with what is before it; nothing behind it was acknowledged");
    log_walk_end(w);
}

void log_walk_end(struct log_walk *w)
{
    txnlog_reader_close(w->reader);
    w->reader = NULL;
}

int log_walk_next(struct log_walk *w, struct log_record *out, struct store_error *err)
{
    for (;;) {
        int rc;
        if (w->reader == NULL) {
            if (w->next >= w->files->count)
                return 0;
            if ((rc = walk_open(w, err)) < 0)
                return rc;
            if (rc == 0)
                continue;
        }
        if ((rc = txnlog_reader_next(w->reader, &out->payload, &out->offset, err)) < 0)
            return rc;
        if (rc == 0) {
            walk_close(w);
            continue;
        }
        bool header = out->payload.n >= TXN_HEADER_BYTES;
        out->file = w->next - 1;
        out->zxid = header ? (int64_t)load_be64(out->payload.p + 12) : -1;
        out->type = header ? (int32_t)load_be32(out->payload.p + 28) : 0;
        return 1;
    }
}

enum store_order store_order_of(int64_t last_zxid, const struct log_record *r, const struct store_files *snapshots)
{
    if (r->zxid == last_zxid && r->type == WIRE_OP_ERROR)
        return STORE_REPEATS;
    if (r->zxid <= last_zxid)
        return STORE_LOWER;
    if (r->zxid == last_zxid + 1)
        return STORE_FOLLOWS;
    if (r->zxid >> 32 == last_zxid >> 32)
        return STORE_GAP;
    for (size_t i = snapshots->count; i-- > 0 && snapshots->at[i].zxid > last_zxid;)
        if (snapshots->at[i].zxid < r->zxid)
            return STORE_SEAM;
    return STORE_FOLLOWS;
}

/* ---- a piece for a learner ---- */

struct store_log_read {
    struct store_files files, snapshots;
    struct log_walk walk;
    char *dir;
    int64_t last_zxid, to;
};

static int64_t file_bytes(struct fs *fs, const char *dir, const char *name, struct store_error *err)
{
    struct store_path path;
    struct fs_file *f = NULL;
    store_path_join(&path, dir, name);
    int64_t n = fs_open(fs, path.text, FS_READ, &f);
    if (n == 0)
        n = fs->ops->size(f);
    fs->ops->close(f);
    return n < 0 ? store_fail(err, (int)n, "%s: cannot read: %s", path.text, err_text((int)n)) : n;
}

/* The sizes that the rule of snapshotSizeFactor compares. */
static int measure(struct store_log_read *r, const char *snap_dir, size_t holder, struct store_log_cover *cover,
                   struct store_error *err)
{
    struct fs *fs = r->walk.fs;
    int64_t n = 0;
    if (r->snapshots.count > 0)
        n = file_bytes(fs, snap_dir, r->snapshots.at[r->snapshots.count - 1].name, err);
    cover->image_bytes = n < 0 ? 0 : (uint64_t)n;
    for (size_t i = holder + 1; n >= 0 && i < r->files.count; i++) {
        n = file_bytes(fs, r->dir, r->files.at[i].name, err);
        cover->bytes += n < 0 ? 0 : (uint64_t)n;
    }
    return n < 0 ? (int)n : 0;
}

/* Reads all of it once, so that whoever asks knows before the first record is sent that the last one will come. */
static int look_through(struct store_log_read *r, int64_t from, size_t *holder, struct store_log_cover *cover,
                        struct store_error *err)
{
    struct log_record record;
    int64_t last = -1;
    int rc = 1;
    *holder = r->walk.next = store_logs_first(&r->files, from);
    cover->covered = true;
    while (last < r->to && cover->covered && (rc = log_walk_next(&r->walk, &record, err)) == 1) {
        if (record.zxid > r->to)
            break;
        if (record.zxid <= last)
            continue;
        enum store_order order = store_order_of(last, &record, &r->snapshots);
        if (record.zxid <= from) {
            cover->before = record.zxid;
            *holder = record.file;
        } else if (last < 0 || order != STORE_FOLLOWS) {
            cover->covered = false;
        }
        last = record.zxid;
    }
    log_walk_end(&r->walk);
    cover->covered &= cover->before >= 0 && last == r->to;
    cover->exact = cover->before == from;
    r->last_zxid = cover->before;
    r->walk.next = *holder;
    return rc < 0 ? rc : 0;
}

int store_log_read_open(struct fs *fs, const struct store_dirs *dirs, size_t record_bytes_max, int64_t from, int64_t to,
                        struct store_log_cover *cover, struct store_log_read **out, struct store_error *err)
{
    struct store_log_read *r = mem_zalloc(sizeof *r);
    size_t dir_size = strlen(dirs->log_dir) + 1, holder = 0;
    ASSERT(from <= to);
    *out = NULL;
    *cover = (struct store_log_cover){ .before = -1 };
    r->dir = mem_alloc(dir_size);
    memcpy(r->dir, dirs->log_dir, dir_size);
    r->to = to;
    r->walk = (struct log_walk){
        .fs = fs, .dir = r->dir, .files = &r->files, .record_bytes_max = record_bytes_max, .quiet = true
    };
    int rc = store_files_list(fs, r->dir, "log", &r->files, err);
    if (rc == 0)
        rc = store_files_list(fs, dirs->snap_dir, "snapshot", &r->snapshots, err);
    if (rc == 0)
        rc = look_through(r, from, &holder, cover, err);
    if (rc == 0 && cover->covered)
        rc = measure(r, dirs->snap_dir, holder, cover, err);
    if (rc == 0 && cover->covered)
        *out = r;
    else
        store_log_read_close(r);
    return rc;
}

int store_log_read_next(struct store_log_read *r, int64_t *zxid, struct slice *payload, struct store_error *err)
{
    struct log_record record;
    int rc;
    while (r->last_zxid < r->to && (rc = log_walk_next(&r->walk, &record, err)) != 0) {
        if (rc < 0)
            return rc;
        if (record.zxid <= r->last_zxid) /* passed over by every reader */
            continue;
        *zxid = r->last_zxid = record.zxid;
        *payload = record.payload;
        return 1;
    }
    return 0;
}

void store_log_read_close(struct store_log_read *r)
{
    if (r == NULL)
        return;
    log_walk_end(&r->walk);
    store_files_fini(&r->files);
    store_files_fini(&r->snapshots);
    mem_free(r->dir);
    mem_free(r);
}
