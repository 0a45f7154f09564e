/* recipe/lock.h: a mutex, as its relatives see it. */
#ifndef ZOKOR_RECIPE_LOCK_H
#define ZOKOR_RECIPE_LOCK_H

#include "recipe/claim.h"
#include <zokor/lock.h>

/* What one thread holds. */
struct holding {
    struct list link;
    pthread_t thread;
    int count;
    struct claim *claim; /* NULL: being acquired */
};

struct zokor_mutex {
    struct zokor_framework *f;
    char *path;
    const char *name;
    claim_judge_fn judge;
    void *judge_context;
    char *data;
    int data_len;
    zokor_hold_fn on_lost, on_revoked;
    void *lost_context, *revoked_context;
    pthread_mutex_t lock;
    struct list holdings, waiting; /* struct holding: those who have it, those who want it */
    bool cancelled;
    /* Asked before the node is deleted; true: not now, it has taken the claim over. */
    bool (*keep)(struct zokor_mutex *m, struct claim *claim);
    void (*released)(struct zokor_mutex *m);
};

void mutex_init(struct zokor_mutex *m, struct zokor_framework *f, const char *path, const char *name,
                claim_judge_fn judge, void *judge_context);
void mutex_fini(struct zokor_mutex *m);
/* The claim of this thread, NULL if it holds nothing. */
struct claim *mutex_claim(struct zokor_mutex *m);
struct claim *mutex_claim_of(struct zokor_mutex *m, pthread_t thread);

#endif
