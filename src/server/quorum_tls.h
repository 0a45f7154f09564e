/* quorum_tls: the configuration of TLS between servers (sslQuorum, portUnification, ssl.quorum.*) as contexts, one for
 * either side of a connection; and their reload. Core's thread. */
#ifndef ZOKOR_SERVER_QUORUM_TLS_H
#define ZOKOR_SERVER_QUORUM_TLS_H

#include "os/loop.h"
#include "os/tls.h"
#include "server/config.h"

struct quorum_tls {
    struct tls_context *accept; /* NULL: nobody who connects speaks TLS */
    struct tls_context *dial;   /* NULL: connections of this server are plain */
    bool optional;              /* who connects may be plain, too */
    const struct config *config;
    struct loop_timer look;
    bool looks;
};

/* Reads keys and certificates if an ensemble's server needs them. 0, or the exit code to leave with; the reason was
 * logged, and there is nothing to free. */
int quorum_tls_init(struct quorum_tls *t, const struct config *config) WARN_UNUSED;
/* From here on changed files are loaded, if the configuration wants that. */
void quorum_tls_start(struct quorum_tls *t, struct loop *loop);
void quorum_tls_stop(struct quorum_tls *t);
/* After every link. Safe on zeroed memory. */
void quorum_tls_fini(struct quorum_tls *t);
/* The same identity for the admin port (admin.portUnification, admin.forceHttps), where no names are checked and
 * admin.needClientAuth tells whether a certificate is asked for, as in Apache's JettyAdminServer. */
int quorum_tls_admin(const struct config *config, struct tls_context **out, struct tls_error *err) WARN_UNUSED;
/* Time for the handshake of a server that connects. */
int64_t quorum_tls_handshake_ms(const struct config *config);

#endif
