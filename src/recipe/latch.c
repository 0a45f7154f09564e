/* The leader latch. Everything happens in answers and states: no thread waits.
 *
 * What is known is always checked before it is believed: a candidate leads only while its own node, of this very
 * session, is the first of the list that was just read, and the connection has not broken since. That every path goes
 * through check() is what keeps two from leading at once: after a lost session (CURATOR-620), when the node vanished
 * while the connection was down (CURATOR-653), and when an old answer comes late (CURATOR-696). */
#include "recipe/claim.h"
#include "base/museum.h"
#include <zokor/leader.h>
#include <stdlib.h>
#include <string.h>

#define NODE_NAME "latch-"
#define AGAIN_MS 1000 /* after a failure that no reconnection may cure */

struct zokor_leader_latch {
    struct zokor_framework *f;
    char *folder, *id;
    zokor_leader_fn fn;
    void *context;
    struct listener *listener;
    /* Under the client's lock. */
    int holders; /* the program, and every request, watch and event on its way */
    bool started, closed;
    int64_t round; /* answers of earlier ones are not believed */
    bool joining;
    char *path;
    int64_t node_czxid, owner;
    bool leads;
    int64_t token;
    bool in_call;
    pthread_t caller;
};

/* What an answer or a watch gets back. */
struct step {
    struct zokor_leader_latch *latch;
    int64_t round;
    struct timer timer;
};

struct change {
    struct event event;
    struct zokor_leader_latch *latch;
    bool leads;
    int64_t token;
};

static void lock(struct zokor_leader_latch *l)
{
    pthread_mutex_lock(&l->f->client->lock);
}

static void unlock(struct zokor_leader_latch *l)
{
    pthread_mutex_unlock(&l->f->client->lock);
}

static void drop(struct zokor_leader_latch *l)
{
    lock(l);
    bool last = --l->holders == 0;
    unlock(l);
    if (!last)
        return;
    mem_free(l->folder);
    mem_free(l->id);
    mem_free(l->path);
    mem_free(l);
}

/* The lock is held. */
static struct step *step_new(struct zokor_leader_latch *l)
{
    struct step *s = mem_zalloc(sizeof(*s));
    s->latch = l;
    s->round = l->round;
    list_init(&s->timer.link);
    l->holders++;
    return s;
}

static void step_free(struct step *s)
{
    struct zokor_leader_latch *l = s->latch;
    mem_free(s);
    drop(l);
}

static void run_change(struct event *e)
{
    struct change *c = CONTAINER_OF(e, struct change, event);
    struct zokor_leader_latch *l = c->latch;
    lock(l);
    bool call = !l->closed;
    l->in_call = call;
    l->caller = pthread_self();
    unlock(l);
    if (call) {
        l->fn(l, c->leads, c->token, l->context);
        lock(l);
        l->in_call = false;
        pthread_cond_broadcast(&l->f->client->changed);
        unlock(l);
    }
    mem_free(c);
    drop(l);
}

/* The lock is held. */
static void set_leads(struct zokor_leader_latch *l, bool leads)
{
    struct client *c = l->f->client;
    if (l->leads == leads)
        return;
    l->leads = leads;
    if (leads)
        l->token = l->node_czxid;
    pthread_cond_broadcast(&c->changed);
    if (l->fn == NULL || l->closed)
        return;
    struct change *e = mem_zalloc(sizeof(*e));
    *e = (struct change){ .event.run = run_change, .latch = l, .leads = leads, .token = l->token };
    l->holders++;
    list_push_back(&c->queue, &e->event.link);
    pthread_cond_signal(&c->event_wake);
}

/* Deletes a node that nobody needs any more, whatever becomes of the connection. */
static void discard(struct zokor_leader_latch *l, const char *path)
{
    const struct zokor_request q = { .operation = ZOKOR_DELETE,
                                     .path = path,
                                     .flags = ZOKOR_GUARANTEED | ZOKOR_QUIETLY };
    if (path != NULL)
        (void)op_start(l->f, &q, NULL, NULL, true);
}

static void join(struct zokor_leader_latch *l);
static void look(struct zokor_leader_latch *l);

/* Begins anew without the node there was. The lock is held; the path is to be discarded and freed by the caller. */
static char *begin_round(struct zokor_leader_latch *l)
{
    char *old = l->path;
    l->path = NULL;
    l->round++;
    l->joining = false;
    set_leads(l, false);
    return old;
}

