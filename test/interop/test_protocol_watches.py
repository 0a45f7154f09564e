"""Watches: who is told what, when, in which order; removal; setWatches; the ACL filter."""
import pytest

import zkraw
from zkraw import (
    ALL,
    CHANGED,
    CHILD,
    CREATED,
    DELETED,
    EPHEMERAL,
    MARSHALLING,
    NO_WATCHER,
    OPEN,
    i32,
    i64,
    m_create,
    m_delete,
    m_set,
    vector,
)

CHILDREN, DATA, ANY, PERSISTENT_KIND, RECURSIVE_KIND = 1, 2, 3, 4, 5
PLAIN, RECURSIVE = 0, 1


# -- what each kind of watch is told: one row an event, one column a watch -------------------------


def register(zk, kind, node):
    if kind == "data":
        return zk.get(node, True)
    if kind == "exists":
        return zk.exists(node, True)
    if kind == "children":
        return zk.ls(node, True)
    if kind == "children2":
        return zk.ls2(node, True)
    if kind == "persistent":
        return zk.add_watch(node, PLAIN)
    return zk.add_watch(node, RECURSIVE)


ACTIONS = {
    "set": lambda zk, p: zk.set(p, b"new"),
    "delete": lambda zk, p: zk.delete(p),
    "setacl": lambda zk, p: zk.set_acl(p, OPEN),
    "child created": lambda zk, p: zk.create(p + "/k"),
    "child deleted": lambda zk, p: zk.delete(p + "/old"),
    "child set": lambda zk, p: zk.set(p + "/old", b"x"),
    "grandchild created": lambda zk, p: zk.create(p + "/old/g"),
    "failed set": lambda zk, p: zk.set(p, b"", 99),
    "failed delete": lambda zk, p: zk.delete(p, 99),
    "sibling created": lambda zk, p: zk.create(p + "-sibling"),
}

MATRIX = {
    #                      data/exists        children          persistent        recursive
    "set": ([(CHANGED, "")], [], [(CHANGED, "")], [(CHANGED, "")]),
    "delete": ([(DELETED, "")], [(DELETED, "")], [(DELETED, "")], [(DELETED, "")]),
    "setacl": ([], [], [], []),
    "child created": ([], [(CHILD, "")], [(CHILD, "")], [(CREATED, "/k")]),
    "child deleted": ([], [(CHILD, "")], [(CHILD, "")], [(DELETED, "/old")]),
    "child set": ([], [], [], [(CHANGED, "/old")]),
    "grandchild created": ([], [], [], [(CREATED, "/old/g")]),
    "failed set": ([], [], [], []),
    "failed delete": ([], [], [], []),
    "sibling created": ([], [], [], []),
}
COLUMN = {"data": 0, "exists": 0, "children": 1, "children2": 1, "persistent": 2, "recursive": 3}


@pytest.mark.parametrize("kind", COLUMN)
@pytest.mark.parametrize("action", MATRIX)
def test_matrix(zk, other, base, kind, action):
    node = base + "/n"
    other.create(node)
    if action != "delete":
        other.create(node + "/old")
    assert register(zk, kind, node).err == 0
    ACTIONS[action](other, node)
    assert zk.take_events() == [(t, node + suffix) for t, suffix in MATRIX[action][COLUMN[kind]]]


@pytest.mark.parametrize(
    "kind, told",
    [
        ("data", False),
        ("exists", True),
        ("children", False),
        ("children2", False),
        ("persistent", True),
        ("recursive", True),
    ],
)
def test_watch_on_a_missing_node(zk, other, base, kind, told):
    node = base + "/later"
    register(zk, kind, node)
    other.create(node)
    assert zk.take_events() == ([(CREATED, node)] if told else [])


@pytest.mark.parametrize(
    "kind, rounds", [("data", 1), ("exists", 1), ("persistent", 3), ("recursive", 3)]
)
def test_standard_watches_fire_once(zk, other, base, kind, rounds):
    register(zk, kind, base)
    for _ in range(3):
        other.set(base, b"x")
    assert zk.take_events() == [(CHANGED, base)] * rounds


def test_child_watch_fires_once(zk, other, base):
    zk.ls(base, True)
    other.create(base + "/a")
    other.create(base + "/b")
    assert zk.take_events() == [(CHILD, base)]


