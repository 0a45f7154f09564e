/* net: stream sockets, always non-blocking. Bytes pass through net_recv and net_send alone, so that a filter (TLS) can
 * stand there. Functions return 0 or a count, or a negative enum err. */
#ifndef ZOKOR_OS_NET_H
#define ZOKOR_OS_NET_H

#include "base/slice.h"

struct net_address {
    uint8_t bytes[16]; /* IPv4 in the first 4; an IPv4 address mapped into IPv6 is given as IPv4 */
    bool ipv6;
    uint16_t port;
};

struct net_error {
    char text[256]; /* for the operator: what failed and why */
};

/* Listens on host:port with SO_REUSEADDR; accepted sockets inherit TCP_NODELAY and, if wanted, keep-alive. host "" is
 * every address, IPv6 and IPv4 in one socket where the machine has both. Port 0: the kernel chooses.
 * 0; ERR_ADDRESS_IN_USE, ERR_ACCESS, ERR_INVALID (host cannot be resolved) or ERR_IO with err filled. Resolves names:
 * may block, for start-up only. */
int net_listen(const char *host, uint16_t port, int backlog, bool keepalive, int *fd, struct net_error *err);
/* The port a socket is bound to, 0 if that cannot be said. */
uint16_t net_port(int fd);

/* The same for an address that is known already: never blocks. Port 0: the kernel chooses. */
int net_listen_at(const struct net_address *at, int backlog, bool keepalive, int *fd, struct net_error *err);

/* An address written in digits, IPv6 without brackets. False for anything else: it is a name. */
bool net_address_parse(const char *text, uint16_t port, struct net_address *to);
#define NET_ADDRESS_TEXT_BYTES 64
/* "127.0.0.1:2888", "[::1]:2888". */
void net_address_text(const struct net_address *a, char to[NET_ADDRESS_TEXT_BYTES]);
/* The same without the port and without brackets. */
void net_host_text(const struct net_address *a, char to[NET_ADDRESS_TEXT_BYTES]);

#define NET_NAME_TEXT_BYTES 256
/* The full name of a host: that of its first address. False: there is none. Waits for the name service. */
bool net_canonical_name(const char *host, char to[NET_NAME_TEXT_BYTES]);
/* Begins to connect, with TCP_NODELAY: 0 and a socket; once that is writable, net_dial_result tells how it went. Or
 * ERR_TOO_MANY_FILES, ERR_CLOSED (refused at once), ERR_IO (no way there). */
int net_dial(const struct net_address *to, bool keepalive, int *fd);
/* 0; ERR_CLOSED: nobody listens there; ERR_IO: any other failure. */
int net_dial_result(int fd);

/* 0 and a socket; ERR_BUSY: none waits; ERR_TOO_MANY_FILES: no descriptor or memory is left, try again later;
 * ERR_CLOSED: that connection was gone already, go on. */
int net_accept(int listen_fd, int *fd, struct net_address *peer);

/* Bytes read; 0 at the peer's end; ERR_BUSY: nothing there; ERR_CLOSED: the connection broke. */
int64_t net_recv(int fd, void *p, size_t n);

/* The same, and what was read stays there to be read again. */
int64_t net_peek(int fd, void *p, size_t n);
#define NET_PARTS_MAX 64
/* Sends the parts in order with one call: bytes taken (fewer than given when the socket is full), ERR_BUSY for none,
 * ERR_CLOSED: the connection broke. count at most NET_PARTS_MAX. Never raises SIGPIPE. */
int64_t net_send(int fd, const struct slice *parts, size_t count);

/* Tells the peer that nothing more comes. */
void net_end(int fd);
/* Closes. What was read from the socket but not by us would make the kernel tear down the connection and with it the
 * last reply, so what has arrived (up to a bound) is read first. */
void net_close(int fd);

/* A connected pair. */
int net_pair(int fds[2]);

#endif
