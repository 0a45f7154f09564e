#include "server/peers.h"
#include "base/mem.h"
#include "server/limits.h"
#include "server/peers_internal.h"

#define SWEEP_MS 100

/* ---- effects ---- */

static void dial(struct peers *p, const struct zab_fx *fx)
{
    ASSERT((fx->link & ZAB_LINK_DIALLED) != 0 && peer_link_find(p, fx->link) == NULL);
    struct peer_link *l = peer_link_new(p, fx->link, fx->port, 0);
    peer_dial_begin(l, p->opt.member(p->opt.ctx, fx->sid), fx->addresses);
}

static void send_bytes(struct peers *p, const struct zab_fx *fx)
{
    struct peer_link *l = peer_link_find(p, fx->link);
    if (l == NULL)
        return;
    peer_link_queue(l, fx->bytes);
    if (fx->tell_drained)
        l->flags |= LINK_TELL;
    if ((l->flags & (LINK_TOUCHED | LINK_BROKEN)) != 0)
        return;
    l->flags |= LINK_TOUCHED;
    list_push_back(&p->touched, &l->ready);
}

static void listen_on(struct peers *p, enum zab_port port, bool on)
{
    for (size_t i = 0; i < p->place_count; i++) {
        if (p->places[i].port != port)
            continue;
        if (on)
            peer_place_open(&p->places[i]);
        else
            peer_place_close(&p->places[i]);
    }
}

static void apply(struct peers *p, const struct zab_fx *fx)
{
    struct peer_link *l;
    switch (fx->type) {
    case ZAB_FX_DIAL:
        dial(p, fx);
        break;
    case ZAB_FX_SEND:
        send_bytes(p, fx);
        break;
    case ZAB_FX_CLOSE:
        if ((l = peer_link_find(p, fx->link)) != NULL)
            peer_link_end(l);
        break;
    case ZAB_FX_RESUME:
        if ((l = peer_link_find(p, fx->link)) != NULL) {
            l->flags &= ~LINK_PAUSED;
            peer_link_watch(l);
        }
        break;
    case ZAB_FX_LISTEN:
        listen_on(p, fx->port, fx->on);
        break;
    default:
        break;
    }
}

void peers_apply(struct peers *p, const struct zab_fx *fx, size_t count)
{
    if (p->closed)
        return;
    for (size_t i = 0; i < count; i++)
        apply(p, &fx[i]);
    while (!list_empty(&p->touched)) { /* everything of this turn leaves with one call a link */
        struct peer_link *l = CONTAINER_OF(p->touched.next, struct peer_link, ready);
        list_remove(&l->ready);
        l->flags &= ~LINK_TOUCHED;
        peer_link_flush(l);
    }
}

bool peers_run_ready(struct peers *p)
{
    bool any = false;
    while (!list_empty(&p->broken)) {
        struct peer_link *l = CONTAINER_OF(p->broken.next, struct peer_link, ready);
        struct zab_event ev = {
            .type = ZAB_EV_LOST, .link = l->id, .port = l->port, .refused = (l->flags & LINK_REFUSED) != 0
        };
        bool forgotten = (l->flags & LINK_CLOSING) != 0;
        peer_link_drop(l);
        if (!forgotten)
            (void)p->opt.event(p->opt.ctx, &ev);
        any = true;
    }
    return any;
}

void peers_login_changed(struct peers *p)
{
    if (p->closed)
        return;
    for (size_t i = 0; i < LINK_BUCKETS; i++)
        for (struct peer_link *l = p->buckets[i]; l != NULL; l = l->bucket_next)
            peer_auth_look(l);
    LIST_FOR_SAFE(it, &p->closing)
    {
        peer_auth_look(CONTAINER_OF(it, struct peer_link, link));
    }
}

/* ---- time ---- */

void peers_sweep_soon(struct peers *p)
{
    if (p->sweeping)
        return;
    p->sweeping = true;
    loop_timer_set(&p->sweep, SWEEP_MS);
}

bool peers_may_warn(struct peers *p, int64_t *unsaid)
{
    int64_t now_ms = loop_now_ms(p->opt.loop);
    if (p->warned_ms != 0 && now_ms - p->warned_ms < LIMIT_PEER_WARN_MS) {
        p->unsaid++;
        return false;
    }
    *unsaid = p->unsaid;
    p->unsaid = 0;
    p->warned_ms = now_ms;
    return true;
}

