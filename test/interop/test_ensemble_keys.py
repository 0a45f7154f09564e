"""Keys of an ensemble's members that change what they keep, and how many are brought up to date at once."""
import os
import shutil
import signal
import socket
import struct
import time

import pytest
import zkraw
from ensemble import Ensemble, until
from server import Server, free_port, use_apache
from test_ensemble_members import fill
from test_ensemble_tls import START_S, needs_apache
from test_tls import Pki

pytestmark = [pytest.mark.skipif(use_apache(), reason="starts its own servers")]


def files(member, kind):
    """The names of its logs ("log.") or snapshots ("snapshot."), and how much they hold that is not zero."""
    directory = os.path.join(member.data_dir, "version-2")
    names = sorted(x for x in os.listdir(directory) if x.startswith(kind))
    size = 0
    for name in names:
        with open(os.path.join(directory, name), "rb") as f:
            size += len(f.read().rstrip(b"\0"))
    return names, size


@pytest.mark.parametrize("voters, observer", [("zzz", "z"), pytest.param("zzz", "a", marks=needs_apache)])
def test_an_observer_that_writes_no_log(tmp_path, voters, observer):
    """syncEnabled=false, beside Apache's: it serves, loses nothing that the leader has, and its disk stays."""
    with Ensemble(tmp_path, voters, observer, lines_of={4: ["syncEnabled=false"]}) as e:
        e.wait_serving(START_S)
        before = files(e[4], "log.")
        with e[4].raw() as c:
            assert c.create("/o", b"1").err == 0
        fill(e[1], "/many", 300)
        with e[4].raw() as c:
            c.sync("/")
            assert len(c.ls("/many").children) == 300
        assert files(e[4], "log.") == before
        assert e[1].mode() in ("leader", "follower") and files(e[1], "log.")[1] > 0
        snapshots = files(e[4], "snapshot.")
        e.leader().kill()
        until(lambda: e.leader() is not None and e[4].mode() == "observer", START_S)
        e[4].kill()
        assert files(e[4], "log.") == before
        if observer == "z":
            assert files(e[4], "snapshot.") == snapshots
        e[4].start(wait=False)
        until(lambda: e[4].mode() == "observer", START_S)
        e.check_same(["/", "/o", "/many"])


class Pair(Ensemble):
    """Two voters, each with the file of its oracle."""

    def __init__(self, directory, voters):
        super().__init__(directory, voters, lines_of={
            sid: ["oraclePath=%s" % (directory / ("oracle%d" % sid))] for sid in (1, 2)})
        self.directory = directory
        self.say(1, "0")
        self.say(2, "0")

    def say(self, sid, what):
        fresh = self.directory / ("oracle%d.new" % sid)
        fresh.write_text(what)
        fresh.rename(self.directory / ("oracle%d" % sid))


PAIRS = ["zz"] + [pytest.param(x, marks=needs_apache) for x in ("az", "za", "aa")]


@pytest.mark.parametrize("voters", PAIRS)
@pytest.mark.parametrize("dies", ["leader", "follower"])
def test_two_voters_and_an_oracle(tmp_path, voters, dies):
    """One alone stands still while its file says 0, goes on when it says 1, and the other one comes back to it; beside
    Apache's."""
    with Pair(tmp_path, voters) as e:
        e.wait_serving(START_S)
        lead, other = e.leader(), e.followers()[0]
        with lead.raw() as c:
            assert c.create("/both").err == 0
        gone, stays = (lead, other) if dies == "leader" else (other, lead)
        gone.kill()
        until(lambda: stays.mode() == "", START_S)
        e.say(stays.sid, "1\n")
        until(lambda: stays.mode() == "leader", 2 * START_S)
        with stays.raw() as c:
            assert c.create("/alone").err == 0
            assert c.sync("/").err == 0
        gone.start(wait=False)
        until(lambda: gone.mode() == "follower", 2 * START_S)
        e.check_same(["/", "/both", "/alone"])
        assert e.leader() is stays
        e.say(stays.sid, "0")
        gone.kill()
        until(lambda: stays.mode() == "", START_S)


