/* The client behind a framework: its two threads, its views, its beginning and its end. */
#include "recipe/internal.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SESSION_TIMEOUT_MS 60000 /* Curator's */

void client_post(struct client *c, struct event *e)
{
    pthread_mutex_lock(&c->lock);
    list_push_back(&c->queue, &e->link);
    pthread_cond_signal(&c->event_wake);
    pthread_mutex_unlock(&c->lock);
}

void client_arm(struct client *c, struct timer *t, int delay_ms)
{
    pthread_mutex_lock(&c->lock);
    t->due_ms = recipe_now_ms() + delay_ms;
    list_push_back(&c->timers, &t->link);
    pthread_cond_signal(&c->worker_wake);
    pthread_mutex_unlock(&c->lock);
}

bool client_disarm(struct client *c, struct timer *t)
{
    pthread_mutex_lock(&c->lock);
    bool waits = t->link.next != NULL && !list_empty(&t->link);
    if (waits)
        list_remove(&t->link);
    pthread_mutex_unlock(&c->lock);
    return waits;
}

bool client_enter(struct client *c)
{
    pthread_mutex_lock(&c->lock);
    bool in = !c->closing;
    c->waiting += in;
    pthread_mutex_unlock(&c->lock);
    return in;
}

void client_leave(struct client *c)
{
    pthread_mutex_lock(&c->lock);
    c->waiting--;
    pthread_cond_broadcast(&c->changed);
    pthread_mutex_unlock(&c->lock);
}

bool client_on_event_thread(const struct client *c)
{
    return pthread_equal(pthread_self(), c->events) != 0;
}

static void *event_main(void *arg)
{
    struct client *c = arg;
    pthread_mutex_lock(&c->lock);
    for (;;) {
        while (list_empty(&c->queue) && !c->events_end)
            pthread_cond_wait(&c->event_wake, &c->lock);
        struct list *first = list_first(&c->queue);
        if (first == NULL)
            break;
        list_remove(first);
        pthread_mutex_unlock(&c->lock);
        struct event *e = CONTAINER_OF(first, struct event, link);
        e->run(e);
        pthread_mutex_lock(&c->lock);
    }
    pthread_mutex_unlock(&c->lock);
    return NULL;
}

static struct session *ended_session(struct client *c)
{
    LIST_FOR(it, &c->ended)
    {
        struct session *s = CONTAINER_OF(it, struct session, link);
        if (s->holders == 0) {
            list_remove(it);
            return s;
        }
    }
    return NULL;
}

/* Moves what is due to `due`; returns when the next one will be, -1 if there is none. */
static int64_t take_due(struct client *c, struct list *due)
{
    int64_t now = recipe_now_ms(), next = -1;
    LIST_FOR_SAFE(it, &c->timers)
    {
        struct timer *t = CONTAINER_OF(it, struct timer, link);
        if (t->due_ms <= now || c->closing) {
            list_remove(it);
            list_push_back(due, it);
        } else if (next < 0 || t->due_ms < next) {
            next = t->due_ms;
        }
    }
    return next;
}

static void run_due(struct client *c, struct list *due)
{
    for (struct list *first; (first = list_first(due)) != NULL;) {
        list_remove(first);
        struct timer *t = CONTAINER_OF(first, struct timer, link);
        pthread_mutex_unlock(&c->lock);
        t->run(t);
        pthread_mutex_lock(&c->lock);
    }
}

/* The lock is held. */
static bool session_is_wanted(const struct client *c)
{
    return !c->closing && c->session_count > 0 && c->session == NULL && c->reopen_at_ms <= recipe_now_ms();
}

