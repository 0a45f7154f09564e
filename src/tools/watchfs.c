#include "tools/watchfs.h"
#include "base/mem.h"
#include <stdio.h>

#define LARGE_BYTES (64u << 20)
#define STEP_BYTES (8u << 20)

struct fs_file {
    struct watchfs *w;
    struct fs_file *inner;
    uint64_t size, told;
    char name[4096];
};

static int watch_open(struct fs *fs, const char *name, int flags, struct fs_file **out)
{
    struct watchfs *w = (struct watchfs *)fs;
    struct fs_file *inner = NULL;
    *out = NULL;
    int rc = fs_open(w->inner, flags == FS_READ && w->instead != NULL ? w->instead : name, flags, &inner);
    if (rc < 0)
        return rc;
    struct fs_file *f = mem_zalloc(sizeof *f);
    int64_t size = w->inner->ops->size(inner);
    f->w = w;
    f->inner = inner;
    f->size = size > 0 ? (uint64_t)size : 0;
    (void)snprintf(f->name, sizeof f->name, "%s", name);
    *out = f;
    return 0;
}

static void watch_close(struct fs_file *f)
{
    if (f == NULL)
        return;
    f->w->inner->ops->close(f->inner);
    if (f->told > 0 && f->w->on_read != NULL)
        f->w->on_read(f->w->ctx, f->name, f->size, f->size);
    mem_free(f);
}

static int64_t watch_read_at(struct fs_file *f, uint64_t offset, void *p, size_t n)
{
    int64_t got = f->w->inner->ops->read_at(f->inner, offset, p, n);
    uint64_t done = got > 0 ? offset + (uint64_t)got : 0;
    if (f->w->on_read != NULL && f->size >= LARGE_BYTES && done >= f->told + STEP_BYTES) {
        f->told = done;
        f->w->on_read(f->w->ctx, f->name, done, f->size);
    }
    return got;
}

static int watch_write_at(struct fs_file *f, uint64_t offset, const void *p, size_t n)
{
    return f->w->inner->ops->write_at(f->inner, offset, p, n);
}

static int64_t watch_size(struct fs_file *f)
{
    return f->w->inner->ops->size(f->inner);
}

static int watch_allocate(struct fs_file *f, uint64_t size)
{
    return f->w->inner->ops->allocate(f->inner, size);
}

static int watch_truncate(struct fs_file *f, uint64_t size)
{
    return f->w->inner->ops->truncate(f->inner, size);
}

static int watch_sync(struct fs_file *f)
{
    return f->w->inner->ops->sync(f->inner);
}

static int watch_settle(struct fs_file *f)
{
    return f->w->inner->ops->settle(f->inner);
}

static struct fs *inner_of(struct fs *fs)
{
    return ((struct watchfs *)fs)->inner;
}

static int watch_rename(struct fs *fs, const char *from, const char *to)
{
    return inner_of(fs)->ops->rename(inner_of(fs), from, to);
}

static int watch_remove(struct fs *fs, const char *name)
{
    struct watchfs *w = (struct watchfs *)fs;
    if (w->on_remove != NULL)
        w->on_remove(w->ctx, name);
    return w->inner->ops->remove(w->inner, name);
}

static int watch_make_dir(struct fs *fs, const char *name)
{
    return inner_of(fs)->ops->make_dir(inner_of(fs), name);
}

static int watch_list(struct fs *fs, const char *dir, void (*fn)(void *ctx, const char *name), void *ctx)
{
    return inner_of(fs)->ops->list(inner_of(fs), dir, fn, ctx);
}

static int watch_sync_dir(struct fs *fs, const char *dir)
{
    return inner_of(fs)->ops->sync_dir(inner_of(fs), dir);
}

static int64_t watch_free_bytes(struct fs *fs, const char *dir)
{
    return inner_of(fs)->ops->free_bytes(inner_of(fs), dir);
}

void watchfs_init(struct watchfs *w, struct fs *inner)
{
    static const struct fs_ops ops = {
        .open = watch_open,
        .close = watch_close,
        .write_at = watch_write_at,
        .read_at = watch_read_at,
        .size = watch_size,
        .allocate = watch_allocate,
        .truncate = watch_truncate,
        .sync = watch_sync,
        .settle = watch_settle,
        .rename = watch_rename,
        .remove = watch_remove,
        .make_dir = watch_make_dir,
        .list = watch_list,
        .sync_dir = watch_sync_dir,
        .free_bytes = watch_free_bytes,
    };
    *w = (struct watchfs){ .fs = { .ops = &ops }, .inner = inner };
}