static void rejoin(struct zokor_leader_latch *l, int64_t round)
{
    lock(l);
    bool mine = !l->closed && l->round == round;
    char *old = mine ? begin_round(l) : NULL;
    unlock(l);
    discard(l, old);
    mem_free(old);
    if (mine)
        join(l);
}

static void join_later(struct timer *t)
{
    struct step *s = CONTAINER_OF(t, struct step, timer);
    rejoin(s->latch, s->round);
    step_free(s);
}

/* The answer's step and the watch's of one request. */
struct pair {
    struct step *answer, *watch;
};

static void pair_watch(struct zokor_leader_latch *l, const char *path, zokor_event_fn fired, zokor_result_fn read)
{
    struct pair *p = mem_zalloc(sizeof(*p));
    lock(l);
    p->answer = step_new(l);
    p->watch = step_new(l);
    unlock(l);
    const struct zokor_request q = { .operation = ZOKOR_GET, .path = path, .watch = fired, .watch_context = p->watch };
    if (op_start(l->f, &q, read, p, true) != ZOK) {
        step_free(p->watch);
        step_free(p->answer);
        mem_free(p);
    }
}

static void watch_own(struct zokor_leader_latch *l, int64_t round);

/* Somebody has deleted our node, or changed it. */
static void own_fired(struct zokor_framework *f, const struct zokor_event *e, void *context)
{
    struct step *s = context;
    (void)f;
    if (e->type == ZOO_DELETED_EVENT)
        rejoin(s->latch, s->round);
    else if (e->type != ZOO_SESSION_EVENT)
        watch_own(s->latch, s->round);
    step_free(s);
}

static void own_read(struct zokor_framework *f, const struct zokor_result *r, void *context)
{
    struct pair *p = context;
    (void)f;
    if (!op_sets_watch(ZOKOR_GET, r->rc))
        step_free(p->watch);
    if (r->rc == ZNONODE)
        rejoin(p->answer->latch, p->answer->round);
    step_free(p->answer);
    mem_free(p);
}

static void watch_own(struct zokor_leader_latch *l, int64_t round)
{
    lock(l);
    char *path = l->closed || l->round != round ? NULL : recipe_copy(l->path);
    unlock(l);
    if (path != NULL)
        pair_watch(l, path, own_fired, own_read);
    mem_free(path);
}

static void joined(struct zokor_framework *f, const struct zokor_result *r, void *context)
{
    struct step *s = context;
    struct zokor_leader_latch *l = s->latch;
    lock(l);
    bool mine = !l->closed && l->round == s->round;
    if (mine)
        l->joining = false;
    if (mine && r->rc == ZOK) {
        l->path = recipe_copy(r->path);
        l->node_czxid = r->stat.czxid;
        l->owner = r->stat.ephemeralOwner;
    }
    bool later = mine && r->rc != ZOK && r->rc != ZCLOSING;
    unlock(l);
    if (later) {
        s->timer.run = join_later;
        client_arm(f->client, &s->timer, AGAIN_MS);
        return;
    }
    if (r->rc == ZOK && mine) {
        look(l);
        watch_own(l, s->round);
    } else if (r->rc == ZOK) {
        discard(l, r->path); /* it came too late */
    }
    step_free(s);
}

static void join(struct zokor_leader_latch *l)
{
    lock(l);
    bool begins = !l->closed && !l->joining && l->path == NULL;
    struct step *s = begins ? step_new(l) : NULL;
    l->joining = l->joining || begins;
    unlock(l);
    if (!begins)
        return;
    char *path = zokor_path_join(l->folder, NODE_NAME);
    const struct zokor_request q = {
        .operation = ZOKOR_CREATE,
        .path = path,
        .data = l->id,
        .data_len = (int)strlen(l->id),
        .mode = ZOO_EPHEMERAL_SEQUENTIAL,
        .flags = ZOKOR_CONTAINER_PARENTS | ZOKOR_PROTECTED,
    };
    if (op_start(l->f, &q, joined, s, true) != ZOK)
        step_free(s);
    mem_free(path);
}

static void look_later(struct timer *t)
{
    struct step *s = CONTAINER_OF(t, struct step, timer);
    look(s->latch);
    step_free(s);
}

