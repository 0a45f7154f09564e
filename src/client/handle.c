/* Handles: their making and end, and what can be asked of them. */
#include "client/shell.h"
#include "client/mode.h"
#include "base/err.h"
#include "base/mem.h"
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#define ARENA_BYTES 4096

static int deterministic_order;

void zoo_deterministic_conn_order(int yes)
{
    __atomic_store_n(&deterministic_order, yes, __ATOMIC_RELAXED);
}

static uint64_t seed(void)
{
    uint64_t v;
    if (getrandom(&v, sizeof(v), GRND_NONBLOCK) != (ssize_t)sizeof(v))
        v = (uint64_t)clock_ms() << 20 ^ (uint64_t)getpid();
    return v;
}

static void log_environment(zhandle_t *zh, const char *host, int timeout_ms)
{
    struct utsname u;
    if (uname(&u) == 0)
        zlog(zh, ZOO_LOG_LEVEL_INFO, "Client environment: libzokor (interface %s), host %s, %s %s %s", ZOO_VERSION,
             u.nodename, u.sysname, u.release, u.machine);
    zlog(zh, ZOO_LOG_LEVEL_INFO, "connecting to %s, session timeout %d ms", host, timeout_ms);
}

static struct client_core *make_core(zhandle_t *zh, int timeout_ms, const clientid_t *id, int flags,
                                     struct slice chroot, bool logs_in)
{
    struct client_config config = {
        .timeout_ms = timeout_ms,
        .read_only_ok = (flags & ZOO_READONLY) != 0,
        .ordered_hosts = __atomic_load_n(&deterministic_order, __ATOMIC_RELAXED) != 0,
        .logs_in = logs_in,
        .chroot = chroot,
        .seed = seed(),
        .watcher = { .fn = (void (*)(void))zh->watcher, .ctx = zh->context },
    };
    if (id != NULL) {
        config.session_id = id->client_id;
        memcpy(config.passwd, id->passwd, sizeof(config.passwd));
        zh->id = *id;
    }
    return client_new(&config, clock_ms());
}

/* The library's threads take no signals: handlers are the program's and run in its threads. */
static int start_threads(zhandle_t *zh)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int rc = pthread_create(&zh->callback_thread, NULL, callback_thread_main, zh);
    if (rc == 0) {
        rc = pthread_create(&zh->io_thread, NULL, io_thread_main, zh);
        if (rc == 0) {
            (void)pthread_setname_np(zh->callback_thread, "zk-callbacks");
            (void)pthread_setname_np(zh->io_thread, "zk-io");
        } else {
            deliver_end(zh);
            pthread_join(zh->callback_thread, NULL);
        }
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return rc;
}

static void init_locks(zhandle_t *zh)
{
    pthread_mutex_init(&zh->lock, NULL);
    pthread_mutex_init(&zh->done_lock, NULL);
    pthread_mutex_init(&zh->auth_lock, NULL);
    pthread_mutex_init(&zh->send_lock, NULL);
    pthread_mutex_init(&zh->read_lock, NULL);
    pthread_cond_init(&zh->callers_gone, NULL);
    pthread_cond_init(&zh->done_cond, NULL);
}

static int make_secure(zhandle_t *zh, const struct tls_options *tls)
{
    struct tls_error err;
    zh->secure = secure_new(tls, &err);
    if (zh->secure == NULL) {
        int error = errno;
        zlog(zh, ZOO_LOG_LEVEL_ERROR, "%s", err.text);
        return error;
    }
    zh->raw = mem_alloc(SECURE_RAW_BYTES);
    return 0;
}

static int make_login(zhandle_t *zh, const struct login_options *options)
{
    struct login_error err;
    zh->login = login_new(options, &err);
    if (zh->login != NULL)
        return 0;
    int error = errno;
    zlog(zh, ZOO_LOG_LEVEL_ERROR, "%s", err.text);
    return error;
}

