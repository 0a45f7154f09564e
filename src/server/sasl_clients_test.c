/* Frames of clients in, frames out, with a file of users and the side of SASL that logs in. */
#include "server/sasl_clients.h"
#include "base/err.h"
#include "base/mem.h"
#include "server/limits.h"
#include "server/sasl_login.h"
#include "server/server.h"
#include "wire/proto.h"
#include "wire/records.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#define MODULE "org.apache.zookeeper.server.auth.DigestLoginModule required "
#define PROVIDER "org.apache.zookeeper.server.auth.SASLAuthenticationProvider"

static const char jaas[] = "Server { " MODULE "user_bob=\"secret\" user_admin=\"hush\"; };"
                           "bob { " MODULE "username=\"bob\" password=\"secret\"; };"
                           "wrong { " MODULE "username=\"bob\" password=\"Secret\"; };"
                           "admin { " MODULE "username=\"admin\" password=\"hush\"; };";

struct bench {
    char path[64];
    struct config config;
    struct config_pair provider, super;
    struct sasl_clients *clients;
    struct buf frame;
};

static void bench_init(struct bench *b)
{
    *b = (struct bench){ .path = "/tmp/zokor-sasl-XXXXXX" };
    config_init(&b->config);
    buf_init(&b->frame, SIZE_MAX / 2);
    int fd = mkstemp(b->path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, jaas, sizeof jaas - 1), sizeof jaas - 1);
    close(fd);
    b->provider = (struct config_pair){ .name = "authProvider.1", .value = PROVIDER };
    b->super = (struct config_pair){ .name = "superUser", .value = "admin" };
    b->config.jaas_file = b->path;
    b->config.auth_providers = (struct config_pairs){ .at = &b->provider, .count = 1 };
    b->config.super_users = (struct config_pairs){ .at = &b->super, .count = 1 };
}

static void bench_open(struct bench *b)
{
    assert_int_equal(sasl_clients_new(&b->config, fs_real(), &b->clients), 0);
    assert_non_null(b->clients);
}

static void bench_fini(struct bench *b)
{
    sasl_clients_free(b->clients);
    buf_fini(&b->frame);
    unlink(b->path);
    config_fini(&b->config);
}

static bool send_frame(struct bench *b, uint32_t conn, int32_t xid, int32_t op, const struct slice *token,
                       struct sasl_answer *answer)
{
    buf_reset(&b->frame);
    uint8_t head[8];
    store_be32(head, (uint32_t)xid);
    store_be32(head + 4, (uint32_t)op);
    buf_append(&b->frame, head, sizeof head);
    if (token != NULL)
        wire_put_sasl_token(&b->frame, &(struct wire_sasl_token){ .token = *token });
    return sasl_clients_frame(b->clients, conn, buf_slice(&b->frame), answer);
}

/* The first frame of a connection: never one of ours, whatever it looks like. */
static void greet(struct bench *b, uint32_t conn)
{
    struct sasl_answer answer;
    assert_false(send_frame(b, conn, 0, WIRE_OP_SASL, &(struct slice){ 0 }, &answer));
}

/* The reply's error; its token is a copy, to be freed. */
static int sasl_request(struct bench *b, uint32_t conn, struct slice token, struct sasl_answer *answer,
                        struct slice *reply)
{
    assert_true(send_frame(b, conn, 77, WIRE_OP_SASL, &token, answer));
    assert_true(answer->reply.n > 4);
    assert_int_equal(load_be32(answer->reply.p), answer->reply.n - 4);
    struct wire_reader r = wire_reader_of(slice_of(answer->reply.p + 4, answer->reply.n - 4));
    struct wire_reply_header h = wire_get_reply_header(&r);
    struct slice got = wire_get_sasl_token(&r).token;
    assert_int_equal(r.err, 0);
    assert_int_equal(h.xid, 77);
    assert_int_equal(h.zxid, 0);
    *reply = got;
    if (got.n != 0) {
        uint8_t *copy = mem_alloc(got.n);
        memcpy(copy, got.p, got.n);
        reply->p = copy;
    }
    return h.err;
}

static void free_token(struct slice token)
{
    if (token.n != 0)
        mem_free((void *)(uintptr_t)token.p);
}

struct login {
    struct sasl_login *login;
    struct sasl_attempt *attempt;
};

