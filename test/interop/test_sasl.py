"""SASL on the client port: DIGEST-MD5 with users of a JAAS file, by raw frames, kazoo and zkCli.sh."""
import hashlib
import os
import re
import shutil
import subprocess

import pytest

import server as server_module
import zkraw
from zkraw import ALL, READ

PROVIDER = "org.apache.zookeeper.server.auth.SASLAuthenticationProvider"
LOGIN_MODULE = "org.apache.zookeeper.server.auth.DigestLoginModule"
USERS = {
    "bob": "secret",
    "alice": "wonder land",
    "ren\u00e9": "\u00e9t\u00e9",
    "\u0436\u0443\u043a": "\u043b\u0435\u0442\u043e",
    "admin": "hush",
    "super": "s",
}
JAAS_KEY = "java.security.auth.login.config"
CLOSED_REQUIRE_SASL = -124
ZKCLI = shutil.which("zkCli.sh", path="/usr/share/zookeeper/bin:" + os.environ["PATH"])


def jaas_text(section, module, options):
    words = " ".join('%s="%s"' % kv for kv in options.items())
    return "%s {\n    %s required %s;\n};\n" % (section, module, words)


def sasl_props(directory, users=None, section="Server", **props):
    """Properties of a server with these users; keys in props with dots written as __."""
    path = os.path.join(str(directory), "jaas.conf")
    options = {"user_" + name: password for name, password in (users or USERS).items()}
    with open(path, "w", encoding="utf-8") as f:
        f.write("// users\n" + jaas_text(section, LOGIN_MODULE, options))
    out = {JAAS_KEY: path, "zookeeper.authProvider.1": PROVIDER, "file.encoding": "UTF-8"}
    if not server_module.use_apache():
        del out["file.encoding"]
    out.update(("zookeeper." + key.replace("__", "."), value) for key, value in props.items())
    return out


# -- DIGEST-MD5, the client's side (RFC 2831) --------------------------------------------------------


def md5(data):
    return hashlib.md5(data).digest()


def fields(challenge):
    return {
        k.decode(): v.strip(b'"') for k, v in re.findall(rb'([\w-]+)=("[^"]*"|[^,]*)', challenge)
    }


def hashed_as(s):
    """RFC 2831, 2.1.2.1: what ISO 8859-1 can write is hashed so, in spite of charset=utf-8."""
    try:
        return s.encode("latin-1")
    except UnicodeEncodeError:
        return s.encode()


def answers(challenge, user, password, acts_for=None):
    """The client's answer, and the server's proof that is expected for it."""
    got = fields(challenge)
    cnonce, uri = b"cnonceofthetest", b"zookeeper/zk-sasl-md5"
    secret = b":".join([hashed_as(user), got["realm"], hashed_as(password)])
    a1 = b":".join([md5(secret), got["nonce"], cnonce])
    if acts_for is not None:
        a1 += b":" + acts_for.encode()
    key = md5(a1).hex().encode()

    def response(method):
        middle = b":".join([got["nonce"], b"00000001", cnonce, b"auth"])
        a2 = md5(method + b":" + uri).hex().encode()
        return md5(key + b":" + middle + b":" + a2).hex().encode()

    out = b'charset=utf-8,username="%s",realm="%s",nonce="%s",nc=00000001,cnonce="%s"' % (
        user.encode(),
        got["realm"],
        got["nonce"],
        cnonce,
    )
    out += b',digest-uri="%s",maxbuf=65536,response=%s,qop=auth' % (uri, response(b"AUTHENTICATE"))
    if acts_for is not None:
        out += b',authzid="%s"' % acts_for.encode()
    return out, b"rspauth=" + response(b"")


def token(reply):
    r = zkraw.Reader(reply.body)
    value = r.bytes()
    assert r.left() == 0
    return value


def sasl(client, data):
    return client.call(zkraw.SASL, zkraw.text(data))


def log_in(client, user, password, acts_for=None):
    """The last reply."""
    first = sasl(client, b"")
    assert (first.err, first.zxid) == (0, 0)
    answer, proof = answers(token(first), user, password, acts_for)
    reply = sasl(client, answer)
    assert reply.zxid == 0
    if reply.err == 0:
        assert token(reply) in (proof, None)
    return reply


