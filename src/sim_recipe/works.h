/* works: all that programs can do. */
#ifndef ZOKOR_SIM_RECIPE_WORKS_H
#define ZOKOR_SIM_RECIPE_WORKS_H

#include "sim_recipe/world.h"

extern const struct work work_mutex, work_rw, work_semaphore, work_latch, work_selector, work_count, work_barrier,
    work_double, work_queue, work_cache, work_node, work_multi, work_consumer, work_ttl, work_shared;

#endif
