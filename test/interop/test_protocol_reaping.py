"""Containers and TTL nodes are removed by the server; nothing else is."""
import time

import pytest

import zkraw
from server import Server
from zkraw import CHILD, DELETED, NO_NODE, SEQUENTIAL, TTL_SEQUENTIAL, Client

INTERVAL_MS = 200


@pytest.fixture(scope="module")
def reaper(tmp_path_factory):
    props = {"znode.container.checkIntervalMs": str(INTERVAL_MS)}
    with Server(tmp_path_factory.mktemp("reaper"), props=props) as srv:
        yield srv


@pytest.fixture
def rz(reaper):
    client = Client(reaper.port)
    yield client
    client.drop()


def gone(zk, path, seconds=60):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if zk.exists(path).err == NO_NODE:
            return True
        time.sleep(0.05)
    return False


def stays(zk, path):
    """Through several rounds of the sweep."""
    for _ in range(8):
        if zk.exists(path).err != 0:
            return False
        time.sleep(INTERVAL_MS / 1000)
    return True


def test_container_goes_after_its_last_child(rz):
    rz.container("/c1")
    rz.create("/c1/a")
    rz.create("/c1/b")
    rz.delete("/c1/a")
    assert stays(rz, "/c1")
    rz.delete("/c1/b")
    assert gone(rz, "/c1")


def test_container_that_never_had_a_child_stays(rz):
    rz.container("/c2")
    assert stays(rz, "/c2")


def test_persistent_nodes_stay(rz):
    rz.create("/p3")
    rz.create("/p3/a")
    rz.delete("/p3/a")
    assert stays(rz, "/p3")


@pytest.mark.ours("flags 4 of a plain create make a container in a multi only")
@pytest.mark.parametrize("op", [zkraw.CREATE, zkraw.CREATE2])
def test_container_flag_of_a_plain_create_makes_a_container(rz, op):
    path = "/f%d" % op
    assert rz.create(path, flags=4, op=op).path == path
    rz.create(path + "/a")
    rz.delete(path + "/a")
    assert gone(rz, path)


@pytest.mark.parametrize("flags", [0, 1, 4])
def test_create_container_makes_one_whatever_the_flags(rz, flags):
    path = "/c4%d" % flags
    rz.container(path, flags=flags)
    rz.create(path + "/a")
    rz.delete(path + "/a")
    assert gone(rz, path)


@pytest.mark.parametrize(
    "op, flags", [(zkraw.CREATE, 4), (zkraw.CREATE2, 4), (zkraw.CREATE_CONTAINER, 4)]
)
def test_container_made_by_a_multi(rz, op, flags):
    path = "/c5%d" % op
    rz.multi(
        [
            zkraw.m_create(path, flags=flags, op=op),
            zkraw.m_create(path + "/a"),
            zkraw.m_delete(path + "/a"),
        ]
    )
    assert gone(rz, path)


def test_watchers_of_a_removed_container(rz):
    rz.create("/w6")
    rz.container("/w6/c")
    rz.create("/w6/c/a")
    rz.exists("/w6/c", True)
    rz.ls("/w6", True)
    rz.delete("/w6/c/a")
    assert rz.wait_events(2) == [(DELETED, "/w6/c"), (CHILD, "/w6")]


def test_removal_counts_in_the_parents_stat(rz):
    rz.create("/s7")
    rz.container("/s7/c")
    rz.create("/s7/c/a")
    zxid = rz.delete("/s7/c/a").zxid
    assert gone(rz, "/s7/c")
    stat = rz.exists("/s7").stat
    assert (stat.cversion, stat.children) == (2, 0) and stat.pzxid > zxid


def test_containers_in_containers(rz):
    rz.container("/n8")
    rz.container("/n8/n")
    rz.container("/n8/n/n")
    rz.create("/n8/n/n/a")
    rz.delete("/n8/n/n/a")
    assert gone(rz, "/n8/n/n") and gone(rz, "/n8/n") and gone(rz, "/n8")


def test_container_acl_does_not_protect_it(rz):
    rz.create("/a9")
    rz.container("/a9/c")
    rz.create("/a9/c/x")
    rz.delete("/a9/c/x")
    rz.set_acl("/a9", [(1, "world", "anyone")])
    assert gone(rz, "/a9/c")


# -- TTL -------------------------------------------------------------------------------------------


def test_ttl_node_goes(rz):
    start = time.monotonic()
    rz.ttl("/t1", 1000)
    assert gone(rz, "/t1")
    assert time.monotonic() - start >= 0.99, "not before its time"


def test_ttl_sequential_goes(rz):
    path = rz.ttl("/t2-", 500, flags=TTL_SEQUENTIAL).path
    assert gone(rz, path)


def test_long_ttl_stays(rz):
    rz.ttl("/t3", 3600 * 1000)
    assert stays(rz, "/t3")


def test_writing_restarts_the_clock(rz):
    deadline, born = time.monotonic() + 300, None
    while born is None or time.monotonic() < born + 4:
        asked = time.monotonic()
        assert asked < deadline, "the machine stands still all the time"
        err = (rz.ttl("/t4", 3000) if born is None else rz.set("/t4", b"x")).err
        if err == 0:
            born, written = born or asked, asked
        else:  # only if nobody could write for so long; then it begins anew
            assert err == NO_NODE and time.monotonic() - written > 2.9, "not before its time"
            born = None
        time.sleep(0.5)
    assert gone(rz, "/t4")


def test_ttl_node_with_children_stays_until_they_are_gone(rz):
    rz.multi([zkraw.m_create_ttl("/t5", 300), zkraw.m_create("/t5/a")])
    assert stays(rz, "/t5")
    rz.delete("/t5/a")
    assert gone(rz, "/t5")


def test_ttl_made_by_a_multi(rz):
    rz.multi([zkraw.m_create_ttl("/t6", 300), zkraw.m_create("/t6p")])
    assert gone(rz, "/t6") and rz.exists("/t6p").err == 0


def test_watchers_of_a_removed_ttl_node(rz):
    rz.add_watch("/t7", 0)  # set before: the node does not wait for it
    rz.ttl("/t7", 300)
    assert rz.wait_events(2) == [(zkraw.CREATED, "/t7"), (DELETED, "/t7")]


def test_containers_and_ttls_outlive_a_restart_and_still_go(own_server):
    srv = own_server(props={"znode.container.checkIntervalMs": "60000"})
    zk = Client(srv.port)
    zk.container("/c")
    zk.create("/c/a")
    zk.ttl("/t", 1000)
    zk.ttl("/long", 10**9)
    zk.create("/c2-", flags=SEQUENTIAL)
    zk.drop()
    srv.stop()
    srv.props["znode.container.checkIntervalMs"] = str(INTERVAL_MS)
    srv.start()
    zk = Client(srv.port)
    assert gone(zk, "/t")
    assert zk.exists("/c").stat.owner == 0 and zk.exists("/long").stat.owner == 0
    zk.delete("/c/a")
    assert gone(zk, "/c")
    assert zk.exists("/long").err == 0


def test_never_used_containers_with_the_interval_set(own_server):
    zk = Client(
        own_server(
            props={
                "znode.container.checkIntervalMs": str(INTERVAL_MS),
                "znode.container.maxNeverUsedIntervalMs": "500",
            }
        ).port
    )
    zk.container("/c")
    assert gone(zk, "/c")
