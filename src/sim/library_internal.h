/* library_internal: what the files of the library's client share. */
#ifndef ZOKOR_SIM_LIBRARY_INTERNAL_H
#define ZOKOR_SIM_LIBRARY_INTERNAL_H

#include "sim/client.h"
#include "sim/cluster.h"
#include "sim/library.h"
#include "sim/library_judge.h"

#define LIBRARY_TAG_AUTH 1u
#define LIBRARY_NEVER INT64_MAX

enum library_link { LIBRARY_UNLINKED, LIBRARY_OPENING, LIBRARY_OPEN };

struct library {
    struct simclient *client;
    struct cluster *c;
    uint32_t index;
    struct dice dice;  /* delays and what befalls it */
    struct dice works; /* its requests */
    bool modest;
    struct client_core *core; /* NULL: between two handles */
    struct library_judge judge;
    enum library_link link;
    uint32_t cable, member; /* cable: LIBRARY_NOWHERE while it is unlinked, or when nobody can be reached */
    bool had_member, greeted, deaf;
    int64_t session_id; /* for the chronicle */
    int64_t dialled_us; /* when it last asked for its session */
    struct client_addr servers[NET_MEMBERS_MAX];
    size_t server_n;
    /* When what it has asked its surroundings for comes; INT64_MAX: nothing is awaited. */
    int64_t opened_us, refused_us, resolved_us, probed_us;
    int64_t next_op_us, next_handle_us, away_until_us, frozen_until_us, alarm_us;
    uint64_t alarm_mark;
    struct library_watches denied; /* paths of which it was not told, because it may not read them */
    int64_t idle_us;               /* since when it could have tried to connect */
    uint32_t pumped;               /* times in one moment */
    int64_t pumped_us;
    struct buf kept; /* what came while its process stood still: lengths and frames of one connection */
    bool kept_gone;
    struct buf out, scratch;
    struct client_dones dones;
    bool takes_over; /* the next handle has the session of the last */
    int64_t old_session_id;
    uint8_t old_passwd[WIRE_PASSWD_BYTES];
    int32_t old_xid;
};

/* library_client.c: does what the core needs until it needs nothing, moves bytes, judges what it delivers. */
void library_pump(struct library *l);
void library_wake_at(struct library *l, int64_t at_us);
/* A new handle: another session, or the last one's where takes_over says so. */
void library_begin_handle(struct library *l);
/* The connection is lost. */
void library_lost(struct library *l);
/* What was awaited and is due: names, an open connection, ... */
void library_happen(struct library *l);
/* Whole frames from the server, one after the other, as long as anybody listens. */
void library_take_frames(struct library *l, struct slice bytes);

/* library_ask.c: what the program above the library does. */
/* One request. */
void library_ask(struct library *l);
/* It proves who it is. */
void library_prove(struct library *l);
/* A new list of servers, whole or by chance. */
void library_relist(struct library *l, bool whole);
/* Ends the handle and gives its session to a new one. */
void library_hand_over(struct library *l);

#endif
