"""Clients that read too slowly, write too slowly, say nothing, or vanish."""
import select
import socket
import time

import zkraw
from ensemble import tried
from hostile_tools import MB, is_calm, is_sanitized, rss_kb, still_serves
from server import LONGEST_MS
from zkraw import Client, Connection, connect_request, i32, text

OUT_HARD = 16 * MB  # LIMIT_OUT_HARD_BYTES of src/server/limits.h, in KB


def small_window(client):
    """The kernel between us and the server holds little, so that what is unread stays with the server."""
    client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)


def test_reader_of_nothing_is_bounded_and_served_in_full_when_it_reads(own_server):
    """10,000 reads of 1 MB each are asked for: 10 GB. The server stops reading that socket instead."""
    srv = own_server()
    client = Client(srv.port, timeout_ms=LONGEST_MS)
    blob = b"b" * 1000000
    assert client.create("/blob", blob).err == 0
    before = rss_kb(srv)
    small_window(client)
    request = b"".join(
        i32(8 + len(text("/blob")) + 1) + i32(n + 10) + i32(zkraw.GET_DATA) + text("/blob") + b"\0"
        for n in range(10000)
    )
    client.sock.setblocking(False)
    sent, deadline = 0, time.monotonic() + 3
    while sent < len(request) and time.monotonic() < deadline:
        try:
            sent += client.sock.send(request[sent:])
        except BlockingIOError:
            time.sleep(0.05)
    still_serves(srv)
    if not is_sanitized(srv):
        assert rss_kb(srv, "VmHWM") - before < 40 * MB
    # It was only slow: once it reads, it gets what it asked for, in order.
    client.sock.setblocking(True)
    client.sock.settimeout(zkraw.SECONDS)
    for n in range(50):
        reply = client.recv()
        assert reply.xid == n + 10 and len(reply.body) == 4 + len(blob) + 68
    client.drop()
    still_serves(srv)


def test_many_readers_of_nothing(own_server):
    """100 such readers at once: memory is bounded for each, others do not notice."""
    srv = own_server()
    writer = Client(srv.port)
    assert writer.create("/blob", b"b" * 1000000).err == 0
    before = rss_kb(srv)
    request = b"".join(
        i32(8 + len(text("/blob")) + 1) + i32(n + 1) + i32(zkraw.GET_DATA) + text("/blob") + b"\0" for n in range(40)
    )
    clients = [Client(srv.port, timeout_ms=LONGEST_MS) for _ in range(30)]
    for client in clients:
        small_window(client)
        client.sock.sendall(request)
    for _ in range(20):
        assert writer.get("/").err == 0
    if not is_sanitized(srv):
        assert rss_kb(srv) - before < 30 * 8 * MB
    for client in clients:
        client.drop()
    still_serves(srv)
    writer.ping()


def test_watch_events_for_a_reader_of_nothing_end_its_connection(own_server):
    """Events are not asked for one by one, so not reading requests does not stop them: over the hard limit the
    connection ends, the session does not."""
    srv = own_server(tick_ms=2000)
    sleeper = Client(srv.port, timeout_ms=LONGEST_MS)
    name = "n" * 60000
    assert sleeper.create("/" + name).err == 0
    for _ in range(1):
        sleeper.call(zkraw.ADD_WATCH, text("/") + i32(1))
    small_window(sleeper)
    before = rss_kb(srv)
    writer = Client(srv.port)
    # Many in flight share a sync: the sleeper's session must outlive this on a slow disk, too.
    limit = time.monotonic() + 60
    while "client.slow" not in srv.log() and time.monotonic() < limit:
        for _ in range(50):
            writer.send(zkraw.SET_DATA, text("/" + name) + text(b"") + i32(-1))
        for _ in range(50):
            assert writer.recv().err == 0
    assert "client.slow" in srv.log()
    if not is_sanitized(srv):
        assert rss_kb(srv) - before < 3 * OUT_HARD
    back = Client(srv.port, session_id=sleeper.session_id, password=sleeper.password)
    assert back.granted_ms > 0
    still_serves(srv)


