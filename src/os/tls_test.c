/* Two filters that talk through memory: handshakes that work, and each way in which one may not. */
#include "os/tls_test_support.h"
#include "base/err.h"
#include "base/log.h"
#include <openssl/err.h>
#include <openssl/ssl.h>

static struct {
    struct folder dir;
    struct pki ca, other_ca, server, alice, expired, future, stranger, for_servers;
    const char *server_pem, *ca_pem;
} world;

static char kept[16][160];

/* A path that stays. */
static const char *keep(const char *path)
{
    static unsigned next;
    assert_true(next < ARRAY_COUNT(kept));
    snprintf(kept[next], sizeof kept[0], "%s", path);
    return kept[next++];
}

static int make_world(void **state)
{
    (void)state;
    folder_make(&world.dir);
    world.ca = pki_make(&(struct pki_wish){ .cn = "Authority", .authority = true }, NULL);
    world.other_ca = pki_make(&(struct pki_wish){ .cn = "Other authority", .authority = true }, NULL);
    world.server = pki_make(&(struct pki_wish){ .cn = "server", .san = "DNS:zk.example,IP:10.0.0.1" }, &world.ca);
    world.alice =
        pki_make(&(struct pki_wish){ .cn = "alice", .o = "Zokor", .san = "DNS:alice,IP:10.0.0.2" }, &world.ca);
    world.expired = pki_make(&(struct pki_wish){ .cn = "old", .from_s = -9 * DAY_S, .to_s = -DAY_S }, &world.ca);
    world.future = pki_make(&(struct pki_wish){ .cn = "new", .from_s = DAY_S, .to_s = 9 * DAY_S }, &world.ca);
    world.stranger = pki_make(&(struct pki_wish){ .cn = "mallory" }, &world.other_ca);
    world.for_servers = pki_make(&(struct pki_wish){ .cn = "server", .usage = "serverAuth" }, &world.ca);
    world.server_pem = keep(folder_write_pem(&world.dir, "server.pem", &world.server, NULL, NULL));
    world.ca_pem = keep(folder_write_certs(&world.dir, "ca.pem", world.ca.cert, NULL));
    return 0;
}

static int remove_world(void **state)
{
    (void)state;
    struct pki *all[] = { &world.ca,      &world.other_ca, &world.server,   &world.alice,
                          &world.expired, &world.future,   &world.stranger, &world.for_servers };
    for (size_t i = 0; i < ARRAY_COUNT(all); i++)
        pki_free(all[i]);
    folder_remove(&world.dir);
    return 0;
}

static struct tls_options server_options(void)
{
    return (struct tls_options){ .role = TLS_SERVER,
                                 .key = { .location = world.server_pem },
                                 .trust = { .location = world.ca_pem },
                                 .client_auth = TLS_AUTH_NEED };
}

static struct tls_options client_options(const struct pki *who)
{
    static char path[160];
    struct tls_options o = { .role = TLS_CLIENT, .trust = { .location = world.ca_pem } };
    if (who != NULL) {
        snprintf(path, sizeof path, "%s", folder_write_pem(&world.dir, "client.pem", who, NULL, NULL));
        o.key.location = path;
    }
    return o;
}

static struct tls_context *context(struct tls_options o)
{
    struct tls_context *t;
    struct tls_error err = { "" };
    if (tls_context_new(&o, &t, &err) != 0)
        fail_msg("%s", err.text);
    return t;
}

/* A handshake of these two. The contexts may go at once: connections live on without them. */
static void meet(struct talk *k, struct tls_options client, const struct tls_peer *client_peer,
                 struct tls_options server, const struct tls_peer *server_peer)
{
    struct tls_context *c = context(client), *s = context(server);
    talk_init(k, c, client_peer, s, server_peer);
    tls_context_free(c);
    tls_context_free(s);
    talk_begin(k);
}

static void say(struct talk *k, struct wire_end *from, const char *text)
{
    struct slice part = slice_str(text);
    assert_int_equal(tls_send(from->conn, &part, 1, &from->out), 0);
    talk_run(k, 1u << 20);
}

