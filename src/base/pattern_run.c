/* All ways to match go through the text side by side, the preferred one first, so that none is gone twice. */
#include "base/mem.h"
#include "base/pattern.h"
#include "base/pattern_program.h"

struct way {
    size_t step;
    size_t *marks;
};

struct ways {
    struct way *at;
    size_t count;
};

struct run {
    const struct pattern *p;
    struct slice text;
    bool whole; /* the match must end with the text */
    size_t mark_count;
    size_t *seen; /* for each step, the round in which a way came by */
    size_t round;
    size_t *memory; /* marks of all ways */
    struct ways now, next;
};

unsigned pattern_char(struct slice text, size_t at, size_t *length)
{
    const uint8_t *p = text.p + at;
    size_t left = text.n - at, n = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
    *length = 1;
    if (p[0] < 128)
        return p[0];
    for (size_t i = 1; i < n; i++)
        if (p[0] < 0xc2 || p[0] > 0xf4 || i >= left || (p[i] & 0xc0) != 0x80)
            return PATTERN_CHAR_OTHER;
    *length = n;
    bool line = (n == 2 && memcmp(p, "\xc2\x85", 2) == 0) || (n == 3 && memcmp(p, "\xe2\x80\xa8", 3) == 0) ||
                (n == 3 && memcmp(p, "\xe2\x80\xa9", 3) == 0);
    return line ? PATTERN_CHAR_LINE : PATTERN_CHAR_OTHER;
}

/* Java's $: the end, or before a line terminator that is the last of the text. */
static bool is_last(struct slice text, size_t at)
{
    if (at == text.n)
        return true;
    if (text.n - at == 2 && memcmp(text.p + at, "\r\n", 2) == 0)
        return true;
    size_t length;
    unsigned c = pattern_char(text, at, &length);
    if (at + length != text.n || (c == '\n' && at > 0 && text.p[at - 1] == '\r'))
        return false;
    return c == '\n' || c == '\r' || c == PATTERN_CHAR_LINE;
}

static bool holds(const struct run *r, enum pattern_op op, size_t at)
{
    if (op == PATTERN_START)
        return at == 0;
    return op == PATTERN_END ? at == r->text.n : is_last(r->text, at);
}

/* Follows a way up to the steps that take a character. */
static void follow(struct run *r, struct ways *to, size_t step, size_t at, size_t *marks)
{
    const struct pattern_step *s = &r->p->steps[step];
    if (r->seen[step] == r->round)
        return;
    r->seen[step] = r->round;
    switch (s->op) {
    case PATTERN_JUMP:
        follow(r, to, step + (size_t)s->x, at, marks);
        break;
    case PATTERN_SPLIT:
        follow(r, to, step + (size_t)s->x, at, marks);
        follow(r, to, step + (size_t)s->y, at, marks);
        break;
    case PATTERN_SAVE: {
        size_t before = marks[s->x];
        marks[s->x] = at;
        follow(r, to, step + 1, at, marks);
        marks[s->x] = before;
        break;
    }
    case PATTERN_START:
    case PATTERN_END:
    case PATTERN_LAST:
        if (holds(r, s->op, at))
            follow(r, to, step + 1, at, marks);
        break;
    case PATTERN_CHAR:
    case PATTERN_MATCH:
        to->at[to->count].step = step;
        memcpy(to->at[to->count++].marks, marks, r->mark_count * sizeof *marks);
        break;
    }
}

/* One character further; true: found is the best match that ends here, and the ways that are worse are given up. */
static bool advance(struct run *r, size_t at, unsigned c, size_t length, size_t *found)
{
    r->next.count = 0;
    r->round++;
    for (size_t i = 0; i < r->now.count; i++) {
        const struct way *w = &r->now.at[i];
        const struct pattern_step *s = &r->p->steps[w->step];
        if (s->op == PATTERN_MATCH && (!r->whole || at == r->text.n)) {
            memcpy(found, w->marks, r->mark_count * sizeof *found);
            return true;
        }
        if (s->op == PATTERN_CHAR && length != 0 && (s->set.bits[c / 8] >> (c % 8) & 1) != 0)
            follow(r, &r->next, w->step + 1, at + length, w->marks);
    }
    return false;
}

static struct ways ways_of(struct run *r, size_t *memory)
{
    struct ways w = { .at = mem_alloc(r->p->count * sizeof *w.at) };
    for (size_t i = 0; i < r->p->count; i++)
        w.at[i].marks = memory + i * r->mark_count;
    return w;
}

static bool run(struct run *r, size_t from, size_t *found)
{
    bool is_found = false;
    size_t none[2 * PATTERN_GROUPS_MAX];
    for (size_t i = 0; i < r->mark_count; i++)
        none[i] = PATTERN_NONE;
    for (size_t at = from;;) {
        size_t length = 0;
        unsigned c = at < r->text.n ? pattern_char(r->text, at, &length) : 0;
        /* The steps of this round were marked as seen by those who came here. */
        if (!is_found && (!r->whole || at == from))
            follow(r, &r->now, 0, at, none);
        if (r->now.count == 0 && (is_found || r->whole))
            return is_found;
        is_found |= advance(r, at, c, length, found);
        if (length == 0)
            return is_found;
        at += length;
        struct ways swap = r->now;
        r->now = r->next;
        r->next = swap;
    }
}

static bool begin(const struct pattern *p, struct slice text, size_t from, bool whole, size_t *found)
{
    struct run r = { .p = p, .text = text, .whole = whole, .mark_count = 2 * (p->group_count + 1), .round = 1 };
    r.seen = mem_zalloc(p->count * sizeof *r.seen);
    r.memory = mem_alloc(2 * p->count * r.mark_count * sizeof *r.memory);
    r.now = ways_of(&r, r.memory);
    r.next = ways_of(&r, r.memory + p->count * r.mark_count);
    bool is_found = run(&r, from, found);
    mem_free(r.now.at);
    mem_free(r.next.at);
    mem_free(r.memory);
    mem_free(r.seen);
    return is_found;
}

bool pattern_matches(const struct pattern *p, struct slice text)
{
    size_t found[2 * PATTERN_GROUPS_MAX];
    return begin(p, text, 0, true, found);
}

bool pattern_find(const struct pattern *p, struct slice text, size_t from, struct pattern_match *match)
{
    size_t found[2 * PATTERN_GROUPS_MAX];
    ASSERT(from <= text.n);
    if (!begin(p, text, from, false, found))
        return false;
    for (size_t i = 0; i <= p->group_count; i++) {
        bool took_part = found[2 * i] != PATTERN_NONE && found[2 * i + 1] != PATTERN_NONE;
        match->group[i].from = took_part ? found[2 * i] : PATTERN_NONE;
        match->group[i].to = took_part ? found[2 * i + 1] : PATTERN_NONE;
    }
    return true;
}
