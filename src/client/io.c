/* The socket and the thread that owns it. */
#include "client/shell.h"
#include "base/err.h"
#include "base/mem.h"
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

int64_t clock_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

void io_wake(zhandle_t *zh)
{
    const uint64_t one = 1;
    if (!zh->threaded || zh->woken)
        return;
    zh->woken = true;
    ssize_t n = write(zh->wake_fd, &one, sizeof(one));
    (void)n; /* a full counter wakes, too */
}

void io_wake_if_asleep(zhandle_t *zh)
{
    if (zh->asleep)
        io_wake(zh);
}

/* One last word of TLS, if the socket takes it: the server then knows that nothing was cut off. */
static void end_secure(zhandle_t *zh)
{
    bool whole = zh->sock >= 0 && zh->sent_n == zh->sending.n;
    buf_reset(&zh->sending);
    secure_end(zh->secure, whole ? &zh->sending : NULL);
    if (whole && zh->sending.n != 0) {
        ssize_t n = send(zh->sock, zh->sending.p, zh->sending.n, MSG_NOSIGNAL);
        (void)n;
    }
}

static void close_socket(zhandle_t *zh)
{
    share_end(zh);
    pthread_mutex_lock(&zh->send_lock);
    if (zh->secure != NULL)
        end_secure(zh);
    if (zh->sock >= 0)
        close(zh->sock);
    zh->sock = -1;
    zh->connecting = false;
    buf_reset(&zh->sending);
    zh->sent_n = 0;
    pthread_mutex_unlock(&zh->send_lock);
}

static void lost(zhandle_t *zh, const char *what, int error)
{
    char server[80] = "";
    close_socket(zh);
    pthread_mutex_lock(&zh->lock);
    struct client_addr linked = client_linked(zh->core);
    addr_print(&linked, server, sizeof(server));
    bool expected = zh->closing;
    client_lost(zh->core, ERR_CONNECTION_LOSS, clock_ms());
    pthread_mutex_unlock(&zh->lock);
    if (!expected)
        zlog(zh, ZOO_LOG_LEVEL_WARN, "connection to %s: %s%s%s", server, what, error == 0 ? "" : ": ",
             error == 0 ? "" : strerror(error));
}

static void set_socket(zhandle_t *zh, int sock, bool connecting)
{
    pthread_mutex_lock(&zh->send_lock);
    zh->sock = sock;
    zh->connecting = connecting;
    pthread_mutex_unlock(&zh->send_lock);
}

static void tell_opened(zhandle_t *zh)
{
    pthread_mutex_lock(&zh->lock);
    client_opened(zh->core, clock_ms());
    pthread_mutex_unlock(&zh->lock);
}

/* The socket is connected; with TLS the handshake comes first. */
static void opened(zhandle_t *zh)
{
    char text[512] = "";
    struct client_addr a;
    int rc = 0;
    set_socket(zh, zh->sock, false);
    if (zh->secure == NULL) {
        tell_opened(zh);
        return;
    }
    pthread_mutex_lock(&zh->lock);
    a = client_linked(zh->core);
    pthread_mutex_unlock(&zh->lock);
    pthread_mutex_lock(&zh->send_lock);
    rc = secure_begin(zh->secure, &a, &zh->names, &zh->sending, text, sizeof text);
    pthread_mutex_unlock(&zh->send_lock);
    if (rc != 0)
        lost(zh, text, 0);
}

