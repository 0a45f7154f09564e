/* Lines for people: to the program's callback or to a stream, in the shape that readers of Apache's logs know. */
#include "client/shell.h"
#include <stdarg.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

ZooLogLevel logLevel = ZOO_LOG_LEVEL_INFO;
static FILE *stream;

bool log_wanted(ZooLogLevel level)
{
    return __atomic_load_n((unsigned *)&logLevel, __ATOMIC_RELAXED) >= (unsigned)level;
}

/* As Apache's library: 0 turns the log off, what is beyond the levels is the nearest one. */
void zoo_set_debug_level(ZooLogLevel level)
{
    unsigned v = (unsigned)level > ZOO_LOG_LEVEL_DEBUG ? (unsigned)ZOO_LOG_LEVEL_DEBUG : (unsigned)level;
    __atomic_store_n((unsigned *)&logLevel, v, __ATOMIC_RELAXED);
}

FILE *zoo_get_log_stream(void)
{
    FILE *f = __atomic_load_n(&stream, __ATOMIC_ACQUIRE);
    return f == NULL ? stderr : f;
}

void zoo_set_log_stream(FILE *f)
{
    __atomic_store_n(&stream, f, __ATOMIC_RELEASE);
}

log_callback_fn zoo_get_log_callback(const zhandle_t *zh)
{
    return zh == NULL ? NULL : __atomic_load_n(&zh->log_callback, __ATOMIC_ACQUIRE);
}

void zoo_set_log_callback(zhandle_t *zh, log_callback_fn callback)
{
    if (zh != NULL)
        __atomic_store_n(&zh->log_callback, callback, __ATOMIC_RELEASE);
}

void log_message(log_callback_fn callback, ZooLogLevel level, int line, const char *function, const char *format, ...)
{
    static const char *const names[] = { "ZOO_INVALID", "ZOO_ERROR", "ZOO_WARN", "ZOO_INFO", "ZOO_DEBUG" };
    char text[2048];
    struct timespec now;
    struct tm tm;
    va_list args;
    clock_gettime(CLOCK_REALTIME, &now);
    localtime_r(&now.tv_sec, &tm);
    size_t n = strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &tm);
    const char *name = level >= 1 && level <= 4 ? names[level] : names[0];
    int more = snprintf(text + n, sizeof(text) - n, ",%03d:%d(0x%lx):%s@%s@%d: ", (int)(now.tv_nsec / 1000000),
                        (int)getpid(), (unsigned long)syscall(SYS_gettid), name, function, line);
    n += more < 0 ? 0 : (size_t)more;
    if (n >= sizeof(text))
        n = sizeof(text) - 1;
    va_start(args, format);
    (void)vsnprintf(text + n, sizeof(text) - n, format, args);
    va_end(args);
    if (callback != NULL) {
        callback(text);
        return;
    }
    FILE *to = zoo_get_log_stream();
    fprintf(to, "%s\n", text);
    fflush(to);
}
