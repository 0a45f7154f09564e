#include "server/fronts.h"
#include "base/mem.h"
#include "os/thread.h"
#include "server/limits.h"
#include <stdatomic.h>

#define SWEEP_MS 1000

/* ---- what travels ---- */

enum item_type { ITEM_ACCEPT, ITEM_PROVED, ITEM_FRAME, ITEM_LOST, ITEM_WORD, ITEM_WORD_MORE, ITEM_SENT };

/* In a batch: this, then n bytes (a frame, a peer's address, a subject, or a word's argument), padded to 4. */
struct item {
    uint32_t type, conn, n, word;
};

/* From a thread to the core. */
struct batch {
    struct batch *next;
    struct front_thread *from;
    uint8_t *p;
    size_t n, cap;
    size_t at;   /* items before it have been given to the sink */
    size_t told; /* of frames before it the sink has been told that they come */
};

/* Beyond core_fx_type, from the core to a thread. */
enum order_type {
    ORDER_FX,    /* a core_fx */
    ORDER_PAUSE, /* the core wants no more frames of this connection */
    ORDER_MARK,  /* tell when this connection's answers so far have been sent */
    ORDER_FREE,  /* the core knows that the connection is lost: its number may be given again */
};

/* From the core to a thread. Bytes lie one after the other in the order of the effects that have some. */
struct orders {
    struct orders *next;
    struct core_fx *fx; /* p counts only once the batch is complete */
    uint8_t *types;
    size_t count, cap;
    uint8_t *p;
    size_t n, p_cap;
};

/* ---- both sides ---- */

/* What the core's thread knows of a connection. */
struct remote {
    bool open;        /* accepted, neither closed nor lost */
    bool paused;      /* the sink wants no more frames: what comes is held */
    bool marked;      /* answers pile up: held until the thread has sent them */
    bool ready;       /* in net.ready */
    uint32_t made;    /* bytes of answers since the last mark */
    struct buf *held; /* frames, each with its length in front; NULL: none */
};

struct arrival {
    int fd;
    enum front_port port;
    struct net_address peer;
};

struct front_thread {
    struct fronts *net;
    uint32_t index;
    struct thread thread;
    struct loop *loop;
    struct front front;
    struct loop_wake wake;
    struct loop_timer sweep;
    struct batch *filling;                                        /* the thread's alone */
    struct orders *giving;                                        /* the core's alone */
    atomic_size_t inbox_bytes;                                    /* posted, not yet given to the sink */
    atomic_size_t order_bytes;                                    /* posted to this thread, not yet carried out */
    _Atomic int64_t unsent_bytes, tls_figures[FRONT_TLS_FIGURES]; /* as the front's, at the end of a turn */
    int64_t closed_told;                                          /* of front.closed_total; the thread's alone */
    atomic_bool refused;                                          /* frames wait for room in the inbox */
    atomic_bool stop_reading, quiet, evict, leave;
    struct mutex mutex; /* guards what follows */
    struct orders *orders_first, **orders_last;
    struct arrival *arrivals;
    size_t arrival_count, arrival_cap;
};

struct fronts {
    struct fronts_options opt;
    struct front_thread *threads;
    struct loop_wake inbox_wake;
    uint32_t next_thread;
    _Atomic int64_t open_count; /* sockets, those on their way to a thread included */
    struct remote *remotes;     /* by connection number */
    size_t remote_cap;
    uint32_t *ready; /* connections whose held frames may be given */
    size_t ready_count, ready_cap;
    struct batch *pending_first, **pending_last; /* taken from the inbox, not yet given */
    struct mutex mutex;                          /* guards the inbox */
    struct batch *inbox_first, **inbox_last;
};

/* ---- the threads' side: a sink that fills the batch of this turn ---- */

static void *batch_add(struct front_thread *t, struct item item, size_t n)
{
    struct batch *b = t->filling;
    size_t need = sizeof item + ((n + 3) & ~(size_t)3);
    if (b == NULL) {
        b = t->filling = mem_zalloc(sizeof *b);
        b->from = t;
    }
    if (b->cap - b->n < need) {
        b->cap = b->n + need < 4096 ? 4096 : (b->n + need) * 2;
        b->p = mem_realloc(b->p, b->cap);
    }
    item.n = (uint32_t)n;
    memcpy(b->p + b->n, &item, sizeof item);
    uint8_t *to = b->p + b->n + sizeof item;
    b->n += need;
    return to;
}

