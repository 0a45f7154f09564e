/* watches: wchs, wchc and wchp. Apache's words look at its table of data watches only (client specification 9.2).
 * Lists come piece by piece, and a piece may end in the middle of a connection or path: what that has is gathered when
 * its turn comes. */
#include "admin/words.h"

#define DATA_MODES (WATCH_DATA | WATCH_PERSISTENT | WATCH_RECURSIVE)

bool word_wchs(struct command_answer *a, size_t bytes, struct buf *out)
{
    (void)bytes;
    struct watch_counts n = watch_counts_of(core_tree(a->host->core), DATA_MODES);
    buf_printf(out, "%lld connections watching %lld paths\nTotal watches:%lld\n", (long long)n.watchers,
               (long long)n.paths, (long long)n.watches);
    return false;
}

static void gather_watches_of(void *ctx, const struct core_conn_info *k)
{
    struct command_answer *a = ctx;
    a->session_id = k->session_id;
    watch_cursor_of(core_tree(a->host->core), &a->watches, k->conn, DATA_MODES);
}

static void put_paths(struct command_answer *a, size_t stop, struct buf *out)
{
    struct watch_seen w;
    while (out->n < stop && watch_cursor_next(core_tree(a->host->core), &a->watches, DATA_MODES, &w)) {
        if (!a->is_open)
            buf_printf(out, "0x%llx\n", (unsigned long long)a->session_id);
        a->is_open = true;
        buf_append(out, "\t", 1);
        buf_append_slice(out, w.path);
        buf_append(out, "\n", 1);
    }
}

bool word_wchc(struct command_answer *a, size_t bytes, struct buf *out)
{
    size_t stop = out->n + bytes;
    /* The number of a connection is used again when it has gone. */
    if (a->is_open && core_conn_session(a->host->core, a->watches.watcher) != a->session_id)
        watch_cursor_empty(&a->watches);
    for (;;) {
        put_paths(a, stop, out);
        if (out->n >= stop)
            return true;
        if (a->at_end)
            break;
        a->is_open = false;
        a->at_end = !core_conn_list(a->host->core, &a->cursor, 1, gather_watches_of, a);
    }
    buf_append(out, "\n", 1);
    return false;
}

static void put_sessions(struct command_answer *a, size_t stop, struct buf *out)
{
    struct watch_seen w;
    while (out->n < stop && watch_cursor_next(core_tree(a->host->core), &a->watches, DATA_MODES, &w)) {
        if (!a->is_open) {
            buf_append_slice(out, w.path);
            buf_append(out, "\n", 1);
        }
        a->is_open = true;
        buf_printf(out, "\t0x%llx\n", (unsigned long long)core_conn_session(a->host->core, w.watcher));
    }
}

bool word_wchp(struct command_answer *a, size_t bytes, struct buf *out)
{
    size_t stop = out->n + bytes;
    const struct tree *t = core_tree(a->host->core);
    for (;;) {
        put_sessions(a, stop, out);
        if (out->n >= stop)
            return true;
        if (a->at_end)
            break;
        a->is_open = false;
        a->at_end = !watch_cursor_of_path(t, &a->watches, &a->long_cursor, DATA_MODES);
    }
    buf_append(out, "\n", 1);
    return false;
}
