#include "cli/options.h"
#include "base/properties.h"
#include "cli/numbers.h"
#include <limits.h>
#include <stdlib.h>

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
    *out = (struct cli_options){ .server = "localhost:2181", .timeout_ms = 30000 };
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

static bool is_true(const struct property *p)
{
    return slice_eq_str(p->value, "true");
}

/* 1: it was one of them; 0: it was not; -1: it is too long. */
static int take_tls_text(struct cli_tls *tls, const char *name, const struct property *p, struct buf *error)
{
    static const char *const keys[CLI_TLS_TEXTS] = {
        [CLI_TLS_TRUST] = "trustStore.location",
        [CLI_TLS_TRUST_PASSWORD] = "trustStore.password",
        [CLI_TLS_TRUST_PASSWORD_FILE] = "trustStore.passwordPath",
        [CLI_TLS_TRUST_TYPE] = "trustStore.type",
        [CLI_TLS_KEY] = "keyStore.location",
        [CLI_TLS_KEY_PASSWORD] = "keyStore.password",
        [CLI_TLS_KEY_PASSWORD_FILE] = "keyStore.passwordPath",
        [CLI_TLS_KEY_TYPE] = "keyStore.type",
        [CLI_TLS_PROTOCOL] = "protocol",
        [CLI_TLS_PROTOCOLS] = "enabledProtocols",
        [CLI_TLS_CIPHERS] = "ciphersuites",
    };
    static const char prefix[] = "zookeeper.ssl.";
    if (p->key.n < sizeof prefix || memcmp(p->key.p, prefix, sizeof prefix - 1) != 0)
        return 0;
    for (size_t i = 0; i < CLI_TLS_TEXTS; i++) {
        if (strcmp((const char *)p->key.p + sizeof prefix - 1, keys[i]) != 0)
            continue;
        if (p->value.n >= CLI_TLS_TEXT_BYTES) {
            buf_printf(error, "%s: line %d: %s has %zu bytes, at most %d", name, p->line, (const char *)p->key.p,
                       p->value.n, CLI_TLS_TEXT_BYTES - 1);
            return -1;
        }
        memcpy(tls->texts[i], p->value.p, p->value.n + 1); /* with its 0 */
        return 1;
    }
    return 0;
}

static int take_property(struct cli_options *out, const char *name, const struct property *p, struct buf *error,
                         struct buf *warnings)
{
    int64_t ms;
    if (slice_eq_str(p->key, "zookeeper.request.timeout")) {
        if (cli_number((const char *)p->value.p, 10, 0, INT_MAX, &ms) != 0) {
            buf_printf(error, "%s: line %d: zookeeper.request.timeout: '%s' is not a number (0..%d ms)", name, p->line,
                       (const char *)p->value.p, INT_MAX);
            return -1;
        }
        out->request_timeout_ms = (int)ms;
        return 0;
    }
    if (slice_eq_str(p->key, "zookeeper.client.secure")) {
        out->tls.secure = is_true(p);
        return 0;
    }
    if (slice_eq_str(p->key, "zookeeper.ssl.hostnameVerification")) {
        out->tls.any_name = slice_eq_str(p->value, "false");
        return 0;
    }
    if (slice_eq_str(p->key, "zookeeper.clientCnxnSocket")) /* which of Java's sockets: TLS needs one of them there */
        return 0;
    int taken = take_tls_text(&out->tls, name, p, error);
    if (taken != 0)
        return taken < 0 ? -1 : 0;
    if (slice_eq_str(p->key, "zookeeper.sasl.client") && !is_true(p))
        return 0;
    buf_printf(warnings, "%s: line %d: %s has no meaning for this client and is ignored\n", name, p->line,
               (const char *)p->key.p);
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
        rc = take_property(out, name, &p, error, warnings);
        if (rc != 0)
            break;
    }
    if (rc != 0 && rc != -1)
        buf_printf(error, "%s: line %d: a damaged \\u escape", name, p.line);
    arena_fini(&arena);
    return rc == 0 ? 0 : -1;
}

int cli_java_flags_parse(struct cli_options *out, const char *name, const char *flags, struct buf *error)
{
    struct buf ignored;
    int rc = 0;
    char *copy = strdup(flags), *rest = NULL;
    if (copy == NULL) {
        buf_printf(error, "%s: no memory", name);
        return -1;
    }
    buf_init(&ignored, SIZE_MAX / 2);
    for (char *word = strtok_r(copy, " \t\n", &rest); word != NULL && rc == 0; word = strtok_r(NULL, " \t\n", &rest)) {
        char *equals = strncmp(word, "-D", 2) == 0 ? strchr(word, '=') : NULL;
        if (equals == NULL)
            continue;
        *equals = '\0';
        struct property p = { .key = slice_str(word + 2), .value = slice_str(equals + 1), .line = 1 };
        rc = take_property(out, name, &p, error, &ignored);
    }
    buf_fini(&ignored);
    free(copy);
    return rc;
}
