/* One thread with its connections: a loop over epoll that keeps requests in flight. */
#include "bench/internal.h"
#include "base/err.h"
#include "base/mem.h"
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#define TICK_NS 50000000ull
#define SWEEP_DEPTH 64
#define OPENING_MAX 64 /* handshakes at once, so that a server's queue of connections does not overflow */
#define HANDSHAKE_NS 5000000000ull
#define RETRY_NS 100000000ull
#define FOLDER_SHIFT 40 /* a number of BENCH_AT_NEW: folder above, node below */

uint64_t bench_now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000ull + (uint64_t)t.tv_nsec;
}

void worker_mark_dirty(struct worker *w, struct bench_conn *c)
{
    if (c->dirty)
        return;
    c->dirty = true;
    w->dirty[w->dirty_count++] = c;
}

int32_t worker_book(struct worker *w, struct bench_conn *c, enum op_kind kind, uint64_t number, uint64_t sent_ns)
{
    w->in_flight++;
    worker_mark_dirty(w, c);
    return bench_conn_book(c, (uint8_t)kind, number, sent_ns);
}

static void book_ping(struct worker *w, struct bench_conn *c, enum op_kind kind, uint64_t sent_ns)
{
    w->in_flight++;
    worker_mark_dirty(w, c);
    bench_conn_ping(c, (uint8_t)kind, sent_ns);
}

/* ---- counting ---- */

static bool measures(const struct worker *w)
{
    return w->stage->kind == STAGE_LOAD && w->now_ns >= w->run->from_ns;
}

void worker_count(struct worker *w, uint64_t sent_ns)
{
    if (w->stage->kind != STAGE_LOAD || sent_ns < w->run->from_ns)
        return;
    uint64_t took = w->now_ns > sent_ns ? w->now_ns - sent_ns : 0;
    w->total.ops++;
    w->interval.ops++;
    hist_add(&w->total.hist, took);
    hist_add(&w->interval.hist, took);
    w->last_reply_ns = w->now_ns;
}

void worker_count_error(struct worker *w, int err)
{
    if (!measures(w))
        return;
    tally_error(&w->total, err, 1);
    w->interval.errors++;
}

/* ---- making and deleting nodes ---- */

static void sweep_begin(struct worker *w, const struct stage *stage)
{
    const struct bench_options *o = w->run->o;
    struct sweep *s = &w->sweep;
    size_t again_count = stage->place == BENCH_AT_NEW ? s->again_count : 0; /* what a load has left */
    *s = (struct sweep){ .place = stage->place,
                         .creates = stage->kind == STAGE_MAKE,
                         .next = w->id,
                         .step = o->threads,
                         .again = s->again,
                         .again_cap = s->again_cap,
                         .again_count = again_count };
    switch (stage->place) {
    case BENCH_AT_ROOT:
    case BENCH_AT_LIST:
        s->end = 1; /* the first worker's */
        break;
    case BENCH_AT_NODE:
        s->end = o->nodes;
        break;
    case BENCH_AT_CHILD:
        s->end = o->children;
        break;
    case BENCH_AT_FOLDER:
        s->next = 0;
        s->step = 1;
        s->end = w->conn_count;
        break;
    case BENCH_AT_NEW:
        s->next = w->conns[0].swept;
        s->step = 1;
        s->end = w->conns[0].sequence;
        break;
    }
}

static bool sweep_next(struct worker *w, uint64_t *number)
{
    struct sweep *s = &w->sweep;
    if (s->again_count > 0) {
        *number = s->again[--s->again_count];
        return true;
    }
    while (s->place == BENCH_AT_NEW && s->next == s->end && s->conn + 1 < w->conn_count) {
        w->conns[s->conn].swept = s->end;
        s->end = w->conns[++s->conn].sequence;
        s->next = w->conns[s->conn].swept;
    }
    if (s->place == BENCH_AT_NEW && s->next == s->end)
        w->conns[s->conn].swept = s->end;
    if (s->next >= s->end)
        return false;
    *number = s->next;
    if (s->place == BENCH_AT_FOLDER)
        *number = (uint64_t)w->conns[s->next].index << FOLDER_SHIFT;
    else if (s->place == BENCH_AT_NEW)
        *number |= (uint64_t)w->conns[s->conn].index << FOLDER_SHIFT;
    s->next += s->step;
    return true;
}