/* The handle's own memory, and what the connection is made of. 0 or errno's number. */
static int make_io(zhandle_t *zh, const char *host, const struct handle_options *o)
{
    zh->hosts_text = strdup(host);
    zh->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (zh->hosts_text == NULL || zh->wake_fd < 0)
        return zh->hosts_text == NULL ? ENOMEM : errno;
    int error = o->tls == NULL ? 0 : make_secure(zh, o->tls);
    return error != 0 || o->login == NULL ? error : make_login(zh, o->login);
}

zhandle_t *handle_make(const char *host, watcher_fn fn, int timeout_ms, const clientid_t *id, void *context, int flags,
                       log_callback_fn log_callback, const struct handle_options *options)
{
    struct client_host *hosts = mem_alloc(CLIENT_HOSTS_MAX * sizeof(*hosts));
    struct slice chroot;
    int n = host == NULL ? ERR_BAD_ARGUMENTS : client_hosts_parse(host, hosts, &chroot);
    mem_free(hosts);
    if (n < 0) {
        errno = EINVAL;
        return NULL;
    }
    zhandle_t *zh = calloc(1, sizeof(*zh));
    if (zh == NULL)
        return NULL;
    init_locks(zh);
    host_names_init(&zh->names);
    zh->watcher = fn;
    zh->context = context;
    zh->log_callback = log_callback;
    zh->threaded = client_mode_threaded && !options->polled;
    zh->pid = getpid();
    zh->sock = zh->probe_sock = zh->wake_fd = -1;
    zh->share_fd = zh->nudge_fd = -1;
    zh->zxid = -1;
    buf_init(&zh->sending, SIZE_MAX);
    arena_init(&zh->arena, ARENA_BYTES);
    zh->core = make_core(zh, timeout_ms, id, flags, chroot, options->login != NULL);
    if ((flags & ZOO_NO_LOG_CLIENTENV) == 0)
        log_environment(zh, host, timeout_ms);
    int error = make_io(zh, host, options);
    if (error == 0 && zh->threaded)
        error = start_threads(zh);
    if (error != 0) {
        handle_free(zh);
        errno = error;
        return NULL;
    }
    return zh;
}

zhandle_t *zookeeper_init2(const char *host, watcher_fn fn, int timeout_ms, const clientid_t *id, void *context,
                           int flags, log_callback_fn log_callback)
{
    return handle_make(host, fn, timeout_ms, id, context, flags, log_callback, &(struct handle_options){ 0 });
}

zhandle_t *zookeeper_init(const char *host, watcher_fn fn, int timeout_ms, const clientid_t *id, void *context,
                          int flags)
{
    return zookeeper_init2(host, fn, timeout_ms, id, context, flags, NULL);
}

zhandle_t *zokor_init_polled(const char *host, watcher_fn fn, int timeout_ms, const clientid_t *id, void *context,
                             int flags, log_callback_fn log_callback)
{
    return handle_make(host, fn, timeout_ms, id, context, flags, log_callback,
                       &(struct handle_options){ .polled = true });
}

void handle_free(zhandle_t *zh)
{
    pthread_mutex_lock(&zh->lock);
    while (zh->callers > 0)
        pthread_cond_wait(&zh->callers_gone, &zh->lock);
    pthread_mutex_unlock(&zh->lock);
    if (zh->sock >= 0)
        close(zh->sock);
    if (zh->probe_sock >= 0)
        close(zh->probe_sock);
    if (zh->wake_fd >= 0)
        close(zh->wake_fd);
    share_fini(zh);
    client_free(zh->core);
    for (size_t i = 0; i < zh->incoming.n; i++)
        client_done_fini(&zh->incoming.p[i]);
    mem_free(zh->batch.p);
    mem_free(zh->incoming.p);
    mem_free(zh->delivering.p);
    secure_free(zh->secure);
    login_exchange_free(zh->exchange);
    login_free(zh->login);
    host_names_fini(&zh->names);
    mem_free(zh->raw);
    arena_fini(&zh->arena);
    buf_fini(&zh->sending);
    free(zh->hosts_text);
    pthread_mutex_destroy(&zh->lock);
    pthread_mutex_destroy(&zh->done_lock);
    pthread_mutex_destroy(&zh->auth_lock);
    pthread_mutex_destroy(&zh->send_lock);
    pthread_mutex_destroy(&zh->read_lock);
    pthread_cond_destroy(&zh->callers_gone);
    pthread_cond_destroy(&zh->done_cond);
    free(zh);
}

