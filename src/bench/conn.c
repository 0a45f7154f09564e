#include "bench/conn.h"
#include "bench/requests.h"
#include "base/mem.h"
#include "wire/records.h"
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define IN_BYTES 65536
#define FRAME_BYTES_MAX (64u << 20) /* a list of a million children is some 12 MiB */
#define XID_MAX 0x7ffffff0

void bench_conn_init(struct bench_conn *c, uint32_t index, int epoll, const struct bench_hooks *hooks,
                     uint32_t timeout_ms, const char *auth)
{
    *c = (struct bench_conn){
        .index = index, .fd = -1, .epoll = epoll, .hooks = hooks, .timeout_ms = timeout_ms, .auth = auth, .next_xid = 1
    };
    buf_init(&c->out, SIZE_MAX);
}

void bench_conn_fini(struct bench_conn *c)
{
    if (c->fd >= 0)
        close(c->fd);
    c->fd = -1;
    buf_fini(&c->out);
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
    if (c->fd >= 0)
        close(c->fd); /* which takes it out of the epoll set */
    c->fd = -1;
    c->broke_from = c->link;
    c->link = BENCH_LINK_NONE;
    c->wants_out = false;
    c->failures++;
    c->in_n = 0;
    c->out_at = 0;
    buf_reset(&c->out);
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

void bench_conn_open(struct bench_conn *c, const struct client_addr *to, uint64_t now_ns)
{
    struct sockaddr_storage a = { 0 };
    const int one = 1;
    ASSERT(c->link == BENCH_LINK_NONE);
    memcpy(&a, to->bytes, to->n);
    c->opened_ns = c->heard_ns = c->spoke_ns = now_ns;
    c->fd = socket(a.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (c->fd < 0) {
        bench_conn_break(c, strerror(errno));
        return;
    }
    (void)setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (connect(c->fd, (const struct sockaddr *)&a, to->n) != 0 && errno != EINPROGRESS) {
        bench_conn_break(c, strerror(errno));
        return;
    }
    c->link = BENCH_LINK_OPENING;
    tell_epoll(c, EPOLL_CTL_ADD, true);
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
    c->link = BENCH_LINK_HANDSHAKE;
    bench_put_connect(&c->out, c->zxid, c->timeout_ms, c->session, c->passwd);
    bench_conn_flush(c, now_ns);
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
    c->link = BENCH_LINK_READY;
    c->failures = 0;
    if (c->auth != NULL) {
        const char *colon = strchr(c->auth, ':');
        bench_put_auth(&c->out, slice_of(c->auth, (size_t)(colon - c->auth)), slice_str(colon + 1));
    }
    c->hooks->ready(c->hooks->ctx, c);
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

static void readable(struct bench_conn *c, uint64_t now_ns)
{
    if (c->in_cap - c->in_n < IN_BYTES / 4) {
        c->in_cap = c->in_cap == 0 ? IN_BYTES : c->in_cap * 2;
        c->in = mem_realloc(c->in, c->in_cap);
    }
    ssize_t n = recv(c->fd, c->in + c->in_n, c->in_cap - c->in_n, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        bench_conn_break(c, n == 0 ? "closed by the server" : strerror(errno));
        return;
    }
    c->heard_ns = now_ns;
    c->in_n += (size_t)n;
    take_frames(c);
}

void bench_conn_flush(struct bench_conn *c, uint64_t now_ns)
{
    if (c->link < BENCH_LINK_HANDSHAKE)
        return;
    while (c->out_at < c->out.n) {
        ssize_t n = send(c->fd, c->out.p + c->out_at, c->out.n - c->out_at, MSG_NOSIGNAL);
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
    bool more = c->out_at < c->out.n;
    if (!more) {
        buf_reset(&c->out);
        c->out_at = 0;
    }
    if (more != c->wants_out)
        tell_epoll(c, EPOLL_CTL_MOD, more);
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
