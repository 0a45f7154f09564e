/* minimise: makes a failing simulation small: leaves out kinds of faults, shortens it, takes away clients and members,
 * and puts what is left back to its default, as long as the same rule is broken. */
#ifndef ZOKOR_SIM_MINIMISE_H
#define ZOKOR_SIM_MINIMISE_H

#include "sim/finding.h"
#include "sim/options.h"

/* Runs these options; true and *found if something is wrong. It may run them in another process. */
typedef bool minimise_run(void *ctx, const struct sim_options *o, struct finding *found);

/* Changes *o (which must fail by f->rule) and *f; at most `runs` runs. Returns how many it took. */
int minimise(struct sim_options *o, struct finding *f, minimise_run *run, void *ctx, int runs);

#endif
