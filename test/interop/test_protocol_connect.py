"""The handshake: time-outs, ids, passwords, reconnects, old clients."""
import struct

import pytest

import zkraw
from ensemble import undisturbed
from zkraw import Client, Closed, Connection, Reader, connect_request, i32, i64, text

REFUSED = struct.pack(">iiqi", 0, 0, 0, 16) + b"\0" * 16


@pytest.fixture(scope="module")
def tick2000(tmp_path_factory):
    with zkraw_server(tmp_path_factory) as srv:
        yield srv


def zkraw_server(factory):
    from server import Server

    return Server(factory.mktemp("connect"), tick_ms=2000)


@pytest.mark.parametrize(
    "asked, granted",
    [
        (-(2**31), 4000),
        (-5, 4000),
        (0, 4000),
        (1, 4000),
        (3999, 4000),
        (4000, 4000),
        (4001, 4001),
        (39999, 39999),
        (40000, 40000),
        (40001, 40000),
        (10**9, 40000),
        (2**31 - 1, 40000),
    ],
)
def test_timeout_is_clamped_to_2_and_20_ticks(tick2000, asked, granted):
    with Client(tick2000.port, asked) as client:
        assert client.granted_ms == granted


def test_session_timeout_keys(own_server):
    srv = own_server(extra=["minSessionTimeout=1234", "maxSessionTimeout=5678"])
    for asked, granted in ((1, 1234), (2000, 2000), (60000, 5678)):
        with Client(srv.port, asked) as client:
            assert client.granted_ms == granted


def test_new_session_answer(zk):
    assert len(zk.connect_frame) == 37
    assert zk.protocol == 0
    assert zk.connect_frame[-1] == 0
    assert len(zk.password) == 16


def test_session_id_and_password_are_as_javas(zk, other):
    assert (zk.session_id >> 56) & 0xFF == 1
    assert other.session_id != zk.session_id
    assert zk.password == zkraw.session_password(zk.session_id)
    assert other.password == zkraw.session_password(other.session_id)


def test_password_generator_matches_captured_values():
    assert zkraw.session_password(0x0100000A65870000).hex() == "2b40ecc0dc2577a481928f69858f4f72"
    assert zkraw.session_password(0x01000018E32F0000).hex() == "a383eefcf4afab7cb9ee1fca5d2341d6"


def test_session_ids_count_up(srv):
    clients = [Client(srv.port) for _ in range(4)]
    ids = [c.session_id for c in clients]
    assert ids == sorted(set(ids))
    for client in clients:
        client.close()


def test_session_ids_do_not_repeat_after_a_restart(own_server):
    srv = own_server()
    before = [Client(srv.port).session_id for _ in range(3)]
    srv.restart()
    after = [Client(srv.port).session_id for _ in range(3)]
    assert not set(before) & set(after)
    assert min(after) > max(before)


def test_old_client_gets_no_read_only_byte(connect):
    client = connect(read_only=None)
    assert len(client.connect_frame) == 36
    assert client.exists("/").err == 0


@pytest.mark.parametrize("read_only", [True, False])
def test_read_only_wish_is_answered_with_false(connect, read_only):
    client = connect(read_only=read_only)
    assert len(client.connect_frame) == 37 and client.connect_frame[-1] == 0


@pytest.mark.parametrize("protocol", [0, 1, 77, -1])
def test_protocol_version_is_not_looked_at(connect, protocol):
    client = connect(protocol=protocol)
    assert client.granted_ms > 0 and client.protocol == 0


@pytest.mark.parametrize("password", [None, b"", b"abc", b"\7" * 16, b"x" * 20])
def test_password_of_a_new_session_is_not_looked_at(connect, password):
    client = connect(password=password)
    assert client.granted_ms > 0 and client.password == zkraw.session_password(client.session_id)


def test_bytes_after_the_connect_request_are_ignored(srv):
    with Connection(srv.port) as conn:
        conn.send_frame(connect_request() + b"trailing bytes")
        assert len(conn.recv_frame()) == 37


@undisturbed
def test_creating_a_session_takes_one_zxid(zk, connect):
    before = zk.ping().zxid
    client = connect()
    assert zk.ping().zxid == before + 1
    client.close()
    assert zk.ping().zxid == before + 2


# -- last zxid seen --------------------------------------------------------------------------------


def test_last_zxid_ahead_closes_without_an_answer(srv, zk):
    ahead = zk.ping().zxid + 1000
    for session in ({}, {"session_id": zk.session_id, "password": zk.password}):
        with pytest.raises(Closed):
            Client(srv.port, last_zxid=ahead, **session)
    assert zk.ping().err == 0, "the live connection of that session stays"


def test_last_zxid_equal_is_fine(srv, zk, connect):
    assert connect(last_zxid=zk.ping().zxid).granted_ms > 0


@undisturbed
def test_last_zxid_ahead_is_refused_before_the_session_is_made(srv, zk):
    before = zk.ping().zxid
    with pytest.raises(Closed):
        Client(srv.port, last_zxid=2**62)
    assert zk.ping().zxid == before


# -- reconnecting ----------------------------------------------------------------------------------


