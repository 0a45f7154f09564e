#include "client/login.h"
#include "base/err.h"
#include "base/mem.h"
#include "client/login_internal.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define PASSWORD_BYTES_MAX 1024u /* as Apache's C client takes */

struct login {
    const struct cyrus_client *cyrus;
    struct login_options o; /* texts in `strings` */
    struct arena strings;
    struct login_tickets *tickets; /* NULL: the system's */
};

struct login_exchange {
    struct login *login;
    sasl_conn_t *conn;
    sasl_callback_t callbacks[5];
    sasl_secret_t *secret;
    void *credential; /* of login->tickets */
    bool has_begun, is_gssapi;
    char reason[1000]; /* with the path of a key tab or a cache in it */
};

/* ---- what the library asks ---- */

static int give_user(void *ctx, int id, const char **result, unsigned *n)
{
    const struct login_exchange *x = ctx;
    (void)id;
    *result = x->login->o.user;
    if (*result == NULL)
        return SASL_FAIL;
    if (n != NULL)
        *n = (unsigned)strlen(*result);
    return SASL_OK;
}

/* Nobody else is acted for, which is what an empty name says. */
static int give_no_name(void *ctx, int id, const char **result, unsigned *n)
{
    (void)ctx, (void)id;
    *result = "";
    if (n != NULL)
        *n = 0;
    return SASL_OK;
}

static void drop_secret(struct login_exchange *x)
{
    if (x->secret != NULL)
        explicit_bzero(x->secret->data, x->secret->len);
    mem_free(x->secret);
    x->secret = NULL;
}

/* A file is read in every login: it may have changed. */
static int give_password(sasl_conn_t *conn, void *ctx, int id, sasl_secret_t **out)
{
    struct login_exchange *x = ctx;
    const struct login_options *o = &x->login->o;
    char line[PASSWORD_BYTES_MAX + 1] = "";
    (void)conn, (void)id;
    int error = o->password_file == NULL ? 0 : login_first_line(o->password_file, line, sizeof line);
    if (error != 0 || (o->password_file == NULL && o->password == NULL)) {
        (void)snprintf(x->reason, sizeof x->reason, "the file with the password, %.200s: %s",
                       o->password_file == NULL ? "" : o->password_file, strerror(error));
        return SASL_FAIL;
    }
    const char *password = o->password_file == NULL ? o->password : line;
    size_t n = strlen(password);
    drop_secret(x);
    x->secret = mem_zalloc(sizeof *x->secret + n + 1);
    x->secret->len = n;
    memcpy(x->secret->data, password, n);
    explicit_bzero(line, sizeof line);
    *out = x->secret;
    return SASL_OK;
}

/* Asked only where a server offers several. */
static int give_realm(void *ctx, int id, const char **offered, const char **result)
{
    const struct login_exchange *x = ctx;
    (void)id;
    *result = x->login->o.realm != NULL ? x->login->o.realm : offered == NULL ? NULL : offered[0];
    return *result == NULL ? SASL_FAIL : SASL_OK;
}

/* ---- logins ---- */

static void keep(struct arena *strings, const char **text)
{
    if (*text != NULL)
        *text = (const char *)arena_dup(strings, slice_str(*text)).p;
}

static void keep_options(struct login *l, const struct login_options *options)
{
    l->o = *options;
    const char **texts[] = { &l->o.mechanisms, &l->o.service,      &l->o.host,   &l->o.user,
                             &l->o.realm,      &l->o.password,     &l->o.keytab, &l->o.password_file,
                             &l->o.principal,  &l->o.ticket_cache, &l->o.jaas,   &l->o.section };
    for (size_t i = 0; i < ARRAY_COUNT(texts); i++)
        keep(&l->strings, texts[i]);
}

static bool only_digest(const struct login_options *o)
{
    return o->mechanisms != NULL && strcasecmp(o->mechanisms, LOGIN_DIGEST_MD5) == 0;
}

