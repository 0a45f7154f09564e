/* The service against libsasl2's own client, in memory. */
#include "server/sasl.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/rng.h"
#include <sasl/sasl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#define DIGEST "org.apache.zookeeper.server.auth.DigestLoginModule required "
#define KERBEROS "com.sun.security.auth.module.Krb5LoginModule required "

static const char users[] = "Server { " DIGEST "user_bob=\"secret\" user_super=\"old\" user_super=\"admin\" "
                            "user_a-b=\"x\" user_empty=\"\" user_ren=\"\xc3\xa9t\xc3\xa9\"; };";

/* ---- the client ---- */

struct client {
    const char *user, *password, *acts_for;
    sasl_secret_t *secret;
    sasl_callback_t callbacks[5];
    sasl_conn_t *conn;
    struct slice first; /* its first token: not empty when it has logged in before */
};

static int give_name(void *ctx, int id, const char **result, unsigned *n)
{
    const struct client *c = ctx;
    *result = id == SASL_CB_USER && c->acts_for != NULL ? c->acts_for : c->user;
    if (n != NULL)
        *n = (unsigned)strlen(*result);
    return SASL_OK;
}

static int give_password(sasl_conn_t *conn, void *ctx, int id, sasl_secret_t **out)
{
    struct client *c = ctx;
    (void)conn, (void)id;
    *out = c->secret;
    return SASL_OK;
}

static int give_realm(void *ctx, int id, const char **offered, const char **result)
{
    (void)ctx, (void)id;
    *result = offered != NULL && offered[0] != NULL ? offered[0] : "none";
    return SASL_OK;
}

#define CALLBACK(id, fn, ctx)                            \
    {                                                    \
        (id), (int (*)(void))(void (*)(void))(fn), (ctx) \
    }

static void client_init(struct client *c, const char *user, const char *password)
{
    size_t n = strlen(password);
    *c = (struct client){ .user = user, .password = password };
    c->secret = malloc(sizeof *c->secret + n + 1);
    c->secret->len = n;
    memcpy(c->secret->data, password, n + 1);
    const sasl_callback_t callbacks[] = {
        CALLBACK(SASL_CB_USER, give_name, c),     CALLBACK(SASL_CB_AUTHNAME, give_name, c),
        CALLBACK(SASL_CB_PASS, give_password, c), CALLBACK(SASL_CB_GETREALM, give_realm, c),
        { SASL_CB_LIST_END, NULL, NULL },
    };
    memcpy(c->callbacks, callbacks, sizeof callbacks);
    assert_int_equal(sasl_client_new("zookeeper", "zk-sasl-md5", NULL, NULL, c->callbacks, 0, &c->conn), SASL_OK);
    const char *out = NULL, *mechanism;
    unsigned out_n = 0;
    assert_int_equal(sasl_client_start(c->conn, "DIGEST-MD5", NULL, &out, &out_n, &mechanism), SASL_CONTINUE);
    c->first = slice_of(out, out_n);
}

static void client_fini(struct client *c)
{
    sasl_dispose(&c->conn);
    free(c->secret);
}

static struct slice client_answer(struct client *c, struct slice challenge)
{
    const char *out = NULL;
    unsigned n = 0;
    int rc = sasl_client_step(c->conn, (const char *)challenge.p, (unsigned)challenge.n, NULL, &out, &n);
    if (rc != SASL_OK && rc != SASL_CONTINUE)
        fail_msg("the client stops: %s", sasl_errdetail(c->conn));
    return slice_of(out, n);
}

/* ---- the service ---- */

static struct sasl_service *service_of(const char *jaas, const char *super_password)
{
    struct sasl_service *s;
    struct sasl_error err;
    if (sasl_service_new(&(struct sasl_options){ .jaas_path = "jaas.conf",
                                                 .jaas = slice_str(jaas),
                                                 .section = "Server",
                                                 .section_key = "sasl.serverconfig",
                                                 .service = SASL_CLIENTS_SERVICE,
                                                 .realm = SASL_CLIENTS_REALM,
                                                 .super_password = super_password },
                         &s, &err) != 0)
        fail_msg("%s", err.text);
    return s;
}

