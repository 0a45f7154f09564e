#include "sim/scenario.h"
#include "base/mem.h"
#include "sim/scenario_internal.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINE_BYTES 400
#define LINES_MAX 400
#define CHOICES_MAX 4
#define VALUES_MAX 200
#define VALUE_BYTES 40

/* "each NAME value value 1..5": the text is run once for each value. */
struct choice {
    char name[16];
    char values[VALUES_MAX][VALUE_BYTES];
    size_t count, at;
};

struct script {
    char (*lines)[LINE_BYTES];
    unsigned numbers[LINES_MAX];
    size_t count;
    struct choice *choices;
    size_t choice_count;
};

void scenario_wrong(struct scenario *s, const char *fmt, ...)
{
    char text[500];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    finding_set(&s->c.finding, s->c.now_us, "scenario", "%s", text);
}

/* ---- reading ---- */

static size_t split(char *line, struct words *w)
{
    w->n = 0;
    for (char *p = line; *p != '\0' && w->n < SCENARIO_WORDS;) {
        while (*p == ' ')
            *p++ = '\0';
        if (*p == '\0')
            break;
        w->w[w->n++] = p;
        while (*p != ' ' && *p != '\0')
            p++;
    }
    return w->n;
}

static void add_value(struct choice *ch, const char *value)
{
    if (ch->count < VALUES_MAX)
        snprintf(ch->values[ch->count++], VALUE_BYTES, "%s", value);
}

static void add_choice(struct script *t, const struct words *w)
{
    if (t->choice_count == CHOICES_MAX || w->n < 3)
        return;
    struct choice *ch = &t->choices[t->choice_count++];
    snprintf(ch->name, sizeof ch->name, "%s", w->w[1]);
    for (size_t i = 2; i < w->n; i++) {
        const char *dots = strstr(w->w[i], "..");
        if (dots == NULL) {
            add_value(ch, w->w[i]);
            continue;
        }
        long last = strtol(dots + 2, NULL, 10);
        for (long n = strtol(w->w[i], NULL, 10); n <= last; n++) {
            char number[24];
            snprintf(number, sizeof number, "%ld", n);
            add_value(ch, number);
        }
    }
}

/* Without comments and empty lines; "each" lines are taken out. */
static void read_script(struct slice text, struct script *t)
{
    unsigned number = 0;
    t->lines = mem_alloc(LINES_MAX * LINE_BYTES);
    t->choices = mem_zalloc(CHOICES_MAX * sizeof *t->choices);
    while (text.n != 0 && t->count < LINES_MAX) {
        const uint8_t *end = memchr(text.p, '\n', text.n);
        size_t n = end == NULL ? text.n : (size_t)(end - text.p), used = end == NULL ? n : n + 1;
        const uint8_t *hash = n == 0 ? NULL : memchr(text.p, '#', n);
        char line[LINE_BYTES], copy[LINE_BYTES];
        snprintf(line, sizeof line, "%.*s", (int)(hash == NULL ? n : (size_t)(hash - text.p)), (const char *)text.p);
        snprintf(copy, sizeof copy, "%s", line);
        text = slice_of(text.p + used, text.n - used);
        number++;
        struct words w;
        if (split(copy, &w) == 0)
            continue;
        if (strcmp(w.w[0], "each") == 0) {
            add_choice(t, &w);
            continue;
        }
        memcpy(t->lines[t->count], line, sizeof line);
        t->numbers[t->count++] = number;
    }
}

/* Puts the values of the variant for $NAME. */
static void substitute(const struct script *t, const char *from, char *to)
{
    size_t n = 0;
    for (const char *p = from; *p != '\0' && n + VALUE_BYTES < LINE_BYTES;) {
        const struct choice *hit = NULL;
        for (size_t i = 0; *p == '$' && i < t->choice_count; i++)
            if (strncmp(p + 1, t->choices[i].name, strlen(t->choices[i].name)) == 0)
                hit = &t->choices[i];
        if (hit == NULL) {
            to[n++] = *p++;
            continue;
        }
        n += (size_t)snprintf(to + n, LINE_BYTES - n, "%s", hit->values[hit->at]);
        p += 1 + strlen(hit->name);
    }
    to[n] = '\0';
}

/* ---- running ---- */

static size_t block_end(const struct script *t, size_t from)
{
    for (size_t i = from; i < t->count; i++)
        if (strncmp(t->lines[i], "end", 3) == 0)
            return i;
    return t->count;
}

/* Lines [from, to); the number of the line that failed, 0 none. "repeat N" ... "end" is not nested. */
static unsigned run_lines(struct scenario *s, const struct script *t, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++) {
        char line[LINE_BYTES];
        struct words w;
        substitute(t, t->lines[i], line);
        split(line, &w);
        if (strcmp(w.w[0], "repeat") == 0 && w.n == 2) {
            size_t end = block_end(t, i);
            unsigned failed = 0;
            for (long n = strtol(w.w[1], NULL, 10); n > 0 && failed == 0; n--)
                failed = run_lines(s, t, i + 1, end);
            if (failed != 0)
                return failed;
            i = end;
            continue;
        }
        if (!scenario_step(s, &w) || s->c.finding.is)
            return t->numbers[i];
    }
    return 0;
}

static void describe_variant(const struct script *t, char *to, size_t size)
{
    size_t n = 0;
    to[0] = '\0';
    for (size_t i = 0; i < t->choice_count && n < size; i++)
        n += (size_t)snprintf(to + n, size - n, "%s%s=%s", i == 0 ? "" : " ", t->choices[i].name,
                              t->choices[i].values[t->choices[i].at]);
}

static void run_variant(const struct script *t, const char *variant, struct scenario_result *result)
{
    struct scenario *s = mem_zalloc(sizeof *s);
    options_default(&s->options);
    s->options.seed = 1;
    result->sim = (struct sim_result){ 0 };
    s->result = &result->sim;
    unsigned line = run_lines(s, t, 0, t->count);
    if (line == 0 && !s->closed && s->begun && !scenario_verify(s))
        line = t->count == 0 ? 0 : t->numbers[t->count - 1];
    result->variants++;
    result->steps += s->c.steps;
    if (line != 0 || s->c.finding.is) {
        result->failed = true;
        snprintf(result->why, sizeof result->why, "line %u%s%s: %s: %s", line, variant[0] == '\0' ? "" : ", with ",
                 variant, s->c.finding.rule, s->c.finding.text);
    }
    if (s->begun)
        cluster_end(&s->c);
    mem_free(s);
}

static bool next_variant(struct script *t)
{
    for (size_t i = t->choice_count; i-- > 0;) {
        if (++t->choices[i].at < t->choices[i].count)
            return true;
        t->choices[i].at = 0;
    }
    return false;
}

void scenario_run(struct slice text, const char *only, struct scenario_result *result)
{
    struct script t = { 0 };
    *result = (struct scenario_result){ 0 };
    read_script(text, &t);
    bool empty = t.count == 0;
    for (size_t i = 0; i < t.choice_count; i++)
        empty = empty || t.choices[i].count == 0;
    do {
        char variant[200];
        describe_variant(&t, variant, sizeof variant);
        if (!empty && (only == NULL || strcmp(only, variant) == 0))
            run_variant(&t, variant, result);
    } while (!result->failed && next_variant(&t));
    if (result->variants == 0) {
        result->failed = true;
        snprintf(result->why, sizeof result->why, "there is nothing to run");
    }
    mem_free(t.lines);
    mem_free(t.choices);
}
