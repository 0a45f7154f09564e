"""Ensembles of our servers: a leader is found, writes reach every member, and members come and go."""
import os
import signal
import socket
import struct

import pytest
import zkraw
from ensemble import Ensemble, Member, tried, until
from server import ServerDied, use_apache

pytestmark = pytest.mark.skipif(use_apache(), reason="starts its own servers")

SNAPSHOTS_SOON = {"zookeeper.snapCount": "200"}


@pytest.fixture(scope="module")
def trio(tmp_path_factory):
    """Three servers for tests that leave them as they are."""
    with Ensemble(tmp_path_factory.mktemp("trio")) as e:
        e.wait_serving()
        yield e
        assert set(e.stop().values()) == {0}


def fill(member, root, count, size=10):
    """count nodes under root, sent without waiting for each; returns the zxid of the last."""
    with member.raw() as c:
        if c.exists(root).err != 0:
            assert c.create(root).err == 0
        at = 0
        while at < count:
            step = min(100, count - at)
            xids = []
            for i in range(at, at + step):
                path = "%s/n%06d" % (root, i)
                body = zkraw.text(path) + zkraw.text(b"x" * size) + zkraw.acls(zkraw.OPEN) + zkraw.i32(0)
                xids.append(c.send(zkraw.CREATE, body))
            for xid in xids:
                reply = c.recv()
                assert (reply.xid, reply.err) in ((xid, 0), (xid, zkraw.NODE_EXISTS)), reply
            at += step
        return reply.zxid


def children_everywhere(e, path):
    counts = set()
    for m in e.running():
        with m.raw() as c:
            assert c.sync("/").err == 0
            counts.add(len(c.ls(path).children))
    return counts


# ---- who leads ----------------------------------------------------------------------------------


def test_one_leads_and_the_others_follow(trio):
    modes = sorted(m.mode() for m in trio)
    assert modes == ["follower", "follower", "leader"]


def test_two_of_three_are_enough(tmp_path):
    with Ensemble(tmp_path) as e:
        pass
    e = Ensemble(tmp_path / "two")
    try:
        e.start([e[1], e[3]])
        e.wait_serving()
        assert {e[1].mode(), e[3].mode()} == {"leader", "follower"}
    finally:
        e.close()


def test_alone_it_serves_nobody(tmp_path):
    e = Ensemble(tmp_path)
    try:
        e.start([e[1]])
        until(lambda: e[1].four_letter("ruok") == b"imok")
        text = b"This ZooKeeper instance is not currently serving requests\n"
        for word in ("srvr", "stat", "conf", "mntr", "cons", "dump", "wchs", "dirs", "crst"):
            assert e[1].four_letter(word) == text, word
        assert e[1].four_letter("isro") == b"null"
        assert e[1].four_letter("envi").startswith(b"Environment:\n")
        with pytest.raises(zkraw.Closed):
            e[1].raw()
        e.start([e[2]])
        e.wait_serving()
        assert e[1].four_letter("isro") == b"rw"
    finally:
        e.close()


def test_one_server_with_the_protocols(tmp_path):
    """standaloneEnabled=false: it elects itself."""
    with Ensemble(tmp_path, "z", extra=["standaloneEnabled=false"]) as e:
        e.wait_serving()
        assert e[1].mode() == "leader"
        with e[1].raw() as c:
            assert c.create("/a", b"x").err == 0
        e[1].kill()
        e[1].start()
        with e[1].raw() as c:
            assert c.get("/a").data == b"x"
        assert e[1].epochs() == (2, 2)


# ---- writes and reads ---------------------------------------------------------------------------


def test_write_anywhere_read_everywhere(trio):
    for m in trio:
        with m.raw() as c:
            assert c.create("/from%d" % m.sid, b"by %d" % m.sid).err == 0
    paths = ["/from1", "/from2", "/from3"]
    trio.check_same(paths)
    for m in trio:
        with m.raw() as c:
            c.sync("/")
            assert [c.get(p).data for p in paths] == [b"by 1", b"by 2", b"by 3"]
            assert c.create("/from1").err == zkraw.NODE_EXISTS
            assert c.set("/from1", b"", version=7).err == zkraw.BAD_VERSION
            assert c.delete("/no/such").err == zkraw.NO_NODE
            results = c.multi([zkraw.m_create("/m%d" % m.sid), zkraw.m_delete("/m%d" % m.sid)]).results
            assert [x[1] for x in results] == [0, 0]


