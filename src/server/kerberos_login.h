/* kerberos_login: the side of SASL's GSSAPI (RFC 4752) that logs in, with a key tab, for a server that connects to
 * another. Tickets come over the network, and a KDC may take its time: the first token of each attempt is made on a
 * thread of its own. MIT's libgssapi_krb5 is loaded when a login is made and not before.
 *
 * All calls belong to one thread; only `changed` is called on another. */
#ifndef ZOKOR_SERVER_KERBEROS_LOGIN_H
#define ZOKOR_SERVER_KERBEROS_LOGIN_H

#include "server/sasl.h"

struct kerberos_login;
struct kerberos_attempt;

struct kerberos_login_options {
    const char *principal; /* of this server, "SERVICE/HOST@REALM" */
    const char *keytab;    /* that has its key; NULL: the system's */
    const char *service; /* whom it connects to, "SERVICE/HOST" with _HOST for the host that is dialled, maybe @REALM */
};

/* 0; ERR_UNSUPPORTED or ERR_INVALID with err filled. Does not look at the key tab. */
int kerberos_login_new(const struct kerberos_login_options *options, struct kerberos_login **out,
                       struct sasl_error *err) WARN_UNUSED;
/* All its attempts must have been freed. Waits for the thread, which may wait for a KDC. NULL is fine. */
void kerberos_login_free(struct kerberos_login *l);
/* changed is called, on another thread, when attempts may have become ready. NULL: no more, and none runs after. */
void kerberos_login_listen(struct kerberos_login *l, void (*changed)(void *ctx), void *ctx);

/* Begins to log in to the server at host. */
struct kerberos_attempt *kerberos_attempt_new(struct kerberos_login *l, const char *host);
/* NULL is fine. */
void kerberos_attempt_free(struct kerberos_attempt *a);
/* The first step can be made. */
bool kerberos_attempt_ready(struct kerberos_attempt *a);
/* As sasl_attempt_step; the first one only when ready. */
enum sasl_state kerberos_attempt_step(struct kerberos_attempt *a, struct slice token, struct slice *reply);
const char *kerberos_attempt_reason(const struct kerberos_attempt *a);

#endif
