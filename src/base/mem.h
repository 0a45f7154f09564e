/* mem: where memory comes from. Small requests of our own cannot be refused half-way through a change of state, so
 * mem_alloc ends the process (exit code and message by the handler) when there is none: nothing unacknowledged is
 * lost by that. Sizes a stranger chooses go through mem_try_alloc, which may say no. */
#ifndef ZOKOR_BASE_MEM_H
#define ZOKOR_BASE_MEM_H

#include "base/assert.h"
#include <stddef.h>

/* Never NULL. Contents undefined. size 0 gives a unique pointer. */
void *mem_alloc(size_t size) __attribute__((malloc, returns_nonnull, alloc_size(1)));
/* Never NULL, zeroed. */
void *mem_zalloc(size_t size) __attribute__((malloc, returns_nonnull, alloc_size(1)));
/* As realloc, never NULL. */
void *mem_realloc(void *p, size_t size) WARN_UNUSED;
/* May be NULL. */
void *mem_try_alloc(size_t size) __attribute__((malloc)) WARN_UNUSED;
/* May be NULL; then the old block is untouched. */
void *mem_try_realloc(void *p, size_t size) WARN_UNUSED;
/* NULL is fine. */
void mem_free(void *p);

/* Test seam: `allow` is asked before every allocation and may say false; `exhausted` is called when mem_alloc got
 * nothing and must not return. NULL members mean: always allowed; log and exit(70). Call before threads start. */
struct mem_hooks {
    int (*allow)(void *ctx, size_t size);
    void (*exhausted)(void *ctx, size_t size);
    void *ctx;
};
void mem_set_hooks(const struct mem_hooks *hooks);

#endif
