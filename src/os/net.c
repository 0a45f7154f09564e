#include "os/net.h"
#include "base/assert.h"
#include "base/err.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

/* What a peer may still have in the pipe when we close; reading more than this would be work for a stranger. */
#define CLOSE_DRAIN_BYTES (256 * 1024)

static void address_of(const struct sockaddr_storage *ss, struct net_address *to)
{
    memset(to, 0, sizeof *to);
    if (ss->ss_family == AF_INET) {
        const struct sockaddr_in *a = (const struct sockaddr_in *)ss;
        memcpy(to->bytes, &a->sin_addr, 4);
        to->port = ntohs(a->sin_port);
        return;
    }
    if (ss->ss_family != AF_INET6)
        return;
    const struct sockaddr_in6 *a = (const struct sockaddr_in6 *)ss;
    to->port = ntohs(a->sin6_port);
    if (IN6_IS_ADDR_V4MAPPED(&a->sin6_addr)) {
        memcpy(to->bytes, a->sin6_addr.s6_addr + 12, 4);
        return;
    }
    memcpy(to->bytes, &a->sin6_addr, 16);
    to->ipv6 = true;
}

static int err_of_errno(int number)
{
    switch (number) {
    case EADDRINUSE:
        return ERR_ADDRESS_IN_USE;
    case EACCES:
    case EPERM:
        return ERR_ACCESS;
    case EADDRNOTAVAIL:
        return ERR_INVALID;
    case EMFILE:
    case ENFILE:
        return ERR_TOO_MANY_FILES;
    case ENOMEM:
    case ENOBUFS:
        return ERR_NO_MEMORY;
    default:
        return ERR_IO;
    }
}

static int listen_on(const struct sockaddr *address, socklen_t length, int backlog, bool keepalive, int *out)
{
    int on = 1, off = 0;
    int fd = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    /* Linux hands these options down to accepted sockets: no call a connection. */
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (keepalive)
        setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    if (address->sa_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
    if (bind(fd, address, length) == 0 && listen(fd, backlog) == 0) {
        *out = fd;
        return 0;
    }
    int number = errno;
    close(fd);
    errno = number;
    return -1;
}

static socklen_t sockaddr_of(const struct net_address *a, struct sockaddr_storage *ss)
{
    memset(ss, 0, sizeof *ss);
    if (!a->ipv6) {
        struct sockaddr_in *four = (struct sockaddr_in *)ss;
        four->sin_family = AF_INET;
        four->sin_port = htons(a->port);
        memcpy(&four->sin_addr, a->bytes, 4);
        return sizeof *four;
    }
    struct sockaddr_in6 *six = (struct sockaddr_in6 *)ss;
    six->sin6_family = AF_INET6;
    six->sin6_port = htons(a->port);
    memcpy(&six->sin6_addr, a->bytes, 16);
    return sizeof *six;
}

static int listen_everywhere(uint16_t port, int backlog, bool keepalive, int *fd)
{
    struct sockaddr_in6 six = { .sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_addr = IN6ADDR_ANY_INIT };
    if (listen_on((const struct sockaddr *)&six, sizeof six, backlog, keepalive, fd) == 0)
        return 0;
    if (errno != EAFNOSUPPORT && errno != EADDRNOTAVAIL)
        return -1;
    struct sockaddr_in four = { .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_ANY) };
    return listen_on((const struct sockaddr *)&four, sizeof four, backlog, keepalive, fd);
}

int net_listen(const char *host, uint16_t port, int backlog, bool keepalive, int *fd, struct net_error *err)
{
    char service[8];
    int rc = -1;
    errno = 0;
    if (host[0] == '\0') {
        rc = listen_everywhere(port, backlog, keepalive, fd);
    } else {
        struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV };
        struct addrinfo *found = NULL;
        snprintf(service, sizeof service, "%u", port);
        int gai = getaddrinfo(host, service, &hints, &found);
        if (gai != 0) {
            snprintf(err->text, sizeof err->text, "%.128s: %s", host, gai_strerror(gai));
            return ERR_INVALID;
        }
        for (struct addrinfo *a = found; a != NULL && rc != 0; a = a->ai_next)
            rc = listen_on(a->ai_addr, a->ai_addrlen, backlog, keepalive, fd);
        int number = errno;
        freeaddrinfo(found);
        errno = number;
    }
    if (rc == 0)
        return 0;
    int number = errno;
    snprintf(err->text, sizeof err->text, "%.128s port %u: %s", host[0] != '\0' ? host : "every address", port,
             strerror(number));
    return err_of_errno(number);
}

int net_listen_at(const struct net_address *at, int backlog, bool keepalive, int *fd, struct net_error *err)
{
    struct sockaddr_storage ss;
    char text[NET_ADDRESS_TEXT_BYTES];
    socklen_t n = sockaddr_of(at, &ss);
    if (listen_on((const struct sockaddr *)&ss, n, backlog, keepalive, fd) == 0)
        return 0;
    int number = errno;
    net_address_text(at, text);
    snprintf(err->text, sizeof err->text, "%s: %s", text, strerror(number));
    return err_of_errno(number);
}