static void assert_heard(struct wire_end *e, const char *text)
{
    assert_int_equal(e->plain.n, strlen(text));
    assert_memory_equal(e->plain.p, text, e->plain.n);
    buf_reset(&e->plain);
}

static void assert_fault(const struct wire_end *e, enum tls_fault fault)
{
    char text[512];
    tls_describe(e->conn, text, sizeof text);
    if (tls_fault(e->conn) != fault)
        fail_msg("fault %d, not %d: %s", tls_fault(e->conn), fault, text);
    assert_int_equal(tls_state(e->conn), TLS_FAILED);
    assert_int_equal(e->rc, ERR_INVALID);
    assert_true(strlen(text) > 10);
    assert_true(slice_is_null(tls_peer_subject(e->conn)));
}

/* ---- what works ---- */

static void both_talk(const char *protocol)
{
    struct talk k;
    struct tls_options client = client_options(&world.alice);
    client.protocols = protocol;
    meet(&k, client, NULL, server_options(), NULL);
    char text[64];
    tls_describe(k.server.conn, text, sizeof text);
    assert_int_equal(strncmp(text, protocol, strlen(protocol)), 0);
    assert_int_equal(tls_state(k.server.conn), TLS_ESTABLISHED);
    assert_int_equal(tls_state(k.client.conn), TLS_ESTABLISHED);
    assert_true(slice_eq_str(tls_peer_subject(k.server.conn), "CN=alice,O=Zokor"));
    assert_true(slice_eq_str(tls_peer_subject(k.client.conn), "CN=server"));
    say(&k, &k.client, "ping");
    assert_heard(&k.server, "ping");
    say(&k, &k.server, "pong");
    assert_heard(&k.client, "pong");
    tls_end(k.client.conn, &k.client.out);
    tls_end(k.client.conn, &k.client.out); /* twice is nothing */
    talk_run(&k, 1u << 20);
    assert_int_equal(k.server.rc, ERR_CLOSED);
    assert_int_equal(tls_state(k.server.conn), TLS_CLOSED);
    assert_int_equal(tls_feed_end(k.server.conn), 0);
    struct slice late = slice_str("late");
    assert_int_equal(tls_send(k.server.conn, &late, 1, &k.server.out), 0);
    assert_int_equal(tls_send(k.client.conn, &late, 1, &k.client.out), ERR_INVALID);
    talk_fini(&k);
}

static void talks(void **state)
{
    (void)state;
    both_talk("TLSv1.3");
    both_talk("TLSv1.2");
}

/* 3 MB in odd parts, carried in pieces that cut records anywhere. */
static void carries_any_sizes(void **state)
{
    (void)state;
    struct talk k;
    size_t total = 3000001, at = 0;
    uint8_t *bytes = malloc(total);
    for (size_t i = 0; i < total; i++)
        bytes[i] = (uint8_t)(i * 7 + i / 251);
    meet(&k, client_options(&world.alice), NULL, server_options(), NULL);
    static const size_t sizes[] = { 1, 16383, 0, 16384, 16385, 70000, 5, 1000000 };
    for (unsigned i = 0; at < total; i++) {
        struct slice parts[3];
        for (unsigned j = 0; j < 3; j++) {
            size_t n = sizes[(i * 3 + j) % ARRAY_COUNT(sizes)];
            n = n > total - at ? total - at : n;
            parts[j] = slice_of(bytes + at, n);
            at += n;
        }
        assert_int_equal(tls_send(k.server.conn, parts, 3, &k.server.out), 0);
    }
    assert_true(k.server.out.n > total);
    talk_run(&k, 7919);
    assert_int_equal(k.client.plain.n, total);
    assert_memory_equal(k.client.plain.p, bytes, total);
    talk_fini(&k);
    free(bytes);
}

/* Every byte alone: a handshake does not depend on how the network cuts it. */
static void shakes_hands_byte_by_byte(void **state)
{
    (void)state;
    struct talk k;
    struct tls_context *c = context(client_options(&world.alice)), *s = context(server_options());
    talk_init(&k, c, NULL, s, NULL);
    assert_int_equal(tls_begin(k.client.conn, &k.client.out), 0);
    struct slice early = slice_str("early");
    assert_int_equal(tls_send(k.client.conn, &early, 1, &k.client.out), ERR_BUSY);
    talk_run(&k, 1);
    say(&k, &k.client, "x");
    assert_heard(&k.server, "x");
    talk_fini(&k);
    tls_context_free(c);
    tls_context_free(s);
}

