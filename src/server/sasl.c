#include "base/err.h"
#include "base/list.h"
#include "base/mem.h"
#include "server/kerberos.h"
#include "server/sasl_library.h"
#include "server/sasl_token.h"
#include <stdio.h>

#define USER_PREFIX "user_"
/* Longer than any ticket that Kerberos makes of its largest authorization data. */
#define TOKEN_BYTES_MAX (128u * 1024)
#define REALM_BYTES_MAX 1024u
/* DIGEST-MD5 takes 2 tokens of a client, GSSAPI 3 or 4. */
#define ROUNDS_MAX 10

struct sasl_service {
    const struct cyrus *cyrus; /* NULL: not begun */
    struct jaas jaas;          /* the passwords live in it */
    const struct jaas_section *section;
    const char *mechanism;
    char *super_password; /* NULL: none */
    char *keytab;         /* GSSAPI; NULL: the system's */
    char *host, *realm;   /* of the principal; for DIGEST-MD5 host is its realm */
    char *name;           /* of the service */
    char *default_realm;  /* GSSAPI: of the system, which may be another than the principal's */
    struct kerberos_rules *rules;
    bool drop_host, drop_realm;
    size_t user_count, session_count;
};

struct sasl_session {
    struct cyrus_users users;
    struct sasl_service *service;
    sasl_conn_t *conn;
    sasl_callback_t callbacks[3];
    enum sasl_state state;
    int round_count;
    char *id;
    char reason[200];
};

static char *copy(const char *p, size_t n)
{
    char *to = mem_alloc(n + 1);
    memcpy(to, p, n);
    to[n] = 0;
    return to;
}

/* ---- what the library asks a session ---- */

/* Whom the client wants to act for is not used: its id is the one that it proved. */
static int authorize(sasl_conn_t *conn, void *ctx, const char *wanted, unsigned wanted_n, const char *id, unsigned id_n,
                     const char *realm, unsigned realm_n, struct propctx *props)
{
    (void)conn, (void)ctx, (void)wanted, (void)wanted_n, (void)id, (void)id_n, (void)realm, (void)realm_n, (void)props;
    return SASL_OK;
}

static const char *password_of(const struct cyrus_users *users, struct slice user)
{
    const struct sasl_service *s = CONTAINER_OF(users, struct sasl_session, users)->service;
    const char *found = NULL;
    for (const struct jaas_module *m = s->section->modules; m != NULL; m = m->next)
        for (const struct jaas_option *o = m->options; o != NULL; o = o->next)
            if (strncmp(o->name, USER_PREFIX, strlen(USER_PREFIX)) == 0 &&
                slice_eq_str(user, o->name + strlen(USER_PREFIX)))
                found = o->value;
    if (found != NULL && s->super_password != NULL && slice_eq_str(user, "super"))
        return s->super_password;
    return found;
}

/* ---- the service ---- */

static bool ends_with(const char *s, const char *end)
{
    size_t n = strlen(s), end_n = strlen(end);
    return n >= end_n && strcmp(s + n - end_n, end) == 0;
}

static int read_principal(struct sasl_service *s, const struct jaas_module *m, const struct sasl_options *o,
                          struct sasl_error *err)
{
    const char *principal = jaas_option(m, "principal");
    const char *slash = principal == NULL ? NULL : strchr(principal, '/');
    const char *at = slash == NULL ? NULL : strchr(slash, '@');
    if (at == NULL || slash == principal || at == slash + 1 || at[1] == '\0')
        return sasl_error_set(err, ERR_INVALID,
                              "%s: line %d: section %s needs principal=\"zookeeper/HOST@REALM\", the name that "
                              "clients ask for and the key tab has a key of",
                              o->jaas_path, m->line, o->section);
    s->name = copy(principal, (size_t)(slash - principal));
    s->host = copy(slash + 1, (size_t)(at - slash - 1));
    s->realm = copy(at + 1, strlen(at + 1));
    const char *keytab = jaas_option(m, "keyTab");
    if (keytab != NULL)
        s->keytab = copy(keytab, strlen(keytab));
    return 0;
}

