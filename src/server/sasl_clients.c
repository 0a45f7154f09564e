#include "server/sasl_clients.h"
#include "base/kerberos_rules.h"
#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"
#include "server/jaas_file.h"
#include "server/limits.h"
#include "server/sasl.h"
#include "server/server.h"
#include "wire/proto.h"
#include "wire/records.h"

#define PROVIDER "org.apache.zookeeper.server.auth.SASLAuthenticationProvider"

struct exchange {
    struct list link; /* of sasl_clients.running, the longest first */
    struct sasl_session *session;
    uint32_t conn;
};

struct client {
    struct exchange *exchange; /* NULL: none runs */
    bool has_spoken;           /* its first frame was the handshake, and what follows are requests */
    bool is_proved;
};

struct sasl_clients {
    const struct config *config;
    struct sasl_service *service;
    struct client *clients; /* by connection number */
    uint32_t client_cap;
    struct list running;
    size_t running_count;
    bool is_required; /* enforce.auth.schemes has sasl */
    struct buf reply;
};

/* ---- configuration ---- */

/* True if the comma separated list, blanks around its items allowed, holds the word. */
static bool lists(const char *list, const char *word)
{
    size_t n = strlen(word);
    for (const char *at = list; at != NULL; at = strchr(at, ','), at = at == NULL ? NULL : at + 1) {
        at += strspn(at, " ");
        if (strncmp(at, word, n) == 0 && (at[n + strspn(at + n, " ")] == ',' || at[n + strspn(at + n, " ")] == '\0'))
            return true;
    }
    return false;
}

const char *sasl_schemes(const struct config *config)
{
    for (size_t i = 0; i < config->auth_providers.count; i++)
        if (strcmp(config->auth_providers.at[i].value, PROVIDER) == 0)
            return "sasl";
    return NULL;
}

/* Providers whose scheme nobody serves: their ACLs and logins are refused, which must not come as a surprise. */
static void warn_of_providers(const struct config *config)
{
    static const char *const known[] = { PROVIDER, "org.apache.zookeeper.server.auth.DigestAuthenticationProvider",
                                         "org.apache.zookeeper.server.auth.IPAuthenticationProvider",
                                         "org.apache.zookeeper.server.auth.EnsembleAuthenticationProvider" };
    for (size_t i = 0; i < config->auth_providers.count; i++) {
        const struct config_pair *pair = &config->auth_providers.at[i];
        bool is_known = false;
        for (size_t k = 0; k < ARRAY_COUNT(known); k++)
            is_known |= strcmp(known[k], pair->value) == 0;
        if (!is_known)
            log_warn("server.config",
                     "%s=%s next=\"this server has no such provider: its scheme is unknown in ACLs and "
                     "logins\"",
                     pair->name, pair->value);
    }
}

static bool requires_sasl(const struct config *config)
{
    return config->enforce_auth && lists(config->enforce_auth_schemes, "sasl");
}

/* A file without the section may be for other programs, or for the servers among themselves. */
static void warn_of_no_login(const struct config *config, const char *reason)
{
    bool is_wanted =
        sasl_schemes(config) != NULL || config->origin[CONFIG_KEY_sasl_server_section] != CONFIG_FROM_DEFAULT;
    if (is_wanted)
        log_warn("sasl.off", "reason=\"%s\" next=\"until then no client can log in by SASL%s\"", reason,
                 requires_sasl(config) ? ", and this server serves no other" : "");
    else if (config->jaas_file[0] != '\0')
        log_info("sasl.off", "reason=\"%s\"", reason);
}

static int make_service(const struct config *config, struct slice jaas, struct sasl_service **out)
{
    struct sasl_error err = { "" };
    int rc = sasl_service_new(&(struct sasl_options){ .jaas_path = config->jaas_file,
                                                      .jaas = jaas,
                                                      .section = config->sasl_server_section,
                                                      .section_key = "sasl.serverconfig",
                                                      .service = SASL_CLIENTS_SERVICE,
                                                      .realm = SASL_CLIENTS_REALM,
                                                      .super_password = config->sasl_super_password,
                                                      .rules = config->auth_to_local,
                                                      .drop_host = config->kerberos_drop_host,
                                                      .drop_realm = config->kerberos_drop_realm },
                              out, &err);
    if (rc == ERR_NOT_FOUND) { /* as ServerCnxnFactory.configureSaslLogin, which goes on without */
        warn_of_no_login(config, err.text);
        return 0;
    }
    if (rc != 0) {
        log_error("sasl.config", "%s", err.text);
        return SERVER_EXIT_USAGE;
    }
    return 0;
}

