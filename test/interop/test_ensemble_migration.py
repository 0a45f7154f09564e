"""An ensemble of Apache's becomes one of ours, a server at a time, and goes back, while clients write through every
member: every acknowledged write is there, every session lives, and the trees are equal at every step."""
import threading
import time

import pytest
import zkraw
from ensemble import APACHE, OUR, Ensemble, has_apache, until
from server import use_apache

pytestmark = [
    pytest.mark.skipif(use_apache(), reason="starts its own servers"),
    pytest.mark.skipif(not has_apache(), reason="Debian's package zookeeper is not installed"),
]
START_S = 120
SESSION_MS = 120000  # the longest that these ensembles allow


class Writer(threading.Thread):
    """One session that creates /w<number>/n0, n1, ... as fast as they are acknowledged. It begins at one member and
    goes on at the next when that one goes away, with its session; a create whose answer was lost is asked again and
    may exist."""

    def __init__(self, ensemble, number):
        super().__init__(name="writer-%d" % number, daemon=True)
        self.members = list(ensemble)
        self.at = number % len(self.members)
        self.number = number
        self.root = "/w%d" % number
        self.ending = threading.Event()
        self.acknowledged = 0
        self.moves = 0
        self.lost_sessions = 0
        self.wrong = []
        self.session = {}

    def connect(self):
        while not self.ending.is_set():
            m = self.members[self.at % len(self.members)]
            try:
                c = m.raw(timeout_ms=SESSION_MS, seconds=5, **self.session)
                if c.session_id == 0:
                    self.lost_sessions += 1
                    self.session = {}
                    continue
                self.session = {"session_id": c.session_id, "password": c.password}
                return c
            except (OSError, zkraw.Closed):
                self.at += 1
                time.sleep(0.02)
        return None

    def begin(self):
        """The root and an ephemeral node that lasts as long as the session."""
        while True:
            with_session = self.connect()
            try:
                for path, flags in ((self.root, zkraw.PERSISTENT), (self.root + "-here", zkraw.EPHEMERAL)):
                    assert with_session.create(path, flags=flags).err in (0, zkraw.NODE_EXISTS)
                return with_session
            except (OSError, zkraw.Closed):
                pass

    def write(self, c, maybe):
        reply = c.create("%s/n%d" % (self.root, self.acknowledged), b"%d" % self.number)
        if reply.err not in ((0, zkraw.NODE_EXISTS) if maybe else (0,)):
            self.wrong.append((self.acknowledged, reply.err))
        self.acknowledged += 1

    def run(self):
        c, maybe = self.begin(), False
        while c is not None and not self.ending.is_set():
            try:
                self.write(c, maybe)
                maybe = False
                time.sleep(0.002)
            except (OSError, zkraw.Closed):
                maybe = True
                self.moves += 1
                self.at += 1
                c = self.connect()
        if c is not None:
            c.drop()


def check_step(e, writers):
    """Every member knows what was acknowledged before, and all know the same."""
    before = {w: w.acknowledged for w in writers}
    for m in e:
        with m.raw() as c:
            assert c.sync("/").err == 0
            for w, count in before.items():
                names = set(c.ls(w.root).children)
                missing = [i for i in range(count) if "n%d" % i not in names]
                assert not missing, (m.sid, m.kind, w.number, missing[:5])
                assert c.exists(w.root + "-here").err == 0


def test_there_and_back(tmp_path):
    with Ensemble(tmp_path, "aaa") as e:
        e.wait_serving(START_S)
        writers = [Writer(e, i) for i in range(6)]
        for w in writers:
            w.start()
        until(lambda: all(w.acknowledged > 20 for w in writers), START_S)
        for kind in (OUR, APACHE):
            for m in e:
                m.stop()
                until(e.leader, START_S)
                m.kind = kind
                m.start(wait=False)
                m.wait_serving(START_S)
                e.wait_serving(START_S)
                reached = [w.acknowledged + 20 for w in writers]
                until(lambda: all(w.acknowledged > r for w, r in zip(writers, reached)), START_S)
                check_step(e, writers)
        for w in writers:
            w.ending.set()
        for w in writers:
            w.join(START_S)
        assert [w.wrong for w in writers] == [[] for _ in writers]
        assert sum(w.lost_sessions for w in writers) == 0
        assert sum(w.moves for w in writers) > 0
        check_step(e, writers)
        e.check_same(["/"] + [w.root for w in writers])
        print("acknowledged", sum(w.acknowledged for w in writers), "moves", sum(w.moves for w in writers))
