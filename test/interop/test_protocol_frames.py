"""Framing, jute decoding, header rules and unknown operations."""
import struct
import time

import pytest

import zkraw
from ensemble import undisturbed
from zkraw import Connection, Reader, Reply, connect_request, i32, i64, text, vector


def raw_reply(conn):
    return Reply(conn.recv_frame())


# -- before a session ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "first",
    [
        b"abcd",
        b"RUOK",
        b"GET ",
        b"\x16\x03\x01\x02",
        b"\xff\xff\xff\xff",
        b"\x80\x00\x00\x00",
        b"\x7f\xff\xff\xff",
        b"\x00\x10\x00\x00",
    ],
    ids=lambda b: b.hex(),
)
def test_first_bytes_that_are_no_word_and_no_length_close(srv, first):
    with Connection(srv.port) as conn:
        conn.send_bytes(first)
        assert conn.closed_by_peer()


@pytest.mark.parametrize("size", [0, 1, 4, 12, 24, 27])
def test_connect_request_too_short_closes(srv, size):
    with Connection(srv.port) as conn:
        conn.send_frame(connect_request()[:size])
        assert conn.closed_by_peer()


@pytest.mark.parametrize("size", [-2, -(2**31), 2**31 - 1, 2**30])
def test_connect_request_with_unreasonable_password_length_closes(srv, size):
    with Connection(srv.port) as conn:
        conn.send_frame(i32(0) + i64(0) + i32(10000) + i64(0) + i32(size) + b"\0" * 17)
        assert conn.closed_by_peer()


def test_four_letter_word_needs_no_newline_and_ignores_what_follows(srv):
    assert srv.four_letter("ruok") == b"imok"
    assert srv.four_letter("ruok\n") == b"imok"
    assert srv.four_letter("ruok\r\nmore") == b"imok"


def test_four_letter_word_in_four_pieces(srv):
    with Connection(srv.port) as conn:
        for byte in (b"r", b"u", b"o", b"k"):
            conn.send_bytes(byte)
            time.sleep(0.02)
        assert conn._read(4) == b"imok"
        assert conn.closed_by_peer()


def test_connect_frame_in_single_bytes(srv):
    payload = connect_request()
    with Connection(srv.port) as conn:
        for byte in i32(len(payload)) + payload:
            conn.send_bytes(bytes([byte]))
        assert len(conn.recv_frame()) == 37


def test_connect_and_requests_in_one_segment(srv):
    frames = b""
    for payload in (
        connect_request(),
        i32(1) + i32(zkraw.EXISTS) + text("/") + b"\0",
        i32(2) + i32(zkraw.GET_CHILDREN) + text("/") + b"\0",
        i32(3) + i32(zkraw.CLOSE_SESSION),
    ):
        frames += i32(len(payload)) + payload
    with Connection(srv.port) as conn:
        conn.send_bytes(frames)
        assert len(conn.recv_frame()) == 37
        assert [raw_reply(conn).xid for _ in range(3)] == [1, 2, 3]
        assert conn.closed_by_peer()


# -- with a session --------------------------------------------------------------------------------


def test_four_letter_word_after_the_handshake_is_a_length(zk):
    zk.send_bytes(b"ruok")
    assert zk.closed_by_peer()


@pytest.mark.parametrize("size", [0, 1, 4, 7])
def test_frame_shorter_than_a_request_header_closes(zk, size):
    zk.send_frame(b"\0" * size)
    assert zk.closed_by_peer()


@pytest.mark.parametrize("length", [-1, -(2**31), 2**31 - 1, 1048576])
def test_bad_length_closes_without_waiting_for_the_payload(zk, connect, length):
    zk.send_bytes(i32(length))
    assert zk.closed_by_peer()
    again = connect(session_id=zk.session_id, password=zk.password)
    assert again.granted_ms > 0, "the session must survive"


def test_frame_of_exactly_maxbuffer_is_served(zk, base):
    room = 1048575 - (8 + 4 + len(base) + 4 + 4)
    reply = zk.set(base, b"x" * room)
    assert reply.err == 0 and reply.stat.length == room
    zk.set(base, b"")


