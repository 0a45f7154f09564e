"""Logins by SASL of the command line, and of the commands over recipes, on our servers and on Apache's."""
import os
import subprocess

import cli_tools
import pytest
import server as server_module
import test_sasl
import test_sasl_kerberos
from conftest import missing_java
from ensemble import tried
from server import servers_of

CLIENTS = {"Client": ("bob", "secret"), "Alice": ("alice", "wonder land"), "Wrong": ("bob", "wrong")}


@pytest.fixture(scope="module", params=["ours", "apache"])
def kind(request):
    if request.param == "apache" and missing_java() is not None:
        pytest.skip(missing_java())
    return request.param


@pytest.fixture(scope="module")
def login_srv(kind, tmp_path_factory):
    directory = tmp_path_factory.mktemp("login-" + kind)
    with servers_of(kind):
        server = server_module.Server(directory, props=test_sasl.sasl_props(directory)).start()
    yield server
    server.kill()
    server.check_log()


@pytest.fixture(scope="module")
def jaas(tmp_path_factory):
    path = tmp_path_factory.mktemp("jaas") / "client.conf"
    path.write_text(
        "".join(
            test_sasl.jaas_text(section, test_sasl.LOGIN_MODULE, {"username": user, "password": password})
            for section, (user, password) in CLIENTS.items()
        )
    )
    return str(path)


def ask(srv, *words, flags="", stdin=subprocess.DEVNULL, env=None):
    env = cli_tools.environment(CLIENT_JVMFLAGS=flags, **(env or {}))
    return cli_tools.one_shot(srv.hosts, "-q", *words, env=env, stdin=stdin)


def test_a_jaas_file(login_srv, jaas):
    status, out, err = ask(login_srv, "--jaas", jaas, "whoami")
    assert status == 0 and "sasl: bob" in out, err
    status, out, err = ask(login_srv, "--jaas", jaas, "--sasl-section", "Alice", "whoami")
    assert status == 0 and "sasl: alice" in out, err


def test_as_for_java(login_srv, jaas, tmp_path):
    flags = "-D%s=%s" % (test_sasl.JAAS_KEY, jaas)
    assert "sasl: bob" in ask(login_srv, "whoami", flags=flags)[1]
    assert "sasl: alice" in ask(login_srv, "whoami", flags=flags + " -Dzookeeper.sasl.clientconfig=Alice")[1]
    assert not any("sasl" in x for x in ask(login_srv, "whoami", flags=flags + " -Dzookeeper.sasl.client=false")[1])
    path = tmp_path / "client.properties"
    path.write_text("zookeeper.sasl.clientconfig=Alice\n")
    status, out, _ = ask(login_srv, "-client-configuration", str(path), "whoami", flags=flags)
    assert status == 0 and "sasl: alice" in out


def test_rights(login_srv, jaas):
    assert ask(login_srv, "--jaas", jaas, "create", "/bobs", "x", "sasl:bob:cdrwa")[0] == 0
    assert ask(login_srv, "--jaas", jaas, "get", "/bobs")[:2] == (0, ["x"])
    status, _, err = ask(login_srv, "--jaas", jaas, "--sasl-section", "Alice", "get", "/bobs")
    assert status == 1 and "Insufficient permission : /bobs" in err
    assert ask(login_srv, "get", "/bobs")[0] == 1
    assert ask(login_srv, "--jaas", jaas, "delete", "/bobs")[0] == 0


@pytest.mark.parametrize("how", ["one", "pipe", "wait"])
def test_refused(login_srv, jaas, how):
    words = ["--jaas", jaas, "--sasl-section", "Wrong"]
    if how == "pipe":
        status, out, err = ask(login_srv, *words, stdin=b"ls /\n")
    elif how == "wait":
        status, out, err = ask(login_srv, *words, "-waitforconnection", "ls", "/")
    else:
        status, out, err = ask(login_srv, *words, "ls", "/")
    assert status == 1 and out == []
    assert any(x.startswith("KeeperErrorCode = AuthFailed") for x in err), err
    assert any("the server refused the login by SASL" in x for x in err), err


