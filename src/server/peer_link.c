/* peer_link: one connection to another server: what waits to be sent, and reading while it is welcome. */
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "server/limits.h"
#include "server/peers_internal.h"

#define CHUNK_BYTES (64u * 1024)

struct peer_link *peer_link_find(const struct peers *p, uint32_t id)
{
    struct peer_link *l = p->buckets[id % LINK_BUCKETS];
    while (l != NULL && l->id != id)
        l = l->bucket_next;
    return l;
}

struct peer_link *peer_link_new(struct peers *p, uint32_t id, enum zab_port port, unsigned flags)
{
    struct peer_link *l = mem_zalloc(sizeof *l);
    l->peers = p;
    l->id = id;
    l->fd = -1;
    l->port = port;
    l->flags = flags;
    list_init(&l->ready);
    if ((flags & LINK_ACCEPTED) != 0) {
        list_push_back(&p->accepted[port], &l->link);
        p->accepted_count[port]++;
    } else {
        list_push_back(&p->dialling, &l->link);
    }
    l->bucket_next = p->buckets[id % LINK_BUCKETS];
    p->buckets[id % LINK_BUCKETS] = l;
    p->link_count++;
    return l;
}

bool peer_link_event(struct peer_link *l, enum zab_event_type type, struct slice bytes)
{
    struct zab_event ev = { .type = type, .link = l->id, .port = l->port, .bytes = bytes };
    return l->peers->opt.event(l->peers->opt.ctx, &ev);
}

const char *peer_port_text(enum zab_port port)
{
    static const char *const names[ZAB_PORT_COUNT] = { "election", "quorum", "observer" };
    return names[port];
}

static bool is_told_now(const struct peer_link *l)
{
    return (l->flags & LINK_TELL) != 0 && l->queued <= LIMIT_PEER_DRAINED_BYTES;
}

/* ---- sending ---- */

static bool has_output(const struct peer_link *l)
{
    return l->tls != NULL ? peer_tls_has_output(l) : l->queued != 0;
}

/* Bytes are welcome: of zab, or of those who stand before it; or the end that follows our own. */
static bool reads(const struct peer_link *l)
{
    if ((l->flags & LINK_CLOSING) != 0)
        return l->tls != NULL || l->auth != NULL;
    return (l->flags & LINK_PAUSED) == 0;
}

void peer_link_watch(struct peer_link *l)
{
    unsigned want = 0;
    if ((l->flags & LINK_POLLED) == 0)
        return;
    if ((l->flags & LINK_BROKEN) == 0) {
        if (reads(l))
            want |= LOOP_READABLE;
        /* DRAINED is told by the loop, once a turn: who sends an image must not keep the turn from everybody else. */
        if (has_output(l) || is_told_now(l))
            want |= LOOP_WRITABLE;
    }
    if (want == l->watched)
        return;
    l->watched = want;
    loop_poll_set(&l->poll, want);
}

static void drop_chunks(struct peer_link *l)
{
    while (l->first != NULL) {
        struct chunk *c = l->first;
        l->first = c->next;
        mem_free(c);
    }
    l->last = NULL;
    l->peers->unsent_bytes -= (int64_t)l->queued;
    l->queued = 0;
}

void peer_link_queue(struct peer_link *l, struct slice bytes)
{
    if (bytes.n == 0 || (l->flags & LINK_BROKEN) != 0)
        return;
    if (l->auth == NULL || !peer_auth_holds(l, bytes))
        peer_link_append(l, bytes);
}

void peer_link_append(struct peer_link *l, struct slice bytes)
{
    if (bytes.n == 0 || (l->flags & LINK_BROKEN) != 0)
        return;
    struct chunk *c = l->last;
    if (c == NULL || c->cap - c->end < bytes.n) {
        size_t cap = bytes.n > CHUNK_BYTES ? bytes.n : CHUNK_BYTES;
        if (c == NULL && bytes.n < CHUNK_BYTES / 16)
            cap = CHUNK_BYTES / 16; /* the usual case: a little, sent before the turn ends */
        c = mem_alloc(sizeof *c + cap);
        *c = (struct chunk){ .cap = cap };
        if (l->last != NULL)
            l->last->next = c;
        else
            l->first = c;
        l->last = c;
    }
    memcpy(c->bytes + c->end, bytes.p, bytes.n);
    c->end += bytes.n;
    l->queued += bytes.n;
    l->peers->unsent_bytes += (int64_t)bytes.n;
}

