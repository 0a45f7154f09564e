/* disk: a file system in memory that forgets like a real one, behind struct fs. Pure: no system calls, all randomness
 * from the caller's seed.
 *
 * What is kept apart:
 *   - a file's contents: every write, truncation and allocation is pending until a sync of that file;
 *   - names: every creation, rename and removal is pending until a sync of the directory that holds the name. A sync of
 *     a file does not make its name durable, and a durable name may lead to contents that are not.
 * Directories themselves are durable as soon as they are made. Writes past the cache (disk_direct_begin) pend while
 * they are under way and are durable, by themselves, when they have ended well.
 *
 * A power cut (disk_crash) gives a second disk with what might have survived: each pending operation is lost, kept or
 * torn, in any combination, also across files; which one the plan says. A killed process without a power cut loses
 * nothing: go on with the same disk. The old disk stays as it was, so that many outcomes of one moment can be tried.
 *
 * One disk and its files belong to one thread. */
#ifndef ZOKOR_SIM_DISK_H
#define ZOKOR_SIM_DISK_H

#include "base/buf.h"
#include "os/fs.h"

#define DISK_SECTOR_BYTES 512

struct disk;

/* Operations, as bits for masks. All but the reading ones can be the moment of a power cut. */
enum disk_op_kind {
    DISK_OP_OPEN = 1,
    DISK_OP_WRITE = 2,
    DISK_OP_ALLOCATE = 4,
    DISK_OP_TRUNCATE = 8,
    DISK_OP_SYNC = 16,
    DISK_OP_RENAME = 32,
    DISK_OP_REMOVE = 64,
    DISK_OP_SYNC_DIR = 128,
    DISK_OP_READ = 256,
    DISK_OP_LIST = 512,
    DISK_OP_DIRECT = 1024,
    DISK_OP_CHANGING = 255 | DISK_OP_DIRECT, /* all that are counted by disk_op_count */
    DISK_OP_ANY = 2047,
};

/* The seed orders directory listings. */
struct disk *disk_new(uint64_t seed);
/* No file of it may be open. NULL is fine. */
void disk_free(struct disk *d);
struct fs *disk_fs(struct disk *d);

/* ---- faults ---- */

/* From now on the nth operation (1 is the next) of the kinds in the mask fails with err; `lasting`: and all of them
 * after it. nth 0: no more faults. What a failing operation leaves behind:
 *   - a write, half of its bytes, pending;
 *   - a sync, nothing durable, and the kernel believes the pages clean: every later sync of that file succeeds and
 *     makes nothing durable. Whoever repeats a failed sync loses data;
 *   - a write past the cache, what disk_direct_end says; it fails at its end;
 *   - everything else, nothing. */
struct disk_fault {
    unsigned kinds;
    uint64_t nth;
    int err;
    bool lasting;
};
void disk_set_fault(struct disk *d, struct disk_fault fault);
/* Has a fault of disk_set_fault happened, or is it without power? */
bool disk_fault_hit(const struct disk *d);

/* Bytes that fit (sum of file sizes); 0: no limit. Beyond it writes and allocations fail with ERR_NO_SPACE. */
void disk_set_capacity(struct disk *d, uint64_t bytes);

/* Changes bits of the durable and the current contents, as rot does. False if there is no such byte. */
bool disk_flip(struct disk *d, const char *name, uint64_t offset, uint8_t bits);

/* ---- writes past the cache ---- */

#define DISK_BLOCK_BYTES 4096

/* Begins a write with O_DIRECT and RWF_DSYNC: n bytes and so many zeros behind them, over whole blocks that the file
 * has already (else ERR_INVALID; ERR_NOT_FOUND without the file). What the cache had of them is written back first, and
 * forgotten; what else pends for the file's contents stays so, but for sizes and what was written before them. Until
 * the end a reader sees some of its sectors, and a power cut leaves each as it was or as it is to be: SEED tears it in
 * no other way. One at a time. */
int disk_direct_begin(struct disk *d, const char *name, uint64_t offset, const void *p, size_t n, size_t zeros);
/* What was begun has ended: 0, it is durable. given_back: ERR_BUSY, the kernel would have had to wait and has written a
 * part of it or nothing. That, or after another error: each of its sectors is the old one, the new one, or the new one
 * until power fails, unless the file is synced before. From then on other writes of the file are torn, and fail,
 * between sectors only: a sector of which a part was written, beside one that such a write has left, would be damage
 * that no reader of a log could tell from rot, and drives write sectors whole. */
int disk_direct_end(struct disk *d, bool given_back);
/* Begun, and not ended, or power failed before. */
bool disk_direct_is_under_way(const struct disk *d);

/* ---- power cuts ---- */

/* Changing operations begun so far. */
uint64_t disk_op_count(const struct disk *d);
/* The changing operation with this number (the first is 1) is the last: its effect is pending (a sync's: none), and it
 * and all later operations of every kind fail with ERR_IO. 0: never. */
void disk_cut_power_at(struct disk *d, uint64_t op_number);
/* After a cut: the disk answers again and nothing is lost or made durable, as when only the process was killed; but a
 * write past the cache that was under way ends. */
void disk_revive(struct disk *d);
/* The last changing operation begun, for messages: "write /data/log.5 at 16, 311 bytes". */
const char *disk_last_op(const struct disk *d);

/* Operations that a power cut now could lose. Those of files that no name leads to any more are counted too. */
size_t disk_pending_count(const struct disk *d);

enum disk_crash_kind {
    DISK_CRASH_LOSE,   /* all pending operations are lost */
    DISK_CRASH_KEEP,   /* all are kept */
    DISK_CRASH_PREFIX, /* the first `number` are kept, in the order in which they were begun */
    DISK_CRASH_SET,    /* bit i of `number` (i below 64): the i-th is kept */
    DISK_CRASH_SEED,   /* each by chance from `number`: lost, kept, or torn. A torn write keeps its first bytes, or any
                          set of its sectors, or only the file's new size with zeros; one past the cache, any set of its
                          sectors. */
};

struct disk_crash_plan {
    enum disk_crash_kind kind;
    uint64_t number;
};

/* The disk after power is back: everything on it is durable, no faults are set. */
struct disk *disk_crash(const struct disk *d, struct disk_crash_plan plan);

/* ---- for tests ---- */

/* Makes a file with these contents, durable at once. */
void disk_put(struct disk *d, const char *name, struct slice contents);
/* Appends the current contents; ERR_NOT_FOUND. */
int disk_get(const struct disk *d, const char *name, struct buf *out);

#endif
