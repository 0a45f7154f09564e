#include "server/https_door.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "os/loop.h"
#include "os/thread.h"
#include "server/limits.h"
#include <stdatomic.h>

#define PIECE_BYTES TLS_RECORD_BYTES
#define SWEEP_MS 500
#define RELOAD_MS 2000 /* how often the key stores are looked at: a few calls of stat */

/* What has been read at one end and not been taken by the other. */
struct pipe {
    struct buf b;
    size_t at;
};

enum visit_flag {
    VISIT_FAR_ENDED = 1,  /* the client sends nothing more; HTTP has been told */
    VISIT_NEAR_ENDED = 2, /* HTTP has ended it: what waits goes out, then it is closed */
    VISIT_DEAD = 4,       /* closing */
};

/* One client of a port, from the accept to its end. */
struct visit {
    struct list link;
    struct https_door *door;
    const struct https_port *port;
    struct net_address peer;
    int far, near; /* the client's socket; our end of the pair, -1 before the handshake is done */
    struct loop_poll far_poll, near_poll;
    unsigned far_watched, near_watched, polls_open;
    unsigned flags;
    struct tls_conn *tls; /* NULL: not known whether it is TLS */
    struct pipe in, out;
    int64_t until_ms; /* of the handshake, or of its end; INT64_MAX: HTTP looks after the time */
};

struct listening {
    struct https_door *door;
    struct https_port port;
    struct loop_poll poll;
};

struct https_door {
    struct loop *loop;
    struct thread thread;
    struct loop_wake stop;
    struct loop_timer sweep;
    struct listening ports[HTTPS_DOOR_PORTS_MAX];
    size_t port_count;
    struct list visits; /* oldest first */
    unsigned visit_count;
    bool stopping, pausing; /* pausing: nobody is accepted until the next sweep */
    int64_t handshake_ms, reload_ms, warned_ms, unsaid;
    atomic_llong plain_count;
};

/* ---- the end of one ---- */

static void on_poll_closed(struct visit *v)
{
    if (--v->polls_open != 0)
        return;
    struct https_door *d = v->door;
    list_remove(&v->link);
    d->visit_count--;
    buf_fini(&v->in.b);
    buf_fini(&v->out.b);
    tls_conn_free(v->tls);
    mem_free(v);
    if (d->stopping && d->visit_count == 0)
        loop_stop(d->loop);
}

static void on_far_closed(struct loop_poll *poll)
{
    on_poll_closed(CONTAINER_OF(poll, struct visit, far_poll));
}

static void on_near_closed(struct loop_poll *poll)
{
    on_poll_closed(CONTAINER_OF(poll, struct visit, near_poll));
}

static void end_visit(struct visit *v)
{
    if ((v->flags & VISIT_DEAD) != 0)
        return;
    v->flags |= VISIT_DEAD;
    loop_poll_close(&v->far_poll, on_far_closed);
    if (v->far >= 0)
        net_close(v->far);
    if (v->near >= 0) {
        loop_poll_close(&v->near_poll, on_near_closed);
        net_close(v->near);
    }
}

static void refuse(struct visit *v, const char *why)
{
    struct https_door *d = v->door;
    int64_t now_ms = loop_now_ms(d->loop);
    char far[NET_ADDRESS_TEXT_BYTES];
    if (now_ms - d->warned_ms < LIMIT_TLS_WARN_MS) {
        d->unsaid++;
    } else {
        net_address_text(&v->peer, far);
        log_warn("https.failed", "port=%s peer=%s reason=\"%s\" unsaid=%lld action=close", v->port->name, far, why,
                 (long long)d->unsaid);
        d->warned_ms = now_ms;
        d->unsaid = 0;
    }
    end_visit(v);
}

/* ---- bytes ---- */

static bool pipe_is_empty(const struct pipe *p)
{
    return p->at == p->b.n;
}

/* False: the socket is broken. */
static bool pipe_flush(struct pipe *p, int fd)
{
    if (fd < 0)
        return true;
    while (!pipe_is_empty(p)) {
        struct slice rest = slice_of(p->b.p + p->at, p->b.n - p->at);
        int64_t n = net_send(fd, &rest, 1);
        if (n == ERR_BUSY)
            return true;
        if (n < 0)
            return false;
        p->at += (size_t)n;
    }
    p->at = 0;
    buf_reset(&p->b);
    return true;
}

