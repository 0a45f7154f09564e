/* What the files of login share. */
#ifndef ZOKOR_CLIENT_LOGIN_INTERNAL_H
#define ZOKOR_CLIENT_LOGIN_INTERNAL_H

#include "base/arena.h"
#include "base/assert.h"
#include "client/login.h"
#include <sasl/sasl.h>

#define LOGIN_DIGEST_MD5 "DIGEST-MD5"
#define LOGIN_GSSAPI "GSSAPI"

/* The functions of libsasl2 that are used; X(member, name). */
#define CYRUS_CLIENT_FUNCTIONS(X)    \
    X(client_init, sasl_client_init) \
    X(client_new, sasl_client_new)   \
    X(start, sasl_client_start)      \
    X(step, sasl_client_step)        \
    X(setprop, sasl_setprop)         \
    X(errdetail, sasl_errdetail)     \
    X(errstring, sasl_errstring)     \
    X(dispose, sasl_dispose)

struct cyrus_client {
#define X(member, name) __typeof__(name) *member;
    CYRUS_CLIENT_FUNCTIONS(X)
#undef X
};

/* libsasl2 declares callbacks without their arguments. */
#define CYRUS_CLIENT_CALLBACK(id, fn, ctx)               \
    {                                                    \
        (id), (int (*)(void))(void (*)(void))(fn), (ctx) \
    }

/* libsasl2, started; NULL: err says why. */
const struct cyrus_client *login_library(struct login_error *err);
/* Around every call of it. */
void login_library_lock(void);
void login_library_unlock(void);

/* Whose tickets libsasl2's GSSAPI uses, where the options name a key tab or a cache. 0; ERR_UNSUPPORTED with err: there
 * is no library. */
struct login_tickets;
int login_tickets_new(const struct login_options *options, struct login_tickets **out,
                      struct login_error *err) WARN_UNUSED;
/* NULL is fine. */
void login_tickets_free(struct login_tickets *t);
/* A credential, a gss_cred_id_t; this may ask a KDC. NULL: why is filled. */
void *login_tickets_acquire(struct login_tickets *t, char *why, size_t why_size);
void login_tickets_release(struct login_tickets *t, void *credential);

/* Reads options->jaas and puts what it says into options, as texts in `strings`. 0; ERR_NOT_FOUND: there is no such
 * section; ERR_INVALID; err is filled. */
int login_jaas_read(struct login_options *options, struct arena *strings, struct login_error *err) WARN_UNUSED;
/* The first line of a file into out. 0, or an errno. */
int login_first_line(const char *path, char *out, size_t size);

/* Fills err; returns code. */
PRINTF_LIKE(3, 4)
int login_fail(struct login_error *err, int code, const char *fmt, ...);

#endif
