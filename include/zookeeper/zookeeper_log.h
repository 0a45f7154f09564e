/* Logging through the library's own sink, for programs that share it with their own lines. */
#ifndef ZK_LOG_H_
#define ZK_LOG_H_

#include "zookeeper.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Lines above this level are not made. Set by zoo_set_debug_level. */
extern ZOOAPI ZooLogLevel logLevel;

#define LOGCALLBACK(_zh) zoo_get_log_callback(_zh)
#define LOGSTREAM NULL

#define ZOKOR_LOG_AT(_level, _cb, ...)                                     \
    do {                                                                   \
        if (logLevel >= (_level))                                          \
            log_message((_cb), (_level), __LINE__, __func__, __VA_ARGS__); \
    } while (0)
#define LOG_ERROR(_cb, ...) ZOKOR_LOG_AT(ZOO_LOG_LEVEL_ERROR, _cb, __VA_ARGS__)
#define LOG_WARN(_cb, ...) ZOKOR_LOG_AT(ZOO_LOG_LEVEL_WARN, _cb, __VA_ARGS__)
#define LOG_INFO(_cb, ...) ZOKOR_LOG_AT(ZOO_LOG_LEVEL_INFO, _cb, __VA_ARGS__)
#define LOG_DEBUG(_cb, ...) ZOKOR_LOG_AT(ZOO_LOG_LEVEL_DEBUG, _cb, __VA_ARGS__)

/* Writes one line: to the callback, or to the stream of zoo_set_log_stream when it is NULL. Any thread. */
ZOOAPI void log_message(log_callback_fn callback, ZooLogLevel curLevel, int line, const char *funcName,
                        const char *format, ...);

/* The stream that lines go to: the one set, or stderr. */
FILE *zoo_get_log_stream(void);

#ifdef __cplusplus
}
#endif

#endif
