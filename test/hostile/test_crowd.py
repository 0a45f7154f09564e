"""Many connections, few descriptors, many watches."""
import resource
import socket
import time

import pytest

import zkraw
from hostile_tools import MB, is_calm, is_sanitized, rss_kb, still_serves
from server import LONGEST_MS, free_port
from zkraw import Client, Closed, Connection, connect_request, i32, text


@pytest.fixture(autouse=True)
def many_descriptors():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def open_sessions(port, count, timeout_ms=LONGEST_MS):
    """Opens sessions all at once: all connects first, then all answers."""
    conns = []
    for _ in range(count):
        conn = Connection(port, seconds=zkraw.SECONDS)
        conn.send_frame(connect_request(timeout_ms))
        conns.append(conn)
    for conn in conns:
        assert len(conn.recv_frame()) == 37
    return conns


def test_storm_of_new_sessions(own_server):
    srv = own_server()
    before = rss_kb(srv)
    conns = open_sessions(srv.port, 3000)
    if not is_sanitized(srv):
        assert rss_kb(srv) - before < 3000 * 4, "KB for 3,000 idle sessions"
    still_serves(srv)
    # All vanish at once and all come back.
    for conn in conns:
        conn.drop()
    conns = open_sessions(srv.port, 3000)
    still_serves(srv)
    for conn in conns:
        conn.drop()


def test_storm_of_connections_that_say_nothing(own_server):
    """They come and go as fast as one process can make them."""
    srv = own_server()
    before = rss_kb(srv)
    deadline, count = time.monotonic() + 2, 0
    while time.monotonic() < deadline or count < 500:
        conn = socket.create_connection(("127.0.0.1", srv.port), zkraw.SECONDS)
        conn.close()
        count += 1
    still_serves(srv)
    if not is_sanitized(srv):
        assert rss_kb(srv) - before < 8 * MB


@pytest.mark.parametrize("key,value", [("maxClientCnxns", 20), ("maxCnxns", 20)])
def test_connection_limits_under_a_storm(own_server, key, value):
    """The limit holds however hard it is run against, and those who are in do not notice."""
    srv = own_server(extra=["%s=%d" % (key, value)])
    first = [Client(srv.port, timeout_ms=LONGEST_MS) for _ in range(value)]
    for _ in range(500):
        try:
            with Connection(srv.port) as conn:
                conn.send_frame(connect_request())
                with pytest.raises(Closed):
                    conn.recv_frame()
        except ConnectionError:
            pass
    assert all(c.ping().err == 0 for c in first)
    first[0].close()
    deadline = time.monotonic() + zkraw.SECONDS
    while True:
        try:
            again = Client(srv.port)
            break
        except (Closed, ConnectionError):
            assert time.monotonic() < deadline
    assert again.exists("/").err == 0


@pytest.mark.parametrize("threads", [0, 4])
def test_no_descriptors_left_while_the_log_rolls(own_server, threads):
    """Descriptors of clients run out; log and snapshot files still get theirs; accepting pauses without spinning,
    and goes on when there is room."""
    srv = own_server(
        wrapper=["prlimit", "--nofile=128:128"],
        props={"zookeeper.snapCount": "20", "zookeeper.preAllocSize": "64", "zokor.net.threads": str(threads)},
    )
    writer = Client(srv.port, timeout_ms=LONGEST_MS)
    sockets = []
    for _ in range(300):
        s = socket.create_connection(("127.0.0.1", srv.port), zkraw.SECONDS)
        s.sendall(i32(45) + connect_request(LONGEST_MS))
        sockets.append(s)
    assert writer.create("/rolled").err == 0
    for n in range(400):
        assert writer.set("/rolled", b"%d" % n).err == 0
    assert is_calm(srv, 2, 0.7), "the loop spins while it cannot accept"
    assert "log.failed" not in srv.log() and "snapshot.write" not in srv.log(), srv.log()[-3000:]
    for s in sockets:
        s.close()
    still_serves(srv)
    assert writer.get("/rolled").data == b"399"
    srv.kill()
    srv.start()
    with Client(srv.port) as reader:
        assert reader.get("/rolled").data == b"399"


