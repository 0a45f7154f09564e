#include "admin/json.h"
#include "admin/words.h"
#include <stdio.h>

#define LEVELS_MAX 31u

void json_begin(struct json *j, struct buf *out)
{
    *j = (struct json){ .out = out, .first = true };
}

static void put(struct json *j, const char *text)
{
    buf_append(j->out, text, strlen(text));
}

static bool in_array(const struct json *j)
{
    return (j->arrays >> j->level & 1u) != 0;
}

/* What stands before an element of an array; a member's value follows its name at once. */
static void before_value(struct json *j)
{
    if (in_array(j))
        put(j, j->first ? " " : ", ");
    j->first = false;
}

static void new_line(struct json *j)
{
    put(j, "\n");
    for (unsigned i = 0; i < j->indent; i++)
        put(j, "  ");
}

static void open_level(struct json *j, bool array)
{
    ASSERT(j->level < LEVELS_MAX);
    j->level++;
    j->arrays = (j->arrays & ~(1u << j->level)) | (uint32_t)array << j->level;
    j->first = true;
}

static void close_level(struct json *j)
{
    ASSERT(j->level != 0);
    j->level--;
    j->first = false;
}

void json_object(struct json *j)
{
    before_value(j);
    put(j, "{");
    open_level(j, false);
    j->indent++;
}

void json_object_end(struct json *j)
{
    j->indent--;
    if (j->first)
        put(j, " ");
    else
        new_line(j);
    put(j, "}");
    close_level(j);
}

void json_array(struct json *j)
{
    before_value(j);
    put(j, "[");
    open_level(j, true);
}

void json_array_end(struct json *j)
{
    put(j, " ]");
    close_level(j);
}

/* ---- strings ---- */

/* Bytes of the UTF-8 sequence at s[at], 0 if there is none: too long forms, surrogates and what lies beyond U+10FFFF
 * are none. */
static size_t sequence_bytes(struct slice s, size_t at)
{
    uint8_t c = s.p[at];
    size_t n = c < 0x80 ? 1 : c >= 0xc2 && c < 0xe0 ? 2 : c >= 0xe0 && c < 0xf0 ? 3 : c >= 0xf0 && c < 0xf5 ? 4 : 0;
    if (n == 0 || s.n - at < n)
        return 0;
    for (size_t i = 1; i < n; i++)
        if ((s.p[at + i] & 0xc0) != 0x80)
            return 0;
    uint8_t d = n > 2 ? s.p[at + 1] : 0;
    if ((c == 0xe0 && d < 0xa0) || (c == 0xed && d > 0x9f) || (c == 0xf0 && d < 0x90) || (c == 0xf4 && d > 0x8f))
        return 0;
    return n;
}

static void put_character(struct json *j, struct slice s)
{
    static const char names[] = "btn\vfr"; /* 8 to 13; 11 has no name */
    uint8_t c = s.p[0];
    if (c == '"' || c == '\\')
        buf_printf(j->out, "\\%c", c);
    else if (c >= 8 && c <= 13 && c != 11)
        buf_printf(j->out, "\\%c", names[c - 8]);
    else if (c < 0x20)
        buf_printf(j->out, "\\u%04X", c);
    else
        buf_append_slice(j->out, s);
}

static void put_quoted(struct json *j, struct slice text)
{
    put(j, "\"");
    for (size_t at = 0; at < text.n;) {
        size_t n = sequence_bytes(text, at);
        if (n == 0)
            put(j, "\xef\xbf\xbd");
        else
            put_character(j, slice_of(text.p + at, n));
        at += n == 0 ? 1 : n;
    }
    put(j, "\"");
}

void json_key_slice(struct json *j, struct slice key)
{
    if (!j->first)
        put(j, ",");
    new_line(j);
    j->first = false;
    put_quoted(j, key);
    put(j, " : ");
}

void json_key(struct json *j, const char *key)
{
    json_key_slice(j, slice_str(key));
}

void json_key_number(struct json *j, int64_t key)
{
    char text[24];
    snprintf(text, sizeof text, "%lld", (long long)key);
    json_key(j, text);
}

void json_slice(struct json *j, struct slice text)
{
    before_value(j);
    put_quoted(j, text);
}

void json_string(struct json *j, const char *text)
{
    before_value(j);
    if (text == NULL)
        put(j, "null");
    else
        put_quoted(j, slice_str(text));
}

/* ---- others ---- */

void json_number(struct json *j, int64_t value)
{
    before_value(j);
    buf_printf(j->out, "%lld", (long long)value);
}

void json_unsigned(struct json *j, uint64_t value)
{
    before_value(j);
    buf_printf(j->out, "%llu", (unsigned long long)value);
}

void json_real(struct json *j, double value)
{
    before_value(j);
    put_decimal(j->out, value);
}

void json_bool(struct json *j, bool value)
{
    before_value(j);
    put(j, value ? "true" : "false");
}

void json_member_number(struct json *j, const char *key, int64_t value)
{
    json_key(j, key);
    json_number(j, value);
}

void json_member_string(struct json *j, const char *key, const char *text)
{
    json_key(j, key);
    json_string(j, text);
}

void json_member_bool(struct json *j, const char *key, bool value)
{
    json_key(j, key);
    json_bool(j, value);
}
