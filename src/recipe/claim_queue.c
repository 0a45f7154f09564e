/* The way of a claim from its node to its grant.
 *
 * The thread that wants it sleeps once. The answers, and the end of the neighbour, are taken where they are read, and
 * the next request is made there: who holds a lock longest is not the program but the waking of threads. Where that way
 * does not lead to the grant (a broken connection, a node that is gone, a semaphore that is full), the thread looks for
 * itself, step by step.
 *
 * When the neighbour goes, a new list tells whether another is before us now. It need not be read if it is known that
 * there is none:
 *   - In a list that was read after our node had been made, the neighbour was the only one whom we had to wait for. Who
 *     came later stands behind us: a folder's numbers grow as long as it is there, and it is there as long as our
 *     node is in it. (They end at 2147483647, where servers refuse further ones. Those before Apache's 3.9 begin again
 *     below zero there; then every newcomer finds itself first, by whatever way it looks.) What stands before the
 * number in a name, a protected create's uuid for one, does not count in the order; readers and writers share one row
 * of numbers, and who may be before us is the judge's word, which is asked about the list without the neighbour.
 *   - Our own node is watched, too. Events come in the order of the changes, so it was still there when the neighbour
 *     went.
 *   - The connection has not broken since before both were asked for: what is told after it was set up anew has no such
 *     order. */
#include "recipe/claim.h"
#include "base/museum.h"
#include <stdlib.h>
#include <string.h>

#define DEPTH_MAX 2 /* with more before us, those between the first and the neighbour will not be gone soon */

/* What an answer or a watch gets back. Of an earlier round it says nothing any more. */
struct step {
    struct claim *claim;
    int64_t round;
    const struct step *watch; /* of the request that sets this one */
};

/* The lock is held. */
static struct step *step_new(struct claim *c)
{
    struct step *s = mem_alloc(sizeof(*s));
    *s = (struct step){ .claim = c, .round = c->round };
    c->holders++;
    return s;
}

/* One that is not the claim's last holder. The lock is held. */
static void step_drop(struct step *s)
{
    s->claim->holders--;
    mem_free(s);
}

static void step_free(struct step *s)
{
    struct claim *c = s->claim;
    mem_free(s);
    claim_free(c);
}

static void lock(struct claim *c)
{
    pthread_mutex_lock(&c->f->client->lock);
}

static void unlock(struct claim *c)
{
    pthread_mutex_unlock(&c->f->client->lock);
}

/* Gives the lock back, and wakes whoever has to know. */
static void unlock_at(struct claim *c, enum claim_stage stage)
{
    c->stage = stage;
    bool wake = stage != CLAIM_ASKS && (stage != CLAIM_WAITS || c->hurry);
    unlock(c);
    if (wake)
        waker_poke(c->waker);
}

static void unlock_failed(struct claim *c, int rc)
{
    c->failure = rc;
    unlock_at(c, CLAIM_FAILED);
}

/* Held, unless the connection broke since; the listener sees what comes after. The lock is held. */
static bool grant(struct claim *c)
{
    const struct client *client = c->f->client;
    bool ours = c->owner == client->last_session_id && client->state != ZOKOR_LOST;
    if (ours)
        c->hold = zokor_framework_is_error_state(c->f, client->state) ? ZOKOR_IN_DOUBT : ZOKOR_HELD;
    if (ours && c->revoke_waits)
        claim_revoked(c);
    return ours;
}

static int index_of(const struct String_vector *children, const char *path)
{
    const char *name = strrchr(path, '/') + 1;
    for (int32_t i = 0; i < children->count; i++) {
        if (strcmp(children->data[i], name) == 0)
            return i;
    }
    return -1;
}

/* What a list means. */
struct verdict {
    int rc;    /* ZNONODE: our node is not in it, or its session is over */
    int which; /* CLAIM_GRANTED, CLAIM_WATCH_ALL, or the neighbour's index */
    int depth; /* how many are before us */
    bool last; /* nobody but the neighbour is in our way */
};