int handle_close_polled(zhandle_t *zh)
{
    for (bool alive = true; alive;) {
        alive = io_advance(zh);
        bool blocked = !io_flush(zh);
        if (!alive)
            break;
        struct pollfd p = { .fd = zh->sock, .events = (short)(blocked ? POLLIN | POLLOUT : POLLIN) };
        int64_t wait = client_wake_ms(zh->core) - clock_ms();
        if (poll(&p, 1, wait < 0 ? 0 : (int)(wait > 100 ? 100 : wait)) > 0)
            (void)io_readable(zh);
    }
    (void)client_take_done(zh->core, &zh->batch);
    deliver_batch(zh, &zh->batch);
    (void)deliver_queued(zh);
    handle_free(zh);
    return ZCLOSING;
}

int zookeeper_close(zhandle_t *zh)
{
    if (zh == NULL)
        return ZBADARGUMENTS;
    if (zh->pid != getpid()) { /* a child of fork: the threads are the parent's, and so is the session */
        zh->callers = 0;
        zh->exchange = NULL; /* the lock of libsasl2 may be held by a thread that is not here */
        zh->login = NULL;
        init_locks(zh); /* whoever holds or waits is not here */
        handle_free(zh);
        return ZOK;
    }
    bool self = zh->threaded ? pthread_equal(pthread_self(), zh->callback_thread) != 0 : zh->in_callback;
    pthread_mutex_lock(&zh->lock);
    if (zh->closing) {
        pthread_mutex_unlock(&zh->lock);
        return ZINVALIDSTATE;
    }
    zh->closing = true;
    zh->self_close = self;
    client_close(zh->core, clock_ms() + SHELL_CLOSE_MS);
    io_wake(zh);
    share_nudge(zh);
    pthread_mutex_unlock(&zh->lock);
    if (self)
        return ZOK;
    if (!zh->threaded) {
        (void)handle_close_polled(zh);
        return ZOK;
    }
    pthread_join(zh->io_thread, NULL);
    pthread_join(zh->callback_thread, NULL);
    handle_free(zh);
    return ZOK;
}

int zoo_state(zhandle_t *zh)
{
    if (zh == NULL)
        return 0;
    pthread_mutex_lock(&zh->lock);
    int state = (int)client_state_of(zh->core);
    pthread_mutex_unlock(&zh->lock);
    return state;
}

int is_unrecoverable(zhandle_t *zh)
{
    return zoo_state(zh) <= 0 ? ZINVALIDSTATE : 0;
}

const clientid_t *zoo_client_id(zhandle_t *zh)
{
    return zh == NULL ? NULL : &zh->id;
}

int zoo_recv_timeout(zhandle_t *zh)
{
    if (zh == NULL)
        return 0;
    pthread_mutex_lock(&zh->lock);
    int ms = client_timeout_ms(zh->core);
    pthread_mutex_unlock(&zh->lock);
    return ms;
}

const void *zoo_get_context(zhandle_t *zh)
{
    if (zh == NULL)
        return NULL;
    pthread_mutex_lock(&zh->lock);
    const void *context = zh->context;
    pthread_mutex_unlock(&zh->lock);
    return context;
}

static void tell_core_watcher(zhandle_t *zh)
{
    client_set_watcher(zh->core, (struct client_watcher){ .fn = (void (*)(void))zh->watcher, .ctx = zh->context });
}

void zoo_set_context(zhandle_t *zh, void *context)
{
    if (zh == NULL)
        return;
    pthread_mutex_lock(&zh->lock);
    zh->context = context;
    tell_core_watcher(zh);
    pthread_mutex_unlock(&zh->lock);
}

