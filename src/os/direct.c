/* Over the kernel's asynchronous I/O (io_submit): it is in every kernel, is allowed in containers where io_uring is
 * not, and is truly asynchronous on ext4 and XFS for direct writes. The C library has no functions for it. */
#include "os/direct.h"
#include "base/assert.h"
#include "base/err.h"
#include "base/mem.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <linux/magic.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#ifndef XFS_SUPER_MAGIC
#define XFS_SUPER_MAGIC 0x58465342
#endif

/* What lies at the address of a context: the kernel puts the ends of writes there, and who finds one need not ask for
 * it. Programs have read it since 2.6 (libaio does); the magic number says that it still looks so. */
struct ring {
    uint32_t id, count;
    _Atomic uint32_t head, tail;
    uint32_t magic, compat, incompat, header_bytes;
    struct io_event events[];
};

#define RING_MAGIC 0xa10a10a1u

struct direct {
    aio_context_t context;
    struct iocb cb;
    int fd, bell_fd;
    bool begun;
    size_t n; /* of what is under way */
};

struct direct *direct_new(void)
{
    struct direct *d = mem_zalloc(sizeof *d);
    d->fd = -1;
    d->bell_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (d->bell_fd >= 0 && syscall(SYS_io_setup, 1, &d->context) == 0)
        return d;
    if (d->bell_fd >= 0)
        close(d->bell_fd);
    mem_free(d);
    return NULL;
}

void direct_free(struct direct *d)
{
    if (d == NULL)
        return;
    ASSERT(!d->begun);
    direct_close(d);
    (void)syscall(SYS_io_destroy, d->context);
    close(d->bell_fd);
    mem_free(d);
}

/* Others do the sync, or all of the write, within io_submit. */
static bool qualifies(int fd)
{
    struct statfs fs;
    struct stat st;
    return fstatfs(fd, &fs) == 0 && (fs.f_type == EXT4_SUPER_MAGIC || fs.f_type == XFS_SUPER_MAGIC) &&
           fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_blksize <= DIRECT_BLOCK_BYTES;
}

int direct_open(struct direct *d, const char *path)
{
    direct_close(d);
    int fd = open(path, O_WRONLY | O_DIRECT | O_CLOEXEC);
    if (fd < 0)
        return errno == EINVAL ? ERR_UNSUPPORTED : ERR_IO;
    if (!qualifies(fd)) {
        close(fd);
        return ERR_UNSUPPORTED;
    }
    d->fd = fd;
    return 0;
}

void direct_close(struct direct *d)
{
    ASSERT(!d->begun);
    if (d->fd >= 0)
        close(d->fd);
    d->fd = -1;
}

#define ZEROS_PART (64u * 1024)
#define PARTS_MAX (1 + DIRECT_ZEROS_MAX / ZEROS_PART)

/* The bytes, and as often as need be the same zeros. */
static int parts_of(struct iovec parts[PARTS_MAX], const void *p, size_t n, size_t zeros)
{
    static uint8_t nothing[ZEROS_PART] __attribute__((aligned(DIRECT_BLOCK_BYTES)));
    int count = 1;
    ASSERT(zeros <= DIRECT_ZEROS_MAX);
    parts[0] = (struct iovec){ .iov_base = (void *)(uintptr_t)p, .iov_len = n };
    for (; zeros != 0; count++) {
        size_t part = zeros < ZEROS_PART ? zeros : ZEROS_PART;
        parts[count] = (struct iovec){ .iov_base = nothing, .iov_len = part };
        zeros -= part;
    }
    return count;
}

int direct_write(struct direct *d, uint64_t offset, const void *p, size_t n, size_t zeros)
{
    struct iovec parts[PARTS_MAX];
    int count = parts_of(parts, p, n, zeros);
    ssize_t done;
    ASSERT(!d->begun);
    do
        done = pwritev2(d->fd, parts, count, (off_t)offset, RWF_DSYNC);
    while (done < 0 && errno == EINTR);
    if (done == (ssize_t)(n + zeros))
        return 0;
    if (done >= 0 || errno == EINVAL || errno == EOPNOTSUPP)
        return ERR_INVALID;
    return errno == ENOSPC || errno == EDQUOT ? ERR_NO_SPACE : ERR_IO;
}

int direct_begin(struct direct *d, uint64_t offset, const void *p, size_t n)
{
    struct iocb *list[] = { &d->cb };
    ASSERT(!d->begun && d->fd >= 0);
    d->cb = (struct iocb){ .aio_fildes = (uint32_t)d->fd,
                           .aio_lio_opcode = IOCB_CMD_PWRITE,
                           .aio_rw_flags = RWF_DSYNC | RWF_NOWAIT,
                           .aio_buf = (uintptr_t)p,
                           .aio_nbytes = n,
                           .aio_offset = (int64_t)offset,
                           .aio_flags = IOCB_FLAG_RESFD,
                           .aio_resfd = (uint32_t)d->bell_fd };
    if (syscall(SYS_io_submit, d->context, 1L, list) != 1)
        return ERR_BUSY;
    d->n = n;
    d->begun = true;
    return 0;
}

/* The event of what was begun, if it has come. */
static bool take_event(struct direct *d, bool wait, struct io_event *event)
{
    struct ring *r = (struct ring *)(uintptr_t)d->context;
    struct timespec none = { 0 };
    long got;
    if (!wait && r->magic == RING_MAGIC && r->incompat == 0) {
        uint32_t head = atomic_load_explicit(&r->head, memory_order_relaxed);
        if (head == atomic_load_explicit(&r->tail, memory_order_acquire))
            return false;
        *event = r->events[head];
        atomic_store_explicit(&r->head, head + 1 == r->count ? 0 : head + 1, memory_order_release);
        return true;
    }
    do
        got = syscall(SYS_io_getevents, d->context, wait ? 1L : 0L, 1L, event, wait ? NULL : &none);
    while (got < 0 && errno == EINTR);
    ASSERT(got >= 0);
    return got == 1;
}

void direct_take_bell(struct direct *d)
{
    uint64_t count;
    if (read(d->bell_fd, &count, sizeof count) < 0)
        ASSERT(errno == EAGAIN || errno == EINTR);
}

bool direct_ended(struct direct *d, bool wait, int *rc)
{
    struct io_event event;
    if (!d->begun || !take_event(d, wait, &event))
        return false;
    d->begun = false;
    int64_t done = (int64_t)event.res;
    if (done >= 0 || done == -EAGAIN || done == -EINVAL || done == -EOPNOTSUPP)
        *rc = done == (int64_t)d->n ? 0 : ERR_BUSY;
    else
        *rc = done == -ENOSPC || done == -EDQUOT ? ERR_NO_SPACE : ERR_IO;
    return true;
}

int direct_bell(const struct direct *d)
{
    return d->bell_fd;
}
