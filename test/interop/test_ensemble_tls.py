"""TLS between the servers of an ensemble: ours alone, and beside Apache's; certificates that are refused; and the way
from plain to TLS while clients work. Certificates are made by the openssl command."""
import shutil
import socket
import ssl
import subprocess

import pytest
import zkraw
from ensemble import Ensemble, has_apache, until
from server import ServerDied, server_command, use_apache
from test_ensemble_members import children_everywhere, fill
from test_tls import Pki

pytestmark = [
    pytest.mark.skipif(use_apache(), reason="starts its own servers"),
    pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed"),
]
needs_apache = [
    pytest.mark.java,
    pytest.mark.skipif(not has_apache(), reason="needs java and Debian's zookeeper"),
]
START_S = 120
PASSWORD = "between servers"


@pytest.fixture(scope="module")
def pki(tmp_path_factory):
    pki = Pki(tmp_path_factory.mktemp("pki"))
    pki.make("nameless", "/CN=member", "DNS:elsewhere.example,IP:192.0.2.1")
    pki.openssl("pkcs12", "-export", "-in", "server.pem", "-name", "server", "-passout", "pass:" + PASSWORD,
                "-out", "server.p12")  # fmt: skip
    return pki


def lines(pki, name="server", ca="ca", **keys):
    """Lines of zoo.cfg; keys with dots written as __; None takes one away."""
    out = {
        "sslQuorum": "true",
        "ssl.quorum.keyStore.location": pki.path(name + ".pem"),
        "ssl.quorum.trustStore.location": pki.path(ca + ".pem"),
    }
    out.update((key.replace("__", "."), value) for key, value in keys.items())
    return ["%s=%s" % kv for kv in out.items() if kv[1] is not None]


def read_to_end(s):
    """Until the other side closes; with what it has not read that is a reset."""
    try:
        while s.recv(4096):
            pass
    except ConnectionResetError:
        pass


def sessions_work(e):
    for m in e.running():
        with m.raw() as c:
            path = "/by%d" % m.sid
            assert c.create(path, b"x" * 1000).err in (0, zkraw.NODE_EXISTS)
            assert c.create(path + "/e", flags=zkraw.EPHEMERAL).err == 0
            assert c.sync("/").err == 0
            c.close()


def lives_through(e, behind=None):
    """Sessions everywhere, one server (a follower if none is named) far behind, another leader."""
    lead = e.wait_serving(START_S)
    sessions_work(e)
    if behind is None or behind is lead:  # who leads after a second round of election is chance
        behind = e.followers()[0]
    behind.kill()
    fill(lead, "/late", 1500, size=1000)
    behind.start(wait=False)
    behind.wait_serving(START_S)
    assert children_everywhere(e, "/late") == {1500}
    lead.kill()
    fill(e.wait_serving(START_S), "/after", 30)
    lead.start(wait=False)
    lead.wait_serving(START_S)
    assert children_everywhere(e, "/after") == {30}
    e.check_same(["/", "/late", "/after"])


def hello_of(port):
    """The certificate that is shown there."""
    context = ssl._create_unverified_context()
    with socket.create_connection(("127.0.0.1", port), timeout=60) as s, context.wrap_socket(s) as t:
        return t.getpeercert(binary_form=True)


# ---- ours alone ---------------------------------------------------------------------------------


def test_three_on_tls(tmp_path, pki):
    """And what --check says of their configuration."""
    with Ensemble(tmp_path, "zzz", observers="z", extra=lines(pki)) as e:
        lead = e.wait_serving()
        sessions_work(e)
        fill(lead, "/many", 2000, size=500)
        assert children_everywhere(e, "/many") == {2000}
        told = [x for m in e for x in m.log().splitlines() if "peer.tls" in x]
        assert not [x for x in told if "took too long" not in x]  # on a machine that stands still
        done = subprocess.run(server_command() + ["server", "--check", e[1].cfg], capture_output=True, text=True)
        assert done.returncode == 0 and "quorum.tls certificate=" in done.stderr, done
        for m in e:
            assert hello_of(m.election_port)
        assert hello_of(lead.quorum_port)
        lead.kill()
        fill(e.wait_serving(), "/after", 50)
        lead.start(wait=False)
        lead.wait_serving()
        assert children_everywhere(e, "/after") == {50}
        e.check_same(["/", "/many", "/after"])
        assert set(e.stop().values()) == {0}


