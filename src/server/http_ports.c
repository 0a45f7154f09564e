#include "server/http_ports.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "os/clock.h"
#include "os/net.h"
#include "os/process.h"
#include "server/limits.h"
#include "server/quorum_tls.h"
#include "server/restore.h"
#include "server/server.h"
#include <stdio.h>

#define PROMETHEUS "org.apache.zookeeper.metrics.prometheus.PrometheusMetricsProvider"
#define PORT_NONE (-1)
#define PATH_BYTES 4096

/* What comes with restore. */
struct upload {
    struct http_ports *ports;
    struct restore *restore;
};

static bool wants_prometheus(const struct config *c)
{
    return strcmp(c->metrics_class, PROMETHEUS) == 0;
}

/* With zoo.cfg the defaults are Apache's, whose operators expect them. Without, this is somebody's own machine. */
static const char *admin_address(const struct config *c)
{
    bool chosen = c->origin[CONFIG_KEY_admin_address] != CONFIG_FROM_DEFAULT;
    return !chosen && c->file[0] == '\0' ? "127.0.0.1" : c->admin_address;
}

static bool shares_port(const struct config *c)
{
    return wants_prometheus(c) && c->admin_enabled && c->metrics_port == c->admin_port &&
           strcmp(c->metrics_host, admin_address(c)) == 0;
}

static bool admin_speaks_tls(const struct config *c)
{
    return c->admin_enabled && (c->admin_unified || c->admin_force_https);
}

int64_t http_ports_files_max(const struct config *c)
{
    bool prometheus = wants_prometheus(c);
    int64_t ports = c->admin_enabled;
    if (prometheus && c->metrics_port >= 0 && !shares_port(c))
        ports++;
    if (prometheus && c->metrics_https_port >= 0)
        ports++;
    bool tls = admin_speaks_tls(c) || (prometheus && c->metrics_https_port >= 0);
    return ports * HTTP_FILES_MAX + (tls ? 2 * (int64_t)LIMIT_HTTPS_CONNS : 0);
}

/* ---- sockets ---- */

static int check_class(const struct config *c)
{
    static const char *const known[] = { "org.apache.zookeeper.metrics.impl.DefaultMetricsProvider",
                                         "org.apache.zookeeper.metrics.impl.NullMetricsProvider", PROMETHEUS };
    for (size_t i = 0; i < ARRAY_COUNT(known); i++)
        if (strcmp(c->metrics_class, known[i]) == 0)
            return 0;
    log_error("metrics.config", "metricsProvider.className=%s next=\"it is not known here; known are %s, %s, %s\"",
              c->metrics_class, known[0], known[1], known[2]);
    return SERVER_EXIT_USAGE;
}

/* One port for plain connections and TLS. */
static bool metrics_are_unified(const struct config *c)
{
    return c->metrics_https_port >= 0 && c->metrics_https_port == c->metrics_port;
}

static int make_metrics_tls(struct http_ports *p)
{
    const struct config *c = p->config;
    struct tls_error err;
    struct tls_options o = {
        .role = TLS_SERVER,
        .key = { .location = c->metrics_key_store, .password = c->metrics_key_password, .type = c->metrics_key_type },
        .trust = { .location = c->metrics_trust_store,
                   .password = c->metrics_trust_password,
                   .type = c->metrics_trust_type },
        .protocols = c->metrics_protocols,
        .ciphers = c->metrics_ciphers,
        .client_auth = c->metrics_need_client_auth   ? TLS_AUTH_NEED
                       : c->metrics_want_client_auth ? TLS_AUTH_WANT
                                                     : TLS_AUTH_NONE,
        .prefix = "metricsProvider.ssl.",
    };
    if (tls_context_new(&o, &p->metrics_tls, &err) == 0)
        return 0;
    log_error("metrics.tls", "%s", err.text);
    return SERVER_EXIT_FAILED;
}

static int listen_one(struct http_ports *p, int32_t port, int *fd, const char *key)
{
    struct net_error err;
    if (net_listen(p->config->metrics_host, (uint16_t)port, LIMIT_HTTP_BACKLOG, false, fd, &err) == 0)
        return 0;
    log_error("metrics.listen", "%s next=\"find what uses the port (ss -ltnp), or set metricsProvider.%s\"", err.text,
              key);
    *fd = PORT_NONE;
    return SERVER_EXIT_FAILED;
}

