#include "sim/net.h"
#include "base/mem.h"
#include "sim/cluster.h"
#include "sim/directed.h"
#include "sim/member.h"

#define DIAL_TIMEOUT_US 5000000
#define DRAINED_BYTES (32u * 1024)

void simnet_init(struct cluster *c)
{
    c->net = (struct net){ 0 };
    c->net.dice = dice_of(c->opt.seed, "net", 0);
}

static void stream_fini(struct net_stream *s)
{
    buf_fini(&s->data);
    mem_free(s->chunks);
}

static void wire_free(struct net_wire *w)
{
    stream_fini(&w->to[0]);
    stream_fini(&w->to[1]);
    mem_free(w);
}

void simnet_fini(struct cluster *c)
{
    struct net *n = &c->net;
    for (uint32_t i = 0; i < n->live_count; i++)
        wire_free(n->wires[n->live[i]]);
    mem_free(n->wires);
    mem_free(n->live);
}

static struct net_wire *wire_at(const struct cluster *c, uint32_t wire)
{
    return c->net.wires[wire];
}

uint32_t simnet_member_of(const struct cluster *c, uint32_t wire, unsigned side)
{
    const struct net_wire *w = wire_at(c, wire);
    return w == NULL ? NET_MEMBERS_MAX : w->member[side];
}

/* Forgets a wire that both sides have left. */
static void sweep(struct cluster *c, uint32_t wire)
{
    struct net *n = &c->net;
    struct net_wire *w = wire_at(c, wire);
    if (w->open[0] || w->open[1])
        return;
    for (uint32_t i = 0; i < n->live_count; i++) {
        if (n->live[i] != wire)
            continue;
        n->live[i] = n->live[--n->live_count];
        break;
    }
    n->wires[wire] = NULL;
    wire_free(w);
}

static uint32_t wire_new(struct cluster *c)
{
    struct net *n = &c->net;
    if (n->wire_count == n->wire_cap) {
        n->wire_cap = n->wire_cap == 0 ? 64 : n->wire_cap * 2;
        n->wires = mem_realloc(n->wires, n->wire_cap * sizeof(struct net_wire *));
    }
    if (n->live_count == n->live_cap) {
        n->live_cap = n->live_cap == 0 ? 64 : n->live_cap * 2;
        n->live = mem_realloc(n->live, n->live_cap * sizeof *n->live);
    }
    struct net_wire *w = mem_zalloc(sizeof *w);
    buf_init(&w->to[0].data, SIZE_MAX / 2);
    buf_init(&w->to[1].data, SIZE_MAX / 2);
    n->wires[n->wire_count] = w;
    n->live[n->live_count++] = n->wire_count;
    return n->wire_count++;
}

/* The wire that is this link of the member, and its side; NULL if there is none. */
static struct net_wire *find(struct sim_member *m, uint32_t link, uint32_t *wire, unsigned *side)
{
    struct net *n = &m->cluster->net;
    for (uint32_t i = 0; i < n->live_count; i++) {
        struct net_wire *w = n->wires[n->live[i]];
        for (unsigned s = 0; s < 2; s++) {
            if (!w->open[s] || w->member[s] != m->index || w->link[s] != link)
                continue;
            *wire = n->live[i];
            *side = s;
            return w;
        }
    }
    return NULL;
}

static int64_t delay_us(struct cluster *c)
{
    return dice_wait(&c->net.dice, opt(c, OPT_peer_delay_us));
}

static bool is_blocked(const struct cluster *c, uint32_t from, uint32_t to)
{
    return c->net.blocked[from][to];
}

/* ---- dialling ---- */

void simnet_dial(struct sim_member *m, uint32_t link, int64_t sid, enum zab_port port)
{
    struct cluster *c = m->cluster;
    uint32_t id = wire_new(c);
    struct net_wire *w = wire_at(c, id);
    w->port = port;
    w->member[0] = m->index;
    w->member[1] = (uint32_t)(sid - 1);
    w->link[0] = link;
    w->life[0] = m->life;
    w->open[0] = true;
    cluster_at(c, c->now_us + delay_us(c), HAPPEN_WIRE_DIALLED, id, 0, NULL);
}