/* A socket on its way to an address, or -1 and errno. *done: it is there already. */
static int start_connect(const struct client_addr *a, bool *done)
{
    struct sockaddr_storage to = { 0 };
    const int one = 1;
    memcpy(&to, a->bytes, a->n);
    int s = socket(to.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (s < 0)
        return -1;
    (void)setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    *done = connect(s, (const struct sockaddr *)&to, a->n) == 0;
    if (!*done && errno != EINPROGRESS) {
        int error = errno;
        close(s);
        errno = error;
        return -1;
    }
    return s;
}

static void connect_to(zhandle_t *zh, const struct client_addr *a)
{
    bool done = false;
    close_socket(zh);
    int sock = start_connect(a, &done);
    int error = errno;
    set_socket(zh, sock, sock >= 0 && !done);
    if (sock < 0)
        lost(zh, "cannot connect", error);
    else if (done)
        opened(zh);
}

void io_writable(zhandle_t *zh)
{
    int error = 0;
    socklen_t n = sizeof(error);
    if (!zh->connecting)
        return;
    if (getsockopt(zh->sock, SOL_SOCKET, SO_ERROR, &error, &n) != 0)
        error = errno;
    if (error != 0)
        lost(zh, "cannot connect", error);
    else
        opened(zh);
}

static void resolve(zhandle_t *zh)
{
    struct client_addr *addrs = mem_alloc(CLIENT_HOSTS_MAX * sizeof(*addrs));
    pthread_mutex_lock(&zh->lock);
    char *text = strdup(zh->hosts_text);
    pthread_mutex_unlock(&zh->lock);
    size_t n = text == NULL ? 0 : resolve_hosts(zh, text, addrs, CLIENT_HOSTS_MAX);
    pthread_mutex_lock(&zh->lock);
    if (text != NULL && strcmp(text, zh->hosts_text) == 0)
        client_resolved(zh->core, addrs, n, clock_ms());
    else /* the list was changed meanwhile, and with it the addresses */
        client_resolved(zh->core, NULL, 0, clock_ms());
    pthread_mutex_unlock(&zh->lock);
    free(text);
    mem_free(addrs);
}

static void end_probe(zhandle_t *zh, bool writable)
{
    if (zh->probe_sock >= 0)
        close(zh->probe_sock);
    zh->probe_sock = -1;
    pthread_mutex_lock(&zh->lock);
    client_probed(zh->core, writable, clock_ms());
    pthread_mutex_unlock(&zh->lock);
}

static void start_probe(zhandle_t *zh, const struct client_addr *a)
{
    bool done;
    if (zh->probe_sock >= 0)
        close(zh->probe_sock);
    zh->probe_asked = false;
    zh->probe_by_ms = clock_ms() + SHELL_PROBE_MS;
    zh->probe_sock = zh->secure != NULL ? -1 : start_connect(a, &done); /* a port of TLS knows no four-letter words */
    if (zh->probe_sock < 0)
        end_probe(zh, false);
}

void io_probe(zhandle_t *zh)
{
    char answer[4];
    if (zh->probe_sock < 0)
        return;
    struct pollfd p = { .fd = zh->probe_sock, .events = zh->probe_asked ? POLLIN : POLLOUT };
    if (poll(&p, 1, 0) <= 0) {
        if (clock_ms() >= zh->probe_by_ms)
            end_probe(zh, false);
        return;
    }
    if (!zh->probe_asked) {
        zh->probe_asked = true;
        if (send(zh->probe_sock, "isro", 4, MSG_NOSIGNAL) != 4)
            end_probe(zh, false);
        return;
    }
    ssize_t n = recv(zh->probe_sock, answer, sizeof(answer), 0);
    end_probe(zh, n >= 2 && memcmp(answer, "rw", 2) == 0);
}

bool io_advance(zhandle_t *zh)
{
    for (;;) {
        struct client_addr a;
        pthread_mutex_lock(&zh->lock);
        enum client_need need = client_need(zh->core, clock_ms());
        if (need == CLIENT_NEED_CONNECT)
            a = client_linked(zh->core);
        else if (need == CLIENT_NEED_PROBE)
            a = *client_probe_target(zh->core);
        pthread_mutex_unlock(&zh->lock);
        switch (need) {
        case CLIENT_NEED_NOTHING:
            return true;
        case CLIENT_NEED_END:
            return false;
        case CLIENT_NEED_DISCONNECT:
            close_socket(zh);
            break;
        case CLIENT_NEED_RESOLVE:
            resolve(zh);
            break;
        case CLIENT_NEED_CONNECT:
            connect_to(zh, &a);
            break;
        case CLIENT_NEED_LOGIN:
            io_log_in(zh);
            break;
        case CLIENT_NEED_PROBE:
            start_probe(zh, &a);
            break;
        }
    }
}

/* Fetches what the core wants to send; false: nothing now. Under send_lock. */
static bool fetch_output(zhandle_t *zh)
{
    struct secure *s = zh->secure;
    buf_reset(&zh->sending);
    zh->sent_n = 0;
    if (s != NULL && (s->conn == NULL || s->shaking))
        return false;
    pthread_mutex_lock(&zh->lock);
    bool more = client_take_output(zh->core, s == NULL ? &zh->sending : &s->clear, clock_ms());
    pthread_mutex_unlock(&zh->lock);
    if (more && s != NULL) /* a failure shows when the socket is read */
        more = secure_seal(s, &zh->sending) == 0;
    return more;
}

/* Sends what there is; 0, EAGAIN if the socket takes no more for now, or another errno. Under send_lock. */
static int send_output(zhandle_t *zh, int flags)
{
    if (zh->sock < 0 || zh->connecting)
        return 0;
    for (;;) {
        if (zh->sent_n == zh->sending.n && !fetch_output(zh))
            return 0;
        ssize_t n = send(zh->sock, zh->sending.p + zh->sent_n, zh->sending.n - zh->sent_n, flags);
        if (n < 0 && errno != EINTR)
            return errno == EWOULDBLOCK ? EAGAIN : errno;
        zh->sent_n += n < 0 ? 0 : (size_t)n;
    }
}

bool io_flush(zhandle_t *zh)
{
    pthread_mutex_lock(&zh->send_lock);
    int error = send_output(zh, MSG_NOSIGNAL);
    pthread_mutex_unlock(&zh->send_lock);
    if (error != 0 && error != EAGAIN)
        lost(zh, "cannot send", error);
    return error != EAGAIN;
}

void io_send_now(zhandle_t *zh, bool more_follows)
{
    int error = EAGAIN;
    if (pthread_mutex_trylock(&zh->send_lock) == 0) {
        error = send_output(zh, MSG_NOSIGNAL | (more_follows ? MSG_MORE : 0));
        pthread_mutex_unlock(&zh->send_lock);
    }
    if (error == 0)
        return;
    pthread_mutex_lock(&zh->lock);
    io_wake_if_asleep(zh);
    pthread_mutex_unlock(&zh->lock);
}

void io_note_session(zhandle_t *zh, enum client_state before)
{
    enum client_state state = client_state_of(zh->core);
    if (state == before)
        return;
    if (zh->id.client_id != client_session_id(zh->core)) {
        zh->id.client_id = client_session_id(zh->core);
        memcpy(zh->id.passwd, client_passwd(zh->core), sizeof(zh->id.passwd));
    }
    if (state == CLIENT_STATE_CONNECTED || state == CLIENT_STATE_READ_ONLY)
        zlog(zh, ZOO_LOG_LEVEL_INFO, "session established, id 0x%llx, timeout %d ms%s",
             (unsigned long long)client_session_id(zh->core), client_timeout_ms(zh->core),
             state == CLIENT_STATE_READ_ONLY ? ", server is read-only" : "");
    else if (state == CLIENT_STATE_EXPIRED)
        zlog(zh, ZOO_LOG_LEVEL_ERROR, "session 0x%llx has expired", (unsigned long long)zh->id.client_id);
    else if (state == CLIENT_STATE_AUTH_FAILED)
        zlog(zh, ZOO_LOG_LEVEL_ERROR, "the server refused the %s; its log says why",
             zh->login != NULL ? "login by SASL" : "authentication");
}

/* n bytes are where client_room wanted them. */
static void take_received(zhandle_t *zh, size_t n)
{
    pthread_mutex_lock(&zh->lock);
    enum client_state before = client_state_of(zh->core);
    client_received(zh->core, n, clock_ms());
    io_note_session(zh, before);
    (void)client_take_done(zh->core, &zh->batch);
    pthread_mutex_unlock(&zh->lock);
    deliver_batch(zh, &zh->batch);
}

static void take_plain(zhandle_t *zh)
{
    struct buf *plain = &zh->secure->plain;
    for (size_t at = 0; at < plain->n;) {
        uint8_t *p;
        size_t room;
        client_room(zh->core, &p, &room);
        size_t n = plain->n - at < room ? plain->n - at : room;
        memcpy(p, plain->p + at, n);
        at += n;
        take_received(zh, n);
    }
    buf_reset(plain);
}

/* What came from the socket under TLS. False: the connection is gone. */
static bool unseal(zhandle_t *zh, size_t n)
{
    char text[512] = "";
    bool established;
    pthread_mutex_lock(&zh->send_lock);
    int rc = secure_feed(zh->secure, slice_of(zh->raw, n), &zh->sending, &established, text, sizeof text);
    if (rc != 0)
        (void)send_output(zh, MSG_NOSIGNAL); /* the alert that tells the server why */
    pthread_mutex_unlock(&zh->send_lock);
    if (established)
        tell_opened(zh);
    take_plain(zh);
    if (rc == 0)
        return true;
    lost(zh, rc == ERR_CLOSED ? "closed by the server" : text, 0);
    return false;
}

/* Reads what is there; true if anything was. */
bool io_readable(zhandle_t *zh)
{
    bool any = false;
    for (int i = 0; i < 8 && zh->sock >= 0 && !zh->connecting; i++) {
        uint8_t *p = zh->raw;
        size_t room = SECURE_RAW_BYTES;
        if (zh->secure == NULL)
            client_room(zh->core, &p, &room);
        ssize_t n = recv(zh->sock, p, room, 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            break;
        if (n <= 0) {
            lost(zh, n == 0 ? "closed by the server" : "cannot receive", n == 0 ? 0 : errno);
            return true;
        }
        any = true;
        if (zh->secure == NULL)
            take_received(zh, (size_t)n);
        else if (!unseal(zh, (size_t)n))
            return true;
        if ((size_t)n < room)
            break;
    }
    return any;
}

/* 1: all is taken. 0: there may be more. -1: the connection has ended; who reads on finds that again. */
static int read_shared(zhandle_t *zh)
{
    for (int i = 0; i < 8; i++) {
        uint8_t *p;
        size_t room;
        client_room(zh->core, &p, &room);
        ssize_t n = recv(zh->sock, p, room, 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK) ? 1 : -1;
        take_received(zh, (size_t)n);
        if ((size_t)n < room)
            return 1;
    }
    return 0;
}

bool io_read_for_callers(zhandle_t *zh)
{
    int taken = -1;
    pthread_mutex_lock(&zh->read_lock);
    pthread_mutex_lock(&zh->lock);
    bool shared = zh->shared;
    pthread_mutex_unlock(&zh->lock);
    zh->caller_reads = true;
    if (shared)
        taken = read_shared(zh);
    zh->caller_reads = false;
    pthread_mutex_lock(&zh->lock);
    enum client_state state = client_state_of(zh->core);
    bool up = state == CLIENT_STATE_CONNECTED || state == CLIENT_STATE_READ_ONLY;
    bool ours = taken >= 0 && up && client_wake_ms(zh->core) != 0;
    if (!ours) {
        zh->look = true;
        io_wake(zh);
    }
    bool out = client_has_output(zh->core);
    pthread_mutex_unlock(&zh->lock);
    pthread_mutex_unlock(&zh->read_lock);
    if (out)
        io_send_now(zh, false);
    return ours;
}

/* Answers that were made without a server: failures, session events, deadlines. */
static void pump_done(zhandle_t *zh)
{
    pthread_mutex_lock(&zh->lock);
    (void)client_take_done(zh->core, &zh->batch);
    pthread_mutex_unlock(&zh->lock);
    deliver_batch(zh, &zh->batch);
}

/* There is a connection that requests can go to now. */
static bool takes_output(const zhandle_t *zh)
{
    return !zh->connecting && (zh->secure == NULL || !zh->secure->shaking);
}

static int poll_timeout(int64_t wake_ms)
{
    if (wake_ms == INT64_MAX)
        return -1;
    int64_t wait = wake_ms - clock_ms();
    return wait < 0 ? 0 : wait > 3600000 ? 3600000 : (int)wait;
}

/* Sleeps. True: something is to be received. */
static bool sleep_for_events(zhandle_t *zh, bool blocked)
{
    struct pollfd fds[4] = { { .fd = zh->wake_fd, .events = POLLIN },
                             { .fd = zh->sock, .events = POLLIN },
                             { .fd = zh->probe_sock, .events = zh->probe_asked ? POLLIN : POLLOUT },
                             { .fd = -1 } };
    pthread_mutex_lock(&zh->lock);
    bool work = client_has_done(zh->core) || zh->look;
    work = work || (client_has_output(zh->core) && !blocked && takes_output(zh));
    int64_t wake_ms = client_wake_ms(zh->core);
    zh->asleep = !work;
    if (zh->shared) {
        fds[1].fd = zh->share_fd;
        fds[3] = (struct pollfd){ .fd = blocked ? zh->sock : -1, .events = POLLOUT };
    }
    pthread_mutex_unlock(&zh->lock);
    if (zh->probe_sock >= 0 && zh->probe_by_ms < wake_ms)
        wake_ms = zh->probe_by_ms;
    if (zh->connecting)
        fds[1].events = POLLOUT;
    else if (blocked && fds[3].fd < 0)
        fds[1].events = POLLIN | POLLOUT;
    int n = poll(fds, 4, work ? 0 : poll_timeout(wake_ms));
    pthread_mutex_lock(&zh->lock);
    zh->asleep = false;
    bool look = zh->look || (n > 0 && (fds[1].revents & ~POLLOUT) != 0);
    zh->look = false;
    if (n > 0 && fds[0].revents != 0) {
        uint64_t count;
        ssize_t got = read(zh->wake_fd, &count, sizeof(count));
        (void)got;
        zh->woken = false;
    }
    pthread_mutex_unlock(&zh->lock);
    return look || (n > 0 && zh->connecting && fds[1].revents != 0);
}

void *io_thread_main(void *arg)
{
    zhandle_t *zh = arg;
    pthread_mutex_lock(&zh->read_lock);
    for (;;) {
        bool alive = io_advance(zh);
        share_begin(zh);
        pump_done(zh);
        bool blocked = !io_flush(zh);
        pthread_mutex_lock(&zh->lock);
        bool end = !alive && zh->closing && !client_has_done(zh->core);
        pthread_mutex_unlock(&zh->lock);
        if (end)
            break;
        pthread_mutex_unlock(&zh->read_lock);
        bool ready = sleep_for_events(zh, blocked);
        pthread_mutex_lock(&zh->read_lock);
        if (ready && zh->connecting)
            io_writable(zh);
        else if (ready)
            (void)io_readable(zh);
        io_probe(zh);
    }
    pthread_mutex_unlock(&zh->read_lock);
    deliver_end(zh);
    return NULL;
}

static void polled_turn(zhandle_t *zh, bool *alive)
{
    *alive = io_advance(zh);
    io_probe(zh);
    (void)io_flush(zh);
    pump_done(zh);
    (void)deliver_queued(zh);
}

int zookeeper_interest(zhandle_t *zh, int *fd, int *interest, struct timeval *tv)
{
    bool alive;
    if (zh == NULL || fd == NULL || interest == NULL || tv == NULL)
        return ZBADARGUMENTS;
    *fd = -1;
    *interest = 0;
    *tv = (struct timeval){ 0 };
    if (zh->threaded)
        return ZINVALIDSTATE;
    polled_turn(zh, &alive);
    if (zh->self_close)
        return handle_close_polled(zh);
    if (!alive)
        return ZINVALIDSTATE;
    int64_t wait = poll_timeout(client_wake_ms(zh->core));
    if (zh->probe_sock >= 0 && wait > 50)
        wait = 50; /* the program waits for one descriptor only */
    *fd = zh->sock;
    if (zh->sock >= 0)
        *interest = ZOOKEEPER_READ;
    if (zh->connecting || zh->sent_n < zh->sending.n || (client_has_output(zh->core) && takes_output(zh)))
        *interest |= ZOOKEEPER_WRITE;
    tv->tv_sec = wait / 1000;
    tv->tv_usec = wait % 1000 * 1000;
    return ZOK;
}

int zookeeper_process(zhandle_t *zh, int events)
{
    bool alive;
    if (zh == NULL)
        return ZBADARGUMENTS;
    if (zh->threaded)
        return ZINVALIDSTATE;
    int before = zoo_state(zh);
    bool was_there = zh->sock >= 0;
    bool any = zh->connecting;
    if (zh->connecting && events != 0)
        io_writable(zh);
    else if ((events & ZOOKEEPER_READ) != 0)
        any = io_readable(zh);
    bool gone = was_there && zh->sock < 0;
    polled_turn(zh, &alive);
    if (zh->self_close)
        return handle_close_polled(zh);
    int state = zoo_state(zh);
    if (!alive && state != before)
        return state == CLIENT_STATE_AUTH_FAILED ? ZAUTHFAILED : ZSESSIONEXPIRED;
    if (!alive)
        return ZINVALIDSTATE;
    return gone ? ZCONNECTIONLOSS : any || (events & ZOOKEEPER_WRITE) != 0 ? ZOK : ZNOTHING;
}