/* As SecurityUtils: a login that gives principals makes GSSAPI, any other DIGEST-MD5. */
static int read_section(struct sasl_service *s, const struct sasl_options *o, struct sasl_error *err)
{
    const struct jaas_module *kerberos = NULL;
    for (const struct jaas_module *m = s->section->modules; m != NULL; m = m->next) {
        if (ends_with(m->class_name, ".Krb5LoginModule"))
            kerberos = m;
        else if (!ends_with(m->class_name, ".DigestLoginModule"))
            return sasl_error_set(err, ERR_INVALID,
                                  "%s: line %d: %.200s is not a login module that this server knows: use "
                                  "org.apache.zookeeper.server.auth.DigestLoginModule or "
                                  "com.sun.security.auth.module.Krb5LoginModule",
                                  o->jaas_path, m->line, m->class_name);
        for (const struct jaas_option *u = m->options; u != NULL; u = u->next)
            s->user_count += strncmp(u->name, USER_PREFIX, strlen(USER_PREFIX)) == 0;
    }
    if (s->section->modules == NULL)
        return sasl_error_set(err, ERR_INVALID, "%s: line %d: section %s is empty: it needs a login module",
                              o->jaas_path, s->section->line, o->section);
    s->mechanism = kerberos != NULL ? SASL_GSSAPI : SASL_DIGEST_MD5;
    if (kerberos != NULL)
        return read_principal(s, kerberos, o, err);
    s->name = copy(o->service, strlen(o->service));
    s->host = copy(o->realm, strlen(o->realm));
    return 0;
}

static int read_jaas(struct sasl_service *s, const struct sasl_options *o, struct sasl_error *err)
{
    struct jaas_error wrong;
    if (jaas_parse(&s->jaas, o->jaas, &wrong) != 0)
        return sasl_error_set(err, ERR_INVALID, "%s: line %d: %s", o->jaas_path, wrong.line, wrong.text);
    s->section = jaas_section(&s->jaas, o->section);
    if (s->section == NULL)
        return sasl_error_set(err, ERR_NOT_FOUND, "%s has no section %s: add it, or name another with %s", o->jaas_path,
                              o->section, o->section_key);
    return read_section(s, o, err);
}

static bool is_digest(const struct sasl_service *s)
{
    return s->realm == NULL;
}

/* The library starts without a plug-in that does not load, so it is asked what it can do. */
static bool has_mechanism(const struct sasl_service *s, struct sasl_session *session)
{
    const char *list = NULL;
    char name[32];
    snprintf(name, sizeof name, " %s ", s->mechanism);
    return session->conn != NULL &&
           s->cyrus->listmech(session->conn, NULL, " ", " ", " ", &list, NULL, NULL) == SASL_OK && list != NULL &&
           strstr(list, name) != NULL;
}

/* GSSAPI looks for its key with the first token of a client, before it reads it. A token that is none tells at start
 * what would otherwise be told to every client: then it is the token that is wrong, and not the key. */
static bool has_key(const struct sasl_service *s, struct sasl_session *session)
{
    const char *out = NULL;
    unsigned n = 0;
    return s->cyrus->server_start(session->conn, s->mechanism, "x", 1, &out, &n) == SASL_BADAUTH;
}

static int check_mechanism(struct sasl_service *s, struct sasl_error *err)
{
    struct sasl_session *session = sasl_session_new(s);
    bool there = has_mechanism(s, session);
    if (there && !is_digest(s) && !has_key(s, session)) {
        sasl_error_set(err, ERR_UNSUPPORTED,
                       "libsasl2 cannot use the key of %s/%s@%s (%.200s): see that the key tab %s can be "
                       "read and has it",
                       s->name, s->host, s->realm, s->cyrus->errdetail(session->conn),
                       s->keytab == NULL ? "of the system" : s->keytab);
    } else if (!there && !is_digest(s)) {
        sasl_error_set(
            err, ERR_UNSUPPORTED,
            "libsasl2 does not offer GSSAPI for %s/%s@%s: install its plug-in (Debian: libsasl2-modules-gssapi-mit) "
            "and see that the key tab %s can be read",
            s->name, s->host, s->realm, s->keytab == NULL ? "of the system" : s->keytab);
    } else if (!there) {
        sasl_error_set(err, ERR_UNSUPPORTED,
                       "libsasl2 does not offer DIGEST-MD5: install its plug-in (Debian: libsasl2-modules)");
    }
    sasl_session_free(session);
    return err->text[0] == '\0' ? 0 : ERR_UNSUPPORTED;
}

/* The library cuts the default realm off the names of its principals. With another one put in its place, a stranger of
 * the default realm would have the name of a user of the server's. */