def test_a_watch_sees_writes_of_other_members(trio):
    with trio[1].raw() as a, trio[2].raw() as b:
        assert a.create("/watched").err == 0
        b.sync("/")
        b.get("/watched", watch=True)
        assert a.set("/watched", b"new").err == 0
        assert b.wait_events(1) == [(zkraw.CHANGED, "/watched")]
        assert b.get("/watched").data == b"new"


def test_ephemerals_end_with_their_session_everywhere(trio):
    a = trio[1].raw()
    assert a.create("/mine", flags=zkraw.EPHEMERAL).err == 0
    with trio[3].raw() as b:
        b.sync("/")
        assert b.exists("/mine", watch=True).stat.owner == a.session_id
        a.close()
        assert b.wait_events(1) == [(zkraw.DELETED, "/mine")]


def test_a_session_expires_wherever_it_was(trio):
    def expires():
        a = trio[2].raw(timeout_ms=2000)
        assert a.create("/short", flags=zkraw.EPHEMERAL).err == 0
        with trio[1].raw() as b:
            b.sync("/")
            assert b.exists("/short", watch=True).err == 0
            a.drop()
            assert b.wait_events(1) == [(zkraw.DELETED, "/short")]

    tried(expires)


def test_a_session_moves_to_another_member(trio):
    a = trio[1].raw()
    assert a.create("/moves", flags=zkraw.EPHEMERAL).err == 0
    a.drop()
    with trio[3].raw(session_id=a.session_id, password=a.password) as b:
        assert b.session_id == a.session_id
        assert b.sync("/").err == 0
        assert b.exists("/moves").stat.owner == a.session_id
        b.close()


def test_session_ids_begin_with_the_server(trio):
    for m in trio:
        with m.raw() as c:
            assert c.session_id >> 56 == m.sid


def test_the_configuration_node(trio):
    lines = "".join("%s:participant\n" % m.line() for m in trio) + "version=0"
    for m in trio:
        with m.raw() as c:
            assert c.get("/zookeeper/config").data == lines.encode()


# ---- four-letter words --------------------------------------------------------------------------


def test_words_of_members(trio):
    for m in trio:
        mode = m.mode()
        mntr = m.mntr()
        assert mntr["zk_server_state"] == mode
        assert mntr["zk_quorum_size"] == "3"
        doing = {"leader": "leading", "follower": "following"}[mode]
        assert mntr["zk_peer_state"] == doing + " - broadcast"
        assert ("zk_synced_followers" in mntr) == (mode == "leader")
        conf = m.four_letter("conf").decode()
        tail = conf[conf.index("serverId=") :]
        assert tail == (
            "serverId=%d\ninitLimit=10\nsyncLimit=15\nelectionAlg=3\nelectionPort=%d\nquorumPort=%d\npeerType=0\n"
            "membership: \n%s"
            % (
                m.sid,
                m.election_port,
                m.quorum_port,
                "".join("%s:participant\n" % x.line() for x in trio) + "version=0",
            )
        )
    lead = trio.leader()
    mntr = lead.mntr()
    assert (mntr["zk_learners"], mntr["zk_synced_followers"]) == ("2", "2")
    assert (mntr["zk_synced_observers"], mntr["zk_synced_non_voting_followers"]) == ("0", "0")
    assert mntr["zk_pending_syncs"] == "0"
    assert "Proposal sizes last/min/max: " in lead.four_letter("srvr").decode()
    assert "Proposal sizes" not in trio.followers()[0].four_letter("srvr").decode()


# ---- members come and go ------------------------------------------------------------------------


def test_the_leader_dies_and_comes_back(tmp_path):
    with Ensemble(tmp_path) as e:
        e.wait_serving()
        before = e.leader()
        with before.raw() as c:
            assert c.create("/kept", b"1").err == 0
        for m in e:
            with m.raw() as c:
                c.sync("/")
        before.kill()
        after = e.wait_serving()
        assert after is not before
        fill(after, "/later", 20)
        before.start()
        assert before.mode() == "follower"
        assert children_everywhere(e, "/later") == {20}
        e.check_same(["/kept", "/later"])
        ((accepted, current),) = {m.epochs() for m in e}
        assert accepted == current >= 2  # more when the first leader had to be elected twice
        assert "kind=DIFF" in after.log()


