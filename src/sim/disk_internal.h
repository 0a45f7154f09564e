/* disk_internal: what the files of the fake disk share. */
#ifndef ZOKOR_SIM_DISK_INTERNAL_H
#define ZOKOR_SIM_DISK_INTERNAL_H

#include "base/rng.h"
#include "sim/disk.h"

#define DISK_LAST_OP_BYTES 256

/* Contents: bytes [0, n) are stored, those up to size are zeros. */
struct image {
    uint8_t *p;
    uint64_t n, cap, size;
};

struct change {
    enum disk_op_kind kind; /* WRITE, DIRECT, ALLOCATE or TRUNCATE */
    uint64_t number;        /* order over the whole disk */
    uint64_t offset;        /* or the new size */
    uint64_t n;
    uint8_t *bytes;
    struct change *next;
};

struct inode {
    uint32_t refs; /* names (current, durable, in pending operations) and open files */
    bool sync_broken;
    bool whole_sectors; /* it has been written past the cache: see disk_direct_end */
    struct image now, durable;
    struct change *changes, **changes_end;
    struct inode *next; /* of the disk; a dead one is taken out */
};

struct name {
    char *text;
    struct inode *inode;
    struct name *next;
};

/* A pending change of names: `inode` appears under `to` (if any) and `from` (if any) goes, at once. */
struct renaming {
    uint64_t number;
    char *from, *to;
    struct inode *inode;
    struct renaming *next;
};

struct directory {
    char *text;
    struct directory *next;
};

struct disk {
    struct fs fs;
    struct rng rng;
    struct inode *inodes;
    struct name *now, *durable;
    struct renaming *renamings, **renamings_end;
    struct directory *dirs;
    uint64_t change_number; /* of the last pending change made */
    uint64_t op_count, cut_at;
    uint64_t capacity;
    struct disk_fault fault;
    bool fault_hit, dead;
    uint32_t open_files;
    struct {
        struct inode *inode; /* NULL: none is under way */
        uint64_t number;     /* of its change */
        int err;             /* how it will end */
    } direct;
    char last_op[DISK_LAST_OP_BYTES];
};

struct fs_file {
    struct disk *disk;
    struct inode *inode;
    char *name;
};

/* Bytes of a file; what is written behind the end lengthens it. */
void disk_image_write(struct image *m, uint64_t offset, const uint8_t *p, uint64_t n);
/* All n bytes; zeros where nothing is. */
void disk_image_read(const struct image *m, uint64_t offset, uint8_t *p, uint64_t n);
void disk_image_apply(struct image *m, const struct change *c);
/* A pending change with a copy of its bytes, at the end of those of the file; the current contents stay. */
struct change *disk_change_pend(struct disk *d, struct inode *i, struct change change);
/* Takes a change out of its list and frees it; `at` is where it is led to from. */
void disk_change_drop(struct inode *i, struct change **at);

/* Counts an operation and says what becomes of it: 0 go on; an error: fail with it. *cut: it is the one that power
 * fails in, so it takes effect (as pending) and fails. */
int disk_op_begin(struct disk *d, enum disk_op_kind kind, const char *name, uint64_t offset, uint64_t n, bool *cut);
/* NULL: there is no such file. */
struct inode *disk_inode_of(struct disk *d, const char *name);
struct inode *disk_inode_ref(struct inode *i);
void disk_inode_unref(struct disk *d, struct inode *i);

/* disk_direct.c: what was under way ends well, as it does when nobody waits for it any more. */
void disk_direct_finish(struct disk *d);

#endif
