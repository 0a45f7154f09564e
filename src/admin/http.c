#include "admin/http.h"
#include "admin/mhd.h"
#include "base/log.h"
#include "base/mem.h"
#include "os/clock.h"
#include "os/net.h"
#include "os/process.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <stdio.h>
#include <strings.h>
#include <sys/socket.h>

#define CONNS_MAX 64u     /* beyond, the one that has been longest about its request makes room */
#define CONNS_SPARE 16u   /* while that happens */
#define SLOW_MS 1000      /* younger ones do not */
#define HEAD_BYTES 16384u /* of a connection: request line, headers, and what is being sent */
#define STACK_BYTES 262144u
#define NAME_BYTES_MAX 256u /* of an unknown command, repeated in the answer */
#define BLOCK_BYTES 16384u
#define STRICT "max-age=86400; includeSubDomains" /* as Jetty's SecureRequestCustomizer in Apache's server */

struct http {
    const struct mhd *lib;
    struct http_options opt;
    struct MHD_Daemon *daemon;
    struct list conns; /* struct http_conn, oldest request first; the thread's alone */
    unsigned conn_count;
};

struct http_conn {
    struct list link;
    int fd;
    bool secure;      /* it came by TLS */
    bool in_request;  /* its head is complete */
    int64_t since_ms; /* accepted, or the last request was answered */
};

enum upload_phase {
    UPLOAD_NONE,
    UPLOAD_ASKED,   /* may it come? */
    UPLOAD_OPEN,    /* it comes */
    UPLOAD_REFUSED, /* what comes is thrown away */
    UPLOAD_LENT,    /* it is there, and the command works */
};

/* What one request needs until its last byte is sent. */
struct request {
    struct web_ask ask;
    struct http *http;
    struct MHD_Connection *conn;
    atomic_bool lent;
    bool was_lent, is_answered;
    size_t sent; /* bytes of ask.piece */
    enum upload_phase phase;
    void *upload;
    char address[INET6_ADDRSTRLEN];
};

_Static_assert(CONNS_MAX + 2 * CONNS_SPARE + 16 <= HTTP_FILES_MAX, "every connection has its descriptor");

/* ---- answers ---- */

