/* web_lists: answers that grow with what the server holds. A piece may end between any two entries; until the next one
 * is written the core goes on, so entries that come or go meanwhile may be missing or shown, but what is written stays
 * well-formed JSON. */
#include "admin/web_rows.h"
#include "base/mem.h"

#define DATA_MODES (WATCH_DATA | WATCH_PERSISTENT | WATCH_RECURSIVE)

static bool is_full(const struct web_answer *a)
{
    return a->ask->piece.n >= a->stop;
}

/* ---- lists under a key, one open at a time ---- */

static void close_list(struct web_answer *a)
{
    if (a->is_open)
        json_array_end(&a->json);
    a->is_open = false;
}

/* The list to which the next entries belong; one that was open and is another one is closed. */
static void enter_list(struct web_answer *a, uint64_t key)
{
    if (a->is_open && a->open_key != key)
        close_list(a);
    a->open_key = key;
}

/* ---- connections, stats ---- */

struct put_conns {
    struct web_answer *answer;
    bool brief;
};

static void put_connection(void *ctx, const struct core_conn_info *k)
{
    struct put_conns *p = ctx;
    struct command_host *h = p->answer->host->words;
    struct json *j = &p->answer->json;
    json_object(j);
    json_key(j, "remote_socket_address");
    json_slice(j, k->peer);
    json_member_number(j, "interest_ops", h->interest(h->ctx, k->conn));
    json_member_number(j, "outstanding_requests", k->outstanding);
    json_member_number(j, "packets_received", k->packets_received);
    json_member_number(j, "packets_sent", k->packets_sent);
    if (!p->brief) {
        json_member_number(j, "session_id", k->session_id);
        json_member_string(j, "last_operation", core_op_short_name(k->last_op));
        json_member_number(j, "established", k->established_wall_ms);
        json_member_number(j, "session_timeout", k->timeout_ms);
        json_member_number(j, "last_cxid", k->last_cxid);
        json_member_number(j, "last_zxid", k->last_zxid);
        json_member_number(j, "last_response_time", k->last_response_ms);
        json_member_number(j, "last_latency", k->latency_last_ms);
        json_member_number(j, "min_latency", k->latency_min_ms);
        json_member_number(j, "avg_latency", k->latency_avg_ms);
        json_member_number(j, "max_latency", k->latency_max_ms);
    }
    json_object_end(j);
}

static bool list_connections(struct web_answer *a, bool brief)
{
    struct put_conns p = { a, brief };
    if (a->stage == 0) {
        a->stage = 1;
        json_key(&a->json, "connections");
        json_array(&a->json);
    }
    while (core_conn_list(a->core, &a->cursor, 1, put_connection, &p))
        if (is_full(a))
            return true;
    json_array_end(&a->json);
    json_key(&a->json, "secure_connections");
    json_array(&a->json);
    json_array_end(&a->json);
    return false;
}

bool web_connections(struct web_answer *a)
{
    return list_connections(a, false);
}

bool web_stats(struct web_answer *a)
{
    if (a->stage == 0)
        (void)web_server_stats(a);
    return list_connections(a, true);
}

/* ---- dump ---- */

enum dump_stage { DUMP_BEGIN, DUMP_SESSIONS, DUMP_EPHEMERALS };

static void gather_session(void *ctx, int64_t session_id, int32_t timeout_ms, int64_t expires_ms)
{
    (void)timeout_ms;
    struct web_answer *a = ctx;
    if (a->expiring_count == a->expiring_cap) {
        a->expiring_cap = a->expiring_cap == 0 ? 64 : a->expiring_cap * 2;
        a->expiring = mem_realloc(a->expiring, a->expiring_cap * sizeof *a->expiring);
    }
    a->expiring[a->expiring_count++] = (struct expiring){ expires_ms, session_id };
}

static bool put_sessions(struct web_answer *a)
{
    for (; a->long_cursor < a->expiring_count; a->long_cursor++) {
        const struct expiring *e = &a->expiring[a->long_cursor];
        if (is_full(a))
            return true;
        enter_list(a, (uint64_t)e->moment_ms);
        if (!a->is_open) {
            json_key_number(&a->json, e->moment_ms);
            json_array(&a->json);
            a->is_open = true;
        }
        json_number(&a->json, e->who);
    }
    close_list(a);
    return false;
}

