/* pattern: regular expressions as java.util.regex reads them, for rules that were written for Java. Of several ways to
 * match, Java's is taken (the first alternative, the longest of * and the shortest of *?), but no text makes a match
 * take more than its length times that of the pattern.
 *
 * What is known: . [] () (?:) | * + ? {n,m} and their lazy forms, ^ $ \A \z \Z, \d \D \w \W \s \S, \t \n \r \f, and \
 * before what is no letter or digit. All else is refused: references to groups, (?= and the like, possessive
 * repetitions, classes in classes, \b, \p, letters beyond ASCII, and a repeated group that can match nothing. Texts are
 * UTF-8; a byte that is not counts as a letter. */
#ifndef ZOKOR_BASE_PATTERN_H
#define ZOKOR_BASE_PATTERN_H

#include "base/assert.h"
#include "base/slice.h"

/* Groups of a pattern, the whole of it being number 0. */
#define PATTERN_GROUPS_MAX 20
#define PATTERN_NONE SIZE_MAX

struct pattern;

struct pattern_match {
    struct {
        size_t from, to; /* in the text; PATTERN_NONE both: the group took no part */
    } group[PATTERN_GROUPS_MAX];
};

struct pattern_error {
    char text[120];
};

/* 0; ERR_INVALID if it is no pattern or ERR_UNSUPPORTED if it is one that is refused here, and err says why. The text
 * is not kept. */
int pattern_new(struct slice text, struct pattern **out, struct pattern_error *err) WARN_UNUSED;
/* NULL is fine. */
void pattern_free(struct pattern *p);
/* Groups besides number 0. */
unsigned pattern_group_count(const struct pattern *p);

/* Java's Matcher.matches(): the pattern takes the whole text. */
bool pattern_matches(const struct pattern *p, struct slice text);
/* Java's Matcher.find(from): the first match that begins at from or later; from <= text.n. */
bool pattern_find(const struct pattern *p, struct slice text, size_t from, struct pattern_match *match);
/* The character at text.p[at] and its length in bytes. What Java calls a line terminator beyond ASCII is
 * PATTERN_CHAR_LINE, all others beyond ASCII are PATTERN_CHAR_OTHER. */
#define PATTERN_CHAR_OTHER 128
#define PATTERN_CHAR_LINE 129
unsigned pattern_char(struct slice text, size_t at, size_t *length);

#endif