def test_request_in_single_bytes(zk):
    payload = i32(77) + i32(zkraw.EXISTS) + text("/") + b"\0"
    for byte in i32(len(payload)) + payload:
        zk.send_bytes(bytes([byte]))
    assert zk.recv().xid == 77


def test_pipelined_requests_are_answered_in_order(zk, base):
    frames = b""
    for xid in range(1, 201):
        op = (zkraw.EXISTS, zkraw.GET_DATA, zkraw.SET_DATA)[xid % 3]
        body = text(base) + (text("v") + i32(-1) if op == zkraw.SET_DATA else b"\0")
        frames += i32(8 + len(body)) + i32(xid) + i32(op) + body
    zk.send_bytes(frames)
    replies = [zk.recv() for _ in range(200)]
    assert [r.xid for r in replies] == list(range(1, 201))
    assert all(r.err == 0 for r in replies)
    zxids = [r.zxid for r in replies]
    assert zxids == sorted(zxids)


def test_reads_behind_a_write_see_it(zk, base):
    zk.send(zkraw.SET_DATA, text(base) + text("after") + i32(-1))
    zk.send(zkraw.GET_DATA, text(base) + b"\0")
    assert zk.recv().err == 0
    assert Reader(zk.recv().body).bytes() == b"after"


def test_trailing_bytes_are_ignored(zk, base):
    assert zk.call(zkraw.EXISTS, text(base) + b"\0" + b"garbage").err == 0
    assert zk.call(zkraw.SET_DATA, text(base) + text("d") + i32(-1) + b"\1\2\3").err == 0
    assert zk.call(zkraw.PING, b"more", xid=-2).err == 0


REQUESTS = {
    "create": (zkraw.CREATE, text("/q") + text("") + zkraw.acls(zkraw.OPEN) + i32(0)),
    "create2": (zkraw.CREATE2, text("/q") + text("") + zkraw.acls(zkraw.OPEN) + i32(0)),
    "createContainer": (
        zkraw.CREATE_CONTAINER,
        text("/q") + text("") + zkraw.acls(zkraw.OPEN) + i32(4),
    ),
    "createTTL": (
        zkraw.CREATE_TTL,
        text("/q") + text("") + zkraw.acls(zkraw.OPEN) + i32(5) + i64(1000),
    ),
    "delete": (zkraw.DELETE, text("/q") + i32(-1)),
    "exists": (zkraw.EXISTS, text("/q") + b"\0"),
    "getData": (zkraw.GET_DATA, text("/q") + b"\0"),
    "setData": (zkraw.SET_DATA, text("/q") + text("abc") + i32(-1)),
    "getACL": (zkraw.GET_ACL, text("/q")),
    "setACL": (zkraw.SET_ACL, text("/q") + zkraw.acls(zkraw.OPEN) + i32(-1)),
    "getChildren": (zkraw.GET_CHILDREN, text("/q") + b"\0"),
    "getChildren2": (zkraw.GET_CHILDREN2, text("/q") + b"\0"),
    "sync": (zkraw.SYNC, text("/q")),
    "multi": (
        zkraw.MULTI,
        i32(2) + b"\0" + i32(-1) + text("/q") + i32(-1) + i32(-1) + b"\1" + i32(-1),
    ),
    "getEphemerals": (zkraw.GET_EPHEMERALS, text("/q")),
    "getAllChildrenNumber": (zkraw.ALL_CHILDREN_NUMBER, text("/q")),
    "checkWatches": (zkraw.CHECK_WATCHES, text("/q") + i32(1)),
    "removeWatches": (zkraw.REMOVE_WATCHES, text("/q") + i32(1)),
    "addWatch": (zkraw.ADD_WATCH, text("/q") + i32(0)),
    "setWatches": (zkraw.SET_WATCHES, i64(0) + vector(["/q"]) + vector([]) + vector([])),
    "setWatches2": (zkraw.SET_WATCHES2, i64(0) + vector([]) * 5),
}


