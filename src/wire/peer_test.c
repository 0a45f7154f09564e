/* Packets and messages as Apache ZooKeeper 3.8.0 sent them (captured), cut at every byte, and made hostile. */
#include "wire/peer.h"
#include "base/mem.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <limits.h>
#include <stdlib.h>

#define FIELD_MAX 1000
#define NULL_DATA ((struct slice){ 0 })
#define NO_IDS ((struct wire_vec){ .count = -1 })

/* Bytes of a text of hexadecimal digits; what stands in quotes is taken as it is, blanks are skipped. */
static struct slice hex(const char *text)
{
    static uint8_t pool[16][512];
    static unsigned turn;
    uint8_t *to = pool[turn++ % 16];
    size_t n = 0;
    bool quoted = false;
    for (const char *p = text; *p != '\0'; p++) {
        if (*p == '"') {
            quoted = !quoted;
        } else if (quoted) {
            to[n++] = (uint8_t)*p;
        } else if (*p != ' ') {
            char two[3] = { p[0], p[1], 0 };
            to[n++] = (uint8_t)strtoul(two, NULL, 16);
            p++;
        }
        assert_true(n < sizeof pool[0]);
    }
    return slice_of(to, n);
}

/* A copy of exactly these bytes, so that a sanitizer sees the first one too many. */
static struct slice exact(struct slice s)
{
    uint8_t *p = mem_alloc(s.n == 0 ? 1 : s.n);
    memcpy(p, s.p, s.n);
    return slice_of(p, s.n);
}

static void drop(struct slice s)
{
    mem_free((void *)s.p);
}

static void assert_bytes(const struct buf *b, struct slice expected)
{
    assert_int_equal(b->err, 0);
    assert_int_equal(b->n, expected.n);
    assert_memory_equal(b->p, expected.p, expected.n);
}

static void assert_same_slice(struct slice a, struct slice b)
{
    assert_int_equal(slice_is_null(a), slice_is_null(b));
    assert_true(slice_eq(a, b));
}

/* ---- packets ---- */

/* Reads the packet behind `text`, writes it again, and cuts it at every byte. */
static struct peer_packet packet(const char *text)
{
    static uint8_t kept[512];
    struct slice s = hex(text);
    struct peer_packet p;
    struct buf b;
    memcpy(kept, s.p, s.n);
    s.p = kept;
    assert_int_equal(peer_packet_get(s, FIELD_MAX, &p), (int64_t)s.n);
    buf_init(&b, 4096);
    peer_packet_put(&b, &p);
    assert_bytes(&b, s);
    buf_fini(&b);
    for (size_t n = 0; n < s.n; n++) {
        struct peer_packet untouched = { .type = 77 };
        struct slice part = exact(slice_of(s.p, n));
        assert_int_equal(peer_packet_get(part, FIELD_MAX, &untouched), 0);
        assert_int_equal(untouched.type, 77);
        drop(part);
    }
    return p;
}

