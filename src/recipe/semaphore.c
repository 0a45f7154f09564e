/* Leases: a node each below "leases", and whoever wants one first takes the lock below "locks": so only one process
 * watches the leases. */
#include "recipe/lock.h"
#include "base/museum.h"
#include "recipe/shared.h"
#include <stdlib.h>
#include <string.h>

struct zokor_semaphore {
    struct zokor_framework *f;
    char *locks, *leases;
    int max_leases;
    struct zokor_shared_count *count;
    struct count_listener listener;
    char *data;
    int data_len;
    zokor_hold_fn on_lost;
    void *lost_context;
    pthread_mutex_t lock;
    struct list waiting; /* struct zokor_lease */
};

struct zokor_lease {
    struct list link;
    struct claim *claim;
};

struct zokor_semaphore_mutex {
    struct zokor_semaphore *semaphore;
    pthread_mutex_t lock;
    struct zokor_lease *lease;
};

static int judge_lease(const struct claim *c, char *const *names, int n, int ours)
{
    const struct zokor_semaphore *s = c->judge_context;
    int most = s->count != NULL ? zokor_shared_count_get(s->count, NULL) : s->max_leases;
    (void)names;
    (void)ours;
    return n <= most ? CLAIM_GRANTED : CLAIM_WATCH_ALL;
}

static void on_count(struct count_listener *l)
{
    struct zokor_semaphore *s = CONTAINER_OF(l, struct zokor_semaphore, listener);
    pthread_mutex_lock(&s->lock);
    LIST_FOR(it, &s->waiting)
    waker_poke(CONTAINER_OF(it, struct zokor_lease, link)->claim->waker);
    pthread_mutex_unlock(&s->lock);
}

static struct zokor_semaphore *semaphore_new(struct zokor_framework *f, const char *path)
{
    struct zokor_semaphore *s = mem_zalloc(sizeof(*s));
    s->f = f;
    s->locks = zokor_path_join(path, "locks");
    s->leases = zokor_path_join(path, "leases");
    pthread_mutex_init(&s->lock, NULL);
    list_init(&s->waiting);
    return s;
}

struct zokor_semaphore *zokor_semaphore_new(struct zokor_framework *f, const char *path, int max_leases)
{
    struct zokor_semaphore *s = semaphore_new(f, path);
    s->max_leases = max_leases;
    return s;
}

struct zokor_semaphore *zokor_semaphore_new_with_count(struct zokor_framework *f, const char *path,
                                                       struct zokor_shared_count *count)
{
    struct zokor_semaphore *s = semaphore_new(f, path);
    s->count = count;
    s->listener.changed = on_count;
    count_listen(count, &s->listener);
    return s;
}

void zokor_semaphore_free(struct zokor_semaphore *s)
{
    if (s == NULL)
        return;
    if (s->count != NULL)
        count_unlisten(s->count, &s->listener);
    pthread_mutex_destroy(&s->lock);
    mem_free(s->locks);
    mem_free(s->leases);
    mem_free(s->data);
    mem_free(s);
}

void zokor_semaphore_set_data(struct zokor_semaphore *s, const void *data, int data_len)
{
    mem_free(s->data);
    s->data_len = data_len < 0 ? 0 : data_len;
    s->data = mem_alloc((size_t)s->data_len + 1);
    if (s->data_len > 0)
        memcpy(s->data, data, (size_t)s->data_len);
}

void zokor_semaphore_on_lost(struct zokor_semaphore *s, zokor_hold_fn fn, void *context)
{
    s->on_lost = fn;
    s->lost_context = context;
}

/* ZNONODE: it was lost before it could be handed out, while the lock was given back, which takes long without a
 * connection. Or the lock was lost: whoever has it now waits for a lease, too, and two nodes that are no leases yet
 * would wait for each other. */
static int try_one(struct zokor_semaphore *s, struct zokor_lease **out, int64_t due)
{
    struct claim *gate = claim_new(s->f, s->locks, "lock-", NULL, 0, judge_first, NULL);
    struct zokor_lease *lease = mem_zalloc(sizeof(*lease));
    lease->claim = claim_new(s->f, s->leases, "lease-", s->data, s->data_len, judge_lease, s);
    lease->claim->on_lost = s->on_lost;
    lease->claim->lost_context = s->lost_context;
    if (!SIM_BUG(recipe_lease_alone))
        lease->claim->under = gate;
    int rc = claim_acquire(gate, due);
    if (rc != ZOK)
        goto out;
    pthread_mutex_lock(&s->lock);
    list_push_back(&s->waiting, &lease->link);
    pthread_mutex_unlock(&s->lock);
    rc = claim_acquire(lease->claim, due);
    pthread_mutex_lock(&s->lock);
    list_remove(&lease->link);
    pthread_mutex_unlock(&s->lock);
    (void)claim_release(gate); /* guaranteed */
    if (rc == ZOK && claim_hold(lease->claim) == ZOKOR_HOLD_LOST) {
        (void)claim_release(lease->claim);
        rc = ZNONODE;
    }
out:
    claim_free(gate);
    if (rc != ZOK) {
        claim_free(lease->claim);
        mem_free(lease);
        lease = NULL;
    }
    *out = lease;
    return rc;
}

