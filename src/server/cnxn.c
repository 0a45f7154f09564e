#include "server/cnxn.h"
#include "admin/command.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "server/cnxn_tls.h"
#include "server/limits.h"
#include "wire/jute.h"

/* ---- life ---- */

static void on_closed(struct loop_poll *poll)
{
    struct cnxn *c = CONTAINER_OF(poll, struct cnxn, poll);
    struct front *f = c->front;
    uint32_t slot = c->id / f->opt.count;
    ASSERT(f->conns[slot] == c);
    f->conns[slot] = NULL;
    if ((c->flags & CNXN_TOLD) == 0 || !f->opt.numbers_are_confirmed)
        f->slots_free[f->slots_free_count++] = slot;
    mem_free(c);
}

void cnxn_unfresh(struct cnxn *c)
{
    if ((c->flags & CNXN_FRESH) == 0)
        return;
    c->flags &= (uint16_t)~CNXN_FRESH;
    c->front->fresh_count--;
    list_remove(&c->link);
}

static void set_sent(struct cnxn *c)
{
    if ((c->flags & CNXN_UNSENT) != 0)
        list_remove(&c->link);
    c->flags &= (uint16_t) ~(CNXN_UNSENT | CNXN_FULL);
    c->front->unsent_bytes -= (int64_t)(c->out_end - c->out_off);
    mem_free(c->out);
    c->out = NULL;
    c->out_off = c->out_end = c->out_cap = 0;
}

static void drop_in(struct cnxn *c)
{
    mem_free(c->in);
    c->in = NULL;
    c->in_off = c->in_end = c->in_cap = 0;
}

void cnxn_close(struct cnxn *c)
{
    if ((c->flags & CNXN_DEAD) != 0)
        return;
    cnxn_unfresh(c);
    if (UNLIKELY(c->tls != NULL))
        cnxn_tls_close(c);
    set_sent(c);
    drop_in(c);
    c->flags |= CNXN_DEAD;
    c->front->open_count--;
    c->front->closed_total++;
    loop_poll_close(&c->poll, on_closed);
    net_close(c->fd);
    c->fd = -1;
}

void cnxn_make_ready(struct cnxn *c)
{
    struct front *f = c->front;
    if ((c->flags & CNXN_READY) != 0)
        return;
    c->flags |= CNXN_READY;
    if (f->ready_count == f->ready_cap) {
        f->ready_cap = f->ready_cap == 0 ? 64 : f->ready_cap * 2;
        f->ready = mem_realloc(f->ready, f->ready_cap * sizeof(struct cnxn *));
    }
    f->ready[f->ready_count++] = c;
}

void cnxn_break(struct cnxn *c)
{
    if ((c->flags & (CNXN_DEAD | CNXN_BROKEN)) != 0)
        return;
    c->flags |= CNXN_BROKEN;
    cnxn_make_ready(c);
}

/* ---- what the loop watches ---- */

/* Watching for bytes is taken away only when bytes come that are not wanted: most pauses end before that, and then
 * cost no call. */
void cnxn_watch(struct cnxn *c)
{
    if ((c->flags & CNXN_DEAD) != 0)
        return;
    bool wants_bytes = (c->flags & CNXN_HELD) == 0 && !c->front->reading_stopped;
    bool wants_room = c->out_end != 0 || (c->flags & CNXN_WORD) != 0;
    unsigned want = (wants_bytes ? LOOP_READABLE : c->polled & LOOP_READABLE) | (wants_room ? LOOP_WRITABLE : 0u);
    if (want == c->polled)
        return;
    c->polled = (uint8_t)want;
    loop_poll_set(&c->poll, want);
}

static void watch_no_bytes(struct cnxn *c)
{
    c->polled &= (uint8_t)~LOOP_READABLE;
    loop_poll_set(&c->poll, c->polled);
}

/* ---- input ---- */

/* Four-letter words (client specification 2.1, 9.1). 1: it is one (answered, or more bytes must come); 0: a frame. */
static int try_word(struct cnxn *c, struct slice in, size_t *used)
{
    uint32_t word = load_be32(in.p);
    if (!command_known(word))
        return 0;
    size_t argument = command_argument_bytes(word);
    if (in.n < 4 + argument)
        return 1;
    *used = in.n;
    cnxn_unfresh(c);
    c->flags |= CNXN_WORD;
    c->front->opt.sink.word(c->front->opt.sink.ctx, c->id, word, slice_of(in.p + 4, argument));
    cnxn_watch(c);
    return 1;
}

