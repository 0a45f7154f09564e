/* log: events for operators. A line is: level, room.event, key=value pairs. Rooms call the macros; where lines go is
 * the shell's choice (log_set_sink), so that pure rooms write nowhere by themselves. */
#ifndef ZOKOR_BASE_LOG_H
#define ZOKOR_BASE_LOG_H

#include "base/assert.h"
#include <stdbool.h>
#include <stddef.h>

enum log_level { LOG_ERROR = 0, LOG_WARN = 1, LOG_INFO = 2, LOG_DEBUG = 3, LOG_TRACE = 4 };

/* A line was made: `event` is "room.what", `text` the formatted rest (no newline; control bytes in it are already
 * escaped). Called on the thread that logs; a sink must be safe to be called by several threads at once. */
typedef void log_sink(void *ctx, enum log_level level, const char *event, const char *text);

/* Sets the sink and the highest level that reaches it. NULL drops everything. Call before threads start. */
void log_set_sink(log_sink *sink, void *ctx, enum log_level level_max);

/* True if a line of this level would reach the sink. */
bool log_enabled(enum log_level level);

/* Formats and hands one line to the sink. Lines over 2,000 bytes are cut. Bytes below 0x20, tabs apart, and 0x7f become
 * \xNN, so that paths and names of strangers cannot forge lines or colour a terminal. */
void log_write(enum log_level level, const char *event, const char *fmt, ...) PRINTF_LIKE(3, 4);

#define log_error(event, ...) log_write(LOG_ERROR, event, __VA_ARGS__)
#define log_warn(event, ...) log_write(LOG_WARN, event, __VA_ARGS__)
#define log_info(event, ...) log_write(LOG_INFO, event, __VA_ARGS__)
#define log_debug(event, ...)                         \
    do {                                              \
        if (log_enabled(LOG_DEBUG))                   \
            log_write(LOG_DEBUG, event, __VA_ARGS__); \
    } while (0)

#endif
