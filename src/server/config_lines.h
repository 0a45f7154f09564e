/* config_lines: the syntax of Java's properties files. Pure; a stranger's bytes at worst give an error. */
#ifndef ZOKOR_SERVER_CONFIG_LINES_H
#define ZOKOR_SERVER_CONFIG_LINES_H

#include "base/arena.h"

struct config_lines {
    const uint8_t *at, *end;
    int line; /* of the next byte, from 1 */
    struct arena *arena;
};

struct config_line {
    struct slice key, value; /* escapes resolved, blanks cut from both ends; in the arena, each ends in 0 */
    int line;                /* where the logical line starts */
};

void config_lines_init(struct config_lines *lines, struct slice text, struct arena *arena);

/* The next key: 1; 0 at the end; ERR_INVALID for a damaged \uXXXX, out->line says where. Comments (# and !) and blank
 * lines are skipped, a backslash at the end of a line continues it, keys end at the first '=', ':' or blank. */
int config_lines_next(struct config_lines *lines, struct config_line *out);

/* The next word of a command line such as JVMFLAGS, as a shell splits it: blanks, quotes, backslashes. In the arena,
 * ends in 0; false at the end. */
bool config_words_next(struct slice *text, struct arena *arena, struct slice *word);

#endif