static int complete(struct login *l, struct login_error *err)
{
    struct login_options *o = &l->o;
    int rc = o->jaas == NULL ? 0 : login_jaas_read(o, &l->strings, err);
    if (rc != 0)
        return rc;
    if (o->mechanisms == NULL)
        o->mechanisms = o->user != NULL ? LOGIN_DIGEST_MD5 : LOGIN_GSSAPI;
    if (o->service == NULL)
        o->service = LOGIN_SERVICE;
    if (o->host == NULL && only_digest(o))
        o->host = LOGIN_DIGEST_HOST;
    if (o->callbacks != NULL)
        return 0;
    if (only_digest(o) && o->user == NULL)
        return login_fail(err, ERR_INVALID, LOGIN_DIGEST_MD5 " needs the name of a user");
    if (o->user != NULL && o->password == NULL && o->password_file == NULL)
        return login_fail(err, ERR_INVALID, "the user %s needs a password, or a file that it stands in", o->user);
    if (o->principal != NULL || o->keytab != NULL || o->ticket_cache != NULL)
        rc = login_tickets_new(o, &l->tickets, err);
    return rc;
}

struct login *login_new(const struct login_options *options, struct login_error *err)
{
    *err = (struct login_error){ "" };
    struct login *l = mem_zalloc(sizeof *l);
    arena_init(&l->strings, 1024);
    keep_options(l, options);
    int rc = complete(l, err);
    if (rc == 0)
        l->cyrus = login_library(err);
    if (rc == 0 && l->cyrus != NULL)
        return l;
    login_free(l);
    errno = rc == ERR_NOT_FOUND ? ENOENT : rc == 0 || rc == ERR_UNSUPPORTED ? ENOSYS : EINVAL;
    return NULL;
}

void login_free(struct login *l)
{
    if (l == NULL)
        return;
    login_tickets_free(l->tickets);
    if (l->o.password != NULL)
        explicit_bzero((void *)(uintptr_t)l->o.password, strlen(l->o.password));
    arena_fini(&l->strings);
    mem_free(l);
}

/* ---- exchanges ---- */

static enum login_state refuse(struct login_exchange *x, int rc)
{
    const struct cyrus_client *cyrus = x->login->cyrus;
    if (x->reason[0] != '\0') /* a callback knows more */
        return LOGIN_FAILED;
    if (rc == SASL_NOMECH)
        (void)snprintf(x->reason, sizeof x->reason,
                       "libsasl2 cannot do %.60s: install its plug-in (Debian: libsasl2-modules, for GSSAPI "
                       "libsasl2-modules-gssapi-mit), or the callbacks lack something",
                       x->login->o.mechanisms);
    else
        (void)snprintf(x->reason, sizeof x->reason, "%s",
                       x->conn != NULL ? cyrus->errdetail(x->conn) : cyrus->errstring(rc, NULL, NULL));
    return LOGIN_FAILED;
}

static int make_conn(struct login_exchange *x, const struct login_peer *peer)
{
    const struct login_options *o = &x->login->o;
    const struct cyrus_client *cyrus = x->login->cyrus;
    const sasl_callback_t callbacks[] = {
        CYRUS_CLIENT_CALLBACK(SASL_CB_USER, give_no_name, x),
        CYRUS_CLIENT_CALLBACK(SASL_CB_AUTHNAME, give_user, x),
        CYRUS_CLIENT_CALLBACK(SASL_CB_PASS, give_password, x),
        CYRUS_CLIENT_CALLBACK(SASL_CB_GETREALM, give_realm, x),
        { SASL_CB_LIST_END, NULL, NULL },
    };
    /* The protocol is not wrapped after the login. */
    const sasl_security_properties_t plain = { .security_flags = SASL_SEC_NOANONYMOUS };
    const char *host = o->host != NULL ? o->host : peer->name != NULL ? peer->name : "localhost";
    memcpy(x->callbacks, callbacks, sizeof callbacks);
    int rc =
        cyrus->client_new(o->service, host, peer->local, peer->remote,
                          o->callbacks != NULL ? (const sasl_callback_t *)o->callbacks : x->callbacks, 0, &x->conn);
    return rc != SASL_OK ? rc : cyrus->setprop(x->conn, SASL_SEC_PROPS, &plain);
}