/* Sorts the list. The lock is not held: the judge may need locks of its own. */
static struct verdict judge(struct claim *c, struct String_vector *children)
{
    struct verdict v = { .rc = ZNONODE };
    claim_sort(children, c->name);
    lock(c);
    bool counts = c->owner == c->f->client->last_session_id && (c->under == NULL || c->under->owner == c->owner);
    int ours = counts ? index_of(children, c->path) : -1;
    unlock(c);
    if (ours < 0)
        return v;
    v.rc = ZOK;
    v.depth = ours;
    v.which = c->judge(c, children->data, children->count, ours);
    if (v.which < 0)
        return v;
    char *neighbour = children->data[v.which];
    for (int i = v.which; i < children->count - 1; i++)
        children->data[i] = children->data[i + 1];
    v.last = c->judge(c, children->data, children->count - 1, v.which < ours ? ours - 1 : ours) == CLAIM_GRANTED;
    for (int i = children->count - 1; i > v.which; i--)
        children->data[i] = children->data[i - 1];
    children->data[v.which] = neighbour;
    return v;
}

static void list(struct claim *c, zokor_result_fn answered);
static void listed(struct zokor_framework *f, const struct zokor_result *r, void *context);

static void neighbour_fired(struct zokor_framework *f, const struct zokor_event *e, void *context)
{
    struct step *s = context;
    struct claim *c = s->claim;
    const struct client *client = f->client;
    lock(c);
    bool mine = c->round == s->round && c->watch == s, again = false, last = c->last && c->own_watched;
    if (SIM_BUG(recipe_last_assumed))
        last = true;
    c->watch = mine ? NULL : c->watch;
    if (!mine || c->stage != CLAIM_WAITS) {
        unlock(c); /* the answer to the request that set it is still to come */
    } else if (e->type == ZOO_SESSION_EVENT) {
        unlock_at(c, CLAIM_LOOKS);
    } else if (e->type == ZOO_DELETED_EVENT && last && c->began_at == client->state_number) {
        unlock_at(c, grant(c) ? CLAIM_GIVEN : CLAIM_LOOKS);
    } else {
        again = true;
        c->stage = CLAIM_ASKS;
        unlock(c);
    }
    if (again)
        list(c, listed);
    step_free(s);
}

static void neighbour_read(struct zokor_framework *f, const struct zokor_result *r, void *context)
{
    struct step *s = context;
    struct claim *c = s->claim;
    (void)f;
    lock(c);
    bool mine = c->round == s->round && c->stage == CLAIM_ASKS, fired = c->watch != s->watch, again = false;
    if (!op_sets_watch(ZOKOR_GET, r->rc)) {
        c->watch = fired ? c->watch : NULL;
        step_drop((struct step *)s->watch);
    }
    if (!mine) {
        unlock(c);
    } else if ((r->rc == ZOK && !fired) || SIM_BUG(recipe_wakeup_lost)) {
        unlock_at(c, CLAIM_WAITS);
    } else if (r->rc == ZOK || r->rc == ZNONODE) {
        again = true; /* it went meanwhile */
        unlock(c);
    } else {
        unlock_failed(c, r->rc);
    }
    if (again)
        list(c, listed);
    step_free(s);
}

/* Asked for behind the neighbour's watch: those before the neighbour may be gone by now. */
static void listed_along(struct zokor_framework *f, const struct zokor_result *r, void *context)
{
    struct step *s = context;
    struct claim *c = s->claim;
    struct String_vector children = r->children;
    (void)f;
    if (r->rc == ZOK) {
        const struct verdict v = judge(c, &children);
        bool same = v.rc == ZOK && v.which >= 0 && v.last;
        lock(c);
        if (same && c->round == s->round && c->neighbour != NULL && strcmp(c->neighbour, children.data[v.which]) == 0)
            c->last = true;
        unlock(c);
    }
    step_free(s);
}

