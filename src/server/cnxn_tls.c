#include "server/cnxn_tls.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "server/limits.h"
#include <arpa/inet.h>
#include <stdio.h>

static void address_text(const struct net_address *a, char *text, size_t size)
{
    if (inet_ntop(a->ipv6 ? AF_INET6 : AF_INET, a->bytes, text, (socklen_t)size) == NULL)
        snprintf(text, size, "?");
}

/* ---- life ---- */

static bool may_begin(const struct front *f)
{
    return f->opt.tls_handshakes_max <= 0 || f->tls_figures[FRONT_TLS_HANDSHAKES] < f->opt.tls_handshakes_max;
}

/* From here on the connection is TLS. */
static bool begin(struct cnxn *c)
{
    struct front *f = c->front;
    char address[INET6_ADDRSTRLEN];
    address_text(&c->tls->peer, address, sizeof address);
    if (!may_begin(f)) {
        f->tls_figures[FRONT_TLS_REFUSED]++;
        return false;
    }
    c->tls->conn = tls_conn_new(f->opt.tls, &(struct tls_peer){ .address = address, .name_later = f->opt.tls_names });
    if (c->tls->conn == NULL)
        return false;
    f->tls_figures[FRONT_TLS_HANDSHAKES]++;
    return true;
}

void cnxn_tls_count_plain(struct front *f, const struct net_address *peer)
{
    static const uint8_t ipv6_here[16] = { [15] = 1 };
    bool local = peer->ipv6 ? memcmp(peer->bytes, ipv6_here, sizeof ipv6_here) == 0 : peer->bytes[0] == 127;
    f->tls_figures[local ? FRONT_TLS_PLAIN_LOCAL : FRONT_TLS_PLAIN_REMOTE]++;
}

bool cnxn_tls_open(struct cnxn *c, const struct net_address *peer, enum front_port port)
{
    c->tls = mem_try_alloc(sizeof *c->tls);
    if (c->tls == NULL)
        return false;
    *c->tls = (struct cnxn_tls){ .peer = *peer };
    return port == FRONT_EITHER || begin(c);
}

static void end_handshake(struct cnxn *c)
{
    if (c->tls->conn != NULL && !c->tls->established)
        c->front->tls_figures[FRONT_TLS_HANDSHAKES]--;
}

void cnxn_tls_close(struct cnxn *c)
{
    struct front *f = c->front;
    struct cnxn_tls *t = c->tls;
    if (t->established && c->out_end == 0 && c->fd >= 0) {
        buf_reset(&f->tls_out);
        tls_end(t->conn, &f->tls_out);
        struct slice part = buf_slice(&f->tls_out);
        if (part.n != 0)
            (void)net_send(c->fd, &part, 1);
    }
    end_handshake(c);
    if (t->naming != NULL)
        loop_name_drop(t->naming);
    tls_conn_free(t->conn);
    mem_free(t);
    c->tls = NULL;
}

/* ---- failures ---- */

/* Strangers make these lines: at most one in a while. */
static void warn(struct cnxn *c, const char *why)
{
    struct front *f = c->front;
    char address[INET6_ADDRSTRLEN];
    int64_t now_ms = loop_now_ms(f->opt.loop);
    f->tls_figures[FRONT_TLS_FAILED]++;
    if (f->tls_warned_ms != 0 && now_ms - f->tls_warned_ms < LIMIT_TLS_WARN_MS) {
        f->tls_unsaid++;
        return;
    }
    address_text(&c->tls->peer, address, sizeof address);
    log_warn("tls.failed", "conn=%u peer=%s port=%u reason=\"%s\" unsaid=%lld action=close", c->id, address,
             c->tls->peer.port, why, (long long)f->tls_unsaid);
    f->tls_warned_ms = now_ms;
    f->tls_unsaid = 0;
}

static void give_up(struct cnxn *c)
{
    char why[512];
    tls_describe(c->tls->conn, why, sizeof why);
    warn(c, why);
    cnxn_break(c);
}

void cnxn_tls_expire(struct cnxn *c, int64_t now_ms)
{
    if (c->tls->established || now_ms - c->since_ms < c->front->opt.tls_handshake_ms ||
        (c->flags & (CNXN_DEAD | CNXN_BROKEN | CNXN_CLOSING)) != 0)
        return;
    if (c->tls->naming != NULL)
        warn(c, "the name service did not tell the name of the address in time; see ssl.allowReverseDnsLookup and "
                "ssl.handshakeDetectionTimeoutMillis");
    else
        warn(c, c->tls->conn == NULL ? "nothing was sent that tells TLS from plain"
                                     : "the handshake took too long; see ssl.handshakeDetectionTimeoutMillis");
    cnxn_break(c);
}

/* ---- input ---- */

