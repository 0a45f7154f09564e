#include "server/config_table.h"
#include "base/err.h"
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define NOW CONFIG_NOW
#define NONE CONFIG_NONE
#define CONF CONFIG_SHOWN
#define INHERIT CONFIG_INHERIT
#define ROW(t, field, names_, effect_, flags_, help_, text_, choices_, unit_)                              \
    .type = CONFIG_##t, .offset = offsetof(struct config, field), .names = names_ "\0", .effect = effect_, \
    .flags = flags_, .help = help_, .text = text_, .choices = choices_, .unit = unit_

const struct config_row config_rows[CONFIG_KEY_COUNT] = {
#define SECTION(title)
#define FLAG(t, f, n, d, e, fl, h) [CONFIG_KEY_##f] = { ROW(t, f, n, e, fl, h, "", "", ""), .number = d, .max = 1 },
#define NUMBER(t, f, n, d, lo, hi, u, e, fl, h) \
    [CONFIG_KEY_##f] = { ROW(t, f, n, e, fl, h, "", "", u), .number = d, .min = lo, .max = hi },
#define WORDS(t, f, n, d, e, fl, h) [CONFIG_KEY_##f] = { ROW(t, f, n, e, fl, h, d, "", "") },
#define BOOL(...) FLAG(BOOL, __VA_ARGS__)
#define YESNO(...) FLAG(YESNO, __VA_ARGS__)
#define INT(...) NUMBER(INT, __VA_ARGS__)
#define LONG(...) NUMBER(LONG, __VA_ARGS__)
#define REAL(f, n, d, lo, hi, e, fl, h) \
    [CONFIG_KEY_##f] = { ROW(REAL, f, n, e, fl, h, "", "", ""), .real = d, .real_min = lo, .real_max = hi },
#define TEXT(...) WORDS(TEXT, __VA_ARGS__)
#define LIST(...) WORDS(LIST, __VA_ARGS__)
#define SECRET(f, n, e, fl, h) WORDS(SECRET, f, n, "", e, fl, h)
#define PATH(f, n, e, fl, h) WORDS(PATH, f, n, "", e, fl, h)
#define FAMILY(f, n, e, fl, h) WORDS(FAMILY, f, n, "", e, fl, h)
#define ENUM(f, n, c, d, e, fl, h) [CONFIG_KEY_##f] = { ROW(ENUM, f, n, e, fl, h, d, c, "") },
#include "server/config_keys.def"
#include "server/config_undef.h"
};

/* The next word of a space separated list; false at its end. */
static bool next_word(const char **at, struct slice *word)
{
    *at += strspn(*at, " ");
    size_t n = strcspn(*at, " ");
    *word = slice_of(*at, n);
    *at += n;
    return n > 0;
}

static bool row_has_name(const struct config_row *row, struct slice name)
{
    for (const char *at = row->names; *at != '\0'; at += strlen(at) + 1) {
        if (slice_eq_str(name, at))
            return true;
    }
    return false;
}

const char *config_key_name(enum config_key key)
{
    return config_rows[key].names;
}

/* "superUser" takes itself and "superUser.x"; "server." takes "server.x". */
static bool family_takes(const struct config_row *row, struct slice name)
{
    struct slice prefix = slice_str(row->names);
    if (!slice_starts(name, prefix))
        return false;
    return prefix.p[prefix.n - 1] == '.' || name.n == prefix.n || name.p[prefix.n] == '.';
}

const struct config_row *config_find(struct slice name, struct slice *bare)
{
    struct slice prefix = slice_str("zookeeper.");
    if (slice_starts(name, prefix))
        name = slice_of(name.p + prefix.n, name.n - prefix.n);
    *bare = name;
    for (size_t i = 0; i < CONFIG_KEY_COUNT; i++) {
        if (config_rows[i].type != CONFIG_FAMILY && row_has_name(&config_rows[i], name))
            return &config_rows[i];
    }
    for (size_t i = 0; i < CONFIG_KEY_COUNT; i++) {
        if (config_rows[i].type == CONFIG_FAMILY && family_takes(&config_rows[i], name))
            return &config_rows[i];
    }
    return NULL;
}

const char *config_text(struct config *config, struct slice s)
{
    if (s.n == 0)
        return "";
    return (const char *)arena_dup(&config->arena, s).p;
}

static bool eq_ignoring_case(struct slice s, struct slice word)
{
    if (s.n != word.n)
        return false;
    for (size_t i = 0; i < s.n; i++) {
        if (tolower(s.p[i]) != tolower(word.p[i]))
            return false;
    }
    return true;
}

bool config_number(struct slice s, int64_t *out, bool *big)
{
    bool minus = s.n > 0 && s.p[0] == '-';
    size_t at = s.n > 0 && (minus || s.p[0] == '+') ? 1 : 0;
    unsigned base = 10;
    if (s.n - at > 2 && s.p[at] == '0' && (s.p[at + 1] | 0x20) == 'x') {
        base = 16;
        at += 2;
    }
    *big = false;
    if (at == s.n)
        return false;
    uint64_t value = 0, limit = (uint64_t)INT64_MAX + minus;
    for (; at < s.n; at++) {
        unsigned c = s.p[at] | 0x20, digit;
        if (isdigit(s.p[at]))
            digit = s.p[at] - '0';
        else if (base == 16 && c >= 'a' && c <= 'f')
            digit = c - 'a' + 10;
        else
            return false;
        if (value > (limit - digit) / base)
            *big = true;
        if (!*big)
            value = value * base + digit;
    }
    *out = minus ? (int64_t)(0 - value) : (int64_t)value;
    return true;
}

static void *field(const struct config *config, const struct config_row *row)
{
    return (char *)(uintptr_t)config + row->offset;
}

static void set_number(struct config *config, const struct config_row *row, int64_t value)
{
    if (row->type == CONFIG_INT)
        *(int32_t *)field(config, row) = (int32_t)value;
    else if (row->type == CONFIG_LONG)
        *(int64_t *)field(config, row) = value;
    else
        *(bool *)field(config, row) = value != 0;
}

static int64_t get_number(const struct config *config, const struct config_row *row)
{
    if (row->type == CONFIG_INT)
        return *(int32_t *)field(config, row);
    if (row->type == CONFIG_LONG)
        return *(int64_t *)field(config, row);
    return *(bool *)field(config, row);
}

static int refuse(const struct config_row *row, struct slice text, const char *what, struct buf *why)
{
    buf_printf(why, "'%.*s' is %s (", SLICE_ARG(text), what);
    config_print_range(row, why);
    buf_append(why, ")", 1);
    return ERR_INVALID;
}

static int set_bool(struct config *config, const struct config_row *row, struct slice text, struct buf *why)
{
    bool yesno = row->type == CONFIG_YESNO;
    if (eq_ignoring_case(text, slice_str(yesno ? "yes" : "true")))
        set_number(config, row, 1);
    else if (eq_ignoring_case(text, slice_str(yesno ? "no" : "false")))
        set_number(config, row, 0);
    else
        return refuse(row, text, yesno ? "not yes or no" : "not true or false", why);
    return 0;
}

static int set_integer(struct config *config, const struct config_row *row, struct slice text, struct buf *why)
{
    int64_t value;
    bool big;
    if (!config_number(text, &value, &big))
        return refuse(row, text, "not a number", why);
    if (big || value < row->min || value > row->max)
        return refuse(row, text, "out of range", why);
    set_number(config, row, value);
    return 0;
}

static int set_real(struct config *config, const struct config_row *row, struct slice text, struct buf *why)
{
    char digits[64], *end;
    if (text.n == 0 || text.n >= sizeof digits || isspace(text.p[0]))
        return refuse(row, text, "not a number", why);
    memcpy(digits, text.p, text.n);
    digits[text.n] = '\0';
    double value = strtod(digits, &end);
    if (*end != '\0' || isnan(value))
        return refuse(row, text, "not a number", why);
    if (value < row->real_min || value > row->real_max)
        return refuse(row, text, "out of range", why);
    *(double *)field(config, row) = value;
    return 0;
}

static int set_enum(struct config *config, const struct config_row *row, struct slice text, struct buf *why)
{
    const char *at = row->choices;
    struct slice word;
    if (text.n == 0)
        text = slice_str(row->text);
    while (next_word(&at, &word)) {
        if (eq_ignoring_case(text, word)) {
            *(const char **)field(config, row) = config_text(config, word);
            return 0;
        }
    }
    return refuse(row, text, "not known", why);
}

static void set_pair(struct config *config, const struct config_row *row, struct slice name, struct slice text,
                     int line)
{
    struct config_pairs *pairs = field(config, row);
    struct config_pair pair = { config_text(config, name), config_text(config, text), line };
    for (size_t i = 0; i < pairs->count; i++) {
        if (strcmp(pairs->at[i].name, pair.name) == 0) {
            pairs->at[i] = pair;
            return;
        }
    }
    if ((pairs->count & (pairs->count - 1)) == 0) { /* full at every power of two: twice the room, in the arena */
        struct config_pair *more = arena_alloc(&config->arena, (pairs->count * 2 + 1) * sizeof *more);
        if (pairs->count > 0)
            memcpy(more, pairs->at, pairs->count * sizeof *more);
        pairs->at = more;
    }
    pairs->at[pairs->count++] = pair;
}

int config_set(struct config *config, const struct config_row *row, struct slice name, struct slice text, int line,
               struct buf *why)
{
    if (text.n > 0 && memchr(text.p, 0, text.n) != NULL) {
        buf_printf(why, "the value has a zero byte");
        return ERR_INVALID;
    }
    switch (row->type) {
    case CONFIG_BOOL:
    case CONFIG_YESNO:
        return set_bool(config, row, text, why);
    case CONFIG_INT:
    case CONFIG_LONG:
        return set_integer(config, row, text, why);
    case CONFIG_REAL:
        return set_real(config, row, text, why);
    case CONFIG_ENUM:
        return set_enum(config, row, text, why);
    case CONFIG_FAMILY:
        set_pair(config, row, name, text, line);
        return 0;
    case CONFIG_TEXT:
    case CONFIG_SECRET:
    case CONFIG_PATH:
    case CONFIG_LIST:
        break;
    }
    *(const char **)field(config, row) = config_text(config, text);
    return 0;
}

void config_reset(struct config *config, const struct config_row *row)
{
    if (row->type == CONFIG_FAMILY)
        *(struct config_pairs *)field(config, row) = (struct config_pairs){ 0 };
    else if (row->type == CONFIG_REAL)
        *(double *)field(config, row) = row->real;
    else if (row->type <= CONFIG_LONG)
        set_number(config, row, row->number);
    else
        *(const char **)field(config, row) = row->text;
}

static void print_number(const struct config_row *row, int64_t value, struct buf *out)
{
    if (row->type == CONFIG_BOOL)
        buf_printf(out, "%s", value ? "true" : "false");
    else if (row->type == CONFIG_YESNO)
        buf_printf(out, "%s", value ? "yes" : "no");
    else
        buf_printf(out, "%lld", (long long)value);
}

void config_print_default(const struct config_row *row, struct buf *out)
{
    if (row->type == CONFIG_REAL)
        buf_printf(out, "%g", row->real);
    else if (row->type <= CONFIG_LONG)
        print_number(row, row->number, out);
    else
        buf_printf(out, "%s", row->text);
}

void config_print(const struct config *config, const struct config_row *row, struct buf *out)
{
    if (row->type == CONFIG_FAMILY)
        return;
    if (row->type == CONFIG_REAL)
        buf_printf(out, "%g", *(double *)field(config, row));
    else if (row->type <= CONFIG_LONG)
        print_number(row, get_number(config, row), out);
    else if (row->type == CONFIG_SECRET)
        buf_printf(out, "%s", **(const char **)field(config, row) != '\0' ? "***" : "");
    else
        buf_printf(out, "%s", *(const char **)field(config, row));
}

void config_print_range(const struct config_row *row, struct buf *out)
{
    switch (row->type) {
    case CONFIG_BOOL:
        buf_printf(out, "true or false");
        return;
    case CONFIG_YESNO:
        buf_printf(out, "yes or no");
        return;
    case CONFIG_INT:
    case CONFIG_LONG:
        if (row->min == row->max)
            buf_printf(out, "only %lld", (long long)row->min);
        else
            buf_printf(out, "%lld..%lld", (long long)row->min, (long long)row->max);
        if (row->unit[0] != '\0')
            buf_printf(out, " %s", row->unit);
        return;
    case CONFIG_REAL:
        buf_printf(out, "%g..%g", row->real_min, row->real_max);
        return;
    case CONFIG_ENUM: {
        const char *at = row->choices;
        struct slice word;
        for (bool first = true; next_word(&at, &word); first = false)
            buf_printf(out, "%s%.*s", first ? "" : ", ", SLICE_ARG(word));
        return;
    }
    case CONFIG_TEXT:
    case CONFIG_SECRET:
    case CONFIG_PATH:
    case CONFIG_LIST:
    case CONFIG_FAMILY:
        break;
    }
    static const char *const kinds[] = { [CONFIG_TEXT] = "text",
                                         [CONFIG_SECRET] = "secret",
                                         [CONFIG_PATH] = "path",
                                         [CONFIG_LIST] = "list, comma separated",
                                         [CONFIG_FAMILY] = "lines" };
    buf_printf(out, "%s", kinds[row->type]);
}

bool config_is_secret(const struct config_row *row, struct slice name)
{
    static const char word[] = "passw"; /* password, passwd; a path of one is no secret, but hiding it costs nothing */
    if (row != NULL && row->type == CONFIG_SECRET)
        return true;
    for (size_t i = 0; i + sizeof word - 1 <= name.n; i++)
        if (eq_ignoring_case(slice_of(name.p + i, sizeof word - 1), slice_str(word)))
            return true;
    return false;
}

struct each_set {
    void (*fn)(void *ctx, const char *name, const char *value);
    void *ctx;
};

static void give_set(const struct each_set *e, const struct config_row *row, const char *name, const char *value)
{
    struct buf full;
    buf_init(&full, SIZE_MAX / 2);
    buf_printf(&full, "zookeeper.%s", name);
    buf_append(&full, "", 1);
    e->fn(e->ctx, (const char *)full.p, config_is_secret(row, slice_str(name)) ? "***" : value);
    buf_fini(&full);
}

static void give_pairs(const struct each_set *e, const struct config_pairs *pairs)
{
    for (size_t i = 0; i < pairs->count; i++)
        give_set(e, NULL, pairs->at[i].name, pairs->at[i].value);
}

void config_each_set(const struct config *config, void (*fn)(void *ctx, const char *name, const char *value), void *ctx)
{
    struct each_set e = { fn, ctx };
    for (size_t i = 0; i < CONFIG_KEY_COUNT; i++) {
        const struct config_row *row = &config_rows[i];
        if (config->origin[i] == CONFIG_FROM_DEFAULT)
            continue;
        if (row->type == CONFIG_FAMILY) {
            give_pairs(&e, field(config, row));
            continue;
        }
        struct buf value;
        buf_init(&value, SIZE_MAX / 2);
        config_print(config, row, &value);
        buf_append(&value, "", 1);
        give_set(&e, row, row->names, (const char *)value.p);
        buf_fini(&value);
    }
    give_pairs(&e, &config->unknown);
}
