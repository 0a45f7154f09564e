#include "sim_recipe/socket.h"
#include "base/mem.h"
#include "sim/client.h"
#include "wire/records.h"
#include <errno.h>
#include <poll.h>

#define FRAME_BYTES_MAX (64u << 20)

static void note(const struct sock *s, enum chronicle_kind kind, struct slice frame)
{
    struct cluster *c = s->app->w->c;
    chronicle_add(
        &c->chronicle,
        (struct chronicle_entry){
            .at_us = c->now_us, .kind = kind, .client = s->client, .cable = s->cable, .session_id = s->session_id },
        frame);
}

struct sock *sock_at(int fd)
{
    size_t at = (size_t)fd - SOCKET_FIRST;
    struct world *w = world;
    return fd < SOCKET_FIRST || at >= w->sock_count || w->socks[at] == NULL || w->socks[at]->app != app_here()
               ? NULL
               : w->socks[at];
}

/* A thread that dials has a number of its own while it lives: that of a handle. */
static uint32_t client_of(struct fiber *f)
{
    struct fibers *all = f->all;
    for (int slot = 0; f->slot < 0; slot++) {
        bool taken = false;
        ASSERT(slot < (int)APP_SLOTS);
        for (size_t i = 0; i < all->count; i++)
            taken = taken || (all->p[i]->app == f->app && all->p[i]->slot == slot && all->p[i]->state != FIBER_DONE);
        f->slot = taken ? -1 : slot;
    }
    return f->app->index * APP_SLOTS + (uint32_t)f->slot;
}

int sock_new(struct fiber *f, enum sock_state state)
{
    struct world *w = world;
    struct sock *s = mem_zalloc(sizeof *s);
    *s = (struct sock){ .app = f->app, .state = state, .open_us = FIBER_NEVER, .refuse_us = FIBER_NEVER };
    s->member = -1;
    if (state != SOCK_EVENT && state != SOCK_SET)
        s->client = client_of(f);
    buf_init(&s->in, SIZE_MAX);
    buf_init(&s->seen, SIZE_MAX);
    buf_init(&s->out, SIZE_MAX);
    size_t at = 0;
    while (at < w->sock_count && w->socks[at] != NULL)
        at++;
    if (at == w->sock_cap) {
        w->sock_cap = w->sock_cap == 0 ? 32 : w->sock_cap * 2;
        w->socks = mem_realloc(w->socks, w->sock_cap * sizeof(struct sock *));
    }
    if (at == w->sock_count)
        w->sock_count++;
    w->socks[at] = s;
    return SOCKET_FIRST + (int)at;
}

static void free_sock(struct world *w, size_t at)
{
    struct sock *s = w->socks[at];
    buf_fini(&s->in);
    buf_fini(&s->seen);
    buf_fini(&s->out);
    mem_free(s);
    w->socks[at] = NULL;
}

void sock_close(struct sock *s, int fd)
{
    if (s->dialled) {
        s->app->w->breaks++;
        world_tell("program %u has lost its connection, session 0x%llx", s->app->index,
                   (unsigned long long)s->session_id);
        if (s->asked)
            note(s, CHRONICLE_GONE, slice_str(""));
        cable_drop(s->app->w->c, s->cable);
    }
    free_sock(s->app->w, (size_t)fd - SOCKET_FIRST);
}

int sock_connect(struct sock *s, uint32_t member)
{
    struct cluster *c = s->app->w->c;
    struct dice *d = &s->app->chance;
    if (s->state != SOCK_NEW || member >= c->member_count)
        return EINVAL;
    s->state = SOCK_OPENING;
    if (c->now_us < s->app->away_us || (!c->healing && dice_one_in(d, 40))) { /* refused, or never heard of again */
        if (dice_one_in(d, 2))
            s->refuse_us = c->now_us + dice_wait(d, 1000);
        return EINPROGRESS;
    }
    s->cable = cable_dial(c, s->client, member);
    s->dialled = true;
    s->open_us = c->now_us + dice_wait(d, opt(c, OPT_client_delay_us) * 2);
    return EINPROGRESS;
}

static void settle(struct sock *s)
{
    int64_t now_us = s->app->w->c->now_us;
    if (s->state == SOCK_OPENING && now_us >= s->refuse_us) {
        s->state = SOCK_BROKEN;
        s->error = ECONNREFUSED;
    } else if (s->state == SOCK_OPENING && s->ended) {
        s->state = SOCK_BROKEN;
        s->error = ECONNREFUSED;
    } else if (s->state == SOCK_OPENING && now_us >= s->open_us) {
        s->state = SOCK_OPEN;
    }
}

