/* direct: writes of whole blocks past the page cache, durable when they have ended. One may be under way while its
 * owner does other things: no thread waits for it, and a descriptor tells its end. That spares a lone write the way to
 * a thread and back, and the page cache.
 *
 * Only where the file system is known to begin such a write without waiting for the disk; elsewhere, and whenever it
 * would have to wait (a block's first write, a full queue), it says so, and the caller writes in another way.
 *
 * One owner at a time; it may change from thread to thread if they agree about it. */
#ifndef ZOKOR_OS_DIRECT_H
#define ZOKOR_OS_DIRECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Offsets, lengths and addresses of bytes are multiples of it. */
#define DIRECT_BLOCK_BYTES 4096

struct direct;

/* NULL: the machine has none of it left, or does not know it. */
struct direct *direct_new(void);
/* Nothing may be under way. NULL is fine. */
void direct_free(struct direct *d);

/* The file that is written from now on; it must exist and have its size. 0, or a negative err: its file system does
 * not qualify (ERR_UNSUPPORTED), or it cannot be opened. */
int direct_open(struct direct *d, const char *path);
void direct_close(struct direct *d);

/* Waits. 0 if the bytes, and so many zeros behind them, are durable. After an error what is in the file is undefined;
 * ERR_INVALID: it does not go this way, write them in another one. */
int direct_write(struct direct *d, uint64_t offset, const void *p, size_t n, size_t zeros);
#define DIRECT_ZEROS_MAX (256u * 1024)
/* Begins. The bytes must stay as they are until the end. ERR_BUSY: it would have to wait, nothing was begun. */
int direct_begin(struct direct *d, uint64_t offset, const void *p, size_t n);
/* Whether what was begun has ended, and how: 0, ERR_BUSY (it would have had to wait: write all of it again), or another
 * error. wait: not before it has. To ask costs nothing. */
bool direct_ended(struct direct *d, bool wait, int *rc);
/* Readable once a write has ended, until direct_take_bell. The end may be seen a little before. */
int direct_bell(const struct direct *d);
void direct_take_bell(struct direct *d);

#endif