static int read_default_realm(struct sasl_service *s, struct sasl_error *err)
{
    char realm[REALM_BYTES_MAX], reason[300] = "";
    int rc = kerberos_default_realm(realm, sizeof realm, reason, sizeof reason);
    if (rc != 0)
        return sasl_error_set(
            err, rc,
            "the default realm, which ids of clients are made with, is not known (%s): set default_realm in "
            "section [libdefaults] of krb5.conf",
            reason);
    s->default_realm = copy(realm, strlen(realm));
    return 0;
}

/* Another section may be for Kerberos, whose plug-in must be loaded with the library. */
static void expect_others(const struct sasl_service *s)
{
    for (const struct jaas_section *x = s->jaas.sections; x != NULL; x = x->next)
        for (const struct jaas_module *m = x->modules; m != NULL; m = m->next)
            if (is_digest(s) && x != s->section && ends_with(m->class_name, ".Krb5LoginModule"))
                cyrus_expect_gssapi(jaas_option(m, "keyTab"));
}

static int begin(struct sasl_service *s, struct sasl_error *err)
{
    expect_others(s);
    int rc = cyrus_begin(s->mechanism, s->keytab, &s->cyrus, err);
    if (rc == 0)
        rc = check_mechanism(s, err);
    return rc == 0 && !is_digest(s) ? read_default_realm(s, err) : rc;
}

static int read_rules(struct sasl_service *s, const struct sasl_options *o, struct sasl_error *err)
{
    struct kerberos_rules_error wrong = { "" };
    int rc = kerberos_rules_new(slice_str(o->rules != NULL ? o->rules : "DEFAULT"), &s->rules, &wrong);
    return rc == 0 ? 0 : sasl_error_set(err, ERR_INVALID, "security.auth_to_local: %s", wrong.text);
}

int sasl_service_new(const struct sasl_options *options, struct sasl_service **out, struct sasl_error *err)
{
    *err = (struct sasl_error){ 0 };
    struct sasl_service *s = mem_zalloc(sizeof *s);
    s->drop_host = options->drop_host;
    s->drop_realm = options->drop_realm;
    if (options->super_password[0] != '\0')
        s->super_password = copy(options->super_password, strlen(options->super_password));
    int rc = read_rules(s, options, err);
    if (rc == 0)
        rc = read_jaas(s, options, err);
    if (rc == 0)
        rc = begin(s, err);
    if (rc == 0)
        *out = s;
    else
        sasl_service_free(s);
    return rc;
}

void sasl_service_free(struct sasl_service *s)
{
    if (s == NULL)
        return;
    ASSERT(s->session_count == 0);
    if (s->cyrus != NULL)
        cyrus_end();
    jaas_fini(&s->jaas);
    if (s->super_password != NULL)
        explicit_bzero(s->super_password, strlen(s->super_password));
    mem_free(s->super_password);
    mem_free(s->keytab);
    mem_free(s->name);
    mem_free(s->host);
    mem_free(s->realm);
    mem_free(s->default_realm);
    kerberos_rules_free(s->rules);
    mem_free(s);
}

const char *sasl_service_mechanism(const struct sasl_service *s)
{
    return s->mechanism;
}

size_t sasl_service_user_count(const struct sasl_service *s)
{
    return s->user_count;
}

/* ---- sessions ---- */

struct sasl_session *sasl_session_new(struct sasl_service *service)
{
    struct sasl_session *s = mem_zalloc(sizeof *s);
    s->users.password = password_of;
    s->service = service;
    service->session_count++;
    const sasl_callback_t callbacks[] = {
        CYRUS_CALLBACK(SASL_CB_PROXY_POLICY, authorize, NULL),
        CYRUS_CALLBACK(SASL_CB_CANON_USER, cyrus_canonical, &s->users),
        { SASL_CB_LIST_END, NULL, NULL },
    };
    memcpy(s->callbacks, callbacks, sizeof callbacks);
    /* The realm is what DIGEST-MD5 makes of the host when it is given none. */
    int rc = service->cyrus->server_new(service->name, service->host, NULL, NULL, NULL, s->callbacks, SASL_SUCCESS_DATA,
                                        &s->conn);
    /* Without limits it would offer to sign and encrypt what follows, which the protocol has no place for. */
    const sasl_security_properties_t plain = { .min_ssf = 0, .max_ssf = 0, .security_flags = SASL_SEC_NOANONYMOUS };
    if (rc == SASL_OK)
        rc = service->cyrus->setprop(s->conn, SASL_SEC_PROPS, &plain);
    if (rc != SASL_OK) {
        s->state = SASL_STATE_FAILED;
        snprintf(s->reason, sizeof s->reason, "libsasl2 makes no exchange: error %d", rc);
    }
    return s;
}

