/* words: how a line becomes words, as zkCli.sh cuts it. Pure. */
#ifndef ZOKOR_CLI_WORDS_H
#define ZOKOR_CLI_WORDS_H

#include <stddef.h>

/* The words of a line, each ended by a zero byte, in one block of memory. */
struct cli_words {
    char *memory;
    const char **at;
    size_t n;
};

/* Blanks part words; '...' and "..." are one word without the quotes, inside of which nothing is special. A quote
 * inside a word is a character of it, and one that is never closed is dropped, as zkCli.sh does. Free with
 * cli_words_free. */
struct cli_words cli_words_split(const char *line);
/* The words of a command line that a shell has cut. */
struct cli_words cli_words_of(int n, char *const *words);
void cli_words_free(struct cli_words *words);

/* Where the word that the cursor is in begins, for completion: after its quote if it has one; `cursor` between words.
 */
size_t cli_words_begin_at(const char *line, size_t cursor);

#endif