static void packets_of_a_join(void **state)
{
    (void)state;
    struct peer_packet p = packet("00000010 0000000000000000 00000014 0000000000000004 00010000 0000000100000000 "
                                  "ffffffff");
    assert_int_equal(p.type, PEER_OBSERVERINFO);
    assert_int_equal(p.zxid, 0);
    assert_int_equal(p.authinfo.count, -1);
    struct peer_learner_info info;
    assert_int_equal(peer_learner_info_get(p.data, &info), 0);
    assert_int_equal(info.sid, 4);
    assert_int_equal(info.protocol_version, PEER_PROTOCOL_VERSION);
    assert_int_equal(info.config_version, 0x100000000);
    struct buf b;
    buf_init(&b, 100);
    peer_learner_info_put(&b, &info);
    assert_bytes(&b, p.data);
    buf_fini(&b);

    p = packet("00000011 0000000100000000 00000004 00010000 ffffffff");
    assert_int_equal(p.type, PEER_LEADERINFO);
    assert_int_equal(p.zxid, 0x100000000);
    assert_int_equal(p.data.n, 4);
    p = packet("00000012 0000000100000004 00000004 ffffffff ffffffff");
    assert_int_equal(p.type, PEER_ACKEPOCH);
    p = packet("0000000f 0000000100000000 ffffffff ffffffff");
    assert_int_equal(p.type, PEER_SNAP);
    assert_true(slice_is_null(p.data));
    p = packet("0000000d 0000000100000009 ffffffff ffffffff");
    assert_int_equal(p.type, PEER_DIFF);
    p = packet("0000000e 0000000100000009 ffffffff ffffffff");
    assert_int_equal(p.type, PEER_TRUNC);
    p = packet("0000000a 0000000100000000 0000000c \"server.1=...\" ffffffff");
    assert_int_equal(p.type, PEER_NEWLEADER);
    assert_true(slice_eq_str(p.data, "server.1=..."));
    p = packet("00000003 0000000100000000 ffffffff ffffffff");
    assert_int_equal(p.type, PEER_ACK);
    p = packet("0000000c ffffffffffffffff ffffffff ffffffff");
    assert_int_equal(p.type, PEER_UPTODATE);
    assert_int_equal(p.zxid, -1);
    p = packet("00000004 0000000100000005 ffffffff ffffffff");
    assert_int_equal(p.type, PEER_COMMIT);
    p = packet("00000007 0000000000000000 ffffffff ffffffff");
    assert_int_equal(p.type, PEER_SYNC);
    p = packet("00000009 000000010000001b 00000008 0000000000000003 ffffffff");
    assert_int_equal(p.type, PEER_COMMIT_AND_ACTIVATE);
    p = packet("80000000 0000000000000000 ffffffff ffffffff");
    assert_int_equal(p.type, INT32_MIN);
}

static void proposals(void **state)
{
    (void)state;
    struct peer_packet p = packet("00000002 0000000100000006 0000005a"
                                  "01000009db090000 00000001 0000000100000006 000001a1fc3f255f 00000001"
                                  "00000004 \"/a-0\" 00000002 \"v0\" 00000001 0000001f 00000005 \"world\""
                                  "00000006 \"anyone\" 00 00000002 00000002 00000001272184fc ffffffff");
    assert_int_equal(p.type, PEER_PROPOSAL);
    assert_int_equal(p.data.n, 0x5a);
    p = packet("00000002 0000000100000012 00000024 04a1fc3f53e00000 00000002 0000000100000012 000001a1fc3f5bb2"
               "ffffffff ffffff92 ffffffff");
    assert_int_equal(p.data.n, 0x24);
}

static void requests(void **state)
{
    (void)state;
    struct peer_packet p = packet("00000001 ffffffffffffffff 0000004e 04a1fc3f53e00000 00000001 00000001"
                                  "00000012 \"/fake-4-1795233371\" 00000005 \"hello\" 00000001 0000001f"
                                  "00000005 \"world\" 00000006 \"anyone\" 00000001"
                                  "00000001 00000002 \"ip\" 00000009 \"127.0.0.1\"");
    struct peer_request q;
    struct buf b;
    assert_int_equal(p.type, PEER_REQUEST);
    assert_int_equal(p.authinfo.count, 1);
    struct wire_reader r = wire_vec_reader(p.authinfo);
    assert_true(slice_eq_str(wire_get_ustring(&r), "ip"));
    assert_true(slice_eq_str(wire_get_ustring(&r), "127.0.0.1"));
    assert_int_equal(r.err, 0);
    assert_int_equal(wire_left(&r), 0);
    assert_int_equal(peer_request_get(p.data, &q), 0);
    assert_int_equal(q.session_id, 0x04a1fc3f53e00000);
    assert_int_equal(q.cxid, 1);
    assert_int_equal(q.op, 1);
    assert_int_equal(q.body.n, 0x4e - 16);
    buf_init(&b, 1000);
    peer_request_put(&b, &q);
    assert_bytes(&b, p.data);
    buf_fini(&b);

    p = packet("00000001 ffffffffffffffff 00000014 04a1fc3f53e00000 00000000 fffffff6 00002710 ffffffff");
    assert_int_equal(peer_request_get(p.data, &q), 0);
    assert_int_equal(q.op, -10);
    assert_int_equal(q.body.n, 4);
    p = packet("00000001 ffffffffffffffff 00000010 04a1fc3f53e00000 00000004 fffffff5 ffffffff");
    assert_int_equal(peer_request_get(p.data, &q), 0);
    assert_int_equal(q.op, -11);
    assert_int_equal(q.body.n, 0);
    for (size_t n = 0; n < 16; n++) {
        struct slice part = exact(slice_of(p.data.p, n));
        assert_int_equal(peer_request_get(part, &q), ERR_MARSHALLING);
        drop(part);
    }
    assert_int_equal(peer_request_get(NULL_DATA, &q), ERR_MARSHALLING);
}

