#include "bench/conn.h"
#include "bench/requests.h"
#include "base/err.h"
#include "base/mem.h"
#include "wire/records.h"
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define IN_BYTES 65536
#define FRAME_BYTES_MAX (64u << 20) /* a list of a million children is some 12 MiB */
#define XID_MAX 0x7ffffff0

void bench_conn_init(struct bench_conn *c, uint32_t index, int epoll, const struct bench_hooks *hooks,
                     uint32_t timeout_ms, const struct bench_access *access)
{
    *c = (struct bench_conn){ .index = index,
                              .fd = -1,
                              .epoll = epoll,
                              .hooks = hooks,
                              .timeout_ms = timeout_ms,
                              .access = access,
                              .next_xid = 1 };
    buf_init(&c->out, SIZE_MAX);
    buf_init(&c->sealed, SIZE_MAX);
}

/* What belongs to one connection only. */
static void drop_link(struct bench_conn *c)
{
    if (c->fd >= 0)
        close(c->fd); /* which takes it out of the epoll set */
    c->fd = -1;
    tls_conn_free(c->tls);
    c->tls = NULL;
    login_exchange_free(c->exchange);
    c->exchange = NULL;
}

void bench_conn_fini(struct bench_conn *c)
{
    drop_link(c);
    buf_fini(&c->out);
    buf_fini(&c->sealed);
    mem_free(c->in);
    mem_free(c->ring);
    c->in = NULL;
    c->ring = NULL;
}

int32_t bench_conn_book(struct bench_conn *c, uint8_t kind, uint64_t number, uint64_t sent_ns)
{
    if (c->in_flight == c->ring_cap) {
        uint32_t cap = c->ring_cap == 0 ? 8 : c->ring_cap * 2;
        struct bench_op *ring = mem_alloc(cap * sizeof *ring);
        for (uint32_t i = 0; i < c->in_flight; i++)
            ring[i] = c->ring[(c->ring_head + i) & (c->ring_cap - 1)];
        mem_free(c->ring);
        c->ring = ring;
        c->ring_cap = cap;
        c->ring_head = 0;
    }
    int32_t xid = c->next_xid;
    c->next_xid = xid == XID_MAX ? 1 : xid + 1;
    c->ring[(c->ring_head + c->in_flight++) & (c->ring_cap - 1)] =
        (struct bench_op){ .sent_ns = sent_ns, .number = number, .xid = xid, .kind = kind };
    return xid;
}

void bench_conn_ping(struct bench_conn *c, uint8_t kind, uint64_t sent_ns)
{
    (void)bench_conn_book(c, kind, 0, sent_ns);
    c->ring[(c->ring_head + c->in_flight - 1) & (c->ring_cap - 1)].xid = WIRE_XID_PING;
    bench_put_plain(&c->out, WIRE_XID_PING, WIRE_OP_PING);
}

static struct bench_op take_first(struct bench_conn *c)
{
    struct bench_op op = c->ring[c->ring_head & (c->ring_cap - 1)];
    c->ring_head = (c->ring_head + 1) & (c->ring_cap - 1);
    c->in_flight--;
    return op;
}

void bench_conn_break(struct bench_conn *c, const char *why)
{
    drop_link(c);
    c->broke_from = c->link;
    c->link = BENCH_LINK_NONE;
    c->wants_out = false;
    c->failures++;
    c->in_n = 0;
    c->out_at = 0;
    buf_reset(&c->out);
    buf_reset(&c->sealed);
    while (c->in_flight > 0) {
        struct bench_op op = take_first(c);
        c->hooks->lost(c->hooks->ctx, c, &op);
    }
    c->hooks->broken(c->hooks->ctx, c, why);
}

static void tell_epoll(struct bench_conn *c, int what, bool out)
{
    struct epoll_event e = { .events = out ? EPOLLIN | EPOLLOUT : EPOLLIN, .data.ptr = c };
    c->wants_out = out;
    if (epoll_ctl(c->epoll, what, c->fd, &e) != 0)
        bench_conn_break(c, strerror(errno));
}

