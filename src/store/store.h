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
    void (*snapshot_loaded)(void *ctx); /* or NULL: called between the snapshot and the logs, to take the time */
    void *ctx;
};

struct store_recovered {
    struct tree *tree; /* owned by the caller */
    int64_t last_zxid;
    int64_t snapshot_zxid; /* -1: none was used */
    uint64_t txn_count;    /* replayed */
    uint64_t digest_mismatches;
    uint64_t digest_matches;
    uint32_t torn_files;        /* log files whose end was torn; each was told in the log */
    uint32_t snapshots_skipped; /* newer ones that were damaged; each was told in the log */
    uint32_t dead_ephemerals;
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

#endif
