/* peer_dial: a connection to another server in the making: every address of it is tried at once, and the first that
 * answers is it. Names are looked up anew each time, because servers move. */
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "server/peers_internal.h"
#include <stdlib.h>

#define LOOKUPS_MAX 16 /* names of one server */
#define TRIES_MAX 32   /* addresses */

struct dial_lookup {
    struct peer_dial *dial;
    struct loop_lookup *running;
    char host[256];
};

struct dial_try {
    struct loop_poll poll;
    struct peer_dial *dial;
    struct net_address to;
    const char *host; /* of a lookup: lives as long as the dial */
    int fd;
};

struct peer_dial {
    struct peer_link *link;
    struct dial_lookup lookups[LOOKUPS_MAX];
    struct dial_try *tries[TRIES_MAX]; /* under way; NULL: came to nothing */
    size_t lookup_count, try_count, pending;
    size_t refusals, failures;
    bool beginning; /* more may come: nothing is decided yet */
};

static void on_try_closed(struct loop_poll *poll)
{
    mem_free(CONTAINER_OF(poll, struct dial_try, poll));
}

/* The socket is the caller's. */
static int end_try(struct dial_try *t)
{
    struct peer_dial *d = t->dial;
    int fd = t->fd;
    for (size_t i = 0; i < d->try_count; i++)
        if (d->tries[i] == t)
            d->tries[i] = NULL;
    loop_poll_close(&t->poll, on_try_closed);
    return fd;
}

void peer_dial_drop(struct peer_dial *d)
{
    for (size_t i = 0; i < d->lookup_count; i++)
        if (d->lookups[i].running != NULL)
            loop_lookup_drop(d->lookups[i].running);
    for (size_t i = 0; i < d->try_count; i++)
        if (d->tries[i] != NULL)
            net_close(end_try(d->tries[i]));
    d->link->dial = NULL;
    mem_free(d);
}

static void decide(struct peer_dial *d)
{
    struct peer_link *l = d->link;
    if (d->pending != 0 || d->beginning)
        return;
    bool refused = d->refusals != 0 && d->failures == 0;
    peer_dial_drop(d);
    peer_link_break(l, refused);
}

static void count_failure(struct peer_dial *d, int err)
{
    if (err == ERR_CLOSED)
        d->refusals++;
    else
        d->failures++;
}

static void on_try(struct loop_poll *poll, unsigned events)
{
    struct dial_try *t = CONTAINER_OF(poll, struct dial_try, poll);
    struct peer_dial *d = t->dial;
    struct peer_link *l = d->link;
    (void)events;
    int err = net_dial_result(t->fd);
    struct net_address to = t->to;
    const char *host = t->host;
    int fd = end_try(t); /* t is freed later */
    d->pending--;
    if (err != 0) {
        net_close(fd);
        count_failure(d, err);
        decide(d);
        return;
    }
    l->host = mem_alloc(strlen(host) + 1);
    memcpy(l->host, host, strlen(host) + 1);
    peer_dial_drop(d);
    (void)peer_link_attach(l, fd, &to);
}

static void try_address(struct peer_dial *d, const char *host, const struct net_address *to)
{
    struct peers *p = d->link->peers;
    int fd;
    if (d->try_count == TRIES_MAX)
        return;
    int err = net_dial(to, p->opt.keepalive, &fd);
    if (err != 0) {
        count_failure(d, err);
        return;
    }
    struct dial_try *t = mem_zalloc(sizeof *t);
    *t = (struct dial_try){ .dial = d, .to = *to, .host = host, .fd = fd };
    if (loop_poll_open(p->opt.loop, &t->poll, fd, on_try) != 0) {
        net_close(fd);
        mem_free(t);
        count_failure(d, ERR_IO);
        return;
    }
    loop_poll_set(&t->poll, LOOP_WRITABLE);
    d->tries[d->try_count++] = t;
    d->pending++;
}

static void on_lookup(void *ctx, const struct net_address *at, size_t count, const char *why)
{
    struct dial_lookup *k = ctx;
    struct peer_dial *d = k->dial;
    k->running = NULL;
    d->pending--;
    if (count == 0) {
        log_info("peer.lookup", "host=%s err=\"%s\"", k->host, why);
        d->failures++;
    }
    for (size_t i = 0; i < count; i++)
        try_address(d, k->host, &at[i]);
    decide(d);
}

static void try_host(struct peer_dial *d, struct slice host, uint16_t port)
{
    struct net_address to;
    if (d->lookup_count == LOOKUPS_MAX || host.n >= sizeof d->lookups[0].host || port == 0)
        return;
    struct dial_lookup *k = &d->lookups[d->lookup_count++];
    k->dial = d;
    memcpy(k->host, host.p, host.n);
    k->host[host.n] = '\0';
    if (net_address_parse(k->host, port, &to)) {
        try_address(d, k->host, &to);
        return;
    }
    d->pending++;
    k->running = loop_lookup(d->link->peers->opt.loop, k->host, port, on_lookup, k);
}

/* "host:port|[::1]:port": what a member says of itself, so it may be anything. */
static void try_said(struct peer_dial *d, struct slice text)
{
    while (text.n != 0) {
        const uint8_t *bar = memchr(text.p, '|', text.n);
        struct slice one = slice_of(text.p, bar == NULL ? text.n : (size_t)(bar - text.p));
        const uint8_t *colon = memrchr(one.p, ':', one.n);
        text = bar == NULL ? (struct slice){ 0 } : slice_of(bar + 1, text.n - one.n - 1);
        if (colon == NULL || memchr(one.p, 0, one.n) != NULL)
            continue;
        uint32_t port = 0;
        const uint8_t *end = one.p + one.n;
        for (const uint8_t *c = colon + 1; c < end && *c >= '0' && *c <= '9' && port <= 65535; c++)
            port = port * 10 + (uint32_t)(*c - '0');
        struct slice host = slice_of(one.p, (size_t)(colon - one.p));
        if (host.n >= 2 && host.p[0] == '[' && host.p[host.n - 1] == ']')
            host = slice_of(host.p + 1, host.n - 2);
        if (port <= 65535 && host.n != 0)
            try_host(d, host, (uint16_t)port);
    }
}

void peer_dial_begin(struct peer_link *l, const struct member *m, struct slice addresses)
{
    struct peer_dial *d = mem_zalloc(sizeof *d);
    struct peers *p = l->peers;
    d->link = l;
    d->beginning = true;
    l->dial = d;
    l->until_ms = loop_now_ms(p->opt.loop) + p->opt.dial_ms[l->port];
    try_said(d, addresses);
    for (size_t i = 0; m != NULL && i < m->address_count; i++) {
        const struct member_address *a = &m->addresses[i];
        try_host(d, slice_str(a->host), peers_number(p, a, l->port));
    }
    d->beginning = false;
    peers_sweep_soon(p);
    decide(d);
}
