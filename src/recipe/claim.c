#include "recipe/claim.h"
#include "base/museum.h"
#include <stdlib.h>
#include <string.h>

#define VERIFY_AGAIN_MS 500
#define REVOKE_MESSAGE "__REVOKE__" /* Curator's Revoker */

struct claim_event {
    struct event event;
    struct claim *claim;
    char *path;
    int64_t token;
    bool revoked;
};

struct claim *claim_new(struct zokor_framework *f, const char *folder, const char *name, const void *data, int data_len,
                        claim_judge_fn judge, void *judge_context)
{
    struct claim *c = mem_zalloc(sizeof(*c));
    c->f = f;
    c->folder = recipe_copy(folder);
    c->name = name;
    c->data_len = data_len;
    c->data = mem_alloc((size_t)(data_len < 0 ? 0 : data_len) + 1);
    if (data_len > 0)
        memcpy(c->data, data, (size_t)data_len);
    c->judge = judge;
    c->judge_context = judge_context;
    c->waker = waker_new();
    c->holders = 1;
    return c;
}

void claim_free(struct claim *c)
{
    if (c == NULL)
        return;
    pthread_mutex_lock(&c->f->client->lock);
    bool last = --c->holders == 0;
    pthread_mutex_unlock(&c->f->client->lock);
    if (!last)
        return;
    waker_drop(c->waker);
    mem_free(c->folder);
    mem_free(c->data);
    mem_free(c->path);
    mem_free(c->neighbour);
    mem_free(c);
}

enum zokor_hold claim_hold(struct claim *c)
{
    pthread_mutex_lock(&c->f->client->lock);
    enum zokor_hold hold = c->hold;
    pthread_mutex_unlock(&c->f->client->lock);
    return hold;
}

/* The program's function, unless the claim has been given back meanwhile. */
static void run_claim_event(struct event *e)
{
    struct claim_event *ce = CONTAINER_OF(e, struct claim_event, event);
    struct claim *c = ce->claim;
    struct client *client = c->f->client;
    pthread_mutex_lock(&client->lock);
    zokor_hold_fn fn = ce->revoked ? c->on_revoked : c->on_lost;
    void *context = ce->revoked ? c->revoked_context : c->lost_context;
    bool call = fn != NULL && c->hold != ZOKOR_NOT_HELD;
    c->in_call = call;
    c->caller = pthread_self();
    pthread_mutex_unlock(&client->lock);
    if (call) {
        fn(ce->path, ce->token, context);
        pthread_mutex_lock(&client->lock);
        c->in_call = false;
        pthread_cond_broadcast(&client->changed);
        pthread_mutex_unlock(&client->lock);
    }
    mem_free(ce->path);
    mem_free(ce);
    claim_free(c);
}

/* The lock is held. */
static void tell(struct claim *c, bool revoked)
{
    struct client *client = c->f->client;
    struct claim_event *ce = mem_zalloc(sizeof(*ce));
    *ce = (struct claim_event){ .event.run = run_claim_event, .claim = c, .token = c->token, .revoked = revoked };
    ce->path = recipe_copy(c->path);
    c->holders++;
    list_push_back(&client->queue, &ce->event.link);
    pthread_cond_signal(&client->event_wake);
}

void claim_revoked(struct claim *c)
{
    c->revoke_waits = c->hold == ZOKOR_NOT_HELD;
    if (!c->revoke_waits)
        tell(c, true);
}

/* The lock is held. */
static void lose(struct claim *c)
{
    if (c->hold != ZOKOR_HELD && c->hold != ZOKOR_IN_DOUBT)
        return;
    c->hold = ZOKOR_HOLD_LOST;
    tell(c, false);
}

/* The node as the server has it after a reconnection. */
static void verified(struct zokor_framework *f, const struct zokor_result *r, void *context)
{
    struct claim *c = context;
    pthread_mutex_lock(&f->client->lock);
    bool same = r->rc == ZOK && r->stat.czxid == c->token && r->stat.ephemeralOwner == f->client->last_session_id;
    same = same || SIM_BUG(recipe_hold_survives);
    if (same && c->hold == ZOKOR_IN_DOUBT)
        c->hold = f->client->is_open ? ZOKOR_HELD : ZOKOR_IN_DOUBT;
    else if (r->rc == ZNONODE || (r->rc == ZOK && !same))
        lose(c);
    pthread_mutex_unlock(&f->client->lock);
    claim_free(c);
}

