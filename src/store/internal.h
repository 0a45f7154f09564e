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
void store_files_fini(struct store_files *files);

/* snapshot_looks_valid that tells 0, "no", from an error. */
int snapshot_check(struct fs *fs, const char *dir, const char *name);
/* Reads a whole snapshot and checks its structure and seals without making a tree. */
int snapshot_verify(struct fs *fs, const char *dir, const char *name, size_t record_bytes_max, struct store_error *err);

#endif
