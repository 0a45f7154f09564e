"""HTTP commands of servers in an ensemble: ours and, where Java is there, one of Apache's among them."""
import http.client
import json
import re

import pytest

import zkraw
from http_tools import shape
from ensemble import Ensemble, has_apache, until
from server import free_port, server_command, use_apache

pytestmark = pytest.mark.skipif(server_command() is None or use_apache(), reason="ours is not built")


def ask(member, name, method="GET", headers=None, body=None):
    conn = http.client.HTTPConnection("127.0.0.1", member.admin_port, timeout=60)
    try:
        conn.request(method, "/commands/" + name, body=body, headers=headers or {})
        reply = conn.getresponse()
        data = reply.read()
        return json.loads(data) if method == "GET" and not headers else (reply.status, data)
    finally:
        conn.close()


def make(directory, voters, **options):
    ports = {sid: free_port() for sid in range(1, 6)}
    lines = {sid: ["admin.enableServer=true", "admin.serverAddress=127.0.0.1", "admin.serverPort=%d" % port]
             for sid, port in ports.items()}
    e = Ensemble(directory, voters, lines_of=lines, **options)
    for m in e:
        m.admin_port = ports[m.sid]
    return e


@pytest.fixture(scope="module")
def mixed(tmp_path_factory):
    """Two of ours and one of Apache's, or three of ours."""
    with make(tmp_path_factory.mktemp("e"), "zza" if has_apache() else "zzz", observers="z") as e:
        e.wait_serving()
        with e[1].raw() as client:
            assert client.create("/n", b"x").err == 0
            client.close()

        def same_zxid():  # Apache's server is woken if it sleeps through the last commit
            if len({m.srvr()["Zxid"] for m in e}) == 1:
                return True
            for m in e:
                if m.port in zkraw.SLEEPY:
                    zkraw.nudge(m.port)
            return False

        until(same_zxid, pause=1)
        yield e


def test_leader(mixed):
    lead = mixed.leader()
    for m in mixed:
        assert ask(m, "leader") == {"is_leader": m is lead, "leader_id": lead.sid, "leader_ip": "127.0.0.1",
                                    "command": "leader", "error": None}


def test_voting_view(mixed):
    for m in mixed:
        config = ask(m, "voting_view")["current_config"]
        expected = {}
        for v in mixed:
            if not v.observer:  # each knows its own port for clients alone
                expected[str(v.sid)] = {
                    "server_addresses": ["127.0.0.1:%d" % v.quorum_port],
                    "election_addresses": ["127.0.0.1:%d" % v.election_port],
                    "client_address": "127.0.0.1:%d" % v.port if v is m else "",
                    "learner_type": "participant",
                }
        assert config == expected


def test_zabstate(mixed):
    answers = [ask(m, "zabstate") for m in mixed]
    assert len({json.dumps(shape(a)) for a in answers}) == 1
    for m, a in zip(mixed, answers):
        assert a["myid"] == m.sid and a["voting"] == (not m.observer) and a["zabstate"] == "broadcast"
        assert a["quorum_address"]["one"] == "127.0.0.1:%d" % m.quorum_port
        assert a["election_address"]["one"] == "127.0.0.1:%d" % m.election_port
        assert a["last_zxid"] == m.srvr()["Zxid"]
        assert a["zab_epoch"] == int(a["last_zxid"], 16) >> 32 and a["zab_counter"] > 0


def test_figures(mixed):
    for m in mixed:
        monitor, stats = ask(m, "monitor"), ask(m, "server_stats")
        assert monitor["server_state"] == stats["server_stats"]["server_state"] == m.mode()
        assert re.match("(lead|follow|observ)ing - broadcast$", monitor["peer_state"])
        assert monitor["quorum_size"] == 3
        assert ("proposal_stats" in stats) == ("synced_followers" in monitor) == (m is mixed.leader())
        assert ask(m, "configuration")["server_id"] == m.sid
        assert not ask(m, "is_read_only")["read_only"]
    assert ask(mixed.leader(), "observers")["synced_observers"] == 1


def test_snapshot_of_each(mixed):
    for m in mixed:
        if m.kind == "z":
            status, data = ask(m, "snapshot", headers={"Authorization": "ip"})
            assert status == 200 and data[:4] == b"ZKSN"


def test_no_restore(mixed):
    """It would make this member differ from the others."""
    _, taken = ask(mixed[1], "snapshot?streaming=true", headers={"Authorization": "ip"})
    for m in mixed:
        if m.kind == "z":
            assert ask(m, "restore", "POST", {"Authorization": "ip"}, b"")[0] == 500
            assert ask(m, "restore", "POST", {"Authorization": "ip"}, taken)[0] == 500
            assert ask(m, "restore", "POST", {}, b"")[0] == 401
            assert "member of an ensemble" in m.log()
        with m.raw() as client:
            assert client.get("/n").data == b"x"
            client.close()


def test_alone_it_does_not_serve(tmp_path):
    with make(tmp_path, "zzz") as e:
        e.wait_serving()
        e[1].stop()
        e[2].stop()
        until(lambda: ask(e[3], "ruok")["error"] is not None)
        for name in ("ruok", "leader", "cons", "stats"):
            assert ask(e[3], name)["error"] == "This ZooKeeper instance is not currently serving requests"
        assert ask(e[3], "zabstate") == {"voting": False, "zabstate": "", "command": "zabstate", "error": None}
        assert ask(e[3], "envi")["error"] is None
        assert ask(e[3], "snapshot", headers={"Authorization": "ip"})[0] == 200  # the answer that nobody is served
