/* A proxy between a client and its server that breaks connections at will: now, or just before the reply to a request
 * of a kind gets through. */
#ifndef ZOKOR_TEST_PROXY_H
#define ZOKOR_TEST_PROXY_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PROXY_LINKS_MAX 32
#define PROXY_BYTES (1 << 20)

struct proxy {
    int listener, port, target;
    pthread_t thread;
    pthread_mutex_t lock;
    int links[PROXY_LINKS_MAX][2];
    int shut;          /* nobody gets through */
    int frozen;        /* connections stay, nothing moves */
    int lose;          /* the reply to the next request of this type is lost, with the connection; 0: none */
    int old;           /* as Apache's servers before 3.6: what they do not know they refuse, and end the connection */
    int refusals;      /* how many */
    int notifications; /* frames of events that passed */
    int lost;          /* how many were */
    int ended;
};

/* One direction: frames are passed on whole. */
struct pipe_end {
    unsigned char *p;
    size_t n;
    int frames;
};

static inline int32_t proxy_i32(const unsigned char *p)
{
    return (int32_t)((uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3]);
}

struct proxy_link {
    struct proxy *proxy;
    int slot, client, server;
    int32_t doomed; /* the xid whose reply is not to arrive */
    int has_doomed;
};

static inline int proxy_write(int fd, const unsigned char *p, size_t n)
{
    while (n > 0) {
        ssize_t k = send(fd, p, n, MSG_NOSIGNAL);
        if (k <= 0)
            return -1;
        p += k;
        n -= (size_t)k;
    }
    return 0;
}

/* Requests that servers before 3.6 do not know: several reads in one, SetWatches2, AddWatch. */
static inline int proxy_is_new(int32_t type)
{
    return type == 22 || type == 105 || type == 106;
}

/* Answers "unimplemented" to the frame. What the client still sends is read, so that the answer gets there. */
static inline int proxy_refuse(struct proxy_link *l, const unsigned char *frame)
{
    unsigned char answer[20] = { [3] = 16, [16] = 0xff, [17] = 0xff, [18] = 0xff, [19] = 0xfa };
    char rest[4096];
    memcpy(answer + 4, frame + 4, 4);
    if (proxy_write(l->client, answer, sizeof(answer)) == 0 && shutdown(l->client, SHUT_WR) == 0) {
        while (recv(l->client, rest, sizeof(rest), 0) > 0)
            ;
    }
    return -1;
}

/* Passes whole frames; -1: the link ends. */
static inline int proxy_pass(struct proxy_link *l, struct pipe_end *e, int from, int to, int is_request)
{
    ssize_t k = recv(from, e->p + e->n, PROXY_BYTES - e->n, 0);
    if (k <= 0)
        return -1;
    e->n += (size_t)k;
    while (e->n >= 4 && e->n >= 4 + (size_t)proxy_i32(e->p)) {
        size_t n = 4 + (size_t)proxy_i32(e->p);
        if (e->frames++ > 0 && n >= 8) { /* the first is the handshake */
            pthread_mutex_lock(&l->proxy->lock);
            int lose = l->proxy->lose;
            if (is_request && lose != 0 && !l->has_doomed && n >= 12 && proxy_i32(e->p + 8) == lose) {
                l->has_doomed = 1;
                l->doomed = proxy_i32(e->p + 4);
                l->proxy->lose = 0;
            }
            int cut = !is_request && l->has_doomed && proxy_i32(e->p + 4) == l->doomed;
            l->proxy->lost += cut;
            l->proxy->notifications += !is_request && proxy_i32(e->p + 4) == -1;
            int refuse = is_request && l->proxy->old && n >= 12 && proxy_is_new(proxy_i32(e->p + 8));
            l->proxy->refusals += refuse;
            pthread_mutex_unlock(&l->proxy->lock);
            if (cut)
                return -1;
            if (refuse)
                return proxy_refuse(l, e->p);
        }
        if (proxy_write(to, e->p, n) < 0)
            return -1;
        memmove(e->p, e->p + n, e->n - n);
        e->n -= n;
    }
    return 0;
}

static inline void *proxy_link_main(void *arg)
{
    struct proxy_link *l = arg;
    struct pipe_end up = { .p = malloc(PROXY_BYTES) }, down = { .p = malloc(PROXY_BYTES) };
    for (int alive = 1; alive;) {
        struct pollfd fds[2] = { { .fd = l->client, .events = POLLIN }, { .fd = l->server, .events = POLLIN } };
        pthread_mutex_lock(&l->proxy->lock);
        int frozen = l->proxy->frozen, ended = l->proxy->ended;
        pthread_mutex_unlock(&l->proxy->lock);
        if (ended)
            break;
        if (frozen) {
            poll(NULL, 0, 20);
            continue;
        }
        if (poll(fds, 2, 50) < 0)
            break;
        if (fds[0].revents != 0)
            alive = proxy_pass(l, &up, l->client, l->server, 1) == 0;
        if (alive && fds[1].revents != 0)
            alive = proxy_pass(l, &down, l->server, l->client, 0) == 0;
    }
    pthread_mutex_lock(&l->proxy->lock);
    close(l->client);
    close(l->server);
    l->proxy->links[l->slot][0] = -1;
    pthread_mutex_unlock(&l->proxy->lock);
    free(up.p);
    free(down.p);
    free(l);
    return NULL;
}

