#include "recipe/claim.h"
#include <stdlib.h>

struct waker *waker_new(void)
{
    struct waker *w = mem_zalloc(sizeof(*w));
    pthread_mutex_init(&w->lock, NULL);
    recipe_cond_init(&w->cond);
    w->holders = 1;
    return w;
}

void waker_drop(struct waker *w)
{
    pthread_mutex_lock(&w->lock);
    bool last = --w->holders == 0;
    pthread_mutex_unlock(&w->lock);
    if (!last)
        return;
    pthread_mutex_destroy(&w->lock);
    pthread_cond_destroy(&w->cond);
    mem_free(w);
}

/* Gives the lock back. */
static void unlock_waking(struct waker *w)
{
    bool elsewhere = w->zh != NULL;
    if (elsewhere)
        zokor_nudge(w->zh);
    pthread_mutex_unlock(&w->lock); /* first: who wakes up needs it */
    if (!elsewhere)
        pthread_cond_broadcast(&w->cond);
}

void waker_poke(struct waker *w)
{
    pthread_mutex_lock(&w->lock);
    w->poked = true;
    unlock_waking(w);
}

void waker_cancel(struct waker *w)
{
    pthread_mutex_lock(&w->lock);
    w->cancelled = true;
    unlock_waking(w);
}

bool waker_is_cancelled(struct waker *w)
{
    pthread_mutex_lock(&w->lock);
    bool is = w->cancelled;
    pthread_mutex_unlock(&w->lock);
    return is;
}

void waker_reset(struct waker *w)
{
    pthread_mutex_lock(&w->lock);
    w->poked = false;
    pthread_mutex_unlock(&w->lock);
}

void waker_wait_soon(struct waker *w, struct zokor_framework *f)
{
    w->session = session_await_soon(f->client);
}

static int is_woken(void *context)
{
    struct waker *w = context;
    pthread_mutex_lock(&w->lock);
    bool is = w->poked || w->cancelled;
    pthread_mutex_unlock(&w->lock);
    return is;
}

static int is_poked(void *context)
{
    struct waker *w = context;
    pthread_mutex_lock(&w->lock);
    bool is = w->poked;
    pthread_mutex_unlock(&w->lock);
    return is;
}

bool waker_wait(struct waker *w, struct zokor_framework *f, int64_t due_ms)
{
    bool in_time = true;
    struct session *s = w->session;
    w->session = NULL;
    if (f != NULL && session_await(f->client, s, &w->zh, &w->lock, is_woken, w, due_ms))
        return true;
    pthread_mutex_lock(&w->lock);
    while (!w->poked && !w->cancelled && in_time)
        in_time = recipe_cond_wait(&w->cond, &w->lock, due_ms);
    in_time = w->poked || w->cancelled;
    pthread_mutex_unlock(&w->lock);
    return in_time;
}

void waker_wait_poked(struct waker *w, struct zokor_framework *f)
{
    if (session_await(f->client, NULL, &w->zh, &w->lock, is_poked, w, -1))
        return;
    pthread_mutex_lock(&w->lock);
    while (!w->poked)
        pthread_cond_wait(&w->cond, &w->lock);
    pthread_mutex_unlock(&w->lock);
}

static void fired(struct zokor_framework *f, const struct zokor_event *e, void *context)
{
    (void)f;
    (void)e;
    waker_poke(context);
    waker_drop(context);
}

int waker_do(struct waker *w, struct zokor_framework *f, const struct zokor_request *q, struct zokor_result *result)
{
    struct zokor_request watched = *q;
    watched.watch = fired;
    watched.watch_context = w;
    pthread_mutex_lock(&w->lock);
    w->holders++;
    pthread_mutex_unlock(&w->lock);
    int rc = op_do(f, &watched, result, true);
    if (!op_sets_watch(q->operation, rc))
        waker_drop(w);
    return rc;
}

void waker_unwatch(struct waker *w, struct zokor_framework *f)
{
    if (watch_cancel(f, fired, w))
        waker_drop(w);
}

int64_t due_of(int timeout_ms)
{
    return timeout_ms < 0 ? -1 : recipe_now_ms() + timeout_ms;
}