static bool is_secure(const struct request *r)
{
    const union MHD_ConnectionInfo *info =
        r->http->lib->get_connection_info(r->conn, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    const struct http_conn *k = info == NULL ? NULL : info->socket_context;
    return k != NULL && k->secure;
}

static enum MHD_Result queue(struct request *r, unsigned status, const char *type, struct MHD_Response *response,
                             const char *header, const char *value)
{
    const struct mhd *lib = r->http->lib;
    if (response == NULL)
        return MHD_NO;
    if (type != NULL)
        (void)lib->add_response_header(response, "Content-Type", type);
    if (header != NULL)
        (void)lib->add_response_header(response, header, value);
    if (is_secure(r))
        (void)lib->add_response_header(response, "Strict-Transport-Security", STRICT);
    enum MHD_Result result = lib->queue_response(r->conn, status, response);
    lib->destroy_response(response);
    r->is_answered = true;
    return result;
}

static enum MHD_Result queue_bytes(struct request *r, unsigned status, const char *type, struct slice bytes,
                                   const char *header, const char *value)
{
    struct MHD_Response *response =
        r->http->lib->create_response_from_buffer(bytes.n, (void *)(uintptr_t)bytes.p, MHD_RESPMEM_MUST_COPY);
    return queue(r, status, type, response, header, value);
}

static enum MHD_Result queue_status(struct request *r, unsigned status, const char *text, const char *header,
                                    const char *value)
{
    char page[200];
    int n = snprintf(page, sizeof page, "<html>\n<body><h2>HTTP ERROR %u %s</h2>\n</body>\n</html>\n", status, text);
    return queue_bytes(r, status, "text/html;charset=iso-8859-1", slice_of((const uint8_t *)page, (size_t)n), header,
                       value);
}

static enum MHD_Result queue_links(struct request *r)
{
    struct buf page;
    buf_init(&page, 1u << 20);
    const char *name, *url = r->http->opt.command_url;
    for (size_t i = 0; (name = web_name(i)) != NULL; i++)
        buf_printf(&page, "<a href=\"%s/%s\">%s</a>\n<br/>\n", url, name, name);
    enum MHD_Result result = queue_bytes(r, WEB_OK, "text/html;charset=utf-8", buf_slice(&page), NULL, NULL);
    buf_fini(&page);
    return result;
}

static enum MHD_Result queue_unknown(struct request *r, const char *name)
{
    struct buf out;
    char cut[NAME_BYTES_MAX], error[NAME_BYTES_MAX + 32];
    buf_init(&out, 1u << 20);
    snprintf(cut, sizeof cut, "%s", name);
    snprintf(error, sizeof error, "Unknown command: %s", cut);
    web_put_error(&out, cut, error);
    enum MHD_Result result = queue_bytes(r, WEB_OK, "application/json", buf_slice(&out), NULL, NULL);
    buf_fini(&out);
    return result;
}

/* ---- lending ---- */

static void on_done(struct web_ask *ask)
{
    struct request *r = CONTAINER_OF(ask, struct request, ask);
    const struct mhd *lib = r->http->lib;
    struct MHD_Connection *conn = r->conn;
    atomic_store_explicit(&r->lent, false, memory_order_release);
    lib->resume_connection(conn); /* from here on r may be gone */
}

static void lend(struct request *r)
{
    r->was_lent = true;
    atomic_store_explicit(&r->lent, true, memory_order_relaxed);
    r->http->lib->suspend_connection(r->conn);
    r->http->opt.ask(r->http->opt.ctx, &r->ask);
}

/* Called when the socket has room: what is left of the piece, or the next piece is asked for. */
static ssize_t read_piece(void *ctx, uint64_t at, char *to, size_t max)
{
    struct request *r = ctx;
    (void)at;
    if (atomic_load_explicit(&r->lent, memory_order_acquire))
        return 0;
    size_t n = r->ask.piece.n - r->sent;
    if (n > max)
        n = max;
    if (n != 0) {
        memcpy(to, r->ask.piece.p + r->sent, n);
        r->sent += n;
        return (ssize_t)n;
    }
    if (r->ask.failed)
        return MHD_CONTENT_READER_END_WITH_ERROR;
    if (!r->ask.more)
        return MHD_CONTENT_READER_END_OF_STREAM;
    buf_reset(&r->ask.piece);
    r->sent = 0;
    lend(r);
    return 0;
}

/* The answer of snapshot: what was saved is told by two headers, and its bytes are the body if they are wanted. */
static enum MHD_Result queue_file(struct request *r)
{
    const struct mhd *lib = r->http->lib;
    struct slice text = buf_slice(&r->ask.piece);
    struct MHD_Response *response;
    char value[24];
    if (r->ask.fd >= 0)
        response = lib->create_response_from_fd64((uint64_t)r->ask.file_bytes, r->ask.fd);
    else
        response = lib->create_response_from_buffer(text.n, (void *)(uintptr_t)text.p, MHD_RESPMEM_MUST_COPY);
    if (response == NULL)
        return MHD_NO;
    const char *type = r->ask.fd >= 0 ? "application/octet-stream" : web_content_type(r->ask.row);
    r->ask.fd = -1; /* the library's now */
    snprintf(value, sizeof value, "0x%llx", (unsigned long long)r->ask.zxid);
    (void)lib->add_response_header(response, "last_zxid", value);
    snprintf(value, sizeof value, "%lld", (long long)r->ask.file_bytes);
    return queue(r, (unsigned)r->ask.status, type, response, "snapshot_size", value);
}

static enum MHD_Result queue_answer(struct request *r)
{
    const char *type = web_content_type(r->ask.row);
    if (r->ask.has_file)
        return queue_file(r);
    if (!r->ask.more)
        return queue_bytes(r, (unsigned)r->ask.status, type, buf_slice(&r->ask.piece), NULL, NULL);
    struct MHD_Response *response =
        r->http->lib->create_response_from_callback(MHD_SIZE_UNKNOWN, BLOCK_BYTES, read_piece, r, NULL);
    return queue(r, (unsigned)r->ask.status, type, response, NULL, NULL);
}

/* ---- requests ---- */

static bool is_one_of(const char *text, const char *const *list)
{
    for (; *list != NULL; list++)
        if (strcmp(text, *list) == 0)
            return true;
    return false;
}

/* The command's name within its URL: "" for the list of all; NULL if the URL is none of ours. */
static const char *command_of(const struct http *h, const char *url)
{
    const char *base = h->opt.command_url;
    if (h->opt.metrics && strcmp(url, "/metrics") == 0)
        return url;
    size_t n = base == NULL ? 0 : strlen(base);
    while (n != 0 && base[n - 1] == '/')
        n--;
    if (base == NULL || strncmp(url, base, n) != 0 || (url[n] != '\0' && url[n] != '/') ||
        strstr(url, "/../") != NULL || (strlen(url) >= 3 && strcmp(url + strlen(url) - 3, "/..") == 0))
        return NULL;
    return url[n] == '\0' ? "" : url + n + 1;
}

static void set_address(struct request *r)
{
    const struct mhd *lib = r->http->lib;
    const union MHD_ConnectionInfo *info = lib->get_connection_info(r->conn, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    const struct sockaddr *a = info == NULL ? NULL : info->client_addr;
    if (a != NULL && a->sa_family == AF_INET) {
        inet_ntop(AF_INET, &((const struct sockaddr_in *)(const void *)a)->sin_addr, r->address, sizeof r->address);
    } else if (a != NULL && a->sa_family == AF_INET6) {
        const struct in6_addr *six = &((const struct sockaddr_in6 *)(const void *)a)->sin6_addr;
        if (IN6_IS_ADDR_V4MAPPED(six))
            inet_ntop(AF_INET, six->s6_addr + 12, r->address, sizeof r->address);
        else
            inet_ntop(AF_INET6, six, r->address, sizeof r->address);
    }
    r->ask.address = slice_str(r->address);
    const char *forwarded =
        r->http->opt.forwarded ? lib->lookup_connection_value(r->conn, MHD_HEADER_KIND, "X-Forwarded-For") : NULL;
    if (forwarded != NULL) { /* client, proxy1, proxy2 ... */
        forwarded += strspn(forwarded, " \t");
        r->ask.address = slice_of((const uint8_t *)forwarded, strcspn(forwarded, " \t,"));
    }
}

static void prepare(struct request *r)
{
    const struct http_options *o = &r->http->opt;
    const struct mhd *lib = r->http->lib;
    /* These live as long as the request. */
    const char *mask = lib->lookup_connection_value(r->conn, MHD_GET_ARGUMENT_KIND, "traceMask");
    const char *streaming = lib->lookup_connection_value(r->conn, MHD_GET_ARGUMENT_KIND, "streaming");
    const char *authorization = lib->lookup_connection_value(r->conn, MHD_HEADER_KIND, "Authorization");
    if (mask != NULL)
        r->ask.trace_mask = slice_str(mask);
    if (streaming != NULL)
        r->ask.streaming = strcasecmp(streaming, "true") == 0;
    if (authorization != NULL)
        r->ask.authorization = slice_str(authorization);
    set_address(r);
    if (o->process_info && web_is_page(r->ask.row))
        process_usage(&r->ask.usage);
    if (web_needs_files(r->ask.row))
        r->ask.files = (struct command_files){ process_files_open(), process_file_limit() };
    if (web_needs_dirs(r->ask.row)) {
        r->ask.snap_bytes = process_dir_bytes(o->snap_dir, "snapshot");
        r->ask.log_bytes = process_dir_bytes(o->log_dir, "log");
    }
}

/* Methods that no command knows: as Apache's Jetty answers them. */
static enum MHD_Result refuse_method(struct request *r, const char *method)
{
    static const char *const known[] = { "PUT", "DELETE", "POST", "PATCH", "CONNECT", NULL };
    static const char allow[] = "GET, HEAD, OPTIONS";
    if (strcmp(method, "OPTIONS") == 0)
        return queue_bytes(r, WEB_OK, NULL, slice_str(""), "Allow", allow);
    if (strcmp(method, "TRACE") == 0)
        return queue_status(r, WEB_FORBIDDEN, "Forbidden", NULL, NULL);
    if (is_one_of(method, known))
        return queue_status(r, 405, "Method Not Allowed", "Allow", allow);
    return queue_status(r, 501, "Not Implemented", NULL, NULL);
}

static bool find_row(struct request *r, const char *url, const char *name)
{
    r->ask.row = web_find(name, &r->ask.known_as);
    return r->ask.row != NULL && (name == url) == web_is_page(r->ask.row);
}

/* The head is complete, and no body waits to be read. */
static enum MHD_Result take_request(struct request *r, const char *url)
{
    const char *name = command_of(r->http, url);
    if (name == NULL)
        return queue_status(r, 404, "Not Found", NULL, NULL);
    if (name[0] == '\0')
        return queue_links(r);
    if (!find_row(r, url, name))
        return queue_unknown(r, name);
    if (web_is_post(r->ask.row))
        return queue_status(r, 405, "Method Not Allowed", "Allow", "POST, OPTIONS");
    prepare(r);
    lend(r);
    return MHD_YES;
}

/* ---- requests with a body ---- */

/* The head of a POST: the command is asked whether the body may come. */
static enum MHD_Result take_post(struct request *r, const char *url)
{
    const char *name = command_of(r->http, url);
    if (name == NULL)
        return queue_status(r, 404, "Not Found", NULL, NULL);
    if (name[0] == '\0')
        return queue_links(r);
    if (!find_row(r, url, name))
        return queue_unknown(r, name);
    if (!web_is_post(r->ask.row))
        return refuse_method(r, "POST");
    prepare(r);
    r->phase = UPLOAD_ASKED;
    lend(r);
    return MHD_YES;
}

/* The body is there, or it cannot be had: the command does what is left. */
static void lend_upload(struct request *r, bool failed)
{
    r->phase = failed ? UPLOAD_REFUSED : UPLOAD_LENT;
    r->ask.upload = r->upload;
    r->ask.upload_failed = failed;
    lend(r);
}

static enum MHD_Result take_body(struct request *r, const char *body, size_t *body_n)
{
    const struct http_options *o = &r->http->opt;
    size_t n = *body_n;
    *body_n = 0;
    if (r->phase == UPLOAD_ASKED) { /* the command has said what it thinks of it */
        bool welcome = r->ask.status == WEB_CONTINUE;
        r->phase = welcome ? UPLOAD_OPEN : UPLOAD_REFUSED;
        if (welcome) {
            buf_reset(&r->ask.piece);
            if (o->upload_begin(o->ctx, &r->upload) != 0)
                lend_upload(r, true);
            else if (n == 0)
                return MHD_YES;
        }
        if (!welcome && n == 0)
            return queue_answer(r);
    }
    if (r->phase == UPLOAD_OPEN && n != 0 && o->upload_write(r->upload, body, n) != 0)
        lend_upload(r, true);
    else if (r->phase == UPLOAD_OPEN && n == 0)
        lend_upload(r, o->upload_end(r->upload) != 0);
    else if (n == 0)
        return queue_answer(r);
    return MHD_YES;
}

static struct http_conn *conn_of(const struct http *h, struct MHD_Connection *conn)
{
    const union MHD_ConnectionInfo *info = h->lib->get_connection_info(conn, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info == NULL ? NULL : info->socket_context;
}

static enum MHD_Result on_request(void *ctx, struct MHD_Connection *conn, const char *url, const char *method,
                                  const char *version, const char *body, size_t *body_n, void **of_request)
{
    struct http *h = ctx;
    struct request *r = *of_request;
    (void)version;
    if (r == NULL) { /* the head is complete; the library wants no answer yet, or it closes the connection after it */
        r = mem_zalloc(sizeof *r);
        r->http = h;
        r->conn = conn;
        web_ask_init(&r->ask);
        r->ask.done = on_done;
        *of_request = r;
        struct http_conn *k = conn_of(h, conn);
        if (k != NULL)
            k->in_request = true;
        if (strcmp(method, "POST") == 0)
            return take_post(r, url);
        if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0)
            return refuse_method(r, method);
        return MHD_YES;
    }
    if (r->is_answered)
        return MHD_YES;
    if (r->phase != UPLOAD_NONE)
        return take_body(r, body, body_n);
    if (*body_n != 0) { /* no command that takes one */
        *body_n = 0;
        return MHD_YES;
    }
    return r->was_lent ? queue_answer(r) : take_request(r, url);
}

static void on_completed(void *ctx, struct MHD_Connection *conn, void **of_request,
                         enum MHD_RequestTerminationCode code)
{
    struct http *h = ctx;
    struct request *r = *of_request;
    struct http_conn *k = conn_of(h, conn);
    (void)code;
    if (k != NULL) {
        k->in_request = false;
        k->since_ms = clock_mono_ms();
        list_remove(&k->link);
        list_push_back(&h->conns, &k->link);
    }
    if (r == NULL)
        return;
    web_ask_fini(&r->ask);
    if (r->upload != NULL)
        h->opt.upload_drop(r->upload);
    mem_free(r);
    *of_request = NULL;
}

/* ---- connections ---- */

/* Whoever sends its request a byte at a time, or keeps a connection it does not use, makes room for those that come
 * after it; the library alone would let it stay as long as something arrives. */
static void make_room(struct http *h)
{
    int64_t now_ms = clock_mono_ms();
    LIST_FOR(it, &h->conns)
    {
        struct http_conn *k = CONTAINER_OF(it, struct http_conn, link);
        if (k->in_request || now_ms - k->since_ms < SLOW_MS)
            continue;
        log_debug("admin.slow", "age_ms=%lld", (long long)(now_ms - k->since_ms));
        shutdown(k->fd, SHUT_RDWR); /* the library sees the end and closes */
        k->in_request = true;       /* counted once */
        return;
    }
}

/* On this port's thread; for what comes by http_add on the caller's, where nothing of ours may be looked at. */
static enum MHD_Result on_accept(void *ctx, const struct sockaddr *address, socklen_t n)
{
    struct http *h = ctx;
    (void)address;
    (void)n;
    if (h->opt.listen_fd < 0)
        return MHD_YES;
    if (h->conn_count >= CONNS_MAX)
        make_room(h);
    return h->conn_count < CONNS_MAX + CONNS_SPARE ? MHD_YES : MHD_NO;
}

static bool is_pair(int fd)
{
    int domain = 0;
    socklen_t n = sizeof domain;
    return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &n) == 0 && domain == AF_UNIX;
}

static void on_connection(void *ctx, struct MHD_Connection *conn, void **of_conn,
                          enum MHD_ConnectionNotificationCode code)
{
    struct http *h = ctx;
    struct http_conn *k = *of_conn;
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        const union MHD_ConnectionInfo *info = h->lib->get_connection_info(conn, MHD_CONNECTION_INFO_CONNECTION_FD);
        if (h->opt.listen_fd < 0 && h->conn_count >= CONNS_MAX)
            make_room(h);
        k = mem_zalloc(sizeof *k);
        k->fd = info == NULL ? -1 : info->connect_fd;
        k->since_ms = clock_mono_ms();
        k->secure = k->fd >= 0 && is_pair(k->fd);
        list_push_back(&h->conns, &k->link);
        h->conn_count++;
        *of_conn = k;
    } else if (k != NULL) {
        list_remove(&k->link);
        h->conn_count--;
        mem_free(k);
        *of_conn = NULL;
    }
}

