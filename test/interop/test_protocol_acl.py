"""Access lists: input checks, permission tests, redaction, auth packets, super user, skipACL."""
import base64
import hashlib

import pytest

import zkraw
from zkraw import (
    ADMIN,
    ALL,
    AUTH_FAILED,
    CREATE_PERM,
    DELETE_PERM,
    INVALID_ACL,
    NO_AUTH,
    OPEN,
    READ,
    WRITE,
    Client,
    digest_id,
    i32,
    text,
)

WORLD = (ALL, "world", "anyone")

BAD_LISTS = {
    "null": None,
    "empty": [],
    "unknown scheme": [(ALL, "nosuch", "x")],
    "empty scheme": [(ALL, "", "")],
    "null scheme": [(ALL, None, "x")],
    "world somebody": [(ALL, "world", "somebody")],
    "world empty": [(ALL, "world", "")],
    "super": [(ALL, "super", "")],
    "sasl": [(ALL, "sasl", "x")],
    "x509": [(ALL, "x509", "CN=x")],
    "auth without ids": [(ALL, "auth", "")],
    "digest without colon": [(ALL, "digest", "x")],
    "digest empty": [(ALL, "digest", "")],
    "digest three parts": [(ALL, "digest", "a:b:c")],
    "digest without hash": [(ALL, "digest", "a:")],
    "ip short": [(ALL, "ip", "1.2.3")],
    "ip bits 33": [(ALL, "ip", "1.2.3.4/33")],
    "ip word": [(ALL, "ip", "localhost")],
    "ip 256": [(ALL, "ip", "1.2.3.256")],
    "ip empty": [(ALL, "ip", "")],
    "ip negative bits": [(ALL, "ip", "1.2.3.4/-1")],
    "ip bits not a number": [(ALL, "ip", "1.2.3.4/x")],
    "good then bad": [WORLD, (ALL, "nosuch", "x")],
}


@pytest.mark.parametrize("name", BAD_LISTS)
def test_list_is_refused(zk, base, name):
    assert zk.create(base + "/x", acl=BAD_LISTS[name]).err == INVALID_ACL
    assert zk.set_acl(base, BAD_LISTS[name]).err == INVALID_ACL
    assert zk.get_acl(base).acl == OPEN


@pytest.mark.parametrize("scheme", ["digest", "world", "ip"])
def test_null_id_is_refused(zk, base, scheme):
    """The reference answers -5, out of an exception; a checked refusal is as good."""
    assert zk.create(base + "/x", acl=[(ALL, scheme, None)]).err in (INVALID_ACL, zkraw.MARSHALLING)
    assert zk.exists(base + "/x").err == zkraw.NO_NODE


GOOD_LISTS = {
    "world": [WORLD],
    "ip": [(ALL, "ip", "1.2.3.4")],
    "ip prefix": [(ALL, "ip", "10.0.0.0/8")],
    "ip prefix 0": [(ALL, "ip", "1.2.3.4/0")],
    "ip prefix 32": [(ALL, "ip", "1.2.3.4/32")],
    "digest": [(ALL, "digest", "a:b")],
    "digest of nobody": [(ALL, "digest", ":b")],
    "no permissions": [(0, "world", "anyone"), (ADMIN, "world", "anyone")],
    "odd permissions": [
        (99, "world", "anyone"),
        (-1, "world", "anyone"),
        (2**31 - 1, "ip", "1.1.1.1"),
    ],
    "order": [
        (1, "ip", "9.9.9.9"),
        (2, "digest", "u:h"),
        (ADMIN, "world", "anyone"),
        (1, "ip", "1.1.1.1"),
    ],
}


@pytest.mark.parametrize("name", GOOD_LISTS)
def test_list_is_kept_as_sent(zk, superuser, base, name):
    assert zk.create(base + "/x", acl=GOOD_LISTS[name]).err == 0
    assert superuser.get_acl(base + "/x").acl == GOOD_LISTS[name]


@pytest.mark.since39("IPv6 in ip lists")
@pytest.mark.parametrize("literal", ["::1", "2001:db8::/32", "fe80::1/128", "::/0"])
def test_ipv6_literals(zk, superuser, base, literal):
    assert zk.create(base + "/x", acl=[(ALL, "ip", literal)]).err == 0
    assert superuser.get_acl(base + "/x").acl == [(ALL, "ip", literal)]


