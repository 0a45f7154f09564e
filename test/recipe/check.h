/* What the programs of this folder share: checks, waiting, and the choice of a test by its name. */
#ifndef ZOKOR_TEST_CHECK_H
#define ZOKOR_TEST_CHECK_H

#define THREADED
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zokor/framework.h>

#define WAIT_MS 60000

/* Sessions that a test needs to the end outlive what other programs do with the machine meanwhile; those whose end is
 * waited for are as short as they can be while a client that stands still for some seconds is no reason to end them. */
#define SESSION_MS 40000
#define SHORT_SESSION_MS 9000

/* Fails the program, with the place. */
#define CHECK(expr)                                                \
    do {                                                           \
        if (!(expr)) {                                             \
            printf("FAIL %s:%d: %s\n", __FILE__, __LINE__, #expr); \
            fflush(stdout);                                        \
            _Exit(1);                                              \
        }                                                          \
    } while (0)
#define EQ(want, got)                                                                                 \
    do {                                                                                              \
        long long want_ = (want), got_ = (got);                                                       \
        if (want_ != got_) {                                                                          \
            printf("FAIL %s:%d: %s is %lld, expected %lld\n", __FILE__, __LINE__, #got, got_, want_); \
            fflush(stdout);                                                                           \
            _Exit(1);                                                                                 \
        }                                                                                             \
    } while (0)
#define SAME(want, got)                                                                                               \
    do {                                                                                                              \
        const char *want_ = (want), *got_ = (got);                                                                    \
        if (got_ == NULL || strcmp(want_, got_) != 0) {                                                               \
            printf("FAIL %s:%d: %s is '%s', expected '%s'\n", __FILE__, __LINE__, #got, got_ == NULL ? "NULL" : got_, \
                   want_);                                                                                            \
            fflush(stdout);                                                                                           \
            _Exit(1);                                                                                                 \
        }                                                                                                             \
    } while (0)
/* Waits for a condition that other threads bring about; a deadline only for what never happens. */
#define EVENTUALLY(expr)                    \
    do {                                    \
        int left_ = WAIT_MS;                \
        while (!(expr) && (left_ -= 5) > 0) \
            poll(NULL, 0, 5);               \
        CHECK(expr);                        \
    } while (0)

extern char base[64]; /* a folder of this run's own */
extern const char *hosts;
extern int port;

static inline char *at(const char *tail)
{
    static _Thread_local char paths[16][320];
    static _Thread_local int next;
    next = (next + 1) % 16;
    snprintf(paths[next], sizeof(paths[next]), "%s%s", base, tail);
    return paths[next];
}

static inline struct zokor_framework *open_at(const char *where, int session_timeout_ms)
{
    struct zokor_framework *f = zokor_framework_open(&(struct zokor_framework_options){
        .hosts = where,
        .session_timeout_ms = session_timeout_ms,
        .retry = zokor_retry_n_times(1200, 50),
    });
    CHECK(f != NULL);
    EQ(ZOK, zokor_framework_wait_connected(f, WAIT_MS));
    return f;
}

/* By way of a proxy. */
static inline struct zokor_framework *open_through(int proxy_port, int session_timeout_ms)
{
    char where[64];
    snprintf(where, sizeof(where), "127.0.0.1:%d", proxy_port);
    return open_at(where, session_timeout_ms);
}

static inline int count_children(struct zokor_framework *f, const char *path)
{
    struct String_vector children;
    int rc = zokor_framework_children(f, path, &children);
    if (rc == ZNONODE)
        return 0;
    EQ(ZOK, rc);
    int n = children.count;
    deallocate_String_vector(&children);
    return n;
}

static inline struct zokor_framework *open_direct(void)
{
    return open_at(hosts, SESSION_MS);
}

struct test {
    const char *name;
    void (*run)(void);
};

/* main of a program of tests: PROGRAM HOSTS PORT [NAME ...]; without names it prints them. */
static inline int run_tests(int argc, char **argv, const struct test *tests, size_t n)
{
    for (size_t i = 0; argc < 4 && i < n; i++)
        printf("%s\n", tests[i].name);
    if (argc < 4)
        return 0;
    hosts = argv[1];
    port = atoi(argv[2]);
    for (int a = 3; a < argc; a++) {
        for (size_t i = 0; i < n; i++) {
            if (strcmp(tests[i].name, argv[a]) != 0)
                continue;
            snprintf(base, sizeof(base), "/recipe-%s-%d", tests[i].name, (int)getpid());
            tests[i].run();
            printf("PASS %s\n", tests[i].name);
        }
    }
    return 0;
}

#endif