static void refuse_length(struct cnxn *c, struct slice in)
{
    log_warn("client.frame",
             "conn=%u length=%d limit=%zu action=close next=\"jute.maxbuffer bounds frames; a first "
             "frame of odd length may be another protocol\"",
             c->id, (int)load_be32(in.p), c->front->opt.frame_bytes_max);
    cnxn_break(c);
}

/* Tells the sink which whole frames come next; returns how many bytes they take. */
static size_t tell_coming(const struct front *f, struct slice in)
{
    struct slice frames[FRONT_COMING_MAX];
    size_t count = 0, at = 0, used;
    while (count < FRONT_COMING_MAX &&
           wire_frame_next(slice_of(in.p + at, in.n - at), f->opt.frame_bytes_max, &frames[count], &used) == 1) {
        count++;
        at += used;
    }
    if (count > 1)
        f->opt.sink.coming(f->opt.sink.ctx, frames, count);
    return at;
}

/* Gives whole frames to the sink; returns how many bytes were used. */
static size_t cut(struct cnxn *c, const uint8_t *p, size_t n)
{
    struct front *f = c->front;
    size_t at = 0, told = f->opt.sink.coming == NULL || (c->flags & CNXN_FRESH) != 0 ? SIZE_MAX : 0;
    while ((c->flags & CNXN_HELD) == 0) {
        struct slice in = slice_of(p + at, n - at), frame;
        size_t used = 0;
        if (at == told)
            told = at + tell_coming(f, in);
        if (UNLIKELY((c->flags & CNXN_FRESH) != 0) && in.n >= 4 && try_word(c, in, &used) != 0)
            return at + used;
        int rc = wire_frame_next(in, f->opt.frame_bytes_max, &frame, &used);
        if (rc == 0)
            break;
        if (UNLIKELY(rc < 0)) {
            refuse_length(c, in);
            break;
        }
        if (UNLIKELY((c->flags & CNXN_FRESH) != 0))
            cnxn_unfresh(c);
        enum front_went went = f->opt.sink.frame(f->opt.sink.ctx, c->id, frame);
        if (LIKELY(went == FRONT_GO_ON)) {
            at += used;
        } else if (went == FRONT_PAUSED) {
            at += used;
            c->flags |= CNXN_PAUSED;
        } else {
            c->flags |= CNXN_REFUSED;
        }
    }
    return at;
}

/* Keeps the rest of what was read; p may lie in c->in. */
static void keep(struct cnxn *c, const uint8_t *p, size_t n)
{
    if (n == 0 || (c->flags & (CNXN_DEAD | CNXN_BROKEN | CNXN_CLOSING | CNXN_WORD)) != 0) {
        if (c->in != NULL)
            drop_in(c);
        return;
    }
    if (c->in != NULL && p >= c->in && p <= c->in + c->in_cap) {
        c->in_off = (uint32_t)(p - c->in);
        c->in_end = c->in_off + (uint32_t)n;
        return;
    }
    if (c->in_cap < n) {
        c->in_cap = (uint32_t)((n + 63) & ~(size_t)63);
        mem_free(c->in);
        c->in = mem_alloc(c->in_cap);
    }
    memcpy(c->in, p, n);
    c->in_off = 0;
    c->in_end = (uint32_t)n;
}

/* Room behind the unfinished frame: twice what has come, never what the length word promises. */
static void grow_in(struct cnxn *c)
{
    size_t have = c->in_end - c->in_off;
    if (c->in_off != 0) {
        memmove(c->in, c->in + c->in_off, have);
        c->in_off = 0;
        c->in_end = (uint32_t)have;
    }
    size_t whole = 4 + (size_t)load_be32(c->in);
    size_t cap = have * 2 < whole ? have * 2 : whole;
    if (cap > c->in_cap) {
        c->in_cap = (uint32_t)cap;
        c->in = mem_realloc(c->in, cap);
    }
}

static void on_bytes(struct cnxn *c)
{
    struct front *f = c->front;
    size_t have = c->in_end - c->in_off;
    uint8_t *p;
    size_t room;
    if (UNLIKELY(c->tls != NULL)) {
        cnxn_tls_bytes(c);
        return;
    }
    if (have <= LIMIT_COPY_BYTES) {
        p = f->scratch;
        if (have != 0)
            memcpy(p, c->in + c->in_off, have);
        room = LIMIT_RECV_BYTES;
    } else {
        grow_in(c);
        p = c->in;
        room = c->in_cap - have < LIMIT_RECV_BYTES ? c->in_cap - have : LIMIT_RECV_BYTES;
    }
    int64_t got = net_recv(c->fd, p + have, room);
    if (got == ERR_BUSY)
        return;
    if (got <= 0) {
        cnxn_break(c);
        return;
    }
    size_t n = have + (size_t)got;
    size_t used = cut(c, p, n);
    if (used != n || c->in != NULL)
        keep(c, p + used, n - used);
}