def test_what_is_of_no_use(login_srv, jaas, tmp_path):
    status, _, err = ask(login_srv, "--jaas", jaas, "--sasl-section", "Nobody", "ls", "/")
    assert status == 1 and "has no section Nobody" in err[0]
    status, _, err = ask(login_srv, "--jaas", str(tmp_path / "none"), "ls", "/")
    assert status == 1 and "No such file" in err[0]
    status, _, err = ask(login_srv, "--sasl-section", "Client", "ls", "/")
    assert status == 2 and "--jaas FILE" in err[0]
    other = tmp_path / "other.conf"  # for a server, say
    other.write_text(test_sasl.jaas_text("Server", test_sasl.LOGIN_MODULE, {"user_x": "y"}))
    status, out, _ = ask(login_srv, "whoami", flags="-D%s=%s" % (test_sasl.JAAS_KEY, other))
    assert status == 0 and not any("sasl" in x for x in out)


@pytest.mark.skipif(missing_java() is not None, reason=str(missing_java()))
@pytest.mark.skipif(test_sasl.ZKCLI is None, reason="Debian's package zookeeper (zkCli.sh) is not installed")
def test_what_zkcli_prints(login_srv, jaas):
    """Both tell of the login by the same event."""
    flags = "-D%s=%s" % (test_sasl.JAAS_KEY, jaas)
    texts = ["WatchedEvent state:%s type:None" % x for x in ("SyncConnected", "SaslAuthenticated")] + ["sasl: bob"]

    def zkcli_prints_them():  # if it does not end before its thread of events has come to it
        theirs = test_sasl.run_zkcli(login_srv.hosts, flags, "whoami")
        assert all(text in theirs for text in texts), theirs

    tried(zkcli_prints_them)
    env = cli_tools.environment(CLIENT_JVMFLAGS=flags)
    ours = "\n".join(cli_tools.one_shot(login_srv.hosts, "whoami", env=env)[1])
    assert all(text in ours for text in texts), ours


def test_commands_over_recipes(login_srv, jaas):
    def lock(*words, env=None):
        return subprocess.run(
            [*server_module.server_command(), "lock", "/cli-lock", "--servers", login_srv.hosts, *words,
             "--", "echo", "held"],
            env={**os.environ, **(env or {})}, capture_output=True, text=True, timeout=60,
        )  # fmt: skip

    assert lock("--jaas", jaas).stdout == "held\n"
    flags = "-D%s=%s" % (test_sasl.JAAS_KEY, jaas)
    assert lock(env={"CLIENT_JVMFLAGS": flags}).stdout == "held\n"
    refused = lock("--jaas", jaas, "--sasl-section", "Wrong")
    assert refused.returncode == 1 and "do not believe who this is" in refused.stderr, refused.stderr
    assert lock("--jaas", "/nowhere").returncode == 1


@pytest.fixture(scope="module")
def kdc(tmp_path_factory):
    kdc = test_sasl_kerberos.Kdc(tmp_path_factory.mktemp("kdc"))
    yield kdc
    kdc.stop()


@test_sasl_kerberos.pytestmark
def test_kerberos(kind, kdc, tmp_path):
    """The words that zkCli.sh takes."""
    with servers_of(kind):
        server = server_module.Server(tmp_path, **kdc.server_options()).start()
    try:
        bob = kdc.jaas("Client", "bob", test_sasl_kerberos.USERS["bob"])
        flags = "-D%s=%s -Djava.security.krb5.conf=%s" % (test_sasl.JAAS_KEY, bob, kdc.env["KRB5_CONFIG"])
        env = cli_tools.environment(
            CLIENT_JVMFLAGS=flags,
            KRB5CCNAME=str(tmp_path / "none"),
            ASAN_OPTIONS=os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0",
        )
        status, out, err = cli_tools.one_shot("localhost:%d" % server.port, "-q", "whoami", env=env)
        assert status == 0 and "sasl: bob@" + test_sasl_kerberos.REALM in out, err
        env["CLIENT_JVMFLAGS"] += " -Dzookeeper.server.principal=zookeeper/localhost@" + test_sasl_kerberos.REALM
        status, out, err = cli_tools.one_shot(server.hosts, "-q", "whoami", env=env)
        assert status == 0 and "sasl: bob@" + test_sasl_kerberos.REALM in out, err
    finally:
        server.kill()
        server.check_log()
