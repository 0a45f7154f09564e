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

struct directive {
    struct slice name, value;
};

/* The directive at *at, which ends up behind it. 1; 0 at the end of the token; -1 if none is there, or a part of one.
 */
static int next(struct slice t, size_t *at, struct directive *d)
{
    while (*at < t.n && (t.p[*at] == ',' || skip_blanks(t, *at) != *at))
        *at = t.p[*at] == ',' ? *at + 1 : skip_blanks(t, *at);
    if (*at == t.n)
        return 0;
    d->name = slice_of(t.p + *at, skip_word(t, *at) - *at);
    size_t sign = skip_blanks(t, *at + d->name.n);
    if (d->name.n == 0 || sign == t.n || t.p[sign] != '=')
        return -1;
    size_t from = skip_blanks(t, sign + 1), to = skip_value(t, from);
    if (to == 0)
        return -1;
    bool quoted = t.p[from] == '"';
    d->value = slice_of(t.p + from + quoted, to - from - 2u * quoted);
    *at = skip_blanks(t, to);
    return *at == t.n || t.p[*at] == ',' ? 1 : -1;
}

static bool same_name(struct slice a, struct slice b)
{
    return a.n == b.n && strncasecmp((const char *)a.p, (const char *)b.p, a.n) == 0;
}

const char *sasl_token_wrong(struct slice token)
{
    struct directive all[DIRECTIVES_MAX + 1];
    size_t count = 0, at = 0;
    int more;
    if (token.n > BYTES_MAX)
        return "the token is longer than any of DIGEST-MD5";
    if (token.n != 0 && memchr(token.p, 0, token.n) != NULL)
        return "the token holds a zero byte";
    while ((more = next(token, &at, &all[count])) > 0) {
        if (count == DIRECTIVES_MAX)
            return "the token has more directives than there are";
        for (size_t i = 0; i < count; i++)
            if (same_name(all[i].name, all[count].name))
                return "the token has a directive twice";
        count++;
    }
    if (more < 0)
        return "the token is no list of directives";
    return count == 0 ? "the token is empty" : NULL;
}

struct slice sasl_token_value(struct slice token, const char *name)
{
    struct directive d;
    size_t at = 0;
    while (next(token, &at, &d) > 0)
        if (same_name(d.name, slice_str(name)))
            return d.value;
    return (struct slice){ 0 };
}