def who_am_i(client):
    reply = client.call(zkraw.WHO_AM_I)
    assert reply.err == 0
    r = zkraw.Reader(reply.body)
    return sorted(r.vector(lambda: (r.text(), r.text())))


class Login:
    """A client that has logged in."""

    def __init__(self, srv, user, **options):
        self.client = zkraw.Client(srv.port, **options)
        reply = log_in(self.client, user, USERS[user])
        assert reply.err == 0 and token(reply).startswith(b"rspauth=")

    def __enter__(self):
        return self.client

    def __exit__(self, *exc):
        self.client.drop()


@pytest.fixture(scope="module")
def srv(tmp_path_factory):
    """One server with users; admin is one of its super users."""
    directory = tmp_path_factory.mktemp("sasl")
    props = sasl_props(directory, superUser="nobody", superUser__2="admin")
    with server_module.Server(directory, props=props) as server:
        yield server
        if not server_module.use_apache():
            assert server.stop() == 0, server.log()[-4000:]


# -- logins ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("user", ["bob", "alice", "ren\u00e9", "\u0436\u0443\u043a"])
def test_a_user_logs_in(srv, user):
    with Login(srv, user) as client:
        assert who_am_i(client) == [("ip", "127.0.0.1"), ("sasl", user)]
        assert client.exists("/").err == 0


def test_the_challenge(srv):
    with zkraw.Client(srv.port) as client:
        got = fields(token(sasl(client, b"")))
        assert got["realm"] == b"zk-sasl-md5"
        assert got["algorithm"] == b"md5-sess"
        assert got["charset"] == b"utf-8"
        assert got.get("qop", b"auth") == b"auth"
        assert len(got["nonce"]) > 20


@pytest.mark.parametrize(
    "user, password", [("bob", "Secret"), ("bob", ""), ("stranger", "x"), ("alice", "secret")]
)
def test_a_wrong_login_is_told_and_cut_off(srv, user, password):
    with zkraw.Client(srv.port) as client:
        reply = log_in(client, user, password)
        assert (reply.err, token(reply)) == (zkraw.AUTH_FAILED, None)
        assert client.closed_by_peer()
        # the session lives on
        again = dict(session_id=client.session_id, password=client.password)
        with zkraw.Client(srv.port, **again) as back:
            assert back.granted_ms > 0
            assert who_am_i(back) == [("ip", "127.0.0.1")]


@pytest.mark.ours("the name of the login before stays in SaslServerCallbackHandler, and so its password")
def test_an_unknown_user_does_not_get_in_by_the_password_of_the_one_before(srv):
    with Login(srv, "bob"), zkraw.Client(srv.port) as client:
        assert log_in(client, "nobody", USERS["bob"]).err == zkraw.AUTH_FAILED


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"x",
        b"username=",
        b'username="bob"',
        b'username="bob",' * 200,
        b"\0" * 40,
        b"=," * 3000,
        b"a" * 100000,
    ],
)
def test_garbage_is_a_wrong_login(srv, data):
    with zkraw.Client(srv.port) as client:
        sasl(client, b"")
        reply = sasl(client, data)
        assert (reply.err, token(reply)) == (zkraw.AUTH_FAILED, None)
        assert client.closed_by_peer()


def test_an_answer_is_for_its_own_challenge(srv):
    with zkraw.Client(srv.port) as one, zkraw.Client(srv.port) as two:
        answer, _ = answers(token(sasl(one, b"")), "bob", USERS["bob"])
        sasl(two, b"")
        assert sasl(two, answer).err == zkraw.AUTH_FAILED
        assert sasl(one, answer).err == 0


def test_nobody_becomes_another_by_asking(srv):
    """The id is the one whose password was shown, whatever the client wants to act as."""
    with zkraw.Client(srv.port) as client:
        assert log_in(client, "bob", USERS["bob"], acts_for="admin").err == 0
        assert who_am_i(client) == [("ip", "127.0.0.1"), ("sasl", "bob")]


def test_a_login_counts_for_what_follows_in_the_same_segment(srv):
    with zkraw.Client(srv.port) as client:
        answer, _ = answers(token(sasl(client, b"")), "bob", USERS["bob"])
        body = zkraw.text("/segment") + zkraw.text(b"") + zkraw.acls([(ALL, "auth", "")])
        frames = [
            zkraw.i32(90) + zkraw.i32(zkraw.SASL) + zkraw.text(answer),
            zkraw.i32(91) + zkraw.i32(zkraw.CREATE) + body + zkraw.i32(0),
        ]
        client.send_bytes(b"".join(zkraw.i32(len(f)) + f for f in frames))
        replies = sorted((client.recv() for _ in range(2)), key=lambda reply: reply.xid)
        assert [(r.xid, r.err) for r in replies] == [(90, 0), (91, 0)]
        assert client.get_acl("/segment").acl == [(ALL, "sasl", "bob")]
        assert client.delete("/segment").err == 0