static enum front_went t_accept(void *ctx, uint32_t conn, const struct net_address *peer)
{
    struct front_thread *t = ctx;
    memcpy(batch_add(t, (struct item){ .type = ITEM_ACCEPT, .conn = conn }, sizeof *peer), peer, sizeof *peer);
    return FRONT_GO_ON;
}

static void t_proved(void *ctx, uint32_t conn, struct slice subject)
{
    void *to = batch_add(ctx, (struct item){ .type = ITEM_PROVED, .conn = conn }, subject.n);
    memcpy(to, subject.p, subject.n);
}

static bool inbox_is_full(const struct front_thread *t)
{
    return atomic_load(&t->inbox_bytes) + (t->filling ? t->filling->n : 0) > LIMIT_INBOX_BYTES;
}

static enum front_went t_frame(void *ctx, uint32_t conn, struct slice frame)
{
    struct front_thread *t = ctx;
    if (UNLIKELY(inbox_is_full(t))) {
        atomic_store(&t->refused, true);
        /* Looked at again behind the mark: the core may have emptied the inbox just before it could see it, and then
         * nobody would wake this thread. */
        if (inbox_is_full(t))
            return FRONT_REFUSED;
    }
    memcpy(batch_add(t, (struct item){ .type = ITEM_FRAME, .conn = conn }, frame.n), frame.p, frame.n);
    return FRONT_GO_ON;
}

static void t_lost(void *ctx, uint32_t conn)
{
    (void)batch_add(ctx, (struct item){ .type = ITEM_LOST, .conn = conn }, 0);
}

static void t_word(void *ctx, uint32_t conn, uint32_t word, struct slice argument)
{
    void *to = batch_add(ctx, (struct item){ .type = ITEM_WORD, .conn = conn, .word = word }, argument.n);
    memcpy(to, argument.p, argument.n);
}

static void t_word_more(void *ctx, uint32_t conn)
{
    (void)batch_add(ctx, (struct item){ .type = ITEM_WORD_MORE, .conn = conn }, 0);
}

static void t_sent(void *ctx, uint32_t conn)
{
    (void)batch_add(ctx, (struct item){ .type = ITEM_SENT, .conn = conn }, 0);
}

static void post_batch(struct front_thread *t)
{
    struct fronts *n = t->net;
    struct batch *b = t->filling;
    if (b == NULL)
        return;
    t->filling = NULL;
    atomic_fetch_add(&t->inbox_bytes, b->n);
    mutex_lock(&n->mutex);
    *n->inbox_last = b;
    n->inbox_last = &b->next;
    mutex_unlock(&n->mutex);
    loop_wake(&n->inbox_wake);
}

static void t_turn(void *ctx)
{
    struct front_thread *t = ctx;
    while (front_has_ready(&t->front))
        front_run_ready(&t->front);
    atomic_fetch_sub_explicit(&t->net->open_count, t->front.closed_total - t->closed_told, memory_order_relaxed);
    t->closed_told = t->front.closed_total;
    atomic_store(&t->unsent_bytes, t->front.unsent_bytes);
    for (int i = 0; t->front.opt.tls != NULL && i < FRONT_TLS_FIGURES; i++)
        atomic_store_explicit(&t->tls_figures[i], t->front.tls_figures[i], memory_order_relaxed);
    post_batch(t);
    if (t->front.reading_stopped)
        atomic_store(&t->quiet, true);
}

/* ---- the threads' side: orders ---- */