static int listen_metrics(struct http_ports *p)
{
    const struct config *c = p->config;
    int rc = 0;
    if (!wants_prometheus(c))
        return 0;
    if (c->metrics_https_port >= 0 && (rc = make_metrics_tls(p)) != 0)
        return rc;
    if (c->metrics_port >= 0 && !shares_port(c) && !metrics_are_unified(c))
        rc = listen_one(p, c->metrics_port, &p->metrics_fd, "httpPort");
    if (rc == 0 && c->metrics_https_port >= 0)
        rc = listen_one(p, c->metrics_https_port, &p->metrics_tls_fd, "httpsPort");
    return rc;
}

/* As Apache's server goes on without its admin port if that, or its keys, cannot be had. */
static int listen_admin(struct http_ports *p)
{
    const struct config *c = p->config;
    struct net_error err;
    struct tls_error tls_err;
    if (!c->admin_enabled)
        return 0;
    if (admin_speaks_tls(c) && quorum_tls_admin(c, &p->admin_tls, &tls_err) != 0) {
        log_warn("admin.tls", "%s action=\"the server goes on without its admin port\"", tls_err.text);
        return shares_port(c) ? SERVER_EXIT_FAILED : 0;
    }
    if (net_listen(admin_address(c), (uint16_t)c->admin_port, LIMIT_HTTP_BACKLOG, false, &p->admin_fd, &err) == 0)
        return 0;
    log_warn("admin.listen",
             "%s next=\"the server goes on without its admin port; set admin.serverPort, or "
             "admin.enableServer=false\"",
             err.text);
    p->admin_fd = PORT_NONE;
    return shares_port(c) ? SERVER_EXIT_FAILED : 0;
}

int http_ports_listen(struct http_ports *p, const struct config *c)
{
    *p = (struct http_ports){
        .config = c, .admin_fd = PORT_NONE, .metrics_fd = PORT_NONE, .metrics_tls_fd = PORT_NONE, .closed = true
    };
    mutex_init(&p->mutex);
    list_init(&p->asked);
    list_init(&p->snapshot_wanted);
    list_init(&p->snapshot_awaited);
    int rc = check_class(c);
    if (rc == 0)
        rc = listen_metrics(p);
    return rc != 0 ? rc : listen_admin(p);
}

/* ---- from thread to thread ---- */

/* On the thread of a port. */
static void on_ask(void *ctx, struct web_ask *ask)
{
    struct http_ports *p = ctx;
    mutex_lock(&p->mutex);
    bool closed = p->closed;
    if (!closed) {
        list_push_back(&p->asked, &ask->link);
        loop_wake(&p->wake);
    }
    mutex_unlock(&p->mutex);
    if (closed) {
        web_serve_closed(ask);
        ask->done(ask);
    }
}

static struct web_ask *take_first(struct list *list)
{
    if (list_empty(list))
        return NULL;
    struct web_ask *ask = CONTAINER_OF(list->next, struct web_ask, link);
    list_remove(&ask->link);
    return ask;
}

static struct web_ask *take(struct http_ports *p)
{
    mutex_lock(&p->mutex);
    struct web_ask *ask = take_first(&p->asked);
    mutex_unlock(&p->mutex);
    return ask;
}

/* One piece a turn: whoever reads much waits, clients do not. */
static void on_wake(struct loop_wake *wake)
{
    struct http_ports *p = CONTAINER_OF(wake, struct http_ports, wake);
    struct web_ask *ask = take(p);
    if (ask == NULL)
        return;
    web_serve(&p->host, ask, LIMIT_WORD_PIECE_BYTES);
    if (!ask->pending)
        ask->done(ask);
    mutex_lock(&p->mutex);
    if (!list_empty(&p->asked))
        loop_wake(&p->wake);
    mutex_unlock(&p->mutex);
}

/* Ends an ask that waited for something that will not be. */
static void fail(struct web_ask *ask)
{
    web_finish(ask, WEB_FAILED, -1);
    ask->done(ask);
}

void http_ports_close(struct http_ports *p)
{
    struct web_ask *ask;
    mutex_lock(&p->mutex);
    p->closed = true;
    mutex_unlock(&p->mutex);
    while ((ask = take(p)) != NULL) {
        web_serve_closed(ask);
        ask->done(ask);
    }
    while ((ask = take_first(&p->snapshot_wanted)) != NULL || (ask = take_first(&p->snapshot_awaited)) != NULL)
        fail(ask);
}

/* ---- what commands ask ---- */

