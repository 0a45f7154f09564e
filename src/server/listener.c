#include "server/listener.h"
#include "base/err.h"
#include "base/log.h"
#include "server/limits.h"

#define WARN_EVERY_MS 10000

/* No descriptor or slot is left: look again in a moment. Watching the port meanwhile would spin, as it stays readable.
 */
static void pause_accepting(struct listener *l, const char *why)
{
    int64_t now_ms = loop_now_ms(l->opt.loop);
    if (l->warned_ms == 0 || now_ms - l->warned_ms >= WARN_EVERY_MS) {
        l->warned_ms = now_ms;
        log_warn("listener.paused",
                 "reason=\"%s\" next=\"new clients wait; raise the limit of open files (ulimit -n, "
                 "LimitNOFILE) or find who holds the connections\"",
                 why);
    }
    loop_poll_set(&l->poll, 0);
    loop_timer_set(&l->pause, LIMIT_ACCEPT_PAUSE_MS);
}

static void on_pause_over(struct loop_timer *timer)
{
    struct listener *l = CONTAINER_OF(timer, struct listener, pause);
    loop_poll_set(&l->poll, LOOP_READABLE);
}

static void on_event(struct loop_poll *poll, unsigned events)
{
    struct listener *l = CONTAINER_OF(poll, struct listener, poll);
    if ((events & LOOP_FAILED) != 0)
        loop_poll_set(&l->poll, LOOP_READABLE);
    for (int i = 0; i < LIMIT_ACCEPTS_PER_TURN; i++) {
        int fd;
        struct net_address peer;
        if (!l->opt.room(l->opt.ctx)) {
            pause_accepting(l, "too many connections");
            return;
        }
        int rc = net_accept(l->opt.fd, &fd, &peer);
        if (rc == ERR_BUSY)
            return;
        if (rc == ERR_TOO_MANY_FILES) {
            pause_accepting(l, "no descriptors left");
            return;
        }
        if (rc == 0)
            l->opt.add(l->opt.ctx, fd, &peer);
    }
}

void listener_open(struct listener *l, const struct listener_options *options)
{
    *l = (struct listener){ .opt = *options, .open = true };
    ASSERT(loop_poll_open(options->loop, &l->poll, options->fd, on_event) == 0);
    loop_timer_open(options->loop, &l->pause, on_pause_over);
    loop_poll_set(&l->poll, LOOP_READABLE);
}

void listener_close(struct listener *l)
{
    if (!l->open)
        return;
    l->open = false;
    loop_timer_close(&l->pause);
    loop_poll_close(&l->poll, NULL);
    net_close(l->opt.fd);
}