@pytest.mark.parametrize("literal", ["2001:db8::/129", "::g", "1::2::3"])
def test_bad_ipv6_literals(zk, base, literal):
    assert zk.create(base + "/x", acl=[(ALL, "ip", literal)]).err == INVALID_ACL


def test_duplicates_are_dropped_first_kept(zk, superuser, base):
    a, b = (READ, "ip", "1.1.1.1"), (ADMIN, "world", "anyone")
    zk.create(base + "/x", acl=[a, b, a, b, (WRITE, "ip", "1.1.1.1")])
    assert superuser.get_acl(base + "/x").acl == [a, b, (WRITE, "ip", "1.1.1.1")]


def test_auth_is_replaced_by_the_connections_ids(zk, base):
    zk.auth("digest", "u1:p1")
    zk.create(base + "/x", acl=[(READ | ADMIN, "auth", "ignored")])
    assert zk.get_acl(base + "/x").acl == [(READ | ADMIN, "digest", digest_id("u1", "p1"))]
    zk.auth("digest", "u2:p2")
    zk.create(base + "/y", acl=[(ALL, "auth", "")])
    assert sorted(zk.get_acl(base + "/y").acl) == sorted(
        (ALL, "digest", digest_id(*pair)) for pair in (("u1", "p1"), ("u2", "p2"))
    )


def test_auth_beside_other_entries(zk, base):
    zk.auth("digest", "u:p")
    zk.create(base + "/x", acl=[(READ, "world", "anyone"), (ALL, "auth", "")])
    assert zk.get_acl(base + "/x").acl == [
        (READ, "world", "anyone"),
        (ALL, "digest", digest_id("u", "p")),
    ]


# -- permission tests ------------------------------------------------------------------------------


def attempts(client, node):
    """Which of the five permissions the client has on the node, tried for real."""
    got = 0
    if client.get(node).err == 0:
        got |= READ
    if client.set(node, b"x").err == 0:
        got |= WRITE
    if client.create(node + "/new").err == 0:
        got |= CREATE_PERM
    if client.delete(node + "/old").err == 0:
        got |= DELETE_PERM
    if client.set_acl(node, client.acl_again).err == 0:
        got |= ADMIN
    return got


@pytest.mark.parametrize("perms", range(32))
def test_each_permission_allows_its_operations(zk, other, base, perms):
    node = base + "/n"
    zk.create(node)
    zk.create(node + "/old")
    other.acl_again = [(perms, "world", "anyone")]
    if perms == 0:
        other.acl_again = [(0, "world", "anyone"), (ALL, "ip", "9.9.9.9")]
    zk.set_acl(node, other.acl_again)
    assert attempts(other, node) == perms


@pytest.mark.parametrize(
    "entry, matches",
    [
        ("127.0.0.1", True),
        ("127.0.0.0/8", True),
        ("127.0.0.1/32", True),
        ("0.0.0.0/0", True),
        ("127.0.0.2", False),
        ("127.0.0.2/32", False),
        ("127.0.0.2/31", False),
        ("127.0.0.0/31", True),
        ("128.0.0.0/1", False),
        ("64.0.0.0/2", True),
        ("10.0.0.0/8", False),
        ("127.0.0.2/30", True),
    ],
)
def test_ip_prefixes(zk, base, entry, matches):
    node = base + "/n"
    zk.create(node, acl=[(READ, "ip", entry)])
    assert zk.get(node).err == (0 if matches else NO_AUTH)


def test_digest_users(zk, other, base):
    node = base + "/n"
    zk.create(node, b"secret", acl=[(ALL, "digest", digest_id("u", "p"))])
    assert zk.get(node).err == NO_AUTH
    assert zk.auth("digest", "u:wrong").err == 0
    assert zk.get(node).err == NO_AUTH
    assert zk.auth("digest", "u:p").err == 0
    assert zk.get(node).data == b"secret"
    assert other.get(node).err == NO_AUTH


def test_entries_add_up(zk, base):
    node = base + "/n"
    zk.create(node, acl=[(READ, "world", "anyone"), (WRITE, "ip", "127.0.0.1")])
    assert zk.get(node).err == 0 and zk.set(node).err == 0
    assert zk.set_acl(node, OPEN).err == NO_AUTH


