/* logread: a piece of the history from the logs on disk, for a leader whose learner lacks more transactions than are
 * kept in memory (quorum specification 4.6 rule 5). */
#ifndef ZOKOR_STORE_LOGREAD_H
#define ZOKOR_STORE_LOGREAD_H

#include "store/store.h"

struct store_log_read; /* opaque; one owner at a time, any thread */

struct store_log_cover {
    bool covered;         /* a record at or below `from` is there, and from it the log leads to the record `to` without
                             anything missing that this server never had */
    bool exact;           /* the record `from` itself is there */
    int64_t before;       /* the largest zxid at or below `from` that is there; -1 none */
    uint64_t bytes;       /* sizes of the log files behind the one that holds `before`, preallocation included */
    uint64_t image_bytes; /* of the newest snapshot file; 0 none: what `bytes` is weighed against */
};

/* Opens the logs for the records above `from` up to `to`, the zxid of a record that is durable, and tells what they
 * cover. The log may be written to meanwhile: what is behind `to` is not looked at. All of it is read once here, so
 * that a snapshot can be sent instead before anything of the history is. Without cover nothing can be read (*out is
 * NULL and 0 is returned). ERR_CORRUPT, ERR_IO, ERR_NOT_FOUND (a file was purged meanwhile), ... with err filled. */
int store_log_read_open(struct fs *fs, const struct store_dirs *dirs, size_t record_bytes_max, int64_t from, int64_t to,
                        struct store_log_cover *cover, struct store_log_read **out, struct store_error *err);
/* 1 and the next record, which lives until the next call; 0 behind `to`; or an error. After 0 or an error no more
 * calls. */
int store_log_read_next(struct store_log_read *r, int64_t *zxid, struct slice *payload, struct store_error *err);
/* NULL is fine. */
void store_log_read_close(struct store_log_read *r);

#endif
