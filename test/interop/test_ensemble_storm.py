"""An ensemble is written to while its servers are killed, stopped, frozen and started again. What was acknowledged is
there afterwards, on every server; what is there was asked for; and all servers have the same."""
import random
import signal
import threading

import pytest
import zkraw
from ensemble import Ensemble, tried, until
from server import use_apache

pytestmark = pytest.mark.skipif(use_apache(), reason="starts its own servers")

WRITERS = 4
MORE = 150  # writes acknowledged between two disturbances


class Writers:
    """Threads that create nodes under /all, each at any server that takes it."""

    def __init__(self, e):
        self.e = e
        self.acked = set()
        self.maybe = set()
        self.over = threading.Event()
        self.threads = [threading.Thread(target=self.run, args=(n,)) for n in range(WRITERS)]
        for t in self.threads:
            t.start()

    def run(self, number):
        rng = random.Random(number)
        count = 0
        while not self.over.wait(0.01):
            try:
                with rng.choice(self.e.members).raw(seconds=3) as c:
                    while c.granted_ms and not self.over.is_set():
                        name = "w%d-%d" % (number, count)
                        count += 1
                        self.maybe.add(name)
                        if c.create("/all/" + name).err == 0:
                            self.acked.add(name)
            except (OSError, zkraw.Closed):
                pass

    def wait_more(self, count=MORE):
        before = len(self.acked)
        until(lambda: len(self.acked) >= before + count, 120)

    def stop(self):
        self.over.set()
        for t in self.threads:
            t.join(60)


def kill_leader(e, rng):
    lead = e.wait_leader()
    lead.kill()
    return [lead]


def kill_any_two(e, rng):
    two = rng.sample(e.members, 2)
    for m in two:
        m.kill()
    return two


def kill_all(e, rng):
    for m in e:
        m.kill()
    return e.members


def stop_any(e, rng):
    m = rng.choice(e.members)
    assert m.stop() == 0
    return [m]


def freeze_leader(e, rng):
    """It does not know that time has passed, and that others lead meanwhile."""
    lead = e.wait_leader()
    lead.signal(signal.SIGSTOP)
    others = [m for m in e if m is not lead]
    until(lambda: any(m.mode() == "leader" for m in others))
    lead.signal(signal.SIGCONT)
    return []


@pytest.mark.parametrize("seed", [1, 2])
def test_storm(tmp_path, seed):
    rng = random.Random(seed)
    plan = [kill_leader, kill_any_two, kill_all, stop_any, freeze_leader] * 2
    rng.shuffle(plan)
    props = {"zookeeper.snapCount": "300"}
    with Ensemble(tmp_path, extra=["syncLimit=2"], props=props, tick_ms=500) as e:
        with e.wait_serving().raw() as c:
            assert c.create("/all").err == 0
        writers = Writers(e)
        try:
            writers.wait_more()
            for disturb in plan:
                down = disturb(e, rng)
                if len(down) == 1:
                    writers.wait_more()  # without it
                e.start(down)
                writers.wait_more()
        finally:
            writers.stop()

        def verify():
            for m in e:
                with m.raw() as c:
                    assert c.sync("/").err == 0
                    names = set(c.ls("/all").children)
                    assert writers.acked <= names, (m.sid, sorted(writers.acked - names)[:10])
                    assert names <= writers.maybe
            return tried(lambda: e.check_same(["/", "/all"])) is None  # what was sent last may come meanwhile

        e.wait_serving()
        until(verify)  # with this syncLimit a disk that stalls for a second costs a member its place
