"""zokor bench over TLS and with logins by SASL; the same settings for a command over recipes."""
import importlib.util
import json
import os
import shutil
import subprocess
import time

import pytest
import server as server_module
import test_sasl
import test_sasl_kerberos
from conftest import ROOT, missing_java
from server import servers_of

_spec = importlib.util.spec_from_file_location("interop_tls", os.path.join(ROOT, "test", "interop", "test_tls.py"))
tls = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(tls)
pki = tls.pki
pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
SHORT = ["--seconds", "0.3", "--warm-up", "0", "--nodes", "50", "--children", "7", "--quiet", "--give-up", "60"]


@pytest.fixture(scope="module")
def guarded(tmp_path_factory, pki):
    """A server with TLS, which serves those alone who have logged in."""
    directory = tmp_path_factory.mktemp("guarded")
    props = test_sasl.sasl_props(directory, sessionRequireClientSASLAuth="true")
    with tls.start(directory, pki, props=props) as server:
        yield server


@pytest.fixture
def words(tmp_path, pki):
    """words(user, password, ca): the options of a command."""

    def make(user="bob", password="secret", trust="ca.pem"):
        jaas, settings = tmp_path / "jaas.conf", tmp_path / "client.properties"
        jaas.write_text(test_sasl.jaas_text("Client", test_sasl.LOGIN_MODULE,
                                            {"username": user, "password": password}))  # fmt: skip
        settings.write_text(
            "zookeeper.client.secure=true\nzookeeper.ssl.trustStore.location=%s\n"
            "zookeeper.ssl.keyStore.location=%s\n" % (pki.path(trust), pki.path("alice.pem"))
        )
        return ["--client-configuration", str(settings), "--jaas", str(jaas)]

    return make


def zokor(*args, env=None):
    return subprocess.run(
        [*server_module.server_command(), *args],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=600,
        env={**os.environ, **(env or {})},
    )


def test_every_workload(guarded, words):
    host = "localhost:%d" % guarded.secure_port
    for seconds in ("0.3", "3", "20"):  # longer where a disk that stalls has let nothing through
        run = zokor("bench", "--servers", host, "--json", "-c", "5", "-d", "3", "--threads", "2", *words(), *SHORT,
                    "--seconds", seconds)  # fmt: skip
        assert run.returncode == 0 and run.stderr == "", run.stderr
        rows = [json.loads(line) for line in run.stdout.splitlines()]
        if all(row["operations"] > 0 for row in rows):
            break
    assert len(rows) == 11
    for row in rows:
        assert row["errors"] == 0 and row["operations"] > 0 and row["tls"] is True and row["sasl"] is True, row


def test_large_values(guarded, words):
    """Frames of many records, both ways."""
    host = "localhost:%d" % guarded.secure_port
    size = ["-c", "2", "-s", "300000"]
    run = zokor("bench", "set", "get", "--servers", host, "--json", *size, *words(), *SHORT, "-n", "2")
    assert run.returncode == 0, run.stderr
    assert all(json.loads(line)["errors"] == 0 for line in run.stdout.splitlines())


def test_for_people(guarded, words):
    run = zokor("bench", "ping", "--servers", "localhost:%d" % guarded.secure_port, *words(), *SHORT)
    assert run.returncode == 0 and ", tls: yes, sasl: yes; " in run.stdout.splitlines()[0], run.stdout
    settings, jaas = words()[:2], words()[2:]
    run = zokor("bench", "ping", "--servers", guarded.hosts, *jaas, *SHORT)
    assert run.returncode == 0 and ", sasl: yes; " in run.stdout and "tls" not in run.stdout
    flags = "-Dzookeeper.client.secure=true " + " ".join("-D" + x for x in open(settings[1]).read().split())
    run = zokor("bench", "ping", "--servers", "localhost:%d" % guarded.secure_port, *jaas, *SHORT,
                env={"CLIENT_JVMFLAGS": flags})  # fmt: skip
    assert run.returncode == 0 and "tls: yes" in run.stdout