/* Not answered although it was asked for as often as the policy says. True: the step is not over. */
static bool looks_again(struct step *s, int rc)
{
    if (rc == ZOK || rc == ZNONODE || rc == ZCLOSING)
        return false;
    s->timer.run = look_later;
    client_arm(s->latch->f->client, &s->timer, AGAIN_MS);
    return true;
}

static void neighbour_fired(struct zokor_framework *f, const struct zokor_event *e, void *context)
{
    struct step *s = context;
    (void)f;
    if (e->type != ZOO_SESSION_EVENT)
        look(s->latch);
    step_free(s);
}

static void neighbour_read(struct zokor_framework *f, const struct zokor_result *r, void *context)
{
    struct pair *n = context;
    struct zokor_leader_latch *l = n->answer->latch;
    (void)f;
    if (!op_sets_watch(ZOKOR_GET, r->rc))
        step_free(n->watch);
    if (r->rc == ZNONODE)
        look(l);
    if (!looks_again(n->answer, r->rc))
        step_free(n->answer);
    mem_free(n);
}

/* The lock is not held. */
static void watch_neighbour(struct zokor_leader_latch *l, const char *child)
{
    char *path = zokor_path_join(l->folder, child);
    pair_watch(l, path, neighbour_fired, neighbour_read);
    mem_free(path);
}

enum verdict { NOTHING, REJOIN, WATCH };

/* What the list means for us. The lock is held. */
static enum verdict check(struct zokor_leader_latch *l, const struct step *s, const struct String_vector *children,
                          int *neighbour)
{
    const struct client *c = l->f->client;
    if (l->closed || l->round != s->round || l->path == NULL)
        return NOTHING;
    if (l->owner != c->last_session_id && !SIM_BUG(recipe_latch_old_node))
        return REJOIN; /* the node of a session that is over: it will vanish */
    const char *name = strrchr(l->path, '/') + 1;
    int ours = -1;
    for (int32_t i = 0; i < children->count && ours < 0; i++)
        ours = strcmp(children->data[i], name) == 0 ? i : -1;
    if (ours < 0)
        return REJOIN;
    *neighbour = ours - 1;
    bool in_doubt = c->state == ZOKOR_LOST || zokor_framework_is_error_state(l->f, c->state);
    set_leads(l, ours == 0 && !in_doubt); /* when it is over, the state RECONNECTED makes us look again */
    return ours == 0 ? NOTHING : WATCH;
}

static void looked(struct zokor_framework *f, const struct zokor_result *r, void *context)
{
    struct step *s = context;
    struct zokor_leader_latch *l = s->latch;
    struct String_vector children = r->children;
    int neighbour = -1;
    enum verdict verdict = NOTHING;
    (void)f;
    if (r->rc == ZOK) {
        claim_sort(&children, NODE_NAME); /* our own copy's order: nobody else reads it */
        lock(l);
        verdict = check(l, s, &children, &neighbour);
        unlock(l);
    }
    if (verdict == REJOIN || r->rc == ZNONODE)
        rejoin(l, s->round);
    else if (verdict == WATCH)
        watch_neighbour(l, children.data[neighbour]);
    if (!looks_again(s, r->rc))
        step_free(s);
}

static void look(struct zokor_leader_latch *l)
{
    lock(l);
    struct step *s = l->closed || l->path == NULL ? NULL : step_new(l);
    unlock(l);
    const struct zokor_request q = { .operation = ZOKOR_GET_CHILDREN, .path = l->folder };
    if (s != NULL && op_start(l->f, &q, looked, s, true) != ZOK)
        step_free(s);
}

static void on_state(struct zokor_framework *f, enum zokor_connection_state state, void *context)
{
    struct zokor_leader_latch *l = context;
    char *old = NULL;
    lock(l);
    bool lost = state == ZOKOR_LOST && !SIM_BUG(recipe_latch_old_node), has_node = l->path != NULL;
    if (lost)
        old = begin_round(l);
    else if (zokor_framework_is_error_state(f, state) && !SIM_BUG(recipe_latch_sure))
        set_leads(l, false);
    unlock(l);
    discard(l, old);
    mem_free(old);
    if (lost || (state != ZOKOR_SUSPENDED && !has_node))
        join(l);
    else if (state != ZOKOR_SUSPENDED)
        look(l);
}

