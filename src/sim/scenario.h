/* scenario: a directed simulation: a text, one step a line, in which a cluster does exactly what the lines say
 * (docs/scenarios.md tells the words). Everything else is as in every simulation: real cores, fake disks, the rules of
 * the ghost after each step and the oracle at the end. */
#ifndef ZOKOR_SIM_SCENARIO_H
#define ZOKOR_SIM_SCENARIO_H

#include "sim/cluster.h"

struct scenario_result {
    bool failed;
    unsigned variants; /* that were run: one for each choice of the text's "each" lines */
    char why[900];     /* "line 12, with N=3: ..." */
    uint64_t steps;
    struct sim_result sim; /* while it runs: the time, and who was the last to do something */
};

/* Runs all variants of the text, until one fails. only: "N=3 P=2", a single variant; NULL: all. */
void scenario_run(struct slice text, const char *only, struct scenario_result *result);

#endif