static struct slice path_of(const struct worker *w, char *path, enum bench_place place, uint64_t number)
{
    bool foldered = place == BENCH_AT_FOLDER || place == BENCH_AT_NEW;
    uint64_t below = foldered ? number & ((1ull << FOLDER_SHIFT) - 1) : number;
    return bench_path(path, w->run->root, place, (uint32_t)(foldered ? number >> FOLDER_SHIFT : 0), below);
}

/* Whether there may be something left to ask for. */
static bool sweep_left(const struct worker *w)
{
    const struct sweep *s = &w->sweep;
    return s->again_count > 0 || s->next < s->end || (s->place == BENCH_AT_NEW && s->conn + 1 < w->conn_count);
}

static void sweep_fill(struct worker *w, struct bench_conn *c)
{
    char path[BENCH_PATH_MAX];
    uint64_t number;
    while (c->link == BENCH_LINK_READY && c->in_flight < SWEEP_DEPTH && sweep_next(w, &number)) {
        struct slice at = path_of(w, path, w->sweep.place, number);
        int32_t xid = worker_book(w, c, OP_SWEEP, number, w->now_ns);
        if (w->sweep.creates)
            bench_put_create(&c->out, xid, at, w->sweep.place == BENCH_AT_NODE ? w->run->value : slice_str(""));
        else
            bench_put_delete(&c->out, xid, at);
    }
}

static void sweep_reply(struct worker *w, const struct bench_op *op, int err)
{
    char path[BENCH_PATH_MAX];
    if (err == 0 && w->sweep.creates && w->sweep.place == BENCH_AT_ROOT)
        __atomic_store_n(&w->run->made_root, true, __ATOMIC_RELEASE);
    if (err == 0 || err == (w->sweep.creates ? ERR_NODE_EXISTS : ERR_NO_NODE))
        return;
    struct slice at = path_of(w, path, w->sweep.place, op->number);
    if (w->sweep.creates)
        run_fail(w->run, false, "%.*s cannot be created: %s", SLICE_ARG(at), err_text(err));
    else
        run_fail(w->run, false, "%.*s cannot be deleted: %s", SLICE_ARG(at), err_text(err));
}

static void sweep_lost(struct worker *w, uint64_t number)
{
    struct sweep *s = &w->sweep;
    if (s->again_count == s->again_cap) {
        s->again_cap = s->again_cap == 0 ? 64 : s->again_cap * 2;
        s->again = mem_realloc(s->again, s->again_cap * sizeof *s->again);
    }
    s->again[s->again_count++] = number;
}

/* ---- the load ---- */

static struct slice random_node(struct worker *w, char *path)
{
    return bench_path(path, w->run->root, BENCH_AT_NODE, 0, rng_below(&w->rng, w->run->o->nodes));
}

static void put_multi(struct worker *w, struct bench_conn *c, int32_t xid)
{
    char path[BENCH_PATH_MAX];
    size_t begun = bench_multi_begin(&c->out, xid);
    for (uint32_t i = 0; i < w->run->o->ops; i++)
        bench_multi_set(&c->out, random_node(w, path), w->run->value);
    bench_multi_end(&c->out, begun);
}

static void put_read_or_set(struct worker *w, struct bench_conn *c, uint64_t sent_ns, enum wire_opcode op)
{
    char path[BENCH_PATH_MAX];
    struct slice at = random_node(w, path);
    int32_t xid = worker_book(w, c, OP_LOAD, op, sent_ns);
    if (op == WIRE_OP_SET_DATA)
        bench_put_set(&c->out, xid, at, w->run->value);
    else
        bench_put_read(&c->out, xid, op, at, false);
}

