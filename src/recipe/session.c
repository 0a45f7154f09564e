/* Sessions, one after the other, and what is said of the connection. */
#include "recipe/internal.h"
#include <errno.h>
#include <limits.h>
#include <stdlib.h>

#define REOPEN_MS 1000 /* after a handle could not be made */

struct state_note {
    struct list link;
    struct event event;
    struct client *client;
    enum zokor_connection_state state;
    int64_t number;
};

void state_move(struct client *c, enum zokor_connection_state state)
{
    struct state_note *n = mem_zalloc(sizeof(*n));
    n->client = c;
    n->state = c->state = state;
    n->number = ++c->state_number;
    list_push_back(&c->states, &n->link);
    pthread_cond_broadcast(&c->changed);
}

/* Calls the listeners of one kind; the lock is held, but not while they run. */
static void call_listeners(const struct state_note *n, bool direct)
{
    struct client *c = n->client;
    struct list *next;
    for (struct list *it = c->listeners.next; it != &c->listeners; it = next) {
        struct listener *l = CONTAINER_OF(it, struct listener, link);
        if (l->direct == direct && l->since < n->number && !l->removed) {
            l->calls++;
            l->caller = pthread_self();
            pthread_mutex_unlock(&c->lock);
            l->fn(l->view, n->state, l->context);
            pthread_mutex_lock(&c->lock);
            l->calls--;
            pthread_cond_broadcast(&c->changed);
        }
        next = it->next;
        if (l->removed && l->calls == 0 && !l->awaited) {
            list_remove(it);
            mem_free(l);
        }
    }
}

static void note_run(struct event *e)
{
    struct state_note *n = CONTAINER_OF(e, struct state_note, event);
    struct client *c = n->client;
    pthread_mutex_lock(&c->lock);
    call_listeners(n, false);
    pthread_mutex_unlock(&c->lock);
    mem_free(n);
}

void state_tell(struct client *c)
{
    pthread_mutex_lock(&c->lock);
    if (c->telling) { /* whoever does it now takes the new ones, too */
        pthread_mutex_unlock(&c->lock);
        return;
    }
    c->telling = true;
    for (struct list *first; (first = list_first(&c->states)) != NULL;) {
        struct state_note *n = CONTAINER_OF(first, struct state_note, link);
        list_remove(first);
        call_listeners(n, true);
        n->event.run = note_run;
        list_push_back(&c->queue, &n->event.link);
        pthread_cond_signal(&c->event_wake);
    }
    c->telling = false;
    pthread_mutex_unlock(&c->lock);
}

struct listener *listener_add(struct zokor_framework *f, zokor_state_fn fn, void *context, bool direct)
{
    struct listener *l = mem_zalloc(sizeof(*l));
    *l = (struct listener){ .view = f, .fn = fn, .context = context, .direct = direct };
    pthread_mutex_lock(&f->client->lock);
    l->since = f->client->state_number;
    list_push_back(&f->client->listeners, &l->link);
    pthread_mutex_unlock(&f->client->lock);
    return l;
}

/* The lock is held. */
static void remove_held(struct client *c, struct listener *l)
{
    l->removed = true;
    if (l->calls > 0 && pthread_equal(l->caller, pthread_self()))
        return; /* its caller frees it */
    l->awaited = true;
    while (l->calls > 0)
        pthread_cond_wait(&c->changed, &c->lock);
    list_remove(&l->link);
    mem_free(l);
}

void listener_remove(struct client *c, struct listener *l)
{
    pthread_mutex_lock(&c->lock);
    remove_held(c, l);
    pthread_mutex_unlock(&c->lock);
}

void zokor_framework_listen(struct zokor_framework *f, zokor_state_fn fn, void *context)
{
    (void)listener_add(f, fn, context, false);
}

void zokor_framework_unlisten(struct zokor_framework *f, zokor_state_fn fn, void *context)
{
    struct client *c = f->client;
    pthread_mutex_lock(&c->lock);
    LIST_FOR(it, &c->listeners)
    {
        struct listener *l = CONTAINER_OF(it, struct listener, link);
        if (!l->direct && !l->removed && l->view == f && l->fn == fn && l->context == context) {
            remove_held(c, l);
            break;
        }
    }
    pthread_mutex_unlock(&c->lock);
}

static void now_connected(struct client *c, struct session *s, zhandle_t *zh, bool read_only)
{
    const enum zokor_connection_state was = c->state;
    s->id = zoo_client_id(zh)->client_id;
    s->zh = zh;
    c->last_session_id = s->id;
    if (read_only && was != ZOKOR_READ_ONLY)
        state_move(c, ZOKOR_READ_ONLY);
    else if (!read_only && (!c->is_open || was == ZOKOR_READ_ONLY))
        state_move(c, c->was_connected ? ZOKOR_RECONNECTED : ZOKOR_CONNECTED);
    c->is_open = c->was_connected = true;
}