static void pings(void **state)
{
    (void)state;
    struct peer_packet p = packet("00000005 0000000100000003 ffffffff ffffffff");
    assert_int_equal(p.type, PEER_PING);
    assert_true(slice_is_null(p.data));
    struct wire_reader r = wire_reader_of(p.data);
    struct peer_touch t = { .session_id = 77 };
    assert_int_equal(peer_touch_get(&r, &t), 0);

    p = packet("00000005 0000000100000003 00000000 ffffffff");
    assert_false(slice_is_null(p.data));
    assert_int_equal(p.data.n, 0);
    r = wire_reader_of(p.data);
    assert_int_equal(peer_touch_get(&r, &t), 0);
    assert_int_equal(t.session_id, 77);

    p = packet("00000005 0000000100000003 00000018 04a1fc3e5d2f0000 00002710 04a1fc3e5d2f0001 00007530 ffffffff");
    struct buf b;
    buf_init(&b, 100);
    r = wire_reader_of(p.data);
    assert_int_equal(peer_touch_get(&r, &t), 1);
    assert_int_equal(t.session_id, 0x04a1fc3e5d2f0000);
    assert_int_equal(t.timeout_ms, 10000);
    peer_touch_put(&b, t);
    assert_int_equal(peer_touch_get(&r, &t), 1);
    assert_int_equal(t.session_id, 0x04a1fc3e5d2f0001);
    assert_int_equal(t.timeout_ms, 30000);
    peer_touch_put(&b, t);
    assert_int_equal(peer_touch_get(&r, &t), 0);
    assert_bytes(&b, p.data);
    buf_fini(&b);
    for (size_t n = 1; n < 12; n++) {
        struct slice part = exact(slice_of(p.data.p, n));
        r = wire_reader_of(part);
        assert_int_equal(peer_touch_get(&r, &t), ERR_MARSHALLING);
        assert_int_equal(peer_touch_get(&r, &t), ERR_MARSHALLING);
        drop(part);
    }
}

static void revalidations(void **state)
{
    (void)state;
    struct peer_packet p = packet("00000006 ffffffffffffffff 0000000c 04a1fc3e5d2f0000 00002710 ffffffff");
    struct wire_reader r = wire_reader_of(p.data);
    struct peer_touch t;
    struct peer_validity v;
    assert_int_equal(p.type, PEER_REVALIDATE);
    assert_int_equal(peer_touch_get(&r, &t), 1);
    assert_int_equal(t.timeout_ms, 10000);
    static const char *const answers[] = { "00000006 ffffffffffffffff 00000009 0123456789abcdef 00 ffffffff",
                                           "00000006 ffffffffffffffff 00000009 0123456789abcdef 01 ffffffff" };
    for (size_t i = 0; i < ARRAY_COUNT(answers); i++) {
        struct buf b;
        p = packet(answers[i]);
        assert_int_equal(peer_validity_get(p.data, &v), 0);
        assert_int_equal(v.session_id, 0x0123456789abcdef);
        assert_int_equal(v.valid, i == 1);
        buf_init(&b, 100);
        peer_validity_put(&b, v);
        assert_bytes(&b, p.data);
        buf_fini(&b);
        for (size_t n = 0; n < 9; n++)
            assert_int_equal(peer_validity_get(slice_of(p.data.p, n), &v), ERR_MARSHALLING);
    }
}

