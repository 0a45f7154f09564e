/* election_links: who is connected to whom on the election ports, and the messages that wait. Of each pair the
 * connection that the larger sid has dialled survives (quorum specification 2.1). */
#include "zab/internal.h"

/* ---- peers ---- */

struct peer *election_peer(struct zab *z, int64_t sid)
{
    struct peer *p = z->peers;
    while (p != NULL && p->sid != sid)
        p = p->next;
    if (p != NULL)
        return p;
    p = mem_zalloc(sizeof *p);
    p->sid = sid;
    buf_init(&p->last, PEER_NOTIFICATION_BYTES_MAX + 64);
    buf_init(&p->said, PEER_HELLO_BYTES_MAX);
    p->next = z->peers;
    z->peers = p;
    if (members_find(z->members, sid) == NULL)
        z->stranger_count++;
    return p;
}

static void peer_free(struct peer *p)
{
    buf_fini(&p->last);
    buf_fini(&p->said);
    mem_free(p);
}

/* A stranger is remembered while it is connected, or while something waits for it. */
static void forget_strangers(struct zab *z)
{
    for (struct peer **at = &z->peers; *at != NULL;) {
        struct peer *p = *at;
        if (members_find(z->members, p->sid) != NULL || p->link != NULL || p->dial != NULL) {
            at = &p->next;
            continue;
        }
        *at = p->next;
        z->stranger_count--;
        peer_free(p);
    }
}

void election_links_free(struct zab *z)
{
    while (z->peers != NULL) {
        struct peer *p = z->peers;
        z->peers = p->next;
        peer_free(p);
    }
}

/* ---- sending ---- */

static void send_last(struct zab *z, struct peer *p)
{
    if (p->last.n == 0)
        return;
    link_send_buf(z, p->link, &p->last);
    p->pending = false;
}

/* A name in a hello is worth something if it is not a wildcard. */
static struct slice said_addresses(const struct peer *p)
{
    struct slice s = buf_slice(&p->said);
    return s.n == 0 || slice_starts(s, slice_str("0.0.0.0:")) || slice_starts(s, slice_str("[::]:"))
               ? (struct slice){ 0 }
               : s;
}

static void dial(struct zab *z, struct peer *p)
{
    struct slice said = members_find(z->members, p->sid) == NULL ? said_addresses(p) : (struct slice){ 0 };
    if (p->dial != NULL || (members_find(z->members, p->sid) == NULL && slice_is_null(said)))
        return;
    p->redial_after_ms = p->redial_after_ms == 0 ? REDIAL_MS : p->redial_after_ms * 2;
    if (p->redial_after_ms > REDIAL_MS_MAX)
        p->redial_after_ms = REDIAL_MS_MAX;
    p->redial_ms = z->now_ms + p->redial_after_ms;
    p->dial = link_dial(z, LINK_ELECTION_DIALLED, ZAB_PORT_ELECTION, p->sid, said);
    p->dial->peer = p;
}

void election_tell(struct zab *z, struct peer *p, const struct peer_notification *n)
{
    buf_reset(&p->last);
    peer_notification_put(&p->last, n);
    ASSERT(p->last.err == 0);
    if (p->link != NULL) {
        send_last(z, p);
        return;
    }
    p->pending = true;
    if (z->now_ms >= p->redial_ms)
        dial(z, p);
}

/* A voter answers an observer whatever it says. One that was cut off from power does not call observers when it is
 * back, and until TCP knows that the old connection is dead, an observer would ask it, and perhaps the leader, in vain.
 */
void election_drop_dead(struct zab *z, struct peer *p)
{
    if (p->link == NULL)
        return;
    if (p->unanswered_ms == 0) {
        p->unanswered_ms = z->now_ms;
    } else if (z->now_ms - p->unanswered_ms >= UNANSWERED_MS) {
        p->unanswered_ms = 0;
        link_close(z, p->link);
        p->link = NULL;
    }
}

void election_links_tick(struct zab *z)
{
    for (struct peer *p = z->peers; p != NULL; p = p->next) {
        /* Behind a refused dial only the next message dials again, else a dead server is called for ever. */
        if (p->pending && p->link == NULL && p->dial == NULL && z->now_ms >= p->redial_ms) {
            p->pending = z->role == PEER_LOOKING;
            if (p->pending)
                dial(z, p);
        }
    }
    for (struct link *l = z->links; l != NULL; l = l->next)
        if (!l->closing && l->kind == LINK_ELECTION_HELLO && z->now_ms - l->opened_ms >= z->opt.hello_ms)
            link_close(z, l);
}

