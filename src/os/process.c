#include "os/process.h"
#include "base/assert.h"
#include "base/err.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

uint64_t process_entropy(void)
{
    uint64_t v;
    ssize_t n;
    do
        n = getrandom(&v, sizeof v, 0);
    while (n < 0 && errno == EINTR);
    if (n != (ssize_t)sizeof v) {
        fprintf(stderr, "zokor: getrandom: %s\n", strerror(errno));
        exit(1);
    }
    return v;
}

int64_t process_file_limit(void)
{
    struct rlimit r;
    if (getrlimit(RLIMIT_NOFILE, &r) != 0)
        return 1024;
    return r.rlim_cur > INT32_MAX ? INT32_MAX : (int64_t)r.rlim_cur;
}

int64_t process_raise_file_limit(void)
{
    struct rlimit r;
    if (getrlimit(RLIMIT_NOFILE, &r) == 0 && r.rlim_cur != r.rlim_max) {
        r.rlim_cur = r.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &r);
    }
    return process_file_limit();
}

int64_t process_files_open(void)
{
    DIR *d = opendir("/proc/self/fd");
    if (d == NULL)
        return -1;
    int64_t n = 0;
    struct dirent *e;
    while ((e = readdir(d)) != NULL)
        n += e->d_name[0] != '.';
    closedir(d);
    return n - 1; /* the walk's own */
}

int64_t process_dir_bytes(const char *dir, const char *prefix)
{
    DIR *d = opendir(dir);
    if (d == NULL)
        return 0;
    int64_t bytes = 0;
    struct dirent *e;
    struct stat st;
    while ((e = readdir(d)) != NULL)
        if (strncmp(e->d_name, prefix, strlen(prefix)) == 0 && fstatat(dirfd(d), e->d_name, &st, 0) == 0 &&
            S_ISREG(st.st_mode))
            bytes += st.st_size;
    closedir(d);
    return bytes;
}

int64_t process_file_seconds(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 ? (int64_t)st.st_mtim.tv_sec : -1;
}

int process_open_read(const char *path, int64_t *bytes)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) != 0) {
        process_close(fd);
        return -1;
    }
    *bytes = st.st_size;
    return fd;
}

void process_close(int fd)
{
    if (fd >= 0)
        close(fd);
}

/* "pages resident ..." */
static void read_memory(struct process_usage *out)
{
    long long pages, resident;
    FILE *f = fopen("/proc/self/statm", "re");
    if (f == NULL)
        return;
    if (fscanf(f, "%lld %lld", &pages, &resident) == 2) {
        out->virtual_bytes = pages * sysconf(_SC_PAGESIZE);
        out->resident_bytes = resident * sysconf(_SC_PAGESIZE);
    }
    fclose(f);
}

void process_usage(struct process_usage *out)
{
    struct rusage used;
    *out = (struct process_usage){ .known = true };
    if (getrusage(RUSAGE_SELF, &used) == 0)
        out->cpu_seconds = (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
                           (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
    read_memory(out);
}

int process_cpus(void)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) > 0)
        return CPU_COUNT(&set);
    return 1;
}

int64_t process_id(void)
{
    return getpid();
}

void process_ignore_write_signals(void)
{
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
}

/* dataDir and dataLogDir may be two names of one directory. */
static struct stat locked[4];
static int locked_count;

static bool is_locked(const struct stat *st)
{
    for (int i = 0; i < locked_count; i++)
        if (locked[i].st_dev == st->st_dev && locked[i].st_ino == st->st_ino)
            return true;
    return false;
}

int process_lock_dir(const char *dir)
{
    struct stat st;
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT || errno == ENOTDIR ? ERR_NOT_FOUND : errno == EACCES ? ERR_ACCESS : ERR_IO;
    int rc = 0;
    if (fstat(fd, &st) == 0 && !is_locked(&st)) {
        if (flock(fd, LOCK_EX | LOCK_NB) == 0) {
            if (locked_count < (int)ARRAY_COUNT(locked))
                locked[locked_count++] = st;
            return 0; /* the descriptor stays open: it is the lock */
        }
        rc = errno == EWOULDBLOCK ? ERR_BUSY : 0; /* some network file systems know no locks: serve all the same */
    }
    close(fd);
    return rc;
}