static void asks_for_certificates_as_told(void **state)
{
    (void)state;
    struct talk k;
    struct tls_options server = server_options();
    server.client_auth = TLS_AUTH_WANT;
    meet(&k, client_options(NULL), NULL, server, NULL);
    assert_int_equal(tls_state(k.server.conn), TLS_ESTABLISHED);
    assert_false(tls_peer_verified(k.server.conn));
    assert_true(slice_is_null(tls_peer_subject(k.server.conn)));
    talk_fini(&k);
    meet(&k, client_options(&world.stranger), NULL, server, NULL);
    assert_fault(&k.server, TLS_FAULT_UNTRUSTED);
    talk_fini(&k);
    server.client_auth = TLS_AUTH_NONE;
    meet(&k, client_options(&world.alice), NULL, server, NULL);
    assert_int_equal(tls_state(k.server.conn), TLS_ESTABLISHED);
    assert_false(tls_peer_verified(k.server.conn));
    talk_fini(&k);
    meet(&k, client_options(NULL), NULL, server_options(), NULL);
    assert_fault(&k.server, TLS_FAULT_NO_CERTIFICATE);
    assert_fault(&k.client, TLS_FAULT_ALERT);
    talk_fini(&k);
}

/* ---- who is refused ---- */

static void refuses_certificates(void **state)
{
    (void)state;
    const struct {
        const struct pki *who;
        enum tls_fault fault;
    } rows[] = {
        { &world.stranger, TLS_FAULT_UNTRUSTED },
        { &world.expired, TLS_FAULT_EXPIRED },
        { &world.future, TLS_FAULT_EXPIRED },
        { &world.for_servers, TLS_FAULT_UNTRUSTED },
    };
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        struct talk k;
        meet(&k, client_options(rows[i].who), NULL, server_options(), NULL);
        assert_fault(&k.server, rows[i].fault);
        assert_int_equal(tls_state(k.client.conn), TLS_FAILED);
        talk_fini(&k);
    }
}

static void client_refuses_servers(void **state)
{
    (void)state;
    struct talk k;
    struct tls_options server = server_options(), client = client_options(&world.alice);
    server.key.location = keep(folder_write_pem(&world.dir, "stranger.pem", &world.stranger, NULL, NULL));
    meet(&k, client, NULL, server, NULL);
    assert_fault(&k.client, TLS_FAULT_UNTRUSTED);
    assert_fault(&k.server, TLS_FAULT_ALERT);
    talk_fini(&k);
}

static void checks_names(void **state)
{
    (void)state;
    const struct {
        struct tls_peer server, client; /* what each end expects of the other: the server's, the client's */
        enum tls_fault at_client, at_server;
    } rows[] = {
        { { .name = "zk.example" }, { .address = "10.0.0.2" }, TLS_FAULT_NONE, TLS_FAULT_NONE },
        { { .name = "other", .address = "10.0.0.1" }, { .name = "alice" }, TLS_FAULT_NONE, TLS_FAULT_NONE },
        { { .name = "zk.example.org" }, { .address = "10.0.0.2" }, TLS_FAULT_NAME, TLS_FAULT_ALERT },
        { { .address = "10.0.0.2" }, { .address = "10.0.0.2" }, TLS_FAULT_NAME, TLS_FAULT_ALERT },
        { { .name = NULL }, { .address = "10.0.0.2" }, TLS_FAULT_NAME, TLS_FAULT_ALERT },
        { { .name = "zk.example" }, { .address = "10.0.0.3" }, TLS_FAULT_ALERT, TLS_FAULT_NAME },
    };
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        struct talk k;
        struct tls_options server = server_options(), client = client_options(&world.alice);
        server.verify_name = client.verify_name = true;
        meet(&k, client, &rows[i].server, server, &rows[i].client);
        if (rows[i].at_client != TLS_FAULT_NONE) {
            assert_fault(&k.client, rows[i].at_client);
            assert_fault(&k.server, rows[i].at_server);
        } else {
            assert_int_equal(tls_state(k.server.conn), TLS_ESTABLISHED);
            assert_int_equal(tls_state(k.client.conn), TLS_ESTABLISHED);
        }
        talk_fini(&k);
    }
}