static void login_init(struct login *l, const char *section)
{
    struct sasl_error err;
    const struct sasl_options options = { .jaas_path = "jaas.conf",
                                          .jaas = slice_str(jaas),
                                          .section = section,
                                          .section_key = "x",
                                          .service = SASL_CLIENTS_SERVICE,
                                          .realm = SASL_CLIENTS_REALM,
                                          .super_password = "" };
    if (sasl_login_new(&options, &l->login, &err) != 0)
        fail_msg("%s", err.text);
    l->attempt = sasl_attempt_new(l->login, "");
    struct slice none;
    assert_int_equal(sasl_attempt_step(l->attempt, (struct slice){ 0 }, &none), SASL_STATE_MORE);
}

static void login_fini(struct login *l)
{
    sasl_attempt_free(l->attempt);
    sasl_login_free(l->login);
}

/* Both rounds on a connection that has greeted; the error of the last reply. */
static int log_in(struct bench *b, uint32_t conn, const char *section, struct sasl_answer *answer)
{
    struct login l;
    struct slice challenge, token, proof;
    login_init(&l, section);
    assert_int_equal(sasl_request(b, conn, (struct slice){ 0 }, answer, &challenge), 0);
    assert_true(slice_is_null(answer->id));
    assert_false(answer->close);
    assert_int_equal(sasl_attempt_step(l.attempt, challenge, &token), SASL_STATE_MORE);
    int err = sasl_request(b, conn, token, answer, &proof);
    if (!slice_is_null(answer->id))
        assert_int_equal(sasl_attempt_step(l.attempt, proof, &token), SASL_STATE_DONE);
    else
        assert_true(slice_is_null(proof));
    free_token(challenge);
    free_token(proof);
    login_fini(&l);
    return err;
}

static void nothing_is_made_unless_configured(void **state)
{
    (void)state;
    struct config config;
    struct sasl_clients *c;
    config_init(&config);
    assert_int_equal(sasl_clients_new(&config, fs_real(), &c), 0);
    assert_null(c);
    assert_null(sasl_schemes(&config));
    config_fini(&config);
}

static void a_login_proves_an_id(void **state)
{
    (void)state;
    struct bench b;
    struct sasl_answer answer;
    bench_init(&b);
    bench_open(&b);
    assert_string_equal(sasl_schemes(&b.config), "sasl");
    greet(&b, 3);
    greet(&b, 900);
    assert_int_equal(log_in(&b, 3, "bob", &answer), 0);
    assert_true(slice_eq_str(answer.id, "bob"));
    assert_false(answer.super);
    assert_false(answer.close);
    assert_int_equal(log_in(&b, 900, "admin", &answer), 0);
    assert_true(slice_eq_str(answer.id, "admin"));
    assert_true(answer.super);
    bench_fini(&b);
}

static void other_frames_are_the_cores(void **state)
{
    (void)state;
    struct bench b;
    struct sasl_answer answer;
    bench_init(&b);
    bench_open(&b);
    greet(&b, 0);
    assert_false(send_frame(&b, 0, 1, WIRE_OP_PING, NULL, &answer));
    assert_false(sasl_clients_frame(b.clients, 0, slice_of("\0\0\0\1\0\0\0", 7), &answer));
    assert_false(sasl_clients_frame(b.clients, 0, (struct slice){ 0 }, &answer));
    bench_fini(&b);
}

static void failures_end_the_connection(void **state)
{
    (void)state;
    struct bench b;
    struct sasl_answer answer;
    bench_init(&b);
    bench_open(&b);
    greet(&b, 0);
    assert_int_equal(log_in(&b, 0, "wrong", &answer), ERR_AUTH_FAILED);
    assert_true(answer.close);
    /* a request that is cut off has no answer */
    sasl_clients_forget(b.clients, 0);
    greet(&b, 0);
    assert_true(send_frame(&b, 0, 1, WIRE_OP_SASL, NULL, &answer));
    assert_true(answer.close);
    assert_int_equal(answer.reply.n, 0);
    bench_fini(&b);
}

static void a_second_login_on_a_connection_fails(void **state)
{
    (void)state;
    struct bench b;
    struct sasl_answer answer;
    struct slice reply;
    bench_init(&b);
    bench_open(&b);
    greet(&b, 0);
    assert_int_equal(log_in(&b, 0, "bob", &answer), 0);
    assert_int_equal(sasl_request(&b, 0, (struct slice){ 0 }, &answer, &reply), ERR_AUTH_FAILED);
    assert_true(answer.close);
    sasl_clients_forget(b.clients, 0); /* the number's next connection is another */
    greet(&b, 0);
    assert_int_equal(log_in(&b, 0, "admin", &answer), 0);
    assert_true(slice_eq_str(answer.id, "admin"));
    bench_fini(&b);
}