short sock_events(struct sock *s, short wanted)
{
    short is = 0;
    settle(s);
    if (s->state == SOCK_EVENT)
        return s->value != 0 ? wanted & POLLIN : 0;
    if (s->state == SOCK_SET) {
        struct sock *member = s->member < 0 ? NULL : sock_at(s->member);
        return member != NULL && sock_events(member, s->wanted) != 0 ? wanted & POLLIN : 0;
    }
    if (s->state == SOCK_BROKEN)
        return (short)((wanted & (POLLIN | POLLOUT)) | POLLERR | POLLHUP);
    if (s->state != SOCK_OPEN)
        return 0;
    if (s->in_at < s->in.n || s->ended)
        is |= POLLIN;
    if (s->app->w->c->now_us >= s->full_us)
        is |= POLLOUT;
    return is & wanted;
}

int64_t sock_due_us(const struct sock *s)
{
    if (s->state == SOCK_OPENING)
        return s->open_us < s->refuse_us ? s->open_us : s->refuse_us;
    return s->state == SOCK_OPEN && s->full_us > s->app->w->c->now_us ? s->full_us : FIBER_NEVER;
}

/* ---- frames ---- */

static void greeted(struct sock *s, struct slice frame)
{
    struct cluster *c = s->app->w->c;
    struct wire_reader r = wire_reader_of(frame);
    struct wire_connect_response q = wire_get_connect_response(&r);
    if (r.err != 0 || q.passwd.n != WIRE_PASSWD_BYTES) {
        world_wrong("client.handshake", "a ConnectResponse of %zu bytes", frame.n);
        return;
    }
    s->greeted = true;
    if (q.session_id == 0) {
        s->deaf = true;
        note(s, CHRONICLE_REFUSED, frame);
        world_tell("program %u: session 0x%llx is over", s->app->index, (unsigned long long)s->session_id);
        cover(&c->coverage, COVER_sessions_refused);
        world_count(COUNT_expired);
        if (!ghost_ended(c, s->session_id, s->dialled_us))
            world_wrong("client.refused", "session 0x%llx is said to have ended", (unsigned long long)s->session_id);
        return;
    }
    if (s->session_id != q.session_id) {
        cover(&c->coverage, COVER_sessions_opened);
        world_count(COUNT_sessions);
    }
    s->session_id = q.session_id;
    note(s, CHRONICLE_CONNECTED, frame);
    world_tell("program %u has session 0x%llx", s->app->index, (unsigned long long)s->session_id);
}

static void take_reply(struct sock *s, struct slice frame)
{
    struct wire_reader r = wire_reader_of(frame);
    struct wire_reply_header h = wire_get_reply_header(&r);
    note(s, CHRONICLE_RECEIVED, frame);
    if (h.xid >= 0)
        world_tell("program %u, session 0x%llx: reply to %d: %d, zxid 0x%llx", s->app->index,
                   (unsigned long long)s->session_id, h.xid, h.err, (unsigned long long)h.zxid);
}

/* The program has read these bytes. */
static void has_read(struct sock *s, struct slice bytes)
{
    struct slice frame = { 0 };
    size_t used = 0;
    buf_append_slice(&s->seen, bytes);
    while (wire_frame_next(buf_slice(&s->seen), FRAME_BYTES_MAX, &frame, &used) == 1) {
        if (!s->greeted)
            greeted(s, frame);
        else if (!s->deaf)
            take_reply(s, frame);
        memmove(s->seen.p, s->seen.p + used, s->seen.n - used);
        s->seen.n -= used;
    }
}

int64_t sock_read(struct sock *s, void *p, size_t n, int *error)
{
    settle(s);
    if (s->state == SOCK_BROKEN) {
        *error = s->error;
        return -1;
    }
    size_t have = s->in.n - s->in_at;
    if (s->state != SOCK_OPEN || (have == 0 && !s->ended)) {
        *error = EAGAIN;
        return -1;
    }
    if (have == 0) {
        if (!dice_one_in(&s->app->chance, 2))
            return 0;
        *error = ECONNRESET;
        return -1;
    }
    if (dice_one_in(&s->app->chance, 16)) /* sockets give what they like */
        n = (size_t)dice_between(&s->app->chance, 1, (int64_t)n);
    n = n < have ? n : have;
    memcpy(p, s->in.p + s->in_at, n);
    s->in_at += n;
    has_read(s, slice_of(p, n));
    if (s->in_at == s->in.n) {
        buf_reset(&s->in);
        s->in_at = 0;
    }
    return (int64_t)n;
}

static struct slice path_of(int32_t op, struct wire_reader *r)
{
    if (op == WIRE_OP_MULTI)
        (void)wire_get_multi_header(r);
    struct slice path = op == WIRE_OP_CLOSE_SESSION ? slice_str("") : wire_get_ustring(r);
    return r->err != 0 ? slice_str("") : path;
}