/* What the server hears is kept until it knows the name of the client's address. */
static void a_name_may_be_told_later(void **state)
{
    (void)state;
    static const struct {
        const char *protocol, *name;
        enum tls_fault fault;
    } rows[] = {
        { "TLSv1.3", "alice", TLS_FAULT_NONE }, { "TLSv1.2", "alice", TLS_FAULT_NONE },
        { "TLSv1.3", "bob", TLS_FAULT_NAME },   { "TLSv1.2", "bob", TLS_FAULT_NAME },
        { "TLSv1.3", NULL, TLS_FAULT_NAME },
    };
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        struct talk k;
        struct tls_options server = server_options();
        const struct tls_peer stranger = { .address = "10.9.9.9", .name_later = true };
        server.verify_name = true;
        server.protocols = rows[i].protocol;
        meet(&k, client_options(&world.alice), NULL, server, &stranger);
        assert_int_equal(tls_state(k.client.conn), TLS_ESTABLISHED);
        say(&k, &k.client, "ping");
        say(&k, &k.client, "pong");
        assert_true(tls_wants_name(k.server.conn));
        assert_int_equal(tls_state(k.server.conn), TLS_HANDSHAKE);
        assert_false(tls_peer_verified(k.server.conn));
        assert_true(slice_is_null(tls_peer_subject(k.server.conn)));
        assert_heard(&k.server, "");
        k.server.rc = tls_tell_name(k.server.conn, rows[i].name, "none", &k.server.plain, &k.server.out);
        assert_false(tls_wants_name(k.server.conn));
        if (rows[i].fault == TLS_FAULT_NONE) {
            assert_int_equal(k.server.rc, 0);
            assert_int_equal(tls_state(k.server.conn), TLS_ESTABLISHED);
            assert_true(slice_eq_str(tls_peer_subject(k.server.conn), "CN=alice,O=Zokor"));
            assert_heard(&k.server, "pingpong");
            say(&k, &k.server, "late");
            assert_heard(&k.client, "late");
        } else {
            assert_fault(&k.server, rows[i].fault);
            assert_heard(&k.server, "");
        }
        talk_fini(&k);
    }
}

/* An address that the certificate holds is asked no name; a certificate that is not trusted fails at once. */
static void names_are_not_always_wanted(void **state)
{
    (void)state;
    struct talk k;
    struct tls_options server = server_options();
    const struct tls_peer peer = { .address = "10.0.0.2", .name_later = true };
    server.verify_name = true;
    meet(&k, client_options(&world.alice), NULL, server, &peer);
    assert_false(tls_wants_name(k.server.conn));
    assert_int_equal(tls_state(k.server.conn), TLS_ESTABLISHED);
    talk_fini(&k);
    meet(&k, client_options(&world.stranger), NULL, server, &peer);
    assert_false(tls_wants_name(k.server.conn));
    assert_fault(&k.server, TLS_FAULT_UNTRUSTED);
    talk_fini(&k);
}

static void write_crl(const char *name, const struct pki *by, const X509 *revoked, const struct pki *trusted)
{
    X509_CRL *crl = X509_CRL_new();
    ASN1_TIME *t = ASN1_TIME_new();
    X509_CRL_set_version(crl, 1);
    X509_CRL_set_issuer_name(crl, X509_get_subject_name(by->cert));
    X509_CRL_set1_lastUpdate(crl, X509_gmtime_adj(t, -100));
    X509_CRL_set1_nextUpdate(crl, X509_gmtime_adj(t, DAY_S));
    if (revoked != NULL) {
        X509_REVOKED *r = X509_REVOKED_new();
        X509_REVOKED_set_serialNumber(r, (ASN1_INTEGER *)(uintptr_t)X509_get0_serialNumber(revoked));
        X509_REVOKED_set_revocationDate(r, X509_gmtime_adj(t, -50));
        assert_int_equal(X509_CRL_add0_revoked(crl, r), 1);
    }
    assert_true(X509_CRL_sign(crl, by->key, EVP_sha256()) > 0);
    FILE *to = folder_open(&world.dir, name);
    PEM_write_X509(to, trusted->cert);
    PEM_write_X509_CRL(to, crl);
    fclose(to);
    ASN1_TIME_free(t);
    X509_CRL_free(crl);
}

