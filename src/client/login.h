/* login: a client's side of SASL: tokens of the server in, tokens for it out. The work is Cyrus libsasl2's, which is
 * loaded when the first login is made and stays; with a key tab or a ticket cache of one's own MIT's libgssapi_krb5
 * is, too. A program that uses libsasl2 itself shares it with us, and has its say if it started it first.
 *
 * Threads: any, but each exchange one at a time. libsasl2 guards nothing by itself, so that one lock of the process is
 * held in every step; with GSSAPI a step may ask a KDC and take its time. */
#ifndef ZOKOR_CLIENT_LOGIN_H
#define ZOKOR_CLIENT_LOGIN_H

#include "base/slice.h"
#include "client/login_state.h"

/* What Apache's servers call themselves in DIGEST-MD5, as host and as realm. */
#define LOGIN_DIGEST_HOST "zk-sasl-md5"
#define LOGIN_SERVICE "zookeeper"

struct login;
struct login_exchange;

/* Texts may be NULL and are copied. */
struct login_options {
    const char *mechanisms; /* those to take, with blanks between; NULL: DIGEST-MD5 with a user, otherwise GSSAPI */
    const char *service;    /* NULL: zookeeper */
    const char *host;       /* NULL: that of DIGEST-MD5, or for GSSAPI what the program calls the server */
    const void *callbacks;  /* the program's own list of sasl_callback_t, not copied; then nothing below counts */

    const char *user, *realm; /* realm NULL: the server's */
    const char *password, *password_file;
    const char *principal;    /* with a key tab: whose key */
    const char *keytab;       /* NULL: tickets that are there already */
    const char *ticket_cache; /* where; NULL: KRB5CCNAME or the system's */

    const char *jaas;    /* a JAAS file that says the above but `service` and `host` */
    const char *section; /* of it; NULL: Client */
};

struct login_error {
    char text[600]; /* what is wrong, where, and what to do next */
};

/* NULL: err says why, and errno is ENOSYS (a library is missing), ENOENT (the JAAS file has no such section) or
 * EINVAL. */
struct login *login_new(const struct login_options *options, struct login_error *err);
/* All its exchanges must have been freed. NULL is fine. */
void login_free(struct login *l);

/* Where a connection leads to. Texts may be NULL: nobody knows. */
struct login_peer {
    const char *name;           /* of the server's host */
    const char *local, *remote; /* "address;port" */
};

/* One login on one connection. */
struct login_exchange *login_exchange_new(struct login *l, const struct login_peer *peer);
/* NULL is fine. */
void login_exchange_free(struct login_exchange *x);
/* First with `token` NULL, then with each one of the server. *reply is for the server unless the login is done or has
 * failed; it may be empty and lives until the next step. */
enum login_state login_step(struct login_exchange *x, const struct slice *token, struct slice *reply);
/* After LOGIN_FAILED. */
const char *login_reason(const struct login_exchange *x);

#endif