struct login_exchange *login_exchange_new(struct login *l, const struct login_peer *peer)
{
    struct login_exchange *x = mem_zalloc(sizeof *x);
    x->login = l;
    login_library_lock();
    int rc = make_conn(x, peer);
    if (rc != SASL_OK)
        (void)refuse(x, rc);
    login_library_unlock();
    return x;
}

void login_exchange_free(struct login_exchange *x)
{
    if (x == NULL)
        return;
    login_library_lock();
    if (x->conn != NULL)
        x->login->cyrus->dispose(&x->conn);
    login_library_unlock();
    if (x->login->tickets != NULL)
        login_tickets_release(x->login->tickets, x->credential);
    drop_secret(x);
    mem_free(x);
}

static enum login_state begin(struct login_exchange *x, struct slice *reply)
{
    const struct login *l = x->login;
    const char *out = NULL, *mechanism = "";
    unsigned n = 0;
    x->has_begun = true;
    int rc = x->credential == NULL ? SASL_OK : l->cyrus->setprop(x->conn, SASL_GSS_CREDS, x->credential);
    if (rc != SASL_OK)
        return refuse(x, rc);
    rc = l->cyrus->start(x->conn, l->o.mechanisms, NULL, &out, &n, &mechanism);
    if (rc != SASL_OK && rc != SASL_CONTINUE)
        return refuse(x, rc);
    x->is_gssapi = strcmp(mechanism, LOGIN_GSSAPI) == 0;
    /* A program that started libsasl2 itself may allow it to go on from the last login: see login_library.c. */
    *reply = strcmp(mechanism, LOGIN_DIGEST_MD5) == 0 || out == NULL ? slice_of("", 0) : slice_of(out, n);
    return rc == SASL_CONTINUE ? LOGIN_MORE : LOGIN_LAST;
}

/* By GSSAPI the client has the last word, and the server answers it with a packet that has no token. By DIGEST-MD5 the
 * server's last token proves that it knows the password, too. */
static enum login_state go_on(struct login_exchange *x, struct slice token, struct slice *reply)
{
    const char *out = NULL;
    unsigned n = 0;
    int rc =
        x->login->cyrus->step(x->conn, token.n == 0 ? "" : (const char *)token.p, (unsigned)token.n, NULL, &out, &n);
    if (rc != SASL_OK && rc != SASL_CONTINUE)
        return refuse(x, rc);
    *reply = slice_of(out == NULL ? "" : out, out == NULL ? 0 : n);
    if (rc == SASL_CONTINUE)
        return LOGIN_MORE;
    return x->is_gssapi || reply->n > 0 ? LOGIN_LAST : LOGIN_DONE;
}

enum login_state login_step(struct login_exchange *x, const struct slice *token, struct slice *reply)
{
    enum login_state state;
    *reply = (struct slice){ 0 };
    if (x->reason[0] != '\0')
        return LOGIN_FAILED;
    if (token != NULL && slice_is_null(*token)) { /* as a server answers that has no login configured */
        (void)snprintf(x->reason, sizeof x->reason,
                       "the server takes no logins by SASL, or lets in those that failed (allowSaslFailedClients)");
        return LOGIN_FAILED;
    }
    if (!x->has_begun && x->login->tickets != NULL) { /* this needs no lock, and a KDC may take its time */
        x->credential = login_tickets_acquire(x->login->tickets, x->reason, sizeof x->reason);
        if (x->credential == NULL)
            return LOGIN_FAILED;
    }
    login_library_lock();
    state = x->has_begun && token != NULL ? go_on(x, *token, reply) : begin(x, reply);
    login_library_unlock();
    return state;
}

const char *login_reason(const struct login_exchange *x)
{
    return x->reason;
}