/* Each end is read while the other one takes what was read. */
static void watch(struct visit *v)
{
    bool far_ended = (v->flags & VISIT_FAR_ENDED) != 0, near_ended = (v->flags & VISIT_NEAR_ENDED) != 0;
    unsigned far = (!far_ended && !near_ended && pipe_is_empty(&v->in) ? LOOP_READABLE : 0u) |
                   (pipe_is_empty(&v->out) ? 0u : LOOP_WRITABLE);
    unsigned near =
        (!near_ended && pipe_is_empty(&v->out) ? LOOP_READABLE : 0u) | (pipe_is_empty(&v->in) ? 0u : LOOP_WRITABLE);
    if (far != v->far_watched)
        loop_poll_set(&v->far_poll, far);
    v->far_watched = far;
    if (v->near < 0)
        return;
    if (near != v->near_watched)
        loop_poll_set(&v->near_poll, near);
    v->near_watched = near;
}

/* After anything has happened: what waits goes on, and what has ended ends. */
static void carry_on(struct visit *v)
{
    if ((v->flags & VISIT_DEAD) != 0)
        return;
    bool near_broken = !pipe_flush(&v->in, v->near);
    if (near_broken)
        v->flags |= VISIT_NEAR_ENDED;
    bool far_broken = !pipe_flush(&v->out, v->far);
    bool done = (v->flags & VISIT_NEAR_ENDED) != 0 && pipe_is_empty(&v->out);
    if (far_broken || done) {
        end_visit(v);
        return;
    }
    if ((v->flags & VISIT_FAR_ENDED) != 0 && pipe_is_empty(&v->in) && v->near >= 0)
        net_end(v->near);
    watch(v);
}

static void on_near(struct loop_poll *poll, unsigned events);

/* The handshake is done: HTTP gets its end of a pair. */
static bool hand_over(struct visit *v)
{
    int pair[2];
    char what[128];
    if (net_pair(pair) != 0)
        return false;
    if (loop_poll_open(v->door->loop, &v->near_poll, pair[0], on_near) != 0) {
        net_close(pair[0]);
        net_close(pair[1]);
        return false;
    }
    v->near = pair[0];
    v->polls_open++;
    v->until_ms = INT64_MAX;
    tls_describe(v->tls, what, sizeof what);
    log_debug("https.established", "port=%s with=\"%s\"", v->port->name, what);
    return http_add(v->port->http, pair[1], &v->peer);
}

static void from_client(struct visit *v, struct slice in)
{
    int rc = tls_feed(v->tls, in, &v->in.b, &v->out.b);
    enum tls_state state = tls_state(v->tls);
    if (rc == ERR_INVALID) {
        char why[512];
        (void)pipe_flush(&v->out, v->far); /* the alert, if the socket takes it at once */
        tls_describe(v->tls, why, sizeof why);
        refuse(v, why);
        return;
    }
    if (v->near < 0 && (state == TLS_ESTABLISHED || state == TLS_CLOSED) && !hand_over(v)) {
        refuse(v, "no descriptor is left for it");
        return;
    }
    if (rc == ERR_CLOSED)
        v->flags |= VISIT_FAR_ENDED;
}

/* ---- plain connections ---- */

static void hand_on_plain(struct visit *v)
{
    int fd = v->far;
    v->far = -1; /* HTTP's from here on, with the byte that was only looked at */
    atomic_fetch_add(&v->door->plain_count, 1);
    end_visit(v);
    (void)http_add(v->port->http, fd, &v->peer);
}

/* No method of HTTP begins like a handshake. */
static void sniff(struct visit *v)
{
    uint8_t first;
    int64_t n = net_peek(v->far, &first, 1);
    if (n == ERR_BUSY)
        return;
    if (n <= 0) {
        end_visit(v);
        return;
    }
    if (tls_looks_like_client_hello(slice_of(&first, 1)) == TLS_HELLO_NO) {
        hand_on_plain(v);
        return;
    }
    v->tls = tls_conn_new(v->port->tls, &(struct tls_peer){ 0 });
    if (v->tls == NULL)
        refuse(v, "no memory for TLS");
}

/* ---- sockets ---- */

