"""The command line over TLS, configured as zkCli.sh is."""
import importlib.util
import os
import shutil

import pytest

import cli_tools
from conftest import INTEROP

_spec = importlib.util.spec_from_file_location("interop_tls", os.path.join(INTEROP, "test_tls.py"))
tls = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(tls)
pki, srv = tls.pki, tls.srv
pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")


@pytest.fixture
def run(srv, pki, tmp_path):
    """run(words, key=value...): with a client configuration of these keys."""

    def call(*words, host="localhost", **keys):
        name = str(tmp_path / "client.cfg")
        lines = {"zookeeper.client.secure": "true", "zookeeper.ssl.trustStore.location": pki.path("ca.pem")}
        lines.update(("zookeeper.ssl." + k.replace("_", "."), v) for k, v in keys.items())
        with open(name, "w") as f:
            f.writelines("%s=%s\n" % kv for kv in lines.items() if kv[1] is not None)
        return cli_tools.one_shot("%s:%d" % (host, srv.secure_port), "-q", "-client-configuration", name, *words)

    return call


def test_who_we_are(run, pki):
    status, out, err = run("whoami", keyStore_location=pki.path("alice.pem"))
    assert (status, err) == (0, []) and "x509: " + tls.ALICE in out


def test_reads_and_writes(run, pki):
    mine = {"keyStore_location": pki.path("alice.pem")}
    assert run("create", "/cli-tls", "x", **mine)[0] == 0
    assert run("get", "/cli-tls", **mine) == (0, ["x"], [])
    assert run("delete", "/cli-tls", enabledProtocols="TLSv1.2", **mine)[0] == 0


def test_who_is_not_trusted(run, pki):
    alice, other = pki.path("alice.pem"), pki.path("other-ca.pem")
    status, _, err = run("ls", "/", keyStore_location=alice, trustStore_location=other)
    assert status == 1 and err[0] == "KeeperErrorCode = ConnectionLoss for /", err
    assert "trust" in err[1]


def test_files_that_are_not_there(run):
    status, _, err = run("ls", "/", trustStore_location="/none.pem")
    assert status == 1 and "/none.pem" in err[0]


def test_as_java_is_told(srv, pki):
    words = {
        "zookeeper.client.secure": "true",
        "zookeeper.ssl.trustStore.location": pki.path("ca.pem"),
        "zookeeper.ssl.keyStore.location": pki.path("alice.pem"),
    }
    env = cli_tools.environment(CLIENT_JVMFLAGS=" ".join("-D%s=%s" % kv for kv in words.items()))
    status, out, _ = cli_tools.one_shot("localhost:%d" % srv.secure_port, "-q", "whoami", env=env)
    assert status == 0 and "x509: " + tls.ALICE in out
