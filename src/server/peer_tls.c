/* peer_tls: what stands between the socket of a link and its bytes where servers speak TLS among themselves, or may
 * (portUnification). Who dials is TLS's client, on both ports. A dial has succeeded when its handshake has. */
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "server/limits.h"
#include "server/peers_internal.h"

#define SEAL_BYTES (256u * 1024) /* made into records at once: more would be memory that waits for the socket */
#define SEALED_KEEP_BYTES (64u * 1024)

/* ---- failures ---- */

static void refuse(struct peer_link *l, const char *why)
{
    char far[NET_ADDRESS_TEXT_BYTES];
    bool accepted = (l->flags & LINK_ACCEPTED) != 0;
    int64_t unsaid;
    if (peers_may_warn(l->peers, &unsaid)) {
        net_address_text(&l->far, far);
        log_warn("peer.tls", "port=%s %s=%s reason=\"%s\" unsaid=%lld action=close", peer_port_text(l->port),
                 accepted ? "from" : "to", far, why, (long long)unsaid);
    }
    peer_link_break(l, false);
}

/* What TLS has to say of it, an alert, goes out if the socket takes it at once. */
static void give_up(struct peer_link *l)
{
    struct peer_tls *t = l->tls;
    char why[512];
    struct slice rest = slice_of(t->sealed.p + t->sealed_at, t->sealed.n - t->sealed_at);
    if (t->sealed.p != NULL && rest.n != 0)
        (void)net_send(l->fd, &rest, 1);
    tls_describe(t->conn, why, sizeof why);
    refuse(l, why);
}

/* ---- life ---- */

/* A certificate of who connects must hold where it comes from, or a host of the ensemble: names of addresses are not
 * looked up, because a name service must not decide who a server is. */
static size_t member_hosts(const struct peers *p, const char **to, size_t max)
{
    const struct members *m = p->opt.members(p->opt.ctx);
    size_t n = 0;
    for (size_t i = 0; m != NULL && i < m->count; i++)
        for (size_t k = 0; k < m->at[i].address_count && n + 1 < max; k++)
            to[n++] = m->at[i].addresses[k].host;
    to[n] = NULL;
    return n;
}

#define HOSTS_MAX (4 * MEMBERS_MAX)

static bool begin(struct peer_link *l)
{
    struct peers *p = l->peers;
    bool accepted = (l->flags & LINK_ACCEPTED) != 0;
    char address[NET_ADDRESS_TEXT_BYTES];
    struct net_address digits;
    const char *hosts[HOSTS_MAX] = { NULL };
    struct tls_peer peer = { .address = address };
    net_host_text(&l->far, address);
    if (accepted && member_hosts(p, hosts, HOSTS_MAX) != 0)
        peer.others = hosts;
    else if (!accepted && !net_address_parse(l->host, 0, &digits))
        peer.name = l->host;
    l->tls->conn = tls_conn_new(accepted ? p->opt.tls_accept : p->opt.tls_dial, &peer);
    return l->tls->conn != NULL;
}

bool peer_tls_open(struct peer_link *l)
{
    struct peers *p = l->peers;
    bool accepted = (l->flags & LINK_ACCEPTED) != 0;
    l->tls = mem_try_alloc(sizeof *l->tls);
    if (l->tls == NULL)
        return false;
    *l->tls = (struct peer_tls){ 0 };
    buf_init_refusable(&l->tls->sealed, SIZE_MAX / 2);
    if (accepted) {
        l->until_ms = loop_now_ms(p->opt.loop) + p->opt.tls_handshake_ms;
        p->handshakes++;
        peers_sweep_soon(p);
    }
    if (accepted && p->opt.tls_optional)
        return true;
    if (!begin(l))
        return false;
    if (accepted)
        return true;
    if (tls_begin(l->tls->conn, &l->tls->sealed) != 0) {
        give_up(l);
        return true;
    }
    return true;
}

static void count_handshake_end(struct peer_link *l)
{
    if ((l->flags & LINK_ACCEPTED) != 0 && !l->tls->established)
        l->peers->handshakes--;
}

void peer_tls_free(struct peer_link *l)
{
    struct peer_tls *t = l->tls;
    if (t == NULL)
        return;
    if ((l->flags & LINK_BROKEN) == 0 && t->sealed_at == t->sealed.n)
        (void)peer_tls_end(l);
    count_handshake_end(l);
    tls_conn_free(t->conn);
    buf_fini(&t->sealed);
    mem_free(t);
    l->tls = NULL;
}

void peer_tls_expire(struct peer_link *l, int64_t now_ms)
{
    if (l->tls == NULL || l->tls->established || now_ms < l->until_ms || (l->flags & LINK_BROKEN) != 0)
        return;
    refuse(l, l->tls->conn == NULL ? "nothing was sent that tells TLS from plain"
                                   : "the handshake took too long: ssl.quorum.handshakeDetectionTimeoutMillis");
}

/* ---- input ---- */

