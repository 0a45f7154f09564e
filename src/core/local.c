/* local: sessions that only this server knows: local ones of an ensemble that allows them (quorum specification 6.7),
 * and those of a server that has lost its quorum and serves reads. */
#include "base/hash.h"
#include "core/internal.h"

void local_begin(struct core *c, struct conn *k, struct session *s)
{
    s->local = true;
    session_own(s, OWNER_SELF);
    k->state = CONN_REVALIDATING; /* nothing but the answer is missing */
    conn_session_ready(c, k);
}

void local_end(struct core *c, struct session *s)
{
    struct conn *k = s->conn;
    session_remove(c, s);
    if (k != NULL)
        conn_close(c, k);
}

static bool makes_ephemeral(struct wire_reader *r)
{
    int32_t flags = wire_get_create_request(r).flags;
    return flags == WIRE_CREATE_EPHEMERAL || flags == WIRE_CREATE_EPHEMERAL_SEQUENTIAL;
}

static bool wants_global(int32_t op, struct slice frame)
{
    struct wire_reader r = wire_reader_of(slice_of(frame.p + 8, frame.n - 8));
    if (op == WIRE_OP_CREATE || op == WIRE_OP_CREATE2)
        return makes_ephemeral(&r);
    while (op == WIRE_OP_MULTI) {
        struct wire_multi_header h = wire_get_multi_header(&r);
        if (r.err != 0 || h.done)
            return false;
        if (h.type == WIRE_OP_CREATE || h.type == WIRE_OP_CREATE2) {
            if (makes_ephemeral(&r))
                return true;
            continue;
        }
        const struct op_row *row = op_find(h.type);
        if (row == NULL || row->skip == NULL || !row->skip(&r))
            return false;
    }
    return false;
}

/* Its first ephemeral node makes a session everybody's: the creation goes ahead of the request. */
static void make_global(struct core *c, struct conn *k)
{
    struct session *s = k->session;
    s->local = false;
    log_info("session.upgraded", "session=0x%llx", (unsigned long long)s->id);
    uint8_t timeout[4];
    store_be32(timeout, (uint32_t)s->timeout_ms);
    struct slice body = slice_of(timeout, sizeof timeout);
    if (ensemble_leads(c))
        pipeline_own(c, s->id, op_find(WIRE_OP_CREATE_SESSION), body);
    else if (zab_learns(c->ens.zab))
        zab_forward(c->ens.zab,
                    &(struct peer_request){ .session_id = s->id, .op = WIRE_OP_CREATE_SESSION, .body = body },
                    (struct wire_vec){ .count = -1 }, &c->out->zab);
}

#define ENDED_MAX 8192u /* a power of two */

static size_t ended_slot(const struct core *c, int64_t session_id)
{
    return hash_u64(c->hash_key, (uint64_t)session_id) & (ENDED_MAX - 1);
}

void local_note_end(struct core *c, int64_t session_id)
{
    if (!c->opt.local_sessions)
        return;
    if (c->ended_sessions == NULL)
        c->ended_sessions = mem_zalloc(ENDED_MAX * sizeof *c->ended_sessions);
    c->ended_sessions[ended_slot(c, session_id)] = session_id;
}

bool local_has_ended(const struct core *c, int64_t session_id)
{
    return c->ended_sessions != NULL && c->ended_sessions[ended_slot(c, session_id)] == session_id;
}

void local_fini(struct core *c)
{
    mem_free(c->ended_sessions);
    c->ended_sessions = NULL;
}

void local_close(struct core *c, struct conn *k, int32_t xid)
{
    conn_reply(c, k, xid, tree_last_zxid(c->tree), 0, slice_str(""), c->now_ms);
    local_end(c, k->session);
}

bool local_may_write(struct core *c, struct conn *k, int32_t op, struct slice frame)
{
    if (op == WIRE_OP_CLOSE_SESSION) { /* behind what the connection still waits for: local_close */
        pipeline_defer(c, k, frame, 0);
        return false;
    }
    const struct op_row *row = op_find(op);
    if (c->ens.read_only) {
        if (!row->writes && op != WIRE_OP_SYNC)
            return true;
        pipeline_defer(c, k, frame, ERR_NOT_READ_ONLY);
        return false;
    }
    if (!row->writes || !wants_global(op, frame))
        return true;
    if (!c->opt.local_sessions_upgrade) {
        pipeline_defer(c, k, frame, ERR_EPHEMERAL_ON_LOCAL_SESSION);
        return false;
    }
    make_global(c, k);
    return true;
}
