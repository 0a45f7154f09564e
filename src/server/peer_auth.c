/* peer_auth: logging in between servers (Apache's QuorumAuth), which stands between the bytes of a link and zab: who
 * dials proves who it is, behind its hello on the election port and before everything else on the learner port. What
 * zab sends meanwhile waits; what comes is not shown to it before. */
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "server/limits.h"
#include "server/peers_internal.h"
#include "server/sasl_library.h"
#include "wire/peer.h"
#include <stdio.h>

/* The listener's limit in Apache's SaslQuorumAuthServer. */
#define ROUNDS_MAX 5
/* A hello, a packet, and what may come behind it in one read. */
#define IN_BYTES_MAX (PEER_AUTH_TOKEN_BYTES_MAX + PEER_HELLO_BYTES_MAX + LIMIT_RECV_BYTES + TLS_RECORD_BYTES + 64u)
#define HELD_BYTES_MAX (1024u * 1024)

static const char *canonical(const struct peers *p, const char *host)
{
    const struct peers_options *o = &p->opt;
    return o->canonical == NULL ? host : o->canonical(o->ctx, host);
}

/* ---- life ---- */

static struct peer_auth *auth_new(struct peer_link *l)
{
    struct peer_auth *a = mem_zalloc(sizeof *a);
    buf_init_refusable(&a->in, IN_BYTES_MAX);
    buf_init_refusable(&a->held, HELD_BYTES_MAX);
    return l->auth = a;
}

void peer_auth_free(struct peer_link *l)
{
    struct peer_auth *a = l->auth;
    if (a == NULL)
        return;
    sasl_session_free(a->session);
    sasl_attempt_free(a->attempt);
    buf_fini(&a->in);
    buf_fini(&a->held);
    mem_free(a);
    l->auth = NULL;
}

static void say(struct peer_link *l, enum peer_auth_status status, struct slice token)
{
    struct buf b;
    buf_init(&b, SIZE_MAX / 2);
    peer_auth_put(&b, status, token);
    peer_link_append(l, buf_slice(&b));
    buf_fini(&b);
}

static void refuse(struct peer_link *l, const char *why)
{
    char far[NET_ADDRESS_TEXT_BYTES];
    bool accepted = (l->flags & LINK_ACCEPTED) != 0;
    int64_t unsaid;
    if (peers_may_warn(l->peers, &unsaid)) {
        net_address_text(&l->far, far);
        log_warn("peer.auth", "port=%s %s=%s reason=\"%s\" unsaid=%lld action=close", peer_port_text(l->port),
                 accepted ? "from" : "to", far, why, (long long)unsaid);
    }
    peer_link_flush(l); /* the other side may be told */
    peer_link_break(l, false);
}

/* The login is over: what else has come is zab's, and what zab has said leaves. */
static void finish(struct peer_link *l)
{
    struct peer_auth *a = l->auth;
    struct buf in = a->in, held = a->held;
    bool dialled = (l->flags & LINK_ACCEPTED) == 0;
    a->in = a->held = (struct buf){ 0 };
    peer_auth_free(l);
    if (dialled && (l->flags & LINK_CONNECTED) == 0)
        peer_link_up(l);
    else if (dialled && (l->flags & LINK_CLOSING) == 0)
        list_remove(&l->link); /* of those that are given up after a while */
    peer_link_append(l, buf_slice(&held));
    peer_link_take(l, buf_slice(&in));
    buf_fini(&in);
    buf_fini(&held);
    peer_link_flush(l);
}

/* ---- who has connected ---- */

void peer_auth_accept(struct peer_link *l)
{
    (void)auth_new(l);
}

static bool is_member_host(const struct peers *p, struct slice host)
{
    const struct members *m = p->opt.members(p->opt.ctx);
    for (size_t i = 0; i < m->count; i++)
        for (size_t k = 0; k < m->at[i].address_count; k++)
            if (slice_eq_str(host, m->at[i].addresses[k].host) ||
                slice_eq_str(host, canonical(p, m->at[i].addresses[k].host)))
                return true;
    return false;
}

/* As SaslQuorumServerCallbackHandler: a principal is a service on a host, and the host one of the members'
 * (CVE-2023-44981: one without a host is nobody). Users of DIGEST-MD5 have proved enough. */
