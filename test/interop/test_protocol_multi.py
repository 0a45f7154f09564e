"""multi and multiRead."""
import pytest

import zkraw
from ensemble import undisturbed
from zkraw import (
    ALL,
    BAD_ARGUMENTS,
    BAD_VERSION,
    CHECK,
    CREATE,
    CREATE2,
    CREATE_CONTAINER,
    DELETE,
    EPHEMERAL,
    GET_CHILDREN,
    GET_DATA,
    INVALID_ACL,
    MARSHALLING,
    MULTI,
    MULTI_READ,
    NO_AUTH,
    NO_NODE,
    NODE_EXISTS,
    NOT_EMPTY,
    READ,
    RUNTIME_INCONSISTENCY,
    SEQUENTIAL,
    SET_DATA,
    TTL_SEQUENTIAL,
    i32,
    m_check,
    m_create,
    m_create_ttl,
    m_delete,
    m_get,
    m_ls,
    m_set,
    text,
)

END = i32(-1) + b"\1" + i32(-1)


def codes(reply):
    return [r[1] for r in reply.results]


@undisturbed
def test_empty_multi(zk):
    before = zk.ping().zxid
    reply = zk.multi([])
    assert (reply.err, reply.zxid, reply.body) == (0, before + 1, END)


@undisturbed
def test_empty_multi_read(zk):
    before = zk.ping().zxid
    reply = zk.multi([], MULTI_READ)
    assert (reply.err, reply.zxid, reply.body) == (0, before, END)


def test_every_kind_of_result(zk, base):
    zk.create(base + "/old")
    reply = zk.multi(
        [
            m_create(base + "/a", b"1"),
            m_set(base + "/a", b"22"),
            m_check(base + "/a", 1),
            m_delete(base + "/old"),
        ]
    )
    assert reply.err == 0
    create, changed, check, delete = reply.results
    assert create == (CREATE, 0, base + "/a")
    assert changed[:2] == (SET_DATA, 0) and changed[2].version == 1 and changed[2].length == 2
    assert check == (CHECK, 0) and delete == (DELETE, 0)
    assert zk.get(base + "/a").data == b"22"
    assert zk.exists(base + "/old").err == NO_NODE


@pytest.mark.since39("create2 and createContainer keep their kind inside multi")
def test_kinds_with_a_stat(zk, base):
    reply = zk.multi(
        [
            m_create(base + "/two", op=CREATE2),
            m_create(base + "/c", flags=4, op=CREATE_CONTAINER),
            m_create_ttl(base + "/t", 10**9),
        ]
    )
    assert [r[:3] for r in reply.results] == [
        (CREATE2, 0, base + "/" + n) for n in ("two", "c", "t")
    ]
    for result in reply.results:
        assert result[3].czxid == reply.zxid and result[3].owner == 0
        assert zk.exists(result[2]).stat == result[3]


@pytest.mark.since39("create2 keeps its kind inside multi")
def test_create2_of_an_ephemeral_in_a_multi(zk, base):
    reply = zk.multi([m_create(base + "/e", flags=EPHEMERAL, op=CREATE2)])
    assert reply.results[0][3].owner == zk.session_id


@pytest.mark.parametrize("op", [CREATE, CREATE2])
def test_container_flag_answers_with_a_stat(zk, base, op):
    reply = zk.multi([m_create(base + "/c", flags=4, op=op)])
    assert reply.results[0][:3] == (CREATE2, 0, base + "/c")


def test_one_zxid_and_one_time_for_all(zk, base):
    reply = zk.multi(
        [m_create(base + "/a"), m_create(base + "/a/b"), m_create(base + "/a/c"), m_set(base, b"x")]
    )
    stats = [zk.exists(base + p).stat for p in ("/a", "/a/b", "/a/c")]
    assert (
        {s.czxid for s in stats}
        == {s.mzxid for s in stats}
        == {s.pzxid for s in stats}
        == {reply.zxid}
    )
    parent = zk.exists(base).stat
    assert parent.mzxid == parent.pzxid == reply.zxid
    assert {s.ctime for s in stats} == {parent.mtime}


