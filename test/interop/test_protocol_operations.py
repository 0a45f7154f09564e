"""delete, setData, setACL, the reads, Stat arithmetic, system nodes."""
import random
import time

import pytest

import zkraw
from ensemble import undisturbed
from zkraw import (
    ADMIN,
    ALL,
    BAD_ARGUMENTS,
    BAD_VERSION,
    EPHEMERAL,
    INVALID_ACL,
    NO_AUTH,
    NO_NODE,
    NOT_EMPTY,
    OPEN,
    READ,
    SEQUENTIAL,
    WRITE,
    DELETE_PERM,
)


def only(perms):
    return [(perms, "world", "anyone")]


# -- delete ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path", ["/", "/zookeeper", "/zookeeper/quota", "/zookeeper/config", "noslash", "", "/a\0b"]
)
def test_delete_of_reserved_and_malformed_paths(superuser, path):
    assert superuser.delete(path).err == BAD_ARGUMENTS


def test_delete_parent_missing_before_all(zk):
    assert zk.delete("/none/x").err == NO_NODE


def test_delete_permission_is_the_parents(zk, base):
    zk.create(base + "/x", acl=only(READ))
    assert zk.delete(base + "/x").err == 0, "the node's own list is irrelevant"
    zk.create(base + "/y")
    zk.set_acl(base, only(ALL & ~DELETE_PERM))
    assert zk.delete(base + "/y").err == NO_AUTH


def test_delete_permission_before_existence(zk, base):
    zk.set_acl(base, only(ALL & ~DELETE_PERM))
    assert zk.delete(base + "/none").err == NO_AUTH


def test_delete_existence_before_version(zk, base):
    assert zk.delete(base + "/none", 7).err == NO_NODE


def test_delete_version_before_not_empty(zk, base):
    zk.create(base + "/p")
    zk.create(base + "/p/c")
    assert zk.delete(base + "/p", 7).err == BAD_VERSION
    assert zk.delete(base + "/p", 0).err == NOT_EMPTY
    assert zk.delete(base + "/p").err == NOT_EMPTY


@pytest.mark.parametrize("version", [-2, -(2**31), 1, 2**31 - 1])
def test_delete_versions_that_do_not_match(zk, base, version):
    assert zk.delete(base, version).err == BAD_VERSION


def test_delete_with_the_right_version(zk, base):
    zk.set(base, b"1")
    assert zk.delete(base, 0).err == BAD_VERSION
    assert zk.delete(base, 1).err == 0
    assert zk.exists(base).err == NO_NODE


def test_delete_of_children_of_zookeeper(zk):
    assert zk.create("/zookeeper/mine").err == 0
    assert zk.delete("/zookeeper/mine").err == 0


# -- setData ---------------------------------------------------------------------------------------


def test_set_path_before_existence(zk):
    assert zk.set("/none/..").err == BAD_ARGUMENTS
    assert zk.set("/none").err == NO_NODE


def test_set_permission_before_version(zk, base):
    zk.set_acl(base, only(ALL & ~WRITE))
    assert zk.set(base, b"x", 99).err == NO_AUTH


@pytest.mark.parametrize("version", [-2, -3, -(2**31), 1, 2**31 - 1])
def test_set_versions_that_do_not_match(zk, base, version):
    assert zk.set(base, b"x", version).err == BAD_VERSION
    assert zk.get(base).data == b""


def test_set_counts_versions(zk, base):
    for expected in range(1, 6):
        reply = zk.set(base, b"same", expected - 1)
        assert reply.stat.version == expected and reply.stat.mzxid == reply.zxid
    assert zk.set(base, b"same").stat.version == 6


def test_set_of_the_root_and_zookeeper(zk):
    for path in ("/", "/zookeeper"):
        assert zk.set(path, b"data").err == 0
        assert zk.get(path).data == b"data"
        assert zk.set(path, b"").err == 0


def test_set_changes_only_what_it_should(zk, base):
    before = zk.exists(base).stat
    time.sleep(0.003)
    reply = zk.set(base, b"12345")
    after = reply.stat
    assert after == before._replace(mzxid=reply.zxid, mtime=after.mtime, version=1, length=5)
    assert after.mtime > before.mtime


# -- setACL ----------------------------------------------------------------------------------------


def test_set_acl_list_before_existence_and_permission(zk, base):
    assert zk.set_acl("/none", []).err == INVALID_ACL
    zk.set_acl(base, only(READ))
    assert zk.set_acl(base, []).err == INVALID_ACL
    assert zk.set_acl(base, OPEN).err == NO_AUTH


def test_set_acl_path_before_list(zk):
    assert zk.set_acl("/none/", []).err == BAD_ARGUMENTS


def test_set_acl_permission_before_version(zk, base):
    zk.set_acl(base, only(ALL & ~ADMIN))
    assert zk.set_acl(base, OPEN, 99).err == NO_AUTH


