"""Servers that log in among themselves (quorum.auth.*) by DIGEST-MD5: ours alone, beside Apache's, with TLS beneath;
wrong passwords; and the way there while clients work."""
import os
import shutil
import socket
import struct

import pytest
import zkraw
from ensemble import Ensemble, until
from server import ServerDied, use_apache
from test_ensemble_members import children_everywhere, fill
from test_ensemble_tls import START_S, Session, lives_through, needs_apache, read_to_end, sessions_work
from test_ensemble_tls import lines as tls_lines
from test_tls import Pki

pytestmark = [pytest.mark.skipif(use_apache(), reason="starts its own servers")]

JAAS_KEY = "java.security.auth.login.config"
MODULE = "org.apache.zookeeper.server.auth.DigestLoginModule"
MAGIC = struct.pack(">q", 0x5F2435013501EDCC)
ENABLED = ["quorum.auth.enableSasl=true"]
LOGS_IN = ENABLED + ["quorum.auth.learnerRequireSasl=true"]
REQUIRED = LOGS_IN + ["quorum.auth.serverRequireSasl=true", "quorum.cnxn.threads.size=20"]


def jaas(directory, name="jaas", user="zk", password="among us", known=None):
    """Path of a file by which a server logs in as user, and takes those that are known."""
    path = os.path.join(str(directory), name)
    known = {"zk": "among us"} if known is None else known
    users = " ".join('user_%s="%s"' % kv for kv in known.items())
    with open(path, "w") as f:
        f.write("QuorumServer {\n    %s required %s;\n};\n" % (MODULE, users))
        f.write('QuorumLearner {\n    %s required username="%s" password="%s";\n};\n' % (MODULE, user, password))
    return path


def ensemble(directory, kinds="zzz", extra=tuple(REQUIRED), path=None, **more):
    props = {JAAS_KEY: path or jaas(directory), **more.pop("props", {})}
    return Ensemble(directory, kinds, extra=extra, props=props, **more)


def test_three_that_log_in(tmp_path):
    with ensemble(tmp_path, "zzz", observers="z") as e:
        lives_through(e)
        assert not any("peer.auth" in m.log() and "password" in m.log() for m in e)
        assert set(e.stop().values()) == {0}


@pytest.mark.parametrize("kinds", [pytest.param(x, marks=needs_apache) for x in ("zza", "aaz", "zaz")])
def test_beside_apache(tmp_path, kinds):
    with ensemble(tmp_path, kinds, props={"zookeeper.snapCount": "200"}) as e:
        lives_through(e)


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
@pytest.mark.parametrize("kinds", ["zzz", pytest.param("zaz", marks=needs_apache)])
def test_over_tls(tmp_path, kinds):
    pki = Pki(tmp_path)
    with ensemble(tmp_path, kinds, extra=REQUIRED + tls_lines(pki)) as e:
        lives_through(e)


@pytest.mark.parametrize("kinds", ["zzz", pytest.param("zza", marks=needs_apache)])
def test_a_wrong_password_keeps_one_out(tmp_path, kinds):
    """Server 1 knows another password: both sides say so, the others go on, and everybody lives."""
    e = ensemble(tmp_path, kinds)
    e[1].props[JAAS_KEY] = jaas(tmp_path, "wrong", password="guess")
    with e:
        for m in (e[2], e[3]):
            m.wait_serving(START_S)
        lead = e.wait_leader(START_S)
        until(lambda: "peer.auth" in e[1].log() and "does not take our credentials" in e[1].log(), 60)
        until(lambda: "peer.auth" in e[2].log() + e[3].log(), 60)
        assert e[1].mode() == ""
        fill(lead, "/n", 20)
        assert all(m.running() for m in e)
        e[1].kill()
        e[1].props[JAAS_KEY] = e[2].props[JAAS_KEY]
        e[1].start(wait=False)
        e[1].wait_serving(START_S)
        assert children_everywhere(e, "/n") == {20}


