#include "server/config_peers.h"
#include "server/config_table.h"

/* The table in its order, with the titles between. */
static const struct {
    const char *title; /* NULL: a key */
    enum config_key key;
} entries[] = {
#define SECTION(title) { title, 0 },
#define ENTRY(field) { NULL, CONFIG_KEY_##field },
#define BOOL(field, ...) ENTRY(field)
#define YESNO(field, ...) ENTRY(field)
#define INT(field, ...) ENTRY(field)
#define LONG(field, ...) ENTRY(field)
#define REAL(field, ...) ENTRY(field)
#define TEXT(field, ...) ENTRY(field)
#define SECRET(field, ...) ENTRY(field)
#define PATH(field, ...) ENTRY(field)
#define LIST(field, ...) ENTRY(field)
#define ENUM(field, ...) ENTRY(field)
#define FAMILY(field, ...) ENTRY(field)
#include "server/config_keys.def"
#include "server/config_undef.h"
};

static const char *const effect_names[] = { [CONFIG_NOW] = "yes", [CONFIG_NONE] = "accepted" };

void config_value_text(const struct config *config, enum config_key key, struct buf *out)
{
    config_print(config, &config_rows[key], out);
}

static void print_text_row(const struct config_row *row, struct buf *out)
{
    buf_printf(out, "  %s", row->names);
    if (row->type == CONFIG_FAMILY) {
        buf_printf(out, "\n");
    } else {
        buf_printf(out, "=");
        config_print_default(row, out);
        buf_printf(out, "   (");
        config_print_range(row, out);
        buf_printf(out, ")\n");
    }
    buf_printf(out, "      %s", row->help);
    if (row->effect != CONFIG_NOW)
        buf_printf(out, " [%s]", effect_names[row->effect]);
    buf_printf(out, "\n");
    for (const char *alias = row->names + strlen(row->names) + 1; *alias != '\0'; alias += strlen(alias) + 1)
        buf_printf(out, "      also: %s\n", alias);
}

void config_help_text(struct buf *out)
{
    buf_printf(out, "Keys of zoo.cfg, each with its default. The same keys work as arguments: -Dzookeeper.KEY=VALUE;\n"
                    "a line of the file wins over an argument. [ensembles]: kept for a server in an ensemble.\n"
                    "[accepted]: a key of Apache ZooKeeper that has no meaning here.\n");
    for (size_t i = 0; i < ARRAY_COUNT(entries); i++) {
        if (entries[i].title != NULL)
            buf_printf(out, "\n%s\n", entries[i].title);
        else
            print_text_row(&config_rows[entries[i].key], out);
    }
}

/* A | in a cell would end it. */
static void print_cell(const char *text, struct buf *out)
{
    for (; *text != '\0'; text++) {
        if (*text == '|')
            buf_append(out, "\\", 1);
        buf_append(out, text, 1);
    }
}

static void print_markdown_row(const struct config_row *row, struct buf *out)
{
    buf_printf(out, "| `%s%s`", row->names, row->type == CONFIG_FAMILY ? "*" : "");
    for (const char *alias = row->names + strlen(row->names) + 1; *alias != '\0'; alias += strlen(alias) + 1)
        buf_printf(out, ", `%s`", alias);
    size_t before = out->n;
    buf_printf(out, " | `");
    config_print_default(row, out);
    if (out->n == before + strlen(" | `")) {
        out->n = before;
        buf_printf(out, " | ");
    } else {
        buf_printf(out, "`");
    }
    buf_printf(out, " | ");
    config_print_range(row, out);
    buf_printf(out, " | %s | ", effect_names[row->effect]);
    print_cell(row->help, out);
    buf_printf(out, " |\n");
}

void config_help_markdown(struct buf *out)
{
    buf_printf(out,
               "# Configuration\n\n"
               "<!-- Made by `zokor server --help-config=markdown` from src/server/config_keys.def. -->\n\n"
               "`zokor server zoo.cfg` reads Apache ZooKeeper's configuration file: Java properties syntax,\n"
               "`key=value` lines, `#` and `!` comments, `\\` at the end of a line to go on. Names and defaults are\n"
               "those of Apache ZooKeeper 3.9.5.\n\n"
               "Every key may also be given as an argument, `zokor server -Dzookeeper.KEY=VALUE zoo.cfg`, or in the\n"
               "environment variables `JVMFLAGS` and `SERVER_JVMFLAGS`. Each overrides the one before: defaults,\n"
               "`JVMFLAGS`, `SERVER_JVMFLAGS`, `-D` arguments, lines of the file. A line may carry the prefix\n"
               "`zookeeper.`, too.\n\n"
               "A wrong value stops the start with file, line, key, value and what is allowed (exit status 2). An\n"
               "unknown key is warned of once.\n\n"
               "The column *obeyed* says: **yes** (keys of ensembles: by their members);\n"
               "**accepted**: a key of Apache's that has no meaning here.\n");
    for (size_t i = 0; i < ARRAY_COUNT(entries); i++) {
        if (entries[i].title != NULL)
            buf_printf(out, "\n## %s\n\n| Key | Default | Values | Obeyed | Meaning |\n|---|---|---|---|---|\n",
                       entries[i].title);
        else
            print_markdown_row(&config_rows[entries[i].key], out);
    }
}

static void print_conf_row(const struct config *config, const struct config_facts *facts, enum config_key key,
                           struct buf *out)
{
    buf_printf(out, "%s=", config_key_name(key));
    if (key == CONFIG_KEY_client_port) {
        buf_printf(out, "%d\n", facts->client_port > 0 ? (int)facts->client_port : -1);
    } else if (key == CONFIG_KEY_secure_client_port) {
        buf_printf(out, "%d\n", config->secure_client_port > 0 ? (int)config->secure_client_port : -1);
    } else if (key == CONFIG_KEY_data_dir) {
        buf_printf(out, "%s\ndataDirSize=%lld\n", facts->snap_dir, (long long)facts->snap_dir_bytes);
    } else if (key == CONFIG_KEY_data_log_dir) {
        buf_printf(out, "%s\ndataLogSize=%lld\n", facts->log_dir, (long long)facts->log_dir_bytes);
    } else {
        config_print(config, &config_rows[key], out);
        buf_printf(out, "\n");
    }
}

void config_conf(const struct config *config, const struct config_facts *facts, struct buf *out)
{
    for (size_t i = 0; i < CONFIG_KEY_COUNT; i++) {
        if (config_rows[i].flags & CONFIG_SHOWN)
            print_conf_row(config, facts, (enum config_key)i, out);
    }
    buf_printf(out, "serverId=%lld\n", (long long)facts->server_id);
    if (slice_is_null(facts->membership))
        return;
    const struct config_peer *me = config_peer_find(config, config->my_id);
    buf_printf(out, "initLimit=%d\nsyncLimit=%d\nelectionAlg=%d\n", (int)config->init_limit_ticks,
               (int)config->sync_limit_ticks, (int)config->election_algorithm);
    if (me != NULL)
        buf_printf(out, "electionPort=%u\nquorumPort=%u\npeerType=%d\n", me->addresses[0].election_port,
                   me->addresses[0].quorum_port, me->observer ? 1 : 0);
    buf_printf(out, "membership: \n");
    buf_append_slice(out, facts->membership);
}