FOLLOWERINFO, OBSERVERINFO, LEADERINFO, ACKEPOCH, SNAP = 11, 16, 17, 18, 15


class SlowLearner(zkraw.Connection):
    """A server that needs an image, says so, and then takes nothing of it."""

    def __init__(self, member, sid, kind=OBSERVERINFO):
        super().__init__(member.quorum_port)
        self.packet(kind, 0, zkraw.i64(sid) + zkraw.i32(0x10000) + zkraw.i64(0))
        kind, _, _ = self.receive()
        assert kind == LEADERINFO
        self.packet(ACKEPOCH, -1, zkraw.i32(-1))

    def packet(self, kind, zxid, data):
        self.sock.sendall(zkraw.i32(kind) + zkraw.i64(zxid) + zkraw.i32(len(data)) + data + zkraw.i32(-1))

    def receive(self):
        kind, zxid, n = struct.unpack(">iqi", self._read(16))
        data = self._read(max(n, 0))
        assert self._read(4) == zkraw.i32(-1)
        return kind, zxid, data


def gets_image(leader, sid):
    with SlowLearner(leader, sid) as late:
        return late.receive()[0] == SNAP


@pytest.mark.parametrize("voters", ["zzz", pytest.param("aaa", marks=needs_apache)])
def test_slow_images(tmp_path, voters):
    """Learners that do not read hold up nobody; observers are sent away above the limit, followers are not; beside
    Apache's leader."""
    props = {"zookeeper.leader.maxConcurrentSnapSyncs": "2", "zookeeper.forceSnapshotSync": "true"}
    with Ensemble(tmp_path, voters, props=props, extra=["initLimit=60"]) as e:  # the slow ones must not be given up
        e.wait_serving(START_S)
        lead, other = e.leader(), e.followers()[0]
        fill(lead, "/large", 40, size=500000)
        slow = [SlowLearner(lead, 101 + i) for i in range(2)]
        for s in slow:
            assert s.receive()[0] == SNAP
        with SlowLearner(lead, 103) as refused, pytest.raises((zkraw.Closed, OSError)):
            refused.receive()
        with SlowLearner(lead, 104, FOLLOWERINFO) as follower:
            assert follower.receive()[0] == SNAP
            other.kill()
            shutil.rmtree(os.path.join(other.data_dir, "version-2"))
            other.start(wait=False)
            other.wait_serving(START_S)
        m = lead.mntr()
        assert int(m["zk_max_inflight_snap_count"]) == 4 and int(m["zk_snap_count"]) >= 1
        slow[0].sock.close()
        until(lambda: gets_image(lead, 105))
        slow[1].sock.close()
        e.check_same(["/", "/large"])


TRIOS = ["zzz"] + [pytest.param(x, marks=needs_apache) for x in ("zaa", "azz")]


@pytest.mark.parametrize("voters", TRIOS)
def test_a_wiped_member_has_no_vote(tmp_path, voters):
    """db.autocreate=false: an empty directory is no history; the file initialize says otherwise, once, and is used up
    by any start. Beside Apache's on either side."""
    with Ensemble(tmp_path, voters, props={"zookeeper.db.autocreate": "false"}) as e:
        for m in e:  # nobody was told that this is a new ensemble
            m.kill()
            open(os.path.join(m.data_dir, "initialize"), "w").close()
        e.start()
        e.wait_serving(START_S)
        for m in e:
            assert not os.path.exists(os.path.join(m.data_dir, "initialize"))
        wiped, other, third = e[1], e[2], e[3]
        with other.raw() as c:
            assert c.create("/kept", b"1").err == 0
        for m in e:
            m.kill()
        shutil.rmtree(os.path.join(wiped.data_dir, "version-2"))
        # With one that has everything it would be a quorum; it has no vote, so there is none.
        e.start((wiped, other))
        if wiped.kind == "z":
            until(lambda: "server.untrusted" in wiped.log(), START_S)
        until(lambda: other.running() and not other.mode() and stays_so(lambda: not other.mode() and not wiped.mode()))
        third.start(wait=False)
        e.wait_serving(START_S)
        e.check_same(["/", "/kept"])
        wiped.kill()  # what it has got is on its disk
        third.kill()
        wiped.start(wait=False)
        until(lambda: wiped.mode() and other.mode(), START_S)
        with wiped.raw() as c:
            assert c.get("/kept").data == b"1"