static void host_conf(void *ctx, struct json *j)
{
    const struct http_ports *p = ctx;
    const struct config *c = p->config;
    json_member_number(j, "client_port", p->server.client_port);
    json_member_string(j, "data_dir", p->snap_dir);
    json_member_string(j, "data_log_dir", p->log_dir);
    json_member_number(j, "tick_time", c->tick_time_ms);
    json_member_number(j, "max_client_cnxns", c->conns_per_ip_max);
    json_member_number(j, "min_session_timeout", c->session_timeout_ms_min);
    json_member_number(j, "max_session_timeout", c->session_timeout_ms_max);
    json_member_number(j, "server_id", p->host.server_id);
    json_member_number(j, "client_port_listen_backlog", c->listen_backlog);
}

static void host_properties(void *ctx, void (*fn)(void *fn_ctx, const char *name, const char *value), void *fn_ctx)
{
    const struct http_ports *p = ctx;
    config_each_set(p->config, fn, fn_ctx);
}

static void host_last_snapshot(void *ctx, int64_t *zxid, int64_t *seconds)
{
    const struct http_ports *p = ctx;
    *zxid = p->snapshot_zxid;
    *seconds = p->snapshot_seconds;
}

/* ---- snapshots ---- */

static void path_of_snapshot(const struct http_ports *p, int64_t zxid, enum snapshot_codec codec, char *to, size_t size)
{
    static const char *const suffixes[] = {
        [SNAPSHOT_PLAIN] = "", [SNAPSHOT_GZIP] = ".gz", [SNAPSHOT_SNAPPY] = ".snappy"
    };
    snprintf(to, size, "%s/snapshot.%llx%s", p->snap_dir, (unsigned long long)zxid, suffixes[codec]);
}

/* The snapshot that this start has loaded, or written as the first. */
static void find_snapshot(struct http_ports *p)
{
    const struct store_recovered *r = &p->server.boot->found;
    char path[PATH_BYTES];
    p->snapshot_zxid = r->snapshot_zxid < 0 ? r->last_zxid : r->snapshot_zxid;
    p->snapshot_seconds = -1;
    for (int codec = SNAPSHOT_PLAIN; codec <= SNAPSHOT_SNAPPY && p->snapshot_seconds < 0; codec++) {
        path_of_snapshot(p, p->snapshot_zxid, (enum snapshot_codec)codec, path, sizeof path);
        p->snapshot_seconds = process_file_seconds(path);
    }
}

static void host_snapshot(void *ctx, struct web_ask *ask)
{
    struct http_ports *p = ctx;
    list_push_back(&p->snapshot_wanted, &ask->link);
    p->server.want_snapshot(p->server.ctx);
}

void http_ports_snapshot_begun(struct http_ports *p, int64_t zxid)
{
    struct web_ask *ask;
    while ((ask = take_first(&p->snapshot_wanted)) != NULL) {
        ask->zxid = zxid;
        list_push_back(&p->snapshot_awaited, &ask->link);
    }
    p->snapshot_begun_zxid = zxid;
}

/* The file is opened here and now: a purge may remove its name before the port's thread comes to it. */
static void give_snapshot(struct http_ports *p, struct web_ask *ask)
{
    char path[PATH_BYTES];
    path_of_snapshot(p, ask->zxid, p->codec, path, sizeof path);
    int fd = process_open_read(path, &ask->file_bytes);
    if (fd < 0) {
        p->host.snapshot_errors++;
        fail(ask);
        return;
    }
    ask->has_file = true;
    if (ask->streaming)
        ask->fd = fd;
    else
        process_close(fd);
    web_finish(ask, WEB_OK, -1);
    ask->done(ask);
}

void http_ports_snapshot_ended(struct http_ports *p, int err)
{
    struct web_ask *ask;
    if (err == 0) {
        p->snapshot_zxid = p->snapshot_begun_zxid;
        p->snapshot_seconds = clock_wall_ms() / 1000;
    }
    while ((ask = take_first(&p->snapshot_awaited)) != NULL) {
        if (err == 0) {
            give_snapshot(p, ask);
            continue;
        }
        p->host.snapshot_errors++;
        fail(ask);
    }
}

/* ---- restore ---- */

/* These four on the admin port's thread. */
static int on_upload_begin(void *ctx, void **upload)
{
    struct http_ports *p = ctx;
    if (p->uploading) /* one at a time: they share a place */
        return ERR_BUSY;
    struct upload *u = mem_zalloc(sizeof *u);
    int rc = restore_begin(p->config, &u->restore);
    if (rc != 0) {
        mem_free(u);
        return rc;
    }
    u->ports = p;
    p->uploading = true;
    *upload = u;
    return 0;
}

