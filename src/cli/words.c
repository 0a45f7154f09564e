#include "cli/words.h"
#include "base/mem.h"
#include <stdbool.h>
#include <string.h>

static bool is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* One word from *at on, blanks before it skipped: its bytes and length, *at moved behind it. False at the end. The
 * pattern of zkCli.sh: \s*([^"']\S*|"[^"]*"|'[^']*')\s*, searched again and again. */
static bool next_word(const char **at, const char **word, size_t *n)
{
    const char *p = *at;
    while (*p != '\0') {
        if (is_blank(*p)) {
            p++;
            continue;
        }
        const char *begin = p;
        if (*p == '"' || *p == '\'') {
            const char *end = strchr(p + 1, *p);
            if (end == NULL) {
                p++; /* never closed: the search goes on behind it */
                continue;
            }
            *word = begin + 1;
            *n = (size_t)(end - begin) - 1;
            *at = end + 1;
            return true;
        }
        while (*p != '\0' && !is_blank(*p))
            p++;
        *word = begin;
        *n = (size_t)(p - begin);
        *at = p;
        return true;
    }
    *at = p;
    return false;
}

struct cli_words cli_words_split(const char *line)
{
    size_t length = strlen(line), n = 0;
    /* No more words than bytes, each with its end mark: n words of one byte need n + n bytes. */
    struct cli_words out = { .memory = mem_alloc(length * 2 + 1), .at = mem_alloc((length + 1) * sizeof(char *)) };
    char *to = out.memory;
    const char *word;
    while (next_word(&line, &word, &n)) {
        out.at[out.n++] = to;
        memcpy(to, word, n);
        to[n] = '\0';
        to += n + 1;
    }
    return out;
}

struct cli_words cli_words_of(int n, char *const *words)
{
    struct cli_words out = { .at = mem_alloc((size_t)(n + 1) * sizeof(char *)), .n = (size_t)n };
    for (int i = 0; i < n; i++)
        out.at[i] = words[i];
    return out;
}

void cli_words_free(struct cli_words *words)
{
    mem_free(words->memory);
    mem_free(words->at);
    *words = (struct cli_words){ 0 };
}

size_t cli_words_begin_at(const char *line, size_t cursor)
{
    size_t i = 0;
    while (i < cursor) {
        if (is_blank(line[i])) {
            i++;
            continue;
        }
        if (line[i] == '"' || line[i] == '\'') {
            const char *end = memchr(line + i + 1, line[i], cursor - i - 1);
            if (end == NULL)
                return i + 1; /* still open at the cursor */
            i = (size_t)(end - line) + 1;
            continue;
        }
        size_t begin = i;
        while (i < cursor && !is_blank(line[i]))
            i++;
        if (i == cursor)
            return begin;
    }
    return cursor;
}