def test_exists_watch_on_a_missing_node_is_used_up_by_creation(zk, other, base):
    zk.exists(base + "/x", True)
    other.create(base + "/x")
    other.set(base + "/x", b"1")
    other.delete(base + "/x")
    assert zk.take_events() == [(CREATED, base + "/x")]


def test_failed_read_sets_no_watch(zk, other, base):
    node = base + "/locked"
    other.create(node)
    other.auth("digest", "o:o")
    other.set_acl(node, [(ALL, "digest", zkraw.digest_id("o", "o"))])
    assert zk.get(node, True).err == zkraw.NO_AUTH
    assert zk.ls(node, True).err == zkraw.NO_AUTH
    other.set_acl(node, OPEN)
    other.set(node, b"x")
    other.create(node + "/c")
    assert zk.take_events() == []


@pytest.mark.parametrize("setters", [("data", "data"), ("data", "exists"), ("exists", "exists")])
def test_several_watches_of_one_connection_give_one_event(zk, other, base, setters):
    for kind in setters:
        register(zk, kind, base)
    other.set(base, b"x")
    other.set(base, b"y")
    assert zk.take_events() == [(CHANGED, base)]


def test_deletion_uses_up_data_and_child_watch_with_one_event(zk, other, base):
    node = base + "/n"
    other.create(node)
    zk.get(node, True)
    zk.ls(node, True)
    other.delete(node)
    other.create(node)
    other.set(node, b"x")
    assert zk.take_events() == [(DELETED, node)]


def test_child_watch_survives_data_changes_and_the_reverse(zk, other, base):
    zk.ls(base, True)
    zk.get(base, True)
    other.create(base + "/c")
    other.set(base, b"1")
    assert zk.take_events() == [(CHILD, base), (CHANGED, base)]


def test_each_connection_gets_its_own_event(connect, base, zk):
    watchers = [connect() for _ in range(5)]
    for w in watchers:
        w.get(base, True)
    zk.set(base, b"x")
    assert [w.take_events() for w in watchers] == [[(CHANGED, base)]] * 5


def test_own_changes_are_told_before_the_reply(zk, base):
    zk.get(base, True)
    zk.set(base, b"x")
    assert [(e.type, e.path) for e in zk.events] == [(CHANGED, base)]
    zk.drop_events()
    zk.ls(base, True)
    zk.exists(base + "/c", True)
    zk.create(base + "/c")
    assert zk.drop_events() == [(CREATED, base + "/c"), (CHILD, base)]
    zk.get(base + "/c", True)
    zk.ls(base, True)
    zk.delete(base + "/c")
    assert zk.drop_events() == [(DELETED, base + "/c"), (CHILD, base)]


def test_event_before_the_read_that_shows_the_change(zk, other, base):
    for i in range(20):
        zk.get(base, True)
        other.set(base, b"%d" % i)
        seen = zk.get(base).data
        assert seen != b"%d" % i or zk.events, "the change was seen before its event"
        assert zk.take_events() == [(CHANGED, base)]


def test_parent_of_a_top_node_is_the_root(zk, other, base):
    zk.ls("/", True)
    other.create(base + "-top")
    assert zk.take_events() == [(CHILD, "/")]


def test_events_of_successive_changes_keep_their_order(zk, other, base):
    zk.add_watch(base, RECURSIVE)
    want = []
    for i in range(100):
        other.create(base + "/n%d" % i)
        want.append((CREATED, base + "/n%d" % i))
        if i % 3 == 0:
            other.set(base + "/n%d" % i, b"x")
            want.append((CHANGED, base + "/n%d" % i))
        if i % 5 == 0:
            other.delete(base + "/n%d" % i)
            want.append((DELETED, base + "/n%d" % i))
    assert zk.take_events() == want


# -- the event frame -------------------------------------------------------------------------------


@pytest.mark.since39("events carry the zxid of their transaction")
def test_events_carry_the_transactions_zxid(zk, other, base):
    zk.add_watch(base, RECURSIVE)
    zk.ls(base, True)
    zxids = [
        other.create(base + "/c").zxid,
        other.set(base + "/c", b"x").zxid,
        other.delete(base + "/c").zxid,
    ]
    zk.ping()
    assert [(e.type, e.zxid, e.state) for e in zk.events] == [
        (CREATED, zxids[0], 3),
        (CHILD, zxids[0], 3),
        (CHANGED, zxids[1], 3),
        (DELETED, zxids[2], 3),
    ]