void sasl_session_free(struct sasl_session *s)
{
    if (s == NULL)
        return;
    if (s->conn != NULL)
        s->service->cyrus->dispose(&s->conn);
    s->service->session_count--;
    mem_free(s->id);
    mem_free(s);
}

static enum sasl_state refuse(struct sasl_session *s, const char *why)
{
    snprintf(s->reason, sizeof s->reason, "%s", why);
    return s->state = SASL_STATE_FAILED;
}

static enum sasl_state finish(struct sasl_session *s)
{
    const struct sasl_service *service = s->service;
    const void *name = NULL;
    if (service->cyrus->getprop(s->conn, SASL_AUTHUSER, &name) != SASL_OK || name == NULL)
        return refuse(s, "the exchange ended well, but without a name");
    if (is_digest(service)) {
        s->id = copy(name, strlen(name));
    } else {
        const struct kerberos_ids how = { .rules = service->rules,
                                          .default_realm = service->default_realm,
                                          .drop_host = service->drop_host,
                                          .drop_realm = service->drop_realm };
        s->id = kerberos_id(&how, name);
    }
    return s->state = SASL_STATE_DONE;
}

/* An answer names the service that it is for, which libsasl2 does not look at: one that a client gave to a service that
 * only hands on our challenge is not for us. The host behind the slash is what each client makes of it. */
static bool is_for(const struct sasl_service *s, struct slice token)
{
    struct slice uri = sasl_token_value(token, "digest-uri");
    size_t n = strlen(s->name);
    return uri.n > n && memcmp(uri.p, s->name, n) == 0 && uri.p[n] == '/';
}

/* What can be said against a token without the library; NULL: nothing. */
static const char *wrong_token(const struct sasl_session *s, struct slice token)
{
    if (s->state == SASL_STATE_DONE)
        return "a token after the end of the exchange";
    if (s->round_count == ROUNDS_MAX)
        return "the exchange has more tokens than any mechanism's";
    if (token.n > TOKEN_BYTES_MAX)
        return "the token is longer than any mechanism's";
    if (s->round_count == 0 || !is_digest(s->service))
        return NULL;
    const char *wrong = sasl_token_wrong(token);
    if (wrong != NULL)
        return wrong;
    return is_for(s->service, token) ? NULL : "the token is an answer to another service";
}

enum sasl_state sasl_session_step(struct sasl_session *s, struct slice token, struct slice *reply)
{
    const struct cyrus *cyrus = s->service->cyrus;
    *reply = (struct slice){ 0 };
    if (s->state == SASL_STATE_FAILED)
        return SASL_STATE_FAILED;
    const char *wrong = wrong_token(s, token);
    if (wrong != NULL)
        return refuse(s, wrong);
    bool is_first = s->round_count++ == 0;
    /* DIGEST-MD5 begins with the server's challenge. A client of libsasl2 that has logged in before tries to use the
     * old one again; it takes a new one just as well. */
    if (is_first && is_digest(s->service))
        token.n = 0;
    const char *in = token.n == 0 ? NULL : (const char *)token.p, *out = NULL;
    unsigned n = 0;
    int rc = is_first ? cyrus->server_start(s->conn, s->service->mechanism, in, (unsigned)token.n, &out, &n)
                      : cyrus->server_step(s->conn, in == NULL ? "" : in, (unsigned)token.n, &out, &n);
    if (rc != SASL_OK && rc != SASL_CONTINUE)
        return refuse(s, cyrus->errdetail(s->conn));
    *reply = slice_of(out != NULL ? (const void *)out : "", n);
    if (rc == SASL_CONTINUE)
        return SASL_STATE_MORE;
    if (n == 0)
        *reply = (struct slice){ 0 }; /* Java's client knows the end of GSSAPI by the null */
    return finish(s);
}

struct slice sasl_session_id(const struct sasl_session *s)
{
    ASSERT(s->state == SASL_STATE_DONE);
    return slice_str(s->id);
}

const char *sasl_session_reason(const struct sasl_session *s)
{
    return s->reason;
}
