/* net: the connections between members' election and learner ports: streams of bytes with delays, cut into pieces as
 * TCP likes, FIFO each, in no order among each other. Directions between two members can be blocked (bytes and dials
 * wait, nobody is told), ports can refuse, connections can break. */
#ifndef ZOKOR_SIM_NET_H
#define ZOKOR_SIM_NET_H

#include "base/buf.h"
#include "sim/dice.h"
#include "zab/zab.h"

struct cluster;
struct sim_member;

#define NET_MEMBERS_MAX 16

/* A piece of a stream that arrives at once. */
struct net_chunk {
    int64_t at_us;
    uint32_t n;
};

/* One direction of a wire. */
struct net_stream {
    struct buf data; /* sent and not given to the receiver */
    struct net_chunk *chunks;
    size_t chunk_head, chunk_count, chunk_cap;
    int64_t last_us; /* nothing may arrive before what was sent earlier */
    bool ends;       /* behind the data the connection is over */
    bool held;       /* the receiver takes no bytes now */
    bool tell_drained;
    bool image; /* what follows is an image, no packet (of scripts only) */
};

/* A connection. Side 0 has dialled. */
struct net_wire {
    enum zab_port port;
    uint32_t member[2];
    uint32_t link[2]; /* its number there */
    uint64_t life[2];
    bool open[2]; /* zab knows it there */
    bool connected, accepted;
    struct net_stream to[2]; /* to[s]: what side s will receive */
};

struct net {
    struct net_wire **wires; /* by number; NULL: over */
    uint32_t wire_count, wire_cap;
    uint32_t *live;
    uint32_t live_count, live_cap;
    bool blocked[NET_MEMBERS_MAX][NET_MEMBERS_MAX];            /* from, to */
    int64_t parted_us[NET_MEMBERS_MAX];                        /* until when a way from or to the member was blocked */
    int64_t refuses_until_us[NET_MEMBERS_MAX][ZAB_PORT_COUNT]; /* member, port */
    struct dice dice;
};

void simnet_init(struct cluster *c);
void simnet_fini(struct cluster *c);

/* What zab asks of the shell. */
void simnet_dial(struct sim_member *m, uint32_t link, int64_t sid, enum zab_port port);
void simnet_send(struct sim_member *m, uint32_t link, struct slice bytes, bool tell_drained);
void simnet_close(struct sim_member *m, uint32_t link);
void simnet_resume(struct sim_member *m, uint32_t link);
/* The process is gone. silent: nobody is told, until they try or a long time has passed. */
void simnet_member_gone(struct sim_member *m, bool silent);

/* Faults. */
void simnet_break_one(struct cluster *c, struct dice *d);
void simnet_split(struct cluster *c, struct dice *d);
void simnet_flap(struct cluster *c, struct dice *d);
void simnet_heal(struct cluster *c);
/* A way between the member and another one is blocked, or was in the last so many us. */
bool simnet_is_parted(const struct cluster *c, uint32_t member, int64_t last_us);

/* Happenings: mark is the side that is concerned. */
void simnet_dialled(struct cluster *c, uint32_t wire);
void simnet_accepted(struct cluster *c, uint32_t wire);
void simnet_connected(struct cluster *c, uint32_t wire);
void simnet_failed(struct cluster *c, uint32_t wire, bool refused);
void simnet_arrived(struct cluster *c, uint32_t wire, unsigned side);
/* The receiver takes bytes again. */
void simnet_resumed(struct cluster *c, uint32_t wire, unsigned side);
void simnet_drained(struct cluster *c, uint32_t wire, unsigned side);
/* The member at this side of a wire; for those that stand still. NET_MEMBERS_MAX: the wire is over. */
uint32_t simnet_member_of(const struct cluster *c, uint32_t wire, unsigned side);

#endif
