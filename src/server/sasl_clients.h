/* sasl_clients: the SASL requests (operation 102) of the client port. They are taken out of a connection's frames
 * before the core sees them; what they prove goes to the core as CORE_EV_AUTHENTICATED. Core's thread.
 *
 * A connection owns an exchange only while it runs, so those that have logged in, or never do, cost a pointer. */
#ifndef ZOKOR_SERVER_SASL_CLIENTS_H
#define ZOKOR_SERVER_SASL_CLIENTS_H

#include "base/buf.h"
#include "os/fs.h"
#include "server/config.h"

struct sasl_clients;

/* *out is NULL if the configuration asks for no SASL: neither library nor memory is taken then. Reasons and warnings
 * are logged. 0, or the exit code to leave with. */
int sasl_clients_new(const struct config *config, struct fs *fs, struct sasl_clients **out) WARN_UNUSED;
/* NULL is fine. */
void sasl_clients_free(struct sasl_clients *c);

/* The schemes, comma separated, that are valid in ACLs by authProvider.N: "sasl" or NULL. Static. */
const char *sasl_schemes(const struct config *config);

/* What became of a SASL request. */
struct sasl_answer {
    struct slice reply; /* a whole frame, its length included; lives until the next call. Empty: none */
    struct slice id;    /* proved by this frame: for CORE_EV_AUTHENTICATED with scheme "sasl"; null: nothing */
    bool super;         /* and again with scheme "super" and an empty id */
    bool close;         /* once the reply is sent */
};

/* One frame of a connection, in order, without its length. True: it was a SASL request of a client that has a session,
 * *answer says what to do, and the core must not see it. False: it is the core's. */
bool sasl_clients_frame(struct sasl_clients *c, uint32_t conn, struct slice frame, struct sasl_answer *answer);
/* The number belongs to a new connection, or to none. */
void sasl_clients_forget(struct sasl_clients *c, uint32_t conn);

#endif
