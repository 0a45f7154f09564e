/* net_faults: partitions of several shapes, connections that break, ports that refuse (reliability 4.3). */
#include "sim/cluster.h"
#include "sim/member.h"

enum shape {
    SHAPE_ALONE,     /* one is cut off */
    SHAPE_HALVES,    /* two groups */
    SHAPE_BRIDGE,    /* two groups that share one member */
    SHAPE_ONE_WAY,   /* one is heard by nobody, or hears nobody */
    SHAPE_RING,      /* each reaches only its neighbours */
    SHAPE_ONE_PAIR,  /* two do not reach each other */
    SHAPE_SOME_WAYS, /* any directions at all */
    SHAPE_COUNT,
};

static void block(struct cluster *c, uint32_t a, uint32_t b)
{
    c->net.blocked[a][b] = c->net.blocked[b][a] = true;
}

static void halves(struct cluster *c, struct dice *d, uint32_t bridge)
{
    uint64_t group = rng_u64(&d->rng);
    for (uint32_t a = 0; a < c->member_count; a++)
        for (uint32_t b = 0; b < a; b++)
            if (a != bridge && b != bridge && (group >> a & 1) != (group >> b & 1))
                block(c, a, b);
}

static void one_way(struct cluster *c, struct dice *d, uint32_t one)
{
    bool deaf = dice_one_in(d, 2);
    for (uint32_t i = 0; i < c->member_count; i++)
        if (i != one)
            c->net.blocked[deaf ? i : one][deaf ? one : i] = true;
}

static void ring(struct cluster *c)
{
    for (uint32_t a = 0; a < c->member_count; a++)
        for (uint32_t b = 0; b < a; b++)
            if (a - b != 1 && a - b != c->member_count - 1)
                block(c, a, b);
}

void simnet_split(struct cluster *c, struct dice *d)
{
    uint32_t one = (uint32_t)dice_between(d, 0, c->member_count - 1);
    uint32_t other = (one + (uint32_t)dice_between(d, 1, c->member_count - 1)) % c->member_count;
    switch ((enum shape)dice_between(d, 0, SHAPE_COUNT - 1)) {
    case SHAPE_ALONE:
        for (uint32_t i = 0; i < c->member_count; i++)
            if (i != one)
                block(c, one, i);
        break;
    case SHAPE_HALVES:
        halves(c, d, NET_MEMBERS_MAX);
        break;
    case SHAPE_BRIDGE:
        halves(c, d, one);
        break;
    case SHAPE_ONE_WAY:
        one_way(c, d, one);
        break;
    case SHAPE_RING:
        ring(c);
        break;
    case SHAPE_ONE_PAIR:
        block(c, one, other);
        break;
    case SHAPE_SOME_WAYS:
    case SHAPE_COUNT:
        for (uint32_t a = 0; a < c->member_count; a++)
            for (uint32_t b = 0; b < c->member_count; b++)
                c->net.blocked[a][b] = a != b && dice_one_in(d, 4);
        break;
    }
    cover(&c->coverage, COVER_partitions);
}

static bool is_parted_now(const struct cluster *c, uint32_t member)
{
    for (uint32_t i = 0; i < c->member_count; i++)
        if (c->net.blocked[member][i] || c->net.blocked[i][member])
            return true;
    return false;
}

bool simnet_is_parted(const struct cluster *c, uint32_t member, int64_t last_us)
{
    int64_t ended_us = c->net.parted_us[member];
    return is_parted_now(c, member) || (ended_us != 0 && c->now_us - ended_us < last_us);
}

/* Everything flows again, at once. */
void simnet_heal(struct cluster *c)
{
    struct net *n = &c->net;
    for (uint32_t i = 0; i < c->member_count; i++)
        if (is_parted_now(c, i))
            n->parted_us[i] = c->now_us;
    memset(n->blocked, 0, sizeof n->blocked);
    memset(n->refuses_until_us, 0, sizeof n->refuses_until_us);
    for (uint32_t i = 0; i < n->live_count; i++)
        for (unsigned side = 0; side < 2; side++)
            cluster_at(c, c->now_us, HAPPEN_WIRE_ARRIVED, n->live[i], side, NULL);
}

void simnet_break_one(struct cluster *c, struct dice *d)
{
    struct net *n = &c->net;
    if (n->live_count == 0)
        return;
    uint32_t wire = n->live[dice_between(d, 0, n->live_count - 1)];
    struct net_wire *w = n->wires[wire];
    for (unsigned side = 0; side < 2; side++) {
        struct net_stream *s = &w->to[side];
        if (s->ends)
            continue;
        while (s->chunk_count != 0 && !dice_one_in(d, 3))
            s->data.n -= s->chunks[s->chunk_head + --s->chunk_count].n;
        s->ends = true;
        s->last_us = c->now_us + dice_wait(d, opt(c, OPT_peer_delay_us));
        for (size_t i = 0; i < s->chunk_count; i++)
            if (s->chunks[s->chunk_head + i].at_us > s->last_us)
                s->last_us = s->chunks[s->chunk_head + i].at_us;
        cluster_at(c, s->last_us, HAPPEN_WIRE_ARRIVED, wire, side, NULL);
    }
}

void simnet_flap(struct cluster *c, struct dice *d)
{
    uint32_t one = (uint32_t)dice_between(d, 0, c->member_count - 1);
    c->net.refuses_until_us[one][dice_between(d, 0, 1)] = c->now_us + dice_wait(d, 2000000);
}