void bench_conn_open(struct bench_conn *c, const struct bench_server *to, uint64_t now_ns)
{
    struct sockaddr_storage a = { 0 };
    const int one = 1;
    ASSERT(c->link == BENCH_LINK_NONE);
    memcpy(&a, to->addr.bytes, to->addr.n);
    c->name = to->name;
    c->address = to->address;
    c->opened_ns = c->heard_ns = c->spoke_ns = now_ns;
    c->fd = socket(a.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (c->fd < 0) {
        bench_conn_break(c, strerror(errno));
        return;
    }
    (void)setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (connect(c->fd, (const struct sockaddr *)&a, to->addr.n) != 0 && errno != EINPROGRESS) {
        bench_conn_break(c, strerror(errno));
        return;
    }
    c->link = BENCH_LINK_OPENING;
    tell_epoll(c, EPOLL_CTL_ADD, true);
}

static void ask_for_session(struct bench_conn *c)
{
    c->link = BENCH_LINK_HANDSHAKE;
    bench_put_connect(&c->out, c->zxid, c->timeout_ms, c->session, c->passwd);
}

static void break_tls(struct bench_conn *c)
{
    char why[300];
    tls_describe(c->tls, why, sizeof why);
    bench_conn_break(c, why);
}

static bool secure(struct bench_conn *c)
{
    c->link = BENCH_LINK_SECURING;
    c->tls = tls_conn_new(c->access->tls, &(struct tls_peer){ .name = c->name, .address = c->address });
    if (c->tls == NULL) {
        bench_conn_break(c, "no memory for TLS");
        return false;
    }
    if (tls_begin(c->tls, &c->sealed) != 0) {
        break_tls(c);
        return false;
    }
    return true;
}

static void opened(struct bench_conn *c, uint64_t now_ns)
{
    int error = 0;
    socklen_t n = sizeof error;
    if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &n) != 0)
        error = errno;
    if (error != 0) {
        bench_conn_break(c, strerror(error));
        return;
    }
    if (c->access->tls == NULL)
        ask_for_session(c);
    else if (!secure(c))
        return;
    bench_conn_flush(c, now_ns);
}

static void be_ready(struct bench_conn *c)
{
    const char *auth = c->access->auth;
    c->link = BENCH_LINK_READY;
    c->failures = 0;
    if (auth != NULL) {
        const char *colon = strchr(auth, ':');
        bench_put_auth(&c->out, slice_of(auth, (size_t)(colon - auth)), slice_str(colon + 1));
    }
    c->hooks->ready(c->hooks->ctx, c);
}

/* The next step of the login, with the server's token. Without an exchange the server has the last word. */
static void log_in(struct bench_conn *c, const struct slice *token)
{
    struct slice reply;
    enum login_state state = login_step(c->exchange, token, &reply);
    if (state == LOGIN_FAILED) {
        char why[400];
        snprintf(why, sizeof why, "the login by SASL has failed: %s", login_reason(c->exchange));
        c->refused = true;
        bench_conn_break(c, why);
        return;
    }
    if (state != LOGIN_DONE) {
        c->login_xid = c->next_xid;
        c->next_xid = c->next_xid == XID_MAX ? 1 : c->next_xid + 1;
        bench_put_login(&c->out, c->login_xid, reply);
    }
    if (state != LOGIN_MORE) {
        login_exchange_free(c->exchange);
        c->exchange = NULL;
    }
    if (state == LOGIN_DONE)
        be_ready(c);
}

/* A session that has expired is no reason to end: the next one is new. */
static void handshake_answer(struct bench_conn *c, struct slice frame)
{
    struct wire_reader in = wire_reader_of(frame);
    struct wire_connect_response r = wire_get_connect_response(&in);
    if (in.err != 0) {
        bench_conn_break(c, "what answers is no ZooKeeper server");
        return;
    }
    if (r.timeout_ms <= 0 || r.passwd.n != WIRE_PASSWD_BYTES) {
        c->session = 0;
        memset(c->passwd, 0, sizeof c->passwd);
        bench_conn_break(c, "the session has expired");
        return;
    }
    c->session = r.session_id;
    c->timeout_ms = (uint32_t)r.timeout_ms;
    memcpy(c->passwd, r.passwd.p, sizeof c->passwd);
    if (c->access->login == NULL) {
        be_ready(c);
        return;
    }
    c->link = BENCH_LINK_LOGIN;
    c->exchange = login_exchange_new(c->access->login, &(struct login_peer){ .name = c->name });
    log_in(c, NULL);
}

static void login_answer(struct bench_conn *c, struct slice frame)
{
    struct wire_reader in = wire_reader_of(frame);
    struct wire_reply_header h = wire_get_reply_header(&in);
    if (in.err != 0 || h.xid != c->login_xid) {
        bench_conn_break(c, "the server answered something else than the login");
        return;
    }
    c->refused = h.err != 0;
    if (c->refused) {
        bench_conn_break(c, "the server refused the login by SASL; its log says why");
    } else if (c->exchange == NULL) {
        be_ready(c);
    } else {
        struct slice token = wire_get_buffer(&in);
        log_in(c, &token);
    }
}

static void reply(struct bench_conn *c, struct slice frame)
{
    struct wire_reader in = wire_reader_of(frame);
    struct wire_reply_header h = wire_get_reply_header(&in);
    if (in.err != 0) {
        bench_conn_break(c, "the server sent a reply without a header");
        return;
    }
    if (h.zxid > c->zxid)
        c->zxid = h.zxid;
    if (h.xid == WIRE_XID_NOTIFICATION) {
        struct wire_watcher_event e = wire_get_watcher_event(&in);
        if (in.err == 0)
            c->hooks->event(c->hooks->ctx, c, e.type);
        return;
    }
    if (h.xid == WIRE_XID_AUTH) {
        if (h.err != 0)
            bench_conn_break(c, "the server refused --auth");
        return;
    }
    const struct bench_op *first = c->in_flight == 0 ? NULL : &c->ring[c->ring_head & (c->ring_cap - 1)];
    if (first == NULL || first->xid != h.xid) {
        bench_conn_break(c, "the server answered a request that was not asked, or out of turn");
        return;
    }
    struct bench_op op = take_first(c);
    c->hooks->reply(c->hooks->ctx, c, &op, h.err, slice_of(in.p, wire_left(&in)));
}

