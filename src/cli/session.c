/* The session: opening and closing it, and what it hears. */
#include "base/mem.h"
#include "cli/call.h"
#include "cli/numbers.h"
#include <errno.h>
#include <inttypes.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

static const char *event_name(int type)
{
    static const char *const names[] = { "NodeCreated",           "NodeDeleted",      "NodeDataChanged",
                                         "NodeChildrenChanged",   "DataWatchRemoved", "ChildWatchRemoved",
                                         "PersistentWatchRemoved" };
    return type >= 1 && type <= (int)ARRAY_COUNT(names) ? names[type - 1] : "None";
}

/* Java's names of the states of events (Watcher.Event.KeeperState); 0 stands for the end by our own hand. */
static const char *event_state_name(int state)
{
    if (state == 0)
        return "Closed";
    if (state == ZOO_CONNECTED_STATE)
        return "SyncConnected";
    if (state == ZOO_READONLY_STATE)
        return "ConnectedReadOnly";
    if (state == ZOO_EXPIRED_SESSION_STATE)
        return "Expired";
    return state == ZOO_AUTH_FAILED_STATE ? "AuthFailed" : "Disconnected";
}

static void event_text(struct cli *c, struct buf *out, int type, int state, const char *path, int64_t zxid)
{
    const char *known_path = path == NULL || path[0] == '\0' ? NULL : path;
    if (c->options.json) {
        json_t *event = json_pack("{s{sssssosI}}", "event", "state", event_state_name(state), "type", event_name(type),
                                  "path", cli_json_text(known_path), "zxid", (json_int_t)zxid);
        char *text = json_dumps(event, JSON_COMPACT);
        buf_printf(out, "%s\n", text);
        free(text);
        json_decref(event);
        return;
    }
    const char *begin = c->color ? "\033[33m" : "", *end = c->color ? "\033[0m" : "";
    buf_printf(out, "\n%sWATCHER::%s\n\n%sWatchedEvent state:%s type:%s path:", begin, end, begin,
               event_state_name(state), event_name(type));
    if (c->show && known_path != NULL)
        cli_escape(known_path, strlen(known_path), false, out);
    else
        buf_append(out, known_path == NULL ? "null" : known_path, known_path == NULL ? 4 : strlen(known_path));
    buf_printf(out, " zxid: %" PRId64 "%s\n", zxid, end);
}

static void write_events(struct cli *c)
{
    if (c->events.n > 0)
        fwrite(c->events.p, 1, c->events.n, stdout);
    fflush(stdout);
    buf_reset(&c->events);
}

void cli_print_events(struct cli *c)
{
    pthread_mutex_lock(&c->lock);
    write_events(c);
    pthread_mutex_unlock(&c->lock);
}

void cli_show_event(struct cli *c, int type, int state, const char *path, int64_t zxid)
{
    const uint64_t one = 1;
    bool silent = c->options.quiet && type == ZOO_SESSION_EVENT;
    pthread_mutex_lock(&c->lock);
    if (c->print_watches && !silent) {
        event_text(c, &c->events, type, state, path, zxid);
        if (!c->editing)
            write_events(c);
        else if (write(c->wake_fd, &one, sizeof(one)) < 0)
            buf_reset(&c->events); /* cannot be: a full counter wakes, too */
    }
    pthread_mutex_unlock(&c->lock);
}

void cli_watcher(zhandle_t *zh, int type, int state, const char *path, void *context)
{
    struct cli *c = context;
    bool session = type == ZOO_SESSION_EVENT;
    const uint64_t one = 1;
    if (session && write(c->wake_fd, &one, sizeof(one)) < 0) /* the prompt shows the state */
        (void)c;                                             /* cannot be: a full counter wakes, too */
    if (session && (state == ZOO_CONNECTED_STATE || state == ZOO_READONLY_STATE)) {
        pthread_mutex_lock(&c->lock);
        c->connected = true;
        pthread_cond_broadcast(&c->changed);
        pthread_mutex_unlock(&c->lock);
    }
    cli_show_event(c, type, session ? state : ZOO_CONNECTED_STATE, path, session ? -1 : zokor_zxid(zh));
}

/* The library's log goes to stderr only when asked for; the last line says why there is no connection. */
static char last_log[512];
static pthread_mutex_t last_log_lock = PTHREAD_MUTEX_INITIALIZER;
static bool log_shown;

static void take_log(const char *message)
{
    const char *text = strchr(message, '@');
    text = text == NULL ? NULL : strstr(text, ": ");
    pthread_mutex_lock(&last_log_lock);
    snprintf(last_log, sizeof(last_log), "%s", text == NULL ? message : text + 2);
    pthread_mutex_unlock(&last_log_lock);
    if (log_shown)
        fprintf(stderr, "%s\n", message);
}

