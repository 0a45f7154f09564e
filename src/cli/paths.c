#include "cli/paths.h"
#include "base/mem.h"
#include <stdio.h>

/* One character of UTF-8 at p: its number, *n its bytes; bytes that are no UTF-8 stand for themselves. */
static uint32_t decode(const uint8_t *p, size_t *n)
{
    static const struct {
        uint8_t mask, sign, bytes;
    } shapes[] = { { 0xe0, 0xc0, 2 }, { 0xf0, 0xe0, 3 }, { 0xf8, 0xf0, 4 } };
    for (size_t i = 0; i < ARRAY_COUNT(shapes); i++) {
        if ((p[0] & shapes[i].mask) != shapes[i].sign)
            continue;
        uint32_t c = p[0] & (uint8_t)~shapes[i].mask;
        size_t k = 1;
        for (; k < shapes[i].bytes && (p[k] & 0xc0) == 0x80; k++)
            c = c << 6 | (p[k] & 0x3f);
        if (k == shapes[i].bytes) {
            *n = k;
            return c;
        }
    }
    *n = 1;
    return p[0];
}

/* The characters that Apache's clients refuse (PathUtils.validatePath; beyond 0xffff there are surrogates in Java). */
static bool is_refused(uint32_t c)
{
    return c <= 0x1f || (c >= 0x7f && c <= 0x9f) || (c >= 0xd800 && c <= 0xf8ff) || c >= 0xfff0;
}

/* "." and "..": what is between the slash before `at` and the next one. */
static bool is_relative(const char *at)
{
    size_t dots = strspn(at, ".");
    return (dots == 1 || dots == 2) && (at[dots] == '/' || at[dots] == '\0');
}

static int refuse(struct buf *error, const char *path, const char *reason, unsigned index)
{
    buf_reset(error);
    buf_printf(error, "Invalid path string \"%s\" caused by %s @%u", path, reason, index);
    return -1;
}

static int refuse_plainly(struct buf *error, const char *text)
{
    buf_reset(error);
    buf_printf(error, "%s", text);
    return -1;
}

int cli_path_check(const char *path, bool sequential, struct buf *error)
{
    size_t length = strlen(path), n;
    if (length == 0 && !sequential)
        return refuse_plainly(error, "Path length must be > 0");
    if (path[0] != '/')
        return refuse_plainly(error, "Path must start with / character");
    if (length > 1 && path[length - 1] == '/' && !sequential)
        return refuse_plainly(error, "Path must not end with / character");
    unsigned index = 1; /* in characters, as Java counts */
    for (const char *p = path + 1; *p != '\0'; p += n) {
        uint32_t c = decode((const uint8_t *)p, &n);
        unsigned dots = (unsigned)strspn(p, ".");
        if (c == '/' && p[-1] == '/')
            return refuse(error, path, "empty node name specified", index);
        if (p[-1] == '/' && is_relative(p) && !(sequential && p[dots] == '\0'))
            return refuse(error, path, "relative paths not allowed", index + dots - 1);
        if (is_refused(c))
            return refuse(error, path, "invalid character", index);
        index++;
    }
    return 0;
}

char *cli_path_join(const char *parent, const char *name)
{
    size_t n = strcmp(parent, "/") == 0 ? 0 : strlen(parent), m = strlen(name);
    char *path = mem_alloc(n + 1 + m + 1);
    memcpy(path, parent, n);
    path[n] = '/';
    memcpy(path + n + 1, name, m + 1);
    return path;
}

const char *cli_path_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash == NULL || slash[1] == '\0' ? path : slash + 1;
}