/* A whole exchange. */
static enum sasl_state log_in(struct sasl_service *service, const char *user, const char *password, char *id)
{
    struct client c;
    struct slice reply;
    client_init(&c, user, password);
    struct sasl_session *s = sasl_session_new(service);
    assert_int_equal(sasl_session_step(s, c.first, &reply), SASL_STATE_MORE);
    assert_true(reply.n > 0);
    enum sasl_state state = sasl_session_step(s, client_answer(&c, reply), &reply);
    if (state == SASL_STATE_DONE) {
        assert_true(reply.n > 0); /* the proof of the server, which the client checks */
        assert_int_equal(client_answer(&c, reply).n, 0);
        snprintf(id, 100, "%.*s", SLICE_ARG(sasl_session_id(s)));
    } else {
        assert_int_equal(state, SASL_STATE_FAILED);
        assert_true(slice_is_null(reply));
        assert_string_not_equal(sasl_session_reason(s), "");
        assert_null(strstr(sasl_session_reason(s), password[0] == '\0' ? "\n" : password));
    }
    client_fini(&c);
    sasl_session_free(s);
    return state;
}

static void users_log_in_with_their_password(void **state)
{
    (void)state;
    static const struct {
        const char *user, *password;
        enum sasl_state result;
    } rows[] = {
        { "bob", "secret", SASL_STATE_DONE },
        { "bob", "Secret", SASL_STATE_FAILED },
        { "bob", "secret ", SASL_STATE_FAILED },
        { "bob", "", SASL_STATE_FAILED },
        { "Bob", "secret", SASL_STATE_FAILED },
        { "alice", "secret", SASL_STATE_FAILED },
        { "bo", "secret", SASL_STATE_FAILED },
        { "bobb", "secret", SASL_STATE_FAILED },
        { "a-b", "x", SASL_STATE_DONE },
        { "ren", "\xc3\xa9t\xc3\xa9", SASL_STATE_DONE },
        { "super", "admin", SASL_STATE_DONE },
        { "super", "old", SASL_STATE_FAILED },
        { "user_bob", "secret", SASL_STATE_FAILED },
        { "bob@zk-sasl-md5", "secret", SASL_STATE_FAILED },
    };
    struct sasl_service *s = service_of(users, "");
    assert_string_equal(sasl_service_mechanism(s), "DIGEST-MD5");
    assert_int_equal(sasl_service_user_count(s), 6);
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        char id[100] = "";
        enum sasl_state got = log_in(s, rows[i].user, rows[i].password, id);
        if (got != rows[i].result)
            fail_msg("%s with %s: state %d", rows[i].user, rows[i].password, (int)got);
        if (got == SASL_STATE_DONE)
            assert_string_equal(id, rows[i].user);
    }
    sasl_service_free(s);
}

static void the_super_password_replaces_that_of_user_super(void **state)
{
    (void)state;
    char id[100];
    struct sasl_service *s = service_of(users, "hyper");
    assert_int_equal(log_in(s, "super", "hyper", id), SASL_STATE_DONE);
    assert_int_equal(log_in(s, "super", "admin", id), SASL_STATE_FAILED);
    assert_int_equal(log_in(s, "bob", "secret", id), SASL_STATE_DONE);
    assert_int_equal(log_in(s, "bob", "hyper", id), SASL_STATE_FAILED);
    sasl_service_free(s);
    /* as SaslServerCallbackHandler: there must be a user super */
    s = service_of("Server { " DIGEST "user_bob=\"secret\"; };", "hyper");
    assert_int_equal(log_in(s, "super", "hyper", id), SASL_STATE_FAILED);
    sasl_service_free(s);
}

static void the_id_is_the_proved_one_whomever_the_client_acts_for(void **state)
{
    (void)state;
    struct sasl_service *service = service_of(users, "");
    struct client c;
    struct slice reply;
    client_init(&c, "bob", "secret");
    c.acts_for = "super";
    struct sasl_session *s = sasl_session_new(service);
    assert_int_equal(sasl_session_step(s, (struct slice){ 0 }, &reply), SASL_STATE_MORE);
    struct slice answer = client_answer(&c, reply);
    char text[1000];
    snprintf(text, sizeof text, "%.*s", SLICE_ARG(answer));
    assert_non_null(strstr(text, "authzid=\"super\""));
    assert_int_equal(sasl_session_step(s, answer, &reply), SASL_STATE_DONE);
    assert_true(slice_eq_str(sasl_session_id(s), "bob"));
    client_fini(&c);
    sasl_session_free(s);
    sasl_service_free(service);
}