static void learner_info_of_other_sizes(void **state)
{
    (void)state;
    struct slice s = hex("0000000000000004 00010000 0000000100000000 0102");
    for (size_t n = 0; n <= s.n; n++) {
        struct peer_learner_info info = { .sid = 77 };
        struct slice part = exact(slice_of(s.p, n));
        int err = peer_learner_info_get(part, &info);
        assert_int_equal(err, n == 8 || n >= 20 ? 0 : ERR_MARSHALLING);
        assert_int_equal(info.sid, err == 0 ? 4 : 77);
        if (n == 8) {
            assert_int_equal(info.protocol_version, 1);
            assert_int_equal(info.config_version, 0);
        }
        drop(part);
    }
    struct peer_learner_info info;
    assert_int_equal(peer_learner_info_get(NULL_DATA, &info), ERR_MARSHALLING);
}

/* What peer_packet_get says to these bytes, which end where the text ends. */
static int64_t verdict(const char *text, size_t field_bytes_max)
{
    struct peer_packet p;
    struct slice s = exact(hex(text));
    int64_t got = peer_packet_get(s, field_bytes_max, &p);
    drop(s);
    return got;
}

static void hostile_lengths_of_packets(void **state)
{
    (void)state;
#define HEAD "00000005 0000000100000003 "
    assert_int_equal(verdict(HEAD "fffffffe", FIELD_MAX), ERR_MARSHALLING);
    assert_int_equal(verdict(HEAD "80000000", FIELD_MAX), ERR_MARSHALLING);
    assert_int_equal(verdict(HEAD "7fffffff", FIELD_MAX), ERR_TOO_LONG);
    assert_int_equal(verdict(HEAD "000003e8", FIELD_MAX), 0); /* 1000: may still come */
    assert_int_equal(verdict(HEAD "000003e9", FIELD_MAX), ERR_TOO_LONG);
    assert_int_equal(verdict(HEAD "7fffffff", SIZE_MAX), 0);
    /* authinfo: null, empty, and what reads as empty */
    assert_int_equal(verdict(HEAD "ffffffff ffffffff", FIELD_MAX), 20);
    assert_int_equal(verdict(HEAD "ffffffff 00000000", FIELD_MAX), 20);
    assert_int_equal(verdict(HEAD "ffffffff fffffffe", FIELD_MAX), 20);
    assert_int_equal(verdict(HEAD "ffffffff 80000000", FIELD_MAX), 20);
    /* counts that cannot be */
    assert_int_equal(verdict(HEAD "ffffffff 7fffffff", FIELD_MAX), ERR_TOO_LONG);
    assert_int_equal(verdict(HEAD "ffffffff 0000007e", FIELD_MAX), ERR_TOO_LONG);
    assert_int_equal(verdict(HEAD "ffffffff 0000007d", FIELD_MAX), 0);
    /* strings of an id */
    assert_int_equal(verdict(HEAD "ffffffff 00000001 fffffffe", FIELD_MAX), ERR_MARSHALLING);
    assert_int_equal(verdict(HEAD "ffffffff 00000001 000003e9", FIELD_MAX), ERR_TOO_LONG);
    assert_int_equal(verdict(HEAD "ffffffff 00000001 ffffffff 7fffffff", FIELD_MAX), ERR_TOO_LONG);
    assert_int_equal(verdict(HEAD "ffffffff 00000001 ffffffff ffffffff", FIELD_MAX), 28);
    assert_int_equal(verdict(HEAD "ffffffff 00000002 00000001 61 00000001 62 00000001 63 00000001 64", 20), 20 + 20);
    assert_int_equal(verdict(HEAD "ffffffff 00000002 00000001 61 00000001 62 00000001 63 00000001 64", 19),
                     ERR_TOO_LONG);
#undef HEAD
}

