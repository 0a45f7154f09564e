/* prep_multi: several operations as one transaction: each is judged against the effects of those before it; one
 * failure takes all back, sequence numbers too (client specification 3.5, 4.9). */
#include "base/museum.h"
#include "core/internal.h"

/* Walks the whole request once: 0 and the number of operations, or ERR_MARSHALLING for what cannot be read, ends early
 * or holds an operation that has no place in a multi. */
static int multi_walk(struct wire_reader r, int32_t *count)
{
    for (*count = 0;; (*count)++) {
        struct wire_multi_header h = wire_get_multi_header(&r);
        if (r.err != 0)
            return ERR_MARSHALLING;
        if (h.done)
            return 0;
        const struct op_row *row = op_find(h.type);
        if (row == NULL || !row->in_multi || !row->writes || !row->skip(&r))
            return ERR_MARSHALLING;
    }
}

static void put_errors(struct buf *b, int32_t count, int32_t err)
{
    for (int32_t i = 0; i < count; i++)
        txn_put_sub(b, &(struct txn_op){ .type = WIRE_OP_ERROR, .err = err });
}

/* Judges the operations one by one and appends their bodies to b. 0, or the code of the first that fails with its
 * index; b then holds those before it. */
static int multi_run(struct prep *p, struct wire_reader *r, int32_t count, struct buf *b, int32_t *failed)
{
    for (int32_t i = 0; i < count; i++) {
        struct wire_multi_header h = wire_get_multi_header(r);
        const struct op_row *row = op_find(h.type);
        struct txn_op sub = { .type = h.type };
        int rc = row->prep(p, r, &sub);
        if (rc != 0) {
            *failed = i;
            return rc;
        }
        p->multi_kinds[i] = h.type == WIRE_OP_CREATE2 ? WIRE_OP_CREATE2 : 0;
        txn_put_sub(b, &sub);
    }
    return b->err == 0 ? 0 : ERR_MARSHALLING;
}

int prep_multi(struct prep *p, struct wire_reader *r, struct txn_op *op)
{
    struct core *c = p->core;
    int32_t count, failed = 0;
    if (multi_walk(*r, &count) != 0)
        return ERR_MARSHALLING;
    struct buf subs;
    buf_init(&subs, c->opt.txn_bytes_max > 128 ? c->opt.txn_bytes_max - 128 : 0);
    p->multi_kinds = mem_alloc((size_t)count + 1);
    p->inside_multi = true;
    overlay_begin_undo(c);
    int rc = multi_run(p, r, count, &subs, &failed);
    overlay_end_undo(c, rc != 0 && !SIM_BUG(multi_half_done));
    if (rc != 0 && rc != ERR_MARSHALLING) {
        put_errors(&subs, 1, rc);
        put_errors(&subs, count - failed - 1, ERR_RUNTIME_INCONSISTENCY);
        rc = subs.err == 0 ? 0 : ERR_MARSHALLING;
    }
    *op =
        (struct txn_op){ .type = WIRE_OP_MULTI, .sub_count = count, .sub_raw = arena_dup(&c->turn, buf_slice(&subs)) };
    buf_fini(&subs);
    if (rc != 0) {
        mem_free(p->multi_kinds);
        p->multi_kinds = NULL;
    }
    return rc;
}