static void carry_out(struct front_thread *t, struct orders *o)
{
    const uint8_t *p = o->p;
    for (size_t i = 0; i < o->count; i++) {
        o->fx[i].p = p;
        if (o->fx[i].n != 0) /* p may be null while no order has bytes */
            p += o->fx[i].n;
    }
    for (size_t i = 0; i < o->count;) {
        size_t from = i;
        while (i < o->count && o->types[i] == ORDER_FX)
            i++;
        if (i != from)
            front_apply(&t->front, o->fx + from, i - from);
        if (i == o->count)
            break;
        uint32_t conn = o->fx[i].conn;
        if (o->types[i] == ORDER_PAUSE)
            front_pause(&t->front, conn);
        else if (o->types[i] == ORDER_MARK)
            front_mark(&t->front, conn);
        else
            front_free_number(&t->front, conn);
        i++;
    }
}

static void orders_free(struct orders *o)
{
    mem_free(o->fx);
    mem_free(o->types);
    mem_free(o->p);
    mem_free(o);
}

static void take_orders(struct front_thread *t)
{
    mutex_lock(&t->mutex);
    struct orders *o = t->orders_first;
    t->orders_first = NULL;
    t->orders_last = &t->orders_first;
    mutex_unlock(&t->mutex);
    while (o != NULL) {
        struct orders *next = o->next;
        size_t bytes = o->n;
        carry_out(t, o);
        orders_free(o);
        atomic_store(&t->unsent_bytes, t->front.unsent_bytes);
        size_t before = atomic_fetch_sub(&t->order_bytes, bytes + 1);
        if (before > LIMIT_ORDERS_BYTES && before - bytes - 1 <= LIMIT_ORDERS_BYTES)
            loop_wake(&t->net->inbox_wake); /* the core left batches of ours alone */
        o = next;
    }
}

static void take_arrivals(struct front_thread *t)
{
    mutex_lock(&t->mutex);
    struct arrival *a = t->arrivals;
    size_t count = t->arrival_count;
    t->arrivals = NULL;
    t->arrival_count = t->arrival_cap = 0;
    mutex_unlock(&t->mutex);
    for (size_t i = 0; i < count; i++) {
        (void)front_make_room(&t->front); /* for the share of silent connections; slots were counted before */
        front_add(&t->front, a[i].fd, &a[i].peer, a[i].port);
    }
    mem_free(a);
}

static void on_thread_wake(struct loop_wake *wake)
{
    struct front_thread *t = CONTAINER_OF(wake, struct front_thread, wake);
    take_orders(t);
    take_arrivals(t);
    if (atomic_exchange(&t->evict, false))
        (void)front_evict(&t->front);
    if (atomic_load(&t->refused) && atomic_load(&t->inbox_bytes) <= LIMIT_INBOX_BYTES / 2) {
        atomic_store(&t->refused, false);
        front_resume_all(&t->front);
    }
    if (atomic_load(&t->stop_reading))
        front_stop_reading(&t->front);
    if (atomic_load(&t->leave)) {
        front_close_all(&t->front);
        loop_timer_close(&t->sweep);
        loop_wake_close(&t->wake);
        loop_stop(t->loop);
    }
}

static void on_sweep(struct loop_timer *timer)
{
    struct front_thread *t = CONTAINER_OF(timer, struct front_thread, sweep);
    front_sweep(&t->front);
    loop_timer_set(timer, SWEEP_MS);
}

static void thread_main(void *ctx)
{
    struct front_thread *t = ctx;
    loop_run(t->loop);
}

/* ---- the core's side: orders ---- */

static struct core_fx *order_add(struct fronts *n, uint32_t conn, enum order_type type)
{
    struct front_thread *t = &n->threads[conn % n->opt.threads];
    struct orders *o = t->giving;
    if (o == NULL)
        o = t->giving = mem_zalloc(sizeof *o);
    if (o->count == o->cap) {
        o->cap = o->cap == 0 ? 64 : o->cap * 2;
        o->fx = mem_realloc(o->fx, o->cap * sizeof *o->fx);
        o->types = mem_realloc(o->types, o->cap);
    }
    o->types[o->count] = (uint8_t)type;
    o->fx[o->count] = (struct core_fx){ .conn = conn };
    return &o->fx[o->count++];
}

