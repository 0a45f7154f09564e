/* options: everything a simulation depends on besides the program: a seed and a table of numbers. A seed draws its own
 * table: which kinds of faults there are, how often, and how fast things are. */
#ifndef ZOKOR_SIM_OPTIONS_H
#define ZOKOR_SIM_OPTIONS_H

#include "base/buf.h"

struct guests;

enum sim_option {
#define OPTION(name, value, help) OPT_##name,
#include "sim/options.def"
#undef OPTION
    OPTION_COUNT
};

struct sim_options {
    uint64_t seed;
    int64_t v[OPTION_COUNT];
    uint64_t given;              /* bits of those that were set by hand: drawing leaves them alone */
    const struct guests *guests; /* clients of another kind; NULL: the simulator's own */
};

/* Values as in the table. */
void options_default(struct sim_options *o);
/* "name=value": 0, or ERR_INVALID. */
int options_set(struct sim_options *o, const char *assignment);
/* Draws what the seed makes of the rest. */
void options_draw(struct sim_options *o, uint64_t seed);
const char *options_name(enum sim_option i);
const char *options_help(enum sim_option i);
int64_t options_default_of(enum sim_option i);
/* Is this the time between two faults of a kind, so that 0 leaves the kind out? */
bool options_is_fault(enum sim_option i);
/* Appends " --set name=value" for everything that differs from the table. */
void options_put(const struct sim_options *o, struct buf *b);

#endif
