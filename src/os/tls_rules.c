/* tls_rules: which versions and cipher suites are spoken. Java's names come from existing zoo.cfg files. What this
 * side cannot or will not speak is left out with a warning; that nothing remains is an error. */
#include "base/err.h"
#include "base/log.h"
#include "os/tls_internal.h"
#include <stdio.h>
#include <strings.h>

/* The next item of a comma separated list, without blanks around it. False at the end. */
static bool next_item(const char **at, char *item, size_t size)
{
    while (**at != '\0') {
        const char *from = *at + strspn(*at, ", \t");
        size_t n = strcspn(from, ",");
        *at = from + n;
        while (n > 0 && (from[n - 1] == ' ' || from[n - 1] == '\t'))
            n--;
        if (n == 0)
            continue;
        snprintf(item, size, "%.*s", n < size ? (int)n : (int)size - 1, from);
        return true;
    }
    return false;
}

/* ---- versions ---- */

/* 0: a known name of something that is not spoken any more; -1: unknown. */
static int version_of(const char *name)
{
    static const char *const OLD[] = { "SSLv2Hello", "SSLv2", "SSLv3", "SSL", "TLSv1", "TLSv1.0", "TLSv1.1" };
    if (strcasecmp(name, "TLSv1.3") == 0 || strcasecmp(name, "TLS") == 0)
        return TLS1_3_VERSION;
    if (strcasecmp(name, "TLSv1.2") == 0)
        return TLS1_2_VERSION;
    for (size_t i = 0; i < ARRAY_COUNT(OLD); i++)
        if (strcasecmp(name, OLD[i]) == 0)
            return 0;
    return -1;
}

static int fail_version(const struct tls_options *o, const char *key, const char *value, struct tls_error *err)
{
    return tls_fail(err, ERR_INVALID, "%s%s=%s: TLSv1.2 and TLSv1.3 are spoken; name one of them, or leave it out",
                    o->prefix, key, value);
}

int tls_rules_set_versions(SSL_CTX *ssl, const struct tls_options *o, struct tls_error *err)
{
    int low = TLS1_2_VERSION, high = TLS1_3_VERSION;
    if (tls_is_set(o->protocols)) {
        char item[64];
        low = high = 0;
        for (const char *at = o->protocols; next_item(&at, item, sizeof item);) {
            int version = version_of(item);
            if (version < 0)
                return fail_version(o, "enabledProtocols", o->protocols, err);
            if (version == 0) {
                log_warn("tls.version",
                         "key=%senabledProtocols version=%s action=ignored next=\"it is broken; remove it\"", o->prefix,
                         item);
                continue;
            }
            low = low == 0 || version < low ? version : low;
            high = version > high ? version : high;
        }
        if (high == 0)
            return fail_version(o, "enabledProtocols", o->protocols, err);
    } else if (tls_is_set(o->protocol)) {
        high = version_of(o->protocol);
        if (high <= 0)
            return fail_version(o, "protocol", o->protocol, err);
    }
    SSL_CTX_set_min_proto_version(ssl, low);
    SSL_CTX_set_max_proto_version(ssl, high);
    return 0;
}

/* ---- cipher suites ---- */

struct suites {
    char *text; /* colon separated */
    size_t n, cap;
};

static void add_suite(struct suites *s, const char *name)
{
    size_t n = strlen(name);
    ASSERT(s->n + n + 2 <= s->cap);
    if (s->n != 0)
        s->text[s->n++] = ':';
    memcpy(s->text + s->n, name, n + 1);
    s->n += n;
}

/* The library's suite of that name, Java's (SSL_ in the oldest names) or its own; NULL if it is not spoken. */
static const SSL_CIPHER *find_suite(SSL *ssl, const char *name)
{
    char iana[160];
    snprintf(iana, sizeof iana, "%s%s", strncmp(name, "SSL_", 4) == 0 ? "TLS_" : "",
             strncmp(name, "SSL_", 4) == 0 ? name + 4 : name);
    STACK_OF(SSL_CIPHER) *known = SSL_get_ciphers(ssl);
    for (int i = 0; i < sk_SSL_CIPHER_num(known); i++) {
        const SSL_CIPHER *suite = sk_SSL_CIPHER_value(known, i);
        const char *standard = SSL_CIPHER_standard_name(suite);
        if (strcmp(SSL_CIPHER_get_name(suite), name) == 0 || (standard != NULL && strcmp(standard, iana) == 0))
            return suite;
    }
    return NULL;
}

