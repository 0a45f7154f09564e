/* What the shell of the library asks the system about sockets. */
#include "sim_recipe/socket.h"
#include "sim_recipe/wrap.h"
#include "base/mem.h"
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

/* A failed call of the system. */
static int fails(int error)
{
    errno = error;
    return -1;
}

static int new_sock(enum sock_state state)
{
    struct fiber *f = fiber_leave();
    int fd = sock_new(f, state);
    fiber_enter(f);
    return fd;
}

WRAP(int, socket, (int domain, int type, int protocol))
{
    if (fiber_current == NULL)
        return __real_socket(domain, type, protocol);
    return new_sock(SOCK_NEW);
}

WRAP(int, eventfd, (unsigned value, int flags))
{
    if (fiber_current == NULL)
        return __real_eventfd(value, flags);
    return new_sock(SOCK_EVENT);
}

WRAP(int, close, (int fd))
{
    if (fiber_current == NULL || fd < SOCKET_FIRST)
        return __real_close(fd);
    struct sock *s = sock_at(fd);
    if (s == NULL)
        return fails(EBADF);
    struct fiber *f = fiber_leave();
    sock_close(s, fd);
    fiber_enter(f);
    return 0;
}

WRAP(int, connect, (int fd, const struct sockaddr *to, socklen_t n))
{
    if (fiber_current == NULL)
        return __real_connect(fd, to, n);
    struct sockaddr_in a;
    struct sock *s = sock_at(fd);
    if (s == NULL || n != sizeof a)
        return fails(EBADF);
    memcpy(&a, to, sizeof a);
    struct fiber *f = fiber_leave();
    int error = sock_connect(s, (ntohl(a.sin_addr.s_addr) & 0xff) - 1);
    fiber_enter(f);
    fiber_pause();
    return error == 0 ? 0 : fails(error);
}

WRAP(int, setsockopt, (int fd, int level, int name, const void *p, socklen_t n))
{
    return fiber_current == NULL ? __real_setsockopt(fd, level, name, p, n) : 0;
}

WRAP(int, getsockopt, (int fd, int level, int name, void *p, socklen_t *n))
{
    if (fiber_current == NULL)
        return __real_getsockopt(fd, level, name, p, n);
    const struct sock *s = sock_at(fd);
    if (s == NULL)
        return fails(EBADF);
    memcpy(p, &s->error, sizeof s->error);
    return 0;
}

static ssize_t receive(int fd, void *p, size_t n)
{
    struct sock *s = sock_at(fd);
    int error = 0;
    fiber_pause();
    if (s == NULL)
        return fails(EBADF);
    struct fiber *f = fiber_leave();
    int64_t got = sock_read(s, p, n, &error);
    fiber_enter(f);
    return got < 0 ? fails(error) : (ssize_t)got;
}

WRAP(ssize_t, recv, (int fd, void *p, size_t n, int flags))
{
    return fiber_current == NULL ? __real_recv(fd, p, n, flags) : receive(fd, p, n);
}

WRAP(ssize_t, __recv_chk, (int fd, void *p, size_t n, size_t size, int flags))
{
    return fiber_current == NULL ? __real___recv_chk(fd, p, n, size, flags) : receive(fd, p, n);
}

WRAP(ssize_t, send, (int fd, const void *p, size_t n, int flags))
{
    if (fiber_current == NULL)
        return __real_send(fd, p, n, flags);
    struct sock *s = sock_at(fd);
    int error = 0;
    fiber_pause();
    if (s == NULL)
        return fails(EBADF);
    struct fiber *f = fiber_leave();
    int64_t done = sock_write(s, p, n, &error);
    fiber_enter(f);
    return done < 0 ? fails(error) : (ssize_t)done;
}

/* Of events only; everything else is the system's. */
WRAP(ssize_t, write, (int fd, const void *p, size_t n))
{
    if (fiber_current == NULL || fd < SOCKET_FIRST)
        return __real_write(fd, p, n);
    struct sock *s = sock_at(fd);
    if (s == NULL || s->state != SOCK_EVENT)
        return fails(EBADF);
    s->value++;
    fibers_wake(&world->fibers, s->app, true);
    return (ssize_t)n;
}

static ssize_t read_event(int fd, void *p, size_t n)
{
    struct sock *s = sock_at(fd);
    if (s == NULL || s->state != SOCK_EVENT || n != sizeof s->value)
        return fails(EBADF);
    memcpy(p, &s->value, n);
    s->value = 0;
    return (ssize_t)n;
}