static void the_challenge_is_what_clients_of_zookeeper_expect(void **state)
{
    (void)state;
    struct sasl_service *service = service_of(users, "");
    struct sasl_session *s = sasl_session_new(service), *t = sasl_session_new(service);
    struct slice reply, other;
    char text[1000];
    assert_int_equal(sasl_session_step(s, (struct slice){ 0 }, &reply), SASL_STATE_MORE);
    assert_int_equal(sasl_session_step(t, (struct slice){ 0 }, &other), SASL_STATE_MORE);
    assert_false(slice_eq(reply, other)); /* nonces */
    snprintf(text, sizeof text, "%.*s", SLICE_ARG(reply));
    assert_non_null(strstr(text, "realm=\"zk-sasl-md5\""));
    assert_non_null(strstr(text, "algorithm=md5-sess"));
    assert_non_null(strstr(text, "charset=utf-8"));
    assert_non_null(strstr(text, "qop=\"auth\""));
    sasl_session_free(s);
    sasl_session_free(t);
    sasl_service_free(service);
}

static void an_answer_counts_once_and_for_its_own_challenge(void **state)
{
    (void)state;
    struct sasl_service *service = service_of(users, "");
    struct client c;
    struct slice reply;
    client_init(&c, "bob", "secret");
    struct sasl_session *s = sasl_session_new(service), *t = sasl_session_new(service);
    assert_int_equal(sasl_session_step(s, (struct slice){ 0 }, &reply), SASL_STATE_MORE);
    struct slice answer = client_answer(&c, reply);
    assert_int_equal(sasl_session_step(t, (struct slice){ 0 }, &reply), SASL_STATE_MORE);
    assert_int_equal(sasl_session_step(t, answer, &reply), SASL_STATE_FAILED);
    assert_int_equal(sasl_session_step(s, answer, &reply), SASL_STATE_DONE);
    assert_int_equal(sasl_session_step(s, answer, &reply), SASL_STATE_FAILED);
    assert_int_equal(sasl_session_step(s, (struct slice){ 0 }, &reply), SASL_STATE_FAILED);
    client_fini(&c);
    sasl_session_free(s);
    sasl_session_free(t);
    sasl_service_free(service);
}

/* The library's client keeps the challenges of its logins and begins with an answer to the last one. */
static void a_first_token_proves_nothing(void **state)
{
    (void)state;
    struct sasl_service *service = service_of(users, "");
    char id[100];
    assert_int_equal(log_in(service, "bob", "secret", id), SASL_STATE_DONE);
    struct client c;
    client_init(&c, "bob", "secret");
    assert_true(c.first.n > 0);
    struct sasl_session *s = sasl_session_new(service);
    struct slice reply;
    assert_int_equal(sasl_session_step(s, c.first, &reply), SASL_STATE_MORE);
    assert_int_equal(sasl_session_step(s, c.first, &reply), SASL_STATE_FAILED);
    sasl_session_free(s);
    client_fini(&c);
    assert_int_equal(log_in(service, "bob", "secret", id), SASL_STATE_DONE);
    sasl_service_free(service);
}

/* Every beginning of a good answer, and good answers with bytes changed: nobody gets in but by the whole one. */
static void damaged_tokens_fail(void **state)
{
    (void)state;
    struct sasl_service *service = service_of(users, "");
    struct rng rng;
    rng_init(&rng, 11);
    size_t n = 1;
    for (size_t i = 0; i < 2 * n + 300; i++) {
        struct client c;
        struct slice reply;
        client_init(&c, "bob", "secret");
        struct sasl_session *s = sasl_session_new(service);
        assert_int_equal(sasl_session_step(s, (struct slice){ 0 }, &reply), SASL_STATE_MORE);
        struct slice answer = client_answer(&c, reply);
        uint8_t *token = mem_alloc(answer.n);
        memcpy(token, answer.p, answer.n);
        n = answer.n;
        if (i >= n) {
            char *response = memmem(token, n, "response=", 9);
            assert_non_null(response);
            size_t at =
                i % 2 == 0 ? (size_t)((uint8_t *)response - token) + 9 + rng_below(&rng, 32) : rng_below(&rng, n);
            token[at] = (uint8_t)(token[at] ^ (1 + rng_below(&rng, 255)));
        }
        /* a byte changed outside of what is hashed may be harmless; one in the hash never is */
        enum sasl_state got = sasl_session_step(s, slice_of(token, i < n ? i : n), &reply);
        if (i < n && got == SASL_STATE_DONE && memmem(token, i, "response=", 9) == NULL)
            fail_msg("the first %zu bytes sufficed", i);
        if (i >= n && i % 2 == 0)
            assert_int_not_equal(got, SASL_STATE_DONE);
        if (got == SASL_STATE_DONE)
            assert_true(slice_eq_str(sasl_session_id(s), "bob"));
        mem_free(token);
        client_fini(&c);
        sasl_session_free(s);
    }
    sasl_service_free(service);
}