/* A stream is read one packet after the other; what follows a packet is not its business. */
static void packets_in_a_stream(void **state)
{
    (void)state;
    struct slice s = hex("00000005 0000000100000003 00000000 ffffffff"
                         "00000003 0000000100000004 ffffffff ffffffff"
                         "00000004 00");
    struct peer_packet p;
    assert_int_equal(peer_packet_get(s, FIELD_MAX, &p), 20);
    assert_int_equal(p.type, PEER_PING);
    s = slice_of(s.p + 20, s.n - 20);
    assert_int_equal(peer_packet_get(s, FIELD_MAX, &p), 20);
    assert_int_equal(p.zxid, 0x100000004);
    s = slice_of(s.p + 20, s.n - 20);
    assert_int_equal(peer_packet_get(s, FIELD_MAX, &p), 0);
}

static void null_is_not_empty(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 1000);
    peer_packet_put(&b, &(struct peer_packet){ .type = PEER_PING, .data = NULL_DATA, .authinfo = NO_IDS });
    assert_bytes(&b, hex("00000005 0000000000000000 ffffffff ffffffff"));
    buf_reset(&b);
    peer_packet_put(&b, &(struct peer_packet){ .type = PEER_PING, .data = slice_str(""), .authinfo = { 0 } });
    assert_bytes(&b, hex("00000005 0000000000000000 00000000 00000000"));
    buf_fini(&b);
}

/* ---- the election port ---- */

static struct peer_hello hello(const char *text)
{
    static uint8_t kept[512];
    struct slice s = hex(text);
    struct peer_hello h;
    struct buf b;
    memcpy(kept, s.p, s.n);
    s.p = kept;
    assert_int_equal(peer_hello_get(s, &h), (int64_t)s.n);
    buf_init(&b, 4096);
    peer_hello_put(&b, &h);
    assert_bytes(&b, s);
    buf_fini(&b);
    for (size_t n = 0; n < s.n; n++) {
        struct peer_hello untouched = { .sid = 77 };
        struct slice part = exact(slice_of(s.p, n));
        assert_int_equal(peer_hello_get(part, &untouched), 0);
        assert_int_equal(untouched.sid, 77);
        drop(part);
    }
    return h;
}

/* The second one is the end of a login as Apache 3.8 sends it. */
static void logins(void **state)
{
    (void)state;
    enum peer_auth_status status;
    struct slice token;
    struct buf b;
    struct slice s = hex("5f2435013501edcc 00000000 00000000");
    assert_int_equal(peer_auth_get(s, &status, &token), (int64_t)s.n);
    assert_int_equal(status, PEER_AUTH_GOES_ON);
    assert_true(token.n == 0 && !slice_is_null(token));
    s = hex("5f2435013501edcc 00000001 00000003 616263");
    buf_init(&b, 4096);
    peer_auth_put(&b, PEER_AUTH_DONE, slice_str("abc"));
    assert_bytes(&b, s);
    buf_fini(&b);
    for (size_t n = 0; n < s.n; n++) {
        struct slice part = exact(slice_of(s.p, n));
        assert_int_equal(peer_auth_get(part, &status, &token), 0);
        assert_int_equal(peer_auth_begins(part), n >= 8);
        drop(part);
    }
    assert_int_equal(peer_auth_get(hex("5f2435013501edcc ffffffff ffffffff"), &status, &token), 16);
    assert_int_equal(status, PEER_AUTH_REFUSED);
    assert_true(slice_is_null(token));
    assert_int_equal(peer_auth_begins(hex("5f24350135")), 0);
    assert_int_equal(peer_auth_begins(hex("5f2436")), -1);
    assert_int_equal(peer_auth_get(hex("5f2436"), &status, &token), ERR_MARSHALLING);
    assert_int_equal(peer_auth_get(hex("5f2435013501edcc 00000002"), &status, &token), ERR_MARSHALLING);
    assert_int_equal(peer_auth_get(hex("5f2435013501edcc 00000000 00020001"), &status, &token), ERR_TOO_LONG);
    assert_int_equal(peer_auth_get(hex("5f2435013501edcc 00000000 fffffffe"), &status, &token), ERR_MARSHALLING);
}