/* ---- URLs ---- */

static int hex_digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* %XX in place; a %00 stays as it is, so that no name is cut short by it. */
static size_t unescape(void *ctx, struct MHD_Connection *conn, char *s)
{
    (void)ctx;
    (void)conn;
    char *to = s;
    for (const char *p = s; *p != '\0'; p++) {
        int high = p[0] == '%' ? hex_digit(p[1]) : -1, low = high < 0 ? -1 : hex_digit(p[2]);
        if (low >= 0 && (high | low) != 0) {
            *to++ = (char)(high << 4 | low);
            p += 2;
        } else {
            *to++ = *p;
        }
    }
    *to = '\0';
    return (size_t)(to - s);
}

/* ---- start and stop ---- */

static void on_log(void *ctx, const char *fmt, va_list args)
{
    char text[300];
    (void)ctx;
    vsnprintf(text, sizeof text, fmt, args);
    text[strcspn(text, "\n")] = '\0';
    log_debug("admin.http", "%s", text);
}

struct http *http_start(const struct http_options *options, const char **why)
{
    *why = "the thread cannot be started";
    const struct mhd *lib = mhd_load(why);
    struct http *h = mem_zalloc(sizeof *h);
    *h = (struct http){ .lib = lib, .opt = *options };
    list_init(&h->conns);
    unsigned idle_s = (unsigned)((options->idle_ms + 999) / 1000);
    unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG;
    if (options->listen_fd < 0)
        flags |= MHD_USE_NO_LISTEN_SOCKET;
    if (lib != NULL)
        h->daemon = lib->start_daemon(
            flags, 0, on_accept, h, on_request, h, MHD_OPTION_EXTERNAL_LOGGER, on_log, h, MHD_OPTION_CONNECTION_TIMEOUT,
            idle_s, MHD_OPTION_CONNECTION_LIMIT, CONNS_MAX + 2 * CONNS_SPARE, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
            (size_t)HEAD_BYTES, MHD_OPTION_NOTIFY_COMPLETED, on_completed, h, MHD_OPTION_NOTIFY_CONNECTION,
            on_connection, h, MHD_OPTION_UNESCAPE_CALLBACK, unescape, NULL, MHD_OPTION_THREAD_STACK_SIZE,
            (size_t)STACK_BYTES, options->listen_fd < 0 ? MHD_OPTION_END : MHD_OPTION_LISTEN_SOCKET, options->listen_fd,
            MHD_OPTION_END);
    if (h->daemon != NULL)
        return h;
    if (options->listen_fd >= 0)
        net_close(options->listen_fd);
    mem_free(h);
    return NULL;
}

bool http_add(struct http *h, int fd, const struct net_address *peer)
{
    struct sockaddr_in6 six = { .sin6_family = AF_INET6, .sin6_port = htons(peer->port) };
    struct sockaddr_in four = { .sin_family = AF_INET, .sin_port = htons(peer->port) };
    memcpy(&six.sin6_addr, peer->bytes, 16);
    memcpy(&four.sin_addr, peer->bytes, 4);
    const struct sockaddr *at = peer->ipv6 ? (const struct sockaddr *)&six : (const struct sockaddr *)&four;
    return h->lib->add_connection(h->daemon, fd, at, peer->ipv6 ? sizeof six : sizeof four) == MHD_YES;
}

void http_stop(struct http *h)
{
    if (h == NULL)
        return;
    h->lib->stop_daemon(h->daemon);
    mem_free(h);
}
