/* Preloaded into a server: makes its disk slow, full or broken and its wall clock wrong, as the file named by
 * CHAOS_CONTROL says. That file is mapped, so a change acts at once. Only files below CHAOS_DIR are touched.
 *
 * The layout is chaos/process.py's: eight signed 64-bit numbers in the machine's byte order. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { SYNC_DELAY_MS, DISK_FULL, SYNC_FAILS, WALL_STEP_MS, REFUSED_COUNT, CONTROL_COUNT = 8 };

static volatile int64_t *control;
static const char *below;

static int (*real_clock_gettime)(clockid_t, struct timespec *);
static int (*real_fdatasync)(int);
static int (*real_fsync)(int);
static int (*real_fallocate)(int, int, off_t, off_t);
static int (*real_ftruncate)(int, off_t);
static ssize_t (*real_pwrite)(int, const void *, size_t, off_t);
static ssize_t (*real_pwritev2)(int, const struct iovec *, int, off_t, int);
static long (*real_syscall)(long, ...);

static void *real(const char *name)
{
    void *found = dlsym(RTLD_NEXT, name);
    if (found == NULL)
        abort();
    return found;
}

__attribute__((constructor)) static void begin(void)
{
    *(void **)&real_clock_gettime = real("clock_gettime");
    *(void **)&real_fdatasync = real("fdatasync");
    *(void **)&real_fsync = real("fsync");
    *(void **)&real_fallocate = real("fallocate");
    *(void **)&real_ftruncate = real("ftruncate");
    *(void **)&real_pwrite = real("pwrite");
    *(void **)&real_pwritev2 = real("pwritev2");
    *(void **)&real_syscall = real("syscall");
    below = getenv("CHAOS_DIR");
    const char *path = getenv("CHAOS_CONTROL");
    int fd = path != NULL ? open(path, O_RDWR | O_CLOEXEC) : -1;
    if (fd < 0 || below == NULL)
        return;
    void *at = mmap(NULL, CONTROL_COUNT * sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (at != MAP_FAILED)
        control = at;
}

static int64_t says(int what)
{
    return control != NULL ? control[what] : 0;
}

/* Is fd a file of the server's data? */
static int is_data(int fd)
{
    char link[64], path[4096];
    if (control == NULL)
        return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, sizeof path - 1);
    if (n <= 0)
        return 0;
    path[n] = 0;
    return strncmp(path, below, strlen(below)) == 0;
}

static int is_full(int fd)
{
    if (says(DISK_FULL) == 0 || !is_data(fd))
        return 0;
    __atomic_add_fetch((int64_t *)&control[REFUSED_COUNT], 1, __ATOMIC_RELAXED);
    errno = ENOSPC;
    return 1;
}

/* A sync that takes long, in small steps, so that it ends soon after the fault is taken away. */
static int sync_fails(int fd)
{
    if ((says(SYNC_DELAY_MS) == 0 && says(SYNC_FAILS) == 0) || !is_data(fd))
        return 0;
    struct timespec step = { .tv_nsec = 2000000 };
    for (int64_t waited_ms = 0; waited_ms < says(SYNC_DELAY_MS); waited_ms += 2)
        nanosleep(&step, NULL);
    if (says(SYNC_FAILS) == 0)
        return 0;
    errno = EIO;
    return 1;
}

/* A sanitizer's runtime asks for the time before any constructor has run. */
int clock_gettime(clockid_t id, struct timespec *t)
{
    int rc = real_clock_gettime != NULL ? real_clock_gettime(id, t) : (int)syscall(SYS_clock_gettime, id, t);
    if (rc == 0 && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE))
        t->tv_sec += says(WALL_STEP_MS) / 1000;
    return rc;
}

time_t time(time_t *out)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    if (out != NULL)
        *out = t.tv_sec;
    return t.tv_sec;
}

int fdatasync(int fd)
{
    return sync_fails(fd) ? -1 : real_fdatasync(fd);
}

int fsync(int fd)
{
    return sync_fails(fd) ? -1 : real_fsync(fd);
}

/* Space that a file has already may be written when the disk is full; as a file system that copies on write does, this
 * one refuses that, too. */
ssize_t pwrite(int fd, const void *from, size_t n, off_t at)
{
    return is_full(fd) ? -1 : real_pwrite(fd, from, n, at);
}

ssize_t pwrite64(int fd, const void *from, size_t n, off_t at)
{
    return pwrite(fd, from, n, at);
}

/* What the log writes past the page cache is written and synced in one. */
ssize_t pwritev2(int fd, const struct iovec *from, int count, off_t at, int flags)
{
    return is_full(fd) || sync_fails(fd) ? -1 : real_pwritev2(fd, from, count, at, flags);
}

ssize_t pwritev64v2(int fd, const struct iovec *from, int count, off_t at, int flags)
{
    return pwritev2(fd, from, count, at, flags);
}

/* Such a write that nobody waits for is not begun on a slow or full disk; on a broken one it ends with an error. */
long syscall(long number, ...)
{
    va_list args;
    long a[6];
    va_start(args, number);
    for (int i = 0; i < 6; i++)
        a[i] = va_arg(args, long);
    va_end(args);
    if (real_syscall == NULL) /* before the constructor */
        *(void **)&real_syscall = real("syscall");
    if (number == SYS_io_submit && (says(SYNC_DELAY_MS) != 0 || says(DISK_FULL) != 0)) {
        errno = EAGAIN;
        return -1;
    }
    long rc = real_syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);
    if (number == SYS_io_getevents && rc == 1 && says(SYNC_FAILS) != 0)
        ((struct io_event *)a[3])->res = -EIO;
    return rc;
}

int fallocate(int fd, int mode, off_t at, off_t n)
{
    return is_full(fd) ? -1 : real_fallocate(fd, mode, at, n);
}

int fallocate64(int fd, int mode, off_t at, off_t n)
{
    return fallocate(fd, mode, at, n);
}

int ftruncate(int fd, off_t n)
{
    return is_full(fd) ? -1 : real_ftruncate(fd, n);
}

int ftruncate64(int fd, off_t n)
{
    return ftruncate(fd, n);
}
