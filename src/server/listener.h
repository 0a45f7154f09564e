/* listener: a client port. New sockets go to the fronts in turn. */
#ifndef ZOKOR_SERVER_LISTENER_H
#define ZOKOR_SERVER_LISTENER_H

#include "os/loop.h"
#include "os/net.h"

struct listener_options {
    struct loop *loop;
    int fd;
    void *ctx;
    /* May one more connection be accepted? */
    bool (*room)(void *ctx);
    /* Takes the socket over. */
    void (*add)(void *ctx, int fd, const struct net_address *peer);
};

struct listener {
    struct listener_options opt;
    struct loop_poll poll;
    struct loop_timer pause;
    int64_t warned_ms;
    bool open;
};

/* fd: from net_listen; owned from here on. */
void listener_open(struct listener *l, const struct listener_options *options);
/* Stops accepting and closes the port. Twice is fine. */
void listener_close(struct listener *l);

#endif
