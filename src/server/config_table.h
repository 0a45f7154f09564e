/* config_table: config_keys.def as rows, and what a row can do: find itself by name, take a text, show its value.
 * For the files config*.c alone. */
#ifndef ZOKOR_SERVER_CONFIG_TABLE_H
#define ZOKOR_SERVER_CONFIG_TABLE_H

#include "server/config.h"

enum config_type {
    CONFIG_BOOL,
    CONFIG_YESNO,
    CONFIG_INT,
    CONFIG_LONG,
    CONFIG_REAL,
    CONFIG_TEXT,
    CONFIG_SECRET,
    CONFIG_PATH,
    CONFIG_LIST,
    CONFIG_ENUM,
    CONFIG_FAMILY
};

enum config_effect { CONFIG_NOW, CONFIG_NONE };

enum { CONFIG_SHOWN = 1, CONFIG_INHERIT = 2 };

struct config_row {
    enum config_type type;
    enum config_effect effect;
    unsigned flags;
    size_t offset;            /* of the field in struct config */
    const char *names;        /* each ends in 0, an empty one ends them; the first is the spelling of zoo.cfg */
    int64_t number, min, max; /* default and range of BOOL (0, 1), INT, LONG */
    double real, real_min, real_max;
    const char *text;    /* default of TEXT, LIST, ENUM; "" for PATH, SECRET */
    const char *choices; /* of ENUM, space separated */
    const char *unit;
    const char *help;
};

extern const struct config_row config_rows[CONFIG_KEY_COUNT];

/* The row that has this name, with or without "zookeeper." before it; a family, if no row has exactly this name.
 * NULL for an unknown one. *bare gets the name without "zookeeper.". */
const struct config_row *config_find(struct slice name, struct slice *bare);

static inline enum config_key config_row_key(const struct config_row *row)
{
    return (enum config_key)(row - config_rows);
}

/* Sets the row's field from text. 0, or ERR_INVALID with `why` saying "'abc' is not a number (1..65535)".
 * For a family: appends or replaces the pair `name`. Text need not end in 0. */
int config_set(struct config *config, const struct config_row *row, struct slice name, struct slice text, int line,
               struct buf *why);

/* The field back to its default. */
void config_reset(struct config *config, const struct config_row *row);

/* Appends the default or the value of a row as zoo.cfg would have it; nothing for an unset text or a family. */
void config_print_default(const struct config_row *row, struct buf *out);
void config_print(const struct config *config, const struct config_row *row, struct buf *out);
/* Appends "1..65535", "true or false", "gz, snappy": what may stand there, with its unit. */
void config_print_range(const struct config_row *row, struct buf *out);

/* True for a key whose value is not to be shown: by its row (or NULL), or because its name speaks of a password. */
bool config_is_secret(const struct config_row *row, struct slice name);

/* A copy in the config's arena that ends in 0. */
const char *config_text(struct config *config, struct slice s);

/* Reads a decimal or 0x number with sign, all of s. False: not a number. *big: it is one, but outside int64_t. */
bool config_number(struct slice s, int64_t *out, bool *big);

#endif
