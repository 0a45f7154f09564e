"""snapshot and restore over HTTP: who may, how often, what comes, and what the server is afterwards."""
import gzip
import json
import os
import socket

import pytest

from http_tools import HttpServer
from server import server_command, use_apache
from zkraw import EPHEMERAL, SET_DATA, Client, digest_id, i32, text

pytestmark = pytest.mark.skipif(server_command() is None or use_apache(), reason="ours is not built")

IP = {"Authorization": "ip"}
EVERY_TIME = {"zookeeper.admin.rateLimiterIntervalInMS": "0"}
OCTETS = {"Content-Type": "application/octet-stream"}


def restore(srv, data, headers=IP):
    status, _, body = srv.http("/commands/restore", "POST", {**OCTETS, **headers}, data)
    return status, json.loads(body)


def snapshot(srv, headers=IP):
    status, got, body = srv.http("/commands/snapshot", headers=headers)
    assert status == 200 and got["Content-Type"] == "application/octet-stream"
    assert int(got["snapshot_size"]) == len(body)
    return got["last_zxid"], body


@pytest.fixture
def srv(tmp_path):
    with HttpServer(tmp_path / "s", props=EVERY_TIME) as srv:
        yield srv


# ---- who may ----


def protect(client, *acls):
    assert client.set_acl("/", list(acls)).err == 0


WORLD_READS = (1, "world", "anyone")


@pytest.mark.parametrize("command,method", [("snapshot", "GET"), ("snap", "GET"), ("restore", "POST"),
                                            ("rest", "POST")])
def test_authorization(srv, command, method):
    def ask(header):
        headers = {} if header is None else {"Authorization": header}
        status, _, body = srv.http("/commands/" + command, method, headers, b"" if method == "POST" else None)
        answer = json.loads(body)
        assert answer["command"] == command
        return status, answer["error"]

    with Client(srv.port) as client:
        protect(client, (31, "digest", digest_id("boss", "secret")), WORLD_READS)
    assert ask(None) == (401, "Auth info is missing for the command")
    for header in ("", "nobody x", "digest", "world anyone", "digest a b", "sasl x", "x509", "Basic Ym9zczpzZWNyZXQ="):
        assert ask(header)[0] == 401, header
    assert ask("nobody x")[1] == "Not authenticated"
    for header in ("digest boss:wrong", "ip", "ip x"):
        assert ask(header) == (403, "Not authorized"), header


def test_each_permission_counts(srv):
    """CVE-2025-58457: one permission of all five was enough."""
    mine = digest_id("boss", "secret")
    with Client(srv.port) as client:
        client.auth("digest", b"boss:secret")
        for perms in (1, 2, 15, 30, 29):
            protect(client, (perms, "digest", mine), (16, "world", "anyone"))
            expected = 200 if perms == 15 else 403
            assert srv.http("/commands/snapshot", headers={"Authorization": "digest boss:secret"})[0] == expected, perms
        protect(client, (31, "digest", mine))
    assert srv.http("/commands/snapshot", headers={"Authorization": "digest boss:secret"})[0] == 200


def test_super_may(tmp_path):
    props = {**EVERY_TIME, "zookeeper.DigestAuthenticationProvider.superDigest": digest_id("super", "pw")}
    with HttpServer(tmp_path, props=props) as srv:
        with Client(srv.port) as client:
            protect(client, (31, "digest", digest_id("somebody", "else")))
        assert srv.http("/commands/snapshot", headers={"Authorization": "digest super:pw"})[0] == 200
        assert srv.http("/commands/snapshot", headers={"Authorization": "digest super:no"})[0] == 403


def test_ip_is_the_peer(tmp_path):
    """CVE-2024-51504: a header is believed only if the configuration says so."""
    for believed in (False, True):
        props = {**EVERY_TIME, "zookeeper.IPAuthenticationProvider.usexforwardedfor": str(believed).lower()}
        with HttpServer(tmp_path / str(believed), props=props) as srv:
            with Client(srv.port) as client:
                protect(client, (31, "ip", "10.1.2.0/24"), WORLD_READS)
            for forwarded, status in (("10.1.2.3", 200), ("10.1.2.3, 10.9.9.9", 200), ("10.9.9.9, 10.1.2.3", 403),
                                      ("noise", 401)):
                headers = {**IP, "X-Forwarded-For": forwarded}
                got = srv.http("/commands/snapshot", headers=headers)[0]
                assert got == (status if believed else 403), forwarded


