#include "recipe/json.h"
#include "recipe/internal.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zokor/discovery.h>

#define DEPTH_MAX 64

struct json json_of(const char *data, int len)
{
    return (struct json){ .p = data, .end = data + (len > 0 ? len : 0) };
}

static void blanks(struct json *j)
{
    while (j->p < j->end && (*j->p == ' ' || *j->p == '\t' || *j->p == '\n' || *j->p == '\r'))
        j->p++;
}

static bool take(struct json *j, char c)
{
    blanks(j);
    if (j->bad || j->p >= j->end || *j->p != c)
        return false;
    j->p++;
    return true;
}

static bool word(struct json *j, const char *w)
{
    size_t n = strlen(w);
    blanks(j);
    if (j->bad || (size_t)(j->end - j->p) < n || memcmp(j->p, w, n) != 0)
        return false;
    j->p += n;
    return true;
}

static bool fail(struct json *j)
{
    j->bad = true;
    return false;
}

/* Past a string whose opening quote has been taken. */
static bool rest_of_string(struct json *j)
{
    while (j->p < j->end && *j->p != '"') {
        if ((unsigned char)*j->p < 0x20)
            return fail(j);
        if (*j->p == '\\') {
            char c = j->end - j->p > 1 ? j->p[1] : 0;
            if (c == 0 || strchr("\"\\/bfnrtu", c) == NULL)
                return fail(j);
            j->p++;
        }
        j->p++;
    }
    return take(j, '"') || fail(j);
}

static bool one_of(struct json *j, const char *set)
{
    if (j->p >= j->end || *j->p == 0 || strchr(set, *j->p) == NULL)
        return false;
    j->p++;
    return true;
}

static bool digits(struct json *j)
{
    const char *from = j->p;
    while (one_of(j, "0123456789"))
        ;
    return j->p > from;
}

/* By the grammar: what others' parsers would stumble over is none. */
static bool number(struct json *j)
{
    (void)one_of(j, "-");
    bool good = one_of(j, "0") || digits(j);
    if (good && one_of(j, "."))
        good = digits(j);
    if (good && one_of(j, "eE")) {
        (void)one_of(j, "+-");
        good = digits(j);
    }
    return good || fail(j);
}

static bool skip(struct json *j, int depth);

static bool skip_inside(struct json *j, int depth, char close, bool keys)
{
    if (take(j, close))
        return true;
    do {
        if (keys && (!take(j, '"') || !rest_of_string(j) || !take(j, ':')))
            return fail(j);
        if (!skip(j, depth))
            return false;
    } while (take(j, ','));
    return take(j, close) || fail(j);
}

static bool skip(struct json *j, int depth) /* bounded: DEPTH_MAX */
{
    if (depth >= DEPTH_MAX)
        return fail(j);
    if (take(j, '{'))
        return skip_inside(j, depth + 1, '}', true);
    if (take(j, '['))
        return skip_inside(j, depth + 1, ']', false);
    if (take(j, '"'))
        return rest_of_string(j);
    if (word(j, "null") || word(j, "true") || word(j, "false"))
        return true;
    return !j->bad && number(j);
}

bool json_skip(struct json *j, const char **from)
{
    blanks(j);
    *from = j->p;
    return skip(j, 0);
}

bool json_enter(struct json *j, char open)
{
    return take(j, open) || fail(j);
}

bool json_member(struct json *j, bool *first, char **key)
{
    *key = NULL;
    if (take(j, '}'))
        return false;
    if (!*first && !take(j, ','))
        return fail(j);
    *first = false;
    *key = json_string(j);
    if (*key != NULL && take(j, ':'))
        return true;
    mem_free(*key);
    *key = NULL;
    return fail(j);
}

bool json_element(struct json *j, bool *first)
{
    if (take(j, ']'))
        return false;
    if (!*first && !take(j, ','))
        return fail(j);
    *first = false;
    return !j->bad;
}

static int32_t hex4(struct json *j)
{
    int32_t v = 0;
    for (int i = 0; i < 4; i++) {
        char c = j->p < j->end ? *j->p : 0;
        int digit = c >= '0' && c <= '9'   ? c - '0'
                    : c >= 'a' && c <= 'f' ? c - 'a' + 10
                    : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                           : -1;
        if (digit < 0)
            return -1;
        v = v * 16 + digit;
        j->p++;
    }
    return v;
}