static int on_upload_write(void *upload, const void *bytes, size_t n)
{
    const struct upload *u = upload;
    return restore_write(u->restore, bytes, n);
}

static int on_upload_end(void *upload)
{
    const struct upload *u = upload;
    return restore_end(u->restore, process_entropy());
}

static void on_upload_drop(void *upload)
{
    struct upload *u = upload;
    u->ports->uploading = false;
    restore_drop(u->restore);
    mem_free(u);
}

static void host_restore(void *ctx, struct web_ask *ask)
{
    struct http_ports *p = ctx;
    ASSERT(p->restore == NULL);
    p->restore = ask;
    p->restored_zxid = -1;
    p->restore_began_ms = clock_mono_ms();
    p->server.restart(p->server.ctx);
}

void http_ports_install(struct http_ports *p, struct fs *fs, const struct store_dirs *dirs, int64_t last_zxid)
{
    if (p->restore == NULL)
        return;
    const struct upload *u = p->restore->upload;
    if (restore_install(u->restore, fs, dirs, p->codec, last_zxid) == 0)
        p->restored_zxid = restore_zxid(u->restore);
}

/* The server that has begun anew is there, or there will be none. */
static void finish_restore(struct http_ports *p, bool serves)
{
    struct web_ask *ask = p->restore;
    if (ask == NULL)
        return;
    p->restore = NULL;
    if (!serves || p->restored_zxid < 0) {
        p->host.restore_errors++;
        fail(ask);
        return;
    }
    summary_add(&p->restore_ms, clock_mono_ms() - p->restore_began_ms);
    web_finish(ask, WEB_OK, p->restored_zxid);
    ask->done(ask);
}

/* ---- start and stop ---- */

/* How a port is to be started. */
struct port_plan {
    int *fd;
    bool commands, metrics;
    struct tls_context **tls; /* NULL: plain */
    bool optional;
    const char *name;
};

/* A port that speaks TLS leaves its socket to the door, of which it gets its connections. */
static struct http *start_one(struct http_ports *p, const struct port_plan *plan, struct https_port *door,
                              size_t *door_count, const char **why)
{
    const struct config *c = p->config;
    bool commands = plan->commands, secure = plan->tls != NULL;
    struct http_options o = {
        .listen_fd = secure ? PORT_NONE : *plan->fd,
        .command_url = commands ? c->admin_command_url : NULL,
        .metrics = plan->metrics,
        .idle_ms = c->admin_idle_ms,
        .process_info = c->metrics_jvm_info,
        .forwarded = c->ip_forwarded_for,
        .snap_dir = p->snap_dir,
        .log_dir = p->log_dir,
        .upload_begin = on_upload_begin,
        .upload_write = on_upload_write,
        .upload_end = on_upload_end,
        .upload_drop = on_upload_drop,
        .ask = on_ask,
        .ctx = p,
    };
    uint16_t port = net_port(*plan->fd);
    struct http *h = http_start(&o, why);
    if (h != NULL && secure) {
        door[(*door_count)++] = (struct https_port){
            .listen_fd = *plan->fd, .http = h, .tls = *plan->tls, .optional = plan->optional, .name = plan->name
        };
        *plan->tls = NULL;
    }
    if (h != NULL || !secure)
        *plan->fd = PORT_NONE;
    if (h != NULL)
        log_info(commands ? "admin.started" : "metrics.started", "port=%u path=%s%s tls=%s", port,
                 commands ? c->admin_command_url : "/metrics", commands && plan->metrics ? " metrics=/metrics" : "",
                 !secure          ? "no"
                 : plan->optional ? "optional"
                                  : "yes");
    return h;
}

