#include "client/internal.h"

struct client_core *client_new(const struct client_config *config, int64_t now_ms)
{
    struct client_core *c = mem_zalloc(sizeof(*c));
    c->config = *config;
    if (!slice_is_null(config->chroot)) {
        uint8_t *p = mem_alloc(config->chroot.n);
        memcpy(p, config->chroot.p, config->chroot.n);
        c->config.chroot.p = p;
    }
    if (config->rearm_bytes == 0)
        c->config.rearm_bytes = CLIENT_REARM_BYTES;
    c->state = CLIENT_STATE_NOT_CONNECTED;
    c->timeout_ms = config->timeout_ms;
    c->session_id = config->session_id;
    memcpy(c->passwd, config->passwd, sizeof(c->passwd));
    /* A session that is handed over was made by a server that could write (Apache's client does the same). */
    c->seen_writable = config->session_id != 0;
    c->next_xid = 1;
    c->retry_ms = CLIENT_RETRY_MS_MIN;
    c->retry_at_ms = now_ms;
    c->deadline_next = INT64_MAX;
    rng_init(&c->rng, config->seed);
    client_hosts_init(&c->hosts, rng_u64(&c->rng), config->ordered_hosts);
    client_watches_init(&c->watches, rng_u64(&c->rng));
    buf_init_refusable(&c->out, CLIENT_OUT_BYTES_MAX);
    buf_init_refusable(&c->queue, CLIENT_OUT_BYTES_MAX);
    return c;
}

void client_done_fini(struct client_done *d)
{
    blob_unref(d->bytes);
    mem_free(d->watchers);
}

void client_free(struct client_core *c)
{
    while (c->ring_n > 0)
        client_pending_pop(c);
    mem_free(c->ring);
    for (size_t i = 0; i < c->auth_n; i++) {
        mem_free((void *)c->auths[i].scheme.p);
        mem_free((void *)c->auths[i].cert.p);
    }
    mem_free(c->auths);
    for (size_t i = 0; i < c->done.n; i++)
        client_done_fini(&c->done.p[i]);
    mem_free(c->done.p);
    blob_unref(c->login_bytes);
    blob_unref(c->in);
    buf_fini(&c->out);
    buf_fini(&c->queue);
    client_watches_fini(&c->watches);
    client_hosts_fini(&c->hosts);
    mem_free((void *)c->config.chroot.p);
    mem_free(c);
}

struct client_done *client_push_done(struct client_core *c)
{
    struct client_dones *d = &c->done;
    if (d->n == d->cap) {
        d->cap = d->cap == 0 ? 64 : d->cap * 2;
        d->p = mem_realloc(d->p, d->cap * sizeof(*d->p));
    }
    struct client_done *one = &d->p[d->n++];
    memset(one, 0, sizeof(*one));
    return one;
}

void client_tell(struct client_core *c, const struct client_call *call, int32_t rc)
{
    if (call->fn == NULL && call->extra == NULL)
        return;
    struct client_done *d = client_push_done(c);
    d->rc = rc;
    d->zxid = -1;
    d->call = *call;
}

void client_push_session_event(struct client_core *c, int32_t state)
{
    struct client_watchers *w = client_watches_all(&c->watches, c->config.watcher);
    if (w == NULL)
        return;
    struct client_done *d = client_push_done(c);
    d->is_event = true;
    d->zxid = -1;
    d->type = CLIENT_EVENT_SESSION;
    d->state = state;
    d->watchers = w;
}

bool client_take_done(struct client_core *c, struct client_dones *d)
{
    ASSERT(d->n == 0);
    if (c->done.n == 0)
        return false;
    struct client_dones t = *d;
    *d = c->done;
    c->done = t;
    return true;
}

bool client_has_done(const struct client_core *c)
{
    return c->done.n > 0;
}

struct client_pending *client_pending_first(struct client_core *c)
{
    return c->ring_n == 0 ? NULL : &c->ring[c->ring_head];
}

