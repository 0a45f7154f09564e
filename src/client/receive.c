/* Bytes from the server: frames are cut, answers matched with requests, events with watchers. Nothing is copied; a
 * record keeps the buffer that its body lies in. */
#include "client/internal.h"

void client_input_reset(struct client_core *c)
{
    blob_unref(c->in);
    c->in = NULL;
    c->in_at = c->in_n = 0;
}

/* How many bytes the frame that is arriving takes, as far as room for it is made now; 0 while its length is unknown. */
static size_t frame_bytes(const struct client_core *c, size_t left)
{
    if (left < 4)
        return 0;
    size_t n = 4 + (size_t)load_be32(c->in->p + c->in_at);
    if (n > CLIENT_IN_GROW_MAX && n > left * 2) /* a length is only believed as far as bytes have come */
        n = left * 2 < CLIENT_IN_GROW_MAX ? CLIENT_IN_GROW_MAX : left * 2;
    return n;
}

void client_room(struct client_core *c, uint8_t **p, size_t *n)
{
    size_t left = c->in_n - c->in_at;
    if (c->in != NULL && left == 0 && atomic_load_explicit(&c->in->refs, memory_order_acquire) == 1)
        c->in_at = c->in_n = 0; /* nobody holds an answer of this buffer any more */
    size_t frame = frame_bytes(c, left);
    size_t wanted = frame > left ? frame - left : CLIENT_IN_ROOM_MIN;
    if (c->in == NULL || c->in->n - c->in_n < wanted) {
        struct blob *b = blob_new(left + wanted < CLIENT_IN_BYTES ? CLIENT_IN_BYTES : left + wanted);
        if (left > 0)
            memcpy(b->p, c->in->p + c->in_at, left);
        blob_unref(c->in);
        c->in = b;
        c->in_at = 0;
        c->in_n = left;
    }
    *p = c->in->p + c->in_n;
    *n = c->in->n - c->in_n;
}

/* Server paths become the program's: without the chroot. A path outside it (the configuration's) stays. */
static struct slice below_chroot(const struct client_core *c, struct slice path)
{
    size_t n = c->config.chroot.n;
    if (n == 0 || !slice_starts(path, c->config.chroot) || (path.n > n && path.p[n] != '/'))
        return path;
    return slice_of(path.p + n, path.n - n);
}

static void on_event(struct client_core *c, struct wire_reader *in, int64_t zxid, int64_t now_ms)
{
    struct wire_watcher_event e = wire_get_watcher_event(in);
    if (in->err != 0) {
        client_drop_link(c, ERR_RUNTIME_INCONSISTENCY, now_ms);
        return;
    }
    struct client_watchers *w = client_watches_fire(&c->watches, e.type, e.path);
    if (w == NULL)
        return;
    struct slice path = below_chroot(c, e.path);
    struct client_done *d = client_push_done(c);
    d->is_event = true;
    d->zxid = zxid;
    d->type = e.type;
    d->state = e.state;
    d->watchers = w;
    d->bytes = blob_ref(c->in);
    d->body = (uint8_t *)path.p;
    d->body_n = path.n;
}

static void on_auth(struct client_core *c, int32_t rc)
{
    if (rc != 0) {
        client_end(c, CLIENT_STATE_AUTH_FAILED, ERR_AUTH_FAILED);
        return;
    }
    if (c->auth_answered >= c->auth_n)
        return;
    struct client_auth *a = &c->auths[c->auth_answered++];
    if (!a->told)
        client_tell(c, &a->call, 0);
    a->told = true;
}

static void settle(struct client_core *c, const struct client_on_answer *a, int32_t rc)
{
    struct slice path = slice_of(a->path, a->n);
    if (a->forgets) {
        /* A server that knows of no such watch agrees with forgetting it. */
        if (rc == 0 || rc == ERR_NO_WATCHER)
            (void)client_watches_remove(&c->watches, path, a->forget.kinds,
                                        a->forget.has_watcher ? &a->forget.watcher : NULL);
        return;
    }
    if (rc == 0)
        client_watches_add(&c->watches, a->kind == CLIENT_WATCH_EXIST ? CLIENT_WATCH_DATA : a->kind, path, a->watcher);
    else if (rc == ERR_NO_NODE && a->kind == CLIENT_WATCH_EXIST)
        client_watches_add(&c->watches, CLIENT_WATCH_EXIST, path, a->watcher);
}

static void on_reply(struct client_core *c, const struct wire_reply_header *h, const struct wire_reader *in,
                     int64_t now_ms)
{
    struct client_pending *p = client_pending_first(c);
    if (p == NULL || p->xid != h->xid) {
        client_drop_link(c, ERR_RUNTIME_INCONSISTENCY, now_ms);
        return;
    }
    if (h->zxid > c->settled_zxid)
        c->settled_zxid = h->zxid;
    if (p->on_answer != NULL)
        settle(c, p->on_answer, h->err);
    if (!p->answered && (p->call.fn != NULL || p->call.extra != NULL)) {
        struct client_done *d = client_push_done(c);
        d->rc = h->err;
        d->zxid = h->zxid;
        d->call = p->call;
        d->body = (uint8_t *)in->p;
        d->body_n = wire_left(in);
        d->bytes = d->body_n > 0 ? blob_ref(c->in) : NULL;
    }
    bool closed = p->op == WIRE_OP_CLOSE_SESSION;
    client_pending_pop(c);
    if (closed)
        client_end(c, CLIENT_STATE_CLOSED, CLIENT_ERR_CLOSING);
}

static void on_frame(struct client_core *c, struct slice frame, int64_t now_ms)
{
    struct wire_reader in = wire_reader_of(frame);
    if (c->login != CLIENT_LOGIN_NONE) {
        client_on_login_reply(c, frame, now_ms);
        return;
    }
    if (c->state == CLIENT_STATE_ASSOCIATING) {
        client_on_connect_response(c, frame, now_ms);
        return;
    }
    struct wire_reply_header h = wire_get_reply_header(&in);
    if (in.err != 0) {
        client_drop_link(c, ERR_RUNTIME_INCONSISTENCY, now_ms);
        return;
    }
    if (h.zxid > c->last_zxid)
        c->last_zxid = h.zxid;
    switch (h.xid) {
    case WIRE_XID_NOTIFICATION:
        on_event(c, &in, h.zxid, now_ms);
        break;
    case WIRE_XID_PING:
        if (h.zxid > c->settled_zxid)
            c->settled_zxid = h.zxid;
        if (c->ping_n > 0)
            c->ping_n--;
        break;
    case WIRE_XID_AUTH:
        on_auth(c, h.err);
        break;
    case WIRE_XID_SET_WATCHES:
        break;
    default:
        on_reply(c, &h, &in, now_ms);
    }
}

void client_received(struct client_core *c, size_t n, int64_t now_ms)
{
    c->in_n += n;
    c->received_at_ms = now_ms;
    while (c->link == CLIENT_LINK_OPEN && !c->drop && !client_is_over(c)) {
        struct slice frame;
        size_t used;
        int rc =
            wire_frame_next(slice_of(c->in->p + c->in_at, c->in_n - c->in_at), CLIENT_FRAME_BYTES_MAX, &frame, &used);
        if (rc < 0)
            client_drop_link(c, ERR_RUNTIME_INCONSISTENCY, now_ms);
        if (rc <= 0)
            return;
        c->in_at += used;
        on_frame(c, frame, now_ms);
    }
}
