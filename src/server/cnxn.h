/* cnxn: one client connection's socket, its unfinished input and its unsent output. Idle ones own no buffers. */
#ifndef ZOKOR_SERVER_CNXN_H
#define ZOKOR_SERVER_CNXN_H

#include "server/front.h"

enum cnxn_flags {
    CNXN_FRESH = 1,      /* no whole frame yet: the first four bytes may be a word; on front.fresh */
    CNXN_PAUSED = 2,     /* the core wants no more frames for now */
    CNXN_REFUSED = 4,    /* the sink was full: the frame waits */
    CNXN_FULL = 8,       /* too much unsent: not read */
    CNXN_WORD = 16,      /* a four-letter word is being answered */
    CNXN_CLOSING = 32,   /* the core has forgotten it: closed as soon as everything is sent */
    CNXN_BROKEN = 64,    /* the socket failed: the sink is still to be told */
    CNXN_DEAD = 128,     /* the socket is closed; memory and number go at the end of the turn */
    CNXN_READY = 256,    /* on front.ready */
    CNXN_UNSENT = 512,   /* on front.unsent */
    CNXN_TOUCHED = 1024, /* has effects in the front_apply that runs */
    CNXN_END = 2048,     /* one of them is CORE_FX_CLOSE */
    CNXN_MARKED = 4096,  /* the sink wants to know when little is unsent */
    CNXN_TOLD = 8192,    /* the sink was told that it is lost */
    CNXN_NAMED = 16384,  /* the name of its address is being asked for */
};

/* Any of these: no frame may be cut now. */
#define CNXN_HELD \
    (CNXN_PAUSED | CNXN_REFUSED | CNXN_FULL | CNXN_WORD | CNXN_CLOSING | CNXN_BROKEN | CNXN_DEAD | CNXN_NAMED)

struct cnxn_tls;

struct cnxn {
    struct loop_poll poll;
    struct front *front;
    struct cnxn_tls *tls; /* NULL: plain */
    struct list link;     /* of front.fresh or front.unsent */
    int64_t since_ms;     /* fresh: accepted; unsent: when the peer last took a byte */
    uint8_t *in;          /* bytes that are no whole frame yet, or not wanted yet: in[in_off, in_end) */
    uint8_t *out;         /* bytes the socket has not taken: out[out_off, out_end) */
    size_t out_off, out_end, out_cap;
    uint32_t in_off, in_end, in_cap;
    uint32_t id, fx_first, fx_last;
    int fd;
    uint16_t flags;
    uint8_t polled; /* LOOP_ flags that are set in the loop */
};

/* *out is NULL if there is no memory for it, or too much to do: the socket is still the caller's. */
void cnxn_open(struct front *f, int fd, uint32_t id, const struct net_address *peer, enum front_port port,
               struct cnxn **out);
/* To be looked at by the next front_run_ready of this turn. */
void cnxn_make_ready(struct cnxn *c);
/* Cuts the frames that wait in its own buffer. */
void cnxn_feed(struct cnxn *c);
/* Bytes of the protocol, behind those that wait: whole frames go to the sink. p is not of its own buffer. */
void cnxn_take(struct cnxn *c, const uint8_t *p, size_t n);
/* Sends parts behind what is unsent; what the socket does not take is kept. A failure makes it BROKEN and ready. */
void cnxn_send(struct cnxn *c, struct slice *parts, size_t count);
/* The same for bytes that are TLS records already. */
void cnxn_send_raw(struct cnxn *c, struct slice bytes);
/* Closes when everything has been sent; reads nothing more. */
void cnxn_end(struct cnxn *c);
/* Closes the socket now. The sink is not told. */
void cnxn_close(struct cnxn *c);
/* The socket failed or misbehaved: told to the sink and closed before the turn ends. */
void cnxn_break(struct cnxn *c);
/* Sets what the loop watches to what the flags want. */
void cnxn_watch(struct cnxn *c);
/* Tells the sink, if it asked, that little is unsent. */
void cnxn_answer_mark(struct cnxn *c);
void cnxn_unfresh(struct cnxn *c);

#endif
