"""Members that run behind the links, with a disk and a clock that can be spoiled."""
import mmap
import os
import random
import signal
import struct
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "interop"))

import zkraw  # noqa: E402
from ensemble import Ensemble, until  # noqa: E402
from links import Links  # noqa: E402
from server import DAMAGE, free_port, tell_of_failure  # noqa: E402

TICK_MS = 500
PROPS = {"zookeeper.snapCount": "1500"}
CONTROLS = ("sync_delay_ms", "disk_full", "sync_fails", "wall_step_ms", "refused")
CONTROL_BYTES = 64


def build_shim(directory):
    """The library that spoils disks and clocks, built anew; returns its path."""
    out = os.path.join(str(directory), "shim.so")
    compiler = os.environ.get("CC", "cc")
    flags = ["-shared", "-fPIC", "-O2", "-Wall", "-Wextra", "-Werror"]
    subprocess.run([compiler, *flags, "-o", out, os.path.join(HERE, "shim.c"), "-ldl"], check=True)
    return out


class Control:
    """What the shim of one member reads: set(disk_full=1)."""

    def __init__(self, path):
        with open(path, "wb") as f:
            f.write(bytes(CONTROL_BYTES))
        with open(path, "r+b") as f:
            self.map = mmap.mmap(f.fileno(), CONTROL_BYTES)

    def set(self, **values):
        for name, value in values.items():
            struct.pack_into("=q", self.map, 8 * CONTROLS.index(name), value)

    def get(self, name):
        return struct.unpack_from("=q", self.map, 8 * CONTROLS.index(name))[0]


class Cluster:
    """Members 1 to count behind links; `with` starts them and throws them away."""

    def __init__(self, directory, count, seed):
        self.directory = str(directory)
        os.makedirs(self.directory, exist_ok=True)
        self.ensemble = Ensemble(self.directory, "z" * count, props=PROPS, tick_ms=TICK_MS)
        self.links = Links({m.sid: (m.quorum_port, m.election_port) for m in self.ensemble}, free_port, seed)
        shim = build_shim(self.directory)
        self.control = {}
        self.excused = set()  # members whose end by themselves is to be expected
        self.findings = []
        self.sessions = set()  # of its own, of which no record is kept
        for m in self.ensemble:
            path = os.path.join(self.directory, "control%d" % m.sid)
            self.control[m.sid] = Control(path)
            m.env = {"LD_PRELOAD": shim, "CHAOS_CONTROL": path, "CHAOS_DIR": m.data_dir}
            m.extra = [self.seen_by(m, line) for line in m.extra]

    def seen_by(self, member, line):
        """A server.N line as this member has it: the others are where the links are."""
        if not line.startswith("server."):
            return line
        sid = int(line[len("server.") : line.index("=")])
        if sid == member.sid:
            return line
        return "server.%d=127.0.0.1:%d:%d" % (sid, *self.links.ports[member.sid, sid])

    def __iter__(self):
        return iter(self.ensemble)

    def __getitem__(self, sid):
        return self.ensemble[sid]

    @property
    def sids(self):
        return [m.sid for m in self.ensemble]

    @property
    def ports(self):
        return [m.port for m in self.ensemble]

    def leader(self):
        """The number of the member that says it leads; None when none answers so."""
        for m in self.ensemble:
            try:
                if m.running() and b"Mode: leader" in m.four_letter("srvr", 0.3):
                    return m.sid
            except OSError:
                pass
        return None

    def look(self):
        """Starts again what has ended; an end that no fault explains is a finding."""
        for m in self.ensemble:
            if m.process is None or m.running():
                continue
            if m.sid not in self.excused:
                self.findings.append(
                    "member %d ended with %d by itself:\n%s" % (m.sid, m.process.returncode, m.log()[-1500:])
                )
            if not self.control[m.sid].get("disk_full") and not self.control[m.sid].get("sync_fails"):
                self.excused.discard(m.sid)
                m.spawn()

    def heal(self):
        self.links.heal()
        for m in self.ensemble:
            self.control[m.sid].set(sync_delay_ms=0, disk_full=0, sync_fails=0)
            if m.running():
                m.signal(signal.SIGCONT)
        self.look()

    def wait_whole(self, seconds=60):
        """Until all members serve under one leader, and a write through each reaches all."""

        def whole():
            self.look()
            modes = sorted(m.mode(5) for m in self.ensemble)
            return modes == ["follower"] * (len(modes) - 1) + ["leader"]

        until(whole, seconds, 0.05)
        for m in self.ensemble:
            until(lambda m=m: self._write(m), seconds, 0.05)

    def _write(self, m):
        with m.raw(timeout_ms=4000, seconds=10) as c:
            self.sessions.add(c.session_id)
            made = c.granted_ms > 0 and c.create("/settled", b"").err in (0, zkraw.NODE_EXISTS)
            return made and c.close().err == 0

    def trees(self):
        """{member: {path: (data, stat)}} once each has caught up."""
        out = {}
        for m in self.ensemble:
            with m.raw() as c:
                assert c.sync("/").err == 0
                found, todo = {}, ["/"]
                while todo:
                    path = todo.pop()
                    if path.startswith("/zookeeper"):
                        continue
                    got, names = c.get(path), c.ls(path)
                    if got.err != 0 or names.err != 0:
                        continue  # gone meanwhile: sessions still expire
                    found[path] = (got.data, got.stat)
                    todo += [(path if path != "/" else "") + "/" + name for name in names.children]
                assert c.close().err == 0
            out[m.sid] = found
        return out

    def stop(self):
        for sid, status in self.ensemble.stop().items():
            if status != 0:
                self.findings.append("member %d ended with %r when it was told to stop" % (sid, status))
        for m in self.ensemble:
            for line in m.log().splitlines():
                if any(sign in line for sign in DAMAGE):
                    self.findings.append("member %d: %s" % (m.sid, line))

    def __enter__(self):
        try:
            self.ensemble.start()
            self.ensemble.wait_serving()
        except BaseException:
            self.__exit__(*sys.exc_info())
            raise
        return self

    def __exit__(self, *exc):
        if exc[0] is not None:
            print(tell_of_failure(self.ensemble))
        for m in self.ensemble:
            if m.running():
                m.signal(signal.SIGCONT)
            m.kill()
        self.links.close()