void simnet_dialled(struct cluster *c, uint32_t wire)
{
    struct net_wire *w = wire_at(c, wire);
    if (w == NULL || !w->open[0])
        return;
    bool known = w->member[1] < c->member_count;
    struct sim_member *to = known ? c->members[w->member[1]] : NULL;
    if (!known || is_blocked(c, w->member[0], w->member[1]) || is_blocked(c, w->member[1], w->member[0]) ||
        (!to->up && to->powerless)) {
        cluster_at(c, c->now_us + DIAL_TIMEOUT_US, HAPPEN_WIRE_FAILED, wire, 0, NULL);
        return;
    }
    bool listens = to->up && (w->port == ZAB_PORT_ELECTION || to->listens[w->port]) &&
                   c->now_us >= c->net.refuses_until_us[to->index][w->port];
    if (!listens) {
        cluster_at(c, c->now_us + delay_us(c), HAPPEN_WIRE_REFUSED, wire, 0, NULL);
        return;
    }
    w->link[1] = to->next_link++;
    w->life[1] = to->life;
    w->open[1] = true;
    cluster_at(c, c->now_us, HAPPEN_WIRE_ACCEPTED, wire, 1, NULL);
    w->to[0].last_us = c->now_us + delay_us(c);
    cluster_at(c, w->to[0].last_us, HAPPEN_WIRE_CONNECTED, wire, 0, NULL);
}

static void tell(struct cluster *c, struct net_wire *w, unsigned side, struct zab_event ev)
{
    ev.link = w->link[side];
    member_peer_event(c->members[w->member[side]], ev);
}

void simnet_accepted(struct cluster *c, uint32_t wire)
{
    struct net_wire *w = wire_at(c, wire);
    if (w == NULL || !w->open[1] || w->accepted)
        return;
    w->accepted = true;
    tell(c, w, 1, (struct zab_event){ .type = ZAB_EV_ACCEPTED, .port = w->port });
}

void simnet_connected(struct cluster *c, uint32_t wire)
{
    struct net_wire *w = wire_at(c, wire);
    if (w == NULL || !w->open[0] || w->connected)
        return;
    w->connected = true;
    tell(c, w, 0, (struct zab_event){ .type = ZAB_EV_CONNECTED });
}

void simnet_failed(struct cluster *c, uint32_t wire, bool refused)
{
    struct net_wire *w = wire_at(c, wire);
    if (w == NULL || !w->open[0])
        return;
    w->open[0] = false;
    struct sim_member *m = c->members[w->member[0]];
    uint32_t link = w->link[0];
    sweep(c, wire);
    member_peer_event(m, (struct zab_event){ .type = ZAB_EV_LOST, .link = link, .refused = refused });
}

/* ---- bytes ---- */

static void push_chunk(struct net_stream *s, struct net_chunk chunk)
{
    if (s->chunk_head + s->chunk_count == s->chunk_cap) {
        if (s->chunk_head != 0) {
            memmove(s->chunks, s->chunks + s->chunk_head, s->chunk_count * sizeof *s->chunks);
            s->chunk_head = 0;
        } else {
            s->chunk_cap = s->chunk_cap == 0 ? 16 : s->chunk_cap * 2;
            s->chunks = mem_realloc(s->chunks, s->chunk_cap * sizeof *s->chunks);
        }
    }
    s->chunks[s->chunk_head + s->chunk_count++] = chunk;
}

/* Sends bytes, or with none the end. */
static void stream_send(struct cluster *c, uint32_t wire, unsigned side, struct slice bytes)
{
    struct net_stream *s = &wire_at(c, wire)->to[side];
    if (s->ends)
        return;
    int64_t at_us = c->now_us + delay_us(c);
    if (at_us < s->last_us)
        at_us = s->last_us;
    s->last_us = at_us;
    buf_append_slice(&s->data, bytes);
    if (bytes.n != 0)
        push_chunk(s, (struct net_chunk){ at_us, (uint32_t)bytes.n });
    else
        s->ends = true;
    cluster_at(c, at_us, HAPPEN_WIRE_ARRIVED, wire, side, NULL);
}

static void tell_if_drained(struct cluster *c, uint32_t wire, unsigned side)
{
    struct net_stream *s = &wire_at(c, wire)->to[side];
    if (!s->tell_drained || s->data.n >= DRAINED_BYTES)
        return;
    s->tell_drained = false;
    cluster_at(c, c->now_us + 1, HAPPEN_WIRE_DRAINED, wire, !side, NULL);
}

void simnet_send(struct sim_member *m, uint32_t link, struct slice bytes, bool tell_drained)
{
    uint32_t wire;
    unsigned side;
    struct net_wire *w = find(m, link, &wire, &side);
    if (w == NULL)
        return;
    if (bytes.n != 0)
        stream_send(m->cluster, wire, !side, bytes);
    w->to[!side].tell_drained = w->to[!side].tell_drained || tell_drained;
    tell_if_drained(m->cluster, wire, !side);
}

void simnet_drained(struct cluster *c, uint32_t wire, unsigned side)
{
    struct net_wire *w = wire_at(c, wire);
    if (w != NULL && w->open[side])
        tell(c, w, side, (struct zab_event){ .type = ZAB_EV_DRAINED });
}

