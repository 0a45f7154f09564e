/* flags: options of a command and their parser, which accepts and refuses what zkCli.sh's library (Commons CLI's
 * DefaultParser) does, in its words. Pure. */
#ifndef ZOKOR_CLI_FLAGS_H
#define ZOKOR_CLI_FLAGS_H

#include "base/buf.h"
#include "cli/words.h"

enum { CLI_FLAGS_MAX = 12 };

/* A table ends with a row whose name is NULL. */
struct cli_flag {
    const char *name; /* without the dash; may have several letters */
    bool has_value;
    const char *text; /* for people: what it does */
    enum cli_flag_group {
        CLI_FREE = 0,
        CLI_ONE_OF = 1,
        CLI_NEEDED = 2
    } group; /* one of the group at most, or exactly */
};

/* What the words of a command say. words[0] is the command; they point into what was parsed. */
struct cli_args {
    const struct cli_flag *flags;
    const char **words;
    size_t n;
    bool given[CLI_FLAGS_MAX];
    const char *values[CLI_FLAGS_MAX]; /* of the first time it was given */
};

/* Parses; flags may be NULL. 0; -1: `error` (emptied first) has the text for the user. Free with cli_args_free in both
 * cases. */
int cli_args_parse(struct cli_args *out, const struct cli_flag *flags, const struct cli_words *words,
                   struct buf *error);
void cli_args_free(struct cli_args *args);

bool cli_args_has(const struct cli_args *args, const char *flag);
/* NULL if it was not given. */
const char *cli_args_value(const struct cli_args *args, const char *flag);

/* Lines " -v <arg>   text", in the order of their letters, one an option. */
void cli_flags_describe(const struct cli_flag *flags, struct buf *out);

#endif
