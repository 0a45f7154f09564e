/* scenario_internal: what the files of scenario share. */
#ifndef ZOKOR_SIM_SCENARIO_INTERNAL_H
#define ZOKOR_SIM_SCENARIO_INTERNAL_H

#include "sim/client.h"
#include "sim/directed.h"
#include "sim/member.h"
#include "sim/scenario.h"

#define SCENARIO_WORDS 40
#define SCENARIO_PATIENCE_US 90000000

struct words {
    const char *w[SCENARIO_WORDS];
    size_t n;
};

struct script_client {
    char name[16];
    struct simclient *client;
    uint32_t ticket; /* of its last request */
};

struct scenario {
    struct cluster c;
    struct directed d;
    struct sim_result *result;
    struct sim_options options;
    struct sim_member *trap_member; /* dies of the next packet of this type; NULL: nobody */
    int trap_type;
    uint32_t trap_count;
    enum member_end trap_end;
    bool begun, closed; /* closed: the end has been judged, or will not be */
    struct script_client clients[CLUSTER_SCRIPT_CLIENTS];
    uint32_t marked[NET_MEMBERS_MAX][NET_MEMBERS_MAX][DIRECTED_PACKETS]; /* counts at the last "mark" */
};

/* Carries out one line; false: it failed and the finding tells. */
bool scenario_step(struct scenario *s, const struct words *w);
void scenario_wrong(struct scenario *s, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Everything is mended, everybody comes to rest, and the oracle judges. */
bool scenario_verify(struct scenario *s);

/* scenario_sight.c: a condition: 1 holds, 0 does not, negative: no such condition. */
int scenario_sees(struct scenario *s, const struct words *w, size_t at);
/* "1" to "9"; NULL and wrong otherwise. */
struct sim_member *scenario_member(struct scenario *s, const char *word);

#endif
