#include "recipe/claim.h"
#include "base/museum.h"
#include <zokor/barrier.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define READY_NAME "ready"

struct zokor_double_barrier {
    struct zokor_framework *f;
    char *path, *ready, *name, *own;
    int count;
    struct waker *waker;
};

int zokor_barrier_set(struct zokor_framework *f, const char *path)
{
    int rc = zokor_framework_create(f, path, NULL, 0, 0, ZOKOR_CONTAINER_PARENTS, NULL);
    return rc == ZNODEEXISTS ? ZOK : rc;
}

int zokor_barrier_remove(struct zokor_framework *f, const char *path)
{
    return zokor_framework_delete(f, path, ZOKOR_QUIETLY);
}

static void on_state(struct zokor_framework *f, enum zokor_connection_state state, void *context)
{
    (void)f;
    if (state != ZOKOR_SUSPENDED)
        waker_poke(context);
}

/* Until the node is not there. A read of the data, because it leaves no watch where there is no node. */
static int wait_for_end(struct zokor_framework *f, struct waker *w, const char *path, int64_t due)
{
    const struct zokor_request q = { .operation = ZOKOR_GET, .path = path };
    for (;;) {
        waker_reset(w);
        int rc = waker_do(w, f, &q, NULL);
        if (rc != ZOK)
            return rc == ZNONODE ? ZOK : rc;
        bool in_time = waker_wait(w, f, due);
        waker_unwatch(w, f);
        if (!in_time)
            return ZOPERATIONTIMEOUT;
        if (SIM_BUG(recipe_barrier_trusts))
            return ZOK;
    }
}

int zokor_barrier_wait(struct zokor_framework *f, const char *path, int timeout_ms)
{
    if (!client_enter(f->client))
        return ZCLOSING;
    struct waker *w = waker_new();
    struct listener *l = listener_add(f, on_state, w, true);
    int rc = wait_for_end(f, w, path, due_of(timeout_ms));
    listener_remove(f->client, l);
    waker_drop(w);
    client_leave(f->client);
    return rc;
}

struct zokor_double_barrier *zokor_double_barrier_new(struct zokor_framework *f, const char *path, int count)
{
    struct zokor_double_barrier *b = mem_zalloc(sizeof(*b));
    uint64_t x = recipe_random(), y = recipe_random();
    *b = (struct zokor_double_barrier){ .f = f, .count = count, .waker = waker_new() };
    b->path = recipe_copy(path);
    b->ready = zokor_path_join(path, READY_NAME);
    b->name = recipe_text("%08x-%04x-4%03x-%04x-%012llx", (unsigned)(x >> 32), (unsigned)(x >> 16) & 0xffff,
                          (unsigned)x & 0xfff, ((unsigned)(y >> 48) & 0x3fff) | 0x8000,
                          (unsigned long long)(y & 0xffffffffffffu));
    b->own = zokor_path_join(path, b->name);
    return b;
}

void zokor_double_barrier_free(struct zokor_double_barrier *b)
{
    if (b == NULL)
        return;
    waker_drop(b->waker);
    mem_free(b->path);
    mem_free(b->ready);
    mem_free(b->name);
    mem_free(b->own);
    mem_free(b);
}

/* Our own node, in the session that is there now: after a lost one it is made again, or others wait in vain. */
static int make_own(struct zokor_double_barrier *b)
{
    struct Stat stat;
    for (;;) {
        int rc = zokor_framework_create(b->f, b->own, NULL, 0, ZOO_EPHEMERAL, ZOKOR_CONTAINER_PARENTS, NULL);
        if (rc != ZNODEEXISTS)
            return rc;
        rc = zokor_framework_exists(b->f, b->own, &stat);
        if (rc == ZOK && stat.ephemeralOwner == zokor_framework_session_id(b->f))
            return ZOK;
        if (rc == ZOK)
            rc = zokor_framework_delete(b->f, b->own, ZOKOR_QUIETLY);
        if (rc != ZOK && rc != ZNONODE)
            return rc;
    }
}

/* Who is there, in the order of the names, without the sign that all are. */
static int list_members(struct zokor_double_barrier *b, struct String_vector *members)
{
    int rc = zokor_framework_children(b->f, b->path, members);
    int32_t kept = 0;
    for (int32_t i = 0; rc == ZOK && i < members->count; i++) {
        if (strcmp(members->data[i], READY_NAME) == 0)
            mem_free(members->data[i]);
        else
            members->data[kept++] = members->data[i];
    }
    if (rc == ZOK)
        members->count = kept;
    if (rc == ZOK)
        claim_sort(members, "/"); /* which is in no name: by the whole name */
    return rc == ZNONODE ? ZOK : rc;
}

