/* program: what the programs of all works have in common. */
#ifndef ZOKOR_SIM_RECIPE_PROGRAM_H
#define ZOKOR_SIM_RECIPE_PROGRAM_H

#include "sim_recipe/world.h"
#include <zokor/framework.h>

/* A client with options that the program draws; the session timeout is the simulation's. */
struct zokor_framework *program_open(struct app *a);
/* Closes it after a meeting in which look is called with the client: what the program has given up must be gone by
 * then, though its session lives. One with a short deadline for requests closes it before: over a slow link it may ask
 * in vain for as long as it asks. */
void program_close(struct app *a, struct zokor_framework *f, void (*look)(void *framework));
/* Runs main in so many threads and waits for them. main gets its element of args. */
void program_threads(size_t count, void *(*main)(void *), void *args, size_t size);

#endif