# ---- when ----


@pytest.mark.parametrize("props,snapshot_status,restore_status", [
    ({"zookeeper.admin.snapshot.enabled": "false"}, 503, 500),
    ({"zookeeper.admin.restore.enabled": "false"}, 200, 503),
    ({"zookeeper.serializeLastProcessedZxid.enabled": "false"}, 500, 500)])
def test_switches(tmp_path, props, snapshot_status, restore_status):
    with HttpServer(tmp_path, props={**EVERY_TIME, **props}) as srv:
        assert srv.http("/commands/snapshot", headers=IP)[0] == snapshot_status
        assert restore(srv, b"noise") == (restore_status, {"command": "restore", "error": None})


def test_rate_limit(tmp_path):
    """One in an interval; the one of snapshots is a thousandth of what is configured, as in Apache 3.9.5."""
    with HttpServer(tmp_path, props={"zookeeper.admin.rateLimiterIntervalInMS": "2000000000"}) as srv:
        assert [srv.http("/commands/snapshot", headers=IP)[0] for _ in range(3)] == [200, 429, 429]
        assert [restore(srv, b"noise")[0] for _ in range(3)] == [500, 429, 429]
        monitor = srv.ask("monitor")
        assert (monitor["snapshot_rate_limited_count"], monitor["restore_rate_limited_count"]) == (2, 2)
        assert (monitor["snapshot_error_count"], monitor["restore_error_count"]) == (0, 1)


def test_methods(srv):
    assert srv.http("/commands/restore", headers=IP)[0] == 405
    assert srv.http("/commands/snapshot", "POST", IP, b"")[0] == 405
    assert srv.http("/commands/nosuch", "POST", IP, b"")[0] == 200
    assert srv.http("/commands/restore", "PUT", IP, b"")[0] == 405


# ---- what ----


def test_snapshot_tells_without_streaming(srv):
    with Client(srv.port) as client:
        client.create("/x")
    status, headers, body = srv.http("/commands/snapshot?streaming=false", headers=IP)
    assert status == 200 and json.loads(body) == {"command": "snapshot", "error": None}
    assert int(headers["last_zxid"], 16) == srv.zxid()
    name = os.path.join(srv.data_dir, "version-2", "snapshot." + headers["last_zxid"][2:])
    assert os.path.getsize(name) == int(headers["snapshot_size"])
    last = srv.ask("last_snapshot")
    assert last["zxid"] == headers["last_zxid"][2:]
    assert last["timestamp"] >= int(os.path.getmtime(name))
    assert srv.ask("monitor")["cnt_snapshottime"] == 1


@pytest.mark.parametrize("codec", ["", "gz", "snappy"])
def test_there_and_back(tmp_path, codec):
    """What restore leaves is what snapshot took, for this process and for the next."""
    extra = ["snapshot.compression.method=" + codec] if codec else []
    with HttpServer(tmp_path / "s", props=EVERY_TIME, extra=extra) as srv:
        with Client(srv.port) as client:
            for i in range(50):
                client.create("/kept-%d" % i, b"x" * i)
        zxid, taken = snapshot(srv)
        with Client(srv.port) as client:
            client.set("/kept-7", b"changed")
            client.delete("/kept-8")
            client.create("/later")
            before = srv.zxid()
        assert restore(srv, taken) == (200, {"last_zxid": int(zxid, 16), "command": "restore", "error": None})
        for kill in (None, True, False):
            if kill is not None:
                srv.restart(kill=kill)
            with Client(srv.port) as client:
                assert sorted(client.ls("/").children) == sorted(["zookeeper"] + ["kept-%d" % i for i in range(50)])
                assert client.get("/kept-7").data == b"x" * 7
                assert client.set("/kept-9", b"%r" % kill).err == 0
            assert srv.zxid() > before  # clients that have seen later ones are welcome
        assert srv.ask("monitor")["restore_error_count"] == 0


def test_into_an_empty_server(srv, tmp_path):
    with Client(srv.port) as client:
        for i in range(300):
            client.create("/n%d" % i)
    zxid, taken = snapshot(srv)
    with HttpServer(tmp_path / "other", props=EVERY_TIME) as other:
        assert restore(other, taken)[0] == 200
        assert other.zxid() == int(zxid, 16)
        with Client(other.port) as client:
            assert client.create("/more").err == 0
        assert other.zxid() >= int(zxid, 16) + 2
        other.restart(kill=True)
        assert int(other.srvr()["Node count"]) == 300 + 5 + 1