@pytest.mark.since39("events carry the zxid of their transaction")
def test_events_of_a_multi_carry_one_zxid(zk, other, base):
    zk.add_watch(base, RECURSIVE)
    reply = other.multi([m_create(base + "/a"), m_set(base + "/a"), m_delete(base + "/a")])
    zk.ping()
    assert [(e.type, e.zxid) for e in zk.events] == [
        (t, reply.zxid) for t in (CREATED, CHANGED, DELETED)
    ]


def test_event_state_is_connected(zk, other, base):
    zk.get(base, True)
    other.set(base, b"x")
    zk.ping()
    assert [e.state for e in zk.events] == [3]


# -- multi -----------------------------------------------------------------------------------------


def test_events_of_a_multi_come_per_operation(zk, other, base):
    zk.add_watch(base, PLAIN)
    zk.add_watch(base + "/a", PLAIN)
    other.multi([m_create(base + "/a"), m_set(base + "/a"), m_set(base), m_delete(base + "/a")])
    a = base + "/a"
    assert zk.take_events() == [
        (CREATED, a),
        (CHILD, base),
        (CHANGED, a),
        (CHANGED, base),
        (DELETED, a),
        (CHILD, base),
    ]


def test_failed_multi_tells_nobody(zk, other, base):
    zk.add_watch(base, RECURSIVE)
    other.multi([m_create(base + "/a"), m_set(base), m_delete("/none")])
    assert zk.take_events() == []


# -- persistent and recursive ----------------------------------------------------------------------


def test_recursive_covers_the_whole_subtree(zk, other, base):
    zk.add_watch(base, RECURSIVE)
    deep = base + "/a/b/c/d"
    for i in range(1, 5):
        other.create("/".join(deep.split("/")[: i + 2]))
    other.set(deep, b"x")
    other.delete(deep)
    paths = ["/".join(deep.split("/")[: i + 2]) for i in range(1, 5)]
    assert zk.take_events() == [(CREATED, p) for p in paths] + [(CHANGED, deep), (DELETED, deep)]


def test_recursive_on_the_root_sees_everything(zk, other, base):
    zk.add_watch("/", RECURSIVE)
    other.create(base + "/x")
    other.create(base + "-beside")
    # Elsewhere a node of another test may just have come to its end.
    seen = [e for e in zk.take_events() if e[1].startswith(base)]
    assert seen == [(CREATED, base + "/x"), (CREATED, base + "-beside")]


def test_recursive_is_not_a_prefix_of_text(zk, other, base):
    zk.add_watch(base + "/ab", RECURSIVE)
    other.create(base + "/abc")
    other.create(base + "/a")
    assert zk.take_events() == []


def test_nested_recursive_watches_give_one_event(zk, other, base):
    other.create(base + "/a")
    for path in ("/", base, base + "/a"):
        zk.add_watch(path, RECURSIVE)
    other.create(base + "/a/b")
    assert [e for e in zk.take_events() if e[1].startswith(base)] == [(CREATED, base + "/a/b")]


def test_recursive_and_standard_child_watch_give_both(zk, other, base):
    zk.add_watch(base, RECURSIVE)
    zk.ls(base, True)
    other.create(base + "/k")
    other.create(base + "/l")
    assert zk.take_events() == [(CREATED, base + "/k"), (CHILD, base), (CREATED, base + "/l")]


@pytest.mark.since39("modes of one path add up")
def test_recursive_and_standard_data_watch_give_one(zk, other, base):
    zk.add_watch(base, RECURSIVE)
    zk.get(base, True)
    other.set(base, b"x")
    other.set(base, b"y")
    assert zk.take_events() == [(CHANGED, base)] * 2


@pytest.mark.since39("modes of one path add up")
def test_persistent_and_recursive_on_one_path(zk, other, base):
    zk.add_watch(base, PLAIN)
    zk.add_watch(base, RECURSIVE)
    other.create(base + "/k")
    assert zk.take_events() == [(CREATED, base + "/k"), (CHILD, base)]
    other.set(base, b"x")
    assert zk.take_events() == [(CHANGED, base)]


@pytest.mark.since39("a standard watch downgrades a persistent one in 3.8")
def test_standard_read_does_not_end_a_persistent_watch(zk, other, base):
    zk.add_watch(base, PLAIN)
    zk.get(base, True)
    zk.ls(base, True)
    for _ in range(2):
        other.set(base, b"x")
    other.create(base + "/a")
    other.create(base + "/b")
    assert zk.take_events() == [(CHANGED, base)] * 2 + [(CHILD, base)] * 2


