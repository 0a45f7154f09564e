/* The loop over libuv. */
#include "os/loop.h"
#include "base/err.h"
#include "base/mem.h"
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <uv.h>

struct loop {
    uv_loop_t uv;
    uv_prepare_t before;
    uv_check_t after;
    uv_idle_t busy, hurry;
    uv_poll_t bell;
    int bell_fd;
    atomic_bool asleep; /* waits, or is about to: who wakes it must ring */
    struct loop_wake *wakes, *wake_next;
    void (*turn)(void *ctx);
    void *turn_ctx;
    void (*busy_fn)(void *ctx);
    void *busy_ctx;
};

_Static_assert(sizeof(uv_poll_t) <= sizeof((struct loop_poll){ 0 }.storage), "loop_poll.storage");
_Static_assert(sizeof(uv_timer_t) <= sizeof((struct loop_timer){ 0 }.storage), "loop_timer.storage");
_Static_assert(sizeof(uv_signal_t) <= sizeof((struct loop_signal){ 0 }.storage), "loop_signal.storage");

/* A loop or a timer that cannot be made is a process that cannot run: descriptors or memory ran out at start. */
static void must(int rc, const char *what)
{
    if (rc == 0)
        return;
    fprintf(stderr, "zokor: event loop: %s: %s\n", what, uv_strerror(rc));
    exit(1);
}

/* ---- sleeping and being woken ----
 *
 * A wake is a flag, and the bell (an eventfd) is rung only for a loop that sleeps. Whoever wakes sets the flag, then
 * looks at `asleep`; the loop sets `asleep`, then looks at the flags: one of the two sees the other. The library's own
 * handles (uv_async_t) ring always, and the loop spins until the ringing thread runs again: with more threads than
 * processors that costs more than all else in a small write. */

static bool any_woken(const struct loop *loop)
{
    for (const struct loop_wake *w = loop->wakes; w != NULL; w = w->next)
        if (atomic_load(&w->woken))
            return true;
    return false;
}

static void run_woken(struct loop *loop)
{
    for (struct loop_wake *w = loop->wakes; w != NULL; w = loop->wake_next) {
        loop->wake_next = w->next; /* loop_wake_close moves it on */
        if (atomic_load_explicit(&w->woken, memory_order_relaxed) && atomic_exchange(&w->woken, false))
            w->fn(w);
    }
}

static void stay_awake(struct loop *loop)
{
    if (atomic_load_explicit(&loop->asleep, memory_order_relaxed))
        atomic_store_explicit(&loop->asleep, false, memory_order_relaxed);
}

static void on_hurry(uv_idle_t *h)
{
    uv_idle_stop(h);
}

static void on_bell(uv_poll_t *h, int status, int events)
{
    struct loop *loop = h->data;
    uint64_t count;
    (void)status;
    (void)events;
    if (read(loop->bell_fd, &count, sizeof count) < 0) /* nothing to do: it rings again */
        return;
}

static void on_before(uv_prepare_t *h)
{
    struct loop *loop = h->data;
    if (loop->turn != NULL)
        loop->turn(loop->turn_ctx);
    atomic_store(&loop->asleep, true);
    if (any_woken(loop))
        must(uv_idle_start(&loop->hurry, on_hurry), "idle"); /* a wait of no time */
}

static void on_after(uv_check_t *h)
{
    struct loop *loop = h->data;
    stay_awake(loop);
    run_woken(loop);
    if (loop->turn != NULL)
        loop->turn(loop->turn_ctx);
}

static void on_busy(uv_idle_t *h)
{
    struct loop *loop = h->data;
    loop->busy_fn(loop->busy_ctx);
}

struct loop *loop_new(void)
{
    struct loop *loop = mem_zalloc(sizeof *loop);
    must(uv_loop_init(&loop->uv), "init");
    must(uv_prepare_init(&loop->uv, &loop->before), "prepare");
    must(uv_check_init(&loop->uv, &loop->after), "check");
    must(uv_idle_init(&loop->uv, &loop->busy), "idle");
    must(uv_idle_init(&loop->uv, &loop->hurry), "idle");
    loop->bell_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    must(loop->bell_fd < 0 ? uv_translate_sys_error(errno) : 0, "eventfd");
    must(uv_poll_init(&loop->uv, &loop->bell, loop->bell_fd), "poll");
    loop->before.data = loop->after.data = loop->busy.data = loop->bell.data = loop;
    must(uv_prepare_start(&loop->before, on_before), "prepare");
    must(uv_check_start(&loop->after, on_after), "check");
    must(uv_poll_start(&loop->bell, UV_READABLE, on_bell), "poll");
    uv_unref((uv_handle_t *)&loop->before);
    uv_unref((uv_handle_t *)&loop->after);
    uv_unref((uv_handle_t *)&loop->hurry);
    uv_unref((uv_handle_t *)&loop->bell);
    return loop;
}

