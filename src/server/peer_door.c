/* peer_door: the listening sockets of peers. */
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "server/limits.h"
#include "server/peers_internal.h"
#include <stdio.h>

#define BACKLOG 128
#define ACCEPTS_PER_TURN 16
#define ELECTION_RETRY_MS 1000 /* Apache's pause between two binds */
#define LEARNER_RETRY_MS 100

struct peer_door {
    struct loop_poll poll;
    struct peer_place *place;
    int fd;
};

/* ---- accepting ---- */

static uint32_t next_link(struct peers *p)
{
    do
        p->next_link = (p->next_link + 1) & ~ZAB_LINK_DIALLED;
    while (peer_link_find(p, p->next_link) != NULL);
    return p->next_link;
}

/* Strangers that connect and say nothing do not keep servers out: zab closes them after a while, and until then the
 * oldest of them makes room. */
static bool make_room(struct peers *p, enum zab_port port)
{
    if (p->accepted_count[port] < p->opt.links_max)
        return true;
    LIST_FOR(it, &p->accepted[port])
    {
        struct peer_link *l = CONTAINER_OF(it, struct peer_link, link);
        if ((l->flags & (LINK_SPOKEN | LINK_BROKEN)) != 0)
            continue;
        (void)peer_link_event(l, ZAB_EV_LOST, (struct slice){ 0 });
        peer_link_drop(l);
        return true;
    }
    return false;
}

static void take(struct peers *p, enum zab_port port, int fd, const struct net_address *from)
{
    char text[NET_ADDRESS_TEXT_BYTES];
    if (!make_room(p, port)) {
        net_address_text(from, text);
        log_warn("peer.crowd", "port=%s from=%s links=%zu action=close", peer_port_text(port), text,
                 p->accepted_count[port]);
        net_close(fd);
        return;
    }
    struct peer_link *l = peer_link_new(p, next_link(p), port, LINK_ACCEPTED);
    (void)peer_link_event(l, ZAB_EV_ACCEPTED, (struct slice){ 0 });
    (void)peer_link_attach(l, fd, from);
}

static void on_event(struct loop_poll *poll, unsigned events)
{
    struct peer_door *door = CONTAINER_OF(poll, struct peer_door, poll);
    struct peer_place *at = door->place;
    if ((events & LOOP_FAILED) != 0)
        loop_poll_set(&door->poll, LOOP_READABLE);
    for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
        struct net_address from;
        int fd;
        int rc = net_accept(door->fd, &fd, &from);
        if (rc == ERR_BUSY)
            return;
        if (rc == ERR_TOO_MANY_FILES) { /* watching on would spin */
            log_warn("peer.accept", "err=\"%s\" next=\"raise the limit of open files (ulimit -n, LimitNOFILE)\"",
                     err_text(rc));
            loop_poll_set(&door->poll, 0);
            at->retrying = true;
            loop_timer_set(&at->retry, LIMIT_ACCEPT_PAUSE_MS);
            return;
        }
        if (rc == 0)
            take(at->peers, at->port, fd, &from);
    }
}

/* ---- opening and closing ---- */

static void on_door_closed(struct loop_poll *poll)
{
    mem_free(CONTAINER_OF(poll, struct peer_door, poll));
}

static bool all_gave_up(const struct peers *p)
{
    for (size_t i = 0; i < p->place_count; i++)
        if (p->places[i].port == ZAB_PORT_ELECTION && !p->places[i].gave_up)
            return false;
    return true;
}

static void fail_place(struct peer_place *at, const char *why)
{
    struct peers *p = at->peers;
    bool election = at->port == ZAB_PORT_ELECTION;
    at->tries++;
    if (election && p->opt.bind_tries > 0 && at->tries >= p->opt.bind_tries) {
        at->gave_up = true;
        log_error("peer.listen", "port=election tries=%d err=\"%s\"", at->tries, why);
        if (all_gave_up(p) && !p->failed) {
            p->failed = true;
            p->opt.failed(p->opt.ctx, why);
        }
        return;
    }
    if (at->tries == 1 || at->tries % 50 == 0)
        log_warn("peer.listen", "port=%s tries=%d err=\"%s\" action=\"try again\"", peer_port_text(at->port), at->tries,
                 why);
    at->retrying = true;
    loop_timer_set(&at->retry, election ? ELECTION_RETRY_MS : LEARNER_RETRY_MS);
}

static void open_door(struct peer_place *at, int fd)
{
    struct peer_door *door = mem_zalloc(sizeof *door);
    door->place = at;
    door->fd = fd;
    if (loop_poll_open(at->peers->opt.loop, &door->poll, fd, on_event) != 0) {
        net_close(fd);
        mem_free(door);
        fail_place(at, "the event loop does not take the socket");
        return;
    }
    at->door = door;
    at->tries = 0;
    loop_poll_set(&door->poll, LOOP_READABLE);
    log_info("peer.listening", "port=%s host=%s number=%u", peer_port_text(at->port),
             at->peers->opt.listen_all ? "*" : at->host, net_port(fd));
}

/* Of several addresses of the host's name the first that is this machine's. */
static void bind_one_of(struct peer_place *at, const struct net_address *to, size_t count, const char *why)
{
    struct net_error err;
    for (size_t i = 0; i < count; i++) {
        int fd;
        if (net_listen_at(&to[i], BACKLOG, at->peers->opt.keepalive, &fd, &err) == 0) {
            open_door(at, fd);
            return;
        }
        why = err.text;
    }
    fail_place(at, why);
}

static void on_lookup(void *ctx, const struct net_address *to, size_t count, const char *why)
{
    struct peer_place *at = ctx;
    char text[512];
    at->lookup = NULL;
    snprintf(text, sizeof text, "%.256s: %.128s", at->host, why);
    bind_one_of(at, to, count, text);
}

static void try_place(struct peer_place *at)
{
    struct peers *p = at->peers;
    struct net_address to;
    struct net_error err;
    int fd;
    if (p->opt.listen_all) {
        if (net_listen("", at->number, BACKLOG, p->opt.keepalive, &fd, &err) == 0)
            open_door(at, fd);
        else
            fail_place(at, err.text);
    } else if (net_address_parse(at->host, at->number, &to)) {
        bind_one_of(at, &to, 1, "");
    } else {
        at->lookup = loop_lookup(p->opt.loop, at->host, at->number, on_lookup, at);
    }
}

static void on_retry(struct loop_timer *timer)
{
    struct peer_place *at = CONTAINER_OF(timer, struct peer_place, retry);
    at->retrying = false;
    if (at->door != NULL)
        loop_poll_set(&at->door->poll, LOOP_READABLE);
    else if (at->wanted && at->lookup == NULL)
        try_place(at);
}

void peer_place_init(struct peer_place *at)
{
    loop_timer_open(at->peers->opt.loop, &at->retry, on_retry);
}

uint16_t peer_place_port(const struct peer_place *at)
{
    return at->door == NULL ? 0 : net_port(at->door->fd);
}

void peer_place_open(struct peer_place *at)
{
    if (at->wanted)
        return;
    at->wanted = true;
    at->tries = 0;
    try_place(at);
}

void peer_place_close(struct peer_place *at)
{
    at->wanted = false;
    if (at->retrying)
        loop_timer_stop(&at->retry);
    at->retrying = false;
    if (at->lookup != NULL)
        loop_lookup_drop(at->lookup);
    at->lookup = NULL;
    if (at->door == NULL)
        return;
    int fd = at->door->fd;
    loop_poll_close(&at->door->poll, on_door_closed);
    at->door = NULL;
    net_close(fd);
}
