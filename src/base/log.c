#include "base/log.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define LOG_LINE_BYTES_MAX 2000

static log_sink *sink_fn;
static void *sink_ctx;
static enum log_level sink_level = LOG_INFO;

void log_set_sink(log_sink *sink, void *ctx, enum log_level level_max)
{
    sink_ctx = ctx;
    sink_level = level_max;
    sink_fn = sink;
}

bool log_enabled(enum log_level level)
{
    return sink_fn != NULL && level <= sink_level;
}

/* Copies src to dst with control bytes but tabs as \xNN; stops before dst is full, always terminates. */
static void escape_controls(char *dst, size_t dst_size, const char *src)
{
    static const char digits[] = "0123456789abcdef";
    size_t at = 0;
    for (; *src != '\0' && at + 5 < dst_size; src++) {
        unsigned char c = (unsigned char)*src;
        if ((c >= 0x20 && c != 0x7f) || c == '\t') {
            dst[at++] = (char)c;
            continue;
        }
        dst[at++] = '\\';
        dst[at++] = 'x';
        dst[at++] = digits[c >> 4];
        dst[at++] = digits[c & 15];
    }
    dst[at] = '\0';
}

void log_write(enum log_level level, const char *event, const char *fmt, ...)
{
    if (!log_enabled(level))
        return;
    char raw[LOG_LINE_BYTES_MAX];
    char safe[LOG_LINE_BYTES_MAX + 512];
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(raw, sizeof raw, fmt, args);
    va_end(args);
    if (n < 0)
        return;
    escape_controls(safe, sizeof safe, raw);
    sink_fn(sink_ctx, level, event, safe);
}

void assert_failed(const char *expr, const char *file, int line)
{
    log_write(LOG_ERROR, "base.assert", "failed=\"%s\" at=%s:%d", expr, file, line);
    abort();
}
