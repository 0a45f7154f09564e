/* store: Apache's file formats over struct fs (disk specification). What start-up, the tools and the simulator's
 * restart share. */
#ifndef ZOKOR_STORE_STORE_H
#define ZOKOR_STORE_STORE_H

#include "base/buf.h"
#include "os/fs.h"
#include "tree/tree.h"

struct store_dirs {
    const char *snap_dir; /* dataDir/version-2 */
    const char *log_dir;  /* dataLogDir/version-2; may be the same */
};

/* A message for the operator: which file, where in it, what is wrong, what to do next. */
struct store_error {
    char text[1024];
};

struct store_recover_options {
    struct tree_options tree;
    bool trust_empty_snapshot; /* snapshot.trust.empty: logs without a snapshot are replayed onto an empty tree */
    size_t record_bytes_max;   /* jute.maxbuffer + extrasize */
    uint8_t server_id;         /* whose sessions past_session_id tells of */
    void (*snapshot_loaded)(void *ctx); /* or NULL: called between the snapshot and the logs, to take the time */
    void *ctx;
    /* If not NULL: told of the end of the history, in ascending order of zxids, each record once: those that are
     * replayed, and those in front of them that stand in the same file. None of them is in front of a gap: not of one
     * in the log, and not of one that a snapshot from a leader has filled. The payload lives for the call. Nothing of
     * it counts if recovery fails. */
    void (*on_txn)(void *ctx, int64_t zxid, struct slice payload);
    void *on_txn_ctx;
};

struct store_recovered {
    struct tree *tree; /* owned by the caller */
    int64_t last_zxid;
    int64_t snapshot_zxid; /* -1: none was used */
    uint64_t txn_count;    /* replayed */
    uint64_t digest_mismatches;
    uint64_t digest_matches;
    bool snapshot_ahead; /* it held a part of the transaction behind its digest, and is whole since; no mismatch */
    uint32_t torn_files; /* log files whose end was torn; each was told in the log */
    uint32_t snapshots_skipped; /* newer ones that were damaged; each was told in the log */
    uint32_t dead_ephemerals;
    int64_t past_session_id; /* the newest session of server_id that a record in the logs names; 0: none */
};

/* Loads the newest valid snapshot, replays the logs, removes dead ephemerals. Writes nothing; syncs what it replayed,
 * so that what is served from here on cannot be lost with the kernel's memory. ERR_CORRUPT, ERR_GAP, ERR_IO,
 * ERR_INVALID (files in the wrong directory), ... with err->text filled; then no tree is given. An empty or missing
 * directory gives a fresh tree with last_zxid 0 and snapshot_zxid -1.
 * Rule of damage: what a crash can leave of one unfinished write is a torn end, fine if it is the last file or the next
 * file continues with the next zxid: a record cut off by the end of the file or followed only by zeros, or one that
 * lacks whole sectors at most one write before the end. Any other invalid record with a valid successor behind it in
 * the same file, a wrong checksum, or an impossible length is damage and refused. */
int store_recover(struct fs *fs, const struct store_dirs *dirs, const struct store_recover_options *options,
                  struct store_recovered *out, struct store_error *err);

/* Makes zxid the end of the history on disk (TRUNC, and before what a SNAP brought is saved; quorum specification 4.8
 * and 9): durably removes every snapshot whose content is above it and every log record above it. If the record zxid
 * itself is not there the log ends with the last one below it; if nothing is above it nothing is touched. May be called
 * again. No log may be open for writing and no snapshot in the making; a txnlog made afterwards begins a new file.
 *
 * Power may fail at any moment: recovery then finds a history that was there, which ends somewhere from zxid to the old
 * end. So snapshots go first if the logs lead from an older snapshot to their end without a gap; else the logs go
 * first, newest first, which shortens the history of the newest snapshot. ERR_NOT_FOUND: there is no usable snapshot at
 * or below zxid that the logs continue up to it. Then the log ends at zxid, but the snapshots above it are kept, since
 * without them nothing could be recovered: save a snapshot of zxid, then call again. ERR_CORRUPT, ERR_IO, ERR_NO_SPACE,
 * ...: this server must not go on with the history it has in memory. err is filled in every case. record_bytes_max as
 * in store_recover_options. */
int store_truncate(struct fs *fs, const struct store_dirs *dirs, size_t record_bytes_max, int64_t zxid,
                   struct store_error *err);

#endif
