"""Followers that serve observers (observerMasterPort): ours and Apache's on either side."""
import socket

import pytest
import zkraw
from ensemble import Ensemble, tried, until
from server import free_port, use_apache
from test_ensemble_members import fill
from test_ensemble_sasl import JAAS_KEY, REQUIRED, jaas
from test_ensemble_tls import START_S, lines, needs_apache
from test_tls import Pki

pytestmark = [pytest.mark.skipif(use_apache(), reason="starts its own servers")]


class Led(Ensemble):
    """Server 3 leads: it and 2 are a quorum before the others come."""

    asked = None

    def __enter__(self):
        self.start((self[2], self[3]))
        until(lambda: self[3].mode() == "leader", START_S)
        self.start((self[1],))
        self[1].wait_serving(START_S)
        # Apache's serves clients before it serves observers; one that comes too early goes to the leader for good.
        until(lambda: socket.create_connection(("127.0.0.1", self.asked), timeout=10).close() is None, START_S)
        return self.start((self[4],))


def ensemble(directory, voters="zzz", observer="z", masters=(1,), **more):
    """The voters in `masters` listen where the observer asks; the others on ports of their own. On one machine that
    can be one of them at a time."""
    asked = free_port()
    lines_of = {sid: ["observerMasterPort=%d" % (asked if sid in masters else free_port())] for sid in (1, 2, 3)}
    lines_of[4] = ["observerMasterPort=%d" % asked]
    e = Led(directory, voters, observer, lines_of=lines_of, **more)
    e.asked = asked
    return e


def serves(m, sid):
    """The log of m says that it serves server sid, by the words of either kind."""
    return "zab.learner.synced sid=%d" % sid in m.log() or "sid: %d" % sid in m.log()


def everything(e):
    """What clients of the observer and of its master ask for, and what they see of each other."""
    master, observer = e[1], e[4]
    with observer.raw() as c, master.raw() as d:
        assert c.create("/o", b"1").err == 0
        assert c.create("/o").err == zkraw.NODE_EXISTS
        assert c.create("/o/seq-", flags=zkraw.SEQUENTIAL).path == "/o/seq-0000000000"
        assert c.set("/o", b"2", version=0).err == 0
        assert c.set("/o", b"2", version=0).err == zkraw.BAD_VERSION
        assert [x[1] for x in c.multi([zkraw.m_create("/o/m"), zkraw.m_delete("/o/m")]).results] == [0, 0]
        assert c.create("/o/e", flags=zkraw.EPHEMERAL).err == 0
        for i in range(100):
            assert d.set("/o", b"%d" % i).err == 0
            assert c.sync("/").err == 0
            assert c.get("/o").data == b"%d" % i
        d.sync("/")
        assert d.exists("/o/e").stat.owner == c.session_id
        assert c.get("/o", watch=True).err == 0
        assert d.set("/o", b"seen").err == 0
        assert c.wait_events(1) == [(zkraw.CHANGED, "/o")]
        d.close()
        c.close()
    with master.raw() as d:
        d.sync("/")
        assert d.exists("/o/e").err == zkraw.NO_NODE


def moves_about(e):
    """A session goes from the observer to its master, to another member, and back."""
    a = e[4].raw()
    assert a.create("/moves", flags=zkraw.EPHEMERAL).err == 0
    for m in (e[1], e[4], e[2], e[4], e[3], e[1], e[4]):
        a.drop()
        b = m.raw(session_id=a.session_id, password=a.password)
        assert b.session_id == a.session_id
        b.sync("/")
        assert b.exists("/moves").stat.owner == a.session_id
        assert b.set("/moves", b"%d" % m.sid).err == 0
        a = b
    a.close()


def late_writes_do_not_count(e):
    """The observer's client has gone to the follower: to the leader both are one, the follower tells them apart."""
    a = e[4].raw()
    assert a.create("/late", flags=zkraw.EPHEMERAL).err == 0
    b = e[1].raw(session_id=a.session_id, password=a.password)
    assert b.set("/late", b"new").err == 0
    a.send(zkraw.SET_DATA, zkraw.text("/late") + zkraw.text(b"old") + zkraw.i32(-1))
    with e[4].raw() as c:  # behind it on the way to the leader
        assert c.create("/behind").err == 0
        c.delete("/behind")
    assert b.sync("/").err == 0
    assert b.get("/late").data == b"new"
    b.close()


