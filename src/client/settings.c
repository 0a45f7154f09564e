#include "client/settings.h"
#include "base/properties.h"
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILE_BYTES_MAX 65535u

enum kind {
    TEXT,
    PROTOCOL,
    SECURE,
    NAMES,
    LOGIN,
    JAAS,
    SECTION,
    PRINCIPAL, /* of the servers */
    TIMEOUT,
    NO_MATTER,
};

#define TLS(member) offsetof(struct settings, tls.member)

/* The keys of Java's client (ZKClientConfig, ClientX509Util, ZooKeeperSaslClient). */
static const struct key_row {
    const char *key;
    enum kind kind;
    size_t at; /* of the member of struct settings */
} keys[] = {
    { "zookeeper.client.secure", SECURE, 0 },
    { "zookeeper.request.timeout", TIMEOUT, 0 },
    { "zookeeper.ssl.trustStore.location", TEXT, TLS(trust) },
    { "zookeeper.ssl.trustStore.password", TEXT, TLS(trust_password) },
    { "zookeeper.ssl.trustStore.passwordPath", TEXT, TLS(trust_password_file) },
    { "zookeeper.ssl.trustStore.type", TEXT, TLS(trust_type) },
    { "zookeeper.ssl.keyStore.location", TEXT, TLS(key) },
    { "zookeeper.ssl.keyStore.password", TEXT, TLS(key_password) },
    { "zookeeper.ssl.keyStore.passwordPath", TEXT, TLS(key_password_file) },
    { "zookeeper.ssl.keyStore.type", TEXT, TLS(key_type) },
    { "zookeeper.ssl.protocol", PROTOCOL, TLS(protocols) },
    { "zookeeper.ssl.enabledProtocols", TEXT, TLS(protocols) },
    { "zookeeper.ssl.ciphersuites", TEXT, TLS(ciphers) },
    { "zookeeper.ssl.hostnameVerification", NAMES, 0 },
    { "zookeeper.clientCnxnSocket", NO_MATTER, 0 }, /* Java needs another class for TLS */
    { "zookeeper.sasl.client", LOGIN, 0 },
    { "zookeeper.sasl.clientconfig", SECTION, 0 },
    { "zookeeper.sasl.client.username", TEXT, offsetof(struct settings, sasl.service) },
    { "zookeeper.server.principal", PRINCIPAL, 0 },
    { "zookeeper.server.realm", NO_MATTER, 0 },                      /* krb5.conf says which realm a host is of */
    { "zookeeper.sasl.client.canonicalize.hostname", NO_MATTER, 0 }, /* and whether names are made canonical */
    { "java.security.auth.login.config", JAAS, 0 },
    { "java.security.krb5.conf", TEXT, offsetof(struct settings, krb5_conf) },
};

void settings_init(struct settings *s)
{
    *s = (struct settings){ .tls = { .size = sizeof s->tls }, .sasl = { .size = sizeof s->sasl } };
    arena_init(&s->strings, 4096);
}

static void wipe(const char *secret)
{
    if (secret != NULL)
        explicit_bzero((void *)(uintptr_t)secret, strlen(secret));
}

void settings_fini(struct settings *s)
{
    wipe(s->tls.trust_password);
    wipe(s->tls.key_password);
    arena_fini(&s->strings);
}

static const struct key_row *find_key(struct slice key)
{
    for (size_t i = 0; i < ARRAY_COUNT(keys); i++) {
        if (slice_eq_str(key, keys[i].key))
            return &keys[i];
    }
    return NULL;
}

static const char *keep(struct settings *s, struct slice text)
{
    return (const char *)arena_dup(&s->strings, text).p;
}

/* "zookeeper/host.example@REALM": krb5.conf knows the realm. */
static void take_principal(struct settings *s, struct slice value)
{
    const uint8_t *slash = memchr(value.p, '/', value.n), *at = memchr(value.p, '@', value.n);
    size_t n = at == NULL ? value.n : (size_t)(at - value.p);
    size_t service_n = slash == NULL || slash > value.p + n ? n : (size_t)(slash - value.p);
    s->sasl.service = keep(s, slice_of(value.p, service_n));
    if (service_n < n)
        s->sasl.host = keep(s, slice_of(slash + 1, n - service_n - 1));
}

static int take_timeout(struct settings *s, const struct key_row *row, const char *text, struct buf *error)
{
    char *end;
    errno = 0;
    long ms = strtol(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0 || ms > INT_MAX) {
        buf_printf(error, "%s: '%s' is not a number (0..%d ms)", row->key, text, INT_MAX);
        return -1;
    }
    s->request_timeout_ms = (int)ms;
    return 0;
}

