/* Receiving by those who wait.
 *
 * An answer that the io thread receives for a caller costs two wake-ups: the io thread's and the caller's. A caller in
 * zokor_await sleeps on the socket itself instead, and takes what comes as the io thread would. Meanwhile the io
 * thread, which has the socket in an epoll set, hears only of errors there; when the caller leaves, the set is asked
 * for input again, and tells at once what has come in between.
 *
 * The io thread alone makes and ends connections. A caller that finds one broken, or finds that the core wants
 * something, leaves it to that thread. */
#include "client/shell.h"
#include "base/err.h"
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

void share_fini(zhandle_t *zh)
{
    if (zh->nudge_fd >= 0)
        close(zh->nudge_fd);
    if (zh->share_fd >= 0)
        close(zh->share_fd);
    zh->nudge_fd = zh->share_fd = -1;
}

static bool control(const zhandle_t *zh, int what, uint32_t events)
{
    struct epoll_event e = { .events = events };
    return epoll_ctl(zh->share_fd, what, zh->sock, &e) == 0;
}

static bool make_fds(zhandle_t *zh)
{
    if (zh->share_fd >= 0)
        return true;
    zh->share_fd = epoll_create1(EPOLL_CLOEXEC);
    zh->nudge_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (zh->share_fd >= 0 && zh->nudge_fd >= 0)
        return true;
    share_fini(zh);
    return false;
}

void share_begin(zhandle_t *zh)
{
    pthread_mutex_lock(&zh->lock);
    if (zh->share_wanted && !zh->shared && zh->sock >= 0 && !zh->connecting)
        zh->share_wanted = zh->shared = make_fds(zh) && control(zh, EPOLL_CTL_ADD, EPOLLIN);
    pthread_mutex_unlock(&zh->lock);
}

void share_end(zhandle_t *zh)
{
    pthread_mutex_lock(&zh->lock);
    if (zh->shared) /* explicitly: a child of fork may have the socket, too, and would keep it in the set */
        (void)control(zh, EPOLL_CTL_DEL, 0);
    zh->shared = false;
    share_nudge(zh);
    pthread_mutex_unlock(&zh->lock);
}

static bool is_mine(const zhandle_t *zh)
{
    return zh->reading && pthread_equal(zh->reader, pthread_self());
}

bool share_take(zhandle_t *zh)
{
    if (!zh->share_asked && zh->threaded && zh->secure == NULL) { /* from the io thread's next turn on */
        zh->share_wanted = zh->share_asked = true;
        io_wake(zh);
    }
    if (!zh->shared || zh->reading || zh->closing || deliver_is_here(zh) || !control(zh, EPOLL_CTL_MOD, 0))
        return false;
    zh->reading = true;
    zh->reader = pthread_self();
    zh->callers++;
    return true;
}

int zokor_await_soon(zhandle_t *zh)
{
    if (zh == NULL)
        return ZBADARGUMENTS;
    pthread_mutex_lock(&zh->lock);
    bool took = share_take(zh);
    pthread_mutex_unlock(&zh->lock);
    return took ? ZOK : ZINVALIDSTATE;
}

/* Under lock. */
static void take_nudge(zhandle_t *zh)
{
    uint64_t count;
    if (!zh->nudged)
        return;
    zh->nudged = false;
    ssize_t n = read(zh->nudge_fd, &count, sizeof(count));
    (void)n;
}

static void leave_part(zhandle_t *zh)
{
    pthread_mutex_lock(&zh->lock);
    zh->reading = false;
    if (zh->shared)
        (void)control(zh, EPOLL_CTL_MOD, EPOLLIN);
    take_nudge(zh); /* or the next caller would not sleep */
    if (--zh->callers == 0 && zh->closing)
        pthread_cond_signal(&zh->callers_gone);
    pthread_mutex_unlock(&zh->lock);
}

/* What the caller may sleep on; -1: not here any more. */
static int socket_of(zhandle_t *zh)
{
    pthread_mutex_lock(&zh->lock);
    int sock = zh->shared && !zh->closing ? zh->sock : -1;
    pthread_mutex_unlock(&zh->lock);
    return sock;
}

/* Waits, and takes what comes. ZOK, ZOPERATIONTIMEOUT, or ZCONNECTIONLOSS: the io thread has to see to it. The socket
 * may be closed by now, or another's: who closes it nudges. */
static int turn(zhandle_t *zh, int sock, int timeout_ms)
{
    bool alive = true;
    struct pollfd fds[2] = { { .fd = sock, .events = POLLIN }, { .fd = zh->nudge_fd, .events = POLLIN } };
    int n = poll(fds, 2, timeout_ms);
    if (n > 0 && fds[1].revents != 0) {
        pthread_mutex_lock(&zh->lock);
        take_nudge(zh);
        pthread_mutex_unlock(&zh->lock);
    }
    if (n > 0 && (fds[0].revents & ~POLLNVAL) != 0)
        alive = io_read_for_callers(zh);
    return !alive ? ZCONNECTIONLOSS : n == 0 ? ZOPERATIONTIMEOUT : ZOK;
}

int zokor_await(zhandle_t *zh, int (*is_over)(void *context), void *context, int timeout_ms)
{
    if (zh == NULL || is_over == NULL)
        return ZBADARGUMENTS;
    pthread_mutex_lock(&zh->lock);
    bool mine = is_mine(zh) || share_take(zh);
    pthread_mutex_unlock(&zh->lock);
    if (!mine)
        return ZINVALIDSTATE;
    int64_t end_ms = timeout_ms < 0 ? -1 : clock_ms() + timeout_ms;
    int rc = ZINVALIDSTATE;
    for (int turned = ZOK;;) {
        if (is_over(context) != 0) {
            rc = ZOK;
            break;
        }
        int sock = turned == ZCONNECTIONLOSS ? -1 : socket_of(zh);
        if (sock < 0)
            break;
        if (turned == ZOPERATIONTIMEOUT) {
            rc = ZOPERATIONTIMEOUT;
            break;
        }
        int64_t left_ms = end_ms < 0 ? -1 : end_ms - clock_ms();
        turned = turn(zh, sock, end_ms >= 0 && left_ms < 0 ? 0 : (int)left_ms);
    }
    leave_part(zh);
    return rc;
}

void share_nudge(zhandle_t *zh)
{
    const uint64_t one = 1;
    if (!zh->reading || zh->nudged)
        return;
    zh->nudged = true;
    ssize_t n = write(zh->nudge_fd, &one, sizeof(one));
    (void)n; /* a full counter wakes, too */
}

void zokor_nudge(zhandle_t *zh)
{
    if (zh == NULL || deliver_is_by_caller(zh)) /* it asks again by itself */
        return;
    pthread_mutex_lock(&zh->lock);
    share_nudge(zh);
    pthread_mutex_unlock(&zh->lock);
}
