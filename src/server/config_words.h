/* config_words: command lines cut into words. Pure. */
#ifndef ZOKOR_SERVER_CONFIG_WORDS_H
#define ZOKOR_SERVER_CONFIG_WORDS_H

#include "base/arena.h"

/* The next word of a command line such as JVMFLAGS, as a shell splits it: blanks, quotes, backslashes. In the arena,
 * ends in 0; false at the end. */
bool config_words_next(struct slice *text, struct arena *arena, struct slice *word);

#endif
