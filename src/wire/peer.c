#include "wire/peer.h"

/* First words of the election port's first message; a word of 0 or more is the id of a server before 3.5. */
#define HELLO_ONE_ADDRESS ((int64_t)-65536)
#define HELLO_MANY_ADDRESSES ((int64_t)-65535)

#define NOTIFICATION_OLDEST_BYTES 28u     /* ends after the round */
#define NOTIFICATION_NO_VERSION_BYTES 40u /* ends after four bytes that are no version */
#define NOTIFICATION_FIXED_BYTES 44u      /* all before the configuration */
#define NOTIFICATION_VERSION 2

#define ID_BYTES_MIN 8 /* two lengths */

/* A walk over a stream that may end anywhere. What stopped it stays: 0 is "not all there yet". */
struct walk {
    struct slice bytes;
    size_t at;
    size_t field_bytes_max;
    bool stopped;
    int why; /* once stopped: 0 or an error */
};

static void stop(struct walk *w, int why)
{
    w->stopped = true;
    w->why = why;
}

static const uint8_t *walk_take(struct walk *w, size_t n)
{
    if (!w->stopped && w->bytes.n - w->at < n)
        stop(w, 0);
    if (w->stopped)
        return NULL;
    const uint8_t *p = w->bytes.p + w->at;
    w->at += n;
    return p;
}

static int32_t walk_i32(struct walk *w)
{
    const uint8_t *p = walk_take(w, 4);
    return p == NULL ? 0 : (int32_t)load_be32(p);
}

static int64_t walk_i64(struct walk *w)
{
    const uint8_t *p = walk_take(w, 8);
    return p == NULL ? 0 : (int64_t)load_be64(p);
}

/* A length is judged before its bytes are there, so that nobody waits for what would be refused. */
static struct slice walk_buffer(struct walk *w)
{
    int32_t n = walk_i32(w);
    if (w->stopped || n == -1)
        return (struct slice){ 0 };
    if (n < 0)
        stop(w, ERR_MARSHALLING);
    else if ((size_t)n > w->field_bytes_max)
        stop(w, ERR_TOO_LONG);
    const uint8_t *p = walk_take(w, (size_t)n);
    return p == NULL ? (struct slice){ 0 } : slice_of(p, (size_t)n);
}

/* Counts below -1 read as empty, as in Apache's Index. The elements together are held to the length of one field, or
 * a count of two thousand million would let a stream grow without end. */
static struct wire_vec walk_ids(struct walk *w)
{
    struct wire_vec v = { .count = walk_i32(w) };
    if (w->stopped || v.count == -1)
        return (struct wire_vec){ .count = -1 };
    if (v.count < 0)
        v.count = 0;
    if ((size_t)v.count > w->field_bytes_max / ID_BYTES_MIN)
        stop(w, ERR_TOO_LONG);
    size_t start = w->at;
    for (int32_t i = 0; i < v.count && !w->stopped; i++) {
        (void)walk_buffer(w);
        (void)walk_buffer(w);
        if (w->at - start > w->field_bytes_max)
            stop(w, ERR_TOO_LONG);
    }
    if (w->stopped)
        return (struct wire_vec){ .count = -1 };
    v.raw = slice_of(w->bytes.p + start, w->at - start);
    return v;
}

int64_t peer_packet_get(struct slice bytes, size_t field_bytes_max, struct peer_packet *out)
{
    struct walk w = { .bytes = bytes, .field_bytes_max = field_bytes_max };
    struct peer_packet p;
    p.type = walk_i32(&w);
    p.zxid = walk_i64(&w);
    p.data = walk_buffer(&w);
    p.authinfo = walk_ids(&w);
    if (w.stopped)
        return w.why;
    *out = p;
    return (int64_t)w.at;
}

void peer_packet_put(struct buf *b, const struct peer_packet *p)
{
    wire_put_i32(b, p->type);
    wire_put_i64(b, p->zxid);
    wire_put_buffer(b, p->data);
    wire_put_vec(b, p->authinfo);
}

int peer_learner_info_get(struct slice data, struct peer_learner_info *out)
{
    struct wire_reader r = wire_reader_of(data);
    struct peer_learner_info info = { .sid = wire_get_i64(&r), .protocol_version = 1 };
    if (data.n != 8) {
        info.protocol_version = wire_get_i32(&r);
        info.config_version = wire_get_i64(&r);
    }
    if (r.err == 0)
        *out = info;
    return r.err;
}