static inline int proxy_dial(int port)
{
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0)
        return fd;
    close(fd);
    return -1;
}

static inline void proxy_accept(struct proxy *x)
{
    int client = accept(x->listener, NULL, NULL);
    int server = client < 0 ? -1 : proxy_dial(x->target);
    int at_once = 1;
    if (server >= 0) {
        setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &at_once, sizeof(at_once));
        setsockopt(server, IPPROTO_TCP, TCP_NODELAY, &at_once, sizeof(at_once));
    }
    pthread_mutex_lock(&x->lock);
    int slot = 0;
    while (slot < PROXY_LINKS_MAX && x->links[slot][0] >= 0)
        slot++;
    if (server < 0 || x->shut || slot == PROXY_LINKS_MAX) {
        pthread_mutex_unlock(&x->lock);
        if (client >= 0)
            close(client);
        if (server >= 0)
            close(server);
        return;
    }
    struct proxy_link *l = calloc(1, sizeof(*l));
    *l = (struct proxy_link){ .proxy = x, .slot = slot, .client = client, .server = server };
    x->links[slot][0] = client;
    x->links[slot][1] = server;
    pthread_mutex_unlock(&x->lock);
    pthread_t t;
    pthread_create(&t, NULL, proxy_link_main, l);
    pthread_detach(t);
}

static inline void *proxy_main(void *arg)
{
    struct proxy *x = arg;
    for (;;) {
        pthread_mutex_lock(&x->lock);
        int ended = x->ended;
        pthread_mutex_unlock(&x->lock);
        if (ended)
            return NULL;
        struct pollfd f = { .fd = x->listener, .events = POLLIN };
        if (poll(&f, 1, 50) > 0)
            proxy_accept(x);
    }
}

static inline struct proxy *proxy_start(int target)
{
    struct proxy *x = calloc(1, sizeof(*x));
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t n = sizeof(a);
    x->target = target;
    pthread_mutex_init(&x->lock, NULL);
    for (int i = 0; i < PROXY_LINKS_MAX; i++)
        x->links[i][0] = -1;
    x->listener = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(x->listener, (struct sockaddr *)&a, n) != 0 || listen(x->listener, 64) != 0)
        abort();
    getsockname(x->listener, (struct sockaddr *)&a, &n);
    x->port = ntohs(a.sin_port);
    pthread_create(&x->thread, NULL, proxy_main, x);
    return x;
}

static inline void proxy_cut(struct proxy *x)
{
    pthread_mutex_lock(&x->lock);
    for (int i = 0; i < PROXY_LINKS_MAX; i++) {
        if (x->links[i][0] >= 0) {
            shutdown(x->links[i][0], SHUT_RDWR);
            shutdown(x->links[i][1], SHUT_RDWR);
        }
    }
    pthread_mutex_unlock(&x->lock);
}

/* Cuts, and lets nobody in until it is opened again. */
static inline void proxy_shut(struct proxy *x, int shut)
{
    pthread_mutex_lock(&x->lock);
    x->shut = shut;
    pthread_mutex_unlock(&x->lock);
    if (shut)
        proxy_cut(x);
}

static inline void proxy_freeze(struct proxy *x, int frozen)
{
    pthread_mutex_lock(&x->lock);
    x->frozen = frozen;
    pthread_mutex_unlock(&x->lock);
}

static inline void proxy_lose_reply(struct proxy *x, int type)
{
    pthread_mutex_lock(&x->lock);
    x->lose = type;
    pthread_mutex_unlock(&x->lock);
}

static inline int proxy_lost(struct proxy *x)
{
    pthread_mutex_lock(&x->lock);
    int lost = x->lost;
    pthread_mutex_unlock(&x->lock);
    return lost;
}

static inline void proxy_make_old(struct proxy *x)
{
    pthread_mutex_lock(&x->lock);
    x->old = 1;
    pthread_mutex_unlock(&x->lock);
}

static inline int proxy_refusals(struct proxy *x)
{
    pthread_mutex_lock(&x->lock);
    int n = x->refusals;
    pthread_mutex_unlock(&x->lock);
    return n;
}

static inline int proxy_notifications(struct proxy *x)
{
    pthread_mutex_lock(&x->lock);
    int n = x->notifications;
    pthread_mutex_unlock(&x->lock);
    return n;
}

static inline void proxy_end(struct proxy *x)
{
    pthread_mutex_lock(&x->lock);
    x->ended = 1;
    pthread_mutex_unlock(&x->lock);
    pthread_join(x->thread, NULL);
    for (int open = 1; open;) {
        open = 0;
        pthread_mutex_lock(&x->lock);
        for (int i = 0; i < PROXY_LINKS_MAX; i++)
            open |= x->links[i][0] >= 0;
        pthread_mutex_unlock(&x->lock);
        poll(NULL, 0, 10);
    }
    close(x->listener);
    free(x);
}

#endif