static void first_messages(void **state)
{
    (void)state;
    struct peer_hello h = hello("ffffffffffff0000 0000000000000004 0000000f 3132372e302e302e313a3234323034");
    assert_int_equal(h.sid, 4);
    assert_false(h.many);
    assert_true(slice_eq_str(h.addresses, "127.0.0.1:24204"));
    h = hello("ffffffffffff0001 0000000000000003 00000020 "
              "3132372e302e302e31333a32343530337c3132372e302e302e333a3234353033");
    assert_int_equal(h.sid, 3);
    assert_true(h.many);
    assert_true(slice_eq_str(h.addresses, "127.0.0.13:24503|127.0.0.3:24503"));
    h = hello("0000000000000007");
    assert_int_equal(h.sid, 7);
    assert_true(slice_is_null(h.addresses));
    h = hello("7fffffffffffffff");
    assert_int_equal(h.sid, INT64_MAX);
    h = hello("ffffffffffff0000 7fffffffffffffff 00000001 61");
    assert_int_equal(h.sid, INT64_MAX);
}

static int64_t hello_verdict(const char *text)
{
    struct peer_hello h;
    struct slice s = exact(hex(text));
    int64_t got = peer_hello_get(s, &h);
    drop(s);
    return got;
}

static void hostile_first_messages(void **state)
{
    (void)state;
    assert_int_equal(hello_verdict("ffffffffffffffff"), ERR_MARSHALLING);
    assert_int_equal(hello_verdict("fffffffffffeffff"), ERR_MARSHALLING);
    assert_int_equal(hello_verdict("ffffffffffff0002"), ERR_MARSHALLING);
    assert_int_equal(hello_verdict("8000000000000000"), ERR_MARSHALLING);
    static const char *const heads[] = { "ffffffffffff0000 0000000000000004", "ffffffffffff0001 0000000000000004" };
    for (size_t i = 0; i < ARRAY_COUNT(heads); i++) {
        struct peer_hello h;
        struct buf b;
        buf_init(&b, 5000);
        static const struct {
            int32_t n;
            int64_t verdict;
        } lengths[] = {
            { 0, ERR_MARSHALLING },
            { -1, ERR_MARSHALLING },
            { INT32_MIN, ERR_MARSHALLING },
            { INT32_MAX, ERR_MARSHALLING },
            { 2049, ERR_MARSHALLING },
            { 2048, 0 },
            { 1, 0 },
        };
        for (size_t k = 0; k < ARRAY_COUNT(lengths); k++) {
            buf_reset(&b);
            buf_append_slice(&b, hex(heads[i]));
            wire_put_i32(&b, lengths[k].n);
            assert_int_equal(peer_hello_get(buf_slice(&b), &h), lengths[k].verdict);
        }
        buf_reset(&b);
        buf_append_slice(&b, hex(heads[i]));
        wire_put_i32(&b, 2048);
        memset(buf_add(&b, 2060), 'a', 2060);
        assert_int_equal(peer_hello_get(buf_slice(&b), &h), 20 + 2048);
        assert_int_equal(h.addresses.n, 2048);
        buf_fini(&b);
    }
}

