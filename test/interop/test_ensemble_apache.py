"""Ensembles of our servers and Apache's: each leads the other, both ways of catching up cross, and sessions move
between them. The server with the largest number leads when all are new."""
import threading

import pytest
import zkraw
from ensemble import Ensemble, has_apache, tried, until
from server import use_apache
from test_ensemble_members import children_everywhere, fill, leave_undecided

pytestmark = [
    pytest.mark.java,
    pytest.mark.skipif(use_apache() or not has_apache(), reason="needs java and Debian's zookeeper"),
]

SNAPSHOTS_SOON = {"zookeeper.snapCount": "200"}
START_S = 120


@pytest.mark.parametrize("kinds", ["zza", "aaz", "zaz", "zzaa", "zaaz"])
def test_everything_reaches_everybody(tmp_path, kinds):
    observers = kinds[3:]
    with Ensemble(tmp_path, kinds[:3], observers) as e:
        lead = e.wait_serving(START_S)
        for m in e:
            with m.raw() as c:
                path = "/from%d" % m.sid
                assert c.create(path, b"by %d" % m.sid).err == 0
                assert c.create(path).err == zkraw.NODE_EXISTS
                assert c.create(path + "/seq-", flags=zkraw.SEQUENTIAL).path == path + "/seq-0000000000"
                assert c.set(path, b"again", version=0).err == 0
                assert c.set(path, b"", version=0).err == zkraw.BAD_VERSION
                assert c.delete("/from").err == zkraw.NO_NODE
                there_and_back = [zkraw.m_create(path + "/m"), zkraw.m_set(path, b"multi"), zkraw.m_delete(path + "/m")]
                results = c.multi(there_and_back)
                assert [x[1] for x in results.results] == [0, 0, 0]
                assert c.create(path + "/e", flags=zkraw.EPHEMERAL).err == 0
                assert c.sync("/").err == 0
                c.close()
        e.check_same(["/"] + ["/from%d" % m.sid for m in e])
        configs = set()
        for m in e:
            with m.raw() as c:
                configs.add(c.get("/zookeeper/config").data)
        assert len(configs) == 1
        assert lead is e.leader()


@pytest.mark.parametrize("kinds", ["zza", "aaz", "zaa", "azz"])
def test_the_leader_dies_and_comes_back(tmp_path, kinds):
    with Ensemble(tmp_path, kinds) as e:
        before = e.wait_serving(START_S)
        fill(before, "/before", 30)
        before.kill()
        after = e.wait_serving(START_S)
        fill(after, "/after", 30)
        before.start(wait=False)
        before.wait_serving(START_S)
        assert children_everywhere(e, "/before") == {30}
        assert children_everywhere(e, "/after") == {30}
        e.check_same(["/", "/before", "/after"])
        assert len({m.epochs() for m in e}) == 1


@pytest.mark.parametrize("kinds", ["zza", "aaz"])
def test_far_behind_gets_a_snapshot(tmp_path, kinds):
    """From Apache to ours, and from ours to Apache."""
    with Ensemble(tmp_path, kinds, props=SNAPSHOTS_SOON) as e:
        lead = e.wait_serving(START_S)
        behind = e[1] if lead is not e[1] else e[2]  # who leads after a second round of election is chance
        fill(lead, "/early", 10)
        behind.kill()
        fill(lead, "/late", 1500, size=1000)
        with lead.raw() as c:
            assert c.create("/acl", acl=[(zkraw.READ, "ip", "10.0.0.0/8"), (zkraw.ALL, "world", "anyone")]).err == 0
            assert c.set("/late/n000007", b"changed").err == 0
            assert c.delete("/late/n000008").err == 0
        keeps = lead.raw()
        assert keeps.create("/e", flags=zkraw.EPHEMERAL).err == 0
        behind.start(wait=False)
        behind.wait_serving(START_S)
        assert children_everywhere(e, "/late") == {1499}
        e.check_same(["/", "/early", "/late", "/late/n000007", "/acl", "/e"])
        keeps.close()
        e.check_same(["/"])
        behind.kill()
        behind.start(wait=False)
        behind.wait_serving(START_S)
        assert children_everywhere(e, "/late") == {1499}


@pytest.mark.parametrize("kinds", ["zza", "aaz"])
def test_what_only_a_dead_leader_had_is_cut_off(tmp_path, kinds):
    with Ensemble(tmp_path, kinds) as e:
        lead = e.wait_serving(START_S)
        fill(lead, "/base", 10)
        others = leave_undecided(e, lead, 5)
        e.start(others)
        fill(e.wait_serving(START_S), "/base", 20)
        lead.start(wait=False)
        lead.wait_serving(START_S)
        with lead.raw() as c:
            c.sync("/")
            assert set(c.ls("/base").children) == {"n%06d" % i for i in range(20)}
        e.check_same(["/base"])