static bool may_join(const struct peer_link *l, struct slice id)
{
    if (strcmp(sasl_service_mechanism(l->peers->opt.sasl_accept), SASL_GSSAPI) != 0)
        return true;
    const uint8_t *slash = memchr(id.p, '/', id.n);
    const uint8_t *at = slash == NULL ? NULL : memchr(slash, '@', id.n - (size_t)(slash - id.p));
    return at != NULL && is_member_host(l->peers, slice_of(slash + 1, (size_t)(at - slash - 1)));
}

static void refuse_login(struct peer_link *l, const char *why)
{
    say(l, PEER_AUTH_REFUSED, slice_of("", 0));
    refuse(l, why);
}

static void answer(struct peer_link *l, struct slice token)
{
    struct peer_auth *a = l->auth;
    struct slice reply;
    if (a->session == NULL)
        a->session = sasl_session_new(l->peers->opt.sasl_accept);
    switch (sasl_session_step(a->session, token, &reply)) {
    case SASL_STATE_MORE:
        if (++a->rounds > ROUNDS_MAX)
            refuse_login(l, "the login has more rounds than any mechanism's");
        else
            say(l, PEER_AUTH_GOES_ON, reply);
        return;
    case SASL_STATE_DONE: {
        struct slice id = sasl_session_id(a->session);
        if (!may_join(l, id)) {
            char why[300];
            snprintf(why, sizeof why,
                     "%.*s has proved who it is, but is on no host of the ensemble: its principal must be "
                     "SERVICE/HOST@REALM, with the HOST of a server line",
                     SLICE_ARG(slice_of(id.p, id.n < 120 ? id.n : 120)));
            refuse_login(l, why);
            return;
        }
        log_debug("peer.auth", "link=0x%x port=%s id=%.*s", l->id, peer_port_text(l->port), SLICE_ARG(id));
        say(l, PEER_AUTH_DONE, reply);
        a->done = true;
        return;
    }
    case SASL_STATE_FAILED:
        refuse_login(l, sasl_session_reason(a->session));
        return;
    }
}

/* False: more bytes must come, or nothing is left to do here. */
static bool find_login(struct peer_link *l)
{
    struct peer_auth *a = l->auth;
    struct slice in = buf_slice(&a->in);
    if (l->port == ZAB_PORT_ELECTION && a->hello_n == 0) {
        struct peer_hello hello;
        int64_t n = peer_hello_get(in, &hello);
        if (n < 0) { /* zab knows what to do with it */
            finish(l);
            return false;
        }
        if (n == 0)
            return false;
        a->hello_n = (size_t)n;
    }
    int begins = peer_auth_begins(slice_of(in.p + a->hello_n, in.n - a->hello_n));
    if (begins < 0 && l->peers->opt.sasl_required)
        refuse(l, "it does not log in, and quorum.auth.serverRequireSasl is true: set quorum.auth.learnerRequireSasl "
                  "there");
    else if (begins < 0)
        finish(l);
    a = l->auth;
    if (begins > 0)
        a->begun = true;
    return begins > 0;
}

/* ---- whom we dial ---- */

/* Kerberos must have a ticket before anything can be said. */
void peer_auth_look(struct peer_link *l)
{
    struct peer_auth *a = l->auth;
    struct slice token;
    if (a == NULL || !a->waits || (l->flags & LINK_BROKEN) != 0 || !sasl_attempt_ready(a->attempt))
        return;
    a->waits = false;
    if (sasl_attempt_step(a->attempt, (struct slice){ 0 }, &token) == SASL_STATE_FAILED) {
        refuse(l, sasl_attempt_reason(a->attempt));
        return;
    }
    say(l, PEER_AUTH_GOES_ON, slice_is_null(token) ? slice_of("", 0) : token);
    peer_link_flush(l);
}

static void begin_login(struct peer_link *l)
{
    struct peer_auth *a = l->auth;
    struct peers *p = l->peers;
    a->begun = true;
    if ((l->flags & LINK_CONNECTED) != 0) { /* else the time to connect counts */
        l->until_ms = loop_now_ms(p->opt.loop) + p->opt.login_ms;
        peers_sweep_soon(p);
    }
    a->attempt = sasl_attempt_new(p->opt.sasl_dial, canonical(p, l->host));
    a->waits = true;
    peer_auth_look(l);
}

void peer_auth_dial(struct peer_link *l)
{
    (void)auth_new(l);
    if (l->port != ZAB_PORT_ELECTION)
        begin_login(l);
    else
        peer_link_up(l); /* the hello comes first */
}

