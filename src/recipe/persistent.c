/* Persistent watches that are set again in every new session. */
#include "recipe/internal.h"
#include <string.h>

/* Counted: by the program (until stop), by each session in which it is set, and by each event on its way. */
struct zokor_watch {
    struct zokor_framework *view;
    char *path;
    enum zokor_watch_mode mode;
    zokor_event_fn fn;
    void *context;
    struct listener *listener;
    /* Under the client's lock. */
    int holders;
    bool stopped;
    bool in_call;
    int64_t tried_in, set_in; /* numbers of sessions */
    pthread_t caller;
};

/* One setting of it in one handle: what the client library calls. */
struct setting {
    struct watch watch; /* so that the session frees it at its end: must be first */
    struct zokor_watch *owner;
    int64_t number; /* of the session */
    bool given_up;  /* its request timed out: if it is set after all, nobody listens */
    bool is_set;    /* under the client's lock: so whoever stops it unsets it; before, its answer does */
};

struct told {
    struct event event;
    struct zokor_watch *owner;
    int type, state;
    int64_t zxid;
    char *path;
};

static void drop(struct zokor_watch *w)
{
    struct client *c = w->view->client;
    pthread_mutex_lock(&c->lock);
    bool last = --w->holders == 0;
    pthread_mutex_unlock(&c->lock);
    if (!last)
        return;
    mem_free(w->path);
    mem_free(w);
}

static void run_told(struct event *e)
{
    struct told *t = CONTAINER_OF(e, struct told, event);
    struct zokor_watch *w = t->owner;
    struct client *c = w->view->client;
    pthread_mutex_lock(&c->lock);
    bool call = !w->stopped;
    w->in_call = call;
    w->caller = pthread_self();
    pthread_mutex_unlock(&c->lock);
    if (call) {
        const struct zokor_event event = {
            .type = t->type, .state = t->state, .path = view_strip(w->view, t->path), .zxid = t->zxid
        };
        w->fn(w->view, &event, w->context);
        pthread_mutex_lock(&c->lock);
        w->in_call = false;
        pthread_cond_broadcast(&c->changed);
        pthread_mutex_unlock(&c->lock);
    }
    mem_free(t->path);
    mem_free(t);
    drop(w);
}

static void tell(struct zokor_watch *w, int type, int state, const char *path, int64_t zxid)
{
    struct client *c = w->view->client;
    struct told *t = mem_zalloc(sizeof(*t));
    *t = (struct told){ .event.run = run_told, .owner = w, .type = type, .state = state, .zxid = zxid };
    t->path = recipe_copy(path);
    pthread_mutex_lock(&c->lock);
    w->holders++;
    list_push_back(&c->queue, &t->event.link);
    pthread_cond_signal(&c->event_wake);
    pthread_mutex_unlock(&c->lock);
}

static void fired(zhandle_t *zh, int type, int state, const char *path, void *context)
{
    const struct setting *s = context;
    if (type != ZOO_SESSION_EVENT && !s->given_up)
        tell(s->owner, type, state, path, zokor_zxid(zh));
}

/* At the end of its session. */
static void setting_ended(struct watch *w)
{
    struct setting *s = CONTAINER_OF(w, struct setting, watch);
    struct zokor_watch *owner = s->owner;
    mem_free(s->watch.path);
    mem_free(s);
    drop(owner);
}

static void setting_free(struct setting *s)
{
    watch_unset(&s->watch);
    setting_ended(&s->watch);
}

/* What was on its way before has been delivered. */
static void on_unset(int rc, const void *data)
{
    (void)rc;
    setting_free((struct setting *)data);
}

static void unset(struct setting *s, struct session *session)
{
    const struct zokor_watch *w = s->owner;
    enum zokor_watch_type type = w->mode == ZOKOR_WATCH_RECURSIVE ? ZOKOR_WATCHES_RECURSIVE : ZOKOR_WATCHES_PERSISTENT;
    (void)zokor_aremove_watches(session->zh, w->path, type, fired, s, 1, on_unset, s);
}

static void set(struct zokor_watch *w);

