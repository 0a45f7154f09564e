/* boot: from a configuration to a recovered tree on a directory that is ours. */
#ifndef ZOKOR_SERVER_BOOT_H
#define ZOKOR_SERVER_BOOT_H

#include "server/config.h"
#include "store/snapshot.h"

struct boot {
    char *snap_dir, *log_dir; /* version-2 included */
    struct store_dirs dirs;
    struct store_recovered found;
    enum snapshot_codec codec;
    int64_t began_ms, loaded_ms, ended_ms; /* monotonic: recovery, the moment between snapshot and logs */
};

/* Makes the directories if it may, locks them for this process, recovers, and writes a first snapshot where there is
 * none. 0, or the exit code to leave with; the reason was logged. boot_fini in either case. */
int boot_run(struct boot *b, const struct config *config, struct fs *fs, uint64_t hash_key);
/* Frees the names. The tree belongs to whoever took found.tree (set it to NULL), else it is freed. */
void boot_fini(struct boot *b);

/* Writes a whole tree as the snapshot of `zxid` into a directory. 0, or an error with its text. */
int boot_write_tree(struct tree *tree, const struct config *config, struct fs *fs, const char *dir,
                    enum snapshot_codec codec, int64_t zxid, struct store_error *err);

#endif