@pytest.mark.parametrize(
    "failing, code",
    [
        (m_delete("/none/x"), NO_NODE),
        (m_check("/none"), NO_NODE),
        (m_set("/none"), NO_NODE),
        (m_create("/none/x"), NO_NODE),
        (m_create("/"), NODE_EXISTS),
        (m_create("/x", acl=[]), INVALID_ACL),
        (m_create("bad"), BAD_ARGUMENTS),
        (m_delete("/zookeeper"), BAD_ARGUMENTS),
        (m_set("/a//b"), BAD_ARGUMENTS),
        (m_check("/", 99), BAD_VERSION),
        (m_create_ttl("/x", 0), BAD_ARGUMENTS),
    ],
)
@undisturbed
def test_failure_in_the_middle(zk, base, failing, code):
    before = zk.ping().zxid
    reply = zk.multi(
        [m_create(base + "/a"), m_set(base, b"x"), failing, m_delete(base), m_check("/")]
    )
    assert (reply.err, reply.zxid) == (0, before + 1)
    assert codes(reply) == [0, 0, code, RUNTIME_INCONSISTENCY, RUNTIME_INCONSISTENCY]
    assert all(r[0] == -1 for r in reply.results)
    assert zk.ls(base).children == [] and zk.get(base).data == b""
    assert zk.ping().zxid == before + 1


@pytest.mark.parametrize("position", [0, 1, 2])
def test_failure_at_each_position(zk, base, position):
    ops = [m_create(base + "/a%d" % i) for i in range(3)]
    ops[position] = m_check("/none")
    reply = zk.multi(ops)
    assert codes(reply) == [0] * position + [NO_NODE] + [RUNTIME_INCONSISTENCY] * (2 - position)


def test_exact_bytes_of_a_failed_multi(zk, base):
    reply = zk.multi([m_create(base + "/a"), m_delete(base + "/none"), m_set(base)])
    assert reply.body.hex() == (
        "ffffffff00"
        "00000000"
        "00000000"
        "ffffffff00"
        "ffffff9b"
        "ffffff9b"
        "ffffffff00"
        "fffffffe"
        "fffffffe"
        "ffffffff01ffffffff"
    )


# -- each sub-operation sees the ones before -------------------------------------------------------

CHAINS = {
    "create then delete": lambda b: [m_create(b + "/x"), m_delete(b + "/x")],
    "delete then create": lambda b: [m_delete(b + "/old"), m_create(b + "/old", b"new")],
    "parent then child": lambda b: [
        m_create(b + "/p"),
        m_create(b + "/p/c"),
        m_create(b + "/p/c/d"),
    ],
    "child then parent deleted": lambda b: [m_delete(b + "/old/child"), m_delete(b + "/old")],
    "version after set": lambda b: [
        m_set(b, b"1", 0),
        m_check(b, 1),
        m_set(b, b"2", 1),
        m_check(b, 2),
    ],
    "create, set, check": lambda b: [
        m_create(b + "/x"),
        m_check(b + "/x", 0),
        m_set(b + "/x", b"d"),
        m_check(b + "/x", 1),
    ],
}


@pytest.mark.parametrize("name", CHAINS)
def test_later_operations_see_earlier_ones(zk, base, name):
    zk.create(base + "/old")
    if name.startswith("child"):
        zk.create(base + "/old/child")
    reply = zk.multi(CHAINS[name](base))
    assert set(codes(reply)) == {0}


FAILING_CHAINS = {
    "create twice": (lambda b: [m_create(b + "/x"), m_create(b + "/x")], [0, NODE_EXISTS]),
    "delete twice": (lambda b: [m_delete(b + "/old"), m_delete(b + "/old")], [0, NO_NODE]),
    "set after delete": (lambda b: [m_delete(b + "/old"), m_set(b + "/old")], [0, NO_NODE]),
    "child after parent deleted": (
        lambda b: [m_delete(b + "/old"), m_create(b + "/old/c")],
        [0, NO_NODE],
    ),
    "delete of a parent just filled": (
        lambda b: [m_create(b + "/old/c"), m_delete(b + "/old")],
        [0, NOT_EMPTY],
    ),
    "stale version": (lambda b: [m_set(b, b"", 0), m_set(b, b"", 0)], [0, BAD_VERSION]),
    "child of a new ephemeral": (
        lambda b: [m_create(b + "/e", flags=EPHEMERAL), m_create(b + "/e/c")],
        [0, -108],
    ),
}


