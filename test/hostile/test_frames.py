"""Frames that no honest client sends: lengths, truncation, mutations, nesting, opcodes out of place."""
import json
import os
import random
import re
import socket
import struct

import pytest

import zkraw
from ensemble import tried
from hostile_tools import HERE, MB, is_sanitized, rss_kb, still_serves
from zkraw import Client, Closed, Connection, acls, connect_request, i32, i64, text, vector

MAX = 1048575  # jute.maxbuffer

# What a client may send, as (name, opcode, body).
REQUESTS = [
    ("create", zkraw.CREATE, text("/f") + text(b"d") + acls(zkraw.OPEN) + i32(0)),
    ("create2", zkraw.CREATE2, text("/f") + text(b"d") + acls(zkraw.OPEN) + i32(2)),
    ("container", zkraw.CREATE_CONTAINER, text("/f") + text(b"d") + acls(zkraw.OPEN) + i32(4)),
    ("ttl", zkraw.CREATE_TTL, text("/f") + text(b"d") + acls(zkraw.OPEN) + i32(5) + i64(1000)),
    ("delete", zkraw.DELETE, text("/f") + i32(-1)),
    ("exists", zkraw.EXISTS, text("/f") + b"\1"),
    ("getData", zkraw.GET_DATA, text("/f") + b"\1"),
    ("setData", zkraw.SET_DATA, text("/f") + text(b"e") + i32(-1)),
    ("getACL", zkraw.GET_ACL, text("/f")),
    ("setACL", zkraw.SET_ACL, text("/f") + acls(zkraw.OPEN) + i32(-1)),
    ("getChildren", zkraw.GET_CHILDREN, text("/") + b"\1"),
    ("getChildren2", zkraw.GET_CHILDREN2, text("/") + b"\1"),
    ("sync", zkraw.SYNC, text("/")),
    ("reconfig", zkraw.RECONFIG, text("a") + text("b") + text("c") + i64(-1)),
    ("checkWatches", zkraw.CHECK_WATCHES, text("/f") + i32(3)),
    ("removeWatches", zkraw.REMOVE_WATCHES, text("/f") + i32(3)),
    ("setWatches", zkraw.SET_WATCHES, i64(0) + vector(["/f"]) + vector(["/g"]) + vector(["/"])),
    ("setWatches2", zkraw.SET_WATCHES2,
     i64(0) + vector(["/f"]) + vector([]) + vector([]) + vector(["/f"]) + vector(["/"])),
    ("addWatch", zkraw.ADD_WATCH, text("/f") + i32(1)),
    ("getEphemerals", zkraw.GET_EPHEMERALS, text("/")),
    ("allChildrenNumber", zkraw.ALL_CHILDREN_NUMBER, text("/")),
    ("auth", zkraw.AUTH, i32(0) + text("digest") + text(b"u:p")),
    ("whoAmI", zkraw.WHO_AM_I, b""),
    ("multi", zkraw.MULTI,
     i32(zkraw.CREATE) + b"\0" + i32(-1) + text("/m") + text(b"") + acls(zkraw.OPEN) + i32(0)
     + i32(zkraw.DELETE) + b"\0" + i32(-1) + text("/m") + i32(-1) + i32(-1) + b"\1" + i32(-1)),
    ("multiRead", zkraw.MULTI_READ,
     i32(zkraw.GET_DATA) + b"\0" + i32(-1) + text("/") + b"\0" + i32(-1) + b"\1" + i32(-1)),
]


def swallow(conn, seconds=0.0):
    """Reads what is there; True when the server has closed."""
    conn.sock.settimeout(seconds or 0.0001)
    try:
        while True:
            if conn.sock.recv(1 << 16) == b"":
                return True
    except (BlockingIOError, socket.timeout):
        return False
    except ConnectionError:
        return True


@pytest.mark.parametrize("length", [0, -1, 0x7FFFFFFF, -0x80000000, MAX + 1])
@pytest.mark.parametrize("after_handshake", [False, True])
def test_bad_length_closes_at_once_and_unanswered(watched, length, after_handshake):
    conn = Client(watched.srv.port) if after_handshake else Connection(watched.srv.port)
    conn.send_bytes(i32(length))
    assert conn.closed_by_peer()


def test_frame_of_exactly_the_limit_is_waited_for_and_served(watched):
    client = Client(watched.srv.port)
    path = text("/max")
    data = b"z" * (MAX - 8 - len(path) - 4 - len(acls(zkraw.OPEN)) - 4)
    frame = i32(1) + i32(zkraw.CREATE) + path + text(data) + acls(zkraw.OPEN) + i32(0)
    assert len(frame) == MAX
    client.send_frame(frame)
    assert client.recv().err == 0
    client.xid = 1
    assert client.get("/max").data == data
    assert client.delete("/max").err == 0


