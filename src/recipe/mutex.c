#include "recipe/lock.h"
#include "base/museum.h"
#include <stdlib.h>
#include <string.h>

void mutex_init(struct zokor_mutex *m, struct zokor_framework *f, const char *path, const char *name,
                claim_judge_fn judge, void *judge_context)
{
    *m = (struct zokor_mutex){ .f = f, .name = name, .judge = judge, .judge_context = judge_context };
    m->path = recipe_copy(path);
    pthread_mutex_init(&m->lock, NULL);
    list_init(&m->holdings);
    list_init(&m->waiting);
}

struct zokor_mutex *zokor_mutex_new(struct zokor_framework *f, const char *path)
{
    struct zokor_mutex *m = mem_alloc(sizeof(*m));
    mutex_init(m, f, path, "lock-", judge_first, NULL);
    return m;
}

static void holding_free(struct holding *h)
{
    if (h == NULL)
        return;
    claim_free(h->claim);
    mem_free(h);
}

void mutex_fini(struct zokor_mutex *m)
{
    LIST_FOR_SAFE(it, &m->holdings)
    {
        struct holding *h = CONTAINER_OF(it, struct holding, link);
        list_remove(it);
        (void)claim_release(h->claim);
        holding_free(h);
    }
    pthread_mutex_destroy(&m->lock);
    mem_free(m->path);
    mem_free(m->data);
}

void zokor_mutex_free(struct zokor_mutex *m)
{
    if (m == NULL)
        return;
    mutex_fini(m);
    mem_free(m);
}

void zokor_mutex_set_data(struct zokor_mutex *m, const void *data, int data_len)
{
    mem_free(m->data);
    m->data_len = data_len < 0 ? 0 : data_len;
    m->data = mem_alloc((size_t)m->data_len + 1);
    if (m->data_len > 0)
        memcpy(m->data, data, (size_t)m->data_len);
}

void zokor_mutex_on_lost(struct zokor_mutex *m, zokor_hold_fn fn, void *context)
{
    m->on_lost = fn;
    m->lost_context = context;
}

void zokor_mutex_make_revocable(struct zokor_mutex *m, zokor_hold_fn fn, void *context)
{
    m->on_revoked = fn;
    m->revoked_context = context;
}

/* The lock is held. */
static struct holding *holding_of(struct zokor_mutex *m, pthread_t thread)
{
    LIST_FOR(it, &m->holdings)
    {
        struct holding *h = CONTAINER_OF(it, struct holding, link);
        if (pthread_equal(h->thread, thread))
            return h;
    }
    return NULL;
}

/* The lock is held. */
static struct holding *mine(struct zokor_mutex *m)
{
    return holding_of(m, pthread_self());
}

static int acquire_new(struct zokor_mutex *m, int timeout_ms)
{
    struct holding *h = mem_zalloc(sizeof(*h));
    int64_t due = due_of(timeout_ms);
    h->thread = pthread_self();
    h->count = 1;
    h->claim = claim_new(m->f, m->path, m->name, m->data, m->data_len, m->judge, m->judge_context);
    h->claim->on_lost = m->on_lost;
    h->claim->lost_context = m->lost_context;
    h->claim->on_revoked = m->on_revoked;
    h->claim->revoked_context = m->revoked_context;
    pthread_mutex_lock(&m->lock);
    list_push_back(&m->waiting, &h->link);
    if (m->cancelled)
        waker_cancel(h->claim->waker);
    pthread_mutex_unlock(&m->lock);
    int rc = claim_acquire(h->claim, due);
    pthread_mutex_lock(&m->lock);
    list_remove(&h->link);
    if (rc == ZOK)
        list_push_back(&m->holdings, &h->link);
    pthread_mutex_unlock(&m->lock);
    if (rc != ZOK)
        holding_free(h);
    return rc;
}

int zokor_mutex_acquire(struct zokor_mutex *m, int timeout_ms)
{
    pthread_mutex_lock(&m->lock);
    struct holding *h = mine(m);
    bool lost = h != NULL && claim_hold(h->claim) == ZOKOR_HOLD_LOST;
    if (h != NULL && !lost)
        h->count++;
    pthread_mutex_unlock(&m->lock);
    if (h != NULL)
        return lost ? ZINVALIDSTATE : ZOK;
    return acquire_new(m, timeout_ms);
}

