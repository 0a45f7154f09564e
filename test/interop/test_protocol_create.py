"""create, create2, createContainer, createTTL: path rules, order of the checks, kinds of nodes,
sequence suffixes.
"""
import pytest

import zkraw
from zkraw import (
    ALL,
    BAD_ARGUMENTS,
    CREATE,
    CREATE2,
    CREATE_CONTAINER,
    EPHEMERAL,
    INVALID_ACL,
    MARSHALLING,
    NO_AUTH,
    NO_CHILDREN_FOR_EPHEMERALS,
    NO_NODE,
    NODE_EXISTS,
    OPEN,
    READ,
    SEQUENTIAL,
    TTL,
    TTL_SEQUENTIAL,
    UNIMPLEMENTED,
    digest_id,
)

READ_ONLY = [(READ, "world", "anyone")]
NOBODY = [(ALL, "digest", digest_id("nobody", "x"))]

# -- the table of path rules -----------------------------------------------------------------------
# Columns: create, delete, exists, the other reads, setData/setACL, sync, getEphemerals.

PATHS = {
    "empty": ("", -8, -8, 0, 0, -8, 0, 0),
    "no slash": ("a", -8, -8, -101, -101, -8, 0, 0),
    "root": ("/", -110, -8, 0, 0, 0, 0, 0),
    "two slashes": ("//", -8, -101, -101, -101, -8, 0, 0),
    "trailing slash": ("/a/", -8, -101, -101, -101, -8, 0, 0),
    "last component is a dot": ("/a/.", -8, -101, -101, -101, -8, 0, 0),
    "two dots": ("/..", -8, -101, -101, -101, -8, 0, 0),
    "control character": ("/a\x01", -8, -101, -101, -101, -8, 0, 0),
    "empty component, no parent": ("/none//b", -101, -101, -101, -101, -8, 0, 0),
    "dot, no parent": ("/./x", -101, -101, -101, -101, -8, 0, 0),
    "dots, no parent": ("/none/../b", -101, -101, -101, -101, -8, 0, 0),
    "nul": ("/a\0b", -8, -8, -8, -101, -8, 0, 0),
    "null": (None, -5, -5, -5, -5, -8, 0, 0),
    "system node": ("/zookeeper", -110, -8, 0, 0, 0, 0, 0),
}


@pytest.fixture
def with_a(zk):
    if zk.exists("/a").err:
        zk.create("/a")
    return zk


@pytest.mark.parametrize("name", PATHS)
def test_path_rules_create(with_a, name):
    path, want = PATHS[name][:2]
    for op in (CREATE, CREATE2):
        assert with_a.create(path, op=op).err == want
    assert with_a.container(path).err == want
    assert with_a.ttl(path, 100000).err == want


@pytest.mark.parametrize("name", PATHS)
def test_path_rules_delete(with_a, name):
    assert with_a.delete(PATHS[name][0]).err == PATHS[name][2]


@pytest.mark.parametrize("name", PATHS)
def test_path_rules_exists(with_a, name):
    assert with_a.exists(PATHS[name][0]).err == PATHS[name][3]


@pytest.mark.parametrize("name", PATHS)
def test_path_rules_other_reads(with_a, name):
    path, want = PATHS[name][0], PATHS[name][4]
    assert with_a.get(path).err == want
    assert with_a.ls(path).err == want
    assert with_a.ls2(path).err == want
    assert with_a.get_acl(path).err == want
    assert with_a.all_children_number(path).err == want


@pytest.mark.parametrize("name", PATHS)
def test_path_rules_set(with_a, name):
    path, want = PATHS[name][0], PATHS[name][5]
    assert with_a.set(path, b"").err == want
    assert with_a.set_acl(path, OPEN).err == want
    reply = with_a.multi([zkraw.m_check(path)])
    if path is None:
        assert reply.err == MARSHALLING, "a null path spoils the whole multi"
    else:
        assert reply.results[0][1] == want


@pytest.mark.parametrize("name", PATHS)
def test_path_rules_sync(with_a, name):
    path, want = PATHS[name][0], PATHS[name][6]
    reply = with_a.sync(path)
    assert (reply.err, reply.path) == (want, path)


@pytest.mark.parametrize("name", PATHS)
def test_path_rules_get_ephemerals(with_a, name):
    assert with_a.ephemerals(PATHS[name][0]).err == PATHS[name][7]


