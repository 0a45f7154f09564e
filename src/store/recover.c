/* Recovery: the newest snapshot that loads, then the records behind it (disk specification 2.7, 3.4, 3.5). Changes
 * nothing (what is read was made durable, see settle_logs); what is wrong is either refused with a message or told in
 * the log. */
#include "base/log.h"
#include "base/mem.h"
#include "base/museum.h"
#include "store/internal.h"
#include "wire/proto.h"
#include <inttypes.h>
#include <stdio.h>

#define SNAPSHOTS_TRIED_MAX 100
#define ARENA_BLOCK_BYTES (64u << 10)
#define TXN_HEADER_BYTES 32u
#define MISMATCHES_LOGGED_MAX 1 /* the first one tells where it began; the rest follow from it */

struct recovery {
    struct fs *fs;
    const struct store_dirs *dirs;
    const struct store_recover_options *options;
    struct store_recovered *out;
    struct store_error *err;
    struct snapshot_info snapshot;
    struct store_files snapshots; /* without those that do not look like one, which a crash can leave */
    struct store_files logs;
    struct arena arena;
    int64_t last_zxid;       /* of the record replayed last; the snapshot's before the first */
    bool any;                /* was one replayed? */
    bool compare;            /* are digests compared by now? (3.4 rule 10) */
    bool odd;                /* the snapshot's digest did not fit, and no other has been compared since */
    uint64_t odd_digest;     /* that of the tree then */
    bool gap_after_snapshot; /* the first record replayed, gap_zxid, is not the one behind the snapshot */
    int64_t gap_zxid;
    uint64_t gap_matches; /* digests that were right before it */
    struct log_walk walk;
    int64_t told_zxid; /* of the last record that on_txn was told of, or does not want to be */
    uint64_t lower_zxids;
};

/* ---- the snapshot ---- */

/* Apache refuses too: a log in the snapshots' directory, or a snapshot in the logs', is a sign of a dataLogDir that
 * was changed without moving the files. */
static int check_places(struct recovery *v)
{
    static const char *const kinds[] = { "log", "snapshot" };
    const char *const wrong[] = { v->dirs->snap_dir, v->dirs->log_dir };
    int rc = 0;
    for (size_t i = 0; i < 2 && rc == 0 && strcmp(v->dirs->snap_dir, v->dirs->log_dir) != 0; i++) {
        struct store_files files;
        rc = store_files_list(v->fs, wrong[i], kinds[i], &files, v->err);
        if (rc == 0 && files.count > 0)
            rc = store_fail(
                v->err, ERR_INVALID,
                "%s/%s: a %s in the directory of the %s; move it, or set dataDir and dataLogDir as they were", wrong[i],
                files.at[0].name, kinds[i], i == 0 ? "snapshots" : "logs");
        store_files_fini(&files);
    }
    return rc;
}

/* Tries one snapshot. 1: loaded; 0: it is not one; ERR_CORRUPT and ERR_IO: it cannot be used, an older one may; or an
 * error that says nothing about the file. */
static int load_one(struct recovery *v, const char *name, struct store_error *why)
{
    int rc = snapshot_check(v->fs, v->dirs->snap_dir, name);
    if (rc == 0)
        (void)store_fail(why, 0, "%s/%s: does not end like a snapshot", v->dirs->snap_dir, name);
    else if (rc < 0)
        (void)store_fail(why, rc, "%s/%s: cannot read: %s", v->dirs->snap_dir, name, err_text(rc));
    else if ((rc = snapshot_read(v->fs, v->dirs->snap_dir, name, v->options, &v->out->tree, &v->snapshot, why)) == 0)
        return 1;
    log_warn("store.snapshot_skipped", "why=\"%s\"", why->text);
    v->out->snapshots_skipped++;
    return rc;
}

/* Tries the newest snapshots that look valid. 1: loaded; 0: there is none to try (*seen_zxid: the newest that exists
 * but does not look valid, or -1); or an error. */
