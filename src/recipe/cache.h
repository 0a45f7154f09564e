/* recipe/cache.h: what a cache is made of. */
#ifndef ZOKOR_RECIPE_CACHE_H
#define ZOKOR_RECIPE_CACHE_H

#include "recipe/cache_tree.h"
#include "recipe/internal.h"
#include <zokor/cache.h>

struct cache_listener;

struct zokor_cache {
    struct zokor_framework *f;
    char *path;
    struct zokor_cache_options options;
    int depth_max;
    struct zokor_watch *watch;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    /* Under the lock. */
    struct cache_tree tree; /* changed by the event thread alone */
    struct list listeners;
    struct list shots; /* one-shot watches that are set */
    struct cache_listener *calling;
    int holders; /* the program, requests and events under way */
    bool refused, working, started;
    atomic_bool initialized, closed;
    /* Of the event thread alone. */
    uint32_t pass;
    int requests; /* under way, of this pass */
    struct list asks;
    bool in_pass, failed;
    bool one_shot;             /* no persistent watch */
    struct list unsent;        /* struct shot */
    struct cache_tree tracked; /* nodes that are watched, or whose reading is under way, with their czxid */
    bool again_armed;
    struct timer again;
    struct event again_event;
};

/* cache.c; on the event thread, between cache_enter and cache_leave but for the first two. */
void cache_hold(struct zokor_cache *c);
void cache_drop(struct zokor_cache *c);
bool cache_enter(struct zokor_cache *c);
void cache_leave(struct zokor_cache *c);
void cache_there(struct zokor_cache *c, const char *path, struct zokor_read_result *r);
void cache_gone(struct zokor_cache *c, const char *path);
bool cache_wants(const struct zokor_cache *c, const char *path);    /* the node itself */
bool cache_descends(const struct zokor_cache *c, const char *path); /* its children */
void cache_decompress(struct zokor_read_result *r);
void cache_pass_failed(struct zokor_cache *c); /* shots_again, or a new pass, after a while */
void cache_end_pass(struct zokor_cache *c);

/* cache_shots.c: with watches that are called once. */
/* On the event thread: begins, or sends again what failed. */
void shots_again(struct zokor_cache *c);
void shots_cancel(struct zokor_cache *c); /* of a cache that is closed */

#endif