def test_far_behind_gets_an_image(tmp_path, pki):
    """A snapshot of many megabytes through TLS, which must not be held in memory at once."""
    with Ensemble(tmp_path, "zzz", extra=lines(pki), props={"zookeeper.snapCount": "200"}) as e:
        lead = e.wait_serving()
        behind = e.followers()[0]
        behind.kill()
        fill(lead, "/large", 1500, size=20000)
        behind.start(wait=False)
        behind.wait_serving()
        assert children_everywhere(e, "/large") == {1500}
        e.check_same(["/large"])


@pytest.mark.parametrize("version", ["TLSv1.2", "TLSv1.3"])
def test_key_stores_and_versions(tmp_path, pki, version):
    """PKCS#12 with its password in a file, and one version alone."""
    with open(pki.path("password"), "w") as f:
        f.write(PASSWORD + "\n")
    keys = {
        "ssl__quorum__keyStore__location": pki.path("server.p12"),
        "ssl__quorum__keyStore__passwordPath": pki.path("password"),
        "ssl__quorum__keyStore__type": "PKCS12",
        "ssl__quorum__enabledProtocols": version,
    }
    with Ensemble(tmp_path, "zzz", extra=lines(pki, **keys)) as e:
        e.wait_serving()
        sessions_work(e)
        e.check_same(["/"])


def test_a_renewed_certificate_is_used(tmp_path, pki):
    pki.make("renewed", "/O=Zokor/CN=localhost", "DNS:localhost,IP:127.0.0.1")
    with Ensemble(tmp_path, "zzz", extra=lines(pki, "renewed", sslQuorumReloadCertFiles="true")) as e:
        e.wait_serving()
        before = hello_of(e[1].election_port)
        pki.make("renewed", "/O=Zokor/CN=localhost", "DNS:localhost,IP:127.0.0.1")
        until(lambda: hello_of(e[1].election_port) != before)
        e.leader().kill()
        e.wait_serving()
        sessions_work(e)


# ---- those who are refused ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "name, says",
    [
        ("stranger", "trust"),
        ("expired", "expired"),
        ("nameless", "name"),
    ],
)
def test_a_wrong_certificate_keeps_one_out(tmp_path, pki, name, says):
    """The other two go on, each side says why, and everybody lives."""
    e = Ensemble(tmp_path, "zzz", lines_of={1: lines(pki, name), 2: lines(pki), 3: lines(pki)})
    with e:
        for m in (e[2], e[3]):
            m.wait_serving()
        lead = e.wait_leader()
        assert lead in (e[2], e[3])
        until(lambda: "peer.tls" in lead.log() and says in lead.log(), 60)
        until(lambda: "peer.tls" in e[1].log(), 60)
        assert e[1].mode() == ""
        fill(lead, "/n", 20)
        assert all(m.running() for m in e)


@pytest.mark.parametrize("kinds", [pytest.param(x, marks=needs_apache) for x in ("azz", "zaa")])
def test_a_wrong_certificate_beside_apache(tmp_path, pki, kinds):
    """Apache's server has it and is kept out by ours, and the other way round."""
    with Ensemble(tmp_path, kinds, lines_of={1: lines(pki, "stranger"), 2: lines(pki), 3: lines(pki)}) as e:
        for m in (e[2], e[3]):
            m.wait_serving(START_S)
        ours = e[1] if kinds[0] == "z" else e[2]
        until(lambda: "peer.tls" in ours.log() and "reason=" in ours.log(), 60)
        assert e[1].mode() == ""
        fill(e.wait_leader(START_S), "/n", 20)
        assert all(m.running() for m in e)