static void looks_into_revocation_lists(void **state)
{
    (void)state;
    struct talk k;
    struct tls_context *t;
    struct tls_error err;
    struct tls_options server = server_options();
    server.crl = true;
    assert_int_equal(tls_context_new(&server, &t, &err), ERR_INVALID); /* no list: nobody could come in */
    assert_null(t);
    assert_non_null(strstr(err.text, "ssl.crl"));
    server.trust.location = keep(folder_file(&world.dir, "crl.pem"));
    write_crl("crl.pem", &world.ca, NULL, &world.ca);
    meet(&k, client_options(&world.alice), NULL, server, NULL);
    assert_int_equal(tls_state(k.server.conn), TLS_ESTABLISHED);
    talk_fini(&k);
    write_crl("crl.pem", &world.ca, world.alice.cert, &world.ca);
    meet(&k, client_options(&world.alice), NULL, server, NULL);
    assert_fault(&k.server, TLS_FAULT_REVOKED);
    talk_fini(&k);
    write_crl("crl.pem", &world.other_ca, NULL, &world.ca); /* of another authority: nothing is known about alice */
    meet(&k, client_options(&world.alice), NULL, server, NULL);
    assert_fault(&k.server, TLS_FAULT_REVOKED);
    talk_fini(&k);
}

/* ---- versions and cipher suites ---- */

static void needs_a_common_version(void **state)
{
    (void)state;
    struct talk k;
    struct tls_options server = server_options(), client = client_options(&world.alice);
    server.protocols = "TLSv1.3";
    client.protocols = "TLSv1.2,TLSv1.1";
    meet(&k, client, NULL, server, NULL);
    assert_fault(&k.server, TLS_FAULT_VERSION);
    talk_fini(&k);
    server.protocols = "";
    server.protocol = "TLSv1.2";
    client.protocols = "";
    meet(&k, client, NULL, server, NULL);
    char text[64];
    tls_describe(k.client.conn, text, sizeof text);
    assert_int_equal(strncmp(text, "TLSv1.2", 7), 0);
    talk_fini(&k);
}

static void needs_a_common_suite(void **state)
{
    (void)state;
    struct talk k;
    struct tls_options server = server_options(), client = client_options(&world.alice);
    server.protocols = client.protocols = "TLSv1.2";
    server.ciphers = "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,TLS_RSA_WITH_AES_128_CBC_SHA";
    client.ciphers = "ECDHE-ECDSA-AES256-GCM-SHA384";
    meet(&k, client, NULL, server, NULL);
    assert_fault(&k.server, TLS_FAULT_CIPHER);
    talk_fini(&k);
    client.ciphers = "";
    meet(&k, client, NULL, server, NULL);
    char text[64];
    tls_describe(k.server.conn, text, sizeof text);
    assert_string_equal(text, "TLSv1.2 ECDHE-ECDSA-AES128-GCM-SHA256");
    talk_fini(&k);
}

static void refuses_options(void **state)
{
    (void)state;
    struct tls_context *t;
    struct tls_error err;
    struct tls_options rows[7];
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++)
        rows[i] = server_options();
    rows[0].protocols = "TLSv1.1";
    rows[1].protocols = "TLSv1.3,Tls9";
    rows[2].protocol = "SSLv3";
    rows[3].ciphers = "TLS_NULL_WITH_NULL_NULL";
    rows[4].ocsp = true;
    rows[5].key.location = "";
    rows[6].trust.location = "/nowhere/ca.pem";
    static const char *const SAYS[] = { "enabledProtocols", "Tls9",          "protocol=SSLv3",         "ciphersuites",
                                        "ssl.ocsp=true",    "ssl.keyStore.", "ssl.trustStore.location" };
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        assert_true(tls_context_new(&rows[i], &t, &err) < 0);
        assert_null(t);
        if (strstr(err.text, SAYS[i]) == NULL)
            fail_msg("row %zu: %s", i, err.text);
    }
}