void peer_learner_info_put(struct buf *b, const struct peer_learner_info *info)
{
    wire_put_i64(b, info->sid);
    wire_put_i32(b, info->protocol_version);
    wire_put_i64(b, info->config_version);
}

int peer_request_get(struct slice data, struct peer_request *out)
{
    struct wire_reader r = wire_reader_of(data);
    struct peer_request q;
    q.session_id = wire_get_i64(&r);
    q.cxid = wire_get_i32(&r);
    q.op = wire_get_i32(&r);
    q.body = slice_of(r.p, wire_left(&r));
    if (r.err == 0)
        *out = q;
    return r.err;
}

void peer_request_put(struct buf *b, const struct peer_request *q)
{
    wire_put_i64(b, q->session_id);
    wire_put_i32(b, q->cxid);
    wire_put_i32(b, q->op);
    buf_append_slice(b, q->body);
}

int peer_touch_get(struct wire_reader *r, struct peer_touch *out)
{
    if (r->err != 0)
        return r->err;
    if (wire_left(r) == 0)
        return 0;
    struct peer_touch t;
    t.session_id = wire_get_i64(r);
    t.timeout_ms = wire_get_i32(r);
    if (r->err != 0)
        return r->err;
    *out = t;
    return 1;
}

void peer_touch_put(struct buf *b, struct peer_touch t)
{
    wire_put_i64(b, t.session_id);
    wire_put_i32(b, t.timeout_ms);
}

int peer_validity_get(struct slice data, struct peer_validity *out)
{
    struct wire_reader r = wire_reader_of(data);
    struct peer_validity v;
    v.session_id = wire_get_i64(&r);
    v.valid = wire_get_bool(&r);
    if (r.err == 0)
        *out = v;
    return r.err;
}

void peer_validity_put(struct buf *b, struct peer_validity v)
{
    wire_put_i64(b, v.session_id);
    wire_put_bool(b, v.valid);
}

int64_t peer_hello_get(struct slice bytes, struct peer_hello *out)
{
    struct walk w = { .bytes = bytes };
    int64_t first = walk_i64(&w);
    if (w.stopped)
        return w.why;
    struct peer_hello h = { .sid = first, .many = first == HELLO_MANY_ADDRESSES };
    if (first < 0) {
        if (first != HELLO_ONE_ADDRESS && first != HELLO_MANY_ADDRESSES)
            return ERR_MARSHALLING;
        h.sid = walk_i64(&w);
        int32_t n = walk_i32(&w);
        if (!w.stopped && (n < 1 || n > PEER_HELLO_BYTES_MAX))
            return ERR_MARSHALLING;
        h.addresses = slice_of(walk_take(&w, (size_t)n), (size_t)n);
        if (w.stopped)
            return w.why;
    }
    *out = h;
    return (int64_t)w.at;
}

void peer_hello_put(struct buf *b, const struct peer_hello *h)
{
    if (slice_is_null(h->addresses)) {
        wire_put_i64(b, h->sid);
        return;
    }
    ASSERT(h->addresses.n >= 1 && h->addresses.n <= PEER_HELLO_BYTES_MAX);
    wire_put_i64(b, h->many ? HELLO_MANY_ADDRESSES : HELLO_ONE_ADDRESS);
    wire_put_i64(b, h->sid);
    wire_put_buffer(b, h->addresses);
}

int peer_auth_begins(struct slice bytes)
{
    uint8_t magic[8];
    store_be64(magic, (uint64_t)PEER_AUTH_MAGIC);
    size_t n = bytes.n < sizeof magic ? bytes.n : sizeof magic;
    if (n != 0 && memcmp(bytes.p, magic, n) != 0)
        return -1;
    return n == sizeof magic;
}

int64_t peer_auth_get(struct slice bytes, enum peer_auth_status *status, struct slice *token)
{
    struct walk w = { .bytes = bytes, .field_bytes_max = PEER_AUTH_TOKEN_BYTES_MAX };
    if (peer_auth_begins(bytes) < 0)
        return ERR_MARSHALLING;
    (void)walk_i64(&w);
    int32_t number = walk_i32(&w);
    if (!w.stopped && (number < PEER_AUTH_REFUSED || number > PEER_AUTH_DONE))
        return ERR_MARSHALLING;
    struct slice t = walk_buffer(&w);
    if (w.stopped)
        return w.why;
    *status = (enum peer_auth_status)number;
    *token = t;
    return (int64_t)w.at;
}

