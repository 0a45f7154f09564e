"""SASL by Kerberos on the client port: a KDC of the test's own, key tabs, and zkCli.sh as the client."""
import os
import shutil
import socket
import subprocess
import time

import pytest

import server as server_module
import test_sasl
import zkraw
from test_sasl import JAAS_KEY, PROVIDER, jaas_text, sasl, token

REALM = "ZOKOR.TEST"
ELSEWHERE = "OTHER.TEST"
MODULE = "com.sun.security.auth.module.Krb5LoginModule"
USERS = {"bob": "bob", "app": "app/h1.example", "other": "other", "stranger": "bob"}
PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
PROGRAMS = ("krb5kdc", "kdb5_util", "kadmin.local")
PLUGIN = "/usr/lib/%s-linux-gnu/sasl2/libgssapiv2.so" % os.uname().machine

pytestmark = pytest.mark.skipif(
    not all(shutil.which(p, path=PATH) for p in PROGRAMS) or not os.path.exists(PLUGIN),
    reason="needs Debian's packages krb5-kdc, krb5-admin-server, libsasl2-modules-gssapi-mit",
)


def realm_of(who):
    return ELSEWHERE if who == "stranger" else REALM


class Kdc:
    """The realm of the service zookeeper/localhost with some users, and another one that it trusts,
    which has a bob, too; on a port of 127.0.0.1.
    """

    def __init__(self, directory):
        self.directory = str(directory)
        self.port = server_module.free_port()
        self.env = {
            **os.environ,
            "PATH": PATH,
            "KRB5_CONFIG": self.write_krb5_conf(REALM),
            "KRB5_KDC_PROFILE": self.path("kdc.conf"),
        }
        self.write_kdc_conf()
        for realm in (REALM, ELSEWHERE):
            self.call("kdb5_util", "create", "-s", "-P", "master", "-r", realm)
            self.admin(realm, "addprinc -pw trust krbtgt/%s@%s" % (REALM, ELSEWHERE))
        for who, principal in {"server": "zookeeper/localhost", **USERS}.items():
            self.admin(realm_of(who), "addprinc -randkey " + principal)
            self.admin(realm_of(who), "ktadd -k %s %s" % (self.path(who + ".keytab"), principal))
        with open(self.path("out"), "wb") as out:
            self.process = subprocess.Popen(
                ["krb5kdc", "-n", "-r", REALM, "-r", ELSEWHERE], env=self.env, stdout=out, stderr=out
            )
        self.wait()

    def path(self, name):
        return os.path.join(self.directory, name)

    def where(self):
        return "127.0.0.1:%d" % self.port

    def write_krb5_conf(self, default_realm):
        """Path of what Kerberos reads on a machine of that realm."""
        path = self.path("krb5-%s.conf" % default_realm)
        with open(path, "w") as f:
            f.write("[libdefaults]\ndefault_realm = %s\n" % default_realm)
            f.write("dns_lookup_kdc = false\ndns_canonicalize_hostname = false\nrdns = false\n")
            f.write("udp_preference_limit = 1\n")
            f.write("default_keytab_name = %s\n[realms]\n" % self.path("none.keytab"))
            for realm in (REALM, ELSEWHERE):
                f.write("%s = {\nkdc = %s\n}\n" % (realm, self.where()))
            f.write("[domain_realm]\nlocalhost = %s\n" % REALM)
            f.write("[capaths]\n%s = {\n%s = .\n}\n" % (ELSEWHERE, REALM))
        return path

    def write_kdc_conf(self):
        with open(self.path("kdc.conf"), "w") as f:
            f.write('[kdcdefaults]\nkdc_listen = ""\nkdc_tcp_listen = %s\n' % self.where())
            f.write("[realms]\n")
            for realm in (REALM, ELSEWHERE):
                f.write("%s = {\ndatabase_name = %s\n" % (realm, self.path(realm + ".principals")))
                f.write("key_stash_file = %s\n" % self.path(realm + ".stash"))
                f.write("acl_file = %s\n}\n" % self.path("acl"))
            f.write("[logging]\nkdc = FILE:%s\n" % self.path("kdc.log"))

    def admin(self, realm, command):
        self.call("kadmin.local", "-r", realm, "-q", command)

    def call(self, *command):
        done = subprocess.run(command, env=self.env, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stdout + done.stderr

    def wait(self):
        for _ in range(1200):
            assert self.process.poll() is None, open(self.path("out")).read()
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return
            except OSError:
                time.sleep(0.05)
        raise TimeoutError("the KDC does not answer")

    def stop(self):
        self.process.terminate()
        self.process.wait(60)

    def jaas(self, section, who, principal):
        """Path of a JAAS file with a login by key tab."""
        options = {
            "useKeyTab": "true",
            "keyTab": self.path(who + ".keytab"),
            "storeKey": "true",
            "useTicketCache": "false",
            "principal": "%s@%s" % (principal, realm_of(who)),
        }
        path = self.path("%s-%s.jaas" % (section, who))
        with open(path, "w") as f:
            f.write(jaas_text(section, MODULE, options))
        return path

    def server_options(
        self, who="server", principal="zookeeper/localhost", default_realm=REALM, **props
    ):
        out = {JAAS_KEY: self.jaas("Server", who, principal), "zookeeper.authProvider.1": PROVIDER}
        krb5_conf = self.write_krb5_conf(default_realm)
        if server_module.use_apache():
            out["java.security.krb5.conf"] = krb5_conf
        out.update(("zookeeper." + key.replace("__", "."), value) for key, value in props.items())
        # The libraries of Kerberos keep some bytes of their own until the process ends.
        sanitizer = os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0"
        return {"props": out, "env": {"KRB5_CONFIG": krb5_conf, "ASAN_OPTIONS": sanitizer}}

    def zkcli(self, srv, who, *command):
        flags = "-D%s=%s -Djava.security.krb5.conf=%s" % (
            JAAS_KEY,
            self.jaas("Client", who, USERS[who]),
            self.env["KRB5_CONFIG"],
        )
        return test_sasl.run_zkcli("localhost:%d" % srv.port, flags, *command)


@pytest.fixture(scope="module")
def kdc(tmp_path_factory):
    kdc = Kdc(tmp_path_factory.mktemp("kdc"))
    yield kdc
    kdc.stop()


@pytest.fixture(scope="module")
def srv(kdc, tmp_path_factory):
    options = kdc.server_options(superUser="app/h1.example@" + REALM)
    with server_module.Server(tmp_path_factory.mktemp("kerberos"), **options) as server:
        yield server
        if not server_module.use_apache():
            assert server.stop() == 0, server.log()[-4000:]


@pytest.fixture(scope="module")
def mapped(kdc, tmp_path_factory):
    """A server whose rules know both realms."""
    options = kdc.server_options(
        security__auth_to_local=RULES,
        kerberos__removeHostFromPrincipal="true",
        kerberos__removeRealmFromPrincipal="true",
    )
    with server_module.Server(tmp_path_factory.mktemp("mapped"), **options) as server:
        yield server


java = [
    pytest.mark.java,
    pytest.mark.skipif(server_module.missing_java() is not None, reason=str(server_module.missing_java())),
    pytest.mark.skipif(test_sasl.ZKCLI is None, reason="Debian's package zookeeper (zkCli.sh) is not installed"),
]


def needs_java(test):
    for mark in java:
        test = mark(test)
    return test


@needs_java
def test_lists_for_principals(kdc, srv):
    bob = "sasl:bob@%s:cdrwa" % REALM
    assert "sasl: bob@" + REALM in kdc.zkcli(srv, "bob", "whoami")
    assert "Created /krb" in kdc.zkcli(srv, "bob", "create", "/krb", "j", bob)
    assert "\nj\n" in kdc.zkcli(srv, "bob", "get", "/krb")
    refused = kdc.zkcli(srv, "other", "get", "/krb")
    assert "NoAuth" in refused or "Insufficient permission" in refused, refused
    # a super user of the configuration, with a host in its principal
    assert "\nj\n" in kdc.zkcli(srv, "app", "get", "/krb")
    out = kdc.zkcli(srv, "app", "whoami")
    assert "sasl: app/h1.example@" + REALM in out and "super: " in out, out
    kdc.zkcli(srv, "bob", "delete", "/krb")
    with zkraw.Client(srv.port) as client:
        assert client.exists("/krb").err == zkraw.NO_NODE


@needs_java
@pytest.mark.parametrize(
    "host, realm, name",
    [(True, False, "app@" + REALM), (False, True, "app/h1.example"), (True, True, "app")],
)
def test_parts_of_a_principal_may_be_cut(kdc, own_server, host, realm, name):
    server = own_server(
        **kdc.server_options(
            kerberos__removeHostFromPrincipal=str(host).lower(),
            kerberos__removeRealmFromPrincipal=str(realm).lower(),
        )
    )
    assert "sasl: %s\n" % name in kdc.zkcli(server, "app", "whoami")


@needs_java
@pytest.mark.parametrize("default_realm", [REALM, ELSEWHERE])
@pytest.mark.ours("no rule fits a principal of a realm that is not the default one")
def test_only_users_of_the_default_realm_lose_their_realm(kdc, own_server, default_realm):
    """Two realms have a bob, and no configuration of the machine makes one of them the other."""
    options = kdc.server_options(
        default_realm=default_realm, kerberos__removeRealmFromPrincipal="true"
    )
    server = own_server(**options)
    for who in ("bob", "stranger"):
        name = "bob" if realm_of(who) == default_realm else "bob@" + realm_of(who)
        out = kdc.zkcli(server, who, "whoami")
        assert "sasl: %s\n" % name in out, out


@needs_java
@pytest.mark.parametrize("default_realm", [REALM, ELSEWHERE])
@pytest.mark.ours("no rule fits a principal of a realm that is not the default one")
def test_users_keep_their_realm(kdc, own_server, default_realm):
    server = own_server(**kdc.server_options(default_realm=default_realm))
    for who in ("bob", "stranger"):
        out = kdc.zkcli(server, who, "whoami")
        assert "sasl: bob@%s\n" % realm_of(who) in out, out


RULES = (
    r"RULE:[2:$1;$2](app;h[0-9]\.example)s/;.*/_group/ "
    r"RULE:[1:$1@$0](b.b@OTHER\.TEST)s/(.*)@([A-Z]+)\..*/$1_of_$2/ RULE:[1:$1@$0](other@.*) DEFAULT"
)


@needs_java
@pytest.mark.parametrize(
    "who, name",
    [("bob", "bob"), ("stranger", "bob_of_OTHER"), ("app", "app_group"), ("other", "other@" + REALM)],
)
def test_rules_make_ids(kdc, mapped, who, name):
    """The last one's rule fits, but what it makes is no short name, and so the principal stays whole."""
    assert "sasl: %s\n" % name in kdc.zkcli(mapped, who, "whoami")


@needs_java
def test_lists_hold_for_the_ids_that_rules_make(kdc, mapped):
    path = "/mapped"
    assert "Created " + path in kdc.zkcli(mapped, "bob", "create", path, "j", "sasl:bob_of_OTHER:cdrwa")
    refused = kdc.zkcli(mapped, "bob", "get", path)
    assert "NoAuth" in refused or "Insufficient permission" in refused, refused
    assert "\nj\n" in kdc.zkcli(mapped, "stranger", "get", path)


@needs_java
def test_host_and_realm_follow_the_name_that_rules_make(kdc, own_server):
    server = own_server(**kdc.server_options(security__auth_to_local=RULES))
    assert "sasl: app_group/h1.example@%s\n" % REALM in kdc.zkcli(server, "app", "whoami")


@pytest.mark.skipif(server_module.use_apache(), reason="Apache's finds them when the first client logs in")
def test_rules_that_cannot_be_read_stop_the_start(tmp_path):
    props = {"zookeeper.security.auth_to_local": "DEFAULT RULE:[1:$1](a[b)"}
    server = server_module.Server(tmp_path / "s", props=props)
    server.spawn()
    assert server.wait() == 2
    assert "security.auth_to_local: rule 2, RULE:[1:$1](a[b): the pattern in (), character 4" in server.log()


@needs_java
def test_a_login_may_be_required(kdc, own_server):
    server = own_server(**kdc.server_options(sessionRequireClientSASLAuth="true"))
    with zkraw.Client(server.port) as client:
        assert client.exists("/").err == test_sasl.CLOSED_REQUIRE_SASL
    assert "Created /x" in kdc.zkcli(server, "bob", "create", "/x", "j")


@pytest.mark.parametrize("data", [b"x", b"\x60\x82\xff\xff" + b"\x06" * 60, b"\0" * 40, b"a" * 100000])
def test_garbage_is_a_wrong_login(srv, data):
    with zkraw.Client(srv.port) as client:
        reply = sasl(client, data)
        assert (reply.err, token(reply)) == (zkraw.AUTH_FAILED, None)
        assert client.closed_by_peer()


@pytest.mark.skipif(server_module.use_apache(), reason="the words of our own log")
@pytest.mark.parametrize(
    "who, principal",
    [("none", "zookeeper/localhost"), ("bob", "zookeeper/localhost"), ("server", "zookeeper/elsewhere")],
)
def test_a_key_tab_without_the_key_stops_the_start(kdc, tmp_path, who, principal):
    server = server_module.Server(tmp_path / "s", **kdc.server_options(who, principal))
    server.spawn()
    assert server.wait(60) == 2
    assert "%s@%s" % (principal, REALM) in server.log()
    assert "see that the key tab %s can be read" % kdc.path(who + ".keytab") in server.log()