/* ---- reload ---- */

static void loads_what_has_changed(void **state)
{
    (void)state;
    struct talk before, after;
    struct tls_error err;
    struct tls_options o = server_options(), client = client_options(&world.alice);
    o.key.location = keep(folder_write_pem(&world.dir, "changing.pem", &world.server, NULL, NULL));
    struct tls_context *s = context(o), *c = context(client);
    assert_int_equal(tls_context_reload(s, &err), 0);
    talk_init(&before, c, NULL, s, NULL);
    talk_begin(&before);
    /* The name makes the file longer by more than signatures differ: within one tick of the clock that dates files its
     * length tells the change. */
    struct pki next = pki_make(&(struct pki_wish){ .cn = "server two of them" }, &world.ca);
    folder_write_pem(&world.dir, "changing.pem", &next, NULL, NULL);
    assert_int_equal(tls_context_reload(s, &err), 1);
    assert_int_equal(tls_context_reload(s, &err), 0);
    talk_init(&after, c, NULL, s, NULL);
    talk_begin(&after);
    assert_true(slice_eq_str(tls_peer_subject(before.client.conn), "CN=server"));
    assert_true(slice_eq_str(tls_peer_subject(after.client.conn), "CN=server two of them"));
    say(&before, &before.client, "still there");
    assert_heard(&before.server, "still there");
    talk_fini(&after);

    folder_write(&world.dir, "changing.pem", "broken", 6);
    assert_true(tls_context_reload(s, &err) < 0);
    assert_non_null(strstr(err.text, "changing.pem"));
    assert_int_equal(tls_context_reload(s, &err), 0); /* said once */
    talk_init(&after, c, NULL, s, NULL);
    talk_begin(&after);
    assert_true(slice_eq_str(tls_peer_subject(after.client.conn), "CN=server two of them"));
    folder_write_pem(&world.dir, "changing.pem", &world.server, NULL, NULL);
    assert_int_equal(tls_context_reload(s, &err), 1);
    talk_fini(&before);
    talk_fini(&after);
    tls_context_free(s);
    tls_context_free(c);
    pki_free(&next);
}

static void knows_when_it_ends(void **state)
{
    (void)state;
    struct tls_context *s = context(server_options()), *c = context(client_options(NULL));
    assert_in_range(tls_context_expires_s(s) - time(NULL), 29 * DAY_S, 31 * DAY_S);
    assert_true(tls_context_expires_s(c) == INT64_MAX);
    tls_context_free(s);
    tls_context_free(c);
}

/* ---- strangers ---- */

static void refuse_bytes(struct tls_context *s, const void *p, size_t n, enum tls_fault fault)
{
    struct wire_end e;
    talk_end_init(&e, s, NULL);
    e.rc = tls_feed(e.conn, slice_of(p, n), &e.plain, &e.out);
    assert_fault(&e, fault);
    assert_int_equal(tls_feed(e.conn, slice_of(p, n), &e.plain, &e.out), ERR_INVALID);
    assert_int_equal(e.plain.n, 0);
    tls_conn_free(e.conn);
    buf_fini(&e.out);
    buf_fini(&e.plain);
}

static void refuses_garbage(void **state)
{
    (void)state;
    struct tls_context *s = context(server_options());
    static const uint8_t connect[] = { 0, 0, 0, 45, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x75, 0x30, 0 };
    static const uint8_t long_record[] = { 0x16, 0x03, 0x01, 0xff, 0xff, 1, 0, 0, 0, 0, 0, 0 };
    static const uint8_t ssl2[] = { 0x80, 0x2e, 0x01, 0x00, 0x02, 0x00, 0x15, 0x00, 0x00, 0x00, 0x10, 0x01 };
    static const uint8_t old[] = { 0x16, 0x03, 0x00, 0x00, 0x05, 0x01, 0x00, 0x00, 0x01, 0x00 };
    refuse_bytes(s, connect, sizeof connect, TLS_FAULT_NOT_TLS);
    refuse_bytes(s, "ruok\n", 5, TLS_FAULT_NOT_TLS);
    refuse_bytes(s, "GET / HTTP/1.1\r\n\r\n", 18, TLS_FAULT_NOT_TLS);
    refuse_bytes(s, ssl2, sizeof ssl2, TLS_FAULT_NOT_TLS);
    refuse_bytes(s, long_record, sizeof long_record, TLS_FAULT_PROTOCOL);
    refuse_bytes(s, old, sizeof old, TLS_FAULT_PROTOCOL);
    tls_context_free(s);
}

