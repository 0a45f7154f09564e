#include "base/pattern.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/pattern_program.h"
#include <stdio.h>

#define DEPTH_MAX 50
#define REPEAT_MAX 1000
#define REPEAT_ANY -1
/* What peek() says at the end. */
#define NO_CHAR -1

struct parser {
    struct slice text;
    size_t at;
    struct pattern *p;
    struct pattern_error *err;
    int rc;
    unsigned depth;
};

static void fail(struct parser *z, int rc, const char *what)
{
    if (z->rc != 0)
        return;
    z->rc = rc;
    snprintf(z->err->text, sizeof z->err->text, "character %zu: %s", z->at + 1, what);
}

static int peek(const struct parser *z)
{
    return z->rc != 0 || z->at == z->text.n ? NO_CHAR : z->text.p[z->at];
}

static bool take(struct parser *z, char c)
{
    if (peek(z) != c)
        return false;
    z->at++;
    return true;
}

/* ---- sets of characters ---- */

static void set_add(struct pattern_set *s, unsigned c)
{
    s->bits[c / 8] |= (uint8_t)(1u << (c % 8));
}

static void set_range(struct pattern_set *s, unsigned from, unsigned to)
{
    for (unsigned c = from; c <= to; c++)
        set_add(s, c);
}

static void set_invert(struct pattern_set *s)
{
    for (size_t i = 0; i < sizeof s->bits; i++)
        s->bits[i] = (uint8_t)~s->bits[i];
}

/* Java's classes are of ASCII alone. */
static bool set_of_letter(struct pattern_set *s, int letter)
{
    *s = (struct pattern_set){ 0 };
    if (letter == 'd' || letter == 'D' || letter == 'w' || letter == 'W')
        set_range(s, '0', '9');
    if (letter == 'w' || letter == 'W') {
        set_range(s, 'a', 'z');
        set_range(s, 'A', 'Z');
        set_add(s, '_');
    }
    if (letter == 's' || letter == 'S') {
        set_range(s, '\t', '\r');
        set_add(s, ' ');
    }
    if (letter == 'D' || letter == 'W' || letter == 'S')
        set_invert(s);
    return letter != 0 && strchr("dDwWsS", letter) != NULL;
}