static int load_snapshot(struct recovery *v, int64_t *seen_zxid)
{
    struct store_files *files = &v->snapshots;
    struct store_error why = { "" };
    uint32_t tried = 0;
    int failed = 0;
    int rc = store_files_list(v->fs, v->dirs->snap_dir, "snapshot", files, v->err);
    *seen_zxid = files->count == 0 ? -1 : files->at[files->count - 1].zxid;
    for (size_t i = files->count; rc == 0 && i-- > 0 && tried < SNAPSHOTS_TRIED_MAX;) {
        rc = load_one(v, files->at[i].name, &why);
        tried += rc != 0;
        if (rc == 0) {
            store_files_remove(files, i);
        } else if (rc == ERR_CORRUPT || rc == ERR_IO) {
            failed = rc;
            rc = 0;
        } else if (rc < 0) {
            *v->err = why;
        }
    }
    if (rc == 0 && failed != 0)
        rc = store_fail(v->err, failed,
                        "%s: none of the %" PRIu32 " newest snapshots can be loaded (the last one tried: %.600s); "
                        "restore one from a backup or from another member",
                        v->dirs->snap_dir, tried, why.text);
    return rc;
}

/* ---- digests ---- */

static void count_mismatch(struct recovery *v, int64_t zxid, uint64_t expected, uint64_t got)
{
    if (v->out->digest_mismatches++ < MISMATCHES_LOGGED_MAX)
        log_error("store.digest_mismatch",
                  "zxid=0x%" PRIx64 " expected=0x%" PRIx64 " got=0x%" PRIx64
                  " next=\"compare with another member or a backup\"",
                  (uint64_t)zxid, expected, got);
}

/* The tree at the zxid of the snapshot's own digest. Apache names the digest of the transaction before the one that is
 * being applied while the last nodes are written (DataTree.processTxn notes it at its end), so that a snapshot may hold
 * a part of what its digest does not count. Whether it is that or damage, the next digest tells: see compare_txn. */
static void compare_snapshot(struct recovery *v)
{
    if (v->snapshot.digest_version != WIRE_DIGEST_VERSION)
        return;
    v->odd_digest = tree_digest(v->out->tree);
    v->odd = v->odd_digest != v->snapshot.digest;
    v->out->digest_matches += !v->odd;
}

static void judge_odd(struct recovery *v)
{
    if (v->odd)
        count_mismatch(v, v->snapshot.digest_zxid, v->snapshot.digest, v->odd_digest);
    v->odd = false;
}

static void compare_txn(struct recovery *v, const struct txn *txn)
{
    uint64_t got = tree_digest(v->out->tree), expected = (uint64_t)txn->digest.tree_digest;
    if (txn->digest.version != WIRE_DIGEST_VERSION)
        return;
    if (got != expected) {
        judge_odd(v);
        count_mismatch(v, txn->header.zxid, expected, got);
        return;
    }
    v->out->digest_matches++;
    if (v->odd) {
        v->odd = false;
        v->out->snapshot_ahead = true;
        log_info("store.snapshot_ahead", "snapshot=0x%" PRIx64 " digest_zxid=0x%" PRIx64 " whole_at=0x%" PRIx64,
                 (uint64_t)v->snapshot.zxid, (uint64_t)v->snapshot.digest_zxid, (uint64_t)txn->header.zxid);
    }
}

/* The tree's digest is not comparable while the replay is behind the moment at which the snapshot's last node was
 * written; at that moment it must equal the snapshot's. */
static void compare_after(struct recovery *v, const struct txn *txn)
{
    if (!v->options->tree.digest_enabled)
        return;
    if (!v->compare && txn->header.zxid >= v->snapshot.digest_zxid) {
        v->compare = true;
        if (txn->header.zxid == v->snapshot.digest_zxid)
            compare_snapshot(v);
    }
    if (v->compare && txn->has_digest && !(v->odd && txn->header.zxid == v->snapshot.digest_zxid))
        compare_txn(v, txn);
}

static void compare_begin(struct recovery *v)
{
    const struct snapshot_info *s = &v->snapshot;
    v->compare = s->digest_version != WIRE_DIGEST_VERSION || s->digest_zxid < s->zxid || s->digest_zxid == 0;
    if (v->options->tree.digest_enabled && s->digest_version == WIRE_DIGEST_VERSION && s->digest_zxid != 0 &&
        s->digest_zxid == s->zxid) {
        v->compare = true;
        compare_snapshot(v);
    }
}

/* ---- the logs ---- */

