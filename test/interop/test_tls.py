"""TLS on the client port: raw frames, kazoo, zkCli.sh over Netty, openssl; certificates as identities;
files that change; and those who may not come in. Certificates are made by the openssl command.
"""
import os
import re
import select
import shutil
import socket
import ssl
import struct
import subprocess
import time

import pytest

import server as server_module
import zkraw
from ensemble import until
from server import free_port
from zkraw import ALL, READ

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")

NETTY = "org.apache.zookeeper.server.NettyServerCnxnFactory"
# zkCli.sh of Debian leaves Netty out of its class path.
JARS = ["/usr/share/java/%s.jar" % name for name in (
    "zookeeper", "zookeeper-jute", "slf4j-api", "slf4j-simple", "netty-common", "netty-buffer",
    "netty-codec", "netty-handler", "netty-transport", "netty-resolver", "netty-all", "commons-cli",
)]  # fmt: skip
CLASS_PATH = ":".join(
    [x for x in [os.environ.get("APACHE_CP")] if x] + [x for x in JARS if os.path.exists(x)]
)
ALICE, BOB = "CN=alice,O=Zokor", "CN=bob,O=Zokor"


# -- certificates ------------------------------------------------------------------------------------


class Pki:
    """A folder of keys and certificates. name.pem holds key and certificate, ca.pem the authority."""

    def __init__(self, directory):
        self.dir = str(directory)
        self.authority("ca", "/CN=Test authority")
        self.authority("other-ca", "/CN=Other authority")
        self.make("server", "/O=Zokor/CN=localhost", "DNS:localhost,IP:127.0.0.1")
        self.make("alice", "/O=Zokor/CN=alice", "DNS:alice,IP:127.0.0.1")
        self.make("bob", "/O=Zokor/CN=bob", "DNS:bob,IP:10.9.8.7")
        self.make("stranger", "/O=Zokor/CN=alice", "DNS:alice", by="other-ca")
        self.make("expired", "/O=Zokor/CN=alice", "DNS:alice", days=-1)

    def path(self, name):
        return os.path.join(self.dir, name)

    def openssl(self, *words):
        return subprocess.run(
            ["openssl", *words], cwd=self.dir, check=True, capture_output=True, text=True
        ).stdout

    def new_key(self, name):
        self.openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256",
                     "-out", name + ".key")  # fmt: skip

    def authority(self, name, subject):
        self.new_key(name)
        self.openssl("req", "-x509", "-new", "-key", name + ".key", "-subj", subject, "-days", "30",
                     "-out", name + ".pem")  # fmt: skip

    def make(self, name, subject, san, by="ca", days=20):
        self.new_key(name)
        self.openssl("req", "-new", "-key", name + ".key", "-subj", subject, "-out", name + ".csr")
        with open(self.path("extensions"), "w") as f:
            f.write("subjectAltName=%s\n" % san)
        self.openssl("x509", "-req", "-in", name + ".csr", "-CA", by + ".pem", "-CAkey", by + ".key",
                     "-CAcreateserial", "-days", str(days), "-extfile", "extensions",
                     "-out", name + ".crt")  # fmt: skip
        with open(self.path(name + ".new"), "w") as out:
            for part in (name + ".key", name + ".crt", by + ".pem"):
                with open(self.path(part)) as f:
                    out.write(f.read())
        os.replace(self.path(name + ".new"), self.path(name + ".pem"))

    def context(self, name="alice", ca="ca", version=None):
        """What a Python client connects with; name None: without a certificate."""
        out = ssl.create_default_context(cafile=self.path(ca + ".pem"))
        if name is not None:
            out.load_cert_chain(self.path(name + ".crt"), self.path(name + ".key"))
        if version is not None:
            out.minimum_version = out.maximum_version = version
        return out


@pytest.fixture(scope="module")
def pki(tmp_path_factory):
    return Pki(tmp_path_factory.mktemp("pki"))


def lines(pki, port, **keys):
    """Lines of zoo.cfg; keys with dots written as __."""
    out = {
        "secureClientPort": port,
        "serverCnxnFactory": NETTY,
        "ssl.keyStore.location": pki.path("server.pem"),
        "ssl.trustStore.location": pki.path("ca.pem"),
    }
    out.update((key.replace("__", "."), value) for key, value in keys.items())
    return ["%s=%s" % kv for kv in out.items() if kv[1] is not None]


