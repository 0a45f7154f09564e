#include "cli/options.h"
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
    { "-client-configuration", TEXT, AT(connect.configuration) },
    { "--jaas", TEXT, AT(connect.jaas) },
    { "--sasl-section", TEXT, AT(connect.section) },
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
    settings_init(&out->settings);
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
    settings_fini(&options->settings);
}
