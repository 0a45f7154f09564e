/* watches: wchs, wchc and wchp. Apache's words look at its table of data watches only (client specification 9.2).
 * Lists come piece by piece; when a piece is full in the middle of a connection or path, the next one walks over what
 * was given and goes on behind it. */
#include "admin/words.h"

#define DATA_MODES (WATCH_DATA | WATCH_PERSISTENT | WATCH_RECURSIVE)

struct lines {
    struct command_answer *answer;
    struct buf *out;
    size_t stop;   /* the piece is full */
    uint32_t conn; /* wchc: whose watches these are */
    int64_t session_id;
    uint64_t seen, given;
    bool full;
};

/* May the next data watch of this connection or path be shown? */
static bool wanted(struct lines *l, unsigned modes)
{
    if ((modes & DATA_MODES) == 0 || l->seen++ < l->answer->skip)
        return false;
    if (l->out->n >= l->stop)
        l->full = true;
    else
        l->given = l->seen;
    return !l->full;
}

bool word_wchs(struct command_answer *a, size_t bytes, struct buf *out)
{
    (void)bytes;
    struct watch_counts n = watch_counts_of(core_tree(a->host->core), DATA_MODES);
    buf_printf(out, "%lld connections watching %lld paths\nTotal watches:%lld\n", (long long)n.watchers,
               (long long)n.paths, (long long)n.watches);
    return false;
}

static void put_path(void *ctx, struct slice path, unsigned modes)
{
    struct lines *l = ctx;
    if (!wanted(l, modes))
        return;
    if (l->given == 1)
        buf_printf(l->out, "0x%llx\n", (unsigned long long)l->session_id);
    buf_append(l->out, "\t", 1);
    buf_append_slice(l->out, path);
    buf_append(l->out, "\n", 1);
}

static void put_watches_of(void *ctx, const struct core_conn_info *k)
{
    struct lines *l = ctx;
    l->conn = k->conn;
    l->session_id = k->session_id;
    watch_list_of(core_tree(l->answer->host->core), k->conn, put_path, l);
}

bool word_wchc(struct command_answer *a, size_t bytes, struct buf *out)
{
    size_t stop = out->n + bytes;
    for (bool more = true; more;) {
        struct lines l = { .answer = a, .out = out, .stop = stop };
        more = core_conn_list(a->host->core, &a->cursor, 1, put_watches_of, &l);
        a->skip = l.full ? l.given : 0;
        if (l.full)
            a->cursor = l.conn;
        if (l.full || (more && out->n >= stop))
            return true;
    }
    buf_append(out, "\n", 1);
    return false;
}

static void put_session(void *ctx, uint32_t watcher, struct slice path, unsigned modes)
{
    struct lines *l = ctx;
    if (!wanted(l, modes))
        return;
    if (l->given == 1) {
        buf_append_slice(l->out, path);
        buf_append(l->out, "\n", 1);
    }
    buf_printf(l->out, "\t0x%llx\n", (unsigned long long)core_conn_session(l->answer->host->core, watcher));
}

bool word_wchp(struct command_answer *a, size_t bytes, struct buf *out)
{
    size_t stop = out->n + bytes;
    for (bool more = true; more;) {
        struct lines l = { .answer = a, .out = out, .stop = stop };
        uint64_t here = a->long_cursor;
        more = watch_list_by_path(core_tree(a->host->core), &a->long_cursor, 1, put_session, &l);
        a->skip = l.full ? l.given : 0;
        if (l.full)
            a->long_cursor = here;
        if (l.full || (more && out->n >= stop))
            return true;
    }
    buf_append(out, "\n", 1);
    return false;
}