static void put_create(struct worker *w, struct bench_conn *c, uint64_t sent_ns, enum op_kind kind)
{
    char path[BENCH_PATH_MAX];
    uint64_t number = c->sequence++;
    int32_t xid = worker_book(w, c, kind, number, sent_ns);
    bench_put_create(&c->out, xid, bench_path(path, w->run->root, BENCH_AT_NEW, c->index, number), w->run->value);
}

/* One request of the workload. */
static void issue(struct worker *w, struct bench_conn *c, uint64_t sent_ns)
{
    char path[BENCH_PATH_MAX];
    struct slice root = w->run->root;
    switch (w->stage->workload) {
    case BENCH_PING:
        book_ping(w, c, OP_LOAD, sent_ns);
        break;
    case BENCH_EXISTS:
        put_read_or_set(w, c, sent_ns, WIRE_OP_EXISTS);
        break;
    case BENCH_GET:
        put_read_or_set(w, c, sent_ns, WIRE_OP_GET_DATA);
        break;
    case BENCH_SET:
        put_read_or_set(w, c, sent_ns, WIRE_OP_SET_DATA);
        break;
    case BENCH_MIXED:
        put_read_or_set(w, c, sent_ns,
                        rng_below(&w->rng, 100) < w->run->o->reads_percent ? WIRE_OP_GET_DATA : WIRE_OP_SET_DATA);
        break;
    case BENCH_LS:
        bench_put_read(&c->out, worker_book(w, c, OP_LOAD, 0, sent_ns), WIRE_OP_GET_CHILDREN2,
                       bench_path(path, root, BENCH_AT_LIST, 0, 0), false);
        break;
    case BENCH_CREATE:
        put_create(w, c, sent_ns, OP_LOAD);
        break;
    case BENCH_DELETE:
        put_create(w, c, sent_ns, OP_PREPARE);
        break;
    case BENCH_MULTI:
        put_multi(w, c, worker_book(w, c, OP_LOAD, 0, sent_ns));
        break;
    case BENCH_SYNC:
        bench_put_sync(&c->out, worker_book(w, c, OP_LOAD, 0, sent_ns), root);
        break;
    case BENCH_WATCH:
    case BENCH_WORKLOAD_COUNT:
        break;
    }
}

static void load_begin(struct worker *w)
{
    const struct bench_options *o = w->run->o;
    double share = (double)w->conn_count / (double)o->connections;
    w->leaving = false;
    w->due_step_ns = o->rate > 0 ? 1e9 / (o->rate * share) : 0;
    w->due_ns = w->now_ns;
    w->due_fraction = 0;
    w->last_reply_ns = 0;
    if (w->stage->workload == BENCH_WATCH)
        watching_begin(w);
}

static void load_fill(struct worker *w, struct bench_conn *c)
{
    if (w->leaving || w->due_step_ns > 0 || c->link != BENCH_LINK_READY)
        return;
    if (w->stage->workload == BENCH_WATCH)
        return;
    while (c->in_flight < w->run->o->depth)
        issue(w, c, w->now_ns);
}

/* With a rate: every request has its time, and its latency runs from then on, also when no connection had room for it.
 * So a server that stands still for a second shows as thousands of late answers rather than as one. */
static void load_due(struct worker *w)
{
    while (!w->leaving && w->due_ns <= w->now_ns) {
        struct bench_conn *c = NULL;
        for (uint32_t i = 0; i < w->conn_count && c == NULL; i++) {
            struct bench_conn *try = &w->conns[w->next_conn];
            w->next_conn = w->next_conn + 1 == w->conn_count ? 0 : w->next_conn + 1;
            if (try->link == BENCH_LINK_READY && try->in_flight < w->run->o->depth)
                c = try;
        }
        if (c == NULL)
            return;
        issue(w, c, w->due_ns);
        double step = w->due_step_ns + w->due_fraction;
        w->due_ns += (uint64_t)step;
        w->due_fraction = step - (double)(uint64_t)step;
    }
}

/* The workload `delete` has not deleted this one. */
static void note_left(struct worker *w, const struct bench_conn *c, const struct bench_op *op)
{
    if (w->stage->kind == STAGE_LOAD && w->stage->workload == BENCH_DELETE)
        sweep_lost(w, (uint64_t)c->index << FOLDER_SHIFT | op->number);
}