/* ---- who keeps the connection ---- */

static void keep(struct zab *z, struct peer *p, struct link *l)
{
    if (p->link != NULL)
        link_close(z, p->link);
    p->link = l;
    p->dead = false;
    p->redial_after_ms = 0;
    l->kind = LINK_ELECTION;
    l->peer = p;
    send_last(z, p); /* also when it was sent before: the connection it went out on may have died with it (2.4) */
}

void election_accepted(struct zab *z, uint32_t id)
{
    struct link *l = link_add(z, id, LINK_ELECTION_HELLO);
    l->connected = true;
}

void election_connected(struct zab *z, struct link *l)
{
    struct peer *p = l->peer;
    ASSERT(p != NULL && p->dial == l);
    p->dial = NULL;
    const struct member *me = members_find(z->members, z->opt.sid);
    struct buf text, hello;
    buf_init(&text, PEER_HELLO_BYTES_MAX);
    buf_init(&hello, PEER_HELLO_BYTES_MAX + 64);
    size_t count = me == NULL ? 0 : z->opt.many_addresses ? me->address_count : 1;
    for (size_t i = 0; i < count; i++) {
        const struct member_address *a = &me->addresses[i];
        bool ipv6 = strchr(a->host, ':') != NULL;
        buf_printf(&text, "%s%s%s%s:%u", i == 0 ? "" : "|", ipv6 ? "[" : "", a->host, ipv6 ? "]" : "",
                   a->election_port);
    }
    if (count == 0)
        buf_printf(&text, "0.0.0.0:0");
    peer_hello_put(&hello, &(struct peer_hello){
                               .sid = z->opt.sid, .addresses = buf_slice(&text), .many = z->opt.many_addresses });
    link_send_buf(z, l, &hello);
    buf_fini(&text);
    buf_fini(&hello);
    if (p->sid > z->opt.sid) { /* it dials back */
        p->dead = false;
        p->redial_after_ms = 0;
        link_close(z, l);
        return;
    }
    keep(z, p, l);
}

void election_lost(struct zab *z, struct link *l, bool refused)
{
    (void)refused;
    struct peer *p = l->peer;
    if (p == NULL)
        return;
    if (p->dial == l)
        p->dial = NULL;
    if (p->link == l)
        p->link = NULL;
    p->dead = p->link == NULL;
    if (p->dead)
        election_recheck(z);
    forget_strangers(z);
}

/* Returns false if the link has been closed. */
static bool hello(struct zab *z, struct link *l, const struct peer_hello *h)
{
    int64_t sid = h->sid == INT64_MAX ? z->next_nameless-- : h->sid;
    bool stranger = members_find(z->members, sid) == NULL;
    if (sid == z->opt.sid || (stranger && z->stranger_count >= STRANGERS_MAX)) {
        link_close(z, l);
        return false;
    }
    struct peer *p = election_peer(z, sid);
    buf_reset(&p->said);
    buf_append_slice(&p->said, h->addresses);
    p->dead = false;
    if (sid > z->opt.sid || sid < 0) {
        keep(z, p, l);
        return true;
    }
    link_close(z, l);
    if (p->link != NULL) {
        link_close(z, p->link);
        p->link = NULL;
    }
    dial(z, p);
    forget_strangers(z);
    return false;
}

int64_t election_bytes(struct zab *z, struct link *l, struct slice bytes)
{
    size_t used = 0;
    while (!l->closing) {
        struct slice rest = slice_of(bytes.p + used, bytes.n - used);
        int64_t n;
        if (l->kind == LINK_ELECTION_HELLO) {
            struct peer_hello h;
            if ((n = peer_hello_get(rest, &h)) <= 0)
                return n < 0 ? n : (int64_t)used;
            used += (size_t)n;
            (void)hello(z, l, &h);
            continue;
        }
        struct slice body;
        if ((n = peer_notification_frame(rest, &body)) <= 0)
            return n < 0 ? n : (int64_t)used;
        used += (size_t)n;
        struct peer_notification note;
        if (peer_notification_get(body, &note) == 0)
            election_notified(z, l->peer, &note);
    }
    return (int64_t)used;
}
