#include "wire/path.h"
#include "base/assert.h"
#include "base/err.h"

/* Decodes one UTF-8 character at s[*at]; -1 if it is malformed (overlong, surrogate, cut off, out of range). */
static int32_t utf8_next(struct slice s, size_t *at)
{
    uint8_t c = s.p[*at];
    size_t more = c < 0x80 ? 0 : (c >= 0xc2 && c < 0xe0) ? 1 : (c & 0xf0) == 0xe0 ? 2 : (c >= 0xf0 && c < 0xf5) ? 3 : 9;
    if (more == 9 || s.n - *at <= more)
        return -1;
    int32_t v = more == 0 ? c : c & (0x3f >> more);
    for (size_t i = 1; i <= more; i++) {
        uint8_t d = s.p[*at + i];
        if ((d & 0xc0) != 0x80)
            return -1;
        v = (v << 6) | (d & 0x3f);
    }
    if ((more == 2 && v < 0x800) || (more == 3 && (v < 0x10000 || v > 0x10ffff)) || (v >= 0xd800 && v < 0xe000))
        return -1;
    *at += more + 1;
    return v;
}

/* Characters above the BMP are pairs of surrogates in UTF-16, which are forbidden; malformed bytes read as U+FFFD in
 * Java, which is forbidden too. */
static bool char_forbidden(int32_t c)
{
    return c < 0x20 || (c >= 0x7f && c <= 0x9f) || (c >= 0xd800 && c <= 0xf8ff) || c >= 0xfff0;
}

static bool component_forbidden(struct slice s, size_t from, size_t to)
{
    size_t n = to - from;
    return n == 0 || (n == 1 && s.p[from] == '.') || (n == 2 && s.p[from] == '.' && s.p[from + 1] == '.');
}

int path_check(struct slice path)
{
    if (path.n == 0 || path.p[0] != '/')
        return ERR_BAD_ARGUMENTS;
    if (path.n == 1)
        return 0;
    size_t start = 1;
    for (size_t at = 1; at < path.n;) {
        uint8_t c = path.p[at];
        if (LIKELY(c >= 0x20 && c < 0x7f)) {
            if (c == '/') {
                if (component_forbidden(path, start, at))
                    return ERR_BAD_ARGUMENTS;
                start = at + 1;
            }
            at++;
        } else if (char_forbidden(utf8_next(path, &at))) {
            return ERR_BAD_ARGUMENTS;
        }
    }
    return component_forbidden(path, start, path.n) ? ERR_BAD_ARGUMENTS : 0;
}

static size_t last_slash(struct slice path)
{
    size_t at = path.n;
    while (at > 0 && path.p[at - 1] != '/')
        at--;
    return at; /* one past the slash; 0 if there is none */
}

struct slice path_parent(struct slice path)
{
    size_t at = last_slash(path);
    return slice_of(path.p, at == 0 ? 0 : at - 1);
}

struct slice path_name(struct slice path)
{
    size_t at = last_slash(path);
    return slice_of(path.p + at, path.n - at);
}

bool path_is_malformed(struct slice path)
{
    return path.n == 0 || memchr(path.p, '/', path.n) == NULL || memchr(path.p, 0, path.n) != NULL;
}