/* Lists of directives that are well formed and make no sense: what the library takes of each, it gives back. */
static void disordered_directives_fail(void **state)
{
    (void)state;
    static const char *const names[] = { "username", "realm",      "nonce",     "cnonce",   "nc",
                                         "qop",      "digest-uri", "maxbuf",    "response", "charset",
                                         "authzid",  "cipher",     "algorithm", "x" };
    static const char *const values[] = { "\"bob\"",
                                          "\"zk-sasl-md5\"",
                                          "\"zookeeper/zk-sasl-md5\"",
                                          "00000001",
                                          "auth",
                                          "auth-conf",
                                          "\"\"",
                                          "65536",
                                          "utf-8",
                                          "1",
                                          "00000000000000000000000000000000",
                                          "99999999999999999999",
                                          "rc4",
                                          "\"\\\"\"",
                                          "\xc3\xa9",
                                          "md5-sess" };
    struct sasl_service *service = service_of(users, "");
    struct rng rng;
    rng_init(&rng, 17);
    for (size_t i = 0; i < 2000; i++) {
        struct sasl_session *s = sasl_session_new(service);
        struct slice reply;
        assert_int_equal(sasl_session_step(s, (struct slice){ 0 }, &reply), SASL_STATE_MORE);
        char challenge[1000], nonce[200] = "", token[1000];
        snprintf(challenge, sizeof challenge, "%.*s", SLICE_ARG(reply));
        assert_int_equal(sscanf(challenge, "nonce=\"%199[^\"]", nonce), 1);
        size_t n = 0, first = rng_below(&rng, 14), count = 1 + rng_below(&rng, 14);
        for (size_t k = 0; k < count; k++) {
            const char *name = names[(first + 5 * k) % 14]; /* no name twice */
            bool good = strcmp(name, "nonce") == 0 && rng_below(&rng, 4) != 0;
            const char *value = values[rng_below(&rng, ARRAY_COUNT(values))];
            n += (size_t)snprintf(token + n, sizeof token - n, "%s%s=%s%s%s", k == 0 ? "" : ",", name, good ? "\"" : "",
                                  good ? nonce : value, good ? "\"" : "");
        }
        assert_int_equal(sasl_session_step(s, slice_of(token, n), &reply), SASL_STATE_FAILED);
        sasl_session_free(s);
    }
    sasl_service_free(service);
}

static void garbage_fails(void **state)
{
    (void)state;
    struct sasl_service *service = service_of(users, "");
    struct rng rng;
    rng_init(&rng, 5);
    static uint8_t bytes[200000];
    static const size_t sizes[] = { 1, 2, 3, 16, 4095, 4096, 4097, 65536, 200000 };
    static const char *const texts[] = {
        "username",
        "username=",
        "username=\"",
        "=",
        ",,,,",
        "username=\"bob\",username=\"bob\"",
        "nonce=\"x\",response=y",
        ("username=\"bob\",realm=\"zk-sasl-md5\",nonce=\"\",cnonce=\"\",nc=00000001,qop=auth,"
         "digest-uri=\"zookeeper/zk-sasl-md5\",response=00000000000000000000000000000000"),
        "charset=utf-8,username=\"\\\",nc=99999999999999999999",
        "maxbuf=-1,nc=zzzzzzzz",
    };
    for (size_t i = 0; i < ARRAY_COUNT(sizes) * 20 + ARRAY_COUNT(texts); i++) {
        struct sasl_session *s = sasl_session_new(service);
        struct slice reply, token;
        assert_int_equal(sasl_session_step(s, (struct slice){ 0 }, &reply), SASL_STATE_MORE);
        if (i < ARRAY_COUNT(texts)) {
            token = slice_str(texts[i]);
        } else {
            token = slice_of(bytes, sizes[i % ARRAY_COUNT(sizes)]);
            for (size_t k = 0; k < token.n; k++)
                bytes[k] = i % 2 == 0 ? (uint8_t)rng_u64(&rng) : (uint8_t) "username=\",\\ nc\0"[rng_below(&rng, 16)];
        }
        assert_int_equal(sasl_session_step(s, token, &reply), SASL_STATE_FAILED);
        assert_int_equal(sasl_session_step(s, token, &reply), SASL_STATE_FAILED);
        sasl_session_free(s);
    }
    sasl_service_free(service);
}