void client_pending_pop(struct client_core *c)
{
    mem_free(c->ring[c->ring_head].on_answer);
    c->ring_head = (c->ring_head + 1) & (c->ring_cap - 1);
    c->ring_n--;
    if (c->ring_n == 0)
        c->deadline_next = INT64_MAX;
}

static struct client_pending *pending_push(struct client_core *c)
{
    if (c->ring_n == c->ring_cap) {
        size_t cap = c->ring_cap == 0 ? 64 : c->ring_cap * 2;
        struct client_pending *p = mem_alloc(cap * sizeof(*p));
        size_t first = c->ring_cap - c->ring_head;
        if (c->ring_n > 0) {
            memcpy(p, &c->ring[c->ring_head], first * sizeof(*p));
            memcpy(p + first, c->ring, c->ring_head * sizeof(*p));
        }
        mem_free(c->ring);
        c->ring = p;
        c->ring_cap = cap;
        c->ring_head = 0;
    }
    return &c->ring[(c->ring_head + c->ring_n++) & (c->ring_cap - 1)];
}

void client_fail_all(struct client_core *c, int32_t rc)
{
    for (struct client_pending *p; (p = client_pending_first(c)) != NULL; client_pending_pop(c)) {
        if (!p->answered && !(SIM_BUG(library_loses_one) && c->ring_n == 1))
            client_tell(c, &p->call, rc);
    }
    buf_reset(&c->queue);
}

int32_t client_take_xid(struct client_core *c)
{
    int32_t xid = c->next_xid;
    c->next_xid = xid >= INT32_MAX - 1 ? 1 : xid + 1; /* Java's client skips the last one */
    return xid;
}

int client_begin(struct client_core *c, int32_t op, struct buf **b)
{
    if (c->closing || c->state == CLIENT_STATE_CLOSED) /* as Apache's: what meets a handle on its way out */
        return CLIENT_ERR_CLOSING;
    if (client_is_over(c))
        return CLIENT_ERR_INVALID_STATE;
    c->into = client_is_up(c) ? &c->out : &c->queue;
    c->into_start = c->into->n;
    c->into_op = op;
    uint8_t *p = buf_add(c->into, 12);
    if (p == NULL) {
        client_abandon(c);
        return ERR_MARSHALLING;
    }
    store_be32(p + 4, (uint32_t)c->next_xid);
    store_be32(p + 8, (uint32_t)op);
    *b = c->into;
    return 0;
}

void client_abandon(struct client_core *c)
{
    c->into->n = c->into_start;
    c->into->err = 0;
    c->into = NULL;
}

static struct client_on_answer *on_answer(struct slice path)
{
    struct client_on_answer *a = mem_zalloc(sizeof(*a) + path.n);
    a->n = path.n;
    if (path.n > 0)
        memcpy(a->path, path.p, path.n);
    return a;
}

int client_commit(struct client_core *c, const struct client_call *call, int64_t deadline_ms,
                  const struct client_watch_wish *watch)
{
    struct buf *b = c->into;
    if (b->err != 0) {
        client_abandon(c);
        return ERR_MARSHALLING;
    }
    store_be32(b->p + c->into_start, (uint32_t)(b->n - c->into_start - 4));
    c->into = NULL;
    struct client_pending *p = pending_push(c);
    p->call = *call;
    p->on_answer = NULL;
    p->deadline_ms = deadline_ms;
    p->xid = c->next_xid;
    p->op = c->into_op;
    p->answered = false;
    if (watch != NULL && watch->watcher.fn != NULL) {
        p->on_answer = on_answer(watch->path);
        p->on_answer->kind = watch->kind;
        p->on_answer->watcher = watch->watcher;
    }
    (void)client_take_xid(c);
    if (deadline_ms != 0 && deadline_ms < c->deadline_next)
        c->deadline_next = deadline_ms;
    return 0;
}

