/* logfile: the records of one transaction log as they stand in the file, damaged ones included. The server's own reader
 * (store/txnlog.h) stops at damage and judges it; this one shows it, finds what is behind it, and never gives up. */
#ifndef ZOKOR_TOOLS_LOGFILE_H
#define ZOKOR_TOOLS_LOGFILE_H

#include "os/fs.h"
#include "store/store.h"

#define LOGFILE_HEADER_BYTES 16
#define LOGFILE_OVERHEAD_BYTES 13
#define LOGFILE_TXN_HEADER_BYTES 32

enum logfile_header {
    LOGFILE_HEADER_OK,
    LOGFILE_HEADER_SHORT, /* the file is shorter than a header; it may be empty */
    LOGFILE_HEADER_MAGIC, /* it does not begin with "ZKLG" */
};

enum logfile_state {
    LOGFILE_VALID,
    LOGFILE_END,      /* nothing but zeros, or nothing, where a record would begin */
    LOGFILE_CHECKSUM, /* framed as a record, but the checksum is not that of its bytes */
    LOGFILE_END_BYTE, /* no 'B' behind it */
    LOGFILE_CUT,      /* the file ends inside it */
    LOGFILE_LENGTH,   /* its length is impossible */
};

struct logfile_record {
    enum logfile_state state;
    uint64_t offset;
    uint64_t checksum;    /* as it stands in the file */
    uint64_t checksum_is; /* of the payload, where there is one */
    uint32_t length;      /* as it stands in the file */
    struct slice payload; /* VALID, CHECKSUM, END_BYTE; lives until the next call */
    uint64_t end;         /* where the next record begins; for other states the offset */
    int64_t zxid;         /* of the payload; -1 if it has none */
    int32_t type;
};

struct logfile; /* opaque; one owner */

/* Opens a file of any content. ERR_NOT_FOUND, ERR_IO, ... with err filled. */
int logfile_open(struct fs *fs, const char *name, struct logfile **out, struct store_error *err);
/* NULL is fine. */
void logfile_close(struct logfile *l);
enum logfile_header logfile_header(const struct logfile *l);
int32_t logfile_version(const struct logfile *l);
int64_t logfile_dbid(const struct logfile *l);
const char *logfile_name(const struct logfile *l);
uint64_t logfile_size(const struct logfile *l);
/* Asks for the size again, for a file that grows. */
int logfile_refresh(struct logfile *l, struct store_error *err);

/* Looks at what stands at an offset. 0, or the file system's error with err filled. */
int logfile_read(struct logfile *l, uint64_t offset, struct logfile_record *out, struct store_error *err);

/* The first valid record at or behind `from` with a zxid above `above`: 1 and the record, 0 if there is none, or an
 * error. A record must decode as a transaction, not only have a fitting checksum. */
int logfile_find(struct logfile *l, uint64_t from, int64_t above, struct logfile_record *out, struct store_error *err);
/* Is everything from an offset on zeros? *end is just behind the last byte that is not. 1, 0 or an error. */
int logfile_zeros(struct logfile *l, uint64_t from, uint64_t *end, struct store_error *err);

/* Some of the file's bytes, which must be there; they live until the next call. */
int logfile_bytes(struct logfile *l, uint64_t offset, size_t n, struct slice *out, struct store_error *err);

/* "the checksum is wrong" and the like, for people. */
const char *logfile_state_text(enum logfile_state state);

#endif
