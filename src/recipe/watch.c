/* Watches that are called once: for their node, or at the end of their session. The client library keeps them across
 * connections; the list of a session knows those that have not fired, so that none is forgotten when it ends. */
#include "recipe/internal.h"
#include <string.h>

struct watch_event {
    struct event event;
    struct zokor_framework *view;
    zokor_event_fn fn;
    void *context;
    int type, state;
    int64_t zxid;
    char *path;
};

struct watch *watch_new(struct zokor_framework *f, const char *path, zokor_event_fn fn, void *context, bool direct)
{
    struct watch *w = mem_zalloc(sizeof(*w));
    *w = (struct watch){ .view = f, .fn = fn, .context = context, .direct = direct, .pending = true };
    w->path = recipe_copy(path);
    list_init(&w->link);
    return w;
}

void watch_free(struct watch *w)
{
    if (w == NULL)
        return;
    mem_free(w->path);
    mem_free(w);
}

void watch_set(struct watch *w, struct session *s)
{
    pthread_mutex_lock(&s->client->lock);
    w->session = s;
    list_push_back(&s->watches, &w->link);
    pthread_mutex_unlock(&s->client->lock);
}

void watch_unset(struct watch *w)
{
    struct client *c = w->view->client;
    pthread_mutex_lock(&c->lock);
    list_remove(&w->link);
    pthread_mutex_unlock(&c->lock);
}

static void run_event(struct event *e)
{
    struct watch_event *w = CONTAINER_OF(e, struct watch_event, event);
    const struct zokor_event event = {
        .type = w->type, .state = w->state, .path = view_strip(w->view, w->path), .zxid = w->zxid
    };
    w->fn(w->view, &event, w->context);
    mem_free(w->path);
    mem_free(w);
}

/* Calls a watch that is in no list any more, and frees it. */
static void fire(struct watch *w, int type, int state, const char *path, int64_t zxid)
{
    if (w->fn != NULL && w->direct) {
        const struct zokor_event event = {
            .type = type, .state = state, .path = view_strip(w->view, path), .zxid = zxid
        };
        w->fn(w->view, &event, w->context);
    } else if (w->fn != NULL) {
        struct watch_event *e = mem_zalloc(sizeof(*e));
        *e = (struct watch_event){ .event.run = run_event, .view = w->view, .fn = w->fn, .context = w->context };
        e->type = type;
        e->state = state;
        e->zxid = zxid;
        e->path = recipe_copy(path);
        list_init(&e->event.link);
        client_post(w->view->client, &e->event);
    }
    watch_free(w);
}

void watch_settle(struct watch *w)
{
    struct client *c = w->view->client;
    pthread_mutex_lock(&c->lock);
    w->pending = false;
    bool over = list_empty(&w->link);
    pthread_mutex_unlock(&c->lock);
    if (over && w->fired_type != 0)
        fire(w, w->fired_type, w->fired_state, w->path, w->fired_zxid);
    else if (over)
        fire(w, ZOO_SESSION_EVENT, ZOO_EXPIRED_SESSION_STATE, "", -1);
}

void watch_abandon(struct watch *w)
{
    struct client *c = w->view->client;
    pthread_mutex_lock(&c->lock);
    w->fn = NULL;
    w->pending = false;
    bool over = list_empty(&w->link);
    pthread_mutex_unlock(&c->lock);
    if (over)
        watch_free(w);
}

/* Takes it out of its session; false: its request, or who cancels it, will see to it. */
static bool take_out(struct watch *w, int type, int state, int64_t zxid)
{
    struct client *c = w->view->client;
    pthread_mutex_lock(&c->lock);
    list_remove(&w->link);
    bool ours = !w->pending && !w->cancelling;
    w->fired_type = type;
    w->fired_state = state;
    w->fired_zxid = zxid;
    pthread_mutex_unlock(&c->lock);
    return ours;
}

void watch_fired(zhandle_t *zh, int type, int state, const char *path, void *context)
{
    struct watch *w = context;
    if (type == ZOO_SESSION_EVENT) /* its end is told when the handle is closed */
        return;
    if (take_out(w, type, state, zokor_zxid(zh)))
        fire(w, type, state, path, zokor_zxid(zh));
}

void watch_end_all(struct session *s)
{
    struct client *c = s->client;
    for (;;) {
        pthread_mutex_lock(&c->lock);
        struct list *first = list_first(&s->watches);
        struct watch *w = first == NULL ? NULL : CONTAINER_OF(first, struct watch, link);
        bool pending = w != NULL && (w->pending || w->cancelling);
        if (first != NULL)
            list_remove(first);
        pthread_mutex_unlock(&c->lock);
        if (w == NULL)
            return;
        if (pending)
            continue;
        if (w->ended != NULL)
            w->ended(w);
        else
            fire(w, ZOO_SESSION_EVENT, ZOO_EXPIRED_SESSION_STATE, "", -1);
    }
}

static void on_removed(int rc, const void *data)
{
    (void)rc;
    (void)data;
}

/* ZOK: it will never fire. Otherwise it may have been taken out meanwhile, and is nobody's; or that is still to come.
 */
static void end_cancelled(struct watch *w, int rc)
{
    struct client *c = w->view->client;
    pthread_mutex_lock(&c->lock);
    w->cancelling = false;
    bool over = rc == ZOK || list_empty(&w->link);
    if (over)
        list_remove(&w->link);
    pthread_mutex_unlock(&c->lock);
    if (over)
        watch_free(w);
}

/* With `local`, ZOK means that it was there and is not any more: it has not fired and never will. Otherwise it is being
 * set, or fires just now, or has; then it ends, without a call, with its node or its session. */
bool watch_cancel(struct zokor_framework *f, zokor_event_fn fn, void *context)
{
    struct client *c = f->client;
    struct session *s = session_hold(c);
    struct watch *w = NULL;
    if (s == NULL)
        return false;
    pthread_mutex_lock(&c->lock);
    LIST_FOR(it, &s->watches)
    {
        struct watch *one = CONTAINER_OF(it, struct watch, link);
        if (!one->pending && one->fn == fn && one->context == context) {
            w = one;
            break;
        }
    }
    bool found = w != NULL;
    char *path = found ? recipe_copy(w->path) : NULL;
    if (found) { /* until it is known whether it fires, it stays: another one could get its place, and be taken for it
                  */
        w->fn = NULL;
        w->cancelling = true;
    }
    pthread_mutex_unlock(&c->lock);
    if (found)
        end_cancelled(w, zokor_aremove_watches(s->zh, path, ZOKOR_WATCHES_ANY, watch_fired, w, 1, on_removed, NULL));
    mem_free(path);
    session_release(s);
    return found;
}