void loop_free(struct loop *loop)
{
    if (loop == NULL)
        return;
    loop->turn = NULL;
    uv_close((uv_handle_t *)&loop->before, NULL);
    uv_close((uv_handle_t *)&loop->after, NULL);
    uv_close((uv_handle_t *)&loop->busy, NULL);
    uv_close((uv_handle_t *)&loop->hurry, NULL);
    uv_close((uv_handle_t *)&loop->bell, NULL);
    while (uv_run(&loop->uv, UV_RUN_DEFAULT) != 0) /* a loop_stop that no loop_run has seen ends the first */
        ;
    ASSERT(uv_loop_close(&loop->uv) == 0);
    ASSERT(loop->wakes == NULL);
    close(loop->bell_fd);
    mem_free(loop);
}

void loop_run(struct loop *loop)
{
    uv_run(&loop->uv, UV_RUN_DEFAULT);
}

void loop_run_once(struct loop *loop)
{
    uv_run(&loop->uv, UV_RUN_NOWAIT);
}

void loop_stop(struct loop *loop)
{
    uv_stop(&loop->uv);
}

int64_t loop_now_ms(const struct loop *loop)
{
    return (int64_t)uv_now(&loop->uv);
}

void loop_set_turn(struct loop *loop, void (*fn)(void *ctx), void *ctx)
{
    loop->turn = fn;
    loop->turn_ctx = ctx;
}

void loop_set_busy(struct loop *loop, void (*fn)(void *ctx), void *ctx)
{
    loop->busy_fn = fn;
    loop->busy_ctx = ctx;
    if (fn == NULL)
        uv_idle_stop(&loop->busy);
    else
        uv_idle_start(&loop->busy, on_busy);
}

/* ---- sockets ---- */

/* The library's handle lies in the storage; its `data` leads back to the owner. */
static uv_poll_t *poll_of(struct loop_poll *p)
{
    return (uv_poll_t *)(void *)p->storage;
}

static void on_poll(uv_poll_t *h, int status, int events)
{
    struct loop_poll *p = h->data;
    stay_awake(CONTAINER_OF(h->loop, struct loop, uv)); /* wakes are looked at before it sleeps again */
    if (status < 0) {
        p->fn(p, LOOP_FAILED);
        return;
    }
    p->fn(p, ((events & UV_READABLE) != 0 ? LOOP_READABLE : 0u) | ((events & UV_WRITABLE) != 0 ? LOOP_WRITABLE : 0u));
}

static void on_poll_closed(uv_handle_t *h)
{
    struct loop_poll *p = h->data;
    if (p->closed != NULL)
        p->closed(p);
}

int loop_poll_open(struct loop *loop, struct loop_poll *poll, int fd, void (*fn)(struct loop_poll *, unsigned))
{
    poll->fn = fn;
    poll->closed = NULL;
    poll_of(poll)->data = poll;
    int rc = uv_poll_init(&loop->uv, poll_of(poll), fd);
    poll_of(poll)->data = poll;
    return rc == 0 ? 0 : rc == UV_ENOMEM ? ERR_NO_MEMORY : ERR_IO;
}

void loop_poll_set(struct loop_poll *poll, unsigned events)
{
    int e = ((events & LOOP_READABLE) != 0 ? UV_READABLE : 0) | ((events & LOOP_WRITABLE) != 0 ? UV_WRITABLE : 0);
    if (e == 0)
        uv_poll_stop(poll_of(poll));
    else
        uv_poll_start(poll_of(poll), e, on_poll);
}

void loop_poll_close(struct loop_poll *poll, void (*closed)(struct loop_poll *))
{
    poll->closed = closed;
    uv_close((uv_handle_t *)poll_of(poll), on_poll_closed);
}

/* ---- timers ---- */

static uv_timer_t *timer_of(struct loop_timer *t)
{
    return (uv_timer_t *)(void *)t->storage;
}

static void on_timer(uv_timer_t *h)
{
    struct loop_timer *t = h->data;
    t->fn(t);
}