/* Writes are the story. */
static void tell_request(const struct sock *s, struct slice frame)
{
    struct wire_reader r = wire_reader_of(frame);
    struct wire_request_header h = wire_get_request_header(&r);
    if (!world_tells || !simclient_is_write(h.type))
        return;
    struct slice path = path_of(h.type, &r);
    world_tell("program %u, session 0x%llx: request %d, op %d %.*s", s->app->index, (unsigned long long)s->session_id,
               h.xid, h.type, SLICE_ARG(path));
}

static void send_frame(struct sock *s, struct slice frame)
{
    struct cluster *c = s->app->w->c;
    if (!s->asked) {
        struct wire_reader r = wire_reader_of(frame);
        s->session_id = wire_get_connect_request(&r).session_id;
        s->asked = true;
        s->dialled_us = c->now_us;
        note(s, CHRONICLE_DIALLED, frame);
    } else {
        c->ops_sent++;
        tell_request(s, frame);
        note(s, CHRONICLE_SENT, frame);
    }
    cable_send_up(c, s->cable, frame);
}

int64_t sock_write(struct sock *s, const void *p, size_t n, int *error)
{
    struct cluster *c = s->app->w->c;
    settle(s);
    if (s->state != SOCK_OPEN || (s->ended && dice_one_in(&s->app->chance, 2))) {
        *error = s->state == SOCK_BROKEN ? s->error : s->state == SOCK_OPEN ? EPIPE : EAGAIN;
        return -1;
    }
    if (c->now_us < s->full_us) {
        *error = EAGAIN;
        return -1;
    }
    if (dice_one_in(&s->app->chance, 64)) {
        n = (size_t)dice_between(&s->app->chance, 1, (int64_t)n);
        s->full_us = c->now_us + dice_wait(&s->app->chance, 300);
    }
    buf_append_slice(&s->out, slice_of(p, n));
    struct slice frame = { 0 };
    size_t used = 0;
    while (wire_frame_next(buf_slice(&s->out), FRAME_BYTES_MAX, &frame, &used) == 1) {
        send_frame(s, frame);
        memmove(s->out.p, s->out.p + used, s->out.n - used);
        s->out.n -= used;
    }
    return (int64_t)n;
}

/* ---- from the simulator ---- */

static struct sock *of_cable(struct world *w, uint32_t cable)
{
    for (size_t i = 0; i < w->sock_count; i++)
        if (w->socks[i] != NULL && w->socks[i]->dialled && w->socks[i]->cable == cable)
            return w->socks[i];
    return NULL;
}

void sockets_received(struct world *w, uint32_t cable, struct slice bytes)
{
    struct sock *s = of_cable(w, cable);
    if (s == NULL)
        return;
    if (!w->c->healing && s->greeted && dice_one_in(&s->app->chance, w->losses_in)) {
        cable_cut(w->c, cable); /* what was asked may be done, and nobody is told */
        return;
    }
    buf_append_slice(&s->in, bytes);
    fibers_wake(&w->fibers, s->app, true);
    world_wake_at(w, w->c->now_us);
}

void sockets_gone(struct world *w, uint32_t cable)
{
    struct sock *s = of_cable(w, cable);
    if (s == NULL)
        return;
    s->ended = true;
    fibers_wake(&w->fibers, s->app, true);
    world_wake_at(w, w->c->now_us);
}

void sockets_cut(struct app *a, bool silent)
{
    struct world *w = a->w;
    for (size_t i = 0; i < w->sock_count; i++) {
        const struct sock *s = w->socks[i];
        if (s == NULL || s->app != a || !s->dialled)
            continue;
        if (silent)
            cable_mute(w->c, s->cable);
        else
            cable_cut(w->c, s->cable);
    }
}

void sockets_orphan(struct app *a)
{
    struct world *w = a->w;
    bool silent = dice_one_in(&a->chance, 2); /* the machine is gone, not just the process */
    for (size_t i = 0; i < w->sock_count; i++) {
        struct sock *s = w->socks[i];
        if (s == NULL || s->app != a)
            continue;
        if (s->dialled) {
            if (s->asked)
                note(s, CHRONICLE_GONE, slice_str(""));
            if (silent)
                cable_mute(w->c, s->cable);
            cable_drop(w->c, s->cable);
        }
        free_sock(w, i);
    }
}

void sockets_fini(struct world *w)
{
    for (size_t i = 0; i < w->sock_count; i++)
        if (w->socks[i] != NULL)
            free_sock(w, i);
    mem_free(w->socks);
}