static int acquire_one(struct zokor_semaphore *s, struct zokor_lease **out, int64_t due)
{
    for (;;) {
        int rc = try_one(s, out, due);
        if (rc != ZNONODE)
            return rc;
        if (due >= 0 && recipe_now_ms() >= due)
            return ZOPERATIONTIMEOUT;
    }
}

int zokor_semaphore_acquire(struct zokor_semaphore *s, int n, struct zokor_lease **leases, int timeout_ms)
{
    int64_t due = due_of(timeout_ms);
    for (int i = 0; i < n; i++) {
        int rc = acquire_one(s, &leases[i], due);
        if (rc == ZOK)
            continue;
        while (i-- > 0) {
            (void)zokor_lease_return(leases[i]);
            leases[i] = NULL;
        }
        return rc;
    }
    return ZOK;
}

int zokor_semaphore_participants(struct zokor_semaphore *s, struct String_vector *names)
{
    int rc = zokor_framework_children(s->f, s->leases, names);
    return rc == ZNONODE ? ZOK : rc;
}

enum zokor_hold zokor_lease_hold(struct zokor_lease *lease)
{
    return claim_hold(lease->claim);
}

int64_t zokor_lease_token(struct zokor_lease *lease)
{
    return lease->claim->token;
}

const char *zokor_lease_path(struct zokor_lease *lease)
{
    return lease->claim->path;
}

int zokor_lease_return(struct zokor_lease *lease)
{
    if (lease == NULL)
        return ZBADARGUMENTS;
    int rc = claim_release(lease->claim);
    claim_free(lease->claim);
    mem_free(lease);
    return rc;
}

struct zokor_semaphore_mutex *zokor_semaphore_mutex_new(struct zokor_framework *f, const char *path)
{
    struct zokor_semaphore_mutex *m = mem_zalloc(sizeof(*m));
    m->semaphore = zokor_semaphore_new(f, path, 1);
    pthread_mutex_init(&m->lock, NULL);
    return m;
}

void zokor_semaphore_mutex_free(struct zokor_semaphore_mutex *m)
{
    if (m == NULL)
        return;
    if (m->lease != NULL)
        (void)zokor_lease_return(m->lease);
    zokor_semaphore_free(m->semaphore);
    pthread_mutex_destroy(&m->lock);
    mem_free(m);
}

int zokor_semaphore_mutex_acquire(struct zokor_semaphore_mutex *m, int timeout_ms)
{
    struct zokor_lease *lease;
    int rc = zokor_semaphore_acquire(m->semaphore, 1, &lease, timeout_ms);
    if (rc != ZOK)
        return rc;
    pthread_mutex_lock(&m->lock);
    struct zokor_lease *old = m->lease; /* lost: otherwise there would be no second lease */
    m->lease = lease;
    pthread_mutex_unlock(&m->lock);
    if (old != NULL)
        (void)zokor_lease_return(old);
    return ZOK;
}

int zokor_semaphore_mutex_release(struct zokor_semaphore_mutex *m)
{
    pthread_mutex_lock(&m->lock);
    struct zokor_lease *lease = m->lease;
    m->lease = NULL;
    pthread_mutex_unlock(&m->lock);
    return lease == NULL ? ZINVALIDSTATE : zokor_lease_return(lease);
}

enum zokor_hold zokor_semaphore_mutex_hold(struct zokor_semaphore_mutex *m)
{
    pthread_mutex_lock(&m->lock);
    enum zokor_hold hold = m->lease == NULL ? ZOKOR_NOT_HELD : zokor_lease_hold(m->lease);
    pthread_mutex_unlock(&m->lock);
    return hold;
}

int64_t zokor_semaphore_mutex_token(struct zokor_semaphore_mutex *m)
{
    pthread_mutex_lock(&m->lock);
    int64_t token = m->lease == NULL ? -1 : zokor_lease_token(m->lease);
    pthread_mutex_unlock(&m->lock);
    return token;
}
