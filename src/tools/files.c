#include "tools/files.h"
#include "base/err.h"
#include "base/mem.h"
#include "store/txnlog.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define PATH_BYTES_MAX 4096
#define HELD_BYTES (1u << 20)

void tool_error(struct store_error *err, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(err->text, sizeof err->text, fmt, args);
    va_end(args);
}

void tool_path(char *out, size_t size, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(out, size, fmt, args);
    va_end(args);
}

void file_list_add(struct file_list *l, const char *path)
{
    if (l->count == l->cap) {
        l->cap = l->cap == 0 ? 16 : l->cap * 2;
        l->at = mem_realloc(l->at, l->cap * sizeof *l->at);
    }
    size_t n = strlen(path) + 1;
    char *copy = mem_alloc(n);
    memcpy(copy, path, n);
    l->at[l->count++] = copy;
}

void file_list_fini(struct file_list *l)
{
    for (size_t i = 0; i < l->count; i++)
        mem_free(l->at[i]);
    mem_free(l->at);
    *l = (struct file_list){ 0 };
}

const char *file_base(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash == NULL ? path : slash + 1;
}

void file_dir(const char *path, char *out, size_t size)
{
    size_t n = (size_t)(file_base(path) - path);
    while (n > 1 && path[n - 1] == '/')
        n--;
    tool_path(out, size, "%.*s", n == 0 ? 1 : (int)n, n == 0 ? "." : path);
}

void file_beside(const char *path, const char *prefix, const char *suffix, char *out, size_t size)
{
    const char *base = file_base(path);
    tool_path(out, size, "%.*s%s%s%s", (int)(base - path), path, prefix, base, suffix);
}

static void ignore_name(void *ctx, const char *name)
{
    (void)ctx;
    (void)name;
}

bool file_is_dir(struct fs *fs, const char *name)
{
    return fs->ops->list(fs, name, ignore_name, NULL) == 0;
}

void file_version_dir(struct fs *fs, const char *named, char *out, size_t size)
{
    tool_path(out, size, "%s/version-2", named);
    if (!file_is_dir(fs, out))
        tool_path(out, size, "%s", named);
}

bool file_exists(struct fs *fs, const char *name)
{
    struct fs_file *f = NULL;
    int rc = fs_open(fs, name, FS_READ, &f);
    fs->ops->close(f);
    return rc != ERR_NOT_FOUND;
}

struct collector {
    struct file_list *files;
    const char *dir, *kind;
};

static void collect(void *ctx, const char *name)
{
    struct collector *c = ctx;
    char path[PATH_BYTES_MAX];
    if (store_name_zxid(name, c->kind) < 0)
        return;
    tool_path(path, sizeof path, "%s/%s", c->dir, name);
    file_list_add(c->files, path);
}

static int64_t any_zxid(const char *path)
{
    int64_t zxid = store_name_zxid(file_base(path), "log");
    return zxid >= 0 ? zxid : store_name_zxid(file_base(path), "snapshot");
}

static int by_zxid(const void *a, const void *b)
{
    const char *x = *(char *const *)a, *y = *(char *const *)b;
    int64_t p = any_zxid(x), q = any_zxid(y);
    return p != q ? (p < q ? -1 : 1) : strcmp(x, y);
}

int file_list_expand(struct file_list *l, struct fs *fs, const char *named, const char *kind, struct store_error *err)
{
    char dir[PATH_BYTES_MAX];
    if (!file_is_dir(fs, named)) {
        if (!file_exists(fs, named)) {
            tool_error(err, "%s: no such file or directory", named);
            return ERR_NOT_FOUND;
        }
        file_list_add(l, named);
        return 0;
    }
    size_t first = l->count;
    file_version_dir(fs, named, dir, sizeof dir);
    struct collector c = { l, dir, kind };
    int rc = fs->ops->list(fs, dir, collect, &c);
    if (rc < 0) {
        tool_error(err, "%s: cannot be listed: %s", dir, err_text(rc));
        return rc;
    }
    if (l->count == first) {
        tool_error(err, "%s: there is no file %s.<zxid> in this directory", dir, kind);
        return ERR_NOT_FOUND;
    }
    qsort(l->at + first, l->count - first, sizeof *l->at, by_zxid);
    return 0;
}

static int sync_dir_of(struct fs *fs, const char *path)
{
    char dir[PATH_BYTES_MAX];
    file_dir(path, dir, sizeof dir);
    return fs->ops->sync_dir(fs, dir);
}

int file_move(struct fs *fs, const char *from, const char *to, struct store_error *err)
{
    int rc = fs->ops->rename(fs, from, to);
    if (rc == 0)
        rc = sync_dir_of(fs, to);
    if (rc < 0)
        tool_error(err, "%s: cannot be renamed to %s: %s", from, to, err_text(rc));
    return rc;
}

int file_writer_open(struct file_writer *w, struct fs *fs, const char *name, struct store_error *err)
{
    *w = (struct file_writer){ .fs = fs };
    tool_path(w->name, sizeof w->name, "%s", name);
    int rc = file_exists(fs, name) ? ERR_EXISTS : fs_open(fs, name, FS_WRITE | FS_CREATE, &w->file);
    if (rc < 0) {
        tool_error(err, "%s: cannot be written: %s", name, err_text(rc));
        w->file = NULL;
    }
    buf_init(&w->held, HELD_BYTES + (1u << 30));
    return rc;
}

static void flush_held(struct file_writer *w)
{
    if (w->err == 0)
        w->err = w->held.err;
    if (w->err == 0 && w->held.n > 0)
        w->err = w->fs->ops->write_at(w->file, w->pos, w->held.p, w->held.n);
    w->pos += w->held.n;
    buf_reset(&w->held);
}

void file_writer_put(struct file_writer *w, const void *p, size_t n)
{
    buf_append(&w->held, p, n);
    if (w->held.n >= HELD_BYTES)
        flush_held(w);
}

static void close_writer(struct file_writer *w)
{
    w->fs->ops->close(w->file);
    w->file = NULL;
    buf_fini(&w->held);
}

int file_writer_end(struct file_writer *w, struct store_error *err)
{
    flush_held(w);
    int rc = w->err;
    if (rc == 0)
        rc = w->fs->ops->sync(w->file);
    if (rc == 0)
        rc = sync_dir_of(w->fs, w->name);
    close_writer(w);
    if (rc < 0) {
        tool_error(err, "%s: cannot be written: %s", w->name, err_text(rc));
        (void)w->fs->ops->remove(w->fs, w->name);
    }
    return rc;
}

void file_writer_abort(struct file_writer *w)
{
    if (w->file == NULL) {
        buf_fini(&w->held);
        return;
    }
    close_writer(w);
    (void)w->fs->ops->remove(w->fs, w->name);
}
