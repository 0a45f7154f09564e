"""Expiry, touching, closing, ephemerals, and what a slow or dead client leaves behind.

Sessions live for at least their time-out; how much longer is not asserted, only that they end.
"""
import os
import time

import pytest

import zkraw
from ensemble import tried, undisturbed
from zkraw import (
    CHILD,
    DELETED,
    EPHEMERAL,
    NO_NODE,
    Client,
    Closed,
    Connection,
    connect_request,
    i32,
    text,
)

# The shared server has tickTime 1000, so the shortest time-out is 2000.
SHORT_MS = 2000


def wait_gone(zk, path, seconds=60):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if zk.exists(path).err == NO_NODE:
            return True
        time.sleep(0.1)
    return False


def is_refused(srv, client):
    with Connection(srv.port) as conn:
        conn.send_frame(connect_request(session_id=client.session_id, password=client.password))
        return conn.recv_frame()[:16] == i32(0) + i32(0) + b"\0" * 8


def test_silent_session_expires(srv, zk, connect, base):
    for path in (base, base + "/e"):  # set before: the session does not wait for it
        assert zk.add_watch(path, 0).err == 0
    quiet = connect(timeout_ms=SHORT_MS)
    start = time.monotonic()
    assert quiet.create(base + "/e", flags=EPHEMERAL).err == 0
    came, gone = [(zkraw.CREATED, base + "/e"), (CHILD, base)], [(DELETED, base + "/e"), (CHILD, base)]
    assert zk.wait_events(4) == came + gone
    assert time.monotonic() - start >= SHORT_MS / 1000 - 0.01, "not before its time"
    assert quiet.closed_by_peer(), "the connection is closed without a message"
    assert is_refused(srv, quiet)


def test_dropped_connection_does_not_end_the_session(zk, connect, base):
    def lives_on():
        client = connect(timeout_ms=SHORT_MS)
        assert client.create(base + "/e", flags=EPHEMERAL).err == 0
        client.drop()
        assert zk.exists(base + "/e").err == 0
        again = connect(timeout_ms=30000, session_id=client.session_id, password=client.password)
        assert again.granted_ms > SHORT_MS
        return again

    again = tried(lives_on)
    time.sleep(2 * SHORT_MS / 1000 + 1.2)
    assert zk.exists(base + "/e").err == 0, "the new time-out counts"
    again.close()
    assert zk.exists(base + "/e").err == NO_NODE


def test_dropped_session_expires(srv, zk, connect, base):
    client = connect(timeout_ms=SHORT_MS)
    client.create(base + "/e", flags=EPHEMERAL)
    client.drop()
    assert wait_gone(zk, base + "/e")
    assert is_refused(srv, client)


def test_any_request_keeps_the_session(zk, connect, base):
    def keeps():
        clients = {}
        for what in ("ping", "read", "write", "failing write", "read of nothing", "nothing"):
            clients[what] = connect(timeout_ms=SHORT_MS)
            assert clients[what].create(base + "/" + what, flags=EPHEMERAL).err == 0
        end = time.monotonic() + 2 * SHORT_MS / 1000 + 1.2
        while time.monotonic() < end:
            clients["ping"].ping()
            clients["read"].exists("/")
            clients["write"].set(base, b"x")
            clients["failing write"].delete("/none")
            clients["read of nothing"].get("/none")
            time.sleep(SHORT_MS / 1000 / 8)
        assert zk.ls(base).children == sorted(set(clients) - {"nothing"})

    tried(keeps)


def test_auth_packets_do_not_keep_the_session(srv, zk, connect, base):
    client = connect(timeout_ms=SHORT_MS)
    client.create(base + "/e", flags=EPHEMERAL)
    deadline = time.monotonic() + 60
    gone = False
    while time.monotonic() < deadline and not gone:
        try:
            client.auth("digest", "a:b")
        except (Closed, OSError):
            gone = True
        time.sleep(0.1)
    assert gone and is_refused(srv, client)


def test_session_of_a_reconnect_lives_by_the_new_timeout(zk, connect, base):
    client = connect()  # for far longer than is waited below
    client.create(base + "/e", flags=EPHEMERAL)
    client.drop()
    again = connect(timeout_ms=SHORT_MS, session_id=client.session_id, password=client.password)
    assert again.granted_ms == SHORT_MS
    assert wait_gone(zk, base + "/e"), "long before the time-out that it had"


# -- closing ---------------------------------------------------------------------------------------


@undisturbed
def test_close_is_answered_then_the_connection_ends(srv, connect):
    client = connect()
    before = client.ping().zxid
    reply = client.call(zkraw.CLOSE_SESSION)
    assert (reply.err, reply.zxid, reply.body) == (0, before + 1, b"")
    assert client.closed_by_peer()
    assert is_refused(srv, client)


def test_requests_after_close_are_not_answered(connect, base, zk):
    client = connect()
    frames = b""
    for xid, op, body in (
        (1, zkraw.CLOSE_SESSION, b""),
        (2, zkraw.SET_DATA, text(base) + text("late") + i32(-1)),
        (3, zkraw.EXISTS, text("/") + b"\0"),
    ):
        payload = i32(xid) + i32(op) + body
        frames += i32(len(payload)) + payload
    client.send_bytes(frames)
    assert client.recv().xid == 1
    with pytest.raises(Closed):
        client.recv()
    assert zk.get(base).data == b""


def test_requests_before_close_are_answered(connect, base, zk):
    client = connect()
    client.send(zkraw.SET_DATA, text(base) + text("early") + i32(-1))
    client.send(zkraw.CLOSE_SESSION)
    assert [client.recv().err, client.recv().err] == [0, 0]
    assert zk.get(base).data == b"early"