static int open_service(const struct config *config, struct fs *fs, struct sasl_service **out)
{
    struct buf jaas;
    int rc = jaas_file_read(fs, config->jaas_file, &jaas);
    if (rc != 0) {
        log_error("sasl.config",
                  "file=%s error=\"%s\" next=\"java.security.auth.login.config must name a JAAS file that "
                  "this user can read\"",
                  config->jaas_file, err_text(rc));
        rc = SERVER_EXIT_USAGE;
    } else {
        rc = make_service(config, buf_slice(&jaas), out);
    }
    jaas_file_wipe(&jaas);
    return rc;
}

/* Apache's KerberosName reads the rules when the first client logs in, and then fails for each. Here they are looked at
 * also where nobody logs in by Kerberos: a mistake is found before the day it matters. */
static int check_rules(const struct config *config)
{
    struct kerberos_rules *rules = NULL;
    struct kerberos_rules_error err;
    int rc = kerberos_rules_new(slice_str(config->auth_to_local), &rules, &err);
    kerberos_rules_free(rules);
    if (rc == 0)
        return 0;
    log_error("sasl.config", "security.auth_to_local: %s", err.text);
    return SERVER_EXIT_USAGE;
}

int sasl_clients_new(const struct config *config, struct fs *fs, struct sasl_clients **out)
{
    *out = NULL;
    if (check_rules(config) != 0)
        return SERVER_EXIT_USAGE;
    warn_of_providers(config);
    if (requires_sasl(config) && sasl_schemes(config) == NULL) { /* as AuthenticationHelper */
        log_error("sasl.config", "reason=\"clients must authenticate by the scheme sasl, which is not available\" "
                                 "next=\"set authProvider.1=" PROVIDER "\"");
        return SERVER_EXIT_USAGE;
    }
    if (config->jaas_file[0] == '\0') {
        warn_of_no_login(config, "java.security.auth.login.config names no JAAS file");
        return 0;
    }
    struct sasl_service *service = NULL;
    int rc = open_service(config, fs, &service);
    if (service == NULL)
        return rc;
    struct sasl_clients *c = mem_zalloc(sizeof *c);
    c->config = config;
    c->service = service;
    c->is_required = requires_sasl(config);
    list_init(&c->running);
    buf_init(&c->reply, SIZE_MAX / 2);
    log_info("sasl.on", "file=%s section=%s mechanism=%s users=%zu required=%s", config->jaas_file,
             config->sasl_server_section, sasl_service_mechanism(service), sasl_service_user_count(service),
             c->is_required ? "yes" : "no");
    *out = c;
    return 0;
}

/* ---- exchanges ---- */

static void end_exchange(struct sasl_clients *c, struct client *k)
{
    if (k->exchange == NULL)
        return;
    list_remove(&k->exchange->link);
    sasl_session_free(k->exchange->session);
    mem_free(k->exchange);
    k->exchange = NULL;
    c->running_count--;
}

/* An exchange that nobody ends would cost its memory as long as the connection lives, which is without bound. */
static void make_room(struct sasl_clients *c)
{
    if (c->running_count < LIMIT_SASL_RUNNING)
        return;
    const struct exchange *oldest = CONTAINER_OF(list_first(&c->running), struct exchange, link);
    end_exchange(c, &c->clients[oldest->conn]);
}

static void begin_exchange(struct sasl_clients *c, uint32_t conn, struct client *k)
{
    make_room(c);
    k->exchange = mem_zalloc(sizeof *k->exchange);
    k->exchange->session = sasl_session_new(c->service);
    k->exchange->conn = conn;
    list_init(&k->exchange->link);
    list_push_back(&c->running, &k->exchange->link);
    c->running_count++;
}

void sasl_clients_free(struct sasl_clients *c)
{
    if (c == NULL)
        return;
    for (uint32_t i = 0; i < c->client_cap; i++)
        end_exchange(c, &c->clients[i]);
    mem_free(c->clients);
    buf_fini(&c->reply);
    sasl_service_free(c->service);
    mem_free(c);
}

