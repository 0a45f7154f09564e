/* listings: connections, for cons and stat, and digests, for hash (client specification 9.2). */
#include "admin/words.h"

#define CONNS_A_LOOK 64u

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