@pytest.mark.parametrize(
    "how, says",
    [
        (dict(password="wrong"), "the server refused the login by SASL"),
        (dict(trust="other-ca.pem"), "trust"),
        (dict(trust="nothing.pem"), "nothing.pem"),
    ],
)
def test_refused(guarded, words, how, says):
    run = zokor("bench", "ping", "--servers", "localhost:%d" % guarded.secure_port, *words(**how), *SHORT,
                "--give-up", "5")  # fmt: skip
    assert run.returncode == 1 and says in run.stderr, run.stderr


def test_settings_of_no_use(guarded, tmp_path):
    run = zokor("bench", "ping", "--servers", guarded.hosts, "--jaas", str(tmp_path / "none"), *SHORT)
    assert run.returncode == 1 and "No such file" in run.stderr
    run = zokor("bench", "ping", "--servers", guarded.hosts, "--client-configuration", str(tmp_path / "none"), *SHORT)
    assert run.returncode == 1 and "Error processing" in run.stderr
    run = zokor("bench", "ping", "--servers", guarded.hosts, *SHORT)
    assert run.returncode == 1 and run.stderr != ""


def test_a_lock(guarded, words):
    host = "localhost:%d" % guarded.secure_port
    run = zokor("lock", "/bench-lock", "--servers", host, *words(), "--", "echo", "held")
    assert run.returncode == 0 and run.stdout == "held\n", run.stderr


def test_a_server_that_comes_back(tmp_path, pki, words):
    """Every connection greets and logs in again."""
    props = test_sasl.sasl_props(tmp_path, sessionRequireClientSASLAuth="true")
    with tls.start(tmp_path / "server", pki, props=props) as own:
        host = "localhost:%d" % own.secure_port
        command = [*server_module.server_command(), "bench", "set", "--servers", host, "--json", *words(), *SHORT]
        process = subprocess.Popen(
            [*command, "--seconds", "5", "--give-up", "60"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        before = own.zxid()
        while own.zxid() < before + 100:
            assert process.poll() is None, process.communicate()
            time.sleep(0.05)
        own.restart(kill=True)
        out, err = process.communicate(timeout=120)
        (row,) = [json.loads(line) for line in out.splitlines()]
        assert row["operations"] > 0 and row["reconnects"] > 0, err
        assert set(row["error_counts"]) <= {"CONNECTION_LOSS"}


@pytest.mark.skipif(missing_java() is not None, reason=str(missing_java()))
def test_apaches_server(tmp_path, words):
    with servers_of("apache"):
        server = server_module.Server(tmp_path / "server", props=test_sasl.sasl_props(tmp_path)).start()
    try:
        run = zokor("bench", "set", "get", "--servers", server.hosts, "--json", *words()[2:], *SHORT)
        assert run.returncode == 0, run.stderr
        assert all(json.loads(line)["sasl"] for line in run.stdout.splitlines())
    finally:
        server.kill()


@test_sasl_kerberos.pytestmark
def test_kerberos(tmp_path):
    kdc = test_sasl_kerberos.Kdc(tmp_path)
    try:
        with server_module.Server(tmp_path / "server", **kdc.server_options()) as server:
            env = {
                "KRB5_CONFIG": kdc.env["KRB5_CONFIG"],
                "KRB5CCNAME": str(tmp_path / "none"),
                "ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0",
            }
            jaas = kdc.jaas("Client", "bob", test_sasl_kerberos.USERS["bob"])
            host = "localhost:%d" % server.port
            many = ["-c", "6", "--threads", "2"]
            run = zokor("bench", "get", "--servers", host, "--json", "--jaas", jaas, *many, *SHORT, env=env)
            assert run.returncode == 0 and json.loads(run.stdout)["sasl"] is True, run.stderr
    finally:
        kdc.stop()
