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

#define SASL_AUTHENTICATED 6 /* an event of Java's client alone */

/* Java's names of the states of events (Watcher.Event.KeeperState); 0 stands for the end by our own hand. */
static const char *event_state_name(int state)
{
    if (state == 0)
        return "Closed";
    if (state == ZOO_CONNECTED_STATE)
        return "SyncConnected";
    if (state == ZOO_READONLY_STATE)
        return "ConnectedReadOnly";
    if (state == SASL_AUTHENTICATED)
        return "SaslAuthenticated";
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

/* The editor looks at what there is for it. */
static void wake_editor(struct cli *c)
{
    const uint64_t one = 1;
    ssize_t n = write(c->wake_fd, &one, sizeof(one));
    (void)n; /* a full counter wakes, too */
}

void cli_show_event(struct cli *c, int type, int state, const char *path, int64_t zxid)
{
    bool silent = c->options.quiet && type == ZOO_SESSION_EVENT;
    pthread_mutex_lock(&c->lock);
    if (c->print_watches && !silent) {
        event_text(c, &c->events, type, state, path, zxid);
        c->events_shown += type != ZOO_SESSION_EVENT;
        pthread_cond_broadcast(&c->changed);
        if (c->editing)
            wake_editor(c);
        else
            write_events(c);
    }
    pthread_mutex_unlock(&c->lock);
}

void cli_watcher(zhandle_t *zh, int type, int state, const char *path, void *context)
{
    struct cli *c = context;
    bool session = type == ZOO_SESSION_EVENT;
    if (session)
        wake_editor(c); /* the prompt shows the state */
    bool up = state == ZOO_CONNECTED_STATE || state == ZOO_READONLY_STATE;
    if (session && (up || state == ZOO_AUTH_FAILED_STATE)) {
        pthread_mutex_lock(&c->lock);
        c->connected |= up;
        c->refused |= !up;
        pthread_cond_broadcast(&c->changed);
        pthread_mutex_unlock(&c->lock);
    }
    cli_show_event(c, type, session ? state : ZOO_CONNECTED_STATE, path, session ? -1 : zokor_zxid(zh));
    if (session && up && c->options.settings.logs_in)
        cli_show_event(c, type, SASL_AUTHENTICATED, NULL, -1);
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
    while (!c->connected && !c->refused && !cli_interrupted && now_ms() < end_ms)
        call_wait(&c->lock, &c->changed);
    bool connected = c->connected, refused = c->refused;
    pthread_mutex_unlock(&c->lock);
    if (connected)
        return 0;
    cli_last_log(why, sizeof(why));
    cli_disconnect(c, true);
    if (refused)
        return cli_fail(c, "KeeperErrorCode = AuthFailed: %s", why);
    return cli_fail(c, "KeeperErrorCode = ConnectionLoss: no connection to %s within %d ms (-timeout)%s%s", c->host,
                    c->options.timeout_ms, why[0] == '\0' ? "" : ": ", why);
}

/* There is no handle: the library's log knows more if the files of TLS are to blame. */
static int fail_open(struct cli *c, int error)
{
    char why[512];
    cli_last_log(why, sizeof(why));
    if (why[0] != '\0')
        return cli_fail(c, "%s: %s", c->host, why);
    return cli_fail(c, "'%s' is no list of servers (host:port,host:port/path): %s", c->host, strerror(error));
}

int cli_connect(struct cli *c, const char *host)
{
    static const ZooLogLevel levels[] = { ZOO_LOG_LEVEL_WARN, ZOO_LOG_LEVEL_WARN, ZOO_LOG_LEVEL_INFO,
                                          ZOO_LOG_LEVEL_DEBUG };
    char *name = strdup(host); /* host may be c->host */
    cli_disconnect(c, cli_is_alive(c));
    mem_free(c->host);
    c->host = name;
    c->connected = c->refused = false;
    pthread_mutex_lock(&last_log_lock);
    last_log[0] = '\0'; /* the connection before is no reason */
    pthread_mutex_unlock(&last_log_lock);
    log_shown = c->options.log != CLI_LOG_OFF;
    zoo_set_debug_level(levels[c->options.log]);
    int flags = ZOO_NO_LOG_CLIENTENV | (c->options.read_only ? ZOO_READONLY : 0);
    c->zh = settings_open(&c->options.settings, c->host, cli_watcher, c->options.timeout_ms, c, flags, take_log);
    if (c->zh == NULL)
        return fail_open(c, errno);
    zokor_set_request_timeout(c->zh, c->options.settings.request_timeout_ms);
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

bool cli_is_refused(struct cli *c)
{
    pthread_mutex_lock(&c->lock);
    bool refused = c->refused;
    pthread_mutex_unlock(&c->lock);
    return refused || (c->zh != NULL && zoo_state(c->zh) == ZOO_AUTH_FAILED_STATE);
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
