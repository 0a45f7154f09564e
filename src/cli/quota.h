/* quota: the text that the nodes of a quota hold, "count=5,bytes=100=;byteHardLimit=-1;countHardLimit=-1", and their
 * paths. Pure. */
#ifndef ZOKOR_CLI_QUOTA_H
#define ZOKOR_CLI_QUOTA_H

#include "base/buf.h"

#define CLI_QUOTA_ROOT "/zookeeper/quota"
#define CLI_QUOTA_LIMITS "zookeeper_limits"
#define CLI_QUOTA_STATS "zookeeper_stats"

/* -1: no limit. A quota before 3.7 has no hard limits, and a statistic never has: has_hard is then false. */
struct cli_quota {
    int64_t count, bytes, count_hard, bytes_hard;
    bool has_hard;
};

/* Reads the data of a node; keys that are unknown are ignored. 0, or -1 if a number is none. */
int cli_quota_parse(struct cli_quota *out, const char *text, size_t n);
void cli_quota_text(const struct cli_quota *quota, struct buf *out);

/* "/zookeeper/quota" path "/" name; the caller frees it. */
char *cli_quota_path(const char *path, const char *name);

#endif
