/* Threads, locks and semaphores of a fiber. The memory that the program gives to a lock holds who has it. */
#include "sim_recipe/world.h"
#include "sim_recipe/wrap.h"
#include "base/assert.h"
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <string.h>
#include <time.h>

#define SPURIOUS_IN 200 /* POSIX lets a wait for a condition end without a reason */

struct lock {
    struct fiber *holder;
};

struct count {
    unsigned value;
};

_Static_assert(sizeof(struct lock) <= sizeof(pthread_mutex_t) && sizeof(struct count) <= sizeof(sem_t),
               "what stands in their place fits");

static struct lock *lock_of(pthread_mutex_t *m)
{
    return (struct lock *)(void *)m;
}

static struct count *count_of(sem_t *s)
{
    return (struct count *)(void *)s;
}

static int64_t us_of(const struct timespec *t)
{
    return (int64_t)t->tv_sec * 1000000 + t->tv_nsec / 1000;
}

/* ---- mutexes ---- */

/* The judge looks into a program while nothing runs: it takes no locks. */
static bool peeks(void)
{
    return world != NULL && world->peeks;
}

WRAP(int, pthread_mutex_init, (pthread_mutex_t * m, const pthread_mutexattr_t *a))
{
    if (fiber_current == NULL)
        return __real_pthread_mutex_init(m, a);
    memset(m, 0, sizeof *m);
    return 0;
}

WRAP(int, pthread_mutex_destroy, (pthread_mutex_t * m))
{
    if (fiber_current == NULL)
        return __real_pthread_mutex_destroy(m);
    if (lock_of(m)->holder != NULL)
        world_wrong("thread.mutex", "a lock is destroyed that is held");
    return 0;
}

WRAP(int, pthread_mutex_lock, (pthread_mutex_t * m))
{
    if (fiber_current == NULL)
        return peeks() ? 0 : __real_pthread_mutex_lock(m);
    fiber_pause();
    if (lock_of(m)->holder == fiber_current)
        world_wrong("thread.mutex", "a thread takes a lock that it holds");
    while (lock_of(m)->holder != NULL)
        (void)fiber_sleep(m, FIBER_NEVER);
    lock_of(m)->holder = fiber_current;
    return 0;
}

WRAP(int, pthread_mutex_trylock, (pthread_mutex_t * m))
{
    if (fiber_current == NULL)
        return __real_pthread_mutex_trylock(m);
    fiber_pause();
    if (lock_of(m)->holder != NULL)
        return EBUSY;
    lock_of(m)->holder = fiber_current;
    return 0;
}

static void unlock(pthread_mutex_t *m)
{
    if (lock_of(m)->holder != fiber_current)
        world_wrong("thread.mutex", "a thread gives back a lock that it does not hold");
    lock_of(m)->holder = NULL;
    fibers_wake(&world->fibers, m, true);
}

WRAP(int, pthread_mutex_unlock, (pthread_mutex_t * m))
{
    if (fiber_current == NULL)
        return peeks() ? 0 : __real_pthread_mutex_unlock(m);
    unlock(m);
    fiber_pause();
    return 0;
}

/* ---- conditions ---- */

WRAP(int, pthread_cond_init, (pthread_cond_t * c, const pthread_condattr_t *a))
{
    if (fiber_current == NULL)
        return __real_pthread_cond_init(c, a);
    memset(c, 0, sizeof *c);
    return 0;
}

WRAP(int, pthread_cond_destroy, (pthread_cond_t * c))
{
    return fiber_current == NULL ? __real_pthread_cond_destroy(c) : 0;
}

static int wait_for(pthread_cond_t *c, pthread_mutex_t *m, int64_t due_us)
{
    int64_t until_us = due_us, spurious_us = world_now_us() + dice_between(&world->fibers.dice, 0, 2000);
    bool spurious = dice_one_in(&world->fibers.dice, SPURIOUS_IN) && spurious_us < due_us;
    if (spurious)
        until_us = spurious_us;
    unlock(m);
    bool woken = fiber_sleep(c, until_us);
    while (lock_of(m)->holder != NULL)
        (void)fiber_sleep(m, FIBER_NEVER);
    lock_of(m)->holder = fiber_current;
    return woken || spurious ? 0 : ETIMEDOUT;
}

