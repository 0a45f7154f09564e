"""TLS on the HTTP ports: admin.portUnification, admin.forceHttps, admin.needClientAuth with the keys of the quorum, and
the HTTPS port of the metrics; beside Apache's admin server where it is there."""
import http.client
import json
import socket
import time

import pytest

from http_tools import PROMETHEUS, HttpServer, free_port
from server import Server, server_command, use_apache
from test_http import ApacheHttpServer, missing_java
from test_tls import Pki
from zkraw import Client

pytestmark = pytest.mark.skipif(server_command() is None or use_apache(), reason="ours is not built")

STRICT = "max-age=86400; includeSubDomains"


@pytest.fixture(scope="module")
def pki(tmp_path_factory):
    return Pki(tmp_path_factory.mktemp("pki"))


def quorum_keys(pki, **keys):
    props = {
        "zookeeper.ssl.quorum.keyStore.location": pki.path("server.pem"),
        "zookeeper.ssl.quorum.trustStore.location": pki.path("ca.pem"),
    }
    props.update(("zookeeper." + k.replace("__", "."), v) for k, v in keys.items())
    return props


def https(pki, port, path, client=None, method="GET", body=None, headers=None):
    """Status, headers and body of one request by TLS."""
    conn = http.client.HTTPSConnection("localhost", port, timeout=60, context=pki.context(client))
    conn._create_connection = lambda address, *rest: socket.create_connection(("127.0.0.1", address[1]), 60)
    try:
        conn.request(method, path, body=body, headers=headers or {})
        reply = conn.getresponse()
        return reply.status, reply.headers, reply.read()
    finally:
        conn.close()


KINDS = [HttpServer, pytest.param(ApacheHttpServer, marks=pytest.mark.skipif(missing_java() is not None,
                                                                             reason="no Apache server here"))]


@pytest.mark.parametrize("kind", KINDS)
def test_one_port_for_both(tmp_path, pki, kind):
    props = quorum_keys(pki, admin__portUnification="true")
    with kind(tmp_path, props=props) as srv:
        for _ in range(3):
            status, headers, body = https(pki, srv.admin_port, "/commands/ruok")
            assert (status, headers["Content-Type"]) == (200, "application/json")
            assert headers["Strict-Transport-Security"] == STRICT
            assert json.loads(body) == {"command": "ruok", "error": None}
            status, headers, body = srv.http("/commands/ruok")
            assert status == 200 and json.loads(body)["command"] == "ruok"
            assert "Strict-Transport-Security" not in headers
        figures = json.loads(https(pki, srv.admin_port, "/commands/monitor")[2])
        assert figures["insecure_admin_count"] >= 3
        assert json.loads(https(pki, srv.admin_port, "/commands/no-such")[2])["error"] is not None


@pytest.mark.parametrize("kind", KINDS)
def test_only_tls(tmp_path, pki, kind):
    props = quorum_keys(pki, admin__forceHttps="true")
    with kind(tmp_path, props=props) as srv:
        assert https(pki, srv.admin_port, "/commands/srvr")[0] == 200
        with pytest.raises((OSError, http.client.HTTPException)):
            srv.http("/commands/ruok")
        assert https(pki, srv.admin_port, "/commands/srvr")[0] == 200


def test_a_certificate_is_needed(tmp_path, pki):
    """admin.needClientAuth is of Apache 3.9."""
    props = quorum_keys(pki, admin__forceHttps="true", admin__needClientAuth="true")
    with HttpServer(tmp_path, props=props) as srv:
        assert https(pki, srv.admin_port, "/commands/ruok", client="alice")[0] == 200
        for client in (None, "stranger", "expired"):
            with pytest.raises((OSError, http.client.HTTPException)):
                https(pki, srv.admin_port, "/commands/ruok", client=client)
        assert "https.failed" in srv.log()


def test_large_answers_and_kept_connections(tmp_path, pki):
    """A snapshot as it is sent, larger than any buffer; several requests on one connection; who reads slowly."""
    props = quorum_keys(pki, admin__forceHttps="true", admin__rateLimiterIntervalInMS="0",
                        admin__idleTimeout="600000")
    props["zookeeper.DigestAuthenticationProvider.superDigest"] = "super:UdxDQl4f9v5oITwcAsO9bmWgHSI="
    with HttpServer(tmp_path, props=props) as srv:
        with Client(srv.port) as c:
            for i in range(30):
                assert c.create("/large%d" % i, b"x" * 500000).err == 0
        auth = {"Authorization": "digest super:super123"}
        status, headers, body = https(pki, srv.admin_port, "/commands/snapshot?streaming=true", headers=auth)
        assert status == 200 and len(body) == int(headers["snapshot_size"]) > 15000000
        conn = http.client.HTTPSConnection("localhost", srv.admin_port, timeout=60, context=pki.context(None))
        conn._create_connection = lambda address, *rest: socket.create_connection(("127.0.0.1", address[1]), 60)
        for name in ("ruok", "srvr", "monitor", "configuration") * 5:
            conn.request("GET", "/commands/" + name)
            assert json.loads(conn.getresponse().read())["command"]
        conn.close()
        slow = pki.context(None).wrap_socket(socket.create_connection(("127.0.0.1", srv.admin_port)),
                                             server_hostname="localhost")
        slow.sendall(b"GET /commands/snapshot?streaming=true HTTP/1.0\r\nAuthorization: digest super:super123\r\n\r\n")
        got = 0
        for _ in range(20):
            got += len(slow.recv(1000))
            assert https(pki, srv.admin_port, "/commands/ruok")[0] == 200
        while True:
            piece = slow.recv(1 << 20)
            if not piece:
                break
            got += len(piece)
        assert got > 15000000
        slow.close()


