/* The grammar and its odd corners are those of com.sun.security.auth.login.ConfigFile over java.io.StreamTokenizer. It
 * is a little stricter in one place (a string must end on its line) and a little kinder in another (numbers need no
 * quotes). */
#include "base/jaas.h"
#include "base/err.h"
#include <stdarg.h>
#include <stdio.h>
#include <strings.h>

#define FILE_BYTES_MAX (1u << 20)

enum token { TOKEN_END, TOKEN_WORD, TOKEN_SIGN };

struct parser {
    struct jaas *j;
    struct slice text;
    size_t at;
    int line;         /* of the reading position */
    enum token token; /* the one looked at */
    int token_line;
    char *word;   /* of TOKEN_WORD: in the arena */
    uint8_t sign; /* of TOKEN_SIGN */
    struct jaas_error *err;
};

PRINTF_LIKE(3, 4)
static int fail(struct parser *p, int line, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    p->err->line = line;
    vsnprintf(p->err->text, sizeof p->err->text, fmt, args);
    va_end(args);
    return ERR_INVALID;
}

/* ---- tokens ---- */

static int peek_byte(const struct parser *p, size_t ahead)
{
    return p->at + ahead < p->text.n ? p->text.p[p->at + ahead] : -1;
}

/* Java takes every character above 0xA0 for a letter; in UTF-8 that is every byte above 0x7f but the few for blanks. */
static bool is_word_byte(int c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '-' ||
           c == '_' || c == '$' || c == '*' || c >= 0x80;
}

static void skip_line(struct parser *p)
{
    while (p->at < p->text.n && p->text.p[p->at] != '\n')
        p->at++;
}

static int skip_block(struct parser *p)
{
    int from = p->line;
    p->at += 2;
    while (peek_byte(p, 0) != '*' || peek_byte(p, 1) != '/') {
        if (p->at >= p->text.n)
            return fail(p, from, "a comment begins here and never ends");
        p->line += p->text.p[p->at] == '\n';
        p->at++;
    }
    p->at += 2;
    return 0;
}

/* Blanks and comments. A lone slash also begins a comment, as StreamTokenizer has it. */
static int skip_blanks(struct parser *p)
{
    for (;;) {
        int c = peek_byte(p, 0);
        if (c == '/' && peek_byte(p, 1) == '*') {
            if (skip_block(p) != 0)
                return ERR_INVALID;
        } else if (c == '/') {
            skip_line(p);
        } else if (c >= 0 && c <= ' ') {
            p->line += c == '\n';
            p->at++;
        } else {
            return 0;
        }
    }
}

/* The byte behind the string's last, or 0: it does not end on its line. */
static size_t string_end(const struct parser *p)
{
    for (size_t i = 1;; i++) {
        int c = peek_byte(p, i);
        if (c == '"')
            return p->at + i;
        if (c == '\\')
            c = peek_byte(p, ++i);
        if (c < 0 || c == '\n' || c == '\r')
            return 0;
    }
}

/* Up to three octal digits: one character of Java's, which above 0x7f is two bytes of UTF-8. */
static size_t put_octal(struct parser *p, char *to)
{
    int value = 0;
    for (int i = 0; i < 3; i++) {
        int c = peek_byte(p, 0);
        if (c < '0' || c > '7' || value * 8 + (c - '0') > 0xff)
            break;
        value = value * 8 + (c - '0');
        p->at++;
    }
    if (value < 0x80) {
        to[0] = (char)value;
        return 1;
    }
    to[0] = (char)(0xc0 | value >> 6);
    to[1] = (char)(0x80 | (value & 0x3f));
    return 2;
}

static size_t put_escaped(struct parser *p, char *to)
{
    static const char from[] = "abfnrtv", meant[] = "\a\b\f\n\r\t\v";
    int c = peek_byte(p, 0);
    if (c >= '0' && c <= '7')
        return put_octal(p, to);
    p->at++;
    const char *found = memchr(from, c, sizeof from - 1);
    to[0] = found == NULL ? (char)c : meant[found - from];
    return 1;
}

