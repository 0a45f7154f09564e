#include "sim/library_judge.h"
#include "base/err.h"
#include "base/mem.h"
#include "sim/cluster.h"
#include "wire/records.h"
#include <stdarg.h>
#include <stdio.h>

void judge_init(struct library_judge *j, struct cluster *c, uint32_t client)
{
    *j = (struct library_judge){ .c = c, .client = client, .cable = LIBRARY_NOWHERE, .chroot = slice_str("") };
    buf_init(&j->bytes, SIZE_MAX);
}

void judge_fini(struct library_judge *j)
{
    mem_free(j->asked);
    mem_free(j->due);
    buf_fini(&j->bytes);
    library_watches_fini(&j->watches);
    library_watches_fini(&j->armed);
}

void judge_wrong(struct library_judge *j, const char *rule, const char *fmt, ...)
{
    char text[400];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    finding_set(&j->c->finding, j->c->now_us, rule, "library of client %u: %s", j->client, text);
}

/* ---- what the program asked for ---- */

static struct library_asked *push_asked(struct library_judge *j)
{
    if (j->asked_n == j->asked_cap) {
        j->asked_cap = j->asked_cap == 0 ? 32 : j->asked_cap * 2;
        j->asked = mem_realloc(j->asked, j->asked_cap * sizeof *j->asked);
    }
    return &j->asked[j->asked_n++];
}

uint32_t judge_accepted(struct library_judge *j, struct library_asked asked)
{
    if (asked.xid != ++j->last_xid)
        judge_wrong(j, "library.xid", "request %d is numbered %d", j->last_xid, asked.xid);
    asked.serial = ++j->last_serial;
    asked.cable = LIBRARY_NOWHERE;
    asked.up_cable = j->up ? j->cable : LIBRARY_NOWHERE;
    *push_asked(j) = asked;
    return asked.serial;
}

void judge_closes(struct library_judge *j, bool sends, int64_t by_ms)
{
    j->closing = true;
    j->close_by_ms = by_ms;
    if (sends)
        *push_asked(j) = (struct library_asked){ .xid = ++j->last_xid,
                                                 .op = WIRE_OP_CLOSE_SESSION,
                                                 .cable = LIBRARY_NOWHERE,
                                                 .up_cable = j->cable,
                                                 .told = true };
}

void judge_forgets(struct library_judge *j, struct slice path, unsigned kinds, unsigned watcher)
{
    library_watch_forget(&j->watches, path, kinds, watcher);
    for (size_t i = 0; i < j->asked_n; i++) {
        struct library_asked *q = &j->asked[i];
        if (q->watches && (CLIENT_WATCH_BIT(q->kind) & kinds) != 0 && slice_eq_str(path, q->path) &&
            (watcher == LIBRARY_EVERYBODY || watcher == q->watcher))
            q->unwished = true;
    }
}

size_t judge_waiting(const struct library_judge *j)
{
    size_t n = 0;
    for (size_t i = 0; i < j->asked_n; i++)
        n += !j->asked[i].told;
    return n;
}

void judge_servers(struct library_judge *j, size_t n)
{
    j->servers = n;
    j->tried = 0;
}

/* ---- what goes out ---- */

void judge_dialled(struct library_judge *j, uint32_t cable)
{
    j->cable = cable;
    j->up = j->primed = j->may_leave = false;
    j->rearmed = 0;
    j->heard_us = j->spoke_us = j->c->now_us;
}

/* Requests of other clients may have been seen through events: a server that is behind any frame would show the past
 * (client specification 2.6). */
void judge_connect_request(struct library_judge *j, struct slice frame)
{
    struct wire_reader r = wire_reader_of(frame);
    struct wire_connect_request q = wire_get_connect_request(&r);
    int64_t want = j->seen_writable ? j->session_id : 0;
    if (r.err != 0 || q.session_id != want)
        judge_wrong(j, "library.session", "asks for session 0x%llx, it has 0x%llx", (unsigned long long)q.session_id,
                    (unsigned long long)want);
    if (want != 0 && !slice_eq(q.passwd, slice_of(j->passwd, sizeof j->passwd)))
        judge_wrong(j, "library.session", "asks for session 0x%llx with another password", (unsigned long long)want);
    if (q.last_zxid_seen != j->seen_zxid)
        judge_wrong(j, "library.last_zxid", "says that it has seen 0x%llx; it has seen 0x%llx",
                    (unsigned long long)q.last_zxid_seen, (unsigned long long)j->seen_zxid);
}