static void on_set(int rc, const void *data)
{
    struct setting *s = (struct setting *)data;
    struct zokor_watch *w = s->owner;
    struct client *c = w->view->client;
    pthread_mutex_lock(&c->lock);
    bool stopped = w->stopped;
    s->is_set = rc == ZOK && !stopped;
    if (rc == ZOK)
        w->set_in = s->number;
    else if (w->tried_in == s->number && rc != ZUNIMPLEMENTED) /* such a server ends the connection, every time */
        w->tried_in = 0;
    pthread_mutex_unlock(&c->lock);
    if (rc == ZOK && !stopped)
        tell(w, ZOO_SESSION_EVENT, ZOO_CONNECTED_STATE, w->path, -1);
    else if (rc == ZUNIMPLEMENTED || rc == ZNOAUTH)
        tell(w, ZOO_NOTWATCHING_EVENT, rc, w->path, -1);
    if (rc == ZREQUESTTIMEOUT) {
        s->given_up = true; /* this thread's, as is the watcher's call */
        set(w);
    } else if (rc != ZOK) {
        if (rc == ZTHROTTLEDOP)
            set(w);
        setting_free(s);
    } else if (stopped) {
        unset(s, s->watch.session);
    }
}

static void set(struct zokor_watch *w)
{
    struct client *c = w->view->client;
    struct session *session = session_hold(c);
    if (session == NULL)
        return;
    struct setting *s = mem_zalloc(sizeof(*s));
    s->watch = (struct watch){ .view = w->view, .session = session, .ended = setting_ended };
    list_init(&s->watch.link);
    s->watch.path = recipe_copy(w->path);
    s->owner = w;
    s->number = session->number;
    pthread_mutex_lock(&c->lock);
    w->holders++;
    bool first = w->tried_in != session->number && !w->stopped;
    if (first) {
        w->tried_in = session->number;
        list_push_back(&session->watches, &s->watch.link);
    }
    pthread_mutex_unlock(&c->lock);
    if (!first)
        setting_free(s);
    else if (zokor_aadd_watch(session->zh, w->path, w->mode, fired, s, on_set, s) != ZOK)
        on_set(ZINVALIDSTATE, s); /* the handle is at its end: it is set in the next one */
    session_release(session);
}

/* The client library has told the server of it again if the session is the same; what happened meanwhile is unknown. */
static void on_state(struct zokor_framework *f, enum zokor_connection_state state, void *context)
{
    struct zokor_watch *w = context;
    if (state == ZOKOR_SUSPENDED || state == ZOKOR_LOST)
        return;
    pthread_mutex_lock(&f->client->lock);
    bool stays = f->client->session != NULL && w->set_in == f->client->session->number;
    pthread_mutex_unlock(&f->client->lock);
    if (stays)
        tell(w, ZOO_SESSION_EVENT, ZOO_CONNECTED_STATE, w->path, -1);
    else
        set(w);
}

struct zokor_watch *zokor_watch_start(struct zokor_framework *f, const char *path, enum zokor_watch_mode mode,
                                      zokor_event_fn fn, void *context)
{
    if (path == NULL || path[0] != '/' || fn == NULL)
        return NULL;
    struct zokor_watch *w = mem_zalloc(sizeof(*w));
    *w = (struct zokor_watch){ .view = f, .mode = mode, .fn = fn, .context = context, .holders = 1 };
    w->path = view_path(f, path);
    w->listener = listener_add(f, on_state, w, true);
    if (zokor_framework_is_connected(f))
        set(w);
    return w;
}

void zokor_watch_stop(struct zokor_watch *w)
{
    if (w == NULL)
        return;
    struct client *c = w->view->client;
    listener_remove(c, w->listener);
    struct session *session = session_hold(c);
    struct setting *mine = NULL;
    pthread_mutex_lock(&c->lock);
    w->stopped = true;
    while (w->in_call && !pthread_equal(w->caller, pthread_self()))
        pthread_cond_wait(&c->changed, &c->lock);
    if (session != NULL) {
        LIST_FOR(it, &session->watches)
        {
            struct watch *one = CONTAINER_OF(it, struct watch, link);
            if (one->ended == setting_ended && CONTAINER_OF(one, struct setting, watch)->owner == w)
                mine = CONTAINER_OF(one, struct setting, watch);
        }
    }
    if (mine != NULL && !mine->is_set)
        mine = NULL; /* its answer is on the way, and may free it at any time from now on */
    pthread_mutex_unlock(&c->lock);
    if (mine != NULL)
        unset(mine, session);
    if (session != NULL)
        session_release(session);
    drop(w);
}