# -- what a login is good for ------------------------------------------------------------------------


def test_lists_for_users(srv):
    with Login(srv, "bob") as bob, Login(srv, "alice") as alice, zkraw.Client(srv.port) as other:
        mine = [(ALL, "sasl", "bob")]
        assert bob.create("/bobs", b"mine", acl=mine).err == 0
        assert bob.get("/bobs").data == b"mine"
        assert alice.get("/bobs").err == zkraw.NO_AUTH
        assert other.get("/bobs").err == zkraw.NO_AUTH
        assert alice.set_acl("/bobs", zkraw.OPEN).err == zkraw.NO_AUTH
        assert bob.set_acl("/bobs", mine + [(READ, "sasl", "alice")]).err == 0
        assert alice.get("/bobs").data == b"mine"
        assert alice.set("/bobs", b"x").err == zkraw.NO_AUTH
        # anybody may name any user in a list
        assert other.create("/alices", acl=[(ALL, "sasl", "alice")]).err == 0
        assert other.delete("/alices").err == 0
        assert bob.create("/bobs/auth", acl=[(ALL, "auth", "")]).err == 0
        assert bob.get_acl("/bobs/auth").acl == [(ALL, "sasl", "bob")]
        assert bob.delete("/bobs/auth").err == 0
        assert bob.delete("/bobs").err == 0


def test_a_super_user_may_do_everything(srv):
    with Login(srv, "bob") as bob, Login(srv, "admin") as admin:
        assert ("super", "") in who_am_i(admin)
        assert bob.create("/closed", b"b", acl=[(ALL, "sasl", "bob")]).err == 0
        assert bob.create("/closed/digest", acl=[(ALL, "digest", "x:y")]).err == 0
        assert admin.get("/closed").data == b"b"
        assert admin.set("/closed/digest", b"x").err == 0
        assert admin.delete("/closed/digest").err == 0
        assert admin.delete("/closed").err == 0


def test_the_user_super_has_the_rights_of_every_sasl_user(srv):
    """As SASLAuthenticationProvider.matches: without being a super user of the configuration."""
    with Login(srv, "bob") as bob, Login(srv, "super") as client:
        assert ("super", "") not in who_am_i(client)
        assert bob.create("/s", b"b", acl=[(ALL, "sasl", "bob")]).err == 0
        assert bob.create("/s/digest", acl=[(ALL, "digest", "x:y")]).err == 0
        assert client.get("/s").data == b"b"
        assert client.get("/s/digest").err == zkraw.NO_AUTH
        assert bob.delete("/s/digest").err == 0
        assert client.delete("/s").err == 0


def test_a_session_keeps_its_login_only_as_long_as_the_connection(srv):
    with Login(srv, "bob") as bob:
        again = dict(session_id=bob.session_id, password=bob.password)
        with zkraw.Client(srv.port, **again) as back:
            assert who_am_i(back) == [("ip", "127.0.0.1")]
            assert log_in(back, "alice", USERS["alice"]).err == 0
            assert who_am_i(back) == [("ip", "127.0.0.1"), ("sasl", "alice")]


def test_many_logins_at_once(srv):
    clients = [zkraw.Client(srv.port) for _ in range(40)]
    try:
        challenges = [token(sasl(client, b"")) for client in clients]
        assert len(set(challenges)) == len(clients)
        for i in reversed(range(len(clients))):
            user = ("bob", "alice")[i % 2]
            assert sasl(clients[i], answers(challenges[i], user, USERS[user])[0]).err == 0
        for i, client in enumerate(clients):
            assert ("sasl", ("bob", "alice")[i % 2]) in who_am_i(client)
    finally:
        for client in clients:
            client.drop()


# -- other configurations ----------------------------------------------------------------------------