@pytest.mark.parametrize("sid, says", [(1, "it has gone without logging in"), (3, "it does not log in")])
def test_one_that_does_not_log_in_is_kept_out(tmp_path, sid, says):
    """The smallest number only says its hello and goes; the largest one stays and votes."""
    e = ensemble(tmp_path)
    others = [m for m in e if m.sid != sid]
    e[sid].extra = [x for x in e[sid].extra if not x.startswith("quorum.auth")]
    with e:
        for m in others:
            m.wait_serving()
        until(lambda: any(says in m.log() for m in others), 60)
        assert e[sid].mode() == ""
        fill(e.wait_leader(), "/n", 20)


def test_a_server_that_proves_nothing_is_not_believed(tmp_path):
    """A stranger that takes the port of a member and says yes to any login gets no votes."""
    e = ensemble(tmp_path)
    with socket.socket() as door:
        door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        door.bind(("127.0.0.1", e[1].election_port))
        door.listen(8)
        e.start((e[2], e[3]))
        try:

            def says_yes():
                """False: whoever came has gone again before it asked."""
                s, _ = door.accept()
                with s:
                    s.settimeout(60)
                    got = b""
                    while MAGIC not in got:
                        piece = s.recv(4096)
                        if not piece:
                            return False
                        got += piece
                    s.sendall(MAGIC + zkraw.i32(1) + zkraw.i32(0))
                    read_to_end(s)
                return True

            door.settimeout(60)
            until(says_yes)
            until(lambda: "peer.auth" in e[2].log() + e[3].log())
            e.wait_serving()
        finally:
            e.close()


def test_strangers(tmp_path):
    """Half a login, a login of another kind, more rounds than there are: closed, and everybody else is served."""
    hello = b"\xff\xff\xff\xff\xff\xff\x00\x00" + zkraw.i64(1) + zkraw.i32(9) + b"a.b:12345"
    packet = MAGIC + zkraw.i32(0) + zkraw.i32(0)
    with ensemble(tmp_path) as e:
        lead = e.wait_serving()
        for port, first in ((e[2].election_port, hello), (lead.quorum_port, b"")):
            for then in (
                MAGIC + zkraw.i32(0) + zkraw.i32(1 << 30),
                MAGIC + zkraw.i32(7),
                packet * 8,
                packet + MAGIC + zkraw.i32(0) + zkraw.i32(5) + b"\0\0\0\0\0",
                b"\0" * 64,
            ):
                with socket.create_connection(("127.0.0.1", port), timeout=60) as s:
                    s.sendall(first + then)
                    read_to_end(s)
        sessions_work(e)
        assert e.leader() is lead
        assert set(e.stop().values()) == {0}


@pytest.mark.parametrize("kinds", ["zzz", pytest.param("zaz", marks=needs_apache)])
def test_the_way_there_under_a_session(tmp_path, kinds):
    """As Apache's guide has it: enabled everywhere, then everybody logs in, then everybody must."""
    with ensemble(tmp_path, kinds, extra=[]) as e:
        e.wait_serving(START_S)
        session = Session(e)
        for keys in (ENABLED, LOGS_IN, REQUIRED):
            for m in e:
                m.stop()
                m.extra = [x for x in m.extra if "quorum." not in x] + keys
                m.start(wait=False)
                m.wait_serving(START_S)
                session()
        e.wait_serving(START_S)
        e.check_same(["/"] + ["/n%d" % i for i in range(session.count)])


@pytest.mark.parametrize(
    "text, says",
    [
        (None, "java.security.auth.login.config"),
        ("Server { %s required user_a=\"b\"; };" % MODULE, "QuorumServer"),
        ("QuorumServer { %s required user_a=\"b\"; };" % MODULE, "QuorumLearner"),
        ("QuorumServer {", "line 1"),
    ],
)
def test_a_broken_configuration_stops_the_start(tmp_path, text, says):
    path = str(tmp_path / "jaas")
    if text is not None:
        with open(path, "w") as f:
            f.write(text)
    with pytest.raises(ServerDied, match=says):
        ensemble(tmp_path, path=path)[1].start()
