#include "cli/progress.h"
#include <inttypes.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

void progress_start(struct progress_line *p, const char *what, int64_t total)
{
    *p = (struct progress_line){ .shown = isatty(STDERR_FILENO) == 1, .what = what, .total = total };
    p->last_ms = now_ms(); /* what is done at once shows nothing */
}

void progress_update(struct progress_line *p, int64_t done)
{
    int64_t now = p->shown ? now_ms() : 0;
    if (!p->shown || now - p->last_ms < 100)
        return;
    p->last_ms = now;
    fprintf(stderr, "\r%s %" PRId64, p->what, done);
    if (p->total > 0)
        fprintf(stderr, " of %" PRId64 " nodes (%" PRId64 "%%)", p->total,
                done >= p->total ? 100 : done * 100 / p->total);
    fprintf(stderr, "\033[K");
    fflush(stderr);
}

void progress_end(struct progress_line *p)
{
    if (p->shown)
        fprintf(stderr, "\r\033[K");
}