bool net_address_parse(const char *text, uint16_t port, struct net_address *to)
{
    *to = (struct net_address){ .port = port };
    if (inet_pton(AF_INET, text, to->bytes) == 1)
        return true;
    to->ipv6 = true;
    return inet_pton(AF_INET6, text, to->bytes) == 1;
}

void net_host_text(const struct net_address *a, char to[NET_ADDRESS_TEXT_BYTES])
{
    if (inet_ntop(a->ipv6 ? AF_INET6 : AF_INET, a->bytes, to, NET_ADDRESS_TEXT_BYTES) == NULL)
        to[0] = '\0';
}

void net_address_text(const struct net_address *a, char to[NET_ADDRESS_TEXT_BYTES])
{
    char host[NET_ADDRESS_TEXT_BYTES];
    net_host_text(a, host);
    snprintf(to, NET_ADDRESS_TEXT_BYTES, a->ipv6 ? "[%.46s]:%u" : "%.46s:%u", host, a->port);
}

static int err_of_dial(int number)
{
    switch (number) {
    case 0:
        return 0;
    case ECONNREFUSED:
        return ERR_CLOSED;
    case EMFILE:
    case ENFILE:
        return ERR_TOO_MANY_FILES;
    default:
        return ERR_IO;
    }
}

int net_dial(const struct net_address *to, bool keepalive, int *out)
{
    struct sockaddr_storage ss;
    socklen_t n = sockaddr_of(to, &ss);
    int on = 1;
    int fd = socket(ss.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return err_of_dial(errno);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (keepalive)
        setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    if (connect(fd, (const struct sockaddr *)&ss, n) == 0 || errno == EINPROGRESS || errno == EINTR) {
        *out = fd;
        return 0;
    }
    int number = errno;
    close(fd);
    return err_of_dial(number);
}

int net_dial_result(int fd)
{
    int number = 0;
    socklen_t n = sizeof number;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &number, &n) != 0)
        return ERR_IO;
    return err_of_dial(number);
}

uint16_t net_port(int fd)
{
    struct sockaddr_storage ss;
    struct net_address a;
    socklen_t n = sizeof ss;
    if (getsockname(fd, (struct sockaddr *)&ss, &n) != 0)
        return 0;
    address_of(&ss, &a);
    return a.port;
}

int net_accept(int listen_fd, int *fd, struct net_address *peer)
{
    struct sockaddr_storage ss;
    socklen_t n = sizeof ss;
    int got = accept4(listen_fd, (struct sockaddr *)&ss, &n, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (got >= 0) {
        *fd = got;
        address_of(&ss, peer);
        return 0;
    }
    if (errno == EAGAIN || errno == EWOULDBLOCK)
        return ERR_BUSY;
    if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS)
        return ERR_TOO_MANY_FILES;
    return ERR_CLOSED; /* accept(2): errors of the network that belong to the one connection */
}

static int64_t receive(int fd, void *p, size_t n, int flags)
{
    ssize_t got;
    do
        got = recv(fd, p, n, flags);
    while (got < 0 && errno == EINTR);
    if (got >= 0)
        return got;
    return errno == EAGAIN || errno == EWOULDBLOCK ? ERR_BUSY : ERR_CLOSED;
}

int64_t net_recv(int fd, void *p, size_t n)
{
    return receive(fd, p, n, 0);
}

int64_t net_peek(int fd, void *p, size_t n)
{
    return receive(fd, p, n, MSG_PEEK);
}

int64_t net_send(int fd, const struct slice *parts, size_t count)
{
    ssize_t sent;
    if (count == 1) {
        do
            sent = send(fd, parts[0].p, parts[0].n, MSG_NOSIGNAL);
        while (sent < 0 && errno == EINTR);
    } else {
        struct iovec v[NET_PARTS_MAX];
        ASSERT(count <= NET_PARTS_MAX);
        for (size_t i = 0; i < count; i++)
            v[i] = (struct iovec){ .iov_base = (void *)(uintptr_t)parts[i].p, .iov_len = parts[i].n };
        struct msghdr m = { .msg_iov = v, .msg_iovlen = count };
        do
            sent = sendmsg(fd, &m, MSG_NOSIGNAL);
        while (sent < 0 && errno == EINTR);
    }
    if (sent >= 0)
        return sent;
    return errno == EAGAIN || errno == EWOULDBLOCK || errno == ENOBUFS ? ERR_BUSY : ERR_CLOSED;
}

void net_end(int fd)
{
    (void)shutdown(fd, SHUT_WR);
}

void net_close(int fd)
{
    uint8_t sink[16 * 1024];
    for (size_t read = 0; read < CLOSE_DRAIN_BYTES;) {
        ssize_t n = recv(fd, sink, sizeof sink, MSG_DONTWAIT);
        if (n <= 0)
            break;
        read += (size_t)n;
    }
    close(fd);
}

bool net_canonical_name(const char *host, char to[NET_NAME_TEXT_BYTES])
{
    struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
    struct addrinfo *found = NULL;
    if (getaddrinfo(host, NULL, &hints, &found) != 0)
        return false;
    bool named = getnameinfo(found->ai_addr, found->ai_addrlen, to, NET_NAME_TEXT_BYTES, NULL, 0, NI_NAMEREQD) == 0;
    freeaddrinfo(found);
    return named;
}

int net_pair(int fds[2])
{
    return socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) == 0 ? 0 : ERR_IO;
}