watcher_fn zoo_set_watcher(zhandle_t *zh, watcher_fn fn)
{
    if (zh == NULL)
        return NULL;
    pthread_mutex_lock(&zh->lock);
    watcher_fn before = zh->watcher;
    zh->watcher = fn;
    tell_core_watcher(zh);
    pthread_mutex_unlock(&zh->lock);
    return before;
}

watcher_fn default_watcher(zhandle_t *zh, int watch, void **context)
{
    *context = NULL;
    if (zh == NULL || watch == 0)
        return NULL;
    pthread_mutex_lock(&zh->lock);
    watcher_fn fn = zh->watcher;
    *context = zh->context;
    pthread_mutex_unlock(&zh->lock);
    return fn;
}

int zoo_set_servers(zhandle_t *zh, const char *hosts)
{
    struct client_host *list = mem_alloc(CLIENT_HOSTS_MAX * sizeof(*list));
    struct client_addr *addrs = mem_alloc(CLIENT_HOSTS_MAX * sizeof(*addrs));
    struct slice chroot;
    char *text = hosts == NULL ? NULL : strdup(hosts);
    int rc = ZOK;
    if (zh == NULL || text == NULL || client_hosts_parse(text, list, &chroot) < 0) {
        rc = ZBADARGUMENTS;
        goto out;
    }
    size_t n = resolve_hosts(zh, text, addrs, CLIENT_HOSTS_MAX);
    if (n == 0) {
        rc = ZSYSTEMERROR;
        goto out;
    }
    pthread_mutex_lock(&zh->lock);
    char *old = zh->hosts_text;
    zh->hosts_text = text;
    text = old;
    client_set_servers(zh->core, addrs, n, clock_ms());
    io_wake(zh);
    pthread_mutex_unlock(&zh->lock);
out:
    free(text);
    mem_free(list);
    mem_free(addrs);
    return rc;
}

int zoo_set_servers_resolution_delay(zhandle_t *zh, int delay_ms)
{
    if (zh == NULL || delay_ms < -1)
        return ZBADARGUMENTS;
    pthread_mutex_lock(&zh->lock);
    client_set_resolve_delay(zh->core, delay_ms);
    pthread_mutex_unlock(&zh->lock);
    return ZOK;
}

void zoo_cycle_next_server(zhandle_t *zh)
{
    if (zh == NULL)
        return;
    pthread_mutex_lock(&zh->lock);
    client_cycle_server(zh->core);
    pthread_mutex_unlock(&zh->lock);
}

const char *zoo_get_current_server(zhandle_t *zh)
{
    if (zh == NULL)
        return NULL;
    pthread_mutex_lock(&zh->lock);
    struct client_addr a = *client_target(zh->core);
    if (a.n > 0)
        addr_print(&a, zh->server_text, sizeof(zh->server_text));
    pthread_mutex_unlock(&zh->lock);
    return a.n == 0 ? NULL : zh->server_text;
}

struct sockaddr *zookeeper_get_connected_host(zhandle_t *zh, struct sockaddr *addr, socklen_t *addr_len)
{
    if (zh == NULL || addr == NULL || addr_len == NULL)
        return NULL;
    pthread_mutex_lock(&zh->lock);
    int state = (int)client_state_of(zh->core);
    struct client_addr a = client_linked(zh->core);
    pthread_mutex_unlock(&zh->lock);
    if ((state != CLIENT_STATE_CONNECTED && state != CLIENT_STATE_READ_ONLY) || a.n == 0)
        return NULL;
    memcpy(addr, a.bytes, a.n < *addr_len ? a.n : *addr_len);
    *addr_len = a.n;
    return addr;
}

int zoo_lock_auth(zhandle_t *zh)
{
    return pthread_mutex_lock(&zh->auth_lock);
}

int zoo_unlock_auth(zhandle_t *zh)
{
    return pthread_mutex_unlock(&zh->auth_lock);
}
