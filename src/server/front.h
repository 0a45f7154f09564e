/* front: the client connections of one loop: accepting, cutting frames out of what arrives, sending what the core
 * answers. It knows nothing of requests; frames go to a sink and effects come back through front_apply. With no net
 * threads the sink is the core itself, otherwise it is the inbox of the core's thread. */
#ifndef ZOKOR_SERVER_FRONT_H
#define ZOKOR_SERVER_FRONT_H

#include "base/list.h"
#include "core/core.h"
#include "os/loop.h"
#include "os/net.h"
#include "os/tls.h"

/* What became of a frame. */
enum front_went {
    FRONT_GO_ON,   /* taken; more is welcome */
    FRONT_PAUSED,  /* taken; no more until CORE_FX_RESUME or CORE_FX_CLOSE */
    FRONT_REFUSED, /* not taken; offer it again after CORE_FX_RESUME or front_resume_all */
};

/* What is spoken on the port that a connection came by. */
enum front_port {
    FRONT_PLAIN,
    FRONT_TLS,
    FRONT_EITHER, /* the client's first bytes say which */
};

#define FRONT_COMING_MAX 16u

/* Who gets what connections bring. Called on the front's loop. */
struct front_sink {
    void *ctx;
    enum front_went (*accept)(void *ctx, uint32_t conn, const struct net_address *peer);
    enum front_went (*frame)(void *ctx, uint32_t conn, struct slice frame);
    /* A hint: these frames, FRONT_COMING_MAX at most, come to `frame` at once. NULL where nobody cares. */
    void (*coming)(void *ctx, const struct slice *frames, size_t count);
    /* TLS is established, and the client's certificate is valid: its subject. Before any frame; needed only with
     * front_options.tls. */
    void (*proved)(void *ctx, uint32_t conn, struct slice subject);
    /* The socket is gone, or its words came to an end. Never for a connection that got CORE_FX_CLOSE. */
    void (*lost)(void *ctx, uint32_t conn);
    /* A four-letter word: pieces of its answer come as CORE_FX_SEND, its end as CORE_FX_CLOSE. */
    void (*word)(void *ctx, uint32_t conn, uint32_t word, struct slice argument);
    /* The last piece has been sent: the next may come. */
    void (*word_more)(void *ctx, uint32_t conn);
    /* What front_mark asked for: most of the connection's replies have been taken. NULL where nobody marks. */
    void (*sent)(void *ctx, uint32_t conn);
};

struct front_options {
    struct loop *loop;
    struct front_sink sink;
    uint32_t index, count;  /* this front gives out connection numbers n with n % count == index */
    size_t frame_bytes_max; /* jute.maxbuffer */
    int64_t conns_max;      /* sockets that fit below the limit of descriptors */
    /* The sink lives on another thread: the number of a connection that was told lost is used again only after
     * front_free_number. */
    bool numbers_are_confirmed;
    struct tls_context *tls;    /* NULL: no TLS. Outlives the front */
    int64_t tls_handshake_ms;   /* for the client's part of a handshake */
    int64_t tls_handshakes_max; /* that may be under way; 0 and below: any number */
    bool tls_names;             /* a certificate may hold the name of the client's address, which is asked for */
};

/* Of a front with front_options.tls. */
enum front_tls_figure {
    FRONT_TLS_HANDSHAKES,   /* under way */
    FRONT_TLS_REFUSED,      /* since the start: not begun, because too many were under way */
    FRONT_TLS_FAILED,       /* since the start */
    FRONT_TLS_PLAIN_LOCAL,  /* since the start: connections without TLS from this machine */
    FRONT_TLS_PLAIN_REMOTE, /* and from others */
    FRONT_TLS_FIGURES
};

struct cnxn;

/* One loop's connections. */
struct front {
    struct front_options opt;
    struct cnxn **conns; /* by slot: number / count */
    uint32_t slot_cap, slot_next;
    uint32_t *slots_free;
    uint32_t slots_free_count;
    struct list fresh;   /* no whole frame yet, oldest first */
    struct list unsent;  /* replies wait for the socket */
    struct cnxn **ready; /* to be fed again, or to be given up, before the turn ends */
    size_t ready_count, ready_cap;
    struct cnxn **touched; /* of the front_apply that runs */
    size_t touched_cap;
    uint32_t *fx_next;
    size_t fx_next_cap;
    uint8_t *scratch; /* LIMIT_RECV_BYTES + LIMIT_COPY_BYTES, shared by all connections */
    int64_t open_count, fresh_count, unsent_bytes;
    struct buf tls_plain, tls_out; /* of the connection that is looked at; no memory without TLS */
    int64_t tls_figures[FRONT_TLS_FIGURES], tls_warned_ms, tls_unsaid;
    int64_t closed_total; /* sockets closed so far, those that failed at once included */
    bool reading_stopped;
};

void front_init(struct front *f, const struct front_options *options);
/* All connections must have been closed (front_close_all and a turn). */
void front_fini(struct front *f);

/* A new socket: owned by the front from here on, also when it fails. */
void front_add(struct front *f, int fd, const struct net_address *peer, enum front_port port);
/* Makes room for one more connection by the rules of limits.h. False: accept nothing for a while. */
bool front_make_room(struct front *f);

/* Closes the oldest connection that has not sent a frame, if it is old enough. False: there is none. */
bool front_evict(struct front *f);

/* Carries out effects of the core: each connection's bytes go out with one call. */
void front_apply(struct front *f, const struct core_fx *fx, size_t count);
/* Connections that may go on, or broke while effects were carried out. */
static inline bool front_has_ready(const struct front *f)
{
    return f->ready_count != 0;
}
void front_run_ready(struct front *f);
/* Frames that were refused are offered again in the next front_run_ready. */
void front_resume_all(struct front *f);

/* For sinks on another thread; unknown connections are ignored. No frames are cut until CORE_FX_RESUME. */
void front_pause(struct front *f, uint32_t conn);
/* sink.sent is called as soon as little enough is unsent; at once, if that is so now. */
void front_mark(struct front *f, uint32_t conn);
void front_free_number(struct front *f, uint32_t conn);

/* Closes connections that have taken nothing for too long. Call about once a second. */
void front_sweep(struct front *f);

/* For a stop: nothing more is read from any socket. */
void front_stop_reading(struct front *f);
bool front_all_sent(const struct front *f);
/* Closes every socket without telling the sink. */
void front_close_all(struct front *f);

/* LOOP_ flags of what is awaited on a connection: 0 if it is unknown. */
unsigned front_interest(const struct front *f, uint32_t conn);

#endif