static void *worker_main(void *arg)
{
    struct client *c = arg;
    struct list due;
    list_init(&due);
    pthread_mutex_lock(&c->lock);
    for (;;) {
        int64_t look = session_check(c, recipe_now_ms());
        bool told = list_empty(&c->states) || c->telling, open = session_is_wanted(c);
        struct session *over = ended_session(c);
        int64_t next = take_due(c, &due);
        if (!told || open || over != NULL || !list_empty(&due)) {
            pthread_mutex_unlock(&c->lock);
            state_tell(c);
            if (open)
                (void)session_open(c);
            if (over != NULL)
                session_free(over);
            pthread_mutex_lock(&c->lock);
            run_due(c, &due);
            continue;
        }
        if (c->worker_end && list_empty(&c->ended) && list_empty(&c->timers))
            break;
        next = next < 0 || (look >= 0 && look < next) ? look : next;
        (void)recipe_cond_wait(&c->worker_wake, &c->lock, next);
    }
    pthread_mutex_unlock(&c->lock);
    return NULL;
}

static void copy_auths(struct client *c, const struct zokor_framework_options *o)
{
    c->auths = mem_zalloc(((size_t)o->auth_count + 1) * sizeof(*c->auths));
    c->auth_count = o->auth_count;
    for (int i = 0; i < o->auth_count; i++) {
        c->auths[i].scheme = recipe_copy(o->auths[i].scheme);
        c->auths[i].auth_len = o->auths[i].auth_len;
        c->auths[i].auth = mem_alloc((size_t)o->auths[i].auth_len + 1);
        memcpy(c->auths[i].auth, o->auths[i].auth, (size_t)o->auths[i].auth_len);
    }
}

static char *namespace_of(const char *name)
{
    while (name != NULL && *name == '/')
        name++;
    return name == NULL || *name == 0 ? recipe_copy("") : recipe_text("/%s", name);
}

static struct client *client_new(const struct zokor_framework_options *o)
{
    struct client *c = mem_zalloc(sizeof(*c));
    pthread_mutex_init(&c->lock, NULL);
    recipe_cond_init(&c->worker_wake);
    recipe_cond_init(&c->event_wake);
    recipe_cond_init(&c->changed);
    struct list *const lists[] = { &c->views, &c->ended,      &c->states, &c->listeners, &c->timers,
                                   &c->queue, &c->operations, &c->held,   &c->root.link };
    for (size_t i = 0; i < ARRAY_COUNT(lists); i++)
        list_init(lists[i]);
    c->root.client = c;
    c->root.name_space = namespace_of(o->name_space);
    list_push_back(&c->views, &c->root.link);
    c->hosts = recipe_copy(o->hosts);
    c->session_timeout_ms = o->session_timeout_ms > 0 ? o->session_timeout_ms : SESSION_TIMEOUT_MS;
    c->request_timeout_ms = o->request_timeout_ms;
    c->retry = o->retry;
    c->error_policy = o->error_policy;
    c->make_handle = o->make_handle;
    c->make_context = o->make_context;
    c->can_be_read_only = o->can_be_read_only != 0;
    c->plain_parents = o->plain_parents != 0;
    c->compress = o->compress != 0;
    recipe_copy_acl(o->acl != NULL ? o->acl : &ZOO_OPEN_ACL_UNSAFE, &c->acl);
    copy_auths(c, o);
    return c;
}

static void client_delete(struct client *c)
{
    hold_forget_all(c);
    LIST_FOR_SAFE(it, &c->views)
    {
        struct zokor_framework *f = CONTAINER_OF(it, struct zokor_framework, link);
        list_remove(it);
        mem_free(f->name_space);
        if (f != &c->root)
            mem_free(f);
    }
    LIST_FOR_SAFE(it, &c->listeners)
    mem_free(CONTAINER_OF(it, struct listener, link));
    for (int i = 0; i < c->auth_count; i++) {
        mem_free(c->auths[i].scheme);
        mem_free(c->auths[i].auth);
    }
    mem_free(c->auths);
    deallocate_ACL_vector(&c->acl);
    mem_free(c->hosts);
    pthread_cond_destroy(&c->worker_wake);
    pthread_cond_destroy(&c->event_wake);
    pthread_cond_destroy(&c->changed);
    pthread_mutex_destroy(&c->lock);
    mem_free(c);
}

