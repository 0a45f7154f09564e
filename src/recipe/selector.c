/* The leader selector: a thread that queues up for a lock and runs the program's function while it has it. */
#include "recipe/claim.h"
#include "base/museum.h"
#include <zokor/leader.h>
#include <stdlib.h>
#include <string.h>

#define NODE_NAME "lock-" /* it is InterProcessMutex that Curator's stands on */
#define TRY_AGAIN_MS 1000 /* after a refusal */

struct zokor_leader_selector {
    struct zokor_framework *f;
    char *folder, *id;
    zokor_take_leadership_fn fn;
    void *context;
    bool auto_requeue;
    pthread_t thread;
    struct listener *listener;
    pthread_mutex_t lock;
    pthread_cond_t cond;
    bool started, queued, closed;
    bool leads, interrupted;
    struct claim *claim; /* while it waits or leads */
};

static void interrupt(struct zokor_leader_selector *s)
{
    pthread_mutex_lock(&s->lock);
    if (s->leads)
        s->interrupted = true;
    pthread_cond_broadcast(&s->cond);
    pthread_mutex_unlock(&s->lock);
}

/* As Curator's LeaderSelectorListenerAdapter. */
static void on_state(struct zokor_framework *f, enum zokor_connection_state state, void *context)
{
    if (zokor_framework_is_error_state(f, state) && !SIM_BUG(recipe_selector_deaf))
        interrupt(context);
}

static void on_lost(const char *path, int64_t token, void *context)
{
    (void)path;
    (void)token;
    interrupt(context);
}

/* Waits for the order to queue up; false: it has been closed. */
static bool wait_for_order(struct zokor_leader_selector *s)
{
    pthread_mutex_lock(&s->lock);
    while (!s->queued && !s->closed)
        pthread_cond_wait(&s->cond, &s->lock);
    bool go = !s->closed;
    if (go) {
        s->claim = claim_new(s->f, s->folder, NODE_NAME, s->id, (int)strlen(s->id), judge_first, NULL);
        s->claim->on_lost = on_lost;
        s->claim->lost_context = s;
    }
    pthread_mutex_unlock(&s->lock);
    return go;
}

static void lead(struct zokor_leader_selector *s)
{
    pthread_mutex_lock(&s->lock);
    s->leads = true;
    s->queued = s->auto_requeue;
    s->interrupted = s->closed;
    pthread_mutex_unlock(&s->lock);
    /* What happened before `leads` was set was told to nobody. */
    if (claim_hold(s->claim) != ZOKOR_HELD)
        interrupt(s);
    if (!zokor_leader_selector_is_interrupted(s))
        s->fn(s, s->claim->token, s->context);
    pthread_mutex_lock(&s->lock);
    s->leads = false;
    pthread_mutex_unlock(&s->lock);
    (void)claim_release(s->claim); /* guaranteed */
}

static void *selector_main(void *arg)
{
    struct zokor_leader_selector *s = arg;
    while (wait_for_order(s)) {
        int rc = claim_acquire(s->claim, -1);
        if (rc == ZOK)
            lead(s);
        pthread_mutex_lock(&s->lock);
        claim_free(s->claim);
        s->claim = NULL;
        if (rc != ZOK && !s->closed)
            (void)recipe_cond_wait(&s->cond, &s->lock, recipe_now_ms() + TRY_AGAIN_MS);
        pthread_mutex_unlock(&s->lock);
    }
    return NULL;
}

struct zokor_leader_selector *zokor_leader_selector_new(struct zokor_framework *f, const char *path, const char *id,
                                                        zokor_take_leadership_fn fn, void *context)
{
    struct zokor_leader_selector *s = mem_zalloc(sizeof(*s));
    *s = (struct zokor_leader_selector){ .f = f, .fn = fn, .context = context };
    s->folder = recipe_copy(path);
    s->id = recipe_copy(id == NULL ? "" : id);
    pthread_mutex_init(&s->lock, NULL);
    recipe_cond_init(&s->cond);
    return s;
}

void zokor_leader_selector_auto_requeue(struct zokor_leader_selector *s)
{
    s->auto_requeue = true;
}

int zokor_leader_selector_start(struct zokor_leader_selector *s)
{
    pthread_mutex_lock(&s->lock);
    bool first = !s->started;
    s->started = s->queued = true;
    pthread_mutex_unlock(&s->lock);
    if (!first)
        return ZINVALIDSTATE;
    s->listener = listener_add(s->f, on_state, s, true);
    if (pthread_create(&s->thread, NULL, selector_main, s) == 0)
        return ZOK;
    listener_remove(s->f->client, s->listener);
    s->started = false;
    return ZSYSTEMERROR;
}

int zokor_leader_selector_requeue(struct zokor_leader_selector *s)
{
    pthread_mutex_lock(&s->lock);
    bool can = s->started && !s->closed && !s->queued;
    s->queued = s->queued || can;
    pthread_cond_broadcast(&s->cond);
    pthread_mutex_unlock(&s->lock);
    return can ? ZOK : ZINVALIDSTATE;
}

void zokor_leader_selector_free(struct zokor_leader_selector *s)
{
    if (s == NULL)
        return;
    pthread_mutex_lock(&s->lock);
    bool started = s->started;
    s->closed = s->interrupted = true;
    if (s->claim != NULL)
        waker_cancel(s->claim->waker);
    pthread_cond_broadcast(&s->cond);
    pthread_mutex_unlock(&s->lock);
    if (started) {
        pthread_join(s->thread, NULL);
        listener_remove(s->f->client, s->listener);
    }
    pthread_mutex_destroy(&s->lock);
    pthread_cond_destroy(&s->cond);
    mem_free(s->folder);
    mem_free(s->id);
    mem_free(s);
}

int zokor_leader_selector_leads(struct zokor_leader_selector *s)
{
    pthread_mutex_lock(&s->lock);
    int leads = s->leads && !s->interrupted;
    pthread_mutex_unlock(&s->lock);
    return leads;
}

int zokor_leader_selector_is_interrupted(struct zokor_leader_selector *s)
{
    pthread_mutex_lock(&s->lock);
    int is = s->interrupted;
    pthread_mutex_unlock(&s->lock);
    return is;
}

int zokor_leader_selector_sleep(struct zokor_leader_selector *s, int timeout_ms)
{
    int64_t due = due_of(timeout_ms);
    bool in_time = true;
    pthread_mutex_lock(&s->lock);
    while (!s->interrupted && in_time)
        in_time = recipe_cond_wait(&s->cond, &s->lock, due);
    int rc = s->interrupted ? ZINVALIDSTATE : ZOK;
    pthread_mutex_unlock(&s->lock);
    return rc;
}

void zokor_leader_selector_interrupt(struct zokor_leader_selector *s)
{
    interrupt(s);
}

int zokor_leader_selector_participants(struct zokor_leader_selector *s, struct zokor_participant **participants,
                                       int *count)
{
    return participants_of(s->f, s->folder, NODE_NAME, participants, count);
}