def test_every_member_in_turn(tmp_path):
    """Each is killed once; what was acknowledged stays."""
    with Ensemble(tmp_path) as e:
        lead = e.wait_serving()
        for round_number in range(3):
            lead = e.wait_leader()
            fill(e.followers()[0], "/r%d" % round_number, 30)
            lead.kill()
            fill(e.wait_serving(), "/r%d" % round_number, 60)
            lead.start()
        for round_number in range(3):
            assert children_everywhere(e, "/r%d" % round_number) == {60}
        e.check_same(["/r0", "/r1", "/r2"])


def test_everybody_stops_and_starts(tmp_path):
    with Ensemble(tmp_path) as e:
        fill(e.wait_serving(), "/all", 50)
        assert set(e.stop().values()) == {0}
        e.start()
        e.wait_serving()
        assert children_everywhere(e, "/all") == {50}
        for m in e:
            m.kill()
        e.start()
        e.wait_serving()
        assert children_everywhere(e, "/all") == {50}


def test_far_behind_gets_a_snapshot(tmp_path):
    with Ensemble(tmp_path, props=SNAPSHOTS_SOON) as e:
        lead = e.wait_serving()
        behind = e.followers()[0]
        fill(lead, "/early", 10)
        behind.stop()
        fill(lead, "/late", 1500, size=1000)
        behind.start()
        assert children_everywhere(e, "/late") == {1500}
        assert int(lead.mntr()["zk_snap_count"]) >= 1
        e.check_same(["/early", "/late", "/late/n001499"])
        # What it got is on its disk: it comes back with it, alone with the other follower.
        behind.kill()
        lead.kill()
        behind.start(wait=False)
        e.wait_serving()
        assert children_everywhere(e, "/late") == {1500}


def test_an_empty_disk_joins(tmp_path):
    with Ensemble(tmp_path) as e:
        fill(e.wait_serving(), "/here", 20)
        lost = e.followers()[0]
        lost.kill()
        directory = os.path.join(lost.data_dir, "version-2")
        for name in os.listdir(directory):
            os.remove(os.path.join(directory, name))
        lost.start()
        assert children_everywhere(e, "/here") == {20}
        e.check_same(["/here"])


def in_log(member, text):
    directory = os.path.join(member.data_dir, "version-2")
    for name in os.listdir(directory):
        if name.startswith("log."):
            with open(os.path.join(directory, name), "rb") as f:
                if text in f.read():
                    return True
    return False


def leave_undecided(e, lead, count):
    """The leader has writes on its disk that nobody else has; then all are dead."""
    c = lead.raw()
    others = [m for m in e.running() if m is not lead]
    for m in others:
        m.signal(signal.SIGSTOP)  # connected, but reads nothing
    for m in others:
        until(m.stands_still)
    for i in range(count):
        path = zkraw.text("/base/lost%d" % i)
        c.send(zkraw.CREATE, path + zkraw.text(b"") + zkraw.acls(zkraw.OPEN) + zkraw.i32(0))
    until(lambda: in_log(lead, b"/base/lost%d" % (count - 1)))
    for m in others:
        m.kill()
    lead.kill()
    c.drop()
    return others


def test_what_only_a_dead_leader_had_is_cut_off(tmp_path):
    """A transaction that no quorum has seen goes when its server comes back (TRUNC)."""
    with Ensemble(tmp_path) as e:
        lead = e.wait_serving()
        fill(lead, "/base", 10)
        others = leave_undecided(e, lead, 5)
        e.start(others)
        fill(e.wait_serving(), "/base", 20)
        lead.start()
        assert "kind=TRUNC" in "".join(m.log() for m in others)
        with lead.raw() as c:
            c.sync("/")
            assert set(c.ls("/base").children) == {"n%06d" % i for i in range(20)}
            assert c.create("/base/after").err == 0
        e.check_same(["/base"])
        # The file that was shortened, and the one that follows it, are read at the next start.
        assert set(e.stop().values()) == {0}
        e.start()
        e.wait_serving()
        assert children_everywhere(e, "/base") == {21}
        assert not any(in_log(m, b"/base/lost0") for m in e)


def test_what_a_dead_leader_had_lives_if_it_leads_again(tmp_path):
    """It is in the log of whoever leads next, so it is decided then."""
    with Ensemble(tmp_path) as e:
        lead = e.wait_serving()
        fill(lead, "/base", 10)
        others = leave_undecided(e, lead, 5)
        e.start([lead, others[0]])
        e.wait_serving()
        assert children_everywhere(e, "/base") == {15}
        others[1].start()
        assert children_everywhere(e, "/base") == {15}