def start(tmp_path, pki, props=None, port=None, **keys):
    secure = port or free_port()
    srv = server_module.Server(tmp_path, extra=lines(pki, secure, **keys), props=props)
    srv.secure_port = secure
    return srv


@pytest.fixture(scope="module")
def srv(tmp_path_factory, pki):
    with start(tmp_path_factory.mktemp("tls"), pki) as server:
        yield server


def refused(port, tls):
    """True if TLS fails on this port: in the handshake, or, in TLS 1.3, when its answer is read."""
    try:
        with zkraw.Connection(port, tls=tls) as c:
            c.send_frame(zkraw.connect_request())
            return c.sock.recv(1) == b""
    except (ssl.SSLError, ConnectionError):
        return True


def word(port, text, tls=None):
    with zkraw.Connection(port, tls=tls) as c:
        c.send_bytes(text.encode())
        out = b""
        while True:
            piece = c.sock.recv(65536)
            if not piece:
                return out.decode()
            out += piece


# -- talking -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "version",
    [
        ssl.TLSVersion.TLSv1_2,
        pytest.param(ssl.TLSVersion.TLSv1_3, marks=pytest.mark.since39("TLS 1.2 is the newest")),
    ],
)
def test_frames(srv, pki, version):
    path = "/frames-%d" % version
    plain = zkraw.Client(srv.port)
    with zkraw.Client(srv.secure_port, tls=pki.context(version=version)) as zk:
        large = os.urandom(1000000)
        assert zk.create(path, large).err == 0
        assert zk.get(path, watch=True).data == large
        assert plain.set(path, b"x").err == 0
        assert zk.wait_events(1) == [(zkraw.CHANGED, path)]
        for i in range(300):
            zk.send(zkraw.GET_DATA, zkraw.text(path) + b"\0")
        for i in range(300):
            assert zk.recv().err == 0
        assert zk.close().err == 0
    assert plain.delete(path).err == 0
    plain.close()


def test_frames_in_many_records(srv, pki):
    """A request of which each byte is a record of its own; many requests in one."""
    with zkraw.Connection(srv.secure_port, tls=pki.context()) as c:
        request = zkraw.connect_request()
        for byte in zkraw.i32(len(request)) + request:
            c.send_bytes(bytes([byte]))
        assert zkraw.Reader(c.recv_frame()).int() == 0
        ping = zkraw.i32(-2) + zkraw.i32(zkraw.PING)
        c.send_bytes((zkraw.i32(len(ping)) + ping) * 2000)
        for _ in range(2000):
            assert struct.unpack(">i", c.recv_frame()[:4])[0] == -2


def test_session_moves_between_ports(srv, pki):
    with zkraw.Client(srv.secure_port, tls=pki.context()) as zk:
        zk.drop()
        with zkraw.Client(srv.port, session_id=zk.session_id, password=zk.password) as again:
            assert again.session_id == zk.session_id and again.granted_ms > 0
            again.close()


def test_words(srv, pki):
    assert word(srv.secure_port, "ruok", pki.context()) == "imok"
    assert "Mode: standalone" in word(srv.secure_port, "srvr", pki.context())
    assert "secureClientPort=%d" % srv.secure_port in word(srv.secure_port, "conf", pki.context())
    assert word(srv.port, "ruok") == "imok"


def test_word_by_openssl(srv, pki):
    """s_client ends its half of TLS behind the word."""
    run = subprocess.run(
        ["openssl", "s_client", "-quiet", "-connect", "127.0.0.1:%d" % srv.secure_port]
        + ["-CAfile", pki.path("ca.pem"), "-verify_return_error"]
        + ["-cert", pki.path("alice.crt"), "-key", pki.path("alice.key")],
        input=b"ruok",
        capture_output=True,
        timeout=60,
    )
    assert run.stdout == b"imok"


# -- identities --------------------------------------------------------------------------------------


