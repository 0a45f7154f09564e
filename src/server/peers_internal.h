/* peers_internal: what the files of peers share. */
#ifndef ZOKOR_SERVER_PEERS_INTERNAL_H
#define ZOKOR_SERVER_PEERS_INTERNAL_H

#include "base/list.h"
#include "server/peers.h"

#define LINK_BUCKETS 64u

/* Bytes that wait for a socket. */
struct chunk {
    struct chunk *next;
    size_t begin, end, cap;
    uint8_t bytes[];
};

enum link_flags {
    LINK_ACCEPTED = 1,
    LINK_CONNECTED = 2,
    LINK_SPOKEN = 4,    /* it has sent something */
    LINK_PAUSED = 8,    /* no bytes of it are welcome */
    LINK_TELL = 16,     /* DRAINED is owed */
    LINK_TOUCHED = 32,  /* on peers.touched */
    LINK_BROKEN = 64,   /* on peers.broken: LOST is owed */
    LINK_REFUSED = 128, /* nobody listens there */
    LINK_CLOSING = 256, /* zab has forgotten it: closed when everything is sent. On peers.closing */
    LINK_POLLED = 512,  /* poll is open */
};

struct peer_link {
    struct loop_poll poll;
    struct peers *peers;
    struct peer_link *bucket_next;
    struct list link;  /* of peers.accepted[port], oldest first; or peers.closing */
    struct list ready; /* of peers.touched or peers.broken */
    struct peer_dial *dial;
    struct chunk *first, *last;
    size_t queued;
    int64_t until_ms; /* dialling, closing: given up then */
    uint32_t id;
    int fd; /* -1 while dialling */
    enum zab_port port;
    unsigned flags, watched;
};

/* An address of a port that is listened on, or that we want to listen on. */
struct peer_place {
    struct peers *peers;
    struct peer_door *door; /* open, or NULL */
    struct loop_lookup *lookup;
    struct loop_timer retry;
    const char *host;
    enum zab_port port;
    uint16_t number;
    bool wanted, gave_up, retrying;
    int tries;
};

struct peers {
    struct peers_options opt;
    struct peer_link *buckets[LINK_BUCKETS];
    struct list accepted[2], dialling, closing, touched, broken;
    size_t accepted_count[2], link_count;
    int64_t unsent_bytes;
    uint32_t next_link;
    struct peer_place *places;
    size_t place_count;
    struct loop_timer sweep;
    bool sweeping, closed, failed;
    uint8_t *in;
};

/* peer_link.c */
struct peer_link *peer_link_new(struct peers *p, uint32_t id, enum zab_port port, unsigned flags);
struct peer_link *peer_link_find(const struct peers *p, uint32_t id);
/* Takes the socket over and begins to read. False: the loop does not take it; the socket is closed, the link broken. */
bool peer_link_attach(struct peer_link *l, int fd);
void peer_link_queue(struct peer_link *l, struct slice bytes);
void peer_link_flush(struct peer_link *l);
void peer_link_watch(struct peer_link *l);
void peer_link_break(struct peer_link *l, bool refused);
/* Forgotten by zab: sends what is queued, then closes. */
void peer_link_end(struct peer_link *l);
/* Closes the socket now and frees the link. No event. */
void peer_link_drop(struct peer_link *l);
bool peer_link_event(struct peer_link *l, enum zab_event_type type, struct slice bytes);
/* Looks after links that dial or close, in a while. */
void peers_sweep_soon(struct peers *p);

/* peer_dial.c */
/* Begins to connect l; CONNECTED or, by peer_link_break, LOST follows. */
void peer_dial_begin(struct peer_link *l, const struct member *m, struct slice addresses);
void peer_dial_drop(struct peer_dial *d);

/* peer_door.c */
/* host, port, number and peers are set. */
void peer_place_init(struct peer_place *at);
/* As bound; 0: not (yet). */
uint16_t peer_place_port(const struct peer_place *at);
void peer_place_open(struct peer_place *at);
void peer_place_close(struct peer_place *at);

#endif
