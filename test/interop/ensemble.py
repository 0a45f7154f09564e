"""Several servers as one ensemble on 127.0.0.1, ours and, where java is there, Apache's among them.

    with Ensemble(tmp_path, "zzz") as e:          # three of ours, numbers 1 to 3
        e.wait_serving()
        lead = e.leader()                          # the Member that leads
        lead.kill(); lead.start(wait=False)
        e[1].raw()                                 # a session over zkraw
    Ensemble(tmp_path, "zza", observers="z")       # one Apache server, and an observer of ours, number 4

One letter a server: z is ours (ZOKOR_BIN or the build), a is Apache ZooKeeper of Debian's package. Nothing here waits
for a fixed time: each wait ends with what it waits for, or fails.
"""
import functools
import os
import shutil
import sys
import time

import zkraw
from server import HERE, START_SECONDS, Server, free_port, server_command, tell_of_failure, use_apache

# The longest session of an ensemble.
LONGEST_MS = 120000

OUR = "z"
APACHE = "a"


def has_apache():
    return shutil.which(os.environ.get("JAVA", "java")) is not None and os.path.exists(
        "/usr/share/java/zookeeper.jar"
    )


def until(what, seconds=START_SECONDS, pause=0.02):
    """Calls what() until it returns something true, and returns that; errors of sockets count as no."""
    deadline = time.monotonic() + seconds
    last = None
    while time.monotonic() < deadline:
        try:
            last = what()
            if last:
                return last
        except (OSError, KeyError, zkraw.Closed) as e:
            last = e
        time.sleep(pause)
    raise TimeoutError("still not so after %s s (last: %r)" % (seconds, last))


def tried(what, times=3):
    """What must happen while a short session lives, or within another short time, fails on a machine that stands still
    for longer, whatever the server does; so it may begin anew, when the sessions of the try before are over.
    """
    for left in range(times - 1, -1, -1):
        try:
            return what()
        except (AssertionError, AttributeError, OSError, zkraw.Closed) as e:  # a node that has gone has no stat
            if left == 0:
                raise
            print("tried again: %r" % e)
            time.sleep(5)


def undisturbed(test):
    """For a test that counts the transactions of a shared server: the end of another test's session is one of them."""

    @functools.wraps(test)
    def run(**fixtures):
        tried(lambda: test(**fixtures))

    return run


class Member(Server):
    """One server of an ensemble: a Server that knows its number, its kind and its other ports."""

    def __init__(self, directory, sid, kind, observer=False, **more):
        super().__init__(directory, **more)
        self.sid = sid
        self.kind = kind
        self.observer = observer
        if kind == APACHE:
            zkraw.SLEEPY.add(self.port)
        self.quorum_port = free_port()
        self.election_port = free_port()

    def line(self):
        role = ":observer" if self.observer else ""
        ports = (self.sid, self.quorum_port, self.election_port, role)
        return "server.%d=127.0.0.1:%d:%d%s" % ports

    def command(self):
        if self.kind == APACHE:
            program = [os.path.join(HERE, "apache-server")]
        else:
            program = server_command()
        props = ["-D%s=%s" % kv for kv in sorted(self.props.items()) if kv[1] is not None]
        if self.kind == OUR:
            props += os.environ.get("ZOKOR_TEST_ARGS", "").split()
        return self.wrapper + program + ["server"] + props + [self.cfg]

    def write_cfg(self):
        os.makedirs(self.data_dir, exist_ok=True)
        with open(os.path.join(self.data_dir, "myid"), "w") as f:
            f.write("%d\n" % self.sid)
        super().write_cfg()

    def mode(self, seconds=zkraw.SECONDS):
        """leader, follower, observer, or "" while it serves nobody."""
        try:
            return self.srvr(seconds).get("Mode", "")
        except OSError:
            return ""

    def mntr(self):
        lines = self.four_letter("mntr").decode().splitlines()
        return dict(line.split("\t", 1) for line in lines if "\t" in line)

    def raw(self, **more):
        """A session over raw frames. It may have to outlive the start of a server, and sends nothing meanwhile."""
        more.setdefault("timeout_ms", LONGEST_MS)
        return zkraw.Client(self.port, **more)

    def syncs(self):
        """False: it has given up the connection; an observer of Apache's begins anew now and then while it starts."""
        try:
            with self.raw() as c:
                return c.sync("/").err == 0
        except (OSError, zkraw.Closed):
            return False

    def wait_serving(self, seconds=START_SECONDS):
        super().wait_serving(seconds)
        if self.kind == APACHE and self.observer:
            until(self.syncs, seconds)

    def epochs(self):
        """What the files acceptedEpoch and currentEpoch say."""
        found = []
        for name in ("acceptedEpoch", "currentEpoch"):
            with open(os.path.join(self.data_dir, "version-2", name)) as f:
                found.append(int(f.read()))
        return tuple(found)


