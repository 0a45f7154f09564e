/* listings: cons, dump, hash and the watch words: answers that grow with what the server holds (client specification
 * 9.2). Connections are listed piece by piece; what needs sorting or one look at everything is made once and then
 * given out in pieces. */
#include "admin/words.h"
#include "base/mem.h"
#include <stdlib.h>
#include <time.h>

#define CONNS_A_LOOK 64u
#define CONN_BUCKET_MS 10000 /* how coarsely Apache groups connections by when they would be dropped */

bool whole_next(struct command_answer *a, size_t bytes, struct buf *out)
{
    size_t left = a->whole.n - (size_t)a->long_cursor;
    size_t n = left < bytes ? left : bytes;
    buf_append(out, a->whole.p + a->long_cursor, n);
    a->long_cursor += n;
    return n != left;
}

/* ---- connections ---- */

struct conn_line {
    struct command_answer *answer;
    struct buf *out;
    bool brief;
};

static void put_connection(void *ctx, const struct core_conn_info *k)
{
    struct conn_line *l = ctx;
    struct command_host *h = l->answer->host;
    buf_printf(l->out, " /%.*s[%x](queued=%lld,recved=%lld,sent=%lld", SLICE_ARG(k->peer), h->interest(h->ctx, k->conn),
               (long long)k->outstanding, (long long)k->packets_received, (long long)k->packets_sent);
    if (!l->brief && k->session_id != 0) {
        buf_printf(l->out, ",sid=0x%llx,lop=%s,est=%lld,to=%d", (unsigned long long)k->session_id,
                   core_op_short_name(k->last_op), (long long)k->established_wall_ms, k->timeout_ms);
        if (k->last_cxid >= 0)
            buf_printf(l->out, ",lcxid=0x%llx", (unsigned long long)k->last_cxid);
        buf_printf(l->out, ",lzxid=0x%llx,lresp=%lld,llat=%lld,minlat=%lld,avglat=%lld,maxlat=%lld",
                   (unsigned long long)k->last_zxid, (long long)k->last_response_ms, (long long)k->latency_last_ms,
                   (long long)k->latency_min_ms, (long long)k->latency_avg_ms, (long long)k->latency_max_ms);
    }
    buf_printf(l->out, ")\n");
}

bool put_connections(struct command_answer *a, size_t bytes, bool brief, struct buf *out)
{
    struct conn_line l = { a, out, brief };
    size_t stop = out->n + bytes;
    while (core_conn_list(a->host->core, &a->cursor, CONNS_A_LOOK, put_connection, &l))
        if (out->n >= stop)
            return true;
    return false;
}

bool word_cons(struct command_answer *a, size_t bytes, struct buf *out)
{
    if (put_connections(a, bytes, false, out))
        return true;
    buf_printf(out, "\n");
    return false;
}

/* ---- hash ---- */

static void put_digest(void *ctx, int64_t zxid, uint64_t digest)
{
    buf_printf(ctx, "%llx: %llu\n", (unsigned long long)zxid, (unsigned long long)digest);
}

bool word_hash(struct command_answer *a, size_t bytes, struct buf *out)
{
    (void)bytes;
    core_digest_list(a->host->core, put_digest, out);
    return false;
}

/* ---- dump ---- */

/* Things grouped by when they expire: lines gather in `group` until the moment changes. */
struct dump {
    const struct command_figures *figures;
    struct buf *out, group;
    int64_t moment_ms, group_count, groups, total;
    int64_t session; /* of the ephemerals being listed */
    const struct tree *tree;
};

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

static void group_end(struct dump *d)
{
    if (d->group_count == 0)
        return;
    buf_printf(d->out, "%lld expire at ", (long long)d->group_count);
    put_date(d->out, d->figures->wall_ms + (d->moment_ms - d->figures->now_ms));
    buf_printf(d->out, ":\n");
    buf_append_slice(d->out, buf_slice(&d->group));
    buf_reset(&d->group);
    d->groups++;
    d->total += d->group_count;
    d->group_count = 0;
}

static void group_add(struct dump *d, int64_t moment_ms)
{
    if (moment_ms != d->moment_ms)
        group_end(d);
    d->moment_ms = moment_ms;
    d->group_count++;
}

static void dump_session(void *ctx, int64_t session_id, int32_t timeout_ms, int64_t expires_ms)
{
    (void)timeout_ms;
    struct dump *d = ctx;
    group_add(d, expires_ms);
    buf_printf(&d->group, "\t0x%llx\n", (unsigned long long)session_id);
}

