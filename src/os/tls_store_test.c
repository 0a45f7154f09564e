/* Key stores and trust stores: every kind of file that people have, and what is said about those that do not work. */
#include "base/err.h"
#include "os/tls_internal.h"
#include "os/tls_test_support.h"

static struct {
    struct folder dir;
    struct pki root, middle, leaf, other;
} world;

static char at[160];

static const char *path(const char *p)
{
    snprintf(at, sizeof at, "%s", p);
    return at;
}

static void assert_identity(const struct tls_store *s, const X509 *leaf, int chain)
{
    struct tls_identity id;
    struct tls_error err = { "" };
    if (tls_store_load_identity(s, "ssl.keyStore", &id, &err) != 0)
        fail_msg("%s", err.text);
    assert_int_equal(X509_cmp(id.leaf, leaf), 0);
    assert_int_equal(X509_check_private_key(id.leaf, id.key), 1);
    assert_int_equal(sk_X509_num(id.chain), chain);
    tls_identity_fini(&id);
}

static void refuse_identity(const struct tls_store *s, int rc, const char *says)
{
    struct tls_identity id;
    struct tls_error err = { "" };
    assert_int_equal(tls_store_load_identity(s, "ssl.keyStore", &id, &err), rc);
    assert_null(id.key);
    if (strstr(err.text, says) == NULL)
        fail_msg("'%s' is not in: %s", says, err.text);
}

static void assert_anchors(const struct tls_store *s, int count)
{
    struct tls_anchors a;
    struct tls_error err = { "" };
    if (tls_store_load_anchors(s, "ssl.trustStore", &a, &err) != 0)
        fail_msg("%s", err.text);
    assert_int_equal(sk_X509_num(a.certs), count);
    tls_anchors_fini(&a);
}

static void refuse_anchors(const struct tls_store *s, int rc, const char *says)
{
    struct tls_anchors a;
    struct tls_error err = { "" };
    assert_int_equal(tls_store_load_anchors(s, "ssl.trustStore", &a, &err), rc);
    assert_null(a.certs);
    if (strstr(err.text, says) == NULL)
        fail_msg("'%s' is not in: %s", says, err.text);
}

/* ---- PEM ---- */

static void pem_keys(void **state)
{
    (void)state;
    struct tls_store s = { .location = path(folder_write_pem(&world.dir, "k.pem", &world.leaf, NULL, NULL)) };
    assert_identity(&s, world.leaf.cert, 0);
    s.password = "not needed";
    assert_identity(&s, world.leaf.cert, 0);
    folder_write_pem(&world.dir, "k.pem", &world.leaf, NULL, world.middle.cert);
    assert_identity(&s, world.leaf.cert, 1);
    s.type = "pem";
    assert_identity(&s, world.leaf.cert, 1);
    s.type = "JKS"; /* what a file is called is not what it is */
    assert_identity(&s, world.leaf.cert, 1);
    s.type = "PFX9";
    refuse_identity(&s, ERR_INVALID, "ssl.keyStore.type=PFX9");
}

/* Certificates in any order, with the root and a stranger among them: sent are those between the leaf and the root. */
static void pem_chains_are_sorted(void **state)
{
    (void)state;
    struct tls_store s = { .location = path(folder_file(&world.dir, "chain.pem")) };
    FILE *to = folder_open(&world.dir, "chain.pem");
    PEM_write_X509(to, world.root.cert);
    PEM_write_X509(to, world.other.cert);
    PEM_write_X509(to, world.middle.cert);
    PEM_write_X509(to, world.leaf.cert);
    PEM_write_PrivateKey(to, world.leaf.key, NULL, NULL, 0, NULL, NULL);
    fclose(to);
    assert_identity(&s, world.leaf.cert, 1);
}

