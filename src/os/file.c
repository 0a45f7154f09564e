/* The real struct fs: the directory tree of this machine over POSIX calls. */
#include "base/err.h"
#include "base/mem.h"
#include "os/fs.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define PATH_BYTES_MAX 4096
/* Snapshots and logs hold data that ACLs protect from clients; other users of the machine are no different. */
#define FILE_MODE 0640
#define DIR_MODE 0750

struct fs_file {
    int fd;
};

static int err_of_errno(void)
{
    switch (errno) {
    case ENOSPC:
    case EDQUOT:
        return ERR_NO_SPACE;
    case ENOENT:
    case ENOTDIR:
        return ERR_NOT_FOUND;
    case EEXIST:
        return ERR_EXISTS;
    case EACCES:
    case EPERM:
    case EROFS:
        return ERR_ACCESS;
    case EMFILE:
    case ENFILE:
        return ERR_TOO_MANY_FILES;
    case ENOMEM:
        return ERR_NO_MEMORY;
    default:
        return ERR_IO;
    }
}

static int file_open(struct fs *fs, const char *name, int flags, struct fs_file **out)
{
    (void)fs;
    int how = O_CLOEXEC;
    how |= flags & FS_WRITE ? flags & FS_READ ? O_RDWR : O_WRONLY : O_RDONLY;
    how |= (flags & FS_CREATE ? O_CREAT : 0) | (flags & FS_TRUNCATE ? O_TRUNC : 0);
    int fd;
    do
        fd = open(name, how, FILE_MODE);
    while (fd < 0 && errno == EINTR);
    if (fd < 0)
        return err_of_errno();
    *out = mem_alloc(sizeof **out);
    (*out)->fd = fd;
    return 0;
}

static void file_close(struct fs_file *f)
{
    if (f == NULL)
        return;
    (void)close(f->fd); /* what had to be durable was synced, and close tells nothing more */
    mem_free(f);
}

static int file_write_at(struct fs_file *f, uint64_t offset, const void *p, size_t n)
{
    const uint8_t *from = p;
    while (n > 0) {
        ssize_t done = pwrite(f->fd, from, n, (off_t)offset);
        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return err_of_errno();
        if (done == 0)
            return ERR_IO;
        from += done;
        n -= (size_t)done;
        offset += (uint64_t)done;
    }
    return 0;
}

static int64_t file_read_at(struct fs_file *f, uint64_t offset, void *p, size_t n)
{
    uint8_t *to = p;
    size_t got = 0;
    while (got < n) {
        ssize_t done = pread(f->fd, to + got, n - got, (off_t)(offset + got));
        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return err_of_errno();
        if (done == 0)
            break;
        got += (size_t)done;
    }
    return (int64_t)got;
}

static int64_t file_size(struct fs_file *f)
{
    struct stat st;
    return fstat(f->fd, &st) < 0 ? err_of_errno() : (int64_t)st.st_size;
}

/* Blocks are reserved where the file system can; where it cannot, the file only gets its size, as Apache's do. (The C
 * library's own fallback would write a byte to every block.) */
static int file_allocate(struct fs_file *f, uint64_t size)
{
    int rc;
    do
        rc = fallocate(f->fd, 0, 0, (off_t)size);
    while (rc < 0 && errno == EINTR);
    if (rc == 0)
        return 0;
    if (errno != EOPNOTSUPP && errno != ENOSYS)
        return err_of_errno();
    int64_t now = file_size(f);
    if (now < 0 || (uint64_t)now >= size)
        return now < 0 ? (int)now : 0;
    return ftruncate(f->fd, (off_t)size) < 0 ? err_of_errno() : 0;
}

static int file_truncate(struct fs_file *f, uint64_t size)
{
    int rc;
    do
        rc = ftruncate(f->fd, (off_t)size);
    while (rc < 0 && errno == EINTR);
    return rc < 0 ? err_of_errno() : 0;
}

/* Never repeated after an error: the kernel may have dropped the pages that it could not write. */
static int file_sync(struct fs_file *f)
{
    return fdatasync(f->fd) < 0 ? err_of_errno() : 0;
}

static int file_rename(struct fs *fs, const char *from, const char *to)
{
    (void)fs;
    return rename(from, to) < 0 ? err_of_errno() : 0;
}

static int file_remove(struct fs *fs, const char *name)
{
    (void)fs;
    return unlink(name) < 0 ? err_of_errno() : 0;
}

/* Some file systems (CIFS, 9p, FUSE) know no sync of directories: names are as durable there as they make them. */
static int file_sync_dir(struct fs *fs, const char *dir)
{
    (void)fs;
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return err_of_errno();
    int rc = fsync(fd) == 0 || errno == EINVAL || errno == EOPNOTSUPP ? 0 : err_of_errno();
    (void)close(fd);
    return rc;
}

/* The name of what was just made in the directory above it. */
static int sync_parent(struct fs *fs, char *path)
{
    char *slash = strrchr(path, '/');
    if (slash == NULL)
        return file_sync_dir(fs, ".");
    if (slash == path)
        return file_sync_dir(fs, "/");
    *slash = '\0';
    int rc = file_sync_dir(fs, path);
    *slash = '/';
    return rc;
}

/* 0: it is there. */
static int make_one_dir(struct fs *fs, char *path)
{
    struct stat st;
    if (mkdir(path, DIR_MODE) == 0) {
        int rc = sync_parent(fs, path);
        return rc == ERR_ACCESS ? 0 : rc; /* one that we may write to and not read */
    }
    if (errno != EEXIST)
        return err_of_errno();
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode) ? 0 : ERR_EXISTS;
}

static int file_make_dir(struct fs *fs, const char *name)
{
    char path[PATH_BYTES_MAX];
    int n = snprintf(path, sizeof path, "%s", name);
    if (n < 0 || (size_t)n >= sizeof path)
        return ERR_TOO_LONG;
    for (char *p = path + 1; n > 0; p++) {
        if (*p != '/' && *p != '\0')
            continue;
        char c = *p;
        *p = '\0';
        int rc = make_one_dir(fs, path);
        if (rc != 0 || c == '\0')
            return rc;
        *p = c;
    }
    return 0;
}

static int file_list(struct fs *fs, const char *dir, void (*fn)(void *ctx, const char *name), void *ctx)
{
    (void)fs;
    DIR *d = opendir(dir);
    if (d == NULL)
        return err_of_errno();
    int rc = 0;
    for (;;) {
        errno = 0;
        const struct dirent *e = readdir(d);
        if (e == NULL) {
            rc = errno != 0 ? err_of_errno() : 0;
            break;
        }
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
            fn(ctx, e->d_name);
    }
    (void)closedir(d);
    return rc;
}

static int64_t file_free_bytes(struct fs *fs, const char *dir)
{
    (void)fs;
    struct statvfs st;
    if (statvfs(dir, &st) < 0)
        return err_of_errno();
    return (int64_t)((uint64_t)st.f_bavail * (uint64_t)st.f_frsize);
}

struct fs *fs_real(void)
{
    static const struct fs_ops ops = {
        .open = file_open,
        .close = file_close,
        .write_at = file_write_at,
        .read_at = file_read_at,
        .size = file_size,
        .allocate = file_allocate,
        .truncate = file_truncate,
        .sync = file_sync,
        .rename = file_rename,
        .remove = file_remove,
        .make_dir = file_make_dir,
        .list = file_list,
        .sync_dir = file_sync_dir,
        .free_bytes = file_free_bytes,
    };
    static struct fs fs = { .ops = &ops };
    return &fs;
}