def test_a_promised_length_costs_nothing_until_it_comes(srv):
    """900 connections promise 1 MB each and send 100 bytes: the buffers hold what came."""
    before = rss_kb(srv)
    conns = [Connection(srv.port) for _ in range(900)]
    for conn in conns:
        conn.send_bytes(i32(MAX) + b"q" * 100)
    still_serves(srv)
    if not is_sanitized(srv):
        assert rss_kb(srv) - before < 8 * MB
    for conn in conns:
        conn.drop()
    still_serves(srv)


@pytest.mark.parametrize("name,op,body", REQUESTS, ids=[r[0] for r in REQUESTS])
def test_stream_cut_at_every_byte(watched, name, op, body):
    """The peer dies in the middle of a frame."""
    frame = i32(8 + len(body)) + i32(1) + i32(op) + body
    for end in range(1, len(frame)):
        client = Client(watched.srv.port, timeout_ms=1000)
        client.send_bytes(frame[:end])
        client.drop()


def test_connect_request_cut_at_every_byte(watched):
    frame = i32(45) + connect_request()
    assert len(frame) == 49
    for end in range(1, len(frame)):
        with Connection(watched.srv.port) as conn:
            conn.send_bytes(frame[:end])
    for size in range(0, 28):  # whole frames that are too short for a ConnectRequest
        with Connection(watched.srv.port) as conn:
            conn.send_frame(connect_request()[:size])
            assert conn.closed_by_peer(), "a ConnectRequest of %d bytes" % size


@pytest.mark.parametrize("seed", range(6))
def test_mutated_frames(watched, seed):
    """Golden frames with bytes flipped, cut, doubled, and lengths replaced: an answer or a close."""
    rng = random.Random(seed)
    with open(os.path.join(HERE, "..", "golden", "gold39.json")) as f:
        frames = [bytes.fromhex(v[1])[4:] for v in json.load(f) if not v[0].startswith("connect")]
    nasty = [0, 1, 0x7F, 0x80, 0xFF]
    client = Client(watched.srv.port, timeout_ms=2000)
    for _ in range(1500):
        frame = bytearray(rng.choice(frames))
        for _ in range(rng.randrange(1, 4)):
            how, at = rng.randrange(4), rng.randrange(len(frame))
            if how == 0:
                frame[at] = rng.choice(nasty)
            elif how == 1:
                frame[at : at + 4] = i32(rng.choice([-1, 0, -2, 2**31 - 1, -(2**31), len(frame), 65536]))
            elif how == 2:
                del frame[at:]
                frame += b"\0"
            else:
                frame[at:at] = frame[at : at + rng.randrange(1, 9)]
        try:
            client.send_frame(bytes(frame))
            closed = swallow(client)
        except ConnectionError:
            closed = True
        if closed:
            client.drop()
            client = Client(watched.srv.port, timeout_ms=2000)
    client.drop()


@pytest.mark.parametrize("seed", range(3))
def test_garbage_bytes(watched, seed):
    rng = random.Random(seed)
    for _ in range(300):
        with Connection(watched.srv.port) as conn:
            try:
                if rng.random() < 0.5:
                    conn.send_frame(connect_request(2000))
                conn.send_bytes(rng.randbytes(rng.randrange(1, 3000)))
                swallow(conn)
            except ConnectionError:
                pass


STRANGE = {0, 10, 13, 20, 23, 99, 102, 108, 1000, -1, -10, -11, 2**31 - 1, -(2**31)}
OPCODES = sorted(set(r[1] for r in REQUESTS) | STRANGE)


@pytest.mark.parametrize("op", OPCODES)
def test_every_opcode_before_the_handshake(watched, op):
    """The first frame is read as a ConnectRequest whatever it was meant to be; nobody gets in by an operation."""
    bodies = [r[2] for r in REQUESTS if r[1] == op] or [b""]
    with Connection(watched.srv.port) as conn:
        conn.send_frame(i32(1) + i32(op) + bodies[0])
        conn.sock.settimeout(1)
        try:
            data = conn.sock.recv(65536)
        except (ConnectionError, socket.timeout):
            data = b""
        # Either nothing (closed, or a session asked for that does not exist) or a ConnectResponse.
        assert len(data) in (0, 40, 41), data


