/* quorum_sasl: the configuration of logins between servers (quorum.auth.*), as a service for those who connect and a
 * login for where this server connects. Core's thread. */
#ifndef ZOKOR_SERVER_QUORUM_SASL_H
#define ZOKOR_SERVER_QUORUM_SASL_H

#include "os/fs.h"
#include "server/config.h"
#include "server/sasl_login.h"

struct quorum_sasl {
    struct sasl_service *accept; /* NULL: nobody who connects logs in */
    struct sasl_login *dial;     /* NULL: this server does not log in */
    bool required;               /* who connects must */
};

/* 0, or the exit code to leave with; the reason was logged, and there is nothing to free. */
int quorum_sasl_init(struct quorum_sasl *s, const struct config *config, struct fs *fs) WARN_UNUSED;
/* After every link. Safe on zeroed memory. */
void quorum_sasl_fini(struct quorum_sasl *s);

#endif
