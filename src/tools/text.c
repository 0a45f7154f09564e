#include "tools/text.h"
#include "base/digest.h"
#include "wire/proto.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <time.h>

static const char replacement[] = "\xef\xbf\xbd";

/* Length of the well-formed UTF-8 sequence at p, or 0 and *bad = the bytes that one replacement stands for. */
static size_t utf8_length(const uint8_t *p, size_t n, size_t *bad)
{
    uint8_t c = p[0], low = 0x80, high = 0xbf;
    size_t need = c < 0x80                 ? 1
                  : c >= 0xc2 && c <= 0xdf ? 2
                  : c >= 0xe0 && c <= 0xef ? 3
                  : c >= 0xf0 && c <= 0xf4 ? 4
                                           : 0;
    *bad = 1;
    if (need == 0)
        return 0;
    if (c == 0xe0)
        low = 0xa0;
    else if (c == 0xed)
        high = 0x9f; /* no surrogates */
    else if (c == 0xf0)
        low = 0x90;
    else if (c == 0xf4)
        high = 0x8f;
    for (size_t i = 1; i < need; i++) {
        if (i >= n || p[i] < low || p[i] > high) {
            /* An encoded surrogate counts as one bad character, as in Java. */
            *bad = c == 0xed && i == 1 && n >= 3 && (p[1] & 0xc0) == 0x80 && (p[2] & 0xc0) == 0x80 ? 3 : i;
            return 0;
        }
        low = 0x80;
        high = 0xbf;
    }
    return need;
}

void text_put_utf8(struct buf *b, struct slice s)
{
    for (size_t i = 0; i < s.n;) {
        size_t bad, n = utf8_length(s.p + i, s.n - i, &bad);
        if (n == 0)
            buf_append(b, replacement, 3);
        else
            buf_append(b, s.p + i, n);
        i += n == 0 ? bad : n;
    }
}

void text_put_csv(struct buf *b, struct slice s)
{
    if (slice_is_null(s))
        return;
    buf_append(b, "'", 1);
    for (size_t i = 0; i < s.n;) {
        size_t bad, n = utf8_length(s.p + i, s.n - i, &bad);
        uint8_t c = s.p[i];
        if (n == 0)
            buf_append(b, replacement, 3);
        else if (c == '\0' || c == '\n' || c == '\r' || c == ',' || c == '}' || c == '%')
            buf_printf(b, "%%%02X", c);
        else
            buf_append(b, s.p + i, n);
        i += n == 0 ? bad : n;
    }
}

void text_put_json(struct buf *b, struct slice s)
{
    if (slice_is_null(s)) {
        buf_append(b, "null", 4);
        return;
    }
    buf_append(b, "\"", 1);
    for (size_t i = 0; i < s.n;) {
        size_t bad, n = utf8_length(s.p + i, s.n - i, &bad);
        uint8_t c = s.p[i];
        if (n == 0)
            buf_append(b, replacement, 3);
        else if (c == '"' || c == '\\')
            buf_printf(b, "\\%c", c);
        else if (c == '\n')
            buf_append(b, "\\n", 2);
        else if (c == '\t')
            buf_append(b, "\\t", 2);
        else if (c < 0x20 || c == 0x7f)
            buf_printf(b, "\\u%04x", c);
        else
            buf_append(b, s.p + i, n);
        i += n == 0 ? bad : n;
    }
    buf_append(b, "\"", 1);
}

void text_put_json_acl(struct buf *b, struct wire_vec acl)
{
    if (acl.count < 0) {
        buf_printf(b, ",\"acl\":null");
        return;
    }
    struct wire_reader r = wire_vec_reader(acl);
    buf_printf(b, ",\"acl\":[");
    for (int32_t i = 0; i < acl.count; i++) {
        struct wire_acl a = wire_get_acl(&r);
        buf_printf(b, "%s{\"perms\":%" PRId32 ",\"scheme\":", i == 0 ? "" : ",", a.perms);
        text_put_json(b, a.id.scheme);
        buf_printf(b, ",\"id\":");
        text_put_json(b, a.id.id);
        buf_printf(b, "}");
    }
    buf_printf(b, "]");
}

void text_put_base64(struct buf *b, struct slice s)
{
    size_t room = 4 * ((s.n + 2) / 3) + 1;
    uint8_t *to = s.n == 0 ? NULL : buf_add(b, room);
    if (to != NULL)
        b->n -= room - digest_base64(s, (char *)to);
}

void text_put_json_base64(struct buf *b, struct slice s)
{
    if (slice_is_null(s)) {
        buf_append(b, "null", 4);
        return;
    }
    buf_append(b, "\"", 1);
    text_put_base64(b, s);
    buf_append(b, "\"", 1);
}

static int64_t floor_seconds(int64_t ms)
{
    return ms >= 0 ? ms / 1000 : -((-(ms + 1)) / 1000) - 1;
}

