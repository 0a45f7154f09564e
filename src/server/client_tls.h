/* client_tls: the configuration of TLS on the client ports, as a context; and its reload. Core's thread. */
#ifndef ZOKOR_SERVER_CLIENT_TLS_H
#define ZOKOR_SERVER_CLIENT_TLS_H

#include "os/loop.h"
#include "os/tls.h"
#include "server/config.h"

struct client_tls {
    struct tls_context *context; /* NULL: no port speaks TLS, and nothing of OpenSSL's TLS has been touched */
    const struct config *config;
    struct loop_timer look;
    bool looks;
};

/* Reads keys and certificates if a port needs them. 0, or the exit code to leave with; the reason was logged. */
int client_tls_init(struct client_tls *t, const struct config *config) WARN_UNUSED;
/* From here on changed files are loaded, if the configuration wants that. */
void client_tls_start(struct client_tls *t, struct loop *loop);
void client_tls_stop(struct client_tls *t);
/* After every connection. */
void client_tls_fini(struct client_tls *t);

/* True if the subject of a certificate is X509AuthenticationProvider.superUser. */
bool client_tls_is_super(const struct client_tls *t, struct slice subject);

#endif
