/* Time, chance and memory of a fiber. */
#include "sim_recipe/world.h"
#include "sim_recipe/wrap.h"
#include "base/hash.h"
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/types.h>
#include <time.h>

#define GONE ((void *)(uintptr_t)1) /* an address stood here */

WRAP(int, clock_gettime, (clockid_t id, struct timespec *t))
{
    if (fiber_current == NULL)
        return __real_clock_gettime(id, t);
    *t = (struct timespec){ .tv_sec = world_now_us() / 1000000, .tv_nsec = world_now_us() % 1000000 * 1000 };
    return 0;
}

WRAP(ssize_t, getrandom, (void *p, size_t n, unsigned flags))
{
    if (fiber_current == NULL)
        return __real_getrandom(p, n, flags);
    for (size_t i = 0; i < n; i++)
        ((uint8_t *)p)[i] = (uint8_t)dice_between(&app_here()->chance, 0, 255);
    return (ssize_t)n;
}

/* ---- the memory of a program, so that what is killed leaves nothing, and what ends can be asked for leaks ---- */

static size_t slot_of(const struct app *a, const void *p)
{
    return hash_u64(0, (uint64_t)(uintptr_t)p) & (a->block_cap - 1);
}

static void put(struct app *a, void *p)
{
    size_t at = slot_of(a, p);
    while (a->blocks[at] != NULL && a->blocks[at] != GONE)
        at = (at + 1) & (a->block_cap - 1);
    a->blocks[at] = p;
}

static void grow(struct app *a)
{
    void **old = a->blocks;
    size_t cap = a->block_cap;
    a->block_cap = 1024;
    while (a->block_cap < a->block_count * 4)
        a->block_cap *= 2;
    a->blocks = calloc(a->block_cap, sizeof(void *));
    if (a->blocks == NULL)
        abort();
    for (size_t i = 0; i < cap; i++)
        if (old[i] != NULL && old[i] != GONE)
            put(a, old[i]);
    free(old);
}

static void *keep(void *p)
{
    if (fiber_current == NULL || p == NULL)
        return p;
    struct fiber *f = fiber_leave();
    struct app *a = f->app;
    if (++a->block_count + a->block_gone >= a->block_cap / 2) {
        a->block_gone = 0;
        grow(a);
    }
    put(a, p);
    fiber_enter(f);
    return p;
}

static void forget(const void *p)
{
    struct app *a = fiber_current == NULL || p == NULL ? NULL : app_here();
    if (a == NULL || a->block_cap == 0)
        return;
    for (size_t at = slot_of(a, p); a->blocks[at] != NULL; at = (at + 1) & (a->block_cap - 1))
        if (a->blocks[at] == p) {
            a->blocks[at] = GONE;
            a->block_gone++;
            a->block_count--;
            return;
        }
}

void memory_free_all(struct app *a)
{
    for (size_t i = 0; i < a->block_cap; i++)
        if (a->blocks[i] != GONE)
            free(a->blocks[i]);
    free(a->blocks);
    a->blocks = NULL;
    a->block_count = a->block_cap = a->block_gone = 0;
}

WRAP(void *, malloc, (size_t n))
{
    return keep(__real_malloc(n));
}

WRAP(void *, calloc, (size_t n, size_t size))
{
    return keep(__real_calloc(n, size));
}

WRAP(void *, realloc, (void *p, size_t n))
{
    forget(p);
    return keep(__real_realloc(p, n));
}

WRAP(char *, strdup, (const char *s))
{
    return keep(__real_strdup(s));
}

WRAP(void, free, (void *p))
{
    forget(p);
    __real_free(p);
}
