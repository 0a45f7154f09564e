#include "sim/library_judge.h"
#include "base/err.h"
#include "base/mem.h"
#include "sim/cluster.h"
#include "wire/records.h"
#include <stdarg.h>
#include <stdio.h>

void judge_init(struct library_judge *j, struct cluster *c, uint32_t client)
{
    *j = (struct library_judge){ .c = c, .client = client, .cable = LIBRARY_NOWHERE };
    buf_init(&j->bytes, SIZE_MAX);
}

void judge_fini(struct library_judge *j)
{
    mem_free(j->asked);
    mem_free(j->due);
    buf_fini(&j->bytes);
    library_watches_fini(&j->watches);
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

static int64_t now_ms(const struct library_judge *j)
{
    return j->c->now_us / 1000;
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

void judge_closes(struct library_judge *j, bool sends)
{
    j->closing = true;
    if (sends)
        *push_asked(j) = (struct library_asked){ .xid = ++j->last_xid,
                                                 .op = WIRE_OP_CLOSE_SESSION,
                                                 .cable = LIBRARY_NOWHERE,
                                                 .up_cable = j->cable,
                                                 .told = true };
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
    j->heard_us = j->c->now_us;
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
        if (q->up_cable == LIBRARY_NOWHERE)
            cover(&j->c->coverage, COVER_library_waited);
        q->cable = j->cable;
        return;
    }
    judge_wrong(j, "library.sent", "sends request %d (op %d), which is not the oldest that waits", h->xid, h->type);
}

void judge_sent(struct library_judge *j, struct slice frame)
{
    struct wire_reader r = wire_reader_of(frame);
    struct wire_request_header h = wire_get_request_header(&r);
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
    push_session_due(j, j->read_only ? CLIENT_STATE_READ_ONLY : CLIENT_STATE_CONNECTED);
    return true;
}

static void came_event(struct library_judge *j, struct wire_reader *r, int64_t zxid)
{
    struct wire_watcher_event e = wire_get_watcher_event(r);
    unsigned who = library_watch_fire(&j->watches, e.type, e.path);
    if (who == 0)
        return;
    struct library_due *due = push_due(j, e.path);
    due->is_event = true;
    due->type = e.type;
    due->zxid = zxid;
    due->who = who;
}

/* Watches and what is to be forgotten take effect with the answer, unless the program was told of a failure before. */
static void settle_watch(struct library_judge *j, const struct library_asked *q, int32_t err)
{
    bool missing = q->op == WIRE_OP_EXISTS && err == ERR_NO_NODE;
    if (q->watches && !q->told && (err == 0 || missing))
        library_watch_add(&j->watches, missing ? CLIENT_WATCH_EXIST : q->kind, slice_str(q->path), q->watcher);
    if (q->forgets && (err == 0 || err == ERR_NO_WATCHER))
        library_watch_forget(&j->watches, slice_str(q->path));
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
    settle_watch(j, q, h->err);
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

/* ---- what is delivered ---- */

static unsigned set_of(struct library_judge *j, const struct client_watchers *w)
{
    unsigned who = 0;
    for (size_t i = 0; w != NULL && i < w->n; i++) {
        unsigned bit = 1u << ((uintptr_t)w->p[i].ctx - 1);
        if ((who & bit) != 0)
            judge_wrong(j, "library.event_twice", "one event is for watcher %u twice",
                        (unsigned)((uintptr_t)w->p[i].ctx - 1));
        who |= bit;
    }
    return who;
}

static struct slice bytes_of(const struct library_judge *j, const struct library_due *due)
{
    return slice_of(buf_slice(&j->bytes).p + due->at, due->n);
}

static const struct library_due *next_due(struct library_judge *j)
{
    return j->due_at == j->due_n ? NULL : &j->due[j->due_at];
}

static void done_connecting(struct library_judge *j, unsigned who)
{
    if (j->up || (j->state != CLIENT_STATE_CONNECTED && j->state != CLIENT_STATE_READ_ONLY))
        judge_wrong(j, "library.session_event", "CONNECTING follows state %d", j->state);
    if (who != (library_watch_everybody(&j->watches) | 1u << LIBRARY_WATCHER_SESSION))
        judge_wrong(j, "library.session_event", "CONNECTING is told to watchers %x of %x", who,
                    library_watch_everybody(&j->watches) | 1u << LIBRARY_WATCHER_SESSION);
    j->state = CLIENT_STATE_CONNECTING;
}

static void done_event(struct library_judge *j, const struct client_done *d)
{
    const struct library_due *due = next_due(j);
    unsigned who = set_of(j, d->watchers);
    bool session = d->type == CLIENT_EVENT_SESSION;
    if (session && d->state == CLIENT_STATE_CONNECTING) {
        done_connecting(j, who);
        return;
    }
    if (due == NULL || !due->is_event || due->type != d->type || due->who != who ||
        (session ? due->rc != d->state
                 : due->zxid != d->zxid || !slice_eq(slice_of(d->body, d->body_n), bytes_of(j, due)))) {
        judge_wrong(j, session ? "library.session_event" : "library.event",
                    "tells event %d, state %d, to watchers %x; what must come is %s %d to %x", d->type, d->state, who,
                    due == NULL     ? "nothing,"
                    : due->is_event ? "event"
                                    : "an answer,",
                    due == NULL ? 0 : due->type, due == NULL ? 0 : due->who);
        return;
    }
    if (session)
        j->state = d->state;
    j->due_at++;
}

/* Why a request may end without an answer. */
static bool may_fail(const struct library_judge *j, const struct library_asked *q, int32_t rc)
{
    uint32_t cable = q->cable != LIBRARY_NOWHERE ? q->cable : q->up_cable;
    switch (rc) {
    case ERR_REQUEST_TIMEOUT:
        return q->deadline_ms != 0 && now_ms(j) >= q->deadline_ms;
    case ERR_CONNECTION_LOSS:
    case ERR_OPERATION_TIMEOUT:
        return cable != LIBRARY_NOWHERE ? cable != j->cable : !j->up && j->tried >= j->servers;
    case CLIENT_ERR_CLOSING:
        return j->closing;
    case ERR_SESSION_EXPIRED:
        return j->refused;
    default:
        return false;
    }
}

static void done_answer(struct library_judge *j, const struct library_asked *q, const struct client_done *d)
{
    const struct library_due *due = next_due(j);
    if (due == NULL || due->is_event || due->serial != q->serial) {
        judge_wrong(j, "library.order", "ends request %d, op %d, before %s", q->xid, q->op,
                    due != NULL && due->is_event ? "an event that came earlier" : "an earlier one");
        return;
    }
    if (due->rc != d->rc || due->zxid != d->zxid || !slice_eq(slice_of(d->body, d->body_n), bytes_of(j, due)))
        judge_wrong(j, "library.answer", "ends request %d, op %d, with %d, 0x%llx; the server said %d, 0x%llx", q->xid,
                    q->op, d->rc, (unsigned long long)d->zxid, due->rc, (unsigned long long)due->zxid);
    j->due_at++;
}

static void count_failure(struct library_judge *j, int32_t rc)
{
    cover(&j->c->coverage, rc == ERR_REQUEST_TIMEOUT   ? COVER_library_deadlines
                           : rc == CLIENT_ERR_CLOSING  ? COVER_library_closings
                           : rc == ERR_SESSION_EXPIRED ? COVER_library_expired
                                                       : COVER_library_lost_requests);
}

static void done_request(struct library_judge *j, const struct client_done *d)
{
    uint32_t serial = (uint32_t)(uintptr_t)d->call.data;
    struct library_asked *q = NULL;
    bool first = true;
    for (size_t i = 0; i < j->asked_n && q == NULL; i++) {
        if (j->asked[i].serial == serial)
            q = &j->asked[i];
        else
            first = first && j->asked[i].told;
    }
    if (q == NULL || q->told) {
        judge_wrong(j, "library.twice", "request with serial %u ends again, with %d", serial, d->rc);
        return;
    }
    q->told = true;
    if (q->answered) {
        done_answer(j, q, d);
        return;
    }
    count_failure(j, d->rc);
    if (!may_fail(j, q, d->rc))
        judge_wrong(j, "library.failure", "request %d, op %d, %s, ends with %d without a reason", q->xid, q->op,
                    q->cable == LIBRARY_NOWHERE ? "waiting" : "sent", d->rc);
    if (!first && d->rc != ERR_REQUEST_TIMEOUT)
        judge_wrong(j, "library.order", "request %d, op %d, ends with %d before an earlier one", q->xid, q->op, d->rc);
}

void judge_done(struct library_judge *j, const struct client_done *d)
{
    if (d->is_event) {
        done_event(j, d);
    } else if (d->call.tag != 0) {
        if (++j->auth_told > j->auth_asked)
            judge_wrong(j, "library.twice", "an identity is answered again");
    } else {
        done_request(j, d);
    }
}

static void check_asked(struct library_judge *j, bool over)
{
    size_t left = 0;
    for (size_t i = 0; i < j->asked_n; i++) {
        const struct library_asked *q = &j->asked[i];
        uint32_t cable = q->cable != LIBRARY_NOWHERE ? q->cable : q->up_cable;
        bool cut_off = cable != LIBRARY_NOWHERE && cable != j->cable;
        if (!q->told && (over || cut_off))
            judge_wrong(j, "library.lost", "request %d, op %d, never ends, and its %s is over", q->xid, q->op,
                        over ? "handle" : "connection");
        if (!q->told && q->deadline_ms != 0 && now_ms(j) >= q->deadline_ms)
            judge_wrong(j, "library.deadline", "request %d, op %d, goes on %lld ms after its deadline", q->xid, q->op,
                        (long long)(now_ms(j) - q->deadline_ms));
        if (!q->told || (!q->answered && !cut_off))
            j->asked[left++] = *q;
    }
    j->asked_n = left;
}

static void check_state(struct library_judge *j, bool over)
{
    int32_t want = j->refused     ? CLIENT_STATE_EXPIRED
                   : over         ? j->state /* who closes hears no more */
                   : !j->up       ? CLIENT_STATE_CONNECTING
                   : j->read_only ? CLIENT_STATE_READ_ONLY
                                  : CLIENT_STATE_CONNECTED;
    if (j->state != want && !(j->state == 0 && want == CLIENT_STATE_CONNECTING))
        judge_wrong(j, "library.session_event", "the last session event was %d, it is %d", j->state, want);
}

void judge_settled(struct library_judge *j, bool over)
{
    if (j->due_at != j->due_n)
        judge_wrong(j, "library.lost", "%s of type %d, serial %u, is never delivered",
                    j->due[j->due_at].is_event ? "an event" : "an answer", j->due[j->due_at].type,
                    j->due[j->due_at].serial);
    j->due_at = j->due_n = 0;
    buf_reset(&j->bytes);
    check_asked(j, over);
    check_state(j, over);
    if (over && j->auth_told != j->auth_asked)
        judge_wrong(j, "library.lost", "%u identities are never answered", j->auth_asked - j->auth_told);
}