def test_auth_is_in_force_for_requests_sent_right_after(zk, base):
    zk.create(base + "/n", acl=[(ALL, "digest", digest_id("u", "p"))])
    zk.send(zkraw.AUTH, i32(0) + text("digest") + text("u:p"), xid=-4)
    zk.send(zkraw.GET_DATA, text(base + "/n") + b"\0", xid=9)
    replies = sorted([zk.recv(), zk.recv()], key=lambda r: r.xid)
    assert [(r.xid, r.err) for r in replies] == [(-4, 0), (9, 0)]


def test_ids_end_with_the_connection(zk, connect, base):
    zk.create(base + "/n", acl=[(ALL, "digest", digest_id("u", "p"))])
    zk.auth("digest", "u:p")
    zk.drop()
    again = connect(session_id=zk.session_id, password=zk.password)
    assert again.get(base + "/n").err == NO_AUTH


# -- redaction -------------------------------------------------------------------------------------


def test_digests_are_redacted_without_admin(zk, other, base):
    acl = [
        (READ, "world", "anyone"),
        (ALL, "digest", digest_id("u", "p")),
        (1, "ip", "10.0.0.0/8"),
        (ALL, "digest", digest_id("v", "q")),
    ]
    node = base + "/n"
    zk.create(node, acl=acl)
    assert zk.get_acl(node).acl == [acl[0], (ALL, "digest", "u:x"), acl[2], (ALL, "digest", "v:x")]
    other.auth("digest", "u:p")
    assert other.get_acl(node).acl == acl


def test_digests_are_shown_to_super(zk, superuser, base):
    acl = [(READ, "world", "anyone"), (ALL, "digest", digest_id("u", "p"))]
    zk.create(base + "/n", acl=acl)
    assert superuser.get_acl(base + "/n").acl == acl


def test_redaction_changes_nothing_stored(zk, superuser, base):
    acl = [(READ, "world", "anyone"), (ALL, "digest", digest_id("u", "p"))]
    zk.create(base + "/n", acl=acl)
    zk.get_acl(base + "/n")
    assert superuser.get_acl(base + "/n").acl == acl


# -- auth packets ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "scheme, data",
    [
        ("nosuch", b"x"),
        ("world", b"anyone"),
        (None, b"x"),
        ("", b"x"),
        ("digest", None),
        ("auth", b""),
        ("super", b"super:test"),
    ],
)
def test_auth_refused_and_closed(zk, connect, scheme, data):
    reply = zk.auth(scheme, data)
    assert (reply.xid, reply.zxid, reply.err, reply.body) == (-4, 0, AUTH_FAILED, b"")
    assert zk.closed_by_peer()
    assert (
        connect(session_id=zk.session_id, password=zk.password).granted_ms > 0
    ), "the session survives"


@pytest.mark.parametrize(
    "scheme, data",
    [
        ("digest", b"u:p"),
        ("digest", b"nocolon"),
        ("digest", b""),
        ("ip", b"x"),
        ("ip", b""),
        ("digest", b"a:b:c"),
        ("digest", b"super:wrong"),
        ("digest", b"\xff\xfe:\x80"),
    ],
)
def test_auth_accepted(zk, scheme, data):
    reply = zk.auth(scheme, data)
    assert (reply.xid, reply.zxid, reply.err) == (-4, 0, 0)
    assert zk.ping().err == 0


def test_auth_xid_is_echoed_and_type_ignored(zk):
    reply = zk.call(zkraw.AUTH, i32(12345) + text("digest") + text("a:b"), xid=33)
    assert (reply.xid, reply.err) == (33, 0)


def test_ip_auth_adds_nothing(zk):
    zk.auth("ip", b"1.2.3.4")
    assert zk.who_am_i().value == [("ip", "127.0.0.1")]


# -- super -----------------------------------------------------------------------------------------


@pytest.fixture
def closed_node(zk, base):
    node = base + "/closed"
    zk.create(node)
    zk.create(node + "/old")
    zk.set_acl(node, [(0, "world", "anyone")])
    assert zk.get(node).err == NO_AUTH
    return node


def test_super_passes_every_check(superuser, closed_node):
    superuser.acl_again = [(0, "world", "anyone")]
    assert attempts(superuser, closed_node) == ALL
    assert superuser.get_acl(closed_node).err == 0