@pytest.mark.parametrize("name", FAILING_CHAINS)
def test_later_operations_fail_on_earlier_ones(zk, base, name):
    chain, want = FAILING_CHAINS[name]
    zk.create(base + "/old")
    before = zk.exists(base).stat
    assert codes(zk.multi(chain(base))) == want
    assert zk.exists(base).stat == before
    assert zk.ls(base).children == ["old"]


def test_sequence_numbers_within_a_multi(zk, base):
    reply = zk.multi(
        [
            m_create(base + "/s-", flags=SEQUENTIAL),
            m_create(base + "/plain"),
            m_create(base + "/s-", flags=3),
            m_create_ttl(base + "/t-", 10**9, flags=TTL_SEQUENTIAL),
        ]
    )
    assert [r[2] for r in reply.results] == [
        base + p for p in ("/s-0000000000", "/plain", "/s-0000000002", "/t-0000000003")
    ]
    assert zk.exists(base).stat.cversion == 4


def test_failed_multi_gives_sequence_numbers_back(zk, base):
    assert codes(zk.multi([m_create(base + "/s-", flags=SEQUENTIAL)] * 3 + [m_check("/none")])) == [
        0,
        0,
        0,
        NO_NODE,
    ]
    assert zk.create(base + "/s-", flags=SEQUENTIAL).path == base + "/s-0000000000"


def test_pipelined_after_a_failed_multi(zk, base):
    """The changes in flight of a failed multi must not be seen by requests already queued behind
    it.
    """
    body = (
        b"".join(i32(k) + b"\0" + i32(-1) + b for k, b in [m_create(base + "/a"), m_check("/none")])
        + END
    )
    zk.send(MULTI, body)
    zk.send(CREATE, m_create(base + "/a/b")[1])
    zk.send(CREATE, m_create(base + "/s-", flags=SEQUENTIAL)[1])
    assert zk.recv().err == 0
    assert zk.recv().err == NO_NODE
    assert zkraw.Reader(zk.recv().body).text() == base + "/s-0000000000"


def test_stat_arithmetic_in_a_multi(zk, base):
    reply = zk.multi([m_create(base + "/a"), m_create(base + "/b"), m_delete(base + "/a")])
    s = zk.exists(base).stat
    assert (s.cversion, s.children, s.pzxid) == (3, 1, reply.zxid)


# -- check -----------------------------------------------------------------------------------------


def test_check_order(zk, base):
    assert codes(zk.multi([m_check("/none/", 5)])) == [BAD_ARGUMENTS]
    assert codes(zk.multi([m_check("/none", 5)])) == [NO_NODE]
    zk.set_acl(base, [(ALL & ~READ, "world", "anyone")])
    assert codes(zk.multi([m_check(base, 5)])) == [NO_AUTH]


@pytest.mark.parametrize("version, want", [(-1, 0), (0, 0), (1, BAD_VERSION), (-2, BAD_VERSION)])
def test_check_versions(zk, base, version, want):
    assert codes(zk.multi([m_check(base, version)])) == [want]


def test_permissions_in_a_multi(zk, base):
    zk.create(base + "/ro", acl=[(READ, "world", "anyone")])
    assert codes(
        zk.multi([m_check(base + "/ro"), m_set(base + "/ro"), m_delete(base + "/ro")])
    ) == [0, NO_AUTH, RUNTIME_INCONSISTENCY]
    assert codes(zk.multi([m_create(base + "/ro/x")])) == [NO_AUTH]
    assert codes(zk.multi([m_delete(base + "/ro")])) == [0]


def test_multi_creates_with_auth_acl(zk, base):
    zk.auth("digest", "u:p")
    assert codes(zk.multi([m_create(base + "/x", acl=[(ALL, "auth", "")])])) == [0]
    assert zk.get_acl(base + "/x").acl == [(ALL, "digest", zkraw.digest_id("u", "p"))]


# -- requests that fail as a whole -----------------------------------------------------------------


@pytest.mark.parametrize("kind", [0, 3, 6, 7, 9, 11, 12, 14, 16, 20, 22, 100, -1, -10, -11, 99])
def test_operation_not_allowed_in_a_multi(zk, base, kind):
    reply = zk.multi([m_create(base + "/a"), (kind, text(base) + i32(0))])
    assert reply.err == MARSHALLING
    assert zk.ls(base).children == []
    assert zk.ping().err == 0


