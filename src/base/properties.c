#include "base/properties.h"
#include "base/err.h"

void properties_init(struct properties *lines, struct slice text, struct arena *arena)
{
    const uint8_t *p = text.p != NULL ? text.p : (const uint8_t *)"";
    *lines = (struct properties){ .at = p, .end = p + text.n, .line = 1, .arena = arena };
    if (text.n >= 3 && memcmp(text.p, "\xef\xbb\xbf", 3) == 0)
        lines->at += 3; /* a byte order mark, which editors of some systems leave */
}

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\f';
}

static bool is_line_end(uint8_t c)
{
    return c == '\n' || c == '\r';
}

static void skip_blanks(struct properties *lines)
{
    while (lines->at < lines->end && is_blank(*lines->at))
        lines->at++;
}

/* Steps over \n, \r or \r\n, if one is here. */
static void skip_line_end(struct properties *lines)
{
    if (lines->at == lines->end)
        return;
    if (*lines->at == '\r' && lines->end - lines->at > 1 && lines->at[1] == '\n')
        lines->at++;
    lines->at++;
    lines->line++;
}

/* Bytes up to the end of the logical line: an upper limit of what is left of it. */
static size_t logical_line_bytes(const struct properties *lines)
{
    const uint8_t *p = lines->at;
    while (p < lines->end && !is_line_end(*p)) {
        if (*p == '\\' && p + 1 < lines->end) {
            p++;
            if (*p == '\r' && p + 1 < lines->end && p[1] == '\n')
                p++;
        }
        p++;
    }
    return (size_t)(p - lines->at);
}

/* Copies one logical line: continuations joined, their leading blanks dropped, escapes still in it. */
static struct slice read_logical_line(struct properties *lines)
{
    uint8_t *text = arena_alloc(lines->arena, logical_line_bytes(lines) + 1);
    size_t n = 0;
    while (lines->at < lines->end) {
        uint8_t c = *lines->at;
        if (is_line_end(c)) {
            skip_line_end(lines);
            break;
        }
        lines->at++;
        if (c != '\\') {
            text[n++] = c;
        } else if (lines->at < lines->end && is_line_end(*lines->at)) {
            skip_line_end(lines);
            skip_blanks(lines);
        } else if (lines->at < lines->end) {
            text[n++] = c;
            text[n++] = *lines->at++;
        }
    }
    text[n] = 0;
    return slice_of(text, n);
}

static size_t put_utf8(uint8_t *to, unsigned c)
{
    if (c < 0x80) {
        to[0] = (uint8_t)c;
        return 1;
    }
    if (c < 0x800) {
        to[0] = (uint8_t)(0xc0 | c >> 6);
        to[1] = (uint8_t)(0x80 | (c & 0x3f));
        return 2;
    }
    to[0] = (uint8_t)(0xe0 | c >> 12);
    to[1] = (uint8_t)(0x80 | (c >> 6 & 0x3f));
    to[2] = (uint8_t)(0x80 | (c & 0x3f));
    return 3;
}

static int hex_digit(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Resolves escapes and cuts blanks from both ends, as QuorumPeerConfig trims. The result is never longer. */
static int unescape(struct slice raw, struct arena *arena, struct slice *out)
{
    uint8_t *text = arena_alloc(arena, raw.n + 1);
    size_t n = 0;
    for (size_t i = 0; i < raw.n; i++) {
        uint8_t c = raw.p[i];
        if (c != '\\' || i + 1 == raw.n) {
            text[n++] = c;
            continue;
        }
        c = raw.p[++i];
        if (c == 'u') {
            unsigned value = 0;
            for (int k = 0; k < 4; k++) {
                int digit = ++i < raw.n ? hex_digit(raw.p[i]) : -1;
                if (digit < 0)
                    return ERR_INVALID;
                value = value * 16 + (unsigned)digit;
            }
            n += put_utf8(text + n, value);
        } else {
            static const char from[] = "tnrf", to[] = "\t\n\r\f";
            const char *at = c != 0 ? strchr(from, c) : NULL;
            text[n++] = at != NULL ? (uint8_t)to[at - from] : c;
        }
    }
    size_t start = 0;
    while (n > start && text[n - 1] <= ' ')
        n--;
    while (start < n && text[start] <= ' ')
        start++;
    text[n] = 0;
    *out = slice_of(text + start, n - start);
    return 0;
}

static int split(struct properties *lines, struct slice text, struct property *out)
{
    size_t key_end = 0;
    while (key_end < text.n) {
        uint8_t c = text.p[key_end];
        if (c == '=' || c == ':' || is_blank(c))
            break;
        key_end += c == '\\' && key_end + 1 < text.n ? 2 : 1;
    }
    size_t at = key_end;
    while (at < text.n && is_blank(text.p[at]))
        at++;
    if (at < text.n && (text.p[at] == '=' || text.p[at] == ':'))
        at++;
    while (at < text.n && is_blank(text.p[at]))
        at++;
    if (unescape(slice_of(text.p, key_end), lines->arena, &out->key) != 0)
        return ERR_INVALID;
    return unescape(slice_of(text.p + at, text.n - at), lines->arena, &out->value);
}

int properties_next(struct properties *lines, struct property *out)
{
    for (;;) {
        skip_blanks(lines);
        if (lines->at == lines->end)
            return 0;
        out->line = lines->line;
        uint8_t c = *lines->at;
        if (is_line_end(c)) {
            skip_line_end(lines);
        } else if (c == '#' || c == '!') {
            while (lines->at < lines->end && !is_line_end(*lines->at))
                lines->at++;
        } else {
            struct slice text = read_logical_line(lines);
            if (text.n > 0)
                return split(lines, text, out) != 0 ? ERR_INVALID : 1;
        }
    }
}
