/* progress: tells on a terminal how far large files have been read. */
#ifndef ZOKOR_TOOLS_PROGRESS_H
#define ZOKOR_TOOLS_PROGRESS_H

#include "tools/watchfs.h"
#include <stdio.h>

struct progress {
    struct watchfs watch;
    FILE *to;
    bool shown;
};

/* The file system to read from: `inner`, watched if `to` is a terminal. */
struct fs *progress_start(struct progress *p, struct fs *inner, FILE *to);
/* Tells nothing from here on. */
void progress_quiet(struct progress *p);
/* Takes the line away. */
void progress_end(struct progress *p);

#endif