def test_without_a_login_of_the_server(own_server):
    """No JAAS file: an empty answer, and no such scheme in lists."""
    server = own_server()
    with zkraw.Client(server.port) as client:
        reply = sasl(client, b"")
        assert (reply.err, reply.zxid, token(reply)) == (0, 0, None)
        assert client.create("/x", acl=[(ALL, "sasl", "bob")]).err == zkraw.INVALID_ACL


def test_a_provider_alone_makes_lists_valid(own_server):
    server = own_server(props={"zookeeper.authProvider.1": PROVIDER})
    with zkraw.Client(server.port) as client:
        assert token(sasl(client, b"")) is None
        assert client.create("/x", acl=[(ALL, "sasl", "bob")]).err == 0
        assert client.get("/x").err == zkraw.NO_AUTH


def test_required_logins(own_server, tmp_path):
    server = own_server(props=sasl_props(tmp_path, sessionRequireClientSASLAuth="true"))
    for op, body in [(zkraw.PING, b""), (zkraw.EXISTS, zkraw.text("/") + b"\0")]:
        with zkraw.Client(server.port) as client:
            assert client.call(op, body).err == CLOSED_REQUIRE_SASL
            assert client.closed_by_peer()
    with zkraw.Client(server.port) as client:
        assert log_in(client, "bob", "wrong").err == CLOSED_REQUIRE_SASL
        assert client.closed_by_peer()
    with zkraw.Client(server.port) as client:  # another scheme is not enough
        client.auth("digest", "bob:secret")
        assert client.exists("/").err == CLOSED_REQUIRE_SASL
    with Login(server, "bob") as client:
        assert client.create("/x").err == 0
        assert client.call(zkraw.PING, xid=-2).err == 0


def test_failed_logins_may_be_allowed(own_server, tmp_path):
    server = own_server(props=sasl_props(tmp_path, allowSaslFailedClients="true"))
    with zkraw.Client(server.port) as client:
        reply = log_in(client, "bob", "wrong")
        assert (reply.err, token(reply)) == (0, None)
        assert client.create("/x").err == 0
        assert who_am_i(client) == [("ip", "127.0.0.1")]


def test_another_section_and_the_super_password(own_server, tmp_path):
    props = sasl_props(
        tmp_path,
        section="Keepers",
        sasl__serverconfig="Keepers",
        SASLAuthenticationProvider__superPassword="other",
    )
    server = own_server(props=props)
    with zkraw.Client(server.port) as client:
        assert log_in(client, "super", "other").err == 0
    with zkraw.Client(server.port) as client:
        assert log_in(client, "super", USERS["super"]).err == zkraw.AUTH_FAILED
    with Login(server, "bob") as client:
        assert ("sasl", "bob") in who_am_i(client)


def refuses_to_start(directory, props, says):
    server = server_module.Server(directory, props=props)
    server.spawn()
    assert server.wait(60) != 0
    if not server_module.use_apache():
        assert says in server.log(), server.log()
        assert "secret" not in server.log()


def test_mistakes_stop_the_start(tmp_path):
    props = sasl_props(tmp_path)
    missing = dict(props)
    missing[JAAS_KEY] = str(tmp_path / "nowhere.conf")
    refuses_to_start(tmp_path / "a", missing, "nowhere.conf")
    with open(props[JAAS_KEY], "a") as f:
        f.write('Other {\n  x.Y required user_bob="secret\n};\n')
    refuses_to_start(tmp_path / "b", props, "line 6: a string begins here and does not end")


def test_required_logins_need_the_provider(tmp_path):
    props = sasl_props(tmp_path, sessionRequireClientSASLAuth="true")
    del props["zookeeper.authProvider.1"]
    refuses_to_start(tmp_path / "a", props, "set authProvider.1=" + PROVIDER)


def test_a_file_without_the_section_is_for_others(own_server, tmp_path):
    props = sasl_props(tmp_path, section="Client")
    server = own_server(props=props)
    with zkraw.Client(server.port) as client:
        assert token(sasl(client, b"")) is None


@pytest.mark.skipif(server_module.use_apache(), reason="looks into /proc of our own process")
def test_the_library_is_loaded_only_if_it_is_needed(srv, own_server):
    def maps(pid):
        with open("/proc/%d/maps" % pid) as f:
            return f.read()

    assert "libsasl2" in maps(srv.pid)
    assert "libsasl2" not in maps(own_server().pid)


