/* words: four-letter words being answered. A word costs its client nothing but a piece of the answer at a time: the
 * next is made when the socket has taken the one before. Core's thread. */
#ifndef ZOKOR_SERVER_WORDS_H
#define ZOKOR_SERVER_WORDS_H

#include "admin/command.h"
#include "base/list.h"
#include "core/core.h"

struct words {
    struct command_host *host;
    void *ctx;
    /* Carries out effects on the connection's front at once. */
    void (*apply)(void *ctx, const struct core_fx *fx, size_t count);
    /* The answer is complete: the core may forget the connection. */
    void (*done)(void *ctx, uint32_t conn);
    struct list jobs;
    struct buf piece;
};

void words_init(struct words *w, struct command_host *host, void *ctx,
                void (*apply)(void *ctx, const struct core_fx *fx, size_t count),
                void (*done)(void *ctx, uint32_t conn));
void words_fini(struct words *w);

/* A known word and its argument: sends the first piece. */
void words_begin(struct words *w, uint32_t conn, uint32_t word, struct slice argument);
/* The socket has taken the last piece. Unknown connections are ignored. */
void words_more(struct words *w, uint32_t conn);
/* The connection is gone, or the core has closed it. Unknown connections are ignored. */
void words_forget(struct words *w, uint32_t conn);
static inline bool words_any(const struct words *w)
{
    return !list_empty(&w->jobs);
}

#endif
