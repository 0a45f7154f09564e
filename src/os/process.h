/* process: what the kernel grants this process. */
#ifndef ZOKOR_OS_PROCESS_H
#define ZOKOR_OS_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A number that strangers cannot guess. Ends the process if the kernel has none, which it always has. */
uint64_t process_entropy(void);

/* Raises the limit of descriptors to what the kernel allows; returns the limit that holds now. */
int64_t process_raise_file_limit(void);
/* The limit that holds now. */
int64_t process_file_limit(void);
/* Descriptors open now, -1 if that cannot be said. Walks a directory: for people who ask, not for a loop. */
int64_t process_files_open(void);
/* Bytes of the files of a directory whose names begin with `prefix` (as `ls -l` shows them); 0 if it cannot be read. */
int64_t process_dir_bytes(const char *dir, const char *prefix);
/* When a file was last written, seconds since 1970; -1 if there is none. */
int64_t process_file_seconds(const char *path);
/* What the process has used, or uses now. */
struct process_usage {
    bool known;
    double cpu_seconds;
    int64_t resident_bytes, virtual_bytes;
};
void process_usage(struct process_usage *out);
/* A file for reading by others' functions: descriptor and size, or -1. -1 may be closed. */
int process_open_read(const char *path, int64_t *bytes);
void process_close(int fd);
/* Processors this process may run on, at least 1. */
int process_cpus(void);
int64_t process_id(void);

/* Writing to a socket whose peer is gone, or beyond a size limit, must be an error and not a signal. */
void process_ignore_write_signals(void);

/* Holds a directory for this process alone until the process ends: 0, ERR_BUSY if another process has it,
 * ERR_NOT_FOUND, ERR_ACCESS, ERR_IO. Leaves no file behind. Locking a directory twice is fine. */
int process_lock_dir(const char *dir);

#endif
