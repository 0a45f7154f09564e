/* Configurations of TLS: which open a port, which are refused, and that none costs nothing. */
#include "server/client_tls.h"
#include "base/log.h"
#include "os/tls_test_support.h"
#include "server/server.h"

static struct {
    struct folder dir;
    struct pki ca, server;
    char key[160], trust[160], log[4096];
} world;

static void remember(void *ctx, enum log_level level, const char *event, const char *text)
{
    (void)ctx;
    (void)level;
    size_t n = strlen(world.log);
    snprintf(world.log + n, sizeof world.log - n, "%s %s\n", event, text);
}

static void config_open(struct config *c)
{
    config_init(c);
    c->client_port = 2181;
    c->secure_client_port = 2281;
    c->ssl_key_store = world.key;
    c->ssl_trust_store = world.trust;
    world.log[0] = '\0';
}

static void assert_said(const char *text)
{
    if (strstr(world.log, text) == NULL)
        fail_msg("'%s' is not in: %s", text, world.log);
}

static void refused(struct config *c, const char *why)
{
    struct client_tls t;
    assert_int_equal(client_tls_init(&t, c), SERVER_EXIT_USAGE);
    assert_null(t.context);
    assert_said(why);
    client_tls_fini(&t);
    config_fini(c);
}

static void only_a_port_needs_it(void **state)
{
    (void)state;
    const struct {
        int32_t port, secure;
        bool unified, has_tls;
    } rows[] = {
        { 2181, 0, false, false }, { 2181, 0, true, true }, { 0, 2281, false, true }, { 0, 2281, true, true }
    };
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        struct config c;
        struct client_tls t;
        config_open(&c);
        c.client_port = rows[i].port;
        c.secure_client_port = rows[i].secure;
        c.client_unified = rows[i].unified;
        assert_int_equal(client_tls_init(&t, &c), 0);
        assert_int_equal(t.context != NULL, rows[i].has_tls);
        client_tls_fini(&t);
        config_fini(&c);
    }
}

static void refuses_configurations(void **state)
{
    (void)state;
    struct config c;
    config_open(&c);
    c.ssl_key_store = "";
    refused(&c, "ssl.keyStore.location");
    config_open(&c);
    c.ssl_key_store = "/nowhere.pem";
    refused(&c, "/nowhere.pem");
    config_open(&c);
    c.ssl_ocsp = true;
    refused(&c, "ssl.ocsp");
    config_open(&c);
    c.ssl_auth_provider = "other";
    refused(&c, "ssl.authProvider=other");
    config_open(&c);
    c.ssl_crl = true;
    refused(&c, "ssl.crl");
}

static void names_what_it_ignores(void **state)
{
    (void)state;
    struct config c;
    struct client_tls t;
    config_open(&c);
    c.ssl_supplier = "org.example.Supplier";
    assert_int_equal(client_tls_init(&t, &c), 0);
    assert_said("ssl.context.supplier.class=org.example.Supplier action=ignored");
    assert_said("tls.ready");
    client_tls_fini(&t);
    config_fini(&c);
}

static void warns_before_the_end(void **state)
{
    (void)state;
    struct config c;
    struct client_tls t;
    struct pki soon = pki_make(&(struct pki_wish){ .cn = "s", .from_s = -DAY_S, .to_s = 3 * DAY_S + 100 }, &world.ca);
    config_open(&c);
    c.ssl_key_store = folder_write_pem(&world.dir, "soon.pem", &soon, NULL, NULL);
    assert_int_equal(client_tls_init(&t, &c), 0);
    assert_said("days_left=3 next=");
    client_tls_fini(&t);
    config_fini(&c);
    pki_free(&soon);
}

static void knows_the_super_user(void **state)
{
    (void)state;
    struct config c;
    struct client_tls t;
    config_open(&c);
    assert_int_equal(client_tls_init(&t, &c), 0);
    assert_false(client_tls_is_super(&t, slice_str("")));
    c.x509_super_user = "CN=root,O=Zokor";
    assert_true(client_tls_is_super(&t, slice_str("CN=root,O=Zokor")));
    assert_false(client_tls_is_super(&t, slice_str("CN=root")));
    assert_false(client_tls_is_super(&t, slice_str("")));
    client_tls_fini(&t);
    config_fini(&c);
}

static int make_world(void **state)
{
    (void)state;
    folder_make(&world.dir);
    world.ca = pki_make(&(struct pki_wish){ .cn = "Authority", .authority = true }, NULL);
    world.server = pki_make(&(struct pki_wish){ .cn = "server" }, &world.ca);
    snprintf(world.key, sizeof world.key, "%s", folder_write_pem(&world.dir, "key.pem", &world.server, NULL, NULL));
    snprintf(world.trust, sizeof world.trust, "%s", folder_write_certs(&world.dir, "ca.pem", world.ca.cert, NULL));
    log_set_sink(remember, NULL, LOG_INFO);
    return 0;
}

static int remove_world(void **state)
{
    (void)state;
    log_set_sink(NULL, NULL, LOG_ERROR);
    pki_free(&world.ca);
    pki_free(&world.server);
    folder_remove(&world.dir);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_a_port_needs_it),  cmocka_unit_test(refuses_configurations),
        cmocka_unit_test(names_what_it_ignores), cmocka_unit_test(warns_before_the_end),
        cmocka_unit_test(knows_the_super_user),
    };
    return cmocka_run_group_tests(tests, make_world, remove_world);
}
