/* logging: the lines of base/log on stderr. */
#ifndef ZOKOR_CMD_LOGGING_H
#define ZOKOR_CMD_LOGGING_H

#include "base/log.h"

/* "error", "warn", "info", "debug", "trace" in any case; false for other names. */
bool logging_level(const char *name, enum log_level *level);

/* From now on lines up to this level go to stderr: "2026-11-21T06:53:53.123Z INFO  server.start key=value", one write
 * a line, colours on a terminal unless NO_COLOR is set, a priority in front ("<6>") for systemd's journal. Call before
 * threads start. */
void logging_start(enum log_level level_max);

#endif