def test_set_acl_counts_aversion(zk, base):
    zk.set(base, b"x")
    before = zk.exists(base).stat
    reply = zk.set_acl(base, only(ALL), 0)
    assert reply.stat == before._replace(aversion=1)
    assert zk.set_acl(base, only(ALL), 0).err == BAD_VERSION
    assert zk.set_acl(base, only(ALL), 1).stat.aversion == 2
    assert zk.set_acl(base, only(ALL), -1).stat.aversion == 3


# -- reads -----------------------------------------------------------------------------------------


def test_reads_of_a_missing_node(zk):
    assert [
        zk.exists("/none").err,
        zk.get("/none").err,
        zk.ls("/none").err,
        zk.ls2("/none").err,
        zk.get_acl("/none").err,
        zk.all_children_number("/none").err,
    ] == [NO_NODE] * 6


def test_reads_of_an_unreadable_node(zk, base):
    zk.set_acl(base, only(ALL & ~READ & ~ADMIN))
    assert [
        zk.get(base).err,
        zk.ls(base).err,
        zk.ls2(base).err,
        zk.get_acl(base).err,
        zk.all_children_number(base).err,
    ] == [NO_AUTH] * 5
    assert zk.sync(base).err == 0


@pytest.mark.since39("exists needs READ since 3.9.2")
def test_exists_of_an_unreadable_node(zk, base):
    zk.set_acl(base, only(ALL & ~READ))
    assert zk.exists(base).err == NO_AUTH


def test_get_acl_with_admin_alone(zk, base):
    zk.set_acl(base, only(ADMIN))
    assert zk.get_acl(base).acl == only(ADMIN)
    assert zk.get(base).err == NO_AUTH


def test_the_empty_path_is_the_root(zk):
    assert zk.exists("").stat == zk.exists("/").stat
    assert zk.ls("").children == zk.ls("/").children
    assert zk.get_acl("").acl == OPEN


def test_children_lists_agree(zk, base):
    names = ["c%d" % i for i in range(50)]
    for name in names:
        zk.create(base + "/" + name)
    assert zk.ls(base).children == sorted(names)
    reply = zk.ls2(base)
    assert reply.children == sorted(names)
    assert reply.stat == zk.exists(base).stat
    assert reply.stat.children == 50


def test_children_under_churn(zk, base):
    """Names come in no promised order, but each once, and none that is gone."""
    rng = random.Random(7)
    names = []
    for i in range(400):
        if names and rng.random() < 0.25:
            assert zk.delete(base + "/" + names.pop(rng.randrange(len(names)))).err == 0
        else:
            name = "".join(rng.choice("abcdef0123-_é日") for _ in range(rng.randrange(1, 12)))
            if name in names:
                continue
            names.append(name)
            assert zk.create(base + "/" + name).err == 0
        if i % 10 == 0:
            assert zk.ls(base).children == sorted(names)
    reply = zk.ls2(base)
    assert reply.children == sorted(names) and reply.stat.children == len(names)


def test_many_children_in_one_reply(zk, base):
    names = ["%s-%04d" % ("long name " * 10, i) for i in range(1000)]
    for start in range(0, 1000, 100):
        ops = [zkraw.m_create(base + "/" + n) for n in names[start : start + 100]]
        assert all(r[1] == 0 for r in zk.multi(ops).results)
    assert zk.ls(base).children == sorted(names)


def test_all_children_number(zk, base):
    for path in ("/a", "/a/b", "/a/b/c", "/d", "/ab"):
        zk.create(base + path)
    assert zk.all_children_number(base).value == 5
    assert zk.all_children_number(base + "/a").value == 2
    assert zk.all_children_number(base + "/ab").value == 0


def test_all_children_number_of_the_root_counts_system_nodes(own_server):
    srv = own_server()
    zk = zkraw.Client(srv.port)
    assert zk.all_children_number("/").value == 3
    zk.create("/x")
    assert zk.all_children_number("/").value == 4
    assert int(srv.srvr()["Node count"]) == 4 + 2


def test_get_ephemerals(zk, other, base):
    for name in ("e1", "e2", "f"):
        zk.create(base + "/" + name, flags=EPHEMERAL)
    other.create(base + "/others", flags=EPHEMERAL)
    mine = [base + "/" + n for n in ("e1", "e2", "f")]
    for everything in ("/", None, "", "  ", base):
        assert zk.ephemerals(everything).children == mine
    assert zk.ephemerals(base + "/e").children == mine[:2], "a prefix of the text, not of the tree"
    assert zk.ephemerals("/nothing").children == []
    assert other.ephemerals("/").children == [base + "/others"]
    zk.delete(base + "/e1")
    assert zk.ephemerals("/").children == mine[1:]


def test_who_am_i(zk):
    assert zk.who_am_i().value == [("ip", "127.0.0.1")]
    zk.auth("digest", "bob:pw")
    zk.auth("digest", "eve:pw")
    assert zk.who_am_i().value == [("digest", "bob"), ("digest", "eve"), ("ip", "127.0.0.1")]


@undisturbed
def test_sync_echoes_the_path_and_is_no_write(zk):
    before = zk.ping().zxid
    for path in ("/", "", "nonsense", "/none/x", None, "/a\0b"):
        reply = zk.sync(path)
        assert (reply.err, reply.path, reply.zxid) == (0, path, before)


