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
    struct cache_listener *calling;
    int holders; /* the program, requests and events under way */
    bool refused, working;
    atomic_bool initialized, closed;
    /* Of the event thread alone. */
    uint32_t pass;
    int requests; /* under way, of this pass */
    struct list asks;
    bool in_pass, failed;
    bool again_armed;
    struct timer again;
    struct event again_event;
};

#endif
