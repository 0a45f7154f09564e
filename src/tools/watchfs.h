/* watchfs: a file system that is another one, watched: how far large files are read is told, and so are files that are
 * removed. The readers of the store need not know. */
#ifndef ZOKOR_TOOLS_WATCHFS_H
#define ZOKOR_TOOLS_WATCHFS_H

#include "os/fs.h"

struct watchfs {
    struct fs fs; /* give &w.fs where a struct fs is wanted */
    struct fs *inner;
    /* Or NULL: `done` of `size` bytes of a file have been read; told about every 8 MiB, for files of 64 MiB and more.
     */
    void (*on_read)(void *ctx, const char *name, uint64_t done, uint64_t size);
    /* Or NULL: called before a file is removed. */
    void (*on_remove)(void *ctx, const char *name);
    void *ctx;
    /* Or NULL: whatever file is opened for reading, it is this one. For a snapshot under a name that none has. */
    const char *instead;
};

void watchfs_init(struct watchfs *w, struct fs *inner);

#endif