def test_sessions_and_clients(srv):
    """Connections end; a session that the snapshot has lives on with its ephemerals, another one does not."""
    old = Client(srv.port)
    assert old.create("/mine", flags=EPHEMERAL).err == 0
    _, taken = snapshot(srv)
    new = Client(srv.port)
    assert restore(srv, taken)[0] == 200
    again = Client(srv.port, session_id=old.session_id, password=old.password)
    assert again.session_id == old.session_id and again.exists("/mine").err == 0
    refused = Client(srv.port, session_id=new.session_id, password=new.password)
    assert refused.session_id == 0
    for client in (old, new, again, refused):
        client.drop()


SPOILED = {
    "nothing": lambda b: b"",
    "noise": lambda b: b"noise",
    "without its end": lambda b: b[:-40],
    "half": lambda b: b[: len(b) // 2],
    "a bit": lambda b: b[:200] + bytes([b[200] ^ 1]) + b[201:],
    "half of a gzip file": lambda b: gzip.compress(b)[:-20],
    "called snappy": lambda b: b"\x82SNAPPY\0" + b,
    "0xff": lambda b: b"\xff" * 100000,
}


@pytest.mark.parametrize("spoil", SPOILED.values(), ids=SPOILED)
def test_what_is_no_snapshot_changes_nothing(srv, spoil):
    with Client(srv.port) as client:
        client.create("/there", b"data" * 100)
        _, taken = snapshot(srv)
        client.create("/later")
        assert restore(srv, spoil(taken)) == (500, {"command": "restore", "error": None})
        assert client.exists("/later").err == 0  # the connection has not noticed
    assert srv.ask("monitor")["restore_error_count"] == 1
    assert os.listdir(os.path.join(srv.data_dir, "restore")) == []
    assert restore(srv, taken)[0] == 200
    with Client(srv.port) as client:
        assert client.exists("/later").err == -101


def test_compressed_by_others(srv):
    with Client(srv.port) as client:
        client.create("/there")
    _, taken = snapshot(srv)
    assert restore(srv, gzip.compress(taken))[0] == 200


def test_upload_that_ends_early(srv):
    """The sender is gone, or never sends: nothing happens, and the next one is served."""
    _, taken = snapshot(srv)
    head = (b"POST /commands/restore HTTP/1.1\r\nHost: x\r\nAuthorization: ip\r\n"
            b"Content-Length: %d\r\n\r\n" % len(taken))
    for n in (0, 1, len(taken) - 1):
        with socket.create_connection(("127.0.0.1", srv.admin_port), timeout=60) as s:
            s.sendall(head + taken[:n])
            s.shutdown(socket.SHUT_WR)
            try:
                while s.recv(65536):
                    pass
            except ConnectionResetError:  # there was something that it did not read
                pass
    assert restore(srv, taken)[0] == 200
    srv.ask("ruok")  # answered when the one before is over
    assert os.listdir(os.path.join(srv.data_dir, "restore")) == []


def test_in_chunks(srv):
    _, taken = snapshot(srv)
    status, _, body = srv.http("/commands/restore", "POST", IP, iter([taken[:7], taken[7:100], taken[100:]]))
    assert status == 200, body


def test_under_load(srv):
    """Restores while clients write: each of them finds a server again, and what it wrote after the last one stays."""
    with Client(srv.port) as client:
        client.create("/w")
    _, taken = snapshot(srv)
    for i in range(10):
        client = Client(srv.port)
        for k in range(50):
            client.send(SET_DATA, text("/w") + text(b"%d" % k) + i32(-1))
        assert restore(srv, taken)[0] == 200
        client.drop()
        with Client(srv.port) as after:
            assert after.create("/w/after-%d" % i).err == 0
            assert [c for c in after.ls("/w").children if c.startswith("after")] == ["after-%d" % i]
    assert srv.stop() == 0


def test_stop_while_one_comes(srv):
    with socket.create_connection(("127.0.0.1", srv.admin_port), timeout=60) as s:
        s.sendall(b"POST /commands/restore HTTP/1.1\r\nHost: x\r\nAuthorization: ip\r\nContent-Length: 100\r\n\r\nabc")
        srv.ask("ruok")
        assert srv.stop() == 0
    srv.check_log()