def test_reads_in_a_multi(zk, base):
    assert zk.multi([m_get(base)]).err == MARSHALLING
    assert zk.multi([m_create(base + "/a"), m_get(base)]).err == MARSHALLING
    assert zk.multi([m_get(base), m_create(base + "/a")]).err == MARSHALLING
    assert zk.ls(base).children == []


def test_writes_in_a_multi_read(zk, base):
    assert zk.multi([m_create(base + "/a")], MULTI_READ).err == MARSHALLING
    assert zk.multi([m_get(base), m_create(base + "/a")], MULTI_READ).err == MARSHALLING
    assert zk.ls(base).children == []


@pytest.mark.since39("bad create flags spoil the whole request")
@pytest.mark.parametrize("flags", [7, -1, 100])
def test_bad_flags_in_a_multi(zk, base, flags):
    assert zk.multi([m_create(base + "/a"), m_create(base + "/b", flags=flags)]).err == MARSHALLING
    assert zk.ls(base).children == []


def test_multi_without_an_end_marker(zk, base):
    kind, body = m_create(base + "/a")
    assert zk.call(MULTI, i32(kind) + b"\0" + i32(-1) + body).err == MARSHALLING
    assert zk.call(MULTI, b"").err == MARSHALLING
    assert zk.ls(base).children == []


def test_end_marker_is_known_by_its_done_byte(zk, base):
    reply = zk.call(MULTI, i32(5) + b"\1" + i32(7))
    assert (reply.err, reply.body) == (0, END)


def test_bytes_after_the_end_marker_are_ignored(zk, base):
    kind, body = m_create(base + "/a")
    assert zk.call(MULTI, i32(kind) + b"\0" + i32(-1) + body + END + b"more").err == 0
    assert zk.ls(base).children == ["a"]


def test_large_multi(zk, base):
    ops = [m_create(base + "/n%04d" % i, b"x" * 10) for i in range(2000)]
    reply = zk.multi(ops)
    assert len(reply.results) == 2000 and set(codes(reply)) == {0}
    assert zk.exists(base).stat.cversion == 2000
    reply = zk.multi([m_delete(base + "/n%04d" % i) for i in range(2000)])
    assert set(codes(reply)) == {0}


# -- multiRead -------------------------------------------------------------------------------------


@undisturbed
def test_multi_read(zk, base):
    zk.create(base + "/a", b"data")
    before = zk.ping().zxid
    reply = zk.multi(
        [m_get(base + "/a"), m_ls(base), m_get("/none"), m_ls("/none"), m_get(base)], MULTI_READ
    )
    assert (reply.err, reply.zxid) == (0, before)
    get, ls, no_get, no_ls, last = reply.results
    assert get[:3] == (GET_DATA, 0, b"data") and get[3] == zk.exists(base + "/a").stat
    assert ls == (GET_CHILDREN, 0, ["a"])
    assert no_get == no_ls == (-1, NO_NODE)
    assert last[:3] == (GET_DATA, 0, b"")
    assert zk.ping().zxid == before


def test_multi_read_of_an_unreadable_node(zk, base):
    zk.create(base + "/x", acl=[(ALL & ~READ, "world", "anyone")])
    reply = zk.multi([m_get(base + "/x"), m_ls(base + "/x"), m_ls(base)], MULTI_READ)
    assert codes(reply) == [NO_AUTH, NO_AUTH, 0]


def test_multi_read_sets_no_watch(zk, base):
    zk.multi([m_get(base, True), m_ls(base, True)], MULTI_READ)
    zk.set(base, b"x")
    zk.create(base + "/c")
    assert zk.take_events() == []


def test_multi_read_of_malformed_paths(zk):
    reply = zk.multi([m_get("nope"), m_get("/a/"), m_get("")], MULTI_READ)
    assert codes(reply) == [NO_NODE, NO_NODE, 0]


def test_multi_outlives_a_restart(own_server):
    srv = own_server()
    zk = zkraw.Client(srv.port)
    zk.multi(
        [
            m_create("/a", b"1"),
            m_create("/a/s-", flags=SEQUENTIAL),
            m_set("/a", b"2"),
            m_create("/b"),
            m_delete("/b"),
        ]
    )
    before = zk.exists("/a").stat
    zk.drop()
    srv.restart(kill=True)
    zk = zkraw.Client(srv.port)
    assert zk.exists("/a").stat == before
    assert zk.get("/a").data == b"2"
    assert zk.ls("/a").children == ["s-0000000000"] and zk.exists("/b").err == NO_NODE