/* May this record follow? 1 yes; 0 it is to be passed over; or an error. */
static int check_order(struct recovery *v, const char *name, const struct log_record *r)
{
    int64_t zxid = r->zxid, last = v->last_zxid;
    switch (store_order_of(last, r, &v->snapshots)) {
    case STORE_FOLLOWS:
        return 1;
    case STORE_REPEATS:
        return 0;
    case STORE_LOWER:
        if (v->lower_zxids++ == 0)
            log_warn("store.zxid_lower",
                     "file=\"%s/%s\" offset=%" PRIu64 " zxid=0x%" PRIx64 " after=0x%" PRIx64 " done=\"passed over\"",
                     v->dirs->log_dir, name, r->offset, (uint64_t)zxid, (uint64_t)last);
        return 0;
    case STORE_SEAM:
        return store_fail(v->err, ERR_GAP,
                          "%s/%s: offset %" PRIu64 ": zxid 0x%" PRIx64
                          " belongs behind a newer snapshot than 0x%" PRIx64
                          ", which is damaged: without it transactions are missing. Restore it from a backup, or empty "
                          "the data directories of this member so that it joins anew",
                          v->dirs->log_dir, name, r->offset, (uint64_t)zxid, (uint64_t)last);
    case STORE_GAP:
        break;
    }
    if (!v->any) {
        v->gap_after_snapshot = v->out->snapshot_zxid >= 0;
        v->gap_zxid = zxid;
        v->gap_matches = v->out->digest_matches;
        log_warn("store.zxid_gap",
                 "file=\"%s/%s\" first=0x%" PRIx64 " snapshot=0x%" PRIx64 " next=\"look for a missing log file\"",
                 v->dirs->log_dir, name, (uint64_t)zxid, (uint64_t)last);
        return 1;
    }
    struct store_path path;
    store_path_join(&path, v->dirs->log_dir, name);
    return store_fail(
        v->err, ERR_GAP,
        "%s: offset %" PRIu64 ": zxid 0x%" PRIx64 " follows 0x%" PRIx64
        ": transactions between them are missing%s%.300s. Put the missing log file back; else " STORE_LOG_REPAIR_HINT,
        path.text, r->offset, (uint64_t)zxid, (uint64_t)last, v->walk.torn ? "; " : "",
        v->walk.torn ? v->walk.torn_text.text : "", path.text);
}

static int fail_undecodable(struct recovery *v, const char *name, const struct log_record *r, int why)
{
    struct store_path path;
    store_path_join(&path, v->dirs->log_dir, name);
    return store_fail(v->err, ERR_CORRUPT,
                      "%s: offset %" PRIu64 ": a record with a right checksum cannot be decoded (%s); the record "
                      "before it has zxid 0x%" PRIx64
                      ". A newer version may have written it; else " STORE_LOG_REPAIR_HINT,
                      path.text, r->offset, err_text(why), (uint64_t)v->last_zxid, path.text);
}

static int replay_record(struct recovery *v, const struct log_record *r)
{
    const char *name = v->logs.at[r->file].name;
    struct txn txn;
    int rc = txn_decode(r->payload, &txn);
    if (rc != 0)
        return fail_undecodable(v, name, r, rc);
    rc = check_order(v, name, r);
    if (rc <= 0)
        return rc;
    struct tree_applied applied;
    arena_reset(&v->arena);
    tree_apply(v->out->tree, &txn, &v->arena, &applied);
    compare_after(v, &txn);
    if (v->gap_after_snapshot && v->out->digest_mismatches > 0)
        return store_fail(v->err, ERR_GAP,
                          "%s/%s: the first record behind snapshot 0x%" PRIx64 " has zxid 0x%" PRIx64
                          " and the digests do not fit: a log file between them is missing. Put it back, or restore "
                          "from a backup or another member",
                          v->dirs->log_dir, name, (uint64_t)v->out->snapshot_zxid, (uint64_t)v->gap_zxid);
    if (v->out->digest_matches > v->gap_matches)
        v->gap_after_snapshot = false;
    v->last_zxid = txn.header.zxid;
    v->any = true;
    v->out->txn_count++;
    return 0;
}

/* Ids of sessions that have ended are in the log only. */
static void note_session(struct recovery *v, const struct log_record *r)
{
    if (r->payload.n < TXN_HEADER_BYTES)
        return;
    int64_t id = (int64_t)load_be64(r->payload.p);
    bool own = (uint8_t)((uint64_t)id >> 56) == v->options->server_id;
    if (own && (v->out->past_session_id == 0 || id > v->out->past_session_id))
        v->out->past_session_id = id;
}