def test_cut_off_by_a_snapshot(tmp_path):
    """The others have moved on too far for their memory: everything is replaced."""
    with Ensemble(tmp_path, props=SNAPSHOTS_SOON) as e:
        lead = e.wait_serving()
        fill(lead, "/base", 10)
        others = leave_undecided(e, lead, 5)
        e.start(others)
        fill(e.wait_serving(), "/base", 1500)
        lead.start()
        with lead.raw() as c:
            c.sync("/")
            assert len(c.ls("/base").children) == 1500
            assert c.exists("/base/lost0").err == zkraw.NO_NODE
        lead.kill()
        lead.start()
        assert children_everywhere(e, "/base") == {1500}
        e.check_same(["/base"])


# ---- observers ----------------------------------------------------------------------------------


def test_an_observer_serves_and_does_not_vote(tmp_path):
    with Ensemble(tmp_path, observers="z") as e:
        e.wait_serving()
        assert e[4].mode() == "observer"
        with e[4].raw() as c:
            assert c.create("/seen", b"from an observer").err == 0
            assert c.get("/seen").data == b"from an observer"
        e.check_same(["/seen"])
        assert e[4].mntr()["zk_peer_state"] == "observing - broadcast"
        assert e.leader().mntr()["zk_synced_observers"] == "1"
        # Without two voters there is no quorum, whatever observers there are.
        voters = [m for m in e if not m.observer]
        for m in voters[:2]:
            m.kill()
        until(lambda: b"not currently serving" in e[4].four_letter("srvr"))
        voters[0].start(wait=False)
        e.wait_serving()
        fill(e[4], "/again", 10)
        assert children_everywhere(e, "/again") == {10}


# ---- mistakes -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "my_id, says",
    [(None, "myid: cannot be read"), ("one\n", "'one' is not the number"), ("9\n", "no line server.9")],
)
def test_a_wrong_myid_stops_the_start(tmp_path, my_id, says):
    e = Ensemble(tmp_path)
    m = e[1]
    m.write_cfg()
    name = os.path.join(m.data_dir, "myid")
    if my_id is None:
        os.remove(name)
    else:
        with open(name, "w") as f:
            f.write(my_id)
    Member.write_cfg, kept = (lambda self: None), Member.write_cfg
    try:
        with pytest.raises(ServerDied):
            m.start()
    finally:
        Member.write_cfg = kept
        m.kill()
    assert m.wait() == 2
    assert says in m.log()


def test_the_election_port_is_taken(tmp_path):
    e = Ensemble(tmp_path, props={"zookeeper.electionPortBindRetry": "1"})
    with socket.socket() as s:
        s.bind(("127.0.0.1", e[1].election_port))
        s.listen()
        e[1].spawn()
        assert e[1].wait() == 14
    assert "election" in e[1].log()


def test_strangers_at_the_doors(trio):
    """Nonsense on the ports between servers costs its sender the connection and nobody else anything."""
    lead = trio.leader()
    socks = []
    for port in (lead.election_port, lead.quorum_port):
        for text in (b"", b"GET / HTTP/1.0\r\n\r\n", b"\0" * 100, b"\xff" * 100, struct.pack(">q", -65536)):
            s = socket.create_connection(("127.0.0.1", port), timeout=60)
            s.sendall(text)
            socks.append(s)
        for _ in range(200):
            try:
                socks.append(socket.create_connection(("127.0.0.1", port), timeout=10))
            except OSError:
                pass
    with lead.raw() as c:
        assert c.create("/undisturbed").err == 0
        assert c.delete("/undisturbed").err == 0
    assert trio.leader() is lead
    assert lead.mntr()["zk_synced_followers"] == "2"
    for s in socks:
        s.close()


def test_members_without_a_client_port(tmp_path):
    """They vote and keep the data; nobody can connect to them."""
    e = Ensemble(tmp_path)
    for m in (e[1], e[2]):
        m.cfg_text = "".join(
            line + "\n" for line in ["tickTime=1000", "dataDir=" + m.data_dir, "admin.enableServer=false"] + m.extra
        )

    def takes(path):  # the connection may still be to the old quorum, and the reply be lost with it
        with e[3].raw() as c:
            return c.create(path).err in (0, zkraw.NODE_EXISTS)

    with e:
        e[3].wait_serving()
        until(lambda: "serves no clients" in e[1].log())
        with pytest.raises(OSError):
            e[1].four_letter("srvr")
        e[1].kill()
        until(lambda: takes("/with-two"))
        e[1].start(wait=False)
        e[2].kill()
        until(lambda: takes("/with-one-that-came-back"))
        assert set(e.stop().values()) <= {0, -9}