# -- Stat ------------------------------------------------------------------------------------------


def test_stat_of_a_new_node(zk, base):
    reply = zk.create2(base + "/x", b"12345")
    now = time.time() * 1000
    s = reply.stat
    assert (s.czxid, s.mzxid, s.pzxid) == (reply.zxid,) * 3
    assert s.ctime == s.mtime and abs(s.ctime - now) < 60000
    assert (s.version, s.cversion, s.aversion, s.owner, s.length, s.children) == (0, 0, 0, 0, 5, 0)


def test_cversion_and_pzxid_follow_children(zk, base):
    def look():
        s = zk.exists(base).stat
        return s.cversion, s.children, s.pzxid

    a = zk.create(base + "/a").zxid
    assert look() == (1, 1, a)
    b = zk.create(base + "/b").zxid
    assert look() == (2, 2, b)
    d = zk.delete(base + "/a").zxid
    assert look() == (3, 1, d)
    zk.set(base + "/b", b"x")
    zk.set_acl(base + "/b", OPEN)
    zk.create(base + "/b/deeper")
    assert look() == (3, 1, d), "grandchildren and data do not count"


def test_cversion_of_the_specifications_example(zk, base):
    def cv():
        return zk.exists(base).stat.cversion

    names = [zk.create(base + "/n-", flags=SEQUENTIAL).path for _ in range(3)]
    assert cv() == 3
    zk.create(base + "/", flags=SEQUENTIAL)
    zk.create(base + "/n-", flags=3)
    assert cv() == 5
    zk.delete(names[0])
    assert cv() == 6
    assert zk.create(base + "/n-", flags=SEQUENTIAL).path == base + "/n-0000000005"
    assert cv() == 7
    zk.create(base + "/plain")
    zk.delete(base + "/plain")
    assert cv() == 9
    assert zk.create(base + "/n-", flags=SEQUENTIAL).path == base + "/n-0000000007"


def test_children_do_not_change_version_or_mzxid(zk, base):
    before = zk.exists(base).stat
    zk.create(base + "/c")
    after = zk.exists(base).stat
    assert (after.version, after.mzxid, after.mtime, after.aversion) == (
        before.version,
        before.mzxid,
        before.mtime,
        before.aversion,
    )


def test_data_length_of_null_and_empty(zk, base):
    assert zk.set(base, None).stat.length == 0
    assert zk.set(base, b"").stat.length == 0
    assert zk.set(base, b"x" * 1000).stat.length == 1000


def test_failed_writes_change_nothing(zk, base):
    before = zk.exists(base).stat
    zk.create(base + "/..")
    zk.set(base, b"x", 99)
    zk.set_acl(base, OPEN, 99)
    zk.delete(base, 99)
    zk.multi([zkraw.m_create(base + "/c"), zkraw.m_check(base, 99)])
    assert zk.exists(base).stat == before


# -- system nodes ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def fresh(tmp_path_factory):
    from server import Server

    with Server(tmp_path_factory.mktemp("fresh")) as srv:
        client = zkraw.Client(srv.port)
        yield client
        client.drop()


@pytest.mark.parametrize(
    "path, data, children, acl, version, cversion, aversion",
    [
        ("/", b"", ["zookeeper"], OPEN, 0, -1, 0),
        ("/zookeeper", b"", ["config", "quota"], OPEN, 0, -2, 0),
        ("/zookeeper/quota", b"", [], OPEN, 0, 0, 0),
        ("/zookeeper/config", b"", [], [(READ, "world", "anyone")], 0, 0, -1),
    ],
)
def test_system_nodes_at_first_start(fresh, path, data, children, acl, version, cversion, aversion):
    reply = fresh.get(path)
    assert reply.data == data
    s = reply.stat
    assert (s.czxid, s.mzxid, s.ctime, s.mtime, s.owner, s.pzxid) == (0,) * 6
    assert (s.version, s.cversion, s.aversion, s.length) == (version, cversion, aversion, len(data))
    assert fresh.ls(path).children == children and s.children == len(children)
    assert fresh.get_acl(path).acl == acl


def test_config_node_is_read_only(zk):
    assert zk.set("/zookeeper/config", b"x").err == NO_AUTH
    assert zk.create("/zookeeper/config/x").err == NO_AUTH


# -- reconfig on a standalone server ---------------------------------------------------------------


@undisturbed
def test_reconfig_is_not_for_a_standalone_server(zk):
    before = zk.ping().zxid
    reply = zk.reconfig("server.1=127.0.0.1:1:2;3", None, None)
    assert reply.err == zkraw.UNIMPLEMENTED
    assert reply.zxid == before + 1
    assert zk.ping().err == 0, "the connection stays"


def test_reconfig_switched_off(own_server):
    zk = zkraw.Client(own_server(extra=["reconfigEnabled=false"]).port)
    assert zk.reconfig("server.1=127.0.0.1:1:2;3", None, None).err == zkraw.RECONFIG_DISABLED
    assert zk.ping().err == 0