/* Who collects the end of the history gets each record once, in order, and none in front of a gap. */
static void tell_txn(struct recovery *v, const struct log_record *r)
{
    if (v->options->on_txn == NULL || r->zxid <= v->told_zxid)
        return;
    v->told_zxid = r->zxid;
    v->options->on_txn(v->options->on_txn_ctx, r->zxid, r->payload);
}

/* Reads ahead to the first record behind the snapshot: finds from where on what stands in front of it leads to it. */
static int tell_from(struct recovery *v)
{
    struct log_walk w = v->walk;
    struct log_record r;
    int64_t last = -1;
    int rc = 1;
    w.quiet = true;
    v->told_zxid = v->snapshot.zxid;
    while (last <= v->snapshot.zxid && (rc = log_walk_next(&w, &r, v->err)) == 1) {
        if (r.zxid <= last)
            continue;
        enum store_order order = store_order_of(last, &r, &v->snapshots);
        if (last < 0 || order == STORE_GAP || order == STORE_SEAM)
            v->told_zxid = r.zxid - 1;
        last = r.zxid;
    }
    log_walk_end(&w);
    if (last < v->snapshot.zxid)
        v->told_zxid = v->snapshot.zxid;
    return rc < 0 ? rc : 0;
}

static int replay(struct recovery *v)
{
    struct log_record r;
    int rc;
    v->walk.next = store_logs_first(&v->logs, v->snapshot.zxid);
    if (v->options->on_txn != NULL && (rc = tell_from(v)) < 0)
        return rc;
    while ((rc = log_walk_next(&v->walk, &r, v->err)) == 1) {
        if (r.zxid > v->snapshot.zxid || r.payload.n < TXN_HEADER_BYTES)
            rc = replay_record(v, &r);
        if (rc < 0)
            break;
        note_session(v, &r);
        tell_txn(v, &r);
    }
    log_walk_end(&v->walk);
    v->out->torn_files = v->walk.torn_files;
    if (v->lower_zxids > 1)
        log_warn("store.zxid_lower", "count=%" PRIu64, v->lower_zxids);
    return rc;
}

/* The names of what was read, as settle_logs for its contents. */
static int sync_dirs(struct recovery *v)
{
    const char *const dirs[] = { v->dirs->snap_dir, v->dirs->log_dir };
    const bool due[] = { v->out->snapshot_zxid >= 0, v->logs.count > 0 };
    for (size_t i = 0; i < 2; i++) {
        int rc = due[i] ? v->fs->ops->sync_dir(v->fs, dirs[i]) : 0;
        if (rc < 0)
            return store_fail(v->err, rc, "%s: cannot sync the directory: %s", dirs[i], err_text(rc));
    }
    return 0;
}

/* A snapshot is made of what the log holds, or stands in for it (SNAP). A damaged one that is newer than the end of the
 * log is the latter: an older one would bring back a past that others have left behind. */
static int check_nothing_newer(struct recovery *v)
{
    const struct store_files *s = &v->snapshots;
    if (s->count == 0 || s->at[s->count - 1].zxid <= v->last_zxid)
        return 0;
    return store_fail(v->err, ERR_CORRUPT,
                      "%s/%s: cannot be loaded, and older snapshots and the logs end at 0x%" PRIx64
                      " before it: transactions would be lost. Restore it from a backup, or empty the data directories "
                      "of this member so that it joins anew",
                      v->dirs->snap_dir, s->at[s->count - 1].name, (uint64_t)v->last_zxid);
}

/* ---- without a snapshot ---- */

/* 1 if some log holds a record; 0; or an error. */
static int logs_have_records(struct recovery *v)
{
    int rc = 0;
    for (size_t i = 0; i < v->logs.count && rc == 0; i++) {
        struct store_path path;
        struct txnlog_reader *r = NULL;
        struct slice payload;
        uint64_t offset;
        store_path_join(&path, v->dirs->log_dir, v->logs.at[i].name);
        rc = txnlog_reader_open(v->fs, path.text, v->options->record_bytes_max, &r, v->err);
        rc = rc == ERR_END ? 0 : rc < 0 ? rc : txnlog_reader_next(r, &payload, &offset, v->err);
        txnlog_reader_close(r);
    }
    return rc;
}

