/* museum: switches for planted bugs. In ordinary builds SIM_BUG is false and nothing is left of it. */
#ifndef ZOKOR_BASE_MUSEUM_H
#define ZOKOR_BASE_MUSEUM_H

#ifdef ZOKOR_MUSEUM
#include "base/assert.h"

enum museum_bug {
    MUSEUM_NONE,
#define BUG(name, members, text) MUSEUM_##name,
#include "base/museum.def"
#undef BUG
#define RECIPE_BUG(name, work, text) MUSEUM_##name,
#include "base/museum_recipe.def"
#undef RECIPE_BUG
};

/* The one that is alive. Set before anything runs. */
extern enum museum_bug museum_alive;
#define SIM_BUG(name) UNLIKELY(museum_alive == MUSEUM_##name)
#else
#define SIM_BUG(name) 0
#endif

#endif