static int start_all(struct http_ports *p)
{
    const struct config *c = p->config;
    struct https_port door[HTTPS_DOOR_PORTS_MAX];
    size_t count = 0;
    const char *why = "";
    p->started = true;
    bool metrics = p->metrics_fd != PORT_NONE, secure = p->metrics_tls_fd != PORT_NONE;
    if (metrics)
        p->metrics = start_one(p, &(struct port_plan){ .fd = &p->metrics_fd, .metrics = true, .name = "metrics" }, door,
                               &count, &why);
    if (secure)
        p->metrics_secure = start_one(p,
                                      &(struct port_plan){ .fd = &p->metrics_tls_fd,
                                                           .metrics = true,
                                                           .tls = &p->metrics_tls,
                                                           .optional = metrics_are_unified(c),
                                                           .name = "metrics" },
                                      door, &count, &why);
    bool failed = (metrics && p->metrics == NULL) || (secure && p->metrics_secure == NULL);
    if (failed)
        log_error("metrics.start", "reason=\"%s\" next=\"apt-get install libmicrohttpd12\"", why);
    if (!failed && p->admin_fd != PORT_NONE) {
        p->admin = start_one(p,
                             &(struct port_plan){ .fd = &p->admin_fd,
                                                  .commands = true,
                                                  .metrics = shares_port(c),
                                                  .tls = admin_speaks_tls(c) ? &p->admin_tls : NULL,
                                                  .optional = !c->admin_force_https,
                                                  .name = "admin" },
                             door, &count, &why);
        if (p->admin == NULL)
            log_warn("admin.start",
                     "reason=\"%s\" next=\"the server goes on without its admin port; apt-get install "
                     "libmicrohttpd12\"",
                     why);
    }
    if (count != 0)
        p->door = https_door_start(door, count, quorum_tls_handshake_ms(c));
    return failed ? SERVER_EXIT_FAILED : 0;
}

static char *copy_text(const char *text)
{
    size_t n = strlen(text) + 1;
    char *copy = mem_alloc(n);
    memcpy(copy, text, n);
    return copy;
}

/* What lasts from one server of this process to the next. */
static void first_attach(struct http_ports *p)
{
    const struct config *c = p->config;
    int64_t now_ms = clock_mono_ms(), interval_ms = c->admin_rate_limit_ms;
    p->snap_dir = copy_text(p->server.boot->snap_dir);
    p->log_dir = copy_text(p->server.boot->log_dir);
    p->codec = p->server.boot->codec;
    p->host = (struct web_host){
        .ctx = p,
        .server_id = c->distributed ? c->my_id : 0,
        /* Apache takes it out of zoo.cfg for its own member, unless reconfiguration is on. */
        .client_host = c->reconfig_enabled              ? NULL
                       : c->client_port_address[0] != 0 ? c->client_port_address
                                                        : "0.0.0.0",
        .client_port = p->server.client_port,
        .config_text = c->file_text,
        .conf = host_conf,
        .properties = host_properties,
        .last_snapshot = host_last_snapshot,
        .snapshot = host_snapshot,
        .restore = host_restore,
        .snapshot_enabled = c->admin_snapshot,
        .restore_enabled = c->admin_restore,
        .last_zxid_block = c->serialize_last_zxid,
        /* Apache 3.9.5 takes the milliseconds for microseconds here, and scripts rely on what it lets pass. */
        .snapshot_limiter = { .interval_ms = interval_ms / 1000, .since_ms = now_ms },
        .restore_limiter = { .interval_ms = interval_ms, .since_ms = now_ms },
    };
}

int http_ports_attach(struct http_ports *p, const struct http_ports_server *server)
{
    p->server = *server;
    if (!p->started)
        first_attach(p);
    p->host.words = server->words;
    p->attached = true;
    loop_wake_open(server->loop, &p->wake, on_wake);
    find_snapshot(p);
    mutex_lock(&p->mutex);
    p->closed = false;
    mutex_unlock(&p->mutex);
    int rc = p->started ? 0 : start_all(p);
    finish_restore(p, true);
    return rc;
}

void http_ports_detach(struct http_ports *p)
{
    if (!p->attached)
        return;
    http_ports_close(p);
    loop_wake_close(&p->wake);
    p->attached = false;
}

void http_ports_stop(struct http_ports *p)
{
    if (p->config == NULL)
        return;
    http_ports_close(p);
    finish_restore(p, false);
    https_door_stop(p->door);
    http_stop(p->admin);
    http_stop(p->metrics);
    http_stop(p->metrics_secure);
    const int fds[] = { p->admin_fd, p->metrics_fd, p->metrics_tls_fd };
    for (size_t i = 0; i < ARRAY_COUNT(fds); i++)
        if (fds[i] != PORT_NONE)
            net_close(fds[i]);
    tls_context_free(p->admin_tls);
    tls_context_free(p->metrics_tls);
    mem_free(p->snap_dir);
    mem_free(p->log_dir);
    mutex_fini(&p->mutex);
}
