#include "cmd/logging.h"
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static const struct {
    const char *name, *shown, *colour, *priority; /* priority: sd-daemon(3) */
} levels[] = {
    [LOG_ERROR] = { "error", "ERROR", "\033[31m", "<3>" }, [LOG_WARN] = { "warn", "WARN ", "\033[33m", "<4>" },
    [LOG_INFO] = { "info", "INFO ", "\033[32m", "<6>" },   [LOG_DEBUG] = { "debug", "DEBUG", "\033[36m", "<7>" },
    [LOG_TRACE] = { "trace", "TRACE", "\033[2m", "<7>" },
};

static bool coloured, journalled;

bool logging_level(const char *name, enum log_level *level)
{
    for (size_t i = 0; i < ARRAY_COUNT(levels); i++) {
        if (strcasecmp(name, levels[i].name) == 0) {
            *level = (enum log_level)i;
            return true;
        }
    }
    return false;
}

/* One write a line, so that lines of several threads do not mix; a log that cannot be written stops nothing. */
static void write_line(void *ctx, enum log_level level, const char *event, const char *text)
{
    (void)ctx;
    char line[4096], stamp[32];
    struct timespec now;
    struct tm parts;
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &parts);
    strftime(stamp, sizeof stamp, "%Y-%m-%dT%H:%M:%S", &parts);
    int n = snprintf(line, sizeof line - 1, "%s%s.%03ldZ %s%s%s %s%s%s", journalled ? levels[level].priority : "",
                     stamp, now.tv_nsec / 1000000, coloured ? levels[level].colour : "", levels[level].shown,
                     coloured ? "\033[0m" : "", event, text[0] != '\0' ? " " : "", text);
    if (n < 0)
        return;
    size_t length = (size_t)n < sizeof line - 1 ? (size_t)n : sizeof line - 2;
    line[length++] = '\n';
    if (write(STDERR_FILENO, line, length) < 0)
        return;
}

/* systemd.exec(5): JOURNAL_STREAM is "DEVICE:INODE" of the stream to the journal; other streams inherit the name. */
static bool stderr_is_journal(void)
{
    const char *stream = getenv("JOURNAL_STREAM");
    unsigned long long device, inode;
    struct stat s;
    return stream != NULL && sscanf(stream, "%llu:%llu", &device, &inode) == 2 && fstat(STDERR_FILENO, &s) == 0 &&
           s.st_dev == device && s.st_ino == inode;
}

void logging_start(enum log_level level_max)
{
    coloured = isatty(STDERR_FILENO) && getenv("NO_COLOR") == NULL;
    journalled = stderr_is_journal();
    log_set_sink(write_line, NULL, level_max);
}