def test_super_is_named_by_who_am_i(superuser):
    assert superuser.who_am_i().value == [("digest", "super"), ("ip", "127.0.0.1"), ("super", "")]


def test_wrong_super_password_gives_no_power(zk, closed_node):
    assert zk.auth("digest", "super:guess").err == 0
    assert zk.get(closed_node).err == NO_AUTH
    assert zk.who_am_i().value == [("digest", "super"), ("ip", "127.0.0.1")]


def test_super_does_not_lift_versions(superuser, closed_node):
    assert superuser.set(closed_node, b"x", 99).err == zkraw.BAD_VERSION


def test_super_is_an_authenticated_digest_id(superuser, base):
    superuser.create(base + "/x", acl=[(ALL, "auth", "")])
    assert superuser.get_acl(base + "/x").acl == [(ALL, "digest", digest_id("super", "test"))]


def test_super_without_a_configured_digest(own_server):
    zk = Client(own_server().port)
    zk.create("/n", acl=[(0, "world", "anyone")])
    assert zk.auth("digest", "super:test").err == 0
    assert zk.get("/n").err == NO_AUTH


def test_super_may_write_the_config_node(own_server):
    import conftest

    zk = Client(own_server(props=conftest.SUPER_PROPS).port)
    zk.auth("digest", "super:" + conftest.SUPER_PASSWORD)
    assert zk.set_acl("/zookeeper/config", OPEN).err == 0


@pytest.mark.since39("the digest algorithm is a setting")
@pytest.mark.parametrize(
    "algorithm, name", [("SHA-256", "sha256"), ("SHA-512", "sha512"), ("SHA1", "sha1")]
)
def test_digest_algorithm(own_server, algorithm, name):
    def identity(user, password):
        secret = hashlib.new(name, ("%s:%s" % (user, password)).encode()).digest()
        return "%s:%s" % (user, base64.b64encode(secret).decode())

    zk = Client(
        own_server(
            props={
                "zookeeper.DigestAuthenticationProvider.digestAlg": algorithm,
                "zookeeper.DigestAuthenticationProvider.superDigest": identity("super", "s"),
            }
        ).port
    )
    zk.auth("digest", "u:p")
    zk.create("/n", acl=[(ALL, "auth", "")])
    assert zk.get_acl("/n").acl == [(ALL, "digest", identity("u", "p"))]
    zk.create("/closed", acl=[(0, "world", "anyone")])
    assert zk.get("/closed").err == NO_AUTH
    zk.auth("digest", "super:s")
    assert zk.get("/closed").err == 0


# -- skipACL ---------------------------------------------------------------------------------------


def test_skip_acl(own_server):
    zk = Client(own_server(props={"zookeeper.skipACL": "yes"}).port)
    zk.create("/n", b"v")
    zk.create("/n/old")
    zk.set_acl("/n", [(0, "world", "anyone")])
    zk.acl_again = [(0, "world", "anyone")]
    assert zk.get("/n").data == b"v"
    assert attempts(zk, "/n") == ALL
    assert zk.get_acl("/n").err == 0


def test_lists_outlive_a_restart(own_server):
    srv = own_server()
    zk = Client(srv.port)
    lists = {
        "/a": OPEN,
        "/b": [(READ, "world", "anyone"), (ALL, "ip", "127.0.0.1")],
        "/c": [(ALL, "ip", "127.0.0.1/32"), (ALL, "digest", "u:hash")],
    }
    for path, acl in lists.items():
        assert zk.create(path, acl=acl).err == 0
    srv.restart()
    zk = Client(srv.port)
    for path, acl in lists.items():
        assert zk.get_acl(path).acl == acl


# -- enforced authentication -----------------------------------------------------------------------


def test_enforced_authentication(own_server):
    srv = own_server(
        props={"zookeeper.enforce.auth.enabled": "true", "zookeeper.enforce.auth.schemes": "digest"}
    )
    zk = Client(srv.port)
    reply = zk.call(zkraw.EXISTS, text("/") + b"\0", xid=5)
    assert (reply.xid, reply.zxid, reply.err) == (5, 0, -124)
    assert zk.closed_by_peer()
    zk = Client(srv.port)
    assert zk.auth("digest", "u:p").err == 0
    assert zk.exists("/").err == 0
