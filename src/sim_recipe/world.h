/* world: programs that use the recipes, over a simulated cluster. Each program is the real library, shell and recipes,
 * with its threads as fibers and its sockets as cables. */
#ifndef ZOKOR_SIM_RECIPE_WORLD_H
#define ZOKOR_SIM_RECIPE_WORLD_H

#include "sim/cluster.h"
#include "sim/model.h"
#include "sim_recipe/fiber.h"

#define APP_SLOTS 8u /* handles of one program at a time, those that are being closed too */

struct sock;

/* A program. */
struct app {
    struct world *w;
    uint32_t index;
    uint64_t life;      /* how often it was started */
    bool done;          /* it has come to its end */
    bool is_bold;       /* it takes what it holds for held until its session is lost (ZOKOR_ERRORS_SESSION) */
    bool is_hasty;      /* its requests have a deadline */
    int64_t start_us;   /* when it begins anew after a crash; FIBER_NEVER: it runs, or is done */
    int64_t frozen_us;  /* it stands still until then */
    int64_t away_us;    /* nobody can be reached until then */
    int64_t clumsy_us;  /* until then it may not know what it would otherwise: it stood still, or was started anew */
    struct dice dice;   /* what it does */
    struct dice chance; /* what the system does with it */
    void **blocks;      /* memory of its own: a set of addresses */
    size_t block_count, block_gone, block_cap;
    void *own; /* the work's, for this life */
};

/* What the programs do, and how that is judged. */
struct work {
    const char *name, *help;
    int64_t heal_ms; /* the time without faults that it needs, if more than others */
    /* The state that the oracle keeps. */
    void *(*begin)(struct world *w);
    void (*end)(void *state);
    /* A program's main. */
    void (*run)(struct app *a);
    /* Somebody to whom a fault would matter now, or NULL. May be NULL. */
    const struct app *(*target)(struct world *w);
    /* It was killed. May be NULL. */
    void (*crashed)(struct app *a);
    /* With the tree as it is in the end. */
    void (*judge_end)(struct world *w, const struct model *m);
};

struct world {
    struct cluster *c;
    const struct work *work;
    void *state; /* of the work */
    struct app *apps;
    uint32_t app_count;
    struct fibers fibers;
    struct sock **socks; /* by descriptor - SOCKET_FIRST; NULL: closed */
    size_t sock_count, sock_cap;
    uint64_t sock_number;
    struct dice dice;
    int64_t alarm_us;
    uint64_t alarm_mark;
    char hosts[400];
    bool clumsy;          /* programs crash and stand still */
    bool peeks;           /* the judge asks a program something: locks are nothing to it */
    uint64_t losses_in;   /* one of so many replies is lost with its connection; 0: none */
    uint64_t breaks;      /* connections that came to an end */
    uint32_t met, parted; /* programs that have come to the meeting, and that have left it */
};

/* The one there is. */
extern struct world *world;
/* What is run: set before a simulation begins. */
extern const struct work *world_work;
extern const struct guests world_guests;

/* The program of the running fiber. */
static inline struct app *app_here(void)
{
    return fiber_current->app;
}

void world_wake_at(struct world *w, int64_t at_us);
static inline int64_t world_now_us(void)
{
    return world->c->now_us;
}

/* The programs go on for a while after the faults, then they shall come to an end. */
bool app_goes_on(void);
/* Faults are over and nothing is asked any more: all programs meet, time passes so that everything comes to rest, and
 * look, which may be NULL, is called for this one. It ends when all have looked. */
void app_meet(void (*look)(void *context), void *context);
/* Sleeps about so long. */
void app_rest(int64_t mean_us);
/* One more of these: for the figures of a campaign. */
enum world_count {
#define COUNT(name, text) COUNT_##name,
#include "sim_recipe/counts.def"
#undef COUNT
    WORLD_COUNTS
};
void world_count(enum world_count what);
/* The first thing that is wrong. */
void world_wrong(const char *rule, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* A line of the story (--log), by the running fiber or the simulator. */
extern bool world_tells;
void world_tell(const char *fmt, ...) PRINTF_LIKE(1, 2);
/* Has the ensemble not decided that this session is over? */
bool world_session_lives(int64_t session_id);

/* memory.c: what the fibers of a program have allocated. */
void memory_free_all(struct app *a);

/* socket.c */
void sockets_received(struct world *w, uint32_t cable, struct slice bytes);
void sockets_gone(struct world *w, uint32_t cable);
void sockets_cut(struct app *a, bool silent);
/* Its process is gone. */
void sockets_orphan(struct app *a);
void sockets_fini(struct world *w);

#endif
