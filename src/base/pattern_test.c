#include "base/pattern.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/rng.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

static struct pattern *pattern_of(const char *text)
{
    struct pattern *p = NULL;
    struct pattern_error err = { "" };
    if (pattern_new(slice_str(text), &p, &err) != 0)
        fail_msg("%s: %s", text, err.text);
    return p;
}

/* "from-to" of each group of the first match, "." for one that took no part; "" if there is none. */
static const char *found(const char *pattern, const char *text, size_t from)
{
    static char out[200];
    struct pattern_match m;
    struct pattern *p = pattern_of(pattern);
    size_t n = 0;
    out[0] = '\0';
    if (pattern_find(p, slice_str(text), from, &m))
        for (unsigned i = 0; i <= pattern_group_count(p); i++) {
            const char *gap = i == 0 ? "" : " ";
            if (m.group[i].from == PATTERN_NONE)
                n += (size_t)snprintf(out + n, sizeof out - n, "%s.", gap);
            else
                n += (size_t)snprintf(out + n, sizeof out - n, "%s%zu-%zu", gap, m.group[i].from, m.group[i].to);
        }
    pattern_free(p);
    return out;
}

/* What java.util.regex.Matcher.find(from) says, of Java 17. */
static void matches_are_those_of_java(void **state)
{
    (void)state;
    static const struct {
        const char *pattern, *text;
        size_t from;
        const char *groups;
    } rows[] = {
        { "@.*", "bob@R", 0, "3-5" },
        { "a|ab", "xabc", 0, "1-2" },
        { "ab|a", "xabc", 0, "1-3" },
        { "a*", "baa", 0, "0-0" },
        { "a*", "baa", 1, "1-3" },
        { "a*", "baa", 3, "3-3" },
        { "a*?b", "aab", 0, "0-3" },
        { "(a?)(ab)?", "aab", 0, "0-3 0-1 1-3" },
        { "(a)|b", "b", 0, "0-1 ." },
        { "((a)|b)+", "ab", 0, "0-2 1-2 0-1" },
        { "(?:(a)|(b))*c", "abc", 0, "0-3 0-1 1-2" },
        { "(a+)(a*)", "aaa", 0, "0-3 0-3 3-3" },
        { "(a+?)(a*)", "aaa", 0, "0-3 0-1 1-3" },
        { "a{2,3}", "aaaa", 0, "0-3" },
        { "a{2,3}?", "aaaa", 0, "0-2" },
        { "a{2}", "aaaa", 1, "1-3" },
        { "a{2,}", "aaaa", 0, "0-4" },
        { "(ab){0,2}c", "ababc", 0, "0-5 2-4" },
        { "(a*)?b", "b", 0, "0-1 0-0" },
        { "x{0}y", "xy", 0, "1-2" },
        { "^b", "ab", 1, "" },
        { "^a", "ab", 0, "0-1" },
        { "b$", "ab", 0, "1-2" },
        { "b$", "ab\n", 0, "1-2" },
        { "b\\z", "ab\n", 0, "" },
        { "b\\Z", "ab\r\n", 0, "1-2" },
        { "$", "a\r\n", 2, "3-3" },
        { "\\Ab", "b", 0, "0-1" },
        { ".+", "a\nb", 0, "0-1" },
        { "[^a]+", "ab\nc", 0, "1-4" },
        { "\\d+", "x12", 0, "1-3" },
        { "\\D+", "12x", 0, "2-3" },
        { "\\w+", "-a_9Z-", 0, "1-5" },
        { "\\W+", "a-.", 0, "1-3" },
        { "\\s+", "a \t\n", 0, "1-4" },
        { "\\S+", " ab ", 0, "1-3" },
        { "[\\w.-]+", "/a.b-c/", 0, "1-6" },
        { "[a-c^]+", "xb^c", 0, "1-4" },
        { "[-a]+", "b-a", 0, "1-3" },
        { "[a-]+", "b-a", 0, "1-3" },
        { "[\\]x]+", "a]x", 0, "1-3" },
        { "a\\.b", "axb a.b", 0, "4-7" },
        { "\\t", "a\tb", 0, "1-2" },
        { "(|a)b", "ab", 0, "0-2 0-1" },
        { "(a|b|c)(d|e)?", "xcd", 0, "1-3 1-2 2-3" },
        { "}", "a}", 0, "1-2" },
        { "]", "a]", 0, "1-2" },
        { "", "ab", 1, "1-1" },
        { "(a(b(c)?)?)?d", "abd", 0, "0-3 0-2 1-2 ." },
        { "(hdfs|nn|dn)", "adn", 0, "1-3 1-3" },
        { "[^\\d]+", "1a2", 0, "1-2" },
        { "a??b", "ab", 0, "0-2" },
        { "(a|ab)(c|bcd)(d*)", "abcd", 0, "0-4 0-1 1-4 4-4" },
    };
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        const char *is = found(rows[i].pattern, rows[i].text, rows[i].from);
        if (strcmp(is, rows[i].groups) != 0)
            fail_msg("%s in \"%s\" from %zu: \"%s\", not \"%s\"", rows[i].pattern, rows[i].text, rows[i].from, is,
                     rows[i].groups);
    }
}

