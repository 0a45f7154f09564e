/* recipe/discovery.h: what registrations and providers share. */
#ifndef ZOKOR_RECIPE_DISCOVERY_H
#define ZOKOR_RECIPE_DISCOVERY_H

#include "recipe/internal.h"
#include <zokor/cache.h>
#include <zokor/discovery.h>
#include <zokor/node.h>

struct zokor_discovery {
    struct zokor_framework *f;
    char *path;
    pthread_mutex_t lock;
    struct list registrations;
};

/* Of a service, or of one of its instances; allocated. */
char *discovery_path(const struct zokor_discovery *d, const char *name, const char *id);

#endif
