/* dump: sessions by when they expire, who owns ephemeral nodes, connections by when they would be dropped (client
 * specification 9.2). What it holds while the answer is on its way is 16 bytes a session, later a connection; all text
 * is made piece by piece. */
#include "admin/words.h"
#include "base/mem.h"
#include <stdlib.h>
#include <time.h>

#define CONNS_A_LOOK 64u
#define CONN_BUCKET_MS 10000 /* how coarsely Apache groups connections by when they would be dropped */

enum stage { STAGE_BEGIN, STAGE_SESSIONS, STAGE_EPHEMERALS, STAGE_CONNECTIONS };

/* As Java's Date prints: "Sat Nov 21 04:04:32 UTC 2026". */
static void put_date(struct buf *out, int64_t wall_ms)
{
    static const char *const days[] = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" };
    static const char *const months[] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                          "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
    time_t seconds = (time_t)(wall_ms / 1000);
    struct tm tm;
    if (gmtime_r(&seconds, &tm) == NULL)
        return;
    buf_printf(out, "%s %s %02d %02d:%02d:%02d UTC %d", days[tm.tm_wday], months[tm.tm_mon], tm.tm_mday, tm.tm_hour,
               tm.tm_min, tm.tm_sec, tm.tm_year + 1900);
}

/* ---- things that expire ---- */

static void expiring_add(struct command_answer *a, int64_t moment_ms, int64_t who)
{
    if (a->expiring_count == a->expiring_cap) {
        a->expiring_cap = a->expiring_cap == 0 ? 64 : a->expiring_cap * 2;
        a->expiring = mem_realloc(a->expiring, a->expiring_cap * sizeof *a->expiring);
    }
    a->expiring[a->expiring_count++] = (struct expiring){ moment_ms, who };
}

static int by_moment(const void *a, const void *b)
{
    const struct expiring *x = a, *y = b;
    if (x->moment_ms != y->moment_ms)
        return x->moment_ms < y->moment_ms ? -1 : 1;
    return (x->who > y->who) - (x->who < y->who);
}

/* Sorts what was gathered and writes the section's first line. */
static void sets_begin(struct command_answer *a, const char *title, struct buf *out)
{
    size_t groups = 0;
    if (a->expiring_count > 1)
        qsort(a->expiring, a->expiring_count, sizeof *a->expiring, by_moment);
    for (size_t i = 0; i < a->expiring_count; i++)
        groups += i == 0 || a->expiring[i].moment_ms != a->expiring[i - 1].moment_ms;
    buf_printf(out, "%s (%zu)/(%zu):\n", title, groups, a->expiring_count);
    a->long_cursor = 0;
}

/* A line for each moment, then those that expire then. True while there is more. */
static bool sets_next(struct command_answer *a, size_t stop,
                      void (*line)(struct command_answer *a, int64_t who, struct buf *out), struct buf *out)
{
    const struct expiring *e = a->expiring;
    for (; a->long_cursor < a->expiring_count; a->long_cursor++) {
        size_t i = (size_t)a->long_cursor, n = 1;
        if (out->n >= stop)
            return true;
        if (i == 0 || e[i].moment_ms != e[i - 1].moment_ms) {
            while (i + n < a->expiring_count && e[i + n].moment_ms == e[i].moment_ms)
                n++;
            buf_printf(out, "%zu expire at ", n);
            put_date(out, a->wall_offset_ms + e[i].moment_ms);
            buf_printf(out, ":\n");
        }
        line(a, e[i].who, out);
    }
    a->expiring_count = 0;
    return false;
}

/* ---- sessions ---- */

static void gather_session(void *ctx, int64_t session_id, int32_t timeout_ms, int64_t expires_ms)
{
    (void)timeout_ms;
    expiring_add(ctx, expires_ms, session_id);
}

static void put_session(struct command_answer *a, int64_t who, struct buf *out)
{
    (void)a;
    buf_printf(out, "\t0x%llx\n", (unsigned long long)who);
}

/* ---- ephemeral nodes ---- */

static void ephemerals_begin(struct command_answer *a, struct buf *out)
{
    tree_ephemerals_begin(core_tree(a->host->core), &a->ephemerals);
    buf_printf(out, "ephemeral nodes dump:\nSessions with Ephemerals (%zu):\n", a->ephemerals.count);
}

static bool ephemerals_next(struct command_answer *a, size_t stop, struct buf *out)
{
    const struct tree *t = core_tree(a->host->core);
    int64_t session_id;
    node_id n;
    while (out->n < stop) {
        if (!tree_ephemerals_next(t, &a->ephemerals, &session_id, &n))
            return false;
        if (a->ephemerals.given == 1)
            buf_printf(out, "0x%llx:\n", (unsigned long long)session_id);
        buf_append(out, "\t", 1);
        tree_put_path(t, n, out);
        buf_append(out, "\n", 1);
    }
    return true;
}

/* ---- connections ---- */

struct gathering {
    struct command_answer *answer;
    int64_t now_ms;
};

/* Apache drops a silent connection after its session's timeout, rounded up to its bucket. */
static void gather_connection(void *ctx, const struct core_conn_info *k)
{
    struct gathering *g = ctx;
    int64_t last_ms = k->last_response_ms != 0 ? k->last_response_ms : g->now_ms;
    int64_t timeout_ms = k->timeout_ms != 0 ? k->timeout_ms : CONN_BUCKET_MS;
    expiring_add(g->answer, ((last_ms + timeout_ms) / CONN_BUCKET_MS + 1) * CONN_BUCKET_MS, k->conn);
}

static void put_peer(void *ctx, const struct core_conn_info *k)
{
    buf_printf(ctx, "\tip: /%.*s sessionId: 0x%llx\n", SLICE_ARG(k->peer), (unsigned long long)k->session_id);
}

static void put_connection(struct command_answer *a, int64_t who, struct buf *out)
{
    (void)core_conn_find(a->host->core, (uint32_t)who, put_peer, out);
}

/* ---- the word ---- */

static void sessions_begin(struct command_answer *a, struct buf *out)
{
    struct command_figures f = { 0 };
    a->host->figures(a->host->ctx, &f);
    a->wall_offset_ms = f.wall_ms - f.now_ms;
    core_session_list(a->host->core, gather_session, a);
    buf_printf(out, "SessionTracker dump:\n");
    sets_begin(a, "Session Sets", out);
}

static void connections_begin(struct command_answer *a, struct buf *out)
{
    struct command_figures f = { 0 };
    a->host->figures(a->host->ctx, &f);
    struct gathering g = { a, f.now_ms };
    while (core_conn_list(a->host->core, &a->cursor, CONNS_A_LOOK, gather_connection, &g))
        ;
    buf_printf(out, "Connections dump:\n");
    sets_begin(a, "Connections Sets", out);
}

bool word_dump(struct command_answer *a, size_t bytes, struct buf *out)
{
    size_t stop = out->n + bytes;
    switch ((enum stage)a->stage) {
    case STAGE_BEGIN:
        sessions_begin(a, out);
        a->stage = STAGE_SESSIONS;
        /* fall through */
    case STAGE_SESSIONS:
        if (sets_next(a, stop, put_session, out))
            return true;
        ephemerals_begin(a, out);
        a->stage = STAGE_EPHEMERALS;
        /* fall through */
    case STAGE_EPHEMERALS:
        if (ephemerals_next(a, stop, out))
            return true;
        connections_begin(a, out);
        a->stage = STAGE_CONNECTIONS;
        /* fall through */
    case STAGE_CONNECTIONS:
        break;
    }
    return sets_next(a, stop, put_connection, out);
}
