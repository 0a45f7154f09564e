"""Quotas: the nodes below /zookeeper/quota, statistics, hard limits."""
import pytest

import zkraw
from server import Server
from zkraw import EPHEMERAL, NO_NODE, QUOTA_EXCEEDED, SEQUENTIAL, Client


@pytest.fixture(scope="module")
def enforcing(tmp_path_factory):
    with Server(tmp_path_factory.mktemp("quota"), props={"zookeeper.enforceQuota": "true"}) as srv:
        yield srv


@pytest.fixture
def qz(enforcing):
    client = Client(enforcing.port)
    yield client
    client.drop()


_NEXT = [0]


@pytest.fixture
def node(qz):
    _NEXT[0] += 1
    path = "/q%d" % _NEXT[0]
    qz.create(path)
    return path


def set_quota(zk, path, limits):
    """What zkCli's setquota does."""
    quota = "/zookeeper/quota"
    for part in path.strip("/").split("/"):
        quota += "/" + part
        zk.create(quota, None)
    assert zk.create(quota + "/zookeeper_limits", limits).err == 0
    assert zk.create(quota + "/zookeeper_stats", "count=0,bytes=0").err == 0


def stats(zk, path):
    return zk.get("/zookeeper/quota%s/zookeeper_stats" % path).data.decode()


def parsed(zk, path):
    """(count, bytes) of the statistics node"""
    fields = dict(f.split("=") for f in stats(zk, path).split("=;")[0].split(","))
    return int(fields["count"]), int(fields["bytes"])


def test_statistics_are_computed_when_the_node_is_made(qz, node):
    qz.set(node, b"12345")
    qz.create(node + "/a", b"123")
    qz.create(node + "/a/b", b"1")
    set_quota(qz, node, "count=100,bytes=1000")
    assert parsed(qz, node) == (3, 9)


def test_statistics_follow_changes(qz, node):
    set_quota(qz, node, "count=100,bytes=1000")
    steps = [
        (lambda: qz.create(node + "/a", b"12345"), (2, 5)),
        (lambda: qz.create(node + "/a/b", b"1"), (3, 6)),
        (lambda: qz.set(node + "/a", b"1"), (3, 2)),
        (lambda: qz.set(node, b"1234"), (3, 6)),
        (lambda: qz.delete(node + "/a/b"), (2, 5)),
        (lambda: qz.set(node + "/a", None), (2, 4)),
        (lambda: qz.create(node + "/s", b"12", flags=SEQUENTIAL), (3, 6)),
        (
            lambda: qz.multi([zkraw.m_create(node + "/m", b"1"), zkraw.m_delete(node + "/a")]),
            (3, 7),
        ),
    ]
    for act, want in steps:
        assert act().err == 0
        assert parsed(qz, node) == want


def test_statistics_change_nothing_but_data(qz, node):
    set_quota(qz, node, "count=100,bytes=1000")
    path = "/zookeeper/quota%s/zookeeper_stats" % node
    before = qz.get(path, True).stat
    qz.create(node + "/a", b"x")
    after = qz.get(path)
    assert after.stat._replace(length=before.length) == before
    assert qz.take_events() == []


def test_statistics_follow_ephemerals_and_sessions(qz, node, enforcing):
    set_quota(qz, node, "count=100,bytes=1000")
    client = Client(enforcing.port)
    client.create(node + "/e", b"abc", flags=EPHEMERAL)
    assert parsed(qz, node) == (2, 3)
    client.close()
    assert parsed(qz, node) == (1, 0)


@pytest.mark.parametrize(
    "limit",
    [
        "count=-1,bytes=-1=;byteHardLimit=-1;countHardLimit=3",
        "count=3,bytes=-1=;byteHardLimit=-1;countHardLimit=3",
    ],
)
def test_hard_limit_of_nodes(qz, node, limit):
    set_quota(qz, node, limit)
    assert qz.create(node + "/a").err == 0
    assert qz.create(node + "/b").err == 0
    for flags in (0, 1, 2):
        assert qz.create(node + "/c", flags=flags).err == QUOTA_EXCEEDED
    assert qz.container(node + "/c").err == QUOTA_EXCEEDED
    assert qz.ttl(node + "/c", 10**9).err == QUOTA_EXCEEDED
    assert qz.create(node + "/a/deeper").err == QUOTA_EXCEEDED
    assert [r[1] for r in qz.multi([zkraw.m_create(node + "/c")]).results] == [QUOTA_EXCEEDED]
    assert qz.set(node, b"x" * 100).err == 0
    qz.delete(node + "/b")
    assert qz.create(node + "/c").err == 0