/* How many bytes the receiver gets at once. */
static size_t next_piece(struct cluster *c, struct net_stream *s)
{
    size_t n = 0;
    while (s->chunk_count != 0 && s->chunks[s->chunk_head].at_us <= c->now_us) {
        n += s->chunks[s->chunk_head].n;
        s->chunk_head++;
        s->chunk_count--;
    }
    int64_t most = opt(c, OPT_chunk_bytes);
    size_t piece = most == 0 ? n : (size_t)dice_between(&c->net.dice, 1, most);
    if (piece >= n)
        return n;
    s->chunk_head--; /* the rest arrives next */
    s->chunk_count++;
    s->chunks[s->chunk_head] = (struct net_chunk){ c->now_us, (uint32_t)(n - piece) };
    return piece;
}

static void over(struct cluster *c, uint32_t wire, unsigned side)
{
    struct net_wire *w = wire_at(c, wire);
    struct sim_member *m = c->members[w->member[side]];
    uint32_t link = w->link[side];
    w->open[side] = false;
    if (w->open[!side] && !w->to[!side].ends)
        stream_send(c, wire, !side, slice_str(""));
    sweep(c, wire);
    member_peer_event(m, (struct zab_event){ .type = ZAB_EV_LOST, .link = link });
}

void simnet_arrived(struct cluster *c, uint32_t wire, unsigned side)
{
    for (;;) {
        struct net_wire *w = wire_at(c, wire);
        if (w == NULL || !w->open[side] || w->to[side].held || (side == 0 ? !w->connected : !w->accepted) ||
            is_blocked(c, w->member[!side], w->member[side]))
            return;
        struct net_stream *s = &w->to[side];
        if (s->data.n == 0 && s->ends && s->last_us <= c->now_us) {
            over(c, wire, side);
            return;
        }
        size_t n = c->directed != NULL ? directed_piece(c, wire, side) : next_piece(c, s);
        if (n == 0)
            return;
        uint8_t *piece = mem_alloc(n);
        memcpy(piece, s->data.p, n);
        buf_drop_front(&s->data, n);
        struct sim_member *m = c->members[w->member[side]];
        bool go_on = member_peer_event(
            m, (struct zab_event){ .type = ZAB_EV_BYTES, .link = w->link[side], .bytes = slice_of(piece, n) });
        mem_free(piece);
        w = wire_at(c, wire);
        if (w == NULL)
            return;
        w->to[side].held = !go_on;
        tell_if_drained(c, wire, side);
    }
}

void simnet_resumed(struct cluster *c, uint32_t wire, unsigned side)
{
    struct net_wire *w = wire_at(c, wire);
    if (w == NULL)
        return;
    w->to[side].held = false;
    simnet_arrived(c, wire, side);
}

void simnet_resume(struct sim_member *m, uint32_t link)
{
    uint32_t wire;
    unsigned side;
    struct net_wire *w = find(m, link, &wire, &side);
    if (w == NULL)
        return;
    cluster_at(m->cluster, m->cluster->now_us, HAPPEN_WIRE_RESUMED, wire, side, NULL);
}

void simnet_close(struct sim_member *m, uint32_t link)
{
    uint32_t wire;
    unsigned side;
    struct net_wire *w = find(m, link, &wire, &side);
    if (w == NULL)
        return;
    w->open[side] = false;
    if (w->open[!side])
        stream_send(m->cluster, wire, !side, slice_str(""));
    sweep(m->cluster, wire);
}

/* ---- ends of processes ---- */

/* What is under way is lost from some point on. */
static void lose_tail(struct cluster *c, struct net_stream *s)
{
    while (c->directed == NULL && s->chunk_count != 0 && !dice_one_in(&c->net.dice, 4)) {
        s->chunk_count--;
        s->data.n -= s->chunks[s->chunk_head + s->chunk_count].n;
    }
}

void simnet_member_gone(struct sim_member *m, bool silent)
{
    struct cluster *c = m->cluster;
    struct net *n = &c->net;
    for (uint32_t i = n->live_count; i-- > 0;) {
        uint32_t wire = n->live[i];
        struct net_wire *w = n->wires[wire];
        for (unsigned side = 0; side < 2; side++) {
            if (!w->open[side] || w->member[side] != m->index)
                continue;
            w->open[side] = false;
            if (!w->open[!side])
                continue;
            lose_tail(c, &w->to[!side]);
            if (silent)
                w->to[!side].last_us += dice_wait(&n->dice, 10000000);
            stream_send(c, wire, !side, slice_str(""));
        }
        sweep(c, wire);
    }
}
