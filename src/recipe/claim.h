/* recipe/claim.h: what locks, semaphores and leaders are made of. A claim is an ephemeral sequential node in a folder;
 * where it stands among its neighbours says whether it is granted. */
#ifndef ZOKOR_RECIPE_CLAIM_H
#define ZOKOR_RECIPE_CLAIM_H

#include "recipe/internal.h"
#include <zokor/hold.h>

/* A thread sleeps here until a watch or a state wakes it. Counted: by its owner and by each watch. */
struct waker {
    pthread_mutex_t lock;
    pthread_cond_t cond;
    int holders;
    bool poked, cancelled;
    struct session *session; /* of waker_wait_soon; its thread's */
    zhandle_t *zh;           /* that its thread awaits meanwhile, instead of sleeping here */
};
struct waker *waker_new(void);
void waker_drop(struct waker *w);
void waker_poke(struct waker *w);
/* From now on nobody sleeps here. */
void waker_cancel(struct waker *w);
bool waker_is_cancelled(struct waker *w);
/* Until poked since the last waker_reset; false: due_ms has passed (-1: never). f: the thread receives for its session
 * meanwhile; NULL: several threads may wait here. */
bool waker_wait(struct waker *w, struct zokor_framework *f, int64_t due_ms);
/* What is asked for next is waited for: waker_wait with f must follow. */
void waker_wait_soon(struct waker *w, struct zokor_framework *f);
/* As waker_wait for ever, though cancelled. */
void waker_wait_poked(struct waker *w, struct zokor_framework *f);
/* Forgets pokes: what is read after this sees what they were about. */
void waker_reset(struct waker *w);
/* A read whose watch wakes; at most one at a time is set. */
int waker_do(struct waker *w, struct zokor_framework *f, const struct zokor_request *q, struct zokor_result *result);
/* The watch is not needed any more. */
void waker_unwatch(struct waker *w, struct zokor_framework *f);

#define CLAIM_GRANTED (-1)
#define CLAIM_WATCH_ALL (-2)

/* Names in the order of their numbers. */
struct claim;
typedef int (*claim_judge_fn)(const struct claim *c, char *const *names, int n, int ours);

enum claim_stage {
    CLAIM_LOOKS, /* its thread acts for itself */
    CLAIM_ASKS,  /* answers are awaited */
    CLAIM_WAITS, /* for the neighbour */
    CLAIM_GIVEN,
    CLAIM_FAILED
};
struct step;

struct claim {
    struct zokor_framework *f;
    char *folder;
    const char *name; /* "lock-": static */
    char *data;
    int data_len;
    /* CLAIM_GRANTED, the index of the neighbour to wait for, or CLAIM_WATCH_ALL. */
    claim_judge_fn judge;
    void *judge_context;
    /* NULL, or one that is granted: this one counts only in its session. */
    const struct claim *under;
    struct waker *waker;
    struct listener *listener;
    pthread_t thread; /* that acquires it */
    int holders;      /* guarded by the client's lock, as is what follows */
    char *path;
    int64_t token; /* its czxid */
    int64_t owner;
    enum zokor_hold hold;
    /* Told once, by the event thread, that a granted claim is no more; and that its data changed to __REVOKE__. */
    zokor_hold_fn on_lost;
    void *lost_context;
    zokor_hold_fn on_revoked;
    void *revoked_context;
    bool revoke_waits; /* it was asked to be given back before it was granted */
    bool in_call;
    pthread_t caller;
    /* On its way (claim_queue.c). */
    enum claim_stage stage;
    int64_t round;               /* answers to earlier ones are not believed */
    bool made;                   /* the node, in this round */
    bool overtaken;              /* by the answer about its neighbours */
    bool hurry;                  /* its thread wants to know of every stage */
    int failure;                 /* of CLAIM_FAILED */
    struct step *watch;          /* of the neighbour */
    char *neighbour;             /* its name */
    bool last;                   /* nobody but the neighbour is in the way */
    int64_t began_at;            /* the client's state_number at the round's begin */
    bool own_asked, own_watched; /* its own node is watched, so that its end is heard of */
};
struct claim *claim_new(struct zokor_framework *f, const char *folder, const char *name, const void *data, int data_len,
                        claim_judge_fn judge, void *judge_context);
/* Waits until granted. ZOK, or an error and nothing is left. due_ms: recipe_now_ms, -1: never. ZOPERATIONTIMEOUT;
 * ZCLOSING after waker_cancel. ZNONODE: of a claim under another one, whose session is over. */
int claim_acquire(struct claim *c, int64_t due_ms);
/* Gives it back; also what was lost. */
int claim_release(struct claim *c);
void claim_free(struct claim *c);
enum zokor_hold claim_hold(struct claim *c);
/* Watches its own node: hears when it is gone, or is to be given back. */
void claim_watch_own(struct claim *c);
/* Its node says that it is to be given back: told now, or when it is granted. The client's lock is held. */
void claim_revoked(struct claim *c);
/* The node, and its way to the grant. ZOK, or an error; *made: the node was made, and is to be deleted. ZNONODE: the
 * node is gone, or its session. */
int claim_queue_up(struct claim *c, int64_t due_ms, bool *made);

int judge_first(const struct claim *c, char *const *names, int n, int ours);
/* As Curator's StandardLockInternalsDriver.fixForSorting: what follows the last `name`. */
const char *claim_number(const char *child, const char *name);
void claim_sort(struct String_vector *children, const char *name);
/* The paths of the children whose names contain `name`, sorted. */
int claim_participants(struct zokor_framework *f, const char *folder, const char *name, struct String_vector *paths);
/* Those of an election, with their data. */
int participants_of(struct zokor_framework *f, const char *folder, const char *name,
                    struct zokor_participant **participants, int *count);
int64_t due_of(int timeout_ms);

#endif
