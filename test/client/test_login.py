"""The client library's logins by SASL, on our servers and on Apache's."""
import contextlib
import os
import shutil
import subprocess

import pytest
import server as server_module
import test_sasl
import test_sasl_kerberos
from conftest import HERE, ROOT, missing_java
from cutter import Cutter
from ensemble import Ensemble, has_apache
from server import servers_of

BOB = ["user=bob", "password=" + test_sasl.USERS["bob"]]
REFUSED = ["state -113", "created -115", "at last -113", "closed 0"]


@pytest.fixture(scope="module", params=["ours", "apache"])
def kind(request):
    if request.param == "apache" and missing_java() is not None:
        pytest.skip(missing_java())
    with servers_of(request.param):
        if server_module.server_command() is None:
            pytest.skip("no server to test")
    return request.param


@pytest.fixture(scope="module")
def start(kind):
    """start(directory, ...) starts a server of this kind."""

    @contextlib.contextmanager
    def it(directory, **options):
        with servers_of(kind):
            server = server_module.Server(directory, **options).start()
        try:
            yield server
        finally:
            server.kill()
            server.check_log()

    return it


@pytest.fixture(scope="module")
def srv(kind, start, tmp_path_factory):
    directory = tmp_path_factory.mktemp("login-" + kind)
    with servers_of(kind):
        props = test_sasl.sasl_props(directory)
    with start(directory, props=props) as server:
        yield server


@pytest.fixture(scope="module")
def program(build, tmp_path_factory):
    source = os.path.join(HERE, "sasl.c")
    return build.compile(tmp_path_factory.mktemp("sasl-program") / "sasl", source)