@pytest.mark.parametrize("name", REQUESTS)
def test_request_cut_at_every_byte_is_a_marshalling_error(zk, name):
    op, body = REQUESTS[name]
    for size in range(len(body)):
        reply = zk.call(op, body[:size])
        assert reply.err == zkraw.MARSHALLING, "%s cut after %d of %d bytes: %r" % (
            name,
            size,
            len(body),
            reply,
        )
        assert reply.body == b""
    assert zk.ping().err == 0


@pytest.mark.since39("an undecodable write consumes no zxid")
@undisturbed
def test_undecodable_write_consumes_no_zxid(zk):
    before = zk.ping().zxid
    for op in (zkraw.CREATE, zkraw.SET_DATA, zkraw.DELETE, zkraw.SET_ACL):
        reply = zk.call(op, b"\0\0\0\7/abc")
        assert (reply.err, reply.zxid) == (zkraw.MARSHALLING, before)
    assert zk.ping().zxid == before


@pytest.mark.ours("an undecodable multi consumes a zxid")
@undisturbed
def test_undecodable_multi_consumes_no_zxid(zk):
    before = zk.ping().zxid
    assert zk.call(zkraw.MULTI, b"\0\0\0\7/abc").err == zkraw.MARSHALLING
    assert zk.ping().zxid == before


@pytest.mark.parametrize("length", [-2, -(2**31), 2**30, 2**31 - 1, 1000])
def test_unreasonable_string_length_is_a_marshalling_error(zk, length):
    assert zk.call(zkraw.GET_DATA, i32(length) + b"/q\0").err == zkraw.MARSHALLING
    assert (
        zk.call(zkraw.SET_DATA, text("/q") + i32(length) + b"abcd" + i32(-1)).err
        == zkraw.MARSHALLING
    )
    assert zk.ping().err == 0


@pytest.mark.parametrize("count", [-7, -(2**31), 0])
def test_vector_count_of_zero_or_below_is_an_empty_vector(zk, base, count):
    reply = zk.call(zkraw.CREATE, text(base + "/x") + text("") + i32(count) + i32(0))
    assert reply.err == zkraw.INVALID_ACL  # decoded, and refused as an empty list


def test_vector_count_far_beyond_the_frame_is_a_marshalling_error(zk, base):
    for count in (2, 1000, 2**31 - 1):
        body = (
            text(base + "/x")
            + text("")
            + i32(count)
            + i32(31)
            + text("world")
            + text("anyone")
            + i32(0)
        )
        assert zk.call(zkraw.CREATE, body).err == zkraw.MARSHALLING
    assert zk.ping().err == 0


@pytest.mark.parametrize("boolean", [1, 7, 128, 255])
def test_any_byte_but_zero_is_true(zk, base, boolean):
    assert zk.call(zkraw.EXISTS, text(base) + bytes([boolean])).err == 0
    zk.set(base, b"x")
    assert zk.take_events() == [(zkraw.CHANGED, base)]


@pytest.mark.parametrize(
    "bad",
    [b"\xff\xfe", b"\xed\xa0\x80", b"\xc0\x80", b"\x80", b"\xf5\x80\x80\x80", b"\xe2\x82"],
    ids=lambda b: b.hex(),
)
def test_malformed_utf8_in_a_path_is_refused_by_the_path_rules(zk, base, bad):
    assert zk.create(base.encode() + b"/" + bad).err == zkraw.BAD_ARGUMENTS


def test_null_and_empty_data_are_kept_apart(zk, base):
    zk.create(base + "/null", None)
    zk.create(base + "/empty", b"")
    null, empty = zk.get(base + "/null"), zk.get(base + "/empty")
    assert (null.data, null.stat.length) == (None, 0)
    assert (empty.data, empty.stat.length) == (b"", 0)
    zk.set(base + "/empty", None)
    assert zk.get(base + "/empty").data is None