def test_persistent_watch_survives_delete_and_create(zk, other, base):
    node = base + "/n"
    zk.add_watch(node, PLAIN)
    other.create(node)
    other.delete(node)
    other.create(node)
    assert zk.take_events() == [(CREATED, node), (DELETED, node), (CREATED, node)]


@pytest.mark.parametrize("mode", [2, -1, 77])
def test_unknown_watch_mode(zk, base, mode):
    assert zk.add_watch(base, mode).err == MARSHALLING
    assert zk.ping().err == 0


@pytest.mark.since39("recursive watches are kept by path prefixes only, without checking them")
@pytest.mark.parametrize("path", ["/none/at/all", "no slash", "", "/a/", "//"])
def test_watch_requests_take_any_path(zk, path):
    assert zk.add_watch(path, PLAIN).err == 0
    assert zk.check_watches(path, ANY).err == 0
    assert zk.remove_watches(path, ANY).err == 0


# -- removal ---------------------------------------------------------------------------------------

REMOVAL = {
    "data": {DATA, ANY},
    "exists": {DATA, ANY},
    "children": {CHILDREN, ANY},
    "persistent": {ANY, PERSISTENT_KIND},
    "recursive": {ANY, RECURSIVE_KIND},
}


@pytest.mark.since39("kinds are told apart")
@pytest.mark.parametrize("kind", REMOVAL)
@pytest.mark.parametrize("wanted", [CHILDREN, DATA, ANY, PERSISTENT_KIND, RECURSIVE_KIND])
def test_check_and_remove_by_kind(zk, other, base, kind, wanted):
    register(zk, kind, base)
    expected = 0 if wanted in REMOVAL[kind] else NO_WATCHER
    assert zk.check_watches(base, wanted).err == expected
    assert zk.check_watches(base, wanted).err == expected, "check removes nothing"
    assert zk.remove_watches(base, wanted).err == expected
    assert zk.remove_watches(base, wanted).err == NO_WATCHER
    other.set(base, b"x")
    other.create(base + "/c")
    assert (zk.take_events() == []) == (expected == 0)


@pytest.mark.parametrize("kind", [CHILDREN, DATA, ANY])
def test_no_watch_to_remove(zk, base, kind):
    assert zk.remove_watches(base, kind).err == NO_WATCHER
    assert zk.check_watches(base, kind).err == NO_WATCHER


@pytest.mark.parametrize("kind", [0, 6, -1, 100])
def test_unknown_watcher_kind(zk, base, kind):
    assert zk.remove_watches(base, kind).err == MARSHALLING
    assert zk.check_watches(base, kind).err == MARSHALLING


def test_removing_data_leaves_children(zk, other, base):
    zk.get(base, True)
    zk.ls(base, True)
    assert zk.remove_watches(base, DATA).err == 0
    other.set(base, b"x")
    other.create(base + "/c")
    assert zk.take_events() == [(CHILD, base)]


def test_removing_any_takes_both(zk, other, base):
    zk.get(base, True)
    zk.ls(base, True)
    assert zk.remove_watches(base, ANY).err == 0
    other.set(base, b"x")
    other.create(base + "/c")
    assert zk.take_events() == []


@pytest.mark.since39("removing one mode leaves the others")
def test_removing_one_mode_leaves_the_others(zk, other, base):
    zk.add_watch(base, PLAIN)
    zk.add_watch(base, RECURSIVE)
    zk.get(base, True)
    assert zk.remove_watches(base, PERSISTENT_KIND).err == 0
    assert zk.check_watches(base, PERSISTENT_KIND).err == NO_WATCHER
    other.create(base + "/k")
    assert zk.take_events() == [(CREATED, base + "/k")]
    assert zk.remove_watches(base, RECURSIVE_KIND).err == 0
    other.set(base, b"x")
    other.set(base, b"y")
    assert zk.take_events() == [(CHANGED, base)], "the standard watch is still there"


def test_removing_leaves_other_connections_alone(zk, other, base):
    zk.get(base, True)
    other.get(base, True)
    assert zk.remove_watches(base, DATA).err == 0
    other.set(base, b"x")
    assert other.take_events() == [(CHANGED, base)] and zk.take_events() == []


def test_removed_recursive_watch_is_silent(zk, other, base):
    zk.add_watch(base, RECURSIVE)
    assert zk.remove_watches(base, ANY).err == 0
    other.create(base + "/k")
    assert zk.take_events() == []