struct zokor_leader_latch *zokor_leader_latch_new(struct zokor_framework *f, const char *path, const char *id,
                                                  zokor_leader_fn fn, void *context)
{
    struct zokor_leader_latch *l = mem_zalloc(sizeof(*l));
    *l = (struct zokor_leader_latch){ .f = f, .fn = fn, .context = context, .holders = 1, .token = -1 };
    l->folder = recipe_copy(path);
    l->id = recipe_copy(id == NULL ? "" : id);
    return l;
}

int zokor_leader_latch_start(struct zokor_leader_latch *l)
{
    lock(l);
    bool first = !l->started;
    l->started = true;
    unlock(l);
    if (!first)
        return ZINVALIDSTATE;
    l->listener = listener_add(l->f, on_state, l, true);
    join(l);
    return ZOK;
}

void zokor_leader_latch_free(struct zokor_leader_latch *l, int notify)
{
    if (l == NULL)
        return;
    struct client *c = l->f->client;
    if (l->listener != NULL)
        listener_remove(c, l->listener);
    lock(l);
    bool led = l->leads;
    int64_t token = l->token;
    l->closed = true;
    l->leads = false;
    l->round++;
    char *path = l->path;
    l->path = NULL;
    pthread_cond_broadcast(&c->changed);
    while (l->in_call && !pthread_equal(l->caller, pthread_self()))
        pthread_cond_wait(&c->changed, &c->lock);
    unlock(l);
    if (notify && led && l->fn != NULL)
        l->fn(l, 0, token, l->context);
    if (path != NULL)
        (void)zokor_framework_delete(l->f, path, ZOKOR_GUARANTEED | ZOKOR_QUIETLY);
    mem_free(path);
    drop(l);
}

int zokor_leader_latch_leads(struct zokor_leader_latch *l)
{
    lock(l);
    int leads = l->leads;
    unlock(l);
    return leads;
}

int64_t zokor_leader_latch_token(struct zokor_leader_latch *l)
{
    lock(l);
    int64_t token = l->leads ? l->token : -1;
    unlock(l);
    return token;
}

char *zokor_leader_latch_node(struct zokor_leader_latch *l)
{
    lock(l);
    char *path = l->leads ? recipe_copy(l->path) : NULL;
    unlock(l);
    return path;
}

int zokor_leader_latch_await(struct zokor_leader_latch *l, int timeout_ms)
{
    struct client *c = l->f->client;
    int64_t due = due_of(timeout_ms);
    bool in_time = true;
    if (!client_enter(c))
        return ZCLOSING;
    lock(l);
    while (!l->leads && in_time && !c->closing)
        in_time = recipe_cond_wait(&c->changed, &c->lock, due);
    int rc = l->leads ? ZOK : c->closing ? ZCLOSING : ZOPERATIONTIMEOUT;
    unlock(l);
    client_leave(c);
    return rc;
}

int participants_of(struct zokor_framework *f, const char *folder, const char *name,
                    struct zokor_participant **participants, int *count)
{
    struct String_vector paths;
    *participants = NULL;
    *count = 0;
    int rc = claim_participants(f, folder, name, &paths);
    if (rc != ZOK)
        return rc == ZNONODE ? ZOK : rc;
    *participants = mem_zalloc(((size_t)paths.count + 1) * sizeof(**participants));
    for (int32_t i = 0; i < paths.count && rc == ZOK; i++) {
        char *data;
        int n;
        rc = zokor_framework_get(f, paths.data[i], &data, &n, NULL);
        if (rc == ZOK) {
            struct zokor_participant *p = &(*participants)[*count];
            *p = (struct zokor_participant){ .id = data == NULL ? recipe_copy("") : data, .is_leader = *count == 0 };
            ++*count;
        } else if (rc == ZNONODE) {
            rc = ZOK; /* it left meanwhile */
        }
    }
    deallocate_String_vector(&paths);
    if (rc != ZOK) {
        zokor_participants_free(*participants, *count);
        *participants = NULL;
        *count = 0;
    }
    return rc;
}

int zokor_leader_latch_participants(struct zokor_leader_latch *l, struct zokor_participant **participants, int *count)
{
    return participants_of(l->f, l->folder, NODE_NAME, participants, count);
}
