#include "cli/options.h"
#include "base/properties.h"
#include "cli/numbers.h"
#include <limits.h>

enum kind { FLAG, TEXT, NUMBER, COLOR, LOG, AUTH, END };

struct option_row {
    const char *name;
    enum kind kind;
    size_t at; /* of the member of struct cli_options */
};

#define AT(member) offsetof(struct cli_options, member)

static const struct option_row rows[] = {
    { "-server", TEXT, AT(server) },
    { "-timeout", NUMBER, AT(timeout_ms) },
    { "-r", FLAG, AT(read_only) },
    { "-client-configuration", TEXT, AT(configuration) },
    { "-waitforconnection", FLAG, AT(wait_for_connection) },
    { "--json", FLAG, AT(json) },
    { "--quiet", FLAG, AT(quiet) },
    { "-q", FLAG, AT(quiet) },
    { "--help", FLAG, AT(help) },
    { "-h", FLAG, AT(help) },
    { "--color", COLOR, AT(color) },
    { "--log", LOG, AT(log) },
    { "--auth", AUTH, AT(auths) },
};

static int choose(const char *option, const char *value, const char *const *words, int *out, struct buf *error)
{
    for (int i = 0; words[i] != NULL; i++) {
        if (strcmp(words[i], value) == 0) {
            *out = i;
            return 0;
        }
    }
    buf_printf(error, "%s: '%s' is not known; there are:", option, value);
    for (int i = 0; words[i] != NULL; i++)
        buf_printf(error, " %s", words[i]);
    return -1;
}

static int take(struct cli_options *out, const struct option_row *row, const char *value, struct buf *error)
{
    static const char *const colors[] = { "auto", "never", "always", NULL };
    static const char *const levels[] = { "off", "warn", "info", "debug", NULL };
    void *to = (char *)out + row->at;
    int64_t number;
    int choice = 0;
    switch (row->kind) {
    case FLAG:
        *(bool *)to = true;
        return 0;
    case TEXT:
        *(const char **)to = value;
        return 0;
    case NUMBER:
        if (cli_number(value, 10, 1, INT_MAX, &number) != 0) {
            buf_printf(error, "%s: '%s' is not a number of milliseconds (1..%d)", row->name, value, INT_MAX);
            return -1;
        }
        *(int *)to = (int)number;
        return 0;
    case COLOR:
        if (choose(row->name, value, colors, &choice, error) != 0)
            return -1;
        out->color = choice;
        return 0;
    case LOG:
        if (choose(row->name, value, levels, &choice, error) != 0)
            return -1;
        out->log = choice;
        return 0;
    default:
        if (strchr(value, ':') == NULL || out->auths_n == CLI_AUTHS_MAX) {
            buf_printf(error, "%s: '%s' is not scheme:auth, or there are more than %d", row->name, value,
                       CLI_AUTHS_MAX);
            return -1;
        }
        out->auths[out->auths_n++] = value;
        return 0;
    }
}

static const struct option_row *find_row(const char *word)
{
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        if (strcmp(rows[i].name, word) == 0)
            return &rows[i];
    }
    return NULL;
}

int cli_options_parse(struct cli_options *out, int argc, char **argv, struct buf *error, struct buf *warnings)
{
    *out = (struct cli_options){ .server = "localhost:2181", .timeout_ms = 30000, .tls = { .size = sizeof(out->tls) } };
    arena_init(&out->strings, 4096);
    int i = 1;
    for (; i < argc && argv[i][0] == '-'; i++) {
        const struct option_row *row = find_row(argv[i]);
        if (row == NULL) {
            buf_printf(warnings, "unknown option '%s' is ignored; zokor cli --help lists them\n", argv[i]);
            continue;
        }
        if (row->kind != FLAG && i + 1 >= argc) {
            buf_printf(error, "Error: no argument found for option %s", argv[i]);
            return -1;
        }
        if (take(out, row, row->kind == FLAG ? NULL : argv[i + 1], error) != 0)
            return -1;
        i += row->kind == FLAG ? 0 : 1;
    }
    out->command_at = i;
    return 0;
}

void cli_options_fini(struct cli_options *options)
{
    arena_fini(&options->strings);
}