def test_close_removes_ephemerals_in_one_transaction(connect, zk, base):
    client = connect()
    for name in ("a", "b", "c"):
        zk.create(base + "/" + name)
        client.create(base + "/" + name + "/e", flags=EPHEMERAL)
        client.create(base + "/" + name + "/s-", flags=3)
    zxid = client.close().zxid
    for name in ("a", "b", "c"):
        stat = zk.exists(base + "/" + name).stat
        assert (stat.children, stat.pzxid, stat.cversion) == (0, zxid, 4)


def test_close_of_an_unused_session(connect):
    assert connect().close().err == 0


# -- ephemerals ------------------------------------------------------------------------------------


def test_ephemerals_belong_to_the_session(zk, other, base):
    zk.create(base + "/e", b"1", flags=EPHEMERAL)
    assert other.exists(base + "/e").stat.owner == zk.session_id
    assert other.set(base + "/e", b"2").err == 0, "others may write"
    assert other.exists(base + "/e").stat.owner == zk.session_id
    assert other.delete(base + "/e").err == 0, "and delete"
    assert zk.ephemerals("/").children == []


def test_an_ephemeral_deleted_and_made_by_another_session_stays(connect, zk, base):
    first = connect()
    first.create(base + "/e", flags=EPHEMERAL)
    zk.delete(base + "/e")
    zk.create(base + "/e", flags=EPHEMERAL)
    first.close()
    assert zk.exists(base + "/e").stat.owner == zk.session_id


def test_an_ephemeral_replaced_by_a_persistent_node_stays(connect, zk, base):
    first = connect()
    first.create(base + "/e", flags=EPHEMERAL)
    zk.multi([zkraw.m_delete(base + "/e"), zkraw.m_create(base + "/e")])
    first.close()
    assert zk.exists(base + "/e").stat.owner == 0


def test_ephemerals_made_by_multi_end_too(connect, zk, base):
    client = connect()
    client.multi(
        [zkraw.m_create(base + "/m1", flags=EPHEMERAL), zkraw.m_create(base + "/m2", flags=3)]
    )
    client.multi([zkraw.m_create(base + "/never", flags=EPHEMERAL), zkraw.m_check("/none")])
    client.close()
    assert zk.ls(base).children == []


def test_ephemeral_deleted_in_flight_while_closing(connect, zk, base):
    """A delete queued right before the close of its owner must not be applied twice."""
    client = connect()
    client.create(base + "/e", flags=EPHEMERAL)
    client.send(zkraw.DELETE, text(base + "/e") + i32(-1))
    client.send(
        zkraw.CREATE, text(base + "/f") + text("") + zkraw.acls(zkraw.OPEN) + i32(EPHEMERAL)
    )
    client.send(zkraw.CLOSE_SESSION)
    assert [client.recv().err for _ in range(3)] == [0, 0, 0]
    stat = zk.exists(base).stat
    assert (stat.children, stat.cversion) == (0, 4)


def test_many_ephemerals(connect, zk, base):
    client = connect()
    for start in range(0, 2000, 500):
        client.multi(
            [
                zkraw.m_create(base + "/e%04d" % i, flags=EPHEMERAL)
                for i in range(start, start + 500)
            ]
        )
    assert len(client.ephemerals(base).children) == 2000
    client.close()
    assert zk.ls(base).children == []


def test_expired_while_the_server_was_down(own_server):
    """After a restart a session gets a whole time-out again, and then ends."""
    srv = own_server(tick_ms=500)

    def outlives():
        client = Client(srv.port, 1000)
        assert client.create("/e", flags=EPHEMERAL).err == 0
        client.drop()
        srv.kill()
        time.sleep(2)
        srv.start()
        zk = Client(srv.port)
        assert zk.exists("/e").err == 0
        return zk

    assert wait_gone(tried(outlives), "/e")


def test_closed_session_stays_closed_after_a_kill(own_server):
    srv = own_server()
    client = Client(srv.port)
    client.create("/e", flags=EPHEMERAL)
    client.close()
    srv.restart(kill=True)
    assert Client(srv.port).exists("/e").err == NO_NODE
    assert is_refused(srv, client)


def test_pipeline_is_answered_before_a_dropped_connection_is_forgotten(connect, zk, base):
    """Writes that reached the server are carried out although nobody waits for the replies."""
    client = connect()
    frames = b""
    for i in range(50):
        payload = (
            i32(i + 1)
            + i32(zkraw.CREATE)
            + text("%s/n%d" % (base, i))
            + text("")
            + zkraw.acls(zkraw.OPEN)
            + i32(0)
        )
        frames += i32(len(payload)) + payload
    client.send_bytes(frames)
    client.recv()
    zk.sync("/")
    deadline = time.monotonic() + 60
    while len(zk.ls(base).children) < 50 and time.monotonic() < deadline:
        time.sleep(0.02)
    assert len(zk.ls(base).children) == 50


@pytest.mark.ours("its ids begin with the clock alone")
def test_ids_rise_though_the_clock_was_set_back(own_server):
    """The files say that there was a later time: no id of that time may come again, also one that no log names."""
    srv = own_server()
    Client(srv.port).close()
    srv.kill()
    later = int(time.time()) + 86400
    directory = os.path.join(srv.data_dir, "version-2")
    for name in os.listdir(directory):
        os.utime(os.path.join(directory, name), (later, later))
    srv.start()
    client = Client(srv.port)
    assert (client.session_id >> 16 & 0xFFFFFFFFFF) >= (later * 1000) & 0xFFFFFFFFFF
    assert client.session_id >> 56 == 1
    assert "server.clock" in srv.log()
    client.close()
