/* sasl_login: the side of SASL that logs in, with a section of a JAAS file: by DIGEST-MD5 with its user, or by GSSAPI
 * with its key tab (kerberos_login.h); for a server that connects to another (quorum.auth.*). Tokens in, tokens out.
 * See sasl.h for the other side and for threads. */
#ifndef ZOKOR_SERVER_SASL_LOGIN_H
#define ZOKOR_SERVER_SASL_LOGIN_H

#include "server/sasl.h"

struct sasl_login;
struct sasl_attempt;

/* The section needs a DigestLoginModule with the options username and password, or a Krb5LoginModule with principal and
 * keyTab; then principal is whom it connects to. drop_* and super_password are not used. As sasl_service_new: 0,
 * ERR_NOT_FOUND, ERR_INVALID or ERR_UNSUPPORTED with err filled. */
int sasl_login_new(const struct sasl_options *options, struct sasl_login **out, struct sasl_error *err) WARN_UNUSED;
/* All its attempts must have been freed. The password is overwritten. NULL is fine. */
void sasl_login_free(struct sasl_login *l);

/* changed is called, on another thread, when attempts may have become ready. NULL: no more, and none runs after. */
void sasl_login_listen(struct sasl_login *l, void (*changed)(void *ctx), void *ctx);

/* One exchange with the server at that host. */
struct sasl_attempt *sasl_attempt_new(struct sasl_login *login, const char *host);
/* NULL is fine. */
void sasl_attempt_free(struct sasl_attempt *a);
/* The first step can be made: with Kerberos a ticket must be there, or it must be clear that there is none. */
bool sasl_attempt_ready(struct sasl_attempt *a);
/* First without a token: for DIGEST-MD5 there is none to send (*reply is null), and the other side answers its
 * challenge to an empty one. Then with each token of the server; *reply is for the server, null if there is none, and
 * lives until the next step. SASL_STATE_DONE only if the server has proved that it knows the password, too: a server
 * that says that all is well before that is not to be believed. */
enum sasl_state sasl_attempt_step(struct sasl_attempt *a, struct slice token, struct slice *reply);
/* After SASL_STATE_FAILED: for the log. */
const char *sasl_attempt_reason(const struct sasl_attempt *a);

#endif
