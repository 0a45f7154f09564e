/* peers: the sockets between the servers of an ensemble. Carries out the effects of zab that are about links (DIAL,
 * SEND, CLOSE, RESUME, LISTEN) and tells what happens on them. It knows addresses and bytes, no protocol.
 *
 * The election port is listened on from the start, the learner port while LISTEN is on. Owner: the loop's thread. */
#ifndef ZOKOR_SERVER_PEERS_H
#define ZOKOR_SERVER_PEERS_H

#include "os/loop.h"
#include "os/tls.h"
#include "server/sasl_login.h"
#include "zab/zab.h"

struct peers;

struct peers_options {
    struct loop *loop;
    const struct member *self;        /* whose addresses are listened on; must live as long as the peers */
    bool listen_all;                  /* quorumListenOnAllIPs: listen on every address instead, on the ports of self */
    bool keepalive;                   /* tcpKeepAlive */
    int bind_tries;                   /* electionPortBindRetry, one a second; 0: for ever */
    uint16_t observer_port;           /* observerMasterPort, of every follower; 0: none */
    int64_t dial_ms[ZAB_PORT_COUNT];  /* by enum zab_port: a dial that takes longer has failed */
    struct tls_context *tls_accept;   /* NULL: nobody who connects speaks TLS */
    struct tls_context *tls_dial;     /* NULL: whom we dial does not */
    bool tls_optional;                /* portUnification: with tls_accept, who connects may speak either */
    int64_t tls_handshake_ms;         /* of one that connects: longer, and it is closed */
    struct sasl_service *sasl_accept; /* NULL: nobody who connects logs in */
    bool sasl_required;               /* and who does not is refused */
    struct sasl_login *sasl_dial;     /* NULL: we do not log in where we connect */
    int64_t login_ms;                 /* a login on an election port that takes longer has failed */
    size_t links_max;                 /* accepted links a port: above it, the oldest that has said nothing makes room */
    void *ctx;
    /* Something happened; its now_ms is not set. Returns false after ZAB_EV_BYTES if no more bytes of this link are
     * welcome before ZAB_FX_RESUME. Effects must be given to peers_apply later, not from here. */
    bool (*event)(void *ctx, const struct zab_event *ev);
    /* Where to dial; NULL: not known. Used before it returns to the loop. */
    const struct member *(*member)(void *ctx, int64_t sid);
    /* Who may connect: hosts of certificates are of them. Used before it returns to the loop. */
    const struct members *(*members)(void *ctx);
    /* The name that Kerberos has for a host of a server line. NULL: the same. */
    const char *(*canonical)(void *ctx, const char *host);
    /* No address of the election port can be listened on: the server must end. Called at most once. */
    void (*failed)(void *ctx, const char *why);
};

/* Begins to listen on the election port. */
struct peers *peers_new(const struct peers_options *options);
/* Closes every socket; what is queued is sent as far as the sockets take it at once. No event comes any more. The loop
 * must turn before peers_free, as loop_free makes it. */
void peers_close(struct peers *p);
/* NULL is fine. */
void peers_free(struct peers *p);

/* Carries out the effects of these types, in order; those of others are ignored. */
void peers_apply(struct peers *p, const struct zab_fx *fx, size_t count);
/* Events that could not be told while effects were carried out: to be asked for once a turn, behind peers_apply. True
 * if there were some. */
bool peers_run_ready(struct peers *p);

/* What sasl_login_listen tells, on the loop's thread. */
void peers_login_changed(struct peers *p);

/* Bytes that no socket has taken yet. */
int64_t peers_unsent_bytes(const struct peers *p);
/* Links open now, accepted and dialled. */
size_t peers_link_count(const struct peers *p);
/* The port that is listened on, 0 if none is. For tests. */
uint16_t peers_port(const struct peers *p, enum zab_port port);

#endif