static char *put_utf8(char *out, int32_t v)
{
    if (v < 0x80) {
        *out++ = (char)v;
    } else if (v < 0x800) {
        *out++ = (char)(0xc0 | v >> 6);
        *out++ = (char)(0x80 | (v & 0x3f));
    } else if (v < 0x10000) {
        *out++ = (char)(0xe0 | v >> 12);
        *out++ = (char)(0x80 | (v >> 6 & 0x3f));
        *out++ = (char)(0x80 | (v & 0x3f));
    } else {
        *out++ = (char)(0xf0 | v >> 18);
        *out++ = (char)(0x80 | (v >> 12 & 0x3f));
        *out++ = (char)(0x80 | (v >> 6 & 0x3f));
        *out++ = (char)(0x80 | (v & 0x3f));
    }
    return out;
}

/* After the backslash; NULL: bad. A zero cannot be in our strings. */
static char *escaped(struct json *j, char *out)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    char c = j->p < j->end ? *j->p++ : 0;
    const char *at = c == 0 ? NULL : strchr(from, c);
    if (at != NULL) {
        *out++ = to[at - from];
        return out;
    }
    int32_t v = c == 'u' ? hex4(j) : -1;
    if (v >= 0xd800 && v < 0xdc00 && j->end - j->p > 6 && j->p[0] == '\\' && j->p[1] == 'u') {
        j->p += 2;
        int32_t low = hex4(j);
        v = low >= 0xdc00 && low < 0xe000 ? 0x10000 + ((v - 0xd800) << 10) + (low - 0xdc00) : -1;
    }
    return v <= 0 || (v >= 0xd800 && v < 0xe000) ? NULL : put_utf8(out, v);
}

char *json_string(struct json *j)
{
    if (word(j, "null"))
        return NULL;
    if (!take(j, '"')) {
        (void)fail(j);
        return NULL;
    }
    struct json ahead = *j;
    if (!rest_of_string(&ahead)) {
        (void)fail(j);
        return NULL;
    }
    char *s = mem_alloc((size_t)(ahead.p - j->p) + 1), *out = s;
    while (out != NULL && *j->p != '"') {
        if (*j->p == '\\') {
            j->p++;
            out = escaped(j, out);
        } else {
            *out++ = *j->p++;
        }
    }
    if (out == NULL) {
        mem_free(s);
        (void)fail(j);
        return NULL;
    }
    *out = 0;
    j->p = ahead.p;
    return s;
}

int64_t json_integer(struct json *j, int64_t none)
{
    char text[32] = "", *end;
    if (word(j, "null"))
        return none;
    const char *from;
    if (!json_skip(j, &from) || j->p - from >= (int)sizeof(text)) {
        (void)fail(j);
        return none;
    }
    memcpy(text, from, (size_t)(j->p - from));
    long long v = strtoll(text, &end, 10);
    if (end == text || *end != 0)
        (void)fail(j);
    return v;
}

bool json_boolean(struct json *j)
{
    if (word(j, "true"))
        return true;
    if (!word(j, "false"))
        (void)fail(j);
    return false;
}

bool json_at_end(struct json *j)
{
    blanks(j);
    return !j->bad && j->p == j->end;
}

char *zokor_json_quote(const char *text)
{
    char *s = mem_alloc(strlen(text) * 6 + 3), *out = s;
    *out++ = '"';
    for (const char *p = text; *p != 0; p++) {
        static const char from[] = "\"\\\b\f\n\r\t", to[] = "\"\\bfnrt";
        const char *at = strchr(from, *p);
        if (at != NULL) {
            *out++ = '\\';
            *out++ = to[at - from];
        } else if ((unsigned char)*p < 0x20) {
            out += snprintf(out, 7, "\\u%04X", (unsigned)*p); /* Jackson's upper case */
        } else {
            *out++ = *p;
        }
    }
    *out++ = '"';
    *out = 0;
    return s;
}