void cnxn_take(struct cnxn *c, const uint8_t *p, size_t n)
{
    size_t have = c->in_end - c->in_off;
    if (have != 0) {
        if (c->in_cap - c->in_end < n) {
            memmove(c->in, c->in + c->in_off, have);
            c->in_off = 0;
            if (c->in_cap - have < n) {
                c->in_cap = (uint32_t)(have + n + have / 2); /* spreads the copying of a long frame */
                c->in = mem_realloc(c->in, c->in_cap);
            }
        }
        memcpy(c->in + c->in_off + have, p, n);
        p = c->in + c->in_off;
        n += have;
        c->in_end = c->in_off + (uint32_t)n;
    }
    size_t used = cut(c, p, n);
    if (used != n || c->in != NULL)
        keep(c, p + used, n - used);
}

void cnxn_feed(struct cnxn *c)
{
    if ((c->flags & CNXN_HELD) != 0 || c->front->reading_stopped)
        return;
    size_t have = c->in_end - c->in_off;
    if (have != 0) {
        const uint8_t *p = c->in + c->in_off;
        size_t used = cut(c, p, have);
        keep(c, p + used, have - used);
    }
    cnxn_watch(c);
}

/* ---- output ---- */

static void add_out(struct cnxn *c, const uint8_t *p, size_t n)
{
    size_t have = c->out_end - c->out_off;
    if (c->out_cap - c->out_end < n) {
        if (c->out_off != 0) {
            memmove(c->out, c->out + c->out_off, have);
            c->out_off = 0;
            c->out_end = have;
        }
        if (c->out_cap - have < n) {
            size_t cap = have + n < 1024 ? 1024 : have + n + have / 2;
            uint8_t *to = mem_try_realloc(c->out, cap);
            if (to == NULL) {
                log_warn("client.memory", "conn=%u unsent=%zu action=close", c->id, have + n);
                cnxn_break(c);
                return;
            }
            c->out = to;
            c->out_cap = cap;
        }
    }
    memcpy(c->out + c->out_end, p, n);
    c->out_end += n;
    c->front->unsent_bytes += (int64_t)n;
}

/* Lets the kernel take what it will of the parts; steps over what was taken. False when it took nothing more. */
static bool offer(struct cnxn *c, struct slice **parts, size_t *count)
{
    while (*count != 0) {
        size_t batch = *count < NET_PARTS_MAX ? *count : NET_PARTS_MAX;
        int64_t sent = net_send(c->fd, *parts, batch);
        if (sent == ERR_BUSY)
            return true;
        if (sent < 0)
            return false;
        while (*count != 0 && (size_t)sent >= (*parts)->n) {
            sent -= (int64_t)(*parts)->n;
            (*parts)++;
            (*count)--;
            batch--;
        }
        if (sent != 0) {
            (*parts)->p += sent;
            (*parts)->n -= (size_t)sent;
        }
        if (batch != 0)
            return true; /* a short count: the socket is full */
    }
    return true;
}

static void send_parts(struct cnxn *c, struct slice *parts, size_t count)
{
    if (c->out_end == 0 && !offer(c, &parts, &count)) {
        cnxn_break(c);
        return;
    }
    if (count == 0)
        return;
    if (c->out_end - c->out_off > LIMIT_OUT_HARD_BYTES) {
        log_warn("client.slow",
                 "conn=%u unsent=%zu limit=%u action=close next=\"the client does not read what it "
                 "asked for; its session lives on\"",
                 c->id, c->out_end - c->out_off, LIMIT_OUT_HARD_BYTES);
        cnxn_break(c);
        return;
    }
    for (size_t i = 0; i < count; i++)
        add_out(c, parts[i].p, parts[i].n);
    if ((c->flags & CNXN_UNSENT) == 0) {
        cnxn_unfresh(c);
        c->flags |= CNXN_UNSENT;
        c->since_ms = loop_now_ms(c->front->opt.loop);
        list_push_back(&c->front->unsent, &c->link);
    }
    if (c->out_end - c->out_off > LIMIT_OUT_SOFT_BYTES)
        c->flags |= CNXN_FULL;
    cnxn_watch(c);
}

