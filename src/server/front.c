#include "server/front.h"
#include "base/log.h"
#include "base/mem.h"
#include "server/cnxn_tls.h"
#include "server/limits.h"

#define NO_FX UINT32_MAX

void front_init(struct front *f, const struct front_options *options)
{
    *f = (struct front){ .opt = *options };
    list_init(&f->fresh);
    list_init(&f->unsent);
    f->scratch = mem_alloc(LIMIT_RECV_BYTES + LIMIT_COPY_BYTES);
    buf_init_refusable(&f->tls_plain, LIMIT_RECV_BYTES + 4 * TLS_RECORD_BYTES);
    buf_init_refusable(&f->tls_out, SIZE_MAX / 2);
}

void front_fini(struct front *f)
{
    ASSERT(f->open_count == 0);
    mem_free(f->conns);
    mem_free(f->slots_free);
    mem_free(f->ready);
    mem_free(f->touched);
    mem_free(f->fx_next);
    mem_free(f->scratch);
    buf_fini(&f->tls_plain);
    buf_fini(&f->tls_out);
}

static struct cnxn *find(const struct front *f, uint32_t conn)
{
    uint32_t slot = f->opt.count == 1 ? conn : conn / f->opt.count;
    return slot < f->slot_next ? f->conns[slot] : NULL;
}

/* ---- accepting ---- */

static bool take_slot(struct front *f, uint32_t *slot)
{
    if (f->slots_free_count != 0) {
        *slot = f->slots_free[--f->slots_free_count];
        return true;
    }
    if (f->slot_next >= CORE_CONN_MAX / f->opt.count)
        return false;
    if (f->slot_next == f->slot_cap) {
        f->slot_cap = f->slot_cap == 0 ? 64 : f->slot_cap * 2;
        f->conns = mem_realloc(f->conns, f->slot_cap * sizeof(struct cnxn *));
        f->slots_free = mem_realloc(f->slots_free, f->slot_cap * sizeof *f->slots_free);
    }
    *slot = f->slot_next++;
    f->conns[*slot] = NULL;
    return true;
}

static void tell_lost(struct front *f, struct cnxn *c)
{
    c->flags |= CNXN_TOLD;
    f->opt.sink.lost(f->opt.sink.ctx, c->id);
}

bool front_evict(struct front *f)
{
    struct list *oldest = list_first(&f->fresh);
    if (oldest == NULL)
        return false;
    struct cnxn *c = CONTAINER_OF(oldest, struct cnxn, link);
    if (loop_now_ms(f->opt.loop) - c->since_ms < LIMIT_FRESH_MS)
        return false;
    tell_lost(f, c);
    cnxn_close(c);
    return true;
}

bool front_make_room(struct front *f)
{
    int64_t share = f->opt.conns_max / LIMIT_FRESH_SHARE;
    if (share < LIMIT_FRESH_MIN)
        share = LIMIT_FRESH_MIN;
    if (f->open_count < f->opt.conns_max && f->fresh_count < share)
        return true;
    return front_evict(f);
}

void front_add(struct front *f, int fd, const struct net_address *peer, enum front_port port)
{
    uint32_t slot;
    if (!take_slot(f, &slot)) {
        f->closed_total++;
        net_close(fd);
        return;
    }
    uint32_t id = slot * f->opt.count + f->opt.index;
    cnxn_open(f, fd, id, peer, port, &f->conns[slot]);
    struct cnxn *c = f->conns[slot];
    if (c == NULL) {
        f->slots_free[f->slots_free_count++] = slot;
        f->closed_total++;
        net_close(fd);
        return;
    }
    if (f->opt.tls != NULL && port == FRONT_PLAIN)
        cnxn_tls_count_plain(f, peer);
    if (f->opt.sink.accept(f->opt.sink.ctx, id, peer) != FRONT_GO_ON)
        c->flags |= CNXN_PAUSED;
}

/* ---- effects ---- */

/* Sends the chain of one connection's effects. */
static void send_chain(struct front *f, struct cnxn *c, const struct core_fx *fx)
{
    struct slice parts[NET_PARTS_MAX];
    uint32_t i = c->fx_first;
    while (i != NO_FX) {
        size_t n = 0;
        for (; i != NO_FX && n < NET_PARTS_MAX; i = f->fx_next[i])
            parts[n++] = slice_of(fx[i].p, fx[i].n);
        cnxn_send(c, parts, n);
    }
}

static void touch(struct front *f, struct cnxn *c, size_t *touched)
{
    if ((c->flags & CNXN_TOUCHED) != 0)
        return;
    c->flags |= CNXN_TOUCHED;
    c->fx_first = c->fx_last = NO_FX;
    f->touched[(*touched)++] = c;
}

static void grow_scratch(struct front *f, size_t count)
{
    if (count <= f->fx_next_cap)
        return;
    f->fx_next_cap = f->touched_cap = count < 256 ? 256 : count * 2;
    f->fx_next = mem_realloc(f->fx_next, f->fx_next_cap * sizeof *f->fx_next);
    f->touched = mem_realloc(f->touched, f->touched_cap * sizeof(struct cnxn *));
}

