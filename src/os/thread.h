/* thread: threads, mutexes and conditions. Failing to make one ends the process: it only happens at start. */
#ifndef ZOKOR_OS_THREAD_H
#define ZOKOR_OS_THREAD_H

#include "base/assert.h"
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>

struct thread {
    pthread_t id;
};

struct mutex {
    pthread_mutex_t m;
};

struct cond {
    pthread_cond_t c;
};

/* For one who waits and others who wake it: each side pays one system call, where a condition takes three. */
struct doorbell {
    sem_t s;
};

/* name: at most 15 characters, shown by ps and top. Signals of the process are not delivered to the new thread. */
void thread_start(struct thread *t, const char *name, void (*fn)(void *ctx), void *ctx);
/* Waits for its end. */
void thread_join(struct thread *t);

/* The calling thread takes processors only when others leave them: for work that nobody waits for. */
void thread_be_nice(void);

static inline void mutex_init(struct mutex *m)
{
    ASSERT(pthread_mutex_init(&m->m, NULL) == 0);
}

static inline void mutex_fini(struct mutex *m)
{
    pthread_mutex_destroy(&m->m);
}

static inline void mutex_lock(struct mutex *m)
{
    ASSERT(pthread_mutex_lock(&m->m) == 0);
}

static inline void mutex_unlock(struct mutex *m)
{
    ASSERT(pthread_mutex_unlock(&m->m) == 0);
}

static inline void cond_init(struct cond *c)
{
    ASSERT(pthread_cond_init(&c->c, NULL) == 0);
}

static inline void cond_fini(struct cond *c)
{
    pthread_cond_destroy(&c->c);
}

/* May return early: look at what was waited for again. */
static inline void cond_wait(struct cond *c, struct mutex *m)
{
    ASSERT(pthread_cond_wait(&c->c, &m->m) == 0);
}

static inline void cond_signal(struct cond *c)
{
    ASSERT(pthread_cond_signal(&c->c) == 0);
}

static inline void doorbell_init(struct doorbell *b)
{
    ASSERT(sem_init(&b->s, 0, 0) == 0);
}

static inline void doorbell_fini(struct doorbell *b)
{
    sem_destroy(&b->s);
}

/* Every ring ends one wait, be it under way or to come: look at what was waited for again. */
static inline void doorbell_wait(struct doorbell *b)
{
    int rc;
    do
        rc = sem_wait(&b->s);
    while (rc != 0 && errno == EINTR);
    ASSERT(rc == 0);
}

static inline void doorbell_ring(struct doorbell *b)
{
    ASSERT(sem_post(&b->s) == 0);
}

#endif