static bool local_time(int64_t ms, struct tm *tm)
{
    time_t t = (time_t)floor_seconds(ms);
    return localtime_r(&t, tm) != NULL;
}

static void put_clock_12(struct buf *b, const struct tm *tm)
{
    buf_printf(b, "%d:%02d:%02d %s", tm->tm_hour % 12 == 0 ? 12 : tm->tm_hour % 12, tm->tm_min, tm->tm_sec,
               tm->tm_hour < 12 ? "AM" : "PM");
}

void text_put_time_short(struct buf *b, int64_t ms)
{
    struct tm tm;
    if (!local_time(ms, &tm)) {
        buf_printf(b, "%" PRId64 "ms", ms);
        return;
    }
    buf_printf(b, "%d/%d/%02d, ", tm.tm_mon + 1, tm.tm_mday, (tm.tm_year % 100 + 100) % 100);
    put_clock_12(b, &tm);
    buf_printf(b, " %s", tm.tm_zone);
}

static void put_strftime(struct buf *b, const char *fmt, const struct tm *tm)
{
    char text[96];
    buf_append(b, text, strftime(text, sizeof text, fmt, tm));
}

void text_put_time_long(struct buf *b, int64_t ms)
{
    struct tm tm;
    if (local_time(ms, &tm))
        put_strftime(b, "%a %b %d %H:%M:%S %Z %Y", &tm);
    else
        buf_printf(b, "%" PRId64 "ms", ms);
}

void text_put_time_medium(struct buf *b, int64_t ms)
{
    struct tm tm;
    if (!local_time(ms, &tm)) {
        buf_printf(b, "%" PRId64 "ms", ms);
        return;
    }
    put_strftime(b, "%b ", &tm);
    buf_printf(b, "%d, %d, ", tm.tm_mday, tm.tm_year + 1900);
    put_clock_12(b, &tm);
}

void text_put_time_iso(struct buf *b, int64_t ms)
{
    struct tm tm;
    time_t t = (time_t)floor_seconds(ms);
    if (gmtime_r(&t, &tm) == NULL) {
        buf_printf(b, "%" PRId64 "ms", ms);
        return;
    }
    put_strftime(b, "%Y-%m-%dT%H:%M:%S", &tm);
    buf_printf(b, ".%03dZ", (int)((ms % 1000 + 1000) % 1000));
}

static const struct {
    int32_t type;
    const char *name;
} op_names[] = {
    { WIRE_OP_CREATE, "create" },
    { WIRE_OP_CREATE2, "create2" },
    { WIRE_OP_CREATE_TTL, "createTtl" },
    { WIRE_OP_CREATE_CONTAINER, "createContainer" },
    { WIRE_OP_DELETE, "delete" },
    { WIRE_OP_DELETE_CONTAINER, "deleteContainer" },
    { WIRE_OP_SET_DATA, "setData" },
    { WIRE_OP_SET_ACL, "setACL" },
    { WIRE_OP_CHECK, "check" },
    { WIRE_OP_MULTI, "multi" },
    { WIRE_OP_RECONFIG, "reconfig" },
    { WIRE_OP_ERROR, "error" },
    { WIRE_OP_CREATE_SESSION, "createSession" },
    { WIRE_OP_CLOSE_SESSION, "closeSession" },
};

void text_put_op(struct buf *b, int32_t type)
{
    for (size_t i = 0; i < ARRAY_COUNT(op_names); i++) {
        if (op_names[i].type == type) {
            buf_printf(b, "%s", op_names[i].name);
            return;
        }
    }
    buf_printf(b, "unknown %" PRId32, type);
}

bool text_op_number(const char *name, int32_t *type)
{
    for (size_t i = 0; i < ARRAY_COUNT(op_names); i++) {
        if (strcasecmp(op_names[i].name, name) == 0) {
            *type = op_names[i].type;
            return true;
        }
    }
    return false;
}

const char *text_cstr(struct buf *b)
{
    uint8_t *end = buf_add(b, 1);
    if (end == NULL)
        return "";
    *end = 0;
    b->n--;
    return (const char *)b->p;
}

void text_put_bytes(struct buf *b, uint64_t bytes)
{
    static const char *const units[] = { "bytes", "KiB", "MiB", "GiB", "TiB" };
    double v = (double)bytes;
    size_t unit = 0;
    for (; v >= 1024 && unit + 1 < ARRAY_COUNT(units); unit++)
        v /= 1024;
    if (unit == 0)
        buf_printf(b, "%" PRIu64 " bytes", bytes);
    else
        buf_printf(b, "%.1f %s", v, units[unit]);
}

bool text_parse_hex(const char *s, int64_t *value)
{
    if (s[0] == '0' && (s[1] == 'x' || s[1] == 'X'))
        s += 2;
    if (*s == '\0' || strlen(s) > 16 || strspn(s, "0123456789abcdefABCDEF") != strlen(s))
        return false;
    *value = (int64_t)strtoull(s, NULL, 16);
    return true;
}
