#include "server/sasl_login.h"
#include "base/err.h"
#include "base/mem.h"
#include "server/kerberos_login.h"
#include "server/sasl_library.h"
#include "server/sasl_token.h"
#include <stdio.h>

struct sasl_login {
    struct kerberos_login *kerberos; /* NULL: DIGEST-MD5, which the rest is for */
    const struct cyrus *cyrus;       /* NULL: not begun */
    char *service, *realm, *user;
    sasl_secret_t *secret; /* the password */
    size_t attempt_count;
};

struct sasl_attempt {
    struct kerberos_attempt *kerberos; /* NULL: DIGEST-MD5 */
    struct sasl_login *login;
    sasl_conn_t *conn;
    sasl_callback_t callbacks[5];
    enum sasl_state state;
    bool has_begun, has_answered;
    char reason[200];
};

static char *copy(const char *s)
{
    size_t n = strlen(s) + 1;
    return memcpy(mem_alloc(n), s, n);
}

/* ---- what the library asks ---- */

static int give_user(void *ctx, int id, const char **result, unsigned *n)
{
    const struct sasl_login *l = ctx;
    (void)id;
    *result = l->user;
    if (n != NULL)
        *n = (unsigned)strlen(l->user);
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

static int give_password(sasl_conn_t *conn, void *ctx, int id, sasl_secret_t **out)
{
    const struct sasl_login *l = ctx;
    (void)conn, (void)id;
    *out = l->secret;
    return SASL_OK;
}

/* The realm that was agreed: a password is for one of them. The library does not ask if the server offers a single one,
 * so that is looked at with the challenge. */
static int give_realm(void *ctx, int id, const char **offered, const char **result)
{
    const struct sasl_login *l = ctx;
    (void)id, (void)offered;
    *result = l->realm;
    return SASL_OK;
}

/* ---- logins ---- */

static bool ends_with(const char *s, const char *end)
{
    size_t n = strlen(s), end_n = strlen(end);
    return n >= end_n && strcmp(s + n - end_n, end) == 0;
}

static int read_kerberos(struct sasl_login *l, const struct jaas_module *m, const struct sasl_options *o,
                         struct sasl_error *err)
{
    const struct kerberos_login_options k = { .principal = jaas_option(m, "principal"),
                                              .keytab = jaas_option(m, "keyTab"),
                                              .service = o->principal != NULL ? o->principal : "" };
    if (k.principal == NULL || strchr(k.principal, '@') == NULL)
        return sasl_error_set(
            err, ERR_INVALID,
            "%s: line %d: section %s needs principal=\"SERVICE/HOST@REALM\", the name that this server "
            "logs in by and the key tab has a key of",
            o->jaas_path, m->line, o->section);
    return kerberos_login_new(&k, &l->kerberos, err);
}

static int read_section(struct sasl_login *l, const struct jaas *jaas, const struct sasl_options *o,
                        struct sasl_error *err)
{
    const struct jaas_section *section = jaas_section(jaas, o->section);
    if (section == NULL)
        return sasl_error_set(err, ERR_NOT_FOUND, "%s has no section %s: add it, or name another with %s", o->jaas_path,
                              o->section, o->section_key);
    const struct jaas_module *m = section->modules;
    if (m != NULL && ends_with(m->class_name, ".Krb5LoginModule"))
        return read_kerberos(l, m, o, err);
    if (m == NULL || !ends_with(m->class_name, ".DigestLoginModule"))
        return sasl_error_set(err, ERR_UNSUPPORTED,
                              "%s: line %d: section %s has another login module than "
                              "org.apache.zookeeper.server.auth.DigestLoginModule or "
                              "com.sun.security.auth.module.Krb5LoginModule, those that this server can log in by",
                              o->jaas_path, section->line, o->section);
    const char *user = jaas_option(m, "username"), *password = jaas_option(m, "password");
    if (user == NULL || user[0] == '\0' || password == NULL)
        return sasl_error_set(err, ERR_INVALID, "%s: line %d: section %s needs username=\"...\" password=\"...\"",
                              o->jaas_path, m->line, o->section);
    size_t n = strlen(password);
    l->user = copy(user);
    l->secret = mem_zalloc(sizeof *l->secret + n + 1);
    l->secret->len = n;
    memcpy(l->secret->data, password, n);
    return 0;
}

static int read_jaas(struct sasl_login *l, const struct sasl_options *o, struct sasl_error *err)
{
    struct jaas jaas;
    struct jaas_error wrong;
    if (jaas_parse(&jaas, o->jaas, &wrong) != 0)
        return sasl_error_set(err, ERR_INVALID, "%s: line %d: %s", o->jaas_path, wrong.line, wrong.text);
    int rc = read_section(l, &jaas, o, err);
    jaas_fini(&jaas);
    return rc;
}

/* The library starts without a plug-in that does not load; the first attempt would be the first to know. */
static int check_mechanism(struct sasl_login *l, struct sasl_error *err)
{
    struct slice reply;
    struct sasl_attempt *a = sasl_attempt_new(l, "");
    bool good = sasl_attempt_step(a, (struct slice){ 0 }, &reply) == SASL_STATE_MORE;
    if (!good)
        sasl_error_set(err, ERR_UNSUPPORTED,
                       "libsasl2 does not offer " SASL_DIGEST_MD5 " (%s): install its plug-in (Debian: "
                       "libsasl2-modules)",
                       sasl_attempt_reason(a));
    sasl_attempt_free(a);
    return good ? 0 : ERR_UNSUPPORTED;
}

int sasl_login_new(const struct sasl_options *options, struct sasl_login **out, struct sasl_error *err)
{
    *err = (struct sasl_error){ 0 };
    struct sasl_login *l = mem_zalloc(sizeof *l);
    l->service = copy(options->service);
    l->realm = copy(options->realm);
    int rc = read_jaas(l, options, err);
    if (rc == 0 && l->kerberos == NULL)
        rc = cyrus_begin_client(&l->cyrus, err);
    if (rc == 0 && l->kerberos == NULL)
        rc = check_mechanism(l, err);
    if (rc == 0)
        *out = l;
    else
        sasl_login_free(l);
    return rc;
}

void sasl_login_free(struct sasl_login *l)
{
    if (l == NULL)
        return;
    ASSERT(l->attempt_count == 0);
    kerberos_login_free(l->kerberos);
    if (l->cyrus != NULL)
        cyrus_end();
    if (l->secret != NULL)
        explicit_bzero(l->secret->data, l->secret->len);
    mem_free(l->secret);
    mem_free(l->user);
    mem_free(l->service);
    mem_free(l->realm);
    mem_free(l);
}

void sasl_login_listen(struct sasl_login *l, void (*changed)(void *ctx), void *ctx)
{
    if (l->kerberos != NULL)
        kerberos_login_listen(l->kerberos, changed, ctx);
}

/* ---- attempts ---- */

static enum sasl_state refuse(struct sasl_attempt *a, const char *why)
{
    snprintf(a->reason, sizeof a->reason, "%s", why);
    return a->state = SASL_STATE_FAILED;
}

struct sasl_attempt *sasl_attempt_new(struct sasl_login *login, const char *host)
{
    struct sasl_attempt *a = mem_zalloc(sizeof *a);
    a->login = login;
    login->attempt_count++;
    if (login->kerberos != NULL) {
        a->kerberos = kerberos_attempt_new(login->kerberos, host);
        return a;
    }
    const sasl_callback_t callbacks[] = {
        CYRUS_CALLBACK(SASL_CB_AUTHNAME, give_user, login),
        CYRUS_CALLBACK(SASL_CB_USER, give_no_name, login),
        CYRUS_CALLBACK(SASL_CB_PASS, give_password, login),
        CYRUS_CALLBACK(SASL_CB_GETREALM, give_realm, login),
        { SASL_CB_LIST_END, NULL, NULL },
    };
    memcpy(a->callbacks, callbacks, sizeof callbacks);
    const sasl_security_properties_t plain = { .min_ssf = 0, .max_ssf = 0, .security_flags = SASL_SEC_NOANONYMOUS };
    const struct cyrus *cyrus = login->cyrus;
    int rc = cyrus->client_new(login->service, login->realm, NULL, NULL, a->callbacks, SASL_SUCCESS_DATA, &a->conn);
    if (rc == SASL_OK)
        rc = cyrus->setprop(a->conn, SASL_SEC_PROPS, &plain);
    if (rc != SASL_OK) {
        a->state = SASL_STATE_FAILED;
        snprintf(a->reason, sizeof a->reason, "libsasl2 makes no exchange: error %d", rc);
    }
    return a;
}

void sasl_attempt_free(struct sasl_attempt *a)
{
    if (a == NULL)
        return;
    kerberos_attempt_free(a->kerberos);
    if (a->conn != NULL)
        a->login->cyrus->dispose(&a->conn);
    a->login->attempt_count--;
    mem_free(a);
}

static enum sasl_state begin(struct sasl_attempt *a)
{
    const char *out = NULL, *mechanism = NULL;
    unsigned n = 0;
    a->has_begun = true;
    /* What it would send is an answer to the challenge of its last login, which the server has forgotten. */
    int rc = a->login->cyrus->client_start(a->conn, SASL_DIGEST_MD5, NULL, &out, &n, &mechanism);
    return rc == SASL_CONTINUE ? SASL_STATE_MORE : refuse(a, a->login->cyrus->errdetail(a->conn));
}

bool sasl_attempt_ready(struct sasl_attempt *a)
{
    return a->kerberos == NULL || kerberos_attempt_ready(a->kerberos);
}

enum sasl_state sasl_attempt_step(struct sasl_attempt *a, struct slice token, struct slice *reply)
{
    if (a->kerberos != NULL)
        return kerberos_attempt_step(a->kerberos, token, reply);
    const struct cyrus *cyrus = a->login->cyrus;
    *reply = (struct slice){ 0 };
    if (a->state == SASL_STATE_FAILED)
        return SASL_STATE_FAILED;
    if (a->state == SASL_STATE_DONE)
        return refuse(a, "a token after the end of the exchange");
    if (!a->has_begun)
        return begin(a);
    const char *wrong = sasl_token_wrong(token), *out = NULL;
    unsigned n = 0;
    if (wrong == NULL && !a->has_answered && !slice_eq_str(sasl_token_value(token, "realm"), a->login->realm))
        wrong = "the server is of another realm";
    if (wrong != NULL)
        return refuse(a, wrong);
    a->has_answered = true;
    int rc = cyrus->client_step(a->conn, (const char *)token.p, (unsigned)token.n, NULL, &out, &n);
    if (rc != SASL_OK && rc != SASL_CONTINUE)
        return refuse(a, cyrus->errdetail(a->conn));
    if (n != 0)
        *reply = slice_of(out, n);
    return a->state = rc == SASL_OK ? SASL_STATE_DONE : SASL_STATE_MORE;
}

const char *sasl_attempt_reason(const struct sasl_attempt *a)
{
    return a->kerberos != NULL ? kerberos_attempt_reason(a->kerberos) : a->reason;
}