/* A port for both: true when it is TLS from here on, or more bytes must come (*in is then empty). */
static bool sniff(struct cnxn *c, struct slice *in)
{
    switch (tls_sniff(&c->tls->sniffed, *in)) {
    case TLS_HELLO_YES:
        if (!begin(c)) {
            cnxn_break(c);
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

static void become_plain(struct cnxn *c, struct slice in)
{
    struct tls_sniff sniffed = c->tls->sniffed;
    cnxn_tls_count_plain(c->front, &c->tls->peer);
    mem_free(c->tls);
    c->tls = NULL;
    if (sniffed.n != 0)
        cnxn_take(c, &sniffed.first, sniffed.n);
    cnxn_take(c, in.p, in.n);
}

static void on_established(struct cnxn *c)
{
    char what[128];
    end_handshake(c);
    c->tls->established = true;
    tls_describe(c->tls->conn, what, sizeof what);
    log_debug("tls.established", "conn=%u with=\"%s\" subject=\"%.*s\"", c->id, what,
              SLICE_ARG(tls_peer_subject(c->tls->conn)));
    if (tls_peer_verified(c->tls->conn))
        c->front->opt.sink.proved(c->front->opt.sink.ctx, c->id, tls_peer_subject(c->tls->conn));
}

static void on_name(void *ctx, const char *name, const char *why);

/* After the filter was at work. */
static void look_at_state(struct cnxn *c)
{
    struct front *f = c->front;
    struct cnxn_tls *t = c->tls;
    if (f->tls_out.n != 0)
        cnxn_send_raw(c, buf_slice(&f->tls_out));
    if (!t->established && tls_state(t->conn) != TLS_HANDSHAKE && tls_state(t->conn) != TLS_FAILED)
        on_established(c);
    if (tls_wants_name(t->conn) && t->naming == NULL) {
        c->flags |= CNXN_NAMED;
        t->naming = loop_name(f->opt.loop, &t->peer, on_name, c);
    }
}

static int feed(struct cnxn *c, struct slice in)
{
    struct front *f = c->front;
    buf_reset(&f->tls_out);
    int rc = tls_feed(c->tls->conn, in, &f->tls_plain, &f->tls_out);
    look_at_state(c);
    return rc;
}

/* What the filter gave goes to the sink; rc is what it said. */
static void pass_on(struct cnxn *c, int rc)
{
    struct front *f = c->front;
    if (f->tls_plain.n != 0 && (c->flags & (CNXN_DEAD | CNXN_BROKEN)) == 0)
        cnxn_take(c, f->tls_plain.p, f->tls_plain.n);
    if ((c->flags & CNXN_DEAD) != 0)
        return; /* closed by what it asked for */
    if (rc == ERR_INVALID)
        give_up(c);
    else if (rc == ERR_CLOSED && (c->flags & CNXN_HELD) == 0)
        cnxn_break(c); /* one that is held may still get answers; the end of its socket comes, too */
}

/* As ZKTrustManager: a certificate without the client's address may hold the name of that. Apache's waits for the name
 * within the handshake; here the client has its part of that, and is closed or served when the answer is there. Only
 * those with a certificate that is trusted make the server ask. */
static void on_name(void *ctx, const char *name, const char *why)
{
    struct cnxn *c = ctx;
    struct front *f = c->front;
    c->tls->naming = NULL;
    c->flags &= (uint16_t)~CNXN_NAMED;
    if ((c->flags & (CNXN_DEAD | CNXN_BROKEN)) != 0)
        return;
    buf_reset(&f->tls_plain);
    buf_reset(&f->tls_out);
    int rc = tls_tell_name(c->tls->conn, name, why, &f->tls_plain, &f->tls_out);
    look_at_state(c);
    pass_on(c, rc);
    cnxn_watch(c);
}

void cnxn_tls_bytes(struct cnxn *c)
{
    struct front *f = c->front;
    int64_t got = net_recv(c->fd, f->scratch, LIMIT_RECV_BYTES);
    if (got == ERR_BUSY)
        return;
    if (got <= 0) {
        cnxn_break(c);
        return;
    }
    struct slice in = slice_of(f->scratch, (size_t)got);
    if (c->tls->conn == NULL && !sniff(c, &in)) {
        become_plain(c, in);
        return;
    }
    if (in.n == 0)
        return;
    buf_reset(&f->tls_plain);
    int rc = 0;
    if (c->tls->sniffed.n != 0) {
        struct tls_sniff sniffed = c->tls->sniffed;
        c->tls->sniffed.n = 0;
        rc = feed(c, tls_sniffed(&sniffed));
    }
    if (rc == 0)
        rc = feed(c, in);
    pass_on(c, rc);
}

/* ---- output ---- */

struct slice cnxn_tls_wrap(struct cnxn *c, const struct slice *parts, size_t count)
{
    struct front *f = c->front;
    if (!c->tls->established)
        return (struct slice){ 0 };
    if (f->tls_out.cap > LIMIT_TURN_BYTES) { /* of a very large reply */
        buf_fini(&f->tls_out);
        buf_init_refusable(&f->tls_out, SIZE_MAX / 2);
    }
    buf_reset(&f->tls_out);
    if (tls_send(c->tls->conn, parts, count, &f->tls_out) != 0) {
        give_up(c);
        return (struct slice){ 0 };
    }
    return buf_slice(&f->tls_out);
}