# -- setWatches ------------------------------------------------------------------------------------


def test_set_watches_tells_what_changed_since(zk, other, base):
    for name in ("same", "set", "gone", "kids", "born"):
        if name != "born":
            other.create(base + "/" + name)
    since = zk.ping().zxid
    other.set(base + "/set", b"x")
    other.delete(base + "/gone")
    other.create(base + "/kids/k")
    other.create(base + "/born")
    p = {n: base + "/" + n for n in ("same", "set", "gone", "kids", "born", "never")}
    reply = zk.set_watches(
        since,
        data=[p["same"], p["set"], p["gone"]],
        exist=[p["born"], p["never"]],
        child=[p["kids"], p["same"], p["gone"]],
    )
    assert (reply.xid, reply.err, reply.body) == (-8, 0, b"")
    assert [e.zxid for e in zk.events] == [-1] * 5
    assert zk.drop_events() == [
        (CHANGED, p["set"]),
        (DELETED, p["gone"]),
        (CREATED, p["born"]),
        (CHILD, p["kids"]),
        (DELETED, p["gone"]),
    ]
    other.set(p["same"], b"y")
    other.create(p["same"] + "/k")
    other.create(p["never"])
    other.set(p["set"], b"z")
    assert zk.take_events() == [
        (CHANGED, p["same"]),
        (CHILD, p["same"]),
        (CREATED, p["never"]),
    ], "registered: what got no event; not registered: what got one"


def test_set_watches_boundary(zk, other, base):
    mzxid = other.set(base, b"x").zxid
    zk.set_watches(mzxid, data=[base])
    assert zk.take_events() == []
    zk.set_watches(mzxid - 1, data=[base])
    assert zk.take_events() == [(CHANGED, base)]


def test_set_watches_child_boundary(zk, other, base):
    pzxid = other.create(base + "/c").zxid
    zk.set_watches(pzxid, child=[base])
    assert zk.take_events() == []
    zk.set_watches(pzxid - 1, child=[base])
    assert zk.take_events() == [(CHILD, base)]


def test_set_watches_deletion_seen_through_pzxid(zk, other, base):
    other.create(base + "/c")
    since = zk.ping().zxid
    other.delete(base + "/c")
    zk.set_watches(since, child=[base])
    assert zk.take_events() == [(CHILD, base)]


def test_set_watches2_registers_persistent_ones(zk, other, base):
    since = zk.ping().zxid
    other.set(base, b"missed")
    reply = zk.set_watches2(since, persistent=[base], recursive=[base + "/r"])
    assert reply.err == 0 and zk.events == [], "no catching up for these"
    other.set(base, b"1")
    other.set(base, b"2")
    other.create(base + "/r")
    other.create(base + "/r/x")
    assert zk.take_events() == [(CHANGED, base)] * 2 + [
        (CREATED, base + "/r"),
        (CHILD, base),
        (CREATED, base + "/r/x"),
    ]


def test_set_watches2_all_lists_in_order(zk, other, base):
    for n in "abc":
        other.create(base + "/" + n)
    since = zk.ping().zxid
    other.set(base + "/a", b"x")
    other.create(base + "/c/k")
    zk.set_watches2(
        since,
        data=[base + "/a"],
        exist=[base + "/b"],
        child=[base + "/c"],
        persistent=[base],
        recursive=[base],
    )
    assert zk.drop_events() == [
        (CHANGED, base + "/a"),
        (CREATED, base + "/b"),
        (CHILD, base + "/c"),
    ]


@pytest.mark.parametrize("nulls", [0, 1, 2])
def test_set_watches_with_a_null_list(zk, nulls):
    lists = [vector([]), vector([]), vector([])]
    lists[nulls] = i32(-1)
    assert zk.call(zkraw.SET_WATCHES, i64(0) + b"".join(lists), xid=-8).err == MARSHALLING
    assert zk.ping().err == 0


def test_set_watches_after_reconnect(connect, other, base):
    first = connect()
    first.get(base, True)
    seen = first.ping().zxid
    first.drop()
    other.set(base, b"while away")
    again = connect(session_id=first.session_id, password=first.password, last_zxid=seen)
    assert again.events == []
    again.set_watches(seen, data=[base])
    assert again.take_events() == [(CHANGED, base)]


