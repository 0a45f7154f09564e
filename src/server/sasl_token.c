#include "server/sasl_token.h"
#include "base/assert.h"
#include <strings.h>

/* RFC 2831 knows 11 directives of a client; what is more is for extensions that nobody made. */
#define DIRECTIVES_MAX 16
/* libsasl2 refuses longer ones anyway. */
#define BYTES_MAX 4096

static size_t skip_blanks(struct slice t, size_t at)
{
    while (at < t.n && (t.p[at] == ' ' || t.p[at] == '\t' || t.p[at] == '\r' || t.p[at] == '\n'))
        at++;
    return at;
}

/* The token of RFC 2616: no control character, blank or separator. Bytes of UTF-8 are let through for the library to
 * judge. */
static bool is_word_byte(uint8_t c)
{
    return c > ' ' && c != 0x7f && memchr("()<>@,;:\\\"/[]?={}", c, 17) == NULL;
}

static size_t skip_word(struct slice t, size_t at)
{
    while (at < t.n && is_word_byte(t.p[at]))
        at++;
    return at;
}

/* Behind the value that begins at `at`; 0 if there is none, or it does not end. */
static size_t skip_value(struct slice t, size_t at)
{
    if (at >= t.n)
        return 0;
    if (t.p[at] != '"') {
        size_t end = skip_word(t, at);
        return end == at ? 0 : end;
    }
    for (at++; at < t.n && t.p[at] != '"'; at++)
        if (t.p[at] == '\\')
            at++;
    return at < t.n ? at + 1 : 0;
}

static bool is_known(const struct slice *names, size_t count, struct slice name)
{
    for (size_t i = 0; i < count; i++)
        if (names[i].n == name.n && strncasecmp((const char *)names[i].p, (const char *)name.p, name.n) == 0)
            return true;
    return false;
}

const char *sasl_token_wrong(struct slice token)
{
    struct slice names[DIRECTIVES_MAX];
    size_t count = 0, at = 0;
    if (token.n > BYTES_MAX)
        return "the token is longer than any of DIGEST-MD5";
    if (token.n != 0 && memchr(token.p, 0, token.n) != NULL)
        return "the token holds a zero byte";
    for (;;) {
        at = skip_blanks(token, at);
        if (at < token.n && token.p[at] == ',') {
            at++;
            continue;
        }
        if (at == token.n)
            return count == 0 ? "the token is empty" : NULL;
        struct slice name = slice_of(token.p + at, skip_word(token, at) - at);
        if (name.n == 0 || count == DIRECTIVES_MAX || is_known(names, count, name))
            return name.n == 0               ? "the token is no list of directives"
                   : count == DIRECTIVES_MAX ? "the token has more directives than there are"
                                             : "the token has a directive twice";
        names[count++] = name;
        at = skip_blanks(token, at + name.n);
        if (at == token.n || token.p[at] != '=')
            return "a directive of the token has no value";
        at = skip_value(token, skip_blanks(token, at + 1));
        if (at == 0)
            return "a directive of the token has no value";
        at = skip_blanks(token, at);
        if (at < token.n && token.p[at] != ',')
            return "the token is no list of directives";
    }
}
