/* http_ports: the admin port and the port for Prometheus, and the way of a request from their threads to the core's:
 * a queue behind a mutex, and a wake. Functions belong to the core's thread. */
#ifndef ZOKOR_SERVER_HTTP_PORTS_H
#define ZOKOR_SERVER_HTTP_PORTS_H

#include "admin/http.h"
#include "os/loop.h"
#include "os/thread.h"
#include "server/boot.h"

struct http_ports {
    const struct config *config;
    const struct boot *boot;
    uint16_t client_port; /* as bound */
    int admin_fd, metrics_fd;
    struct http *admin, *metrics;
    struct web_host host;
    struct loop_wake wake;
    int64_t snapshot_zxid, snapshot_seconds; /* the last one that is complete */
    struct mutex mutex;                      /* guards what follows */
    struct list asked;
    bool closed;
};

/* Opens the sockets that the configuration wants. 0, or an exit code, the reason was logged: a metrics port that cannot
 * be had stops the start, as in Apache; the admin port is only missed. */
int http_ports_listen(struct http_ports *p, const struct config *config);
/* Answers from here on. words: as for four-letter words. 0 or an exit code; http_ports_stop in either case. */
int http_ports_start(struct http_ports *p, struct loop *loop, struct command_host *words, const struct boot *boot,
                     uint16_t client_port);
/* A snapshot is complete. */
void http_ports_saved(struct http_ports *p, int64_t zxid);
/* Nothing is served any more: requests get the answer that says so. */
void http_ports_close(struct http_ports *p);
/* Ends the threads. Does nothing after http_ports_listen has failed, or twice. */
void http_ports_stop(struct http_ports *p);

#endif