static void many_exchanges_run_side_by_side(void **state)
{
    (void)state;
    struct sasl_service *service = service_of(users, "");
    struct client clients[50];
    struct sasl_session *sessions[50];
    struct slice answers[50], reply;
    for (size_t i = 0; i < 50; i++) {
        client_init(&clients[i], i % 2 == 0 ? "bob" : "super", i % 2 == 0 ? "secret" : i % 3 == 0 ? "admin" : "secret");
        sessions[i] = sasl_session_new(service);
        assert_int_equal(sasl_session_step(sessions[i], (struct slice){ 0 }, &reply), SASL_STATE_MORE);
        answers[i] = client_answer(&clients[i], reply);
    }
    for (size_t i = 50; i-- > 0;) {
        bool good = i % 2 == 0 || i % 3 == 0;
        assert_int_equal(sasl_session_step(sessions[i], answers[i], &reply),
                         good ? SASL_STATE_DONE : SASL_STATE_FAILED);
        if (good)
            assert_true(slice_eq_str(sasl_session_id(sessions[i]), clients[i].user));
        client_fini(&clients[i]);
        sasl_session_free(sessions[i]);
    }
    sasl_service_free(service);
}

static void mistakes_in_the_file_are_explained(void **state)
{
    (void)state;
    static const struct {
        const char *jaas;
        int rc;
        const char *says;
    } rows[] = {
        { "", ERR_NOT_FOUND, "jaas.conf has no section Server: add it, or name another with sasl.serverconfig" },
        { "Client { " DIGEST "; };", ERR_NOT_FOUND, "no section Server" },
        { "Server {\n" DIGEST "user_bob=secret!; };", ERR_INVALID, "jaas.conf: line 2: expected" },
        { "Server { };", ERR_INVALID, "section Server is empty" },
        { "Server {\n\norg.example.Login required; };", ERR_INVALID,
          "line 3: org.example.Login is not a login module" },
        { "Server { " KERBEROS "keyTab=\"x\"; };", ERR_INVALID, "needs principal=\"zookeeper/HOST@REALM\"" },
        { "Server { " KERBEROS "principal=\"zookeeper@R\"; };", ERR_INVALID, "needs principal" },
        { "Server { " KERBEROS "principal=\"zookeeper/host\"; };", ERR_INVALID, "needs principal" },
        { "Server { " KERBEROS "principal=\"zookeeper/@R\"; };", ERR_INVALID, "needs principal" },
        { "Server { " KERBEROS "keyTab=\"/nowhere.keytab\" principal=\"zookeeper/host@R\"; };", ERR_UNSUPPORTED,
          "libsasl2-modules-gssapi-mit) and see that the key tab /nowhere.keytab can be read" },
    };
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        struct sasl_service *s = NULL;
        struct sasl_error err;
        const struct sasl_options options = {
            .jaas_path = "jaas.conf",
            .jaas = slice_str(rows[i].jaas),
            .section = "Server",
            .section_key = "sasl.serverconfig",
            .service = SASL_CLIENTS_SERVICE,
            .realm = SASL_CLIENTS_REALM,
            .super_password = "",
        };
        int rc = sasl_service_new(&options, &s, &err);
        if (rc != rows[i].rc || strstr(err.text, rows[i].says) == NULL)
            fail_msg("%s: %d %s", rows[i].jaas, rc, err.text);
        assert_null(s);
        assert_null(strstr(err.text, "secret"));
    }
}

/* No plug-in but the one that is used: that of GSSAPI, where there is one, loses some bytes. */
static int verify_file(void *ctx, const char *file, sasl_verify_type_t type)
{
    (void)ctx, (void)type;
    return strstr(file, "digestmd5") != NULL ? SASL_OK : SASL_CONTINUE;
}

static int begin_client(void **state)
{
    static const sasl_callback_t callbacks[] = { CALLBACK(SASL_CB_VERIFYFILE, verify_file, NULL),
                                                 { SASL_CB_LIST_END, NULL, NULL } };
    (void)state;
    return sasl_client_init(callbacks) == SASL_OK ? 0 : -1;
}

static int end_client(void **state)
{
    (void)state;
    sasl_client_done();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(users_log_in_with_their_password),
        cmocka_unit_test(the_super_password_replaces_that_of_user_super),
        cmocka_unit_test(the_id_is_the_proved_one_whomever_the_client_acts_for),
        cmocka_unit_test(the_challenge_is_what_clients_of_zookeeper_expect),
        cmocka_unit_test(an_answer_counts_once_and_for_its_own_challenge),
        cmocka_unit_test(a_first_token_proves_nothing),
        cmocka_unit_test(damaged_tokens_fail),
        cmocka_unit_test(disordered_directives_fail),
        cmocka_unit_test(garbage_fails),
        cmocka_unit_test(many_exchanges_run_side_by_side),
        cmocka_unit_test(mistakes_in_the_file_are_explained),
    };
    return cmocka_run_group_tests(tests, begin_client, end_client);
}
