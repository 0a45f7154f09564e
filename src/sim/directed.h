/* directed: a simulation that a script leads instead of chance: packets between members, and what their disks have
 * finished, can be held back and let go one by one. Members do not start by themselves, and clients do what they are
 * told. */
#ifndef ZOKOR_SIM_DIRECTED_H
#define ZOKOR_SIM_DIRECTED_H

#include "sim/agenda.h"
#include "sim/net.h"
#include "wire/peer.h"

/* Packets of the learner port by their type (enum peer_packet_type), and two more. */
#define DIRECTED_IMAGE 0     /* the bytes behind SNAP, as one packet */
#define DIRECTED_ELECTION 20 /* whatever the election port carries */
#define DIRECTED_PACKETS 21

enum directed_disk {
    DIRECTED_LOG = 1,
    DIRECTED_EPOCHS = 2,
    DIRECTED_CUT = 4,
    DIRECTED_SNAPSHOT = 8,
    DIRECTED_FEED = 16,
    DIRECTED_DISK = 31,
};

struct directed {
    bool held[NET_MEMBERS_MAX][NET_MEMBERS_MAX][DIRECTED_PACKETS]; /* from, to: it and all behind it waits */
    bool waits[NET_MEMBERS_MAX][NET_MEMBERS_MAX];                  /* something does */
    uint32_t delivered[NET_MEMBERS_MAX][NET_MEMBERS_MAX][DIRECTED_PACKETS];
    /* The next packet of this kind is torn: so many of its bytes arrive, then the connection is lost. */
    struct {
        bool is;
        uint32_t from, to;
        int type;
        size_t bytes;
    } tear;
    unsigned disk_held[NET_MEMBERS_MAX]; /* by member, kinds of directed_disk */
};

/* The type by its name as the protocol has it ("NEWLEADER", "IMAGE", "ELECTION"); -1. */
int directed_packet(const char *name);
/* How many bytes the receiver gets now: one packet; 0: nothing yet. May break the connection. */
size_t directed_piece(struct cluster *c, uint32_t wire, unsigned side);
/* Must this wait until the script lets it go? */
bool directed_keeps(const struct cluster *c, const struct agenda_item *it);

#endif