static void order_bytes(struct fronts *n, uint32_t conn, const uint8_t *p, size_t count)
{
    struct orders *o = n->threads[conn % n->opt.threads].giving;
    if (o->p_cap - o->n < count) {
        o->p_cap = o->n + count < 4096 ? 4096 : (o->n + count) * 2;
        o->p = mem_realloc(o->p, o->p_cap);
    }
    memcpy(o->p + o->n, p, count);
    o->n += count;
}

static void post_orders(struct fronts *n)
{
    for (uint32_t i = 0; i < n->opt.threads; i++) {
        struct front_thread *t = &n->threads[i];
        struct orders *o = t->giving;
        if (o == NULL)
            continue;
        t->giving = NULL;
        atomic_fetch_add(&t->order_bytes, o->n + 1); /* one more: an order without bytes is on its way, too */
        mutex_lock(&t->mutex);
        *t->orders_last = o;
        t->orders_last = &o->next;
        mutex_unlock(&t->mutex);
        loop_wake(&t->wake);
    }
}

/* ---- the core's side: connections ---- */

static struct remote *remote_of(struct fronts *n, uint32_t conn)
{
    if (conn >= n->remote_cap) {
        size_t cap = n->remote_cap == 0 ? 256 : n->remote_cap;
        while (cap <= conn)
            cap *= 2;
        n->remotes = mem_realloc(n->remotes, cap * sizeof *n->remotes);
        memset(n->remotes + n->remote_cap, 0, (cap - n->remote_cap) * sizeof *n->remotes);
        n->remote_cap = cap;
    }
    return &n->remotes[conn];
}

static void remote_forget(struct remote *r)
{
    if (r->held != NULL) {
        buf_fini(r->held);
        mem_free(r->held);
    }
    *r = (struct remote){ .ready = r->ready };
}

static void remote_ready(struct fronts *n, uint32_t conn, struct remote *r)
{
    if (r->ready)
        return;
    r->ready = true;
    if (n->ready_count == n->ready_cap) {
        n->ready_cap = n->ready_cap == 0 ? 64 : n->ready_cap * 2;
        n->ready = mem_realloc(n->ready, n->ready_cap * sizeof *n->ready);
    }
    n->ready[n->ready_count++] = conn;
}

static void hold(struct remote *r, struct slice frame)
{
    uint32_t n = (uint32_t)frame.n;
    if (r->held == NULL) {
        r->held = mem_alloc(sizeof *r->held);
        buf_init(r->held, SIZE_MAX / 2);
    }
    buf_append(r->held, &n, sizeof n);
    buf_append_slice(r->held, frame);
}

/* Gives one frame to the sink, which may close, pause, or make many bytes. */
static void give(struct fronts *n, uint32_t conn, struct slice frame)
{
    enum front_went went = n->opt.sink.frame(n->opt.sink.ctx, conn, frame);
    struct remote *r = remote_of(n, conn);
    if (went == FRONT_GO_ON || !r->open)
        return;
    if (!r->paused) {
        r->paused = true;
        order_add(n, conn, ORDER_PAUSE);
    }
}

void fronts_apply(struct fronts *n, const struct core_fx *fx, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        uint32_t conn = fx[i].conn;
        struct remote *r = remote_of(n, conn);
        if (!r->open)
            continue;
        if (fx[i].type == CORE_FX_RESUME) { /* told to the thread when nothing is held any more */
            r->paused = false;
            remote_ready(n, conn, r);
            continue;
        }
        struct core_fx *to = order_add(n, conn, ORDER_FX);
        *to = fx[i];
        if (fx[i].type == CORE_FX_CLOSE) {
            to->n = 0;
            remote_forget(r);
            continue;
        }
        order_bytes(n, conn, fx[i].p, fx[i].n);
        r->made = r->made > UINT32_MAX - fx[i].n ? UINT32_MAX : r->made + fx[i].n;
        if (r->made > LIMIT_TURN_BYTES && !r->marked) {
            r->marked = true;
            order_add(n, conn, ORDER_MARK);
            order_add(n, conn, ORDER_PAUSE);
        }
    }
    post_orders(n);
}