static bool is_letter_or_digit(int c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static int take_plain(struct parser *z)
{
    int c = peek(z);
    if (c >= 128) {
        fail(z, ERR_UNSUPPORTED, "only ASCII can stand in a pattern here");
        return NO_CHAR;
    }
    z->at++;
    return c;
}

/* Behind a backslash: one character, or NO_CHAR and a class in *s. */
static int take_escape(struct parser *z, struct pattern_set *s)
{
    static const char names[] = "tnrf", values[] = "\t\n\r\f";
    int c = peek(z);
    const char *name = c <= 0 ? NULL : strchr(names, c);
    if (c >= 128)
        return take_plain(z);
    if (c == NO_CHAR) {
        fail(z, ERR_INVALID, "nothing follows the backslash");
        return NO_CHAR;
    }
    if (is_letter_or_digit(c) && name == NULL && !set_of_letter(s, c)) {
        fail(z, ERR_UNSUPPORTED, "this server does not know what this letter or digit means behind a backslash");
        return NO_CHAR;
    }
    z->at++;
    if (name != NULL)
        return values[name - names];
    return is_letter_or_digit(c) ? NO_CHAR : c;
}

/* One character, or a class, which *s then has; false is the latter. */
static bool take_class_part(struct parser *z, struct pattern_set *s, int *c)
{
    *s = (struct pattern_set){ 0 };
    int next = peek(z);
    if (next == '[' || (next == '&' && z->at + 1 < z->text.n && z->text.p[z->at + 1] == '&'))
        fail(z, ERR_UNSUPPORTED, "a class within a class, or &&, is not known here");
    *c = take(z, '\\') ? take_escape(z, s) : take_plain(z);
    return *c != NO_CHAR;
}

static void join(struct pattern_set *s, const struct pattern_set *more)
{
    for (size_t i = 0; i < sizeof s->bits; i++)
        s->bits[i] |= more->bits[i];
}

/* Behind '['. */
static struct pattern_set take_class(struct parser *z)
{
    struct pattern_set set = { 0 }, part;
    bool inverted = take(z, '^');
    if (peek(z) == ']')
        fail(z, ERR_UNSUPPORTED, "write \\] for a bracket in a class");
    while (z->rc == 0 && !take(z, ']')) {
        int from, to;
        if (peek(z) == NO_CHAR)
            fail(z, ERR_INVALID, "the class has no end: ] is missing");
        bool single = take_class_part(z, &part, &from);
        bool ranges = peek(z) == '-' && z->at + 1 < z->text.n && z->text.p[z->at + 1] != ']';
        if (single && ranges) {
            z->at++;
            if (!take_class_part(z, &part, &to) || to < from)
                fail(z, ERR_INVALID, "the range ends before it begins");
            else
                set_range(&set, (unsigned)from, (unsigned)to);
        } else if (single) {
            set_add(&set, (unsigned)from);
        } else if (ranges) {
            fail(z, ERR_UNSUPPORTED, "write \\- for a hyphen behind a class");
        }
        join(&set, &part);
    }
    if (inverted)
        set_invert(&set);
    return set;
}

/* ---- steps ---- */

/* Makes room for n steps at a place. Jumps are relative, and none leads out of what moves. */
static struct pattern_step *insert(struct parser *z, size_t at, size_t n)
{
    struct pattern *p = z->p;
    if (p->count + n > PATTERN_STEPS_MAX)
        fail(z, ERR_UNSUPPORTED, "the pattern is too long, or repeats too much");
    if (z->rc != 0)
        return NULL;
    memmove(p->steps + at + n, p->steps + at, (p->count - at) * sizeof *p->steps);
    memset(p->steps + at, 0, n * sizeof *p->steps);
    p->count += n;
    return p->steps + at;
}

static void put(struct parser *z, size_t at, enum pattern_op op, int x, int y)
{
    struct pattern_step *s = insert(z, at, 1);
    if (s != NULL)
        *s = (struct pattern_step){ .op = op, .x = x, .y = y };
}

static void put_end(struct parser *z, enum pattern_op op, int x, int y)
{
    put(z, z->p->count, op, x, y);
}

static void put_set(struct parser *z, const struct pattern_set *set)
{
    struct pattern_step *s = insert(z, z->p->count, 1);
    if (s != NULL)
        *s = (struct pattern_step){ .op = PATTERN_CHAR, .set = *set };
}

static void put_split(struct parser *z, size_t at, int in, int past, bool lazy)
{
    put(z, at, PATTERN_SPLIT, lazy ? past : in, lazy ? in : past);
}

/* ---- the grammar; each function tells whether what it took can match nothing ---- */

static bool take_alternatives(struct parser *z);

static bool take_group(struct parser *z)
{
    bool counts = !take(z, '?');
    unsigned number = 0;
    if (!counts && !take(z, ':'))
        fail(z, ERR_UNSUPPORTED, "of (?...) only (?:...) is known here");
    if (++z->depth > DEPTH_MAX)
        fail(z, ERR_UNSUPPORTED, "the groups are too deep");
    if (counts) {
        number = ++z->p->group_count;
        if (number >= PATTERN_GROUPS_MAX)
            fail(z, ERR_UNSUPPORTED, "the pattern has too many groups");
        put_end(z, PATTERN_SAVE, (int)(2 * number), 0);
    }
    bool empty = take_alternatives(z);
    if (!take(z, ')'))
        fail(z, ERR_INVALID, "a group has no end: ) is missing");
    if (counts)
        put_end(z, PATTERN_SAVE, (int)(2 * number + 1), 0);
    z->depth--;
    return empty;
}

static bool take_atom(struct parser *z)
{
    struct pattern_set set = { 0 };
    int c;
    if (take(z, '('))
        return take_group(z);
    if (take(z, '[')) {
        set = take_class(z);
    } else if (take(z, '.')) {
        set_add(&set, '\n');
        set_add(&set, '\r');
        set_add(&set, PATTERN_CHAR_LINE);
        set_invert(&set);
    } else if (peek(z) == '*' || peek(z) == '+' || peek(z) == '?' || peek(z) == '{') {
        fail(z, peek(z) == '{' ? ERR_UNSUPPORTED : ERR_INVALID,
             "there is nothing to repeat; a backslash makes it a plain character");
    } else if (take(z, '\\')) {
        c = take_escape(z, &set);
        if (c != NO_CHAR)
            set_add(&set, (unsigned)c);
    } else {
        c = take_plain(z);
        if (c != NO_CHAR)
            set_add(&set, (unsigned)c);
    }
    put_set(z, &set);
    return false;
}

static bool take_place(struct parser *z)
{
    static const struct {
        const char *text;
        enum pattern_op op;
    } rows[] = { { "^", PATTERN_START },
                 { "\\A", PATTERN_START },
                 { "$", PATTERN_LAST },
                 { "\\Z", PATTERN_LAST },
                 { "\\z", PATTERN_END } };
    struct slice rest = slice_of(z->text.p + z->at, z->text.n - z->at);
    for (size_t i = 0; i < ARRAY_COUNT(rows) && z->rc == 0; i++)
        if (slice_starts(rest, slice_str(rows[i].text))) {
            z->at += strlen(rows[i].text);
            put_end(z, rows[i].op, 0, 0);
            return true;
        }
    return false;
}

static int take_number(struct parser *z)
{
    int n = 0;
    if (peek(z) < '0' || peek(z) > '9')
        fail(z, ERR_INVALID, "a number is missing in {}");
    while (peek(z) >= '0' && peek(z) <= '9' && n <= REPEAT_MAX)
        n = n * 10 + (z->text.p[z->at++] - '0');
    if (n > REPEAT_MAX)
        fail(z, ERR_UNSUPPORTED, "the number in {} is too large");
    return n;
}

/* How often what stands before may be there; false: nothing is said about that. */
static bool take_repeat(struct parser *z, int *min, int *max)
{
    *min = 0;
    *max = REPEAT_ANY;
    if (take(z, '*'))
        return true;
    if (take(z, '+')) {
        *min = 1;
        return true;
    }
    if (take(z, '?')) {
        *max = 1;
        return true;
    }
    if (!take(z, '{'))
        return false;
    *min = *max = take_number(z);
    if (take(z, ','))
        *max = peek(z) == '}' ? REPEAT_ANY : take_number(z);
    if (!take(z, '}') || (*max != REPEAT_ANY && *max < *min))
        fail(z, ERR_INVALID, "{} is not {n}, {n,} or {n,m} with n not above m");
    return true;
}

/* One copy more of the n steps in `from` at the end. */
static void put_copy(struct parser *z, const struct pattern_step *from, size_t n)
{
    struct pattern_step *to = insert(z, z->p->count, n);
    if (to != NULL)
        memcpy(to, from, n * sizeof *from);
}

/* Repeats the steps from `start` to the end. */
static void repeat(struct parser *z, size_t start, int min, int max, bool lazy)
{
    size_t n = z->p->count - start;
    int size = (int)n;
    struct pattern_step *one = mem_alloc(n * sizeof *one);
    memcpy(one, z->p->steps + start, n * sizeof *one);
    z->p->count = start;
    for (int i = 0; i < min && z->rc == 0; i++)
        put_copy(z, one, n);
    if (max == REPEAT_ANY && min > 0) {
        put_split(z, z->p->count, -size, 1, lazy);
    } else if (max == REPEAT_ANY) {
        put_split(z, z->p->count, 1, size + 2, lazy);
        put_copy(z, one, n);
        put_end(z, PATTERN_JUMP, -(size + 1), 0);
    }
    for (int left = max - min; left > 0 && max != REPEAT_ANY && z->rc == 0; left--) {
        put_split(z, z->p->count, 1, left * (size + 1), lazy);
        put_copy(z, one, n);
    }
    mem_free(one);
}

static bool take_piece(struct parser *z)
{
    size_t start = z->p->count;
    int min, max;
    bool place = take_place(z), empty = place || take_atom(z);
    if (!take_repeat(z, &min, &max))
        return empty;
    bool lazy = take(z, '?');
    if (place)
        fail(z, ERR_UNSUPPORTED, "a place cannot be repeated here");
    else if (peek(z) == '+')
        fail(z, ERR_UNSUPPORTED, "a + behind a repetition (possessive) is not known here");
    else if (empty && max != 1)
        fail(z, ERR_UNSUPPORTED, "a group that can match nothing cannot be repeated here");
    if (z->rc == 0)
        repeat(z, start, min, max, lazy);
    return empty || min == 0;
}

static bool take_alternatives(struct parser *z)
{
    size_t start = z->p->count;
    bool empty = true;
    while (peek(z) != NO_CHAR && peek(z) != '|' && peek(z) != ')')
        empty &= take_piece(z);
    if (!take(z, '|'))
        return empty;
    put_split(z, start, 1, (int)(z->p->count - start) + 2, false);
    size_t jump = z->p->count;
    put_end(z, PATTERN_JUMP, 0, 0);
    if (++z->depth > DEPTH_MAX)
        fail(z, ERR_UNSUPPORTED, "the pattern has too many alternatives");
    empty |= take_alternatives(z);
    z->depth--;
    if (z->rc == 0)
        z->p->steps[jump].x = (int)(z->p->count - jump);
    return empty;
}

int pattern_new(struct slice text, struct pattern **out, struct pattern_error *err)
{
    struct pattern *p = mem_zalloc(sizeof *p);
    p->steps = mem_alloc(PATTERN_STEPS_MAX * sizeof *p->steps);
    struct parser z = { .text = text, .p = p, .err = err };
    put_end(&z, PATTERN_SAVE, 0, 0);
    take_alternatives(&z);
    if (peek(&z) == ')')
        fail(&z, ERR_INVALID, "this ) ends no group");
    put_end(&z, PATTERN_SAVE, 1, 0);
    put_end(&z, PATTERN_MATCH, 0, 0);
    if (z.rc == 0) {
        p->steps = mem_realloc(p->steps, p->count * sizeof *p->steps);
        *out = p;
    } else {
        pattern_free(p);
    }
    return z.rc;
}

void pattern_free(struct pattern *p)
{
    if (p != NULL)
        mem_free(p->steps);
    mem_free(p);
}

unsigned pattern_group_count(const struct pattern *p)
{
    return p->group_count;
}
