#include "tools/progress.h"
#include "tools/files.h"
#include "tools/text.h"
#include <unistd.h>

static void show(void *ctx, const char *name, uint64_t done, uint64_t size)
{
    struct progress *p = ctx;
    struct buf b;
    if (done == size) {
        progress_end(p);
        return;
    }
    buf_init(&b, 1u << 16);
    buf_printf(&b, "\r%s: %u%% of ", file_base(name), (unsigned)(done * 100 / size));
    text_put_bytes(&b, size);
    buf_printf(&b, "\033[K");
    fputs(text_cstr(&b), p->to);
    fflush(p->to);
    buf_fini(&b);
    p->shown = true;
}

struct fs *progress_start(struct progress *p, struct fs *inner, FILE *to)
{
    watchfs_init(&p->watch, inner);
    p->to = to;
    p->shown = false;
    p->watch.ctx = p;
    p->watch.on_read = isatty(fileno(to)) == 1 ? show : NULL;
    return &p->watch.fs;
}

void progress_end(struct progress *p)
{
    if (p->shown)
        fputs("\r\033[K", p->to);
    fflush(p->to);
    p->shown = false;
}

void progress_quiet(struct progress *p)
{
    p->watch.on_read = NULL;
}
