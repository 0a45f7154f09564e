#include "base/kerberos_rules.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/pattern.h"
#include <stdio.h>

/* A principal has at most two components here, but a rule may be for more; it is never used then. */
#define COMPONENTS_MAX 1000000

struct rule {
    struct rule *next;
    bool is_default;
    unsigned component_count;
    char *format;          /* "$1@$0" */
    struct pattern *match; /* of the whole of what the format makes; NULL: of anything */
    struct pattern *from;  /* NULL: nothing is replaced */
    char *to;              /* "x$1" */
    bool repeats;
};

struct kerberos_rules {
    struct rule *first;
};

/* The parts of the text of a rule; null where they are missing. */
struct parts {
    struct slice count, format, match, from, to;
    bool is_default, repeats;
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static struct slice rest_of(struct slice s, size_t from)
{
    return slice_of(s.p + from, s.n - from);
}

/* The part of *s before mark; both are taken off. Null, with *s as it was, if there is none. */
static struct slice take_until(struct slice *s, char mark)
{
    const uint8_t *end = s->n == 0 ? NULL : memchr(s->p, mark, s->n);
    if (end == NULL)
        return (struct slice){ 0 };
    struct slice part = slice_of(s->p, (size_t)(end - s->p));
    *s = rest_of(*s, part.n + 1);
    return part;
}

static bool take_word(struct slice *s, const char *word)
{
    if (!slice_starts(*s, slice_str(word)))
        return false;
    *s = rest_of(*s, strlen(word));
    return true;
}

/* ---- reading ---- */

/* s/from/to/g; a text that is none is left to be the next rule, and is found to be wrong there, as in Apache's. */
static void take_replacement(struct slice *s, struct parts *parts)
{
    struct slice rest = *s;
    if (!take_word(&rest, "s/"))
        return;
    struct slice from = take_until(&rest, '/'), to = from.p == NULL ? from : take_until(&rest, '/');
    if (to.p == NULL)
        return;
    parts->from = from;
    parts->to = to;
    parts->repeats = take_word(&rest, "g");
    *s = rest;
}

/* NULL, or what is wrong. */
static const char *take_parts(struct slice *s, struct parts *parts)
{
    *parts = (struct parts){ 0 };
    if (take_word(s, "DEFAULT")) {
        parts->is_default = true;
        return NULL;
    }
    if (!take_word(s, "RULE:["))
        return "a rule is DEFAULT or RULE:[n:format](pattern)s/pattern/replacement/g, whose last two parts may be "
               "missing";
    parts->count = take_until(s, ':');
    parts->format = parts->count.p == NULL ? parts->count : take_until(s, ']');
    if (parts->format.p == NULL)
        return "behind RULE: comes [n:format], as in [2:$1@$0]";
    struct slice rest = *s;
    if (take_word(&rest, "(")) {
        parts->match = take_until(&rest, ')');
        if (parts->match.p == NULL)
            return "the pattern in () has no end";
        *s = rest;
    }
    take_replacement(s, parts);
    return NULL;
}

static char *copy(struct slice s)
{
    char *to = mem_alloc(s.n + 1);
    memcpy(to, s.p, s.n);
    to[s.n] = '\0';
    return to;
}

/* Takes the digits at *s; false if there are none or the number is too large to be meant. */
static bool take_number(const char **s, unsigned *out)
{
    const char *from = *s;
    *out = 0;
    for (; is_digit(**s) && *out <= COMPONENTS_MAX; (*s)++)
        *out = *out * 10 + (unsigned)(**s - '0');
    return *s != from && *out <= COMPONENTS_MAX;
}

/* Apache finds these when the rule is used, and then keeps the whole principal as the id. */
static const char *wrong_format(const struct rule *rule)
{
    for (const char *s = strchr(rule->format, '$'); s != NULL; s = strchr(s, '$')) {
        unsigned number;
        s++;
        if (!take_number(&s, &number))
            return "a number must follow $ in the format";
        if (number > rule->component_count)
            return "a number behind $ in the format is above that of the components; $0 is the realm";
    }
    return NULL;
}

/* The group that stands behind a dollar, of which Java takes as many digits as there are groups for. */
static unsigned take_group(const char **s, unsigned group_count)
{
    unsigned group = (unsigned)(*(*s)++ - '0');
    while (is_digit(**s) && group * 10 + (unsigned)(**s - '0') <= group_count)
        group = group * 10 + (unsigned)(*(*s)++ - '0');
    return group;
}

static const char *wrong_replacement(const struct rule *rule)
{
    unsigned count = pattern_group_count(rule->from);
    for (const char *s = rule->to; *s != '\0';) {
        char c = *s++;
        if (c == '\\' && *s++ == '\0')
            return "nothing follows the backslash in the replacement";
        if (c == '$' && !is_digit(*s))
            return "a number must follow $ in the replacement; \\$ is the sign itself";
        if (c == '$' && take_group(&s, count) > count)
            return "a number behind $ in the replacement is above that of the groups of the pattern";
    }
    return NULL;
}

static int read_pattern(struct slice text, const char *where, struct pattern **out, char *why, size_t why_size)
{
    struct pattern_error err = { "" };
    if (text.p == NULL)
        return 0;
    int rc = pattern_new(text, out, &err);
    if (rc != 0)
        snprintf(why, why_size, "the pattern %s, %s", where, err.text);
    return rc;
}

static int read_rule(struct rule *rule, const struct parts *parts, char *why, size_t why_size)
{
    rule->is_default = parts->is_default;
    if (rule->is_default)
        return 0;
    rule->format = copy(parts->format);
    rule->repeats = parts->repeats;
    char *count = copy(parts->count);
    const char *end = count, *wrong = NULL;
    if (!take_number(&end, &rule->component_count) || *end != '\0')
        wrong = "the number of components is missing: it is 1 for user@REALM, 2 for user/host@REALM";
    mem_free(count);
    if (wrong == NULL)
        wrong = wrong_format(rule);
    int rc = wrong != NULL ? ERR_INVALID : read_pattern(parts->match, "in ()", &rule->match, why, why_size);
    if (rc == 0)
        rc = read_pattern(parts->from, "behind s/", &rule->from, why, why_size);
    if (rc == 0 && rule->from != NULL) {
        rule->to = copy(parts->to);
        wrong = wrong_replacement(rule);
    }
    if (wrong == NULL)
        return rc;
    snprintf(why, why_size, "%s", wrong);
    return ERR_INVALID;
}

static void free_rule(struct rule *rule)
{
    mem_free(rule->format);
    mem_free(rule->to);
    pattern_free(rule->match);
    pattern_free(rule->from);
    mem_free(rule);
}

static bool has_nul(struct slice s)
{
    return s.n != 0 && memchr(s.p, '\0', s.n) != NULL;
}

int kerberos_rules_new(struct slice text, struct kerberos_rules **out, struct kerberos_rules_error *err)
{
    struct kerberos_rules *r = mem_zalloc(sizeof *r);
    struct rule **last = &r->first;
    int rc = 0;
    unsigned number = 0;
    for (struct slice rest = slice_trim(text); rest.n > 0 && rc == 0;) {
        while (rest.n > 0 && (*rest.p == ' ' || (*rest.p >= '\t' && *rest.p <= '\r')))
            rest = rest_of(rest, 1);
        char why[240];
        struct parts parts;
        struct slice begin = rest;
        const char *wrong = has_nul(rest) ? "a NUL stands in it" : take_parts(&rest, &parts);
        number++;
        if (wrong != NULL) {
            snprintf(why, sizeof why, "%s", wrong);
            rc = ERR_INVALID;
        } else {
            *last = mem_zalloc(sizeof **last);
            rc = read_rule(*last, &parts, why, sizeof why);
            last = &(*last)->next;
        }
        size_t n = rc != 0 && wrong == NULL ? begin.n - rest.n : begin.n;
        if (rc != 0)
            snprintf(err->text, sizeof err->text, "rule %u, %.*s%s: %s", number, (int)(n > 100 ? 100 : n),
                     (const char *)begin.p, n > 100 ? "..." : "", why);
    }
    if (rc == 0)
        *out = r;
    else
        kerberos_rules_free(r);
    return rc;
}

void kerberos_rules_free(struct kerberos_rules *r)
{
    for (struct rule *next = r == NULL ? NULL : r->first; next != NULL;) {
        struct rule *rule = next;
        next = rule->next;
        free_rule(rule);
    }
    mem_free(r);
}

/* ---- applying ---- */

static bool has_mark(struct slice s)
{
    return s.n != 0 && (memchr(s.p, '/', s.n) != NULL || memchr(s.p, '@', s.n) != NULL);
}

bool kerberos_name_parse(struct slice name, struct kerberos_name *out)
{
    struct slice front = take_until(&name, '@'), service;
    if (front.p == NULL)
        return false;
    service = take_until(&front, '/');
    bool has_host = service.p != NULL;
    *out = (struct kerberos_name){ .service = has_host ? service : front,
                                   .host = has_host ? front : (struct slice){ 0 },
                                   .realm = name };
    return !has_mark(name) && !has_mark(front);
}

static void append_format(struct buf *out, const char *s, const struct slice *params)
{
    while (*s != '\0') {
        size_t n = strcspn(s, "$");
        buf_append(out, s, n);
        s += n;
        unsigned number;
        if (*s == '$') {
            s++;
            bool good = take_number(&s, &number);
            ASSERT(good);
            buf_append_slice(out, params[number]);
        }
    }
}

static void append_replacement(struct buf *out, const struct rule *rule, struct slice base,
                               const struct pattern_match *match)
{
    unsigned count = pattern_group_count(rule->from);
    for (const char *s = rule->to; *s != '\0';) {
        if (*s == '$') {
            s++;
            unsigned g = take_group(&s, count);
            if (match->group[g].from != PATTERN_NONE)
                buf_append(out, base.p + match->group[g].from, match->group[g].to - match->group[g].from);
            continue;
        }
        if (*s == '\\')
            s++;
        buf_append(out, s++, 1);
    }
}

/* Java's replaceAll or replaceFirst: behind a match of nothing, one character is passed over. */
static void replace(struct buf *out, const struct rule *rule, struct slice base)
{
    struct pattern_match match;
    size_t copied = 0, from = 0;
    while (from <= base.n && pattern_find(rule->from, base, from, &match)) {
        size_t begin = match.group[0].from, end = match.group[0].to, step = 0;
        buf_append(out, base.p + copied, begin - copied);
        append_replacement(out, rule, base, &match);
        copied = end;
        if (!rule->repeats)
            break;
        if (begin == end && end < base.n)
            (void)pattern_char(base, end, &step);
        else if (begin == end)
            step = 1;
        from = end + step;
    }
    buf_append(out, base.p + copied, base.n - copied);
}

/* True: the rule fits, and out has what it makes. */
static bool apply(const struct rule *rule, const struct kerberos_name *name, struct slice default_realm,
                  struct buf *base, struct buf *out)
{
    const struct slice params[] = { name->realm, name->service, name->host };
    if (rule->is_default) {
        buf_append_slice(out, name->service);
        return slice_eq(name->realm, default_realm);
    }
    if (rule->component_count != (name->host.p == NULL ? 1 : 2))
        return false;
    append_format(base, rule->format, params);
    if (rule->match != NULL && !pattern_matches(rule->match, buf_slice(base)))
        return false;
    if (rule->from == NULL)
        buf_append_slice(out, buf_slice(base));
    else
        replace(out, rule, buf_slice(base));
    return true;
}

int kerberos_rules_apply(const struct kerberos_rules *r, const struct kerberos_name *name, struct slice default_realm,
                         struct buf *out)
{
    struct buf base;
    buf_init(&base, SIZE_MAX / 2);
    size_t before = out->n;
    bool fits = false;
    for (const struct rule *rule = r->first; rule != NULL && !fits; rule = rule->next) {
        base.n = 0;
        out->n = before;
        fits = apply(rule, name, default_realm, &base, out);
    }
    buf_fini(&base);
    bool good = fits && !has_mark(rest_of(buf_slice(out), before));
    if (!good)
        out->n = before;
    return good ? 0 : ERR_NOT_FOUND;
}
