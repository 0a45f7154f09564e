/* sasl: the side of a server, of clients or of other servers: who connects proves who it is by SASL, DIGEST-MD5 with
 * users from a JAAS file, or GSSAPI with a key tab named there. Tokens in, tokens out. The work is Cyrus libsasl2's,
 * which is loaded when a service is made and not before (sasl_library.h). sasl_login.h is the other side.
 *
 * All of it belongs to one thread: the library's state is the process's. */
#ifndef ZOKOR_SERVER_SASL_H
#define ZOKOR_SERVER_SASL_H

#include "base/jaas.h"

struct sasl_service;
struct sasl_session;

/* Names that both sides of DIGEST-MD5 have to agree about: of ZooKeeperSaslServer and of QuorumAuth. */
#define SASL_CLIENTS_SERVICE "zookeeper"
#define SASL_CLIENTS_REALM "zk-sasl-md5"
#define SASL_QUORUM_SERVICE "zookeeper-quorum"
#define SASL_QUORUM_REALM "zk-quorum-sasl-md5"

struct sasl_options {
    const char *jaas_path;       /* for messages */
    struct slice jaas;           /* contents of that file */
    const char *section;         /* "Server" */
    const char *section_key;     /* key of the configuration that names it, for messages */
    const char *service, *realm; /* for DIGEST-MD5; Kerberos has them in its principal */
    const char *super_password;  /* "": none; otherwise it takes the place of the password of user_super */
    const char *principal;       /* for sasl_login with GSSAPI: kerberos_login_options.service */
    const char *rules;           /* GSSAPI: kerberos_rules.h; NULL: DEFAULT */
    bool drop_host, drop_realm;  /* GSSAPI: parts of a principal that its id does not keep */
};

struct sasl_error {
    char text[600]; /* what is wrong, where, and what to do next */
};

/* 0; ERR_NOT_FOUND if the file has no such section; ERR_INVALID if the file or the section is of no use;
 * ERR_UNSUPPORTED if the library or its mechanism is missing. err is filled on an error. */
int sasl_service_new(const struct sasl_options *options, struct sasl_service **out, struct sasl_error *err) WARN_UNUSED;
/* All its sessions must have been freed. Passwords are overwritten. NULL is fine. */
void sasl_service_free(struct sasl_service *s);
/* "DIGEST-MD5" or "GSSAPI". */
const char *sasl_service_mechanism(const struct sasl_service *s);
/* Users that the section names. */
size_t sasl_service_user_count(const struct sasl_service *s);

enum sasl_state {
    SASL_STATE_MORE,   /* the client has to answer the token */
    SASL_STATE_DONE,   /* the client is who it says: sasl_session_id */
    SASL_STATE_FAILED, /* sasl_session_reason says why; it can only be freed */
};

/* One exchange. */
struct sasl_session *sasl_session_new(struct sasl_service *service);
/* NULL is fine. */
void sasl_session_free(struct sasl_session *s);
/* The client's next token (null and empty are the same). *reply: the token for the client, null if there is none; it
 * lives until the next step. A step after the end of the exchange fails. */
enum sasl_state sasl_session_step(struct sasl_session *s, struct slice token, struct slice *reply);
/* After SASL_STATE_DONE. */
struct slice sasl_session_id(const struct sasl_session *s);
/* After SASL_STATE_FAILED: for the log of the operator, not for the client, who could learn from it which users exist.
 */
const char *sasl_session_reason(const struct sasl_session *s);

#endif