static void on_far(struct loop_poll *poll, unsigned events)
{
    struct visit *v = CONTAINER_OF(poll, struct visit, far_poll);
    uint8_t bytes[PIECE_BYTES];
    if ((v->flags & VISIT_DEAD) != 0)
        return;
    if (events == LOOP_FAILED) {
        end_visit(v);
        return;
    }
    if (v->tls == NULL)
        sniff(v);
    if ((v->flags & VISIT_DEAD) != 0 || v->tls == NULL)
        return;
    if ((events & LOOP_READABLE) != 0 && (v->far_watched & LOOP_READABLE) != 0) {
        int64_t n = net_recv(v->far, bytes, sizeof bytes);
        if (n == 0 && v->near >= 0) {
            if (tls_feed_end(v->tls) != 0)
                log_debug("https.truncated", "port=%s", v->port->name); /* as many clients of HTTP end */
            v->flags |= VISIT_FAR_ENDED;
        } else if (n == 0 || (n < 0 && n != ERR_BUSY)) {
            end_visit(v);
            return;
        } else if (n > 0) {
            from_client(v, slice_of(bytes, (size_t)n));
        }
    }
    carry_on(v);
}

static void on_near(struct loop_poll *poll, unsigned events)
{
    struct visit *v = CONTAINER_OF(poll, struct visit, near_poll);
    uint8_t bytes[PIECE_BYTES];
    if ((v->flags & VISIT_DEAD) != 0)
        return;
    if (((events & LOOP_READABLE) != 0 && (v->near_watched & LOOP_READABLE) != 0) || events == LOOP_FAILED) {
        int64_t n = events == LOOP_FAILED ? 0 : net_recv(v->near, bytes, sizeof bytes);
        struct slice part = slice_of(bytes, n > 0 ? (size_t)n : 0);
        if (n == 0 || (n < 0 && n != ERR_BUSY)) {
            tls_end(v->tls, &v->out.b);
            v->flags |= VISIT_NEAR_ENDED;
            v->until_ms = loop_now_ms(v->door->loop) + LIMIT_CLOSE_MS;
        } else if (n > 0 && tls_send(v->tls, &part, 1, &v->out.b) != 0) {
            end_visit(v);
            return;
        }
    }
    carry_on(v);
}

/* ---- coming ---- */

/* The oldest that has not come to its HTTP, if it has had its time while others wait. */
static bool make_room(struct https_door *d)
{
    LIST_FOR(it, &d->visits)
    {
        struct visit *v = CONTAINER_OF(it, struct visit, link);
        if (v->near < 0 && (v->flags & VISIT_DEAD) == 0 &&
            v->until_ms - d->handshake_ms + LIMIT_FRESH_MS < loop_now_ms(d->loop)) {
            end_visit(v);
            return true;
        }
    }
    return false;
}

static void set_accepting(struct https_door *d, bool on)
{
    d->pausing = !on;
    for (size_t i = 0; i < d->port_count; i++)
        loop_poll_set(&d->ports[i].poll, on ? LOOP_READABLE : 0);
}

static void welcome(struct listening *l, int fd, const struct net_address *peer)
{
    struct https_door *d = l->door;
    struct visit *v = mem_zalloc(sizeof *v);
    *v = (struct visit){ .door = d, .port = &l->port, .peer = *peer, .far = fd, .near = -1 };
    buf_init_refusable(&v->in.b, 4 * PIECE_BYTES);
    buf_init_refusable(&v->out.b, 8 * PIECE_BYTES);
    v->until_ms = loop_now_ms(d->loop) + d->handshake_ms;
    if (!l->port.optional)
        v->tls = tls_conn_new(l->port.tls, &(struct tls_peer){ 0 });
    if ((!l->port.optional && v->tls == NULL) || loop_poll_open(d->loop, &v->far_poll, fd, on_far) != 0) {
        net_close(fd);
        tls_conn_free(v->tls);
        mem_free(v);
        return;
    }
    v->polls_open = 1;
    list_push_back(&d->visits, &v->link);
    d->visit_count++;
    watch(v);
}