GOOD_NAMES = [
    "a",
    "...",
    ".a",
    "a..",
    "..a",
    " ",
    "a ",
    " a",
    "a b",
    "~",
    "é",
    "日本",
    "\u00a0",
    "\uf900",
    "x" * 255,
    "a:b",
    "%",
    "\\",
    "?",
    "a=b,c",
    "\ud7ff",
    "\ufeff",
    "\uffef",
]
BAD_NAMES = [
    "",
    ".",
    "..",
    "\x00",
    "a\x00",
    "\x01",
    "\x1f",
    "\x7f",
    "\x80",
    "\x9f",
    "\ue000",
    "\uf8ff",
    "\ufff0",
    "\ufffd",
    "\uffff",
    "\U0001f600",
    "a\U0010ffff",
]


@pytest.mark.parametrize("name", GOOD_NAMES, ids=ascii)
def test_name_is_allowed(zk, base, name):
    path = base + "/" + name
    assert zk.create(path, b"v").path == path
    assert zk.get(path).data == b"v"
    assert zk.set(path, b"w").err == 0
    assert zk.ls(base).children == [name]
    assert zk.delete(path).err == 0


@pytest.mark.parametrize("name", BAD_NAMES, ids=ascii)
def test_name_is_refused(zk, base, name):
    assert zk.create(base + "/" + name).err == BAD_ARGUMENTS
    assert zk.set(base + "/" + name).err == BAD_ARGUMENTS
    assert zk.ls(base).children == []


# -- order of the checks ---------------------------------------------------------------------------


@pytest.mark.parametrize("flags", [7, 8, 100, -1, -(2**31), 2**31 - 1])
@pytest.mark.parametrize("op", [CREATE, CREATE2, CREATE_CONTAINER])
def test_flags_outside_0_to_6(zk, base, op, flags):
    assert zk.create(base + "/x", flags=flags, op=op).err == BAD_ARGUMENTS
    assert zk.exists(base + "/x").err == NO_NODE


@pytest.mark.parametrize("flags", [7, -1])
def test_flags_outside_0_to_6_ttl(zk, base, flags):
    assert zk.ttl(base + "/x", 1000, flags=flags).err == BAD_ARGUMENTS


@pytest.mark.parametrize("op", [CREATE, CREATE2, CREATE_CONTAINER])
@pytest.mark.parametrize("flags", [TTL, TTL_SEQUENTIAL])
def test_ttl_flags_need_the_ttl_operation(zk, base, op, flags):
    assert zk.create(base + "/x", flags=flags, op=op).err == BAD_ARGUMENTS


@pytest.mark.parametrize("flags", [TTL, TTL_SEQUENTIAL])
@pytest.mark.parametrize(
    "ttl, want",
    [
        (0, -8),
        (-1, -8),
        (-(2**63), -8),
        (2**40, -8),
        (2**63 - 1, -8),
        (2**40 - 1, 0),
        (100000, 0),
    ],
)
def test_ttl_range(zk, base, flags, ttl, want):
    reply = zk.ttl(base + "/x", ttl, flags=flags)
    assert reply.err == want
    if want == 0:
        assert reply.stat.owner == 0


@pytest.mark.parametrize("flags", [0, 1, 2, 3, 4])
@pytest.mark.parametrize("ttl", [0, 1, 1000])
def test_other_flags_with_a_ttl(zk, base, flags, ttl):
    assert zk.ttl(base + "/x", ttl, flags=flags).err == BAD_ARGUMENTS


def test_extended_types_switched_off(own_server):
    srv = own_server(props={"zookeeper.extendedTypesEnabled": None})
    zk = zkraw.Client(srv.port)
    assert zk.ttl("/t", 1000).err == UNIMPLEMENTED
    assert zk.ttl("/t", 1000, flags=TTL_SEQUENTIAL).err == UNIMPLEMENTED
    assert zk.ttl("/t", -5).err == UNIMPLEMENTED, "before the range"
    assert zk.container("/c").err == 0, "containers need no switch"


def test_path_without_slash_before_the_acl(zk):
    assert zk.create("noslash", acl=[]).err == BAD_ARGUMENTS


def test_nul_before_the_acl(zk):
    assert zk.create("/a\0b", acl=[]).err == BAD_ARGUMENTS


