#include "sim_recipe/fiber.h"
#include "base/assert.h"
#include "base/mem.h"
#include "client/shell.h"
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#if defined(__SANITIZE_ADDRESS__)
#define FIBER_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define FIBER_ASAN 1
#endif
#endif
#ifdef FIBER_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

#define STACK_BYTES (256u << 10)
#define SWITCHES_MAX 200000 /* at one moment: it turns without end */

struct fiber *fiber_current;

void fibers_init(struct fibers *s, struct dice dice, const int64_t *now_us, bool (*may_run)(const struct app *a))
{
    *s = (struct fibers){ .dice = dice, .now_us = now_us, .may_run = may_run };
    s->yields_in = 1ull << dice_between(&s->dice, 1, 7);
    s->naps_in = dice_one_in(&s->dice, 3) ? 0 : 1ull << dice_between(&s->dice, 6, 11);
    s->nap_us = 50ll << dice_between(&s->dice, 0, 9);
}

static void free_fiber(struct fiber *f)
{
#ifdef FIBER_ASAN
    __asan_unpoison_memory_region(f->stack, STACK_BYTES);
#endif
    munmap(f->stack, STACK_BYTES);
    mem_free(f);
}

void fibers_fini(struct fibers *s)
{
    for (size_t i = 0; i < s->count; i++)
        free_fiber(s->p[i]);
    mem_free(s->p);
}

static void remove_fiber(struct fibers *s, size_t at)
{
    free_fiber(s->p[at]);
    s->count--;
    memmove(&s->p[at], &s->p[at + 1], (s->count - at) * sizeof(struct fiber *));
}

void fiber_reap(struct fiber *f)
{
    struct fibers *s = f->all;
    for (size_t i = 0; i < s->count; i++)
        if (s->p[i] == f) {
            remove_fiber(s, i);
            return;
        }
}

void fibers_kill(struct fibers *s, const struct app *app)
{
    ASSERT(fiber_current == NULL);
    for (size_t i = s->count; i-- > 0;)
        if (s->p[i]->app == app)
            remove_fiber(s, i);
}

size_t fibers_of(const struct fibers *s, const struct app *app)
{
    size_t n = 0;
    for (size_t i = 0; i < s->count; i++)
        n += s->p[i]->app == app && s->p[i]->state != FIBER_DONE;
    return n;
}

/* ---- switching ---- */

static void arrive(void *fake_stack, bool first)
{
#ifdef FIBER_ASAN
    const void *bottom;
    size_t size;
    __sanitizer_finish_switch_fiber(first ? NULL : fake_stack, &bottom, &size);
    if (first || fiber_current->all->outside.uc_stack.ss_size == 0) {
        fiber_current->all->outside.uc_stack.ss_sp = (void *)(uintptr_t)bottom;
        fiber_current->all->outside.uc_stack.ss_size = size;
    }
#else
    (void)fake_stack;
    (void)first;
#endif
}

/* Back to the simulator. */
static void switch_out(struct fiber *f)
{
    struct fibers *s = f->all;
    f->error = errno;
    f->prompt = zokor_thread_prompt(0);
    f->deadline_ms = zokor_thread_deadline(0);
    f->delivery = deliver_exchange(NULL);
    fiber_current = NULL;
#ifdef FIBER_ASAN
    __sanitizer_start_switch_fiber(f->state == FIBER_DONE ? NULL : &f->fake_stack, s->outside.uc_stack.ss_sp,
                                   s->outside.uc_stack.ss_size);
#endif
    int rc = swapcontext(&f->context, &s->outside);
    ASSERT(rc == 0);
    arrive(f->fake_stack, false);
}

static void switch_in(struct fiber *f)
{
    struct fibers *s = f->all;
    fiber_current = f;
    errno = f->error;
    (void)zokor_thread_prompt(f->prompt);
    (void)zokor_thread_deadline(f->deadline_ms);
    (void)deliver_exchange(f->delivery);
#ifdef FIBER_ASAN
    __sanitizer_start_switch_fiber(&s->outside_fake_stack, f->stack, STACK_BYTES);
#endif
    int rc = swapcontext(&s->outside, &f->context);
    ASSERT(rc == 0);
#ifdef FIBER_ASAN
    __sanitizer_finish_switch_fiber(s->outside_fake_stack, NULL, NULL);
#endif
}

static void begin(void)
{
    struct fiber *f = fiber_current;
    arrive(NULL, true);
    f->result = f->main(f->arg);
    f->state = FIBER_DONE;
    fibers_wake(f->all, f, true);
    switch_out(f);
}