def stays_so(what, seconds=2):
    """True if it is so whenever it is looked at."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if not what():
            return False
        time.sleep(0.05)
    return True


READ_ONLY = [(zkraw.READ, "world", "anyone")]


@pytest.mark.parametrize("voters", ["zzz", pytest.param("aaa", marks=needs_apache)])
@pytest.mark.parametrize("eager", ["true", "false"])
def test_permissions_are_judged_before_the_ensemble_is_asked(tmp_path, voters, eager):
    """enableEagerACLCheck: a write that fails so takes no number; beside Apache's."""
    with Ensemble(tmp_path, voters, props={"zookeeper.enableEagerACLCheck": eager}) as e:
        e.wait_serving(START_S)
        for m in (e.followers()[0], e.leader()):
            with m.raw() as c:
                root = "/of%d" % m.sid
                assert c.create(root, acl=READ_ONLY).err == 0
                assert c.create(root + "-open").err == 0
                before, nudges = m.zxid(), zkraw.nudges[0]
                assert c.set(root, b"x").err == zkraw.NO_AUTH
                assert c.create(root + "/child").err == zkraw.NO_AUTH
                assert c.delete(root + "/none").err == zkraw.NO_AUTH
                assert c.set_acl(root, zkraw.OPEN).err == zkraw.NO_AUTH
                assert c.create("/bad", acl=[]).err == zkraw.INVALID_ACL
                assert c.create("/none/child").err == zkraw.NO_NODE  # the ensemble's to judge
                # Behind a write of this session the answers are the right ones, and in order; in Apache's the judge
                # overtakes.
                xid = c.send(zkraw.SET_DATA, zkraw.text(root + "-open") + zkraw.text(b"1") + zkraw.i32(-1))
                other = c.send(zkraw.SET_DATA, zkraw.text(root) + zkraw.text(b"1") + zkraw.i32(-1))
                replies = [(r.xid, r.err) for r in (c.recv(), c.recv())]
                assert (replies if m.kind == "z" else sorted(replies)) == [(xid, 0), (other, zkraw.NO_AUTH)]
                taken = m.zxid() - before - (zkraw.nudges[0] - nudges) * zkraw.NUDGE_TRANSACTIONS
                assert taken <= 3 if eager == "true" else taken >= 7, taken
                assert c.sync("/").err == 0
        e.check_same(["/"])


def test_a_stalled_server_says_so(tmp_path):
    """jvm.pause.*: with the numbers of Apache's monitor."""
    props = {"jvm.pause.monitor": "true", "jvm.pause.sleep.time.ms": "50", "jvm.pause.info-threshold.ms": "300",
             "jvm.pause.warn-threshold.ms": "900", "zookeeper.4lw.commands.whitelist": "*"}
    with Server(tmp_path, props=props) as srv:
        for seconds, says in ((0.5, "INFO  loop.stalled"), (1.2, "WARN  loop.stalled")):

            def is_told(seconds=seconds, says=says):
                """False: the machine stood still, too, and made a longer stall of it."""
                before = srv.log().count(says)
                srv.signal(signal.SIGSTOP)
                time.sleep(seconds)
                srv.signal(signal.SIGCONT)
                return until(lambda: srv.log().count(says) > before, 5)

            until(is_told)
        figures = srv.four_letter("mntr").decode()
        longest = [x for x in figures.splitlines() if x.startswith("zk_max_jvm_pause_time_ms")]
        assert int(longest[0].split()[1]) >= 900