@pytest.mark.parametrize("op", OPCODES)
@pytest.mark.parametrize("xid", [1, 0, -1, -2, -4, -8])
def test_every_opcode_with_an_empty_body(watched, op, xid):
    client = Client(watched.srv.port, timeout_ms=2000)
    client.send(op, b"", xid=xid)
    client.sock.settimeout(zkraw.SECONDS)
    try:
        reply = zkraw.Reply(client.recv_frame())
        assert reply.xid == (-2 if op == zkraw.PING else xid)
    except Closed:
        pass
    client.drop()


@pytest.mark.parametrize("name,op,body", REQUESTS, ids=[r[0] for r in REQUESTS])
def test_every_request_behind_closeSession_is_not_served(watched, name, op, body):
    client = Client(watched.srv.port)
    client.send_bytes(
        i32(8) + i32(1) + i32(zkraw.CLOSE_SESSION) + i32(8 + len(body)) + i32(2) + i32(op) + body
    )
    assert client.recv().xid == 1
    with pytest.raises(Closed):
        client.recv()


def test_connect_request_in_the_middle_of_a_session(watched):
    """It is a request with xid 0 and opcode 0 then: unknown, so it is answered -6 and the connection closes."""
    client = Client(watched.srv.port)
    client.send_frame(connect_request())
    reply = client.recv()
    assert reply.err == zkraw.UNIMPLEMENTED
    assert client.closed_by_peer()


def test_two_connect_requests_at_once(watched):
    with Connection(watched.srv.port) as conn:
        conn.send_bytes((i32(45) + connect_request()) * 2)
        assert len(conn.recv_frame()) == 37
        assert zkraw.Reply(conn.recv_frame()).err == zkraw.UNIMPLEMENTED
        assert conn.closed_by_peer()


def sub(op, body):
    return i32(op) + b"\0" + i32(-1) + body


END = i32(-1) + b"\1" + i32(-1)


def test_multi_as_large_as_a_frame(watched):
    client = Client(watched.srv.port)
    path = "/multi-%x" % client.session_id
    assert client.create(path).err == 0
    op = sub(zkraw.CHECK, text(path) + i32(0))
    count = (MAX - 8 - len(END)) // len(op)
    assert count > 20000
    for _ in range(3):
        assert client.call(zkraw.MULTI, op * count + END).err in (0, zkraw.MARSHALLING)
    client.delete(path)


def test_multi_of_100000_headers(watched):
    """Sub-operations that cannot be read further, or that are nonsense: few errors, not memory."""
    client = Client(watched.srv.port)
    reply = client.call(zkraw.MULTI, sub(zkraw.DELETE, b"") * 100000 + END)
    assert reply.err == zkraw.MARSHALLING or len(reply.body) < 100


@pytest.mark.parametrize(
    "body",
    [
        b"",
        i32(zkraw.CREATE),
        sub(zkraw.CREATE, b""),
        sub(zkraw.MULTI, sub(zkraw.DELETE, text("/x") + i32(-1)) + END) + END,
        sub(zkraw.MULTI_READ, END) + END,
        sub(zkraw.DELETE, text("/x") + i32(-1)),
        sub(999, text("/x")) + END,
        sub(-1, b"") + END,
        sub(zkraw.GET_DATA, text("/x") + b"\0") + END,
        sub(zkraw.CLOSE_SESSION, b"") + END,
    ],
    ids=["empty", "no-header", "no-body", "nested", "nested-read", "no-end", "unknown", "minus-1", "read", "close"],
)
@pytest.mark.parametrize("op", [zkraw.MULTI, zkraw.MULTI_READ])
def test_malformed_multi(watched, op, body):
    def takes_one_zxid_at_most():  # sessions of the tests before end by and by, and take others
        client = Client(watched.srv.port)
        before = watched.srv.zxid()
        client.send(op, body)
        try:
            reply = client.recv()
            assert reply.err in (zkraw.MARSHALLING, zkraw.UNIMPLEMENTED, 0) or reply.body
        except Closed:
            pass
        client.drop()
        assert watched.srv.zxid() - before <= 1

    tried(takes_one_zxid_at_most)
    still_serves(watched.srv)


BOMBS = {
    "vector of 2^31-1": (zkraw.SET_WATCHES, i64(0) + i32(2**31 - 1) + b"\0" * 5),
    "acl of 2^31-1": (zkraw.CREATE, text("/b") + text(b"") + i32(2**31 - 1)),
    "acl of 2^30": (zkraw.SET_ACL, text("/b") + i32(2**30) + b"\0" * 12),
    "string beyond the end": (zkraw.GET_DATA, i32(1 << 20) + b"/"),
    "string of 2^31-1": (zkraw.GET_DATA, i32(2**31 - 1) + b"/"),
    "string of -2": (zkraw.GET_DATA, i32(-2) + b"/"),
    "data of 2^31-1": (zkraw.SET_DATA, text("/b") + i32(2**31 - 1)),
    "many empty acls": (
        zkraw.CREATE,
        text("/b") + text(b"") + i32(80000) + (i32(0) + i32(0) + i32(0)) * 80000 + i32(0),
    ),
    "many watches": (zkraw.SET_WATCHES, i64(0) + i32(200000) + i32(0) * 200000 + i32(0) + i32(0)),
}


