#include "server/http_ports.h"
#include "base/err.h"
#include "base/log.h"
#include "os/clock.h"
#include "os/net.h"
#include "os/process.h"
#include "server/limits.h"
#include "server/server.h"
#include <stdio.h>

#define PROMETHEUS "org.apache.zookeeper.metrics.prometheus.PrometheusMetricsProvider"
#define PORT_NONE (-1)

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

int http_ports_listen(struct http_ports *p, const struct config *c)
{
    struct net_error err;
    *p = (struct http_ports){ .config = c, .admin_fd = PORT_NONE, .metrics_fd = PORT_NONE };
    int rc = check_class(c);
    if (rc != 0)
        return rc;
    if (wants_prometheus(c) && !shares_port(c) && c->metrics_port >= 0 &&
        net_listen(c->metrics_host, (uint16_t)c->metrics_port, LIMIT_HTTP_BACKLOG, false, &p->metrics_fd, &err) != 0) {
        log_error("metrics.listen", "%s next=\"find what uses the port (ss -ltnp), or set metricsProvider.httpPort\"",
                  err.text);
        p->metrics_fd = PORT_NONE;
        return SERVER_EXIT_FAILED;
    }
    if (c->admin_enabled &&
        net_listen(admin_address(c), (uint16_t)c->admin_port, LIMIT_HTTP_BACKLOG, false, &p->admin_fd, &err) != 0) {
        log_warn("admin.listen",
                 "%s next=\"the server goes on without its admin port; set admin.serverPort, or "
                 "admin.enableServer=false\"",
                 err.text);
        p->admin_fd = PORT_NONE;
        return shares_port(c) ? SERVER_EXIT_FAILED : 0;
    }
    return 0;
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

static struct web_ask *take(struct http_ports *p)
{
    mutex_lock(&p->mutex);
    struct web_ask *ask = NULL;
    if (!list_empty(&p->asked)) {
        ask = CONTAINER_OF(p->asked.next, struct web_ask, link);
        list_remove(&ask->link);
    }
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
    ask->done(ask);
    mutex_lock(&p->mutex);
    if (!list_empty(&p->asked))
        loop_wake(&p->wake);
    mutex_unlock(&p->mutex);
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
}

/* ---- what commands ask ---- */

static void host_conf(void *ctx, struct json *j)
{
    const struct http_ports *p = ctx;
    const struct config *c = p->config;
    json_member_number(j, "client_port", p->client_port);
    json_member_string(j, "data_dir", p->boot->snap_dir);
    json_member_string(j, "data_log_dir", p->boot->log_dir);
    json_member_number(j, "tick_time", c->tick_time_ms);
    json_member_number(j, "max_client_cnxns", c->conns_per_ip_max);
    json_member_number(j, "min_session_timeout", c->session_timeout_ms_min);
    json_member_number(j, "max_session_timeout", c->session_timeout_ms_max);
    json_member_number(j, "server_id", 0);
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

void http_ports_saved(struct http_ports *p, int64_t zxid)
{
    p->snapshot_zxid = zxid;
    p->snapshot_seconds = clock_wall_ms() / 1000;
}

/* The snapshot that this start has loaded, or written as the first. */
static void find_snapshot(struct http_ports *p)
{
    static const char *const suffixes[] = { "", ".gz", ".snappy" };
    const struct store_recovered *r = &p->boot->found;
    char path[1024];
    p->snapshot_zxid = r->snapshot_zxid < 0 ? r->last_zxid : r->snapshot_zxid;
    p->snapshot_seconds = -1;
    for (size_t i = 0; i < ARRAY_COUNT(suffixes) && p->snapshot_seconds < 0; i++) {
        snprintf(path, sizeof path, "%s/snapshot.%llx%s", p->boot->snap_dir, (unsigned long long)p->snapshot_zxid,
                 suffixes[i]);
        p->snapshot_seconds = process_file_seconds(path);
    }
}

/* ---- start and stop ---- */

static struct http *start_one(struct http_ports *p, int *fd, bool commands, bool metrics, const char **why)
{
    const struct config *c = p->config;
    struct http_options o = {
        .listen_fd = *fd,
        .command_url = commands ? c->admin_command_url : NULL,
        .metrics = metrics,
        .idle_ms = c->admin_idle_ms,
        .process_info = c->metrics_jvm_info,
        .forwarded = c->ip_forwarded_for,
        .snap_dir = p->boot->snap_dir,
        .log_dir = p->boot->log_dir,
        .ask = on_ask,
        .ctx = p,
    };
    uint16_t port = net_port(*fd);
    struct http *h = http_start(&o, why);
    *fd = PORT_NONE;
    if (h != NULL)
        log_info(commands ? "admin.started" : "metrics.started", "port=%u path=%s%s", port,
                 commands ? c->admin_command_url : "/metrics", commands && metrics ? " metrics=/metrics" : "");
    return h;
}

int http_ports_start(struct http_ports *p, struct loop *loop, struct command_host *words, const struct boot *boot,
                     uint16_t client_port)
{
    const char *why;
    p->boot = boot;
    p->client_port = client_port;
    p->host = (struct web_host){ .ctx = p,
                                 .words = words,
                                 .config_text = p->config->file_text,
                                 .conf = host_conf,
                                 .properties = host_properties,
                                 .last_snapshot = host_last_snapshot };
    mutex_init(&p->mutex);
    list_init(&p->asked);
    loop_wake_open(loop, &p->wake, on_wake);
    find_snapshot(p);
    if (p->metrics_fd != PORT_NONE) {
        p->metrics = start_one(p, &p->metrics_fd, false, true, &why);
        if (p->metrics == NULL) {
            log_error("metrics.start", "reason=\"%s\" next=\"apt-get install libmicrohttpd12\"", why);
            return SERVER_EXIT_FAILED;
        }
    }
    if (p->admin_fd != PORT_NONE) {
        p->admin = start_one(p, &p->admin_fd, true, shares_port(p->config), &why);
        if (p->admin == NULL)
            log_warn("admin.start",
                     "reason=\"%s\" next=\"the server goes on without its admin port; apt-get install "
                     "libmicrohttpd12\"",
                     why);
    }
    return 0;
}

void http_ports_stop(struct http_ports *p)
{
    if (p->boot == NULL)
        return;
    http_ports_close(p);
    http_stop(p->admin);
    http_stop(p->metrics);
    loop_wake_close(&p->wake);
    mutex_fini(&p->mutex);
    p->boot = NULL;
}