/* Frames that were held, as far as they may go now; then the thread may read on. */
static void run_held(struct fronts *n, uint32_t conn)
{
    struct remote *r = remote_of(n, conn);
    size_t at = 0;
    struct buf *held = r->held;
    r->held = NULL; /* the sink may have the connection closed, which frees what is held */
    while (held != NULL && at < held->n && !r->paused && !r->marked && r->open) {
        uint32_t len;
        memcpy(&len, held->p + at, sizeof len);
        give(n, conn, slice_of(held->p + at + sizeof len, len));
        at += sizeof len + len;
        r = remote_of(n, conn);
    }
    if (held != NULL && r->open && at < held->n) {
        buf_drop_front(held, at);
        r->held = held;
        return;
    }
    if (held != NULL) {
        buf_fini(held);
        mem_free(held);
    }
    if (r->open && !r->paused && !r->marked)
        order_add(n, conn, ORDER_FX)->type = CORE_FX_RESUME;
}

bool fronts_has_ready(const struct fronts *n)
{
    return n->ready_count != 0;
}

void fronts_run_ready(struct fronts *n)
{
    size_t count = n->ready_count;
    for (size_t i = 0; i < count; i++) {
        uint32_t conn = n->ready[i];
        struct remote *r = remote_of(n, conn);
        r->ready = false;
        if (r->open && !r->paused && !r->marked)
            run_held(n, conn);
    }
    memmove(n->ready, n->ready + count, (n->ready_count - count) * sizeof *n->ready);
    n->ready_count -= count;
    post_orders(n);
}

/* ---- the core's side: batches ---- */

static void give_item(struct fronts *n, const struct item *item, const uint8_t *p)
{
    struct front_sink *sink = &n->opt.sink;
    struct remote *r = remote_of(n, item->conn);
    switch ((enum item_type)item->type) {
    case ITEM_ACCEPT: {
        struct net_address peer;
        memcpy(&peer, p, sizeof peer);
        remote_forget(r);
        r->open = true;
        if (sink->accept(sink->ctx, item->conn, &peer) != FRONT_GO_ON)
            remote_of(n, item->conn)->paused = true;
        break;
    }
    case ITEM_PROVED:
        if (r->open)
            sink->proved(sink->ctx, item->conn, slice_of(p, item->n));
        break;
    case ITEM_FRAME:
        if (!r->open)
            break; /* closed while this was under way */
        if (r->paused || r->marked || r->held != NULL)
            hold(r, slice_of(p, item->n));
        else
            give(n, item->conn, slice_of(p, item->n));
        break;
    case ITEM_LOST:
        if (r->open) {
            remote_forget(r);
            sink->lost(sink->ctx, item->conn);
        }
        order_add(n, item->conn, ORDER_FREE);
        break;
    case ITEM_WORD:
        if (r->open)
            sink->word(sink->ctx, item->conn, item->word, slice_of(p, item->n));
        break;
    case ITEM_WORD_MORE:
        if (r->open)
            sink->word_more(sink->ctx, item->conn);
        break;
    case ITEM_SENT:
        if (r->open && r->marked) {
            r->marked = false;
            r->made = 0;
            remote_ready(n, item->conn, r);
        }
        break;
    }
}

static void tell_coming(struct fronts *n, struct batch *b)
{
    struct slice frames[FRONT_COMING_MAX];
    size_t count = 0;
    for (b->told = b->at; b->told < b->n && count < FRONT_COMING_MAX;) {
        struct item item;
        memcpy(&item, b->p + b->told, sizeof item);
        if (item.type == ITEM_FRAME)
            frames[count++] = slice_of(b->p + b->told + sizeof item, item.n);
        b->told += sizeof item + ((item.n + 3u) & ~(size_t)3);
    }
    if (count > 1 && n->opt.sink.coming != NULL)
        n->opt.sink.coming(n->opt.sink.ctx, frames, count);
}

/* True when the batch is used up; false when its thread has too many answers to carry out first. */
static bool give_batch(struct fronts *n, struct batch *b)
{
    while (b->at < b->n) {
        if (atomic_load_explicit(&b->from->order_bytes, memory_order_relaxed) > LIMIT_ORDERS_BYTES)
            return false;
        if (b->at >= b->told)
            tell_coming(n, b);
        struct item item;
        memcpy(&item, b->p + b->at, sizeof item);
        const uint8_t *p = b->p + b->at + sizeof item;
        b->at += sizeof item + ((item.n + 3u) & ~(size_t)3);
        give_item(n, &item, p);
    }
    return true;
}