static void dump_ephemeral(void *ctx, int64_t session_id, node_id n)
{
    struct dump *d = ctx;
    if (d->total == 0 || session_id != d->session) {
        buf_printf(&d->group, "0x%llx:\n", (unsigned long long)session_id);
        d->total++;
        d->session = session_id;
    }
    buf_printf(&d->group, "\t");
    tree_put_path(d->tree, n, &d->group);
    buf_printf(&d->group, "\n");
}

struct expiring_conn {
    int64_t moment_ms, session_id;
    char peer[80];
};

struct conn_table {
    struct expiring_conn *at;
    size_t n, cap;
    int64_t now_ms;
};

/* Apache drops a silent connection after its session's timeout, rounded up to its bucket. */
static void collect_conn(void *ctx, const struct core_conn_info *k)
{
    struct conn_table *t = ctx;
    if (t->n == t->cap) {
        t->cap = t->cap == 0 ? 64 : t->cap * 2;
        t->at = mem_realloc(t->at, t->cap * sizeof *t->at);
    }
    int64_t last_ms = k->last_response_ms != 0 ? k->last_response_ms : t->now_ms;
    int64_t timeout_ms = k->timeout_ms != 0 ? k->timeout_ms : CONN_BUCKET_MS;
    struct expiring_conn *e = &t->at[t->n++];
    *e = (struct expiring_conn){ .session_id = k->session_id };
    e->moment_ms = ((last_ms + timeout_ms) / CONN_BUCKET_MS + 1) * CONN_BUCKET_MS;
    size_t n = k->peer.n < sizeof e->peer - 1 ? k->peer.n : sizeof e->peer - 1;
    memcpy(e->peer, k->peer.p, n);
}

static int by_moment(const void *a, const void *b)
{
    const struct expiring_conn *x = a, *y = b;
    return (x->moment_ms > y->moment_ms) - (x->moment_ms < y->moment_ms);
}

/* A section whose title tells counts that are only known after it: made in a buffer of its own. */
static void dump_sets(struct command_answer *a, struct dump *d, const char *title)
{
    group_end(d);
    struct buf body = *d->out;
    d->out = &a->whole;
    buf_printf(&a->whole, "%s (%lld)/(%lld):\n", title, (long long)d->groups, (long long)d->total);
    buf_append_slice(&a->whole, buf_slice(&body));
    buf_fini(&body);
    d->groups = d->total = 0;
}

static void dump_connections(struct command_answer *a, struct dump *d)
{
    struct conn_table t = { .now_ms = d->figures->now_ms };
    uint32_t cursor = 0;
    while (core_conn_list(a->host->core, &cursor, CONNS_A_LOOK, collect_conn, &t))
        ;
    if (t.n > 1)
        qsort(t.at, t.n, sizeof *t.at, by_moment);
    for (size_t i = 0; i < t.n; i++) {
        group_add(d, t.at[i].moment_ms);
        buf_printf(&d->group, "\tip: /%s sessionId: 0x%llx\n", t.at[i].peer, (unsigned long long)t.at[i].session_id);
    }
    mem_free(t.at);
}

static void dump_make(struct command_answer *a)
{
    struct command_figures figures = { 0 };
    a->host->figures(a->host->ctx, &figures);
    struct buf body;
    struct dump d = { .figures = &figures, .out = &body, .tree = core_tree(a->host->core) };
    buf_init(&d.group, SIZE_MAX / 2);
    buf_init(&body, SIZE_MAX / 2);
    buf_printf(&a->whole, "SessionTracker dump:\n");
    core_session_list(a->host->core, dump_session, &d);
    dump_sets(a, &d, "Session Sets");
    buf_printf(&a->whole, "ephemeral nodes dump:\n");
    tree_ephemerals(d.tree, dump_ephemeral, &d);
    buf_printf(&a->whole, "Sessions with Ephemerals (%lld):\n", (long long)d.total);
    buf_append_slice(&a->whole, buf_slice(&d.group));
    buf_reset(&d.group);
    d.total = 0;
    buf_printf(&a->whole, "Connections dump:\n");
    buf_init(&body, SIZE_MAX / 2);
    d.out = &body;
    dump_connections(a, &d);
    dump_sets(a, &d, "Connections Sets");
    buf_fini(&d.group);
}

bool word_dump(struct command_answer *a, size_t bytes, struct buf *out)
{
    if (a->stage == 0) {
        a->stage = 1;
        dump_make(a);
    }
    return whole_next(a, bytes, out);
}

/* ---- watches: Apache's words look at its table of data watches only (client specification 9.2) ---- */

#define DATA_MODES (WATCH_DATA | WATCH_PERSISTENT | WATCH_RECURSIVE)