def test_identity(srv, pki):
    with zkraw.Client(srv.secure_port, tls=pki.context("alice")) as alice:
        assert alice.who_am_i().value == [("ip", "127.0.0.1"), ("x509", ALICE)]
        assert alice.create("/x509", b"1", acl=[(ALL, "x509", ALICE)]).err == 0
        assert alice.create("/x509-auth", b"1", acl=[(ALL, "auth", "")]).err == 0
        assert alice.get_acl("/x509-auth").acl == [(ALL, "x509", ALICE)]
        assert alice.create("/x509-two", b"1", acl=[(READ, "x509", BOB), (ALL, "x509", ALICE)]).err == 0
        with zkraw.Client(srv.secure_port, tls=pki.context("bob")) as bob:
            assert bob.who_am_i().value == [("ip", "127.0.0.1"), ("x509", BOB)]
            assert bob.get("/x509").err == zkraw.NO_AUTH
            assert bob.get("/x509-auth").err == zkraw.NO_AUTH
            assert bob.get("/x509-two").err == 0
            assert bob.set("/x509-two", b"").err == zkraw.NO_AUTH
            bob.close()
        with zkraw.Client(srv.port) as plain:
            assert plain.get("/x509").err == zkraw.NO_AUTH
            assert plain.create("/nobody", acl=[(ALL, "auth", "")]).err == zkraw.INVALID_ACL
            plain.close()
        for path in ("/x509", "/x509-auth", "/x509-two"):
            assert alice.set(path, b"2").err == 0
            assert alice.delete(path).err == 0
        alice.close()


def test_names_in_acls(srv, pki):
    good = [ALICE, "cn=alice, o=Zokor", "CN=a+OU=b", "CN=", "", "CN=a=b", "1.2.3=a", 'CN="a,b"', "CN=a\\,b"]
    bad = ["alice", "CN=a,", "=a", "CN=a,b", "CN=a\\"]
    with zkraw.Client(srv.secure_port, tls=pki.context("alice")) as alice:
        for i, name in enumerate(good + bad):
            err = alice.create("/name-%d" % i, acl=[(ALL, "world", "anyone"), (ALL, "x509", name)]).err
            assert err == (zkraw.OK if name in good else zkraw.INVALID_ACL), name
            if err == zkraw.OK:
                assert alice.delete("/name-%d" % i).err == 0
        alice.close()


def test_addauth(srv, pki):
    """Who has a certificate may say so again; who has none is turned away."""
    with zkraw.Client(srv.secure_port, tls=pki.context("alice")) as alice:
        assert alice.auth("x509", "").err == 0
        assert alice.who_am_i().value == [("ip", "127.0.0.1"), ("x509", ALICE)]
        alice.close()
    with zkraw.Client(srv.port) as plain:
        assert plain.auth("x509", "").err == zkraw.AUTH_FAILED
        assert plain.closed_by_peer()


LONG = {"ssl__handshakeDetectionTimeoutMillis": "600000"}  # who has begun does not go by himself


@pytest.mark.ours("only its Netty counts")
def test_figures(tmp_path, pki):
    with start(tmp_path, pki, netty__server__outstandingHandshake__limit="1", **LONG) as srv:
        silent = [zkraw.Connection(srv.secure_port) for _ in range(6)]
        with zkraw.Client(srv.port) as zk:
            zk.ping()
            until(lambda: any(c.closed_by_peer(0.05) for c in silent))
            text = srv.four_letter("mntr").decode()
        for c in silent:
            c.drop()
        figures = dict(line.split("\t", 1) for line in text.splitlines())
        under_way, refused_ones = (
            int(figures["zk_" + x]) for x in ("outstanding_tls_handshake", "tls_handshake_exceeded")
        )
        assert under_way >= 1 and refused_ones >= 1
        assert int(figures["zk_non_mtls_local_conn_count"]) >= 2
        assert figures["zk_non_mtls_remote_conn_count"] == "0"


def test_super_user(tmp_path, pki):
    props = {"zookeeper.X509AuthenticationProvider.superUser": ALICE}
    with start(tmp_path, pki, props=props) as srv:
        with zkraw.Client(srv.secure_port, tls=pki.context("bob")) as bob:
            assert bob.create("/bobs", b"1", acl=[(ALL, "auth", "")]).err == 0
            assert ("super", "") not in bob.who_am_i().value
            bob.close()
        with zkraw.Client(srv.secure_port, tls=pki.context("alice")) as alice:
            got = alice.who_am_i().value
            assert got == [("ip", "127.0.0.1"), ("super", ""), ("x509", ALICE)]
            assert alice.get("/bobs").err == 0
            assert alice.set_acl("/bobs", [(READ, "world", "anyone")]).err == 0
            alice.close()