def test_flags_before_the_path(zk):
    assert zk.create(None, flags=77).err in (BAD_ARGUMENTS, MARSHALLING)
    assert zk.create("/nopar/x", flags=77, acl=[]).err == BAD_ARGUMENTS


def test_acl_before_the_parent(zk):
    assert zk.create("/nopar/x", acl=[]).err == INVALID_ACL
    assert zk.create("/nopar/x", acl=None).err == INVALID_ACL


def test_acl_before_full_path_rules(zk, base):
    assert zk.create(base + "/..", acl=[]).err == INVALID_ACL


def test_parent_before_full_path_rules(zk):
    assert zk.create("/nopar/..").err == NO_NODE
    assert zk.create("/nopar/\x01").err == NO_NODE


@pytest.fixture
def locked(zk, base):
    """A node with a child, in which only reading is allowed."""
    zk.create(base + "/locked")
    zk.create(base + "/locked/child")
    assert zk.set_acl(base + "/locked", READ_ONLY).err == 0
    return base + "/locked"


def test_permission_before_path_rules(zk, locked):
    assert zk.create(locked + "/..").err == NO_AUTH
    assert zk.create(locked + "/").err == NO_AUTH
    assert zk.create(locked + "/\x7f").err == NO_AUTH


def test_permission_before_existence(zk, locked):
    assert zk.create(locked + "/child").err == NO_AUTH


def test_permission_of_the_parent_counts_not_the_grandparents(zk, locked):
    assert zk.create(locked + "/child/x").err == 0


@pytest.mark.parametrize(
    "op, flags", [(CREATE, 0), (CREATE, 1), (CREATE, 2), (CREATE2, 3), (CREATE_CONTAINER, 4)]
)
def test_permission_for_every_kind(zk, locked, op, flags):
    assert zk.create(locked + "/x", flags=flags, op=op).err == NO_AUTH
    assert zk.ttl(locked + "/x", 1000).err == NO_AUTH


def test_path_rules_before_existence(zk, base):
    zk.create(base + "/x")
    assert zk.create(base + "/x/").err == BAD_ARGUMENTS


def test_children_of_ephemerals(zk, base):
    zk.create(base + "/e", flags=EPHEMERAL)
    for op, flags in ((CREATE, 0), (CREATE, 1), (CREATE, 2), (CREATE2, 0), (CREATE_CONTAINER, 4)):
        assert zk.create(base + "/e/c", flags=flags, op=op).err == NO_CHILDREN_FOR_EPHEMERALS
    assert zk.ttl(base + "/e/c", 1000).err == NO_CHILDREN_FOR_EPHEMERALS


def test_path_rules_before_children_of_ephemerals(zk, base):
    zk.create(base + "/e", flags=EPHEMERAL)
    assert zk.create(base + "/e/..").err == BAD_ARGUMENTS


def test_containers_and_ttl_nodes_may_have_children(zk, base):
    zk.container(base + "/c")
    zk.ttl(base + "/t", 10**9)
    assert zk.create(base + "/c/x").err == 0
    assert zk.create(base + "/t/x").err == 0


# -- replies and kinds -----------------------------------------------------------------------------


def test_create_answers_the_path(zk, base):
    reply = zk.create(base + "/x", b"abc")
    assert reply.path == base + "/x" and reply.stat is None


@pytest.mark.parametrize("kind", ["create2", "container", "ttl"])
def test_the_others_answer_path_and_stat(zk, base, kind):
    path = base + "/x"
    reply = {
        "create2": lambda: zk.create2(path, b"abc"),
        "container": lambda: zk.container(path, b"abc"),
        "ttl": lambda: zk.ttl(path, 10**9, b"abc"),
    }[kind]()
    stat = reply.stat
    assert reply.path == path
    assert (stat.czxid, stat.mzxid, stat.pzxid) == (reply.zxid,) * 3
    assert stat.ctime == stat.mtime
    assert stat[4:10] == (0, 0, 0, 0, 3, 0)
    assert zk.exists(path).stat == stat


def test_create2_of_an_ephemeral_shows_its_owner(zk, base):
    assert zk.create2(base + "/e", flags=EPHEMERAL).stat.owner == zk.session_id
    assert zk.create2(base + "/s-", flags=3).stat.owner == zk.session_id


@pytest.mark.parametrize("op", [CREATE, CREATE2])
def test_container_flag_of_a_plain_create_is_accepted(zk, base, op):
    assert zk.create(base + "/p", flags=4, op=op).path == base + "/p"
    assert zk.exists(base + "/p").stat.owner == 0