def test_strangers_at_the_door(tmp_path, pki):
    """Who says nothing, half of a hello, or no TLS, is closed and holds up nobody."""
    props = quorum_keys(pki, admin__portUnification="true", admin__idleTimeout="5000",
                        ssl__quorum__handshakeDetectionTimeoutMillis="4000")
    with HttpServer(tmp_path, props=props) as srv:
        silent = [socket.create_connection(("127.0.0.1", srv.admin_port)) for _ in range(150)]
        for i, s in enumerate(silent):
            s.sendall((b"", b"\x16", b"\x16\x03\x01\x02\x00\x01")[i % 3])
        assert https(pki, srv.admin_port, "/commands/ruok")[0] == 200
        assert srv.http("/commands/ruok")[0] == 200
        for s in silent:
            s.settimeout(60)
            while True:
                try:
                    if not s.recv(1000):
                        break
                except ConnectionError:
                    break
            s.close()
        for junk in (b"\x16\x03\x01\x00\x05hello", b"\x16" * 400, b"GET / HTTP/1.1\r\n\r\n", b"\x00"):
            with socket.create_connection(("127.0.0.1", srv.admin_port)) as s:
                s.sendall(junk)
                s.shutdown(socket.SHUT_WR)
                try:
                    while s.recv(65536):
                        pass
                except ConnectionResetError:  # there was something that it did not read
                    pass
        assert https(pki, srv.admin_port, "/commands/ruok")[0] == 200


def test_changed_certificates_are_loaded(tmp_path, pki):
    (tmp_path / "own-pki").mkdir()
    own = Pki(tmp_path / "own-pki")
    with HttpServer(tmp_path / "s", props=quorum_keys(own, admin__forceHttps="true")) as srv:
        def shown():
            with socket.create_connection(("127.0.0.1", srv.admin_port)) as s:
                with own.context(None).wrap_socket(s, server_hostname="localhost") as t:
                    return t.getpeercert()["serialNumber"]

        first = shown()
        own.make("server", "/O=Zokor/CN=localhost", "DNS:localhost,IP:127.0.0.1")
        deadline = time.monotonic() + 60
        while shown() == first:
            assert time.monotonic() < deadline
            time.sleep(0.1)


def test_keys_that_cannot_be_had(tmp_path, pki):
    """As in Apache's, the server goes on without its admin port."""
    props = quorum_keys(pki, admin__forceHttps="true")
    props["zookeeper.ssl.quorum.keyStore.location"] = pki.path("missing.pem")
    with HttpServer(tmp_path, props=props) as srv:
        with pytest.raises(OSError):
            socket.create_connection(("127.0.0.1", srv.admin_port))
        assert "admin.tls" in srv.log() and "missing.pem" in srv.log()


def metrics_lines(pki, **keys):
    out = {
        "className": PROMETHEUS,
        "httpHost": "127.0.0.1",
        "ssl.keyStore.location": pki.path("server.pem"),
        "ssl.trustStore.location": pki.path("ca.pem"),
    }
    out.update((k.replace("__", "."), v) for k, v in keys.items())
    return ["metricsProvider.%s=%s" % kv for kv in out.items()]


@pytest.mark.parametrize("ports", ["https", "two", "one"])
def test_metrics(tmp_path, pki, ports):
    plain, secure = free_port(), free_port()
    if ports == "one":
        plain = secure
    lines = metrics_lines(pki, httpPort=-1 if ports == "https" else plain, httpsPort=secure)
    with Server(tmp_path, extra=lines) as srv:
        status, headers, body = https(pki, secure, "/metrics", client="alice")
        assert status == 200 and b"\nznode_count " in body
        with pytest.raises((OSError, http.client.HTTPException)):
            https(pki, secure, "/metrics")  # ssl.need.client.auth is true
        if ports != "https":
            conn = http.client.HTTPConnection("127.0.0.1", plain, timeout=60)
            conn.request("GET", "/metrics")
            assert b"\nznode_count " in conn.getresponse().read()
            conn.close()
        assert srv.running()


@pytest.mark.parametrize(
    "need, want, alone", [("false", "true", True), ("false", "false", True), ("true", "false", False)]
)
def test_certificates_of_those_who_read_metrics(tmp_path, pki, need, want, alone):
    secure = free_port()
    keys = {"ssl__need__client__auth": need, "ssl__want__client__auth": want}
    with Server(tmp_path, extra=metrics_lines(pki, httpPort=-1, httpsPort=secure, **keys)):
        assert https(pki, secure, "/metrics", client="alice")[0] == 200
        if alone:
            assert https(pki, secure, "/metrics")[0] == 200
        else:
            with pytest.raises((OSError, http.client.HTTPException)):
                https(pki, secure, "/metrics")
        if "true" in (need, want):
            with pytest.raises((OSError, http.client.HTTPException)):
                https(pki, secure, "/metrics", client="stranger")
        else:
            assert https(pki, secure, "/metrics", client="stranger")[0] == 200