struct fiber *fiber_new(struct fibers *s, struct app *app, void *(*main)(void *), void *arg)
{
    struct fiber *f = mem_zalloc(sizeof *f);
    *f = (struct fiber){
        .all = s, .app = app, .number = ++s->next_number, .main = main, .arg = arg, .due_us = FIBER_NEVER, .slot = -1
    };
    f->stack = mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    ASSERT(f->stack != MAP_FAILED);
    int rc = getcontext(&f->context);
    ASSERT(rc == 0);
    f->context.uc_stack.ss_sp = f->stack;
    f->context.uc_stack.ss_size = STACK_BYTES;
    makecontext(&f->context, begin, 0);
    if (s->count == s->cap) {
        s->cap = s->cap == 0 ? 64 : s->cap * 2;
        s->p = mem_realloc(s->p, s->cap * sizeof(struct fiber *));
    }
    s->p[s->count++] = f;
    return f;
}

/* ---- who runs ---- */

/* Wakes those that are due, and says how many could run. */
static size_t look(struct fibers *s)
{
    size_t ready = 0;
    for (size_t i = 0; i < s->count; i++) {
        struct fiber *f = s->p[i];
        if (!s->may_run(f->app))
            continue;
        if (f->state == FIBER_ASLEEP && f->due_us <= *s->now_us) {
            f->state = FIBER_READY;
            f->woken = false;
        }
        ready += f->state == FIBER_READY;
    }
    return ready;
}

static struct fiber *draw(struct fibers *s, size_t ready)
{
    int64_t at = dice_between(&s->dice, 0, (int64_t)ready - 1);
    for (size_t i = 0;; i++)
        if (s->p[i]->state == FIBER_READY && s->may_run(s->p[i]->app) && at-- == 0)
            return s->p[i];
}

static void reap_detached(struct fibers *s)
{
    for (size_t i = s->count; i-- > 0;)
        if (s->p[i]->state == FIBER_DONE && s->p[i]->detached)
            remove_fiber(s, i);
}

bool fibers_run(struct fibers *s)
{
    if (s->switches_at_us != *s->now_us)
        s->switches = 0;
    s->switches_at_us = *s->now_us;
    for (size_t ready; (ready = look(s)) != 0;) {
        if (++s->switches > SWITCHES_MAX)
            return false;
        switch_in(draw(s, ready));
    }
    reap_detached(s);
    return true;
}

int64_t fibers_due_us(const struct fibers *s)
{
    int64_t due_us = FIBER_NEVER;
    for (size_t i = 0; i < s->count; i++) {
        const struct fiber *f = s->p[i];
        if (f->state == FIBER_ASLEEP && f->due_us < due_us && s->may_run(f->app))
            due_us = f->due_us;
    }
    return due_us;
}

bool fiber_sleep(const void *on, int64_t due_us)
{
    struct fiber *f = fiber_current;
    f->on = on;
    f->due_us = due_us;
    f->state = FIBER_ASLEEP;
    switch_out(f);
    f->on = NULL;
    f->due_us = FIBER_NEVER;
    return f->woken;
}

void fibers_wake(struct fibers *s, const void *on, bool all)
{
    size_t n = 0;
    for (size_t i = 0; i < s->count; i++)
        n += s->p[i]->state == FIBER_ASLEEP && s->p[i]->on == on;
    int64_t at = all || n == 0 ? -1 : dice_between(&s->dice, 0, (int64_t)n - 1);
    for (size_t i = 0; i < s->count && n != 0; i++) {
        struct fiber *f = s->p[i];
        if (f->state != FIBER_ASLEEP || f->on != on)
            continue;
        if (all || at-- == 0) {
            f->state = FIBER_READY;
            f->woken = true;
        }
    }
}

void fiber_pause(void)
{
    struct fibers *s = fiber_current->all;
    if (dice_one_in(&s->dice, s->naps_in)) {
        (void)fiber_sleep(NULL, *s->now_us + dice_wait(&s->dice, s->nap_us));
    } else if (dice_one_in(&s->dice, s->yields_in)) {
        fiber_current->state = FIBER_READY;
        switch_out(fiber_current);
    }
}

struct fiber *fiber_leave(void)
{
    struct fiber *f = fiber_current;
    fiber_current = NULL;
    return f;
}

void fiber_enter(struct fiber *f)
{
    fiber_current = f;
}
