#include "sim/cable.h"
#include "base/mem.h"
#include "sim/client.h"
#include "sim/cluster.h"
#include "sim/member.h"

static struct cable *cable_at(struct cluster *c, uint32_t cable)
{
    ASSERT(cable < c->chronicle.cables);
    return &c->cables[cable];
}

static int64_t delay_us(struct cluster *c, const struct cable *k)
{
    return dice_wait(simclient_dice(c->clients[k->client]), opt(c, OPT_client_delay_us));
}

/* When something sent now arrives: after a delay of its own, and never before what was sent earlier. */
static int64_t arrival_us(struct cluster *c, const struct cable *k, int64_t *last_us)
{
    int64_t at_us = c->now_us + delay_us(c, k);
    if (at_us < *last_us)
        at_us = *last_us;
    *last_us = at_us;
    return at_us;
}

static struct message *message_of(struct slice bytes)
{
    struct message *m = mem_alloc(sizeof *m + bytes.n);
    m->n = (uint32_t)bytes.n;
    if (bytes.n != 0)
        memcpy(m->p, bytes.p, bytes.n);
    return m;
}

uint32_t cable_dial(struct cluster *c, uint32_t client, uint32_t member)
{
    uint32_t id = c->chronicle.cables++;
    if (id == c->cable_cap) {
        c->cable_cap = c->cable_cap == 0 ? 64 : c->cable_cap * 2;
        c->cables = mem_realloc(c->cables, c->cable_cap * sizeof *c->cables);
    }
    struct cable *k = &c->cables[id];
    *k = (struct cable){ .client = client, .member = member, .client_open = true };
    cluster_at(c, arrival_us(c, k, &k->up_us), HAPPEN_CABLE_ACCEPT, id, 0, NULL);
    return id;
}

void cable_send_up(struct cluster *c, uint32_t cable, struct slice frame)
{
    struct cable *k = cable_at(c, cable);
    if (k->client_open && !k->muted)
        cluster_at(c, arrival_us(c, k, &k->up_us), HAPPEN_CABLE_UP, cable, 0, message_of(frame));
}

void cable_send_down(struct cluster *c, uint32_t cable, struct slice bytes)
{
    struct cable *k = cable_at(c, cable);
    if (k->client_open && !k->muted)
        cluster_at(c, arrival_us(c, k, &k->down_us), HAPPEN_CABLE_DOWN, cable, 0, message_of(bytes));
}

void cable_free_inbox(struct cable *k)
{
    for (size_t i = 0; i < k->inbox_count; i++)
        mem_free(k->inbox[k->inbox_head + i]);
    mem_free(k->inbox);
    k->inbox = NULL;
    k->inbox_head = k->inbox_count = k->inbox_cap = 0;
}

void cable_drop(struct cluster *c, uint32_t cable)
{
    struct cable *k = cable_at(c, cable);
    k->client_open = false;
    if (!k->muted)
        cluster_at(c, arrival_us(c, k, &k->up_us), HAPPEN_CABLE_LOST, cable, 0, NULL);
}

void cable_close(struct cluster *c, uint32_t cable)
{
    struct cable *k = cable_at(c, cable);
    k->member_open = false;
    cable_free_inbox(k);
    if (k->client_open && !k->muted)
        cluster_at(c, arrival_us(c, k, &k->down_us), HAPPEN_CABLE_GONE, cable, 0, NULL);
}

/* Muted from now on: what is under way is dropped where it arrives. */
void cable_cut(struct cluster *c, uint32_t cable)
{
    struct cable *k = cable_at(c, cable);
    k->muted = true;
    cluster_at(c, c->now_us + delay_us(c, k), HAPPEN_CABLE_LOST, cable, 0, NULL);
    cluster_at(c, c->now_us + delay_us(c, k), HAPPEN_CABLE_GONE, cable, 0, NULL);
}

void cable_mute(struct cluster *c, uint32_t cable)
{
    cable_at(c, cable)->muted = true;
}

void cable_orphan(struct cluster *c, uint32_t cable, bool silent)
{
    struct cable *k = cable_at(c, cable);
    if (k->member_open)
        cable_close(c, cable);
    k->muted = k->muted || silent;
}

void cable_accepted(struct cluster *c, uint32_t cable)
{
    struct cable *k = cable_at(c, cable);
    struct sim_member *m = c->members[k->member];
    if (!k->client_open || k->muted)
        return;
    if (!member_is_up(m)) {
        cluster_at(c, c->now_us + delay_us(c, k), HAPPEN_CABLE_GONE, cable, 0, NULL);
        return;
    }
    k->life = member_life(m);
    k->member_open = true;
    k->go_on = member_accept(m, cable);
}

static void inbox_push(struct cable *k, struct message *m)
{
    if (k->inbox_head != 0 && k->inbox_count == 0)
        k->inbox_head = 0;
    if (k->inbox_head + k->inbox_count == k->inbox_cap) {
        k->inbox_cap = k->inbox_cap == 0 ? 8 : k->inbox_cap * 2;
        k->inbox = mem_realloc(k->inbox, k->inbox_cap * sizeof(struct message *));
    }
    k->inbox[k->inbox_head + k->inbox_count++] = m;
}

static void drain_inbox(struct cluster *c, uint32_t cable)
{
    for (;;) {
        struct cable *k = cable_at(c, cable);
        if (!k->member_open || !k->go_on || k->inbox_count == 0)
            return;
        struct message *m = k->inbox[k->inbox_head++];
        k->inbox_count--;
        bool go_on = member_frame(c->members[k->member], cable, slice_of(m->p, m->n));
        mem_free(m);
        k = cable_at(c, cable);
        if (!go_on)
            k->go_on = false;
    }
}

void cable_up(struct cluster *c, uint32_t cable, struct message *m)
{
    struct cable *k = cable_at(c, cable);
    if (!k->member_open || k->muted) {
        mem_free(m);
        return;
    }
    inbox_push(k, m);
    drain_inbox(c, cable);
}

void cable_resumed(struct cluster *c, uint32_t cable)
{
    cable_at(c, cable)->go_on = true;
    drain_inbox(c, cable);
}

void cable_down(struct cluster *c, uint32_t cable, struct message *m)
{
    struct cable *k = cable_at(c, cable);
    if (k->client_open && !k->muted)
        sim_client_received(c->clients[k->client], cable, slice_of(m->p, m->n));
    mem_free(m);
}

void cable_lost(struct cluster *c, uint32_t cable)
{
    struct cable *k = cable_at(c, cable);
    if (!k->member_open)
        return;
    k->member_open = false;
    cable_free_inbox(k);
    member_conn_lost(c->members[k->member], cable);
}

void cable_gone(struct cluster *c, uint32_t cable)
{
    struct cable *k = cable_at(c, cable);
    if (!k->client_open)
        return;
    k->client_open = false;
    simclient_gone(c->clients[k->client], cable);
}