static void load_reply(struct worker *w, struct bench_conn *c, const struct bench_op *op, int err, struct slice body)
{
    char path[BENCH_PATH_MAX];
    if (op->kind == OP_PREPARE && err == 0 && w->leaving) {
        note_left(w, c, op);
        return;
    }
    if (op->kind == OP_PREPARE && err == 0) {
        int32_t xid = worker_book(w, c, OP_LOAD, op->number, w->now_ns);
        bench_put_delete(&c->out, xid, bench_path(path, w->run->root, BENCH_AT_NEW, c->index, op->number));
        return;
    }
    if (err == 0 && w->stage->workload == BENCH_MULTI)
        err = bench_multi_error(body);
    if (err == 0 && op->number == WIRE_OP_GET_DATA &&
        (w->stage->workload == BENCH_GET || w->stage->workload == BENCH_MIXED)) {
        struct wire_reader r = wire_reader_of(body);
        if (wire_get_buffer(&r).n != w->run->value.n)
            err = ERR_DATA_INCONSISTENCY;
    }
    if (err != 0) {
        worker_count_error(w, err);
        note_left(w, c, op);
    } else if (op->kind == OP_LOAD) {
        worker_count(w, op->sent_ns);
    }
    load_fill(w, c);
}

/* ---- what connections tell ---- */

static void fill(struct worker *w, struct bench_conn *c)
{
    if (c->link != BENCH_LINK_READY || run_flag(&w->run->unreachable))
        return;
    if (w->stage->kind == STAGE_LOAD)
        load_fill(w, c);
    else if (w->stage->kind == STAGE_MAKE || w->stage->kind == STAGE_CLEAR)
        sweep_fill(w, c);
}

static void on_ready(void *ctx, struct bench_conn *c)
{
    struct worker *w = ctx;
    w->opening_count--;
    w->ready_count++;
    w->progress_ns = w->now_ns;
    worker_mark_dirty(w, c);
    fill(w, c);
}

static void on_reply(void *ctx, struct bench_conn *c, const struct bench_op *op, int err, struct slice body)
{
    struct worker *w = ctx;
    w->in_flight--;
    switch ((enum op_kind)op->kind) {
    case OP_LOAD:
    case OP_PREPARE:
        load_reply(w, c, op, err, body);
        break;
    case OP_SWEEP:
        sweep_reply(w, op, err);
        sweep_fill(w, c);
        break;
    case OP_ARM:
    case OP_WATCHED_SET:
        watching_reply(w, c, op, err);
        break;
    case OP_IDLE:
    case OP_CLOSE:
        break;
    }
}

static void on_event(void *ctx, struct bench_conn *c, int32_t type)
{
    struct worker *w = ctx;
    if (w->stage->kind == STAGE_LOAD && w->stage->workload == BENCH_WATCH && type == WIRE_EVENT_DATA_CHANGED)
        watching_event(w, c);
}

static void on_lost(void *ctx, struct bench_conn *c, const struct bench_op *op)
{
    struct worker *w = ctx;
    w->in_flight--;
    if (op->kind == OP_SWEEP)
        sweep_lost(w, op->number);
    else if (op->kind == OP_WATCHED_SET)
        w->set_in_flight = false;
    else if (op->kind == OP_LOAD || op->kind == OP_PREPARE)
        note_left(w, c, op);
    if (op->kind == OP_LOAD || op->kind == OP_PREPARE || op->kind == OP_ARM || op->kind == OP_WATCHED_SET)
        worker_count_error(w, ERR_CONNECTION_LOSS);
}

/* The next attempt goes to the next server. The pause grows to a second, so that a server that is down for long is not
 * asked a thousand times a second by every load generator. */
