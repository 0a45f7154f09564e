/* library_verdict: what the library delivers against what is due, and what must have been delivered by now. */
#include "base/err.h"
#include "sim/cluster.h"
#include "sim/library_judge.h"

static int64_t now_ms(const struct library_judge *j)
{
    return j->c->now_us / 1000;
}

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
    int64_t due_ms = q->deadline_ms > j->thawed_us / 1000 ? q->deadline_ms : j->thawed_us / 1000;
    if (d->rc == ERR_REQUEST_TIMEOUT && now_ms(j) > due_ms + 1)
        judge_wrong(j, "library.deadline", "request %d, op %d, ends %lld ms after its deadline", q->xid, q->op,
                    (long long)(now_ms(j) - q->deadline_ms));
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

void judge_handle(struct library_judge *j, const struct client_core *core)
{
    if (client_session_id(core) != j->session_id || client_last_zxid(core) != j->seen_zxid)
        judge_wrong(j, "library.handle", "is session 0x%llx that has seen 0x%llx; it says 0x%llx and 0x%llx",
                    (unsigned long long)j->session_id, (unsigned long long)j->seen_zxid,
                    (unsigned long long)client_session_id(core), (unsigned long long)client_last_zxid(core));
    if (memcmp(client_passwd(core), j->passwd, sizeof j->passwd) != 0)
        judge_wrong(j, "library.handle", "gives another password of its session to the program");
    if (j->timeout_ms != 0 && client_timeout_ms(core) != j->timeout_ms)
        judge_wrong(j, "library.handle", "says that its timeout is %d ms; it is %d", client_timeout_ms(core),
                    j->timeout_ms);
}

void judge_settled(struct library_judge *j, bool over)
{
    if (j->due_at != j->due_n)
        judge_wrong(j, "library.lost", "%s of type %d, serial %u, is never delivered",
                    j->due[j->due_at].is_event ? "an event" : "an answer", j->due[j->due_at].type,
                    j->due[j->due_at].serial);
    j->due_at = j->due_n = 0;
    buf_reset(&j->bytes);
    int64_t quiet_us = j->c->now_us - j->spoke_us;
    if (j->up && !over && quiet_us > ((int64_t)j->timeout_ms / 3 + 2) * 1000)
        judge_wrong(j, "library.silent", "has sent nothing for %lld ms", (long long)quiet_us / 1000);
    if (j->closing && !over && now_ms(j) >= j->close_by_ms)
        judge_wrong(j, "library.close", "has not ended %lld ms after its time",
                    (long long)(now_ms(j) - j->close_by_ms));
    check_asked(j, over);
    check_state(j, over);
    if (over && j->auth_told != j->auth_asked)
        judge_wrong(j, "library.lost", "%u identities are never answered", j->auth_asked - j->auth_told);
}