@pytest.mark.parametrize("flags", [0, 1, 4])
def test_create_container_ignores_the_ephemeral_flag(zk, base, flags):
    reply = zk.container(base + "/c", flags=flags)
    assert reply.err == 0 and reply.stat.owner == 0
    assert base + "/c" not in zk.ephemerals("/").children


def test_container_sequential_flag(zk, base):
    assert zk.container(base + "/c-", flags=2).path == base + "/c-0000000000"


def test_ttl_node_shows_no_owner(zk, base):
    assert zk.ttl(base + "/t", 12345678).stat.owner == 0
    assert zk.exists(base + "/t").stat.owner == 0


def test_node_exists(zk, base):
    zk.create(base + "/x")
    for op, flags in ((CREATE, 0), (CREATE, 1), (CREATE2, 0), (CREATE_CONTAINER, 4)):
        assert zk.create(base + "/x", op=op, flags=flags).err == NODE_EXISTS


# -- sequence suffixes -----------------------------------------------------------------------------


def test_suffix_counts_creations_of_children(zk, base):
    assert zk.create(base + "/n-", flags=SEQUENTIAL).path == base + "/n-0000000000"
    assert zk.create(base + "/n-", flags=SEQUENTIAL).path == base + "/n-0000000001"
    assert zk.create(base + "/plain").err == 0
    assert zk.create(base + "/n-", flags=3).path == base + "/n-0000000003"
    assert zk.delete(base + "/plain").err == 0
    assert zk.create(base + "/other-", flags=SEQUENTIAL).path == base + "/other-0000000004"
    assert zk.delete(base + "/other-0000000004").err == 0
    assert zk.create(base + "/n-", flags=SEQUENTIAL).path == base + "/n-0000000005"


def test_empty_prefix(zk, base):
    assert zk.create(base + "/", flags=SEQUENTIAL).path == base + "/0000000000"
    assert zk.create(base + "/", flags=EPHEMERAL + SEQUENTIAL).path == base + "/0000000001"


def test_suffix_of_ttl_nodes(zk, base):
    assert zk.ttl(base + "/t-", 10**9, flags=TTL_SEQUENTIAL).path == base + "/t-0000000000"
    assert zk.create(base + "/t-", flags=SEQUENTIAL).path == base + "/t-0000000001"


def test_suffix_survives_deletes_of_everything(zk, base):
    for _ in range(3):
        zk.delete(zk.create(base + "/n", flags=SEQUENTIAL).path)
    assert zk.create(base + "/n", flags=SEQUENTIAL).path == base + "/n0000000003"


def test_name_taken_by_an_explicit_create(zk, base):
    zk.create(base + "/s-0000000001")
    assert zk.create(base + "/s-", flags=SEQUENTIAL).err == NODE_EXISTS
    assert zk.create(base + "/s-", flags=SEQUENTIAL).err == NODE_EXISTS, "the counter does not move"
    zk.create(base + "/another")
    assert zk.create(base + "/s-", flags=SEQUENTIAL).path == base + "/s-0000000002"


def test_failed_creates_do_not_count(zk, base):
    zk.create(base + "/x", acl=[])
    zk.create(base + "/..")
    assert zk.create(base + "/n", flags=SEQUENTIAL).path == base + "/n0000000000"


def test_suffix_is_part_of_the_checked_path(zk, base):
    assert zk.create(base + "/..", flags=SEQUENTIAL).path == base + "/..0000000000"
    assert zk.create(base + "/x\x01", flags=SEQUENTIAL).err == BAD_ARGUMENTS


def test_suffix_of_the_root_counts_from_its_own_counter(own_server):
    zk = zkraw.Client(own_server().port)
    assert zk.create("/seq", flags=SEQUENTIAL).path == "/seq0000000000"
    assert zk.create("/seq", flags=SEQUENTIAL).path == "/seq0000000001"


def test_suffix_goes_on_after_a_restart(own_server):
    srv = own_server()
    zk = zkraw.Client(srv.port)
    zk.create("/p")
    for _ in range(3):
        zk.delete(zk.create("/p/n", flags=SEQUENTIAL).path)
    zk.drop()
    srv.restart()
    assert zkraw.Client(srv.port).create("/p/n", flags=SEQUENTIAL).path == "/p/n0000000003"
