/* snapshot: writing and reading snapshot files, plain, gzip or snappy (disk specification 3). */
#ifndef ZOKOR_STORE_SNAPSHOT_H
#define ZOKOR_STORE_SNAPSHOT_H

#include "base/buf.h"
#include "os/fs.h"
#include "store/store.h"

enum snapshot_codec { SNAPSHOT_PLAIN, SNAPSHOT_GZIP, SNAPSHOT_SNAPPY };

/* ---- writing: begin, body bytes in order, end. Any thread, one at a time a writer. ---- */

struct snapshot_writer;

struct snapshot_write_options {
    const char *dir;
    int64_t zxid;
    enum snapshot_codec codec;
    bool digest; /* write the digest block */
    uint64_t tree_digest;
    int64_t digest_zxid;  /* the zxid of the last txn applied; 0 with digest 0 = "empty" */
    bool last_zxid_block; /* serializeLastProcessedZxid.enabled */
};

/* Writes under a name that no reader takes for a snapshot. */
int snapshot_write_begin(struct fs *fs, const struct snapshot_write_options *options, struct snapshot_writer **out,
                         struct store_error *err);
/* The next bytes of the body, as tree_walk_next gives them. */
int snapshot_write_body(struct snapshot_writer *w, struct slice bytes, struct store_error *err);
/* Seals, syncs, renames to snapshot.<zxid>[.gz|.snappy], syncs the directory. The writer is gone afterwards, and on
 * an error so is the unfinished file. */
int snapshot_write_end(struct snapshot_writer *w, struct store_error *err);
/* Gives up and removes the unfinished file. NULL is fine. */
void snapshot_write_abort(struct snapshot_writer *w);

/* All of it at once, of a tree that stays as it is meanwhile. */
int snapshot_write_tree(struct fs *fs, const struct snapshot_write_options *options, struct tree *tree,
                        struct store_error *err);

/* Bytes given so far, before compression. */
uint64_t snapshot_write_bytes(const struct snapshot_writer *w);

/* ---- reading ---- */

struct snapshot_info {
    int64_t zxid;           /* from the file's name */
    int32_t digest_version; /* 0: no digest block */
    int64_t digest_zxid;
    uint64_t digest;
    bool has_last_zxid;
    int64_t last_zxid;
    uint64_t node_count;
};

/* Loads one file into a new tree. ERR_CORRUPT and others with err filled; then *tree is NULL. */
int snapshot_read(struct fs *fs, const char *dir, const char *name, const struct store_recover_options *options,
                  struct tree **tree, struct snapshot_info *info, struct store_error *err);

/* The cheap check of disk specification 3.5 that purge and recovery begin with: does the file end like a snapshot? */
bool snapshot_looks_valid(struct fs *fs, const char *dir, const char *name);

/* ---- purge (autopurge): keeps the newest `retain` snapshots that look valid and the logs they need; disk
 * specification section 1. Returns files removed, or an error. ---- */
int store_purge(struct fs *fs, const struct store_dirs *dirs, int retain, struct store_error *err);

#endif
