/* wrap: what the linker puts in the place of the system's functions (--wrap): a fiber gets the simulator's, everybody
 * else the real one. */
#ifndef ZOKOR_SIM_RECIPE_WRAP_H
#define ZOKOR_SIM_RECIPE_WRAP_H

/* WRAP(type, name, (parameters)): both names; the body of __wrap_name follows. */
#define WRAP(type, name, parameters) \
    type __real_##name parameters;   \
    type __wrap_##name parameters;   \
    type __wrap_##name parameters

#endif