static int take_key(struct settings *s, const struct key_row *row, struct slice value, struct buf *error)
{
    const char *text = keep(s, value);
    switch (row->kind) {
    case PROTOCOL: /* the one there is, if no list says more */
        if (s->tls.protocols == NULL)
            s->tls.protocols = text;
        break;
    case TEXT:
        *(const char **)((char *)s + row->at) = text[0] == '\0' ? NULL : text;
        break;
    case SECURE:
        s->secure = strcmp(text, "true") == 0;
        break;
    case NAMES:
        s->tls.any_name = strcmp(text, "false") == 0;
        break;
    case LOGIN:
        s->sasl_off = strcmp(text, "false") == 0;
        break;
    case JAAS:
        s->sasl.jaas = text;
        break;
    case SECTION:
        s->sasl.jaas_section = text;
        s->must_log_in = true;
        break;
    case PRINCIPAL:
        take_principal(s, value);
        break;
    case NO_MATTER:
        break;
    case TIMEOUT:
        return take_timeout(s, row, text, error);
    }
    return 0;
}

int settings_parse(struct settings *s, const char *name, const char *text, size_t n, struct buf *error,
                   struct buf *warnings)
{
    struct properties lines;
    struct property p;
    struct arena arena;
    int rc;
    arena_init(&arena, 4096);
    properties_init(&lines, slice_of(text, n), &arena);
    while ((rc = properties_next(&lines, &p)) == 1) {
        const struct key_row *row = find_key(p.key);
        struct buf why;
        buf_init(&why, SIZE_MAX / 2);
        if (row == NULL) {
            buf_printf(warnings, "%s: line %d: %s has no meaning for this client and is ignored\n", name, p.line,
                       (const char *)p.key.p);
        } else if (take_key(s, row, p.value, &why) != 0) {
            buf_printf(error, "%s: line %d: %.*s", name, p.line, (int)why.n, (const char *)why.p);
            rc = -1;
        }
        buf_fini(&why);
        if (rc == -1)
            break;
    }
    if (rc != 0 && rc != -1)
        buf_printf(error, "%s: line %d: a damaged \\u escape", name, p.line);
    arena_fini(&arena);
    return rc == 0 ? 0 : -1;
}

int settings_parse_flags(struct settings *s, const char *name, const char *flags, struct buf *error)
{
    while (flags[0] != '\0') {
        size_t n = strcspn(flags, " \t\n"), skip = strspn(flags + n, " \t\n");
        const char *equal = memchr(flags, '=', n);
        if (n > 2 && strncmp(flags, "-D", 2) == 0 && equal != NULL) {
            const struct key_row *row = find_key(slice_of(flags + 2, (size_t)(equal - flags) - 2));
            struct buf why;
            buf_init(&why, SIZE_MAX / 2);
            int rc = row == NULL ? 0 : take_key(s, row, slice_of(equal + 1, (size_t)(flags + n - equal) - 1), &why);
            if (rc != 0)
                buf_printf(error, "%s: %.*s", name, (int)why.n, (const char *)why.p);
            buf_fini(&why);
            if (rc != 0)
                return -1;
        }
        flags += n + skip;
    }
    return 0;
}

static int read_file(struct settings *s, const char *path, struct buf *error, struct buf *warnings)
{
    char text[FILE_BYTES_MAX + 1];
    FILE *file = fopen(path, "re");
    size_t n = file == NULL ? 0 : fread(text, 1, sizeof text, file);
    int rc = -1;
    if (file == NULL || ferror(file) != 0 || n == sizeof text)
        buf_printf(error, "Error processing %s: %s", path,
                   n == sizeof text ? "longer than 65535 bytes" : strerror(errno));
    else
        rc = settings_parse(s, path, text, n, error, warnings);
    if (file != NULL)
        (void)fclose(file);
    explicit_bzero(text, n);
    return rc;
}

int settings_read(struct settings *s, const struct settings_words *words, struct buf *error, struct buf *warnings)
{
    static const char *const variables[] = { "CLIENT_JVMFLAGS", "JVMFLAGS" };
    for (size_t i = 0; i < ARRAY_COUNT(variables); i++) {
        const char *flags = getenv(variables[i]);
        if (flags != NULL && settings_parse_flags(s, variables[i], flags, error) != 0)
            return -1;
    }
    if (words->configuration != NULL && read_file(s, words->configuration, error, warnings) != 0)
        return -1;
    if (words->section != NULL)
        s->sasl.jaas_section = words->section;
    if (words->jaas != NULL) {
        s->sasl.jaas = words->jaas;
        s->sasl_off = false;
    }
    s->must_log_in |= words->jaas != NULL || words->section != NULL;
    if (words->section != NULL && s->sasl.jaas == NULL) {
        buf_printf(error, "section %s of which file? --jaas FILE says it", words->section);
        return -1;
    }
    s->logs_in = s->sasl.jaas != NULL && !s->sasl_off;
    if (s->krb5_conf != NULL)
        (void)setenv("KRB5_CONFIG", s->krb5_conf, 0);
    return 0;
}