static void rearmed(struct library_judge *j, struct wire_reader *r, int32_t op)
{
    int64_t since = wire_get_i64(r);
    if (since != j->settled_zxid)
        judge_wrong(j, "library.rearm", "sets its watches again since 0x%llx; it knows all up to 0x%llx",
                    (unsigned long long)since, (unsigned long long)j->settled_zxid);
    for (int kind = 0; kind < (op == WIRE_OP_SET_WATCHES ? 3 : CLIENT_WATCH_KINDS); kind++) {
        struct wire_vec paths = wire_get_strings(r);
        struct wire_reader p = wire_vec_reader(paths);
        for (int32_t i = 0; i < paths.count; i++, j->rearmed++) {
            struct slice path = wire_get_ustring(&p);
            if (!library_watch_has(&j->watches, (enum client_watch_kind)kind, path))
                judge_wrong(j, "library.rearm", "sets a watch of kind %d on %.*s that nobody has", kind,
                            SLICE_ARG(path));
        }
    }
}

/* The oldest request that waits; those that ended by their deadline may have been forgotten. */
static void sent_request(struct library_judge *j, const struct wire_request_header *h)
{
    for (size_t i = 0; i < j->asked_n; i++) {
        struct library_asked *q = &j->asked[i];
        if (q->cable != LIBRARY_NOWHERE || (q->told && q->xid != h->xid))
            continue;
        if (q->xid != h->xid || q->op != h->type)
            break;
        q->cable = j->cable;
        return;
    }
    judge_wrong(j, "library.sent", "sends request %d (op %d), which is not the oldest that waits", h->xid, h->type);
}

void judge_sent(struct library_judge *j, struct slice frame)
{
    struct wire_reader r = wire_reader_of(frame);
    struct wire_request_header h = wire_get_request_header(&r);
    j->spoke_us = j->c->now_us;
    if (h.xid == WIRE_XID_SET_WATCHES)
        rearmed(j, &r, h.type);
    else if (h.xid > 0)
        sent_request(j, &h);
}

/* The first frames on a connection with a session bring the watches. */
void judge_flushed(struct library_judge *j)
{
    if (!j->up || j->primed)
        return;
    j->primed = true;
    size_t want = library_watch_count(&j->watches);
    if (want != j->rearmed)
        judge_wrong(j, "library.rearm", "has %zu watches and sets %zu again", want, j->rearmed);
    if (want != 0)
        cover(&j->c->coverage, COVER_library_rearmed);
}

/* ---- what comes in ---- */

static struct library_due *push_due(struct library_judge *j, struct slice bytes)
{
    if (j->due_n == j->due_cap) {
        j->due_cap = j->due_cap == 0 ? 32 : j->due_cap * 2;
        j->due = mem_realloc(j->due, j->due_cap * sizeof *j->due);
    }
    struct library_due *due = &j->due[j->due_n++];
    *due = (struct library_due){ .at = j->bytes.n, .n = bytes.n };
    buf_append_slice(&j->bytes, bytes);
    return due;
}

static void push_session_due(struct library_judge *j, int32_t state)
{
    struct library_due *due = push_due(j, slice_str(""));
    due->is_event = true;
    due->type = CLIENT_EVENT_SESSION;
    due->rc = state;
    due->who = library_watch_everybody(&j->watches) | 1u << LIBRARY_WATCHER_SESSION;
}

static enum client_watch_kind armed_kind(enum client_watch_kind kind)
{
    return kind == CLIENT_WATCH_EXIST ? CLIENT_WATCH_DATA : kind;
}

bool judge_connected(struct library_judge *j, struct slice frame)
{
    struct wire_reader r = wire_reader_of(frame);
    struct wire_connect_response q = wire_get_connect_response(&r);
    j->heard_us = j->c->now_us;
    if (q.session_id == 0) {
        j->refused = true;
        push_session_due(j, CLIENT_STATE_EXPIRED);
        return false;
    }
    j->session_id = q.session_id;
    j->timeout_ms = q.timeout_ms;
    j->read_only = q.has_read_only && q.read_only;
    j->seen_writable = j->seen_writable || !j->read_only;
    memcpy(j->passwd, q.passwd.p, q.passwd.n < sizeof j->passwd ? q.passwd.n : sizeof j->passwd);
    j->up = true;
    j->tried = 0;
    for (size_t i = 0; i < j->asked_n; i++) { /* what waited is this connection's now */
        if (j->asked[i].cable != LIBRARY_NOWHERE)
            continue;
        j->asked[i].up_cable = j->cable;
        cover(&j->c->coverage, COVER_library_waited);
    }
    j->armed.n = 0; /* the library tells the server all it has */
    for (size_t i = 0; i < j->watches.n; i++)
        library_watch_add(&j->armed, armed_kind(j->watches.p[i].kind), slice_str(j->watches.p[i].path), 0, 0);
    push_session_due(j, j->read_only ? CLIENT_STATE_READ_ONLY : CLIENT_STATE_CONNECTED);
    return true;
}