bool peer_auth_holds(struct peer_link *l, struct slice bytes)
{
    struct peer_auth *a = l->auth;
    if ((l->flags & LINK_ACCEPTED) != 0)
        return false; /* zab has seen nothing that it could answer */
    if (!a->begun) {  /* on the election port: its hello, and perhaps more behind it */
        struct peer_hello hello;
        int64_t n = peer_hello_get(bytes, &hello);
        size_t first = n > 0 ? (size_t)n : bytes.n;
        peer_link_append(l, slice_of(bytes.p, first));
        begin_login(l);
        bytes = slice_of(bytes.p + first, bytes.n - first);
    }
    buf_append_slice(&a->held, bytes);
    if (a->held.err != 0)
        refuse(l, "the other server does not answer the login");
    return true;
}

bool peer_auth_runs(const struct peer_link *l)
{
    return l->auth->begun && (l->flags & LINK_ACCEPTED) == 0;
}

static void go_on(struct peer_link *l, enum peer_auth_status status, struct slice token)
{
    struct peer_auth *a = l->auth;
    struct slice reply = { 0 };
    if (a->waits) {
        refuse(l, "it answers before it was asked");
        return;
    }
    if (status == PEER_AUTH_REFUSED) {
        refuse(l, "the other server does not take our credentials: its log says why; compare the section "
                  "QuorumLearner here with QuorumServer there");
        return;
    }
    /* Kerberos is done on our side before the last word comes, which then is empty. */
    if (!a->proved || (status == PEER_AUTH_DONE && token.n != 0)) {
        enum sasl_state state = a->proved ? SASL_STATE_FAILED : sasl_attempt_step(a->attempt, token, &reply);
        if (state == SASL_STATE_FAILED) {
            refuse(l, a->proved ? "a token behind the end of the login" : sasl_attempt_reason(a->attempt));
            return;
        }
        a->proved = state == SASL_STATE_DONE;
    }
    if (status == PEER_AUTH_DONE) {
        a->done = a->proved && reply.n == 0;
        if (!a->done)
            refuse(l, "the other server says that the login is done, but has not proved that it knows the password");
        return;
    }
    if (++a->rounds > ROUNDS_MAX)
        refuse(l, "the login has more rounds than any mechanism's");
    else
        say(l, PEER_AUTH_GOES_ON, slice_is_null(reply) ? slice_of("", 0) : reply);
}

/* ---- bytes ---- */

/* One packet, if it is all there. False: it is not, or the link is broken. */
static bool take_packet(struct peer_link *l)
{
    struct peer_auth *a = l->auth;
    enum peer_auth_status status;
    struct slice token;
    int64_t n = peer_auth_get(slice_of(a->in.p + a->hello_n, a->in.n - a->hello_n), &status, &token);
    if (n < 0)
        refuse(l, "what it sends is no packet of a login");
    if (n <= 0)
        return false;
    if ((l->flags & LINK_ACCEPTED) != 0)
        answer(l, token);
    else
        go_on(l, status, token);
    memmove(a->in.p + a->hello_n, a->in.p + a->hello_n + n, a->in.n - a->hello_n - (size_t)n);
    a->in.n -= (size_t)n;
    return (l->flags & LINK_BROKEN) == 0 && !a->done;
}

void peer_auth_take(struct peer_link *l, struct slice bytes)
{
    struct peer_auth *a = l->auth;
    buf_append_slice(&a->in, bytes);
    if (a->in.err != 0) {
        refuse(l, "it sends more than a login may have");
        return;
    }
    if (!a->begun && ((l->flags & LINK_ACCEPTED) == 0 || !find_login(l)))
        return;
    while (take_packet(l))
        continue;
    if ((l->flags & LINK_BROKEN) != 0)
        return;
    if (a->done)
        finish(l);
    else
        peer_link_flush(l);
}

void peer_auth_take_end(struct peer_link *l)
{
    bool accepted = (l->flags & LINK_ACCEPTED) != 0;
    /* Who says its hello and goes wants to be dialled: only that one who must log in is not listened to. */
    if (accepted && !l->auth->begun && !l->peers->opt.sasl_required) {
        finish(l);
        return;
    }
    refuse(l, accepted ? "it has gone without logging in"
                       : "the other server closes instead of answering the login: see "
                         "quorum.auth.enableSasl there");
}

void peer_auth_expire(struct peer_link *l)
{
    refuse(l, "the other server does not answer the login in time");
}