static void on_broken(void *ctx, struct bench_conn *c, const char *why)
{
    struct worker *w = ctx;
    struct run *r = w->run;
    if (c->broke_from == BENCH_LINK_READY) {
        w->ready_count--;
        w->progress_ns = w->now_ns;
    } else {
        w->opening_count--;
    }
    watching_broken(w, c);
    if (measures(w))
        w->total.reconnects++;
    if (c->refused) {
        run_fail(r, true, "%s", why);
        return;
    }
    uint64_t rounds = c->failures / (uint32_t)r->server_count;
    c->retry_ns = w->now_ns + (rounds == 0 ? 0 : rounds > 10 ? 10 * RETRY_NS : rounds * RETRY_NS);
    uint64_t silent_ns = w->now_ns - w->progress_ns;
    if (w->stage->kind == STAGE_CLOSE || (double)silent_ns < r->o->give_up_seconds * 1e9)
        return;
    if (w->stage->kind == STAGE_CONNECT && w->ready_count > 0)
        run_fail(r, true,
                 "%u of %u connections of a thread were accepted, then no more: %s (maxClientCnxns of the server? 60 "
                 "by default)",
                 w->ready_count, w->conn_count, why);
    else if (w->ready_count == 0)
        run_fail(r, true, "no server of %s answers for %.3g s: %s", r->o->servers, r->o->give_up_seconds, why);
}

/* ---- the loop ---- */

static void tick_conn(struct worker *w, struct bench_conn *c)
{
    uint64_t now = w->now_ns, timeout_ns = (uint64_t)c->timeout_ms * 1000000;
    switch (c->link) {
    case BENCH_LINK_NONE:
        if (now < c->retry_ns || w->opening_count >= OPENING_MAX || w->stage->kind == STAGE_CLOSE)
            return;
        w->opening_count++;
        bench_conn_open(c, &w->run->servers[c->server++ % w->run->server_count], now);
        return;
    case BENCH_LINK_OPENING:
    case BENCH_LINK_SECURING:
    case BENCH_LINK_HANDSHAKE:
    case BENCH_LINK_LOGIN:
        if (now - c->opened_ns > HANDSHAKE_NS)
            bench_conn_break(c, "no answer");
        return;
    case BENCH_LINK_READY:
        if (c->in_flight > 0 && now - c->heard_ns > timeout_ns && now - c->spoke_ns > timeout_ns)
            bench_conn_break(c, "no answer within the session's timeout");
        else if (c->in_flight == 0 && now - c->spoke_ns > timeout_ns / 3)
            book_ping(w, c, OP_IDLE, now);
        return;
    }
}

static void tick(struct worker *w)
{
    w->ticked_ns = w->now_ns;
    for (uint32_t i = 0; i < w->conn_count; i++)
        tick_conn(w, &w->conns[i]);
    for (uint32_t i = 0; i < w->conn_count; i++)
        fill(w, &w->conns[i]);
}

static void flush(struct worker *w)
{
    size_t n = w->dirty_count;
    w->dirty_count = 0;
    for (size_t i = 0; i < n; i++)
        w->dirty[i]->dirty = false;
    for (size_t i = 0; i < n; i++)
        bench_conn_flush(w->dirty[i], w->now_ns);
}

static bool stage_over(struct worker *w)
{
    struct run *r = w->run;
    bool given_up = run_flag(&r->unreachable);
    switch (w->stage->kind) {
    case STAGE_CONNECT:
        return w->ready_count == w->conn_count || given_up || run_flag(&r->interrupted);
    case STAGE_MAKE:
        if (run_flag(&r->failed) || run_flag(&r->interrupted))
            return w->in_flight == 0 || given_up;
        return w->in_flight == 0 && !sweep_left(w);
    case STAGE_CLEAR:
        return given_up || (w->in_flight == 0 && !sweep_left(w));
    case STAGE_LOAD:
        if (!w->leaving && (w->now_ns >= r->until_ns || run_flag(&r->failed) || run_flag(&r->interrupted))) {
            w->leaving = true;
            w->leaving_ns = w->now_ns;
        }
        return w->leaving &&
               (w->in_flight == 0 || given_up || (double)(w->now_ns - w->leaving_ns) > r->o->give_up_seconds * 1e9);
    case STAGE_CLOSE:
        return w->in_flight == 0 || w->now_ns - w->progress_ns > 2000000000ull;
    }
    return true;
}