struct watch_line {
    int64_t session_id;
    uint32_t path_at, path_n; /* in the text */
};

struct watch_table_copy {
    struct core *core;
    struct watch_line *at;
    size_t n, cap;
    struct buf text;
};

static void collect_watch(void *ctx, uint32_t watcher, struct slice path, unsigned modes)
{
    struct watch_table_copy *t = ctx;
    if ((modes & DATA_MODES) == 0)
        return;
    if (t->n == t->cap) {
        t->cap = t->cap == 0 ? 256 : t->cap * 2;
        t->at = mem_realloc(t->at, t->cap * sizeof *t->at);
    }
    t->at[t->n++] = (struct watch_line){ core_conn_session(t->core, watcher), (uint32_t)t->text.n, (uint32_t)path.n };
    buf_append_slice(&t->text, path);
}

static struct slice line_path(const struct watch_table_copy *t, const struct watch_line *l)
{
    return slice_of(t->text.p + l->path_at, l->path_n);
}

static int by_session_then_path(const void *a, const void *b, void *ctx)
{
    const struct watch_line *x = a, *y = b;
    if (x->session_id != y->session_id)
        return (uint64_t)x->session_id < (uint64_t)y->session_id ? -1 : 1;
    return slice_cmp(line_path(ctx, x), line_path(ctx, y));
}

static int by_path_then_session(const void *a, const void *b, void *ctx)
{
    int c = slice_cmp(line_path(ctx, a), line_path(ctx, b));
    const struct watch_line *x = a, *y = b;
    return c != 0 ? c : ((uint64_t)x->session_id > (uint64_t)y->session_id) - ((uint64_t)x->session_id < (uint64_t)y->session_id);
}

static void watches_copy(struct command_answer *a, struct watch_table_copy *t,
                         int (*order)(const void *, const void *, void *))
{
    *t = (struct watch_table_copy){ .core = a->host->core };
    buf_init(&t->text, UINT32_MAX);
    uint64_t cursor = 0;
    while (watch_list(core_tree(a->host->core), &cursor, 1000, collect_watch, t))
        ;
    if (t->n > 1)
        qsort_r(t->at, t->n, sizeof *t->at, order, t);
}

static void watches_free(struct watch_table_copy *t)
{
    mem_free(t->at);
    buf_fini(&t->text);
}

bool word_wchs(struct command_answer *a, size_t bytes, struct buf *out)
{
    (void)bytes;
    struct watch_table_copy t;
    size_t conns = 0, paths = 0;
    watches_copy(a, &t, by_session_then_path);
    for (size_t i = 0; i < t.n; i++)
        conns += i == 0 || t.at[i].session_id != t.at[i - 1].session_id;
    if (t.n > 1)
        qsort_r(t.at, t.n, sizeof *t.at, by_path_then_session, &t);
    for (size_t i = 0; i < t.n; i++)
        paths += i == 0 || !slice_eq(line_path(&t, &t.at[i]), line_path(&t, &t.at[i - 1]));
    buf_printf(out, "%zu connections watching %zu paths\nTotal watches:%zu\n", conns, paths, t.n);
    watches_free(&t);
    return false;
}

bool word_wchc(struct command_answer *a, size_t bytes, struct buf *out)
{
    if (a->stage++ == 0) {
        struct watch_table_copy t;
        watches_copy(a, &t, by_session_then_path);
        for (size_t i = 0; i < t.n; i++) {
            if (i == 0 || t.at[i].session_id != t.at[i - 1].session_id)
                buf_printf(&a->whole, "0x%llx\n", (unsigned long long)t.at[i].session_id);
            buf_append(&a->whole, "\t", 1);
            buf_append_slice(&a->whole, line_path(&t, &t.at[i]));
            buf_append(&a->whole, "\n", 1);
        }
        buf_append(&a->whole, "\n", 1);
        watches_free(&t);
    }
    return whole_next(a, bytes, out);
}

bool word_wchp(struct command_answer *a, size_t bytes, struct buf *out)
{
    if (a->stage++ == 0) {
        struct watch_table_copy t;
        watches_copy(a, &t, by_path_then_session);
        for (size_t i = 0; i < t.n; i++) {
            struct slice path = line_path(&t, &t.at[i]);
            if (i == 0 || !slice_eq(path, line_path(&t, &t.at[i - 1]))) {
                buf_append_slice(&a->whole, path);
                buf_append(&a->whole, "\n", 1);
            }
            buf_printf(&a->whole, "\t0x%llx\n", (unsigned long long)t.at[i].session_id);
        }
        buf_append(&a->whole, "\n", 1);
        watches_free(&t);
    }
    return whole_next(a, bytes, out);
}