void loop_timer_open(struct loop *loop, struct loop_timer *timer, void (*fn)(struct loop_timer *))
{
    timer->fn = fn;
    must(uv_timer_init(&loop->uv, timer_of(timer)), "timer");
    timer_of(timer)->data = timer;
}

void loop_timer_set(struct loop_timer *timer, int64_t after_ms)
{
    /* A timer that is set to 0 by its own callback would run for ever within one turn. */
    uv_timer_start(timer_of(timer), on_timer, after_ms < 1 ? 1 : (uint64_t)after_ms, 0);
}

void loop_timer_stop(struct loop_timer *timer)
{
    uv_timer_stop(timer_of(timer));
}

void loop_timer_close(struct loop_timer *timer)
{
    uv_close((uv_handle_t *)timer_of(timer), NULL);
}

/* ---- wakes ---- */

void loop_wake_open(struct loop *loop, struct loop_wake *wake, void (*fn)(struct loop_wake *))
{
    wake->fn = fn;
    wake->loop = loop;
    atomic_init(&wake->woken, false);
    if (loop->wakes == NULL)
        uv_ref((uv_handle_t *)&loop->bell);
    wake->next = loop->wakes;
    loop->wakes = wake;
}

void loop_wake(struct loop_wake *wake)
{
    static const uint64_t one = 1;
    if (atomic_exchange(&wake->woken, true) || !atomic_exchange(&wake->loop->asleep, false))
        return;
    ssize_t n;
    do
        n = write(wake->loop->bell_fd, &one, sizeof one);
    while (n < 0 && errno == EINTR);
}

void loop_wake_close(struct loop_wake *wake)
{
    struct loop *loop = wake->loop;
    struct loop_wake **at = &loop->wakes;
    while (*at != NULL && *at != wake)
        at = &(*at)->next;
    if (*at == NULL)
        return;
    *at = wake->next;
    if (loop->wake_next == wake)
        loop->wake_next = wake->next;
    if (loop->wakes == NULL)
        uv_unref((uv_handle_t *)&loop->bell);
}

/* ---- addresses of names ---- */

struct loop_lookup {
    uv_getaddrinfo_t req;
    uint16_t port;
    void (*fn)(void *ctx, const struct net_address *at, size_t count, const char *why); /* NULL: dropped */
    void *ctx;
    const char *failed; /* the question could not even be put */
    uv_idle_t later;
};

/* Adds those of one family behind what is there. */
static size_t take_addresses(const struct addrinfo *list, int family, uint16_t port, struct net_address *to, size_t n)
{
    for (const struct addrinfo *a = list; a != NULL && n < LOOP_LOOKUP_MAX; a = a->ai_next) {
        if (a->ai_family != family)
            continue;
        to[n] = (struct net_address){ .ipv6 = family == AF_INET6, .port = port };
        if (family == AF_INET)
            memcpy(to[n].bytes, &((const struct sockaddr_in *)(const void *)a->ai_addr)->sin_addr, 4);
        else
            memcpy(to[n].bytes, &((const struct sockaddr_in6 *)(const void *)a->ai_addr)->sin6_addr, 16);
        n++;
    }
    return n;
}

static void on_lookup(uv_getaddrinfo_t *req, int status, struct addrinfo *list)
{
    struct loop_lookup *l = req->data;
    struct net_address at[LOOP_LOOKUP_MAX];
    size_t n = 0;
    if (status == 0) {
        n = take_addresses(list, AF_INET, l->port, at, n);
        n = take_addresses(list, AF_INET6, l->port, at, n);
        uv_freeaddrinfo(list);
    }
    if (l->fn != NULL)
        l->fn(l->ctx, at, n, n != 0 ? "" : status != 0 ? uv_strerror(status) : "no address");
    mem_free(l);
}

static void on_lookup_closed(uv_handle_t *h)
{
    mem_free(h->data);
}

static void on_lookup_failed(uv_idle_t *h)
{
    struct loop_lookup *l = h->data;
    uv_idle_stop(h);
    if (l->fn != NULL)
        l->fn(l->ctx, NULL, 0, l->failed);
    uv_close((uv_handle_t *)h, on_lookup_closed);
}

