#include "server/client_tls.h"
#include "base/log.h"
#include "os/clock.h"
#include "server/server.h"

/* How often the files are looked at: a few calls of stat. */
#define LOOK_MS 2000
/* Before a certificate ends, it is spoken of at each start. */
#define EXPIRY_WARN_S (14 * 86400)

static bool wanted(const struct config *c)
{
    return c->secure_client_port != 0 || (c->client_port != 0 && c->client_unified);
}

static enum tls_client_auth auth_of(const char *word)
{
    if (strcmp(word, "none") == 0)
        return TLS_AUTH_NONE;
    return strcmp(word, "want") == 0 ? TLS_AUTH_WANT : TLS_AUTH_NEED;
}

static struct tls_options options_of(const struct config *c)
{
    return (struct tls_options){
        .role = TLS_SERVER,
        .key = { .location = c->ssl_key_store,
                 .password = c->ssl_key_password,
                 .password_path = c->ssl_key_password_path,
                 .type = c->ssl_key_type },
        .trust = { .location = c->ssl_trust_store,
                   .password = c->ssl_trust_password,
                   .password_path = c->ssl_trust_password_path,
                   .type = c->ssl_trust_type },
        .protocol = c->ssl_protocol,
        .protocols = c->ssl_protocols,
        .ciphers = c->ssl_ciphers,
        .client_auth = auth_of(c->ssl_client_auth),
        .verify_name = c->ssl_client_hostname,
        .crl = c->ssl_crl,
        .ocsp = c->ssl_ocsp,
    };
}

static void tell(const struct client_tls *t, const char *event)
{
    int64_t left_s = tls_context_expires_s(t->context) - clock_wall_ms() / 1000;
    if (left_s < EXPIRY_WARN_S)
        log_warn(event, "certificate=%s days_left=%lld next=\"renew it: clients refuse a certificate that has ended\"",
                 t->config->ssl_key_store, (long long)(left_s / 86400));
    else
        log_info(event, "certificate=%s days_left=%lld client_auth=%s", t->config->ssl_key_store,
                 (long long)(left_s / 86400), t->config->ssl_client_auth);
}

int client_tls_init(struct client_tls *t, const struct config *config)
{
    struct tls_error err;
    *t = (struct client_tls){ .config = config };
    if (!wanted(config))
        return 0;
    if (strcmp(config->ssl_auth_provider, "x509") != 0) {
        log_error("tls.config",
                  "ssl.authProvider=%s next=\"only x509 is known: with another scheme clients would get other rights "
                  "than the ACLs were written for; take the key out\"",
                  config->ssl_auth_provider);
        return SERVER_EXIT_USAGE;
    }
    if (config->ssl_supplier[0] != '\0')
        log_warn("tls.config",
                 "ssl.context.supplier.class=%s action=ignored next=\"a Java class cannot be loaded; "
                 "set the stores by ssl.keyStore and ssl.trustStore\"",
                 config->ssl_supplier);
    struct tls_options options = options_of(config);
    if (tls_context_new(&options, &t->context, &err) != 0) {
        log_error("tls.config", "%s", err.text);
        return SERVER_EXIT_USAGE;
    }
    tell(t, "tls.ready");
    return 0;
}

static void on_look(struct loop_timer *timer)
{
    struct client_tls *t = CONTAINER_OF(timer, struct client_tls, look);
    struct tls_error err;
    int rc = tls_context_reload(t->context, &err);
    if (rc > 0)
        tell(t, "tls.reloaded");
    else if (rc < 0)
        log_error("tls.reload", "%s action=\"the former certificates stay\"", err.text);
    loop_timer_set(timer, LOOK_MS);
}

void client_tls_start(struct client_tls *t, struct loop *loop)
{
    if (t->context == NULL || !t->config->client_cert_reload)
        return;
    loop_timer_open(loop, &t->look, on_look);
    loop_timer_set(&t->look, LOOK_MS);
    t->looks = true;
}

void client_tls_stop(struct client_tls *t)
{
    if (t->looks)
        loop_timer_close(&t->look);
    t->looks = false;
}

void client_tls_fini(struct client_tls *t)
{
    tls_context_free(t->context);
    t->context = NULL;
}

bool client_tls_is_super(const struct client_tls *t, struct slice subject)
{
    return t->config->x509_super_user[0] != '\0' && slice_eq_str(subject, t->config->x509_super_user);
}