int zokor_mutex_release(struct zokor_mutex *m)
{
    pthread_mutex_lock(&m->lock);
    struct holding *h = mine(m);
    bool last = h != NULL && --h->count == 0;
    if (last)
        list_remove(&h->link);
    pthread_mutex_unlock(&m->lock);
    if (!last)
        return h == NULL ? ZINVALIDSTATE : ZOK;
    int rc = ZOK;
    if (m->keep != NULL && m->keep(m, h->claim))
        h->claim = NULL;
    else
        rc = claim_release(h->claim);
    holding_free(h);
    if (m->released != NULL)
        m->released(m);
    return rc;
}

void zokor_mutex_cancel(struct zokor_mutex *m)
{
    pthread_mutex_lock(&m->lock);
    m->cancelled = true;
    LIST_FOR(it, &m->waiting)
    waker_cancel(CONTAINER_OF(it, struct holding, link)->claim->waker);
    pthread_mutex_unlock(&m->lock);
}

struct claim *mutex_claim_of(struct zokor_mutex *m, pthread_t thread)
{
    pthread_mutex_lock(&m->lock);
    struct holding *h = holding_of(m, thread);
    struct claim *c = h == NULL ? NULL : h->claim;
    pthread_mutex_unlock(&m->lock);
    return c; /* only that thread gives it back */
}

struct claim *mutex_claim(struct zokor_mutex *m)
{
    return mutex_claim_of(m, pthread_self());
}

enum zokor_hold zokor_mutex_hold(struct zokor_mutex *m)
{
    struct claim *c = mutex_claim(m);
    return c == NULL ? ZOKOR_NOT_HELD : claim_hold(c);
}

int64_t zokor_mutex_token(struct zokor_mutex *m)
{
    const struct claim *c = mutex_claim(m);
    return c == NULL ? -1 : c->token;
}

char *zokor_mutex_node(struct zokor_mutex *m)
{
    const struct claim *c = mutex_claim(m);
    return c == NULL ? NULL : recipe_copy(c->path);
}

int zokor_mutex_is_acquired(struct zokor_mutex *m)
{
    pthread_mutex_lock(&m->lock);
    int is = !list_empty(&m->holdings);
    pthread_mutex_unlock(&m->lock);
    return is;
}

int zokor_mutex_participants(struct zokor_mutex *m, struct String_vector *paths)
{
    return claim_participants(m->f, m->path, m->name, paths);
}

int zokor_revoke(struct zokor_framework *f, const char *path)
{
    return zokor_framework_set(f, path, "__REVOKE__", 10, -1);
}

static int acquire_each(struct zokor_mutex *const *locks, int count, int64_t due)
{
    for (int i = 0; i < count; i++) {
        int64_t left = due < 0 ? -1 : due - recipe_now_ms();
        int rc = zokor_mutex_acquire(locks[i], due >= 0 && left < 0 ? 0 : (int)left);
        if (rc != ZOK) {
            (void)zokor_multi_lock_release(locks, SIM_BUG(recipe_multi_left) ? 0 : i);
            return rc;
        }
    }
    return ZOK;
}

/* While a lock is waited for, the session of those before it may end. */
static bool are_of_one_session(struct zokor_mutex *const *locks, int count)
{
    for (int i = 1; i < count && !SIM_BUG(recipe_multi_apart); i++) {
        if (mutex_claim(locks[i])->owner != mutex_claim(locks[i - 1])->owner)
            return false;
    }
    return true;
}

int zokor_multi_lock_acquire(struct zokor_mutex *const *locks, int count, int timeout_ms)
{
    int64_t due = due_of(timeout_ms);
    int rc;
    while ((rc = acquire_each(locks, count, due)) == ZOK && !are_of_one_session(locks, count)) {
        (void)zokor_multi_lock_release(locks, count);
        if (due >= 0 && recipe_now_ms() >= due)
            return ZOPERATIONTIMEOUT;
    }
    return rc;
}

int zokor_multi_lock_release(struct zokor_mutex *const *locks, int count)
{
    int first = ZOK;
    for (int i = count - 1; i >= 0; i--) {
        int rc = zokor_mutex_release(locks[i]);
        if (first == ZOK)
            first = rc;
    }
    return first;
}