class Nemesis:
    """Does one harm after another, each for a while, from one seed."""

    def __init__(self, cluster, seed, say=lambda words: None, only=None):
        self.cluster, self.say = cluster, say
        self.random = random.Random(seed)
        harms = [name[len("do_") :] for name in dir(self) if name.startswith("do_")]
        self.harms = [h for h in harms if only is None or h in only]
        self.done = {}
        self.turns = []
        self.times = []  # (when it began, which harm)

    def run(self, seconds):
        """Harm until the time is over; then all is healed."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if not self.turns:  # each kind once before any comes again
                self.turns = self.random.sample(self.harms, len(self.harms))
            name = self.turns.pop()
            self.done[name] = self.done.get(name, 0) + 1
            self.times.append((time.monotonic(), name))
            getattr(self, "do_" + name)()
            self.rest(0.3, 1.5)
        self.cluster.heal()

    def rest(self, least, most):
        """Lets a fault last; the supervisor goes on meanwhile."""
        end = time.monotonic() + self.random.uniform(least, most)
        while time.monotonic() < end:
            self.cluster.look()
            time.sleep(0.02)

    def victim(self):
        """The leader every second time, or any member."""
        lead = self.cluster.leader() if self.random.random() < 0.5 else None
        return self.cluster[lead or self.random.choice(self.cluster.sids)]

    def minority(self):
        """Up to as many members as may fail together."""
        most = (len(self.cluster.sids) - 1) // 2
        first = self.victim()
        others = [m for m in self.cluster if m is not first]
        return [first] + self.random.sample(others, self.random.randrange(most))

    def word(self, name, members):
        self.say("%s %s (leader %s)" % (name, [m.sid for m in members], self.cluster.leader()))

    def kill(self, members):
        for m in members:
            self.cluster.excused.add(m.sid)
            m.kill()

    def do_kill(self):
        members = self.minority()
        self.word("kill", members)
        self.kill(members)
        self.cluster.look()
        self.rest(0.2, 1.0)

    def do_kill_all(self):
        self.word("kill all", list(self.cluster))
        self.kill(list(self.cluster))
        self.cluster.look()

    def do_restart(self):
        """An orderly end: the member must say that it went well."""
        m = self.victim()
        self.word("restart", [m])
        status = m.stop()
        if status != 0 and m.sid not in self.cluster.excused:
            self.cluster.findings.append("member %d ended with %r when it was told to stop" % (m.sid, status))
        m.spawn()

    def do_wipe(self):
        """A follower loses its disk. What it had acknowledged must be on the others until it has it again, so this
        waits for a whole ensemble before and after."""
        self.cluster.wait_whole()
        lead = self.cluster.leader()
        m = self.random.choice([m for m in self.cluster if m.sid != lead])
        self.word("wipe", [m])
        m.kill()
        # The judge still needs what was in its log: the others may have got that as an image.
        os.rename(os.path.join(m.data_dir, "version-2"), os.path.join(m.data_dir, "wiped.%d" % len(self.times)))
        m.spawn()
        self.cluster.wait_whole()

    def do_storm(self):
        """Many small harms on top of each other, quorum or not."""
        self.word("storm", list(self.cluster))
        for _ in range(self.random.randrange(6, 14)):
            m = self.random.choice(list(self.cluster))
            other = self.random.choice([o for o in self.cluster if o is not m])
            dice = self.random.random()
            if dice < 0.3:
                self.kill([m])
            elif dice < 0.5:
                m.signal(signal.SIGSTOP)
            elif dice < 0.7:
                self.cluster.links.set(m.sid, other.sid, cut=self.random.random() < 0.6)
            elif dice < 0.8:
                self.cluster.control[m.sid].set(sync_delay_ms=self.random.choice((0, 50, 1000)))
            else:
                self.cluster.links.reset(m.sid, other.sid)
            self.rest(0.05, 0.5)
            for o in self.cluster:
                if self.random.random() < 0.5 and o.running():
                    o.signal(signal.SIGCONT)
        self.cluster.heal()

    def do_pause(self):
        members = self.minority()
        self.word("pause", members)
        for m in members:
            m.signal(signal.SIGSTOP)
        self.rest(0.5, 5)
        for m in members:
            m.signal(signal.SIGCONT)

    def cut(self, name, pairs):
        self.say("%s %s (leader %s)" % (name, pairs, self.cluster.leader()))
        for a, b in pairs:
            self.cluster.links.set(a, b, cut=True)
        self.rest(0.5, 5)
        if self.random.random() < 0.5:
            for a, b in pairs:
                self.cluster.links.reset(a, b)
        for a, b in pairs:
            self.cluster.links.set(a, b)

    def edges(self, members):
        inner = {m.sid for m in members}
        return [(a, b) for a in inner for b in self.cluster.sids if b not in inner]

    def do_cut_off(self):
        pairs = self.edges(self.minority())
        self.cut("cut off", pairs + [(b, a) for a, b in pairs])

    def do_mute(self):
        self.cut("mute", self.edges(self.minority()))

    def do_deafen(self):
        self.cut("deafen", [(b, a) for a, b in self.edges(self.minority())])

    def do_cut_pair(self):
        a, b = self.random.sample(self.cluster.sids, 2)
        self.cut("cut pair", [(a, b), (b, a)])

    def do_reset(self):
        a, b = self.random.sample(self.cluster.sids, 2)
        self.say("reset %d %d" % (a, b))
        self.cluster.links.reset(a, b)

    def do_bad_network(self):
        delay_ms, loss = self.random.choice((5, 40)), self.random.choice((0.02, 0.1))
        self.say("delay %d ms, loss %g" % (delay_ms, loss))
        every = [(a, b) for a in self.cluster.sids for b in self.cluster.sids if a != b]
        for a, b in every:
            self.cluster.links.set(a, b, delay_ms=delay_ms, loss=loss)
        self.rest(1, 4)
        for a, b in every:
            self.cluster.links.set(a, b)

    def spoil(self, name, members, least, most, **values):
        self.word(name, members)
        for m in members:
            self.cluster.excused.add(m.sid)
            self.cluster.control[m.sid].set(**values)
        self.rest(least, most)
        for m in members:
            self.cluster.control[m.sid].set(**{key: 0 for key in values})
        self.cluster.look()

    def do_disk_full(self):
        self.spoil("disk full", self.minority(), 0.5, 3, disk_full=1)

    def do_disk_fails(self):
        self.spoil("syncs fail", self.minority(), 0.3, 1.5, sync_fails=1)

    def do_slow_disk(self):
        delay_ms = self.random.choice((20, 200, 4000))
        self.spoil("disk slow by %d ms" % delay_ms, self.minority(), 1, 4, sync_delay_ms=delay_ms)

    def do_clock(self):
        m = self.victim()
        step_ms = self.random.choice((-3600, -5, 5, 3600, 86400 * 400)) * 1000
        self.say("clock of %d by %d s" % (m.sid, step_ms // 1000))
        self.cluster.control[m.sid].set(wall_step_ms=step_ms)