/* What is asked here travels together. */
static void watch_neighbour(struct claim *c, int64_t round, const char *child, const struct verdict *v)
{
    lock(c);
    if (c->round != round) {
        unlock(c);
        return;
    }
    struct step *answer = step_new(c), *watch = step_new(c);
    bool near = v->depth <= DEPTH_MAX, own = near && !c->own_asked;
    answer->watch = c->watch = watch;
    c->last = v->last;
    mem_free(c->neighbour);
    c->neighbour = recipe_copy(child);
    unlock(c);
    char *path = zokor_path_join(c->folder, child);
    const struct zokor_request q = {
        .operation = ZOKOR_GET, .path = path, .watch = neighbour_fired, .watch_context = watch
    };
    int rc = op_start_prompt(c->f, &q, neighbour_read, answer, false);
    mem_free(path);
    if (rc != ZOK) {
        const struct zokor_result refused = { .rc = rc };
        neighbour_read(c->f, &refused, answer);
        return;
    }
    if (own)
        claim_watch_own(c);
    if (near && !v->last)
        list(c, listed_along);
}

static void listed(struct zokor_framework *f, const struct zokor_result *r, void *context)
{
    struct step *s = context;
    struct claim *c = s->claim;
    struct String_vector children = r->children;
    (void)f;
    lock(c);
    bool mine = c->round == s->round && c->stage == CLAIM_ASKS, useful = mine && c->made;
    c->overtaken = c->overtaken || (mine && !c->made); /* the node was asked for again: the list says nothing of it */
    unlock(c);
    const struct verdict v = useful && r->rc == ZOK ? judge(c, &children) : (struct verdict){ .rc = r->rc };
    if (useful && v.rc == ZOK && v.which >= 0) {
        watch_neighbour(c, s->round, children.data[v.which], &v);
    } else if (useful) {
        lock(c);
        if (c->round != s->round)
            unlock(c);
        else
            unlock_at(c, v.rc == ZOK && v.which == CLAIM_GRANTED && grant(c) ? CLAIM_GIVEN : CLAIM_LOOKS);
    }
    step_free(s);
}

static void list(struct claim *c, zokor_result_fn answered)
{
    const struct zokor_request q = { .operation = ZOKOR_GET_CHILDREN, .path = c->folder };
    lock(c);
    struct step *s = step_new(c);
    unlock(c);
    int rc = op_start_prompt(c->f, &q, answered, s, false);
    const struct zokor_result refused = { .rc = rc };
    if (rc != ZOK)
        answered(c->f, &refused, s);
}

static void created(struct zokor_framework *f, const struct zokor_result *r, void *context)
{
    struct step *s = context;
    struct claim *c = s->claim;
    (void)f;
    lock(c);
    if (r->rc == ZOK) {
        mem_free(c->path);
        c->path = recipe_copy(r->path);
        c->token = r->stat.czxid;
        c->owner = r->stat.ephemeralOwner;
        c->made = true;
    }
    bool watched = c->made && (c->on_revoked != NULL || c->on_lost != NULL);
    if (!c->made)
        unlock_failed(c, r->rc);
    else if (c->overtaken)
        unlock_at(c, CLAIM_LOOKS);
    else
        unlock(c);
    if (watched)
        claim_watch_own(c);
    step_free(s);
}

/* Asks for the node and, with the same journey, for the list of it and its neighbours. */
static void begin(struct claim *c)
{
    char *path = zokor_path_join(c->folder, c->name);
    const struct zokor_request q = {
        .operation = ZOKOR_CREATE,
        .path = path,
        .data = c->data,
        .data_len = c->data_len,
        .mode = ZOO_EPHEMERAL_SEQUENTIAL,
        .flags = ZOKOR_CONTAINER_PARENTS | ZOKOR_PROTECTED,
    };
    lock(c);
    c->round++;
    c->made = c->overtaken = c->hurry = c->last = c->own_asked = c->own_watched = c->revoke_waits = false;
    c->began_at = c->f->client->state_number;
    c->stage = CLAIM_ASKS;
    struct step *s = step_new(c);
    unlock(c);
    waker_wait_soon(c->waker, c->f);
    int rc = op_start_prompt(c->f, &q, created, s, true);
    mem_free(path);
    if (rc == ZOK) {
        list(c, listed);
        return;
    }
    lock(c);
    unlock_failed(c, rc);
    step_free(s);
}

/* Sleeps until there is something to do for this thread. What is under way is always waited for. */
static enum claim_stage sleep_on(struct claim *c, int64_t due_ms, bool *poked)
{
    *poked = waker_wait(c->waker, c->f, due_ms);
    for (;;) {
        waker_reset(c->waker);
        lock(c);
        enum claim_stage stage = c->stage;
        c->hurry = true;
        unlock(c);
        if (stage != CLAIM_ASKS)
            return stage;
        waker_wait_poked(c->waker, c->f);
    }
}

