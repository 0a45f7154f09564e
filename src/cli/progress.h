/* progress: a line on stderr that tells how far a long command is; nothing where nobody looks. */
#ifndef ZOKOR_CLI_PROGRESS_H
#define ZOKOR_CLI_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct progress_line {
    bool shown;
    const char *what;
    int64_t total; /* 0: not known */
    int64_t last_ms;
};

/* what: "exported" */
void progress_start(struct progress_line *p, const char *what, int64_t total);
/* Draws the line again, at most ten times a second. */
void progress_update(struct progress_line *p, int64_t done);
/* Takes the line away. */
void progress_end(struct progress_line *p);

#endif
