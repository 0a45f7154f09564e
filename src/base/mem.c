#include "base/mem.h"
#include "base/log.h"
#include <stdlib.h>
#include <string.h>

#define MEM_EXIT_CODE 70 /* EX_SOFTWARE of sysexits.h; documented in docs/operations.md */

static struct mem_hooks hooks;

void mem_set_hooks(const struct mem_hooks *h)
{
    hooks = h == NULL ? (struct mem_hooks){ 0 } : *h;
}

static int allowed(size_t size)
{
    return hooks.allow == NULL || hooks.allow(hooks.ctx, size);
}

static _Noreturn void exhausted(size_t size)
{
    if (hooks.exhausted != NULL)
        hooks.exhausted(hooks.ctx, size);
    log_error("mem.exhausted",
              "wanted=%zu next=\"give the process more memory; every acknowledged write is in the log\"", size);
    exit(MEM_EXIT_CODE);
}

void *mem_try_alloc(size_t size)
{
    return allowed(size) ? malloc(size == 0 ? 1 : size) : NULL;
}

void *mem_try_realloc(void *p, size_t size)
{
    return allowed(size) ? realloc(p, size == 0 ? 1 : size) : NULL;
}

void *mem_alloc(size_t size)
{
    void *p = mem_try_alloc(size);
    if (UNLIKELY(p == NULL))
        exhausted(size);
    return p;
}

void *mem_zalloc(size_t size)
{
    return memset(mem_alloc(size), 0, size);
}

void *mem_realloc(void *old, size_t size)
{
    void *p = mem_try_realloc(old, size);
    if (UNLIKELY(p == NULL))
        exhausted(size);
    return p;
}

void mem_free(void *p)
{
    free(p);
}