/* From now on this thread goes on alone, from the stage returned: answers and watches do not change it any more. */
static enum claim_stage take_over(struct claim *c)
{
    lock(c);
    struct step *watch = c->watch;
    enum claim_stage stage = c->stage;
    c->watch = NULL;
    c->stage = CLAIM_LOOKS;
    c->round++;
    unlock(c);
    if (watch != NULL && watch_cancel(c->f, neighbour_fired, watch))
        step_free(watch);
    return stage;
}

static int look(struct claim *c, int *verdict, char **neighbour)
{
    const struct zokor_request q = { .operation = ZOKOR_GET_CHILDREN, .path = c->folder };
    struct zokor_result r;
    int rc = op_do(c->f, &q, &r, false);
    if (rc == ZOK) {
        const struct verdict v = judge(c, &r.children);
        rc = v.rc;
        *verdict = v.which;
        if (rc == ZOK && v.which >= 0)
            *neighbour = zokor_path_join(c->folder, r.children.data[v.which]);
    }
    zokor_result_clear(&r);
    return rc;
}

static int wait_for_neighbour(struct claim *c, int verdict, const char *neighbour, int64_t due_ms)
{
    const struct zokor_request get = { .operation = ZOKOR_GET, .path = neighbour };
    const struct zokor_request all = { .operation = ZOKOR_GET_CHILDREN, .path = c->folder };
    struct zokor_result r;
    int rc = waker_do(c->waker, c->f, verdict == CLAIM_WATCH_ALL ? &all : &get, &r);
    if (rc == ZOK && verdict == CLAIM_WATCH_ALL &&
        !SIM_BUG(recipe_lease_unseen)) { /* it may have been granted between the two reads */
        const struct verdict v = judge(c, &r.children);
        if (v.rc != ZOK || v.which == CLAIM_GRANTED)
            waker_poke(c->waker);
    }
    zokor_result_clear(&r);
    if (rc == ZNONODE)
        return ZOK; /* it went meanwhile */
    if (rc != ZOK)
        return rc;
    bool in_time = waker_wait(c->waker, c->f, due_ms);
    waker_unwatch(c->waker, c->f);
    return in_time ? ZOK : ZOPERATIONTIMEOUT;
}

/* Step by step. */
static int wait_alone(struct claim *c, int64_t due_ms)
{
    for (;;) {
        int verdict = 0;
        char *neighbour = NULL;
        if (waker_is_cancelled(c->waker))
            return ZCLOSING;
        waker_reset(c->waker);
        int rc = look(c, &verdict, &neighbour);
        if (rc == ZOK && verdict == CLAIM_GRANTED) {
            lock(c);
            rc = grant(c) ? ZOK : ZNONODE;
            unlock(c);
            return rc;
        }
        if (rc == ZOK)
            rc = wait_for_neighbour(c, verdict, neighbour, due_ms);
        mem_free(neighbour);
        if (rc != ZOK)
            return rc;
    }
}

/* It was granted while this thread slept, which may have been long ago. */
static bool is_still_held(struct claim *c)
{
    lock(c);
    bool lost = c->hold == ZOKOR_HOLD_LOST;
    if (lost)
        c->hold = ZOKOR_NOT_HELD; /* nobody is told of what nobody has had */
    unlock(c);
    return !lost;
}

int claim_queue_up(struct claim *c, int64_t due_ms, bool *made)
{
    bool in_time;
    begin(c);
    enum claim_stage stage = sleep_on(c, due_ms, &in_time);
    if (stage == CLAIM_WAITS)
        stage = take_over(c); /* it may have been given meanwhile */
    *made = c->made;          /* no answer changes it any more */
    if (stage == CLAIM_GIVEN)
        return is_still_held(c) ? ZOK : ZNONODE;
    if (stage == CLAIM_FAILED)
        return c->failure;
    if (stage != CLAIM_LOOKS && !in_time)
        return ZOPERATIONTIMEOUT;
    return wait_alone(c, due_ms);
}
