/* Names and lists of the files of the data directories, and messages about them. */
#include "base/mem.h"
#include "store/internal.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

int store_fail(struct store_error *err, int code, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(err->text, sizeof err->text, fmt, args);
    va_end(args);
    return code;
}

void store_path_join(struct store_path *path, const char *dir, const char *name)
{
    (void)snprintf(path->text, sizeof path->text, "%s/%s", dir, name);
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* As Apache's readers do: split at dots, part 0 is the kind, part 1 is hexadecimal in either case; later parts are
 * ignored, so snapshot.3.tmp counts (disk specification 1). */
int64_t store_name_zxid(const char *name, const char *kind)
{
    size_t n = strlen(kind);
    if (strncmp(name, kind, n) != 0 || name[n] != '.')
        return -1;
    const char *p = name + n + 1;
    uint64_t zxid = 0;
    bool any = false;
    for (int d; (d = hex_digit(*p)) >= 0; p++) {
        if (zxid >> 59 != 0)
            return -1;
        zxid = zxid << 4 | (uint64_t)d;
        any = true;
    }
    return any && (*p == '\0' || *p == '.') ? (int64_t)zxid : -1;
}

struct files_collector {
    struct store_files *files;
    const char *kind;
};

static void files_add(void *ctx, const char *name)
{
    struct files_collector *c = ctx;
    struct store_files *files = c->files;
    int64_t zxid = store_name_zxid(name, c->kind);
    if (zxid < 0)
        return;
    if (files->count == files->cap) {
        files->cap = files->cap == 0 ? 16 : files->cap * 2;
        files->at = mem_realloc(files->at, files->cap * sizeof *files->at);
    }
    size_t n = strlen(name) + 1;
    char *copy = mem_alloc(n);
    memcpy(copy, name, n);
    files->at[files->count++] = (struct store_file){ .zxid = zxid, .name = copy };
}

static int files_order(const void *a, const void *b)
{
    const struct store_file *x = a, *y = b;
    if (x->zxid != y->zxid)
        return x->zxid < y->zxid ? -1 : 1;
    return strcmp(x->name, y->name);
}

int store_create(struct fs *fs, const char *name, struct fs_file **out)
{
    int rc = fs->ops->remove(fs, name);
    return rc < 0 && rc != ERR_NOT_FOUND ? rc : fs_open(fs, name, FS_WRITE | FS_CREATE | FS_TRUNCATE, out);
}

int store_files_list(struct fs *fs, const char *dir, const char *kind, struct store_files *out, struct store_error *err)
{
    *out = (struct store_files){ 0 };
    int rc = fs->ops->list(fs, dir, files_add, &(struct files_collector){ out, kind });
    if (rc == ERR_NOT_FOUND)
        return 0;
    if (rc < 0)
        return store_fail(err, rc, "cannot read the directory %s: %s", dir, err_text(rc));
    if (out->count > 1)
        qsort(out->at, out->count, sizeof *out->at, files_order);
    return 0;
}

void store_files_remove(struct store_files *files, size_t i)
{
    mem_free(files->at[i].name);
    files->count--;
    memmove(&files->at[i], &files->at[i + 1], (files->count - i) * sizeof *files->at);
}

void store_files_fini(struct store_files *files)
{
    for (size_t i = 0; i < files->count; i++)
        mem_free(files->at[i].name);
    mem_free(files->at);
    *files = (struct store_files){ 0 };
}