/* Paths are told without the chroot (docs of zookeeper.h); one outside stays whole. */
static struct slice below_chroot(const struct library_judge *j, struct slice path)
{
    size_t n = j->chroot.n;
    bool inside = n != 0 && slice_starts(path, j->chroot) && (path.n == n || path.p[n] == '/');
    return inside ? slice_of(path.p + n, path.n - n) : path;
}

static void came_event(struct library_judge *j, struct wire_reader *r, int64_t zxid)
{
    struct wire_watcher_event e = wire_get_watcher_event(r);
    unsigned who = library_watch_fire(&j->watches, e.type, e.path);
    (void)library_watch_fire(&j->armed, e.type, e.path);
    if (who == 0)
        return;
    struct library_due *due = push_due(j, below_chroot(j, e.path));
    due->is_event = true;
    due->type = e.type;
    due->zxid = zxid;
    due->who = who;
}

/* Watches and what is to be forgotten take effect with the answer, unless the program was told of a failure before. */
static void settle_watch(struct library_judge *j, const struct library_asked *q, int32_t err, int64_t zxid)
{
    bool missing = q->op == WIRE_OP_EXISTS && err == ERR_NO_NODE;
    if (q->watches && !q->told && !q->unwished && (err == 0 || missing))
        library_watch_add(&j->watches, missing ? CLIENT_WATCH_EXIST : q->kind, slice_str(q->path), q->watcher, zxid);
    if (err == 0 || err == ERR_NO_WATCHER)
        library_watch_forget(&j->watches, slice_str(q->path), q->forgets, q->watcher);
    if (q->watches && (err == 0 || missing))
        library_watch_add(&j->armed, armed_kind(q->kind), slice_str(q->path), 0, 0);
    if (err == 0)
        library_watch_forget(&j->armed, slice_str(q->path), q->armed, LIBRARY_EVERYBODY);
}

/* Who waits for an event must be known to the server. */
static void check_armed(struct library_judge *j)
{
    for (size_t i = 0; i < j->watches.n; i++) {
        const struct library_watch *one = &j->watches.p[i];
        if (!library_watch_has(&j->armed, armed_kind(one->kind), slice_str(one->path)))
            judge_wrong(j, "library.deaf", "watcher %u waits for events of kind %d at %s, and the server does not know",
                        one->watcher, one->kind, one->path);
    }
}

static bool came_answer(struct library_judge *j, const struct wire_reply_header *h, struct slice body)
{
    struct library_asked *q = NULL;
    for (size_t i = 0; i < j->asked_n && q == NULL; i++)
        if (j->asked[i].cable == j->cable && !j->asked[i].answered)
            q = &j->asked[i];
    if (q == NULL || q->xid != h->xid) {
        judge_wrong(j, "client.order", "an answer to %d, but %d is the oldest request", h->xid, q == NULL ? 0 : q->xid);
        return false;
    }
    q->answered = true;
    settle_watch(j, q, h->err, h->zxid);
    if (q->armed != 0 || q->watches)
        check_armed(j);
    if (q->serial == 0)
        return false;
    if (q->told)
        return true;
    struct library_due *due = push_due(j, body);
    due->serial = q->serial;
    due->rc = h->err;
    due->zxid = h->zxid;
    return true;
}

bool judge_received(struct library_judge *j, struct slice frame)
{
    struct wire_reader r = wire_reader_of(frame);
    struct wire_reply_header h = wire_get_reply_header(&r);
    j->heard_us = j->c->now_us;
    if (h.zxid > j->seen_zxid)
        j->seen_zxid = h.zxid;
    if ((h.xid > 0 || h.xid == WIRE_XID_PING) && h.zxid > j->settled_zxid)
        j->settled_zxid = h.zxid;
    if (h.xid == WIRE_XID_NOTIFICATION)
        came_event(j, &r, h.zxid);
    return h.xid <= 0 || came_answer(j, &h, slice_of(r.p, wire_left(&r)));
}

void judge_disconnected(struct library_judge *j, bool chosen)
{
    int64_t silent_us = j->c->now_us - j->heard_us;
    bool over = j->closing || j->refused;
    bool silent = silent_us >= (int64_t)j->timeout_ms * 2 / 3 * 1000; /* its clock ticks in ms */
    if (chosen && j->up && !over && !j->may_leave && !silent)
        judge_wrong(j, "library.left", "gives up a good connection, after %lld ms of silence",
                    (long long)silent_us / 1000);
    if (j->up)
        cover(&j->c->coverage, COVER_library_losses);
    else
        j->tried++;
    j->cable = LIBRARY_NOWHERE;
    j->up = false;
}
