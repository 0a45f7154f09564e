/* http_ports: the admin port and the port for Prometheus, and the way of a request from their threads to the core's:
 * a queue behind a mutex, and a wake. The ports live as long as the process serves; a server (one life of core, log and
 * loop) attaches itself to them. Functions belong to the core's thread. */
#ifndef ZOKOR_SERVER_HTTP_PORTS_H
#define ZOKOR_SERVER_HTTP_PORTS_H

#include "admin/http.h"
#include "os/loop.h"
#include "os/thread.h"
#include "server/boot.h"
#include "server/https_door.h"

/* What the ports ask of the server that is attached. */
struct http_ports_server {
    void *ctx;
    struct loop *loop;
    struct command_host *words;
    const struct boot *boot;
    uint16_t client_port; /* as bound */
    /* Take a snapshot; http_ports_snapshot_begun and _ended will tell. */
    void (*want_snapshot)(void *ctx);
    /* Stop serving, let http_ports_install work on the directory, and begin anew. */
    void (*restart)(void *ctx);
};

struct http_ports {
    const struct config *config;
    struct http_ports_server server;
    char *snap_dir, *log_dir;
    enum snapshot_codec codec;
    int admin_fd, metrics_fd, metrics_tls_fd;
    struct tls_context *admin_tls, *metrics_tls; /* until the door takes them over */
    struct http *admin, *metrics, *metrics_secure;
    struct https_door *door; /* NULL: nobody speaks TLS here */
    struct web_host host;
    struct summary restore_ms;
    struct loop_wake wake;
    bool attached, started;
    int64_t snapshot_zxid, snapshot_seconds; /* the last one that is complete */
    int64_t snapshot_begun_zxid;
    struct list snapshot_wanted;             /* asks for the next snapshot that begins */
    struct list snapshot_awaited;            /* asks for the one being written */
    struct web_ask *restore;                 /* waits for the server to begin anew */
    int64_t restore_began_ms, restored_zxid; /* -1: it has failed */
    bool uploading;                          /* the admin port's thread alone */
    struct mutex mutex;                      /* guards what follows */
    struct list asked;
    bool closed;
};

/* Opens the sockets that the configuration wants. 0, or an exit code, the reason was logged: a metrics port that cannot
 * be had stops the start, as in Apache; the admin port is only missed. */
int http_ports_listen(struct http_ports *p, const struct config *config);
/* Descriptors that the ports of this configuration may take. */
int64_t http_ports_files_max(const struct config *config);
/* Requests are answered from here on; the first time starts the threads. 0, or an exit code. */
int http_ports_attach(struct http_ports *p, const struct http_ports_server *server);

/* A snapshot begins with this zxid; it has ended, well (0) or not. */
void http_ports_snapshot_begun(struct http_ports *p, int64_t zxid);
void http_ports_snapshot_ended(struct http_ports *p, int err);

/* Nothing is served any more: requests get the answer that says so. */
void http_ports_close(struct http_ports *p);
/* The server that was attached is about to end. */
void http_ports_detach(struct http_ports *p);
/* Between detach and attach, when the server was asked to begin anew: puts what was uploaded into the directory, where
 * nothing is above last_zxid. */
void http_ports_install(struct http_ports *p, struct fs *fs, const struct store_dirs *dirs, int64_t last_zxid);
/* Ends the threads. In any case, also after http_ports_listen has failed; does nothing on zeroed memory. */
void http_ports_stop(struct http_ports *p);

#endif