def test_enforced(tmp_path, pki):
    """Only who has a certificate is served, though the port lets others shake hands."""
    keys = {"enforce__auth__enabled": "true", "enforce__auth__schemes": "x509"}
    with start(tmp_path, pki, ssl__clientAuth="want", **keys) as srv:
        with zkraw.Client(srv.secure_port, tls=pki.context("alice")) as alice:
            assert alice.create("/a").err == 0
            alice.close()
        with zkraw.Client(srv.secure_port, tls=pki.context(None)) as nobody:
            assert nobody.get("/a").err == -124


# -- who may come in ---------------------------------------------------------------------------------


@pytest.mark.parametrize("who", ["stranger", "expired", None])
def test_refused_certificates(srv, pki, who):
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        assert refused(srv.secure_port, pki.context(who, version=version))
    assert word(srv.secure_port, "ruok", pki.context()) == "imok"


def test_client_refuses_server(srv, pki):
    with pytest.raises(ssl.SSLCertVerificationError):
        zkraw.Connection(srv.secure_port, tls=pki.context(ca="other-ca"))
    assert word(srv.secure_port, "ruok", pki.context()) == "imok"


@pytest.mark.parametrize("auth", ["want", "none"])
def test_client_auth(tmp_path, pki, auth):
    with start(tmp_path, pki, ssl__clientAuth=auth) as srv:
        with zkraw.Client(srv.secure_port, tls=pki.context(None)) as nobody:
            assert nobody.who_am_i().value == [("ip", "127.0.0.1")]
            nobody.close()
        with zkraw.Client(srv.secure_port, tls=pki.context("alice")) as alice:
            wanted = [("ip", "127.0.0.1")] + ([("x509", ALICE)] if auth == "want" else [])
            assert alice.who_am_i().value == wanted
            alice.close()
        if auth == "want":
            assert refused(srv.secure_port, pki.context("stranger"))


@pytest.mark.ours("with fips-mode, its default, the key is without effect")
def test_client_addresses(tmp_path, pki):
    """alice's certificate names 127.0.0.1, bob's another address."""
    with start(tmp_path, pki, ssl__clientHostnameVerification="true") as srv:
        assert word(srv.secure_port, "ruok", pki.context("alice")) == "imok"
        assert refused(srv.secure_port, pki.context("bob"))


@pytest.mark.ours("with fips-mode, its default, the key is without effect")
@pytest.mark.parametrize("reverse", ["true", "false"])
def test_client_names(tmp_path, pki, reverse):
    """The first one's certificate names no address of the client's, but the host that 127.0.0.1 is."""
    pki.make("local", "/O=Zokor/CN=local", "DNS:localhost,IP:10.9.8.7")
    keys = {"ssl__clientHostnameVerification": "true", "ssl__allowReverseDnsLookup": reverse}
    with start(tmp_path, pki, **keys) as srv:
        assert word(srv.secure_port, "ruok", pki.context("alice")) == "imok"
        if reverse == "true":
            for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
                context = pki.context("local", version=version)
                assert word(srv.secure_port, "ruok", context) == "imok"
            with zkraw.Client(srv.secure_port, tls=pki.context("local")) as client:
                assert client.who_am_i().value == [("ip", "127.0.0.1"), ("x509", "CN=local,O=Zokor")]
        else:
            assert refused(srv.secure_port, pki.context("local"))
        assert refused(srv.secure_port, pki.context("bob"))
        assert refused(srv.secure_port, pki.context("stranger"))
        assert word(srv.secure_port, "ruok", pki.context("alice")) == "imok"


def test_versions(tmp_path, pki):
    with start(tmp_path, pki, ssl__enabledProtocols="TLSv1.2") as srv:
        assert refused(srv.secure_port, pki.context(version=ssl.TLSVersion.TLSv1_3))
        assert word(srv.secure_port, "ruok", pki.context(version=ssl.TLSVersion.TLSv1_2)) == "imok"