/* Cuts the frame, reads its body; the length stands in front of `text`, too. */
static struct peer_notification notification(const char *text)
{
    static uint8_t kept[512];
    struct slice s = hex(text), body;
    struct peer_notification n;
    struct buf b;
    memcpy(kept, s.p, s.n);
    s.p = kept;
    assert_int_equal(peer_notification_frame(s, &body), (int64_t)s.n);
    assert_int_equal(body.n, s.n - 4);
    assert_int_equal(peer_notification_get(body, &n), 0);
    buf_init(&b, 4096);
    peer_notification_put(&b, &n);
    assert_bytes(&b, s);
    buf_fini(&b);
    for (size_t k = 0; k < s.n; k++) {
        struct slice part = exact(slice_of(s.p, k));
        assert_int_equal(peer_notification_frame(part, &body), 0);
        drop(part);
    }
    return n;
}

#define CONFIG_186                                                                                      \
    "\"server.1=127.0.0.1:24101:24201:participant\" 0a \"server.2=127.0.0.1:24102:24202:participant\" " \
    "0a \"server.3=127.0.0.1:24103:24203:participant\" 0a \"server.4=127.0.0.1:24104:24204:observer\" " \
    "0a \"version=100000000\""

static void notifications(void **state)
{
    (void)state;
    struct peer_notification n =
        notification("000000de 00000000 8000000000000000 8000000000000000 0000000000000001 8000000000000000 "
                     "00000002 000000b2"
                     "\"server.1=127.0.0.1:24101:24201:participant\" 0a"
                     "\"server.2=127.0.0.1:24102:24202:participant\" 0a"
                     "\"server.3=127.0.0.1:24103:24203:participant\" 0a"
                     "\"server.4=127.0.0.1:24104:24204:observer\" 0a \"version=0\"");
    assert_int_equal(n.state, PEER_LOOKING);
    assert_true(n.leader == INT64_MIN && n.zxid == INT64_MIN && n.peer_epoch == INT64_MIN);
    assert_int_equal(n.round, 1);
    assert_int_equal(n.version, 2);
    assert_int_equal(n.config.n, 0xb2);

    n = notification("000000e6 00000002 0000000000000003 0000000000000000 0000000000000000 0000000000000001 "
                     "00000002 000000ba" CONFIG_186);
    assert_int_equal(n.state, PEER_LEADING);
    assert_int_equal(n.leader, 3);
    assert_int_equal(n.zxid, 0);
    assert_int_equal(n.round, 0);
    assert_int_equal(n.peer_epoch, 1);
    assert_int_equal(n.config.n, 0xba);
    n = notification("00000030 00000000 0000000000000001 0000000100000014 0000000000000001 0000000000000001 "
                     "00000002 00000004 \"abcd\"");
    assert_int_equal(n.zxid, 0x100000014);
    n = notification("0000002c 00000003 0000000000000001 0000000100000014 0000000000000001 0000000000000001 "
                     "00000002 00000000");
    assert_int_equal(n.state, PEER_OBSERVING);
    assert_same_slice(n.config, slice_str(""));
}

static void hostile_frames(void **state)
{
    (void)state;
    static const struct {
        int32_t n;
        int64_t verdict;
    } lengths[] = {
        { 0, ERR_MARSHALLING },         { -1, ERR_MARSHALLING },     { INT32_MIN, ERR_MARSHALLING },
        { INT32_MAX, ERR_MARSHALLING }, { 524289, ERR_MARSHALLING }, { 524288, 0 },
    };
    for (size_t i = 0; i < ARRAY_COUNT(lengths); i++) {
        uint8_t bytes[4];
        struct slice body;
        store_be32(bytes, (uint32_t)lengths[i].n);
        assert_int_equal(peer_notification_frame(slice_of(bytes, 4), &body), lengths[i].verdict);
    }
    struct slice body, s = hex("00000001 ff 00000001");
    assert_int_equal(peer_notification_frame(s, &body), 5);
    assert_int_equal(body.n, 1);
    struct peer_notification n;
    assert_int_equal(peer_notification_get(body, &n), ERR_MARSHALLING);
}