static struct client *client_of(struct sasl_clients *c, uint32_t conn)
{
    if (conn >= c->client_cap) {
        uint32_t cap = c->client_cap == 0 ? 64 : c->client_cap;
        while (cap <= conn)
            cap *= 2;
        c->clients = mem_realloc(c->clients, cap * sizeof *c->clients);
        memset(c->clients + c->client_cap, 0, (cap - c->client_cap) * sizeof *c->clients);
        c->client_cap = cap;
    }
    return &c->clients[conn];
}

void sasl_clients_forget(struct sasl_clients *c, uint32_t conn)
{
    if (conn >= c->client_cap)
        return;
    end_exchange(c, &c->clients[conn]);
    c->clients[conn] = (struct client){ 0 };
}

/* ---- answers ---- */

static struct slice make_reply(struct sasl_clients *c, int32_t xid, int32_t err, struct slice token)
{
    buf_reset(&c->reply);
    static const uint8_t length[4]; /* filled in last */
    buf_append(&c->reply, length, sizeof length);
    wire_put_reply_header(&c->reply, &(struct wire_reply_header){ .xid = xid, .zxid = 0, .err = err });
    wire_put_sasl_token(&c->reply, &(struct wire_sasl_token){ .token = token });
    store_be32(c->reply.p, (uint32_t)(c->reply.n - sizeof length));
    return buf_slice(&c->reply);
}

/* As ZooKeeperServer.processSasl: a client that fails is told and cut off, unless it may go on as a stranger. */
static void refuse(struct sasl_clients *c, uint32_t conn, int32_t xid, const char *reason, struct sasl_answer *answer)
{
    bool goes_on = c->config->allow_failed_sasl && !c->is_required;
    int err = goes_on ? 0 : c->is_required ? ERR_SESSION_CLOSED_REQUIRE_SASL : ERR_AUTH_FAILED;
    log_warn("sasl.failed", "conn=%u action=%s reason=\"%s\"", conn, goes_on ? "none" : "close", reason);
    answer->reply = make_reply(c, xid, err, (struct slice){ 0 });
    answer->close = !goes_on;
}

static bool is_super(const struct config *config, struct slice id)
{
    for (size_t i = 0; i < config->super_users.count; i++)
        if (slice_eq_str(id, config->super_users.at[i].value))
            return true;
    return false;
}

static void step(struct sasl_clients *c, uint32_t conn, struct client *k, int32_t xid, struct slice token,
                 struct sasl_answer *answer)
{
    if (k->is_proved) {
        refuse(c, conn, xid, "a token after the end of the exchange", answer);
        return;
    }
    if (k->exchange == NULL)
        begin_exchange(c, conn, k);
    struct sasl_session *session = k->exchange->session;
    struct slice out;
    enum sasl_state state = sasl_session_step(session, token, &out);
    if (state == SASL_STATE_FAILED) {
        refuse(c, conn, xid, sasl_session_reason(session), answer);
        end_exchange(c, k);
        return;
    }
    answer->reply = make_reply(c, xid, 0, out);
    if (state == SASL_STATE_MORE)
        return;
    size_t from = c->reply.n; /* the id follows the frame, and lives as long */
    buf_append_slice(&c->reply, sasl_session_id(session));
    answer->reply.p = c->reply.p;
    answer->id = slice_of(c->reply.p + from, c->reply.n - from);
    answer->super = is_super(c->config, answer->id);
    k->is_proved = true;
    end_exchange(c, k);
    log_debug("sasl.proved", "conn=%u id=%.*s super=%s", conn, SLICE_ARG(answer->id), answer->super ? "yes" : "no");
}

bool sasl_clients_frame(struct sasl_clients *c, uint32_t conn, struct slice frame, struct sasl_answer *answer)
{
    struct client *k = client_of(c, conn);
    if (!k->has_spoken) {
        k->has_spoken = true;
        return false;
    }
    if (LIKELY(frame.n < 8 || load_be32(frame.p + 4) != WIRE_OP_SASL))
        return false;
    *answer = (struct sasl_answer){ 0 };
    struct wire_reader r = wire_reader_of(slice_of(frame.p + 8, frame.n - 8));
    struct wire_sasl_token q = wire_get_sasl_token(&r);
    if (r.err != 0) {
        log_warn("sasl.failed", "conn=%u action=close reason=\"the request cannot be read\"", conn);
        answer->close = true;
    } else {
        step(c, conn, k, (int32_t)load_be32(frame.p), q.token, answer);
    }
    return true;
}