#define TLS(member) offsetof(struct cli_options, tls.member)

/* The keys of Java's client (ZKClientConfig, ClientX509Util). */
static const struct key_row {
    const char *key;
    enum { TLS_TEXT, TLS_PROTOCOL, SECURE, NAMES, REQUEST_TIMEOUT, NO_MATTER } kind;
    size_t at; /* of the member of struct cli_options */
} keys[] = {
    { "zookeeper.client.secure", SECURE, 0 },
    { "zookeeper.request.timeout", REQUEST_TIMEOUT, 0 },
    { "zookeeper.ssl.trustStore.location", TLS_TEXT, TLS(trust) },
    { "zookeeper.ssl.trustStore.password", TLS_TEXT, TLS(trust_password) },
    { "zookeeper.ssl.trustStore.passwordPath", TLS_TEXT, TLS(trust_password_file) },
    { "zookeeper.ssl.trustStore.type", TLS_TEXT, TLS(trust_type) },
    { "zookeeper.ssl.keyStore.location", TLS_TEXT, TLS(key) },
    { "zookeeper.ssl.keyStore.password", TLS_TEXT, TLS(key_password) },
    { "zookeeper.ssl.keyStore.passwordPath", TLS_TEXT, TLS(key_password_file) },
    { "zookeeper.ssl.keyStore.type", TLS_TEXT, TLS(key_type) },
    { "zookeeper.ssl.protocol", TLS_PROTOCOL, TLS(protocols) },
    { "zookeeper.ssl.enabledProtocols", TLS_TEXT, TLS(protocols) },
    { "zookeeper.ssl.ciphersuites", TLS_TEXT, TLS(ciphers) },
    { "zookeeper.ssl.hostnameVerification", NAMES, 0 },
    { "zookeeper.clientCnxnSocket", NO_MATTER, 0 }, /* Java needs another class for TLS */
    { "zookeeper.sasl.client", NO_MATTER, 0 },
};

static const struct key_row *find_key(struct slice key)
{
    for (size_t i = 0; i < ARRAY_COUNT(keys); i++) {
        if (slice_eq_str(key, keys[i].key))
            return &keys[i];
    }
    return NULL;
}

static int take_key(struct cli_options *out, const struct key_row *row, struct slice value, struct buf *error)
{
    const char *text = (const char *)arena_dup(&out->strings, value).p;
    int64_t ms = 0;
    switch (row->kind) {
    case TLS_PROTOCOL: /* the one there is, if no list says more */
        if (out->tls.protocols == NULL)
            out->tls.protocols = text;
        return 0;
    case TLS_TEXT:
        *(const char **)((char *)out + row->at) = text[0] == '\0' ? NULL : text;
        return 0;
    case SECURE:
        out->secure = strcmp(text, "true") == 0;
        return 0;
    case NAMES:
        out->tls.any_name = strcmp(text, "false") == 0;
        return 0;
    case NO_MATTER:
        return 0;
    default:
        break;
    }
    if (cli_number(text, 10, 0, INT_MAX, &ms) != 0) {
        buf_printf(error, "%s: '%s' is not a number (0..%d ms)", row->key, text, INT_MAX);
        return -1;
    }
    out->request_timeout_ms = (int)ms;
    return 0;
}

int cli_configuration_parse(struct cli_options *out, const char *name, const char *text, size_t n, struct buf *error,
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
        } else if (take_key(out, row, p.value, &why) != 0) {
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

int cli_flags_parse(struct cli_options *out, const char *name, const char *flags, struct buf *error)
{
    while (flags[0] != '\0') {
        size_t n = strcspn(flags, " \t\n"), skip = strspn(flags + n, " \t\n");
        const char *equal = memchr(flags, '=', n);
        if (n > 2 && strncmp(flags, "-D", 2) == 0 && equal != NULL) {
            const struct key_row *row = find_key(slice_of(flags + 2, (size_t)(equal - flags) - 2));
            struct buf why;
            buf_init(&why, SIZE_MAX / 2);
            int rc = row == NULL ? 0 : take_key(out, row, slice_of(equal + 1, (size_t)(flags + n - equal) - 1), &why);
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