@pytest.mark.parametrize("early", ["true", "false"])
def test_no_handshake_while_nobody_is_served(tmp_path, early):
    """netty.server.earlyDropSecureConnectionHandshakes"""
    (tmp_path / "pki").mkdir()
    pki = Pki(tmp_path / "pki")
    port = free_port()
    lines = ["secureClientPort=%d" % port, "ssl.keyStore.location=" + pki.path("server.pem"),
             "ssl.trustStore.location=" + pki.path("ca.pem")]
    props = {"zookeeper.netty.server.earlyDropSecureConnectionHandshakes": early}
    e = Ensemble(tmp_path, "zzz", lines_of={1: lines}, props=props)
    try:
        e.start([e[1]])
        until(lambda: socket.create_connection(("127.0.0.1", port), timeout=10))

        def shakes():
            try:
                with socket.create_connection(("127.0.0.1", port), timeout=60) as s:
                    with pki.context().wrap_socket(s, server_hostname="localhost"):
                        return True
            except OSError:
                return False

        assert shakes() == (early == "false")
        e.start([e[2], e[3]])
        e.wait_serving(START_S)
        assert shakes()
    finally:
        e.close()


@pytest.mark.parametrize("kind", ["z", pytest.param("a", marks=needs_apache)])
def test_the_name_of_the_ensemble(tmp_path, kind):
    """ensembleAuthName: who means another ensemble is closed without a word; beside Apache's."""
    props = {"zookeeper.authProvider.1": "org.apache.zookeeper.server.auth.EnsembleAuthenticationProvider",
             "zookeeper.ensembleAuthName": "blue, the-blue-one"}
    with Ensemble(tmp_path, kind, props=props) as e:
        e[1].wait_serving(START_S)
        for name in ("blue", "the-blue-one", ""):
            with e[1].raw() as c:
                assert c.auth("ensemble", name).err == 0
                assert c.exists("/").err == 0
        for name in ("green", "blu", "blue, the-blue-one"):
            with e[1].raw() as c, pytest.raises((zkraw.Closed, OSError)):
                c.auth("ensemble", name)
        m = e[1].mntr()
        assert [m["zk_ensemble_auth_" + x] for x in ("success", "skip", "fail")] == ["2", "1", "3"]
    if kind == "z":
        with Server(tmp_path / "plain") as srv, zkraw.Client(srv.port) as c:
            assert c.auth("ensemble", "blue").err == zkraw.AUTH_FAILED


def test_the_last_packets_are_told(tmp_path):
    """messageTracker: on both ends of a connection that ends."""
    props = {"zookeeper.messageTracker.Enabled": "true", "zookeeper.messageTracker.BufferSize": "7"}
    # Ticks so long that no ping comes among the last packets, however late they are looked at.
    with Ensemble(tmp_path, "zzz", props=props, tick_ms=20000) as e:
        e.wait_serving(START_S)
        lead, gone = e.leader(), e.followers()[0]
        fill(lead, "/many", 50)
        gone.kill()

        def told(member, sid, direction):
            return [x for x in member.log().splitlines() if "zab.packets sid=%d direction=%s" % (sid, direction) in x]

        until(lambda: told(lead, gone.sid, "sent") and told(lead, gone.sid, "received"))
        sent, got = told(lead, gone.sid, "sent")[-1], told(lead, gone.sid, "received")[-1]
        assert "COMMIT 0x" in sent and sent.count("ms,") == 6
        assert "ACK 0x" in got
        left = next(m for m in e if m.running() and m is not lead)
        with left.raw() as c:  # a session that it has answered is a COMMIT that it has received
            assert c.sync("/").err == 0
        lead.kill()
        until(lambda: told(left, lead.sid, "received"))
        assert "COMMIT 0x" in told(left, lead.sid, "received")[-1]


@pytest.mark.parametrize("text, starts", [(None, False), ("[libdefaults]\n", False),
                                          ("[libdefaults]\n  default_realm = A.TEST\n", True)])
def test_a_kerberos_configuration_is_required(tmp_path, text, starts):
    """requireKerberosConfig"""
    path = tmp_path / "krb5.conf"
    if text is not None:
        path.write_text(text)
    srv = Server(tmp_path / "s", props={"zookeeper.requireKerberosConfig": "true"}, env={"KRB5_CONFIG": str(path)})
    try:
        if starts:
            assert srv.start().running()
        else:
            srv.spawn()
            assert srv.wait() == 2
            assert "requireKerberosConfig=true" in srv.log() and "default_realm" in srv.log()
    finally:
        srv.kill()