static void failures_may_be_allowed(void **state)
{
    (void)state;
    struct bench b;
    struct sasl_answer answer;
    bench_init(&b);
    b.config.allow_failed_sasl = true;
    bench_open(&b);
    greet(&b, 0);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(log_in(&b, 0, "wrong", &answer), 0);
        assert_true(slice_is_null(answer.id));
        assert_false(answer.close);
    }
    assert_int_equal(log_in(&b, 0, "bob", &answer), 0);
    assert_true(slice_eq_str(answer.id, "bob"));
    bench_fini(&b);
}

static void required_logins_win_over_allowed_failures(void **state)
{
    (void)state;
    struct bench b;
    struct sasl_answer answer;
    bench_init(&b);
    b.config.allow_failed_sasl = true;
    b.config.enforce_auth = true;
    b.config.enforce_auth_schemes = "digest, sasl";
    bench_open(&b);
    greet(&b, 0);
    assert_int_equal(log_in(&b, 0, "wrong", &answer), ERR_SESSION_CLOSED_REQUIRE_SASL);
    assert_true(answer.close);
    bench_fini(&b);
    bench_init(&b);
    b.config.enforce_auth = true;
    b.config.enforce_auth_schemes = "sasl";
    b.config.auth_providers.count = 0;
    assert_int_equal(sasl_clients_new(&b.config, fs_real(), &b.clients), SERVER_EXIT_USAGE);
    assert_null(b.clients);
    bench_fini(&b);
}

/* As many as may run, and one more: the one that began first must begin again, the others end well. */
static void the_oldest_exchange_makes_room(void **state)
{
    (void)state;
    struct bench b;
    struct sasl_answer answer;
    struct login first, second;
    struct slice reply, again, token, challenges[2];
    bench_init(&b);
    bench_open(&b);
    login_init(&first, "bob");
    login_init(&second, "bob");
    for (uint32_t conn = 0; conn <= LIMIT_SASL_RUNNING; conn++) {
        greet(&b, conn);
        assert_int_equal(sasl_request(&b, conn, (struct slice){ 0 }, &answer, &reply), 0);
        if (conn < 2)
            challenges[conn] = reply;
        else
            free_token(reply);
    }
    assert_int_equal(sasl_attempt_step(second.attempt, challenges[1], &token), SASL_STATE_MORE);
    assert_int_equal(sasl_request(&b, 1, token, &answer, &reply), 0);
    assert_true(slice_eq_str(answer.id, "bob"));
    free_token(reply);
    assert_int_equal(sasl_attempt_step(first.attempt, challenges[0], &token), SASL_STATE_MORE);
    assert_int_equal(sasl_request(&b, 0, token, &answer, &again), 0);
    assert_true(slice_is_null(answer.id));
    assert_true(again.n > 0); /* a new challenge */
    assert_false(slice_eq(again, challenges[0]));
    free_token(again);
    free_token(challenges[0]);
    free_token(challenges[1]);
    login_fini(&first);
    login_fini(&second);
    bench_fini(&b);
}

static void mistakes_are_refused(void **state)
{
    (void)state;
    struct bench b;
    bench_init(&b);
    b.config.jaas_file = "/nowhere/jaas.conf";
    assert_int_equal(sasl_clients_new(&b.config, fs_real(), &b.clients), SERVER_EXIT_USAGE);
    b.config.jaas_file = "/tmp";
    assert_int_equal(sasl_clients_new(&b.config, fs_real(), &b.clients), SERVER_EXIT_USAGE);
    b.config.jaas_file = b.path;
    b.config.sasl_server_section = "Nobody";
    assert_int_equal(sasl_clients_new(&b.config, fs_real(), &b.clients), 0);
    assert_null(b.clients);
    bench_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_made_unless_configured),
        cmocka_unit_test(a_login_proves_an_id),
        cmocka_unit_test(other_frames_are_the_cores),
        cmocka_unit_test(failures_end_the_connection),
        cmocka_unit_test(a_second_login_on_a_connection_fails),
        cmocka_unit_test(failures_may_be_allowed),
        cmocka_unit_test(required_logins_win_over_allowed_failures),
        cmocka_unit_test(the_oldest_exchange_makes_room),
        cmocka_unit_test(mistakes_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