def run(build, program, host, *words, env=None):
    out = subprocess.run(
        [program, host, *words],
        env={**build.env(), **(env or {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=180,
    ).stdout
    assert "ERROR: " not in out and "WARNING: ThreadSanitizer" not in out, out
    return out


def lines_of(out):
    """What the program itself said."""
    return [line for line in out.splitlines() if not line.startswith("log ")]


def file_of(tmp_path, name, text):
    path = tmp_path / name
    path.write_text(text)
    return str(path)


def test_user_and_password(build, program, srv):
    out = run(build, program, srv.hosts, "zokor", *BOB)
    assert lines_of(out) == ["state 3", "created 0", "who 0 sasl:bob ip:127.0.0.1", "at last 3", "closed 0"] or (
        "who 0 ip:127.0.0.1 sasl:bob" in out
    ), out


def test_without_threads(build, program, srv):
    out = run(build, program, srv.hosts, "polled", *BOB)
    assert lines_of(out) == ["state 3", "created 0", "at last 3", "closed 0"], out


@pytest.mark.parametrize("user", ["ren\u00e9", "\u0436\u0443\u043a", "alice"])
def test_names_and_passwords_of_all_kinds(build, program, srv, tmp_path, user):
    path = file_of(tmp_path, "password", test_sasl.USERS[user] + "\nanother line\n")
    out = run(build, program, srv.hosts, "zokor", "user=" + user, "password_file=" + path)
    assert "sasl:%s" % user in out, out


@pytest.mark.parametrize("more", [[], ["host=zk-sasl-md5"], ["realm=zk-sasl-md5"]])
def test_as_apache_writes_it(build, program, srv, tmp_path, more):
    path = file_of(tmp_path, "password", "secret\nanother line\n")
    words = ["user=bob", "mechanism=DIGEST-MD5", "password_file=" + path, *more]
    assert "sasl:bob" in run(build, program, srv.hosts, "apache", *words)


def test_a_function_makes_the_password(build, program, srv, tmp_path):
    path = file_of(tmp_path, "password", "terces\n")
    words = ["user=bob", "mechanism=DIGEST-MD5", "backwards=1", "password_file="]
    assert "sasl:bob" in run(build, program, srv.hosts, "apache", *words[:-1], words[-1] + path)
    out = run(build, program, srv.hosts, "apache", *words[:-1], words[-1] + str(tmp_path / "none"))
    assert lines_of(out) == REFUSED, out


def jaas(tmp_path, **sections):
    text = "".join(
        test_sasl.jaas_text(name, test_sasl.LOGIN_MODULE, {"username": user, "password": password})
        for name, (user, password) in sections.items()
    )
    return "jaas=" + file_of(tmp_path, "jaas.conf", text)


def test_by_a_jaas_file(build, program, srv, tmp_path):
    path = jaas(tmp_path, Client=("bob", "secret"), Other=("alice", "wonder land"))
    assert "sasl:bob" in run(build, program, srv.hosts, "zokor", path)
    assert "sasl:alice" in run(build, program, srv.hosts, "zokor", path, "jaas_section=Other")


@pytest.mark.parametrize("words", [["user=bob", "password=wrong"], ["user=nobody", "password=none"]])
@pytest.mark.parametrize("how", ["zokor", "polled"])
def test_refused(build, program, srv, words, how):
    """Nothing of the session works, and the log says whose word it was."""
    out = run(build, program, srv.hosts, how, *words)
    assert lines_of(out) == REFUSED, out
    assert "the server refused the login by SASL" in out


def test_a_server_without_logins(build, program, kind, start, tmp_path):
    with start(tmp_path / "server") as server:
        out = run(build, program, server.hosts, "zokor", *BOB)
        assert lines_of(out) == REFUSED, out
        assert "the login by SASL has failed: the server takes no logins by SASL" in out


def test_a_failed_login_is_no_login(build, program, kind, start, tmp_path):
    """Also where the server would go on with the connection."""
    with servers_of(kind):
        props = test_sasl.sasl_props(tmp_path, allowSaslFailedClients="true")
    with start(tmp_path / "server", props=props) as server:
        out = run(build, program, server.hosts, "zokor", "user=bob", "password=wrong")
        assert lines_of(out) == REFUSED, out


def test_a_server_that_serves_no_other(build, program, kind, start, tmp_path):
    with servers_of(kind):
        props = test_sasl.sasl_props(tmp_path, sessionRequireClientSASLAuth="true")
    with start(tmp_path / "server", props=props) as server:
        assert "created 0" in run(build, program, server.hosts, "zokor", *BOB)


def test_every_connection_logs_in(build, program, srv):
    """A node that only bob may read is read on the second connection."""
    cutter = Cutter(srv.port, server_module.free_port(), 0)
    child = subprocess.Popen(
        [program, "127.0.0.1:%d" % cutter.port, "zokor", *BOB],
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
        assert lines.count("state 3") == 2 and "read 0" in lines, lines
        assert len([x for x in lines if x.startswith("who 0 ") and "sasl:bob" in x]) == 2, lines
    finally:
        child.kill()
        child.wait()
        cutter.close()


@pytest.mark.parametrize("kinds", ["zzz", "zza"])
def test_the_next_server_of_an_ensemble(build, program, tmp_path, kinds):
    """The server dies; the session goes on at another one, which is told by the client who it is."""
    if kinds == "zza" and not has_apache():
        pytest.skip("needs java and Debian's zookeeper")
    with servers_of("ours"):
        props = test_sasl.sasl_props(tmp_path, sessionRequireClientSASLAuth="true")
        with Ensemble(tmp_path / "ensemble", voters=kinds, props=props) as e:
            e.wait_serving()
            child = subprocess.Popen(
                [program, ",".join(m.hosts for m in e), "zokor", *BOB],
                env=dict(build.env(), AGAIN="1"),
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
            try:
                lines = []
                for line in child.stdout:
                    lines.append(line.strip())
                    if line.startswith("on "):
                        port = int(line.rsplit(":", 1)[1])
                        next(m for m in e if m.port == port).kill()
                assert child.wait(60) == 0, lines
                assert lines.count("state 3") == 2 and "read 0" in lines and "closed 0" in lines, lines
                assert len([x for x in lines if x.startswith("who 0 ") and "sasl:bob" in x]) == 2, lines
            finally:
                child.kill()
                child.wait()


def test_many_at_once(build, program, srv):
    """libsasl2 guards nothing by itself. Some handles are closed in the middle of a login."""
    out = run(build, program, srv.hosts, "zokor", *BOB, "many=1")
    assert lines_of(out).count("well") == 8, out


def test_connections_that_break_in_the_middle(build, program, srv):
    """A login takes some 500 bytes each way. To lose a connection in it is no refusal."""
    cutter = Cutter(srv.port, server_module.free_port(), 1500)
    try:
        out = run(build, program, "127.0.0.1:%d" % cutter.port, "zokor", *BOB, "persist=1")
        assert "persisted 0, some were lost" in out, out
        assert "state -113" not in out and cutter.cuts > 3
    finally:
        cutter.close()


# -- what is wrong before there is a connection -------------------------------------------------------


@pytest.mark.parametrize(
    "words, says",
    [
        (["user=bob"], "the user bob needs a password, or a file that it stands in"),
        (["mechanism=DIGEST-MD5"], "DIGEST-MD5 needs the name of a user"),
        (["jaas=/nowhere/jaas.conf"], "/nowhere/jaas.conf: No such file or directory"),
    ],
)
def test_options_of_no_use(build, program, words, says):
    out = run(build, program, "127.0.0.1:1", "zokor", *words)
    assert "no handle: Invalid argument" in out and says in out, out


def test_a_jaas_file_of_no_use(build, program, tmp_path):
    path = jaas(tmp_path, Server=("bob", "secret"))
    out = run(build, program, "127.0.0.1:1", "zokor", path)
    assert "no handle: No such file or directory" in out and "has no section Client" in out, out
    path = "jaas=" + file_of(tmp_path, "wrong.conf", "Client { org.example.Login required; };")
    out = run(build, program, "127.0.0.1:1", "zokor", path)
    assert "no handle: Invalid argument" in out and "another login module" in out, out


def test_the_library_is_missing(build, program, tmp_path):
    """A file of that name that is none is found first."""
    file_of(tmp_path, "libsasl2.so.2", "")
    env = {"LD_LIBRARY_PATH": "%s:%s" % (tmp_path, build.dir)}
    out = run(build, program, "127.0.0.1:1", "zokor", *BOB, env=env)
    assert "no handle: Function not implemented" in out, out
    assert "SASL needs the library libsasl2.so.2: " in out and "package libsasl2-2" in out, out


def test_a_mechanism_is_missing(build, program, srv):
    out = run(build, program, srv.hosts, "zokor", "mechanism=SCRAM-SHA-1", *BOB)
    assert lines_of(out) == REFUSED, out
    assert "libsasl2 cannot do SCRAM-SHA-1" in out


def test_the_library_is_not_loaded_without_need(build):
    out = subprocess.run(["ldd", build.library], capture_output=True, text=True, check=True).stdout
    assert "sasl" not in out and "gssapi" not in out


def test_headers_need_no_others(build, tmp_path):
    """Neither of Cyrus's headers nor of its library, unless a program asks for Apache's calls."""
    source = file_of(
        tmp_path,
        "plain.c",
        "#include <zokor/client.h>\n#ifdef SASL_OK\n#error\n#endif\n"
        "int main(void) { return sizeof(struct zokor_sasl) == 0; }\n",
    )
    command = [build.compiler, "-std=c17", "-Wall", "-Werror", "-c", "-I" + os.path.join(ROOT, "include")]
    subprocess.run([*command, "-o", str(tmp_path / "plain.o"), source], check=True)


# -- Kerberos -----------------------------------------------------------------------------------------

needs_kdc = test_sasl_kerberos.pytestmark


@pytest.fixture(scope="module")
def kdc(tmp_path_factory):
    kdc = test_sasl_kerberos.Kdc(tmp_path_factory.mktemp("kdc"))
    yield kdc
    kdc.stop()


@pytest.fixture(scope="module")
def realm_srv(kind, kdc, start, tmp_path_factory):
    with servers_of(kind):
        options = kdc.server_options()
    with start(tmp_path_factory.mktemp("kerberos-" + kind), **options) as server:
        yield server


def kerberos_env(kdc, tmp_path):
    """No ticket of the machine is used; the libraries of Kerberos keep some bytes until the process ends."""
    sanitizer = os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0"
    return {
        "KRB5_CONFIG": kdc.env["KRB5_CONFIG"],
        "KRB5CCNAME": str(tmp_path / "tickets"),
        "ASAN_OPTIONS": sanitizer,
    }


def key_of(kdc, who):
    user = test_sasl_kerberos.USERS[who]
    return ["principal=%s@%s" % (user, test_sasl_kerberos.realm_of(who)), "keytab=" + kdc.path(who + ".keytab")]


@needs_kdc
def test_a_key_tab(build, program, kdc, realm_srv, tmp_path):
    host = "localhost:%d" % realm_srv.port
    out = run(build, program, host, "zokor", *key_of(kdc, "bob"), env=kerberos_env(kdc, tmp_path))
    assert "created 0" in out and "sasl:bob@" + test_sasl_kerberos.REALM in out, out
    assert not (tmp_path / "tickets").exists()


@needs_kdc
def test_a_key_tab_by_a_jaas_file(build, program, kdc, realm_srv, tmp_path):
    host, path = "localhost:%d" % realm_srv.port, kdc.jaas("Client", "app", test_sasl_kerberos.USERS["app"])
    out = run(build, program, host, "zokor", "jaas=" + path, env=kerberos_env(kdc, tmp_path))
    assert "sasl:app/h1.example@" + test_sasl_kerberos.REALM in out, out


@needs_kdc
@pytest.mark.skipif(shutil.which("kinit") is None, reason="needs Debian's package krb5-user")
@pytest.mark.parametrize("how", ["zokor", "apache", "polled"])
def test_tickets_that_are_there(build, program, kdc, realm_srv, tmp_path, how):
    env = kerberos_env(kdc, tmp_path)
    subprocess.run(
        ["kinit", "-k", "-t", kdc.path("bob.keytab"), "bob"], env={**kdc.env, **env}, check=True, timeout=60
    )
    host = "localhost:%d" % realm_srv.port
    out = run(build, program, host, how, "mechanism=GSSAPI", env=env)
    assert "created 0" in out, out
    where = str(tmp_path / "tickets")
    env["KRB5CCNAME"] = str(tmp_path / "elsewhere")
    if how == "zokor":
        assert "created 0" in run(build, program, host, how, "ticket_cache=" + where, env=env)
    out = run(build, program, host, how, "mechanism=GSSAPI", env=env)
    assert lines_of(out) == REFUSED and "the login by SASL has failed: " in out, out


@needs_kdc
def test_a_key_tab_of_no_use(build, program, kdc, realm_srv, tmp_path):
    env = kerberos_env(kdc, tmp_path)
    words = [key_of(kdc, "bob")[0], "keytab=" + str(tmp_path / "none.keytab")]
    out = run(build, program, "localhost:%d" % realm_srv.port, "zokor", *words, env=env)
    assert lines_of(out) == REFUSED and "no ticket: " in out and "none.keytab" in out, out


@needs_kdc
def test_a_server_of_another_name(build, program, kdc, realm_srv, tmp_path):
    """The KDC knows no such service; host= says what it is called."""
    env = kerberos_env(kdc, tmp_path)
    out = run(build, program, realm_srv.hosts, "zokor", *key_of(kdc, "bob"), env=env)
    assert lines_of(out) == REFUSED and "the login by SASL has failed: " in out, out
    out = run(build, program, realm_srv.hosts, "zokor", "host=localhost", *key_of(kdc, "bob"), env=env)
    assert "created 0" in out, out