static void on_state(struct zokor_framework *f, enum zokor_connection_state state, void *context)
{
    struct claim *c = context;
    struct client *client = f->client;
    char *path = NULL;
    pthread_mutex_lock(&client->lock);
    bool held = c->hold == ZOKOR_HELD || c->hold == ZOKOR_IN_DOUBT;
    if (held && state == ZOKOR_LOST && !SIM_BUG(recipe_hold_survives)) {
        lose(c);
    } else if (held && zokor_framework_is_error_state(f, state)) {
        c->hold = ZOKOR_IN_DOUBT;
    } else if (held && state == ZOKOR_RECONNECTED) {
        path = recipe_copy(c->path);
        c->holders++;
    }
    pthread_mutex_unlock(&client->lock);
    const struct zokor_retry until_known = zokor_retry_forever(VERIFY_AGAIN_MS);
    const struct zokor_request q = { .operation = ZOKOR_EXISTS, .path = path, .retry = &until_known };
    if (path != NULL && op_start(f, &q, verified, c, true) != ZOK)
        claim_free(c);
    mem_free(path);
    if (state != ZOKOR_SUSPENDED)
        waker_poke(c->waker); /* a wait that began in another connection, or session, looks again */
}

static void own_fired(struct zokor_framework *f, const struct zokor_event *e, void *context);

static void stop_listening(struct claim *c)
{
    struct client *client = c->f->client;
    pthread_mutex_lock(&client->lock);
    struct listener *l = c->listener;
    c->listener = NULL;
    pthread_mutex_unlock(&client->lock);
    if (l != NULL)
        listener_remove(client, l);
    if (c->on_revoked != NULL && watch_cancel(c->f, own_fired, c))
        claim_free(c);
}

static int delete_node(struct claim *c)
{
    return zokor_framework_delete(c->f, c->path, ZOKOR_GUARANTEED | ZOKOR_QUIETLY);
}

static int acquire(struct claim *c, int64_t due_ms)
{
    int rc;
    bool made;
    struct listener *l = listener_add(c->f, on_state, c, true);
    pthread_mutex_lock(&c->f->client->lock);
    c->listener = l;
    pthread_mutex_unlock(&c->f->client->lock);
    do {
        waker_reset(c->waker);
        made = false;
        rc = waker_is_cancelled(c->waker) ? ZCLOSING : claim_queue_up(c, due_ms, &made);
        if (rc != ZOK && made) /* also a node of a session that is over: it may be there for a while, in others' way */
            (void)delete_node(c);
    } while (rc == ZNONODE && made && c->under == NULL && (due_ms < 0 || recipe_now_ms() < due_ms));
    if (rc == ZOK)
        return ZOK;
    stop_listening(c);
    return rc == ZNONODE && made && c->under == NULL ? ZOPERATIONTIMEOUT : rc;
}

int claim_acquire(struct claim *c, int64_t due_ms)
{
    struct client *client = c->f->client;
    if (!client_enter(client))
        return ZCLOSING;
    c->thread = pthread_self();
    int rc = acquire(c, due_ms);
    client_leave(client);
    return rc;
}

/* About the node that the claim has now. The lock is held. */
static bool is_own(const struct claim *c, const char *path)
{
    return c->path != NULL && path != NULL && strcmp(c->path, path) == 0;
}

/* Gives the lock back. */
static void unlock_gone(struct claim *c)
{
    c->own_watched = false;
    lose(c);
    bool waits = c->stage == CLAIM_WAITS && c->hold == ZOKOR_NOT_HELD;
    pthread_mutex_unlock(&c->f->client->lock);
    if (waits)
        waker_poke(c->waker); /* it looks, and will not find itself */
}