class Ensemble:
    """Voters 1, 2, ... by the letters of `voters`, then observers by those of `observers`.

    extra   further lines of every zoo.cfg; lines_of: {number: lines} for one server alone
    props   as Server's
    """

    def __init__(
        self, directory, voters="zzz", observers="", extra=(), lines_of=None, props=None, tick_ms=1000
    ):
        kinds = voters + observers
        self.members = []
        for i, kind in enumerate(kinds):
            self.members.append(
                Member(
                    os.path.join(str(directory), "server%d" % (i + 1)),
                    i + 1,
                    kind,
                    observer=i >= len(voters),
                    props=props,
                    tick_ms=tick_ms,
                )
            )
        # syncLimit: a disk that stalls for some seconds costs nobody his place. The longest session: those that must
        # outlive restarts would not on a machine that takes 20 ticks for one.
        lines = ["initLimit=10", "syncLimit=15", "reconfigEnabled=false", "preAllocSize=64"]
        lines.append("maxSessionTimeout=%d" % LONGEST_MS)
        given = {line.split("=")[0] for line in extra}
        lines = [line for line in lines if line.split("=")[0] not in given]
        lines += [m.line() for m in self.members] + list(extra)
        for m in self.members:
            m.extra = lines + list((lines_of or {}).get(m.sid, ()))
            if m.observer:
                m.extra = m.extra + ["peerType=observer"]

    def __getitem__(self, sid):
        return self.members[sid - 1]

    def __iter__(self):
        return iter(self.members)

    def start(self, which=None):
        for m in self.members if which is None else which:
            m.spawn()
        return self

    def running(self):
        return [m for m in self.members if m.running()]

    def leader(self):
        """The member that leads now; None if none does."""
        for m in self.running():
            if m.mode() == "leader":
                return m
        return None

    def wait_leader(self, seconds=START_SECONDS):
        return until(self.leader, seconds)

    def whole(self):
        """The leader, if every server that runs serves and the leader knows of as many followers; None if not. A moment
        after the end of a leader its followers still say that they follow.
        """
        modes = {m: m.mode() for m in self.running()}
        leaders = [m for m, mode in modes.items() if mode == "leader"]
        if len(leaders) != 1 or "" in modes.values():
            return None
        synced = leaders[0].mntr().get("zk_synced_followers")
        follow = list(modes.values()).count("follower")
        return leaders[0] if synced is None or int(synced) == follow else None

    def wait_serving(self, seconds=START_SECONDS):
        """Until every server that runs serves, under one leader."""
        for m in self.running():
            m.wait_serving(seconds)
        return until(self.whole, seconds)

    def followers(self):
        return [m for m in self.running() if m.mode() == "follower"]

    def check_same(self, paths=("/",)):
        """Every server that runs shows the same data and stat at these paths, after a sync of its own."""
        seen = {}
        for m in self.running():
            with m.raw() as c:
                c.sync("/")
                replies = [c.get(p) for p in paths]
                seen[m.sid] = [(r.err, r.data, r.stat) for r in replies] + [c.ls(p).children for p in paths]
        first = next(iter(seen.values()))
        assert all(x == first for x in seen.values()), seen

    def stop(self):
        for m in self.members:
            if m.running():
                m.signal(15)
        return {m.sid: m.wait() for m in self.members if m.process is not None}

    def __enter__(self):
        return self.start()

    def close(self):
        """Ends all members; on the way out of a test that failed it tells of them first."""
        failed = sys.exc_info()[0] is not None
        if failed:
            print(tell_of_failure(self.members))
        for m in self.members:
            m.kill()
        if not failed:
            for m in self.members:
                m.check_log()

    def __exit__(self, *exc):
        self.close()