@pytest.mark.skipif(server_module.use_apache(), reason="a property of our own")
def test_with_threads_for_sockets(own_server, tmp_path):
    server = own_server(props=sasl_props(tmp_path, zokor__net__threads="2"))
    test_many_logins_at_once(server)
    test_a_wrong_login_is_told_and_cut_off(server, "bob", "wrong")
    test_a_login_counts_for_what_follows_in_the_same_segment(server)


# -- clients -----------------------------------------------------------------------------------------


def kazoo_client(srv, user, password):
    kazoo = pytest.importorskip("kazoo.client")
    pytest.importorskip("puresasl", reason="Debian's package python3-pure-sasl is not installed")
    options = {"mechanism": "DIGEST-MD5", "username": user, "password": password}
    return kazoo.KazooClient(hosts=srv.hosts, timeout=30, sasl_options=options if user else None)


def test_kazoo(srv):
    bob, alice = kazoo_client(srv, "bob", "secret"), kazoo_client(srv, "alice", USERS["alice"])
    from kazoo.exceptions import NoAuthError
    from kazoo.security import make_acl

    try:
        bob.start(60)
        alice.start(60)
        bob.create("/kazoo-sasl", b"k", acl=[make_acl("sasl", "bob", all=True)])
        assert bob.get("/kazoo-sasl")[0] == b"k"
        with pytest.raises(NoAuthError):
            alice.get("/kazoo-sasl")
        bob.delete("/kazoo-sasl")
    finally:
        for client in (bob, alice):
            client.stop()
            client.close()


def test_kazoo_with_a_wrong_password(srv):
    """kazoo calls itself connected before it logs in, so its start may return before the end."""
    client = kazoo_client(srv, "bob", "wrong")
    from kazoo.exceptions import KazooException
    from kazoo.protocol.states import KazooState

    lost = client.handler.event_object()
    why = []

    def on_state(state):  # asked for here: a start that fails closes the client behind it
        if state == KazooState.LOST:
            why.append(client.client_state)
            lost.set()

    client.add_listener(on_state)
    try:
        client.start(timeout=60)
    except (KazooException, client.handler.timeout_exception):
        pass
    assert lost.wait(60)
    assert why[0] == "AUTH_FAILED"
    client.stop()
    client.close()


def run_zkcli(hosts, flags, *command):
    """Standard output and error of one command of zkCli.sh."""
    run = subprocess.run(
        [ZKCLI, "-server", hosts, *command],
        env=dict(os.environ, CLIENT_JVMFLAGS="-XX:TieredStopAtLevel=1 -XX:+UseSerialGC " + flags),
        capture_output=True,
        text=True,
        timeout=120,
    )
    return run.stdout + run.stderr


def zkcli(srv, directory, user, password, *command):
    """The same, logged in as user."""
    path = os.path.join(str(directory), "%s.conf" % user)
    with open(path, "w") as f:
        f.write(jaas_text("Client", LOGIN_MODULE, {"username": user, "password": password}))
    return run_zkcli(srv.hosts, "-D%s=%s" % (JAAS_KEY, path), *command)


@pytest.mark.java
@pytest.mark.skipif(server_module.missing_java() is not None, reason=str(server_module.missing_java()))
@pytest.mark.skipif(ZKCLI is None, reason="Debian's package zookeeper (zkCli.sh) is not installed")
def test_the_java_client(srv, tmp_path):
    out = zkcli(srv, tmp_path, "bob", "secret", "create", "/java-sasl", "j", "sasl:bob:cdrwa")
    assert "Created /java-sasl" in out, out
    assert "sasl" in zkcli(srv, tmp_path, "bob", "secret", "whoami")
    assert "\nj\n" in zkcli(srv, tmp_path, "bob", "secret", "get", "/java-sasl")
    refused = zkcli(srv, tmp_path, "alice", USERS["alice"], "get", "/java-sasl")
    assert "NoAuth" in refused or "Insufficient permission" in refused, refused
    assert "\nj\n" not in refused
    failed = zkcli(srv, tmp_path, "bob", "wrong", "get", "/java-sasl")
    assert "AuthFailed" in failed or "AUTH_FAILED" in failed, failed
    assert "\nj\n" not in failed
    zkcli(srv, tmp_path, "bob", "secret", "delete", "/java-sasl")
    with zkraw.Client(srv.port) as client:
        assert client.exists("/java-sasl").err == zkraw.NO_NODE
