/* guests: clients that are none of the simulator's own: whole programs that run above it. Their number takes the place
 * of the option `clients`; faults that would befall a client befall them. */
#ifndef ZOKOR_SIM_GUESTS_H
#define ZOKOR_SIM_GUESTS_H

#include "base/slice.h"
#include "sim/options.h"

struct buf;
struct cluster;
struct model;

/* What the simulator tells them; all functions are there. `state` is what begin gave. */
struct guests {
    /* What was drawn and does not suit them is changed, before anything begins. */
    void (*adjust)(struct sim_options *o);
    /* Numbers that they dial with, from 0. */
    uint32_t (*clients)(const struct sim_options *o);
    void *(*begin)(struct cluster *c);
    void (*end)(void *state);
    /* An alarm: HAPPEN_CLIENT for any of their numbers. */
    void (*woken)(void *state, uint64_t mark);
    /* From their cables. */
    void (*received)(void *state, uint32_t cable, struct slice bytes);
    void (*gone)(void *state, uint32_t cable);
    /* Faults; `client` was drawn. crash stands for the end of a session that a client wants. */
    void (*cut)(void *state, uint32_t client);
    void (*mute)(void *state, uint32_t client);
    void (*away)(void *state, uint32_t client);
    void (*crash)(void *state, uint32_t client);
    /* Faults are over, for all. */
    void (*heal)(void *state);
    /* They have done what they had to do. */
    bool (*is_at_rest)(const void *state);
    void (*describe)(const void *state, struct buf *b);
    /* After the run, with the tree as it is in the end. */
    void (*judge_end)(void *state, const struct model *m);
};

#endif