static void a_match_of_the_whole(void **state)
{
    (void)state;
    static const struct {
        const char *pattern, *text;
        bool matches;
    } rows[] = {
        { "a|ab", "ab", true },
        { "a*?", "aaa", true },
        { "a", "ba", false },
        { "a", "ab", false },
        { "", "", true },
        { "", "a", false },
        { "a$", "a\n", false },
        { ".*@EXAMPLE\\.COM", "bob@EXAMPLE.COM", true },
        { ".*@EXAMPLE\\.COM", "bob@EXAMPLEXCOM", false },
        { ".", "\xc3\xa9", true },
        { ".", "\xe2\x80\xa8", false }, /* a separator of lines */
        { "[^a]", "\xf0\x9f\x98\x80", true },
        { "..", "\xc3(", true }, /* no UTF-8 */
        { "(a+)+b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaac", false },
    };
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        struct pattern *p = pattern_of(rows[i].pattern);
        if (pattern_matches(p, slice_str(rows[i].text)) != rows[i].matches)
            fail_msg("%s in \"%s\"", rows[i].pattern, rows[i].text);
        pattern_free(p);
    }
}

static void what_is_no_pattern_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *pattern;
        int rc;
        const char *error;
    } rows[] = {
        { "a(b", ERR_INVALID, "character 4: a group has no end: ) is missing" },
        { "ab)", ERR_INVALID, "character 3: this ) ends no group" },
        { "*a", ERR_INVALID, "character 1: there is nothing to repeat; a backslash makes it a plain character" },
        { "a**", ERR_INVALID, "character 3: there is nothing to repeat; a backslash makes it a plain character" },
        { "{2}", ERR_UNSUPPORTED, "character 1: there is nothing to repeat; a backslash makes it a plain character" },
        { "a{2", ERR_INVALID, "character 4: {} is not {n}, {n,} or {n,m} with n not above m" },
        { "a{3,2}", ERR_INVALID, "character 7: {} is not {n}, {n,} or {n,m} with n not above m" },
        { "a{x}", ERR_INVALID, "character 3: a number is missing in {}" },
        { "[a", ERR_INVALID, "character 3: the class has no end: ] is missing" },
        { "[b-a]", ERR_INVALID, "character 5: the range ends before it begins" },
        { "a\\", ERR_INVALID, "character 3: nothing follows the backslash" },
        { "[]a]", ERR_UNSUPPORTED, "character 2: write \\] for a bracket in a class" },
        { "[a[b]]", ERR_UNSUPPORTED, "character 3: a class within a class, or &&, is not known here" },
        { "[a&&b]", ERR_UNSUPPORTED, "character 3: a class within a class, or &&, is not known here" },
        { "[\\d-z]", ERR_UNSUPPORTED, "character 4: write \\- for a hyphen behind a class" },
        { "(a)\\1", ERR_UNSUPPORTED,
          "character 5: this server does not know what this letter or digit means behind a backslash" },
        { "\\bx", ERR_UNSUPPORTED,
          "character 2: this server does not know what this letter or digit means behind a backslash" },
        { "(?i)a", ERR_UNSUPPORTED, "character 3: of (?...) only (?:...) is known here" },
        { "a++", ERR_UNSUPPORTED, "character 3: a + behind a repetition (possessive) is not known here" },
        { "(a*)*", ERR_UNSUPPORTED, "character 6: a group that can match nothing cannot be repeated here" },
        { "^*", ERR_UNSUPPORTED, "character 3: a place cannot be repeated here" },
        { "\xc3\xa9", ERR_UNSUPPORTED, "character 1: only ASCII can stand in a pattern here" },
        { "a{1001}", ERR_UNSUPPORTED, "character 7: the number in {} is too large" },
        { "(a{100}){100}", ERR_UNSUPPORTED, "character 14: the pattern is too long, or repeats too much" },
    };
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        struct pattern *p = NULL;
        struct pattern_error err = { "" };
        int rc = pattern_new(slice_str(rows[i].pattern), &p, &err);
        if (rc != rows[i].rc || strcmp(err.text, rows[i].error) != 0)
            fail_msg("%s: %d \"%s\", not \"%s\"", rows[i].pattern, rc, err.text, rows[i].error);
    }
}

/* Whatever is given, it is read or refused, and what is read can be used. */
static void random_patterns(void **state)
{
    (void)state;
    static const char signs[] = "ab.*+?|()[]{}^$\\,-12:dwsz&\n\xc3\xa9";
    struct rng rng;
    rng_init(&rng, 4711);
    for (int i = 0; i < 20000; i++) {
        char text[24];
        size_t n = rng_below(&rng, sizeof text);
        for (size_t k = 0; k < n; k++)
            text[k] = signs[rng_below(&rng, sizeof signs - 1)];
        struct pattern *p = NULL;
        struct pattern_error err;
        struct pattern_match m;
        if (pattern_new(slice_of(text, n), &p, &err) != 0)
            continue;
        if (pattern_find(p, slice_of(text, n), 0, &m))
            assert_true(m.group[0].from <= m.group[0].to && m.group[0].to <= n);
        if (pattern_matches(p, slice_of(text, n)))
            assert_true(pattern_find(p, slice_of(text, n), 0, &m));
        pattern_free(p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(matches_are_those_of_java),
        cmocka_unit_test(a_match_of_the_whole),
        cmocka_unit_test(what_is_no_pattern_is_refused),
        cmocka_unit_test(random_patterns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