static int begin_empty(struct recovery *v, int64_t seen_zxid)
{
    bool trusted = v->options->trust_empty_snapshot;
    int rc = trusted ? 0 : logs_have_records(v);
    if (rc < 0)
        return rc;
    if (rc == 1)
        return store_fail(v->err, ERR_CORRUPT,
                          "%s: no usable snapshot, but %s holds transactions: the tree they belong to is missing. Put "
                          "the snapshot back, or restore from a backup or another member; only if the logs reach back "
                          "to the very first transaction set snapshot.trust.empty=true for one start",
                          v->dirs->snap_dir, v->dirs->log_dir);
    if (seen_zxid > 0 && !trusted)
        return store_fail(
            v->err, ERR_CORRUPT,
            "%s: snapshot.%" PRIx64 " and all others are unusable and there is no log: starting empty would lose "
            "the tree. Restore from a backup or another member, or move the snapshots away to start empty",
            v->dirs->snap_dir, (uint64_t)seen_zxid);
    v->out->tree = tree_new(&v->options->tree);
    v->out->snapshot_zxid = -1;
    v->snapshot = (struct snapshot_info){ .zxid = 0 };
    return 0;
}

/* A process that was killed may have left records that only the kernel's memory holds, and what is built on them must
 * not outlive them; and of what it failed to sync, memory holds what the disk has not. Only the last file of a process
 * can be so: it synced one before it began the next, and the next process read it here. */
static int settle_logs(struct recovery *v)
{
    int rc = 0;
    for (size_t i = store_logs_first(&v->logs, v->snapshot.zxid); i < v->logs.count && rc == 0; i++) {
        struct store_path path;
        struct fs_file *f = NULL;
        store_path_join(&path, v->dirs->log_dir, v->logs.at[i].name);
        if ((rc = fs_open(v->fs, path.text, FS_READ, &f)) < 0)
            return store_fail(v->err, rc, "%s: cannot open: %s", path.text, err_text(rc));
        if ((rc = SIM_BUG(trust_page_cache) ? v->fs->ops->sync(f) : v->fs->ops->settle(f)) < 0)
            (void)store_fail(v->err, rc, "%s: cannot sync: %s", path.text, err_text(rc));
        v->fs->ops->close(f);
    }
    return rc;
}

static int recover(struct recovery *v)
{
    int64_t seen_zxid = -1;
    int rc = check_places(v);
    if (rc < 0 || (rc = store_files_list(v->fs, v->dirs->log_dir, "log", &v->logs, v->err)) < 0 ||
        (rc = load_snapshot(v, &seen_zxid)) < 0)
        return rc;
    if (rc == 1)
        v->out->snapshot_zxid = v->snapshot.zxid;
    else if ((rc = begin_empty(v, seen_zxid)) < 0)
        return rc;
    if (v->options->snapshot_loaded != NULL)
        v->options->snapshot_loaded(v->options->ctx);
    v->last_zxid = v->snapshot.zxid;
    compare_begin(v);
    if ((rc = settle_logs(v)) < 0 || (rc = replay(v)) < 0 || (rc = check_nothing_newer(v)) < 0 ||
        (rc = sync_dirs(v)) < 0)
        return rc;
    judge_odd(v);
    if (!v->compare)
        log_warn("store.snapshot_fuzzy",
                 "snapshot=0x%" PRIx64 " digest_zxid=0x%" PRIx64 " last=0x%" PRIx64
                 " why=\"the logs end before the snapshot was complete; its digest was not compared\"",
                 (uint64_t)v->snapshot.zxid, (uint64_t)v->snapshot.digest_zxid, (uint64_t)v->last_zxid);
    v->out->last_zxid = v->last_zxid;
    v->out->dead_ephemerals = (uint32_t)tree_remove_dead_ephemerals(v->out->tree);
    return 0;
}

int store_recover(struct fs *fs, const struct store_dirs *dirs, const struct store_recover_options *options,
                  struct store_recovered *out, struct store_error *err)
{
    struct recovery v = { .fs = fs, .dirs = dirs, .options = options, .out = out, .err = err };
    v.walk = (struct log_walk){
        .fs = fs, .dir = dirs->log_dir, .files = &v.logs, .record_bytes_max = options->record_bytes_max
    };
    *out = (struct store_recovered){ .snapshot_zxid = -1 };
    arena_init(&v.arena, ARENA_BLOCK_BYTES);
    int rc = recover(&v);
    if (rc < 0) {
        tree_free(out->tree);
        out->tree = NULL;
    }
    store_files_fini(&v.snapshots);
    store_files_fini(&v.logs);
    arena_fini(&v.arena);
    return rc;
}
