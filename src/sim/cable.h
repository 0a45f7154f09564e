/* cable: one connection between a client and a member, for one life: frames in order both ways, with delays. It can be
 * cut (both ends learn of it, what was under way is lost) or muted (nothing more comes through and nobody is told). The
 * number of a cable is the core's number of the connection. */
#ifndef ZOKOR_SIM_CABLE_H
#define ZOKOR_SIM_CABLE_H

#include "base/slice.h"

struct cluster;

/* Bytes under way; one block of memory. */
struct message {
    uint32_t n;
    uint8_t p[];
};

struct cable {
    uint32_t client, member;
    uint64_t life;    /* of the member when it accepted */
    bool client_open; /* the client has not let go of it */
    bool member_open; /* the core knows it */
    bool muted;
    bool greeted;           /* the ConnectResponse has been sent: what follows are replies and events */
    bool go_on;             /* the core takes frames now */
    int64_t up_us, down_us; /* nothing may arrive before what was sent earlier */
    struct message **inbox; /* frames that wait until the core goes on */
    size_t inbox_head, inbox_count, inbox_cap;
};

/* A new one; its number. The member is told after a delay, if it lives then; otherwise the client learns that there is
 * nobody. */
uint32_t cable_dial(struct cluster *c, uint32_t client, uint32_t member);
void cable_send_up(struct cluster *c, uint32_t cable, struct slice frame);
void cable_send_down(struct cluster *c, uint32_t cable, struct slice bytes);
/* The client lets go. */
void cable_drop(struct cluster *c, uint32_t cable);
/* The member has closed it (the core has forgotten it). */
void cable_close(struct cluster *c, uint32_t cable);
/* A fault: both ends learn of it, the frames under way are lost. */
void cable_cut(struct cluster *c, uint32_t cable);
void cable_mute(struct cluster *c, uint32_t cable);
/* The member's process is gone. silent: nobody tells the client. */
void cable_orphan(struct cluster *c, uint32_t cable, bool silent);
void cable_free_inbox(struct cable *k);

/* Happenings. */
void cable_accepted(struct cluster *c, uint32_t cable);
void cable_up(struct cluster *c, uint32_t cable, struct message *m);
void cable_down(struct cluster *c, uint32_t cable, struct message *m);
void cable_lost(struct cluster *c, uint32_t cable);
void cable_gone(struct cluster *c, uint32_t cable);
/* The core goes on taking frames of it. */
void cable_resumed(struct cluster *c, uint32_t cable);

#endif
