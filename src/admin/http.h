/* http: one HTTP port with a thread of its own, for the admin commands, the page for Prometheus, or both. The thread
 * reads requests, finds the command and lends it to the core's thread (web.h); while that writes, the connection rests.
 *
 * Bounds: connections, bytes of a request's head, time without a byte, time to send a whole head when others wait. */
#ifndef ZOKOR_ADMIN_HTTP_H
#define ZOKOR_ADMIN_HTTP_H

#include "admin/web.h"
#include "os/net.h"

/* Descriptors that one port may take: connections, some that are on their way in or out, and its own. */
#define HTTP_FILES_MAX 112

struct http;

struct http_options {
    int listen_fd;           /* taken over, also on failure; -1: connections come by http_add alone */
    const char *command_url; /* where the commands are; NULL: no commands here */
    bool metrics;            /* /metrics is here */
    bool process_info;       /* it shows what the process uses, too */
    int idle_ms;             /* a connection on which nothing happens for so long is closed */
    bool forwarded;          /* who asks is named by X-Forwarded-For */
    const char *snap_dir, *log_dir;
    /* What comes with restore. On this port's thread: begin gives *upload, or an error; end looks at it as a whole, 0
     * or an error; drop comes in any case where begin was well. */
    int (*upload_begin)(void *ctx, void **upload);
    int (*upload_write)(void *upload, const void *p, size_t n);
    int (*upload_end)(void *upload);
    void (*upload_drop)(void *upload);
    /* Lends the ask: ask->done will be called once, by any thread, perhaps before this returns. Any thread. */
    void (*ask)(void *ctx, struct web_ask *ask);
    void *ctx;
};

/* Loads the library and starts the thread. NULL with *why. */
struct http *http_start(const struct http_options *options, const char **why);
/* A connection that somebody else has accepted, from peer; fd is taken over in any case. False: there is no room for
 * it. A Unix socket is one that came by TLS: its answers tell browsers to do so always. Any thread. */
bool http_add(struct http *h, int fd, const struct net_address *peer);
/* Ends the thread and frees. Everything lent must come back meanwhile: ask must answer by itself. NULL is fine. */
void http_stop(struct http *h);

#endif
