/* boot: from a configuration to a recovered tree on a directory that is ours. */
#ifndef ZOKOR_SERVER_BOOT_H
#define ZOKOR_SERVER_BOOT_H

#include "server/config.h"
#include "store/epochs.h"
#include "store/snapshot.h"

/* A transaction of the log. */
struct boot_past {
    int64_t zxid;
    struct blob *txn;
};

struct boot {
    char *snap_dir, *log_dir; /* version-2 included */
    struct store_dirs dirs;
    struct store_recovered found;
    bool untrusted; /* of a member: there is nothing, and nobody has said that there need be nothing */
    enum snapshot_codec codec;
    struct store_epochs epochs; /* of a member of an ensemble */
    struct boot_past *past;     /* ring: the last transactions of the log, of a member of an ensemble */
    size_t past_cap, past_head, past_count, past_bytes;
    int64_t began_ms, loaded_ms, ended_ms; /* monotonic: recovery, the moment between snapshot and logs */
};

/* Makes the directories if it may, locks them for this process, recovers, and writes a first snapshot where there is
 * none. 0, or the exit code to leave with; the reason was logged. boot_fini in either case. */
int boot_run(struct boot *b, const struct config *config, struct fs *fs, uint64_t hash_key);
/* How a tree is read from the directory again. */
struct store_recover_options boot_recover_options(const struct config *config, uint64_t hash_key);
size_t boot_record_bytes_max(const struct config *config);
/* commitLogCount, which is at least 500 in Apache, too. */
int64_t boot_history_count(const struct config *config);
/* Lets go of `past`. */
void boot_forget_past(struct boot *b);
/* Frees the names. The tree belongs to whoever took found.tree (set it to NULL), else it is freed. */
void boot_fini(struct boot *b);

/* Writes a whole tree as the snapshot of `zxid` into a directory. 0, or an error with its text. */
int boot_write_tree(struct tree *tree, const struct config *config, struct fs *fs, const char *dir,
                    enum snapshot_codec codec, int64_t zxid, struct store_error *err);

#endif
