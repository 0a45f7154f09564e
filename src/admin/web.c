/* web: the table of HTTP commands, and how an answer is put together. Names, members, their order, and status 200 for
 * unknown commands are Apache's (feature map 3.2). */
#include "admin/web.h"
#include "admin/web_rows.h"
#include "base/mem.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

void web_set_error(struct web_answer *a, const char *error)
{
    json_member_string(&a->json, "error", error);
    a->has_error = true;
}

/* ---- commands of a line or two ---- */

static bool connection_stat_reset(struct web_answer *a)
{
    core_conn_stats_reset(a->core);
    return false;
}

static bool stat_reset(struct web_answer *a)
{
    core_stats_reset(a->core);
    return false;
}

static bool nothing(struct web_answer *a)
{
    (void)a;
    return false;
}

static bool configuration(struct web_answer *a)
{
    a->host->conf(a->host->ctx, &a->json);
    return false;
}

static bool dirs(struct web_answer *a)
{
    json_member_number(&a->json, "datadir_size", a->ask->snap_bytes);
    json_member_number(&a->json, "logdir_size", a->ask->log_bytes);
    return false;
}

static bool get_trace_mask(struct web_answer *a)
{
    json_member_number(&a->json, "tracemask", a->host->words->trace_mask);
    return false;
}

static bool parse_long(struct slice text, int64_t *out)
{
    char copy[24], *end;
    if (text.n == 0 || text.n >= sizeof copy || text.p[0] == ' ')
        return false;
    memcpy(copy, text.p, text.n);
    copy[text.n] = '\0';
    errno = 0;
    *out = strtoll(copy, &end, 10);
    return errno == 0 && end == copy + text.n;
}

static bool set_trace_mask(struct web_answer *a)
{
    struct slice text = a->ask->trace_mask;
    int64_t mask;
    if (slice_is_null(text)) {
        web_set_error(a, "setTraceMask requires long traceMask argument");
        return false;
    }
    if (!parse_long(text, &mask)) {
        char why[160];
        snprintf(why, sizeof why, "setTraceMask requires long traceMask argument, got %.*s",
                 (int)(text.n < 80 ? text.n : 80), (const char *)text.p);
        web_set_error(a, why);
        return false;
    }
    a->host->words->trace_mask = mask;
    return get_trace_mask(a);
}

static void put_digest(void *ctx, int64_t zxid, uint64_t digest)
{
    struct json *j = ctx;
    json_object(j);
    json_member_number(j, "zxid", zxid);
    json_key(j, "digest");
    json_unsigned(j, digest);
    json_member_number(j, "digest_version", 2);
    json_object_end(j);
}

static bool hash(struct web_answer *a)
{
    json_key(&a->json, "digests");
    json_array(&a->json);
    core_digest_list(a->core, put_digest, &a->json);
    json_array_end(&a->json);
    return false;
}

static bool is_read_only(struct web_answer *a)
{
    json_member_bool(&a->json, "read_only", core_mode(a->core) == CORE_READ_ONLY);
    return false;
}

static bool last_snapshot(struct web_answer *a)
{
    int64_t zxid = -1, seconds = -1;
    char text[24];
    a->host->last_snapshot(a->host->ctx, &zxid, &seconds);
    snprintf(text, sizeof text, "%llx", (unsigned long long)zxid);
    json_member_string(&a->json, "zxid", text);
    json_member_number(&a->json, "timestamp", seconds);
    return false;
}

static bool watch_summary(struct web_answer *a)
{
    struct watch_counts n = watch_counts_of(core_tree(a->core), WATCH_DATA | WATCH_PERSISTENT | WATCH_RECURSIVE);
    json_member_number(&a->json, "num_connections", n.watchers);
    json_member_number(&a->json, "num_paths", n.paths);
    json_member_number(&a->json, "num_total_watches", n.watches);
    return false;
}

/* ---- the table ---- */

static const struct web_row rows[] = {
    { "configuration", { "conf", "config" }, 0, configuration },
    { "connection_stat_reset", { "crst" }, 0, connection_stat_reset },
    { "connections", { "cons" }, 0, web_connections },
    { "dirs", { NULL }, WEB_DIRS, dirs },
    { "dump", { NULL }, 0, web_dump },
    { "environment", { "env", "envi" }, WEB_ALWAYS, web_environment },
    { "get_trace_mask", { "gtmk" }, WEB_ALWAYS, get_trace_mask },
    { "hash", { NULL }, 0, hash },
    { "initial_configuration", { "icfg" }, 0, web_initial_configuration },
    { "is_read_only", { "isro" }, 0, is_read_only },
    { "last_snapshot", { "lsnp" }, 0, last_snapshot },
    { "leader", { "lead" }, 0, web_leader },
    { "monitor", { "mntr" }, WEB_FILES, web_monitor },
    { "observer_connection_stat_reset", { "orst" }, 0, nothing },
    { "observers", { "obsr" }, 0, web_observers },
    { "restore", { "rest" }, WEB_POST, web_restore },
    { "ruok", { NULL }, 0, nothing },
    { "server_stats", { "srvr" }, WEB_DIRS, web_server_stats },
    { "set_trace_mask", { "stmk" }, WEB_ALWAYS, set_trace_mask },
    { "snapshot", { "snap" }, 0, web_snapshot },
    { "stat_reset", { "srst" }, 0, stat_reset },
    { "stats", { "stat" }, WEB_DIRS, web_stats },
    { "system_properties", { "sysp" }, WEB_ALWAYS, web_system_properties },
    { "voting_view", { NULL }, 0, web_voting_view },
    { "watch_summary", { "wchs" }, 0, watch_summary },
    { "watches", { "wchc" }, 0, web_watches },
    { "watches_by_path", { "wchp" }, 0, web_watches_by_path },
    { "zabstate", { NULL }, WEB_ALWAYS, web_zabstate },
};

