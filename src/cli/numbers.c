#include "cli/numbers.h"
#include <errno.h>
#include <stdlib.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

int cli_number(const char *text, int base, int64_t min, int64_t max, int64_t *out)
{
    char *end;
    if (text[0] == '\0' || strchr(" \t\n\v\f\r", text[0]) != NULL)
        return -1;
    errno = 0;
    long long v = strtoll(text, &end, base);
    if (errno != 0 || *end != '\0' || v < min || v > max)
        return -1;
    *out = v;
    return 0;
}

void cli_base64_encode(const void *p, size_t n, struct buf *out)
{
    const uint8_t *b = p;
    for (size_t i = 0; i < n; i += 3) {
        uint32_t v = (uint32_t)b[i] << 16 | (i + 1 < n ? (uint32_t)b[i + 1] << 8 : 0) | (i + 2 < n ? b[i + 2] : 0u);
        char four[4] = { alphabet[v >> 18], alphabet[v >> 12 & 63], i + 1 < n ? alphabet[v >> 6 & 63] : '=',
                         i + 2 < n ? alphabet[v & 63] : '=' };
        buf_append(out, four, sizeof(four));
    }
}

int cli_base64_decode(const char *text, struct buf *out)
{
    size_t n = strlen(text), filled = 0;
    uint32_t v = 0;
    if (n % 4 == 0) {
        for (unsigned i = 0; i < 2 && n > 0 && text[n - 1] == '='; i++)
            n--;
    }
    if (n % 4 == 1)
        return -1;
    for (size_t i = 0; i < n; i++) {
        const char *at = text[i] == '\0' ? NULL : strchr(alphabet, text[i]);
        if (at == NULL)
            return -1;
        v = v << 6 | (uint32_t)(at - alphabet);
        filled += 6;
        if (filled >= 8) {
            filled -= 8;
            uint8_t byte = (uint8_t)(v >> filled);
            buf_append(out, &byte, 1);
        }
    }
    return 0;
}

void cli_hex_dump(const void *p, size_t n, struct buf *out)
{
    const uint8_t *b = p;
    if (n == 0)
        return;
    buf_printf(out, "         +-------------------------------------------------+\n"
                    "         |  0  1  2  3  4  5  6  7  8  9  a  b  c  d  e  f |\n"
                    "+--------+-------------------------------------------------+----------------+");
    for (size_t row = 0; row < n; row += 16) {
        char text[17] = "";
        size_t in_row = n - row < 16 ? n - row : 16;
        buf_printf(out, "\n|%08zx|", row);
        for (size_t i = 0; i < 16; i++) {
            if (i < in_row)
                buf_printf(out, " %02x", b[row + i]);
            else
                buf_printf(out, "   ");
        }
        for (size_t i = 0; i < in_row; i++)
            text[i] = b[row + i] <= 0x1f || b[row + i] >= 0x7f ? '.' : (char)b[row + i];
        buf_printf(out, " |%-16s|", text);
    }
    buf_printf(out, "\n+--------+-------------------------------------------------+----------------+");
}

/* The bytes of the UTF-8 character at p if it is one that can be printed; 0 if it is not. Overlong forms, surrogates
 * and the control characters 0x80 to 0x9f are none; nor are those that turn the direction of writing (U+202A to U+202E,
 * U+2066 to U+2069), which could make a terminal show something else than what is there. */
static size_t printable(const uint8_t *p, size_t n)
{
    if (p[0] < 0x80)
        return p[0] >= 0x20 && p[0] != 0x7f ? 1 : 0;
    size_t length = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
    if (p[0] < 0xc2 || p[0] > 0xf4 || length > n)
        return 0;
    uint32_t c = p[0] & (0x7fu >> length);
    for (size_t i = 1; i < length; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
        c = c << 6 | (p[i] & 0x3f);
    }
    bool overlong = (length == 3 && c < 0x800) || (length == 4 && c < 0x10000);
    bool turns = (c >= 0x202a && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069);
    return overlong || turns || c < 0xa0 || (c >= 0xd800 && c <= 0xdfff) || c > 0x10ffff ? 0 : length;
}

void cli_escape(const void *p, size_t n, bool lines, struct buf *out)
{
    const uint8_t *b = p;
    for (size_t i = 0, k; i < n; i += k) {
        k = lines && (b[i] == '\n' || b[i] == '\t') ? 1 : printable(b + i, n - i);
        if (k > 0) {
            buf_append(out, b + i, k);
            continue;
        }
        k = 1;
        buf_printf(out, "\\x%02x", b[i]);
    }
}
