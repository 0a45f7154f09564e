/* assert: facts about our own program. Always on; a failed one prints the place and aborts, so that no wrong
 * answer leaves the process. Bytes from outside are never judged by an assert: they get an error. */
#ifndef ZOKOR_BASE_ASSERT_H
#define ZOKOR_BASE_ASSERT_H

_Noreturn void assert_failed(const char *expr, const char *file, int line);

#define ASSERT(expr) (__builtin_expect(!(expr), 0) ? assert_failed(#expr, __FILE__, __LINE__) : (void)0)

#define WARN_UNUSED __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))
#define UNLIKELY(x) __builtin_expect(!!(x), 0)
#define LIKELY(x) __builtin_expect(!!(x), 1)
#define ARRAY_COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define CONTAINER_OF(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

#endif