/* The watcher of a handle. What an old handle says is of no interest any more. */
static void on_session_event(zhandle_t *zh, int type, int state, const char *path, void *context)
{
    struct session *s = context;
    struct client *c = s->client;
    (void)path;
    if (type != ZOO_SESSION_EVENT)
        return;
    pthread_mutex_lock(&c->lock);
    if (c->session != s || c->closing) {
        pthread_mutex_unlock(&c->lock);
        return;
    }
    if (state == ZOO_CONNECTED_STATE || state == ZOO_READONLY_STATE) {
        now_connected(c, s, zh, state == ZOO_READONLY_STATE);
    } else if (state == ZOO_EXPIRED_SESSION_STATE) {
        session_give_up(c);
    } else if (c->is_open) {
        c->is_open = false;
        c->suspended_at_ms = recipe_now_ms();
        state_move(c, ZOKOR_SUSPENDED);
        pthread_cond_signal(&c->worker_wake);
    }
    pthread_mutex_unlock(&c->lock);
    state_tell(c);
}

static zhandle_t *make_handle(struct client *c, struct session *s)
{
    int flags = ZOO_NO_LOG_CLIENTENV | (c->can_be_read_only ? ZOO_READONLY : 0);
    char *hosts = zokor_framework_hosts(&c->root); /* they may be changed meanwhile */
    zhandle_t *zh = c->make_handle != NULL
                        ? c->make_handle(hosts, on_session_event, c->session_timeout_ms, s, flags, c->make_context)
                        : zookeeper_init(hosts, on_session_event, c->session_timeout_ms, NULL, s, flags);
    int error = errno;
    mem_free(hosts);
    errno = error;
    return zh;
}

bool session_open(struct client *c)
{
    struct session *s = mem_zalloc(sizeof(*s));
    s->client = c;
    list_init(&s->link);
    list_init(&s->watches);
    pthread_mutex_lock(&c->lock);
    s->number = ++c->session_count;
    c->session = s; /* its first event may come before its handle is returned */
    pthread_mutex_unlock(&c->lock);
    zhandle_t *zh = make_handle(c, s);
    int error = zh == NULL ? errno : 0;
    if (zh != NULL && c->request_timeout_ms > 0)
        zokor_set_request_timeout(zh, c->request_timeout_ms);
    for (int i = 0; zh != NULL && i < c->auth_count; i++)
        (void)zoo_add_auth(zh, c->auths[i].scheme, c->auths[i].auth, c->auths[i].auth_len, NULL, NULL);
    pthread_mutex_lock(&c->lock);
    s->zh = zh;
    if (zh == NULL) {
        list_remove(&s->link); /* it has been closed meanwhile */
        c->session = c->session == s ? NULL : c->session;
        c->reopen_at_ms = recipe_now_ms() + REOPEN_MS;
    } else if (c->closing && c->session == s) {
        c->session = NULL;
        list_push_back(&c->ended, &s->link);
    }
    pthread_mutex_unlock(&c->lock);
    if (zh == NULL)
        mem_free(s);
    errno = error;
    return zh != NULL;
}

void session_free(struct session *s)
{
    (void)zookeeper_close(s->zh);
    watch_end_all(s);
    mem_free(s);
}

struct session *session_hold(struct client *c)
{
    pthread_mutex_lock(&c->lock);
    struct session *s = c->closing || c->session == NULL || c->session->zh == NULL ? NULL : c->session;
    if (s != NULL)
        s->holders++;
    pthread_mutex_unlock(&c->lock);
    return s;
}

void session_release(struct session *s)
{
    struct client *c = s->client;
    pthread_mutex_lock(&c->lock);
    if (--s->holders == 0 && c->session != s) /* the worker waits for that, to close it */
        pthread_cond_signal(&c->worker_wake);
    pthread_mutex_unlock(&c->lock);
}

struct awaited {
    struct client *client;
    const struct session *session;
    int (*is_over)(void *context);
    void *context;
    bool over;
};

static int is_over_or_gone(void *context)
{
    struct awaited *a = context;
    a->over = a->is_over(a->context) != 0;
    if (a->over)
        return 1;
    pthread_mutex_lock(&a->client->lock);
    bool gone = a->client->session != a->session; /* the worker waits for those who hold it */
    pthread_mutex_unlock(&a->client->lock);
    return gone;
}

