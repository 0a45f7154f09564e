#include "server/quorum_tls.h"
#include "base/log.h"
#include "os/clock.h"
#include "server/server.h"

/* How often the files are looked at: a few calls of stat. */
#define LOOK_MS 2000
/* Before a certificate ends, it is spoken of at each start. */
#define EXPIRY_WARN_S (14 * 86400)
#define HANDSHAKE_MS 5000 /* Apache's, if the key says 0 */

static enum tls_client_auth auth_of(const char *word)
{
    if (strcmp(word, "none") == 0)
        return TLS_AUTH_NONE;
    return strcmp(word, "want") == 0 ? TLS_AUTH_WANT : TLS_AUTH_NEED;
}

/* One identity serves both sides. hostnameVerification=false takes the look at those who connect with it, as in
 * Apache's X509Util. */
static struct tls_options options_of(const struct config *c, enum tls_role role)
{
    return (struct tls_options){
        .role = role,
        .key = { .location = c->ssl_quorum_key_store,
                 .password = c->ssl_quorum_key_password,
                 .password_path = c->ssl_quorum_key_password_path,
                 .type = c->ssl_quorum_key_type },
        .trust = { .location = c->ssl_quorum_trust_store,
                   .password = c->ssl_quorum_trust_password,
                   .password_path = c->ssl_quorum_trust_password_path,
                   .type = c->ssl_quorum_trust_type },
        .protocol = c->ssl_quorum_protocol,
        .protocols = c->ssl_quorum_protocols,
        .ciphers = c->ssl_quorum_ciphers,
        .client_auth = auth_of(c->ssl_quorum_client_auth),
        .verify_name = c->ssl_quorum_hostname && (role == TLS_CLIENT || c->ssl_quorum_client_hostname),
        .prefix = "ssl.quorum.",
        .crl = c->ssl_quorum_crl,
        .ocsp = c->ssl_quorum_ocsp,
    };
}

static void tell(const struct quorum_tls *t, const char *event)
{
    const struct config *c = t->config;
    int64_t left_s = tls_context_expires_s(t->accept) - clock_wall_ms() / 1000;
    if (left_s < EXPIRY_WARN_S)
        log_warn(
            event,
            "certificate=%s days_left=%lld next=\"renew it: the other servers refuse a certificate that has ended\"",
            c->ssl_quorum_key_store, (long long)(left_s / 86400));
    else
        log_info(event, "certificate=%s days_left=%lld client_auth=%s dials=%s accepts=%s", c->ssl_quorum_key_store,
                 (long long)(left_s / 86400), c->ssl_quorum_client_auth, t->dial != NULL ? "tls" : "plain",
                 t->optional ? "both" : "tls");
}

static int make(const struct config *c, enum tls_role role, struct tls_context **out)
{
    struct tls_error err;
    struct tls_options options = options_of(c, role);
    if (tls_context_new(&options, out, &err) == 0)
        return 0;
    log_error("quorum.tls", "%s", err.text);
    return SERVER_EXIT_USAGE;
}

int quorum_tls_init(struct quorum_tls *t, const struct config *config)
{
    *t = (struct quorum_tls){ .config = config };
    if (!config->distributed || !(config->ssl_quorum || config->ssl_quorum_unified))
        return 0;
    if (config->ssl_quorum_supplier[0] != '\0')
        log_warn("quorum.tls",
                 "ssl.quorum.context.supplier.class=%s action=ignored next=\"a Java class cannot be loaded; set the "
                 "stores by ssl.quorum.keyStore and ssl.quorum.trustStore\"",
                 config->ssl_quorum_supplier);
    t->optional = config->ssl_quorum_unified;
    int rc = make(config, TLS_SERVER, &t->accept);
    if (rc == 0 && config->ssl_quorum)
        rc = make(config, TLS_CLIENT, &t->dial);
    if (rc != 0) {
        quorum_tls_fini(t);
        return rc;
    }
    if (config->ssl_quorum && t->optional)
        log_info("quorum.unified",
                 "accepts=both next=\"when every server has sslQuorum=true, take portUnification out: "
                 "until then a plain connection is as good as one that has shown a certificate\"");
    tell(t, "quorum.tls");
    return 0;
}

static void on_look(struct loop_timer *timer)
{
    struct quorum_tls *t = CONTAINER_OF(timer, struct quorum_tls, look);
    struct tls_context *both[] = { t->accept, t->dial };
    for (size_t i = 0; i < ARRAY_COUNT(both); i++) {
        struct tls_error err;
        int rc = both[i] == NULL ? 0 : tls_context_reload(both[i], &err);
        if (rc > 0 && i == 0)
            tell(t, "quorum.tls_reloaded");
        else if (rc < 0)
            log_error("quorum.tls_reload", "%s action=\"the former certificates stay\"", err.text);
    }
    loop_timer_set(timer, LOOK_MS);
}

void quorum_tls_start(struct quorum_tls *t, struct loop *loop)
{
    if (t->accept == NULL || !t->config->ssl_quorum_reload)
        return;
    loop_timer_open(loop, &t->look, on_look);
    loop_timer_set(&t->look, LOOK_MS);
    t->looks = true;
}

void quorum_tls_stop(struct quorum_tls *t)
{
    if (t->looks)
        loop_timer_close(&t->look);
    t->looks = false;
}

void quorum_tls_fini(struct quorum_tls *t)
{
    tls_context_free(t->accept);
    tls_context_free(t->dial);
    t->accept = t->dial = NULL;
}

int quorum_tls_admin(const struct config *config, struct tls_context **out, struct tls_error *err)
{
    struct tls_options options = options_of(config, TLS_SERVER);
    options.client_auth = config->admin_client_auth ? TLS_AUTH_NEED : TLS_AUTH_NONE;
    options.verify_name = false;
    return tls_context_new(&options, out, err);
}

int64_t quorum_tls_handshake_ms(const struct config *config)
{
    return config->ssl_quorum_detect_ms > 0 ? config->ssl_quorum_detect_ms : HANDSHAKE_MS;
}
