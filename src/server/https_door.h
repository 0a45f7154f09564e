/* https_door: TLS in front of the HTTP ports (admin.portUnification, admin.forceHttps, metricsProvider.httpsPort). A
 * thread of its own accepts, speaks TLS, and hands each connection to the port's HTTP as the other end of a socket
 * pair; the HTTP library needs no TLS of its own and sees who asks. Where plain connections are welcome too, the first
 * byte tells them apart, and they are handed on as they are.
 *
 * Bounds: connections, time for a handshake, bytes that wait either way. */
#ifndef ZOKOR_SERVER_HTTPS_DOOR_H
#define ZOKOR_SERVER_HTTPS_DOOR_H

#include "admin/http.h"
#include "os/tls.h"

#define HTTPS_DOOR_PORTS_MAX 2u

struct https_port {
    int listen_fd;           /* taken over */
    struct http *http;       /* lives as long as the door */
    struct tls_context *tls; /* taken over */
    bool optional;           /* plain connections are welcome, too */
    const char *name;        /* in the log: "admin", "metrics" */
};

struct https_door;

/* Starts the thread. handshake_ms: time to tell TLS from plain, and for the handshake. */
struct https_door *https_door_start(const struct https_port *ports, size_t count, int64_t handshake_ms);
/* Ends it: connections are closed, the ports' sockets and contexts freed. NULL is fine. */
void https_door_stop(struct https_door *d);
/* Plain connections so far, of ports that take both. Any thread; NULL: none. */
int64_t https_door_plain_count(const struct https_door *d);

#endif
