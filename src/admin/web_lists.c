/* web_lists: answers that grow with what the server holds. A piece may end between any two entries; until the next one
 * is written the core goes on, so entries that come or go meanwhile may be missing or shown, but what is written stays
 * well-formed JSON. */
#include "admin/web_rows.h"
#include "base/hash.h"
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
    a->skip = 0;
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

struct put_ephemerals {
    struct web_answer *answer;
    uint64_t seen, given;
    bool full;
};

static void put_ephemeral(void *ctx, int64_t session_id, node_id n)
{
    struct put_ephemerals *p = ctx;
    struct web_answer *a = p->answer;
    if (p->seen++ < a->skip || p->full)
        return;
    if (is_full(a)) {
        p->full = true;
        return;
    }
    uint64_t skip = a->skip; /* counts through all sessions here */
    enter_list(a, (uint64_t)session_id);
    a->skip = skip;
    if (!a->is_open) {
        json_key_number(&a->json, session_id);
        json_array(&a->json);
        a->is_open = true;
    }
    struct buf path;
    buf_init(&path, SIZE_MAX / 2);
    tree_put_path(core_tree(a->core), n, &path);
    json_slice(&a->json, buf_slice(&path));
    buf_fini(&path);
    p->given = p->seen;
}

static bool put_ephemerals(struct web_answer *a)
{
    struct put_ephemerals p = { .answer = a };
    tree_ephemerals(core_tree(a->core), put_ephemeral, &p);
    if (p.given != 0)
        a->skip = p.given;
    if (!p.full)
        close_list(a);
    return p.full;
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

struct put_watches {
    struct web_answer *answer;
    uint32_t conn;
    int64_t session_id;
    uint64_t seen, given;
    bool full;
};

/* May the next data watch of this session or path be written? */
static bool wanted(struct put_watches *p, unsigned modes)
{
    if ((modes & DATA_MODES) == 0 || p->seen++ < p->answer->skip)
        return false;
    if (is_full(p->answer))
        p->full = true;
    if (!p->full)
        p->given = p->seen;
    return !p->full;
}

static void put_watched_path(void *ctx, struct slice path, unsigned modes)
{
    struct put_watches *p = ctx;
    struct web_answer *a = p->answer;
    if (!wanted(p, modes))
        return;
    if (!a->is_open) {
        json_key_number(&a->json, p->session_id);
        json_array(&a->json);
        a->is_open = true;
    }
    json_slice(&a->json, path);
}

static void put_watches_of(void *ctx, const struct core_conn_info *k)
{
    struct put_watches *p = ctx;
    p->conn = k->conn;
    p->session_id = k->session_id;
    enter_list(p->answer, (uint64_t)k->session_id);
    watch_list_of(core_tree(p->answer->core), k->conn, put_watched_path, p);
}

bool web_watches(struct web_answer *a)
{
    if (a->stage == 0) {
        a->stage = 1;
        json_key(&a->json, "session_id_to_watched_paths");
        json_object(&a->json);
    }
    for (bool more = true; more;) {
        struct put_watches p = { .answer = a };
        more = core_conn_list(a->core, &a->cursor, 1, put_watches_of, &p);
        if (p.full) {
            a->skip = p.given != 0 ? p.given : a->skip;
            a->cursor = p.conn;
            return true;
        }
        close_list(a);
        if (more && is_full(a))
            return true;
    }
    json_object_end(&a->json);
    return false;
}

static void put_watcher(void *ctx, uint32_t watcher, struct slice path, unsigned modes)
{
    struct put_watches *p = ctx;
    struct web_answer *a = p->answer;
    enter_list(a, hash_slice(0, path));
    if (!wanted(p, modes))
        return;
    if (!a->is_open) {
        json_key_slice(&a->json, path);
        json_array(&a->json);
        a->is_open = true;
    }
    json_number(&a->json, core_conn_session(a->core, watcher));
}

bool web_watches_by_path(struct web_answer *a)
{
    if (a->stage == 0) {
        a->stage = 1;
        json_key(&a->json, "path_to_session_ids");
        json_object(&a->json);
    }
    for (bool more = true; more;) {
        struct put_watches p = { .answer = a };
        uint64_t here = a->long_cursor;
        more = watch_list_by_path(core_tree(a->core), &a->long_cursor, 1, put_watcher, &p);
        if (p.full) {
            a->skip = p.given != 0 ? p.given : a->skip;
            a->long_cursor = here;
            return true;
        }
        close_list(a);
        if (more && is_full(a))
            return true;
    }
    json_object_end(&a->json);
    return false;
}