static void on_inbox(struct loop_wake *wake)
{
    struct fronts *n = CONTAINER_OF(wake, struct fronts, inbox_wake);
    mutex_lock(&n->mutex);
    if (n->inbox_first != NULL) {
        *n->pending_last = n->inbox_first;
        n->pending_last = n->inbox_last;
        n->inbox_first = NULL;
        n->inbox_last = &n->inbox_first;
    }
    mutex_unlock(&n->mutex);
    struct batch **at = &n->pending_first;
    uint64_t blocked = 0; /* threads whose later batches must wait, too: order is kept */
    while (*at != NULL) {
        struct batch *b = *at;
        uint64_t bit = 1ull << (b->from->index & 63);
        if ((blocked & bit) != 0 || !give_batch(n, b)) {
            blocked |= bit;
            at = &b->next;
            continue;
        }
        *at = b->next;
        if (n->pending_last == &b->next)
            n->pending_last = at;
        struct front_thread *t = b->from;
        size_t left = atomic_fetch_sub(&t->inbox_bytes, b->n) - b->n;
        if (left <= LIMIT_INBOX_BYTES / 2 && atomic_load(&t->refused))
            loop_wake(&t->wake);
        mem_free(b->p);
        mem_free(b);
    }
    post_orders(n);
}

/* ---- the core's side: the rest ---- */

static void thread_init(struct fronts *n, uint32_t index)
{
    struct front_thread *t = &n->threads[index];
    t->net = n;
    t->index = index;
    t->orders_last = &t->orders_first;
    mutex_init(&t->mutex);
    t->loop = loop_new();
    front_init(&t->front, &(struct front_options){
                              .loop = t->loop,
                              .sink = { .ctx = t,
                                        .accept = t_accept,
                                        .proved = t_proved,
                                        .frame = t_frame,
                                        .lost = t_lost,
                                        .word = t_word,
                                        .word_more = t_word_more,
                                        .sent = t_sent },
                              .index = index,
                              .count = n->opt.threads,
                              .frame_bytes_max = n->opt.frame_bytes_max,
                              .conns_max = n->opt.conns_max,
                              .numbers_are_confirmed = true,
                              .tls = n->opt.tls,
                              .tls_handshake_ms = n->opt.tls_handshake_ms,
                              .tls_names = n->opt.tls_names,
                              .tls_handshakes_max =
                                  n->opt.tls_handshakes_max <= 0 ? 0 : n->opt.tls_handshakes_max / n->opt.threads + 1,
                          });
    loop_wake_open(t->loop, &t->wake, on_thread_wake);
    loop_timer_open(t->loop, &t->sweep, on_sweep);
    loop_timer_set(&t->sweep, SWEEP_MS);
    loop_set_turn(t->loop, t_turn, t);
}

struct fronts *fronts_new(const struct fronts_options *options)
{
    struct fronts *n = mem_zalloc(sizeof *n);
    ASSERT(options->threads >= 1 && options->threads <= 64);
    n->opt = *options;
    n->inbox_last = &n->inbox_first;
    n->pending_last = &n->pending_first;
    mutex_init(&n->mutex);
    loop_wake_open(options->core_loop, &n->inbox_wake, on_inbox);
    n->threads = mem_zalloc(options->threads * sizeof *n->threads);
    for (uint32_t i = 0; i < options->threads; i++)
        thread_init(n, i);
    for (uint32_t i = 0; i < options->threads; i++)
        thread_start(&n->threads[i].thread, "zokor-net", thread_main, &n->threads[i]);
    return n;
}

static void batches_free(struct batch *b)
{
    while (b != NULL) {
        struct batch *next = b->next;
        mem_free(b->p);
        mem_free(b);
        b = next;
    }
}