void peer_auth_put(struct buf *b, enum peer_auth_status status, struct slice token)
{
    wire_put_i64(b, (int64_t)PEER_AUTH_MAGIC);
    wire_put_i32(b, (int32_t)status);
    wire_put_buffer(b, token);
}

int64_t peer_notification_frame(struct slice bytes, struct slice *body)
{
    struct walk w = { .bytes = bytes };
    int32_t n = walk_i32(&w);
    if (!w.stopped && (n < 1 || n > PEER_NOTIFICATION_BYTES_MAX))
        return ERR_MARSHALLING;
    const uint8_t *p = walk_take(&w, (size_t)n);
    if (w.stopped)
        return w.why;
    *body = slice_of(p, (size_t)n);
    return (int64_t)w.at;
}

int peer_notification_get(struct slice body, struct peer_notification *out)
{
    struct wire_reader r = wire_reader_of(body);
    int32_t state = wire_get_i32(&r);
    if (r.err != 0 || state < PEER_LOOKING || state > PEER_OBSERVING)
        return ERR_MARSHALLING;
    struct peer_notification n = { .state = (enum peer_state)state };
    n.leader = wire_get_i64(&r);
    n.zxid = wire_get_i64(&r);
    n.round = wire_get_i64(&r);
    n.peer_epoch = body.n == NOTIFICATION_OLDEST_BYTES ? n.zxid >> 32 : wire_get_i64(&r);
    if (body.n != NOTIFICATION_OLDEST_BYTES && body.n != NOTIFICATION_NO_VERSION_BYTES)
        n.version = wire_get_i32(&r);
    if (n.version >= NOTIFICATION_VERSION) {
        n.config = wire_get_buffer(&r);
        if (slice_is_null(n.config)) /* length -1 is no length here */
            return ERR_MARSHALLING;
    }
    if (r.err == 0)
        *out = n;
    return r.err;
}

void peer_notification_put(struct buf *b, const struct peer_notification *n)
{
    ASSERT(n->config.n <= PEER_NOTIFICATION_BYTES_MAX - NOTIFICATION_FIXED_BYTES);
    wire_put_i32(b, (int32_t)(NOTIFICATION_FIXED_BYTES + n->config.n));
    wire_put_i32(b, (int32_t)n->state);
    wire_put_i64(b, n->leader);
    wire_put_i64(b, n->zxid);
    wire_put_i64(b, n->round);
    wire_put_i64(b, n->peer_epoch);
    wire_put_i32(b, NOTIFICATION_VERSION);
    wire_put_i32(b, (int32_t)n->config.n);
    buf_append_slice(b, n->config);
}

const char *peer_packet_name(int32_t type)
{
    static const char *const names[] = {
        [PEER_REQUEST] = "REQUEST",
        [PEER_PROPOSAL] = "PROPOSAL",
        [PEER_ACK] = "ACK",
        [PEER_COMMIT] = "COMMIT",
        [PEER_PING] = "PING",
        [PEER_REVALIDATE] = "REVALIDATE",
        [PEER_SYNC] = "SYNC",
        [PEER_INFORM] = "INFORM",
        [PEER_COMMIT_AND_ACTIVATE] = "COMMITANDACTIVATE",
        [PEER_NEWLEADER] = "NEWLEADER",
        [PEER_FOLLOWERINFO] = "FOLLOWERINFO",
        [PEER_UPTODATE] = "UPTODATE",
        [PEER_DIFF] = "DIFF",
        [PEER_TRUNC] = "TRUNC",
        [PEER_SNAP] = "SNAP",
        [PEER_OBSERVERINFO] = "OBSERVERINFO",
        [PEER_LEADERINFO] = "LEADERINFO",
        [PEER_ACKEPOCH] = "ACKEPOCH",
        [PEER_INFORM_AND_ACTIVATE] = "INFORMANDACTIVATE",
    };
    return type > 0 && (size_t)type < ARRAY_COUNT(names) ? names[type] : NULL;
}