struct session *session_await_soon(struct client *c)
{
    struct session *s = session_hold(c);
    if (s == NULL || zokor_await_soon(s->zh) == ZOK)
        return s;
    session_release(s);
    return NULL;
}

bool session_await(struct client *c, struct session *s, zhandle_t **zh, pthread_mutex_t *lock,
                   int (*is_over)(void *context), void *context, int64_t due_ms)
{
    if (s == NULL)
        s = session_hold(c);
    if (s == NULL)
        return false;
    struct awaited a = { .client = c, .session = s, .is_over = is_over, .context = context };
    int64_t left_ms = due_ms < 0 ? -1 : due_ms - recipe_now_ms();
    left_ms = due_ms >= 0 && left_ms < 0 ? 0 : left_ms;
    pthread_mutex_lock(lock);
    *zh = s->zh;
    pthread_mutex_unlock(lock);
    (void)zokor_await(s->zh, is_over_or_gone, &a, left_ms > INT_MAX ? INT_MAX : (int)left_ms);
    pthread_mutex_lock(lock);
    *zh = NULL;
    pthread_mutex_unlock(lock);
    session_release(s);
    return a.over;
}

void session_give_up(struct client *c)
{
    zokor_nudge(c->session->zh);
    list_push_back(&c->ended, &c->session->link);
    c->session = NULL; /* the worker begins another */
    c->reopen_at_ms = 0;
    c->is_open = false;
    state_move(c, ZOKOR_LOST);
    pthread_cond_signal(&c->worker_wake);
}

/* A session that was out of reach for as long as it lasts is over, though nobody can say so: as Curator does, LOST is
 * told and a new session begun, in which nothing of the old one is taken for ours. */
int64_t session_check(struct client *c, int64_t now_ms)
{
    if (c->closing || c->session_count == 0)
        return -1;
    if (c->session == NULL)
        return c->reopen_at_ms;
    if (c->state != ZOKOR_SUSPENDED || c->session->zh == NULL)
        return -1;
    int64_t end = c->suspended_at_ms + zoo_recv_timeout(c->session->zh);
    if (end > now_ms)
        return end;
    session_give_up(c);
    return now_ms;
}

int zokor_framework_wait_connected(struct zokor_framework *f, int timeout_ms)
{
    struct client *c = f->client;
    int64_t end = timeout_ms < 0 ? -1 : recipe_now_ms() + timeout_ms;
    bool in_time = true;
    pthread_mutex_lock(&c->lock);
    c->waiting++;
    while (!c->is_open && !c->closing && in_time)
        in_time = recipe_cond_wait(&c->changed, &c->lock, end);
    int rc = c->closing ? ZCLOSING : c->is_open ? ZOK : ZOPERATIONTIMEOUT;
    c->waiting--;
    pthread_cond_broadcast(&c->changed);
    pthread_mutex_unlock(&c->lock);
    return rc;
}

enum zokor_connection_state zokor_framework_state(struct zokor_framework *f)
{
    pthread_mutex_lock(&f->client->lock);
    enum zokor_connection_state state = f->client->state;
    pthread_mutex_unlock(&f->client->lock);
    return state;
}

int zokor_framework_is_connected(struct zokor_framework *f)
{
    pthread_mutex_lock(&f->client->lock);
    int is = f->client->is_open;
    pthread_mutex_unlock(&f->client->lock);
    return is;
}

int zokor_framework_is_error_state(struct zokor_framework *f, enum zokor_connection_state state)
{
    return state == ZOKOR_LOST || (state == ZOKOR_SUSPENDED && f->client->error_policy == ZOKOR_ERRORS_STANDARD);
}

int64_t zokor_framework_session_id(struct zokor_framework *f)
{
    pthread_mutex_lock(&f->client->lock);
    int64_t id = f->client->last_session_id;
    pthread_mutex_unlock(&f->client->lock);
    return id;
}

zhandle_t *zokor_framework_handle(struct zokor_framework *f)
{
    pthread_mutex_lock(&f->client->lock);
    zhandle_t *zh = f->client->session == NULL ? NULL : f->client->session->zh;
    pthread_mutex_unlock(&f->client->lock);
    return zh;
}

const char *zokor_connection_state_text(enum zokor_connection_state state)
{
    static const char *const texts[] = {
        [ZOKOR_STATE_NONE] = "NONE",         [ZOKOR_CONNECTED] = "CONNECTED", [ZOKOR_SUSPENDED] = "SUSPENDED",
        [ZOKOR_RECONNECTED] = "RECONNECTED", [ZOKOR_LOST] = "LOST",           [ZOKOR_READ_ONLY] = "READ_ONLY"
    };
    return (size_t)state < ARRAY_COUNT(texts) ? texts[state] : "UNKNOWN";
}