void client_forget_after(struct client_core *c, struct slice path, unsigned kinds, const struct client_watcher *watcher)
{
    struct client_pending *p = &c->ring[(c->ring_head + c->ring_n - 1) & (c->ring_cap - 1)];
    p->on_answer = on_answer(path);
    p->on_answer->forgets = true;
    p->on_answer->forget.kinds = kinds;
    p->on_answer->forget.has_watcher = watcher != NULL;
    if (watcher != NULL)
        p->on_answer->forget.watcher = *watcher;
}

/* What a pending request will watch, if it is one of these kinds there. */
static struct client_on_answer *wish_of(const struct client_core *c, size_t i, struct slice path, unsigned kinds)
{
    struct client_on_answer *a = c->ring[(c->ring_head + i) & (c->ring_cap - 1)].on_answer;
    bool is = a != NULL && !a->forgets && (CLIENT_WATCH_BIT(a->kind) & kinds) != 0;
    return is && slice_eq(slice_of(a->path, a->n), path) ? a : NULL;
}

static bool same_watcher(const struct client_watcher *a, const struct client_watcher *b)
{
    return a->fn == b->fn && a->ctx == b->ctx;
}

bool client_watch_shared(const struct client_core *c, struct slice path, unsigned kinds,
                         const struct client_watcher *watcher)
{
    if (client_watches_others(&c->watches, path, kinds, watcher))
        return true;
    for (size_t i = 0; i < c->ring_n && watcher != NULL && !SIM_BUG(library_unwatches_others); i++) {
        const struct client_on_answer *a = wish_of(c, i, path, kinds);
        if (a != NULL && !same_watcher(&a->watcher, watcher))
            return true;
    }
    return false;
}

void client_forget_now(struct client_core *c, struct slice path, unsigned kinds, const struct client_watcher *watcher)
{
    (void)client_watches_remove(&c->watches, path, kinds, watcher);
    for (size_t i = 0; i < c->ring_n; i++) {
        struct client_on_answer *a = wish_of(c, i, path, kinds);
        if (a == NULL || (watcher != NULL && !same_watcher(&a->watcher, watcher)))
            continue;
        c->ring[(c->ring_head + i) & (c->ring_cap - 1)].on_answer = NULL;
        mem_free(a);
    }
}

bool client_has_output(const struct client_core *c)
{
    return c->out.n > 0;
}

bool client_take_output(struct client_core *c, struct buf *b, int64_t now_ms)
{
    ASSERT(b->n == 0);
    if (c->out.n == 0)
        return false;
    struct buf t = *b;
    *b = c->out;
    c->out = t;
    c->sent_at_ms = now_ms;
    return true;
}

enum client_state client_state_of(const struct client_core *c)
{
    return c->state;
}

int32_t client_timeout_ms(const struct client_core *c)
{
    return c->timeout_ms;
}

int64_t client_session_id(const struct client_core *c)
{
    return c->session_id;
}

const uint8_t *client_passwd(const struct client_core *c)
{
    return c->passwd;
}

int64_t client_last_zxid(const struct client_core *c)
{
    return c->last_zxid;
}

struct slice client_chroot(const struct client_core *c)
{
    return c->config.chroot;
}

struct client_watches *client_watch_tables(struct client_core *c)
{
    return &c->watches;
}

void client_set_watcher(struct client_core *c, struct client_watcher watcher)
{
    c->config.watcher = watcher;
}

size_t client_pending_count(const struct client_core *c)
{
    return c->ring_n;
}

void client_set_next_xid(struct client_core *c, int32_t xid)
{
    c->next_xid = xid;
}

const struct client_addr *client_target(const struct client_core *c)
{
    return &c->hosts.current;
}

struct client_addr client_linked(const struct client_core *c)
{
    return c->linked;
}

const struct client_addr *client_probe_target(const struct client_core *c)
{
    return &c->probe;
}
