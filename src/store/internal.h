/* What the files of this room share: messages, names, lists of files. */
#ifndef ZOKOR_STORE_INTERNAL_H
#define ZOKOR_STORE_INTERNAL_H

#include "base/buf.h"
#include "base/err.h"
#include "os/fs.h"
#include "store/snapshot.h"
#include "store/store.h"
#include "store/txnlog.h"

#define STORE_PATH_BYTES_MAX 4096

/* What is done about a damaged log; every message about one ends with it. */
#define STORE_LOG_REPAIR_HINT "run `zokor log repair %s`, or restore from a backup or another member"

/* Fills err->text and returns code. */
int store_fail(struct store_error *err, int code, const char *fmt, ...) PRINTF_LIKE(3, 4);

struct store_path {
    char text[STORE_PATH_BYTES_MAX];
};
/* dir/name; a path that does not fit is cut, and then names nothing that exists. */
void store_path_join(struct store_path *path, const char *dir, const char *name);

/* Opens an empty file for writing. What a former life has left under the name is removed first, not used again: one
 * whose sync has failed may never become durable. */
int store_create(struct fs *fs, const char *name, struct fs_file **out);

/* A log or snapshot in a directory. */
struct store_file {
    int64_t zxid;
    char *name;
};

struct store_files {
    struct store_file *at;
    size_t count, cap;
};

/* The files "kind.<hex zxid>..." of a directory, zxids ascending (equal ones by name). A missing directory gives none.
 * ERR_IO and others with err filled; store_files_fini is due in every case. */
int store_files_list(struct fs *fs, const char *dir, const char *kind, struct store_files *out,
                     struct store_error *err);
/* Takes the ith off the list. */
void store_files_remove(struct store_files *files, size_t i);
void store_files_fini(struct store_files *files);

/* ---- the records of all logs, one after the other ---- */

struct log_record {
    struct slice payload; /* lives until the next call */
    size_t file;          /* its index in the list */
    uint64_t offset;
    int64_t zxid; /* -1 and type 0: the payload is shorter than a transaction's header */
    int32_t type;
};

struct log_walk {
    struct fs *fs;
    const char *dir;
    const struct store_files *files;
    size_t record_bytes_max;
    bool quiet;  /* do not tell of torn ends on the log */
    size_t next; /* the file to open next */
    struct txnlog_reader *reader;
    struct store_path path;
    bool torn; /* did the file before the record's end torn? */
    struct store_error torn_text;
    uint32_t torn_files;
};

/* The first file that can hold records above zxid: the newest that begins at or below it. */
size_t store_logs_first(const struct store_files *files, int64_t zxid);
/* 1 and the next record of files[next] and those behind it; 0 at the end of the last; or an error with err filled, with
 * the rule of damage of store_recover. A newest file that is empty is passed over. */
int log_walk_next(struct log_walk *w, struct log_record *out, struct store_error *err);
/* Closes what is open. Safe on zeroed memory. */
void log_walk_end(struct log_walk *w);

/* How a record stands to the one before it in the history. */
enum store_order {
    STORE_FOLLOWS,
    STORE_REPEATS, /* Apache writes the error of a request that it cannot decode under the zxid of the record before */
    STORE_LOWER,
    STORE_GAP,  /* some between them are missing */
    STORE_SEAM, /* some may be: a snapshot stands between them that is of neither, as one that a leader has sent */
};
/* snapshots: all that are, or were, part of the history. Our own are named after a record; the one that a leader sends
 * to a member that lacks too much (SNAP) stands in for the records that this member never had, and the log behind it
 * begins with a new epoch more often than not, so that the zxids alone do not tell. */
enum store_order store_order_of(int64_t last_zxid, const struct log_record *r, const struct store_files *snapshots);

/* snapshot_looks_valid that tells 0, "no", from an error. */
int snapshot_check(struct fs *fs, const char *dir, const char *name);
/* Reads a whole snapshot and checks its structure and seals without making a tree. */
int snapshot_verify(struct fs *fs, const char *dir, const char *name, size_t record_bytes_max,
                    struct snapshot_info *info, struct store_error *err);

#endif