void cli_last_log(char *out, size_t size)
{
    pthread_mutex_lock(&last_log_lock);
    snprintf(out, size, "%s", last_log);
    pthread_mutex_unlock(&last_log_lock);
}

static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int wait_connected(struct cli *c)
{
    char why[512];
    int64_t end_ms = now_ms() + c->options.timeout_ms;
    pthread_mutex_lock(&c->lock);
    while (!c->connected && !cli_interrupted && now_ms() < end_ms)
        call_wait(&c->lock, &c->changed);
    bool connected = c->connected;
    pthread_mutex_unlock(&c->lock);
    if (connected)
        return 0;
    cli_last_log(why, sizeof(why));
    cli_disconnect(c, true);
    return cli_fail(c, "KeeperErrorCode = ConnectionLoss: no connection to %s within %d ms (-timeout)%s%s", c->host,
                    c->options.timeout_ms, why[0] == '\0' ? "" : ": ", why);
}

static const char *text_or_null(const struct cli_tls *tls, enum cli_tls_text i)
{
    return tls->texts[i][0] == '\0' ? NULL : tls->texts[i];
}

static zhandle_t *open_handle(struct cli *c)
{
    const struct cli_tls *t = &c->options.tls;
    int flags = ZOO_NO_LOG_CLIENTENV | (c->options.read_only ? ZOO_READONLY : 0);
    if (!t->secure)
        return zookeeper_init2(c->host, cli_watcher, c->options.timeout_ms, NULL, c, flags, take_log);
    const char *protocols = text_or_null(t, CLI_TLS_PROTOCOLS);
    struct zokor_tls tls = {
        .size = sizeof tls,
        .trust = text_or_null(t, CLI_TLS_TRUST),
        .trust_password = text_or_null(t, CLI_TLS_TRUST_PASSWORD),
        .trust_password_file = text_or_null(t, CLI_TLS_TRUST_PASSWORD_FILE),
        .trust_type = text_or_null(t, CLI_TLS_TRUST_TYPE),
        .key = text_or_null(t, CLI_TLS_KEY),
        .key_password = text_or_null(t, CLI_TLS_KEY_PASSWORD),
        .key_password_file = text_or_null(t, CLI_TLS_KEY_PASSWORD_FILE),
        .key_type = text_or_null(t, CLI_TLS_KEY_TYPE),
        .protocols = protocols != NULL ? protocols : text_or_null(t, CLI_TLS_PROTOCOL),
        .ciphers = text_or_null(t, CLI_TLS_CIPHERS),
        .any_name = t->any_name,
    };
    return zokor_init_tls(c->host, &tls, cli_watcher, c->options.timeout_ms, NULL, c, flags, take_log);
}

int cli_connect(struct cli *c, const char *host)
{
    static const ZooLogLevel levels[] = { ZOO_LOG_LEVEL_WARN, ZOO_LOG_LEVEL_WARN, ZOO_LOG_LEVEL_INFO,
                                          ZOO_LOG_LEVEL_DEBUG };
    char *name = strdup(host); /* host may be c->host */
    cli_disconnect(c, cli_is_alive(c));
    mem_free(c->host);
    c->host = name;
    c->connected = false;
    log_shown = c->options.log != CLI_LOG_OFF;
    zoo_set_debug_level(levels[c->options.log]);
    c->zh = open_handle(c);
    if (c->zh == NULL && c->options.tls.secure) { /* a file that cannot be used is in the log */
        char why[256] = "";
        cli_last_log(why, sizeof why);
        return cli_fail(c, "no connection over TLS to '%s': %s", c->host, why[0] == '\0' ? strerror(errno) : why);
    }
    if (c->zh == NULL)
        return cli_fail(c, "'%s' is no list of servers (host:port,host:port/path): %s", c->host, strerror(errno));
    zokor_set_request_timeout(c->zh, c->options.request_timeout_ms);
    return c->options.wait_for_connection ? wait_connected(c) : 0;
}

void cli_disconnect(struct cli *c, bool event)
{
    if (c->zh == NULL)
        return;
    zhandle_t *zh = c->zh;
    c->zh = NULL;
    cli_flush(c);
    zookeeper_close(zh);
    if (event)
        cli_show_event(c, ZOO_SESSION_EVENT, 0, NULL, -1);
}

bool cli_is_alive(struct cli *c)
{
    return c->zh != NULL && is_unrecoverable(c->zh) == 0;
}

const char *cli_state_name(struct cli *c)
{
    int state = c->zh == NULL ? ZOO_EXPIRED_SESSION_STATE : zoo_state(c->zh);
    if (state == ZOO_CONNECTED_STATE)
        return "CONNECTED";
    if (state == ZOO_READONLY_STATE)
        return "CONNECTEDREADONLY";
    if (state == ZOO_AUTH_FAILED_STATE)
        return "AUTH_FAILED";
    return state == ZOO_EXPIRED_SESSION_STATE ? "CLOSED" : "CONNECTING";
}