static void on_sweep(struct loop_timer *timer)
{
    struct peers *p = CONTAINER_OF(timer, struct peers, sweep);
    int64_t now_ms = loop_now_ms(p->opt.loop);
    p->sweeping = false;
    LIST_FOR_SAFE(it, &p->dialling)
    {
        struct peer_link *l = CONTAINER_OF(it, struct peer_link, link);
        if (now_ms < l->until_ms || (l->flags & LINK_BROKEN) != 0)
            continue;
        if (l->dial != NULL)
            peer_dial_drop(l->dial);
        if (l->auth != NULL)
            peer_auth_expire(l);
        peer_link_break(l, false);
    }
    LIST_FOR_SAFE(it, &p->closing)
    {
        struct peer_link *l = CONTAINER_OF(it, struct peer_link, link);
        if (now_ms >= l->until_ms)
            peer_link_drop(l);
    }
    for (int i = 0; i < ZAB_PORT_COUNT && p->handshakes != 0; i++) {
        LIST_FOR_SAFE(it, &p->accepted[i])
        {
            peer_tls_expire(CONTAINER_OF(it, struct peer_link, link), now_ms);
        }
    }
    if (!list_empty(&p->dialling) || !list_empty(&p->closing) || p->handshakes != 0)
        peers_sweep_soon(p);
}

/* ---- begin and end ---- */

uint16_t peers_number(const struct peers *p, const struct member_address *a, enum zab_port port)
{
    if (port == ZAB_PORT_OBSERVERS)
        return p->opt.observer_port;
    return port == ZAB_PORT_ELECTION ? a->election_port : a->quorum_port;
}

struct peers *peers_new(const struct peers_options *options)
{
    struct peers *p = mem_zalloc(sizeof *p);
    p->opt = *options;
    for (int i = 0; i < ZAB_PORT_COUNT; i++)
        list_init(&p->accepted[i]);
    list_init(&p->dialling);
    list_init(&p->closing);
    list_init(&p->touched);
    list_init(&p->broken);
    p->in = mem_alloc(LIMIT_RECV_BYTES);
    buf_init_refusable(&p->plain, 4 * (LIMIT_RECV_BYTES + TLS_RECORD_BYTES));
    loop_timer_open(options->loop, &p->sweep, on_sweep);
    const size_t per_address = options->observer_port == 0 ? ZAB_PORT_OBSERVERS : ZAB_PORT_COUNT;
    p->place_count = per_address * options->self->address_count;
    p->places = mem_zalloc(p->place_count * sizeof *p->places);
    for (size_t i = 0; i < p->place_count; i++) {
        const struct member_address *a = &options->self->addresses[i / per_address];
        enum zab_port port = (enum zab_port)(i % per_address);
        p->places[i] =
            (struct peer_place){ .peers = p, .host = a->host, .port = port, .number = peers_number(p, a, port) };
        peer_place_init(&p->places[i]);
    }
    listen_on(p, ZAB_PORT_ELECTION, true);
    return p;
}

static void drop_all(struct list *links)
{
    LIST_FOR_SAFE(it, links)
    {
        struct peer_link *l = CONTAINER_OF(it, struct peer_link, link);
        peer_link_drop(l);
    }
}

void peers_close(struct peers *p)
{
    if (p == NULL || p->closed)
        return;
    p->closed = true;
    for (size_t i = 0; i < p->place_count; i++) {
        peer_place_close(&p->places[i]);
        loop_timer_close(&p->places[i].retry);
    }
    loop_timer_close(&p->sweep);
    for (int i = 0; i < ZAB_PORT_COUNT; i++)
        drop_all(&p->accepted[i]);
    drop_all(&p->dialling);
    drop_all(&p->closing);
    for (size_t i = 0; i < LINK_BUCKETS; i++)
        while (p->buckets[i] != NULL)
            peer_link_drop(p->buckets[i]);
}

void peers_free(struct peers *p)
{
    if (p == NULL)
        return;
    ASSERT(p->closed);
    mem_free(p->places);
    mem_free(p->in);
    buf_fini(&p->plain);
    mem_free(p);
}

/* ---- looking ---- */

int64_t peers_unsent_bytes(const struct peers *p)
{
    return p->unsent_bytes;
}

size_t peers_link_count(const struct peers *p)
{
    return p->link_count;
}

uint16_t peers_port(const struct peers *p, enum zab_port port)
{
    for (size_t i = 0; i < p->place_count; i++)
        if (p->places[i].port == port && peer_place_port(&p->places[i]) != 0)
            return peer_place_port(&p->places[i]);
    return 0;
}