# -- headers ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("xid", [0, 5, -2, -7, 2**31 - 1, -(2**31)])
def test_xid_is_echoed(zk, xid):
    assert zk.call(zkraw.EXISTS, text("/") + b"\0", xid=xid).xid == xid


@pytest.mark.parametrize("xid", [1, -2, 99, 0])
def test_ping_reply_always_has_xid_minus_2(zk, xid):
    zk.send(zkraw.PING, xid=xid)
    reply = zk.recv()
    assert (reply.xid, reply.err, reply.body) == (-2, 0, b"")


@undisturbed
def test_zxid_of_replies(zk, base):
    path = "%s/z%d" % (base, zk.xid)
    created = zk.create(path)
    assert created.zxid == zk.exists(path).stat.czxid
    assert zk.ping().zxid == created.zxid
    assert zk.get(base + "/none").zxid == created.zxid
    assert zk.sync("/").zxid == created.zxid
    assert zk.who_am_i().zxid == created.zxid
    assert zk.add_watch(base, 0).zxid == created.zxid
    failed = zk.delete(base + "/none")
    assert (failed.err, failed.zxid) == (zkraw.NO_NODE, created.zxid + 1)
    assert zk.ping().zxid == failed.zxid
    assert zk.auth("digest", "a:b").zxid == 0


@pytest.mark.parametrize("what", ["create", "setData", "setACL", "delete", "multi"])
@undisturbed
def test_a_failed_write_consumes_one_zxid(zk, what):
    before = zk.ping().zxid
    reply = {
        "create": lambda: zk.create("/none/x"),
        "setData": lambda: zk.set("/none"),
        "setACL": lambda: zk.set_acl("/none", zkraw.OPEN),
        "delete": lambda: zk.delete("/none"),
        "multi": lambda: zk.multi([zkraw.m_delete("/none")]),
    }[what]()
    assert reply.zxid == before + 1
    assert zk.ping().zxid == before + 1


UNKNOWN = [
    0,
    10,
    23,
    24,
    99,
    108,
    109,
    110,
    111,
    200,
    -1,
    -2,
    -3,
    -4,
    -5,
    -6,
    -7,
    -8,
    -9,
    -12,
    2**31 - 1,
    -(2**31),
]


@pytest.mark.parametrize("op", UNKNOWN)
def test_unknown_operation_is_answered_and_closes(zk, connect, op):
    reply = zk.call(op, b"", xid=41)
    assert (reply.xid, reply.zxid, reply.err, reply.body) == (41, -1, zkraw.UNIMPLEMENTED, b"")
    assert zk.closed_by_peer()
    assert connect(session_id=zk.session_id, password=zk.password).granted_ms > 0


@pytest.mark.since39("check outside multi is an unknown operation")
@pytest.mark.parametrize("path", ["/", "/none", ""])
def test_check_outside_multi_is_unknown(zk, path):
    reply = zk.check(path)
    assert (reply.zxid, reply.err) == (-1, zkraw.UNIMPLEMENTED)
    assert zk.closed_by_peer()


def test_error_replies_are_the_header_alone(zk):
    for reply in (
        zk.get("/none"),
        zk.create("/none/x"),
        zk.set("bad"),
        zk.get_acl("/none"),
        zk.remove_watches("/none", 3),
    ):
        assert reply.err < 0 and len(reply.frame) == 16


def test_reply_sizes(zk, base):
    assert len(zk.exists(base).body) == 68
    assert len(zk.set(base, b"abc").body) == 68
    assert len(zk.get(base).body) == 4 + 3 + 68
    assert zk.delete(base).body == b""
    assert zk.ping().body == b""
    assert zk.auth("digest", "a:b").body == b""
    assert zk.add_watch(base, 0).body == struct.pack(">i", 0)
    assert zk.remove_watches(base, 3).body == b""
    assert zk.set_watches(0).body == b""


def test_sasl_without_a_server_login_answers_a_null_token(zk):
    reply = zk.call(zkraw.SASL, text(b""))
    assert (reply.zxid, reply.err) == (0, 0)
    assert Reader(reply.body).bytes() is None