def test_slowloris(own_server):
    """Connections that send a byte now and then have handshake time in all, not per byte; honest clients get in."""
    srv = own_server(props={"zookeeper.nio.sessionlessCnxnTimeout": "1500"}, tick_ms=1000)
    frame = i32(45) + connect_request()
    conns = [Connection(srv.port) for _ in range(300)]
    began = time.monotonic()
    at, open_ = 0, list(conns)
    while open_ and time.monotonic() - began < zkraw.SECONDS:
        for conn in list(open_):
            try:
                conn.send_bytes(frame[at : at + 1])
            except ConnectionError:
                open_.remove(conn)
        at = min(at + 1, 40)
        readable = select.select([c.sock for c in open_], [], [], 0)[0] if open_ else []
        open_ = [c for c in open_ if c.sock not in readable]
        still_serves(srv)
        time.sleep(0.2)
    assert not open_, "%d slow connections are still open" % len(open_)
    assert srv.four_letter("ruok") == b"imok"


def test_silent_connections_are_closed(own_server):
    srv = own_server(props={"zookeeper.nio.sessionlessCnxnTimeout": "1000"}, tick_ms=1000)
    conns = [Connection(srv.port) for _ in range(100)]
    for conn in conns:
        assert conn.closed_by_peer()
    still_serves(srv)


def test_vanished_client_leaves_by_its_timeout(own_server):
    """A cable is pulled: no FIN ever comes. The session ends by its timeout, its ephemeral node with it."""
    srv = own_server(tick_ms=500)

    def made():
        client = Client(srv.port, timeout_ms=1000)
        assert client.create("/gone", flags=zkraw.EPHEMERAL).err == 0
        return client

    client = tried(made)
    other = Client(srv.port, timeout_ms=LONGEST_MS)
    deadline = time.monotonic() + zkraw.SECONDS
    while other.exists("/gone").err == 0 and time.monotonic() < deadline:
        time.sleep(0.1)
    assert other.exists("/gone").err == zkraw.NO_NODE
    assert client.closed_by_peer()


def test_resets(own_server):
    """Connections torn down with RST in every stage."""
    srv = own_server()
    before = rss_kb(srv)
    for n in range(600):
        conn = Connection(srv.port)
        if n % 3:
            conn.send_frame(connect_request(4000))
        if n % 3 == 2:
            conn.recv_frame()
            conn.send_bytes((i32(14) + i32(1) + i32(zkraw.EXISTS) + text("/") + b"\0") * 50)
        conn.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        conn.drop()
    still_serves(srv)
    if not is_sanitized(srv):
        assert rss_kb(srv) - before < 16 * MB


def test_a_stopped_reader_costs_no_cpu(own_server):
    """Neither a full socket, nor a paused one, nor a half-closed one makes the loop spin."""
    srv = own_server()
    client = Client(srv.port, timeout_ms=LONGEST_MS)
    assert client.create("/blob", b"b" * 1000000).err == 0
    small_window(client)
    request = i32(8 + len(text("/blob")) + 1) + i32(1) + i32(zkraw.GET_DATA) + text("/blob") + b"\0"
    client.sock.settimeout(1)
    try:
        client.sock.sendall(request * 20000)
    except socket.timeout:
        pass
    half = Connection(srv.port)
    half.send_bytes(b"ruo")
    half.sock.shutdown(socket.SHUT_WR)
    time.sleep(0.5)
    assert is_calm(srv, 3, 1.0)
    still_serves(srv)


def test_words_for_a_slow_reader(own_server):
    """An answer is made as it is taken; the client that takes nothing is closed by the handshake time."""
    srv = own_server(props={"zookeeper.nio.sessionlessCnxnTimeout": "1500"}, tick_ms=1000)
    watcher = Client(srv.port)
    for n in range(3000):
        watcher.send(zkraw.EXISTS, text("/watched-node-number-%06d" % n) + b"\1")
        if n % 100 == 99:
            for _ in range(100):
                watcher.recv()
    before = rss_kb(srv)
    conns = []
    for _ in range(50):
        conn = Connection(srv.port)
        conn.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        conn.send_bytes(b"wchp")
        conns.append(conn)
    still_serves(srv)
    if not is_sanitized(srv):
        assert rss_kb(srv) - before < 24 * MB
    for conn in conns:
        conn.drop()
    still_serves(srv)