def test_cipher_suites(tmp_path, pki):
    suite = "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"
    with start(tmp_path, pki, ssl__enabledProtocols="TLSv1.2", ssl__ciphersuites=suite) as srv:
        with zkraw.Connection(srv.secure_port, tls=pki.context()) as c:
            assert c.sock.cipher()[0] == "ECDHE-ECDSA-AES128-GCM-SHA256"
        other = pki.context()
        other.set_ciphers("ECDHE-ECDSA-AES256-GCM-SHA384")
        assert refused(srv.secure_port, other)


@pytest.mark.ours("its lists come from the network")
def test_revocation_list(tmp_path, pki):
    with open(pki.path("ca.cnf"), "w") as f:
        f.write("[ca]\ndefault_ca=d\n[d]\ndatabase=index\ndefault_md=sha256\ndefault_crl_days=3\n")
    open(pki.path("index"), "w").close()
    config = ["-config", "ca.cnf", "-cert", "ca.pem", "-keyfile", "ca.key"]
    pki.openssl("ca", *config, "-revoke", "bob.crt")
    pki.openssl("ca", *config, "-gencrl", "-out", "ca.crl")
    with open(pki.path("trust.pem"), "w") as out:
        for name in ("ca.pem", "ca.crl"):
            with open(pki.path(name)) as f:
                out.write(f.read())
    keys = {"ssl__crl": "true", "ssl__trustStore__location": pki.path("trust.pem")}
    with start(tmp_path, pki, **keys) as srv:
        assert word(srv.secure_port, "ruok", pki.context("alice")) == "imok"
        assert refused(srv.secure_port, pki.context("bob"))


# -- ports -------------------------------------------------------------------------------------------


def test_one_port_for_both(tmp_path, pki):
    keys = {"client__portUnification": "true", "authProvider__x509": None}
    if server_module.use_apache():
        keys["authProvider__x509"] = "org.apache.zookeeper.server.auth.X509AuthenticationProvider"
    with start(tmp_path, pki, secureClientPort=None, **keys) as srv:
        assert word(srv.port, "ruok") == "imok"
        assert word(srv.port, "ruok", pki.context()) == "imok"
        with zkraw.Client(srv.port) as plain, zkraw.Client(srv.port, tls=pki.context()) as alice:
            assert plain.who_am_i().value == [("ip", "127.0.0.1")]
            assert alice.who_am_i().value == [("ip", "127.0.0.1"), ("x509", ALICE)]
            assert plain.create("/p").err == 0
            assert alice.get("/p").err == 0
            plain.close()
            alice.close()
        assert refused(srv.port, pki.context("stranger"))
        with zkraw.Connection(srv.port) as c:  # the first byte of TLS, and then something else
            c.send_bytes(b"\x16")
            c.send_bytes(b"\x00\x00\x00\x00\x00\x00")
            assert c.closed_by_peer()


def test_without_a_plain_port(tmp_path, pki):
    port = free_port()
    data = tmp_path / "data"
    data.mkdir()
    text = ["dataDir=%s" % data, "secureClientPortAddress=127.0.0.1"] + lines(pki, port)
    srv = server_module.Server(tmp_path, cfg_text="\n".join(text) + "\n")
    srv.spawn()
    try:
        for _ in range(1200):
            try:
                if "Mode: standalone" in word(port, "srvr", pki.context()):
                    break
            except OSError:
                time.sleep(0.05)
        with zkraw.Client(port, tls=pki.context()) as zk:
            assert zk.create("/only").err == 0
            zk.close()
        assert srv.running()
    finally:
        srv.kill()
    srv.check_log()


# -- strangers ---------------------------------------------------------------------------------------


GARBAGE = [
    b"ruok",
    b"\0\0\0\x2d" + bytes(45),
    b"GET / HTTP/1.1\r\n\r\n",
    b"\x16\x03\x01\xff\xff" + b"A" * 70000,
    b"\x16\x03\x01\x40\x00\x01\x00\x3f\xfc" + b"\xff" * 16380,
    b"\x15\x03\x01\x00\x02\x02\x28",
    b"\x16\x03\x01\x00\x04\x01\xff\xff\xff" * 3,
    os.urandom(4096),
]