static int try_enter(struct zokor_double_barrier *b, bool *entered)
{
    struct String_vector members = { .count = 0 };
    *entered = zokor_framework_exists(b->f, b->ready, NULL) == ZOK;
    int rc = make_own(b);
    if (rc != ZOK || *entered)
        return rc;
    rc = list_members(b, &members);
    if (rc == ZOK && members.count >= b->count - SIM_BUG(recipe_double_miscounts)) {
        rc = zokor_framework_create(b->f, b->ready, NULL, 0, 0, 0, NULL);
        *entered = rc == ZOK || rc == ZNODEEXISTS;
        rc = *entered ? ZOK : rc;
    }
    deallocate_String_vector(&members);
    return rc;
}

static int enter(struct zokor_double_barrier *b, int timeout_ms)
{
    const struct zokor_request q = { .operation = ZOKOR_EXISTS, .path = b->ready };
    int64_t due = due_of(timeout_ms);
    struct listener *l = listener_add(b->f, on_state, b->waker, true);
    bool entered = false;
    int rc;
    for (;;) {
        waker_reset(b->waker);
        rc = waker_do(b->waker, b->f, &q, NULL);
        if (rc == ZOK || rc == ZNONODE)
            rc = try_enter(b, &entered);
        bool in_time = rc != ZOK || entered || waker_wait(b->waker, NULL, due);
        waker_unwatch(b->waker, b->f);
        if (!in_time)
            rc = ZOPERATIONTIMEOUT;
        if (rc != ZOK || entered)
            break;
    }
    listener_remove(b->f->client, l);
    return rc;
}

static int delete_own(struct zokor_double_barrier *b, bool *is_there)
{
    if (!*is_there)
        return ZOK;
    int rc = zokor_framework_delete(b->f, b->own, ZOKOR_QUIETLY);
    *is_there = rc != ZOK;
    return rc;
}

/* The lowest waits for the highest to go, the others go and wait for the lowest: so each watches one node. */
static int leave_once(struct zokor_double_barrier *b, bool *is_there, char **wait_for)
{
    struct String_vector members = { .count = 0 };
    int rc = list_members(b, &members);
    int ours = -1;
    for (int32_t i = 0; i < members.count; i++)
        ours = strcmp(members.data[i], b->name) == 0 ? i : ours;
    *wait_for = NULL;
    if (rc != ZOK || members.count == 0)
        goto out;
    if (ours < 0 && *is_there) {
        rc = ZSESSIONEXPIRED; /* nobody else deletes it */
    } else if (members.count == 1 && ours == 0) {
        rc = delete_own(b, is_there);
    } else if (ours == 0) {
        *wait_for = zokor_path_join(b->path, members.data[members.count - 1]);
    } else {
        *wait_for = zokor_path_join(b->path, members.data[0]);
        rc = delete_own(b, is_there);
    }
out:
    deallocate_String_vector(&members);
    return rc;
}

static int leave(struct zokor_double_barrier *b, int timeout_ms)
{
    int64_t due = due_of(timeout_ms);
    struct listener *l = listener_add(b->f, on_state, b->waker, true);
    bool is_there = true;
    char *wait_for;
    int rc;
    do {
        rc = leave_once(b, &is_there, &wait_for);
        if (rc == ZOK && wait_for != NULL)
            rc = wait_for_end(b->f, b->waker, wait_for, due);
        else if (rc == ZOK)
            break;
        mem_free(wait_for);
    } while (rc == ZOK);
    listener_remove(b->f->client, l);
    if (rc == ZOPERATIONTIMEOUT)
        (void)delete_own(b, &is_there);
    (void)zokor_framework_delete(b->f, b->ready, ZOKOR_QUIETLY | ZOKOR_GUARANTEED);
    return rc;
}

static int within(struct zokor_double_barrier *b, int (*call)(struct zokor_double_barrier *, int), int timeout_ms)
{
    if (!client_enter(b->f->client))
        return ZCLOSING;
    int rc = call(b, timeout_ms);
    client_leave(b->f->client);
    return rc;
}

int zokor_double_barrier_enter(struct zokor_double_barrier *b, int timeout_ms)
{
    return within(b, enter, timeout_ms);
}

int zokor_double_barrier_leave(struct zokor_double_barrier *b, int timeout_ms)
{
    return within(b, leave, timeout_ms);
}
