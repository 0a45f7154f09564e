#include "server/quorum_sasl.h"
#include "base/err.h"
#include "base/log.h"
#include "server/jaas_file.h"
#include "server/kerberos.h"
#include "server/server.h"

static int fail(const struct sasl_error *err)
{
    log_error("quorum.sasl", "%s", err->text);
    return SERVER_EXIT_USAGE;
}

/* Apache reads both sections whenever SASL is enabled; here a server that does not log in needs no section for it. */
static int make(struct quorum_sasl *s, const struct config *c, struct slice jaas)
{
    struct sasl_error err = { "" };
    struct sasl_options options = { .jaas_path = c->jaas_file,
                                    .jaas = jaas,
                                    .section = c->quorum_sasl_server_section,
                                    .section_key = "quorum.auth.server.saslLoginContext",
                                    .service = SASL_QUORUM_SERVICE,
                                    .realm = SASL_QUORUM_REALM,
                                    .super_password = "",
                                    .principal = c->quorum_principal };
    if (sasl_service_new(&options, &s->accept, &err) != 0)
        return fail(&err);
    if (!c->quorum_sasl_learner)
        return 0;
    options.section = c->quorum_sasl_learner_section;
    options.section_key = "quorum.auth.learner.saslLoginContext";
    return sasl_login_new(&options, &s->dial, &err) == 0 ? 0 : fail(&err);
}

/* requireKerberosConfig: Apache's KerberosName fails where the configuration has no default realm. */
static int check_kerberos(const struct config *c)
{
    char realm[256], reason[300] = "";
    if (!c->require_kerberos || kerberos_default_realm(realm, sizeof realm, reason, sizeof reason) == 0)
        return 0;
    log_error(
        "server.config",
        "requireKerberosConfig=true reason=\"%s\" next=\"write default_realm = YOUR.REALM below [libdefaults] into "
        "the file that KRB5_CONFIG names, or /etc/krb5.conf; or take the key out\"",
        reason);
    return SERVER_EXIT_USAGE;
}

int quorum_sasl_init(struct quorum_sasl *s, const struct config *config, struct fs *fs)
{
    *s = (struct quorum_sasl){ 0 };
    int missing = check_kerberos(config);
    if (missing != 0)
        return missing;
    if (!config->distributed || !config->quorum_sasl)
        return 0;
    struct buf jaas;
    int rc = config->jaas_file[0] == '\0' ? ERR_NOT_FOUND : jaas_file_read(fs, config->jaas_file, &jaas);
    if (rc != 0) {
        log_error(
            "quorum.sasl",
            "quorum.auth.enableSasl=true file=\"%s\" error=\"%s\" next=\"java.security.auth.login.config must name "
            "a JAAS file that this user can read\"",
            config->jaas_file, err_text(rc));
        rc = SERVER_EXIT_USAGE;
    } else {
        rc = make(s, config, buf_slice(&jaas));
    }
    if (config->jaas_file[0] != '\0')
        jaas_file_wipe(&jaas);
    if (rc != 0) {
        quorum_sasl_fini(s);
        return rc;
    }
    s->required = config->quorum_sasl_server;
    log_info("quorum.sasl", "file=%s mechanism=%s logs_in=%s required=%s", config->jaas_file,
             sasl_service_mechanism(s->accept), s->dial != NULL ? "yes" : "no", s->required ? "yes" : "no");
    if (!s->required)
        log_info("quorum.sasl_optional", "next=\"when every server logs in, set quorum.auth.serverRequireSasl: until "
                                         "then one without credentials is let in\"");
    return 0;
}

void quorum_sasl_fini(struct quorum_sasl *s)
{
    sasl_service_free(s->accept);
    sasl_login_free(s->dial);
    *s = (struct quorum_sasl){ 0 };
}