static int read_string(struct parser *p)
{
    size_t end = string_end(p);
    if (end == 0)
        return fail(p, p->line, "a string begins here and does not end on its line");
    char *word = arena_alloc(&p->j->arena, end - p->at); /* no escape is shorter than what it means */
    size_t n = 0;
    p->at++;
    while (p->at < end) {
        size_t from = n;
        if (p->text.p[p->at] != '\\') {
            word[n++] = (char)p->text.p[p->at++];
        } else {
            p->at++;
            n += put_escaped(p, word + n);
        }
        if (word[from] == 0)
            return fail(p, p->line, "a string may not hold a zero byte");
    }
    ASSERT(p->at == end);
    p->at++;
    word[n] = 0;
    p->word = word;
    p->token = TOKEN_WORD;
    return 0;
}

static int next(struct parser *p)
{
    if (skip_blanks(p) != 0)
        return ERR_INVALID;
    int c = peek_byte(p, 0);
    p->token_line = p->line;
    if (c < 0) {
        p->token = TOKEN_END;
        return 0;
    }
    if (c == '"')
        return read_string(p);
    if (!is_word_byte(c)) {
        p->token = TOKEN_SIGN;
        p->sign = (uint8_t)c;
        p->at++;
        return 0;
    }
    size_t from = p->at;
    while (is_word_byte(peek_byte(p, 0)))
        p->at++;
    p->word = (char *)(uintptr_t)arena_dup(&p->j->arena, slice_of(p->text.p + from, p->at - from)).p;
    p->token = TOKEN_WORD;
    return 0;
}

/* ---- grammar ---- */

/* A word that was found is not shown: it may be a piece of a password without quotes. */
static int unexpected(struct parser *p, const char *wanted)
{
    if (p->token == TOKEN_END)
        return fail(p, p->token_line, "expected %s, found the end of the file", wanted);
    if (p->token == TOKEN_WORD)
        return fail(p, p->token_line, "expected %s, found a word", wanted);
    if (p->sign < ' ' || p->sign >= 0x7f)
        return fail(p, p->token_line, "expected %s, found the byte 0x%02x", wanted, p->sign);
    return fail(p, p->token_line, "expected %s, found '%c'", wanted, p->sign);
}

static bool at_sign(const struct parser *p, uint8_t sign)
{
    return p->token == TOKEN_SIGN && p->sign == sign;
}

static int take_sign(struct parser *p, uint8_t sign, const char *wanted)
{
    return at_sign(p, sign) ? next(p) : unexpected(p, wanted);
}

static int take_word(struct parser *p, const char *wanted, const char **out)
{
    if (p->token != TOKEN_WORD)
        return unexpected(p, wanted);
    *out = p->word;
    return next(p);
}

/* As PropertyExpander: "${/}" is the separator of paths and "${{...}}" stays as it is. There are no properties here,
 * and a value that silently keeps its "${name}" would be a wrong password. */
static int expand(struct parser *p, int line, char *value)
{
    char *to = value;
    for (const char *from = value; *from != 0;) {
        if (from[0] != '$' || from[1] != '{') {
            *to++ = *from++;
            continue;
        }
        if (from[2] == '{') {
            const char *end = strstr(from, "}}");
            size_t n = end == NULL ? strlen(from) : (size_t)(end - from) + 2;
            memmove(to, from, n);
            to += n;
            from += n;
        } else if (from[2] == '/' && from[3] == '}') {
            *to++ = '/';
            from += 4;
        } else {
            return fail(p, line, "the value holds ${...}, which names a property of Java: write the value itself");
        }
    }
    *to = 0;
    return 0;
}

static int parse_option(struct parser *p, struct jaas_option ***last)
{
    struct jaas_option *o = arena_alloc(&p->j->arena, sizeof *o);
    *o = (struct jaas_option){ 0 };
    int line = p->token_line;
    if (take_word(p, "the name of an option or ';'", &o->name) != 0 ||
        take_sign(p, '=', "'=' behind the name of an option") != 0)
        return ERR_INVALID;
    char *value = p->token == TOKEN_WORD ? p->word : NULL;
    if (take_word(p, "the value of an option (with signs in it, it needs quotes)", &o->value) != 0)
        return ERR_INVALID;
    **last = o;
    *last = &o->next;
    return expand(p, line, value);
}

