/* fs: what the store needs of a file system, as a table, so that a fake disk can stand under it. Names are paths as
 * the maker of the table understands them. Every function returns 0 (or a count) or a negative enum err; ERR_NO_SPACE
 * and ERR_IO are told apart. A table belongs to one thread unless its maker says otherwise. */
#ifndef ZOKOR_OS_FS_H
#define ZOKOR_OS_FS_H

#include "base/slice.h"

struct fs;
struct fs_file;

enum fs_open_flags {
    FS_READ = 1,
    FS_WRITE = 2,
    FS_CREATE = 4,   /* make it if it is missing */
    FS_TRUNCATE = 8, /* and empty it */
};

struct fs_ops {
    int (*open)(struct fs *fs, const char *name, int flags, struct fs_file **out);
    /* Never fails; unsynced bytes may be lost. NULL is fine. */
    void (*close)(struct fs_file *f);
    /* All n bytes or an error; what was written on an error is undefined. */
    int (*write_at)(struct fs_file *f, uint64_t offset, const void *p, size_t n);
    /* Bytes read, less than n only at the end of the file; or an error. */
    int64_t (*read_at)(struct fs_file *f, uint64_t offset, void *p, size_t n);
    int64_t (*size)(struct fs_file *f);
    /* Makes the bytes [0, size) exist: zeros beyond the old end. Never shrinks. */
    int (*allocate)(struct fs_file *f, uint64_t size);
    int (*truncate)(struct fs_file *f, uint64_t size);
    /* Contents and size are durable when it returns 0. After an error it must never be called again on this file. */
    int (*sync)(struct fs_file *f);
    int (*rename)(struct fs *fs, const char *from, const char *to);
    int (*remove)(struct fs *fs, const char *name);
    /* Makes a directory and its parents, durably; there already is fine. */
    int (*make_dir)(struct fs *fs, const char *name);
    /* Calls fn for each entry's name (no "." and "..") in no order. ERR_NOT_FOUND if the directory is missing. */
    int (*list)(struct fs *fs, const char *dir, void (*fn)(void *ctx, const char *name), void *ctx);
    /* Names created, renamed and removed in this directory before the call are durable when it returns 0. */
    int (*sync_dir)(struct fs *fs, const char *dir);
    /* Bytes free for us, or an error. */
    int64_t (*free_bytes)(struct fs *fs, const char *dir);
};

struct fs {
    const struct fs_ops *ops;
};

static inline int fs_open(struct fs *fs, const char *name, int flags, struct fs_file **out)
{
    return fs->ops->open(fs, name, flags, out);
}

/* The directory tree of this machine. One static table; any thread. */
struct fs *fs_real(void);

#endif