def test_a_revoked_certificate_keeps_one_out(tmp_path, pki):
    pki.make("revoked", "/CN=member", "DNS:localhost,IP:127.0.0.1")
    with open(pki.path("ca.cnf"), "w") as f:
        f.write("[ca]\ndefault_ca=d\n[d]\ndatabase=index\ndefault_md=sha256\ndefault_crl_days=3\n")
    open(pki.path("index"), "w").close()
    config = ["-config", "ca.cnf", "-cert", "ca.pem", "-keyfile", "ca.key"]
    pki.openssl("ca", *config, "-revoke", "revoked.crt")
    pki.openssl("ca", *config, "-gencrl", "-out", "ca.crl")
    with open(pki.path("trust.pem"), "w") as out:
        for name in ("ca.pem", "ca.crl"):
            with open(pki.path(name)) as f:
                out.write(f.read())
    looks = {"ca": "trust", "ssl__quorum__crl": "true"}
    lines_of = {1: lines(pki, "revoked", **looks), 2: lines(pki, **looks), 3: lines(pki, **looks)}
    with Ensemble(tmp_path, "zzz", lines_of=lines_of) as e:
        for m in (e[2], e[3]):
            m.wait_serving()
        until(lambda: "revoked" in e[2].log().split("peer.tls", 1)[-1] + e[3].log().split("peer.tls", 1)[-1], 60)
        assert e[1].mode() == ""


def test_names_may_be_left_unchecked(tmp_path, pki):
    keys = lines(pki, "nameless", ssl__quorum__hostnameVerification="false")
    with Ensemble(tmp_path, "zzz", extra=keys) as e:
        e.wait_serving()
        sessions_work(e)


def test_strangers_on_the_ports(tmp_path, pki):
    """Plain bytes, silence, and half a handshake on TLS ports: closed, told once in a while, and nothing else stops."""
    keys = lines(pki, ssl__quorum__handshakeDetectionTimeoutMillis="500")
    with Ensemble(tmp_path, "zzz", extra=keys) as e:
        lead = e.wait_serving()
        for port in (e[1].election_port, lead.quorum_port):
            with socket.create_connection(("127.0.0.1", port), timeout=60) as s:
                s.sendall(b"\xff\xff\xff\xff\xff\xff\x00\x00" + b"\0" * 8 + zkraw.i32(9) + b"a.b:12345")
                read_to_end(s)
            for first in (b"", b"\x16\x03\x01\x02\x00\x01"):
                with socket.create_connection(("127.0.0.1", port), timeout=60) as s:
                    s.sendall(first)
                    read_to_end(s)
        until(lambda: "peer.tls" in e[1].log())
        sessions_work(e)
        assert e.leader() is lead
        assert set(e.stop().values()) == {0}


def test_a_crowd_does_not_keep_members_out(tmp_path, pki):
    """Hundreds of connections that begin a handshake and go no further: the oldest of them make room."""
    with Ensemble(tmp_path, "zzz", extra=lines(pki)) as e:
        lead = e.wait_serving()
        crowd = []

        def come(port):
            try:
                s = socket.create_connection(("127.0.0.1", port), timeout=60)
                s.sendall(b"\x16\x03\x01\x02\x00\x01")
                crowd.append(s)
            except OSError:
                pass

        for i in range(200):
            for m in e:
                come(m.election_port)
            come(lead.quorum_port)
        lead.kill()
        fill(e.wait_serving(), "/n", 20)
        for i in range(100):
            for m in e.running():
                come(m.election_port)
        lead.start(wait=False)
        lead.wait_serving()
        assert children_everywhere(e, "/n") == {20}
        for s in crowd:
            s.close()
        assert set(e.stop().values()) == {0}


