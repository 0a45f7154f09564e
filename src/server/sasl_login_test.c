/* Both sides of a login between servers, in memory. */
#include "server/sasl_login.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/rng.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#define DIGEST "org.apache.zookeeper.server.auth.DigestLoginModule required "

static const char jaas[] = "QuorumServer { " DIGEST "user_test=\"secret\" user_other=\"pass\"; };"
                           "QuorumLearner { " DIGEST "username=\"test\" password=\"secret\"; };"
                           "Wrong { " DIGEST "username=\"test\" password=\"Secret\"; };"
                           "Stranger { " DIGEST "username=\"nobody\" password=\"secret\"; };"
                           "NoUser { " DIGEST "password=\"secret\"; };"
                           "NoPassword { " DIGEST "username=\"test\"; };"
                           "Empty { };"
                           "Kerberos { com.sun.security.auth.module.Krb5LoginModule required principal=\"a/b\"; };";

static struct sasl_options options_of(const char *section)
{
    return (struct sasl_options){ .jaas_path = "jaas.conf",
                                  .jaas = slice_str(jaas),
                                  .section = section,
                                  .section_key = "quorum.auth.x",
                                  .service = SASL_QUORUM_SERVICE,
                                  .realm = SASL_QUORUM_REALM,
                                  .super_password = "" };
}

static struct sasl_service *service_of(const char *realm)
{
    struct sasl_service *s;
    struct sasl_error err;
    struct sasl_options options = options_of("QuorumServer");
    options.realm = realm;
    if (sasl_service_new(&options, &s, &err) != 0)
        fail_msg("%s", err.text);
    return s;
}

static struct sasl_login *login_of(const char *section)
{
    struct sasl_login *l;
    struct sasl_error err;
    struct sasl_options options = options_of(section);
    if (sasl_login_new(&options, &l, &err) != 0)
        fail_msg("%s", err.text);
    return l;
}

/* Tokens to and fro until one side ends; its state and that of the other. */
static void talk(struct sasl_session *s, struct sasl_attempt *a, enum sasl_state *server, enum sasl_state *client)
{
    struct slice token, reply = { 0 };
    *server = SASL_STATE_MORE;
    *client = sasl_attempt_step(a, (struct slice){ 0 }, &token);
    assert_int_equal(*client, SASL_STATE_MORE);
    assert_true(slice_is_null(token));
    while (*client == SASL_STATE_MORE && *server == SASL_STATE_MORE) {
        *server = sasl_session_step(s, token, &reply);
        if (*server != SASL_STATE_FAILED)
            *client = sasl_attempt_step(a, reply, &token);
    }
}

static void log_in(struct sasl_service *service, struct sasl_login *login, enum sasl_state wanted_server,
                   enum sasl_state wanted_client)
{
    struct sasl_session *s = sasl_session_new(service);
    struct sasl_attempt *a = sasl_attempt_new(login, "");
    enum sasl_state server, client;
    talk(s, a, &server, &client);
    assert_int_equal(server, wanted_server);
    assert_int_equal(client, wanted_client);
    if (server == SASL_STATE_DONE)
        assert_true(slice_eq_str(sasl_session_id(s), "test"));
    if (client == SASL_STATE_FAILED)
        assert_string_not_equal(sasl_attempt_reason(a), "");
    sasl_attempt_free(a);
    sasl_session_free(s);
}

static void servers_log_in(void **state)
{
    (void)state;
    struct sasl_service *service = service_of(SASL_QUORUM_REALM);
    struct sasl_login *good = login_of("QuorumLearner"), *wrong = login_of("Wrong"), *stranger = login_of("Stranger");
    for (int i = 0; i < 3; i++) { /* again and again: nothing of the last time is used */
        log_in(service, good, SASL_STATE_DONE, SASL_STATE_DONE);
        log_in(service, wrong, SASL_STATE_FAILED, SASL_STATE_MORE);
        log_in(service, stranger, SASL_STATE_FAILED, SASL_STATE_MORE);
    }
    sasl_login_free(good);
    sasl_login_free(wrong);
    sasl_login_free(stranger);
    sasl_service_free(service);
}

static void both_sides_must_mean_the_same_realm(void **state)
{
    (void)state;
    struct sasl_service *service = service_of(SASL_CLIENTS_REALM);
    struct sasl_login *login = login_of("QuorumLearner");
    struct sasl_session *s = sasl_session_new(service);
    struct sasl_attempt *a = sasl_attempt_new(login, "");
    enum sasl_state server, client;
    talk(s, a, &server, &client);
    assert_true(server == SASL_STATE_FAILED || client == SASL_STATE_FAILED);
    sasl_attempt_free(a);
    sasl_session_free(s);
    sasl_login_free(login);
    sasl_service_free(service);
}

/* What a learner answers to a false server that hands on the challenge of a client port is of no use there. */
static void an_answer_is_for_one_service(void **state)
{
    (void)state;
    struct sasl_options options = options_of("QuorumServer");
    struct sasl_service *clients;
    struct sasl_error err;
    options.service = SASL_CLIENTS_SERVICE;
    assert_int_equal(sasl_service_new(&options, &clients, &err), 0);
    struct sasl_login *login = login_of("QuorumLearner");
    log_in(clients, login, SASL_STATE_FAILED, SASL_STATE_MORE);
    sasl_login_free(login);
    sasl_service_free(clients);
}