/* Sorts the names of the option into those of TLS 1.3 and the older ones. */
static int sort_suites(SSL_CTX *all, const struct tls_options *o, struct suites *new13, struct suites *old12,
                       struct tls_error *err)
{
    SSL *ssl = SSL_new(all);
    if (ssl == NULL)
        return tls_fail(err, ERR_NO_MEMORY, "no memory for TLS");
    char item[128];
    for (const char *at = o->ciphers; next_item(&at, item, sizeof item);) {
        const SSL_CIPHER *suite = find_suite(ssl, item);
        if (suite == NULL && strcmp(item, "TLS_EMPTY_RENEGOTIATION_INFO_SCSV") != 0)
            log_warn("tls.cipher",
                     "key=%sciphersuites suite=%s action=ignored next=\"the TLS library does not speak it; "
                     "remove it\"",
                     o->prefix, item);
        if (suite != NULL)
            add_suite(SSL_CIPHER_get_kx_nid(suite) == NID_kx_any ? new13 : old12, SSL_CIPHER_get_name(suite));
    }
    SSL_free(ssl);
    return 0;
}

static int apply_suites(SSL_CTX *ssl, const struct tls_options *o, const struct suites *new13,
                        const struct suites *old12, struct tls_error *err)
{
    bool speaks13 = SSL_CTX_get_max_proto_version(ssl) == TLS1_3_VERSION && new13->n != 0;
    bool speaks12 = SSL_CTX_get_min_proto_version(ssl) == TLS1_2_VERSION && old12->n != 0;
    if (!speaks13 && !speaks12)
        return tls_fail(err, ERR_INVALID,
                        "%sciphersuites=%s: none of these is spoken by the versions that are enabled; leave the key "
                        "out for the TLS library's choice",
                        o->prefix, o->ciphers);
    if (!speaks13)
        SSL_CTX_set_max_proto_version(ssl, TLS1_2_VERSION);
    if (!speaks12)
        SSL_CTX_set_min_proto_version(ssl, TLS1_3_VERSION);
    if ((speaks13 && SSL_CTX_set_ciphersuites(ssl, new13->text) != 1) ||
        (speaks12 && SSL_CTX_set_cipher_list(ssl, old12->text) != 1))
        return tls_fail(err, ERR_INVALID, "%sciphersuites=%s: %s", o->prefix, o->ciphers, tls_library_reason());
    return 0;
}

int tls_rules_set_ciphers(SSL_CTX *ssl, const struct tls_options *o, struct tls_error *err)
{
    if (!tls_is_set(o->ciphers))
        return 0;
    /* A context that speaks everything the library may be asked for: names are looked up in what it offers. Suites
     * without encryption or without a certificate are not in it. */
    SSL_CTX *all = SSL_CTX_new(TLS_method());
    size_t cap = strlen(o->ciphers) * 2 + 64;
    struct suites new13 = { .text = OPENSSL_zalloc(cap), .cap = cap };
    struct suites old12 = { .text = OPENSSL_zalloc(cap), .cap = cap };
    int rc = ERR_NO_MEMORY;
    if (all == NULL || new13.text == NULL || old12.text == NULL ||
        SSL_CTX_set_cipher_list(all, "ALL:!aNULL:!eNULL:!PSK:!SRP") != 1 ||
        SSL_CTX_set_ciphersuites(all, "TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256:"
                                      "TLS_AES_128_CCM_SHA256:TLS_AES_128_CCM_8_SHA256") != 1) {
        rc = tls_fail(err, ERR_NO_MEMORY, "no memory for TLS");
        goto out;
    }
    rc = sort_suites(all, o, &new13, &old12, err);
    if (rc == 0)
        rc = apply_suites(ssl, o, &new13, &old12, err);
out:
    OPENSSL_free(new13.text);
    OPENSSL_free(old12.text);
    SSL_CTX_free(all);
    return rc;
}