@pytest.mark.parametrize("kinds", ["zza", "aaz"])
def test_a_session_moves_between_them(tmp_path, kinds):
    with Ensemble(tmp_path, kinds) as e:
        e.wait_serving(START_S)
        a = e[1].raw()
        assert a.create("/moves", flags=zkraw.EPHEMERAL).err == 0
        for m in (e[2], e[3], e[1]):
            a.drop()
            b = m.raw(session_id=a.session_id, password=a.password)
            assert b.session_id == a.session_id
            b.sync("/")
            assert b.exists("/moves").stat.owner == a.session_id
            a = b
        a.close()
        for m in e:
            with m.raw() as c:
                c.sync("/")
                assert c.exists("/moves").err == zkraw.NO_NODE


@pytest.mark.parametrize("kinds", ["zza", "aaz"])
def test_a_session_expires_once(tmp_path, kinds):
    with Ensemble(tmp_path, kinds) as e:
        e.wait_serving(START_S)

        def expires_once():
            a = e[1].raw(timeout_ms=2000)
            stays = e[2].raw(timeout_ms=2000)
            assert a.create("/short", flags=zkraw.EPHEMERAL).err == 0
            assert stays.create("/stays", flags=zkraw.EPHEMERAL).err == 0
            a.drop()

            def gone():
                stays.ping()
                return stays.exists("/short").err == zkraw.NO_NODE

            stays.sync("/")
            until(gone, 60, pause=0.2)
            assert stays.exists("/stays").stat.owner == stays.session_id
            assert stays.close().err == 0

        tried(expires_once)


@pytest.mark.parametrize("kinds", ["azza", "zaza", "aza"])
def test_syncs_and_writes_of_many_clients(tmp_path, kinds):
    """Of one server, all at once: what comes of them must come in the order in which the server has asked, or one of
    Apache's answers nobody any more. Nor must it be in the way of an observer."""
    with Ensemble(tmp_path, kinds[:3], kinds[3:]) as e:
        e.wait_serving(START_S)
        with e[1].raw() as c:
            assert c.create("/n").err == 0
        wrong = []

        def work(m, body, op, rounds):
            try:
                with m.raw() as c:
                    for _ in range(rounds):
                        xids = [c.send(op, body) for _ in range(5)]
                        replies = [c.recv() for _ in xids]
                        assert [(r.xid, r.err) for r in replies] == [(xid, 0) for xid in xids]
            except (AssertionError, OSError, zkraw.Closed) as error:
                wrong.append((m.sid, m.kind, op, repr(error)))

        path = zkraw.text("/n")
        jobs = [(path, zkraw.SYNC, 300), (path + zkraw.text(b"x") + zkraw.i32(-1), zkraw.SET_DATA, 60)] * 2
        for m in e:
            threads = [threading.Thread(target=work, args=(m, *job)) for job in jobs]
            for t in threads:
                t.start()
            for t in threads:
                t.join()
        assert wrong == []
        e.check_same(["/", "/n"])


def test_an_apache_directory_goes_on_as_ours(tmp_path):
    """The same directory served by the one and then by the other, both ways."""
    with Ensemble(tmp_path, "aaa") as e:
        fill(e.wait_serving(START_S), "/one", 20)
        for m in e:
            m.stop()
            m.kind = "z"
        e.start()
        fill(e.wait_serving(START_S), "/two", 20)
        assert children_everywhere(e, "/one") == {20}
        for m in e:
            m.stop()
            m.kind = "a"
        e.start()
        e.wait_serving(START_S)
        assert children_everywhere(e, "/one") == {20}
        assert children_everywhere(e, "/two") == {20}
        e.check_same(["/", "/one", "/two"])


def test_one_by_one(tmp_path):
    """A running Apache ensemble becomes one of ours, a server at a time, while it is written to."""
    with Ensemble(tmp_path, "aaa") as e:
        fill(e.wait_serving(START_S), "/n", 10)
        for done, m in enumerate(e):
            m.stop()
            fill(until(e.leader, START_S), "/n", 20 + 20 * done)
            m.kind = "z"
            m.start(wait=False)
            m.wait_serving(START_S)
            fill(until(e.leader, START_S), "/n", 30 + 20 * done)
        assert children_everywhere(e, "/n") == {70}
        e.check_same(["/n"])