void peer_link_drop_sent(struct peer_link *l, size_t n)
{
    l->queued -= n;
    l->peers->unsent_bytes -= (int64_t)n;
    while (n != 0 || (l->first != NULL && l->first->begin == l->first->end)) {
        struct chunk *c = l->first;
        size_t take = c->end - c->begin < n ? c->end - c->begin : n;
        c->begin += take;
        n -= take;
        if (c->begin != c->end)
            return;
        l->first = c->next;
        if (l->first == NULL)
            l->last = NULL;
        mem_free(c);
    }
}

static int send_chunks(struct peer_link *l, bool *all)
{
    struct slice parts[NET_PARTS_MAX];
    size_t count = 0, bytes = 0;
    for (struct chunk *c = l->first; c != NULL && count < NET_PARTS_MAX; c = c->next) {
        parts[count++] = slice_of(c->bytes + c->begin, c->end - c->begin);
        bytes += c->end - c->begin;
    }
    int64_t sent = net_send(l->fd, parts, count);
    if (sent < 0)
        return (int)sent;
    peer_link_drop_sent(l, (size_t)sent);
    *all = (size_t)sent == bytes;
    return 0;
}

void peer_link_flush(struct peer_link *l)
{
    bool all = true;
    while (all && l->fd >= 0 && (l->flags & LINK_BROKEN) == 0 && has_output(l)) {
        int rc = l->tls != NULL ? peer_tls_send(l, &all) : send_chunks(l, &all);
        if (rc == ERR_BUSY)
            break;
        if (rc < 0) {
            peer_link_break(l, false);
            return;
        }
    }
    if (l->queued > LIMIT_PEER_OUT_BYTES) {
        log_warn("peer.slow", "link=0x%x queued_bytes=%zu action=close", l->id, l->queued);
        peer_link_break(l, false);
        return;
    }
    peer_link_watch(l);
}

/* ---- ends ---- */

static void on_closed(struct loop_poll *poll)
{
    mem_free(CONTAINER_OF(poll, struct peer_link, poll));
}

static void forget(struct peer_link *l)
{
    struct peers *p = l->peers;
    struct peer_link **at = &p->buckets[l->id % LINK_BUCKETS];
    while (*at != NULL && *at != l)
        at = &(*at)->bucket_next;
    if (*at == NULL)
        return;
    *at = l->bucket_next;
    list_remove(&l->link);
    if ((l->flags & LINK_ACCEPTED) != 0)
        p->accepted_count[l->port]--;
    p->link_count--;
}

void peer_link_drop(struct peer_link *l)
{
    forget(l);
    list_remove(&l->link);
    list_remove(&l->ready);
    drop_chunks(l);
    if (l->dial != NULL)
        peer_dial_drop(l->dial);
    peer_auth_free(l);
    peer_tls_free(l);
    mem_free(l->host);
    l->host = NULL;
    if (l->fd >= 0 && (l->flags & LINK_POLLED) == 0)
        net_close(l->fd);
    if ((l->flags & LINK_POLLED) == 0) {
        mem_free(l);
        return;
    }
    loop_poll_close(&l->poll, on_closed);
    net_close(l->fd);
}

void peer_link_break(struct peer_link *l, bool refused)
{
    if ((l->flags & LINK_BROKEN) != 0)
        return;
    l->flags |= LINK_BROKEN | (refused ? LINK_REFUSED : 0u);
    drop_chunks(l);
    list_remove(&l->ready);
    list_push_back(&l->peers->broken, &l->ready);
    peer_link_watch(l);
}

/* Of a link that zab has forgotten: everything is said, or cannot be. */
static bool is_over(struct peer_link *l)
{
    if ((l->flags & (LINK_BROKEN | LINK_CONNECTED)) != LINK_CONNECTED)
        return true;
    if (has_output(l))
        peer_link_flush(l);
    if ((l->flags & LINK_BROKEN) != 0)
        return true;
    if (has_output(l) || (l->auth != NULL && peer_auth_runs(l)))
        return false;
    return l->tls == NULL || peer_tls_end(l);
}