static uint32_t draw(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

/* One byte of what the client says is another: the server refuses, or the byte did not count; it never hears
 * something that was not said. */
static void survives_changed_bytes(void **state)
{
    (void)state;
    struct tls_context *c = context(client_options(&world.alice)), *s = context(server_options());
    uint32_t seed = 7;
    unsigned refused = 0;
    for (int i = 0; i < 150; i++) {
        struct talk k;
        talk_init(&k, c, NULL, s, NULL);
        assert_int_equal(tls_begin(k.client.conn, &k.client.out), 0);
        for (int round = 0; round < 3 && k.client.out.n != 0; round++) {
            if (tls_state(k.client.conn) == TLS_ESTABLISHED) {
                struct slice part = slice_str("abcdef");
                assert_int_equal(tls_send(k.client.conn, &part, 1, &k.client.out), 0);
            }
            if (round == i % 2)
                k.client.out.p[draw(&seed) % k.client.out.n] ^= (uint8_t)(1u << (draw(&seed) % 8));
            talk_carry(&k.client, &k.server, 1000);
            talk_carry(&k.server, &k.client, 1000);
        }
        refused += tls_state(k.server.conn) == TLS_FAILED || tls_state(k.client.conn) == TLS_FAILED;
        if (k.server.plain.n != 0)
            assert_heard(&k.server, "abcdef");
        talk_fini(&k);
    }
    assert_true(refused > 100);
    tls_context_free(c);
    tls_context_free(s);
}

/* Carries bytes between the library's own client and a filter. */
static void carry_foreign(SSL *ssl, struct wire_end *e)
{
    char *p;
    long n = BIO_get_mem_data(SSL_get_wbio(ssl), &p);
    e->rc = tls_feed(e->conn, slice_of(p, (size_t)n), &e->plain, &e->out);
    (void)BIO_reset(SSL_get_wbio(ssl));
    if (e->out.n != 0)
        assert_int_equal(BIO_write(SSL_get_rbio(ssl), e->out.p, (int)e->out.n), e->out.n);
    buf_reset(&e->out);
}

/* A client of TLS 1.2 asks for another handshake: it is told no, and the connection could go on. */
static void refuses_renegotiation(void **state)
{
    (void)state;
    struct tls_options o = server_options();
    o.client_auth = TLS_AUTH_NONE;
    struct tls_context *s = context(o);
    struct wire_end e;
    talk_end_init(&e, s, NULL);
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_max_proto_version(ctx, TLS1_2_VERSION);
    SSL *ssl = SSL_new(ctx);
    SSL_set_bio(ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    SSL_set_connect_state(ssl);
    for (int i = 0; i < 4 && SSL_do_handshake(ssl) != 1; i++)
        carry_foreign(ssl, &e);
    assert_int_equal(SSL_is_init_finished(ssl), 1);
    assert_int_equal(SSL_write(ssl, "before", 6), 6);
    carry_foreign(ssl, &e);
    assert_heard(&e, "before");
    assert_int_equal(SSL_renegotiate(ssl), 1);
    assert_true(SSL_do_handshake(ssl) != 1);
    carry_foreign(ssl, &e);
    assert_int_equal(e.rc, 0);
    assert_int_equal(tls_state(e.conn), TLS_ESTABLISHED);
    ERR_clear_error();
    assert_true(SSL_do_handshake(ssl) != 1);
    assert_int_equal(ERR_GET_REASON(ERR_peek_error()), SSL_R_NO_RENEGOTIATION);
    SSL_free(ssl);
    SSL_CTX_free(ctx);
    tls_conn_free(e.conn);
    buf_fini(&e.out);
    buf_fini(&e.plain);
    tls_context_free(s);
}

static void says_where_it_was_cut(void **state)
{
    (void)state;
    struct talk k;
    meet(&k, client_options(&world.alice), NULL, server_options(), NULL);
    assert_int_equal(tls_feed_end(k.server.conn), ERR_TRUNCATED);
    assert_int_equal(tls_fault(k.server.conn), TLS_FAULT_TRUNCATED);
    talk_fini(&k);
}

/* A full buffer fails the connection, not the process. */
static void keeps_limits(void **state)
{
    (void)state;
    struct talk k;
    meet(&k, client_options(&world.alice), NULL, server_options(), NULL);
    buf_fini(&k.server.plain);
    buf_init(&k.server.plain, 1000);
    say(&k, &k.client, "a");
    assert_fault(&k.server, TLS_FAULT_MEMORY);
    talk_fini(&k);
}

static void tells_tls_from_plain(void **state)
{
    (void)state;
    static const uint8_t hello[] = { 0x16, 0x03, 0x01, 0x02 };
    assert_int_equal(tls_looks_like_client_hello(slice_of(hello, 0)), TLS_HELLO_MORE);
    assert_int_equal(tls_looks_like_client_hello(slice_of(hello, 1)), TLS_HELLO_MORE);
    assert_int_equal(tls_looks_like_client_hello(slice_of(hello, 2)), TLS_HELLO_YES);
    assert_int_equal(tls_looks_like_client_hello(slice_of(hello, 4)), TLS_HELLO_YES);
    assert_int_equal(tls_looks_like_client_hello(slice_str("ruok")), TLS_HELLO_NO);
    assert_int_equal(tls_looks_like_client_hello(slice_of("\0\0\0\x2d", 4)), TLS_HELLO_NO);
    assert_int_equal(tls_looks_like_client_hello(slice_of("\x16\x02", 2)), TLS_HELLO_NO);
    /* Byte by byte: what came before is kept for who reads on. */
    struct tls_sniff s = { 0 };
    assert_int_equal(tls_sniff(&s, slice_of(hello, 0)), TLS_HELLO_MORE);
    assert_int_equal(tls_sniffed(&s).n, 0);
    assert_int_equal(tls_sniff(&s, slice_of(hello, 1)), TLS_HELLO_MORE);
    assert_int_equal(tls_sniff(&s, slice_of(hello, 0)), TLS_HELLO_MORE);
    assert_int_equal(tls_sniff(&s, slice_of(hello + 1, 3)), TLS_HELLO_YES);
    assert_true(slice_eq(tls_sniffed(&s), slice_of(hello, 1)));
    assert_int_equal(tls_sniff(&s, slice_of("\x04", 1)), TLS_HELLO_NO);
    s = (struct tls_sniff){ 0 };
    assert_int_equal(tls_sniff(&s, slice_str("ruok")), TLS_HELLO_NO);
    assert_int_equal(tls_sniffed(&s).n, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(talks),
        cmocka_unit_test(carries_any_sizes),
        cmocka_unit_test(shakes_hands_byte_by_byte),
        cmocka_unit_test(asks_for_certificates_as_told),
        cmocka_unit_test(refuses_certificates),
        cmocka_unit_test(client_refuses_servers),
        cmocka_unit_test(checks_names),
        cmocka_unit_test(a_name_may_be_told_later),
        cmocka_unit_test(names_are_not_always_wanted),
        cmocka_unit_test(looks_into_revocation_lists),
        cmocka_unit_test(needs_a_common_version),
        cmocka_unit_test(needs_a_common_suite),
        cmocka_unit_test(refuses_options),
        cmocka_unit_test(loads_what_has_changed),
        cmocka_unit_test(knows_when_it_ends),
        cmocka_unit_test(refuses_garbage),
        cmocka_unit_test(survives_changed_bytes),
        cmocka_unit_test(refuses_renegotiation),
        cmocka_unit_test(says_where_it_was_cut),
        cmocka_unit_test(keeps_limits),
        cmocka_unit_test(tells_tls_from_plain),
    };
    return cmocka_run_group_tests(tests, make_world, remove_world);
}