def test_descriptors_of_http_are_not_those_of_files(own_server):
    """Clients have all the slots they may have, and strangers all those of the admin port: a log file still opens."""
    port = free_port()
    srv = own_server(
        wrapper=["prlimit", "--nofile=400:400"],
        props={"zookeeper.preAllocSize": "64", "zookeeper.snapCount": "20"},
        extra=["admin.enableServer=true", "admin.serverAddress=127.0.0.1", "admin.serverPort=%d" % port],
    )
    writer = Client(srv.port, timeout_ms=LONGEST_MS)
    sockets = []
    for _ in range(500):
        s = socket.create_connection(("127.0.0.1", srv.port), zkraw.SECONDS)
        s.sendall(i32(45) + connect_request(LONGEST_MS))
        sockets.append(s)
    for _ in range(150):
        try:
            s = socket.create_connection(("127.0.0.1", port), zkraw.SECONDS)
            s.sendall(b"GET /commands/ruok HTTP/1.1\r\nHost: h\r\n")
            sockets.append(s)
        except OSError:
            pass
    assert writer.create("/rolled").err == 0
    for n in range(200):
        assert writer.set("/rolled", b"%d" % n).err == 0
    assert "log.failed" not in srv.log() and "snapshot.write" not in srv.log(), srv.log()[-3000:]
    for s in sockets:
        s.close()
    still_serves(srv)


def test_slots_held_by_silent_connections_go_to_clients(own_server):
    """All descriptors are held by connections that never speak: the oldest of them make room, long before the time that
    they have to speak is over."""
    props = {"zookeeper.nio.sessionlessCnxnTimeout": "600000"}
    srv = own_server(wrapper=["prlimit", "--nofile=128:128"], props=props)
    silent = [socket.create_connection(("127.0.0.1", srv.port), zkraw.SECONDS) for _ in range(200)]
    client = Client(srv.port)
    assert client.granted_ms > 0
    for s in silent:
        s.close()
    still_serves(srv)


def test_watch_flood(own_server):
    """100,000 watches of one session on missing nodes, and 200 sessions that watch one node."""
    srv = own_server()
    before = rss_kb(srv)
    client = Client(srv.port, timeout_ms=LONGEST_MS, seconds=zkraw.SECONDS)
    for start in range(0, 100000, 500):
        client.send_bytes(
            b"".join(
                i32(8 + 4 + 10 + 1) + i32(n + 1) + i32(zkraw.EXISTS) + text("/w%08d" % n) + b"\1"
                for n in range(start, start + 500)
            )
        )
        for _ in range(500):
            assert client.recv().err == zkraw.NO_NODE
    if not is_sanitized(srv):
        assert rss_kb(srv) - before < 100000 * 0.4 + 8 * MB, "KB for 100,000 watches"
    crowd = [Client(srv.port, timeout_ms=LONGEST_MS) for _ in range(200)]
    for c in crowd:
        assert c.exists("/fan", watch=True).err == zkraw.NO_NODE
    writer = Client(srv.port)
    assert writer.create("/fan").err == 0
    for c in crowd:
        assert c.wait_events(1) == [(zkraw.CREATED, "/fan")]
    client.drop()
    still_serves(srv)


def test_children_bomb(own_server):
    """A list of children far above jute.maxbuffer is sent whole, as the reference does."""
    srv = own_server()
    client = Client(srv.port, timeout_ms=LONGEST_MS, seconds=zkraw.SECONDS)
    assert client.create("/many").err == 0
    name = "c" * 200
    count = 20000
    for start in range(0, count, 200):
        for n in range(start, start + 200):
            body = text("/many/%s%06d" % (name, n)) + text(b"") + zkraw.acls(zkraw.OPEN) + i32(0)
            client.send(zkraw.CREATE, body)
        for _ in range(200):
            assert client.recv().err == 0
    assert len(client.ls("/many").children) == count
    still_serves(srv)


