"""Connection limits, frame sizes, and connections without a session."""
import pytest

import zkraw
from ensemble import until
from server import Server, free_port
from zkraw import Client, Closed, Connection, i32, text


def opened(srv, count):
    """Opens `count` connections; how many of them get a session."""
    clients, refused = [], 0
    for _ in range(count):
        try:
            clients.append(Client(srv.port))
        except (Closed, OSError):
            refused += 1
    return clients, refused


@pytest.mark.parametrize("key", ["maxClientCnxns", "maxCnxns"])
def test_connection_limit(own_server, key):
    srv = own_server(extra=["%s=3" % key])
    clients, refused = opened(srv, 5)
    assert (len(clients), refused) == (3, 2)
    assert all(c.exists("/").err == 0 for c in clients)
    clients[0].close()
    until(lambda: opened(srv, 1)[1] == 0)  # the server may see the end of the closed connection a moment later


def test_refused_connections_get_no_bytes(own_server):
    srv = own_server(extra=["maxClientCnxns=1"])
    first = Client(srv.port)
    try:
        with Connection(srv.port) as conn:
            assert conn.closed_by_peer()
    except ConnectionError:
        pass  # it may be closed before connect() returns
    assert first.ping().err == 0


def test_max_client_cnxns_of_0_is_no_limit(own_server):
    clients, refused = opened(own_server(extra=["maxClientCnxns=0"]), 70)
    assert refused == 0 and len(clients) == 70


def test_default_limit_of_connections_is_60(tmp_path):
    port = free_port()
    text = "tickTime=2000\ndataDir=%s\nclientPort=%d\n" % (tmp_path / "data", port)
    with Server(tmp_path, cfg_text=text, port=port, data_dir=tmp_path / "data") as srv:
        clients, refused = opened(srv, 65)
        assert (len(clients), refused) == (60, 5)


def test_jute_maxbuffer(own_server):
    srv = own_server(props={"jute.maxbuffer": "5000"})
    zk = Client(srv.port)
    zk.create("/n")
    overhead = 8 + 4 + 2 + 4 + 4
    assert zk.set("/n", b"x" * (5000 - overhead)).err == 0
    zk.send_frame(
        i32(1) + i32(zkraw.SET_DATA) + text("/n") + text(b"x" * (5001 - overhead)) + i32(-1)
    )
    assert zk.closed_by_peer()
    again = Client(srv.port, session_id=zk.session_id, password=zk.password)
    assert again.granted_ms > 0
    assert again.exists("/n").stat.length == 5000 - overhead


def test_replies_may_be_longer_than_jute_maxbuffer(own_server):
    zk = Client(own_server(props={"jute.maxbuffer": "5000"}).port)
    for start in range(0, 600, 60):
        zk.multi(
            [zkraw.m_create("/node-with-a-long-name-%05d" % i) for i in range(start, start + 60)]
        )
    reply = zk.ls("/")
    assert len(reply.children) == 601 and len(reply.frame) > 15000


def test_connect_frame_over_the_limit_closes(own_server):
    srv = own_server(props={"jute.maxbuffer": "1000"})
    with Connection(srv.port) as conn:
        conn.send_bytes(i32(1001))
        assert conn.closed_by_peer()


def test_connection_without_a_handshake_is_closed(own_server):
    srv = own_server(props={"zookeeper.nio.sessionlessCnxnTimeout": "1000"})
    with Connection(srv.port) as conn:
        assert conn.closed_by_peer()
    with Connection(srv.port) as conn:
        conn.send_bytes(i32(45) + b"\0" * 10)
        assert conn.closed_by_peer()


def test_a_reader_that_is_slow_gets_everything(zk, base):
    data = b"x" * 500000
    zk.set(base, data)
    for xid in range(1, 61):
        zk.send_frame(i32(xid) + i32(zkraw.GET_DATA) + text(base) + b"\0")
    for xid in range(1, 61):
        reply = zk.recv()
        assert reply.xid == xid and reply.body[4:-68] == data
    zk.set(base, b"")


@pytest.mark.parametrize(
    "props",
    [
        {"zookeeper.globalOutstandingLimit": "1"},
        {"zookeeper.globalOutstandingLimit": "20"},
        {"zookeeper.request_throttle_max_requests": "2"},
    ],
    ids=str,
)
def test_limits_of_requests_in_flight_only_slow_down(own_server, props):
    srv = own_server(props=props)
    clients = [Client(srv.port) for _ in range(4)]
    clients[0].create("/n")
    frames = b""
    for xid in range(1, 301):
        if xid % 2:
            payload = i32(xid) + i32(zkraw.SET_DATA) + text("/n") + text("%d" % xid) + i32(-1)
        else:
            payload = i32(xid) + i32(zkraw.GET_DATA) + text("/n") + b"\0"
        frames += i32(len(payload)) + payload
    for client in clients:
        client.send_bytes(frames)
    for client in clients:
        replies = [client.recv() for _ in range(300)]
        assert [r.xid for r in replies] == list(range(1, 301))
        assert all(r.err == 0 for r in replies)
    assert clients[0].exists("/n").stat.version == 4 * 150
