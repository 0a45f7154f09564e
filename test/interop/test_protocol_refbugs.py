"""Mistakes of the reference server that are not copied; each test shows what is done instead."""
import pytest

import zkraw
from ensemble import undisturbed
from zkraw import ALL, BAD_ARGUMENTS, CHANGED, UNIMPLEMENTED, Client, i32, text


@pytest.mark.ours(
    "createTTL with a plain flag and a negative ttl ends the server and poisons its log"
)
@pytest.mark.parametrize("flags", [0, 1, 2, 3, 4])
@pytest.mark.parametrize("ttl", [-1, -5, -(2**63)])
def test_create_ttl_with_a_plain_flag_and_negative_ttl(zk, base, srv, flags, ttl):
    assert zk.ttl(base + "/x", ttl, flags=flags).err == BAD_ARGUMENTS
    assert zk.exists(base + "/x").err == zkraw.NO_NODE
    assert srv.running()


@pytest.mark.ours(
    "createTTL with a plain flag and a negative ttl ends the server and poisons its log"
)
@pytest.mark.parametrize("flags", [0, 1, 2, 3, 4])
def test_create_ttl_with_a_plain_flag_in_a_multi(zk, base, srv, flags):
    reply = zk.multi([zkraw.m_create_ttl(base + "/x", -1, flags=flags)])
    assert reply.err == 0 and [r[1] for r in reply.results] == [BAD_ARGUMENTS]
    assert srv.running() and zk.ls(base).children == []


@pytest.mark.ours("a quota on the root ends the server and poisons its log")
def test_quota_on_the_root_is_ignored(own_server):
    srv = own_server(props={"zookeeper.enforceQuota": "true"})
    zk = Client(srv.port)
    assert (
        zk.create("/zookeeper/quota/zookeeper_limits", "count=1,bytes=1=;countHardLimit=1").err == 0
    )
    assert zk.create("/zookeeper/quota/zookeeper_stats", "count=0,bytes=0").err == 0
    assert zk.create("/a", b"12345").err == 0
    assert zk.create("/b", b"12345").err == 0
    zk.drop()
    srv.restart(kill=True)
    zk = Client(srv.port)
    assert zk.ls("/zookeeper/quota").children == ["zookeeper_limits", "zookeeper_stats"]
    assert zk.delete("/zookeeper/quota/zookeeper_limits").err == 0
    assert zk.ls("/").children == ["a", "b", "zookeeper"]


NONSENSE = [
    b"k",
    b"",
    b"count",
    b"count=abc,bytes=x",
    b"=,=,=",
    b"\xff\xfe\x00",
    b"count=99999999999999999999",
    None,
    b",;,;,;",
    b"count=1=2=3,bytes=1",
    b"count=5,bytes=5=;countHardLimit=zz",
]


@pytest.mark.ours("limits that do not parse throw while a transaction is applied")
@pytest.mark.parametrize("limits", NONSENSE, ids=repr)
def test_limits_that_do_not_parse_are_no_limit(own_server, limits):
    srv = own_server(props={"zookeeper.enforceQuota": "true"})
    zk = Client(srv.port)
    zk.create("/q")
    zk.create("/zookeeper/quota/q", None)
    assert zk.create("/zookeeper/quota/q/zookeeper_limits", limits).err == 0
    assert zk.create("/zookeeper/quota/q/zookeeper_stats", b"nonsense").err == 0
    for i in range(3):
        assert zk.create("/q/n%d" % i, b"data").err == 0
    assert zk.set("/q", b"more data").err == 0
    assert zk.set("/zookeeper/quota/q/zookeeper_stats", b"\xff nonsense again").err == 0
    assert zk.create("/q/last", b"data").err == 0
    zk.drop()
    srv.restart(kill=True)
    assert Client(srv.port).ls("/q").children == ["last", "n0", "n1", "n2"]


@pytest.mark.ours("deleteContainer of any client deletes any empty node without a permission")
@pytest.mark.parametrize("body", [text("/x"), b"/x", b"", text(None)])
def test_delete_container_is_refused_from_clients(zk, other, base, body):
    node = base + "/protected"
    other.create(node)
    if body == text("/x"):
        body = text(node)
    reply = zk.call(zkraw.DELETE_CONTAINER, body)
    assert (reply.zxid, reply.err) == (-1, UNIMPLEMENTED)
    assert zk.closed_by_peer()
    assert other.exists(node).err == 0


@pytest.mark.ours("createSession of any client is carried out")
@undisturbed
def test_create_session_is_refused_from_clients(connect, other):
    zk = connect()
    before = other.ping().zxid
    reply = zk.call(zkraw.CREATE_SESSION, i32(10000))
    assert (reply.zxid, reply.err) == (-1, UNIMPLEMENTED)
    assert zk.closed_by_peer()
    assert other.ping().zxid == before, "nothing was logged"


@pytest.mark.since39("a passing check outside multi is never answered by 3.8")
def test_a_passing_check_outside_multi_is_answered(zk, base):
    assert zk.check(base, 0).err == UNIMPLEMENTED


@pytest.mark.since39("3.8 answers for the watches of others")
def test_check_watches_is_about_the_asking_connection(zk, other, base):
    other.get(base, True)
    other.ls(base, True)
    other.add_watch(base, 0)
    for kind in (1, 2, 3, 4, 5):
        assert zk.check_watches(base, kind).err == zkraw.NO_WATCHER


@pytest.mark.ours("setWatches tells of nodes that may not be read")
def test_set_watches_does_not_tell_of_unreadable_nodes(zk, other, base):
    other.auth("digest", "o:o")
    owner_only = [(ALL, "digest", zkraw.digest_id("o", "o"))]
    node = base + "/secret"
    since = zk.ping().zxid
    other.create(node, acl=owner_only)
    other.set(node, b"x")
    other.create(node + "/k")
    zk.set_watches(since, data=[node], exist=[node], child=[node])
    assert zk.take_events() == []
    other.set_watches(since, data=[node])
    assert other.take_events() == [(CHANGED, node)]


def test_sequential_create_blocked_by_an_explicit_name_is_compatible(zk, base):
    zk.create(base + "/s-0000000001")
    assert zk.create(base + "/s-", flags=2).err == zkraw.NODE_EXISTS