static void own_read(struct zokor_framework *f, const struct zokor_result *r, void *context)
{
    struct claim *c = context;
    const int n = (int)strlen(REVOKE_MESSAGE);
    pthread_mutex_lock(&f->client->lock);
    if (r->rc == ZOK && is_own(c, r->path)) {
        c->own_watched = true;
        if (r->data_len == n && memcmp(r->data, REVOKE_MESSAGE, (size_t)n) == 0 && c->on_revoked != NULL)
            claim_revoked(c);
    }
    if (r->rc == ZNONODE && is_own(c, r->path))
        unlock_gone(c);
    else
        pthread_mutex_unlock(&f->client->lock);
    if (!op_sets_watch(ZOKOR_GET, r->rc))
        claim_free(c); /* the watch's */
    claim_free(c);
}

void claim_watch_own(struct claim *c)
{
    pthread_mutex_lock(&c->f->client->lock);
    char *path = recipe_copy(c->path);
    c->own_asked = true;
    c->holders += 2; /* for the answer and the watch */
    pthread_mutex_unlock(&c->f->client->lock);
    const struct zokor_request q = { .operation = ZOKOR_GET, .path = path, .watch = own_fired, .watch_context = c };
    if (op_start_prompt(c->f, &q, own_read, c, false) != ZOK) {
        claim_free(c);
        claim_free(c);
    }
    mem_free(path);
}

/* Also when this claim deletes its node itself: then it is held no more. */
static void own_fired(struct zokor_framework *f, const struct zokor_event *e, void *context)
{
    struct claim *c = context;
    pthread_mutex_lock(&f->client->lock);
    bool own = e->type != ZOO_SESSION_EVENT && is_own(c, e->path) && c->listener != NULL;
    if (own)
        c->own_watched = false;
    if (own && e->type == ZOO_DELETED_EVENT)
        unlock_gone(c);
    else
        pthread_mutex_unlock(&f->client->lock);
    if (own && e->type == ZOO_CHANGED_EVENT)
        claim_watch_own(c);
    claim_free(c);
}

int claim_release(struct claim *c)
{
    struct client *client = c->f->client;
    stop_listening(c);
    pthread_mutex_lock(&client->lock);
    c->hold = ZOKOR_NOT_HELD;
    while (c->in_call && !pthread_equal(c->caller, pthread_self()))
        pthread_cond_wait(&client->changed, &client->lock);
    pthread_mutex_unlock(&client->lock);
    return delete_node(c);
}

int judge_first(const struct claim *c, char *const *names, int n, int ours)
{
    (void)c;
    (void)names;
    (void)n;
    return ours == 0 ? CLAIM_GRANTED : ours - !SIM_BUG(recipe_watches_itself);
}

const char *claim_number(const char *child, const char *name)
{
    const char *last = NULL;
    for (const char *p = child; (p = strstr(p, name)) != NULL; p++)
        last = p;
    return last == NULL ? child : last + strlen(name);
}

static int compare(const void *a, const void *b, void *name)
{
    const char *x = *(char *const *)a, *y = *(char *const *)b;
    if (SIM_BUG(recipe_sorts_by_name))
        return strcmp(x, y);
    /* Readers and writers are in one row: each name counts, as in Curator's SortingLockInternalsDriver. */
    static const char *const both[] = { "__READ__", "__WRIT__" };
    if (strncmp(name, "__", 2) == 0) {
        for (size_t i = 0; i < ARRAY_COUNT(both); i++) {
            x = claim_number(x, both[i]);
            y = claim_number(y, both[i]);
        }
        return strcmp(x, y);
    }
    return strcmp(claim_number(x, name), claim_number(y, name));
}

void claim_sort(struct String_vector *children, const char *name)
{
    if (children->count > 1)
        qsort_r(children->data, (size_t)children->count, sizeof(char *), compare, (void *)name);
}

int claim_participants(struct zokor_framework *f, const char *folder, const char *name, struct String_vector *paths)
{
    int rc = zokor_framework_children(f, folder, paths);
    if (rc != ZOK)
        return rc;
    claim_sort(paths, name);
    int32_t kept = 0;
    for (int32_t i = 0; i < paths->count; i++) {
        char *child = paths->data[i];
        if (strstr(child, name) != NULL)
            paths->data[kept++] = zokor_path_join(folder, child);
        mem_free(child);
    }
    paths->count = kept;
    return ZOK;
}

void zokor_participants_free(struct zokor_participant *participants, int count)
{
    for (int i = 0; i < count; i++)
        mem_free(participants[i].id);
    mem_free(participants);
}