/* Which sizes of a body are understood, and as what. */
static void sizes_of_bodies(void **state)
{
    (void)state;
    struct slice s = hex("00000001 0000000000000003 0000000700000008 0000000000000001 0000000000000005 00000002 "
                         "00000004 \"abcd\" 0102");
    for (size_t k = 0; k <= s.n; k++) {
        struct peer_notification n = { .round = 77 };
        struct slice part = exact(slice_of(s.p, k));
        int err = peer_notification_get(part, &n);
        bool understood = k == 28 || k == 40 || k >= 48;
        assert_int_equal(err, understood ? 0 : ERR_MARSHALLING);
        assert_int_equal(n.round, understood ? 1 : 77);
        if (k == 28)
            assert_int_equal(n.peer_epoch, 7);
        else if (understood)
            assert_int_equal(n.peer_epoch, 5);
        if (understood) {
            assert_int_equal(n.version, k >= 48 ? 2 : 0);
            assert_same_slice(n.config, k >= 48 ? slice_str("abcd") : NULL_DATA);
        }
        drop(part);
    }
    struct peer_notification n;
    assert_int_equal(peer_notification_get(NULL_DATA, &n), ERR_MARSHALLING);
}

static int body_verdict(const char *text, struct peer_notification *n)
{
    struct slice s = exact(hex(text));
    int err = peer_notification_get(s, n);
    n->config = NULL_DATA; /* it pointed into what is freed here */
    drop(s);
    return err;
}

static void hostile_bodies(void **state)
{
    (void)state;
#define VOTE "0000000000000003 0000000700000008 0000000000000001 0000000000000005 "
    struct peer_notification n;
    assert_int_equal(body_verdict("00000004" VOTE "00000002 00000000", &n), ERR_MARSHALLING);
    assert_int_equal(body_verdict("ffffffff" VOTE "00000002 00000000", &n), ERR_MARSHALLING);
    assert_int_equal(body_verdict("00000001" VOTE "00000002 ffffffff", &n), ERR_MARSHALLING);
    assert_int_equal(body_verdict("00000001" VOTE "00000002 80000000", &n), ERR_MARSHALLING);
    assert_int_equal(body_verdict("00000001" VOTE "00000002 7fffffff", &n), ERR_MARSHALLING);
    assert_int_equal(body_verdict("00000001" VOTE "00000002 00000001", &n), ERR_MARSHALLING);
    /* versions without a configuration, and later ones */
    assert_int_equal(body_verdict("00000001" VOTE "00000001 ffffffff", &n), 0);
    assert_int_equal(n.version, 1);
    assert_int_equal(body_verdict("00000001" VOTE "80000000 ffffffff", &n), 0);
    assert_int_equal(body_verdict("00000001" VOTE "00000003 00000001 61", &n), 0);
    assert_int_equal(n.version, 3);
    assert_int_equal(body_verdict("00000001" VOTE "00000003 00000002 61", &n), ERR_MARSHALLING);
#undef VOTE
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(packets_of_a_join),
        cmocka_unit_test(proposals),
        cmocka_unit_test(requests),
        cmocka_unit_test(pings),
        cmocka_unit_test(revalidations),
        cmocka_unit_test(learner_info_of_other_sizes),
        cmocka_unit_test(hostile_lengths_of_packets),
        cmocka_unit_test(packets_in_a_stream),
        cmocka_unit_test(null_is_not_empty),
        cmocka_unit_test(first_messages),
        cmocka_unit_test(logins),
        cmocka_unit_test(hostile_first_messages),
        cmocka_unit_test(notifications),
        cmocka_unit_test(hostile_frames),
        cmocka_unit_test(sizes_of_bodies),
        cmocka_unit_test(hostile_bodies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
