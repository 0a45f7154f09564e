/* properties: the syntax of Java's properties files. Pure; a stranger's bytes at worst give an error. */
#ifndef ZOKOR_BASE_PROPERTIES_H
#define ZOKOR_BASE_PROPERTIES_H

#include "base/arena.h"

struct properties {
    const uint8_t *at, *end;
    int line; /* of the next byte, from 1 */
    struct arena *arena;
};

struct property {
    struct slice key, value; /* escapes resolved, blanks cut from both ends; in the arena, each ends in 0 */
    int line;                /* where the logical line starts */
};

void properties_init(struct properties *lines, struct slice text, struct arena *arena);

/* The next key: 1; 0 at the end; ERR_INVALID for a damaged \uXXXX, out->line says where. Comments (# and !) and blank
 * lines are skipped, a backslash at the end of a line continues it, keys end at the first '=', ':' or blank. */
int properties_next(struct properties *lines, struct property *out);

#endif
