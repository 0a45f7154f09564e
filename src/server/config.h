/* config: what zoo.cfg, -D arguments and the environment ask for, as one struct of plain fields. config_keys.def is
 * the one table: it makes the fields below, drives parsing, and feeds the word `conf`, --help-config and
 * docs/configuration.md.
 *
 * Parsing is pure: files come through a reader that is handed in, nothing is logged (warnings are returned).
 *
 * Where values come from, each overriding the one before: defaults, the -D flags of the environment (JVMFLAGS, then
 * SERVER_JVMFLAGS), -D arguments, lines of zoo.cfg. A file line wins over -D because Apache turns such lines into
 * system properties, which overrides what the command line had set. */
#ifndef ZOKOR_SERVER_CONFIG_H
#define ZOKOR_SERVER_CONFIG_H

#include "base/arena.h"
#include "base/buf.h"

/* One entry of a family of keys: authProvider.1=class is { "authProvider.1", "class" }. */
struct config_pair {
    const char *name;
    const char *value;
    int line; /* in the file it came from; 0 for -D */
};

/* In the order of the source; the last of equal names wins and is the only one here. */
struct config_pairs {
    struct config_pair *at;
    size_t count;
};

/* One address of a server line. Ports are 0 where the line has none. */
struct config_peer_address {
    const char *host; /* name or address, IPv6 without brackets */
    uint16_t quorum_port, election_port;
};

struct config_peer {
    int64_t id;
    struct config_peer_address *addresses; /* at least one; by host, as text */
    size_t address_count;
    bool observer;
    const char *client_host; /* "" when the line names none: every address */
    uint16_t client_port;    /* 0: none */
    int64_t group;           /* -1: none */
    int64_t weight;          /* 1 unless a weight line says otherwise */
};

enum config_origin { CONFIG_FROM_DEFAULT, CONFIG_FROM_DEFINE, CONFIG_FROM_FILE, CONFIG_FROM_ARGUMENT };

enum config_key {
#define SECTION(title)
#define BOOL(field, ...) CONFIG_KEY_##field,
#define YESNO(field, ...) CONFIG_KEY_##field,
#define INT(field, ...) CONFIG_KEY_##field,
#define LONG(field, ...) CONFIG_KEY_##field,
#define REAL(field, ...) CONFIG_KEY_##field,
#define TEXT(field, ...) CONFIG_KEY_##field,
#define SECRET(field, ...) CONFIG_KEY_##field,
#define PATH(field, ...) CONFIG_KEY_##field,
#define LIST(field, ...) CONFIG_KEY_##field,
#define ENUM(field, ...) CONFIG_KEY_##field,
#define FAMILY(field, ...) CONFIG_KEY_##field,
#include "server/config_keys.def"
#include "server/config_undef.h"
    CONFIG_KEY_COUNT
};

/* The fields have the units of config_keys.def at the end of their names. Strings are never NULL: "" is unset; they
 * live in `arena`. After config_load the computed ones are filled in: data_log_dir, session_timeout_ms_min and _max,
 * jute_extra_bytes, connect_to_leader_limit_ticks, election_read_timeout_ms; client_port, if a server line sets it. */
struct config {
#define SECTION(title)
#define BOOL(field, ...) bool field;
#define YESNO(field, ...) bool field;
#define INT(field, ...) int32_t field;
#define LONG(field, ...) int64_t field;
#define REAL(field, ...) double field;
#define TEXT(field, ...) const char *field;
#define SECRET(field, ...) const char *field;
#define PATH(field, ...) const char *field;
#define LIST(field, ...) const char *field;
#define ENUM(field, ...) const char *field;
#define FAMILY(field, ...) struct config_pairs field;
#include "server/config_keys.def"
#include "server/config_undef.h"

    const char *file;          /* path of zoo.cfg, "" without one */
    const char *file_text;     /* its keys as key=value lines, secrets masked; NULL without a file */
    struct config_peer *peers; /* from the server, group and weight lines, by id */
    size_t peer_count;
    int64_t my_id;           /* from dataDir/myid; -1 without one */
    int64_t dynamic_version; /* of the dynamic file, from its name; 0 without one */
    bool distributed;        /* these peers are an ensemble: more than one voter, or standaloneEnabled=false */

    struct config_pairs unknown; /* keys that no row takes; each was warned of once */
    const char **warnings;       /* one line each, for the log, in order */
    size_t warning_count, warning_cap;
    uint8_t origin[CONFIG_KEY_COUNT]; /* enum config_origin of each key */
    int origin_line[CONFIG_KEY_COUNT];
    struct arena arena;
};

/* Appends the whole file to out. 0, ERR_NOT_FOUND, ERR_ACCESS, ERR_IO, ERR_TOO_LONG. */
typedef int config_read_file(void *ctx, const char *path, struct buf *out);

struct config_input {
    const char *file;        /* path of zoo.cfg; NULL: none, then data_dir must be set or defaulted below */
    const char *client_port; /* positional form of Apache: PORT DATADIR [TICKTIME] [MAXCLIENTCNXNS]; NULL: absent */
    const char *data_dir;
    const char *tick_time;
    const char *conns_per_ip_max;
    const char *jvm_flags;        /* value of JVMFLAGS, or NULL */
    const char *server_jvm_flags; /* value of SERVER_JVMFLAGS, or NULL */
    const char *const *defines;   /* "name=value" of each -D argument, in order */
    size_t define_count;
    config_read_file *read_file; /* NULL: no file is read */
    void *read_ctx;
};

/* Without file and positional arguments: client_port 2181 on 127.0.0.1, data_dir CONFIG_DEFAULT_DATA_DIR, tick_time_ms
 * 2000; -D arguments may change these. */
#define CONFIG_DEFAULT_DATA_DIR "./zokor-data"

struct config_error {
    char text[1024]; /* "zoo.cfg: line 12: tickTime: 'abc' is not a number (1..2147483647 ms)" */
};

/* Fills *config from the table's defaults and the input. 0; ERR_INVALID for a bad key, value or combination, or the
 * reader's error: then err->text says what to correct, and *config holds nothing. */
int config_load(struct config *config, const struct config_input *input, struct config_error *err) WARN_UNUSED;

/* Defaults alone, as if an empty file had been read, computed fields included (data_dir is ""). For tests. */
void config_init(struct config *config);

/* Frees everything. Safe on zeroed memory. */
void config_fini(struct config *config);

/* What `conf` shows beside the keys. */
struct config_facts {
    const char *snap_dir, *log_dir; /* absolute, version-2 included */
    int64_t snap_dir_bytes, log_dir_bytes;
    int32_t client_port; /* as bound */
    int64_t server_id;
    struct slice membership; /* text of the ensemble's configuration; null: a standalone server */
};

/* The answer of the four-letter word conf, key=value lines in Apache's order. */
void config_conf(const struct config *config, const struct config_facts *facts, struct buf *out);

/* Calls fn for every key that was set, unknown ones too, as "zookeeper.KEY"; what may be secret is "***". */
void config_each_set(const struct config *config, void (*fn)(void *ctx, const char *name, const char *value),
                     void *ctx);

/* The table for people: plain text for `zokor server --help-config`, Markdown for docs/configuration.md. */
void config_help_text(struct buf *out);
void config_help_markdown(struct buf *out);

/* Value of a key as text ("true", "3000", "..."); secrets become "***" when set. */
void config_value_text(const struct config *config, enum config_key key, struct buf *out);
/* The name of a key as zoo.cfg spells it. */
const char *config_key_name(enum config_key key);

#endif
