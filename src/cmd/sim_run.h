/* sim_run: simulations in child processes, so that one that dies is a finding and the campaign goes on. */
#ifndef ZOKOR_CMD_SIM_RUN_H
#define ZOKOR_CMD_SIM_RUN_H

#include "sim/cluster.h"

/* One, in a child of its own. A child that dies gives the finding "crash" with what it said last. */
void sim_run(const struct sim_options *o, struct sim_result *r);
/* The same for minimise(): true and *found if it finds something. ctx is not used. */
bool sim_run_apart(void *ctx, const struct sim_options *o, struct finding *found);
/* Ends the line of a command that runs o again: " --set NAME=VALUE" for what differs from plain. */
void sim_run_print_settings(const struct sim_options *o, const struct sim_options *plain);

/* The seeds from first on, each with what it draws besides options->given, in `jobs` children. twice: and again, to see
 * that the trace is the same. done is told of each, in no order. */
void sim_run_many(const struct sim_options *options, uint64_t first, uint64_t count, unsigned jobs, bool twice,
                  void (*done)(void *ctx, uint64_t seed, const struct sim_result *r), void *ctx);

/* Plants bugs (one, or with NULL all) and sees that each is found. Exit status. */
int sim_museum(const char *bug, unsigned jobs);
/* Wakes one, for a script. False: there is none of this name. */
bool sim_museum_wake(const char *bug);

/* Runs a script: all its variants, or the one that is named ("N=3 P=2"; NULL: all). log: tells the story. Exit status.
 */
int sim_scenario(const char *file, const char *variant, bool log);

#endif