static void pem_passwords(void **state)
{
    (void)state;
    struct tls_store s = { .location = path(folder_write_pem(&world.dir, "e.pem", &world.leaf, "sesame", NULL)) };
    refuse_identity(&s, ERR_INVALID, "its key is encrypted; set ssl.keyStore.password");
    s.password = "wrong";
    refuse_identity(&s, ERR_INVALID, "ssl.keyStore.password");
    s.password = "sesame";
    assert_identity(&s, world.leaf.cert, 0);
    s.password = "wrong"; /* the file wins */
    s.password_path = folder_write(&world.dir, "password", "sesame\n", 7);
    assert_identity(&s, world.leaf.cert, 0);
    folder_write(&world.dir, "password", "sesame", 6);
    assert_identity(&s, world.leaf.cert, 0);
    folder_write(&world.dir, "password", "sesame\n\n", 8);
    refuse_identity(&s, ERR_INVALID, "ssl.keyStore.passwordPath");
    s.password_path = "/nowhere/password";
    refuse_identity(&s, ERR_NOT_FOUND, "ssl.keyStore.passwordPath");
}

static void pem_that_does_not_do(void **state)
{
    (void)state;
    struct tls_store s = { .location = path(folder_write_certs(&world.dir, "c.pem", world.leaf.cert, NULL)) };
    refuse_identity(&s, ERR_INVALID, "holds no private key");
    FILE *to = folder_open(&world.dir, "c.pem");
    PEM_write_PrivateKey(to, world.leaf.key, NULL, NULL, 0, NULL, NULL);
    PEM_write_X509(to, world.other.cert);
    fclose(to);
    refuse_identity(&s, ERR_INVALID, "no certificate in it belongs to its private key");
    static const char broken[] = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
    folder_write(&world.dir, "c.pem", broken, sizeof broken - 1);
    refuse_identity(&s, ERR_CORRUPT, "private key cannot be read");
    s.location = "/nowhere.pem";
    refuse_identity(&s, ERR_NOT_FOUND, "check ssl.keyStore.location");
    s.location = world.dir.path;
    refuse_identity(&s, ERR_INVALID, "no file of keys");
}

static void pem_trust(void **state)
{
    (void)state;
    struct tls_store s = { .location =
                               path(folder_write_certs(&world.dir, "t.pem", world.root.cert, world.other.cert)) };
    assert_anchors(&s, 2);
    static const char text[] = "Authorities of ours\n";
    folder_write(&world.dir, "t.pem", text, sizeof text - 1);
    refuse_anchors(&s, ERR_INVALID, "neither PEM nor PKCS#12");
    static const char cut[] = "-----BEGIN CERTIFICATE-----\nMIIB\n";
    folder_write(&world.dir, "t.pem", cut, sizeof cut - 1);
    refuse_anchors(&s, ERR_CORRUPT, "certificate 1 of the file");
    static const char other[] = "-----BEGIN PUBLIC KEY-----\nMIIB\n-----END PUBLIC KEY-----\n";
    folder_write(&world.dir, "t.pem", other, sizeof other - 1);
    refuse_anchors(&s, ERR_INVALID, "holds no certificate to trust");
    folder_write(&world.dir, "t.pem", "", 0);
    refuse_anchors(&s, ERR_INVALID, "neither PEM nor PKCS#12");
}

/* ---- PKCS#12 ---- */

static void pkcs12_keys(void **state)
{
    (void)state;
    struct tls_store s = {
        .location = path(folder_write_pkcs12(&world.dir, "k.p12", &world.leaf, "sesame", world.middle.cert)),
        .password = "sesame",
    };
    assert_identity(&s, world.leaf.cert, 1);
    s.password = "wrong";
    refuse_identity(&s, ERR_INVALID, "the password does not open it");
    s.password = "";
    refuse_identity(&s, ERR_INVALID, "the password does not open it");
    folder_write_pkcs12(&world.dir, "k.p12", &world.leaf, "", NULL);
    assert_identity(&s, world.leaf.cert, 0);
}

static void pkcs12_trust(void **state)
{
    (void)state;
    struct tls_store s = { .location = path(folder_file(&world.dir, "t.p12")), .password = "sesame" };
    const struct pki no_key = { .cert = world.root.cert };
    folder_write_pkcs12(&world.dir, "t.p12", &no_key, "sesame", world.other.cert);
    assert_anchors(&s, 2); /* as openssl writes a trust store */
    folder_write_pkcs12(&world.dir, "t.p12", &world.leaf, "sesame", world.middle.cert);
    assert_anchors(&s, 1); /* of a key's entry, Java trusts its certificate alone */
    s.password = "wrong";
    refuse_anchors(&s, ERR_INVALID, "the password does not open it");
}

