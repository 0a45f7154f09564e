/* What the queues of a client hold: an ephemeral node with the name of the item, below the lock path. The list of them
 * is the client's, for a node of our own session need not be this thread's.
 *
 * A hold that ends with a bad connection leaves a node that nobody knows of, and whose item nobody gets as long as our
 * session lives. It is looked for in the background until it is known to be gone. It has the name of others' nodes, so
 * it is deleted only right after it was seen to be ours: a delete that waited longer could hit who holds the item next.
 */
#include "recipe/queue.h"
#include "base/museum.h"
#include <string.h>

#define AGAIN_MS 500

struct hold {
    struct list link; /* in client.held */
    struct zokor_framework *f;
    struct list of_queue; /* in the queue's holds; alone: being released, and the queue may be gone */
    bool released;
    char *path;    /* of the node */
    int64_t owner; /* the session of the node; 0: not yet known */
};

static void free_hold(struct hold *h)
{
    list_remove(&h->link);
    list_remove(&h->of_queue);
    mem_free(h->path);
    mem_free(h);
}

/* The lock is held. */
static struct hold *find(struct zokor_framework *f, const char *path)
{
    LIST_FOR(it, &f->client->held)
    {
        struct hold *h = CONTAINER_OF(it, struct hold, link);
        if (h->f == f && strcmp(h->path, path) == 0)
            return h;
    }
    return NULL;
}

int hold_begin(struct zokor_framework *f, struct list *holds, const char *path)
{
    pthread_mutex_lock(&f->client->lock);
    const struct hold *there = find(f, path);
    int rc = there == NULL ? ZOK : there->released ? ZNOTHING : ZNODEEXISTS;
    if (there == NULL) {
        struct hold *h = mem_zalloc(sizeof(*h));
        *h = (struct hold){ .f = f, .path = recipe_copy(path) };
        list_push_back(&f->client->held, &h->link);
        list_push_back(holds, &h->of_queue);
    }
    pthread_mutex_unlock(&f->client->lock);
    return rc;
}

void hold_set(struct zokor_framework *f, const char *path, int64_t owner)
{
    pthread_mutex_lock(&f->client->lock);
    struct hold *h = find(f, path);
    if (h != NULL)
        h->owner = owner;
    pthread_mutex_unlock(&f->client->lock);
}

int64_t hold_owner(struct zokor_framework *f, const char *path)
{
    pthread_mutex_lock(&f->client->lock);
    const struct hold *h = find(f, path);
    int64_t owner = h == NULL ? 0 : h->owner;
    pthread_mutex_unlock(&f->client->lock);
    return owner;
}

void hold_end(struct zokor_framework *f, const char *path)
{
    pthread_mutex_lock(&f->client->lock);
    struct hold *h = find(f, path);
    if (h != NULL)
        free_hold(h);
    pthread_mutex_unlock(&f->client->lock);
}

void hold_end_all(struct zokor_framework *f, struct list *holds)
{
    if (list_empty(holds))
        return; /* also when the framework is no more */
    pthread_mutex_lock(&f->client->lock);
    LIST_FOR_SAFE(it, holds)
    free_hold(CONTAINER_OF(it, struct hold, of_queue));
    pthread_mutex_unlock(&f->client->lock);
}

void hold_forget_all(struct client *c)
{
    LIST_FOR_SAFE(it, &c->held)
    free_hold(CONTAINER_OF(it, struct hold, link));
}

static void released(struct hold *h)
{
    struct client *c = h->f->client;
    pthread_mutex_lock(&c->lock);
    free_hold(h);
    pthread_mutex_unlock(&c->lock);
}

static void ask(struct hold *h, enum zokor_operation operation, zokor_result_fn answered)
{
    const struct zokor_retry never = zokor_retry_never(), until_known = zokor_retry_forever(AGAIN_MS);
    const struct zokor_request q = { .operation = operation,
                                     .path = h->path,
                                     .mode = ZOO_EPHEMERAL,
                                     .flags = operation == ZOKOR_CREATE ? ZOKOR_CONTAINER_PARENTS : 0,
                                     .retry = operation == ZOKOR_DELETE ? &never : &until_known };
    if (op_start(h->f, &q, answered, h, true) != ZOK)
        released(h);
}

static void looked(struct zokor_framework *f, const struct zokor_result *r, void *context);

static void deleted(struct zokor_framework *f, const struct zokor_result *r, void *context)
{
    (void)f;
    if (zokor_is_retryable(r->rc))
        ask(context, ZOKOR_EXISTS, looked);
    else
        released(context);
}

static void looked(struct zokor_framework *f, const struct zokor_result *r, void *context)
{
    pthread_mutex_lock(&f->client->lock);
    bool ours = r->rc == ZOK && r->stat.ephemeralOwner == f->client->last_session_id;
    pthread_mutex_unlock(&f->client->lock);
    if (ours)
        ask(context, ZOKOR_DELETE, deleted);
    else
        released(context);
}

static void made(struct zokor_framework *f, const struct zokor_result *r, void *context)
{
    (void)f;
    if (r->rc == ZOK)
        ask(context, ZOKOR_DELETE, deleted);
    else if (r->rc == ZNODEEXISTS)
        ask(context, ZOKOR_EXISTS, looked);
    else
        released(context);
}

void hold_release(struct zokor_framework *f, const char *path, bool is_made)
{
    pthread_mutex_lock(&f->client->lock);
    struct hold *h = find(f, path);
    if (h != NULL && SIM_BUG(recipe_queue_lock_left)) {
        free_hold(h);
        h = NULL;
    }
    if (h != NULL) {
        h->released = true;
        list_remove(&h->of_queue);
    }
    pthread_mutex_unlock(&f->client->lock);
    /* Whether it was made says only a write: a server that is behind would say that it is not there. */
    if (h != NULL)
        ask(h, is_made ? ZOKOR_EXISTS : ZOKOR_CREATE, is_made ? looked : made);
}