/* The frames that are there; the rest moves to the front. */
static void take_frames(struct bench_conn *c)
{
    size_t at = 0, used = 0;
    struct slice frame;
    int rc = 0;
    while (c->fd >= 0 &&
           (rc = wire_frame_next(slice_of(c->in + at, c->in_n - at), FRAME_BYTES_MAX, &frame, &used)) > 0) {
        at += used;
        if (c->link == BENCH_LINK_HANDSHAKE)
            handshake_answer(c, frame);
        else if (c->link == BENCH_LINK_LOGIN)
            login_answer(c, frame);
        else
            reply(c, frame);
    }
    if (c->fd < 0)
        return;
    if (rc < 0) {
        bench_conn_break(c, "the server sent a frame that is too long");
        return;
    }
    c->in_n -= at;
    memmove(c->in, c->in + at, c->in_n);
}

static void make_room(struct bench_conn *c, size_t n)
{
    while (c->in_cap - c->in_n < n) {
        c->in_cap = c->in_cap == 0 ? IN_BYTES : c->in_cap * 2;
        c->in = mem_realloc(c->in, c->in_cap);
    }
}

/* Bytes under TLS; what they say goes to `in`. False: the connection is gone. */
static bool unseal(struct bench_conn *c, struct slice raw, uint64_t now_ns)
{
    struct buf plain;
    buf_init(&plain, SIZE_MAX);
    int rc = tls_feed(c->tls, raw, &plain, &c->sealed);
    if (c->link == BENCH_LINK_SECURING && rc == 0 && tls_state(c->tls) == TLS_ESTABLISHED)
        ask_for_session(c);
    make_room(c, plain.n + 1);
    if (plain.n > 0)
        memcpy(c->in + c->in_n, plain.p, plain.n);
    c->in_n += plain.n;
    buf_fini(&plain);
    if (rc == ERR_CLOSED)
        bench_conn_break(c, "closed by the server");
    else if (rc != 0)
        break_tls(c);
    else
        bench_conn_flush(c, now_ns);
    return c->fd >= 0;
}

static void readable(struct bench_conn *c, uint64_t now_ns)
{
    uint8_t raw[TLS_RECORD_BYTES + TLS_RECORD_OVERHEAD_BYTES];
    bool plain = c->tls == NULL;
    if (plain)
        make_room(c, IN_BYTES / 4);
    ssize_t n = plain ? recv(c->fd, c->in + c->in_n, c->in_cap - c->in_n, 0) : recv(c->fd, raw, sizeof raw, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        bench_conn_break(c, n == 0 ? "closed by the server" : strerror(errno));
        return;
    }
    c->heard_ns = now_ns;
    if (plain)
        c->in_n += (size_t)n;
    else if (!unseal(c, slice_of(raw, (size_t)n), now_ns))
        return;
    take_frames(c);
    if (c->fd >= 0 && (c->link == BENCH_LINK_LOGIN || !plain))
        bench_conn_flush(c, now_ns);
}

/* What the socket gets next; NULL: nothing, or the connection is gone. */
static struct buf *next_output(struct bench_conn *c)
{
    struct buf *b = c->tls == NULL ? &c->out : &c->sealed;
    if (c->out_at < b->n)
        return b;
    buf_reset(b);
    c->out_at = 0;
    if (c->tls == NULL || c->link < BENCH_LINK_HANDSHAKE || c->out.n == 0)
        return NULL;
    struct slice part = buf_slice(&c->out);
    int rc = tls_send(c->tls, &part, 1, b);
    buf_reset(&c->out);
    if (rc == 0)
        return b;
    break_tls(c);
    return NULL;
}

void bench_conn_flush(struct bench_conn *c, uint64_t now_ns)
{
    struct buf *b = NULL;
    if (c->link < BENCH_LINK_SECURING)
        return;
    while ((b = next_output(c)) != NULL) {
        ssize_t n = send(c->fd, b->p + c->out_at, b->n - c->out_at, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            break;
        if (n < 0) {
            bench_conn_break(c, strerror(errno));
            return;
        }
        c->out_at += (size_t)n;
        c->spoke_ns = now_ns;
    }
    if (c->fd >= 0 && (b != NULL) != c->wants_out)
        tell_epoll(c, EPOLL_CTL_MOD, b != NULL);
}

void bench_conn_events(struct bench_conn *c, uint32_t events, uint64_t now_ns)
{
    if (c->link == BENCH_LINK_OPENING) {
        opened(c, now_ns);
        return;
    }
    if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
        readable(c, now_ns);
    if (c->fd >= 0 && (events & EPOLLOUT))
        bench_conn_flush(c, now_ns);
}