static void end_threads(struct client *c, bool worker, bool events)
{
    pthread_mutex_lock(&c->lock);
    c->worker_end = true;
    pthread_cond_signal(&c->worker_wake);
    pthread_mutex_unlock(&c->lock);
    if (worker)
        pthread_join(c->worker, NULL);
    pthread_mutex_lock(&c->lock);
    c->events_end = true;
    pthread_cond_signal(&c->event_wake);
    pthread_mutex_unlock(&c->lock);
    if (events)
        pthread_join(c->events, NULL);
}

struct zokor_framework *zokor_framework_open(const struct zokor_framework_options *options)
{
    if (options == NULL || options->hosts == NULL) {
        errno = EINVAL;
        return NULL;
    }
    struct client *c = client_new(options);
    int error = pthread_create(&c->events, NULL, event_main, c);
    bool events = error == 0, worker = false;
    if (error == 0) {
        error = pthread_create(&c->worker, NULL, worker_main, c);
        worker = error == 0;
    }
    if (error == 0 && session_open(c)) {
        if (options->follow_ensemble)
            ensemble_follow(c);
        return &c->root;
    }
    error = error == 0 ? errno : error;
    pthread_mutex_lock(&c->lock);
    c->closing = true;
    pthread_mutex_unlock(&c->lock);
    end_threads(c, worker, events);
    client_delete(c);
    errno = error;
    return NULL;
}

int zokor_framework_close(struct zokor_framework *f)
{
    if (f == NULL)
        return ZBADARGUMENTS;
    struct client *c = f->client;
    if (client_on_event_thread(c))
        return ZINVALIDSTATE;
    pthread_mutex_lock(&c->lock);
    if (c->closing) {
        pthread_mutex_unlock(&c->lock);
        return ZINVALIDSTATE;
    }
    c->closing = true;
    struct session *s = c->session;
    c->session = NULL;
    if (s != NULL) {
        zokor_nudge(s->zh);
        list_push_back(&c->ended, &s->link);
    }
    pthread_cond_signal(&c->worker_wake);
    pthread_cond_broadcast(&c->changed);
    while (!list_empty(&c->operations) || c->waiting > 0)
        pthread_cond_wait(&c->changed, &c->lock);
    pthread_mutex_unlock(&c->lock);
    end_threads(c, true, true);
    client_delete(c);
    return ZOK;
}

struct zokor_framework *zokor_framework_using_namespace(struct zokor_framework *f, const char *name_space)
{
    struct client *c = f->client;
    struct zokor_framework *found = NULL;
    char *name = namespace_of(name_space);
    pthread_mutex_lock(&c->lock);
    LIST_FOR(it, &c->views)
    {
        struct zokor_framework *v = CONTAINER_OF(it, struct zokor_framework, link);
        if (found == NULL && strcmp(v->name_space, name) == 0)
            found = v;
    }
    if (found == NULL) {
        found = mem_zalloc(sizeof(*found));
        found->client = c;
        found->name_space = name;
        name = NULL;
        list_push_back(&c->views, &found->link);
    }
    pthread_mutex_unlock(&c->lock);
    mem_free(name);
    return found;
}

const char *zokor_framework_namespace(const struct zokor_framework *f)
{
    return f->name_space[0] == 0 ? "" : f->name_space + 1;
}

void zokor_framework_set_acl(struct zokor_framework *f, const struct ACL_vector *acl)
{
    struct ACL_vector copy;
    recipe_copy_acl(acl, &copy);
    pthread_mutex_lock(&f->client->lock);
    struct ACL_vector old = f->client->acl;
    f->client->acl = copy;
    pthread_mutex_unlock(&f->client->lock);
    deallocate_ACL_vector(&old);
}