void front_apply(struct front *f, const struct core_fx *fx, size_t count)
{
    size_t touched = 0;
    ASSERT(count < NO_FX);
    grow_scratch(f, count);
    for (size_t i = 0; i < count; i++) {
        struct cnxn *c = find(f, fx[i].conn);
        if (c == NULL || (c->flags & CNXN_DEAD) != 0)
            continue; /* closed earlier in this turn */
        switch (fx[i].type) {
        case CORE_FX_SEND:
            touch(f, c, &touched);
            if ((c->flags & CNXN_END) != 0)
                break;
            f->fx_next[i] = NO_FX;
            if (c->fx_last == NO_FX)
                c->fx_first = (uint32_t)i;
            else
                f->fx_next[c->fx_last] = (uint32_t)i;
            c->fx_last = (uint32_t)i;
            break;
        case CORE_FX_CLOSE:
            touch(f, c, &touched);
            c->flags |= CNXN_END;
            break;
        case CORE_FX_RESUME:
            c->flags &= (uint16_t)~CNXN_PAUSED;
            cnxn_make_ready(c);
            break;
        }
    }
    for (size_t i = 0; i < touched; i++) {
        struct cnxn *c = f->touched[i];
        send_chain(f, c, fx);
        bool end = (c->flags & CNXN_END) != 0;
        c->flags &= (uint16_t) ~(CNXN_TOUCHED | CNXN_END);
        if (end)
            cnxn_end(c);
    }
}

/* A connection that broke after the core had closed it is only closed. */
static void give_up(struct front *f, struct cnxn *c)
{
    if ((c->flags & CNXN_CLOSING) == 0)
        tell_lost(f, c);
    cnxn_close(c);
}

void front_run_ready(struct front *f)
{
    size_t n = f->ready_count;
    for (size_t i = 0; i < n; i++) {
        struct cnxn *c = f->ready[i];
        c->flags &= (uint16_t)~CNXN_READY;
        if ((c->flags & CNXN_DEAD) != 0)
            continue;
        if ((c->flags & CNXN_BROKEN) != 0)
            give_up(f, c);
        else if ((c->flags & CNXN_CLOSING) == 0)
            cnxn_feed(c);
    }
    /* those that became ready meanwhile are for the next round */
    memmove(f->ready, f->ready + n, (f->ready_count - n) * sizeof(struct cnxn *));
    f->ready_count -= n;
}

void front_resume_all(struct front *f)
{
    for (uint32_t i = 0; i < f->slot_next; i++) {
        struct cnxn *c = f->conns[i];
        if (c == NULL || (c->flags & CNXN_REFUSED) == 0)
            continue;
        c->flags &= (uint16_t)~CNXN_REFUSED;
        cnxn_make_ready(c);
    }
}

/* ---- for sinks on another thread ---- */

void front_pause(struct front *f, uint32_t conn)
{
    struct cnxn *c = find(f, conn);
    if (c != NULL)
        c->flags |= CNXN_PAUSED;
}

void front_mark(struct front *f, uint32_t conn)
{
    struct cnxn *c = find(f, conn);
    if (c == NULL || (c->flags & CNXN_DEAD) != 0)
        return;
    c->flags |= CNXN_MARKED;
    cnxn_answer_mark(c);
}

void front_free_number(struct front *f, uint32_t conn)
{
    uint32_t slot = conn / f->opt.count;
    ASSERT(slot < f->slot_next && f->conns[slot] == NULL);
    f->slots_free[f->slots_free_count++] = slot;
}

/* ---- time ---- */

/* The fresh ones stand in the order in which they came. */
static void sweep_handshakes(struct front *f, int64_t now_ms)
{
    LIST_FOR_SAFE(it, &f->fresh)
    {
        struct cnxn *c = CONTAINER_OF(it, struct cnxn, link);
        if (now_ms - c->since_ms < f->opt.tls_handshake_ms)
            break;
        if (c->tls != NULL)
            cnxn_tls_expire(c, now_ms);
    }
}

void front_sweep(struct front *f)
{
    int64_t now_ms = loop_now_ms(f->opt.loop);
    if (f->opt.tls != NULL)
        sweep_handshakes(f, now_ms);
    LIST_FOR_SAFE(it, &f->unsent)
    {
        struct cnxn *c = CONTAINER_OF(it, struct cnxn, link);
        bool closing = (c->flags & CNXN_CLOSING) != 0;
        int64_t limit_ms = closing ? LIMIT_CLOSE_MS : LIMIT_STALL_MS;
        if (now_ms - c->since_ms < limit_ms)
            continue;
        if (!closing)
            log_warn("client.stalled",
                     "conn=%u unsent=%zu waited_ms=%lld action=close next=\"the client takes no "
                     "bytes; its session lives on\"",
                     c->id, c->out_end - c->out_off, (long long)(now_ms - c->since_ms));
        cnxn_break(c);
    }
}

/* ---- stopping ---- */

void front_stop_reading(struct front *f)
{
    f->reading_stopped = true;
}

bool front_all_sent(const struct front *f)
{
    return list_empty(&f->unsent);
}

void front_close_all(struct front *f)
{
    for (uint32_t i = 0; i < f->slot_next; i++)
        if (f->conns[i] != NULL)
            cnxn_close(f->conns[i]);
    f->ready_count = 0;
}

unsigned front_interest(const struct front *f, uint32_t conn)
{
    const struct cnxn *c = find(f, conn);
    if (c == NULL || (c->flags & CNXN_DEAD) != 0)
        return 0;
    bool reads = (c->flags & CNXN_HELD) == 0;
    return (reads ? LOOP_READABLE : 0u) | (c->out_end != 0 ? LOOP_WRITABLE : 0u);
}