@pytest.mark.parametrize("i", range(len(GARBAGE)))
def test_garbage(srv, pki, i):
    with zkraw.Connection(srv.secure_port, seconds=60) as c:
        try:
            c.send_bytes(GARBAGE[i])
            while c.sock.recv(4096):
                pass
        except ConnectionError:
            pass
    assert word(srv.secure_port, "ruok", pki.context()) == "imok"


@pytest.mark.ours("a handshake may take 10 s")
def test_half_a_handshake(tmp_path, pki):
    """Silence after some bytes of a client hello, or none, costs a connection its place."""
    with start(tmp_path, pki, ssl__handshakeDetectionTimeoutMillis="4000") as srv:
        silent = []
        for n in list(range(1, 40, 3)) + [0] * 5:
            c = zkraw.Connection(srv.secure_port, seconds=60)
            c.send_bytes((b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(100))[:n])
            silent.append(c)
        assert word(srv.secure_port, "ruok", pki.context()) == "imok"
        with zkraw.Client(srv.secure_port, tls=pki.context()) as zk:
            for c in silent:
                assert c.closed_by_peer()
                c.drop()
            assert zk.create("/alive").err == 0  # those who have shaken hands stay
            zk.close()
        assert srv.log().count("tls.failed") >= 1


@pytest.mark.ours("limits only connections that it has not begun with")
def test_limit_of_handshakes(tmp_path, pki):
    with start(tmp_path, pki, netty__server__outstandingHandshake__limit="3", **LONG) as srv:
        silent = [zkraw.Connection(srv.secure_port) for _ in range(40)]
        until(lambda: sum(c.closed_by_peer(0.05) for c in silent) >= 20)
        for c in silent:
            c.drop()
        until(lambda: not refused(srv.secure_port, pki.context()))
        assert word(srv.secure_port, "ruok", pki.context()) == "imok"