def test_hard_limit_of_bytes(qz, node):
    set_quota(qz, node, "count=-1,bytes=-1=;byteHardLimit=10;countHardLimit=-1")
    assert qz.create(node + "/a", b"12345").err == 0
    assert qz.create(node + "/b", b"123456").err == QUOTA_EXCEEDED
    assert qz.create(node + "/b", b"12345").err == 0
    assert qz.set(node + "/a", b"123456").err == QUOTA_EXCEEDED
    assert qz.set(node + "/a", b"54321").err == 0, "the same length is always fine"
    assert qz.set(node + "/a", b"1").err == 0
    assert qz.set(node + "/b", b"123456789").err == 0
    assert qz.set(node + "/b", b"1234567890").err == QUOTA_EXCEEDED


def test_order_of_the_quota_check(qz, node):
    set_quota(qz, node, "count=-1,bytes=-1=;byteHardLimit=1;countHardLimit=2")
    qz.create(node + "/a")
    assert qz.create(node + "/a").err == zkraw.NODE_EXISTS, "existence before quota"
    assert qz.set(node + "/a", b"12", 99).err == QUOTA_EXCEEDED, "quota before version"
    qz.set_acl(node + "/a", [(1, "world", "anyone")])
    assert qz.set(node + "/a", b"12").err == zkraw.NO_AUTH, "permission before quota"
    assert qz.create("/none/x").err == NO_NODE


def test_soft_limits_are_only_logged(qz, node):
    set_quota(qz, node, "count=1,bytes=1")
    assert qz.create(node + "/a", b"123").err == 0
    assert qz.create(node + "/b", b"123").err == 0
    assert parsed(qz, node) == (3, 6)


def test_hard_limits_are_not_enforced_by_default(zk, base):
    set_quota(zk, base, "count=1,bytes=1=;byteHardLimit=1;countHardLimit=1")
    assert zk.create(base + "/a", b"123").err == 0
    assert parsed(zk, base) == (2, 3)


def test_only_the_longest_quota_path_counts(qz, node):
    qz.create(node + "/in")
    set_quota(qz, node, "count=-1,bytes=-1=;countHardLimit=3")
    set_quota(qz, node + "/in", "count=-1,bytes=-1=;countHardLimit=100")
    before = parsed(qz, node)
    for i in range(5):
        assert qz.create(node + "/in/n%d" % i).err == 0
    assert parsed(qz, node + "/in") == (6, 0)
    assert parsed(qz, node) == before


def test_neighbours_are_free(qz, node):
    qz.create(node + "x")
    set_quota(qz, node, "count=-1,bytes=-1=;countHardLimit=1")
    assert qz.create(node + "x/a").err == 0
    assert qz.create(node + "/a").err == QUOTA_EXCEEDED


def test_deleting_the_limits_ends_it(qz, node):
    set_quota(qz, node, "count=-1,bytes=-1=;countHardLimit=1")
    assert qz.create(node + "/a").err == QUOTA_EXCEEDED
    quota = "/zookeeper/quota" + node
    assert qz.delete(quota + "/zookeeper_limits").err == 0
    frozen = stats(qz, node)
    assert qz.create(node + "/a").err == 0
    assert stats(qz, node) == frozen


def test_limits_may_be_changed(qz, node):
    set_quota(qz, node, "count=-1,bytes=-1=;countHardLimit=1")
    assert qz.create(node + "/a").err == QUOTA_EXCEEDED
    qz.set("/zookeeper/quota%s/zookeeper_limits" % node, "count=-1,bytes=-1=;countHardLimit=2")
    assert qz.create(node + "/a").err == 0
    assert qz.create(node + "/b").err == QUOTA_EXCEEDED


def test_old_format_of_the_limits(qz, node):
    set_quota(qz, node, "count=5,bytes=-1")
    assert qz.create(node + "/a", b"x").err == 0
    assert parsed(qz, node) == (2, 1)


def test_quotas_outlive_a_restart(own_server):
    srv = own_server(props={"zookeeper.enforceQuota": "true"})
    zk = Client(srv.port)
    zk.create("/q")
    set_quota(zk, "/q", "count=-1,bytes=-1=;countHardLimit=3")
    zk.create("/q/a", b"12")
    zk.drop()
    srv.restart(kill=True)
    zk = Client(srv.port)
    assert parsed(zk, "/q") == (2, 2)
    assert zk.create("/q/b", b"1").err == 0
    assert parsed(zk, "/q") == (3, 3)
    assert zk.create("/q/c").err == QUOTA_EXCEEDED
