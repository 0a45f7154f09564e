#include "sim_recipe/holds.h"
#include "base/mem.h"
#include "sim_recipe/socket.h"

void holds_init(struct holds *h, const char *name, size_t limit)
{
    *h = (struct holds){ .name = name, .limit = limit };
}

void holds_fini(struct holds *h)
{
    mem_free(h->p);
}

static enum zokor_hold ask_nobody(const void *thing)
{
    (void)thing;
    return ZOKOR_IN_DOUBT;
}

static enum zokor_hold ask_claim(const void *thing)
{
    return ((const struct claim *)thing)->hold;
}

/* Without its locks: nothing else runs now. */
static enum zokor_hold now(const struct hold *o)
{
    world->peeks = true;
    enum zokor_hold is = o->ask(o->thing);
    world->peeks = false;
    return is;
}

static bool was_killed(const struct hold *o)
{
    return o->life != o->app->life || o->app->start_us != FIBER_NEVER;
}

/* Forgets those whose programs were killed and whose sessions are over. */
static void sweep(struct holds *h)
{
    size_t kept = 0;
    for (size_t i = 0; i < h->count; i++)
        if (!was_killed(&h->p[i]) || world_session_lives(h->p[i].session_id))
            h->p[kept++] = h->p[i];
    h->count = kept;
}

/* Two hold it whose sessions both live, and none of them knows better. */
static void judge_together(const struct holds *h, const struct hold *mine)
{
    size_t n = 1;
    const struct hold *other = NULL;
    for (size_t i = 0; i < h->count; i++) {
        const struct hold *o = &h->p[i];
        if (!was_killed(o) && now(o) == ZOKOR_HOLD_LOST)
            continue;
        if (!world_session_lives(o->session_id) || (o->shared && mine->shared))
            continue;
        n++;
        other = o;
    }
    if (n > h->limit)
        world_wrong("hold.together",
                    "%s: program %u is granted 0x%llx while program %u has held 0x%llx for %lld ms, and both "
                    "sessions live (%zu holds, %zu may be)",
                    h->name, mine->app->index, (unsigned long long)mine->token, other->app->index,
                    (unsigned long long)other->token, (long long)(world_now_us() - other->since_us) / 1000, n,
                    h->limit);
}

/* Its server is cut off from others, or was just now. A follower that its leader does not hear goes on answering its
 * clients until syncLimit is over, as Apache's does, and the leader ends their sessions meanwhile: no client can know.
 */
static bool is_served_apart(const struct hold *o)
{
    const struct cluster *c = world->c;
    int64_t timeout_us = opt(c, OPT_timeout_ms) * 1000;
    for (size_t i = 0; i < world->sock_count; i++) {
        const struct sock *s = world->socks[i];
        if (s != NULL && s->app == o->app && s->dialled && s->greeted &&
            simnet_is_parted(c, c->cables[s->cable].member, timeout_us))
            return true;
    }
    return false;
}

/* A holder whose session is over must know by now that its hold is in doubt: it hears nothing for two thirds of the
 * time after which the ensemble may end the session. */
static void judge_told(const struct holds *h, const struct hold *mine)
{
    for (size_t i = 0; i < h->count; i++) {
        const struct hold *o = &h->p[i];
        if (was_killed(o) || (o->shared && mine->shared) || world_session_lives(o->session_id))
            continue;
        world_count(COUNT_passed_on);
        if (now(o) == ZOKOR_HELD && !o->app->is_bold && world_now_us() > o->app->clumsy_us && !is_served_apart(o))
            world_wrong("hold.not_told",
                        "%s: program %u is granted 0x%llx while program %u is sure of 0x%llx, and its session 0x%llx "
                        "is over",
                        h->name, mine->app->index, (unsigned long long)mine->token, o->app->index,
                        (unsigned long long)o->token, (unsigned long long)o->session_id);
    }
}

void holds_granted(struct holds *h, const struct hold *hold)
{
    struct hold mine = *hold;
    mine.app = app_here();
    mine.life = mine.app->life;
    mine.since_us = world_now_us();
    world_tell("%s is granted, 0x%llx", h->name, (unsigned long long)mine.token);
    struct fiber *f = fiber_leave();
    world_count(COUNT_granted);
    sweep(h);
    if (world_session_lives(mine.session_id)) {
        judge_together(h, &mine);
        if (h->limit == 1)
            judge_told(h, &mine);
        if (h->limit == 1 && !mine.shared &&
            (mine.token < h->token || (mine.token == h->token && mine.app != h->token_app)))
            world_wrong("hold.token", "%s: program %u is granted 0x%llx after 0x%llx was", h->name, mine.app->index,
                        (unsigned long long)mine.token, (unsigned long long)h->token);
        if (mine.token > h->token && !mine.shared) {
            h->token = mine.token;
            h->token_app = mine.app;
        }
    }
    if (h->count == h->cap) {
        h->cap = h->cap == 0 ? 16 : h->cap * 2;
        h->p = mem_realloc(h->p, h->cap * sizeof *h->p);
    }
    h->p[h->count++] = mine;
    fiber_enter(f);
}

void holds_claimed(struct holds *h, const void *what, const struct claim *claim, bool shared)
{
    holds_granted(h, &(struct hold){ .what = what,
                                     .ask = ask_claim,
                                     .thing = claim,
                                     .shared = shared,
                                     .session_id = claim->owner,
                                     .token = claim->token });
}

void holds_released(struct holds *h, const void *what)
{
    for (size_t i = 0; i < h->count; i++)
        if (h->p[i].app == app_here() && h->p[i].life == app_here()->life && h->p[i].what == what) {
            world_tell("%s is given back, 0x%llx", h->name, (unsigned long long)h->p[i].token);
            struct fiber *f = fiber_leave();
            if (now(&h->p[i]) == ZOKOR_HOLD_LOST)
                world_count(COUNT_lost);
            fiber_enter(f);
            h->p[i] = h->p[--h->count];
            return;
        }
}

void holds_crashed(struct holds *h, const struct app *a)
{
    for (size_t i = 0; i < h->count; i++)
        if (h->p[i].app == a)
            h->p[i].ask = ask_nobody;
}

const struct app *holds_target(const struct holds *h)
{
    for (size_t i = 0; i < h->count; i++)
        if (!was_killed(&h->p[i]))
            return h->p[i].app;
    return NULL;
}

void judge_empty(const struct model *m, const char *path)
{
    const struct model_node *n = model_find(m, slice_str(path));
    if (n != NULL && n->child_first != NULL)
        world_wrong("leak.node", "%s has not gone, though all programs have come to their end (%d below %s)",
                    n->child_first->path, n->children, path);
}

void judge_row(struct zokor_framework *f, const char *path)
{
    const struct zokor_request sync = { .operation = ZOKOR_SYNC, .path = path };
    struct String_vector names;
    if (zokor_framework_do(f, &sync, NULL) != ZOK || zokor_framework_children(f, path, &names) != ZOK)
        return;
    if (names.count > 0)
        world_wrong("leak.row", "%s stands in %s at rest, and nobody wants it", names.data[0], path);
    deallocate_String_vector(&names);
}

void judge_failure(const char *what, int rc)
{
    world_tell("%s ends with %d", what, rc);
    switch (rc) {
    case ZOPERATIONTIMEOUT:
        world_count(COUNT_refused);
        return;
    case ZCONNECTIONLOSS:
    case ZSESSIONEXPIRED:
    case ZREQUESTTIMEOUT:
    case ZSESSIONMOVED:
        world_count(COUNT_failed);
        return;
    default:
        world_wrong("recipe.error", "%s ended with %d", what, rc);
    }
}
