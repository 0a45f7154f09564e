#include "os/thread.h"
#include "base/mem.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* Deep enough for a line of the log and a directory walk. */
#define STACK_BYTES (512 * 1024)

struct start {
    void (*fn)(void *ctx);
    void *ctx;
    char name[16];
};

static void *thread_main(void *arg)
{
    struct start s = *(struct start *)arg;
    mem_free(arg);
    pthread_setname_np(pthread_self(), s.name);
    s.fn(s.ctx);
    return NULL;
}

void thread_start(struct thread *t, const char *name, void (*fn)(void *ctx), void *ctx)
{
    struct start *s = mem_zalloc(sizeof *s);
    s->fn = fn;
    s->ctx = ctx;
    snprintf(s->name, sizeof s->name, "%s", name);
    pthread_attr_t attr;
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, STACK_BYTES);
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int rc = pthread_create(&t->id, &attr, thread_main, s);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    pthread_attr_destroy(&attr);
    if (rc != 0) {
        fprintf(stderr, "zokor: thread %s: %s\n", name, strerror(rc));
        exit(1);
    }
}

void thread_join(struct thread *t)
{
    ASSERT(pthread_join(t->id, NULL) == 0);
}

#define NICE_BACKGROUND 10

void thread_be_nice(void)
{
    /* On Linux a thread's number is a process to setpriority; that it may be refused changes nothing that matters. */
    (void)setpriority(PRIO_PROCESS, (id_t)gettid(), NICE_BACKGROUND);
}