WRAP(ssize_t, read, (int fd, void *p, size_t n))
{
    return fiber_current == NULL || fd < SOCKET_FIRST ? __real_read(fd, p, n) : read_event(fd, p, n);
}

WRAP(ssize_t, __read_chk, (int fd, void *p, size_t n, size_t size))
{
    return fiber_current == NULL || fd < SOCKET_FIRST ? __real___read_chk(fd, p, n, size) : read_event(fd, p, n);
}

/* ---- poll ---- */

static int look(struct pollfd *fds, nfds_t n, int64_t *due_us)
{
    int ready = 0;
    for (nfds_t i = 0; i < n; i++) {
        struct sock *s = fds[i].fd < 0 ? NULL : sock_at(fds[i].fd);
        fds[i].revents = s == NULL ? (fds[i].fd < 0 ? 0 : POLLNVAL) : sock_events(s, fds[i].events);
        ready += fds[i].revents != 0;
        if (s != NULL && sock_due_us(s) < *due_us)
            *due_us = sock_due_us(s);
    }
    return ready;
}

static int poll_fiber(struct pollfd *fds, nfds_t n, int timeout_ms)
{
    int64_t end_us = timeout_ms < 0 ? FIBER_NEVER : world_now_us() + (int64_t)timeout_ms * 1000;
    fiber_pause();
    for (;;) {
        int64_t due_us = end_us;
        int ready = look(fds, n, &due_us);
        if (ready != 0 || world_now_us() >= end_us)
            return ready;
        (void)fiber_sleep(app_here(), due_us);
    }
}

WRAP(int, poll, (struct pollfd * fds, nfds_t n, int timeout_ms))
{
    return fiber_current == NULL ? __real_poll(fds, n, timeout_ms) : poll_fiber(fds, n, timeout_ms);
}

WRAP(int, __poll_chk, (struct pollfd * fds, nfds_t n, int timeout_ms, size_t size))
{
    return fiber_current == NULL ? __real___poll_chk(fds, n, timeout_ms, size) : poll_fiber(fds, n, timeout_ms);
}

/* ---- epoll: only as a set that poll asks ---- */

WRAP(int, epoll_create1, (int flags))
{
    return fiber_current == NULL ? __real_epoll_create1(flags) : new_sock(SOCK_SET);
}

WRAP(int, epoll_ctl, (int set, int what, int fd, struct epoll_event *e))
{
    if (fiber_current == NULL)
        return __real_epoll_ctl(set, what, fd, e);
    struct sock *s = sock_at(set);
    if (s == NULL || s->state != SOCK_SET || sock_at(fd) == NULL)
        return fails(EBADF);
    if (what == EPOLL_CTL_ADD ? s->member >= 0 : s->member != fd)
        return fails(what == EPOLL_CTL_ADD ? ENOSPC : ENOENT);
    s->member = what == EPOLL_CTL_DEL ? -1 : fd;
    s->wanted = what == EPOLL_CTL_DEL || (e->events & EPOLLIN) == 0 ? 0 : POLLIN;
    fibers_wake(&world->fibers, s->app, true);
    return 0;
}

/* ---- names ---- */

struct answer {
    struct addrinfo info;
    struct sockaddr_in addr;
};

WRAP(int, getaddrinfo, (const char *name, const char *port, const struct addrinfo *hints, struct addrinfo **list))
{
    unsigned member;
    if (fiber_current == NULL)
        return __real_getaddrinfo(name, port, hints, list);
    fiber_pause();
    if (sscanf(name, "10.0.0.%u", &member) != 1)
        return EAI_NONAME;
    if (!world->c->healing && dice_one_in(&app_here()->chance, 40))
        return EAI_AGAIN;
    struct answer *a = mem_zalloc(sizeof *a);
    a->addr = (struct sockaddr_in){ .sin_family = AF_INET,
                                    .sin_port = htons(2181),
                                    .sin_addr.s_addr = htonl(10u << 24 | member) };
    a->info = (struct addrinfo){ .ai_family = AF_INET,
                                 .ai_socktype = SOCK_STREAM,
                                 .ai_addrlen = sizeof a->addr,
                                 .ai_addr = (struct sockaddr *)&a->addr };
    *list = &a->info;
    return 0;
}

WRAP(void, freeaddrinfo, (struct addrinfo * list))
{
    if (fiber_current == NULL)
        __real_freeaddrinfo(list);
    else
        mem_free(list);
}