static void wait_events(struct worker *w)
{
    struct epoll_event events[256];
    uint64_t until = w->ticked_ns + TICK_NS;
    bool paced = w->stage->kind == STAGE_LOAD && !w->leaving && w->due_step_ns > 0 && w->due_ns > w->now_ns;
    if (paced && w->due_ns < until)
        until = w->due_ns;
    if (w->stage->kind == STAGE_LOAD && !w->leaving && w->run->until_ns < until)
        until = w->run->until_ns;
    uint64_t wait = until > w->now_ns ? until - w->now_ns : 0;
    const struct timespec ts = { (time_t)(wait / 1000000000), (long)(wait % 1000000000) };
    pthread_mutex_unlock(&w->lock);
    int n = epoll_pwait2(w->epoll, events, (int)ARRAY_COUNT(events), &ts, NULL);
    pthread_mutex_lock(&w->lock);
    w->now_ns = bench_now_ns();
    for (int i = 0; i < n; i++)
        bench_conn_events(events[i].data.ptr, events[i].events, w->now_ns);
}

static void close_sessions(struct worker *w)
{
    w->progress_ns = w->now_ns;
    for (uint32_t i = 0; i < w->conn_count; i++) {
        struct bench_conn *c = &w->conns[i];
        if (c->link == BENCH_LINK_READY && c->in_flight == 0)
            bench_put_plain(&c->out, worker_book(w, c, OP_CLOSE, 0, w->now_ns), WIRE_OP_CLOSE_SESSION);
    }
}

static bool skipped(const struct run *r, enum stage_kind kind)
{
    if (kind == STAGE_MAKE || kind == STAGE_LOAD)
        return run_flag(&r->failed) || run_flag(&r->interrupted);
    return kind == STAGE_CLEAR && (run_flag(&r->unreachable) || !run_flag(&r->made_root));
}

static void run_stage(struct worker *w, const struct stage *stage)
{
    w->stage = stage;
    w->now_ns = bench_now_ns();
    w->progress_ns = w->now_ns;
    if (stage->kind == STAGE_MAKE || stage->kind == STAGE_CLEAR)
        sweep_begin(w, stage);
    else if (stage->kind == STAGE_LOAD)
        load_begin(w);
    else if (stage->kind == STAGE_CLOSE)
        close_sessions(w);
    tick(w);
    while (!stage_over(w)) {
        if (stage->kind == STAGE_LOAD && stage->workload == BENCH_WATCH)
            watching_go_on(w);
        else if (stage->kind == STAGE_LOAD && w->due_step_ns > 0)
            load_due(w);
        flush(w);
        wait_events(w);
        bool may_open = stage->kind == STAGE_CONNECT && w->opening_count < OPENING_MAX / 2 &&
                        w->ready_count + w->opening_count < w->conn_count;
        if (may_open || w->now_ns - w->ticked_ns >= TICK_NS)
            tick(w);
    }
    flush(w);
    /* What is still in flight got its time, and belongs to no stage that follows. */
    for (uint32_t i = 0; i < w->conn_count && w->in_flight > 0; i++)
        if (w->conns[i].in_flight > 0)
            bench_conn_break(&w->conns[i], "no answer");
    if (stage->kind == STAGE_LOAD && stage->workload == BENCH_DELETE)
        for (uint32_t i = 0; i < w->conn_count; i++)
            w->conns[i].swept = w->conns[i].sequence; /* those that are left were noted */
}

void *worker_main(void *arg)
{
    struct worker *w = arg;
    struct run *r = w->run;
    w->hooks = (struct bench_hooks){ w, on_ready, on_reply, on_event, on_lost, on_broken };
    for (size_t i = 0; i < r->stage_count; i++) {
        pthread_barrier_wait(&r->barrier);
        pthread_mutex_lock(&w->lock);
        if (!skipped(r, r->stages[i].kind))
            run_stage(w, &r->stages[i]);
        pthread_mutex_unlock(&w->lock);
        sem_post(&r->done);
        pthread_barrier_wait(&r->barrier);
    }
    return NULL;
}
