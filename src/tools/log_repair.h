/* What repairing and trimming share: reading one log, writing another. */
#ifndef ZOKOR_TOOLS_LOG_REPAIR_H
#define ZOKOR_TOOLS_LOG_REPAIR_H

#include "tools/log_internal.h"

struct repair {
    const struct log_context *c;
    const struct log_repair *how;
    struct logfile *l;
    struct file_writer out;
    struct buf line;
    struct store_error err;
    int64_t before;    /* the last zxid of the log before this one; -1: unknown, or of no matter */
    int64_t last_zxid; /* written; -1 */
    int64_t last_time;
    uint64_t at, records, restored, checksums, filled, dropped;
    bool cut, refused;
};

enum { REPAIR_GO_ON = 1, REPAIR_END = 0, REPAIR_ABORT = ERR_CLOSED };

/* Opens the log and begins the new file. */
int repair_begin(struct repair *r, const struct log_context *c, const char *name, const char *new_name);
void repair_fini(struct repair *r);
/* Adds a record to the new file. */
void repair_emit(struct repair *r, uint64_t checksum, struct slice payload);
/* Completes the new file: 0 or an error, then it is gone. */
int repair_write(struct repair *r, const char *name, const char *new_name);
/* Puts the new file in the place of the old one, which is kept under a name that no server takes for a log; or says
 * how. prefix is that of its name then. */
int repair_replace(struct repair *r, const char *name, const char *new_name, const char *prefix);
void repair_say_next(const struct log_context *c, const char *name, const char *new_name, const char *prefix);

/* If changing one byte of the payload makes it fit the checksum: true, where and what it must be. */
bool repair_find_byte(const struct logfile_record *bad, size_t *place, uint8_t *value);

#endif