static void on_accept(struct loop_poll *poll, unsigned events)
{
    struct listening *l = CONTAINER_OF(poll, struct listening, poll);
    struct net_address peer;
    int fd;
    (void)events;
    for (int i = 0; i < LIMIT_ACCEPTS_PER_TURN; i++) {
        if (l->door->visit_count >= LIMIT_HTTPS_CONNS) { /* who waits is in the kernel's queue */
            if (!make_room(l->door))
                set_accepting(l->door, false);
            return;
        }
        int rc = net_accept(l->port.listen_fd, &fd, &peer);
        if (rc == ERR_CLOSED)
            continue;
        if (rc == ERR_TOO_MANY_FILES)
            set_accepting(l->door, false);
        if (rc != 0)
            return;
        welcome(l, fd, &peer);
    }
}

static void reload(struct https_door *d)
{
    for (size_t i = 0; i < d->port_count; i++) {
        struct tls_error err;
        int rc = tls_context_reload(d->ports[i].port.tls, &err);
        if (rc > 0)
            log_info("https.reloaded", "port=%s", d->ports[i].port.name);
        else if (rc < 0)
            log_error("https.reload", "port=%s %s action=\"the former certificates stay\"", d->ports[i].port.name,
                      err.text);
    }
}

static void on_sweep(struct loop_timer *timer)
{
    struct https_door *d = CONTAINER_OF(timer, struct https_door, sweep);
    int64_t now_ms = loop_now_ms(d->loop);
    LIST_FOR_SAFE(it, &d->visits)
    {
        struct visit *v = CONTAINER_OF(it, struct visit, link);
        if ((v->flags & VISIT_DEAD) != 0 || now_ms < v->until_ms)
            continue;
        if (v->near >= 0)
            end_visit(v);
        else
            refuse(v, "the handshake took too long: ssl.quorum.handshakeDetectionTimeoutMillis");
    }
    if (now_ms >= d->reload_ms) {
        d->reload_ms = now_ms + RELOAD_MS;
        reload(d);
    }
    if (d->pausing)
        set_accepting(d, true);
    loop_timer_set(&d->sweep, SWEEP_MS);
}

/* ---- start and stop ---- */

static void on_listener_closed(struct loop_poll *poll)
{
    (void)poll;
}

static void on_stop(struct loop_wake *wake)
{
    struct https_door *d = CONTAINER_OF(wake, struct https_door, stop);
    d->stopping = true;
    loop_timer_close(&d->sweep);
    for (size_t i = 0; i < d->port_count; i++)
        loop_poll_close(&d->ports[i].poll, on_listener_closed);
    LIST_FOR_SAFE(it, &d->visits)
    end_visit(CONTAINER_OF(it, struct visit, link));
    loop_wake_close(wake);
    if (d->visit_count == 0)
        loop_stop(d->loop);
}

static void run(void *ctx)
{
    struct https_door *d = ctx;
    loop_run(d->loop);
}

struct https_door *https_door_start(const struct https_port *ports, size_t count, int64_t handshake_ms)
{
    struct https_door *d = mem_zalloc(sizeof *d);
    ASSERT(count <= HTTPS_DOOR_PORTS_MAX);
    d->loop = loop_new();
    d->handshake_ms = handshake_ms;
    d->warned_ms = -LIMIT_TLS_WARN_MS;
    list_init(&d->visits);
    for (size_t i = 0; i < count; i++) {
        struct listening *l = &d->ports[d->port_count++];
        *l = (struct listening){ .door = d, .port = ports[i] };
        ASSERT(loop_poll_open(d->loop, &l->poll, l->port.listen_fd, on_accept) == 0);
        loop_poll_set(&l->poll, LOOP_READABLE);
    }
    loop_wake_open(d->loop, &d->stop, on_stop);
    loop_timer_open(d->loop, &d->sweep, on_sweep);
    loop_timer_set(&d->sweep, SWEEP_MS);
    thread_start(&d->thread, "zokor-https", run, d);
    return d;
}

void https_door_stop(struct https_door *d)
{
    if (d == NULL)
        return;
    loop_wake(&d->stop);
    thread_join(&d->thread);
    loop_free(d->loop);
    for (size_t i = 0; i < d->port_count; i++) {
        net_close(d->ports[i].port.listen_fd);
        tls_context_free(d->ports[i].port.tls);
    }
    mem_free(d);
}

int64_t https_door_plain_count(const struct https_door *d)
{
    return d == NULL ? 0 : (int64_t)atomic_load(&d->plain_count);
}
