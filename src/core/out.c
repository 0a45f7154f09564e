/* out: effects of a turn. Bytes of consecutive replies to one connection join into one effect. */
#include "core/internal.h"

#define OUT_ARENA_BYTES (256 * 1024)
#define JOIN_BACK 4u /* followers of an ensemble of five */

void core_out_init(struct core_out *out)
{
    *out = (struct core_out){ 0 };
    arena_init(&out->arena, OUT_ARENA_BYTES);
    zab_out_init(&out->zab);
}

void core_out_reset(struct core_out *out)
{
    arena_reset(&out->arena);
    out->fx_count = 0;
    out->append_count = 0;
    out->peer_count = 0;
    zab_out_reset(&out->zab);
    out->snapshot = (struct core_snapshot_fx){ 0 };
}

void core_out_fini(struct core_out *out)
{
    arena_fini(&out->arena);
    mem_free(out->fx);
    mem_free(out->appends);
    mem_free(out->peer_fx);
    zab_out_fini(&out->zab);
    *out = (struct core_out){ 0 };
}

static struct core_fx *fx_add(struct core_out *out)
{
    if (out->fx_count == out->fx_cap) {
        out->fx_cap = out->fx_cap == 0 ? 256 : out->fx_cap * 2;
        out->fx = mem_realloc(out->fx, out->fx_cap * sizeof *out->fx);
    }
    return &out->fx[out->fx_count++];
}

uint8_t *out_bytes(struct core *c, size_t n)
{
    return arena_pack(&c->out->arena, n);
}

uint8_t *out_send(struct core *c, uint32_t conn, size_t n)
{
    struct core_out *out = c->out;
    uint8_t *p = out_bytes(c, n);
    struct core_fx *last = out->fx_count == 0 ? NULL : &out->fx[out->fx_count - 1];
    if (last != NULL && last->type == CORE_FX_SEND && last->conn == conn && last->p + last->n == p &&
        last->n + n <= UINT32_MAX) {
        last->n += (uint32_t)n;
        return p;
    }
    *fx_add(out) = (struct core_fx){ .type = CORE_FX_SEND, .conn = conn, .n = (uint32_t)n, .p = p };
    return p;
}

void out_send_shared(struct core *c, uint32_t conn, const uint8_t *p, size_t n)
{
    *fx_add(c->out) = (struct core_fx){ .type = CORE_FX_SEND, .conn = conn, .n = (uint32_t)n, .p = p };
}

void out_fx(struct core *c, enum core_fx_type type, uint32_t conn)
{
    *fx_add(c->out) = (struct core_fx){ .type = type, .conn = conn };
}

void out_append(struct core *c, int64_t zxid, struct blob *txn, bool roll_after)
{
    struct core_out *out = c->out;
    if (out->append_count == out->append_cap) {
        out->append_cap = out->append_cap == 0 ? 64 : out->append_cap * 2;
        out->appends = mem_realloc(out->appends, out->append_cap * sizeof *out->appends);
    }
    out->appends[out->append_count++] = (struct core_append){ .zxid = zxid, .txn = txn, .roll_after = roll_after };
}

/* Bytes for a link that lie behind the last ones for it, with nothing but bytes for others between: a proposal goes to
 * every follower in turn. */
static bool joins(struct core_out *out, const struct zab_fx *fx)
{
    size_t oldest = out->peer_count > JOIN_BACK ? out->peer_count - JOIN_BACK : 0;
    for (size_t i = out->peer_count; i-- > oldest;) {
        struct zab_fx *before = &out->peer_fx[i];
        if (before->type != ZAB_FX_SEND)
            return false;
        if (before->link != fx->link)
            continue;
        if (before->tell_drained || before->bytes.p + before->bytes.n != fx->bytes.p)
            return false;
        before->bytes.n += fx->bytes.n;
        before->tell_drained = fx->tell_drained;
        return true;
    }
    return false;
}

void out_peer(struct core *c, const struct zab_fx *fx)
{
    struct core_out *out = c->out;
    if (fx->type == ZAB_FX_SEND && joins(out, fx))
        return;
    if (out->peer_count == out->peer_cap) {
        out->peer_cap = out->peer_cap == 0 ? 64 : out->peer_cap * 2;
        out->peer_fx = mem_realloc(out->peer_fx, out->peer_cap * sizeof *out->peer_fx);
    }
    out->peer_fx[out->peer_count++] = *fx;
}