def test_no_renegotiation(srv, pki):
    """s_client asks for another handshake at a line that is R."""
    run = subprocess.Popen(
        ["openssl", "s_client", "-tls1_2", "-connect", "127.0.0.1:%d" % srv.secure_port]
        + ["-cert", pki.path("alice.crt"), "-key", pki.path("alice.key"), "-CAfile", pki.path("ca.pem")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    try:
        run.stdin.write(b"R\n")
        run.stdin.flush()
        said, wanted = b"", b"RENEGOTIATING" if server_module.use_apache() else b"no renegotiation"
        while wanted not in said:  # the end of its input would end it before the answer
            assert select.select([run.stdout], [], [], 60)[0], said
            piece = os.read(run.stdout.fileno(), 65536)
            assert piece, said
            said += piece
        assert b"RENEGOTIATING" in said
    finally:
        run.kill()
        run.communicate()
    assert word(srv.secure_port, "ruok", pki.context()) == "imok"


def test_broken_record(srv, pki):
    """A byte changed behind TLS's back: the server hears nothing of what follows."""
    raw = socket.create_connection(("127.0.0.1", srv.secure_port), timeout=60)
    into, out = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = pki.context().wrap_bio(into, out, server_hostname="localhost")
    while True:
        try:
            tls.do_handshake()
            break
        except ssl.SSLWantReadError:
            raw.sendall(out.read())
            into.write(raw.recv(65536))
    raw.sendall(out.read())
    tls.write(b"ruok")
    record = bytearray(out.read())
    record[-1] ^= 1
    raw.sendall(record)
    got = b""
    while True:
        try:
            piece = raw.recv(65536)
        except ConnectionError:
            break
        if not piece:
            break
        got += piece
    raw.close()
    into.write(got)
    into.write_eof()
    with pytest.raises(ssl.SSLError):
        while tls.read(100):
            pytest.fail("an answer to a broken record")


# -- files -------------------------------------------------------------------------------------------


def serial_of(port, pki):
    with zkraw.Connection(port, tls=pki.context()) as c:
        return c.sock.getpeercert()["serialNumber"]


@pytest.mark.since39("its port is closed for a moment")
def test_reload(tmp_path, pki):
    pki.make("changing", "/CN=localhost", "DNS:localhost")
    keys = {"client__certReload": "true", "ssl__keyStore__location": pki.path("changing.pem")}
    with start(tmp_path, pki, **keys) as srv:
        first = serial_of(srv.secure_port, pki)
        with zkraw.Client(srv.secure_port, tls=pki.context()) as zk:
            pki.make("changing", "/CN=localhost", "DNS:localhost")
            for _ in range(1200):
                if serial_of(srv.secure_port, pki) != first:
                    break
                time.sleep(0.05)
            assert serial_of(srv.secure_port, pki) != first
            assert zk.create("/still").err == 0
            if not server_module.use_apache():
                second = serial_of(srv.secure_port, pki)
                with open(pki.path("changing.pem"), "w") as f:
                    f.write("-----BEGIN PRIVATE KEY-----\nbroken")
                for _ in range(1200):
                    if "tls.reload" in srv.log() and "the former certificates stay" in srv.log():
                        break
                    time.sleep(0.05)
                assert "the former certificates stay" in srv.log()
                assert serial_of(srv.secure_port, pki) == second
            assert zk.get("/still").err == 0
            zk.close()


def fails_to_start(tmp_path, pki, **keys):
    """The log of a server that gives up."""
    srv = start(tmp_path, pki, **keys).spawn()
    try:
        assert srv.wait() == 2, srv.log()
    finally:
        srv.kill()
    return srv.log()


@pytest.mark.since39("passwordPath")
def test_passwords(tmp_path, pki):
    pki.openssl("pkcs8", "-topk8", "-in", "server.key", "-passout", "pass:sesame", "-out", "enc.key")
    with open(pki.path("encrypted.pem"), "w") as out:
        for name in ("enc.key", "server.crt"):
            with open(pki.path(name)) as f:
                out.write(f.read())
    with open(pki.path("password"), "w") as f:
        f.write("sesame\n")
    keys = {"ssl__keyStore__location": pki.path("encrypted.pem")}
    given = dict(keys, ssl__keyStore__passwordPath=pki.path("password"))
    with start(tmp_path / "a", pki, **given) as srv:
        assert word(srv.secure_port, "ruok", pki.context()) == "imok"
    if not server_module.use_apache():
        log = fails_to_start(tmp_path / "b", pki, ssl__keyStore__password="other", **keys)
        assert "encrypted.pem: the password does not open its key" in log
        assert "other" not in log


needs_keytool = pytest.mark.skipif(shutil.which("keytool") is None, reason="keytool is not installed")


@needs_keytool
def test_stores_of_keytool(tmp_path, pki):
    """PKCS#12 as keytool writes it, by its right name and by that of the older format."""
    pki.openssl("pkcs12", "-export", "-in", "server.crt", "-inkey", "server.key", "-name", "zokor",
                "-passout", "pass:secret", "-out", "openssl.p12")  # fmt: skip
    for f in ("key.p12", "trust.jks"):
        if os.path.exists(pki.path(f)):
            os.remove(pki.path(f))
    keytool(pki, "-importkeystore", "-srckeystore", "openssl.p12", "-srcstorepass", "secret",
            "-destkeystore", "key.p12", "-deststoretype", "PKCS12", "-deststorepass", "secret")  # fmt: skip
    keytool(pki, "-importcert", "-noprompt", "-alias", "ca", "-file", "ca.pem", "-keystore", "trust.jks",
            "-storepass", "secret")  # fmt: skip
    keys = {
        "ssl__keyStore__location": pki.path("key.p12"),
        "ssl__keyStore__password": "secret",
        "ssl__trustStore__location": pki.path("trust.jks"),
        "ssl__trustStore__password": "secret",
    }
    with start(tmp_path, pki, **keys) as srv:
        with zkraw.Client(srv.secure_port, tls=pki.context()) as zk:
            assert ("x509", ALICE) in zk.who_am_i().value
            zk.close()
        assert refused(srv.secure_port, pki.context("stranger"))


def keytool(pki, *words):
    return subprocess.run(["keytool", *words], cwd=pki.dir, check=True, capture_output=True, text=True)


@needs_keytool
@pytest.mark.ours("it reads JKS")
def test_jks_is_told_how_to_convert(tmp_path, pki):
    """The command of the message is run as it stands, and the server starts with what it made."""
    for f in ("old.jks", "old.p12"):
        if os.path.exists(pki.path(f)):
            os.remove(pki.path(f))
    keytool(pki, "-importcert", "-noprompt", "-alias", "ca", "-file", "ca.pem", "-keystore", "old.jks",
            "-storetype", "JKS", "-storepass", "secret")  # fmt: skip
    keys = {"ssl__trustStore__location": pki.path("old.jks"), "ssl__trustStore__password": "secret"}
    log = fails_to_start(tmp_path / "a", pki, **keys)
    command = re.search(r"Convert it with: (keytool .*?PKCS12)\s", log).group(1)
    subprocess.run(command.split() + ["-srcstorepass", "secret", "-deststorepass", "secret"],
                   check=True, capture_output=True)  # fmt: skip
    keys["ssl__trustStore__location"] = re.search(r"ssl\.trustStore\.location=(\S+)", log).group(1)
    with start(tmp_path / "b", pki, **keys) as srv:
        assert word(srv.secure_port, "ruok", pki.context()) == "imok"


@pytest.mark.ours("it starts, and no client gets in")
def test_no_start_without_a_key(tmp_path, pki):
    log = fails_to_start(tmp_path / "a", pki, ssl__keyStore__location=None)
    assert "ssl.keyStore.location is not set" in log
    log = fails_to_start(tmp_path / "b", pki, ssl__keyStore__location="/nowhere/key.pem")
    assert "/nowhere/key.pem: there is no such file" in log
    log = fails_to_start(tmp_path / "c", pki, ssl__ocsp="true")
    assert "ssl.ocsp=true" in log


# -- other clients -----------------------------------------------------------------------------------


def test_kazoo(srv, pki):
    client = pytest.importorskip("kazoo.client")
    from kazoo.exceptions import NoAuthError
    from kazoo.security import CREATOR_ALL_ACL

    def make(name):
        return client.KazooClient(
            hosts="localhost:%d" % srv.secure_port,
            timeout=30,
            use_ssl=True,
            ca=pki.path("ca.pem"),
            certfile=pki.path(name + ".crt"),
            keyfile=pki.path(name + ".key"),
        )

    alice, bob = make("alice"), make("bob")
    alice.start(timeout=60)
    bob.start(timeout=60)
    try:
        alice.create("/kazoo-tls", b"k" * 100000, acl=CREATOR_ALL_ACL)
        assert alice.get("/kazoo-tls")[0] == b"k" * 100000
        with pytest.raises(NoAuthError):
            bob.get("/kazoo-tls")
        seen = []
        alice.DataWatch("/kazoo-tls", lambda data, stat: seen.append(data))
        alice.set("/kazoo-tls", b"2")
        until(lambda: b"2" in seen)
        alice.delete("/kazoo-tls")
    finally:
        for c in (alice, bob):
            c.stop()
            c.close()


@pytest.mark.skipif(
    server_module.missing_java() is not None or "netty" not in CLASS_PATH,
    reason="java or Apache's jars with Netty's are not installed",
)
def test_zkcli(srv, pki):
    """What zkCli.sh starts: Netty, key stores of PEM, and the server's name checked."""
    flags = {
        "zookeeper.client.secure": "true",
        "zookeeper.clientCnxnSocket": "org.apache.zookeeper.ClientCnxnSocketNetty",
        "zookeeper.ssl.keyStore.location": pki.path("alice.pem"),
        "zookeeper.ssl.trustStore.location": pki.path("ca.pem"),
    }

    def run(*words):
        return subprocess.run(
            ["java", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-cp", CLASS_PATH]
            + ["-D%s=%s" % kv for kv in flags.items()]
            + ["org.apache.zookeeper.ZooKeeperMain", "-server", "localhost:%d" % srv.secure_port]
            + list(words),
            capture_output=True,
            text=True,
            timeout=120,
        )

    made = run("create", "/zkcli-tls", "hello", "auth::cdrwa")
    assert "Created /zkcli-tls" in made.stdout + made.stderr, made.stderr[-3000:]
    with zkraw.Client(srv.secure_port, tls=pki.context("alice")) as zk:
        assert zk.get("/zkcli-tls").data == b"hello"
        assert zk.get_acl("/zkcli-tls").acl == [(ALL, "x509", ALICE)]
        assert zk.delete("/zkcli-tls").err == 0
        zk.close()
