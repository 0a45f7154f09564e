"""The client library over TLS, on a server's secureClientPort."""
import importlib.util
import os
import shutil
import subprocess

import pytest
import server as server_module
from conftest import HERE, INTEROP
from cutter import Cutter

_spec = importlib.util.spec_from_file_location("interop_tls", os.path.join(INTEROP, "test_tls.py"))
tls = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(tls)
pki, srv = tls.pki, tls.srv
pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")

CONNECTED = "state 3"


@pytest.fixture(scope="module")
def program(build, tmp_path_factory):
    source = os.path.join(HERE, "tls.c")
    return build.compile(tmp_path_factory.mktemp("tls-program") / "tls", source)


def run(build, program, host, *words):
    out = build.run(program, host, *words, seconds=180)
    assert "ERROR: " not in out.stdout and "WARNING: ThreadSanitizer" not in out.stdout, out.stdout
    return out.stdout


def zokor(pki, who="alice", trust="ca.pem", **more):
    key = ["key=" + pki.path(who + ".pem")] if who else []
    return ["zokor", "trust=" + pki.path(trust), *key, *("%s=%s" % kv for kv in more.items())]


@pytest.mark.parametrize("protocols", ["TLSv1.2", "TLSv1.3", "TLSv1.2,TLSv1.3"])
def test_session_and_identity(build, program, srv, pki, protocols):
    out = run(build, program, "localhost:%d" % srv.secure_port, *zokor(pki, protocols=protocols))
    assert "who 0 x509:%s ip:127.0.0.1" % tls.ALICE in out
    assert "much 0 same" in out and "closed 0" in out


def test_as_apache_writes_it(build, program, srv, pki):
    """Certificates and key in files of their own; the key has a password; names are not looked at."""
    pki.openssl("pkcs8", "-topk8", "-in", "bob.key", "-out", "bob.secret", "-passout", "pass:hush")
    cert = ",".join([pki.path("ca.pem"), pki.path("bob.crt"), pki.path("bob.secret"), "hush"])
    out = run(build, program, "127.0.0.1:%d" % srv.secure_port, "apache", cert)
    assert "x509:%s" % tls.BOB in out and "much 0 same" in out
    wrong = run(build, program, "127.0.0.1:%d" % srv.secure_port, "apache", cert[:-4] + "loud")
    assert "no handle" in wrong and "the password does not open its key" in wrong


def test_without_threads(build, program, srv, pki):
    words = zokor(pki)
    out = run(build, program, "localhost:%d" % srv.secure_port, "polled", *words[1:])
    assert CONNECTED in out and "created 0" in out and "closed 0" in out


def test_the_connection_is_cut(build, program, srv, pki):
    cutter = Cutter(srv.secure_port, server_module.free_port(), 0)
    child = subprocess.Popen(
        [program, "localhost:%d" % cutter.port, *zokor(pki)],
        env=dict(build.env(), AGAIN="1"),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        lines = []
        for line in child.stdout:
            lines.append(line.strip())
            if line == "cut me\n":
                cutter.cut()
        assert child.wait(60) == 0, lines
        assert lines.count(CONNECTED) == 2, lines
        assert "closed 0" in lines
    finally:
        child.kill()
        child.wait()
        cutter.close()


@pytest.mark.parametrize(
    "words, says",
    [
        (dict(who="stranger"), "unknown ca"),
        (dict(who="expired"), "certificate"),
        (dict(who=None), "certificate"),
        (dict(trust="other-ca.pem"), "trust"),
    ],
)
def test_refused(build, program, srv, pki, words, says):
    child = subprocess.Popen(
        [program, "localhost:%d" % srv.secure_port, *zokor(pki, **words)],
        env=build.env(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        seen = ""
        for line in child.stdout:
            seen += line
            if "connection to" in line and says in line:
                break
        else:
            pytest.fail(seen)
        assert CONNECTED not in seen
    finally:
        child.kill()
        child.wait()


def test_name_of_the_server(build, program, tmp_path, pki):
    pki.make("elsewhere", "/O=Zokor/CN=elsewhere", "DNS:elsewhere.example")
    with tls.start(tmp_path, pki, ssl__keyStore__location=pki.path("elsewhere.pem")) as server:
        host = "localhost:%d" % server.secure_port
        child = subprocess.Popen(
            [program, host, *zokor(pki)], env=build.env(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        try:
            line = next(x for x in child.stdout if "connection to" in x)
            assert "hostname mismatch" in line and "elsewhere" in line
        finally:
            child.kill()
            child.wait()
        assert "much 0 same" in run(build, program, host, *zokor(pki, any_name=1))


def test_wrong_files(build, program, srv, pki):
    out = run(build, program, "localhost:%d" % srv.secure_port, *zokor(pki, trust="nothing.pem"))
    assert "no handle" in out and "nothing.pem" in out


def test_library_is_not_loaded_without_need(build):
    out = subprocess.run(["ldd", build.library], capture_output=True, text=True, check=True).stdout
    assert "libssl" not in out and "libcrypto" not in out


# -- the command line --------------------------------------------------------------------------------


def zokor_cli(host, *words, settings=None, env=None, tmp_path=None):
    command = [*server_module.server_command(), "cli", "-server", host, "-timeout", "30000"]
    if settings:
        path = tmp_path / "client.properties"
        path.write_text("".join("%s=%s\n" % kv for kv in settings.items()))
        command += ["-client-configuration", str(path)]
    return subprocess.run(
        [*command, *words], capture_output=True, text=True, timeout=60, env={**os.environ, **(env or {})}
    )


def settings_of(pki, trust="ca.pem"):
    return {
        "zookeeper.client.secure": "true",
        "zookeeper.clientCnxnSocket": "org.apache.zookeeper.ClientCnxnSocketNetty",
        "zookeeper.ssl.trustStore.location": pki.path(trust),
        "zookeeper.ssl.keyStore.location": pki.path("alice.pem"),
    }


def test_command_line_by_file(srv, pki, tmp_path):
    out = zokor_cli("localhost:%d" % srv.secure_port, "whoami", settings=settings_of(pki), tmp_path=tmp_path)
    assert out.returncode == 0, out.stderr
    assert "x509: " + tls.ALICE in out.stdout


def test_command_line_by_java_flags(srv, pki):
    flags = " ".join("-D%s=%s" % kv for kv in settings_of(pki).items())
    out = zokor_cli("localhost:%d" % srv.secure_port, "ls", "/", env={"CLIENT_JVMFLAGS": flags})
    assert out.returncode == 0, out.stderr
    assert "zookeeper" in out.stdout


def test_command_line_says_why(srv, pki, tmp_path):
    host = "localhost:%d" % srv.secure_port
    out = zokor_cli(host, "-waitforconnection", settings=settings_of(pki, "nothing.pem"), tmp_path=tmp_path)
    assert out.returncode != 0 and "nothing.pem" in out.stderr
    out = zokor_cli(host, "ls", "/", settings=settings_of(pki, "other-ca.pem"), tmp_path=tmp_path)
    assert out.returncode != 0 and "trust" in out.stderr