def test_mass_expiry(own_server):
    """500 sessions with 4 ephemeral nodes each end in one tick; others are served meanwhile, none ends early."""
    srv = own_server(tick_ms=500)
    keeper = Client(srv.port, timeout_ms=LONGEST_MS)
    assert keeper.create("/e").err == 0
    assert keeper.create("/keeper", flags=zkraw.EPHEMERAL).err == 0
    dying = [Client(srv.port, timeout_ms=2000) for _ in range(500)]
    for n, c in enumerate(dying):
        try:
            for k in range(4):
                c.send(zkraw.CREATE, text("/e/%d-%d" % (n, k)) + text(b"") + zkraw.acls(zkraw.OPEN) + i32(1))
            for _ in range(4):
                c.recv()
        except (Closed, OSError):
            pass  # on a slow machine the first ones end before the last have begun
    for c in dying:
        c.drop()
    deadline = time.monotonic() + zkraw.SECONDS
    while keeper.ls("/e").children and time.monotonic() < deadline:
        assert keeper.set("/e", b"x").err == 0
        time.sleep(0.02)
    assert keeper.ls("/e").children == []
    assert keeper.exists("/keeper").err == 0
    still_serves(srv)


def test_outstanding_requests_are_bounded_by_not_reading(own_server):
    """globalOutstandingLimit: thousands of pipelined writes wait in the sockets, none is lost or reordered."""
    srv = own_server(extra=["globalOutstandingLimit=10"])
    before = rss_kb(srv)
    clients = [Client(srv.port, timeout_ms=LONGEST_MS, seconds=60) for _ in range(20)]
    for n, c in enumerate(clients):
        assert c.create("/o%d" % n).err == 0
    for _ in range(5):
        for n, c in enumerate(clients):
            for k in range(40):
                c.send(zkraw.SET_DATA, text("/o%d" % n) + text(b"v" * 1000) + i32(-1))
        for c in clients:
            first = c.xid - 39
            assert [c.recv().xid for _ in range(40)] == list(range(first, first + 40))
    for n, c in enumerate(clients):
        assert c.get("/o%d" % n).stat.version == 200
    if not is_sanitized(srv):
        assert rss_kb(srv) - before < 32 * MB
    still_serves(srv)


def test_wrong_digests(own_server):
    """2,000 guesses of the super user's password: none opens anything, and a connection cannot gather ids for ever."""
    srv = own_server(
        props={"zookeeper.DigestAuthenticationProvider.superDigest": zkraw.digest_id("super", "right")}
    )
    client = Client(srv.port)
    assert client.create("/locked", acl=[(31, "digest", zkraw.digest_id("a", "b"))]).err == 0
    before = rss_kb(srv)
    for n in range(2000):
        try:
            client.call(zkraw.AUTH, i32(0) + text("digest") + text(b"super:wrong%d" % n), xid=-4)
            if n % 50 == 0:
                assert client.get("/locked").err == zkraw.NO_AUTH
        except (Closed, ConnectionError):
            client = Client(srv.port)
    if not is_sanitized(srv):
        assert rss_kb(srv) - before < 16 * MB
    still_serves(srv)


def test_guessed_session_ids(own_server):
    srv = own_server()
    victim = Client(srv.port, timeout_ms=LONGEST_MS)
    for n in range(300):
        with Connection(srv.port) as conn:
            conn.send_frame(
                connect_request(10000, session_id=victim.session_id + n % 3, password=b"%016d" % n)
            )
            frame = conn.recv_frame()
            assert zkraw.Reader(frame, 4).int() == 0, "let in with a guessed password"
    assert victim.ping().err == 0 and victim.exists("/").err == 0