static void thread_fini(struct front_thread *t)
{
    loop_free(t->loop); /* not before the thread has ended: it was woken until it left */
    front_fini(&t->front);
    for (struct orders *o = t->orders_first; o != NULL;) {
        struct orders *next = o->next;
        orders_free(o);
        o = next;
    }
    if (t->giving != NULL)
        orders_free(t->giving);
    for (size_t i = 0; i < t->arrival_count; i++)
        net_close(t->arrivals[i].fd);
    mem_free(t->arrivals);
    batches_free(t->filling);
    mutex_fini(&t->mutex);
}

void fronts_stop(struct fronts *n)
{
    if (n == NULL)
        return;
    for (uint32_t i = 0; i < n->opt.threads; i++) {
        atomic_store(&n->threads[i].leave, true);
        loop_wake(&n->threads[i].wake);
    }
    for (uint32_t i = 0; i < n->opt.threads; i++) {
        thread_join(&n->threads[i].thread);
        thread_fini(&n->threads[i]);
    }
    loop_wake_close(&n->inbox_wake);
}

void fronts_free(struct fronts *n)
{
    if (n == NULL)
        return;
    batches_free(n->inbox_first);
    batches_free(n->pending_first);
    for (size_t i = 0; i < n->remote_cap; i++)
        remote_forget(&n->remotes[i]);
    mutex_fini(&n->mutex);
    mem_free(n->threads);
    mem_free(n->remotes);
    mem_free(n->ready);
    mem_free(n);
}

void fronts_add(struct fronts *n, int fd, const struct net_address *peer, enum front_port port)
{
    struct front_thread *t = &n->threads[n->next_thread];
    n->next_thread = (n->next_thread + 1) % n->opt.threads;
    mutex_lock(&t->mutex);
    if (t->arrival_count == t->arrival_cap) {
        t->arrival_cap = t->arrival_cap == 0 ? 16 : t->arrival_cap * 2;
        t->arrivals = mem_realloc(t->arrivals, t->arrival_cap * sizeof *t->arrivals);
    }
    t->arrivals[t->arrival_count++] = (struct arrival){ .fd = fd, .port = port, .peer = *peer };
    mutex_unlock(&t->mutex);
    atomic_fetch_add_explicit(&n->open_count, 1, memory_order_relaxed);
    loop_wake(&t->wake);
}

bool fronts_make_room(struct fronts *n)
{
    if (fronts_open_count(n) < n->opt.conns_max)
        return true;
    for (uint32_t i = 0; i < n->opt.threads; i++) {
        atomic_store(&n->threads[i].evict, true);
        loop_wake(&n->threads[i].wake);
    }
    return false;
}

void fronts_stop_reading(struct fronts *n)
{
    for (uint32_t i = 0; i < n->opt.threads; i++) {
        atomic_store(&n->threads[i].stop_reading, true);
        loop_wake(&n->threads[i].wake);
    }
}

bool fronts_all_sent(struct fronts *n)
{
    for (uint32_t i = 0; i < n->opt.threads; i++)
        if (!atomic_load(&n->threads[i].quiet))
            return false;
    mutex_lock(&n->mutex);
    bool empty = n->inbox_first == NULL;
    mutex_unlock(&n->mutex);
    if (!empty || n->pending_first != NULL)
        return false;
    for (uint32_t i = 0; i < n->opt.threads; i++)
        if (atomic_load(&n->threads[i].order_bytes) != 0 || atomic_load(&n->threads[i].unsent_bytes) != 0)
            return false;
    return true;
}

int64_t fronts_open_count(const struct fronts *n)
{
    return atomic_load_explicit(&n->open_count, memory_order_relaxed);
}

int64_t fronts_unsent_bytes(const struct fronts *n)
{
    int64_t bytes = 0;
    for (uint32_t i = 0; i < n->opt.threads; i++)
        bytes += atomic_load_explicit(&n->threads[i].unsent_bytes, memory_order_relaxed);
    return bytes;
}

int64_t fronts_tls_figure(const struct fronts *n, enum front_tls_figure which)
{
    int64_t sum = 0;
    for (uint32_t i = 0; i < n->opt.threads; i++)
        sum += atomic_load_explicit(&n->threads[i].tls_figures[which], memory_order_relaxed);
    return sum;
}
