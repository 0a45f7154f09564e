/* restore: a snapshot that comes over HTTP and takes the place of the tree (the admin command restore). It is kept in
 * dataDir/restore while it comes, loaded to see that it is one, and written into the data directory under a zxid above
 * everything that is there; then the server starts anew on the directory, in the same process. Nothing that was there
 * is removed, so the way back is the files. */
#ifndef ZOKOR_SERVER_RESTORE_H
#define ZOKOR_SERVER_RESTORE_H

#include "server/boot.h"

struct restore;

/* Begins to take one. 0; ERR_IO, ERR_ACCESS, ...: told in the log. This and the next three: one thread at a time. */
int restore_begin(const struct config *config, struct restore **out);
int restore_write(struct restore *r, const void *p, size_t n);
/* All of it is there: loads it. 0, or ERR_CORRUPT and others, told in the log. */
int restore_end(struct restore *r, uint64_t hash_key);
/* Removes the file, frees. */
void restore_drop(struct restore *r);

/* The zxid the snapshot was taken at. After restore_end. */
int64_t restore_zxid(const struct restore *r);
/* Writes what was loaded into the data directory, as the newest snapshot: nothing there has a zxid above last_zxid. The
 * directory must not be written to by others meanwhile. 0, or an error, told in the log; then nothing has changed. */
int restore_install(struct restore *r, struct fs *fs, const struct store_dirs *dirs, enum snapshot_codec codec,
                    int64_t last_zxid);

#endif
