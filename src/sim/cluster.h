/* cluster: a whole simulation in one thread: members over fake disks, clients, the wires between them, faults, and the
 * record of it all. The same core, store and protocol run here as in the server; time is virtual. */
#ifndef ZOKOR_SIM_CLUSTER_H
#define ZOKOR_SIM_CLUSTER_H

#include "sim/agenda.h"
#include "sim/cable.h"
#include "sim/coverage.h"
#include "sim/dice.h"
#include "sim/finding.h"
#include "sim/ghost.h"
#include "sim/guests.h"
#include "sim/chronicle.h"
#include "sim/net.h"
#include "sim/options.h"

#define CLUSTER_SCRIPT_CLIENTS 26u /* at most, of a script */

struct sim_member;
struct simclient;
struct directed;

/* Kinds of agenda items: who is the index of what the comment names; mark as told. */
enum happening {
    HAPPEN_TICK,          /* member; mark: serial of the timer */
    HAPPEN_LOG_DONE,      /* member; mark: its life */
    HAPPEN_IMAGE,         /* member; life */
    HAPPEN_EPOCHS,        /* member; life */
    HAPPEN_TRUNCATED,     /* member; life */
    HAPPEN_FEED,          /* member; life */
    HAPPEN_ORACLE,        /* member; life */
    HAPPEN_RESTART,       /* member; life */
    HAPPEN_RESUME,        /* member; life */
    HAPPEN_BACKLOG,       /* member: what was kept while it stood still */
    HAPPEN_CABLE_ACCEPT,  /* cable */
    HAPPEN_CABLE_UP,      /* cable; p: struct message */
    HAPPEN_CABLE_DOWN,    /* cable; p: struct message */
    HAPPEN_CABLE_RESUMED, /* cable: its core takes frames again */
    HAPPEN_CABLE_LOST,    /* cable: its member learns that it is over */
    HAPPEN_CABLE_GONE,    /* cable: its client learns it */
    HAPPEN_WIRE_DIALLED,  /* wire, and so below; mark: the side */
    HAPPEN_WIRE_ACCEPTED,
    HAPPEN_WIRE_CONNECTED,
    HAPPEN_WIRE_FAILED,
    HAPPEN_WIRE_REFUSED,
    HAPPEN_WIRE_ARRIVED,
    HAPPEN_WIRE_DRAINED,
    HAPPEN_WIRE_RESUMED,
    HAPPEN_UNSPLIT, /* a partition ends */
    HAPPEN_CLIENT,  /* client; mark: serial of its alarm */
    HAPPEN_FAULT,   /* option that gives its mean time */
    HAPPEN_HEAL,    /* faults end */
};

struct cluster {
    bool has_oracle; /* of a script: members may go on alone if their oracle says so */
    struct sim_options opt;
    int64_t now_us;
    uint64_t steps; /* happenings carried out */
    struct agenda agenda;
    struct sim_member **members;
    uint32_t member_count;
    struct simclient **clients;
    uint32_t client_count;
    struct cable *cables;
    size_t cable_cap; /* their number is chronicle.cables */
    struct net net;
    struct members *ensemble;      /* NULL: a standalone server */
    int64_t disturbed_us;          /* when something was last wrong between members */
    bool outside[NET_MEMBERS_MAX]; /* after the faults: not of the core that must make progress */
    struct chronicle chronicle;
    struct ghost ghost;
    struct coverage coverage;
    struct finding finding;
    struct dice faults[OPTION_COUNT];
    bool healing; /* faults are over */
    bool resting; /* clients send no more */
    int64_t ops_sent;
    /* What has happened, a running hash: equal for equal seeds. */
    uint64_t trace;
    struct sim_result *result;
    struct directed *directed; /* a script's; NULL: chance leads */
    void *guest_state;         /* of opt.guests */
};

#define RESULT_GUEST_COUNTS 24

struct sim_result {
    struct finding finding;
    struct coverage coverage;
    uint64_t steps, trace;
    int64_t virtual_us; /* while it runs: the time, and who was the last to do something (members from 1) */
    uint32_t member;
    uint64_t requests, txns;
    uint64_t guest_counts[RESULT_GUEST_COUNTS]; /* by their own numbers */
};

/* Runs one simulation to its end and judges it. */
void cluster_run(const struct sim_options *options, struct sim_result *result);

/* For the files of the simulator. */
/* An ensemble, or a lone server, without members that run or clients, for a script; cluster_end after it. */
void cluster_begin_directed(struct cluster *c, struct directed *d, struct sim_result *result);
void cluster_end(struct cluster *c);
/* Carries out the next happening that is due until then; false if there is none, or something was found: then it is
 * until_us. */
bool cluster_next(struct cluster *c, int64_t until_us);
/* What was kept for a member, in the order in which it came, before anything newer. */
void cluster_unkeep(struct cluster *c, struct sim_member *m);
void cluster_at(struct cluster *c, int64_t at_us, enum happening kind, uint32_t who, uint64_t mark, void *p);

static inline int64_t opt(const struct cluster *c, enum sim_option i)
{
    return c->opt.v[i];
}

#endif