@pytest.mark.parametrize(
    "change, says",
    [
        ({"ssl__quorum__keyStore__location": "/nowhere.pem"}, "ssl.quorum.keyStore"),
        ({"ssl__quorum__keyStore__location": None}, "ssl.quorum.keyStore"),
        ({"ssl__quorum__ocsp": "true"}, "ssl.quorum.ocsp"),
        ({"ssl__quorum__enabledProtocols": "TLSv1.1"}, "ssl.quorum.enabledProtocols"),
        ({"ssl__quorum__trustStore__location": "JKS"}, "keytool -importkeystore"),
        ({"ssl__quorum__keyStore__location": "P12", "ssl__quorum__keyStore__password": "wrong"}, "assword"),
    ],
)
def test_a_broken_configuration_stops_the_start(tmp_path, pki, change, says):
    with open(pki.path("old.jks"), "wb") as f:
        f.write(b"\xfe\xed\xfe\xed" + bytes(60))
    files = {"P12": "server.p12", "JKS": "old.jks"}
    change = {k: pki.path(files[v]) if v in files else v for k, v in change.items()}
    e = Ensemble(tmp_path, "zzz", extra=lines(pki, **change))
    with pytest.raises(ServerDied, match=says):
        e[1].start()
    done = subprocess.run(server_command() + ["server", "--check", e[1].cfg], capture_output=True, text=True)
    assert done.returncode == 2 and says in done.stderr, done


# ---- from plain to TLS --------------------------------------------------------------------------


def roll(e, keys, session, done):
    """Each server stops and comes back with these lines, while a session works."""
    for m in e:
        m.stop()
        m.extra = [x for x in m.extra if "ssl" not in x and "portUnification" not in x] + keys
        m.start(wait=False)
        m.wait_serving(START_S)
        session()
        done.append(m.sid)


class Session:
    """One session that goes to whoever serves, and its ephemeral node."""

    def __init__(self, e):
        self.e = e
        self.c = e.running()[0].raw(timeout_ms=120000)
        self.id, self.password = self.c.session_id, self.c.password
        assert self.c.create("/here", flags=zkraw.EPHEMERAL).err == 0
        self.count = 0

    def __call__(self):
        """A write, on the connection or on another one of the same session."""

        def once():
            if self.c is None:
                for m in self.e.running():
                    if m.mode():
                        self.c = m.raw(session_id=self.id, password=self.password, timeout_ms=120000)
                        break
            if self.c is None:
                return False
            try:
                err = self.c.create("/n%d" % self.count).err
                here = self.c.exists("/here")
            except (OSError, zkraw.Closed):
                self.c = None
                return False
            assert self.c.session_id == self.id
            assert here.stat.owner == self.id
            return err in (0, zkraw.NODE_EXISTS)

        until(once, START_S)
        self.count += 1


@pytest.mark.parametrize("kinds", ["zzz", pytest.param("zaz", marks=needs_apache)])
def test_from_plain_to_tls_under_a_session(tmp_path, pki, kinds):
    """As Apache's guide has it: portUnification everywhere, then sslQuorum, then portUnification away."""
    with Ensemble(tmp_path, kinds) as e:
        e.wait_serving(START_S)
        session, done = Session(e), []
        roll(e, lines(pki, sslQuorum="false", portUnification="true"), session, done)
        roll(e, lines(pki, portUnification="true"), session, done)
        roll(e, lines(pki), session, done)
        assert done == [1, 2, 3] * 3
        e.wait_serving(START_S)
        e.check_same(["/"] + ["/n%d" % i for i in range(session.count)])
        for m in e:
            if m.kind == "z":
                with socket.create_connection(("127.0.0.1", m.election_port), timeout=60) as s:
                    s.sendall(b"\xff\xff\xff\xff\xff\xff\x00\x00")
                    read_to_end(s)


def test_both_kinds_on_one_port(tmp_path, pki):
    """One server is plain for good, the others dial with TLS and take both."""
    both = lines(pki, portUnification="true")
    accepts = lines(pki, sslQuorum="false", portUnification="true")
    with Ensemble(tmp_path, "zzz", lines_of={1: accepts, 2: both, 3: both}) as e:
        lead = e.wait_serving()
        sessions_work(e)
        lead.kill()
        e.wait_serving()
        sessions_work(e)
        lead.start(wait=False)
        lead.wait_serving()
        e.check_same(["/"])


# ---- beside Apache's ----------------------------------------------------------------------------


@pytest.mark.parametrize("kinds", [pytest.param(x, marks=needs_apache) for x in ("zza", "aaz")])
def test_beside_apache(tmp_path, pki, kinds):
    with Ensemble(tmp_path, kinds, extra=lines(pki), props={"zookeeper.snapCount": "200"}) as e:
        lives_through(e, e[1])