static void services_and_logins_live_side_by_side(void **state)
{
    (void)state;
    struct sasl_service *clients = service_of(SASL_CLIENTS_REALM), *servers = service_of(SASL_QUORUM_REALM);
    struct sasl_login *login = login_of("QuorumLearner");
    sasl_service_free(clients);
    log_in(servers, login, SASL_STATE_DONE, SASL_STATE_DONE);
    sasl_login_free(login);
    login = login_of("QuorumLearner");
    log_in(servers, login, SASL_STATE_DONE, SASL_STATE_DONE);
    sasl_service_free(servers);
    servers = service_of(SASL_QUORUM_REALM);
    log_in(servers, login, SASL_STATE_DONE, SASL_STATE_DONE);
    sasl_service_free(servers);
    sasl_login_free(login);
}

/* Whoever answers with anything but the proof is not the server. */
static void a_server_must_prove_itself(void **state)
{
    (void)state;
    struct sasl_service *service = service_of(SASL_QUORUM_REALM);
    struct sasl_login *login = login_of("QuorumLearner");
    struct rng rng;
    rng_init(&rng, 23);
    for (int i = 0; i < 200; i++) {
        struct sasl_session *s = sasl_session_new(service);
        struct sasl_attempt *a = sasl_attempt_new(login, "");
        struct slice token, reply;
        assert_int_equal(sasl_attempt_step(a, (struct slice){ 0 }, &token), SASL_STATE_MORE);
        assert_int_equal(sasl_session_step(s, token, &reply), SASL_STATE_MORE);
        assert_int_equal(sasl_attempt_step(a, reply, &token), SASL_STATE_MORE);
        assert_int_equal(sasl_session_step(s, token, &reply), SASL_STATE_DONE);
        uint8_t *proof = mem_alloc(reply.n);
        size_t n = reply.n;
        memcpy(proof, reply.p, n);
        if (i % 2 == 0)
            proof[n - 1 - rng_below(&rng, 32)] ^= (uint8_t)(1 + rng_below(&rng, 255));
        else
            n = rng_below(&rng, n);
        assert_int_not_equal(sasl_attempt_step(a, slice_of(proof, n), &token), SASL_STATE_DONE);
        assert_int_equal(sasl_attempt_step(a, reply, &token), SASL_STATE_FAILED);
        mem_free(proof);
        sasl_attempt_free(a);
        sasl_session_free(s);
    }
    sasl_login_free(login);
    sasl_service_free(service);
}

static void any_challenge_is_survived(void **state)
{
    (void)state;
    static const char *const challenges[] = {
        "",
        "x",
        "nonce=\"\"",
        "realm=\"zk-quorum-sasl-md5\"",
        "nonce=\"a\",algorithm=md5-sess,qop=\"auth-conf\",charset=utf-8,realm=\"zk-quorum-sasl-md5\"",
        "nonce=\"a\",algorithm=md5,qop=\"auth\",charset=utf-8,realm=\"zk-quorum-sasl-md5\"",
        "nonce=\"a\",nonce=\"b\",algorithm=md5-sess,qop=\"auth\",realm=\"zk-quorum-sasl-md5\"",
        "rspauth=00000000000000000000000000000000",
        "nonce=\"a\",algorithm=md5-sess,qop=\"auth\",maxbuf=99999999999999999999,realm=\"zk-quorum-sasl-md5\"",
    };
    struct sasl_login *login = login_of("QuorumLearner");
    for (size_t i = 0; i < ARRAY_COUNT(challenges); i++) {
        struct sasl_attempt *a = sasl_attempt_new(login, "");
        struct slice token;
        assert_int_equal(sasl_attempt_step(a, (struct slice){ 0 }, &token), SASL_STATE_MORE);
        if (sasl_attempt_step(a, slice_str(challenges[i]), &token) != SASL_STATE_FAILED)
            fail_msg("%s is answered", challenges[i]);
        assert_int_equal(sasl_attempt_step(a, slice_str(challenges[i]), &token), SASL_STATE_FAILED);
        sasl_attempt_free(a);
    }
    sasl_login_free(login);
}

static void mistakes_in_the_file_are_explained(void **state)
{
    (void)state;
    static const struct {
        const char *section;
        int rc;
        const char *says;
    } rows[] = {
        { "Nowhere", ERR_NOT_FOUND, "jaas.conf has no section Nowhere: add it, or name another with quorum.auth.x" },
        { "NoUser", ERR_INVALID, "section NoUser needs username=" },
        { "NoPassword", ERR_INVALID, "section NoPassword needs username=" },
        { "Empty", ERR_UNSUPPORTED, "section Empty has another login module than" },
        { "Kerberos", ERR_INVALID, "section Kerberos needs principal=" },
    };
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        struct sasl_login *l = NULL;
        struct sasl_error err;
        struct sasl_options options = options_of(rows[i].section);
        int rc = sasl_login_new(&options, &l, &err);
        if (rc != rows[i].rc || strstr(err.text, rows[i].says) == NULL)
            fail_msg("%s: %d %s", rows[i].section, rc, err.text);
        assert_null(l);
        assert_null(strstr(err.text, "secret"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(servers_log_in),
        cmocka_unit_test(both_sides_must_mean_the_same_realm),
        cmocka_unit_test(an_answer_is_for_one_service),
        cmocka_unit_test(services_and_logins_live_side_by_side),
        cmocka_unit_test(a_server_must_prove_itself),
        cmocka_unit_test(any_challenge_is_survived),
        cmocka_unit_test(mistakes_in_the_file_are_explained),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