@pytest.mark.parametrize("name", sorted(BOMBS))
def test_jute_bomb(watched, name):
    op, body = BOMBS[name]
    client = Client(watched.srv.port)
    for _ in range(5):
        client.send(op, body)
        assert client.recv().err != -1
    client.drop()


PATHS = [
    b"", b"a", b"//", b"/a/", b"/a//b", b"/..", b"/.", b"/a/../b", b"/\0", b"/a\0b", b"/\x01", b"/\x1f", b"/\x7f",
    b"/\xff\xfe", b"/\xed\xa0\x80", b"/\xc0\x80", b"/\xef\xbf\xbf", b"/" + b"x" * 1000000, b"/x" * 100000,
    b"/" * 100000, b"/zookeeper/x/y",
]


@pytest.mark.parametrize("index", range(len(PATHS)))
def test_paths(watched, index):
    path = PATHS[index]
    client = Client(watched.srv.port)
    for op, rest in [
        (zkraw.CREATE, text(b"") + acls(zkraw.OPEN) + i32(0)),
        (zkraw.SET_DATA, text(b"") + i32(-1)),
        (zkraw.DELETE, i32(-1)),
        (zkraw.EXISTS, b"\0"),
        (zkraw.GET_CHILDREN, b"\0"),
        (zkraw.GET_ACL, b""),
    ]:
        reply = client.call(op, text(path) + rest)
        assert reply.err < 0 or path in (b"/" + b"x" * 1000000, b""), (op, reply)
    client.delete(path)
    client.drop()


def test_a_path_of_strangers_cannot_forge_log_lines(own_server):
    """Newlines and escape sequences in whatever gets logged come out as \\xNN."""
    srv = own_server(props={"zookeeper.superUser": None}, env={"ZOKOR_LOG_LEVEL": "trace"})
    evil = "x\n2026-01-01T00:00:00.000Z ERROR forged.line\x1b[31m\r"
    client = Client(srv.port)
    client.create("/" + evil)
    client.call(zkraw.AUTH, i32(0) + text(evil) + text(evil.encode()), xid=-4)
    client = Client(srv.port)
    client.call(zkraw.SET_ACL, text("/") + acls([(31, evil, evil)]) + i32(-1))
    client.call(zkraw.AUTH, i32(0) + text("digest") + text(evil.encode()), xid=-4)
    with Connection(srv.port) as conn:
        conn.send_bytes(b"\n\x1b[31mforged.line\n")
        conn.closed_by_peer(2)
    still_serves(srv)
    with open(srv.log_path, "rb") as f:
        log = f.read()
    assert not re.search(rb"^2026-01-01", log, re.M)
    assert b"\x1b[31m" not in log and b"\r" not in log


def test_frames_in_single_bytes_from_many_at_once(watched):
    """Requests of 30 connections arrive a byte at a time, interleaved."""
    clients = [Client(watched.srv.port) for _ in range(30)]
    frame = i32(8 + 4 + 1 + 1) + i32(7) + i32(zkraw.EXISTS) + text("/") + b"\0"
    for i in range(len(frame)):
        for client in clients:
            client.send_bytes(frame[i : i + 1])
    for client in clients:
        assert client.recv().xid == 7
        client.drop()


def test_large_frames_in_pieces_with_small_ones_around(watched):
    client = Client(watched.srv.port)
    assert client.create("/pieces").err == 0
    small = i32(8) + i32(-2) + i32(zkraw.PING)
    rng = random.Random(5)
    for round_ in range(4):
        body = text("/pieces") + text(bytes([65 + round_]) * rng.randrange(60000, 1000000)) + i32(-1)
        big = i32(8 + len(body)) + i32(100 + round_) + i32(zkraw.SET_DATA) + body
        stream = small * 3 + big + small * 5
        at = 0
        while at < len(stream):
            n = rng.choice([1, 3, 100, 4096, 65536, 70000, 200000])
            client.send_bytes(stream[at : at + n])
            at += n
        replies = [client.recv() for _ in range(9)]
        assert sorted(r.xid for r in replies) == [-2] * 8 + [100 + round_]
        assert all(r.err == 0 for r in replies)
    assert client.get("/pieces").data[:1] == b"D"
    client.delete("/pieces")
