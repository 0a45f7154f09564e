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

/* TLS on a link. */
struct peer_tls {
    struct tls_conn *conn; /* NULL: the first bytes have not said yet whether this is TLS */
    struct buf sealed;     /* records for the socket, of which sealed_at bytes were taken */
    size_t sealed_at;
    bool established;
    bool ended, shut;         /* our last words are said; and have left */
    struct tls_sniff sniffed; /* a byte that may begin TLS */
};

/* A login on a link, until it is done. */
struct peer_auth {
    struct sasl_session *session; /* of who has connected */
    struct sasl_attempt *attempt; /* ours */
    struct buf in;                /* not used yet: of who has connected to the election port, its hello first */
    struct buf held;              /* what zab says meanwhile */
    size_t hello_n;
    int rounds;
    bool begun;
    bool waits;  /* begun, but nothing is said yet: there is no ticket */
    bool proved; /* the other end knows the password, too */
    bool done;
};

struct peer_link {
    struct loop_poll poll;
    struct peers *peers;
    struct peer_link *bucket_next;
    struct list link;  /* of peers.accepted[port], oldest first; peers.dialling; or peers.closing */
    struct list ready; /* of peers.touched or peers.broken */
    struct peer_dial *dial;
    struct peer_tls *tls;   /* NULL: plain */
    struct peer_auth *auth; /* NULL: no login, or it is done */
    struct net_address far; /* where the other end is; accepted, or connected */
    char *host;             /* what was dialled, as it was written; NULL on accepted links */
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
    struct list accepted[ZAB_PORT_COUNT], dialling, closing, touched, broken;
    size_t accepted_count[ZAB_PORT_COUNT], link_count;
    size_t handshakes; /* of accepted links, under way */
    int64_t unsent_bytes;
    uint32_t next_link;
    struct peer_place *places;
    size_t place_count;
    struct loop_timer sweep;
    bool sweeping, closed, failed;
    uint8_t *in;
    struct buf plain; /* what a read was under TLS */
    int64_t warned_ms, unsaid;
};

/* peer_link.c */
struct peer_link *peer_link_new(struct peers *p, uint32_t id, enum zab_port port, unsigned flags);
struct peer_link *peer_link_find(const struct peers *p, uint32_t id);
/* Takes the socket over and begins to read, behind what the options want between the two ends. False: the loop does not
 * take it; the socket is closed, the link broken. */
bool peer_link_attach(struct peer_link *l, int fd, const struct net_address *far);
/* The socket carries what is meant: plain, or TLS is established. */
void peer_link_secured(struct peer_link *l);
/* The other end is who it must be, as far as that is known before anything is sent: zab may send now. Dialled links. */
void peer_link_up(struct peer_link *l);
/* Bytes that the other end meant. */
void peer_link_take(struct peer_link *l, struct slice bytes);
/* The other end sends no more. */
void peer_link_take_end(struct peer_link *l);
/* What zab sends. */
void peer_link_queue(struct peer_link *l, struct slice bytes);
/* The same for those who stand between. */
void peer_link_append(struct peer_link *l, struct slice bytes);
/* The first n queued bytes are under way. */
void peer_link_drop_sent(struct peer_link *l, size_t n);
void peer_link_flush(struct peer_link *l);
void peer_link_watch(struct peer_link *l);
void peer_link_break(struct peer_link *l, bool refused);
/* Forgotten by zab: sends what is queued, then closes. */
void peer_link_end(struct peer_link *l);
/* Closes the socket now and frees the link. No event. */
void peer_link_drop(struct peer_link *l);
bool peer_link_event(struct peer_link *l, enum zab_event_type type, struct slice bytes);
/* The port of a server's address; 0: it has none. */
uint16_t peers_number(const struct peers *p, const struct member_address *a, enum zab_port port);
/* Looks after links that dial or close, in a while. */
void peers_sweep_soon(struct peers *p);

/* Refusals of strangers make log lines, at most one in a while: *unsaid lines were not written since the last. */
bool peers_may_warn(struct peers *p, int64_t *unsaid);
const char *peer_port_text(enum zab_port port);

/* peer_tls.c */
/* Begins; peer_link_secured or peer_link_break follows on a dialled link. False: no memory. */
bool peer_tls_open(struct peer_link *l);
void peer_tls_free(struct peer_link *l);
/* For the sweep: a handshake of who has connected takes too long. */
void peer_tls_expire(struct peer_link *l, int64_t now_ms);
/* Bytes of the socket. */
void peer_tls_bytes(struct peer_link *l, struct slice in);
/* The socket takes more, or may. */
bool peer_tls_has_output(const struct peer_link *l);
/* Gives the socket what it takes: 0, with *all if that was everything offered; or as net_send. */
int peer_tls_send(struct peer_link *l, bool *all);
/* Says that nothing more comes, once; behind everything that is queued. True if there is nothing to wait for. */
bool peer_tls_end(struct peer_link *l);

/* peer_auth.c */
/* Who has connected may log in, or must. */
void peer_auth_accept(struct peer_link *l);
/* We log in: peer_link_up or peer_link_break follows. */
void peer_auth_dial(struct peer_link *l);
/* What a login waits for may have come. */
void peer_auth_look(struct peer_link *l);
void peer_auth_free(struct peer_link *l);
/* Takes what zab sends, if it must wait. */
bool peer_auth_holds(struct peer_link *l, struct slice bytes);
/* Our login has begun and is not done. */
bool peer_auth_runs(const struct peer_link *l);
void peer_auth_take(struct peer_link *l, struct slice bytes);
void peer_auth_take_end(struct peer_link *l);
/* For the sweep: our login takes too long. */
void peer_auth_expire(struct peer_link *l);

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