/* ---- files of Java's own ---- */

static void java_formats(void **state)
{
    (void)state;
    struct tls_store s = { .location = path(folder_file(&world.dir, "old.jks")) };
    char command[300];
    folder_write(&world.dir, "old.jks", "\xfe\xed\xfe\xed\0\0\0\2", 8);
    snprintf(command, sizeof command,
             "keytool -importkeystore -srckeystore %s/old.jks -srcstoretype JKS -destkeystore %s/old.p12 "
             "-deststoretype PKCS12",
             world.dir.path, world.dir.path);
    refuse_identity(&s, ERR_UNSUPPORTED, command);
    refuse_identity(&s, ERR_UNSUPPORTED, "set ssl.keyStore.location=");
    refuse_anchors(&s, ERR_UNSUPPORTED, command);
    folder_write(&world.dir, "old.jks", "\xce\xce\xce\xce\0\0\0\2", 8);
    refuse_anchors(&s, ERR_UNSUPPORTED, "JCEKS");
    s.type = "BCFKS";
    folder_write(&world.dir, "old.jks", "\x30\x82\x01\x00", 4);
    refuse_anchors(&s, ERR_UNSUPPORTED, "BouncyCastleFipsProvider");
    folder_write_pkcs12(&world.dir, "old.jks", &world.leaf, "sesame", NULL); /* keytool of Java 9 and later */
    s.type = "JKS";
    s.password = "sesame";
    assert_identity(&s, world.leaf.cert, 0);
}

/* Whatever a file holds, there is an answer. */
static void broken_files(void **state)
{
    (void)state;
    struct tls_identity id;
    struct tls_anchors a;
    struct tls_error err;
    static uint8_t bytes[16384];
    uint32_t seed = 3;
    for (int i = 0; i < 120; i++) {
        struct tls_store s = { .password = "sesame" };
        s.location = i % 2 == 0 ? folder_write_pkcs12(&world.dir, "b", &world.leaf, "sesame", world.middle.cert)
                                : folder_write_pem(&world.dir, "b", &world.leaf, NULL, world.middle.cert);
        FILE *f = fopen(s.location, "re");
        size_t n = fread(bytes, 1, sizeof bytes, f);
        fclose(f);
        seed = seed * 1664525u + 1013904223u;
        if (i % 3 == 0)
            n = (seed >> 8) % n;
        else
            bytes[(seed >> 8) % n] ^= (uint8_t)(1u << (i % 8));
        folder_write(&world.dir, "b", bytes, n);
        if (tls_store_load_identity(&s, "ssl.keyStore", &id, &err) == 0)
            tls_identity_fini(&id);
        if (tls_store_load_anchors(&s, "ssl.trustStore", &a, &err) == 0)
            tls_anchors_fini(&a);
    }
}

static int make_world(void **state)
{
    (void)state;
    folder_make(&world.dir);
    world.root = pki_make(&(struct pki_wish){ .cn = "Root", .authority = true }, NULL);
    world.middle = pki_make(&(struct pki_wish){ .cn = "Middle", .authority = true }, &world.root);
    world.leaf = pki_make(&(struct pki_wish){ .cn = "leaf" }, &world.middle);
    world.other = pki_make(&(struct pki_wish){ .cn = "Other", .authority = true }, NULL);
    return 0;
}

static int remove_world(void **state)
{
    (void)state;
    pki_free(&world.root);
    pki_free(&world.middle);
    pki_free(&world.leaf);
    pki_free(&world.other);
    folder_remove(&world.dir);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pem_keys),      cmocka_unit_test(pem_chains_are_sorted),
        cmocka_unit_test(pem_passwords), cmocka_unit_test(pem_that_does_not_do),
        cmocka_unit_test(pem_trust),     cmocka_unit_test(pkcs12_keys),
        cmocka_unit_test(pkcs12_trust),  cmocka_unit_test(java_formats),
        cmocka_unit_test(broken_files),
    };
    return cmocka_run_group_tests(tests, make_world, remove_world);
}