@undisturbed
def test_reconnect_after_the_connection_is_gone(connect, base):
    zk = connect()
    path = "%s/%x" % (base, zk.session_id)
    assert zk.create(path, flags=zkraw.EPHEMERAL).err == 0
    before = zk.ping().zxid
    zk.drop()
    again = connect(session_id=zk.session_id, password=zk.password, last_zxid=before)
    assert (again.session_id, again.password) == (zk.session_id, zk.password)
    assert again.ping().zxid == before, "a reconnect is no transaction"
    assert again.exists(path).stat.owner == zk.session_id


def test_reconnect_closes_the_live_connection(zk, connect):
    again = connect(session_id=zk.session_id, password=zk.password)
    assert again.granted_ms > 0
    assert zk.closed_by_peer()
    assert again.exists("/").err == 0


def test_reconnect_negotiates_the_timeout_again(zk, connect):
    zk.drop()
    again = connect(timeout_ms=5000, session_id=zk.session_id, password=zk.password)
    assert again.granted_ms == 5000


def test_reconnect_of_an_old_client_is_36_bytes(zk, connect):
    zk.drop()
    again = connect(session_id=zk.session_id, password=zk.password, read_only=None)
    assert again.session_id == zk.session_id and len(again.connect_frame) == 36


def refused(srv, read_only=False, **session):
    with Connection(srv.port) as conn:
        conn.send_frame(connect_request(read_only=read_only, **session))
        frame = conn.recv_frame()
        assert frame == REFUSED + (b"" if read_only is None else b"\0")
        assert conn.closed_by_peer()
    return True


@pytest.mark.parametrize("read_only", [False, None])
def test_unknown_session_is_refused(srv, read_only):
    unknown = 0x0100000000001234
    assert refused(srv, read_only, session_id=unknown, password=zkraw.session_password(unknown))


@pytest.mark.parametrize("password", [b"\0" * 16, b"\1" * 16, b"", None, b"short", b"x" * 17])
def test_wrong_password_is_refused(srv, zk, connect, password):
    zk.drop()
    assert refused(srv, session_id=zk.session_id, password=password)
    assert (
        connect(session_id=zk.session_id, password=zk.password).granted_ms > 0
    ), "the session itself survives"


def test_closed_session_is_refused(srv, connect):
    client = connect()
    client.close()
    assert refused(srv, session_id=client.session_id, password=client.password)


def test_negative_session_id_is_refused(srv):
    assert refused(srv, session_id=-5, password=zkraw.session_password(-5))


@pytest.mark.ours("a reconnect with a wrong password closes the live connection of the session")
def test_wrong_password_does_not_touch_the_live_connection(srv, zk):
    assert refused(srv, session_id=zk.session_id, password=b"\1" * 16)
    assert zk.exists("/").err == 0
    assert zk.ping().err == 0


@pytest.mark.ours("the reference closes the live connection first")
def test_last_zxid_ahead_with_a_wrong_password_touches_nothing(srv, zk):
    with pytest.raises(Closed):
        Client(srv.port, session_id=zk.session_id, password=b"\1" * 16, last_zxid=2**60)
    assert zk.ping().err == 0


def test_watches_and_ids_belong_to_the_connection(zk, connect, base, other):
    zk.auth("digest", "who:am")
    zk.get(base, watch=True)
    zk.drop()
    again = connect(session_id=zk.session_id, password=zk.password)
    assert again.who_am_i().value == [("ip", "127.0.0.1")]
    other.set(base, b"new")
    assert again.take_events() == []


def test_sessions_outlive_a_restart(own_server):
    srv = own_server()
    client = Client(srv.port, 20000)
    client.create("/e", flags=zkraw.EPHEMERAL)
    client.drop()
    srv.restart()
    again = Client(srv.port, session_id=client.session_id, password=client.password)
    assert again.granted_ms > 0
    assert again.exists("/e").stat.owner == client.session_id
    again.close()
    assert Client(srv.port).exists("/e").err == zkraw.NO_NODE


def test_handshake_frame_may_be_pipelined_with_auth_and_watches(srv):
    """What a reconnecting Java client sends: handshake, auth, setWatches, then its queue."""
    frames = b""
    for payload in (
        connect_request(),
        i32(-4) + i32(zkraw.AUTH) + i32(0) + text("digest") + text("a:b"),
        i32(-8) + i32(zkraw.SET_WATCHES) + i64(0) + i32(0) * 3,
        i32(1) + i32(zkraw.WHO_AM_I),
    ):
        frames += i32(len(payload)) + payload
    with Connection(srv.port) as conn:
        conn.send_bytes(frames)
        assert len(conn.recv_frame()) == 37
        replies = {}
        for _ in range(3):
            reply = zkraw.Reply(conn.recv_frame())
            replies[reply.xid] = reply
        assert set(replies) == {-4, -8, 1} and all(r.err == 0 for r in replies.values())
        r = Reader(replies[1].body)
        assert sorted(r.vector(lambda: (r.text(), r.text()))) == [
            ("digest", "a"),
            ("ip", "127.0.0.1"),
        ]