struct loop_lookup *loop_lookup(struct loop *loop, const char *host, uint16_t port,
                                void (*fn)(void *ctx, const struct net_address *at, size_t count, const char *why),
                                void *ctx)
{
    static const struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
    struct loop_lookup *l = mem_zalloc(sizeof *l);
    l->port = port;
    l->fn = fn;
    l->ctx = ctx;
    l->req.data = l->later.data = l;
    int rc = uv_getaddrinfo(&loop->uv, &l->req, on_lookup, host, NULL, &hints);
    if (rc == 0)
        return l;
    l->failed = uv_strerror(rc); /* a name too long, say: told in a later turn, too */
    must(uv_idle_init(&loop->uv, &l->later), "idle");
    must(uv_idle_start(&l->later, on_lookup_failed), "idle");
    return l;
}

void loop_lookup_drop(struct loop_lookup *lookup)
{
    lookup->fn = NULL;
    (void)uv_cancel((uv_req_t *)&lookup->req); /* fails if a thread has begun: then the answer is thrown away */
}

/* ---- names of addresses ---- */

struct loop_naming {
    uv_getnameinfo_t req;
    struct loop *loop;
    struct net_address address;
    void (*fn)(void *ctx, const char *name, const char *why); /* NULL: dropped */
    void *ctx;
    struct loop_lookup *back; /* NULL: the first question is not answered yet */
    char name[NI_MAXHOST];
};

static void on_way_back(void *ctx, const struct net_address *at, size_t count, const char *why)
{
    struct loop_naming *n = ctx;
    bool leads_back = false;
    for (size_t i = 0; i < count; i++)
        leads_back |= at[i].ipv6 == n->address.ipv6 && memcmp(at[i].bytes, n->address.bytes, at[i].ipv6 ? 16 : 4) == 0;
    n->fn(n->ctx, leads_back ? n->name : NULL,
          leads_back   ? ""
          : count == 0 ? why
                       : "the name of the address is that of another address");
    mem_free(n);
}

static void on_naming(uv_getnameinfo_t *req, int status, const char *name, const char *service)
{
    struct loop_naming *n = req->data;
    (void)service;
    if (status == 0 && n->fn != NULL) {
        snprintf(n->name, sizeof n->name, "%s", name);
        n->back = loop_lookup(n->loop, n->name, n->address.port, on_way_back, n);
        return;
    }
    if (n->fn != NULL)
        n->fn(n->ctx, NULL, uv_strerror(status));
    mem_free(n);
}

struct loop_naming *loop_name(struct loop *loop, const struct net_address *address,
                              void (*fn)(void *ctx, const char *name, const char *why), void *ctx)
{
    struct loop_naming *n = mem_zalloc(sizeof *n);
    struct sockaddr_in v4 = { .sin_family = AF_INET };
    struct sockaddr_in6 v6 = { .sin6_family = AF_INET6 };
    *n = (struct loop_naming){ .loop = loop, .address = *address, .fn = fn, .ctx = ctx };
    n->req.data = n;
    memcpy(&v4.sin_addr, address->bytes, sizeof v4.sin_addr);
    memcpy(&v6.sin6_addr, address->bytes, sizeof v6.sin6_addr);
    const void *at = address->ipv6 ? (const void *)&v6 : (const void *)&v4;
    must(uv_getnameinfo(&loop->uv, &n->req, on_naming, at, NI_NAMEREQD), "getnameinfo");
    return n;
}

void loop_name_drop(struct loop_naming *naming)
{
    if (naming->back != NULL) {
        loop_lookup_drop(naming->back);
        mem_free(naming);
        return;
    }
    naming->fn = NULL;
    (void)uv_cancel((uv_req_t *)&naming->req); /* as above */
}

/* ---- signals ---- */

static uv_signal_t *signal_of(struct loop_signal *s)
{
    return (uv_signal_t *)(void *)s->storage;
}

static void on_signal(uv_signal_t *h, int number)
{
    struct loop_signal *s = h->data;
    (void)number;
    s->fn(s);
}

void loop_signal_open(struct loop *loop, struct loop_signal *signal, enum loop_signal_number number,
                      void (*fn)(struct loop_signal *))
{
    static const int numbers[] = { [LOOP_SIGNAL_TERMINATE] = SIGTERM, [LOOP_SIGNAL_INTERRUPT] = SIGINT };
    signal->fn = fn;
    must(uv_signal_init(&loop->uv, signal_of(signal)), "signal");
    signal_of(signal)->data = signal;
    must(uv_signal_start(signal_of(signal), on_signal, numbers[number]), "signal");
}

void loop_signal_close(struct loop_signal *signal)
{
    uv_close((uv_handle_t *)signal_of(signal), NULL);
}
