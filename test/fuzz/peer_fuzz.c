/* What servers say to each other. The first byte chooses: the learner port's stream, the election port's first message
 * or its frames, a record inside a packet, the text of a configuration. What was read is written again and must be the
 * same bytes, or read as the same. */
#include "base/err.h"
#include "base/mem.h"
#include "wire/peer.h"
#include "zab/members.h"

#define FIELD_MAX 4096

static bool inside(struct slice part, struct slice whole)
{
    return slice_is_null(part) || (part.p >= whole.p && part.p + part.n <= whole.p + whole.n);
}

/* An authinfo count below -1 reads as empty, and is written so: then the two differ in the count alone. */
static void packets(struct slice s)
{
    struct peer_packet p, again;
    int64_t n;
    struct buf b;
    buf_init(&b, 1 << 22);
    while ((n = peer_packet_get(s, FIELD_MAX, &p)) > 0) {
        ASSERT((size_t)n <= s.n && inside(p.data, s) && inside(p.authinfo.raw, s) && p.data.n <= FIELD_MAX);
        ASSERT(peer_packet_get(slice_of(s.p, (size_t)n - 1), FIELD_MAX, &again) == 0);
        struct wire_reader r = wire_vec_reader(p.authinfo);
        for (int32_t i = 0; i < 2 * p.authinfo.count; i++)
            (void)wire_get_ustring(&r);
        ASSERT(r.err == 0 && wire_left(&r) == 0);
        buf_reset(&b);
        peer_packet_put(&b, &p);
        ASSERT(b.err == 0 && b.n == (size_t)n);
        if (p.authinfo.count != 0)
            ASSERT(memcmp(b.p, s.p, b.n) == 0);
        ASSERT(peer_packet_get(buf_slice(&b), FIELD_MAX, &again) == n);
        s = slice_of(s.p + n, s.n - (size_t)n);
    }
    ASSERT(n == 0 || n == ERR_MARSHALLING || n == ERR_TOO_LONG);
    buf_fini(&b);
}

static void hello(struct slice s)
{
    struct peer_hello h;
    struct buf b;
    int64_t n = peer_hello_get(s, &h);
    if (n <= 0) {
        ASSERT(n == 0 || n == ERR_MARSHALLING);
        return;
    }
    ASSERT(inside(h.addresses, s) && peer_hello_get(slice_of(s.p, (size_t)n - 1), &h) == 0);
    buf_init(&b, 1 << 20);
    peer_hello_put(&b, &h);
    ASSERT(b.err == 0 && slice_eq(buf_slice(&b), slice_of(s.p, (size_t)n)));
    buf_fini(&b);
}

static void logins(struct slice s)
{
    enum peer_auth_status status;
    struct slice token;
    struct buf b;
    int64_t n = peer_auth_get(s, &status, &token);
    if (n <= 0) {
        ASSERT(n == 0 ? peer_auth_begins(s) >= 0 : n == ERR_MARSHALLING || n == ERR_TOO_LONG);
        return;
    }
    ASSERT(inside(token, s) && peer_auth_begins(s) == 1);
    ASSERT(peer_auth_get(slice_of(s.p, (size_t)n - 1), &status, &token) == 0);
    buf_init(&b, 1 << 20);
    peer_auth_put(&b, status, token);
    ASSERT(b.err == 0 && slice_eq(buf_slice(&b), slice_of(s.p, (size_t)n)));
    buf_fini(&b);
}

static void notifications(struct slice s)
{
    struct slice body;
    struct peer_notification note, again;
    int64_t n;
    struct buf b;
    buf_init(&b, 1 << 20);
    while ((n = peer_notification_frame(s, &body)) > 0) {
        ASSERT((size_t)n == body.n + 4 && inside(body, s));
        if (peer_notification_get(body, &note) == 0 && note.config.n <= PEER_NOTIFICATION_BYTES_MAX - 44) {
            ASSERT(inside(note.config, body) && slice_is_null(note.config) == (note.version < 2));
            buf_reset(&b);
            peer_notification_put(&b, &note);
            ASSERT(b.err == 0 && peer_notification_frame(buf_slice(&b), &body) == (int64_t)b.n);
            ASSERT(peer_notification_get(body, &again) == 0 && again.version == 2);
            ASSERT(again.state == note.state && again.leader == note.leader && again.zxid == note.zxid);
            ASSERT(again.round == note.round && again.peer_epoch == note.peer_epoch);
            ASSERT(slice_eq(again.config, note.config));
        }
        s = slice_of(s.p + n, s.n - (size_t)n);
    }
    ASSERT(n == 0 || n == ERR_MARSHALLING);
    buf_fini(&b);
}

static void records(struct slice s)
{
    struct peer_learner_info info;
    struct peer_request q;
    struct peer_validity v;
    struct peer_touch t;
    struct buf b;
    buf_init(&b, 1 << 22);
    if (peer_learner_info_get(s, &info) == 0 && s.n >= 20) {
        peer_learner_info_put(&b, &info);
        ASSERT(b.n == 20 && memcmp(b.p, s.p, 20) == 0);
    }
    buf_reset(&b);
    if (peer_request_get(s, &q) == 0) {
        peer_request_put(&b, &q);
        ASSERT(slice_eq(buf_slice(&b), s));
    }
    ASSERT((peer_validity_get(s, &v) == 0) == (s.n >= 9));
    struct wire_reader r = wire_reader_of(s);
    size_t count = 0;
    int got;
    while ((got = peer_touch_get(&r, &t)) == 1)
        count++;
    ASSERT(count == s.n / 12 && (got == 0) == (s.n % 12 == 0));
    buf_fini(&b);
}

static void members(struct slice s)
{
    struct members *m, *again;
    struct buf once, twice, why;
    buf_init(&once, 1 << 24);
    buf_init(&twice, 1 << 24);
    buf_init(&why, 1024);
    if (members_parse(s, &why, &m) != 0) {
        ASSERT(m == NULL && why.n > 0 && why.err == 0);
        goto out;
    }
    members_put(m, &once);
    ASSERT(once.err == 0 && members_parse(buf_slice(&once), &why, &again) == 0);
    members_put(again, &twice);
    ASSERT(slice_eq(buf_slice(&once), buf_slice(&twice)) && members_equal(m, again));
    struct member_set all = { 0 }, none = { 0 };
    int64_t weight = 0;
    for (size_t i = 0; i < m->count; i++) {
        ASSERT(i == 0 || m->at[i - 1].sid < m->at[i].sid);
        ASSERT(m->at[i].address_count > 0 && members_find(m, m->at[i].sid) == &m->at[i]);
        member_set_add(&all, m, m->at[i].sid);
        weight |= members_weight(m, m->at[i].sid);
    }
    ASSERT(member_set_count(&all) == m->voter_count);
    ASSERT(members_is_quorum(m, &all) == (weight != 0) && !members_is_quorum(m, &none));
    members_unref(again);
    members_unref(m);
out:
    buf_fini(&once);
    buf_fini(&twice);
    buf_fini(&why);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const targets[])(struct slice) = { packets, hello, notifications, records, members, logins };
    if (size > 0)
        targets[data[0] % ARRAY_COUNT(targets)](slice_of(data + 1, size - 1));
    return 0;
}