def test_many_watches_in_one_packet(zk, other, base):
    paths = [base + "/%05d" % i for i in range(5000)]
    assert zk.set_watches(zk.ping().zxid, exist=paths).err == 0
    for path in paths[::1000]:
        other.create(path)
    assert zk.take_events() == [(CREATED, p) for p in paths[::1000]]


# -- sessions --------------------------------------------------------------------------------------


def test_watches_end_with_the_session(connect, zk, srv, base):
    client = connect()
    client.get(base, True)
    client.add_watch(base, RECURSIVE)
    client.close()
    assert zk.set(base, b"x").err == 0


def test_closing_session_fires_watches_on_its_ephemerals(connect, zk, base):
    client = connect()
    paths = [base + "/e%d" % i for i in range(3)]
    for p in paths:
        client.create(p, flags=EPHEMERAL)
        zk.exists(p, True)
    zk.ls(base, True)
    zxid = client.close().zxid
    events = zk.take_events()
    assert sorted(events) == sorted([(DELETED, p) for p in paths] + [(CHILD, base)])
    assert zk.exists(base).stat.pzxid == zxid


@pytest.mark.since39("events carry the zxid of their transaction")
def test_events_of_a_closing_session_carry_its_zxid(connect, zk, base):
    client = connect()
    for i in range(3):
        client.create(base + "/e%d" % i, flags=EPHEMERAL)
    zk.add_watch(base, PLAIN)
    zk.add_watch(base, RECURSIVE)
    zxid = client.close().zxid
    zk.ping()
    assert len(zk.events) == 6 and {e.zxid for e in zk.events} == {zxid}


def test_own_ephemerals_are_told_before_the_reply_to_close(connect, base, zk):
    client = connect()
    client.create(base + "/e", flags=EPHEMERAL)
    client.get(base + "/e", True)
    assert client.call(zkraw.CLOSE_SESSION).err == 0
    assert [(e.type, e.path) for e in client.events] == [(DELETED, base + "/e")]


# -- the filter by READ ----------------------------------------------------------------------------

OWNER_ONLY = [(ALL, "digest", zkraw.digest_id("o", "o"))]


@pytest.fixture
def owner(connect):
    client = connect()
    client.auth("digest", "o:o")
    return client


def test_unreadable_nodes_are_not_told(zk, owner, base):
    zk.add_watch(base, RECURSIVE)
    zk.ls(base, True)
    secret = base + "/secret"
    owner.create(secret, acl=OWNER_ONLY)
    assert zk.take_events() == [(CHILD, base)], "the parent may be read"
    owner.set(secret, b"x")
    owner.delete(secret)
    assert zk.take_events() == []


def test_owner_is_told(owner, base):
    owner.add_watch(base, RECURSIVE)
    owner.create(base + "/secret", acl=OWNER_ONLY)
    owner.set(base + "/secret", b"x")
    owner.delete(base + "/secret")
    assert owner.take_events() == [(t, base + "/secret") for t in (CREATED, CHANGED, DELETED)]


def test_super_is_told(superuser, owner, base):
    superuser.add_watch(base, RECURSIVE)
    owner.create(base + "/secret", acl=OWNER_ONLY)
    assert superuser.take_events() == [(CREATED, base + "/secret")]


def test_children_changes_of_an_unreadable_parent_are_not_told(zk, owner, base):
    node = base + "/p"
    owner.create(node)
    zk.ls(node, True)
    owner.set_acl(node, OWNER_ONLY)
    owner.create(node + "/k")
    assert zk.take_events() == []


def test_a_filtered_standard_watch_is_used_up(zk, owner, base):
    node = base + "/n"
    owner.create(node)
    zk.get(node, True)
    owner.set_acl(node, OWNER_ONLY)
    owner.set(node, b"1")
    owner.set_acl(node, OPEN)
    owner.set(node, b"2")
    assert zk.take_events() == []


def test_a_filtered_persistent_watch_stays(zk, owner, base):
    node = base + "/n"
    owner.create(node)
    zk.add_watch(node, PLAIN)
    owner.set_acl(node, OWNER_ONLY)
    owner.set(node, b"1")
    owner.set_acl(node, OPEN)
    owner.set(node, b"2")
    assert zk.take_events() == [(CHANGED, node)]


def test_deletion_is_filtered_by_the_deleted_nodes_list(zk, owner, base):
    node = base + "/n"
    owner.create(node)
    zk.get(node, True)
    zk.ls(base, True)
    owner.set_acl(node, OWNER_ONLY)
    owner.delete(node)
    assert zk.take_events() == [(CHILD, base)]
