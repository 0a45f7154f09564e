/* complete: what the word under the cursor may become: a command, an option, a word that an option takes, a path of the
 * live tree, a file. Pure but for the functions that list nodes and files. */
#ifndef ZOKOR_CLI_COMPLETE_H
#define ZOKOR_CLI_COMPLETE_H

#include <stdbool.h>
#include <stddef.h>
#include <zookeeper/zookeeper.h>

/* Where names come from; both give 0, or not 0 if they cannot be had. The caller frees them. */
struct cli_sources {
    void *context;
    /* Names of the children of a node, sorted. */
    int (*children)(void *context, const char *path, struct String_vector *names);
    /* Names in a directory ("" is here), sorted; those of directories end with '/'. */
    int (*files)(void *context, const char *directory, struct String_vector *names);
};

struct cli_completion {
    size_t from;  /* the candidates stand for the line's bytes from here to the cursor */
    char **words; /* in order */
    size_t n;
    size_t common;     /* bytes that all begin with */
    bool is_final;     /* one alone is a whole word: a blank follows */
    size_t shown_from; /* what a list need not repeat: the part of the path before the names */
};

/* Free with cli_completion_free. */
struct cli_completion cli_complete(const char *line, size_t cursor, const struct cli_sources *sources);
void cli_completion_free(struct cli_completion *c);

#endif