void cnxn_send_raw(struct cnxn *c, struct slice bytes)
{
    if ((c->flags & (CNXN_DEAD | CNXN_BROKEN)) == 0)
        send_parts(c, &bytes, 1);
}

void cnxn_send(struct cnxn *c, struct slice *parts, size_t count)
{
    if ((c->flags & (CNXN_DEAD | CNXN_BROKEN)) != 0)
        return;
    if (UNLIKELY(c->tls != NULL)) {
        struct slice records = cnxn_tls_wrap(c, parts, count);
        if (records.n != 0)
            send_parts(c, &records, 1);
        return;
    }
    send_parts(c, parts, count);
}

void cnxn_answer_mark(struct cnxn *c)
{
    if ((c->flags & CNXN_MARKED) == 0 || c->out_end - c->out_off >= LIMIT_OUT_SOFT_BYTES / 2)
        return;
    c->flags &= (uint16_t)~CNXN_MARKED;
    c->front->opt.sink.sent(c->front->opt.sink.ctx, c->id);
}

static void on_room(struct cnxn *c)
{
    if (c->out_end != 0) {
        struct slice part = slice_of(c->out + c->out_off, c->out_end - c->out_off), *parts = &part;
        size_t count = 1, before = part.n;
        if (!offer(c, &parts, &count)) {
            cnxn_break(c);
            return;
        }
        size_t left = count == 0 ? 0 : part.n;
        if (left != before)
            c->since_ms = loop_now_ms(c->front->opt.loop);
        c->front->unsent_bytes -= (int64_t)(before - left);
        c->out_off += before - left;
        if (left != 0) {
            cnxn_answer_mark(c);
            if ((c->flags & CNXN_FULL) != 0 && left < LIMIT_OUT_SOFT_BYTES / 2) {
                c->flags &= (uint16_t)~CNXN_FULL;
                cnxn_make_ready(c);
            }
            return;
        }
        set_sent(c);
        cnxn_answer_mark(c);
        cnxn_make_ready(c);
    }
    if ((c->flags & CNXN_CLOSING) != 0) {
        cnxn_close(c);
        return;
    }
    if ((c->flags & CNXN_WORD) != 0)
        c->front->opt.sink.word_more(c->front->opt.sink.ctx, c->id);
    cnxn_watch(c);
}

void cnxn_end(struct cnxn *c)
{
    if ((c->flags & CNXN_DEAD) != 0)
        return;
    c->flags |= CNXN_CLOSING;
    c->flags &= (uint16_t)~CNXN_WORD;
    drop_in(c);
    if (c->out_end == 0 || (c->flags & CNXN_BROKEN) != 0)
        cnxn_close(c);
}

/* ---- events of the socket ---- */

static void on_event(struct loop_poll *poll, unsigned events)
{
    struct cnxn *c = CONTAINER_OF(poll, struct cnxn, poll);
    if ((events & LOOP_FAILED) != 0) {
        cnxn_break(c);
        return;
    }
    if ((events & LOOP_WRITABLE) != 0 && (c->flags & (CNXN_DEAD | CNXN_BROKEN)) == 0 &&
        (c->out_end != 0 || (c->flags & (CNXN_WORD | CNXN_CLOSING)) != 0))
        on_room(c);
    if ((events & LOOP_READABLE) == 0 || (c->flags & (CNXN_DEAD | CNXN_BROKEN)) != 0)
        return;
    if ((c->flags & CNXN_HELD) != 0 || c->front->reading_stopped)
        watch_no_bytes(c);
    else
        on_bytes(c);
}

void cnxn_open(struct front *f, int fd, uint32_t id, const struct net_address *peer, enum front_port port,
               struct cnxn **out)
{
    struct cnxn *c = mem_zalloc(sizeof *c);
    *out = NULL;
    c->front = f;
    c->fd = fd;
    if (port != FRONT_PLAIN && !cnxn_tls_open(c, peer, port)) {
        mem_free(c->tls);
        mem_free(c);
        return;
    }
    if (loop_poll_open(f->opt.loop, &c->poll, fd, on_event) != 0) {
        if (c->tls != NULL)
            cnxn_tls_close(c);
        mem_free(c);
        return;
    }
    c->id = id;
    c->flags = CNXN_FRESH;
    c->since_ms = loop_now_ms(f->opt.loop);
    list_init(&c->link);
    list_push_back(&f->fresh, &c->link);
    f->fresh_count++;
    f->open_count++;
    c->polled = LOOP_READABLE;
    loop_poll_set(&c->poll, LOOP_READABLE);
    *out = c;
}
