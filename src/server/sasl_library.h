/* sasl_library: Cyrus libsasl2 in this process, loaded while somebody uses it. Only sasl.c and sasl_login.c know it.
 * Its own configuration files and user databases are never read: what it asks, it is told here.
 *
 * It keeps one list of plug-ins, callbacks and one key tab for the process, so all users are on one thread. */
#ifndef ZOKOR_SERVER_SASL_LIBRARY_H
#define ZOKOR_SERVER_SASL_LIBRARY_H

#include "server/sasl.h"
#include <sasl/sasl.h>
#include <sasl/saslplug.h>

#define SASL_DIGEST_MD5 "DIGEST-MD5"
#define SASL_GSSAPI "GSSAPI"

/* The functions of the library that are used; X(member, name). */
#define CYRUS_FUNCTIONS(X)                         \
    X(server_init, sasl_server_init)               \
    X(server_done, sasl_server_done)               \
    X(auxprop_add_plugin, sasl_auxprop_add_plugin) \
    X(server_new, sasl_server_new)                 \
    X(server_start, sasl_server_start)             \
    X(server_step, sasl_server_step)               \
    X(client_init, sasl_client_init)               \
    X(client_done, sasl_client_done)               \
    X(client_new, sasl_client_new)                 \
    X(client_start, sasl_client_start)             \
    X(client_step, sasl_client_step)               \
    X(listmech, sasl_listmech)                     \
    X(setprop, sasl_setprop)                       \
    X(getprop, sasl_getprop)                       \
    X(errdetail, sasl_errdetail)                   \
    X(dispose, sasl_dispose)

struct cyrus {
#define X(member, name) __typeof__(name) *member;
    CYRUS_FUNCTIONS(X)
#undef X
};

/* The library declares callbacks without their arguments. */
#define CYRUS_CALLBACK(id, fn, ctx)                      \
    {                                                    \
        (id), (int (*)(void))(void (*)(void))(fn), (ctx) \
    }

/* Where a server's side gets its passwords: ctx of the callback cyrus_canonical of the connection. */
struct cyrus_users {
    /* The password of a user, which lives as long as the connection; NULL: there is no such user. */
    const char *(*password)(const struct cyrus_users *users, struct slice user);
};

/* Before the first user, who wants something else: GSSAPI with this key tab will be asked for. Nothing otherwise. */
void cyrus_expect_gssapi(const char *keytab);
/* Loads and starts the library, or counts one user more. GSSAPI can only be had by the first user and by those with the
 * same key tab (NULL: the system's) while that one is there: its plug-in is loaded then or never. 0; ERR_UNSUPPORTED
 * with err. */
int cyrus_begin(const char *mechanism, const char *keytab, const struct cyrus **out,
                struct sasl_error *err) WARN_UNUSED;
/* The same for the client's side of DIGEST-MD5. */
int cyrus_begin_client(const struct cyrus **out, struct sasl_error *err) WARN_UNUSED;
/* Once for each cyrus_begin and cyrus_begin_client that succeeded, without any connection left. */
void cyrus_end(void);

/* SASL_CB_CANON_USER: names are what they are; the library would read a realm into them. */
int cyrus_canonical(sasl_conn_t *conn, void *users, const char *in, unsigned n, unsigned flags, const char *realm,
                    char *out, unsigned out_max, unsigned *out_n);

/* Fills err; returns code. */
PRINTF_LIKE(3, 4)
int sasl_error_set(struct sasl_error *err, int code, const char *fmt, ...);

#endif