WRAP(int, pthread_cond_wait, (pthread_cond_t * c, pthread_mutex_t *m))
{
    return fiber_current == NULL ? __real_pthread_cond_wait(c, m) : wait_for(c, m, FIBER_NEVER);
}

WRAP(int, pthread_cond_timedwait, (pthread_cond_t * c, pthread_mutex_t *m, const struct timespec *t))
{
    return fiber_current == NULL ? __real_pthread_cond_timedwait(c, m, t) : wait_for(c, m, us_of(t));
}

WRAP(int, pthread_cond_signal, (pthread_cond_t * c))
{
    if (fiber_current == NULL)
        return __real_pthread_cond_signal(c);
    fibers_wake(&world->fibers, c, false);
    return 0;
}

WRAP(int, pthread_cond_broadcast, (pthread_cond_t * c))
{
    if (fiber_current == NULL)
        return __real_pthread_cond_broadcast(c);
    fibers_wake(&world->fibers, c, true);
    return 0;
}

/* ---- semaphores ---- */

WRAP(int, sem_init, (sem_t * s, int shared, unsigned value))
{
    if (fiber_current == NULL)
        return __real_sem_init(s, shared, value);
    count_of(s)->value = value;
    return 0;
}

WRAP(int, sem_destroy, (sem_t * s))
{
    return fiber_current == NULL ? __real_sem_destroy(s) : 0;
}

WRAP(int, sem_post, (sem_t * s))
{
    if (fiber_current == NULL)
        return __real_sem_post(s);
    count_of(s)->value++;
    fibers_wake(&world->fibers, s, true);
    return 0;
}

WRAP(int, sem_wait, (sem_t * s))
{
    if (fiber_current == NULL)
        return __real_sem_wait(s);
    fiber_pause();
    while (count_of(s)->value == 0)
        (void)fiber_sleep(s, FIBER_NEVER);
    count_of(s)->value--;
    return 0;
}

WRAP(int, sem_trywait, (sem_t * s))
{
    if (fiber_current == NULL)
        return __real_sem_trywait(s);
    if (count_of(s)->value == 0) {
        errno = EAGAIN;
        return -1;
    }
    count_of(s)->value--;
    return 0;
}

/* ---- threads ---- */

WRAP(int, pthread_create, (pthread_t * t, const pthread_attr_t *a, void *(*main)(void *), void *arg))
{
    if (fiber_current == NULL)
        return __real_pthread_create(t, a, main, arg);
    struct fiber *f = fiber_leave();
    *t = (pthread_t)(uintptr_t)fiber_new(f->all, f->app, main, arg);
    fiber_enter(f);
    fiber_pause();
    return 0;
}

WRAP(int, pthread_join, (pthread_t t, void **result))
{
    if (fiber_current == NULL)
        return __real_pthread_join(t, result);
    struct fiber *f = (struct fiber *)(uintptr_t)t;
    while (f->state != FIBER_DONE)
        (void)fiber_sleep(f, FIBER_NEVER);
    if (result != NULL)
        *result = f->result;
    struct fiber *self = fiber_leave();
    fiber_reap(f);
    fiber_enter(self);
    return 0;
}

WRAP(int, pthread_detach, (pthread_t t))
{
    if (fiber_current == NULL)
        return __real_pthread_detach(t);
    ((struct fiber *)(uintptr_t)t)->detached = true;
    return 0;
}

WRAP(pthread_t, pthread_self, (void))
{
    return fiber_current == NULL ? __real_pthread_self() : (pthread_t)(uintptr_t)fiber_current;
}

WRAP(int, pthread_setname_np, (pthread_t t, const char *name))
{
    return fiber_current == NULL ? __real_pthread_setname_np(t, name) : 0;
}

WRAP(int, pthread_sigmask, (int how, const sigset_t *set, sigset_t *before))
{
    return fiber_current == NULL ? __real_pthread_sigmask(how, set, before) : 0;
}
