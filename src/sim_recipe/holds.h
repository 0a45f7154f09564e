/* holds: who holds what, as the programs were told, and whether that may be (docs/recipes.md, zokor/hold.h). */
#ifndef ZOKOR_SIM_RECIPE_HOLDS_H
#define ZOKOR_SIM_RECIPE_HOLDS_H

#include "recipe/claim.h"
#include "sim_recipe/world.h"

struct hold {
    const struct app *app;
    uint64_t life;                             /* of its program; another one now: it was killed */
    const void *what;                          /* tells the holds of a program from one another */
    enum zokor_hold (*ask)(const void *thing); /* what its program can know of it now */
    const void *thing;
    bool shared; /* others that are shared may hold it, too */
    int64_t session_id, token, since_us;
};

/* Of one lock. Owned by the simulator. */
struct holds {
    const char *name;
    size_t limit; /* so many at once */
    struct hold *p;
    size_t count, cap;
    int64_t token; /* the newest that was granted, and to whom: who leads again with its node has it again */
    const struct app *token_app;
};

void holds_init(struct holds *h, const char *name, size_t limit);
void holds_fini(struct holds *h);
/* By the running fiber, at once after it was told; app, life and since_us are filled in. */
void holds_granted(struct holds *h, const struct hold *hold);
/* Of a claim. */
void holds_claimed(struct holds *h, const void *what, const struct claim *claim, bool shared);
/* Before it is given back. */
void holds_released(struct holds *h, const void *what);
/* Its program was killed: its node may be there as long as its session is. */
void holds_crashed(struct holds *h, const struct app *a);

/* One who holds it; NULL: nobody. */
const struct app *holds_target(const struct holds *h);

/* Nothing is left below the node; it may itself be gone. */
void judge_empty(const struct model *m, const char *path);
/* At rest: nobody has a node there, though the sessions of those who had one still live. A connection that fails now
 * says nothing. */
void judge_row(struct zokor_framework *f, const char *path);
/* May a recipe's call end so when the connection is bad? Counts it. */
void judge_failure(const char *what, int rc);

#endif
