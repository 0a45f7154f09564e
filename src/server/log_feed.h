/* log_feed: the thread that reads past transactions from the log on disk for learners that lack more than memory
 * keeps (quorum specification 4.6 rule 5). It starts with the first learner that asks. Owner: the core's thread. */
#ifndef ZOKOR_SERVER_LOG_FEED_H
#define ZOKOR_SERVER_LOG_FEED_H

#include "base/blob.h"
#include "os/fs.h"
#include "store/store.h"

struct log_feed;

struct log_feed_options {
    struct fs *fs;
    const struct store_dirs *dirs; /* must live as long as the feed */
    size_t record_bytes_max;
    double size_factor; /* snapshotSizeFactor: logs larger than this share of the newest snapshot are not read */
    void (*changed)(void *ctx); /* log_feed_take has something; called on the feed's thread */
    void *ctx;
};

struct log_feed *log_feed_new(const struct log_feed_options *options);
/* Waits for the thread's end. NULL is fine. */
void log_feed_free(struct log_feed *f);

/* The transactions above `from`, which must be in the log itself, up to `to`, for the learner of this link. */
void log_feed_open(struct log_feed *f, uint32_t link, int64_t from, int64_t to);
/* The next piece. */
void log_feed_more(struct log_feed *f, uint32_t link);
/* No more is wanted. What was read already may still come. */
void log_feed_close(struct log_feed *f, uint32_t link);

struct log_feed_piece {
    uint32_t link;
    struct blob *bytes; /* as ZAB_EV_LOG_READ wants them; NULL: none. The taker's reference */
    bool end;
    int err;
};
/* False: nothing (more) is there. */
bool log_feed_take(struct log_feed *f, struct log_feed_piece *piece);

#endif