static bool put_ephemerals(struct web_answer *a)
{
    const struct tree *t = core_tree(a->core);
    int64_t session_id;
    node_id n;
    struct buf path;
    bool more = true;
    if (!a->has_ephemerals)
        tree_ephemerals_begin(t, &a->ephemerals);
    a->has_ephemerals = true;
    buf_init(&path, SIZE_MAX / 2);
    while (!is_full(a) && (more = tree_ephemerals_next(t, &a->ephemerals, &session_id, &n))) {
        enter_list(a, (uint64_t)session_id);
        if (!a->is_open) {
            json_key_number(&a->json, session_id);
            json_array(&a->json);
            a->is_open = true;
        }
        buf_reset(&path);
        tree_put_path(t, n, &path);
        json_slice(&a->json, buf_slice(&path));
    }
    buf_fini(&path);
    if (!more)
        close_list(a);
    return more;
}

bool web_dump(struct web_answer *a)
{
    switch ((enum dump_stage)a->stage) {
    case DUMP_BEGIN:
        core_session_list(a->core, gather_session, a);
        json_key(&a->json, "expiry_time_to_session_ids");
        json_object(&a->json);
        a->stage = DUMP_SESSIONS;
        /* fall through */
    case DUMP_SESSIONS:
        if (put_sessions(a))
            return true;
        json_object_end(&a->json);
        json_key(&a->json, "session_id_to_ephemeral_paths");
        json_object(&a->json);
        a->stage = DUMP_EPHEMERALS;
        /* fall through */
    case DUMP_EPHEMERALS:
        break;
    }
    if (put_ephemerals(a))
        return true;
    json_object_end(&a->json);
    return false;
}

/* ---- watches ---- */

static void gather_watches_of(void *ctx, const struct core_conn_info *k)
{
    struct web_answer *a = ctx;
    a->session_id = k->session_id;
    watch_cursor_of(core_tree(a->core), &a->watches, k->conn, DATA_MODES);
}

bool web_watches(struct web_answer *a)
{
    struct watch_seen w;
    if (a->stage == 0) {
        a->stage = 1;
        json_key(&a->json, "session_id_to_watched_paths");
        json_object(&a->json);
    }
    /* The number of a connection is used again when it has gone. */
    if (a->is_open && core_conn_session(a->core, a->watches.watcher) != a->session_id)
        watch_cursor_empty(&a->watches);
    for (;;) {
        while (!is_full(a) && watch_cursor_next(core_tree(a->core), &a->watches, DATA_MODES, &w)) {
            if (!a->is_open) {
                json_key_number(&a->json, a->session_id);
                json_array(&a->json);
                a->is_open = true;
            }
            json_slice(&a->json, w.path);
        }
        if (is_full(a))
            return true;
        close_list(a);
        if (a->at_end)
            break;
        a->at_end = !core_conn_list(a->core, &a->cursor, 1, gather_watches_of, a);
    }
    json_object_end(&a->json);
    return false;
}

bool web_watches_by_path(struct web_answer *a)
{
    struct watch_seen w;
    if (a->stage == 0) {
        a->stage = 1;
        json_key(&a->json, "path_to_session_ids");
        json_object(&a->json);
    }
    for (;;) {
        while (!is_full(a) && watch_cursor_next(core_tree(a->core), &a->watches, DATA_MODES, &w)) {
            if (!a->is_open) {
                json_key_slice(&a->json, w.path);
                json_array(&a->json);
                a->is_open = true;
            }
            json_number(&a->json, core_conn_session(a->core, w.watcher));
        }
        if (is_full(a))
            return true;
        close_list(a);
        if (a->at_end)
            break;
        a->at_end = !watch_cursor_of_path(core_tree(a->core), &a->watches, &a->long_cursor, DATA_MODES);
    }
    json_object_end(&a->json);
    return false;
}