void peer_link_end(struct peer_link *l)
{
    struct peers *p = l->peers;
    if (is_over(l)) {
        peer_link_drop(l);
        return;
    }
    forget(l);
    list_remove(&l->ready);
    l->flags |= LINK_CLOSING;
    l->until_ms = loop_now_ms(p->opt.loop) + LIMIT_CLOSE_MS;
    list_push_back(&p->closing, &l->link);
    peers_sweep_soon(p);
    peer_link_watch(l);
}

/* ---- what the loop tells ---- */

void peer_link_secured(struct peer_link *l)
{
    if ((l->flags & LINK_ACCEPTED) != 0)
        return;
    if (l->peers->opt.sasl_dial != NULL)
        peer_auth_dial(l);
    else
        peer_link_up(l);
}

void peer_link_up(struct peer_link *l)
{
    if (l->auth == NULL)
        list_remove(&l->link); /* of those that dial */
    l->flags |= LINK_CONNECTED;
    (void)peer_link_event(l, ZAB_EV_CONNECTED, (struct slice){ 0 });
}

void peer_link_take(struct peer_link *l, struct slice bytes)
{
    if (bytes.n == 0)
        return;
    if (l->auth != NULL) {
        peer_auth_take(l, bytes);
        return;
    }
    if ((l->flags & LINK_CLOSING) != 0)
        return;
    l->flags |= LINK_SPOKEN;
    if (!peer_link_event(l, ZAB_EV_BYTES, bytes))
        l->flags |= LINK_PAUSED;
}

void peer_link_take_end(struct peer_link *l)
{
    if (l->auth != NULL)
        peer_auth_take_end(l);
    peer_link_break(l, false);
}

static void on_readable(struct peer_link *l)
{
    struct peers *p = l->peers;
    int64_t n = net_recv(l->fd, p->in, LIMIT_RECV_BYTES);
    if (n == ERR_BUSY)
        return;
    if (n <= 0)
        peer_link_take_end(l);
    else if (l->tls != NULL)
        peer_tls_bytes(l, slice_of(p->in, (size_t)n));
    else
        peer_link_take(l, slice_of(p->in, (size_t)n));
}

static void on_event(struct loop_poll *poll, unsigned events)
{
    struct peer_link *l = CONTAINER_OF(poll, struct peer_link, poll);
    if ((events & LOOP_FAILED) != 0) {
        l->watched = 0;
        peer_link_break(l, false);
    }
    if ((l->flags & LINK_BROKEN) == 0 && (events & LOOP_WRITABLE) != 0) {
        peer_link_flush(l);
        if ((l->flags & LINK_BROKEN) == 0 && is_told_now(l)) {
            l->flags &= ~LINK_TELL;
            (void)peer_link_event(l, ZAB_EV_DRAINED, (struct slice){ 0 });
        }
    }
    if ((l->flags & LINK_BROKEN) == 0 && reads(l) && (events & LOOP_READABLE) != 0)
        on_readable(l);
    if ((l->flags & LINK_CLOSING) != 0 && is_over(l)) {
        peer_link_drop(l);
        return;
    }
    peer_link_watch(l);
}

bool peer_link_attach(struct peer_link *l, int fd, const struct net_address *far)
{
    const struct peers_options *o = &l->peers->opt;
    bool accepted = (l->flags & LINK_ACCEPTED) != 0;
    l->fd = fd;
    l->far = *far;
    if (loop_poll_open(l->peers->opt.loop, &l->poll, fd, on_event) != 0) {
        peer_link_break(l, false);
        return false;
    }
    l->flags |= LINK_POLLED;
    if (accepted)
        l->flags |= LINK_CONNECTED;
    if (accepted && o->sasl_accept != NULL)
        peer_auth_accept(l);
    if ((accepted ? o->tls_accept : o->tls_dial) != NULL) {
        if (!peer_tls_open(l))
            peer_link_break(l, false);
    } else {
        peer_link_secured(l);
    }
    if ((l->flags & LINK_BROKEN) == 0)
        peer_link_flush(l);
    peer_link_watch(l);
    return (l->flags & LINK_BROKEN) == 0;
}
