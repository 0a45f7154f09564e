"""Servers that log in among themselves by Kerberos: ours alone and beside Apache's, with a KDC of the test's own."""
import os
import time

import pytest
from ensemble import Ensemble, until
from server import use_apache
from test_ensemble_sasl import JAAS_KEY, REQUIRED, lives_through
from test_ensemble_sasl import jaas as passwords
from test_ensemble_tls import START_S, needs_apache
from test_sasl import PROVIDER
from test_sasl_kerberos import MODULE, REALM, Kdc
from test_sasl_kerberos import pytestmark as needs_kdc

pytestmark = [needs_kdc, pytest.mark.skipif(use_apache(), reason="starts its own servers")]

MEMBER = "zkquorum/localhost"


@pytest.fixture(scope="module")
def kdc(tmp_path_factory):
    kdc = Kdc(tmp_path_factory.mktemp("kdc"))
    for name, principal in (("member", MEMBER), ("nohost", "zkquorum"), ("elsewhere", "zkquorum/elsewhere.example")):
        kdc.admin(REALM, "addprinc -randkey " + principal)
        kdc.admin(REALM, "ktadd -k %s %s" % (kdc.path(name + ".keytab"), principal))
    yield kdc
    kdc.stop()


def section(kdc, name, keytab, principal):
    options = {
        "useKeyTab": "true",
        "keyTab": kdc.path(keytab + ".keytab"),
        "storeKey": "true",
        "useTicketCache": "false",
        "principal": "%s@%s" % (principal, REALM),
    }
    words = " ".join('%s="%s"' % kv for kv in options.items())
    return "%s {\n    %s required %s;\n};\n" % (name, MODULE, words)


def jaas(kdc, directory, keytab="member", principal=MEMBER):
    """The service's section is that of every member, the learner's that of one."""
    path = os.path.join(str(directory), "jaas-" + keytab)
    with open(path, "w") as f:
        f.write(section(kdc, "QuorumServer", "member", MEMBER) + section(kdc, "QuorumLearner", keytab, principal))
    return path


def ensemble(kdc, directory, kinds, **more):
    conf = kdc.write_krb5_conf(REALM)
    props = {JAAS_KEY: jaas(kdc, directory)}
    e = Ensemble(directory, kinds, extra=REQUIRED + ["quorum.auth.kerberos.servicePrincipal=zkquorum/_HOST"],
                 props=props, **more)  # fmt: skip
    sanitizer = os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0"
    for m in e:
        # Principals have names of hosts.
        m.extra = [x.replace("=127.0.0.1:", "=localhost:") if x.startswith("server.") else x for x in m.extra]
        m.env = {**m.env, "KRB5_CONFIG": conf, "ASAN_OPTIONS": sanitizer}
        if m.kind == "a":
            m.props["java.security.krb5.conf"] = conf
    return e


@pytest.mark.parametrize("kinds", ["zzz"] + [pytest.param(x, marks=needs_apache) for x in ("zza", "aaz")])
def test_they_log_in(tmp_path, kdc, kinds):
    with ensemble(kdc, tmp_path, kinds) as e:
        lives_through(e)
        assert "mechanism=GSSAPI" in "".join(m.log() for m in e if m.kind == "z")


@pytest.mark.parametrize("kinds", ["zzz"] + [pytest.param(x, marks=needs_apache) for x in ("zza",)])
def test_full_names_of_hosts(tmp_path, kdc, kinds):
    """kerberos.canonicalizeHostNames: the server lines have addresses, the principals names."""
    e = ensemble(kdc, tmp_path, kinds)
    for m in e:
        m.extra = [x.replace("=localhost:", "=127.0.0.1:") if x.startswith("server.") else x for x in m.extra]
        m.props["zookeeper.kerberos.canonicalizeHostNames"] = "true"
    with e:
        e.wait_serving(START_S)
        until(lambda: "quorum.canonical host=127.0.0.1 name=localhost" in e[1].log())


@pytest.mark.parametrize("name, principal", [("nohost", "zkquorum"), ("elsewhere", "zkquorum/elsewhere.example")])
def test_a_principal_must_be_on_a_host_of_the_ensemble(tmp_path, kdc, name, principal):
    """CVE-2023-44981: one without a host was let in."""
    e = ensemble(kdc, tmp_path, "zzz")
    e[1].props[JAAS_KEY] = jaas(kdc, tmp_path, name, principal)
    with e:
        for m in (e[2], e[3]):
            m.wait_serving(START_S)
        until(lambda: "is on no host of the ensemble" in e[2].log() + e[3].log(), 60)
        assert e[1].mode() == ""
        assert all(m.running() for m in e)


def test_clients_by_kerberos_and_servers_by_passwords(tmp_path, kdc):
    """One file with both kinds of sections."""
    e = ensemble(kdc, tmp_path, "zzz")
    path = passwords(tmp_path, "jaas-both")
    with open(path, "a") as f:
        f.write(section(kdc, "Server", "server", "zookeeper/localhost"))
    for m in e:
        m.props[JAAS_KEY] = path
        m.props["zookeeper.authProvider.1"] = PROVIDER
    with e:
        e.wait_serving()
        for m in e:
            until(lambda m=m: "mechanism=GSSAPI" in m.log() and "mechanism=DIGEST-MD5" in m.log())


def test_without_a_ticket_it_says_why(tmp_path, kdc):
    """A key tab that has not the key: the server lives, tries again, and the others go on."""
    e = ensemble(kdc, tmp_path, "zzz")
    e[1].props[JAAS_KEY] = jaas(kdc, tmp_path, "bob", MEMBER)
    with e:
        for m in (e[2], e[3]):
            m.wait_serving(START_S)
        until(lambda: "no ticket" in e[1].log() and kdc.path("bob.keytab") in e[1].log(), 60)
        assert e[1].mode() == ""
        assert all(m.running() for m in e)


def test_tickets_end(tmp_path, kdc):
    """A server that logs in again when its ticket has ended asks for another one."""
    kdc.admin(REALM, "modprinc -maxlife 1second " + MEMBER)
    with ensemble(kdc, tmp_path, "zzz") as e:
        e.wait_serving(START_S)
        time.sleep(2)
        lead = e.leader()
        lead.kill()
        e.wait_serving(START_S)
        lead.start(wait=False)
        lead.wait_serving(START_S)
        e.check_same(["/"])