static const struct web_row metrics_row = { "/metrics", { NULL }, WEB_FILES | WEB_RAW, web_metrics };

static bool is_called(const struct web_row *row, const char *name, const char **known_as)
{
    const char *const names[] = { row->name, row->also[0], row->also[1] };
    for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
        *known_as = names[i];
        if (names[i] != NULL && strcmp(names[i], name) == 0)
            return true;
    }
    return false;
}

const struct web_row *web_find(const char *name, const char **known_as)
{
    if (is_called(&metrics_row, name, known_as))
        return &metrics_row;
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++)
        if (is_called(&rows[i], name, known_as))
            return &rows[i];
    return NULL;
}

const char *web_name(size_t i)
{
    return i < ARRAY_COUNT(rows) ? rows[i].name : NULL;
}

bool web_is_page(const struct web_row *row)
{
    return row == &metrics_row;
}

bool web_is_post(const struct web_row *row)
{
    return (row->flags & WEB_POST) != 0;
}

const char *web_content_type(const struct web_row *row)
{
    return (row->flags & WEB_RAW) != 0 ? "text/plain; version=0.0.4; charset=utf-8" : "application/json";
}

bool web_needs_files(const struct web_row *row)
{
    return (row->flags & WEB_FILES) != 0;
}

bool web_needs_dirs(const struct web_row *row)
{
    return (row->flags & WEB_DIRS) != 0;
}

/* ---- answers ---- */

void web_put_error(struct buf *out, const char *command, const char *error)
{
    struct json j;
    json_begin(&j, out);
    json_object(&j);
    json_member_string(&j, "command", command);
    json_member_string(&j, "error", error);
    json_object_end(&j);
}

void web_serve_closed(struct web_ask *ask)
{
    ask->more = false;
    ask->failed = ask->answer != NULL;
    if (ask->failed)
        return;
    if ((ask->row->flags & WEB_RAW) != 0) {
        ask->status = WEB_DISABLED;
        return;
    }
    ask->status = WEB_OK;
    web_put_error(&ask->piece, ask->known_as, "This ZooKeeper instance is not currently serving requests");
}

static void answer_end(struct web_ask *ask)
{
    if (ask->answer != NULL) {
        mem_free(ask->answer->expiring);
        watch_cursor_fini(&ask->answer->watches);
        tree_ephemerals_end(&ask->answer->ephemerals);
    }
    mem_free(ask->answer);
    ask->answer = NULL;
}

static void answer_begin(struct web_host *host, struct web_ask *ask)
{
    struct web_answer *a = mem_zalloc(sizeof *a);
    *a = (struct web_answer){ .host = host, .ask = ask, .core = host->words->core };
    ask->answer = a;
    ask->status = WEB_OK;
    json_begin(&a->json, &ask->piece);
    if ((ask->row->flags & WEB_RAW) == 0)
        json_object(&a->json);
}

static void answer_complete(struct web_ask *ask)
{
    struct web_answer *a = ask->answer;
    if ((ask->row->flags & WEB_RAW) == 0) {
        json_member_string(&a->json, "command", a->named_as_asked ? ask->known_as : ask->row->name);
        if (!a->has_error)
            json_member_string(&a->json, "error", a->error);
        json_object_end(&a->json);
    }
    answer_end(ask);
}

void web_serve(struct web_host *host, struct web_ask *ask, size_t bytes)
{
    if (ask->answer == NULL && (ask->row->flags & WEB_ALWAYS) == 0 && core_mode(host->words->core) == CORE_LOOKING) {
        web_serve_closed(ask);
        return;
    }
    if (ask->answer == NULL)
        answer_begin(host, ask);
    struct web_answer *a = ask->answer;
    a->stop = ask->piece.n + bytes;
    ask->more = ask->row->next(a);
    if (!ask->more && !ask->pending && ask->answer != NULL)
        answer_complete(ask);
}

void web_finish(struct web_ask *ask, enum web_status status, int64_t last_zxid)
{
    ask->pending = false;
    ask->status = status;
    if (last_zxid >= 0)
        json_member_number(&ask->answer->json, "last_zxid", last_zxid);
    answer_complete(ask);
}

void web_ask_init(struct web_ask *ask)
{
    *ask = (struct web_ask){ .fd = -1, .streaming = true };
    buf_init(&ask->piece, SIZE_MAX / 2);
}

void web_ask_fini(struct web_ask *ask)
{
    answer_end(ask);
    process_close(ask->fd);
    ask->fd = -1;
    buf_fini(&ask->piece);
}
