/* txnlog: the transaction log, written by one thread and read at start and by tools.
 *
 * FileHeader: "ZKLG" | be32 version = 2 | be64 dbid = 0. Then records until zeros or the end:
 * be64 adler32(payload) | be32 n | payload | 'B'. */
#ifndef ZOKOR_STORE_TXNLOG_H
#define ZOKOR_STORE_TXNLOG_H

#include "base/buf.h"
#include "os/fs.h"
#include "store/store.h"

#define TXNLOG_HEADER_BYTES 16
#define TXNLOG_OVERHEAD_BYTES 13 /* of each record */
/* A sync stands behind every stretch of about this length (and one record), so that this bounds what a crash can leave
 * half-written. */
#define TXNLOG_WRITE_BYTES_MAX (1u << 20)

/* ---- writing ---- */

struct txnlog_options {
    const char *dir;
    uint64_t prealloc_bytes;   /* preAllocSize; 0 off */
    uint64_t size_limit_bytes; /* txnLogSizeLimitInKb: roll after a sync when the file is larger; 0 off */
    bool force_sync;           /* forceSync=yes */
    uint64_t ahead_bytes;      /* of zeros with an offer, whole blocks; 0: TXNLOG_AHEAD_BYTES, which is the most */
};

struct txnlog; /* opaque; one owner thread */

struct txnlog *txnlog_new(struct fs *fs, const struct txnlog_options *options);
/* Closes the file without syncing it. NULL is fine. */
void txnlog_free(struct txnlog *l);

/* Adds a record to the batch in memory. zxid names the file if this record starts one. Cannot fail: bytes go out in
 * txnlog_flush. */
void txnlog_append(struct txnlog *l, int64_t zxid, struct slice payload);
/* Ends the current file behind what was appended so far; the next record starts a new one. */
void txnlog_roll(struct txnlog *l);
/* Writes the batch and makes it durable (files, and the directory when a file is new). After any error the log must
 * not be used again: every later call returns the same error (a failed sync is never retried). */
int txnlog_flush(struct txnlog *l, struct store_error *err);
/* The batch as it would be written in place: whole blocks of the current file, which has them already, the records
 * behind what the first block holds and zeros to the end of the last. The bytes lie at an address that is a multiple
 * of a block. */
#define TXNLOG_BLOCK_BYTES 4096
#define TXNLOG_PIECE_BYTES_MAX (256u * 1024) /* a larger batch is not offered */
struct txnlog_piece {
    const char *path;
    uint64_t file; /* another number: another file */
    uint64_t offset;
    const uint8_t *p;
    size_t n;
    size_t zeros; /* that many zeros are to be written behind it; whole blocks */
};
/* The first write to a reserved block is dear: the file system notes that it holds something now. Zeros for the next
 * blocks go with it, so that it is one in many that pays for this. */
#define TXNLOG_AHEAD_BYTES (256u * 1024)
/* For a caller that has a cheaper way to the disk than txnlog_flush. ahead: with zeros ahead, if there are none yet.
 * False: the batch must be flushed (it begins or lengthens a file, is long, or there is none). After true nothing but
 * flush and one of the next three may be called. */
bool txnlog_offer(struct txnlog *l, bool ahead, struct txnlog_piece *piece);
/* Who writes offers at once. */
struct txnlog_taker {
    /* 0: the piece is durable. ERR_INVALID: it does not go this way, whatever of it is in the file. Another error: it
     * could not be written. */
    int (*write)(void *ctx, const struct txnlog_piece *piece);
    void *ctx;
};
/* txnlog_flush, past the page cache where the batch can be offered, with zeros ahead, and the taker takes it. */
int txnlog_flush_by(struct txnlog *l, const struct txnlog_taker *taker, struct store_error *err);
/* It is written and durable: as if txnlog_flush had returned 0. */
void txnlog_took(struct txnlog *l);
/* It could not be written: the log has failed with rc, as in txnlog_flush. */
void txnlog_refused(struct txnlog *l, int rc, struct store_error *err);
/* The batch, and a roll behind it, are forgotten, to be appended again; all of it or a part or nothing may be in the
 * file. Only where txnlog_would_offer was true. */
void txnlog_withdraw(struct txnlog *l);
/* Whether `count` records of n payload bytes together would be offered if they were appended now. */
bool txnlog_would_offer(const struct txnlog *l, size_t count, size_t n);
/* Bytes of the current file, preallocation included; 0 before the first flush. For the roll rule and `dirs`. */
uint64_t txnlog_file_bytes(const struct txnlog *l);

/* ---- reading ---- */

enum txnlog_end {
    TXNLOG_END_CLEAN, /* end of file or zeros right behind the last record */
    TXNLOG_END_TORN,  /* what a crash leaves of an unfinished write; nothing of it was acknowledged */
};

struct txnlog_reader; /* one file */

/* Opens and checks the file header. ERR_END if the file is empty, ERR_CORRUPT if it is shorter than a header or has a
 * wrong magic, or the error of the file system; err filled. record_bytes_max 0 stands for the default. */
int txnlog_reader_open(struct fs *fs, const char *name, size_t record_bytes_max, struct txnlog_reader **out,
                       struct store_error *err);
/* NULL is fine. */
void txnlog_reader_close(struct txnlog_reader *r);
/* 1 and the payload of the next valid record and its offset; 0 at the end (how: txnlog_reader_end); ERR_CORRUPT with
 * err filled for damage. The payload lives until the next call. After 0 or an error every call returns the same. */
int txnlog_reader_next(struct txnlog_reader *r, struct slice *payload, uint64_t *offset, struct store_error *err);
enum txnlog_end txnlog_reader_end(const struct txnlog_reader *r);
/* Offset behind the last valid record. */
uint64_t txnlog_reader_offset(const struct txnlog_reader *r);
/* zxid of the last valid record; -1 before the first. */
int64_t txnlog_reader_zxid(const struct txnlog_reader *r);
/* For TXNLOG_END_TORN: file, offset and what was found there, for a warning. Lives as long as the reader. */
const char *txnlog_reader_torn_text(const struct txnlog_reader *r);

/* The zxid in "log.<hex>" or "snapshot.<hex>[.suffix]"; -1 if the name is not of that kind. */
int64_t store_name_zxid(const char *name, const char *kind);

#endif