static void become_plain(struct peer_link *l, struct slice in)
{
    struct tls_sniff sniffed = l->tls->sniffed;
    count_handshake_end(l);
    buf_fini(&l->tls->sealed);
    mem_free(l->tls);
    l->tls = NULL;
    log_debug("peer.plain", "link=0x%x port=%s", l->id, peer_port_text(l->port));
    if (sniffed.n != 0)
        peer_link_take(l, tls_sniffed(&sniffed));
    if ((l->flags & LINK_BROKEN) == 0)
        peer_link_take(l, in);
}

/* True: this is TLS; or more bytes must come, and *in is empty. */
static bool sniff(struct peer_link *l, struct slice *in)
{
    switch (tls_sniff(&l->tls->sniffed, *in)) {
    case TLS_HELLO_YES:
        if (!begin(l)) {
            refuse(l, "no memory for TLS");
            *in = slice_of(in->p, 0);
        }
        return true;
    case TLS_HELLO_MORE:
        *in = slice_of(in->p, 0);
        return true;
    case TLS_HELLO_NO:
        break;
    }
    return false;
}

static void on_established(struct peer_link *l)
{
    char what[128];
    count_handshake_end(l);
    l->tls->established = true;
    tls_describe(l->tls->conn, what, sizeof what);
    log_debug("peer.tls", "link=0x%x port=%s with=\"%s\" subject=\"%.*s\"", l->id, peer_port_text(l->port), what,
              SLICE_ARG(tls_peer_subject(l->tls->conn)));
    peer_link_secured(l);
}

static int feed(struct peer_link *l, struct slice in)
{
    struct peer_tls *t = l->tls;
    int rc = tls_feed(t->conn, in, &l->peers->plain, &t->sealed);
    if (!t->established && (tls_state(t->conn) == TLS_ESTABLISHED || tls_state(t->conn) == TLS_CLOSED))
        on_established(l);
    return rc;
}

void peer_tls_bytes(struct peer_link *l, struct slice in)
{
    struct peer_tls *t = l->tls;
    struct buf *plain = &l->peers->plain;
    int rc = 0;
    if (t->conn == NULL && !sniff(l, &in)) {
        become_plain(l, in);
        return;
    }
    if (in.n == 0)
        return;
    buf_reset(plain);
    if (t->sniffed.n != 0) {
        struct tls_sniff sniffed = t->sniffed;
        t->sniffed.n = 0;
        rc = feed(l, tls_sniffed(&sniffed));
    }
    if (rc == 0)
        rc = feed(l, in);
    if (plain->n != 0)
        peer_link_take(l, buf_slice(plain));
    if (rc == ERR_INVALID)
        give_up(l);
    else if (rc == ERR_CLOSED)
        peer_link_take_end(l);
    else if (peer_tls_has_output(l))
        peer_link_flush(l);
}

/* ---- output ---- */

bool peer_tls_has_output(const struct peer_link *l)
{
    const struct peer_tls *t = l->tls;
    return t->sealed_at != t->sealed.n || (t->established && !t->ended && l->queued != 0);
}

static int seal(struct peer_link *l)
{
    struct slice parts[NET_PARTS_MAX];
    size_t count = 0, bytes = 0;
    for (struct chunk *c = l->first; c != NULL && count < NET_PARTS_MAX && bytes < SEAL_BYTES; c = c->next) {
        size_t n = c->end - c->begin;
        n = n < SEAL_BYTES - bytes ? n : SEAL_BYTES - bytes;
        parts[count++] = slice_of(c->bytes + c->begin, n);
        bytes += n;
    }
    int rc = tls_send(l->tls->conn, parts, count, &l->tls->sealed);
    if (rc == 0)
        peer_link_drop_sent(l, bytes);
    return rc;
}

int peer_tls_send(struct peer_link *l, bool *all)
{
    struct peer_tls *t = l->tls;
    if (t->sealed_at == t->sealed.n && seal(l) != 0) {
        give_up(l);
        return ERR_CLOSED;
    }
    struct slice rest = slice_of(t->sealed.p + t->sealed_at, t->sealed.n - t->sealed_at);
    int64_t sent = net_send(l->fd, &rest, 1);
    if (sent < 0)
        return (int)sent;
    t->sealed_at += (size_t)sent;
    *all = t->sealed_at == t->sealed.n;
    if (!*all)
        return 0;
    t->sealed_at = 0;
    if (t->sealed.cap > SEALED_KEEP_BYTES) {
        buf_fini(&t->sealed);
        buf_init_refusable(&t->sealed, SIZE_MAX / 2);
    }
    buf_reset(&t->sealed);
    return 0;
}

/* Behind its last words the socket is read until the other end has closed, too: what it sends of its own (tickets of a
 * session, its own last words) would otherwise make the kernel take our last words back. */
bool peer_tls_end(struct peer_link *l)
{
    struct peer_tls *t = l->tls;
    if (!t->established || t->shut)
        return !t->established;
    if (!t->ended) {
        t->ended = true;
        tls_end(t->conn, &t->sealed);
    }
    while (t->sealed_at != t->sealed.n) {
        bool all;
        int rc = peer_tls_send(l, &all);
        if (rc == ERR_BUSY || (rc == 0 && !all))
            return false;
        if (rc < 0)
            return true;
    }
    net_end(l->fd);
    t->shut = true;
    return false;
}