static const char *known_flag(const char *word)
{
    static const char *const flags[] = { "required", "requisite", "sufficient", "optional" };
    for (size_t i = 0; i < ARRAY_COUNT(flags); i++)
        if (strcasecmp(flags[i], word) == 0)
            return flags[i];
    return NULL;
}

static int parse_module(struct parser *p, struct jaas_module *m)
{
    *m = (struct jaas_module){ .line = p->token_line };
    if (take_word(p, "the class of a login module or '}'", &m->class_name) != 0)
        return ERR_INVALID;
    int line = p->token_line;
    const char *flag = NULL;
    if (take_word(p, "required, requisite, sufficient or optional", &flag) != 0)
        return ERR_INVALID;
    m->flag = known_flag(flag);
    if (m->flag == NULL)
        return fail(p, line, "expected required, requisite, sufficient or optional behind the class of a login module");
    struct jaas_option **last = &m->options;
    while (!at_sign(p, ';'))
        if (parse_option(p, &last) != 0)
            return ERR_INVALID;
    return next(p);
}

static int parse_section(struct parser *p, struct jaas_section *s)
{
    *s = (struct jaas_section){ .line = p->token_line };
    if (take_word(p, "the name of a section", &s->name) != 0)
        return ERR_INVALID;
    const struct jaas_section *other = jaas_section(p->j, s->name);
    if (other != NULL)
        return fail(p, s->line, "section %.80s is in line %d already", s->name, other->line);
    if (take_sign(p, '{', "'{' behind the name of a section") != 0)
        return ERR_INVALID;
    struct jaas_module **last = &s->modules;
    while (!at_sign(p, '}')) {
        struct jaas_module *m = arena_alloc(&p->j->arena, sizeof *m);
        if (parse_module(p, m) != 0)
            return ERR_INVALID;
        *last = m;
        last = &m->next;
    }
    if (next(p) != 0)
        return ERR_INVALID;
    return take_sign(p, ';', "';' behind the '}' of a section");
}

int jaas_parse(struct jaas *j, struct slice text, struct jaas_error *err)
{
    *j = (struct jaas){ 0 };
    *err = (struct jaas_error){ 0 };
    arena_init(&j->arena, 4096);
    struct parser p = { .j = j, .text = text, .line = 1, .err = err };
    struct jaas_section **last = &j->sections;
    int rc = text.n > FILE_BYTES_MAX ? fail(&p, 1, "the file has more than %u bytes", FILE_BYTES_MAX) : next(&p);
    while (rc == 0 && p.token != TOKEN_END) {
        struct jaas_section *s = arena_alloc(&j->arena, sizeof *s);
        rc = parse_section(&p, s);
        if (rc == 0) {
            *last = s;
            last = &s->next;
        }
    }
    if (rc != 0)
        jaas_fini(j);
    return rc;
}

void jaas_fini(struct jaas *j)
{
    for (const struct jaas_section *s = j->sections; s != NULL; s = s->next)
        for (const struct jaas_module *m = s->modules; m != NULL; m = m->next)
            for (const struct jaas_option *o = m->options; o != NULL; o = o->next)
                explicit_bzero((char *)(uintptr_t)o->value, strlen(o->value));
    arena_fini(&j->arena);
    *j = (struct jaas){ 0 };
}

const struct jaas_section *jaas_section(const struct jaas *j, const char *name)
{
    for (const struct jaas_section *s = j->sections; s != NULL; s = s->next)
        if (strcmp(s->name, name) == 0)
            return s;
    return NULL;
}

const char *jaas_option(const struct jaas_module *m, const char *name)
{
    const char *value = NULL;
    for (const struct jaas_option *o = m->options; o != NULL; o = o->next)
        if (strcmp(o->name, name) == 0)
            value = o->value;
    return value;
}