def lives_and_expires(e):
    """A session of the observer that only reads lives on; one that falls silent ends once."""
    stays, falls = e[4].raw(timeout_ms=2000), e[4].raw(timeout_ms=2000)
    assert stays.create("/stays", flags=zkraw.EPHEMERAL).err == 0
    assert falls.create("/falls", flags=zkraw.EPHEMERAL).err == 0
    falls.drop()

    def gone():
        stays.ping()
        return stays.exists("/falls").err == zkraw.NO_NODE

    until(gone, 60, pause=0.2)
    assert stays.exists("/stays").stat.owner == stays.session_id
    assert stays.close().err == 0


KINDS = [("zzz", "z")] + [
    pytest.param(*x, marks=needs_apache) for x in (("zaz", "a"), ("aza", "z"), ("aaa", "z"), ("zaa", "a"))
]


@pytest.mark.parametrize("voters, observer", KINDS)
def test_an_observer_of_a_follower(tmp_path, voters, observer):
    with ensemble(tmp_path, voters, observer) as e:
        e.wait_serving(START_S)
        assert e.leader() is e[3]
        if voters[0] == "z":
            until(lambda: serves(e[1], 4))
        if voters[2] == "z":
            assert not serves(e[3], 4)
        if observer == "z":
            # Servers 1 and 2 are one host here: it is the port that makes it server 1.
            until(lambda: any("zab.learning leader=3 via=%d" % via in e[4].log() for via in (1, 2)))
        everything(e)
        moves_about(e)
        if voters[0] == "z":
            late_writes_do_not_count(e)
        tried(lambda: lives_and_expires(e))
        e.check_same(["/", "/o"])


@pytest.mark.parametrize("voters, observer", [KINDS[0], pytest.param("zzz", "a", marks=needs_apache)])
@pytest.mark.parametrize("count", [20, 1500])
def test_an_observer_far_behind(tmp_path, voters, observer, count):
    """It gets what it lacks from the follower: transactions, or an image."""
    with ensemble(tmp_path, voters, observer, props={"zookeeper.snapCount": "200"}) as e:
        e.wait_serving(START_S)
        fill(e[3], "/early", 10)
        if observer == "z":
            e[4].kill()
        else:  # killed while it makes its first log file, Apache's does not start again
            until(e[4].syncs, START_S)
            e[4].stop()
        fill(e[3], "/late", count, size=1000)
        e[4].start(wait=False)
        e[4].wait_serving(START_S)
        with e[4].raw() as c:
            c.sync("/")
            assert len(c.ls("/late").children) == count
        e.check_same(["/", "/early", "/late"])
        assert "zab.sync sid=4 kind=%s" % ("SNAP" if count == 1500 else "DIFF") in e[1].log()


def test_masters_come_and_go(tmp_path):
    """Its master dies: the observer finds the leader; the leader dies: it finds whoever leads then."""
    with ensemble(tmp_path) as e:
        e.wait_serving()
        session = e[4].raw(timeout_ms=120000)
        assert session.create("/e", flags=zkraw.EPHEMERAL).err == 0
        e[1].kill()
        until(lambda: e[4].mode() == "observer" and "zab.learner.synced sid=4" in e[3].log())
        e[1].start(wait=False)
        e[1].wait_serving()
        e[3].kill()
        e.wait_leader()

        def comes_back():  # a connection may still be to the old leader's observer
            c = e[4].raw(session_id=session.session_id, password=session.password)
            return c if c.sync("/").err == 0 else None

        again = until(comes_back)
        assert again.exists("/e").stat.owner == session.session_id
        again.close()
        e[3].start(wait=False)
        e.wait_serving()
        everything(e)
        e.check_same(["/"])
        assert set(e.stop().values()) == {0}


def test_only_observers_are_served(tmp_path):
    """A follower that comes to the port, and a stranger."""
    with ensemble(tmp_path) as e:
        e.wait_serving()
        port = int([x for x in e[1].extra if x.startswith("observerMasterPort=")][0].split("=")[1])
        info = zkraw.i64(9) + zkraw.i32(0x10000) + zkraw.i64(0)
        packet = zkraw.i32(11) + zkraw.i64(0) + zkraw.i32(len(info)) + info + zkraw.i32(-1)  # FOLLOWERINFO
        for first in (packet, b"\xff" * 64, b""):
            with zkraw.Connection(port) as c:
                c.send_bytes(first)
                if first:
                    assert c.closed_by_peer()
        until(lambda: "only observers are served" in e[1].log())
        everything(e)


def test_with_tls_and_logins(tmp_path):
    pki = Pki(tmp_path)
    with ensemble(tmp_path, extra=REQUIRED + lines(pki), props={JAAS_KEY: jaas(tmp_path)}) as e:
        e.wait_serving()
        until(lambda: serves(e[1], 4))
        everything(e)
        moves_about(e)
